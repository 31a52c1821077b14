"""What each notation writes it reads back, and no schema is too odd to read by."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.llama.chat.json_text import JsonText, loads
from graphrt.backends.llama.chat.notation import Elements, Gemma, Python, Shape

NAMES = st.from_regex(r"[a-z][a-z_0-9-]{0,6}", fullmatch=True)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters='<|">[]'), max_size=12)
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
SCHEMAS = st.recursive(
    SCALARS | st.sampled_from(["string", "object", "#/a", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "anyOf", "enum", "$ref", "properties", "items", "required", "a", "allOf"]), inner
        )
    ),
    max_leaves=12,
)


@given(ARGUMENTS)
def test_python_is_read_back(arguments: dict[str, Any]) -> None:
    assert Python().calls(f"[f-1({Python().write(arguments)}), g()]") == [("f-1", arguments), ("g", {})]


@given(ARGUMENTS)
def test_gemmas_own_is_read_back(arguments: dict[str, Any]) -> None:
    assert Gemma().read(Gemma().write(arguments), Shape({})) == arguments


@given(
    st.fixed_dictionaries(
        {
            "text": WORDS,
            "list": st.lists(st.integers(), min_size=1),
            "deep": st.fixed_dictionaries({"on": st.booleans()}),
        }
    )
)
def test_elements_are_read_back_by_their_schema(arguments: dict[str, Any]) -> None:
    schema = {
        "properties": {
            "text": {"type": "string"},
            "list": {"type": "array", "items": {"type": "integer"}},
            "deep": {"type": "object", "properties": {"on": {"type": "boolean"}}},
        }
    }
    notation = Elements("::")
    assert notation.read(notation.write(arguments), Shape(schema)) == arguments


@given(SCHEMAS, st.sampled_from(["7", "x", "null", "[1]", '"x"', "{", "NaN", "1e999"]))
def test_no_schema_is_too_odd_to_read_by(schema: Any, text: str) -> None:
    shape = Shape(schema).of("a")
    assert loads(shape.json(text)) == shape.value(text)
    assert Shape(schema).items.kinds


@pytest.mark.parametrize(
    "text", ["[f(1)]", "[f(a=open('x'))]", "[f(a=b'x')]", "[f(a=1", "f", "[f(a={1})]", "[f(a='x)]", "[f(a=1e999)]"]
)
def test_what_is_no_call_in_python_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Python().calls(text)


@given(ARGUMENTS, st.text(max_size=5), st.integers(0, 40))
def test_the_end_of_json_is_known_while_it_is_written(arguments: dict[str, Any], after: str, at: int) -> None:

    text = json.dumps(arguments)
    reader = JsonText()
    first = reader.feed((text + after)[:at])
    assert first + reader.feed((text + after)[first:]) == len(text)
    assert reader.ended
