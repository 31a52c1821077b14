"""A run's history as spans: what each step did, from when to when. One fold, for every drawing of a timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic_core import from_json

from graphrt.draw.progress import place_of
from graphrt.facts import (
    AttemptFailed,
    MessageRefused,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunForked,
    RunResumed,
    RunRewound,
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
from graphrt.history import Counted
from graphrt.types import RunId, StepKey

What = Literal["work", "person", "signal", "timer", "pause", "decision"]
"""An attempt, or what a step waited for: the world, the next attempt, or word of an effect of which nobody knows."""

_TOLD = 6
"""Parts of a step that are told of one by one."""


@dataclass(frozen=True, slots=True)
class Span:
    """One step doing one thing: an attempt, or a wait. Times are seconds since the epoch."""

    step: StepKey
    attempt: int
    what: What
    began: float
    ended: float
    status: str
    """What it came to: of an attempt that failed, `failed`, whatever became of the step afterwards."""
    details: str = ""
    """What there is no room for: the error, the question, the parts."""
    asked: bool = False
    """Whether it asked a model."""
    shared_with: RunId | None = None
    """The run whose history this is, where it is another one's."""

    @property
    def place(self) -> str:
        """Where in the graph it is: the step's key without ordinals and items."""
        return place_of(self.step)


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened to the run as a whole at one instant."""

    at: float
    word: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """What happened in a run, in time."""

    run: RunId
    graph: str
    status: str
    """A run's, or `interrupted` where nobody drives it."""
    began: float
    ended: float
    spans: tuple[Span, ...]
    """In the order in which they began to be recorded."""
    moments: tuple[Moment, ...]
    idle: tuple[tuple[float, float, str], ...] = ()
    """When nobody drove the run, and why."""


def course_of(record: Sequence[Counted], now: float | None = None) -> Course:
    """Fold a run's history, as `history.counted` reads it, into what happened when.

    `now` ends what is still at work or waits, in seconds since the epoch. Without it, nobody drives the run: it ends
    with what is recorded, and what was at work is interrupted. Raises ValueError for a record without a beginning.
    """
    if not record:
        raise ValueError("a record without a beginning")
    fold = _Fold(record[0].run)
    for run, entry in record:
        fold.take(run, entry.at, entry.fact)
    return fold.course(now)


@dataclass(slots=True)
class _Open:
    """A span that has not ended yet."""

    span: Span
    told: list[str] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    intents: set[str] = field(default_factory=set)

    def hear(self, fact: StepFact) -> None:
        """Take what neither ends nor begins a span."""
        match fact:
            case MessageRefused(failure=failure):
                self.told.append(f"refused: {failure.message}")
            case SubstepStarted(name=name):
                self.parts[name] = "running"
                self.intents.add(name)
            case SubstepFinished(name=name) | SubstepFailed(name=name):
                self.parts[name] = "finished" if isinstance(fact, SubstepFinished) else "failed"
                self.intents.discard(name)
            case _:
                pass


