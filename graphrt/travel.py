"""Fork, retry, replay, compare, and take up a run whose graph has changed: what `Runtime` does about time, over a
journal and a graph (D8 - D11).

Each `plan_*` reads and decides, and changes nothing: whoever calls it shows "re-executes N, reuses M", then creates or
appends what the plan holds, in one commit.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import from_json

from graphrt.changes import differences
from graphrt.difference import Comparison, compare
from graphrt.errors import EffectsRepeated, GraphMismatch, UsageError
from graphrt.facts import (
    Fact,
    RunForked,
    RunRewound,
    RunStarted,
    StepFact,
    StepFinished,
    StepStarted,
)
from graphrt.graph import Graph, join_object, split_object
from graphrt.history import Counted, counted, graph_of, graph_recorded
from graphrt.journal import Journal
from graphrt.migration import Migration, migration_from
from graphrt.outcome import written
from graphrt.ports import type_name
from graphrt.replay import Differs, Replayed, replay
from graphrt.rewind import Rewind, misfits, places_above, rename, rewind
from graphrt.snapshot import dump
from graphrt.state import apply, find
from graphrt.tree import State
from graphrt.types import Json, RunId, StepKey

UNCHANGED: Any = object()
"""Stands for an output that is not overridden."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be recorded, in one commit, and what it means."""

    facts: tuple[Fact, ...]
    """For a fork, the first facts of a new run; else, what is appended after `seq`."""
    seq: int
    """Where the run's journal stands that was read: for a run in place, what is appended goes after it."""
    state: State
    """The state after these facts."""
    rewind: Rewind

    @property
    def snapshot(self) -> Json:
        """The state, written down: it goes into the same commit, or every resumption would fold the whole history."""
        return dump(self.state)


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A run as it was read."""

    run: RunId
    record: Sequence[Counted]
    first: RunStarted | RunForked
    old: Graph[..., Any]
    seq: int
    migration: Migration | None

    @property
    def renamed(self) -> Mapping[str, str]:
        return {} if self.migration is None else self.migration.renamed


async def plan_fork(
    journal: Journal,
    run: RunId,
    graph: Graph[..., Any],
    *,
    at: str = "",
    output: Any = UNCHANGED,
    inputs: Mapping[str, Any] | None = None,
    models: Mapping[str, str] | None = None,
    again: bool = False,
    now: float = 0.0,
) -> Plan:
    """Plan a new run that shares the history of `run` up to what differs (D9). The parent is only read.

    `at`: the step that is done anew, or is given `output`. `inputs`: those of the run that are others. `models`: roles
    bound otherwise; without `at`, every step that asked one of them is done anew. `again`: effects that must not be
    repeated may be. `now`: in seconds since the epoch. Raises UsageError; PortError; EffectsRepeated, which names these
    effects; GraphMismatch.
    """
    found = await _read(journal, run, graph)
    places = [at] if at else _asked(found.record, models or {})
    if at:
        _check_place(found, at, one=output is not UNCHANGED)
    given = _given(found, graph, inputs or {})
    kept = rewind(found.record, found.old, graph, at=places, given=given, fork=True, renamed=found.renamed)
    if output is not UNCHANGED:
        kept = _spared(kept, rename(StepKey(at), found.renamed))
    if kept.effects and not again:
        raise EffectsRepeated(run, kept.effects)
    first = found.first
    bindings = {**(first.models if isinstance(first, RunForked) else {}), **(models or {})}
    forked = RunForked(run, at, graph.name, graph.fingerprint, given, first.seed, kept.spans, bindings)
    state = kept.state
    state.models = bindings
    overriding = () if output is UNCHANGED else overridden(state, run, rename(StepKey(at), found.renamed), output)
    for fact in overriding:
        apply(state, fact, now)
    _check_frontier(found, graph, state)
    return Plan((forked, *kept.copied, *overriding), found.seq, state, kept)


async def plan_retry(journal: Journal, run: RunId, graph: Graph[..., Any], *, at: str, again: bool = False) -> Plan:
    """Plan to do a step of a run anew, and all that depends on it, in the run itself. Raises as `plan_fork`."""
    found = await _read(journal, run, graph)
    _check_place(found, at)
    kept = rewind(found.record, found.old, graph, at=[at], renamed=found.renamed)
    if kept.effects and not again:
        raise EffectsRepeated(run, kept.effects)
    return _in_place(found, graph, kept, at)


async def plan_resume(
    journal: Journal,
    run: RunId,
    graph: Graph[..., Any],
    *,
    accept: bool = False,
    again: bool = False,
) -> Plan:
    """Plan how a run whose graph has changed goes on (D11): only if all that had finished, or waits, still holds, and
    the frontier can read its inputs.

    `accept`: what no longer holds is done anew, but for effects that must not be repeated, unless `again`. Raises
    GraphMismatch, which says what changed; EffectsRepeated; UsageError for an input that the run was not given.
    """
    found = await _read(journal, run, graph)
    kept = rewind(found.record, found.old, graph, renamed=found.renamed)
    if kept.lost and not accept:
        raise _mismatch(found, graph, [*differences(found.old, graph), *_losses(kept)])
    if kept.effects and not again:
        raise EffectsRepeated(run, kept.effects)
    return _in_place(found, graph, kept, "")


async def replay_run(journal: Journal, run: RunId, graph: Graph[..., Any]) -> Replayed:
    """Run today's code against a recorded run (D10): see `graphrt.replay`."""
    found = await _read(journal, run, graph)
    return await replay(found.record, found.old, graph, models=_recorded_models)


async def compare_runs(journal: Journal, a: RunId, b: RunId) -> Comparison:
    """Compare two runs step by step: see `graphrt.difference`."""
    return compare(await counted(journal, a), await counted(journal, b))


