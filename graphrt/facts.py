"""The journal's vocabulary: what can happen in a run, as frozen facts.

State is what you get by folding facts in their order. Facts are also the events that `Run.events` yields. A fact says
what happened and never why it matters: what follows from it is decided by `graphrt.state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple

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


class Span(NamedTuple):
    """Entries `first` to `last` of a run's own journal, both included: how history is shared without a copy."""

    run: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RunForked:
    """A run began as a fork: it shares `spans` of other runs' journals, in this order, as if they had happened here
    (D9).

    `spans` name the runs that really hold the entries, so a fork of a fork needs no detour. `at`: the step that is done
    anew, empty if only the input or the models differ.
    """

    kind: ClassVar[str] = "run forked"
    parent: str
    at: str
    graph: str
    fingerprint: str
    input: Json
    seed: int
    spans: tuple[Span, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    """Model bindings that differ from the runtime's: role to URI."""


@dataclass(frozen=True, slots=True)
class RunResumed:
    """A driver took the run up again: what was in flight before will be tried again, or is unknown if it must not be.

    `fence` is the number of its lease: it grows with every driver, and a commit under an older one is refused (D7).
    """

    kind: ClassVar[str] = "run resumed"
    fence: int = 0
    driver: str = ""


@dataclass(frozen=True, slots=True)
class RunRewound:
    """The run goes on from a part of its own history: of all entries before this one, only `spans` still count.

    `at`: the step that is done anew; empty if the graph changed and what no longer fits was let go (D11).
    """

    kind: ClassVar[str] = "run rewound"
    at: str
    graph: str
    fingerprint: str
    spans: tuple[Span, ...] = ()
    migration: str = ""
    """The migration that gave steps new names: what follows, up to the next RunResumed, is recorded under these."""


@dataclass(frozen=True, slots=True)
class RunSuspended:
    """Everything in the run waits for the world; its driver let it go. `until`: when a timer is next due, in seconds
    since the epoch; None if only a message can move it."""

    kind: ClassVar[str] = "run suspended"
    until: float | None = None


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
    intent: str | None = None
    """The idempotency key of an effect that must not be repeated; durable before the dispatch, whatever the store's
    durability (D3)."""


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
class StepUnknown:
    """A `once` effect was dispatched and nobody knows whether it was done (D3): its `check`, or a person, will say.

    What they say is a StepFinished with its value, or an AttemptFailed of type `NotDone`.
    """

    kind: ClassVar[str] = "unknown"
    step: StepKey
    attempt: int
    failure: Failure
    note: Json | None = None


@dataclass(frozen=True, slots=True)
class StepWaiting:
    """A step waits for the world. Its output is a StepFinished, in the commit that takes the message or finds the timer
    due."""

    kind: ClassVar[str] = "waiting"
    step: StepKey
    attempt: int
    what: Literal["signal", "person", "timer"]
    name: str = ""
    """The signal's name."""
    until: float | None = None
    """When a timer is due, in seconds since the epoch: absolute, so that it is the same after a crash."""
    note: Json | None = None
    """What a person is asked, a JSON object: `question`, and the `schema` of the answer."""


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """A message was taken for a waiting step and does not fit; the step goes on waiting."""

    kind: ClassVar[str] = "message refused"
    step: StepKey
    attempt: int
    message: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class SubstepStarted:
    """A `once` effect inside a node is about to be dispatched: its intent, as StepStarted's (D4)."""

    kind: ClassVar[str] = "substep started"
    step: StepKey
    attempt: int
    name: str
    intent: str


@dataclass(frozen=True, slots=True)
class SubstepFinished:
    """A part of a node's work is done: `await step(...)` inside it returns this value from now on (D4)."""

    kind: ClassVar[str] = "substep finished"
    step: StepKey
    attempt: int
    name: str
    value: Json
    type: str = ""


@dataclass(frozen=True, slots=True)
class SubstepFailed:
    """The `once` effect of a substep surely did not happen: another attempt of its step may do it."""

    kind: ClassVar[str] = "substep failed"
    step: StepKey
    attempt: int
    name: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class StepCancelled:
    """A running step was stopped because nobody needs its output any more, or because the run ends."""

    kind: ClassVar[str] = "cancelled"
    step: StepKey
    attempt: int
    note: Json | None = None
    """What the node recorded before it was stopped: what it had asked was paid for."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """Something a node said while it ran; committed together with the outcome of its attempt (D1)."""

    kind: ClassVar[str] = "emitted"
    step: StepKey
    attempt: int
    name: str
    value: Json


StepFact = (
    StepStarted
    | StepFinished
    | AttemptFailed
    | StepFailed
    | StepUnknown
    | StepWaiting
    | MessageRefused
    | SubstepStarted
    | SubstepFinished
    | SubstepFailed
    | StepCancelled
    | Emitted
)
RunFact = RunStarted | RunForked | RunResumed | RunRewound | RunSuspended | RunFinished | RunFailed | RunCancelled
Fact = RunFact | StepFact


class Entry(NamedTuple):
    """A fact in its place: `seq` counts from 1 without gaps in a run; `at` is in seconds since the epoch."""

    seq: int
    at: float
    fact: Fact
