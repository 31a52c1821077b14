"""Requests wait for their turn, in order, and learn from what the provider says (M8, L1)."""

from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends import Backend
from graphrt.backends.dialects.openai_chat import OpenAIChat
from graphrt.backends.errors import BackendError, BadRequest, ConnectionFailed, Overloaded, RateLimited
from graphrt.backends.events import Chose, Failed, Finished, PartDelta, Started, StreamEvent, Usage, complete
from graphrt.backends.messages import Media, Message, OutputSchema, Request, Settings, ToolSpec, conversation
from graphrt.backends.policies.estimate import tokens_in
from graphrt.backends.policies.limited import Bucket, Learned, Limited, Limiter, limited
from graphrt.backends.scripted import Scripted
from graphrt.backends.wire.ratelimits import RateLimit
from graphrt.errors import UsageError
from graphrt.testing import JumpingClock
from tests.backends.loopback import Whole, serve

pytestmark = pytest.mark.anyio


def ask(prompt: str = "hi") -> Request:
    return Request(messages=conversation(prompt))


class Server(Scripted):
    """Notes when each request arrived, and answers with what a function of its number says: an error to refuse, a
    Usage, headers, or an event to wait for before it ends."""

    def __init__(self, clock: JumpingClock, said: Callable[[int], Any] = lambda _: None) -> None:
        super().__init__("ok")
        self.clock = clock
        self.said = said
        self.arrivals: list[tuple[float, str]] = []
        self.most = 0

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        self.arrivals.append((self.clock.time - BEGIN, request.messages[-1].text))
        said = self.said(len(self.arrivals))
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await anyio.lowlevel.checkpoint()
            if isinstance(said, BackendError):
                yield Failed(said)
                return
            yield Started("m", limits=tuple(said) if isinstance(said, list) else ())
            if isinstance(said, anyio.Event):
                await said.wait()
            if isinstance(said, float):
                await self.clock.wait(anyio.Event(), said)
            yield Finished("stop", usage=said if isinstance(said, Usage) else Usage())
        finally:
            self.active -= 1

    @property
    def times(self) -> list[float]:
        return [round(time, 3) for time, _ in self.arrivals]


BEGIN = 1_800_000_000.0


async def crowd(backends: Iterable[Backend], prompts: Iterable[str]) -> dict[str, list[StreamEvent]]:
    """Ask all at once, each of the next backend in turn."""
    found: dict[str, list[StreamEvent]] = {}
    turns = list(backends)

    async def one(backend: Backend, prompt: str) -> None:
        found[prompt] = [event async for event in backend.stream(ask(prompt))]

    async with anyio.create_task_group() as tasks:
        for number, prompt in enumerate(prompts):
            tasks.start_soon(one, turns[number % len(turns)], prompt)
    return found


async def test_more_requests_than_allowed_wait_their_turn_and_say_so() -> None:
    """M8: limited waits in order of arrival instead of failing, and a Chose says for what."""
    clock = JumpingClock()
    server = Server(clock)
    backend = limited(server, requests=2, per=60.0, clock=clock)
    found = await crowd([backend], "abcd")
    assert server.times == [0, 0, 30, 60]
    assert sorted(found) == ["a", "b", "c", "d"]
    waited = {prompt: events[0] for prompt, events in found.items() if isinstance(events[0], Chose)}
    assert sorted(event.reason for event in waited.values()) == [
        "it waited 30.0 s for its share of requests",
        "it waited 60.0 s for its share of requests",
    ]
    assert all(isinstance(events[-1], Finished) for events in found.values())
    assert backend.statistics().granted == 4
    assert backend.statistics().waited == pytest.approx(90)


async def test_the_line_is_first_come_first_served_and_a_small_one_does_not_pass_a_large_one() -> None:
    """M8: fair order."""
    clock = JumpingClock()
    hold = anyio.Event()
    server = Server(clock, lambda number: hold if number == 1 else None)
    backend = limited(server, concurrency=1, tokens=1000, per=1000.0, clock=clock)
    async with anyio.create_task_group() as tasks:
        for prompt in ("first " + "x" * 3194, "large " + "x" * 1594, "small"):
            tasks.start_soon(complete, backend.stream(ask(prompt)))
            await anyio.wait_all_tasks_blocked()
        assert backend.statistics().waiting == 2
        hold.set()
    assert [prompt.split()[0] for _, prompt in server.arrivals] == ["first", "large", "small"]
    assert server.times == [0, 200, 202]


