"""Runs and steps as the columns of tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic_core import from_json

from graphrt.cli.screen import command
from graphrt.clock import lasted
from graphrt.decide import Pending
from graphrt.errors import who
from graphrt.journal import RunInfo
from graphrt.lease import is_driven
from graphrt.run import need
from graphrt.steps import Steps
from graphrt.types import ENDED
from graphrt.view.steps import columns, lines
from graphrt.view.table import Column, lines_of
from graphrt.view.terminal import faint, most_of, paint, width_of
from graphrt.view.words import MARKS, short, when, when_shortly

if TYPE_CHECKING:
    from graphrt.backends.accounting import Spent, Total


def run_columns(
    runs: Sequence[RunInfo],
    waits: Mapping[str, Sequence[Pending]],
    spent: Mapping[str, Total | None],
    store: str | None,
) -> list[Column]:
    """Return runs as columns: what they are, where they stand, what they took."""
    now = time.time()
    marks = [MARKS[info.status] for info in runs]
    return [
        Column("RUN", [info.id for info in runs], 0, least=1),
        Column(
            "STATUS",
            [f"{mark} {info.status}" for mark, info in zip(marks, runs, strict=True)],
            0,
            shorter=marks,
            paint=paint_mark,
        ),
        Column("GRAPH", [info.graph for info in runs], 1, least=8),
        Column(
            "BEGAN",
            [when(info.created) for info in runs],
            3,
            shorter=[when_shortly(info.created, now) for info in runs],
        ),
        Column(
            "TOOK",
            [f"{lasted(info.updated - info.created):>7}" if info.status in ENDED else "" for info in runs],
            5,
            right=True,
        ),
        *_spent_columns([spent.get(info.id) for info in runs]),
        Column("", ["  ".join(_standing(info, waits[info.id], store)) for info in runs], 2, least=16),
    ]


def _standing(info: RunInfo, waits: Sequence[Pending], store: str | None) -> list[str]:
    """Say what a run waits for, who drives it, and what its error was."""
    most = most_of(sys.stdout)
    said = [short(info.error, most)] if info.error else []
    if waits:
        more = f" (and {len(waits) - 1} more)" if len(waits) > 1 else ""
        said.append(short(need(waits[0]), most) + more)
    if info.wake is not None:
        said.append(f"until {when(info.wake)}")
    if info.status == "running":
        said.append(driver(info, store))
    return said


def driven(info: RunInfo) -> bool:
    """Whether somebody drives a run now."""
    return is_driven(info, time.time())


def driver(info: RunInfo, store: str | None) -> str:
    """Say who drives a run that is under way, or how it goes on where nobody does."""
    if not driven(info):
        return f"nobody drives it: {command(f'graphrt resume {info.id}', store)}"
    return f"driven by {who(info.driver or '')}, lease until {when(info.lease or 0)}"


def step_columns(steps: Steps, spent: Spent) -> list[Column]:
    """Return the steps of a run as columns, the parts of each beneath it."""
    totals = spent.by("step")
    more = _spent_columns([totals.get(key) if key in steps else None for key, _ in lines(steps)])
    return columns(steps, more, most=most_of(sys.stdout), paint=paint_mark)


def _spent_columns(totals: Sequence[Total | None]) -> list[Column]:
    """Return what was spent as columns; none where nobody knows anything of it."""
    if not any(totals):
        return []
    from graphrt.view.spending import cost_cell, tokens_cells

    tokens = [tokens_cells(total) for total in totals]
    costs = [cost_cell(total) for total in totals]
    columns = [
        Column("TOKENS", [full for full, _ in tokens], 6, shorter=[short for _, short in tokens], right=True),
        Column("COST", costs, 4, right=True),
    ]
    return [column for column in columns if set(column.cells) - {"", "?"}]


_ASKED = 400
"""Letters of a question that are told."""


def asked_columns(asked: Sequence[tuple[RunInfo, Pending]]) -> list[Column]:
    """Return what people are asked as columns: where, whom, since when, and what."""
    now = time.time()
    since = [wait.since or info.updated for info, wait in asked]
    noted = [{} if wait.note is None else from_json(wait.note) for _, wait in asked]
    marks = [MARKS["waiting" if wait.what == "person" else "unknown"] for _, wait in asked]
    return [
        Column(
            "  RUN", [f"{mark} {info.id}" for mark, (info, _) in zip(marks, asked, strict=True)], 0, paint=paint_mark
        ),
        Column("STEP", [wait.step for _, wait in asked], 0, least=1, keep_end=True),
        Column("TO", [each.get("to") or "" for each in noted], 2),
        Column("SINCE", [when(at) for at in since], 3, shorter=[when_shortly(at, now) for at in since]),
        Column("QUESTION", [_question(wait) for _, wait in asked], 1, least=16),
    ]


def _question(wait: Pending) -> str:
    return short(wait.name if wait.what == "person" else f"was it done? {wait.name}", _ASKED)


def paint_mark(cell: str) -> str:
    """Colour the mark that words on stdout begin with."""
    return paint(cell[:1], sys.stdout) + cell[1:]


def write_table(columns: Sequence[Column]) -> None:
    """Write a table on stdout, as wide as the terminal at most."""
    lines = lines_of(columns, width_of(sys.stdout))
    if lines:
        sys.stdout.write("\n".join([faint(lines[0], sys.stdout), *lines[1:]]) + "\n")
