"""What goes to Google's generateContent for a request, and what is said about what does not."""

import json
import re
from collections.abc import Iterable, Mapping
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.dialect import Asked
from graphrt.backends.dialects.gemini import Gemini, GeminiDialect, VertexGemini, google_key, vertex_address
from graphrt.backends.errors import BadRequest, UnsupportedSetting
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
from tests.backends.replay import exchanges, name, outcome, read, succeeded, wire

GOOGLE = GeminiDialect()
NEW, OLD = "gemini-3-flash-preview", "gemini-2.5-flash"
UNSIGNED = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
ADD = ToolSpec(name="add", description="Add.", parameters={"type": "object", "properties": {}})


def write(request: Request, model: str = OLD) -> Asked:
    return GOOGLE.write(request, model)


def body(request: Request, model: str = OLD) -> Any:
    return write(request, model).body


def warned(request: Request, model: str = OLD) -> list[str]:
    return [warning.setting for warning in write(request, model).warnings]


def ask(**more: Any) -> Request:
    return Request(messages=conversation("hello"), **more)


def said(*parts: Part) -> Message:
    return Message(role="assistant", parts=parts)


def talk(*messages: Message) -> Request:
    return Request(messages=messages)


def sealed(model: str = OLD, provider: str = "google", **payload: Any) -> Opaque:
    return Opaque(provider=provider, model=model, payload=payload)


# settings


def test_a_plain_question_asks_for_nothing_that_was_not_asked() -> None:
    assert write(ask()) == Asked(
        f"/v1beta/models/{OLD}:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    )


def test_settings_go_under_googles_own_names() -> None:
    settings = Settings(
        max_tokens=5,
        temperature=0.0,
        top_p=0.5,
        top_k=3,
        seed=1,
        stop=("a",),
        presence_penalty=0.1,
        frequency_penalty=0.2,
        parallel_tool_calls=True,
        strict=True,
    )
    assert body(ask(settings=settings))["generationConfig"] == {
        "maxOutputTokens": 5,
        "temperature": 0.0,
        "topP": 0.5,
        "topK": 3,
        "seed": 1,
        "stopSequences": ["a"],
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
    }


@pytest.mark.parametrize(
    ("setting", "settings"),
    [
        ("min_p", Settings(min_p=0.1)),
        ("parallel_tool_calls", Settings(parallel_tool_calls=False)),
        ("reasoning_effort", Settings(reasoning_effort="extreme")),
        ("stop", Settings(stop=tuple("abcdef"))),
    ],
)
def test_a_setting_that_cannot_be_honoured_is_warned_about_and_in_strict_mode_an_error(
    setting: str, settings: Settings
) -> None:
    # M6
    assert warned(ask(settings=settings, tools=(ADD,))) == [setting]
    with pytest.raises(UnsupportedSetting, match=setting):
        write(ask(settings=settings.model_copy(update={"strict": True}), tools=(ADD,)))


def test_no_more_stop_strings_are_sent_than_google_takes() -> None:
    assert body(ask(settings=Settings(stop=tuple("abcdef"))))["generationConfig"]["stopSequences"] == list("abcde")


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-flash-lite", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("gemini-2.5-pro", "high", {"thinkingBudget": 24576, "includeThoughts": True}),
        ("gemini-2.5-pro", "none", None),
        ("gemini-3-flash-preview", "minimal", {"thinkingLevel": "MINIMAL", "includeThoughts": True}),
        ("models/gemini-3.1-pro-preview", "medium", {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        ("gemini-3.1-pro-preview", "minimal", None),
        ("gemini-3-pro-preview", "medium", None),
        ("gemini-2.0-flash", "low", None),
        ("gemini-2.5-flash-image", "low", None),
        ("gemini-flash-latest", "low", None),
    ],
)
def test_an_effort_is_told_as_the_model_takes_it(model: str, effort: str, config: Any) -> None:
    asked = write(ask(settings=Settings(reasoning_effort=effort)), model)
    assert asked.body.get("generationConfig", {}).get("thinkingConfig") == config
    assert [warning.setting for warning in asked.warnings] == ([] if config else ["reasoning_effort"])


# tools and output


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        ("auto", None),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ("add", {"mode": "ANY", "allowedFunctionNames": ["add"]}),
    ],
)
def test_a_tool_choice_is_said_in_googles_words(choice: Any, calling: Any) -> None:
    sent = body(ask(tools=(ADD,), tool_choice=choice))
    assert sent.get("toolConfig") == (calling and {"functionCallingConfig": calling})
    declared = {"name": "add", "description": "Add.", "parametersJsonSchema": dict(ADD.parameters)}
    assert sent["tools"] == [{"functionDeclarations": [declared]}]


