"""A run's history as it counts: what a fork shares and what a rewind let go of (D9)."""

from collections.abc import Sequence
from random import Random

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.errors import StoreDamaged
from graphrt.facts import (
    Fact,
    RunFinished,
    RunForked,
    RunResumed,
    RunRewound,
    RunStarted,
    Span,
    StepFinished,
    StepStarted,
)
from graphrt.history import Counted, counted, graph_of, is_step_fact, spans_of
from graphrt.journal import MemoryJournal, RunInfo
from graphrt.rewind import rewind
from graphrt.state import apply
from graphrt.tree import State
from graphrt.types import RunId, StepKey
from tests.graphrt.small import Bench, Spec, begin, build, meaning, specs
from tests.graphrt.test_rewind import finished, inputs
from tests.graphrt.test_state import brief, chances

pytestmark = pytest.mark.anyio


async def keep(journal: MemoryJournal, run: str, facts: Sequence[Fact]) -> None:
    await journal.create(RunInfo(RunId(run), "g", "f", 0.0, 0.0), facts, at=0.0)


def started(step: str) -> Fact:
    return StepStarted(StepKey(step), 1)


def done(step: str) -> Fact:
    return StepFinished(StepKey(step), 1, b"1")


BEGUN = RunStarted("g", "f", b"{}", 0)


def forked(*spans: Span) -> Fact:
    return RunForked("a", "", "g", "f2", b"{}", 0, spans)


def rewound(*spans: Span) -> Fact:
    return RunRewound("", "g", "f3", spans)


def places(record: Sequence[Counted]) -> list[tuple[str, int]]:
    return [(run, entry.seq) for run, entry in record]


async def test_a_fork_begins_with_what_it_shares_and_a_rewind_replaces_what_was_before_it() -> None:
    """D9: facts about the run as a whole are never shared; the parent is only read."""
    journal = MemoryJournal()
    await keep(journal, "a", [BEGUN, started("p"), done("p"), RunResumed(), started("q"), done("q"), RunFinished(b"1")])
    await keep(journal, "b", [forked(Span("a", 2, 5)), done("q"), started("r"), done("r")])
    again = rewound(Span("a", 2, 3), Span("c", 2, 2))
    await keep(journal, "c", [forked(Span("a", 2, 3), Span("b", 3, 3)), started("s"), again, started("t")])
    assert places(await counted(journal, RunId("b"))) == [
        ("b", 1), ("a", 2), ("a", 3), ("a", 5), ("b", 2), ("b", 3), ("b", 4),
    ]  # fmt: skip
    record = await counted(journal, RunId("c"))
    assert places(record) == [("c", 1), ("a", 2), ("a", 3), ("c", 2), ("c", 3), ("c", 4)]
    assert graph_of(record) == ("g", "f3")
    assert graph_of(await counted(journal, RunId("a"))) == ("g", "f")


async def test_spans_run_over_what_is_not_shared_and_stop_at_what_is_let_go() -> None:
    """D9: as few as can be."""
    journal = MemoryJournal()
    await keep(journal, "a", [BEGUN, started("p"), done("p"), RunResumed(), started("q"), done("q")])
    record = await counted(journal, RunId("a"))
    assert spans_of(record, {1, 2, 4, 5}) == (Span("a", 2, 6),)
    assert spans_of(record, {1, 4}) == (Span("a", 2, 2), Span("a", 5, 5))
    assert spans_of(record, {1, 2}) == (Span("a", 2, 3),)
    assert spans_of(record, set()) == ()


async def test_a_shared_entry_that_is_not_there_is_a_damaged_store() -> None:
    """D13."""
    journal = MemoryJournal()
    await keep(journal, "a", [BEGUN, started("p")])
    await keep(journal, "b", [forked(Span("a", 2, 9))])
    with pytest.raises(StoreDamaged, match="entry 3 of run 'a', which another run shares"):
        await counted(journal, RunId("b"))


@brief
@given(specs(), inputs, chances, st.lists(st.booleans(), min_size=1, max_size=4))
def test_forks_of_forks_and_rewinds_of_rewinds_fold_to_what_they_were_planned_from(
    spec: Spec, given_: tuple[int, int], chance: Random, generations: list[bool]
) -> None:
    """D9: spans name the runs that hold the entries, however many forks lie between; the result is the same."""
    graph = build(spec)
    state, begun = begin(graph, *given_)
    bench = Bench(state, chance)
    bench.fold(begun)
    bench.go()
    runs = {"0": bench.facts}
    run = "0"
    for generation, fork in enumerate(generations, 1):
        record = _counted(runs, run)
        keys = finished(record)
        at = chance.choice(keys) if keys else ""
        found = rewind(record, graph, graph, at=[at], fork=fork)
        on = Bench(found.state, chance)
        if fork:
            run = str(generation)
            runs[run] = [RunForked("", at, graph.name, graph.fingerprint, begun.input, 0, found.spans)]
        else:
            on.facts.append(RunRewound(at, graph.name, graph.fingerprint, found.spans))
        assert on.go() == str(meaning(spec, *given_)).encode()
        runs[run].extend(on.facts)
        again = State(graph)
        for _, entry in _counted(runs, run):
            apply(again, entry.fact)
        assert (again.result, again.status, again.finished) == (on.state.result, "finished", on.state.finished)


def _counted(runs: dict[str, list[Fact]], run: str) -> list[Counted]:
    """`counted`, over lists."""

    async def read() -> list[Counted]:
        journal = MemoryJournal()
        for name, facts in runs.items():
            await keep(journal, name, facts)
        return await counted(journal, RunId(run))

    found = anyio.run(read)
    assert all(is_step_fact(entry.fact) or name == run for name, entry in found)
    return found
