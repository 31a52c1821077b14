"""What goes over the wire for a request to the Messages API, and what is said about what does not."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.anthropic import Anthropic, AnthropicDialect, VertexAnthropic
from graphrt.backends.dialects.anthropic_request import BEDROCK, DIRECT, Place, request_body, traits_of, vertex
from graphrt.backends.dialects.history import NOT_RUN
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
    assistant,
    conversation,
    system,
    tool_result,
    user,
)
from tests.backends.replay import exchanges, name, outcome, read, wire

ADD = ToolSpec(name="add", description="Add.", parameters={"type": "object", "properties": {}})
SONNET = "claude-sonnet-4-5"


def sent(request: Request, model: str = SONNET, place: Place = DIRECT) -> Any:
    return request_body(request, model=model, place=place)[0]


def warned(request: Request, model: str = SONNET, place: Place = DIRECT) -> list[str]:
    return [warning.setting for warning in request_body(request, model=model, place=place)[1]]


def ask(**more: Any) -> Request:
    return Request(messages=conversation("hello"), **more)


def turns(*messages: Message, model: str = SONNET, place: Place = DIRECT) -> Any:
    return sent(Request(messages=messages), model, place)["messages"]


def own(payload: Any, model: str | None = SONNET, provider: str = "anthropic") -> Opaque:
    return Opaque(provider=provider, model=model, payload=payload)


def said(*parts: Part) -> Message:
    return Message(role="assistant", parts=parts)


CALL = ToolCall(call_id="toolu_1", name="add", arguments='{"a": 1}')


# Recorded requests, read back into ours.

REQUESTS = [
    path
    for path in exchanges("messages") + exchanges("invoke_anthropic")
    if (json.loads(path.read_text("utf-8"))["request"] or {}).get("body")
]
PLACES = {"anthropic": DIRECT, "google_vertex": vertex("PROJECT", "LOCATION"), "bedrock": BEDROCK}
FORCED_STREAM = {"stream", "model", "anthropic_version"}
"""What the place writes."""
SETTINGS = {"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}


class Reader:
    """Reads a recorded body as a request of ours: what our messages have no word for is an opaque payload, or extra."""

    def __init__(self, body: dict[str, Any], model: str, place: Place) -> None:
        self._body = body
        self._model = model
        self._provider = place.provider
        self._names: dict[str, str] = {}

    def request(self) -> Request:
        body = self._body
        known = {"system", "messages", "tools", "tool_choice", "stop_sequences", *SETTINGS, *FORCED_STREAM}
        extra = {key: value for key, value in body.items() if key not in known}
        tools = body.get("tools") or []
        choice = body.get("tool_choice") or {"type": "auto"}
        plain = all(tool.keys() <= {"name", "description", "input_schema"} for tool in tools)
        settings: dict[str, Any] = {ours: body.get(theirs) for ours, theirs in SETTINGS.items()}
        if tools and not plain:
            extra |= {key: body[key] for key in ("tools", "tool_choice") if key in body}
            tools, choice = [], {"type": "auto"}
        if choice.get("disable_parallel_tool_use") is not None:
            settings["parallel_tool_calls"] = not choice["disable_parallel_tool_use"]
        wanted: Any = {"any": "required", "tool": choice.get("name")}.get(choice["type"], choice["type"])
        return Request(
            messages=(*self._system(), *[it for message in body["messages"] for it in self._messages(message)]),
            settings=Settings(**settings, stop=tuple(body.get("stop_sequences") or ())),
            tools=tuple(
                ToolSpec(name=it["name"], description=it.get("description", ""), parameters=it["input_schema"])
                for it in tools
            ),
            tool_choice=wanted,
            extra=extra,
        )

    def _system(self) -> list[Message]:
        parts = tuple(self._part(block) for block in blocks(self._body.get("system") or []))
        return [Message(role="system", parts=parts)] if parts else []

    def _messages(self, message: dict[str, Any]) -> list[Message]:
        parts = [self._part(block) for block in blocks(message["content"])]
        results = tuple(part for part in parts if isinstance(part, ToolResult))
        others = tuple(part for part in parts if not isinstance(part, ToolResult))
        made = [Message(role="tool", parts=results)] if results else []
        return [*made, Message(role=message["role"], parts=others)] if others or not made else made

    def _seal(self, payload: Any) -> Opaque | None:
        return own(payload, self._model, self._provider) if payload else None

    def _part(self, block: dict[str, Any]) -> Part:
        def rest(*named: str) -> Opaque | None:
            return self._seal({key: value for key, value in block.items() if key not in {"type", *named}})

        match block["type"]:
            case "text":
                return Text(text=block["text"], opaque=rest("text"))
            case "thinking":
                return Reasoning(text=block["thinking"], opaque=rest("thinking"))
            case "tool_use":
                self._names[block["id"]] = block["name"]
                arguments = json.dumps(block["input"])
                opaque = rest("id", "name", "input")
                return ToolCall(call_id=block["id"], name=block["name"], arguments=arguments, opaque=opaque)
            case "tool_result":
                content = block["content"]
                plain = isinstance(content, str)
                content, kept = (content, ("content",)) if plain else ("", ())
                return ToolResult(
                    call_id=block["tool_use_id"],
                    name=self._names[block["tool_use_id"]],
                    content=content,
                    is_error=block.get("is_error", False),
                    opaque=rest("tool_use_id", "is_error", *kept),
                )
            case "image" | "document" if block["source"]["type"] in {"base64", "url"}:
                source = block["source"]
                kind = "image/*" if block["type"] == "image" else "application/pdf"
                return Media(
                    media_type=source.get("media_type", kind),
                    data=source.get("data"),
                    url=source.get("url"),
                    opaque=rest("source"),
                )
            case "image" | "document":
                kind = "image/*" if block["type"] == "image" else "application/pdf"
                return Media(media_type=kind, url="about:blank", opaque=rest())
            case kind:
                return ServerTool(name=kind, opaque=self._seal({"block": block}))


def blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def in_one_spelling(body: dict[str, Any]) -> dict[str, Any]:
    """The same body where the API has several spellings for one thing: the short form of one text, defaults and empty
    words that are said, and turns of one role that the server joins itself."""
    made = {key: value for key, value in body.items() if key not in FORCED_STREAM}
    if "system" in made:
        made["system"] = blocks(made["system"])
    made["messages"] = []
    for message in body["messages"]:
        content = [
            {key: value for key, value in block.items() if (key, value) != ("is_error", False)}
            for block in blocks(message["content"])
        ]
        if made["messages"] and made["messages"][-1]["role"] == message["role"]:
            made["messages"][-1]["content"] += content
        else:
            made["messages"].append({"role": message["role"], "content": content})
    if "tools" in made:
        made["tools"] = [{key: value for key, value in it.items() if value != ""} for it in made["tools"]]
    choice = {key: value for key, value in body.get("tool_choice", {}).items() if value is not False}
    made.pop("tool_choice", None)
    if choice not in ({}, {"type": "auto"}):
        made["tool_choice"] = choice
    return {key: value for key, value in made.items() if value != []}


DIFFERENT = {
    "messages.full.error_400.f6fe4dcd": "an empty question, which the API refused: it is not sent",
    "invoke_anthropic.stream.error_400.9dc1f153": "an address as media, which Bedrock refused: it is left out",
}


@pytest.mark.parametrize("path", REQUESTS, ids=name)
def test_a_recorded_request_is_written_as_it_was(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    body, place = exchange["request"]["body"], PLACES[exchange["provider"]]
    model = body.get("model") or re.findall(r"/(?:models?)/([^/:]*(?::\d+)?)", exchange["request"]["url_path"])[0]
    request = Reader(body, model, place).request()
    written, warnings = request_body(request, model=model, place=place)
    same = in_one_spelling(written) == in_one_spelling(body)
    assert same == (path.stem not in DIFFERENT)
    assert bool(warnings) != same
    if place is not BEDROCK:
        assert written["stream"] is True


# Recorded answers, put back.


def valid_history(wire_turns: list[dict[str, Any]]) -> None:
    """The rules that the API refuses a history by."""
    assert [turn["role"] for turn in wire_turns] == [("user", "assistant")[i % 2] for i in range(len(wire_turns))]
    for i, turn in enumerate(wire_turns):
        content = turn["content"]
        assert content
        assert all(block["text"].strip() for block in content if block["type"] == "text")
        kinds = [block["type"] for block in content]
        calls = [block["id"] for block in content if block["type"] == "tool_use"]
        results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", id_) for id_ in calls)
        if turn["role"] == "assistant":
            assert not results
            assert kinds[-1] not in {"thinking", "redacted_thinking"}
            after = wire_turns[i + 1]["content"] if i + 1 < len(wire_turns) else []
            assert calls == [block["tool_use_id"] for block in after if block["type"] == "tool_result"]
        else:
            assert not calls
            assert kinds[: len(results)] == ["tool_result"] * len(results)
            assert not results or wire_turns[i - 1]["role"] == "assistant"


ANSWERED = [
    path
    for path in exchanges("messages") + exchanges("invoke_anthropic.full")
    if json.loads(path.read_text("utf-8"))["expected"]["finish"] not in {"error", "none"}
]


@pytest.mark.parametrize("path", ANSWERED, ids=name)
def test_a_recorded_answer_goes_back_as_it_came(path: Path) -> None:
    # M2: signatures, ids, server tools and citations to the model they came from, in their order
    exchange = json.loads(path.read_text("utf-8"))
    expected = exchange["expected"]
    answer, message, _ = outcome(read([wire(exchange["response"])], dialect=AnthropicDialect()))
    assert answer is not None
    results = [tool_result(call, "done") for call in message.tool_calls]
    history = (user("hi"), message, *results, user("more"))
    wire_turns = turns(*history, model="m")
    valid_history(wire_turns)
    back = [block for turn in wire_turns if turn["role"] == "assistant" for block in turn["content"]]
    assert "".join(block["text"] for block in back if block["type"] == "text").strip() == expected["text"].strip()
    assert [(block["id"], block["name"]) for block in back if block["type"] == "tool_use"] == [
        (call["id"], call["name"]) for call in expected["tool_calls"]
    ]
    assert sum(block["type"] in {"thinking", "redacted_thinking"} for block in back) == expected["signatures"]
    tools = [kind for kind in expected["server_tools"] if answer.finish != "pause" or kind != "server_tool_use"]
    ordinary = {"text", "tool_use", "thinking", "redacted_thinking"}
    assert [block["type"] for block in back if block["type"] not in ordinary] == tools
    content = (exchange["response"].get("body") or {}).get("content")
    if content and answer.finish not in {"pause", "length"} and all(it.get("text", "x").strip() for it in content):
        # what goes back is the content of the body, block by block
        assert back == content


@pytest.mark.parametrize("path", ANSWERED, ids=name)
def test_a_recorded_answer_goes_to_another_model_without_what_only_its_own_can_read(path: Path) -> None:
    # M2
    exchange = json.loads(path.read_text("utf-8"))
    _, message, _ = outcome(read([wire(exchange["response"])], dialect=AnthropicDialect()))
    results = [tool_result(call, "done") for call in message.tool_calls]
    wire_turns = turns(user("hi"), message, *results, user("more"), model="other")
    valid_history(wire_turns)
    sealed = {"signature", "encrypted_content", "encrypted_index", "citations", "data", "caller"}
    assert all(not sealed & block.keys() for turn in wire_turns for block in turn["content"])
    kinds = {block["type"] for turn in wire_turns for block in turn["content"]}
    assert kinds <= {"text", "tool_use", "tool_result"}


def test_a_pause_is_sent_back_to_go_on_and_left_out_when_somebody_spoke() -> None:
    use = {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}}
    paused = said(Text(text="Searching"), ServerTool(name="web_search", opaque=own({"block": use})))
    assert turns(user("hi"), paused)[-1] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "Searching"}, use],
    }
    spoken = Request(messages=(user("hi"), paused, user("stop")))
    assert sent(spoken)["messages"][1]["content"] == [{"type": "text", "text": "Searching"}]
    assert warned(spoken) == ["messages"]


def test_a_container_goes_back_while_its_code_waits_for_results() -> None:
    caller = {"type": "code_execution_20250825", "tool_id": "srv"}
    call = CALL.model_copy(update={"opaque": own({"caller": caller})})
    container = ServerTool(name="container", opaque=own({"container": {"id": "c1"}}))
    use = ServerTool(name="code", opaque=own({"block": {"type": "server_tool_use", "id": "srv", "name": "code"}}))
    history = (user("hi"), said(use, call, container), tool_result(CALL, "3"))
    body = sent(Request(messages=history, tools=(ADD,)))
    assert body["container"] == "c1"
    assert [block["type"] for block in body["messages"][1]["content"]] == ["server_tool_use", "tool_use"]
    assert "container" not in sent(Request(messages=(*history, assistant("so"), user("more")), tools=(ADD,)))


# What another provider had.


def test_a_history_of_another_providers_is_written_without_what_only_that_one_can_read() -> None:
    # M2
    strange = "call_#" * 10 + "äöü|"
    foreign = own({"signature": "sealed", "block": {"type": "sealed"}}, model=None, provider="openai")
    first = ToolCall(call_id=strange, name="functions.add", arguments='{"a": 1}', opaque=foreign)
    cut = ToolCall(call_id="b" * 80, name="add", arguments='{"a": 1, "b', complete=False)
    orphan = ToolResult(call_id="gone", name="look", content="nothing")
    request = Request(
        messages=(
            system("be brief"),
            user("hi"),
            said(Reasoning(text="hm", opaque=foreign)),
            said(
                Reasoning(text="hm", opaque=foreign),
                Text(text="Let me see.", opaque=foreign),
                ServerTool(name="web_search", opaque=foreign),
                first,
                cut,
            ),
            tool_result(first, "3", is_error=True),
            Message(role="tool", parts=(orphan,)),
            said(Text(text="")),
            said(Refusal(text="No.", opaque=foreign), Media(media_type="image/png", data="QUJD")),
            Message(role="user", parts=(Text(text=" "), Media(media_type="audio/wav", data="QUJD"))),
            user(""),
        ),
        tools=(ADD,),
    )
    body, warnings = request_body(request, model=SONNET)
    valid_history(body["messages"])
    assert "sealed" not in json.dumps(body)
    assert "hm" not in json.dumps(body)
    _, made, results, declined, last = body["messages"]
    text, one, two = made["content"]
    assert text == {"type": "text", "text": "Let me see."}
    assert one["name"] == "functions_add"
    assert two["input"] == {"invalid_json": cut.arguments}
    assert results["content"] == [
        {"type": "tool_result", "tool_use_id": one["id"], "content": "3", "is_error": True},
        {"type": "tool_result", "tool_use_id": two["id"], "content": NOT_RUN, "is_error": True},
        {"type": "text", "text": "Result of look: nothing"},
    ]
    assert [block["text"] for block in declined["content"]] == ["No.", "(image/png, left out)"]
    assert last["content"] == [{"type": "text", "text": "(audio/wav, left out)"}]
    assert {warning.setting for warning in warnings} == {"messages"}
    assert len(warnings) == 4


def test_all_results_of_a_turn_stand_first_in_one_message() -> None:
    other = ToolCall(call_id="toolu_2", name="add", arguments="")
    history = (user("hi"), said(CALL, other), tool_result(other, "2"), tool_result(CALL, "1"), user("and?"))
    assert turns(*history)[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": "2"},
        {"type": "text", "text": "and?"},
    ]
    assert turns(*history)[1]["content"][1] == {"type": "tool_use", "id": "toolu_2", "name": "add", "input": {}}


def test_a_conversation_begins_with_the_user_and_ends_where_the_model_can_go_on() -> None:
    assert [turn["role"] for turn in turns(assistant("hi"), user("hello"))] == ["user", "assistant", "user"]
    assert [turn["role"] for turn in turns(system("be brief"))] == ["user"]
    begun = Request(messages=(user("hi"), assistant("Once upon ")))
    assert sent(begun)["messages"][-1]["content"][0]["text"] == "Once upon"
    assert warned(begun) == []
    assert sent(begun, "claude-opus-4-6")["messages"][-1]["role"] == "user"
    assert warned(begun, "claude-opus-4-6") == ["messages"]
    silent = Request(messages=(user("hi"), assistant("hello"), user("")))
    assert sent(silent)["messages"][-1]["role"] == "user"


def test_instructions_go_first_and_late_ones_are_told_by_the_user() -> None:
    body = sent(Request(messages=(system("be brief"), system("be kind"), user("hi"), system("be quick"))))
    assert [block["text"] for block in body["system"]] == ["be brief", "be kind"]
    assert [block["text"] for block in body["messages"][0]["content"]] == ["hi", "be quick"]


def test_a_thought_that_nothing_followed_is_left_out() -> None:
    thought = Reasoning(text="hm", opaque=own({"signature": "sig"}))
    request = Request(messages=(user("hi"), said(thought), user("go on")))
    assert [turn["role"] for turn in sent(request)["messages"]] == ["user"]
    assert warned(request) == ["messages"]
    assert turns(user("hi"), said(thought, Text(text="so")), user("more"))[1]["content"][0] == {
        "type": "thinking",
        "thinking": "hm",
        "signature": "sig",
    }


def test_a_payload_of_ones_own_adds_what_our_parts_have_no_word_for() -> None:
    marked = Text(text="long", opaque=own({"cache_control": {"type": "ephemeral"}}, model=None))
    content = turns(Message(role="user", parts=(marked,)))[0]["content"]
    assert content == [{"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}]
    uploaded = Media(media_type="application/pdf", url="x", opaque=own({"source": {"type": "file", "file_id": "f"}}))
    content = turns(Message(role="user", parts=(uploaded,)))[0]["content"]
    assert content == [{"type": "document", "source": {"type": "file", "file_id": "f"}}]


def test_media_goes_as_images_and_documents() -> None:
    parts = (
        Media(media_type="image/jpg", data="QUJD"),
        Media(media_type="image/png", url="https://x/y.png"),
        Media(media_type="application/pdf", data="QUJD"),
        Media(media_type="text/csv", data="QUJD"),
    )
    message = Message(role="user", parts=parts)
    assert [(block["type"], block["source"]) for block in turns(message)[0]["content"]] == [
        ("image", {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"}),
        ("image", {"type": "url", "url": "https://x/y.png"}),
        ("document", {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}),
        ("document", {"type": "text", "media_type": "text/plain", "data": "ABC"}),
    ]
    assert warned(Request(messages=(message,)), place=BEDROCK) == ["messages"]


# Settings.


def test_a_plain_question_asks_for_nothing_that_was_not_asked() -> None:
    assert sent(ask()) == {
        "model": SONNET,
        "stream": True,
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
    }


def test_the_room_for_an_answer_is_what_every_model_of_the_family_has() -> None:
    rooms = {"claude-3-haiku-20240307": 4096, "claude-3-5-haiku-latest": 8192, "claude-opus-5": 32_000, "new": 4096}
    assert {model: sent(ask(), model)["max_tokens"] for model in rooms} == rooms
    assert sent(ask(settings=Settings(max_tokens=5)))["max_tokens"] == 5


def test_each_place_has_its_own_envelope() -> None:
    asked = AnthropicDialect(vertex("p", "l")).write(ask(), "claude-sonnet-4-5@20250929")
    assert asked.path == (
        "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"
    )
    assert asked.body["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in asked.body
    asked = AnthropicDialect(BEDROCK).write(ask(), "arn:aws:bedrock:x/y")
    assert asked.path == "/model/arn:aws:bedrock:x%2Fy/invoke-with-response-stream"
    assert asked.body["anthropic_version"] == "bedrock-2023-05-31"
    assert not {"model", "stream"} & asked.body.keys()
    asked = AnthropicDialect().write(ask(), "claude-x")
    assert (asked.path, asked.headers) == ("/v1/messages", {"anthropic-version": "2023-06-01"})


def test_a_model_is_known_by_each_of_its_names() -> None:
    four_five = traits_of("claude-sonnet-4-5")
    for alias in (
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4-5@20250929",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic/claude-sonnet-4.5",
    ):
        assert traits_of(alias) == four_five
    assert (
        traits_of("claude-sonnet-4-0") == traits_of("claude-sonnet-4-20250514") == traits_of("claude-3-7-sonnet-latest")
    )
    assert traits_of("anthropic.claude-opus-4-6-v1").thinking == "adaptive"
    assert traits_of("claude-3-5-sonnet-v2@20241022").thinking == "never"
    for unknown in ("claude-sonnet-9", "claude-sonnet-4-9", "deepseek-chat"):
        assert traits_of(unknown).thinking is None


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "sent_effort", "warnings"),
    [
        ("claude-sonnet-4-5", "minimal", {"type": "enabled", "budget_tokens": 1024}, None, 0),
        ("claude-sonnet-4-5", "high", {"type": "enabled", "budget_tokens": 16_384}, None, 0),
        ("claude-sonnet-4-5", "max", {"type": "enabled", "budget_tokens": 16_384}, None, 1),
        ("claude-sonnet-4-5", "none", None, None, 0),
        ("claude-opus-4-5", "high", {"type": "enabled", "budget_tokens": 16_384}, "high", 0),
        ("claude-opus-4-5", "max", {"type": "enabled", "budget_tokens": 16_384}, "high", 1),
        ("claude-opus-4-6", "max", {"type": "adaptive"}, "max", 0),
        ("claude-opus-4-6", "xhigh", {"type": "adaptive"}, "high", 1),
        ("claude-opus-4-7", "xhigh", {"type": "adaptive"}, "xhigh", 0),
        ("claude-opus-4-7", "minimal", {"type": "adaptive"}, "low", 1),
        ("claude-opus-4-7", "none", None, None, 0),
        ("claude-opus-5", "none", {"type": "disabled"}, None, 0),
        ("claude-opus-5-5", "none", None, None, 1),
        ("claude-3-haiku-20240307", "none", None, None, 0),
        ("claude-3-haiku-20240307", "low", None, None, 1),
        ("claude-opus-5", "utmost", None, None, 1),
        ("unheard-of", "low", None, None, 1),
    ],
)
def test_an_effort_is_said_in_the_models_own_words(
    model: str, effort: str, thinking: Any, sent_effort: str | None, warnings: int
) -> None:
    # M6: what is asked for instead is said
    request = ask(settings=Settings(reasoning_effort=effort))
    body = sent(request, model)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == sent_effort
    assert warned(request, model) == ["reasoning_effort"] * warnings


def test_a_thinking_budget_leaves_room_for_the_answer() -> None:
    def asked(**more: Any) -> tuple[int, int | None, list[str]]:
        request = ask(settings=Settings(reasoning_effort="high", **more))
        body = sent(request)
        return body["max_tokens"], body.get("thinking", {}).get("budget_tokens"), warned(request)

    assert asked() == (8192 + 16_384, 16_384, [])
    assert asked(max_tokens=40_000) == (40_000, 16_384, [])
    assert asked(max_tokens=10_000) == (10_000, 5000, ["reasoning_effort"])
    assert asked(max_tokens=2000) == (2000, None, ["reasoning_effort"])


def test_a_thinking_budget_gives_way_to_a_forced_tool_and_to_a_loop_without_thoughts() -> None:
    settings = Settings(reasoning_effort="low")
    forced = ask(settings=settings, tools=(ADD,), tool_choice="add")
    assert "thinking" not in sent(forced)
    assert warned(forced) == ["reasoning_effort"]
    assert "thinking" in sent(forced, "claude-opus-4-6")
    loop = Request(messages=(user("hi"), said(CALL), tool_result(CALL, "3")), settings=settings, tools=(ADD,))
    assert warned(loop) == ["reasoning_effort"]
    thought = Reasoning(text="hm", opaque=own({"signature": "sig"}))
    loop = Request(messages=(user("hi"), said(thought, CALL), tool_result(CALL, "3")), settings=settings, tools=(ADD,))
    assert warned(loop) == []
    assert "thinking" in sent(loop)


@pytest.mark.parametrize(
    ("model", "settings", "kept", "warnings"),
    [
        ("claude-sonnet-4-0", {"temperature": 0.5, "top_p": 0.9, "top_k": 4}, {"temperature", "top_p", "top_k"}, []),
        ("claude-sonnet-4-5", {"temperature": 0.5, "top_p": 0.9}, {"temperature"}, ["top_p"]),
        ("claude-sonnet-4-5", {"top_p": 0.9}, {"top_p"}, []),
        ("claude-sonnet-4-5", {"temperature": 1.5}, {"temperature"}, ["temperature"]),
        ("claude-opus-4-7", {"temperature": 0.5, "top_p": 0.9, "top_k": 4}, set(), ["temperature", "top_p", "top_k"]),
        ("claude-opus-4-7", {"temperature": 1}, set(), []),
        (
            "claude-sonnet-4-0",
            {"reasoning_effort": "low", "temperature": 0.5, "top_p": 0.5, "top_k": 4},
            set(),
            ["temperature", "top_p", "top_k"],
        ),
        (
            "claude-sonnet-4-0",
            {"reasoning_effort": "low", "temperature": 1, "top_p": 0.95},
            {"temperature", "top_p"},
            [],
        ),
        ("unheard-of", {"temperature": 0.5, "top_p": 0.9}, {"temperature", "top_p"}, []),
        (
            "claude-sonnet-4-5",
            {"min_p": 0.1, "seed": 1, "presence_penalty": 1, "frequency_penalty": 1},
            set(),
            ["min_p", "seed", "presence_penalty", "frequency_penalty"],
        ),
    ],
)
def test_sampling_is_sent_as_far_as_the_model_takes_it(
    model: str, settings: dict[str, Any], kept: set[str], warnings: list[str]
) -> None:
    # M6
    request = ask(settings=Settings(**settings))
    assert sent(request, model).keys() & set(Settings.model_fields) - {"max_tokens"} == kept
    assert warned(request, model) == warnings


def test_in_strict_mode_a_warning_is_an_error() -> None:
    with pytest.raises(UnsupportedSetting, match="seed"):
        sent(ask(settings=Settings(seed=1, strict=True)))
    with pytest.raises(UnsupportedSetting, match="messages"):
        sent(Request(messages=(user("hi"), said(CALL), user("so?")), settings=Settings(strict=True)))


def test_stop_strings_need_a_letter() -> None:
    request = ask(settings=Settings(stop=("END", "\n")))
    assert sent(request)["stop_sequences"] == ["END"]
    assert warned(request) == ["stop"]


# Tools.


@pytest.mark.parametrize(
    ("choice", "parallel", "wanted"),
    [
        ("auto", None, None),
        ("auto", True, None),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ("add", False, {"type": "tool", "name": "add", "disable_parallel_tool_use": True}),
    ],
)
def test_a_tool_choice_is_said_in_the_dialects_words(choice: str, parallel: bool | None, wanted: Any) -> None:
    body = sent(ask(tools=(ADD,), tool_choice=choice, settings=Settings(parallel_tool_calls=parallel)))
    assert body.get("tool_choice") == wanted
    assert body["tools"] == [{"name": "add", "description": "Add.", "input_schema": dict(ADD.parameters)}]


def test_a_choice_of_no_offered_tool_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="multiply"):
        sent(ask(tools=(ADD,), tool_choice="multiply"))
    with pytest.raises(BadRequest, match="no tools"):
        sent(ask(tool_choice="required"))


def test_a_model_that_cannot_be_made_to_call_is_left_free() -> None:
    request = ask(tools=(ADD,), tool_choice="required")
    assert "tool_choice" not in sent(request, "claude-opus-5-5")
    assert warned(request, "claude-opus-5-5") == ["tool_choice"]


def test_a_history_with_calls_defines_their_tools_and_forbids_them() -> None:
    # the API refuses tool blocks where no tools are defined
    body = sent(Request(messages=(user("hi"), said(CALL), tool_result(CALL, "3"))))
    assert body["tools"] == [{"name": "add", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}


# The schema of the answer.


def test_a_schema_is_promised_by_the_models_that_can() -> None:
    open_ = {"type": "object", "properties": {"a": {"type": "string"}}}
    request = ask(output=OutputSchema(name="x", schema_=open_), settings=Settings(reasoning_effort="low"))
    assert sent(request, "claude-opus-4-6")["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": {**open_, "additionalProperties": False}},
    }
    assert warned(request, "claude-opus-4-6") == []
    for model in ("claude-sonnet-4-0", "unheard-of"):
        asked = ask(output=OutputSchema(name="x", schema_=open_))
        assert "output_config" not in sent(asked, model)
        assert warned(asked, model) == ["output"]


def test_limits_that_the_api_does_not_know_are_told_in_words() -> None:
    # M6: and said to be no promise any more
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "description": "How many."},
            "when": {"type": "string", "format": "date"},
            "any": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/D"}]},
            "list": {"type": "array", "items": {"type": "object", "properties": {}}, "minItems": 1},
        },
        "$defs": {"D": {"type": "object", "properties": {}}},
        "required": ["n"],
    }
    empty = {"type": "object", "properties": {}, "additionalProperties": False}
    request = ask(output=OutputSchema(name="x", schema_=schema))
    assert sent(request)["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": "How many.\nminimum: 1"},
            "when": {"type": "string", "format": "date"},
            "any": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/D"}]},
            "list": {"type": "array", "items": empty, "minItems": 1},
        },
        "$defs": {"D": empty},
        "required": ["n"],
        "additionalProperties": False,
    }
    assert warned(request) == ["output"]
    free = ask(output=OutputSchema(name="x", schema_={"type": "object", "additionalProperties": {"type": "string"}}))
    assert "output_config" not in sent(free)
    assert warned(free) == ["output"]


def test_extra_fields_are_merged_last() -> None:
    body = sent(ask(extra={"thinking": {"type": "adaptive"}, "stream": False}))
    assert (body["thinking"], body["stream"]) == ({"type": "adaptive"}, False)


def test_a_key_shows_in_no_name() -> None:
    # M9
    model = Anthropic("claude-opus-5", key="sk-1", betas=("a", "b"))
    assert model.name == "anthropic:claude-opus-5"
    assert "sk-1" not in repr(model)
    assert (
        VertexAnthropic("claude-opus-5", project="p", location="europe-west1").name == "vertex_anthropic:claude-opus-5"
    )
