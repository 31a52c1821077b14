"""`decide(state)`: what to do next, read from a run as it stands (E1).

The commands are data; the scheduler acts on them. Nothing here reads a clock or draws a random number.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

from pydantic_core import from_json

from graphrt.facts import Failure
from graphrt.journal import Message
from graphrt.node import FunctionNode, WaitNode
from graphrt.state import open_item, settle
from graphrt.tree import (
    AWAITING,
    DONE,
    UNKNOWN,
    WAITING,
    Blame,
    Child,
    DagScope,
    EachScope,
    MachineScope,
    Queue,
    State,
    Step,
    awaited,
    input_values,
    under_parked,
)
from graphrt.types import Json, StepKey


class Start(NamedTuple):
    """Dispatch an attempt of a step."""

    step: StepKey
    attempt: int
    tries: int
    """Attempts since the run began or was resumed, this one included: what a retry policy counts."""
    began: float | None
    """When its first attempt was dispatched, in seconds since the epoch; None if this is the first."""
    node: FunctionNode[..., Any]
    inputs: dict[str, Json]
    lineage: str | None


class Check(NamedTuple):
    """Find out what became of a `once` effect whose outcome is unknown. To be passed over while it is being done."""

    step: StepKey
    attempt: int
    tries: int
    began: float | None
    doubt: Failure | None
    """Why it is unknown, where an attempt has told; None after a crash."""
    node: FunctionNode[..., Any]
    inputs: dict[str, Json]
    lineage: str | None


@dataclass(frozen=True, slots=True)
class Await:
    """Let a step begin to wait for the world."""

    step: StepKey
    attempt: int
    node: WaitNode[..., Any]
    inputs: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Due:
    """A timer's time has come: what it passes on is its output."""

    step: StepKey
    attempt: int
    value: Json
    tag: str
    lineage: str | None


@dataclass(frozen=True, slots=True)
class Suspend:
    """Everything waits for the world: until a timer is due or a retry may be made, or for a message alone."""

    until: float | None
    patient: bool
    """Whether nothing but a person can move it: there is no point in lingering."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a running step."""

    step: StepKey


