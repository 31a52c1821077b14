"""Cohere's chat API, from a request to the JSON body: pure.

Beside calls the API takes no text, only a plan; a schema and tools exclude each other; a named tool is forced by
offering nothing else. Nothing is dropped in silence (M6).
"""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphrt.backends.dialects.caching import keeps
from graphrt.backends.dialects.dialect import extended
from graphrt.backends.dialects.history import arguments_of, call_ids, ours, renamed, repaired, shown, uncited
from graphrt.backends.errors import BadRequest
from graphrt.backends.events import Warned
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
    ToolSpec,
)

PROVIDER = "cohere"

_SETTINGS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_STOPS = 5
_ID_LENGTH = 64
_ALPHABET = string.ascii_lowercase + string.digits
_ID_LETTERS = string.ascii_letters + string.digits + "_-"


def request_body(request: Request, *, model: str) -> tuple[dict[str, Any], list[Warned]]:
    """The body to send, and what of the request will not be honoured. Raises BadRequest for one that contradicts
    itself."""
    warnings: list[Warned] = []
    body: dict[str, Any] = {"model": model, "stream": True}
    messages, documents = _documents(request.messages, warnings)
    body["messages"] = _messages(messages, model, warnings)
    if documents:
        body["documents"] = documents
    _put_settings(body, request, warnings)
    _put_tools(body, request)
    if request.output is not None and request.tools:
        warnings.append(Warned("output", f"{PROVIDER} promises no schema beside tools"))
    elif request.output is not None:
        body["response_format"] = {"type": "json_object", "json_schema": dict(request.output.schema_)}
    keeps(request, "5m", PROVIDER, warnings)
    return extended(body, request.extra), warnings


def _put_settings(body: dict[str, Any], request: Request, warnings: list[Warned]) -> None:
    settings = request.settings
    for name, wire in _SETTINGS.items():
        value = getattr(settings, name)
        if value is not None:
            body[wire] = value
    if settings.logprobs is not None:
        body["logprobs"] = True
        if settings.logprobs:
            warnings.append(Warned("logprobs", f"{PROVIDER} tells of no token but the chosen one"))
    if settings.min_p is not None:
        warnings.append(Warned("min_p", f"{PROVIDER} has no such setting"))
    if settings.stop:
        body["stop_sequences"] = list(settings.stop[:_STOPS])
        if len(settings.stop) > _STOPS:
            warnings.append(Warned("stop", f"{PROVIDER} takes {_STOPS} stop strings of {len(settings.stop)}"))
    if settings.reasoning_effort is not None:
        thinks = settings.reasoning_effort != "none"
        body["thinking"] = {"type": "enabled" if thinks else "disabled"}
        if thinks:
            warnings.append(Warned("reasoning_effort", f"{PROVIDER} thinks or does not: it is told to think"))
    if settings.parallel_tool_calls is False and request.tools:
        warnings.append(Warned("parallel_tool_calls", f"{PROVIDER} cannot be kept from several calls at once"))


def _put_tools(body: dict[str, Any], request: Request) -> None:
    choice, tools = request.tool_choice, request.tools
    if not tools:
        if choice not in {"auto", "none"}:
            raise BadRequest(f"tool_choice is {choice!r}, but no tools are offered", provider=PROVIDER)
        return
    if choice in {"required", "none"}:
        body["tool_choice"] = choice.upper()
    elif choice != "auto":
        tools = tuple(tool for tool in tools if tool.name == choice)
        if not tools:
            raise BadRequest(f"tool_choice is {choice!r}, which is none of the tools offered", provider=PROVIDER)
        body["tool_choice"] = "REQUIRED"
    body["tools"] = [_tool(tool) for tool in tools]


def _tool(tool: ToolSpec) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    return {"type": "function", "function": {"name": tool.name, **described, "parameters": dict(tool.parameters)}}


# messages


def _documents(
    messages: Sequence[Message], warnings: list[Warned]
) -> tuple[Sequence[Message], Sequence[dict[str, Any]]]:
    """Take the documents that are to be cited out of a conversation: the API has a place for them, and takes words."""
    documents: list[dict[str, Any]] = []
    left: list[Message] = []
    for message in messages:
        parts: list[Part] = []
        for part in message.parts:
            words = _words(part) if isinstance(part, Media) and part.cite else None
            if words is None or not isinstance(part, Media):
                parts.append(part)
                continue
            title = {"title": part.name} if part.name else {}
            documents.append({"id": f"document {len(documents) + 1}", "data": {"text": words, **title}})
        left.append(message if len(parts) == len(message.parts) else message.model_copy(update={"parts": tuple(parts)}))
    uncited(left, PROVIDER, warnings)
    return left, documents


