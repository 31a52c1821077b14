"""The one place that acts: decide -> facts -> commit -> dispatch, for one run, on anyio (E2, E3).

    outcomes of attempts ─┐
                          ├─> facts ─> apply ─> decide ─> more facts ─> ONE commit ─> dispatch, publish
    clock, cancellation ──┘

Everything that came in while a commit was on its way goes into the next one, so the slower the disk, the larger the
group. A step is dispatched only after the commit that holds its `StepStarted`, and what it depends on, is durable (D1).
When the driver is cancelled, its attempts are cancelled and waited for, and the journal is left at the last commit
(E8).
"""

from __future__ import annotations

import math
import traceback
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path
from types import TracebackType, UnionType
from typing import Any, Union, get_args, get_origin

import anyio
import anyio.from_thread
import anyio.to_thread
from pydantic_core import PydanticSerializationError, to_json

from graphrt.assignable import members
from graphrt.clock import Clock
from graphrt.context import Context, Resources, current
from graphrt.decide import Cancel, Fail, Finish, Start, Stuck, decide, delayed, in_flight, wanted
from graphrt.errors import PortError, StepTimeout
from graphrt.facts import (
    AttemptFailed,
    Fact,
    Failure,
    RunCancelled,
    RunFailed,
    RunFinished,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
)
from graphrt.journal import Journal
from graphrt.limits import Limits
from graphrt.node import FunctionNode
from graphrt.policy import Policy
from graphrt.ports import Port, type_tag
from graphrt.snapshot import dump
from graphrt.state import apply
from graphrt.tree import State
from graphrt.types import Json, RunId, StepKey

SNAPSHOT_FACTS = 1000
"""A snapshot is taken when this many facts came since the last one, and at least twice its bytes: its cost is
amortised, and resuming costs O(frontier), not O(history) (D6)."""


_NO_TIMEOUT = Policy().timeout


@dataclass(frozen=True, slots=True)
class Shared:
    """What the drivers of one runtime have in common."""

    journal: Journal
    clock: Clock
    limits: Limits
    resources: Resources
    models: Mapping[str, Any]
    threads: anyio.CapacityLimiter
    concurrency: int
    retry_budget: int


@dataclass(frozen=True, slots=True)
class Live:
    """Something a running attempt showed, such as a streamed token. Not recorded."""

    step: StepKey
    attempt: int
    text: str


class _Attempt:
    """A dispatched attempt, while it runs."""

    __slots__ = ("began", "cancelled", "deadline", "heard", "notes", "number", "scope", "start", "timed_out", "watched")

    def __init__(self, start: Start, number: int, began: float, spent: float) -> None:
        """`number`: counts attempts. `began`: by the monotonic clock. `spent`: seconds since the step's first
        attempt."""
        self.number = number
        policy = start.node.policy
        self.start = start
        self.began = began
        self.deadline = None if policy.deadline is None else began - spent + policy.deadline
        self.watched = policy.timeout != _NO_TIMEOUT or policy.deadline is not None
        self.heard: float | None = None
        self.scope: anyio.CancelScope | None = None
        self.cancelled = False
        self.timed_out: StepTimeout | None = None
        self.notes: Mapping[str, Any] = {}

    def cancel(self) -> None:
        self.cancelled = True
        if self.scope is not None:
            self.scope.cancel()

    def until(self) -> tuple[float, str, float] | None:
        """Return the next instant at which this attempt will have taken too long, by which limit, of how many
        seconds."""
        if self.cancelled:
            return None
        policy = self.start.node.policy
        timeout = policy.timeout
        candidates = []
        if self.deadline is not None and policy.deadline is not None:
            candidates.append((self.deadline, "deadline", policy.deadline))
        if timeout.total is not None:
            candidates.append((self.began + timeout.total, "total", timeout.total))
        if timeout.first is not None and self.heard is None:
            candidates.append((self.began + timeout.first, "first", timeout.first))
        if timeout.idle is not None:
            candidates.append(((self.began if self.heard is None else self.heard) + timeout.idle, "idle", timeout.idle))
        return min(candidates, default=None)