async def test_no_more_streams_are_open_than_allowed() -> None:
    clock = JumpingClock()
    server = Server(clock, lambda _: 1.0)
    backend = limited(server, concurrency=3, clock=clock)
    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(complete, backend.stream(ask(str(number))))
    assert server.most == 3
    assert server.times == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert backend.statistics().in_flight == 0


async def test_tokens_are_estimated_first_and_counted_after() -> None:
    """M8: the estimate is put right by the answer's usage; what was spent too much is waited for."""
    clock = JumpingClock()
    server = Server(clock, lambda number: Usage(input=10, output=140) if number == 1 else Usage(input=1, output=1))
    backend = limited(server, tokens=100, per=100.0, clock=clock)
    await complete(backend.stream(ask("x" * 40)))
    assert backend.statistics().tokens_left == pytest.approx(-50)
    await complete(backend.stream(ask("x" * 40)))
    assert server.times == [0, 60]
    assert backend.statistics().tokens_left == pytest.approx(8)


async def test_l1_a_request_that_can_never_fit_fails_at_once() -> None:
    """L1: a request larger than the whole budget is told so, and not to try again."""
    clock = JumpingClock()
    server = Server(clock)
    backend = limited(server, tokens=100, clock=clock)
    with pytest.raises(RateLimited, match=r"about 250 tokens, and 100 are allowed in 60 s.*raise tokens=") as caught:
        await complete(backend.stream(ask("x" * 1000)))
    assert not caught.value.retryable
    assert caught.value.provider == "scripted"
    assert server.arrivals == []
    assert clock.time == BEGIN


async def test_l1_one_refusal_slows_every_caller_of_the_key() -> None:
    """L1: after a 429 nobody asks for as long as the provider wants; then one goes first, and each answer lets one more
    go along."""
    clock = JumpingClock()
    key = Limiter(clock=clock)
    server = Server(clock, lambda number: RateLimited("slow down", retry_after=7.0) if number == 1 else 1.0)
    first, second = limited(server, key), limited(server, key)
    with pytest.raises(RateLimited):  # nothing is asked twice here
        await complete(first.stream(ask()))
    assert key.statistics().paused == 7
    await crowd([second, first], map(str, range(7)))
    assert server.times == [0, 7, 8, 8, 9, 9, 9, 9]
    assert key.statistics().refused == 1


async def test_l1_a_crowd_that_is_refused_together_pauses_once() -> None:
    clock = JumpingClock()
    server = Server(clock, lambda number: RateLimited("slow down") if number <= 6 else None)
    backend = limited(server, clock=clock)
    for many in (4, 1, 1, 1):
        await crowd([backend], map(str, range(many)))
    # four at once pause for one second, the two refusals after a pause for two and for four
    assert server.times == [0, 0, 0, 0, 1, 3, 7]
    assert backend.statistics().refused == 6


async def test_pauses_that_nobody_asked_for_begin_small_again_after_an_answer() -> None:
    clock = JumpingClock()
    refused = {1, 2, 4}
    server = Server(clock, lambda number: RateLimited("no") if number in refused else None)
    backend = limited(server, clock=clock)
    for _ in range(5):
        await crowd([backend], "a")
    assert server.times == [0, 1, 3, 3, 4]


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("no"),
        ConnectionFailed("gone"),
        Overloaded("busy"),
        Overloaded("it rests", retry_after=30.0, code="breaker_open"),
        RateLimited("larger than a whole minute", retryable=False),
    ],
)
async def test_an_error_that_is_about_one_request_slows_nobody(error: BackendError) -> None:
    clock = JumpingClock()
    server = Server(clock, lambda number: error if number == 1 else None)
    backend = limited(server, clock=clock)
    await crowd([backend], ["a"])
    await crowd([backend], ["b", "c"])
    assert server.times == [0, 0, 0]


async def test_an_overload_that_names_its_pause_is_waited_for() -> None:
    clock = JumpingClock()
    server = Server(clock, lambda number: Overloaded("busy", retry_after=5.0) if number == 1 else None)
    backend = limited(server, clock=clock)
    await crowd([backend], ["a"])
    await crowd([backend], ["b"])
    assert server.times == [0, 5]


