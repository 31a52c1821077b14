"""A fact as the columns of a row, and back (D13).

What a person looks for in a file has a column of its own: kind, step, attempt, value, type, lineage, note, error. The
other fields of a fact share the JSON object `detail`, which holds those that differ from their defaults and is NULL
when none does. Reading builds one of the known fact classes from plain JSON
values, by name out of a fixed table: there is no pickle and no module path, and nothing that a file says can choose
what code runs. A field that the file lacks takes its default; one that the class lacks is passed over.

Pure: no I/O, no state, nothing to interrupt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, NamedTuple, get_args

from pydantic_core import PydanticSerializationError, from_json, to_json

from graphrt.facts import Fact, Failure, RunFact, Span, StepFact, StepFinished, StepStarted

COLUMNS = ("kind", "step", "attempt", "value", "type", "lineage", "note", "error", "detail")
"""The columns that hold a fact, in the order in which rows are handed to and taken from SQLite."""

_JSON = {"value", "note"}
_CONVERTED = {*_JSON, "error"}
_COLUMN_OF = {"input": "value", "failure": "error"}


class Columns(NamedTuple):
    """One fact, as what SQLite is given. `value` and `note` are JSON texts byte for byte as they came."""

    kind: str
    step: str | None = None
    attempt: int | None = None
    value: str | None = None
    type: str | None = None
    lineage: str | None = None
    note: str | None = None
    error: str | None = None
    detail: str | None = None


def _default(field: Field[Any]) -> Any:
    """Return what a field is when nobody said otherwise; MISSING, which nothing equals, if somebody must say."""
    return field.default if field.default_factory is MISSING else field.default_factory()


class _Shape:
    """How one class of facts is laid out; worked out once."""

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        names = [field.name for field in fields(cls)]
        column = {name: _COLUMN_OF.get(name, name) for name in names}
        self.direct = [(name, COLUMNS.index(column[name])) for name in names if column[name] in COLUMNS[1:]]
        self.plain = [(name, at) for name, at in self.direct if COLUMNS[at] not in _CONVERTED]
        self.json = [(name, at) for name, at in self.direct if COLUMNS[at] in _JSON]
        self.failure = [(name, at) for name, at in self.direct if COLUMNS[at] == "error"]
        self.rest = [(field.name, _default(field)) for field in fields(cls) if column[field.name] not in COLUMNS[1:]]


_SHAPES = {cls.kind: _Shape(cls) for cls in (*get_args(RunFact), *get_args(StepFact))}


def encode(fact: Fact) -> Columns:
    """Return the row of a fact."""
    if type(fact) is StepFinished:  # this and the next are what every step makes: spelled out, at a third of the cost
        note = None if fact.note is None else fact.note.decode()
        return Columns(fact.kind, fact.step, fact.attempt, fact.value.decode(), fact.type, fact.lineage, note)
    if type(fact) is StepStarted and fact.intent is None:
        return Columns(fact.kind, fact.step, fact.attempt)
    return laid_out(fact)


def laid_out(fact: Fact) -> Columns:
    """Return the row of any fact, by the layout of its class."""
    shape = _SHAPES[fact.kind]
    row: list[Any] = [fact.kind, None, None, None, None, None, None, None, None]
    for name, at in shape.plain:
        row[at] = getattr(fact, name)
    for name, at in shape.json:
        value: bytes | None = getattr(fact, name)
        if value is not None:
            row[at] = value.decode()
    for name, at in shape.failure:
        failure: Failure = getattr(fact, name)
        row[at] = _json({field.name: getattr(failure, field.name) for field in fields(failure)})
    if shape.rest:
        detail = {name: value for name, default in shape.rest if (value := getattr(fact, name)) != default}
        if detail:
            row[-1] = _json(detail)
    return Columns(*row)


def decode(columns: Columns, value: bytes | None) -> Fact:
    """Return the fact of a row, whose full value the caller has put together. Raises ValueError if it makes none."""
    shape = _SHAPES.get(columns.kind)
    if shape is None:
        raise ValueError(f"a fact of the unknown kind {columns.kind!r}")
    given: dict[str, Any] = {}
    for name, at in shape.direct:
        column = COLUMNS[at]
        if column == "value":
            given[name] = value
        elif column == "note":
            given[name] = None if columns.note is None else columns.note.encode()
        elif column == "error":
            given[name] = _failure(columns.error)
        else:
            given[name] = columns[at]
    if shape.rest and columns.detail is not None:
        detail = _object(columns.detail)
        for name, _ in shape.rest:
            if name in detail:
                read = _READ.get(name)
                given[name] = detail[name] if read is None else read(detail[name])
    try:
        fact: Fact = shape.cls(**given)
    except TypeError as error:
        raise ValueError(f"a fact of kind {columns.kind!r} lacks a field: {error}") from None
    return fact


def _spans(cell: Any) -> tuple[Span, ...]:
    found = []
    for item in cell if isinstance(cell, list) else [None]:
        match item:
            case [str(run), int(first), int(last)]:
                found.append(Span(run, first, last))
            case _:
                raise ValueError("a span of shared entries is a run's name and two numbers")
    return tuple(found)


_READ: dict[str, Callable[[Any], Any]] = {"spans": _spans}
"""How a field is read that is not what JSON makes of it."""


def _failure(cell: str | None) -> Failure:
    given = _object(cell)
    known = {field.name for field in fields(Failure)}
    try:
        return Failure(**{name: value for name, value in given.items() if name in known})
    except TypeError as error:
        raise ValueError(f"an error lacks a field: {error}") from None


def _object(cell: str | None) -> dict[str, Any]:
    found = from_json(cell) if cell is not None else None
    if not isinstance(found, dict):
        raise ValueError("a column that should hold a JSON object does not")  # noqa: TRY004 - a damaged file, not a caller's type
    return found


def _json(value: dict[str, Any]) -> str:
    """Write JSON. A lone surrogate, as in the name of a badly named file, is replaced: an error must always be
    recordable."""
    try:
        return to_json(value).decode()
    except PydanticSerializationError:
        return to_json({name: _clean(item) for name, item in value.items()}).decode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {_clean(name): _clean(item) for name, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, tuple) else value
