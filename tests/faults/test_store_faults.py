"""Faults of the store as a run meets them: a disk that breaks, a state that is huge, a clock that goes wrong."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrt import Final, Machine, Runtime, State, context, dag, each, node
from graphrt.checkpoints import open_journal
from graphrt.errors import RunTaken, StoreBusy, StoreError, StoreFull, StoreReadOnly
from graphrt.facts import RunResumed, StepFinished, StepStarted
from graphrt.journal import MemoryJournal
from graphrt.nodes import sleep
from graphrt.testing import BreakingJournal, BrokenOff, JumpingClock
from graphrt.types import RunId
from tests.checkpoints.helpers import START, begin, facts, started

pytestmark = pytest.mark.anyio

RUN = RunId("r")


# D2


@contextmanager
def _log_is(path: Path, other: str) -> Iterator[None]:
    """Let what is written to a store's log meet another file, whose errors are the kernel's own."""
    (log,) = (
        int(fd)
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}") and os.path.realpath(f"/proc/self/fd/{fd}") == f"{path}-wal"
    )
    kept = os.dup(log)
    broken = os.open(other, os.O_RDWR)
    os.dup2(broken, log)
    try:
        yield
    finally:
        os.dup2(kept, log)
        os.close(kept)
        os.close(broken)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _pragma(journal: Any, broken: str, whole: str) -> Iterator[None]:
    connection: sqlite3.Connection = journal._writer._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA {broken}".format(pages=pages)).fetchall()
    yield
    connection.execute(f"PRAGMA {whole}").fetchall()


LONG = "".join(f"{number:08}" for number in range(10_000))

FAULTS: dict[str, tuple[Callable[[Path, Any], AbstractContextManager[None]], type[StoreError]]] = {
    "no room": (lambda _, journal: _pragma(journal, "max_page_count = {pages}", "max_page_count = 1000000"), StoreFull),
    "read-only": (lambda _, journal: _pragma(journal, "query_only = 1", "query_only = 0"), StoreReadOnly),
    "input/output error": (lambda path, _: _log_is(path, "/proc/self/mem"), StoreError),
    "locked": (lambda path, _: _locked(path), StoreBusy),
}


@pytest.mark.skipif(sys.platform != "linux", reason="files whose writes fail are Linux's")
@pytest.mark.parametrize("fault", FAULTS)
async def test_d2_a_step_whose_commit_fails_is_not_done_and_runs_again(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D2 of the faults: whoever waits is told what is wrong with the file; nothing of the commit is there."""
    monkeypatch.setattr("graphrt.checkpoints.writer.PATIENCE", 0.05)
    breaking, error = FAULTS[fault]
    path = tmp_path / "runs.db"
    ran: list[str] = []

    @node
    async def before(x: int) -> int:
        ran.append("before")
        return x

    @node
    async def during(x: int) -> str:
        ran.append("during")
        if ran.count("during") == 1:
            stack.enter_context(breaking(path, rt.journal))
        return LONG

    @dag
    def g(x: int) -> str:
        return during(before(x))

    async with Runtime(path) as rt:
        with ExitStack() as stack:
            run = await rt.start_as(RUN, g, 1)
            with pytest.raises(error) as told:
                await run.result()
        assert str(path) in str(told.value)
        found = [entry.fact for entry in await rt.journal.read(RUN)]
        assert [fact.step for fact in found if isinstance(fact, StepFinished)] == ["before"]
        assert isinstance(found[-1], StepStarted)
    async with Runtime(path) as rt:
        assert await (await rt.resume(RUN, g)).result() == LONG
    assert ran == ["before", "during", "during"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# D6


class Pile(State):
    left: int
    text: str


class Done(Final):
    length: int


pile = Machine("pile", start=Pile, end=Done)


SIZE = 50_000_000


def huge() -> str:
    return "".join(f"{number:08}" for number in range(SIZE // 8))


@pile.on
async def add(state: Pile) -> Pile | Done:
    if state.left == 0:
        return Done(length=len(state.text))
    return Pile(left=state.left - 1, text=f"{state.text}{state.left:08}" if state.text else huge())


@node
async def make(x: int) -> str:
    return huge()[x:]


@node
async def same(text: str) -> str:
    return text


@node
async def length(text: str) -> int:
    return len(text)


@dag
def repeated(x: int) -> int:
    return length(same(same(make(x))))


@pytest.mark.torture
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("graph", ["machine", "dag"])
async def test_d6_a_state_of_50_mb_is_kept_once_and_a_step_costs_what_it_changed(graph: str, tmp_path: Path) -> None:
    """D6 of the faults: three versions of it, or three steps that give the same, are one copy in the file."""
    path = tmp_path / "runs.db"
    async with Runtime(path) as rt:
        if graph == "machine":
            done = await (await rt.start_as(RUN, pile, left=3, text="")).result()
            assert done.length == SIZE + 2 * 8
        else:
            assert await (await rt.start_as(RUN, repeated, 0)).result() == SIZE
    assert path.stat().st_size < 1.02 * SIZE


# D8


class Unsteady(JumpingClock):
    """A clock whose time of day is set again and again while its monotonic seconds go on."""

    def __init__(self, offsets: list[float]) -> None:
        super().__init__()
        self.offsets = offsets
        self.asked = 0

    def now(self) -> float:
        self.asked += 1
        return self.time + self.offsets[self.asked % len(self.offsets)]


@node
async def item(x: int) -> int:
    await context().sleep(x)
    return x


@node
async def total(xs: list[int]) -> int:
    return sum(xs)


@dag
def spread(xs: list[int]) -> int:
    return total(each(item, xs))


@settings(max_examples=20)
@given(
    offsets=st.lists(st.sampled_from([0.0, -3600.0, 3600.0, 0.001, -0.5]), min_size=1, max_size=8), at=st.integers(3, 5)
)
def test_d8_order_is_that_of_the_commits_whatever_the_clock_says(offsets: list[float], at: int) -> None:
    """D8 of the faults: a run under a clock that is set back and forth has the facts of one under a good clock, also
    when it breaks off and is resumed."""

    async def under(clock: JumpingClock) -> list[object]:
        journal = MemoryJournal()
        async with Runtime(BreakingJournal(journal, at), clock=clock, seed=1) as rt:
            with pytest.raises(BrokenOff):
                await (await rt.start_as(RUN, spread, [3, 1, 2])).result()
        async with Runtime(journal, clock=clock, seed=1) as rt:
            assert await (await rt.resume(RUN, spread)).result() == 6
        entries = await journal.read(RUN)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        return [entry.fact for entry in entries if not isinstance(entry.fact, RunResumed)]

    async def compare() -> None:
        assert await under(Unsteady(offsets)) == await under(JumpingClock())

    anyio.run(compare, backend="trio")  # where a clock that jumps takes no time; the engine makes no difference (S10)


async def test_d8_a_file_keeps_the_order_of_its_commits_whatever_the_clock_says(tmp_path: Path) -> None:
    """D8 of the faults: commits of one instant, then of an hour before; also where they follow a snapshot."""
    journal = await open_journal(tmp_path / "runs.db")
    run = await begin(journal)
    steps = [started(f"s{number}") for number in range(8)]
    for number, step in enumerate(steps):
        at = 1_700_000_000.25 - 3600 * (number // 4)
        await journal.append(run, 1 + number, [step], at=at, snapshot=b"{}" if number == 2 else None)
    assert await facts(journal) == [START, *steps]
    history = await journal.load(run)
    assert [entry.fact for entry in history.entries] == steps[3:]
    assert history.info.seq == 9
    await journal.aclose()


class SeenByOthers(MemoryJournal):
    """One whose leases must be renewed, without the threads of a file."""

    @property
    def private(self) -> bool:
        return False


class SetBack(JumpingClock):
    """A clock whose time of day is set back while its monotonic seconds go on."""

    back = 0.0

    def now(self) -> float:
        return self.time - self.back


@node
async def long(x: int) -> int:
    await context().sleep(100)
    return x


@dag
def timed(x: int) -> int:
    return sleep(long(x), 60)


async def test_d8_a_clock_that_is_set_back_costs_nobody_a_lease_or_a_timer() -> None:
    """D8 of the faults: nobody else gets the run, its lease is renewed, and its timer is due once, and not early."""
    journal, clock = SeenByOthers(), SetBack()
    async with Runtime(journal, clock=clock, lease=60) as rt, Runtime(journal, clock=clock, lease=60) as other:
        run = await rt.start_as(RUN, timed, 1)
        await clock.wait(anyio.Event(), 50)
        clock.back = 3600.0
        with pytest.raises(RunTaken):
            await other.resume(RUN, timed)
        await clock.wait(anyio.Event(), 40)
        with pytest.raises(RunTaken):
            await other.resume(RUN, timed)
        began = clock.time
        assert await run.result() == 1
        assert clock.time - began >= 60
    entries = await journal.read(RUN)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[-1].at < entries[0].at
