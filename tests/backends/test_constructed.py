"""Every constructed fault, served on a real socket to its own dialect, is what its file says it is (M5, M3)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.errors import BackendError
from graphrt.backends.events import Answer, Fold
from graphrt.backends.messages import Request, conversation
from tests.backends.provider import open_at, provide
from tests.backends.recordings import body_of, reply_of
from tests.backends.replay import TRAFFIC, same_calls, same_usage

pytestmark = pytest.mark.anyio

FILES = sorted((TRAFFIC / "_constructed").glob("*.json"))
ASK = Request(messages=conversation("hello"))

CATEGORIES = {
    "rate_limit": "rate_limit",
    "billing_quota": "quota",
    "server_error": "server",
    "overloaded": "overloaded",
    "invalid_request": "bad_request",
    "permission": "auth",
    "content_filter": "content_filter",
    "stream_truncated": "truncated",
    "context_length": "context_length",
    "invalid_tool_call": "invalid_output",
}
"""Their words for what went wrong, and ours."""

DIFFERENT: Mapping[str, Mapping[str, Any]] = {
    # the note of the file allows the hint, and nobody gains from asking before the allowance is back
    "openai.chat_completions.429_rate_limit_reset_header_only": {"delay_s": 90.951},
    # the pause is in the words
    "openai.responses.stream_error_event": {"delay_s": 1.2},
    # 503 is the status for want of capacity, whoever says it; and a page is told by its title
    "openai.responses.503_html_body": {"category": "overloaded", "message": "503 Service Temporarily Unavailable"},
    # an error has words
    "openai.responses.502_empty_body": {"message": "HTTP 502 with an empty body"},
    # the provider's code is kept; what counts is that no retry can help
    "groq.chat_completions.413_request_too_large_tpm": {"category": "rate_limit"},
    # neither an error nor an answer came: the answer is missing, which may be tried again all the same
    "openrouter.chat_completions.200_null_choices": {"category": "truncated"},
    # an answer, which its own finish tells to be a refusal or filtered: who asked decides, and `llm` makes it an error
    "anthropic.messages.refusal": {"category": None},
    "google.generate_content.prompt_blocked": {"category": None},
    # AWS has no codes, but the types of its errors are as good
    "bedrock.converse.429_throttling": {"code": "ThrottlingException"},
    "bedrock.converse.stream_exception_frame": {"code": "modelStreamErrorException"},
}
"""What we say otherwise than the file, by the field that differs, each with its reason."""

LEADING = {"deepseek.chat_completions.full_leading_blank_lines": b"\n\n\n"}
"""What the wire has before a body that a JSON file cannot show."""


def load(path: Path) -> dict[str, Any]:
    exchange: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return exchange


def outcome_of(said: Fold) -> Answer | BackendError:
    try:
        return said.answer()
    except BackendError as error:
        return error


def check_error(error: BackendError, wanted: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert error.category == wanted["category"]
    assert error.retryable == wanted["retryable"]
    assert error.retry_after == wanted["delay_s"]
    assert (error.partial is not None) == wanted["partial_output"]
    assert (error.partial.text if error.partial else "") == expected["text"]
    assert not any(call.complete for call in (error.partial.tool_calls if error.partial else ()))
    if expected["error"] is not None:
        assert error.provider_message == wanted.get("message", expected["error"]["message"])
        code = wanted.get("code", expected["error"]["code"])
        assert error.code == (None if code is None else str(code))
        assert expected["error"]["status"] in {None, error.status}
    same_usage(error.usage, dict(expected))


def check_answer(answer: Answer, expected: Mapping[str, Any]) -> None:
    assert (answer.text, answer.finish, answer.raw_finish) == (
        expected["text"],
        expected["finish"],
        expected["finish_raw"],
    )
    same_calls(answer.message, expected["tool_calls"])
    # a call that was cut is told to be none that anybody may execute (M3)
    assert [call.complete for call in answer.tool_calls] == [
        call["arguments_valid_json"] for call in expected["tool_calls"]
    ]
    same_usage(answer.usage, dict(expected))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_constructed_fault_is_what_its_file_says(path: Path) -> None:
    """M5: class, `retryable`, pause and words; M3: the partial answer."""
    exchange = load(path)
    expected = exchange["expected"]
    body = LEADING.get(path.stem, b"") + body_of(exchange["response"])
    said = Fold()
    with provide(reply_of(exchange["response"], body)) as provider:
        backend = open_at(exchange["api"], provider.base_url, provider=exchange["provider"])
        async for event in backend.stream(ASK):
            said.add(event)
        await backend.aclose()
    outcome = outcome_of(said)
    wanted = {**exchange["expected_behaviour"], **DIFFERENT.get(path.stem, {})}
    if isinstance(outcome, BackendError):
        check_error(outcome, {**wanted, "category": CATEGORIES.get(wanted["category"], wanted["category"])}, expected)
    else:
        assert wanted["category"] is None
        check_answer(outcome, expected)


@pytest.mark.usefixtures("shared_data")
def test_every_constructed_fault_is_here_and_every_difference_is_one() -> None:
    """A row of the differences that nobody has any more is none."""
    assert len(FILES) == 53
    assert {path.stem for path in FILES} >= DIFFERENT.keys() | LEADING.keys()
    for path in FILES:
        exchange = load(path)
        theirs = {**(exchange["expected"]["error"] or {}), **exchange["expected_behaviour"]}
        theirs["category"] = CATEGORIES.get(theirs["category"])
        for field, ours in DIFFERENT.get(path.stem, {}).items():
            assert theirs[field] != ours
