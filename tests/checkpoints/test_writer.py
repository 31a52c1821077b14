"""Group commit: many callers, one fsync, and nobody's failure is another's (D1, D12)."""

# ruff: noqa: ASYNC240 (a test may wait for its own disk)
from __future__ import annotations

import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from anyio.abc import TaskGroup

from graphrt import failpoints
from graphrt.checkpoints import SqliteJournal, open_journal
from graphrt.checkpoints.sqlite import ROOM
from graphrt.checkpoints.writer import STREAK
from graphrt.errors import JournalConflict, RunExists, StaleFence, StoreFull
from graphrt.facts import Fact
from graphrt.journal import Claim
from graphrt.types import Durability, RunId
from tests.checkpoints.helpers import START, begin, facts, finished, info, opened, rows, started

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
async def journal(path: Path, anyio_backend: str) -> AsyncIterator[SqliteJournal]:
    found = await open_journal(path)
    yield found
    await found.aclose()


def held(journal: SqliteJournal) -> threading.Lock:
    """The lock under which commits are made: holding it is a disk that takes its time."""
    assert journal._writer is not None
    return journal._writer._committing


@asynccontextmanager
async def stalled(journal: SqliteJournal, tasks: TaskGroup) -> AsyncIterator[None]:
    """A disk in the middle of a commit: the writer has one job in its hands, and whatever comes now queues."""
    writer = journal._writer
    assert writer is not None
    with held(journal):
        tasks.start_soon(begin, journal, "plug")
        with anyio.fail_after(20):
            while writer._last_run != "plug" or writer._handed_over:
                await anyio.lowlevel.checkpoint()
        yield


async def until_queued(journal: SqliteJournal, count: int) -> None:
    """Let tasks run until that many jobs wait for the writer."""
    assert journal._writer is not None
    with anyio.fail_after(20):
        while len(journal._writer._handed_over) < count:
            await anyio.lowlevel.checkpoint()


async def test_what_queues_during_a_commit_is_one_commit(journal: SqliteJournal) -> None:
    """64 appends cost two or three fsyncs, not 64 (D12)."""
    names = [await begin(journal, f"run {n}") for n in range(64)]
    before = journal.statistics()
    async with anyio.create_task_group() as tasks, stalled(journal, tasks):
        for name in names:
            tasks.start_soon(partial(journal.append, name, 1, [started("a")], at=1.0))
        await until_queued(journal, 64)
    after = journal.statistics()

    assert after.jobs - before.jobs == 65
    assert after.commits - before.commits == 2
    for name in names:
        assert await facts(journal, name) == [START, started("a")]


async def test_a_conflict_fails_alone(journal: SqliteJournal) -> None:
    """Neighbours in a group commit do not pay for each other's mistakes (D1, D7)."""
    names = [await begin(journal, f"run {n}") for n in range(6)]
    outcomes: dict[str, str] = {}

    async def drive(name: RunId, after: int, happened: Sequence[Fact]) -> None:
        try:
            await journal.append(name, after, happened, at=1.0)
        except (JournalConflict, OverflowError) as error:
            outcomes[name] = type(error).__name__
        else:
            outcomes[name] = "committed"

    async def create_again() -> None:
        with pytest.raises(RunExists):
            await begin(journal, "run 0", more=[started("x")])
        outcomes["create"] = "refused"

    async with anyio.create_task_group() as tasks, stalled(journal, tasks):
        tasks.start_soon(drive, names[0], 1, [started("a")])
        tasks.start_soon(drive, names[1], 0, [started("a")])
        tasks.start_soon(drive, names[2], 7, [started("a")])
        tasks.start_soon(drive, names[3], 1, [started("a")])
        tasks.start_soon(drive, names[4], 1, [started("a", 2**80)])
        tasks.start_soon(create_again)
        tasks.start_soon(drive, names[5], 1, [started("a")])
        await until_queued(journal, 7)

    assert outcomes == {
        "run 0": "committed",
        "run 1": "JournalConflict",
        "run 2": "JournalConflict",
        "run 3": "committed",
        "run 4": "OverflowError",
        "create": "refused",
        "run 5": "committed",
    }
    for n, name in enumerate(names):
        assert len(await facts(journal, name)) == (2 if n in {0, 3, 5} else 1)


