"""Today's code against a recorded run, with no effect leaving the process (D10).

The record is walked once, over the graph it was made with and over today's, side by side. Wherever a step stands today,
it is given what it was given then, so that each step that differs does so by itself: a change in one is not a change in
all that come after it. What a node declared without an effect, or a model's node, makes of it is found out by running
it: time, ids, random numbers and model answers come from the record (D8). What all others did, a person and a timer
among them, is taken from the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import anyio
import anyio.lowlevel
import anyio.to_thread
from pydantic_core import from_json, to_json

from graphrt.context import Context, Resources, current
from graphrt.decide import texts_of
from graphrt.difference import Difference, differ, failed
from graphrt.errors import GraphrtError
from graphrt.facts import (
    Fact,
    Failure,
    RunForked,
    RunResumed,
    RunRewound,
    RunStarted,
    StepFact,
    StepFailed,
    StepFinished,
    StepStarted,
    SubstepFinished,
)
from graphrt.graph import Graph, join_object, split_object
from graphrt.history import Counted, newest
from graphrt.node import FunctionNode, Leaf
from graphrt.outcome import describe, written
from graphrt.ports import upcast
from graphrt.rewind import same_definition
from graphrt.shown import Shown
from graphrt.state import apply, find
from graphrt.tree import READY, State, Step, Value, input_values
from graphrt.types import ENDED, Json, RunId, StepKey

Kind = Literal[
    "node", "input", "request", "taken", "output", "failure", "order", "not recorded", "never reached", "result"
]
"""What differs: which node stands there, what it was given, what it asked a model, which times or ids it took, what it
made of that, whether it failed; or when it begins, that it was never run to its end then, that it is not run now; or
the run's result."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that today's code does otherwise than the record says."""

    step: StepKey
    """Empty for the run itself."""
    kind: Kind
    what: str
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Replayed(Shown):
    """What a replay found."""

    agree: int
    """Steps that do today what they did then."""
    ran: int
    """Steps whose own code was run; the others took their outcome from the record."""
    changes: tuple[Change, ...]
    """In the order of the record, each a change of its own."""
    complete: bool
    """Whether the record goes to the run's end."""

    @property
    def first(self) -> Change | None:
        """The first step that differs."""
        return next(iter(self.changes), None)


Differs = Callable[[Any, Any], None]
"""Told what a model was asked then, and what it is asked now; the former is None if that is a question more."""

Models = Callable[[Mapping[str, Any], Json, Differs], Mapping[str, Any] | None]
"""Binds the model roles of a step to its record: its note and its output. None if the record has not got enough."""

_ASKS = frozenset({"llm"})
"""Kinds of nodes whose only effect is the question they ask, which the record answers."""


async def replay(record: Sequence[Counted], old: Graph[..., Any], new: Graph[..., Any], *, models: Models) -> Replayed:
    """Run today's code against a record.

    Nothing is recorded, and nothing leaves the process; interrupted, nothing is left behind.
    """
    return await _Replay(record, old, new, models).go()


