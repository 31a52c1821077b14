"""Single values of any provider's JSON, taken with care: what is not of the expected shape is nothing.

Pure functions over what `json.loads` gave. None of them raises, whatever shape a server sends.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

_HALF = re.compile("[\ud800-\udfff]")


def mend(half: str, text: str) -> tuple[str, str]:
    """Put the halves of a character together, and hold back a half at the end until the next piece comes.

    Some servers cut their text between the two UTF-16 units of an emoji. A half that stays alone is no text at all:
    nobody could store it or send it on.
    """
    text = half + text
    if text.isascii() or not _HALF.search(text):
        return text, ""
    held = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
    return _joined(text[: len(text) - len(held)]), held


def _joined(text: str) -> str:
    """A text whose halves of characters are put together, and replaced where they stay alone."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def json_of(text: str) -> Any:
    """The value that `text` is in JSON. Raises ValueError or RecursionError, as `json.loads` does.

    It is read for every token: pydantic's parser takes a third of the time. What that one refuses and the standard
    library takes (halves of characters, deep nests) is read again.
    """
    try:
        return from_json(text)
    except (ValueError, TypeError):
        return json.loads(text)


def is_json(text: str) -> bool:
    """Whether `text` is one whole JSON value."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def mended(value: Any) -> Any:
    """A value of the provider's without halves of characters."""
    if isinstance(value, str):  # names and ids, which come with every token
        return value if value.isascii() or not _HALF.search(value) else _joined(value)
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
