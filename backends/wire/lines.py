"""The bytes of an answer that is one JSON value a line (NDJSON), or of what came instead of one. Without I/O.

Lines end in LF or CRLF and in nothing else; a line is decoded only when it is whole, so a character may be split
anywhere. A last line without its end counts if it is whole JSON: then what is in it decides, as everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from graphrt.backends.dialects.answering import AnswerStream
from graphrt.backends.dialects.values import is_json
from graphrt.backends.errors import BackendError, ServerError, StreamTruncated
from graphrt.backends.events import StreamEvent
from graphrt.backends.wire.classify import page_words
from graphrt.backends.wire.redaction import redact

_LIMIT = 64 << 20
"""Bytes of one line beyond which nobody means it."""
_SHOWN = 1000
"""Bytes kept of what came instead of lines, to show it."""
_BOM = b"\xef\xbb\xbf"


class LineReader:
    """The bytes of a successful answer in, events out: a Reader over lines, or over one JSON value laid out on several.

    `limit` bounds, in bytes, what is kept from one `feed` to the next.
    """

    def __init__(
        self, stream: AnswerStream, *, provider: str, secrets: Sequence[str] = (), limit: int = _LIMIT
    ) -> None:
        self._stream = stream
        self._provider = provider
        self._secrets = secrets
        self._limit = limit
        self._kept = bytearray()
        self._shape: str | None = None

    @property
    def closed(self) -> bool:
        """Whether the terminal event is out: there is nothing left to read for."""
        return self._stream.closed

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes."""
        if self.closed or (self._shape == "page" and len(self._kept) >= _SHOWN):
            return []
        begin = len(self._kept)
        self._kept += data
        events: list[StreamEvent] = []
        while self._is_lines() and (end := self._kept.find(b"\n", begin)) >= 0 and not self.closed:
            line = bytes(self._kept[:end])
            if self._shape is None and line.strip() and not is_json(_decoded(line)):
                self._shape = "json"
                break
            del self._kept[: end + 1]
            begin = 0
            events += self._line(line)
        if self._shape != "page" and len(self._kept) > self._limit:
            events += self._stream.broken(ServerError("one line of the answer is too large", provider=self._provider))
        return events

    def end(self) -> list[StreamEvent]:
        """The connection was closed in order."""
        if self.closed:
            return []
        rest = _decoded(bytes(self._kept))
        match self._shape:
            case "page":
                words = page_words(redact(rest, self._secrets))
                return self._stream.broken(ServerError(f"not an answer but: {words}", provider=self._provider))
            case "json":
                try:
                    parsed = json.loads(rest)
                except (ValueError, RecursionError):
                    words = "the answer's JSON ended early"
                    return self._stream.broken(StreamTruncated(words, provider=self._provider))
                return self._stream.body(parsed)
            case _:
                events = self._stream.chunk(rest) if is_json(rest) else []
                return events + self._stream.end()

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """The connection broke."""
        return self._stream.broken(error)

    def _is_lines(self) -> bool:
        if self._shape is None:
            # the first character tells more than the content type, which is often missing or wrong
            head = bytes(self._kept[:_SHOWN]).lstrip(_BOM + b" \t\r\n")[:1]
            if head and head not in b"{[":
                self._shape = "page"
        return self._shape in {None, "lines"}

    def _line(self, line: bytes) -> list[StreamEvent]:
        text = _decoded(line).strip()
        if not text:
            return []
        self._shape = "lines"
        return self._stream.chunk(text)


def _decoded(line: bytes) -> str:
    return line.decode("utf-8-sig", "replace")
