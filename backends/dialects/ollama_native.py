"""The Ollama API as it is native to it: `/api/chat`, answers as lines of JSON.

What is its own: arguments are objects, a call may lack an id, the reason stays `stop` when tools are called, the number
of prompt tokens is left out when the prompt was cached, and nothing can force a call. An answer of `/api/generate`
reads the same way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.answering import Answering, object_of
from graphrt.backends.dialects.caching import keeps
from graphrt.backends.dialects.dialect import Asked, extended, honest
from graphrt.backends.dialects.history import arguments_of, ours, repaired, shown, uncited
from graphrt.backends.dialects.logprobs import listed
from graphrt.backends.dialects.values import count, dicts, is_json, mended, text_of
from graphrt.backends.errors import BackendError, BadRequest, ServerError
from graphrt.backends.events import FinishReason, StreamEvent, Usage, Warned
from graphrt.backends.keys import Key
from graphrt.backends.messages import Media, Message, Reasoning, Refusal, Request, Text, ToolCall, ToolResult, ToolSpec
from graphrt.backends.remote import Remote
from graphrt.backends.wire.classify import classify_error
from graphrt.backends.wire.lines import LineReader
from graphrt.backends.wire.redaction import redact

PROVIDER = "ollama"
BASE_URL = "http://localhost:11434"

_FINISH: Mapping[str, FinishReason] = {"stop": "stop", "length": "length"}
_OPTIONS = {
    "max_tokens": "num_predict",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_EFFORTS: Mapping[str, bool | str] = {"none": False, "low": "low", "medium": "medium", "high": "high", "max": "max"}


class OllamaDialect:
    """A `Dialect`."""

    @property
    def provider(self) -> str:
        """See Dialect.provider."""
        return PROVIDER

    @property
    def capabilities(self) -> Capabilities:
        """See Dialect.capabilities. A server of one's own keeps to a schema; the hosted one may ignore it."""
        return Capabilities()

    def write(self, request: Request, model: str) -> Asked:
        """See Dialect.write."""
        warnings: list[Warned] = []
        body: dict[str, Any] = {"model": model, "messages": _messages(request, model, warnings), "stream": True}
        tools = _tools(request, warnings)
        if tools:
            body["tools"] = [_tool(tool) for tool in tools]
        _put_settings(body, request, warnings)
        if request.output is not None:
            body["format"] = dict(request.output.schema_)
        uncited(request.messages, PROVIDER, warnings)
        keeps(request, "5m", PROVIDER, warnings)  # while the model is loaded
        said = honest(warnings, request, PROVIDER)
        return Asked("/api/chat", extended(body, request.extra), said, {"accept": "application/x-ndjson"})

    def read(self, answer: Answering, *, secrets: tuple[str, ...] = ()) -> LineReader:
        """See Dialect.read."""
        return LineReader(OllamaStream(answer, secrets=secrets), provider=PROVIDER, secrets=secrets)


class Ollama(Remote):
    """One model behind one Ollama server. See Remote; a server of one's own needs no key, the hosted one does."""

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
        super().__init__(
            OllamaDialect(), model, base_url=base_url, key=key, headers=headers, connect=connect, idle=idle
        )


# the answer


class OllamaStream:
    """The lines of an answer in, events out: an AnswerStream. `done` is the terminal signal (M3)."""

    def __init__(self, answer: Answering, *, secrets: Sequence[str] = ()) -> None:
        self._answer = answer
        self._secrets = tuple(secrets)
        self._calls = 0

    @property
    def closed(self) -> bool:
        """See AnswerStream.closed."""
        return self._answer.closed

    def chunk(self, data: str, event: str = "message") -> list[StreamEvent]:
        """See AnswerStream.chunk."""
        if self.closed:
            return []
        parsed = object_of(data)
        if parsed is not None:
            return self._take(parsed)
        if is_json(data):
            return []
        return self.broken(ServerError(f"a line that is not JSON: {redact(data, self._secrets)[:80]!r}"))

    def body(self, parsed: Any) -> list[StreamEvent]:
        """See AnswerStream.body."""
        events: list[StreamEvent] = []
        for item in dicts(parsed if isinstance(parsed, list) else [parsed]):
            if not self.closed:
                events += self._take(item)
        return events + self.end()

    def end(self) -> list[StreamEvent]:
        """See AnswerStream.end."""
        return [] if self.closed else self._answer.truncated("`done`")

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """See AnswerStream.broken."""
        return self._answer.fail(error)

    def _take(self, parsed: dict[str, Any]) -> list[StreamEvent]:
        self._answer.named(text_of(parsed.get("model")), None)
        if self._answer.answers_as:
            self._answer.begin()
        said = parsed.get("message")
        said = said if isinstance(said, dict) else {}
        for source in (said, parsed):
            self._think(source.get("thinking"))
        for words in (said.get("content"), parsed.get("response")):
            self._answer.say("text", words if isinstance(words, str) else None)
        if "logprobs" in parsed:
            self._answer.weigh(listed(parsed["logprobs"]))
        images = said.get("images")
        for image in images if isinstance(images, list) else ():
            if text_of(image):
                self._answer.put(Media(media_type="image/png", data=image))
        for call in dicts(said.get("tool_calls")):
            self._call(call)
        if parsed.get("error"):
            return self.broken(classify_error(parsed, provider=PROVIDER, secrets=self._secrets))
        if parsed.get("done") is True:
            return self._finish(parsed)
        return self._answer.flush()

    def _think(self, words: Any) -> None:
        if isinstance(words, str) and words:
            self._answer.prose("reasoning")["field"] = "thinking"
            self._answer.say("reasoning", words)

    def _call(self, call: dict[str, Any]) -> None:
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        key = ("call", self._calls)
        self._calls += 1
        self._answer.hush()
        call_id = text_of(call.get("id")) or text_of(function.get("id"))
        self._answer.open(key, "tool_call", name=text_of(function.get("name")) or "", call_id=call_id)
        arguments = mended(function.get("arguments"))
        if arguments is not None and not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        self._answer.add(key, arguments)
        self._answer.close(key)  # the server hands out no call that it has not read to its end

    def _finish(self, parsed: dict[str, Any]) -> list[StreamEvent]:
        raw = {key: parsed[key] for key in ("prompt_eval_count", "eval_count") if key in parsed}
        if raw:
            self._answer.usage = Usage(
                input=count(raw.get("prompt_eval_count")), output=count(raw.get("eval_count")), raw=raw
            )
        reason = text_of(parsed.get("done_reason"))
        if reason is not None:
            return self._answer.finish(_FINISH.get(reason, "other"), reason)
        # old servers say that they are done, and not why: what was called is wanted
        return self._answer.finish("stop" if self._calls else "other")


