"""Retention: runs that ended long ago are removed, and nothing that anybody still needs.

What goes is decided by a pure function over what is there; the same is asked again inside the transaction that removes
it, so a run that was taken up meanwhile stays. A run goes in two steps. Its row, and with it its snapshot, its messages
and its lease, goes at once: from then on it is not there. Its entries follow in transactions of a thousand rows, which
others' commits come in between; interrupted, what is left of them is nobody's, and the next `prune` removes it. A large
value goes in the transaction that removes its last user.

Definitions of graphs stay: they are small, and a run that was rewound needs those of its past."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from graphrt.checkpoints import drafts
from graphrt.checkpoints.schema import SPAN
from graphrt.checkpoints.size import Entries, blobs_of, entries_of
from graphrt.checkpoints.sqlite import SqliteJournal
from graphrt.errors import UsageError, who
from graphrt.lease import is_dead
from graphrt.types import ENDED, RunId, Status

ROWS = 1000
"""Entries that one transaction removes at most."""

RUNS = 50
"""Runs that one transaction removes at most."""

_STANDING = """
SELECT runs.n, runs.id, runs.status, coalesce(last.at, runs.created), leases.driver, leases.until
FROM runs LEFT JOIN leases ON leases.run = runs.n LEFT JOIN facts AS last ON last.n =
    (SELECT max(n) FROM facts WHERE n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295)
