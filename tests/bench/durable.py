"""Durable at the price of in-memory: what a run costs beside its peers and beside a bare loop over SQLite.

    uv run --group bench python -m tests.bench.durable [--json] [--rounds 5] [--cases chain,loop,resume]

Cases: chain, fanout, loop, resume, width, import, growth.

Every measurement is a process of its own; the competitors run in turn, and the median of the rounds counts. Whoever
persists does so with synchronous=FULL and a write-ahead log, but for our durability `process`. Only ratios travel from
one machine to another: on a machine that does other work, times drift, and ratios and seconds of CPU drift less. The
table goes to stderr, with each budget and whether it is met; `--json` puts every number on stdout. Nothing is
asserted: these are not tests. A peer that is not installed is left out, and so are the rows that need it.
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
from tests.bench import growth
from tests.bench.budget import Budget

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"chain": 1000, "fanout": 1000, "loop": 500}
BYTES = {"chain": 300_000, "fanout": 350_000, "loop": 300_000}
CASES = (*SIZES, "resume", "width", "import", "growth")
HISTORY = 10_000
WIDTH = 10_000
HEAVY = {"anyio._backends._trio", "httpx", "matplotlib", "networkx", "sqlite3", "sqlite_utils", "starlette", "uvicorn"}
"""Packages that `import graphrt` does without."""


@dataclass(frozen=True)
class Peer:
    """A competitor, in one way of running: `words` go to its module, which has the package's name."""

    package: str
    name: str
    persists: bool
    words: tuple[str, ...] = ()

    @property
    def there(self) -> bool:
        return importlib.util.find_spec(self.package) is not None

    def measure(self, case: str, path: Path) -> dict[str, Any]:
        return run(f"{self.package}_peer", case, SIZES[case], path if self.persists else "-", *self.words)


SYNC = Peer("langgraph", "LangGraph sync", persists=True, words=("sync",))
NONE = Peer("langgraph", "LangGraph memory", persists=False)
PEERS = (
    SYNC,
    Peer("langgraph", "LangGraph exit", persists=True, words=("exit",)),
    NONE,
    Peer("burr", "Burr", persists=True),
    Peer("burr", "Burr memory", persists=False),
    Peer("dbos", "DBOS", persists=True),
    Peer("pydantic_graph", "pydantic-graph memory", persists=False),
)


