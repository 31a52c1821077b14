"""Durable at the price of in-memory: what a run costs beside LangGraph and beside a bare loop over SQLite.

    uv run --group bench python -m tests.bench.durable [--json] [--rounds 5] [--cases chain,loop,resume]

Cases: chain, fanout, loop, resume, width, import.

Every measurement is a process of its own; the competitors run in turn, and the median of the rounds counts. Only
ratios travel from one machine to another: on a machine that does other work, times drift and ratios drift less. The
table goes to stderr, with each budget and whether it is met; `--json` puts every number on stdout. Nothing is
asserted: these are not tests. Where LangGraph is not installed, the rows that need it are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from graphrt.types import Durability

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"chain": 1000, "fanout": 1000, "loop": 500}
BYTES = {"chain": 300_000, "fanout": 350_000, "loop": 300_000}
CASES = (*SIZES, "resume", "width", "import")
HISTORY = 10_000
WIDTH = 10_000
PEER = importlib.util.find_spec("langgraph") is not None


@dataclass(frozen=True)
class Budget:
    """A promise in numbers: what was measured, and the most it may be."""

    what: str
    found: float
    most: float
    unit: str

    @property
    def met(self) -> bool:
        return self.found <= self.most


def run(module: str, *words: object) -> dict[str, Any]:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=300)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def bare(path: Path, durability: Durability, source: Path) -> dict[str, Any]:
    """Insert the rows that a run of ours has left in `source` into a file of the same shape; commit every second row.

    A step of ours makes two: it has finished, and the next one starts.
    """
    with sqlite3.connect(source) as ours:
        schema = ours.execute("SELECT sql FROM sqlite_schema WHERE name = 'facts'").fetchone()[0]
        cursor = ours.execute("SELECT * FROM facts ORDER BY n")
        names = [column[0] for column in cursor.description]
        stored = [n for n, name in enumerate(names) if name not in {"run", "seq"}]
        rows = [tuple(row[n] for n in stored) for row in cursor]
    ours.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
    connection.execute(schema)
    insert = f"INSERT INTO facts ({', '.join(names[n] for n in stored)}) VALUES ({', '.join('?' * len(stored))})"
    before = time.perf_counter()
    for n in range(0, len(rows), 2):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(insert, rows[n : n + 2])
        connection.execute("COMMIT")
    taken = time.perf_counter() - before
    connection.close()
    return {"seconds": taken}


def compare(case: str, rounds: int) -> dict[str, Any]:
    """Run a case in every way, in turn."""
    size = SIZES[case]
    seconds: dict[str, list[float]] = {}
    stored: dict[str, int] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="graphrt-bench-") as name:
            folder = Path(name)
            ours, peer = folder / "power.db", folder / "peer.db"
            ways: dict[str, Callable[[], dict[str, Any]]] = {
                "power": partial(run, "cases", case, size, "power", ours),
                "bare power": partial(bare, folder / "bare1.db", "power", ours),
                "langgraph sync": partial(run, "langgraph_peer", case, size, peer),
                "process": partial(run, "cases", case, size, "process", folder / "process.db"),
                "bare process": partial(bare, folder / "bare2.db", "process", ours),
                "memory": partial(run, "cases", case, size, "memory", "-"),
                "langgraph memory": partial(run, "langgraph_peer", case, size, "-"),
            }
            for way, measure in ways.items():
                if way.startswith("langgraph") and not PEER:
                    continue
                found = measure()
                seconds.setdefault(way, []).append(found["seconds"])
                if found.get("bytes"):
                    stored[way] = found["bytes"]
    return {
        "case": case,
        "steps": size,
        "seconds": {way: statistics.median(each) for way, each in seconds.items()},
        "lowest": {way: min(each) for way, each in seconds.items()},
        "bytes": stored,
    }


def resume(rounds: int) -> dict[str, Any]:
    """Resume a long run, each time a fresh copy of it in a fresh process."""
    seconds, opening = [], []
    with tempfile.TemporaryDirectory(prefix="graphrt-bench-") as name:
        path = Path(name) / "long.db"
        run("cases", "filled", HISTORY, "process", path)
        kept = path.read_bytes()
        for _ in range(rounds):
            path.write_bytes(kept)
            found = run("cases", "resume", HISTORY, "power", path)
            seconds.append(found["seconds"])
            opening.append(found["opening"])
    return {
        "case": "resume",
        "steps": HISTORY,
        "seconds": statistics.median(seconds),
        "opening": statistics.median(opening),
    }


def width(rounds: int) -> dict[str, Any]:
    """Measure the memory of a wide fan-out."""
    found = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="graphrt-bench-") as name:
            found.append(run("cases", "width", WIDTH, "power", Path(name) / "wide.db"))
    return {
        "case": "width",
        "steps": WIDTH,
        "memory": statistics.median(each["memory"] for each in found),
        "seconds": statistics.median(each["seconds"] for each in found),
        "bytes": found[-1]["bytes"],
    }


def imports(rounds: int) -> dict[str, Any]:
    """Start interpreters that import, in turn."""
    ways = {
        "pydantic": ["-c", "import pydantic"],
        "pydantic.BaseModel": ["-c", "from pydantic import BaseModel"],
        "graphrt": ["-c", "import graphrt"],
        "graphrt.dag": ["-c", "from graphrt import dag"],
        "graphrt --help": ["-m", "graphrt", "--help"],
    }
    if importlib.util.find_spec("graphrt.__main__") is None:
        ways["graphrt --help"] = ["-c", "from graphrt.cli import main; main(['--help'])"]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(max(rounds, 5) + 1):  # the first one warms the caches
        for way, words in ways.items():
            before = time.perf_counter()
            subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=True, timeout=60)
            seconds[way].append(time.perf_counter() - before)
    return {"case": "import", "seconds": {way: statistics.median(each[1:]) for way, each in seconds.items()}}


def budgets(found: dict[str, Any]) -> list[Budget]:
    """Hold a case against its budgets."""
    case, seconds = found["case"], found["seconds"]
    if case == "resume":
        return [Budget("resume of 10,000 steps", seconds * 1e3, 50, "ms")]
    if case == "width":
        return [Budget("memory of 10,000 items, 64 at a time", found["memory"] / 1e6, 60, "MB")]
    if case == "import":
        return [
            Budget("import graphrt / import pydantic", seconds["graphrt"] / seconds["pydantic"], 1.3, "x"),
            Budget("graphrt --help / import pydantic", seconds["graphrt --help"] / seconds["pydantic"], 2, "x"),
        ]
    sync, none = seconds.get("langgraph sync"), seconds.get("langgraph memory")
    promised: list[tuple[str, float | None, float, float, str]]
    if case == "chain":
        promised = [
            ("power / LangGraph sync", sync, seconds["power"], 0.25, "x"),
            ("power / bare loop", seconds["bare power"], seconds["power"], 1.5, "x"),
            ("process / LangGraph without checkpointer", none, seconds["process"], 0.5, "x"),
            ("process, a step", found["steps"] / 1e6, seconds["process"], 100, "us"),
        ]
    elif case == "fanout":
        promised = [
            ("power / LangGraph without checkpointer", none, seconds["power"], 1, "x"),
            ("power, a step", found["steps"] / 1e6, seconds["power"], 50, "us"),
        ]
    else:
        promised = [("power / LangGraph sync", sync, seconds["power"], 0.25, "x")]
    held = [
        Budget(f"{case}: {what}", ours / theirs, most, unit) for what, theirs, ours, most, unit in promised if theirs
    ]
    return [*held, Budget(f"{case}: file", found["bytes"]["power"] / 1e6, BYTES[case] / 1e6, "MB")]


def show(found: dict[str, Any], held: list[Budget]) -> None:
    """Write a case and its budgets to stderr."""
    lines = []
    if found["case"] in SIZES:
        lines.append(f"\n{found['case']} of {found['steps']}")
        for way, taken in found["seconds"].items():
            name = way if way.startswith(("bare", "langgraph")) else f"graphrt {way}"
            size = f"{found['bytes'][way] / 1e6:8.2f} MB" if way in found["bytes"] else ""
            lowest = found["lowest"][way]
            lines.append(f"  {name:<20} {taken * 1e3:8.0f} ms (lowest {lowest * 1e3:.0f}) {size}")
    else:
        lines.append(f"\n{found['case']}: {json.dumps(found)}")
    for each in held:
        verdict = "met   " if each.met else "MISSED"
        lines.append(f"  {verdict}  {each.what}: {each.found:.2f} {each.unit} of {each.most:g} {each.unit}")
    print("\n".join(lines), file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.durable", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--json", action="store_true", help="put every number on stdout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    options = parser.parse_args()
    chosen = options.cases.split(",")
    if unknown := set(chosen) - set(CASES):
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    if not PEER:
        print("LangGraph is not installed: ours alone; `uv run --group bench` brings it", file=sys.stderr)
    measures = {"resume": resume, "width": width, "import": imports}
    report = []
    for case in chosen:
        found = measures[case](options.rounds) if case in measures else compare(case, options.rounds)
        held = budgets(found)
        show(found, held)
        report.append({**found, "budgets": [{**asdict(each), "met": each.met} for each in held]})
    if options.json:
        where = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "machine": platform.machine()}
        print(json.dumps({"where": where, "rounds": options.rounds, "cases": report}, indent=1))


if __name__ == "__main__":
    main()
