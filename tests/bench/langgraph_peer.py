"""LangGraph: the same three cases, plain functions over a StateGraph, on its async SQLite saver or none.

    python -m tests.bench.langgraph_peer chain 1000 /tmp/peer.db sync    prints one JSON line
    python -m tests.bench.langgraph_peer chain 1000 -                    without a checkpointer

Its durabilities: `sync`, where a super-step is on the disk before the next begins, and `exit`, where nothing is before
the run has ended: a run that is killed begins again.
"""

from __future__ import annotations

import operator
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, TypedDict

from tests.bench.cases import MESSAGE
from tests.bench.peer import main
from tests.bench.timer import Timer

os.environ["LANGSMITH_TRACING"] = "false"


class Chained(TypedDict):
    value: int


class Fanned(TypedDict):
    count: int
    doubled: Annotated[list[int], operator.add]
    total: int


class Item(TypedDict):
    item: int


class Looped(TypedDict):
    turns: int
    messages: Annotated[list[dict[str, str]], operator.add]


def chain(length: int) -> tuple[Any, Any]:
    """`length` nodes, one after the other, each adding one."""
    from langgraph.graph import END, START, StateGraph

    async def increment(state: Chained) -> dict[str, int]:
        return {"value": state["value"] + 1}

    graph = StateGraph(Chained)
    names = [f"increment{n}" for n in range(length)]
    for name in names:
        graph.add_node(name, increment)
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return graph, {"value": 0}


def fanout(width: int) -> tuple[Any, Any]:
    """One node for each of `width` items, and one that joins them."""
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send

    async def double(state: Item) -> dict[str, list[int]]:
        return {"doubled": [state["item"] * 2]}

    async def join(state: Fanned) -> dict[str, int]:
        return {"total": sum(state["doubled"])}

    def spread(state: Fanned) -> list[Any]:
        return [Send("double", {"item": item}) for item in range(state["count"])]

    graph = StateGraph(Fanned)
    graph.add_node("double", double)
    graph.add_node("join", join)
    graph.add_conditional_edges(START, spread, ["double"])
    graph.add_edge("double", "join")
    graph.add_edge("join", END)
    return graph, {"count": width, "doubled": [], "total": 0}


def loop(turns: int) -> tuple[Any, Any]:
    """One node, `turns` times, each adding a message to a list."""
    from langgraph.graph import END, START, StateGraph

    async def turn(state: Looped) -> dict[str, Any]:
        return {"turns": state["turns"] + 1, "messages": [MESSAGE]}

    def onwards(state: Looped) -> str:
        return "turn" if state["turns"] < turns else END

    graph = StateGraph(Looped)
    graph.add_node("turn", turn)
    graph.add_edge(START, "turn")
    graph.add_conditional_edges("turn", onwards, ["turn", END])
    return graph, {"turns": 0, "messages": []}


async def measure(case: str, size: int, path: Path | None, durability: str = "sync") -> tuple[dict[str, float], Any]:
    """See tests.bench.peer.Measure."""
    async with AsyncExitStack() as stack:
        saver = None
        if path is not None:
            from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

            saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(str(path)))
            await saver.setup()
            await saver.conn.execute("PRAGMA synchronous = FULL")
        graph, given = {"chain": chain, "fanout": fanout, "loop": loop}[case](size)
        compiled = graph.compile(checkpointer=saver)
        config = {"configurable": {"thread_id": "peer"}, "recursion_limit": 10 * size + 100}
        options = {"durability": durability} if saver is not None else {}
        timer = Timer()
        result = await compiled.ainvoke(given, config, **options)
        taken = timer.read()
    return taken, result[{"chain": "value", "fanout": "total", "loop": "messages"}[case]]


if __name__ == "__main__":
    main(measure)
