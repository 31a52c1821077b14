"""The same seed gives the same journal; no schedule shows in what a run comes to (E3, E4, S9, S10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import trio._core._run as trio_run

from graphrt import Dag, Final, Machine, Runtime, State, context, dag, each, first, node
from graphrt.facts import Entry, RunResumed, StepFinished
from graphrt.journal import MemoryJournal
from graphrt.nodes import sleep
from graphrt.testing import JumpingClock
from graphrt.types import RunId

RUN = RunId("r")
SCHEDULES = 100

ran: list[str] = []
"""The steps in the order in which their bodies got on."""


class Busy(Exception):
    pass


class Counting(State):
    left: int


class Counted(Final):
    seen: int


@node
async def upto(x: int) -> list[int]:
    return list(range(x))


@node(retry=3)
async def work(item: int, x: int) -> int:
    for _ in range(item % 5):
        await anyio.lowlevel.checkpoint()
        ran.append(context().step)
    if item % 4 == 1 and context().attempt < 2:
        raise Busy(item)
    return item * x + context().random.randrange(3)


@node
async def dawdle(x: int, seconds: float) -> int:
    await context().sleep(seconds)
    return x


@node
async def total(values: list[int], seen: int, won: int, late: int) -> int:
    return sum(values) + seen + won + late


counter = Machine("counter", start=Counting, end=Counted)


@counter.on
async def count(state: Counting) -> Counting | Counted:
    await anyio.lowlevel.checkpoint()
    return Counting(left=state.left - 1) if state.left else Counted(seen=7)


def graph() -> Dag[[int], int]:
    @dag
    def g(x: int) -> int:
        race = first(dawdle(x, 2.0), dawdle.named("slower")(x, 3.0))
        return total(each(work, upto(8), x), counter(left=4).seen, race, sleep(x, 5))

    return g


async def _run(seed: int = 1) -> tuple[int, list[Entry]]:
    journal = MemoryJournal()
    async with Runtime(journal, clock=JumpingClock(), seed=seed) as rt:
        result = await (await rt.start_as(RUN, graph(), 3)).result()
    return result, await _read(journal)


async def _read(journal: MemoryJournal) -> list[Entry]:
    """Read a journal, without the names of its drivers: no two are the same."""
    entries = await journal.read(RUN, limit=10_000)
    return [
        entry._replace(fact=replace(entry.fact, driver="")) if isinstance(entry.fact, RunResumed) else entry
        for entry in entries
    ]


@contextmanager
def _scheduled(seed: int) -> Iterator[None]:
    """Let trio draw its schedule from a seed."""
    before = trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc] # pytest-trio does the same
    trio_run._r.seed(seed)
    try:
        yield
    finally:
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc] # as above


def _on_trio(schedule: int) -> tuple[int, list[Entry]]:
    with _scheduled(schedule):
        return anyio.run(_run, backend="trio")


def _values(entries: list[Entry]) -> dict[str, Any]:
    return {entry.fact.step: entry.fact.value for entry in entries if isinstance(entry.fact, StepFinished)}


def test_the_same_seed_gives_the_same_journal_to_the_last_fact_and_time() -> None:
    """E3: under trio's deterministic scheduling, and a clock that jumps."""
    for schedule in range(5):
        assert _on_trio(schedule) == _on_trio(schedule)


def test_s9_a_hundred_schedules_give_the_same_final_state() -> None:
    """S9, E4: joins merge by key, and what comes in together is recorded in the order of dispatch."""
    result, entries = _on_trio(0)
    orders = set()
    for schedule in range(SCHEDULES):
        ran.clear()
        other, found = _on_trio(schedule)
        assert (other, _values(found)) == (result, _values(entries))
        orders.add(tuple(ran))
    assert len(orders) > SCHEDULES / 2, "the schedules hardly differed: this proves nothing"


def test_s10_asyncio_and_trio_write_the_same_journal() -> None:
    """S10, E3: steps that end one after the other are recorded alike, times and all."""

    async def alone() -> list[Entry]:
        @dag
        def g(x: int) -> int:
            return total(each(dawdle, [1, 2, 3], 0.5), counter(left=4).seen, dawdle(x, 2.0), sleep(x, 5))

        journal = MemoryJournal()
        async with Runtime(journal, clock=JumpingClock(), seed=1, concurrency=1) as rt:
            await (await rt.start_as(RUN, g, 3)).result()
        return await _read(journal)

    assert anyio.run(alone, backend="asyncio") == anyio.run(alone, backend="trio")


def test_s10_asyncio_and_trio_come_to_the_same_values() -> None:
    """S10: also where steps run side by side."""
    (one, entries), (two, others) = anyio.run(_run, backend="asyncio"), anyio.run(_run, backend="trio")
    assert (one, _values(entries)) == (two, _values(others))
