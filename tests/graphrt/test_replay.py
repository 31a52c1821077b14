"""Today's code against a recorded run, with no effect leaving the process (D8, D10)."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from graphrt import Final, Machine, Runtime, State, context, dag, each, first, node, step, when
from graphrt.backends.messages import Settings
from graphrt.backends.scripted import Scripted
from graphrt.config import Config
from graphrt.definition import define, recall
from graphrt.errors import RunFailed, Suspended
from graphrt.facts import RunFinished
from graphrt.graph import Graph
from graphrt.history import Counted, counted
from graphrt.node import FunctionNode
from graphrt.nodes import generated, llm
from graphrt.nodes.signal import signal
from graphrt.replay import Change, Replayed, _Replay, replay
from graphrt.testing import JumpingClock
from graphrt.travel import _recorded_models
from graphrt.types import RunId
from tests.graphrt.small import Spec, build, meaning, specs
from tests.graphrt.test_rewind import changes, inputs, recorded
from tests.graphrt.test_state import brief, chances

pytestmark = pytest.mark.anyio
calls: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    calls.clear()


def kinds(found: Replayed) -> list[tuple[str, str]]:
    return [(change.step, change.kind) for change in found.changes]


def only(found: Replayed) -> Change:
    [change] = found.changes
    assert found.first is change
    return change


async def replayed(
    old: Graph[..., Any], new: Graph[..., Any], *args: Any, models: Any = None, clock: Any = None
) -> Replayed:
    """Run one graph, and replay the run over another one, where no model is bound and nothing can be reached."""
    async with Runtime(models=models or {}, config=Config(), seed=1, clock=clock) as rt:
        run = await rt.start(old, *args)
        try:
            await run.result()
        except RunFailed:
            calls.append("failed")
        before = await rt.journal.read(run.id)
        rt.models.clear()
        calls.append("|")
        found = await rt.replay(run, new)
        assert await rt.journal.read(run.id) == before
        return found


def counting(fn: Callable[..., Any], *, effect: Any = "none", name: str = "") -> FunctionNode[[int], int]:
    """A node that notes that it ran."""

    @node(name=name or fn.__name__, effect=effect)
    def counted_(x: int) -> int:
        calls.append(name or fn.__name__)
        return int(fn(x))

    return counted_


def double(x: int) -> int:
    return x * 2


def fetch(x: int) -> int:
    return x + 1


def flow(first_: Callable[[int], int] = double, last: Callable[[int], int] = double) -> Graph[..., Any]:
    a = counting(first_, name="a")
    b = counting(fetch, effect="read")
    c = counting(last, name="c")

    @dag
    def g(x: int) -> int:
        return c(b(a(x)))

    return g


async def test_the_same_code_agrees_and_only_what_has_no_effect_is_run() -> None:
    """D10: what a node reads from the world is taken from the record."""
    found = await replayed(flow(), flow(), 3)
    assert (found.agree, found.ran, found.changes, found.complete) == (3, 2, (), True)
    assert calls == ["a", "fetch", "c", "|", "a", "c"]


async def test_a_step_that_makes_something_else_is_named_and_those_after_it_are_not() -> None:
    """D10: each step is given what it was given then."""
    found = await replayed(flow(), flow(first_=lambda x: x * 3), 3)
    change = only(found)
    assert (change.step, change.kind) == ("a", "output")
    assert change.difference is not None
    assert change.difference.diff == "--- recorded\n+++ now\n@@ -1 +1 @@\n-6\n+9"
    assert found.agree == 2
    both = await replayed(flow(), flow(first_=lambda x: x * 3, last=lambda x: 0), 3)
    assert kinds(both) == [("a", "output"), ("c", "output")]


class Report(BaseModel):
    title: str
    marks: list[int]


async def test_the_first_place_that_differs_is_pointed_at() -> None:
    """D10."""

    def made(marks: list[int]) -> Graph[..., Any]:
        @node(effect="none")
        def report(title: str) -> Report:
            return Report(title=title, marks=marks)

        @dag
        def g(title: str) -> Report:
            return report(title)

        return g

    change = only(await replayed(made([1, 2, 3]), made([1, 9, 3]), "t"))
    assert change.difference is not None
    assert change.difference.pointer == "/marks/1"
    assert "-    2,\n+    9," in change.difference.diff


async def test_a_failure_is_compared_as_an_outcome() -> None:
    """D10, E9: then and today, or only then, or only today."""

    def fails(word: str) -> Callable[[int], int]:
        def fail(x: int) -> int:
            raise ValueError(word)

        return fail

    assert (await replayed(flow(last=fails("a")), flow(last=fails("a")), 1)).changes == ()
    assert kinds(await replayed(flow(last=fails("a")), flow(last=fails("b")), 1)) == [("c", "failure")]
    change = only(await replayed(flow(last=fails("a")), flow(), 1))
    assert (change.kind, change.what) == ("failure", "does not fail today")
    change = only(await replayed(flow(), flow(last=fails("a")), 1))
    assert (change.kind, change.what) == ("failure", "fails today")


async def test_time_ids_and_random_numbers_come_from_the_record() -> None:
    """D8: they are the same in a replay; taking more of them than then is a difference, told in words."""

    def made(times: int = 2) -> Graph[..., Any]:
        @node(effect="none")
        async def look(x: int) -> list[str]:
            here = context()
            await here.sleep(60)
            return [*(f"{here.now():.0f}" for _ in range(times)), str(here.uuid()), str(here.random.random())]

        @dag
        def g(x: int) -> list[str]:
            return look(x)

        return g

    found = await replayed(made(), made(), 1, clock=JumpingClock(1000.0))
    assert (found.ran, found.changes) == (1, ())
    change = only(await replayed(made(), made(times=3), 1, clock=JumpingClock(1000.0)))
    assert (change.kind, change.what) == ("taken", "takes the time today, which the record has not got")


async def test_what_is_taken_is_in_the_record_only_where_it_was() -> None:
    """D8: a step that takes nothing has no note."""
    async with Runtime(config=Config(), clock=JumpingClock(1000.0), seed=5) as rt:

        @node
        def both(x: int) -> float:
            return context().now() if x else 0.0

        for x, note in ((0, None), (1, b'{"taken":{"now":[1000.0]}}')):
            run = await rt.start(both, x)
            await run.result()
            [found] = [e.fact.note async for e in run.events() if e.fact.kind == "finished"]  # type: ignore[union-attr]
            assert found == note


async def test_the_parts_of_a_step_are_not_done_again() -> None:
    """D4, D10: they are taken from the record; one that is new is told."""

    @node(effect="once")
    def charge(x: int) -> int:
        calls.append("charge")
        return x

    def made(times: int) -> Graph[..., Any]:
        @node(effect="none")
        async def pay(x: int) -> int:
            return sum([await step(charge, x) for _ in range(times)])

        @dag
        def g(x: int) -> int:
            return pay(x)

        return g

    assert (await replayed(made(2), made(2), 4)).changes == ()
    assert calls == ["charge", "charge", "|"]
    assert only(await replayed(made(2), made(3), 4)).what == "takes step(charge-3) today, which the record has not got"


# Models.


def asking(template: str, *, settings: Settings | None = None, system: str | None = None) -> Graph[..., Any]:
    @llm(template, model="fast", settings=settings, system=system)
    def plan(topic: str) -> list[str]:
        return generated()

    @llm("Report on {{ plan }}", model="smart")
    def write(plan: list[str]) -> str:
        return generated()

    @dag
    def g(topic: str) -> str:
        return write(plan(topic))

    return g


def answers() -> dict[str, Any]:
    bad, good = '{"result": "a"}', '{"result": ["a", "b"]}'
    return {"fast": Scripted([bad, good]), "smart": Scripted(lambda request: request.messages[-1].text.upper())}


async def test_a_model_s_node_runs_its_own_code_on_the_answers_it_got_then() -> None:
    """D10: the template, the validation and the repair run; no model is asked."""
    found = await replayed(asking("Plan {{ topic }}."), asking("Plan {{ topic }}."), "tides", models=answers())
    assert (found.agree, found.ran, found.changes) == (2, 2, ())


async def test_a_prompt_that_has_changed_is_shown_as_a_difference_and_answered_all_the_same() -> None:
    """D10: what comes after it is compared on the recorded output."""
    old, new = asking("Plan {{ topic }}.\nBe brief."), asking("Plan {{ topic }}.\nBe thorough.")
    found = await replayed(old, new, "tides", models=answers())
    assert [(change.step, change.kind) for change in found.changes] == [("plan", "request"), ("plan", "request")]
    assert found.first is not None
    assert found.first.difference is not None
    assert found.first.difference.pointer == "/messages/0/1"
    assert 'Be brief."' in found.first.difference.diff
    assert '+      "Plan tides.\\nBe thorough."' in found.first.difference.diff


@pytest.mark.parametrize(
    ("new", "pointer"),
    [
        (asking("Plan {{ topic }}.", settings=Settings(seed=3)), "/settings"),
        (asking("Plan {{ topic }}.", system="Be kind."), "/messages/0/0"),
    ],
)
async def test_a_setting_or_an_instruction_that_has_changed_is_a_difference(new: Graph[..., Any], pointer: str) -> None:
    """D10."""
    found = await replayed(asking("Plan {{ topic }}."), new, "tides", models=answers())
    assert found.first is not None
    assert found.first.difference is not None
    assert (found.first.kind, found.first.difference.pointer) == ("request", pointer)


async def test_a_record_of_an_older_version_is_believed() -> None:
    """D10: where what a model was asked was not recorded, its step's output is taken as it is."""
    graph = asking("Plan {{ topic }}.")
    async with Runtime(models=answers(), config=Config()) as rt:
        run = await rt.start(graph, "tides")
        await run.result()
        record = await counted(rt.journal, RunId(run.id))
    bare: list[Counted] = []
    for run_id, entry in record:
        fact: Any = entry.fact
        if getattr(fact, "note", None):
            fact = replace(fact, note=b'{"model":[{"role":"fast","finish":"stop","usage":{}}]}')
        bare.append(Counted(run_id, entry._replace(fact=fact)))
    found = await replay(bare, graph, asking("Another {{ topic }}"), models=_recorded_models)
    assert (found.agree, found.ran, found.changes) == (2, 0, ())


