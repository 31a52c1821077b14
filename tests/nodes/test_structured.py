"""How a model is asked for a value of a certain form (M7): the way is chosen by what it can do, said and recorded."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel
from pydantic_core import from_json

from graphrt import Runtime, node
from graphrt.backends.base import Capabilities
from graphrt.backends.errors import InvalidOutput, ServerError, UnsupportedSetting
from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import OutputSchema, Request, Settings, Text, ToolCall, user
from graphrt.backends.recorded import RecordedModels
from graphrt.backends.schemas import ANTHROPIC, fitted
from graphrt.backends.scripted import Script, Scripted
from graphrt.config import Config
from graphrt.errors import RunFailed, UsageError
from graphrt.facts import StepFinished
from graphrt.node import Node
from graphrt.nodes import ask_json, generated, llm
from graphrt.nodes.structured import Misfit, Raw, asking, json_in, typed

pytestmark = pytest.mark.anyio

NOTHING = Capabilities(tools=False, json_schema=False)
TOOLS = Capabilities(tools=True, json_schema=False)


class City(BaseModel):
    """A place."""

    name: str
    people: int


PARIS = City(name="Paris", people=2_100_000)
RIGHT = PARIS.model_dump_json()
WRONG = '{"name": "Paris", "people": "many"}'


class Able:
    """A script whose model can do what it is told to."""

    def __init__(self, script: Script, capabilities: Capabilities) -> None:
        self.script = Scripted(script)
        self.capabilities = capabilities
        self.name = "able"

    @property
    def requests(self) -> list[Request]:
        return self.script.requests

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        return self.script.stream(request)

    async def aclose(self) -> None:
        """Nothing is held."""


@llm("Which is the largest city of France?", model="fast")
def largest() -> City:
    return generated()


def call(arguments: str, name: str = "largest", call_id: str = "1", *, complete: bool = True) -> ToolCall:
    return ToolCall(call_id=call_id, name=name, arguments=arguments, complete=complete)


async def run(backend: Able, what: Node[..., Any] = largest) -> tuple[Any, list[dict[str, Any]], dict[str, Any]]:
    """The result, the notes of the calls, and the note of the step."""
    async with Runtime(models={"fast": backend}, config=Config()) as rt:
        started = await rt.start(what)
        result = await started.result()
        notes = [entry.fact.note async for entry in started.events() if isinstance(entry.fact, StepFinished)]
    note = from_json(notes[-1] or b"{}")
    return result, note["model"], note


async def cause(backend: Able, what: Node[..., Any] = largest) -> BaseException | None:
    with pytest.raises(RunFailed) as failed:
        await run(backend, what)
    return failed.value.__cause__


# The ways.


@pytest.mark.parametrize(
    "can", [Capabilities(), Capabilities(json_schema=True), Capabilities(json_schema=True, tools=True)]
)
async def test_a_model_that_keeps_to_schemas_or_that_nobody_knows_is_asked_natively(can: Capabilities) -> None:
    """The schema is the request's own, nothing is added to the words; the way is recorded without a warning (M7)."""
    backend = Able([RIGHT], can)
    result, calls, _ = await run(backend)
    assert result == PARIS
    request = backend.requests[0]
    assert request.output is not None
    assert (request.tools, request.tool_choice, len(request.messages)) == ((), "auto", 1)
    assert request.messages[0].text == "Which is the largest city of France?"
    assert (calls[0]["way"], "warnings" in calls[0]) == ("schema", False)


async def test_a_model_without_schemas_is_made_to_call_a_tool_whose_arguments_are_the_answer() -> None:
    """The way is in the step's note and is warned about there (M6, M7)."""
    backend = Able([call(RIGHT)], TOOLS)
    result, calls, _ = await run(backend)
    assert result == PARIS
    request = backend.requests[0]
    assert (request.output, request.tool_choice) == (None, "largest")
    assert [tool.name for tool in request.tools] == ["largest"]
    assert request.tools[0].parameters == typed(City).schema
    assert calls[0]["way"] == "tool"
    assert calls[0]["warnings"] == [
        "this model is not known to keep to a JSON Schema: it was asked for with a tool it has to call"
    ]


