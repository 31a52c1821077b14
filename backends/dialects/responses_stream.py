"""The OpenAI Responses API, from the events of an answer to ours: a state machine without I/O.

An answer is a list of output items: messages of several parts, thoughts, calls, and what the provider did on its own
side. Each item is announced, told in pieces, told once more as a whole, and the whole list comes again in the last
event. Servers that copied the API leave out some of these: whatever is said for the first time counts, wherever that
is. Only `response.completed`, `.incomplete` or `.failed` ends an answer (M3).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.citations import of_annotations
from graphrt.backends.dialects.logprobs import listed
from graphrt.backends.dialects.values import count, dicts, index_of, is_json, json_of, mend, mended, text_of
from graphrt.backends.errors import BackendError, ServerError
from graphrt.backends.events import FinishReason, StreamEvent, Usage
from graphrt.backends.messages import ServerTool
from graphrt.backends.wire.classify import classify_error
from graphrt.backends.wire.redaction import redact

Slot = tuple[str, int]
"""Where in its item a part stands: in which of its lists, and as which of that list."""

_CALL: Slot = ("call", 0)
_TOOL: Slot = ("tool", 0)
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""The calls that wait for our result, and the field of what they are called with."""


@dataclass(frozen=True, slots=True)
class _Channel:
    """What one kind of delta is about: a kind of item, a kind of part in it, and how the wire names both places."""

    item: str
    part: str
    list: str
    index: str
    whole: str


_CHANNELS: Mapping[str, _Channel] = {
    "response.output_text": _Channel("message", "text", "content", "content_index", "text"),
    "response.refusal": _Channel("message", "refusal", "content", "content_index", "refusal"),
    "response.reasoning_summary_text": _Channel("reasoning", "reasoning", "summary", "summary_index", "text"),
    "response.reasoning_text": _Channel("reasoning", "reasoning", "content", "content_index", "text"),
    "response.function_call_arguments": _Channel("function_call", "tool_call", "call", "", "arguments"),
    "response.custom_tool_call_input": _Channel("custom_tool_call", "tool_call", "call", "", "input"),
}
_PARTS: Mapping[str, _Channel] = {
    "output_text": _CHANNELS["response.output_text"],
    "refusal": _CHANNELS["response.refusal"],
    "summary_text": _CHANNELS["response.reasoning_summary_text"],
    "reasoning_text": _CHANNELS["response.reasoning_text"],
}
_TERMINAL = {f"response.{status}": status for status in ("completed", "incomplete", "failed", "cancelled")}
_CUT: Mapping[str, FinishReason] = {
    "max_output_tokens": "length",
    "max_tokens": "length",
    "length": "length",
    "content_filter": "content_filter",
}
_ASTRAY = {"item_id", "output_index", "sequence_number"}
"""What belongs to the events of a stream and is left in an item by some servers, which refuse it when it comes back."""


@dataclass(slots=True, eq=False)
class _Item:
    """An output item while it arrives. `keys` are its parts, in order; `said` is what was told of each in pieces."""

    kind: str
    index: int | None
    wire: Mapping[str, Any] = field(default_factory=dict)
    keys: dict[Slot, Hashable] = field(default_factory=dict)
    said: dict[Slot, list[str]] = field(default_factory=dict)
    spare: Hashable | None = None
    ended: bool = False

    def text(self, slot: Slot) -> str:
        return mend("", "".join(self.said.get(slot, ())))[0]


