"""The time seam. Nothing in graphrt reads the time or sleeps except through a `Clock`."""

from __future__ import annotations

import time
from typing import Protocol

import anyio


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> float:
        """Seconds since the epoch: for records, and for instants that outlive the process."""
        raise NotImplementedError

    def monotonic(self) -> float:
        """Seconds that never go back: for measuring inside the process."""
        raise NotImplementedError

    async def wait(self, event: anyio.Event, seconds: float | None) -> None:
        """Return when `event` is set or `seconds` have passed, whichever comes first. None waits for the event
        alone."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """See Clock.now."""
        return time.time()

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return time.monotonic()

    async def wait(self, event: anyio.Event, seconds: float | None) -> None:
        """See Clock.wait."""
        if seconds is None:
            await event.wait()
            return
        with anyio.move_on_after(max(0.0, seconds)):
            await event.wait()
