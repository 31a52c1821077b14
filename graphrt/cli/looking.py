"""`ls`, `show`, `graph` and `check`: commands that only read."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio
from pydantic_core import from_json, to_json

from graphrt import draw
from graphrt.cli.exits import OK, USAGE, TargetNotFound
from graphrt.cli.runs import existing, find, one_of
from graphrt.cli.screen import MARKS, note, paint, print_json, rows_of_waits, short, waits_text, when
from graphrt.cli.steps import Row, rows_of
from graphrt.cli.target import load, mistakes_of, names
from graphrt.dag import as_graph
from graphrt.decide import Pending
from graphrt.errors import GraphError, who
from graphrt.graph import Graph
from graphrt.history import counted
from graphrt.journal import Journal, Message, RunInfo
from graphrt.lease import is_dead
from graphrt.run import need
from graphrt.runtime import Runtime
from graphrt.types import ENDED


def ls(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """List runs."""

    async def work(journal: Journal) -> int:
        runs = await journal.runs(status=arguments.status, limit=arguments.most)
        waits = {info.id: await waits_of(journal, info) for info in runs}
        if arguments.json:
            print_json([_info(info) | {"waiting": rows_of_waits(info.id, waits[info.id], None)} for info in runs])
            return OK
        for info in runs:
            mark = paint(MARKS[info.status], sys.stdout)
            words = "".join(f"  {each}" for each in _standing(info, waits[info.id]))
            sys.stdout.write(f"{info.id}  {mark} {info.status:<9}  {when(info.created)}  {info.graph}{words}\n")
        if not runs:
            note("no runs", quiet=arguments.quiet)
        return OK

    return reading(arguments, work)


def _standing(info: RunInfo, waits: Sequence[Pending]) -> list[str]:
    """Say what a run waits for, who drives it, and what its error was."""
    said = [short(info.error)] if info.error else []
    if waits:
        more = f" (and {len(waits) - 1} more)" if len(waits) > 1 else ""
        said.append(short(need(waits[0])) + more)
    if info.wake is not None:
        said.append(f"until {when(info.wake)}")
    if info.status == "running":
        said.append(_driver(info))
    return said


def _driver(info: RunInfo) -> str:
    if info.driver is None or is_dead(info.driver) or (info.lease or 0) <= time.time():
        return f"nobody drives it: graphrt resume {info.id}"
    return f"driven by {who(info.driver)}, lease until {when(info.lease or 0)}"


def _info(info: RunInfo) -> dict[str, Any]:
    return {name: getattr(info, name) for name in info.__slots__}


async def waits_of(journal: Journal, info: RunInfo) -> list[Pending]:
    """Return what a suspended run waits for, by what was recorded of its graph."""
    if info.status != "suspended":
        return []
    async with Runtime(journal) as runtime:
        return await runtime.pending(info.id)


def show(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Show a run's steps, or one step whole."""
    word, at, wanted = arguments.run.rpartition("@") if "@" in arguments.run[1:] else (arguments.run, "", "")

    async def work(journal: Journal) -> int:
        from graphrt.cli import spending  # what `ls` has no use for takes a while to import

        info = await find(journal, word)
        rows = rows_of(await counted(journal, info.id))
        spent = await spending.of(journal, info.id)
        steps = spent.by("step")
        for key, row in rows.items():
            row["spent"] = spending.total_of(steps[key]) if key in steps else None
        if at:
            lines_of = {key: spending.line_of(total) for key, total in steps.items()}
            return _show_step(rows, lines_of, wanted, as_json=arguments.json)
        waits = await waits_of(journal, info)
        mail = [message for message in await journal.inbox(info.id) if info.status not in ENDED]
        if arguments.json:
            waiting = {"waiting": rows_of_waits(info.id, waits, arguments.store)}
            messages = {"messages": [_message(each) for each in mail]}
            print_json(
                _info(info) | {"steps": list(rows.values()), "spent": spending.data_of(spent)} | waiting | messages
            )
        else:
            lines = [spending.line_of(spent.total)] if spent.calls else []
            _write_run(info, rows, lines, waits, mail, arguments.store)
        return OK

    return reading(arguments, work)


def _write_run(  # noqa: PLR0917 - what there is to say of a run
    info: RunInfo,
    rows: Mapping[str, Row],
    spent: Sequence[str],
    waits: Sequence[Pending],
    mail: Sequence[Message],
    store: str | None,
) -> None:
    mark = paint(MARKS[info.status], sys.stdout)
    lines = [f"run {info.id} of {info.graph}  {mark} {info.status}  began {when(info.created)}"]
    if info.parent:
        lines.append(f"forked from {info.parent}")
    parts = [(key, row) for key, row in rows.items()]
    names = [*rows, *(f"{key}/{name}" for key, row in parts for name in row["substeps"])]
    width = max(map(len, names), default=0)
    for key, row in parts:
        lines.append(_step_line(key, row, width))
        lines += [_substep_line(f"{key}/{name}", part, width) for name, part in row["substeps"].items()]
    lines += spent
    if info.error:
        lines.append(f"error: {info.error}")
    if info.status == "running":
        lines.append(_driver(info))
    lines += [f"waits in the inbox: {_message_words(message)}" for message in mail]
    sys.stdout.write("\n".join(lines) + "\n" + (waits_text(info.id, waits, store) if waits else ""))


