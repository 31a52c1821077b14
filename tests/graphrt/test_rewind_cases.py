"""What of a record still holds, case by case: scopes, races, failures, effects, types (D9, D10, D11)."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import to_json

from graphrt import Final, Machine, dag, each, first, node, ports, upcaster, when
from graphrt import State as MachineState
from graphrt.dag import as_graph
from graphrt.decide import Start, decide
from graphrt.definition import define, recall
from graphrt.errors import UsageError
from graphrt.facts import (
    AttemptFailed,
    Fact,
    Failure,
    MessageRefused,
    RunFailed,
    RunRewound,
    RunStarted,
    StepFailed,
    StepFinished,
    StepStarted,
    StepUnknown,
    StepWaiting,
    SubstepFailed,
    SubstepFinished,
    SubstepStarted,
)
from graphrt.graph import Graph, join_object
from graphrt.node import FunctionNode
from graphrt.ports import type_tag
from graphrt.rewind import misfits, rewind
from graphrt.snapshot import dump
from graphrt.state import apply
from graphrt.tree import State
from graphrt.types import StepKey
from tests.graphrt.small import Bench, counter, mix, odd, upto, zero
from tests.graphrt.test_rewind import counted, finished, shared


def start(graph: Graph[..., Any], **inputs: Any) -> RunStarted:
    given = join_object({name: to_json(value) for name, value in inputs.items()})
    return RunStarted(graph.name, graph.fingerprint, given, 0)


def run(graph: Graph[..., Any], **inputs: Any) -> list[Fact]:
    """Run a graph to its end, and return what was recorded."""
    bench = Bench(State(graph), Random(0))
    bench.fold(start(graph, **inputs))
    bench.go()
    return bench.facts


def kept(facts: Sequence[Fact], old: Graph[..., Any], new: Graph[..., Any], **how: Any) -> list[str]:
    """The finished steps that hold."""
    found = rewind(counted(facts), old, new, **how)
    return [*finished(counted(shared(counted(facts), found.spans))), *finished(counted(found.copied))]


def starts(state: State) -> list[str]:
    return [each.step for each in decide(state, 0.0, lambda _: 9) if isinstance(each, Start)]


def test_one_item_of_an_each_is_done_anew_and_the_others_are_kept() -> None:
    """D9."""

    @dag
    def g(x: int) -> list[int]:
        return each(mix, upto(x), 1)

    facts = run(g, x=3)
    assert {*kept(facts, g, g, at=["each:mix[1]"])} == {"upto", "each:mix[0]", "each:mix[2]"}
    assert {*kept(facts, g, g, at=["each:mix"])} == {"upto"}
    found = rewind(counted(facts), g, g, at=["each:mix[1]"])
    assert (found.reused, found.again) == (3, ("each:mix[1]",))


def test_a_machine_keeps_the_visits_before_the_one_that_is_done_anew() -> None:
    """D9: and redoes all after it."""
    facts = run(counter, left=3, so_far=1)
    assert "".join(finished(counted(facts))) == ("look#1around#1/backlook#2around#2/backlook#3around#3/backlook#4")
    found = rewind(counted(facts), counter, counter, at=["around#2"])
    assert finished(counted(shared(counted(facts), found.spans))) == ["look#1", "around#1/back", "look#2"]
    assert found.again == ("around#2/back", "look#3", "around#3/back", "look#4")
    assert kept(facts, counter, counter, at=["around"]) == ["look#1"]


def test_a_recursion_keeps_what_is_above_the_step_that_is_done_anew() -> None:
    """D9, G2."""

    @dag
    def down(x: int) -> int:
        return when(odd(x), down(mix(x, 0)), x)

    facts = run(down, x=3)
    assert finished(counted(facts)) == ["odd", "mix", "down/odd"]
    assert kept(facts, down, down, at=["down"]) == ["odd", "mix"]
    old = recall(define(down))
    assert kept(facts, old, down) == ["odd", "mix", "down/odd"]


def test_the_winner_of_a_race_stays_the_winner_and_redoing_it_lets_what_it_fed_go() -> None:
    """D9, E4: the order of the record decides, as it did."""

    @dag
    def g(x: int) -> int:
        return mix(first(mix.named("fast")(x, 0), mix.named("slow")(x, 1)), 7)

    facts: list[Fact] = [start(g, x=1)]
    state = State(g)
    apply(state, facts[0])

    def fold(*more: Fact) -> None:
        for fact in more:
            apply(state, fact)
            facts.append(fact)

    fold(StepStarted(StepKey("fast"), 1), StepStarted(StepKey("slow"), 1))
    fold(StepFinished(StepKey("fast"), 1, b"4", "int"), StepStarted(StepKey("mix"), 1))
    fold(StepFinished(StepKey("slow"), 1, b"5", "int"), StepFinished(StepKey("mix"), 1, b"20", "int"))
    assert kept(facts, g, g) == ["fast", "slow", "mix"]
    assert kept(facts, g, g, at=["slow"]) == ["fast", "mix"]
    assert rewind(counted(facts), g, g, at=["slow"]).again == ()
    found = rewind(counted(facts), g, g, at=["fast"], fork=True)
    assert finished(counted(shared(counted(facts), found.spans))) == ["slow"]
    assert starts(found.state) == ["mix"]


def test_what_had_failed_for_good_gets_another_chance_and_attempts_are_counted_on() -> None:
    """D9, E9: a fork of a failed run does not begin failed."""

    @dag
    def g(x: int) -> int:
        return mix(mix.named("a")(x, 0), mix.named("b")(x, 1))

    failure = Failure("ValueError", "no")
    a, b = StepKey("a"), StepKey("b")
    facts: list[Fact] = [
        start(g, x=1),
        StepStarted(a, 1),
        StepStarted(b, 1),
        AttemptFailed(b, 1, failure, 5.0),
        StepFinished(a, 1, b"4", "int"),
        StepStarted(b, 2),
        StepFailed(b, 2, failure),
        RunFailed(b, 2, failure, "b"),
    ]
    for fork in (False, True):
        found = rewind(counted(facts), g, g, fork=fork)
        assert (found.reused, found.again, found.state.blame) == (1, ("b",), None)
        begun = [each for each in decide(found.state, 9.0, lambda _: 9) if isinstance(each, Start)]
        assert [(each.step, each.attempt) for each in begun] == [("b", 1 if fork else 2)]


def _effects(*facts: Fact, fork: bool, at: Sequence[str] = ()) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    @dag
    def g(x: int) -> int:
        return mix(mix.named("pay")(x, 0), 1)

    record = counted([start(g, x=1), *facts])
    found = rewind(record, g, g, fork=fork, at=at)
    return found.again, found.effects, [type(fact).__name__ for fact in shared(record, found.spans)]


PAY = StepKey("pay")
LOST, NOT_DONE = Failure("ConnectionError", "lost"), Failure("NotDone", "refused")
DISPATCHED = StepStarted(PAY, 1, intent="key")
PAID = StepFinished(PAY, 1, b"4", "int")


@pytest.mark.parametrize(
    ("facts", "at", "run", "fork"),
    [
        ([DISPATCHED, PAID], [], ((), ()), ((), ())),
        ([DISPATCHED, PAID], ["pay"], (("pay",), ("pay",)), (("pay",), ("pay",))),
        ([DISPATCHED, AttemptFailed(PAY, 1, NOT_DONE, 0.0)], ["pay"], (("pay",), ()), (("pay",), ())),
        ([DISPATCHED, StepFailed(PAY, 1, NOT_DONE)], [], (("pay",), ()), (("pay",), ())),
        ([DISPATCHED, StepUnknown(PAY, 1, LOST), StepFailed(PAY, 1, LOST)], [], (("pay",), ()), (("pay",), ())),
        ([DISPATCHED], [], (("pay",), ()), (("pay",), ("pay",))),
        ([DISPATCHED, StepUnknown(PAY, 1, LOST)], [], (("pay",), ()), (("pay",), ("pay",))),
        ([StepStarted(PAY, 1), PAID], ["pay"], (("pay",), ()), (("pay",), ())),
    ],
)
def test_an_effect_that_would_be_done_again_is_named(
    facts: list[Fact], at: list[str], run: tuple[Any, Any], fork: tuple[Any, Any]
) -> None:
    """D3, D9: what is finished is kept; what is unknown stays unknown in the run itself and cannot in a fork; what
    surely did not happen may."""
    assert _effects(*facts, fork=False, at=at)[:2] == run
    assert _effects(*facts, fork=True, at=at)[:2] == fork


def test_what_is_unknown_or_waits_is_kept_for_the_run_and_a_fork_keeps_what_waits() -> None:
    """D3, D4: a timer that runs for days is not begun anew, and an intent is never forgotten."""
    unknown = (DISPATCHED, StepUnknown(PAY, 1, LOST))
    assert _effects(*unknown, fork=False)[2] == ["StepStarted", "StepUnknown"]
    assert _effects(*unknown, fork=True)[2] == []
    waits = StepWaiting(PAY, 1, "timer", until=9.0)
    refused = MessageRefused(PAY, 1, "m", LOST)
    assert _effects(waits, fork=False) == ((), (), ["StepWaiting"])
    assert _effects(waits, refused, fork=True) == ((), (), ["StepWaiting", "MessageRefused"])
    assert _effects(waits, fork=True, at=["pay"]) == (("pay",), (), [])


def test_an_effect_inside_a_step_is_kept_with_it_or_named() -> None:
    """D4: a step that goes on finds what its sub-steps did; done anew, they would be done twice."""
    inside = (StepStarted(PAY, 1), SubstepStarted(PAY, 1, "charge", "k"))
    done = (*inside, SubstepFinished(PAY, 1, "charge", b"1", "int"))
    names = ["StepStarted", "SubstepStarted", "SubstepFinished"]
    assert _effects(*done, fork=False) == (("pay",), (), names)
    assert _effects(*done, fork=True) == (("pay",), (), names[1:])
    assert _effects(*done, fork=True, at=["pay"]) == (("pay",), ("pay",), [])
    assert _effects(*inside, fork=False) == (("pay",), (), names[:2])
    assert _effects(*inside, fork=True) == (("pay",), ("pay",), [])
    settled = (*inside, SubstepFailed(PAY, 1, "charge", NOT_DONE))
    assert _effects(*settled, fork=True, at=["pay"]) == (("pay",), (), [])


def test_another_node_at_the_same_place_is_done_anew() -> None:
    """D11: the same key is not enough."""

    @node
    def twice(a: int) -> int:
        return a * 2

    def graph(inner: FunctionNode[[int], int]) -> Graph[..., Any]:
        @dag
        def g(x: int) -> int:
            return mix(inner.named("a")(x), 1)

        return g

    old, new = graph(zero), graph(twice)
    assert kept(run(old, x=3), old, new) == []
    assert kept(run(old, x=3), old, graph(zero)) == ["a", "mix"]


def renaming(name: str) -> Graph[..., Any]:
    @dag
    def g(x: int) -> int:
        before = mix.named("before")(x, 1)
        return mix.named("after")(mix.named(name)(before, 2), 3)

    return g


def test_a_renamed_step_is_kept_under_its_new_name_if_a_migration_says_so() -> None:
    """D11: what comes after it is recorded anew with it, in its order."""
    old, new = renaming("plan"), renaming("outline")
    facts = run(old, x=1)
    assert kept(facts, old, new) == ["before"]
    found = rewind(counted(facts), old, new, renamed={"plan": "outline"})
    assert finished(counted(shared(counted(facts), found.spans))) == ["before"]
    assert finished(counted(found.copied)) == ["outline", "after"]
    assert (found.reused, found.again) == (3, ())
    again = State(new)
    for fact in [facts[0], *shared(counted(facts), found.spans), RunRewound("", "", ""), *found.copied]:
        apply(again, fact)
    assert dump(again) == dump(found.state)
    assert again.result is not None


def test_an_input_that_the_run_was_not_given_is_refused_with_what_to_do() -> None:
    """D11."""

    @dag
    def g(x: int) -> int:
        return mix(x, 1)

    @dag
    def wider(x: int, y: int) -> int:
        return mix(x, y)

    with pytest.raises(UsageError, match="was not given 'y', which graph 'wider' takes now; fork it with that input"):
        rewind(counted(run(g, x=1)), g, wider)
    assert kept(run(wider, x=1, y=1), wider, g) == ["mix"]


@pytest.fixture
def upcasters() -> Iterator[None]:
    before = dict(ports._upcasters)
    yield
    ports._upcasters.clear()
    ports._upcasters.update(before)


class V1:
    class Note(BaseModel):
        words: str

    class Open(MachineState):
        count: int

    class Shut(Final):
        count: int


class V2:
    class Note(BaseModel):
        text: str
        stars: int

    class Open(MachineState):
        count: int
        by: str

    class Shut(Final):
        count: int


class V3:
    class Note(BaseModel):
        words: str
        stars: int = 0


def noting(version: Any) -> Graph[..., Any]:
    note_type = version.Note
    field = next(iter(note_type.model_fields))

    def take(x: int) -> Any:
        return note_type.model_validate({field: str(x), "stars": 1})

    def read(note: Any) -> str:
        return str(getattr(note, field))

    take.__annotations__["return"] = note_type
    read.__annotations__["note"] = note_type
    take_node, read_node = node(take), node(read)

    @dag
    def g(x: int) -> str:
        return read_node(take_node(x))

    return g


def test_a_value_of_an_old_type_is_kept_through_an_upcaster_and_what_it_fed_too(upcasters: None) -> None:
    """D11, D13: the input of the second step is what the upcaster makes of the old one: the same, in today's words."""
    old, new = noting(V1), noting(V2)
    facts = run(old, x=1)
    found = rewind(counted(facts), recall(define(old)), new)
    assert (found.reused, found.again) == (0, ("take", "read"))
    assert "Field required" in found.unfit[StepKey("take")]
    upcaster(type_tag(V1.Note), V2.Note)(lambda value: {"text": value["words"], "stars": 0})
    assert kept(facts, recall(define(old)), new) == ["take", "read"]


