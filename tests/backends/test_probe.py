"""What an endpoint really does, against what is written down of it: on a real socket, in three dialects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.anthropic import Anthropic
from graphrt.backends.dialects.gemini import Gemini
from graphrt.backends.dialects.openai_chat import OpenAIChat
from graphrt.backends.dialects.profiles import profile_named
from graphrt.backends.errors import BackendError, BadRequest, RateLimited, ServerError
from graphrt.backends.events import Answer, Usage
from graphrt.backends.messages import Message, Reasoning, Text, ToolCall
from graphrt.backends.probing import Finding, Report, examine
from graphrt.backends.probing.findings import Case
from graphrt.backends.probing.probes import PROBES, findings
from graphrt.backends.probing.questions import QUESTIONS, Told
from graphrt.backends.remote import Remote
from graphrt.backends.scripted import Scripted
from graphrt.backends.wire.ratelimits import RateLimit
from graphrt.testing import JumpingClock
from tests.backends.endpoint import Heard, Mind, Said, able, hear, refusing, serving
from tests.backends.provider import Asked, Reply, provide

KEY = "sk-canary-4711"


def chat(base_url: str, model: str = "gpt-4.1", profile: str = "openai") -> Remote:
    return OpenAIChat(model, base_url=base_url, key=KEY, profile=profile_named(profile))


def anthropic(base_url: str) -> Remote:
    return Anthropic("claude-sonnet-4-5", base_url=base_url, key=KEY)


def gemini(base_url: str) -> Remote:
    return Gemini("gemini-2.5-flash", base_url=base_url, key=KEY)


Opened = Callable[[str], Remote]
dialects = pytest.mark.parametrize("opened", [chat, anthropic, gemini])


@dataclass
class Examined:
    report: Report
    asked: list[Asked]
    told: list[str]

    def __getitem__(self, name: str) -> Finding:
        return next(finding for finding in self.report.findings if finding.name == name)

    def of(self, verdict: str) -> set[str]:
        return {finding.name for finding in self.report.findings if finding.verdict == verdict}


async def examined_at(answer: Callable[[Asked], Reply], opened: Opened = chat, **options: Any) -> Examined:
    """Examine whatever answers."""
    told: list[str] = []
    with provide(answer) as provider:
        backend = opened(provider.base_url)
        try:
            report = await examine(backend, telling=told.append, **options)
        finally:
            await backend.aclose()
        return Examined(report, provider.asked, told)


async def examined(mind: Mind, opened: Opened = chat) -> Examined:
    """Examine a mind behind a dialect."""
    return await examined_at(serving(mind), opened)


# What an endpoint does.


@pytest.mark.anyio
@dialects
async def test_an_endpoint_that_does_everything_differs_in_nothing(opened: Opened) -> None:
    """Every question is asked and settled; of its rate limits no profile says anything."""
    found = await examined(able, opened)
    assert found.report.agrees
    assert (found.of("differs"), found.of("not settled"), found.of("learned")) == (set(), set(), {"rate limits"})
    names = {probe.name for probe in PROBES} - {"context"}
    assert {finding.name for finding in found.report.findings} == names
    assert found["rate limits"].words == "59 of 60 requests"
    assert found["images"].found == "yes"
    assert len(found.report.asked) == len(found.asked)


@pytest.mark.anyio
@dialects
async def test_a_gateway_that_drops_tools_differs(opened: Opened) -> None:
    """What it says instead is told. That it cannot be kept from calling is not settled by one that never calls."""
    found = await examined(lambda heard: able(replace(heard, tools=(), choice="auto")), opened)
    assert found.of("differs") == {"tools", "tool choice: one"}
    assert "Red, orange" in found["tools"].words
    assert found.of("not settled") == {"tool choice: none", "parallel tools"}
    assert not found.report.agrees


@pytest.mark.anyio
@dialects
async def test_words_instead_of_the_schema_differ(opened: Opened) -> None:
    """Neither of the form nor JSON."""

    def wordy(heard: Heard) -> Said:
        return replace(able(heard), text='Sure! {"mood": "fine"}') if heard.schema else able(heard)

    found = await examined(wordy, opened)
    assert found.of("differs") == {"JSON schema", "JSON object"}
    assert 'Sure! {"mood": "fine"}' in found["JSON schema"].words


@pytest.mark.anyio
async def test_other_json_than_the_schema_asks_for_differs_in_the_schema_alone() -> None:
    """One member too many is not the schema."""

    def free(heard: Heard) -> Said:
        text = '{"mood_k7": "amber-31", "sure_q2": true, "why": "sun"}'
        return replace(able(heard), text=text) if heard.schema else able(heard)

    assert (await examined(free)).of("differs") == {"JSON schema"}


@pytest.mark.anyio
async def test_json_by_habit_is_no_promise() -> None:
    """A server that is not known to promise JSON was asked for it in words, too."""

    def habit(heard: Heard) -> Said:
        return replace(able(heard), text='{"mood": "fine"}') if heard.schema else able(heard)

    found = await examined(habit, lambda url: chat(url, "m", "openai_chat"))
    assert (found["JSON schema"].verdict, found["JSON schema"].found) == ("learned", "no")
    assert found["JSON object"].verdict == "not settled"


@pytest.mark.anyio
@dialects
async def test_a_stream_without_usage_differs(opened: Opened) -> None:
    """Unknown is not 0, and 0 for words that came is not usage either (M4)."""
    assert (await examined(lambda heard: replace(able(heard), usage=None), opened))["usage"].words == "it tells none"
    found = await examined(lambda heard: replace(able(heard), usage=(0, 0)), opened)
    assert found.of("differs") == {"usage"}


@pytest.mark.anyio
@dialects
async def test_a_field_that_is_refused_differs_in_the_words_of_the_provider(opened: Opened) -> None:
    """A refusal is an answer: the other questions are asked all the same (M5)."""

    def answer(asked: Asked) -> Reply:
        if hear(asked).stop:
            return refusing(asked, 400, "Unsupported parameter: 'stop'")
        return serving(able)(asked)

    found = await examined_at(answer, opened)
    assert found.of("differs") == {"stop strings"}
    assert found["stop strings"].found == "refused"
    assert "Unsupported parameter: 'stop'" in found["stop strings"].words


@pytest.mark.anyio
async def test_a_model_that_thinks_now_differs() -> None:
    """Its profile says that it does not: it is not asked to, and does it in every answer."""
    found = await examined(lambda heard: replace(able(heard), thought="Hm."))
    assert found.of("differs") == {"reasoning"}
    assert not any(hear(asked).thinks for asked in found.asked)


@pytest.mark.anyio
async def test_thinking_that_is_asked_for_and_not_seen_is_not_settled() -> None:
    """It can, and need not."""
    found = await examined(lambda heard: replace(able(heard), thought=""), gemini)
    assert found["reasoning"].verdict == "not settled"
    assert any(hear(asked).thinks for asked in found.asked)


@pytest.mark.anyio
async def test_an_answer_in_one_piece_is_no_stream() -> None:
    """A gateway that waits for the whole answer shows that it does."""

    found = await examined(lambda heard: replace(able(heard), whole=True))
    assert found.of("differs") == {"streams"}


@pytest.mark.anyio
async def test_an_instruction_that_never_arrives_is_told_from_one_that_is_not_obeyed() -> None:
    """What arrives is paid for; where nobody counts, it is not to be seen."""
    lost = await examined(lambda heard: able(replace(heard, system="")))
    assert lost.of("differs") == {"system message"}

    def stubborn(heard: Heard) -> Said:
        return replace(able(heard), text="No.") if heard.system else able(heard)

    assert (await examined(stubborn)).of("not settled") == {"system message"}
    uncounted = await examined(lambda heard: replace(able(replace(heard, system="")), usage=None))
    assert uncounted["system message"].verdict == "not settled"


@pytest.mark.anyio
async def test_a_choice_of_tools_that_is_ignored_differs() -> None:
    """It calls where it must not, and speaks where it must call."""

    def willful(heard: Heard) -> Said:
        forced = heard.choice not in {"auto", "none"}
        return able(replace(heard, tools=() if forced else heard.tools, choice="auto"))

    assert (await examined(willful)).of("differs") == {"tool choice: none", "tool choice: one"}


@pytest.mark.anyio
async def test_one_call_at_a_time_is_not_settled() -> None:
    """Nobody can tell a will from an inability."""

    def patient(heard: Heard) -> Said:
        said = able(heard)
        return replace(said, calls=said.calls[:1])

    assert (await examined(patient)).of("not settled") == {"parallel tools"}


@pytest.mark.anyio
async def test_a_call_with_other_arguments_differs() -> None:
    """A tool that is called with something else is not called."""

    def confused(heard: Heard) -> Said:
        said = able(heard)
        return replace(said, calls=[(name, {"town": "?"}) for name, _ in said.calls])

    found = await examined(confused)
    assert found.of("differs") == {"tools"}
    assert 'get_weather {"town": "?"}' in found["tools"].words


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (lambda seed, number: f"{number} {seed}", "differs"),
        (lambda seed, number: f"plum {number}", "not settled"),
        (lambda seed, number: "plum", "not settled"),
        (lambda seed, number: "", "not settled"),
        (lambda seed, number: f"{seed} plum", "agrees"),
    ],
)
async def test_a_seed_is_judged_by_what_chance_cannot_explain(words: Callable[[int, int], str], verdict: str) -> None:
    """Other words from the first one on are no seed; the same words for every seed show nothing."""
    numbers = count()

    def mind(heard: Heard) -> Said:
        return replace(able(heard), text=words(heard.seed, next(numbers))) if heard.seed is not None else able(heard)

    assert (await examined(mind))["seed"].verdict == verdict


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("1 2 3 4 5 6 7 8 9", "differs"),
        ("1 2 3 4 5", "agrees"),
        ("1 2 3 4", "agrees"),
        ("", "not settled"),
        ("one, two, three", "not settled"),
    ],
)
async def test_a_stop_string_is_judged_by_what_comes_after_it(text: str, verdict: str) -> None:
    """Some servers leave it in; one that does not count cannot show that it stops."""

    def mind(heard: Heard) -> Said:
        return replace(able(heard), text=text) if heard.stop else able(heard)

    assert (await examined(mind))["stop strings"].verdict == verdict


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"cut": True}, "agrees"),
        ({"cut": False, "usage": (9, 16)}, "differs"),
        ({"cut": False, "text": "No.", "usage": (9, 2)}, "not settled"),
        ({"cut": True, "text": "17 " * 400}, "differs"),
    ],
)
async def test_a_limit_of_tokens_is_kept_and_owned_up_to(said: Mapping[str, Any], verdict: str) -> None:
    """An answer that was cut off and says that it ended by itself would pass for a whole one (M3)."""

    def mind(heard: Heard) -> Said:
        return replace(able(heard), **said) if heard.most is not None else able(heard)

    assert (await examined(mind))["max_tokens"].verdict == verdict


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("asked", "answers", "found"),
    [
        ("gpt-4.1", "gpt-4.1-2025-04-14", "yes"),
        ("gpt-4", "gpt-4-0613", "yes"),
        ("gpt-4", "gpt-4o", "not settled"),
        ("gpt-4", "gpt-4.1", "not settled"),
        ("mistral-large-latest", "mistral-large-2411", "yes"),
        ("openai/gpt-4.1", "gpt-4.1", "yes"),
        ("gemini-2.5-flash", "models/gemini-2.5-flash-preview-09-2025", "yes"),
        ("llama3", "llama3:latest", "yes"),
        ("big", "small", "not settled"),
    ],
)
async def test_another_model_that_answers_is_named(asked: str, answers: str, found: str) -> None:
    """A date or a version is no other model; anything else only the provider can tell."""
    examined_ = await examined(lambda heard: replace(able(heard), model=answers), lambda url: chat(url, asked))
    assert (examined_["model"].found, answers in examined_["model"].words) == (found, True)


@pytest.mark.anyio
async def test_what_is_not_sent_is_not_asked_of_the_server() -> None:
    """M6: the profile says that the setting is not there; the server is not blamed for it."""
    found = await examined(able, lambda url: chat(url, "deepseek-chat", "deepseek"))
    assert (found["seed"].verdict, found["seed"].words) == ("agrees", "not asked: this API has no such setting")
    assert not any("seed" in asked.body for asked in found.asked)


@pytest.mark.anyio
async def test_a_setting_that_is_not_sent_is_not_found() -> None:
    """M6: the backend warns that this model cannot be made to call a tool; that it calls of its own will shows
    nothing."""

    def eager(heard: Heard) -> Said:
        said = able(heard)
        return replace(said, calls=[("get_weather", {"city": "Lisbon"})]) if "hello" in heard.text else said

    found = await examined(eager, lambda url: Anthropic("claude-opus-5-5", base_url=url, key=KEY))
    assert (found["tool choice: one"].verdict, found["tool choice: one"].found) == ("agrees", "no")
    assert found["tool choice: one"].words.startswith("not sent: this model cannot be made to call a tool")


@pytest.mark.anyio
async def test_a_server_of_which_nothing_is_known_is_learned() -> None:
    """What the plain profile does not know is told, and is no difference."""
    found = await examined(able, lambda url: chat(url, "gpt-4.1", "openai_chat"))
    assert found.report.agrees
    assert {"usage", "tools", "parallel tools", "tool choice: one", "JSON schema", "seed"} <= found.of("learned")


# What cannot be used.


@pytest.mark.anyio
@dialects
async def test_a_refused_key_ends_it_at_once(opened: Opened) -> None:
    """One question, one finding, and the provider's words without the key that they quote (M9)."""
    found = await examined_at(lambda asked: refusing(asked, 401, f"Incorrect API key: {KEY}"), opened)
    assert (len(found.asked), len(found.report.findings)) == (1, 1)
    assert found.report.error is not None
    assert found.report.error.category == "auth"
    assert (found["reachable"].found, found["reachable"].verdict) == ("refused", "differs")
    assert "Incorrect API key: [secret]" in found["reachable"].words
    assert KEY not in repr(found.report)


