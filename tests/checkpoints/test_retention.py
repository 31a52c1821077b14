"""What is removed, what never is, and what an interruption leaves (D1, D5, D9)."""

# ruff: noqa: ASYNC221, ASYNC240 - the tests look at real files and processes; nothing else waits for the loop

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrt import failpoints, lease
from graphrt.checkpoints import Kept, SqliteJournal, measure, open_journal, prune, retention
from graphrt.checkpoints.retention import Criteria, Standing, choose
from graphrt.errors import RunNotFound, StaleFence, StoreReadOnly, UsageError
from graphrt.facts import (
    Fact,
    Failure,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunForked,
    RunResumed,
    RunSuspended,
    Span,
)
from graphrt.journal import Claim, Message
from graphrt.types import RunId, StepKey
from tests.checkpoints.helpers import START, begin, facts, finished, info, rows, started

pytestmark = pytest.mark.anyio

LONG_AGO = 1_700_000_000.25  # when the helpers' runs begin


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
async def journal(path: Path, anyio_backend: str) -> AsyncIterator[SqliteJournal]:
    found = await open_journal(path, durability="process")
    yield found
    await found.aclose()


async def ended(
    journal: SqliteJournal,
    name: str,
    at: float = LONG_AGO + 1,
    *,
    values: Sequence[bytes] = (),
    last: Fact | None = None,
) -> RunId:
    run = await begin(journal, name, [finished(f"s{n}", value) for n, value in enumerate(values)])
    await journal.append(run, 1 + len(values), [last or RunFinished(b"1")], at=at)
    return run


async def fork(journal: SqliteJournal, name: str, sources: Sequence[str], *, over: bool) -> None:
    first = RunForked(sources[0], "", "demo", "f" * 16, b"{}", 7, tuple(Span(source, 1, 1) for source in sources))
    last: list[Fact] = [RunFinished(b"1")] if over else []
    await journal.create(replace(info(name), parent=RunId(sources[0])), [first, *last], at=LONG_AGO)


async def left(journal: SqliteJournal) -> set[str]:
    return {found.id for found in await journal.runs(limit=1000)}


def big(word: str) -> bytes:
    return json.dumps([word * 9] * 1000).encode()


async def test_what_ended_long_ago_goes_and_everything_else_stays(journal: SqliteJournal, path: Path) -> None:
    """Retention is for what is over: a run that waits or runs is never touched, however old (D1)."""
    failed = RunFailed(StepKey("a"), 1, Failure("E", "no"))
    for name, last in (("finished", None), ("failed", failed), ("cancelled", RunCancelled())):
        await ended(journal, name, last=last)
    await ended(journal, "young", at=LONG_AGO + 100)
    await begin(journal, "running")
    await ended(journal, "suspended", last=RunSuspended())
    resumed = await ended(journal, "driven", last=failed)
    me = lease.begin()
    await journal.claim(resumed, Claim(me, time.time() + 60), at=time.time())
    done = await prune(journal, before=LONG_AGO + 50)
    lease.end(me)

    assert [(gone.run, gone.status, gone.entries) for gone in done.removed] == [
        ("finished", "finished", 2),
        ("failed", "failed", 2),
        ("cancelled", "cancelled", 2),
    ]
    assert await left(journal) == {"young", "running", "suspended", "driven"}
    (kept,) = done.kept
    assert (kept.run, "driven by process" in kept.why) == ("driven", True)
    assert rows(path, "SELECT count(*) FROM facts") == [(7,)]
    with pytest.raises(RunNotFound):
        await journal.read(RunId("finished"))


async def test_only_what_was_named_goes(journal: SqliteJournal) -> None:
    """Statuses and the newest few are the caller's to choose."""
    for n in range(5):
        await ended(journal, f"finished {n}", at=LONG_AGO + n)
    await ended(journal, "failed", last=RunFailed(StepKey("a"), 1, Failure("E", "no")))
    done = await prune(journal, before=time.time(), statuses=["finished"], keep=2)

    assert [gone.run for gone in done.removed] == ["finished 0", "finished 1", "finished 2"]
    assert done.kept == tuple(Kept(f"finished {n}", "it is among the newest 2") for n in (3, 4))
    assert await left(journal) == {"finished 3", "finished 4", "failed"}


async def test_a_fork_that_stays_keeps_what_it_shares(journal: SqliteJournal) -> None:
    """An entry that a fork shares is not removed under it, and the caller hears whose fault that is (D9)."""
    for name in ("root", "middle", "free"):
        await ended(journal, name)
    await fork(journal, "fork", ["root"], over=True)
    await fork(journal, "fork of the fork", ["root", "fork", "middle"], over=False)
    done = await prune(journal, before=time.time())

    assert [gone.run for gone in done.removed] == ["free"]
    assert {kept.run: kept.why for kept in done.kept} == dict.fromkeys(
        ["root", "middle", "fork"], "its fork fork of the fork shares its entries"
    )
    await journal.append(RunId("fork of the fork"), 1, [RunCancelled()], at=LONG_AGO)
    done = await prune(journal, before=time.time())
    assert {gone.run for gone in done.removed} == {"root", "middle", "fork", "fork of the fork"}
    assert await left(journal) == set()


