"""Resuming costs the frontier, not the history (D6)."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import Field
from pydantic_core import from_json

from graphrt import Final, Machine, Runtime, State, dag, node, scheduler
from graphrt.errors import RunFailed
from graphrt.journal import History, MemoryJournal
from graphrt.testing import BreakingJournal, BrokenOff

pytestmark = pytest.mark.anyio

EVERY = 40


class Counting(State):
    left: int
    seen: int = 0


class Counted(Final):
    seen: int


counter = Machine("counter", start=Counting, end=Counted, max_transitions=100_000)
calls: list[int] = []


@counter.on
async def count(state: Counting) -> Counting | Counted:
    calls.append(state.left)
    if state.left == 0:
        return Counted(seen=state.seen)
    return Counting(left=state.left - 1, seen=state.seen + 1)


@node
async def add_one(x: int) -> int:
    calls.append(x)
    return x + 1


@dag
def chain(x: int) -> int:
    for _ in range(300):
        x = add_one(x)
    return x


async def broken_off(graph: Machine[..., Counted], transitions: int) -> tuple[History, MemoryJournal]:
    """Run a machine of so many transitions, and lose it three commits before its end."""
    behind = MemoryJournal()
    async with Runtime(BreakingJournal(behind, transitions)) as rt:
        run = await rt.start(graph, left=transitions)
        with pytest.raises(BrokenOff):
            await run.result()
    return await behind.load(run.id), behind


@pytest.mark.parametrize("transitions", [100, 1000])
async def test_a_machine_far_along_resumes_from_as_little_as_one_at_its_beginning(
    transitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D6; D6 of the faults: what is read and folded is bounded, however many transitions there were, and nothing is run
    again."""
    monkeypatch.setattr(scheduler, "SNAPSHOT_FACTS", EVERY)
    history, journal = await broken_off(counter, transitions)
    assert history.info.seq > 1.9 * transitions
    assert len(history.entries) <= 2 * EVERY
    assert history.snapshot is not None
    assert len(history.snapshot) < 600
    calls.clear()
    async with Runtime(journal) as rt:
        resumed = await rt.resume(history.info.id, counter)
        assert await resumed.result() == Counted(seen=transitions)
    assert calls == [3, 2, 1, 0]


async def test_a_chain_forgets_the_values_that_nobody_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """D6: of a dag's 300 steps the snapshot keeps where each stands, and one value."""
    monkeypatch.setattr(scheduler, "SNAPSHOT_FACTS", EVERY)
    behind = MemoryJournal()
    async with Runtime(BreakingJournal(behind, 280)) as rt:
        run = await rt.start(chain, 0)
        with pytest.raises(BrokenOff):
            await run.result()
    history = await behind.load(run.id)
    assert history.snapshot is not None
    assert len(history.snapshot) < 300 + 600
    calls.clear()
    async with Runtime(behind) as rt:
        assert await (await rt.resume(run.id, chain)).result() == 300
    assert calls[0] == 277  # one commit created the run, one started its first step, 277 held a finish each
    assert len(calls) == 300 - 277


async def test_a_snapshot_says_where_it_holds_a_machines_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D6: the store finds the state in it and need not put it together from all that changed before."""
    monkeypatch.setattr(scheduler, "SNAPSHOT_FACTS", 40)

    class Log(State):
        lines: list[str] = Field(default_factory=list)

    class Full(Final):
        lines: list[str]

    machine = Machine("machine", start=Log, end=Full)

    @machine.on
    async def add(state: Log) -> Log | Full:
        if len(state.lines) == 50:
            raise ConnectionError("no more")
        return Log(lines=[*state.lines, 'a "quoted" line ' * 9])

    store = tmp_path / "runs.db"
    async with Runtime(store) as rt:
        with pytest.raises(RunFailed):
            await (await rt.start_as("r", machine)).result()
    with closing(sqlite3.connect(store)) as connection:
        ((value, anchors),) = connection.execute("SELECT value, anchors FROM snapshots").fetchall()
    seq, start, length, *_ = from_json(anchors)["."]
    assert seq > 40
    assert set(from_json(from_json(value.encode()[start : start + length]))) == {"lines"}
