"""A journal in one SQLite file.

Every `create` and `append` is one transaction, acknowledged when it is as durable as the journal promises: `"power"`
after an fsync, `"process"` once it is in the operating system's hands (D12). Killed at any moment, the file is read
again as it was after the last commit, acknowledged or not; a commit is never there in part. Cancelled while it waits,
a call has committed whole or not at all.

Opening does I/O, so it happens in a worker thread: on the first call, or with `await SqliteJournal.open(path)` where
an unusable file should be known about at once. One connection writes (`writer.py`); a second, query-only one reads,
in a worker thread, and never keeps a snapshot from one await to the next. Closed, the store is a single file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from pydantic_core import to_json

from graphrt import failpoints
from graphrt.checkpoints import drafts, leases, messages, reading
from graphrt.checkpoints.codec import encode
from graphrt.checkpoints.faults import PATIENCE, translating
from graphrt.checkpoints.lineages import TWIN, Lineages, Version, find, store
from graphrt.checkpoints.schema import VERSION, check, upgrade
from graphrt.checkpoints.tables import Commit, Errand, StoreTables, place
from graphrt.checkpoints.writer import Statistics, Writer
from graphrt.errors import StoreDamaged, StoreError, StoreReadOnly, UsageError
from graphrt.facts import Entry, Fact, RunFinished, RunRewound, RunSuspended, StepFinished
from graphrt.journal import Claim, DraftKey, History, Message, Renewal, RunInfo, ending, sources
from graphrt.types import Durability, Json, RunId, Status, StepKey

if TYPE_CHECKING:
    from graphrt.checkpoints.transfer import Record

P = ParamSpec("P")
R = TypeVar("R")

_SYNCHRONOUS = {"power": "FULL", "process": "NORMAL"}


class SqliteJournal:
    """Keeps runs in a file that also opens in `sqlite-utils` and Datasette."""

    def __init__(
        self, path: str | os.PathLike[str], *, durability: Durability = "power", read_only: bool = False
    ) -> None:
        if os.fspath(path) in {"", ":memory:"}:
            raise UsageError("SqliteJournal keeps a file; for a journal in memory write MemoryJournal()")
        if durability not in _SYNCHRONOUS:
            raise UsageError(f'durability is "power" or "process", not {durability!r}')
        self._path = os.fspath(path)
        self._durability: Durability = durability
        self._read_only = read_only
        self._lineages = Lineages()
        self._opening = threading.Lock()
        self._reading = threading.Lock()
        self._reader: sqlite3.Connection | None = None
        self._writer: Writer[Commit | Errand] | None = None
        self._closed = False

    def __repr__(self) -> str:
        how = "read_only=True" if self._read_only else f"durability={self._durability!r}"
        return f"SqliteJournal({self._path!r}, {how})"

    @classmethod
    async def open(
        cls, path: str | os.PathLike[str], *, durability: Durability = "power", read_only: bool = False
    ) -> SqliteJournal:
        """Return a journal whose file has been opened, created or upgraded. Raises StoreError if it cannot be used.

        With `read_only` nothing is created, upgraded or written: for looking at a store that may be somebody else's.
        """
        journal = cls(path, durability=durability, read_only=read_only)
        await anyio.to_thread.run_sync(journal._open)
        return journal

    @property
    def name(self) -> str:
        """What errors call it: its path."""
        return self._path

    @property
    def private(self) -> bool:
        """See Journal.private."""
        return False

    @property
    def durability(self) -> Durability:
        """What an acknowledged commit survives."""
        return self._durability

    def statistics(self) -> Statistics:
        """Return how many commits were made, and how."""
        return self._writer.statistics() if self._writer is not None else Statistics()

    async def create(
        self,
        info: RunInfo,
        facts: Sequence[Fact],
        *,
        at: float,
        claim: Claim | None = None,
        definition: Json | None = None,
        snapshot: Json | None = None,
    ) -> None:
        """See Journal.create."""
        self._lineages.drop(info.id)  # of a run that had this id before and was removed
        commit = self._encode(info.id, 0, facts, at, snapshot)
        commit.begin, commit.claim, commit.sources = info, claim, sources(facts, info.id)
        commit.definition = None if definition is None else definition.decode()
        await self._submit(commit)

    async def append(
        self,
        run: RunId,
        after: int,
        facts: Sequence[Fact],
        *,
        at: float,
        snapshot: Json | None = None,
        fence: int | None = None,
        taking: Sequence[str] = (),
        dropping: Sequence[DraftKey] = (),
        intent: bool = False,
        definition: Json | None = None,
    ) -> None:
        """See Journal.append."""
        commit = self._encode(run, after, facts, at, snapshot)
        commit.fence, commit.taking, commit.intent = fence, tuple(dict.fromkeys(taking)), intent
        commit.dropping = dropping
        commit.definition = None if definition is None else definition.decode()
        await self._submit(commit)

    async def claim(self, run: RunId, claim: Claim, *, at: float, dead: Callable[[str], bool] = lambda _: False) -> int:
        """See Journal.claim."""
        fence = await self._ask(run, lambda cursor: leases.claim_run(cursor, self._path, run, claim, at, dead))
        if failpoints.armed is not None:
            failpoints.point("lease: claimed")
        return fence

    async def renew(self, driver: str, *, until: float) -> Renewal:
        """See Journal.renew."""
        renewal = await self._ask(None, lambda cursor: leases.renew_all(cursor, driver, until))
        if failpoints.armed is not None:
            failpoints.point("lease: renewed")
        return renewal

    async def release(self, run: RunId, fence: int) -> None:
        """See Journal.release."""
        await self._ask(run, lambda cursor: leases.release_run(cursor, run, fence))

    async def send(self, message: Message) -> bool:
        """See Journal.send."""
        return await self._ask(message.run, lambda cursor: messages.send(cursor, self._path, message))

    async def inbox(self, run: RunId | None = None) -> list[Message]:
        """See Journal.inbox."""
        return await self._read(reading.inbox, run)

    async def due(self, now: float, limit: int = 100) -> list[RunInfo]:
        """See Journal.due."""
        return await self._read(reading.due, now, limit)

    async def keep_draft(self, run: RunId, draft: DraftKey, text: str, *, fence: int) -> None:
        """See Journal.keep_draft."""
        await self._ask(None, lambda cursor: drafts.keep(cursor, self._path, run, draft, text, fence))

    async def drafts(self, run: RunId, step: StepKey) -> dict[str, tuple[str, ...]]:
        """See Journal.drafts."""
        return await self._read(drafts.read, run, step)

    async def definition(self, fingerprint: str) -> Json | None:
        """See Journal.definition."""
        return await self._read(reading.definition, fingerprint)

    async def load(self, run: RunId) -> History:
        """See Journal.load."""
        loaded = await self._read(reading.load, run)
        if loaded.history.info.status != "finished" and not self._read_only:  # one that failed may be resumed
            self._lineages.keep(run, loaded.versions)
        return loaded.history

    async def read(self, run: RunId, after: int = 0, limit: int = 1000) -> list[Entry]:
        """See Journal.read."""
        return await self._read(reading.entries, run, after, limit)

    async def info(self, run: RunId) -> RunInfo:
        """See Journal.info."""
        return await self._read(reading.info, run)

    async def runs(self, *, status: Status | None = None, limit: int = 100) -> list[RunInfo]:
        """See Journal.runs."""
        return await self._read(reading.infos, status, limit)

    async def export_runs(self, runs: Sequence[RunId]) -> Json:
        """Return runs as one JSON file, each with all that it shares: see `graphrt.checkpoints.transfer`.

        A run that is still driven is exported as it stands. Raises RunNotFound; StoreDamaged if part of one is gone.
        """

        from graphrt.checkpoints import transfer

        def work(connection: sqlite3.Connection, path: str) -> Json:
            return transfer.write([transfer.record(connection, path, run) for run in runs])

        return await self._read(work)

    async def import_runs(
        self, text: Json, *, name: str, new: RunId | None = None, target: str | None = None
    ) -> list[RunInfo]:
        """Take in the runs of a file, all of them in one commit or none; return what a list shows of them.

        `name`: what errors call the file. `new`: another id for the one run it holds; under it, its effects have other
        idempotency keys. `target`: where their graph is; what the file says about that is not taken over. Raises
        UsageError if it is no such file; StoreTooNew; RunExists if an id is taken.
        """
        from graphrt.checkpoints import transfer

        records = await anyio.to_thread.run_sync(transfer.read, text, name)
        if new is not None:
            if len(records) != 1:
                raise UsageError(f"{name} holds {len(records)} runs; only a single one can be given another id")
            records = [transfer.renamed(records[0], new)]
        commits = [self._copied(found, transfer.info_of(found, target)) for found in records]
        tried = False

        def work(cursor: sqlite3.Cursor) -> None:
            nonlocal tried
            before, tried = tried, True
            if not (before and transfer.there(cursor.connection, self._path, records)):  # else, its reply was lost
                transfer.restore(cursor, self._path, records, commits)

        await self._ask(None, work)
        return [await self.info(found.id) for found in records]

    def _copied(self, found: Record, info: RunInfo) -> Commit:
        commit = self._encode(found.id, 0, [entry.fact for entry in found.entries], found.created, None)
        commit.rows = [
            (seq, entry.at, *rest) for entry, (seq, _, *rest) in zip(found.entries, commit.rows, strict=True)
        ]
        commit.begin = info
        return commit

    async def aclose(self) -> None:
        """See Journal.aclose. A closed store is one file, if no other process has it open."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close)

    async def _ask(self, run: RunId | None, work: Callable[[sqlite3.Cursor], R]) -> R:
        """Do something in the writer's thread, inside its transaction, and return what it says."""
        errand = Errand(run, work)
        await self._submit(errand, aside=True)
        result: R = errand.result
        return result

    async def _submit(self, job: Commit | Errand, *, aside: bool = False) -> None:
        if self._read_only:
            raise StoreReadOnly(self._path)
        if self._writer is None or self._closed:
            await anyio.to_thread.run_sync(self._open)
        assert self._writer is not None  # noqa: S101 - for the type checker: _open made it or raised
        await self._writer.submit(job, aside=aside)

    def _encode(self, run: RunId, after: int, facts: Sequence[Fact], at: float, snapshot: Json | None) -> Commit:
        """Turn one append into rows. Deltas are taken here, against what is already committed, so the writer only
        writes."""
        commit = Commit(run, after, facts, at)
        known: dict[str, Version] | None = None
        for seq, fact in enumerate(facts, after + 1):
            columns = encode(fact)
            base = blob = None
            if columns.value is not None:
                text = columns.value
                if isinstance(fact, StepFinished) and fact.lineage is not None:
                    known = known if known is not None else dict(self._lineages.of(run))
                    text, base, version = store(seq, fact.value, known.get(fact.lineage))
                    known[fact.lineage] = commit.versions[fact.lineage] = version
                elif isinstance(fact, RunFinished) and len(text) >= TWIN:
                    known = known if known is not None else dict(self._lineages.of(run))
                    base = next((version.seq for version in known.values() if version.value == fact.value), None)
                    text = text if base is None else f"[[0,{len(fact.value)}]]"
                value, blob, blobs = place(text)
                if value is not columns.value:
                    columns = columns._replace(value=value)
                commit.blobs += blobs
                commit.size += len(text)
            commit.rows.append((seq, at, base, blob, *columns))
            ended = ending(fact)
            if ended is not None:
                commit.status = ended
                commit.wake = fact.until if isinstance(fact, RunSuspended) else None
                if isinstance(fact, RunRewound):
                    commit.graph = fact.graph, fact.fingerprint
                    commit.sources = sources(facts, run)
        if snapshot is not None:
            known = known if known is not None else dict(self._lineages.of(run))
            anchors = dict(find(snapshot, known))
            commit.snapshot = (snapshot.decode(), to_json(anchors).decode() if anchors else None)
            commit.size += len(snapshot)
        return commit

    async def _read(
        self, query: Callable[Concatenate[sqlite3.Connection, str, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run a query in a worker thread, inside one read transaction that is over when it returns."""

        def work() -> R:
            self._open()
            with self._reading, translating(self._path):
                connection = self._reader_connection()
                connection.execute("BEGIN")
                try:
                    return query(connection, self._path, *args, **kwargs)
                except ValueError as error:
                    raise StoreDamaged(self._path, str(error)) from error
                finally:
                    connection.execute("ROLLBACK")

        return await anyio.to_thread.run_sync(work)

    def _open(self) -> None:
        """Open what is not open yet. Blocks."""
        with self._opening:
            if self._closed:
                raise UsageError(f"the journal {self._path} is closed; open it again")
            if self._read_only:
                with self._reading, translating(self._path):
                    self._reader_connection()
            elif self._writer is None:
                self._writer = Writer(
                    _connect(self._path, self._durability),
                    StoreTables(self._path, self._lineages),
                    self._path,
                    relaxed=self._durability == "process",
                )

    def _reader_connection(self) -> sqlite3.Connection:
        if self._reader is None:
            self._reader = _connect_to_read(self._path)
        return self._reader

    def _close(self) -> None:
        """Let go of both connections: the reader first, so that the writer's is the last and leaves one file.
        Blocks."""
        with self._opening:
            self._closed = True
            with self._reading:
                if self._reader is not None:
                    self._reader.close()
                    self._reader = None
            if self._writer is not None:
                self._writer.close()


def _connect(path: str, durability: Durability) -> sqlite3.Connection:
    """Open a file to write to, and make it a store of this version if it is empty or older."""
    with translating(path):
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path, durability)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: str, durability: Durability) -> None:
    version = check(
        connection, path
    )  # first: in another application's file nothing may change, its journal mode neither
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"{path}: this file system cannot keep a write-ahead log; put the store on a local disk")
    connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
    connection.execute("PRAGMA foreign_keys = ON")
    if version < VERSION:
        upgrade(connection, path)
    # A file that cannot be written is known about now, not at the first step. BEGIN alone would not tell: on such a
    # file it quietly begins to read.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM snapshots WHERE false")
    connection.execute("ROLLBACK")
    if durability == "power":
        _make_room(connection, path)
    connection.execute("PRAGMA busy_timeout = 0")  # from here on the writer does the waiting


ROOM = 4 << 20
"""Bytes of log made before the first commit: what SQLite fills by itself before a checkpoint lets it begin again."""


def _make_room(connection: sqlite3.Connection, path: str) -> None:
    """Let the write-ahead log have its size before the first commit.

    A commit that makes the log longer also waits for the file system to record its new length: measured here, it takes
    twice as long as one that writes into a log that is there (0.30 ms and 0.15 ms). A transaction that is too large for
    its cache and is then rolled back writes the log full and leaves no trace in the store; it takes about 3 ms.
    Interrupted, it is a transaction without a commit. Where there is no room on the disk, nothing is lost but the gain.
    """
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size >= ROOM:
        return
    pages = connection.execute("PRAGMA cache_size").fetchone()[0]
    connection.execute("PRAGMA cache_size = 10")
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE room (filling BLOB)")
        connection.executemany("INSERT INTO room VALUES (zeroblob(65536))", [()] * (ROOM // 65536))
    except sqlite3.Error:
        pass  # a full disk, above all: the first real commit will say so
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute(f"PRAGMA cache_size = {pages}")


def _connect_to_read(path: str) -> sqlite3.Connection:
    """Open a store only to look at it."""
    connection = open_to_look(path)
    try:
        version = check(connection, path)
    except BaseException:
        connection.close()
        raise
    if version < VERSION:
        connection.close()
        raise StoreError(f"{path} is empty or of an older format; open it once for writing to bring it up to date")
    return connection


def open_to_look(path: str) -> sqlite3.Connection:
    """Open any file only to look at it, whatever it is."""
    file = Path(path).absolute()
    if not file.exists():
        raise StoreError(f"there is no store at {path}; `graphrt run` makes one, or name another path")
    # A file in a folder that cannot be written has no room for SQLite's lock file. If it has no log, nobody is writing.
    alone = not os.access(file.parent, os.W_OK) and not Path(f"{file}-wal").exists()
    uri = f"{file.as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection
