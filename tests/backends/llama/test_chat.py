"""Templates one way, parts the other: however the text is cut, the same parts come out, and nothing is taken back."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrt.backends.errors import BadRequest
from graphrt.backends.events import Fold, PartDelta, PartEnded, StreamEvent
from graphrt.backends.llama.chat import to_chat
from graphrt.backends.llama.parsing import AnswerParser
from graphrt.backends.llama.stops import StopStrings
from graphrt.backends.llama.template import ChatTemplate
from graphrt.backends.messages import (
    Message,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolSpec,
    assistant,
    system,
    tool_result,
    user,
)

CALL = '<tool_call>\n{"name": "f", "arguments": {"x": "}</tool_call>\\"", "y": [1, {}]}}\n</tool_call>'
ARGUMENTS = '{"x": "}</tool_call>\\"", "y": [1, {}]}'


TOOLS = (ToolSpec(name="f", parameters={"type": "object"}),)


def parse(*pieces: str, tools: bool = True, thinking: bool = False, cut: bool = False) -> tuple[Part, ...]:
    """The parts of an answer that came in `pieces`; checks the stream's own rules on the way."""
    fold, said = Fold(), dict[str, str]()

    def take(event: StreamEvent) -> None:
        fold.add(event)
        if isinstance(event, PartDelta):
            said[event.id] = said.get(event.id, "") + event.text
        if isinstance(event, PartEnded):
            part = event.part
            whole = part.arguments if isinstance(part, ToolCall) else getattr(part, "text", "")
            assert said.get(event.id, "") == whole

    parser = AnswerParser(take, ids="a", tools=TOOLS if tools else (), thinking=thinking)
    for piece in pieces:
        parser.feed(piece)
    parser.end(cut=cut)
    return fold.partial().parts


def plain(parts: tuple[Part, ...]) -> list[Any]:
    """Parts without their ids."""
    return [
        (part.name, part.arguments, part.complete)
        if isinstance(part, ToolCall)
        else (part.kind, getattr(part, "text", ""))
        for part in parts
    ]


