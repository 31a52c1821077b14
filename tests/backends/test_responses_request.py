"""What goes to the Responses API for a request, and what is said about what does not."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.openai_responses import OpenAIResponses, ResponsesDialect
from graphrt.backends.dialects.responses_request import DEEPSEEK, OPENAI, Variant, request_body
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
from graphrt.backends.remote import bearer
from tests.backends.replay import exchanges, name, outcome, read, succeeded, wire

ADD = ToolSpec(name="add", description="Add.", parameters={"type": "object", "properties": {}})
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def body(request: Request, variant: Variant = OPENAI, model: str = "m") -> Any:
    return request_body(request, model=model, variant=variant)[0]


def warned(request: Request) -> list[str]:
    return [warning.setting for warning in request_body(request, model="m", variant=OPENAI)[1]]


def ask(**more: Any) -> Request:
    return Request(messages=conversation("hello"), **more)


def talk(*parts: Part, extra: dict[str, Any] | None = None) -> Request:
    """A question, the model's answer of these parts, and one more question."""
    messages = (user("hi"), Message(role="assistant", parts=parts), user("more"))
    return Request(messages=messages, extra=extra or {})


def own(**payload: Any) -> Opaque:
    return Opaque(provider="openai_responses", model="m", payload=payload)


def turn(*parts: Part, extra: dict[str, Any] | None = None) -> Any:
    """What goes out for the model's turn."""
    return body(talk(*parts, extra=extra))["input"][1:-1]


# Plain requests.


def test_a_plain_question_asks_the_server_to_remember_nothing() -> None:
    assert body(ask()) == {
        "model": "m",
        "input": [{"role": "user", "content": "hello"}],
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
    }


@pytest.mark.parametrize("model", ["gpt-4o", "openai/gpt-4.1-mini", "gpt-5-chat-latest", "openai.gpt-oss-20b"])
def test_a_model_without_sealed_thoughts_is_not_asked_for_them(model: str) -> None:
    assert "include" not in body(ask(), model=model)
    assert "include" in body(ask(), Variant("azure", sealed=True), model)
    assert "include" not in body(ask(), DEEPSEEK)


@pytest.mark.parametrize("model", ["gpt-5", "o4-mini", "openai/gpt-5-nano", "grok-4.3", "gpt-5.6-luna"])
def test_a_model_that_thinks_is_asked_for_its_sealed_thoughts(model: str) -> None:
    assert body(ask(), model=model)["include"] == ["reasoning.encrypted_content"]


def test_settings_go_under_the_apis_own_names() -> None:
    settings = Settings(max_tokens=5, temperature=0.0, top_p=0.5, reasoning_effort="low", parallel_tool_calls=False)
    sent = body(ask(settings=settings, tools=(ADD,)))
    assert (sent["max_output_tokens"], sent["temperature"], sent["top_p"]) == (5, 0.0, 0.5)
    assert sent["reasoning"] == {"effort": "low"}
    assert sent["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in body(ask(settings=settings))


@pytest.mark.parametrize(
    "setting",
    [{"top_k": 5}, {"min_p": 0.1}, {"seed": 1}, {"stop": ("a",)}, {"presence_penalty": 1}, {"frequency_penalty": 1}],
)
def test_a_setting_that_the_api_has_not_is_warned_about_and_not_sent(setting: dict[str, Any]) -> None:
    # M6
    request = ask(settings=Settings(**setting))
    assert warned(request) == list(setting)
    assert body(request) == body(ask())
    with pytest.raises(UnsupportedSetting, match=next(iter(setting))):
        body(ask(settings=Settings(**setting, strict=True)))


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("auto", None), ("none", "none"), ("required", "required"), ("add", {"type": "function", "name": "add"})],
)
def test_a_tool_choice_is_said_in_the_apis_words(choice: Any, sent: Any) -> None:
    wired = body(ask(tools=(ADD,), tool_choice=choice))
    assert wired.get("tool_choice") == sent
    parameters = {"type": "object", "properties": {}}
    assert wired["tools"] == [
        {"type": "function", "name": "add", "description": "Add.", "parameters": parameters, "strict": False}
    ]


def test_a_choice_of_no_offered_tool_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="multiply"):
        body(ask(tools=(ADD,), tool_choice="multiply"))
    with pytest.raises(BadRequest, match="no tools"):
        body(ask(tool_choice="required"))


