"""What goes over the wire to Bedrock's Converse API for a request, and what is said about what does not."""

import hashlib
import hmac
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from graphrt.backends.dialects.bedrock import Bedrock, BedrockDialect, sigv4
from graphrt.backends.dialects.dialect import Asked
from graphrt.backends.errors import AuthFailed, BadRequest, BindingError, UnsupportedSetting
from graphrt.backends.events import complete
from graphrt.backends.messages import (
    Media,
    Message,
    Opaque,
    OutputSchema,
    Part,
    Reasoning,
    Refusal,
    Request,
    Role,
    ServerTool,
    Settings,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    assistant,
    conversation,
    system,
    tool_result,
    user,
)
from tests.backends.loopback import Whole, serve
from tests.backends.replay import exchanges, name, outcome, succeeded
from tests.backends.test_bedrock_traffic import USAGE, answer_frames, block_frames, read, wire

CLAUDE = "us.anthropic.claude-x-v1:0"
ADD = ToolSpec(name="add", description="Add.", parameters={"type": "object", "properties": {}})
CALL = ToolCall(call_id="c1", name="add", arguments='{"a": 1}')
DATA = "QUJD"


def sent(request: Request, model: str = CLAUDE) -> Asked:
    return BedrockDialect().write(request, model)


def body(request: Request, model: str = CLAUDE) -> Any:
    return sent(request, model).body


def turns(*messages: Message, model: str = CLAUDE, **more: Any) -> Any:
    return body(Request(messages=messages, **more), model)["messages"]


def warned(request: Request, model: str = CLAUDE) -> list[str]:
    return [warning.setting for warning in sent(request, model).warnings]


def ask(**more: Any) -> Request:
    return Request(messages=conversation("hello"), **more)


def said(*parts: Part) -> Message:
    return Message(role="assistant", parts=parts)


def native(payload: Any, provider: str = "bedrock", model: str | None = None) -> Opaque:
    return Opaque(provider=provider, model=model, payload=payload)


# recorded requests, read back into ours


def parts_of(content: Iterable[dict[str, Any]], role: Role, names: dict[str, str]) -> list[Part]:
    """The parts that a recorded turn was made of: what is no part of ours is a block of the provider's own."""
    parts: list[Part] = []
    for block in content:
        match block:
            case {"text": str(text)}:
                parts.append(Text(text=text))
            case {"reasoningContent": {"reasoningText": {"text": str(text), "signature": str(seal)}}}:
                parts.append(Reasoning(text=text, opaque=native({"signature": seal})))
            case {"reasoningContent": {"redactedContent": str(sealed)}}:
                parts.append(Reasoning(opaque=native({"redacted": sealed})))
            case {"toolUse": {"toolUseId": id_, "name": called, "input": given} as use} if (
                use.get("type") != "server_tool_use"
            ):
                names[id_] = called
                parts.append(ToolCall(call_id=id_, name=called, arguments=json.dumps(given)))
            case {"toolResult": {"toolUseId": id_, "content": [{"text": str(text)}]} as result} if role == "user":
                failed = result.get("status") == "error"
                parts.append(ToolResult(call_id=id_, name=names[id_], content=text, is_error=failed))
            case {"toolResult": {"toolUseId": id_, "content": given} as result} if role == "user":
                failed, payload = result.get("status") == "error", native({"content": given})
                parts.append(ToolResult(call_id=id_, name=names[id_], content="", is_error=failed, opaque=payload))
            case {"image": {"format": form, "source": {"bytes": data}}}:
                parts.append(Media(media_type=f"image/{form}", data=data))
            case {"document": {"format": "pdf", "source": {"bytes": data}, **more}}:
                parts.append(Media(media_type="application/pdf", data=data, opaque=native(more)))
            case _:
                parts.append(ServerTool(name=next(iter(block)), opaque=native(block)))
    return parts


