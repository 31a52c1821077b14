"""One agent, written once, on every model: the same steps, the same facts, the same typed result. What differs is a
binding.

The providers are real servers on loopback sockets, which answer by what they are asked (`tests.backends.thinking`); the
model in this process is the real one that ships.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from pydantic import BaseModel, Field
from pydantic_core import from_json

from graphrt import Final, Machine, Retry, Runtime, State, dag, each, node
from graphrt.backends import Backend, open_backend
from graphrt.backends.base import Capabilities
from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import Message, Request, Settings, ToolCall, ToolSpec, tool_result, user
from graphrt.config import Config
from graphrt.facts import Fact, StepFinished
from graphrt.nodes import ask, generated, llm
from graphrt.run import Run
from tests.backends.provider import provide
from tests.backends.thinking import MINDS

pytestmark = pytest.mark.anyio

NOWHERE = Config()
EXACT = Settings(temperature=0)


class Letter(BaseModel):
    request: str
    about: str
    question: str


class Route(BaseModel):
    route: Literal["billing", "technical", "sales", "other"]


class Person(BaseModel):
    name: str
    age: int
    city: str


class Order(BaseModel):
    order_id: int = Field(ge=1)


class Handled(BaseModel):
    """What becomes of a letter."""

    route: Route
    person: Person
    answer: str
    looked_up: list[int]


LETTER = Letter(
    request="I was charged twice",
    about="Emma is 34 years old and lives in Oslo.",
    question="Where is my order 48213?",
)
HANDLED = Handled(
    route=Route(route="billing"),
    person=Person(name="Emma", age=34, city="Oslo"),
    answer="Order 48213 is shipped.",
    looked_up=[48213],
)
ORDERS: Mapping[int, str] = {48213: "shipped"}
LOOKUP_ORDER = ToolSpec(
    name="lookup_order", description="Look up the status of an order.", parameters=Order.model_json_schema()
)


# The agent: nothing in it knows which model it asks.


@llm(
    "{{ request }}",
    system="Route the request to billing, technical, sales or other. Answer in JSON.",
    model="any",
    settings=EXACT,
    repairs=0,
    retry=Retry(attempts=1),
)
def route(request: str) -> Route:
    return generated()


@llm(
    "{{ about }}",
    system="Extract name, age and city. Answer in JSON.",
    model="any",
    settings=EXACT,
    repairs=0,
    retry=Retry(attempts=1),
)
def extract(about: str) -> Person:
    return generated()


class Thinking(State):
    question: str
    history: list[Message] = Field(default_factory=list)


class Acting(State):
    question: str
    history: list[Message]


class Answered(Final):
    text: str
    looked_up: list[int]


agent = Machine("agent", start=Thinking, end=Answered, max_transitions=10)


@agent.on
async def think(state: Thinking) -> Acting | Answered:
    history = state.history or [user(state.question)]
    said = await ask("any", history, tools=[LOOKUP_ORDER], settings=EXACT)
    history = [*history, said.message]
    if said.tool_calls:
        return Acting(question=state.question, history=history)
    made = [call for message in history for call in message.tool_calls]
    looked_up = [Order.model_validate_json(call.arguments).order_id for call in made]
    return Answered(text=said.text, looked_up=looked_up)


@node
def calls(state: Acting) -> list[ToolCall]:
    return list(state.history[-1].tool_calls)


@node(effect="read")
def lookup_order(call: ToolCall) -> Message:
    assert (call.name, call.complete) == (LOOKUP_ORDER.name, True)
    order = Order.model_validate_json(call.arguments)
    return tool_result(call, f'{{"status": "{ORDERS[order.order_id]}"}}')


@node
def told(state: Acting, results: list[Message]) -> Thinking:
    return Thinking(question=state.question, history=[*state.history, *results])


@agent.on
@dag
def act(state: Acting) -> Thinking:
    return told(state, each(lookup_order, calls(state)))


@node
def file(route: Route, person: Person, answered: Answered) -> Handled:
    return Handled(route=route, person=person, answer=answered.text, looked_up=answered.looked_up)


@dag
def handle(letter: Letter) -> Handled:
    return file(route(letter.request), extract(letter.about), agent(question=letter.question))


# The models.

IN_PROCESS = "llama_cpp"
EVERYWHERE = [*MINDS, IN_PROCESS]


@contextmanager
def model(name: str) -> Iterator[str]:
    """What names a model, while it is there."""
    if name == IN_PROCESS:
        pytest.importorskip("tests.llama")
        yield "llama_cpp:tiny?n_ctx=1024&n_threads=1"
        return
    with provide(MINDS[name].answer) as there:
        yield MINDS[name].uri(there.base_url)


def runtime(bound: str | Backend, store: Path | None = None, *, concurrency: int = 1) -> Runtime:
    """One step at a time, unless there may be more: then the order of all facts is one, too."""
    secrets = {"ANY": "sk-none"}.get
    return Runtime(store, models={"any": bound}, secrets=secrets, config=NOWHERE, concurrency=concurrency)


async def facts_of(run: Run[Any]) -> list[Fact]:
    return [entry.fact async for entry in run.events()]


def shapes(facts: list[Fact]) -> list[tuple[str, str, int | None]]:
    """What happened, without what was said."""
    return [(type(fact).__name__, getattr(fact, "step", ""), getattr(fact, "attempt", None)) for fact in facts]


def outputs(facts: list[Fact]) -> dict[str, Any]:
    """What each step returned; of the agent's own history, which holds what a provider sealed, only what was said."""
    found = {fact.step: from_json(fact.value) for fact in facts if isinstance(fact, StepFinished)}
    return {str(step): _neutral(value) for step, value in found.items()}


