"""What became of each node of a graph in a run, and that as a picture of so many lines. Pure: facts in, lines out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphrt.cli.screen import MARKS, asked, faint, lasted, paint, short
from graphrt.cli.table import Column, cut, flowed, lines_of
from graphrt.dag import Dag
from graphrt.facts import (
    AttemptFailed,
    Entry,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    RunSuspended,
    StepCancelled,
    StepFact,
    StepFailed,
    StepFinished,
    StepStarted,
    StepUnknown,
    StepWaiting,
    SubstepFailed,
    SubstepFinished,
    SubstepStarted,
)
from graphrt.graph import Graph
from graphrt.machine import Machine
from graphrt.node import Node
from graphrt.types import StepKey

_ORDINAL = re.compile(r"\[\d+\]|#\d+")
_WEIGHT = ("failed", "unknown", "running", "retrying", "waiting", "interrupted", "cancelled", "finished")
"""What a node is said to be where its steps differ, the most telling first."""

_OF_FAILURES = {AttemptFailed: "retrying", StepFailed: "failed", StepUnknown: "unknown"}


def place_of(step: str) -> str:
    """Return where in the graph a step is: its key without ordinals and items."""
    return _ORDINAL.sub("", step)


def places_of(graph: Graph[..., Any]) -> list[str]:
    """Return every place of a graph that can have steps, in the order in which it was written; of a graph inside
    itself, the first."""
    return list(dict.fromkeys(_places(graph, "", ())))


def _places(graph: Graph[..., Any], prefix: str, above: tuple[int, ...]) -> Iterator[str]:
    above = (*above, id(graph.origin))
    for name, node in _inner(graph):
        if not isinstance(node, Graph):
            yield prefix + name
        elif id(node.origin) not in above:
            yield from _places(node, f"{prefix}{name}/", above)


def _inner(graph: Graph[..., Any]) -> Iterator[tuple[str, Node[..., Any]]]:
    if isinstance(graph, Dag):
        yield from ((vertex.name, vertex.node) for vertex in graph.vertices if vertex.node is not None)
    elif isinstance(graph, Machine):
        yield from ((handler.node.name, handler.node) for handler in graph.handlers.values())


@dataclass(slots=True)
class _Step:
    status: str
    began: float
    asks: bool = False
    """Whether it ever waited for the world."""
    intents: set[str] = field(default_factory=set)
    """Effects of the attempt that must not be repeated and have no outcome: its own is the empty name."""


@dataclass(slots=True)
class Place:
    """What became of the steps of one node."""

    counts: Counter[str] = field(default_factory=Counter)
    """How many steps there are in each status."""
    tries: int = 0
    """Attempts beyond the first of each step."""
    spent: float = 0.0
    """Seconds that its finished steps took in all."""
    words: str = ""
    """What was last heard from it."""

    @property
    def status(self) -> str:
        """The most telling status of its steps; empty if none has begun."""
        return next((status for status in _WEIGHT if self.counts[status]), "")


class Watched:
    """Folds the facts of a run into what became of each node."""

    def __init__(self, places: Sequence[str]) -> None:
        self.places = {place: Place() for place in places}
        self.status = "running"
        self.began: float | None = None
        self.ended: float | None = None
        self._steps: dict[StepKey, _Step] = {}
        self._running: set[StepKey] = set()

    def take(self, entry: Entry) -> None:
        """Take one entry."""
        self.began = entry.at if self.began is None else self.began
        if isinstance(entry.fact, StepFact):
            self._take_of_step(entry.fact, entry.at)
            return
        match entry.fact:
            case RunResumed():
                self.status, self.ended = "running", None
                self._let_go()
                self._turn_all("cancelled", "waiting", entry.at)  # a cancelled run was taken up again
            case RunFinished() | RunCancelled() as fact:
                self._end("finished" if isinstance(fact, RunFinished) else "cancelled", entry.at)
                self._turn_all("waiting", "cancelled", entry.at)  # nobody needs its output any more
            case RunSuspended():
                self._end("suspended", entry.at)
            case RunFailed():
                self._end("failed", entry.at)
            case _:
                pass

    def _take_of_step(self, fact: StepFact, at: float) -> None:
        key = fact.step
        match fact:
            case StepStarted(attempt=attempt, intent=intent):
                self._turn(key, "running", at).intents = set() if intent is None else {""}
                self._place(key).tries += attempt > 1
            case SubstepStarted(name=name):
                self._steps[key].intents.add(name)
            case SubstepFinished(name=name) | SubstepFailed(name=name):
                self._steps[key].intents.discard(name)
            case StepWaiting():
                self._turn(key, "waiting", at, asked(fact)).asks = True
            case StepFinished(value=value):
                if key in self._steps:
                    self._place(key).spent += at - self._steps[key].began
                self._turn(key, "finished", at, short(value, 400))
            case AttemptFailed(failure=failure) | StepFailed(failure=failure) | StepUnknown(failure=failure):
                words = f"{failure.type}: {short(failure.message, 400)}"
                self._turn(key, _OF_FAILURES[type(fact)], at, words)
            case StepCancelled():
                self._turn(key, "cancelled", at)
            case _:
                pass

    def leave(self, at: float) -> None:
        """Say that nobody drives the run here any more; what was in flight is done again when it is resumed."""
        if self.status == "running":
            self._end("interrupted", at)
            self._let_go()

    def since(self) -> dict[str, float]:
        """Return when the longest step at work in each place began."""
        found: dict[str, float] = {}
        for key in self._running:
            place, began = place_of(key), self._steps[key].began
            found[place] = min(began, found.get(place, began))
        return found

    def _place(self, step: StepKey) -> Place:
        return self.places.setdefault(place_of(step), Place())

    def _turn(self, key: StepKey, status: str, at: float, words: str | None = None) -> _Step:
        place = self._place(key)
        step = self._steps.setdefault(key, _Step("", at))
        if step.status:
            place.counts[step.status] -= 1
        if step.status not in {"retrying", "running"} or status == "running":
            step.began = at
        step.status = status
        (self._running.add if status == "running" else self._running.discard)(key)
        place.counts[status] += 1
        if words is not None:
            place.words = words
        return step

    def _turn_all(self, status: str, becomes: str, at: float) -> None:
        for key, step in self._steps.items():
            if step.status == status and step.asks:
                self._turn(key, becomes, at)

    def _let_go(self) -> None:
        """What was in flight is done again, or is unknown if it must not be."""
        for key in list(self._running):
            step = self._steps[key]
            self._turn(key, "unknown" if step.intents else "interrupted", step.began)

    def _end(self, status: str, at: float) -> None:
        self.status, self.ended = status, at


def picture(watched: Watched, name: str, *, now: float, width: int, height: int) -> list[str]:
    """Draw what became of each node as exactly `height` lines, none wider than `width`.

    Where there are more nodes than lines, those that have least to tell are only counted.
    """
    totals = sum((place.counts for place in watched.places.values()), Counter[str]())
    end = now if watched.ended is None else watched.ended
    counts = [f"{totals[status]} {status}" for status in reversed(_WEIGHT) if totals[status]]
    status = _painted(cut(f"{MARKS[watched.status]} {watched.status}", width))
    took = lasted(max(0.0, end - (watched.began or end)))
    lines = flowed([status, name, took, *([", ".join(counts)] if counts else [])], width)[:1]
    room = height - 2
    shown = _most_telling(watched.places, room)
    since = watched.since()
    table = lines_of(_columns([(place, watched.places[place], since.get(place)) for place in shown], now), width)
    lines += [faint(table[0]), *table[1:]] if table else []
    if hidden := len(watched.places) - len(shown):
        lines.append(cut(f"… and {hidden} more", width))
    return [*lines, *[""] * (height - len(lines))][:height]


def _painted(cell: str) -> str:
    return paint(cell[:1]) + cell[1:]


def _most_telling(places: dict[str, Place], room: int) -> list[str]:
    if len(places) <= room:
        return list(places)
    weight = {status: rank for rank, status in enumerate((*_WEIGHT[:-1], "", _WEIGHT[-1]))}
    chosen = sorted(places, key=lambda name: weight[places[name].status])[: max(0, room - 1)]
    return [name for name in places if name in set(chosen)]


def _columns(rows: Sequence[tuple[str, Place, float | None]], now: float) -> list[Column]:
    marks = {"": "·", **MARKS}
    return [
        Column(
            "  NODE",
            [f"{marks[place.status]} {name}" for name, place, _ in rows],
            0,
            least=1,
            paint=_painted,
        ),
        Column("STATUS", [place.status or "not begun" for _, place, _ in rows], 1),
        Column("STEPS", [_count(place) for _, place, _ in rows], 3, right=True),
        Column("TIME", [_time(place, since, now) for _, place, since in rows], 4, right=True),
        Column("TRIES", [f"+{place.tries}" if place.tries else "" for _, place, _ in rows], 5, right=True),
        Column("LAST", [place.words for _, place, _ in rows], 2, least=16),
    ]


def _count(place: Place) -> str:
    begun = sum(place.counts.values())
    return "" if begun < 2 else f"{place.counts['finished']}/{begun}"  # noqa: PLR2004 - one needs no counting


def _time(place: Place, since: float | None, now: float) -> str:
    if since is not None:
        return lasted(max(0.0, now - since))
    return lasted(place.spent) if place.counts["finished"] else ""
