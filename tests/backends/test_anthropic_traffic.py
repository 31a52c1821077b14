"""Every recorded answer of the Messages API means what its recording says, however its bytes are cut."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.anthropic import AnthropicDialect
from graphrt.backends.errors import BackendError, ConnectionFailed, Overloaded, ServerError, StreamTruncated
from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import Message, Reasoning, ServerTool, Text
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
    succeeded,
    wire,
)

# the streams of Bedrock come in frames of their own, which are tested with them
EXCHANGES = [
    path for path in exchanges("messages") + exchanges("invoke_anthropic") if "invoke_anthropic.stream" not in path.name
]
ANSWERS = [path for path in EXCHANGES if succeeded(path)]
REFUSALS = [path for path in EXCHANGES if not succeeded(path)]
DIALECT = AnthropicDialect()


def heard(*chunks: bytes) -> list[StreamEvent]:
    return read(chunks, dialect=DIALECT)


def server_tools(message: Message) -> list[str]:
    payloads = [part.opaque.payload for part in message.parts if isinstance(part, ServerTool) and part.opaque]
    return [payload["block"]["type"] for payload in payloads if "block" in payload]


def signatures(message: Message) -> int:
    payloads = [part.opaque.payload for part in message.parts if isinstance(part, Reasoning) and part.opaque]
    return sum(bool(payload.get("signature") or payload.get("data")) for payload in payloads)


def check(exchange: dict[str, Any], chunks: list[bytes]) -> None:
    expected = exchange["expected"]
    answer, message, error = outcome(heard(*chunks))
    assert message.text == expected["text"]
    assert reasoning(message) == expected["reasoning"]
    assert refusal(message) == expected["refusal"]
    assert server_tools(message) == expected["server_tools"]
    assert signatures(message) == expected["signatures"]
    same_calls(message, expected["tool_calls"])
    same_usage(answer.usage if answer else error.usage if error else None, expected)
    if expected["finish"] == "error":
        assert error is not None
        same_error(error, expected["error"])
    elif expected["finish"] == "none":
        assert isinstance(error, StreamTruncated)
    else:
        assert answer is not None
        assert (answer.finish, answer.raw_finish) == (expected["finish"], expected["finish_raw"])
        assert answer.model == expected["model"]


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_is_understood_under_every_chunking(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"])
    for chunks in cuts(body, path.name):
        check(exchange, chunks)


STREAMS = [path for path in ANSWERS if ".stream" in path.name]


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_means_the_same_in_other_clothes(path: Path) -> None:
    # other line ends, a byte order mark, keep-alives, no event names, and JSON broken over several data lines
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"]).replace(b"\r\n", b"\n")
    check(exchange, [body.replace(b"\n", b"\r\n")])
    check(exchange, [body.replace(b"\n", b"\r")])
    check(exchange, [b"\xef\xbb\xbf" + body.replace(b"\n\nevent:", b"\n\n: alive\n\nid: 1\nevent:")])
    check(exchange, [b"\n".join(line for line in body.split(b"\n") if not line.startswith(b"event:"))])
    check(exchange, [body.replace(b'data: {"', b'data: {\ndata: "')])
    check(exchange, [body.replace(b"event: content_block_stop", b'event: new\ndata: {"type": "new"}\n\nevent: x')])


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_cut_anywhere_is_whole_or_truncated_and_never_in_between(path: Path) -> None:
    # M3: before the stop reason an error with a beginning of the answer, after it the answer
    exchange = json.loads(path.read_text("utf-8"))
    body, expected = wire(exchange["response"]), exchange["expected"]
    dice = random.Random(path.name)
    for cut in sorted(dice.randrange(len(body)) for _ in range(15)):
        answer, message, error = outcome(heard(body[:cut]))
        assert expected["text"].startswith(message.text)
        assert expected["reasoning"].startswith(reasoning(message))
        if answer is not None:
            assert answer.message.text == expected["text"]
            assert [call.name for call in answer.tool_calls] == [call["name"] for call in expected["tool_calls"]]
        else:
            assert isinstance(error, StreamTruncated) or expected["finish"] == "error"
            assert not any(call.complete for call in message.tool_calls)


@pytest.mark.parametrize("path", REFUSALS, ids=name)
def test_a_recorded_refusal_keeps_the_providers_words(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    response, expected = exchange["response"], exchange["expected"]["error"]
    headers = {key: str(value) for key, value in response["headers"].items()}
    error = classify(response["status"], headers, wire(response), provider=exchange["provider"])
    same_error(error, expected)
    assert error.status == expected["status"]


# What no recording shows.


def event(kind: str, **facts: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **facts})}\n\n".encode()


def start(id_: str = "msg_1", **facts: Any) -> bytes:
    return event("message_start", message={"id": id_, "model": "claude", "content": [], **facts})


def block(index: int, fields: Any, *deltas: Any, ended: bool = True) -> bytes:
    begun = event("content_block_start", index=index, content_block=fields)
    said = b"".join(event("content_block_delta", index=index, delta=delta) for delta in deltas)
    return begun + said + (event("content_block_stop", index=index) if ended else b"")


def call(index: int, id_: str, *pieces: str) -> bytes:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, {"type": "tool_use", "id": id_, "name": "f", "input": {}}, *deltas)


def text(index: int, *words: str) -> bytes:
    return block(index, {"type": "text", "text": ""}, *[{"type": "text_delta", "text": word} for word in words])


def stop(reason: str, **facts: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": reason, **facts}) + event("message_stop")


def test_the_last_call_of_a_cut_answer_is_incomplete_even_before_its_first_letter() -> None:
    # M3: blank arguments mean none, but not where the token limit came first
    for reason in ("max_tokens", "refusal", "model_context_window_exceeded"):
        answer, _, _ = outcome(heard(start(), call(0, "a", '{"x": 1}'), call(1, "b", ""), stop(reason)))
        assert answer is not None
        assert [it.complete for it in answer.tool_calls] == [True, False]


def test_a_call_that_more_words_followed_was_not_cut() -> None:
    answer, _, _ = outcome(heard(start(), call(0, "a", '{"x": 1}'), text(1, "and"), stop("max_tokens")))
    assert answer is not None
    assert [it.complete for it in answer.tool_calls] == [True]


def test_a_connection_lost_after_the_stop_reason_loses_nothing() -> None:
    reader = DIALECT.read(Answering("anthropic", "m"))
    events = reader.feed(start() + text(0, "hi") + event("message_delta", delta={"stop_reason": "end_turn"}))
    answer, _, _ = outcome([*events, *reader.broken(ConnectionFailed("reset"))])
    assert answer is not None
    assert answer.text == "hi"


def test_the_end_of_a_message_without_a_stop_reason_is_no_success() -> None:
    _, message, error = outcome(heard(start(), text(0, "hi"), event("message_stop")))
    assert isinstance(error, StreamTruncated)
    assert message.text == "hi"


def test_blocks_may_come_whole_with_the_beginning_of_a_stream() -> None:
    # what the API does when it goes on with code that had called tools
    result = {"type": "code_execution_tool_result", "tool_use_id": "srv", "content": {}}
    wanted = {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}, "caller": {"type": "direct"}}
    answer, message, _ = outcome(heard(start(content=[result, wanted], stop_reason="tool_use"), event("message_stop")))
    assert answer is not None
    assert answer.finish == "tool_calls"
    assert server_tools(message) == ["code_execution_tool_result"]
    assert json.loads(answer.tool_calls[0].arguments) == {"x": 1}
    assert answer.tool_calls[0].opaque is not None
    assert answer.tool_calls[0].opaque.payload == {"caller": {"type": "direct"}}


def test_the_same_beginning_twice_is_one_answer_and_another_one_is_none() -> None:
    whole = text(0, "hi") + stop("end_turn")
    answer, _, _ = outcome(heard(start(), start(), whole))
    assert answer is not None
    assert answer.text == "hi"
    _, message, error = outcome(heard(start(), text(0, "hal"), start("msg_2"), whole))
    assert isinstance(error, StreamTruncated)
    assert message.text == "hal"


def test_indices_may_have_gaps_come_again_or_be_missing() -> None:
    answer, _, _ = outcome(heard(start(), text(1, "a"), text(4, "b"), text(4, "c"), stop("end_turn")))
    assert answer is not None
    assert answer.text == "abc"
    bare = (start() + text(0, "a") + text(0, "b") + stop("end_turn")).replace(b', "index": 0', b"")
    assert b"index" not in bare
    answer, _, _ = outcome(heard(bare))
    assert answer is not None
    assert answer.text == "ab"


def test_a_block_that_nobody_knows_is_kept_with_all_its_deltas() -> None:
    # M2
    made = block(0, {"type": "dream", "of": "a", "in": []}, {"type": "dream_delta", "of": "b", "in": [1], "new": 2})
    answer, message, _ = outcome(heard(start(), made, stop("end_turn")))
    assert answer is not None
    part = message.parts[0]
    assert isinstance(part, ServerTool)
    assert part.opaque is not None
    assert part.opaque.payload == {"block": {"type": "dream", "of": "ab", "in": [1], "new": 2}}


def test_citations_and_the_container_are_kept() -> None:
    cited = {"type": "char_location", "cited_text": "x"}
    deltas = [{"type": "text_delta", "text": "so"}, {"type": "citations_delta", "citation": cited}]
    said = block(0, {"type": "text", "text": "", "citations": []}, *deltas)
    _, message, _ = outcome(heard(start(), said, stop("end_turn", container={"id": "c1"})))
    words, container = message.parts
    assert isinstance(words, Text)
    assert words.opaque is not None
    assert words.opaque.payload == {"citations": [cited]}
    assert isinstance(container, ServerTool)
    assert container.opaque is not None
    assert container.opaque.payload == {"container": {"id": "c1"}}


def test_an_error_in_the_stream_is_the_error_it_would_be_outside() -> None:
    # M5
    refused = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    for bytes_ in (
        refused,
        refused.replace(b"event: error\n", b""),
        b'data: {"error": {"type": "overloaded_error"}}\n\n',
    ):
        _, message, error = outcome(heard(start(), text(0, "hi"), bytes_))
        assert isinstance(error, Overloaded)
        assert message.text == "hi"
    _, _, error = outcome(heard(b'{"type": "error", "error": {"type": "api_error", "message": "oh"}}'))
    assert isinstance(error, ServerError)
    _, _, error = outcome(heard(start(), b"event: error\ndata: gone\n\n"))
    assert error is not None
    assert error.provider_message == "gone"


def test_what_is_not_json_is_an_error_that_shows_no_secret() -> None:
    # M9
    reader = DIALECT.read(Answering("anthropic", "m"), secrets=("sk-1",))
    _, _, error = outcome(reader.feed(start() + b"data: key sk-1 rejected\n\n"))
    assert isinstance(error, ServerError)
    assert "sk-1" not in str(error)


ODD: list[Any] = [None, True, 0, -1.5, "", "x", [], [1], {}, {"type": 1}, {"text": 2}, {"a": {"b": []}}]
FIELDS = ("type", "message", "content_block", "delta", "index", "usage", "error", "content", "stop_reason", "input")
INNER = (*FIELDS, "id", "name", "text", "thinking", "signature", "partial_json", "citation", "container", "model")
TYPES = (
    *("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"),
    *("message_stop", "error", "text", "thinking", "tool_use", "server_tool_use", "redacted_thinking"),
    *("text_delta", "thinking_delta", "input_json_delta", "citations_delta", "signature_delta"),
)


def test_whatever_json_arrives_it_ends_in_one_terminal_event() -> None:
    dice = random.Random(7)

    def odd(depth: int) -> Any:
        if depth == 0 or dice.random() < 0.2:
            return dice.choice(ODD)
        names = dice.sample(INNER, 4)
        return {it: dice.choice(TYPES) if it == "type" else odd(depth - 1) for it in {*names, "type"}}

    def nearly(kind: str) -> Any:
        whole = {"message": {"id": "1", "content": []}, "content_block": odd(2), "delta": odd(2), "usage": odd(2)}
        return {"type": kind, "index": dice.choice([0, 1, None, "1"]), **whole}

    for _ in range(1500):
        events = [odd(3) if dice.random() < 0.3 else nearly(dice.choice(TYPES[:6])) for _ in range(dice.randrange(12))]
        events = [*events, {"type": "message_delta", "delta": {"stop_reason": "max_tokens", "container": odd(1)}}]
        wire_ = b"".join(f"data: {json.dumps(it)}\n\n".encode() for it in events)
        answer, _, error = outcome(heard(wire_))
        assert (answer is None) != (error is None)
        answer, _, error = outcome(heard(json.dumps(events[0] if isinstance(events[0], dict) else {}).encode()))
        assert (answer is None) != (error is None)
        assert error is None or isinstance(error, BackendError)
