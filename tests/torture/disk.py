"""A disk that remembers in which order it was written and synced, and what it could hold after the loss of power.

`Disk` is a VFS for apsw's SQLite. It passes everything on to the real file system but the syncs, and logs what changes
a file. `Platter` replays such a log up to the moment the power fails: what was synced is there, and of what was not,
anything may be. `after_power_loss` draws one of the possibilities: each unsynced write is kept, dropped, or torn at its
sectors, on its own and in any order; a file may have grown without its data, or have lost its end.

What a disk is trusted with is what SQLite trusts it with: a sync means what it says, and writing one part of a sector
leaves its other part alone (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`). A file's sync also makes its own name durable; the
names of other files in the folder are, when SQLite syncs the folder: with the first sync of a new log or journal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from types import TracebackType
from typing import Any, NamedTuple, Self

import apsw

SECTOR = 512

_numbers = count(1)


class Write(NamedTuple):
    """Bytes went to a place in a file."""

    file: str
    at: int
    data: bytes


class Truncate(NamedTuple):
    """A file got another length."""

    file: str
    size: int


class Delete(NamedTuple):
    """A file lost its name, durably if the folder was synced."""

    file: str
    folder: bool


class Sync(NamedTuple):
    """All that was written to a file before is durable; `folder`: so are the names in its folder."""

    file: str
    folder: bool


Change = Write | Truncate | Delete
Op = Change | Sync
Files = dict[str, bytes]
"""What a folder holds, by name."""


class Disk(apsw.VFS):
    """Logs what happens to the files of one folder. Enter it to make it known to SQLite under `name`."""

    def __init__(self) -> None:
        self.name = f"disk{next(_numbers)}"
        self.log: list[Op] = []

    def __enter__(self) -> Self:
        super().__init__(self.name, "")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unregister()

    @property
    def now(self) -> int:
        """How many operations there were so far: the disk's own time."""
        return len(self.log)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return apsw.VFSFile("", name, flags) if name is None else _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        super().xDelete(filename, False)
        self.log.append(Delete(os.path.basename(filename), syncdir))


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename, flags: list[int]) -> None:
        path = name if isinstance(name, str) else name.filename()
        with_folder = flags[0] & (apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL)
        self._syncs_folder = bool(with_folder) and not os.path.exists(path)
        self._log = disk.log
        self._name = os.path.basename(path)
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's name
        super().xWrite(data, offset)
        self._log.append(Write(self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        super().xTruncate(newsize)
        self._log.append(Truncate(self._name, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._log.append(Sync(self._name, self._syncs_folder))
        self._syncs_folder = False


@dataclass
class Content:
    """One file: what is durable of it, None if it is not there, and what happened to it since."""

    durable: bytes | None = None
    pending: list[Change] = field(default_factory=list)


class Platter:
    """What a disk holds while it works through a log."""

    def __init__(self, before: Mapping[str, bytes]) -> None:
        self.files = {name: Content(data) for name, data in before.items()}

    def take(self, op: Op) -> None:
        """Let one operation happen."""
        content = self.files.setdefault(op.file, Content())
        if isinstance(op, Sync):
            content.durable, content.pending = applied(content.durable, content.pending), []
        elif isinstance(op, Write) and content.pending and isinstance(content.pending[-1], Delete):
            # A new file of the old name. That the old one comes back after this is not tried.
            content.durable, content.pending = None, [op]
        else:
            content.pending.append(op)
        if isinstance(op, (Sync, Delete)) and op.folder:
            for each in self.files.values():
                if each.pending and isinstance(each.pending[-1], Delete):
                    each.durable, each.pending = None, []


def at_crashes(before: Mapping[str, bytes], log: Sequence[Op], moments: Sequence[int]) -> Iterator[tuple[int, Platter]]:
    """Yield what the disk holds when `moment` operations have happened, for ascending moments."""
    platter, done = Platter(before), 0
    for moment in moments:
        for op in log[done:moment]:
            platter.take(op)
        done = moment
        yield moment, platter


def applied(durable: bytes | None, changes: Sequence[Change]) -> bytes | None:
    """Return what changes make of a file."""
    if not changes:
        return durable
    content = None if durable is None else bytearray(durable)
    for change in changes:
        if isinstance(change, Delete):
            content = None
            continue
        if content is None:
            content = bytearray()
        if isinstance(change, Write):
            content.extend(bytes(max(0, change.at - len(content))))
            content[change.at : change.at + len(change.data)] = change.data
        else:
            del content[change.size :]
            content.extend(bytes(change.size - len(content)))
    return None if content is None else bytes(content)


def after_power_loss(platter: Platter, chance: Random) -> Files:
    """Draw what the disk holds when it has power again."""
    how = chance.choice((_nothing, _nothing, _everything, _beginning, _beginning, *[_anything] * 4))
    found: Files = {}
    for name, content in platter.files.items():
        data = applied(content.durable, how(content.pending, chance))
        whole = applied(content.durable, content.pending)
        if how is _anything and data is not None and whole is not None:
            data = _another_length(data, len(content.durable or b""), len(whole), chance)
        if data is not None:
            found[name] = data
    return found


def after_kill(platter: Platter) -> Files:
    """Return what the disk holds if only the process died."""
    every = {name: applied(content.durable, content.pending) for name, content in platter.files.items()}
    return {name: data for name, data in every.items() if data is not None}


def _nothing(pending: list[Change], chance: Random) -> list[Change]:
    del pending, chance
    return []


def _everything(pending: list[Change], chance: Random) -> list[Change]:
    del chance
    return pending


def _beginning(pending: list[Change], chance: Random) -> list[Change]:
    if not pending:
        return []
    reached = chance.randrange(len(pending))
    return [*pending[:reached], *_torn(pending[reached], chance)]


def _anything(pending: list[Change], chance: Random) -> list[Change]:
    kept = chance.choice((0.1, 0.5, 0.9))
    tears = chance.choice((0.0, 0.3, 1.0))
    found: list[Change] = []
    for change in pending:
        if chance.random() < kept:
            found += _torn(change, chance) if chance.random() < tears else [change]
    if chance.random() < 0.5:
        chance.shuffle(found)
    return found


def _torn(change: Change, chance: Random) -> list[Change]:
    """Keep some sectors of a write: the first ones, the last ones, or any."""
    if not isinstance(change, Write):
        return [change] if chance.random() < 0.5 else []
    sectors = list(_sectors(change))
    match chance.randrange(3):
        case 0:
            return list(sectors[: chance.randint(0, len(sectors))])
        case 1:
            return list(sectors[chance.randint(0, len(sectors)) :])
        case _:
            return [sector for sector in sectors if chance.random() < 0.5]


def _sectors(write: Write) -> Iterator[Write]:
    start, end = write.at, write.at + len(write.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield Write(write.file, start, write.data[start - write.at : stop - write.at])
        start = stop


def _another_length(data: bytes, durable: int, whole: int, chance: Random) -> bytes:
    """Let a file that grew have its new length without the data, or only a part of its new length."""
    if whole <= durable:
        return data
    draw = chance.random()
    if draw < 0.15:
        return data + bytes(max(0, whole - len(data)))
    if draw < 0.3 and len(data) > durable:
        return data[: chance.randrange(durable, len(data)) // SECTOR * SECTOR or durable]
    return data