async def test_a_chain_of_forks_stays_whole(journal: SqliteJournal) -> None:
    """A run that stays only for its fork's sake keeps its own sources too (D9)."""
    await ended(journal, "root")
    await fork(journal, "old fork", ["root"], over=True)
    await fork(journal, "young fork", ["old fork"], over=False)
    done = await prune(journal, before=time.time())

    assert done.removed == ()
    assert await left(journal) == {"root", "old fork", "young fork"}


async def test_a_large_value_goes_with_its_last_user(journal: SqliteJournal, path: Path) -> None:
    """Stored once, used by many: it is removed when nobody is left who uses it (D5)."""
    await ended(journal, "one", values=[big("a"), big("b")])
    await ended(journal, "two", values=[big("b"), big("c")])
    running = await begin(journal, "running", [finished("s", big("c"))])
    found = await measure(journal)
    assert [(run.run, run.blobs, run.shared) for run in found.runs] == [
        ("one", len(big("a")), len(big("b"))),
        ("two", 0, len(big("b")) + len(big("c"))),
        ("running", 0, len(big("c"))),
    ]
    done = await prune(journal, before=LONG_AGO + 50)

    assert rows(path, "SELECT text FROM blobs") == [(big("c").decode(),)]
    assert done.bytes > len(big("a")) + len(big("b"))
    assert await facts(journal, "running") == [START, finished("s", big("c"))]
    await journal.append(running, 2, [finished("again", big("a"))], at=LONG_AGO)
    assert (await facts(journal, "running"))[-1] == finished("again", big("a"))


async def test_a_dry_run_says_the_same_and_changes_nothing(journal: SqliteJournal, path: Path) -> None:
    """It may be asked of a file that cannot be written."""
    for n in range(3):
        await ended(journal, f"run {n}", values=[big(f"{n}"), b"1"])
    await journal.aclose()
    before = path.read_bytes()
    looking = await open_journal(path, read_only=True)
    said = await prune(looking, before=time.time(), keep=1, dry=True)
    with pytest.raises(StoreReadOnly):
        await prune(looking, before=time.time(), keep=1)
    await looking.aclose()
    assert path.read_bytes() == before

    journal = await open_journal(path)
    done = await prune(journal, before=time.time(), keep=1)
    assert replace(said, dry=False) == done
    assert {gone.run for gone in done.removed} == {"run 0", "run 1"}
    await journal.aclose()


@pytest.mark.parametrize("asked", [{"statuses": ["running"]}, {"statuses": ["finished", "suspended"]}, {"keep": -1}])
async def test_what_cannot_be_meant_is_refused(journal: SqliteJournal, asked: dict[str, object]) -> None:
    """Nobody removes a run that has not ended by a slip of the pen."""
    await begin(journal)

    with pytest.raises(UsageError):
        await prune(journal, before=time.time(), **asked)  # type: ignore[arg-type]
    assert await left(journal) == {"one"}


async def test_messages_snapshots_and_leases_go_with_their_run(journal: SqliteJournal, path: Path) -> None:
    """Nothing is left of a run but the number that nobody else gets (D7)."""
    for name in ("old", "older"):
        await journal.create(info(name), [START], at=LONG_AGO, claim=Claim("here", 5.0), snapshot=b"{}")
        await journal.send(Message(f"to {name}", RunId(name), "signal"))
        await journal.send(Message(f"late to {name}", RunId(name), "signal"))
        await journal.append(RunId(name), 1, [RunCancelled()], at=LONG_AGO, fence=1, taking=[f"to {name}"])
    await prune(journal, before=time.time())

    for table in ("runs", "facts", "snapshots", "messages", "forks", "blobs"):
        assert rows(path, f"SELECT count(*) FROM {table}") == [(0,)], table
    assert rows(path, "SELECT run, driver FROM leases") == [(2, None)]
    await begin(journal, "old")
    assert rows(path, "SELECT n FROM runs") == [(3,)]
    await ended(journal, "new")
    await prune(journal, before=time.time())
    assert rows(path, "SELECT run FROM leases ORDER BY run") == [(4,)]
    assert rows(path, "SELECT n FROM runs") == [(3,)]


