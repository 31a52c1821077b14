"""What a template is like is found by trying it."""

from typing import Any

import pytest

from graphrt.backends.llama.chat.entries import Manner
from graphrt.backends.llama.chat.probe import Found
from graphrt.backends.llama.chat.syntax import (
    ARGUMENTS,
    HERMES,
    ID,
    INDEX,
    NAME,
    PLAIN,
    Tagged,
    Thoughts,
    ToolSyntax,
)
from graphrt.backends.llama.chat.template import ChatTemplate

TURNS = """{{% for m in messages %}}<|im_start|>{{{{ m.role }}}}
{{{{ m.content }}}}{thoughts}{calls}<|im_end|>
{{% endfor %}}<|im_start|>assistant
"""


def found(calls: str, *, thoughts: str = "", shown: str = "{{ tools | tojson }}\n") -> Found:
    """What is found in a template that writes calls like this."""
    source = shown + TURNS.format(calls=calls, thoughts=thoughts)
    return ChatTemplate(source, bos="<s>", eos="</s>").found


def each(call: str) -> str:
    """Jinja that writes every call of a message."""
    return "{% for c in m.tool_calls or () %}{{ '' }}" + call + "{% endfor %}"


GIVEN = "{{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}"
OBJECT = '{"name": "{{ c.function.name }}", "arguments": ' + GIVEN
SYNTAXES: list[tuple[str, ToolSyntax]] = [
    (each(f"\n<tool_call>\n{OBJECT}}}\n</tool_call>"), HERMES),
    (
        "{% if m.tool_calls %}<TOOLS>[" + each(OBJECT + "}{{ ', ' if not loop.last }}") + "]</TOOLS>{% endif %}",
        ToolSyntax(
            begin="<TOOLS>[",
            call=('{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}"),
            between=", ",
            end="]</TOOLS>",
        ),
    ),
    (
        each("[CALL]{{ c.function.name }}[ID]{{ c.id }}[ARGS]" + GIVEN),
        ToolSyntax(call=("[CALL]", NAME, "[ID]", ID, "[ARGS]", ARGUMENTS)),
    ),
    (
        each("<|call|>f.{{ c.function.name }}:{{ loop.index0 }}<|args|>" + GIVEN + "<|end|>"),
        ToolSyntax(call=("<|call|>f.", NAME, ":", INDEX, "<|args|>", ARGUMENTS, "<|end|>")),
    ),
    (
        each(
            "\n<call>\n<function={{ c.function.name }}>\n{% for k, v in c.function.arguments | items %}"
            "<parameter={{ k }}>\n{{ v }}\n</parameter>\n{% endfor %}</function>\n</call>"
        ),
        ToolSyntax(
            call=("<call>\n<function=", NAME, ">\n", ARGUMENTS, "</function>\n</call>"),
            between="\n",
            arguments=Tagged("<parameter=", ">\n", ">\n", "\n</parameter>\n"),
            ends_thought=True,
        ),
    ),
    (
        "{% if m.tool_calls | length > 1 %}{{ raise_exception('one at a time') }}{% endif %}" + each(OBJECT + "}"),
        ToolSyntax(call=('{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}"), parallel=False),
    ),
]


@pytest.mark.parametrize(("calls", "syntax"), SYNTAXES)
def test_calls_are_found_by_what_differs(calls: str, syntax: ToolSyntax) -> None:
    made = found(calls)
    assert made.known
    assert made.dialect.tools == syntax


def test_a_template_without_calls_is_given_some() -> None:
    for calls, shown in (("", ""), ("", "{{ tools | tojson }}"), (each("<call>{{ c.id }}</call>"), "")):
        made = found(calls, shown=shown)
        assert not made.known
        assert made.dialect.tools == PLAIN.tools
        assert not made.manner.tools


def test_thoughts_are_found_by_what_stands_around_them() -> None:
    think = "{% if m.reasoning %}<deep>\n{{ m.reasoning }}\n</deep>{% endif %}"
    made = found(SYNTAXES[0][0], thoughts=think)
    assert made.dialect.thoughts == Thoughts("<deep>", "</deep>")
    assert made.manner.thoughts == "reasoning"
    assert found(SYNTAXES[0][0]).dialect.thoughts == Thoughts()


def refusing(condition: str) -> dict[str, Any]:
    """How the manner of a template that refuses something differs from that of one which does not."""
    refusal = f"{{% if {condition} %}}{{{{ raise_exception('no') }}}}{{% endif %}}"
    plain, made = found(SYNTAXES[0][0]).manner, found(refusal + SYNTAXES[0][0]).manner
    return {name: getattr(made, name) for name in Manner.__slots__ if getattr(made, name) != getattr(plain, name)}


def test_a_template_of_the_usual_kind_takes_everything_as_it_is() -> None:
    assert found(SYNTAXES[0][0]).manner == Manner()


@pytest.mark.parametrize(
    ("condition", "manner"),
    [
        ("m.role == 'system'", {"system": False}),
        ("m.role == 'tool' and m.tool_call_id | length != 9", {"short_ids": True}),
        ("m.tool_calls and m.tool_calls[0].function.arguments is string", {"mapped_arguments": True}),
        ("m.tool_calls and m.tool_calls[0].function.arguments is mapping", {"text_arguments": True}),
        ("m.tool_calls and m.content and m.reasoning_content", {"one_voice": True}),
        ("m.tool_calls and m.tool_calls | length > 1", {"one_call": True}),
        (
            "tools and not (tools[0].function.parameters.properties.values() | first).description",
            {"explicit": True},
        ),
    ],
)
def test_what_a_template_refuses_is_known(condition: str, manner: dict[str, Any]) -> None:
    assert refusing(condition) == manner
