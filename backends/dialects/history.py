"""A conversation made fit for the next provider, whoever had it before (M2). Pure.

Providers refuse a history in which a call has no result, a result has no call, or something stands between the two.
`repaired` mends that for all of them; what it had to change is said in warnings.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from graphrt.backends.events import Warned
from graphrt.backends.messages import Media, Message, Opaque, Part, Text, ToolCall, ToolResult, ToolSpec

NOT_RUN = "This call was not executed."

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BAD_LETTERS = re.compile(r"[^A-Za-z0-9_-]")


def ours(opaque: Opaque | None, provider: str, model: str) -> bool:
    """Return whether a payload is this provider's and this model's: nobody else can read it, or would accept it."""
    return opaque is not None and opaque.provider == provider and opaque.model in {None, model}


def repaired(messages: Sequence[Message], warnings: list[Warned]) -> list[Message]:
    """Return the messages with every call's result in one `tool` message right after the call's own.

    A call without a result gets one that says that it was not executed; a result whose call is not there becomes words
    of the user; of several results of one call the first counts. An id may come again in a later turn: a result is its
    last call's. What else stands in a `tool` message, such as a picture, is said by the user after the results. A mark
    (`Message.cache`) stays behind what it was behind.
    """
    results, spare = _matched(messages)
    marks = [message for message in messages if message.role == "tool" and message.cache]
    fit: list[Message] = []
    for at, message in enumerate(messages):
        if message.role == "tool":
            rest = tuple(part for part in message.parts if not isinstance(part, ToolResult))
            rest += tuple(_orphan(part, warnings) for part in spare if any(part is own for own in message.parts))
            rest += tuple(media for part in spare if any(part is own for own in message.parts) for media in part.media)
            fit += [Message(role="user", parts=rest, cache=message.cache)] if rest else []
            continue
        fit.append(message)
        if message.tool_calls:
            found = [_counted(call, results.get((at, call.call_id), ()), warnings) for call in message.tool_calls]
            marked = any(part is own for other in marks for own in other.parts for part in found)
            fit.append(Message(role="tool", parts=tuple(found), cache=marked))
    return fit


def shown(messages: Sequence[Message], provider: str, warnings: list[Warned]) -> list[Message]:
    """Return repaired messages for a provider whose results are text: what a result has to show is shown by the user,
    right after the results, in words that say whose it is."""
    told: list[Message] = []
    for message in messages:
        if not any(isinstance(part, ToolResult) and part.media for part in message.parts):
            told.append(message)
            continue
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        beside: list[Part] = []
        for number, part in enumerate(results, 1):
            if part.media:
                kinds = ", ".join(media.media_type for media in part.media)
                warnings.append(
                    Warned("messages", f"{provider} takes no {kinds} in a tool's result: the user shows it")
                )
                beside += [Text(text=f"Result {number}, of {part.name}, also holds:"), *part.media]
        plain = tuple(part.model_copy(update={"media": ()}) for part in results)
        told.append(message.model_copy(update={"parts": plain, "cache": False}))
        told.append(Message(role="user", parts=tuple(beside), cache=message.cache))
    return told


def uncited(messages: Iterable[Message], provider: str, warnings: list[Warned]) -> None:
    """Warn where an answer is to cite a document, and cannot."""
    parts = (part for message in messages for part in message.parts)
    media = (each for part in parts for each in (part.media if isinstance(part, ToolResult) else (part,)))
    if any(isinstance(each, Media) and each.cite for each in media):
        warnings.append(Warned("cite", f"{provider} does not say what of a document it goes back to"))


def _matched(messages: Sequence[Message]) -> tuple[dict[tuple[int, str], list[ToolResult]], list[ToolResult]]:
    """Return the results of each call, by its message's place and its id, and those of no call."""
    called: dict[str, int] = {}
    results: dict[tuple[int, str], list[ToolResult]] = {}
    spare: list[ToolResult] = []
    for at, message in enumerate(messages):
        called |= {call.call_id: at for call in message.tool_calls}
        for part in message.parts:
            if isinstance(part, ToolResult):
                if part.call_id in called:
                    results.setdefault((called[part.call_id], part.call_id), []).append(part)
                else:
                    spare.append(part)
    return results, spare


def _counted(call: ToolCall, results: Sequence[ToolResult], warnings: list[Warned]) -> ToolResult:
    if len(results) > 1:
        warnings.append(Warned("messages", f"the call {call.name!r} has several results: the first counts"))
    return results[0] if results else _not_run(call, warnings)


def _not_run(call: ToolCall, warnings: list[Warned]) -> ToolResult:
    warnings.append(Warned("messages", f"the call {call.name!r} has no result: told that it was not executed"))
    return ToolResult(call_id=call.call_id, name=call.name, content=NOT_RUN, is_error=True)


def _orphan(part: ToolResult, warnings: list[Warned]) -> Text:
    warnings.append(Warned("messages", f"the result of {part.name!r} has no call: told as words"))
    return Text(text=f"Result of {part.name}: {part.content}")


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """Return a call's arguments as an object, for providers that take nothing else: what is no object goes inside
    one."""
    if not call.arguments.strip():
        return {}
    try:
        found = json.loads(call.arguments)
    except ValueError:
        return {"invalid_json": call.arguments}
    return found if isinstance(found, dict) else {"value": found}


def fit_names(messages: Sequence[Message], tools: Iterable[ToolSpec]) -> list[Message]:
    """Return the messages with every call under a name as OpenAI's APIs take it: another model may have made up any. A
    name that is offered stays as it is."""
    offered = {tool.name for tool in tools}
    return [
        message
        if all(call.name in offered or _NAME.fullmatch(call.name) for call in message.tool_calls)
        else message.model_copy(update={"parts": tuple(_fit_name(part, offered) for part in message.parts)})
        for message in messages
    ]


def _fit_name(part: Part, offered: Collection[str]) -> Part:
    if not isinstance(part, ToolCall) or part.name in offered:
        return part
    return part.model_copy(update={"name": _BAD_LETTERS.sub("_", part.name)[:64] or "_"})


def renamed(ids: Iterable[str], allowed: str, length: int, alphabet: str) -> Mapping[str, str]:
    """Return each id as a provider takes it that wants at most `length` of the letters in `allowed`: the same id always
    becomes the same one, so that calls and results still pair. `alphabet`: what new ids are made of."""
    letters = set(allowed)
    return {id_: id_ if 0 < len(id_) <= length and set(id_) <= letters else _id(id_, length, alphabet) for id_ in ids}


def _id(id_: str, length: int, alphabet: str) -> str:
    number = int.from_bytes(hashlib.sha256(id_.encode()).digest(), "big")
    made = []
    for _ in range(min(length, 24)):
        number, rest = divmod(number, len(alphabet))
        made.append(alphabet[rest])
    return "".join(made)


def call_ids(messages: Iterable[Message]) -> list[str]:
    """Return the ids of all calls, in order."""
    return list(dict.fromkeys(call.call_id for message in messages for call in message.tool_calls))
