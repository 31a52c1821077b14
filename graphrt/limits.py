"""Named limits, shared by the runs of a runtime, with fair waiting (E5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from graphrt.errors import UsageError


class Waiter(Protocol):
    """Somebody who wants permits and can be told that one is free."""

    def wake(self) -> None:
        """Look again. Called on the event loop's thread."""


class Limits:
    """How many steps may run at once under each name.

    While nobody else waits, a run may take all that is free. Once others wait, each takes one permit a turn and goes to
    the end of the line, so a run with ten thousand items cannot starve one with two.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        if wrong := {name: size for name, size in sizes.items() if size < 1}:
            raise UsageError(f"limits={wrong!r}: a limit must let at least one step run")
        self.sizes = dict(sizes)
        self._used = dict.fromkeys(sizes, 0)
        self._line: dict[str, dict[Waiter, None]] = {name: {} for name in sizes}

    def room(self, name: str, who: Waiter) -> int:
        """Return how many permits `who` may take now."""
        free = self.sizes[name] - self._used[name]
        line = self._line[name]
        if free <= 0 or not line:
            return max(0, free)
        if who not in line:
            return max(0, free - len(line))
        return max(1, free - len(line) + 1) if list(line).index(who) < free else 0

    def take(self, name: str, who: Waiter) -> None:
        """Take a permit."""
        self._used[name] += 1
        self._line[name].pop(who, None)

    def give(self, name: str) -> None:
        """Give a permit back and tell whoever is first in line."""
        self._used[name] -= 1
        self._tell(name)

    def want(self, names: Collection[str], who: Waiter) -> None:
        """Stand in line under these names where there is no room, and in no other line.

        Whoever has no use for its turn leaves, so that it is not in the way of those behind it.
        """
        for name, line in self._line.items():
            if name in names and self.room(name, who) == 0:
                line.setdefault(who)
            elif line.pop(who, False) is None:
                self._tell(name)

    def _tell(self, name: str) -> None:
        free = self.sizes[name] - self._used[name]
        for who in list(self._line[name])[: max(0, free)]:
            who.wake()
