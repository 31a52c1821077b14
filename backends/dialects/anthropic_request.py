"""The Anthropic Messages dialect, from a request to the JSON body: pure, and told what this model and place take.

Nothing is dropped in silence (M6): what cannot be honoured becomes a `Warned`, or `UnsupportedSetting` in strict mode.
The API insists on `max_tokens`; a request without one gets the model's `room`, and its thinking budget on top.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, Literal

from graphrt.backends.dialects.caching import mark, marked
from graphrt.backends.dialects.dialect import extended, honest
from graphrt.backends.dialects.history import arguments_of, call_ids, ours, renamed, repaired
from graphrt.backends.errors import BadRequest
from graphrt.backends.events import Warned
from graphrt.backends.messages import (
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

# Places: who offers the API, and how the envelope differs.


@dataclass(frozen=True, slots=True)
class Place:
    """Who offers the API. `provider` tags the payloads that only it reads; `{model}` in `path` is the model."""

    provider: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    """The version in the body, of places that take no header for it."""
    names_model: bool = True
    says_stream: bool = True
    takes_urls: bool = True
    """Whether media may be an address."""


DIRECT = Place("anthropic", "/v1/messages", headers={"anthropic-version": "2023-06-01"})
BEDROCK = Place(
    "bedrock_anthropic",
    "/model/{model}/invoke-with-response-stream",
    version="bedrock-2023-05-31",
    names_model=False,
    says_stream=False,
    takes_urls=False,
)


def vertex(project: str, location: str) -> Place:
    """Return Vertex as a place."""
    path = f"/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{{model}}:streamRawPredict"
    return Place("vertex_anthropic", path, version="vertex-2023-10-16", names_model=False)


# Models: what each takes, by the family in its name.


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model takes. `None` means that nobody knows before trying."""

    thinking: Literal["never", "budget", "adaptive"] | None = None
    efforts: tuple[str, ...] = ()
    """The words of `output_config.effort` that it knows."""
    off: str | None = ""
    """The type of `thinking` that turns it off; empty if it is off anyway, None if it cannot be."""
    room: int = 4096
    """The `max_tokens` of a request that names none, without thinking: no model of the family refuses it."""
    sampling: bool = True
    temperature_with_top_p: bool = True
    forced_tools: bool = True
    schemas: bool = False
    prefill: bool = True
    """Whether a conversation may end in the beginning of the answer."""


_THREE = Traits("never")
_THREE_FIVE = Traits("never", room=8192)
_FOUR = Traits("budget", room=8192)
_FOUR_ONE = replace(_FOUR, temperature_with_top_p=False, schemas=True)
_FOUR_SIX = replace(
    _FOUR_ONE, thinking="adaptive", efforts=("low", "medium", "high", "max"), room=32_000, prefill=False
)
_FOUR_SEVEN = replace(_FOUR_SIX, efforts=("low", "medium", "high", "xhigh", "max"), sampling=False)
_FIVE = replace(_FOUR_SEVEN, off="disabled")
_ALWAYS = replace(_FIVE, off=None)
_FREE = replace(_ALWAYS, forced_tools=False)

FAMILIES: Mapping[str, Traits] = {
    "3-haiku": _THREE,
    "3-sonnet": _THREE,
    "3-opus": _THREE,
    "3-5-haiku": _THREE_FIVE,
    "3-5-sonnet": _THREE_FIVE,
    "3-7-sonnet": _FOUR,
    "sonnet-4": _FOUR,
    "opus-4": _FOUR,
    "opus-4-1": _FOUR_ONE,
    "sonnet-4-5": _FOUR_ONE,
    "haiku-4-5": _FOUR_ONE,
    "opus-4-5": replace(_FOUR_ONE, efforts=("low", "medium", "high")),
    "sonnet-4-6": _FOUR_SIX,
    "opus-4-6": _FOUR_SIX,
    "opus-4-7": _FOUR_SEVEN,
    "opus-4-8": _FOUR_SEVEN,
    "opus-5": _FIVE,
    "sonnet-5": _FIVE,
    "haiku-5-5": _FIVE,
    "fable-5": _ALWAYS,
    "mythos-5": _ALWAYS,
    "fable-5-1": _FREE,
    "mythos-5-1": _FREE,
    "opus-5-5": _FREE,
    "sonnet-5-5": _FREE,
}
_NAME = re.compile(
    r"claude-(?P<family>[a-z0-9-]+?)(?:-0)?(?:-v\d+)?(?:[-@](?:\d{8}|latest|default))?(?:-v\d+(?::\w+)*)?\Z"
)


