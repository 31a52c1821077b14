"""`ls`, `show`, `graph` and `check`: commands that only read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
from pydantic_core import from_json

from graphrt import draw
from graphrt.cli.exits import OK, USAGE, TargetNotFound
from graphrt.cli.runs import existing, find, one_of
from graphrt.cli.screen import MARKS, note, paint, print_json, short, when
from graphrt.cli.target import load, mistakes_of, names
from graphrt.dag import as_graph
from graphrt.errors import GraphError
from graphrt.facts import AttemptFailed, Entry, Failure, StepCancelled, StepFailed, StepFinished, StepStarted
from graphrt.graph import Graph
from graphrt.journal import Journal


def ls(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """List runs."""

    async def work(journal: Journal) -> int:
        runs = await journal.runs(status=arguments.status, limit=arguments.most)
        if arguments.json:
            print_json([{name: getattr(info, name) for name in info.__slots__} for info in runs])
            return OK
        for info in runs:
            mark = paint(MARKS[info.status], sys.stdout)
            error = f"  {short(info.error)}" if info.error else ""
            sys.stdout.write(f"{info.id}  {mark} {info.status:<9}  {when(info.created)}  {info.graph}{error}\n")
        if not runs:
            note("no runs", quiet=arguments.quiet)
        return OK

    return reading(arguments, work)


def show(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Show a run's steps, or one step whole."""
    word, at, wanted = arguments.run.rpartition("@") if "@" in arguments.run[1:] else (arguments.run, "", "")

    async def work(journal: Journal) -> int:
        info = await find(journal, word)
        steps = _steps(await _everything(journal, info.id))
        if at:
            return _show_step(steps, wanted, as_json=arguments.json)
        if arguments.json:
            print_json({name: getattr(info, name) for name in info.__slots__} | {"steps": list(steps.values())})
            return OK
        mark = paint(MARKS[info.status], sys.stdout)
        sys.stdout.write(f"run {info.id} of {info.graph}  {mark} {info.status}  began {when(info.created)}\n")
        width = max((len(step["step"]) for step in steps.values()), default=0)
        for step in steps.values():
            took = f"{step['seconds']:.2f} s" if step["seconds"] is not None else ""
            attempts = f"  {step['attempts']} attempts" if step["attempts"] > 1 else ""
            words = f"{step['error']['type']}: {step['error']['message']}" if step["error"] else step["shown"]
            mark = paint(MARKS[step["status"]], sys.stdout)
            sys.stdout.write(
                f"{mark} {step['step']:<{width}}  {step['status']:<9}  {took:>8}{attempts}  {short(words)}\n"
            )
        if info.error:
            sys.stdout.write(f"error: {info.error}\n")
        return OK

    return reading(arguments, work)


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


async def _everything(journal: Journal, run: Any) -> list[Entry]:
    entries: list[Entry] = []
    while page := await journal.read(run, entries[-1].seq if entries else 0):
        entries.extend(page)
    return entries


def _steps(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """Fold entries into one row a step."""
    steps: dict[str, dict[str, Any]] = {}
    for entry in entries:
        match entry.fact:
            case StepStarted(step=key, attempt=attempt):
                row = steps.setdefault(
                    key, {"step": key, "began": entry.at, "seconds": None, "output": None, "shown": "", "note": None}
                )
                row.update(status="running", attempts=attempt, error=None)
            case StepFinished(step=key, value=value, note=noted, type=tag):
                row = steps[key]
                row.update(
                    status="finished",
                    seconds=entry.at - row["began"],
                    output=from_json(value),
                    shown=short(value),
                    type=tag,
                )
                row["note"] = from_json(noted) if noted else None
            case AttemptFailed(step=key, failure=failure):
                steps[key].update(status="waiting", error=_error(failure))
            case StepFailed(step=key, failure=failure):
                steps[key].update(status="failed", error=_error(failure), seconds=entry.at - steps[key]["began"])
            case StepCancelled(step=key):
                steps[key].update(status="cancelled")
            case _:
                pass
    return steps


def _error(failure: Failure) -> dict[str, Any]:
    return {name: getattr(failure, name) for name in failure.__slots__}


def _show_step(steps: dict[str, dict[str, Any]], wanted: str, *, as_json: bool) -> int:
    key = one_of(list(steps), wanted)
    if key is None:
        raise TargetNotFound(f"the run has no step {wanted!r}; `graphrt show RUN` lists its steps")
    row = steps[key]
    if as_json:
        print_json(row)
    else:
        for name in ("step", "status", "attempts", "seconds", "note", "output"):
            if row.get(name) is not None:
                print_pair(name, row[name])
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
