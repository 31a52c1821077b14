"""Every recorded answer of Bedrock's Converse API means what its recording says, however its bytes are cut."""

import base64
import json
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.anthropic_stream import AnthropicStream
from graphrt.backends.dialects.bedrock import BedrockDialect
from graphrt.backends.dialects.bedrock_stream import EXCEPTIONS
from graphrt.backends.errors import (
    BadRequest,
    ConnectionFailed,
    ContextLengthExceeded,
    InvalidOutput,
    NotFound,
    Overloaded,
    RateLimited,
    ServerError,
    StreamTruncated,
)
from graphrt.backends.events import Answer, StreamEvent, fold
from graphrt.backends.messages import Media, Message, Reasoning, ServerTool, Text
from graphrt.backends.wire.classify import classify
from graphrt.backends.wire.eventstream import Frame, FrameReader, Parser
from tests.backends import replay
from tests.backends.replay import cuts, exchanges, name, outcome, reasoning, refusal, same_calls, same_usage, succeeded

EXCHANGES = exchanges("converse")
ANSWERS = [path for path in EXCHANGES if succeeded(path)]
REFUSALS = [path for path in [*EXCHANGES, *exchanges("invoke_anthropic")] if not succeeded(path)]
STREAMS = [path for path in ANSWERS if ".stream" in path.name]
INVOKED = [path for path in exchanges("invoke_anthropic") if succeeded(path) and ".stream" in path.name]


def wire(response: dict[str, Any]) -> bytes:
    return base64.b64decode(response["body_b64"]) if response.get("body_b64") else replay.wire(response)


def read(chunks: list[bytes]) -> list[StreamEvent]:
    return replay.read(chunks, dialect=BedrockDialect())


def signatures(message: Message) -> int:
    return sum(isinstance(part, Reasoning) and part.opaque is not None for part in message.parts)


def begun(body: bytes) -> list[dict[str, Any]]:
    """The blocks of a body, or what a stream says at the beginning of its blocks."""
    if body[:1] == b"{":
        return list(json.loads(body)["output"]["message"]["content"])
    starts = [each for each in frames(body) if each.header(":event-type") == "contentBlockStart"]
    return [json.loads(each.payload)["start"] for each in starts]


def meant(expected: dict[str, Any], body: bytes) -> dict[str, Any]:
    """What the recording says, with the one thing it cannot say: that a call of type `server_tool_use` was the
    provider's own. It says that `tool_calls` are the client's only, but counts every call among them."""
    if b"server_tool_use" not in body:
        return expected
    blocks = begun(body)
    own = {block["toolUse"]["name"] for block in blocks if block.get("toolUse", {}).get("type") == "server_tool_use"}
    calls = [call for call in expected["tool_calls"] if call["name"] not in own]
    return {
        **expected,
        "tool_calls": calls,
        "server_tools": [
            kind
            for block in blocks
            for kind, value in block.items()
            if kind == "toolResult" or (kind == "toolUse" and value["name"] in own)
        ],
        "finish": "stop" if expected["finish_raw"] == "end_turn" and not calls else expected["finish"],
    }


def check(expected: dict[str, Any], events: list[StreamEvent]) -> None:
    answer, message, error = outcome(events)
    assert message.text == expected["text"]
    assert reasoning(message) == expected["reasoning"]
    assert refusal(message) == expected["refusal"]
    same_calls(message, expected["tool_calls"])
    assert [part.name for part in message.parts if isinstance(part, ServerTool)] == expected["server_tools"]
    same_usage(answer.usage if answer else error.usage if error else None, expected)
    if expected["finish"] == "error":
        assert error is not None
        assert error.provider_message == expected["error"]["message"]
        # AWS has no codes, but the types of its errors are as good
        assert error.code == expected["error"]["type"]
    elif expected["finish"] == "none":
        assert isinstance(error, StreamTruncated)
        assert not any(call.complete for call in message.tool_calls)
    else:
        assert answer is not None
        assert answer.finish == expected["finish"]
        assert answer.raw_finish == expected["finish_raw"]
        assert answer.model == expected["model"]
        assert signatures(message) == expected["signatures"]


