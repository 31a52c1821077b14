"""The twelve graphs of the sheet, laid out by us, by Graphviz' dot and by elkjs, counted in one way.

    npm install --prefix DIR elkjs
    python -m tests.bench.draw_peers [--elk DIR/node_modules/elkjs] [--dot PYTHON_WITH_PYGRAPHVIZ] [--json]

All get the same boxes with their sizes, in the same order, the same arrows, and the sizes of their labels; dot, which
measures letters itself, gets as many as are about as wide. elkjs is asked for layers, with the order of the model and
its loops opened depth first, and for arrows through the walls of clusters. Counted is what is to be seen: `cross`,
where the lines of two arrows meet away from their ends; `bends`, by how many right angles they turn, be it in a corner
or in a curve; `length` of all together and the area in thousands of pixels; CPU seconds of the layout, the median of a
few.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from graphrt.draw.layout import Cluster, Item, Layout, layout
from graphrt.draw.svg import Scene, arrange
from tests.bench.dot_peer import curve
from tests.bench.sheet import Sheet, sheets

HERE = Path(__file__).parent
ROUNDS = 5
NEAR = 2.0
"""Pixels from an end of an arrow in which it may touch another: they meet at a box."""
FLAT = 1e-9
Point = tuple[float, float]
Route = Sequence[Point]


@dataclass(frozen=True)
class Seen:
    """What is to be seen of a layout, and what it took."""

    cross: int
    bends: float
    length: float
    area: float
    seconds: float


def asked(sheet: Sheet) -> tuple[Any, ...]:
    """What our layout is asked for, when a picture is made."""
    with patch.object(sys.modules[arrange.__module__], "layout", wraps=layout) as watched:
        arrange(sheet.drawn, Scene(sheet.direction))
    return tuple(watched.call_args.args)


def told(members: Sequence[Item | Cluster], links: Sequence[Any], direction: str) -> dict[str, Any]:
    """The same for a peer."""

    def one(member: Item | Cluster) -> dict[str, Any]:
        if isinstance(member, Item):
            return {"id": member.id, "width": member.width, "height": member.height}
        return {"id": member.id, "members": [*map(one, member.members)], "title_height": member.title_height}

    names = ("source", "target", "label_width", "label_height")
    wanted = [{name: getattr(link, name) for name in names} for link in links]
    return {"direction": direction, "members": [*map(one, members)], "links": wanted}


def ours(given: tuple[Any, ...]) -> dict[str, Any]:
    """Our layout, as a peer tells its own."""
    taken, placed = [], layout(*given)
    for _ in range(ROUNDS):
        begun = time.process_time()
        placed = layout(*given)
        taken.append(time.process_time() - begun)
    return {"seconds": statistics.median(taken), **_flat(placed)}


def _flat(placed: Layout) -> dict[str, Any]:
    routes = [
        [point for at in range(0, len(route) - 3, 3) for point in curve(*((p[0], p[1]) for p in route[at : at + 4]))]
        for route in placed.routes
    ]
    return {"width": placed.width, "height": placed.height, "routes": routes}


def peer(command: Sequence[str], wanted: Sequence[dict[str, Any]], **environ: str) -> list[dict[str, Any]]:
    """What another program makes of the graphs."""
    done = subprocess.run(
        command, input=json.dumps(wanted), capture_output=True, text=True, check=True, env=os.environ | environ
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def seen(laid: dict[str, Any]) -> Seen:
    """Count what is to be seen."""
    routes = [_clean(route) for route in laid["routes"]]
    return Seen(
        cross=sum(crossings(one, other) for one, other in combinations(routes, 2)),
        bends=sum(map(turns, routes)),
        length=sum(math.dist(a, b) for route in routes for a, b in pairwise(route)),
        area=laid["width"] * laid["height"] / 1000,
        seconds=laid["seconds"],
    )


def _clean(route: Sequence[Sequence[float]]) -> list[Point]:
    points: list[Point] = []
    for x, y in route:
        if not points or math.dist(points[-1], (x, y)) > FLAT:
            points.append((x, y))
    return points


def turns(route: Route) -> float:
    """By how many right angles a line turns on its way."""
    headings = [math.atan2(b[1] - a[1], b[0] - a[0]) for a, b in pairwise(route)]
    return sum(abs(math.remainder(b - a, math.tau)) for a, b in pairwise(headings)) / (math.pi / 2)


def crossings(one: Route, other: Route) -> int:
    """How often two lines cross away from where both end."""
    ends = [(a, b) for a in (one[0], one[-1]) for b in (other[0], other[-1])]
    found: list[Point] = []
    for a, b in pairwise(one):
        for c, d in pairwise(other):
            point = _meeting(a, b, c, d)
            if point is None or any(math.dist(point, p) < NEAR and math.dist(point, q) < NEAR for p, q in ends):
                continue
            if all(math.dist(point, before) > FLAT for before in found):  # a corner belongs to two pieces
                found.append(point)
    return len(found)


def _meeting(a: Point, b: Point, c: Point, d: Point) -> Point | None:
    across = (b[0] - a[0]) * (d[1] - c[1]) - (b[1] - a[1]) * (d[0] - c[0])
    if abs(across) < FLAT:
        return None
    u = ((c[0] - a[0]) * (d[1] - c[1]) - (c[1] - a[1]) * (d[0] - c[0])) / across
    v = ((c[0] - a[0]) * (b[1] - a[1]) - (c[1] - a[1]) * (b[0] - a[0])) / across
    return (a[0] + u * (b[0] - a[0]), a[1] + u * (b[1] - a[1])) if 0 <= u <= 1 and 0 <= v <= 1 else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.draw_peers")
    parser.add_argument("--elk", type=Path, help="the folder of elkjs")
    parser.add_argument("--dot", type=Path, help="a Python that has pygraphviz")
    parser.add_argument("--json", action="store_true", help="put every number on stdout")
    options = parser.parse_args()
    all_sheets = sheets()
    given = [asked(sheet) for sheet in all_sheets]
    wanted = [told(*each) for each in given]
    found = {"ours": [ours(each) for each in given]}
    if options.dot:
        found["dot"] = peer([str(options.dot), str(HERE / "dot_peer.py")], wanted)
    if options.elk:
        elk = str(options.elk.resolve())
        found["elkjs"] = peer(["node", str(HERE / "elk_peer.mjs")], wanted, ELKJS=elk)
    table = {sheet.name: {who: seen(each[at]) for who, each in found.items()} for at, sheet in enumerate(all_sheets)}
    print(f"{'':<14}{'':<7}{'cross':>6}{'bends':>8}{'length':>9}{'area':>9}{'CPU':>11}", file=sys.stderr)
    for name, row in table.items():
        for who, one in row.items():
            print(
                f"{name if who == 'ours' else '':<14}{who:<7}{one.cross:>6}{one.bends:>8.0f}{one.length:>9.0f}"
                f"{one.area:>9.0f}{one.seconds * 1e3:>8.1f} ms",
                file=sys.stderr,
            )
    if options.json:
        print(json.dumps({name: {who: vars(one) for who, one in row.items()} for name, row in table.items()}, indent=1))


if __name__ == "__main__":
    main()
