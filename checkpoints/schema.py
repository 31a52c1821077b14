"""The tables of a store and how they came about: named migrations, applied once (D13).

Interrupted anywhere, an upgrade has not happened: all pending migrations, their records and the file's version number
are one transaction. The version number tells an up-to-date file without asking for the migrations, so that opening
one needs no sqlite-utils and costs nothing.

`facts` is keyed by one integer, `run << 32 | seq`, of which `run` and `seq` are virtual columns. A table keyed by the
pair WITHOUT ROWID is an index b-tree, whose cells may use only a quarter of a page: measured with values of 1 KiB it
took 3.4 times the file and twice the time, because each value sat on an overflow page of its own.

The number of a run is never given to another one: a process that was away while its run was removed must not write
into somebody else's. So the lease with the highest number outlives its run. Every table and every index takes a page of
4 KiB, which is why there are no more of them: the leases of a driver are found through the unfinished runs, and
sqlite-utils needs no index to find one of a handful of migrations.

`runs` holds nothing that changes with each commit: where a journal stands and when it was last written is its last
fact, found by one look-up. So the usual commit is an insert into one table and writes one page."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from graphrt.errors import StoreDamaged, StoreTooNew

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

APPLICATION = 0x67727274
"""The file's application id: `grrt` in ASCII."""

SPAN = 1 << 32
"""Entries a run can have: a fact's key is `run * SPAN + seq`."""

NAMES = ("journal_tables", "readable_views", "leases_and_messages", "fewer_indexes")
"""The migrations, in their order. A file's version is how many of them it has seen."""

VERSION = len(NAMES)

_TABLES = """
CREATE TABLE runs (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    graph TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL,
    target TEXT,
    created REAL NOT NULL,
    error TEXT
) STRICT;
CREATE TABLE facts (
    n INTEGER PRIMARY KEY, -- run << 32 | seq
    kind TEXT NOT NULL,
    at REAL NOT NULL,      -- seconds since the epoch
    step TEXT,
    attempt INTEGER,
    value TEXT,            -- JSON; a patch if `base` is set; in `blobs` if `blob` is set
    base INTEGER,          -- seq of the fact whose value the patch applies to
    blob TEXT,             -- sha256 of a large text
    type TEXT,
    lineage TEXT,
    note TEXT,             -- JSON
    error TEXT,            -- JSON
    detail TEXT,           -- JSON
    run INTEGER GENERATED ALWAYS AS (n >> 32) VIRTUAL,
    seq INTEGER GENERATED ALWAYS AS (n & 4294967295) VIRTUAL
) STRICT;
CREATE TABLE blobs (
    hash TEXT PRIMARY KEY, -- sha256 of `text`
    text TEXT NOT NULL
) STRICT;
CREATE TABLE snapshots (
    run INTEGER PRIMARY KEY REFERENCES runs (n),
    seq INTEGER NOT NULL,
    value TEXT NOT NULL,   -- JSON: the folded state after `seq`
    anchors TEXT           -- JSON: lineage to [seq, start, length], where its newest value stands in `value`
) STRICT;
"""