class Driver:
    """Drives one run from where its state stands to its end."""

    def __init__(self, run: RunId, state: State, seq: int, shared: Shared) -> None:
        self.run = run
        self.state = state
        self.seq = seq
        self.shared = shared
        self.done = anyio.Event()
        """Set when the driver has stopped, whatever the reason."""
        self._changed: anyio.Event | None = None
        self.error: BaseException | None = None
        """What stopped the driver, when it was not the run's own end."""
        self.causes: dict[StepKey, BaseException] = {}
        self.listeners: list[deque[Live]] = []
        self._attempts: dict[StepKey, _Attempt] = {}
        self._outcomes: list[tuple[_Attempt, list[Fact]]] = []
        self._wake = anyio.Event()
        self._scope = anyio.CancelScope()
        self._cancelling = False
        self._numbers = count()
        self._watched = 0
        self._since_snapshot = [0, 0]
        self._snapshot_size = 0

    # Asked from outside.

    @property
    def changed(self) -> anyio.Event:
        """An event that the next commit or live text sets. Made when somebody asks: most commits have no audience."""
        if self._changed is None:
            self._changed = anyio.Event()
        return self._changed

    def wake(self) -> None:
        """Look again at what to do."""
        self._wake.set()

    def cancel(self) -> None:
        """Cancel the run: stop its attempts, wait for their cleanup, record it."""
        self._cancelling = True
        self.wake()

    def stop(self) -> None:
        """Stop driving, at the last commit. Nothing is recorded; the run can be resumed."""
        self._scope.cancel()

    # The loop.

    async def drive(self) -> None:
        """Run to the end. Raises what the journal raises; nothing that a node does."""
        try:
            with self._scope:
                await self._loop()
        finally:
            self.shared.limits.want((), self)
            for attempt in self._attempts.values():
                self._release(attempt)

    async def _loop(self) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                self._wake = anyio.Event()
                facts = self._collect()
                starts = self._decide(facts)
                if facts:
                    await self._commit(facts)
                if self.state.status != "running":
                    return
                for attempt in starts:
                    attempt.began = self.shared.clock.monotonic()
                    tasks.start_soon(self._run_attempt, attempt)
                if not self._outcomes and not self._wake.is_set():
                    await self.shared.clock.wait(self._wake, self._patience())
                if self._watched:
                    self._expire()

    def _collect(self) -> list[Fact]:
        """Take the outcomes that came in, fold them, and return them as facts.

        What came in together is taken in the order of dispatch, so that an engine's whims don't show in the journal
        (E3).
        """
        facts: list[Fact] = []
        outcomes, self._outcomes = self._outcomes, []
        if len(outcomes) > 1:
            outcomes.sort(key=lambda outcome: outcome[0].number)
        now = self.shared.clock.now()
        for attempt, found in outcomes:
            self._release(attempt)
            del self._attempts[attempt.start.step]
            self._watched -= attempt.watched
            for fact in found:
                settled = self._settle_failure(attempt.start, fact, now) if isinstance(fact, StepFailed) else fact
                apply(self.state, settled, now)
                facts.append(settled)
        return facts

    def _settle_failure(self, start: Start, failed: StepFailed, now: float) -> Fact:
        spent = self.state.retries >= self.shared.retry_budget
        return after_failure(start, failed, start.node.policy, now, seed=f"{self.state.seed}/{start.step}", spent=spent)

    def _decide(self, facts: list[Fact]) -> list[_Attempt]:
        """Ask the core what to do, fold what follows at once, and return the attempts to dispatch after the commit."""
        now = self.shared.clock.now()
        starts: list[_Attempt] = []
        if self._cancelling:
            self.shared.limits.want((), self)
            if self._attempts:
                for attempt in self._attempts.values():
                    attempt.cancel()
            elif self.state.status == "running":
                self._fold(facts, RunCancelled(), now)
            return starts
        for command in decide(self.state, now, self._room):
            match command:
                case Start(step=key, attempt=number):
                    starts.append(self._attempt(command, now))
                    self._fold(facts, StepStarted(key, number), now)
                case Cancel(step=key):
                    if key in self._attempts:
                        self._attempts[key].cancel()
                case Finish(value=value, tag=tag):
                    self._fold(facts, RunFinished(value, tag), now)
                case Fail(blame=blame):
                    self._fold(facts, RunFailed(blame.step, blame.attempt, blame.failure, blame.node), now)
                case Stuck(waiting=lines):
                    failure = Failure("Deadlock", "\n".join(lines), retryable=False)
                    self._fold(facts, RunFailed(StepKey(""), 0, failure), now)
        self.shared.limits.want(wanted(self.state, now), self)
        return starts

    def _attempt(self, start: Start, now: float) -> _Attempt:
        """Take what an attempt holds while it runs, to be dispatched after the commit."""
        policy = start.node.policy
        if policy.limit is not None:
            self.shared.limits.take(policy.limit, self)
        spent = 0.0 if start.began is None else now - start.began
        attempt = self._attempts[start.step] = _Attempt(
            start, next(self._numbers), self.shared.clock.monotonic(), spent
        )
        self._watched += attempt.watched
        return attempt

    def _fold(self, facts: list[Fact], fact: Fact, now: float) -> None:
        apply(self.state, fact, now)
        facts.append(fact)

    def _room(self, limit: str | None) -> int:
        if limit is None:
            return self.shared.concurrency - in_flight(self.state)
        return self.shared.limits.room(limit, self)

    async def _commit(self, facts: list[Fact]) -> None:
        """Make facts durable, then let the world see them. Cancellation waits for it: a commit is never half known."""
        snapshot = self._snapshot(facts)
        with anyio.CancelScope(shield=True):
            await self.shared.journal.append(self.run, self.seq, facts, at=self.shared.clock.now(), snapshot=snapshot)
        self.seq += len(facts)
        self.publish()

    def _snapshot(self, facts: list[Fact]) -> Json | None:
        count = self._since_snapshot
        count[0] += len(facts)
        for fact in facts:
            if isinstance(fact, StepFinished):
                count[1] += len(fact.value)
        if (
            count[0] < SNAPSHOT_FACTS
            or count[1] + 40 * count[0] < 2 * self._snapshot_size
            or self.state.status != "running"
        ):
            return None
        snapshot = dump(self.state)
        self._snapshot_size = len(snapshot)
        self._since_snapshot = [0, 0]
        return snapshot

    def publish(self) -> None:
        """Tell whoever watches that there is something new."""
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set()

    def _patience(self) -> float | None:
        """Return the seconds until something must be done without being asked; None if there is no such thing."""
        waits = []
        if self.state.alarms and not self._cancelling:
            now = self.shared.clock.now()
            wake = delayed(self.state, now)[1]
            if wake is not None:
                waits.append(wake - now)
        if self._watched:
            now = self.shared.clock.monotonic()
            waits.extend(due[0] - now for attempt in self._attempts.values() if (due := attempt.until()) is not None)
        return min(waits, default=None)

    def _expire(self) -> None:
        """Stop the attempts that have taken too long (E7)."""
        now = self.shared.clock.monotonic()
        for attempt in self._attempts.values():
            due = attempt.until()
            if due is not None and due[0] <= now:
                attempt.timed_out = StepTimeout(attempt.start.step, due[1], due[2])
                attempt.cancel()

    def _release(self, attempt: _Attempt) -> None:
        limit = attempt.start.node.policy.limit
        if limit is not None:
            self.shared.limits.give(limit)

    # One attempt, in a task of its own.

    async def _run_attempt(self, attempt: _Attempt) -> None:
        start = attempt.start
        facts: list[Fact] = [StepFailed(start.step, start.attempt, _VANISHED)]
        try:
            with anyio.CancelScope() as scope:
                attempt.scope = scope
                if attempt.cancelled:
                    scope.cancel()
                facts = await self._invoke(attempt)
            if scope.cancelled_caught:
                facts = self._stopped(attempt)
        except (KeyboardInterrupt, SystemExit):
            raise
        except anyio.get_cancelled_exc_class():
            if anyio.current_effective_deadline() == -math.inf:
                raise  # the driver is being stopped; else the node cancelled its own task, which is its own affair
        except BaseException as error:
            facts = self._failed(attempt, attempt.timed_out or error)
        finally:
            self._outcomes.append((attempt, facts))
            self._wake.set()

    async def _invoke(self, attempt: _Attempt) -> list[Fact]:
        start = attempt.start
        node = start.node
        context = Context(
            run=self.run,
            step=start.step,
            attempt=start.attempt,
            models=self.shared.models,
            resources=self.shared.resources,
            clock=self.shared.clock,
            seed=f"{self.state.seed}/{start.step}",
            live=lambda text: self._heard(attempt, text),
        )
        current.set(context)
        attempt.notes = context.notes
        values = node.read(start.inputs)
        if node.is_async:
            result = await node.fn(**values)
        else:
            context.live = lambda text: anyio.from_thread.run_sync(self._heard, attempt, text)
            result = await anyio.to_thread.run_sync(
                lambda: node.fn(**values), abandon_on_cancel=True, limiter=self.shared.threads
            )
        port, tag = port_of(node, result)
        note = to_json(context.notes) if context.notes else None
        finished = StepFinished(start.step, start.attempt, port.write(result), tag, start.lineage, note)
        return [*context.emitted, finished]

    def _heard(self, attempt: _Attempt, text: str) -> None:
        attempt.heard = self.shared.clock.monotonic()
        if text and self.listeners:
            live = Live(attempt.start.step, attempt.start.attempt, text)
            for listener in self.listeners:
                listener.append(live)
            self.publish()

    def _stopped(self, attempt: _Attempt) -> list[Fact]:
        if attempt.timed_out is not None:
            return self._failed(attempt, attempt.timed_out)
        return [StepCancelled(attempt.start.step, attempt.start.attempt)]

    def _failed(self, attempt: _Attempt, error: BaseException) -> list[Fact]:
        start = attempt.start
        self.causes[start.step] = error
        try:
            note = to_json(attempt.notes) if attempt.notes else None
        except PydanticSerializationError:
            note = None  # it may be the very error that is being recorded
        return [StepFailed(start.step, start.attempt, describe(error, start.node), note)]


