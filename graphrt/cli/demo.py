"""`demo`: an agent is killed with -9 in the middle of its work, and goes on where it was."""

from __future__ import annotations

import argparse
import csv
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import anyio

from graphrt import draw
from graphrt.cli.exits import CONFIGURATION, FAILED, OK
from graphrt.cli.screen import print_json
from graphrt.errors import RunNotFound, StoreError, UsageError
from graphrt.facts import Entry, RunFinished, StepFinished, StepStarted
from graphrt.runtime import Runtime
from graphrt.types import RunId
from graphrt.view.live import watch
from graphrt.view.terminal import note

RUN = RunId("demo")
TARGET = "graphrt.demo.agent:inbox"
MODELS = {"small": "llama_cpp:tiny"}
KILL_AFTER = 45
"""Finished steps before the worker is killed: about half of them."""
PATIENCE = 120.0
"""Seconds to wait for the worker to get there."""
TRIES = 3
"""How often a worker is started, where it finishes before it can be killed."""


class NoDemo(Exception):
    """The demo could not be shown on this machine; the message says why."""


def demo(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Run the demo."""
    from graphrt.backends.llama import installed

    missing = [name for name in ("llguidance", "numpy") if find_spec(name) is None]
    missing = missing if installed() else ["llama_cpp", *missing]
    if missing:
        note(
            f"graphrt: the demo runs a model in this process, and {', '.join(missing)} cannot be imported; install:\n"
            "  pip install 'graphrt[llama]'            (compiles llama.cpp once, about 5 minutes on 2 cores)\n"
            "  pip install 'graphrt[llama-prebuilt]'   (compiles nothing; slower)"
        )
        return CONFIGURATION
    folder = Path(arguments.folder).resolve()
    try:
        store, orders = prepare(folder)
        return anyio.run(_demo, _Stage(folder, store, orders), arguments.json, arguments.quiet)
    except NoDemo as error:
        note(f"graphrt: {error}")
        return FAILED


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where the demo is played."""

    folder: Path
    store: Path
    orders: Path

    @property
    def log(self) -> Path:
        """What the worker writes."""
        return self.folder / "worker.log"


async def _demo(stage: _Stage, as_json: bool, quiet: bool) -> int:
    from graphrt.demo import agent

    def say(line: str = "") -> None:
        note(line, quiet=quiet)

    letters = Path(agent.__file__).parent / "inbox"
    count = len(list(letters.glob("*.txt")))
    say(f"An agent answers {count} letters. Its model has 4.9 million parameters and runs in this process.")
    say("Its graph:\n")
    say(draw.text(agent.inbox))

    say(f"1. A worker starts, and is killed with -9 after {KILL_AFTER} finished steps.")
    before = await _killed(stage, letters, say)
    done = _finished(before)
    begun = {entry.fact.step for entry in before if isinstance(entry.fact, StepStarted)}
    flying = sorted(begun - done)
    say(f"   killed. The journal holds {len(done)} finished steps; in flight were {len(flying)}:")
    say("".join(f"     {step}\n" for step in flying))

    say("2. Another process takes the run up where its journal ends.")
    async with Runtime(stage.store, models=MODELS, concurrency=4) as runtime:
        prospect = await runtime.prospect(RUN, agent.inbox)
        say(f"   re-executes {len(prospect.again)}, reuses {prospect.reused}")
        run = await runtime.resume(RUN, agent.inbox)
        async with nullcontext() if quiet else watch(run):
            after = [entry async for entry in run.events(after=len(before))]
            result = await run.result()

    again = [entry.fact.step for entry in after if isinstance(entry.fact, StepStarted) and entry.fact.step in done]
    looked_up = _lookups(stage.orders)
    twice = [step for step, count in looked_up.items() if count > 1 and step in done]
    say("\n3. What was done twice?")
    say(f"   finished steps that ran again: {len(again)} of {len(done)}   (by the journal)")
    say(f"   lookups of a finished step made twice: {len(twice)} of {len(looked_up)}   (by a table outside the store)")
    report = stage.folder / "report.md"
    report.write_text(result, encoding="utf-8")
    say(f"\nThe report is in {report}; look around with:")
    say(f"   graphrt show demo --store {stage.store} --timeline")
    say(f"   sqlite-utils rows {stage.store} steps --limit 5\n")
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


def prepare(folder: Path) -> tuple[Path, Path]:
    """Lay out a fresh store and the table of orders. Only the demo's own files are replaced."""
    from graphrt.demo import agent

    store, orders = folder / "runs.db", folder / "orders.db"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (store, orders):
            for suffix in ("", "-wal", "-shm", "-journal"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
        table = sqlite3.connect(orders)
    except (OSError, sqlite3.OperationalError) as error:
        raise UsageError(f"--folder {folder} cannot be worked in: {error}") from None
    with table, (Path(agent.__file__).parent / "orders.csv").open(encoding="utf-8", newline="") as rows:
        table.execute("CREATE TABLE orders (order_id INTEGER PRIMARY KEY, status TEXT NOT NULL)")
        table.execute("CREATE TABLE lookups (step TEXT NOT NULL, order_id INTEGER NOT NULL)")
        table.executemany("INSERT INTO orders VALUES (:order_id, :status)", list(csv.DictReader(rows)))
    table.close()
    return store, orders


async def _killed(stage: _Stage, letters: Path, say: Callable[[str], None]) -> list[Entry]:
    """Start the agent in a process of its own, kill it in the middle, and return what its journal holds.

    How far it is when the signal arrives is the machine's business: a worker that was through by then is started again.
    Raises NoDemo.
    """
    for left in reversed(range(TRIES)):
        code = await _start_and_kill(stage, letters)
        entries = await _recorded(stage.store)
        if code == -signal.SIGKILL:
            if not entries:
                raise NoDemo(f"the worker recorded nothing within {PATIENCE:g} s; its words are in {stage.log}")
            if not any(isinstance(entry.fact, RunFinished) for entry in entries):
                return entries
        elif code != 0:
            words = "\n".join(stage.log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
            raise NoDemo(f"the worker failed with exit code {code}:\n{words}")
        if left:
            say("   it was through before the signal reached it; once more")
            prepare(stage.folder)
    raise NoDemo(f"the worker finished {TRIES} times before it could be killed")


async def _start_and_kill(stage: _Stage, letters: Path) -> int:
    """Start a worker, kill it once its journal holds enough, and return the code it ended with."""
    command = [sys.executable, "-m", "graphrt", "run", TARGET, "--run-id", RUN, "--store", str(stage.store)]
    command += ["--quiet", "--concurrency", "4", f"--folder={letters}", f"--orders={stage.orders}"]
    command += [f"--model={role}={uri}" for role, uri in MODELS.items()]
    with stage.log.open("wb") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log, cwd=stage.folder)  # noqa: ASYNC220, S603 - our own
    try:
        deadline = time.monotonic() + PATIENCE
        while worker.poll() is None and time.monotonic() < deadline:
            if len(_finished(await _recorded(stage.store))) >= KILL_AFTER:
                break
            await anyio.sleep(0.005)
    finally:
        worker.kill()  # does nothing to one that has ended
        code = worker.wait()
    return code


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
