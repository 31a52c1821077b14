"""Total, first and idle: what took too long is stopped, and what it had written is discarded (E7)."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from graphrt import Retry, Runtime, Timeout, context, node
from graphrt.errors import RunFailed, UsageError
from graphrt.facts import Emitted, StepFinished
from graphrt.node import Node
from graphrt.testing import JumpingClock

pytestmark = pytest.mark.anyio


async def outcome(slow: Node[Any, int]) -> tuple[str, float]:
    """What a run says, and after how many seconds."""
    clock = JumpingClock(0.0)
    async with Runtime(clock=clock) as rt:
        try:
            return str(await rt.run(slow, 1)), clock.time
        except RunFailed as failed:
            return getattr(failed.__cause__, "kind", repr(failed)), clock.time


def talking(*pauses: float, **options: Any) -> Node[Any, int]:
    @node(**options)
    async def talks(x: int) -> int:
        for pause in pauses:
            await context().sleep(pause)
            context().progress("word")
        return x

    return talks


@pytest.mark.parametrize(
    ("patience", "pauses", "expected"),
    [
        (10, (9,), ("1", 9.0)),
        (10, (11,), ("total", 10.0)),
        (Timeout(first=5), (6,), ("first", 5.0)),
        (Timeout(first=5), (4, 60), ("1", 64.0)),
        (Timeout(idle=5), (4, 4, 4), ("1", 12.0)),
        (Timeout(idle=5), (4, 6), ("idle", 9.0)),
        (Timeout(idle=5), (6,), ("idle", 5.0)),
        (Timeout(total=10, first=3, idle=5), (2, 4, 4, 4), ("total", 10.0)),
    ],
)
async def test_an_attempt_may_take_so_long_and_be_silent_so_long(
    patience: float | Timeout, pauses: tuple[float, ...], expected: tuple[str, float]
) -> None:
    """E7: signs of life reset the idle timeout and end the first one; the total one stands."""
    assert await outcome(talking(*pauses, timeout=patience)) == expected


async def test_a_deadline_stops_an_attempt_without_a_timeout() -> None:
    """E6, E7."""
    assert await outcome(talking(11, deadline=10)) == ("deadline", 10.0)


async def test_what_a_timed_out_attempt_emitted_is_discarded() -> None:
    """E7, D1: only the attempt that finished leaves events and a note."""

    @node(timeout=5, retry=Retry(2, base=0))
    async def emits(x: int) -> int:
        context().emit("attempt", context().attempt)
        context().notes["attempt"] = context().attempt
        if context().attempt == 1:
            await context().sleep(60)
        return x

    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start(emits, 1)
        assert await run.result() == 1
        facts = [entry.fact async for entry in run.events()]
        assert [fact.value for fact in facts if isinstance(fact, Emitted)] == [b"2"]
        assert [fact.note for fact in facts if isinstance(fact, StepFinished)] == [b'{"attempt":2}']


async def test_the_cleanup_of_a_timed_out_attempt_may_take_its_time() -> None:
    """E7, E8: the loop rests meanwhile, and the step fails when it is done."""

    @node(timeout=5)
    async def tidy(x: int) -> int:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await context().sleep(30)
        return x

    with anyio.fail_after(10):
        assert await outcome(tidy) == ("total", 35.0)


async def test_a_node_that_ends_well_in_its_cleanup_has_ended_well() -> None:
    """E7: what it returned after the timeout is its outcome."""

    @node(timeout=5)
    async def stubborn(x: int) -> int:
        with anyio.CancelScope(shield=True):
            await context().sleep(30)
        return x

    assert await outcome(stubborn) == ("1", 30.0)


async def test_a_sync_node_shows_signs_of_life_from_its_thread() -> None:
    """E7, G1: they reach whoever watches."""

    @node
    def works(x: int) -> int:
        context().progress("half")
        context().progress("done")
        return x

    heard: list[str] = []
    async with Runtime() as rt, anyio.create_task_group() as tasks:
        run = await rt.start(works, 1)

        async def watch() -> None:
            heard.extend([live.text async for live in run.live()])

        tasks.start_soon(watch)
        assert await run.result() == 1
    assert heard == ["half", "done"]


@pytest.mark.parametrize("make", [lambda: Timeout(total=0), lambda: Timeout(idle=-1), lambda: node(deadline=0)])
def test_a_time_that_cannot_pass_is_refused(make: Callable[[], object]) -> None:
    """E7."""
    with pytest.raises(UsageError, match="more than 0 seconds"):
        make()