def test_a_schema_is_strict_only_where_that_changes_nothing() -> None:
    # the API's own word for "not said" is strict, for tools
    sent = body(ask(output=OutputSchema(name="my answer", schema_=CLOSED)))["text"]["format"]
    assert sent == {"type": "json_schema", "name": "my_answer", "schema": CLOSED, "strict": True}
    loose = {**CLOSED, "required": []}
    assert body(ask(output=OutputSchema(name="x", schema_=loose)))["text"]["format"]["strict"] is False
    assert body(ask(tools=(ToolSpec(name="x", parameters=CLOSED),)))["tools"][0]["strict"] is True


def test_extra_fields_are_merged_last() -> None:
    sent = body(ask(extra={"include": ["message.output_text.logprobs"], "stream": False}))
    assert (sent["include"], sent["stream"]) == (["message.output_text.logprobs"], False)


def test_instructions_go_first_and_later_ones_stay_in_their_place() -> None:
    sent = body(Request(messages=(system("be brief"), system("be kind"), user("hi"), system("be quick"))))
    assert sent["instructions"] == "be brief\n\nbe kind"
    assert sent["input"] == [{"role": "user", "content": "hi"}, {"role": "system", "content": "be quick"}]
    alone = body(Request(messages=(system("be brief"),)))
    assert alone["input"] == [{"role": "system", "content": "be brief"}]
    assert "instructions" not in alone


def test_media_goes_in_beside_the_words() -> None:
    parts = (
        Text(text="see"),
        Media(media_type="image/png", data="QUJD"),
        Media(media_type="image/png", url="http://x/y.png"),
        Media(media_type="application/pdf", data="QUJD"),
        Media(media_type="application/pdf", url="http://x/y.pdf"),
    )
    assert body(Request(messages=(Message(role="user", parts=parts),)))["input"][0]["content"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
        {"type": "input_image", "image_url": "http://x/y.png"},
        {"type": "input_file", "filename": "file.pdf", "file_data": "data:application/pdf;base64,QUJD"},
        {"type": "input_file", "file_url": "http://x/y.pdf"},
    ]


def test_a_sound_is_warned_about_and_told_in_words() -> None:
    request = Request(messages=(Message(role="user", parts=(Media(media_type="audio/wav", data="QUJD"),)),))
    assert body(request)["input"] == [{"role": "user", "content": "[audio/wav]"}]
    assert warned(request) == ["messages"]


# The conversation.


def test_results_of_calls_that_the_server_remembers_are_sent_without_them() -> None:
    result = Message(role="tool", parts=(ToolResult(call_id="c1", name="add", content="3"),))
    for extra in ({"previous_response_id": "resp_1"}, {"conversation": "conv_1"}):
        sent = body(Request(messages=(result,), extra=extra))["input"]
        assert sent == [{"type": "function_call_output", "call_id": "c1", "output": "3"}]
    assert body(Request(messages=(result,)))["input"] == [{"role": "user", "content": "Result of add: 3"}]


def test_calls_and_results_are_items_of_their_own() -> None:
    call = ToolCall(call_id="c1", name="add", arguments="")
    said = Message(role="assistant", parts=(Text(text="Let me see."), call))
    sent = body(Request(messages=(user("hi"), said, tool_result(call, "3"))))["input"]
    assert sent[1:] == [
        {"role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
    ]


def test_a_thought_goes_back_to_its_own_model_only_right_before_what_it_preceded() -> None:
    # M2
    item = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "content": []}
    thought = Reasoning(text="hm", opaque=own(item={**item, "encrypted_content": "sealed"}))
    rest = Reasoning(text="more of the same item")
    call = ToolCall(call_id="c1", name="add", arguments="{}", opaque=own(item={"type": "function_call", "id": "fc_1"}))
    assert turn(thought, rest, call)[:2] == [
        {"type": "reasoning", "summary": item["summary"], "encrypted_content": "sealed"},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
    ]
    for variant, model in ((Variant("xai"), "m"), (OPENAI, "other")):
        sent = json.dumps(body(talk(thought, rest, call), variant, model))
        assert "sealed" not in sent
        assert "hm" not in sent
        assert "fc_1" not in sent


def test_a_thought_of_which_only_the_id_is_left_stays_behind() -> None:
    # the server would look it up: "Item with id 'rs_1' not found"
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    thought, text = Reasoning(opaque=own(item=item)), Text(text="hi", opaque=own(item={"id": "msg_1"}))
    assert turn(thought, text) == [{"role": "assistant", "content": "hi"}]
    # where it is stored, both ids go back: one is refused without the other
    said = [{"type": "output_text", "text": "hi", "annotations": []}]
    assert turn(thought, text, extra={"store": True}) == [
        item,
        {"type": "message", "id": "msg_1", "role": "assistant", "content": said},
    ]