def request_of(wanted: dict[str, Any]) -> Request:
    names: dict[str, str] = {}
    messages = [Message(role="system", parts=tuple(parts_of(wanted.get("system", ()), "system", names)))]
    for turn in wanted["messages"]:
        parts = parts_of(turn["content"], turn["role"], names)
        results = [part for part in parts if isinstance(part, ToolResult)]
        messages.append(Message(role="tool", parts=tuple(results)))
        messages.append(Message(role=turn["role"], parts=tuple(part for part in parts if part not in results)))
    inference = wanted.get("inferenceConfig", {})
    settings = Settings(
        max_tokens=inference.get("maxTokens"),
        temperature=inference.get("temperature"),
        top_p=inference.get("topP"),
        stop=tuple(inference.get("stopSequences", ())),
    )
    config = wanted.get("toolConfig", {})
    specs = [tool["toolSpec"] for tool in config.get("tools", ()) if "toolSpec" in tool]
    tools = [
        ToolSpec(name=spec["name"], description=spec.get("description", ""), parameters=spec["inputSchema"]["json"])
        for spec in specs
    ]
    ours = {"messages", "system", "inferenceConfig", "toolConfig", "outputConfig"}
    extra = {key: value for key, value in wanted.items() if key not in ours and value}
    others = [tool for tool in config.get("tools", ()) if "toolSpec" not in tool]
    if others:
        extra["toolConfig"] = {"tools": others}  # which are no functions
    choice = {"any": "required"}.get(next(iter(config.get("toolChoice", ())), "auto"), "auto")
    choice = config.get("toolChoice", {}).get("tool", {}).get("name", choice)
    output = None
    if "outputConfig" in wanted:
        schema = wanted["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
        output = OutputSchema(name=schema["name"], schema_=json.loads(schema["schema"]))
    return Request(
        messages=tuple(messages),
        settings=settings,
        tools=tuple(tools),
        tool_choice=choice,
        output=output,
        extra=extra,
    )


def plain(recorded: dict[str, Any]) -> dict[str, Any]:
    """A body without what says nothing: fields and texts that are empty, defaults that are spelled out, the order of
    results and words in a turn, where one turn ends and the same role's next begins; and without the two things that
    our requests do not hold (a schema's description, a tool's strictness)."""
    found: dict[str, Any] = json.loads(json.dumps(recorded))
    inference = found.get("inferenceConfig", {})
    if inference.get("stopSequences") == []:
        del inference["stopSequences"]
    for key in ("system", "inferenceConfig", "additionalModelRequestFields"):
        if not found.get(key, True):
            del found[key]
    merged: list[Any] = []
    for turn in found["messages"]:
        for block in turn["content"]:
            if block.get("toolResult", {}).get("status") == "success":
                del block["toolResult"]["status"]
            if block.get("toolUse", {}).get("type") == "tool_use":
                del block["toolUse"]["type"]
        turn["content"] = [block for block in turn["content"] if block.get("text", "x").strip()]
        if turn["role"] == "user":
            turn["content"].sort(key=lambda block: "toolResult" not in block)
        if merged and merged[-1]["role"] == turn["role"]:
            merged[-1]["content"] += turn["content"]
        else:
            merged.append(turn)
    found["messages"] = merged
    config = found.get("toolConfig", {})
    if config.get("toolChoice") == {"auto": {}}:
        del config["toolChoice"]
    for tool in config.get("tools", ()):
        tool.get("toolSpec", {}).pop("strict", None)
    if "outputConfig" in found:
        schema = found["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
        schema.pop("description", None)
        schema["schema"] = json.loads(schema["schema"])
    return found


def recorded(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")).get("request") or {}


ASKED = [path for path in exchanges("converse") if recorded(path).get("body")]


@pytest.mark.parametrize("path", ASKED, ids=name)
def test_a_recorded_request_is_written_as_it_was_sent(path: Path) -> None:
    asked = recorded(path)
    model = unquote(re.sub(r"^/model/(.*)/converse(-stream)?$", r"\1", asked["url_path"]))
    written = sent(request_of(asked["body"]), model)
    if written.warnings:
        assert not succeeded(path)  # what was refused may have been mended
        return
    assert plain(dict(written.body)) == plain(asked["body"])
    assert unquote(written.path) == f"/model/{model}/converse-stream"


def test_many_recorded_requests_are_written_to_the_letter() -> None:
    exact = [path for path in ASKED if body(request_of(recorded(path)["body"])) == recorded(path)["body"]]
    assert len(exact) * 5 > len(ASKED)


# a conversation goes on


def valid(wanted: dict[str, Any]) -> None:
    """What the API demands of a history."""
    assert wanted["messages"][0]["role"] == "user"
    pending: list[str] = []
    for number, turn in enumerate(wanted["messages"]):
        assert turn["role"] == ("user", "assistant")[number % 2]
        assert turn["content"]
        results = [block["toolResult"]["toolUseId"] for block in turn["content"] if "toolResult" in block]
        own = [block["toolResult"] for block in turn["content"] if block.get("toolResult", {}).get("type")]
        if not own:
            assert results == pending
            assert all("toolResult" in block for block in turn["content"][: len(results)])
        uses = [block["toolUse"] for block in turn["content"] if "toolUse" in block]
        pending = [use["toolUseId"] for use in uses if use.get("type") != "server_tool_use"]
        for use in uses:
            assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", use["toolUseId"])
            assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", use["name"])
            assert isinstance(use["input"], dict)
        assert all(block["text"].strip() for block in turn["content"] if "text" in block)
        if pending:
            assert wanted["toolConfig"]["tools"]
    assert not pending


ANSWERS = [path for path in exchanges("converse") if succeeded(path)]


def blocks_sent_back(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks of a recorded answer that a model can be given back: not blank text, and not thoughts without a
    seal. Types that say what is plain anyway do not go along."""
    back: list[dict[str, Any]] = []
    for block in content:
        match block:
            case {"text": str(text)}:
                back += [{"text": text}] if text.strip() else []
            case {"reasoningContent": {"reasoningText": {"text": _}} as thought} if not thought["reasoningText"].get(
                "signature"
            ):
                pass
            case {"toolUse": {"type": "tool_use", **use}}:
                back.append({"toolUse": use})
            case _:
                back.append(block)
    return back


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_goes_back_into_the_conversation_as_it_was(path: Path) -> None:
    # M2
    exchange = json.loads(path.read_text("utf-8"))
    _, message, _ = outcome(read([wire(exchange["response"])]))
    results = [tool_result(call, "3") for call in message.tool_calls]
    request = Request(messages=(user("hi"), message, *results, user("go on")), tools=(ADD,))
    written = body(request, "m")
    valid(written)
    expected = exchange["expected"]
    seals = re.findall(r'"(?:signature|redactedContent)": ', json.dumps(written))
    assert len(seals) == expected["signatures"]
    assert [part.name for part in message.parts if isinstance(part, ServerTool)] == [
        next(iter(block))
        for turn in written["messages"]
        for block in turn["content"]
        if block.get("toolUse", {}).get("type") or block.get("toolResult", {}).get("type")
    ]
    if ".full" in path.name:
        content = blocks_sent_back(exchange["response"]["body"]["output"]["message"]["content"])
        turns_back = [turn["content"] for turn in written["messages"] if turn["role"] == "assistant"]
        assert turns_back == ([content] if content else [])


def test_a_stream_of_cited_text_goes_back_with_its_citations() -> None:
    path = next(path for path in ANSWERS if "stream.multimodal_input" in path.name)
    _, message, _ = outcome(read([wire(json.loads(path.read_text("utf-8"))["response"])]))
    back = turns(user("hi"), message, user("go on"), model="m")[1]["content"]
    assert list(back[0]) == ["citationsContent"]
    assert back[0]["citationsContent"]["content"] == [{"text": message.text}]
    assert back[0]["citationsContent"]["citations"][0]["title"] == "facts"


def foreign(words: str) -> Opaque:
    return Opaque(provider="elsewhere", model="e", payload={"signature": words, "citations": [words]})


STRANGE = "call|ü/" + "x" * 80


def test_a_history_of_another_provider_is_told_without_what_only_that_one_can_read() -> None:
    # M2
    call = ToolCall(call_id=STRANGE, name="functions.add", arguments='{"a": 1}', opaque=foreign("sealed"))
    cut = ToolCall(call_id="c2", name="add", arguments='{"a": 1, "b', complete=False)
    history = (
        assistant("Welcome."),
        user("hi"),
        said(
            Reasoning(text="hm", opaque=foreign("sealed")),
            Text(text="Let me see.", opaque=foreign("sealed")),
            ServerTool(name="web_search", opaque=foreign("sealed")),
            call,
        ),
        tool_result(call, "", is_error=True),
        Message(role="tool", parts=(ToolResult(call_id="nobody", name="lost", content="42"),)),
        said(),
        said(Text(text=" \n")),
        user("and?"),
        said(Media(media_type="image/png", data=DATA), cut),
        user(""),
        user("go on"),
        said(Refusal(text="No.")),
        user("why?"),
    )
    written = sent(Request(messages=history))
    valid(dict(written.body))
    text = json.dumps(written.body)
    assert "sealed" not in text
    assert "hm" not in text
    assert "Result of lost: 42" in text
    assert "functions_add" in text
    assert {warning.setting for warning in written.warnings} == {"messages", "tool_choice"}
    moments = [block for turn in written.body["messages"] for block in turn["content"]]
    results = [block["toolResult"] for block in moments if "toolResult" in block]
    assert results[0]["content"] == [{"text": ""}]
    assert results[0]["status"] == "error"
    uses = [block["toolUse"] for block in moments if "toolUse" in block]
    assert uses[1]["input"] == {"invalid_json": cut.arguments}
    assert {"text": "No."} in moments


def test_a_thought_goes_back_to_its_own_model_only() -> None:
    # M2
    for model, there in (("m", True), ("other", False)):
        thought = Reasoning(text="hm", opaque=native({"signature": "sealed"}, model="m"))
        written = json.dumps(turns(user("hi"), said(thought, CALL), tool_result(CALL, "3"), model=model))
        assert ("sealed" in written) is there
        assert ("hm" in written) is there


def test_a_thought_without_a_seal_is_not_sent() -> None:
    assert turns(user("hi"), said(Reasoning(text="hm"), Text(text="yes")), user("so?"))[1]["content"] == [
        {"text": "yes"}
    ]


def test_results_stand_first_and_together_in_the_users_turn() -> None:
    other = ToolCall(call_id="c2", name="add")
    wanted = turns(user("hi"), said(CALL, other), tool_result(other, "b"), tool_result(CALL, "a"), user("so?"))
    assert wanted[1]["content"][1]["toolUse"]["input"] == {}
    assert wanted[2] == {
        "role": "user",
        "content": [
            {"toolResult": {"toolUseId": "c1", "content": [{"text": "a"}]}},
            {"toolResult": {"toolUseId": "c2", "content": [{"text": "b"}]}},
            {"text": "so?"},
        ],
    }


def test_where_a_maker_wants_results_alone_the_model_says_a_word_between() -> None:
    history = (user("hi"), said(CALL), tool_result(CALL, "3"), user("so?"))
    request = Request(messages=history, tools=(ADD,))
    assert len(body(request)["messages"]) == 3
    for model in ("meta.llama3-3-70b-instruct-v1:0", "us.mistral.pixtral-large-2502-v1:0"):
        valid(body(request, model))
        assert len(body(request, model)["messages"]) == 5
        assert warned(request, model) == ["messages"]


def test_one_person_speaks_in_one_turn_and_the_user_begins() -> None:
    assert turns(user("a"), user("b"), assistant("c"), assistant("d")) == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}, {"text": "d"}]},
    ]
    request = Request(messages=(system("be brief"),))
    assert [turn["role"] for turn in body(request)["messages"]] == ["user"]
    assert warned(request) == ["messages"]


def test_instructions_stand_apart_and_late_ones_are_moved_in_plain_sight() -> None:
    request = Request(messages=(system("be brief"), user("hi"), system("be kind"), system(" ")))
    assert body(request)["system"] == [{"text": "be brief"}, {"text": "be kind"}]
    assert "messages" in warned(request)
    assert warned(Request(messages=(system("be brief"), user("hi")))) == []


def test_the_tools_of_the_history_stay_declared() -> None:
    history = (user("hi"), said(CALL), tool_result(CALL, "3"))
    request = Request(messages=history)
    assert body(request)["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "add", "inputSchema": {"json": {"type": "object"}}}}]
    }
    assert warned(request) == ["tool_choice"]
    # the tools that are offered do
    assert warned(Request(messages=history, tools=(ADD,))) == []
    assert warned(Request(messages=history, tools=(ADD,), tool_choice="none")) == ["tool_choice"]


# tools, output, settings


@pytest.mark.parametrize(
    ("choice", "wanted"), [("auto", None), ("required", {"any": {}}), ("add", {"tool": {"name": "add"}})]
)
def test_a_tool_choice_is_said_in_the_dialects_words(choice: Any, wanted: Any) -> None:
    config = body(ask(tools=(ADD,), tool_choice=choice))["toolConfig"]
    assert config.get("toolChoice") == wanted
    spec = {"name": "add", "description": "Add.", "inputSchema": {"json": dict(ADD.parameters)}}
    assert config["tools"] == [{"toolSpec": spec}]


def test_a_model_that_may_call_nothing_is_offered_nothing() -> None:
    assert "toolConfig" not in body(ask(tools=(ADD,), tool_choice="none"))
    assert warned(ask(tools=(ADD,), tool_choice="none")) == []


def test_a_choice_of_no_offered_tool_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="multiply"):
        body(ask(tools=(ADD,), tool_choice="multiply"))
    with pytest.raises(BadRequest, match="no tools"):
        body(ask(tool_choice="required"))


def test_a_model_that_thinks_is_not_made_to_call() -> None:
    extra = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}
    request = ask(tools=(ADD,), tool_choice="required", extra=extra)
    assert "toolChoice" not in body(request)["toolConfig"]
    assert warned(request) == ["tool_choice"]


def test_a_schema_goes_as_text() -> None:
    schema = {"type": "object", "properties": {"ä": {"type": "string"}}, "additionalProperties": False}
    wanted = body(ask(output=OutputSchema(name="my answer", schema_=schema)))["outputConfig"]["textFormat"]
    assert wanted["type"] == "json_schema"
    assert wanted["structure"]["jsonSchema"]["name"] == "my_answer"
    assert json.loads(wanted["structure"]["jsonSchema"]["schema"]) == schema


def test_a_schema_goes_as_the_api_takes_it_and_says_what_it_does_not_promise() -> None:
    # M6, M7
    schema = {
        "type": "object",
        "properties": {"age": {"type": "integer", "minimum": 0}, "name": {"type": "string", "maxLength": 9}},
        "required": ["age"],
    }
    request = ask(output=OutputSchema(name="x", schema_=schema))
    (warning,) = sent(request).warnings
    wanted = json.loads(body(request)["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"])
    assert wanted["additionalProperties"] is False
    assert [wanted["properties"][name]["type"] for name in ("age", "name")] == ["integer", "string"]
    assert not {"minimum", "maxLength"} & {*wanted["properties"]["age"], *wanted["properties"]["name"]}
    assert warning.setting == "output"
    assert all(word in warning.message for word in ("/properties/age", "minimum", "maxLength"))
    with pytest.raises(UnsupportedSetting, match="minimum"):
        body(ask(output=request.output, settings=Settings(strict=True)))


def test_a_schema_that_the_api_has_no_form_for_is_not_asked_for() -> None:
    # M6
    free = ask(output=OutputSchema(name="x", schema_={"type": "object", "additionalProperties": {"type": "string"}}))
    assert "outputConfig" not in body(free)
    assert warned(free) == ["output"]


SETTINGS: dict[str, Any] = {
    "max_tokens": 5,
    "temperature": 0.0,
    "top_p": 0.5,
    "top_k": 7,
    "min_p": 0.1,
    "seed": 1,
    "stop": ("a", "b"),
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "reasoning_effort": "high",
    "parallel_tool_calls": False,
    "logprobs": 0,
    "cache": "5m",
}


def test_a_plain_question_asks_for_nothing_that_was_not_asked() -> None:
    assert body(ask()) == {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}


def test_settings_go_under_the_apis_own_names_and_the_rest_is_warned_about() -> None:
    # M6
    request = ask(settings=Settings(**SETTINGS), tools=(ADD,))
    wanted = body(request)
    assert wanted["inferenceConfig"] == {"maxTokens": 5, "temperature": 0.0, "topP": 0.5, "stopSequences": ["a", "b"]}
    assert wanted["additionalModelRequestFields"] == {"top_k": 7}
    assert warned(request) == [
        "min_p",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "reasoning_effort",
        "parallel_tool_calls",
        "logprobs",
    ]


@pytest.mark.parametrize("setting", [name for name in Settings.model_fields if name != "strict"])
@pytest.mark.parametrize("model", [CLAUDE, "amazon.nova-pro-v1:0", "openai.gpt-oss-120b-1:0", "somebody.new-v1"])
def test_each_setting_is_either_sent_or_warned_about_and_strict_refuses_the_latter(setting: str, model: str) -> None:
    # M6
    request = ask(settings=Settings(**{setting: SETTINGS[setting]}), tools=(ADD,))
    wanted = body(request, model)
    there = {"inferenceConfig", "additionalModelRequestFields"} & wanted.keys() or "cachePoint" in json.dumps(wanted)
    assert bool(there) != bool(warned(request, model))
    strict = ask(settings=Settings(**{setting: SETTINGS[setting], "strict": True}), tools=(ADD,))
    if warned(request, model):
        with pytest.raises(UnsupportedSetting, match=setting):
            body(strict, model)
    else:
        assert body(strict, model) == wanted


def test_each_maker_has_its_own_names() -> None:
    settings = Settings(top_k=7, reasoning_effort="high")

    def fields(model: str) -> Any:
        return body(ask(settings=settings), model).get("additionalModelRequestFields")

    assert fields("us.amazon.nova-lite-v1:0") == {"inferenceConfig": {"topK": 7}}
    assert fields("openai.gpt-oss-20b-1:0") == {"reasoning_effort": "high"}
    assert fields("qwen.qwen3-32b-v1:0") == {"reasoning_config": "high"}
    assert fields("somebody.new-v1") is None


def test_calls_one_at_a_time_matter_only_where_there_are_tools() -> None:
    assert warned(ask(settings=Settings(parallel_tool_calls=False))) == []
    assert warned(ask(settings=Settings(parallel_tool_calls=True), tools=(ADD,))) == []


def test_extra_fields_are_merged_last_and_field_by_field() -> None:
    extra = {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}, "inferenceConfig": {"maxTokens": 9}}
    wanted = body(ask(settings=Settings(top_k=7, max_tokens=5, temperature=1.0), extra=extra))
    assert wanted["additionalModelRequestFields"] == {"top_k": 7, "thinking": {"type": "disabled"}}
    assert wanted["inferenceConfig"] == {"maxTokens": 9, "temperature": 1.0}


# media and blocks of the provider's own


def media(*parts: Part, words: str = "see") -> Any:
    return turns(Message(role="user", parts=(Text(text=words), *parts)))[0]["content"][1:]


def test_media_goes_in_beside_the_words() -> None:
    assert media(
        Media(media_type="image/jpg", data=DATA),
        Media(media_type="application/pdf", data=DATA),
        Media(media_type="text/plain; charset=utf-8", data=DATA),
        Media(media_type="audio/mpeg", data=DATA),
        Media(media_type="video/mp4", url="s3://bucket/a.mp4"),
        Media(media_type="image/png", url=f"data:image/png;base64,{DATA}"),
    ) == [
        {"image": {"format": "jpeg", "source": {"bytes": DATA}}},
        {"document": {"format": "pdf", "source": {"bytes": DATA}, "name": "document 1"}},
        {"document": {"format": "txt", "source": {"bytes": DATA}, "name": "document 2"}},
        {"audio": {"format": "mp3", "source": {"bytes": DATA}}},
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/a.mp4"}}}},
        {"image": {"format": "png", "source": {"bytes": DATA}}},
    ]


def test_media_that_cannot_be_sent_is_told_as_words() -> None:
    parts = (Media(media_type="image/png", url="https://x/y.png"), Media(media_type="image/tiff", data=DATA))
    request = Request(messages=(Message(role="user", parts=parts),))
    assert body(request)["messages"][0]["content"] == [
        {"text": "[image/png at https://x/y.png]"},
        {"text": "[image/tiff]"},
    ]
    assert warned(request) == ["messages", "messages"]


def test_a_document_never_comes_without_a_word() -> None:
    content = turns(Message(role="user", parts=(Media(media_type="text/csv", data=DATA),)))[0]["content"]
    assert [list(block) for block in content] == [["document"], ["text"]]


def test_blocks_of_the_provider_go_where_they_stand() -> None:
    point = ServerTool(name="cachePoint", opaque=native({"cachePoint": {"type": "default"}}))
    guard = ServerTool(name="guardContent", opaque=native({"guardContent": {"text": {"text": "a"}}}))
    document = Media(
        media_type="text/plain", data=DATA, opaque=native({"name": "facts", "citations": {"enabled": True}})
    )
    request = Request(
        messages=(
            Message(role="system", parts=(Text(text="be brief"), point)),
            Message(role="user", parts=(guard, Text(text="hi"), document, point)),
        )
    )
    wanted = body(request)
    assert wanted["system"] == [{"text": "be brief"}, {"cachePoint": {"type": "default"}}]
    content = wanted["messages"][0]["content"]
    assert [next(iter(block)) for block in content] == ["guardContent", "text", "document", "cachePoint"]
    assert content[2]["document"]["name"] == "facts"
    assert content[2]["document"]["citations"] == {"enabled": True}


def test_a_payload_that_is_no_object_is_nothing() -> None:
    parts = (Text(text="a", opaque=native([1])), ServerTool(name="x", opaque=native("y")), ServerTool(name="z"))
    assert turns(user("hi"), said(*parts))[1]["content"] == [{"text": "a"}]


# where it goes


def test_a_model_is_named_in_the_path_whole() -> None:
    arn = "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.x-v1:0"
    assert sent(ask(), arn).path == (
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A000000000000%3Ainference-profile%2Fus.x-v1%3A0/converse-stream"
    )


@pytest.mark.anyio
async def test_a_model_answers_over_a_socket_to_whom_has_a_key() -> None:
    answer = Whole(answer_frames(block_frames(0, {"text": "hi"})) + USAGE, headers={"content-type": "application/x"})
    with serve(answer) as server:
        backend = Bedrock("some.model-v1:0", base_url=server.base_url, key="bedrock-api-key-1")
        found = await complete(backend.stream(ask()))
        await backend.aclose()
    assert (found.text, found.usage.output) == ("hi", 4)
    (got,) = server.received
    assert got.path == "/v1/model/some.model-v1%3A0/converse-stream"
    assert got.headers["authorization"] == "Bearer bedrock-api-key-1"
    assert got.headers["accept"] == "application/vnd.amazon.eventstream"
    assert backend.name == "bedrock:some.model-v1:0"


def test_signing_without_botocore_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(BindingError, match=r"graphrt\[bedrock\]"):
        sigv4("m", "eu-west-1")


def test_a_request_is_signed_as_aws_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("botocore", reason="only the extra `bedrock` brings it")
    for key, value in (("ACCESS_KEY_ID", "AKID"), ("SECRET_ACCESS_KEY", "secret"), ("SESSION_TOKEN", "token")):
        monkeypatch.setenv(f"AWS_{key}", value)
    url, content = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/a%3A0/converse-stream", b'{"a": 1}'
    headers = {"accept": "x", "content-type": "application/json"}
    signed = sigv4("m", "eu-west-1")("POST", url, headers, content)
    assert set(signed) == {"authorization", "x-amz-date", "x-amz-security-token"}

    # the same by hand, after AWS's description
    when, names = signed["x-amz-date"], "content-type;host;x-amz-date;x-amz-security-token"
    canonical = [
        "POST",
        "/model/a%253A0/converse-stream",
        "",
        "content-type:application/json",
        "host:bedrock-runtime.eu-west-1.amazonaws.com",
        f"x-amz-date:{when}",
        "x-amz-security-token:token",
        "",
        names,
        hashlib.sha256(content).hexdigest(),
    ]
    scope = f"{when[:8]}/eu-west-1/bedrock/aws4_request"
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    secret = b"AWS4secret"
    for word in [*scope.split("/"), f"AWS4-HMAC-SHA256\n{when}\n{scope}\n{digest}"]:
        secret = hmac.digest(secret, word.encode(), "sha256")
    assert signed["authorization"] == (
        f"AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders={names}, Signature={secret.hex()}"
    )


def test_signing_without_credentials_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pytest.importorskip("botocore", reason="only the extra `bedrock` brings it")
    for key in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{key}", raising=False)
    nothing = str(tmp_path_factory.mktemp("aws") / "nothing")
    monkeypatch.setenv("AWS_CONFIG_FILE", nothing)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", nothing)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AuthFailed, match="no AWS credentials"):
        sigv4("m", "eu-west-1")("POST", "https://x.example/", {}, b"")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AuthFailed, match="nobody"):
        sigv4("m", "eu-west-1")("POST", "https://x.example/", {}, b"")


@pytest.mark.anyio
async def test_without_a_key_requests_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("botocore", reason="only the extra `bedrock` brings it")
    for key, value in (("ACCESS_KEY_ID", "AKID"), ("SECRET_ACCESS_KEY", "secret"), ("SESSION_TOKEN", "to-ken")):
        monkeypatch.setenv(f"AWS_{key}", value)

    words = {"message": "the canonical string should have been x-amz-security-token:to-ken"}
    with serve(Whole(json.dumps(words).encode(), status=403)) as server:
        backend = Bedrock("m", base_url=server.base_url, region="eu-west-1")
        with pytest.raises(AuthFailed) as caught:
            await complete(backend.stream(ask()))
        await backend.aclose()
    (got,) = server.received
    assert got.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert got.headers["x-amz-security-token"] == "to-ken"
    assert "to-ken" not in str(caught.value)
