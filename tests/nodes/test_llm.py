"""The llm node: prompts, typed answers and their repair, bindings, retries, live text, and the record of its cost."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from enum import Enum
from typing import Any, Literal

import anyio
import pytest
from pydantic import BaseModel, Field
from pydantic_core import from_json

from graphrt import Retry, Runtime, Timeout, dag, each, node
from graphrt.backends.base import Capabilities
from graphrt.backends.errors import ContentFiltered, InvalidOutput, RateLimited, ServerError, StreamTruncated
from graphrt.backends.events import (
    Answer,
    Finished,
    PartDelta,
    PartEnded,
    PartStarted,
    Started,
    StreamEvent,
    Usage,
)
from graphrt.backends.llama import installed
from graphrt.backends.messages import Reasoning, Refusal, Request, Settings, Text, ToolCall, ToolSpec, assistant
from graphrt.backends.scripted import Scripted
from graphrt.config import Config
from graphrt.errors import GraphError, RunCancelled, RunFailed, UsageError
from graphrt.facts import AttemptFailed, StepFailed, StepFinished
from graphrt.node import Node
from graphrt.nodes import ask, generated, llm
from graphrt.testing import JumpingClock

pytestmark = pytest.mark.anyio
NOWHERE = Config()


class Finding(BaseModel):
    claim: str
    score: int = Field(ge=0)


class Nested(BaseModel):
    topic: str
    findings: list[Finding]


class Tree(BaseModel):
    name: str
    children: list[Tree] = Field(default_factory=list)


class Tricky(BaseModel):
    properties: str
    items: list[int]
    anyOf: Literal["x"] = "x"  # noqa: N815 - the point is that the field is called as a keyword of JSON Schema


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@llm("Say something about {{ topic }}.", model="fast", system="You speak of {{ topic }} only.")
def say(topic: str) -> str:
    return generated()


@llm("List {{ count }} words.", model="fast")
def words(count: int) -> list[str]:
    return generated()


@llm("Find.", model="fast", repairs=2)
def find() -> Nested:
    return generated()


def runtime(backend: Any, **settings: Any) -> Runtime:
    return Runtime(models={"fast": backend}, config=NOWHERE, **settings)


async def run(backend: Any, what: Node[..., Any], **values: Any) -> Any:
    async with runtime(backend) as rt:
        return await rt.run(what, **values)


async def cause(backend: Any, what: Node[..., Any], **values: Any) -> BaseException:
    """The error under the RunFailed of a run that must fail."""
    with pytest.raises(RunFailed) as failed:
        await run(backend, what, **values)
    assert failed.value.__cause__ is not None
    return failed.value.__cause__


async def note_of(backend: Any, what: Node[..., Any], **values: Any) -> dict[str, Any]:
    async with runtime(backend) as rt:
        started = await rt.start(what, **values)
        await started.result()
        facts = [entry.fact async for entry in started.events()]
    notes = [fact.note for fact in facts if isinstance(fact, StepFinished)]
    assert len(notes) == 1
    assert notes[0] is not None
    note: dict[str, Any] = from_json(notes[0])
    return note


def asked_for(wanted: Any) -> tuple[Any, Scripted]:
    """A node that returns `wanted`, with a model that answers nonsense: for the schema it is asked with."""

    def thing() -> Any:
        raise AssertionError

    thing.__annotations__["return"] = wanted
    return llm("Give it.", model="fast", repairs=0)(thing), Scripted("?")


async def schema_of(wanted: Any) -> dict[str, Any]:
    made, backend = asked_for(wanted)
    await cause(backend, made)
    assert backend.requests[0].output is not None
    return dict(backend.requests[0].output.schema_)


# The prompt.


async def test_the_template_and_the_instructions_are_rendered_over_the_parameters() -> None:
    """The prompt is one user message behind one system message, filled in with the step's values."""
    backend = Scripted("Tides rise.")
    assert await run(backend, say, topic="tides") == "Tides rise."
    assert [(message.role, message.text) for message in backend.requests[0].messages] == [
        ("system", "You speak of tides only."),
        ("user", "Say something about tides."),
    ]


