"""The pure heart: `apply(state, fact)` folds the journal; `graphrt.decide` says what to do next (E1).

No I/O, no clock, no random number. A run that is driven live and one that is folded from its journal pass through the
same two functions: resuming is not a second code path.

How it works. A run is a tree of scopes: one for every dag, machine and `each` in progress. Leaves are steps. A dag
scope is demand-driven: it asks for what it returns and for what nobody uses; asking for a vertex asks for what that
vertex is made of, except that `when` and `switch` ask for their condition first and then for one branch. A vertex whose
inputs are there becomes a step or an inner scope. A finished step delivers its value to its scope, which may finish and
deliver to the scope around it. Every delivery goes through one work list, so that depth costs no recursion.

What nobody needs any more (the losers of a `first`) is parked: ready steps are passed over, running ones get a Cancel
command. It is unparked if a branch that is chosen later asks for it after all, so no finished work is ever lost.

Costs. Work is proportional to what changes: a finished step touches its users, not the graph. An `each` is opened item
by item as permits allow: memory is O(limit) steps, not O(fan-out) (E5). `decide` only looks at what is ready; calling
it twice gives the same answer. Opening the next item of an `each` is the one thing it remembers, and that changes
nothing that a fact could tell.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json

from graphrt.dag import Dag
from graphrt.facts import (
    AttemptFailed,
    Emitted,
    Fact,
    Failure,
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
    StepFailed,
    StepFinished,
    StepStarted,
    StepUnknown,
    StepWaiting,
    SubstepFailed,
    SubstepFinished,
    SubstepStarted,
)
from graphrt.graph import Graph, Vertex, join_object, split_object
from graphrt.machine import Machine
from graphrt.node import Leaf, Node, WaitNode
from graphrt.tree import (
    ACTIVE,
    AWAITING,
    DELAYED,
    DONE,
    FAILED,
    GIVEN_UP,
    IDLE,
    READY,
    RUNNING,
    UNKNOWN,
    WAITING,
    Blame,
    Child,
    DagScope,
    EachScope,
    MachineScope,
    Scope,
    Slot,
    State,
    Step,
    Value,
    awaited,
    each_vertex,
    item_inputs,
    machine_inputs,
    queue_of,
    steps_under,
    under_parked,
    value_of,
    values_of,
)
from graphrt.types import Status, StepKey


def apply(state: State, fact: Fact, at: float = 0.0) -> None:
    """Fold one fact into the state. `at` is when it was recorded, in seconds since the epoch."""
    if state.strays and getattr(fact, "step", None) in state.strays:
        _apply_to_stray(state, fact)
    else:
        _APPLY[type(fact)](state, fact, at)
    if state.work:
        settle(state)


def _apply_to_stray(state: State, fact: Any) -> None:
    """A step whose scope is finished without it has said something: only its end is waited for."""
    if isinstance(fact, (StepFinished, AttemptFailed, StepFailed, StepUnknown, StepCancelled)):
        del state.strays[fact.step]


def _started(state: State, fact: StepStarted, at: float) -> None:
    step = _find(state, fact.step)
    _take_out(state, step)
    step.phase, step.attempt, step.tries = RUNNING, fact.attempt, step.tries + 1
    step.began = at if step.began is None else step.began
    step.intent, step.doubt, step.checked = fact.intent, None, ""
    state.running[fact.step] = step


def _finished(state: State, fact: StepFinished, _: float) -> None:
    step = _find(state, fact.step)
    _take_out(state, step)
    del state.steps[fact.step]
    state.finished += 1
    _deliver(state, step.scope, step.vertex, step.item, Value(fact.value, fact.type))


def _attempt_failed(state: State, fact: AttemptFailed, _: float) -> None:
    step = _find(state, fact.step)
    _take_out(state, step)
    step.phase, step.wake, step.intent = DELAYED, fact.retry_at, None
    state.delayed[fact.step] = step
    heapq.heappush(state.alarms, (fact.retry_at, fact.step))
    state.retries += 1


def _failed(state: State, fact: StepFailed, _: float) -> None:
    step = _find(state, fact.step)
    _take_out(state, step)
    step.phase, step.intent = GIVEN_UP, None
    blame = Blame(fact.step, step.node.name, fact.attempt, fact.failure)
    _fail(state, step.scope, step.vertex, step.item, blame)


def _unknown(state: State, fact: StepUnknown, _: float) -> None:
    step = _find(state, fact.step)
    if step.phase == UNKNOWN:
        step.checked = f"{fact.failure.type}: {fact.failure.message}"
        return
    _take_out(state, step)
    step.doubt = fact.failure
    _doubt(state, step)


def _waiting(state: State, fact: StepWaiting, at: float) -> None:
    step = _find(state, fact.step)
    _take_out(state, step)
    step.phase, step.attempt, step.wait = AWAITING, fact.attempt, fact
    step.began = at if step.began is None else step.began
    state.awaiting[fact.step] = step
    if fact.until is not None:
        heapq.heappush(state.timers, (fact.until, fact.step))


def _cancelled(state: State, fact: StepCancelled, _: float) -> None:
    step = _find(state, fact.step)
    _take_out(state, step)
    _enqueue(state, step)


def _substep(state: State, fact: SubstepStarted | SubstepFinished | SubstepFailed, _: float) -> None:
    step = _find(state, fact.step)
    subs = dict(step.subs or {})
    match fact:
        case SubstepStarted(name=name, intent=intent):
            subs[name] = intent
        case SubstepFinished(name=name, value=value, type=tag):
            subs[name] = Value(value, tag)
        case SubstepFailed(name=name):
            subs.pop(name, None)
    step.subs = subs
    if not isinstance(fact, SubstepStarted) and step.phase == UNKNOWN and step.intent is None:
        # It was given up in doubt of one of its substeps, which is settled now: it may run again.
        _take_out(state, step)
        _enqueue(state, step)


def _begin(state: State, fact: RunStarted | RunForked, _: float) -> None:
    state.seed = fact.seed
    state.models = dict(fact.models) if isinstance(fact, RunForked) else {}
    inputs = {name: Value(text, _input_tag(state.graph, name)) for name, text in split_object(fact.input).items()}
    state.root = _open_graph(state, state.graph, "", (None, 0, 0), inputs, 0)


def _status(status: Status) -> Callable[[State, Any, float], None]:
    def apply_status(state: State, _: Any, __: float) -> None:
        state.status = status

    return apply_status


def _nothing(state: State, fact: Any, at: float) -> None:
    """What a node said while it ran, and what was said to it in vain, moves nothing."""


def settle(state: State) -> None:
    """Work off the list of what follows, until nothing does."""
    while state.work:
        state.work.popleft()(state)


def _input_tag(graph: Graph[..., Any], name: str) -> str:
    param = graph.signature.params.get(name)
    return param.port.tag if param else ""


def _find(state: State, key: StepKey) -> Step:
    step = find(state, key)
    if step is None:
        raise KeyError(f"the journal speaks of step {key!r}, which this graph does not have here")
    return step


def find(state: State, key: StepKey) -> Step | None:
    """Return an open step by its key, opening the items of `each` that lead to it if they are not open yet; None if it
    is not open."""
    step = state.steps.get(key)
    position = -1
    while step is None:
        position = key.find("[", position + 1)
        if position < 0:
            return None
        cursor = _each_at(state, key[:position])
        index = int(key[position + 1 : key.index("]", position)])
        if cursor is not None and index < len(cursor.items):
            open_item(state, cursor, index)
            settle(state)
        step = state.steps.get(key)
    return step


def _each_at(state: State, prefix: str) -> EachScope | None:
    return next((queue.cursors[prefix] for queue in state.queues.values() if prefix in queue.cursors), None)


# Opening: a node becomes a step or a scope.


def _open(  # noqa: PLR0917 - what a place in the tree is made of
    state: State,
    node: Node[..., Any],
    key: str,
    slot: tuple[Scope, int, int],
    inputs: Callable[[], dict[str, Value]],
    depth: int,
) -> Child | None:
    """Open a node; None if its budget forbids it, which fails the place it was to be opened for, or if that place is
    gone."""
    if slot[0].gone:
        return None
    if isinstance(node, Leaf):
        step = Step(StepKey(key), node, *slot)
        state.steps[step.key] = step
        _enqueue(state, step)
        return step
    if isinstance(node, Graph):
        if isinstance(node, Dag) and depth >= node.max_depth and _recursion(node, slot[0]) >= node.max_depth:
            what = f"{node.name!r} called itself {node.max_depth} deep; end the recursion or raise max_depth"
            blame = Blame(StepKey(key), node.name, 1, Failure("BudgetExceeded", what, retryable=False))
            state.work.append(lambda s: _fail(s, *slot, blame))
            return None
        return _open_graph(state, node, key + "/", slot, inputs(), depth + 1)
    raise TypeError(f"{node!r} cannot run: it is neither a function nor a graph")


def _open_graph(  # noqa: PLR0917 - as above
    state: State, graph: Graph[..., Any], prefix: str, slot: Slot, inputs: dict[str, Value], depth: int
) -> DagScope | MachineScope:
    if isinstance(graph, Machine):
        text = join_object({name: value.text for name, value in inputs.items()})
        machine = MachineScope(graph, prefix, slot, Value(text, graph.start.__name__), depth)
        _enter_state(state, machine)
        return machine
    assert isinstance(graph, Dag)  # noqa: S101 - there are two kinds of graphs
    dag = DagScope(graph, prefix, slot, inputs, depth)
    for root in sorted(dag.plan.roots):
        _demand(state, dag, root)
    if not dag.plan.roots:
        state.work.append(lambda s: _finish_dag(s, dag))
    return dag


def _recursion(graph: Dag[..., Any], scope: Scope | None) -> int:
    count = 0
    while scope is not None:
        count += isinstance(scope, DagScope) and scope.graph.origin is graph.origin
        scope = scope.parent
    return count


def _enqueue(state: State, step: Step) -> None:
    step.phase, step.intent = READY, None
    step.parked = bool(state.parks) and under_parked(step)
    if step.parked:
        return
    if isinstance(step.node, WaitNode):
        state.asking[step.key] = step
    else:
        queue_of(state, step.node.policy.limit).steps[step.key] = step


def _dequeue(state: State, step: Step) -> None:
    if isinstance(step.node, WaitNode):
        state.asking.pop(step.key, None)
    else:
        queue_of(state, step.node.policy.limit).steps.pop(step.key, None)


def _take_out(state: State, step: Step) -> None:
    """Take a step out of where its phase has put it."""
    phase = step.phase
    if phase == RUNNING:
        state.running.pop(step.key, None)
    elif phase == READY:
        _dequeue(state, step)
    elif phase == DELAYED:
        state.delayed.pop(step.key, None)
    elif phase == UNKNOWN:
        state.unknown.pop(step.key, None)
    elif phase == AWAITING:
        state.awaiting.pop(step.key, None)


def _doubt(state: State, step: Step) -> None:
    """Nobody knows whether the effect of a step was done."""
    step.phase, step.checked = UNKNOWN, ""
    state.unknown[step.key] = step


# Dags.


def _demand(state: State, scope: DagScope, wanted: int) -> None:
    """Ask for a vertex, and for what it is made of."""
    todo = [wanted]
    while todo:
        index = todo.pop()
        if scope.status[index] != IDLE:
            continue
        scope.status[index] = WAITING
        needs = scope.plan.needs[index]
        todo.extend(reversed(needs))
        _await(state, scope, index, needs)


def _await(state: State, scope: DagScope, index: int, needs: tuple[int, ...]) -> None:
    """Let a vertex wait for others; it goes on at once if all are there, and fails if it can never get them."""
    vertex = scope.graph.vertices[index]
    if vertex.kind in {"first", "quorum"}:
        state.work.append(lambda s: _race(s, scope, vertex))
        return
    scope.missing[index] = sum(scope.status[need] != DONE for need in needs)
    if scope.missing[index] == 0:
        state.work.append(lambda s: _activate(s, scope, index))
        return
    for need in needs:
        if scope.status[need] == FAILED:
            blame = scope.blame[need]
            state.work.append(lambda s, blame=blame: _fail(s, scope, index, 0, blame))  # type: ignore[misc]
            return


def _activate(state: State, scope: DagScope, index: int) -> None:
    """Everything a vertex waits for is there."""
    if scope.status[index] != WAITING:
        return
    vertex = scope.graph.vertices[index]
    match vertex.kind:
        case "call":
            assert vertex.node is not None  # noqa: S101 - calls have nodes
            scope.status[index] = ACTIVE
            key = scope.prefix + vertex.name
            child = _open(
                state, vertex.node, key, (scope, index, 0), lambda: values_of(scope, vertex.uses), scope.depth
            )
            if child is not None:
                scope.child[index] = child
        case "each":
            scope.status[index] = ACTIVE
            _open_each(state, scope, vertex)
        case "when" | "switch":
            _choose(state, scope, vertex)
        case "first" | "quorum":
            _race(state, scope, vertex)


def _choose(state: State, scope: DagScope, vertex: Vertex) -> None:
    chosen = scope.choice.get(vertex.index)
    if chosen is not None:
        _deliver_vertex(state, scope, vertex.index, value_of(scope, vertex.uses[chosen]))
        return
    if vertex.kind == "when":
        chosen = "then" if value_of(scope, vertex.uses["if"]).text == b"true" else "else"
    else:
        found = value_of(scope, vertex.uses["on"]).text
        chosen = f"={found.decode()}"
        if chosen not in vertex.uses:
            chosen = "default"
        if chosen not in vertex.uses:
            cases = ", ".join(use[1:] for use in vertex.uses if use.startswith("="))
            failure = Failure(
                "NoSuchCase", f"got {found.decode()[:200]}, the cases are {cases}; add it or a default", retryable=False
            )
            _fail(state, scope, vertex.index, 0, Blame(StepKey(scope.prefix + vertex.name), vertex.name, 1, failure))
            return
    scope.choice[vertex.index] = chosen
    needs = scope.plan.branches[vertex.index][chosen]
    for need in needs:
        _demand(state, scope, need)
    if scope.parked:
        _rebalance(state, scope)
    _await(state, scope, vertex.index, needs)


def _race(state: State, scope: DagScope, vertex: Vertex) -> None:
    """See whether enough options have arrived, or can still arrive."""
    if scope.status[vertex.index] != WAITING:
        return
    arrived, lost = [], None
    branches = scope.plan.branches[vertex.index]
    alive = len(branches)
    for use, needs in branches.items():
        if all(scope.status[need] == DONE for need in needs):
            arrived.append(use)
        elif failed := [need for need in needs if scope.status[need] == FAILED]:
            alive -= 1
            lost = scope.blame[failed[0]]
    if len(arrived) >= vertex.wins:
        won = [value_of(scope, vertex.uses[use]) for use in arrived[: vertex.wins]]
        joined = Value(b"[" + b",".join(each.text for each in won) + b"]", "")
        value = won[0] if vertex.kind == "first" else joined
        _deliver_vertex(state, scope, vertex.index, value)
        _rebalance(state, scope)
    elif alive < vertex.wins and lost is not None:
        _fail(state, scope, vertex.index, 0, lost)


def _deliver(state: State, scope: Scope | None, vertex: int, item: int, value: Value) -> None:
    """Hand a value to the place that waits for it."""
    match scope:
        case None:
            state.result = value
        case DagScope():
            _deliver_vertex(state, scope, vertex, value)
        case EachScope():
            scope.child.pop(item, None)
            if scope.results[item] is None:
                scope.results[item] = value.text
                scope.left -= 1
            if scope.left == 0:
                texts = [text for text in scope.results if text is not None]
                _drop_cursor(state, scope)
                done = Value(b"[" + b",".join(texts) + b"]", "")
                state.work.append(lambda s: _deliver(s, scope.parent, scope.vertex, scope.item, done))
        case MachineScope():
            scope.current = value
            scope.child = None
            scope.transitions += 1
            state.work.append(lambda s: _enter_state(s, scope))


def _deliver_vertex(state: State, scope: DagScope, index: int, value: Value) -> None:
    if scope.status[index] == DONE:
        return
    scope.status[index] = DONE
    scope.values[index] = value
    scope.child.pop(index, None)
    if index in scope.parked:
        scope.parked.discard(index)
        state.parks -= 1
    vertices, status = scope.graph.vertices, scope.status
    for user in scope.plan.users[index]:
        if status[user] != WAITING:
            continue
        if vertices[user].kind in {"first", "quorum"}:
            state.work.append(lambda s, user=user: _race(s, scope, vertices[user]))  # type: ignore[misc]
            continue
        if vertices[user].lazy and index not in awaited(scope, user):
            continue
        scope.missing[user] -= 1
        if scope.missing[user] == 0:
            state.work.append(lambda s, user=user: _activate(s, scope, user))  # type: ignore[misc]
    for source in scope.plan.sources[index]:
        scope.left[source] -= 1
        _forget(scope, source)
    _forget(scope, index)
    if index in scope.plan.roots:
        scope.roots_left -= 1
        if scope.roots_left == 0:
            state.work.append(lambda s: _finish_dag(s, scope))


def _forget(scope: DagScope, index: int) -> None:
    """Drop a value once its last user has what it wanted: a state is as large as its frontier (D6)."""
    if scope.left[index] == 0 and index not in scope.plan.output:
        scope.values.pop(index, None)


def _finish_dag(state: State, scope: DagScope) -> None:
    value = value_of(scope, scope.graph.output)
    if not value.tag:  # put together or a field of something: of the type that the dag returns
        value = Value(value.text, scope.graph.signature.returns.tag)
    _discard(state, scope)
    _deliver(state, scope.parent, scope.vertex, scope.item, value)


def _discard(state: State, finished: DagScope) -> None:
    """Let go of what a finished dag has left: parked steps that nothing can ask for any more."""
    todo: list[Child | None] = [finished]
    while todo:
        match todo.pop():
            case DagScope() as dag:
                dag.gone = True
                state.parks -= len(dag.parked)
                todo.extend(dag.child.values())
            case EachScope() as each:
                each.gone = True
                _drop_cursor(state, each)
                todo.extend(each.child.values())
            case MachineScope() as machine:
                machine.gone = True
                todo.append(machine.child)
            case Step() as step:
                del state.steps[step.key]
                if step.phase == RUNNING:
                    state.strays[step.key] = None
                _take_out(state, step)
            case None:
                pass


# Machines.


def _enter_state(state: State, scope: MachineScope) -> None:
    """Run the handler of the current state, or end."""
    graph = scope.graph
    name = scope.current.tag.partition("#")[0]
    current = graph.by_name.get(name)
    if current in graph.ends:
        _deliver(state, scope.parent, scope.vertex, scope.item, scope.current)
        return
    handler = graph.handlers.get(current) if current is not None else None
    place = StepKey(scope.prefix + graph.name)
    if handler is None:
        failure = Failure(
            "NoSuchState", f"{graph.name!r} got a {name or 'nameless value'}, which nobody handles", retryable=False
        )
        _fail_machine(state, scope, Blame(place, graph.name, 1, failure))
        return
    if scope.transitions >= graph.max_transitions:
        failure = Failure(
            "BudgetExceeded",
            f"{graph.name!r} took {graph.max_transitions} transitions without an end; "
            f"end the loop or raise max_transitions",
            retryable=False,
        )
        _fail_machine(state, scope, Blame(place, graph.name, 1, failure))
        return
    visit = scope.visits[handler.node.name] = scope.visits.get(handler.node.name, 0) + 1
    key = f"{scope.prefix}{handler.node.name}#{visit}"
    scope.child = _open(
        state, handler.node, key, (scope, 0, 0), lambda: machine_inputs(scope, handler.whole), scope.depth
    )


def _fail_machine(state: State, scope: MachineScope, blame: Blame) -> None:
    scope.blame = blame
    _fail_up(state, scope, blame)


# Each.


def _open_each(state: State, scope: DagScope, vertex: Vertex) -> None:
    assert vertex.node is not None  # noqa: S101 - calls have nodes
    if scope.gone:
        return
    items = from_json(value_of(scope, vertex.uses[vertex.items_for]).text)
    if not items:
        _deliver_vertex(state, scope, vertex.index, Value(b"[]", ""))
        return
    shared = values_of(scope, {name: expr for name, expr in vertex.uses.items() if name != vertex.items_for})
    each = EachScope(scope.prefix + vertex.name, (scope, vertex.index, 0), items, shared, scope.depth)
    scope.child[vertex.index] = each
    queue_of(state, _cursor_limit(each)).cursors[each.prefix] = each


def _cursor_limit(scope: EachScope) -> str | None:
    node = each_vertex(scope).node
    return node.policy.limit if isinstance(node, Leaf) else None


def _drop_cursor(state: State, scope: EachScope) -> None:
    queue_of(state, _cursor_limit(scope)).cursors.pop(scope.prefix, None)


def open_item(state: State, scope: EachScope, index: int) -> None:
    """Open one item of an `each`, unless it was opened before."""
    if scope.take(index):
        _open_again(state, scope, index)


def _open_again(state: State, scope: EachScope, index: int) -> None:
    node = each_vertex(scope).node
    assert node is not None  # noqa: S101 - calls have nodes
    child = _open(
        state, node, f"{scope.prefix}[{index}]", (scope, 0, index), lambda: item_inputs(scope, index), scope.depth
    )
    if child is None:
        scope.refused.append(index)
    else:
        scope.child[index] = child


# Failure.


def _fail(state: State, scope: Scope, vertex: int, item: int, blame: Blame) -> None:
    """Give up what failed, and what cannot do without it."""
    match scope:
        case EachScope():
            scope.blame = scope.blame or blame
            state.work.append(lambda s: _fail_up(s, scope, blame))
        case MachineScope():
            scope.blame = blame
            state.work.append(lambda s: _fail_up(s, scope, blame))
        case DagScope():
            if scope.status[vertex] in {DONE, FAILED}:
                return
            scope.status[vertex] = FAILED
            scope.blame[vertex] = blame
            for user in scope.plan.users[vertex]:
                if scope.status[user] != WAITING:
                    continue
                kind = scope.graph.vertices[user]
                if kind.kind in {"first", "quorum"}:
                    state.work.append(lambda s, kind=kind: _race(s, scope, kind))  # type: ignore[misc]
                elif not kind.lazy or vertex in awaited(scope, user):
                    state.work.append(lambda s, user=user: _fail(s, scope, user, 0, blame))  # type: ignore[misc]
            if vertex in scope.plan.roots:
                state.work.append(lambda s: _fail_up(s, scope, blame))


def _fail_up(state: State, scope: Scope, blame: Blame) -> None:
    if scope.parent is None:
        state.blame = state.blame or blame
    else:
        _fail(state, scope.parent, scope.vertex, scope.item, blame)


# Parking: what nobody needs any more, for now.


def _needed(scope: DagScope) -> set[int]:
    """Return the vertices without a value that the scope still wants."""
    needed: set[int] = set()
    todo = list(scope.plan.roots)
    while todo:
        index = todo.pop()
        if index in needed or scope.status[index] == DONE:
            continue
        needed.add(index)
        todo.extend(awaited(scope, index))
    return needed


def _rebalance(state: State, scope: DagScope) -> None:
    """Park what is not needed any more, and unpark what is needed after all."""
    needed = _needed(scope)
    for index, status in enumerate(scope.status):
        if status not in {WAITING, ACTIVE}:
            continue
        if index not in needed and index not in scope.parked:
            scope.parked.add(index)
            state.parks += 1
            for step in steps_under(scope.child.get(index)):
                step.parked = True
                _dequeue(state, step)
        elif index in needed and index in scope.parked:
            scope.parked.discard(index)
            state.parks -= 1
            for step in steps_under(scope.child.get(index)):
                if not under_parked(step):
                    step.parked = False
                    if step.phase == READY:
                        _enqueue(state, step)


# Resuming.


def _resume(state: State, _: Any, __: float) -> None:
    """Take up a run again: what was in flight is ready once more, or unknown if it must not be repeated, and what had
    failed gets another chance.

    A run that was suspended had nothing in flight; it goes on as if it had never stopped, its retries counted on.
    """
    suspended, state.status = state.status == "suspended", "running"
    if suspended:
        for step in state.unknown.values():
            step.checked = ""
        return
    for step in list(state.running.values()):
        _take_out(state, step)
        if step.intent is None:
            _enqueue(state, step)
        else:
            step.doubt = None
            _doubt(state, step)
    state.strays.clear()
    for step in state.steps.values():
        step.tries, step.began, step.checked = 0, None, ""
        if step.phase == GIVEN_UP:
            _enqueue(state, step)
    state.blame = None
    todo: list[Child | None] = [state.root]
    while todo:
        match todo.pop():
            case DagScope() as dag:
                todo.extend(dag.child.values())
                _revive(state, dag)
            case EachScope() as each:
                todo.extend(each.child.values())
                each.blame = None
                todo_items, each.refused = each.refused, []
                for index in todo_items:
                    state.work.append(lambda s, each=each, index=index: _open_again(s, each, index))  # type: ignore[misc]
            case MachineScope() as machine:
                todo.append(machine.child)
                if machine.blame is not None and machine.child is None:
                    state.work.append(lambda s, machine=machine: _enter_state(s, machine))  # type: ignore[misc]
                machine.blame = None
            case _:
                pass


def _revive(state: State, scope: DagScope) -> None:
    failed = [index for index, status in enumerate(scope.status) if status == FAILED]
    scope.blame.clear()
    for index in failed:
        scope.status[index] = ACTIVE if index in scope.child else WAITING
    for index in failed:
        if scope.status[index] == WAITING:
            _await(state, scope, index, awaited(scope, index))
    if failed and scope.plan.racing:
        _rebalance(state, scope)


_APPLY: dict[type[Any], Callable[[State, Any, float], None]] = {
    StepStarted: _started,
    StepFinished: _finished,
    AttemptFailed: _attempt_failed,
    StepFailed: _failed,
    StepUnknown: _unknown,
    StepWaiting: _waiting,
    StepCancelled: _cancelled,
    SubstepStarted: _substep,
    SubstepFinished: _substep,
    SubstepFailed: _substep,
    Emitted: _nothing,
    MessageRefused: _nothing,
    RunStarted: _begin,
    RunForked: _begin,
    RunResumed: _resume,
    RunRewound: _resume,
    RunSuspended: _status("suspended"),
    RunFinished: _status("finished"),
    RunFailed: _status("failed"),
    RunCancelled: _status("cancelled"),
}
"""What each class of facts does. A test compares it with the vocabulary."""
