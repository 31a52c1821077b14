"""The words and signs in which a run is told to people: values, durations, instants."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from graphrt.facts import StepWaiting
from graphrt.types import Json
from graphrt.view.table import plain

MARKS = {
    "finished": "✓",
    "failed": "✗",
    "running": "▸",
    "interrupted": "!",
    "cancelled": "○",
    "suspended": "…",
    "waiting": "…",
    "retrying": "↻",
    "unknown": "?",
}
_LEAST = 36
"""Letters. No line is made shorter than that, however narrow the terminal."""


def short(text: Json | str, width: int = 60) -> str:
    """Cut a value to one line."""
    line = " ".join(plain(text.decode() if isinstance(text, bytes) else text).split())
    return line if len(line) <= width else line[: width - 1] + "…"


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


def clock_time(at: float) -> str:
    """Write an instant of today in local time."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def asked(what: str, name: str | None, until: float | None, question: Mapping[str, Any] | None) -> str:
    """Say what a step waits for."""
    match what:
        case "person":
            noted = question or {}
            to = f" {noted['to']}" if noted.get("to") else ""
            return f"asks{to}: {noted.get('question', '')}"
        case "signal":
            return f"waits for the signal {name}"
        case _:
            return f"sleeps until {when(until or 0)}"


def asked_by(fact: StepWaiting) -> str:
    """Say what a step began to wait for."""
    return asked(fact.what, fact.name, fact.until, None if fact.note is None else from_json(fact.note))
