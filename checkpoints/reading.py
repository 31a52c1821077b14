"""Queries: rows back into entries, with every value whole again (D5, D6).

Each function takes a query-only connection inside a read transaction and leaves no cursor open behind it. What the
file says is not taken on trust: a row that makes no fact, or a patch that does not fit, is a ValueError that becomes
StoreDamaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json

from graphrt.checkpoints.codec import COLUMNS, Columns, decode
from graphrt.checkpoints.delta import patch, replay
from graphrt.checkpoints.lineages import Version, weight
from graphrt.checkpoints.messages import COLUMNS as MESSAGE
from graphrt.checkpoints.messages import read as message_of
from graphrt.checkpoints.schema import SPAN
from graphrt.errors import RunNotFound
from graphrt.facts import Entry
from graphrt.journal import History, Message, RunInfo
from graphrt.types import Json, RunId, Status

_TEXT = "coalesce(facts.value, (SELECT text FROM blobs WHERE hash = facts.blob))"
_INFO = """
SELECT runs.n, runs.id, runs.graph, runs.fingerprint, runs.created, coalesce(last.at, runs.created), runs.status,
    runs.target, coalesce(last.n & 4294967295, 0), runs.error, runs.wake, leases.driver, leases.until, runs.parent
FROM runs LEFT JOIN leases ON leases.run = runs.n LEFT JOIN facts AS last ON last.n =
    (SELECT max(n) FROM facts WHERE n BETWEEN runs.n << 32 AND (runs.n << 32) + 4294967295)
"""
_DUE = f"""
{_INFO} LEFT JOIN (SELECT run, min(at) AS at FROM messages WHERE taken IS NULL GROUP BY run) AS mail
    ON mail.run = runs.n
WHERE runs.status IN ('running', 'suspended') AND (leases.until IS NULL OR leases.until <= :now)
    AND (runs.status = 'running' OR runs.wake <= :now OR mail.at IS NOT NULL)
ORDER BY CASE runs.status
    WHEN 'running' THEN coalesce(leases.until, last.at, runs.created)
    ELSE min(coalesce(mail.at, runs.wake), iif(runs.wake <= :now, runs.wake, mail.at)) END, runs.n
