"""One small real model for the tests of this folder: the one that comes with the package."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import anyio
import pytest

from graphrt.backends.base import Backend
from graphrt.backends.events import Answer, Failed, Finished, StreamEvent, complete
from graphrt.backends.llama import Isolated, LlamaCpp
from graphrt.backends.messages import Message, OutputSchema, Request, Settings, ToolSpec, system, user

ROUTE = "Route the request to billing, technical, sales or other. Answer in JSON."
EXTRACT = "Extract name, age and city. Answer in JSON."


def tool(name: str, **types: str) -> ToolSpec:
    """A tool whose arguments are all required."""
    properties = {key: {"type": kind} for key, kind in types.items()}
    return ToolSpec(name=name, parameters={"type": "object", "properties": properties, "required": list(properties)})


LOOKUP = tool("lookup_order", order_id="integer")
WEATHER = tool("get_weather", city="string")
ADD = tool("add", a="integer", b="integer")


def ask(*messages: Message | str, settings: Settings | None = None, **fields: Any) -> Request:
    """A request; a string is what the user says."""
    said = tuple(user(message) if isinstance(message, str) else message for message in messages)
    return Request(messages=said, settings=settings or Settings(), **fields)


def json_of(name: str, schema: Mapping[str, Any]) -> OutputSchema:
    """An answer held to `schema`."""
    return OutputSchema.model_validate({"name": name, "schema": schema})


def route(text: str) -> Request:
    """A request the model was trained on."""
    return ask(system(ROUTE), text)


async def events(backend: Backend, request: Request) -> list[StreamEvent]:
    """The whole stream."""
    return [event async for event in backend.stream(request)]


async def answer(backend: Backend, request: Request) -> Answer:
    """The finished answer, or the error the stream ended in."""
    return await complete(backend.stream(request))


async def failure(backend: Backend, request: Request) -> Failed:
    """The failure that ends the stream."""
    last = (await events(backend, request))[-1]
    assert isinstance(last, Failed)
    return last


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same but for what they cost: what was there already, and the time they took."""
    return without_cost(one) == without_cost(other)


def without_cost(answer: Answer) -> Answer:
    """An answer that forgets how much of its prompt was there already and how long anything took."""
    raw = {"seed": answer.usage.raw["seed"]} if answer.usage.raw and "seed" in answer.usage.raw else None
    return answer.model_copy(update={"usage": answer.usage.model_copy(update={"cache_read": None, "raw": raw})})


def check_protocol(stream: Sequence[StreamEvent]) -> None:
    """One terminal event, at the end."""
    terminal = [event for event in stream if isinstance(event, (Finished, Failed))]
    assert terminal == [stream[-1]]


@pytest.fixture(scope="module")
def llama() -> Iterator[LlamaCpp]:
    """The shipped model, one for all tests of a file; it serves the event loop of each."""
    backend = LlamaCpp()
    yield backend
    anyio.run(backend.aclose)


@pytest.fixture
async def own(anyio_backend: str) -> AsyncIterator[LlamaCpp]:
    """The shipped model for one test; loaded at the first request, when it has read nothing, and freed after it."""
    backend = LlamaCpp()
    yield backend
    await backend.aclose()


@pytest.fixture(scope="module")
def worker() -> Iterator[Isolated]:
    """The shipped model in a process of its own, one for all tests of a file; it serves the event loop of each."""
    backend = Isolated()
    yield backend
    anyio.run(backend.aclose)


@pytest.fixture(params=["llama", "worker"])
def model(request: pytest.FixtureRequest, anyio_backend: str) -> Backend:
    """Either of the two: what is true of a model here is true of one in a process of its own."""
    found: Backend = request.getfixturevalue(request.param)
    return found
