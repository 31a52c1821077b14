"""However the text is cut, the same parts come out, and nothing is taken back."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrt.backends.events import PartDelta, StreamEvent
from graphrt.backends.llama.chat.parsing import AnswerParser
from graphrt.backends.messages import ToolCall, ToolSpec
from tests.backends.llama.reading import DIALECTS, TOOLS, parse, plain

CALL = '<tool_call>\n{"name": "f", "arguments": {"x": "}</tool_call>\\"", "y": [1, {}]}}\n</tool_call>'
ARGUMENTS = '{"x": "}</tool_call>\\"", "y": [1, {}]}'
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("f", "abcdefgh1", {"city": 'Os "lo"\\n, \'s', "days": 3, "tags": ["a", "}"], "more": {"deep": True}}),
    ("g-2", "abcdefgh2", {}),
]
EVERY = pytest.mark.parametrize("kind", DIALECTS)


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


@given(st.sampled_from(CASES), st.sampled_from(CASES), st.data())
def test_however_the_text_is_cut_the_parts_are_the_same(one: Any, other: Any, data: st.DataObject) -> None:
    text = one[0] + other[0]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parse(*pieces) == parse(text)


@given(st.text(alphabet='<>/{}":,\\tol_caknihe \n', max_size=80), st.booleans(), st.booleans())
def test_nothing_the_model_may_write_breaks_the_parser(text: str, tools: bool, cut: bool) -> None:
    assert plain(parse(*text, tools=TOOLS if tools else (), cut=cut)) == plain(
        parse(text, tools=TOOLS if tools else (), cut=cut)
    )


@given(st.integers(0, len(CALL) - 1))
def test_a_call_that_is_cut_off_is_not_complete(at: int) -> None:
    assert not any(part.complete for part in parse(CALL[:at], cut=True) if isinstance(part, ToolCall))


def test_without_tools_a_call_is_text() -> None:
    assert plain(parse(CALL, tools=())) == [("text", CALL)]


def test_a_prompt_that_opens_a_thought_is_answered_inside_it() -> None:
    assert plain(parse("Hm.\n</think>\n\nYes.", thinking=True)) == [("reasoning", "Hm."), ("text", "Yes.")]


def test_arguments_are_handed_out_while_they_are_written() -> None:
    seen: list[StreamEvent] = []
    parser = AnswerParser(seen.append, ids="a", tools=TOOLS)
    parser.feed('<tool_call>\n{"name": "f", "arguments": {"x": ')
    assert [event.text for event in seen if isinstance(event, PartDelta)] == ['{"x": ']


def calls_of(kind: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The calls that one answer of this kind can hold."""
    return CALLS if DIALECTS[kind].tools.parallel else CALLS[:1]


@EVERY
def test_what_a_syntax_writes_is_read_back(kind: str) -> None:
    dialect, calls = DIALECTS[kind], calls_of(kind)
    text = dialect.tools.write(calls)
    expected = [(name, arguments, True) for name, _, arguments in calls]
    for pieces in ([text], [*text]):
        read = parse(*pieces, dialect=dialect)
        assert all(isinstance(part, ToolCall) for part in read)
        assert [
            (p.name, json.loads(p.arguments or "{}"), p.complete) for p in read if isinstance(p, ToolCall)
        ] == expected


@EVERY
def test_a_call_that_is_cut_off_anywhere_is_never_another_call(kind: str) -> None:
    dialect, calls = DIALECTS[kind], calls_of(kind)
    text = dialect.tools.write(calls)
    for at in range(len(text)):
        for part in parse(text[:at], dialect=dialect, cut=True):
            if isinstance(part, ToolCall) and part.complete:
                assert (part.name, json.loads(part.arguments or "{}")) in [(name, given) for name, _, given in calls]


@EVERY
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), cut=st.booleans())
def test_whatever_is_written_the_pieces_make_no_difference(kind: str, seed: int, cut: bool) -> None:
    dialect, chance = DIALECTS[kind], random.Random(seed)
    text = noisy(kind, chance)
    places = sorted(chance.randint(0, len(text)) for _ in range(4))
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    whole = plain(parse(text, dialect=dialect, cut=cut))
    assert plain(parse(*text, dialect=dialect, cut=cut)) == whole
    assert plain(parse(*pieces, dialect=dialect, cut=cut)) == whole


