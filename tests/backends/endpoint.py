"""A model behind three dialects: it reads what it is asked and does all of it, and tests take from it what it can do.

with provide(serving(able)) as provider: …                      does everything
with provide(serving(lambda heard: able(replace(heard, tools=())))) as provider: …   knows nothing of tools
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Literal

from tests.backends.provider import SPEECHES, Asked, Reply, sse, typed


@dataclass(frozen=True)
class Heard:
    """A request, in no dialect's words."""

    api: str
    text: str
    system: str = ""
    tools: tuple[str, ...] = ()
    choice: str = "auto"
    schema: bool = False
    stop: str = ""
    most: int | None = None
    seed: int | None = None
    thinks: bool = False
    image: bool = False


@dataclass(frozen=True)
class Said:
    """An answer, in no dialect's words. `whole`: its text comes in one piece. `usage` is None where it tells none."""

    text: str = ""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    thought: str = ""
    cut: bool = False
    whole: bool = False
    usage: tuple[int, int] | None = (10, 5)
    model: str | None = None


Mind = Callable[[Heard], Said]
_NUMBERS = count()
_LIMITS = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59"}


def able(heard: Heard) -> Said:
    """Do everything."""
    said = _answer(heard)
    return replace(said, usage=(len(f"{heard.system} {heard.text}".split()) + 20 * len(heard.tools), 5))


def _answer(heard: Heard) -> Said:
    if heard.tools and heard.choice not in {"auto", "none"}:
        return Said(calls=[(heard.choice, {"city": "Paris"})])
    if heard.tools and heard.choice == "auto":
        cities = [city for city in ("Lisbon", "Oslo") if city in heard.text]
        return Said(calls=[(heard.tools[0], {"city": city}) for city in cities])
    if heard.schema:
        return Said('{"mood_k7": "amber-31", "sure_q2": true}')
    if heard.system:
        return Said("PELICAN")
    if heard.image:
        return Said("Red.")
    if "twelve words" in heard.text:
        dice = random.Random(next(_NUMBERS) + 1000 if heard.seed is None else heard.seed)
        return Said(" ".join(dice.choices(["moss", "lever", "quilt", "ember", "sonar", "plum", "gravel", "tin"], k=12)))
    if "Count from" in heard.text:
        numbers = [str(number) for number in range(1, 201 if "200" in heard.text else 10)]
        if heard.most is not None:
            return Said(" ".join(numbers[: heard.most]), cut=True)
        return Said(" ".join(numbers).partition(heard.stop)[0] if heard.stop else " ".join(numbers))
    return Said("Red, orange, yellow, green, blue, indigo and violet.", thought="Let me see." if heard.thinks else "")


def serving(mind: Mind) -> Callable[[Asked], Reply]:
    """What a provider with that mind answers, in whichever dialect it is asked."""

    def answer(asked: Asked) -> Reply:
        heard = hear(asked)
        reply = {"chat": _chat, "anthropic": _anthropic, "gemini": _gemini}[heard.api](mind(heard))
        return Reply(reply, headers={"content-type": "text/event-stream", **_LIMITS})

    return answer


def refusing(asked: Asked, status: int, message: str, **headers: str) -> Reply:
    """A refusal, in the dialect of the request."""
    api = {"chat": "chat_completions", "anthropic": "messages", "gemini": "generate_content"}[hear(asked).api]
    return SPEECHES[api].refused(status, message, **headers)


# What is heard.


def hear(asked: Asked) -> Heard:
    """Understand a request."""
    body = asked.body
    if "chat/completions" in asked.path:
        return _hear_chat(body)
    return _hear_anthropic(body) if "/v1/messages" in asked.path else _hear_gemini(body)


def _hear_chat(body: Any) -> Heard:
    messages, choice = body["messages"], body.get("tool_choice", "auto")
    text, image = _content(messages[-1]["content"])
    return Heard(
        "chat",
        text,
        system=messages[0]["content"] if messages[0]["role"] == "system" else "",
        tools=tuple(tool["function"]["name"] for tool in body.get("tools", ())),
        choice=choice if isinstance(choice, str) else choice["function"]["name"],
        schema="response_format" in body,
        stop=(body.get("stop") or [""])[0],
        most=body.get("max_completion_tokens", body.get("max_tokens")),
        seed=body.get("seed"),
        thinks="reasoning_effort" in body,
        image=image,
    )


def _hear_anthropic(body: Any) -> Heard:
    choice = body.get("tool_choice", {"type": "auto"})
    text, image = _content(body["messages"][-1]["content"])
    return Heard(
        "anthropic",
        text,
        system=_content(body.get("system", ""))[0],
        tools=tuple(tool["name"] for tool in body.get("tools", ())),
        choice=choice.get("name", choice["type"]),
        schema="format" in body.get("output_config", {}),
        stop=(body.get("stop_sequences") or [""])[0],
        most=body["max_tokens"] if body["max_tokens"] < 1000 else None,
        thinks="thinking" in body,
        image=image,
    )


