"""Giving free pages back to the file system.

What `prune` removes leaves free pages, which the next commits use; a file only gets smaller when it is rewritten. That
is one transaction, needs room for a second copy beside the file, and holds everybody else's commits up meanwhile, which
is why it is refused while somebody drives a run. Incrementally, pages are taken off the end, a thousand at a time, with
others' commits in between. Interrupted, the file is whole, as it was before or after."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

import anyio.to_thread

from graphrt.checkpoints.faults import translating
from graphrt.checkpoints.sqlite import _connect
from graphrt.errors import StoreError, who
from graphrt.lease import is_dead

PAGES = 1000
"""Pages that one transaction takes off the end."""

_INCREMENTAL = 2


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What it came to, in bytes of the file."""

    before: int
    after: int
    rewritten: bool
    """The whole file was, and not only its end taken off."""


async def vacuum(path: str | os.PathLike[str], *, incremental: bool = False) -> Vacuumed:
    """Make a store's file as small as it can be.

    With `incremental`, free pages are taken off its end, which holds nobody up; the first time, that takes one
    rewriting to prepare for. Raises StoreError, and changes nothing, where somebody drives a run and the file would
    have to be rewritten, or where there is no store.
    """
    return await anyio.to_thread.run_sync(_vacuum, os.fspath(path), incremental)


def _vacuum(path: str, incremental: bool) -> Vacuumed:
    if not os.path.isfile(path):
        raise StoreError(f"there is no store at {path}; name another path")
    before = os.path.getsize(path)
    with translating(path), closing(_connect(path, "process")) as connection:
        connection.execute("PRAGMA busy_timeout = 30000")
        rewriting = not incremental or connection.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL
        if rewriting:
            _refuse_company(connection, path)
            if incremental:
                connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
            connection.execute("VACUUM")
        else:
            while connection.execute("PRAGMA freelist_count").fetchone()[0]:
                connection.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return Vacuumed(before, os.path.getsize(path), rewriting)


def _refuse_company(connection: sqlite3.Connection, path: str) -> None:
    held = connection.execute(
        "SELECT driver, count(*) FROM leases WHERE driver IS NOT NULL AND until > ? GROUP BY driver", (time.time(),)
    ).fetchall()
    driving = [f"{who(driver)} drives {count} of its runs" for driver, count in held if not is_dead(driver)]
    if driving:
        raise StoreError(
            f"{path} is in use: {'; '.join(driving)}; nothing was changed: rewriting the file would hold it up; "
            f"wait, or stop it first"
        )