class _Replay:
    """One pass over a record."""

    def __init__(self, record: Sequence[Counted], old: Graph[..., Any], new: Graph[..., Any], models: Models) -> None:
        self.record = record
        self.models = models
        self.then, self.now = State(old), State(new)
        self.last = _last_outcomes(record)
        self.recorded = {entry.fact.step for _, entry in record if isinstance(entry.fact, StepFact)}
        self.inside = _substeps(record)
        self.changes: list[Change] = []
        self.order: dict[StepKey, int] = {}
        """Every step of the record, in the order in which they began."""
        self.had: dict[StepKey, _Had] = {}
        """What a step was and was given then, until it is compared."""
        self.given: dict[StepKey, tuple[Leaf[..., Any], dict[str, Json]]] = {}
        """What a step is and is given today, until it is run; not of those where that has changed."""
        self.met: set[StepKey] = set()
        self.late: dict[StepKey, list[Counted]] = {}
        """Steps that are not there yet today, and what the record says of them."""
        self.ran = 0

    async def go(self) -> Replayed:
        first = self.record[0].entry
        apply(self.then, first.fact, first.at)
        assert isinstance(first.fact, (RunStarted, RunForked))  # noqa: S101 - what a journal begins with
        inputs = split_object(first.fact.input)
        missing = [name for name in self.now.graph.signature.params if name not in inputs]
        if missing:
            self._change("", "input", f"the graph takes {', '.join(map(repr, missing))}, which the run was not given")
            return self._found()
        with suppress(_Broken):
            self._fold(first.fact, first.at, StepKey(""))
            for counted in self.record[1:]:
                await self._follow(counted)
                apply(self.then, counted.entry.fact, counted.entry.at)
            await self._end()
        return self._found()

    def _found(self) -> Replayed:
        changed = {change.step for change in self.changes}
        last = len(self.order)
        changes = sorted(self.changes, key=lambda change: self.order.get(change.step, last))
        agree = len(self.met - changed)
        return Replayed(agree, self.ran, tuple(changes), self.then.status in ENDED)

    def _change(self, step: str, kind: Kind, what: str, difference: Difference | None = None) -> None:
        self.changes.append(Change(StepKey(step), kind, what, difference))

    def _fold(self, fact: Fact, at: float, key: StepKey) -> None:
        try:
            apply(self.now, newest(fact), at)
        except (KeyError, TypeError, IndexError) as error:
            self._change(key, "output", f"the graph asks it for {error}, which the record has not got; nothing follows")
            raise _Broken from error

    # One fact.

    async def _follow(self, counted: Counted) -> None:
        fact = counted.entry.fact
        if not isinstance(fact, StepFact):
            if isinstance(fact, (RunResumed, RunRewound)):
                self._fold(fact, counted.entry.at, StepKey(""))
            return
        key = fact.step
        if key not in self.order:
            self.order[key] = len(self.order)
            if (step := find(self.then, key)) is not None:
                self.had[key] = _Had(step.node, input_values(step))
        if key not in self.met:
            self.late.setdefault(key, []).append(counted)
            if await self._catch_up(key, late=len(self.late[key]) > 1):
                return
            # What is new today and has no effect may be what it waits for.
            while key in self.late and await self._do_unrecorded():
                await self._catch_up(key, late=len(self.late[key]) > 1)
            return
        await self._take(counted, fact)

    async def _catch_up(self, key: StepKey, *, late: bool) -> bool:
        """Take what the record says of a step, if it is there by now."""
        step = find(self.now, key)
        if step is None:
            return False
        before = len(self.changes)
        self._meet(step)
        if late and len(self.changes) == before:
            self._change(key, "order", "begins later than it did: it waits for more than it waited for then")
        for counted in self.late.pop(key):
            fact = counted.entry.fact
            assert isinstance(fact, StepFact)  # noqa: S101 - only such are put off
            await self._take(counted, fact)
        return True

    def _meet(self, step: Step) -> None:
        """Compare what a step is and is given today with what it was and was given then."""
        key = step.key
        self.met.add(key)
        had = self.had.pop(key, None)
        if had is None:
            return
        if not same_definition(had.node, step.node):
            self._change(key, "node", f"is {step.node!r} today, and was {had.node!r}")
            return
        try:
            has = input_values(step)
        except (KeyError, TypeError, IndexError) as error:
            self._change(key, "input", f"takes {error}, which the record has not got")
            return
        was = join_object({name: upcast(tag, text)[1] if tag else text for name, (text, tag) in had.inputs.items()})
        now = {name: value.text for name, value in has.items()}
        difference = differ(was, join_object(now))
        if difference is not None:
            self._change(key, "input", "is given something else than it was", difference)
        else:
            self.given[key] = (step.node, now)

    async def _take(self, counted: Counted, fact: StepFact) -> None:
        """Fold what the record says; where it is an outcome, find out what today's code makes of it first."""
        key = fact.step
        if key not in self.now.steps and key not in self.now.strays:
            return  # its scope has ended without it
        if self.last.get(key) is fact and isinstance(fact, (StepFinished, StepFailed)):
            given = self.given.pop(key, None)
            if given is not None and isinstance(given[0], FunctionNode):
                await self._compare(counted.run, given[0], given[1], fact)
        self._fold(fact, counted.entry.at, key)

    # Running a step.

    async def _compare(
        self, run: RunId, node: FunctionNode[..., Any], given: Mapping[str, Json], fact: StepFinished | StepFailed
    ) -> None:
        """Run a step's own code, if it has no effect but what the record answers, and compare what comes of it."""
        note: Mapping[str, Any] = from_json(fact.note) if fact.note else {}
        asks = (
            node.kind in _ASKS and "model" in note and isinstance(fact, StepFinished)
        )  # else its answers are not kept
        if note.get("overridden") or not (asks or node.policy.effect == "none"):
            return
        output = fact.value if isinstance(fact, StepFinished) else b'""'
        before = len(self.changes)
        models = self.models(note, output, partial(self._asked, fact.step))
        if models is None:
            return
        self.ran += 1
        found = await self._run(run, node, given, fact.step, fact.attempt, note, models)
        if len(self.changes) > before:
            return  # what it asked or took differs: what it made of the answers says nothing more
        was = failed(fact.failure) if isinstance(fact, StepFailed) else fact.value
        if isinstance(found, Failure):
            kind, what, now = ("failure", "fails today", failed(found))
        else:
            kind, what, now = ("output", "makes something else of the same input", found[0])
            if isinstance(fact, StepFinished):
                was = upcast(fact.type, fact.value)[1]
        if isinstance(fact, StepFailed):
            kind, what = "failure", "fails otherwise today" if isinstance(found, Failure) else "does not fail today"
        difference = differ(was, now)
        if difference is not None:
            self._change(fact.step, kind, what, difference)  # type: ignore[arg-type] # mypy widens the literals

    async def _run(  # noqa: PLR0917 - what an attempt is made of
        self,
        run: RunId,
        node: FunctionNode[..., Any],
        given: Mapping[str, Json],
        key: StepKey,
        attempt: int,
        note: Mapping[str, Any],
        models: Mapping[str, Any],
    ) -> tuple[Json, str] | Failure:
        taken = _Taken(note.get("taken", {}))
        context = Context(
            run=run,
            step=key,
            attempt=attempt,
            models=models,
            resources=Resources(),
            clock=_StandingClock(),
            seed=f"{self.now.seed}/{key}",
            live=lambda text: None,
            perform=_Inside(self.inside.get(key, {}), taken).perform,
            replayed=taken.next,
        )
        token = current.set(context)
        try:
            values = node.read(given)
            if node.is_async:
                result = await node.fn(**values)
            else:
                result = await anyio.to_thread.run_sync(partial(node.fn, **values), abandon_on_cancel=True)
            return written(node, result)
        except Exception as error:
            return describe(error, node)
        finally:
            current.reset(token)
            if taken.lacking:
                self._change(key, "taken", f"takes {taken.lacking} today, which the record has not got")

    def _asked(self, key: StepKey, then: Any, now: Any) -> None:
        if then is None:
            self._change(key, "request", "asks a model one question more than it did", differ(b"null", to_json(now)))
        else:
            self._change(key, "request", "asks a model something else", differ(to_json(then), to_json(now)))

    async def _do_unrecorded(self) -> bool:
        """Run the steps that are new today and have no effect, since others may wait for them."""
        ready = [
            step
            for step in self.now.steps.values()
            if step.phase == READY
            and not step.parked
            and step.key not in self.recorded
            and isinstance(step.node, FunctionNode)
            and step.node.policy.effect == "none"
        ]
        for step in ready:
            node = step.node
            assert isinstance(node, FunctionNode)  # noqa: S101 - as selected
            self.order[step.key] = len(self.order)
            self._change(step.key, "not recorded", f"is run today, and was not then: {node!r}")
            models = self.models({}, b'""', partial(self._asked, step.key)) or {}
            self.ran += 1
            found = await self._run(self.record[0].run, node, texts_of(step), step.key, 1, {}, models)
            self._fold(StepStarted(step.key, 1), 0.0, step.key)
            if isinstance(found, Failure):
                self._change(step.key, "failure", f"fails: {found.type}: {found.message}")
                self._fold(StepFailed(step.key, 1, found), 0.0, step.key)
            else:
                self._fold(StepFinished(step.key, 1, *found), 0.0, step.key)
        return bool(ready)

    # The end.

    async def _end(self) -> None:
        while True:
            found = [await self._catch_up(key, late=True) for key in list(self.late)]
            if not any(found) and not await self._do_unrecorded():
                break
        if self.late:
            first, *others = self.late
            more = f", and {len(others)} after it" if others else ""
            self._change(first, "never reached", f"was run then, and is not today{more}")
        if self.then.status in ENDED:
            self._end_of_run()

    def _end_of_run(self) -> None:
        """Compare how the run ended."""
        was, now = self.then.result, self.now.result
        if was is not None and now is not None:
            difference = differ(upcast(was.tag, was.text)[1], now.text)
            if difference is not None:
                self._change("", "result", "the run's result is another", difference)
        elif self.now.blame is not None and self.then.blame is None:
            blame = self.now.blame
            self._change(blame.step, "failure", f"fails today: {blame.failure.type}: {blame.failure.message}")
        elif self.then.blame is not None and self.now.blame is None:
            blame = self.then.blame
            self._change(
                blame.step, "failure", f"failed then, not today: {blame.failure.type}: {blame.failure.message}"
            )
        elif was is not None:
            for step in self.now.steps.values():
                if step.parked:
                    continue
                then = "was stopped then" if step.key in self.order else "was not then"
                self._change(step.key, "not recorded", f"is run today, and {then}: {step.node!r}")