def _neutral(value: Any) -> Any:
    """A value without what is a provider's own in it: ids, sealed payloads, thoughts."""
    if isinstance(value, dict):
        own = {"id", "call_id", "synthetic_id", "opaque"}
        return {name: _neutral(item) for name, item in value.items() if name not in own}
    if isinstance(value, list):
        return [_neutral(item) for item in value if not (isinstance(item, dict) and item.get("kind") == "reasoning")]
    return from_json(value) if isinstance(value, str) and value.startswith("{") else value


STEPS = (
    *("route", "extract", "agent/think#1", "agent/act#1/calls", "agent/act#1/each:lookup_order[0]"),
    *("agent/act#1/told", "agent/think#2", "file"),
)
FACTS = [
    ("RunStarted", "", None),
    *((kind, step, 1) for step in STEPS for kind in ("StepStarted", "StepFinished")),
    ("RunFinished", "", None),
]


def _said(role: str, **part: Any) -> dict[str, Any]:
    return {"role": role, "parts": [part]}


CALL = {"kind": "tool_call", "name": "lookup_order", "arguments": {"order_id": 48213}, "complete": True}
RESULT = {"kind": "tool_result", "name": "lookup_order", "content": {"status": "shipped"}, "is_error": False}
ASKED = [_said("user", kind="text", text=LETTER.question), _said("assistant", **CALL)]
OUTPUTS = {
    "route": {"route": "billing"},
    "extract": {"name": "Emma", "age": 34, "city": "Oslo"},
    "agent/think#1": {"question": LETTER.question, "history": ASKED},
    "agent/act#1/calls": [CALL],
    "agent/act#1/each:lookup_order[0]": _said("tool", **RESULT),
    "agent/act#1/told": {"question": LETTER.question, "history": [*ASKED, _said("tool", **RESULT)]},
    "agent/think#2": {"text": HANDLED.answer, "looked_up": [48213]},
    "file": HANDLED.model_dump(),
}


