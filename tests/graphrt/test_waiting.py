"""Waiting for the world: timers, signals, people; suspended meanwhile, and moved by nothing else (D4, G5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from graphrt import Final, Machine, Runtime, State, Suspended, context, dag, each, first, node
from graphrt.errors import GraphError, MessageConflict, RunCancelled, RunFailed, RunOver, UsageError
from graphrt.facts import Fact, MessageRefused, RunResumed, RunSuspended, StepFinished, StepWaiting
from graphrt.journal import Journal, MemoryJournal, RunInfo
from graphrt.nodes import answered, person, signal, sleep, sleep_until
from graphrt.testing import BreakingJournal, BrokenOff, JumpingClock
from graphrt.types import RunId

pytestmark = pytest.mark.anyio

DAY = 86_400.0


class Payment(BaseModel):
    amount: int


paid = signal("paid", Payment)


@person("Refund {{ amount }} to {{ customer }}?", to="finance")
def approve(customer: str, amount: int) -> bool:
    return answered()


@node
async def settle(paid: Payment, plus: int) -> int:
    return paid.amount + plus


@dag
def order(plus: int) -> int:
    return settle(paid(), plus)


@dag
def refund(customer: str) -> bool:
    return approve(customer, 12)


async def kinds(journal: Journal, run: str) -> list[str]:
    return [entry.fact.kind for entry in await journal.read(run)]  # type: ignore[arg-type] # a run id


# Timers.


async def test_a_timer_is_due_when_it_was_from_the_start_however_often_the_process_dies() -> None:
    """D4, D8: the instant is absolute and recorded; a crash does not make the wait longer."""

    @dag
    def g(x: int) -> int:
        return sleep(x, 3 * DAY)

    journal, clock = MemoryJournal(), JumpingClock()
    began = clock.time
    async with Runtime(BreakingJournal(journal, 3), clock=clock) as rt:
        with pytest.raises(BrokenOff):
            await (await rt.start_as("r", g, 7)).result()
    back = clock.time = clock.time + DAY
    async with Runtime(journal, clock=clock) as rt:
        assert await (await rt.resume("r", g)).result() == 7
    waits = [entry.fact for entry in await journal.read("r") if isinstance(entry.fact, StepWaiting)]  # type: ignore[arg-type]
    assert [wait.until for wait in waits] == [began + 3 * DAY]
    assert clock.time == pytest.approx(max(began + 3 * DAY, back))


async def test_a_timer_that_came_due_while_no_process_was_there_is_due_at_once() -> None:
    """D4."""

    @dag
    def g(x: int) -> int:
        return sleep(x, DAY)

    journal, clock = MemoryJournal(), JumpingClock()
    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as("r", g, 7)
        await _until_suspended(rt, run.id)
    clock.time += 2 * DAY
    later = clock.time
    async with Runtime(journal, clock=clock) as rt:
        assert await (await rt.resume("r", g)).result() == 7
    assert clock.time == later


async def test_sleep_until_an_instant_and_until_one_that_has_gone_by() -> None:
    """G5: `sleep_until` takes a datetime, with or without a zone."""
    clock = JumpingClock()
    soon = datetime.fromtimestamp(clock.time + 60, tz=UTC)

    @dag
    def g(at: datetime, x: str) -> str:
        return sleep_until(sleep_until(x, at), datetime(2001, 1, 1))  # noqa: DTZ001 - UTC where none is said

    async with Runtime(clock=clock) as rt:
        assert await rt.run(g, at=soon, x="awake") == "awake"
    assert clock.time == pytest.approx(soon.timestamp())


async def test_a_run_that_only_sleeps_is_suspended_and_costs_no_state() -> None:
    """G5: result() waits for it all the same, and its driver is gone meanwhile."""

    @dag
    def g(x: int) -> int:
        return sleep(x, DAY)

    journal, clock = MemoryJournal(), JumpingClock()
    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as("r", g, 7)
        driver = rt.driver_of(run.id)
        assert await run.result() == 7
        assert driver is not None
        assert driver.state.root is None
    assert await kinds(journal, "r") == [
        "run started", "waiting", "run suspended", "run resumed", "finished", "run finished",
    ]  # fmt: skip


async def test_leaving_the_runtime_does_not_wait_for_what_sleeps() -> None:
    """E3: what is suspended is not in motion; it is taken up by whoever comes next."""

    @dag
    def g(x: int) -> int:
        return sleep(x, 1000 * DAY)

    clock = JumpingClock()
    before, journal = clock.time, MemoryJournal()
    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as("r", g, 7)
        await _until_suspended(rt, run.id)
    assert clock.time - before < DAY
    assert (await journal.info(run.id)).status == "suspended"
    assert (await journal.info(run.id)).driver is None


async def test_a_run_whose_timer_becomes_near_while_it_lingers_rests_until_then() -> None:
    """D4, E10: it is not let go any more, and does not look at the clock again and again either."""

    @dag
    def g(x: int) -> int:
        return sleep(x, 30.5)

    async with Runtime(clock=JumpingClock()) as rt:
        with anyio.fail_after(20):
            assert await rt.run(g, 1) == 1


async def test_a_timer_that_lost_its_race_comes_due_in_vain() -> None:
    """G5, E10: nobody needs it any more; the run rests until there is something to do."""

    @node
    async def quick(x: int) -> int:
        return x

    @node
    async def slow(x: int) -> int:
        await context().sleep(100)
        return x

    @dag
    def g(x: int) -> tuple[int, int]:
        return first(quick(x), sleep(x, 10)), slow(x)

    async with Runtime(clock=JumpingClock()) as rt:
        with anyio.fail_after(20):  # else it would look at the clock again and again, which never got past 10
            assert await rt.run(g, 1) == (1, 1)


async def test_a_run_that_wakes_while_its_end_is_looked_at_has_not_ended() -> None:
    """D4: what its journal says just then is not taken for the last word."""

    class Late(MemoryJournal):
        """Says where a suspended run stands only when that is no longer so, once."""

        def __init__(self) -> None:
            super().__init__()
            self.late = False
            self.resumed = anyio.Event()

        async def info(self, run: RunId) -> RunInfo:
            if self.late and (await super().info(run)).status == "suspended":
                self.late = False
                await self.resumed.wait()
            return await super().info(run)

        async def append(self, run: RunId, after: int, facts: Sequence[Fact], **rest: Any) -> None:
            await super().append(run, after, facts, **rest)
            if isinstance(facts[0], RunResumed):
                self.resumed.set()

    @dag
    def g(x: int) -> tuple[int, Payment]:
        return sleep(x, DAY), paid()

    journal = Late()
    async with Runtime(journal, clock=JumpingClock(), linger=0.0) as rt:
        run = await rt.start_as("r", g, 1)
        async for _ in run.events():
            pass
        journal.late = True
        with pytest.raises(Suspended, match="paid waits for the signal paid"):
            await run.result()
        await rt.signal(run, "paid", Payment(amount=2))
        assert await run.result() == (1, Payment(amount=2))


async def test_a_machine_may_sleep_between_its_states() -> None:
    """G5: what a timer passes on is still the state it was."""

    class Trying(State):
        left: int

    class Done(Final):
        tries: int

    machine = Machine("machine", start=Trying, end=Done)

    @node
    async def attempt(state: Trying) -> Trying | Done:
        return Trying(left=state.left - 1) if state.left else Done(tries=3)

    @machine.on
    @dag
    def patient(state: Trying) -> Trying | Done:
        return sleep(attempt(state), 60)

    clock = JumpingClock()
    before = clock.time
    async with Runtime(clock=clock) as rt:
        assert (await rt.run(machine, left=2)).tries == 3
    assert clock.time - before == pytest.approx(180)


# Signals.


async def test_a_signal_is_taken_by_the_step_that_waits_for_it() -> None:
    """G5: and the run was suspended meanwhile."""
    journal = MemoryJournal()
    async with Runtime(journal, clock=JumpingClock()) as rt:
        run = await rt.start_as("r", order, 1)
        with pytest.raises(Suspended, match="graphrt signal r paid JSON"):
            await run.result()
        assert await rt.signal(run, "paid", Payment(amount=41))
        assert await run.result() == 42
        assert await journal.inbox() == []


async def test_a_signal_that_comes_before_anybody_waits_is_kept() -> None:
    """G5, D1: it is in the inbox until a step takes it, in that step's own commit."""
    journal, clock = MemoryJournal(), JumpingClock()

    @node
    async def slow(x: int) -> int:
        from graphrt import context

        await context().sleep(60)
        return x

    @node
    async def both(x: int, payment: Payment) -> int:
        return x + payment.amount

    gate = signal("gate", int)

    @dag
    def g(x: int) -> int:
        return both(slow(gate()), paid())

    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as("r", g, 1)
        await rt.signal(run, "paid", {"amount": 4})
        await rt.signal(run, "gate", 1)
        assert await run.result() == 5


