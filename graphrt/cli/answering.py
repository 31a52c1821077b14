"""`inbox`, `answer`, `signal`, `resolve` and `cancel`: what comes to a run from outside.

A message is in the store when a command ends with 0, whoever drives the run and whether anybody does; the run uses it
up in one commit, once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import anyio
from pydantic_core import from_json

from graphrt.cli.exits import OK, TargetBroken, TargetNotFound
from graphrt.cli.inputs import read_value
from graphrt.cli.looking import reading
from graphrt.cli.running import Begun, execute, graph_of, take_up
from graphrt.cli.runs import existing, find, one_of
from graphrt.cli.screen import command, note, paint, print_json, row_of_wait, when
from graphrt.cli.target import load
from graphrt.dag import as_graph
from graphrt.decide import Pending
from graphrt.errors import GraphError, GraphMismatch, RunOver, UsageError, who
from graphrt.graph import Graph, nodes_of
from graphrt.journal import Journal, RunInfo
from graphrt.node import WaitNode
from graphrt.ports import Port
from graphrt.runtime import Runtime
from graphrt.types import ENDED

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
        for info, wait in asked:
            sys.stdout.write(_asked(info, wait))
        if not asked:
            note("nobody is asked anything", quiet=arguments.quiet)
        return OK

    return reading(arguments, work)


def _asked(info: RunInfo, wait: Pending) -> str:
    mark = paint("…" if wait.what == "person" else "?", sys.stdout)
    noted = {} if wait.note is None else from_json(wait.note)
    to = f"  to {noted['to']}" if noted.get("to") else ""
    words = wait.name if wait.what == "person" else f"was it done? {wait.name}"
    return f"{mark} {info.id}  {wait.step}{to}  since {when(wait.since or info.updated)}  {words}\n"


def answer(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Give a person's answer."""

    async def tell(runtime: Runtime, info: RunInfo, graph: Graph[..., Any] | None) -> str:
        step = await _step(runtime, info, arguments.step, "person")
        value = read_value("the answer", arguments.value, await _ports(runtime, info, step, graph))
        await runtime.answer(info.id, step, value)
        return f"{step} is answered"

    return _tell(arguments, tell)


def signal(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Send a signal."""

    async def tell(runtime: Runtime, info: RunInfo, graph: Graph[..., Any] | None) -> str:
        value = read_value("the signal", arguments.value, _signal_ports(info, arguments.name, graph))
        fresh = await runtime.signal(info.id, arguments.name, value, id=arguments.id)
        return f"{arguments.name} is sent" if fresh else f"{arguments.name} was sent before under this id"

    return _tell(arguments, tell)


def resolve(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Say what became of an effect of which nobody knows."""

    async def tell(runtime: Runtime, info: RunInfo, graph: Graph[..., Any] | None) -> str:
        step = await _step(runtime, info, arguments.step, "decision")
        if arguments.not_done:
            await runtime.resolve(info.id, step, not_done=True)
            return f"{step} was not done, and may be tried again"
        ports = await _ports(runtime, info, step, graph)
        await runtime.resolve(info.id, step, done=read_value("--done", arguments.done, ports))
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
        if arguments.json:
            print_json({"run": info.id, "status": status})
        else:
            note(f"run {info.id} is {status}", quiet=arguments.quiet)
        return OK if status == "cancelled" else _over(info, status)

    return execute(arguments, work)


def _over(info: RunInfo, status: str) -> int:
    raise RunOver(info.id, status)  # it came to its end before it could be cancelled


async def _say_whom(info: RunInfo, quiet: bool) -> None:
    await anyio.sleep(CANCEL_PATIENCE)
    note(f"{who(info.driver or '')} drives it, and hears of it when it renews its lease", quiet=quiet)


Tell = Callable[[Runtime, RunInfo, Graph[..., Any] | None], Awaitable[str]]


def _tell(arguments: argparse.Namespace, tell: Tell) -> int:
    """Send a message; then say how the run goes on, or take it up."""
    existing(arguments)

    async def start(runtime: Runtime) -> Begun | int:
        info = await find(runtime.journal, arguments.run)
        if info.status in ENDED:
            raise RunOver(info.id, info.status)
        graph = _graph(info, partial(note, quiet=arguments.quiet))
        done = f"run {info.id}: {await tell(runtime, info, graph)}"
        if arguments.resume:
            note(done, quiet=arguments.quiet)
            return await take_up(runtime, info, graph or graph_of(info), quiet=arguments.quiet)
        if arguments.json:
            print_json({"run": info.id, "sent": True, "driver": info.driver})
        elif info.driver is not None:
            note(f"{done}; {who(info.driver)} drives it and will take it", quiet=arguments.quiet)
        else:
            go_on = command(f"graphrt resume {info.id}", arguments.store)
            note(f"{done}; go on with: {go_on}", quiet=arguments.quiet)
        return OK

    return execute(arguments, start)


def _graph(info: RunInfo, say: Callable[[str], None]) -> Graph[..., Any] | None:
    """Load a run's graph, if it is there and still the one that the run began with."""
    reason = "it was not started from a file"
    if info.target is not None:
        try:
            graph = as_graph(load(info.target))
        except (TargetNotFound, TargetBroken, GraphError, UsageError) as error:
            reason = str(error).splitlines()[0]
        else:
            if graph.fingerprint == info.fingerprint:
                return graph
            reason = f"{info.target} has changed since"
    say(f"the types of run {info.id} are not known here ({reason}): what is sent is validated when the run takes it")
    return None


async def _step(runtime: Runtime, info: RunInfo, word: str, what: str) -> str:
    """Return the step that is meant, by its key or the end of it."""
    keys = [wait.step for wait in await runtime.pending(info.id) if wait.what == what]
    return one_of(keys, word) or word


async def _ports(runtime: Runtime, info: RunInfo, step: str, graph: Graph[..., Any] | None) -> list[Port]:
    if graph is None:
        return []
    try:
        port = await runtime.port(info.id, step, graph)
    except GraphMismatch:
        return []
    return [] if port is None else [port]


def _signal_ports(info: RunInfo, name: str, graph: Graph[..., Any] | None) -> list[Port]:
    if graph is None:
        return []
    waits = [node for node in nodes_of(graph) if isinstance(node, WaitNode) and node.kind == "signal"]
    found = [node.signature.returns for node in waits if node.label == name]
    if not found:
        there = ", ".join(sorted({node.label for node in waits})) or "none"
        raise UsageError(f"nothing in {info.graph!r} waits for a signal {name!r}; its signals are: {there}")
    return found