def noisy(kind: str, chance: random.Random) -> str:
    """An answer with calls in it, spoilt in a few places, mostly by the dialect's own marks."""
    dialect = DIALECTS[kind]
    calls = dialect.tools.write(calls_of(kind))
    thoughts = f"{dialect.thoughts.open}hm{dialect.thoughts.close}"
    text = chance.choice([calls, f"So: {calls}", thoughts + calls, f"{calls} bye", "plain words"])
    channels = dialect.channels
    marks = [
        *(line for text in dialect.tools.texts for line in (text, *text.split("\n"))),
        *(dialect.thoughts.open, dialect.thoughts.close, *dialect.dropped, "{", "}", "\n", '"', "'"),
        *((channels.message, *channels.begins, *channels.ends) if channels else ()),
    ]
    for _ in range(chance.randint(0, 3)):
        at, gone = chance.randint(0, len(text)), chance.choice([0, 0, 1, 8])
        text = text[:at] + chance.choice([*marks, ""]) + text[at + gone :]
    return text[: chance.randint(0, len(text))] if chance.random() < 0.3 else text


@EVERY
def test_thoughts_and_text_around_calls_are_told_apart(kind: str) -> None:
    dialect, calls = DIALECTS[kind], calls_of(kind)
    if dialect.channels or kind == "a bare object":
        return
    text = f"{dialect.thoughts.open}hm{dialect.thoughts.close}\nSo.\n{dialect.tools.write(calls)}"
    read = plain(parse(*text, dialect=dialect))
    assert read[:2] == [("reasoning", "hm"), ("text", "So.")]
    assert len(read) == 2 + len(calls)


MISTAKES: list[tuple[str, str, list[Any]]] = [
    ("name, id, arguments", '[TOOL_CALLS]f[ARGS]{"city": "x"}', [("f", '{"city": "x"}', True)]),
    ("name, id, arguments", "[TOOL_CALLS]f[CALL_ID]a[ARGS]nonsense", [("f", "nonsense", False)]),
    ("name, id, arguments", "[TOOL_CALLS]f", [("", "f", False)]),
    ("sections", "<|call|>functions.f:0<|args|>{}", [("f", "{}", True)]),
    ("sections", "<think>hm<|section|><|call|>f<|args|>{}<|end|><|over|>", [("reasoning", "hm"), ("f", "{}", True)]),
    ("sections", '<|section|><|call|>f<|args|>{"a": 1<|end|>x', [("f", '{"a": 1', True), ("text", "x")]),
    ("sections", "<|section|> no", [("text", "<|section|> no")]),
    ("tagged arguments", "<function=f>\n<parameter=days>\n7\n</parameter>\n</function>", [("f", '{"days": 7}', True)]),
    ("tagged arguments", "<tool_call><function=f></function></tool_call>", [("f", "{}", True)]),
    (
        "tagged arguments",
        "<tool_call>\n<function=f>\n<parameter=city>\na\n\n</parameter>\n<parameter=days>\nsoon\n</parameter>\n</function>\n</tool_call>",
        [("f", '{"city": "a\\n", "days": "soon"}', True)],
    ),
    ("tagged arguments", "<tool_call>\n<function=f>\nx=1\n</function>\n</tool_call>", [("f", "x=1", True)]),
    ("tagged arguments", "<tool_call>\n<function=f>\n<parameter=city>\nOs", [("f", "{}", False)]),
    ("tagged arguments", "Use <tool_call> here", [("text", "Use"), ("text", "<tool_call> here")]),
    ("keys and values", "<tool_call>f</tool_call>", [("f", "{}", True)]),
    (
        "typed attributes",
        '<invoke name="f"><p name="days" string="true">7</p><p name="city" string="false">7</p></invoke>',
        [("f", '{"days": "7", "city": "7"}', True)],
    ),
    (
        "typed attributes",
        '<invoke name="f"><p name="city" string="false"><![CDATA[a</p>b]]></p></invoke>',
        [("f", '{"city": "a</p>b"}', True)],
    ),
    ("a list in tags", "<TOOLS>nothing</TOOLS>", [("text", "<TOOLS>nothing</TOOLS>")]),
    (
        "a list in tags",
        '<TOOLS>[{"name": "f", "arguments": {}}, {"x": 1}]</TOOLS>',
        [("f", "{}", True), ("text", '{"x": 1}]</TOOLS>')],
    ),
    ("a bare object", ' {"type": "function", "name": "f", "parameters": {"days": 1}}', [("f", '{"days": 1}', True)]),
    ("a bare object", '<|python_tag|>{"name": "f", "parameters": {}}', [("f", "{}", True)]),
    ("a bare object", '{"name": "Emma", "age": 3}', [("text", '{"name": "Emma", "age": 3}')]),
    ("a bare object", '{"city": "Oslo"}', [("text", '{"city": "Oslo"}')]),
    ("a bare object", 'See {"name": "f", "parameters": {}}', [("text", 'See {"name": "f", "parameters": {}}')]),
    (
        "python",
        "<|calls|>[f(city='It\\'s]<|over|>', more={\"deep\": true})]<|over|>",
        [("f", '{"city": "It\'s]<|over|>", "more": {"deep": true}}', True)],
    ),
    ("python", "<|calls|>[f(1)]<|over|>", [("text", "<|calls|>[f(1)]<|over|>")]),
    ("python", "<|calls|>[f(days=", [("f", "", False)]),
    (
        "gemma",
        '<|tool_call>call:f{tags:[<|"|>a<|"|>, x],more:{deep:true}}<tool_call|>',
        [("f", '{"tags": ["a", "x"], "more": {"deep": true}}', True)],
    ),
    ("gemma", "<|tool_call>call:f{days}<tool_call|>", [("f", "days", True)]),
    ("harmony", "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{", [("f", "{", False)]),
    (
        "harmony",
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hi<|return|>",
        [("reasoning", "hm"), ("text", "Hi")],
    ),
    ("harmony", "No header at all", [("text", "No header at all")]),
    ("functionary", "all\n>>> 1 + 1\n2", [("text", ">>> 1 + 1\n2")]),
    ("muse", " to=user<|message|>Hi<|eot|>", [("text", "Hi")]),
    ("kimi", "<|open|>response<|sep|>Hi<|close|>response<|sep|><|close|>message<|sep|>", [("text", "Hi")]),
]