def traits_of(model: str) -> Traits:
    """Return what is known of a model, under whichever of its names: dated, latest, Vertex's or Bedrock's."""
    found = _NAME.search(model.lower().replace(".", "-"))
    return FAMILIES.get(found["family"], Traits()) if found else Traits()


_BUDGETS: Mapping[str, int] = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384}
"""The thinking that an effort is worth, in tokens, for models that count it; the first is the least the API takes."""
_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
_NOWHERE = ("min_p", "seed", "presence_penalty", "frequency_penalty", "logprobs")
_FREE_WITH_THINKING = 0.95
"""The lowest `top_p` that goes with thinking."""

_ID_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_ID_LENGTH = 64
_NAME_LENGTH = 64
_IMAGES = {
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
    "image/webp": "image/webp",
}
_OPENING = "(The conversation begins.)"
_GO_ON = "Please go on."
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})


def request_body(request: Request, *, model: str, place: Place = DIRECT) -> tuple[dict[str, Any], tuple[Warned, ...]]:
    """The body to send, and what this model will not honour of the request. Raises BadRequest for one that contradicts
    itself."""
    traits, warnings = traits_of(model), list[Warned]()
    body: dict[str, Any] = {}
    if place.version is not None:
        body["anthropic_version"] = place.version
    if place.names_model:
        body["model"] = model
    if place.says_stream:
        body["stream"] = True
    _put_conversation(body, request, _Writer(request.messages, model, place, warnings), traits)
    _put_tools(body, request, traits, place, warnings)
    if request.settings.cache and "tools" in body:
        body["tools"][-1]["cache_control"] = mark(request)
    thinks = _put_thinking(body, request.settings, traits, warnings)
    _put_sampling(body, request.settings, traits, warnings, thinks=thinks)
    if request.output is not None:
        _put_output(body, request.output, traits, warnings)
    told = honest(warnings, request, place.provider)
    return extended(body, request.extra), told


# Settings.


def _put_thinking(body: dict[str, Any], settings: Settings, traits: Traits, warnings: list[Warned]) -> bool:
    """Say how much to think, and how much to say at most. Returns whether the model was asked to think."""
    body["max_tokens"] = traits.room if settings.max_tokens is None else settings.max_tokens
    wish = settings.reasoning_effort
    if wish is None:
        return False
    level, why = _level(wish, traits)
    if why:
        warnings.append(Warned("reasoning_effort", why))
    if level is None:
        if wish == "none" and traits.off:
            body["thinking"] = {"type": traits.off}
        return False
    if traits.efforts:
        body["output_config"] = {"effort": level}
    if traits.thinking == "adaptive":
        body["thinking"] = {"type": "adaptive"}
        return True
    budget, why = _budget(level, settings.max_tokens, body)
    if why:
        warnings.append(Warned("reasoning_effort", why))
    if budget is None:
        return False
    if settings.max_tokens is None:
        body["max_tokens"] += budget
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    return True


def _level(wish: str, traits: Traits) -> tuple[str | None, str | None]:
    """Return the effort to ask for, and what is not as wished."""
    if traits.thinking is None:
        return None, "it is not known how this model thinks: `extra` can say it"
    if wish == "none":
        return None, "this model cannot be kept from thinking" if traits.off is None else None
    if traits.thinking == "never":
        return None, "this model does not think"
    if wish not in _EFFORTS:
        return None, f"{wish!r} is none of {', '.join(_EFFORTS)}"
    levels = traits.efforts or tuple(_BUDGETS)
    lower = [level for level in levels if _EFFORTS.index(level) <= _EFFORTS.index(wish)]
    level = lower[-1] if lower else levels[0]
    return level, None if level == wish else f"this model has no {wish!r}: {level!r} is asked for"


def _budget(level: str, max_tokens: int | None, body: Mapping[str, Any]) -> tuple[int | None, str | None]:
    """Return how many tokens a model may think that counts them, and what is not as wished."""
    if body.get("tool_choice", {}).get("type") in {"any", "tool"}:
        return None, "a model that has to call a tool does not think"
    if _goes_on_unthinking(body["messages"]):
        return None, "the answer that the model goes on with began without thinking"
    budget = _BUDGETS[level]
    if max_tokens is None or max_tokens >= 2 * budget:
        return budget, None
    if max_tokens < 2 * _BUDGETS["minimal"]:
        return None, f"max_tokens leaves no room to think: that takes {_BUDGETS['minimal']} tokens, and an answer"
    return max_tokens // 2, f"half of max_tokens is for thinking, which is less than the {budget} of {level!r}"


