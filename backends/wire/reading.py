"""The bytes of an answer over HTTP: an event stream, or what came instead of one. Without I/O."""

from __future__ import annotations

import json
from collections.abc import Sequence

from graphrt.backends.dialects.answering import AnswerStream
from graphrt.backends.dialects.values import is_json
from graphrt.backends.errors import BackendError, ServerError, StreamTruncated
from graphrt.backends.events import StreamEvent
from graphrt.backends.wire.classify import page_words
from graphrt.backends.wire.redaction import redact
from graphrt.backends.wire.sse import Event, Malformed, Parser

_BODY_LIMIT = 64 << 20
"""Bytes of one JSON body, or of one event, beyond which nobody means it."""
_SHOWN = 1000
"""Bytes kept of what came instead of events, to show it."""


class EventReader:
    """The bytes of a successful answer in, events out: an event stream, or the JSON body some servers send anyway."""

    def __init__(self, stream: AnswerStream, *, provider: str, secrets: Sequence[str] = ()) -> None:
        self._stream = stream
        self._provider = provider
        self._secrets = secrets
        self._sse = Parser(max_buffer=_BODY_LIMIT)
        self._shape: str | None = None
        self._seen = bytearray()
        self._had_event = False
        self._astray = False

    @property
    def closed(self) -> bool:
        """Whether the terminal event is out: there is nothing left to read for."""
        return self._stream.closed

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes."""
        if self._shape is None:
            self._seen += data
            head = bytes(self._seen).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
            if not head:
                return []
            # the first character tells more than the content type, which is often missing or wrong
            self._shape = {b"{": "json", b"[": "json", b"<": "page"}.get(head, "events")
            data = bytes(self._seen)
            self._seen.clear()
        if self._shape == "events":
            return self._feed_events(data)
        self._seen += data
        if len(self._seen) > _BODY_LIMIT:
            return self._stream.broken(ServerError("the answer is too large", provider=self._provider))
        return []

    def end(self) -> list[StreamEvent]:
        """The connection was closed in order."""
        if self.closed:
            return []
        if self._shape == "json":
            try:
                parsed = json.loads(self._seen.decode("utf-8-sig", "replace"))
            except (ValueError, RecursionError):
                return self._stream.broken(StreamTruncated("the answer's JSON ended early", provider=self._provider))
            return self._stream.body(parsed)
        if self._shape == "page" or (not self._had_event and (self._astray or self._sse.astray)):
            words = page_words(redact(self._seen.decode("utf-8", "replace"), self._secrets))
            return self._stream.broken(ServerError(f"not an answer but: {words}", provider=self._provider))
        return self._end_events()

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """The connection broke."""
        return self._stream.broken(error)

    def _feed_events(self, data: bytes) -> list[StreamEvent]:
        if not self._had_event and len(self._seen) < _SHOWN:
            self._seen += data
        events: list[StreamEvent] = []
        for item in self._sse.feed(data):
            if isinstance(item, Event):
                self._had_event = True
                events += self._stream.chunk(item.data, item.event)
            elif isinstance(item, Malformed) and item.fault == "unknown-field":
                self._astray = True
            elif isinstance(item, Malformed) and item.fault == "max-buffer-size-exceeded":
                events += self._stream.broken(
                    ServerError("one event of the stream is too large", provider=self._provider)
                )
        return events

    def _end_events(self) -> list[StreamEvent]:
        # a last event without its blank line counts if it is whole: then the finish reason in it decides, as everywhere
        last = self._sse.unfinished
        events = self._stream.chunk(last) if last and (last.strip() == "[DONE]" or is_json(last)) else []
        return events + self._stream.end()
