"""Ollama's own API: recorded answers and requests, and what is said about what does not go."""

import json
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.ollama_native import Ollama, OllamaDialect
from graphrt.backends.errors import (
    BadRequest,
    ContextLengthExceeded,
    NotFound,
    ServerError,
    StreamTruncated,
    UnsupportedSetting,
)
from graphrt.backends.events import Warned
from graphrt.backends.messages import (
    Media,
    Message,
    Opaque,
    OutputSchema,
    Part,
    Reasoning,
    Refusal,
    Request,
    ServerTool,
    Settings,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    conversation,
    system,
    tool_result,
    user,
)
from graphrt.backends.wire.classify import classify
from tests.backends.replay import (
    cuts,
    exchanges,
    name,
    outcome,
    read,
    reasoning,
    same_calls,
    same_error,
    same_usage,
    succeeded,
    wire,
)

EXCHANGES = {
    path: json.loads(path.read_text("utf-8")) for path in [*exchanges("ollama_chat"), *exchanges("ollama_generate")]
}
ANSWERS = [path for path in EXCHANGES if succeeded(path)]
REFUSALS = [path for path in EXCHANGES if not succeeded(path)]
CHATS = [path for path in ANSWERS if "ollama_chat" in path.name]
ASKED = [path for path, exchange in EXCHANGES.items() if exchange["request"] and "ollama_chat" in path.name]
ADD = ToolSpec(name="add", description="Add.", parameters={"type": "object", "properties": {}})
MUL = ToolSpec(name="mul", parameters={"type": "object"})
OLLAMA = OllamaDialect()


# answers


def check(exchange: dict[str, Any], chunks: list[bytes]) -> None:
    expected = exchange["expected"]
    answer, message, error = outcome(read(chunks, dialect=OLLAMA))
    assert message.text == expected["text"]
    assert reasoning(message) == expected["reasoning"]
    same_calls(message, expected["tool_calls"])
    assert not any(isinstance(part, ServerTool) for part in message.parts)
    assert expected["server_tools"] == []
    same_usage(answer.usage if answer else error.usage if error else None, expected)
    if expected["finish"] == "error":
        assert error is not None
        same_error(error, expected["error"])
    elif expected["finish"] == "none" and answer is None:
        assert isinstance(error, StreamTruncated)
    else:
        assert answer is not None
        # an old server says that it is done and not why
        assert answer.finish == ("other" if expected["finish"] == "none" else expected["finish"])
        assert answer.raw_finish == expected["finish_raw"]
        assert answer.model == expected["model"]


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_is_understood_under_every_chunking(path: Path) -> None:
    for chunks in cuts(wire(EXCHANGES[path]["response"]), path.name):
        check(EXCHANGES[path], chunks)


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_means_the_same_in_other_clothes(path: Path) -> None:
    # other line ends, a byte order mark, blank lines, no last line end; a body also laid out on many lines
    response = EXCHANGES[path]["response"]
    body = wire(response)
    check(EXCHANGES[path], [body.replace(b"\n", b"\r\n")])
    check(EXCHANGES[path], [b"\xef\xbb\xbf" + body.replace(b"\n", b"\n\n")])
    check(EXCHANGES[path], [body.rstrip(b"\n")])
    if response.get("body") is not None:
        check(EXCHANGES[path], [json.dumps(response["body"], indent=1).encode()])


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_cut_anywhere_is_whole_or_truncated_and_never_in_between(path: Path) -> None:
    # M3
    expected = EXCHANGES[path]["expected"]
    body = wire(EXCHANGES[path]["response"])
    dice = random.Random(path.name)
    for cut in sorted(dice.randrange(len(body)) for _ in range(15)):
        answer, message, error = outcome(read([body[:cut]], dialect=OLLAMA))
        assert expected["text"].startswith(message.text)
        assert [call.name for call in message.tool_calls] == [
            call["name"] for call in expected["tool_calls"][: len(message.tool_calls)]
        ]
        if answer is not None:
            check(EXCHANGES[path], [body[:cut]])
        else:
            assert isinstance(error, StreamTruncated) or expected["finish"] == "error"


def test_a_refusal_keeps_the_servers_words() -> None:
    too_long = "prompt too long; exceeded max context length by 7 tokens"
    for status, words, kind in ((400, too_long, ContextLengthExceeded), (404, 'model "x" not found', NotFound)):
        error = classify(status, {}, json.dumps({"error": words}).encode(), provider="ollama")
        assert isinstance(error, kind)
        assert error.provider_message == words
    for path in REFUSALS:
        response, expected = EXCHANGES[path]["response"], EXCHANGES[path]["expected"]["error"]
        headers = {key: str(value) for key, value in response["headers"].items()}
        same_error(classify(response["status"], headers, wire(response), provider="ollama"), expected)


