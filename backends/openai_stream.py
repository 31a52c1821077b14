"""The OpenAI chat dialect, from the chunks of an answer to events: a state machine without I/O.

What clones get wrong is repaired here and nowhere else; each repair names its symptom. Whatever it is fed, it ends in
exactly one terminal event (M3): the finish reason makes a `Finished`, everything else is a `Failed` with the partial
answer.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphrt.backends.classify import classify_error, redact
from graphrt.backends.errors import (
    BackendError,
    ConnectionFailed,
    InvalidOutput,
    Overloaded,
    ServerError,
    StreamTruncated,
    TimedOut,
)
from graphrt.backends.events import (
    Failed,
    Finished,
    FinishReason,
    Fold,
    PartDelta,
    PartEnded,
    PartStarted,
    Started,
    StreamEvent,
    Usage,
    Warned,
)
from graphrt.backends.messages import Media, Opaque, Part, Reasoning, Refusal, ServerTool, Text, ToolCall
from graphrt.backends.openai_values import (
    dicts,
    error_in,
    index_of,
    is_json,
    mend,
    mended,
    merge_details,
    normal_usage,
    text_of,
    thought,
)
from graphrt.backends.profiles import Profile

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "max_output_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "sensitive": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "refusal": "refusal",
}
_FAILURES: Mapping[str, type[BackendError]] = {
    "error": ServerError,
    "failed": ServerError,
    "network_error": ServerError,
    "insufficient_system_resource": Overloaded,
    "malformed_function_call": InvalidOutput,
    "malformed_tool_use": InvalidOutput,
    "malformed_model_output": InvalidOutput,
    "unexpected_tool_call": InvalidOutput,
}
_BESIDE = ("annotations", "executed_tools", "citations", "search_results", "audio")
"""Where servers put what they did on their own side: carried as it came, for whoever knows the provider (M2)."""


def new_call_id() -> str:
    """An id for a call that came without one. Random, since a conversation may hold many answers."""
    return f"call_{uuid.uuid4().hex[:24]}"


@dataclass(slots=True)
class _Call:
    """A tool call while its fragments arrive."""

    part: str
    key: int | None
    wire_id: str | None = None
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    half: str = ""
    custom: bool = False
    started: bool = False

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    @property
    def looks_whole(self) -> bool:
        text = self.arguments
        return text.rstrip().endswith("}") and is_json(text)


@dataclass(slots=True)
class _Prose:
    """A text, reasoning or refusal part while it arrives."""

    part: str
    kind: str
    pieces: list[str] = field(default_factory=list)
    half: str = ""
    source: str | None = None
    details: list[dict[str, Any]] = field(default_factory=list)


class ChatStream:
    """Chunks of a chat completion in, events out.

    `model` is the name the request used: payloads that only the provider reads are tagged with it. `warnings` are told
    right after the start. Events carry ids of our own; a provider's index never leaves this class.
    """

    def __init__(
        self,
        profile: Profile,
        model: str,
        *,
        warnings: Sequence[Warned] = (),
        secrets: Sequence[str] = (),
        call_id: Callable[[], str] = new_call_id,
    ) -> None:
        self._profile = profile
        self._model = model
        self._warnings = tuple(warnings)
        self._secrets = tuple(secrets)
        self._call_id = call_id
        self._fold = Fold()
        self._events: list[StreamEvent] = []
        self._started = False
        self._answers_as: str | None = None
        self._response_id: str | None = None
        self._choice: int | None = None
        self._parts = 0
        self._prose: _Prose | None = None
        self._said = False
        self._calls: list[_Call] = []
        self._legacy: _Call | None = None
        self._beside: dict[str, list[Any]] = {}
        self._raw_finish: str | None = None
        self._blank_finish = False
        self._done = False
        self._usage = Usage()

    @property
    def closed(self) -> bool:
        """Whether the terminal event is out; what comes after it is ignored."""
        return self._fold.terminal is not None

    def chunk(self, data: str, event: str = "message") -> list[StreamEvent]:
        """Take the data of one server-sent event."""
        text = data.strip()
        if self.closed or not text:
            return []
        if text == "[DONE]":
            self._done = True
            return self.end()
        try:
            parsed = json.loads(text)
        except ValueError:
            if event == "error":
                return self.broken(classify_error(data, provider=self._profile.provider, secrets=self._secrets))
            if self._raw_finish is not None:
                return []
            words = redact(text[:80], self._secrets)
            return self.broken(ServerError(f"a chunk that is not JSON: {words!r}", provider=self._profile.provider))
        if not isinstance(parsed, dict):
            return []
        self._take(parsed)
        error = error_in(parsed, event)
        if error is not None and not self.closed:
            return self.broken(classify_error(error, provider=self._profile.provider, secrets=self._secrets))
        return self._flush()

    def body(self, parsed: Any) -> list[StreamEvent]:
        """Take a whole JSON answer, and end."""
        choices = parsed.get("choices") if isinstance(parsed, dict) else None
        error = error_in(parsed, "message") if isinstance(parsed, dict) else parsed
        if error is not None and not choices:
            return self.broken(classify_error(error, provider=self._profile.provider, secrets=self._secrets))
        self._take(parsed, whole=True)
        if error is not None and not self.closed:
            return self.broken(classify_error(error, provider=self._profile.provider, secrets=self._secrets))
        self._done = True
        return self.end()

    def end(self) -> list[StreamEvent]:
        """The answer is over: judge it by what was seen. Nothing but the provider's own finish reason makes it a
        success."""
        if self.closed:
            return []
        raw = self._raw_finish
        if raw is None and self._blank_finish and self._done:
            raw = ""  # Snowflake ends with an empty word
        if raw is None and not (self._done and self._profile.finish_optional and self._said_anything):
            said = "before its finish reason" if self._said_anything else "before it said anything"
            return self.broken(StreamTruncated(f"the answer ended {said}", provider=self._profile.provider))
        failure = _FAILURES.get((raw or "").lower())
        if failure is not None:
            return self.broken(
                failure(f"the provider gave up: finish reason {raw!r}", provider=self._profile.provider, code=raw)
            )
        self._begin()
        self._end_prose()
        reason: FinishReason = _FINISH.get(raw.lower(), "other") if raw is not None else "other"
        self._end_calls(cut=reason in {"length", "content_filter"})
        self._end_beside()
        self._emit(Finished(self._meaning(reason, raw), raw, self._usage))
        return self._flush()

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """The answer broke off: end in `error`, with what there is. A connection lost after the finish reason loses
        nothing."""
        if self.closed:
            return []
        lost = isinstance(error, (ConnectionFailed, TimedOut))
        if lost and self._raw_finish is not None:
            return self.end()
        if isinstance(error, ConnectionFailed) and self._said_anything:
            cause, words = error.__cause__, f"the answer broke off: {error.provider_message}"
            error = StreamTruncated(words, provider=self._profile.provider)
            error.__cause__ = cause
        error.provider = error.provider or self._profile.provider
        error.partial = self._fold.partial() if self._said_anything else None
        error.usage = self._usage if self._usage.raw is not None else None
        self._emit(Failed(error))
        return self._flush()

    # what a chunk says

    def _take(self, parsed: dict[str, Any], *, whole: bool = False) -> None:
        self._answers_as = self._answers_as or text_of(parsed.get("model"))
        self._response_id = self._response_id or text_of(parsed.get("id"))
        if self._answers_as and not parsed.get("error"):
            self._begin()
        self._take_beside(parsed)
        groq = parsed.get("x_groq")
        usage = parsed.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)
        choices = dicts(parsed.get("choices"))
        if whole:
            choices = sorted(choices, key=lambda choice: index_of(choice) or 0)[:1]
        for choice in choices:
            usage = usage or choice.get("usage")
            index = index_of(choice) or 0
            # of several answers the first is ours; nobody here asks for more than one
            self._choice = index if self._choice is None else min(self._choice, index)
            if index == self._choice:
                self._take_choice(choice, whole=whole)
        if isinstance(usage, dict):
            self._usage = normal_usage(usage)

    def _take_choice(self, choice: dict[str, Any], *, whole: bool) -> None:
        # Perplexity has both: an empty delta beside the message of a body, the whole message again beside each delta
        delta, message = choice.get("delta"), choice.get("message")
        said = message if whole else delta or (message if not self._said_anything else None)
        if isinstance(said, dict):
            self._take_delta(said, whole=whole)
        finish = choice.get("finish_reason")
        if finish:
            self._raw_finish = str(finish)
        elif finish == "":
            self._blank_finish = True

    def _take_delta(self, delta: dict[str, Any], *, whole: bool) -> None:
        self._take_reasoning(delta)
        self._take_content(delta.get("content"))
        refusal = delta.get("refusal")
        self._say("refusal", refusal if isinstance(refusal, str) else None)
        self._take_beside(delta)
        legacy = delta.get("function_call")
        if isinstance(legacy, dict) and (legacy.get("name") or legacy.get("arguments")):
            self._legacy = self._legacy or self._new_call(None)
            self._extend(self._legacy, legacy)
        for fragment in dicts(delta.get("tool_calls")):
            self._take_fragment(fragment, whole=whole)

    def _take_reasoning(self, delta: dict[str, Any]) -> None:
        names = ("reasoning_content", "reasoning", "thinking")
        name = next((name for name in names if isinstance(delta.get(name), str)), None)
        if name is not None:
            self._say("reasoning", delta[name], source=name)
        for detail in dicts(delta.get("reasoning_details")):
            # a detail may seal a thought with nothing to read in it
            if any(detail.get(key) for key in ("text", "summary", "data", "signature")):
                self._open_prose("reasoning", source=name).details.append(mended(detail))

    def _take_content(self, content: Any) -> None:
        """Content is words, or a list of parts (Mistral thinks in one)."""
        if isinstance(content, str):
            self._say("text", content)
            return
        for part in content if isinstance(content, list) else ():
            match part:
                case str():
                    self._say("text", part)
                case {"type": "thinking" | "reasoning"}:
                    self._say("reasoning", thought(part), source="content")
                    if part.get("signature"):
                        self._open_prose("reasoning", source="content").details.append({"signature": part["signature"]})
                case {"type": "refusal", "refusal": str(words)}:
                    self._say("refusal", words)
                case {"text": str(words)}:
                    self._say("text", words)
                case _:
                    pass

    def _take_beside(self, said: dict[str, Any]) -> None:
        for image in dicts(said.get("images")):
            self._take_image(image.get("image_url"))
        for name in _BESIDE:
            value = said.get(name)
            facts = self._beside.setdefault(name, [])
            for fact in value if isinstance(value, list) else [value]:
                # Perplexity repeats all its sources in every chunk, Snowflake fills in a sound of nothing
                if fact not in facts and (any(fact.values()) if isinstance(fact, dict) else fact):
                    facts.append(mended(fact))

    def _take_image(self, address: Any) -> None:
        url = text_of(address.get("url")) if isinstance(address, dict) else None
        if url is None:
            return
        self._end_prose()
        head, comma, data = url.partition(";base64,")
        id_ = self._new_part()
        if head.startswith("data:") and comma:
            part = Media(id=id_, media_type=head.removeprefix("data:"), data=data)
        else:
            part = Media(id=id_, media_type="image/*", url=url)
        self._put(part)

    def _put(self, part: Part) -> None:
        """A part that comes all at once."""
        self._begin()
        self._said = True
        self._emit(PartStarted(part.id, part.kind, part.name if isinstance(part, ServerTool) else None))
        self._emit(PartEnded(part.id, part))

    def _end_beside(self) -> None:
        for name, facts in self._beside.items():
            if facts:
                self._put(ServerTool(id=self._new_part(), name=name, opaque=self._opaque({"facts": facts})))

    def _take_fragment(self, fragment: dict[str, Any], *, whole: bool) -> None:
        function = fragment.get("function") or fragment.get("custom")
        function = function if isinstance(function, dict) else {}
        id_, key = text_of(fragment.get("id")), index_of(fragment)
        call = None if whole else self._known_call(key, id_, function)
        if call is None:
            call = self._new_call(key)
            call.custom = fragment.get("type") == "custom"
        call.wire_id = id_ or call.wire_id
        self._extend(call, function)

    def _known_call(self, key: int | None, id_: str | None, function: dict[str, Any]) -> _Call | None:
        """The call that a fragment goes on with, or None when it begins one."""
        call: _Call | None = None
        if key is not None:
            call = next((call for call in reversed(self._calls) if call.key == key), None)
        elif id_:
            call = next((call for call in self._calls if call.wire_id == id_), None)
        elif self._calls and not function.get("name"):
            call = self._calls[-1]
        if call is None:
            return None
        if id_ and call.wire_id and id_ != call.wire_id:
            return None  # bridges that give every parallel call the index 0
        if not id_ and function.get("name") and function.get("arguments") and call.looks_whole:
            return None  # the same from servers that send no ids either
        return call

    def _extend(self, call: _Call, function: dict[str, Any]) -> None:
        name = function.get("name")
        if isinstance(name, str) and name != call.name:  # some repeat the name in every fragment
            call.name += mended(name)
        arguments = function.get("arguments", function.get("input"))
        if arguments is not None and not isinstance(arguments, str):
            call.pieces.clear()
            arguments = json.dumps(arguments, ensure_ascii=False)
        arguments, call.half = mend(call.half, arguments or "")
        pieces = [arguments] if arguments else []
        if not call.started and call.name:
            call.started = True
            self._end_prose()
            self._begin()
            self._emit(PartStarted(call.part, "tool_call", call.name, call.wire_id if self._is_first(call) else None))
            pieces = call.pieces + pieces
            call.pieces = []
        call.pieces += pieces
        if call.started:
            for piece in pieces:
                self._emit(PartDelta(call.part, piece))

    def _new_call(self, key: int | None) -> _Call:
        call = _Call(self._new_part(), key)
        self._calls.append(call)
        return call

    def _is_first(self, call: _Call) -> bool:
        """Whether no earlier call of this answer bears the same id."""
        return next((other for other in self._calls if other.wire_id == call.wire_id), call) is call

    # how parts begin and end

    @property
    def _said_anything(self) -> bool:
        return self._said or any(call.started for call in self._calls)

    def _begin(self) -> None:
        if not self._started:
            self._started = True
            self._emit(Started(self._answers_as, self._response_id))
            for warning in self._warnings:
                self._emit(warning)

    def _new_part(self) -> str:
        self._parts += 1
        return f"part-{self._parts}"

    def _open_prose(self, kind: str, *, source: str | None = None) -> _Prose:
        if self._prose is None or self._prose.kind != kind:
            self._end_prose()
            self._begin()
            self._prose = _Prose(self._new_part(), kind)
            self._emit(PartStarted(self._prose.part, kind))
        self._prose.source = self._prose.source or source
        self._said = True
        return self._prose

    def _say(self, kind: str, text: str | None, *, source: str | None = None) -> None:
        if text:
            prose = self._open_prose(kind, source=source)
            text, prose.half = mend(prose.half, text)
            self._add(prose, text)

    def _add(self, prose: _Prose, text: str) -> None:
        if text:
            prose.pieces.append(text)
            self._emit(PartDelta(prose.part, text))

    def _end_prose(self) -> None:
        prose, self._prose = self._prose, None
        if prose is None:
            return
        self._add(prose, "\ufffd" if prose.half else "")
        text = "".join(prose.pieces)
        part: Part
        match prose.kind:
            case "reasoning":
                payload: dict[str, Any] = {"field": prose.source}
                if prose.details:
                    payload["details"] = merge_details(prose.details)
                part = Reasoning(id=prose.part, text=text, opaque=self._opaque(payload))
            case "refusal":
                part = Refusal(id=prose.part, text=text)
            case _:
                part = Text(id=prose.part, text=text)
        self._emit(PartEnded(prose.part, part))

    def _end_calls(self, *, cut: bool) -> None:
        """Close the calls. Of an answer that was `cut`, the last call is incomplete, and so is any other that does not
        parse."""
        calls = [call for call in self._calls if call.started or call.wire_id or call.arguments]
        taken: set[str] = set()
        for call in calls:
            if not call.started:
                self._begin()
                self._emit(PartStarted(call.part, "tool_call", call.name))
                for piece in call.pieces:
                    self._emit(PartDelta(call.part, piece))
            if call.half:
                call.pieces.append("\ufffd")
                self._emit(PartDelta(call.part, "\ufffd"))
            synthetic = not call.wire_id or call.wire_id in taken
            id_ = self._call_id() if synthetic else str(call.wire_id)
            taken.add(id_)
            text = call.arguments
            whole = not cut or (call is not calls[-1] and (not text.strip() or is_json(text)))
            payload: dict[str, Any] = {"type": "custom"} if call.custom else {}
            if synthetic and call.wire_id:
                payload["id"] = call.wire_id
            part: Part = ToolCall(
                id=call.part,
                call_id=id_,
                name=call.name,
                arguments=text,
                complete=whole,
                synthetic_id=synthetic,
                opaque=self._opaque(payload) if payload else None,
            )
            self._emit(PartEnded(call.part, part))

    def _meaning(self, reason: FinishReason, raw: str | None) -> FinishReason:
        parts = self._fold.partial().parts
        called = any(isinstance(part, ToolCall) for part in parts)
        if called and (reason == "stop" or raw is None):
            return "tool_calls"  # a forced tool, Ollama and many bridges say `stop`
        if reason == "stop" and any(isinstance(part, Refusal) for part in parts):
            return "refusal" if not any(isinstance(part, Text) for part in parts) else reason
        return reason

    def _opaque(self, payload: dict[str, Any]) -> Opaque:
        return Opaque(provider=self._profile.provider, model=self._model, payload=payload)

    def _emit(self, event: StreamEvent) -> None:
        self._fold.add(event)
        self._events.append(event)

    def _flush(self) -> list[StreamEvent]:
        events, self._events = self._events, []
        return events
