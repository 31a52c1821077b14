"""Google's generateContent, from the chunks of an answer to events: a state machine without I/O.

Every chunk is a response of its own, with the parts that are new. Nothing says that the stream is over: the finish
reason makes a `Finished` (M3), and comes with the last chunk. Calls stay open until then, so that a cut answer never
holds one that may be executed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphrt.backends.dialects.answering import Answering, lost
from graphrt.backends.dialects.citations import of_gemini
from graphrt.backends.dialects.logprobs import of_gemini as weighed
from graphrt.backends.dialects.values import count, dicts, index_of, json_of, mended, text_of
from graphrt.backends.errors import BackendError, BadRequest, InvalidOutput, ServerError
from graphrt.backends.events import FinishReason, StreamEvent, Usage
from graphrt.backends.messages import Media, ServerTool
from graphrt.backends.wire.classify import classify_error
from graphrt.backends.wire.redaction import redact

_FINISH: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
_FAILURES: Mapping[str, type[BackendError]] = {
    "MALFORMED_FUNCTION_CALL": InvalidOutput,
    "MALFORMED_RESPONSE": InvalidOutput,
    "UNEXPECTED_TOOL_CALL": InvalidOutput,
    "TOO_MANY_TOOL_CALLS": InvalidOutput,
    "MISSING_THOUGHT_SIGNATURE": BadRequest,
}
_BESIDE = ("groundingMetadata", "urlContextMetadata", "citationMetadata")
"""What Google did on its own side, told beside the parts (M2)."""
_PLACED = frozenset({"groundingMetadata", "citationMetadata"})
"""Those of them that are about places in the text."""
_MARKS = frozenset({"thought", "thoughtSignature", "partMetadata", "mediaResolution", "videoMetadata"})
"""Fields of a part that are not what it holds."""
_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
_LONGEST, _DEEPEST = 10_000, 64
"""Items of a list and steps of a path in streamed arguments, beyond which they are a mistake."""


@dataclass(slots=True, eq=False)
class _Call:
    """A tool call while its arguments arrive. Mostly they arrive at once; Vertex can stream them."""

    name: str
    arguments: Any = field(default_factory=dict)
    whole: bool = False


class GeminiStream:
    """Chunks of generateContent in, events out: an AnswerStream."""

    def __init__(self, answer: Answering, *, secrets: Sequence[str] = ()) -> None:
        self._answer = answer
        self._secrets = tuple(secrets)
        self._usage: dict[str, Any] = {}
        self._calls: list[_Call] = []
        self._going: _Call | None = None
        self._beside: dict[str, list[Any]] = {}
        self._speaking: tuple[str, Hashable] | None = None
        self._said: list[Hashable] = []
        self._begins: list[int] = []
        self._count = 0
        self._finish: str | None = None
        self._finish_words: str | None = None
        self._blocked: str | None = None

    @property
    def closed(self) -> bool:
        """See AnswerStream.closed."""
        return self._answer.closed

    def chunk(self, data: str, event: str = "message") -> list[StreamEvent]:
        """See AnswerStream.chunk. The frames of this format have no names."""
        text = data.strip()
        if self.closed or not text:
            return []
        try:
            parsed = json_of(text)
        except (ValueError, RecursionError):
            if self._finish is not None:
                return []
            words = redact(text, self._secrets)[:80]
            return self.broken(ServerError(f"a chunk that is not JSON: {words!r}"))
        return self._take(parsed)

    def body(self, parsed: Any) -> list[StreamEvent]:
        """See AnswerStream.body. A stream that nobody asked to be an event stream is an array of chunks."""
        return self._take(parsed) + self.end()

    def end(self) -> list[StreamEvent]:
        """See AnswerStream.end."""
        if self.closed:
            return []
        self._tell_going()
        self._tell_usage()
        raw = self._finish or self._blocked
        if raw is None:
            return self._answer.truncated("finish reason")
        if self._finish is not None and raw in _FAILURES:
            words = self._finish_words or f"the provider gave up: finish reason {raw!r}"
            return self._answer.fail(_FAILURES[raw](redact(words, self._secrets), code=raw))
        reason = _FINISH.get(raw, "other") if self._finish is not None else "content_filter"
        self._answer.begin()
        self._hush()
        self._answer.cite(of_gemini(self._beside, self._answer.text(), self._begins))
        self._end_said()
        for call in self._calls:
            # Vertex may leave out the piece that says that a call is whole
            self._answer.close(call, complete=call.whole or reason == "stop")
        for name, facts in self._beside.items():
            self._answer.put(ServerTool(name=name, opaque=self._answer.opaque({"facts": facts})))
        return self._answer.finish(reason, raw)

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """See AnswerStream.broken. A connection lost after the finish reason loses nothing."""
        if lost(error) and self._finish is not None:
            return self.end()
        if not self.closed:
            self._tell_going()
            self._end_said()
            self._tell_usage()
        return self._answer.fail(error)

    # what a chunk says

    def _take(self, parsed: Any) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for chunk in dicts(parsed if isinstance(parsed, list) else [parsed]):
            if not self.closed:
                events += self._take_chunk(chunk)
        return events

    def _take_chunk(self, chunk: dict[str, Any]) -> list[StreamEvent]:
        self._answer.named(text_of(chunk.get("modelVersion")), text_of(chunk.get("responseId")))
        error = chunk.get("error")
        if self._answer.answers_as and not error:
            self._answer.begin()
        usage = chunk.get("usageMetadata")
        if usage and isinstance(usage, dict):
            # the numbers are totals, but not every chunk has all of them
            self._usage |= usage
        feedback = chunk.get("promptFeedback")
        if isinstance(feedback, dict):
            self._blocked = text_of(feedback.get("blockReason")) or self._blocked
        for candidate in dicts(chunk.get("candidates")):
            # of several answers the first is ours; nobody here asks for more than one
            if not index_of(candidate):
                self._take_candidate(candidate)
        if error:
            return self.broken(classify_error({"error": error}, provider=self._answer.provider, secrets=self._secrets))
        return self._answer.flush()

    def _take_candidate(self, candidate: dict[str, Any]) -> None:
        content = candidate.get("content")
        placed = not _PLACED.isdisjoint(candidate)
        if placed:
            self._begins = []
        for part in dicts(content.get("parts") if isinstance(content, dict) else None):
            if placed:
                self._begins.append(len(self._answer.text().encode("utf-8", "replace")))
            self._take_part(part)
        words = self._speaking[1] if self._speaking else self._said[-1] if self._said else None
        if words is not None and "logprobsResult" in candidate:
            self._answer.weigh(weighed(candidate["logprobsResult"]), key=words)
        for name in _BESIDE:
            fact = candidate.get(name)
            if isinstance(fact, dict) and any(fact.values()):
                facts = self._beside.setdefault(name, [])
                if mended(fact) not in facts:
                    facts.append(mended(fact))
        finish = candidate.get("finishReason")
        if finish:
            self._finish = mended(str(finish))
            self._finish_words = text_of(candidate.get("finishMessage"))

    def _take_part(self, part: dict[str, Any]) -> None:
        call, text = part.get("functionCall"), part.get("text")
        if isinstance(call, dict):
            self._take_call(call, text_of(part.get("thoughtSignature")))
        elif isinstance(text, str):
            self._take_text(part, text)
        else:
            self._take_other(part)

    def _take_other(self, part: dict[str, Any]) -> None:
        held = next((key for key, value in part.items() if key not in _MARKS and value is not None), None)
        media = _media(part)
        if held is None:
            self._take_text(part, "")
        elif media is not None and not part.get("thought"):
            signature = text_of(part.get("thoughtSignature"))
            sealed = self._answer.opaque({"thoughtSignature": signature}) if signature else None
            self._hush()
            self._answer.put(media.model_copy(update={"opaque": sealed}))
        else:
            self._hush()
            self._answer.put(ServerTool(name=held, opaque=self._answer.opaque({"part": mended(part)})))

    # words: what they go back to comes after all of them, so that they are open until then

    def _take_text(self, part: dict[str, Any], text: str) -> None:
        """Words or a thought. What is signed is a part of its own: its signature goes back on it, and on nothing
        else."""
        kind = "reasoning" if part.get("thought") else "text"
        signature = text_of(part.get("thoughtSignature"))
        if signature is None:
            if text:
                self._answer.add(self._speak(kind), text)
            return
        self._hush()
        key = self._speak(kind)
        self._answer.facts(key)["thoughtSignature"] = signature
        self._answer.add(key, text)
        self._hush()

    def _speak(self, kind: str) -> Hashable:
        """The part that more words of a kind go to."""
        if self._speaking is None or self._speaking[0] != kind:
            self._hush()
            self._speaking = (kind, ("words", self._count))
            self._count += 1
            self._answer.open(self._speaking[1], kind)
        return self._speaking[1]

    def _hush(self) -> None:
        """Whatever is said now is another part."""
        if self._speaking is None:
            return
        kind, key = self._speaking
        self._speaking = None
        if kind == "text":
            self._said.append(key)
        else:
            self._answer.close(key)

    def _end_said(self) -> None:
        for key in self._said:
            self._answer.close(key)
        self._said.clear()

    def _tell_usage(self) -> None:
        """Say what was spent: nearly every chunk does, and only the last word counts."""
        if self._usage:
            self._answer.usage = normal_usage(self._usage)

    # calls

    def _take_call(self, said: dict[str, Any], signature: str | None) -> None:
        name, pieces, args = text_of(said.get("name")), dicts(said.get("partialArgs")), said.get("args")
        call = self._going
        if call is None or (name and not (pieces and name == call.name)):
            if name is None:
                return  # a call of nothing is nobody's wish
            call = self._begin_call(name)
        facts = self._answer.facts(call)
        id_ = text_of(said.get("id"))
        if id_:
            self._answer.learn(call, name=call.name, call_id=id_)
            facts["id"] = id_
        if signature:
            facts["thoughtSignature"] = signature
        for piece in pieces:
            _put(call.arguments, piece)
        if isinstance(args, dict) and isinstance(call.arguments, dict):
            call.arguments.update(args)
        elif args is not None:
            call.arguments = args
        if not said.get("willContinue"):
            self._end_going()

    def _begin_call(self, name: str) -> _Call:
        self._end_going()
        self._hush()
        call = self._going = _Call(name)
        self._calls.append(call)
        self._answer.open(call, "tool_call", name=name)
        return call

    def _end_going(self) -> None:
        if self._going is not None:
            self._going.whole = True
        self._tell_going()

    def _tell_going(self) -> None:
        """Tell the arguments: all of them at once, since what is streamed are places in them and not their text."""
        if self._going is not None:
            self._answer.add(self._going, json.dumps(self._going.arguments, ensure_ascii=False))
            self._going = None


def normal_usage(raw: Mapping[str, Any]) -> Usage:
    """Google's usage in our terms (M4): thoughts are not among the candidates' tokens, what tools read is not among the
    prompt's."""
    prompt, tools = count(raw.get("promptTokenCount")), count(raw.get("toolUsePromptTokenCount"))
    said, thought = count(raw.get("candidatesTokenCount")), count(raw.get("thoughtsTokenCount"))
    return Usage(
        input=None if prompt is None else prompt + (tools or 0),
        output=None if said is None and thought is None else (said or 0) + (thought or 0),
        cache_read=count(raw.get("cachedContentTokenCount")),
        reasoning=thought,
        raw=dict(raw),
    )


