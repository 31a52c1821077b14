"""Whether a step costs the same in a long run as in a short one: time, bytes and memory, from 100 steps to 100,000.

    uv run --group bench python -m tests.bench.growth [--json] [--rounds 3] [--plot docs/growth.png]

Three shapes: a `counter` is a machine whose state stays as it is; a `log` is one whose state is its newest 50 messages,
200 bytes each; a `fanout` is an `each` over as many items as it has steps, 64 at a time. Every run is a process of its
own and durable as "process": a disk that syncs would hide what the rest costs. What is not per step, such as a run's
own rows and the pages of an empty file, is what makes the shortest runs look dear.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import Field

from graphrt import Final, Machine, Node, Runtime, State
from tests.bench.cases import fanout
from tests.bench.timer import Timer

ROOT = Path(__file__).resolve().parents[2]
SHAPES = ("counter", "log", "fanout")
SIZES = (100, 1_000, 10_000, 100_000)
KEPT = 50
TEXT = "x" * 148


class Counting(State):
    turns: int


class Logging(State):
    turns: int
    messages: list[dict[str, str]] = Field(default_factory=list)


class Over(Final):
    pass


def counter(turns: int) -> Node[..., Over]:
    """One handler, `turns` times, over a state that does not grow."""
    machine = Machine("counter", start=Counting, end=Over, max_transitions=turns + 1)

    @machine.on
    async def count(state: Counting) -> Counting | Over:
        return Counting(turns=state.turns - 1) if state.turns > 1 else Over()

    return machine


def log(turns: int) -> Node[..., Over]:
    """One handler, `turns` times, each adding a message to the newest 50."""
    machine = Machine("log", start=Logging, end=Over, max_transitions=turns + 1)

    @machine.on
    async def add(state: Logging) -> Logging | Over:
        message = {"role": "assistant", "content": f"{state.turns:8} {TEXT}"}
        left = state.turns - 1
        return Logging(turns=left, messages=[*state.messages, message][-KEPT:]) if left else Over()

    return machine


async def one(shape: str, size: int, path: Path) -> dict[str, float]:
    """Run a shape once, after a short one that warms up what is made once: seconds, and the peak of memory over that of
    the idle process."""
    graph: Node[..., Any] = {"counter": counter, "log": log}[shape](size) if shape != "fanout" else fanout
    warm: Node[..., Any] = {"counter": counter, "log": log}[shape](100) if shape != "fanout" else fanout
    given = "count" if shape == "fanout" else "turns"
    async with Runtime(path.with_name("warm.db"), durability="process") as rt:
        await rt.run(warm, **{given: 100})
    async with Runtime(path, durability="process") as rt:
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        timer = Timer()
        await rt.run(graph, **{given: size})
        taken = timer.read()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**taken, "memory": (peak - idle) * 1024}


def measure(sizes: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    """Run every shape in every size, in turn; return the medians."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for _ in range(rounds):
        for shape in SHAPES:
            for size in sizes:
                with tempfile.TemporaryDirectory(prefix="graphrt-bench-") as folder:
                    words = [sys.executable, "-m", "tests.bench.growth", "--one", shape, str(size), f"{folder}/run.db"]
                    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=3600)
                    found.setdefault((shape, size), []).append(json.loads(done.stdout))
    return [
        {"shape": shape, "steps": size, **{what: statistics.median(each[what] for each in runs) for what in runs[0]}}
        for (shape, size), runs in found.items()
    ]


def ratios(points: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, float, float]]:
    """Hold the longest run of each shape against one of 1,000 steps: shape, what, ratio, and the most it may be.

    Runs of 100 are left out: they are too short for a clock."""
    for shape, runs in groupby(points, lambda point: point["shape"]):
        by_size = {run["steps"]: run for run in runs}
        short, long = by_size[1_000], by_size[max(by_size)]
        for what, most in ("cpu", 1.5), ("bytes", 1.25):
            yield shape, what, long[what] / long["steps"] / (short[what] / short["steps"]), most


def table(points: Sequence[dict[str, Any]]) -> list[str]:
    """Return the lines of a table."""
    lines = [f"{'growth':<10} {'steps':>8} {'time':>12} {'CPU':>12} {'file':>10} {'memory':>10}"]
    for point in points:
        steps = point["steps"]
        lines.append(
            f"  {point['shape']:<8} {steps:>8} {point['seconds'] / steps * 1e6:>7.0f} us/st "
            f"{point['cpu'] / steps * 1e6:>6.0f} us/st {point['bytes'] / steps:>5.0f} B/st "
            f"{point['memory'] / 1e6:>7.1f} MB"
        )
    return lines


def plot(points: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the curves. Needs matplotlib."""
    import matplotlib as mpl  # pyright: ignore[reportMissingImports]

    mpl.use("Agg")
    from matplotlib import pyplot, ticker  # pyright: ignore[reportMissingImports]

    looks = {
        "counter": ("#2563a8", "o", "machine, state of constant size"),
        "log": ("#c2571a", "s", "machine, its newest 50 messages"),
        "fanout": ("#2f8f5b", "^", "fan-out, 64 at a time"),
    }
    panels = (
        ("Time a step", "microseconds of CPU", lambda run: run["cpu"] / run["steps"] * 1e6),
        ("Store a step", "bytes in the file", lambda run: run["bytes"] / run["steps"]),
        ("Peak memory", "MB over the idle process", lambda run: run["memory"] / 1e6),
    )
    pyplot.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "axes.edgecolor": "#9aa3ad"})
    figure, axes = pyplot.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
    for axis, (title, unit, value) in zip(axes, panels, strict=True):
        for shape, runs in groupby(points, lambda point: point["shape"]):
            colour, marker, label = looks[shape]
            each = list(runs)
            xs, ys = [run["steps"] for run in each], [value(run) for run in each]
            axis.plot(xs, ys, color=colour, marker=marker, markersize=6, linewidth=1.8, label=label)
        axis.set_xscale("log")
        axis.set_xlabel("steps in the run")
        axis.set_ylabel(unit)
        axis.set_title(title, fontsize=11, loc="left", fontweight="bold")
        axis.set_ylim(bottom=0)
        axis.margins(y=0.15)
        axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        axis.xaxis.set_minor_locator(ticker.NullLocator())
        axis.grid(axis="y", color="#e3e7eb", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    longest = max(point["steps"] for point in points)
    figure.suptitle(f"What a step costs, in runs of up to {longest:,} steps", fontsize=13, x=0.01, ha="left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.growth", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--json", action="store_true", help="put every number on stdout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--plot", type=Path, help="draw the curves into this file")
    parser.add_argument(
        "--again", type=Path, help="draw what --json has printed into this file before; measure nothing"
    )
    parser.add_argument("--one", nargs=3, metavar=("SHAPE", "STEPS", "PATH"), help="run once and print one JSON line")
    options = parser.parse_args()
    if options.one:
        shape, size, path = options.one
        taken = asyncio.run(one(shape, int(size), Path(path)))
        print(json.dumps({**taken, "bytes": Path(path).stat().st_size}))
        return
    if options.again:
        points = json.loads(options.again.read_text())
    else:
        points = measure([int(size) for size in options.sizes.split(",")], options.rounds)
    print("\n".join(table(points)), file=sys.stderr)
    if options.json:
        print(json.dumps(points, indent=1))
    if options.plot:
        plot(points, options.plot)


if __name__ == "__main__":
    main()