def test_a_choice_of_no_offered_tool_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="multiply"):
        write(ask(tools=(ADD,), tool_choice="multiply"))
    with pytest.raises(BadRequest, match="no tools"):
        write(ask(tool_choice="required"))
    assert "toolConfig" not in body(ask(tool_choice="none"))


def test_a_schema_goes_nearly_as_it_is() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "const": {"const": 1},
            "examples": {"type": "integer", "exclusiveMinimum": 0, "examples": [1]},
            "x": {"$ref": "#/$defs/x"},
        },
        "additionalProperties": False,
        "$defs": {"x": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/x"}]}},
    }
    asked = write(ask(output=OutputSchema(name="x", schema_=schema)))
    assert asked.warnings == ()
    assert asked.body["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {
            "type": "object",
            "properties": {
                "const": {"enum": [1]},
                "examples": {"type": "integer", "minimum": 1},
                "x": {"$ref": "#/$defs/x"},
            },
            "additionalProperties": False,
            "$defs": {"x": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/x"}]}},
        },
    }


def test_a_bound_that_google_cannot_keep_is_warned_about() -> None:
    schema = {"type": "array", "items": {"type": "number", "exclusiveMaximum": 1.5}}
    request = ask(output=OutputSchema(name="x", schema_=schema))
    assert warned(request) == ["output"]
    sent = body(request)["generationConfig"]["responseJsonSchema"]
    items = {"type": "number", "maximum": 1.5, "description": "exclusiveMaximum: 1.5"}
    assert sent == {"type": "array", "items": items}


def test_a_schema_beside_tools_is_promised_by_the_new_models_only() -> None:
    request = ask(output=OutputSchema(name="x", schema_={"type": "object"}), tools=(ADD,))
    assert warned(request, OLD) == ["output"]
    assert "generationConfig" not in body(request, OLD)
    assert warned(request, NEW) == []
    assert "responseJsonSchema" in body(request, NEW)["generationConfig"]


def test_extra_fields_have_the_last_word_and_take_nothing_away() -> None:
    extra = {
        "tools": [{"googleSearch": {}}],
        "generationConfig": {"responseModalities": ["IMAGE"], "seed": 2},
        "safetySettings": [],
    }
    sent = body(ask(settings=Settings(temperature=0.5, seed=1), tools=(ADD,), extra=extra))
    assert [sorted(tool) for tool in sent["tools"]] == [["functionDeclarations"], ["googleSearch"]]
    assert sent["generationConfig"] == {"temperature": 0.5, "seed": 2, "responseModalities": ["IMAGE"]}
    assert sent["safetySettings"] == []


# conversations


def test_instructions_stand_apart() -> None:
    sent = body(talk(system("be brief"), system("be kind"), user("hi")))
    assert sent["systemInstruction"] == {"parts": [{"text": "be brief"}, {"text": "be kind"}]}
    assert [content["role"] for content in sent["contents"]] == ["user"]


def test_an_instruction_amid_the_conversation_is_told_before_it_with_a_warning() -> None:
    request = talk(user("hi"), assistant("hello"), system("be brief"), user("more"))
    assert warned(request) == ["messages"]
    assert body(request)["systemInstruction"] == {"parts": [{"text": "be brief"}]}
    assert len(body(request)["contents"]) == 3


def test_parallel_results_stand_alone_in_the_order_of_their_calls() -> None:
    calls = [
        ToolCall(call_id=id_, name="add", arguments=f'{{"a": "{id_}"}}', opaque=sealed(id=id_)) for id_ in ("x", "y")
    ]
    results = [tool_result(calls[1], "2", is_error=True), tool_result(calls[0], "1"), user("and?")]
    contents = body(talk(user("hi"), said(Text(text="so:"), *calls), *results))["contents"]
    assert contents[1] == {
        "role": "model",
        "parts": [
            {"text": "so:"},
            {"functionCall": {"id": "x", "name": "add", "args": {"a": "x"}}},
            {"functionCall": {"id": "y", "name": "add", "args": {"a": "y"}}},
        ],
    }
    assert contents[2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "x", "name": "add", "response": {"output": "1"}}},
            {"functionResponse": {"id": "y", "name": "add", "response": {"error": "2"}}},
        ],
    }
    assert contents[3] == {"role": "user", "parts": [{"text": "and?"}]}


def test_a_call_without_a_native_id_is_paired_by_name() -> None:
    call = ToolCall(call_id="made-1", name="add", synthetic_id=True)
    contents = body(talk(user("hi"), said(call), tool_result(call, "3")))["contents"]
    assert contents[1]["parts"] == [{"functionCall": {"name": "add", "args": {}}}]
    assert contents[2]["parts"] == [{"functionResponse": {"name": "add", "response": {"output": "3"}}}]


def test_a_signature_goes_back_on_its_own_part_and_to_its_own_model_only() -> None:
    # M2
    call = ToolCall(call_id="c", name="add", opaque=sealed(id="c", thoughtSignature="sig-1"))
    message = said(
        Reasoning(text="hm", opaque=sealed(thoughtSignature="sig-0")),
        Reasoning(text="unsigned"),
        call,
        Text(text="", opaque=sealed(thoughtSignature="sig-2")),
        Media(media_type="image/png", data="QUJD", opaque=sealed(thoughtSignature="sig-3")),
        ServerTool(name="executableCode", opaque=sealed(part={"executableCode": {"code": "1"}})),
        ServerTool(name="groundingMetadata", opaque=sealed(facts=[{"webSearchQueries": ["x"]}])),
    )
    request = talk(user("hi"), message, tool_result(call, "3"))
    assert body(request)["contents"][1]["parts"] == [
        {"text": "hm", "thought": True, "thoughtSignature": "sig-0"},
        {"functionCall": {"id": "c", "name": "add", "args": {}}, "thoughtSignature": "sig-1"},
        {"text": "", "thoughtSignature": "sig-2"},
        {"inlineData": {"mimeType": "image/png", "data": "QUJD"}, "thoughtSignature": "sig-3"},
        {"executableCode": {"code": "1"}},
    ]
    elsewhere = [GOOGLE.write(request, "gemini-2.5-pro"), GeminiDialect("google_vertex").write(request, OLD)]
    for asked in elsewhere:
        assert asked.body["contents"][1]["parts"] == [
            {"functionCall": {"name": "add", "args": {}}},
            {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
        ]


def test_a_new_model_is_told_that_a_call_is_not_its_own() -> None:
    calls = [ToolCall(call_id=id_, name="add") for id_ in ("x", "y")]
    parts = body(talk(user("hi"), said(*calls), *(tool_result(call, "3") for call in calls)), NEW)["contents"][1][
        "parts"
    ]
    assert [part.get("thoughtSignature") for part in parts] == [UNSIGNED, None]


def test_turns_of_the_model_are_one_and_an_empty_one_is_none() -> None:
    # a call must come right after the user or a result
    call = ToolCall(call_id="c", name="add")
    empty = said(Text(text=""), Reasoning(text="hm"))
    sent = body(talk(user("hi"), assistant("so:"), empty, said(call), tool_result(call, "3"), empty, user("go")))
    assert [content["role"] for content in sent["contents"]] == ["user", "model", "user", "user"]
    assert [sorted(part) for part in sent["contents"][1]["parts"]] == [["text"], ["functionCall"]]


def test_the_user_speaks_first_and_last() -> None:
    for messages in ([assistant("hello")], [system("be brief")], [user("hi"), assistant("hello")], []):
        request = talk(*messages)
        roles = [content["role"] for content in body(request)["contents"]]
        assert (roles[0], roles[-1]) == ("user", "user")
        assert set(warned(request)) == {"messages"}


def test_media_goes_in_beside_the_words() -> None:
    parts: tuple[Part, ...] = (
        Text(text="see"),
        Media(media_type="image/png", data="QUJD"),
        Media(media_type="video/mp4", url="https://example.org/v.mp4"),
        Media(media_type="image/*", url="https://example.org/i"),
    )
    assert body(talk(Message(role="user", parts=parts)))["contents"][0]["parts"] == [
        {"text": "see"},
        {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://example.org/v.mp4"}},
        {"fileData": {"fileUri": "https://example.org/i"}},
    ]


def test_a_history_that_another_provider_had_goes_without_what_only_that_one_can_read() -> None:
    # M2
    foreign = Opaque(provider="anthropic", model=OLD, payload={"thoughtSignature": "SEALED", "part": {"SEALED": 1}})
    odd = "".join(map(chr, range(0x2460, 0x24A0)))
    call = ToolCall(call_id=odd, name="web search!", arguments='{"q": 1}', opaque=foreign)
    cut = ToolCall(call_id="cut", name="", arguments='{"a": 1, "b', complete=False)
    request = talk(
        user("hi"),
        said(
            Reasoning(text="SEALED", opaque=foreign),
            Text(text="so:", opaque=foreign),
            ServerTool(name="web_search", opaque=foreign),
            call,
        ),
        tool_result(call, "found"),
        said(),
        Message(role="tool", parts=(ToolResult(call_id="nobody", name="lost", content="orphan"),)),
        said(Refusal(text="I will not."), Media(media_type="image/png", data="QUJD")),
        user("go on"),
        said(cut),
        user("well?"),
    )
    for model in (OLD, NEW):
        sent = body(request, model)
        valid(sent)
        text = json.dumps(sent, ensure_ascii=False)
        for word in ("SEALED", odd):
            assert word not in text
        for word in ("so:", "found", "orphan", "I will not.", "QUJD", "invalid_json"):
            assert word in text
        names = [part["functionCall"]["name"] for part in pieces(sent) if "functionCall" in part]
        assert names == ["web_search_", "_"]
        assert set(warned(request, model)) == {"messages"}


def test_a_payload_of_another_shape_is_no_payload() -> None:
    payloads: tuple[Any, ...] = (None, [], "x", {"part": "x", "id": None, "thoughtSignature": ""})
    for payload in payloads:
        opaque = Opaque(provider="google", model=OLD, payload=payload)
        call = ToolCall(call_id="c", name="add", opaque=opaque)
        request = talk(user("hi"), said(ServerTool(name="x", opaque=opaque), call), tool_result(call, "3"))
        assert body(request)["contents"][1]["parts"] == [{"functionCall": {"name": "add", "args": {}}}]


# addresses


def test_each_door_of_google_has_its_own_address_and_key() -> None:
    # M9
    assert Gemini("gemini-2.5-flash", key="secret").name == "google:gemini-2.5-flash"
    assert google_key("k") == {"x-goog-api-key": "k"}
    assert GOOGLE.write(ask(), "tunedModels/a b").path == "/v1beta/tunedModels/a%20b:streamGenerateContent?alt=sse"
    vertex = VertexGemini("gemini-2.5-flash", project="p", location="us-east1", key="secret")
    where = "/v1beta1/projects/p/locations/us-east1/publishers/google/models/gemini-2.5-flash"
    assert vertex.dialect.write(ask(), vertex.model).path == f"{where}:streamGenerateContent?alt=sse"
    assert vertex.name == "google_vertex:gemini-2.5-flash"
    assert "secret" not in repr(vertex)
    assert vertex_address("us-east1") == "https://us-east1-aiplatform.googleapis.com"
    assert vertex_address("global") == "https://aiplatform.googleapis.com"


@pytest.mark.anyio
async def test_a_question_carries_the_key_and_asks_for_an_event_stream() -> None:
    chunk = {"candidates": [{"content": {"parts": [{"text": "ok"}]}, "finishReason": "STOP"}], "modelVersion": "g"}
    with serve(Whole(f"data: {json.dumps(chunk)}\r\n\r\n".encode())) as server:
        backend = Gemini("g", base_url=server.base_url, key="secret")
        try:
            answer = await complete(backend.stream(ask()))
        finally:
            await backend.aclose()
    (got,) = server.received
    assert (answer.text, answer.finish, answer.model) == ("ok", "stop", "g")
    assert got.path.endswith("/v1beta/models/g:streamGenerateContent?alt=sse")
    assert got.headers["x-goog-api-key"] == "secret"
    assert "authorization" not in got.headers


# recorded answers go back


ANSWERS = [path for path in exchanges("generate_content") if succeeded(path)]


def pieces(sent: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [part for content in sent["contents"] for part in content["parts"]]


def valid(sent: Mapping[str, Any]) -> None:
    """What Google checks of a history."""
    contents = sent["contents"]
    assert contents[0]["role"] == contents[-1]["role"] == "user"
    for before, after in zip([{"role": "user", "parts": []}, *contents], [*contents, None], strict=True):
        assert before["role"] in {"user", "model"}
        assert before["parts"] or after is contents[0]
        for part in before["parts"]:
            assert part.get("text") != "" or part.get("thoughtSignature")
        calls = [part["functionCall"] for part in before["parts"] if "functionCall" in part]
        results = [part["functionResponse"] for part in (after or {"parts": []})["parts"] if "functionResponse" in part]
        if before["role"] == "model":
            assert after is not None
            assert after["role"] == "user"
            assert [(call["name"], call.get("id")) for call in calls] == [(r["name"], r.get("id")) for r in results]
            assert not results or len(results) == len(after["parts"])
            assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}", call["name"]) for call in calls)
            assert all(isinstance(call["args"], dict) for call in calls)


def came(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts of an answer as they came, with unsigned words joined and unsigned thoughts left out; a call that came
    in pieces is left to the traffic's own tests."""
    text = wire(dict(response)).decode()
    chunks = (
        json.loads(text)
        if text.lstrip()[0] in "[{"
        else [json.loads(line.removeprefix("data:")) for line in text.splitlines() if line.startswith("data:")]
    )
    parts: list[dict[str, Any]] = []
    for chunk in chunks if isinstance(chunks, list) else [chunks]:
        for candidate in [one for one in chunk.get("candidates", ()) if not one.get("index")]:
            for part in (candidate.get("content") or {}).get("parts", ()):
                plain = "text" in part and "thoughtSignature" not in part
                if plain and (part.get("thought") or not part["text"]):
                    continue
                if plain and parts and parts[-1].keys() == {"text"}:
                    parts[-1] = {"text": parts[-1]["text"] + part["text"]}
                    continue
                call = part.get("functionCall")
                parts.append(part if call is None else {**part, "functionCall": {"args": {}, **call}})
    first = next((part for part in parts if "functionCall" in part), {})
    first.setdefault("thoughtSignature", UNSIGNED)
    return parts


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_goes_back_as_it_came(path: Path) -> None:
    # M2: every part, with its signature, its id and its place
    exchange = json.loads(path.read_text("utf-8"))
    dialect = GeminiDialect(exchange["provider"])
    answer, message, _ = outcome(read([wire(exchange["response"])], dialect=dialect))
    results = [tool_result(call, '{"a": 1}') for call in message.tool_calls]
    sent = dialect.write(talk(user("hi"), message, *results, user("and?")), "m").body
    valid(sent)
    if answer is None:
        return
    parts = [part for content in sent["contents"] if content["role"] == "model" for part in content["parts"]]
    if "willContinue" in json.dumps(exchange["response"]):
        signed = [part for part in parts if part.get("thoughtSignature") not in {None, UNSIGNED}]
        assert len(signed) == exchange["expected"]["signatures"] > 0
    else:
        assert parts == came(exchange["response"])


# recorded requests


def requested(path: Path) -> bool:
    request = json.loads(path.read_text("utf-8"))["request"]
    return request is not None and isinstance(request.get("body"), dict)


REQUESTS = [path for path in exchanges("generate_content") if requested(path)]
_CAMELS = (
    "function_call",
    "function_response",
    "function_declarations",
    "inline_data",
    "mime_type",
    "thought_signature",
    "parameters_json_schema",
    "google_search",
    "include_thoughts",
    "thinking_budget",
    "thinking_level",
)
_NAMES = {snake: re.sub(r"_(.)", lambda found: found[1].upper(), snake) for snake in _CAMELS}


def camel(value: Any) -> Any:
    """Protobuf takes both spellings; here only one is written."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if isinstance(value, dict):
        return {_NAMES.get(key, key): camel(item) for key, item in value.items()}
    return value


def as_recorded(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded body, but for what is written in another way here: all that a comparison forgives.

    - schemas go in as JSON Schema (`parametersJsonSchema`), whatever the dialect of their words
    - a result is text, and goes in as `output`; a picture in a result has no place in ours
    - the instruction has no role, and an empty instruction, configuration, description or text is none; where that
      leaves the user without a word, they get one
    - all functions are one tool, before Google's own; `AUTO` is what happens anyway
    - turns of the model that follow each other are one
    """
    sent = json.loads(json.dumps(recorded))
    sent.pop("systemInstruction", None)
    instruction = [part for part in instructions(recorded) if part["text"]]
    if instruction:
        sent["systemInstruction"] = {"parts": instruction}
    if not sent.get("generationConfig"):
        sent.pop("generationConfig", None)
    tools = sent.pop("tools", [])
    functions = [function for tool in tools for function in tool.get("functionDeclarations", ())]
    for function in functions:
        if not function.get("description"):
            function.pop("description", None)
        if "parameters" in function:
            function["parametersJsonSchema"] = function.pop("parameters")
    tools = [*([{"functionDeclarations": functions}] if functions else []), *map(without_functions, tools)]
    if any(tools):
        sent["tools"] = [tool for tool in tools if tool]
    calling = sent.get("toolConfig", {}).get("functionCallingConfig")
    if calling == {"mode": "AUTO"}:
        del sent["toolConfig"]["functionCallingConfig"]
    if not sent.get("toolConfig"):
        sent.pop("toolConfig", None)
    contents: list[dict[str, Any]] = []
    for content in sent["contents"]:
        for part in content["parts"]:
            if "functionResponse" in part:
                part["functionResponse"].pop("parts", None)
                part["functionResponse"]["response"] = {"output": result_text(part["functionResponse"])}
        content["parts"] = [part for part in content["parts"] if part != {"text": ""}] or [{"text": "Go on."}]
        if contents and contents[-1]["role"] == content["role"] == "model":
            contents[-1]["parts"] += content["parts"]
        else:
            contents.append({"role": content.get("role", "user"), "parts": content["parts"]})
    return {**sent, "contents": contents}


def instructions(recorded: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = (recorded.get("systemInstruction") or {}).get("parts", [])
    return parts if isinstance(parts, list) else [parts]


def result_text(response: Mapping[str, Any]) -> str:
    found = response["response"]
    return str(found["output"]) if isinstance(found.get("output"), str) and len(found) == 1 else json.dumps(found)


def without_functions(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tool.items() if name != "functionDeclarations"}


SETTINGS = {
    "maxOutputTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "seed": "seed",
    "stopSequences": "stop",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
}


def ours(recorded: Mapping[str, Any], model: str, provider: str) -> Request:
    """A recorded body as a request of ours; what no field of ours says is `extra`."""
    extra = {name: value for name, value in recorded.items() if name not in {"contents", "systemInstruction"}}
    config = dict(extra.pop("generationConfig", None) or {})
    schema = config.pop("responseJsonSchema", None)
    if schema is not None:
        assert config.pop("responseMimeType") == "application/json"
    settings = {name: config.pop(wire) for wire, name in SETTINGS.items() if wire in config}
    tools = extra.pop("tools", [])
    choosing = dict(extra.pop("toolConfig", None) or {})
    calling = choosing.get("functionCallingConfig", {})
    allowed = calling.get("allowedFunctionNames", [])
    choice = {"NONE": "none", "ANY": "required"}.get(calling.get("mode"), "auto")
    if choice == "required" and len(allowed) == 1:
        choice = allowed[0]
    if calling.get("mode") == "VALIDATED" or len(allowed) > 1:
        choice = "auto"
    else:
        choosing.pop("functionCallingConfig", None)
    theirs = [tool for tool in map(without_functions, tools) if tool]
    more = {"generationConfig": config, "toolConfig": choosing, "tools": theirs}
    declared = [function for tool in tools for function in tool.get("functionDeclarations", ())]
    return Request(
        messages=tuple(turns(recorded, model, provider)),
        settings=Settings(**settings),
        tools=tuple(
            ToolSpec(
                name=function["name"],
                description=function.get("description") or "",
                parameters=function.get("parametersJsonSchema") or function.get("parameters") or {},
            )
            for function in declared
        ),
        tool_choice=choice,
        output=OutputSchema(name="x", schema_=schema) if schema is not None else None,
        extra={**extra, **{name: value for name, value in more.items() if value}},
    )


def turns(recorded: Mapping[str, Any], model: str, provider: str) -> Iterable[Message]:
    yield Message(role="system", parts=tuple(Text(text=part["text"]) for part in instructions(recorded)))
    waiting: list[ToolCall] = []
    contents = [(str(content.get("role", "user")), content["parts"]) for content in recorded["contents"]]
    for number, (role, group) in enumerate(groupby(contents, key=itemgetter(0))):
        together = [[*chain(*map(itemgetter(1), group))]] if role == "model" else [parts for _, parts in group]
        for turn, said_then in enumerate(together):
            parts = [
                one_of_ours(part, f"{number}-{turn}-{place}", waiting, model, provider)
                for place, part in enumerate(said_then)
            ]
            waiting += [part for part in parts if isinstance(part, ToolCall)]
            results = any(isinstance(part, ToolResult) for part in parts)
            yield Message(role="assistant" if role == "model" else "tool" if results else "user", parts=tuple(parts))


def one_of_ours(part: Mapping[str, Any], id_: str, waiting: list[ToolCall], model: str, provider: str) -> Part:
    call, response, inline, file = (part.get(k) for k in ("functionCall", "functionResponse", "inlineData", "fileData"))
    payload = {"thoughtSignature": part["thoughtSignature"]} if "thoughtSignature" in part else {}
    if call is not None:
        payload |= {"id": call["id"]} if call.get("id") else {}
        opaque = Opaque(provider=provider, model=model, payload=payload)
        return ToolCall(
            call_id=call.get("id") or id_, name=call["name"], arguments=json.dumps(call["args"]), opaque=opaque
        )
    opaque = Opaque(provider=provider, model=model, payload=payload)
    if response is not None:
        asked = next(
            call
            for call in waiting
            if call.call_id == response.get("id") or (not response.get("id") and call.name == response["name"])
        )
        waiting.remove(asked)
        return ToolResult(call_id=asked.call_id, name=asked.name, content=result_text(response))
    if inline is not None:
        return Media(media_type=inline["mimeType"], data=inline["data"])
    if file is not None:
        return Media(media_type=file["mimeType"], url=file["fileUri"])
    if "text" not in part:
        whole = Opaque(provider=provider, model=model, payload={"part": dict(part)})
        return ServerTool(name=next(iter(part)), opaque=whole)
    if part.get("thought"):
        return Reasoning(text=part["text"], opaque=opaque)
    return Text(text=part["text"], opaque=opaque)


@pytest.mark.parametrize("path", REQUESTS, ids=name)
def test_a_recorded_request_is_written_as_it_was(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    recorded, provider = camel(exchange["request"]["body"]), exchange["provider"]
    address = exchange["request"]["url_path"]
    model = re.search(r"models/([^:]*):", address)
    assert model is not None
    asked = GeminiDialect(provider).write(ours(recorded, model[1], provider), model[1])
    assert asked.body == as_recorded(recorded)
    silent = recorded["contents"] == [{"role": "user", "parts": [{"text": ""}]}]
    assert [warning.setting for warning in asked.warnings] == ["messages"] * silent
    assert asked.path.rpartition("/")[2].partition(":")[0] == address.rpartition("/")[2].partition(":")[0]