def test_there_are_recordings() -> None:
    assert all((ANSWERS, STREAMS, REFUSALS, INVOKED))


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_is_understood_under_every_chunking(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"])
    for chunks in cuts(body, path.name):
        check(meant(exchange["expected"], body), read(chunks))


def frame(payload: bytes, **headers: str) -> bytes:
    """A frame as AWS would write it; `event_type` is the header `:event-type`."""
    head = b""
    for key, value in headers.items():
        named, text = f":{key.replace('_', '-')}".encode(), value.encode()
        head += bytes([len(named)]) + named + b"\x07" + struct.pack(">H", len(text)) + text
    start = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    body = start + struct.pack(">I", zlib.crc32(start)) + head + payload
    return body + struct.pack(">I", zlib.crc32(body))


def event(kind: str, **said: Any) -> bytes:
    return frame(json.dumps(said).encode(), message_type="event", event_type=kind, content_type="application/json")


def exception(kind: str, message: str) -> bytes:
    return frame(json.dumps({"message": message}).encode(), message_type="exception", exception_type=kind)


def block_frames(index: int, *deltas: dict[str, Any], start: dict[str, Any] | None = None) -> bytes:
    first = [event("contentBlockStart", contentBlockIndex=index, start=start)] if start else []
    more = [event("contentBlockDelta", contentBlockIndex=index, delta=delta) for delta in deltas]
    return b"".join([*first, *more, event("contentBlockStop", contentBlockIndex=index)])


def answer_frames(*blocks: bytes, stop: str = "end_turn") -> bytes:
    return b"".join([event("messageStart", role="assistant"), *blocks, event("messageStop", stopReason=stop)])


def answered(body: bytes) -> Answer:
    return fold(read([body]))


USAGE = event("metadata", usage={"inputTokens": 3, "outputTokens": 4, "totalTokens": 7})


def frames(body: bytes) -> list[Frame]:
    return [item for item in Parser().feed(body) if isinstance(item, Frame)]


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_means_the_same_in_other_clothes(path: Path) -> None:
    # other headers, in another order; other padding; events nobody knows; the text in other escapes
    exchange = json.loads(path.read_text("utf-8"))
    other = [frame(b"{}", message_type="event", event_type="initial-response")]
    for each in frames(wire(exchange["response"])):
        said = json.loads(each.payload)
        payload = json.dumps({"p": "", "new": [1], **said}, ensure_ascii=True, indent=1).encode()
        headers = {key[1:].replace("-", "_"): str(value) for key, value in reversed(list(each.headers.items()))}
        other += [frame(payload, **headers, date="today"), event("somethingNew", contentBlockIndex=0, text="no")]
    check(meant(exchange["expected"], wire(exchange["response"])), read([b"".join(other)]))


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_cut_anywhere_is_whole_or_truncated_and_never_in_between(path: Path) -> None:
    # M3: before the stop reason an error with a beginning of the answer, after it the answer
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"])
    expected = meant(exchange["expected"], body)
    dice = random.Random(path.name)
    for cut in sorted(dice.randrange(len(body)) for _ in range(25)):
        answer, said, error = outcome(read([body[:cut]]))
        assert expected["text"].startswith(said.text)
        if answer is not None:
            assert said.text == expected["text"]
            assert [call.name for call in answer.tool_calls] == [call["name"] for call in expected["tool_calls"]]
            assert answer.usage.raw is None
        else:
            assert isinstance(error, StreamTruncated) or expected["finish"] == "error"
            assert not any(call.complete for call in said.tool_calls)


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_flipped_bit_anywhere_in_a_recorded_stream_is_never_a_success(path: Path) -> None:
    body = bytearray(wire(json.loads(path.read_text("utf-8"))["response"]))
    dice = random.Random(path.name)
    for _ in range(20):
        place = dice.randrange(len(body))
        body[place] ^= 1 << dice.randrange(8)
        answer, _, error = outcome(read([bytes(body)]))
        assert answer is None
        assert error is not None
        body = bytearray(wire(json.loads(path.read_text("utf-8"))["response"]))


@pytest.mark.parametrize("path", REFUSALS, ids=name)
def test_a_recorded_refusal_keeps_the_providers_words(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    response, expected = exchange["response"], exchange["expected"]["error"]
    headers = {key: str(value) for key, value in response["headers"].items()}
    error = classify(response["status"], headers, wire(response), provider="bedrock")
    assert error.provider_message == expected["message"]
    assert error.code == expected["type"]
    assert error.status == expected["status"]
    if "Input Tokens Exceeded" in expected["message"]:
        assert isinstance(error, ContextLengthExceeded)


@pytest.mark.parametrize("path", INVOKED, ids=name)
def test_another_format_inside_the_frames_is_read_as_it_is_outside_of_them(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    for chunks in cuts(wire(exchange["response"]), path.name):
        stream = AnthropicStream(Answering("bedrock", "m"))
        reader = FrameReader(stream, provider="bedrock", statuses=EXCEPTIONS, wrapped=True)
        events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()
        check(exchange["expected"], events)


# what no recording holds


def test_the_answer_is_over_with_its_usage_and_waits_for_no_end_of_the_connection() -> None:
    reader = BedrockDialect().read(Answering("bedrock", "m"))
    reader.feed(answer_frames(block_frames(0, {"text": "hi"})))
    assert not reader.closed
    reader.feed(USAGE)
    assert reader.closed
    assert reader.feed(event("contentBlockDelta", contentBlockIndex=0, delta={"text": "more"})) == []
    assert reader.end() == []


def test_a_connection_lost_after_the_stop_reason_loses_only_the_usage() -> None:
    reader = BedrockDialect().read(Answering("bedrock", "m"))
    events = reader.feed(answer_frames(block_frames(0, {"text": "hi"}))) + reader.broken(ConnectionFailed("reset"))
    answer = fold(events)
    assert answer.text == "hi"
    assert answer.usage.input is None


def test_what_the_cache_read_and_wrote_is_part_of_the_input() -> None:
    # M4
    counts = {"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 100}
    usage = answered(answer_frames(block_frames(0, {"text": "hi"})) + event("metadata", usage=counts)).usage
    assert (usage.input, usage.output, usage.cache_read, usage.cache_write) == (111, 2, 10, 100)
    older = {"inputTokens": 1, "cacheReadInputTokenCount": 10}
    assert answered(answer_frames() + event("metadata", usage=older)).usage.input == 11


@pytest.mark.parametrize(
    ("kind", "expected", "retryable"),
    [
        ("throttlingException", RateLimited, True),
        ("serviceUnavailableException", Overloaded, True),
        ("internalServerException", ServerError, True),
        ("modelStreamErrorException", ServerError, True),
        ("validationException", BadRequest, False),
        ("resourceNotFoundException", NotFound, False),
        ("somethingNewException", ServerError, True),
    ],
)
def test_an_exception_in_the_stream_is_the_error_it_is_outside(kind: str, expected: type, retryable: bool) -> None:
    # M5
    _, said, error = outcome(read([event("messageStart", role="assistant"), exception(kind, "so it is")]))
    assert type(error) is expected
    assert error is not None
    assert (error.retryable, error.provider_message, error.code) == (retryable, "so it is", kind)
    assert said.parts == ()


def test_an_exception_after_the_stop_reason_is_an_error_all_the_same() -> None:
    body = answer_frames(block_frames(0, {"text": "hi"})) + exception("internalServerException", "oh")
    answer, said, error = outcome(read([body]))
    assert answer is None
    assert isinstance(error, ServerError)
    assert said.text == "hi"


def test_a_prompt_too_long_is_known_inside_the_stream_too() -> None:
    body = exception("validationException", "Input is too long for requested model.")
    assert isinstance(outcome(read([body]))[2], ContextLengthExceeded)


def test_a_frame_of_the_type_error_says_it_in_its_headers() -> None:
    body = frame(b"", message_type="error", error_code="InternalError", error_message="it broke")
    error = outcome(read([body]))[2]
    assert isinstance(error, ServerError)
    assert (error.provider_message, error.code) == ("it broke", "InternalError")


def test_secrets_are_taken_out_of_what_an_exception_says() -> None:
    # M9
    reader = BedrockDialect().read(Answering("bedrock", "m"), secrets=("k-123",))
    error = outcome(reader.feed(exception("accessDeniedException", "no entry for k-123")))[2]
    assert error is not None
    assert "k-123" not in str(error)


def test_a_call_cut_by_the_token_limit_is_never_complete() -> None:
    # M3: Bedrock ends the block of a call all the same
    use = {"toolUse": {"toolUseId": "a", "name": "add"}}
    body = answer_frames(block_frames(0, {"toolUse": {"input": '{"a": 1'}}, start=use), stop="max_tokens")
    answer = answered(body + USAGE)
    assert answer.finish == "length"
    assert [call.complete for call in answer.tool_calls] == [False]


def test_pieces_of_parallel_calls_are_told_apart_by_their_index() -> None:
    parts = [
        event("contentBlockStart", contentBlockIndex=i, start={"toolUse": {"toolUseId": f"c{i}", "name": "add"}})
        for i in (0, 1)
    ]
    parts += [
        event("contentBlockDelta", contentBlockIndex=i, delta={"toolUse": {"input": str(i)}}) for i in (1, 0, 1, 0)
    ]
    answer = answered(answer_frames(*parts, stop="tool_use") + USAGE)
    assert [(call.call_id, call.arguments) for call in answer.tool_calls] == [("c0", "00"), ("c1", "11")]


@pytest.mark.parametrize("reason", ["malformed_tool_use", "malformed_model_output"])
def test_a_stop_reason_that_says_that_the_model_failed_is_an_error(reason: str) -> None:
    error = outcome(read([answer_frames(block_frames(0, {"text": "hm"}), stop=reason) + USAGE]))[2]
    assert isinstance(error, InvalidOutput)
    assert error.code == reason
    assert error.usage is not None


def test_a_stop_reason_nobody_knows_is_kept() -> None:
    answer = answered(answer_frames(block_frames(0, {"text": "hm"}), stop="bored") + USAGE)
    assert (answer.finish, answer.raw_finish) == ("other", "bored")


def test_thoughts_keep_their_seals() -> None:
    # M2
    thought = [{"reasoningContent": {"text": "h"}}, {"reasoningContent": {"text": "m"}}]
    sealed = [{"reasoningContent": {"signature": "s1"}}, {"reasoningContent": {"signature": "s2"}}]
    hidden = [{"reasoningContent": {"redactedContent": base64.b64encode(piece).decode()}} for piece in (b"a", b"bc")]
    parts = answered(answer_frames(block_frames(0, *thought, *sealed), block_frames(1, *hidden)) + USAGE).message.parts
    assert [(part.kind, part.text) for part in parts if isinstance(part, Reasoning)] == [
        ("reasoning", "hm"),
        ("reasoning", ""),
    ]
    payloads = [part.opaque.payload for part in parts if part.opaque]
    assert payloads == [{"signature": "s1s2"}, {"redacted": base64.b64encode(b"abc").decode()}]


def test_a_seal_that_is_no_base64_is_kept_all_the_same() -> None:
    hidden = [{"reasoningContent": {"redactedContent": piece}} for piece in ("é", "=x")]
    (part,) = answered(answer_frames(block_frames(0, *hidden)) + USAGE).message.parts
    assert isinstance(part, Reasoning)
    assert part.opaque is not None
    assert part.opaque.payload == {"redacted": "é=x"}


def test_a_wrapped_frame_that_holds_no_event_is_passed_over() -> None:
    reader = FrameReader(
        AnthropicStream(Answering("bedrock", "m")), provider="bedrock", statuses=EXCEPTIONS, wrapped=True
    )
    for held in ({}, {"bytes": 1}, {"bytes": "é"}, {"bytes": "x"}):
        assert reader.feed(event("chunk", **held)) == []


def test_citations_stay_with_their_text() -> None:
    cited = {"citation": {"title": "facts", "location": {"documentPage": {"start": 1}}}}
    (part,) = answered(answer_frames(block_frames(0, {"text": "so"}, cited, {"text": " it is"})) + USAGE).message.parts
    assert isinstance(part, Text)
    assert part.text == "so it is"
    assert part.opaque is not None
    assert part.opaque.payload == {"citations": [cited["citation"]]}


def test_citations_of_a_whole_answer_keep_the_pieces_of_their_text() -> None:
    cited = {"content": [{"text": "so "}, {"text": "it is"}], "citations": [{"title": "facts"}]}
    whole = {"output": {"message": {"content": [{"citationsContent": cited}]}}, "stopReason": "end_turn"}
    (part,) = answered(json.dumps(whole).encode()).message.parts
    assert isinstance(part, Text)
    assert part.text == "so it is"
    assert part.opaque is not None
    assert part.opaque.payload == cited


def test_what_the_provider_ran_itself_is_nobody_elses_call() -> None:
    use = {"toolUse": {"toolUseId": "s1", "name": "nova_grounding", "type": "server_tool_use"}}
    result = {"toolResult": {"toolUseId": "s1", "type": "nova_grounding_result", "status": "success"}}
    body = answer_frames(
        block_frames(0, {"toolUse": {"input": '{"query"'}}, {"toolUse": {"input": ': "x"}'}}, start=use),
        block_frames(1, {"toolResult": [{"text": "a"}]}, {"toolResult": [{"text": "b"}]}, start=result),
        block_frames(2, {"text": "found"}),
    )
    answer = answered(body + USAGE)
    assert answer.finish == "stop"
    assert answer.tool_calls == ()
    payloads = [part.opaque.payload for part in answer.message.parts if part.opaque]
    assert payloads == [
        {"toolUse": {**use["toolUse"], "input": {"query": "x"}}},
        {"toolResult": {**result["toolResult"], "content": [{"text": "a"}, {"text": "b"}]}},
    ]


def test_an_image_is_media_and_a_block_nobody_knows_is_kept_whole() -> None:
    # M2
    data = base64.b64encode(b"png").decode()
    body = answer_frames(
        block_frames(0, {"image": {"source": {"bytes": data}}}, start={"image": {"format": "png"}}),
        block_frames(1, {"dream": {"words": "a"}}, {"dream": {"words": "b"}}, start={"dream": {"kind": "day"}}),
        block_frames(2, {"wish": 3}),
    )
    parts = answered(body + USAGE).message.parts
    assert isinstance(parts[0], Media)
    assert (parts[0].media_type, parts[0].data) == ("image/png", data)
    assert [part.opaque.payload for part in parts if part.opaque] == [
        {"dream": {"kind": "day", "words": "ab"}},
        {"wish": 3},
    ]


def test_json_that_came_instead_of_a_stream_is_read_as_what_it_is() -> None:
    whole = {"output": {"message": {"content": [{"text": "hi"}]}}, "stopReason": "end_turn"}
    assert answered(json.dumps(whole).encode()).text == "hi"
    del whole["stopReason"]
    assert isinstance(outcome(read([json.dumps(whole).encode()]))[2], StreamTruncated)
    error = outcome(read([b'{"message": "not today"}']))[2]
    assert isinstance(error, ServerError)
    assert error.provider_message == "not today"
    assert "Sign in" in str(outcome(read([b"<html><title>Sign in</title></html>"]))[2])


NONSENSE: list[Any] = [None, 1, "x", [], {}, [1], {"x": 1}, True, 1e400, {"type": []}]


@pytest.mark.parametrize("kind", ["messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata"])
def test_no_shape_of_an_event_raises(kind: str) -> None:
    names = ("text", "toolUse", "toolResult", "reasoningContent", "citation", "image")
    shapes = [*NONSENSE, *({name: value} for name in names for value in NONSENSE)]
    indices: list[Any] = [0, None, "a", []]
    body = b"".join(
        event(kind, contentBlockIndex=index, start=shape, delta=shape, stopReason=shape, usage=shape)
        for shape in shapes
        for index in indices
    )
    outcome(read([body + answer_frames(block_frames(0, {"text": "x"})) + USAGE]))
    outcome(read([frame(b"\xff", message_type="event", event_type=kind), frame(b"[]", event_type=kind)]))


def test_no_shape_of_a_body_raises() -> None:
    names = ("text", "toolUse", "toolResult", "reasoningContent", "citationsContent", "image")
    blocks = [*NONSENSE, *({name: value} for name in names for value in NONSENSE)]
    for shape in NONSENSE:
        outcome(read([json.dumps(shape).encode()]))
        outcome(read([json.dumps({"output": shape, "usage": shape, "stopReason": shape}).encode()]))
        outcome(read([json.dumps({"output": {"message": shape}}).encode()]))
    outcome(read([json.dumps({"output": {"message": {"content": blocks}}, "stopReason": "end_turn"}).encode()]))
