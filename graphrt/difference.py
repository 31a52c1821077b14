"""Two values, and two runs, side by side: where they first differ, and how (D10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from graphrt.history import Counted
from graphrt.types import Json


@dataclass(frozen=True, slots=True)
class Difference:
    """How two JSON values differ."""

    pointer: str
    """The first place that differs, as a JSON pointer (RFC 6901); empty for the whole value."""
    diff: str
    """A unified diff of the two, as text where both are text and as indented JSON where they are not."""


def differ(old: Json, new: Json, old_name: str = "recorded", new_name: str = "now") -> Difference | None:
    """Compare two JSON values; None if they are equal. The order of an object's members does not count."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Row:
    """One step in two runs."""

    step: str
    """Its key; `input` and `result` of the run are steps to this table."""
    verdict: Literal["shared", "same", "differs", "only in a", "only in b"]
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, step by step, in the order of the first."""

    rows: tuple[Row, ...]

    @property
    def first(self) -> Row | None:
        """Where the runs part."""
        raise NotImplementedError


def compare(a: Sequence[Counted], b: Sequence[Counted]) -> Comparison:
    """Compare two runs by what each step came to, whenever it did."""
    raise NotImplementedError
