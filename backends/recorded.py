"""What a model was asked and what it said, as a step's record keeps it, and a backend that says it again (D10).

A record is for reading and for comparing: roles, words, tool calls, the settings that were given. Of a schema, a tool
or an image it keeps a hash. It holds no provider's payload, and of the URL of media neither query nor credentials (M9).
What an answer cites is noted as it was said.

    {"asked": {"messages": [["user", "Hello"]], "settings": {"seed": 1}, "output": "plan#1f0c88aa"}, "said": "Hi."}
    {"asked": {"messages": [["user", "Hello"]]}, "error": {"type": "RateLimited", "message": "slow down"}}

Where a question goes on from the one before it in the same step, the messages that both have are a number. A question
that was not answered has its error, and what had been said before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import to_json

from graphrt.backends import errors
from graphrt.backends.base import Backend, Capabilities
from graphrt.backends.errors import BackendError, BadRequest
from graphrt.backends.events import Answer, Failed, StreamEvent, Usage
from graphrt.backends.messages import (
    Media,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    ServerTool,
    Settings,
    Text,
    ToolCall,
    ToolResult,
)
from graphrt.backends.scripted import Scripted

Asked = dict[str, Any]
"""A question as it is recorded."""


def asked(request: Request) -> Asked:
    """Write a question down."""
    found: Asked = {"messages": [_message(message) for message in request.messages]}
    if settings := request.settings.model_dump(mode="json", exclude_defaults=True):
        found["settings"] = settings
    if request.tools:
        found["tools"] = [f"{tool.name}#{_digest([tool.description, tool.parameters])}" for tool in request.tools]
    if request.tool_choice != "auto":
        found["tool_choice"] = request.tool_choice
    if request.output is not None:
        found["output"] = f"{request.output.name}#{_digest(request.output.schema_)}"
    return found


def shortened(question: Asked, before: Sequence[Mapping[str, Any]]) -> Asked:
    """Leave out the messages that a question goes on from, if they are those of the last of the calls `before`.

    Calls that asked nothing, but had texts embedded, are none of these.
    """
    questions = [call for call in before if "asked" in call]
    if not questions:
        return question
    last = list(_whole(questions))[-1]["messages"]
    messages = question["messages"]
    if messages[: len(last)] != last:
        return question
    return {**question, "messages": [len(last), *messages[len(last) :]]}


def said(answer: Answer) -> Any:
    """Write an answer down: its text where that is all of it, else its parts."""
    return _said(answer.message)


def _said(message: Message) -> Any:
    parts = [_part(part, whole=True) for part in message.parts]
    return _plain(parts)


def failed(error: BaseException) -> dict[str, Any]:
    """Write down why a question was not answered: `error`, and `said` if it holds what had been said.

    A BackendError keeps its own words and facts; of others the name is kept, or that whoever asked gave up
    (`Cancelled`).
    """
    partial = error.partial if isinstance(error, BackendError) else None
    return {"error": _words(error), **({} if partial is None else {"said": _said(partial)})}


def _words(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, Exception):
        return {"type": "Cancelled", "message": "the question was given up before it was answered"}
    if not isinstance(error, BackendError):
        return {"type": type(error).__name__, "message": str(error)[:_LONGEST]}
    facts = {name: getattr(error, name) for name in _FACTS}
    if error.retryable != type(error).retryable:
        facts["retryable"] = error.retryable
    words = {"type": type(error).__name__, "category": error.category, "message": error.provider_message[:_LONGEST]}
    return words | {name: value for name, value in facts.items() if value is not None}


_LONGEST = 4000
"""Characters of an error's words that are kept, as of a step's failure."""

_FACTS = ("provider", "status", "code", "retry_after")


def _failure(call: Mapping[str, Any], usage: Usage) -> BackendError:
    """Make the error that a question ended in, as the recorded step's code saw it."""
    error = call["error"]
    kind = getattr(errors, error["type"], BackendError)
    if not (isinstance(kind, type) and issubclass(kind, BackendError)):
        kind = BackendError
    facts = {name: error.get(name) for name in (*_FACTS, "retryable")}
    partial = Message(role="assistant", parts=_read(call["said"])) if "said" in call else None
    return kind(error["message"], **facts, partial=partial, usage=usage if call["usage"] else None)


def _message(message: Message) -> list[Any]:
    parts = [_part(part, whole=False) for part in message.parts]
    return [message.role, _plain(parts)]


def _plain(parts: list[dict[str, Any]]) -> Any:
    """A text alone, where that is all there is."""
    return parts[0]["text"] if len(parts) == 1 and parts[0].keys() == {"text"} else parts


def _part(part: Part, *, whole: bool) -> dict[str, Any]:
    match part:
        case Text(text=text):
            return {"text": text, **(_beside(part) if whole else {})}
        case Reasoning(text=text):
            return {"reasoning": text}
        case Refusal(text=text):
            return {"refusal": text, **(_beside(part) if whole else {})}
        case ToolCall(name=name, arguments=arguments, call_id=call_id, complete=complete):
            cut = {} if complete else {"complete": False}
            return {"tool_call": name, "arguments": arguments, "call_id": call_id, **cut}
        case ToolResult(name=name, content=content, call_id=call_id, is_error=is_error, media=media):
            error = {"error": True} if is_error else {}
            shown = {"media": [_part(each, whole=whole) for each in media]} if media else {}
            return {"tool_result": name, "content": content, "call_id": call_id, **error, **shown}
        case Media(media_type=kind, data=data, url=url):
            if data is not None:
                return {"media": kind, "data": data if whole else f"#{_digest(data)}"}
            return {"media": kind, "url": _bare(url or "")}
        case ServerTool(name=name):
            return {"server_tool": name}


