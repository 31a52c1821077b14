"""Bedrock's Converse API, from a request to the JSON body: pure.

The API is strict: turns alternate and begin with the user's, blank text is refused, every call has its result in the
next turn, and tools stay declared as long as the history holds any. Nothing is dropped in silence (M6).

What only Bedrock knows travels in `opaque` payloads of its own (M2): a `ServerTool` holds a whole content block, such
as a cache point, guarded content or a web search of the provider's; reasoning holds `signature` and `redacted`, text
its `citations`, media the other fields of its block, a tool's result its `content`.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from graphrt.backends.dialects.caching import keeps, marked
from graphrt.backends.dialects.dialect import honest, merged
from graphrt.backends.dialects.history import arguments_of, call_ids, ours, renamed, repaired, uncited
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
from graphrt.backends.schemas import ANTHROPIC, closed, fitted

Block = dict[str, Any]

_ID_LENGTH = 64
_ALPHABET = string.digits + string.ascii_letters
_HOUR = re.compile(r"claude-[a-z]+-(?:4-[5-9]|[5-9])")
"""The models that keep a prompt for an hour; others refuse to hear of it."""
_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_TITLE = re.compile(r"[^a-zA-Z0-9 ()\[\]-]")
_INFERENCE = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"}
_BEGIN = "Continue."
"""What the user says where the API wants a word of the user's and there is none."""
_BETWEEN = "(no answer)"
"""What the model says where its maker refuses words of the user right after results."""
_FORMATS: Mapping[str, Mapping[str, str]] = {
    "image": {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"},
    "document": {
        "application/pdf": "pdf",
        "text/plain": "txt",
        "text/markdown": "md",
        "text/csv": "csv",
        "text/html": "html",
        "application/msword": "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    },
    "video": {
        "video/mp4": "mp4",
        "video/webm": "webm",
        "video/quicktime": "mov",
        "video/x-matroska": "mkv",
        "video/x-flv": "flv",
        "video/mpeg": "mpeg",
        "video/x-ms-wmv": "wmv",
        "video/3gpp": "three_gp",
    },
    "audio": {
        "audio/mpeg": "mp3",
        "audio/mp3": "mp3",
        "audio/wav": "wav",
        "audio/x-wav": "wav",
        "audio/flac": "flac",
        "audio/ogg": "ogg",
        "audio/aac": "aac",
        "audio/mp4": "m4a",
        "audio/webm": "webm",
    },
}


@dataclass(frozen=True, slots=True)
class _Maker:
    """What the models of one maker take beyond the API itself, or refuse. `top_k` and `effort` are where the settings
    go among the fields for the model; `marks` is where they keep prompts."""

    top_k: tuple[str, ...] = ()
    effort: tuple[str, ...] = ()
    mixed_turns: bool = False
    """Whether the user may speak in the turn that brings results."""
    marks: Literal["tools and words", "words"] | None = None
    cites: bool = False


_MAKERS: Sequence[tuple[str, _Maker]] = (
    ("anthropic.", _Maker(top_k=("top_k",), mixed_turns=True, marks="tools and words", cites=True)),
    ("amazon.nova", _Maker(top_k=("inferenceConfig", "topK"), mixed_turns=True, marks="words")),
    ("openai.", _Maker(effort=("reasoning_effort",), mixed_turns=True)),
    ("qwen.", _Maker(effort=("reasoning_config",), mixed_turns=True)),
    ("meta.", _Maker()),
    ("mistral.", _Maker()),
)


def _maker(model: str) -> _Maker:
    return next((maker for name, maker in _MAKERS if name in model), _Maker(mixed_turns=True))


def request_body(request: Request, *, model: str, provider: str) -> tuple[dict[str, Any], tuple[Warned, ...]]:
    """The body to send, and what will not be honoured of the request. Raises BadRequest for one that contradicts
    itself."""
    warnings: list[Warned] = []
    turns = _Turns(request, model, provider, warnings)
    body: dict[str, Any] = {"messages": turns.messages}
    if turns.system:
        body["system"] = turns.system
    _put_settings(body, request, model, warnings)
    _put_tools(body, request, turns.called, provider, warnings)
    if request.settings.cache and _maker(model).marks == "tools and words" and "toolConfig" in body:
        body["toolConfig"]["tools"].append(_cache_point(request, model))
    if request.output is not None:
        _put_output(body, request.output, warnings)
    return merged(body, request.extra), honest(warnings, request, provider)


def _put_settings(body: dict[str, Any], request: Request, model: str, warnings: list[Warned]) -> None:
    maker = _maker(model)
    inference: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for name in Settings.model_fields:
        value = getattr(request.settings, name)
        if value is None or value == () or name == "strict":
            continue
        if name in _INFERENCE:
            inference[_INFERENCE[name]] = list(value) if name == "stop" else value
        elif name == "top_k" and maker.top_k:
            _put(fields, maker.top_k, value)
        elif name == "reasoning_effort" and maker.effort:
            _put(fields, maker.effort, value)
        elif name == "cache":
            pass  # see `_Turns`
        elif name == "parallel_tool_calls":
            if request.tools and not value:
                warnings.append(Warned(name, "bedrock has no such setting: the model may ask for several calls"))
        else:
            warnings.append(Warned(name, f"bedrock has no such setting for {model}; its own are given in `extra`"))
    if inference:
        body["inferenceConfig"] = inference
    if fields:
        body["additionalModelRequestFields"] = fields


def _put(fields: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *outer, name = path
    for key in outer:
        fields = fields.setdefault(key, {})
    fields[name] = value


def _put_tools(
    body: dict[str, Any], request: Request, called: Sequence[str], provider: str, warnings: list[Warned]
) -> None:
    choice = request.tool_choice
    named = choice not in {"auto", "required", "none"}
    if not request.tools and choice not in {"auto", "none"}:
        raise BadRequest(f"tool_choice is {choice!r}, but no tools are offered", provider=provider)
    if named and choice not in {tool.name for tool in request.tools}:
        raise BadRequest(f"tool_choice is {choice!r}, which is none of the tools offered", provider=provider)
    offered = [_tool(tool.name, tool.description, tool.parameters) for tool in request.tools]
    if choice == "none" and not called:
        return  # the API has no such choice, but a model that is offered nothing calls nothing
    if choice == "none" or not offered:
        if called:
            warnings.append(
                Warned("tool_choice", "bedrock wants the tools of the history declared: the model may call them")
            )
        offered = offered or [_tool(name, "", {"type": "object"}) for name in called]
    config: dict[str, Any] = {"tools": offered}
    if offered:
        body["toolConfig"] = config
    if (named or choice == "required") and _thinks(request.extra):
        warnings.append(Warned("tool_choice", "a model that thinks cannot be made to call a tool: it may choose"))
    elif choice == "required":
        config["toolChoice"] = {"any": {}}
    elif named:
        config["toolChoice"] = {"tool": {"name": choice}}


def _thinks(extra: Mapping[str, Any]) -> bool:
    fields = extra.get("additionalModelRequestFields")
    thinking = fields.get("thinking") if isinstance(fields, Mapping) else None
    return isinstance(thinking, Mapping) and thinking.get("type") in {"enabled", "adaptive"}


def _tool(name: str, description: str, parameters: Mapping[str, Any]) -> Block:
    said = {"description": description} if description else {}
    return {"toolSpec": {"name": name, **said, "inputSchema": {"json": dict(parameters)}}}


def _put_output(body: dict[str, Any], output: OutputSchema, warnings: list[Warned]) -> None:
    """Ask for a schema. AWS documents one subset for all the models that take any, and it is Anthropic's."""
    fit = fitted(closed(output.schema_), ANTHROPIC)
    lost = ", ".join(map(str, fit.dropped))
    if fit.schema is None:
        warnings.append(Warned("output", f"bedrock has no form for such a schema ({lost}): it is asked for no schema"))
        return
    if lost:
        warnings.append(Warned("output", f"bedrock does not promise {lost}"))
    # the API takes the schema as text
    text = json.dumps(dict(fit.schema), ensure_ascii=False)
    structure = {"jsonSchema": {"name": _name(output.name), "schema": text}}
    body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}


def _name(name: str) -> str:
    return _NAME.sub("_", name)[:_ID_LENGTH] or "_"


def _cache_point(request: Request, model: str) -> Block:
    lasts = {"ttl": "1h"} if request.settings.cache == "1h" and _HOUR.search(model) else {}
    return {"cachePoint": {"type": "default", **lasts}}


class _Turns:
    """A conversation as the API takes it: `system` blocks, and `messages` whose roles alternate."""

    def __init__(self, request: Request, model: str, provider: str, warnings: list[Warned]) -> None:
        messages = request.messages
        self.system: list[Block] = []
        self.messages: list[Block] = []
        self.called = list(dict.fromkeys(_name(call.name) for message in messages for call in message.tool_calls))
        """The names of the tools that the history calls."""
        self._model = model
        self._provider = provider
        self._warnings = warnings
        self._documents: list[str] = []
        fit = repaired(messages, warnings)
        self._ids = renamed(call_ids(fit), _ALPHABET + "_-", _ID_LENGTH, _ALPHABET)
        kept = self._kept(request, fit)
        for at, message in enumerate(fit):
            self._take(message)
            said = self.system if message.role == "system" else self.messages and self.messages[-1]["content"]
            if at in kept and said and "cachePoint" not in said[-1]:
                said.append(_cache_point(request, model))
        if not self.messages or self.messages[0]["role"] != "user":
            warnings.append(Warned("messages", f"bedrock wants the user to begin: told {_BEGIN!r}"))
            self.messages.insert(0, _turn("user", [{"text": _BEGIN}]))

    def _kept(self, request: Request, messages: Sequence[Message]) -> frozenset[int]:
        """After which messages the prompt is to be kept."""
        maker = _maker(self._model)
        if not maker.cites:
            uncited(messages, self._model, self._warnings)
        lasts: Kept | None = None if maker.marks is None else "1h" if _HOUR.search(self._model) else "5m"
        keeps(request, lasts, self._model, self._warnings)
        return marked(request, messages, self._warnings) if maker.marks else frozenset()

    def _take(self, message: Message) -> None:
        match message.role:
            case "system":
                if self.messages:
                    self._warn("bedrock has instructions only at the beginning: they were moved there")
                self.system += self._blocks(message.parts)
            case "assistant":
                self._add("assistant", [*self._assistant(message.parts)])
            case "tool":
                self._add("user", [*self._results(message.parts)])
            case "user":
                self._add("user", self._with_words(self._blocks(message.parts)))

    def _add(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        last = self.messages[-1] if self.messages else None
        if last is None or last["role"] != role:
            self.messages.append(_turn(role, blocks))
        elif "toolResult" in last["content"][-1] and not _maker(self._model).mixed_turns:
            self._warn(f"the model's maker wants results alone in a turn: {_BETWEEN!r} stands after them")
            self.messages += [_turn("assistant", [{"text": _BETWEEN}]), _turn(role, blocks)]
        else:
            last["content"] += blocks

    # parts

    def _blocks(self, parts: Iterable[Part]) -> list[Block]:
        """The blocks of what is no assistant's and no tool's."""
        blocks: list[Block] = []
        for part in parts:
            match part:
                case Text() | Refusal():
                    blocks += _words(part.text)
                case Media():
                    blocks.append(self._media(part))
                case ServerTool():
                    blocks += self._native(part)
                case _:
                    pass
        return blocks

    def _assistant(self, parts: Iterable[Part]) -> Iterable[Block]:
        for part in parts:
            match part:
                case Text():
                    facts = self._ours(part.opaque)
                    yield from [_cited(part.text, facts)] if facts.get("citations") else _words(part.text)
                case Refusal():
                    yield from _words(part.text)
                case Reasoning():
                    yield from _thought(part.text, self._ours(part.opaque))
                case ToolCall():
                    use = {"toolUseId": self._ids[part.call_id], "name": _name(part.name)}
                    yield {"toolUse": {**use, "input": arguments_of(part)}}
                case ServerTool():
                    yield from self._native(part)
                case Media():
                    self._warn(f"bedrock takes no {part.media_type} of the model's own: it was left out")
                case ToolResult():
                    pass

    def _results(self, parts: Iterable[Part]) -> Iterable[Block]:
        for part in parts:
            if isinstance(part, ToolResult):
                words = [{"text": part.content}] if part.content or not part.media else []
                content = self._ours(part.opaque).get("content") or [*words, *map(self._media, part.media)]
                # only some models take a status at all, and it says nothing new of what went well
                status = {"status": "error"} if part.is_error else {}
                id_ = self._ids.get(part.call_id, part.call_id)
                yield {"toolResult": {"toolUseId": id_, "content": content, **status}}

    def _native(self, part: ServerTool) -> list[Block]:
        block = self._ours(part.opaque)
        return [dict(block)] if block else []

    def _media(self, part: Media) -> Block:
        kind, form = _format(part.media_type)
        url = part.url or ""
        head, comma, inline = url.partition(";base64,")
        data = part.data or (inline if head.startswith("data:") and comma else None)
        if not form or not (data or url.startswith("s3://")):
            where = f" at {url}" if url and data is None else ""
            self._warn(f"bedrock cannot be sent {part.media_type}{where}: told as words")
            return {"text": f"[{part.media_type}{where}]"}
        source: Block = {"bytes": data} if data else {"s3Location": {"uri": url}}
        block: Block = {"format": form, "source": source}
        if kind == "document":
            block["name"] = self._document(part.name)
            if part.cite and _maker(self._model).cites:
                block["citations"] = {"enabled": True}
        elif part.cite and _maker(self._model).cites:
            self._warnings.append(Warned("cite", f"documents are cited, and no {part.media_type}"))
        return {kind: {**block, **self._ours(part.opaque)}}

    def _document(self, name: str | None) -> str:
        """A document's name as the API takes it: of few letters, and no other's."""
        clean = " ".join(_TITLE.sub(" ", name or "").split()) or "document"
        made = clean if name and clean not in self._documents else f"{clean} {len(self._documents) + 1}"
        self._documents.append(made)
        return made

    def _with_words(self, blocks: list[Block]) -> list[Block]:
        """The API refuses a document that comes without a word."""
        silent = any("document" in block for block in blocks) and not any("text" in block for block in blocks)
        return [*blocks, {"text": _BEGIN}] if silent else blocks

    def _ours(self, opaque: Opaque | None) -> Mapping[str, Any]:
        if opaque is None or not ours(opaque, self._provider, self._model):
            return {}
        return opaque.payload if isinstance(opaque.payload, Mapping) else {}

    def _warn(self, words: str) -> None:
        self._warnings.append(Warned("messages", words))


def _turn(role: str, blocks: list[Block]) -> Block:
    return {"role": role, "content": blocks}


def _words(text: str) -> list[Block]:
    # blank text is refused
    return [{"text": text}] if text.strip() else []


def _cited(text: str, facts: Mapping[str, Any]) -> Block:
    content = facts.get("content") or ([{"text": text}] if text else [])
    return {"citationsContent": {**({"content": content} if content else {}), "citations": facts["citations"]}}


def _thought(text: str, facts: Mapping[str, Any]) -> Iterable[Block]:
    """A thought is only taken back with its seal."""
    if facts.get("signature"):
        yield {"reasoningContent": {"reasoningText": {"text": text, "signature": facts["signature"]}}}
    if facts.get("redacted"):
        yield {"reasoningContent": {"redactedContent": facts["redacted"]}}


def _format(media_type: str) -> tuple[str, str | None]:
    plain = media_type.partition(";")[0].strip().lower()
    return next(((kind, forms[plain]) for kind, forms in _FORMATS.items() if plain in forms), ("", None))
