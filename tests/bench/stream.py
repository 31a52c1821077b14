"""What a streamed token costs, beside reading the bytes alone and beside the providers' own SDKs.

    uv run --group bench python -m tests.bench.stream [--tokens 2000] [--rounds 7] [--cases chat_completions,crowd]

Cases: chat_completions, responses, messages, generate_content, chat_v2, converse, ollama_chat; crowd: 200 streams at
once, whose tokens arrive one by one.

The server is a process of its own, on the loopback, and has made its answers beforehand. In this process the ways to
read them take turns; a first round warms up. Times are for each token: on the clock, in which the server's work may
hide, and of this process's CPU. The table goes to stderr, with each budget and whether it is met; `--json` puts every
number on stdout. Nothing is asserted but that every way has read every token. A peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.budget import Budget
from tests.bench.spoken import SPOKEN
from tests.bench.stream_server import Cut
from tests.bench.timer import Timer
from tests.bench.ways import OURS, PEERS, RAW, Ask, Way, ways

ROOT = Path(__file__).resolve().parents[2]
CROWD = "crowd"
CASES = (*SPOKEN, CROWD)
STREAMS = 200
CROWD_TOKENS = 50
CUTS: tuple[Cut, ...] = ("each", "glued")
Run = Callable[[Ask], Coroutine[Any, Any, int]]
"""Lets a way ask, once or often, and returns how many tokens it has read."""
MOST = 50.0
"""Microseconds that we may cost for each token over reading its bytes."""


@contextmanager
def server(tokens: int) -> Iterator[str]:
    """Serve answers of so many tokens, at the address that this yields."""
    command = [sys.executable, "-m", "tests.bench.stream_server", str(tokens)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


async def taking_turns(address: str, found: list[Way], rounds: int, run: Run) -> dict[str, dict[str, list[float]]]:
    """Let each way run once a round; return its microseconds a token, on the clock and of CPU."""
    took: dict[str, dict[str, list[float]]] = {way.name: {"wall": [], "cpu": []} for way in found}
    async with AsyncExitStack() as stack:
        asks = {way.name: await stack.enter_async_context(way.open(address)) for way in found}
        for n in range(rounds + 1):
            for name, ask in asks.items():
                timer = Timer()
                told = await run(ask)
                taken = timer.read()
                if n:
                    took[name]["wall"].append(taken["seconds"] / told * 1e6)
                    took[name]["cpu"].append(taken["cpu"] / told * 1e6)
    return took


def one(tokens: int) -> Run:
    """Ask once, and see that every token came."""

    async def run(ask: Ask) -> int:
        told = await ask()
        assert told == tokens, f"{told} tokens of {tokens}"
        return told

    return run


def many(streams: int, tokens: int) -> Run:
    """Ask many times at once."""

    async def run(ask: Ask) -> int:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(one(tokens)(ask)) for _ in range(streams)]
        return sum(each.result() for each in asked)

    return run


def numbers(case: str, cut: Cut, took: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    """Sum the rounds up."""
    return {
        "case": case,
        "cut": cut,
        **{
            f"{of}_{what}": {name: pick(each[of]) for name, each in took.items()}
            for of in ("wall", "cpu")
            for what, pick in (("median", statistics.median), ("lowest", min))
        },
    }


def measure(case: str, tokens: int, rounds: int) -> list[dict[str, Any]]:
    """Measure a case in each cut that it has."""
    if case != CROWD:
        present = [way for way in ways(case, tokens) if way.there]
        with server(tokens) as address:
            return [
                numbers(case, cut, asyncio.run(taking_turns(f"{address}/{cut}", present, rounds, one(tokens))))
                for cut in CUTS
            ]
    tokens = min(tokens, CROWD_TOKENS)
    found = []
    with server(tokens) as address:
        for dialect in PEERS:
            present = [way for way in ways(dialect, tokens) if way.there and (way.package or way.name in {RAW, OURS})]
            took = taking_turns(f"{address}/paced", present, min(rounds, 3), many(STREAMS, tokens))
            found.append(numbers(f"{CROWD} of {dialect}", "paced", asyncio.run(took)))
    return found


def budgets(found: dict[str, Any]) -> list[Budget]:
    """Hold a case against its budgets: CPU by the median, and the clock, which whoever else works here moves, by the
    lowest. A crowd takes as long on the clock as its server wants to."""
    held = []
    peers = [way.name for dialect in PEERS for way in ways(dialect, 1) if way.package]
    for of in ("cpu_median",) if found["cut"] == "paced" else ("wall_lowest", "cpu_median"):
        took = found[of]
        label = f"{found['case']}, {found['cut']}, {of.partition('_')[0]}"
        held.append(Budget(f"{label}: ours - bytes alone", took[OURS] - took[RAW], MOST, "us"))
        held += [Budget(f"{label}: ours / {name}", took[OURS] / took[name], 1, "x") for name in took if name in peers]
    return held


def show(found: dict[str, Any], held: list[Budget]) -> None:
    """Write a case and its budgets to stderr."""
    title = f"{found['case']}, {found['cut']}"
    lines = [f"\n{title:<34}    wall  lowest     CPU  lowest  - bytes  CPU / ours"]
    cpu = found["cpu_median"]
    for name in cpu:
        times = [found[of][name] for of in ("wall_median", "wall_lowest", "cpu_median", "cpu_lowest")]
        cells = [
            *(f"{each:5.1f} us" for each in times),
            f"{cpu[name] - cpu[RAW]:5.1f} us",
            f"{cpu[name] / cpu[OURS]:8.2f}x",
        ]
        lines.append(f"  {name:<32}{' '.join(cells)}")
    print("\n".join([*lines, *map(str, held)]), file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.stream", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--json", action="store_true", help="put every number on stdout")
    parser.add_argument("--tokens", type=int, default=2000, help="in an answer")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    options = parser.parse_args()
    chosen = options.cases.split(",")
    if unknown := set(chosen) - set(CASES):
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    packages = {way.package: way.there for dialect in SPOKEN for way in ways(dialect, 1) if way.package}
    if missing := sorted(name for name, there in packages.items() if not there):
        print(f"left out, not installed: {', '.join(missing)}; `uv run --group bench` brings them", file=sys.stderr)
    versions = {
        name: importlib.metadata.version(name) for name in ("httpx", "pydantic", *packages) if packages.get(name, True)
    }
    print(", ".join(f"{name} {version}" for name, version in versions.items()), file=sys.stderr)
    report = []
    for case in chosen:
        for found in measure(case, options.tokens, options.rounds):
            held = budgets(found)
            show(found, held)
            report.append({**found, "budgets": [{**asdict(each), "met": each.met} for each in held]})
    if options.json:
        where = {"python": platform.python_version(), "machine": platform.machine(), **versions}
        print(
            json.dumps({"where": where, "tokens": options.tokens, "rounds": options.rounds, "cases": report}, indent=1)
        )


if __name__ == "__main__":
    main()
