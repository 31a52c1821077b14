"""Where prompts are asked to be kept, in each provider's words, and what is said where they cannot be (M6)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.dialects.caching import marked
from graphrt.backends.dialects.dialect import Asked
from graphrt.backends.events import Warned
from graphrt.backends.messages import (
    Kept,
    Message,
    Opaque,
    Reasoning,
    Request,
    ServerTool,
    Settings,
    Text,
    ToolCall,
    ToolSpec,
    assistant,
    system,
    tool_result,
    user,
)
from tests.backends.provider import open_at
from tests.backends.recordings import body_of, told
from tests.backends.replay import TRAFFIC, read

ADD = ToolSpec(name="add", parameters={"type": "object"})
SUB = ToolSpec(name="sub", parameters={"type": "object"})
CALL = ToolCall(call_id="c", name="add", arguments="{}")
TALK = (system("One."), system("Two."), user("hi"), assistant("yes"), user("go on"))
CLAUDE, NOVA = "anthropic.claude-sonnet-4-5-v1:0", "amazon.nova-pro-v1:0"


def write(
    api: str,
    *messages: Message,
    cache: Kept | None = None,
    model: str = "m",
    provider: str = "",
    tools: tuple[ToolSpec, ...] = (ADD, SUB),
) -> Asked:
    request = Request(messages=messages or TALK, tools=tools, settings=Settings(cache=cache))
    return open_at(api, "http://localhost", provider=provider).dialect.write(request, model)


def marks(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every mark in plain data, and where it is."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in {"cache_control", "cachePoint"}:
                yield at.lstrip("."), item
            else:
                yield from marks(item, f"{at}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from marks(item, f"{at}[{number}]")


MARK, LONG = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}


def test_nothing_is_marked_that_nobody_asked_for() -> None:
    for api, provider in (("messages", ""), ("converse", ""), ("chat_completions", "openrouter")):
        asked = write(api, provider=provider, model=CLAUDE)
        assert list(marks(asked.body)) == []
        assert asked.warnings == ()


def test_anthropic_keeps_the_tools_the_instructions_and_the_conversation() -> None:
    body = write("messages", cache="5m").body
    assert dict(marks(body)) == {"system[1]": MARK, "messages[2].content[0]": MARK, "tools[1]": MARK}
    assert dict(marks(write("messages", cache="1h", provider="google_vertex").body)) == {
        "system[1]": LONG,
        "messages[2].content[0]": LONG,
        "tools[1]": LONG,
    }


def test_a_mark_of_the_callers_stands_behind_its_message() -> None:
    talk = (
        system("One.", cache=True),
        system("Two."),
        user("hi"),
        user("there", cache=True),
        assistant("yes"),
        user("?"),
    )
    assert dict(marks(write("messages", *talk).body)) == {"system[0]": MARK, "messages[0].content[1]": MARK}
    assert dict(marks(write("converse", *talk, model=CLAUDE).body)) == {
        "system[1]": {"type": "default"},
        "messages[0].content[2]": {"type": "default"},
    }


def test_a_mark_of_a_result_stays_behind_the_results() -> None:
    both = Message(role="assistant", parts=(CALL, CALL.model_copy(update={"call_id": "d"})))
    late = tool_result(both.tool_calls[1], "2").model_copy(update={"cache": True})
    talk = (user("hi"), both, tool_result(both.tool_calls[0], "1"), late, user("go on"))
    assert dict(marks(write("messages", *talk).body)) == {"messages[2].content[1]": MARK}


def test_a_thought_takes_no_mark() -> None:
    thought = Reasoning(text="hm", opaque=Opaque(provider="anthropic", model="m", payload={"signature": "s"}))
    said = Message(role="assistant", parts=(Text(text="yes"), CALL, thought), cache=True)
    body = write("messages", user("hi"), said, tool_result(CALL, "2")).body
    assert [block["type"] for block in body["messages"][1]["content"]] == ["text", "tool_use"]
    assert dict(marks(body)) == {"messages[1].content[1]": MARK}


def test_a_mark_is_put_on_what_goes_out_and_not_on_the_callers_message() -> None:
    block = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    done = ServerTool(name="search", opaque=Opaque(provider="anthropic", model="m", payload={"block": block}))
    body = write("messages", user("hi"), Message(role="assistant", parts=(done,), cache=True), user("go on")).body
    assert dict(marks(body)) == {"messages[1].content[0]": MARK}
    assert "cache_control" not in block


def test_a_message_of_nothing_adds_no_second_point() -> None:
    silent = Message(role="assistant", parts=(Reasoning(text="hm"),), cache=True)
    body = write("converse", user("hi", cache=True), silent, user("go on"), model=CLAUDE).body
    assert dict(marks(body)) == {"messages[0].content[1]": {"type": "default"}}


def test_of_more_marks_than_there_may_be_the_last_ones_count_and_a_warning_says_so() -> None:
    talk = [user(str(number), cache=True) for number in range(6)]
    asked = write("messages", system("Be brief."), *talk, user("?"), cache="5m")
    assert len(list(marks(asked.body))) == 4
    assert dict(marks(asked.body))["messages[0].content[5]"] == MARK  # the turns of the user are one
    assert asked.warnings == (Warned("cache", "6 messages are marked, and 1 can be: the last ones count"),)


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.booleans())), st.booleans())
def test_there_are_never_more_marks_than_a_model_takes(said: list[tuple[Any, bool]], wish: bool) -> None:
    messages = [Message(role=role, parts=(Text(text="x"),), cache=cache) for role, cache in said]
    warnings: list[Warned] = []
    request = Request(messages=tuple(messages), tools=(ADD,), settings=Settings(cache="1h" if wish else None))
    found = marked(request, messages, warnings)
    assert len(found) + wish <= 4
    wanted = {at for at, message in enumerate(messages) if message.cache}
    assert wanted <= found or warnings
    assert not wish or not messages or len(messages) - 1 in found


def test_bedrock_has_points_of_its_own() -> None:
    asked = write("converse", cache="1h", model=CLAUDE)
    point = {"type": "default", "ttl": "1h"}
    assert dict(marks(asked.body)) == {
        "system[2]": point,
        "messages[2].content[1]": point,
        "toolConfig.tools[2]": point,
    }
    assert asked.warnings == ()


@pytest.mark.parametrize(
    ("model", "hour"),
    [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("global.anthropic.claude-opus-5", True),
        ("anthropic.claude-sonnet-4-20250514-v1:0", False),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", False),
    ],
)
def test_bedrocks_older_models_keep_nothing_for_an_hour(model: str, hour: bool) -> None:
    asked = write("converse", cache="1h", model=model)
    assert [warning.setting for warning in asked.warnings] == ([] if hour else ["cache"])
    assert [point.get("ttl") for _, point in marks(asked.body)] == ["1h" if hour else None] * 3


def test_nova_keeps_no_tools_and_no_hour() -> None:
    asked = write("converse", cache="1h", model=NOVA)
    point = {"type": "default"}
    assert dict(marks(asked.body)) == {"system[2]": point, "messages[2].content[1]": point}
    assert [warning.setting for warning in asked.warnings] == ["cache"]


def test_openrouter_is_told_in_anthropics_words() -> None:
    body = write("chat_completions", cache="1h", provider="openrouter").body
    assert dict(marks(body)) == {"messages[1].content[0]": LONG, "messages[4].content[0]": LONG, "tools[1]": LONG}
    assert body["messages"][0]["content"] == "One."


@pytest.mark.parametrize(
    ("api", "provider", "lasts"),
    [
        ("chat_completions", "openai", "5m"),
        ("chat_completions", "deepseek", "1h"),
        ("chat_completions", "somebody", None),
        ("responses", "", "5m"),
        ("generate_content", "", "5m"),
        ("chat_v2", "", "5m"),
        ("ollama_chat", "", "5m"),
        ("tgi_generate", "", None),
        ("converse", "", None),
    ],
)
def test_who_takes_no_marks_says_what_it_does_not_keep(api: str, provider: str, lasts: Kept | None) -> None:
    def warned(*messages: Message, cache: Kept | None = None) -> bool:
        asked = write(api, *messages, cache=cache, provider=provider, tools=())
        assert "cache" not in json.dumps(asked.body)
        return "cache" in [warning.setting for warning in asked.warnings]

    assert not warned()
    assert warned(cache="5m") == warned(user("hi", cache=True)) == (lasts is None)
    assert warned(cache="1h") == (lasts != "1h")


@pytest.mark.usefixtures("shared_data")
@pytest.mark.parametrize(
    ("name", "read_", "write_"),
    [
        ("anthropic/messages.full.cached_prompt.0fa1acf0", 0, 4890),
        ("anthropic/messages.stream.cached_prompt.116ad00a", 1167, 0),
        ("bedrock/converse.stream.cached_prompt.2013ff3a", 0, 1028),
        ("openrouter/chat_completions.full.tool_call.2e9a33b7", 0, 2569),
        ("openai/responses.full.cached_prompt.5260ecba", 3584, None),
        ("cohere/chat_v2.full.cached_prompt.41eafd9c", 992, None),
    ],
)
def test_what_was_kept_comes_back_in_the_usage(name: str, read_: int | None, write_: int | None) -> None:
    # M4
    exchange = json.loads((TRAFFIC / f"{name}.json").read_text("utf-8"))
    dialect = open_at(exchange["api"], "http://localhost", provider=exchange["provider"]).dialect
    answer = told(read([body_of(exchange["response"])], dialect=dialect)).answer
    assert answer is not None
    assert (answer.usage.cache_read, answer.usage.cache_write) == (read_, write_)
