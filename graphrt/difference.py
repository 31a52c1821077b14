"""Two values, and two runs, side by side: where they first differ, and how (D10)."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Literal

from pydantic_core import from_json, to_json

from graphrt.facts import Failure, RunFailed, RunFinished, RunForked, RunStarted, StepFact, StepFailed, StepFinished
from graphrt.history import Counted, newest
from graphrt.shown import Shown
from graphrt.types import Json

LINES = 200
"""Lines of a diff that are shown."""

_LARGE = 2000
"""Lines beyond which only the part from the first difference on is compared: finding the best match is quadratic."""


@dataclass(frozen=True, slots=True)
class Difference(Shown):
    """How two JSON values differ."""

    pointer: str
    """The first place that differs, as a JSON pointer (RFC 6901); empty for the whole value."""
    diff: str
    """A unified diff of the two: of their lines where both are text, of indented JSON where they are not."""


def differ(was: Json, now: Json, *, names: tuple[str, str] = ("recorded", "now")) -> Difference | None:
    """Compare two JSON values; None if they are equal. The order of an object's members does not count."""
    if was == now:
        return None
    old, new = from_json(was), from_json(now)
    if _canonical(old) == _canonical(new):
        return None
    pointer = _first_place(old, new)
    if isinstance(old, str) and isinstance(new, str):
        return Difference(pointer, _unified(old.splitlines(), new.splitlines(), names))
    return Difference(pointer, _unified(_pretty(old), _pretty(new), names))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _pretty(value: Any) -> list[str]:
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False).splitlines()


def _first_place(old: Any, new: Any) -> str:
    """Walk down to the first place that differs, in the order of names and items."""
    pointer = ""
    while True:
        if isinstance(old, dict) and isinstance(new, dict):
            places: list[Any] = sorted({*old, *new})
        elif isinstance(old, list) and isinstance(new, list):
            places = list(range(max(len(old), len(new))))
        else:
            return pointer
        place = next(place for place in places if _differs(_at(old, place), _at(new, place)))
        pointer += "/" + str(place).replace("~", "~0").replace("/", "~1")
        old, new = _at(old, place), _at(new, place)


def _differs(before: Any, after: Any) -> bool:
    return before is _NONE or after is _NONE or _canonical(before) != _canonical(after)


_NONE: Any = object()


def _at(value: Any, place: Any) -> Any:
    if isinstance(value, dict):
        return value.get(place, _NONE)
    return value[place] if place < len(value) else _NONE


def _unified(old: list[str], new: list[str], names: tuple[str, str]) -> str:
    if max(len(old), len(new)) > _LARGE:
        same = next(
            (n for n, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new))
        )
        begin = max(0, same - 3)
        old, new = old[begin : begin + _LARGE], new[begin : begin + _LARGE]
    lines = difflib.unified_diff(old, new, *names, lineterm="")
    shown = list(islice(lines, LINES))
    if next(lines, None) is not None:
        shown.append("…")
    return "\n".join(shown)


Verdict = Literal["shared", "same", "differs", "only in a", "only in b"]


@dataclass(frozen=True)
class Row(Shown):
    """One step in two runs: what it came to in each, as JSON; None where it came to nothing."""

    step: str
    """Its key; `(input)` and `(result)` are the run's."""
    verdict: Verdict
    a: Json | None
    b: Json | None

    @cached_property
    def difference(self) -> Difference | None:
        """How the two differ, if both came to something."""
        return None if self.a is None or self.b is None else differ(self.a, self.b, names=("a", "b"))


@dataclass(frozen=True, slots=True)
class Comparison(Shown):
    """Two runs, step by step, in the order in which the first began them; then what only the second has."""

    rows: tuple[Row, ...]

    @property
    def first(self) -> Row | None:
        """Where the runs part; None if they are the same as far as they both went."""
        return next((row for row in self.rows if row.verdict not in {"shared", "same"}), None)


def compare(a: Sequence[Counted], b: Sequence[Counted]) -> Comparison:
    """Compare two runs by what each step came to, whenever it did."""
    one, other = _outcomes(a), _outcomes(b)
    order = [key for key in dict.fromkeys((*one, *other)) if key not in {_INPUT, _RESULT}]
    return Comparison(tuple(_rows(one, other, [_INPUT, *order, _RESULT])))


_INPUT, _RESULT = "(input)", "(result)"

_Outcome = tuple[Json | None, tuple[str, int]]
"""What a step came to, and where that is written."""


def _rows(a: dict[str, _Outcome], b: dict[str, _Outcome], order: Sequence[str]) -> Iterator[Row]:
    for key in order:
        was, there = a.get(key, (None, ("", 0)))
        now, here = b.get(key, (None, ("", 0)))
        verdict: Verdict
        if was is None and now is None:
            continue
        if now is None:
            verdict = "only in a"
        elif was is None:
            verdict = "only in b"
        elif there == here:
            verdict = "shared"
        else:
            verdict = "same" if differ(was, now) is None else "differs"
        yield Row(key, verdict, was, now)


def _outcomes(record: Sequence[Counted]) -> dict[str, _Outcome]:
    """Return what each step came to, in the order in which they began."""
    found: dict[str, _Outcome] = {}
    for run, (seq, _, recorded) in record:
        match newest(recorded):
            case RunStarted(input=text) | RunForked(input=text):
                found[_INPUT] = (text, (run, seq))
            case RunFinished(value=text):
                found[_RESULT] = (text, (run, seq))
            case RunFailed(failure=failure):
                found[_RESULT] = (failed(failure), (run, seq))
            case StepFinished(step=key, value=text):
                found[key] = (text, (run, seq))
            case StepFailed(step=key, failure=failure):
                found[key] = (failed(failure), (run, seq))
            case fact if isinstance(fact, StepFact):
                found.setdefault(fact.step, (None, ("", 0)))
            case _:  # the run was taken up again: what had failed goes on
                found.pop(_RESULT, None)
    return found


def failed(failure: Failure) -> Json:
    """Write a failure as a value to be compared: what went wrong, not where in the code."""
    return to_json({"failed": failure.type, "message": failure.message})
