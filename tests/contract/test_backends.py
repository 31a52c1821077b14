"""What every backend promises, asked of each of them by the same tests.

A backend joins by one more entry in `HOUSES`. The prompts stay inside the small world of the model that ships.
"""

import importlib.util
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from graphrt.backends import Backend
from graphrt.backends.dialects.openai_chat import OpenAIChat
from graphrt.backends.dialects.profiles import PRESETS
from graphrt.backends.errors import Overloaded
from graphrt.backends.events import (
    Answer,
    Chose,
    Drafted,
    Failed,
    Finished,
    Fold,
    PartDelta,
    PartEnded,
    PartStarted,
    Started,
    StreamEvent,
    Warned,
    complete,
)
from graphrt.backends.messages import (
    OutputSchema,
    Reasoning,
    Request,
    Settings,
    Text,
    ToolCall,
    ToolSpec,
    conversation,
    tool_result,
)
from graphrt.backends.policies import (
    MemoryStore,
    balance,
    breaker,
    budget,
    cached,
    fallback,
    hedge,
    limited,
    recorded,
)
from graphrt.backends.scripted import Scripted
from tests.backends.loopback import DONE, USAGE, Stream, call, delta, serve, text

pytestmark = pytest.mark.anyio

ROUTING = "Route the request to billing, technical, sales or other. Answer in JSON."
ROUTES = {"I was charged twice": "billing", "the app crashes": "technical", "can we get a discount": "sales"}
WHERE = "Where is my order 48213?"
SHIPPED = "Order 48213 is shipped."
LONG = "Hello"
ORDER = ToolSpec(
    name="lookup_order",
    description="Look up an order.",
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


@dataclass(frozen=True)
class House:
    """A backend under test. `stopped` waits until the source has really let go of a stream that was given up."""

    backend: Backend
    stopped: Callable[[], Any] | None = None


# the same small world for the backends that have no model of their own


def world(messages: list[dict[str, Any]]) -> str | tuple[str, str]:
    """What the model would say: words, or a tool's name and arguments."""
    last = messages[-1]["content"]
    if messages[-1]["role"] == "tool":
        return SHIPPED
    if last == WHERE:
        return "lookup_order", '{"order_id": 48213}'
    return json.dumps({"route": ROUTES[last]}) if last in ROUTES else "Hello! How can I help? " * 40


def scripted_line(request: Request) -> Any:
    last = request.messages[-1]
    said = world([{"role": last.role, "content": last.text}])
    return said if isinstance(said, str) else ToolCall(call_id="call_1", name=said[0], arguments=said[1])


@asynccontextmanager
async def scripted() -> AsyncIterator[House]:
    backend = Scripted(scripted_line)

    async def stopped() -> bool:
        return backend.active == 0

    yield House(backend, stopped)
    await backend.aclose()


@asynccontextmanager
async def policies() -> AsyncIterator[House]:
    said = Scripted(scripted_line)
    busy = Scripted(lambda _: Overloaded("busy"), name="busy")
    backend = fallback(busy, hedge(balance([said]), busy, after=60.0), restart=True)

    async def stopped() -> bool:
        return said.active == busy.active == 0

    yield House(backend, stopped)
    await backend.aclose()


def reply(body: dict[str, Any]) -> Stream:
    said = world(body["messages"])
    if isinstance(said, str):
        words = text(*(said[i : i + 7] for i in range(0, len(said), 7)))
        return Stream(words, stall_after=5 if len(said) > 200 and "stop" not in body else None)
    return Stream((*call(*said), delta({}, "tool_calls"), USAGE, DONE))


@asynccontextmanager
async def openai_chat() -> AsyncIterator[House]:
    with serve(reply) as server:
        backend = OpenAIChat("tiny", base_url=server.base_url, profile=PRESETS["llama_server"].profile)

        async def stopped() -> bool:
            return await anyio.to_thread.run_sync(server.wait_for_hangups)

        yield House(backend, stopped)
        await backend.aclose()


@asynccontextmanager
async def guarded() -> AsyncIterator[House]:
    """Every policy that holds back, one over the other: a policy is a backend (M8)."""
    source = Scripted(scripted_line)
    with TemporaryDirectory() as directory:
        kept = cached(recorded(source, directory), MemoryStore())
        backend = limited(breaker(budget(kept, tokens=100_000)), requests=1000, tokens=100_000, concurrency=8)

        async def stopped() -> bool:
            return source.active == 0 and backend.statistics().in_flight == 0

        yield House(backend, stopped)
        await backend.aclose()


@asynccontextmanager
async def llama_cpp() -> AsyncIterator[House]:
    from graphrt.backends.llama import LlamaCpp

    backend = LlamaCpp("tiny", n_ctx=512, n_threads=1)
    yield House(backend)
    await backend.aclose()


Factory = Callable[[], AbstractAsyncContextManager[House]]
HOUSES: dict[str, Factory] = {
    "scripted": scripted,
    "policies": policies,
    "openai_chat": openai_chat,
    "guarded": guarded,
    "llama_cpp": llama_cpp,
}


@pytest.fixture(params=HOUSES)
def house(request: pytest.FixtureRequest) -> Factory:
    if request.param == "llama_cpp":
        pytest.importorskip("tests.llama")
        if importlib.util.find_spec("graphrt.backends.llama.backend") is None:
            pytest.skip("this checkout has no llama.cpp backend")
    return HOUSES[str(request.param)]


def ask(prompt: str, **more: Any) -> Request:
    instructions = ROUTING if prompt in ROUTES else None
    return Request(messages=conversation(prompt, instructions=instructions), **more)


async def events_of(backend: Backend, request: Request) -> list[StreamEvent]:
    return [event async for event in backend.stream(request)]


def parsed(answer: Answer) -> Any:
    return json.loads(answer.text)


async def test_it_says_what_it_is(house: Factory) -> None:
    async with house() as home:
        assert isinstance(home.backend, Backend)
        assert home.backend.name
        assert home.backend.capabilities.streaming


@pytest.mark.parametrize("request_", [ask("I was charged twice"), ask(WHERE, tools=(ORDER,))], ids=["text", "tool"])
async def test_a_stream_is_a_start_parts_and_exactly_one_end(house: Factory, request_: Request) -> None:
    # M3
    async with house() as home:
        events = await events_of(home.backend, request_)
    assert [isinstance(event, (Finished, Failed)) for event in events] == [False] * (len(events) - 1) + [True]
    assert isinstance(events[-1], Finished)
    kinds = [type(event) for event in events if not isinstance(event, Drafted)]  # which may stand anywhere
    while kinds[0] is Chose:  # policies begin by saying whom they chose (M8)
        del kinds[0]
    assert not {Started, Chose} & set(kinds[1:])
    first_part = kinds.index(PartStarted)
    assert all(kind in {Started, Warned} for kind in kinds[:first_part])
    assert Warned not in kinds[first_part:]
    state = Fold()
    for event in events:
        state.add(event)  # refuses parts that overlap themselves, and anything after the end
    assert all(part.id for part in state.answer().message.parts)


async def test_the_deltas_of_a_part_add_up_to_the_part(house: Factory) -> None:
    async with house() as home:
        for request in (ask("I was charged twice"), ask(WHERE, tools=(ORDER,))):
            pieces: dict[str, str] = {}
            for event in await events_of(home.backend, request):
                match event:
                    case PartDelta(id=id_, text=piece):
                        pieces[id_] = pieces.get(id_, "") + piece
                    case PartEnded(id=id_, part=part):
                        assert isinstance(part, (Text, Reasoning, ToolCall))
                        assert pieces.get(id_, "") == (part.arguments if isinstance(part, ToolCall) else part.text)
                        assert part.id == id_
            assert pieces


async def test_an_answer_is_right(house: Factory) -> None:
    async with house() as home:
        answer = await complete(home.backend.stream(ask("I was charged twice")))
    assert parsed(answer) == {"route": "billing"}
    assert answer.finish == "stop"


async def test_usage_is_known_or_none_and_never_a_guess(house: Factory) -> None:
    # M4
    async with house() as home:
        usage = (await complete(home.backend.stream(ask("I was charged twice")))).usage
    counts = (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning)
    assert all(count is None or count >= 0 for count in counts)
    assert (usage.input is None) == (usage.output is None)
    assert usage.input is None or (usage.input > 0 and (usage.output or 0) > 0)


async def test_a_tool_call_and_its_result_make_an_answer(house: Factory) -> None:
    async with house() as home:
        request = ask(WHERE, tools=(ORDER,))
        answer = await complete(home.backend.stream(request))
        assert answer.finish == "tool_calls"
        (made,) = answer.tool_calls
        assert (made.name, made.complete) == ("lookup_order", True)
        assert json.loads(made.arguments) == {"order_id": 48213}
        assert made.call_id
        result = tool_result(made, '{"status": "shipped"}')
        again = request.model_copy(update={"messages": (*request.messages, answer.message, result)})
        last = await complete(home.backend.stream(again))
    assert last.text == SHIPPED
    assert last.finish == "stop"


async def test_a_schema_shapes_the_answer(house: Factory) -> None:
    # M7: natively where the backend can
    async with house() as home:
        if home.backend.capabilities.json_schema is False:
            pytest.skip("no JSON Schema")
        for prompt, route in ROUTES.items():
            answer = await complete(home.backend.stream(ask(prompt, output=ROUTE)))
            assert parsed(answer) == {"route": route}


async def test_the_same_seed_gives_the_same_answer(house: Factory) -> None:
    async with house() as home:
        if home.backend.capabilities.seed is False:
            pytest.skip("no seed")
        request = ask("I was charged twice", settings=Settings(seed=7, temperature=3.0, max_tokens=24))
        first, second = [await complete(home.backend.stream(request)) for _ in range(2)]
    assert first.text == second.text


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_giving_a_stream_up_stops_the_work_and_leaves_the_backend_usable(house: Factory, way: str) -> None:
    # M10 and the promise of `stream`: closed or cancelled, the source stops, and only this stream is lost
    async with house() as home:
        stream = home.backend.stream(ask(LONG))
        if way == "close":
            async for event in stream:
                if isinstance(event, PartDelta):
                    break
            await stream.aclose()
        else:
            with anyio.CancelScope() as scope:
                async for event in stream:
                    if isinstance(event, PartDelta):
                        scope.cancel()
                await anyio.lowlevel.checkpoint()  # a short answer may have been whole before anybody looked
            assert scope.cancelled_caught
        if home.stopped is not None:
            assert await home.stopped()
        assert parsed(await complete(home.backend.stream(ask("the app crashes")))) == {"route": "technical"}


async def test_requests_at_once_do_not_mix(house: Factory) -> None:
    answers: dict[str, Any] = {}
    async with house() as home:

        async def one(prompt: str) -> None:
            answers[prompt] = parsed(await complete(home.backend.stream(ask(prompt))))

        async with anyio.create_task_group() as tasks:
            for prompt in ROUTES:
                tasks.start_soon(one, prompt)
    assert answers == {prompt: {"route": route} for prompt, route in ROUTES.items()}


async def test_closing_twice_is_closing(house: Factory) -> None:
    async with house() as home:
        await complete(home.backend.stream(ask("I was charged twice")))
        await home.backend.aclose()
        await home.backend.aclose()


async def test_a_backend_that_was_never_used_can_be_closed(house: Factory) -> None:
    async with house() as home:
        await home.backend.aclose()
