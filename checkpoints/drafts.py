"""What interrupted questions had come to, as SQL inside the writer's transaction (M10).

The table is made when the first draft is kept, so that a store of steps that ask nobody has no page for it. Its rows
belong to no history: they are gone with the commit that makes them useless, and another version of this package may
overlook them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from graphrt.checkpoints import leases
from graphrt.errors import RunNotFound, StaleFence
from graphrt.journal import DraftKey
from graphrt.types import RunId, StepKey

_TABLE = """
CREATE TABLE IF NOT EXISTS drafts (
    run INTEGER NOT NULL,
    step TEXT NOT NULL,
    question TEXT NOT NULL,
    n INTEGER NOT NULL, -- the order in which it was kept
    text TEXT NOT NULL, -- the model's own: what it needs to go on
    PRIMARY KEY (run, step, question, n)
) STRICT, WITHOUT ROWID
"""
_THERE = "SELECT 1 FROM sqlite_schema WHERE name = 'drafts'"
_FIND = "SELECT n FROM runs WHERE id = ?"
_KEEP = """
INSERT INTO drafts (run, step, question, n, text)
SELECT ?1, ?2, ?3, 1 + coalesce(max(n), 0), ?4 FROM drafts WHERE run = ?1 AND step = ?2 AND question = ?3
"""
_READ = "SELECT question, text FROM drafts WHERE run = ? AND step = ? ORDER BY question, n"
_DROP = "DELETE FROM drafts WHERE run = ?1 AND step = ?2 AND question = coalesce(?3, question)"
_FORGET = "DELETE FROM drafts WHERE run = ?"


def keep(  # noqa: PLR0917 - a draft, and where it is kept
    cursor: sqlite3.Cursor, path: str, run: RunId, draft: DraftKey, text: str, fence: int
) -> None:
    """See Journal.keep_draft."""
    row = cursor.execute(_FIND, (run,)).fetchone()
    if row is None:
        raise RunNotFound(run, path)
    lease = leases.fence_of(cursor, row[0])
    if lease.fence != fence or fence < 1:
        raise StaleFence(run, fence, lease.fence, lease.driver)
    cursor.execute(_TABLE)
    cursor.execute(_KEEP, (row[0], *draft, text))


def read(connection: sqlite3.Connection, path: str, run: RunId, step: StepKey) -> dict[str, tuple[str, ...]]:
    """See Journal.drafts."""
    row = connection.execute(_FIND, (run,)).fetchone()
    if row is None:
        raise RunNotFound(run, path)
    found: dict[str, tuple[str, ...]] = {}
    if connection.execute(_THERE).fetchone():
        for question, text in connection.execute(_READ, (row[0], step)):
            found[question] = (*found.get(question, ()), text)
    return found


def drop(cursor: sqlite3.Cursor, n: int, dropping: Sequence[DraftKey]) -> None:
    """Remove drafts of run `n`."""
    if cursor.execute(_THERE).fetchone():
        cursor.executemany(_DROP, [(n, *draft) for draft in dropping])


def forget(cursor: sqlite3.Cursor, n: int) -> None:
    """Remove all drafts of run `n`."""
    if cursor.execute(_THERE).fetchone():
        cursor.execute(_FORGET, (n,))