def overridden(state: State, run: str, step: str, value: Any) -> tuple[StepStarted, StepFinished]:
    """Return the facts that give an open step an output without running it, noted as `{"overridden": true}`.

    Raises PortError if the value does not fit the step's node; UsageError if the step is not open.
    """
    key = StepKey(step)
    found = find(state, key)
    if found is None:
        raise UsageError(f"run {run!r}: {step!r} cannot be given an output: nothing needs it any more")
    text, tag = written(found.node, value)
    attempt = found.attempt + 1
    return StepStarted(key, attempt), StepFinished(key, attempt, text, tag, note=b'{"overridden":true}')


def _spared(kept: Rewind, step: str) -> Rewind:
    """A step that is given its output is not done again."""
    again = tuple(key for key in kept.again if key != step)
    return replace(kept, again=again, effects=tuple(key for key in kept.effects if key != step))


async def _read(journal: Journal, run: RunId, graph: Graph[..., Any]) -> _Recorded:
    """Read a run, and the graph it is of by now. Raises GraphMismatch if nobody knows that graph."""
    record = await counted(journal, run)
    info = await journal.info(run)
    first = record[0].entry.fact
    assert isinstance(first, (RunStarted, RunForked))  # noqa: S101 - what a journal begins with
    name, fingerprint = graph_of(record)
    if fingerprint == graph.fingerprint:
        return _Recorded(run, record, first, graph, info.seq, None)
    old = await graph_recorded(journal, fingerprint)
    if old is None:
        lines = ["the store does not say what that graph looked like"]
        raise GraphMismatch(run, name, fingerprint, graph.fingerprint, lines)
    return _Recorded(run, record, first, old, info.seq, migration_from(graph, fingerprint))


def _in_place(found: _Recorded, graph: Graph[..., Any], kept: Rewind, at: str) -> Plan:
    name = found.migration.name if found.migration is not None else ""
    rewound = RunRewound(at, graph.name, graph.fingerprint, kept.spans, name)
    _check_frontier(found, graph, kept.state)
    return Plan((rewound, *kept.copied), found.seq, kept.state, kept)


def _check_frontier(found: _Recorded, graph: Graph[..., Any], state: State) -> None:
    if lines := misfits(state):
        changed = [] if found.old is graph else differences(found.old, graph)
        raise _mismatch(found, graph, [*changed, *lines])


def _mismatch(found: _Recorded, graph: Graph[..., Any], lines: Sequence[str]) -> GraphMismatch:
    name, fingerprint = graph_of(found.record)
    return GraphMismatch(found.run, name, fingerprint, graph.fingerprint, lines)


def _losses(kept: Rewind) -> Iterator[str]:
    for key in kept.lost:
        why = next((f": {kept.unfit[StepKey(place)]}" for place in places_above(key) if place in kept.unfit), "")
        yield f"step {key!r} would be done again{why}"


def _check_place(found: _Recorded, at: str, *, one: bool = False) -> None:
    """Refuse what the record knows nothing of; and, where `one` step is meant, what stands for several."""
    keys = list(dict.fromkeys(fact.step for _, (_, _, fact) in found.record if isinstance(fact, StepFact)))
    places = dict.fromkeys(place for key in keys for place in places_above(key))
    if at not in places:
        near = difflib.get_close_matches(at, places, n=3) or list(places)[:10]
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "; no step has begun in it"
        raise UsageError(f"run {found.run!r} has no step {at!r}{hint}")
    if one and at not in keys:
        inside = [key for key in keys if at in places_above(key)]
        more = f" and {len(inside) - 3} more" if len(inside) > 3 else ""  # noqa: PLR2004 - enough to see what is meant
        names = ", ".join(map(repr, inside[:3])) + more
        raise UsageError(f"run {found.run!r}: {at!r} stands for {names}; give one of them an output")


def _asked(record: Sequence[Counted], models: Collection[str]) -> list[StepKey]:
    """Return the steps that asked one of these models, by their records."""
    if not models:
        return []
    return [
        fact.step
        for _, (_, _, fact) in record
        if isinstance(fact, StepFinished)
        and fact.note
        and any(call.get("role") in models for call in from_json(fact.note).get("model", ()))
    ]


def _given(found: _Recorded, graph: Graph[..., Any], inputs: Mapping[str, Any]) -> Json:
    """Write the input of a fork: its parent's, but for what is given here, and defaults for what is new."""
    params = graph.signature.params
    if unknown := [name for name in inputs if name not in params]:
        there = ", ".join(params) or "none"
        raise UsageError(f"graph {graph.name!r} has no input {', '.join(map(repr, unknown))}; it has {there}")
    had = split_object(found.first.input)
    texts: dict[str, Json] = {}
    for name, param in params.items():
        if name in inputs:
            texts[name] = param.port.write(inputs[name])
        elif name in had:
            texts[name] = had[name]
            if found.old is not graph:
                param.port.read(had[name])
        elif param.default is not None:
            texts[name] = param.default
        else:
            kind = type_name(param.port.annotation)
            raise UsageError(f"graph {graph.name!r} takes {name!r} ({kind}) now: give it to the fork as an input")
    return found.first.input if not inputs and list(texts) == list(had) else join_object(texts)


def _recorded_models(note: Mapping[str, Any], output: Json, differs: Differs) -> Mapping[str, Any] | None:
    from graphrt.backends.recorded import RecordedModels, complete

    calls = note.get("model", [])
    if calls and not complete(calls):
        return None
    text = from_json(output)
    return RecordedModels(calls, text if isinstance(text, str) else "", differs)
