"""What goes to Cohere for a request, compared with what was recorded, and what is said about what does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.cohere import Cohere, CohereDialect
from graphrt.backends.dialects.cohere_request import request_body
from graphrt.backends.errors import BadRequest, UnsupportedSetting
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
from tests.backends.replay import cuts, exchanges, name, outcome, read, succeeded, wire

ADD = ToolSpec(name="add", description="Add.", parameters={"type": "object", "properties": {}})
MUL = ToolSpec(name="mul", parameters={"type": "object"})
EXCHANGES = {path: json.loads(path.read_text("utf-8")) for path in exchanges("chat_v2")}
ASKED = [path for path, exchange in EXCHANGES.items() if exchange["request"]]
ANSWERED = [path for path in EXCHANGES if succeeded(path)]


def body(request: Request, model: str = "m") -> Any:
    return request_body(request, model=model)[0]


def ask(**more: Any) -> Request:
    return Request(messages=conversation("hello"), **more)


def warned(request: Request) -> list[str]:
    return [warning.setting for warning in request_body(request, model="m")[1]]


# recorded requests, read by a reader of their own


def own(payload: Any) -> Opaque:
    return Opaque(provider="cohere", payload=payload)


def parts_of(content: Any) -> list[Part]:
    parts: list[Part] = []
    blocks: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    for block in blocks:
        match block["type"]:
            case "text":
                parts.append(Text(text=block["text"]))
            case "thinking":
                parts.append(Reasoning(text=block["thinking"], opaque=own({"field": "thinking"})))
            case "image_url":
                more = {key: value for key, value in block["image_url"].items() if key != "url"}
                opaque = own(more) if more else None
                parts.append(Media(media_type="image/*", url=block["image_url"]["url"], opaque=opaque))
            case kind:
                raise AssertionError(kind)
    return parts


def message_of(said: dict[str, Any], names: dict[str, str]) -> Message:
    if said["role"] == "tool":
        content = said["content"]
        opaque = own({"content": content}) if isinstance(content, list) else None
        words = content if isinstance(content, str) else json.dumps(content)
        id_ = said["tool_call_id"]
        return Message(role="tool", parts=(ToolResult(call_id=id_, name=names[id_], content=words, opaque=opaque),))
    parts = parts_of(said.get("content"))
    if said.get("tool_plan"):
        parts.append(Reasoning(text=said["tool_plan"], opaque=own({"field": "tool_plan"})))
    for call in said.get("tool_calls") or ():
        function = call["function"]
        names[call["id"]] = function["name"]
        parts.append(ToolCall(call_id=call["id"], name=function["name"], arguments=function["arguments"]))
    return Message(role=said["role"], parts=tuple(parts))


def request_of(recorded: dict[str, Any]) -> Request:
    rest = dict(recorded)
    names: dict[str, str] = {}
    messages = tuple(message_of(said, names) for said in rest.pop("messages"))
    functions = [tool["function"] for tool in rest.pop("tools", ())]
    tools = tuple(ToolSpec(**function) for function in functions)
    settings: dict[str, Any] = {
        key: rest.pop(key)
        for key in ("temperature", "max_tokens", "seed", "frequency_penalty", "presence_penalty")
        if key in rest
    }
    settings |= {ours: rest.pop(theirs) for ours, theirs in (("top_p", "p"), ("top_k", "k")) if theirs in rest}
    settings["stop"] = tuple(rest.pop("stop_sequences", ()))
    if rest.get("thinking") in ({"type": "enabled"}, {"type": "disabled"}):
        settings["reasoning_effort"] = "high" if rest.pop("thinking")["type"] == "enabled" else "none"
    output = None
    schema = rest.get("response_format", {}).get("json_schema")
    if schema and not tools:
        output = OutputSchema(name="x", schema_=schema)
        del rest["response_format"]
    choice = rest.pop("tool_choice", "auto").lower()
    del rest["model"], rest["stream"]
    return Request(
        messages=messages, settings=Settings(**settings), tools=tools, tool_choice=choice, output=output, extra=rest
    )


def plain(recorded: dict[str, Any]) -> dict[str, Any]:
    """A recorded body without what may be said in two ways: one text in a list, a content of nothing beside calls, a
    plan of nothing. And it is always streamed."""
    sent = json.loads(json.dumps(recorded))
    sent["stream"] = True
    for message in sent["messages"]:
        content = message.get("content")
        if message["role"] != "tool" and isinstance(content, list) and [*map(sorted, content)] == [["text", "type"]]:
            message["content"] = content[0]["text"]
        if message.get("tool_calls") and not message.get("content"):
            message.pop("content", None)
    return dict(sent)


@pytest.mark.parametrize("path", ASKED, ids=name)
def test_a_recorded_request_is_written_as_it_was_sent(path: Path) -> None:
    # every field of every recorded request: nothing but the two ways in `plain` differs
    recorded = EXCHANGES[path]["request"]["body"]
    assert body(request_of(recorded), recorded["model"]) == plain(recorded)


# what the API takes


def assert_fit(messages: list[dict[str, Any]]) -> None:
    """A history that the API takes: no turn of nothing, no text beside calls, every call answered right after it."""
    waiting: list[str] = []
    for message in messages:
        match message["role"]:
            case "tool":
                assert message["tool_call_id"] == waiting.pop(0)
            case role:
                assert not waiting
                calls = message.get("tool_calls", ())
                assert message.get("content") or calls
                assert role == "assistant" or not calls
                blocks = message.get("content", ())
                for block in blocks if isinstance(blocks, list) else ():
                    assert block["type"] == "thinking" or not calls
                    assert block[block["type"]]
                waiting = [call["id"] for call in calls]
                assert len(set(waiting)) == len(waiting)
                assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    assert not waiting


@pytest.mark.parametrize("path", ANSWERED, ids=name)
def test_a_recorded_answer_goes_back_as_it_came(path: Path) -> None:
    # M2: thoughts, plans, ids and citations
    exchange = EXCHANGES[path]
    chunks = cuts(wire(exchange["response"]), path.name)[-1]
    _, said, _ = outcome(read(chunks, dialect=CohereDialect()))
    expected = exchange["expected"]
    results = [tool_result(call, "42") for call in said.tool_calls]
    sent = body(Request(messages=(user("hi"), said, *results, user("and now?"))))["messages"]
    assert_fit(sent)
    assert len(sent) == 3 + len(results)
    assert [call["id"] for call in sent[1].get("tool_calls", ())] == [call["id"] for call in expected["tool_calls"]]
    if expected["tool_calls"]:
        assert sent[1].get("tool_plan") == (expected["tool_plan"] or expected["text"] or None)
    thought = [
        block["thinking"] for block in sent[1].get("content", ()) if isinstance(block, dict) and "thinking" in block
    ]
    assert "".join(thought) == expected["reasoning"]
    assert ("citations" in sent[1]) == ("citations" in exchange["tags"])
    whole = exchange["response"].get("body")
    if whole:
        assert sent[1].get("citations") == whole["message"].get("citations")
        assert sent[1].get("tool_plan") == whole["message"].get("tool_plan")
    other = json.dumps(body(Request(messages=(user("hi"), said, *results)), "other"))
    assert '"citations"' not in other
    assert '"thinking"' not in other


def foreign() -> tuple[Message, ...]:
    sealed = Opaque(provider="anthropic", model="m", payload={"signature": "sealed", "field": "thinking"})
    picture = Media(media_type="image/png", data="QUJD")
    strange = ToolCall(call_id="fc:" + "§" * 64, name="add", arguments='{"a": 1}', opaque=sealed)
    twin = ToolCall(call_id="fc:" + "§" * 63 + "!", name="add")
    cut = ToolCall(call_id="cut", name="add", arguments='{"a": 1, "b', complete=False)
    listed = ToolCall(call_id="listed", name="add", arguments="[1]")
    orphan = Message(role="tool", parts=(ToolResult(call_id="gone", name="mul", content="6"),))
    return (
        system("be brief"),
        Message(role="user", parts=(Text(text="see"), picture, Media(media_type="audio/wav", data="QUJD"))),
        Message(role="assistant", parts=()),
        Message(
            role="assistant",
            parts=(
                Reasoning(text="hm", opaque=sealed),
                Text(text="Let me see."),
                Text(text=""),
                ServerTool(name="web_search", opaque=sealed),
                strange,
                twin,
            ),
        ),
        tool_result(twin, ""),
        tool_result(strange, "3"),
        orphan,
        Message(role="assistant", parts=(Refusal(text="I will not."), picture)),
        user(""),
        Message(role="assistant", parts=(cut, listed)),
        user("go on"),
    )


def test_another_providers_history_is_told_without_what_only_that_one_reads() -> None:
    # M2
    sent, warnings = request_body(Request(messages=foreign()), model="m")
    assert_fit(sent["messages"])
    text = json.dumps(sent, ensure_ascii=False)
    assert not any(word in text for word in ("sealed", "hm", "web_search", "§"))
    assert [message["role"] for message in sent["messages"]] == [
        "system", "user", "assistant", "tool", "tool", "user", "assistant", "assistant", "tool", "tool", "user",
    ]  # fmt: skip
    assert sent["messages"][1]["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "text", "text": "[audio/wav, left out]"},
    ]
    assert sent["messages"][2]["tool_plan"] == "Let me see."
    assert "content" not in sent["messages"][2]
    calls = [json.loads(call["function"]["arguments"]) for call in sent["messages"][7]["tool_calls"]]
    assert calls == [{"invalid_json": '{"a": 1, "b'}, {"value": [1]}]
    assert {warning.setting for warning in warnings} == {"messages"}
    assert len(warnings) == 5  # a sound, a picture, an orphan, two calls without results


def test_a_plan_without_calls_is_words() -> None:
    plan = Reasoning(text="I will ask.", opaque=own({"field": "tool_plan"}))
    sent = body(Request(messages=(user("hi"), Message(role="assistant", parts=(plan,)), user("do"))))["messages"]
    assert sent[1] == {"role": "assistant", "content": "I will ask."}


def test_a_block_of_an_unknown_kind_goes_back_as_it_came() -> None:
    block = {"type": "sketch", "strokes": [1, 2]}
    part = ServerTool(name="sketch", opaque=own({"blocks": [block]}))
    request = Request(messages=(user("hi"), Message(role="assistant", parts=(Text(text="so"), part)), user("more")))
    assert body(request)["messages"][1]["content"] == [{"type": "text", "text": "so"}, block]


# settings


def test_a_plain_question_asks_for_nothing_that_was_not_asked() -> None:
    asked = CohereDialect().write(ask(), "m")
    assert asked.path == "/v2/chat"
    assert asked.warnings == ()
    assert asked.body == {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}


def test_settings_go_under_the_apis_own_names() -> None:
    settings = Settings(
        max_tokens=5, temperature=0.0, top_p=0.5, top_k=3, seed=1, stop=("a",), presence_penalty=0.1,
        frequency_penalty=0.2, reasoning_effort="none", parallel_tool_calls=True,
    )  # fmt: skip
    sent = body(ask(settings=settings, tools=(ADD,)))
    assert warned(ask(settings=settings, tools=(ADD,))) == []
    assert {key: sent[key] for key in sent.keys() - {"model", "messages", "stream", "tools"}} == {
        "max_tokens": 5, "temperature": 0.0, "p": 0.5, "k": 3, "seed": 1, "stop_sequences": ["a"],
        "presence_penalty": 0.1, "frequency_penalty": 0.2, "thinking": {"type": "disabled"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "setting"),
    [
        ({"settings": Settings(min_p=0.1)}, "min_p"),
        ({"settings": Settings(stop=tuple("abcdef"))}, "stop"),
        ({"settings": Settings(reasoning_effort="low")}, "reasoning_effort"),
        ({"settings": Settings(parallel_tool_calls=False), "tools": (ADD,)}, "parallel_tool_calls"),
        ({"output": OutputSchema(name="x", schema_={"type": "object"}), "tools": (ADD,)}, "output"),
    ],
)
def test_what_cannot_be_honoured_is_warned_about_and_in_strict_mode_an_error(more: Any, setting: str) -> None:
    # M6
    request = ask(**more)
    assert warned(request) == [setting]
    strict = request.model_copy(update={"settings": request.settings.model_copy(update={"strict": True})})
    with pytest.raises(UnsupportedSetting, match=setting):
        CohereDialect().write(strict, "m")


def test_what_is_warned_about_is_honoured_as_far_as_it_can_be() -> None:
    assert body(ask(settings=Settings(stop=tuple("abcdef"))))["stop_sequences"] == list("abcde")
    assert body(ask(settings=Settings(reasoning_effort="low")))["thinking"] == {"type": "enabled"}


@pytest.mark.parametrize(
    ("choice", "sent", "offered"),
    [
        ("auto", None, ["add", "mul"]),
        ("none", "NONE", ["add", "mul"]),
        ("required", "REQUIRED", ["add", "mul"]),
        ("mul", "REQUIRED", ["mul"]),
    ],
)
def test_a_named_tool_is_forced_by_offering_nothing_else(choice: str, sent: Any, offered: list[str]) -> None:
    found = body(ask(tools=(ADD, MUL), tool_choice=choice))
    assert found.get("tool_choice") == sent
    assert [tool["function"]["name"] for tool in found["tools"]] == offered


def test_a_choice_of_no_offered_tool_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="div"):
        body(ask(tools=(ADD,), tool_choice="div"))
    with pytest.raises(BadRequest, match="no tools"):
        body(ask(tool_choice="required"))


def test_a_schema_goes_in_as_it_is_and_extra_fields_last() -> None:
    schema = {"type": "object", "required": ["a"]}
    sent = body(ask(output=OutputSchema(name="x", schema_=schema), extra={"seed": 7, "safety_mode": "OFF"}))
    assert sent["response_format"] == {"type": "json_object", "json_schema": schema}
    assert (sent["seed"], sent["safety_mode"]) == (7, "OFF")


def test_the_key_is_shown_nowhere() -> None:
    # M9
    remote = Cohere("command-x", key="secret-key")
    assert repr(remote) == "Cohere('cohere:command-x')"