@pytest.mark.anyio
async def test_an_endpoint_that_is_not_there_ends_it_at_once() -> None:
    """There is nobody to ask the other questions."""
    with provide(Reply([])) as provider:
        gone = provider.base_url
    backend = chat(gone)
    report = await examine(backend)
    await backend.aclose()
    assert report.error is not None
    assert report.error.category == "connection"
    assert [(each.name, each.found) for each in report.findings] == [("reachable", "no")]


@pytest.mark.anyio
async def test_silence_ends_when_the_time_is_up() -> None:
    """A server that takes the question and never answers holds nobody longer than it was given."""
    found = await examined_at(lambda asked: Reply([], mute=True), timeout=0.05)
    assert found.report.error is not None
    assert str(found.report.error) == "timeout: no whole answer within 0.05 s (openai:gpt-4.1)"


# What passes.


def busy_at(number: int, pause: str) -> Callable[[Asked], Reply]:
    """Refuses one request for now."""

    def answer(asked: Asked) -> Reply:
        if asked.number == number:
            return refusing(asked, 429, "slow down", retry_after=pause)
        return serving(able)(asked)

    return answer


@pytest.mark.anyio
@dialects
@pytest.mark.parametrize("number", [0, 4])
async def test_a_pause_that_is_asked_for_is_kept(opened: Opened, number: int) -> None:
    """E6: and then the question is asked again."""
    clock = JumpingClock()
    begun = clock.monotonic()
    found = await examined_at(busy_at(number, "7"), opened, clock=clock)
    assert found.report.agrees
    assert found.of("not settled") == set()
    assert clock.monotonic() - begun >= 7
    assert len(found.report.asked) == len({told.question for told in found.report.asked}) + 1
    assert sum("pause of 7 s" in words for words in found.told) == 1


