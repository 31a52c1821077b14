"""What a notebook shows of each thing, by media type: pictures as SVG, tables as HTML, and text for where there is
neither. Pure but for a run, which is read from its store. Nothing is fetched.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import singledispatch
from html import escape
from typing import Any

import anyio
from pydantic_core import to_json

from graphrt.backends.accounting import Spent
from graphrt.backends.events import Answer
from graphrt.clock import lasted
from graphrt.difference import Comparison, Difference, Row
from graphrt.draw.look import LOOKS, Theme
from graphrt.draw.progress import progress_of
from graphrt.draw.svg import svg
from graphrt.draw.text import text
from graphrt.draw.timeline import timeline as draw_timeline
from graphrt.draw.timeline.spans import course_of
from graphrt.graph import Graph
from graphrt.history import Counted, counted, entries_of, graph_recorded
from graphrt.journal import RunInfo
from graphrt.lease import is_driven
from graphrt.replay import Replayed
from graphrt.run import Run
from graphrt.shown import Shown
from graphrt.steps import Step, Steps, steps_of
from graphrt.view.bars import USUAL
from graphrt.view.bars import lines_of as timeline_lines
from graphrt.view.notebook import settings
from graphrt.view.spending import by_place
from graphrt.view.spending import of as spending_of
from graphrt.view.steps import columns
from graphrt.view.table import Column, lines_of
from graphrt.view.words import MARKS, short, when

log = logging.getLogger("graphrt")

Bundle = dict[str, Any]
MOST = 120
"""Letters of a value that are told in a table."""
ROWS = 200
"""Steps that are told one by one; the others are counted."""


@singledispatch
def bundle(thing: Any) -> Bundle:
    """Return a thing by media type."""
    return {"text/plain": repr(thing)}


@bundle.register
def _(graph: Graph) -> Bundle:  # type: ignore[type-arg] # a class to dispatch on
    return {"image/svg+xml": svg(graph, theme=settings.theme), "text/plain": text(graph)}


@bundle.register
def _(run: Run) -> Bundle:  # type: ignore[type-arg]
    try:
        info, record, graph, spent = _read(run)
    except Exception:
        log.debug("run %s cannot be read to be shown", run.id, exc_info=True)
        return {"text/plain": repr(run)}  # its runtime is closed, say: what is known of it is still told
    now = run.home.clock.now()
    driven = is_driven(info, now)
    status = "interrupted" if info.status == "running" and not driven else info.status
    head = f"run {info.id} of {info.graph}: {MARKS[status]} {status}"
    error = [f"error: {info.error}"] if info.error else []
    told: Bundle = {"text/plain": "\n".join([head, *_table(steps_of(record, driven=driven)), *error])}
    if graph is not None:
        progress = progress_of(graph, (entry for _, entry in record), left=None if driven else now)
        told["image/svg+xml"] = svg(graph, run=progress, spent=by_place(spent), theme=settings.theme)
    return told


@dataclass(frozen=True, slots=True)
class Timeline(Shown):
    """A run in time, as a picture and as lines: a lane for each node."""

    svg: str
    lines: tuple[str, ...]


async def timeline(run: Run[Any], *, theme: Theme | None = None) -> Timeline:
    """Draw what happened in a run until now, and when. A notebook shows it as a picture.

    What is at work ends with now if the run is driven here; elsewhere nobody is at work on it any more. Raises
    RunNotFound.
    """
    record = await counted(run.home.journal, run.id)
    waits = run.home.driver_of(run.id) is not None or await run.status() == "suspended"
    now = run.home.clock.now() if waits else None
    svg = draw_timeline(record, now=now, theme=theme or settings.theme)
    return Timeline(svg, tuple(timeline_lines(course_of(record, now), USUAL)))


@bundle.register
def _(shown: Timeline) -> Bundle:
    return {"image/svg+xml": shown.svg, "text/plain": "\n".join(shown.lines)}


@bundle.register
def _(steps: Steps) -> Bundle:
    shown, more = dict(list(steps.items())[:ROWS]), max(0, len(steps) - ROWS)
    tail = f"and {more} more" if more else ""
    return {
        "text/html": _html(columns(shown, most=MOST), tail),
        "text/plain": "\n".join([*_table(steps), *([tail] if tail else [])]),
    }


@bundle.register
def _(step: Step) -> Bundle:
    told = [f"{MARKS[step['status']]} {step['step']}  {step['status']}"]
    if step["seconds"] is not None:
        told[0] += f"  {lasted(step['seconds'])}"
    told.append(f"began {when(step['began'])}" + (f", attempt {step['attempts']}" if step["attempts"] > 1 else ""))
    if step["error"]:
        told.append(f"{step['error']['type']}: {step['error']['message']}")
    told += [f"refused: {message}" for message in step["refused"]]
    told += [f"{MARKS[part['status']]} {name}  {part['status']}" for name, part in step["substeps"].items()]
    if step["output"] is not None:
        told.append(to_json(step["output"], indent=2, inf_nan_mode="constants").decode())
    return {"text/plain": "\n".join(told)}


@bundle.register
def _(difference: Difference) -> Bundle:
    return {"text/html": _diff(difference), "text/plain": f"{difference.pointer or '/'}\n{difference.diff}"}


@bundle.register
def _(row: Row) -> Bundle:
    if row.difference is None:
        return {"text/plain": f"{row.step}  {row.verdict}  {_value(row.a)}  {_value(row.b)}"}
    return {key: f"{row.step} {words}" for key, words in bundle(row.difference).items()}


@bundle.register
def _(comparison: Comparison) -> Bundle:
    rows, more = comparison.rows[:ROWS], max(0, len(comparison.rows) - ROWS)
    table = [
        Column("STEP", [row.step for row in rows], 0),
        Column("", [row.verdict for row in rows], 0),
        Column("A", [_value(row.a) for row in rows], 1),
        Column("B", [_value(row.b) for row in rows], 1),
    ]
    tail = f"and {more} more" if more else ""
    first = comparison.first
    parting = "" if first is None or first.difference is None else _diff(first.difference)
    return {
        "text/html": _html(table, tail) + parting,
        "text/plain": "\n".join([*lines_of(table), *([tail] if tail else [])]),
    }


@bundle.register
def _(replayed: Replayed) -> Bundle:
    whole = "the record is complete" if replayed.complete else "the record ends before the run does"
    head = f"{replayed.agree} steps agree, {replayed.ran} were run, {len(replayed.changes)} differ; {whole}"
    table = [
        Column("STEP", [change.step or "(run)" for change in replayed.changes], 0),
        Column("KIND", [change.kind for change in replayed.changes], 0),
        Column("", [change.what for change in replayed.changes], 0),
    ]
    diffs = [_diff(change.difference) for change in replayed.changes[:ROWS] if change.difference is not None]
    return {
        "text/html": f"<p>{escape(head)}</p>" + (_html(table, "") if replayed.changes else "") + "".join(diffs),
        "text/plain": "\n".join([head, *lines_of(table)]),
    }


@bundle.register
def _(answer: Answer) -> Bundle:
    usage = answer.usage
    counts = [f"{name} {count:,}" for name in ("input", "output") if (count := getattr(usage, name)) is not None]
    foot = ", ".join([answer.model or "a model", answer.finish, *([f"tokens: {', '.join(counts)}"] if counts else [])])
    calls = [f"{call.name}({short(call.arguments, MOST)})" for call in answer.tool_calls]
    notes = [f"warning: {warning}" for warning in answer.warnings]
    return {"text/plain": "\n".join([*([answer.text] if answer.text else []), *calls, *notes, f"[{foot}]"])}


_Read = tuple[RunInfo, list[Counted], Graph[..., Any] | None, Spent]


def _read(run: Run[Any]) -> _Read:
    """Read a run where nothing can be awaited: a notebook wants what it shows at once. Where the code of its graph is
    not, the graph is the one that was recorded with it, if it can be read."""
    found: list[_Read] = []
    failed: list[BaseException] = []

    async def read() -> _Read:
        info, graph = await run.info(), run.graph
        if graph is None:
            with suppress(ValueError):  # it was recorded by a newer graphrt
                graph = await graph_recorded(run.home.journal, info.fingerprint)
        own = await entries_of(run.home.journal, run.id)
        return info, await counted(run.home.journal, run.id, own), graph, spending_of(run.id, own)

    def work() -> None:
        try:
            found.append(anyio.run(read))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="graphrt reads a run")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def _table(steps: Steps) -> list[str]:
    shown = dict(list(steps.items())[:ROWS])
    return lines_of(columns(shown, most=MOST))


def _value(text: bytes | None) -> str:
    return "" if text is None else short(text, MOST)


def _html(table: Sequence[Column], tail: str) -> str:
    """Write a table. Where styles are taken out, nothing but where its words stand is lost."""
    shown = [column for column in table if any(column.cells)]
    sides = ["right" if column.right else "left" for column in shown]
    heads = [column.head.strip().capitalize() for column in shown]
    rows = [[column.cells[number] for column in shown] for number in range(len(shown[0].cells) if shown else 0)]

    def line(tag: str, cells: Sequence[str]) -> str:
        style = "text-align:{};padding:2px 8px"
        told = zip(sides, cells, strict=True)
        inner = "".join(f'<{tag} style="{style.format(side)}">{escape(cell.strip())}</{tag}>' for side, cell in told)
        return f"<tr>{inner}</tr>"

    foot = f"<p>{escape(tail)}</p>" if tail else ""
    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', heads)}</thead><tbody>{body}</tbody></table>{foot}"


_COLOURS = {"+": LOOKS["light"].statuses["finished"], "-": LOOKS["light"].statuses["failed"]}


def _diff(difference: Difference) -> str:
    """Write a unified diff, coloured where colours are left: its signs say the same."""
    lines = []
    for line in difference.diff.splitlines():
        colour = None if line.startswith(("+++", "---")) else _COLOURS.get(line[:1])
        lines.append(escape(line) if colour is None else f'<span style="color:{colour}">{escape(line)}</span>')
    where = f"<code>{escape(difference.pointer)}</code>" if difference.pointer else ""
    return f"{where}<pre>{chr(10).join(lines)}</pre>"
