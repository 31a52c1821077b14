"""A clock for tests: the time passes when nothing else can happen, and not before."""

import anyio
import pytest

from graphrt.testing import JumpingClock

pytestmark = pytest.mark.anyio


async def test_the_time_does_not_jump_over_what_the_end_of_a_task_sets_going() -> None:
    """An engine may hear of a task's end a turn later; whoever waits for it is not idle."""
    clock = JumpingClock()
    began, seen = clock.time, []

    async def later(seconds: float) -> None:
        await clock.wait(anyio.Event(), seconds)
        seen.append(clock.time - began)

    async def deep(levels: int) -> None:
        if levels:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(deep, levels - 1)

    for levels in range(6):
        seen.clear()
        began = clock.time
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(later, 1000)
            await deep(levels)
            await later(10)
        assert seen == [10, 1000]