def test_a_value_that_today_s_type_still_takes_is_kept_without_one() -> None:
    """D11: a field with a default is no reason to do a step again."""
    old = noting(V1)
    assert kept(run(old, x=1), recall(define(old)), noting(V3)) == ["take", "read"]


def test_a_field_that_the_record_has_not_got_lets_its_step_go() -> None:
    """D11: the graph reads a field that was not there then: the step is done anew, the fold does not break."""
    old = noting(V1)
    note_type: Any = V3.Note

    def take(x: int) -> Any:
        return note_type(words=str(x))

    take.__annotations__["return"] = note_type
    take_node = node(take)

    @dag
    def g(x: int) -> int:
        return zero(take_node(x).stars)

    found = rewind(counted(run(old, x=1)), recall(define(old)), g)
    assert found.again == ("take", "read")
    assert "stars" in found.unfit[StepKey("take")]


def machine(version: Any) -> Machine[..., Any]:
    found: Machine[..., Any] = Machine("door", start=version.Open, end=version.Shut, max_transitions=9)

    def push(state: Any) -> Any:
        if state.count == 0:
            return version.Shut(count=state.count)
        return version.Open.model_validate({"count": state.count - 1, "by": "me"})

    push.__annotations__.update(state=version.Open, **{"return": version.Open | version.Shut})
    found.on(push)
    return found


