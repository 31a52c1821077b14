"""Stores that earlier versions wrote, kept as they were: today's code reads them, and goes on with their runs (D13)."""

# ruff: noqa: ASYNC221, ASYNC240 - the tests look at real files and processes; nothing else waits for the loop

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from graphrt.checkpoints import open_journal
from graphrt.checkpoints.schema import VERSION
from graphrt.facts import Entry, StepFinished, StepStarted, SubstepFinished
from graphrt.history import counted
from graphrt.journal import Journal
from graphrt.types import RunId
from tests.checkpoints.golden.graphs import ran
from tests.checkpoints.golden.make import HERE, RECIPES, account, everything, runtime
from tests.checkpoints.helpers import rows

pytestmark = pytest.mark.anyio

FIRST_RELEASED = 2
FORMATS = sorted(int(file.stem[1:]) for file in HERE.glob("v*.sql"))
RECIPE = {recipe.run: recipe for recipe in RECIPES}
DAY = 24 * 3600.0


def restored(version: int, path: Path) -> Path:
    """Make the store of a format anew, as its version left it."""
    connection = sqlite3.connect(path)
    connection.executescript((HERE / f"v{version}.sql").read_text("utf-8"))
    connection.close()
    return path


def expected(version: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / f"v{version}.json").read_text("utf-8"))
    return found


async def said(journal: Journal) -> dict[str, Any]:
    """Give an account of every run, and see that its row and its entries say the same."""
    found: dict[str, Any] = {}
    for info in await journal.runs():
        found[info.id] = account(await everything(journal, info.id), await journal.inbox(info.id))
        assert (info.status, info.seq) == (found[info.id]["status"], found[info.id]["entries"])
    return found


def done_once(entries: Iterable[Entry]) -> set[str]:
    """Say which bodies must not run again: those of finished steps and substeps, and of effects that were announced."""
    done: set[str] = set()
    for entry in entries:
        match entry.fact:
            case StepFinished(step=step):
                done.add(step)
            case SubstepFinished(step=step, name=name):
                done.add(f"{step}/{name}")
            case StepStarted(step=step, intent=str()):
                done.add(step)
    return done


def test_there_is_a_store_of_every_released_format() -> None:
    """Whoever adds a format adds a golden store of it: `python -m tests.checkpoints.golden.make` (D13)."""
    assert list(range(FIRST_RELEASED, VERSION + 1)) == FORMATS
    assert all(sum(file.stat().st_size for file in HERE.glob(f"v{version}.*")) < 300_000 for version in FORMATS)


@pytest.mark.parametrize("version", FORMATS)
def test_a_golden_store_holds_every_way_of_keeping_a_value(version: int, tmp_path: Path) -> None:
    """Deltas, large values, snapshots, and each end a run can come to: else it would prove little."""
    path = restored(version, tmp_path / "runs.db")

    assert rows(path, "PRAGMA user_version") == [(version,)]
    assert rows(path, "SELECT count(*) > 50 FROM facts WHERE base IS NOT NULL") == [(1,)]
    assert rows(path, "SELECT count(*), max(length(text)) > 4096 FROM blobs") == [(1, 1)]
    assert rows(path, "SELECT count(*) > 1 FROM snapshots") == [(1,)]
    assert rows(path, "SELECT count(*) > 500 FROM facts WHERE run > 0 AND seq > 0") == [(1,)]
    assert {"running", "finished", "failed", "cancelled"} <= {run["status"] for run in expected(version).values()}


@pytest.mark.parametrize("version", FORMATS)
async def test_a_store_of_every_format_says_today_what_it_said_then(version: int, tmp_path: Path) -> None:
    """Every entry decodes, to the same values and in the same order; each run stands where it stood (D13)."""
    path = restored(version, tmp_path / "runs.db")
    then = expected(version)
    journal = await open_journal(path)

    assert await said(journal) == then
    for run in then:
        history = await journal.load(RunId(run))
        assert history.entries == (await everything(journal, run))[history.snapshot_seq :]
    await journal.aclose()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "PRAGMA foreign_key_check") == []
    assert rows(path, "PRAGMA user_version") == [(VERSION,)]


RESUMABLE = [(version, run) for version in FORMATS for run in expected(version) if RECIPE[run].ends_as]


@pytest.mark.parametrize(("version", "run"), RESUMABLE)
async def test_a_run_that_an_earlier_version_left_is_resumed(version: int, run: str, tmp_path: Path) -> None:
    """It goes on after its last finished step, and comes to what it would have come to then (D2, D13)."""
    then = expected(version)
    whole = then[RECIPE[run].ends_as]
    journal = await open_journal(restored(version, tmp_path / "runs.db"))
    before = await everything(journal, run)
    once = done_once(entry for _, entry in await counted(journal, RunId(run)))
    ran.clear()
    async with runtime(journal, after=DAY) as rt:
        await (await rt.resume(run, RECIPE[run].graph)).result()
    entries = await everything(journal, run)
    now = account(entries)
    await journal.aclose()

    assert entries[: len(before)] == before
    assert (now["status"], now["result"], now["values"]) == ("finished", whole["result"], whole["values"])
    assert ran
    assert once.isdisjoint(ran)
    finishes = [entry.fact.step for entry in entries if isinstance(entry.fact, StepFinished)]
    assert len(finishes) == len(set(finishes))


UPGRADE = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from graphrt.checkpoints import sqlite as store
import sqlite_utils

original, folder = Path(sys.argv[1]), Path(sys.argv[2])

class Mortal(sqlite3.Connection):
    made, last = 0, -1

    def execute(self, *args):
        if Mortal.made == Mortal.last:
            os.kill(os.getpid(), signal.SIGKILL)
        Mortal.made += 1
        return super().execute(*args)

connect = sqlite3.connect
sqlite3.connect = lambda *args, **kwargs: connect(*args, **kwargs, factory=Mortal)

def open_copy(number):
    copy = folder / f"{number}.db"
    if original.exists():
        shutil.copyfile(original, copy)
    store._connect(str(copy), "process").close()

open_copy("whole")
for last in range(0, Mortal.made, max(1, Mortal.made // int(sys.argv[3]))):
    child = os.fork()
    if child == 0:
        Mortal.made, Mortal.last = 0, last
        open_copy(last)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, last
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # each of the killed processes is without an event loop
@pytest.mark.parametrize("most", [9, pytest.param(1000, marks=pytest.mark.torture)])
@pytest.mark.parametrize("version", [0, *(version for version in FORMATS if version < VERSION)])
async def test_an_upgrade_that_is_killed_has_not_happened(
    version: int, most: int, tmp_path: Path, anyio_backend: str
) -> None:
    """kill -9 between the statements of opening and upgrading a store, an empty one too: it opens, all of it there
    (D13). The torture is killed between any two (D5 of the faults)."""
    original = tmp_path / "original"
    then: dict[str, Any] = {}
    if version:
        restored(version, original)
        then = expected(version)
    subprocess.run(
        [sys.executable, "-c", UPGRADE, str(original), str(tmp_path), str(most)],
        check=True,
        cwd=Path(__file__).parents[2],
    )
    killed = sorted(tmp_path.glob("[0-9]*.db"))

    assert len(killed) > 8
    for path in killed:
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]
        journal = await open_journal(path, durability="process")
        assert await said(journal) == then
        await journal.aclose()
        assert rows(path, "PRAGMA user_version") == [(VERSION,)]
