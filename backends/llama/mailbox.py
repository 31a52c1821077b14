"""From the engine's thread to readers in event loops: events are left, and each loop is told once for many of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

import anyio
import anyio.lowlevel


class _Soon(Protocol):
    """What an event loop offers other threads."""

    def __call__(self, call: Callable[..., object], /, *args: object) -> object: ...


class Mailbox:
    """Events for one reader, made in the reader's event loop; None ends them. Of what kind is between who writes and
    who reads."""

    def __init__(self) -> None:
        self.loop: object = anyio.lowlevel.current_token().native_token
        self.events: deque[Any] = deque()
        self._bell = anyio.Event()

    def ring(self) -> None:
        """Wake the reader. Called in its event loop."""
        self._bell.set()

    async def take(self) -> Any:
        """Take the next event. Cancelled, it takes none."""
        while not self.events:
            self._bell = anyio.Event()
            await self._bell.wait()
        return self.events.popleft()


class Post:
    """Leaves events in mailboxes, from one thread. Nothing waits, and nobody is woken before `deliver`."""

    def __init__(self) -> None:
        self._loops: dict[object, set[Mailbox]] = {}

    def put(self, box: Mailbox, event: Any) -> None:
        """Leave an event."""
        box.events.append(event)
        self._loops.setdefault(box.loop, set()).add(box)

    def deliver(self) -> set[Mailbox]:
        """Tell each event loop once about all that was left for it; return the mailboxes whose loop is gone."""
        gone: set[Mailbox] = set()
        for loop, boxes in self._loops.items():
            soon = getattr(loop, "call_soon_threadsafe", None) or getattr(loop, "run_sync_soon", None)
            try:
                cast("_Soon", soon)(_ring, boxes)
            except RuntimeError:
                gone |= boxes
        self._loops = {}
        return gone


def _ring(boxes: set[Mailbox]) -> None:
    for box in boxes:
        box.ring()