LIMIT :limit
"""  # noqa: S608 - a constant
_INBOX = (
    f"SELECT {MESSAGE} FROM messages JOIN runs ON runs.n = messages.run "  # noqa: S608 - names from constants
    f"WHERE messages.taken IS NULL AND (:n IS NULL OR messages.run = :n) ORDER BY messages.n"
)
_ENTRIES = (
    f"SELECT n, at, base, {', '.join(COLUMNS).replace('value', f'{_TEXT} AS value')} "  # noqa: S608 - names from constants
    f"FROM facts WHERE n > ? AND n < ? ORDER BY n LIMIT ?"
)
_CHAIN = f"""
WITH RECURSIVE chain (n, base, text) AS (
    SELECT n, base, {_TEXT} FROM facts WHERE n = :key + :seq
    UNION ALL
    SELECT facts.n, facts.base, {_TEXT} FROM chain JOIN facts ON facts.n = :key + chain.base
    WHERE chain.base IS NOT NULL
)
SELECT n - :key, base, text FROM chain
"""  # noqa: S608 - names from constants


class Loaded(NamedTuple):
    """A history, and the versions that the next values of its lineages can be stored against."""

    history: History
    versions: dict[str, Version]


def info(connection: sqlite3.Connection, path: str, run: RunId) -> RunInfo:
    """Read one run."""
    return _find(connection, path, run)[1]


def infos(connection: sqlite3.Connection, path: str, status: Status | None, limit: int) -> list[RunInfo]:
    """List runs, newest first."""
    del path
    rows = connection.execute(
        f"{_INFO} WHERE :status IS NULL OR runs.status = :status ORDER BY runs.created DESC, runs.n DESC LIMIT :limit",
        {"status": status, "limit": limit},
    ).fetchall()
    return [_info(row)[1] for row in rows]


def due(connection: sqlite3.Connection, path: str, now: float, limit: int) -> list[RunInfo]:
    """List the runs that could go on and have no driver."""
    del path
    return [_info(row)[1] for row in connection.execute(_DUE, {"now": now, "limit": limit}).fetchall()]


def inbox(connection: sqlite3.Connection, path: str, run: RunId | None) -> list[Message]:
    """Read the messages that nobody took yet."""
    n = None if run is None else _find(connection, path, run)[0]
    return [message_of(row) for row in connection.execute(_INBOX, {"n": n}).fetchall()]


def definition(connection: sqlite3.Connection, path: str, fingerprint: str) -> Json | None:
    """Read what a graph looked like."""
    del path
    row = connection.execute("SELECT definition FROM definitions WHERE fingerprint = ?", (fingerprint,)).fetchone()
    return None if row is None else row[0].encode()


def entries(connection: sqlite3.Connection, path: str, run: RunId, after: int, limit: int) -> list[Entry]:
    """Read at most `limit` entries after `after`."""
    n, _ = _find(connection, path, run)
    return Values(connection, n).entries(after, limit)


def load(connection: sqlite3.Connection, path: str, run: RunId) -> Loaded:
    """Read the newest snapshot and what came after it."""
    n, found = _find(connection, path, run)
    row = connection.execute("SELECT seq, value, anchors FROM snapshots WHERE run = ?", (n,)).fetchone()
    values = Values(connection, n)
    if row is None:
        return Loaded(History(found, None, 0, values.entries(0, SPAN)), values.versions)
    seq, text, anchors = row
    snapshot = text.encode()
    values.anchor(snapshot, from_json(anchors) if anchors is not None else {})
    return Loaded(History(found, snapshot, seq, values.entries(seq, SPAN)), values.versions)


class Values:
    """Puts values together while the entries of one run are read in order; each patch finds its base already there."""

    def __init__(self, connection: sqlite3.Connection, n: int) -> None:
        self.versions: dict[str, Version] = {}
        self._connection = connection
        self._key = n * SPAN
        self._known: dict[int, Version] = {}

    def anchor(self, snapshot: bytes, anchors: Mapping[str, Any]) -> None:
        """Take values out of the snapshot that holds them."""
        for lineage, (seq, start, length, whole, grown) in anchors.items():
            if not 0 <= start <= start + length <= len(snapshot):
                raise ValueError("a snapshot does not hold what it should")
            value = from_json(snapshot[start : start + length])
            if not isinstance(value, str):
                raise ValueError("a snapshot does not hold what it should")  # noqa: TRY004 - a damaged file
            self.versions[lineage] = self._known[seq] = Version(seq, value.encode(), whole, grown)

    def entries(self, after: int, limit: int) -> list[Entry]:
        """Read entries after `after`."""
        key, found = self._key, []
        for n, at, base, *cells in self._connection.execute(_ENTRIES, (key + after, key + SPAN, limit)).fetchall():
            columns = Columns(*cells)
            seq = n - key
            value = None
            if columns.value is not None:
                value = columns.value.encode() if base is None else self._patched(seq, base, columns.value)
                if columns.lineage is not None:
                    version = self._known.get(seq) or Version(seq, value, len(value))
                    self._known[seq] = self.versions[columns.lineage] = version
            found.append(Entry(seq, at, decode(columns, value)))
        return found

    def _patched(self, seq: int, base: int, text: str) -> bytes:
        before = self._known.get(base) or self._fetch(seq, base)
        value = patch(before.value, text)
        self._known[seq] = Version(seq, value, before.whole, weight(before.grown, text))
        return value

    def _fetch(self, above: int, seq: int) -> Version:
        """Follow a value's patches back to one that is known or whole. Rows come one by one: the walk ends where it
        can."""
        patches: list[str] = []
        cursor = self._connection.execute(_CHAIN, {"key": self._key, "seq": seq})
        try:
            for at, base, text in cursor:
                if at >= above or text is None:
                    raise ValueError(f"entry {above} is a change of entry {at}, which cannot be")
                above = at
                root = self._known.get(at)
                if root is None and base is None:
                    value = text.encode()
                    root = Version(at, value, len(value))
                if root is not None:
                    break
                patches.append(text)
            else:
                raise ValueError(f"entry {above} is a change of an entry that is not there")
        finally:
            cursor.close()
        patches.reverse()
        grown = root.grown
        for text in patches:
            grown = weight(grown, text)
        version = self._known[seq] = Version(seq, replay(root.value, patches), root.whole, grown)
        return version


def _find(connection: sqlite3.Connection, path: str, run: RunId) -> tuple[int, RunInfo]:
    row = connection.execute(f"{_INFO} WHERE runs.id = ?", (run,)).fetchone()
    if row is None:
        raise RunNotFound(run, path)
    return _info(row)


def _info(row: Any) -> tuple[int, RunInfo]:
    n, run, graph, fingerprint, created, updated, status, target, seq, error, wake, driver, lease, parent = row
    return n, RunInfo(
        id=run, graph=graph, fingerprint=fingerprint, created=created, updated=updated, status=status, target=target,
        seq=seq, error=error, wake=wake, driver=driver, lease=lease, parent=parent,
    )  # fmt: skip
