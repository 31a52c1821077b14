"""pydantic-graph: the same three cases as steps of its graph builder. It cannot persist a run.

python -m tests.bench.pydantic_graph_peer chain 1000 -       prints one JSON line
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from tests.bench.cases import MESSAGE
from tests.bench.peer import main
from tests.bench.timer import Timer


@dataclass
class Looped:
    turns: int = 0
    messages: list[dict[str, str]] = field(default_factory=list)


def chain(length: int) -> Any:
    """`length` steps, one after the other, each adding one."""
    from pydantic_graph import GraphBuilder, StepContext

    async def increment(ctx: StepContext[None, None, int]) -> int:
        return ctx.inputs + 1

    graph = GraphBuilder(input_type=int, output_type=int)
    steps = [graph.step(increment, node_id=f"increment{n}") for n in range(length)]
    places = [graph.start_node, *steps, graph.end_node]
    graph.add(*(graph.edge_from(a).to(b) for a, b in pairwise(places)))
    return graph


def fanout(width: int) -> Any:
    """One step for each of `width` items, and one that joins them."""
    from pydantic_graph import GraphBuilder, StepContext, reduce_list_append

    graph = GraphBuilder(input_type=int, output_type=int)

    @graph.step
    async def numbers(ctx: StepContext[None, None, int]) -> list[int]:
        return list(range(width))

    @graph.step
    async def double(ctx: StepContext[None, None, int]) -> int:
        return ctx.inputs * 2

    @graph.step
    async def join(ctx: StepContext[None, None, list[int]]) -> int:
        return sum(ctx.inputs)

    collected = graph.join(reduce_list_append, initial_factory=list[int])
    graph.add(
        graph.edge_from(graph.start_node).to(numbers),
        graph.edge_from(numbers).map().to(double),
        graph.edge_from(double).to(collected),
        graph.edge_from(collected).to(join),
        graph.edge_from(join).to(graph.end_node),
    )
    return graph


def loop(turns: int) -> Any:
    """One step, `turns` times, each adding a message to a list."""
    from pydantic_graph import GraphBuilder, StepContext

    graph = GraphBuilder(state_type=Looped, input_type=int, output_type=list)

    @graph.step
    async def turn(ctx: StepContext[Looped, None, object]) -> Literal["again", "over"]:
        ctx.state.turns += 1
        ctx.state.messages.append(MESSAGE)
        return "again" if ctx.state.turns < turns else "over"

    @graph.step
    async def over(ctx: StepContext[Looped, None, object]) -> list[dict[str, str]]:
        return ctx.state.messages

    onwards = graph.decision().branch(graph.match(Literal["again"]).to(turn))
    onwards = onwards.branch(graph.match(Literal["over"]).to(over))
    graph.add(
        graph.edge_from(graph.start_node).to(turn),
        graph.edge_from(turn).to(onwards),
        graph.edge_from(over).to(graph.end_node),
    )
    return graph


async def measure(case: str, size: int, path: Path | None) -> tuple[dict[str, float], Any]:
    """See tests.bench.peer.Measure."""
    assert path is None, "pydantic-graph keeps nothing"
    graph = {"chain": chain, "fanout": fanout, "loop": loop}[case](size).build()
    state = Looped() if case == "loop" else None
    timer = Timer()
    result = await graph.run(state=state, inputs=0)
    return timer.read(), result


if __name__ == "__main__":
    main(measure)
