"""What became of each node of a graph in a run: its steps folded together, whatever item or visit they belong to.

Data and a fold, for every picture of a run: the one that is redrawn in a terminal, and the one on the graph.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from graphrt.dag import Dag
from graphrt.facts import (
    AttemptFailed,
    Entry,
    Fact,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
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
from graphrt.graph import Arg, Graph, Ref, project
from graphrt.machine import Machine
from graphrt.node import Node
from graphrt.types import Json, StepKey

TELLING = ("failed", "unknown", "running", "retrying", "waiting", "interrupted", "cancelled", "finished")
"""What a node is said to be where its steps differ, the most telling first."""
_OF_FAILURES = {AttemptFailed: "retrying", StepFailed: "failed", StepUnknown: "unknown"}
_ORDINAL = re.compile(r"\[\d+\]|#\d+")


def place_of(step: str) -> str:
    """Return where in the graph a step is: its key without ordinals and items."""
    return _ORDINAL.sub("", step)


def places_of(graph: Graph[..., Any]) -> list[str]:
    """Return every place of a graph that can have steps, in the order in which it was written; of a graph inside
    itself, the first."""
    return list(dict.fromkeys(name for name, node in _nodes(graph, "", ()) if not isinstance(node, Graph)))


def _nodes(graph: Graph[..., Any], prefix: str, above: tuple[int, ...]) -> Iterator[tuple[str, Node[..., Any]]]:
    """Yield every node at any depth with its place, a graph before what is inside it."""
    above = (*above, id(graph.origin))
    for name, node in _inner(graph):
        if isinstance(node, Graph) and id(node.origin) in above:
            continue
        yield prefix + name, node
        if isinstance(node, Graph):
            yield from _nodes(node, f"{prefix}{name}/", above)


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
    last: Fact | None = None
    """What was last heard from it: what a step came to, or waits for; what went wrong, until it is mended."""

    @property
    def begun(self) -> int:
        """How many steps there are."""
        return sum(self.counts.values())

    @property
    def status(self) -> str:
        """The most telling status of its steps; empty if none has begun."""
        return telling(self.counts)


def telling(counts: Counter[str]) -> str:
    """Return the most telling status that something is in; empty if nothing is."""
    return next((status for status in TELLING if counts[status]), "")


class Progress:
    """Folds the facts of a run into what became of each node of its graph."""

    def __init__(self, graph: Graph[..., Any] | None) -> None:
        self.places = {place: Place() for place in ([] if graph is None else places_of(graph))}
        self.expected: dict[str, int] = {}
        """How many items a fan-out has in all, where that is known before they have begun."""
        self.status = "running"
        self.began: float | None = None
        self.ended: float | None = None
        self._steps: dict[StepKey, _Step] = {}
        self._running: set[StepKey] = set()
        self._feeds = _Feeds(graph)

    def take(self, entry: Entry) -> None:
        """Take one entry."""
        self.began = entry.at if self.began is None else self.began
        if isinstance(entry.fact, StepFact):
            self._take_of_step(entry.fact, entry.at)
            return
        match entry.fact:
            case RunStarted(input=given):
                self._expect(self._feeds.of_input, given)
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
                self._turn(key, "waiting", at, fact).asks = True
            case StepFinished(value=value):
                if key in self._steps:
                    self._place(key).spent += at - self._steps[key].began
                self._turn(key, "finished", at, fact)
                self._expect(self._feeds.of_place[place_of(key)], value)
            case AttemptFailed() | StepFailed() | StepUnknown():
                self._turn(key, _OF_FAILURES[type(fact)], at, fact)
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

    def _turn(self, key: StepKey, status: str, at: float, fact: Fact | None = None) -> _Step:
        place = self._place(key)
        step = self._steps.setdefault(key, _Step("", at))
        if step.status:
            place.counts[step.status] -= 1
        if step.status not in {"retrying", "running"} or status == "running":
            step.began = at
        step.status = status
        (self._running.add if status == "running" else self._running.discard)(key)
        place.counts[status] += 1
        wrong = any(place.counts[each] for each in _OF_FAILURES.values())
        if fact is not None and not (wrong and status == "finished"):
            place.last = fact
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

    def _expect(self, feeds: list[tuple[str, tuple[str, ...]]], value: Json) -> None:
        for place, path in feeds:
            self.expected[place] = self.expected.get(place, 0) + len(from_json(project(value, path)))

    def _end(self, status: str, at: float) -> None:
        self.status, self.ended = status, at


def progress_of(graph: Graph[..., Any] | None, record: Iterable[Entry], *, left: float | None = None) -> Progress:
    """Fold a record into where its run stands. `left` is an instant at which nobody drives it any more."""
    progress = Progress(graph)
    for entry in record:
        progress.take(entry)
    if left is not None:
        progress.leave(left)
    return progress


class _Feeds:
    """Which fan-outs take their items from where: the run's input, or the output of a step, and which part of it."""

    def __init__(self, graph: Graph[..., Any] | None) -> None:
        self.of_input: list[tuple[str, tuple[str, ...]]] = []
        self.of_place: dict[str, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
        inner = [] if graph is None else [("", graph), *_nodes(graph, "", ())]
        for place, dag in inner:
            if isinstance(dag, Dag):
                self._find(dag, f"{place}/" if place else "")

    def _find(self, dag: Dag[..., Any], prefix: str) -> None:
        for vertex in dag.vertices:
            match vertex.uses.get(vertex.items_for):
                case Ref(vertex=index, path=path) if vertex.kind == "each":
                    source = dag.vertices[index]
                    if source.node is not None and not isinstance(source.node, Graph) and source.kind != "each":
                        self.of_place[prefix + source.name].append((prefix + vertex.name, path))
                case Arg(name=name, path=path) if vertex.kind == "each" and not prefix:
                    self.of_input.append((vertex.name, (name, *path)))
                case _:
                    pass