@pytest.mark.parametrize("can", [NOTHING, Capabilities(tools=True, forced_tool=False, json_schema=False)])
async def test_a_model_that_can_neither_is_asked_in_words_which_hold_the_schema(can: Capabilities) -> None:
    """The schema stands at the end of what the user said; the way is recorded and warned about (M6, M7)."""
    backend = Able([RIGHT], can)
    result, calls, _ = await run(backend)
    assert result == PARIS
    request = backend.requests[0]
    assert (request.output, request.tools, len(request.messages)) == (None, (), 1)
    words, _, schema = request.messages[0].text.rpartition("\n")
    assert words.startswith("Which is the largest city of France?\n\nAnswer with a JSON object only")
    assert json.loads(schema) == typed(City).schema
    assert calls[0]["way"] == "prompt"
    assert calls[0]["warnings"] == [
        "this model is not known to keep to a JSON Schema: it was asked for with words only"
    ]


async def test_a_server_that_promises_json_at_least_is_asked_for_that_beside_the_words() -> None:
    """Its dialect makes JSON mode of the schema; the words are what the model reads (M7)."""
    backend = Able([RIGHT], Capabilities(tools=False, json_schema=False, json_object=True))
    await run(backend)
    assert backend.requests[0].output is not None
    assert "JSON Schema" in backend.requests[0].messages[0].text


async def test_a_schema_that_has_no_form_at_a_provider_goes_the_next_way() -> None:
    """Objects of free names cannot be asked for natively where objects must be closed; others can (M7)."""

    @llm("Count them.", model="fast")
    def count() -> dict[str, int]:
        return generated()

    can = Capabilities(tools=True, json_schema=True, open_schemas=False)
    assert fitted(typed(dict[str, int]).schema, ANTHROPIC).schema is None
    result, calls, _ = await run(Able([call('{"a": 1}', "count")], can), count)
    assert (result, calls[0]["way"]) == ({"a": 1}, "tool")
    assert "additionalProperties at /" in calls[0]["warnings"][0]
    assert (await run(Able([RIGHT], can)))[1][0]["way"] == "schema"


@pytest.mark.parametrize("can", [TOOLS, NOTHING])
async def test_in_strict_mode_another_way_is_an_error_that_says_what_to_do_and_nothing_is_asked(
    can: Capabilities,
) -> None:
    """M6: what would be warned about is refused."""

    @llm("Which?", model="fast", settings=Settings(strict=True))
    def strictly() -> City:
        return generated()

    backend = Able([RIGHT], can)
    error = await cause(backend, strictly)
    assert isinstance(error, UnsupportedSetting)
    assert error.provider == "able"
    assert "use a model that does" in str(error)
    assert backend.requests == []


async def test_an_answer_in_words_needs_no_way() -> None:
    """A `str` is the text, whatever the model can do."""

    @llm("Hello.", model="fast")
    def hello() -> str:
        return generated()

    result, calls, _ = await run(Able(["Hi."], NOTHING), hello)
    assert (result, "way" in calls[0]) == ("Hi.", False)


def test_a_tool_has_a_name_that_every_provider_takes() -> None:
    """A node may be called anything; 64 letters of a small set are what providers agree on."""
    schema = OutputSchema(name="größte Stadt " * 9, schema_=typed(City).schema)
    way = asking(TOOLS, schema, Settings(), backend="b")
    assert way.tool_choice == way.tools[0].name
    assert way.tool_choice.startswith("gr__te_Stadt_")
    assert len(way.tool_choice) == 64


def test_after_what_somebody_else_said_the_words_are_a_message_of_their_own() -> None:
    """They join the user's last message only, and keep its parts."""
    way = asking(NOTHING, OutputSchema(name="x", schema_={"type": "object"}), Settings(), backend="b")
    mine, answer = user("Hi."), user("Hi.").model_copy(update={"role": "assistant"})
    assert [message.role for message in way.messages([mine, answer])] == ["user", "assistant", "user"]
    assert [part.kind for part in way.messages([answer, mine])[-1].parts] == ["text", "text"]
    assert way.messages([mine])[0].parts[0] == Text(text="Hi.")


# Repairs.


@pytest.mark.parametrize("can", [Capabilities(json_schema=True), NOTHING])
async def test_a_wrong_answer_is_shown_its_pointers_and_repaired(can: Capabilities) -> None:
    """The next question holds the answer and where it is wrong; each call has its way (M7)."""
    backend = Able([WRONG, RIGHT], can)
    result, calls, note = await run(backend)
    assert (result, note["repairs"]) == (PARIS, 1)
    first, second = backend.requests
    assert second.messages[: len(first.messages)] == first.messages
    answer, again = second.messages[len(first.messages) :]
    assert answer.text == WRONG
    assert again.role == "user"
    assert "- at /people: Input should be a valid integer" in again.text
    assert len({each["way"] for each in calls}) == 1


