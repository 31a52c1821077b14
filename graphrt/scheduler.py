"""The one place that acts: decide -> facts -> commit -> dispatch, for one run, on anyio (E2, E3).

    outcomes of attempts ─┐
    messages, timers ─────┼─> facts ─> apply ─> decide ─> more facts ─> ONE commit ─> dispatch, publish
    clock, cancellation ──┘

Everything that came in while a commit was on its way goes into the next one, so the slower the disk, the larger the
group. A step is dispatched only after the commit that holds its `StepStarted`, and what it depends on, is durable (D1);
so the `StepStarted` of a `once` effect is its intent (D3). A message is used up in the commit of the step that takes
it. When the driver is cancelled, its attempts are cancelled and waited for, and the journal is left at the last commit
(E8). When everything waits for the world, the run is suspended: its driver ends and keeps nothing.

A step that has no company runs in the very task that decided on it: there is nothing else to decide until it ends, and
whoever has something to say meanwhile lets another task take over. A chain so costs no change of task.
"""

from __future__ import annotations

import inspect
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import anyio
from anyio.abc import TaskGroup
from pydantic_core import to_json

from graphrt import errors
from graphrt.attempt import Attempt, Doubtful, call, invoke
from graphrt.clock import Clock
from graphrt.context import Context, Resources, current, key_of
from graphrt.crew import Crew
from graphrt.decide import (
    Await,
    Cancel,
    Check,
    Due,
    Fail,
    Finish,
    Pending,
    Start,
    Stuck,
    Suspend,
    decide,
    delayed,
    deliver,
    in_flight,
    lineage_of,
    next_timer,
    pending,
    wanted,
)
from graphrt.drafts import AttemptDrafts, QuestionDraft
from graphrt.errors import NotDone, StepTimeout
from graphrt.facts import (
    AttemptFailed,
    Fact,
    Failure,
    MessageRefused,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunSuspended,
    StepFailed,
    StepFinished,
    StepStarted,
    StepWaiting,
    SubstepFailed,
    SubstepFinished,
    SubstepStarted,
)
from graphrt.failpoints import point
from graphrt.journal import DraftKey, Journal, Message
from graphrt.limits import Limits
from graphrt.node import FunctionNode
from graphrt.outcome import after_failure, describe, written
from graphrt.snapshot import dump
from graphrt.state import apply
from graphrt.tree import State, Step, Value
from graphrt.types import Json, RunId, Secrets, StepKey

SNAPSHOT_FACTS = 1000
"""A snapshot is taken when this many facts came since the last one, and at least twice its bytes: its cost is
amortised, and resuming costs O(frontier), not O(history) (D6)."""


SOON = 30.0
"""Seconds: a run with a timer or a retry due within these stays in memory."""

BREATH, BREATHLESS = 8, 0.001
"""After so many steps in a row in the driver's own task, or one of so many seconds, the event loop gets its turn."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the drivers of one runtime have in common."""

    journal: Journal
    clock: Clock
    limits: Limits
    resources: Resources
    models: Mapping[str, Any]
    secrets: Secrets | None = field(repr=False)
    threads: anyio.CapacityLimiter
    concurrency: int
    retry_budget: int
    linger: float
    """Seconds that a run whose steps all wait for the world stays in memory, in case the world is quick."""
    snapshot_facts: int


@dataclass(frozen=True, slots=True)
class Live:
    """Something a running attempt showed, such as a streamed token. Not recorded."""

    step: StepKey
    attempt: int
    text: str


class Suspension(NamedTuple):
    """Why a run was let go: when it has something to do without being asked, and what it waits for."""

    until: float | None
    pending: tuple[Pending, ...]


class _Outcome(NamedTuple):
    """What an attempt has to say: at its end, or, with an `ack` to be set after the commit, on the way."""

    attempt: Attempt
    facts: list[Fact]
    ack: anyio.Event | None = None


def stopped(run: RunId) -> errors.UsageError:
    """Say to whoever waits for a run that its driver was stopped before its end."""
    return errors.UsageError(f"run {run} was stopped at its last commit; resume it")


