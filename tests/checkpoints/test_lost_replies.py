"""A commit that raises on its way: it is made once, or not at all, and its caller hears the truth (D1, D7)."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from graphrt import failpoints
from graphrt.checkpoints import SqliteJournal, open_journal
from graphrt.checkpoints.writer import STREAK
from graphrt.errors import JournalConflict, RunExists
from graphrt.facts import Fact, RunFinished
from graphrt.journal import Claim, Message
from graphrt.types import RunId
from tests.checkpoints.helpers import START, begin, facts, finished, info, started

pytestmark = pytest.mark.anyio

RUN = RunId("one")


@pytest.fixture
async def journal(tmp_path: Path, anyio_backend: str) -> AsyncIterator[SqliteJournal]:
    found = await open_journal(tmp_path / "runs.db")
    yield found
    await found.aclose()


class Lost(Exception):
    """What a caller would hear in the place of success."""


class Once:
    """Raises when a point is passed for the first time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.raised = False

    def __call__(self, point: str) -> None:
        if point == self.name and not self.raised:
            self.raised = True
            raise Lost(point)


Arm = Callable[[str], Once]


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch) -> Arm:
    def arm(name: str) -> Once:
        once = Once(name)
        monkeypatch.setattr(failpoints, "armed", once)
        return once

    return arm


POINTS = ["store: transaction open", "store: rows written", "store: committed"]


@pytest.mark.parametrize("fence", [None, 1])
@pytest.mark.parametrize("point", POINTS)
async def test_an_append_that_raised_on_its_way_is_made_once(
    journal: SqliteJournal, arm: Arm, point: str, fence: int | None
) -> None:
    """Before its COMMIT it is tried again; after it, it finds its own rows (D7)."""
    await journal.create(info(), [START], at=1.0, claim=Claim("here", 9.0))
    await journal.send(Message("m", RUN, "signal"))
    happened: list[Fact] = [started("a"), finished("a", b'"' + b"x" * 9000 + b'"', "state")]
    once = arm(point)
    await journal.append(RUN, 1, happened, at=2.0, fence=fence, taking=["m"], snapshot=b"{}")

    assert once.raised
    assert await facts(journal) == [START, *happened]
    assert await journal.inbox() == []
    await journal.append(RUN, 3, [finished("b", b'"' + b"x" * 9001 + b'"', "state")], at=3.0, fence=fence)
    await journal.append(RUN, 4, [RunFinished(b"1")], at=4.0, fence=fence)
    assert (await journal.info(RUN)).status == "finished"


@pytest.mark.parametrize("point", POINTS)
async def test_a_run_whose_creation_raised_on_its_way_begins_once(journal: SqliteJournal, arm: Arm, point: str) -> None:
    """The id is taken by the run itself, not by somebody else (D7)."""
    once = arm(point)
    await journal.create(info(), [START, started("a")], at=1.0, claim=Claim("here", 9.0), definition=b"{}")

    assert once.raised
    assert [found.id for found in await journal.runs()] == ["one"]
    await journal.append(RUN, 2, [finished("a")], at=2.0, fence=1)
    with pytest.raises(RunExists):
        await journal.create(info(), [START, started("a")], at=1.0, claim=Claim("here", 9.0), definition=b"{}")


async def test_somebody_elses_run_is_not_taken_for_ones_own(journal: SqliteJournal, arm: Arm) -> None:
    """After a lost reply an id is looked at closely: another driver's run of the same name is RunExists (D7)."""
    other = await open_journal(journal.name)
    await other.create(info(), [START], at=1.0, claim=Claim("there", 9.0))
    arm("store: committed")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(begin, journal, "neighbour")

        async def create() -> None:
            with pytest.raises(RunExists):
                await journal.create(info(), [START], at=1.0, claim=Claim("here", 9.0))

        tasks.start_soon(create)
    await other.aclose()
    assert [found.driver for found in await journal.runs() if found.id == "one"] == ["there"]