# Another structure.


async def test_a_step_that_is_given_something_else_is_named_with_the_difference() -> None:
    """D10: its inputs today against its inputs then, by the definition of the graph that was recorded."""
    mix = counting(double, name="mix", effect="read")

    @dag
    def g(x: int, y: int) -> int:
        return mix.named("last")(mix.named("a")(x))

    @dag(name="g")
    def other(x: int, y: int) -> int:
        return mix.named("last")(mix.named("a")(y))

    found = await replayed(g, other, 1, 2)
    assert kinds(found) == [("a", "input")]
    assert found.first is not None
    assert found.first.difference is not None
    assert (found.first.difference.pointer, found.agree) == ("/x", 1)


async def test_steps_that_are_gone_or_new_or_others_are_named() -> None:
    """D10."""
    one, two = counting(double, name="one"), counting(fetch, name="two", effect="read")

    @dag
    def g(x: int) -> int:
        return two.named("b")(one.named("a")(x))

    @dag(name="g")
    def without(x: int) -> int:
        return two.named("b")(x)

    @dag(name="g")
    def with_more(x: int) -> int:
        return two.named("b")(one.named("new")(one.named("a")(x)))

    @dag(name="g")
    def with_effect(x: int) -> int:
        return two.named("more")(two.named("b")(one.named("a")(x)))

    @dag(name="g")
    def otherwise(x: int) -> int:
        return one.named("b")(one.named("a")(x))

    assert kinds(await replayed(g, without, 1)) == [("a", "never reached"), ("b", "input")]
    assert kinds(await replayed(g, with_more, 1)) == [("b", "input"), ("new", "not recorded")]
    assert kinds(await replayed(g, with_effect, 1)) == [("more", "not recorded")]
    assert kinds(await replayed(g, otherwise, 1)) == [("b", "node")]


