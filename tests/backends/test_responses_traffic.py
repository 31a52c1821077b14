"""Every recorded answer of the Responses API means what its recording says, however its bytes are cut."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.openai_responses import ResponsesDialect
from graphrt.backends.dialects.responses_request import Variant
from graphrt.backends.errors import RateLimited, ServerError, StreamTruncated
from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import Message, Reasoning, ServerTool
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

EXCHANGES = exchanges("responses")
ANSWERS = [path for path in EXCHANGES if succeeded(path)]
REFUSALS = [path for path in EXCHANGES if not succeeded(path)]
STREAMS = [path for path in ANSWERS if ".stream" in path.name]


def events_of(exchange: dict[str, Any], chunks: list[bytes]) -> list[StreamEvent]:
    return read(chunks, dialect=ResponsesDialect(Variant(exchange["provider"])))


def sealed(message: Message) -> int:
    parts = [part for part in message.parts if isinstance(part, Reasoning) and part.opaque]
    return sum(bool(part.opaque.payload["item"].get("encrypted_content")) for part in parts if part.opaque)


def check(exchange: dict[str, Any], chunks: list[bytes]) -> None:
    expected = exchange["expected"]
    answer, message, error = outcome(events_of(exchange, chunks))
    assert message.text == expected["text"]
    assert reasoning(message) == expected["reasoning"]
    assert refusal(message) == expected["refusal"]
    assert [part.name for part in message.parts if isinstance(part, ServerTool)] == expected["server_tools"]
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
        assert sealed(message) == expected["signatures"]


def test_there_are_recordings() -> None:
    assert len(ANSWERS) > 100
    assert len(STREAMS) > 50
    assert len(REFUSALS) > 10


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_is_understood_under_every_chunking(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"])
    for chunks in cuts(body, path.name):
        check(exchange, chunks)


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_means_the_same_in_other_clothes(path: Path) -> None:
    # other line ends, a byte order mark, keep-alives, no event names, and JSON broken over several data lines
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"]).replace(b"\r\n", b"\n")
    check(exchange, [body.replace(b"\n", b"\r\n")])
    check(exchange, [body.replace(b"\n", b"\r")])
    check(exchange, [b"\xef\xbb\xbf" + body.replace(b"\n\n", b"\n\n: alive\n\nid: 1\n")])
    check(exchange, [b"\n".join(line for line in body.split(b"\n") if not line.startswith(b"event:"))])
    check(exchange, [body.replace(b'data: {"', b'data: {\ndata: "')])


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_cut_anywhere_is_whole_or_truncated_and_never_in_between(path: Path) -> None:
    # M3: before the terminal event an error with a beginning of the answer, after it the answer
    exchange = json.loads(path.read_text("utf-8"))
    body, expected = wire(exchange["response"]), exchange["expected"]
    dice = random.Random(path.name)
    for cut in sorted(dice.randrange(len(body)) for _ in range(15)):
        answer, message, error = outcome(events_of(exchange, [body[:cut]]))
        assert expected["text"].startswith(message.text)
        if answer is not None:
            assert answer.text == expected["text"]
            assert [call.name for call in answer.tool_calls] == [call["name"] for call in expected["tool_calls"]]
            continue
        assert isinstance(error, StreamTruncated) or expected["finish"] == "error"
        # a call that its own event ended is whole, whatever happened to the answer after it
        whole = [call.arguments for call in message.tool_calls if call.complete]
        assert whole == [call["arguments_raw"] for call in expected["tool_calls"]][: len(whole)]


@pytest.mark.parametrize("kind", ["delta", "added", "done", "part", "output"])
@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_means_the_same_when_a_server_leaves_out_one_kind_of_event(path: Path, kind: str) -> None:
    # others that speak this API stream only some of the events: what is said for the first time counts
    exchange = json.loads(path.read_text("utf-8"))
    if exchange["expected"]["finish"] in {"none", "error"}:
        return
    check(exchange, [thinned(wire(exchange["response"]), kind)])


def thinned(body: bytes, kind: str) -> bytes:
    """The stream without the deltas, the announcements, the ends of items, the ends of parts, or the last list."""
    kept = []
    for frame in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        data = frame[frame.find(b"data:") + 5 :]
        try:
            event = json.loads(data)
        except ValueError:
            kept.append(frame)
            continue
        ends_part = event["type"].endswith(".done") and event["type"] != "response.output_item.done"
        left_out = {
            "delta": event["type"].endswith(".delta"),
            "added": event["type"].endswith(".added"),
            "done": event["type"] == "response.output_item.done",
            "part": ends_part,
            "output": False,
        }
        if left_out[kind]:
            continue
        if kind == "output" and event["type"] in {"response.completed", "response.incomplete"}:
            event["response"]["output"] = []
            kept.append(b"data: " + json.dumps(event).encode())
            continue
        kept.append(frame)
    return b"\n\n".join(kept)


@pytest.mark.parametrize("path", REFUSALS, ids=name)
def test_a_recorded_refusal_keeps_the_providers_words(path: Path) -> None:
    # M5
    exchange = json.loads(path.read_text("utf-8"))
    response, expected = exchange["response"], exchange["expected"]["error"]
    headers = {key: str(value) for key, value in response["headers"].items()}
    error = classify(response["status"], headers, wire(response), provider=exchange["provider"])
    assert error.status == expected["status"]
    if expected["message"] == wire(response).decode():  # no JSON: the page's words instead of its tags
        assert error.provider_message
    elif path.name == "responses.full.error_400.fdf6d71a.json":
        # xAI puts its code beside an error that is only words; the recording's `code` does not look there
        assert (error.provider_message, error.code) == (expected["message"], "invalid-argument")
    else:
        same_error(error, expected)


# What the recordings do not have.


def stream(*events: dict[str, Any]) -> Any:
    """What comes of a stream of these events."""
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return outcome(read([body], dialect=ResponsesDialect()))


def completed(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"status": "completed", "output": list(output), **more}}


def call(id_: str, arguments: str, **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": id_, "name": "add", "arguments": arguments, **more}


def test_an_answer_that_comes_only_in_the_last_event_is_whole() -> None:
    message = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "sealed"}
    answer, said, _ = stream(completed(thought, message, call("c1", "{}")))
    assert (answer.text, answer.finish) == ("hi", "tool_calls")
    assert [part.kind for part in said.parts] == ["reasoning", "text", "tool_call"]


def test_an_item_is_told_once_however_often_it_comes() -> None:
    done = {"type": "response.output_item.done", "output_index": 0, "item": call("c1", "{}", id="fc_1")}
    answer, _, _ = stream(done, done, completed(call("c1", "{}", id="fc_rotated")))
    assert [c.call_id for c in answer.tool_calls] == ["c1"]


def test_parallel_calls_that_all_have_the_same_place_stay_apart() -> None:
    added = [{"type": "response.output_item.added", "output_index": 0, "item": call(id_, "")} for id_ in ("c1", "c2")]
    done = [
        {"type": "response.output_item.done", "output_index": 0, "item": call(id_, f'{{"n": "{id_}"}}')}
        for id_ in ("c1", "c2")
    ]
    answer, _, _ = stream(*added, *done, completed())
    assert [json.loads(c.arguments) for c in answer.tool_calls] == [{"n": "c1"}, {"n": "c2"}]


@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_a_call_cut_by_the_token_limit_is_never_whole(status: str) -> None:
    # M3: also where the server says that the item is complete
    done = {"type": "response.output_item.done", "output_index": 0, "item": call("c1", '{"a": 1', status=status)}
    why = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    answer, _, _ = stream(done, {"type": "response.incomplete", "response": why})
    assert (answer.finish, answer.raw_finish) == ("length", "max_output_tokens")
    assert not any(c.complete for c in answer.tool_calls)


def test_arguments_that_are_no_json_are_the_models_own_words_where_nothing_was_cut() -> None:
    answer, _, _ = stream(completed(call("c1", "{oops", status="completed")))
    assert [(c.arguments, c.complete) for c in answer.tool_calls] == [("{oops", True)]


def test_a_call_of_free_text_keeps_its_text() -> None:
    added = {"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": ""}
    answer, _, _ = stream(
        {"type": "response.output_item.added", "output_index": 0, "item": added},
        {"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": "select "},
        {"type": "response.custom_tool_call_input.done", "output_index": 0, "input": "select 1"},
        completed({**added, "input": "select 1"}),
    )
    assert [(c.arguments, c.complete) for c in answer.tool_calls] == [("select 1", True)]
    assert answer.tool_calls[0].opaque.payload["item"]["type"] == "custom_tool_call"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow down"},
        {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow down"}},
        {"error": {"code": "rate_limit_exceeded", "message": "slow down"}},
        {
            "type": "response.failed",
            "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow down"}},
        },
    ],
)
def test_an_error_in_the_stream_is_the_error_it_would_be_outside(event: dict[str, Any]) -> None:
    # M5
    answer, _, error = stream({"type": "response.created", "response": {"model": "m"}}, event)
    assert answer is None
    assert isinstance(error, RateLimited)
    assert error.provider_message == "slow down"


def test_an_answer_that_failed_without_a_word_is_an_error() -> None:
    _, _, error = stream({"type": "response.failed", "response": {"status": "failed"}})
    assert isinstance(error, ServerError)
    _, _, error = stream({"type": "response.created", "response": {}}, {"type": "response.in_progress"})
    assert isinstance(error, StreamTruncated)


def test_done_alone_does_not_end_an_answer() -> None:
    # M3: a proxy closes what broke behind it
    body = b'data: {"type": "response.output_text.delta", "output_index": 0, "delta": "half"}\n\ndata: [DONE]\n\n'
    answer, message, error = outcome(read([body], dialect=ResponsesDialect()))
    assert answer is None
    assert isinstance(error, StreamTruncated)
    assert message.text == "half"


def test_what_a_page_or_an_object_that_is_no_answer_says_is_an_error() -> None:
    for body in (b'{"error": {"message": "no such model", "code": "model_not_found"}}', b'["?"]', b"{}", b"<p>no</p>"):
        _, _, error = outcome(read([body], dialect=ResponsesDialect()))
        assert error is not None


@pytest.mark.parametrize("path", [path for path in STREAMS if "openai/" in str(path)], ids=name)
def test_whatever_shape_an_event_has_the_answer_ends_once(path: Path) -> None:
    # nothing that a server sends raises; `outcome` breaks on a second terminal event
    frames = [
        line[5:] for line in wire(json.loads(path.read_text("utf-8"))["response"]).splitlines() if b"data:" in line
    ]
    dice = random.Random(path.name)
    for _ in range(10):
        events = [mangled(json.loads(frame), dice) for frame in frames if frame.strip().startswith(b"{")]
        body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
        outcome(read([body], dialect=ResponsesDialect()))


ODD: tuple[Any, ...] = (
    None,
    0,
    -1,
    1e300,
    True,
    "",
    "x",
    "\ud83d",
    [],
    [None],
    [[]],
    {},
    {"type": 1},
    {"id": []},
    ["a"],
)


def mangled(value: Any, dice: random.Random) -> Any:
    if dice.random() < 0.02:
        return dice.choice(ODD)
    if isinstance(value, dict):
        return {key: mangled(inner, dice) for key, inner in value.items() if dice.random() > 0.02}
    if isinstance(value, list):
        return [mangled(inner, dice) for inner in value]
    return value
