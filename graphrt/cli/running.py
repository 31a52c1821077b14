"""`run` and `resume`: start a run or take one up, show what happens, and print its result."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import anyio

from graphrt.cli.exits import FAILED, INTERRUPTED, OK, WAITING, TargetNotFound, code_of
from graphrt.cli.inputs import list_inputs, pairs, read_inputs
from graphrt.cli.runs import existing, find
from graphrt.cli.screen import command, event, print_json, print_value, rows_of_waits, waits_text
from graphrt.cli.stopping import until_stopped
from graphrt.cli.target import load
from graphrt.config import load_config
from graphrt.errors import RunError, RunTaken, StoreError, Suspended
from graphrt.graph import nodes_of
from graphrt.journal import RunInfo
from graphrt.lease import is_dead
from graphrt.node import FunctionNode, Node
from graphrt.run import Run
from graphrt.runtime import Prospect, Runtime
from graphrt.view.lines import Lines
from graphrt.view.live import watch
from graphrt.view.terminal import can_watch, note

GRACE = 10.0
"""Seconds that steps in flight are given to finish once the process is asked to end."""


class Begun(NamedTuple):
    """A run to be watched to its end, from the entry after `after` on."""

    run: Run[Any]
    after: int = 0


Start = Callable[[Runtime], Awaitable[Begun | int]]
"""Begins or takes up a run; or does all there is to do and says with which code."""


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Start a run and wait for its result."""
    graph = load(arguments.target)
    if arguments.inputs:
        return list_inputs(graph, as_json=arguments.json)
    given = read_inputs(graph, arguments.input, rest)

    async def start(runtime: Runtime) -> Begun:
        await check_models(graph, runtime.models)
        return Begun(await runtime.start_target(arguments.target, graph, given, run=arguments.run_id))

    return execute(arguments, start)


