"""Prompts that a provider keeps: where the marks go of one that is told, and what is said of one that is not (M6)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from graphrt.backends.events import Warned
from graphrt.backends.messages import Kept, Message, Request

_MARKS = 4
"""How many marks Anthropic's models take."""


def keeps(request: Request, lasts: Kept | None, provider: str, warnings: list[Warned]) -> None:
    """Warn of a prompt that a provider does not keep, or not for as long as it should. `lasts`: how long it keeps one,
    of its own accord or where it is marked; None if it keeps none, or nobody knows."""
    wish = request.settings.cache
    if lasts is None and (wish or any(message.cache for message in request.messages)):
        warnings.append(Warned("cache", f"{provider} is not known to keep prompts"))
    elif wish == "1h" and lasts == "5m":
        warnings.append(Warned("cache", f"{provider} keeps prompts for minutes, and promises no hour"))


def marked(request: Request, messages: Sequence[Message], warnings: list[Warned]) -> frozenset[int]:
    """Return after which of the messages the prompt is to be kept: the instructions, the last one, and those that the
    caller marked. Of more marks than there may be, the last count: they keep what comes before them as well."""
    wish = request.settings.cache is not None
    leading = sum(1 for _ in takewhile(lambda message: message.role == "system", messages))
    own = {at - 1 for at in (leading, len(messages)) if wish and at}
    others = [at for at, message in enumerate(messages) if message.cache and at not in own]
    room = _MARKS - len(own) - wish  # one is the tools'
    if len(others) > room:
        warnings.append(Warned("cache", f"{len(others)} messages are marked, and {room} can be: the last ones count"))
    return frozenset(own | set(others[-room:]))


def mark(request: Request) -> dict[str, Any]:
    """Return a mark in Anthropic's words. Five minutes are what it means by itself."""
    lasts = request.settings.cache
    return {"type": "ephemeral", **({"ttl": lasts} if lasts == "1h" else {})}
