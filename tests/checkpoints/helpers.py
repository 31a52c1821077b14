"""The smallest runs that the tests of the store are about."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graphrt.facts import Fact, RunStarted, StepFinished, StepStarted
from graphrt.journal import Journal, RunInfo
from graphrt.types import RunId, StepKey

START = RunStarted("demo", "f" * 16, b"{}", 7)


def info(run: str = "one") -> RunInfo:
    return RunInfo(RunId(run), "demo", "f" * 16, 1_700_000_000.25, 1_700_000_000.25)


def started(step: str, attempt: int = 1) -> StepStarted:
    return StepStarted(StepKey(step), attempt)


def finished(step: str, value: bytes = b"123", lineage: str | None = None) -> StepFinished:
    return StepFinished(StepKey(step), 1, value, "int", lineage)


async def begin(journal: Journal, run: str = "one", more: Iterable[Fact] = ()) -> RunId:
    await journal.create(info(run), [START, *more], at=1_700_000_000.25)
    return RunId(run)


async def facts(journal: Journal, run: str = "one") -> list[Fact]:
    return [entry.fact for entry in await journal.read(RunId(run), limit=1_000_000)]


def rows(path: Path, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Look at a store as a stranger would."""
    with opened(path) as connection:
        return connection.execute(sql, parameters).fetchall()


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
