"""`inbox`, `answer`, `signal`, `resolve` and `cancel`: what comes to a run from outside.

A message is in the store when a command ends with 0, whoever drives the run and whether anybody does; the run uses it
up in one commit, once.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from pydantic_core import from_json

from graphrt.cli.exits import OK, TargetBroken, TargetNotFound
from graphrt.cli.inputs import read_value
from graphrt.cli.listing import asked_columns, write_table
from graphrt.cli.running import Begun, execute, graph_of, take_up
from graphrt.cli.runs import existing, find, one_of, reading
from graphrt.cli.screen import SHOWN, command, print_json, row_of_wait
from graphrt.cli.target import load
from graphrt.dag import as_graph
from graphrt.decide import Pending
from graphrt.errors import GraphError, RunOver, UsageError, who
from graphrt.graph import Graph, nodes_of
from graphrt.journal import Journal, RunInfo
from graphrt.node import WaitNode
from graphrt.ports import Port
from graphrt.runtime import Runtime
from graphrt.types import ENDED, StepKey
from graphrt.view.terminal import note

CANCEL_PATIENCE = 1.0
"""Seconds after which a cancellation says whom it waits for."""


def inbox(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """List what people are asked."""

    async def work(journal: Journal) -> int:
        async with Runtime(journal) as runtime:
            if arguments.run is None:
                asked = await runtime.inbox()
            else:
                info = await find(journal, arguments.run)
                asked = [(info, wait) for wait in await runtime.pending(info.id) if wait.what in {"person", "decision"}]
        if arguments.json:
            print_json([row_of_wait(info.id, wait, arguments.store) | {"graph": info.graph} for info, wait in asked])
            return OK
        write_table(asked_columns(asked))
        if not asked:
            note("nobody is asked anything", quiet=arguments.quiet)
        return OK

    return reading(arguments, work)


def answer(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Give a person's answer."""

    async def tell(runtime: Runtime, types: _Types) -> str:
        wait = await _wait(runtime, types.info, arguments.step, "person")
        ports = await types.of_step(runtime, wait) or _asked_for(wait)
        await runtime.answer(types.info.id, wait.step, types.read("the answer", arguments.value, ports))
        return f"{wait.step} is answered"

    return _tell(arguments, tell)


