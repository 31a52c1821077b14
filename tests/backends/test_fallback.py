"""`fallback`: who is asked next, after what, and what is told of it (M8, L1-L8, L15, L22)."""

import re
from collections.abc import Iterator, Sequence

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from graphrt import Retry, Runtime
from graphrt.backends import BindingError, Scripted
from graphrt.backends.base import Backend, Capabilities
from graphrt.backends.dialects.openai_chat import OpenAIChat
from graphrt.backends.errors import (
    AuthFailed,
    BackendError,
    BadRequest,
    ConnectionFailed,
    ContentFiltered,
    ContextLengthExceeded,
    InvalidOutput,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    StreamProtocolError,
    StreamTruncated,
    TimedOut,
    UnsupportedSetting,
)
from graphrt.backends.events import (
    Chose,
    Failed,
    Finished,
    Fold,
    PartDelta,
    PartStarted,
    Restarted,
    Started,
    StreamEvent,
    Usage,
    Warned,
    complete,
)
from graphrt.backends.messages import Message, Text
from graphrt.backends.policies import SWITCHING, Health, balance, fallback, hedge
from graphrt.backends.policies.switching import helps, weakest
from graphrt.config import Config
from graphrt.facts import AttemptFailed, StepFinished
from graphrt.nodes import generated, llm
from graphrt.testing import JumpingClock
from tests.backends.loopback import Stream, Whole, serve, text
from tests.backends.played import ASK, Played, Step, check, chosen, failure, heard, opening, says, text_of

pytestmark = pytest.mark.anyio

OTHERWISE = [
    RateLimited("slow down"), QuotaExceeded("no credit"), Overloaded("busy"), ServerError("broke"),
    ConnectionFailed("refused"), TimedOut("silent"), StreamTruncated("nothing came"), ContextLengthExceeded("too long"),
    AuthFailed("no key"), NotFound("no such model"), InvalidOutput("not JSON"), StreamProtocolError("a bug"),
]  # fmt: skip
NEVER = [BadRequest("what?"), ContentFiltered("no"), UnsupportedSetting("top_k")]


def kinds() -> Iterator[type[BackendError]]:
    found = [BackendError]
    while found:
        kind = found.pop()
        found += kind.__subclasses__()
        yield kind


def broken_off(error: BackendError, words: str = "half an") -> list[Step]:
    error.partial = Message(role="assistant", parts=(Text(text=words),))
    return [*opening(words), Failed(error)]


# who is asked


async def test_the_first_answers_if_it_can_and_the_choice_is_the_first_event() -> None:
    """M8: every choice is recorded with its reason."""
    first, second = Played("one", says("hello you")), Played("two", says("no"))
    events = await heard(fallback(first, second))
    assert events == [Chose("fallback", "one", "first in line"), *says("hello you")]
    assert (first.opened, second.opened) == (1, 0)


def test_the_categories_that_switch_and_those_that_never_do_are_all_there_are() -> None:
    """M5: a new category must be put on one side or the other."""
    assert {kind.category for kind in kinds()} == SWITCHING | {"bad_request", "content_filter"}


@pytest.mark.parametrize("error", OTHERWISE, ids=lambda error: type(error).__name__)
async def test_before_the_first_part_an_error_leads_to_the_next_and_leaves_no_trace_but_the_choice(
    error: BackendError,
) -> None:
    """M8, L2-L6: accepted, warned and broken is as if it had never been; what it spent is not lost."""
    error.usage = Usage(input=7)
    first = Played("one", [Started("never-seen"), Warned("seed", "ignored"), Failed(error)])
    events = await heard(fallback(first, Played("two", says("hello"))))
    why = f"one did not answer ({error.category})"
    assert events[:2] == [
        Chose("fallback", "one", "first in line"),
        Chose("fallback", "two", why, error, Usage(input=7)),
    ]
    assert events[2:] == says("hello")
    assert first.active == 0


