"""An answer while it arrives: what a dialect has understood, told as events that keep the grammar (M3).

    reader:   bytes -> frames          `sse`, `lines`, `eventstream`; one wire format each
    dialect:  frame -> calls to here   what the provider means
    here:     calls  -> events         parts that begin and end, ids of our own, one terminal event

Every dialect's stream tells what it found to an `Answering`, and hands on what `flush` returns. Nothing here does I/O;
whatever it is told, it ends in exactly one terminal event.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Protocol

from graphrt.backends.dialects.values import is_json, json_of, mend
from graphrt.backends.errors import BackendError, ConnectionFailed, StreamTruncated, TimedOut
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
from graphrt.backends.messages import (
    Citation,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    ServerTool,
    Text,
    TokenLogprob,
    ToolCall,
)
from graphrt.backends.wire.ratelimits import RateLimit


class AnswerStream(Protocol):
    """A dialect's side of an answer: what arrives in, events out. Whatever it is fed, it ends in one terminal event."""

    @property
    def closed(self) -> bool:
        """Whether the terminal event is out; what comes after it is ignored."""
        raise NotImplementedError

    def chunk(self, data: str, event: str = "message") -> list[StreamEvent]:
        """Take the data of one frame of the stream, and the frame's name where the format has one."""
        raise NotImplementedError

    def body(self, parsed: Any) -> list[StreamEvent]:
        """Take a whole JSON answer, and end."""
        raise NotImplementedError

    def end(self) -> list[StreamEvent]:
        """The answer is over: judge it by what was seen. Nothing but the provider's own terminal signal makes it a
        success."""
        raise NotImplementedError

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """The answer broke off: end in `error`, with what there is."""
        raise NotImplementedError


def new_call_id() -> str:
    """An id for a call that came without one. Random, since a conversation may hold many answers."""
    return f"call_{uuid.uuid4().hex[:24]}"