async def test_the_same_message_twice_changes_nothing_and_another_under_its_id_is_refused() -> None:
    """G5: unique ids make a sender's retry harmless."""
    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start(order, 1)
        await _until_suspended(rt, run.id)
        both = signal("other", int)
        assert both.kind == "signal"
        assert await rt.signal(run, "other", 1, id="m1")
        assert not await rt.signal(run, "other", 1, id="m1")
        with pytest.raises(MessageConflict):
            await rt.signal(run, "other", 2, id="m1")
        await rt.signal(run, "paid", {"amount": 1})
        assert await run.result() == 2
        with pytest.raises(RunOver):
            await rt.signal(run, "paid", {"amount": 1})


async def test_steps_that_wait_for_one_name_are_served_in_the_order_in_which_they_began_to() -> None:
    """G5, E4."""
    tick = signal("tick", int)

    @dag
    def g(n: int) -> list[int]:
        return [tick(), tick(), tick()]

    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start(g, 1)
        for value in (10, 20, 30):
            await rt.signal(run, "tick", value)
        assert await run.result() == [10, 20, 30]


async def test_a_signal_that_does_not_fit_is_refused_recorded_and_the_step_waits_on() -> None:
    """G1: at the sender where the graph is known, else when it is taken."""
    journal, clock = MemoryJournal(), JumpingClock()
    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as("r", order, 1)
        await _until_suspended(rt, run.id)
        await rt.signal(run, "paid", {"amount": "many"})
        await _until_suspended(rt, run.id, after=MessageRefused)
        refused = [entry.fact for entry in await journal.read(run.id) if isinstance(entry.fact, MessageRefused)]
        assert "/amount" in refused[0].failure.message
        await rt.signal(run, "paid", {"amount": 1})
        assert await run.result() == 2