async def test_what_does_not_fit_fails_alone(journal: SqliteJournal) -> None:
    """On a disk that is nearly full, the commit that still fits is made (D13)."""
    big, small = await begin(journal, "big"), await begin(journal, "small")
    connection = journal._writer._connection  # type: ignore[union-attr]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}").fetchall()
    outcomes: list[str] = []

    async def drive(name: RunId, value: bytes) -> None:
        try:
            await journal.append(name, 1, [finished("a", value)], at=1.0)
            outcomes.append(f"{name} committed")
        except StoreFull:
            outcomes.append(f"{name} full")

    async with anyio.create_task_group() as tasks, stalled(journal, tasks):
        tasks.start_soon(drive, big, b'"' + b"x" * 500_000 + b'"')
        tasks.start_soon(drive, small, b"1")
        await until_queued(journal, 2)

    assert sorted(outcomes) == ["big full", "small committed"]
    assert len(await facts(journal, "big")) == 1
    assert len(await facts(journal, "small")) == 2


async def test_a_lonely_run_commits_in_its_own_thread(journal: SqliteJournal) -> None:
    """A chain pays for its fsyncs and not for a thread (section 7 of the design); company puts an end to that."""
    run = await begin(journal)
    journal._writer._average = 0.0  # type: ignore[union-attr]
    for n in range(50):
        journal._writer._average = 0.0  # type: ignore[union-attr] # however slow this machine's disk is today
        await journal.append(run, 1 + n, [started(f"s{n}")], at=1.0)
    inline = journal.statistics().inline
    other = await begin(journal, "two")
    for n in range(20):
        await journal.append(run, 51 + n, [started("x")], at=1.0)
        await journal.append(other, 1 + n, [started("x")], at=1.0)

    assert inline == 50 + 1 - STREAK
    assert journal.statistics().inline == inline
    assert len(await facts(journal)) == 71


async def test_a_slow_disk_is_not_waited_for_on_the_loop(journal: SqliteJournal) -> None:
    """Where commits take long, a chain goes through the thread so that the loop stays free (E3)."""
    run = await begin(journal)
    journal._writer._average = 1.0  # type: ignore[union-attr]
    for n in range(STREAK + 3):
        await journal.append(run, 1 + n, [started(f"s{n}")], at=1.0)

    assert journal.statistics().inline == 0


async def test_a_lock_is_not_waited_for_on_the_loop(path: Path, journal: SqliteJournal) -> None:
    """While another process writes, the loop goes on and the commit is made when it can be (E3, D13)."""
    run = await begin(journal)
    for n in range(STREAK + 2):
        journal._writer._average = 0.0  # type: ignore[union-attr]
        await journal.append(run, 1 + n, [started(f"s{n}")], at=1.0)
    assert journal.statistics().inline > 0
    inline = journal.statistics().inline
    with opened(path) as other:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(journal.append, run, STREAK + 3, [started("last")], at=1.0))
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            other.execute("ROLLBACK")

    assert journal.statistics().inline == inline
    assert (await facts(journal))[-1] == started("last")


@pytest.mark.parametrize("company", [False, True])
async def test_a_cancelled_caller_leaves_a_whole_commit(journal: SqliteJournal, *, company: bool) -> None:
    """Cancelled while it waits, an append is made or not made, never half, and the journal goes on (E8, D1, S2)."""
    run = await begin(journal)
    happened: list[Fact] = [started("a"), finished("a"), started("b")]
    async with anyio.create_task_group() as tasks:
        with held(journal):
            tasks.start_soon(partial(journal.append, run, 1, happened, at=1.0, snapshot=b"{}"))
            if company:
                tasks.start_soon(begin, journal, "two")
            for _ in range(10):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    kept = (await journal.info(run)).seq
    assert kept in {1, 4}
    await begin(journal, "three")  # whatever was handed over before is committed by now
    kept = (await journal.info(run)).seq
    assert await facts(journal) == [START, *happened][:kept]
    assert ((await journal.load(run)).snapshot is not None) == (kept == 4)
    await journal.append(run, kept, [started("c")], at=1.0)


async def test_an_append_that_is_cancelled_before_it_began_is_not_made(journal: SqliteJournal) -> None:
    """The shortcut looks for a cancellation before it writes (E8)."""
    run = await begin(journal)
    for n in range(STREAK + 2):
        journal._writer._average = 0.0  # type: ignore[union-attr]
        await journal.append(run, 1 + n, [started(f"s{n}")], at=1.0)
    journal._writer._average = 0.0  # type: ignore[union-attr] # however slow this machine's disk is today
    with anyio.CancelScope() as scope:
        scope.cancel()
        await journal.append(run, STREAK + 3, [started("never")], at=1.0)

    assert scope.cancelled_caught
    assert (await journal.info(run)).seq == STREAK + 3


