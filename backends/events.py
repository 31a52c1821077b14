"""What a backend says while it answers: start, deltas and end of each part, then exactly one terminal event (M3).

    Chose* · Started? · Warned* · (PartStarted · PartDelta* · PartEnded)* · (Restarted · …)? · Finished | Failed

`Drafted` may stand anywhere between. Parts may interleave; a part is named by its `id`, never by a provider's index.
A stream that ends without the provider's own terminal signal ends in `Failed(StreamTruncated)` with the partial answer:
truncation is never success.
`fold` turns a whole stream into an `Answer`, or raises the error it ended in.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ConfigDict

from graphrt.backends.errors import BackendError, StreamProtocolError
from graphrt.backends.messages import Frozen, Message, Part, Reasoning, Refusal, ServerTool, Text, ToolCall
from graphrt.backends.wire.ratelimits import RateLimit
from graphrt.shown import Shown

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other"]
"""A closed set; the provider's own word stays beside it in `raw_reason` (M4). `pause`: the provider wants the answer
sent back, to go on with it."""


class Usage(Frozen):
    """Tokens, normalised (M4). `input` includes cache reads and writes, `output` includes reasoning; unknown is None,
    never 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    raw: Any = None


@dataclass(frozen=True, slots=True)
class Started:
    """The provider accepted the request: which model answers, under which id, and what its headers say is left."""

    model: str | None = None
    response_id: str | None = None
    limits: tuple[RateLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class Warned:
    """A setting that was not honoured, or a promise that was weakened, in plain sight (M6)."""

    setting: str
    message: str


@dataclass(frozen=True, slots=True)
class PartStarted:
    """A part begins. `name` and `call_id` are a tool call's."""

    id: str
    kind: str
    name: str | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class PartDelta:
    """More of a part: text, or a piece of a tool call's arguments."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class PartEnded:
    """A part is whole; `part` carries all of it."""

    id: str
    part: Part


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider ended the answer itself."""

    reason: FinishReason
    raw_reason: str | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Failed:
    """The stream ended in an error, which carries the partial answer and the usage so far."""

    error: BackendError


@dataclass(frozen=True, slots=True)
class Chose:
    """A policy chose who answers, and why (M8). `error` is what ended the attempt before it, `wasted` what that had
    spent."""

    policy: str
    backend: str
    reason: str
    error: BackendError | None = None
    wasted: Usage | None = None


@dataclass(frozen=True, slots=True)
class Restarted:
    """What was said so far does not count: the answer begins anew. Only a policy says so, and only if it was allowed
    to."""

    reason: str


@dataclass(frozen=True, slots=True)
class Drafted:
    """What the backend needs to go on with this answer should it be interrupted here: all of these in order, given back
    as `Request.draft` (M10). Only the backend understands it; where nobody keeps it, it means nothing."""

    text: str


StreamEvent = Chose | Started | Warned | PartStarted | PartDelta | PartEnded | Drafted | Restarted | Finished | Failed


class Choice(Frozen):
    """A `Chose` as it is recorded."""

    policy: str
    backend: str
    reason: str
    error: str | None = None
    wasted: Usage | None = None


class Answer(Shown, Frozen):
    """A finished answer: the assistant's message and how it came about."""

    message: Message
    finish: FinishReason
    raw_finish: str | None = None
    usage: Usage = Usage()
    model: str | None = None
    response_id: str | None = None
    warnings: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    """What policies chose on the way, in order (M8)."""

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return self.message.text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls the model asks for, in order. Only complete ones may be executed."""
        return self.message.tool_calls


class Fold:
    """Builds an answer from events, one at a time; `partial` is what there is so far."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._open: dict[str, tuple[PartStarted, list[str]]] = {}
        self._done: dict[str, Part] = {}
        self._started = Started()
        self._warnings: list[str] = []
        self.choices: list[Choice] = []
        self.terminal: Finished | Failed | None = None

    def add(self, event: StreamEvent) -> None:
        """Take one event. Raises StreamProtocolError for anything after the terminal event, or a part that was never
        started."""
        if self.terminal is not None:
            raise StreamProtocolError(f"{type(event).__name__} after {type(self.terminal).__name__}")
        match event:
            case PartDelta(id=id_, text=text):  # the first, since nearly all are
                if id_ not in self._open:
                    raise StreamProtocolError(f"a delta for part {id_!r}, which is not open")
                self._open[id_][1].append(text)
            case Started():
                self._started = event
            case Warned(message=message):
                self._warnings.append(message)
            case Chose(policy=policy, backend=backend, reason=reason, error=error, wasted=wasted):
                words = str(error) if error is not None else None
                self.choices.append(Choice(policy=policy, backend=backend, reason=reason, error=words, wasted=wasted))
            case Restarted():
                self._order, self._open, self._done = [], {}, {}
                self._started, self._warnings = Started(), []
            case PartStarted(id=id_):
                if id_ in self._open or id_ in self._done:
                    raise StreamProtocolError(f"part {id_!r} started twice")
                self._order.append(id_)
                self._open[id_] = (event, [])
            case PartEnded(id=id_, part=part):
                if self._open.pop(id_, None) is None:
                    raise StreamProtocolError(f"the end of part {id_!r}, which is not open")
                self._done[id_] = part
            case Drafted():
                pass
            case Finished() | Failed():
                self.terminal = event

    def partial(self) -> Message:
        """What was said so far; a tool call that is not whole is marked incomplete, so that nobody executes it."""
        parts: list[Part] = []
        for id_ in self._order:
            if id_ in self._done:
                parts.append(self._done[id_])
                continue
            start, pieces = self._open[id_]
            parts.append(_unfinished(start, "".join(pieces)))
        return Message(role="assistant", parts=tuple(parts))

    def answer(self) -> Answer:
        """The finished answer. Raises the stream's own error, or StreamProtocolError if there was no terminal event."""
        match self.terminal:
            case None:
                raise StreamProtocolError("the backend stopped without a terminal event")
            case Failed(error=error):
                raise error
            case Finished(reason=reason, raw_reason=raw, usage=usage):
                return Answer(
                    message=self.partial(),
                    finish=reason,
                    raw_finish=raw,
                    usage=usage,
                    model=self._started.model,
                    response_id=self._started.response_id,
                    warnings=tuple(self._warnings),
                    choices=tuple(self.choices),
                )


def _unfinished(start: PartStarted, text: str) -> Part:
    """The part that `start` began, as far as it came. What has no text of its own (media) is kept as words."""
    match start.kind:
        case "tool_call":
            call_id, name = start.call_id or start.id, start.name or ""
            return ToolCall(id=start.id, call_id=call_id, name=name, arguments=text, complete=False)
        case "server_tool":
            return ServerTool(id=start.id, name=start.name or "")
        case "reasoning":
            return Reasoning(id=start.id, text=text)
        case "refusal":
            return Refusal(id=start.id, text=text)
        case _:
            return Text(id=start.id, text=text)


def fold(events: Iterable[StreamEvent]) -> Answer:
    """Fold a whole stream into its answer."""
    state = Fold()
    for event in events:
        state.add(event)
    return state.answer()


async def complete(events: AsyncIterator[StreamEvent]) -> Answer:
    """Read a stream to its end and return the answer, or raise the error it ended in.

    Whatever happens, the stream is closed when this returns: a backend never goes on working for nobody.
    """
    state = Fold()
    try:
        async for event in events:
            state.add(event)
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
    return state.answer()