_VANISHED = Failure("Cancelled", "the node cancelled its own task; raise an ordinary error instead")


def after_failure(start: Start, failed: StepFailed, policy: Policy, now: float, *, seed: str, spent: bool) -> Fact:
    """Decide whether a failed attempt is made again, and when: the one retry loop (E6)."""
    pause = policy.retry.pause(start.tries, failed.failure, seed=seed)
    if pause is None or spent:
        return failed
    began = now if start.began is None else start.began
    if policy.deadline is not None and now + pause >= began + policy.deadline:
        return failed
    return AttemptFailed(failed.step, failed.attempt, failed.failure, now + pause, failed.note)


def describe(error: BaseException, node: FunctionNode[..., Any]) -> Failure:
    """Write an error as a record. An error may say of itself: `category`, `retryable`, `retry_after` (seconds)."""
    own_input = isinstance(error, PortError) and error.port in node.signature.params
    trace = "".join(traceback.format_exception(type(error), error, _from_the_node(error.__traceback__)))[-4000:]
    return Failure(
        type=type(error).__name__,
        message=str(error)[:4000],
        category=getattr(error, "category", None),
        retryable=bool(getattr(error, "retryable", True)) and not own_input,
        retry_after=getattr(error, "retry_after", None),
        trace=trace,
    )