@dataclass(frozen=True, slots=True)
class Finish:
    """The run has its result."""

    value: Json
    tag: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The run cannot go on."""

    blame: Blame


@dataclass(frozen=True, slots=True)
class Stuck:
    """Nothing runs, nothing waits for the world, and the run is not finished (E10)."""

    waiting: tuple[str, ...]


Command = Start | Check | Await | Due | Suspend | Cancel | Finish | Fail | Stuck


def decide(state: State, now: float, room: Callable[[str | None], int]) -> list[Command]:
    """Say what to do next.

    `now` is in seconds since the epoch; `room(name)` says how many more steps may start under a named limit,
    `room(None)` how many in all. The commands depend on nothing else.
    """
    if state.status != "running":
        return []
    if state.result is not None:
        return [Cancel(key) for key in (*state.running, *state.strays)] or [Finish(*state.result)]
    if state.blame is not None and state.graph.on_failure == "cancel":
        return [Cancel(key) for key in (*state.running, *state.strays)] or [Fail(state.blame)]
    commands: list[Command] = [Cancel(key) for key in state.strays] if state.strays else []
    if state.parks:
        commands.extend(Cancel(step.key) for step in state.running.values() if step.parked)
    commands.extend(_starts(state, now, room))
    if state.asking:
        commands.extend(
            Await(step.key, step.attempt + 1, step.node, texts_of(step))
            for step in state.asking.values()
            if isinstance(step.node, WaitNode)
        )
    if state.timers:
        commands.extend(_due(state, now))
    if state.unknown:
        commands.extend(_checks(state))
    if not commands and not state.running and not _can_start(state, now):
        return [_rest(state, now)]
    return commands


def _rest(state: State, now: float) -> Command:
    """Say what it means that nothing runs and nothing can start."""
    pauses = [step.wake for step in state.delayed.values() if not step.parked]
    waits = [step for step in state.awaiting.values() if not step.parked]
    doubts = [step for step in state.unknown.values() if not step.parked]
    if pauses or waits or doubts:
        timers = [step.wait.until for step in waits if step.wait is not None and step.wait.until is not None]
        people = all(step.wait is not None and step.wait.what == "person" for step in waits)
        return Suspend(min([*pauses, *timers], default=None), patient=people and not pauses)
    return Fail(state.blame) if state.blame is not None else Stuck(tuple(waiting(state)))


def _due(state: State, now: float) -> Iterator[Due]:
    """Yield the timers whose time has come, in that order."""
    heap = state.timers
    while heap and (heap[0][1] not in state.awaiting):
        heapq.heappop(heap)
    for until, key in sorted(entry for entry in heap if entry[0] <= now) if heap and heap[0][0] <= now else ():
        step = state.awaiting.get(key)
        if step is None or step.parked or step.wait is None or step.wait.until != until:
            continue
        value = input_values(step)["value"]
        yield Due(key, step.attempt, value.text, value.tag or step.node.signature.returns.tag, lineage_of(step))


def _checks(state: State) -> Iterator[Check]:
    for step in state.unknown.values():
        if step.intent is None or step.checked or step.parked or not isinstance(step.node, FunctionNode):
            continue
        if step.node.check is not None:
            yield Check(
                step.key,
                step.attempt,
                step.tries,
                step.began,
                step.doubt,
                step.node,
                texts_of(step),
                lineage_of(step),
            )


def next_timer(state: State) -> float | None:
    """Return when the next awaited timer is due, of those that somebody still needs."""
    heap = state.timers
    while heap and heap[0][1] not in state.awaiting:
        heapq.heappop(heap)
    if not state.parks:
        return heap[0][0] if heap else None
    waits = ((until, state.awaiting.get(key)) for until, key in heap)
    return min((until for until, step in waits if step is not None and not step.parked), default=None)


class Delivery(NamedTuple):
    """A message and the step that it is for."""

    message: Message
    step: Step
    substep: str = ""


def deliver(state: State, mail: Sequence[Message]) -> list[Delivery]:
    """Match messages with the steps that wait for them, each with one: a signal goes to whoever waited for its name
    first, an answer or a decision to the step it names. What nobody waits for stays in the inbox."""
    taken: set[StepKey] = set()
    found: list[Delivery] = []
    for message in mail:
        delivery = _recipient(state, message, taken)
        if delivery is not None:
            taken.add(delivery.step.key)
            found.append(delivery)
    return found


def _recipient(state: State, message: Message, taken: set[StepKey]) -> Delivery | None:
    key = StepKey(message.name)
    match message.kind:
        case "signal":
            for step in state.awaiting.values():
                wait = step.wait
                if (
                    wait is not None
                    and (wait.what, wait.name) == ("signal", message.name)
                    and not step.parked
                    and step.key not in taken
                ):
                    return Delivery(message, step)
        case "answer":
            waits = state.awaiting.get(key)
            if waits is not None and waits.wait is not None and waits.wait.what == "person" and key not in taken:
                return Delivery(message, waits)
        case "done" | "not done":
            doubted = state.unknown.get(key)
            if doubted is not None and doubted.intent is not None and key not in taken:
                return Delivery(message, doubted)
            outer, _, name = key.rpartition("/")
            around = state.unknown.get(StepKey(outer))
            if around is not None and isinstance((around.subs or {}).get(name), str) and around.key not in taken:
                return Delivery(message, around, name)
        case "cancel":
            pass
    return None


def in_flight(state: State) -> int:
    """Return how many steps run, those that nobody needs any more included."""
    return len(state.running) + len(state.strays)


def delayed(state: State, now: float) -> tuple[list[Step], float | None]:
    """Return the delayed steps whose time has come, in that order, and when the next one's may come."""
    heap, waits = state.alarms, state.delayed
    while heap and (heap[0][1] not in waits or waits[heap[0][1]].wake != heap[0][0]):
        heapq.heappop(heap)
    due: list[tuple[float, StepKey]] = []
    later: float | None = None
    todo = [0]
    while todo:
        index = todo.pop()
        if index >= len(heap):
            continue
        wake, key = heap[index]
        if wake > now:
            later = wake if later is None else min(later, wake)
            continue
        todo += (2 * index + 1, 2 * index + 2)
        if key in waits and waits[key].wake == wake and not waits[key].parked:
            due.append((wake, key))
    return [waits[key] for _, key in sorted(set(due))], later


def wanted(state: State, now: float) -> set[str]:
    """Return the named limits under which something could start."""
    if (
        state.status != "running"
        or state.result is not None
        or (state.blame is not None and state.graph.on_failure == "cancel")
    ):
        return set()
    limits = {limit for limit, queue in state.queues.items() if queue.steps or _open_cursor(state, queue) is not None}
    if state.alarms:
        limits.update(step.node.policy.limit for step in delayed(state, now)[0])
    return {limit for limit in limits if limit is not None}


