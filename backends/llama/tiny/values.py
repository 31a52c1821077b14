"""Values that people give to tools: names, dates, paths, sums, and what nobody has a name for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphrt.backends.llama.tiny.words import (
    CITIES,
    DAYS,
    FIRST,
    LANGUAGES,
    Random,
    Split,
    adjective,
    foreign,
    made_up,
    noun,
    proper,
    verb,
)

_SMALL = ("the", "of", "for", "in", "and", "with", "to", "on", "from", "my", "new")


def digits(rng: Random, most: int = 6) -> int:
    """A number of any length up to `most` digits; short ones as often as long ones."""
    return rng.randrange(10 ** rng.randrange(1, most + 1))


def _date(rng: Random, split: Split) -> str:
    date = f"{rng.randrange(2019, 2031)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    return rng.choice((date, date, rng.choice(DAYS), "tomorrow", "today"))


def _time(rng: Random, split: Split) -> str:
    hour = rng.randrange(24)
    one, other = f"{hour:02}:{rng.randrange(60):02}", f"{hour:02}:{rng.randrange(60):02}"
    return rng.choice((one, other, "noon", f"{hour % 12 + 1} pm"))


def _money(rng: Random, split: Split) -> float:
    return rng.choice((rng.randrange(1, 5000), float(f"{digits(rng, 3)}.{rng.randrange(1, 10)}")))


def _person(rng: Random, split: Split) -> str:
    name = proper(rng, split, FIRST)
    return name if rng.random() < 0.7 else f"{name} {made_up(rng, split).capitalize()}"


def _email(rng: Random, split: Split) -> str:
    who = rng.choice((proper(rng, split, FIRST).lower(), made_up(rng, split)))
    return f"{who}@{made_up(rng, split)}.{rng.choice(('com', 'org', 'net', 'io'))}"


def _path(rng: Random, split: Split) -> str:
    stem, dash = noun(rng, split), rng.choice(("", "-", "_"))
    stem += dash + rng.choice(("", noun(rng, split)))
    file = f"{stem}.{rng.choice(('txt', 'py', 'csv', 'md', 'json', 'pdf'))}"
    return rng.choice((file, f"/{noun(rng, split)}/{noun(rng, split)}", f"{noun(rng, split)}/{file}"))


def _url(rng: Random, split: Split) -> str:
    host = f"https://{made_up(rng, split)}.{rng.choice(('com', 'org'))}"
    return host + rng.choice(("", f"/{noun(rng, split)}"))


def _phrase(rng: Random, split: Split) -> str:
    words = [rng.choice((noun, noun, adjective, verb, made_up))(rng, split) for _ in range(rng.randrange(1, 6))]
    if split == "train" and len(words) > 2:
        inner = range(1, len(words) - 1)
        words = [rng.choice(_SMALL) if i in inner and rng.random() < 0.3 else word for i, word in enumerate(words)]
    return " ".join(words)


LOOKS: dict[str, Callable[[Random, Split], Any]] = {
    "city": lambda rng, split: proper(rng, split, CITIES),
    "person": _person,
    "thing": noun,
    "day": lambda rng, _: rng.choice(DAYS),
    "language": lambda rng, _: rng.choice(LANGUAGES),
    "date": _date,
    "time": _time,
    "count": lambda rng, _: rng.randrange(1, 200),
    "money": _money,
    "email": _email,
    "path": _path,
    "url": _url,
    "symbol": lambda rng, split: made_up(rng, split)[: rng.randrange(3, 6)].upper(),
    "phrase": _phrase,
}
"""Values by what they look like."""


def text_value(rng: Random, split: Split) -> str:
    """A value that is text, of one of the shapes that people use."""
    if rng.random() < 0.05:
        return foreign(rng, split)
    looks = rng.choice(
        (
            "person",
            "person",
            "person",
            "city",
            "city",
            "made",
            "made",
            "made",
            "words",
            "words",
            "code",
            "date",
            "time",
            "email",
            "path",
            "symbol",
        )
    )
    if looks == "made":
        return made_up(rng, split)
    if looks == "words":
        return " ".join(rng.choice((noun, adjective, made_up))(rng, split) for _ in range(rng.choice((2, 2, 3))))
    if looks == "code":
        letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.choice((1, 2, 3))))
        return f"{letters}{rng.choice(('-', '', ''))}{digits(rng, 4)}"
    return str(LOOKS[looks](rng, split))
