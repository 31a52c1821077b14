"""Each recorded request of the chat dialect is what we would have sent, but for differences that have a reason."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from graphrt.backends.dialects.openai_request import request_body
from graphrt.backends.dialects.profiles import Profile, profile_named
from graphrt.backends.messages import (
    Media,
    Message,
    Opaque,
    OutputSchema,
    Part,
    Reasoning,
    Request,
    Settings,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from tests.backends.replay import exchanges

PROFILES = {"azure_openai": "azure", "llamacpp_server": "llama_server", "moonshotai": "moonshot"}
"""Recorded under another name than ours."""

# A recorded body, read as a request of ours. What there is no word for is left out, or goes into `extra`.

_SETTINGS = {
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "random_seed": "seed",
    **{
        name: name
        for name in Settings.model_fields
        if name not in {"max_tokens", "stop", "strict", "logprobs", "cache"}
    },
}
_READ = {*_SETTINGS, "model", "messages", "stream", "stream_options", "stop", "tools", "tool_choice"} | {
    "logprobs",
    "top_logprobs",
}


def request_of(body: Mapping[str, Any], profile: Profile) -> Request:
    extra = {key: value for key, value in body.items() if key not in _READ}
    settings: dict[str, Any] = {ours: body[theirs] for theirs, ours in _SETTINGS.items() if theirs in body}
    if body.get("logprobs"):
        settings["logprobs"] = body.get("top_logprobs", 0)
    stop = body.get("stop") or ()
    form = body.get("response_format") or {}
    output = None
    if form.get("type") == "json_schema":
        del extra["response_format"]
        output = OutputSchema(name=form["json_schema"]["name"], schema_=form["json_schema"]["schema"])
    tools = body.get("tools") or []
    choice = body.get("tool_choice") or "auto"
    if not all("function" in tool for tool in tools):
        extra |= {key: body[key] for key in ("tools", "tool_choice") if key in body}
        tools, choice = [], "auto"
    return Request(
        messages=tuple(_messages(body["messages"], str(body["model"]), profile)),
        settings=Settings(**settings, stop=(stop,) if isinstance(stop, str) else tuple(stop)),
        tools=tuple(_tool(tool["function"]) for tool in tools),
        tool_choice={"any": "required"}.get(choice, choice) if isinstance(choice, str) else choice["function"]["name"],
        output=output,
        extra=extra,
    )


def _tool(function: Mapping[str, Any]) -> ToolSpec:
    description = function.get("description") or ""
    return ToolSpec(name=function["name"], description=description, parameters=function["parameters"])


def _messages(messages: list[dict[str, Any]], model: str, profile: Profile) -> Iterator[Message]:
    names: dict[str, str] = {}
    for message in messages:
        role: Any = {"developer": "system"}.get(message["role"], message["role"])
        if role == "tool":
            id_ = message["tool_call_id"]
            yield Message(
                role="tool", parts=(ToolResult(call_id=id_, name=names.get(id_, ""), content=message["content"]),)
            )
            continue
        parts: list[Part] = list(_thoughts(message, model, profile)) + list(_content(message.get("content")))
        for call in message.get("tool_calls") or ():
            names[call["id"]] = call["function"]["name"]
            parts.append(ToolCall(call_id=call["id"], **call["function"]))
        yield Message(role=role, parts=tuple(parts))


def _thoughts(message: Mapping[str, Any], model: str, profile: Profile) -> Iterator[Part]:
    for field in ("reasoning_content", "reasoning"):
        if field in message:
            payload = {"field": field, "details": message.get("reasoning_details") or []}
            opaque = Opaque(provider=profile.provider, model=model, payload=payload)
            yield Reasoning(text=message[field] or "", opaque=opaque)
            return
    if "reasoning_details" in message:
        payload = {"field": "reasoning", "details": message["reasoning_details"]}
        yield Reasoning(opaque=Opaque(provider=profile.provider, model=model, payload=payload))


def _content(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(text=content)
        return
    for piece in content or ():
        match piece["type"]:
            case "text":
                yield Text(text=piece["text"])
            case "image_url":
                image = piece["image_url"]
                yield _media(image if isinstance(image, str) else image["url"], "image/png")
            case "input_audio":
                sound = piece["input_audio"]
                yield Media(media_type=f"audio/{sound['format']}", data=sound["data"])
            case "file":
                file = piece["file"]
                yield Media(media_type="application/pdf", data=file["file_data"], name=file.get("filename"))
            case kind:
                raise AssertionError(f"nobody reads {kind}")


def _media(url: str, kind: str) -> Media:
    head, comma, data = url.partition(";base64,")
    return Media(media_type=head.removeprefix("data:"), data=data) if comma else Media(media_type=kind, url=url)


# How two bodies differ, and why.

_ABSENT = object()


def differences(ours: Any, theirs: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two bodies differ: the place, without the numbers of list items, and both values there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from differences(ours.get(key, _ABSENT), theirs.get(key, _ABSENT), f"{at}.{key}".lstrip("."))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for one, other in zip(ours, theirs, strict=True):
            yield from differences(one, other, at)
    elif ours != theirs:
        yield at, ours, theirs


def _nothing(value: Any) -> bool:
    return value is _ABSENT or value is None or value is False or value in ("", [])


def _texts(pieces: Any, *fields: str) -> str | None:
    """The words of a list of texts that hold nothing but these fields."""
    if not isinstance(pieces, list) or not all(piece.keys() <= {"type", "text", *fields} for piece in pieces):
        return None
    return "".join(piece["text"] for piece in pieces)


def _fields(*names: str) -> Callable[[str, Any, Any], bool]:
    """Only the recording has one of these fields."""
    return lambda at, ours, _: ours is _ABSENT and at in names


REASONS: Mapping[str, Callable[[str, Any, Any], bool]] = {
    "an answer always streams": lambda at, ours, _: at == "stream" and ours is True,
    "usage is asked for where it has to be, and only there": lambda at, *_: at == "stream_options",
    "the limit goes under the server's newest name for it": lambda at, *_: (
        at in {"max_tokens", "max_completion_tokens"}
    ),
    "a text alone is in its short form": lambda _, ours, theirs: ours == _texts(theirs),
    "a mark for the cache": lambda at, ours, theirs: (
        at.endswith(".cache_control") or ours == _texts(theirs, "cache_control")
    ),
    "what is the default is not said": lambda at, ours, theirs: (
        at == "tool_choice" and (ours, theirs) == (_ABSENT, "auto")
    ),
    "a tool says its kind": lambda at, ours, theirs: at == "tools.type" and (ours, theirs) == ("function", _ABSENT),
    "one stop string is a list of one": lambda at, ours, theirs: at == "stop" and ours == [theirs],
    "instructions go under the role that every model knows": lambda at, ours, theirs: (
        at == "messages.role" and (ours, theirs) == ("system", "developer")
    ),
    "arguments are validated, not promised": _fields("tools.function.strict"),
    "a schema describes itself": _fields("response_format.json_schema.description"),
    "a thought goes back with a call, under the one field that the server reads": _fields(
        "messages.reasoning", "messages.reasoning_content"
    ),
    "a call without a thought goes with an empty one": lambda at, ours, theirs: (
        at == "messages.reasoning_content" and (ours, theirs) == ("", _ABSENT)
    ),
    "a picture's address is in its long form": lambda at, ours, theirs: (
        at == "messages.content.image_url" and ours == {"url": theirs}
    ),
    "how closely to look at a picture": _fields("messages.content.image_url.detail"),
    "the recording holds no bytes of the file": lambda at, _, theirs: (
        at == "messages.content.file.file_data" and theirs.startswith("<elided")
    ),
    "who calls the tool is said by the call": _fields("messages.name"),
    "a place in a stream is none in a history": _fields("messages.tool_calls.index"),
    "what says nothing is left out": lambda _, ours, theirs: _nothing(ours) and _nothing(theirs),
}


def reasons(recorded: dict[str, Any], profile: Profile) -> Iterator[str]:
    """Why what we would have sent differs from it, for each difference; one that has no reason fails."""
    sent, warnings = request_body(request_of(recorded, profile), model=recorded["model"], profile=profile)
    limits = [body.get("max_tokens") or body.get("max_completion_tokens") for body in (sent, recorded)]
    assert limits[0] == limits[1]
    for at, ours, theirs in differences(json.loads(json.dumps(sent)), recorded):
        if ours is _ABSENT and at in {warning.setting for warning in warnings}:
            yield "the server has no such setting, which is warned about"
            continue
        found = next((why for why, fits in REASONS.items() if fits(at, ours, theirs)), None)
        assert found, (at, ours, theirs)
        yield found


@cache
def asked() -> Mapping[str, list[tuple[str, dict[str, Any]]]]:
    """Every recorded request, by who was asked."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for path in exchanges("chat_completions"):
        exchange = json.loads(path.read_text("utf-8"))
        body = (exchange["request"] or {}).get("body")
        if isinstance(body, dict):
            found.setdefault(exchange["provider"], []).append((path.name, body))
    return found


