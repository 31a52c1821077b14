"""Named limits: never exceeded, shared by runs, fair between them, and memory that follows the limit (E5)."""

import anyio
import pytest

from graphrt import Retry, Runtime, context, dag, each, first, node
from graphrt.errors import UsageError
from graphrt.facts import RunSuspended
from graphrt.journal import MemoryJournal
from graphrt.limits import Limits
from graphrt.testing import BreakingJournal, BrokenOff, JumpingClock
from graphrt.tree import Step

pytestmark = pytest.mark.anyio


class Gauge:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.order: list[str] = []

    async def hold(self, seconds: float) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.order.append(context().run)
        try:
            await context().sleep(seconds)
        finally:
            self.inside -= 1


async def test_a_limit_is_never_exceeded_by_all_runs_together() -> None:
    """E5, S6: two runs with retries that come due at once, and never more than two inside."""
    gauge = Gauge()

    @node(limit="door", retry=Retry(3, base=0))
    async def enter(x: int) -> int:
        await gauge.hold(1)
        if context().attempt < 3:
            raise ValueError(x)
        return x

    @dag
    def crowd(xs: list[int]) -> list[int]:
        return each(enter, xs)

    async with Runtime(limits={"door": 2}, clock=JumpingClock()) as rt:
        runs = [await rt.start(crowd, list(range(5))) for _ in range(2)]
        assert [await run.result() for run in runs] == [[0, 1, 2, 3, 4]] * 2
    assert (gauge.most, len(gauge.order)) == (2, 30)


async def test_a_run_with_a_thousand_items_cannot_starve_one_with_two() -> None:
    """E5, S6: while others wait, permits go round."""
    gauge = Gauge()

    @node(limit="door")
    async def enter(x: int) -> int:
        await gauge.hold(1)
        return x

    @dag
    def crowd(xs: list[int]) -> list[int]:
        return each(enter, xs)

    async with Runtime(limits={"door": 4}, clock=JumpingClock()) as rt:
        large = await rt.start_as("large", crowd, list(range(1000)))
        async for _ in large.events():
            if len(gauge.order) >= 8:
                break
        small = await rt.start_as("small", crowd, [1, 2])
        assert await small.result() == [1, 2]
        assert len(gauge.order) < 32
        await large.cancel()


async def test_whoever_waits_for_a_permit_it_no_longer_needs_makes_way() -> None:
    """E5: the loser of a race leaves the line, so that the run behind it is not held up for ever."""
    inside = anyio.Event()
    opened = anyio.Event()

    @node(limit="door")
    async def enter(x: int) -> int:
        inside.set()
        await opened.wait()
        return x

    @node(limit="door")
    async def other(x: int) -> int:
        return x

    @node
    async def quick(x: int) -> int:
        await inside.wait()
        return x

    @node
    async def forever(x: int) -> int:
        await anyio.sleep_forever()
        return x

    @dag
    def race(x: int) -> list[int]:
        return [first(other(x), quick(x)), forever(x)]

    async with Runtime(limits={"door": 1}) as rt:
        holder = await rt.start(enter, 1)
        await inside.wait()
        racing = await rt.start(race, 2)
        async for entry in racing.events():
            if entry.fact.kind == "finished":
                break
        behind = await rt.start(other, 3)
        opened.set()
        with anyio.fail_after(10):
            assert (await holder.result(), await behind.result()) == (1, 3)
        await racing.cancel()


async def test_a_driver_that_cannot_commit_keeps_no_permit() -> None:
    """E5: what it took for the steps it could not start is given back."""

    @node(limit="door")
    async def enter(x: int) -> int:
        return x

    limits = {"door": 1}
    async with Runtime(BreakingJournal(MemoryJournal(), 2), limits=limits) as rt:
        with pytest.raises(BrokenOff):
            await (await rt.start(enter, 1)).result()
        assert rt.limits.room("door", None) == 1  # type: ignore[arg-type] # nobody in particular


async def test_waiting_for_a_permit_with_a_retry_due_does_not_spin() -> None:
    """E5, E6: the loop rests until a permit is free."""
    looked: list[float] = []

    class Clock(JumpingClock):
        async def wait(self, event: anyio.Event, seconds: float | None) -> None:
            looked.append(self.time)
            await super().wait(event, seconds)

    @node(limit="door")
    async def hold(x: int) -> int:
        await context().sleep(100)
        return x

    @node(limit="door", retry=Retry(2, base=0))
    async def shaky(x: int) -> int:
        if context().attempt == 1:
            hogs.start_soon(hog)
            await anyio.lowlevel.checkpoint()
            raise ValueError(x)
        return x

    async with Runtime(limits={"door": 1}, clock=Clock()) as rt, anyio.create_task_group() as hogs:

        async def hog() -> None:
            await rt.run(hold, 1)

        with anyio.fail_after(20):
            assert await rt.run(shaky, 1) == 1
    assert len(looked) < 30


async def test_a_run_that_waits_for_a_permit_does_not_wait_for_the_world() -> None:
    """E5, E10: a retry that is due and finds no room keeps its run in memory; to suspend it would be to wake it at
    once, for ever."""
    holding = anyio.Event()

    @node(limit="door")
    async def hold(x: int) -> int:
        holding.set()
        await context().sleep(100)
        return x

    @node(limit="door", retry=Retry(2, base=0))
    async def shaky(x: int) -> int:
        if context().attempt == 1:
            others.start_soon(lambda: rt.run(hold, 1))  # is next in line when this attempt gives its permit back
            await context().sleep(1)
            raise ValueError(x)
        return x

    async with Runtime(limits={"door": 1}, clock=JumpingClock(), linger=0.0) as rt, anyio.create_task_group() as others:
        run = await rt.start(shaky, 2)
        with anyio.fail_after(20):
            assert await run.result() == 2
        assert holding.is_set()
        assert not any(isinstance(entry.fact, RunSuspended) for entry in await rt.journal.read(run.id))


async def test_memory_follows_the_limit_and_not_the_width() -> None:
    """E5, S6: of 2,000 items never more than the limit are open as steps."""
    most = 0

    @node
    async def small(x: int) -> int:
        return x

    @dag
    def wide(xs: list[int]) -> list[int]:
        return each(small, xs)

    async with Runtime(concurrency=16) as rt:
        run = await rt.start(wide, list(range(2000)))
        driver = run._driver
        assert driver is not None
        async for _ in run.events():
            most = max(most, sum(isinstance(step, Step) for step in driver.state.steps.values()))
        assert await run.result() == list(range(2000))
    assert 1 <= most <= 16


def test_a_limit_that_lets_nobody_in_is_refused() -> None:
    """E5: at definition, by name."""
    with pytest.raises(UsageError, match="'x': 0"):
        Limits({"x": 0})


async def test_a_graph_says_which_limits_it_misses() -> None:
    """E5: before anything is recorded."""

    @node(limit="door")
    async def enter(x: int) -> int:
        return x

    async with Runtime() as rt:
        with pytest.raises(UsageError, match=r"Runtime\(limits=\{'door': 8\}\)"):
            await rt.start(enter, 1)
        assert await rt.runs() == []
