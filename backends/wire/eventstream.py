"""The AWS event stream (`application/vnd.amazon.eventstream`): binary frames with checksums, read without I/O.

    total length · headers' length · CRC     12 bytes, the prelude
    headers                                  name, type, value
    payload
    CRC                                      of all that came before it

    parser = Parser()
    for chunk in body:
        for item in parser.feed(chunk): ...
    parser.unfinished      # whether the end of the stream cut a frame off

Both checksums are checked: a damaged frame is noticed, and nothing after it is believed. How the bytes were cut into
chunks never changes the frames.
"""

from __future__ import annotations

import base64
import struct
import uuid
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from graphrt.backends.dialects.answering import AnswerStream, object_of
from graphrt.backends.errors import BackendError, ServerError
from graphrt.backends.events import StreamEvent
from graphrt.backends.wire.classify import classify_error
from graphrt.backends.wire.reading import EventReader

Value = bool | int | bytes | str | uuid.UUID
Fault = Literal["prelude", "size", "checksum", "headers"]

_MAX_HEADERS = 128 << 10
_MAX_PAYLOAD = 24 << 20
"""Bounds of the format, in bytes: what claims to be larger is no frame."""
_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_START = _PRELUDE.size + _CRC.size
_FRAME = _START + _CRC.size
"""Bytes of a frame with neither headers nor payload."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame. A time stamp among the headers is in milliseconds since 1970."""

    headers: Mapping[str, Value] = field(default_factory=dict)
    payload: bytes = b""

    def header(self, name: str) -> str:
        """Return a header that is text; nothing for any other."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are no frame. It ends the parsing: nobody knows where the next frame would begin."""

    fault: Fault


class Parser:
    """Turns chunks of an event stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lengths: tuple[int, int] | None = None
        self._stopped = False

    @property
    def unfinished(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Frame | Malformed]:
        """Take the next bytes, and return the frames that they complete."""
        items: list[Frame | Malformed] = []
        if self._stopped:
            return items
        self._buffer += data
        while (item := self._next()) is not None:
            items.append(item)
            if isinstance(item, Malformed):
                self._stopped = True
                self._buffer.clear()
                break
        return items

    def _next(self) -> Frame | Malformed | None:
        if self._lengths is None:
            if len(self._buffer) < _START:
                return None
            lengths = _prelude(self._buffer[:_START])
            if isinstance(lengths, Malformed):
                return lengths
            self._lengths = lengths
        total, headers = self._lengths
        if len(self._buffer) < total:
            return None
        whole = bytes(self._buffer[:total])
        del self._buffer[:total]
        self._lengths = None
        return _frame(whole, headers)


def _prelude(head: bytes | bytearray) -> tuple[int, int] | Malformed:
    """The lengths of a frame and of its headers. The checksum goes first: a damaged length is no length."""
    total, headers = _PRELUDE.unpack_from(head)
    if zlib.crc32(head[: _PRELUDE.size]) != _CRC.unpack_from(head, _PRELUDE.size)[0]:
        return Malformed("prelude")
    payload = total - headers - _FRAME
    return (total, headers) if headers <= _MAX_HEADERS and 0 <= payload <= _MAX_PAYLOAD else Malformed("size")


def _frame(whole: bytes, headers: int) -> Frame | Malformed:
    body, (crc,) = whole[: -_CRC.size], _CRC.unpack(whole[-_CRC.size :])
    if zlib.crc32(body) != crc:
        return Malformed("checksum")
    try:
        return Frame(_headers(body[_START : _START + headers]), body[_START + headers :])
    except (ValueError, IndexError, KeyError, struct.error):
        return Malformed("headers")


@lru_cache(maxsize=16)
def _headers(data: bytes) -> Mapping[str, Value]:
    """A frame's headers. Those of one word are those of the next: they are not read for every word."""
    found: dict[str, Value] = {}
    at = 0
    while at < len(data):
        name, at = _sized(data, at, ">B")
        read = _TYPES[data[at]]
        value, at = read(data, at + 1)
        key = name.decode()
        if key in found:
            raise ValueError("a header is there twice")
        found[key] = value
    return found