class _Broken(Exception):
    """The fold over today's graph cannot go on."""


@dataclass(frozen=True, slots=True)
class _Had:
    """What a step was then, and what it was given."""

    node: Leaf[..., Any]
    inputs: Mapping[str, Value]


class Unrecorded(GraphrtError):
    """Raised in a step that is replayed when it takes what the record has not got. The replay names the step."""


class _Taken:
    """What a step took from its context then: times, ids, its seed."""

    def __init__(self, found: Mapping[str, list[Any]]) -> None:
        self._left = {kind: iter(values) for kind, values in found.items()}
        self.lacking = ""

    def next(self, kind: str) -> Any:
        """Hand back the next one."""
        for value in self._left.get(kind, iter(())):
            return value
        self.lacking = _WORDS.get(kind, kind)
        raise Unrecorded(f"this step takes {self.lacking} once more than it did when it was recorded")


_WORDS = {"now": "the time", "uuid": "a new id", "random": "random numbers"}


class _Inside:
    """The parts of a step's work, as they were recorded (D4)."""

    def __init__(self, found: Mapping[str, SubstepFinished], taken: _Taken) -> None:
        self._found = found
        self._taken = taken
        self._used: Counter[str] = Counter()

    async def perform(
        self, outer: Context, node: FunctionNode[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Hand back what a part came to."""
        del outer, args, kwargs
        self._used[node.name] += 1
        count = self._used[node.name]
        name = node.name if count == 1 else f"{node.name}-{count}"
        await anyio.lowlevel.checkpoint()
        if name not in self._found:
            self._taken.lacking = f"step({name})"
            raise Unrecorded(f"this step does the part {name!r}, which it did not when it was recorded")
        found = newest(self._found[name])
        assert isinstance(found, SubstepFinished)  # noqa: S101 - a newer one of its kind
        return node.signature.returns.read(found.value)


class _StandingClock:
    """A clock for a step that is replayed: nobody waits. The times a step takes come from its record."""

    def now(self) -> float:
        """See Clock.now."""
        return 0.0

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return 0.0

    async def wait(self, event: anyio.Event, seconds: float | None) -> None:
        """See Clock.wait."""
        del event, seconds
        await anyio.lowlevel.checkpoint()


def _last_outcomes(record: Sequence[Counted]) -> dict[StepKey, Fact]:
    """Return what each step came to in the end."""
    return {entry.fact.step: entry.fact for _, entry in record if isinstance(entry.fact, (StepFinished, StepFailed))}


def _substeps(record: Sequence[Counted]) -> dict[StepKey, dict[str, SubstepFinished]]:
    found: dict[StepKey, dict[str, SubstepFinished]] = {}
    for _, entry in record:
        if isinstance(entry.fact, SubstepFinished):
            found.setdefault(entry.fact.step, {})[entry.fact.name] = entry.fact
    return found
