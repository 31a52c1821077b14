"""Effects that must not be repeated: an intent before, an outcome after, and nothing silent in between (D3, T1-T6)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.from_thread
import pytest

from graphrt import Node, NotDone, Runtime, Suspended, context, dag, first, node
from graphrt.context import key_of
from graphrt.errors import GraphError, MessageConflict, RunFailed, UsageError
from graphrt.facts import (
    AttemptFailed,
    Fact,
    RunFinished,
    RunResumed,
    RunSuspended,
    StepFinished,
    StepStarted,
    StepUnknown,
)
from graphrt.journal import MemoryJournal
from graphrt.testing import BreakingJournal, BrokenOff, JumpingClock
from graphrt.types import RunId, StepKey

pytestmark = pytest.mark.anyio

RUN = RunId("r")


class World:
    """What a node did to it, by key: charged once or not at all."""

    def __init__(self) -> None:
        self.charges: list[str] = []

    def charge(self) -> None:
        self.charges.append(context().idempotency_key)


def paying(world: World, effect: Any = "once", **options: Any) -> Node[[int], str]:
    """A dag with the payment in the middle."""

    @node
    async def order(x: int) -> int:
        return x

    @node(effect=effect, **options)
    async def pay(x: int) -> str:
        world.charge()
        return f"paid {x}"

    @dag
    def g(x: int) -> str:
        return pay(order(x))

    return g


async def facts(journal: MemoryJournal) -> list[Fact]:
    return [entry.fact for entry in await journal.read(RUN)]


async def crash(journal: MemoryJournal, graph: Node[[int], str], *, at: int) -> None:
    """Start the run and lose the process at commit `at`."""
    async with Runtime(BreakingJournal(journal, at), clock=JumpingClock()) as rt:
        with pytest.raises(BrokenOff):
            await (await rt.start_as(RUN, graph, 12)).result()


INTENT, OUTCOME = 3, 4
"""The commits of such a run: it begins; order starts; it has finished and pay's intent is there; pay has finished."""


async def test_the_intent_of_an_effect_is_committed_before_it_happens() -> None:
    """D3, T2: and carries the key that the effect is known by."""
    journal, world = MemoryJournal(), World()
    async with Runtime(journal) as rt:
        assert await (await rt.start_as(RUN, paying(world), 12)).result() == "paid 12"
    starts = [fact for fact in await facts(journal) if isinstance(fact, StepStarted)]
    assert [start.intent for start in starts] == [None, key_of(RUN, StepKey("pay"))]
    assert world.charges == [starts[1].intent]


async def test_t1_a_crash_before_the_intent_runs_the_effect_as_if_nothing_had_been() -> None:
    """T1, D3."""
    journal, world = MemoryJournal(), World()
    await crash(journal, paying(world), at=INTENT)
    assert world.charges == []
    async with Runtime(journal) as rt:
        assert await (await rt.resume(RUN, paying(world))).result() == "paid 12"
    assert world.charges == [key_of(RUN, StepKey("pay"))]


async def test_t2_t3_a_crash_between_intent_and_outcome_leaves_a_once_effect_to_a_person() -> None:
    """T2, T3, D3: whether it was dispatched or not cannot be known, so it is not repeated; the run is suspended and
    says what to do."""
    journal, world = MemoryJournal(), World()
    await crash(journal, paying(world), at=OUTCOME)
    assert len(world.charges) == 1
    async with Runtime(journal) as rt:
        prospect = await rt.prospect(RUN, paying(world))
        assert (prospect.reused, prospect.again, prospect.unknown) == (1, (), ("pay",))
        with pytest.raises(Suspended, match="graphrt resolve r pay --done JSON, or --not-done"):
            await (await rt.resume(RUN, paying(world))).result()
    assert len(world.charges) == 1
    assert await journal.info(RUN) == await journal.info(RUN)
    assert (await journal.info(RUN)).status == "suspended"
    assert isinstance((await facts(journal))[-1], RunSuspended)