@pytest.mark.parametrize("error", NEVER, ids=lambda error: type(error).__name__)
async def test_a_wrong_request_and_a_filtered_one_are_nobody_elses_unless_asked(error: BackendError) -> None:
    """L14, L16: not shopped around."""
    second = Played("two", says("hello"))
    events = await heard(fallback(Played("one", [Failed(error)]), second))
    assert (failure(events), second.opened) == (error, 0)
    events = await heard(fallback(Played("one", [Failed(error)]), second, on={error.category}))
    assert text_of(events) == "hello"


async def test_on_says_which_errors_switch_and_no_others_do() -> None:
    second = Played("two", says("hello"))
    events = await heard(fallback(Played("one", [Failed(RateLimited("wait"))]), second, on={"server"}))
    assert (failure(events).category, second.opened) == ("rate_limit", 0)


async def test_an_answer_without_any_part_is_an_answer() -> None:
    second = Played("two", says("hello"))
    events = await heard(fallback(Played("one", [Started("m"), Finished("stop")]), second))
    assert events[1:] == [Started("m"), Finished("stop")]
    assert second.opened == 0


async def test_a_backend_that_raises_or_just_stops_does_not_lose_the_others() -> None:
    """M3: exactly one terminal event, also where a backend has a bug."""
    bugs: list[list[Step]] = [[Started("m"), KeyError("choices")], [Started("m")], [BadRequest("raised")]]
    for bug in bugs:
        events = await heard(fallback(Played("one", bug), Played("two", says("hello")), on={"server", "bad_request"}))
        assert text_of(events) == "hello"
    events = await heard(fallback(Played("one", [*opening("half"), KeyError("choices")])))
    error = failure(events)
    assert isinstance(error, StreamProtocolError)
    assert "one raised KeyError: 'choices'" in str(error)
    assert isinstance(error.__cause__, KeyError)


# after the answer began


async def test_once_an_answer_began_it_ends_in_its_own_error_with_what_was_said() -> None:
    """M8, L7: never silently continued by another model."""
    error = StreamTruncated("cut")
    second = Played("two", says("hello"))
    events = await heard(fallback(Played("one", broken_off(error)), second))
    assert failure(events) is error
    assert failure(events).partial == Message(role="assistant", parts=(Text(text="half an"),))
    assert (second.opened, text_of(events)) == (0, "half an")


async def test_with_restart_the_answer_begins_anew_and_says_so() -> None:
    """M8: what the first said does not count; what it cost is unknown, and not nothing."""
    error = StreamTruncated("cut")
    policy = fallback(Played("one", broken_off(error)), Played("two", says("whole")), restart=True)
    events = await heard(policy)
    again = events.index(Restarted("one broke off (truncated)"))
    assert events[:again] == [Chose("fallback", "one", "first in line"), *opening("half an")]
    assert events[again + 1] == Chose("fallback", "two", "one broke off (truncated)", error, Usage())
    assert events[again + 2 :] == says("whole")
    answer = await complete(policy.stream(ASK))
    assert (answer.text, [choice.backend for choice in answer.choices]) == ("whole", ["one", "two"])


async def test_after_a_restart_that_led_nowhere_the_next_may_be_asked_silently() -> None:
    """M8: the reader was told that nothing counts, so nothing of an answer has begun."""
    inner = fallback(
        Played("one", broken_off(StreamTruncated("cut"))), Played("two", [Failed(Overloaded("busy"))]), restart=True
    )
    events = await heard(fallback(inner, Played("three", says("whole"))))
    assert text_of(events) == "whole"
    assert [event.backend for event in chosen(events)] == ["fallback(one, two)", "one", "two", "three"]
    assert sum(isinstance(event, Restarted) for event in events) == 1


# when nobody answers


async def test_l22_the_last_error_tells_what_happened_to_the_others() -> None:
    """L22: the ordered list of attempts, in the field and in the words."""
    last = AuthFailed("no key", provider="two")
    events = await heard(fallback(Played("one", [Failed(Overloaded("busy"))]), Played("two", [Failed(last)])))
    error = failure(events)
    assert isinstance(error, AuthFailed)
    assert error.attempts == ("one: overloaded: busy",)
    assert str(error) == "auth: no key (two); before that, one: overloaded: busy"
    assert (last.attempts, last.retryable) == ((), False)  # a backend may end in the same error again


