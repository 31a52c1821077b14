"""A folded state as JSON and back: what lets a run resume in O(frontier) instead of O(history) (D6).

A snapshot is a cache. It holds nothing that folding the journal from its start would not give, and it is passed over
when it was made under another structure or another schema.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic_core import from_json, to_json

from graphrt.dag import Dag
from graphrt.facts import Failure, StepWaiting
from graphrt.graph import Graph, nodes_of
from graphrt.machine import Machine
from graphrt.node import Leaf, Node
from graphrt.tree import (
    DELAYED,
    DONE,
    RUNNING,
    WAITING,
    Blame,
    Child,
    DagScope,
    EachScope,
    MachineScope,
    Scope,
    State,
    Step,
    Value,
    awaited,
    each_vertex,
    queue_of,
)
from graphrt.types import Json, StepKey

FORMAT = 2


def dump(state: State) -> Json:
    """Write the state as JSON."""
    return to_json(
        {
            "format": FORMAT,
            "schema": schema(state.graph),
            "status": state.status,
            "seed": state.seed,
            "finished": state.finished,
            "retries": state.retries,
            "blame": state.blame,
            "result": state.result,
            "strays": list(state.strays),
            "asking": list(state.asking),
            "awaiting": list(state.awaiting),
            "unknown": list(state.unknown),
            "models": state.models,
            "root": _dump(state.root),
            "queues": [[limit, list(queue.steps), list(queue.cursors)] for limit, queue in state.queues.items()],
        }
    )


def load(graph: Graph[..., Any], text: Json) -> State | None:
    """Read a state back, or return None if the snapshot was made under another schema or by another version."""
    found = from_json(text)
    if found["format"] != FORMAT or found["schema"] != schema(graph):
        return None
    state = State(graph)
    state.status = found["status"]
    state.seed, state.finished, state.retries = found["seed"], found["finished"], found["retries"]
    state.blame = _blame(found["blame"])
    state.result = None if found["result"] is None else _value(found["result"])
    cursors: dict[str, EachScope] = {}
    root = _load(state, graph, found["root"], (None, 0, 0), "", 0, cursors)
    assert isinstance(root, (DagScope, MachineScope))  # noqa: S101 - a run's root is a graph
    state.root = root
    for limit, steps, prefixes in found["queues"]:
        queue = queue_of(state, limit)
        queue.steps.update((key, state.steps[key]) for key in steps)
        queue.cursors.update((prefix, cursors[prefix]) for prefix in prefixes)
    state.strays = dict.fromkeys(StepKey(key) for key in found["strays"])
    state.asking = {key: state.steps[key] for key in found["asking"]}
    state.awaiting = {key: state.steps[key] for key in found["awaiting"]}
    state.unknown = {key: state.steps[key] for key in found["unknown"]}
    state.models = found["models"]
    state.alarms = sorted((step.wake, step.key) for step in state.delayed.values())
    state.timers = sorted(
        (step.wait.until, step.key) for step in state.awaiting.values() if step.wait and step.wait.until is not None
    )
    return state


@lru_cache(maxsize=1024)
def schema(graph: Graph[..., Any]) -> str:
    """Return what a snapshot's values depend on: the structure, and every type with its fields. Worked out once."""
    signatures = [node.signature for node in nodes_of(graph)]
    tags = {port.tag for each in signatures for port in (each.returns, *(param.port for param in each.params.values()))}
    digest = hashlib.sha256("\n".join(sorted(tags)).encode()).hexdigest()
    return f"{graph.fingerprint}:{digest[:12]}"


def _dump(child: Child | None) -> Any:
    match child:
        case None:
            return None
        case Step():
            return ["s", child.attempt, child.tries, child.began, child.wake, child.phase, child.parked, _rest(child)]
        case DagScope():
            return [
                "d",
                child.inputs,
                child.status.decode("latin-1").translate(_DIGITS),
                child.values,
                child.choice,
                {index: _dump(inner) for index, inner in child.child.items()},
                sorted(child.parked),
                child.blame,
            ]
        case MachineScope():
            return ["m", child.current, child.visits, child.transitions, _dump(child.child), child.blame]
        case EachScope():
            return [
                "e",
                to_json(child.items, inf_nan_mode="strings").decode(),
                child.shared,
                child.results,
                child.next,
                sorted(child.opened),
                child.refused,
                {index: _dump(inner) for index, inner in child.child.items()},
                child.blame,
            ]


def _rest(step: Step) -> Any:
    """Write what few steps have."""
    if step.intent is None and step.wait is None and step.subs is None and step.doubt is None and not step.checked:
        return None
    wait = step.wait
    waits = None if wait is None else [wait.what, wait.name, wait.until, wait.note]
    return [step.intent, step.doubt, step.checked, step.subs, waits]


_DIGITS = {code: str(code) for code in range(10)}