async def test_a_person_says_that_it_was_done_and_with_what_output() -> None:
    """D3: the run goes on with the output that the person gave; the effect is not repeated."""
    journal, world = MemoryJournal(), World()
    await crash(journal, paying(world), at=OUTCOME)
    async with Runtime(journal) as rt:
        run = await rt.resume(RUN, paying(world))
        with pytest.raises(Suspended):
            await run.result()
        await rt.resolve(run, "pay", done="paid by hand")
        assert await run.result() == "paid by hand"
    assert len(world.charges) == 1


async def test_a_person_says_that_it_was_not_done_and_it_is_done_under_the_same_key() -> None:
    """D3: whoever receives it can still tell that it is the same."""
    journal, world = MemoryJournal(), World()
    await crash(journal, paying(world), at=OUTCOME)
    async with Runtime(journal) as rt:
        run = await rt.resume(RUN, paying(world))
        with pytest.raises(Suspended):
            await run.result()
        await rt.resolve(run, "pay", not_done=True)
        assert await run.result() == "paid 12"
    assert len(world.charges) == 2
    assert len(set(world.charges)) == 1


async def test_of_two_people_who_decide_the_first_counts_and_the_second_is_told() -> None:
    """D3: what came too late is no decision about anything that becomes unknown later."""
    journal, world = MemoryJournal(), World()
    await crash(journal, paying(world), at=OUTCOME)
    async with Runtime(journal) as rt:
        run = await rt.resume(RUN, paying(world))
        with pytest.raises(Suspended):
            await run.result()
    async with Runtime(journal) as one, Runtime(journal) as two:  # neither knows the graph: the run waits on
        await one.resolve(RUN, "pay", done="paid by hand")
        with pytest.raises(MessageConflict):
            await two.resolve(RUN, "pay", not_done=True)
    async with Runtime(journal) as rt:
        assert await (await rt.resume(RUN, paying(world))).result() == "paid by hand"
        assert await journal.inbox() == []
    assert len(world.charges) == 1


async def test_an_output_that_does_not_fit_is_refused_and_the_question_stands() -> None:
    """D3, G1."""
    journal, world = MemoryJournal(), World()
    await crash(journal, paying(world), at=OUTCOME)
    async with Runtime(journal) as rt:
        run = await rt.resume(RUN, paying(world))
        with pytest.raises(Suspended):
            await run.result()
        await rt.resolve(run, "pay", done=7)
        with pytest.raises(Suspended):
            await run.result()
        await rt.resolve(run, "pay", done="seven")
        assert await run.result() == "seven"


async def test_only_what_is_unknown_can_be_resolved() -> None:
    """D3: a slip of the pen settles nothing."""
    journal, world = MemoryJournal(), World()
    await crash(journal, paying(world), at=OUTCOME)
    async with Runtime(journal) as rt:
        run = await rt.resume(RUN, paying(world))
        with pytest.raises(Suspended):
            await run.result()
        with pytest.raises(UsageError, match=r"'order'.*does not wait for a decision; those that do: pay"):
            await rt.resolve(run, "order", done=1)
        with pytest.raises(UsageError, match="say one of the two"):
            await rt.resolve(run, "pay")


@pytest.mark.parametrize("happened", [True, False])
async def test_the_check_of_an_effect_decides_after_a_crash(*, happened: bool) -> None:
    """D3, T3: nobody is asked. Done, its output is taken; not done, it is done now, under the same key."""
    journal, world, asked = MemoryJournal(), World(), list[str]()

    async def find(x: int) -> str:
        asked.append(context().idempotency_key)
        if not happened:
            raise NotDone("no such charge")
        return f"found {x}"

    graph = paying(world, check=find)
    await crash(journal, graph, at=OUTCOME)
    async with Runtime(journal) as rt:
        result = await (await rt.resume(RUN, graph)).result()
    assert result == ("found 12" if happened else "paid 12")
    assert asked == [key_of(RUN, StepKey("pay"))]
    assert len(world.charges) == (1 if happened else 2)


