"""The process that is killed: runs one graph on one store, and leaves a line outside it for every body that ran.

    python -m tests.torture.worker STORE EFFECTS DURABILITY GRAPH

GRAPH is `long`, or `INSTANCES:NAME` for a recorded workflow.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import anyio
from pydantic import Field

from graphrt import Final, Machine, Node, Runtime, State, dag, each, node
from graphrt.types import Durability
from tests.torture.effects import effect, record, tell

RUN = "victim"
LINKS = 60
ITEMS = 70
ROUNDS = 9
EDITORS = 5

# A graph of about 200 steps: a chain, a fan-out, and a machine one of whose handlers is a dag.


@node
async def link(value: int) -> int:
    effect(value)
    return (value * 31 + 7) % 1_000_003


@node
def scatter(value: int) -> list[int]:  # in a worker thread, as every sync function
    effect(value)
    return [(value * n) % 9_973 for n in range(ITEMS)]


@node(limit="slots")
async def work(item: int, base: int) -> int:
    effect(item, base)
    await anyio.lowlevel.checkpoint()
    return (item * item + base) % 65_537


class Drafting(State):
    brief: int
    notes: list[str] = Field(default_factory=list)


class Reviewing(State):
    brief: int
    notes: list[str]


class Approved(Final):
    notes: list[str]


@node
async def judge(note: int, brief: int) -> str:
    effect(note, brief)
    return f"note {note} on {brief}: " + "x" * (note % 40)


@node
async def verdict(state: Reviewing, words: list[str]) -> Drafting | Approved:
    effect(state.brief, words)
    notes = [*state.notes, *words]
    if len(notes) >= ROUNDS * EDITORS:
        return Approved(notes=notes)
    return Drafting(brief=state.brief + 1, notes=notes)


editor = Machine("editor", start=Drafting, end=Approved)


@editor.on
async def draft(state: Drafting) -> Reviewing:
    effect(state.brief, state.notes)
    return Reviewing(brief=state.brief, notes=state.notes)


@editor.on
@dag
def review(state: Reviewing) -> Drafting | Approved:
    return verdict(state, each(judge, [10, 20, 30, 40, 50], state.brief))


@node
async def report(parts: list[int], approved: Approved) -> dict[str, int]:
    effect(parts, approved.notes)
    return {"sum": sum(parts), "notes": len(approved.notes), "letters": sum(map(len, approved.notes))}


@dag
def long(seed: int) -> dict[str, int]:
    value = seed
    for n in range(LINKS):
        value = link.named(f"link{n}")(value)
    return report(each(work, scatter(value), value), editor(brief=value))


# Running it.


def graph_of(name: str) -> tuple[Node[..., Any], dict[str, Any]]:
    """Return a graph and its input."""
    if name == "long":
        return long, {"seed": 1}
    from tests.torture.workflows import draw, instances

    path, _, instance = name.rpartition(":")
    return draw(instances(Path(path))[instance]), {"seed": 1}


async def run(store: str, durability: Durability, name: str) -> None:
    """Start the run, or take it up where its journal ends."""
    graph, inputs = graph_of(name)
    tell()
    async with Runtime(store, durability=durability, limits={"slots": 8}) as rt:
        victim = await rt.start_as(RUN, graph, **inputs)
        await victim.result()


def main() -> None:
    store, path, durability, name = sys.argv[1:]
    assert durability in get_args(Durability)
    record(Path(path))
    chosen: Durability = "power" if durability == "power" else "process"
    anyio.run(run, store, chosen, name)


if __name__ == "__main__":
    main()
