"""What is left of a key's allowance, read from every family of headers that was seen in the wild."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.wire.ratelimits import RateLimit, rate_limits

NOW = 1_742_028_000.0  # 2025-03-15T08:40:00Z
NO_LIMIT = {"retry-after", "x-ratelimit-tokens-query-cost", "ratelimitbysize-query-cost"}
NO_LIMIT |= {"x-ratelimit-abusepenalty-active"}


def seen(shared_data: Path) -> list[dict[str, Any]]:
    text = (shared_data / "provider-errors" / "ratelimit_headers.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_header_that_was_seen_says_something_in_each_of_its_forms(shared_data: Path) -> None:
    # M8: learns from rate-limit headers
    rows = seen(shared_data)
    assert len(rows) == 69
    for row in rows:
        for sample in row["samples"]:
            found = rate_limits({row["header"]: sample}, NOW)
            assert len(found) == (row["header"] not in NO_LIMIT), row


def test_every_number_that_was_seen_is_told_as_it_is(shared_data: Path) -> None:
    """Of each host, the first sample of each header at once: nothing is lost, and nothing is read twice."""
    hosts: dict[str, dict[str, str]] = {}
    for row in seen(shared_data):
        hosts.setdefault(row["host"], {})[row["header"]] = row["samples"][0]
    told = {host: rate_limits(headers, NOW) for host, headers in hosts.items()}
    assert told["api.anthropic.com"] == (
        RateLimit("input_tokens", 200_000, 126_000, 1108),
        RateLimit("output_tokens", 400_000, 400_000, 1110),
        RateLimit("requests", 4000, 3, 0),
        RateLimit("tokens", 10_000, 10_000, 0),
    )
    assert told["api.groq.com"] == (
        RateLimit("requests", 14_400, 14_397, 10.332999999),
        RateLimit("tokens", 30_000, 29_869, 0.13),
    )
    assert told["api.openai.com"] == (
        RateLimit("input_images", 50_000, 49_999, 0.001),
        RateLimit("requests", 10_000, 14_999, 0),
        RateLimit("tokens", 10_000, 149_998_385, 0),
    )
    assert told["api.mistral.ai"] == (
        RateLimit("tokens_by_size", 500_000, 307_190, 19),
        RateLimit("requests", 60, 48, window=10),
        RateLimit("tokens", 2_000_000, 1_999_147, window=60),
        RateLimit("tokens", 10_000_000_000, 199_999_999_403, window=2_592_000),
        RateLimit("tokens_by_size", 500_000, 307_190, window=60),
        RateLimit("tokens_by_size", 1_000_000_000, 997_278_920, window=2_592_000),
    )
    assert told["api.together.xyz"] == (RateLimit("requests", 2, 0, 1),)
    assert told["api.replicate.com"] == (RateLimit("requests", None, 2999, 1),)
    assert told["huggingface.co"] == (RateLimit("requests", 1000, 999, 295, 300),)
    assert told["test-resource.openai.azure.com"] == (
        RateLimit("requests", None, 118),
        RateLimit("tokens", None, 119_982),
    )
    assert told["traceloop-stg.openai.azure.com"] == (
        RateLimit("requests", 100, 117, 0.5, 60),  # 500 ms of a window of 60 s
        RateLimit("tokens", 100_000, 119_952, 7, 60),
    )


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"x-ratelimit-reset-requests": "1m13.588s"}, RateLimit("requests", reset=73.588)),
        ({"x-ratelimit-remaining-requests-day": "7"}, RateLimit("requests", remaining=7, window=86400)),
        ({"x-ratelimit-reset": "1742028012500"}, RateLimit("requests", reset=12.5)),
        ({"x-ratelimit-reset": "1742028012"}, RateLimit("requests", reset=12)),
        ({"x-ratelimit-limit-requests-hour": "99999999999999999999999"}, RateLimit("requests", 1e23, window=3600)),
        ({"x-trial-endpoint-call-remaining": "39"}, RateLimit("requests", remaining=39)),
        (
            {"anthropic-ratelimit-tokens-reset": "2025-03-15T08:41:00Z", "date": "Sat, 15 Mar 2025 08:40:50 GMT"},
            RateLimit("tokens", reset=10),
        ),
    ],
)
def test_a_form_that_is_rare_is_read_too(headers: dict[str, str], said: RateLimit) -> None:
    (found,) = rate_limits(headers, NOW)
    assert found == said


def test_a_server_that_says_nothing_limits_nothing() -> None:
    assert rate_limits({"content-type": "application/json", "x-ratelimit-remaining-requests": "soon"}, NOW) == ()


NAMES = ["x-ratelimit-reset-tokens", "ratelimit", "ratelimit-policy", "anthropic-ratelimit-tokens-reset", "date"]


@given(
    st.dictionaries(st.sampled_from(NAMES) | st.from_regex(r"x-ratelimit-[a-z0-9-]{0,20}", fullmatch=True), st.text())
)
def test_nothing_that_a_server_sends_breaks_the_reader(headers: dict[str, str]) -> None:
    for limit in rate_limits(headers, NOW):
        assert limit.reset is None or limit.reset >= 0
