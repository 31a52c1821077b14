"""Messages in the shape that templates expect, and in the shape that a template of its own kind can take."""

from typing import Any

from graphrt.backends.llama.chat.entries import Manner, to_chat, to_tools
from graphrt.backends.llama.chat.syntax import HERMES
from graphrt.backends.messages import (
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolSpec,
    assistant,
    system,
    tool_result,
    user,
)

CALL = ToolCall(call_id="c1", name="f", arguments='{"x": 1}')
OTHER = ToolCall(call_id="c2", name="g", arguments="{")
TOOL = ToolSpec(name="f", description="does", parameters={"type": "object", "properties": {"x": {"type": "integer"}}})
ASKED = [
    system("Be kind."),
    user("hi"),
    Message(role="assistant", parts=(Reasoning(text="hm"), Text(text="so"), CALL, OTHER)),
    tool_result(CALL, "3"),
    tool_result(OTHER, "no"),
]


def adapt(**manner: Any) -> list[dict[str, Any]]:
    """The conversation for a template of this manner."""
    return Manner(**manner).adapt(to_chat(ASKED), to_tools([TOOL]), HERMES)[0]


def test_messages_become_what_templates_expect() -> None:
    call = ToolCall(call_id="c1", name="f", arguments='{"x": 1}')
    odd = ToolCall(call_id="c2", name="g", arguments="{")
    messages = [
        system("one"),
        system("two"),
        user("hi"),
        Message(role="assistant", parts=(Reasoning(text="hm"), Text(text="so"), call, odd)),
        tool_result(call, "3"),
        assistant("bye"),
    ]
    assert to_chat(messages) == [
        {"role": "system", "content": "one\n\ntwo"},
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": "so",
            "reasoning_content": "hm",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "3"},
        {"role": "assistant", "content": "bye"},
    ]


def test_a_template_that_shows_no_tools_has_them_in_the_system_message() -> None:
    chat, tools = Manner(tools=False).adapt(to_chat(ASKED), to_tools([TOOL]), HERMES)
    assert tools == []
    assert chat[0]["content"].startswith("Be kind.\n\nYou may call tools")
    assert '"name": "f", "description": "does"' in chat[0]["content"]
    assert '<tool_call>\n{"name": "name of the tool"' in chat[0]["content"]
    told, _ = Manner(tools=False).adapt(to_chat([user("hi")]), to_tools([TOOL]), HERMES)
    assert [entry["role"] for entry in told] == ["system", "user"]


def test_a_template_that_writes_no_calls_finds_them_in_the_text() -> None:
    said = adapt(calls=False)[2]
    assert "tool_calls" not in said
    assert said["content"] == "so\n" + HERMES.write([("f", "c1", {"x": 1}), ("g", "c2", {"arguments": "{"})])


def test_a_template_that_knows_no_results_hears_them_from_the_user() -> None:
    last = adapt(results=False)[-1]
    assert last == {
        "role": "user",
        "content": "<tool_response>\n3\n</tool_response>\n<tool_response>\nno\n</tool_response>",
    }


def test_a_template_that_knows_no_system_hears_it_from_the_user() -> None:
    assert adapt(system=False)[0] == {"role": "user", "content": "Be kind.\n\nhi"}


def test_a_template_of_one_call_a_turn_sees_each_with_its_result() -> None:
    turns = adapt(one_call=True)[2:]
    assert [(t["role"], t.get("tool_call_id") or t["tool_calls"][0]["id"]) for t in turns] == [
        ("assistant", "c1"),
        ("tool", "c1"),
        ("assistant", "c2"),
        ("tool", "c2"),
    ]


def test_arguments_have_the_type_that_a_template_takes() -> None:
    def arguments(**manner: Any) -> list[Any]:
        return [call["function"]["arguments"] for call in adapt(**manner)[2]["tool_calls"]]

    assert arguments() == [{"x": 1}, "{"]
    assert arguments(text_arguments=True) == ['{"x": 1}', '"{"']
    assert arguments(mapped_arguments=True) == [{"x": 1}, {"arguments": "{"}]


def test_ids_of_nine_letters_still_pair_calls_with_results() -> None:
    chat = adapt(short_ids=True)
    ids = [call["id"] for call in chat[2]["tool_calls"]]
    assert ids == [entry["tool_call_id"] for entry in chat[3:]]
    assert all(len(id_) == 9 and id_.isalnum() for id_ in ids)
    assert ids[0] != ids[1]


def test_content_joins_the_thoughts_where_a_template_takes_one_of_them() -> None:
    said = adapt(one_voice=True, thoughts="thinking")[2]
    assert (said["thinking"], said["content"]) == ("hm\n\nso", "")


def test_nothing_is_left_out_of_a_schema_where_a_template_insists() -> None:
    odd = ToolSpec(
        name="f",
        parameters={"properties": {"x": {"type": ["string", "null"]}, "y": {"items": {"type": ["null"]}}, "z": True}},
    )
    _, (one, bare) = Manner(explicit=True).adapt([], to_tools([odd, ToolSpec(name="g", parameters={})]), HERMES)
    assert one["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "x": {"description": "", "anyOf": [{"type": "string"}, {"type": "null"}]},
            "y": {"description": "", "items": {"anyOf": [{"type": "null"}]}},
            "z": True,
        },
    }
    assert bare["function"]["parameters"] == {"type": "object", "properties": {}}
    kept = {"properties": {"x": {"type": ["string", "null"]}}}
    _, (same,) = Manner().adapt([], to_tools([ToolSpec(name="f", parameters=kept)]), HERMES)
    assert same["function"]["parameters"] == kept
