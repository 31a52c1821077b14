"""Runs as a JSON file, out of one store and into another.

A file stands for itself: each run in it owns every entry it counts. What a fork shares with other runs is folded in,
right after its first entry, and spans that named those runs name the run itself. Carrying the other runs along instead
would bring runs into a store that nobody asked for there: a worker would find one that was unfinished, and do its
effects a second time. The price is that a file does not say which run a folded entry came from; `parent` does.

Format 1, a JSON object:

    format        1
    definitions   fingerprint to what a graph of it looked like, as JSON text
    runs          each an object: id, created, parent, target, fence, entries, messages
        an entry    at, kind, and the cells that `codec` knows; its place in the list is its number
        a message   id, kind, name, value, at, and `taken`: the last entry of the commit that used it up

Values, notes, errors and details are JSON *texts*, and so come back byte for byte. Status, graph and error of a run are
not written: they follow from its entries.

Nothing that a file says can run code, nor choose code that will: it is read into the known fact classes, each field by
its type, and the target that the run had is not taken over, because a worker imports what a run's target names.

Interrupted, an export has read, and an import is one transaction: all runs of the file are there, or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import from_json, to_json

from graphrt.checkpoints import reading
from graphrt.checkpoints.codec import COLUMNS, Columns, decode, encode
from graphrt.checkpoints.schema import SPAN
from graphrt.checkpoints.tables import Commit, begin, head_of
from graphrt.definition import recall
from graphrt.errors import RunExists, RunNotFound, StoreError, StoreTooNew, UsageError
from graphrt.facts import Entry, Fact, RunFact, RunForked, RunResumed, RunRewound, RunStarted, Span, StepFact
from graphrt.history import is_step_fact
from graphrt.journal import Message, RunInfo
from graphrt.types import Json, RunId

FORMAT = 1

_RUN = "SELECT n, created, target, parent FROM runs {} WHERE id = ?"
_DEFINITION = "SELECT fingerprint, definition FROM definitions WHERE fingerprint = ?"
_FENCE = "SELECT fence FROM leases WHERE run = ?"
_MESSAGES = "SELECT id, kind, name, value, at, taken FROM messages WHERE run = ? ORDER BY n"
_INSERT_MESSAGE = "INSERT INTO messages (id, run, kind, name, value, at, taken) VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_DEFINITION = "INSERT INTO definitions (fingerprint, definition) VALUES (?, ?) ON CONFLICT DO NOTHING"
_INSERT_FENCE = "INSERT INTO leases (run, fence) VALUES (?, ?)"


@dataclass(frozen=True, slots=True)
class Record:
    """A run whole: what a reader of a journal sees of it, and its messages."""

    id: RunId
    created: float
    parent: RunId | None
    target: str | None
    fence: int
    """What its next driver's fence is to be greater than."""
    entries: Sequence[Entry]
    messages: Sequence[tuple[Message, int | None]]
    """Each with the last entry of the commit that took it; None if none did."""
    definitions: Mapping[str, Json]


def record(connection: sqlite3.Connection, path: str, run: RunId, *, torn: list[str] | None = None) -> Record:
    """Read a run, with what it shares folded in.

    With `torn`, what lies beside its entries may be damaged: it is left out, and named there. Raises RunNotFound;
    ValueError if the store does not hold all of its entries.
    """
    n, created, target, parent = _row_of(connection, path, run)

    def shared(span: Span) -> list[Entry]:
        return _entries(connection, path, RunId(span.run), span.first, span.last)

    def beside(what: str, sql: str, *parameters: object) -> list[Any]:
        try:
            return connection.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError:
            if torn is None:
                raise
            torn.append(what)
            return []

    entries, moved = owned(run, _entries(connection, path, run), shared)
    fences = [fence for (fence,) in beside("lease", _FENCE, n)]
    fences += [entry.fact.fence for entry in entries if isinstance(entry.fact, RunResumed) and not fences]
    definitions = [row for name in _fingerprints(entries) for row in beside("definition", _DEFINITION, name)]
    sent = beside("messages", _MESSAGES, n)
    return Record(
        id=run,
        created=created,
        parent=parent,
        target=target,
        fence=max(fences, default=0),
        entries=entries,
        messages=[
            (
                Message(name, run, kind, about, None if value is None else value.encode(), at),
                taken if taken is None or taken == 1 else taken + moved,
            )
            for name, kind, about, value, at, taken in sent
        ],
        definitions={name: text.encode() for name, text in definitions},
    )


