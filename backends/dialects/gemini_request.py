"""Google's generateContent, from a request to the JSON body. Pure.

Nothing is dropped in silence (M6): what Google cannot honour becomes a `Warned`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphrt.backends.dialects.caching import keeps
from graphrt.backends.dialects.dialect import merged
from graphrt.backends.dialects.history import arguments_of, ours, repaired, shown, uncited
from graphrt.backends.errors import BadRequest
from graphrt.backends.events import Warned
from graphrt.backends.messages import (
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Request,
    ServerTool,
    Settings,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from graphrt.backends.schemas import GEMINI, fitted

_SETTINGS: Mapping[str, str] = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_MAX_STOPS = 5

_LEVELS = {effort: {"thinkingLevel": effort.upper()} for effort in ("minimal", "low", "medium", "high")}
_BUDGETS = {
    effort: {"thinkingBudget": tokens}
    for effort, tokens in (("minimal", 1024), ("low", 1024), ("medium", 8192), ("high", 24576))
}
_THINKING: Sequence[tuple[re.Pattern[str], Mapping[str, Mapping[str, Any]]]] = (
    (re.compile(r"gemini-[3-9].*-(?:image|tts|live)|gemini-2\.5.*-(?:image|tts|live)"), {}),
    (re.compile(r"gemini-3-pro"), {effort: _LEVELS[effort] for effort in ("low", "high")}),
    (re.compile(r"gemini-[3-9][\d.]*-pro"), {effort: _LEVELS[effort] for effort in ("low", "medium", "high")}),
    (re.compile(r"gemini-[3-9]"), _LEVELS),
    (re.compile(r"gemini-2\.5-pro"), _BUDGETS),
    (re.compile(r"gemini-2\.5-flash"), {"none": {"thinkingBudget": 0}, **_BUDGETS}),
)
"""What an effort is called, by family; the budgets are the ones of Google's own OpenAI dialect."""
_OLD = re.compile(r"gemini-[12]\b")
"""The generations that promise a schema only without tools, take only words in a tool's result, and want no signature
on what is not theirs."""

_UNSIGNED = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""What Google takes in place of the signature of a call that another model made: `skip_thought_signature_validator`."""
_GO_ON = "Go on."
_BAD_LETTER = re.compile(r"[^A-Za-z0-9_.:-]")


def request_body(request: Request, *, model: str, provider: str) -> tuple[dict[str, Any], list[Warned]]:
    """Return the body to send, and what Google will not honour of the request. Raises BadRequest for one that
    contradicts itself."""
    warnings: list[Warned] = []
    body: dict[str, Any] = {"contents": _contents(request.messages, model, provider, warnings)}
    instructions = _instructions(request.messages, warnings)
    if instructions:
        body["systemInstruction"] = {"parts": instructions}
    _put_tools(body, request, provider, warnings)
    config = _config(request, model, warnings)
    if config:
        body["generationConfig"] = config
    uncited(request.messages, provider, warnings)
    keeps(request, "5m", provider, warnings)
    return merged(body, request.extra), warnings


# settings, tools and output


def _config(request: Request, model: str, warnings: list[Warned]) -> dict[str, Any]:
    settings = request.settings
    config = {
        wire: value for name, wire in _SETTINGS.items() if (value := getattr(settings, name)) is not None
    } | _stops(settings, warnings)
    if settings.min_p is not None:
        warnings.append(Warned("min_p", "Google has no such setting"))
    if settings.logprobs is not None:
        config |= {"responseLogprobs": True, **({"logprobs": settings.logprobs} if settings.logprobs else {})}
    if settings.parallel_tool_calls is False and request.tools:
        warnings.append(Warned("parallel_tool_calls", "Google has no such setting: several calls may come at once"))
    if settings.reasoning_effort is not None:
        thinking = _thinking(settings.reasoning_effort, model, warnings)
        if thinking:
            config["thinkingConfig"] = thinking
    if request.output is not None and request.tools and _OLD.match(_family(model)):
        warnings.append(Warned("output", f"{model} promises no schema where there are tools"))
    elif request.output is not None:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = _schema(request.output.schema_, "output", warnings)
    return config


def _stops(settings: Settings, warnings: list[Warned]) -> dict[str, Any]:
    stops = list(settings.stop)
    if len(stops) > _MAX_STOPS:
        warnings.append(Warned("stop", f"Google takes {_MAX_STOPS} stop strings of {len(stops)}"))
    return {"stopSequences": stops[:_MAX_STOPS]} if stops else {}


def _thinking(effort: str, model: str, warnings: list[Warned]) -> dict[str, Any] | None:
    known = next((efforts for family, efforts in _THINKING if family.match(_family(model))), {})
    if effort not in known:
        words = f"knows {', '.join(known)}, and not {effort!r}" if known else "is not known to take one"
        warnings.append(Warned("reasoning_effort", f"{model} {words}"))
        return None
    # without this the thoughts are paid for and kept back
    return {**known[effort], **({} if effort == "none" else {"includeThoughts": True})}


def _family(model: str) -> str:
    return model.rpartition("/")[2]


def _put_tools(body: dict[str, Any], request: Request, provider: str, warnings: list[Warned]) -> None:
    choice = request.tool_choice
    if not request.tools:
        if choice not in {"auto", "none"}:
            raise BadRequest(f"tool_choice is {choice!r}, but no tools are offered", provider=provider)
        return
    body["tools"] = [{"functionDeclarations": [_tool(tool, warnings) for tool in request.tools]}]
    if choice == "auto":
        return
    calling: dict[str, Any] = {"mode": {"none": "NONE"}.get(choice, "ANY")}
    if choice not in {"none", "required"}:
        if choice not in {tool.name for tool in request.tools}:
            raise BadRequest(f"tool_choice is {choice!r}, which is none of the tools offered", provider=provider)
        calling["allowedFunctionNames"] = [choice]
    body["toolConfig"] = {"functionCallingConfig": calling}


def _tool(tool: ToolSpec, warnings: list[Warned]) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": tool.name}
    if tool.description:
        declared["description"] = tool.description
    if tool.parameters:
        declared["parametersJsonSchema"] = _schema(tool.parameters, "tools", warnings)
    return declared


def _schema(schema: Mapping[str, Any], setting: str, warnings: list[Warned]) -> dict[str, Any]:
    """A JSON Schema as Google takes it, and a warning of what that does not promise."""
    fit = fitted(schema, GEMINI)
    if fit.dropped:
        warnings.append(Warned(setting, f"Google does not promise {', '.join(map(str, fit.dropped))}"))
    return dict(schema if fit.schema is None else fit.schema)


# messages


def _instructions(messages: Iterable[Message], warnings: list[Warned]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    spoken = False
    for message in messages:
        if message.role != "system":
            spoken = True
            continue
        if spoken and message.text:
            warnings.append(Warned("messages", "an instruction amid the conversation is told before it"))
        parts += [{"text": part.text} for part in message.parts if isinstance(part, Text) and part.text]
    return parts


def _contents(messages: Sequence[Message], model: str, provider: str, warnings: list[Warned]) -> list[dict[str, Any]]:
    writer = _Writer(model, provider)
    contents: list[dict[str, Any]] = []
    said = repaired([message for message in messages if message.role != "system"], warnings)
    for message in shown(said, model, warnings) if _OLD.match(_family(model)) else said:
        writer.hear(message)
        role = "model" if message.role == "assistant" else "user"
        parts = [wire for part in message.parts if (wire := writer.part(part)) is not None]
        if not parts:
            continue
        if role == "model" and contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts  # a call must come right after the user or a result
        else:
            contents.append({"role": role, "parts": parts})
    if not _OLD.match(_family(model)):
        for content in contents:
            _sign(content["parts"])
    nudge = {"role": "user", "parts": [{"text": _GO_ON}]}
    if not contents or contents[0]["role"] == "model":
        warnings.append(Warned("messages", f"the user must speak first: told that they said {_GO_ON!r}"))
        contents.insert(0, nudge)
    if contents[-1]["role"] == "model":
        warnings.append(Warned("messages", f"the user must speak last: told that they said {_GO_ON!r}"))
        contents.append(nudge)
    return contents


def _sign(parts: Sequence[dict[str, Any]]) -> None:
    """The first of the calls of a turn must be signed; one that this model did not make says that it is not."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", _UNSIGNED)