async def test_a_check_that_cannot_tell_leaves_it_to_a_person_and_is_asked_again_by_the_next_resume() -> None:
    """D3, T3."""
    journal, world, failing = MemoryJournal(), World(), [True]

    def find(x: int) -> str:  # in a worker thread, as every sync function
        if failing[0]:
            raise ConnectionError("the bank is closed")
        return f"found {x}"

    graph = paying(world, check=find)
    await crash(journal, graph, at=OUTCOME)
    async with Runtime(journal) as rt:
        run = await rt.resume(RUN, graph)
        with pytest.raises(Suspended, match=r"its check could not say: ConnectionError: the bank is closed\): "):
            await run.result()
        told = [fact for fact in await facts(journal) if isinstance(fact, StepUnknown)]
        assert [fact.failure.message for fact in told] == ["the bank is closed"]
        failing[0] = False
        assert await (await rt.resume(RUN, graph)).result() == "found 12"
    assert len(world.charges) == 1


@pytest.mark.parametrize("effect", ["none", "read", "idempotent"])
async def test_every_other_effect_runs_again_after_a_crash_under_the_same_key(effect: str) -> None:
    """D3, T2: `idempotent` because whoever receives it knows the key."""
    journal, world = MemoryJournal(), World()
    await crash(journal, paying(world, effect), at=OUTCOME)
    async with Runtime(journal) as rt:
        assert await (await rt.resume(RUN, paying(world, effect))).result() == "paid 12"
    assert len(world.charges) == 2
    assert len(set(world.charges)) == 1


async def test_t4_a_crash_after_the_outcome_is_committed_repeats_nothing() -> None:
    """T4, D2."""
    journal, world = MemoryJournal(), World()

    @node
    async def after(x: str) -> str:
        return x

    @dag
    def g(x: int) -> str:
        return after(paying(world)(x))

    await crash(journal, g, at=OUTCOME + 1)
    async with Runtime(journal) as rt:
        assert await (await rt.resume(RUN, g)).result() == "paid 12"
    assert len(world.charges) == 1


def timing_out(world: World, landed: list[bool], **options: Any) -> Node[[int], str]:
    @node(effect="once", timeout=5, **options)
    async def pay(x: int) -> str:
        world.charge()
        if len(landed) > 1 and landed.pop(0):
            await context().sleep(60)
        return f"paid {x}"

    @dag
    def g(x: int) -> str:
        return pay(x)

    return g


async def test_t5_a_timeout_does_not_say_that_the_effect_did_not_land() -> None:
    """T5, E7, D3: a retry policy is not asked."""
    journal, world = MemoryJournal(), World()
    async with Runtime(journal, clock=JumpingClock()) as rt:
        run = await rt.start_as(RUN, timing_out(world, [True, True], retry=3), 12)
        with pytest.raises(Suspended):
            await run.result()
        assert [type(fact) for fact in await facts(journal)][-2:] == [StepUnknown, RunSuspended]
        await rt.resolve(run, "pay", done="paid late")
        assert await run.result() == "paid late"
    assert len(world.charges) == 1


async def test_t5_after_a_timeout_a_check_that_says_not_done_lets_the_retry_policy_decide() -> None:
    """T5, E6."""

    async def find(x: int) -> str:
        raise NotDone(f"no charge of {x}")

    for tries, ending in [(2, "paid 12"), (1, "StepTimeout")]:
        journal, world = MemoryJournal(), World()
        graph = timing_out(world, [True, True], retry=tries, check=find)
        async with Runtime(journal, clock=JumpingClock()) as rt:
            run = await rt.start_as(RUN, graph, 12)
            if tries == 2:
                assert await run.result() == ending
            else:
                with pytest.raises(RunFailed, match=ending):
                    await run.result()
        assert len(world.charges) == tries


async def test_a_node_that_says_not_done_fails_as_any_other_and_may_be_tried_again() -> None:
    """D3, E6: only NotDone says so; whatever else it raises leaves the outcome unknown."""
    journal, refused = MemoryJournal(), [True, True]

    @node(effect="once", retry=3)
    async def pay(x: int) -> str:
        if refused and refused.pop():
            raise NotDone("card declined")
        return f"paid {x}"

    async with Runtime(journal, clock=JumpingClock()) as rt:
        assert await (await rt.start_as(RUN, pay, 12)).result() == "paid 12"
    assert sum(isinstance(fact, AttemptFailed) for fact in await facts(journal)) == 2

    @node(effect="once", retry=3)
    async def breaks(x: int) -> str:
        raise ConnectionResetError(str(x))

    async with Runtime(clock=JumpingClock()) as rt:
        with pytest.raises(Suspended):
            await rt.run(breaks, 1)