async def test_a_crash_between_sending_and_taking_neither_loses_nor_doubles_a_message() -> None:
    """D1: for every commit there is."""
    tick = signal("tick", int)

    @node
    async def total(values: list[int]) -> int:
        return sum(values)

    @dag
    def g(n: int) -> int:
        return total([tick(), tick()])

    for broken in range(2, 12):
        journal, clock = MemoryJournal(), JumpingClock()
        async with Runtime(journal, clock=clock) as rt:
            run = await rt.start_as("r", g, 1)
            await _until_suspended(rt, run.id)
        breaking = BreakingJournal(journal, broken - 1)
        try:
            async with Runtime(breaking, clock=clock) as rt:
                run = await rt.resume("r", g)
                await rt.signal(run, "tick", 1, id="one")
                await rt.signal(run, "tick", 2, id="two")
                await run.result()
        except BrokenOff:
            pass
        async with Runtime(journal, clock=clock) as rt:
            run = await rt.resume("r", g)
            if (await run.info()).status != "finished":
                await rt.signal(run, "tick", 1, id="one")
                await rt.signal(run, "tick", 2, id="two")
            assert await run.result() == 3


# A or B or a deadline.


@pytest.mark.parametrize(("after", "expected"), [(10.0, 5), (1000.0, None)])
async def test_a_signal_or_a_deadline_whichever_is_first_and_the_winner_is_recorded(
    after: float, expected: int | None
) -> None:
    """G5: the journal's order is the winner's, so a resumed run keeps it."""
    ready = signal("ready", int)

    @dag
    def g(x: int) -> int | None:
        return first(ready(), sleep(None, 100))

    journal, clock = MemoryJournal(), JumpingClock()
    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as("r", g, 1)

        async def send() -> None:
            await clock.wait(anyio.Event(), after)
            if (await run.info()).status != "finished":
                await rt.signal(run, "ready", 5)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            assert await run.result(wait=True) == expected
            tasks.cancel_scope.cancel()
    finished = [entry.fact.step for entry in await journal.read(run.id) if isinstance(entry.fact, StepFinished)]
    assert finished == (["ready"] if expected else ["sleep"])
    async with Runtime(journal, clock=clock) as rt:
        assert await (await rt.resume("r", g)).result() == expected


