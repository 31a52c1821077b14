"""What a grammar cannot hold goes alone, by its name and place; all the rest stays (M6)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tests.llama")

from graphrt.backends.errors import BadRequest
from graphrt.backends.llama import tiny_model
from graphrt.backends.llama.grammar.constrain import Grammars
from graphrt.backends.llama.native.model import Model
from tests.backends.llama.fuzz import Dice


@pytest.fixture(scope="module")
def grammars() -> Iterator[Grammars]:
    model = Model(tiny_model())
    yield Grammars(model.vocabulary)
    model.close()


def held(grammars: Grammars, schema: Any) -> tuple[dict[str, Any], list[str]]:
    """What is left, and what is gone."""
    made, warnings = grammars.enforceable(schema, "it")
    made.pop("x-guidance")
    return made, [warning.removeprefix("it is not wholly enforced: ") for warning in warnings]


def test_of_a_schema_only_what_is_refused_goes(grammars: Grammars) -> None:
    name = {"type": "string", "pattern": "^[a-z]+$", "minLength": 2}
    schema = {
        "type": "object",
        "properties": {
            "a/b": {**name, "not": {"const": "no"}},
            "ключ": {"type": "array", "items": {**name, "pattern": "(?!x)y"}, "uniqueItems": True, "maxItems": 3},
            "free": {"type": "number", "maximum": 10**30},
        },
        "required": ["a/b"],
        "additionalProperties": False,
    }
    made, gone = held(grammars, schema)
    assert gone == [
        "not at /properties/a~1b",
        "uniqueItems at /properties/ключ",
        "maximum at /properties/free (Failed to generate regex for float range: min=None, max=Some(1e30))",
        "pattern at /properties/ключ/items (look-around, including look-ahead and look-behind, is not supported)",
    ]
    items = {"type": "string", "minLength": 2}
    free = {"type": "number"}
    properties = {"a/b": name, "ключ": {"type": "array", "items": items, "maxItems": 3}, "free": free}
    assert made == {**schema, "properties": properties}


def test_where_other_members_would_be_forbidden_they_are_allowed_and_that_is_said(grammars: Grammars) -> None:
    schema = {"patternProperties": {"a": {"type": "string"}, "b": {"type": "null"}}, "additionalProperties": False}
    made, gone = held(grammars, schema)
    assert made == {}
    assert [each.partition(" (")[0] for each in gone] == ["patternProperties at /", "additionalProperties at /"]


def test_a_choice_by_a_word_in_each_is_held_wholly(grammars: Grammars) -> None:
    def kind(word: str) -> dict[str, Any]:
        return {"type": "object", "properties": {"kind": {"const": word}}, "required": ["kind"]}

    pets = {"oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}], "discriminator": {"propertyName": "kind"}}
    made, gone = held(grammars, {**pets, "$defs": {"Cat": kind("cat"), "Dog": kind("dog")}})
    assert gone == []
    assert made["anyOf"] == pets["oneOf"]
    assert held(grammars, {"oneOf": [{"type": "integer"}, {"minimum": 2}]})[1] == [
        "oneOf at / (more than one of its schemas may be satisfied)"
    ]


@pytest.mark.parametrize(
    ("schema", "same"),
    [
        ({"properties": {"a": True}, "unevaluatedProperties": False}, {"additionalProperties": False}),
        ({"prefixItems": [True], "unevaluatedItems": {"type": "null"}}, {"items": {"type": "null"}}),
        ({"type": "string", "minLength": 2.0}, {"minLength": 2}),
        ({"then": {"type": "string"}, "minContains": 3, "uniqueItems": False, "dependentRequired": {}}, {}),
        ({"if": {"type": "string"}}, {}),
        ({"$dynamicAnchor": "a", "type": "null"}, {"$anchor": "a"}),
    ],
    ids=str,
)
def test_what_the_grammar_knows_by_another_name_is_held(grammars: Grammars, schema: Any, same: dict[str, Any]) -> None:
    made, gone = held(grammars, schema)
    assert gone == []
    assert made.items() >= same.items()


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"properties": {"a": {"minLength": "3"}}}, '/properties/a is "3"; it must be a whole number'),
        ({"type": ["string", "nonsense"]}, "must be one of array, boolean"),
        ({"anyOf": []}, "must be a list of schemas"),
        ({"enum": [float("nan")]}, "is no JSON"),
        ({"items": {"$ref": "#/$defs/gone"}}, "$ref at /items that leads nowhere"),
        ({"allOf": [{"type": "string"}, {"not": {}, "type": "null"}]}, "cannot be satisfied"),
        ({"const": json.loads("[" * 300 + "]" * 300)}, "nested more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_schema_is_said_with_its_place(grammars: Grammars, schema: Any, why: str) -> None:
    with pytest.raises(BadRequest) as refused:
        grammars.enforceable(schema, "the schema 'x'")
    assert why in str(refused.value)
    assert "the schema 'x' " in str(refused.value)


def test_what_would_take_a_compiler_hours_is_left_out(grammars: Grammars) -> None:
    choices = [{"anyOf": [{"required": [f"{a}{b}"]} for b in range(5)]} for a in range(9)]
    assert held(grammars, {"allOf": choices})[1] == ["allOf at / (it has too many combinations)"]
    primes = [{"multipleOf": prime} for prime in (2, 3, 5, 7, 11, 13, 17, 19, 23)]
    gone = held(grammars, {"type": "integer", "allOf": primes})[1]
    assert gone == [f"multipleOf at /allOf/{at} (it takes too large an automaton)" for at in (6, 7, 8)]


@settings(max_examples=40)
@given(st.integers(0, 10**9))
def test_whatever_is_left_of_any_schema_can_be_used(grammars: Grammars, seed: int) -> None:
    schema = Dice(seed, 0).root()
    try:
        made, gone = grammars.enforceable(schema, "it")
    except BadRequest:
        return
    assert all(" at /" in each for each in gone)
    grammars.matcher(f"start: %json {json.dumps(made)}")