def _row_of(connection: sqlite3.Connection, path: str, run: RunId) -> tuple[int, float, str | None, RunId | None]:
    try:
        row = connection.execute(_RUN.format(""), (run,)).fetchone()
    except sqlite3.DatabaseError:  # an index that is damaged does not hide a row that is not
        row = connection.execute(_RUN.format("NOT INDEXED"), (run,)).fetchone()
    if row is None:
        raise RunNotFound(run, path)
    found: tuple[int, float, str | None, RunId | None] = row
    return found


def _entries(connection: sqlite3.Connection, path: str, run: RunId, first: int = 1, last: int = SPAN) -> list[Entry]:
    values = reading.Values(connection, _row_of(connection, path, run)[0])
    found = values.entries(first - 1, last - first + 1)
    for seq, entry in enumerate(found, first):
        if entry.seq != seq:
            raise ValueError(f"entry {seq} of run {run!r} is not there")
        _check(entry.fact)
    if not found or (last < SPAN and found[-1].seq != last):
        raise ValueError(f"the entries of run {run!r} end at {found[-1].seq if found else first - 1}")
    return found


def owned(run: RunId, entries: Sequence[Entry], shared: Callable[[Span], Sequence[Entry]]) -> tuple[list[Entry], int]:
    """Return a run's entries with all that it shares among them, and by how many places those after the first moved."""
    named = [span for entry in entries for span in _spans(entry.fact) if span.run != run]
    if not named:
        return list(entries), 0
    first, *rest = entries
    copies: dict[tuple[str, int], Entry] = {}
    for span in named:
        for entry in shared(span):
            if is_step_fact(entry.fact):
                copies.setdefault((span.run, entry.seq), entry)
    places = {key: place for place, key in enumerate(copies, 2)}
    places[run, 1] = 1
    places.update(((run, entry.seq), entry.seq + len(copies)) for entry in rest)
    facts = [(entry.at, _within(run, entry.fact, places)) for entry in (first, *copies.values(), *rest)]
    return [Entry(seq, at, fact) for seq, (at, fact) in enumerate(facts, 1)], len(copies)


def _spans(fact: Fact) -> tuple[Span, ...]:
    return fact.spans if isinstance(fact, (RunForked, RunRewound)) else ()


def _within(run: RunId, fact: Fact, places: Mapping[tuple[str, int], int]) -> Fact:
    """Let a fact's spans name the entries where they are now. A fork's first fact is followed by what it shared."""
    match fact:
        case RunForked():
            return replace(fact, spans=())
        case RunRewound(spans=spans):
            every = ((span.run, seq) for span in spans for seq in range(span.first, span.last + 1))
            kept = [places[key] for key in every if key in places]
            return replace(fact, spans=tuple(_joined(run, kept)))
        case _:
            return fact


def _joined(run: RunId, kept: Sequence[int]) -> Iterator[Span]:
    """Write places as the fewest spans."""
    begin = 0
    for index, place in enumerate(kept):
        if index + 1 == len(kept) or kept[index + 1] != place + 1:
            yield Span(run, kept[begin], place)
            begin = index + 1


def _fingerprints(entries: Sequence[Entry]) -> list[str]:
    named = (e.fact.fingerprint for e in entries if isinstance(e.fact, (RunStarted, RunForked, RunRewound)))
    return list(dict.fromkeys(named))


# The file.


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


_Number = Annotated[int, Field(ge=0, lt=SPAN)]
_Time = Annotated[float, Field(allow_inf_nan=False)]


class _Entry(_Part):
    at: _Time
    kind: str
    step: str | None = None
    attempt: Annotated[int, Field(ge=0, lt=1 << 63)] | None = None
    value: str | None = None
    type: str | None = None
    lineage: str | None = None
    note: str | None = None
    error: str | None = None
    detail: str | None = None