def test_a_thought_that_nothing_followed_is_not_sent() -> None:
    thought = Reasoning(opaque=own(item={"type": "reasoning", "summary": [], "encrypted_content": "sealed"}))
    assert turn(thought) == []


def test_the_parts_of_a_message_go_back_in_one_with_their_citations_and_phase() -> None:
    cited = [{"type": "url_citation", "url": "http://x"}]
    meta = {"id": "msg_1", "phase": "commentary", "status": "completed"}
    first = Text(text="a", opaque=own(item=meta, part={"annotations": cited}))
    second = Refusal(text="b", opaque=own(item=meta))
    other = Text(text="c", opaque=own(item={"id": "msg_2"}))
    assert turn(first, second, other) == [
        {
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "a", "annotations": cited},
                {"type": "refusal", "refusal": "b"},
            ],
            "phase": "commentary",
        },
        {"role": "assistant", "content": "c"},
    ]


def test_what_the_server_did_goes_back_whole_to_it_alone() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
    searched = ServerTool(name="web_search_call", opaque=own(item=item))
    assert turn(searched, Text(text="found")) == [item, {"role": "assistant", "content": "found"}]
    assert "search" not in json.dumps(body(talk(searched, Text(text="found")), Variant("xai")))


def test_what_the_server_asked_us_to_run_goes_back_with_its_result_or_not_at_all() -> None:
    ran = {"type": "local_shell_call", "call_id": "c1", "action": {"command": ["ls"]}}
    told = {"type": "local_shell_call_output", "call_id": "c1", "output": "a.txt"}
    asked = Message(role="assistant", parts=(ServerTool(name="local_shell_call", opaque=own(item=ran)),))
    result = Message(role="user", parts=(ServerTool(name="local_shell_call_output", opaque=own(item=told)),))
    assert body(Request(messages=(user("hi"), asked, result)))["input"][1:] == [ran, told]
    alone = Request(messages=(user("hi"), asked, user("more")))
    assert [item["role"] for item in body(alone)["input"]] == ["user", "user"]
    assert warned(alone) == ["messages"]


def test_a_call_of_free_text_is_answered_in_kind_and_is_an_ordinary_call_to_others() -> None:
    call = ToolCall(call_id="c1", name="sql", arguments="select 1", opaque=own(item={"type": "custom_tool_call"}))
    request = Request(messages=(user("hi"), Message(role="assistant", parts=(call,)), tool_result(call, "1")))
    assert body(request)["input"][1:] == [
        {"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": "select 1"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "1"},
    ]
    foreign = body(request, Variant("xai"))["input"][1:]
    assert [item["type"] for item in foreign] == ["function_call", "function_call_output"]
    assert json.loads(foreign[0]["arguments"]) == {"invalid_json": "select 1"}


def test_calls_stand_together_at_the_end_where_the_server_splits_them_otherwise() -> None:
    # quirk 53: "No tool output found for tool call"
    calls = [ToolCall(call_id=id_, name="read", arguments="{}") for id_ in ("a", "b")]
    mixed = Message(role="assistant", parts=(Text(text="one"), calls[0], Text(text="two"), calls[1]))
    request = Request(messages=(user("hi"), mixed, tool_result(calls[0], "1"), tool_result(calls[1], "2")))
    kinds = [item.get("type") or item["content"] for item in body(request, DEEPSEEK)["input"]]
    assert kinds[1:] == ["one", "two", *["function_call"] * 2, *["function_call_output"] * 2]
    assert [item.get("type") for item in body(request)["input"]][1:5] == [None, "function_call", None, "function_call"]


def test_payloads_of_another_dialect_of_the_same_provider_are_not_read() -> None:
    call = ToolCall(call_id="c1", name="add", arguments="{}", opaque=own(type="custom"))
    parts = (Reasoning(text="hm", opaque=own(field="reasoning", details=[])), Text(text="x", opaque=own(item=3)), call)
    odd = ServerTool(name="annotations", opaque=Opaque(provider="openai_responses", payload=["odd"]))
    assert turn(*parts, odd)[:2] == [
        {"role": "assistant", "content": "x"},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
    ]


