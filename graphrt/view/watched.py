"""What became of each node of a graph in a run, as lines, and drawn in place on a terminal while it happens.

The picture is as high as the graph has nodes and stays so, and its last state remains. What nodes and others write
meanwhile goes above it. Only lines are drawn over, never the whole screen: a process that is killed leaves a terminal
as it should be.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TextIO

from graphrt.clock import lasted
from graphrt.draw.overlay import WHOLE, Spending
from graphrt.draw.progress import TELLING, Place, Progress
from graphrt.facts import AttemptFailed, Entry, Fact, StepFailed, StepFinished, StepUnknown, StepWaiting
from graphrt.run import Run
from graphrt.view.table import Column, cut, flowed, lines_of
from graphrt.view.terminal import Canvas, above, faint, paint, size_of
from graphrt.view.words import MARKS, asked_by, short


class Watched:
    """A view of a run on a stream that is a terminal."""

    def __init__(self, run: Run[Any], stream: TextIO) -> None:
        self._name = "?" if run.graph is None else run.graph.name
        self._stream = stream
        self._canvas = Canvas(stream)
        self._height = min(len(Progress(run.graph).places) + 2, max(3, self._size().lines - 1))

    def opened(self) -> AbstractContextManager[object]:
        """See View.opened."""
        return above(self._canvas)

    def take(self, entry: Entry, *, news: bool) -> None:
        """See View.take."""

    def draw(self, progress: Progress, spent: Mapping[str, Spending], now: float, *, last: bool) -> None:
        """See View.draw."""
        width = max(1, self._size().columns - 1)  # a full line may move a terminal to the next
        self._canvas.draw(picture(progress, spent, self._name, now=now, width=width, height=self._height))

    def _size(self) -> os.terminal_size:
        return size_of(self._stream) or os.terminal_size((80, 24))


def picture(
    watched: Progress, spent: Mapping[str, Spending], name: str, *, now: float, width: int, height: int
) -> list[str]:
    """Draw what became of each node, and what it spent on models, as exactly `height` lines, none wider than `width`.

    Where there are more nodes than lines, those that have least to tell are only counted.
    """
    totals = sum((place.counts for place in watched.places.values()), Counter[str]())
    end = now if watched.ended is None else watched.ended
    counts = [f"{totals[status]} {status}" for status in reversed(TELLING) if totals[status]]
    status = _painted(cut(f"{MARKS[watched.status]} {watched.status}", width))
    took = lasted(max(0.0, end - (watched.began or end)))
    whole = spent[WHOLE].short if WHOLE in spent else ""
    lines = flowed([status, name, took, *filter(None, [", ".join(counts), whole])], width)[:1]
    room = height - 2
    shown = _most_telling(watched.places, room)
    since = watched.since()
    rows = [Row(place, watched.places[place], since.get(place), _spent(spent, place)) for place in shown]
    table = lines_of(_columns(rows, now), width)
    lines += [faint(table[0]), *table[1:]] if table else []
    if hidden := len(watched.places) - len(shown):
        lines.append(cut(f"… and {hidden} more", width))
    return [*lines, *[""] * (height - len(lines))][:height]


def _painted(cell: str) -> str:
    return paint(cell[:1]) + cell[1:]


def _most_telling(places: dict[str, Place], room: int) -> list[str]:
    if len(places) <= room:
        return list(places)
    weight = {status: rank for rank, status in enumerate((*TELLING[:-1], "", TELLING[-1]))}
    chosen = sorted(places, key=lambda name: weight[places[name].status])[: max(0, room - 1)]
    return [name for name in places if name in set(chosen)]


class Row(NamedTuple):
    """A node, as a line."""

    name: str
    place: Place
    since: float | None
    spent: str


def _columns(rows: Sequence[Row], now: float) -> list[Column]:
    marks = {"": "·", **MARKS}
    return [
        Column(
            "  NODE",
            [f"{marks[row.place.status]} {row.name}" for row in rows],
            0,
            least=1,
            paint=_painted,
        ),
        Column("STATUS", [row.place.status or "not begun" for row in rows], 1),
        Column("STEPS", [_count(row.place) for row in rows], 3, right=True),
        Column("TIME", [_time(row.place, row.since, now) for row in rows], 4, right=True),
        Column("TRIES", [f"+{row.place.tries}" if row.place.tries else "" for row in rows], 5, right=True),
        Column("SPENT", [row.spent for row in rows], 5, [row.spent.partition(" · ")[0] for row in rows], right=True),
        Column("LAST", [_words(row.place.last) for row in rows], 2, least=16),
    ]


def _spent(spent: Mapping[str, Spending], place: str) -> str:
    return spent[place].short if place in spent else ""


def _words(fact: Fact | None) -> str:
    """Say what was last heard from a node."""
    match fact:
        case StepWaiting():
            return asked_by(fact)
        case StepFinished(value=value):
            return short(value, 400)
        case AttemptFailed(failure=failure) | StepFailed(failure=failure) | StepUnknown(failure=failure):
            return f"{failure.type}: {short(failure.message, 400)}"
        case _:
            return ""


def _count(place: Place) -> str:
    begun = sum(place.counts.values())
    return "" if begun < 2 else f"{place.counts['finished']}/{begun}"  # noqa: PLR2004 - one needs no counting


def _time(place: Place, since: float | None, now: float) -> str:
    if since is not None:
        return lasted(max(0.0, now - since))
    return lasted(place.spent) if place.counts["finished"] else ""
