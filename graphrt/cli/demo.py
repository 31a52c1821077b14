"""`demo`: an agent is killed with -9 in the middle of its work, and goes on where it was."""

from __future__ import annotations

import argparse
import csv
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import anyio

from graphrt import draw
from graphrt.cli.exits import CONFIGURATION, FAILED, OK
from graphrt.cli.screen import Progress, note, print_json, short
from graphrt.errors import RunNotFound, StoreError
from graphrt.facts import Entry, StepFinished, StepStarted
from graphrt.runtime import Runtime
from graphrt.types import RunId

RUN = RunId("demo")
TARGET = "graphrt.demo.agent:inbox"
MODELS = {"small": "llama_cpp:tiny"}
KILL_AFTER = 45
"""Finished steps before the worker is killed: about half of them."""
PATIENCE = 120.0
"""Seconds to wait for the worker to get there."""


def demo(arguments: argparse.Namespace, rest: Sequence[str]) -> int:  # noqa: ARG001 - every command has this shape
    """Run the demo."""
    if find_spec("llama_cpp") is None:
        note(
            "graphrt: the demo runs a model in this process and needs llama-cpp-python:\n"
            "  pip install 'graphrt[llama]'   (compiles llama.cpp once, about 5 minutes on 2 cores)"
        )
        return CONFIGURATION
    folder = Path(arguments.folder).resolve()
    return anyio.run(_demo, folder, arguments.json, arguments.quiet)


async def _demo(folder: Path, as_json: bool, quiet: bool) -> int:  # noqa: FBT001 - called once, above
    from graphrt.demo import agent

    def say(line: str = "") -> None:
        note(line, quiet=quiet)

    store, orders = _prepare(folder)
    letters = Path(agent.__file__).parent / "inbox"
    say(f"An agent answers {len(list(letters.glob('*.txt')))} letters. Its model has 1.2 million parameters and runs in this process.")
    say("Its graph:\n")
    say(draw.text(agent.inbox))

    say(f"1. A worker starts, and is killed with -9 after {KILL_AFTER} finished steps.")
    before = await _start_and_kill(store, folder, letters, orders)
    done = _finished(before)
    begun = {entry.fact.step for entry in before if isinstance(entry.fact, StepStarted)}
    flying = sorted(begun - done)
    say(f"   killed. The journal holds {len(done)} finished steps; {len(flying)} were in flight: {short(', '.join(flying), 80)}")

    say("\n2. Another process takes the run up where its journal ends.")
    async with Runtime(store, models=MODELS, concurrency=4) as runtime:
        prospect = await runtime.prospect(RUN, agent.inbox)
        say(f"   re-executes {len(prospect.again)}, reuses {prospect.reused}")
        run = await runtime.resume(RUN, agent.inbox)
        progress = Progress(quiet=quiet)
        after: list[Entry] = []
        async for entry in run.events(after=len(before)):
            after.append(entry)
            progress.show(entry)
        result = await run.result()

    again = [entry.fact.step for entry in after if isinstance(entry.fact, StepStarted) and entry.fact.step in done]
    looked_up = _lookups(orders)
    twice = [step for step, count in looked_up.items() if count > 1 and step in done]
    say("\n3. What was done twice?")
    say(f"   finished steps that ran again: {len(again)} of {len(done)}   (by the journal)")
    say(f"   lookups of a finished step made twice: {len(twice)} of {len(looked_up)}   (by a table outside the store)")
    (folder / "report.md").write_text(result, encoding="utf-8")
    say(f"\nThe report is in {folder / 'report.md'}; look around with:")
    say(f"   graphrt show demo --store {os.path.relpath(store)}")
    say(f"   sqlite-utils rows {os.path.relpath(store)} steps --limit 5\n")
    if as_json:
        print_json(
            {
                "run": RUN,
                "finished_before_kill": len(done),
                "in_flight_at_kill": flying,
                "finished_steps_run_again": again,
                "finished_lookups_made_twice": twice,
                "report": result,
            }
        )
    else:
        sys.stdout.write(result)
    return FAILED if again or twice else OK


def _prepare(folder: Path) -> tuple[Path, Path]:
    """Lay out a fresh store and the table of orders. Only the demo's own files are replaced."""
    from graphrt.demo import agent

    folder.mkdir(parents=True, exist_ok=True)
    store, orders = folder / "runs.db", folder / "orders.db"
    for path in (store, orders):
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    table = sqlite3.connect(orders)
    with table, (Path(agent.__file__).parent / "orders.csv").open(encoding="utf-8", newline="") as rows:
        table.execute("CREATE TABLE orders (order_id INTEGER PRIMARY KEY, status TEXT NOT NULL)")
        table.execute("CREATE TABLE lookups (step TEXT NOT NULL, order_id INTEGER NOT NULL)")
        table.executemany("INSERT INTO orders VALUES (:order_id, :status)", list(csv.DictReader(rows)))
    table.close()
    return store, orders


async def _start_and_kill(store: Path, folder: Path, letters: Path, orders: Path) -> list[Entry]:
    """Start the agent in a process of its own, kill it in the middle, and return what its journal holds."""
    command = [sys.executable, "-m", "graphrt", "run", TARGET, "--run-id", RUN, "--store", str(store), "--quiet", "--concurrency", "4"]
    command += [f"--model={role}={uri}" for role, uri in MODELS.items()]
    command += [f"--folder={letters}", f"--orders={orders}"]
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)  # noqa: ASYNC220, S603 - our own command
    try:
        deadline = time.monotonic() + PATIENCE
        while worker.poll() is None and time.monotonic() < deadline:
            if len(_finished(await _recorded(store))) >= KILL_AFTER:
                break
            await anyio.sleep(0.005)
        if worker.poll() is not None:
            raise RuntimeError(f"the worker ended by itself with code {worker.returncode}; see {folder / 'worker.log'}")
        worker.send_signal(signal.SIGKILL)
    finally:
        worker.kill()
        worker.wait()
    return await _recorded(store)


async def _recorded(store: Path) -> list[Entry]:
    """Read what the journal holds; nothing while the worker has not begun to write it."""
    from graphrt.checkpoints import SqliteJournal

    try:
        journal = await SqliteJournal.open(store, read_only=True)
    except StoreError:
        return []
    try:
        return await journal.read(RUN, limit=100_000)
    except RunNotFound:
        return []
    finally:
        await journal.aclose()


def _finished(entries: Sequence[Entry]) -> set[str]:
    return {entry.fact.step for entry in entries if isinstance(entry.fact, StepFinished)}


def _lookups(orders: Path) -> Counter[str]:
    table = sqlite3.connect(orders)
    try:
        return Counter(step for (step,) in table.execute("SELECT step FROM lookups"))
    finally:
        table.close()
