"""What of a recorded run still holds: for a step done anew, another input, a changed graph, or all at once (D9, D11).

Pure. The record is walked once and folded twice, side by side: over the graph it was recorded with, where everything
counts, and over today's, where only what still holds does. A step's facts are kept if the step is open over there at
the same key, its node is the same, and its inputs are byte for byte those it had. So what is kept never depends on what
is not, whatever the shape of the graph, and nothing is guessed.

What had failed for good is never kept: as after any resumption, it gets another chance. What was in flight is kept for
the run itself, so that an effect whose outcome is unknown stays unknown; a fork begins such a step afresh, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from graphrt.assignable import members
from graphrt.errors import PortError, UsageError
from graphrt.facts import (
    AttemptFailed,
    Fact,
    MessageRefused,
    RunForked,
    RunRewound,
    RunStarted,
    Span,
    StepCancelled,
    StepFact,
    StepFailed,
    StepFinished,
    StepStarted,
    StepWaiting,
    SubstepFailed,
    SubstepFinished,
    SubstepStarted,
)
from graphrt.graph import Graph, refs, split_object
from graphrt.history import Counted, newest, spans_of
from graphrt.node import Leaf
from graphrt.ports import type_tag, upcast
from graphrt.state import apply, find
from graphrt.tree import DagScope, EachScope, State, Step, Value, each_vertex, input_values, item_inputs, value_of
from graphrt.types import Json, StepKey


@dataclass(frozen=True, slots=True)
class Rewind:
    """What a run goes on from, and what that costs: "re-executes N, reuses M" (D10)."""

    state: State
    """The kept part of the record, folded over today's graph; for the run itself, its RunRewound is folded in."""
    spans: tuple[Span, ...]
    copied: tuple[StepFact, ...]
    """Facts that are kept under another key, and those after them: they are recorded anew, after the spans."""
    reused: int
    """Finished steps that are kept."""
    again: tuple[StepKey, ...]
    """Steps that had begun and are not kept, in the order they began. What else comes after them is not known yet."""
    lost: tuple[StepKey, ...]
    """Those among them that had finished, or waited for the world."""
    effects: tuple[StepKey, ...]
    """Those among them that did something to the world that must not be repeated, or may have."""
    unfit: Mapping[StepKey, str]
    """Steps, or what steps are inside of, that were let go because their values do not fit the graph as it is, and
    why."""


def rewind(
    record: Sequence[Counted],
    old: Graph[..., Any],
    new: Graph[..., Any],
    *,
    at: Collection[str] = (),
    given: Json | None = None,
    fork: bool = False,
    renamed: Mapping[str, str] | None = None,
) -> Rewind:
    """Say what of a record still holds over the graph `new`. Costs O(record).

    `old`: the graph the record was made with. `at`: keys of steps, or of what steps are inside of, to be done anew.
    `given`: the run's input if it is another one, a JSON object. `fork`: another run goes on, so attempts in flight are
    not its own. `renamed`: places in the old graph, such as `editor/review`, and the names they have in the new one.
    Raises UsageError if the new graph has inputs that the run was not given.
    """
    unfit: dict[StepKey, str] = {}
    while True:
        walk = _Walk(record, old, new, frozenset(at), given, renamed or {}, unfit)
        misfit = walk.go() or _unassembled(walk.now)
        if misfit is None or misfit[0] in unfit:
            return _settle(walk, fork=fork)
        unfit[misfit[0]] = misfit[1]


@dataclass(slots=True)
class _Track:
    """What the record says of one step."""

    key: StepKey
    """In the graph as it is."""
    keeping: bool = False
    """Whether its attempt under way holds."""
    places: list[int] = field(default_factory=list)
    """Where in the record what holds of it is."""
    attempt: int = 0
    finished: bool = False
    wasted: bool = False
    """Whether it finished when nobody needed it any more."""
    kept: bool = False
    """Whether it is finished by what holds."""
    waiting: bool = False
    failed: set[int] = field(default_factory=set)
    """Attempts that failed for good."""
    risky: bool = False
    """Whether its effect was dispatched, and not surely without success."""
    substeps: dict[str, Literal["ended", "begun", "lost"]] = field(default_factory=dict)
    """Effects inside it, and what of them holds."""