def _goes_on_unthinking(turns: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the model goes on with an answer that did not begin with a thought, as another provider's does not: the
    API refuses that together with a thinking budget."""
    last: list[Any] = next((turn["content"] for turn in reversed(turns) if turn["role"] == "assistant"), [])
    open_ = turns[-1]["role"] == "assistant" or any(it["type"] == "tool_result" for it in turns[-1]["content"])
    return open_ and bool(last) and last[0]["type"] not in _THOUGHTS


def _put_sampling(
    body: dict[str, Any], settings: Settings, traits: Traits, warnings: list[Warned], *, thinks: bool
) -> None:
    warnings += [
        Warned(name, "this API has no such setting") for name in _NOWHERE if getattr(settings, name) is not None
    ]
    value, why = _temperature(settings.temperature, traits, thinks=thinks)
    if why:
        warnings.append(Warned("temperature", why))
    if value is not None:
        body["temperature"] = value
    for name, why in (
        ("top_p", _no_top_p(settings.top_p, traits, thinks=thinks, temperature=value)),
        ("top_k", None if traits.sampling and not thinks else "this model samples in its own way"),
    ):
        asked = getattr(settings, name)
        if asked is not None and why:
            warnings.append(Warned(name, why))
        elif asked is not None:
            body[name] = asked
    stops = [stop for stop in settings.stop if stop.strip()]
    if len(stops) < len(settings.stop):
        warnings.append(Warned("stop", "this API takes no stop string of white space only"))
    if stops:
        body["stop_sequences"] = stops


def _temperature(asked: float | None, traits: Traits, *, thinks: bool) -> tuple[float | None, str | None]:
    """Return the temperature to send, and what is not as wished. 1 is what every model has by itself."""
    if asked is None or (asked == 1 and not traits.sampling):
        return None, None
    if not traits.sampling:
        return None, "this model samples in its own way"
    if asked != 1 and thinks:
        return None, "a model that thinks has the temperature 1"
    return min(asked, 1), "this API knows no temperature over 1: 1 is asked for" if asked > 1 else None


def _no_top_p(asked: float | None, traits: Traits, *, thinks: bool, temperature: float | None) -> str | None:
    """Return why a `top_p` cannot be sent, if it cannot."""
    if not traits.sampling:
        return "this model samples in its own way"
    if temperature is not None and not traits.temperature_with_top_p:
        return "this model takes a temperature or top_p, not both"
    if thinks and asked is not None and asked < _FREE_WITH_THINKING:
        return f"a model that thinks takes no top_p under {_FREE_WITH_THINKING}"
    return None


# Tools.


def _put_tools(body: dict[str, Any], request: Request, traits: Traits, place: Place, warnings: list[Warned]) -> None:
    choice = request.tool_choice
    if not request.tools:
        if choice not in {"auto", "none"}:
            raise BadRequest(f"tool_choice is {choice!r}, but no tools are offered", provider=place.provider)
        called = {call.name for message in request.messages for call in message.tool_calls}
        if called and "tools" not in request.extra:
            # a history with calls in it is refused where no tools are defined
            body["tools"] = [_tool(name, "", {}) for name in sorted({_tool_name(name) for name in called})]
            body["tool_choice"] = {"type": "none"}
        return
    body["tools"] = [_tool(tool.name, tool.description, tool.parameters) for tool in request.tools]
    if choice not in {"auto", "none", "required"} and choice not in {tool.name for tool in request.tools}:
        raise BadRequest(f"tool_choice is {choice!r}, which is none of the tools offered", provider=place.provider)
    if choice not in {"auto", "none"} and not traits.forced_tools:
        warnings.append(Warned("tool_choice", "this model cannot be made to call a tool: it is free to"))
        choice = "auto"
    wire: dict[str, Any] = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}.get(
        choice, {"type": "tool", "name": choice}
    )
    if request.settings.parallel_tool_calls is False and choice != "none":
        wire["disable_parallel_tool_use"] = True
    if wire != {"type": "auto"}:
        body["tool_choice"] = wire


def _tool(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    said = {"description": description} if description else {}
    return {"name": name, **said, "input_schema": {"type": "object", **parameters}}


def _tool_name(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:_NAME_LENGTH] or "tool"


# The schema of the answer.


def _put_output(body: dict[str, Any], output: OutputSchema, traits: Traits, warnings: list[Warned]) -> None:
    if not traits.schemas:
        warnings.append(Warned("output", "this model is not known to promise a schema"))
        return
    fit = fitted(closed(output.schema_), ANTHROPIC)
    lost = ", ".join(map(str, fit.dropped))
    if fit.schema is None:
        warnings.append(Warned("output", f"this API has no form for such a schema ({lost}): it is asked for no schema"))
        return
    if lost:
        warnings.append(Warned("output", f"this API does not promise {lost}"))
    body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": dict(fit.schema)}


# Messages.


def _put_conversation(body: dict[str, Any], request: Request, writer: _Writer, traits: Traits) -> None:
    messages = repaired(request.messages, writer.warnings)
    kept = marked(request, messages, writer.warnings)
    leading = list(takewhile(lambda message: message.role == "system", messages))
    system: list[dict[str, Any]] = []
    for at, message in enumerate(leading):
        system += writer.instructions(message)
        _mark(system, request, here=at in kept)
    if system:
        body["system"] = system
    turns: list[dict[str, Any]] = []
    open_ = _open_answer(messages)
    for at, message in enumerate(messages[len(leading) :], len(leading)):
        blocks = writer.blocks(message, still_open=message is open_)
        _mark(blocks, request, here=at in kept)
        role = "assistant" if _is_answer(message) else "user"
        if blocks and turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns or turns[0]["role"] != "user":
        writer.warn("the conversation does not begin with the user: words were put before it")
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": _OPENING}]})
    if turns[-1]["role"] == "assistant":
        _end_conversation(turns, messages[-1], writer, traits)
    body["messages"] = turns
    container = writer.container(open_)
    if container is not None:
        body["container"] = container


def _mark(blocks: list[dict[str, Any]], request: Request, *, here: bool) -> None:
    """Have the prompt kept up to the last of the blocks, which is no thought: those take no mark."""
    if here and blocks:
        # a block may be the provider's own, as it is in the caller's message
        blocks[-1] = {**blocks[-1], "cache_control": mark(request)}


def _end_conversation(turns: list[dict[str, Any]], last: Message, writer: _Writer, traits: Traits) -> None:
    """See to a conversation that ends in an answer: the model goes on with its own pause, or with a beginning that was
    put into its mouth, where it takes one."""
    block = turns[-1]["content"][-1]
    if any(isinstance(part, ServerTool) and writer.own(part.opaque) for part in last.parts):
        return
    if _is_answer(last) and traits.prefill:
        if block["type"] == "text":  # refused with white space at its end
            block["text"] = block["text"].rstrip()
        return
    writer.warn("the conversation ends in an answer: the model is asked to go on")
    turns.append({"role": "user", "content": [{"type": "text", "text": _GO_ON}]})


def _is_answer(message: Message) -> bool:
    return message.role == "assistant" or bool(message.tool_calls)


def _open_answer(messages: Sequence[Message]) -> Message | None:
    """The answer that the model is to go on with: nothing was said since but the results of its calls."""
    last = next((message for message in reversed(messages) if message.role != "tool"), None)
    return last if last is not None and _is_answer(last) else None


class _Writer:
    """Writes the parts of one conversation as blocks."""

    def __init__(self, messages: Sequence[Message], model: str, place: Place, warnings: list[Warned]) -> None:
        self.warnings = warnings
        self._model = model
        self._place = place
        self._ids = renamed(call_ids(messages), _ID_LETTERS + "_-", _ID_LENGTH, _ID_LETTERS)
        blocks = [self._server_block(part) for message in messages for part in message.parts]
        self._answered = {str(block.get("tool_use_id")) for block in blocks if block}

    def warn(self, message: str) -> None:
        """Say what had to be changed."""
        self.warnings.append(Warned("messages", message))

    def own(self, opaque: Opaque | None) -> dict[str, Any]:
        """Return what this model said of a part for itself only; nothing of anybody else's (M2)."""
        mine = opaque is not None and ours(opaque, self._place.provider, self._model)
        return dict(opaque.payload) if mine and opaque and isinstance(opaque.payload, Mapping) else {}

    def instructions(self, message: Message) -> list[dict[str, Any]]:
        """Write a system message: it takes words only."""
        texts = tuple(part for part in message.parts if isinstance(part, (Text, Refusal)))
        if len(texts) < len(message.parts):
            self.warn("instructions are words: everything else of them is left out")
        return [block for part in texts for block in self._text(part.text, part.opaque)]

    def blocks(self, message: Message, *, still_open: bool) -> list[dict[str, Any]]:
        """Write a message of anybody else's."""
        if message.role == "system":
            self.warn("an instruction in the middle is told as words of the user")
        answer = _is_answer(message)
        written: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, Text) and not part.text.strip() and written and written[-1]["type"] == "text":
                # the API writes blocks of white space between cited ones, and refuses them
                written[-1]["text"] += part.text
                continue
            written += self._said(part, still_open=still_open) if answer else self._told(message, part)
        while written and written[-1]["type"] in _THOUGHTS:
            self.warn("a thought that nothing followed is left out")
            written.pop()
        return written

    def container(self, answer: Message | None) -> str | None:
        """Return the container whose code waits for the results of the calls that it made."""
        parts = answer.parts if answer is not None else ()
        callers = [self.own(part.opaque).get("caller") for part in parts if isinstance(part, ToolCall)]
        if not any(isinstance(caller, Mapping) and caller.get("tool_id") for caller in callers):
            return None
        found = [self.own(part.opaque).get("container") for part in parts if isinstance(part, ServerTool)]
        return next((str(it["id"]) for it in found if isinstance(it, Mapping) and it.get("id")), None)

    def _told(self, message: Message, part: Part) -> Iterable[dict[str, Any]]:
        match part:
            case Text() | Refusal():
                yield from self._text(part.text, part.opaque)
            case ToolResult() if message.role == "tool":
                failed = {"is_error": True} if part.is_error else {}
                id_ = self._ids[part.call_id]
                result = {"type": "tool_result", "tool_use_id": id_, "content": self._content(part), **failed}
                yield result | self.own(part.opaque)
            case Media():
                yield self._media(part)
            case _:
                return  # thoughts and server tools are nobody's but the model's; results stand after their calls

    def _said(self, part: Part, *, still_open: bool) -> Iterable[dict[str, Any]]:
        own = self.own(part.opaque)
        match part:
            case Text() | Refusal():
                yield from self._text(part.text, part.opaque)
            case Reasoning() if own.get("data"):
                yield {"type": "redacted_thinking", **own}
            case Reasoning() if own.get("signature"):
                yield {"type": "thinking", "thinking": part.text, **own}
            case ToolCall():
                call = {"id": self._ids[part.call_id], "name": _tool_name(part.name), "input": arguments_of(part)}
                yield {"type": "tool_use"} | {name: value for name, value in own.items() if name != "id"} | call
            case ServerTool():
                yield from self._server_tool(part, still_open=still_open)
            case Media():
                yield self._left_out(part)
            case _:
                return

    def _text(self, text: str, opaque: Opaque | None) -> Iterable[dict[str, Any]]:
        if text.strip():  # refused without a letter in it
            yield {"type": "text", "text": text} | self.own(opaque)

    def _server_tool(self, part: ServerTool, *, still_open: bool) -> Iterable[dict[str, Any]]:
        block = self._server_block(part)
        if block is None:
            return
        if block["type"].endswith("tool_use") and not still_open and str(block.get("id")) not in self._answered:
            self.warn(f"{part.name!r} of the provider's own has no result: it is left out")
            return
        yield block

    def _server_block(self, part: Part) -> dict[str, Any] | None:
        """The block of something that the provider did, if it came whole."""
        own = self.own(part.opaque) if isinstance(part, ServerTool) else {}
        block = own.get("block")
        whole = isinstance(block, dict) and isinstance(block.get("type"), str) and "partial_json" not in own
        return block if whole else None

    def _content(self, result: ToolResult) -> str | list[dict[str, Any]]:
        if not result.media:
            return result.content
        return [*self._text(result.content, None), *map(self._media, result.media)]

    def _media(self, part: Media) -> dict[str, Any]:
        own = self.own(part.opaque)
        kind = "image" if part.media_type.startswith("image/") else "document"
        source = own.get("source") or self._source(part)
        title = {"title": part.name} if part.name and kind == "document" else {}
        cite = {"citations": {"enabled": True}} if part.cite and kind == "document" else {}
        if part.cite and not cite:
            self.warnings.append(Warned("cite", f"documents are cited, and no {part.media_type}"))
        return {"type": kind, "source": source, **title, **cite} | own if source else self._left_out(part)

    def _source(self, part: Media) -> dict[str, Any] | None:
        kind, data = part.media_type.lower(), part.data
        if data is None:
            takes = self._place.takes_urls and (kind.startswith("image/") or kind == "application/pdf")
            return {"type": "url", "url": part.url} if takes else None
        if kind in _IMAGES or kind == "application/pdf":
            return {"type": "base64", "media_type": _IMAGES.get(kind, kind), "data": data}
        if kind.startswith("text/"):
            with suppress(ValueError):
                words = base64.b64decode(data).decode("utf-8", "replace")
                return {"type": "text", "media_type": "text/plain", "data": words}
        return None

    def _left_out(self, part: Media) -> dict[str, Any]:
        self.warn(f"{part.media_type} cannot be shown here: it is told that something is left out")
        return {"type": "text", "text": f"({part.media_type}, left out)"}