def _words(part: Media) -> str | None:
    if part.data is None or not part.media_type.startswith("text/"):
        return None
    try:
        return base64.b64decode(part.data).decode("utf-8", "replace")
    except ValueError:
        return None


def _messages(given: Sequence[Message], model: str, warnings: list[Warned]) -> list[dict[str, Any]]:
    messages = shown(repaired(given, warnings), PROVIDER, warnings)
    ids = renamed(call_ids(messages), _ID_LETTERS, _ID_LENGTH, _ALPHABET)
    wire: list[dict[str, Any]] = []
    for message in messages:
        match message.role:
            case "tool":
                wire += _results(message, ids, model)
            case "assistant":
                said = _assistant(message, ids, model, warnings)
                if said:
                    wire.append({"role": "assistant", **said})
            case role:
                blocks = _blocks(message.parts, model, warnings, pictures=role == "user")
                if blocks:  # the API refuses a turn of nothing
                    wire.append({"role": role, "content": _content(blocks)})
    return wire


def _results(message: Message, ids: Mapping[str, str], model: str) -> Iterable[dict[str, Any]]:
    for part in message.parts:
        if isinstance(part, ToolResult):
            content = _payload(part, model).get("content", part.content)
            yield {"role": "tool", "tool_call_id": ids[part.call_id], "content": content}


def _assistant(message: Message, ids: Mapping[str, str], model: str, warnings: list[Warned]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    blocks = _blocks(message.parts, model, warnings, pictures=False)
    if message.tool_calls:
        plan = [block["text"] for block in blocks if block.get("type") == "text"]
        blocks = [block for block in blocks if block.get("type") != "text"]
        if plan:
            said["tool_plan"] = "\n".join(plan)
        said["tool_calls"] = [_call(call, ids) for call in message.tool_calls]
    if blocks:
        said["content"] = _content(blocks)
    cited = [fact for part in message.parts for fact in _payload(part, model).get("facts", ())]
    if cited and said:
        said["citations"] = cited
    return said


def _call(call: ToolCall, ids: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": ids[call.call_id],
        "type": "function",
        "function": {"name": call.name, "arguments": _arguments(call)},
    }


def _arguments(call: ToolCall) -> str:
    """The text of an object: as it was written, where it is that of one."""
    found = arguments_of(call)
    try:
        whole = json.loads(call.arguments) == found
    except ValueError:
        whole = False
    return call.arguments if whole else json.dumps(found, ensure_ascii=False)


def _content(blocks: Sequence[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return str(blocks[0]["text"])
    return list(blocks)


def _blocks(parts: Iterable[Part], model: str, warnings: list[Warned], *, pictures: bool) -> list[dict[str, Any]]:
    """What was said, in order; a thought only if it is the model's own. Its plan for tools is words like any other:
    beside calls all words are the plan."""
    blocks: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case Text(text=text) | Refusal(text=text) if text:
                blocks.append({"type": "text", "text": text})
            case Reasoning(text=text) if text and (payload := _payload(part, model)):
                kind = "text" if payload.get("field") == "tool_plan" else "thinking"
                blocks.append({"type": kind, kind: text})
            case Media():
                blocks.append(_media(part, model, warnings, pictures=pictures))
            case ServerTool():
                pieces = _payload(part, model).get("blocks", ())
                blocks += pieces if len(pieces) == 1 else ()  # the pieces of a stream are no block
            case _:
                pass
    return blocks


def _media(part: Media, model: str, warnings: list[Warned], *, pictures: bool) -> dict[str, Any]:
    if pictures and part.media_type.startswith("image/"):
        address = {"url": part.url or f"data:{part.media_type};base64,{part.data}"}
        return {"type": "image_url", "image_url": {**address, **_payload(part, model)}}
    warnings.append(Warned("messages", f"{PROVIDER} takes no {part.media_type} here: left out"))
    return {"type": "text", "text": f"[{part.media_type}, left out]"}


def _payload(part: Part, model: str) -> Mapping[str, Any]:
    if part.opaque is None or not ours(part.opaque, PROVIDER, model):
        return {}
    payload = part.opaque.payload
    return payload if isinstance(payload, Mapping) else {}
