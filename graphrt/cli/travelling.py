"""`fork`, `retry`, `replay` and `diff`: a run's past, done otherwise, done anew, run through today's code, compared.

What would be done again and what is reused is said before anything is (D10); with `--dry-run`, that is all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from graphrt.cli.exits import FAILED, OK
from graphrt.cli.inputs import pairs, read_option, read_value
from graphrt.cli.listing import paint_mark, write_table
from graphrt.cli.running import Begun, check_models, execute, graph_of
from graphrt.cli.runs import existing, find, reading
from graphrt.cli.screen import print_json
from graphrt.dag import as_graph
from graphrt.difference import Comparison, Difference, Row
from graphrt.errors import UsageError
from graphrt.graph import Graph
from graphrt.journal import Journal, RunInfo
from graphrt.replay import Change, Replayed
from graphrt.runtime import Runtime
from graphrt.state import find as find_step
from graphrt.travel import UNCHANGED, Plan, plan_fork, plan_retry
from graphrt.types import Json, StepKey
from graphrt.view.table import Column
from graphrt.view.terminal import most_of, note, paint
from graphrt.view.words import short

VERDICTS = {"shared": "=", "same": "✓", "differs": "✗", "only in a": "-", "only in b": "+"}


def fork(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Begin a new run from another one's history."""
    existing(arguments)
    if arguments.output is not None and not arguments.at:
        raise UsageError("--output is the output of a step: say of which one with --at STEP")

    async def start(runtime: Runtime) -> Begun | int:
        info = await find(runtime.journal, arguments.run)
        graph = as_graph(graph_of(info, arguments.target))
        models = dict(pairs("--model", arguments.model, "ROLE=URI", str))
        change: dict[str, Any] = {
            "at": arguments.at,
            "inputs": _inputs(graph, pairs("--input", arguments.input, "NAME=JSON", str)),
            "models": models,
            "again": arguments.again or arguments.dry_run,
        }
        await check_models(graph, {**runtime.models, **models})
        if arguments.output is not None:
            change["output"] = await _output(runtime.journal, info, graph, change, arguments.output)
        plan = await plan_fork(runtime.journal, info.id, graph, **change)
        if arguments.dry_run:
            return _write_plan("fork of run", info, plan, as_json=arguments.json)
        note(_plan_words("fork of run", info, plan), quiet=arguments.quiet)
        run = await runtime.fork(info.id, graph, new=arguments.run_id, **change)
        return Begun(run, len(plan.facts))

    return execute(arguments, start)


