"""Finding a run by what people type: an id, the beginning of one, `@last`, `@last-failed`."""

from __future__ import annotations

from graphrt.errors import RunNotFound, UsageError
from graphrt.journal import Journal, RunInfo
from graphrt.types import RunId


async def find(journal: Journal, word: str) -> RunInfo:
    """Return the run that is meant. Raises RunNotFound, or UsageError if several could be."""
    if word == "@last":
        found = await journal.runs(limit=1)
    elif word == "@last-failed":
        found = await journal.runs(status="failed", limit=1)
    else:
        try:
            return await journal.info(RunId(word))
        except RunNotFound:
            found = [info for info in await journal.runs(limit=10_000) if info.id.startswith(word)]
    if not found:
        raise RunNotFound(word, journal.name)
    if len(found) > 1:
        raise UsageError(f"{word!r} could be {', '.join(info.id for info in found[:5])}; write more of it")
    return found[0]