class Driver:
    """Drives one run from where its state stands to its end, or until everything in it waits for the world.

    `fence`: the number of the lease it drives under; every commit is refused once somebody else holds another (D7).
    `reload`: if given, the state is dropped after every commit and folded anew from the journal: nothing may depend on
    what only memory knows.
    """

    def __init__(
        self,
        run: RunId,
        state: State,
        seq: int,
        fence: int,
        *,
        shared: Shared,
        reload: Callable[[], Awaitable[State]] | None = None,
    ) -> None:
        self.run = run
        self.graph = state.graph
        self.state = state
        self.seq = seq
        self.fence = fence
        self.shared = shared
        self.done = anyio.Event()
        """Set when the driver has stopped, whatever the reason."""
        self._changed: anyio.Event | None = None
        self.error: BaseException | None = None
        """What stopped the driver, when it was not the run's own end."""
        self.suspended: Suspension | None = None
        """Set when everything in the run waits for the world and the driver has let it go."""
        self.again = False
        """A message came while the run was being suspended: it can go on."""
        self.causes: dict[StepKey, BaseException] = {}
        self.listeners: list[deque[Live]] = []
        self._reload = reload
        self._attempts: dict[StepKey, Attempt] = {}
        self._outcomes: list[_Outcome] = []
        self._steered = True
        """A task is deciding, committing, or waiting for something to decide; or the loop has not begun, or is over."""
        self._woken = False
        self._asleep: anyio.Event | None = None
        self._tasks: TaskGroup | None = None
        self._unbroken = 0
        self._scope = anyio.CancelScope()
        self._cancelling = self._draining = False
        self._numbers = count()
        self._watched = 0
        self._mail: list[Message] = []
        self._post = bool(state.awaiting or state.unknown)
        self._taking: list[str] = []
        self._dropping: list[DraftKey] = []
        self._idle_since: float | None = None
        self._since_snapshot = [0, 0]
        self._snapshot_size = 0

    # Asked from outside.

    @property
    def changed(self) -> anyio.Event:
        """An event that the next commit or live text sets. Made when somebody asks: most commits have no audience."""
        if self._changed is None:
            self._changed = anyio.Event()
        return self._changed

    @property
    def leaving(self) -> bool:
        """Whether it has decided that the run ends, or is let go: the commit that says so gives its lease back."""
        return self.suspended is not None or self.state.status != "running"

    def wake(self) -> None:
        """Look again at what to do."""
        if self._woken:
            return
        self._woken = True
        if self._asleep is not None:
            self._asleep.set()
        elif not self._steered and self._tasks is not None:
            self._steered = True
            self._tasks.start_soon(self._steer)

    def post(self) -> None:
        """Look into the inbox: there is a message."""
        self._post = True
        self.wake()

    def cancel(self) -> None:
        """Cancel the run: stop its attempts, wait for their cleanup, record it."""
        self._cancelling = True
        self.wake()

    def drain(self) -> None:
        """Start nothing more, and stop once the outcomes of what is in flight are committed."""
        self._draining = True
        self.wake()

    def stop(self, error: BaseException | None = None) -> None:
        """Stop driving, at the last commit. Nothing is recorded; the run can be resumed."""
        self.error = error
        self._scope.cancel()

    # The loop.

    async def drive(self) -> None:
        """Run to the end. Raises what the journal raises; nothing that a node does."""
        try:
            with self._scope:
                await self._loop()
        finally:
            self._tasks = None
            self.shared.limits.want((), self)
            for attempt in self._attempts.values():
                self._release(attempt)

    async def _loop(self) -> None:
        async with anyio.create_task_group() as self._tasks:
            self._crew = Crew(self._tasks, self._run_attempt)
            self._tasks.start_soon(self._steer)

    async def _steer(self) -> None:
        """Be the task that decides, until the run is let go or another task has taken over."""
        while True:
            self._woken = False
            starts = await self._turn()
            if self.state.status != "running":
                await self._leave()
                break
            if self._draining and not self._attempts:
                self.error = stopped(self.run)
                break
            if self._is_alone(starts):
                if not await self._do_here(starts[0]):
                    return
                continue
            for attempt in starts:
                self._crew.start(attempt)
            if not (self._outcomes or self._post or self._woken):
                self._asleep = anyio.Event()
                try:
                    await self.shared.clock.wait(self._asleep, self._patience())
                finally:
                    self._asleep = None
            if self._watched:
                self._expire()
        self._crew.close()

    async def _turn(self) -> list[Attempt]:
        """Take in what happened, decide, and commit both; return what is to be dispatched now."""
        if self._post:
            self._post = False
            self._mail = await self.shared.journal.inbox(self.run)
        facts, acks = self._collect()
        if self._mail:
            self._deliver(facts)
        starts = self._decide(facts)
        if facts:
            await self._commit(facts)
            for ack in acks:
                ack.set()
            if self._reload is not None and self.state.status == "running":
                self.state = await self._reload()
        for attempt in starts:
            attempt.began = self.shared.clock.monotonic()
            point("attempt: dispatched")
        return starts

    def _is_alone(self, starts: list[Attempt]) -> bool:
        """Say whether nothing is to be done until the only attempt ends, unless somebody wakes the driver."""
        return (
            len(starts) == 1
            and len(self._attempts) == 1
            and not (self._watched or self.state.alarms or self.state.timers)
            and self._idle_since is None
            and not (self._outcomes or self._post or self._woken)
        )

    async def _do_here(self, attempt: Attempt) -> bool:
        """Run an attempt in the task that steers: handing it over and being told of its end costs as much as a step.

        Whoever wakes the driver meanwhile lets another task steer. Returns whether this one still does.
        """
        assert self._tasks is not None  # noqa: S101 - for the type checker: the loop runs
        self._steered = whole = False
        try:
            whole = await self._crew.do(attempt)
        finally:
            kept, self._steered = not self._steered, True
        if kept and not whole:  # some of its cancellation may still be on its way to this task
            self._tasks.start_soon(self._steer)
            return False
        if kept:
            self._unbroken += 1
            if self._unbroken >= BREATH or self.shared.clock.monotonic() - attempt.began > BREATHLESS:
                self._unbroken = 0
                await anyio.lowlevel.checkpoint()  # a chain of steps that never wait must not hold up everybody else
        return kept

    def _collect(self) -> tuple[list[Fact], list[anyio.Event]]:
        """Take the outcomes that came in, fold them, and return them as facts, with whom to tell of their commit.

        What came in together is taken in the order of dispatch, so that an engine's whims don't show in the journal
        (E3).
        """
        facts: list[Fact] = []
        acks: list[anyio.Event] = []
        outcomes, self._outcomes = self._outcomes, []
        if len(outcomes) > 1:
            outcomes.sort(key=lambda outcome: outcome.attempt.number)
        now = self.shared.clock.now()
        for attempt, found, ack in outcomes:
            if ack is None:
                self._release(attempt)
                del self._attempts[attempt.start.step]
                self._watched -= attempt.watched
                if attempt.drafts is not None:
                    self._dropping += attempt.drafts.useless(found)
            else:
                acks.append(ack)
            for fact in found:
                settled = self._settle_failure(attempt.start, fact, now) if isinstance(fact, StepFailed) else fact
                apply(self.state, settled, now)
                facts.append(settled)
        return facts, acks

    def _settle_failure(self, start: Start | Check, failed: StepFailed, now: float) -> Fact:
        return after_failure(
            failed,
            start.node.policy,
            now,
            tries=start.tries,
            began=start.began,
            seed=f"{self.state.seed}/{start.step}",
            spent=self.state.retries >= self.shared.retry_budget,
        )

    def _deliver(self, facts: list[Fact]) -> None:
        """Give messages to the steps that wait for them; each is used up by the commit that these facts go into."""
        now = self.shared.clock.now()
        mail, self._mail = self._mail, []
        cancels = [message.id for message in mail if message.kind == "cancel"]
        if cancels:
            self._taking += cancels
            self._cancelling = True
        for message, step, substep in deliver(self.state, mail):
            for fact in self._received(message, step, substep, now):
                self._fold(facts, fact, now)
            self._taking.append(message.id)

    def _received(self, message: Message, step: Step, substep: str, now: float) -> list[Fact]:
        """Say what a message means for the step that takes it."""
        key, attempt = step.key, step.attempt
        if message.kind == "not done":
            failure = Failure("NotDone", "a person said that it was not done")
            if substep:
                return [SubstepFailed(key, attempt, substep, failure)]
            return [AttemptFailed(key, attempt, failure, now, _note(message))]
        given = b"null" if message.value is None else message.value
        if substep:
            return [SubstepFinished(key, attempt, substep, given)]
        try:
            text, tag = written(step.node, step.node.signature.returns.read(given))
        except errors.PortError as error:
            return [MessageRefused(key, attempt, message.id, describe(error, step.node))]
        return [StepFinished(key, attempt, text, tag, lineage_of(step), _note(message))]

    def _decide(self, facts: list[Fact]) -> list[Attempt]:
        """Ask the core what to do, fold what follows at once, and return the attempts to dispatch after the commit."""
        now = self._decided = self.shared.clock.now()
        starts: list[Attempt] = []
        if self._cancelling:
            self.shared.limits.want((), self)
            if self._attempts:
                for attempt in self._attempts.values():
                    attempt.cancel()
            elif self.state.status == "running":
                self._fold(facts, RunCancelled(), now)
            return starts
        while self._act(decide(self.state, now, self._room), facts, starts, now):
            pass
        if self.shared.limits.sizes:
            self.shared.limits.want(wanted(self.state, now), self)
        return starts

    def _act(self, commands: list[Any], facts: list[Fact], starts: list[Attempt], now: float) -> bool:
        """Carry out commands; return whether more can be decided at once."""
        more = False
        idle = False
        for command in commands:
            match command:
                case Start(step=key, attempt=number, node=node):
                    intent = key_of(self.run, key) if node.policy.effect == "once" else None
                    starts.append(self._attempt(command, now, intent))
                    self._fold(facts, StepStarted(key, number, intent), now)
                case Cancel(step=key):
                    if key in self._attempts:
                        self._attempts[key].cancel()
                case Check(step=key):
                    if key not in self._attempts and not self._draining:
                        starts.append(self._attempt(command, now, None))
                case Await(step=key, attempt=number, node=waits, inputs=inputs):
                    self._begin_wait(key, number, waits, inputs, facts, now)
                    more = True
                case Due(step=key, attempt=number, value=text, tag=tag, lineage=lineage):
                    self._fold(facts, StepFinished(key, number, text, tag, lineage), now)
                    more = True
                case Suspend(until=until, patient=patient):
                    idle = True
                    if not self._attempts and not self._post and self._tired(until, now, patient=patient):
                        self.suspended = Suspension(until, tuple(pending(self.state)))
                        self._fold(facts, RunSuspended(until), now)
                case Finish() | Fail() | Stuck():
                    self._fold(facts, _end(command), now)
        if not idle:
            self._idle_since = None
        return more

    def _begin_wait(  # noqa: PLR0917 - a wait's particulars
        self, key: StepKey, number: int, node: Any, inputs: dict[str, Json], facts: list[Fact], now: float
    ) -> None:
        """Record what a step waits for, or that it cannot."""
        try:
            wait = node.wait(inputs, now)
        except Exception as error:
            self.causes[key] = error
            self._fold(facts, StepFailed(key, number, describe(error, node)), now)
            return
        self._fold(facts, StepWaiting(key, number, node.kind, wait.name, wait.until, wait.note), now)
        self._post = self._post or node.kind != "timer"  # what it waits for may have come before it waited

    def _tired(self, until: float | None, wall: float, *, patient: bool) -> bool:
        """Say whether the run has been idle for long enough to be let go, and will be."""
        if patient or self._draining or self.shared.linger <= 0:
            return True
        if until is not None and until - wall <= SOON:
            self._idle_since = None  # it stays: nothing is to be looked at again before that
            return False
        now = self.shared.clock.monotonic()
        if self._idle_since is None:
            self._idle_since = now
        return now - self._idle_since >= self.shared.linger

    async def _leave(self) -> None:
        """Let the state of a suspended run go, after a last look at what came in meanwhile."""
        if self.state.status != "suspended":
            return
        mail = await self.shared.journal.inbox(self.run)
        self.again = any(message.kind == "cancel" for message in mail) or bool(deliver(self.state, mail))
        self.state = State(self.graph)

    def _attempt(self, start: Start | Check, now: float, intent: str | None) -> Attempt:
        """Take what an attempt holds while it runs, to be dispatched after the commit."""
        policy = start.node.policy
        if policy.limit is not None:
            self.shared.limits.take(policy.limit, self)
        spent = 0.0 if start.began is None else now - start.began
        attempt = self._attempts[start.step] = Attempt(
            start, next(self._numbers), self.shared.clock.monotonic(), spent, intent
        )
        self._watched += attempt.watched
        return attempt

    def _fold(self, facts: list[Fact], fact: Fact, now: float) -> None:
        apply(self.state, fact, now)
        facts.append(fact)

    def _room(self, limit: str | None) -> int:
        if self._draining:
            return 0
        if limit is None:
            return self.shared.concurrency - in_flight(self.state)
        return self.shared.limits.room(limit, self)

    async def _commit(self, facts: list[Fact]) -> None:
        """Make facts durable, then let the world see them. Cancellation waits for it: a commit is never half known."""
        snapshot = self._snapshot(facts)
        intent = any(
            isinstance(fact, SubstepStarted) or (isinstance(fact, StepStarted) and fact.intent is not None)
            for fact in facts
        )
        point("driver: before commit")
        with anyio.CancelScope(shield=True):
            await self.shared.journal.append(
                self.run,
                self.seq,
                facts,
                at=self.shared.clock.now(),
                snapshot=snapshot,
                fence=self.fence,
                taking=self._taking,
                dropping=self._dropping,
                intent=intent,
            )
        point("driver: commit acknowledged")
        self._taking, self._dropping = [], []
        self.seq += len(facts)
        self.publish()
        point("driver: published")

    def _snapshot(self, facts: list[Fact]) -> Json | None:
        count = self._since_snapshot
        count[0] += len(facts)
        for fact in facts:
            if isinstance(fact, StepFinished):
                count[1] += len(fact.value)
        if (
            count[0] < self.shared.snapshot_facts
            or count[1] + 40 * count[0] < 2 * self._snapshot_size
            or self.state.status not in {"running", "suspended"}
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
        waits: list[float] = []
        if not self._cancelling and (self.state.alarms or self.state.timers):
            now = self.shared.clock.now()
            # What came due since it was last decided, during a commit that took longer than a pause, is due at once.
            wakes = (delayed(self.state, self._decided)[1], next_timer(self.state))
            waits.extend(wake - now for wake in wakes if wake is not None)
        if self._watched:
            now = self.shared.clock.monotonic()
            waits.extend(due[0] - now for attempt in self._attempts.values() if (due := attempt.until()) is not None)
        if self._idle_since is not None:
            waits.append(self._idle_since + self.shared.linger - self.shared.clock.monotonic())
        return min(waits, default=None)

    def _expire(self) -> None:
        """Stop the attempts that have taken too long (E7)."""
        now = self.shared.clock.monotonic()
        for attempt in self._attempts.values():
            due = attempt.until()
            if due is not None and due[0] <= now:
                attempt.timed_out = StepTimeout(attempt.start.step, due[1], due[2])
                attempt.cancel()

    def _release(self, attempt: Attempt) -> None:
        limit = attempt.start.node.policy.limit
        if limit is not None:
            self.shared.limits.give(limit)

    # One attempt, in a task of its own.

    async def _run_attempt(self, attempt: Attempt) -> bool:
        """Run an attempt to its end. Returns whether nothing in it was cancelled."""
        facts: list[Fact] | None = None
        whole = let_go = False
        try:
            with anyio.CancelScope() as scope:
                attempt.scope = scope
                if attempt.cancelled:
                    scope.cancel()
                facts = await invoke(attempt, self._context(attempt), self.run, self.shared.threads)
            if scope.cancelled_caught:
                facts = self._stopped(attempt)
            whole = not attempt.cancelled
        except (KeyboardInterrupt, SystemExit):
            let_go = True
            raise
        except anyio.get_cancelled_exc_class():
            if anyio.current_effective_deadline() == -math.inf:
                let_go = True
                raise  # the driver is being stopped; else the node cancelled its own task, which is its own affair
        except BaseException as error:
            facts = self._raised(attempt, attempt.timed_out or error)
            whole = not attempt.cancelled
        finally:
            attempt.over = True
            if not let_go:  # of an attempt that was let go with its driver nothing is recorded: it has no outcome
                self._outcomes.append(_Outcome(attempt, attempt.vanished() if facts is None else facts))
                if self._steered:
                    self.wake()
                point("attempt: outcome known")
        return whole

    def _context(self, attempt: Attempt) -> Context:
        start = attempt.start
        return Context(  # it holds nothing that holds it: it is gone with its step, not when garbage is collected
            run=self.run,
            step=start.step,
            attempt=start.attempt,
            models={**self.shared.models, **self.state.models} if self.state.models else self.shared.models,
            secrets=self.shared.secrets,
            resources=self.shared.resources,
            clock=self.shared.clock,
            seed=f"{self.state.seed}/{start.step}",
            live=partial(self._heard, attempt),
            perform=partial(self._substep, attempt),
            draft=partial(self._draft, attempt),
        )

    def _heard(self, attempt: Attempt, text: str) -> None:
        attempt.heard = self.shared.clock.monotonic()
        if text and self.listeners:
            live = Live(attempt.start.step, attempt.start.attempt, text)
            for listener in self.listeners:
                listener.append(live)
            self.publish()

    def _stopped(self, attempt: Attempt) -> list[Fact]:
        if attempt.timed_out is not None:
            return self._raised(attempt, attempt.timed_out)
        return attempt.stopped()

    def _raised(self, attempt: Attempt, error: BaseException) -> list[Fact]:
        self.causes[attempt.start.step] = error
        return attempt.raised(error, self.shared.clock.now())

    async def _draft(self, attempt: Attempt, question: str) -> QuestionDraft:
        if attempt.drafts is None:
            start = attempt.start
            first = start.attempt == 1
            attempt.drafts = AttemptDrafts(self.shared.journal, self.run, self.fence, start.step, first=first)
        return await attempt.drafts.open(question)

    # Substeps: durable parts of a node's work (D4).

    async def _substep(
        self,
        attempt: Attempt,
        outer: Context,
        node: FunctionNode[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Do a part of a node's work, or return what it came to before."""
        times = attempt.parts[node.name] = attempt.parts.get(node.name, 0) + 1
        name = node.name if times == 1 else f"{node.name}-{times}"
        here = replace(outer, step=StepKey(f"{outer.step}/{name}"), seed=f"{outer.seed}/{name}", perform=None)
        found = self.state.steps.get(attempt.start.step)
        kept = ((found.subs if found else None) or {}).get(name)
        returns = node.signature.returns
        if isinstance(kept, Value):
            return returns.read(kept.text)
        step, number = attempt.start.step, attempt.start.attempt
        given = node.read(node.write_input(args, kwargs))
        if kept is not None:
            if node.check is None:
                raise Doubtful(f"nobody knows whether {here.step!r} was done")
            try:
                text, tag = written(node, await self._call(node.check, given, here, attempt))
            except NotDone as error:
                await self._record(attempt, SubstepFailed(step, number, name, describe(error, node)))
            except Exception as error:
                raise Doubtful(f"nobody knows whether {here.step!r} was done: its check says {error}") from error
            else:
                await self._record(attempt, SubstepFinished(step, number, name, text, tag))
                return returns.read(text)
        once = node.policy.effect == "once"
        if once:
            await self._record(attempt, SubstepStarted(step, number, name, key_of(self.run, here.step)))
        try:
            text, tag = written(node, await self._call(node.fn, given, here, attempt))
        except NotDone as error:
            if once:
                await self._record(attempt, SubstepFailed(step, number, name, describe(error, node)))
            raise
        await self._record(attempt, SubstepFinished(step, number, name, text, tag))
        return returns.read(text)

    async def _call(
        self, function: Callable[..., Any], given: Mapping[str, Any], outer: Context, attempt: Attempt
    ) -> Any:
        here = replace(outer)  # a thread's way to the loop is its own
        token = current.set(here)
        try:
            is_async = inspect.iscoroutinefunction(function)
            return await call(function, given, here, attempt, self.run, self.shared.threads, is_async=is_async)
        finally:
            current.reset(token)

    async def _record(self, attempt: Attempt, fact: Fact) -> None:
        """Commit a fact of a running attempt, and return when it is durable."""
        ack = anyio.Event()
        self._outcomes.append(_Outcome(attempt, [fact], ack))
        self.wake()
        await ack.wait()


def _end(command: Finish | Fail | Stuck) -> Fact:
    match command:
        case Finish(value=value, tag=tag):
            return RunFinished(value, tag)
        case Fail(blame=blame):
            return RunFailed(blame.step, blame.attempt, blame.failure, blame.node)
        case Stuck(waiting=lines):
            return RunFailed(StepKey(""), 0, Failure("Deadlock", "\n".join(lines), retryable=False))


def _note(message: Message) -> Json:
    return to_json({"message": message.id, "sent": message.at})