async def test_values_reach_the_template_as_typed_objects_and_are_not_escaped_as_html() -> None:
    """A template may loop over a list of models and read their fields; text stays as it is, markup and newlines too."""

    @llm("{% for each in findings %}- {{ each.claim }} ({{ each.score }})\n{% endfor %}", model="fast")
    def write(findings: list[Finding]) -> str:
        return generated()

    backend = Scripted("ok")
    await run(backend, write, findings=[Finding(claim="<b> & 'c'", score=2), Finding(claim="{{ topic }}", score=3)])
    assert backend.requests[0].messages[0].text == "- <b> & 'c' (2)\n- {{ topic }} (3)\n"


def test_a_name_that_is_no_parameter_is_a_mistake_at_definition() -> None:
    """All unknown names are reported at once, each with its place and what there is instead (G4)."""
    with pytest.raises(GraphError) as wrong:

        @llm("{{ topc }} and {{ when }} of {{ topic }}", model="fast")
        def broken(topic: str, kind: str) -> str:
            return generated()

    mistakes = wrong.value.mistakes
    assert [mistake.what for mistake in mistakes] == [
        "its template asks for 'topc', which is no parameter",
        "its template asks for 'when', which is no parameter",
    ]
    assert all("test_llm.py:" in mistake.place and mistake.place.endswith("in broken") for mistake in mistakes)
    assert {mistake.fix for mistake in mistakes} == {"use one of topic, kind"}


def test_the_names_of_the_system_template_are_checked_too() -> None:
    """Instructions are a template like the prompt (G4)."""
    with pytest.raises(GraphError, match="'nobody', which is no parameter"):

        @llm("Hello.", system="You are {{ nobody }}.")
        def broken() -> str:
            return generated()


def test_a_template_that_does_not_parse_is_a_mistake_at_definition_with_its_line() -> None:
    """A syntax error names the line of the template (G4)."""
    with pytest.raises(GraphError, match="does not parse at line 2") as wrong:

        @llm("First.\n{% if x %}", model="fast")
        def broken(x: str) -> str:
            return generated()

    assert wrong.value.mistakes[0].fix == "mend the Jinja syntax"


@pytest.mark.parametrize(
    "trick",
    [
        "{{ x.__class__ }}",
        "{{ x.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ x|attr('__class__') }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ x.nothing }}",
        "{% include 'secrets' %}",
        "{{ items.append(x) }}",
        "{{ range(10 ** 9)|list }}",
    ],
)
async def test_a_template_cannot_leave_its_sandbox(trick: str) -> None:
    """What reaches for attributes of Python, for files, for too much or for change reaches no model; no retry helps.

    `cycler` is a global of Jinja's own, so its name is known and only the attributes are refused.
    """
    text = trick

    @llm(text, model="fast", retry=3)
    def probe(x: str, items: list[str]) -> str:
        return generated()

    backend = Scripted("leaked")
    with pytest.raises(RunFailed, match=r"the template of 'probe' .* cannot be rendered") as failed:
        await run(backend, probe, x="secret", items=["a"])
    assert backend.requests == []
    assert failed.value.attempt == 1


async def test_the_body_of_an_llm_function_never_runs() -> None:
    """`generated()` is for type checkers; a body may even be a bomb."""
    ran = []

    @llm("Hi.", model="fast")
    def bomb() -> str:
        ran.append("it did")
        return generated()

    assert await run(Scripted("hello"), bomb) == "hello"
    assert ran == []
    with pytest.raises(UsageError, match="does not run"):
        generated()


def test_an_llm_node_is_refused_a_negative_number_of_repairs() -> None:
    """A usage error comes before anything is defined."""
    with pytest.raises(UsageError, match="cannot be negative"):
        llm("x", repairs=-1)


async def test_settings_reach_the_backend() -> None:
    """What is set for a node is in its request, and nothing else is."""
    chosen = Settings(temperature=0, seed=7, max_tokens=9)

    @llm("Hi.", model="fast", settings=chosen)
    def exact() -> str:
        return generated()

    backend = Scripted("hello")
    await run(backend, exact)
    assert backend.requests[0].settings == chosen
    assert backend.requests[0].output is None


# Typed answers.


def reply(value: Any) -> str:
    return json.dumps(value)


@pytest.mark.parametrize(
    ("wanted", "said", "value"),
    [
        (str, "just words", "just words"),
        (Finding, {"claim": "c", "score": 1}, Finding(claim="c", score=1)),
        (list[str], {"result": ["a", "b"]}, ["a", "b"]),
        (list[Finding], {"result": [{"claim": "c", "score": 1}]}, [Finding(claim="c", score=1)]),
        (int, {"result": 3}, 3),
        (bool, {"result": False}, False),
        (Literal["yes", "no"], {"result": "no"}, "no"),
        (Colour, {"result": "blue"}, Colour.BLUE),
        (Finding | str, {"result": "none found"}, "none found"),
        (Finding | str, {"result": {"claim": "c", "score": 1}}, Finding(claim="c", score=1)),
        (Finding | None, {"result": None}, None),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (tuple[int, str], {"result": [1, "a"]}, (1, "a")),
        (Tree, {"name": "r", "children": [{"name": "l"}]}, Tree(name="r", children=[Tree(name="l")])),
        (Tricky, {"properties": "p", "items": [1]}, Tricky(properties="p", items=[1])),
    ],
)
async def test_an_answer_comes_back_as_the_type_it_was_asked_for(wanted: Any, said: Any, value: Any) -> None:
    """Text as it is; objects as they are; anything else in an object of its own; always validated (M7)."""
    made, _ = asked_for(wanted)
    got = await run(Scripted(said if isinstance(said, str) else reply(said)), made)
    assert got == value
    assert type(got) is type(value)


async def test_a_fenced_answer_is_read() -> None:
    """Models like to wrap JSON in a fence of Markdown; that is not a mistake worth a repair."""
    backend = Scripted('```json\n{"result": ["a"]}\n```\n')
    assert await run(backend, words, count=1) == ["a"]
    assert len(backend.requests) == 1


async def test_a_schema_has_an_object_at_its_root_and_every_object_is_closed() -> None:
    """Nested models are closed too: a model that may add members of its own may never come to an end (M7)."""
    schema = await schema_of(Nested)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Finding"]["additionalProperties"] is False
    boxed = await schema_of(list[Finding])
    assert boxed["required"] == ["result"]
    assert boxed["additionalProperties"] is False
    assert boxed["properties"]["result"] == {"items": {"$ref": "#/$defs/Finding"}, "type": "array"}
    assert boxed["$defs"]["Finding"]["additionalProperties"] is False


async def test_a_recursive_type_has_its_object_at_the_root() -> None:
    """Providers refuse a bare `$ref` where the answer's object should be (M7)."""
    schema = await schema_of(Tree)
    assert schema["type"] == "object"
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}
    assert schema["$defs"]["Tree"]["additionalProperties"] is False


async def test_fields_that_are_called_as_keywords_of_json_schema_are_still_fields() -> None:
    """Closing a schema changes schemas only, never the names of fields (M7)."""
    schema = await schema_of(Tricky)
    assert set(schema["properties"]) == {"properties", "items", "anyOf"}
    assert schema["properties"]["properties"] == {"title": "Properties", "type": "string"}


async def test_an_object_that_is_meant_to_be_open_stays_open() -> None:
    """A mapping's members are its values' type, not forbidden."""
    schema = await schema_of(dict[str, Finding])
    assert schema["additionalProperties"] == {"$ref": "#/$defs/Finding"}


