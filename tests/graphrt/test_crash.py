"""A crash at every commit: behind the break is a prefix, and the resumed run ends as if nothing had happened (D2)."""

from collections import Counter
from typing import Any

import anyio
import pytest

from graphrt import Dag, Final, Machine, Runtime, State, context, dag, each, first, node
from graphrt.facts import StepFinished
from graphrt.journal import MemoryJournal
from graphrt.testing import BreakingJournal, BrokenOff, JumpingClock

pytestmark = pytest.mark.anyio


class Climb(State):
    height: int
    steps: int = 0


class Top(Final):
    steps: int


def reference(ran: Counter[str]) -> Dag[[int], int]:
    """A chain, a list, a machine and a race, every node of which counts its completed executions by step."""

    def count() -> None:
        ran[context().step] += 1

    @node
    async def inc(x: int) -> int:
        count()
        return x + 1

    @node
    async def upto(x: int) -> list[int]:
        count()
        return list(range(x))

    @node
    async def square(x: int, plus: int) -> int:
        await context().sleep(10 - x)
        count()
        return x * x + plus

    @node
    async def climb(state: Climb) -> Climb | Top:
        count()
        return Climb(height=state.height - 1, steps=state.steps + 1) if state.height else Top(steps=state.steps)

    machine = Machine("machine", start=Climb, end=Top)
    machine.on(climb)

    @node
    async def total(values: list[int], steps: int, last: int) -> int:
        count()
        return sum(values) + steps + last

    @node
    async def never(x: int) -> int:
        await anyio.sleep_forever()
        return x

    @dag
    def g(x: int) -> int:
        n = inc(inc(x))
        return total(each(square, upto(n), plus=n), machine(height=n).steps, first(never(n), inc(n)))

    return g


EXPECTED = 0 + 1 + 4 + 9 + 4 * 4 + 4 + 5
STEPS = {"inc", "inc-2", "inc-3", "upto", "total"} | {f"each:square[{n}]" for n in range(4)}
STEPS |= {f"machine/climb#{n}" for n in range(1, 6)}


async def _undisturbed() -> tuple[int, list[Any]]:
    journal, ran = MemoryJournal(), Counter[str]()
    counting = BreakingJournal(journal, 10_000)
    async with Runtime(counting, clock=JumpingClock()) as rt:
        assert await (await rt.start_as("r", reference(ran), 2)).result() == EXPECTED
    assert ran == Counter(STEPS)
    return counting.made, await journal.read("r")  # type: ignore[arg-type] # a run id


async def test_after_a_crash_at_any_commit_the_resumed_run_ends_the_same_and_repeats_nothing_finished() -> None:
    """D2, S1: for every commit there is."""
    commits, _ = await _undisturbed()
    assert commits > 10
    for broken in range(2, commits + 1):
        journal, ran, clock = MemoryJournal(), Counter[str](), JumpingClock()
        async with Runtime(BreakingJournal(journal, broken), clock=clock) as rt:
            run = await rt.start_as("r", reference(ran), 2)
            with pytest.raises(BrokenOff):
                await run.result()
        prefix = await journal.read(run.id)
        finished = {entry.fact.step for entry in prefix if isinstance(entry.fact, StepFinished)}
        ran.clear()
        async with Runtime(journal, clock=clock) as rt:
            graph = reference(ran)
            prospect = await rt.prospect("r", graph)
            assert prospect.reused == len(finished)
            assert await (await rt.resume("r", graph)).result() == EXPECTED
        assert ran == Counter(STEPS - finished)
        assert (await journal.read(run.id))[: len(prefix)] == prefix


async def test_a_run_whose_first_commit_was_not_made_was_never_there() -> None:
    """D2."""
    journal = MemoryJournal()
    async with Runtime(BreakingJournal(journal, 1)) as rt:
        with pytest.raises(BrokenOff):
            await rt.start_as("r", reference(Counter()), 2)
    assert await journal.runs() == []


async def test_a_crash_upon_a_crash_upon_a_crash_still_ends() -> None:
    """D2, S1: every resume gets a few commits further."""
    journal, ran, clock, crashes = MemoryJournal(), Counter[str](), JumpingClock(), 0
    async with Runtime(BreakingJournal(journal, 3), clock=clock) as rt:
        with pytest.raises(BrokenOff):
            await (await rt.start_as("r", reference(ran), 2)).result()
    while True:
        async with Runtime(BreakingJournal(journal, 5), clock=clock) as rt:
            try:
                assert await (await rt.resume("r", reference(ran))).result() == EXPECTED
            except BrokenOff:
                crashes += 1
                continue
            break
    assert crashes > 2