@pytest.mark.anyio
async def test_a_provider_that_is_always_busy_is_not_asked_for_ever() -> None:
    """Three times, with two pauses between."""
    clock = JumpingClock()
    begun = clock.monotonic()
    found = await examined_at(lambda asked: refusing(asked, 429, "slow down", retry_after="7"), clock=clock)
    assert len(found.asked) == 3
    assert clock.monotonic() - begun == pytest.approx(14)
    assert found.report.error is not None
    assert (found.report.error.category, found["reachable"].found) == ("rate_limit", "no")


@pytest.mark.anyio
async def test_a_pause_that_is_too_long_leaves_the_question_open() -> None:
    """What passes by is no difference, and the other questions are asked."""
    found = await examined_at(busy_at(2, "3600"))
    assert found.report.agrees
    assert (found["tools"].verdict, "slow down" in found["tools"].words) == ("not settled", True)
    assert found["JSON schema"].verdict == "agrees"


@pytest.mark.anyio
async def test_a_server_that_breaks_leaves_the_question_open() -> None:
    """Neither a 500 nor a cut stream says what it can do; the next question goes over a new connection."""

    def answer(asked: Asked) -> Reply:
        if asked.number == 1:
            return refusing(asked, 500, "oops")
        reply = serving(able)(asked)
        return replace(reply, pieces=reply.pieces[:2], end="cut") if asked.number == 6 else reply

    found = await examined_at(answer)
    assert found.report.agrees
    assert {"system message", "JSON schema", "JSON object"} <= found.of("not settled")
    assert "truncated" in found["JSON schema"].words