async def test_a_step_that_begins_later_than_it_did_is_named() -> None:
    """D10: it was there before what it now waits for."""
    slow, fast, last = (counting(double, name=name, effect="read") for name in ("slow", "fast", "last"))

    @node
    def both(a: int, b: int) -> int:
        return a + b

    @dag
    def g(x: int) -> int:
        return both(slow(x), last(fast(x)))

    @node(effect="none")
    def even(x: int) -> bool:
        return x % 2 == 0

    @dag(name="g")
    def later(x: int) -> int:
        waited = slow(x)
        return both(waited, last(when(even(waited), fast(x), 0)))

    found = await replayed(g, later, 1)
    assert {("fast", "order"), ("even", "not recorded")} <= {*kinds(found)}


async def test_another_result_of_the_same_steps_is_told() -> None:
    """D10."""
    mix = counting(double, name="mix", effect="read")

    @dag
    def g(x: int) -> list[int]:
        return [mix(x), 1]

    @dag(name="g")
    def other(x: int) -> list[int]:
        return [mix(x), 2]

    assert kinds(await replayed(g, other, 1)) == [("", "result")]


async def test_an_input_that_the_graph_takes_now_is_told() -> None:
    """D10."""
    mix = counting(double, name="mix", effect="read")

    @dag
    def g(x: int) -> int:
        return mix(x)

    @dag(name="g")
    def wider(x: int, y: int) -> int:
        return mix(y)

    assert only(await replayed(g, wider, 1)).what == "the graph takes 'y', which the run was not given"


# Scopes, races, waits.


class Count(State):
    left: int


class Stop(Final):
    left: int


def machine(down: int) -> Machine[..., Any]:
    found: Machine[..., Any] = Machine("counter", start=Count, end=Stop)

    @found.on
    @node(effect="none")
    def count(state: Count) -> Count | Stop:
        return Count(left=state.left - down) if state.left > 0 else Stop(left=0)

    return found