def test_a_history_of_another_provider_is_sent_without_what_only_that_one_reads() -> None:
    # M2: foreign payloads, strange ids, orphans, a cut call, an empty turn, media
    foreign = Opaque(provider="anthropic", model="claude", payload={"signature": "SECRET", "item": {"id": "SECRET"}})
    strange = "".join(chr(0x4E00 + n) for n in range(64))
    called = ToolCall(call_id=strange, name="add", arguments='{"a": 1}', opaque=foreign)
    cut = ToolCall(call_id="x" * 80, name="add", arguments='{"a": 1, "b', complete=False)
    said = (
        Reasoning(text="SECRET", opaque=foreign),
        Text(text="", opaque=foreign),
        Text(text="one ", opaque=foreign),
        Refusal(text="no", opaque=foreign),
        ServerTool(name="web_search", opaque=foreign),
        Media(media_type="image/png", data="QUJD"),
        called,
        cut,
    )
    messages = (
        user("hi"),
        Message(role="assistant", parts=said),
        tool_result(called, "3", is_error=True),
        Message(role="tool", parts=(ToolResult(call_id="nobody", name="lost", content="found"),)),
        Message(role="assistant", parts=()),
        Message(role="user", parts=(ServerTool(name="web_search_result", opaque=foreign),)),
        user("go on"),
    )
    sent, warnings = request_body(Request(messages=messages), model="m", variant=OPENAI)
    assert "SECRET" not in json.dumps(sent)
    assert len(warnings) == 3
    valid(sent["input"])
    assert sent["input"][1] == {
        "role": "assistant",
        "content": [
            {"type": "output_text", "text": "one "},
            {"type": "refusal", "refusal": "no"},
            {"type": "output_text", "text": "[image/png]"},
        ],
    }
    assert json.loads(sent["input"][3]["arguments"]) == {"invalid_json": cut.arguments}
    assert sent["input"][6:] == [
        {"role": "user", "content": "Result of lost: found"},
        {"role": "user", "content": "go on"},
    ]


def valid(items: Iterable[dict[str, Any]]) -> None:
    """The rules whose breach the API answers with a 400."""
    waiting: dict[str, str] = {}
    before: dict[str, Any] = {}
    for item in items:
        kind = item.get("type", "message")
        if kind in {"function_call", "custom_tool_call"}:
            assert len(item["call_id"]) <= 64
            assert item["call_id"].isascii()
            assert item["call_id"] not in waiting
            waiting[item["call_id"]] = kind
        elif kind in {"function_call_output", "custom_tool_call_output"}:
            assert waiting.pop(item["call_id"]) == kind.removesuffix("_output")
        elif kind == "message":
            assert item["role"] in {"user", "assistant", "system"}
            assert item["content"] or item["role"] == "user"
        if before.get("type") == "reasoning":
            assert item.get("role") != "user"
        before = item
    assert not waiting
    assert before.get("type") != "reasoning"


# What was recorded.

EXCHANGES = [(path, json.loads(path.read_text("utf-8"))) for path in exchanges("responses")]
ANSWERED = [path for path, _ in EXCHANGES if succeeded(path)]
ASKED = [path for path, exchange in EXCHANGES if "input" in ((exchange["request"] or {}).get("body") or {})]

HANDLED = {
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "tool_choice",
}


def request_of(recorded: dict[str, Any]) -> Request:
    """A recorded body as a request of ours; what has no word of ours goes into `extra`."""
    extra = {key: value for key, value in recorded.items() if key not in HANDLED}
    settings: dict[str, Any] = {
        "max_tokens": recorded.get("max_output_tokens"),
        "temperature": recorded.get("temperature"),
    }
    settings |= {key: recorded.get(key) for key in ("top_p", "parallel_tool_calls")}
    if list(recorded.get("reasoning") or ()) == ["effort"]:
        settings["reasoning_effort"] = extra.pop("reasoning")["effort"]
    if (recorded.get("text") or {}).get("format", {}).get("type") == "json_schema" and len(recorded["text"]) == 1:
        form = extra.pop("text")["format"]
        extra["_output"] = OutputSchema(name=form["name"], schema_=form["schema"])
    tools: tuple[ToolSpec, ...] = ()
    plain = {"type", "name", "description", "parameters", "strict"}
    if all(tool["type"] == "function" and tool.keys() <= plain for tool in recorded.get("tools") or ()):
        tools = tuple(
            ToolSpec(name=tool["name"], description=tool.get("description") or "", parameters=tool["parameters"])
            for tool in extra.pop("tools", None) or ()
        )
    choice = recorded.get("tool_choice") or "auto"
    if "store" not in extra:
        extra["store"] = True  # as the server takes it where nothing is said
    items = recorded["input"]
    items = [{"role": "user", "content": items}] if isinstance(items, str) else items
    return Request(
        messages=conversation(list(turns(items, recorded["model"])), instructions=recorded.get("instructions")),
        settings=Settings(**settings),
        tools=tools,
        tool_choice=choice if isinstance(choice, str) or not tools else choice["name"],
        output=extra.pop("_output", None),
        extra=extra,
    )


