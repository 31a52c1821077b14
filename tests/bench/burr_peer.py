"""Burr: the same three cases as actions and transitions, on its async SQLite persister or none.

    python -m tests.bench.burr_peer chain 1000 /tmp/peer.db       prints one JSON line
    python -m tests.bench.burr_peer chain 1000 -                  without a persister

Burr saves the whole state after every action. It leaves SQLite in its rollback journal, which syncs twice for each
commit; here it gets a write-ahead log, which is the quicker of the two, and synchronous=FULL.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.cases import MESSAGE
from tests.bench.peer import main
from tests.bench.timer import Timer

os.environ["BURR_TELEMETRY_ENABLED"] = os.environ["HAMILTON_TELEMETRY_ENABLED"] = "false"


def chain(builder: Any, length: int) -> tuple[Any, dict[str, Any]]:
    """`length` actions, one after the other, each adding one."""
    from burr.core import State, action

    @action(reads=["value"], writes=["value"])
    async def increment(state: State) -> State:
        return state.update(value=state["value"] + 1)

    names = [*(f"increment{n}" for n in range(length - 1)), "last"]
    built = builder.with_actions(**dict.fromkeys(names, increment))
    return built.with_transitions(*pairwise(names)).with_entrypoint(names[0]), {"value": 0}


def fanout(builder: Any, width: int) -> tuple[Any, dict[str, Any]]:
    """One sub-application for each of `width` items, and what joins them: Burr's own way to map an action."""
    from burr.core import ApplicationContext, State, action
    from burr.core.parallelism import MapStates

    @action(reads=["item"], writes=["doubled"])
    async def double(state: State) -> State:
        return state.update(doubled=state["item"] * 2)

    class Spread(MapStates):  # type: ignore[misc] # its base is Any where Burr is not installed
        reads = ["count"]  # noqa: RUF012 - as its base declares it
        writes = ["value"]  # noqa: RUF012

        def is_async(self) -> bool:
            return True

        def action(self, state: State, inputs: dict[str, Any]) -> Any:
            return double

        def states(self, state: State, context: ApplicationContext, inputs: dict[str, Any]) -> Iterator[State]:
            for item in range(state["count"]):
                yield state.update(item=item)

        async def reduce(self, state: State, states: AsyncIterator[State]) -> State:
            return state.update(value=sum([each["doubled"] async for each in states]))

    return builder.with_actions(last=Spread()).with_entrypoint("last"), {"count": width}


def loop(builder: Any, turns: int) -> tuple[Any, dict[str, Any]]:
    """One action, `turns` times, each adding a message to a list."""
    from burr.core import State, action, when

    @action(reads=["turns", "value"], writes=["turns", "value"])
    async def turn(state: State) -> State:
        return state.update(turns=state["turns"] - 1).append(value=MESSAGE)

    built = builder.with_actions(turn=turn, last=turn)
    built = built.with_transitions(("turn", "last", when(turns=1)), ("turn", "turn")).with_entrypoint("turn")
    return built, {"turns": turns, "value": []}


async def measure(case: str, size: int, path: Path | None) -> tuple[dict[str, float], Any]:
    """See tests.bench.peer.Measure."""
    from burr.core import ApplicationBuilder, State

    builder, state = {"chain": chain, "fanout": fanout, "loop": loop}[case](ApplicationBuilder(), size)
    builder = builder.with_state(State(state))
    async with AsyncExitStack() as stack:
        if path is not None:
            from burr.integrations.persisters.b_aiosqlite import (
                AsyncSQLitePersister,
            )

            saver = await AsyncSQLitePersister.from_values(db_path=str(path))
            stack.push_async_callback(saver.cleanup)
            await saver.connection.execute("PRAGMA journal_mode = WAL")
            await saver.connection.execute("PRAGMA synchronous = FULL")
            await saver.initialize()
            builder = builder.with_identifiers(app_id="peer", partition_key="peer").with_state_persister(saver)
        application = await builder.abuild()
        timer = Timer()
        _, _, found = await application.arun(halt_after=["last"])
        taken = timer.read()
    return taken, found["value"]


if __name__ == "__main__":
    main(measure)