# Whatever comes back.


@pytest.mark.anyio
async def test_a_backend_of_any_kind_can_be_examined() -> None:
    """It needs `stream`, and nothing else of a backend (M1)."""
    report = await examine(Scripted("Hello there."))
    assert {each.name for each in report.findings if each.verdict == "differs"} == {
        "tools", "JSON schema", "JSON object"
    }  # fmt: skip


TEXTS = st.text() | st.sampled_from(["PELICAN", "{}", "[]", '{"mood_k7": [], "sure_q2": 1}', "1 2 3 4", "red", " "])
CALLS = st.builds(ToolCall, call_id=st.just("c"), name=st.just("get_weather") | st.text(), arguments=TEXTS)
PARTS = st.lists(st.builds(Text, text=TEXTS) | st.builds(Reasoning, text=TEXTS) | CALLS, max_size=3)
COUNTS = st.none() | st.integers(0, 20)
ANSWERS = st.builds(
    Answer,
    message=PARTS.map(lambda parts: Message(role="assistant", parts=tuple(parts))),
    finish=st.sampled_from(["stop", "length", "tool_calls", "refusal"]),
    usage=st.builds(Usage, input=COUNTS, output=COUNTS, reasoning=COUNTS),
    model=st.none() | st.text(),
)
LIMITS = st.lists(st.builds(RateLimit, of=st.text(), limit=st.none() | st.floats(0, 1e9)), max_size=2).map(tuple)
ERRORS = st.sampled_from([BadRequest("no"), RateLimited("later"), ServerError("oops")])
MAYBE = st.none() | st.booleans()
CAN = st.builds(Capabilities, tools=MAYBE, json_schema=MAYBE, json_object=MAYBE, seed=MAYBE, reasoning=MAYBE)


