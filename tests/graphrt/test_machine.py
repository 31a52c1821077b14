"""States are data, a transition is a return type, a handler is any node (G2, G4, E10)."""

from typing import Any

import networkx as nx
import pytest

from graphrt import Final, Machine, Runtime, State, dag, node, when
from graphrt.errors import BudgetExceeded, GraphError, RunFailed, UsageError
from graphrt.facts import StepFinished

pytestmark = pytest.mark.anyio


class Draft(State):
    text: str
    rounds: int = 0


class Review(State):
    text: str
    rounds: int


class Done(Final):
    text: str


class Dropped(Final):
    why: str


class Special(Done):
    extra: int = 1


def editor(rounds: int, **options: Any) -> Machine[Any, Any]:
    machine = Machine("editor", start=Draft, end=(Done, Dropped), **options)

    @machine.on
    async def write(state: Draft) -> Review | Dropped:
        return Review(text=state.text + "!", rounds=state.rounds + 1) if state.text else Dropped(why="empty")

    @machine.on
    def review(state: Review) -> Draft | Done:
        return Done(text=state.text) if state.rounds >= rounds else Draft(text=state.text, rounds=state.rounds)

    return machine


async def steps(graph: Any, **inputs: Any) -> tuple[Any, list[str]]:
    async with Runtime() as rt:
        run = await rt.start(graph, **inputs)
        value = await run.result()
        return value, [entry.fact.step async for entry in run.events() if isinstance(entry.fact, StepFinished)]


async def test_a_machine_goes_round_and_counts_its_visits_in_the_keys() -> None:
    """G2, G5: the result is the end it reached."""
    assert await steps(editor(2), text="a") == (Done(text="a!!"), ["write#1", "review#1", "write#2", "review#2"])
    assert await steps(editor(2), text="") == (Dropped(why="empty"), ["write#1"])


async def test_a_loop_has_a_budget() -> None:
    """E10, S5: at the transition that would be one too many, and resuming says the same."""
    graph = editor(99, max_transitions=5)
    async with Runtime() as rt:
        run = await rt.start_as("r", graph, text="a")
        with pytest.raises(
            BudgetExceeded, match="'editor' took 5 transitions without an end; end the loop or raise max_transitions"
        ):
            await run.result()
        with pytest.raises(BudgetExceeded):
            await (await rt.resume("r", graph)).result()
        assert len([e async for e in run.events() if isinstance(e.fact, StepFinished)]) == 5


async def test_handlers_may_be_nodes_dags_and_other_machines() -> None:
    """G2: a dag may end it with a constant, or with a field of something."""
    machine = Machine("mixed", start=Draft, end=(Done, Dropped))

    @node
    def long(state: Draft) -> bool:
        return len(state.text) > 3

    @node(name="grow", retry=2)
    def grow_it(state: Draft) -> Review:
        return Review(text=state.text + "-", rounds=0)

    @dag
    def decide(state: Draft) -> Review | Dropped:
        return when(long(state), Dropped(why="too long"), grow_it(state))

    inner = Machine("inner", start=Review, end=(Draft, Done))

    @inner.on
    def polish(state: Review) -> Draft | Done:
        return Draft(text=state.text + "+")

    machine.on(decide)
    machine.hand_over(Review, inner)
    assert await steps(machine, text="a") == (
        Dropped(why="too long"),
        [
            "decide#1/long",
            "decide#1/grow",
            "inner#1/polish#1",
            "decide#2/long",
            "decide#2/grow",
            "inner#2/polish#1",
            "decide#3/long",
        ],
    )


async def test_a_machine_in_a_dag_in_a_machine_in_a_dag() -> None:
    """G2: step keys show the path."""
    low = editor(1)

    @node
    def finish(end: Done | Dropped) -> Done:
        return end if isinstance(end, Done) else Done(text="")

    @dag
    def middle(state: Draft) -> Done:
        return finish(low(text=state.text))

    high = Machine("high", start=Draft, end=Done)
    high.on(middle)

    @node
    def shout(text: str) -> str:
        return text.upper()

    @dag
    def top(text: str) -> str:
        return shout(high(text=text).text)

    assert await steps(top, text="a") == (
        "A!",
        ["high/middle#1/editor/write#1", "high/middle#1/editor/review#1", "high/middle#1/finish", "shout"],
    )


