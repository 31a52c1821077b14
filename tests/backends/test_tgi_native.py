"""TGI's own API: recorded answers, streams made of them, and what a prompt can say."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.tgi_native import Tgi, TgiDialect
from graphrt.backends.errors import BackendError, BadRequest, ServerError, StreamTruncated, UnsupportedSetting
from graphrt.backends.events import Warned
from graphrt.backends.messages import (
    Media,
    Message,
    Opaque,
    OutputSchema,
    Reasoning,
    Request,
    Settings,
    Text,
    ToolCall,
    ToolSpec,
    assistant,
    conversation,
    system,
    tool_result,
    user,
)
from graphrt.backends.wire.classify import classify
from tests.backends.replay import cuts, exchanges, name, outcome, read, same_error, same_usage, succeeded, wire

EXCHANGES = {path: json.loads(path.read_text("utf-8")) for path in exchanges("tgi_generate")}
ANSWERS = [path for path in EXCHANGES if succeeded(path)]
REFUSALS = [path for path in EXCHANGES if not succeeded(path)]
BODIES = [path for path in ANSWERS if EXCHANGES[path]["response"].get("body") is not None]
ASKED = [path for path, exchange in EXCHANGES.items() if exchange["request"]]
TGI = TgiDialect()


def check(exchange: dict[str, Any], chunks: list[bytes]) -> None:
    expected = exchange["expected"]
    answer, message, error = outcome(read(chunks, dialect=TGI))
    assert message.text == expected["text"]
    assert message.tool_calls == ()
    if expected["error"]:
        assert error is not None
        same_error(error, expected["error"])
        return
    assert answer is not None
    usage = answer.usage
    if usage.raw is not None and "input_length" in usage.raw:
        # the recordings' `expected` leaves out how long the prompt was, which newer servers tell
        rest = {key: value for key, value in usage.raw.items() if key != "input_length"}
        usage = usage.model_copy(update={"input": None, "raw": rest})
    same_usage(usage, expected)
    assert answer.finish == ("other" if expected["finish"] == "none" else expected["finish"])
    assert answer.raw_finish == expected["finish_raw"]


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_is_understood_under_every_chunking(path: Path) -> None:
    for chunks in cuts(wire(EXCHANGES[path]["response"]), path.name):
        check(EXCHANGES[path], chunks)


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_cut_anywhere_is_whole_or_truncated_and_never_in_between(path: Path) -> None:
    # M3
    body, text = wire(EXCHANGES[path]["response"]), EXCHANGES[path]["expected"]["text"]
    dice = random.Random(path.name)
    for cut in sorted(dice.randrange(len(body)) for _ in range(15)):
        answer, message, error = outcome(read([body[:cut]], dialect=TGI))
        assert text.startswith(message.text)
        assert isinstance(error, StreamTruncated) if answer is None else message.text == text


@pytest.mark.parametrize("path", REFUSALS, ids=name)
def test_a_recorded_refusal_keeps_the_providers_words(path: Path) -> None:
    response, expected = EXCHANGES[path]["response"], EXCHANGES[path]["expected"]["error"]
    headers = {key: str(value) for key, value in response["headers"].items()}
    error = classify(response["status"], headers, wire(response), provider="tgi")
    assert error.provider_message == expected["message"]
    # the server's `error_type` is a code of its own, which the recordings' `expected` leaves out
    assert error.code == (expected["code"] or (response.get("body") or {}).get("code"))
    assert error.status == expected["status"]


# streams: none was recorded, so the tokens of the recorded bodies are told as the server tells them


def streamed(body: Any) -> bytes:
    whole = body[0] if isinstance(body, list) else body
    details = {key: value for key, value in whole["details"].items() if key not in {"tokens", "prefill"}}
    tokens = whole["details"]["tokens"]
    events: list[dict[str, Any]] = [
        {"index": number, "token": token, "generated_text": None, "details": None}
        for number, token in enumerate(tokens, start=1)
    ]
    events[-1] |= {"generated_text": whole["generated_text"], "details": details}
    return b"".join(b"data:" + json.dumps(event, ensure_ascii=False).encode() + b"\n\n" for event in events)


@pytest.mark.parametrize("path", BODIES, ids=name)
def test_the_tokens_of_a_recorded_answer_say_the_same_one_by_one(path: Path) -> None:
    # special tokens are no text, and the last event repeats all of it
    body, expected = streamed(EXCHANGES[path]["response"]["body"]), EXCHANGES[path]["expected"]
    clothes = [[body.replace(b"\n", b"\r\n")], [b"\xef\xbb\xbf" + body], [body.replace(b"\n\n", b"\n\n: alive\n\n")]]
    for chunks in [*cuts(body, path.name), *clothes, [body.rstrip(b"\n")]]:
        answer, message, _ = outcome(read(chunks, dialect=TGI))
        assert answer is not None
        assert message.text == expected["text"]
        assert (answer.finish, answer.raw_finish) == (expected["finish"], expected["finish_raw"])
        assert answer.usage.output == expected["usage"]["output"]


@pytest.mark.parametrize("path", BODIES, ids=name)
def test_a_stream_without_its_last_event_is_truncated(path: Path) -> None:
    events = streamed(EXCHANGES[path]["response"]["body"]).split(b"\n\n")
    for count in range(len(events) - 1):
        _, message, error = outcome(read([b"\n\n".join(events[:count])], dialect=TGI))
        assert isinstance(error, StreamTruncated)
        assert EXCHANGES[path]["expected"]["text"].startswith(message.text)


@pytest.mark.parametrize(
    "error",
    [
        {"error": "too busy", "error_type": "generation"},
        {"error": {"message": "too busy", "http_status_code": 422}},
    ],
)
def test_an_error_in_a_stream_is_that_error_with_what_was_said(error: dict[str, Any]) -> None:
    # M5
    token = {"token": {"text": "Hel", "special": False}}
    _, message, found = outcome(read([f"data:{json.dumps(it)}\n\n".encode() for it in (token, error)], dialect=TGI))
    assert isinstance(found, BackendError)
    assert found.provider_message == "too busy"
    assert message.text == "Hel"
    assert outcome(read([json.dumps(error).encode()], dialect=TGI))[2] is not None


def test_how_long_the_prompt_was_is_told_where_the_server_tells() -> None:
    # M4
    details = {"finish_reason": "stop_sequence", "generated_tokens": 2, "input_length": 9}
    body = json.dumps({"generated_text": "so", "details": details}).encode()
    answer, _, _ = outcome(read([body], dialect=TGI))
    assert answer is not None
    assert (answer.finish, answer.usage.input, answer.usage.output) == ("stop", 9, 2)


def test_an_answer_without_details_ends_for_no_reason() -> None:
    answer, message, _ = outcome(read([b'data:{"token": {"special": true}, "generated_text": "so"}\n\n'], dialect=TGI))
    assert answer is not None
    assert (answer.finish, answer.raw_finish, message.text) == ("other", None, "so")


def test_no_shape_raises() -> None:
    details = {"finish_reason": [7], "generated_tokens": "x", "prefill": 7}
    odd: list[Any] = [None, 7, "x", [], [7], [[]], {}, details]
    for value in odd:
        events = ({"token": value}, {"token": {"text": value}}, value, {"generated_text": "a", "details": value})
        outcome(read([f"data: {json.dumps(event)}\n\n".encode() for event in events], dialect=TGI))
        outcome(read([json.dumps(value).encode()], dialect=TGI))
    assert isinstance(outcome(read([b"data: rubbish\n\n"], dialect=TGI))[2], ServerError)


# requests


def body(request: Request) -> Any:
    return TGI.write(request, "m").body


def warnings(request: Request) -> tuple[Warned, ...]:
    return TGI.write(request, "m").warnings


def ask(**more: Any) -> Request:
    return Request(messages=conversation("hello"), **more)


@pytest.mark.parametrize("path", ASKED, ids=name)
def test_a_recorded_request_is_written_as_it_was_sent(path: Path) -> None:
    # nothing is the same as null, false or empty; the hosted servers stream by a field, and from another address
    recorded = EXCHANGES[path]["request"]["body"]
    parameters = {key: value for key, value in recorded["parameters"].items() if value}
    settings = {"max_tokens": parameters.pop("max_new_tokens")}
    settings |= {key: parameters.pop(key) for key in ("temperature", "top_p", "top_k", "seed") if key in parameters}
    sent = body(Request(messages=(user(recorded["inputs"]),), settings=Settings(**settings)))
    assert sent["inputs"] == recorded["inputs"]
    ours = {key: value for key, value in sent["parameters"].items() if value}
    theirs = {key: value for key, value in recorded["parameters"].items() if value}
    # a temperature is honoured by sampling, which that client forgot; `typical_p` is no setting of ours
    assert ours == {**{key: theirs[key] for key in theirs.keys() - {"typical_p"}}, "do_sample": True}


def test_one_question_is_the_prompt_as_it_is() -> None:
    asked = TGI.write(ask(), "m")
    assert (asked.path, asked.warnings) == ("/generate_stream", ())
    assert asked.body == {"inputs": "hello", "parameters": {"details": True, "return_full_text": False}}


def test_a_conversation_is_told_as_a_transcript_and_a_warning_says_so() -> None:
    # M2, M6
    sealed = Opaque(provider="anthropic", payload={"signature": "sealed"})
    call = ToolCall(call_id="c", name="add", arguments='{"a": 1}')
    messages = (
        system("be brief"),
        Message(role="user", parts=(Text(text="see"), Media(media_type="image/png", data="QUJD"))),
        Message(role="assistant", parts=()),
        Message(role="assistant", parts=(Reasoning(text="hm", opaque=sealed), Text(text="I add."), call)),
        tool_result(call, "3"),
        assistant("It is 3."),
        Message(role="user", parts=(Text(text="and this?"), Media(media_type="audio/wav", data="QUJD"))),
    )
    request = Request(messages=messages)
    assert body(request)["inputs"] == (
        "System: be brief\n"
        "User: see\n![](data:image/png;base64,QUJD)\n"
        'Assistant: I add.\nadd({"a": 1})\n'
        "Tool: add returned 3\n"
        "Assistant: It is 3.\n"
        "User: and this?\n[audio/wav, left out]\n"
        "Assistant:"
    )
    assert {warning.setting for warning in warnings(request)} == {"messages"}


def test_settings_are_parameters_and_a_schema_is_a_grammar() -> None:
    settings = Settings(
        max_tokens=5, temperature=0.5, top_p=0.5, top_k=3, seed=1, stop=("a",), frequency_penalty=0.2
    )  # fmt: skip
    schema = {"type": "object"}
    request = ask(settings=settings, output=OutputSchema(name="x", schema_=schema), extra={"model": "tgi"})
    assert warnings(request) == ()
    assert body(request)["model"] == "tgi"
    assert body(request)["parameters"] == {
        "details": True, "return_full_text": False, "max_new_tokens": 5, "do_sample": True, "temperature": 0.5,
        "top_p": 0.5, "top_k": 3, "seed": 1, "stop": ["a"], "frequency_penalty": 0.2,
        "grammar": {"type": "json", "value": schema},
    }  # fmt: skip


def test_what_the_server_refuses_is_said_as_what_it_means() -> None:
    coldest = body(ask(settings=Settings(temperature=0.0, top_p=0.5, top_k=3)))["parameters"]
    assert coldest == {"details": True, "return_full_text": False, "do_sample": False}
    assert "top_p" not in body(ask(settings=Settings(top_p=1.0)))["parameters"]


@pytest.mark.parametrize(
    ("more", "setting"),
    [
        ({"settings": Settings(min_p=0.1)}, "min_p"),
        ({"settings": Settings(presence_penalty=0.1)}, "presence_penalty"),
        ({"settings": Settings(reasoning_effort="low")}, "reasoning_effort"),
        ({"tools": (ToolSpec(name="add", parameters={}),), "tool_choice": "add"}, "tools"),
        ({"messages": conversation("hello", instructions="be brief")}, "messages"),
    ],
)
def test_what_cannot_be_honoured_is_warned_about_and_in_strict_mode_an_error(more: Any, setting: str) -> None:
    # M6
    request = Request(**{"messages": conversation("hello"), **more})
    assert [warning.setting for warning in warnings(request)] == [setting]
    strict = request.model_copy(update={"settings": request.settings.model_copy(update={"strict": True})})
    with pytest.raises(UnsupportedSetting, match=setting):
        TGI.write(strict, "m")


def test_a_choice_of_no_offered_tool_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="div"):
        body(ask(tools=(ToolSpec(name="add", parameters={}),), tool_choice="div"))
    with pytest.raises(BadRequest, match="no tools"):
        body(ask(tool_choice="required"))


def test_a_server_of_ones_own_needs_no_key() -> None:
    assert Tgi("tgi").name == "tgi:tgi"