async def test_what_an_answer_says_is_left_is_not_overdrawn() -> None:
    """M8: learns from the headers of answers, without a single refusal."""
    clock = JumpingClock()
    left = [RateLimit("requests", 100, 2, 40.0), RateLimit("tokens", 1000, 900, 5.0)]
    server = Server(clock, lambda number: left if number == 1 else None)
    backend = limited(server, clock=clock)
    await complete(backend.stream(ask("1")))
    found = await crowd([backend], "2345")
    assert server.times == [0, 0, 0, 40, 40]
    waited = sorted(events[0].reason for events in found.values() if isinstance(events[0], Chose))
    assert waited == ["it waited 40.0 s for its turn", "it waited 40.0 s for the provider's requests"]
    assert backend.statistics().learned == {}


async def test_what_is_on_its_way_is_not_in_the_provider_s_numbers_yet() -> None:
    key = Limiter(clock=JumpingClock())
    _, second, third = [await key.acquire(1) for _ in range(3)]
    key.heard(second, [RateLimit("requests", 10, 5, 60.0)])
    assert key.statistics().learned == {("requests", None): 4}
    key.heard(third, [RateLimit("requests", 10, 4, 60.0)])
    assert key.statistics().learned == {("requests", None): 4}


async def test_the_next_in_line_is_called_when_the_first_is_let_through_and_not_only_when_it_ends() -> None:
    clock = JumpingClock()
    key = Limiter(requests=1, per=10.0, clock=clock)
    at: list[float] = []

    async def one() -> None:
        await key.acquire(1)
        at.append(clock.time - BEGIN)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(one)
    assert at == [0, 10, 20]
    assert key.statistics().in_flight == 3


async def test_a_window_stands_for_a_reset_that_nobody_named_unless_it_is_long() -> None:
    clock = JumpingClock()
    key = Limiter(clock=clock)
    limits = [RateLimit("tokens", 9, 0, window=60.0), RateLimit("tokens", 9, 0, window=2_592_000.0)]
    key.heard(await key.acquire(1), [*limits, RateLimit("requests", 9, 0), RateLimit("input_images", 9, 0, 9.0)])
    assert key.statistics().learned == {("tokens", 60.0): 0}
    assert (await key.acquire(1)).waited == pytest.approx(60)


async def test_a_refusal_s_own_pause_is_believed_before_a_reset_that_is_further_away() -> None:
    clock = JumpingClock()
    refusal = RateLimited("no", retry_after=2.0)
    refusal.limits = (RateLimit("tokens", 1000, 0, 60.0),)
    server = Server(clock, lambda number: refusal if number == 1 else None)
    backend = limited(server, clock=clock)
    for _ in range(2):
        await crowd([backend], "a")
    assert server.times == [0, 2]


async def test_l1_who_may_not_wait_so_long_is_refused_at_once_with_the_time_it_would_take() -> None:
    """L1: over the cap, the fallback's turn comes at once."""
    clock = JumpingClock()
    server = Server(clock, lambda number: RateLimited("no", retry_after=3600.0) if number == 1 else None)
    backend = limited(server, max_wait=20.0, clock=clock)
    await crowd([backend], "a")
    with pytest.raises(RateLimited, match=r"another 3600.0 s are needed, and max_wait is 20 s") as caught:
        await complete(backend.stream(ask()))
    assert caught.value.retry_after == 3600
    assert clock.time == BEGIN


async def test_who_stands_behind_in_the_line_too_long_is_refused() -> None:
    clock = JumpingClock()
    server = Server(clock, lambda _: 100.0)
    backend = limited(server, concurrency=1, max_wait=20.0, clock=clock)
    found = await crowd([backend], "abc")
    errors = [str(events[-1].error) for events in found.values() if isinstance(events[-1], Failed)]
    assert len(errors) == 2
    assert any("20.0 s in line for a free place" in error for error in errors)
    assert server.times == [0]
    assert backend.statistics().waiting == 0


