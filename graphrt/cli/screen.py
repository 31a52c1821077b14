"""What people see: progress on stderr, results on stdout."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from collections.abc import Sequence
from shlex import quote
from typing import Any

from pydantic_core import from_json, to_jsonable_python

from graphrt.cli.table import cut, plain
from graphrt.decide import Pending
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
from graphrt.run import need, remedy
from graphrt.types import Json

MARKS = {
    "finished": "✓",
    "failed": "✗",
    "running": "▸",
    "interrupted": "▸",
    "cancelled": "○",
    "suspended": "…",
    "waiting": "…",
    "retrying": "↻",
    "unknown": "?",
}
SHOWN = 10
"""How much of what a run waits for is told at once."""
_LEAST = 36
"""Letters. No line is made shorter than that, however narrow the terminal."""
_COLOURS = {"✓": "32", "✗": "31", "▸": "36", "○": "33", "↻": "33", "…": "35", "?": "33"}


def note(line: str, *, quiet: bool = False) -> None:
    """Write a line of progress."""
    if not quiet:
        sys.stdout.flush()  # where both go to one place, they are in order
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def paint(mark: str, stream: Any = None) -> str:
    """Colour a mark, on a terminal that wants it. The mark and the words say the same without."""
    if not coloured(stream or sys.stderr):
        return mark
    return f"\x1b[{_COLOURS.get(mark, '0')}m{mark}\x1b[0m"


def faint(words: str, stream: Any = None) -> str:
    """Write words that are only to be seen where somebody looks for them, on a terminal that wants it."""
    stream = stream or sys.stderr
    return f"\x1b[2m{words}\x1b[0m" if words and coloured(stream) else words


def coloured(stream: Any) -> bool:
    """Whether a stream is a terminal on which colours are wanted."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def size_of(stream: Any) -> os.terminal_size | None:
    """Return the columns and lines of the terminal that a stream is; None if it is none, where nothing is cut."""
    if not stream.isatty():
        return None
    try:
        real = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        real = os.terminal_size((0, 0))
    named = os.environ.get("COLUMNS", "")
    columns = int(named) if named.isdecimal() else 0
    return os.terminal_size((columns or real.columns or 80, real.lines or 24))


def width_of(stream: Any) -> int | None:
    """Return how many columns there are for a line; None for as many as it needs."""
    size = size_of(stream)
    return None if size is None else size.columns


def most_of(stream: Any) -> int:
    """Return how many letters of a value are told: on a terminal, more than there is room for in its line."""
    return 60 if width_of(stream) is None else 400


def print_json(value: Any, *, one_line: bool = False) -> None:
    """Write one JSON document on stdout; in one line, it is there at once for whoever reads along."""
    plainly = to_jsonable_python(value, inf_nan_mode="strings")
    sys.stdout.write(json.dumps(plainly, ensure_ascii=False, indent=None if one_line else 2) + "\n")
    if one_line:
        sys.stdout.flush()


def print_value(value: Any) -> None:
    """Write a result on stdout: text as it is, anything else as JSON."""
    if isinstance(value, str):
        sys.stdout.write(value if value.endswith("\n") else value + "\n")
    else:
        print_json(value)


def short(text: Json | str, width: int = 60) -> str:
    """Cut a value to one line."""
    line = " ".join(plain(text.decode() if isinstance(text, bytes) else text).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def lasted(seconds: float) -> str:
    """Write how long something took, in the unit that says it best."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} m" if hours else f"{minutes} m {rest} s"


def wrapped(words: str, width: int, *, indent: str = "", first: str | None = None) -> list[str]:
    """Break words into lines of at most `width` letters; the first may begin otherwise than the others."""
    return textwrap.wrap(
        words,
        max(width, _LEAST),
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def when(at: float) -> str:
    """Write an instant in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def when_shortly(at: float, now: float) -> str:
    """Write an instant in five letters: the time of a moment of today, the day of another."""
    there, here = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if there[:3] == here[:3] else "%m-%d", there)


def row_of_wait(run: str, wait: Pending, store: str | None) -> dict[str, Any]:
    """Return one thing that a run waits for, as JSON shows it."""
    asked = {} if wait.note is None else from_json(wait.note)
    return {
        "run": run,
        "step": wait.step,
        "waits_for": wait.what,
        "name": wait.name,
        "to": asked.get("to"),
        "since": wait.since,
        "until": wait.until,
        "schema": asked.get("schema"),
        "command": command(remedy(run, wait), store) or None,
    }


def rows_of_waits(run: str, waits: Sequence[Pending], store: str | None) -> list[dict[str, Any]]:
    """Return what a run waits for, as JSON shows it."""
    return [row_of_wait(run, wait, store) for wait in waits]


def waits_text(run: str, waits: Sequence[Pending], store: str | None) -> str:
    """Say what a run waits for, which commands give it that, and how it goes on then."""
    lines = [f"run {run} waits:"]
    for wait in waits[:SHOWN]:
        lines.append(f"  {need(wait)}")
        if remedy(run, wait):
            lines.append(f"    {command(remedy(run, wait), store)}")
    if len(waits) > SHOWN:
        lines.append(f"  and {len(waits) - SHOWN} more: {command(f'graphrt inbox {run}', store)}")
    return "\n".join([*lines, f"then go on with: {command(f'graphrt resume {run}', store)}"]) + "\n"


def command(line: str, store: str | None) -> str:
    """Complete a command that somebody is told, by the store that was named here."""
    if store is None or not line:
        return line
    verb, _, rest = line.removeprefix("graphrt ").partition(" ")
    return f"graphrt {verb} --store {quote(store)} {rest}".rstrip()


def clock_time(at: float) -> str:
    """Write an instant of today in local time."""
    return time.strftime("%H:%M:%S", time.localtime(at))


class Progress:
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
                again = f"again in {max(0.0, at - entry.at):.1f} s"
                self._line("↻", step, entry.at, f"{failure.type}: {short(failure.message)}; {again}")
            case StepFailed(step=step, failure=failure):
                self._line("✗", step, entry.at, f"{failure.type}: {short(failure.message)}")
            case StepUnknown(step=step, failure=failure):
                words = "its outcome is unknown, and it is not repeated"
                self._line("?", step, entry.at, f"{words}: {failure.type}: {short(failure.message)}")
            case StepWaiting(step=step):
                self._began[step] = entry.at
                self._put("…", f"{step}  {asked(entry.fact)}")
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
        self._put(mark, f"{step}  {took:.2f} s  {rest}")

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


def asked(wait: StepWaiting) -> str:
    """Say what a step began to wait for."""
    match wait.what:
        case "person":
            noted = {} if wait.note is None else from_json(wait.note)
            to = f" {noted['to']}" if noted.get("to") else ""
            return f"asks{to}: {noted.get('question', '')}"
        case "signal":
            return f"waits for the signal {wait.name}"
        case "timer":
            return f"sleeps until {when(wait.until or 0)}"