@pytest.mark.parametrize("name", EVERYWHERE)
async def test_one_agent_takes_the_same_steps_to_the_same_result_on_every_model(name: str) -> None:
    with model(name) as uri:
        async with runtime(uri) as rt:
            run = await rt.start(handle, LETTER)
            assert await run.result() == HANDLED
            facts = await facts_of(run)
    assert shapes(facts) == FACTS
    assert outputs(facts) == OUTPUTS


@pytest.mark.parametrize("name", EVERYWHERE)
async def test_side_by_side_its_steps_are_the_same_in_whatever_order(name: str) -> None:
    with model(name) as uri:
        async with runtime(uri, concurrency=64) as rt:
            run = await rt.start(handle, LETTER)
            assert await run.result() == HANDLED
            facts = await facts_of(run)
    assert sorted(map(str, shapes(facts))) == sorted(map(str, FACTS))
    assert outputs(facts) == OUTPUTS


@pytest.mark.parametrize("name", EVERYWHERE)
async def test_each_model_is_asked_for_a_form_in_its_own_way_and_the_record_says_which(name: str) -> None:
    """M7."""
    with model(name) as uri:
        async with runtime(uri) as rt:
            run = await rt.start(handle, LETTER)
            await run.result()
            facts = await facts_of(run)
    calls = [call for fact in facts if isinstance(fact, StepFinished) and fact.note for call in _calls(fact.note)]
    way = MINDS[name].way if name in MINDS else "schema"
    assert [call.get("way") for call in calls] == [way, way, None, None]
    assert [call["finish"] for call in calls][2:] == ["tool_calls", "stop"]
    assert len({call["backend"] for call in calls}) == 1


def _calls(note: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = from_json(note).get("model", [])
    return found


# The agent stopped on one model, and gone on with another.


class Halting:
    """A model that is never heard of again once it has been given a tool's result."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.reached = anyio.Event()
        self.asked = 0

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        self.asked += 1
        if request.messages[-1].role == "tool":
            self.reached.set()
            await anyio.sleep_forever()
        async with aclosing(self.inner.stream(request)) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        await self.inner.aclose()


class Stopped(Exception):
    """The process ends here."""


async def stop_after_the_tool(uri: str, store: Path) -> str:
    """Begin a run, and stop when its tool has run. Returns its id."""
    halting = Halting(open_backend(uri, secrets={"ANY": "sk-none"}.get))
    begun = list[str]()

    async def live() -> None:
        async with runtime(halting, store) as rt:
            begun.append((await rt.start(handle, LETTER)).id)
            await halting.reached.wait()
            raise Stopped

    with pytest.raises(Stopped):
        await live()
    await halting.aclose()
    assert halting.asked == 4
    return begun[0]


PAIRS = [*zip(EVERYWHERE, [*EVERYWHERE[1:], EVERYWHERE[0]], strict=True)]
PAIRS += [(second, first) for first, second in PAIRS]


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_a_run_that_stopped_on_one_model_goes_on_with_another_to_the_same_result(
    first: str, second: str, tmp_path: Path
) -> None:
    """D2, M2: the history that one provider made is written for the other, its ids and thoughts left behind; nothing
    that had finished is asked again."""
    store = tmp_path / "runs.db"
    with model(first) as uri:
        stopped = await stop_after_the_tool(uri, store)
    with model(second) as uri:
        async with runtime(uri, store) as rt:
            run = await rt.resume(stopped, handle)
            assert await run.result() == HANDLED
            facts = await facts_of(run)
    assert outputs(facts) == OUTPUTS
    asked = {fact.step: len(_calls(fact.note)) for fact in facts if isinstance(fact, StepFinished) and fact.note}
    assert sum(asked.values()) == 4
    steps = [shape[:2] for shape in shapes(facts)]
    assert [steps.count(("StepFinished", step)) for step in STEPS] == [1] * len(STEPS)
    assert steps.count(("StepStarted", "agent/act#1/each:lookup_order[0]")) == 1
