"""Recorded exchanges as bytes, and an answer of ours in the terms of the recordings' `expected`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from graphrt.backends.errors import BackendError
from graphrt.backends.events import Answer, Failed, Fold, StreamEvent
from graphrt.backends.messages import Message, Reasoning, Refusal
from graphrt.backends.openai_answer import AnswerReader
from graphrt.backends.openai_stream import ChatStream
from graphrt.backends.profiles import Profile, profile_named

TRAFFIC = Path(__file__).resolve().parents[3] / "shared" / "data" / "traffic"


def exchanges(api: str) -> list[Path]:
    """Every recorded or constructed exchange of one API."""
    return sorted(path for path in TRAFFIC.glob("*/*.json") if f"{api}." in path.name)


def wire(response: dict[str, Any]) -> bytes:
    """The body as it came over the wire."""
    if response.get("body_text") is not None:
        return str(response["body_text"]).encode()
    return json.dumps(response["body"], ensure_ascii=False).encode()


def read(chunks: Iterable[bytes], profile: Profile | str = "openai") -> list[StreamEvent]:
    """All events of an answer, with call ids that count."""
    numbers = iter(range(10_000))
    named = profile_named(profile) if isinstance(profile, str) else profile
    chat = ChatStream(named, "m", call_id=lambda: f"made-{next(numbers)}")
    reader = AnswerReader(chat, provider=named.provider)
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return events + reader.end()


def outcome(events: Iterable[StreamEvent]) -> tuple[Answer | None, Message, BackendError | None]:
    """The answer or the error, and what was said either way. Breaks on a stream that breaks the grammar."""
    state = Fold()
    for event in events:
        state.add(event)
    match state.terminal:
        case Failed(error=error):
            return None, error.partial or Message(role="assistant", parts=()), error
        case _:
            answer = state.answer()
            return answer, answer.message, None


def reasoning(message: Message) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, Reasoning))


def refusal(message: Message) -> str | None:
    return "".join(part.text for part in message.parts if isinstance(part, Refusal)) or None


def signatures(message: Message) -> int:
    """How many sealed thoughts there are that only the provider can read."""
    details = [
        detail
        for part in message.parts
        if isinstance(part, Reasoning) and part.opaque
        for detail in part.opaque.payload.get("details", ())
    ]
    return sum(bool(detail.get("signature") or detail.get("type") == "reasoning.encrypted") for detail in details)