@pytest.mark.parametrize(
    ("errors", "retryable", "pause"),
    [
        ([RateLimited("", retry_after=9.0), RateLimited("", retry_after=4.0)], True, 4.0),
        ([RateLimited("", retry_after=9.0), AuthFailed("")], True, 9.0),
        ([RateLimited("", retry_after=9.0), ServerError("")], True, None),
        ([AuthFailed(""), NotFound("")], False, None),
    ],
)
async def test_a_retry_of_the_whole_may_help_where_it_may_help_any(
    errors: list[BackendError], retryable: bool, pause: float | None
) -> None:
    """L1: the pause is that of the first who may be asked again."""
    events = await heard(fallback(*(Played(str(n), [Failed(error)]) for n, error in enumerate(errors))))
    assert (failure(events).retryable, failure(events).retry_after) == (retryable, pause)


async def test_policies_in_policies_tell_all_attempts_in_order() -> None:
    inner = fallback(Played("two", [Failed(ServerError("b"))]), Played("three", [Failed(ServerError("c"))]))
    events = await heard(fallback(Played("one", [Failed(ServerError("a"))]), inner))
    assert failure(events).attempts == ("one: server: a", "two: server: b")
    assert [event.backend for event in chosen(events)] == ["one", "fallback(two, three)", "two", "three"]


async def test_a_node_records_who_was_chosen_and_is_itself_the_only_retry() -> None:
    """M8, L22: one round over all of them is one attempt; the next round is the node's retry."""
    one = Played("one", [Failed(RateLimited("wait", usage=Usage(input=7)))])
    two = Played("two", [Failed(AuthFailed("no key"))], says("hello"))

    @llm("hi", retry=Retry(attempts=2))
    def greet() -> str:
        return generated()

    async with Runtime(models={"default": fallback(one, two)}, config=Config(), clock=JumpingClock()) as rt:
        run = await rt.start(greet)
        assert await run.result() == "hello"
        facts = [entry.fact for entry in await rt.journal.read(run.id)]
    (failed,) = [fact for fact in facts if isinstance(fact, AttemptFailed)]
    assert failed.failure.message == "auth: no key; before that, one: rate_limit: wait"
    (note,) = [from_json(fact.note) for fact in facts if isinstance(fact, StepFinished) and fact.note]
    assert note["model"][-1]["choices"] == [
        {"policy": "fallback", "backend": "one", "reason": "first in line"},
        {
            "policy": "fallback",
            "backend": "two",
            "reason": "one did not answer (rate_limit)",
            "error": "rate_limit: wait",
            "wasted": {"input": 7},
        },
    ]
    assert (one.opened, two.opened) == (2, 2)


# a context that is too short


async def test_l15_a_request_that_is_too_long_goes_only_where_the_context_may_be_longer() -> None:
    """L15: no blind retry; who is not asked is named."""
    short = Played("short", [Failed(ContextLengthExceeded("long"))], capabilities=Capabilities(context_tokens=4096))
    same = Played("same", says("no"), capabilities=Capabilities(context_tokens=4096))
    longer = Played("longer", says("yes"), capabilities=Capabilities(context_tokens=8192))
    assert text_of(await heard(fallback(short, same, longer))) == "yes"
    assert failure(await heard(fallback(short, same))).attempts == ("same: not asked, its context is no longer",)
    assert same.opened == 0


def test_l15_an_unknown_context_may_be_longer() -> None:
    error, on = ContextLengthExceeded("long"), {"context_length"}
    known, unknown = Capabilities(context_tokens=10), Capabilities()
    assert helps(error, known, unknown, on)
    assert helps(error, unknown, known, on)
    assert not helps(error, known, known, on)


