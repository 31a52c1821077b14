"""The OpenAI chat dialect, from a request to the JSON body: pure, and told by the profile what this server takes.

Nothing is dropped in silence (M6): what the server cannot honour becomes a `Warned`, or `UnsupportedSetting` in strict
mode.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from graphrt.backends.dialects.caching import keeps, mark, marked
from graphrt.backends.dialects.dialect import extended
from graphrt.backends.dialects.history import fit_names, repaired, shown, uncited
from graphrt.backends.dialects.openai_values import merge_details
from graphrt.backends.dialects.profiles import Profile
from graphrt.backends.dialects.values import is_json
from graphrt.backends.errors import BadRequest, UnsupportedSetting
from graphrt.backends.events import Warned
from graphrt.backends.messages import (
    Media,
    Message,
    Opaque,
    OutputSchema,
    Reasoning,
    Refusal,
    Request,
    Settings,
    Text,
    ToolCall,
    ToolResult,
)
from graphrt.backends.schemas import OPENAI_STRICT, fitted

_SETTINGS = tuple(name for name in Settings.model_fields if name not in {"strict", "cache"})
_BETWEEN = "(no answer)"
"""What the model says where a server refuses words of the user right after results."""
_NINE = re.compile(r"[A-Za-z0-9]{9}\Z")
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def request_body(request: Request, *, model: str, profile: Profile) -> tuple[dict[str, Any], list[Warned]]:
    """The body to send, and what this server will not honour of the request. Raises BadRequest for one that contradicts
    itself."""
    warnings: list[Warned] = []
    body: dict[str, Any] = {"model": model, "messages": _messages(request, model, profile, warnings), "stream": True}
    if profile.usage_option:
        body["stream_options"] = {"include_usage": True}
    _put_settings(body, request, profile, warnings)
    _put_tools(body, request, profile)
    if request.output is not None:
        _put_output(body, request.output, profile, warnings)
    uncited(request.messages, profile.provider, warnings)
    if profile.keeps != "marks":
        keeps(request, profile.keeps, profile.provider, warnings)
    if warnings and request.settings.strict:
        first = warnings[0]
        raise UnsupportedSetting(f"{first.setting}: {first.message}", provider=profile.provider)
    return extended(body, request.extra), warnings


def _put_settings(body: dict[str, Any], request: Request, profile: Profile, warnings: list[Warned]) -> None:
    for name in _SETTINGS:
        value = getattr(request.settings, name)
        if value is None or value == () or (name == "parallel_tool_calls" and not request.tools):
            continue
        wire = profile.settings.get(name)
        if wire is None:
            warnings.append(Warned(name, f"{profile.provider} has no such setting"))
        elif name == "logprobs":
            body["logprobs"] = max(value, 1) if wire == name else True
            if value and wire != name:
                body[wire] = value
        elif name == "stop":
            stops = list(value)
            if profile.max_stops is not None and len(stops) > profile.max_stops:
                warnings.append(
                    Warned(name, f"{profile.provider} takes {profile.max_stops} stop strings of {len(stops)}")
                )
            body[wire] = stops[: profile.max_stops]
        else:
            body[wire] = value


def _put_tools(body: dict[str, Any], request: Request, profile: Profile) -> None:
    choice = request.tool_choice
    if not request.tools:
        if choice not in {"auto", "none"}:
            raise BadRequest(f"tool_choice is {choice!r}, but no tools are offered", provider=profile.provider)
        return
    body["tools"] = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                **({"description": tool.description} if tool.description else {}),
                "parameters": dict(tool.parameters),
            },
        }
        for tool in request.tools
    ]
    if profile.keeps == "marks" and request.settings.cache:
        body["tools"][-1]["cache_control"] = mark(request)
    if choice == "required":
        body["tool_choice"] = profile.required_tool
    elif choice == "none":
        body["tool_choice"] = "none"
    elif choice != "auto":
        if choice not in {tool.name for tool in request.tools}:
            raise BadRequest(
                f"tool_choice is {choice!r}, which is none of the tools offered", provider=profile.provider
            )
        body["tool_choice"] = {"type": "function", "function": {"name": choice}}


def _put_output(body: dict[str, Any], output: OutputSchema, profile: Profile, warnings: list[Warned]) -> None:
    match profile.output:
        case "json_schema":
            name = re.sub(r"[^A-Za-z0-9_-]", "_", output.name)[:64]
            sent = strictly(output.schema_, profile.provider, warnings) if profile.strict else None
            wanted = {"name": name, **(sent or {"schema": dict(output.schema_)})}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        case "json_object":
            warnings.append(Warned("output", f"{profile.provider} promises JSON, but not this schema"))
            body["response_format"] = {"type": "json_object"}
        case None:
            warnings.append(Warned("output", f"{profile.provider} promises no JSON"))


def strictly(schema: Mapping[str, Any], provider: str, warnings: list[Warned]) -> dict[str, Any]:
    """Return a schema for strict mode, fitted to it, and say what that does not promise; where only another schema
    could be strict, as it is and without strict mode."""
    fit = fitted(schema, OPENAI_STRICT)
    lost = ", ".join(map(str, fit.dropped))
    if fit.schema is None:
        warnings.append(Warned("output", f"{provider} promises no such schema, but tries ({lost})"))
        return {"schema": dict(schema)}
    if lost:
        warnings.append(Warned("output", f"{provider} does not promise {lost}"))
    return {"schema": dict(fit.schema), "strict": True}


# messages


def _messages(request: Request, model: str, profile: Profile, warnings: list[Warned]) -> list[dict[str, Any]]:
    ids = _ids(request.messages, profile)
    wire: list[dict[str, Any]] = []
    messages = shown(repaired(fit_names(request.messages, request.tools), warnings), profile.provider, warnings)
    kept = marked(request, messages, warnings) if profile.keeps == "marks" else frozenset[int]()
    for at, message in enumerate(messages):
        match message.role:
            case "tool":
                wire += _tool_results(message, ids)
            case "assistant":
                wire.append(_assistant(message, ids, model, profile))
            case role:
                named = profile.system_role if role == "system" else role
                if profile.answers_results and wire and wire[-1]["role"] == "tool":
                    warnings.append(
                        Warned("messages", f"{profile.provider} wants results answered: told that it said {_BETWEEN!r}")
                    )
                    wire.append({"role": "assistant", "content": _BETWEEN})
                wire.append({"role": named, "content": _content(message)})
        if at in kept:
            _mark(wire[-1], request)
    return wire


def _mark(wire: dict[str, Any], request: Request) -> None:
    """Mark the end of a message; one of nothing but calls is kept with the next."""
    content = wire.get("content")
    if content and isinstance(content, str):
        wire["content"] = [{"type": "text", "text": content, "cache_control": mark(request)}]
    elif content:
        content[-1]["cache_control"] = mark(request)


def _assistant(message: Message, ids: Mapping[str, str], model: str, profile: Profile) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    refusal = "".join(part.text for part in message.parts if isinstance(part, Refusal))
    if refusal:
        wire["refusal"] = refusal
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    if calls:
        wire["tool_calls"] = [_call(call, ids, model, profile) for call in calls]
    elif wire["content"] is None and not refusal:
        wire["content"] = ""
    _put_reasoning(wire, message, model, profile)
    return wire


def _put_reasoning(wire: dict[str, Any], message: Message, model: str, profile: Profile) -> None:
    """Hand the model its own thoughts back, if they are its own: nobody else can read or would accept them (M2)."""
    thoughts = [part for part in message.parts if isinstance(part, Reasoning) and _ours(part.opaque, model, profile)]
    if not thoughts:
        if profile.echo_reasoning and profile.always_echoed and message.tool_calls:
            wire[profile.echo_reasoning] = ""
        return
    payloads = [part.opaque.payload for part in thoughts if part.opaque]
    if any(payload.get("field") == "content" for payload in payloads):
        thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": part.text}]} for part in thoughts]
        wire["content"] = [*thinking, *([{"type": "text", "text": message.text}] if message.text else [])]
        return
    details = merge_details([detail for payload in payloads for detail in payload.get("details", ())])
    text = "".join(part.text for part in thoughts)
    if details:
        wire["reasoning_details"] = details
    if profile.echo_reasoning and message.tool_calls:
        wire[profile.echo_reasoning] = text


def _call(call: ToolCall, ids: Mapping[str, str], model: str, profile: Profile) -> dict[str, Any]:
    # `custom` is a tool of the provider's own kind: to another provider it is an ordinary call
    if _ours(call.opaque, model, profile) and call.opaque and call.opaque.payload.get("type") == "custom":
        return {"id": ids[call.call_id], "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    arguments = call.arguments if call.arguments.strip() else "{}"
    # what a model wrote that is no JSON goes back inside some: servers parse it to fill in their templates
    arguments = arguments if is_json(arguments) else json.dumps({"invalid_json": arguments}, ensure_ascii=False)
    return {"id": ids[call.call_id], "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _tool_results(message: Message, ids: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "tool_call_id": ids[part.call_id], "content": part.content}


def _content(message: Message) -> str | list[dict[str, Any]]:
    parts = [part for part in message.parts if isinstance(part, (Text, Media))]
    if all(isinstance(part, Text) for part in parts):
        return message.text
    return [{"type": "text", "text": part.text} if isinstance(part, Text) else _media(part) for part in parts]


def _media(part: Media) -> dict[str, Any]:
    kind, _, form = part.media_type.partition("/")
    data = f"data:{part.media_type};base64,{part.data}"
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": part.url or data}}
    if kind == "audio" and part.data:
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": {"mpeg": "mp3"}.get(form, form)}}
    if part.data:
        return {"type": "file", "file": {"filename": part.name or f"file.{form}", "file_data": data}}
    raise BadRequest(f"{part.media_type} cannot be sent as an address, only as data")


def _ids(messages: Iterable[Message], profile: Profile) -> Mapping[str, str]:
    """Each call's id as this server takes it. The same id always becomes the same one, so that calls and results still
    pair."""
    calls = {call.call_id for message in messages for call in message.tool_calls}
    if profile.nine_letter_ids:
        return {id_: id_ if _NINE.match(id_) else _nine(id_) for id_ in calls}
    longest = profile.longest_id
    return {id_: id_ if longest is None or len(id_) <= longest else _nine(id_) for id_ in calls}


def _nine(id_: str) -> str:
    number = int.from_bytes(hashlib.sha256(id_.encode()).digest()[:8], "big")
    letters = []
    for _ in range(9):
        number, rest = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[rest])
    return "".join(letters)


def _ours(opaque: Opaque | None, model: str, profile: Profile) -> bool:
    return opaque is not None and opaque.provider == profile.provider and opaque.model in {None, model}
