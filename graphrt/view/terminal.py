"""A terminal: what it can show, and lines that are drawn over in place while others are written above them."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

_COLOURS = {"✓": "32", "✗": "31", "▸": "36", "!": "33", "○": "33", "↻": "33", "…": "35", "?": "33"}


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
def above(canvas: Canvas) -> Iterator[None]:
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


def can_watch(stream: TextIO) -> bool:
    """Whether a stream is a terminal on which lines can be drawn over."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
