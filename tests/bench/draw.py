"""How long a picture takes: the layout of graphs of 25 to 1,000 boxes, and its crossings.

    python -m tests.bench.draw [--json] [--rounds 5] [--sizes 25,100,300,1000]

Three shapes. `flow`: each box follows one of the four before it, and half as many links more, some of them back.
`nested`: the same in clusters of ten, in clusters of five of those. `dense`: as `flow`, with three links a box. A third
of the links have labels. CPU seconds of this process, the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from graphrt.draw.layout import Cluster, Item, Link, layout

SHAPES = ("flow", "nested", "dense")
BUDGET = {25: 0.050, 1000: 2.0}
"""Seconds that a size may take."""


def graph(shape: str, size: int) -> tuple[Sequence[Item | Cluster], list[Link]]:
    """Make a graph; the same for the same shape and size."""
    chance = random.Random(f"{shape} {size}")
    items: list[Item] = [Item(f"i{number}", chance.randint(70, 180), 42) for number in range(size)]
    ends = [(max(0, number - chance.randint(1, 4)), number) for number in range(1, size)]
    for _ in range(size // 2 if shape != "dense" else size * 2):
        source = chance.randrange(size)
        ends.append((source, min(size - 1, max(0, source + chance.randint(-4, 12)))))
    links = [
        Link(f"i{source}", f"i{target}", *((60, 16) if chance.random() < 1 / 3 else (0, 0))) for source, target in ends
    ]
    if shape != "nested":
        return items, links
    inner = [Cluster(f"c{at}", tuple(items[at : at + 10]), 90, 13) for at in range(0, size, 10)]
    return [Cluster(f"d{at}", tuple(inner[at : at + 5]), 90, 13) for at in range(0, len(inner), 5)], links


def measure(shape: str, size: int, rounds: int) -> dict[str, Any]:
    """Lay a graph out a few times."""
    members, links = graph(shape, size)
    placed, taken = layout(members, links), []
    for _ in range(rounds):
        begun = time.process_time()
        layout(members, links)
        taken.append(time.process_time() - begun)
    return {
        "shape": shape,
        "boxes": size,
        "links": len(links),
        "seconds": statistics.median(taken),
        "crossings": placed.crossings,
        "back": sum(placed.back),
        "width": placed.width,
        "height": placed.height,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.draw", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="put every number on stdout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="25,100,300,1000")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    points = [measure(shape, size, options.rounds) for shape in SHAPES for size in sizes]
    print(f"{'layout':<8} {'boxes':>6} {'links':>6} {'CPU':>10} {'crossings':>10}  budget", file=sys.stderr)
    for point in points:
        budget = BUDGET.get(point["boxes"])
        verdict = "" if budget is None else f"{budget * 1e3:.0f} ms {'ok' if point['seconds'] <= budget else 'OVER'}"
        print(
            f"{point['shape']:<8} {point['boxes']:>6} {point['links']:>6} {point['seconds'] * 1e3:>7.1f} ms "
            f"{point['crossings']:>10}  {verdict}",
            file=sys.stderr,
        )
    if options.json:
        print(json.dumps(points, indent=1))


if __name__ == "__main__":
    main()
