"""A backend that answers from a script: for tests, notebooks and documentation, with no model and no network.

    Scripted(["Hello.", ToolCall(call_id="1", name="add", arguments='{"a": 1}'), RateLimited("slow down")])
    Scripted({"capital of France": "Paris", "capital of Spain": "Madrid"})
    Scripted(lambda request: request.messages[-1].text.upper())
    Scripted("Always the same.")

A list is used up in the order in which requests arrive. A mapping answers by what the last message contains, and a
function by anything: those two give each of many concurrent requests its own answer. Answers are streamed word by word,
the same way every time. `max_tokens` counts those words, `stop` cuts; what is left of the settings has no meaning for a
script.
"""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import anyio.lowlevel

from graphrt.backends.base import Capabilities
from graphrt.backends.errors import BackendError, BadRequest
from graphrt.backends.events import (
    Answer,
    Failed,
    Finished,
    FinishReason,
    PartDelta,
    PartEnded,
    PartStarted,
    Started,
    StreamEvent,
    Usage,
)
from graphrt.backends.messages import (
    Media,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    ServerTool,
    Text,
    ToolCall,
    ToolResult,
)

Line: TypeAlias = str | Part | Sequence[Part] | Message | Answer | BackendError
"""What a script may say: words, a part or several, a finished answer, or an error to end in."""

Said: TypeAlias = Line | Callable[[Request], Line]
Script: TypeAlias = str | Iterable[Said] | Mapping[str, Said] | Callable[[Request], Line]

_WORD = re.compile(r"\s*\S+|\s+")


class Scripted:
    """Answers from `script`, and remembers the requests it got.

    A request that the script has no answer for ends in a `BadRequest` that says so. Cancelling a stream takes nothing
    back: its line is used up. It may be used by many tasks and threads at once.
    """

    def __init__(self, script: Script, *, name: str = "scripted") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._lines: tuple[Said, ...] = ()
        self._known: Mapping[str, Said] | None = None
        self._always: Said | None = None
        if isinstance(script, str) or callable(script):
            self._always = script
        elif isinstance(script, Mapping):
            self._known = cast("Mapping[str, Said]", dict(script))
        else:
            self._lines = tuple(script)
        self.requests: list[Request] = []
        """Every request so far, in order of arrival."""
        self.active = 0
        """How many streams are open right now."""

    def __repr__(self) -> str:
        return f"Scripted({self._name!r}, {len(self.requests)} requests so far)"

    @property
    def name(self) -> str:
        """As it was given."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """A script can say anything, and says it every time."""
        return Capabilities(tools=True, json_schema=True, seed=True)

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer with the script's line for `request`, a word at a time, pausing at each for whoever else wants to
        run."""
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            self.active += 1
        try:
            for event in _events(self._line(request, number), request):
                await anyio.lowlevel.checkpoint()
                yield event
        finally:
            with self._lock:
                self.active -= 1

    async def aclose(self) -> None:
        """There is nothing to give back."""

    def _line(self, request: Request, number: int) -> Line:
        said = self._find(request, number)
        try:
            return said(request) if callable(said) else said
        except BackendError as error:
            return error

    def _find(self, request: Request, number: int) -> Said:
        if self._always is not None:
            return self._always
        if self._known is not None:
            asked = _asked(request)
            for words, said in self._known.items():
                if words in asked:
                    return said
            known = ", ".join(map(repr, self._known))
            return BadRequest(f"the script knows {known}, and was asked {asked[:200]!r}", provider=self._name)
        if number > len(self._lines):
            words = f"the script has {len(self._lines)} answers, and this is request {number}"
            return BadRequest(words, provider=self._name)
        return self._lines[number - 1]


def _asked(request: Request) -> str:
    """The words of the last message: what was said, or what a tool answered."""
    last = request.messages[-1].parts if request.messages else ()
    return "\n".join(part.content if isinstance(part, ToolResult) else getattr(part, "text", "") for part in last)


def _events(line: Line, request: Request) -> Iterable[StreamEvent]:
    if isinstance(line, BackendError):
        yield Failed(line)
        return
    answer = line if isinstance(line, Answer) else None
    words_left = request.settings.max_tokens
    reason: FinishReason = answer.finish if answer else "stop"
    yield Started(answer.model, answer.response_id) if answer else Started("scripted")
    for number, part in enumerate(_parts(line), 1):
        id_ = part.id or f"part-{number}"
        pieces, cut = _pieces(part, request, words_left)
        words_left = None if words_left is None else words_left - len(pieces)
        name, call_id = (part.name, part.call_id) if isinstance(part, ToolCall) else (None, None)
        yield PartStarted(id_, part.kind, name, call_id)
        for piece in pieces:
            yield PartDelta(id_, piece)
        yield PartEnded(id_, _whole(part, id_, "".join(pieces), cut))
        if isinstance(part, ToolCall) and reason == "stop":
            reason = "tool_calls"
        if cut:
            reason = cut
            break
    usage = answer.usage if answer else Usage()
    yield Finished(reason, (answer.raw_finish if answer else None) or reason, usage)


def _parts(line: Line) -> Sequence[Part]:
    match line:
        case str():
            return (Text(text=line),)
        case Answer(message=message):
            return message.parts
        case Message(parts=parts):
            return parts
        case BackendError():
            return ()
        case Text() | Reasoning() | Refusal() | ToolCall() | ToolResult() | Media() | ServerTool():
            return (line,)
        case _:
            return line


def _pieces(part: Part, request: Request, words_left: int | None) -> tuple[list[str], FinishReason | None]:
    """The words of a part, and why they end early if they do."""
    text = part.arguments if isinstance(part, ToolCall) else getattr(part, "text", "")
    cut: FinishReason | None = None
    if isinstance(part, Text):
        ends = [at for stop in request.settings.stop if (at := text.find(stop)) >= 0]
        if ends:
            text, cut = text[: min(ends)], "stop"
    pieces = _WORD.findall(text)
    if words_left is not None and len(pieces) > words_left:
        return pieces[:words_left], "length"
    return pieces, cut


def _whole(part: Part, id_: str, text: str, cut: FinishReason | None) -> Part:
    update: dict[str, Any] = {"id": id_}
    match part:
        case ToolCall():
            update |= {"arguments": text, "complete": part.complete and cut is None}
        case Text() | Reasoning() | Refusal():
            update["text"] = text
        case _:
            pass
    return part.model_copy(update=update)
