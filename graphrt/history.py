"""A run's history as it counts: a fork begins with what it shares, and what a rewind let go of is passed over (D9).

A journal only grows. What a run is folded from is therefore not always its own entries from the first to the last:
`counted` puts together what is, and `spans_of` writes down a part of it by reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, get_args

from graphrt.facts import Entry, Fact, RunFact, RunForked, RunRewound, Span, StepFact
from graphrt.journal import Journal
from graphrt.types import RunId

STEP_FACTS: tuple[type, ...] = get_args(StepFact)
RUN_FACTS: tuple[type, ...] = get_args(RunFact)

PAGE = 1000
"""Entries that are read at a time."""


class Counted(NamedTuple):
    """An entry that counts, and the run whose journal holds it."""

    run: RunId
    entry: Entry


async def counted(journal: Journal, run: RunId) -> list[Counted]:
    """Read what a run is folded from, in order: its first fact, then what it shares, then what happened in it since.

    A fork's first fact stands for itself and the step facts of its spans; a RunRewound puts the step facts of its spans
    in the place of everything between the run's first fact and itself. Facts about the run as a whole are never shared.
    Costs what is read; holds all of it. Raises RunNotFound.
    """
    raise NotImplementedError


def spans_of(record: Sequence[Counted], kept: Iterable[int]) -> tuple[Span, ...]:
    """Write the entries at these places of a record, in order, as the fewest spans.

    A span may run over facts about the run as a whole, which are not shared; never over a step fact that is not kept.
    """
    raise NotImplementedError


def current(record: Sequence[Counted]) -> Fact:
    """Return the fact that says which graph the run is of by now: the last rewind, or the first fact."""
    raise NotImplementedError
