"""Templates speak the dialect of model makers, in a sandbox."""

import json
from typing import Any

import pytest

from graphrt.backends.errors import BadRequest
from graphrt.backends.llama.chat.template import ChatTemplate
from graphrt.backends.messages import Message, ToolCall, ToolSpec, user


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


def test_marks_of_calls_that_are_written_for_a_template_are_marks_and_their_arguments_are_not() -> None:
    call = ToolCall(call_id="c", name="f", arguments='{"x": "a<end>\'b"}')
    for family, kept in (("", '"x": "a'), ("List of tools: {{ tools }}", "(x='a")):
        source = family + "{% for m in messages %}<turn>{{ m.content }}<end>{% endfor %}"
        made = template(source, control=("<turn>", "<end>", "<|tool_call_start|>", "<tool_call>"))
        prompt = made.render([user("hi"), Message(role="assistant", parts=(call,))], (), {})
        pieces = made.split(prompt)
        (said,) = [i for i, piece in enumerate(pieces) if piece == ("<end>", False)]
        words, special = pieces[said - 1]
        assert special
        assert kept in words
        assert made.dialect.tools.openers[0] in words


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