def said(*lines: Any) -> list[bytes]:
    return [json.dumps(line).encode() + b"\n" for line in lines]


def called(function: Any, **more: Any) -> dict[str, Any]:
    return {"message": {"content": "", "tool_calls": [{"function": function, **more}]}, "done": False}


def test_calls_without_ids_get_ids_of_ours_and_are_wanted() -> None:
    both = called({"name": "f", "arguments": {"a": "ü"}})
    body = said(both, both, {"done": True, "done_reason": "stop", "eval_count": 3})
    answer, message, _ = outcome(read(body, dialect=OLLAMA))
    assert answer is not None
    assert (answer.finish, answer.raw_finish) == ("tool_calls", "stop")
    assert [call.call_id for call in message.tool_calls] == ["made-0", "made-1"]
    assert all(call.arguments == '{"a": "ü"}' and call.complete for call in message.tool_calls)
    assert (answer.usage.input, answer.usage.output) == (None, 3)  # the prompt was cached: nobody said how long it is


def test_thoughts_words_and_calls_are_parts_in_their_order() -> None:
    body = said(
        {"message": {"thinking": "h"}},
        {"message": {"thinking": "m"}},
        {"message": {"content": "So."}},
        called({"name": "f", "arguments": None}, id="c"),
        {"done": True, "done_reason": "length"},
    )
    answer, message, _ = outcome(read(body, dialect=OLLAMA))
    assert answer is not None
    assert answer.finish == "length"
    assert [part.kind for part in message.parts] == ["reasoning", "text", "tool_call"]
    assert message.tool_calls[0].call_id == "c"
    assert message.tool_calls[0].complete  # the server hands out no call that it has not read to its end


@pytest.mark.parametrize(
    ("last", "finish"),
    [
        ({"done": True}, "other"),
        ({"done": True, "done_reason": "load"}, "other"),
        ({"done": True, "done_reason": "length"}, "length"),
    ],
)
def test_only_done_ends_an_answer(last: dict[str, Any], finish: str) -> None:
    answer, _, _ = outcome(read(said({"response": "a", "done": False}, last), dialect=OLLAMA))
    assert answer is not None
    assert answer.finish == finish
    assert isinstance(outcome(read(said({"response": "a", "done": False}), dialect=OLLAMA))[2], StreamTruncated)
    assert isinstance(outcome(read([b'{"response": "a"}'], dialect=OLLAMA))[2], StreamTruncated)


def test_an_old_server_that_called_and_is_done_wants_its_calls() -> None:
    answer, _, _ = outcome(read(said(called({"name": "f", "arguments": {}}), {"done": True}), dialect=OLLAMA))
    assert answer is not None
    assert answer.finish == "tool_calls"


def test_a_picture_in_an_answer_is_a_part() -> None:
    body = said({"message": {"images": ["QUJD", None]}}, {"done": True, "done_reason": "stop"})
    _, message, _ = outcome(read(body, dialect=OLLAMA))
    (part,) = message.parts
    assert isinstance(part, Media)
    assert part.data == "QUJD"


def test_no_shape_raises() -> None:
    odd: list[Any] = [None, 7, "x", [], [7], [{}], {}, {"function": 7}, {"name": 7, "arguments": [7]}]
    for value in odd:
        message = {"content": value, "thinking": value, "images": value, "tool_calls": value}
        lines = [value, {"message": value}, {"message": message}, called(value), {"done": value, "model": value}]
        outcome(read(said(*lines, {"done": True, "prompt_eval_count": value}), dialect=OLLAMA))
        outcome(read([json.dumps(value).encode()], dialect=OLLAMA))
        outcome(read(said({"error": value}), dialect=OLLAMA))
    assert isinstance(outcome(read([b'{"done": false}\nrubbish\n'], dialect=OLLAMA))[2], ServerError)


# recorded requests, read by a reader of their own


