"""What goes over the wire for a request, and what is said about what does not."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from graphrt.backends.dialects.openai_request import request_body
from graphrt.backends.dialects.profiles import OPENAI_LIKE, PRESETS, profile_named
from graphrt.backends.errors import BadRequest, UnsupportedSetting
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
from tests.backends.replay import outcome, read

OPENAI = PRESETS["openai"].profile
ADD = ToolSpec(name="add", description="Add.", parameters={"type": "object", "properties": {}})


def body(request: Request, profile: Any = OPENAI) -> Any:
    return request_body(request, model="m", profile=profile)[0]


def ask(**more: Any) -> Request:
    return Request(messages=conversation("hello"), **more)


def test_a_plain_question_asks_for_nothing_that_was_not_asked() -> None:
    assert body(ask()) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_settings_go_under_the_servers_own_names() -> None:
    settings = Settings(max_tokens=5, seed=1, stop=("a",), temperature=0.0)
    sent = body(ask(settings=settings))
    assert (sent["max_completion_tokens"], sent["seed"], sent["stop"], sent["temperature"]) == (5, 1, ["a"], 0.0)
    assert "max_tokens" not in sent
    assert body(ask(settings=settings), OPENAI_LIKE)["max_tokens"] == 5
    assert body(ask(settings=settings), PRESETS["mistral"].profile)["random_seed"] == 1


def test_a_setting_that_cannot_be_honoured_is_warned_about_and_not_sent() -> None:
    # M6
    request = ask(settings=Settings(top_k=5, min_p=0.1))
    sent, warnings = request_body(request, model="m", profile=OPENAI)
    assert [warning.setting for warning in warnings] == ["top_k", "min_p"]
    assert not {"top_k", "min_p"} & sent.keys()
    assert body(request, PRESETS["vllm"].profile)["top_k"] == 5


def test_in_strict_mode_it_is_an_error() -> None:
    with pytest.raises(UnsupportedSetting, match="top_k"):
        body(ask(settings=Settings(top_k=5, strict=True)))


def test_more_stop_strings_than_the_server_takes_are_warned_about() -> None:
    sent, warnings = request_body(ask(settings=Settings(stop=tuple("abcde"))), model="m", profile=OPENAI)
    assert sent["stop"] == list("abcd")
    assert [warning.setting for warning in warnings] == ["stop"]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", None),
        ("none", "none"),
        ("required", "required"),
        ("add", {"type": "function", "function": {"name": "add"}}),
    ],
)
def test_a_tool_choice_is_said_in_the_dialects_words(choice: Any, sent: Any) -> None:
    wire = body(ask(tools=(ADD,), tool_choice=choice))
    assert wire.get("tool_choice") == sent
    assert wire["tools"][0]["function"] == {"name": "add", "description": "Add.", "parameters": dict(ADD.parameters)}


def test_a_choice_of_no_offered_tool_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="multiply"):
        body(ask(tools=(ADD,), tool_choice="multiply"))
    with pytest.raises(BadRequest, match="no tools"):
        body(ask(tool_choice="required"))


def test_a_schema_is_strict_only_where_that_changes_nothing() -> None:
    closed = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    sent = body(ask(output=OutputSchema(name="my answer", schema_=closed)))["response_format"]
    assert sent == {"type": "json_schema", "json_schema": {"name": "my_answer", "schema": closed, "strict": True}}
    for loose in (
        {**closed, "required": []},
        {**closed, "additionalProperties": True},
        {"type": "object"},
        {"anyOf": [{"type": "object"}]},
    ):
        request = ask(output=OutputSchema(name="x", schema_=loose))
        sent, warnings = request_body(request, model="m", profile=PRESETS["openai"].profile)
        assert sent["response_format"]["json_schema"] == {"name": "x", "schema": loose}
        assert [warning.setting for warning in warnings] == ["output"]  # M6: it is a promise no more
        assert request_body(request, model="m", profile=PRESETS["vllm"].profile)[1] == []


def test_a_server_without_schemas_is_asked_for_json_and_says_so() -> None:
    request = ask(output=OutputSchema(name="x", schema_={"type": "object"}))
    sent, warnings = request_body(request, model="m", profile=PRESETS["deepseek"].profile)
    assert sent["response_format"] == {"type": "json_object"}
    assert [warning.setting for warning in warnings] == ["output"]


SERVERS: Mapping[str, tuple[set[str], dict[str, Any]]] = {
    "azure": ({"top_k", "min_p"}, {"max_completion_tokens": 5, "seed": 1}),
    "huggingface": ({"top_k", "min_p"}, {"max_tokens": 5, "stop": ["a", "b"]}),
    "perplexity": ({"min_p", "seed", "stop"}, {"max_tokens": 5, "top_k": 5}),
    "databricks": ({"min_p", "seed", "presence_penalty", "frequency_penalty"}, {"max_tokens": 5, "top_k": 5}),
    "cloudflare": ({"min_p"}, {"max_tokens": 5, "top_k": 5, "seed": 1}),
    "snowflake": ({"top_k", "min_p", "reasoning_effort"}, {"max_completion_tokens": 5}),
    "zai": (
        {"top_k", "min_p", "seed", "stop", "presence_penalty", "frequency_penalty"},
        {"max_tokens": 5, "stop": ["a"], "reasoning_effort": "low"},
    ),
    "moonshot": ({"top_k", "min_p", "seed"}, {"max_completion_tokens": 5, "stop": ["a", "b"]}),
    "alibaba": ({"min_p", "frequency_penalty", "reasoning_effort"}, {"max_tokens": 5, "top_k": 5, "seed": 1}),
    "lmstudio": ({"min_p", "reasoning_effort"}, {"max_tokens": 5, "top_k": 5, "seed": 1}),
}
"""What each of them has no setting for, and some of what it is sent, when it is asked for nearly everything."""


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_is_sent_what_it_knows_and_the_rest_is_warned_about(server: str) -> None:
    # M6
    settings = Settings(
        max_tokens=5,
        top_k=5,
        min_p=0.1,
        seed=1,
        stop=("a", "b"),
        presence_penalty=0.1,
        frequency_penalty=0.1,
        reasoning_effort="low",
    )
    unknown, known = SERVERS[server]
    sent, warnings = request_body(ask(settings=settings), model="m", profile=PRESETS[server].profile)
    assert {warning.setting for warning in warnings} == unknown
    assert sent == sent | known
    assert not (unknown - {"stop"}) & sent.keys()


def test_a_server_that_streams_no_json_is_not_asked_for_any() -> None:
    request = ask(output=OutputSchema(name="x", schema_={"type": "object"}))
    sent, warnings = request_body(request, model="m", profile=PRESETS["cloudflare"].profile)
    assert "response_format" not in sent
    assert [warning.setting for warning in warnings] == ["output"]


def test_calls_and_results_make_a_turn() -> None:
    call = ToolCall(call_id="c1", name="add", arguments="")
    said = Message(role="assistant", parts=(Text(text="Let me see."), call))
    wire = body(Request(messages=(user("hi"), said, tool_result(call, "3"))))["messages"]
    assert wire[1] == {
        "role": "assistant",
        "content": "Let me see.",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}],
    }
    assert wire[2] == {"role": "tool", "tool_call_id": "c1", "content": "3"}


def test_a_call_without_a_result_is_told_to_be_unexecuted() -> None:
    call = ToolCall(call_id="c1", name="add", arguments='{"a": 1, "b', complete=False)
    request = Request(messages=(user("hi"), Message(role="assistant", parts=(call,)), user("go on")))
    sent, warnings = request_body(request, model="m", profile=OPENAI)
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool", "user"]
    assert [warning.setting for warning in warnings] == ["messages"]
    assert json.loads(sent["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"invalid_json": call.arguments}


def test_ids_become_what_the_server_takes_on_both_sides() -> None:
    call = ToolCall(call_id="call_abcdefghijkl", name="add", arguments="{}")
    request = Request(messages=(user("hi"), Message(role="assistant", parts=(call,)), tool_result(call, "3")))
    wire = body(request, PRESETS["mistral"].profile)["messages"]
    id_ = wire[1]["tool_calls"][0]["id"]
    assert len(id_) == 9
    assert id_.isalnum()
    assert wire[2]["tool_call_id"] == id_
    assert body(request, PRESETS["mistral"].profile)["messages"] == wire


def test_a_thought_goes_back_to_its_own_model_only() -> None:
    # M2
    details = [{"type": "reasoning.encrypted", "data": "sealed", "index": 0}]
    opaque = Opaque(provider="openrouter", model="m", payload={"field": "reasoning", "details": details})
    call = ToolCall(call_id="c1", name="add", arguments="{}")
    said = Message(role="assistant", parts=(Reasoning(text="hm", opaque=opaque), call))
    request = Request(messages=(user("hi"), said, tool_result(call, "3")))
    assert body(request, PRESETS["openrouter"].profile)["messages"][1]["reasoning_details"] == details
    for model, provider in (("m", "openai"), ("other", "openrouter")):
        sent = json.dumps(request_body(request, model=model, profile=profile_named(provider))[0])
        assert "sealed" not in sent
        assert "hm" not in sent


ECHOED = {
    "deepseek": "reasoning_content",
    "moonshot": "reasoning_content",
    "zai": "reasoning_content",
    "xai": "reasoning_content",
    "llama_server": "reasoning_content",
    "ollama": "reasoning",
}


@pytest.mark.parametrize("server", ECHOED)
def test_a_thought_is_echoed_under_the_field_its_server_wants(server: str) -> None:
    opaque = Opaque(provider=server, model="m", payload={"field": ECHOED[server]})
    call = ToolCall(call_id="c1", name="add", arguments="{}")
    said = Message(role="assistant", parts=(Reasoning(text="hm", opaque=opaque), call))
    request = Request(messages=(user("hi"), said, tool_result(call, "3")))
    assert body(request, PRESETS[server].profile)["messages"][1][ECHOED[server]] == "hm"


@pytest.mark.parametrize("server", ["deepseek", "moonshot"])
def test_a_call_of_another_models_goes_with_an_empty_thought_where_none_at_all_is_refused(server: str) -> None:
    # quirk 45: "reasoning_content must be passed back"
    foreign = Reasoning(text="hm", opaque=Opaque(provider="openai", model="m", payload={}))
    call = ToolCall(call_id="c1", name="add", arguments="{}")
    history = (user("hi"), Message(role="assistant", parts=(foreign, call)), tool_result(call, "3"))
    said = body(Request(messages=(*history, assistant("3"), user("more"))), PRESETS[server].profile)["messages"]
    assert said[1]["reasoning_content"] == ""
    assert "reasoning_content" not in said[3]


def test_the_parts_of_a_streamed_thought_go_back_as_the_block_they_were() -> None:
    def chunk(**delta: Any) -> Any:
        return f"data: {json.dumps({'model': 'x', 'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()

    def detail(**facts: Any) -> Any:
        return {"type": "reasoning.text", "index": 0, **facts}

    events = read(
        [
            chunk(reasoning="one ", reasoning_details=[detail(text="one ")]),
            chunk(reasoning="two", reasoning_details=[detail(text="two")]),
            chunk(reasoning_details=[detail(text="", signature="sig")]),
            chunk(content="done"),
            b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n',
        ],
        "openrouter",
    )
    answer, message, _ = outcome(events)
    assert answer is not None
    wire = body(Request(messages=(user("hi"), message, user("more"))), PRESETS["openrouter"].profile)["messages"][1]
    assert wire["reasoning_details"] == [detail(text="one two", signature="sig")]
    assert wire["content"] == "done"


def test_media_goes_in_beside_the_words() -> None:
    parts = (Text(text="see"), Media(media_type="image/png", data="QUJD"), Media(media_type="audio/wav", data="QUJD"))
    content = body(Request(messages=(Message(role="user", parts=parts),)))["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "input_audio"]
    assert content[1]["image_url"]["url"] == "data:image/png;base64,QUJD"
    with pytest.raises(BadRequest):
        body(Request(messages=(Message(role="user", parts=(Media(media_type="application/pdf", url="http://x/y"),)),)))


def test_extra_fields_are_merged_last() -> None:
    assert body(ask(extra={"logprobs": True, "stream": False}))["stream"] is False


def test_instructions_keep_their_role() -> None:
    assert body(Request(messages=(system("be brief"), user("hi"))))["messages"][0] == {
        "role": "system",
        "content": "be brief",
    }
