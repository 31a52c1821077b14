"""Two values, and two runs, side by side (D10)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from graphrt.difference import LINES, compare, differ
from graphrt.facts import (
    Entry,
    Fact,
    Failure,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFailed,
    StepFinished,
    StepStarted,
)
from graphrt.history import Counted
from graphrt.types import RunId, StepKey
from tests.graphrt.test_state import brief

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~\n", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@brief
@given(values, values)
def test_a_difference_points_at_a_place_that_differs_and_equal_values_have_none(old: Any, new: Any) -> None:
    """D10: whatever the values; the pointer leads to a part that is not the same in both."""
    found = differ(to_json(old), to_json(new))
    if found is None:
        assert json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
        return
    assert repr(at(old, found.pointer)) != repr(at(new, found.pointer))


def at(value: Any, pointer: str) -> Any:
    for word in pointer.split("/")[1:]:
        place = word.replace("~1", "/").replace("~0", "~")
        inside = value if isinstance(value, dict) else {str(n): item for n, item in enumerate(value)}
        value = inside.get(place, ...)
    return value


def test_json_is_shown_indented_and_text_by_its_lines() -> None:
    """D10: a diff is there to be read."""
    found = differ(b'{"b":[1,2],"a":true}', b'{"a":true,"b":[1,3]}')
    assert found is not None
    assert found.pointer == "/b/1"
    assert "-    2\n+    3" in found.diff
    assert found.diff.startswith("--- recorded\n+++ now\n")
    text = differ(to_json("one\ntwo"), to_json("one\nthree"))
    assert text is not None
    assert (text.pointer, text.diff.splitlines()[-2:]) == ("", ["-two", "+three"])
    assert differ(b"true", b"1") is not None


def test_a_very_long_difference_is_cut() -> None:
    """D10: it stays readable, and costs little."""
    found = differ(to_json(list(range(50_000))), to_json(list(range(9000, 59_000))))
    assert found is not None
    assert (found.pointer, len(found.diff.splitlines())) == ("/0", LINES + 1)


NO = Failure("ValueError", "no", trace="somewhere")


def record(run: str, *facts: Fact) -> list[Counted]:
    return [Counted(RunId(run), Entry(seq, 0.0, fact)) for seq, fact in enumerate(facts, 1)]


def done(step: str, value: bytes) -> Fact:
    return StepFinished(StepKey(step), 1, value)


def test_runs_are_compared_step_by_step_whatever_the_order_they_finished_in() -> None:
    """D10: what is shared, what is the same, what differs, and what only one of them has."""
    begun = RunStarted("g", "f", b'{"x":1}', 0)
    a = record("a", begun, done("p", b"1"), done("q", b"2"), done("r", b'{"k":1}'), done("t", b"9"), RunFinished(b"3"))
    b = [
        *record("b", begun),
        a[1],
        *record("b", begun, done("r", b'{"k":2}'), done("s", b"5"), done("q", b"2"), RunFinished(b"3"))[1:],
    ]
    found = compare(a, b)
    assert [(row.step, row.verdict) for row in found.rows] == [
        ("(input)", "same"),
        ("p", "shared"),
        ("q", "same"),
        ("r", "differs"),
        ("t", "only in a"),
        ("s", "only in b"),
        ("(result)", "same"),
    ]
    assert found.first is not None
    assert (found.first.step, found.first.difference and found.first.difference.pointer) == ("r", "/k")
    assert compare(a, a).first is None


@pytest.mark.parametrize("resumed", [False, True])
def test_a_failure_is_an_outcome_until_the_step_has_another(resumed: bool) -> None:
    """D10, E9: compared by what went wrong, not by where in the code."""
    begun = RunStarted("g", "f", b"{}", 0)
    p = StepKey("p")
    failed: list[Fact] = [begun, StepStarted(p, 1), StepFailed(p, 1, NO), RunFailed(p, 1, NO)]
    other = Failure("ValueError", "no", trace="elsewhere")
    more: list[Fact] = [RunResumed(), StepStarted(p, 2)] if resumed else []
    found = compare(record("a", *failed), record("b", begun, StepFailed(p, 1, other), RunFailed(p, 1, other), *more))
    assert [row.verdict for row in found.rows] == ["same", "same", "only in a" if resumed else "same"]
