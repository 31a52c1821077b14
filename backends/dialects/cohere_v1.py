"""Cohere's chat API, version 1, which is deprecated: its answers only, for what was recorded of them.

An answer is one JSON body, or lines of JSON in which `stream-end` is the terminal signal (M3) and repeats the whole.
Calls have no ids, and arguments are objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from graphrt.backends.dialects.answering import Answering, object_of
from graphrt.backends.dialects.cohere_stream import FINISH, normal_usage
from graphrt.backends.dialects.values import dicts, is_json, mended, text_of
from graphrt.backends.errors import BackendError, ServerError
from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import ServerTool
from graphrt.backends.wire.classify import classify_error
from graphrt.backends.wire.lines import LineReader
from graphrt.backends.wire.redaction import redact

_BESIDE = ("citations", "documents", "search_results", "search_queries")
"""What was done on the provider's side: carried as it came (M2)."""


def read_v1(answer: Answering, *, secrets: tuple[str, ...] = ()) -> LineReader:
    """Return what reads an answer and tells it to `answer`."""
    return LineReader(CohereV1Stream(answer, secrets=secrets), provider=answer.provider, secrets=secrets)


class CohereV1Stream:
    """The lines of an answer in, events out: an AnswerStream."""

    def __init__(self, answer: Answering, *, secrets: Sequence[str] = ()) -> None:
        self._answer = answer
        self._secrets = tuple(secrets)
        self._wanted: list[dict[str, Any]] = []
        self._beside: dict[str, list[Any]] = {name: [] for name in _BESIDE}

    @property
    def closed(self) -> bool:
        """See AnswerStream.closed."""
        return self._answer.closed

    def chunk(self, data: str, event: str = "message") -> list[StreamEvent]:
        """See AnswerStream.chunk."""
        if self.closed:
            return []
        parsed = object_of(data)
        if parsed is not None:
            return self._take(parsed) if "event_type" in parsed else self.body(parsed)
        if is_json(data):
            return []
        return self.broken(ServerError(f"a line that is not JSON: {redact(data, self._secrets)[:80]!r}"))

    def body(self, parsed: Any) -> list[StreamEvent]:
        """See AnswerStream.body."""
        if not isinstance(parsed, dict) or not parsed.get("finish_reason"):
            return self.broken(classify_error(parsed, provider=self._answer.provider, secrets=self._secrets))
        return self._end(parsed)

    def end(self) -> list[StreamEvent]:
        """See AnswerStream.end."""
        return [] if self.closed else self._answer.truncated("finish reason")

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """See AnswerStream.broken."""
        return self._answer.fail(error)

    def _take(self, parsed: dict[str, Any]) -> list[StreamEvent]:
        match parsed["event_type"]:
            case "stream-start":
                self._answer.named(None, text_of(parsed.get("generation_id")))
                self._answer.begin()
            case "text-generation":
                self._say("text", parsed.get("text"))
            case "tool-calls-chunk":
                self._say("reasoning", parsed.get("text"))
            case "tool-calls-generation":
                self._wanted = dicts(parsed.get("tool_calls"))
            case "stream-end":
                response = parsed.get("response")
                whole = response if isinstance(response, dict) else {}
                return self._end(whole | {"finish_reason": parsed.get("finish_reason") or whole.get("finish_reason")})
            case _:
                self._hear_beside(parsed)
        return self._answer.flush()

    def _end(self, whole: Mapping[str, Any]) -> list[StreamEvent]:
        self._answer.named(None, text_of(whole.get("generation_id")))
        if not self._answer.said_anything:
            self._say("text", whole.get("text"))
        if isinstance(whole.get("meta"), dict):
            self._answer.usage = normal_usage(whole["meta"])
        raw = text_of(whole.get("finish_reason"))
        if raw is None:
            return self.end()
        if raw == "ERROR":
            return self.broken(ServerError(f"the provider gave up: finish reason {raw!r}", code=raw))
        self._call(dicts(whole.get("tool_calls")) or self._wanted)
        self._hear_beside(whole)
        for name, facts in self._beside.items():
            if facts:
                self._answer.put(ServerTool(name=name, opaque=self._answer.opaque({"facts": facts})))
        return self._answer.finish(FINISH.get(raw, "other"), raw)

    def _say(self, kind: str, words: Any) -> None:
        self._answer.say(kind, words if isinstance(words, str) else None)

    def _call(self, calls: Sequence[dict[str, Any]]) -> None:
        self._answer.hush()
        for number, call in enumerate(calls):
            self._answer.open(number, "tool_call", name=text_of(call.get("name")) or "")
            self._answer.add(number, json.dumps(mended(call.get("parameters") or {}), ensure_ascii=False))

    def _hear_beside(self, parsed: Mapping[str, Any]) -> None:
        for name, known in self._beside.items():
            facts = parsed.get(name)
            for fact in facts if isinstance(facts, list) else ():
                if mended(fact) not in known:  # the end repeats what came before it
                    known.append(mended(fact))