async def test_a_subclass_of_a_state_counts_as_that_state() -> None:
    """G1, G2: where a handler may return several."""
    machine = Machine("sub", start=Draft, end=(Done, Dropped))

    @machine.on
    def end(state: Draft) -> Done | Dropped:
        return Special(text="x")

    value, _ = await steps(machine, text="a")
    assert isinstance(value, Done)
    assert value.text == "x"


def test_all_mistakes_of_a_machine_are_told_at_its_first_use() -> None:
    """G4."""

    class Lost(State):
        pass

    class Never(Final):
        pass

    class Round(State):
        pass

    class Plain:
        pass

    machine = Machine("wrong", start=Draft, end=(Done, Never))

    @machine.on
    def one(state: Draft) -> Lost | Round | Done:
        return Lost()

    @machine.on
    def two(state: Draft) -> Done:
        return Done(text="")

    @machine.on
    def turn(state: Round) -> Round:
        return state

    @machine.on
    def apart(state: Review) -> Done:
        return Done(text="")

    @machine.on
    def after(state: Done) -> Done:
        return state

    on: Any = machine.on

    def no_state(state: int) -> Done:
        return Done(text="")

    def no_result(state: Review) -> int:
        return 1

    on(no_state)
    on(no_result)
    on(node(name="turn")(lambda_like))
    machine.hand_over(Lost, editor(1))
    with pytest.raises(GraphError) as caught:
        machine.ready()
    told = "\n".join(mistake.what for mistake in caught.value.mistakes)
    for words in [
        "Draft is handled by 'one' and 'two'",
        "handler 'no_state' does not take one state",
        "handler 'no_result' returns int, which is no state",
        "machine 'editor' starts in Draft, not in Lost",
        "nobody handles the state Lost (returned by one)",
        "the state Review is never reached",
        "Done ends the machine and has a handler",
        "the end Never is never reached",
        "from Round the machine can never finish",
        "two handlers are named 'turn'",
    ]:
        assert words in told
    assert all(mistake.place and mistake.fix for mistake in caught.value.mistakes)
    with pytest.raises(GraphError, match="is no State"):
        Machine("w", start=Plain, end=Done)  # type: ignore[arg-type] # on purpose
    with pytest.raises(UsageError, match="must be at least 1"):
        Machine("w", start=Draft, end=Done, max_transitions=0)


class Extra(State):
    pass


def lambda_like(state: Extra) -> Done:
    return Done(text="")


def test_a_machine_in_use_takes_no_more_handlers() -> None:
    """G3: definitions are immutable."""
    machine = editor(1)
    assert len(machine.fingerprint) == 12
    with pytest.raises(UsageError, match="in use"):
        machine.on(lambda_like)
    with pytest.raises(UsageError, match="in use"):
        machine.hand_over(Draft, editor(1))


def test_its_picture_is_a_frozen_graph_of_states() -> None:
    """G3: an edge for each transition, keyed by its handler."""
    graph = editor(1).networkx
    assert isinstance(graph, nx.MultiDiGraph)
    assert set(graph.edges(keys=True)) == {
        ("Draft", "Review", "write"),
        ("Draft", "Dropped", "write"),
        ("Review", "Draft", "review"),
        ("Review", "Done", "review"),
    }
    with pytest.raises(nx.NetworkXError, match=r"[Ff]rozen"):
        graph.add_node("more")


async def test_a_failing_handler_names_its_visit() -> None:
    """E9."""
    machine = Machine("fails", start=Draft, end=Done)

    @machine.on
    def write(state: Draft) -> Draft | Done:
        if state.rounds == 2:
            raise ValueError("enough")
        return Draft(text=state.text, rounds=state.rounds + 1)

    with pytest.raises(RunFailed, match=r"step 'write#3' \(node 'write'\) failed in attempt 1: ValueError: enough"):
        await steps(machine, text="a")