"""
_LEFT_OVER = """
WITH RECURSIVE seen (run) AS (
    SELECT min(n) >> 32 FROM facts
    UNION ALL
    SELECT (SELECT min(n) >> 32 FROM facts WHERE n >= (seen.run + 1) << 32) FROM seen WHERE seen.run IS NOT NULL
)
SELECT run FROM seen WHERE run IS NOT NULL AND run NOT IN (SELECT n FROM runs)
"""
# So that the highest number ever given is known when its run is gone.
_REMEMBER = (
    "INSERT INTO leases (run, fence) SELECT n, 0 FROM runs WHERE true ORDER BY n DESC LIMIT 1 ON CONFLICT DO NOTHING"
)
_DROP_LEASES = "DELETE FROM leases WHERE run NOT IN (SELECT n FROM runs) AND run < (SELECT max(run) FROM leases)"
_INDEX = "CREATE INDEX IF NOT EXISTS facts_blobs ON facts (blob) WHERE blob IS NOT NULL"
_DROP_BLOB = "DELETE FROM blobs WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM facts WHERE blob = ?1)"


class Standing(NamedTuple):
    """What decides whether a run may go."""

    n: int
    run: RunId
    status: Status
    updated: float
    """When its last entry was written, in seconds since the epoch."""
    driver: str | None
    until: float | None


@dataclass(frozen=True, slots=True)
class Criteria:
    """What may go: runs that ended as one of `statuses` says, before `before`, and are not among the `keep` newest of
    these."""

    before: float
    statuses: frozenset[Status]
    keep: int
    now: float


@dataclass(frozen=True, slots=True)
class Removed:
    """A run that went, or would go."""

    run: str
    status: str
    entries: int
    bytes: int
    """About: of its entries, without large values."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A run that is old enough to go and stays, and why."""

    run: str
    why: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a `prune` did, or would do."""

    removed: tuple[Removed, ...]
    kept: tuple[Kept, ...]
    bytes: int
    """About what is free now, or would be, in the file: `vacuum` gives it back."""
    left_over: int
    """Runs removed before whose entries were still there, because that was interrupted."""
    dry: bool


async def prune(
    journal: SqliteJournal,
    *,
    before: float,
    statuses: Collection[Status] = ENDED,
    keep: int = 0,
    dry: bool = False,
    said: Callable[[int], None] = lambda _: None,
) -> Pruned:
    """Remove the runs that ended before `before`, in seconds since the epoch; with `dry`, only say which.

    Never touched: a run that has not ended or is being driven, and one whose entries a fork shares that stays. Others
    may write meanwhile. `said` hears how many entries are gone so far. Raises UsageError for a status that is no end;
    StoreError. Interrupted, every run is there whole or not at all, and calling it again does the rest.
    """
    wrong = sorted(set(statuses) - ENDED)
    if wrong or keep < 0:
        what = f"a run that is {wrong[0]} has not ended" if wrong else f"{keep} runs cannot be kept"
        raise UsageError(f"{what}: prune takes statuses of {', '.join(sorted(ENDED))}, and keep from 0 on")
    criteria = Criteria(before, frozenset(statuses), keep, time.time())
    plan = await journal._read(_plan, criteria)
    if dry:
        return plan.pruned(plan.victims, plan.kept, dry=True)
    gone: list[Standing] = []
    kept = list(plan.kept)
    for batch in _batches(plan.victims):
        removed, stayed = await journal._ask(None, partial(_remove, batch=batch, criteria=criteria))
        gone += removed
        kept += stayed
    rest = await journal._read(_left_over)
    total = 0
    while rest:
        swept, done = await journal._ask(None, partial(_sweep, rest=rest))
        rest = rest[done:]
        total += swept
        said(total)
    unused = [digest for digest, (_, users) in plan.blobs.items() if not users]
    if unused:
        await journal._ask(None, partial(_drop_blobs, digests=unused))
    return plan.pruned(gone, kept, dry=False)


@dataclass(frozen=True, slots=True)
class _Plan:
    victims: tuple[Standing, ...]
    kept: tuple[Kept, ...]
    entries: dict[int, Entries]
    left_over: tuple[int, ...]
    blobs: dict[str, tuple[int, frozenset[int]]]

    def pruned(self, victims: Sequence[Standing], kept: Sequence[Kept], *, dry: bool) -> Pruned:
        numbers = {victim.n for victim in victims} | set(self.left_over)
        none = Entries(0, 0)
        return Pruned(
            removed=tuple(
                Removed(one.run, one.status, *self.entries.get(one.n, none))
                for one in sorted(victims, key=lambda one: one.n)
            ),
            kept=tuple(sorted(kept, key=lambda one: one.run)),
            bytes=sum(self.entries.get(n, none).bytes for n in numbers)
            + sum(size for size, users in self.blobs.values() if users <= numbers),
            left_over=len(self.left_over),
            dry=dry,
        )


def choose(
    runs: Sequence[Standing],
    forks: Iterable[tuple[int, int]],
    criteria: Criteria,
    dead: Callable[[str], bool] = is_dead,
) -> tuple[list[Standing], list[Kept]]:
    """Decide which runs go, newest numbers first, and which stay although they are old enough.

    `forks`: pairs of a run that shares entries and the run that holds them.
    """
    ended = sorted((run for run in runs if run.status in criteria.statuses), key=lambda run: (-run.updated, -run.n))
    old = {run.n: run for run in ended if run.updated < criteria.before}
    kept = [Kept(run.run, f"it is among the newest {criteria.keep}") for run in ended[: criteria.keep] if run.n in old]
    for run in ended[: criteria.keep]:
        old.pop(run.n, None)
    for run in list(old.values()):
        if _is_driven(run, criteria.now, dead):
            kept.append(Kept(run.run, f"it is being driven by {who(run.driver or '')}"))
            del old[run.n]
    names = {run.n: run.run for run in runs}
    shared: dict[int, list[int]] = {}
    for fork, source in forks:
        shared.setdefault(source, []).append(fork)
    staying = deque(names.keys() - old.keys())
    sources: dict[int, list[int]] = {}
    for source, by in shared.items():
        for fork in by:
            sources.setdefault(fork, []).append(source)
    while staying:
        fork = staying.popleft()
        for source in sources.get(fork, ()):
            if old.pop(source, None) is not None:
                kept.append(Kept(names[source], f"its fork {names[fork]} shares its entries"))
                staying.append(source)
    return sorted(old.values(), key=lambda run: -run.n), kept


def _is_driven(run: Standing, now: float, dead: Callable[[str], bool]) -> bool:
    return run.driver is not None and (run.until or 0.0) > now and not dead(run.driver)


def _plan(connection: sqlite3.Connection, path: str, criteria: Criteria) -> _Plan:
    runs = [Standing(*row) for row in connection.execute(_STANDING).fetchall()]
    forks = connection.execute("SELECT run, source FROM forks").fetchall()
    victims, kept = choose(runs, forks, criteria)
    blobs = {digest: (blob.bytes, blob.users) for digest, blob in blobs_of(connection).items()}
    return _Plan(tuple(victims), tuple(kept), entries_of(connection), tuple(_left_over(connection, path)), blobs)


def _left_over(connection: sqlite3.Connection, path: str) -> list[int]:
    del path
    return [n for (n,) in connection.execute(_LEFT_OVER)]


def _batches(victims: Sequence[Standing]) -> Iterable[Sequence[Standing]]:
    for begin in range(0, len(victims), RUNS):
        yield victims[begin : begin + RUNS]


def _remove(cursor: sqlite3.Cursor, batch: Sequence[Standing], criteria: Criteria) -> tuple[list[Standing], list[Kept]]:
    """Remove runs, but for their entries; look again first, for the plan is from a moment ago."""
    gone: list[Standing] = []
    kept: list[Kept] = []
    cursor.execute(_REMEMBER)
    for planned in batch:
        row = cursor.execute(f"{_STANDING} WHERE runs.n = ?", (planned.n,)).fetchone()
        if row is None:
            continue
        found = Standing(*row)
        fork = cursor.execute(
            "SELECT runs.id FROM forks JOIN runs ON runs.n = forks.run WHERE forks.source = ?", (planned.n,)
        ).fetchone()
        if fork is not None:
            kept.append(Kept(planned.run, f"its fork {fork[0]} shares its entries"))
        elif (found.status, found.updated) != (planned.status, planned.updated) or _is_driven(
            found, criteria.now, is_dead
        ):
            kept.append(Kept(planned.run, "it was taken up meanwhile"))
        else:
            for table in ("forks", "snapshots"):
                cursor.execute(f"DELETE FROM {table} WHERE run = ?", (planned.n,))  # noqa: S608 - a constant
            drafts.forget(cursor, planned.n)
            cursor.execute("DELETE FROM runs WHERE n = ?", (planned.n,))
            gone.append(planned)
    if gone:
        marks = ", ".join("?" * len(gone))
        cursor.execute(f"DELETE FROM messages WHERE run IN ({marks})", [run.n for run in gone])  # noqa: S608 - marks
        cursor.execute(_DROP_LEASES)
    return gone, kept


def _sweep(cursor: sqlite3.Cursor, rest: Sequence[int]) -> tuple[int, int]:
    """Remove at most `ROWS` entries of runs that are gone, and the large values that nobody else uses. Returns how many
    entries, and of how many runs nothing is left."""
    removed = done = 0
    blobs: set[str] = set()
    for n in rest:
        rows = cursor.execute(
            "SELECT n, blob FROM facts WHERE n >= ? AND n < ? ORDER BY n LIMIT ?",
            (n * SPAN, (n + 1) * SPAN, ROWS - removed),
        ).fetchall()
        if rows:
            cursor.execute("DELETE FROM facts WHERE n >= ? AND n <= ?", (rows[0][0], rows[-1][0]))
        removed += len(rows)
        blobs.update(blob for _, blob in rows if blob is not None)
        if removed >= ROWS:
            break
        done += 1
    _drop_blobs(cursor, sorted(blobs))
    return removed, done


def _drop_blobs(cursor: sqlite3.Cursor, digests: Sequence[str]) -> None:
    """Remove the large values that no entry uses. The first time, the file gets the index that tells."""
    if digests:
        cursor.execute(_INDEX)
        cursor.executemany(_DROP_BLOB, [(digest,) for digest in digests])