async def test_several_event_loops_share_a_journal(journal: SqliteJournal) -> None:
    """asyncio and trio in threads of one process, all through one writer (E3)."""

    def elsewhere(backend: str, name: str) -> None:
        async def drive() -> None:
            run = await begin(journal, name)
            for n in range(30):
                await journal.append(run, 1 + n, [started(f"{name}{n}")], at=1.0)

        anyio.run(drive, backend=backend)

    async with anyio.create_task_group() as tasks:
        for n, backend in enumerate(["asyncio", "trio", "asyncio", "trio"]):
            tasks.start_soon(anyio.to_thread.run_sync, elsewhere, backend, f"run {n}")

    for n in range(4):
        assert await facts(journal, f"run {n}") == [START, *(started(f"run {n}{i}") for i in range(30))]


async def test_readers_see_whole_commits_while_a_writer_writes(journal: SqliteJournal) -> None:
    """A read is of one moment, and stands in nobody's way (D1)."""
    run = await begin(journal)
    seen: list[int] = []

    async def look() -> None:
        while not seen or seen[-1] < 151:
            history = await journal.load(run)
            assert len(history.entries) == history.info.seq
            assert len(history.entries) % 3 == 1
            seen.append(history.info.seq)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        for n in range(50):
            await journal.append(run, 1 + 3 * n, [started("a"), finished("a"), started("b")], at=1.0)

    assert seen == sorted(seen)


async def test_two_stores_on_one_file_refuse_each_others_conflicts(path: Path, journal: SqliteJournal) -> None:
    """Two drivers in two processes, here two journals: different runs both work, one run has one winner (D7)."""
    other = await open_journal(path)
    run = await begin(journal)
    mine, yours = await begin(journal, "mine"), await begin(other, "yours")
    async with anyio.create_task_group() as tasks:

        async def drive(through: SqliteJournal, name: RunId) -> None:
            for n in range(30):
                await through.append(name, 1 + n, [started(f"s{n}")], at=1.0)

        tasks.start_soon(drive, journal, mine)
        tasks.start_soon(drive, other, yours)
    assert len(await facts(other, "mine")) == len(await facts(journal, "yours")) == 31

    await other.append(run, 1, [started("theirs")], at=1.0)
    with pytest.raises(JournalConflict, match="at 2"):
        await journal.append(run, 1, [started("ours")], at=1.0)
    await journal.append(run, 2, [started("after theirs")], at=1.0)
    with pytest.raises(JournalConflict):
        await other.append(run, 2, [started("late")], at=1.0)
    with pytest.raises(RunExists):
        await begin(other, "one")
    assert await facts(other) == [START, started("theirs"), started("after theirs")]
    await other.aclose()


async def test_power_syncs_each_commit_and_process_does_not(tmp_path: Path) -> None:
    """Durability is SQLite's `synchronous`, on a write-ahead log (D12)."""
    for durability, level in (("power", 2), ("process", 1)):
        journal = await open_journal(tmp_path / f"{durability}.db", durability=durability)  # type: ignore[arg-type]
        connection: sqlite3.Connection = journal._writer._connection  # type: ignore[union-attr]
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
        await journal.aclose()