async def test_an_input_that_does_not_fit_never_reached_the_effect() -> None:
    """D3, G1: a mistake of ours is an ordinary failure."""

    @node(effect="once")
    async def pay(x: int) -> str:
        raise AssertionError(x)

    def wrong(inputs: Any) -> Any:
        from graphrt.errors import PortError

        raise PortError("pay", "x", [("", f"cannot be {inputs}")])

    pay.read = wrong  # type: ignore[method-assign] # stands for a type that changed since the value was recorded
    async with Runtime() as rt:
        with pytest.raises(RunFailed, match="PortError"):
            await rt.run(pay, 1)


async def test_t6_a_late_result_of_an_abandoned_thread_is_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """T6: the thread cannot be ended; what it returns after its attempt was given up is nobody's output."""
    began, release, ended = threading.Event(), threading.Event(), threading.Event()

    class WhenItBegan(JumpingClock):
        """It does not see threads: the time must not pass before this one is there."""

        async def wait(self, event: anyio.Event, seconds: float | None) -> None:
            if seconds is not None:
                await anyio.to_thread.run_sync(began.wait, 20)
            await super().wait(event, seconds)

    clock = WhenItBegan()

    @node(effect="once", timeout=5)
    def pay(x: int) -> str:
        began.set()
        release.wait(20)
        ended.set()
        return f"paid {x}"

    journal = MemoryJournal()
    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as(RUN, pay, 12)
        with pytest.raises(Suspended):
            await run.result()
        release.set()
        await anyio.to_thread.run_sync(ended.wait)
        await until(lambda: "came to its end after it had been given up" in caplog.text)
        assert not any(isinstance(fact, StepFinished) for fact in await facts(journal))


async def until(holds: Callable[[], bool]) -> None:
    """Let other threads get on until something holds."""
    for _ in range(10_000):
        if holds():
            return
        await anyio.to_thread.run_sync(lambda: None)
    raise AssertionError("it never did")


async def test_the_loser_of_a_race_that_was_dispatched_is_unknown_and_holds_nobody_up() -> None:
    """D3, G5: nobody needs its output, so nobody is asked."""
    journal, world, began = MemoryJournal(), World(), anyio.Event()

    @node(effect="once")
    async def pay(x: int) -> str:
        world.charge()
        began.set()
        await anyio.sleep_forever()
        return f"paid {x}"

    @node
    async def free(x: int) -> str:
        await began.wait()
        return f"free {x}"

    @dag
    def g(x: int) -> str:
        return first(pay(x), free(x))

    async with Runtime(journal) as rt:
        assert await (await rt.start_as(RUN, g, 1)).result() == "free 1"
    assert isinstance((await facts(journal))[-1], RunFinished)


async def test_an_effect_announced_as_once_stays_so_whatever_the_code_says_later() -> None:
    """D3: the journal, not today's decorator, says what was in flight."""
    journal, world = MemoryJournal(), World()
    await crash(journal, paying(world), at=OUTCOME)
    async with Runtime(journal) as rt:
        with pytest.raises(Suspended):
            await (await rt.resume(RUN, paying(world, "read"))).result()
    assert len(world.charges) == 1
    assert sum(isinstance(fact, RunResumed) for fact in await facts(journal)) == 1


def test_a_check_belongs_to_a_once_effect_and_takes_what_its_node_takes() -> None:
    """G4, D3."""

    def check(y: int) -> str:
        return str(y)

    with pytest.raises(UsageError, match="only effect='once' is ever checked"):
        paying(World(), "read", check=str)
    with pytest.raises(GraphError, match="the check 'check' of 'pay' cannot be called"):
        paying(World(), "once", check=check)
    with pytest.raises(UsageError, match="one of none, read, idempotent, once"):
        paying(World(), "twice")