async def test_a_driver_that_slept_through_the_removal_of_its_run_writes_nowhere(
    journal: SqliteJournal, path: Path
) -> None:
    """Its run was taken over, ended and removed; another one has its id by now (D7)."""
    sleeping = await open_journal(path)
    await sleeping.create(info(), [START], at=LONG_AGO, claim=Claim("sleeper", LONG_AGO + 1))
    await sleeping.append(RunId("one"), 1, [started("a")], at=LONG_AGO, fence=1)
    assert await journal.claim(RunId("one"), Claim("here", 1.0), at=LONG_AGO + 2) == 2
    await journal.append(RunId("one"), 2, [RunCancelled()], at=LONG_AGO, fence=2)
    await prune(journal, before=time.time())
    await journal.create(info(), [START, started("x")], at=LONG_AGO, claim=Claim("another", LONG_AGO + 1))

    for _ in range(2):
        with pytest.raises(StaleFence):
            await sleeping.append(RunId("one"), 2, [started("b")], at=LONG_AGO, fence=1)
    assert await facts(journal) == [START, started("x")]
    assert rows(path, "SELECT count(*) FROM facts") == [(2,)]
    assert await sleeping.claim(RunId("one"), Claim("sleeper", 1.0), at=LONG_AGO + 2) == 2
    await sleeping.append(RunId("one"), 2, [started("b")], at=LONG_AGO, fence=2)
    assert await facts(journal) == [START, started("x"), started("b")]
    await sleeping.aclose()


async def test_an_id_can_be_used_again(journal: SqliteJournal) -> None:
    """What is remembered of the run that had it is not taken for the new one's (D5)."""

    def state(n: int) -> bytes:
        return json.dumps(["m" * 50] * n).encode()

    failed = RunFailed(StepKey("a"), 1, Failure("E", "no"))
    run = await begin(journal, "one", [finished("s", state(40), "line"), failed])
    await journal.load(run)  # as somebody would who thinks of resuming it
    await prune(journal, before=time.time())
    new: list[Fact] = [START, finished("t", b"1", "other"), finished("s", state(41), "line")]
    await journal.create(info(), new, at=LONG_AGO)

    assert await facts(journal) == new


async def test_a_run_that_is_taken_up_meanwhile_stays(journal: SqliteJournal) -> None:
    """What was decided a moment ago is asked again in the transaction that removes (D7)."""
    failed = RunFailed(StepKey("a"), 1, Failure("E", "no"))
    for name in ("resumed", "claimed", "forked", "gone"):
        await ended(journal, name, last=failed)
    criteria = Criteria(time.time(), frozenset({"failed"}), 0, time.time())
    plan = await journal._read(retention._plan, criteria)
    assert len(plan.victims) == 4
    await journal.append(RunId("resumed"), 2, [RunResumed()], at=LONG_AGO + 9)
    me = lease.begin()
    await journal.claim(RunId("claimed"), Claim(me, time.time() + 60), at=time.time())
    await fork(journal, "fork", ["forked"], over=False)
    gone, kept = await journal._ask(None, partial(retention._remove, batch=plan.victims, criteria=criteria))
    lease.end(me)

    assert [one.run for one in gone] == ["gone"]
    assert {one.run: one.why for one in kept} == {
        "resumed": "it was taken up meanwhile",
        "claimed": "it was taken up meanwhile",
        "forked": "its fork fork shares its entries",
    }
    assert await left(journal) == {"resumed", "claimed", "forked", "fork"}


async def test_others_commit_while_it_goes_on(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing holds nobody up for longer than a thousand rows take (D12)."""
    monkeypatch.setattr(retention, "ROWS", 20)
    for n in range(4):
        await ended(journal, f"run {n}", values=[b"%d" % i for i in range(50)])
    running = await begin(journal, "running")
    heard: list[int] = []

    async def drive() -> None:
        for n in range(30):
            await journal.append(running, 1 + n, [started(f"s{n}")], at=LONG_AGO)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drive)
        await prune(journal, before=LONG_AGO + 50, said=heard.append)

    assert heard == [*range(20, 208, 20), 208]
    assert await left(journal) == {"running"}
    assert (await journal.info(running)).seq == 31


async def stored(path: Path) -> dict[str, list[Fact]]:
    journal = await open_journal(path, read_only=True)
    try:
        return {name: await facts(journal, name) for name in await left(journal)}
    finally:
        await journal.aclose()


class Stop(Exception):
    """Where a disk was lost."""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the store's own thread is the same on both
async def test_interrupted_anywhere_every_run_is_whole_or_gone(
    path: Path, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any commit and before it: nothing is half removed, and pruning again does the rest (D1, D2)."""
    monkeypatch.setattr(retention, "ROWS", 4)
    monkeypatch.setattr(retention, "RUNS", 2)
    journal = await open_journal(path, durability="process")
    for n in range(4):
        await ended(journal, f"run {n}", values=[b"1", big(f"{n % 3}"), b"2", b"3"])
    await begin(journal, "running", [finished("s", big("1"))])
    await journal.aclose()
    whole = await stored(path)
    template = path.with_name("template.db")
    shutil.copy(path, template)

    stop, broken = 0, True
    while broken:
        stop += 1
        shutil.copy(template, path)
        journal = await open_journal(path, durability="process")
        passed = 0

        def count(point: str, stop: int = stop) -> None:
            nonlocal passed
            if point in {"store: rows written", "store: committed"}:
                passed += 1
                if passed >= stop:
                    raise Stop

        with monkeypatch.context() as armed:
            armed.setattr(failpoints, "armed", count)
            try:
                await prune(journal, before=LONG_AGO + 50)
            except Stop:
                broken = True
            else:
                broken = False
        await journal.aclose()
        found = await stored(path)
        assert all(found[name] == whole[name] for name in found)
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]
        assert rows(path, "PRAGMA foreign_key_check") == []
        journal = await open_journal(path, durability="process")
        await prune(journal, before=LONG_AGO + 50)
        await journal.aclose()
        assert await stored(path) == {"running": whole["running"]}
        assert rows(path, "SELECT count(*) FROM facts") == [(2,)]
        assert rows(path, "SELECT count(*) FROM blobs") == [(1,)]
    assert stop > 12


