"""One run has one driver: leases, fences, take-over, and who is told (D7)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from graphrt import Runtime, context, dag, lease, node
from graphrt.errors import JournalConflict, RunCancelled, RunTaken, StaleFence, StoreFull
from graphrt.facts import Fact, RunFinished, RunResumed, RunSuspended, StepStarted
from graphrt.journal import Claim, MemoryJournal, Message, Renewal
from graphrt.nodes import sleep
from graphrt.run import Run
from graphrt.testing import JumpingClock
from graphrt.types import RunId

pytestmark = pytest.mark.anyio

RUN = RunId("r")


class SeenByOthers(MemoryJournal):
    """One whose leases must be renewed, without the threads of a file, which a jumping clock does not wait for."""

    @property
    def private(self) -> bool:
        return False


@node
async def slow(x: int) -> int:
    await context().sleep(100 * context().attempt)
    return x


async def _began(run: Run[int]) -> None:
    async for entry in run.events():
        if isinstance(entry.fact, StepStarted):
            return


async def test_a_second_driver_is_told_who_drives_the_run_and_the_first_finishes() -> None:
    """D7: a lease is held by one."""
    journal, clock = MemoryJournal(), JumpingClock()
    async with Runtime(journal, clock=clock) as one, Runtime(journal, clock=clock) as two:
        run = await one.start_as(RUN, slow, 1)
        await _began(run)
        with pytest.raises(RunTaken, match=rf"driven by process {os.getpid()} on "):
            await two.resume(RUN, slow)
        assert await run.result() == 1


async def test_a_driver_whose_lease_was_taken_over_commits_nothing_more() -> None:
    """D7: the fence is checked in the commit; the zombie is told who has the run."""
    journal, clock = MemoryJournal(), JumpingClock()
    async with Runtime(journal, clock=clock) as one, Runtime(journal, clock=clock) as two:
        zombie = await one.start_as(RUN, slow, 1)
        await _began(zombie)
        fence = await journal.claim(RUN, Claim("elsewhere", clock.time + 1e6), at=clock.time + 1000)
        assert fence == 2
        before = await journal.read(RUN)
        with pytest.raises(StaleFence, match=r"taken over by elsewhere .fence 2, this driver has 1"):
            await zombie.result()
        assert await journal.read(RUN) == before
        with pytest.raises(RunTaken, match="driven by elsewhere"):
            await two.resume(RUN, slow)


async def test_the_lease_of_a_driver_that_has_ended_is_free_at_once() -> None:
    """D7: whoever left his runtime at the last commit is in nobody's way; nor is one that died in it."""
    journal, clock = MemoryJournal(), JumpingClock()
    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as(RUN, slow, 1)
        await _began(run)
        driver = rt.driver_of(RUN)
        assert driver is not None
        driver.stop()
    assert (await journal.info(RUN)).driver is None
    await journal.claim(RUN, Claim(lease.begin(), clock.time + 1e6), at=clock.time)
    lease.end((await journal.info(RUN)).driver or "")
    async with Runtime(journal, clock=clock) as rt:
        assert await (await rt.resume(RUN, slow)).result() == 1
    fences = [e.fact.fence for e in await journal.read(RUN) if isinstance(e.fact, RunResumed)]
    assert fences == [3]


async def test_leases_are_renewed_while_their_runs_go_on() -> None:
    """D7: a step that takes longer than a lease keeps it."""
    clock = JumpingClock()
    async with Runtime(SeenByOthers(), clock=clock, lease=30) as rt:
        run = await rt.start_as(RUN, slow, 1)
        await _began(run)
        await clock.wait(anyio.Event(), 50)
        info = await run.info()
        assert info.lease is not None
        assert info.lease > clock.time
        assert await run.result() == 1


async def test_a_driver_learns_from_its_renewal_that_it_lost_the_run() -> None:
    """D7: also in the middle of a step that commits nothing for long."""
    clock = JumpingClock()
    async with Runtime(SeenByOthers(), clock=clock, lease=9) as rt:
        run = await rt.start_as(RUN, slow, 1)
        await _began(run)
        await rt.journal.claim(RUN, Claim("elsewhere", clock.time + 1e6), at=clock.time + 1000)
        before = clock.time
        with pytest.raises(StaleFence):
            await run.result()
        assert clock.time - before <= 9


