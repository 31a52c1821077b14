"""What was computed of answers that are being written, in files, so that after a crash none of it is computed again.

An answer has one file, which is replaced as it grows and removed at its end. The folder never holds more than it may:
the files of answers that nobody goes on with give way, the oldest first. A file is used with exactly the answer, the
model, the library and the processor that it was made for; llama.cpp itself would take a damaged one without a word (its
own check sees the header only), so the rest is told from a checksum. Whatever is wrong with a file, the answer is
computed without it.

    {"made": "9f3c…", "groups": [[12], [904], [31, 7, 7]], "check": "77ab…"}
    cells of the prompt and of all groups but the last

The tokens are there, too, so that a file which is newer than what was kept of the answer is of use.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from graphrt.backends.llama.engine.drafts import Group
from graphrt.backends.llama.engine.task import Going, Restored
from graphrt.backends.llama.native.library import log

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Reading = Generator["Sequence[int] | Restored | Going", "NDArray[np.float32] | None", "NDArray[np.float32]"]

MOST = 1 << 30
"""Bytes that the folder may hold where nobody said."""
SHARE = 20
"""So many times as long as the last snapshot took goes by before the next: it takes at most 5 % of the time."""
SOONEST = 2.0
"""Seconds between two snapshots of an answer, at least."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The folder, how much it may hold, and what made the files: model, library, processor and kind of context."""

    folder: Path
    most: int
    made: str

    def save(self, answer: str, groups: Sequence[Group], data: bytes) -> None:
        """Keep what was computed of all `groups` but the last. A disk that takes nothing more is logged, and no reason
        to end."""
        head = {"made": self.made, "groups": groups, "check": _check(groups, data)}
        line = json.dumps(head).encode() + b"\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._make_room(answer, len(line) + len(data)):
                return
            path = self._path(answer)
            new = path.with_name(f"{path.name}.{os.getpid()}")
            new.write_bytes(line + data)
            new.replace(path)
        except OSError as error:
            log.warning("no snapshot in %s: %s", self.folder, error)

    def load(self, answer: str) -> tuple[tuple[Group, ...], bytes] | None:
        """What was saved of an answer; None where nothing is sure to be right."""
        try:
            line, _, data = self._path(answer).read_bytes().partition(b"\n")
            head = json.loads(line)
            groups = head["groups"]
            if head["made"] == self.made and head["check"] == _check(groups, data):
                return tuple(groups), data
        except (OSError, ValueError, LookupError, TypeError):
            pass
        return None

    def drop(self, answer: str) -> None:
        """The answer is over."""
        with suppress(OSError):
            self._path(answer).unlink()

    def _path(self, answer: str) -> Path:
        return self.folder / f"{answer}.cells"

    def _make_room(self, answer: str, size: int) -> bool:
        """Remove the oldest until there is room for `size` bytes in place of its own file; False if there never is."""
        if size > self.most:
            return False
        mine = self._path(answer)
        others = []
        for path in self.folder.glob("*.cells*"):
            with suppress(OSError):
                found = path.stat()
                others += [(found.st_mtime, found.st_size, path)] if path != mine else []
        held = sum(each for _, each, _ in others)
        for _, each, path in sorted(others):
            if held + size <= self.most:
                break
            path.unlink(missing_ok=True)
            held -= each
        return True


class Cells:
    """What is computed of one answer: begun from its snapshot if there is one, and saved now and then."""

    def __init__(self, snapshots: Snapshots | None, answer: str, prompt: Sequence[int]) -> None:
        self._snapshots = snapshots
        self._answer = answer
        self._prompt = list(prompt)
        self._groups: list[Group] = []
        self._saved: tuple[int, bytes] | None = None
        self._due = time.perf_counter() + SOONEST
        self._kept = False

    def recall(self, begun: Sequence[Group]) -> list[Group]:
        """The groups that were written before: those that were `begun`, or more, where the snapshot is newer."""
        self._groups = list(begun)
        found = None if self._snapshots is None else self._snapshots.load(self._answer)
        if found is not None:
            groups, data = list(found[0]), found[1]
            self._kept = True
            short, long = sorted((groups, self._groups), key=len)
            if long[: len(short)] == short:
                self._groups, self._saved = long, (len(groups) - 1, data)
        return list(self._groups)

    def read(self) -> Reading:
        """Compute the prompt and what was written after it, in its groups, or what is missing of that."""
        groups = rest = self._groups
        logits = None
        if self._saved is not None:
            count, data = self._saved
            self._saved = None
            logits = yield Restored([*self._prompt, *chain(*groups[:count])], len(self._prompt), data, groups[count])
            rest = groups[count + 1 :]
        if logits is None:
            logits, rest = (yield self._prompt), groups
        for group in rest:
            logits = yield group
        return _computed(logits)

    def add(self, group: Group, meanwhile: Callable[[], object] | None = None) -> Reading:
        """Compute one more group, and do something else `meanwhile`."""
        self._groups.append(group)
        due = self._snapshots is not None and time.perf_counter() >= self._due
        logits = yield Going(group, self._save if due else None, meanwhile)
        return _computed(logits)

    def end(self) -> None:
        """The answer is whole."""
        if self._kept and self._snapshots is not None:
            self._snapshots.drop(self._answer)

    def _save(self, data: bytes) -> None:
        assert self._snapshots is not None  # noqa: S101 - for the type checker: else nothing is saved
        began = time.perf_counter()
        self._snapshots.save(self._answer, self._groups, data)
        self._kept = True
        now = time.perf_counter()
        self._due = now + max(SOONEST, SHARE * (now - began))


def _computed(logits: NDArray[np.float32] | None) -> NDArray[np.float32]:
    assert logits is not None  # noqa: S101 - for the type checker: only what was restored may be of no use
    return logits


def _check(groups: object, data: bytes) -> str:
    whole = hashlib.blake2b(json.dumps(groups).encode(), digest_size=16)
    whole.update(data)
    return whole.hexdigest()
