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
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, TextIO

import anyio
from pydantic_core import from_json

from graphrt.cli.screen import size_of
from graphrt.cli.watched import picture
from graphrt.draw.progress import Progress
from graphrt.facts import Entry
from graphrt.history import counted
from graphrt.run import Run
from graphrt.runtime import Runtime

EVERY = 0.1
"""Seconds between two pictures."""


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


class Above(io.TextIOBase):
    """Stands in for a stream that is the canvas's terminal. A line goes above the picture when it is whole."""

    def __init__(self, stream: TextIO, canvas: Canvas) -> None:
        self._stream = stream
        self._canvas = canvas
        self._rest = ""

    def write(self, text: str) -> int:
        """See TextIO.write."""
        whole, end, rest = (self._rest + text).rpartition("\n")
        self._rest = rest
        if end:
            self._canvas.write(whole + end)
        return len(text)

    def finish(self) -> None:
        """Write what is left of a line."""
        if self._rest:
            self.write("\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)  # such as `buffer`: bytes that a node writes go where they always went

    def isatty(self) -> bool:
        """See TextIO.isatty."""
        return True

    def fileno(self) -> int:
        """See TextIO.fileno."""
        return self._stream.fileno()


@contextlib.contextmanager
def _above(canvas: Canvas) -> Iterator[None]:
    """Let all that is written to this process's terminal meanwhile go above the picture."""
    out = Above(sys.stdout, canvas) if sys.stdout.isatty() else None
    err = Above(sys.stderr, canvas)
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
