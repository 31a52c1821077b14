"""Whatever the model would rather say, a schema holds it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.errors import BadRequest
from graphrt.backends.events import Warned
from graphrt.backends.llama import LlamaCpp, tiny_model
from graphrt.backends.llama.grammar.constrain import Grammars
from graphrt.backends.llama.native.model import Model
from graphrt.backends.messages import Settings, ToolSpec
from tests.backends.llama.conftest import LOOKUP, answer, ask, events, failure, json_of, route

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["a", "b", "ü"]}, "maxItems": 3},
        "home": {"$ref": "#/$defs/place"},
    },
    "required": ["name", "age", "tags", "home"],
    "additionalProperties": False,
    "$defs": {
        "place": {
            "type": "object",
            "properties": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
            "required": ["zip"],
            "additionalProperties": False,
        }
    },
}


@pytest.fixture(scope="module")
def grammars() -> Iterator[Grammars]:
    """Grammars over the shipped model's vocabulary."""
    model = Model(tiny_model())
    yield Grammars(model.vocabulary)
    model.close()


def fits(value: Any) -> bool:
    """Whether a value satisfies PERSON, checked by hand."""
    return (
        set(value) == {"name", "age", "tags", "home"}
        and isinstance(value["name"], str)
        and len(value["name"]) <= 12
        and isinstance(value["age"], int)
        and 0 <= value["age"] <= 120
        and len(value["tags"]) <= 3
        and set(value["tags"]) <= {"a", "b", "ü"}
        and len(value["home"]["zip"]) == 5
        and value["home"]["zip"].isdigit()
    )


@pytest.mark.anyio
async def test_a_schema_is_satisfied_whatever_was_asked_and_however_wild(llama: LlamaCpp) -> None:
    schema = json_of("person", PERSON)
    for seed in range(12):
        settings = Settings(temperature=0.5 + seed, seed=seed)
        said = await answer(llama, ask(f"{seed} {'?!x' * seed}", settings=settings, output=schema))
        assert said.finish == "stop"
        assert fits(json.loads(said.text))
        assert said.warnings == ()


@pytest.mark.anyio
async def test_a_schema_does_not_change_an_answer_that_satisfies_it(llama: LlamaCpp) -> None:
    routes = {"enum": ["billing", "technical", "sales", "other"]}
    schema = json_of("route", {"type": "object", "properties": {"route": routes}, "required": ["route"]})
    free = await answer(llama, route("Hi, the app crashes"))
    held = await answer(llama, route("Hi, the app crashes").model_copy(update={"output": schema}))
    assert held.text == free.text


@pytest.mark.anyio
async def test_what_cannot_be_enforced_is_said(llama: LlamaCpp) -> None:
    schema = json_of("odd", {"type": "array", "items": {"type": "integer"}, "maxItems": 2, "uniqueItems": True})
    stream = await events(llama, ask("Hello", output=schema))
    (warned,) = [event for event in stream if isinstance(event, Warned)]
    assert warned.setting == "output"
    assert "uniqueItems" in warned.message
    strict = Settings(strict=True)
    assert "uniqueItems" in str((await failure(llama, ask("Hello", output=schema, settings=strict))).error)


@pytest.mark.anyio
async def test_a_schema_that_nothing_satisfies_is_refused(llama: LlamaCpp) -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"enum": []},
        {"type": "nonsense"},
        {"$ref": "#/nowhere"},
        {"type": "string", "minLength": "3"},
    )
    for schema in wrong:
        error = (await failure(llama, ask("Hello", output=json_of("no", schema)))).error
        assert isinstance(error, BadRequest)
        assert "'no'" in str(error)


@pytest.mark.anyio
async def test_with_tools_and_a_schema_the_answer_is_one_or_the_other(llama: LlamaCpp) -> None:
    schema = json_of("person", PERSON)
    for seed in range(8):
        settings = Settings(temperature=4.0, seed=seed)
        said = await answer(llama, ask("Where is my order 48213?", tools=(LOOKUP,), output=schema, settings=settings))
        if said.tool_calls:
            assert said.text == ""
            assert all(call.complete and call.name == "lookup_order" for call in said.tool_calls)
        else:
            assert fits(json.loads(said.text))


@pytest.mark.anyio
async def test_definitions_of_several_tools_do_not_mix(llama: LlamaCpp) -> None:
    def one(name: str, value: str) -> ToolSpec:
        return ToolSpec(
            name=name,
            parameters={
                "type": "object",
                "properties": {"x": {"$ref": "#/$defs/v"}},
                "required": ["x"],
                "additionalProperties": False,
                "$defs": {"v": {"const": value}},
            },
        )

    tools = (one('say "hi"', "from the first\n"), one("zwölf", "from the second"))
    for choice, expected in (('say "hi"', "from the first\n"), ("zwölf", "from the second")):
        said = await answer(llama, ask("Hello", tools=tools, tool_choice=choice))
        (call,) = said.tool_calls
        assert (call.name, json.loads(call.arguments)) == (choice, {"x": expected})


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"not": {"type": "string"}}, "not"),
        ({"if": {"type": "string"}, "then": {"maxLength": 3}}, "if"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"),
        ({"type": "object", "propertyNames": {"maxLength": 3}}, "propertyNames"),
        ({"type": "string", "format": "colour"}, "colour"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-ahead"),
        ({"$ref": "http://localhost/x.json"}, "localhost"),
        ({"type": "object", "properties": {"pattern": {"type": "string", "pattern": "(?=a)b"}}}, "look-ahead"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_keyword_that_cannot_be_enforced_is_named(grammars: Grammars, schema: dict[str, Any], word: str) -> None:
    enforced, warnings = grammars.enforceable(schema, "it")
    assert any(word in warning for warning in warnings)
    assert enforced.get("properties", {}).keys() == schema.get("properties", {}).keys()


def test_a_plain_schema_is_enforced_without_a_word(grammars: Grammars) -> None:
    assert grammars.enforceable(PERSON, "it")[1] == []


def test_a_grammar_allows_only_what_goes_on_to_satisfy_it(grammars: Grammars) -> None:
    grammar, _ = grammars.answer(output=json_of("s", {"enum": ["yes", "no"]}), tools=(), calls=False, many=False)
    matcher = grammars.matcher(grammar)
    pieces = grammars._vocabulary.pieces
    written = b""
    while not matcher.done:
        allowed = matcher.allowed().nonzero()[0].tolist()
        assert all(
            (written + pieces[token]) == (b'"yes"'[: len(written + pieces[token])])
            or b'"no"'.startswith(written + pieces[token])
            for token in allowed
        )
        matcher.accept(allowed[0])
        written += pieces[allowed[0]]
    assert written in {b'"yes"', b'"no"'}