class _Walk:
    """One pass over a record."""

    def __init__(  # noqa: PLR0917 - what a rewind is made of
        self,
        record: Sequence[Counted],
        old: Graph[..., Any],
        new: Graph[..., Any],
        at: frozenset[str],
        given: Json | None,
        renamed: Mapping[str, str],
        unfit: Mapping[StepKey, str],
    ) -> None:
        self.record = record
        self.at = at
        self.renamed = renamed
        self.unfit = unfit
        self.first = _first(record, new, given)
        self.then, self.now = State(old), State(new)
        self.tracks: dict[StepKey, _Track] = {}
        self.alike: dict[tuple[int, int], bool] = {}
        self.one = old is new and given is None and not renamed
        """Whether the two folds are the same so far: nothing has to be compared."""
        self.looked = False
        """Whether today's fold was asked for a step that does not hold: an item of an `each` may be open for it."""

    def go(self) -> tuple[StepKey, str] | None:
        """Walk to the end, or to a step whose value the graph as it is cannot take: that one must be let go first."""
        apply(self.then, self.record[0].entry.fact, self.record[0].entry.at)
        apply(self.now, self.first, self.record[0].entry.at)
        for place in range(1, len(self.record)):
            _, (_, at, fact) = self.record[place]
            if not isinstance(fact, StepFact):
                apply(self.then, fact, at)
                continue
            track = self._track(fact)
            if track.keeping:
                why = self._take(place, track, newest(fact), at)
                if why is not None:
                    return fact.step, why
            self._note(track, fact)
            apply(self.then, fact, at)
        return None

    def _track(self, fact: StepFact) -> _Track:
        track = self.tracks.get(fact.step)
        if track is None:
            track = self.tracks[fact.step] = _Track(rename(fact.step, self.renamed))
        if isinstance(fact, (StepStarted, StepWaiting)):
            track.keeping = not self._let_go(fact.step) and (self.one or self._holds(fact.step, track.key))
            self.one &= track.keeping
        return track

    def _let_go(self, key: StepKey) -> bool:
        if not self.at and not self.unfit:
            return False
        return any(above in self.at or above in self.unfit for above in places_above(key))

    def _holds(self, then: StepKey, key: StepKey) -> bool:
        """Return whether a step that is about to begin would begin just so today."""
        holds = self._compare(then, key)
        self.looked |= not holds
        return holds

    def _compare(self, then: StepKey, key: StepKey) -> bool:
        before = find(self.then, then)
        step = None if before is None else find(self.now, key)
        if before is None or step is None or not self._same_node(before.node, step.node, renamed=key != then):
            return False
        had, has = input_values(before), input_values(step)
        return had.keys() == has.keys() and all(_equal(value, has[name]) for name, value in had.items())

    def _same_node(self, before: Leaf[..., Any], now: Leaf[..., Any], *, renamed: bool) -> bool:
        if before is now:
            return True
        pair = (id(before), id(now))
        if pair not in self.alike:
            self.alike[pair] = same_definition(before, now, renamed=renamed)
        return self.alike[pair]

    def _take(self, place: int, track: _Track, fact: Fact, at: float) -> str | None:
        """Fold a fact that holds; say why if its value does not fit."""
        if isinstance(fact, StepFailed):
            self.one = False
            return None
        step = find(self.now, track.key)
        if step is None and track.key not in self.now.strays:
            track.keeping = self.one = False
            return None
        if isinstance(fact, StepFinished) and step is not None:
            try:
                _check(step, fact)
            except PortError as error:
                return str(error)
        try:
            apply(self.now, _under(fact, track.key), at)
        except (KeyError, TypeError, IndexError) as error:
            return _LACKS.format(error)
        track.places.append(place)
        return None

    def _note(self, track: _Track, fact: StepFact) -> None:
        match fact:
            case StepStarted(attempt=attempt, intent=intent):
                track.attempt, track.waiting, track.risky = attempt, False, intent is not None
            case StepWaiting(attempt=attempt):
                track.attempt, track.waiting = attempt, track.keeping
            case StepFinished(step=key):
                step = self.then.steps.get(key)
                track.finished, track.kept, track.waiting = True, track.keeping, False
                track.wasted = step is None or step.parked
            case StepFailed() | AttemptFailed() | StepCancelled():
                # Of an effect that must not be repeated, this is only said if it surely did not happen.
                track.waiting = track.risky = False
                if isinstance(fact, StepFailed):
                    track.failed.add(fact.attempt)
            case SubstepStarted(name=name):
                track.substeps[name] = "begun" if track.keeping else "lost"
            case SubstepFinished(name=name):
                if name in track.substeps:
                    track.substeps[name] = "ended" if track.keeping else "lost"
            case SubstepFailed(name=name):
                track.substeps.pop(name, None)
            case _:
                pass


