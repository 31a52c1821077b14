"""One connection that writes, and group commit: many callers, one fsync.

A job is what one caller wants written. It is committed whole or not at all, and its caller is told after the fsync.
Cancelling a caller that waits abandons the wait and never the job: the commit is made or not made, never half.

**Why one writer.** SQLite lets one connection write at a time; several of them wait for each other by sleeping, at
half the throughput of one and a hundred times its worst latency. One connection that both writes and checkpoints also
stays clear of the race between two checkpointing connections that SQLite had until 3.51.3.

**Group commit.** A thread takes whatever was handed over while its last fsync ran and commits that as one
transaction. No timer: the batch is as large as the disk is slow. Each event loop with waiting callers is woken once
for each batch.

**The shortcut.** Going through the thread costs two hand-overs, about 0.1 ms, which is nearly what the commit itself
costs on a quick disk. For a lonely run (a chain, a machine) there is nobody to group with, so the hand-overs buy
nothing. A job is therefore committed right where it was submitted, in the caller's thread, if

- the last `STREAK` jobs all came from its run: with several runs in motion there is something to group, and a commit
  on the loop would hold the others up; and
- nothing waits and nobody is committing: the lock is free this very moment; and
- commits have been quick: their moving average is below `QUICK`, so the loop is held no longer than by a small
  callback; and
- the job is small: below `SMALL` bytes.

If the file turns out to be locked by another process, the job goes to the thread after all: only threads wait.

**One bad job.** A job that finds a conflict says so and writes nothing; its neighbours commit. If a transaction fails
in any other way it is rolled back and its jobs are tried one by one, each in a transaction of its own, so that only
those fail that must.

**A lost reply.** If it is the COMMIT itself that raises, nobody knows whether it was made: the disk may have failed
after it. Its jobs are marked `in_doubt` before they are tried again, and one that finds its own rows writes nothing and
has succeeded.

**Intents.** Where commits need not survive the loss of power, a transaction with a job that must is made with
`synchronous = FULL`, and so are its neighbours in it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import anyio
from anyio.lowlevel import current_token

from graphrt import failpoints
from graphrt.checkpoints.faults import PATIENCE, is_busy, translated
from graphrt.errors import UsageError
from graphrt.host import asyncio_loop

STREAK = 4
QUICK = 0.001
SMALL = 64 * 1024

_SMOOTHING = 1 / 8
_FIRST_NAP, _LONGEST_NAP = 0.0005, 0.05


class Job(Protocol):
    """What one caller wants committed."""

    run: Any
    size: int
    """About how many bytes it will write."""
    intent: bool
    """It is to survive the loss of power, whatever the others need not."""
    in_doubt: bool
    """A COMMIT with it raised: it may have been made."""
    error: BaseException | None
    """Why it was refused: a conflict, found while its rows were written, or whatever made its transaction fail."""


J = TypeVar("J", bound=Job)
J_contra = TypeVar("J_contra", bound=Job, contravariant=True)


class Tables(Protocol[J_contra]):
    """Knows how jobs become rows."""

    def write(self, cursor: sqlite3.Cursor, jobs: Sequence[J_contra], /) -> None:
        """Write the jobs inside a transaction. Gives an `error` to a job that conflicts, and writes nothing of that
        one."""

    def committed(self, jobs: Sequence[J_contra], /) -> None:
        """Hear that these jobs are durable; called before their callers go on."""

    def forget(self, jobs: Sequence[J_contra], /) -> None:
        """Trust nothing that is remembered about these jobs' runs: what they meet is what is in the file."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a writer has done so far."""

    jobs: int = 0
    """Jobs that were committed."""
    commits: int = 0
    """Transactions that did it."""
    inline: int = 0
    """Of these, made in the caller's thread."""
    commit_seconds: float = 0.0
    """Moving average of what COMMIT takes."""


class _Ticket:
    """What callers of one event loop wait for: the end of the commit that takes what they hand over until it begins."""

    __slots__ = ("event", "loop")

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.event = anyio.Event()