async def test_an_answer_that_does_not_fit_is_shown_to_the_model_with_the_pointers_that_failed() -> None:
    """The repair round holds the conversation, the bad answer and a JSON pointer a mistake (M7)."""
    bad = reply({"topic": "t", "findings": [{"claim": "c", "score": 1}, {"claim": 3, "score": -1}]})
    good = reply({"topic": "t", "findings": []})
    backend = Scripted([bad, good])
    assert await run(backend, find) == Nested(topic="t", findings=[])
    question, answer, again = backend.requests[1].messages
    assert question.text == "Find."
    assert (answer.role, answer.text) == ("assistant", bad)
    assert again.role == "user"
    assert "- at /findings/1/claim: Input should be a valid string" in again.text
    assert "- at /findings/1/score: Input should be greater than or equal to 0" in again.text
    assert backend.requests[1].output == backend.requests[0].output


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        ({"result": ["a", 2]}, "/result/1"),
        ({"result": "a"}, "/result"),
        ({}, "/result"),
        ({"answer": ["a"]}, "/result"),
        ("no JSON at all", "/"),
        (["a"], "/"),
    ],
)
async def test_pointers_speak_of_the_answer_as_the_model_gave_it(bad: Any, where: str) -> None:
    """A list travels in an object, so the pointers a model is shown go through that object (M7)."""
    backend = Scripted([bad if isinstance(bad, str) else reply(bad), reply({"result": ["a"]})])
    assert await run(backend, words, count=1) == ["a"]
    assert f"- at {where}: " in backend.requests[1].messages[-1].text


async def test_a_missing_result_is_never_taken_for_none() -> None:
    """An optional value must be said to be null; an empty object says nothing (M7)."""
    made, _ = asked_for(int | None)
    error = await cause(Scripted("{}"), made)
    assert isinstance(error, InvalidOutput)
    assert error.pointers == ("/result",)


async def test_after_its_repairs_an_answer_is_invalid_output_with_its_pointers_and_what_was_said() -> None:
    """`repairs=2` is three questions in all, and the last answer's mistakes are the error's (M7)."""
    backend = Scripted(["{}", '{"topic": 1}', '{"topic": "t", "findings": {}}', "never asked"])
    error = await cause(backend, find)
    assert isinstance(error, InvalidOutput)
    assert error.pointers == ("/findings",)
    assert "after 2 repair(s): at /findings: Input should be a valid array" in str(error)
    assert error.partial is not None
    assert error.partial.text == '{"topic": "t", "findings": {}}'
    assert len(backend.requests) == 3
    assert [len(request.messages) for request in backend.requests] == [1, 3, 5]


async def test_invalid_output_is_the_step_s_failure_with_its_category() -> None:
    """A run that failed so says so by category, for whoever reads the journal (M5)."""
    async with runtime(Scripted("{}")) as rt:
        started = await rt.start(find)
        with pytest.raises(RunFailed) as failed:
            await started.result()
        facts = [entry.fact async for entry in started.events()]
    assert failed.value.category == "invalid_output"
    assert failed.value.error_type == "InvalidOutput"
    [failure] = [fact.failure for fact in facts if isinstance(fact, StepFailed)]
    assert failure.category == "invalid_output"


# Answers that are none.


async def test_an_answer_that_was_cut_off_is_an_error_and_never_a_value() -> None:
    """Truncation is never success, though what came is whole JSON; it is not asked for again (M3)."""

    @llm("Go on.", model="fast", settings=Settings(max_tokens=2), retry=3)
    def long() -> str:
        return generated()

    backend = Scripted("one two three")
    error = await cause(backend, long)
    assert isinstance(error, StreamTruncated)
    assert "raise max_tokens" in str(error)
    assert error.partial is not None
    assert error.partial.text == "one two"
    assert len(backend.requests) == 1
    cut = Answer(message=assistant('{"result": ["a"]}'), finish="length", usage=Usage(output=5))
    assert isinstance(await cause(Scripted([cut]), words, count=1), StreamTruncated)


