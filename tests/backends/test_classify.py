"""What a refusal means, over recorded ones and the corners between them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.errors import (
    AuthFailed,
    BackendError,
    BadRequest,
    ContentFiltered,
    ContextLengthExceeded,
    InvalidOutput,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    TimedOut,
)
from graphrt.backends.wire.classify import classify, classify_error, retry_after
from graphrt.backends.wire.ratelimits import duration

CONSTRUCTED = {
    "anthropic.messages.400_credit_balance": (QuotaExceeded, False, None),
    "anthropic.messages.403_permission": (AuthFailed, False, None),
    "anthropic.messages.429_rate_limit": (RateLimited, True, 12.0),
    "anthropic.messages.529_overloaded": (Overloaded, True, None),
    "azure_openai.chat_completions.400_content_filter": (ContentFiltered, False, None),
    "bedrock.converse.429_throttling": (RateLimited, True, None),
    "deepseek.chat_completions.402_insufficient_balance": (QuotaExceeded, False, None),
    "google.generate_content.429_retry_info": (RateLimited, True, 34.4),
    "google.generate_content.503_unavailable": (Overloaded, True, None),
    "groq.chat_completions.413_request_too_large_tpm": (RateLimited, False, None),
    "groq.chat_completions.429_rate_limit": (RateLimited, True, 7.0),
    "mistral.chat_completions.422_validation": (BadRequest, False, None),
    "mistral.chat_completions.429_rate_limit": (RateLimited, True, None),
    "openai.chat_completions.429_insufficient_quota": (QuotaExceeded, False, None),
    "openai.chat_completions.429_rate_limit": (RateLimited, True, 3.89),
    "openai.chat_completions.429_rate_limit_reset_header_only": (RateLimited, True, 90.951),
    "openai.responses.502_empty_body": (ServerError, True, None),
    "openai.responses.503_html_body": (Overloaded, True, None),
    "openrouter.chat_completions.402_credits": (QuotaExceeded, False, None),
    "tgi.tgi_generate.429_overloaded": (Overloaded, True, None),
    "vllm.chat_completions.400_context_length": (ContextLengthExceeded, False, None),
}

RECORDED: dict[int, set[type[BackendError]]] = {
    400: {BadRequest, NotFound, InvalidOutput},
    401: {AuthFailed},
    404: {NotFound},
    409: {BadRequest},
    429: {RateLimited},
}


def refuse(status: int, body: Any = None, **headers: str) -> BackendError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    return classify(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, data, now=1_000_000_000.0
    )


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_a_known_refusal_has_its_category_and_its_pause(name: str, shared_data: Path) -> None:
    response = json.loads((shared_data / "traffic" / "_constructed" / f"{name}.json").read_text("utf-8"))["response"]
    body = json.dumps(response["body"]) if response.get("body") is not None else response.get("body_text") or ""
    error = classify(response["status"], response["headers"], body.encode())
    assert (type(error), error.retryable, error.retry_after) == CONSTRUCTED[name]


def test_recorded_refusals_have_the_category_of_their_status_or_a_better_one(shared_data: Path) -> None:
    text = (shared_data / "provider-errors" / "errors.jsonl").read_text("utf-8")
    rows = [json.loads(row) for row in text.split("\n") if row]
    for row in rows:
        error = classify(row["status"], row["headers"], json.dumps(row["body"]).encode(), provider=row["host"])
        body = row["body"]
        assert type(error) in RECORDED[row["status"]], (row["status"], body)
        code = body["error"].get("code") if isinstance(body.get("error"), dict) else None
        if code == "model_not_found":
            assert isinstance(error, NotFound)
        if code == "tool_use_failed":
            assert isinstance(error, InvalidOutput)
        assert error.provider_message in json.dumps(body, ensure_ascii=False).replace('\\"', '"').replace("\\n", "\n")
        assert error.status == row["status"]
    assert len(rows) > 50


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (307, NotFound, False),
        (400, BadRequest, False),
        (401, AuthFailed, False),
        (402, QuotaExceeded, False),
        (403, AuthFailed, False),
        (404, NotFound, False),
        (408, TimedOut, True),
        (409, BadRequest, True),
        (413, BadRequest, False),
        (422, BadRequest, False),
        (429, RateLimited, True),
        (500, ServerError, True),
        (502, ServerError, True),
        (503, Overloaded, True),
        (504, TimedOut, True),
        (529, Overloaded, True),
        (599, ServerError, True),
    ],
)
def test_a_bare_status_has_a_category(status: int, kind: type[BackendError], retryable: bool) -> None:
    error = refuse(status)
    assert (type(error), error.retryable) == (kind, retryable)
    assert str(status) in error.provider_message


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry_after_ms": "250"}, 0.25),
        ({"retry_after": "2"}, 2.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": "Sun, 09 Sep 2001 01:46:50 GMT"}, 10.0),
        ({"retry_after": "Sun, 09 Sep 2001 01:00:00 GMT"}, None),
        ({"retry_after": "0"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after_ms": "0", "retry_after": "1"}, 1.0),
        ({"retry_after_ms": "3890", "retry_after": "4"}, 3.89),
        ({"retry_after_ms": "200", "retry_after": "30"}, 30.0),
        ({"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "6m0s"}, 360.0),
        ({"x_ratelimit_remaining_tokens": "5", "x_ratelimit_reset_tokens": "6m0s"}, None),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1000000060000"}, 60.0),
        (
            {
                "anthropic_ratelimit_requests_remaining": "0",
                "anthropic_ratelimit_requests_reset": "2001-09-09T01:46:45Z",
                "date": "Sun, 09 Sep 2001 01:46:41 GMT",
            },
            4.0,
        ),
    ],
)
def test_a_pause_is_read_from_every_kind_of_header(headers: Any, expected: Any) -> None:
    assert refuse(429, {"error": {"message": "slow down"}}, **headers).retry_after == expected


def test_a_pause_may_be_in_the_body_or_in_its_words() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}
    assert refuse(429, {"error": {"message": "no", "details": [info]}}).retry_after == 34.4
    assert refuse(429, [{"error": {"message": "no", "details": [info]}}]).retry_after == 34.4
    assert refuse(429, {"error": {"message": "Please try again in 1m2.5s. Visit us."}}).retry_after == 62.5
    headers = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000000090000"}
    error = {"message": "Rate limit exceeded: free-models-per-min", "code": 429, "metadata": {"headers": headers}}
    assert refuse(429, {"error": error}).retry_after == 90.0  # OpenRouter: an instant in milliseconds
    odd: Any
    for odd in (None, [], {"headers": 3}, {"headers": {"x-ratelimit-remaining": None, "x-ratelimit-reset": []}}):
        assert refuse(429, {"error": {"message": "no", "metadata": odd}}).retry_after is None
    assert retry_after({}, None) is None


TOO_LARGE = "Request too large for m on tokens per minute (TPM): Limit 6000, Requested 9870, please reduce your message"


@pytest.mark.parametrize(
    ("status", "message", "code", "kind"),
    [
        (413, TOO_LARGE, "rate_limit_exceeded", RateLimited),
        (429, TOO_LARGE.replace("minute", "min"), "rate_limit_exceeded", RateLimited),
        (413, "This model's maximum context length is 4096 tokens.", None, ContextLengthExceeded),
        (413, "Request exceeds the maximum size", "request_too_large", BadRequest),
    ],
)
def test_a_request_that_is_too_large_is_told_apart_by_what_it_is_too_large_for(
    status: int, message: str, code: str | None, kind: type[BackendError]
) -> None:
    """M5: for a minute's tokens, which another key or model may have; for the context; for the server. It never fits,
    however long one waits."""
    error = refuse(status, {"error": {"message": message, "type": "tokens", "code": code}})
    assert (type(error), error.retryable) == (kind, False)


def test_a_rate_that_is_reached_for_now_is_waited_for() -> None:
    message = "Rate limit reached for m on tokens per minute (TPM): Limit 6000, Used 5034, Requested 1443. "
    error = refuse(429, {"error": {"message": message + "Please try again in 4.77s.", "code": "rate_limit_exceeded"}})
    assert (type(error), error.retryable, error.retry_after) == (RateLimited, True, 4.77)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("6m0s", 360.0),
        ("1m30.951s", 90.951),
        ("2h", 7200.0),
        ("59", 59.0),
        ("0s", 0.0),
        ("x", None),
        ("1s!", None),
    ],
)
def test_durations_are_read_as_go_writes_them(text: str, seconds: float | None) -> None:
    assert duration(text) == (pytest.approx(seconds) if seconds is not None else None)


def test_a_server_may_overrule_whether_to_retry() -> None:
    assert refuse(400, x_should_retry="true").retryable
    assert not refuse(500, x_should_retry="false").retryable


def test_a_string_that_is_too_long_is_not_the_context() -> None:
    body = {"error": {"code": "string_above_max_length", "message": "string too long, maximum context length"}}
    assert type(refuse(400, body)) is BadRequest


def test_a_quota_of_a_whole_day_is_a_quota() -> None:
    failure = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}
    assert isinstance(refuse(429, {"error": {"message": "quota", "details": [failure]}}), QuotaExceeded)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b"null", b"3", b'"no"', b"\xff\xfe", b"<", b'{"error": []}', b'{"error": {"message": {"a": [1]}}}'],
)
def test_no_body_is_too_strange(body: Any) -> None:
    error = refuse(500, body)
    assert isinstance(error, ServerError)
    assert error.provider_message


WORDS = st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["", "429", "rate_limited", "34s"])
KEYS = st.sampled_from(
    ["error", "code", "type", "status", "message", "detail", "details", "violations", "retryDelay", "innererror"]
)
JSON = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)


@given(body=JSON, status=st.integers(300, 599))
def test_no_shape_of_body_breaks_the_classifier(body: Any, status: int) -> None:
    for error in (classify_error(body), classify(status, {}, json.dumps(body).encode())):
        assert isinstance(error, BackendError)
        assert error.retry_after is None or error.retry_after > 0


def test_an_error_inside_an_answer_is_the_same_error() -> None:
    assert isinstance(classify_error({"error": {"message": "busy", "type": "overloaded_error"}}), Overloaded)
    assert isinstance(classify_error({"error": {"message": "x", "code": 429}}), RateLimited)
    assert isinstance(
        classify_error({"error": {"message": "x", "code": "context_length_exceeded"}}), ContextLengthExceeded
    )
    assert isinstance(classify_error({"error": "it broke"}), ServerError)
    assert isinstance(classify_error("it broke"), ServerError)


def test_a_secret_is_taken_out_of_all_that_is_kept() -> None:
    error = classify(401, {}, b'{"error": {"message": "bad key hunter2", "code": "hunter2"}}', secrets=["hunter2"])
    assert "hunter2" not in f"{error} {error!r} {error.body} {error.code} {error.provider_message}"


def test_the_suite_is_where_this_test_thinks(shared_data: Path) -> None:
    assert isinstance(shared_data, Path)
    assert (shared_data / "provider-errors" / "SOURCE").exists()
