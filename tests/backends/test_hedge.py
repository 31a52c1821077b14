"""`hedge`: who speaks first answers, and the other one is let go (M8, L6, L21)."""

import math
from collections.abc import Sequence

import anyio
import anyio.to_thread
import pytest

from graphrt.backends import Scripted
from graphrt.backends.base import Backend, Capabilities
from graphrt.backends.dialects.openai_chat import OpenAIChat
from graphrt.backends.errors import (
    BackendError,
    BadRequest,
    ContextLengthExceeded,
    Overloaded,
    RateLimited,
    ServerError,
    StreamTruncated,
)
from graphrt.backends.events import Chose, Failed, Finished, PartDelta, PartStarted, Started, Usage, complete
from graphrt.backends.policies import fallback, hedge
from graphrt.testing import JumpingClock
from tests.backends.loopback import Stream, serve, text
from tests.backends.played import ASK, Played, Step, chosen, failure, heard, opening, says, text_of

pytestmark = pytest.mark.anyio
ASKED = Chose("hedge", "one", "asked first")
TOO = Chose("hedge", "two", "asked too after 2 s")


def pair(first: Sequence[Step], second: Sequence[Step], **facts: Capabilities) -> tuple[Played, Played, JumpingClock]:
    clock = JumpingClock(0.0)
    one = Played("one", first, clock=clock, capabilities=facts.get("one"))
    return one, Played("two", second, clock=clock, capabilities=facts.get("two")), clock


def slow(seconds: float, words: str, usage: Usage | None = None) -> list[Step]:
    """Accepted at once; the first part comes after so many seconds."""
    started, *rest = says(words, usage)
    return [started, seconds, *rest]


# who answers


async def test_a_first_that_speaks_in_time_answers_alone() -> None:
    one, two, clock = pair(slow(1.9, "hello"), says("no"))
    events = await heard(hedge(one, two, after=2.0, clock=clock))
    assert events == [ASKED, *says("hello")]
    assert (two.opened, clock.time) == (0, 1.9)


async def test_l6_a_second_that_speaks_before_a_slow_first_answers_and_the_first_is_let_go() -> None:
    """L21: what the first had spent is unknown, and not nothing."""
    one, two, clock = pair(slow(60.0, "late"), slow(1.0, "hello"))
    policy = hedge(one, two, after=2.0, clock=clock)
    events = await heard(policy)
    why = "two was asked too after 2 s, and two spoke first"
    assert events == [ASKED, Chose("hedge", "two", why, None, Usage()), *says("hello")]
    assert clock.time == 3.0
    assert (one.active, two.active) == (0, 0)
    assert [(each.answers, each.given_up) for each in policy.health()] == [(0, 1), (1, 0)]


async def test_l21_a_first_that_answers_late_but_before_the_second_answers_and_the_second_is_let_go() -> None:
    """L21: the second's cost is recorded, although it is not who was chosen."""
    one, two, clock = pair(slow(3.0, "hello"), slow(60.0, "later"))
    events = await heard(hedge(one, two, after=2.0, clock=clock))
    why = "two was asked too after 2 s, and one spoke first"
    assert events == [ASKED, TOO, Chose("hedge", "one", why, None, Usage()), *says("hello")]
    assert (two.opened, two.active, clock.time) == (1, 0, 3.0)


async def test_the_loser_is_let_go_before_anything_of_the_answer_is_handed_on() -> None:
    one, two, clock = pair(slow(60.0, "late"), says("hello"))
    policy = hedge(one, two, after=2.0, clock=clock)
    async for event in policy.stream(ASK):
        if event != ASKED:
            assert [each.outstanding for each in policy.health()] == [0, 1]
            assert one.active == 0


async def test_if_both_speak_at_once_the_first_answers() -> None:
    one, two, clock = pair([2.0, *says("first")], says("second"))
    events = await heard(hedge(one, two, after=2.0, clock=clock))
    assert text_of(events) in {"first", "second"}
    assert (one.active, two.active) == (0, 0)
    assert chosen(events)[-1].wasted == Usage()


async def test_being_accepted_and_warned_is_not_speaking() -> None:
    """M8: the first content event is a part that begins."""
    one, two, clock = pair([Started("m"), 60.0], says("hello"))
    assert text_of(await heard(hedge(one, two, after=2.0, clock=clock))) == "hello"