def _hear_gemini(body: Any) -> Heard:
    config = body.get("generationConfig", {})
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    parts = body["contents"][-1]["parts"]
    return Heard(
        "gemini",
        " ".join(part["text"] for part in parts if "text" in part),
        system=" ".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", ())),
        tools=tuple(tool["name"] for each in body.get("tools", ()) for tool in each["functionDeclarations"]),
        choice="none" if calling.get("mode") == "NONE" else calling.get("allowedFunctionNames", ["auto"])[0],
        schema="responseJsonSchema" in config,
        stop=(config.get("stopSequences") or [""])[0],
        most=config.get("maxOutputTokens"),
        seed=config.get("seed"),
        thinks="thinkingConfig" in config,
        image=any("inlineData" in part for part in parts),
    )


def _content(content: Any) -> tuple[str, bool]:
    if isinstance(content, str):
        return content, False
    words = " ".join(part["text"] for part in content if part["type"] == "text")
    return words, any(part["type"] in {"image", "image_url"} for part in content)


# What is said.


def _words(said: Said) -> list[str]:
    return [said.text] if said.whole else [f"{word} " for word in said.text.split()]


def _chat(said: Said) -> list[bytes]:
    def chunk(delta: Any, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse({"id": "c", "model": said.model or "gpt-4.1-2025-04-14", "choices": [choice]})

    finish: Literal["length", "tool_calls", "stop"] = "length" if said.cut else "tool_calls" if said.calls else "stop"
    pieces = [chunk({"role": "assistant", "content": ""})]
    pieces += [chunk({"reasoning_content": said.thought})] if said.thought else []
    pieces += [chunk({"content": word}) for word in _words(said)]
    for index, (name, arguments) in enumerate(said.calls):
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"index": index, "id": f"c{index}", "type": "function", "function": function}
        pieces.append(chunk({"tool_calls": [call]}))
    pieces.append(chunk({}, finish))
    if said.usage is not None:
        told = {"prompt_tokens": said.usage[0], "completion_tokens": said.usage[1], "total_tokens": sum(said.usage)}
        pieces.append(sse({"id": "c", "model": "m", "choices": [], "usage": told}))
    return [*pieces, b"data: [DONE]\n\n"]


def _anthropic(said: Said) -> list[bytes]:
    usage = said.usage
    begun: dict[str, Any] = {"id": "m", "model": said.model or "claude-sonnet-4-5-20250929", "content": []}
    begun |= {"usage": {"input_tokens": usage[0], "output_tokens": 1}} if usage else {}
    pieces, index = [typed("message_start", message=begun)], count()

    def block(start: Any, deltas: Sequence[Any]) -> None:
        number = next(index)
        pieces.append(typed("content_block_start", index=number, content_block=start))
        pieces.extend(typed("content_block_delta", index=number, delta=delta) for delta in deltas)
        pieces.append(typed("content_block_stop", index=number))

    if said.thought:
        block({"type": "thinking", "thinking": ""}, [{"type": "thinking_delta", "thinking": said.thought}])
    if said.text:
        words = [{"type": "text_delta", "text": word} for word in _words(said)]
        block({"type": "text", "text": ""}, words)
    for number, (name, arguments) in enumerate(said.calls):
        made = [{"type": "input_json_delta", "partial_json": json.dumps(arguments)}]
        block({"type": "tool_use", "id": f"c{number}", "name": name, "input": {}}, made)
    reason = "max_tokens" if said.cut else "tool_use" if said.calls else "end_turn"
    told = {"usage": {"output_tokens": usage[1]}} if usage else {}
    return [*pieces, typed("message_delta", delta={"stop_reason": reason}, **told), typed("message_stop")]


def _gemini(said: Said) -> list[bytes]:
    parts: list[Any] = [{"text": said.thought, "thought": True}] if said.thought else []
    parts += [{"text": word} for word in _words(said)]
    parts += [{"functionCall": {"name": name, "args": arguments}} for name, arguments in said.calls]
    pieces = [_candidate(said, [part]) for part in parts]
    told: dict[str, Any] = {}
    if said.usage is not None:
        told["usageMetadata"] = {"promptTokenCount": said.usage[0], "candidatesTokenCount": said.usage[1]}
    return [*pieces, _candidate(said, [{"text": ""}], "MAX_TOKENS" if said.cut else "STOP", **told)]


def _candidate(said: Said, parts: Sequence[Any], finish: str | None = None, **more: Any) -> bytes:
    content = {"role": "model", "parts": parts}
    candidate = {"content": content, "index": 0, **({"finishReason": finish} if finish else {})}
    return sse({"modelVersion": said.model or "gemini-2.5-flash", "candidates": [candidate], **more})
