"""What may flow where, as a type checker would say it (G4)."""

import collections.abc
from typing import Annotated, Any, Literal, Never, NewType, TypeVar

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from graphrt.assignable import assignable, element, union


class Animal(BaseModel):
    pass


class Dog(Animal):
    pass


class Left(TypedDict):
    x: int


UserId = NewType("UserId", int)
T = TypeVar("T")
B = TypeVar("B", bound=Animal)

FITS: list[tuple[Any, Any]] = [
    (int, int),
    (int, float),
    (bool, int),
    (bool, float),
    (Dog, Animal),
    (int, Any),
    (Any, int),
    (int, object),
    (None, None),
    (int, int | str),
    (int | str, str | int | None),
    (int | str, int | str),
    (None, int | None),
    (Never, int),
    (list[Dog], list[Animal]),
    (list[int], list[float]),
    (list[int], collections.abc.Sequence[int]),
    (list[int], list),
    (list, list[int]),
    (dict[str, Dog], dict[str, Animal]),
    (dict[str, int], collections.abc.Mapping[str, int]),
    (tuple[int, int], tuple[int, ...]),
    (tuple[int, str], tuple[int, str]),
    (tuple[Dog, Dog], collections.abc.Sequence[Animal]),
    (Literal["a"], str),
    (Literal["a"], Literal["a", "b"]),
    (Literal[1, "a"], int | str),
    (UserId, int),
    (UserId, UserId),
    (Annotated[int, "x"], int),
    (int, Annotated[int, "x"]),
    (list[Annotated[int, "x"]], list[int]),
    (int, T),
    (Dog, B),
    (Left, Left),
]

CLASHES: list[tuple[Any, Any]] = [
    (int, str),
    (float, int),
    (Animal, Dog),
    (object, int),
    (int, None),
    (None, int),
    (int | None, int),
    (int | str, int),
    (list[int], list[str]),
    (list[Animal], list[Dog]),
    (list[int], set[int]),
    (list[int], int),
    (dict[str, int], dict[str, str]),
    (tuple[int, str], tuple[int, int]),
    (tuple[int], tuple[int, int]),
    (tuple[int, ...], tuple[int, int]),
    (tuple[int, str], collections.abc.Sequence[int]),
    (str, Literal["a"]),
    (Literal["c"], Literal["a", "b"]),
    (Literal[1], str),
    (int, UserId),
    (Annotated[str, "x"], int),
    (str, B),
    (dict[str, int], Left),
    (Animal, str),
    (list[int | None], list[int]),
]


@pytest.mark.parametrize(("source", "target"), FITS, ids=str)
def test_this_fits(source: Any, target: Any) -> None:
    """G4: generics, unions, subclasses, literals, NewType and Annotated included."""
    assert assignable(source, target)


@pytest.mark.parametrize(("source", "target"), CLASHES, ids=str)
def test_this_clashes(source: Any, target: Any) -> None:
    """G4."""
    assert not assignable(source, target)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (list[int], int),
        (tuple[int, ...], int),
        (tuple[int, str], int | str),
        (list, Any),
        (Any, Any),
        (set[str], str),
        (list[int] | tuple[str, ...], int | str),
        (str, None),
        (dict[str, int], None),
        (int, None),
        (list[int] | None, None),
    ],
)
def test_an_item_of_a_list_has_this_type(annotation: Any, expected: Any) -> None:
    """G4: None where there are no items."""
    assert element(annotation) == expected


def test_a_union_has_no_repeats() -> None:
    """G4."""
    assert union([int, str | int, None]) == int | str | None