def told(question: str, outcome: Answer | BackendError, deltas: int, limits: tuple[RateLimit, ...]) -> Told:
    answer, error = (outcome, None) if isinstance(outcome, Answer) else (None, outcome)
    return Told(question, answer, error, deltas, 0.1 if deltas else None, 0.2, limits)


@given(st.data(), CAN, ANSWERS)
def test_whatever_comes_back_is_judged(data: st.DataObject, can: Capabilities, first: Answer) -> None:
    """Each thing has one finding, and what cannot be told from chance or an error is never a difference."""
    outcomes = {q.name: data.draw(ANSWERS | ERRORS) for q in QUESTIONS if q.only(can)} | {"plain": first}
    case = Case("p:m", can, can, {name: told(name, said, 2, data.draw(LIMITS)) for name, said in outcomes.items()})
    found = {each.name: each for each in findings(case)}
    assert set(found) == {probe.name for probe in PROBES} - {"images", "context"}
    for probe in PROBES:
        passing = [name for name in probe.questions if isinstance(outcomes.get(name), (RateLimited, ServerError))]
        refused = [name for name in probe.questions if isinstance(outcomes.get(name), BadRequest)]
        if passing and not refused:
            assert found[probe.name].verdict == "not settled"
    assert found["tools"].found != "yes" or outcomes["tool"].tool_calls  # type: ignore[union-attr]


def test_a_refusal_and_an_unknown_profile_are_learned() -> None:
    """The verdict is about the profile: where it says nothing, whatever was found is new."""
    assert Finding("x", "", None, "refused").verdict == "learned"
    assert Finding("x", "", says=False, found="refused").verdict == "agrees"
    assert Finding("x", "", says=False, found="yes").verdict == "differs"
    assert Finding("x", "", says=True, found="not settled").verdict == "not settled"


def test_every_question_is_for_something() -> None:
    """A question that no probe is judged by would cost tokens for nothing."""
    used = {name for probe in PROBES for name in probe.questions} | {"thought"}
    assert used == {question.name for question in QUESTIONS}