async def test_an_answer_without_any_part_is_an_answer() -> None:
    one, two, clock = pair([Started("m"), Finished("stop")], says("no"))
    assert await heard(hedge(one, two, after=2.0, clock=clock)) == [ASKED, Started("m"), Finished("stop")]


async def test_with_no_pause_both_are_asked_at_once() -> None:
    one, two, clock = pair(slow(1.0, "no"), says("hello"))
    assert text_of(await heard(hedge(one, two, after=0, clock=clock))) == "hello"
    assert clock.time == 0.0


# failures


async def test_a_first_that_fails_is_not_waited_for() -> None:
    """M8: silently, before the first content event."""
    error = Overloaded("busy", usage=Usage(input=7))
    one, two, clock = pair([Started("m"), Failed(error)], says("hello"))
    events = await heard(hedge(one, two, after=2.0, clock=clock))
    why = "one did not answer (overloaded)"
    assert events == [ASKED, Chose("hedge", "two", why, error, Usage(input=7)), *says("hello")]
    assert clock.time == 0.0


@pytest.mark.parametrize("error", [RateLimited("wait"), BadRequest("what?")])
async def test_a_second_that_fails_never_loses_the_answer_of_the_first(error: BackendError) -> None:
    error.usage = Usage(input=7)
    one, two, clock = pair(slow(5.0, "hello"), [Failed(error)])
    events = await heard(hedge(one, two, after=2.0, clock=clock))
    why = f"two was asked too after 2 s, and did not answer ({error.category})"
    assert events == [ASKED, TOO, Chose("hedge", "one", why, error, Usage(input=7)), *says("hello")]


@pytest.mark.parametrize(("first", "second", "last"), [(3.0, 4.0, "two"), (5.0, 1.0, "one")])
async def test_l22_if_both_fail_the_later_error_tells_what_happened_to_the_other(
    first: float, second: float, last: str
) -> None:
    """L22."""
    errors = {"one": RateLimited("a", retry_after=9.0, usage=Usage(input=1)), "two": ServerError("b", retryable=False)}
    one, two, clock = pair([first, Failed(errors["one"])], [second, Failed(errors["two"])])
    events = await heard(hedge(one, two, after=2.0, clock=clock))
    other = "one" if last == "two" else "two"
    *asked, choice = chosen(events)
    assert asked == ([ASKED] if last == "two" else [ASKED, TOO])
    assert (choice.backend, choice.error, choice.wasted) == (last, errors[other], errors[other].usage)
    assert choice.reason == "neither answered; this one failed last"
    assert failure(events).attempts == (f"{other}: {errors[other]}",)
    assert (failure(events).category, failure(events).retryable) == (errors[last].category, True)


async def test_a_wrong_request_is_not_tried_on_the_second_unless_asked() -> None:
    """L16: not even for a moment, however the clock wakes who waits for it."""
    error = BadRequest("what?")
    one, two, clock = pair([Failed(error)], says("hello"))
    for policy in (hedge(one, two, after=2.0, clock=clock), hedge(one, two, after=600.0)):
        assert await heard(policy) == [ASKED, Failed(error)]
        assert two.opened == 0
    assert text_of(await heard(hedge(one, two, after=2.0, on={"bad_request"}, clock=clock))) == "hello"


async def test_a_wrong_request_that_is_found_late_ends_both() -> None:
    """L16: the second is let go; what it cost is recorded."""
    error = BadRequest("what?")
    one, two, clock = pair([3.0, Failed(error)], slow(60.0, "no"))
    events = await heard(hedge(one, two, after=2.0, clock=clock))
    why = "two was asked too after 2 s, but is not expected to do better (bad_request)"
    assert events == [ASKED, TOO, Chose("hedge", "one", why, None, Usage()), Failed(error)]
    assert (two.active, clock.time) == (0, 3.0)


async def test_l15_a_request_that_is_too_long_is_not_tried_where_the_context_is_no_longer() -> None:
    """L15."""
    error = ContextLengthExceeded("long")
    short = Capabilities(context_tokens=10)
    one, two, clock = pair([Failed(error)], says("hello"), one=short, two=short)
    assert failure(await heard(hedge(one, two, after=2.0, clock=clock))) is error
    one, two, clock = pair([Failed(error)], says("hello"), one=short, two=Capabilities(context_tokens=11))
    assert text_of(await heard(hedge(one, two, after=2.0, clock=clock))) == "hello"