def _media(part: Mapping[str, Any]) -> Media | None:
    inline, file = part.get("inlineData"), part.get("fileData")
    if isinstance(inline, dict) and (data := text_of(inline.get("data"))):
        return Media(media_type=text_of(inline.get("mimeType")) or "application/octet-stream", data=data)
    if isinstance(file, dict) and (url := text_of(file.get("fileUri"))):
        return Media(media_type=text_of(file.get("mimeType")) or "application/octet-stream", url=url)
    return None


def _put(arguments: Any, piece: Mapping[str, Any]) -> None:
    """Put a piece of streamed arguments where its path says; more of a string goes behind what is there of it."""
    steps = [
        int(number) if number else name or re.sub(r"\\(.)", r"\1", single or double)
        for name, number, single, double in _STEP.findall(str(piece.get("jsonPath", "")))
    ]
    kinds = ("stringValue", "numberValue", "boolValue", "nullValue")
    kind = next((kind for kind in kinds if kind in piece), None)
    if not 0 < len(steps) <= _DEEPEST or kind is None:
        return
    value = None if kind == "nullValue" else piece[kind]
    place = arguments
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if not _reaches(place, step):
            return
        there = place[step]
        if following is None:
            place[step] = there + value if isinstance(there, str) and isinstance(value, str) else value
            return
        if not isinstance(there, (dict, list)):
            place[step] = [] if isinstance(following, int) else {}
        place = place[step]


def _reaches(place: Any, step: int | str) -> bool:
    """Whether a container has such a place; it is made where it can be."""
    if isinstance(place, list) and isinstance(step, int) and step < _LONGEST:
        place.extend([None] * (step + 1 - len(place)))
        return True
    if isinstance(place, dict) and isinstance(step, str):
        place.setdefault(step, None)
        return True
    return False
