"""`--watch`: the state of each node of a run, drawn in place on a terminal while it happens.

The picture is as high as the graph has nodes and stays so; it is drawn at most ten times a second, and its last state
remains. What nodes and others write meanwhile goes above it. Only lines are drawn over, never the whole screen: a
process that is killed leaves a terminal as it should be.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any, TextIO

import anyio
from pydantic_core import from_json

from graphrt.cli.screen import MARKS, asked, faint, lasted, paint, short, size_of
from graphrt.cli.table import Column, cut, flowed, lines_of
from graphrt.draw.progress import TELLING, Place, Progress
from graphrt.facts import AttemptFailed, Entry, Fact, StepFailed, StepFinished, StepUnknown, StepWaiting
from graphrt.history import counted
from graphrt.run import Run
from graphrt.runtime import Runtime

EVERY = 0.1
"""Seconds between two pictures."""


def picture(watched: Progress, name: str, *, now: float, width: int, height: int) -> list[str]:
    """Draw what became of each node as exactly `height` lines, none wider than `width`.

    Where there are more nodes than lines, those that have least to tell are only counted.
    """
    totals = sum((place.counts for place in watched.places.values()), Counter[str]())
    end = now if watched.ended is None else watched.ended
    counts = [f"{totals[status]} {status}" for status in reversed(TELLING) if totals[status]]
    status = _painted(cut(f"{MARKS[watched.status]} {watched.status}", width))
    took = lasted(max(0.0, end - (watched.began or end)))
    lines = flowed([status, name, took, *([", ".join(counts)] if counts else [])], width)[:1]
    room = height - 2
    shown = _most_telling(watched.places, room)
    since = watched.since()
    table = lines_of(_columns([(place, watched.places[place], since.get(place)) for place in shown], now), width)
    lines += [faint(table[0]), *table[1:]] if table else []
    if hidden := len(watched.places) - len(shown):
        lines.append(cut(f"… and {hidden} more", width))
    return [*lines, *[""] * (height - len(lines))][:height]


def _painted(cell: str) -> str:
    return paint(cell[:1]) + cell[1:]


def _most_telling(places: dict[str, Place], room: int) -> list[str]:
    if len(places) <= room:
        return list(places)
    weight = {status: rank for rank, status in enumerate((*TELLING[:-1], "", TELLING[-1]))}
    chosen = sorted(places, key=lambda name: weight[places[name].status])[: max(0, room - 1)]
    return [name for name in places if name in set(chosen)]


def _columns(rows: Sequence[tuple[str, Place, float | None]], now: float) -> list[Column]:
    marks = {"": "·", **MARKS}
    return [
        Column(
            "  NODE",
            [f"{marks[place.status]} {name}" for name, place, _ in rows],
            0,
            least=1,
            paint=_painted,
        ),
        Column("STATUS", [place.status or "not begun" for _, place, _ in rows], 1),
        Column("STEPS", [_count(place) for _, place, _ in rows], 3, right=True),
        Column("TIME", [_time(place, since, now) for _, place, since in rows], 4, right=True),
        Column("TRIES", [f"+{place.tries}" if place.tries else "" for _, place, _ in rows], 5, right=True),
        Column("LAST", [_words(place.last) for _, place, _ in rows], 2, least=16),
    ]


def _words(fact: Fact | None) -> str:
    """Say what was last heard from a node."""
    match fact:
        case StepWaiting():
            return asked(fact)
        case StepFinished(value=value):
            return short(value, 400)
        case AttemptFailed(failure=failure) | StepFailed(failure=failure):
            return f"{failure.type}: {short(failure.message, 400)}"
        case StepUnknown(failure=failure):
            return short(failure.message, 400)
        case _:
            return ""


def _count(place: Place) -> str:
    begun = sum(place.counts.values())
    return "" if begun < 2 else f"{place.counts['finished']}/{begun}"  # noqa: PLR2004 - one needs no counting


def _time(place: Place, since: float | None, now: float) -> str:
    if since is not None:
        return lasted(max(0.0, now - since))
    return lasted(place.spent) if place.counts["finished"] else ""


class Canvas:
    """The last lines that a terminal shows, drawn over in place; what is written meanwhile goes above them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._lock = threading.Lock()  # nodes write from their threads

    def draw(self, lines: list[str]) -> None:
        """Show these lines instead of those before."""
        with self._lock:
            if lines != self._lines:
                self._put("", lines)

    def write(self, text: str) -> None:
        """Write whole lines above the picture."""
        with self._lock:
            self._put(text, self._lines)

    def _put(self, text: str, lines: list[str]) -> None:
        up = f"\x1b[{len(self._lines)}F" if self._lines else ""
        away = "\x1b[J" if text else ""
        self._stream.write(up + away + text + "".join(f"{line}\x1b[K\n" for line in lines))
        self._stream.flush()
        self._lines = lines