def message_of(recorded: dict[str, Any], waiting: list[ToolCall], ids: Iterator[int]) -> Message:
    if recorded["role"] == "tool":
        return tool_result(waiting.pop(0), recorded["content"])
    parts: list[Part] = [Text(text=recorded["content"])] if recorded.get("content") else []
    parts += [Media(media_type="image/png", data=image) for image in recorded.get("images") or ()]
    if recorded.get("thinking"):
        opaque = Opaque(provider="ollama", payload={"field": "thinking"})
        parts.append(Reasoning(text=recorded["thinking"], opaque=opaque))
    for call in recorded.get("tool_calls") or ():
        function = call["function"]
        arguments = json.dumps(function["arguments"])
        waiting.append(ToolCall(call_id=f"call-{next(ids)}", name=function["name"], arguments=arguments))
        parts.append(waiting[-1])
    return Message(role=recorded["role"], parts=tuple(parts))


def request_of(recorded: dict[str, Any]) -> Request:
    waiting: list[ToolCall] = []
    ids = count()
    messages = tuple(message_of(said, waiting, ids) for said in recorded["messages"])
    tools = tuple(ToolSpec(**tool["function"]) for tool in recorded.get("tools") or ())
    extra = {key: recorded[key] for key in recorded.keys() - {"model", "messages", "tools", "stream"} if recorded[key]}
    output = None
    if isinstance(extra.get("format"), dict):
        output = OutputSchema(name="x", schema_=extra.pop("format"))
    options = extra.get("options", {})
    names = {"num_predict": "max_tokens"} | {name: name for name in ("temperature", "seed", "top_p", "top_k", "min_p")}
    settings: dict[str, Any] = {ours: options[theirs] for theirs, ours in names.items() if theirs in options}
    if len(settings) == len(options):  # otherwise some are Ollama's alone, and go past the settings
        extra.pop("options", None)
    return Request(messages=messages, tools=tools, settings=Settings(**settings), output=output, extra=extra)


def plain(body: Any) -> Any:
    """A body without what may be left out or told as well: it is always streamed, nothing is the same as an empty
    value, and the ids and names that newer servers pair calls and results by."""
    kept = {key: value for key, value in body.items() if value not in (None, "", {}, []) and key != "stream"}
    kept["messages"] = [
        {key: value for key, value in message.items() if key not in {"tool_name", "tool_call_id"}}
        for message in json.loads(json.dumps(body["messages"]))
    ]
    for message in kept["messages"]:
        for call in message.get("tool_calls", ()):
            call.pop("id", None)
    return kept


@pytest.mark.parametrize("path", ASKED, ids=name)
def test_a_recorded_request_is_written_as_it_was_sent(path: Path) -> None:
    recorded = EXCHANGES[path]["request"]["body"]
    sent = OLLAMA.write(request_of(recorded), recorded["model"])
    assert sent.path == EXCHANGES[path]["request"]["url_path"]
    assert plain(sent.body) == plain(recorded)


@pytest.mark.parametrize("path", CHATS, ids=name)
def test_a_recorded_answer_goes_back_as_it_came(path: Path) -> None:
    # M2
    _, message, _ = outcome(read([wire(EXCHANGES[path]["response"])], dialect=OLLAMA))
    results = [tool_result(call, "42") for call in message.tool_calls]
    request = Request(messages=(user("hi"), message, *results))
    sent = OLLAMA.write(request, "m").body["messages"]
    expected = EXCHANGES[path]["expected"]
    assert sent[1]["content"] == expected["text"]
    assert sent[1].get("thinking", "") == expected["reasoning"]
    assert [call["function"]["arguments"] for call in sent[1].get("tool_calls", ())] == [
        call["arguments"] for call in expected["tool_calls"]
    ]
    assert [result["tool_call_id"] for result in sent[2:]] == [call["id"] for call in sent[1].get("tool_calls", ())]
    assert not any("thinking" in told for told in OLLAMA.write(request, "other").body["messages"])


# what the API takes


def body(request: Request) -> Any:
    return OLLAMA.write(request, "m").body


def warnings(request: Request) -> tuple[Warned, ...]:
    return OLLAMA.write(request, "m").warnings


def ask(**more: Any) -> Request:
    return Request(messages=conversation("hello"), **more)