# a backend that asked for a pause


async def test_l1_a_backend_that_asked_for_a_pause_is_asked_last_until_it_is_over() -> None:
    """L1: not once more for every caller; but rather than nobody at all."""
    clock = JumpingClock()
    first = Played("one", [Failed(RateLimited("wait", retry_after=30.0))], says("back"))
    second = Played("two", says("hello"), says("again"), [Failed(ServerError("broke"))], says("never"))
    policy = fallback(first, second, clock=clock)
    assert text_of(await heard(policy)) == "hello"
    assert policy.health()[0].rests == 30.0
    clock.time += 10
    (choice,) = chosen(await heard(policy))
    assert choice == Chose("fallback", "two", "one rests for 20 s")
    assert first.opened == 1
    assert text_of(await heard(policy)) == "back"
    clock.time += 20
    assert text_of(await heard(policy)) == "back"
    assert second.opened == 3


# giving up


@pytest.mark.parametrize("way", ["close", "cancel"])
@pytest.mark.parametrize("stage", [Chose, Started, PartDelta])
async def test_giving_up_closes_the_one_that_is_asked_and_waits_for_it(stage: type[StreamEvent], way: str) -> None:
    """The promise of `stream`: nothing goes on for nobody."""
    second = Played("two", [*opening("one two three"), 60.0])
    policy = fallback(Played("one", [Failed(ServerError("broke"))]), second)
    stream = policy.stream(ASK)
    with anyio.CancelScope() as scope:
        async for event in stream:
            if isinstance(event, stage) and (stage is not Chose or second.opened == 0):
                if way == "close":
                    break
                scope.cancel()
    await stream.aclose()
    assert second.active == 0
    assert all(each.outstanding == 0 for each in policy.health())


async def test_a_reader_who_stops_reading_holds_one_stream_and_nothing_runs_behind_it() -> None:
    """L19: an event is only made when it is asked for."""
    first = Played("one", opening("one two three four"))
    stream = fallback(first).stream(ASK)
    for _ in range(3):
        await anext(stream)
    await anyio.wait_all_tasks_blocked()
    assert (first.active, first.opened) == (1, 1)
    await stream.aclose()
    assert first.active == 0


# what it is


async def test_health_counts_what_went_through() -> None:
    """M8: visible facts. Times are the clock's seconds; the newest counts for a fifth."""
    clock = JumpingClock()
    begun = opening("hello")
    slow: list[Step] = [begun[0], 4.0, *begun[1:], 6.0, *says("hello")[-2:]]
    first = Played("one", [Failed(Overloaded("busy"))], slow, says("at once"), opening("given up"), clock=clock)
    policy = fallback(first, Played("two", says("hello"), clock=clock), clock=clock)
    for _ in range(3):
        await heard(policy)
    stream = policy.stream(ASK)
    while not isinstance(await anext(stream), PartStarted):
        pass
    assert policy.health()[0].outstanding == 1
    await stream.aclose()
    one, two = policy.health()
    assert one == Health("one", 0, 2, {"overloaded": 1}, 1, one.first_content, one.answer, 0.0)
    assert one.first_content == pytest.approx(0.8 * (0.8 * 4.0))
    assert one.answer == pytest.approx(0.8 * 10.0)
    assert two.answers == 1


def test_it_can_do_what_all_of_them_can() -> None:
    """M6: nobody knows beforehand who answers."""
    able = Capabilities(tools=True, json_schema=True, seed=True, context_tokens=100)
    assert weakest([able, able]) == able
    assert weakest([able, Capabilities(tools=False, context_tokens=50)]) == Capabilities(tools=False, context_tokens=50)
    assert weakest([Capabilities(), Capabilities(tools=False)]).tools is False
    assert fallback(Played("a", [], capabilities=able), Played("b", [])).capabilities == Capabilities()