class _Message(_Part):
    id: str
    kind: Literal["signal", "answer", "done", "not done", "cancel"]
    name: str = ""
    value: str | None = None
    at: _Time
    taken: _Number | None = None


class _Run(_Part):
    id: Annotated[str, Field(min_length=1)]
    created: _Time
    parent: str | None = None
    target: str | None = None
    fence: Annotated[int, Field(ge=0, lt=1 << 62)] = 0
    entries: Annotated[list[_Entry], Field(min_length=1)]
    messages: list[_Message] = []


class _File(_Part):
    format: int
    definitions: dict[str, str]
    runs: list[_Run]
    lost: list[dict[str, Any]] = []


def write(records: Sequence[Record], lost: Sequence[Mapping[str, Any]] = ()) -> Json:
    """Write a file. `lost`: what is known of runs that could not be read, for people."""
    definitions = {name: text.decode() for each in records for name, text in each.definitions.items()}
    document = {"format": FORMAT, "definitions": definitions, "runs": [_written(each) for each in records]}
    return to_json(document | ({"lost": lost} if lost else {}), indent=1) + b"\n"


def _written(found: Record) -> dict[str, Any]:
    return {
        "id": found.id,
        "created": found.created,
        "parent": found.parent,
        "target": found.target,
        "fence": found.fence,
        "entries": [{"at": entry.at} | _cells(entry.fact) for entry in found.entries],
        "messages": [
            {
                "id": message.id,
                "kind": message.kind,
                "name": message.name,
                "value": None if message.value is None else message.value.decode(),
                "at": message.at,
                "taken": taken,
            }
            for message, taken in found.messages
        ],
    }


def _cells(fact: Fact) -> dict[str, Any]:
    return {name: cell for name, cell in zip(COLUMNS, encode(fact), strict=True) if cell is not None}


def read(text: Json, name: str) -> list[Record]:
    """Read a file, checking all of it. `name`: what errors call it.

    Raises StoreTooNew for a newer format; UsageError, saying what is wrong and where, if it is not an export.
    """
    try:
        found = from_json(text)
    except ValueError as error:
        raise _refused(name, f"it is not JSON: {error}") from None
    if not isinstance(found, dict) or type(found.get("format")) is not int:
        raise _refused(name, "it has no format number")
    if found["format"] > FORMAT:
        raise StoreTooNew(name, f"its format is {found['format']}, this one knows {FORMAT}")
    try:
        file = _File.model_validate_json(text)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        raise _refused(name, f"at /{'/'.join(map(str, wrong['loc']))}: {wrong['msg']}") from None
    definitions = {print_: _definition(name, print_, each) for print_, each in file.definitions.items()}
    return [_record(name, each, definitions) for each in file.runs]


def _refused(name: str, what: str) -> UsageError:
    return UsageError(f"{name} is not what `graphrt export` writes: {what}; nothing was imported")


def _definition(name: str, fingerprint: str, text: str) -> Json:
    try:
        graph = recall(text.encode())
    except ValueError as error:
        raise _refused(name, f"the definition {fingerprint!r}: {error}") from None
    if graph.fingerprint != fingerprint:
        raise _refused(name, f"the definition {fingerprint!r} is one of {graph.fingerprint!r}")
    return text.encode()


def _record(name: str, found: _Run, definitions: Mapping[str, Json]) -> Record:
    run = RunId(found.id)
    entries = [_entry(name, run, seq, each) for seq, each in enumerate(found.entries, 1)]
    if not isinstance(entries[0].fact, (RunStarted, RunForked)):
        raise _refused(name, f"run {run!r} does not begin with its beginning")
    for seq, _, fact in entries:
        if any(span.run != run or not 1 <= span.first <= span.last < seq for span in _spans(fact)):
            raise _refused(name, f"entry {seq} of run {run!r} shares what is not in it")
    messages = []
    for each in found.messages:
        value = None if each.value is None else _json(name, f"message {each.id!r}", each.value)
        messages.append((Message(each.id, run, each.kind, each.name, value, each.at), each.taken))
    return Record(
        id=run,
        created=found.created,
        parent=None if found.parent is None else RunId(found.parent),
        target=found.target,
        fence=found.fence,
        entries=entries,
        messages=messages,
        definitions={key: definitions[key] for key in _fingerprints(entries) if key in definitions},
    )


