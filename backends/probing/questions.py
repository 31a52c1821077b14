"""What an endpoint is asked to find out what it does, as data.

Each question adds one thing to a plain one, so that a refusal can only mean that thing. Nothing else is set: a limit of
tokens on all of them would be refused by servers that call it by another name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphrt.backends.base import Capabilities
from graphrt.backends.errors import BackendError
from graphrt.backends.events import Answer
from graphrt.backends.messages import (
    Media,
    Message,
    OutputSchema,
    Request,
    Settings,
    Text,
    ToolSpec,
    system,
    user,
)
from graphrt.backends.wire.ratelimits import RateLimit


@dataclass(frozen=True, slots=True)
class Question:
    """One request. `only` says of which models it is worth asking."""

    name: str
    request: Request
    only: Callable[[Capabilities], bool] = lambda can: True


@dataclass(frozen=True, slots=True)
class Told:
    """What came back for a question: an answer or an error, and how it came. Times are in seconds."""

    question: str
    answer: Answer | None = None
    error: BackendError | None = None
    deltas: int = 0
    """How many pieces it came in."""
    first: float | None = None
    """When the first of them came."""
    seconds: float = 0.0
    limits: tuple[RateLimit, ...] = ()
    unsent: Mapping[str, str] = field(default_factory=dict)
    """The settings that the backend warned about, and its words."""


# What the answers are recognised by.
TOOL = "get_weather"
CITY = "Lisbon"
PASSWORD = "PELICAN"  # noqa: S105 - a word that nobody says by chance
STOP = "5"
MOST = 16
"""Tokens. Some APIs take no lower limit."""
LAST = 200
COLOUR = "red"
"""What the square shows."""
CHOICES = ("amber-31", "cobalt-58")
"""What nobody says who was not held to the schema."""

_RED = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAJ0lEQVR42u3NsQkAAAjAsP7/tF7hIASyp6lTCQQCgUAgEAgEgi/BAjLD/C5w/SM9"
    "AAAAAElFTkSuQmCC"
)
"""A red square of 32 x 32: some servers refuse to look at less."""

_WEATHER = ToolSpec(
    name=TOOL,
    description="Tells the weather of a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
_MOOD = OutputSchema.model_validate(
    {
        "name": "mood",
        "schema": {
            "type": "object",
            "properties": {"mood_k7": {"type": "string", "enum": list(CHOICES)}, "sure_q2": {"type": "boolean"}},
            "required": ["mood_k7", "sure_q2"],
            "additionalProperties": False,
        },
    }
)
"""Nobody answers so who was not held to it."""


def _ask(*said: Message | str, **fields: Any) -> Request:
    messages = tuple(user(each) if isinstance(each, str) else each for each in said)
    return Request(messages=messages, **fields)


_RAINBOW = "Name the seven colours of the rainbow."
_ONE_CITY = f"What is the weather in {CITY}? Use the tool."
_TWO_CITIES = f"What is the weather in {CITY}, and what is it in Oslo? Call the tool for both at once."
_LOOK = Message(
    role="user",
    parts=(
        Text(text="Which colour is this square? Answer in one word."),
        Media(media_type="image/png", data=_RED),
    ),
)


def _random(seed: int) -> Request:
    settings = Settings(seed=seed, temperature=1.0)
    return _ask("Write twelve words that have nothing to do with each other.", settings=settings)


def _seeds(can: Capabilities) -> bool:
    return can.seed is not False


QUESTIONS: Sequence[Question] = (
    Question("plain", _ask(_RAINBOW)),
    Question(
        "system",
        _ask(system(f"Whatever you are asked, answer with the one word {PASSWORD} and nothing else."), _RAINBOW),
    ),
    Question("tool", _ask(_ONE_CITY, tools=(_WEATHER,))),
    Question("no tool", _ask(_ONE_CITY, tools=(_WEATHER,), tool_choice="none")),
    Question("forced tool", _ask("Say hello.", tools=(_WEATHER,), tool_choice=TOOL)),
    Question("two tools", _ask(_TWO_CITIES, tools=(_WEATHER,))),
    Question("schema", _ask("How are you? Answer in JSON.", output=_MOOD)),
    Question(
        "thought",
        _ask("Is 391 a prime number? Answer in one word.", settings=Settings(reasoning_effort="low")),
        only=lambda can: can.reasoning is not False,
    ),
    Question("seed", _random(7), only=_seeds),
    Question("seed again", _random(7), only=_seeds),
    Question("another seed", _random(8), only=_seeds),
    Question("stop", _ask("Count from 1 to 9 in digits, with a space between them.", settings=Settings(stop=(STOP,)))),
    Question("tokens", _ask(f"Count from 1 to {LAST} in digits.", settings=Settings(max_tokens=MOST))),
    Question("image", _ask(_LOOK), only=lambda can: can.images is True),
)
"""In the order in which they are asked. Without an answer to the first, nobody asks the others."""
