"""Every recorded answer of the chat dialect means what its recording says, however its bytes are cut."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.errors import StreamTruncated
from graphrt.backends.wire.classify import classify
from tests.backends.replay import (
    cuts,
    exchanges,
    name,
    outcome,
    read,
    reasoning,
    refusal,
    same_calls,
    same_error,
    same_usage,
    signatures,
    succeeded,
    wire,
)

EXCHANGES = exchanges("chat_completions")


ANSWERS = [path for path in EXCHANGES if succeeded(path)]
REFUSALS = [path for path in EXCHANGES if not succeeded(path)]


def real_calls(expected: dict[str, Any]) -> list[dict[str, Any]]:
    # Snowflake sends an empty legacy call beside the real ones: a call of nothing is nobody's wish
    return [call for call in expected["tool_calls"] if call["name"] or call["arguments_raw"]]


def finish(expected: dict[str, Any]) -> str:
    # the recordings keep `stop` for a refusal; here it has a finish reason of its own, as with the other providers
    if expected["finish"] == "stop" and expected["refusal"] and not expected["text"]:
        return "refusal"
    if expected["finish"] == "none":
        return "tool_calls" if real_calls(expected) else "other"
    if expected["finish_raw"] == "stop":
        return "tool_calls" if real_calls(expected) else "stop"
    return str(expected["finish"])


def check(exchange: dict[str, Any], chunks: list[bytes]) -> None:
    expected = exchange["expected"]
    answer, message, error = outcome(read(chunks, exchange["provider"]))
    assert message.text == expected["text"]
    assert reasoning(message) == expected["reasoning"]
    assert refusal(message) == (expected["refusal"] or None)
    same_calls(message, real_calls(expected))
    usage = answer.usage if answer else error.usage if error else None
    same_usage(usage, expected)
    if expected["finish"] == "error":
        assert error is not None
        same_error(error, expected["error"])
    elif expected["finish"] == "none" and not (answer and exchange["provider"] == "tgi"):
        # no finish reason: whatever `[DONE]` says, the answer is not known to be whole (M3)
        assert isinstance(error, StreamTruncated)
        assert not any(call.complete for call in message.tool_calls)
    else:
        assert answer is not None
        assert answer.finish == finish(expected)
        assert answer.raw_finish == expected["finish_raw"]
        assert answer.model == (expected["model"] or None)
        assert signatures(message) == expected["signatures"]


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_is_understood_under_every_chunking(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"])
    for chunks in cuts(body, path.name):
        check(exchange, chunks)


STREAMS = [path for path in ANSWERS if ".stream" in path.name]


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_means_the_same_in_other_clothes(path: Path) -> None:
    # other line ends, a byte order mark, keep-alives, an event name, and JSON broken over several data lines
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"]).replace(b"\r\n", b"\n")
    check(exchange, [body.replace(b"\n", b"\r\n")])
    check(exchange, [body.replace(b"\n", b"\r")])
    check(exchange, [b"\xef\xbb\xbf" + body.replace(b"\n\ndata:", b"\n\n: alive\n\nid: 1\ndata:")])
    check(exchange, [body.replace(b'data: {"', b'event: message\ndata: {\ndata: "')])


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_cut_anywhere_is_whole_or_truncated_and_never_in_between(path: Path) -> None:
    # M3: before the finish reason an error with a beginning of the answer, after it the answer
    exchange = json.loads(path.read_text("utf-8"))
    body, text = wire(exchange["response"]), exchange["expected"]["text"]
    dice = random.Random(path.name)
    for cut in sorted(dice.randrange(len(body)) for _ in range(15)):
        answer, message, error = outcome(read([body[:cut]], exchange["provider"]))
        assert text.startswith(message.text)
        if answer is not None:
            assert answer.message.text == text
            assert [call.name for call in answer.tool_calls] == [c["name"] for c in real_calls(exchange["expected"])]
        else:
            assert error is not None
            assert isinstance(error, StreamTruncated) or exchange["expected"]["finish"] == "error"
            assert not any(call.complete for call in message.tool_calls)


@pytest.mark.parametrize("path", REFUSALS, ids=name)
def test_a_recorded_refusal_keeps_the_providers_words(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    response, expected = exchange["response"], exchange["expected"]["error"]
    headers = {key: str(value) for key, value in response["headers"].items()}
    error = classify(response["status"], headers, wire(response), provider=exchange["provider"])
    same_error(error, expected)
    assert error.status == expected["status"]
