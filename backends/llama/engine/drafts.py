"""What an answer has come to, written down while it is made, so that it can be gone on with after a crash (M10).

    {"answer": "5e0c…", "seed": 7}
    [12, 904, [31, 7, 7], 55]
    [8, 1011]

First which answer it is: model, library, prompt and settings in one digest, and the seed that was drawn. Then its
tokens, in the groups in which they were computed: a number is a token that was chosen, a list is one with those that a
grammar forced after it. Gone on with, they are computed in the same groups, so that in exact mode every bit is the same
as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphrt.backends.events import Drafted

EVERY = 0.1
"""Seconds between two pieces: what a crash may cost, about."""

Group = list[int]


@dataclass(frozen=True, slots=True)
class Begun:
    """An answer that was begun: its seed, if one was drawn for it, and its tokens."""

    seed: int | None = None
    groups: tuple[Group, ...] = ()


def digest(*parts: str) -> str:
    """Which answer it is."""
    whole = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8, "little") + data)
    return whole.hexdigest()


def read(pieces: Sequence[str], answer: str, size: int) -> Begun | None:
    """The answer that `pieces` were kept of; None if it is another one than `answer`, or if they are damaged.

    `size` is that of the vocabulary. Where several answers were begun, the last one counts.
    """
    begun: Begun | None = None
    try:
        for piece in map(json.loads, pieces):
            match piece:
                case {"answer": which}:
                    begun = Begun(_seed(piece.get("seed"))) if which == answer else None
                case list() if begun is not None:
                    begun = Begun(begun.seed, (*begun.groups, *(_group(each, size) for each in piece)))
    except (ValueError, RecursionError):
        return None
    return begun


def _seed(value: object) -> int | None:
    if value is not None and type(value) is not int:
        raise ValueError(f"{value!r} is no seed")
    return value


def _group(value: Any, size: int) -> Group:
    group: Group = value if isinstance(value, list) else [value]
    if not group or not all(type(token) is int and 0 <= token < size for token in group):
        raise ValueError(f"{value!r} holds no tokens")
    return group


class Keeper:
    """Says from time to time what was added to the answer that `answer` names. `begun` is what was kept before."""

    def __init__(
        self, emit: Callable[[Drafted], None], answer: Callable[[], str], seed: int | None, begun: Begun | None
    ) -> None:
        self._emit = emit
        self._answer = answer
        self._seed = seed
        self._said = begun is not None
        self._groups: list[int | Group] = []
        self._last = time.perf_counter()

    def add(self, group: Group) -> None:
        """The answer has one more group of tokens."""
        self._groups.append(group[0] if len(group) == 1 else group)
        now = time.perf_counter()
        if now - self._last >= EVERY:
            self._last = now
            if not self._said:
                self._said = True
                head = {"answer": self._answer(), **({} if self._seed is None else {"seed": self._seed})}
                self._emit(Drafted(json.dumps(head)))
            self._emit(Drafted(json.dumps(self._groups)))
            self._groups = []
