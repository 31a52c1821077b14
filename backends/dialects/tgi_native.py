"""Text Generation Inference as it is native to it: `/generate_stream`. A prompt in, tokens out.

It knows no roles, no tools and no thoughts; its chat is served by the OpenAI dialect, which is the better way in. What
it has is a grammar. A conversation of more than one question is told as a transcript, and a warning says so (M6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.answering import Answering, object_of
from graphrt.backends.dialects.caching import keeps
from graphrt.backends.dialects.dialect import Asked, honest
from graphrt.backends.dialects.history import repaired, shown, uncited
from graphrt.backends.dialects.logprobs import of_tgi
from graphrt.backends.dialects.values import count, dicts, is_json, text_of
from graphrt.backends.errors import BackendError, BadRequest, ServerError
from graphrt.backends.events import FinishReason, StreamEvent, Usage, Warned
from graphrt.backends.keys import Key
from graphrt.backends.messages import Media, Message, Part, Refusal, Request, Text, ToolCall, ToolResult
from graphrt.backends.remote import Remote
from graphrt.backends.wire.classify import classify_error
from graphrt.backends.wire.reading import EventReader
from graphrt.backends.wire.redaction import redact

PROVIDER = "tgi"
BASE_URL = "http://localhost:8080"

_FINISH: Mapping[str, FinishReason] = {"length": "length", "eos_token": "stop", "stop_sequence": "stop"}
_SETTINGS = {
    "max_tokens": "max_new_tokens",
    "top_k": "top_k",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
}
_NOT_TAKEN = ("min_p", "presence_penalty", "reasoning_effort")
_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


class TgiDialect:
    """A `Dialect`."""

    @property
    def provider(self) -> str:
        """See Dialect.provider."""
        return PROVIDER

    @property
    def capabilities(self) -> Capabilities:
        """See Dialect.capabilities."""
        return Capabilities(tools=False)

    def write(self, request: Request, model: str) -> Asked:
        """See Dialect.write. The server has one model: its name goes nowhere."""
        warnings: list[Warned] = []
        _refuse_tools(request, warnings)
        parameters: dict[str, Any] = {"details": True, "return_full_text": False}
        _put_settings(parameters, request, warnings)
        if request.output is not None:
            parameters["grammar"] = {"type": "json", "value": dict(request.output.schema_)}
        uncited(request.messages, PROVIDER, warnings)
        keeps(request, None, PROVIDER, warnings)
        body = {"inputs": _prompt(request.messages, warnings), "parameters": parameters}
        return Asked("/generate_stream", body | dict(request.extra), honest(warnings, request, PROVIDER))

    def read(self, answer: Answering, *, secrets: tuple[str, ...] = ()) -> EventReader:
        """See Dialect.read."""
        return EventReader(TgiStream(answer, secrets=secrets), provider=PROVIDER, secrets=secrets)


class Tgi(Remote):
    """The model behind one TGI server. See Remote."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str = BASE_URL,
        key: Key = None,
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        super().__init__(TgiDialect(), model, base_url=base_url, key=key, headers=headers, connect=connect, idle=idle)


# the answer


class TgiStream:
    """Tokens in, events out: an AnswerStream. The whole text, which only the last token brings, is the terminal signal
    (M3)."""

    def __init__(self, answer: Answering, *, secrets: Sequence[str] = ()) -> None:
        self._answer = answer
        self._secrets = tuple(secrets)

    @property
    def closed(self) -> bool:
        """See AnswerStream.closed."""
        return self._answer.closed

    def chunk(self, data: str, event: str = "message") -> list[StreamEvent]:
        """See AnswerStream.chunk."""
        text = data.strip()
        if self.closed or not text:
            return []
        parsed = object_of(text)
        if parsed is not None:
            return self._take(parsed)
        if is_json(text) or text == "[DONE]":
            return []
        return self.broken(ServerError(f"a chunk that is not JSON: {redact(text, self._secrets)[:80]!r}"))

    def body(self, parsed: Any) -> list[StreamEvent]:
        """See AnswerStream.body. Some servers put a list around it."""
        found = parsed[0] if isinstance(parsed, list) and parsed else parsed
        if not isinstance(found, dict) or not isinstance(found.get("generated_text"), str):
            return self.broken(classify_error(found, provider=PROVIDER, secrets=self._secrets))
        return self._take(found)

    def end(self) -> list[StreamEvent]:
        """See AnswerStream.end."""
        return [] if self.closed else self._answer.truncated("whole text")

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """See AnswerStream.broken."""
        return self._answer.fail(error)

    def _take(self, parsed: dict[str, Any]) -> list[StreamEvent]:
        if parsed.get("error"):
            return self.broken(classify_error(parsed, provider=PROVIDER, secrets=self._secrets))
        token, whole = parsed.get("token"), parsed.get("generated_text")
        if isinstance(token, dict):
            self._answer.begin()
            if not token.get("special"):
                self._answer.say("text", text_of(token.get("text")))
                if "top_tokens" in parsed:  # every token has its number, but only a question for more is about it
                    self._answer.weigh(of_tgi(token, parsed["top_tokens"]))
        if not isinstance(whole, str):
            return self._answer.flush()
        details = parsed.get("details")
        details = details if isinstance(details, dict) else {}
        if not self._answer.said_anything:
            self._answer.say("text", whole)
            self._weigh(dicts(details.get("tokens")), details.get("top_tokens"))
        if details.get("generated_tokens") is not None:
            self._answer.usage = _usage(details)
        raw = text_of(details.get("finish_reason"))
        return self._answer.finish(_FINISH.get(raw or "", "other"), raw)

    def _weigh(self, tokens: Sequence[Mapping[str, Any]], tops: Any) -> None:
        if isinstance(tops, list):
            for token, top in zip(tokens, tops, strict=False):
                self._answer.weigh([] if token.get("special") else of_tgi(token, top))


