"""Finding a run by what people type: an id, the beginning of one, `@last`, `@last-failed`."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio

from graphrt.cli.exits import TargetNotFound
from graphrt.config import load_config
from graphrt.errors import RunNotFound, UsageError
from graphrt.journal import Journal, RunInfo
from graphrt.types import RunId

CANDIDATES = 5
"""How many runs or steps are named where a word could mean several."""


async def find(journal: Journal, word: str) -> RunInfo:
    """Return the run that is meant. Raises RunNotFound, TargetNotFound, or UsageError if several could be."""
    if word == "@last":
        found = await journal.runs(limit=1)
    elif word == "@last-failed":
        found = await journal.runs(status="failed", limit=1)
    else:
        try:
            return await journal.info(RunId(word))
        except RunNotFound:
            found = [info for info in await journal.runs(limit=10_000) if info.id.startswith(word)]
    if not found and word == "@last-failed":
        raise TargetNotFound(f"no run in {journal.name} has failed")
    if not found:
        raise RunNotFound(word, journal.name)
    if len(found) > 1:
        raise UsageError(_several(word, [info.id for info in found]))
    return found[0]


def _several(word: str, candidates: Sequence[str]) -> str:
    more = f" and {len(candidates) - CANDIDATES} more" if len(candidates) > CANDIDATES else ""
    return f"{word!r} could be {', '.join(candidates[:CANDIDATES])}{more}; write more of it"


def one_of(steps: Sequence[str], word: str) -> str | None:
    """Return the step that a word means, by its key or the end of it; None if no key ends so. Raises UsageError if
    several do."""
    if word in steps:
        return word
    close = [key for key in steps if key.endswith(word)]
    if len(close) > 1:
        raise UsageError(_several(word, close))
    return close[0] if close else None


def existing(arguments: argparse.Namespace) -> str:
    """Return the path of the store that a command means. Raises TargetNotFound if there is none."""
    path: str = arguments.store or load_config().store.path
    if not Path(path).is_file():
        raise TargetNotFound(f"there is no store {path}; name one with --store FILE, GRAPHRT_STORE or graphrt.toml")
    return path


def reading(arguments: argparse.Namespace, work: Callable[[Journal], Awaitable[int]]) -> int:
    """Do something with a store that is not to be changed."""
    from graphrt.checkpoints import SqliteJournal

    path = existing(arguments)

    async def main() -> int:
        journal = await SqliteJournal.open(path, read_only=True)
        try:
            return await work(journal)
        finally:
            await journal.aclose()

    return anyio.run(main)
