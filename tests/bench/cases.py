"""What is measured: graphs with trivial steps, so that what is left is the runtime's own cost. One case a process.

    python -m tests.bench.cases chain 1000 power /tmp/ours.db       prints one JSON line
    python -m tests.bench.cases chain 1000 memory -

Cases: chain, fanout, loop, width; resume, after filled.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from pydantic import Field

from graphrt import Final, Machine, Node, Runtime, State, dag, each, node
from graphrt.errors import RunFailed
from graphrt.graph import Graph
from graphrt.types import Durability
from tests.bench.timer import Timer

MESSAGE = {"role": "assistant", "content": "x" * 164}
"""About 200 bytes as JSON."""


@node
async def increment(value: int) -> int:
    return value + 1


@node
async def numbers(count: int) -> list[int]:
    return list(range(count))


@node
async def double(item: int) -> int:
    return item * 2


@node
async def join(items: list[int]) -> int:
    return sum(items)


@dag
def fanout(count: int) -> int:
    return join(each(double, numbers(count)))


class Turn(State):
    turns: int
    messages: list[dict[str, str]] = Field(default_factory=list)


class Over(Final):
    messages: list[dict[str, str]]


def chain(length: int) -> Node[..., int]:
    """`length` nodes, one after the other, each adding one."""

    @dag(name="chain")
    def drawn(value: int) -> int:
        for n in range(length):
            value = increment.named(f"increment{n}")(value)
        return value

    return drawn


def loop(turns: int) -> Node[..., Over]:
    """One handler, `turns` times, each adding a message to a list."""
    machine = Machine("loop", start=Turn, end=Over, max_transitions=turns + 1)

    @machine.on
    async def turn(state: Turn) -> Turn | Over:
        state.messages.append(MESSAGE)  # what a handler is given is its own
        state.turns -= 1
        return state if state.turns else Over(messages=state.messages)

    return machine


def graph_of(case: str, size: int) -> tuple[Node[..., Any], dict[str, Any], Any]:
    """Return a graph, its input and its result."""
    if case == "chain":
        return chain(size), {"value": 0}, size
    if case == "loop":
        return loop(size), {"turns": size}, Over(messages=[MESSAGE] * size)
    return fanout, {"count": size}, size * (size - 1)


async def measure(case: str, size: int, durability: Durability, path: str | None) -> dict[str, Any]:
    """Run a case once; return what it took, without drawing and checking the graph or opening the store."""
    graph, given, expected = graph_of(case, size)
    assert isinstance(graph, Graph)
    assert graph.fingerprint  # worked out once a graph, as the peer compiles its own before the clock runs
    async with Runtime(path, durability=durability) as rt:
        timer = Timer()
        result = await rt.run(graph, **given)
        taken = timer.read()
    assert result == expected
    return taken


async def filled(size: int, durability: Durability, path: str) -> dict[str, Any]:
    """Leave a run that has finished `size` steps and has one to go, for `resume`."""
    async with Runtime(path, durability=durability) as rt:
        run = await rt.start_as("run", long(size, ready=False), turns=size)
        with suppress(RunFailed):
            await run.result()
        assert await run.status() == "failed"
    return {}


async def resuming(size: int, durability: Durability, path: str) -> dict[str, Any]:
    """Take up what `filled` left: the seconds from asking for it to the body of the first new step.

    `opening` are the seconds before that, in which the store was opened.
    """
    graph = long(size, ready=True)
    opening = time.perf_counter()
    async with Runtime(path, durability=durability) as rt:
        before = time.perf_counter()
        run = await rt.resume("run", graph)
        began = await run.result()
    return {"seconds": began - before, "opening": before - opening}


def long(size: int, *, ready: bool) -> Node[..., float]:
    """`size` transitions of a machine, then one step, which fails until it is `ready` and returns when it ran."""
    counter = Machine("counter", start=Counting, end=Counted, max_transitions=size + 1)

    @counter.on
    async def count(state: Counting) -> Counting | Counted:
        return Counting(turns=state.turns - 1) if state.turns > 1 else Counted()

    @node
    async def last(counted: Counted) -> float:
        if not ready:
            raise RuntimeError("not yet")
        return time.perf_counter()

    @dag(name="long")
    def drawn(turns: int) -> float:
        return last(counter(turns=turns))

    return drawn


class Counting(State):
    turns: int


class Counted(Final):
    pass


def resident() -> int:
    """Return the bytes of memory this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def wide(size: int, durability: Durability, path: str) -> dict[str, Any]:
    """Fan out to `size` items, 64 at a time: the most memory at any time over that of the idle process, in bytes."""
    async with Runtime(path, durability=durability, concurrency=64) as rt:
        assert await rt.run(fanout, count=100) == 100 * 99
        idle = resident()
        before = time.perf_counter()
        assert await rt.run(fanout, count=size) == size * (size - 1)
        taken = time.perf_counter() - before
    return {"seconds": taken, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - idle}


def main() -> None:
    case, size, durability, path = sys.argv[1:]
    assert durability in {*get_args(Durability), "memory"}
    chosen: Durability = "process" if durability == "process" else "power"
    special = {"filled": filled, "resume": resuming, "width": wide}
    if case in special:
        found = asyncio.run(special[case](int(size), chosen, path))
    else:
        found = asyncio.run(measure(case, int(size), chosen, None if durability == "memory" else path))
    stored = Path(path).stat().st_size if durability != "memory" else 0
    print(json.dumps({**found, "bytes": stored}))


if __name__ == "__main__":
    main()