async def test_it_is_a_backend_named_after_those_it_asks_and_closes_them_all() -> None:
    first, second = Played("one", []), Played("two", [])
    policy = fallback(first, second, "scripted:yes")
    assert isinstance(policy, Backend)
    assert policy.name == repr(policy) == "fallback(one, two, scripted)"
    await policy.aclose()
    await policy.aclose()
    assert (first.closed, second.closed) == (2, 2)


async def test_closing_it_closes_the_others_too_where_one_cannot_be_closed() -> None:
    class Stuck(Played):
        async def aclose(self) -> None:
            raise OSError("stuck")

    first, last = Played("one", []), Played("three", [])
    with pytest.raises(OSError, match="stuck"):
        await fallback(first, Stuck("two", []), last).aclose()
    assert (first.closed, last.closed) == (1, 1)


async def test_names_are_opened_and_what_is_wrong_is_found_before_anything_runs() -> None:
    assert text_of(await heard(fallback("scripted:one", "scripted:two"))) == "one"
    with pytest.raises(BindingError, match="no_such"):
        fallback("no_such:model")
    with pytest.raises(ValueError, match="needs a backend"):
        fallback()
    with pytest.raises(ValueError, match=r"scripted:a twice.*retry"):
        fallback("scripted:a", "scripted:a")
    same = Scripted("a", name="mine")
    with pytest.raises(ValueError, match="mine twice"):
        fallback(same, "scripted:a", same)
    with pytest.raises(ValueError, match=r"on holds ratelimit; .*rate_limit"):
        fallback("scripted:a", on={"ratelimit"})


async def test_on_a_real_socket_a_refusal_and_a_cut_connection_lead_to_the_next() -> None:
    """L1, L7: as they come over the wire."""
    limited = Whole(b'{"error": {"message": "slow down"}}', 429, {"retry-after": "7"})
    half = text("half", "an")
    cut = Stream(half, cut_after=sum(map(len, half[:2])) + 5)
    with serve([limited, cut]) as bad, serve(Stream(text("whole"))) as good:
        first = OpenAIChat("a", base_url=bad.base_url)
        policy = fallback(first, OpenAIChat("b", base_url=good.base_url), restart=True, clock=JumpingClock())
        events = await heard(policy)
        assert text_of(events) == "whole"
        assert isinstance(chosen(events)[1].error, RateLimited)
        assert policy.health()[0].rests == 7.0
        await policy.aclose()
        policy = fallback(first, OpenAIChat("b", base_url=good.base_url), restart=True)
        events = await heard(policy)
        assert text_of(events) == "whole"
        assert isinstance(chosen(events)[1].error, StreamTruncated)
        await policy.aclose()


# whatever happens

usages = st.none() | st.builds(Usage, input=st.integers(0, 9))
errors = st.sampled_from([RateLimited, ServerError, AuthFailed, BadRequest, ContentFiltered, StreamTruncated]).flatmap(
    lambda kind: st.builds(kind, st.just("no"), usage=usages, retry_after=st.none() | st.just(5.0))
)


@st.composite
def programmes(draw: st.DrawFn) -> list[Step]:
    """A whole answer, or one that ends anywhere in an error, a bug or nothing at all; with pauses."""
    whole: list[Step] = list(says(draw(st.sampled_from(["", "yes", "yes and no"]))))
    if draw(st.booleans()):
        whole.insert(1, Warned("seed", "ignored"))
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(whole) - 1))
        whole[cut:] = draw(
            st.one_of(errors.map(lambda error: [Failed(error)]), st.just([KeyError("bug")]), st.just([]))
        )
    if draw(st.booleans()):
        whole.insert(draw(st.integers(0, len(whole))), draw(st.sampled_from([0.5, 1.0, 3.0])))
    return whole


