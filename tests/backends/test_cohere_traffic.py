"""Every recorded answer of Cohere's, of both versions, means what its recording says, however its bytes are cut."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.cohere import CohereDialect
from graphrt.backends.dialects.cohere_v1 import read_v1
from graphrt.backends.errors import BackendError, ServerError, StreamTruncated, TimedOut
from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import Message, Reasoning, ServerTool
from graphrt.backends.wire.classify import classify
from tests.backends import replay
from tests.backends.replay import (
    cuts,
    exchanges,
    name,
    outcome,
    same_calls,
    same_error,
    same_usage,
    succeeded,
    wire,
)

EXCHANGES = [*exchanges("chat_v2"), *exchanges("chat_v1")]
ANSWERS = [path for path in EXCHANGES if succeeded(path)]
REFUSALS = [path for path in EXCHANGES if not succeeded(path)]
STREAMS = [path for path in ANSWERS if ".stream" in path.name]


def read(chunks: Iterable[bytes], api: str = "chat_v2") -> list[StreamEvent]:
    if api == "chat_v2":
        return replay.read(chunks, dialect=CohereDialect())
    reader = read_v1(Answering("cohere", "m"))
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()


def thoughts(message: Message, *, plan: bool) -> str:
    """What was thought, or what was planned: `expected` has a field of its own for plans."""
    parts = [part for part in message.parts if isinstance(part, Reasoning) and part.opaque]
    return "".join(part.text for part in parts if part.opaque and (part.opaque.payload["field"] == "tool_plan") == plan)


def usage(expected: dict[str, Any]) -> dict[str, Any]:
    # the recordings' `expected` leaves out how much was thought, which a few usages tell
    if expected["usage"] is None or "reasoning_tokens" not in (expected["usage_raw"].get("tokens") or {}):
        return expected
    told = expected["usage_raw"]["tokens"]["reasoning_tokens"]
    return expected | {"usage": expected["usage"] | {"reasoning": told}}


def check(exchange: dict[str, Any], chunks: list[bytes]) -> None:
    expected = exchange["expected"]
    answer, message, error = outcome(read(chunks, exchange["api"]))
    assert message.text == expected["text"]
    assert thoughts(message, plan=False) == expected["reasoning"]
    assert thoughts(message, plan=True) == (expected.get("tool_plan") or "")
    same_calls(message, expected["tool_calls"])
    same_usage(answer.usage if answer else error.usage if error else None, usage(expected))
    beside = [part.name for part in message.parts if isinstance(part, ServerTool)]
    assert [tool for tool in beside if tool not in {"citations", "documents"}] == expected["server_tools"]
    assert ("citations" in beside) == ("citations" in exchange["tags"])
    assert expected["signatures"] == 0
    if expected["finish"] == "error":
        assert error is not None
        same_error(error, expected["error"])
        assert not any(call.complete for call in message.tool_calls)
    elif expected["finish"] == "none":
        assert isinstance(error, StreamTruncated)
    else:
        assert answer is not None
        assert (answer.finish, answer.raw_finish) == (expected["finish"], expected["finish_raw"])
        assert answer.model == expected["model"]


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_is_understood_under_every_chunking(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    for chunks in cuts(wire(exchange["response"]), path.name):
        check(exchange, chunks)


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_means_the_same_in_other_clothes(path: Path) -> None:
    # other line ends and a byte order mark; of events also keep-alives, no names, and JSON broken over several lines
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"]).replace(b"\r\n", b"\n")
    check(exchange, [body.replace(b"\n", b"\r\n")])
    check(exchange, [b"\xef\xbb\xbf" + body.rstrip(b"\n")])
    if exchange["expected"]["stream"]["framing"] == "ndjson":
        check(exchange, [body.replace(b"\n", b"\n\n")])
        return
    check(exchange, [body.replace(b"\n", b"\r")])
    check(exchange, [body.replace(b"\n\nevent:", b"\n\n: alive\n\nid: 1\nevent:")])
    check(exchange, [b"\n".join(line for line in body.split(b"\n") if not line.startswith(b"event:"))])
    check(exchange, [body.replace(b'data: {"', b'data: {\ndata: "')])


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_cut_anywhere_is_whole_or_truncated_and_never_in_between(path: Path) -> None:
    # M3
    exchange = json.loads(path.read_text("utf-8"))
    body, expected = wire(exchange["response"]), exchange["expected"]
    dice = random.Random(path.name)
    for cut in sorted(dice.randrange(len(body)) for _ in range(15)):
        answer, message, error = outcome(read([body[:cut]], exchange["api"]))
        assert expected["text"].startswith(message.text)
        if answer is not None:
            assert answer.message.text == expected["text"]
            same_calls(message, expected["tool_calls"])
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


# what no recording shows


def said(*events: dict[str, Any]) -> bytes:
    return "".join(f"event: {event.get('type', 'x')}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def start(index: int, **call: Any) -> dict[str, Any]:
    function = {"name": call.pop("name"), "arguments": call.pop("arguments", "")}
    message = {"tool_calls": {"type": "function", "function": function, **call}}
    return {"type": "tool-call-start", "index": index, "delta": {"message": message}}


def end(reason: Any, **more: Any) -> dict[str, Any]:
    return {"type": "message-end", "delta": {"finish_reason": reason, **more}}


def test_a_call_that_the_token_limit_cut_is_incomplete() -> None:
    # M3: even if the provider says that the call has ended
    body = said(start(0, id="a", name="f", arguments="{}"), start(1, id="b", name="g"), {"type": "tool-call-end"})
    answer, message, _ = outcome(read([body + said(end("MAX_TOKENS"))]))
    assert answer is not None
    assert answer.finish == "length"
    assert [(call.call_id, call.complete) for call in message.tool_calls] == [("a", True), ("b", False)]


def test_two_calls_at_one_index_are_two_calls() -> None:
    body = said(start(0, id="a", name="f", arguments="{}"), start(0, id="b", name="f", arguments="{}"))
    _, message, _ = outcome(read([body + said(end("TOOL_CALL"))]))
    assert [call.call_id for call in message.tool_calls] == ["a", "b"]


@pytest.mark.parametrize(
    ("reason", "kind"), [("ERROR", ServerError), ("TIMEOUT", TimedOut), (None, StreamTruncated), ("", StreamTruncated)]
)
def test_a_reason_that_is_a_failure_is_an_error(reason: Any, kind: type[BackendError]) -> None:
    _, message, error = outcome(read([said(start(0, id="a", name="f"), end(reason, usage={"tokens": {}}))]))
    assert isinstance(error, kind)
    assert error.usage is not None
    assert not any(call.complete for call in message.tool_calls)


def test_an_unknown_reason_is_other() -> None:
    answer, _, _ = outcome(read([said(end("NEWS"))]))
    assert answer is not None
    assert (answer.finish, answer.raw_finish) == ("other", "NEWS")


@pytest.mark.parametrize(
    "event", [{"message": "too busy"}, {"error": {"message": "too busy"}}, {"type": "error", "message": "too busy"}]
)
def test_an_error_instead_of_an_event_is_that_error(event: dict[str, Any]) -> None:
    # M5
    _, _, error = outcome(read([f"data: {json.dumps(event)}\n\n".encode()]))
    assert error is not None
    assert error.provider_message == "too busy"
    assert outcome(read([b'{"id": "x", "message": "too busy"}']))[2] is not None


def test_what_is_billed_is_not_the_usage() -> None:
    # M4
    answer, _, _ = outcome(read([said(end("COMPLETE", usage={"billed_units": {"input_tokens": 7.0}}))]))
    assert answer is not None
    assert answer.usage.input is None
    assert answer.usage.raw == {"billed_units": {"input_tokens": 7.0}}


def test_a_block_of_an_unknown_kind_is_carried_as_it_came() -> None:
    block = {"type": "sketch", "strokes": [1, 2]}
    body = said({"type": "content-start", "index": 0, "delta": {"message": {"content": block}}}, end("COMPLETE"))
    _, message, _ = outcome(read([body]))
    (part,) = message.parts
    assert isinstance(part, ServerTool)
    assert part.opaque is not None
    assert (part.name, part.opaque.payload) == ("sketch", {"blocks": [block]})


def test_no_shape_raises() -> None:
    odd: list[Any] = [None, 7, "x", [], [7], {}, {"message": 7}, {"message": {"content": 7, "tool_calls": 7}}]
    kinds = ("message-start", "content-start", "content-delta", "tool-plan-delta", "tool-call-start", "tool-call-delta")
    for kind in (*kinds, "citation-start", "message-end", "news"):
        for value in odd:
            for inner in (value, {"message": value}, {"message": {"content": value, "tool_calls": value}}):
                events = read([said({"type": kind, "index": value, "delta": inner}, end("COMPLETE"))])
                outcome(events)
    for value in odd:
        outcome(read([json.dumps(value).encode()]))
        outcome(read([json.dumps({"message": {"content": value, "tool_calls": value, "citations": value}}).encode()]))
        for api in ("text-generation", "tool-calls-generation", "citation-generation", "stream-end"):
            line = {"event_type": api, "text": value, "tool_calls": value, "citations": value, "response": value}
            outcome(read([json.dumps(line).encode(), b"\n", json.dumps(value).encode()], "chat_v1"))


def lines(*events: dict[str, Any]) -> list[bytes]:
    return [json.dumps(event).encode() + b"\n" for event in events]


def test_version_1_tells_its_calls_once_and_without_ids() -> None:
    calls = [{"name": "f", "parameters": {"a": 1}}, {"name": "f", "parameters": {}}]
    body = lines(
        {"event_type": "tool-calls-chunk", "text": "I will ask."},
        {"event_type": "tool-calls-generation", "tool_calls": calls},
        {"event_type": "citation-generation", "citations": [{"start": 0}]},
        {"event_type": "stream-end", "finish_reason": "COMPLETE", "response": {"citations": [{"start": 0}]}},
    )
    answer, message, _ = outcome(read(body, "chat_v1"))
    assert answer is not None
    assert answer.finish == "tool_calls"
    assert [(call.name, call.arguments, call.synthetic_id) for call in message.tool_calls] == [
        ("f", '{"a": 1}', True),
        ("f", "{}", True),
    ]
    (cited,) = [part for part in message.parts if isinstance(part, ServerTool)]
    assert cited.opaque is not None
    assert cited.opaque.payload == {"facts": [{"start": 0}]}


def test_version_1_fails_by_its_reason() -> None:
    for reason, kind in (("ERROR", ServerError), (None, StreamTruncated)):
        event = {"event_type": "stream-end", "finish_reason": reason, "response": None}
        assert isinstance(outcome(read(lines(event), "chat_v1"))[2], kind)
    assert isinstance(outcome(read([b'{"message": "no"}'], "chat_v1"))[2], BackendError)
    answer, _, _ = outcome(read(lines({"event_type": "stream-end", "finish_reason": "ERROR_TOXIC"}), "chat_v1"))
    assert answer is not None
    assert answer.finish == "content_filter"
