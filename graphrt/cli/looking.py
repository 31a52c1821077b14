"""`ls`, `show`, `graph` and `check`: commands that only read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from pydantic_core import from_json

from graphrt.cli.exits import OK, USAGE, TargetNotFound
from graphrt.cli.formats import PICTURES, drawn
from graphrt.cli.listing import driver, run_columns, step_columns, write_table
from graphrt.cli.runs import existing, find, one_of
from graphrt.cli.screen import command, print_json, rows_of_waits, waits_text
from graphrt.cli.target import load, mistakes_of, names
from graphrt.clock import lasted
from graphrt.dag import as_graph
from graphrt.decide import Pending
from graphrt.errors import GraphError, UsageError
from graphrt.facts import Entry
from graphrt.graph import Graph
from graphrt.history import PAGE, counted
from graphrt.journal import Journal, Message, RunInfo
from graphrt.runtime import Runtime
from graphrt.steps import Steps, steps_of
from graphrt.types import ENDED
from graphrt.view.table import flowed, plain
from graphrt.view.terminal import note, paint, width_of
from graphrt.view.words import MARKS, short, when

if TYPE_CHECKING:
    from graphrt.backends.accounting import Spent, Total
    from graphrt.backends.prices import Prices


def ls(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """List runs."""

    async def work(journal: Journal) -> int:
        runs = await journal.runs(status=arguments.status, limit=arguments.most)
        waits: dict[str, Sequence[Pending]] = {info.id: await waits_of(journal, info) for info in runs}
        spent = await _spent(journal, runs)
        if arguments.json:
            from graphrt.cli import spending

            sums = {run: None if total is None else spending.total_of(total) for run, total in spent.items()}
            print_json(
                [
                    _info(info)
                    | {"waiting": rows_of_waits(info.id, waits[info.id], None)}
                    | ({"spent": sums[info.id]} if info.id in sums else {})
                    for info in runs
                ]
            )
            return OK
        write_table(run_columns(runs, waits, spent, arguments.store))
        if not runs:
            note("no runs", quiet=arguments.quiet)
        return OK

    return reading(arguments, work)


ADDED_UP = 50_000
"""Entries that `ls` reads to say what runs spent, the newest runs first. Of those beyond, it says nothing."""


async def _spent(journal: Journal, runs: Sequence[RunInfo]) -> dict[str, Total | None]:
    """Add up what each run spent; None if it asked no model."""
    found: dict[str, Total | None] = {}
    left = ADDED_UP
    prices: Prices | None = None
    for info in runs:
        left -= info.seq
        if left < 0:
            break
        entries: list[Entry] = []
        while page := await journal.read(info.id, len(entries), PAGE):
            entries.extend(page)
        found[info.id] = None
        if any(b'"model"' in (getattr(entry.fact, "note", None) or b"") for entry in entries):
            from graphrt.backends.accounting import (
                spent_by,
            )  # takes a while to import, and most runs have no use for it
            from graphrt.cli.spending import known_prices

            prices = prices or known_prices()
            spent = spent_by(info.id, entries, prices)
            found[info.id] = spent.total if spent.calls else None
    return found


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
        rows = steps_of(await counted(journal, info.id))
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
            _write_run(info, rows, spent, waits, mail, arguments.store)
        return OK

    return reading(arguments, work)


def _write_run(  # noqa: PLR0917 - what there is to say of a run
    info: RunInfo,
    rows: Steps,
    spent: Spent,
    waits: Sequence[Pending],
    mail: Sequence[Message],
    store: str | None,
) -> None:
    from graphrt.cli.spending import line_of

    width = width_of(sys.stdout)
    head = [f"run {info.id} of {info.graph}", f"{paint(MARKS[info.status], sys.stdout)} {info.status}"]
    head.append(f"began {when(info.created)}")
    if info.status in ENDED:
        head.append(f"took {lasted(info.updated - info.created)}")
    if info.parent:
        head.append(f"forked from {info.parent}")
    _write_lines(flowed(head, width))
    write_table(step_columns(rows, spent))
    lines = [line_of(spent.total)] if spent.calls else []
    if info.error:
        lines += [plain(line) for line in f"error: {info.error}".splitlines()]
    if info.status == "running":
        lines.append(driver(info, store))
    lines += [f"waits in the inbox: {_message_words(message)}" for message in mail]
    if info.status == "failed":
        lines.append(f"go on with: {command(f'graphrt resume {info.id}', store)}")
    _write_lines(lines)
    if waits:
        sys.stdout.write(waits_text(info.id, waits, store))


def _write_lines(lines: Sequence[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _message(message: Message) -> dict[str, Any]:
    value = None if message.value is None else from_json(message.value)
    return {"id": message.id, "kind": message.kind, "name": message.name, "value": value, "at": message.at}


def _message_words(message: Message) -> str:
    value = "" if message.value is None else f" {short(message.value)}"
    return f"{message.kind} {message.name}{value}  (since {when(message.at)})"


def graph(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Draw a graph."""
    options = {name: found for name in ("theme", "direction", "run") if (found := getattr(arguments, name)) is not None}
    if options and arguments.format not in PICTURES:
        given = ", ".join(f"--{name}" for name in options)
        raise UsageError(f"{given}: only with --format {' or '.join(PICTURES)}")
    target = as_graph(load(arguments.target))
    if "run" in options:
        options |= _standing_of(target, arguments)
    picture = drawn(arguments.format, target, **options)
    if arguments.output is not None:
        try:
            Path(arguments.output).write_bytes(picture.encode() if isinstance(picture, str) else picture)
        except OSError as error:
            raise UsageError(f"--output {arguments.output}: {error.strerror}") from None
        picture = ""
    elif isinstance(picture, bytes) and (arguments.json or sys.stdout.isatty()):
        raise UsageError(f"{arguments.format} is no text; write it to a file with --output FILE")
    if arguments.json:
        written = {"picture": picture} if arguments.output is None else {"output": arguments.output}
        print_json({"target": arguments.target, "format": arguments.format, **written})
    elif isinstance(picture, bytes):
        sys.stdout.buffer.write(picture)
    else:
        sys.stdout.write(picture)
    return OK


def _standing_of(target: Graph[..., Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Read where a run stands in its graph, and what each node of it spent on models."""
    from graphrt.backends.accounting import Spent
    from graphrt.cli import spending
    from graphrt.draw.progress import Progress, place_of

    progress, spent = Progress(target), dict[str, str]()

    async def work(journal: Journal) -> int:
        info = await find(journal, arguments.run)
        if info.graph != target.name:
            raise UsageError(f"run {info.id} is of the graph {info.graph}, and {arguments.target} is {target.name}")
        for _, entry in await counted(journal, info.id):
            progress.take(entry)
        calls = (await spending.of(journal, info.id)).calls
        for place in dict.fromkeys(place_of(call.step) for call in calls):
            mine = Spent(tuple(call for call in calls if place_of(call.step) == place))
            spent[place] = spending.line_of(mine.total)
        return OK

    reading(arguments, work)
    return {"run": progress, "spent": spent}


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


def _show_step(steps: Steps, spent: Mapping[str, str], wanted: str, *, as_json: bool) -> int:
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
