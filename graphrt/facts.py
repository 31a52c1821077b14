"""The journal's vocabulary: what can happen in a run, as frozen facts.

State is what you get by folding facts in their order. Facts are also the events that `Run.events` yields. A fact says
what happened and never why it matters: what follows from it is decided by `graphrt.state`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from graphrt.types import Json, StepKey


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a record: its class name, its words, and what a retry policy needs to know."""

    type: str
    message: str
    category: str | None = None
    retryable: bool = True
    retry_after: float | None = None
    """Seconds that the failing side asked us to wait."""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began: which graph, of which structure, on which input."""

    kind: ClassVar[str] = "run started"
    graph: str
    fingerprint: str
    input: Json
    """A JSON object: parameter name to value."""
    seed: int


@dataclass(frozen=True, slots=True)
class RunResumed:
    """A driver took the run up again: what was in flight before will be tried again."""

    kind: ClassVar[str] = "run resumed"


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run has its result. `type` is the registered name of the value's type."""

    kind: ClassVar[str] = "run finished"
    value: Json
    type: str = ""


@dataclass(frozen=True, slots=True)
class RunFailed:
    """The run cannot go on. `step` and `node` are empty when no single step is to blame."""

    kind: ClassVar[str] = "run failed"
    step: StepKey
    attempt: int
    failure: Failure
    node: str = ""


@dataclass(frozen=True, slots=True)
class RunCancelled:
    """Somebody cancelled the run."""

    kind: ClassVar[str] = "run cancelled"


@dataclass(frozen=True, slots=True)
class StepStarted:
    """An attempt of a step is about to be dispatched. Attempts count from 1."""

    kind: ClassVar[str] = "started"
    step: StepKey
    attempt: int


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step has its output. `type` is the registered name of the value's type."""

    kind: ClassVar[str] = "finished"
    step: StepKey
    attempt: int
    value: Json
    type: str = ""
    lineage: str | None = None
    """Values of one lineage are versions of one state: a store may keep each as what changed since the one before."""
    note: Json | None = None
    """What the node recorded about this step (model, usage, choices), a JSON object."""


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt failed and another will be made, not before `retry_at` (seconds since the epoch)."""

    kind: ClassVar[str] = "attempt failed"
    step: StepKey
    attempt: int
    failure: Failure
    retry_at: float
    note: Json | None = None
    """What the node recorded before it failed: the tokens of an answer that did not validate were paid for too."""


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step failed for good."""

    kind: ClassVar[str] = "failed"
    step: StepKey
    attempt: int
    failure: Failure
    note: Json | None = None


@dataclass(frozen=True, slots=True)
class StepCancelled:
    """A running step was stopped because nobody needs its output any more, or because the run ends."""

    kind: ClassVar[str] = "cancelled"
    step: StepKey
    attempt: int


@dataclass(frozen=True, slots=True)
class Emitted:
    """Something a node said while it ran; committed together with the outcome of its attempt (D1)."""

    kind: ClassVar[str] = "emitted"
    step: StepKey
    attempt: int
    name: str
    value: Json


StepFact = StepStarted | StepFinished | AttemptFailed | StepFailed | StepCancelled | Emitted
RunFact = RunStarted | RunResumed | RunFinished | RunFailed | RunCancelled
Fact = RunFact | StepFact


class Entry(NamedTuple):
    """A fact in its place: `seq` counts from 1 without gaps in a run; `at` is in seconds since the epoch."""

    seq: int
    at: float
    fact: Fact
