"""Recorded exchanges as bytes, and an answer of ours in the terms of the recordings' `expected`."""

import json
import random
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.dialect import Dialect
from graphrt.backends.dialects.openai_chat import ChatDialect
from graphrt.backends.dialects.profiles import Profile, profile_named
from graphrt.backends.errors import BackendError
from graphrt.backends.events import Answer, Failed, Fold, StreamEvent, Usage
from graphrt.backends.messages import Message, Reasoning, Refusal

TRAFFIC = Path(__file__).resolve().parents[3] / "shared" / "data" / "traffic"


def exchanges(api: str) -> list[Path]:
    """Every recorded or constructed exchange of one API."""
    return sorted(path for path in TRAFFIC.glob("*/*.json") if f"{api}." in path.name)


def wire(response: dict[str, Any]) -> bytes:
    """The body as it came over the wire."""
    if response.get("body_text") is not None:
        return str(response["body_text"]).encode()
    return json.dumps(response["body"], ensure_ascii=False).encode()


def read(
    chunks: Iterable[bytes], profile: Profile | str = "openai", *, dialect: Dialect | None = None
) -> list[StreamEvent]:
    """All events of an answer, with call ids that count: of the chat dialect unless another one is given."""
    numbers = iter(range(10_000))
    spoken = dialect or ChatDialect(profile_named(profile) if isinstance(profile, str) else profile)
    answer = Answering(spoken.provider, "m", call_id=lambda: f"made-{next(numbers)}")
    reader = spoken.read(answer)
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


def succeeded(path: Path) -> bool:
    return int(json.loads(path.read_text("utf-8"))["response"]["status"]) < 400


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def cuts(body: bytes, seed: str) -> list[list[bytes]]:
    """The same bytes as they may arrive: whole, one by one where there are not too many, and cut at random."""
    ways = [[body]]
    if len(body) < 60_000:
        ways.append([body[i : i + 1] for i in range(len(body))])
    dice = random.Random(seed)
    places = [0, *sorted(dice.randrange(len(body) + 1) for _ in range(20)), len(body)]
    return [*ways, [body[a:b] for a, b in pairwise(places)]]


def same_calls(message: Message, expected: list[dict[str, Any]]) -> None:
    assert [call.name for call in message.tool_calls] == [call["name"] for call in expected]
    for ours, theirs in zip(message.tool_calls, expected, strict=True):
        assert theirs["id"] is None or ours.call_id == theirs["id"] or ours.synthetic_id
        assert ours.synthetic_id == (theirs["id"] is None) or not ours.complete
        if theirs["arguments_raw"] is not None:
            assert ours.arguments == theirs["arguments_raw"]
        else:
            assert json.loads(ours.arguments or "{}") == theirs["arguments"]


def same_error(error: BackendError, expected: dict[str, Any]) -> None:
    assert error.provider_message == expected["message"]
    assert error.code == (None if expected["code"] is None else str(expected["code"]))


def same_usage(usage: Usage | None, expected: dict[str, Any]) -> None:
    if expected["usage"] is None:
        assert usage is None or usage.raw is None
        return
    assert usage is not None
    for field in ("input", "output", "cache_read", "cache_write", "reasoning"):
        assert getattr(usage, field) == expected["usage"][field], field
    assert usage.raw == expected["usage_raw"]


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