def test_another_providers_history_is_told_without_what_only_that_one_reads() -> None:
    # M2
    sealed = Opaque(provider="anthropic", model="m", payload={"signature": "sealed"})
    strange = ToolCall(call_id="§" * 64, name="add", arguments='{"a": 1}', opaque=sealed)
    cut = ToolCall(call_id="cut", name="add", arguments='{"a": 1, "b', complete=False)
    picture = Media(media_type="image/png", data="QUJD")
    pictures = (picture, Media(media_type="image/png", url="https://x/y"), Media(media_type="audio/wav", data="QUJD"))
    search = ServerTool(name="web_search", opaque=sealed)
    thinking = (Reasoning(text="hm", opaque=sealed), Text(text="Let me see."), search, strange)
    request = Request(
        messages=(
            system("be brief"),
            Message(role="user", parts=(Text(text="see"), *pictures)),
            Message(role="assistant", parts=()),
            Message(role="assistant", parts=thinking),
            tool_result(strange, ""),
            Message(role="tool", parts=(ToolResult(call_id="gone", name="mul", content="6"),)),
            Message(role="assistant", parts=(Refusal(text="I will not."), cut)),
            user("go on"),
        )
    )
    sent = body(request)["messages"]
    assert [message["role"] for message in sent] == [
        "system", "user", "assistant", "tool", "user", "assistant", "tool", "user",
    ]  # fmt: skip
    assert sent[1] == {"role": "user", "content": "see[image/png, left out][audio/wav, left out]", "images": ["QUJD"]}
    assert sent[2]["content"] == "Let me see."
    assert sent[2]["tool_calls"][0]["function"] == {"name": "add", "arguments": {"a": 1}}
    assert sent[3] == {"role": "tool", "content": "", "tool_name": "add", "tool_call_id": "§" * 64}
    assert sent[5]["content"] == "I will not."
    assert sent[5]["tool_calls"][0]["function"]["arguments"] == {"invalid_json": '{"a": 1, "b'}
    assert not any(word in json.dumps(sent) for word in ("sealed", "hm", "web_search"))
    assert [warning.setting for warning in warnings(request)] == ["messages"] * 4


def test_a_plain_question_asks_for_nothing_that_was_not_asked() -> None:
    asked = OLLAMA.write(ask(), "m")
    assert (asked.path, asked.warnings) == ("/api/chat", ())
    assert asked.body == {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}


def test_settings_are_options_and_a_schema_is_the_format() -> None:
    settings = Settings(
        max_tokens=5, temperature=0.0, top_p=0.5, top_k=3, min_p=0.1, seed=1, stop=("a",), presence_penalty=0.1,
        frequency_penalty=0.2, reasoning_effort="low", parallel_tool_calls=True,
    )  # fmt: skip
    schema = {"type": "object"}
    request = ask(settings=settings, output=OutputSchema(name="x", schema_=schema), tools=(ADD,), extra={"seed": 7})
    assert warnings(request) == ()
    sent = body(request)
    assert sent["options"] == {
        "num_predict": 5, "temperature": 0.0, "top_p": 0.5, "top_k": 3, "min_p": 0.1, "seed": 1, "stop": ["a"],
        "presence_penalty": 0.1, "frequency_penalty": 0.2,
    }  # fmt: skip
    assert (sent["think"], sent["format"], sent["seed"]) == ("low", schema, 7)
    assert body(ask(settings=Settings(reasoning_effort="none")))["think"] is False


@pytest.mark.parametrize(
    ("more", "setting"),
    [
        ({"settings": Settings(reasoning_effort="minimal")}, "reasoning_effort"),
        ({"settings": Settings(parallel_tool_calls=False), "tools": (ADD,)}, "parallel_tool_calls"),
        ({"tools": (ADD,), "tool_choice": "required"}, "tool_choice"),
        ({"tools": (ADD, MUL), "tool_choice": "mul"}, "tool_choice"),
    ],
)
def test_what_cannot_be_honoured_is_warned_about_and_in_strict_mode_an_error(more: Any, setting: str) -> None:
    # M6
    request = ask(**more)
    assert [warning.setting for warning in warnings(request)] == [setting]
    strict = request.model_copy(update={"settings": request.settings.model_copy(update={"strict": True})})
    with pytest.raises(UnsupportedSetting, match=setting):
        OLLAMA.write(strict, "m")


@pytest.mark.parametrize(
    ("choice", "offered"), [("auto", ["add", "mul"]), ("required", ["add", "mul"]), ("mul", ["mul"]), ("none", None)]
)
def test_what_may_be_called_is_said_by_what_is_offered(choice: str, offered: Any) -> None:
    sent = body(ask(tools=(ADD, MUL), tool_choice=choice))
    assert (sent.get("tools") and [tool["function"]["name"] for tool in sent["tools"]]) == offered


def test_a_choice_of_no_offered_tool_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="div"):
        body(ask(tools=(ADD,), tool_choice="div"))
    with pytest.raises(BadRequest, match="no tools"):
        body(ask(tool_choice="required"))


def test_a_server_of_ones_own_needs_no_key() -> None:
    assert Ollama("llama3").name == "ollama:llama3"
