"""Values as JSON and back: what survives, what is refused, and under which name it is recorded (G1, D13)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from graphrt.errors import PortError, UsageError
from graphrt.ports import Port, json_problem, may_hold_floats, pointer, type_name, type_tag, upcast, upcaster


class Color(Enum):
    RED = "red"


class NoModel:
    pass


class Item(BaseModel):
    n: int
    of: "Item | None" = None
    at: float | None = None


class Aliased(BaseModel):
    inner: int = Field(alias="in")


@dataclass
class Pair:
    a: int
    b: str


class Options(TypedDict, total=False):
    x: int


VALUES: list[tuple[Any, Any]] = [
    (int, 10**40),
    (str, 'quote " back \\ \u2028 \U0001f600'),
    (bool, True),
    (None, None),
    (float, math.inf),
    (float, 1e300),
    (list[float], [math.inf, -math.inf, 0.5]),
    (Item, Item(n=1, of=Item(n=2))),
    (Item, Item(n=1, at=math.inf)),
    (Pair, Pair(1, "b")),
    (Options, {"x": 1}),
    (dict[str, list[int]], {"a": [1], "": []}),
    (tuple[int, str], (1, "x")),
    (set[int], {1, 2}),
    (Color, Color.RED),
    (Decimal, Decimal("0.1000")),
    (datetime, datetime(2026, 1, 2, tzinfo=UTC)),
    (Literal["a", 1], 1),
    (int | str | None, "1"),
    (bytes, b"plain"),
    (Any, {"a": [1, None, "x"]}),
]


@pytest.mark.parametrize(
    ("annotation", "value"), VALUES, ids=[f"{type_name(a)}-{n}" for n, (a, _) in enumerate(VALUES)]
)
def test_a_value_comes_back_as_it_went(annotation: Any, value: object) -> None:
    """G1: and as an object of its own."""
    port = Port("n", "p", annotation)
    read = port.read(port.write(value))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("annotation", "held"),
    [
        *(
            (kind, False)
            for kind in (int, str | None, list[str], dict[str, int], Pair, Options, Color, datetime, Decimal)
        ),
        *(
            (kind, True)
            for kind in (float, Item, Any, list, dict, dict[str, Any], tuple[int, float], list[float | None])
        ),
    ],
)
def test_where_a_float_may_be_is_known_from_the_type(annotation: Any, held: bool) -> None:
    """G1: only there can an infinity have become a null, and only such texts are written twice."""
    assert may_hold_floats(annotation) is held


def test_what_is_no_number_comes_back_as_none_too() -> None:
    """G1: NaN does not equal itself, so it has a test of its own."""
    port = Port("n", "p", float)
    assert math.isnan(port.read(port.write(math.nan)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_plain_data_comes_back_as_it_went(value: object) -> None:
    """G1: whatever it is, or it is a PortError: never something else."""
    port = Port("n", "p", Any)
    try:
        text = port.write(value)
    except PortError:
        return
    assert port.write(port.read(text)) == text


def test_aliases_are_what_travels() -> None:
    """G1: a model is read by the names it is written with."""
    port = Port("n", "p", Aliased)
    assert port.read(port.write(Aliased(**{"in": 3}))).inner == 3


@pytest.mark.parametrize(
    ("annotation", "value", "pointers"),
    [
        (int, "x", ("",)),
        (Item, {"n": 1, "of": {"n": "no"}}, ("/of/n",)),
        (list[int], [1, "a", "b"], ("/1", "/2")),
        (Annotated[int, Field(gt=3)], 2, ("",)),
        (str, "\ud800", ("",)),
        (Any, object(), ("",)),
    ],
)
def test_a_misfit_names_node_port_and_pointer(annotation: Any, value: object, pointers: tuple[str, ...]) -> None:
    """G1."""
    with pytest.raises(PortError, match="node 'n', port 'p': at /") as caught:
        Port("n", "p", annotation).write(value)
    assert (caught.value.node, caught.value.port, caught.value.pointers) == ("n", "p", pointers)


def test_a_pointer_escapes_what_it_must() -> None:
    """G1: RFC 6901."""
    assert pointer(("a/b", 0, "~")) == "/a~1b/0/~0"


@pytest.mark.parametrize("annotation", [Callable[[int], int], type("Plain", (), {}), "Nowhere", list[NoModel]])
def test_a_type_that_does_not_survive_json_is_found_at_definition(annotation: Any) -> None:
    """G4."""
    assert json_problem(annotation) is not None


@pytest.mark.parametrize("annotation", [annotation for annotation, _ in VALUES])
def test_a_type_that_survives_json_is_not(annotation: Any) -> None:
    """G4."""
    assert json_problem(annotation) is None


def test_a_tag_is_a_name_and_the_fingerprint_of_the_fields_and_never_a_path() -> None:
    """D13: a union's order of writing is kept, whatever was asked before."""
    before = type_tag(Item)

    class Changed(BaseModel):
        n: str

    Changed.__name__ = "Item"
    assert before.startswith("Item#")
    assert type_tag(Changed).startswith("Item#")
    assert type_tag(Changed) != before
    assert (type_tag(int), type_tag(list[str]), type_tag(None)) == ("int", "list[str]", "None")
    assert [type_tag(annotation) for annotation in (int | str, str | int)] == ["int | str", "str | int"]


def test_upcasters_are_applied_one_after_the_other_and_not_in_circles() -> None:
    """D13."""
    upcaster("V#1", "V#2")(lambda data: {**data, "two": 2})
    upcaster("V#2", "V#3")(lambda data: {**data, "three": data["two"] + 1})
    assert upcast("V#1", b'{"one":1}') == ("V#3", b'{"one":1,"two":2,"three":3}')
    assert upcast("W#1", b"1") == ("W#1", b"1")
    with pytest.raises(UsageError, match="to itself"):
        upcaster("V#9", "V#9")
    upcaster("C#1", "C#2")(lambda data: data)
    upcaster("C#2", "C#1")(lambda data: data)
    with pytest.raises(UsageError, match="in a circle"):
        upcast("C#1", b"1")