@pytest.mark.parametrize("durability", ["power", "process"])
async def test_an_intent_is_as_durable_as_power_wherever_it_stands(
    tmp_path: Path, durability: Durability, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit of an intent waits for the disk whatever the durability; the ones before and after it do not (D12; D1
    of the faults)."""
    journal = await open_journal(tmp_path / "runs.db", durability=durability)
    names = [await begin(journal, f"run {n}") for n in range(4)]
    connection: sqlite3.Connection = journal._writer._connection  # type: ignore[union-attr]
    levels: list[int] = []

    def look(point: str) -> None:
        if point == "store: rows written":
            levels.append(connection.execute("PRAGMA synchronous").fetchone()[0])

    monkeypatch.setattr(failpoints, "armed", look)
    usual = 2 if durability == "power" else 1
    for n in range(STREAK + 2):
        journal._writer._average = 0.0  # type: ignore[union-attr] # so that the shortcut is tried
        await journal.append(names[0], 1 + n, [started("a")], at=1.0, intent=n % 2 == 1)
    assert levels == [usual, 2] * 3

    levels.clear()
    async with anyio.create_task_group() as tasks, stalled(journal, tasks):
        for name in names[1:]:
            tasks.start_soon(partial(journal.append, name, 1, [started("a")], at=1.0, intent=name == names[2]))
        await until_queued(journal, 3)
    assert levels == [usual, 2]

    levels.clear()
    with pytest.raises(JournalConflict):
        await journal.append(names[1], 1, [started("b")], at=1.0, intent=True)
    await journal.append(names[1], 2, [started("b")], at=1.0)
    assert levels == [2, usual]
    await journal.aclose()


async def test_a_fence_costs_no_statement_of_its_own(journal: SqliteJournal) -> None:
    """It is checked by the insert that it guards, by primary key; only a refusal asks what it was (D7)."""
    names = [RunId(f"run {n}") for n in range(4)]
    for name in names:
        await journal.create(info(name), [START], at=1.0, claim=Claim("here", 9.0))
    connection: sqlite3.Connection = journal._writer._connection  # type: ignore[union-attr]
    statements: list[str] = []
    async with anyio.create_task_group() as tasks, stalled(journal, tasks):
        for after in range(1, 4):
            for name in names:
                tasks.start_soon(partial(journal.append, name, after, [started(f"s{after}")], at=1.0, fence=1))
            await until_queued(journal, 4 * after)
        connection.set_trace_callback(statements.append)
    connection.set_trace_callback(None)
    group = statements[max(n for n, statement in enumerate(statements) if statement.startswith("BEGIN")) :]

    assert {statement.split()[0] for statement in group} == {"BEGIN", "INSERT", "COMMIT"}
    assert len(group) == 2 + 12
    assert [(await journal.info(name)).seq for name in names] == [4, 4, 4, 4]
    (plan,) = rows(Path(journal.name), f"EXPLAIN QUERY PLAN {group[1]}")[-1:]
    assert plan[3] == "SEARCH leases USING INTEGER PRIMARY KEY (rowid=?)"


async def test_a_claim_counts_for_what_comes_after_it_in_one_commit(journal: SqliteJournal) -> None:
    """What queues is done in its order: the late driver's commit behind a claim is stale, the one before it stands
    (D7)."""
    await journal.create(info(), [START], at=1.0, claim=Claim("here", 9.0))
    run, outcomes = RunId("one"), []

    async def drive(after: int, fence: int) -> None:
        try:
            await journal.append(run, after, [started(f"s{after}", fence)], at=1.0, fence=fence)
            outcomes.append("committed")
        except StaleFence:
            outcomes.append("stale")

    async with anyio.create_task_group() as tasks, stalled(journal, tasks):
        claim = partial(journal.claim, run, Claim("there", 20.0), at=10.0)
        calls: list[Callable[[], Coroutine[Any, Any, Any]]] = [
            partial(drive, 1, 1),
            claim,
            partial(drive, 2, 1),
            partial(drive, 2, 2),
        ]
        for queued, call in enumerate(calls, 1):
            tasks.start_soon(call)
            await until_queued(journal, queued)

    assert sorted(outcomes) == ["committed", "committed", "stale"]
    assert await facts(journal) == [START, started("s1", 1), started("s2", 2)]


async def test_the_log_has_its_size_before_the_first_commit_and_leaves_no_trace(path: Path) -> None:
    """D12: a commit in "power" does not wait for the log to grow; the store holds what was committed, and no more."""
    journal = await open_journal(path)
    log = Path(f"{path}-wal")
    size = log.stat().st_size
    assert size >= ROOM
    await begin(journal, "a")
    assert log.stat().st_size == size
    await journal.aclose()
    assert not log.exists()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'room'").fetchone() == (0,)
    connection.close()
    assert path.stat().st_size < ROOM / 10


async def test_closing_commits_what_was_handed_over(journal: SqliteJournal, path: Path) -> None:
    """aclose finishes the work first (Journal.aclose)."""
    run = await begin(journal)
    async with anyio.create_task_group() as tasks:
        with held(journal):
            tasks.start_soon(partial(journal.append, run, 1, [started("a")], at=1.0))
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            tasks.start_soon(journal.aclose)
            for _ in range(5):
                await anyio.lowlevel.checkpoint()

    again = await open_journal(path)
    assert await facts(again) == [START, started("a")]
    await again.aclose()
