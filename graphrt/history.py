"""A run's history as it counts: a fork begins with what it shares, and what a rewind let go of is passed over (D9).

A journal only grows. What a run is folded from is therefore not always its own entries from the first to the last:
`counted` puts together what is, and `spans_of` writes down a part of it by reference.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from graphrt.definition import recall
from graphrt.errors import StoreDamaged
from graphrt.facts import (
    Entry,
    Fact,
    RunFinished,
    RunForked,
    RunRewound,
    RunStarted,
    Span,
    StepFact,
    StepFinished,
    SubstepFinished,
)
from graphrt.graph import Graph
from graphrt.journal import Journal
from graphrt.ports import upcast
from graphrt.types import RunId

PAGE = 1000
"""Entries that are read at a time."""


class Counted(NamedTuple):
    """An entry that counts, and the run whose journal holds it."""

    run: RunId
    entry: Entry


def is_step_fact(fact: Fact) -> bool:
    """Return whether a fact is about a step, and not about the run as a whole."""
    return isinstance(fact, StepFact)


async def entries_of(journal: Journal, run: RunId) -> list[Entry]:
    """Read all of a run's own journal, what a rewind let go of with the rest. Holds all of it. Raises RunNotFound."""
    own: list[Entry] = []
    while page := await journal.read(run, len(own), PAGE):
        own.extend(page)
    return own


async def counted(journal: Journal, run: RunId, own: Sequence[Entry] | None = None) -> list[Counted]:
    """Read what a run is folded from, in order: its first fact, then what it shares, then what happened in it since.

    A fork's first fact stands for itself and the step facts of its spans; a RunRewound puts the step facts of its spans
    in the place of everything between the run's first fact and itself. Facts about the run as a whole are never shared.
    `own`: the run's own journal, where that was read before. Costs what is read; holds all of it. Raises RunNotFound;
    StoreDamaged if what a span names is not there.
    """
    if own is None:
        own = await entries_of(journal, run)
    record = [Counted(run, own[0])] if own else []
    since = max((place for place, entry in enumerate(own) if isinstance(entry.fact, RunRewound)), default=0)
    began = own[since].fact if own else None
    if isinstance(began, (RunForked, RunRewound)):
        for span in began.spans:
            entries = own[span.first - 1 : span.last] if span.run == run else await _read(journal, span)
            record.extend(Counted(RunId(span.run), entry) for entry in entries if is_step_fact(entry.fact))
    record.extend(Counted(run, entry) for entry in own[max(since, 1) :])
    return record


async def _read(journal: Journal, span: Span) -> list[Entry]:
    entries: list[Entry] = []
    after = span.first - 1
    while after < span.last:
        page = await journal.read(RunId(span.run), after, min(PAGE, span.last - after))
        if not page:
            raise StoreDamaged(
                journal.name, f"entry {after + 1} of run {span.run!r}, which another run shares, is not there"
            )
        entries.extend(page)
        after = page[-1].seq
    return entries


def spans_of(record: Sequence[Counted], kept: Collection[int]) -> tuple[Span, ...]:
    """Write the entries at these places of a record, in order, as the fewest spans.

    A span may run over facts about the run as a whole, which are not shared; never over a step fact that is not kept.
    """
    spans: list[Span] = []
    reach = 0
    """Where the last span could go on: 0 if it cannot."""
    for place, (run, entry) in enumerate(record):
        follows = reach > 0 and spans[-1].run == run and entry.seq == reach + 1
        if place in kept:
            if follows:
                spans[-1] = spans[-1]._replace(last=entry.seq)
            else:
                spans.append(Span(run, entry.seq, entry.seq))
            reach = entry.seq
        elif follows and not is_step_fact(entry.fact):
            reach = entry.seq
        else:
            reach = 0
    return tuple(spans)


def graph_of(record: Sequence[Counted]) -> tuple[str, str]:
    """Return the name and the fingerprint of the graph that a run is of by now: a rewind may have brought another
    one."""
    for _, entry in reversed(record):
        if isinstance(entry.fact, (RunStarted, RunForked, RunRewound)):
            return entry.fact.graph, entry.fact.fingerprint
    raise ValueError("a record without a beginning")


async def graph_recorded(journal: Journal, fingerprint: str) -> Graph[..., Any] | None:
    """Return a graph as it was recorded with its runs, or None if it was not: its code is not needed, and not there.

    It folds, decides and draws; retries and timeouts are no part of the record. Raises ValueError for a record in a
    newer format.
    """
    definition = await journal.definition(fingerprint)
    return None if definition is None else recall(definition)


def newest(fact: Fact) -> Fact:
    """Bring a recorded value to its newest type by the registered upcasters (D13)."""
    if isinstance(fact, (StepFinished, SubstepFinished, RunFinished)) and fact.type:
        tag, text = upcast(fact.type, fact.value)
        if tag != fact.type:
            return replace(fact, value=text, type=tag)
    return fact
