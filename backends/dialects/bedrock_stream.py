"""Bedrock's Converse API, from the events of an answer to ours: a state machine without I/O.

    messageStart · { contentBlockStart? · contentBlockDelta* · contentBlockStop }* · messageStop · metadata

`messageStop` is the provider's terminal signal, and `metadata` with the usage comes after it: the answer ends with
whichever is last, or where the stream does after `messageStop`. Everything else is a `Failed` with the partial answer
(M3).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from graphrt.backends.dialects.answering import Answering, lost, object_of
from graphrt.backends.dialects.citations import of_bedrock
from graphrt.backends.dialects.values import count, dicts, mended, text_of
from graphrt.backends.errors import BackendError, InvalidOutput
from graphrt.backends.events import FinishReason, StreamEvent, Usage
from graphrt.backends.messages import Media, Reasoning, ServerTool, Text
from graphrt.backends.wire.classify import classify_error

EXCEPTIONS: Mapping[str, int] = {
    "validationexception": 400,
    "accessdeniedexception": 403,
    "resourcenotfoundexception": 404,
    "modeltimeoutexception": 408,
    "throttlingexception": 429,
    "modelnotreadyexception": 429,
    "internalserverexception": 500,
    "serviceunavailableexception": 503,
}
"""The status that an exception in a stream has outside of one. The model's own errors are not among them: their 424
does not tell that the same request may well succeed."""

_FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "refusal",
    "pause_turn": "pause",
}
_FAILURES = frozenset({"malformed_model_output", "malformed_tool_use"})


class ConverseStream:
    """Events of the Converse API in, ours out: an AnswerStream."""

    def __init__(self, answer: Answering, *, secrets: Sequence[str] = ()) -> None:
        self._answer = answer
        self._secrets = tuple(secrets)
        self._blocks: dict[int | None, tuple[str, Any]] = {}
        self._stopped = False
        self._raw_finish: str | None = None
        self._counted = False

    @property
    def closed(self) -> bool:
        """See AnswerStream.closed."""
        return self._answer.closed

    def chunk(self, data: str, event: str = "message") -> list[StreamEvent]:
        """See AnswerStream.chunk. `event` is the frame's type; one that nobody knows is passed over."""
        said = object_of(data)
        if self.closed or said is None:
            return []
        index = said.get("contentBlockIndex")
        index = index if isinstance(index, int) else None
        match event:
            case "messageStart":
                self._answer.begin()
            case "contentBlockStart":
                self._start(index, said.get("start"))
            case "contentBlockDelta":
                self._add(index, said.get("delta"))
            case "contentBlockStop":
                self._stop(index)
            case "messageStop":
                self._finished(said.get("stopReason"))
            case "metadata":
                self._count(said.get("usage"))
                self._counted = True
            case _:
                pass
        return self.end() if self._stopped and self._counted else self._answer.flush()

    def body(self, parsed: Any) -> list[StreamEvent]:
        """See AnswerStream.body."""
        output = parsed.get("output") if isinstance(parsed, dict) else None
        if not isinstance(parsed, dict) or not isinstance(output, dict):
            return self.broken(classify_error(parsed, provider=self._answer.provider, secrets=self._secrets))
        self._answer.begin()
        message = output.get("message")
        for number, block in enumerate(dicts(message.get("content") if isinstance(message, dict) else None)):
            self._put(number, block)
        self._count(parsed.get("usage"))
        if parsed.get("stopReason") is not None:
            self._finished(parsed["stopReason"])
        return self.end()

    def end(self) -> list[StreamEvent]:
        """See AnswerStream.end."""
        if self.closed:
            return []
        if not self._stopped:
            return self._answer.truncated("stop reason")
        raw = self._raw_finish
        if raw in _FAILURES:
            return self._answer.fail(InvalidOutput(f"the provider gave up: stop reason {raw!r}", code=raw))
        for index in list(self._blocks):
            self._stop(index)
        return self._answer.finish(_FINISH.get(raw or "", "other"), raw)

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """See AnswerStream.broken. A connection lost after the stop reason loses nothing but the usage."""
        if lost(error) and self._stopped:
            return self.end()
        return self._answer.fail(error)

    # a stream's blocks

    def _start(self, index: int | None, start: Any) -> None:
        for kind, value in start.items() if isinstance(start, dict) else ():
            if kind == "toolUse" and _is_ours(value):
                self._call(index, value)
            elif kind in {"text", "citation", "reasoningContent"}:
                self._add(index, {kind: value})
            else:
                self._blocks[index] = (kind, mended(value))

    def _add(self, index: int | None, delta: Any) -> None:
        if not isinstance(delta, dict):
            return
        for kind, value in delta.items():
            begun = self._blocks.get(index)
            if begun is not None and begun[0] == kind:
                self._blocks[index] = (kind, joined(begun[1], mended(value)))
            elif kind == "text":
                self._say(index, "text", value)
            elif kind == "citation":
                self._said(index, "text").setdefault("citations", []).append(mended(value))
            elif kind == "reasoningContent" and isinstance(value, dict):
                self._think(index, value)
            elif kind == "toolUse" and isinstance(value, dict):
                self._argue(index, value.get("input"))
            else:
                self._blocks[index] = (kind, joined(None, mended(value)))

    def _stop(self, index: int | None) -> None:
        """End a block. A call stays open until the stop reason tells whether it was cut."""
        for key in ((index, "text"), (index, "reasoning")):
            if self._answer.is_open(key):
                cited = self._answer.facts(key).get("citations")
                if cited:
                    self._answer.cited(key, of_bedrock(cited, len(self._answer.said(key))))
                self._answer.close(key)
        if index in self._blocks:
            kind, value = self._blocks.pop(index)
            if kind == "toolUse" and isinstance(value, dict):
                value = {**value, "input": _parsed(value.get("input"))}
            self._put(index, {kind: value})

    def _call(self, index: int | None, use: Mapping[str, Any]) -> None:
        key = (index, "tool_call")
        if not self._answer.is_open(key):
            self._answer.open(
                key, "tool_call", name=text_of(use.get("name")) or "", call_id=text_of(use.get("toolUseId"))
            )
        self._argue(index, use.get("input"))

    def _argue(self, index: int | None, value: Any) -> None:
        key = (index, "tool_call")
        if not self._answer.is_open(key):
            self._answer.open(key, "tool_call")
        if value is not None:
            self._answer.add(key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))

    def _said(self, index: int | None, kind: str) -> dict[str, Any]:
        key = (index, kind)
        if not self._answer.is_open(key):
            self._answer.open(key, kind)
        return self._answer.facts(key)

    def _say(self, index: int | None, kind: str, text: Any) -> None:
        if isinstance(text, str) and text:
            self._said(index, kind)
            self._answer.add((index, kind), text)

    def _think(self, index: int | None, thought: Mapping[str, Any]) -> None:
        self._say(index, "reasoning", thought.get("text"))
        signature, sealed = text_of(thought.get("signature")), text_of(thought.get("redactedContent"))
        if signature:
            facts = self._said(index, "reasoning")
            facts["signature"] = facts.get("signature", "") + signature
        if sealed:
            facts = self._said(index, "reasoning")
            facts["redacted"] = _joined_bytes(facts.get("redacted", ""), sealed)

    # whole blocks

    def _put(self, index: int | None, block: dict[str, Any]) -> None:
        """A block that is there all at once."""
        match block:
            case {"text": str(text)}:
                self._say(index, "text", text)
                self._stop(index)
            case {"citationsContent": dict(cited)}:
                self._answer.put(self._cited(cited))
            case {"reasoningContent": dict(thought)}:
                self._put_thought(thought)
            case {"toolUse": dict(use)} if _is_ours(use):
                self._call(index, use)
            case {"image": {"format": str(form), "source": {"bytes": str(data)}}} if form and data:
                self._answer.put(Media(media_type=f"image/{form}", data=data))
            case _:
                name = next(iter(block), "")
                self._answer.put(ServerTool(name=name, opaque=self._answer.opaque(mended(block))))

    def _cited(self, cited: Mapping[str, Any]) -> Text:
        content = mended(cited.get("content"))
        words = "".join(text_of(piece.get("text")) or "" for piece in dicts(content))
        facts: dict[str, Any] = {"citations": mended(cited.get("citations") or [])}
        if content and content != [{"text": words}]:
            facts["content"] = content  # in pieces of its own
        citations = tuple(of_bedrock(facts["citations"], len(words)))
        return Text(text=words, citations=citations, opaque=self._answer.opaque(facts))

    def _put_thought(self, thought: Mapping[str, Any]) -> None:
        said = thought.get("reasoningText")
        said = said if isinstance(said, dict) else {}
        known = {"signature": text_of(said.get("signature")), "redacted": text_of(thought.get("redactedContent"))}
        facts = {name: value for name, value in known.items() if value}
        text = text_of(said.get("text")) or ""
        if text or facts:
            self._answer.put(Reasoning(text=text, opaque=self._answer.opaque(facts) if facts else None))

    # the end

    def _finished(self, reason: Any) -> None:
        self._stopped = True
        self._raw_finish = text_of(reason)

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._answer.usage = normal_usage(usage)