async def test_wrong_arguments_are_answered_as_the_result_of_the_call_and_repaired() -> None:
    """Every call has its result, which providers insist on; the one that counts says where it is wrong (M7)."""
    backend = Able([[call(WRONG), call("{}", "other", "2"), call(RIGHT, call_id="3")], call(RIGHT, call_id="4")], TOOLS)
    result, _, note = await run(backend)
    assert (result, note["repairs"]) == (PARIS, 1)
    _, answer, *results = backend.requests[1].messages
    assert [each.call_id for each in answer.tool_calls] == ["1", "2", "3"]
    parts: list[Any] = [part for message in results for part in message.parts]
    assert [(part.call_id, part.is_error) for part in parts] == [("1", True), ("2", False), ("3", False)]
    assert "- at /people: Input should be a valid integer" in parts[0].content


async def test_a_model_that_does_not_call_the_tool_but_says_the_json_is_read() -> None:
    """Some models cannot be made to call one, whatever their server says."""
    assert (await run(Able([f"```json\n{RIGHT}\n```"], TOOLS)))[0] == PARIS


async def test_a_call_without_arguments_is_an_empty_object() -> None:
    """Providers write no arguments as nothing at all."""

    @llm("Go.", model="fast")
    def counted() -> dict[str, int]:
        return generated()

    assert (await run(Able([call("", "counted")], TOOLS), counted))[0] == {}


async def test_a_call_of_another_tool_or_one_that_was_cut_off_is_no_answer() -> None:
    """A call that is not whole is never taken (M3)."""
    backend = Able([call(RIGHT, complete=False), call(RIGHT, "other"), call(RIGHT)], TOOLS)
    error = await cause(backend)
    assert isinstance(error, InvalidOutput)
    last = backend.requests[1].messages
    assert [message.role for message in last[1:]] == ["assistant", "tool", "user"]


async def test_after_its_repairs_it_is_invalid_output_with_the_pointers() -> None:
    """M7, whatever the way."""
    for can, said in ((NOTHING, WRONG), (TOOLS, call(WRONG))):
        error = await cause(Able([said, said], can))
        assert isinstance(error, InvalidOutput)
        assert error.pointers == ("/people",)
        assert error.partial is not None


async def test_the_way_of_a_question_that_failed_is_recorded_as_well() -> None:
    """Whoever reads why a step failed sees how it had asked."""
    backend = Able([ServerError("oops")], TOOLS)
    async with Runtime(models={"fast": backend}, config=Config()) as rt:
        started = await rt.start(largest)
        with pytest.raises(RunFailed):
            await started.result()
        facts = [entry.fact async for entry in started.events()]
    notes = [from_json(note) for fact in facts if (note := getattr(fact, "note", None))]
    assert [note["model"][0]["way"] for note in notes] == ["tool"]


# The reading.


@pytest.mark.parametrize(
    "said",
    [
        RIGHT,
        f"  {RIGHT}\n",
        f"```json\n{RIGHT}\n```",
        f"```\n{RIGHT}\n```",
        f"Here is the answer:\n\n```json\n{RIGHT}\n```\n\nAnything else?",
        f"The answer is {RIGHT}.",
        f"With {{placeholders}} filled in: {RIGHT} Done!",
        f'<think>\nIs it {{"name": "Lyon"}}? No.\n</think>\n\n{RIGHT}',
        f"{RIGHT}\n\nOnce more: {RIGHT}",
        json.dumps(PARIS.model_dump() | {"name": "```json\n{}\n``` {}"}),
    ],
)
async def test_a_fenced_or_chatty_answer_is_read(said: str) -> None:
    """Models that were asked in words wrap what they say (provider_quirks 60)."""
    result, _, note = await run(Able([said], NOTHING))
    assert (result.people, "repairs" in note) == (2_100_000, False)


@pytest.mark.parametrize(
    "said",
    [
        "Paris, of course.",
        "",
        '{"name": "Paris", "people": 1} or {"name": "Lyon", "people": 2}',
        '```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```',
        '{"name": "x", "inner": {"name": "Paris", "people": 1}',
        "{" * 5000,
        '{"a":' * 5000,
        "[" * 100_000,
    ],
)
def test_nothing_is_guessed_where_there_is_not_one_json(said: str) -> None:
    """Two different answers, a broken one, or none: all of it is read, and is no JSON. A part of a broken answer is
    never taken for the whole."""
    assert json_in(said) == said.strip()


