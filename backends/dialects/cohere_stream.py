"""Cohere's chat API, from the events of an answer to ours: a state machine without I/O.

    message-start · (content-start · content-delta* · content-end)* · tool-plan-delta* ·
    (tool-call-start · tool-call-delta* · tool-call-end)* · message-end

`message-end` with its reason is the terminal signal (M3); it may carry an error instead, under status 200 (M5). A plan
for the tools is a thought with a field of its own. What was cited is carried beside the text, as it came (M2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from graphrt.backends.dialects.answering import Answering, object_of
from graphrt.backends.dialects.citations import of_cohere
from graphrt.backends.dialects.logprobs import of_cohere as weighed
from graphrt.backends.dialects.values import count, dicts, is_json, mended, text_of
from graphrt.backends.errors import BackendError, ServerError, TimedOut
from graphrt.backends.events import FinishReason, StreamEvent, Usage
from graphrt.backends.messages import ServerTool
from graphrt.backends.wire.classify import classify_error
from graphrt.backends.wire.redaction import redact

FINISH: Mapping[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
_FAILURES: Mapping[str, type[BackendError]] = {"ERROR": ServerError, "TIMEOUT": TimedOut}


class CohereStream:
    """Events of a chat answer in, events out: an AnswerStream."""

    def __init__(self, answer: Answering, *, secrets: Sequence[str] = ()) -> None:
        self._answer = answer
        self._secrets = tuple(secrets)
        self._thinks_in = ""
        self._calls: dict[Any, int] = {}
        self._begun = 0
        self._blocks: dict[Any, list[Any]] = {}
        self._citations: list[Any] = []
        self._before = 0

    @property
    def closed(self) -> bool:
        """See AnswerStream.closed."""
        return self._answer.closed

    def chunk(self, data: str, event: str = "message") -> list[StreamEvent]:
        """See AnswerStream.chunk."""
        text = data.strip()
        if self.closed or not text:
            return []
        if text == "[DONE]":
            return self.end()
        parsed = object_of(text)
        if parsed is None:
            if event == "error":
                return self._refused(data)
            if is_json(text):
                return []
            return self.broken(ServerError(f"a chunk that is not JSON: {redact(text, self._secrets)[:80]!r}"))
        return self._take(parsed, text_of(parsed.get("type")) or ("" if event == "message" else event))

    def body(self, parsed: Any) -> list[StreamEvent]:
        """See AnswerStream.body."""
        message = parsed.get("message") if isinstance(parsed, dict) else None
        if not isinstance(message, dict):
            return self._refused(parsed)
        self._answer.named(None, text_of(parsed.get("id")))
        self._answer.begin()
        cited = _some(message.get("citations"))
        content = message.get("content")
        blocks = [
            {"type": "text", "text": block} if isinstance(block, str) else block
            for block in (content if isinstance(content, list) else [content])
        ]
        first = next((number for number, block in enumerate(blocks) if _object(block).get("type") == "text"), 0)
        for number, block in enumerate(blocks):
            self._begin_block()
            self._content(number, block)
            self._cite([it for it in cited if it.get("content_index", first) == number])
        self._answer.weigh(weighed(parsed.get("logprobs")))
        self._think(message.get("tool_plan"), "tool_plan")
        for number, call in enumerate(dicts(message.get("tool_calls"))):
            self._call(number, call)
        return self._finish(parsed)

    def end(self) -> list[StreamEvent]:
        """See AnswerStream.end."""
        return [] if self.closed else self._answer.truncated("finish reason")

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """See AnswerStream.broken."""
        return self._answer.fail(error)

    def _refused(self, said: Any) -> list[StreamEvent]:
        return self.broken(classify_error(said, provider=self._answer.provider, secrets=self._secrets))

    # what an event says

    def _take(self, parsed: dict[str, Any], kind: str) -> list[StreamEvent]:
        delta = _object(parsed.get("delta"))
        message = _object(delta.get("message"))
        index = _key(parsed.get("index"))
        match kind:
            case "message-start":
                self._answer.named(None, text_of(parsed.get("id")))
                self._answer.begin()
            case "content-start":
                self._begin_block()
                self._content(index, message.get("content"))
            case "content-delta":
                self._content(index, message.get("content"))
                if "logprobs" in parsed:
                    self._answer.weigh(weighed(parsed["logprobs"]))
            case "tool-plan-delta":
                self._think(message.get("tool_plan"), "tool_plan")
            case "tool-call-start":
                for call in _some(message.get("tool_calls")):
                    self._call(index, call)
            case "tool-call-delta":
                for call in _some(message.get("tool_calls")):
                    self._arguments(index, call)
            case "citation-start":
                self._cite(_some(message.get("citations")))
            case "message-end":
                return self._finish(delta)
            case _ if kind == "error" or (not kind and any(parsed.get(key) for key in ("message", "error", "detail"))):
                return self._refused(parsed)
        return self._answer.flush()

    def _content(self, index: Any, content: Any) -> None:
        if not isinstance(content, dict):
            return
        if index in self._blocks or content.get("type") not in (None, "text", "thinking"):
            self._blocks.setdefault(index, []).append(mended(content))
            return
        self._think(content.get("thinking"), "thinking")
        words = content.get("text")
        self._answer.say("text", words if isinstance(words, str) else None)

    def _think(self, words: Any, field: str) -> None:
        if not isinstance(words, str) or not words:
            return
        if self._thinks_in != field:
            self._answer.hush()
        self._thinks_in = field
        self._answer.prose("reasoning")["field"] = field
        self._answer.say("reasoning", words)

    def _call(self, index: Any, call: dict[str, Any]) -> None:
        # a call stays open until the reason is known: it tells whether the last one was cut
        self._answer.hush()
        self._begun += 1
        self._calls[index] = self._begun
        name = text_of(_object(call.get("function")).get("name")) or ""
        self._answer.open(self._begun, "tool_call", name=name, call_id=text_of(call.get("id")))
        self._arguments(index, call)

    def _arguments(self, index: Any, call: dict[str, Any]) -> None:
        key = self._calls.get(index)
        arguments = _object(call.get("function")).get("arguments")
        if key is None or arguments is None:
            return
        if not isinstance(arguments, str):
            self._answer.restart(key)
            arguments = json.dumps(mended(arguments), ensure_ascii=False)
        self._answer.add(key, arguments)

    def _begin_block(self) -> None:
        """End the words of the last block. They are open until then: what they go back to may come after them."""
        self._answer.hush()
        self._before = len(self._answer.text())

    def _cite(self, citations: Sequence[dict[str, Any]]) -> None:
        self._citations += map(mended, citations)
        self._answer.cite(of_cohere(citations, self._before))

    def _finish(self, said: dict[str, Any]) -> list[StreamEvent]:
        self._answer.hush()
        usage = said.get("usage")
        if isinstance(usage, dict) and usage:
            self._answer.usage = normal_usage(usage)
        if said.get("error"):
            return self._refused({"message": said["error"], "error_type": said.get("error_type")})
        raw = text_of(said.get("finish_reason"))
        if raw is None:
            return self.end()
        if raw in _FAILURES:
            return self.broken(_FAILURES[raw](f"the provider gave up: finish reason {raw!r}", code=raw))
        for pieces in self._blocks.values():
            name = text_of(pieces[0].get("type")) or "content"
            self._answer.put(ServerTool(name=name, opaque=self._answer.opaque({"blocks": pieces})))
        if self._citations:
            facts = {"facts": self._citations}
            self._answer.put(ServerTool(name="citations", opaque=self._answer.opaque(facts)))
        return self._answer.finish(FINISH.get(raw, "other"), raw)


def normal_usage(raw: Mapping[str, Any]) -> Usage:
    """A usage in our terms (M4): of the tokens that were read and written, not of those that are billed."""
    tokens = _object(raw.get("tokens"))
    return Usage(
        input=count(tokens.get("input_tokens")),
        output=count(tokens.get("output_tokens")),
        cache_read=count(raw.get("cached_tokens")),
        reasoning=count(tokens.get("reasoning_tokens")),
        raw=dict(raw),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _some(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, or the only one: the stream sends one where the body sends a list."""
    return dicts(value if isinstance(value, list) else [value])


def _key(index: Any) -> Any:
    return index if isinstance(index, (int, str)) else None
