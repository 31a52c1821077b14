"""A run as plain lines: one for each step that ends or waits."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from graphrt.clock import lasted
from graphrt.draw.overlay import Spending
from graphrt.draw.progress import Progress
from graphrt.facts import (
    AttemptFailed,
    Emitted,
    Entry,
    Fact,
    MessageRefused,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunForked,
    RunRewound,
    RunStarted,
    RunSuspended,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
    StepUnknown,
    StepWaiting,
    SubstepFailed,
    SubstepFinished,
    SubstepStarted,
)
from graphrt.view.table import cut, plain
from graphrt.view.terminal import most_of, note, paint, width_of
from graphrt.view.words import asked_by, short, when


class Lines:
    """Turns facts into lines, one for each step that ends or waits."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._began: dict[str, float] = {}

    def show(self, entry: Entry) -> None:
        """Take one entry."""
        match entry.fact:
            case StepStarted(step=step):
                self._began[step] = entry.at
            case StepFinished(step=step, value=value):
                self._line("✓", step, entry.at, short(value, most_of(sys.stderr)))
            case AttemptFailed(step=step, failure=failure, retry_at=at):
                again = f"again in {lasted(max(0.0, at - entry.at))}"
                self._line("↻", step, entry.at, f"{failure.type}: {short(failure.message)}; {again}")
            case StepFailed(step=step, failure=failure):
                self._line("✗", step, entry.at, f"{failure.type}: {short(failure.message)}")
            case StepUnknown(step=step, failure=failure):
                words = "its outcome is unknown, and it is not repeated"
                self._line("?", step, entry.at, f"{words}: {failure.type}: {short(failure.message)}")
            case StepWaiting(step=step):
                self._began[step] = entry.at
                self._put("…", f"{step}  {asked_by(entry.fact)}")
            case MessageRefused(step=step, failure=failure):
                self._put("✗", f"{step}  refused: {short(failure.message, 100)}")
            case SubstepFinished(step=step, name=name, value=value):
                self._put("✓", f"{step}/{name}  {short(value, most_of(sys.stderr))}")
            case RunStarted() | StepCancelled() | SubstepStarted() | SubstepFailed() | Emitted():
                pass
            case _:
                note(_of_the_run(entry.fact), quiet=self.quiet)

    def _line(self, mark: str, step: str, at: float, rest: str) -> None:
        took = at - self._began.pop(step, at)
        self._put(mark, f"{step}  {lasted(took)}  {rest}")

    def _put(self, mark: str, words: str) -> None:
        """Write a line, as wide as the terminal at most."""
        width, words = width_of(sys.stderr), plain(words)
        note(f"{paint(mark)} {words if width is None else cut(words, max(1, width - 2))}", quiet=self.quiet)


def _of_the_run(fact: Fact) -> str:
    match fact:
        case RunSuspended(until=None):
            return f"{paint('…')} suspended"
        case RunSuspended(until=until):
            return f"{paint('…')} suspended until {when(until or 0)}"
        case RunForked(parent=parent, at=at):
            return f"forked from {parent}" + (f" at {at}" if at else "")
        case RunRewound(at=at):
            return f"goes back to {at}" if at else "goes on with a changed graph"
        case RunFinished():
            return f"{paint('✓')} finished"
        case RunFailed() | RunCancelled():
            return f"{paint('✗')} {fact.kind.removeprefix('run ')}"
        case _:
            return fact.kind.removeprefix("run ")


class Plain:
    """A view of a run where lines cannot be drawn over: those that say what happened, as it happens."""

    def __init__(self) -> None:
        self._lines = Lines(quiet=False)

    def opened(self) -> AbstractContextManager[object]:
        """See View.opened."""
        return nullcontext()

    def take(self, entry: Entry, *, news: bool) -> None:
        """See View.take."""
        if news:
            self._lines.show(entry)

    def draw(self, progress: Progress, spent: Mapping[str, Spending], now: float, *, last: bool) -> None:
        """See View.draw."""
