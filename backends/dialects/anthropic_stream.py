"""The Anthropic Messages dialect, from the events of an answer to ours: a state machine without I/O.

Blocks come one after another, each begun, continued and ended by events of its own. A tool call stays open until the
stop reason is known: only that tells whether it was cut (M3). What the provider did on its own side, and every kind of
block that is not known here, is carried whole (M2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphrt.backends.dialects.answering import Answering, lost, object_of
from graphrt.backends.dialects.citations import of_anthropic
from graphrt.backends.dialects.values import count, dicts, index_of, is_json, mended, text_of
from graphrt.backends.errors import BackendError, ServerError, StreamTruncated
from graphrt.backends.events import FinishReason, StreamEvent, Usage
from graphrt.backends.messages import ServerTool
from graphrt.backends.wire.classify import classify_error
from graphrt.backends.wire.redaction import redact

_FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "compaction": "pause",
    "refusal": "refusal",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
_CUT = frozenset({"length", "content_filter", "refusal"})
"""Ends that the model did not choose: what it was saying last may be half of it."""
_INPUT = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_KINDS = {"text": "text", "thinking": "reasoning", "redacted_thinking": "reasoning", "tool_use": "tool_call"}
_SAID = {"text": {"type", "text"}, "thinking": {"type", "thinking"}, "tool_use": {"type", "id", "name", "input"}}
"""What a part of ours says in fields of its own; everything else of a block is only the provider's."""


@dataclass(slots=True)
class _Block:
    """A block while it arrives: its type, what began it, and what its deltas made of that."""

    kind: str
    fields: dict[str, Any]
    input: str = ""
    ended: bool = False


