"""For whom a request is made: where there is no room for all, those who ask take turns.

That is the run whose step asks. A process that answers for another one is told which run that is.
"""

from __future__ import annotations

from contextvars import ContextVar

from graphrt.context import current

_told: ContextVar[str | None] = ContextVar("graphrt llama owner", default=None)


def owner() -> str | None:
    """The run that asks; None outside of one."""
    running = current.get()
    return _told.get() if running is None else running.run


def ask_for(run: str | None) -> None:
    """Say for whom this task asks from now on, where it is part of no run itself."""
    _told.set(run)