def _step_line(key: str, row: Row, width: int) -> str:
    took = f"{row['seconds']:.2f} s" if row["seconds"] is not None else ""
    attempts = f"  {row['attempts']} attempts" if row["attempts"] > 1 else ""
    words = f"{row['error']['type']}: {row['error']['message']}" if row["error"] else row["shown"]
    if row["status"] == "unknown" and not row["error"]:
        words = "its process ended before the outcome was recorded"
    words = short(words)
    mark = paint(MARKS[row["status"]], sys.stdout)
    words += f"  (shared with {row['shared_with']})" if row["shared_with"] else ""
    return f"{mark} {key:<{width}}  {row['status']:<11}  {took:>8}{attempts}  {words}".rstrip()


def _substep_line(key: str, part: Row, width: int) -> str:
    words = part["error"]["message"] if "error" in part else to_json(part.get("output", "")).decode()
    return f"{paint(MARKS[part['status']], sys.stdout)} {key:<{width}}  {part['status']:<11}  {'':>8}  {short(words)}"


def _message(message: Message) -> dict[str, Any]:
    value = None if message.value is None else from_json(message.value)
    return {"id": message.id, "kind": message.kind, "name": message.name, "value": value, "at": message.at}


def _message_words(message: Message) -> str:
    value = "" if message.value is None else f" {short(message.value)}"
    return f"{message.kind} {message.name}{value}  (since {when(message.at)})"


def graph(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Draw a graph."""
    picture = {"text": draw.text, "mermaid": draw.mermaid}[arguments.format](as_graph(load(arguments.target)))
    if arguments.json:
        print_json({"target": arguments.target, "format": arguments.format, "picture": picture})
    else:
        sys.stdout.write(picture)
    return OK


def check(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Find every mistake of a file's graphs."""
    place, _, name = arguments.target.partition(":")
    module, found = mistakes_of(place)
    checked: list[str] = []
    if name and name not in names(module) and not found:
        raise TargetNotFound(f"{place} has no graph {name!r}; it has {', '.join(names(module)) or 'none'}")
    for each in [name] if name and not found else names(module):
        graph_found = getattr(module, each)
        if isinstance(graph_found, Graph):
            checked.append(each)
            try:
                graph_found.ready()
            except GraphError as error:
                found.append(error)
    unique = {id(error): error for error in found}.values()
    if arguments.json:
        mistakes = [
            {"graph": wrong.graph, "place": mistake.place, "what": mistake.what, "fix": mistake.fix}
            for wrong in unique
            for mistake in wrong.mistakes
        ]
        print_json({"checked": checked, "mistakes": mistakes})
    else:
        for wrong in unique:
            sys.stdout.write(f"{wrong}\n")
        if not found:
            note(f"{paint('✓')} {', '.join(checked) or 'no graphs'}", quiet=arguments.quiet)
    return USAGE if found else OK


def reading(arguments: argparse.Namespace, work: Callable[[Journal], Awaitable[int]]) -> int:
    """Do something with a store that is not to be changed."""
    from graphrt.checkpoints import SqliteJournal

    path = existing(arguments)

    async def main() -> int:
        journal = await SqliteJournal.open(path, read_only=True)
        try:
            return await work(journal)
        finally:
            await journal.aclose()

    return anyio.run(main)


def _show_step(steps: Mapping[str, Row], spent: Mapping[str, str], wanted: str, *, as_json: bool) -> int:
    key = one_of(list(steps), wanted)
    if key is None:
        raise TargetNotFound(f"the run has no step {wanted!r}; `graphrt show RUN` lists its steps")
    row = steps[key]
    if as_json:
        print_json(row)
    else:
        for name in (
            "step",
            "status",
            "attempts",
            "seconds",
            "intent",
            "waits_for",
            "substeps",
            "refused",
            "note",
            "output",
        ):
            if row.get(name) not in (None, {}, []):
                print_pair(name, row[name])
        if key in spent:
            print_pair("spent", spent[key])
        if row["error"]:
            failure = row["error"]
            sys.stdout.write(f"error: {failure['type']}: {failure['message']}\n")
            words = "may be retried" if failure["retryable"] else "a retry does not help"
            sys.stdout.write(f"category: {failure['category'] or 'none'}; {words}\n{failure['trace']}")
    return OK


def print_pair(name: str, value: Any) -> None:
    """Write one fact of a step."""
    if isinstance(value, (dict, list)):
        sys.stdout.write(f"{name}:\n")
        print_json(value)
    else:
        sys.stdout.write(f"{name}: {value}\n")