CHILD = """
import os, signal, sys, time
import anyio
from graphrt import failpoints
from graphrt.checkpoints import open_journal, prune, retention

retention.ROWS = 10
left = int(sys.argv[2])

def kill(point):
    global left
    if point.startswith("store"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

async def main():
    journal = await open_journal(sys.argv[1])
    failpoints.armed = kill
    await prune(journal, before=time.time())

anyio.run(main)
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("after", [2, 8])
async def test_a_kill_in_the_middle_leaves_a_whole_store(path: Path, after: int, anyio_backend: str) -> None:
    """kill -9 while runs are removed: the file is whole, and the next pruning goes on where it was (D2)."""
    journal = await open_journal(path)
    for n in range(3):
        await ended(journal, f"run {n}", values=[big(f"{n}"), *(b"1" for _ in range(20))])
    await journal.aclose()
    root = Path(__file__).resolve().parents[2]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(after)], capture_output=True, text=True, cwd=root, check=False
    )

    assert child.returncode == -signal.SIGKILL, child.stderr
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    journal = await open_journal(path)
    was_left = (await measure(journal)).unused
    done = await prune(journal, before=time.time())
    assert (done.left_over, len(done.removed)) == ((3, 0) if after == 8 else (0, 3))
    assert await left(journal) == set()
    assert (was_left > 0) == bool(done.left_over)
    assert rows(path, "SELECT (SELECT count(*) FROM facts) + (SELECT count(*) FROM blobs)") == [(0,)]
    await journal.aclose()


standings = st.lists(
    st.tuples(
        st.sampled_from(["running", "suspended", "finished", "failed"]),
        st.integers(0, 9).map(float),
        st.sampled_from([None, None, "dead", "alive"]),
        st.integers(0, 9).map(float),
    ),
    max_size=8,
).map(
    lambda rows: [
        Standing(n, RunId(f"r{n}"), status, at, driver, until)  # type: ignore[arg-type]
        for n, (status, at, driver, until) in enumerate(rows, 1)
    ]
)
pairs = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), max_size=10)


@settings(max_examples=200, database=None)
@given(standings, pairs, st.integers(0, 9), st.integers(0, 3), st.integers(0, 9))
def test_what_is_chosen_is_over_old_undriven_and_shared_by_nobody_who_stays(
    runs: list[Standing], some: list[tuple[int, int]], before: int, keep: int, now: int
) -> None:
    """And everything else that is old enough is accounted for (D9)."""
    names = {run.n: run for run in runs}
    forks = {(fork, source) for fork, source in some if fork in names and source in names and source < fork}
    criteria = Criteria(float(before), frozenset({"finished", "failed"}), keep, float(now))
    victims, kept = choose(runs, sorted(forks), criteria, dead=lambda driver: driver == "dead")
    gone = {run.n for run in victims}

    for run in victims:
        assert run.status in criteria.statuses
        assert run.updated < before
        assert run.driver != "alive" or (run.until or 0.0) <= now
        assert {fork for fork, source in forks if source == run.n} <= gone
    candidates = {run.n for run in runs if run.status in criteria.statuses and run.updated < before}
    assert {run.run for run in victims} | {one.run for one in kept} == {names[n].run for n in candidates}
    assert len(victims) + len(kept) == len(candidates)
    assert [run.n for run in victims] == sorted(gone, reverse=True)
    if keep == 0 and not forks and not any(run.driver == "alive" for run in runs):
        assert gone == candidates