class SlowToAnswer(SeenByOthers):
    """One whose renewals are made at once and answered when something else has been committed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = anyio.Event(), anyio.Event()

    async def renew(self, driver: str, *, until: float) -> Renewal:
        renewal = await super().renew(driver, until=until)
        self.asked.set()
        await self.answer.wait()
        return renewal


async def test_a_run_begun_while_leases_are_renewed_is_not_taken_for_lost() -> None:
    """D7: the answer is older than the run."""
    journal, clock = SlowToAnswer(), JumpingClock()
    async with Runtime(journal, clock=clock, lease=9) as rt:
        first = await rt.start_as(RUN, slow, 1)
        await journal.asked.wait()
        second = await rt.start_as("second", slow, 2)
        await _began(second)
        journal.answer.set()
        assert (await first.result(), await second.result()) == (1, 2)


async def test_a_run_that_lets_itself_go_while_leases_are_renewed_is_not_taken_for_lost() -> None:
    """D7: its own last commit gave the lease back before the renewal, and answers after it."""

    class Crossing(SlowToAnswer):
        async def append(self, run: RunId, after: int, facts: Sequence[Fact], **rest: Any) -> None:
            await super().append(run, after, facts, **rest)
            if isinstance(facts[-1], RunSuspended):
                self.answer = anyio.Event()
                self.asked = anyio.Event()
                await self.asked.wait()  # a renewal was made that no longer found the lease
                self.answer.set()
                await anyio.wait_all_tasks_blocked()

    journal, clock = Crossing(), JumpingClock()
    journal.answer.set()

    @dag
    def g(x: int) -> int:
        return sleep(x, 3600)

    async with Runtime(journal, clock=clock, lease=9, linger=0.0) as rt:
        assert await (await rt.start_as(RUN, g, 1)).result() == 1


@pytest.mark.parametrize("last", [RunSuspended, RunFinished])
async def test_a_last_commit_that_cannot_be_made_leaves_the_run_to_others(last: type[Fact]) -> None:
    """D7, D13: it did not end and does not sleep; whoever can write takes it up at once."""

    class FullOnce(SeenByOthers):
        full = True

        async def append(self, run: RunId, after: int, facts: Sequence[Fact], **rest: Any) -> None:
            if self.full and isinstance(facts[-1], last):
                self.full = False
                raise StoreFull(self.name)
            await super().append(run, after, facts, **rest)

    @dag
    def g(x: int) -> int:
        return sleep(x, 3600)

    journal, clock = FullOnce(), JumpingClock()
    async with Runtime(journal, clock=clock, linger=0.0) as one, Runtime(journal, clock=clock) as two:
        run = await one.start_as(RUN, g, 1)
        with pytest.raises(StoreFull):
            await run.result()
        info = await run.info()
        assert (info.status, info.driver, one.sleeper_of(RUN)) == ("running", None, None)
        assert await (await two.resume(RUN, g)).result() == 1


async def test_cancelling_reaches_the_driver_of_another_process_with_its_renewal() -> None:
    """D7, E8: the attempt is stopped and cleaned up there, and the canceller waits for that."""
    clock, cleaned = JumpingClock(), []

    @node
    async def careful(x: int) -> int:
        try:
            await context().sleep(1000)
        finally:
            cleaned.append(x)
        return x

    journal = SeenByOthers()
    async with Runtime(journal, clock=clock) as one, Runtime(journal, clock=clock) as two:
        run = await one.start_as(RUN, careful, 1)
        await _began(run)
        await two.cancel(RUN)
        assert cleaned == [1]
        with pytest.raises(RunCancelled):
            await run.result()


async def test_a_wish_to_cancel_is_used_up_by_the_cancelling_and_does_not_outlive_it() -> None:
    """E8: its driver died before it heard of it; the run that is resumed later is not cancelled again."""
    journal, clock = SeenByOthers(), JumpingClock()
    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as(RUN, slow, 1)
        await _began(run)
        await journal.send(Message("asked", RUN, "cancel"))
        driver = rt.driver_of(RUN)
        assert driver is not None
        driver.stop()
    async with Runtime(journal, clock=clock) as rt:
        await rt.cancel(RUN)
        assert await journal.inbox() == []
        assert await (await rt.resume(RUN, slow)).result() == 1


async def test_a_wish_to_cancel_that_came_too_late_does_not_cancel_the_run_that_is_resumed() -> None:
    """E8: two people cancel at once, and the second wish arrives while the first is being carried out."""
    journal, clock = SeenByOthers(), JumpingClock()

    @node
    async def tidies(x: int) -> int:
        if context().attempt == 1:
            try:
                await anyio.sleep_forever()
            finally:
                await journal.send(Message("late", RUN, "cancel"))
        return x

    async with Runtime(journal, clock=clock) as rt:
        run = await rt.start_as(RUN, tidies, 1)
        await _began(run)
        await rt.cancel(RUN)
        assert [message.id for message in await journal.inbox()] == ["late"]
        assert await (await rt.resume(RUN, tidies)).result() == 1
        assert await journal.inbox() == []


async def test_a_run_that_another_process_has_taken_up_with_a_new_graph_is_not_taken_back() -> None:
    """D11: whoever let it sleep wakes it only if it is still what it was."""
    journal, clock = SeenByOthers(), JumpingClock()

    @dag(name="g")
    def old(x: int) -> int:
        return sleep(x, 100)

    @node
    async def later(x: int) -> int:
        return x + 1

    @dag(name="g")
    def new(x: int) -> int:
        return later(sleep(x, 100))

    async with Runtime(journal, clock=clock) as one:
        run = await one.start_as(RUN, old, 1)
        while (await run.info()).status != "suspended":
            await clock.wait(anyio.Event(), 1)
        async with Runtime(journal, clock=clock) as two:
            other = await two.resume(RUN, new)
            assert await other.result() == 2
    assert (await journal.info(RUN)).fingerprint == new.fingerprint


def test_a_driver_counts_as_dead_only_where_that_can_be_seen() -> None:
    """D7: the fence decides; this only saves waiting for the lease to expire."""
    mine = lease.begin()
    assert not lease.is_dead(mine)
    lease.end(mine)
    assert lease.is_dead(mine)
    machine = mine.rsplit(":", 3)[0]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = lease._started(child.pid)
        assert not lease.is_dead(f"{machine}:{child.pid}:{started}:x")
        assert lease.is_dead(f"{machine}:{child.pid}:{int(started) - 1}:x")
        child.kill()
        child.wait()
        assert lease.is_dead(f"{machine}:{child.pid}:{started}:x")
    assert not lease.is_dead(f"another-machine:{child.pid}:{started}:x")
    assert not lease.is_dead("whatever")


def test_a_stale_fence_is_a_conflict() -> None:
    """D7: who handles one handles the other."""
    assert issubclass(StaleFence, JournalConflict)


async def test_a_run_that_is_taken_up_while_its_inbox_is_read_is_not_taken_up_again() -> None:
    """D7: whoever watches the runs that sleep goes on watching the others."""

    class SlowInbox(SeenByOthers):
        def __init__(self) -> None:
            super().__init__()
            self.asked, self.answer = anyio.Event(), anyio.Event()

        async def inbox(self, run: RunId | None = None) -> list[Message]:
            mail = await super().inbox(run)
            if run == RUN and clock.time >= due and not self.asked.is_set():
                self.asked.set()
                await self.answer.wait()
            return mail

    @dag
    def napping(x: int) -> int:
        return sleep(x, 60)

    journal, clock = SlowInbox(), JumpingClock()
    due = clock.time + 60
    async with Runtime(journal, clock=clock) as rt:
        run, other = await rt.start_as(RUN, napping, 1), await rt.start_as("other", napping, 2)
        await journal.asked.wait()
        assert await (await rt.resume(RUN, napping)).result() == 1
        journal.answer.set()
        assert (await run.result(), await other.result()) == (1, 2)
