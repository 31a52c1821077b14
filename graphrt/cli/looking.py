"""`ls`, `show` and `check`: commands that only read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from graphrt.cli.exits import OK, USAGE, TargetNotFound
from graphrt.cli.formats import PICTURES
from graphrt.cli.listing import driven, driver, run_columns, step_columns, write_table
from graphrt.cli.runs import find, one_of, reading
from graphrt.cli.screen import command, print_json, rows_of_waits, waits_text
from graphrt.cli.target import mistakes_of, names
from graphrt.clock import lasted
from graphrt.decide import Pending
from graphrt.errors import GraphError, UsageError
from graphrt.graph import Graph
from graphrt.history import counted, entries_of
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
            from graphrt.view import spending

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
        entries = await entries_of(journal, info.id)
        found[info.id] = None
        if any(b'"model"' in (getattr(entry.fact, "note", None) or b"") for entry in entries):
            from graphrt.backends.accounting import (
                spent_by,
            )  # takes a while to import, and most runs have no use for it
            from graphrt.view.spending import known_prices

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
    options = [f"--{name}" for name in ("format", "output", "theme") if getattr(arguments, name) is not None]
    if options and not arguments.timeline:
        raise UsageError(f"{', '.join(options)}: only with --timeline")
    if arguments.theme is not None and arguments.format not in PICTURES:
        raise UsageError(f"--theme: only with --format {' or '.join(PICTURES)}")
    word, at, wanted = arguments.run.rpartition("@") if "@" in arguments.run[1:] else (arguments.run, "", "")

    if at and arguments.timeline:
        raise UsageError(f"--timeline is of a run, and {arguments.run} is a step")

    async def work(journal: Journal) -> int:
        from graphrt.cli import drawing
        from graphrt.view import spending  # what `ls` has no use for takes a while to import

        info = await find(journal, word)
        if arguments.timeline:
            await drawing.timeline(arguments, journal, info)
            return OK
        own = await entries_of(journal, info.id)
        rows = steps_of(await counted(journal, info.id, own), driven=driven(info))
        spent = spending.of(info.id, own)
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
    from graphrt.view.spending import line_of

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