def _usage(details: Mapping[str, Any]) -> Usage:
    """The tokens in our terms (M4). The details hold every token there was: of those, how many."""
    raw = {key: details[key] for key in ("generated_tokens", "input_length") if key in details}
    if isinstance(details.get("prefill"), list):
        raw["prefill"] = len(details["prefill"])
    return Usage(input=count(raw.get("input_length")), output=count(raw.get("generated_tokens")), raw=raw)


# the request


def _put_settings(parameters: dict[str, Any], request: Request, warnings: list[Warned]) -> None:
    settings = request.settings
    for name, wire in _SETTINGS.items():
        if getattr(settings, name) is not None:
            parameters[wire] = getattr(settings, name)
    if settings.stop:
        parameters["stop"] = list(settings.stop)
    if settings.logprobs is not None:
        parameters["top_n_tokens"] = max(settings.logprobs, 1)  # 0 would be answered as if nobody had asked
    if settings.top_p is not None and settings.top_p < 1:  # 1 is refused, and means nothing
        parameters["top_p"] = settings.top_p
    if settings.temperature is not None:
        # 0 is refused: the likeliest token is what comes without sampling
        parameters["do_sample"] = settings.temperature > 0
        if settings.temperature > 0:
            parameters["temperature"] = settings.temperature
        else:
            parameters.pop("top_p", None)
            parameters.pop("top_k", None)
    refused = [name for name in _NOT_TAKEN if getattr(settings, name) is not None]
    warnings += [Warned(name, f"{PROVIDER} has no such setting") for name in refused]


def _refuse_tools(request: Request, warnings: list[Warned]) -> None:
    if request.tool_choice not in {"auto", "none"}:
        if not request.tools:
            raise BadRequest(f"tool_choice is {request.tool_choice!r}, but no tools are offered", provider=PROVIDER)
        if request.tool_choice not in {"required", *(tool.name for tool in request.tools)}:
            words = f"tool_choice is {request.tool_choice!r}, which is none of the tools offered"
            raise BadRequest(words, provider=PROVIDER)
    if request.tools and request.tool_choice != "none":
        warnings.append(Warned("tools", f"{PROVIDER} has no tools here: none is offered"))


def _prompt(messages: Sequence[Message], warnings: list[Warned]) -> str:
    fit = shown(repaired(messages, warnings), PROVIDER, warnings)
    if len(fit) == 1 and fit[0].role == "user":
        return "".join(_words(fit[0].parts, warnings))
    warnings.append(Warned("messages", f"{PROVIDER} has no roles here: the conversation is told as a transcript"))
    turns = ((_SPEAKERS[message.role], "\n".join(_words(message.parts, warnings))) for message in fit)
    told = [f"{speaker}: {words}" for speaker, words in turns if words]
    return "\n".join([*told, "Assistant:"])


def _words(parts: Iterable[Part], warnings: list[Warned]) -> Iterable[str]:
    for part in parts:
        match part:
            case Text(text=text) | Refusal(text=text) if text:
                yield text
            case ToolCall(name=name, arguments=arguments):
                yield f"{name}({arguments})"
            case ToolResult(name=name, content=content):
                yield f"{name} returned {content}"
            case Media(media_type=kind) if kind.startswith("image/"):
                yield f"![]({part.url or f'data:{kind};base64,{part.data}'})"
            case Media(media_type=kind):
                warnings.append(Warned("messages", f"{PROVIDER} takes no {kind}: left out"))
                yield f"[{kind}, left out]"
            case _:
                pass
