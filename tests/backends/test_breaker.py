"""A backend that keeps failing is left alone, and its callers hear so at once (M8, L3)."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from graphrt.backends import Backend
from graphrt.backends.errors import (
    AuthFailed,
    BackendError,
    BadRequest,
    ConnectionFailed,
    ContentFiltered,
    Overloaded,
    RateLimited,
    ServerError,
    StreamTruncated,
    TimedOut,
)
from graphrt.backends.events import Chose, Failed, Finished, Started, StreamEvent, complete
from graphrt.backends.messages import Request, conversation
from graphrt.backends.policies.breaker import Breaker, Circuit, Rules, admit, answered, breaker, failed
from graphrt.backends.scripted import Scripted
from graphrt.errors import UsageError
from graphrt.testing import JumpingClock

pytestmark = pytest.mark.anyio
ASK = Request(messages=conversation("hi"))


async def told(backend: Backend) -> list[StreamEvent]:
    return [event async for event in backend.stream(ASK)]


async def ends(backend: Backend, count: int = 1) -> list[str]:
    """How so many requests in turn end: `ok`, or the category of the error."""
    ends = [(await told(backend))[-1] for _ in range(count)]
    return [end.error.category if isinstance(end, Failed) else "ok" for end in ends]


def down(clock: JumpingClock, *lines: Any, **rules: Any) -> tuple[Scripted, Breaker]:
    source = Scripted(lines)
    return source, breaker(source, clock=clock, **rules)


async def test_l3_failures_in_a_row_open_it_and_then_nothing_is_asked() -> None:
    """L3: open is an error at once that says when it is tried again."""
    clock = JumpingClock()
    source, backend = down(clock, *[ServerError("boom")] * 3, failures=3, rest=30.0)
    assert await ends(backend, 3) == ["server"] * 3
    assert backend.statistics().state == "open"
    clock.time += 10
    (refused,) = await told(backend)
    assert isinstance(refused, Failed)
    error = refused.error
    assert isinstance(error, Overloaded)
    assert error.retryable
    assert (error.retry_after, error.provider, error.code) == (20.0, "scripted", "breaker_open")
    assert "after 3 failures and is tried again in 20.0 s (the last: server: boom)" in str(error)
    assert len(source.requests) == 3
    assert backend.statistics().turned_away == 1


async def test_l3_after_its_rest_one_probe_closes_it_again() -> None:
    clock = JumpingClock()
    _, backend = down(clock, *[ServerError("boom")] * 2, "fine", *[ServerError("boom")], "fine", failures=2, rest=30.0)
    await ends(backend, 2)
    clock.time += 30
    events = await told(backend)
    assert events[0] == Chose("breaker", "scripted", "a probe, after a rest")
    assert isinstance(events[-1], Finished)
    assert backend.statistics().state == "closed"
    assert await ends(backend, 2) == ["server", "ok"]  # what was before does not count
    assert (await told(backend))[0] != events[0]


async def test_l3_a_probe_that_fails_opens_it_for_another_rest() -> None:
    clock = JumpingClock()
    source, backend = down(clock, *[ServerError("boom")] * 3, "fine", failures=2, rest=30.0)
    await ends(backend, 2)
    clock.time += 30
    assert await ends(backend) == ["server"]
    clock.time += 29
    assert await ends(backend) == ["overloaded"]
    clock.time += 1
    assert await ends(backend) == ["ok"]
    assert len(source.requests) == 4
    assert backend.statistics().opened == 2


class Slow(Scripted):
    """Answers when it is let go, with what is said then."""

    def __init__(self) -> None:
        super().__init__("ok")
        self.go = anyio.Event()
        self.error: BackendError | None = None

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        self.active += 1
        try:
            yield Started()
            await self.go.wait()
            yield Failed(self.error) if self.error else Finished("stop")
        finally:
            self.active -= 1


def opened(source: Backend, clock: JumpingClock) -> Breaker:
    """A breaker that has opened once and rested enough."""
    backend = breaker(source, failures=1, rest=30.0, clock=clock)
    backend._circuit = failed(Circuit(), ServerError("boom"), Rules(1, 60.0, 30.0), clock.time)
    clock.time += 30
    return backend


async def test_l3_half_open_lets_one_probe_through_and_no_second_one() -> None:
    """L3: the half-open probe is single."""
    clock = JumpingClock()
    source = Slow()
    backend = opened(source, clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(complete, backend.stream(ASK))
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            (refused,) = await told(backend)
        assert isinstance(refused, Failed)
        assert "a probe is under way" in str(refused.error)
        assert refused.error.retry_after == 1.0
        assert source.active == 1
        source.go.set()
    assert backend.statistics().state == "closed"


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_a_probe_that_is_given_up_leaves_its_place_to_another(way: str) -> None:
    clock = JumpingClock()
    source = Slow()
    backend = opened(source, clock)
    if way == "close":
        stream = backend.stream(ASK)
        async for event in stream:
            if isinstance(event, Started):
                break
        await stream.aclose()
    else:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(complete, backend.stream(ASK))
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    assert source.active == 0
    assert backend.statistics().state == "half_open"
    source.go.set()
    assert await ends(backend) == ["ok"]
    assert backend.statistics().state == "closed"


async def test_what_was_asked_before_it_opened_says_nothing_about_now() -> None:
    clock = JumpingClock()
    late = Slow()
    lines: list[Callable[[], Backend]] = [lambda: late, lambda: Scripted([ServerError("boom")])]

    class Turns(Scripted):
        def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
            return lines.pop(0)().stream(request)

    backend = breaker(Turns(""), failures=1, rest=30.0, clock=clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(complete, backend.stream(ASK))
        await anyio.wait_all_tasks_blocked()
        assert await ends(backend) == ["server"]
        late.go.set()
    assert backend.statistics().state == "open"


@pytest.mark.parametrize(
    "error",
    [ServerError("x"), Overloaded("x"), ConnectionFailed("x"), TimedOut("x"), StreamTruncated("x")],
    ids=lambda error: error.category,
)
async def test_a_broken_backend_counts(error: BackendError) -> None:
    _, backend = down(JumpingClock(), error, failures=1)
    await ends(backend)
    assert backend.statistics().state == "open"


@pytest.mark.parametrize(
    "error",
    [BadRequest("x"), AuthFailed("x"), RateLimited("x"), ContentFiltered("x")],
    ids=lambda error: error.category,
)
async def test_a_refusal_that_it_took_the_trouble_to_give_shows_that_it_lives(error: BackendError) -> None:
    _, backend = down(JumpingClock(), ServerError("x"), error, ServerError("x"), "fine", failures=2)
    assert await ends(backend, 4) == ["server", error.category, "server", "ok"]
    assert backend.statistics().state == "closed"


async def test_which_errors_count_is_yours_to_say() -> None:
    _, backend = down(JumpingClock(), RateLimited("x"), failures=1, on={"rate_limit"})
    await ends(backend)
    assert backend.statistics().state == "open"


async def test_failures_that_are_far_apart_do_not_open_it() -> None:
    clock = JumpingClock()
    _, backend = down(clock, *[ServerError("x")] * 4, failures=3, within=60.0)
    for _ in range(4):
        await ends(backend)
        clock.time += 40
    assert backend.statistics().state == "closed"
    assert len(backend.statistics().failures) == 2


async def test_a_longer_pause_that_the_provider_asked_for_is_kept() -> None:
    clock = JumpingClock()
    _, backend = down(clock, Overloaded("x", retry_after=120.0), failures=1, rest=30.0)
    await ends(backend)
    assert backend.statistics().until == clock.time + 120


def test_the_rules_are_pure() -> None:
    rules = Rules(failures=2, within=60.0, rest=30.0)
    circuit = Circuit()
    assert admit(circuit, 0.0) == (circuit, None)
    once = failed(circuit, ServerError("x"), rules, 0.0)
    assert (once.state, answered(once).failures) == ("closed", ())
    twice = failed(once, ServerError("x"), rules, 1.0)
    assert (twice.state, twice.until) == ("open", 31.0)
    assert admit(twice, 30.0)[1] == 1.0
    probing, wait = admit(twice, 31.0)
    assert (probing.state, probing.probing, wait) == ("half_open", True, None)
    with pytest.raises(UsageError, match="failures=0"):
        breaker(Scripted("x"), failures=0)