def _sized(data: bytes, at: int, length: str) -> tuple[bytes, int]:
    (size,) = struct.unpack_from(length, data, at)
    start = at + struct.calcsize(length)
    if start + size > len(data):
        raise ValueError("a value is longer than the headers")
    return data[start : start + size], start + size


def _number(form: str) -> Callable[[bytes, int], tuple[Value, int]]:
    return lambda data, at: (struct.unpack_from(form, data, at)[0], at + struct.calcsize(form))


def _text(data: bytes, at: int) -> tuple[Value, int]:
    value, at = _sized(data, at, ">H")
    return value.decode(), at


def _uuid(data: bytes, at: int) -> tuple[Value, int]:
    return uuid.UUID(bytes=data[at : at + 16]), at + 16


_TYPES: Mapping[int, Callable[[bytes, int], tuple[Value, int]]] = {
    0: lambda _, at: (True, at),
    1: lambda _, at: (False, at),
    2: _number(">b"),
    3: _number(">h"),
    4: _number(">i"),
    5: _number(">q"),
    6: lambda data, at: _sized(data, at, ">H"),
    7: _text,
    8: _number(">q"),
    9: _uuid,
}


class FrameReader:
    """The bytes of a successful answer in, events out: a `dialect.Reader` for an event stream of this format, or for
    the JSON that came instead of one.

    `wrapped`: the events of another format lie in the frames, as base64 under `bytes` (the invoke API). `statuses`: the
    status that each exception has where it comes before the answer; it tells what the exception means (M5).
    """

    def __init__(
        self,
        stream: AnswerStream,
        *,
        provider: str,
        statuses: Mapping[str, int],
        secrets: Sequence[str] = (),
        wrapped: bool = False,
    ) -> None:
        self._stream = stream
        self._provider = provider
        self._statuses = statuses
        self._secrets = secrets
        self._wrapped = wrapped
        self._parser = Parser()
        self._text = EventReader(stream, provider=provider, secrets=secrets)
        self._binary: bool | None = None

    @property
    def closed(self) -> bool:
        """See Reader.closed."""
        return self._stream.closed

    def feed(self, data: bytes) -> list[StreamEvent]:
        """See Reader.feed."""
        if self._binary is None and data:
            # a length's first byte: text begins with one that no frame is long enough for
            self._binary = data[0] <= _MAX_PAYLOAD >> 24
        if not self._binary:
            return self._text.feed(data)
        return [event for item in self._parser.feed(data) for event in self._take(item)]

    def end(self) -> list[StreamEvent]:
        """See Reader.end. A last frame that is not whole says nothing."""
        return self._stream.end() if self._binary or self.closed else self._text.end()

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """See Reader.broken."""
        return self._stream.broken(error)

    def _take(self, item: Frame | Malformed) -> list[StreamEvent]:
        if isinstance(item, Malformed):
            return self._stream.broken(ServerError(f"a frame of the stream is damaged: {item.fault}"))
        words = item.payload.decode("utf-8", "replace")
        kind = item.header(":message-type")
        if kind == "exception":
            return self._fail(item.header(":exception-type"), words)
        if kind == "error":
            return self._fail(item.header(":error-code"), item.header(":error-message") or words)
        event = item.header(":event-type")
        if self._wrapped:
            inner = _unwrapped(words)
            return [] if inner is None else self._stream.chunk(inner, event)
        return self._stream.chunk(words, event)

    def _fail(self, code: str, words: str) -> list[StreamEvent]:
        said = object_of(words) or {"message": words or code or "the provider gave up"}
        error: dict[str, Any] = {**said, "code": code or None}
        if code.lower() in self._statuses:
            error["status"] = self._statuses[code.lower()]
        return self._stream.broken(classify_error(error, provider=self._provider, secrets=self._secrets))


def _unwrapped(words: str) -> str | None:
    """The event in a frame of the invoke API; None if there is none."""
    inner = (object_of(words) or {}).get("bytes")
    try:
        return base64.b64decode(inner).decode("utf-8", "replace") if isinstance(inner, str) else None
    except ValueError:
        return None