class _Fold:
    def __init__(self, run: RunId) -> None:
        self.run = run
        self.graph = ""
        self.status = "running"
        self.seen: float | None = None
        """When the last thing was recorded: after it, nobody knows whether the driver still was."""
        self.began: float | None = None
        self.over: float | None = None
        """Since when nothing is driven: the run ended, or was suspended."""
        self.spans: list[Span | None] = []
        """In the order in which they began; None for those that are open."""
        self.open: dict[StepKey, tuple[int, _Open]] = {}
        self.moments: list[Moment] = []
        self.idle: list[tuple[float, float, str]] = []
        self.forked: float | None = None
        self.begins = True
        """Whether no driver has done anything yet that is the run's own and counts: the first one resumes nothing."""
        self.let_go: list[Span] = []
        """Waits that ended with the run: a run that was cancelled may be taken up again, and they with it."""

    def take(self, run: RunId, at: float, fact: object) -> None:
        if isinstance(fact, StepFact):
            if run == self.run:
                self._begins(at)
            self._take_of_step(run, at, fact)
        else:
            self._take_of_run(at, fact)
        if not isinstance(fact, RunForked):  # what a fork shares comes after it in the record, and before it in time
            self.seen = at
        self.began = at if self.began is None else min(self.began, at)

    def _take_of_run(self, at: float, fact: object) -> None:
        match fact:
            case RunStarted(graph=graph):
                self.graph = graph
            case RunForked(graph=graph, parent=parent, at=step):
                self.graph, self.forked = graph, at
                self.moments.append(Moment(at, "forked", f"forked from {parent}" + (f" at {step}" if step else "")))
            case RunRewound(graph=graph, at=step):
                self.graph = graph
                self._interrupt()
                word = "went back" if step else "graph changed"
                details = f"goes back to {step}" if step else "goes on with a changed graph"
                self.moments.append(Moment(at, word, details))
                self._drive(at)
                self.begins = True
            case RunResumed():
                self._resume(at)
            case RunSuspended():
                self.status, self.over = "suspended", at
            case RunFinished() | RunFailed() | RunCancelled():
                self.status, self.over = fact.kind.removeprefix("run "), at
                if isinstance(fact, (RunFinished, RunCancelled)):
                    waits = [found for _, found in self.open.values() if found.span.what != "work"]
                    for found in waits:
                        self._close(found.span.step, at, "cancelled")  # nobody needs its output any more
                    self.let_go = [found.span for found in waits]
            case _:
                pass

    def _begins(self, at: float) -> None:
        """Hear of a step that is the run's own."""
        if self.forked is not None and self.seen is not None and self.seen < self.forked:
            self.idle.append((self.seen, at, "not forked yet"))
        self.forked, self.begins = None, False

    def _resume(self, at: float) -> None:
        at_work = self._interrupt()
        if self.over is not None and self.status != "suspended":
            self.moments += [Moment(self.over, self.status), Moment(at, "resumed")]
        elif self.over is None and self.seen is not None and not self.begins:
            words = "the last that its driver recorded"
            if at_work:
                words += f"; at work {'was' if len(at_work) == 1 else 'were'} {', '.join(at_work[:_TOLD])}"
                words += f" and {len(at_work) - _TOLD} more" if len(at_work) > _TOLD else ""
            self.moments += [Moment(self.seen, "driver gone", words), Moment(at, "resumed")]
        for span in self.let_go:
            self._open(replace(span, began=at, status="retrying" if span.what == "pause" else "waiting"))
        self.let_go = []
        self._drive(at)

    def _drive(self, at: float) -> None:
        """Somebody drives the run from now on."""
        since = self.seen if self.over is None else self.over
        if since is not None and at > since:
            self.idle.append((since, at, self.status if self.over is not None else "nobody drove it"))
        self.status, self.over = "running", None

    def _interrupt(self) -> list[StepKey]:
        """End what was at work with the last that is known of its driver; return which steps those are."""
        found = [key for key, (_, found) in self.open.items() if found.span.what == "work"]
        for key in found:
            opened = self.open[key][1]
            self._close(key, self.seen or opened.span.began, "unknown" if opened.intents else "interrupted")
        return found

    def _take_of_step(self, run: RunId, at: float, fact: StepFact) -> None:
        key = fact.step
        match fact:
            case StepStarted(attempt=attempt, intent=intent):
                self._begin(run, key, attempt, "work", at, "running")
                if intent is not None:
                    self.open[key][1].intents.add("")
            case StepWaiting(attempt=attempt, what=what, name=name, note=note):
                if key not in self.open or self.open[key][1].span.what != what:
                    self._begin(run, key, attempt, what, at, "waiting")
                    self._tell(key, _asked(what, name, note))
            case StepFinished(attempt=attempt, note=note):
                if key not in self.open:  # a fork was given its output
                    self._begin(run, key, attempt, "work", at, "running")
                self._close(key, at, "finished", note=note)
            case AttemptFailed(attempt=attempt, failure=failure, note=note):
                self._tell(key, f"{failure.type}: {failure.message}")
                self._close(key, at, "failed", note=note)
                self._begin(run, key, attempt, "pause", at, "retrying")
            case StepFailed(failure=failure, note=note):
                self._tell(key, f"{failure.type}: {failure.message}")
                self._close(key, at, "failed", note=note)
            case StepUnknown(attempt=attempt, failure=failure, note=note):
                self._close(key, at, "unknown", note=note)
                self._begin(run, key, attempt, "decision", at, "unknown")
                self._tell(key, f"{failure.type}: {failure.message}")
            case StepCancelled(note=note):
                self._close(key, at, "cancelled", note=note)
            case _ if key in self.open:
                self.open[key][1].hear(fact)

    def _begin(self, run: RunId, key: StepKey, attempt: int, what: What, at: float, status: str) -> None:  # noqa: PLR0917
        if key in self.open:
            self._close(key, at, "retrying" if self.open[key][1].span.what == "pause" else "interrupted")
        self._open(Span(key, attempt, what, at, at, status, shared_with=None if run == self.run else run))

    def _open(self, span: Span) -> None:
        self.open[span.step] = (len(self.spans), _Open(span))
        self.spans.append(None)

    def _close(self, key: StepKey, at: float, status: str, *, note: bytes | None = None) -> None:
        if key not in self.open:
            return
        index, found = self.open.pop(key)
        span = found.span
        asked = note is not None and b'"model"' in note
        told = [*found.told, *_parts(found.parts)]
        self.spans[index] = replace(
            span, ended=max(span.began, at), status=status, details="\n".join(told), asked=asked
        )

    def _tell(self, key: StepKey, words: str) -> None:
        if words and key in self.open:
            self.open[key][1].told.append(words)

    def course(self, now: float | None) -> Course:
        last = max(self.seen or 0.0, self.began or 0.0, *(moment.at for moment in self.moments), 0.0)
        unfinished = self.status in {"running", "suspended"}
        end = max(last, now) if unfinished and now is not None else last
        if now is None and self.status == "running":
            self._interrupt()
            self.status = "interrupted"
        for key, (_, found) in list(self.open.items()):
            self._close(key, end, "interrupted" if found.span.what == "work" and not unfinished else found.span.status)
        if self.status == "suspended" and self.over is not None and end > self.over:
            self.idle.append((self.over, end, "suspended"))
        spans = tuple(span for span in self.spans if span is not None)
        began = min([self.began or 0.0, *(span.began for span in spans)])
        return Course(self.run, self.graph, self.status, began, end, spans, tuple(self.moments), tuple(self.idle))


def _parts(parts: dict[str, str]) -> Iterator[str]:
    for name in list(parts)[:_TOLD]:
        yield f"{name}: {parts[name]}"
    if len(parts) > _TOLD:
        yield f"and {len(parts) - _TOLD} parts more"


def _asked(what: str, name: str, note: bytes | None) -> str:
    match what:
        case "person":
            noted = {} if note is None else from_json(note)
            to = f" {noted['to']}" if noted.get("to") else ""
            return f"asks{to}: {noted.get('question', '')}"
        case "signal":
            return f"waits for the signal {name}"
        case _:
            return ""
