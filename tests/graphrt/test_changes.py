"""What changed from one graph to another, in words (D11)."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt import Final, Machine, State, dag, each, first, node, switch, when
from graphrt.changes import differences
from graphrt.definition import define, recall
from graphrt.graph import Graph
from tests.graphrt.small import Spec, build, specs
from tests.graphrt.test_rewind import changes
from tests.graphrt.test_state import brief


@node
def plan(topic: str) -> list[str]:
    return [topic]


@node
def look(question: str, deep: bool = False) -> str:
    return question


@node
def write(parts: list[str]) -> str:
    return ""


@node
def yes(topic: str) -> bool:
    return True


@node(name="plan")
def other_plan(topic: str, many: int = 3) -> list[str]:
    return []


def drawn(body: Callable[..., Any]) -> Graph[..., Any]:
    return dag(name="g")(body)


def before(topic: str) -> str:
    return write(each(look, plan(topic)))


def deep(topic: str) -> str:
    return write(each(look, plan(topic), deep=True))


def renamed(topic: str) -> str:
    return write(each(look, plan.named("outline")(topic)))


def without(topic: str) -> str:
    return write([topic])


def checked(topic: str) -> str:
    return write(when(yes(topic), each(look, plan(topic)), [topic]))


def ported(topic: str) -> str:
    return write(each(look, other_plan(topic)))


def wider(topic: str, more: int = 1) -> str:
    return write(each(look, plan(topic)))


def returned(topic: str) -> str:
    return look(write(each(look, plan(topic))))


@pytest.mark.parametrize(
    ("now", "lines"),
    [
        (before, []),
        (deep, ["'each:look' takes 'deep' from true, not from false any more"]),
        (renamed, ["'plan' seems to be called 'outline' now"]),
        (
            without,
            [
                "'plan' is gone",
                "'each:look' is gone",
                "'write' takes 'parts' from [input topic], not from each:look any more",
            ],
        ),
        (
            checked,
            [
                "'write' takes 'parts' from when, not from each:look any more",
                "'yes' is new: node yes(topic: str) -> bool",
                "'when' is new: when",
            ],
        ),
        (ported, ["'plan' takes 'many' (int) now"]),
        (wider, ["'g' takes 'more' (int) now"]),
        (
            returned,
            ["'look' is new: node look(question: str, deep: bool) -> str", "'g' returns look, not write any more"],
        ),
    ],
)
def test_a_change_of_a_dag_is_told_in_a_line(now: Callable[..., Any], lines: list[str]) -> None:
    """D11: the older graph is known from its definition."""
    assert differences(recall(define(drawn(before))), drawn(now)) == lines


class Open(State):
    topic: str


class Shut(Final):
    topic: str


class Ajar(State):
    topic: str


def machine(*, ajar: bool = False, name: str = "push", steps: Graph[..., Any] | None = None) -> Graph[..., Any]:
    found: Machine[..., Any] = Machine("door", start=Open, end=Shut)

    def push(state: Open) -> Ajar | Shut:
        return Shut(topic="")

    def shove(state: Open) -> Shut:
        return Shut(topic="")

    def slam(state: Ajar) -> Shut:
        return Shut(topic="")

    if ajar:
        found.on(node(name=name)(push))
        found.on(slam)
    else:
        found.on(node(name=name)(shove))
    return found


def test_a_change_of_a_machine_is_told_in_a_line() -> None:
    """D11."""
    assert differences(recall(define(machine())), machine()) == []
    assert differences(machine(), machine(ajar=True)) == [
        "'push' returns Ajar | Shut, not Shut any more",
        "'push' leads to Ajar or Shut, not to Shut any more",
        "'door' handles Ajar now, by 'slam'",
    ]
    assert differences(machine(), machine(name="shove")) == ["'shove' handles Open, not 'push' any more"]
    assert differences(machine(), drawn(before))[-1] == "'g' was a machine and is a dag"


def test_changes_inside_and_choices_are_told_with_their_place() -> None:
    """D11, G2."""

    def outer(inner: Graph[..., Any], *, cases: int = 1, won: bool = False) -> Graph[..., Any]:
        def body(topic: str) -> str:
            text = inner.named("inside")(topic)
            options = {str(n): text for n in range(cases)}
            return write([switch(text, options, default=topic), first(text, topic) if won else first(topic, text)])

        return drawn(body)

    assert differences(outer(drawn(before)), outer(drawn(renamed))) == [
        "'inside/plan' seems to be called 'outline' now"
    ]
    assert differences(outer(drawn(before)), outer(drawn(before), cases=2)) == [
        "'switch': '\"1\"' is inside, not left out any more"
    ]
    assert differences(outer(drawn(before)), outer(drawn(before), won=True)) == [
        "'first': '0' is inside, not input topic any more",
        "'first': '1' is input topic, not inside any more",
    ]


@brief
@given(st.data(), specs())
def test_graphs_of_another_structure_differ_in_words_and_those_of_the_same_do_not(
    data: st.DataObject, spec: Spec
) -> None:
    """D11, G6: exactly as their fingerprints do."""
    changed = data.draw(changes(spec))
    old, new = build(spec), build(changed)
    assert (differences(recall(define(old)), new) == []) == (old.fingerprint == new.fingerprint)
