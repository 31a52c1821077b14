"""An apsw connection that looks like the standard library's, as far as the store uses it: the way to another VFS."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import apsw

_KINDS: dict[type[apsw.Error], type[sqlite3.Error]] = {
    apsw.ConstraintError: sqlite3.IntegrityError,
    apsw.CorruptError: sqlite3.DatabaseError,
    apsw.NotADBError: sqlite3.DatabaseError,
    apsw.MismatchError: sqlite3.IntegrityError,
    apsw.TooBigError: sqlite3.DataError,
    apsw.MisuseError: sqlite3.ProgrammingError,
    apsw.BindingsError: sqlite3.ProgrammingError,
}


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        ours = _KINDS.get(type(error), sqlite3.OperationalError)(str(error))
        ours.sqlite_errorcode = getattr(error, "extendedresult", 0)
        raise ours from error


class Cursor:
    """See sqlite3.Cursor."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor = connection.apsw.cursor()
        columns: list[Any] = []
        self._columns = columns

        def keep(cursor: apsw.Cursor, sql: str, parameters: Any) -> bool:
            """apsw forgets the columns' names after the last row. Knows nothing of `self`: in a circle with its cursor
            a statement would stay open until it is found."""
            del sql, parameters
            columns[:] = cursor.get_description()
            return True

        self._cursor.exec_trace = keep

    @property
    def description(self) -> Any:
        return tuple(self._columns) or None

    def execute(self, sql: str, parameters: Any = ()) -> Self:
        with _as_sqlite3():
            self._cursor.execute(self._connection.instead(sql), parameters)
        return self

    def executemany(self, sql: str, rows: Iterable[Any]) -> Self:
        with _as_sqlite3():
            self._cursor.executemany(sql, rows)
        return self

    def fetchone(self) -> Any:
        with _as_sqlite3():
            return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        with _as_sqlite3():
            return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row

    @property
    def lastrowid(self) -> int:
        return self._connection.apsw.last_insert_rowid()

    def close(self) -> None:
        with _as_sqlite3():
            self._cursor.close()


class Connection:
    """See sqlite3.Connection. Locks its file for good, so that the log needs no shared memory, which a VFS in Python
    has not.

    `synchronous`: what every `PRAGMA synchronous` is taken for; None for what it says.
    """

    isolation_level = None

    def __init__(self, path: str, vfs: str, *, autocheckpoint: int, synchronous: str | None = None) -> None:
        self._synchronous = synchronous
        with _as_sqlite3():
            self.apsw = apsw.Connection(path, vfs=vfs)
            self.apsw.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.apsw.wal_autocheckpoint(autocheckpoint)

    def instead(self, sql: str) -> str:
        """Return what is executed for a statement."""
        if self._synchronous is not None and sql.upper().startswith("PRAGMA SYNCHRONOUS"):
            return f"PRAGMA synchronous = {self._synchronous}"
        return sql

    def cursor(self) -> Cursor:
        return Cursor(self)

    def execute(self, sql: str, parameters: Any = ()) -> Cursor:
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Cursor:
        return self.cursor().executemany(sql, rows)

    @property
    def in_transaction(self) -> bool:
        return self.apsw.in_transaction

    @property
    def total_changes(self) -> int:
        return self.apsw.total_changes()

    def close(self) -> None:
        with _as_sqlite3():
            self.apsw.close()