_VIEWS = """
CREATE VIEW journal AS
SELECT
    runs.id AS run,
    facts.n & 4294967295 AS seq,
    strftime('%Y-%m-%d %H:%M:%f', facts.at, 'unixepoch') AS at,
    facts.kind,
    facts.step,
    facts.attempt,
    coalesce(facts.value, blobs.text) AS value,
    facts.base AS changes,
    facts.type,
    facts.note,
    facts.error,
    facts.detail
FROM runs
JOIN facts ON facts.n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295
LEFT JOIN blobs ON blobs.hash = facts.blob
ORDER BY facts.n;

CREATE VIEW steps AS
SELECT
    runs.id AS run,
    spans.step,
    spans.attempts,
    CASE last.kind WHEN 'started' THEN 'running' WHEN 'attempt failed' THEN 'retrying' ELSE last.kind END AS status,
    strftime('%Y-%m-%d %H:%M:%f', first.at, 'unixepoch') AS started,
    CASE WHEN last.kind IN ('finished', 'failed', 'cancelled')
        THEN strftime('%Y-%m-%d %H:%M:%f', last.at, 'unixepoch') END AS finished,
    CASE WHEN last.kind IN ('finished', 'failed', 'cancelled') THEN round(last.at - first.at, 6) END AS seconds,
    CASE last.kind WHEN 'finished' THEN coalesce(last.value, blobs.text) END AS output,
    last.base AS changes,
    last.error
FROM (
    SELECT n >> 32 AS run, step, min(n) AS first, max(n) AS last, max(attempt) AS attempts
    FROM facts
    WHERE kind IN ('started', 'finished', 'attempt failed', 'failed', 'cancelled')
    GROUP BY 1, 2
) AS spans
JOIN runs ON runs.n = spans.run
JOIN facts AS first ON first.n = spans.first
JOIN facts AS last ON last.n = spans.last
LEFT JOIN blobs ON blobs.hash = last.blob
ORDER BY spans.first;

CREATE VIEW overview AS
SELECT
    runs.id AS run,
    runs.graph,
    runs.status,
    strftime('%Y-%m-%d %H:%M:%f', runs.created, 'unixepoch') AS created,
    strftime('%Y-%m-%d %H:%M:%f', coalesce(last.at, runs.created), 'unixepoch') AS updated,
    coalesce(last.n & 4294967295, 0) AS seq,
    runs.target,
    runs.error
FROM runs
LEFT JOIN facts AS last ON last.n =
    (SELECT max(n) FROM facts WHERE n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295)
ORDER BY runs.created DESC, runs.n DESC;
"""

_LEASES = """
CREATE TABLE leases (
    run INTEGER PRIMARY KEY,
    driver TEXT,            -- NULL: given back
    fence INTEGER NOT NULL, -- one more with every claim
    until REAL              -- seconds since the epoch
) STRICT;
CREATE INDEX leases_held ON leases (driver) WHERE driver IS NOT NULL;
CREATE TABLE messages (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE, -- the sender's
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT,              -- JSON
    at REAL NOT NULL,
    taken INTEGER            -- the last entry of the commit that used it up
) STRICT;
CREATE INDEX messages_waiting ON messages (run) WHERE taken IS NULL;
CREATE TABLE definitions (
    fingerprint TEXT PRIMARY KEY,
    definition TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;
CREATE TABLE forks (
    source INTEGER NOT NULL REFERENCES runs (n), -- whose entries are shared
    run INTEGER NOT NULL,                        -- by whom
    PRIMARY KEY (source, run)
) STRICT, WITHOUT ROWID;
ALTER TABLE runs ADD COLUMN wake REAL; -- when a suspended run has something to do without being asked
ALTER TABLE runs ADD COLUMN parent TEXT;
CREATE INDEX runs_unfinished ON runs (status) WHERE status IN ('running', 'suspended');
DROP VIEW steps;
CREATE VIEW steps AS
SELECT
    runs.id AS run,
    spans.step,
    spans.attempts,
    CASE last.kind WHEN 'started' THEN 'running' WHEN 'attempt failed' THEN 'retrying' ELSE last.kind END AS status,
    strftime('%Y-%m-%d %H:%M:%f', first.at, 'unixepoch') AS started,
    CASE WHEN last.kind IN ('finished', 'failed', 'cancelled')
        THEN strftime('%Y-%m-%d %H:%M:%f', last.at, 'unixepoch') END AS finished,
    CASE WHEN last.kind IN ('finished', 'failed', 'cancelled') THEN round(last.at - first.at, 6) END AS seconds,
    CASE last.kind WHEN 'finished' THEN coalesce(last.value, blobs.text) END AS output,
    last.base AS changes,
    last.error
FROM (
    SELECT n >> 32 AS run, step, min(n) AS first, max(n) AS last, max(attempt) AS attempts
    FROM facts
    WHERE kind IN ('started', 'finished', 'attempt failed', 'failed', 'cancelled', 'waiting', 'unknown')
    GROUP BY 1, 2
) AS spans
JOIN runs ON runs.n = spans.run
JOIN facts AS first ON first.n = spans.first
JOIN facts AS last ON last.n = spans.last
LEFT JOIN blobs ON blobs.hash = last.blob
ORDER BY spans.first;
CREATE VIEW waiting AS
SELECT
    runs.id AS run,
    last.step,
    CASE last.kind WHEN 'unknown' THEN 'decision' ELSE json_extract(last.detail, '$.what') END AS waits_for,
    json_extract(last.detail, '$.name') AS name,
    strftime('%Y-%m-%d %H:%M:%f', json_extract(last.detail, '$.until'), 'unixepoch') AS due,
    json_extract(last.note, '$.question') AS question,
    strftime('%Y-%m-%d %H:%M:%f', last.at, 'unixepoch') AS since
FROM (
    SELECT max(facts.n) AS last
    FROM runs
    JOIN facts ON facts.n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295
    WHERE runs.status IN ('running', 'suspended')
        AND kind IN ('started', 'finished', 'attempt failed', 'failed', 'cancelled', 'waiting', 'unknown')
    GROUP BY runs.n, step
) AS spans
JOIN facts AS last ON last.n = spans.last
JOIN runs ON runs.n = last.n >> 32
WHERE last.kind IN ('waiting', 'unknown')
ORDER BY last.n;
CREATE VIEW inbox AS
SELECT
    runs.id AS run,
    messages.id AS message,
    messages.kind,
    messages.name,
    messages.value,
    strftime('%Y-%m-%d %H:%M:%f', messages.at, 'unixepoch') AS at
FROM messages
JOIN runs ON runs.n = messages.run
WHERE messages.taken IS NULL
ORDER BY messages.n;
DROP VIEW overview;
CREATE VIEW overview AS
SELECT
    runs.id AS run,
    runs.graph,
    runs.status,
    strftime('%Y-%m-%d %H:%M:%f', runs.created, 'unixepoch') AS created,
    strftime('%Y-%m-%d %H:%M:%f', coalesce(last.at, runs.created), 'unixepoch') AS updated,
    strftime('%Y-%m-%d %H:%M:%f', runs.wake, 'unixepoch') AS wake,
    leases.driver,
    strftime('%Y-%m-%d %H:%M:%f', leases.until, 'unixepoch') AS lease,
    coalesce(last.n & 4294967295, 0) AS seq,
    runs.parent,
    runs.target,
    runs.error
FROM runs
LEFT JOIN leases ON leases.run = runs.n
LEFT JOIN facts AS last ON last.n =
    (SELECT max(n) FROM facts WHERE n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295)
ORDER BY runs.created DESC, runs.n DESC;
"""