_REWOUND = RunRewound("", "", "")
"""What a rewind does to a state does not depend on what it says."""

_LACKS = "the graph asks it for {}, which it has not got"


def _unassembled(state: State) -> tuple[StepKey, str] | None:
    """Find what an open step is made of and cannot be: the graph takes a field out of it that the record has not
    got."""
    for step in state.steps.values():
        if isinstance(step.scope, DagScope):
            for expr in step.scope.graph.vertices[step.vertex].uses.values():
                try:
                    value_of(step.scope, expr)
                except (KeyError, TypeError, IndexError) as error:
                    for source in refs(expr):
                        name = step.scope.graph.vertices[source].name
                        return StepKey(step.scope.prefix + name), _LACKS.format(error)
    return None


def _settle(walk: _Walk, *, fork: bool) -> Rewind:
    """Put together what a walk found."""
    record, tracks = walk.record, walk.tracks
    kept: set[int] = set()
    for track in tracks.values():
        kept.update(_places(walk, track, fork=fork))
    order = sorted(kept)
    moved = next((n for n, place in enumerate(order) if _key(record[place]) != tracks[_key(record[place])].key), None)
    shared = order if moved is None else order[:moved]
    copied = () if moved is None else tuple(_moved(record[place], tracks) for place in order[moved:])
    whole = not walk.looked and not copied and len(kept) == sum(len(track.places) for track in tracks.values())
    state = walk.now if whole else _folded(walk, shared)
    if not fork:
        apply(state, _REWOUND)
    for fact in copied:
        apply(state, newest(fact))
    again = tuple(key for key, track in tracks.items() if _again(walk, key, track))
    lost = tuple(key for key in again if tracks[key].finished or key in walk.then.awaiting)
    effects = tuple(key for key in again if _doubles(tracks[key], fork=fork))
    return Rewind(state, spans_of(record, set(shared)), copied, state.finished, again, lost, effects, dict(walk.unfit))


def _folded(walk: _Walk, places: Sequence[int]) -> State:
    """Fold what is shared, and nothing else."""
    state = State(walk.now.graph)
    apply(state, walk.first, walk.record[0].entry.at)
    for place in places:
        _, (_, at, fact) = walk.record[place]
        apply(state, newest(fact), at)
    return state


def _places(walk: _Walk, track: _Track, *, fork: bool) -> Iterator[int]:
    """Yield where what is kept of a step is."""
    for place in track.places:
        match walk.record[place].entry.fact:
            case _ if track.kept:
                yield place
            case SubstepStarted(name=name) | SubstepFinished(name=name) | SubstepFailed(name=name):
                if not fork or track.substeps.get(name) != "begun":
                    yield place
            case StepStarted(attempt=attempt) | StepWaiting(attempt=attempt) | MessageRefused(attempt=attempt) if fork:
                if track.waiting and attempt == track.attempt:
                    yield place
            case fact:
                if not fork and getattr(fact, "attempt", 0) not in track.failed:
                    yield place


def _again(walk: _Walk, key: StepKey, track: _Track) -> bool:
    if track.kept or track.waiting:
        return False
    if track.finished:
        return not track.wasted
    step = walk.then.steps.get(key)
    return step is not None and not step.parked


def _doubles(track: _Track, *, fork: bool) -> bool:
    """Return whether doing a step again may do to the world what was done before."""
    held = track.keeping and not fork and not track.finished
    lost = {"lost", "begun"} if fork else {"lost"}
    return (track.risky and not held) or not lost.isdisjoint(track.substeps.values())


def _first(record: Sequence[Counted], graph: Graph[..., Any], given: Json | None) -> RunStarted | RunForked:
    fact = record[0].entry.fact
    assert isinstance(fact, (RunStarted, RunForked))  # noqa: S101 - what a journal begins with
    first = fact if given is None else replace(fact, input=given)
    inputs = split_object(first.input)
    if missing := [name for name in graph.signature.params if name not in inputs]:
        raise UsageError(
            f"run {record[0].run!r} was not given {', '.join(map(repr, missing))}, which graph {graph.name!r} takes "
            f"now; fork it with that input, or start a new run"
        )
    return first


