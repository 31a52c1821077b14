"""What of a recorded run still holds: for a step done anew, another input, a changed graph, or all at once (D9, D11).

Pure. The record is walked once and folded twice, side by side: over the graph it was recorded with, where everything
counts, and over today's, where only what still holds does. A step's facts are kept if the step is open over there at
the same key, its node is the same, and its inputs are byte for byte those it had. So what is kept never depends on what
is not, whatever the shape of the graph, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphrt.facts import Fact, Span, StepFinished, StepStarted
from graphrt.graph import Graph
from graphrt.history import Counted
from graphrt.tree import State
from graphrt.types import Json, StepKey


@dataclass(frozen=True, slots=True)
class Rewind:
    """What a run goes on from, and what that costs: "re-executes N, reuses M" (D10)."""

    state: State
    """The kept part of the record, folded over today's graph; nothing in it is running."""
    spans: tuple[Span, ...]
    copied: tuple[Fact, ...]
    """Facts that are kept under another key, by a migration: they are recorded anew, after the spans."""
    reused: int
    """Finished steps that are kept."""
    again: tuple[StepKey, ...]
    """Steps that had begun and are not kept, in the order they began. What else comes after them is not known yet."""
    effects: tuple[StepKey, ...]
    """Those among them that did something to the world that must not be repeated, or may have."""


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
    Raises UsageError for an input that the new graph has not got.
    """
    raise NotImplementedError


def overridden(state: State, step: str, value: Any) -> tuple[StepStarted, StepFinished]:
    """Return the facts that give an open step an output without running it, noted as `{"overridden": true}`.

    Raises PortError if the value does not fit the step's node; UsageError if the step is not open.
    """
    raise NotImplementedError


def misfits(state: State) -> list[str]:
    """Return a line for each open step that could not read its inputs: the frontier, and nothing else, is checked
    (D11)."""
    raise NotImplementedError
