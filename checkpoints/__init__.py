"""graphrt.checkpoints: journals that survive their process.

`open_journal(path)` gives a journal in one SQLite file. `measure` says what takes up its room, `prune` removes the runs
that ended long ago, and `vacuum` gives free pages back. Importing this package opens nothing and imports no database
package but the standard library's."""

from __future__ import annotations

import os

from graphrt.checkpoints.compaction import Vacuumed as Vacuumed
from graphrt.checkpoints.compaction import vacuum as vacuum
from graphrt.checkpoints.retention import Kept as Kept
from graphrt.checkpoints.retention import Pruned as Pruned
from graphrt.checkpoints.retention import Removed as Removed
from graphrt.checkpoints.retention import prune as prune
from graphrt.checkpoints.size import RunSize as RunSize
from graphrt.checkpoints.size import Size as Size
from graphrt.checkpoints.size import measure as measure
from graphrt.checkpoints.sqlite import SqliteJournal as SqliteJournal
from graphrt.checkpoints.writer import Statistics as Statistics
from graphrt.types import Durability

__all__ = [
    "Kept",
    "Pruned",
    "Removed",
    "RunSize",
    "Size",
    "SqliteJournal",
    "Statistics",
    "Vacuumed",
    "measure",
    "open_journal",
    "prune",
    "vacuum",
]


async def open_journal(
    path: str | os.PathLike[str], *, durability: Durability = "power", read_only: bool = False
) -> SqliteJournal:
    """Open the store at `path`, making it if need be. Raises StoreError if it cannot be used.

    `durability` says what an acknowledged step survives: the loss of power, or only the death of the process (D12).
    With `read_only` the file is not changed, and must be there."""
    return await SqliteJournal.open(path, durability=durability, read_only=read_only)
