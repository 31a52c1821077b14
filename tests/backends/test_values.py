"""Single values of a provider's JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.values import json_of, mended
from graphrt.backends.events import Failed
from tests.backends.provider import SPEECHES, open_at

HALVES = st.text(st.characters(codec=None) | st.sampled_from("\ud83d\ude00"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | HALVES,
    lambda inner: st.lists(inner) | st.dictionaries(HALVES, inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_means_what_the_standard_library_says(value: Any) -> None:
    """Numbers, halves of characters and what JSON has no word for."""
    text = json.dumps(value)
    assert repr(json_of(text)) == repr(json.loads(text))


def outcome(read: Any, text: str) -> Any:
    try:
        return repr(read(text))
    except (ValueError, RecursionError) as error:
        return type(error)


@given(st.text('[]{}":,\\u0dD83e+-.19truefalsn \t\n\x00\xa0\ufeff'))
def test_what_is_no_json_is_none_as_the_standard_library_says(text: str) -> None:
    assert outcome(json_of, text) == outcome(json.loads, text)


@pytest.mark.parametrize("depth", [150, 300, 900])
def test_a_deep_nest_is_read(depth: int) -> None:
    found = json_of("[" * depth + "]" * depth)
    for _ in range(depth - 1):
        (found,) = found
    assert found == []


@given(HALVES)
def test_a_name_is_mended_as_any_value_is(text: str) -> None:
    assert mended([text]) == [mended(text)]
    assert mended(text).encode().decode() == mended(text)


@pytest.mark.parametrize("lead", [b"", b"data: "])
@pytest.mark.parametrize("api", SPEECHES)
def test_a_nest_too_deep_to_be_read_is_a_failure_of_the_answer(api: str, lead: bytes) -> None:
    """M1: a backend raises nothing, whatever a server sends."""
    reader = open_at(api, "http://localhost").dialect.read(Answering(api, "m"))
    events = reader.feed(lead + b'{"choices": ' + b"[" * 100_000 + b"\n\n") + reader.end()
    assert isinstance(events[-1], Failed)