_FEWER = """
DROP INDEX leases_held;
DROP INDEX IF EXISTS idx__sqlite_migrations_migration_set_name;
"""


def migrations() -> Migrations:
    """Return the named migrations of this version."""
    from sqlite_utils import Migrations

    found = Migrations("graphrt")

    def journal_tables(db: Database) -> None:
        _run(db, _TABLES)

    def readable_views(db: Database) -> None:
        _run(db, _VIEWS)

    def leases_and_messages(db: Database) -> None:
        _run(db, _LEASES)

    def fewer_indexes(db: Database) -> None:
        _run(db, _FEWER)

    for name, function in zip(NAMES, (journal_tables, readable_views, leases_and_messages, fewer_indexes), strict=True):
        found(name=name)(function)
    return found


def check(connection: sqlite3.Connection, path: str) -> int:
    """Return how many migrations the file has seen; it is not changed. Raises StoreTooNew or StoreDamaged."""
    application, version = (_one(connection, f"PRAGMA {name}") for name in ("application_id", "user_version"))
    if application == 0 and version == 0 and _one(connection, "SELECT count(*) FROM sqlite_schema") == 0:
        return 0
    if application != APPLICATION:
        raise StoreDamaged(path, "it is the database of another application")
    if version > VERSION:
        raise StoreTooNew(path, f"its format is {version}, this one knows {VERSION}")
    return int(version)


def upgrade(connection: sqlite3.Connection, path: str) -> None:
    """Apply what is pending, all of it or nothing. Two processes may do so at once: the second finds it done."""
    from sqlite_utils import Database

    connection.execute("BEGIN IMMEDIATE")
    try:
        if check(connection, path) < VERSION:
            migrations().apply(Database(connection))
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _run(db: Database, script: str) -> None:
    """Execute a script statement by statement: `executescript` would commit the transaction it is part of."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""


def _one(connection: sqlite3.Connection, sql: str) -> Any:
    return connection.execute(sql).fetchone()[0]