def _key(counted: Counted) -> StepKey:
    fact = counted.entry.fact
    assert isinstance(fact, StepFact)  # noqa: S101 - only facts about steps are kept
    return fact.step


def _under(fact: Fact, key: StepKey) -> Fact:
    return fact if not isinstance(fact, StepFact) or fact.step == key else replace(fact, step=key)


def _moved(counted: Counted, tracks: Mapping[StepKey, _Track]) -> StepFact:
    fact = counted.entry.fact
    assert isinstance(fact, StepFact)  # noqa: S101 - as above
    return replace(fact, step=tracks[fact.step].key)


def _equal(had: Value, has: Value) -> bool:
    """Return whether an input is what it was: the same bytes, or what upcasters make of them."""
    return had.text == has.text or (bool(had.tag) and upcast(had.tag, had.text)[1] == has.text)


def same_definition(one: Leaf[..., Any], other: Leaf[..., Any], *, renamed: bool = False) -> bool:
    """Return whether two nodes have the same ports, and the same name unless one was `renamed`."""
    return one is other or _definition(one, renamed) == _definition(other, renamed)


def _definition(node: Leaf[..., Any], renamed: bool) -> list[Any]:
    kind, name, *ports = node.structure()
    return [kind, *ports] if renamed else [kind, name, *ports]


def _check(step: Step, finished: StepFinished) -> None:
    """Refuse a recorded output of a type that has changed, if it is not one of what the type is now."""
    port = step.node.signature.returns
    if finished.type and finished.type not in {port.tag, *map(type_tag, members(port.annotation))}:
        port.read(finished.value)


_PART = re.compile(r"[/\[#]")


def places_above(key: str) -> Iterator[str]:
    """Yield a step's key and what it is inside of, as keys: `a`, `a/each:b`, `a/each:b[2]`, `a/each:b[2]/c#1`."""
    for found in _PART.finditer(key):
        yield key[: found.start()]
        if found.group() == "[":
            yield key[: key.index("]", found.start()) + 1]
    yield key


def rename(key: StepKey, renamed: Mapping[str, str]) -> StepKey:
    """Return a step's key in a graph where some places have other names. `renamed` maps a place in the old graph,
    without ordinals, to a name: `{"plan": "outline", "editor/review": "check"}`."""
    if not renamed:
        return key
    path, parts = "", []
    for part in key.split("/"):
        name = re.split(r"[\[#]", part, maxsplit=1)[0]
        path = f"{path}/{name}" if path else name
        parts.append(renamed.get(path, name) + part[len(name) :])
    return StepKey("/".join(parts))


def misfits(state: State) -> list[str]:
    """Return a line for everything at the frontier that could not go on: a step that cannot read its inputs, a state
    that nobody handles. Nothing behind it is looked at (D11)."""
    lines = [] if state.blame is None else [f"{state.blame.step}: {state.blame.failure.message}"]
    for step in state.steps.values():
        lines.extend(_unreadable(step.node, lambda step=step: input_values(step), step.key))  # type: ignore[misc]
    for queue in state.queues.values():
        for each in queue.cursors.values():
            lines.extend(_items(each))
    return lines


def _items(each: EachScope) -> Iterator[str]:
    """The items that are not opened yet are at the frontier, too."""
    node = each_vertex(each).node
    if isinstance(node, Leaf):
        for index in range(each.next, len(each.items)):
            if index not in each.opened:
                yield from _unreadable(
                    node,
                    lambda index=index: item_inputs(each, index),  # type: ignore[misc]
                    f"{each.prefix}[{index}]",
                )


def _unreadable(node: Leaf[..., Any], inputs: Callable[[], Mapping[str, Value]], key: str) -> Iterator[str]:
    try:
        given = inputs()
        for name, param in node.signature.params.items():
            param.port.read(given[name].text)
    except PortError as error:
        yield f"{key}: {error}"
    except (KeyError, TypeError, IndexError) as error:
        yield f"{key}: node {node.name!r} takes {error}, which is not there"