async def test_each_transition_of_a_machine_is_compared_by_itself() -> None:
    """D10: the state each begins in is the recorded one."""
    assert (await replayed(machine(1), machine(1), 3)).changes == ()
    found = await replayed(machine(1), machine(2), 3)
    assert kinds(found) == [("count#1", "output"), ("count#2", "output"), ("count#3", "output")]
    assert found.agree == 1


async def test_items_races_and_waits_are_replayed_in_their_recorded_order() -> None:
    """D10, E4: who won is in the record; a person's answer and a signal are, too."""
    word = signal("word", str)

    def made(factor: int) -> Graph[..., Any]:
        @node(effect="none")
        def times(x: int) -> int:
            return x * factor

        @node(effect="none")
        def three(x: int) -> list[int]:
            return [x, x + 1, x + 2]

        @node(effect="none")
        def join(parts: list[int], won: int, said: str) -> str:
            return f"{parts} {won} {said}"

        @dag
        def g(x: int) -> str:
            return join(each(times, three(x)), first(times(x), times(x)), word())

        return g

    async with Runtime(config=Config()) as rt:
        run = await rt.start(made(2), 1)
        await rt.signal(run.id, "word", "aye")
        await run.result()
        found = await rt.replay(run, made(2))
        assert (found.changes, found.complete) == ((), True)
        assert found.ran in {6, 7}  # the loser of the race may have been stopped before it came to anything
        other = await rt.replay(run, made(3))
    assert {change.kind for change in other.changes} == {"output"}
    places = {change.step.partition("[")[0] for change in other.changes}
    assert "each:times" in places
    assert places <= {"each:times", "times", "times-2"}


async def test_what_was_stopped_then_and_is_needed_today_is_a_difference() -> None:
    """D10: the loser of a race has no outcome in the record; a graph that waits for it cannot come to the same."""

    @node(effect="none")
    async def slow(x: int) -> int:
        await anyio.sleep_forever()
        return x

    @node(effect="none")
    def fast(x: int) -> int:
        return x

    @node(effect="none")
    def both(won: int, lost: int) -> int:
        return won + lost

    @dag(name="g")
    def old(x: int) -> int:
        return first(fast(x), slow(x))

    @dag(name="g")
    def new(x: int) -> int:
        lost = slow(x)
        return both(first(fast(x), lost), lost)

    async with Runtime(config=Config()) as rt:
        run = await rt.start(old, 1)
        await run.result()
        assert (await rt.replay(run, old)).changes == ()
        found = await rt.replay(run, new)
    assert [(change.step, change.kind) for change in found.changes] == [("slow", "not recorded")]
    assert "is run today, and was stopped then" in found.changes[0].what


async def test_a_run_that_has_not_ended_is_replayed_as_far_as_it_went() -> None:
    """D10: what comes next is no difference."""
    word = signal("word", str)

    @node(effect="none")
    def shout(text: str) -> str:
        return text.upper()

    @dag
    def g(text: str) -> list[str]:
        said = shout(text)
        return [shout(word()), said]

    async with Runtime(config=Config(), linger=0) as rt:
        run = await rt.start(g, "a")
        with pytest.raises(Suspended):
            await run.result()
        found = await rt.replay(run, g)
        await rt.cancel(run)
    assert (found.agree, found.changes, found.complete) == (2, (), False)


@brief
@given(specs(), inputs, chances, st.sampled_from([0.0, 0.3]))
def test_the_same_graph_agrees_with_any_record_of_it(
    spec: Spec, given_: tuple[int, int], chance: Random, failing: float
) -> None:
    """D10: whatever the graph, the order, the failures, and wherever the record ends; known from its definition."""
    graph = build(spec)
    record = recorded(graph, *given_, chance, failing)
    found = run_sync(_Replay(record, recall(define(graph)), build(spec), lambda *_: None))
    assert found.changes == ()
    assert found.complete == record[-1].entry.fact.kind.startswith(("run fin", "run fail"))


@brief
@given(st.data(), specs(), inputs, chances)
def test_a_changed_graph_is_replayed_to_its_end(
    data: st.DataObject, spec: Spec, given_: tuple[int, int], chance: Random
) -> None:
    """D10: and where it would come to another result, there is a difference to show for it."""
    changed = data.draw(changes(spec))
    old, new = build(spec), build(changed)
    record = recorded(old, *given_, chance)
    found = run_sync(_Replay(record, recall(define(old)), new, lambda *_: None))
    if isinstance(record[-1].entry.fact, RunFinished) and meaning(spec, *given_) != meaning(changed, *given_):
        assert found.first is not None


def run_sync(pass_: _Replay) -> Replayed:
    """Where nothing is run, nothing is waited for."""
    coroutine = pass_.go()
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: Replayed = done.value
        return result
    raise AssertionError("it waited")
