"""The process that is killed with many runs in it: chains, fan-outs and machines, all at once in one store.

    python -m tests.torture.crowd STORE EFFECTS DURABILITY

Beside the graphs stands what they mean, in plain Python: what each step must have come to, and which steps were
acknowledged if a body is seen to run, because it was given what they came to.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

import anyio
from pydantic import Field

from graphrt import Final, Machine, Node, Runtime, State, dag, each, node
from graphrt.types import Durability
from tests.torture.effects import answer, effect, record, tell

LINKS = 24
ITEMS = 22
TURNS = 24
EACH_KIND = 9


@node
async def link(value: int) -> int:
    effect(value)
    return (value * 31 + 7) % 1_000_003


@dag
def chain(seed: int) -> int:
    value = seed
    for n in range(LINKS):
        value = link.named(f"link{n}")(value)
    return value


@node
async def scatter(seed: int) -> list[int]:
    effect(seed)
    return [seed * n % 9_973 for n in range(ITEMS)]


@node
async def work(item: int, seed: int) -> int:
    effect(item, seed)
    await anyio.lowlevel.checkpoint()
    return (item * item + seed) % 65_537


@node
async def join(parts: list[int]) -> int:
    effect(parts)
    return sum(parts)


@dag
def fan(seed: int) -> int:
    return join(each(work, scatter(seed), seed))


class Turning(State):
    seed: int
    turn: int = 0
    lines: list[str] = Field(default_factory=list)


class Turned(Final):
    total: int
    lines: list[str]


mill = Machine("mill", start=Turning, end=Turned)


@mill.on
async def turn(state: Turning) -> Turning | Turned:
    effect(state.seed, state.turn, state.lines)
    lines = [*state.lines, f"turn {state.turn} of {state.seed}"]
    if state.turn + 1 >= TURNS:
        return Turned(total=sum(map(len, lines)), lines=lines)
    return Turning(seed=state.seed, turn=state.turn + 1, lines=lines)


GRAPHS: dict[str, Node[..., Any]] = {"chain": chain, "fan": fan, "mill": mill}
RUNS = [f"{kind} {seed}" for seed in range(1, EACH_KIND + 1) for kind in GRAPHS]


class Meaning(NamedTuple):
    """What a run must come to."""

    result: Any
    values: dict[str, Any]
    """Step to output."""
    needs: dict[str, list[str]]
    """Step to the steps whose outputs it is given."""


@cache
def meaning(run: str) -> Meaning:
    """Say by plain Python what a run comes to."""
    kind, _, number = run.partition(" ")
    seed = int(number)
    values: dict[str, Any] = {}
    if kind == "chain":
        value = seed
        for n in range(LINKS):
            values[f"link{n}"] = value = (value * 31 + 7) % 1_000_003
        return Meaning(value, values, _in_a_row(list(values)))
    if kind == "fan":
        values["scatter"] = items = [seed * n % 9_973 for n in range(ITEMS)]
        parts = {f"each:work[{n}]": (item * item + seed) % 65_537 for n, item in enumerate(items)}
        values |= parts
        values["join"] = total = sum(parts.values())
        return Meaning(total, values, {part: ["scatter"] for part in parts} | {"scatter": [], "join": list(parts)})
    lines: list[str] = []
    for n in range(TURNS):
        lines = [*lines, f"turn {n} of {seed}"]
        values[f"turn#{n + 1}"] = {"seed": seed, "turn": n + 1, "lines": lines}
    values[f"turn#{TURNS}"] = last = {"total": sum(map(len, lines)), "lines": lines}
    return Meaning(last, values, _in_a_row(list(values)))


def _in_a_row(steps: list[str]) -> dict[str, list[str]]:
    return {step: steps[n - 1 : n] if n else [] for n, step in enumerate(steps)}


async def go(rt: Runtime, name: str) -> None:
    """Start a run, or take it up where its journal ends, and print what it comes to."""
    kind, _, seed = name.partition(" ")
    run = await rt.start_as(name, GRAPHS[kind], seed=int(seed))
    result = await run.result()
    answer(name, result.model_dump() if isinstance(result, Turned) else result)


async def run(store: str, durability: Durability) -> None:
    """Drive all runs at once."""
    tell()
    async with Runtime(store, durability=durability) as rt, anyio.create_task_group() as tasks:
        for name in RUNS:
            tasks.start_soon(go, rt, name)


def main() -> None:
    store, path, durability = sys.argv[1:]
    assert durability in get_args(Durability)
    record(Path(path))
    chosen: Durability = "power" if durability == "power" else "process"
    anyio.run(run, store, chosen)


if __name__ == "__main__":
    main()