class _Above(io.TextIOBase):
    """Stands in for a stream that is the canvas's terminal. A line goes above the picture when it is whole."""

    def __init__(self, stream: TextIO, canvas: Canvas) -> None:
        self._stream = stream
        self._canvas = canvas
        self._rest = ""

    def write(self, text: str) -> int:
        whole, end, rest = (self._rest + text).rpartition("\n")
        self._rest = rest
        if end:
            self._canvas.write(whole + end)
        return len(text)

    def finish(self) -> None:
        """Write what is left of a line."""
        if self._rest:
            self.write("\n")

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()


@contextlib.contextmanager
def _above(canvas: Canvas) -> Iterator[None]:
    """Let all that is written to this process's terminal meanwhile go above the picture."""
    out = _Above(sys.stdout, canvas) if sys.stdout.isatty() else None
    err = _Above(sys.stderr, canvas)
    with contextlib.ExitStack() as stack:
        if out is not None:
            stack.callback(out.finish)
            stack.enter_context(contextlib.redirect_stdout(out))
        stack.callback(err.finish)
        stack.enter_context(contextlib.redirect_stderr(err))
        yield


def event(run: str, entry: Entry) -> dict[str, Any]:
    """Return an entry, as a line of JSON shows it."""
    fact = entry.fact
    told = {each.name: getattr(fact, each.name) for each in fields(fact)}
    read = {name: from_json(value) if isinstance(value, bytes) else value for name, value in told.items()}
    return {"run": run, "seq": entry.seq, "at": entry.at, "kind": fact.kind, **read}


def can_watch(stream: TextIO) -> bool:
    """Whether a stream is a terminal on which lines can be drawn over."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


async def watch(runtime: Runtime, run: Run[Any]) -> None:
    """Draw a run on stderr, a terminal, until it ends or is suspended. Interrupted, it leaves its last picture."""
    watched = Progress(run.graph)
    name = (await run.info()).graph
    screen = sys.stderr
    canvas = Canvas(screen)
    height = min(len(watched.places) + 2, max(3, _size(screen).lines - 1))

    def draw() -> None:
        width = max(1, _size(screen).columns - 1)  # a full line may move a terminal to the next
        canvas.draw(picture(watched, name, now=runtime.clock.now(), width=width, height=height))

    with _above(canvas):
        draw()  # before anything is read: where there is a picture is seen at once
        try:
            record = await counted(runtime.journal, run.id)
            for _, entry in record:
                watched.take(entry)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_repeatedly, draw)
                async for entry in run.events(max(entry.seq for owner, entry in record if owner == run.id)):
                    watched.take(entry)
                tasks.cancel_scope.cancel()
        except BaseException:
            watched.leave(runtime.clock.now())
            raise
        finally:
            draw()


def _size(stream: TextIO) -> os.terminal_size:
    return size_of(stream) or os.terminal_size((80, 24))


async def _repeatedly(draw: Callable[[], None]) -> None:
    while True:
        draw()
        await anyio.sleep(EVERY)