CASES: list[tuple[str, list[Any]]] = [
    ("", []),
    ("  \n", []),
    ("Hello.\n", [("text", "Hello.\n")]),
    ("1 < 2 <tool", [("text", "1 < 2 <tool")]),
    (CALL, [("f", ARGUMENTS, True)]),
    (f"Let me see.\n{CALL}\n{CALL}", [("text", "Let me see."), ("f", ARGUMENTS, True), ("f", ARGUMENTS, True)]),
    (f"<think>\nHm. {CALL[:11]}\n</think>\n\nYes.", [("reasoning", "Hm. <tool_call>"), ("text", "Yes.")]),
    ("Say <think> aloud", [("text", "Say <think> aloud")]),
    ("<think>never ends", [("reasoning", "never ends")]),
    ("<think></think>x", [("text", "x")]),
    ('<tool_call>{"arguments": {"x": 1}, "name": "f"}</tool_call>', [("f", '{"x": 1}', True)]),
    ('<tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}</tool_call>', [("f", '{"x": 1}', True)]),
    ('<tool_call>{"name": "f", "parameters": {"x": 1}}</tool_call>', [("f", '{"x": 1}', True)]),
    ('<tool_call>{"name": "f"}</tool_call> bye', [("f", "", True), ("text", "bye")]),
    ('<tool_call>{"name": "f", "arguments": {"x": 1}}', [("f", '{"x": 1}', True)]),
    ('<tool_call>{"name": "f", "arguments": {"x": 1', [("f", '{"x": 1', False)]),
    ('<tool_call>{"name": "f", "arguments": {"x": }}</tool_call>', [("f", '{"x": }', True)]),
    ('<tool_call>{"na', [("", '{"na', False)]),
    ("<tool_call>\nnothing\n</tool_call>", [("text", "<tool_call>\nnothing\n</tool_call>")]),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_text_becomes_parts(text: str, expected: list[Any]) -> None:
    assert plain(parse(text)) == expected


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_character_at_a_time_makes_no_difference(text: str, expected: list[Any]) -> None:
    assert plain(parse(*text)) == expected


@settings(deadline=None)
@given(st.sampled_from(CASES), st.sampled_from(CASES), st.data())
def test_however_the_text_is_cut_the_parts_are_the_same(one: Any, other: Any, data: st.DataObject) -> None:
    text = one[0] + other[0]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parse(*pieces) == parse(text)


@settings(deadline=None)
@given(st.text(alphabet='<>/{}":,\\tol_caknihe \n', max_size=80), st.booleans(), st.booleans())
def test_nothing_the_model_may_write_breaks_the_parser(text: str, tools: bool, cut: bool) -> None:
    assert plain(parse(*text, tools=tools, cut=cut)) == plain(parse(text, tools=tools, cut=cut))


@settings(deadline=None)
@given(st.integers(0, len(CALL) - 1))
def test_a_call_that_is_cut_off_is_not_complete(at: int) -> None:
    assert not any(part.complete for part in parse(CALL[:at], cut=True) if isinstance(part, ToolCall))


def test_without_tools_a_call_is_text() -> None:
    assert plain(parse(CALL, tools=False)) == [("text", CALL)]


def test_a_prompt_that_opens_a_thought_is_answered_inside_it() -> None:
    assert plain(parse("Hm.\n</think>\n\nYes.", thinking=True)) == [("reasoning", "Hm."), ("text", "Yes.")]


def test_arguments_are_handed_out_while_they_are_written() -> None:
    seen: list[StreamEvent] = []
    parser = AnswerParser(seen.append, ids="a", tools=TOOLS)
    parser.feed('<tool_call>\n{"name": "f", "arguments": {"x": ')
    assert [event.text for event in seen if isinstance(event, PartDelta)] == ['{"x": ']


@settings(deadline=None)
@given(
    st.text(alphabet="abc", max_size=30),
    st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=3),
    st.data(),
)
def test_no_stop_string_ever_leaks(text: str, stops: list[str], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    watch = StopStrings(stops)
    out = "".join(watch.feed(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)) + watch.end()
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    assert watch.hit == bool(found)
    assert not any(stop in out for stop in stops)
    assert text.startswith(out)
    if not found:
        assert out == text


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


def template(source: str, **options: Any) -> ChatTemplate:
    return ChatTemplate(source, bos="<s>", eos="</s>", **options)


def test_templates_speak_the_dialect_of_model_makers() -> None:
    source = """{%- for m in messages %}
    {%- if m.role == 'system' %}{% continue %}{% endif %}
    {%- generation %}{{ m.content | tojson }}{% endgeneration %}
{%- endfor %}{{ bos_token }}{{ strftime_now('%Y') | length }}{{ tools is none }}{{ extra_words }}"""
    said = template(source).render([user("ü")], (), {"extra_words": "!"})
    assert said == '"ü"<s>4True!'


@pytest.mark.parametrize(
    "source",
    [
        "{{ raise_exception('no') }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ 1 + 'x' }}",
        "{{ a.b.c }}",
    ],
)
def test_a_template_that_fails_or_pries_is_refused(source: str) -> None:
    with pytest.raises(BadRequest):
        template(source).render([user("hi")], (), {})


def test_a_template_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        template("{% if %}")


def test_what_users_write_is_kept_apart_from_control_tokens() -> None:
    made = template("<s>{{ messages[0].content }}<e>", control=("<s>", "<e>"))
    prompt = made.render([user("a<e><s>b")], (), {})
    assert made.split(prompt) == [("<s>a", True), ("<e>", False), ("<s>", False), ("b<e>", True)]


HERMES_TEMPLATE = """{{ tools | tojson }}
{%- for m in messages %}<{{ m.role }}>{{ m.content }}
{%- for call in m.tool_calls or () %}
<tool_call>
{{ call.function | tojson }}
</tool_call>
{%- endfor %}<end>{% endfor %}<assistant>"""


def test_tools_are_offered_as_functions() -> None:
    tool = ToolSpec(name="f", description="does", parameters={"type": "object"})
    said = template(HERMES_TEMPLATE).render([user("hi")], [tool], {})
    function = {"name": "f", "description": "does", "parameters": {"type": "object"}}
    assert json.loads(said.partition("<user>")[0]) == [{"type": "function", "function": function}]


def test_a_template_that_changes_what_it_is_given_changes_a_copy() -> None:
    tool = ToolSpec(name="f", parameters={"type": "object", "properties": {}})
    source = "{% set _ = tools[0].function.parameters.update({'x': 1}) %}" + HERMES_TEMPLATE
    template(source).render([user("hi")], [tool], {})
    assert tool.parameters == {"type": "object", "properties": {}}
