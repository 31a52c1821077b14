"""Server-sent events: an incremental parser from bytes to events, with no I/O in it.

    parser = Parser(max_buffer=1 << 20)
    for chunk in body:
        for item in parser.feed(chunk): ...
    parser.unfinished      # the event that the end of the stream cut off, if any

It follows the WHATWG event-stream grammar: lines end in LF, CR or CRLF and in nothing else (U+2028 and U+0085 are
data), the text is UTF-8 whatever a header claims, and an event without its blank line is not dispatched. How the bytes
were cut into chunks never changes the events. Every byte is looked at once, so a stream fed byte by byte costs no more
than its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Fault = Literal["unknown-field", "invalid-retry", "max-buffer-size-exceeded"]


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event. `id` is the last id the stream has set, which an earlier event may have done; `own_id` is
    what this event itself said, if it said anything."""

    event: str
    data: str
    id: str = ""
    own_id: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """The server's wish for the pause before a reconnect, in milliseconds."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """A comment line: no content, but a sign of life that should reset an idle timer."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that means nothing, or a buffer that grew past its bound. Only the bound ends the parsing."""

    fault: Fault
    line: str = ""


Item = Event | Retry | KeepAlive | Malformed

_DIGITS = re.compile(rb"[0-9]{1,18}\Z")
"""A pause in milliseconds; a longer number is nobody's wish, and may be more than an `int` can be read from."""
_FIELDS = (b"data", b"event", b"id", b"retry")
_BOM = b"\xef\xbb\xbf"
_SHOWN = 80
"""How much of a meaningless line is kept, in bytes, to show it."""


class Parser:
    """Turns chunks of an event stream into items.

    `max_buffer` bounds, in bytes, what is kept from one `feed` to the next: the unfinished line and the unfinished
    event's data. Comments and unknown fields are not kept and don't count. Past the bound the parser reports it once
    and ignores the rest: an event that was cut somewhere must not pass for a whole one.
    """

    def __init__(self, *, max_buffer: int | None = None) -> None:
        self.max_buffer = max_buffer
        self.overflowed = False
        self._line = bytearray()
        self._kind: Literal["open", "field", "comment", "unknown"] = "open"
        self._length = 0
        self._after_cr = False
        self._at_start = True
        self._event = ""
        self._data: list[bytes] = []
        self._data_size = 0
        self._id = ""
        self._own_id: str | None = None

    def feed(self, chunk: bytes) -> list[Item]:
        """Take the next bytes and return what they complete."""
        items: list[Item] = []
        if self.overflowed or not chunk:
            return items
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]  # of a CRLF: the CR has ended the line already, without waiting to see what follows it
        self._after_cr = chunk.endswith(b"\r")
        lines = chunk.splitlines()  # of bytes: they end in LF, CR or CRLF and in nothing else
        rest = lines.pop() if lines and not chunk.endswith((b"\n", b"\r")) else b""
        for line in lines:
            if self._length or self._at_start:
                self._grow(line)
                self._end_line(items)
            else:
                self._take(line, items)
        self._grow(rest)
        if (
            self.max_buffer is not None
            and len(self._line) + self._data_size > self.max_buffer
            and self._kind != "unknown"
        ):
            self.overflowed = True
            self._line.clear()
            self._data.clear()
            items.append(Malformed("max-buffer-size-exceeded"))
        return items

    @property
    def unfinished(self) -> str | None:
        """The data of the event that no blank line has ended yet; None when the stream stands between two events."""
        pieces = list(self._data)
        if self._kind == "field" and self._line.startswith(b"data:"):
            pieces.append(_value(bytes(self._line)))
        elif not pieces and not self._line:
            return None
        return b"\n".join(pieces).decode("utf-8", "replace")

    @property
    def astray(self) -> bool:
        """Whether the unfinished line is no line of an event stream."""
        return self._kind == "unknown"

    def _grow(self, piece: bytes) -> None:
        """Add to the unfinished line, unless nobody will ever read it."""
        if not piece:
            return
        self._length += len(piece)
        if self._kind == "comment":
            return
        if self._kind == "unknown":
            self._line += piece[: max(0, _SHOWN - len(self._line))]
            return
        self._line += piece
        if self._at_start:
            if _BOM.startswith(self._line):
                return  # a byte order mark, or the first bytes of one
            if self._line.startswith(_BOM):
                del self._line[: len(_BOM)]
                self._length -= len(_BOM)
            self._at_start = False
        if self._kind == "open":
            self._kind = _kind(self._line)
            if self._kind == "comment":
                self._line.clear()
            elif self._kind == "unknown":
                del self._line[_SHOWN:]

    def _end_line(self, items: list[Item]) -> None:
        if self._at_start:
            self._at_start = False
            if self._line == _BOM:
                self._line.clear()
            self._kind = _kind(self._line)
        line, kind, length = bytes(self._line), self._kind, self._length
        self._line.clear()
        self._kind = "open"
        self._length = 0
        if kind == "comment":
            items.append(KeepAlive())
        elif kind == "unknown":
            self._unknown(line, length, items)
        else:
            self._take(line, items)

    def _take(self, line: bytes, items: list[Item]) -> None:
        """Take a whole line."""
        if not line:
            self._dispatch(items)
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data_size += len(value) + bool(self._data)
                self._data.append(value)
            case b"event":
                self._event = value.decode("utf-8", "replace")
            case b"id":
                if b"\0" not in value:
                    self._id = self._own_id = value.decode("utf-8", "replace")
            case b"retry" if _DIGITS.match(value):
                items.append(Retry(int(value)))
            case b"retry":
                items.append(Malformed("invalid-retry", line[:_SHOWN].decode("utf-8", "replace")))
            case b"":
                items.append(KeepAlive())
            case _:
                self._unknown(line, len(line), items)

    def _unknown(self, line: bytes, length: int, items: list[Item]) -> None:
        if self.max_buffer is None or length <= self.max_buffer:
            items.append(Malformed("unknown-field", line[:_SHOWN].decode("utf-8", "replace")))

    def _dispatch(self, items: list[Item]) -> None:
        if self._data:
            data = b"\n".join(self._data).decode("utf-8", "replace")
            items.append(Event(self._event or "message", data, self._id, self._own_id))
        self._own_id = None
        self._data.clear()
        self._data_size = 0
        self._event = ""


def _kind(line: bytes | bytearray) -> Literal["open", "field", "comment", "unknown"]:
    """What a line can still become, judged by its beginning."""
    if line.startswith(b":"):
        return "comment"
    for name in _FIELDS:
        if line.startswith(name + b":"):
            return "field"
        if name.startswith(line):
            return "open"
    return "unknown"


def _value(line: bytes) -> bytes:
    """What stands after the colon, less one leading space."""
    return line.partition(b":")[2].removeprefix(b" ")