@pytest.mark.parametrize("finish", ["refusal", "content_filter"])
async def test_a_refusal_is_an_error_and_never_a_value(finish: Literal["refusal", "content_filter"]) -> None:
    """What a filter left of an answer is no answer (M5)."""
    declined = Answer(message=assistant("I would rather"), finish=finish, raw_finish="SAFETY")
    error = await cause(Scripted([declined]), say, topic="tides")
    assert isinstance(error, ContentFiltered)
    assert "SAFETY" in str(error)


async def test_the_model_s_own_words_for_declining_are_in_the_error() -> None:
    """A refusal part is a refusal, whatever the finish reason says: it never becomes an empty string (M5)."""
    error = await cause(Scripted([Refusal(text="I cannot help with that.")]), say, topic="tides")
    assert isinstance(error, ContentFiltered)
    assert "I cannot help with that." in str(error)


async def test_an_answer_that_the_provider_broke_off_is_an_error() -> None:
    """The finish reason `error` is a server's failure, and may be tried again (M3)."""
    broken = Answer(message=assistant("so far"), finish="error", raw_finish="engine_error")

    @llm("Hi.", model="fast", retry=Retry(attempts=2, base=0))
    def hello() -> str:
        return generated()

    assert isinstance(await cause(Scripted([broken]), say, topic="x"), ServerError)
    assert await run(Scripted([broken, "whole"]), hello) == "whole"


# What is recorded.


async def test_model_and_usage_are_recorded_beside_the_output_and_unknown_is_left_out() -> None:
    """What a step cost is in its own record; a count that nobody gave is not a 0 (M4)."""
    answer = Answer(
        message=assistant("Rise."), finish="stop", model="big-2", usage=Usage(input=12, output=3, raw={"x": 1})
    )
    note = await note_of(Scripted([answer], name="house:big"), say, topic="tides")
    assert note == {
        "model": [
            {
                "role": "fast",
                "backend": "house:big",
                "answered_by": "big-2",
                "finish": "stop",
                "usage": {"input": 12, "output": 3},
                "asked": {"messages": [["system", "You speak of tides only."], ["user", "Say something about tides."]]},
            }
        ]
    }


async def test_repairs_are_recorded_with_every_question_s_own_usage() -> None:
    """Nothing is summed: two questions are two entries (M4, M7)."""
    bad = Answer(message=assistant("{}"), finish="stop", usage=Usage(output=1))
    good = Answer(message=assistant('{"result": ["a"]}'), finish="stop", usage=Usage(output=2))
    note = await note_of(Scripted([bad, good]), words, count=1)
    assert note["repairs"] == 1
    first, second = note["model"]
    assert [first["usage"], second["usage"]] == [{"output": 1}, {"output": 2}]
    assert (first["said"], second["said"]) == ("{}", '{"result": ["a"]}')
    assert second["asked"]["messages"][:2] == [1, ["assistant", "{}"]]


async def test_an_answer_that_needed_no_repair_says_nothing_of_repairs() -> None:
    """The record holds what happened, and no zeros."""
    note = await note_of(Scripted('{"result": ["a"]}'), words, count=1)
    assert "repairs" not in note


# Bindings.


async def test_a_role_that_is_not_bound_says_how_to_bind_it() -> None:
    """The error names the role, what is bound, and three ways to bind it; retrying does not help."""

    @llm("Hi.", model="smart", retry=5)
    def clever() -> str:
        return generated()

    with pytest.raises(RunFailed) as failed:
        await run(Scripted("x"), clever)
    message = str(failed.value)
    assert "no model is bound to it (bound: fast)" in message
    assert "Runtime(models={'smart': 'scheme:model'})" in message
    assert "GRAPHRT_MODEL_SMART" in message
    assert "[models] in graphrt.toml" in message
    assert (failed.value.error_type, failed.value.attempt) == ("BindingError", 1)


