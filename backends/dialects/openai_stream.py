"""The OpenAI chat dialect, from the chunks of an answer to events: a state machine without I/O.

What clones get wrong is repaired here and nowhere else; each repair names its symptom. Whatever it is fed, it ends in
exactly one terminal event (M3): the finish reason makes a `Finished`, everything else is a `Failed` with the partial
answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphrt.backends.dialects.answering import Answering, lost
from graphrt.backends.dialects.citations import of_annotations, of_sources
from graphrt.backends.dialects.logprobs import in_columns, listed
from graphrt.backends.dialects.openai_values import error_in, merge_details, normal_usage, thought
from graphrt.backends.dialects.profiles import Profile
from graphrt.backends.dialects.values import dicts, index_of, is_json, json_of, mended, text_of
from graphrt.backends.errors import BackendError, InvalidOutput, Overloaded, ServerError
from graphrt.backends.events import FinishReason, StreamEvent
from graphrt.backends.messages import Media, ServerTool
from graphrt.backends.wire.classify import classify_error
from graphrt.backends.wire.redaction import redact

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
_SEEN_BESIDE = frozenset({"images", *_BESIDE})
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_THOUGHT = frozenset({"reasoning_details", *_THOUGHTS})


@dataclass(slots=True, eq=False)
class _Call:
    """A tool call while its fragments arrive."""

    key: int | None
    wire_id: str | None = None
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    custom: bool = False
    started: bool = False

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    @property
    def looks_whole(self) -> bool:
        text = self.arguments
        return text.rstrip().endswith("}") and is_json(text)


class ChatStream:
    """Chunks of a chat completion in, events out: an AnswerStream."""

    def __init__(self, profile: Profile, answer: Answering, *, secrets: Sequence[str] = ()) -> None:
        self._profile = profile
        self._answer = answer
        self._secrets = tuple(secrets)
        self._choice: int | None = None
        self._calls: list[_Call] = []
        self._legacy: _Call | None = None
        self._beside: dict[str, list[Any]] = {}
        self._noted = 0
        self._sources: set[str | None] = set()
        self._raw_finish: str | None = None
        self._blank_finish = False
        self._done = False

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
            self._done = True
            return self.end()
        try:
            parsed = json_of(text)
        except (ValueError, RecursionError):
            if event == "error":
                return self.broken(classify_error(data, provider=self._profile.provider, secrets=self._secrets))
            if self._raw_finish is not None:
                return []
            words = redact(text, self._secrets)[:80]
            return self.broken(ServerError(f"a chunk that is not JSON: {words!r}"))
        if not isinstance(parsed, dict):
            return []
        self._take(parsed)
        error = error_in(parsed, event)
        if error is not None and not self.closed:
            return self.broken(classify_error(error, provider=self._profile.provider, secrets=self._secrets))
        return self._answer.flush()

    def body(self, parsed: Any) -> list[StreamEvent]:
        """See AnswerStream.body."""
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
        """See AnswerStream.end."""
        if self.closed:
            return []
        raw = self._raw_finish
        if raw is None and self._blank_finish and self._done:
            raw = ""  # Snowflake ends with an empty word
        if raw is None and not (self._done and self._profile.finish_optional and self._answer.said_anything):
            return self._answer.truncated("finish reason")
        failure = _FAILURES.get((raw or "").lower())
        if failure is not None:
            return self._answer.fail(failure(f"the provider gave up: finish reason {raw!r}", code=raw))
        calls = [call for call in self._calls if call.started or call.wire_id or call.arguments]
        # without a finish reason, what was called is wanted
        reason: FinishReason = _FINISH.get(raw.lower(), "other") if raw is not None else "stop" if calls else "other"
        self._answer.begin()
        self._cite()
        self._answer.hush()
        self._end_calls(calls, cut=reason in {"length", "content_filter"})
        self._end_beside()
        return self._answer.finish(reason, raw)

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """See AnswerStream.broken. A connection lost after the finish reason loses nothing."""
        if lost(error) and self._raw_finish is not None:
            return self.end()
        return self._answer.fail(error)

    # what a chunk says

    def _take(self, parsed: dict[str, Any], *, whole: bool = False) -> None:
        self._answer.named(text_of(parsed.get("model")), text_of(parsed.get("id")))
        if self._answer.answers_as and not parsed.get("error"):
            self._answer.begin()
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
            self._answer.usage = normal_usage(usage)

    def _take_choice(self, choice: dict[str, Any], *, whole: bool) -> None:
        # Perplexity has both: an empty delta beside the message of a body, the whole message again beside each delta
        delta, message = choice.get("delta"), choice.get("message")
        said = message if whole else delta or (message if not self._answer.said_anything else None)
        if isinstance(said, dict):
            self._take_delta(said, choice.get("logprobs"), whole=whole)
        finish = choice.get("finish_reason")
        if finish:
            self._raw_finish = str(finish)
        elif finish == "":
            self._blank_finish = True

    def _take_delta(self, delta: dict[str, Any], logprobs: Any, *, whole: bool) -> None:
        self._take_reasoning(delta)
        self._take_content(delta.get("content"))
        refusal = delta.get("refusal")
        self._answer.say("refusal", refusal if isinstance(refusal, str) else None)
        if logprobs and isinstance(logprobs, dict):
            self._answer.weigh(listed(logprobs.get("content")) or in_columns(logprobs))
            self._answer.weigh(listed(logprobs.get("refusal")), kind="refusal")
        self._take_beside(delta)
        legacy = delta.get("function_call")
        if isinstance(legacy, dict) and (legacy.get("name") or legacy.get("arguments")):
            self._legacy = self._legacy or self._new_call(None)
            self._extend(self._legacy, legacy)
        for fragment in dicts(delta.get("tool_calls")):
            self._take_fragment(fragment, whole=whole)

    def _take_reasoning(self, delta: dict[str, Any]) -> None:
        if _THOUGHT.isdisjoint(delta):
            return
        name = next((name for name in _THOUGHTS if isinstance(delta.get(name), str)), None)
        if name is not None:
            self._think(delta[name], name)
        for detail in dicts(delta.get("reasoning_details")):
            # a detail may seal a thought with nothing to read in it
            if any(detail.get(key) for key in ("text", "summary", "data", "signature")):
                self._think("", name, mended(detail))

    def _think(self, text: str, source: str | None, detail: dict[str, Any] | None = None) -> None:
        if text or detail:
            facts = self._answer.prose("reasoning")
            if facts.get("field") is None:
                facts["field"] = source
            if detail:
                facts["details"] = merge_details([*facts.get("details", ()), detail])
            self._answer.say("reasoning", text)

    def _take_content(self, content: Any) -> None:
        """Content is words, or a list of parts (Mistral thinks in one)."""
        if isinstance(content, str):
            self._answer.say("text", content)
            return
        for part in content if isinstance(content, list) else ():
            match part:
                case str():
                    self._answer.say("text", part)
                case {"type": "thinking" | "reasoning"}:
                    self._think(
                        thought(part), "content", {"signature": part["signature"]} if part.get("signature") else None
                    )
                case {"type": "refusal", "refusal": str(words)}:
                    self._answer.say("refusal", words)
                case {"text": str(words)}:
                    self._answer.say("text", words)
                case _:
                    pass

    def _take_beside(self, said: dict[str, Any]) -> None:
        if _SEEN_BESIDE.isdisjoint(said):
            return
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
        self._cite()
        head, comma, data = url.partition(";base64,")
        if head.startswith("data:") and comma:
            self._answer.put(Media(media_type=head.removeprefix("data:"), data=data))
        else:
            self._answer.put(Media(media_type="image/*", url=url))

    def _cite(self) -> None:
        """Say where the words come from that are about to end."""
        notes = self._beside.get("annotations", [])[self._noted :]
        self._noted += len(notes)
        sources = of_sources(self._beside.get("citations"), self._beside.get("search_results"))
        sources = [source for source in sources if source.url not in self._sources]
        self._sources.update(source.url for source in sources)
        self._answer.cite([*of_annotations(notes), *sources])

    def _end_beside(self) -> None:
        for name, facts in self._beside.items():
            if facts:
                self._answer.put(ServerTool(name=name, opaque=self._answer.opaque({"facts": facts})))

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
            if call.started:
                self._answer.restart(call)
            arguments = json.dumps(arguments, ensure_ascii=False)
        pieces = [arguments] if arguments else []
        if not call.started and call.name:
            call.started = True
            self._cite()
            self._answer.hush()
            self._answer.open(call, "tool_call", name=call.name, call_id=call.wire_id)
            pieces, call.pieces = call.pieces + pieces, []
        call.pieces += pieces
        if call.started:
            self._answer.learn(call, name=call.name, call_id=call.wire_id)
            for piece in pieces:
                self._answer.add(call, piece)

    def _new_call(self, key: int | None) -> _Call:
        call = _Call(key)
        self._calls.append(call)
        return call

    def _end_calls(self, calls: Sequence[_Call], *, cut: bool) -> None:
        """Close the calls. Of an answer that was `cut`, the last call is incomplete, and so is any other that does not
        parse."""
        for call in calls:
            if not call.started:
                self._answer.open(call, "tool_call", name=call.name, call_id=call.wire_id)
                for piece in call.pieces:
                    self._answer.add(call, piece)
            if call.custom:
                self._answer.facts(call)["type"] = "custom"
            text = call.arguments
            whole = not cut or (call is not calls[-1] and (not text.strip() or is_json(text)))
            self._answer.close(call, complete=whole)