def _beside(part: Text | Refusal) -> dict[str, Any]:
    """What was said of words that a model said: where they come from, and how likely they were."""
    return part.model_dump(mode="json", include={"citations", "logprobs"}, exclude_defaults=True)


def _digest(value: Any) -> str:
    return hashlib.sha256(to_json(value)).hexdigest()[:8]


def _bare(url: str) -> str:
    """A URL without what may let somebody in."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def _read(written: Any) -> tuple[Part, ...]:
    """Read what a model said."""
    if isinstance(written, str):
        return (Text(text=written),)
    return tuple(_read_part(part) for part in written)


def _read_part(part: Mapping[str, Any]) -> Part:
    match part:
        case {"text": _}:
            return Text.model_validate(part)
        case {"reasoning": text}:
            return Reasoning(text=text)
        case {"refusal": text}:
            return Refusal(text=text, logprobs=part.get("logprobs"))
        case {"tool_call": name, "arguments": arguments, "call_id": call_id}:
            return ToolCall(name=name, arguments=arguments, call_id=call_id, complete=part.get("complete", True))
        case {"tool_result": name, "content": content, "call_id": call_id}:
            media = tuple(_read_media(each) for each in part.get("media", ()))
            error = part.get("error", False)
            return ToolResult(name=name, content=content, call_id=call_id, media=media, is_error=error)
        case {"media": _}:
            return _read_media(part)
        case {"server_tool": name}:
            return ServerTool(name=name)
        case _:
            raise ValueError(f"{part!r} is nothing that a model says")


def _read_media(part: Mapping[str, Any]) -> Media:
    return Media(media_type=part["media"], data=part.get("data"), url=part.get("url"))


def complete(calls: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a step's record holds its questions: one made by an older version has only their cost, as has one
    that had texts embedded."""
    return bool(calls) and all("asked" in call for call in calls)


Differs = Callable[[Asked | None, Asked], None]
"""Told of a question that is another one than the recorded one; None if that one was never asked."""


class RecordedModels(Mapping[str, Backend]):
    """The models of a recorded step, whatever their roles: each question gets the answer that it got then.

    `calls`: what the step's note keeps under `model`. `output`: the text that an answer which is not recorded by itself
    had, because it is the step's output. `differs` is told of each question that is asked otherwise today; it is
    answered all the same, so that what comes after it can be compared as well.
    """

    def __init__(self, calls: Sequence[Mapping[str, Any]], output: str, differs: Differs) -> None:
        self._left = [(call["role"], question, call) for call, question in zip(calls, _whole(calls), strict=True)]
        self._roles = list(dict.fromkeys(call["role"] for call in calls))
        self._output = output
        self._differs = differs

    def __getitem__(self, role: str) -> Backend:
        return _Role(role, self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._roles)

    def __len__(self) -> int:
        return len(self._roles)

    def next_call(self, role: str) -> Mapping[str, Any]:
        """Return the note of the next question of a role; empty if there is none left."""
        return next((call for mine, _, call in self._left if mine == role), {})

    def answer(self, role: str, request: Request) -> Answer | BackendError | None:
        """Return the recorded answer to a question, the same one or else the next, or the error it ended in; None if
        there is none left."""
        question = asked(request)
        mine = [entry for entry in self._left if entry[0] == role]
        found = next((entry for entry in mine if entry[1] == question), next(iter(mine), None))
        if found is None:
            self._differs(None, question)
            return None
        self._left.remove(found)
        _, then, call = found
        if then != question:
            self._differs(then, question)
        usage = Usage(**call["usage"])
        if "error" in call:
            return _failure(call, usage)
        return Answer(
            message=Message(role="assistant", parts=_read(call.get("said", self._output))),
            finish=call["finish"],
            usage=usage,
            model=call.get("answered_by"),
            warnings=tuple(call.get("warnings", ())),
        )


def _whole(calls: Sequence[Mapping[str, Any]]) -> Iterator[Asked]:
    """Yield each recorded question with all of its messages."""
    before: list[Any] = []
    for call in calls:
        messages = list(call["asked"]["messages"])
        if messages and isinstance(messages[0], int):
            messages = [*before[: messages[0]], *messages[1:]]
        before = messages
        yield {**call["asked"], "messages": messages}


class _Role:
    """One role of a recorded step, as a backend."""

    def __init__(self, role: str, models: RecordedModels) -> None:
        self._role = role
        self._models = models

    @property
    def name(self) -> str:
        """What errors and records call it."""
        return f"recorded:{self._role}"

    @property
    def capabilities(self) -> Capabilities:
        """It says whatever was said, and is asked in the way in which that was asked for."""
        call = self._models.next_call(self._role)
        way = call.get("way", "schema")
        mode = "output" in call.get("asked", {})
        return Capabilities(tools=way != "prompt", json_schema=way == "schema", json_object=mode, seed=True)

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """See Backend.stream. A question that failed then fails again; one too many ends in BadRequest."""
        answer = self._models.answer(self._role, request)
        if answer is None:
            words = f"the record has no further answer of the model {self._role!r}"
            yield Failed(BadRequest(words, provider=self.name))
            return
        # The recorded answer is whole: limits of today's request are not to cut it.
        async for event in Scripted([answer]).stream(request.model_copy(update={"settings": Settings()})):
            yield event

    async def aclose(self) -> None:
        """There is nothing to give back."""
