"""The newest full value of each lineage, so that the next one can be stored as what changed (D5).

A memory only: it can be emptied at any time, and then the next version is stored whole. What it holds is never stale,
because an entry of a journal never changes: a version that was committed once is a right base for ever."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic_core import to_json

from graphrt.checkpoints.delta import diff
from graphrt.types import RunId

ROOM = 64 * 1024 * 1024
"""Bytes of values that are remembered at most, least recently used runs first out."""

GROWTH = 4
"""A lineage is stored whole again when the patches since its last whole text outweigh that text this many times.
Reading one entry then costs at most that much, and a value that only grows is written whole at geometric intervals:
with 4, those texts add up to a quarter more than the last of them, where 1 would double the file."""

LINK = 256
"""Bytes that a patch weighs at least, for its row and the look-up: a counter that ticks in a big state must not make
a chain of ten thousand links."""

TWIN = 256
"""Bytes from which on a value without a lineage is looked for among the lineages: the result of a machine is its last
state."""


class Version(NamedTuple):
    """A committed value: the entry it is in, its bytes, how large its last whole text was, and the patches' weight
    since."""

    seq: int
    value: bytes
    whole: int
    grown: int = 0


class Stored(NamedTuple):
    """A value as it is kept: a text, and the entry it is a patch for, if it is one."""

    text: str
    base: int | None
    version: Version


def store(seq: int, value: bytes, before: Version | None) -> Stored:
    """Choose between what changed since `before` and the whole."""
    if before is not None:
        text = diff(before.value, value)
        if text is not None:
            grown = weight(before.grown, text)
            if grown <= GROWTH * before.whole:
                return Stored(text, before.seq, Version(seq, value, before.whole, grown))
    return Stored(value.decode(), None, Version(seq, value, len(value)))


def weight(grown: int, text: str) -> int:
    """Return what a chain weighs with one more patch."""
    return grown + max(LINK, len(text))


class Lineages:
    """Remembers versions, from any thread."""

    def __init__(self, room: int = ROOM) -> None:
        self._lock = threading.Lock()
        self._runs: OrderedDict[RunId, dict[str, Version]] = OrderedDict()
        self._room = room
        self._used = 0

    def of(self, run: RunId) -> Mapping[str, Version]:
        """Return what is remembered of a run: lineage to newest version. A copy."""
        with self._lock:
            kept = self._runs.get(run)
            if kept is None:
                return {}
            self._runs.move_to_end(run)
            return dict(kept)

    def keep(self, run: RunId, versions: Mapping[str, Version]) -> None:
        """Remember newer versions; older ones than those known are passed over."""
        if not versions:
            return
        with self._lock:
            kept = self._runs.setdefault(run, {})
            self._runs.move_to_end(run)
            for lineage, version in versions.items():
                known = kept.get(lineage)
                if known is None or known.seq < version.seq:
                    kept[lineage] = version
                    self._used += len(version.value) - (len(known.value) if known else 0)
            while self._used > self._room and self._runs:
                self._drop(next(iter(self._runs)))

    def drop(self, run: RunId) -> None:
        """Forget a run."""
        with self._lock:
            self._drop(run)

    def _drop(self, run: RunId) -> None:
        self._used -= sum(len(version.value) for version in self._runs.pop(run, {}).values())


def find(snapshot: bytes, versions: Mapping[str, Version]) -> Iterator[tuple[str, list[int]]]:
    """Yield where the newest values stand in a snapshot of the state, as the JSON strings they are in it: lineage,
    [seq, start, length, weights].

    A snapshot that holds them saves the next `load` the way back to the last whole text, however long the run has been.
    """
    for lineage, version in versions.items():
        text = to_json(version.value.decode())
        at = snapshot.find(text)
        if at >= 0:
            yield lineage, [version.seq, at, len(text), version.whole, version.grown]