def run(module: str, *words: object) -> dict[str, Any]:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=300)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def bare(path: Path, durability: Durability, source: Path, pause: float = 0.0) -> dict[str, Any]:
    """Insert the rows that a run of ours has left in `source` into a file of the same shape; commit every second row.

    A step of ours makes two: it has finished, and the next one starts. `pause`: seconds of work between two commits,
    which are not counted: a disk may answer later if it is not asked at once again.
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
    before, worked = time.perf_counter(), time.process_time()
    for n in range(0, len(rows), 2):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(insert, rows[n : n + 2])
        connection.execute("COMMIT")
        ready = time.perf_counter() + pause
        while time.perf_counter() < ready:
            pass
    paused = pause * len(range(0, len(rows), 2))
    taken = {"seconds": time.perf_counter() - before - paused, "cpu": time.process_time() - worked - paused}
    connection.close()
    return taken


def compare(case: str, rounds: int) -> dict[str, Any]:
    """Run a case in every way, in turn."""
    size = SIZES[case]
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="graphrt-bench-") as name:
            folder = Path(name)
            ours = folder / "power.db"
            ways: dict[str, Callable[[], dict[str, Any]]] = {
                "graphrt power": partial(run, "cases", case, size, "power", ours),
                "bare power": partial(bare, folder / "bare1.db", "power", ours),
                "graphrt process": partial(run, "cases", case, size, "process", folder / "process.db"),
                "bare process": partial(bare, folder / "bare2.db", "process", ours),
                "graphrt memory": partial(run, "cases", case, size, "memory", "-"),
            }
            if case != "fanout":
                ways["bare power, paced"] = lambda ours=ours, folder=folder: bare(  # type: ignore[misc]
                    folder / "bare3.db", "power", ours, found["graphrt memory"][-1]["seconds"] / size
                )
            for n, peer in enumerate(PEERS):
                if peer.there:
                    ways[peer.name] = partial(peer.measure, case, folder / f"peer{n}.db")
            for way, measure in ways.items():
                found.setdefault(way, []).append(measure())
    return {
        "case": case,
        "steps": size,
        "seconds": {way: statistics.median(each["seconds"] for each in rows) for way, rows in found.items()},
        "lowest": {way: min(each["seconds"] for each in rows) for way, rows in found.items()},
        "cpu": {way: statistics.median(each["cpu"] for each in rows) for way, rows in found.items()},
        "bytes": {way: rows[-1]["bytes"] for way, rows in found.items() if rows[-1].get("bytes")},
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
    heavy = subprocess.run(
        [sys.executable, "-c", f"import sys, graphrt; print(*sorted({HEAVY!r} & sys.modules.keys()))"],
        cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60, text=True,
    ).stdout.split()  # fmt: skip
    median = {way: statistics.median(each[1:]) for way, each in seconds.items()}
    return {"case": "import", "seconds": median, "heavy": heavy}


def growing(rounds: int) -> dict[str, Any]:
    """Measure a step's cost in short and in long runs."""
    return {"case": "growth", "seconds": {}, "points": growth.measure(growth.SIZES[:-1], rounds)}


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
            Budget("packages too many with import graphrt", len(found["heavy"]), 0, ""),
        ]
    if case == "growth":
        return [
            Budget(f"{name}: {what} a step, longest run / shortest", ratio, most, "x")
            for name, what, ratio, most in growth.ratios(found["points"])
        ]
    sync, none = seconds.get(SYNC.name), seconds.get(NONE.name)
    power, process = seconds["graphrt power"], seconds["graphrt process"]
    promised: list[tuple[str, float | None, float, float, str]]
    if case == "chain":
        promised = [
            ("power / LangGraph sync", sync, power, 0.25, "x"),
            ("power / bare loop", seconds["bare power"], power, 1.5, "x"),
            ("process / LangGraph without checkpointer", none, process, 0.5, "x"),
            ("process, a step", found["steps"] / 1e6, process, 100, "us"),
        ]
    elif case == "fanout":
        promised = [
            ("power / LangGraph without checkpointer", none, power, 1, "x"),
            ("power, a step", found["steps"] / 1e6, power, 50, "us"),
        ]
    else:
        promised = [("power / LangGraph sync", sync, power, 0.25, "x")]
    held = [
        Budget(f"{case}: {what}", ours / theirs, most, unit) for what, theirs, ours, most, unit in promised if theirs
    ]
    return [*held, Budget(f"{case}: file", found["bytes"]["graphrt power"] / 1e6, BYTES[case] / 1e6, "MB")]


def show(found: dict[str, Any], held: list[Budget]) -> None:
    """Write a case and its budgets to stderr."""
    lines = []
    if found["case"] in SIZES:
        seconds = found["seconds"]
        title = f"{found['case']} of {found['steps']}"
        lines.append(f"\n{title:<24}  median  lowest     CPU  / ours  / bare      file")
        for way, taken in seconds.items():
            times = (taken, found["lowest"][way], found["cpu"][way])
            ratios = (taken / seconds["graphrt power"], taken / seconds["bare power"])
            size = f"{found['bytes'][way] / 1e6:7.2f} MB" if way in found["bytes"] else ""
            cells = [*(f"{each * 1e3:5.0f} ms" for each in times), *(f"{each:6.2f}x" for each in ratios), size]
            lines.append(f"  {way:<22}{' '.join(cells)}")
    elif found["case"] == "growth":
        lines += ["", *growth.table(found["points"])]
    else:
        lines.append(f"\n{found['case']}: {json.dumps(found)}")
    print("\n".join([*lines, *map(str, held)]), file=sys.stderr, flush=True)


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
    if missing := sorted({peer.package for peer in PEERS if not peer.there}):
        print(f"left out, not installed: {', '.join(missing)}; `uv run --group bench` brings them", file=sys.stderr)
    measures = {"resume": resume, "width": width, "import": imports, "growth": growing}
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