def meant(line: Sequence[list[Step]], restart: bool) -> tuple[str, list[str], bool]:
    """What a fallback over these programmes must come to: what was said, who was asked, and whether it is an answer."""
    words, asked = "", list[str]()
    for number, programme in enumerate(line):
        asked.append(str(number))
        events = [step for step in programme if not isinstance(step, float)]
        end = events[-1] if events else None
        words = "".join(event.text for event in events if isinstance(event, PartDelta))
        if isinstance(end, Finished):
            return words, asked, True
        error = end.error if isinstance(end, Failed) else None
        began = any(isinstance(event, PartStarted) for event in events)
        if (error is not None and error.category not in SWITCHING) or (began and not restart):
            return words, asked, False
    return words, asked, False


@pytest.mark.parametrize("engine", ["asyncio", "trio"])
@settings(max_examples=150)
@given(line=st.lists(programmes(), min_size=1, max_size=4), restart=st.booleans())
def test_wherever_backends_fail_the_answer_is_the_first_whole_one(
    engine: str, line: list[list[Step]], restart: bool
) -> None:
    """M3, M8, L22: one terminal event, the grammar kept, everybody asked at most once and let go, and every choice with
    its reason."""
    clock = JumpingClock()
    backends = [Played(str(number), programme, clock=clock) for number, programme in enumerate(line)]
    policy = fallback(*backends, restart=restart, clock=clock)
    events = anyio.run(heard, policy, backend=engine)
    words, asked, whole = meant(line, restart)
    assert (text_of(events), isinstance(events[-1], Finished)) == (words, whole)
    assert [choice.backend for choice in chosen(events)] == asked
    assert [backend.opened for backend in backends] == [str(n) in asked for n in range(len(line))]
    assert all(backend.active == 0 for backend in backends)
    for choice, before in zip(chosen(events)[1:], asked, strict=False):
        assert choice.error is not None
        assert re.fullmatch(rf"{before} (did not answer|broke off) \({choice.error.category}\)", choice.reason)
    if not whole:
        assert [attempt.partition(":")[0] for attempt in failure(events).attempts] == asked[:-1]


@st.composite
def trees(draw: st.DrawFn) -> tuple[Backend, list[Played]]:
    """Policies over policies over backends that do anything."""
    clock = JumpingClock()
    leaves: list[Played] = []

    def grow(depth: int) -> Backend:
        if depth and draw(st.booleans()):
            return policy(depth)
        leaves.append(Played(str(len(leaves)), draw(programmes()), clock=clock))
        return leaves[-1]

    def policy(depth: int) -> Backend:
        inner = [grow(depth - 1) for _ in range(2)]
        match draw(st.sampled_from(["fallback", "balance", "hedge"])):
            case "fallback":
                return fallback(*inner, restart=draw(st.booleans()), clock=clock)
            case "balance":
                return balance(inner, rng=draw(st.randoms(use_true_random=False)), clock=clock)
            case _:
                return hedge(*inner, after=draw(st.sampled_from([0.0, 0.5, 2.0])), clock=clock)

    return policy(3), leaves


@pytest.mark.parametrize("engine", ["asyncio", "trio"])
@settings(max_examples=100)
@given(tree=trees(), stop=st.none() | st.integers(0, 12), cancel=st.booleans())
def test_policies_over_policies_keep_the_grammar_and_let_go_of_everything(
    engine: str, tree: tuple[Backend, list[Played]], stop: int | None, cancel: bool
) -> None:
    """M3, M8: whatever fails, is slow, or is given up at any event."""
    backend, leaves = tree

    async def read() -> list[StreamEvent]:
        events: list[StreamEvent] = []
        stream = backend.stream(ASK)
        with anyio.CancelScope() as scope:
            async for event in stream:
                events.append(event)
                if len(events) == stop:
                    if not cancel:
                        break
                    scope.cancel()
        await stream.aclose()
        return events

    events = anyio.run(read, backend=engine)
    ended = bool(events) and isinstance(events[-1], (Finished, Failed))
    assert ended or (stop is not None and len(events) >= stop)
    state = Fold()
    for event in events:
        state.add(event)
    if ended:
        check(events)
    assert all(leaf.opened <= 1 for leaf in leaves)
    assert all(leaf.active == 0 for leaf in leaves)
    assert all(choice.reason for choice in chosen(events))
