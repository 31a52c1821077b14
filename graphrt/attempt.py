"""One attempt of one step while it runs: what it holds, how long it may take, and what its end means as facts.

An attempt ends in exactly one of these: its output, a failure, a cancellation, or, for a `once` effect that was
dispatched and brought no output, the admission that nobody knows (D3). Only NotDone says that such an effect surely did
not happen.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
from pydantic_core import PydanticSerializationError, to_json

from graphrt.context import Context, current
from graphrt.decide import Check, Start
from graphrt.drafts import AttemptDrafts
from graphrt.errors import NotDone, StepTimeout, sole
from graphrt.facts import AttemptFailed, Fact, Failure, StepCancelled, StepFailed, StepFinished, StepUnknown
from graphrt.failpoints import point
from graphrt.node import FunctionNode
from graphrt.outcome import describe, written
from graphrt.types import RunId

log = logging.getLogger("graphrt")


class Doubtful(BaseException):
    """Ends an attempt that needs a substep of which nobody knows whether it was done. A node cannot catch it by
    mistake."""


_VANISHED = Failure("Cancelled", "the node cancelled its own task; raise an ordinary error instead")


class Attempt:
    """A dispatched attempt, or the check of an effect whose outcome is unknown."""

    __slots__ = (
        "began", "cancelled", "deadline", "drafts", "entered", "heard", "intent", "notes", "number", "over", "parts",
        "scope", "start", "timed_out", "watched",
    )  # fmt: skip

    def __init__(self, start: Start | Check, number: int, began: float, spent: float, intent: str | None) -> None:
        """`number`: counts attempts. `began`: by the monotonic clock. `spent`: seconds since the step's first attempt.
        `intent`: the key of a `once` effect."""
        policy = start.node.policy
        self.start = start
        self.number = number
        self.began = began
        self.intent = intent
        self.deadline = None if policy.deadline is None else began - spent + policy.deadline
        self.watched = policy.deadline is not None or policy.timeout.limited
        self.heard: float | None = None
        self.scope: anyio.CancelScope | None = None
        self.cancelled = False
        self.entered = False
        """The node's own function was called: from here on an effect may have happened."""
        self.over = False
        self.timed_out: StepTimeout | None = None
        self.notes: Mapping[str, Any] = {}
        self.drafts: AttemptDrafts | None = None
        self.parts: dict[str, int] = {}
        """How many substeps of each name it has asked for."""

    @property
    def checking(self) -> bool:
        """Whether this finds out about an effect instead of having it."""
        return isinstance(self.start, Check)

    def cancel(self) -> None:
        """Stop it; it is waited for."""
        self.cancelled = True
        if self.scope is not None:
            self.scope.cancel()

    def until(self) -> tuple[float, str, float] | None:
        """Return the next instant at which it will have taken too long, by which limit, of how many seconds."""
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

    # What its end means.

    def returned(self, result: Any, context: Context) -> list[Fact]:
        """Its function returned. Raises PortError where that is no output."""
        start = self.start
        text, tag = written(start.node, result)
        notes = {**context.notes, "checked": True} if self.checking else context.notes
        note = to_json(notes) if notes else None
        return [*context.emitted, StepFinished(start.step, start.attempt, text, tag, start.lineage, note)]

    def raised(self, error: BaseException, now: float) -> list[Fact]:
        """Its function, or its timeout, raised."""
        start = self.start
        failure = describe(error, start.node)
        note = self._note()
        if isinstance(sole(error), Doubtful):
            return [StepUnknown(start.step, start.attempt, failure, note)]
        if isinstance(start, Check):
            if not isinstance(error, NotDone):
                return [StepUnknown(start.step, start.attempt, failure, note)]
            if start.doubt is None:  # only a crash stood between the effect and its outcome: nothing failed
                return [AttemptFailed(start.step, start.attempt, failure, now, note)]
            return [StepFailed(start.step, start.attempt, start.doubt, note)]
        if self.intent is not None and self.entered and not isinstance(error, NotDone):
            return [StepUnknown(start.step, start.attempt, failure, note)]
        return [StepFailed(start.step, start.attempt, failure, note)]

    def stopped(self) -> list[Fact]:
        """It was cancelled, and has cleaned up."""
        start = self.start
        if self.checking:
            return []
        if self.intent is not None and self.entered:
            failure = Failure("Cancelled", "the attempt was cancelled after its effect was dispatched")
            return [StepUnknown(start.step, start.attempt, failure, self._note())]
        return [StepCancelled(start.step, start.attempt, self._note())]

    def vanished(self) -> list[Fact]:
        """It ended without a word."""
        start = self.start
        if self.checking or (self.intent is not None and self.entered):
            return [StepUnknown(start.step, start.attempt, _VANISHED)]
        return [StepFailed(start.step, start.attempt, _VANISHED)]

    def _note(self) -> bytes | None:
        with suppress(PydanticSerializationError):  # it may be the very error that is being recorded
            return to_json(self.notes) if self.notes else None
        return None


async def invoke(attempt: Attempt, context: Context, run: RunId, threads: anyio.CapacityLimiter) -> list[Fact]:
    """Call the attempt's function on its inputs; return what it says as facts. Raises what the function does."""
    start = attempt.start
    node: FunctionNode[..., Any] = start.node
    current.set(context)
    attempt.notes = context.notes
    values = node.read(start.inputs)
    function = node.fn if isinstance(start, Start) else start.node.check
    assert function is not None  # noqa: S101 - only what has a check is checked
    attempt.entered = True
    is_async = node.is_async if isinstance(start, Start) else inspect.iscoroutinefunction(function)
    result = await call(function, values, context, attempt, run, threads, is_async=is_async)
    return attempt.returned(result, context)


async def call(  # noqa: PLR0917 - a call and whose it is
    function: Callable[..., Any],
    values: Mapping[str, Any],
    context: Context,
    attempt: Attempt,
    run: RunId,
    threads: anyio.CapacityLimiter,
    *,
    is_async: bool,
) -> Any:
    """Call a user's function, in a worker thread if it is a plain one. Raises what it does.

    Cancelled, a thread is left to itself: what it returns is dropped, and logged.
    """
    point("effect: before")
    if is_async:
        result = await function(**values)
    else:
        live = context.live
        context.live = lambda text: anyio.from_thread.run_sync(live, text)
        result = await anyio.to_thread.run_sync(
            partial(_in_thread, function, values, attempt, run), abandon_on_cancel=True, limiter=threads
        )
    point("effect: after")
    return result


def _in_thread(function: Callable[..., Any], values: Mapping[str, Any], attempt: Attempt, run: RunId) -> Any:
    try:
        return function(**values)
    finally:
        if attempt.over:
            log.warning(
                "run %s, step %s: attempt %d came to its end after it had been given up; what it returned is dropped",
                run,
                attempt.start.step,
                attempt.start.attempt,
            )