_ENGINES = frozenset({"anyio", "trio", "outcome"})


def _from_the_node(trace: TracebackType | None) -> TracebackType | None:
    """Leave out how the node came to be called: what a reader wants begins at its own function."""
    while trace is not None and trace.tb_next is not None:
        place = Path(trace.tb_frame.f_code.co_filename)
        if place != Path(__file__) and not _ENGINES & set(place.parts):
            break
        trace = trace.tb_next
    return trace


def tag_of(node: FunctionNode[..., Any], result: object) -> str:
    """Return the type tag of an output: of its own class, where the node may return one of several."""
    return port_of(node, result)[1]


def port_of(node: FunctionNode[..., Any], result: object) -> tuple[Port, str]:
    """Return what writes an output, and the tag it is recorded under."""
    return _port_of(node.signature.returns, type(result))  # type: ignore[arg-type] # mypy: of its instances


@lru_cache(maxsize=4096)
def _port_of(port: Port, kind: type) -> tuple[Port, str]:
    """Return what writes an output of class `kind`, and its tag.

    A member of a union is written as what it is: pydantic's serializer for the union would try the members one by one.
    An instance of a subclass is written as the member it fits. Not so if the member stands there with more to it, as in
    `Annotated[int, Gt(0)] | None`.
    """
    options = members(port.annotation)
    member = next((base for base in kind.__mro__[:-1] if base in options), None)
    if len(options) == 1 or member is None:
        return port, port.tag
    kind = member
    alone = get_origin(port.annotation) in {Union, UnionType} and kind in get_args(port.annotation)
    return (Port(port.node, port.name, kind) if alone else port), type_tag(kind)
