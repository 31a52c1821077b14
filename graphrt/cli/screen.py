"""What people see: progress on stderr, results on stdout."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from pydantic_core import from_json, to_jsonable_python

from graphrt.facts import (
    AttemptFailed,
    Entry,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    StepFailed,
    StepFinished,
    StepStarted,
)
from graphrt.types import Json

MARKS = {"finished": "✓", "failed": "✗", "running": "▸", "cancelled": "○", "waiting": "…", "interrupted": "▸"}
_COLOURS = {"✓": "32", "✗": "31", "▸": "36", "○": "33", "↻": "33", "…": "35"}


def note(line: str, *, quiet: bool = False) -> None:
    """Write a line of progress."""
    if not quiet:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def paint(mark: str, stream: Any = None) -> str:
    """Colour a mark, on a terminal that wants it. The mark and the words say the same without."""
    stream = stream or sys.stderr
    if not stream.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return mark
    return f"\x1b[{_COLOURS.get(mark, '0')}m{mark}\x1b[0m"


def print_json(value: Any) -> None:
    """Write one JSON document on stdout."""
    sys.stdout.write(json.dumps(to_jsonable_python(value, inf_nan_mode="strings"), ensure_ascii=False, indent=2) + "\n")


def print_value(value: Any) -> None:
    """Write a result on stdout: text as it is, anything else as JSON."""
    if isinstance(value, str):
        sys.stdout.write(value if value.endswith("\n") else value + "\n")
    else:
        print_json(value)


def short(text: Json | str, width: int = 60) -> str:
    """Cut a value to one line."""
    line = " ".join((text.decode() if isinstance(text, bytes) else text).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def when(at: float) -> str:
    """Write an instant in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


class Progress:
    """Turns facts into lines, one for each step that ends."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._began: dict[str, float] = {}

    def show(self, entry: Entry) -> None:
        """Take one entry."""
        match entry.fact:
            case StepStarted(step=step):
                self._began[step] = entry.at
            case StepFinished(step=step, value=value):
                self._line("✓", step, entry.at, short(value))
            case AttemptFailed(step=step, failure=failure, retry_at=at):
                self._line(
                    "↻",
                    step,
                    entry.at,
                    f"{failure.type}: {short(failure.message)}; again in {max(0.0, at - entry.at):.1f} s",
                )
            case StepFailed(step=step, failure=failure):
                self._line("✗", step, entry.at, f"{failure.type}: {short(failure.message)}")
            case RunResumed():
                note("resumed", quiet=self.quiet)
            case RunFinished():
                note(f"{paint('✓')} finished", quiet=self.quiet)
            case RunFailed() | RunCancelled():
                note(f"{paint('✗')} {entry.fact.kind.removeprefix('run ')}", quiet=self.quiet)
            case _:
                pass

    def _line(self, mark: str, step: str, at: float, rest: str) -> None:
        took = at - self._began.pop(step, at)
        note(f"{paint(mark)} {step}  {took:.2f} s  {rest}", quiet=self.quiet)


def plain(text: Json) -> Any:
    """Read a recorded value as plain data."""
    return from_json(text)