async def test_a_group_whose_reply_is_lost_is_made_once(journal: SqliteJournal, arm: Arm) -> None:
    """Each of the group finds its own rows; who had a conflict still has it (D1, D7)."""
    names = [await begin(journal, f"run {n}") for n in range(20)]
    outcomes: list[str] = []

    async def drive(name: RunId, after: int) -> None:
        try:
            await journal.append(name, after, [started("a"), finished("a")], at=2.0)
        except JournalConflict:
            outcomes.append(name)

    once = arm("store: committed")
    async with anyio.create_task_group() as tasks:
        for n, name in enumerate(names):
            tasks.start_soon(drive, name, 0 if n == 7 else 1)

    assert once.raised
    assert outcomes == ["run 7"]
    for n, name in enumerate(names):
        assert await facts(journal, name) == [START, *([] if n == 7 else [started("a"), finished("a")])]


async def test_a_lonely_runs_lost_reply_is_recognised_in_its_own_thread(journal: SqliteJournal, arm: Arm) -> None:
    """The shortcut loses replies like the thread (D7)."""
    run = await begin(journal)
    for n in range(STREAK + 2):
        journal._writer._average = 0.0  # type: ignore[union-attr]
        await journal.append(run, 1 + n, [started(f"s{n}")], at=1.0)
    once = arm("store: committed")
    journal._writer._average = 0.0  # type: ignore[union-attr]
    before = journal.statistics().inline
    await journal.append(run, STREAK + 3, [started("last")], at=1.0)

    assert once.raised
    assert journal.statistics().inline == before  # the retry is no shortcut
    assert (await facts(journal))[-1] == started("last")
    assert (await journal.info(run)).seq == STREAK + 4


async def test_a_reply_that_is_always_lost_is_an_error_and_the_commit_stands(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An errand is not recognised by its rows, so its caller hears that something is wrong; nothing is half (D1)."""
    await begin(journal)

    def lose(point: str) -> None:
        if point == "store: committed":
            raise Lost(point)

    with monkeypatch.context() as armed:
        armed.setattr(failpoints, "armed", lose)
        with pytest.raises(Lost):
            await journal.claim(RUN, Claim("here", 9.0), at=1.0)
        await journal.append(RUN, 1, [started("a")], at=2.0)  # finds its rows, and commits nothing again
        assert not await journal.send(Message("m", RUN, "cancel"))  # finds itself
    assert (await journal.info(RUN)).driver == "here"
    assert [message.id for message in await journal.inbox()] == ["m"]
    assert await facts(journal) == [START, started("a")]


class Forgetful:
    """A cursor whose COMMIT is made and then raises, as a network drive's might."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.cursor = cursor
        self.lost = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.cursor, name)

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        found = self.cursor.execute(sql, parameters)
        if sql == "COMMIT" and self.lost == 0:
            self.lost += 1
            raise sqlite3.OperationalError("disk I/O error")
        return found


async def test_a_commit_that_sqlite_calls_failed_is_looked_for(journal: SqliteJournal) -> None:
    """What SQLite says of a COMMIT is not believed before the rows were looked for (D7)."""
    run = await begin(journal)
    writer = journal._writer
    assert writer is not None
    cursor = Forgetful(writer._cursor)
    writer._cursor = cursor  # type: ignore[assignment]
    await journal.append(run, 1, [started("a")], at=2.0)

    assert cursor.lost == 1
    assert await facts(journal) == [START, started("a")]
    await journal.append(run, 2, [finished("a")], at=3.0)
    writer._cursor = cursor.cursor


async def test_whatever_stops_the_thread_is_told_to_its_callers(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No caller takes an interrupted transaction for success, and the next commit is made (D1)."""
    run = await begin(journal)

    class Stop(BaseException):
        """Not an Exception."""

    def stop(point: str) -> None:
        if point == "store: rows written":
            raise Stop

    with monkeypatch.context() as armed:
        armed.setattr(failpoints, "armed", stop)
        with pytest.raises(Stop):
            await journal.append(run, 1, [started("a")], at=1.0)
    await journal.append(run, 1, [started("b")], at=1.0)
    assert await facts(journal) == [START, started("b")]


async def test_a_commit_passes_its_points_in_their_order(journal: SqliteJournal) -> None:
    """A test can break a commit off where it means to (D2)."""
    await journal.create(info(), [START], at=1.0)
    await journal.send(Message("m", RUN, "signal"))
    passed: list[str] = []
    try:
        failpoints.armed = passed.append
        await journal.append(RUN, 1, [started("a")], at=1.0, taking=["m"])
    finally:
        failpoints.armed = None

    assert passed == ["store: transaction open", "inbox: message taken", "store: rows written", "store: committed"]