class ResponsesStream:
    """Events of the Responses API in, ours out: an AnswerStream."""

    def __init__(self, answer: Answering, *, secrets: Sequence[str] = ()) -> None:
        self._answer = answer
        self._secrets = tuple(secrets)
        self._items: list[_Item] = []

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
        try:
            parsed = json_of(text)
        except (ValueError, RecursionError):
            if event == "error":
                return self._refused(data)
            return self.broken(ServerError(f"a chunk that is not JSON: {redact(text, self._secrets)[:80]!r}"))
        return self._take(parsed, event) if isinstance(parsed, dict) else []

    def body(self, parsed: Any) -> list[StreamEvent]:
        """See AnswerStream.body."""
        if not isinstance(parsed, dict) or not {"output", "status"} & parsed.keys():
            return self._refused(parsed)
        return self._finish(parsed)

    def end(self) -> list[StreamEvent]:
        """See AnswerStream.end."""
        return self._answer.truncated("terminal event")

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """See AnswerStream.broken."""
        return self._answer.fail(error)

    def _refused(self, error: Any) -> list[StreamEvent]:
        return self.broken(classify_error(error, provider=self._answer.provider, secrets=self._secrets))

    # What an event says.

    def _take(self, parsed: dict[str, Any], event: str) -> list[StreamEvent]:
        named = parsed.get("type")
        kind = named if isinstance(named, str) else event
        if "error" in {kind, event} or (named is None and parsed.get("error")):
            return self._refused(parsed)
        if kind in _TERMINAL:
            return self._finish(_object(parsed.get("response")), _TERMINAL[kind])
        stem, _, verb = kind.rpartition(".")
        index = index_of({"index": parsed.get("output_index")})
        if kind in {"response.created", "response.in_progress", "response.queued"}:
            self._hear(_object(parsed.get("response")))
            self._answer.begin()
        elif stem == "response.output_item":
            self._take_item(_object(parsed.get("item")), index, done=verb == "done")
        elif stem in _CHANNELS and verb in {"delta", "done"}:
            self._take_words(_CHANNELS[stem], parsed, index, verb)
        elif verb == "done" and "part" in parsed:
            part = _object(parsed["part"])
            channel = _PARTS.get(str(part.get("type")))
            if channel is not None:
                self._take_words(channel, {**parsed, **part}, index, verb)
        elif kind == "response.output_text.annotation.added":
            self._take_annotation(parsed, index)
        return self._answer.flush()

    def _hear(self, response: Mapping[str, Any]) -> None:
        self._answer.named(text_of(response.get("model")), text_of(response.get("id")))
        usage = response.get("usage")
        if isinstance(usage, dict):
            self._answer.usage = normal_usage(usage)

    def _take_item(self, wire: dict[str, Any], index: int | None, *, done: bool) -> None:
        kind = text_of(wire.get("type"))
        if kind is None:
            return
        item = self._open_item(kind, index, text_of(wire.get("call_id")))
        if done:
            # told twice, it is still one item; rotating ids tell nothing, but equal ones do
            if item is None and any(_same(item, kind, index, wire) for item in self._items):
                return
            self._end_item(item or self._new_item(kind, index, wire), wire)
        elif item is None:
            self._announce(self._new_item(kind, index, wire))

    def _take_words(self, channel: _Channel, parsed: Mapping[str, Any], index: int | None, verb: str) -> None:
        item = self._open_item(channel.item, index)
        if item is None:
            if any(item.index == index and item.kind == channel.item for item in self._items):
                return  # of an item that has ended
            item = self._new_item(channel.item, index, {})
        slot = (channel.list, index_of({"index": parsed.get(channel.index)}) or 0)
        if verb == "delta":
            self._say(item, slot, channel.part, parsed.get("delta"))
        else:
            self._whole(item, slot, channel.part, parsed.get(channel.whole))

    def _take_annotation(self, parsed: Mapping[str, Any], index: int | None) -> None:
        item = self._open_item("message", index)
        slot = ("content", index_of({"index": parsed.get("content_index")}) or 0)
        if item is not None and slot in item.keys and isinstance(parsed.get("annotation"), dict):
            part = self._answer.facts(item.keys[slot]).setdefault("part", {})
            part.setdefault("annotations", []).append(mended(parsed["annotation"]))

    # Items.

    def _open_item(self, kind: str, index: int | None, call_id: str | None = None) -> _Item | None:
        """The item that an event goes on with: the last one of its kind in its place that has not ended."""
        for item in reversed(self._items):
            here = index is None or item.index in {None, index}
            # bridges give every parallel call the same place
            other = call_id and item.wire.get("call_id") and item.wire["call_id"] != call_id
            if here and item.kind == kind and not item.ended and not other:
                return item
        return None

    def _new_item(self, kind: str, index: int | None, wire: Mapping[str, Any]) -> _Item:
        item = _Item(kind, index, wire)
        self._items.append(item)
        return item

    def _announce(self, item: _Item) -> None:
        if item.kind in _CALLS:
            self._name_call(item, item.wire)
        elif item.kind == "reasoning":
            # a sealed thought says nothing, but that it is being thought is worth telling
            item.spare = (item, "thought")
            self._answer.open(item.spare, "reasoning")
        elif item.kind != "message":
            self._key(item, _TOOL, "server_tool")

    def _key(self, item: _Item, slot: Slot, kind: str) -> Hashable:
        if slot not in item.keys:
            key: Hashable = (item, *slot)
            if item.spare is not None:
                key, item.spare = item.spare, None
            else:
                self._answer.open(key, kind, name=item.kind if kind == "server_tool" else "")
            item.keys[slot] = key
            if item.kind == "message" and item.wire:
                self._answer.facts(key)["item"] = _without(item.wire, "type", "role", "content", "status")
        return item.keys[slot]

    def _say(self, item: _Item, slot: Slot, kind: str, words: Any) -> None:
        if not isinstance(words, str) or not words:
            return
        item.said.setdefault(slot, []).append(words)
        if kind != "tool_call" or slot in item.keys:  # a call begins with its name
            self._answer.add(self._key(item, slot, kind), words)

    def _whole(self, item: _Item, slot: Slot, kind: str, words: Any) -> None:
        """Hear once more, or only now, all of a part: what the pieces left out of it is told."""
        said = item.text(slot)
        if isinstance(words, str) and mended(words).startswith(said):
            self._say(item, slot, kind, mended(words)[len(said) :])

    # Items that are whole.

    def _end_item(self, item: _Item, wire: Mapping[str, Any]) -> None:
        match item.kind:
            case "message":
                self._end_message(item, wire)
            case "reasoning":
                self._end_thought(item, wire)
            case kind if kind in _CALLS:
                self._end_call(item, wire)
            case _:
                key = self._key(item, _TOOL, "server_tool")
                self._answer.facts(key)["item"] = _without(wire)
                self._answer.close(key)
        item.ended = True

    def _end_message(self, item: _Item, wire: Mapping[str, Any]) -> None:
        meta = _without(wire, "type", "role", "content")
        parts = dicts(wire.get("content"))
        for slot, part in zip(_slots(item, "content", len(parts)), parts, strict=True):
            kind = text_of(part.get("type")) or "output_text"
            words = part.get("refusal" if kind == "refusal" else "text")
            if isinstance(words, str):
                self._whole(item, slot, "refusal" if kind == "refusal" else "text", words)
            else:
                # whatever it is, it is content
                sealed = self._answer.opaque({"item": meta, "part": _without(part)})
                self._answer.put(ServerTool(name=kind, opaque=sealed))
            if slot in item.keys:
                facts = self._answer.facts(item.keys[slot])
                facts["item"] = meta
                known = ("text", "refusal", "logprobs", *(["type"] if kind in {"output_text", "refusal"} else []))
                rest = {name: value for name, value in _without(part, *known).items() if value}
                facts["part"] = {**facts.get("part", {}), **rest}
                self._answer.cited(item.keys[slot], of_annotations(facts["part"].get("annotations")))
                self._answer.weigh(listed(part.get("logprobs")), key=item.keys[slot])
        for key in item.keys.values():
            self._answer.close(key)

    def _end_thought(self, item: _Item, wire: Mapping[str, Any]) -> None:
        for name in ("summary", "content"):
            pieces = dicts(wire.get(name))
            for slot, piece in zip(_slots(item, name, len(pieces)), pieces, strict=True):
                self._whole(item, slot, "reasoning", piece.get("text"))
        if not item.keys:
            self._key(item, ("summary", 0), "reasoning")
        keys = list(item.keys.values())
        # the first part carries the item, so that it goes back once and as it was
        self._answer.facts(keys[0])["item"] = _without(wire)
        for key in keys:
            self._answer.close(key)

    def _end_call(self, item: _Item, wire: Mapping[str, Any]) -> None:
        self._name_call(item, wire, at_last=True)
        argument = _CALLS[item.kind]
        words = wire.get(argument)
        if words is not None and not isinstance(words, str):
            words = json.dumps(words, ensure_ascii=False)
        self._whole(item, _CALL, "tool_call", words)
        key, cut = item.keys[_CALL], wire.get("status") == "incomplete"
        meta = _without(wire, "call_id", "name", argument)
        self._answer.facts(key)["item"] = meta
        # one that does not parse may have been cut by the token limit, which only the end of the answer tells
        if cut or item.kind == "custom_tool_call" or is_json(item.text(_CALL)):
            self._answer.close(key, complete=not cut)

    def _name_call(self, item: _Item, wire: Mapping[str, Any], *, at_last: bool = False) -> None:
        name, call_id = text_of(wire.get("name")), text_of(wire.get("call_id"))
        if _CALL in item.keys:
            self._answer.learn(item.keys[_CALL], name=name or text_of(item.wire.get("name")) or "", call_id=call_id)
        elif name or at_last:
            item.keys[_CALL] = (item, *_CALL)
            self._answer.open(item.keys[_CALL], "tool_call", name=name or "", call_id=call_id)
            for words in item.said.get(_CALL, ()):
                self._answer.add(item.keys[_CALL], words)

    # The end.

    def _finish(self, response: Mapping[str, Any], status: str | None = None) -> list[StreamEvent]:
        self._hear(response)
        self._take_output(dicts(response.get("output")))
        told = text_of(response.get("status"))
        if status is None or told in _TERMINAL.values():
            status = told
        error = response.get("error")
        if error:
            return self._refused({"error": error})
        if status == "failed":
            return self.broken(ServerError(f"the provider gave up: status {status!r}", code=status))
        if status is None:
            return self._answer.truncated("status")
        why = text_of(_object(response.get("incomplete_details")).get("reason"))
        return self._answer.finish(self._reason(status, why), why or told or status)

    def _take_output(self, output: Sequence[dict[str, Any]]) -> None:
        """Take the whole answer in the last event: what was never told, or never ended, is told now.

        The n-th item of a kind is the n-th that was streamed: places shift where a server leaves some out.
        """
        known = list(self._items)
        seen: Counter[str] = Counter()
        for place, wire in enumerate(output):
            kind = text_of(wire.get("type"))
            if kind is None:
                continue
            same = [item for item in known if item.kind == kind][seen[kind] :]
            seen[kind] += 1
            item = same[0] if same else self._new_item(kind, place, wire)
            if not item.ended:
                self._end_item(item, wire)

    def _reason(self, status: str, why: str | None) -> FinishReason:
        match status:
            case "completed":
                return "stop"
            case "incomplete":
                return _CUT.get(why or "", "other")
            case "queued" | "in_progress" | "cancelled":
                return "other"
            case _:  # a word nobody knows: what was called is wanted
                return "tool_calls" if any(item.kind in _CALLS for item in self._items) else "other"