async def test_giving_up_the_place_in_the_line_lets_the_next_one_move_up() -> None:
    clock = JumpingClock()
    hold = anyio.Event()
    server = Server(clock, lambda number: hold if number == 1 else None)
    backend = limited(server, concurrency=1, clock=clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(complete, backend.stream(ask("a")))
        await anyio.wait_all_tasks_blocked()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as inner:
                inner.start_soon(complete, backend.stream(ask("b")))
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(complete, backend.stream(ask("c")))
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        assert backend.statistics().waiting == 1
        hold.set()
    assert [prompt for _, prompt in server.arrivals] == ["a", "c"]


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_a_stream_that_is_given_up_frees_its_place_after_the_source_is_closed(way: str) -> None:
    source = Scripted("one two three four")
    backend = limited(source, concurrency=1)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            stream = backend.stream(ask())
            with anyio.CancelScope() as scope:
                async for event in stream:
                    if isinstance(event, PartDelta):
                        break
                assert (source.active, backend.statistics().in_flight) == (1, 1)
                tasks.start_soon(complete, backend.stream(ask()))
                await anyio.wait_all_tasks_blocked()
                assert backend.statistics().waiting == 1
                if way == "close":
                    await stream.aclose()
                else:
                    scope.cancel()
                    await anext(stream)
    assert (source.active, backend.statistics().in_flight) == (0, 0)
    assert len(source.requests) == 2


async def test_the_headers_of_a_real_answer_and_of_a_real_refusal_reach_the_limiter() -> None:
    """M8, over a socket: through the dialect's events, with nothing of HTTP in them."""
    clock = JumpingClock()
    body = b'{"error": {"message": "slow", "code": "rate_limit_exceeded"}}'
    ok = b'{"id": "1", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, '
    ok += b'"finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'
    limits = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-reset-requests": "2m",
        "content-type": "application/json",
    }
    replies = [
        Whole(ok, headers={**limits, "x-ratelimit-remaining-requests": "123"}),
        Whole(body, 429, {**limits, "x-ratelimit-remaining-requests": "0", "retry-after": "9"}),
    ]
    with serve(replies) as server:
        backend = limited(OpenAIChat("m", base_url=server.base_url), clock=clock)
        started = [event async for event in backend.stream(ask()) if isinstance(event, Started)]
        assert started[0].limits == (RateLimit("requests", 500, 123, 120.0),)
        assert backend.statistics().learned == {("requests", None): 123}
        with pytest.raises(RateLimited) as caught:
            await complete(backend.stream(ask()))
        assert caught.value.limits == (RateLimit("requests", 500, 0, 120.0),)
        assert backend.statistics().paused == 9
        await backend.aclose()


def test_a_limiter_s_numbers_are_checked_and_given_in_one_place() -> None:
    with pytest.raises(UsageError, match="requests=0: must be more than 0"):
        Limiter(requests=0)
    with pytest.raises(UsageError, match="not both"):
        limited(Scripted("x"), Limiter(), requests=3)


def test_it_is_called_what_the_backend_is_called_and_opens_names() -> None:
    backend = limited("scripted:hello", requests=1)
    assert isinstance(backend, Backend)
    assert (backend.name, backend.capabilities.tools) == ("scripted", True)
    assert isinstance(backend, Limited)
    assert "Limited(Scripted" in repr(backend)


def test_the_estimate_counts_words_tools_schemas_and_pictures_not_bytes_of_pictures() -> None:
    assert tokens_in(Request(messages=())) == 1
    assert tokens_in(ask("x" * 41)) == 11
    picture = Media(media_type="image/png", data="A" * 4_000_000)
    assert tokens_in(Request(messages=(Message(role="user", parts=(picture,)),))) == 1000
    schema = {"type": "object", "description": "y" * 400}
    assert tokens_in(Request(messages=(), tools=(ToolSpec(name="t", parameters=schema),))) > 100
    assert tokens_in(Request(messages=(), output=OutputSchema(name="t", schema_=schema), settings=Settings())) > 100


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), max_size=30), st.floats(1, 50), st.floats(1, 100))
def test_a_bucket_never_lets_through_more_than_is_allowed(
    asked: list[tuple[float, float]], capacity: float, per: float
) -> None:
    """M8: whoever waits as long as the bucket says, takes at most a full bucket and what has flowed in since."""
    bucket, now, taken = Bucket(capacity, per, capacity, 0.0), 0.0, 0.0
    for pause, wish in asked:
        cost = min(wish, capacity)
        now += pause
        now += bucket.delay(cost, now)
        bucket = bucket.less(cost, now)
        taken += cost
        assert -1e-6 <= bucket.left(now) <= bucket.left(now + 1e6) == capacity
        assert taken <= capacity + now * capacity / per + 1e-6


def test_what_was_learned_is_forgotten_when_its_time_is_over() -> None:
    assert Learned(3, until=10).delay(3, now=0) == 0
    assert Learned(3, until=10).delay(4, now=0) == 10
    assert Learned(3, until=10).delay(4, now=11) == 0