def resume(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Take up a run."""
    existing(arguments)  # a runtime would make the store

    async def start(runtime: Runtime) -> Begun | int:
        info = await find(runtime.journal, arguments.run)
        graph = graph_of(info, arguments.target)
        letting = {"accept": arguments.accept, "again": arguments.again}
        if arguments.dry_run:
            _write_prospect(info, await runtime.prospect(info.id, graph, **letting), as_json=arguments.json)
            return OK
        return await take_up(runtime, info, graph, quiet=arguments.quiet, **letting)

    return execute(arguments, start)


def graph_of(info: RunInfo, target: str | None = None) -> Node[..., Any]:
    """Load the graph of a run, from where it says or from `target`. Raises TargetNotFound and what `load` raises."""
    target = target or info.target
    if target is None:
        raise TargetNotFound(
            f"run {info.id} was not started from a file; say where its graph is: "
            f"graphrt resume {info.id} file.py:{info.graph}"
        )
    return load(target)


async def take_up(
    runtime: Runtime, info: RunInfo, graph: Node[..., Any], *, quiet: bool, accept: bool = False, again: bool = False
) -> Begun:
    """Say what resuming a run will do, and do it. Raises GraphMismatch, and what `Runtime.resume` raises."""
    now = runtime.clock.now()
    if info.driver is not None and (info.lease or now) > now and not is_dead(info.driver):
        raise RunTaken(info.id, info.driver, (info.lease or now) - now)  # what is in flight is no business of ours
    prospect = await runtime.prospect(info.id, graph, accept=accept, again=again)
    note(prospect_words(info, prospect), quiet=quiet)
    await check_models(graph, runtime.models)
    return Begun(await runtime.resume(info.id, graph, accept=accept, again=again), info.seq)


def prospect_words(info: RunInfo, prospect: Prospect) -> str:
    """Say in a line what resuming will do (D10)."""
    unknown = f", unknown {len(prospect.unknown)}" if prospect.unknown else ""
    return f"run {info.id} of {info.graph}: re-executes {len(prospect.again)}, reuses {prospect.reused}{unknown}"


def _write_prospect(info: RunInfo, prospect: Prospect, *, as_json: bool) -> None:
    if as_json:
        steps = {"re_executes": prospect.again, "unknown": prospect.unknown}
        print_json({"run": info.id, "reuses": prospect.reused} | steps)
        return
    doubts = [f"  {step}   (unknown: a check or a person decides)" for step in prospect.unknown]
    lines = [prospect_words(info, prospect), *(f"  {step}" for step in prospect.again), *doubts]
    sys.stdout.write("\n".join(lines) + "\n")


async def check_models(graph: Node[..., Any], models: Mapping[str, Any]) -> None:
    """Refuse a model that leads nowhere before anything is recorded. Raises BindingError.

    Only the roles of `@llm` nodes can be seen: what a node asks by itself is found out when it asks.
    """
    from graphrt.backends.uri import open_backend
    from graphrt.nodes.llm import unbound

    for role in sorted(roles_of(graph)):
        if role not in models:
            raise unbound(role, models)
        await open_backend(str(models[role])).aclose()


def roles_of(graph: Node[..., Any]) -> set[str]:
    """Return the model roles of a graph's `@llm` nodes, at any depth."""
    return {node.label for node in nodes_of(graph) if isinstance(node, FunctionNode) and node.kind == "llm"}


def open_runtime(arguments: argparse.Namespace) -> Runtime:
    """Make a runtime of the options and the surroundings."""
    config = load_config()
    return Runtime(
        arguments.store or config.store.path,
        models=pairs("--model", arguments.model, "ROLE=URI", str),
        limits=pairs("--limit", arguments.limit, "NAME=N", int),
        durability=config.store.durability,
        concurrency=arguments.concurrency,
        config=config,
    )


def execute(arguments: argparse.Namespace, start: Start) -> int:
    """Open a runtime, begin, watch the run to its end, and return the exit code.

    An interrupt stops at the last commit; SIGTERM lets steps in flight finish first, for as long as GRACE.
    """
    begun_id = ""

    async def work(runtime: Runtime) -> int:
        nonlocal begun_id
        begun = await start(runtime)
        if isinstance(begun, int):
            return begun
        begun_id = begun.run.id
        note(f"run {begun_id}", quiet=arguments.quiet)
        await _follow(begun, arguments)
        return await _report(runtime, begun.run, arguments)

    async def main() -> int | None:
        async with open_runtime(arguments) as runtime:
            code, _ = await until_stopped(
                runtime, lambda: work(runtime), [signal.SIGTERM], GRACE, quiet=arguments.quiet
            )
            return code

    try:
        code = anyio.run(main)
    except KeyboardInterrupt:
        if not begun_id:
            raise
        code = None
    except BaseExceptionGroup as group:
        from graphrt.errors import sole

        error = sole(group)
        if begun_id and isinstance(error, StoreError):
            note(f"finished steps are kept; resume with: {command(f'graphrt resume {begun_id}', arguments.store)}")
        raise error from None
    if code is not None:
        return code
    go_on = command(f"graphrt resume {begun_id}", arguments.store)
    note(f"interrupted; finished steps are kept, resume with: {go_on}")
    return INTERRUPTED


async def _follow(begun: Begun, arguments: argparse.Namespace) -> None:
    """Show what happens to a run, in the way that was asked for, until it ends or is suspended."""
    watching = getattr(arguments, "watch", False)
    if watching and not arguments.json and not arguments.quiet and can_watch(sys.stderr):
        async with watch(begun.run):
            async for _ in begun.run.events(begun.after):
                pass
        return
    progress = Lines(quiet=arguments.quiet)
    async for entry in begun.run.events(begun.after):
        if watching and arguments.json:
            print_json(event(begun.run.id, entry), one_line=True)
        else:
            progress.show(entry)


async def _report(runtime: Runtime, begun: Run[Any], arguments: argparse.Namespace) -> int:
    said = partial(print_json, one_line=getattr(arguments, "watch", False))
    try:
        value = await begun.result()
    except Suspended as suspended:
        waits = await runtime.pending(begun.id)
        if arguments.json:
            rows = rows_of_waits(begun.id, waits, arguments.store)
            said({"run": begun.id, "status": "suspended", "until": suspended.until, "waiting": rows})
        else:
            note(waits_text(begun.id, waits, arguments.store).rstrip())  # what one asked for, `--quiet` or not
        return WAITING
    except RunError as error:
        go_on = f"graphrt resume {begun.id}"
        words = str(error).replace(go_on, command(go_on, arguments.store))
        if arguments.json:
            said({"run": begun.id, "status": await begun.status(), "error": words})
        else:
            note(f"graphrt: {words}")
        return code_of(error) or FAILED
    if arguments.json:
        said({"run": begun.id, "status": "finished", "result": value})
    else:
        print_value(value)
    return OK