# the request


def _put_settings(body: dict[str, Any], request: Request, warnings: list[Warned]) -> None:
    settings = request.settings
    options = {wire: getattr(settings, name) for name, wire in _OPTIONS.items() if getattr(settings, name) is not None}
    if settings.stop:
        options["stop"] = list(settings.stop)
    if options:
        body["options"] = options
    if settings.logprobs is not None:
        body |= {"logprobs": True, **({"top_logprobs": settings.logprobs} if settings.logprobs else {})}
    effort = settings.reasoning_effort
    if effort is not None:
        body["think"] = _EFFORTS.get(effort, True)
        if effort not in _EFFORTS:
            warnings.append(Warned("reasoning_effort", f"{PROVIDER} has no effort {effort!r}: it is told to think"))
    if settings.parallel_tool_calls is False and request.tools:
        warnings.append(Warned("parallel_tool_calls", f"{PROVIDER} cannot be kept from several calls at once"))


def _tools(request: Request, warnings: list[Warned]) -> Sequence[ToolSpec]:
    """The tools to offer. Nothing forces a call here; that one is forbidden is said by offering none."""
    choice = request.tool_choice
    if not request.tools:
        if choice not in {"auto", "none"}:
            raise BadRequest(f"tool_choice is {choice!r}, but no tools are offered", provider=PROVIDER)
        return ()
    if choice in {"auto", "none"}:
        return request.tools if choice == "auto" else ()
    warnings.append(Warned("tool_choice", f"{PROVIDER} cannot be made to call a tool"))
    if choice == "required":
        return request.tools
    named = [tool for tool in request.tools if tool.name == choice]
    if not named:
        raise BadRequest(f"tool_choice is {choice!r}, which is none of the tools offered", provider=PROVIDER)
    return named


def _tool(tool: ToolSpec) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    return {"type": "function", "function": {"name": tool.name, **described, "parameters": dict(tool.parameters)}}


def _messages(request: Request, model: str, warnings: list[Warned]) -> list[dict[str, Any]]:
    wire: list[dict[str, Any]] = []
    for message in shown(repaired(request.messages, warnings), PROVIDER, warnings):
        if message.role == "tool":
            wire += _results(message)
            continue
        said = _said(message, model, warnings)
        if len(said) > 1 or said["content"]:  # a turn of nothing is none
            wire.append({"role": message.role, **said})
    return wire


def _results(message: Message) -> Iterable[dict[str, Any]]:
    # by its name for every version of the server, by its id for those that give ids
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "content": part.content, "tool_name": part.name, "tool_call_id": part.call_id}


def _said(message: Message, model: str, warnings: list[Warned]) -> dict[str, Any]:
    pieces = [part.text for part in message.parts if isinstance(part, (Text, Refusal))]
    images: list[str] = []
    for part in message.parts:
        if isinstance(part, Media):
            if part.data and part.media_type.startswith("image/"):
                images.append(part.data)
                continue
            what = part.media_type if part.data else f"{part.media_type} by its address"
            warnings.append(Warned("messages", f"{PROVIDER} takes no {what}: left out"))
            pieces.append(f"[{part.media_type}, left out]")
    said: dict[str, Any] = {"content": "".join(pieces)}
    thoughts = [
        part.text for part in message.parts if isinstance(part, Reasoning) and ours(part.opaque, PROVIDER, model)
    ]
    if any(thoughts):
        said["thinking"] = "".join(thoughts)
    if images:
        said["images"] = images
    if message.tool_calls:
        said["tool_calls"] = [_called(call) for call in message.tool_calls]
    return said


def _called(call: ToolCall) -> dict[str, Any]:
    return {"id": call.call_id, "function": {"name": call.name, "arguments": arguments_of(call)}}
