"""`graph`, and `show --timeline`: a graph, and a run in time, as pictures."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from graphrt.cli.exits import OK
from graphrt.cli.formats import PICTURES, drawn
from graphrt.cli.listing import driven, paint_mark
from graphrt.cli.runs import find, reading
from graphrt.cli.screen import command, print_json
from graphrt.cli.target import load
from graphrt.dag import as_graph
from graphrt.errors import UsageError
from graphrt.facts import Entry
from graphrt.graph import Graph
from graphrt.history import Counted, counted, entries_of, graph_recorded
from graphrt.journal import Journal, RunInfo
from graphrt.types import StepKey
from graphrt.view.terminal import note, width_of
from graphrt.view.words import MARKS


def graph(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Draw a graph."""
    if arguments.target is None and arguments.run is None:
        raise UsageError("name a graph, such as file.py:graph, or with --run RUN a run whose graph was recorded")
    only = ["theme", "direction", "engine", *(["run"] if arguments.target is not None else [])]
    options = {name: found for name in only if (found := getattr(arguments, name)) is not None}
    if options and arguments.format not in PICTURES:
        given = ", ".join(f"--{name}" for name in options)
        raise UsageError(f"{given}: only with --format {' or '.join(PICTURES)}")
    target = None if arguments.target is None else as_graph(load(arguments.target))
    of = {"target": arguments.target}
    if arguments.run is not None:
        target, info, standing = _standing_of(target, arguments)
        options |= standing if arguments.format in PICTURES else {}
        of |= {} if arguments.target is not None else {"target": None, "run": info.id}
    _write(arguments, drawn(arguments.format, target, **options), of)
    return OK


def _standing_of(
    target: Graph[..., Any] | None, arguments: argparse.Namespace
) -> tuple[Graph[..., Any], RunInfo, dict[str, Any]]:
    """Read where a run stands in its graph, and what each node of it spent on models; without a target, in the graph
    that was recorded with it."""
    from graphrt.draw.progress import progress_of
    from graphrt.view import spending

    found: list[tuple[Graph[..., Any], RunInfo, dict[str, Any]]] = []

    async def work(journal: Journal) -> int:
        info = await find(journal, arguments.run)
        graph = target or await _recorded(journal, info, arguments)
        if info.graph != graph.name:
            raise UsageError(f"run {info.id} is of the graph {info.graph}, and {arguments.target} is {graph.name}")
        own = await entries_of(journal, info.id)
        record = [entry for _, entry in await counted(journal, info.id, own)]
        progress = progress_of(graph, record, left=None if driven(info) else time.time())
        spent = spending.by_place(spending.of(info.id, own))
        found.append((graph, info, {"run": progress, "spent": spent}))
        return OK

    reading(arguments, work)
    return found[0]


async def _recorded(journal: Journal, info: RunInfo, arguments: argparse.Namespace) -> Graph[..., Any]:
    """Read the graph that was recorded with a run. Raises UsageError, naming the way with the code, if there is none
    that can be read."""
    way = command(f"graphrt graph {info.target or 'TARGET'} --run {info.id} -f svg", arguments.store)
    try:
        graph = await graph_recorded(journal, info.fingerprint)
    except ValueError as error:
        raise UsageError(
            f"the graph of run {info.id} cannot be read from the store: {error}; name it: {way}"
        ) from error
    if graph is None:
        raise UsageError(f"the graph of run {info.id} was not recorded; name it: {way}")
    note(f"as it was recorded, without retries and timeouts; with them: {way}", quiet=arguments.quiet)
    return graph


async def timeline(arguments: argparse.Namespace, journal: Journal, info: RunInfo) -> None:
    """Draw what happened in a run, and when."""
    own = await entries_of(journal, info.id)
    record = await counted(journal, info.id, own)
    now = time.time() if info.status == "suspended" or driven(info) else None
    if arguments.format in PICTURES:
        from graphrt import draw

        options = {} if arguments.theme is None else {"theme": arguments.theme}
        svg = draw.timeline(record, now=now, spent=_spent(info, own), **options)
        picture: str | bytes = draw.rasterize(svg) if arguments.format == "png" else svg
        _write(arguments, picture, {"run": info.id})
    else:
        _write_lines(arguments, record, now)


def _write_lines(arguments: argparse.Namespace, record: Sequence[Counted], now: float | None) -> None:
    from graphrt.draw.timeline.spans import course_of
    from graphrt.view.bars import USUAL, lines_of

    course = course_of(record, now)
    if arguments.json and arguments.format is None and arguments.output is None:
        print_json(asdict(course))
        return
    speaks = arguments.output is not None or _speaks_unicode(sys.stdout)
    lines = lines_of(course, width_of(sys.stdout) or USUAL, ascii_only=not speaks)
    if arguments.output is None and not arguments.json:
        lines = [paint_mark(line) if line[:1] in MARKS.values() else line for line in lines]
    _write(arguments, "".join(f"{line}\n" for line in lines), {"run": course.run})


def _speaks_unicode(stream: Any) -> bool:
    """Whether the letters that bars are drawn with can be written on a stream."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def _spent(info: RunInfo, own: Sequence[Entry]) -> dict[tuple[StepKey, int], str]:
    """Say what each attempt spent on models."""
    from graphrt.backends.accounting import Call, Spent
    from graphrt.view import spending

    calls: dict[tuple[StepKey, int], list[Call]] = {}
    for call in spending.of(info.id, own).calls:
        calls.setdefault((call.step, call.attempt), []).append(call)
    return {attempt: spending.line_of(Spent(tuple(found)).total) for attempt, found in calls.items()}


def _write(arguments: argparse.Namespace, picture: str | bytes, of: dict[str, Any]) -> None:
    """Write a picture where it is wanted: to a file, as JSON, or on stdout."""
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
        print_json({**of, "format": arguments.format or "text", **written})
    elif isinstance(picture, bytes):
        sys.stdout.buffer.write(picture)
    else:
        sys.stdout.write(picture)