async def test_a_role_that_the_environment_cannot_bind_is_not_told_to_use_it() -> None:
    """Environment variables bind roles in small letters; other roles are bound elsewhere."""

    @llm("Hi.", model="Smart-2")
    def clever() -> str:
        return generated()

    with pytest.raises(RunFailed) as failed:
        await run(Scripted("x"), clever)
    assert "GRAPHRT_MODEL" not in str(failed.value)
    assert "models={'Smart-2':" in str(failed.value)


async def test_a_role_may_be_bound_to_a_uri() -> None:
    """The name of a model leads to its backend."""
    assert await run("scripted:always this", say, topic="tides") == "always this"


async def test_a_uri_that_leads_nowhere_says_what_there_is() -> None:
    """A scheme that is not known is named, and the known ones are listed; retrying does not help."""
    with pytest.raises(RunFailed, match=r"'nowhere' is not known; there are .*llama_cpp"):
        await run("nowhere:model", say.with_policy(retry=3), topic="tides")


async def test_a_uri_is_opened_once_for_a_runtime_and_closed_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many steps, roles and runs share one open backend; leaving the runtime closes it (M10)."""
    opened: list[str] = []
    closed: list[str] = []

    class Counted(Scripted):
        async def aclose(self) -> None:
            closed.append(self.name)

    def open_counted(uri: str, **more: Any) -> Scripted:
        opened.append(uri)
        return Counted('{"result": ["a"]}', name=uri)

    # by its module: in the package, the name `llm` is the decorator
    monkeypatch.setattr(sys.modules["graphrt.nodes.llm"], "open_backend", open_counted)

    @dag
    def many(counts: list[int]) -> list[list[str]]:
        return each(words, counts)

    async with runtime("house:one") as rt:
        await rt.run(many, [1, 2, 3, 4])
        await rt.run(many, [5, 6])
        assert opened == ["house:one"]
        assert closed == []
    assert closed == ["house:one"]


async def test_a_backend_that_was_given_stays_its_owner_s() -> None:
    """A runtime closes what it opened, not what it was handed."""
    closed: list[str] = []

    class Mine(Scripted):
        async def aclose(self) -> None:
            closed.append(self.name)

    assert await run(Mine("hello"), say, topic="x") == "hello"
    assert closed == []


# Retry, timeouts, live text, cancellation: with a backend that waits on the clock between its words.


class Slow:
    """Says its words with `pause` seconds before each, by the given clock, and remembers how it was left."""

    name = "slow"
    capabilities = Capabilities()

    def __init__(self, clock: JumpingClock, said: Sequence[str], pause: float) -> None:
        self.clock = clock
        self.said = said
        self.pause = pause
        self.left: list[str] = []
        self.first_word = anyio.Event()

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        try:
            yield Started("slow-1")
            yield PartStarted("1", "text")
            for word in self.said:
                await self.clock.wait(anyio.Event(), self.pause)
                yield PartDelta("1", word)
                self.first_word.set()
            yield PartEnded("1", Text(id="1", text="".join(self.said)))
            yield Finished("stop")
            self.left.append("finished")
        except BaseException as error:
            self.left.append(
                "cancelled" if isinstance(error, anyio.get_cancelled_exc_class()) else type(error).__name__
            )
            raise

    async def aclose(self) -> None:
        """Nothing is held."""


def patient(timeout: Timeout | None = None, retry: Retry | None = None) -> Node[[], str]:
    @llm("Hi.", model="fast", timeout=timeout, retry=retry)
    def hello() -> str:
        return generated()

    return hello


async def test_a_retryable_failure_is_tried_again_after_what_the_server_asked_for() -> None:
    """The node's policy is the only retry loop, and a server's wish is a floor for its pause (E6, M5)."""
    clock = JumpingClock()
    backend = Scripted([RateLimited("slow down", retry_after=40.0), ServerError("oops"), "at last"])
    hello = patient(retry=Retry(attempts=3, base=0.5, cap=1.0))
    async with runtime(backend, clock=clock) as rt:
        started = await rt.start(hello)
        assert await started.result() == "at last"
        entries = [entry async for entry in started.events()]
    failures = [(entry.at, entry.fact) for entry in entries if isinstance(entry.fact, AttemptFailed)]
    assert [(fact.failure.category, fact.failure.retry_after) for _, fact in failures] == [
        ("rate_limit", 40.0),
        ("server", None),
    ]
    (first, asked), (second, own) = failures
    assert asked.retry_at - first == 40.0
    assert second >= first + 40.0
    assert 0 <= own.retry_at - second <= 1.0
    assert len(backend.requests) == 3


async def test_a_failure_that_no_retry_can_help_is_not_retried() -> None:
    """`retryable` is the error's own word (M5)."""
    backend = Scripted([ContentFiltered("no"), "never asked"])
    with pytest.raises(RunFailed):
        await run(backend, patient(retry=Retry(attempts=5, base=0)))
    assert len(backend.requests) == 1