def retry(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Do a step of a run anew, and all that depends on it."""
    existing(arguments)

    async def start(runtime: Runtime) -> Begun | int:
        info = await find(runtime.journal, arguments.run)
        graph = as_graph(graph_of(info, arguments.target))
        anyway = arguments.again or arguments.dry_run  # where nothing is done, what it would repeat is shown
        plan = await plan_retry(runtime.journal, info.id, graph, at=arguments.at, again=anyway)
        if arguments.dry_run:
            return _write_plan("run", info, plan, as_json=arguments.json)
        note(_plan_words("run", info, plan), quiet=arguments.quiet)
        await check_models(graph, runtime.models)
        return Begun(await runtime.retry(info.id, graph, at=arguments.at, again=arguments.again), info.seq)

    return execute(arguments, start)


def _inputs(graph: Graph[..., Any], given: Mapping[str, str]) -> dict[str, Any]:
    params = graph.signature.params
    return {name: read_option(params[name].port, word) if name in params else word for name, word in given.items()}


async def _output(journal: Journal, info: RunInfo, graph: Graph[..., Any], change: Mapping[str, Any], word: str) -> Any:
    """Read the output that a step is given, by the type of its node."""
    plan = await plan_fork(journal, info.id, graph, **{**change, "again": True, "output": UNCHANGED})
    step = find_step(plan.state, StepKey(change["at"]))
    ports = [] if step is None else [step.node.signature.returns]
    return read_value("--output", word, ports)


def _plan_words(what: str, info: RunInfo, plan: Plan) -> str:
    kept = plan.rewind
    return f"{what} {info.id} of {info.graph}: re-executes {len(kept.again)}, reuses {kept.reused}"


def _write_plan(what: str, info: RunInfo, plan: Plan, *, as_json: bool) -> int:
    kept = plan.rewind
    if as_json:
        steps = {"re_executes": kept.again, "effects_done_again": kept.effects}
        print_json({"run": info.id, "reuses": kept.reused} | steps)
        return OK
    twice = "   (its effect must not be repeated)"
    lines = [f"  {step}{twice if step in kept.effects else ''}" for step in kept.again]
    sys.stdout.write("\n".join([_plan_words(what, info, plan), *lines]) + "\n")
    return OK


def replay(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Run today's code against a recorded run; 1 if it does anything otherwise."""

    async def work(journal: Journal) -> int:
        info = await find(journal, arguments.run)
        graph = graph_of(info, arguments.target)
        async with Runtime(journal) as runtime:
            replayed = await runtime.replay(info.id, graph)
        if arguments.json:
            print_json({"run": info.id} | _replayed(replayed))
        else:
            for change in replayed.changes:
                sys.stdout.write(_change_text(change))
        note(_replay_words(info, replayed), quiet=arguments.quiet)
        return FAILED if replayed.changes else OK

    return reading(arguments, work)


def _replay_words(info: RunInfo, replayed: Replayed) -> str:
    count = len(replayed.changes)
    differ = f"{count} difference{'' if count == 1 else 's'}" if count else "no difference"
    end = "" if replayed.complete else "; the record does not go to the run's end"
    mark = paint("✗" if count else "✓")
    return f"{mark} replayed {info.id} of {info.graph}: {replayed.agree} steps agree, {differ}{end}"


def _replayed(replayed: Replayed) -> dict[str, Any]:
    changes = [
        {"step": each.step, "kind": each.kind, "what": each.what} | _difference(each.difference)
        for each in replayed.changes
    ]
    return {"agree": replayed.agree, "ran": replayed.ran, "complete": replayed.complete, "changes": changes}


def _difference(difference: Difference | None) -> dict[str, Any]:
    if difference is None:
        return {"pointer": None, "diff": None}
    return {"pointer": difference.pointer, "diff": difference.diff}


def _change_text(change: Change) -> str:
    where = f" at {change.difference.pointer}" if change.difference and change.difference.pointer else ""
    head = f"{paint('✗', sys.stdout)} {change.step or 'the run'}  {change.kind}: {change.what}{where}\n"
    return head + (f"{change.difference.diff}\n" if change.difference else "")


def diff(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Compare two runs step by step; 1 if they differ."""

    async def work(journal: Journal) -> int:
        a, b = await find(journal, arguments.a), await find(journal, arguments.b)
        async with Runtime(journal) as runtime:
            compared = await runtime.diff(a.id, b.id)
        if arguments.json:
            rows = [_row(row) for row in compared.rows]
            first = compared.first.step if compared.first else None
            print_json({"a": a.id, "b": b.id, "first": first, "steps": rows})
        else:
            _write_comparison(compared, a, b)
        return OK if compared.first is None else FAILED

    return reading(arguments, work)


def _row(row: Row) -> dict[str, Any]:
    values = {"a": _plain(row.a), "b": _plain(row.b)}
    return {"step": row.step, "verdict": row.verdict} | values | _difference(row.difference)


def _plain(text: Json | None) -> Any:
    return None if text is None else from_json(text)


def _write_comparison(compared: Comparison, a: RunInfo, b: RunInfo) -> None:
    sys.stdout.write(f"a: run {a.id} of {a.graph}\nb: run {b.id} of {b.graph}\n")
    rows, most = compared.rows, most_of(sys.stdout)
    a_s = ["" if row.a is None else short(row.a, most) for row in rows]
    b_s = ["" if row.b is None or row.verdict in {"shared", "same"} else short(row.b, most) for row in rows]
    write_table(
        [
            Column("  STEP", [f"{VERDICTS[row.verdict]} {row.step}" for row in rows], 0, least=1, paint=paint_mark),
            Column("", [row.verdict for row in rows], 1),
            Column("A", a_s, 3, least=12),
            Column("B", b_s, 2, least=12),
        ]
    )
    if compared.first is not None and compared.first.difference is not None:
        sys.stdout.write(f"they part at {compared.first.step}:\n{compared.first.difference.diff}\n")
