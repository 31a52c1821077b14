"""The time seam. Nothing in graphrt reads the time or sleeps except through a `Clock`."""

from __future__ import annotations

import time
from typing import Protocol

import anyio

_SECOND, _MINUTE = 1, 60


def lasted(seconds: float) -> str:
    """Write how long something took, in the unit that says it best: `143 ms`, `3.21 s`, `2 m 5 s`, `1 d 3 h`."""
    if round(seconds, 3) < _SECOND:
        return f"{1000 * seconds:.0f} ms"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.2f} s" if seconds < 10 * _SECOND else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} m" if hours else f"{minutes} m {rest} s"


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
