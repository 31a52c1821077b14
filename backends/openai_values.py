"""What single values of the OpenAI chat dialect mean: usage, reasoning details, errors in odd places, halves of
characters.

Pure functions over what `json.loads` gave. None of them raises, whatever shape a server sends.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from graphrt.backends.events import Usage

_HALF = re.compile("[\ud800-\udfff]")


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


def mend(half: str, text: str) -> tuple[str, str]:
    """Put the halves of a character together, and hold back a half at the end until the next piece comes.

    Some servers cut their text between the two UTF-16 units of an emoji. A half that stays alone is no text at all:
    nobody could store it or send it on.
    """
    text = half + text
    if text.isascii() or not _HALF.search(text):
        return text, ""
    held = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
    kept = text[: len(text) - len(held)]
    return kept.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), held


def is_json(text: str) -> bool:
    """Whether `text` is one whole JSON value."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


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


def mended(value: Any) -> Any:
    """A value of the provider's without halves of characters."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(mend("", text)[0]) if _HALF.search(text) else value


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing of what is no list of objects."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def index_of(value: Mapping[str, Any]) -> int | None:
    """The index of a choice or a fragment, if it has one that is a number."""
    index = value.get("index")
    try:
        return int(index) if index is not None else None  # a few send "0"
    except (TypeError, ValueError, OverflowError):
        return None


def count(value: Any) -> int | None:
    """A number of tokens; None for what is no number."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if known else None


def text_of(value: Any) -> str | None:
    """A string that says something; None for anything else."""
    return mended(value) if isinstance(value, str) and value else None
