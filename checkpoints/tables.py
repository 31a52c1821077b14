"""How a commit becomes rows: the SQL of the hot path, and the check that nobody else wrote (D1, D7).

The usual commit is one insert. Whether a journal stands where its driver thinks is known from this process's own last
commit: if another process wrote since, the insert meets that one's entries and fails on their key. Whether the driver
still has its run is part of the insert too: under another fence a row has no time, and fails on that. Only then, and
for a run seen for the first time, is there a query, which says what it was.

Everything here runs inside the writer's transaction. What a query checks, it checks before the commit's first row, so
that a commit that is refused leaves nothing behind in the transaction of its neighbours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from graphrt.checkpoints import drafts, leases, messages, reading
from graphrt.checkpoints.codec import COLUMNS, encode
from graphrt.checkpoints.leases import Lease
from graphrt.checkpoints.lineages import Lineages, Version
from graphrt.checkpoints.schema import SPAN
from graphrt.errors import JournalConflict, RunExists, RunNotFound, StaleFence, StoreDamaged, StoreError
from graphrt.facts import Fact
from graphrt.journal import DONE_WITH, Claim, DraftKey, RunInfo
from graphrt.types import RunId, Status

LARGE = 4096
"""Bytes beyond which a text is stored once, by its hash, whatever run it belongs to."""

_INSERT_FACT = (
    f"INSERT INTO facts (n, at, base, blob, {', '.join(COLUMNS)}) "  # noqa: S608 - names from a constant
    f"VALUES (? + ?, ?, ?, ?, {', '.join('?' * len(COLUMNS))})"
)
_INSERT_FENCED = (
    f"INSERT INTO facts (n, at, base, blob, {', '.join(COLUMNS)}) "  # noqa: S608 - names from a constant
    "VALUES (?1 + ?4, (SELECT ?5 FROM leases WHERE run = ?2 AND fence = ?3), "
    f"{', '.join(f'?{number}' for number in range(6, 8 + len(COLUMNS)))})"
)
_INSERT_RUN = """
INSERT INTO runs (n, id, graph, fingerprint, status, target, created, error, parent)
VALUES (1 + max(coalesce((SELECT max(n) FROM runs), 0), coalesce((SELECT max(run) FROM leases), 0)),
    ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_BLOB = "INSERT INTO blobs (hash, text) VALUES (?, ?) ON CONFLICT DO NOTHING"
_SET_STATUS = "UPDATE runs SET status = ?, error = ?, wake = ? WHERE n = ?"
_SET_GRAPH = "UPDATE runs SET graph = ?, fingerprint = ? WHERE n = ?"
_INSERT_DEFINITION = (
    "INSERT INTO definitions (fingerprint, definition) SELECT fingerprint, ? FROM runs WHERE n = ? "
    "ON CONFLICT DO NOTHING"
)
_INSERT_SOURCE = "INSERT INTO forks (run, source) SELECT ?, n FROM runs WHERE id = ? ON CONFLICT DO NOTHING"
_SET_SNAPSHOT = (
    "INSERT INTO snapshots (run, seq, value, anchors) VALUES (?, ?, ?, ?) ON CONFLICT (run) DO UPDATE "
    "SET seq = excluded.seq, value = excluded.value, anchors = excluded.anchors"
)
_FIND_HEAD = """
SELECT n, 4294967295 & coalesce(
    (SELECT max(facts.n) FROM facts WHERE facts.n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295), 0)
FROM runs WHERE id = ?
"""


UNKNOWN = -1
"""Where a journal stands of which only the number is known."""


class Head(NamedTuple):
    """Where a journal stands: the run's number in this file, and its last entry."""

    n: int
    seq: int


@dataclass(slots=True, eq=False)
class Commit:
    """One call of `create` or `append`, encoded."""

    run: RunId
    after: int
    facts: Sequence[Fact] = ()
    at: float = 0.0
    rows: list[tuple[object, ...]] = field(default_factory=list)
    """One for each fact: seq, at, base, blob, and its columns."""
    blobs: list[tuple[str, str]] = field(default_factory=list)
    begin: RunInfo | None = None
    claim: Claim | None = None
    """The lease that a run begins with."""
    fence: int | None = None
    taking: Sequence[str] = ()
    dropping: Sequence[DraftKey] = ()
    intent: bool = False
    definition: str | None = None
    sources: Sequence[RunId] = ()
    """Other runs whose entries it shares."""
    status: tuple[Status, str | None] | None = None
    wake: float | None = None
    graph: tuple[str, str] | None = None
    """The name and the fingerprint of the graph that the run goes on with, if it is another one."""
    snapshot: tuple[str, str | None] | None = None
    """The state and its anchors, as JSON."""
    versions: dict[str, Version] = field(default_factory=dict)
    """What its lineages will be once it is committed."""
    size: int = 0
    error: BaseException | None = None
    in_doubt: bool = False
    """A transaction with it raised at its COMMIT: it may have been made."""
    head: Head | None = None


@dataclass(slots=True, eq=False)
class Errand:
    """Anything else that is done in the writer's transaction: claiming a run, sending a message."""

    run: RunId | None
    work: Callable[[sqlite3.Cursor], Any]
    """Raises a StoreError before it has written anything, or does its work and returns what there is to tell."""
    result: Any = None
    size: int = 0
    intent: bool = False
    error: BaseException | None = None
    in_doubt: bool = False


class StoreTables:
    """Writes commits, and knows where the journals stand that this process writes."""

    def __init__(self, path: str, lineages: Lineages) -> None:
        self._path = path
        self._lineages = lineages
        self._heads: dict[RunId, Head] = {}

    def write(self, cursor: sqlite3.Cursor, jobs: Sequence[Commit | Errand], /) -> None:
        """See Tables.write."""
        batch = _Batch(cursor)
        for job in jobs:
            try:
                if isinstance(job, Errand):
                    batch.insert()  # what was handed over before it comes before it
                    job.result = job.work(batch.cursor)
                else:
                    head = self._begin(batch, job) if job.begin is not None else self._find(batch, job)
                    if head is not None:
                        _write(batch, job, head)
            except StoreError as error:
                job.error = error
        batch.insert()

    def committed(self, jobs: Sequence[Commit | Errand], /) -> None:
        """See Tables.committed."""
        for job in jobs:
            if isinstance(job, Errand):
                if job.run is not None:
                    self._heads.pop(job.run, None)  # it may have been claimed: whatever has this id now is meant
            elif job.status is not None and job.status[0] != "running":
                self._heads.pop(job.run, None)
                self._lineages.drop(job.run)
            elif job.head is not None:
                self._heads[job.run] = job.head
                self._lineages.keep(job.run, job.versions)

    def forget(self, jobs: Sequence[Commit | Errand], /) -> None:
        """See Tables.forget."""
        for job in jobs:
            known = self._heads.get(job.run) if job.run is not None else None
            if job.run is not None and known is not None:
                self._heads[job.run] = Head(known.n, UNKNOWN)

    def _begin(self, batch: _Batch, commit: Commit) -> Head | None:
        """Make a run's row; None if this very commit made it before."""
        info, cursor = commit.begin, batch.cursor
        assert info is not None  # noqa: S101 - for the type checker: the caller looked
        there = batch.ahead.get(commit.run) or head_of(cursor, commit.run)
        if there is not None:
            if commit.in_doubt and self._made_before(batch, commit, there):
                return None
            raise RunExists(commit.run, self._path)
        self._find_sources(batch, commit)
        n = _insert_run(cursor, info)
        if commit.claim is not None:
            leases.begin(cursor, n, commit.claim)
        return Head(n, 0)

    def _find(self, batch: _Batch, commit: Commit) -> Head | None:
        """Find where a commit goes; None if it is there already."""
        head = batch.ahead.get(commit.run) or self._heads.get(commit.run)
        # Our own last word is enough where the insert itself will notice a stranger's.
        if (
            head is None
            or head.seq != commit.after
            or not commit.rows
            or commit.taking
            or commit.sources
            or commit.fence == 0
        ):
            head = self._look(batch, commit)
        if head.seq != commit.after:
            # Without a fence, another driver may have written the same at the same time: only the writer's own retry
            # can tell.
            if (commit.in_doubt or commit.fence is not None) and self._made_before(batch, commit, head):
                return None
            raise JournalConflict(commit.run, commit.after, head.seq)
        if commit.taking:
            messages.check(batch.cursor, commit.run, head.n, commit.taking)
        self._find_sources(batch, commit)
        return head

    def _look(self, batch: _Batch, commit: Commit) -> Head:
        """Ask the file where a journal stands and whether it may be written to."""
        batch.insert()
        head = head_of(batch.cursor, commit.run)
        if head is None:
            raise RunNotFound(commit.run, self._path)
        if commit.fence is not None:
            lease = leases.fence_of(batch.cursor, head.n)
            known = batch.ahead.get(commit.run) or self._heads.get(commit.run, head)
            # Another number: the run that this process drove was removed, and its id given to a new one.
            if lease.fence != commit.fence or commit.fence < 1 or known.n != head.n:
                raise StaleFence(commit.run, commit.fence, lease.fence, lease.driver)
        return head

    def _find_sources(self, batch: _Batch, commit: Commit) -> None:
        for source in commit.sources:
            if source not in batch.ahead and head_of(batch.cursor, source) is None:
                raise RunNotFound(source, self._path)

    def _made_before(self, batch: _Batch, commit: Commit, head: Head) -> bool:
        """Say whether this very commit is in the file, and if so remember it: its reply was lost (D7)."""
        last = commit.after + len(commit.rows)
        if not commit.rows or head.seq < last or (commit.begin is not None and head.seq != last):
            return False
        batch.insert()  # it may be one of this transaction's own, submitted twice
        try:
            values = reading.Values(batch.cursor.connection, head.n)
            entries = values.entries(commit.after, len(commit.rows))
        except ValueError as error:
            raise StoreDamaged(self._path, str(error)) from error
        if any(entry.at != commit.at for entry in entries):
            return False
        if [encode(entry.fact) for entry in entries] != [encode(fact) for fact in commit.facts]:
            return False
        if not messages.taken_by(batch.cursor, head.n, commit.taking, last):
            return False
        if commit.claim is not None and not _first_lease(leases.fence_of(batch.cursor, head.n), commit.claim):
            return False
        commit.head = batch.ahead[commit.run] = head
        return True


class _Batch:
    """What one transaction has come to so far."""

    __slots__ = ("ahead", "blobs", "cursor", "facts", "fenced")

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.cursor = cursor
        self.ahead: dict[RunId, Head] = {}
        self.facts: list[tuple[object, ...]] = []
        self.fenced: list[tuple[object, ...]] = []
        self.blobs: list[tuple[str, str]] = []

    def insert(self) -> None:
        """Insert what came together so far, each kind with one call."""
        if self.facts:
            self.cursor.executemany(_INSERT_FACT, self.facts)
            self.facts.clear()
        if self.fenced:
            self.cursor.executemany(_INSERT_FENCED, self.fenced)
            self.fenced.clear()
        if self.blobs:
            self.cursor.executemany(_INSERT_BLOB, self.blobs)
            self.blobs.clear()


def _write(batch: _Batch, commit: Commit, head: Head) -> None:
    """Write what was checked."""
    cursor, n = batch.cursor, head.n
    key = n * SPAN
    if commit.fence is None:
        batch.facts += [(key, *row) for row in commit.rows]
    else:
        batch.fenced += [(key, n, commit.fence, *row) for row in commit.rows]
    batch.blobs += commit.blobs
    commit.head = batch.ahead[commit.run] = head = Head(n, commit.after + len(commit.rows))
    if commit.status is not None:
        cursor.execute(_SET_STATUS, (*commit.status, commit.wake, n))
        if commit.status[0] != "running":
            leases.give_back(cursor, n)
        if commit.status[0] in DONE_WITH:
            drafts.forget(cursor, n)
    if commit.graph is not None:
        cursor.execute(_SET_GRAPH, (*commit.graph, n))
    if commit.snapshot is not None:
        cursor.execute(_SET_SNAPSHOT, (n, head.seq, *commit.snapshot))
    if commit.definition is not None:
        cursor.execute(_INSERT_DEFINITION, (commit.definition, n))
    for source in commit.sources:
        cursor.execute(_INSERT_SOURCE, (n, source))
    if commit.taking:
        messages.take(cursor, commit.taking, head.seq)
    if commit.dropping:
        drafts.drop(cursor, n, commit.dropping)


def _insert_run(cursor: sqlite3.Cursor, info: RunInfo) -> int:
    row = (info.id, info.graph, info.fingerprint, info.status, info.target, info.created, info.error, info.parent)
    cursor.execute(_INSERT_RUN, row)
    return cursor.lastrowid or 0


def begin(cursor: sqlite3.Cursor, commit: Commit) -> int:
    """Write a run that is not there yet, as the errand of a transaction; return its number in the file."""
    assert commit.begin is not None  # noqa: S101 - for the type checker: what begins has a beginning
    n = _insert_run(cursor, commit.begin)
    batch = _Batch(cursor)
    _write(batch, commit, Head(n, 0))
    batch.insert()
    return n


def _first_lease(lease: Lease, claim: Claim) -> bool:
    """Say whether a lease is the one that a run began with, given back or not."""
    return lease.fence == 1 and lease.driver in {None, claim.driver}


def head_of(cursor: sqlite3.Cursor, run: RunId) -> Head | None:
    """Look up where a run's journal stands; None if there is no such run."""
    row = cursor.execute(_FIND_HEAD, (run,)).fetchone()
    return Head(*row) if row is not None else None


def place(text: str) -> tuple[str | None, str | None, list[tuple[str, str]]]:
    """Say where a text goes: in the row itself, or in `blobs`. Returns value, blob and the blobs to insert."""
    if len(text) <= LARGE // 4 or len(text.encode()) <= LARGE:
        return text, None, []
    digest = sha256(text.encode()).hexdigest()
    return None, digest, [(digest, text)]
