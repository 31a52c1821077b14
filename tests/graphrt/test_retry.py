"""The one retry loop: journaled, seeded, honouring the server, bounded by deadline and budget (E6)."""

from typing import Any

import anyio
import pytest

from graphrt import Node, Retry, Runtime, context, dag, each, node
from graphrt.errors import PortError, RunFailed, UsageError
from graphrt.facts import AttemptFailed, Failure
from graphrt.journal import MemoryJournal
from graphrt.testing import JumpingClock

pytestmark = pytest.mark.anyio


class Busy(Exception):
    category = "overloaded"

    def __init__(self, retry_after: float | None = None, *, retryable: bool = True) -> None:
        super().__init__("busy")
        self.retry_after = retry_after
        self.retryable = retryable


def failing(times: int, error: Exception, **options: Any) -> Node[[int], int]:
    @node(**options)
    async def shaky(x: int) -> int:
        if context().attempt <= times:
            raise error
        return x

    return shaky


async def attempts(shaky: Node[[int], int], *, seed: int = 1, budget: int = 1000) -> tuple[list[float], str]:
    """The pauses before each further attempt, and how it ended."""
    clock = JumpingClock()
    async with Runtime(clock=clock, seed=seed, retry_budget=budget) as rt:
        run = await rt.start_as("r", shaky, 5)
        try:
            end = str(await run.result())
        except RunFailed as failed:
            end = f"attempt {failed.attempt}: {failed.error_type}"
        return [e.fact.retry_at - e.at async for e in run.events() if isinstance(e.fact, AttemptFailed)], end


class SlowJournal(MemoryJournal):
    """Takes ten seconds for each commit."""

    def __init__(self, clock: JumpingClock) -> None:
        super().__init__()
        self._clock = clock

    async def append(self, *args: Any, **options: Any) -> None:
        await super().append(*args, **options)
        self._clock.time += 10


async def test_a_retry_that_comes_due_during_a_commit_is_made() -> None:
    """E6, E10: a disk that is slower than the pause does not leave the run waiting for ever."""
    clock = JumpingClock()
    shaky = failing(2, Busy(), retry=Retry(3, base=1, factor=2))
    with anyio.fail_after(10):
        async with Runtime(SlowJournal(clock), clock=clock, seed=1) as rt:
            assert await rt.run(shaky, 5) == 5


async def test_each_attempt_is_journaled_and_pauses_grow_under_full_jitter() -> None:
    """E6: between 0 and base * factor ** n, the same for the same seed, another for another."""
    shaky = failing(4, Busy(), retry=Retry(6, base=1, factor=2, cap=5))
    pauses, end = await attempts(shaky)
    assert end == "5"
    assert len(pauses) == 4
    assert all(0 <= pause <= ceiling for pause, ceiling in zip(pauses, (1, 2, 4, 5), strict=True))
    assert (await attempts(shaky))[0] == pauses
    assert (await attempts(shaky, seed=2))[0] != pauses


async def test_the_server_may_ask_for_a_pause_up_to_the_cap() -> None:
    """E6: honoured as it is; a longer wish ends the attempts."""
    assert (await attempts(failing(1, Busy(60), retry=2))) == ([60.0], "5")
    assert (await attempts(failing(1, Busy(121), retry=2))) == ([], "attempt 1: Busy")


async def test_an_error_that_says_it_is_final_is_not_tried_again() -> None:
    """E6."""
    assert await attempts(failing(1, Busy(retryable=False), retry=5)) == ([], "attempt 1: Busy")


async def test_a_value_that_does_not_fit_the_input_is_not_tried_again_and_one_of_the_output_is() -> None:
    """E6, G1: the same input would fail again; the next answer may fit."""

    @node(retry=3)
    async def says(x: int) -> int:
        return "two" if context().attempt == 1 else 2  # type: ignore[return-value] # on purpose

    assert (await attempts(says))[1] == "2"

    class Trap:
        def __call__(self, x: int) -> int:
            raise PortError("trap", "x", [("", "wrong")])

    @node(retry=3)
    def trap(x: int) -> int:
        return Trap()(x)

    assert await attempts(trap) == ([], "attempt 1: PortError")


async def test_no_retry_outlives_the_deadline() -> None:
    """E6: neither a pause nor an attempt goes beyond it."""
    assert await attempts(failing(9, Busy(4), retry=9, deadline=10)) == ([4.0, 4.0], "attempt 3: Busy")

    @node(retry=9, deadline=10)
    async def drags(x: int) -> int:
        await context().sleep(7)
        raise Busy(0)

    pauses, end = await attempts(drags)
    assert (len(pauses), end) == (1, "attempt 2: StepTimeout")


async def test_a_run_has_a_budget_of_retries() -> None:
    """E6: once it is spent, the next failure is final."""
    assert (await attempts(failing(9, Busy(1), retry=9), budget=3)) == ([1.0] * 3, "attempt 4: Busy")


async def test_retries_go_on_where_a_run_was_resumed() -> None:
    """E6: a resumed run has its attempts anew, and counts them on."""
    shaky = failing(3, Busy(1), retry=2)
    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start_as("r", shaky, 5)
        with pytest.raises(RunFailed, match="attempt 2"):
            await run.result()
        assert await (await rt.resume("r", shaky)).result() == 5


async def test_many_retries_come_due_in_their_order() -> None:
    """E6: each at its own time."""
    due: list[tuple[float, int]] = []

    @node(retry=2)
    async def shaky(x: int) -> int:
        if context().attempt == 1:
            raise Busy(100 - x)
        due.append((context().now(), x))
        return x

    @dag
    def g(xs: list[int]) -> list[int]:
        return each(shaky, xs)

    async with Runtime(clock=JumpingClock(0.0), concurrency=8) as rt:
        assert await rt.run(g, list(range(40))) == list(range(40))
    assert due == [(100.0 - x, x) for x in range(39, -1, -1)]


def test_a_pause_never_overflows() -> None:
    """E6: after ten thousand attempts it is at its cap."""
    assert 0 <= (Retry(20_000).pause(10_000, Failure("x", "y"), seed="s") or 0) <= 30


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"base": -1}, {"factor": 0.5}, {"after_cap": -1}])
def test_a_retry_that_means_nothing_is_refused(wrong: dict[str, float]) -> None:
    """E6."""
    with pytest.raises(UsageError, match="attempts must be at least 1"):
        Retry(**wrong)  # type: ignore[arg-type] # each a number