def normal_usage(raw: Mapping[str, Any]) -> Usage:
    """The API's usage in our terms (M4): its input has the cache in it, its output the reasoning."""
    inputs, outputs = (_object(raw.get(f"{name}_tokens_details")) for name in ("input", "output"))
    return Usage(
        input=count(raw.get("input_tokens")),
        output=count(raw.get("output_tokens")),
        cache_read=count(inputs.get("cached_tokens")),
        cache_write=count(inputs.get("cache_write_tokens")),
        reasoning=count(outputs.get("reasoning_tokens")),
        raw=dict(raw),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _without(wire: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """What of an item or a part only the provider reads."""
    kept = {name: value for name, value in wire.items() if name not in _ASTRAY and name not in names}
    return dict(mended(kept))


def _same(item: _Item, kind: str, index: int | None, wire: Mapping[str, Any]) -> bool:
    return item.kind == kind and item.index == index and item.wire.get("id") == wire.get("id")


def _slots(item: _Item, name: str, length: int) -> list[Slot]:
    """The places of a list's parts. Bedrock streams an only part as the second: then the n-th is the n-th streamed."""
    streamed = sorted(index for listed, index in item.said if listed == name)
    if not streamed or streamed[-1] < length:
        return [(name, n) for n in range(length)]
    return [(name, streamed[n] if n < len(streamed) else streamed[-1] + n) for n in range(length)]
