"""Today's code against a recorded run, with no effect leaving the process (D10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from graphrt.difference import Difference
from graphrt.facts import StepFinished
from graphrt.graph import Graph
from graphrt.history import Counted
from graphrt.types import StepKey

Kind = Literal["input", "request", "output", "failure", "order", "not recorded", "never reached", "result"]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that today's code does otherwise than the record says."""

    step: StepKey
    kind: Kind
    what: str
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found."""

    agree: int
    """Steps that do today what they did then."""
    ran: int
    """Steps whose own code was run; the others took their outcome from the record."""
    changes: tuple[Change, ...]
    """In the order of the record. Every step is given its recorded inputs' sources, so each is a change of its own."""
    complete: bool
    """Whether the record goes to the run's end."""

    @property
    def first(self) -> Change | None:
        """The first step that differs."""
        raise NotImplementedError


Models = Callable[[StepKey, StepFinished, list[Change]], Mapping[str, Any]]
"""What a step's code finds bound to its model roles: given its recorded outcome, and where to note what differs."""


async def replay(record: Sequence[Counted], old: Graph[..., Any], new: Graph[..., Any], *, models: Models) -> Replayed:
    """Run today's code against a record. Nodes declared without an effect and `@llm` nodes run, with time, ids, random
    numbers and answers from the record; what all others did is taken from it.

    Nothing is recorded, and nothing leaves the process; interrupted, nothing is left behind.
    """
    raise NotImplementedError