def signal(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Send a signal."""

    async def tell(runtime: Runtime, types: _Types) -> str:
        value = types.read("the signal", arguments.value, types.of_signal(arguments.name))
        fresh = await runtime.signal(types.info.id, arguments.name, value, id=arguments.id)
        return f"{arguments.name} is sent" if fresh else f"{arguments.name} was sent before under this id"

    return _tell(arguments, tell)


def resolve(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Say what became of an effect of which nobody knows."""

    async def tell(runtime: Runtime, types: _Types) -> str:
        step = (wait := await _wait(runtime, types.info, arguments.step, "decision")).step
        if arguments.not_done:
            await runtime.resolve(types.info.id, step, not_done=True)
            return f"{step} was not done, and may be tried again"
        value = types.read("--done", arguments.done, await types.of_step(runtime, wait))
        await runtime.resolve(types.info.id, step, done=value)
        return f"{step} was done"

    return _tell(arguments, tell)


def cancel(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Cancel a run, wherever it is driven."""
    existing(arguments)

    async def work(runtime: Runtime) -> int:
        info = await find(runtime.journal, arguments.run)
        if info.status in {"finished", "failed"}:
            raise RunOver(info.id, info.status)
        async with anyio.create_task_group() as tasks:
            if info.driver is not None:
                tasks.start_soon(_say_whom, info, arguments.quiet)
            await runtime.cancel(info.id)
            tasks.cancel_scope.cancel()
        status = (await runtime.journal.info(info.id)).status
        if status != "cancelled":
            raise RunOver(info.id, status)  # it came to its end before it could be
        if arguments.json:
            print_json({"run": info.id, "status": status})
        else:
            note(f"run {info.id} is {status}", quiet=arguments.quiet)
        return OK

    return execute(arguments, work)


async def _say_whom(info: RunInfo, quiet: bool) -> None:
    await anyio.sleep(CANCEL_PATIENCE)
    note(f"{who(info.driver or '')} drives it, and hears of it when it renews its lease", quiet=quiet)


@dataclass(frozen=True, slots=True)
class _Types:
    """What is known here of the types of a run."""

    info: RunInfo
    graph: Graph[..., Any] | None
    reason: str
    """Why the graph is not."""
    say: Callable[[str], None]

    async def of_step(self, runtime: Runtime, wait: Pending) -> list[Port]:
        """Return what reads what a step is given."""
        port = None if self.graph is None else await runtime.port(self.info.id, wait.step, self.graph)
        return [] if port is None else [port]

    def of_signal(self, name: str) -> list[Port]:
        """Return what reads a signal. Raises UsageError if nothing in the graph waits for one of this name."""
        if self.graph is None:
            return []
        waits = [node for node in nodes_of(self.graph) if isinstance(node, WaitNode) and node.kind == "signal"]
        found = [node.signature.returns for node in waits if node.label == name]
        if not found:
            there = ", ".join(sorted({node.label for node in waits})) or "none"
            raise UsageError(f"nothing in {self.info.graph!r} waits for a signal {name!r}; its signals are: {there}")
        return found

    def read(self, what: str, word: str, ports: Sequence[Port]) -> Any:
        """Read the value that a word stands for, by these types; say so where nobody here knows them."""
        value = read_value(what, word, ports)
        if not ports:
            self.say(f"{what} will be validated when the run takes it: its type is not known here ({self.reason})")
        return value


_PLAIN = {"string": str, "boolean": bool, "integer": int, "number": float}


def _asked_for(wait: Pending) -> list[Port]:
    """Return what reads an answer by what was recorded with the question, where that is a plain type."""
    schema = {} if wait.note is None else from_json(wait.note).get("schema", {})
    plain = _PLAIN.get(schema.get("type", "")) if schema.keys() == {"type"} else None
    return [] if plain is None else [Port(wait.step, "return", plain)]


def _tell(arguments: argparse.Namespace, tell: Callable[[Runtime, _Types], Awaitable[str]]) -> int:
    """Send a message; then say how the run goes on, or take it up."""
    existing(arguments)

    async def start(runtime: Runtime) -> Begun | int:
        info = await find(runtime.journal, arguments.run)
        if info.status in ENDED:
            raise RunOver(info.id, info.status)
        types = _types(info, partial(note, quiet=arguments.quiet))
        done = f"run {info.id}: {await tell(runtime, types)}"
        if arguments.resume:
            note(done, quiet=arguments.quiet)
            return await take_up(runtime, info, types.graph or graph_of(info), quiet=arguments.quiet)
        if arguments.json:
            print_json({"run": info.id, "sent": True, "driver": info.driver})
        elif info.driver is not None:
            note(f"{done}; {who(info.driver)} drives it and will take it", quiet=arguments.quiet)
        else:
            go_on = command(f"graphrt resume {info.id}", arguments.store)
            note(f"{done}; go on with: {go_on}", quiet=arguments.quiet)
        return OK

    return execute(arguments, start)


def _types(info: RunInfo, say: Callable[[str], None]) -> _Types:
    """Load a run's graph, if it is there and still the one that the run began with."""
    if info.target is None:
        return _Types(info, None, "the run was not started from a file", say)
    try:
        graph = as_graph(load(info.target))
    except (TargetNotFound, TargetBroken, GraphError, UsageError) as error:
        return _Types(info, None, str(error).splitlines()[0], say)
    if graph.fingerprint != info.fingerprint:
        return _Types(info, None, f"{info.target} has changed since", say)
    return _Types(info, graph, "", say)


async def _wait(runtime: Runtime, info: RunInfo, word: str, what: str) -> Pending:
    """Return what the step waits for that is meant, by its key or the end of it. Raises UsageError if it does not."""
    waits = {wait.step: wait for wait in await runtime.pending(info.id) if wait.what == what}
    step = one_of(list(waits), word)
    if step is None:
        words = {"person": "a person's answer", "decision": "a decision"}[what]
        there = ", ".join(list(waits)[:SHOWN]) or "none"
        raise UsageError(
            f"step {word!r} of run {info.id} ({info.status}) does not wait for {words}; those that do: {there}"
        )
    return waits[StepKey(step)]