STREAMED = {"an answer always streams", "usage is asked for where it has to be, and only there"}
COUNTS: Mapping[str, tuple[int, int, int]] = {
    "azure_openai": (3, 13, 9),
    "cerebras": (0, 2, 3),
    "cloudflare": (0, 0, 2),
    "databricks": (0, 0, 8),
    "deepseek": (5, 7, 12),
    "gpustack": (1, 0, 1),
    "groq": (0, 8, 12),
    "huggingface": (1, 3, 12),
    "litellm_proxy": (1, 2, 0),
    "llamacpp_server": (0, 0, 6),
    "mistral": (7, 8, 12),
    "ollama": (3, 5, 12),
    "openai": (14, 31, 42),
    "openrouter": (3, 11, 31),
    "perplexity": (0, 1, 1),
    "snowflake": (1, 1, 1),
    "together": (0, 2, 1),
    "vercel_gateway": (1, 0, 9),
    "vllm": (0, 2, 0),
    "xai": (1, 1, 9),
    "zai": (0, 3, 9),
}
"""By provider: how many requests are written to the letter as they were recorded, how many differ only in that the
answer streams, and how many with another reason."""


@pytest.mark.parametrize("provider", asked())
def test_the_recorded_requests_are_what_we_would_have_sent(provider: str) -> None:
    profile = profile_named(PROFILES.get(provider, provider))
    found = [set(reasons(body, profile)) for _, body in asked()[provider]]
    streamed = [why for why in found if why and why <= STREAMED]
    assert (found.count(set()), len(streamed), len([why for why in found if why - STREAMED])) == COUNTS[provider]


def test_every_reason_is_given_by_somebody() -> None:
    given = {
        why
        for provider, requests in asked().items()
        for _, body in requests
        for why in reasons(body, profile_named(PROFILES.get(provider, provider)))
    }
    assert REASONS.keys() <= given or not asked()