def turns(items: list[dict[str, Any]], model: str) -> Iterator[Message]:
    said: list[Part] = []
    names = {item.get("call_id"): item.get("name") for item in items}
    for item in items:
        role = item.get("role")
        answered = item.get("type") == "function_call_output"
        if said and (role not in {None, "assistant"} or answered or (role and isinstance(said[-1], Text))):
            yield Message(role="assistant", parts=tuple(said))
            said = []
        if role == "assistant":
            said += texts(item, model)
        elif item.get("type") == "additional_tools":
            yield Message(role="user", parts=(ServerTool(name=item["type"], opaque=sealed(model, item=item)),))
        elif role is not None:
            parts = tuple(given(piece) for piece in pieces(item["content"]))
            yield Message(role="user" if role == "user" else "system", parts=parts)
        elif answered:
            result = ToolResult(call_id=item["call_id"], name=str(names[item["call_id"]]), content=str(item["output"]))
            yield Message(role="tool", parts=(result,))
        elif item["type"] == "function_call":
            meta = {key: value for key, value in item.items() if key not in {"call_id", "name", "arguments"}}
            known = {"call_id": item["call_id"], "name": item["name"], "arguments": item["arguments"]}
            said.append(ToolCall(**known, opaque=sealed(model, item=meta)))
        elif item["type"] == "reasoning":
            said.append(Reasoning(opaque=sealed(model, item=item)))
        else:
            said.append(ServerTool(name=item["type"], opaque=sealed(model, item=item)))
    if said:
        yield Message(role="assistant", parts=tuple(said))


def sealed(model: str, **payload: Any) -> Opaque:
    return Opaque(provider="openai_responses", model=model, payload=payload)


def texts(item: dict[str, Any], model: str) -> list[Part]:
    if not {"id", "phase"} & item.keys():
        return [Text(text=piece["text"]) for piece in pieces(item["content"])]
    meta = {key: value for key, value in item.items() if key not in {"type", "role", "content"}}
    found: list[Part] = []
    for piece in pieces(item["content"]):
        rest = {key: value for key, value in piece.items() if key not in {"type", "text"} and value}
        found.append(Text(text=piece["text"], opaque=sealed(model, item=meta, part=rest)))
    return found


def pieces(content: Any) -> list[dict[str, Any]]:
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content


def given(piece: dict[str, Any]) -> Part:
    if piece["type"] == "input_text":
        return Text(text=piece["text"])
    kind = "image/png" if piece["type"] == "input_image" else "application/pdf"
    url = piece.get("image_url") or piece.get("file_url")
    data = str(piece.get("file_data", "")).partition(";base64,")[2] or piece.get("file_data")
    return Media(media_type=kind, url=url, data=None if url else data)


def plainly(sent: dict[str, Any]) -> dict[str, Any]:
    """A body without the choices in which two that mean the same may differ. Each is named."""
    plain = {key: value for key, value in sent.items() if value not in (None, [], "")}
    # ours always streams, remembers nothing and asks for sealed thoughts, unless `extra` says otherwise
    for key in ("stream", "store", "include"):
        plain.pop(key, None)
    if plain.get("tool_choice") == "auto":
        del plain["tool_choice"]
    # ours is strict where the schema is; others say it always, never, or leave it open
    plain["tools"] = [{k: v for k, v in tool.items() if k != "strict" and v} for tool in plain.get("tools", [])]
    form = (plain.get("text") or {}).get("format", {})
    if form:
        plain["text"] = {**plain["text"], "format": {k: v for k, v in form.items() if k != "strict" and v}}
    items = plain["input"] if isinstance(plain["input"], list) else [{"role": "user", "content": plain["input"]}]
    # a turn of the model's in which nothing is said is not told
    plain["input"] = [one(item) for item in items if item.get("content") or item.get("role") != "assistant"]
    # instructions in words may stand before the rest or in their own field
    words = [plain.pop("instructions")] if "instructions" in plain else []
    while plain["input"] and plain["input"][0].get("role") == "system":
        words += [piece["text"] for piece in plain["input"].pop(0)["content"]]
    return {**plain, "words": "\n\n".join(words)}


