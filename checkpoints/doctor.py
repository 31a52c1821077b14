"""What is the matter with a store: its format, its pages, its room, and who holds its runs.

`examine` works on any file, and above all on those that a journal refuses to open: damaged, foreign, or of a newer
format. It only reads, so there is nothing to interrupt; what it finds, it says, and what a finding asks for is left to
whoever reads it. `salvage` gets the runs out of a damaged file that are whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from graphrt.checkpoints import transfer
from graphrt.checkpoints.faults import translating
from graphrt.checkpoints.schema import APPLICATION, VERSION, check
from graphrt.checkpoints.sqlite import open_to_look
from graphrt.errors import StoreError, who
from graphrt.types import Json, RunId

LARGE_LOG = 64 << 20
"""Bytes of write-ahead log that are worth a word: SQLite begins again at 4 MiB, unless somebody never stops reading."""

_RACE = (3, 7, 0), (3, 51, 2)
"""SQLite from the one to the other may lose pages when two connections write or checkpoint at once, and the write-ahead
log is begun anew at that very moment."""

_LEASES = """
SELECT runs.id, runs.status, leases.driver, leases.until, leases.fence
FROM leases JOIN runs ON runs.n = leases.run WHERE leases.driver IS NOT NULL ORDER BY leases.run
"""
_ORPHANS = """
SELECT count(*), coalesce(sum(length(CAST(text AS BLOB))), 0) FROM blobs
WHERE hash NOT IN (SELECT blob FROM facts WHERE blob IS NOT NULL)
"""
_LEFT = """
SELECT messages.id, runs.id, messages.kind, messages.name, runs.status
FROM messages JOIN runs ON runs.n = messages.run
WHERE messages.taken IS NULL AND runs.status IN ('finished', 'failed', 'cancelled') ORDER BY messages.n
"""
_FEW = 10
"""Errors of one kind that are enough to see what it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a store. A problem is something that has to be done; a warning may wait."""

    level: Literal["problem", "warning"]
    about: str
    """What it is about, in a word: for programs."""
    what: str
    fix: str = ""
    """What to do about it."""
    run: RunId | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A run's lease that was not given back."""

    run: RunId
    status: str
    driver: str
    until: float
    """Seconds since the epoch."""
    fence: int
    state: Literal["held", "expired", "dead"]
    """`dead`: its process is surely no more, whatever the time."""


@dataclass(slots=True)
class Examined:
    """What was found. Sizes are bytes; None where the file does not say."""

    path: str
    sqlite: str
    readable: bool = False
    """Whether it is a store that this graphrt reads, damaged or not."""
    format: int | None = None
    application: int | None = None
    size: int = 0
    log: int = 0
    """Bytes of the write-ahead log."""
    free: int | None = None
    """Bytes of pages that hold nothing."""
    runs: Mapping[str, int] | None = None
    """How many there are of each status."""
    leases: Sequence[Held] = ()
    findings: list[Finding] = field(default_factory=list)

    def find(self, level: Literal["problem", "warning"], about: str, what: str, fix: str = "") -> None:
        """Add a finding."""
        self.findings.append(Finding(level, about, what, fix))


def examine(path: str, *, now: float, dead: Callable[[str], bool]) -> Examined:
    """Look at a file, whatever it is. It is not changed. `now` is in seconds since the epoch; `dead` says that a driver
    is surely no more. Raises StoreError if there is no file, or it cannot be read at all."""
    found = Examined(path, sqlite3.sqlite_version)
    found.size = Path(path).stat().st_size if Path(path).is_file() else 0
    log = Path(f"{path}-wal")
    found.log = log.stat().st_size if log.exists() else 0
    with translating(path):
        connection = open_to_look(path)
    with closing(connection):
        try:
            _identify(connection, found)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
                what = "it is no database, or its beginning is gone"
                found.find("problem", "foreign", what, "name another path; if it was a store, restore a copy")
            else:
                found.find("problem", "damaged", f"it cannot be read as a database: {error}", _RESTORE)
        if found.readable:
            for part in (_integrity, _room, _runs, _orphans, _unheard):
                _try(part, connection, found)
            _try(lambda one, two: _leases(one, two, now, dead), connection, found)
    _race(found)
    return found


_RESTORE = "keep the file; restore a copy, or get out what can be read with --salvage OUT.json"


def _try(part: Callable[[sqlite3.Connection, Examined], None], connection: sqlite3.Connection, found: Examined) -> None:
    """Look at one thing; damage there does not keep us from the others."""
    try:
        part(connection, found)
    except sqlite3.DatabaseError as error:
        if not any(each.about == "damaged" and str(error) in each.what for each in found.findings):
            found.find("problem", "damaged", f"part of it cannot be read: {error}", _RESTORE)


def _identify(connection: sqlite3.Connection, found: Examined) -> None:
    tables = _one(connection, "SELECT count(*) FROM sqlite_schema")
    application, version = (int(_one(connection, f"PRAGMA {name}")) for name in ("application_id", "user_version"))
    found.application, found.format = application, version
    if application == 0 and version == 0 and tables == 0:
        found.find("warning", "empty", "it is empty", "`graphrt run` makes a store of it")
    elif application != APPLICATION:
        found.find("problem", "foreign", "it is the database of another application", "name another path")
    elif version > VERSION:
        what = f"it was written by a newer graphrt: its format is {version}, this one knows {VERSION}"
        found.find("problem", "newer", what, "upgrade graphrt")
    elif version < VERSION:
        what = f"its format is {version}, and today's is {VERSION}"
        found.find("warning", "older", what, "it is brought up to date when it is next opened for writing")
    else:
        found.readable = True


