"""The OpenAI Responses API, from a request to the JSON body: pure. Nothing is dropped in silence (M6).

The server is asked to remember nothing: the whole conversation goes out each time, and thoughts go back sealed, as they
came, before the item that they preceded. Ids of items are names in the server's memory: a server that has not stored
an item refuses its id, so they go back only where `extra` asks for `store`.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphrt.backends.dialects.caching import keeps
from graphrt.backends.dialects.dialect import extended, honest
from graphrt.backends.dialects.history import arguments_of, fit_names, ours, renamed, repaired, uncited
from graphrt.backends.dialects.openai_request import strictly
from graphrt.backends.errors import BadRequest
from graphrt.backends.events import Warned
from graphrt.backends.messages import (
    Kept,
    Media,
    Message,
    Opaque,
    OutputSchema,
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
from graphrt.backends.schemas import OPENAI_STRICT, Fitted, fitted

_SETTINGS: Mapping[str, str] = {
    "max_tokens": "max_output_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "parallel_tool_calls": "parallel_tool_calls",
}
_UNSEALED = re.compile(r"(?:^|[/.:])(?:gpt-[34]|gpt-[\d.]+-chat|gpt-oss|chatgpt)")
"""Models that have no sealed thoughts. OpenAI refuses the question (pydantic-ai#2865), instead of saying no."""
_OUR_TURN = {"local_shell_call", "shell_call", "apply_patch_call", "computer_call"}
"""What the provider only asks for: like a call, it is refused without its result."""
_FUNCTION, _CUSTOM = "function_call", "custom_tool_call"
_STORED_ONLY = ("id", "status")
_ID_LENGTH = 64
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Variant:
    """How one server departs from the API.

    Attributes:
        provider: what errors call it and what its opaque payloads are tagged with.
        sealed: whether to ask for sealed thoughts; None where the model's name decides.
        calls_last: whether the calls of a turn must stand together at its end.
        keeps: how long it keeps prompts of its own accord.
    """

    provider: str = "openai_responses"
    sealed: bool | None = None
    calls_last: bool = False
    keeps: Kept | None = "5m"


OPENAI = Variant()
"""The API as OpenAI has it."""
DEEPSEEK = Variant("deepseek", sealed=False, calls_last=True, keeps="1h")
"""It thinks in the open, and loses the results of calls between which something stands."""


@dataclass(frozen=True, slots=True)
class _Context:
    """What is known of a conversation while its turns are written."""

    variant: Variant
    model: str
    stored: bool
    ids: Mapping[str, str]
    custom: frozenset[str]
    answered: frozenset[str]
    warnings: list[Warned]

    def own(self, opaque: Opaque | None, name: str = "item") -> dict[str, Any] | None:
        """What this server and model said of a part, if they did."""
        if opaque is None or not ours(opaque, self.variant.provider, self.model):
            return None
        return _field(opaque, name)

    def sent(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """What of an item may go back."""
        return {name: value for name, value in item.items() if self.stored or name not in _STORED_ONLY}


def request_body(request: Request, *, model: str, variant: Variant) -> tuple[dict[str, Any], tuple[Warned, ...]]:
    """The body to send, and what will not be honoured of the request. Raises BadRequest for one that contradicts
    itself."""
    warnings: list[Warned] = []
    # what the server remembers has calls whose results come now
    remembered = any(request.extra.get(name) for name in ("previous_response_id", "conversation"))
    named = fit_names(request.messages, request.tools)
    messages = named if remembered else repaired(named, warnings)
    context = _context(messages, variant, model, bool(request.extra.get("store")), warnings)
    body: dict[str, Any] = {"model": model, **_conversation(messages, context)}
    body |= {"store": False, "stream": True}
    if variant.sealed if variant.sealed is not None else not _UNSEALED.search(model):
        body["include"] = ["reasoning.encrypted_content"]
    _put_settings(body, request, variant, warnings)
    _put_tools(body, request, variant)
    if request.output is not None:
        body["text"] = {"format": _format(request.output, variant, warnings)}
    uncited(request.messages, variant.provider, warnings)
    keeps(request, variant.keeps, variant.provider, warnings)
    return extended(body, request.extra), honest(warnings, request, variant.provider)


def _put_settings(body: dict[str, Any], request: Request, variant: Variant, warnings: list[Warned]) -> None:
    tools = request.tools or request.extra.get("tools")
    for name in Settings.model_fields:
        value = getattr(request.settings, name)
        if name == "strict" or value is None or value == () or (name == "parallel_tool_calls" and not tools):
            continue
        if name in _SETTINGS:
            body[_SETTINGS[name]] = value
        elif name == "logprobs":
            body["include"] = [*body.get("include", ()), "message.output_text.logprobs"]
            body["top_logprobs"] = value
        elif name == "cache":
            pass  # see `keeps`
        elif name == "reasoning_effort":
            body["reasoning"] = {"effort": value}
        else:
            warnings.append(Warned(name, f"{variant.provider} has no such setting"))


def _put_tools(body: dict[str, Any], request: Request, variant: Variant) -> None:
    choice = request.tool_choice
    if not request.tools:
        if choice not in {"auto", "none"}:
            raise BadRequest(f"tool_choice is {choice!r}, but no tools are offered", provider=variant.provider)
        return
    body["tools"] = [
        {
            "type": "function",
            "name": tool.name,
            **({"description": tool.description} if tool.description else {}),
            "parameters": dict(tool.parameters),
            # left out it would be strict, and change what a schema means
            "strict": fitted(tool.parameters, OPENAI_STRICT) == Fitted(tool.parameters),
        }
        for tool in request.tools
    ]
    if choice in {"required", "none"}:
        body["tool_choice"] = choice
    elif choice != "auto":
        if choice not in {tool.name for tool in request.tools}:
            raise BadRequest(
                f"tool_choice is {choice!r}, which is none of the tools offered", provider=variant.provider
            )
        body["tool_choice"] = {"type": "function", "name": choice}


def _format(output: OutputSchema, variant: Variant, warnings: list[Warned]) -> dict[str, Any]:
    name = re.sub(r"[^A-Za-z0-9_-]", "_", output.name)[:64]
    sent = strictly(output.schema_, variant.provider, warnings)
    return {"type": "json_schema", "name": name, "strict": False, **sent}


# The conversation.


def _conversation(messages: Sequence[Message], context: _Context) -> dict[str, Any]:
    first = _leading(messages)
    if first in {0, len(messages)}:
        return {"input": [item for message in messages for item in _items(message, context)]}
    return {
        "instructions": "\n\n".join(message.text for message in messages[:first]),
        "input": [item for message in messages[first:] for item in _items(message, context)],
    }


def _leading(messages: Sequence[Message]) -> int:
    """How many messages at the beginning are instructions in plain words."""
    for n, message in enumerate(messages):
        if message.role != "system" or not all(isinstance(part, Text) for part in message.parts):
            return n
    return len(messages)


def _context(
    messages: Sequence[Message], variant: Variant, model: str, stored: bool, warnings: list[Warned]
) -> _Context:
    calls = [call for message in messages for call in message.tool_calls]
    mine = {call.call_id: call for call in calls if ours(call.opaque, variant.provider, model)}
    foreign = [call.call_id for call in calls if call.call_id not in mine]
    done = [_field(part.opaque) or {} for message in messages for part in message.parts if isinstance(part, ServerTool)]
    return _Context(
        variant,
        model,
        stored,
        ids=dict(renamed(foreign, _LETTERS + "_-:.", _ID_LENGTH, _LETTERS)) | {id_: id_ for id_ in mine},
        custom=frozenset(id_ for id_, call in mine.items() if (_field(call.opaque) or {}).get("type") == _CUSTOM),
        answered=frozenset(str(item.get("call_id")) for item in done if str(item.get("type")).endswith("_output")),
        warnings=warnings,
    )


def _items(message: Message, context: _Context) -> Iterable[dict[str, Any]]:
    match message.role:
        case "assistant":
            return _assistant(message, context)
        case "tool":
            return [_result(part, context) for part in message.parts if isinstance(part, ToolResult)]
        case role:
            return _said(message, role, context)


def _said(message: Message, role: str, context: _Context) -> Iterable[dict[str, Any]]:
    """A turn that is not the model's: its words and media, and between them what a provider's own tool is told."""
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, (Text, Refusal)):
            content.append({"type": "input_text", "text": part.text})
        elif isinstance(part, Media):
            content.append(_media(part) or {"type": "input_text", "text": _in_words(part, context)})
        elif isinstance(part, ServerTool) and (item := _server_item(part, context)):
            if content:
                yield {"role": role, "content": _plain(content)}
            yield item
            content = []
    if content:
        yield {"role": role, "content": _plain(content)}


def _plain(content: Sequence[Mapping[str, Any]]) -> Any:
    """Content in the short form, where it is a single text: every server takes that one."""
    only = content[0]
    plain = any(only == {"type": kind, "text": only.get("text")} for kind in ("input_text", "output_text"))
    if len(content) == 1 and plain:
        return only["text"]
    return list(content)


def _assistant(message: Message, context: _Context) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    speaking: Any = None
    for part in message.parts:
        origin, item = _of_model(part, context)
        if item is None:
            continue
        if origin is not None and origin == speaking:
            items[-1]["content"].append(item)
            continue
        speaking = origin
        items.append(_message(part, item, context) if origin is not None else item)
    while items and items[-1].get("type") == "reasoning":
        items.pop()  # a thought is refused without the item that it was about
    for item in items:
        if item.get("role") == "assistant":
            item["content"] = _cited(item["content"]) if "type" in item else _plain(item["content"])
    if context.variant.calls_last:
        items.sort(key=lambda item: item.get("type") in {_FUNCTION, _CUSTOM})
    return items


def _cited(content: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Content in the long form, which has a list of citations even where there are none."""
    return [{"annotations": [], **piece} if piece.get("type") == "output_text" else piece for piece in content]


def _of_model(part: Part, context: _Context) -> tuple[Any, dict[str, Any] | None]:
    """A part of the model's turn: an item, or a piece of a message and what tells which message that is."""
    match part:
        case Text(text=text) if text:
            return _origin(part.opaque, context), {"type": "output_text", "text": text, **_beside(part, context)}
        case Refusal(text=text) if text:
            return _origin(part.opaque, context), {"type": "refusal", "refusal": text, **_beside(part, context)}
        case Reasoning():
            return None, _thought(part, context)
        case ToolCall():
            return None, _call(part, context)
        case ServerTool() if piece := context.own(part.opaque, "part"):
            return _origin(part.opaque, context), piece
        case ServerTool():
            return None, _server_item(part, context)
        case Media():
            return _origin(None, context), {"type": "output_text", "text": _in_words(part, context)}
        case _:
            return None, None


def _origin(opaque: Opaque | None, context: _Context) -> Any:
    """Which message a piece belongs to: pieces of the same one go back in one."""
    item = context.own(opaque)
    if item is None:
        return "foreign"
    return ("own", item["id"]) if item.get("id") else object()


def _beside(part: Text | Refusal, context: _Context) -> dict[str, Any]:
    return context.own(part.opaque, "part") or {}


def _message(part: Part, piece: dict[str, Any], context: _Context) -> dict[str, Any]:
    meta = context.sent(context.own(part.opaque) or {})
    if "id" not in meta:
        return {"role": "assistant", "content": [piece], **meta}
    return {"type": "message", "role": "assistant", "content": [piece], **meta}


def _thought(part: Reasoning, context: _Context) -> dict[str, Any] | None:
    """The model's own thought, if there is more of it than the id under which nobody kept it."""
    found = context.own(part.opaque)
    if found is None:
        return None
    item = {name: value for name, value in context.sent(found).items() if value or name == "summary"}
    if not {"encrypted_content", "content", "id"} & item.keys():
        return None
    return {"summary": [], **item, "type": "reasoning"}


def _call(call: ToolCall, context: _Context) -> dict[str, Any]:
    own = context.sent(context.own(call.opaque) or {})
    named = {"call_id": context.ids[call.call_id], "name": call.name}
    if call.call_id in context.custom:
        return {**own, "type": _CUSTOM, **named, "input": call.arguments}
    return {**own, "type": _FUNCTION, **named, "arguments": _arguments(call)}


def _arguments(call: ToolCall) -> str:
    arguments = arguments_of(call)
    try:
        return call.arguments if json.loads(call.arguments) == arguments else _json(arguments)
    except ValueError:
        return _json(arguments)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _result(result: ToolResult, context: _Context) -> dict[str, Any]:
    kind = _CUSTOM if result.call_id in context.custom else _FUNCTION
    return {
        "type": f"{kind}_output",
        "call_id": context.ids.get(result.call_id, result.call_id),
        "output": _output(result, context) if result.media else result.content,
    }


def _output(result: ToolResult, context: _Context) -> list[dict[str, Any]]:
    shown = [_media(part) or {"type": "input_text", "text": _in_words(part, context)} for part in result.media]
    return [*([{"type": "input_text", "text": result.content}] if result.content else []), *shown]


def _server_item(part: ServerTool, context: _Context) -> dict[str, Any] | None:
    item = context.own(part.opaque)
    if item is not None and item.get("type") in _OUR_TURN and str(item.get("call_id")) not in context.answered:
        context.warnings.append(Warned("messages", f"the {part.name!r} has no result: left out"))
        return None
    return item


def _media(part: Media) -> dict[str, Any] | None:
    """What the API takes of media: images, and files that are no sound and no film."""
    kind, _, form = part.media_type.partition("/")
    data = f"data:{part.media_type};base64,{part.data}"
    if kind in {"audio", "video"} or not (part.data or part.url):
        return None
    if kind == "image":
        return {"type": "input_image", "image_url": part.url or data}
    if part.url:
        return {"type": "input_file", "file_url": part.url}
    return {"type": "input_file", "filename": part.name or f"file.{form}", "file_data": data}


def _in_words(part: Media, context: _Context) -> str:
    context.warnings.append(Warned("messages", f"{part.media_type} cannot be sent here: told in words"))
    return f"[{part.media_type}]"


def _field(opaque: Opaque | None, name: str = "item") -> dict[str, Any] | None:
    """A field of a payload that is an object. Another dialect of the same provider has other payloads."""
    payload = opaque.payload if opaque is not None else None
    found = payload.get(name) if isinstance(payload, dict) else None
    return dict(found) if isinstance(found, dict) else None