@dataclass(slots=True)
class _Open:
    """A part while it arrives."""

    id: str
    kind: str
    name: str = ""
    call_id: str | None = None
    pieces: list[str] = field(default_factory=list)
    half: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    citations: list[Citation] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Answering:
    """Builds the events of one answer. A part is known by a `key` that the dialect chooses, such as its index on the
    wire; keys never leave this class.

    `model` is the name the request used: payloads that only the provider reads are tagged with it. `warnings` are told
    right after the start.
    """

    def __init__(
        self,
        provider: str,
        model: str,
        *,
        warnings: Sequence[Warned] = (),
        call_id: Callable[[], str] = new_call_id,
    ) -> None:
        self.provider = provider
        self.model = model
        self.usage = Usage()
        """What is known so far; goes into the terminal event."""
        self.answers_as: str | None = None
        """The model that says it answers."""
        self.response_id: str | None = None
        self.limits: tuple[RateLimit, ...] = ()
        """What the headers say is left; goes out with the start, or with the error."""
        self._warnings = tuple(warnings)
        self._call_id = call_id
        self._fold = Fold()
        self._events: list[StreamEvent] = []
        self._started = False
        self._count = 0
        self._parts: dict[Hashable, _Open] = {}
        self._taken: set[str] = set()
        self._speaking: Hashable | None = None
        self._astray: list[Citation] = []

    @property
    def closed(self) -> bool:
        """Whether the terminal event is out."""
        return self._fold.terminal is not None

    @property
    def said_anything(self) -> bool:
        """Whether any part has begun."""
        return self._count > 0

    def flush(self) -> list[StreamEvent]:
        """Hand over the events since the last flush."""
        events, self._events = self._events, []
        return events

    # What has begun.

    def named(self, model: str | None, response_id: str | None) -> None:
        """Hear which model answers, under which id; the first word counts."""
        self.answers_as = self.answers_as or model
        self.response_id = self.response_id or response_id

    def begin(self) -> None:
        """Tell that the provider accepted the request, once. Every part does so by itself."""
        if not self._started:
            self._started = True
            self._emit(Started(self.answers_as, self.response_id, self.limits))
            for warning in self._warnings:
                self._emit(warning)

    # Parts.

    def open(self, key: Hashable, kind: str, *, name: str = "", call_id: str | None = None) -> None:
        """Begin a part. `name` and `call_id` are a tool call's; a call without an id, or with one that an earlier call
        of this answer has, gets one of ours in the end."""
        self.begin()
        part = self._parts[key] = _Open(self._new_id(), kind, name)
        self._identify(part, call_id)
        self._emit(PartStarted(part.id, kind, name or None, part.call_id))

    def learn(self, key: Hashable, *, name: str, call_id: str | None) -> None:
        """Hear a call's name and id once more, or only now."""
        self._parts[key].name = name
        self._identify(self._parts[key], call_id)

    def is_open(self, key: Hashable) -> bool:
        """Whether a part has begun and not ended."""
        return key in self._parts

    def add(self, key: Hashable, text: str | None) -> None:
        """More of a part."""
        if text:
            self._hear(self._parts[key], text)

    def restart(self, key: Hashable) -> None:
        """What comes now is all of a part, and not more of it."""
        self._parts[key].pieces.clear()

    def facts(self, key: Hashable) -> dict[str, Any]:
        """Return what only the provider reads in a part (M2), to be added to."""
        return self._parts[key].facts

    def close(self, key: Hashable, *, complete: bool = True) -> None:
        """End a part. A tool call that is not `complete` must never be executed."""
        if self._speaking == key:
            self._speaking = None
        part = self._parts.pop(key)
        if part.half:
            self._tell(part, "\ufffd")
        self._emit(PartEnded(part.id, self._made(part, complete=complete)))

    def prose(self, kind: str) -> dict[str, Any]:
        """Go on with prose of a kind, where the wire does not say where parts begin and end: another kind ends the
        last. Returns the part's `facts`."""
        return self._prose(kind).facts

    def say(self, kind: str, text: str | None) -> None:
        """More prose of a kind; see `prose`."""
        if text:
            self._hear(self._prose(kind), text)

    def said(self, key: Hashable) -> str:
        """Return the words of an open part so far."""
        return self._parts[key].text

    def text(self) -> str:
        """Return all words for the reader so far."""
        return self._fold.partial().text

    # What is known of words.

    def weigh(self, tokens: Sequence[TokenLogprob], *, kind: str = "text", key: Hashable = None) -> None:
        """Hear how likely tokens of an open part were, of the prose that is being said unless `key` is given. What is
        told of no such part is about a thought or a call, and is not kept."""
        part = self._parts.get(self._speaking if key is None else key)
        if part is not None and part.kind == kind:
            part.logprobs += tokens

    def cited(self, key: Hashable, citations: Sequence[Citation]) -> None:
        """Hear where the words of an open part come from."""
        self._parts[key].citations += citations

    def cite(self, citations: Sequence[Citation] = ()) -> None:
        """Hear where words of the answer come from, by their places in all of its text. One that no open part holds
        goes without its place to the last text that is open, or waits for one; in the end, to one of no words."""
        if not citations and not self._astray:
            return
        open_ = self._open_texts()
        for citation in citations:
            for key, first, end in open_:
                found = _within(citation, first, end)
                if found is not None:
                    self.cited(key, [found])
                    break
            else:
                self._astray.append(citation.model_copy(update={"start": None, "end": None}))
        if open_:
            self.cited(open_[-1][0], self._astray)
            self._astray = []

    def _open_texts(self) -> list[tuple[Hashable, int, int]]:
        """The texts that are open, and where each begins and ends in all of the text."""
        keys = {part.id: key for key, part in self._parts.items()}
        texts = [part for part in self._fold.partial().parts if isinstance(part, Text)]
        ends = accumulate(len(part.text) for part in texts)
        return [
            (keys[part.id], end - len(part.text), end) for part, end in zip(texts, ends, strict=True) if part.id in keys
        ]

    def hush(self) -> None:
        """End the prose that is being said, if there is any."""
        if self._speaking is not None:
            self.close(self._speaking)

    def put(self, part: Part) -> None:
        """A part that comes all at once; its id is given here."""
        self.hush()
        self.begin()
        part = part.model_copy(update={"id": self._new_id()})
        self._emit(PartStarted(part.id, part.kind, getattr(part, "name", None), getattr(part, "call_id", None)))
        self._emit(PartEnded(part.id, part))

    def opaque(self, payload: Any) -> Opaque:
        """Seal a payload that only this provider reads, and only for this model."""
        return Opaque(provider=self.provider, model=self.model, payload=payload)

    def close_all(self, *, cut: bool = False) -> None:
        """End what is still open. Of an answer that was `cut`, the last call is incomplete, and so is any other whose
        arguments do not parse."""
        calls = [key for key, part in self._parts.items() if part.kind == "tool_call"]
        for key, part in list(self._parts.items()):
            whole = True
            if cut and part.kind == "tool_call":
                whole = key != calls[-1] and (not part.text.strip() or is_json(part.text))
            self.close(key, complete=whole)

    # The end.

    def finish(self, reason: FinishReason, raw: str | None = None) -> list[StreamEvent]:
        """The provider ended the answer itself. A `stop` with calls in it means that they are wanted."""
        if self.closed:
            return []
        self.begin()
        self.cite()
        self.close_all(cut=reason in {"length", "content_filter"})
        parts = self._fold.partial().parts
        if self._astray:
            self.put(Text(text="", citations=tuple(self._astray)))
        if reason == "stop" and any(isinstance(part, ToolCall) for part in parts):
            reason = "tool_calls"
        elif reason == "stop" and any(isinstance(part, Refusal) for part in parts):
            reason = "stop" if any(isinstance(part, Text) for part in parts) else "refusal"
        self._emit(Finished(reason, raw, self.usage))
        return self.flush()

    def fail(self, error: BackendError) -> list[StreamEvent]:
        """End in an error, with what there is. A connection that broke in the middle of an answer truncated it."""
        if self.closed:
            return []
        if isinstance(error, ConnectionFailed) and self.said_anything:
            cause, words = error.__cause__, f"the answer broke off: {error.provider_message}"
            error = StreamTruncated(words)
            error.__cause__ = cause
        error.provider = error.provider or self.provider
        error.partial = self._fold.partial() if self.said_anything else None
        error.usage = self.usage if self.usage.raw is not None else None
        error.limits = self.limits
        self._emit(Failed(error))
        return self.flush()

    def truncated(self, before: str) -> list[StreamEvent]:
        """End without the provider's own terminal signal, which is called `before`."""
        said = f"before its {before}" if self.said_anything else "before it said anything"
        return self.fail(StreamTruncated(f"the answer ended {said}"))

    # How parts are made.

    def _made(self, part: _Open, *, complete: bool) -> Part:
        opaque = self.opaque(part.facts) if part.facts else None
        match part.kind:
            case "tool_call":
                return self._call(part, complete=complete)
            case "reasoning":
                return Reasoning(id=part.id, text=part.text, opaque=opaque)
            case "refusal":
                return Refusal(id=part.id, text=part.text, logprobs=tuple(part.logprobs) or None, opaque=opaque)
            case "server_tool":
                return ServerTool(id=part.id, name=part.name, opaque=opaque)
            case _:
                return Text(
                    id=part.id,
                    text=part.text,
                    citations=tuple(part.citations),
                    logprobs=tuple(part.logprobs) or None,
                    opaque=opaque,
                )

    def _call(self, part: _Open, *, complete: bool) -> ToolCall:
        return ToolCall(
            id=part.id,
            call_id=part.call_id or self._call_id(),
            name=part.name,
            arguments=part.text,
            complete=complete,
            synthetic_id=part.call_id is None,
            opaque=self.opaque(part.facts) if part.facts else None,
        )

    def _identify(self, part: _Open, call_id: str | None) -> None:
        if not call_id or part.call_id == call_id:
            return
        if part.call_id is None and call_id not in self._taken:
            self._taken.add(call_id)
            part.call_id = call_id
            part.facts.pop("id", None)
        elif part.call_id is None:
            part.facts["id"] = call_id

    def _prose(self, kind: str) -> _Open:
        key = ("prose", kind)
        if self._speaking != key:
            self.hush()
            self.open(key, kind)
            self._speaking = key
        return self._parts[key]

    def _hear(self, part: _Open, text: str) -> None:
        text, part.half = mend(part.half, text)
        self._tell(part, text)

    def _tell(self, part: _Open, text: str) -> None:
        if text:
            part.pieces.append(text)
            self._emit(PartDelta(part.id, text))

    def _new_id(self) -> str:
        self._count += 1
        return f"part-{self._count}"

    def _emit(self, event: StreamEvent) -> None:
        self._fold.add(event)
        self._events.append(event)


def _within(citation: Citation, first: int, end: int) -> Citation | None:
    """The citation by its place in a part that stands there in the text; None if it is about none of it."""
    places = [place for place in (citation.start, citation.end) if place is not None]
    if not places or min(places) < first or max(places) > end:
        return None
    start, stop = (None if place is None else place - first for place in (citation.start, citation.end))
    return citation.model_copy(update={"start": start, "end": stop})


def lost(error: BackendError) -> bool:
    """Whether an error is the connection's and not the provider's: after the terminal signal it loses nothing."""
    return isinstance(error, (ConnectionFailed, TimedOut))


def object_of(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a frame holds; None if it is none."""
    try:
        found = json_of(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
