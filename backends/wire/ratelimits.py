"""From the headers of an answer to what is left of its key's allowance: `rate_limits`, pure, over all the ways in which
providers say it.

    x-ratelimit-{limit,remaining,reset,renewalperiod}[-WHAT]    OpenAI, Azure, Groq, Mistral, xAI, Together
    anthropic-ratelimit-WHAT-{limit,remaining,reset}            Anthropic
    [x-]ratelimitbysize-{limit,remaining,reset}[-WINDOW]        Mistral
    ratelimit-{limit,remaining,reset}                           Replicate, the older drafts of the IETF
    ratelimit: "api";r=999;t=295   ratelimit-policy: …;w=300    Hugging Face, the newer drafts
    x-trial-endpoint-call-{limit,remaining}                     Cohere

WHAT may name a window: `tokens-minute`, `req-10-second`. A pause that a refusal asks for is `classify`'s to read.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One allowance of a key, as an answer's headers have it. What they do not say is None.

    `of` is what is counted: `requests`, `tokens`, `input_tokens`, `output_tokens`, `tokens_by_size` (with those that
    the answer may have at most), or the provider's own word for anything else. `reset` is in seconds from the answer:
    when all of `limit` is there again. `window` is in seconds: how long `limit` is meant to last.
    """

    of: str
    limit: float | None = None
    remaining: float | None = None
    reset: float | None = None
    window: float | None = None


_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": 30 * 86400.0}
_WORDS = {
    "": "requests",
    "req": "requests",
    "requests": "requests",
    "tokens": "tokens",
    "input-tokens": "input_tokens",
    "output-tokens": "output_tokens",
}
_FIELDS = {"limit": "limit", "remaining": "remaining", "reset": "reset", "renewalperiod": "window"}
_FIELD = "(?P<field>limit|remaining|reset|renewalperiod)"
_FAMILIES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"x-ratelimit-{_FIELD}(?:-(?P<what>[a-z0-9-]+))?",
        rf"anthropic-ratelimit-(?P<what>[a-z-]+)-{_FIELD}",
        rf"(?:x-)?(?P<size>ratelimitbysize)-{_FIELD}(?:-(?P<what>[a-z0-9-]+))?",
        rf"ratelimit-{_FIELD}(?:-(?P<what>[a-z0-9-]+))?",
        r"x-trial-endpoint-call-(?P<field>limit|remaining)",
    )
)
_WINDOW = re.compile(r"(?:^|-)(?:(\d{1,4})-)?(second|minute|hour|day|month)$")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)", re.IGNORECASE)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_EPOCH = 1e9
"""No span of seconds is this long: such a number is an instant."""
_PARAMETER = re.compile(r";\s*([a-z]+)\s*=\s*(\d+)")


def rate_limits(headers: Mapping[str, str], now: float | None = None) -> tuple[RateLimit, ...]:
    """What `headers` (names in lower case) say is left, in the order of their names. Never raises: what makes no sense
    is not said.

    `now` is the wall clock in seconds, for resets that are instants; the server's own `date` is believed before it,
    since the two clocks may differ.
    """
    now = _instant(headers.get("date", "")) or (time.time() if now is None else now)
    found: dict[tuple[str, float | None], dict[str, float]] = {}
    for what, field, text in _said(headers):
        value = _seconds(text, now) if field == "reset" else _number(text)
        if value is not None:
            found.setdefault((_of(what), _window(what)), {})[field] = value
    return tuple(_limit(of, window, fields) for (of, window), fields in found.items())


def duration(text: str) -> float | None:
    """Seconds in a Go-style duration (`6m0s`, `12ms`) or a bare number of seconds; None when it is neither."""
    bare = _number(text)
    if bare is not None:
        return bare
    pieces = _DURATION.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text.strip():
        return None
    return sum(float(number) * _UNITS[unit.lower()] for number, unit in pieces)


def _said(headers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What is counted, which of its numbers, and the number's text."""
    for name in sorted(headers):
        for family in _FAMILIES:
            if match := family.fullmatch(name):
                named = match.groupdict()
                what = "-".join(
                    word for word in ("tokens-by-size" if named.get("size") else "", named.get("what") or "") if word
                )
                yield what, _FIELDS[named["field"]], headers[name]
                break
    for name, fields in (
        ("ratelimit", {"r": "remaining", "t": "reset"}),
        ("ratelimit-policy", {"q": "limit", "w": "window"}),
    ):
        # a list of several is several windows of unknown order: only one alone can be paired with its policy
        text = headers.get(name, "")
        if "," not in text:
            for letter, number in _PARAMETER.findall(text):
                if letter in fields:
                    yield "", fields[letter], number


def _of(what: str) -> str:
    bare = _WINDOW.sub("", what)
    return _WORDS.get(bare, bare.replace("-", "_"))


def _window(what: str) -> float | None:
    match = _WINDOW.search(what)
    return int(match[1] or 1) * _SECONDS[match[2]] if match else None


def _limit(of: str, window: float | None, fields: Mapping[str, float]) -> RateLimit:
    window = fields.get("window", window)
    reset = fields.get("reset")
    if reset is not None and window is not None and reset > window:
        # Azure has been seen to count the way to a reset in milliseconds: no window ends later than it is long
        reset /= 1000
    return RateLimit(of, fields.get("limit"), fields.get("remaining"), reset, window)


def _seconds(text: str, now: float) -> float | None:
    """Seconds until a reset, given as a duration, a bare number of seconds, or an instant."""
    span = duration(text)
    if span is not None and span < _EPOCH:
        return span
    # OpenRouter: an instant in milliseconds
    instant = _instant(text) if span is None else span / 1000 if span > _EPOCH * 100 else span
    return max(0.0, instant - now) if instant is not None else None


def _instant(text: str) -> float | None:
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            return None
    except OverflowError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
