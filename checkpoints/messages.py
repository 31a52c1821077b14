"""What was sent to a run, as SQL inside the writer's transaction.

A message is kept for good; `taken` says which commit used it up, so that a commit whose reply was lost finds its own
mark (D7)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from graphrt import failpoints
from graphrt.errors import MessageConflict, MessageTaken, RunNotFound, RunOver
from graphrt.journal import OVER, Message, same
from graphrt.types import RunId

COLUMNS = "messages.id, runs.id, messages.kind, messages.name, messages.value, messages.at"
_FIND = f"SELECT {COLUMNS} FROM messages JOIN runs ON runs.n = messages.run WHERE messages.id = ?"  # noqa: S608 - as above
_INSERT = "INSERT INTO messages (id, run, kind, name, value, at) VALUES (?, ?, ?, ?, ?, ?)"
_TAKEN = "SELECT taken FROM messages WHERE id = ? AND run = ?"
_TAKE = "UPDATE messages SET taken = ? WHERE id = ?"


def send(cursor: sqlite3.Cursor, path: str, message: Message) -> bool:
    """See Journal.send."""
    row = cursor.execute("SELECT n, status FROM runs WHERE id = ?", (message.run,)).fetchone()
    if row is None:
        raise RunNotFound(message.run, path)
    n, status = row
    before = cursor.execute(_FIND, (message.id,)).fetchone()
    if before is not None:
        if not same(read(before), message):
            raise MessageConflict(message.run, message.id)
        return False
    if status in OVER:
        raise RunOver(message.run, status)
    value = None if message.value is None else message.value.decode()
    cursor.execute(_INSERT, (message.id, n, message.kind, message.name, value, message.at))
    return True


def read(row: tuple[str, str, str, str, str | None, float]) -> Message:
    """Return the message of a row of `COLUMNS`."""
    name, run, kind, about, value, at = row
    return Message(name, RunId(run), kind, about, None if value is None else value.encode(), at)  # type: ignore[arg-type]


def check(cursor: sqlite3.Cursor, run: RunId, n: int, taking: Sequence[str]) -> None:
    """Raise MessageTaken if one of these messages cannot be taken."""
    for name in taking:
        if cursor.execute(_TAKEN, (name, n)).fetchone() != (None,):
            raise MessageTaken(run, name)


def take(cursor: sqlite3.Cursor, taking: Sequence[str], seq: int) -> None:
    """Mark messages as used up by the commit whose last entry is `seq`."""
    cursor.executemany(_TAKE, [(seq, name) for name in taking])
    if failpoints.armed is not None:
        failpoints.point("inbox: message taken")


def taken_by(cursor: sqlite3.Cursor, n: int, taking: Sequence[str], seq: int) -> bool:
    """Say whether it was the commit whose last entry is `seq` that used all these up."""
    return all(cursor.execute(_TAKEN, (name, n)).fetchone() == (seq,) for name in taking)