def _load(  # noqa: PLR0917 - what a place in the tree is made of
    state: State,
    node: Node[..., Any],
    found: Any,
    slot: tuple[Scope | None, int, int],
    key: str,
    depth: int,
    cursors: dict[str, EachScope],
) -> Child | None:
    if found is None:
        return None
    kind, *rest = found
    if kind == "s":
        assert isinstance(node, Leaf) and slot[0] is not None  # noqa: S101, PT018 - only leaves are steps
        return _load_step(state, node, rest, (slot[0], slot[1], slot[2]), key)
    prefix = key + "/" if key else ""
    if kind == "m":
        assert isinstance(node, Machine)  # noqa: S101 - as recorded
        current, visits, transitions, inner, blame = rest
        machine = MachineScope(node, prefix, slot, _value(current), depth)
        machine.visits, machine.transitions, machine.blame = visits, transitions, _blame(blame)
        if inner is not None:
            state_class = node.by_name[machine.current.tag.partition("#")[0]]
            handler = node.handlers[state_class].node
            place = f"{prefix}{handler.name}#{visits[handler.name]}"
            machine.child = _load(state, handler, inner, (machine, 0, 0), place, _deeper(handler, depth), cursors)
        return machine
    assert isinstance(node, Dag)  # noqa: S101 - as recorded
    return _load_dag(state, node, rest, slot, prefix, depth, cursors)


def _load_step(state: State, node: Leaf[..., Any], found: list[Any], slot: tuple[Scope, int, int], key: str) -> Step:
    step = Step(StepKey(key), node, *slot)
    step.attempt, step.tries, step.began, step.wake, step.phase, step.parked, rest = found
    if rest is not None:
        step.intent, doubt, checked, subs, waits = rest
        step.checked = checked if isinstance(checked, str) else "no reason was kept" if checked else ""  # older ones
        step.doubt = None if doubt is None else Failure(**doubt)
        step.subs = subs and {name: made if isinstance(made, str) else _value(made) for name, made in subs.items()}
        if waits is not None:
            what, name, until, note = waits
            step.wait = StepWaiting(step.key, step.attempt, what, name, until, None if note is None else note.encode())
    state.steps[step.key] = step
    if step.phase == RUNNING:
        state.running[step.key] = step
    elif step.phase == DELAYED:
        state.delayed[step.key] = step
    return step


def _load_dag(  # noqa: PLR0917 - as above
    state: State,
    graph: Dag[..., Any],
    found: list[Any],
    slot: tuple[Scope | None, int, int],
    prefix: str,
    depth: int,
    cursors: dict[str, EachScope],
) -> DagScope:
    inputs, status, values, choice, children, parked, blame = found
    scope = DagScope(graph, prefix, slot, {name: _value(value) for name, value in inputs.items()}, depth)
    scope.status = bytearray(int(digit) for digit in status)
    scope.values = {int(index): _value(value) for index, value in values.items()}
    scope.choice = {int(index): use for index, use in choice.items()}
    scope.parked = set(parked)
    state.parks += len(scope.parked)
    scope.blame = {int(index): made for index, each in blame.items() if (made := _blame(each)) is not None}
    scope.left = [sum(scope.status[user] != DONE for user in users) for users in scope.plan.users]
    scope.roots_left = sum(scope.status[index] != DONE for index in scope.plan.roots)
    for index, where in enumerate(scope.status):
        if where == WAITING:
            scope.missing[index] = sum(scope.status[need] != DONE for need in awaited(scope, index))
    for text, child in children.items():
        index = int(text)
        vertex = graph.vertices[index]
        place = prefix + vertex.name
        assert vertex.node is not None  # noqa: S101 - what runs has a node
        if child[0] == "e":
            scope.child[index] = _load_each(state, child[1:], (scope, index, 0), place, depth, cursors)
        else:
            inner = _load(state, vertex.node, child, (scope, index, 0), place, _deeper(vertex.node, depth), cursors)
            assert inner is not None  # noqa: S101 - children are recorded only where there are some
            scope.child[index] = inner
    return scope


def _load_each(  # noqa: PLR0917 - as above
    state: State,
    found: list[Any],
    slot: tuple[DagScope, int, int],
    prefix: str,
    depth: int,
    cursors: dict[str, EachScope],
) -> EachScope:
    items, shared, results, next_, opened, refused, children, blame = found
    scope = EachScope(prefix, slot, from_json(items), {name: _value(value) for name, value in shared.items()}, depth)
    scope.results = [None if text is None else text.encode() for text in results]
    scope.left = sum(text is None for text in results)
    scope.next, scope.opened, scope.refused, scope.blame = next_, set(opened), refused, _blame(blame)
    cursors[prefix] = scope
    node = each_vertex(scope).node
    assert node is not None  # noqa: S101 - an each has a node
    for text, child in children.items():
        inner = _load(state, node, child, (scope, 0, int(text)), f"{prefix}[{text}]", _deeper(node, depth), cursors)
        assert inner is not None  # noqa: S101 - children are recorded only where there are some
        scope.child[int(text)] = inner
    return scope


def _deeper(node: Node[..., Any], depth: int) -> int:
    return depth + 1 if isinstance(node, Graph) else depth


def _value(found: list[str]) -> Value:
    return Value(found[0].encode(), found[1])


def _blame(found: Any) -> Blame | None:
    if found is None:
        return None
    step, node, attempt, failure = found
    record: Mapping[str, Any] = failure
    return Blame(StepKey(step), node, attempt, Failure(**record))
