"""A graph as data: it folds a journal as the graph itself does, and runs nothing (D11, D13)."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from graphrt import Final, Machine, Runtime, State, dag, each, first, node, switch, when
from graphrt.definition import define, recall
from graphrt.draw.mermaid import mermaid
from graphrt.errors import UsageError
from graphrt.graph import Graph, nodes_of
from graphrt.journal import MemoryJournal
from graphrt.nodes.signal import signal
from graphrt.snapshot import dump
from graphrt.state import apply
from graphrt.tree import State as RunState
from graphrt.view.bundles import bundle
from tests.graphrt.small import Bench, Spec, begin, build, mix, specs
from tests.graphrt.test_state import brief, chances, small

pytestmark = pytest.mark.anyio


class Finding(BaseModel):
    claim: str
    rank: int = 0


class Writing(State):
    topic: str
    tries: int = 0


class Judging(State):
    topic: str
    text: str


class Done(Final):
    text: str


@node(limit="search", effect="read")
def search(question: str, deep: bool = False) -> list[Finding]:
    return [Finding(claim=question)]


@node
def pick(found: list[list[Finding]], names: list[str]) -> str:
    return f"{len(found)} of {names}"


editor = Machine("editor", start=Writing, end=Done, max_transitions=7)


@editor.on
def write(state: Writing) -> Judging:
    return Judging(topic=state.topic, text="…")


@editor.on
def judge(state: Judging) -> Writing | Done:
    return Done(text=state.text)


@node
def questions(topic: str) -> list[str]:
    return [topic]


@node
def short(topic: str) -> bool:
    return len(topic) < 3


approval = signal("approval", str)


def refund_made(text: str) -> str:
    return text


@node(effect="once", check=refund_made)
def refund(text: str) -> str:
    return text


@dag(max_depth=5, on_failure="finish")
def research(topic: str, who: Finding) -> str:
    asked = questions(topic)
    found = each(search, asked, deep=True)
    text = pick(found, [who.claim, "me"])
    again = when(short(text), research.named("deeper")(text, who), editor(topic=text).text)
    paid = refund(approval())
    return switch(text, {"a": again, "b": first(text, again, paid)}, default=text)


NESTED: Spec = [("dag", 0, 1, 0, [("map", 1, 0, 1, [("mix", 0, 1, 1, None)])])]


@given(specs(), small, small, chances, st.sampled_from([0.0, 0.2]))
@brief
def test_a_journal_folds_over_a_recalled_graph_as_over_the_graph_itself(
    spec: Spec, x: int, y: int, chance: Random, failing: float
) -> None:
    """D11: at every point, whatever the graph, whatever failed."""
    graph = build(spec)
    recalled = recall(define(graph))
    state, started = begin(graph, x, y)
    bench = Bench(state, chance, failing=failing)
    itself, twin = RunState(graph), RunState(recalled)

    def follow() -> None:
        for each_of in (itself, twin):
            apply(each_of, bench.facts[-1], 0.0)
        assert dump(twin) == dump(itself)

    bench.seen = follow
    bench.fold(started)
    bench.go()


@pytest.mark.parametrize("graph", [research, editor, build(NESTED)])
def test_a_recalled_graph_is_the_same_to_whoever_does_not_run_it(graph: Graph[..., Any]) -> None:
    """G6, V1: structure, limits, effects, pictures; and writing it down again gives the same bytes."""
    definition = define(graph)
    recalled = recall(definition)
    assert (recalled.structure(), recalled.fingerprint) == (graph.structure(), graph.fingerprint)
    assert mermaid(recalled) == mermaid(graph)
    assert define(recalled) == definition
    policies = [[(each.policy.limit, each.policy.effect) for each in nodes_of(one)] for one in (graph, recalled)]
    assert policies[0] == policies[1]


def test_a_definition_holds_no_module_path_and_no_code() -> None:
    """D13: nothing in it says where code is."""
    text = define(research).decode()
    assert __name__ not in text
    assert "test_definition" not in text
    assert "def " not in text


async def test_a_recalled_graph_cannot_run_and_says_so() -> None:
    """D13: reading a definition runs nothing, and asking it to run is an error that names the node."""
    recalled = recall(define(editor))
    async with Runtime() as rt:
        with pytest.raises(UsageError, match="node 'editor' is known from the record only"):
            await rt.start(recalled, topic="tides")
    body = next(each for each in nodes_of(recalled) if each.name == "write")
    with pytest.raises(UsageError, match="'write' is known from the record only"):
        await body.fn(state=None)  # type: ignore[attr-defined]


def test_a_long_chain_is_written_down_in_little() -> None:
    """D5: what is shared is written once."""

    @dag
    def chain(x: int) -> int:
        for _ in range(1000):
            x = mix(x, 1)
        return x

    @dag
    def other(x: int) -> int:
        for number in range(1000):
            x = mix.named(f"step {number}")(x, 1)
        return x

    assert len(define(chain)) < 50_000
    assert len(define(other)) < 70_000
    assert recall(define(other)).structure() == other.structure()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[]", "not the definition of a graph"),
        (b'{"format":9}', "format 9"),
        (b'{"format":1}', "makes no graph"),
        (b'{"format":1,"types":[],"nodes":[["f","a","node",{},0]],"root":0,"fingerprint":""}', "makes no graph"),
        (
            b'{"format":1,"types":["int"],"nodes":[["d","a",{},0,[],3,{"max_depth":1,"on_failure":"cancel"}]],"root":0}',
            "refers to vertex 3",
        ),
    ],
)
def test_what_is_no_definition_is_refused(text: bytes, words: str) -> None:
    """D13: a damaged record gives an error, not a wrong graph."""
    with pytest.raises(ValueError, match=words):
        recall(text)


async def test_a_notebook_shows_a_run_whose_code_is_missing_in_the_graph_that_was_recorded() -> None:
    """D13: also after the process that had the code has gone."""
    journal = MemoryJournal()

    @dag
    def mixed(x: int) -> int:
        return mix(x, 1)

    async with Runtime(journal) as rt:
        await (await rt.start_as("r", mixed, x=1)).result()
    async with Runtime(journal) as rt:
        run = await rt.get("r")
        assert run.graph is None
        assert "finished" in bundle(run)["image/svg+xml"]
