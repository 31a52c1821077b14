"""The pure core against a plain interpreter: any order, any point of interruption, any failure (E1, E4, D6)."""

from random import Random
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphrt import dag, first, node, when
from graphrt.dag import as_graph
from graphrt.decide import decide
from graphrt.facts import Fact, RunFact, RunResumed, RunStarted, StepCancelled, StepFact, StepFinished, StepStarted
from graphrt.snapshot import dump, load
from graphrt.state import _APPLY, apply
from graphrt.tree import State
from graphrt.types import StepKey
from tests.graphrt.small import Bench, Spec, begin, build, meaning, mix, odd, specs, zero

small = st.integers(0, 9)
chances = st.randoms(use_true_random=False)
thorough = settings(
    max_examples=8 * settings().max_examples,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.large_base_example,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)
brief = settings(thorough, max_examples=2 * settings().max_examples)


@thorough
@given(specs(), small, small, chances, st.integers(1, 8))
def test_any_order_of_completions_gives_the_result_of_plain_python(
    spec: Spec, x: int, y: int, chance: Random, width: int
) -> None:
    """E1, E4, S9: joins merge by key, so a schedule cannot show in the result; and the fold of the journal is the
    state."""
    graph = build(spec)
    state, started = begin(graph, x, y)
    bench = Bench(state, chance, width=width)
    bench.fold(started)
    assert bench.go() == str(meaning(spec, x, y)).encode()
    assert (state.parks, state.strays, state.running, state.delayed) == (0, {}, {}, {})
    again = State(graph)
    for fact in bench.facts:
        apply(again, fact, 0.0)
    assert (again.result, again.status, again.finished) == (state.result, "finished", state.finished)


@thorough
@given(specs(), small, small, chances)
def test_failures_at_random_never_change_the_result_of_the_resumed_run(
    spec: Spec, x: int, y: int, chance: Random
) -> None:
    """E9: what had finished is kept and not started again, what failed gets another chance, and the end is the same."""
    state, started = begin(build(spec), x, y)
    bench = Bench(state, chance, width=2, failing=0.3)
    bench.fold(started)
    assert bench.go() == str(meaning(spec, x, y)).encode()
    finished = [fact.step for fact in bench.facts if isinstance(fact, StepFinished)]
    assert len(finished) == len(set(finished))


@brief
@given(specs(), small, small, chances)
def test_a_run_resumed_from_any_prefix_of_its_journal_ends_as_if_it_had_never_stopped(
    spec: Spec, x: int, y: int, chance: Random
) -> None:
    """E1, D2: resuming is folding a prefix and going on; finished steps are never started again."""
    graph = build(spec)
    state, started = begin(graph, x, y)
    bench = Bench(state, chance)
    bench.fold(started)
    expected = bench.go()
    for length in range(1, len(bench.facts)):
        prefix = bench.facts[:length]
        resumed = Bench(State(graph), Random(length))
        for fact in [*prefix, RunResumed()]:
            resumed.fold(fact)
        assert resumed.go() == expected
        assert not _finished(prefix) & _started(resumed.facts[length:])


@brief
@given(specs(), small, small, chances, st.sampled_from([0.0, 0.2]))
def test_writing_the_state_and_reading_it_back_changes_nothing_at_any_point(
    spec: Spec, x: int, y: int, chance: Random, failing: float
) -> None:
    """D6: a run goes on from its snapshot, live or resumed, as from the state itself."""
    graph = build(spec)
    state, started = begin(graph, x, y)
    bench = Bench(state, chance, failing=failing)
    shots: list[tuple[int, bytes]] = []
    bench.seen = lambda: (
        shots.append((len(bench.facts), dump(bench.state))) if bench.state.status == "running" else None
    )
    bench.fold(started)
    expected = bench.go()
    for length, text in shots:
        read = load(graph, text)
        assert read is not None
        assert dump(read) == text
        for fact in bench.facts[length:]:
            apply(read, fact, 0.0)
        assert (read.result, read.finished) == (state.result, state.finished)
        resumed = load(graph, text)
        assert resumed is not None
        on = Bench(resumed, Random(length))
        on.fold(RunResumed())
        assert on.go() == expected
        assert not _finished(bench.facts[:length]) & _started(on.facts)


def _finished(facts: list[Fact]) -> set[StepKey]:
    return {fact.step for fact in facts if isinstance(fact, StepFinished)}


def _started(facts: list[Fact]) -> set[StepKey]:
    return {fact.step for fact in facts if isinstance(fact, StepStarted)}


def _keys(state: State, room: int = 9) -> list[tuple[str, str]]:
    return [(type(command).__name__, getattr(command, "step", "")) for command in decide(state, 0.0, lambda _: room)]


def test_the_loser_of_a_first_still_runs_when_a_branch_asks_for_it_later() -> None:
    """E1: parked is not lost."""

    @dag
    def g(x: int, y: int) -> int:
        slow = zero.named("slow")(x)
        won = first(zero.named("fast")(x), slow)
        return when(odd(mix(won, y)), slow, won)

    state, started = begin(g, 1, 0)
    apply(state, started)
    assert _keys(state) == [("Start", "fast"), ("Start", "slow")]
    for key in ("fast", "slow"):
        apply(state, StepStarted(StepKey(key), 1))
    apply(state, StepFinished(StepKey("fast"), 1, b"0"))
    assert _keys(state) == [("Cancel", "slow"), ("Start", "mix")]
    apply(state, StepCancelled(StepKey("slow"), 1))
    apply(state, StepStarted(StepKey("mix"), 1))
    apply(state, StepFinished(StepKey("mix"), 1, b"1"))
    apply(state, StepStarted(StepKey("odd"), 1))
    assert _keys(state) == []
    apply(state, StepFinished(StepKey("odd"), 1, b"true"))
    assert _keys(state) == [("Start", "slow")]


def test_a_loser_that_ends_after_its_dag_is_finished_is_only_waited_for() -> None:
    """D6: it is in the snapshot, and its last fact folds, whatever it says."""

    @dag
    def race(x: int) -> int:
        return first(zero.named("fast")(x), zero.named("slow")(x))

    @dag
    def g(x: int, y: int) -> int:
        return mix(race(x), y)

    state, started = begin(g, 1, 0)
    apply(state, started)
    for key in ("race/fast", "race/slow"):
        apply(state, StepStarted(StepKey(key), 1))
    apply(state, StepFinished(StepKey("race/fast"), 1, b"0"))
    read = load(g, dump(state))
    assert read is not None
    for each in (state, read):
        assert _keys(each) == [("Cancel", "race/slow"), ("Start", "mix")]
        apply(each, StepFinished(StepKey("race/slow"), 1, b"7"))
        assert _keys(each) == [("Start", "mix")]
        assert list(each.steps) == ["mix"]


def test_a_fact_about_a_step_that_the_graph_does_not_have_is_an_error() -> None:
    """E1: the journal is never guessed at."""

    @node
    async def only(x: int) -> int:
        return x

    graph = as_graph(only)
    state = State(graph)
    apply(state, RunStarted("only", graph.fingerprint, b'{"x":1}', 0))
    with pytest.raises(KeyError, match="other"):
        apply(state, StepStarted(StepKey("other"), 1))


def test_every_fact_has_its_meaning() -> None:
    """E1: the fold knows the whole vocabulary."""
    assert set(_APPLY) == {*get_args(RunFact), *get_args(StepFact)}
