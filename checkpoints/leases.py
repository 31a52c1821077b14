"""Who drives a run: its lease, as SQL inside the writer's transaction (D7).

A lease is one row, made with a run's first claim and kept while the run is there. Its fence only grows, and
the check of a commit's fence is in the same transaction as its rows, so nothing can come between the two: interrupted
anywhere, a claim was made or was not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from graphrt.errors import RunNotFound, RunTaken
from graphrt.journal import Claim, Renewal, free
from graphrt.types import RunId

_FIND = """
SELECT runs.n, coalesce(leases.fence, 0), leases.driver, leases.until
FROM runs LEFT JOIN leases ON leases.run = runs.n WHERE runs.id = ?
"""
_TAKE = (
    "INSERT INTO leases (run, driver, fence, until) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (run) DO UPDATE SET driver = excluded.driver, fence = excluded.fence, until = excluded.until"
)
_RENEW = """
UPDATE leases SET until = ?
WHERE driver = ? AND run IN (SELECT n FROM runs WHERE status IN ('running', 'suspended'))
RETURNING (SELECT id FROM runs WHERE n = leases.run), fence
"""
_MAIL = """
SELECT DISTINCT runs.id FROM runs JOIN leases ON leases.run = runs.n JOIN messages ON messages.run = runs.n
WHERE runs.status IN ('running', 'suspended') AND leases.driver = ? AND messages.taken IS NULL
"""
_RELEASE = "UPDATE leases SET driver = NULL, until = NULL WHERE run = (SELECT n FROM runs WHERE id = ?) AND fence = ?"
_FENCE = "SELECT fence, driver FROM leases WHERE run = ?"
_GIVE_BACK = "UPDATE leases SET driver = NULL, until = NULL WHERE run = ? AND driver IS NOT NULL"


class Lease(NamedTuple):
    """What a commit is checked against."""

    fence: int
    driver: str | None


def begin(cursor: sqlite3.Cursor, n: int, claim: Claim) -> None:
    """Give a new run its first lease."""
    cursor.execute(_TAKE, (n, claim.driver, 1, claim.until))


def fence_of(cursor: sqlite3.Cursor, n: int) -> Lease:
    """Look up under which fence a run may be written to: 0 if nobody ever claimed it."""
    row = cursor.execute(_FENCE, (n,)).fetchone()
    return Lease(*row) if row is not None else Lease(0, None)


def give_back(cursor: sqlite3.Cursor, n: int) -> None:
    """End a run's lease, whoever has it."""
    cursor.execute(_GIVE_BACK, (n,))


def claim_run(  # noqa: PLR0917 - a claim, and where it is made
    cursor: sqlite3.Cursor, path: str, run: RunId, claim: Claim, at: float, dead: Callable[[str], bool]
) -> int:
    """See Journal.claim."""
    row = cursor.execute(_FIND, (run,)).fetchone()
    if row is None:
        raise RunNotFound(run, path)
    n, fence, driver, until = row
    if not free(driver, until, claim, at, dead):
        raise RunTaken(run, driver, until - at)
    cursor.execute(_TAKE, (n, claim.driver, fence + 1, claim.until))
    return int(fence) + 1


def renew_all(cursor: sqlite3.Cursor, driver: str, until: float) -> Renewal:
    """See Journal.renew."""
    held = dict(cursor.execute(_RENEW, (until, driver)).fetchall())
    return Renewal(held, frozenset(run for (run,) in cursor.execute(_MAIL, (driver,))) if held else frozenset())


def release_run(cursor: sqlite3.Cursor, run: RunId, fence: int) -> None:
    """See Journal.release."""
    cursor.execute(_RELEASE, (run, fence))
