"""What providers say when they refuse, each in its own shapes and words: a line of `refusals.jsonl` each."""

import json
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.wire.classify import classify

REFUSALS: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("refusals.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("provider", sorted({refusal["provider"] for refusal in REFUSALS}))
def test_what_a_provider_refuses_with_is_understood(provider: str) -> None:
    """M5: quota, context, moderation and overload are told apart from rate limits and bad requests."""
    for refusal in REFUSALS:
        if refusal["provider"] == provider:
            body = refusal["body"] if isinstance(refusal["body"], str) else json.dumps(refusal["body"])
            error = classify(refusal["status"], refusal.get("headers", {}), body.encode(), provider=provider)
            assert error.category == refusal["category"], refusal