# People.


async def test_a_person_is_asked_and_nothing_runs_again_because_of_it() -> None:
    """D4: the run is suspended with the question in its journal; the answer moves it."""
    ran = Counter[str]()

    @node
    async def before(customer: str) -> str:
        ran["before"] += 1
        return customer

    @node
    async def after(yes: bool) -> str:
        ran["after"] += 1
        return "refunded" if yes else "kept"

    @dag
    def g(customer: str) -> str:
        return after(approve(before(customer), 12))

    journal, clock = MemoryJournal(), JumpingClock()
    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as("r", g, "Emma")
        with pytest.raises(Suspended, match=r"approve asks: Refund 12 to Emma\?: graphrt answer r approve JSON"):
            await run.result()
        [(info, asked)] = await rt.inbox()
        assert (info.id, asked.step, asked.name) == ("r", "approve", "Refund 12 to Emma?")
        await rt.answer(run, "approve", value=True)
        assert await run.result() == "refunded"
        assert await rt.inbox() == []
    assert ran == {"before": 1, "after": 1}


async def test_a_run_that_still_does_other_work_asks_too() -> None:
    """D4: nobody has to wait for it to be suspended, neither to see the question nor to answer it."""

    @node
    async def work(customer: str) -> str:
        await let_go.wait()
        return customer

    @node
    def both(customer: str, yes: bool) -> str:
        return f"{customer}: {yes}"

    @dag
    def g(customer: str) -> str:
        return both(work(customer), approve(customer, 12))

    let_go = anyio.Event()
    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start(g, "Emma")
        with pytest.raises(UsageError, match=r"\(yet: it can be given one once it is in the inbox\)"):
            await rt.answer(run, "approve", value=True)
        async for entry in run.events():
            if isinstance(entry.fact, StepWaiting):
                break
        [(info, asked)] = await rt.inbox()
        assert (info.status, asked.step) == ("running", "approve")
        await rt.answer(run, "approve", value=True)
        let_go.set()
        assert await run.result() == "Emma: True"


async def test_an_answer_that_does_not_fit_is_refused_and_the_question_stands() -> None:
    """G1, D4."""
    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start_as("r", refund, "Emma")
        await _until_suspended(rt, run.id)
        await rt.answer(run, "approve", "perhaps")
        await _until_suspended(rt, run.id, after=MessageRefused)
        with pytest.raises(Suspended):
            await run.result()
        await rt.answer(run, "approve", value=False)
        assert await run.result() is False


async def test_only_a_step_that_asks_can_be_answered() -> None:
    """D4: the error names those that do."""
    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start_as("r", refund, "Emma")
        await _until_suspended(rt, run.id)
        with pytest.raises(UsageError, match=r"'aprove' of run r .suspended. does not wait.*: approve"):
            await rt.answer(run, "aprove", value=True)


async def test_people_are_asked_about_every_item_at_once() -> None:
    """G5: a question holds no permit, so the limit on steps in flight does not hold it up."""

    @dag
    def g(customers: list[str]) -> list[bool]:
        return each(approve, customers, 3)

    async with Runtime(clock=JumpingClock(), concurrency=1) as rt:
        run = await rt.start_as("r", g, ["Emma", "Noah", "Mia"])
        await _until_suspended(rt, run.id)
        assert [asked.step for _, asked in await rt.inbox()] == [f"each:approve[{n}]" for n in range(3)]
        for n, yes in enumerate([True, False, True]):
            await rt.answer(run, f"each:approve[{n}]", yes)
        assert await run.result(wait=True) == [True, False, True]