def _starts(state: State, now: float, room: Callable[[str | None], int]) -> Iterator[Start]:
    total = room(None)
    most = total + in_flight(state)
    free: dict[str | None, int] = {}
    taken: dict[str | None, int] = {}
    if state.alarms and total > 0:
        for step in delayed(state, now)[0]:
            limit = step.node.policy.limit
            left = free.setdefault(limit, total if limit is None else room(limit))
            if left > 0 and total > 0:
                free[limit] -= 1
                total -= 1
                yield _start(step)
    opened = True
    while opened and total > 0:
        opened = False
        for limit, queue in list(state.queues.items()):
            left = free.setdefault(limit, total if limit is None else room(limit))
            before = taken.get(limit, 0)
            for step in list(islice(queue.steps.values(), before, before + max(0, min(total, left)))):
                taken[limit] = taken.get(limit, 0) + 1
                free[limit] -= 1
                total -= 1
                yield _start(step)
            if not queue.cursors:
                continue
            # No more steps are opened than could run at once: what waits for a permit stays an index into a list (E5).
            queued = sum(len(other.steps) for other in state.queues.values()) - sum(taken.values())
            short = min(total, free[limit], most - queued)
            while short > 0 and _open_next(state, queue):
                short -= 1
                opened = True


def _open_next(state: State, queue: Queue) -> bool:
    cursor = _open_cursor(state, queue)
    if cursor is None:
        return False
    open_item(state, cursor, cursor.next)
    settle(state)
    return True


def _open_cursor(state: State, queue: Queue) -> EachScope | None:
    """Return the first `each` that may open another item, dropping those that have none left."""
    for cursor in list(queue.cursors.values()) if queue.cursors else ():
        if cursor.next >= len(cursor.items):
            del queue.cursors[cursor.prefix]
        elif not (state.parks and under_parked(cursor)):
            return cursor
    return None


def _start(step: Step) -> Start:
    assert isinstance(step.node, FunctionNode)  # noqa: S101 - waits are not queued
    return Start(step.key, step.attempt + 1, step.tries + 1, step.began, step.node, texts_of(step), lineage_of(step))


def texts_of(step: Step) -> dict[str, Json]:
    """Return what a step runs on, as JSON texts."""
    return {name: value.text for name, value in input_values(step).items()}


def lineage_of(step: Step) -> str | None:
    """Return the lineage of a step's output: a machine's states are versions of one value."""
    return (step.scope.prefix or ".") if isinstance(step.scope, MachineScope) else None


def _can_start(state: State, now: float) -> bool:
    """Return whether something that is still needed could start, were there room."""
    if state.alarms and delayed(state, now)[0]:
        return True
    return any(queue.steps or _open_cursor(state, queue) is not None for queue in state.queues.values())


def waiting(state: State) -> Iterator[str]:
    """Yield a line for everything that waits, and for what (E10)."""
    todo: list[Child | None] = [state.root]
    while todo:
        match todo.pop():
            case DagScope() as dag:
                todo.extend(dag.child.values())
                for index, status in enumerate(dag.status):
                    if status == WAITING:
                        missing = [
                            dag.graph.vertices[need].name for need in awaited(dag, index) if dag.status[need] != DONE
                        ]
                        name = dag.prefix + dag.graph.vertices[index].name
                        yield f"{name} waits for {', '.join(missing) or 'nothing'}"
            case EachScope(child=children):
                todo.extend(children.values())
            case MachineScope(child=inner):
                todo.append(inner)
            case Step(key=key, phase=phase):
                if phase not in {AWAITING, UNKNOWN}:
                    yield f"{key} waits to be started"
            case None:
                pass


class Pending(NamedTuple):
    """Something that a run waits for from outside."""

    what: Literal["signal", "person", "timer", "pause", "decision"]
    """`pause`: a retry is to be made later. `decision`: nobody knows whether an effect was done."""
    step: StepKey
    """The step, or the substep that is in doubt."""
    name: str = ""
    """A signal's name, what a person is asked, or why nobody knows."""
    until: float | None = None
    since: float | None = None
    """When it began to wait, or its effect was first dispatched."""
    note: Json | None = None
    """For a person's answer: who is meant and the schema of the answer, a JSON object."""


def _doubt(step: Step) -> str:
    why = "its process ended before the outcome was recorded"
    if step.doubt is not None:
        why = f"{step.doubt.type}: {step.doubt.message}"
    return f"{why}; its check could not say: {step.checked}" if step.checked else why


def pending(state: State) -> list[Pending]:
    """Return what a run waits for from outside, in the order in which it began to."""
    found: list[Pending] = []
    for step in state.awaiting.values():
        if step.wait is not None and not step.parked:
            name = step.wait.name
            if step.wait.what == "person" and step.wait.note is not None:
                name = str(from_json(step.wait.note).get("question", ""))
            found.append(Pending(step.wait.what, step.key, name, step.wait.until, step.began, step.wait.note))
    for step in state.unknown.values():
        if not step.parked:
            doubts = [name for name, made in (step.subs or {}).items() if isinstance(made, str)]
            keys = [step.key] if step.intent is not None else [StepKey(f"{step.key}/{name}") for name in doubts]
            found.extend(Pending("decision", key, _doubt(step), None, step.began) for key in keys)
    found.extend(
        Pending("pause", step.key, "", step.wake, step.began) for step in state.delayed.values() if not step.parked
    )
    return found
