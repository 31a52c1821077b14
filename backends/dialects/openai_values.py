"""What single values of the OpenAI chat dialect mean: usage, reasoning details, errors in odd places.

Pure functions over what `json.loads` gave. None of them raises, whatever shape a server sends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphrt.backends.dialects.values import count, dicts
from graphrt.backends.events import Usage


def normal_usage(raw: Mapping[str, Any]) -> Usage:
    """A provider's usage in our terms (M4). Only xAI leaves reasoning out of its output; the total gives that away."""
    prompt, completion, total = (count(raw.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    inputs = raw.get("prompt_tokens_details")
    inputs = inputs if isinstance(inputs, dict) else {}
    outputs = raw.get("completion_tokens_details")
    outputs = outputs if isinstance(outputs, dict) else {}
    reasoning = count(outputs.get("reasoning_tokens"))
    if reasoning is None:
        reasoning = count(raw.get("reasoning_tokens"))
    if prompt is not None and completion is not None and reasoning and prompt + completion + reasoning == total:
        completion += reasoning
    return Usage(
        input=prompt,
        output=completion,
        cache_read=count(inputs.get("cached_tokens", raw.get("prompt_cache_hit_tokens"))),
        cache_write=count(inputs.get("cache_write_tokens")),
        reasoning=reasoning,
        raw=dict(raw),
    )


def merge_details(details: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put the fragments of streamed reasoning details together, so that they can be sent back as the whole blocks they
    were."""
    merged: list[dict[str, Any]] = []
    for detail in details:
        last = merged[-1] if merged else {}
        same = all(detail.get(key) == last.get(key) for key in ("type", "index")) and "data" not in detail
        if not merged or not same or (last.get("signature") and detail.get("signature")):
            merged.append(dict(detail))
            continue
        for key, value in detail.items():
            if key in {"text", "summary"} and isinstance(value, str):
                last[key] = (last.get(key) or "") + value
            elif value is not None:
                last[key] = value
    return merged


def error_in(parsed: dict[str, Any], event: str) -> Any:
    """The error a chunk or a body carries: under `error`, beside the choices, inside one, or instead of everything."""
    if parsed.get("error"):
        return parsed
    for choice in dicts(parsed.get("choices")):
        if choice.get("error"):
            return choice
    instead = "choices" not in parsed and (parsed.get("object") == "error" or "message" in parsed or "detail" in parsed)
    return parsed if event == "error" or instead else None


def thought(part: Mapping[str, Any]) -> str:
    """The words of a content part that is a thought: a string, or a list of texts."""
    words = part.get("thinking") or part.get("summary") or part.get("text")
    if isinstance(words, str):
        return words
    pieces = words if isinstance(words, list) else []
    return "".join(str(piece.get("text", "")) if isinstance(piece, dict) else str(piece) for piece in pieces)