async def test_a_question_that_cannot_be_put_fails_its_step() -> None:
    """G1: a template may fail on a value."""

    @person("Half of it is {{ 12 // amount }}")
    def ask(amount: int) -> bool:
        return answered()

    @dag
    def g(amount: int) -> bool:
        return ask(amount)

    async with Runtime(clock=JumpingClock()) as rt:
        with pytest.raises(RunFailed, match="cannot be rendered"):
            await rt.run(g, 0)


# Cancelling, and other processes.


async def test_a_suspended_run_is_cancelled_without_anybody_driving_it() -> None:
    """E8."""
    journal = MemoryJournal()
    async with Runtime(journal, clock=JumpingClock()) as rt:
        run = await rt.start_as("r", refund, "Emma")
        await _until_suspended(rt, run.id)
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
    assert (await journal.info(run.id)).status == "cancelled"


async def test_a_run_suspended_in_one_runtime_goes_on_in_another(tmp_path: Path) -> None:
    """D7: the message waits in the store; whoever resumes the run takes it."""
    store, clock = tmp_path / "runs.db", JumpingClock()
    async with Runtime(store, clock=clock) as rt:
        run = await rt.start_as("r", order, 1)
        await _until_suspended(rt, run.id)
    async with Runtime(store, clock=clock) as rt:
        await rt.signal("r", "paid", {"amount": 41})
    async with Runtime(store, clock=clock) as rt:
        assert await (await rt.resume("r", order)).result() == 42


async def test_a_process_that_serves_takes_up_what_nobody_drives(tmp_path: Path) -> None:
    """D7: a timer that is due, a message that came, a driver that died, without a person."""
    clock = JumpingClock()

    @dag
    def nap(x: int) -> int:
        return sleep(x, DAY)

    @node
    async def work(x: int) -> int:
        return x

    store = tmp_path / "runs.db"
    async with Runtime(store, clock=clock) as rt:
        napping, ordered = await rt.start_as("nap", nap, 1), await rt.start_as("order", order, 1)
        await _until_suspended(rt, napping.id)
        await _until_suspended(rt, ordered.id)
    async with Runtime(store, clock=clock) as rt:
        broken = Runtime(BreakingJournal(rt.journal, 2), clock=clock)
        async with broken:
            with pytest.raises(BrokenOff):
                await (await broken.start_as("died", work, 3)).result()
        await rt.signal("order", "paid", {"amount": 2})
        clock.time += 2 * DAY
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rt.serve, nap, order, work)
            ends: dict[str, str] = {}
            while len(ends) < 3:
                await clock.wait(anyio.Event(), 1)
                ends = {info.id: info.status for info in await rt.runs(status="finished")}
            tasks.cancel_scope.cancel()
        assert await (await rt.get("order")).result() == 3


async def _until_suspended(rt: Runtime, run: str, after: type | None = None) -> None:
    """Let the run get on until it is suspended, for the second time if it is to have done something first."""
    entries: list[object] = []
    for _ in range(1000):
        entries = [entry.fact for entry in await rt.journal.read(run)]  # type: ignore[arg-type] # a run id
        if isinstance(entries[-1], RunSuspended) and (after is None or any(isinstance(f, after) for f in entries)):
            return
        await rt.clock.wait(anyio.Event(), 2)
    raise AssertionError(entries)


def test_what_cannot_wait_is_a_mistake_at_definition() -> None:
    """G4."""
    with pytest.raises(GraphError, match="asks for 'amont', which is no parameter"):

        @person("Refund {{ amont }}?")
        def ask(amount: int) -> bool:
            return answered()

    with pytest.raises(UsageError, match=r"sleep\(...\) was called outside the body of a @dag"):
        sleep(1, 2)
    with pytest.raises(UsageError, match="cannot name a node"):
        signal("a/b", int)
