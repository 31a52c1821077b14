"""What SQLite's errors mean to us: the one place where they become ours (D13).

Only `sqlite3.Error` is translated. Anything else that goes wrong is somebody's mistake and stays what it is.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from graphrt.errors import StoreBusy, StoreDamaged, StoreError, StoreFull, StoreReadOnly

PATIENCE = 30.0
"""Seconds that a commit waits for another process's commit before it says StoreBusy. Nobody's commit takes that long,
but a backup or a person's open transaction might, and failing a run for it helps nobody."""

_ROOM_NEEDED = 64 * 1024
"""Bytes: a file system with less than this left is taken as full when it refused a write without saying why."""


def translated(error: BaseException, path: str) -> BaseException:
    """Return our error for one of SQLite's, with the original as its cause; any other error as it is."""
    if not isinstance(error, sqlite3.Error):
        return error
    ours = _meaning(error, path)
    ours.__cause__ = error
    return ours


@contextmanager
def translating(path: str) -> Iterator[None]:
    """Raise our error where SQLite raised its own."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, path) from error


def is_busy(error: BaseException) -> bool:
    """Say whether another process holds the lock."""
    return isinstance(error, sqlite3.Error) and _primary(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _primary(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 for an error that Python's module made itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _meaning(error: sqlite3.Error, path: str) -> StoreError:
    match _primary(error):
        case sqlite3.SQLITE_FULL:
            return StoreFull(path)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return StoreReadOnly(path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(path, PATIENCE)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_FORMAT | sqlite3.SQLITE_MISMATCH:
            return StoreDamaged(path, str(error))
        case sqlite3.SQLITE_IOERR if _no_room(path):
            return StoreFull(path)
        case sqlite3.SQLITE_CANTOPEN:
            return _cannot_open(path)
        case _:
            return StoreError(f"{path}: {error}; what was acknowledged is kept")


def _cannot_open(path: str) -> StoreError:
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return StoreError(f"{path} cannot be opened: there is no folder {folder}; create it, or choose another path")
    if os.path.isdir(path):
        return StoreError(f"{path} is a folder; name a file in it")
    return StoreReadOnly(path)


def _no_room(path: str) -> bool:
    """Say whether there is no room: SQLite calls only one of the ways in which a disk can be full by its name."""
    try:
        room = os.statvfs(os.path.dirname(os.path.abspath(path)))
        largest = max(os.path.getsize(file) for file in (path, f"{path}-wal") if os.path.exists(file))
    except (OSError, ValueError, AttributeError):  # AttributeError: not on Windows
        return False
    return min(room.f_bavail * room.f_frsize, _file_limit() - largest) < _ROOM_NEEDED


def _file_limit() -> float:
    """Return how large a file this process may write."""
    try:
        import resource
    except ImportError:  # not on Windows
        return float("inf")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return float("inf") if limit == resource.RLIM_INFINITY else limit
