"""Secrets in use, taken out of what a provider says (M9). Pure.

Some providers quote the key that they refuse, and quote it as they please: as it is, percent-encoded in an address,
escaped in JSON or HTML, in base64, cut off after so many letters, or with stars in its middle. `redact` finds all of
these in a text, `redacted` in plain data. A secret of less than four letters is none: it stands in every second word.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from html.entities import codepoint2name
from typing import Any

HIDDEN = "[secret]"

_SHORTEST = 4
_SHORTEST_PIECE = 8
"""Letters of a piece of a header's value, below which it is no secret by itself."""
_TELLING = 12
"""Letters at the beginning of a long secret that are hidden without the rest: more than the `sk-proj-` of all keys."""
_STARS = re.compile(r"[*•·…]{2,}|\.{3,}|…|[xX]{4,}")
"""What stands for letters that somebody has hidden."""
_SHOWN = 3
"""Letters left beside them that show whose they are."""
_DEEPEST = 64
"""Levels of plain data beyond which nobody reads on: it is hidden as it is."""


def redact(text: str, secrets: Sequence[str]) -> str:
    """Take every secret out of `text`."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = _unmasked(_unbegun(_spellings(secret).sub(HIDDEN, text), secret), secret)
    return text


def redacted(value: Any, secrets: Sequence[str], *, depth: int = _DEEPEST) -> Any:
    """Take every secret out of plain data: out of its texts, and the names in its objects."""
    match value:
        case str():
            return redact(value, secrets)
        case dict() | list() if not depth:
            return HIDDEN
        case dict():
            return {redact(name, secrets): redacted(item, secrets, depth=depth - 1) for name, item in value.items()}
        case list():
            return [redacted(item, secrets, depth=depth - 1) for item in value]
        case _:
            return value


def pieces(value: str) -> tuple[str, ...]:
    """Return what is secret about a header's value: all of it, its long words (of `Basic …` or `Bearer …` the second
    one), and the password of `Basic`."""
    words = [word for word in re.split(r"[\s,;]+", value) if len(word) >= _SHORTEST_PIECE and word != value]
    passwords = []
    if value[:6].lower() == "basic ":
        with suppress(ValueError):
            passwords = base64.b64decode(value[6:]).decode("utf-8", "replace").split(":", 1)[1:]
    # AWS writes Signature=…, Credential=…
    named = [part for word in words for part in word.split("=", 1)[1:] if len(part) >= _SHORTEST_PIECE]
    return (value, *words, *named, *passwords)


@lru_cache(maxsize=256)
def _spellings(secret: str) -> re.Pattern[str]:
    """Every way to write a secret out."""
    return re.compile("|".join("".join(map(_letter, text)) for text in (secret, *_in_base64(secret))))


def _letter(letter: str) -> str:
    """A letter as it is, and unless it is an ordinary one, as addresses, JSON and HTML write it."""
    if letter.isalnum() and letter.isascii():
        return letter
    code = ord(letter)
    ways = [re.escape(letter), rf"\\+{re.escape(letter)}", rf"\\+[uU](?i:{code:04x})", rf"(?i:%(?:25)*{code:02x})"]
    ways += [rf"&#0*{code};", rf"(?i:&#x0*{code:x};)"]
    if code in codepoint2name:
        ways.append(f"&{codepoint2name[code]};")
    return f"(?:{'|'.join(ways)})"


def _in_base64(secret: str) -> Iterator[str]:
    """A secret within whatever is written in base64: it may begin at each of three places in a group of letters. What
    also depends on its neighbours is left out."""
    data = secret.encode()
    for before in range(3):
        text = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        whole = (before + len(data)) * 8 // 6
        inside = text[(before * 8 + 5) // 6 : whole]
        if len(inside) >= _SHORTEST_PIECE:
            yield inside
            if set(inside) & set("+/"):
                yield inside.replace("+", "-").replace("/", "_")


def _unbegun(text: str, secret: str) -> str:
    """Hide what begins like a long secret and breaks off."""
    if len(secret) <= 2 * _TELLING:
        return text
    before, *rest = text.split(secret[:_TELLING])
    return before + "".join(HIDDEN + _after(secret[_TELLING:], each) for each in rest)


def _after(secret: str, text: str) -> str:
    """Return a text without what it begins with of a secret."""
    same = (n for n, (ours, theirs) in enumerate(zip(secret, text, strict=False)) if ours != theirs)
    return text[next(same, min(len(secret), len(text))) :]


def _unmasked(text: str, secret: str) -> str:
    """Hide a secret whose middle alone is hidden."""
    kept, at = "", 0
    for stars in _STARS.finditer(text):
        start, end = stars.span()
        head = _begun(text[max(at, start - len(secret)) : start], secret)
        tail = _begun(text[end : end + len(secret)][::-1], secret[::-1])
        if head or tail:
            kept += text[at : start - head] + HIDDEN
            at = end + tail
    return kept + text[at:]


def _begun(text: str, secret: str) -> int:
    """How many letters at the end of a text are the first ones of a secret; 0 where they are too few to tell."""
    if secret[:_SHOWN] not in text:
        return 0
    return next((n for n in range(len(text), _SHOWN - 1, -1) if text.endswith(secret[:n])), 0)