def _entry(name: str, run: RunId, seq: int, found: _Entry) -> Entry:
    where = f"entry {seq} of run {run!r}"
    cells = Columns(*(getattr(found, column) for column in COLUMNS))
    for text in (found.value, found.note):
        if text is not None:
            _json(name, where, text)
    try:
        fact = decode(cells, None if found.value is None else found.value.encode())
        _check(fact)
    except ValueError as error:
        raise _refused(name, f"{where}: {error}") from None
    return Entry(seq, found.at, fact)


def _json(name: str, where: str, text: str) -> Json:
    try:
        from_json(text)
    except ValueError as error:
        raise _refused(name, f"{where}: a value is not JSON: {error}") from None
    return text.encode()


@cache
def _models() -> dict[str, type[BaseModel]]:
    """Return what the fields of each class of facts have to be."""
    config = ConfigDict(strict=True, revalidate_instances="always")
    found = {}
    for cls in (*get_args(RunFact), *get_args(StepFact)):
        hints = get_type_hints(cls)
        given: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(cls)}
        found[cls.kind] = create_model(cls.__name__, __config__=config, **given)
    return found


def _check(fact: Fact) -> None:
    """Raise ValueError if a field of a fact is not of its type: a row may lack a value or hold anything in `detail`."""
    given = {field.name: getattr(fact, field.name) for field in fields(fact)}
    try:
        _models()[fact.kind].model_validate(given)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        raise ValueError(f"{fact.kind!r}, {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from None


# Into a store.


def renamed(found: Record, new: RunId) -> Record:
    """Return a run under another id. Its messages get other ids too: those may be taken where the run came from."""

    def fact_of(fact: Fact) -> Fact:
        if not isinstance(fact, (RunForked, RunRewound)) or not fact.spans:
            return fact
        return replace(fact, spans=tuple(span._replace(run=new) for span in fact.spans))

    return replace(
        found,
        id=new,
        entries=[entry._replace(fact=fact_of(entry.fact)) for entry in found.entries],
        messages=[(replace(message, id=f"{new}/{message.id}", run=new), taken) for message, taken in found.messages],
    )


def info_of(found: Record, target: str | None) -> RunInfo:
    """Return what a list shows of a run that begins; the rest follows from its entries."""
    first = found.entries[0].fact
    assert isinstance(first, (RunStarted, RunForked))  # noqa: S101 - checked when it was read
    return RunInfo(
        id=found.id,
        graph=first.graph,
        fingerprint=first.fingerprint,
        created=found.created,
        updated=found.created,
        target=target,
        parent=found.parent,
    )


def restore(cursor: sqlite3.Cursor, path: str, records: Sequence[Record], commits: Sequence[Commit]) -> None:
    """Write runs, inside the writer's transaction. Raises RunExists or StoreError before anything is written."""
    for found in records:
        if head_of(cursor, found.id) is not None:
            raise RunExists(found.id, path)
        for message, _ in found.messages:
            if cursor.execute("SELECT 1 FROM messages WHERE id = ?", (message.id,)).fetchone():
                raise StoreError(
                    f"run {found.id!r} has a message {message.id!r}, and {path} knows another of that id; "
                    f"nothing was imported: give the run another id (--as), and its messages get other ids too"
                )
    for found, commit in zip(records, commits, strict=True):
        n = begin(cursor, commit)
        cursor.executemany(_INSERT_MESSAGE, [_row(n, message, taken) for message, taken in found.messages])
        cursor.executemany(_INSERT_DEFINITION, [(key, text.decode()) for key, text in found.definitions.items()])
        cursor.execute(_INSERT_FENCE, (n, found.fence))


def _row(n: int, message: Message, taken: int | None) -> tuple[object, ...]:
    value = None if message.value is None else message.value.decode()
    return message.id, n, message.kind, message.name, value, message.at, taken


def there(connection: sqlite3.Connection, path: str, records: Sequence[Record]) -> bool:
    """Say whether a store holds exactly these runs."""
    try:
        return all(
            replace(record(connection, path, found.id), target=None) == replace(found, target=None) for found in records
        )
    except (RunNotFound, ValueError):
        return False
