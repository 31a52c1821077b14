"""What takes up the room in a store: by table, by run, and what nobody would miss.

Only reads, in one moment; interrupted, nothing has happened. It looks at every entry once, so it takes as long as
reading the file does."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from graphrt.checkpoints.codec import COLUMNS
from graphrt.checkpoints.sqlite import SqliteJournal

ROW = 24
"""Bytes that a row takes beside its texts: its key, its time and the lengths of its columns."""

_TEXTS = " + ".join(
    f"coalesce(length(CAST({column} AS BLOB)), 0)" for column in ("blob", *(c for c in COLUMNS if c != "attempt"))
)
_ENTRIES = f"SELECT n >> 32, count(*), sum({ROW} + {_TEXTS}) FROM facts GROUP BY 1"  # noqa: S608 - names from constants
_RUNS = """
SELECT runs.n, runs.id, runs.graph, runs.status,
    coalesce(length(CAST(snapshots.value AS BLOB)) + coalesce(length(CAST(snapshots.anchors AS BLOB)), 0), 0)
FROM runs LEFT JOIN snapshots ON snapshots.run = runs.n ORDER BY runs.n
"""


class Entries(NamedTuple):
    """A run's entries: how many, and about how many bytes they take in their table."""

    number: int
    bytes: int


class Blob(NamedTuple):
    """A large text: its bytes, and the numbers of the runs that use it."""

    bytes: int
    users: frozenset[int]


@dataclass(frozen=True, slots=True)
class RunSize:
    """What one run takes, in bytes."""

    run: str
    graph: str
    status: str
    entries: int
    """How many."""
    facts: int
    """About: of its entries, without large values."""
    snapshot: int
    blobs: int
    """Of the large values that only it uses."""
    shared: int
    """Of the large values that other runs use too."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a store takes, in bytes."""

    path: str
    file: int
    log: int
    """The write-ahead log beside the file; 0 if nobody has the store open."""
    free: int
    """Pages in the file that hold nothing: the next commits use them, `vacuum` gives them back."""
    tables: Mapping[str, int]
    """With their indexes; empty where this SQLite cannot tell."""
    blobs: int
    """Large values, each once."""
    unused: int
    """Large values that no entry uses, and entries whose run was removed: `prune` removes them."""
    runs: tuple[RunSize, ...]
    """In the order in which they began."""


async def measure(journal: SqliteJournal) -> Size:
    """Say what takes up the room in a store. Raises StoreError if it cannot be read."""
    return await journal._read(_measure)


def _measure(connection: sqlite3.Connection, path: str) -> Size:
    entries, blobs = entries_of(connection), blobs_of(connection)
    own: dict[int, int] = {}
    shared: dict[int, int] = {}
    for blob in blobs.values():
        for user in blob.users:
            place = own if len(blob.users) == 1 else shared
            place[user] = place.get(user, 0) + blob.bytes
    runs = {}
    for n, run, graph, status, snapshot in connection.execute(_RUNS).fetchall():
        count, size = entries.get(n, Entries(0, 0))
        runs[n] = RunSize(run, graph, status, count, size, snapshot, own.get(n, 0), shared.get(n, 0))
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return Size(
        path=path,
        file=os.path.getsize(path),
        log=os.path.getsize(f"{path}-wal") if os.path.exists(f"{path}-wal") else 0,
        free=page * free,
        tables=_tables(connection),
        blobs=sum(blob.bytes for blob in blobs.values()),
        unused=sum(blob.bytes for blob in blobs.values() if not blob.users & runs.keys())
        + sum(found.bytes for n, found in entries.items() if n not in runs),
        runs=tuple(runs.values()),
    )


def entries_of(connection: sqlite3.Connection) -> dict[int, Entries]:
    """Weigh the entries of every run, by its number."""
    return {n: Entries(count, size) for n, count, size in connection.execute(_ENTRIES)}


def blobs_of(connection: sqlite3.Connection) -> dict[str, Blob]:
    """Weigh the large values, by their hashes."""
    users: dict[str, set[int]] = {}
    for n, digest in connection.execute("SELECT DISTINCT n >> 32, blob FROM facts WHERE blob IS NOT NULL"):
        users.setdefault(digest, set()).add(n)
    weights = connection.execute("SELECT hash, length(CAST(text AS BLOB)) FROM blobs")
    return {digest: Blob(size, frozenset(users.get(digest, ()))) for digest, size in weights}


def _tables(connection: sqlite3.Connection) -> dict[str, int]:
    owners = dict(connection.execute("SELECT name, tbl_name FROM sqlite_schema WHERE type IN ('table', 'index')"))
    found: dict[str, int] = {}
    try:
        pages = connection.execute("SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE").fetchall()
    except sqlite3.OperationalError:  # SQLite can be built without it
        return {}
    for name, size in pages:
        owner = owners.get(name, name)
        found[owner] = found.get(owner, 0) + size
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))
