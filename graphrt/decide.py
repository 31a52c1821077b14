"""`decide(state)`: what to do next, read from a run as it stands (E1).

The commands are data; the scheduler acts on them. Nothing here reads a clock or draws a random number.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from graphrt.node import FunctionNode
from graphrt.state import open_item, settle
from graphrt.tree import (
    DONE,
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
    inputs_of,
    under_parked,
)
from graphrt.types import Json, StepKey


@dataclass(frozen=True, slots=True)
class Start:
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


Command = Start | Cancel | Finish | Fail | Stuck


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
    commands: list[Command] = [Cancel(key) for key in state.strays]
    if state.parks:
        commands.extend(Cancel(step.key) for step in state.running.values() if step.parked)
    commands.extend(_starts(state, now, room))
    if not commands and not state.running and not _anything_ahead(state):
        return [Fail(state.blame) if state.blame is not None else Stuck(tuple(waiting(state)))]
    return commands


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
    scope = step.scope
    lineage = (scope.prefix or ".") if isinstance(scope, MachineScope) else None
    texts = {name: value.text for name, value in inputs_of(step).items()}
    return Start(step.key, step.attempt + 1, step.tries + 1, step.began, step.node, texts, lineage)


def _anything_ahead(state: State) -> bool:
    """Return whether something that is still needed can start, now or later."""
    if any(queue.steps or _open_cursor(state, queue) is not None for queue in state.queues.values()):
        return True
    return any(not step.parked for step in state.delayed.values())


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
            case Step(key=key):
                yield f"{key} waits to be started"
            case None:
                pass
