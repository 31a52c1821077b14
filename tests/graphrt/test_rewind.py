"""What of a record still holds: a step done anew, another input, another graph (D9, D11)."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphrt.dag import Dag
from graphrt.decide import Start
from graphrt.definition import define, recall
from graphrt.facts import Entry, Fact, RunForked, RunRewound, Span, StepFinished, StepStarted
from graphrt.history import Counted
from graphrt.rewind import Rewind, places_above, rename, rewind
from graphrt.snapshot import dump
from graphrt.state import apply
from graphrt.tree import State
from graphrt.types import RunId, StepKey
from tests.graphrt.small import Bench, Spec, begin, build, meaning, specs
from tests.graphrt.test_state import brief, chances, small

RUN = RunId("r")
inputs = st.tuples(small, small)


def recorded(graph: Dag[..., Any], x: int, y: int, chance: Random, failing: float = 0.0) -> list[Counted]:
    """Run a graph to its end in a random order, and keep a beginning of the record, of random length."""
    state, started = begin(graph, x, y)
    bench = Bench(state, chance, failing=failing)
    bench.fold(started)
    bench.go()
    length = chance.choice([len(bench.facts), chance.randint(1, len(bench.facts))])
    return counted(bench.facts[:length])


def counted(facts: Sequence[Fact]) -> list[Counted]:
    return [Counted(RUN, Entry(seq, 0.0, fact)) for seq, fact in enumerate(facts, 1)]


def finished(record: Sequence[Counted]) -> list[StepKey]:
    return [entry.fact.step for _, entry in record if isinstance(entry.fact, StepFinished)]


def shared(record: Sequence[Counted], spans: Sequence[Span]) -> list[Fact]:
    """What spans stand for."""
    entries = [entry for span in spans for _, entry in record[span.first - 1 : span.last]]
    return [entry.fact for entry in entries if not entry.fact.kind.startswith("run ")]


def go_on(found: Rewind, chance: Random) -> tuple[bytes, list[Fact]]:
    """Drive what a rewind left to its end."""
    on = Bench(found.state, chance)
    return on.go(), on.facts


def started(facts: Sequence[Fact]) -> set[StepKey]:
    return {fact.step for fact in facts if isinstance(fact, StepStarted)}


def check(record: Sequence[Counted], found: Rewind, *, fork: bool, first: Fact | None = None) -> None:
    """The spans are what the state was folded from."""
    again = State(found.state.graph)
    apply(again, first or record[0].entry.fact)
    for fact in shared(record, found.spans):
        apply(again, fact)
    if not fork:
        apply(again, RunRewound("", "", ""))
    assert dump(again) == dump(found.state)
    assert all(one.last + 1 < other.first for one, other in zip(found.spans, found.spans[1:], strict=False))


@brief
@given(specs(), inputs, chances, st.booleans(), st.sampled_from([0.0, 0.3]))
def test_doing_any_finished_step_anew_gives_the_same_result_and_runs_nothing_twice(
    spec: Spec, given_: tuple[int, int], chance: Random, fork: bool, failing: float
) -> None:
    """D9, D10: whatever the graph, the order, the failures, and wherever the record ends."""
    x, y = given_
    graph = build(spec)
    record = recorded(graph, x, y, chance, failing)
    at = chance.choice([*finished(record), "nothing"])
    found = rewind(record, graph, graph, at=[at], fork=fork)
    check(record, found, fork=fork)
    kept = finished(counted(shared(record, found.spans)))
    assert at not in kept
    assert {*found.again} & {*kept} == set()
    value, facts = go_on(found, chance)
    assert value == str(meaning(spec, x, y)).encode()
    assert not {*kept} & started(facts)
    assert at == "nothing" or at in found.again or at in started(facts) or at in unneeded(graph, record)


def unneeded(graph: Dag[..., Any], record: Sequence[Counted]) -> set[StepKey]:
    """Steps that finished although nobody waited for them any more."""
    found, state = set(), State(graph)
    for _, entry in record:
        if isinstance(entry.fact, StepFinished):
            step = state.steps.get(entry.fact.step)
            if step is None or step.parked:
                found.add(entry.fact.step)
        apply(state, entry.fact)
    return found


@brief
@given(specs(), small, small, chances, st.booleans())
def test_a_record_in_which_everything_holds_is_kept_whole(
    spec: Spec, x: int, y: int, chance: Random, fork: bool
) -> None:
    """D11: over a graph of the same structure, known from its definition, every finished step is kept."""
    graph = build(spec)
    record = recorded(graph, x, y, chance)
    found = rewind(record, recall(define(graph)), build(spec), fork=fork)
    assert finished(counted(shared(record, found.spans))) == finished(record)
    assert found.unfit == {}
    assert go_on(found, chance)[0] == str(meaning(spec, x, y)).encode()


@brief
@given(specs(), inputs, inputs, chances)
def test_another_input_keeps_what_it_does_not_reach(
    spec: Spec, before: tuple[int, int], after: tuple[int, int], chance: Random
) -> None:
    """D9: an input override gives the result of plain Python on the new input, and reruns nothing else."""
    (x, y), (other_x, other_y) = before, after
    graph = build(spec)
    record = recorded(graph, x, y, chance)
    text = b'{"x":%d,"y":%d}' % (other_x, other_y)
    found = rewind(record, graph, graph, given=text, fork=True)
    check(record, found, fork=True, first=RunForked("r", "", graph.name, graph.fingerprint, text, 0))
    value, facts = go_on(found, chance)
    assert value == str(meaning(spec, other_x, other_y)).encode()
    kept = finished(counted(shared(record, found.spans)))
    assert not {*kept} & started(facts)
    if (x, y) == (other_x, other_y):
        assert kept == finished(record)


class Overriding(Bench):
    """Gives one step an output of ours, whatever it runs on."""

    key = StepKey("")
    value = b""

    def outcome(self, start: Start) -> Fact:
        said = super().outcome(start)
        if start.step != self.key:
            return said
        assert isinstance(said, StepFinished)
        return StepFinished(start.step, start.attempt, self.value, said.type)


@brief
@given(specs(racing=False), small, small, small, chances)
def test_another_output_of_a_step_gives_what_plain_python_makes_of_it(
    spec: Spec, x: int, y: int, value: int, chance: Random
) -> None:
    """D9: nothing that depends on the step is kept, and all that does not depend on it is."""
    graph = build(spec)
    record = recorded(graph, x, y, chance)
    facts = [entry.fact for _, entry in record if isinstance(entry.fact, StepFinished)]
    numbers = [fact.step for fact in facts if fact.type == "int"]
    assume(numbers)
    at = chance.choice(numbers)
    state, begun = begin(graph, x, y)
    straight = Overriding(state, chance)
    straight.key, straight.value = at, b"%d" % value
    straight.fold(begun)
    expected = straight.go()
    found = rewind(record, graph, graph, at=[at], fork=True)
    on = Bench(found.state, chance)
    on.fold(StepStarted(at, 1))
    on.fold(StepFinished(at, 1, b"%d" % value, "int"))
    assert on.go() == expected
    depends = {key for key in finished(record) if key not in {*finished(counted(shared(record, found.spans)))}}
    changed = {fact.step: fact.value for fact in straight.facts if isinstance(fact, StepFinished)}
    for fact in facts:
        if changed.get(fact.step) != fact.value:
            assert fact.step in depends


@st.composite
def changes(draw: st.DrawFn, spec: Spec) -> Spec:
    """A spec as its author might change it."""
    new = list(spec)
    place = draw(st.integers(0, len(new) - 1))
    verb, a, b, c, inner = new[place]
    match draw(st.sampled_from(["rewired", "added", "removed", "inserted", "replaced"])):
        case "rewired":
            new[place] = (verb, draw(st.integers(0, place + 1)), b, c, inner)
        case "added":
            new.append(("mix", draw(st.integers(0, len(new) + 1)), len(new) + 1, 0, None))
        case "removed":
            new.pop()
        case "inserted":
            new.insert(place, ("mix", 0, 1, 0, None))
        case _:
            new[place] = ("switch", a, b, c, None)
    return new


@brief
@given(st.data(), specs(), inputs, chances, st.booleans())
def test_over_a_changed_graph_what_matches_is_kept_and_the_result_is_the_new_graphs(
    data: st.DataObject, spec: Spec, given_: tuple[int, int], chance: Random, fork: bool
) -> None:
    """D11: the old graph is known from its definition only, and nothing is guessed."""
    x, y = given_
    changed = data.draw(changes(spec))
    old, new = build(spec), build(changed)
    assume(changed)
    record = recorded(old, x, y, chance)
    found = rewind(record, recall(define(old)), new, fork=fork)
    check(record, found, fork=fork)
    kept = finished(counted(shared(record, found.spans)))
    value, facts = go_on(found, chance)
    assert value == str(meaning(changed, x, y)).encode()
    assert not {*kept} & started(facts)


def test_a_place_above_a_step_is_all_that_it_is_inside_of() -> None:
    """D9: `at` may name a step, or a scope of steps."""
    assert list(places_above("a/each:b[2]/c#1")) == [
        "a", "a/each:b", "a/each:b[2]", "a/each:b[2]", "a/each:b[2]/c", "a/each:b[2]/c#1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "now"),
    [
        ("plan", "outline"),
        ("plan-2", "plan-2"),
        ("editor/review#3", "editor/check#3"),
        ("review#3", "review#3"),
        ("deep/each:b[2]/c#1", "deeper/each:d[2]/c#1"),
    ],
)
def test_a_renamed_place_keeps_its_ordinals(key: str, now: str) -> None:
    """D11."""
    renamed = {"plan": "outline", "editor/review": "check", "deep": "deeper", "deep/each:b": "each:d"}
    assert rename(StepKey(key), renamed) == now