async def test_once_an_answer_began_it_ends_in_its_own_error() -> None:
    """M8: the other was let go long ago."""
    error = StreamTruncated("cut")
    one, two, clock = pair([*opening("half"), Failed(error)], says("no"))
    events = await heard(hedge(one, two, after=2.0, clock=clock))
    assert failure(events) is error
    assert two.opened == 0


async def test_what_policies_behind_the_loser_had_spent_is_not_lost() -> None:
    """L21: every attempt's cost is told once, in one stream."""
    error = ServerError("broke", usage=Usage(input=5))
    one, two, clock = pair([Failed(error)], [60.0])
    inner = fallback(one, two, clock=clock)
    three = Played("three", says("hello"), clock=clock)
    answer = await complete(hedge(inner, three, after=2.0, clock=clock).stream(ASK))
    assert [(choice.policy, choice.backend, choice.wasted) for choice in answer.choices] == [
        ("hedge", "fallback(one, two)", None),
        ("fallback", "one", None),
        ("fallback", "two", Usage(input=5)),
        ("hedge", "three", Usage()),
    ]


# giving up


@pytest.mark.parametrize("seconds", [1.0, 3.0, 4.0])
async def test_cancelled_in_the_middle_of_the_race_both_are_let_go(seconds: float) -> None:
    """The promise of `stream`: before the second is asked, while both are silent, and when it has begun to answer."""
    one, two, clock = pair([60.0], [1.5, *opening("hello"), 60.0])
    policy = hedge(one, two, after=2.0, clock=clock)

    async def read() -> None:
        async for _ in policy.stream(ASK):
            pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await clock.wait(anyio.Event(), seconds)
        assert (one.active, two.active) == {1.0: (1, 0), 3.0: (1, 1), 4.0: (0, 1)}[seconds]
        tasks.cancel_scope.cancel()
    assert (one.active, two.active) == (0, 0)
    assert [each.outstanding for each in policy.health()] == [0, 0]


@pytest.mark.parametrize("stage", [Chose, PartStarted, PartDelta])
async def test_a_reader_who_stops_reading_leaves_nothing_running(stage: type) -> None:
    """L19: the race is over before anything is handed on, and what follows is only made when it is asked for."""
    one, two, clock = pair([60.0], opening("one two three"))
    stream = hedge(one, two, after=2.0, clock=clock).stream(ASK)
    async for event in stream:
        if isinstance(event, stage):
            break
    at = clock.time
    await anyio.wait_all_tasks_blocked()
    assert clock.time == at
    assert (one.active, two.active) == ((0, 0) if stage is Chose else (0, 1))
    await stream.aclose()
    assert (one.active, two.active) == (0, 0)


async def test_on_a_real_socket_the_loser_hangs_up() -> None:
    """L6, L21: the server learns that nobody listens, which is how it stops."""
    with serve(Stream(text("late"), stall_after=0)) as stalled, serve(Stream(text("hello"))) as quick:
        one, two = OpenAIChat("a", base_url=stalled.base_url), OpenAIChat("b", base_url=quick.base_url)
        policy = hedge(one, two, after=0.05)
        answer = await complete(policy.stream(ASK))
        assert answer.text == "hello"
        assert await anyio.to_thread.run_sync(stalled.wait_for_hangups)
        await policy.aclose()


# what it is


def test_it_is_a_backend_and_what_is_wrong_is_found_before_anything_runs() -> None:
    policy = hedge("scripted:a", Scripted("b", name="mine"), after=2.0)
    assert isinstance(policy, Backend)
    assert policy.name == "hedge(scripted, mine)"
    assert policy.capabilities == Capabilities(tools=True, json_schema=True, seed=True)
    for after in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="a number of seconds"):
            hedge("scripted:a", "scripted:b", after=after)
    with pytest.raises(ValueError, match="on holds luck"):
        hedge("scripted:a", "scripted:b", after=1, on={"luck"})


async def test_a_backend_may_be_hedged_with_itself() -> None:
    """Another try beside a slow one is not one after it."""
    clock = JumpingClock()
    same = Played("same", slow(60.0, "late"), says("hello"), clock=clock)
    assert text_of(await heard(hedge(same, same, after=1.0, clock=clock))) == "hello"
    assert (same.opened, same.active) == (2, 0)