@pytest.mark.parametrize(("kind", "text", "expected"), MISTAKES)
def test_what_models_get_wrong_is_read_for_what_it_is(kind: str, text: str, expected: list[Any]) -> None:
    assert plain(parse(text, dialect=DIALECTS[kind])) == expected
    assert plain(parse(*text, dialect=DIALECTS[kind])) == expected


def test_the_models_own_id_is_kept_unless_it_says_it_twice() -> None:
    text = "[TOOL_CALLS]f[CALL_ID]abcdefgh1[ARGS]{}" * 2
    one, other = parse(text, dialect=DIALECTS["name, id, arguments"])
    assert isinstance(one, ToolCall)
    assert isinstance(other, ToolCall)
    assert (one.call_id, one.synthetic_id) == ("abcdefgh1", False)
    assert other.call_id != one.call_id
    assert other.synthetic_id


def test_values_are_typed_by_the_schema() -> None:
    schemas: dict[str, Any] = {
        "text": {"type": "string"},
        "maybe": {"type": ["string", "null"]},
        "number": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "word": {"enum": ["7", "8"]},
        "ref": {"$ref": "#/$defs/list"},
        "any": {},
    }
    given = {"text": "7", "maybe": "null", "number": "7", "word": "7", "ref": "[1]", "any": "[1]", "unknown": "x"}
    parameters = {"type": "object", "properties": schemas, "$defs": {"list": {"type": "array"}}}
    fields = "".join(f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in given.items())
    (call,) = parse(
        f"<function=f>\n{fields}</function>",
        dialect=DIALECTS["tagged arguments"],
        tools=[ToolSpec(name="f", parameters=parameters)],
    )
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {
        "text": "7",
        "maybe": None,
        "number": 7,
        "word": "7",
        "ref": [1],
        "any": [1],
        "unknown": "x",
    }


def test_what_is_being_called_is_known_while_it_is_written() -> None:
    parser = AnswerParser(lambda _: None, ids="a", tools=TOOLS)
    parser.feed("Well. ")
    assert parser.calling is None
    parser.feed('<tool_call>\n{"name": "f"')
    assert parser.calling == '<tool_call>\n{"name": "f"'
    parser.feed(', "arguments": {}}\n</tool_call> x')
    assert parser.calling is None