def one(item: dict[str, Any]) -> dict[str, Any]:
    # nothing said is nothing said, and a text alone is a list of one
    plain = {key: value for key, value in item.items() if value is not None and (value != [] or key == "summary")}
    if plain.get("type") == "message":
        del plain["type"]
    if plain.get("role") == "developer" and "content" in plain:
        plain["role"] = "system"  # two names of one role
    if "content" in plain and "role" in plain:
        known = {"input_text": "text", "output_text": "text"}
        plain["content"] = [
            {key: value for key, value in {**piece, "type": known.get(piece["type"], piece["type"])}.items() if value}
            for piece in pieces(plain["content"])
        ]
        for piece in plain["content"]:
            # how closely to look at an image, what a file is called and what it is of is not ours to say
            for key in ("detail", "filename", "file_data"):
                piece.pop(key, None)
    return plain


DIFFERENT = {
    "openai/responses.full.error_400.5a2f3213": "a file as a result: results of ours are text",
    "openai/responses.full.cached_prompt.d69e9189": "a mark for the cache on a piece of content",
}


@pytest.mark.parametrize("path", ASKED, ids=name)
def test_a_recorded_request_is_what_we_would_have_sent(path: Path) -> None:
    recorded = json.loads(path.read_text("utf-8"))["request"]["body"]
    sent = body(request_of(recorded), model=recorded["model"])
    same = plainly(json.loads(json.dumps(sent))) == plainly(recorded)
    assert same is (name(path) not in DIFFERENT)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("path", ANSWERED, ids=name)
def test_a_recorded_answer_goes_back_as_history_that_the_api_takes(path: Path, stored: bool) -> None:
    # M2: ids pair, and what is sealed goes back as it came
    exchange = json.loads(path.read_text("utf-8"))
    dialect = ResponsesDialect(Variant(exchange["provider"]))
    _, message, _ = outcome(read([wire(exchange["response"])], dialect=dialect))
    results = tuple(tool_result(call, "done") for call in message.tool_calls)
    request = Request(messages=(user("hi"), message, *results, user("more")), extra={"store": stored})
    items = dialect.write(request, "m").body["input"]
    valid(items)
    told = [item for item in items if item.get("role") == "assistant"]
    texts = [piece["text"] for item in told for piece in pieces(item["content"]) if "text" in piece]
    assert "".join(texts) == exchange["expected"]["text"]
    calls = [item for item in items if item.get("type") in {"function_call", "custom_tool_call"}]
    assert [call["call_id"] for call in calls] == [call["id"] for call in exchange["expected"]["tool_calls"]]
    ended = [item for item in output(exchange["response"]) if item["type"] != "message"]
    waiting = any(item["type"] in {"local_shell_call", "shell_call", "computer_call"} for item in ended)
    if stored and ended and not waiting and exchange["expected"]["finish"] in {"stop", "tool_calls"}:
        ours = {"function_call_output", "custom_tool_call_output"}
        sent = [item for item in items if "role" not in item and item["type"] not in ours]
        assert sent == [tidy(item) for item in ended]
        assert all("id" in item for item in told)


def output(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of a recorded answer, as they were when each had ended."""
    if response.get("body_text") is None:
        return list(response["body"]["output"])
    events = [line[5:] for line in response["body_text"].splitlines() if line.startswith("data: {")]
    return [event["item"] for event in map(json.loads, events) if event["type"] == "response.output_item.done"]


def tidy(item: dict[str, Any]) -> dict[str, Any]:
    if item["type"] == "reasoning":
        return {key: value for key, value in item.items() if value or key == "summary"}
    # one server leaves fields of the stream in its items
    kept = {key: value for key, value in item.items() if key not in {"item_id", "output_index"}}
    return kept if item["type"] != "function_call" or kept["arguments"] else {**kept, "arguments": "{}"}


def test_a_model_is_opened_at_its_address_with_its_key_out_of_sight() -> None:
    # M9
    backend = OpenAIResponses("gpt-5", key="sk-secret", base_url="https://x.openai.azure.com/openai/v1", auth=bearer)
    assert backend.name == "openai_responses:gpt-5"
    assert backend.dialect.write(ask(), "gpt-5").path == "/responses"
    assert "secret" not in repr(backend)