def _is_ours(use: Any) -> bool:
    """Whether a tool use is the caller's to run. One of another type the provider has run itself."""
    return isinstance(use, dict) and text_of(use.get("type")) in {None, "tool_use"}


def normal_usage(raw: Mapping[str, Any]) -> Usage:
    """Return Bedrock's counts as ours: its input excludes what the cache read and wrote (M4)."""
    read, write = (
        count(raw.get(f"{name}InputTokens", raw.get(f"{name}InputTokenCount"))) for name in ("cacheRead", "cacheWrite")
    )
    plain = count(raw.get("inputTokens"))
    return Usage(
        input=None if plain is None else plain + (read or 0) + (write or 0),
        output=count(raw.get("outputTokens")),
        cache_read=read,
        cache_write=write,
        raw=dict(raw),
    )


def joined(begun: Any, more: Any) -> Any:
    """Return a block of a kind that nobody here knows with one more piece: texts and lists grow, objects field by
    field, and of anything else the last counts. A list that comes for an object is its `content`."""
    match begun, more:
        case str(), str():
            return begun + more
        case list(), list():
            return begun + more
        case dict(), dict():
            return begun | {key: joined(begun.get(key), value) for key, value in more.items()}
        case dict(), list():
            return begun | {"content": joined(begun.get("content"), more)}
        case _:
            return more


def _parsed(text: Any) -> Any:
    """What a server's call was given. The stream writes it as text, and the API wants it back as an object."""
    if not isinstance(text, str):
        return {} if text is None else text
    return object_of(text) or {}


def _joined_bytes(begun: str, more: str) -> str:
    """Two pieces of base64 as one. Each is padded by itself."""
    if not begun:
        return more
    try:
        return base64.b64encode(base64.b64decode(begun) + base64.b64decode(more)).decode()
    except ValueError:
        return begun + more
