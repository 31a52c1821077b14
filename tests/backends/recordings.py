"""Recorded streams of every dialect: their bytes, who reads them, when their provider said that they are whole, and
what they mean."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.anthropic_stream import AnthropicStream
from graphrt.backends.dialects.bedrock_stream import EXCEPTIONS
from graphrt.backends.dialects.cohere_v1 import read_v1
from graphrt.backends.dialects.dialect import Reader
from graphrt.backends.errors import BackendError
from graphrt.backends.events import Answer, Fold, StreamEvent
from graphrt.backends.messages import Message
from graphrt.backends.wire.eventstream import FrameReader
from tests.backends.provider import Reply, open_at
from tests.backends.replay import TRAFFIC


def body_of(response: Mapping[str, Any]) -> bytes:
    """The body of a recorded or constructed response as it came over the wire."""
    if response.get("body_b64") is not None:
        return base64.b64decode(response["body_b64"])
    if response.get("body_text") is not None:
        return str(response["body_text"]).encode()
    return json.dumps(response["body"], ensure_ascii=False).encode()


def reply_of(response: Mapping[str, Any], body: bytes | None = None, **more: Any) -> Reply:
    """A recorded or constructed response, to be given again, or another body in its place."""
    headers = {name: str(value) for name, value in response["headers"].items()}
    return Reply([body_of(response) if body is None else body], response["status"], headers, **more)


@dataclass(frozen=True)
class Recording:
    """One recorded stream."""

    name: str
    api: str
    provider: str
    body: bytes
    response: Mapping[str, Any]
    expected: Mapping[str, Any]

    @property
    def framing(self) -> str:
        """How its bytes are framed."""
        return str(self.expected["stream"]["framing"])

    def reader(self) -> Reader:
        """Return what reads it, with call ids that count."""
        numbers = count()
        answer = Answering(self.provider, "m", call_id=lambda: f"made-{next(numbers)}")
        if self.api == "chat_v1":
            return read_v1(answer)
        if self.api == "invoke_anthropic":
            stream = AnthropicStream(answer)
            return FrameReader(stream, provider=self.provider, statuses=EXCEPTIONS, wrapped=True)
        return open_at(self.api, "http://localhost", provider=self.provider).dialect.read(answer)

    def read(self, chunks: Iterable[bytes]) -> list[StreamEvent]:
        """All events of these bytes, read as this recording's are."""
        reader = self.reader()
        events = [event for chunk in chunks for event in reader.feed(chunk)]
        return events + reader.end()


@cache
def streams() -> tuple[Recording, ...]:
    """Every recorded stream that began, the shortest first."""
    found = []
    for path in sorted(TRAFFIC.glob("[a-z]*/*.stream.*.json")):
        exchange = json.loads(path.read_text("utf-8"))
        if exchange["response"]["status"] < 300 and exchange["expected"]["stream"]:
            found.append(_recording(path, exchange))
    return tuple(sorted(found, key=lambda recording: (len(recording.body), recording.name)))


def _recording(path: Path, exchange: Mapping[str, Any]) -> Recording:
    response = exchange["response"]
    named = f"{path.parent.name}/{path.stem}"
    return Recording(named, exchange["api"], exchange["provider"], body_of(response), response, exchange["expected"])


_SIGNALS: Mapping[str, bytes] = {
    "chat_completions": rb'"finish_reason": ?"\w+"',
    "responses": rb'"type": ?"response\.(?:completed|incomplete|failed)"',
    "messages": rb'"stop_reason": ?"\w+"',
    "generate_content": rb'"finishReason": ?"\w+"',
    "chat_v2": rb'"type": ?"message-end"',
    "chat_v1": rb'"event_type": ?"stream-end"',
    "converse": rb"messageStop",
    "ollama_generate": rb'"done": ?true',
}
"""How each API says that an answer is whole, found in the bytes by nobody who parses them."""


def signal(recording: Recording, body: bytes) -> int | None:
    """After how many bytes of `body` the provider has said, at the earliest, that the answer is whole."""
    if recording.api == "invoke_anthropic":
        # the events are in the frames, as base64
        told = re.finditer(rb'"bytes": ?"([^"]*)"', body)
        ends = (found.end() for found in told if re.search(_SIGNALS["messages"], base64.b64decode(found[1])))
        return next(ends, None)
    found = re.search(_SIGNALS[recording.api], body)
    return found.end() if found else None


@dataclass(frozen=True)
class Told:
    """What a stream meant: an answer or an error, and what was said either way."""

    answer: Answer | None
    error: BackendError | None
    message: Message

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, to be compared."""
        error, answer = self.error, self.answer
        return {
            "parts": [part.model_dump() for part in self.message.parts],
            "answer": answer and answer.model_dump(exclude={"message"}),
            "error": error and (type(error), error.provider_message, error.code, error.status, error.usage),
        }


def told(events: Iterable[StreamEvent]) -> Told:
    """What these events mean. Breaks on a stream that breaks the grammar."""
    state = Fold()
    for event in events:
        state.add(event)
    try:
        answer = state.answer()
    except BackendError as error:
        return Told(None, error, error.partial or Message(role="assistant", parts=()))
    return Told(answer, None, answer.message)