class Writer(Generic[J]):
    """Commits jobs through one connection, for callers on any number of event loops."""

    def __init__(self, connection: sqlite3.Connection, tables: Tables[J], path: str, *, relaxed: bool = False) -> None:
        """`relaxed`: the connection's commits need not survive the loss of power, unless they hold an intent."""
        self._cursor = connection.cursor()
        self._connection = connection
        self._tables = tables
        self._path = path
        self._relaxed = relaxed
        self._committing = threading.Lock()
        self._handed_over: list[J] = []
        self._tickets: dict[Any, _Ticket] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._last_run: Any = None
        self._streak = 0
        self._jobs = self._commits = self._inline = 0
        self._average = 0.0

    async def submit(self, job: J, *, aside: bool = False) -> None:
        """Return when the job is durable; raise why it is not. Cancelled, the job is committed whole or not at all.

        `aside`: it is no step of a run, takes no shortcut and breaks no streak.
        """
        if not aside and not (self._relaxed and job.intent):  # an fsync, where the others make none, is for the thread
            if job.run == self._last_run:
                self._streak += 1
            else:
                self._last_run, self._streak = job.run, 0
            if self._streak >= STREAK and job.size < SMALL and self._average < QUICK:
                # Before the commit: a caller that is cancelled here has written nothing. Nothing else is let in: a
                # driver waits for its steps between any two commits, and a turn of the loop costs as much as the rows.
                await anyio.lowlevel.checkpoint_if_cancelled()
                if self._commit_here(job):
                    if job.error is not None:
                        raise job.error
                    return
        await self._hand_over(job).event.wait()
        if job.error is not None:
            raise job.error

    def statistics(self) -> Statistics:
        """Return what was done so far."""
        return Statistics(self._jobs, self._commits, self._inline, self._average)

    def close(self) -> None:
        """Commit what was handed over, then let the connection go, leaving one file. Blocks; idempotent."""
        with self._change:
            if self._closed:
                return
            self._closed = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join()
        with self._committing:
            # A checkpoint that fails, on a full disk say, loses nothing: the -wal file stays and the next opening
            # reads it.
            with suppress(sqlite3.Error):
                self._cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._cursor.close()  # a statement that is still open would keep the file open, and the -wal file with it
            self._connection.close()

    def _hand_over(self, job: J) -> _Ticket:
        loop = _this_loop()
        with self._change:
            if self._closed:
                raise UsageError(f"the journal {self._path} is closed; open it again")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"graphrt writer of {self._path}", daemon=True)
                self._thread.start()
            ticket = self._tickets.get(loop)
            if ticket is None:
                ticket = self._tickets[loop] = _Ticket(loop)
            self._handed_over.append(job)
            if len(self._handed_over) == 1:
                self._change.notify()
            return ticket

    def _work(self) -> None:
        """Be the writer thread: commit what queued while the last commit ran, until closed and empty."""
        while True:
            with self._change:
                while not self._handed_over and not self._closed:
                    self._change.wait()
                if not self._handed_over:
                    return
                jobs, self._handed_over = self._handed_over, []
                tickets, self._tickets = self._tickets, {}
            try:
                with self._committing:
                    self._commit(jobs)
            except BaseException as error:
                # Whatever it is, no caller may take it for success, and the next ones need this thread.
                for job in jobs:
                    job.error = job.error or error
            finally:
                for ticket in tickets.values():
                    _wake(ticket)

    def _commit_here(self, job: J) -> bool:
        """Commit in this thread if that takes no waiting; else return False, with nothing done."""
        if self._handed_over or not self._committing.acquire(blocking=False):
            return False
        try:
            if self._closed:
                return False
            try:
                self._transact([job], patience=0.0)
            except Exception as error:
                if not is_busy(error):
                    self._commit([job])
                    return True
                return False
            self._inline += 1
            return True
        finally:
            self._committing.release()

    def _commit(self, jobs: list[J]) -> None:
        """Commit the jobs as one transaction; if that cannot be, each on its own. What goes wrong is left in
        `job.error`."""
        try:
            self._transact(jobs, patience=PATIENCE)
        except Exception as error:
            if is_busy(error):
                for job in jobs:
                    job.error = translated(error, self._path)
                return
        else:
            return
        for job in jobs:
            self._tables.forget([job])
            try:
                self._transact([job], patience=PATIENCE)
            except Exception as error:
                job.error = translated(error, self._path)

    def _transact(self, jobs: list[J], *, patience: float) -> None:
        """Make one transaction. When it raises, nothing was written, unless it was the COMMIT that raised: then the
        jobs are in doubt."""
        intent = False
        for job in jobs:
            job.error = None
            intent = intent or job.intent
        if not (intent and self._relaxed):
            self._write(jobs, patience)
            return
        self._cursor.execute("PRAGMA synchronous = FULL")
        average = self._average
        try:
            self._write(jobs, patience)
        finally:
            self._average = average  # of the commits that do not wait for the disk
            with suppress(sqlite3.Error):
                self._cursor.execute("PRAGMA synchronous = NORMAL")

    def _write(self, jobs: list[J], patience: float) -> None:
        cursor = self._cursor
        committing = False
        changes = self._connection.total_changes
        self._begin(patience)
        try:
            if failpoints.armed is not None:
                failpoints.point("store: transaction open")
            self._tables.write(cursor, jobs)
            if failpoints.armed is not None:
                failpoints.point("store: rows written")
            done = [job for job in jobs if job.error is None]
            if not done or self._connection.total_changes == changes:
                cursor.execute("ROLLBACK")
            else:
                before = time.perf_counter()
                committing = True
                cursor.execute("COMMIT")
                self._average += (time.perf_counter() - before - self._average) * _SMOOTHING
                if failpoints.armed is not None:
                    failpoints.point("store: committed")
        except BaseException:
            # SQLite ends the transaction itself after some errors; a rollback that fails leaves nothing committed
            # either.
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")
            if committing:
                for job in jobs:
                    job.in_doubt = True
            raise
        if done:
            self._jobs += len(done)
            self._commits += committing
            self._tables.committed(done)

    def _begin(self, patience: float) -> None:
        """Take SQLite's write lock. The waiting is ours and not SQLite's, so that a commit on an event loop never
        waits."""
        deadline = time.monotonic() + patience
        nap = _FIRST_NAP
        while True:
            try:
                self._cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise
            else:
                return
            time.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP)


def _this_loop() -> Any:
    """Return what other threads know this event loop by. The usual case comes first, in C: this is a hot path."""
    return asyncio_loop() or current_token().native_token


def _wake(ticket: _Ticket) -> None:
    """Tell every caller of a loop, with one call into it."""
    call = (
        getattr(ticket.loop, "call_soon_threadsafe", None) or ticket.loop.run_sync_soon
    )  # asyncio's name, trio's name
    with suppress(RuntimeError):  # the loop has ended, and its callers with it
        call(ticket.event.set)
