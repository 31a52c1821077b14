"""Models of other families, through the whole backend: the shipped model with another family's template."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.errors import UnsupportedSetting
from graphrt.backends.events import PartDelta, PartEnded, PartStarted, Warned
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.messages import Message, Request, Settings, ToolCall, ToolSpec, tool_result, user
from tests.backends.llama.conftest import LOOKUP, WEATHER, answer, ask, events, failure, json_of

pytestmark = pytest.mark.anyio

TURNS = """{%% for m in messages %%}<|im_start|>{{ m.role }}
{{ m.content }}%s<|im_end|>
{%% endfor %%}<|im_start|>assistant
"""
PLAIN = TURNS % ""
TAGGED = "{{ tools | tojson }}" + TURNS % (
    "{% for c in m.tool_calls or () %}{{ '\n' }}<tool_call>\n<function={{ c.function.name }}>{{ '\n' }}"
    "{% for k, v in c.function.arguments | items %}<parameter={{ k }}>\n{{ v }}\n</parameter>{{ '\n' }}"
    "{% endfor %}</function>\n</tool_call>{% endfor %}"
)
BARE = "{{ tools | tojson }}" + TURNS % (
    "{% if m.tool_calls | length > 1 %}{{ raise_exception('one call') }}{% endif %}{% for c in m.tool_calls or () %}"
    '{"name": "{{ c.function.name }}", "parameters": {{ c.function.arguments | tojson }}}{% endfor %}'
)
HARMONY = "{# <|channel|> functions. #}{{ tools | tojson }}" + TURNS % (
    "{% for c in m.tool_calls or () %}{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}"
)
DIGIT = {"type": "integer", "minimum": 0, "maximum": 9}
SUM = ToolSpec(
    name="add",
    parameters={
        "type": "object",
        "properties": {"a": DIGIT, "b": DIGIT},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
)
"""A tool whose arguments any model comes to the end of."""
WILD = Settings(temperature=2.0, seed=3)
SHORT = Settings(temperature=2.0, seed=3, max_tokens=200)


@contextlib.asynccontextmanager
async def spoken(template: str) -> AsyncIterator[LlamaCpp]:
    """The shipped model behind another template."""
    backend = LlamaCpp(chat_template=template)
    yield backend
    await backend.aclose()


@pytest.mark.parametrize("template", [PLAIN, TAGGED, BARE, HARMONY])
@pytest.mark.parametrize("settings", [Settings(), WILD])
async def test_a_forced_call_is_a_call_in_any_dialect(template: str, settings: Settings) -> None:
    async with spoken(template) as llama:
        said = await answer(llama, ask("Hello", tools=(WEATHER, SUM), tool_choice="add", settings=settings))
        (call,) = said.tool_calls
        assert call.complete
        assert {key: type(value) for key, value in json.loads(call.arguments).items()} == {"a": int, "b": int}
        assert (call.name, said.text, said.finish) == ("add", "", "tool_calls")


async def test_a_conversation_with_calls_goes_on() -> None:
    async with spoken(TAGGED) as llama:
        first = await answer(llama, ask("Hello", tools=(SUM,), tool_choice="required", settings=SHORT))
        results = tuple(tool_result(call, "3") for call in first.tool_calls)
        after = await answer(
            llama, Request(messages=(user("Hello"), first.message, *results), tools=(SUM,), settings=SHORT)
        )
        assert after.finish in {"stop", "length", "tool_calls"}


async def test_arguments_that_are_no_json_come_when_they_are_whole() -> None:
    async with spoken(TAGGED) as llama:
        stream = await events(llama, ask("Hello", tools=(SUM,), tool_choice="add"))
        (begun,) = [event for event in stream if isinstance(event, PartStarted)]
        pieces = [event.text for event in stream if isinstance(event, PartDelta) and event.id == begun.id]
        (ended,) = [event for event in stream if isinstance(event, PartEnded)]
        assert isinstance(ended.part, ToolCall)
        assert pieces == [ended.part.arguments]


async def test_a_model_whose_template_shows_no_tools_is_told_of_them_and_so_is_the_caller() -> None:
    async with spoken(PLAIN) as llama:
        request = ask("Hello", tools=(SUM,), tool_choice="required")
        stream = await events(llama, request)
        (warned,) = [event for event in stream if isinstance(event, Warned)]
        assert (warned.setting, "system message" in warned.message) == ("tools", True)
        with_tools, without = await answer(llama, request), await answer(llama, ask("Hello"))
        assert (with_tools.usage.input or 0) > (without.usage.input or 0) + 50
        strict = request.model_copy(update={"settings": Settings(strict=True)})
        assert isinstance((await failure(llama, strict)).error, UnsupportedSetting)


async def test_what_a_dialect_cannot_enforce_is_said() -> None:
    narrow = LOOKUP.model_copy(
        update={"parameters": {"type": "object", "properties": {"id": {"type": "string", "pattern": "^a+$"}}}}
    )
    async with spoken(TAGGED) as llama:
        settings = Settings(max_tokens=40)
        stream = await events(llama, ask("Hello", tools=(narrow,), tool_choice="required", settings=settings))
        (warned,) = [event for event in stream if isinstance(event, Warned)]
        assert "pattern" in warned.message


async def test_json_is_the_answer_in_a_dialect_with_channels() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    async with spoken(HARMONY) as llama:
        said = await answer(llama, ask("Hello", output=json_of("x", schema), settings=WILD))
        assert isinstance(json.loads(said.text)["x"], int)


async def test_a_call_that_the_model_chose_to_make_keeps_to_the_schema(llama: LlamaCpp) -> None:
    narrow = LOOKUP.model_copy(
        update={
            "parameters": {
                "type": "object",
                "properties": {"order_id": {"enum": ["first", "last"]}},
                "required": ["order_id"],
            }
        }
    )
    said = await answer(llama, ask("Where is my order 48213?", tools=(narrow,)))
    (call,) = said.tool_calls
    assert json.loads(call.arguments)["order_id"] in {"first", "last"}


async def test_the_shipped_model_reads_tools_and_writes_calls_by_itself(llama: LlamaCpp) -> None:
    question = ask("Where is my order 48213?", tools=(LOOKUP,))
    said = await answer(llama, question)
    assert said.warnings == ()
    assert isinstance(said.message, Message)
    assert [call.name for call in said.tool_calls] == ["lookup_order"]
