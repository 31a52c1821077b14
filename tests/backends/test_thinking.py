"""The providers that read what they are asked refuse what is wrong with it: else the agent that is served by all of
them would prove nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from graphrt.backends.events import complete
from graphrt.backends.messages import OutputSchema, Request, ToolSpec, conversation, tool_result
from graphrt.backends.uri import open_backend
from tests.backends.provider import Asked, provide
from tests.backends.thinking import MINDS, Mind

pytestmark = pytest.mark.anyio

ORDER = ToolSpec(
    name="lookup_order",
    parameters={"type": "object", "properties": {"order_id": {"type": "integer"}}, "required": ["order_id"]},
)
ROUTE = OutputSchema(
    name="route",
    schema_={
        "type": "object",
        "properties": {"route": {"enum": ["billing", "technical", "sales", "other"]}},
        "required": ["route"],
        "additionalProperties": False,
    },
)
ROUTING = conversation("I was charged twice", instructions="Route the request to billing, technical, sales or other.")


@pytest.fixture(params=MINDS)
def mind(request: pytest.FixtureRequest) -> Mind:
    return MINDS[str(request.param)]


async def asked(mind: Mind) -> list[Asked]:
    """A form, a question with a tool, and the tool's result, as they are asked."""
    by_tool = ToolSpec(name="route", parameters=ROUTE.schema_)
    form = (
        Request(messages=ROUTING, tools=(by_tool,), tool_choice="route")
        if mind.way == "tool"
        else Request(messages=ROUTING, output=ROUTE)
    )
    question = Request(messages=conversation("Where is my order 48213?"), tools=(ORDER,))
    with provide(mind.answer) as there:
        backend = open_backend(mind.uri(there.base_url), secrets={"ANY": "sk-none"}.get)
        await complete(backend.stream(form))
        called = (await complete(backend.stream(question))).message
        result = tool_result(called.tool_calls[0], '{"status": "shipped"}')
        more = question.model_copy(update={"messages": (*question.messages, called, result)})
        assert (await complete(backend.stream(more))).text == "Order 48213 is shipped."
        await backend.aclose()
    return there.asked


def refuses(mind: Mind, asked: Asked, body: Any) -> bool:
    return mind.answer(Asked(asked.number, asked.path, asked.headers, body)).status == 400


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text in plain data, and where it is."""
    match value:
        case str():
            yield at, value
        case dict() | list():
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                yield from leaves(item, (*at, key))


def changed(body: Any, at: tuple[Any, ...], to: str) -> Any:
    body = inner = copy.deepcopy(body)
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = to
    return body


async def test_a_request_as_it_is_sent_is_answered_again(mind: Mind) -> None:
    assert not any(refuses(mind, each, each.body) for each in await asked(mind))


async def test_an_id_that_does_not_pair_is_refused(mind: Mind) -> None:
    last = (await asked(mind))[-1]
    ids = [at for at, _ in leaves(last.body) if at[-1] in {"id", "call_id", "tool_call_id", "tool_use_id", "toolUseId"}]
    assert len(ids) == 2
    assert all(refuses(mind, last, changed(last.body, at, "call_other")) for at in ids)


async def test_a_thought_of_another_is_refused(mind: Mind) -> None:
    last = (await asked(mind))[-1]
    seals = [at for at, text in leaves(last.body) if text == mind.own.seal]
    assert bool(seals) == (mind.rules not in {"openai", "mistral"})
    assert all(refuses(mind, last, changed(last.body, at, "sealed by somebody")) for at in seals)


async def test_a_call_without_its_result_is_refused(mind: Mind) -> None:
    last = (await asked(mind))[-1]
    turns = next(name for name in ("messages", "input", "contents") if name in last.body)
    assert refuses(mind, last, last.body | {turns: last.body[turns][:-1]})


async def test_another_result_is_another_answer(mind: Mind) -> None:
    last = (await asked(mind))[-1]
    (at,) = [at for at, text in leaves(last.body) if text == '{"status": "shipped"}']
    reply = mind.answer(Asked(last.number, last.path, last.headers, changed(last.body, at, '{"status": "lost"}')))
    said = b"".join(piece for piece in reply.pieces if isinstance(piece, bytes))
    assert b"lost" in said
    assert b"shipped" not in said


async def test_a_schema_or_a_tool_that_did_not_arrive_is_refused(mind: Mind) -> None:
    form, question, _ = await asked(mind)
    holders = {"response_format", "text", "output_config", "generationConfig", "outputConfig", "format"}
    for each, names in ((form, holders | {"tools", "toolConfig"}), (question, {"tools", "toolConfig"})):
        bare = {name: value for name, value in each.body.items() if name not in names}
        assert bare != each.body
        assert refuses(mind, each, bare)
    empty = json.loads(json.dumps(form.body).replace('"required": ["route"]', '"required": []'))
    nested = json.loads(json.dumps(form.body).replace('\\"required\\": [\\"route\\"]', '\\"required\\": []'))
    assert refuses(mind, form, empty) or refuses(mind, form, nested)