async def test_every_word_is_shown_live_as_it_comes_and_none_is_recorded() -> None:
    """A run can be watched while a model speaks; the journal keeps the whole answer only (D1)."""
    clock = JumpingClock()
    async with runtime(Slow(clock, ["Tides ", "rise."], 5.0), clock=clock) as rt:
        started = await rt.start(patient())
        heard = [(live.step, live.text) async for live in started.live()]
        assert await started.result() == "Tides rise."
        entries = [entry async for entry in started.events()]
    assert heard == [("hello", "Tides "), ("hello", "rise.")]
    assert len(entries) == 4


async def test_reasoning_and_tool_calls_are_no_live_text() -> None:
    """Whoever watches reads the answer, not what the model says to itself or to a tool."""

    @node
    async def think() -> int:
        return len((await ask("fast", "go")).message.parts)

    call = ToolCall(call_id="1", name="lookup", arguments='{"id": 4}')
    backend = Scripted([[Reasoning(text="hm, hm"), Text(text="Well."), call]])
    async with runtime(backend) as rt:
        started = await rt.start(think)
        assert [live.text async for live in started.live()] == ["Well."]
        assert await started.result() == 3


async def test_words_are_signs_of_life_for_the_idle_timeout() -> None:
    """Four words, 8 s apart, pass an idle timeout of 10 s though all take 32 s; 12 s apart they don't (E7)."""
    said = ["one ", "two ", "three ", "four"]
    for pause, fits in ((8.0, True), (12.0, False)):
        clock = JumpingClock()
        began = clock.now()
        backend = Slow(clock, said, pause)
        async with runtime(backend, clock=clock) as rt:
            started = await rt.start(patient(timeout=Timeout(idle=10.0)))
            if fits:
                assert await started.result() == "".join(said)
                assert clock.now() - began == 32.0
            else:
                with pytest.raises(RunFailed, match="was silent for 10 s"):
                    await started.result()
                assert backend.left == ["cancelled"]


async def test_the_first_word_has_a_timeout_of_its_own() -> None:
    """Being accepted is not speaking: `first` waits for content, not for the provider's greeting (E7)."""
    clock = JumpingClock()
    async with runtime(Slow(clock, ["late"], 30.0), clock=clock) as rt:
        with pytest.raises(RunFailed, match="no first sign of life within 20 s"):
            await rt.run(patient(timeout=Timeout(first=20.0)))


async def test_cancelling_a_run_closes_the_stream_at_its_source() -> None:
    """The backend sees the cancellation before `cancel()` returns, and nothing of the answer is kept (E8, M1)."""
    clock = JumpingClock()
    backend = Slow(clock, ["one ", "two ", "three"], 5.0)
    async with runtime(backend, clock=clock) as rt:
        started = await rt.start(patient())
        await backend.first_word.wait()
        await started.cancel()
        assert backend.left == ["cancelled"]
        with pytest.raises(RunCancelled):
            await started.result()
        assert not [entry async for entry in started.events() if isinstance(entry.fact, StepFinished)]


