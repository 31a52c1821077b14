"""How a commit becomes rows: the SQL of the hot path, and the check that nobody else wrote (D1, D7).

The usual commit is one insert. Whether a journal stands where its driver thinks is known from this process's own last
commit, and if another process wrote since, the insert meets that one's entries and fails on their key; only then, and
for a run seen for the first time, is there a query. Everything here runs inside the writer's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from graphrt.checkpoints.codec import COLUMNS
from graphrt.checkpoints.lineages import Lineages, Version
from graphrt.errors import JournalConflict, RunExists, RunNotFound
from graphrt.journal import RunInfo
from graphrt.types import RunId, Status

SPAN = 1 << 32
"""Entries a run can have: a fact's key is `run * SPAN + seq`."""

LARGE = 4096
"""Bytes beyond which a text is stored once, by its hash, whatever run it belongs to."""

_INSERT_FACT = (
    f"INSERT INTO facts (n, at, base, blob, {', '.join(COLUMNS)}) "  # noqa: S608 - names from a constant
    f"VALUES (? + ?, ?, ?, ?, {', '.join('?' * len(COLUMNS))})"
)
_INSERT_RUN = "INSERT INTO runs (id, graph, fingerprint, status, target, created, error) VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_BLOB = "INSERT INTO blobs (hash, text) VALUES (?, ?) ON CONFLICT DO NOTHING"
_SET_STATUS = "UPDATE runs SET status = ?, error = ? WHERE n = ?"
_SET_SNAPSHOT = (
    "INSERT INTO snapshots (run, seq, value, anchors) VALUES (?, ?, ?, ?) ON CONFLICT (run) DO UPDATE "
    "SET seq = excluded.seq, value = excluded.value, anchors = excluded.anchors"
)
_FIND_HEAD = """
SELECT n, 4294967295 & coalesce(
    (SELECT max(facts.n) FROM facts WHERE facts.n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295), 0)
FROM runs WHERE id = ?
"""


class Head(NamedTuple):
    """Where a journal stands: the run's number in this file, and its last entry."""

    n: int
    seq: int


@dataclass(slots=True, eq=False)
class Commit:
    """One call of `create` or `append`, encoded."""

    run: RunId
    after: int
    rows: list[tuple[object, ...]] = field(default_factory=list)
    """One for each fact: seq, at, base, blob, and its columns."""
    blobs: list[tuple[str, str]] = field(default_factory=list)
    begin: RunInfo | None = None
    status: tuple[Status, str | None] | None = None
    snapshot: tuple[str, str | None] | None = None
    """The state and its anchors, as JSON."""
    versions: dict[str, Version] = field(default_factory=dict)
    """What its lineages will be once it is committed."""
    size: int = 0
    error: BaseException | None = None
    head: Head | None = None


class StoreTables:
    """Writes commits, and knows where the journals stand that this process writes."""

    def __init__(self, path: str, lineages: Lineages) -> None:
        self._path = path
        self._lineages = lineages
        self._heads: dict[RunId, Head] = {}

    def write(self, cursor: sqlite3.Cursor, commits: Sequence[Commit], /) -> None:
        """See Tables.write."""
        ahead: dict[RunId, Head] = {}
        facts: list[tuple[object, ...]] = []
        blobs: list[tuple[str, str]] = []
        for commit in commits:
            head = self._begin(cursor, commit, ahead) if commit.begin is not None else self._find(cursor, commit, ahead)
            if head is None:
                continue
            n = head.n
            key = n * SPAN
            facts += [(key, *row) for row in commit.rows]
            blobs += commit.blobs
            commit.head = ahead[commit.run] = Head(n, commit.after + len(commit.rows))
            if commit.status is not None:
                cursor.execute(_SET_STATUS, (*commit.status, n))
            if commit.snapshot is not None:
                cursor.execute(_SET_SNAPSHOT, (n, commit.head.seq, *commit.snapshot))
        try:
            cursor.executemany(_INSERT_FACT, facts)
        except sqlite3.IntegrityError:
            # Another process wrote to one of these runs. The writer tries each again on its own, with a fresh look.
            for commit in commits:
                self._heads.pop(commit.run, None)
            raise
        if blobs:
            cursor.executemany(_INSERT_BLOB, blobs)

    def committed(self, commits: Sequence[Commit], /) -> None:
        """See Tables.committed."""
        for commit in commits:
            if commit.status is not None and commit.status[0] != "running":
                self._heads.pop(commit.run, None)
                self._lineages.drop(commit.run)
            elif commit.head is not None:
                self._heads[commit.run] = commit.head
                self._lineages.keep(commit.run, commit.versions)

    def _begin(self, cursor: sqlite3.Cursor, commit: Commit, ahead: dict[RunId, Head]) -> Head | None:
        info = commit.begin
        assert info is not None  # noqa: S101 - for the type checker: the caller looked
        row = (info.id, info.graph, info.fingerprint, info.status, info.target, info.created, info.error)
        if commit.run in ahead or cursor.execute("SELECT 1 FROM runs WHERE id = ?", (info.id,)).fetchone():
            commit.error = RunExists(commit.run, self._path)
            return None
        cursor.execute(_INSERT_RUN, row)
        return Head(cursor.lastrowid or 0, 0)

    def _find(self, cursor: sqlite3.Cursor, commit: Commit, ahead: dict[RunId, Head]) -> Head | None:
        head = ahead.get(commit.run)
        if head is None:
            head = self._heads.get(commit.run)
            # Our own last word is enough where the insert itself will notice a stranger's.
            if head is None or head.seq < commit.after or not commit.rows:
                row = cursor.execute(_FIND_HEAD, (commit.run,)).fetchone()
                head = Head(*row) if row else None
        if head is None:
            commit.error = RunNotFound(commit.run, self._path)
        elif head.seq != commit.after:
            commit.error = JournalConflict(commit.run, commit.after, head.seq)
            return None
        return head


def place(text: str) -> tuple[str | None, str | None, list[tuple[str, str]]]:
    """Say where a text goes: in the row itself, or in `blobs`. Returns value, blob and the blobs to insert."""
    if len(text) <= LARGE // 4 or len(text.encode()) <= LARGE:
        return text, None, []
    digest = sha256(text.encode()).hexdigest()
    return None, digest, [(digest, text)]
