"""The bytes of one long answer in every dialect, in the shape in which its provider sends them.

One word is one event on the wire, with everything that stands beside a word there: ids, padding, empty fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from tests.backends.provider import frame

WORDS = (" the", " tide", " follows", ",", " at", " a", " distance", " °", " the", " moon", ".", "\n\n", "Et", " voilà")
PROMPT = "What makes the tide?"
MODEL = "gpt-4.1-mini-2025-04-14"
"""A name that SDKs know: some look it up."""


@dataclass(frozen=True)
class Spoken:
    """One dialect's way to say it. `path` is how the path of a request for it ends."""

    path: str
    content_type: str
    begin: tuple[bytes, ...]
    word: Callable[[str], bytes]
    end: tuple[bytes, ...]

    def pieces(self, tokens: int) -> list[bytes]:
        """Return the events of an answer of so many words."""
        return [*self.begin, *map(self.word, words(tokens)), *self.end]


def words(tokens: int) -> list[str]:
    """Return what is said in so many words."""
    return list(islice(cycle(WORDS), tokens))


def _json(said: Any) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _sse(said: Any) -> bytes:
    return b"data: %s\n\n" % _json(said)


def _typed(kind: str, **said: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), _json({"type": kind, **said}))


def _chunk(delta: Any, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _sse({**_CHUNK, "choices": [choice], "usage": None, "obfuscation": "b5Xkq0Z1"})


def _candidate(text: str, **more: Any) -> bytes:
    usage = {"promptTokenCount": 11, "candidatesTokenCount": 455, "totalTokenCount": 466, "serviceTier": "standard"}
    said = {
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}],
        "usageMetadata": {**usage, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 11}]},
        "modelVersion": "gemini-3.5-flash",
        "responseId": "iCUhao2zJ-LHjuMP1vvH2Qk",
    }
    return b"data: %s\r\n\r\n" % _json(said)


def _aws(kind: str, **said: Any) -> bytes:
    padded = {**said, "p": "abcdefghijklmnopqrstuvwxyzABCDEF"}
    return frame(padded, event_type=kind, content_type="application/json", message_type="event")


def _line(content: str, *, done: bool = False, **more: Any) -> bytes:
    said = {"model": "llama3.2", "created_at": "2026-05-24T20:48:36.231229Z"}
    return b"%s\n" % _json({**said, "message": {"role": "assistant", "content": content}, "done": done, **more})


_CHUNK = {
    "id": "chatcmpl-CkXn0sYQh1e8qvVtJ1fQeT3pZk2aB",
    "object": "chat.completion.chunk",
    "created": 1780944497,
    "model": MODEL,
    "service_tier": "default",
    "system_fingerprint": "fp_4c2851f862",
}
_COUNTED = {"prompt_tokens": 11, "completion_tokens": 455, "total_tokens": 466}
_RESPONSE = {
    "id": "resp_0c801fbeed5d6d9500698d5caac508819785fca7fed14eb567",
    "object": "response",
    "created_at": 1780944497,
    "model": MODEL,
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
_ITEM = "msg_0c801fbeed5d6d9500698d5cb2b6508197afc0d6dd7a5c68c8"
_PART = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
_USED = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 455,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 466,
}

SPOKEN: Mapping[str, Spoken] = {
    "chat_completions": Spoken(
        "/chat/completions",
        "text/event-stream",
        (_chunk({"role": "assistant", "content": "", "refusal": None}),),
        lambda word: _chunk({"content": word}),
        (_chunk({}, "stop"), _sse({**_CHUNK, "choices": [], "usage": _COUNTED}), b"data: [DONE]\n\n"),
    ),
    "responses": Spoken(
        "/responses",
        "text/event-stream",
        (
            _typed("response.created", response={**_RESPONSE, "status": "in_progress"}, sequence_number=0),
            _typed(
                "response.output_item.added",
                item={"id": _ITEM, "type": "message", "status": "in_progress", "content": [], "role": "assistant"},
                output_index=0,
                sequence_number=1,
            ),
            _typed(
                "response.content_part.added",
                content_index=0,
                item_id=_ITEM,
                output_index=0,
                part=_PART,
                sequence_number=2,
            ),
        ),
        lambda word: _typed(
            "response.output_text.delta",
            content_index=0,
            delta=word,
            item_id=_ITEM,
            logprobs=[],
            obfuscation="xgCiGIgVMPnBe0A",
            output_index=0,
            sequence_number=82,
        ),
        (_typed("response.completed", response={**_RESPONSE, "status": "completed", "usage": _USED}),),
    ),
    "messages": Spoken(
        "/v1/messages",
        "text/event-stream",
        (
            _typed(
                "message_start",
                message={
                    "model": "claude-opus-4-1-20250805",
                    "id": "msg_01TRpkkgb2QsnyjsGSVdRtGr",
                    "type": "message",
                    "role": "assistant",
                    "content": [],
                    "stop_reason": None,
                    "stop_sequence": None,
                    "usage": {"input_tokens": 11, "output_tokens": 1},
                },
            ),
            _typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            _typed("ping"),
        ),
        lambda word: _typed("content_block_delta", index=0, delta={"type": "text_delta", "text": word}),
        (
            _typed("content_block_stop", index=0),
            _typed(
                "message_delta",
                delta={"stop_reason": "end_turn", "stop_sequence": None},
                usage={"input_tokens": 11, "output_tokens": 455},
            ),
            _typed("message_stop"),
        ),
    ),
    "generate_content": Spoken(
        ":streamGenerateContent",
        "text/event-stream",
        (),
        _candidate,
        (_candidate("", finishReason="STOP"),),
    ),
    "chat_v2": Spoken(
        "/v2/chat",
        "text/event-stream",
        (
            _typed(
                "message-start",
                id="5bbdb185-19bf-4683-bdbc-7e21f2dead78",
                delta={"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}},
            ),
            _typed("content-start", index=0, delta={"message": {"content": {"type": "text", "text": ""}}}),
        ),
        lambda word: _typed("content-delta", index=0, delta={"message": {"content": {"text": word}}}),
        (
            _typed("content-end", index=0),
            _typed(
                "message-end",
                delta={
                    "finish_reason": "COMPLETE",
                    "usage": {"tokens": {"input_tokens": 11, "output_tokens": 455}},
                },
            ),
        ),
    ),
    "converse": Spoken(
        "/converse-stream",
        "application/vnd.amazon.eventstream",
        (_aws("messageStart", role="assistant"),),
        lambda word: _aws("contentBlockDelta", contentBlockIndex=0, delta={"text": word}),
        (
            _aws("contentBlockStop", contentBlockIndex=0),
            _aws("messageStop", stopReason="end_turn"),
            _aws("metadata", metrics={"latencyMs": 7211}, usage={"inputTokens": 11, "outputTokens": 455}),
        ),
    ),
    "ollama_chat": Spoken(
        "/api/chat",
        "application/x-ndjson",
        (),
        _line,
        (_line("", done=True, done_reason="stop", prompt_eval_count=11, eval_count=455),),
    ),
}