async def test_a_stream_is_closed_when_reading_it_goes_wrong() -> None:
    """A backend that breaks the rules of the stream is left at once, not read to its end (M3)."""
    clock = JumpingClock()

    class Unruly(Slow):
        async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
            try:
                yield PartDelta("nobody", "opened this")
                yield Finished("stop")
                self.left.append("read to the end")
            finally:
                self.left.append("closed")

    backend = Unruly(clock, [], 0)
    with pytest.raises(RunFailed, match="which is not open"):
        await run(backend, patient())
    assert backend.left == ["closed"]


# ask


LOOKUP = ToolSpec(name="lookup", description="Look it up.", parameters={"type": "object", "properties": {}})


async def test_ask_offers_tools_and_returns_the_calls_it_got() -> None:
    """From inside any node: the whole answer with its tool calls; running them is the node's business (T1)."""

    @node
    async def choose(question: str) -> list[str]:
        answer = await ask("fast", question, tools=[LOOKUP], tool_choice="required", system="Use tools.")
        assert answer.finish == "tool_calls"
        return [f"{call.name} {call.arguments}" for call in answer.tool_calls]

    backend = Scripted([ToolCall(call_id="1", name="lookup", arguments='{"id": 4}')])
    assert await run(backend, choose, question="Where?") == ['lookup {"id": 4}']
    [request] = backend.requests
    assert (request.tools, request.tool_choice) == ((LOOKUP,), "required")
    assert [message.role for message in request.messages] == ["system", "user"]


async def test_ask_records_every_question_of_its_step() -> None:
    """Two questions in one node are two entries in its record (M4)."""

    @node
    async def twice() -> str:
        return (await ask("fast", "one")).text + (await ask("fast", [assistant("before")])).text

    note = await note_of(Scripted(lambda request: request.messages[-1].text), twice)
    assert len(note["model"]) == 2


async def test_ask_leaves_judging_the_answer_to_its_caller() -> None:
    """A cut-off answer comes back with its finish reason: only `@llm` promises a whole one."""

    @node
    async def look() -> str:
        answer = await ask("fast", "go", settings=Settings(max_tokens=1))
        return f"{answer.finish}: {answer.text}"

    assert await run(Scripted("one two"), look) == "length: one"


async def test_ask_outside_of_a_node_says_so() -> None:
    """There is no run to record it in."""
    with pytest.raises(UsageError, match="outside a running step"):
        await ask("fast", "hello")


# One real model.


@pytest.mark.skipif(not installed(), reason="needs 'graphrt[llama]' or 'graphrt[llama-prebuilt]'")
async def test_a_real_model_in_this_process_answers_by_its_schema() -> None:
    """The shipped model, its grammar, the typed answer and its record, with nothing scripted (M7, M10)."""
    from graphrt.demo.agent import Route, route

    async with Runtime(models={"small": "llama_cpp:tiny"}, config=NOWHERE) as rt:
        started = await rt.start(route, request="I was charged twice for my order.")
        got = await started.result()
        [note] = [
            from_json(entry.fact.note)
            async for entry in started.events()
            if isinstance(entry.fact, StepFinished) and entry.fact.note
        ]
    assert isinstance(got, Route)
    [call] = note["model"]
    assert call["role"] == "small"
    assert call["finish"] == "stop"
    assert call["usage"]["output"] > 0


def test_an_llm_node_is_a_node_with_its_role_as_its_label() -> None:
    """Pictures show which model a node asks."""
    made: Callable[..., Any] = say
    assert isinstance(made, Node)
    assert (made.kind, say.label) == ("llm", "fast")