class AnthropicStream:
    """Events of a message in, events out: an AnswerStream."""

    def __init__(self, answer: Answering, *, secrets: Sequence[str] = ()) -> None:
        self._answer = answer
        self._secrets = tuple(secrets)
        self._blocks: list[_Block] = []
        self._places: dict[int | None, int] = {}
        self._usage: dict[str, Any] = {}
        self._container: dict[str, Any] | None = None
        self._stop_reason: str | None = None

    @property
    def closed(self) -> bool:
        """See AnswerStream.closed."""
        return self._answer.closed

    def chunk(self, data: str, event: str = "message") -> list[StreamEvent]:
        """See AnswerStream.chunk."""
        text = data.strip()
        if self.closed or not text:
            return []
        if text == "[DONE]":  # no event of this API, but some proxies add it
            return self.end()
        parsed = object_of(text)
        if parsed is None:
            return self._take_astray(text, event)
        kind = text_of(parsed.get("type")) or event
        if kind == "error" or (kind == "message" and parsed.get("error")):
            return self._refused(parsed)
        if kind == "message_start" and self._is_another(parsed.get("message")):
            return self.broken(StreamTruncated("another answer began in the middle of this one"))
        self._take(kind, parsed)
        return self.end() if kind == "message_stop" else self._answer.flush()

    def body(self, parsed: Any) -> list[StreamEvent]:
        """See AnswerStream.body."""
        if not isinstance(parsed, dict) or parsed.get("error") or not {"content", "stop_reason"} & parsed.keys():
            return self._refused(parsed)
        self._take_message(parsed)
        usage = parsed.get("usage")
        if isinstance(usage, dict):
            self._answer.usage = normal_usage(usage)
        return self.end()

    def end(self) -> list[StreamEvent]:
        """See AnswerStream.end."""
        if self.closed:
            return []
        if self._stop_reason is None:
            return self._answer.truncated("stop reason")
        reason = _FINISH.get(self._stop_reason, "other")
        last = len(self._blocks) - 1
        for key in range(len(self._blocks)):
            if self._answer.is_open(key):
                # a model that went on to another block had ended this one itself
                self._close(key, whole=reason not in _CUT or key != last)
        if self._container is not None:
            sealed = self._answer.opaque({"container": mended(self._container)})
            self._answer.put(ServerTool(name="container", opaque=sealed))
        return self._answer.finish(reason, self._stop_reason)

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """See AnswerStream.broken. A connection lost after the stop reason loses nothing."""
        if lost(error) and self._stop_reason is not None:
            return self.end()
        return self._answer.fail(error)

    def _refused(self, said: Any) -> list[StreamEvent]:
        return self.broken(classify_error(said, provider=self._answer.provider, secrets=self._secrets))

    def _take_astray(self, text: str, event: str) -> list[StreamEvent]:
        """Data that is no object: nothing, unless it stands where an event should."""
        if event == "error":
            return self._refused(text)
        if self._stop_reason is not None or is_json(text):
            return []
        words = redact(text, self._secrets)[:80]
        return self.broken(ServerError(f"an event that is not JSON: {words!r}"))

    def _is_another(self, message: Any) -> bool:
        """Whether a proxy spliced a second try into the stream: two halves make no answer."""
        known, id_ = self._answer.response_id, message.get("id") if isinstance(message, dict) else None
        return bool(self._blocks) and known is not None and id_ is not None and id_ != known

    # What an event says.

    def _take(self, kind: str, parsed: dict[str, Any]) -> None:
        match kind, parsed:
            case "message_start", {"message": dict(message)}:
                self._take_message(message)
                self._take_usage(message)
            case "content_block_start", {"content_block": dict(block)}:
                self._begin(block, index_of(parsed))
            case "content_block_delta", {"delta": dict(delta)}:
                self._add(self._places.get(index_of(parsed)), delta)
            case "content_block_stop", _:
                self._end(self._places.get(index_of(parsed)))
            case "message_delta", _:
                self._take_end(parsed.get("delta"))
                self._take_usage(parsed)
            case _:
                pass  # pings, and what is not invented yet

    def _take_message(self, message: dict[str, Any]) -> None:
        self._answer.named(text_of(message.get("model")), text_of(message.get("id")))
        self._answer.begin()
        for block in dicts(message.get("content")):  # a stream, too, may begin with blocks that are whole
            self._begin(block, None)
            self._end(len(self._blocks) - 1)
        self._take_end(message)

    def _take_end(self, said: Any) -> None:
        if isinstance(said, dict):
            self._stop_reason = text_of(said.get("stop_reason")) or self._stop_reason
            container = said.get("container")
            self._container = container if isinstance(container, dict) else self._container

    def _take_usage(self, said: dict[str, Any]) -> None:
        """Usage is cumulative: what comes later counts, and what is not repeated stays."""
        usage = said.get("usage")
        if isinstance(usage, dict) and usage:
            self._usage |= {name: value for name, value in usage.items() if value is not None}
            self._answer.usage = normal_usage(self._usage)

    # Blocks, known by their place in the answer: a wire index may be missing, or come again.

    def _begin(self, fields: dict[str, Any], index: int | None) -> None:
        key = self._places[index] = len(self._blocks)
        block = _Block(text_of(fields.get("type")) or "", dict(fields))
        self._blocks.append(block)
        name = text_of(fields.get("name")) or ""
        match block.kind:
            case "tool_use":
                self._answer.open(key, "tool_call", name=name, call_id=text_of(fields.get("id")))
            case "text" | "thinking":
                self._answer.open(key, _KINDS[block.kind])
                self._answer.add(key, text_of(fields.get(block.kind)))
            case "redacted_thinking":
                self._answer.open(key, _KINDS[block.kind])
            case _:
                self._answer.open(key, "server_tool", name=name or block.kind)

    def _add(self, key: int | None, delta: dict[str, Any]) -> None:
        if key is None or self._blocks[key].ended:
            return
        block = self._blocks[key]
        match delta:
            case {"type": "text_delta", "text": words} if block.kind == "text":
                self._answer.add(key, words if isinstance(words, str) else None)
            case {"type": "thinking_delta", "thinking": words} if block.kind == "thinking":
                self._answer.add(key, words if isinstance(words, str) else None)
            case {"type": "input_json_delta", "partial_json": str(piece)}:
                block.input += piece
                if block.kind == "tool_use":
                    self._answer.add(key, piece)
            case {"type": "citations_delta", "citation": citation}:
                grow(block.fields, {"citations": [citation]})
            case _:
                grow(block.fields, {name: value for name, value in delta.items() if name != "type"})

    def _end(self, key: int | None) -> None:
        if key is not None and not self._blocks[key].ended:
            self._blocks[key].ended = True
            if self._blocks[key].kind != "tool_use":
                self._close(key)

    def _close(self, key: int, *, whole: bool = True) -> None:
        block = self._blocks[key]
        facts = self._answer.facts(key)
        if block.kind in _KINDS:
            said = _SAID.get(block.kind, {"type"})
            kept = {name: value for name, value in block.fields.items() if name not in said}
            facts.update(mended({name: value for name, value in kept.items() if value not in (None, "", [])}))
            if block.kind == "text" and block.fields.get("citations"):
                cited = of_anthropic(block.fields["citations"], len(self._answer.said(key)))
                self._answer.cited(key, cited)
            if block.kind == "tool_use" and not block.input and block.fields.get("input"):
                self._answer.add(key, json.dumps(block.fields["input"], ensure_ascii=False))
        elif not block.input or is_json(block.input):
            more = {"input": json.loads(block.input)} if block.input else {}
            facts["block"] = mended(block.fields | more)
        else:
            facts.update(mended({"block": block.fields, "partial_json": block.input}))
        self._answer.close(key, complete=whole)


def grow(fields: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add what a delta says to the fields of its block: words and lists go on, everything else is new."""
    for name, value in more.items():
        match fields.get(name), value:
            case (str(known), str(words)):
                fields[name] = known + words
            case (list(known), list(items)):
                fields[name] = [*known, *items]
            case _, None:
                pass
            case _:
                fields[name] = value


def normal_usage(usage: dict[str, Any]) -> Usage:
    """Return the provider's usage in our terms (M4): its `input_tokens` leave out what came from the cache or went
    there."""
    input_, read, write = (count(usage.get(name)) for name in _INPUT)
    details = usage.get("output_tokens_details")
    return Usage(
        input=None if input_ is None else input_ + (read or 0) + (write or 0),
        output=count(usage.get("output_tokens")),
        cache_read=read,
        cache_write=write,
        reasoning=count(details.get("thinking_tokens")) if isinstance(details, dict) else None,
        raw=mended(usage),
    )