def _integrity(connection: sqlite3.Connection, found: Examined) -> None:
    rows = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_FEW})").fetchall()]
    if rows != ["ok"]:
        found.find("problem", "damaged", "its pages are damaged: " + "; ".join(_lines(rows)), _RESTORE)
    astray = connection.execute("PRAGMA foreign_key_check").fetchmany(_FEW)
    if astray:
        names = ", ".join(f"{table} row {row}" for table, row, *_ in astray)
        found.find("problem", "damaged", f"rows name runs that are not there: {names}", _RESTORE)


def _lines(rows: Sequence[str]) -> list[str]:
    lines = [line.strip() for row in rows for line in row.splitlines()]
    return [line for line in lines if line and not line.startswith("***")][:_FEW]


def _room(connection: sqlite3.Connection, found: Examined) -> None:
    found.free = _one(connection, "PRAGMA freelist_count") * _one(connection, "PRAGMA page_size")
    if found.log > LARGE_LOG:
        what = f"its write-ahead log has {found.log >> 20} MiB: somebody has been reading for long, or was killed"
        found.find(
            "warning", "log", what, "end what reads it; the log is emptied when the last process closes the store"
        )


def _runs(connection: sqlite3.Connection, found: Examined) -> None:
    found.runs = dict(
        connection.execute("SELECT status, count(*) FROM runs GROUP BY status ORDER BY status").fetchall()
    )


def _leases(connection: sqlite3.Connection, found: Examined, now: float, dead: Callable[[str], bool]) -> None:
    leases = []
    for run, status, driver, until, fence in connection.execute(_LEASES).fetchall():
        state: Literal["held", "expired", "dead"] = "held"
        if dead(driver):
            state = "dead"
        elif until is None or until <= now:
            state = "expired"
        leases.append(Held(RunId(run), status, driver, until or 0.0, fence, state))
    found.leases = leases
    for lease in leases:
        if lease.state != "held":
            why = "has ended" if lease.state == "dead" else "let its lease run out"
            what = f"run {lease.run!r} is driven by nobody: {who(lease.driver)} {why}"
            fix = f"graphrt resume {lease.run}, or let `graphrt worker` take it over"
            found.findings.append(Finding("warning", "lease", what, fix, lease.run))


def _orphans(connection: sqlite3.Connection, found: Examined) -> None:
    count, size = connection.execute(_ORPHANS).fetchone()
    if count:
        what = f"large values that belong to no entry: {count}, of {size} bytes"
        found.find("warning", "orphans", what, "nothing reads them: they only take room")


def _unheard(connection: sqlite3.Connection, found: Examined) -> None:
    for message, run, kind, name, status in connection.execute(_LEFT).fetchmany(_FEW):
        about = f"{kind} {name}".rstrip()
        what = f"message {message!r} ({about}) waits for run {run!r}, which has ended ({status})"
        found.findings.append(
            Finding("warning", "message", what, "nobody will take it, unless the run is resumed", run)
        )


def _race(found: Examined) -> None:
    lowest, highest = _RACE
    if not found.readable or not lowest <= sqlite3.sqlite_version_info <= highest:
        return
    what = (
        f"this Python's SQLite is {found.sqlite}: up to {'.'.join(map(str, highest))}, two processes that write to one "
        f"store at once can damage it, if rarely"
    )
    held = sorted({who(lease.driver) for lease in found.leases if lease.state == "held"})
    if held:
        what += f"; now at work in it: {', '.join(held)}"
    fix = "write to it from one process only, or use a Python whose SQLite is 3.51.3 or later"
    found.find("warning", "sqlite", what, fix)


def _one(connection: sqlite3.Connection, sql: str) -> Any:
    return connection.execute(sql).fetchone()[0]


# Salvage.


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was got out of a file: the text of an export, the runs in it, and what is missing of which runs: all of one
    that is not in it."""

    text: Json
    runs: Sequence[RunId]
    lost: Mapping[str, str]


def salvage(path: str) -> Salvaged:
    """Get out every run that can still be read whole, as `graphrt import` takes it.

    A run that lost part of its entries is named, and left out: taken up where its entries now end, it would do again
    what it had done. The file is not changed. Raises StoreTooNew; StoreDamaged if it is not a store, or not even the
    list of its runs can be read.
    """
    records: list[transfer.Record] = []
    lost: dict[str, str] = {}
    with translating(path), closing(open_to_look(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")  # nothing is written: so SQLite reads a file that was cut off
        if check(connection, path) < VERSION:
            raise StoreError(f"{path} is empty or of an older format; open it once for writing to bring it up to date")
        connection.execute("BEGIN")
        for run in _ids(connection):
            torn: list[str] = []
            try:
                records.append(transfer.record(connection, path, run, torn=torn))
                if torn:
                    lost[run] = f"its {' and '.join(dict.fromkeys(torn))} could not be read"
            except (sqlite3.DatabaseError, ValueError, StoreError) as error:
                lost[run] = str(error)
    text = transfer.write(records, [{"run": run, "why": why} for run, why in lost.items()])
    return Salvaged(text, [found.id for found in records], lost)


def _ids(connection: sqlite3.Connection) -> list[RunId]:
    """List runs from either end: a damaged page in between hides only what is on it."""
    found: dict[int, RunId] = {}
    errors: list[sqlite3.DatabaseError] = []
    for order in ("ASC", "DESC"):
        try:
            for n, run in connection.execute(f"SELECT n, id FROM runs NOT INDEXED ORDER BY n {order}"):  # noqa: S608 - one of two
                found[n] = RunId(run)
        except sqlite3.DatabaseError as error:
            errors.append(error)
    if errors and not found:
        raise errors[0]
    return [found[n] for n in sorted(found)]