# Schemas without a type.

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 2}, "born": {"type": "string", "format": "date"}},
    "required": ["name"],
    "additionalProperties": False,
}


def asked_with(schema: dict[str, Any], **more: Any) -> Node[..., Any]:
    @node
    async def someone() -> dict[str, Any]:
        return {"found": await ask_json("fast", "Who?", schema, **more)}

    return someone


async def test_a_value_of_a_schema_is_checked_and_repaired_with_its_pointers() -> None:
    """Lengths and formats too, natively and in words (M7)."""
    for can in (Capabilities(json_schema=True), NOTHING):
        backend = Able(['{"name": "A", "born": "soon"}', '{"name": "Ann", "born": "1990-01-31"}'], can)
        result, _, note = await run(backend, asked_with(SCHEMA, system="Be brief."))
        assert (result, note["repairs"]) == ({"found": {"name": "Ann", "born": "1990-01-31"}}, 1)
        assert backend.requests[0].messages[0].role == "system"
        again = backend.requests[1].messages[-1].text
        assert "- at /born:" in again
        assert "- at /name:" in again


async def test_a_schema_of_no_object_travels_in_one() -> None:
    """Providers want an object at the root; references inside still lead where they led."""
    schema = {"type": "array", "items": {"$ref": "#/$defs/N"}, "$defs": {"N": {"type": "integer"}}}
    backend = Able(['{"result": [1, "x"]}', '{"result": [1, 2]}'], Capabilities(json_schema=True))
    result, _, _ = await run(backend, asked_with(schema))
    assert result == {"found": [1, 2]}
    output = backend.requests[0].output
    assert output is not None
    assert output.schema_["type"] == "object"
    assert "- at /result/1:" in backend.requests[1].messages[-1].text


def test_a_schema_that_refers_to_itself_as_the_root_still_does_in_its_box() -> None:
    """`#` means the schema, not the object it travels in."""
    tree = {"type": ["array", "null"], "items": {"$ref": "#"}}
    form = Raw(tree)
    assert jsonschema_rs.is_valid(dict(form.schema), {"result": [None, [None]]})
    assert not jsonschema_rs.is_valid(dict(form.schema), {"result": [[1]]})
    assert form.read('{"result": [null, [null]]}') == [None, [None]]
    assert fails(form, '{"result": [1]}') == ["/result/0"]
    assert fails(form, "[null]") == fails(form, '{"result": null, "more": 1}') == [""]


def fails(form: Raw, text: str) -> list[str]:
    with pytest.raises(Misfit) as wrong:
        form.read(text)
    return [where for where, _ in wrong.value.problems]


def test_what_is_no_json_does_not_fit_at_the_root() -> None:
    assert fails(Raw(SCHEMA), "Ann") == [""]
    assert fails(Raw({"type": "object"}), '{"a": NaN}') == [""]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": 3},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/nobody"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://example.com/x.json"}}},
    ],
)
def test_what_is_no_schema_is_a_usage_error(schema: dict[str, Any]) -> None:
    """It is found before anything is asked."""
    with pytest.raises(UsageError, match="the schema of the answer cannot be used"):
        Raw(schema)


def test_no_other_document_is_fetched(tmp_path: Path) -> None:
    """A schema from outside must not read files or the network (M9)."""
    (tmp_path / "secret.json").write_text('{"type": "string"}')
    with pytest.raises(UsageError, match="another document"):
        Raw({"type": "object", "properties": {"a": {"$ref": (tmp_path / "secret.json").as_uri()}}})


# A replay asks in the way in which it was asked.


@pytest.mark.parametrize("can", [Capabilities(json_schema=True), TOOLS, NOTHING])
async def test_a_recorded_step_is_asked_in_the_same_way_again(can: Capabilities) -> None:
    """The record knows the way, so that the question is the recorded one and not another (D10)."""
    said = call(RIGHT) if can is TOOLS else RIGHT
    _, calls, _ = await run(Able([said], can))
    other: list[Any] = []
    models = RecordedModels(calls, "", lambda then, now: other.append((then, now)))
    async with Runtime(models={"fast": models["fast"]}, config=Config()) as rt:
        assert await rt.run(largest) == PARIS
    assert other == []