def test_a_machine_goes_on_in_states_of_today_s_shape(upcasters: None) -> None:
    """D11, D13: upcasters reach the states of a machine in a rewind; without one, what no longer fits is let go."""
    old, new = machine(V1), machine(V2)
    facts = run(old, count=2)[:-3]
    assert finished(counted(facts)) == ["push#1", "push#2"]
    with pytest.raises(UsageError, match="'by'"):
        rewind(counted(facts), recall(define(old)), new)
    given = b'{"count":2,"by":"you"}'
    found = rewind(counted(facts), recall(define(old)), new, given=given, fork=True)
    assert found.reused == 0
    upcaster(type_tag(V1.Open), V2.Open)(lambda value: {**value, "by": "me"})
    upcaster("Open", V2.Open)(lambda value: {**value, "by": "you"})
    found = rewind(counted(facts), recall(define(old)), new, given=given, fork=True)
    assert (found.reused, misfits(found.state)) == (2, [])
    assert starts(found.state) == ["push#3"]


def test_only_the_frontier_is_checked_and_every_misfit_of_it_is_told() -> None:
    """D11: an open step, and the items of an `each` that are still to come."""

    class Strict(BaseModel):
        n: int

    @node
    def take(item: Strict) -> int:
        return item.n

    @node
    def lists(x: int) -> list[Strict]:
        return [Strict(n=x)]

    @dag
    def g(x: int) -> list[int]:
        return each(take, lists(x))

    facts: list[Fact] = [start(g, x=1), StepStarted(StepKey("lists"), 1)]
    state = State(g)
    for fact in [*facts, StepFinished(StepKey("lists"), 1, b'[{"n":1},{"m":2},{"n":"z"}]', "list[Strict]")]:
        apply(state, fact)
    lines = misfits(state)
    assert [line.split(":")[0:2] for line in lines] == [["each", "take[1]"], ["each", "take[2]"]]
    assert "/n" in lines[1]
    other = State(as_graph(take))
    apply(other, start(as_graph(take), item={"m": 1}))
    assert [line.partition(":")[0] for line in misfits(other)] == ["take"]
    assert misfits(State(g)) == []