class _Writer:
    """Writes parts for one model. Payloads that it sealed go back on the part they came with, all others stay (M2)."""

    def __init__(self, model: str, provider: str) -> None:
        self._model = model
        self._provider = provider
        self._calls: Mapping[str, ToolCall] = {}

    def hear(self, message: Message) -> None:
        """Note the calls whose results come next. An id may come again in a later turn, for another call."""
        if message.tool_calls:
            self._calls = {call.call_id: call for call in message.tool_calls}

    def part(self, part: Any) -> dict[str, Any] | None:
        """A part as it goes out, or None for what only somebody else could read."""
        own = self._own(part.opaque)
        signed = {"thoughtSignature": own["thoughtSignature"]} if own.get("thoughtSignature") else {}
        match part:
            case Text() | Refusal():
                return {"text": part.text, **signed} if part.text or signed else None
            case Reasoning():
                return {"text": part.text, "thought": True, **signed} if signed else None
            case ToolCall():
                made = {**self._id(part.call_id), "name": _name(part.name), "args": arguments_of(part)}
                return {"functionCall": made, **signed}
            case ToolResult():
                return {"functionResponse": self._result(part)}
            case Media():
                return {**_media(part), **signed}
            case ServerTool():
                block = own.get("part")
                return dict(block) if isinstance(block, Mapping) else None
        return None

    def _result(self, part: ToolResult) -> dict[str, Any]:
        call = self._calls.get(part.call_id)
        named = _name(call.name if call else part.name)
        beside = {"parts": [_media(media) for media in part.media]} if part.media else {}
        return {**self._id(part.call_id), "name": named, "response": {_outcome(part): part.content}, **beside}

    def _id(self, call_id: str) -> dict[str, Any]:
        """Google's own id of a call. Where it gave none, a result is paired with its call by name and order."""
        call = self._calls.get(call_id)
        id_ = self._own(call.opaque).get("id") if call else None
        return {"id": id_} if id_ else {}

    def _own(self, opaque: Opaque | None) -> Mapping[str, Any]:
        mine = opaque is not None and ours(opaque, self._provider, self._model)
        return opaque.payload if mine and opaque and isinstance(opaque.payload, Mapping) else {}


def _outcome(part: ToolResult) -> str:
    return "error" if part.is_error else "output"


def _name(name: str) -> str:
    """A name of a tool as Google takes it; one that another model made up may hold anything."""
    name = _BAD_LETTER.sub("_", name)[:64]
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"[:64]


def _media(part: Media) -> dict[str, Any]:
    kind = {} if "*" in part.media_type else {"mimeType": part.media_type}
    if part.data is not None:
        return {"inlineData": {**kind, "data": part.data}}
    return {"fileData": {**kind, "fileUri": part.url}}
