"""The pure heart: `apply(state, fact)` folds the journal, `decide(state)` says what to do next (E1).

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
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from graphrt.check import sinks
from graphrt.dag import Dag
from graphrt.facts import (
    AttemptFailed,
    Emitted,
    Fact,
    Failure,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
)
from graphrt.graph import Arg, Const, Expr, Graph, Ref, Vertex, assemble, join_object, project, refs, split_object
from graphrt.machine import Machine
from graphrt.node import FunctionNode, Node
from graphrt.types import Json, Status, StepKey

IDLE, WAITING, ACTIVE, DONE, FAILED = range(5)
"""Where a vertex stands: not asked for; asked for, inputs missing; running; delivered; given up."""

READY, RUNNING, DELAYED, GIVEN_UP = range(4)
"""Where a step stands."""


class Value(NamedTuple):
    """A JSON text and the registered name of its type; the name is empty where nobody knows it exactly."""

    text: Json
    tag: str


class Blame(NamedTuple):
    """What a failure is put down to."""

    step: StepKey
    node: str
    attempt: int
    failure: Failure


# --- commands: what `decide` asks the scheduler to do -----------------------------------------------------------------


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


# --- the tree ---------------------------------------------------------------------------------------------------------


class Step:
    """A leaf: one execution of a function."""

    __slots__ = ("attempt", "began", "item", "key", "node", "parked", "phase", "scope", "tries", "vertex", "wake")

    def __init__(self, key: StepKey, node: FunctionNode[..., Any], scope: Scope, vertex: int, item: int) -> None:
        self.key = key
        self.node = node
        self.scope = scope
        self.vertex = vertex
        self.item = item
        self.attempt = 0
        self.tries = 0
        self.began: float | None = None
        self.wake = 0.0
        self.phase = READY
        self.parked = False


class DagScope:
    """A dag in progress."""

    __slots__ = (
        "blame", "child", "choice", "depth", "gone", "graph", "inputs", "item", "left", "missing", "parent",
        "parked", "plan",
        "prefix",
        "roots_left", "status", "values", "vertex",
    )  # fmt: skip

    def __init__(self, graph: Dag[..., Any], prefix: str, slot: Slot, inputs: dict[str, Value], depth: int) -> None:
        self.graph = graph
        self.plan = plan(graph)
        self.prefix = prefix
        self.parent, self.vertex, self.item = slot
        self.inputs = inputs
        self.depth = depth
        count = len(graph.vertices)
        self.status = bytearray(count)
        self.missing = [0] * count
        self.left = [len(users) for users in self.plan.users]
        self.values: dict[int, Value] = {}
        self.choice: dict[int, str] = {}
        self.child: dict[int, Child] = {}
        self.blame: dict[int, Blame] = {}
        self.parked: set[int] = set()
        self.gone = False
        """Nothing in it can matter any more."""
        self.roots_left = len(self.plan.roots)


class MachineScope:
    """A machine in progress: the state it is in, and how often each handler ran."""

    __slots__ = (
        "blame",
        "child",
        "current",
        "depth",
        "gone",
        "graph",
        "item",
        "parent",
        "prefix",
        "transitions",
        "vertex",
        "visits",
    )

    def __init__(self, graph: Machine[..., Any], prefix: str, slot: Slot, current: Value, depth: int) -> None:
        self.graph = graph
        self.prefix = prefix
        self.parent, self.vertex, self.item = slot
        self.current = current
        self.depth = depth
        self.visits: dict[str, int] = {}
        self.transitions = 0
        self.gone = False
        self.child: Child | None = None
        self.blame: Blame | None = None


class EachScope:
    """An `each` in progress: the items, the results so far, and the next item to open."""

    __slots__ = (
        "blame", "child", "depth", "gone", "item", "items", "left", "next", "opened", "parent", "prefix", "refused",
        "results", "shared",
        "vertex",
    )  # fmt: skip

    def __init__(self, prefix: str, slot: Slot, items: list[Any], shared: dict[str, Value], depth: int) -> None:
        self.prefix = prefix
        self.parent, self.vertex, self.item = slot
        self.items = items
        self.shared = shared
        self.depth = depth
        self.results: list[Json | None] = [None] * len(items)
        self.left = len(items)
        self.next = 0
        self.opened: set[int] = set()
        """Items opened out of turn, at or after `next`."""
        self.refused: list[int] = []
        """Items that a budget forbade."""
        self.child: dict[int, Child] = {}
        self.blame: Blame | None = None
        self.gone = False

    def take(self, index: int) -> bool:
        """Mark an item as opened; False if it was before."""
        if index < self.next or index in self.opened:
            return False
        self.opened.add(index)
        while self.next in self.opened:
            self.opened.discard(self.next)
            self.next += 1
        return True


Scope = DagScope | MachineScope | EachScope
Child = Step | DagScope | MachineScope | EachScope
Slot = tuple[Scope | None, int, int]


@dataclass(slots=True)
class Queue:
    """What may start under one limit: steps first, then the `each` scopes that can open more of them."""

    steps: OrderedDict[StepKey, Step] = field(default_factory=OrderedDict)
    """Ready and not parked, in the order they became so."""
    cursors: dict[str, EachScope] = field(default_factory=dict)
    """By their keys."""


class State:
    """A run as it stands: what folding its facts gives."""

    def __init__(self, graph: Graph[..., Any]) -> None:
        self.graph = graph
        self.status: Status = "running"
        self.root: DagScope | MachineScope | None = None
        self.result: Value | None = None
        self.blame: Blame | None = None
        self.seed = 0
        self.steps: dict[StepKey, Step] = {}
        self.running: dict[StepKey, Step] = {}
        self.delayed: dict[StepKey, Step] = {}
        self.alarms: list[tuple[float, StepKey]] = []
        """A heap of when delayed steps may start; entries of steps that are no longer delayed are passed over."""
        self.strays: dict[StepKey, None] = {}
        """Steps that still run although their scope is finished without them: they are only waited for."""
        self.queues: dict[str | None, Queue] = {}
        self.finished = 0
        self.retries = 0
        self.work: deque[Callable[[State], None]] = deque()
        self.parks = 0
        """How many vertices are parked anywhere."""


class Plan(NamedTuple):
    """What a dag scope asks of its graph again and again, worked out once."""

    needs: tuple[tuple[int, ...], ...]
    """Vertex -> what it asks for as soon as it is asked for."""
    branches: tuple[Mapping[str, tuple[int, ...]], ...]
    """Vertex -> use -> the vertices that this use is made of."""
    sources: tuple[tuple[int, ...], ...]
    """Vertex -> everything it may ever ask for."""
    users: tuple[tuple[int, ...], ...]
    roots: frozenset[int]
    output: frozenset[int]
    racing: tuple[int, ...]
    """The `first` and `quorum` vertices."""


@lru_cache(maxsize=1024)
def plan(graph: Dag[..., Any]) -> Plan:
    """Work out the plan of a dag."""
    count = len(graph.vertices)
    users: list[set[int]] = [set() for _ in range(count)]
    needs, branches, sources = [], [], []
    for vertex in graph.vertices:
        by_use = {use: tuple(dict.fromkeys(refs(expr))) for use, expr in vertex.uses.items()}
        first_asked = [by_use[use] for use in by_use if not vertex.lazy or use in {"if", "on"}]
        needs.append(tuple(dict.fromkeys(index for group in first_asked for index in group)))
        branches.append(by_use)
        sources.append(tuple(dict.fromkeys(index for group in by_use.values() for index in group)))
        for index in sources[-1]:
            users[index].add(vertex.index)
    output = frozenset(refs(graph.output))
    return Plan(
        tuple(needs),
        tuple(branches),
        tuple(sources),
        tuple(tuple(sorted(each)) for each in users),
        output | sinks(graph.vertices),
        output,
        tuple(vertex.index for vertex in graph.vertices if vertex.kind in {"first", "quorum"}),
    )


# --- apply ------------------------------------------------------------------------------------------------------------


def apply(state: State, fact: Fact, at: float = 0.0) -> None:
    """Fold one fact into the state. `at` is when it was recorded, in seconds since the epoch."""
    match fact:
        case StepFinished(step=key) | AttemptFailed(step=key) | StepFailed(step=key) | StepCancelled(step=key) if (
            key in state.strays
        ):
            del state.strays[key]
        case StepStarted(step=key, attempt=attempt):
            step = _find(state, key)
            _dequeue(state, step)
            step.phase, step.attempt, step.tries = RUNNING, attempt, step.tries + 1
            step.began = at if step.began is None else step.began
            state.delayed.pop(key, None)
            state.running[key] = step
        case StepFinished(step=key, value=value, type=tag):
            step = _find(state, key)
            state.running.pop(key, None)
            del state.steps[key]
            state.finished += 1
            _deliver(state, step.scope, step.vertex, step.item, Value(value, tag))
        case AttemptFailed(step=key, retry_at=wake):
            step = _find(state, key)
            state.running.pop(key, None)
            step.phase, step.wake = DELAYED, wake
            state.delayed[key] = step
            heapq.heappush(state.alarms, (wake, key))
            state.retries += 1
        case StepFailed(step=key, attempt=attempt, failure=failure):
            step = _find(state, key)
            state.running.pop(key, None)
            step.phase = GIVEN_UP
            _fail(state, step.scope, step.vertex, step.item, Blame(key, step.node.name, attempt, failure))
        case StepCancelled(step=key):
            _requeue(state, _find(state, key))
        case RunStarted(input=given, seed=seed):
            state.seed = seed
            inputs = {name: Value(text, _input_tag(state.graph, name)) for name, text in split_object(given).items()}
            state.root = _open_graph(state, state.graph, "", (None, 0, 0), inputs, 0)
        case RunResumed():
            _resume(state)
        case RunFinished():
            state.status = "finished"
        case RunFailed():
            state.status = "failed"
        case RunCancelled():
            state.status = "cancelled"
        case Emitted():
            pass
    _settle(state)


def _settle(state: State) -> None:
    while state.work:
        state.work.popleft()(state)


def _input_tag(graph: Graph[..., Any], name: str) -> str:
    param = graph.signature.params.get(name)
    return param.port.tag if param else ""


def _find(state: State, key: StepKey) -> Step:
    """Return a step by its key, opening the items of `each` that lead to it if a fact names one that is not open
    yet."""
    step = state.steps.get(key)
    position = -1
    while step is None:
        position = key.find("[", position + 1)
        if position < 0:
            raise KeyError(f"the journal speaks of step {key!r}, which this graph does not have here")
        cursor = _each_at(state, key[:position])
        if cursor is not None:
            _open_item(state, cursor, int(key[position + 1 : key.index("]", position)]))
            _settle(state)
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
    if isinstance(node, FunctionNode):
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
    step.phase = READY
    step.parked = bool(state.parks) and _under_parked(step)
    if not step.parked:
        queue_of(state, step.node.policy.limit).steps[step.key] = step


def _dequeue(state: State, step: Step) -> None:
    queue_of(state, step.node.policy.limit).steps.pop(step.key, None)


def queue_of(state: State, limit: str | None) -> Queue:
    """Return the queue under a limit."""
    queue = state.queues.get(limit)
    if queue is None:
        queue = state.queues[limit] = Queue()
    return queue


def _requeue(state: State, step: Step) -> None:
    state.running.pop(step.key, None)
    _enqueue(state, step)


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
            child = _open(state, vertex.node, key, (scope, index, 0), lambda: _values(scope, vertex.uses), scope.depth)
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
        _deliver_vertex(state, scope, vertex.index, _value(scope, vertex.uses[chosen]))
        return
    if vertex.kind == "when":
        chosen = "then" if _value(scope, vertex.uses["if"]).text == b"true" else "else"
    else:
        found = _value(scope, vertex.uses["on"]).text
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
        won = [_value(scope, vertex.uses[use]) for use in arrived[: vertex.wins]]
        joined = Value(b"[" + b",".join(each.text for each in won) + b"]", "")
        value = won[0] if vertex.kind == "first" else joined
        _deliver_vertex(state, scope, vertex.index, value)
        _rebalance(state, scope)
    elif alive < vertex.wins and lost is not None:
        _fail(state, scope, vertex.index, 0, lost)


def _values(scope: DagScope, uses: Mapping[str, Expr]) -> dict[str, Value]:
    return {name: _value(scope, expr) for name, expr in uses.items()}


def _value(scope: DagScope, expr: Expr) -> Value:
    match expr:
        case Ref(vertex=index, path=path):
            value = scope.values[index]
            return value if not path else Value(project(value.text, path), "")
        case Arg(name=name, path=path):
            value = scope.inputs[name]
            return value if not path else Value(project(value.text, path), "")
        case Const(text=text, tag=tag):
            return Value(text, tag)
        case _:
            texts = {name: value.text for name, value in scope.inputs.items()}
            return Value(assemble(expr, texts, lambda index: scope.values[index].text), "")


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


def awaited(scope: DagScope, index: int) -> tuple[int, ...]:
    """Return what a vertex waits for, as far as its branch is chosen."""
    chosen = scope.choice.get(index)
    return scope.plan.needs[index] if chosen is None else scope.plan.branches[index][chosen]


def _finish_dag(state: State, scope: DagScope) -> None:
    value = _value(scope, scope.graph.output)
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
                _dequeue(state, step)
                state.delayed.pop(step.key, None)
                if state.running.pop(step.key, None) is not None:
                    state.strays[step.key] = None
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
        state, handler.node, key, (scope, 0, 0), lambda: _machine_inputs(scope, handler.whole), scope.depth
    )


def _machine_inputs(scope: MachineScope, whole: str | None) -> dict[str, Value]:
    if whole is not None:
        return {whole: scope.current}
    return {name: Value(text, "") for name, text in split_object(scope.current.text).items()}


def _fail_machine(state: State, scope: MachineScope, blame: Blame) -> None:
    scope.blame = blame
    _fail_up(state, scope, blame)


# Each.


def _open_each(state: State, scope: DagScope, vertex: Vertex) -> None:
    assert vertex.node is not None  # noqa: S101 - calls have nodes
    if scope.gone:
        return
    items = from_json(_value(scope, vertex.uses[vertex.items_for]).text)
    if not items:
        _deliver_vertex(state, scope, vertex.index, Value(b"[]", ""))
        return
    shared = _values(scope, {name: expr for name, expr in vertex.uses.items() if name != vertex.items_for})
    each = EachScope(scope.prefix + vertex.name, (scope, vertex.index, 0), items, shared, scope.depth)
    scope.child[vertex.index] = each
    queue_of(state, _cursor_limit(each)).cursors[each.prefix] = each


def each_vertex(scope: EachScope) -> Vertex:
    """Return the vertex an `each` was drawn as."""
    assert isinstance(scope.parent, DagScope)  # noqa: S101 - an each is drawn in a dag
    return scope.parent.graph.vertices[scope.vertex]


def _cursor_limit(scope: EachScope) -> str | None:
    node = each_vertex(scope).node
    return node.policy.limit if isinstance(node, FunctionNode) else None


def _drop_cursor(state: State, scope: EachScope) -> None:
    queue_of(state, _cursor_limit(scope)).cursors.pop(scope.prefix, None)


def _open_item(state: State, scope: EachScope, index: int) -> None:
    if scope.take(index):
        _open_again(state, scope, index)


def _open_again(state: State, scope: EachScope, index: int) -> None:
    node = each_vertex(scope).node
    assert node is not None  # noqa: S101 - calls have nodes
    child = _open(
        state, node, f"{scope.prefix}[{index}]", (scope, 0, index), lambda: _item_inputs(scope, index), scope.depth
    )
    if child is None:
        scope.refused.append(index)
    else:
        scope.child[index] = child


def _item_inputs(scope: EachScope, index: int) -> dict[str, Value]:
    return {
        each_vertex(scope).items_for: Value(to_json(scope.items[index], inf_nan_mode="strings"), ""),
        **scope.shared,
    }


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
            for step in _steps_under(scope.child.get(index)):
                step.parked = True
                _dequeue(state, step)
        elif index in needed and index in scope.parked:
            scope.parked.discard(index)
            state.parks -= 1
            for step in _steps_under(scope.child.get(index)):
                if not _under_parked(step):
                    step.parked = False
                    if step.phase == READY:
                        _enqueue(state, step)


def _steps_under(child: Child | None) -> Iterator[Step]:
    todo: list[Child | None] = [child]
    while todo:
        match todo.pop():
            case Step() as step:
                yield step
            case DagScope(child=children) | EachScope(child=children):
                todo.extend(children.values())
            case MachineScope(child=inner):
                todo.append(inner)
            case None:
                pass


def _under_parked(child: Step | EachScope) -> bool:
    scope: Scope | None = child.scope if isinstance(child, Step) else child.parent
    vertex = child.vertex
    while scope is not None:
        if isinstance(scope, DagScope) and vertex in scope.parked:
            return True
        vertex, scope = scope.vertex, scope.parent
    return False


# Resuming.


def _resume(state: State) -> None:
    """Take up a run again: what was in flight is ready once more, and what had failed gets another chance."""
    state.status = "running"
    for step in list(state.running.values()):
        _requeue(state, step)
    state.strays.clear()
    for step in state.steps.values():
        step.tries, step.began = 0, None
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


# --- decide -----------------------------------------------------------------------------------------------------------


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
    _open_item(state, cursor, cursor.next)
    _settle(state)
    return True


def _open_cursor(state: State, queue: Queue) -> EachScope | None:
    """Return the first `each` that may open another item, dropping those that have none left."""
    for cursor in list(queue.cursors.values()) if queue.cursors else ():
        if cursor.next >= len(cursor.items):
            del queue.cursors[cursor.prefix]
        elif not (state.parks and _under_parked(cursor)):
            return cursor
    return None


def _start(step: Step) -> Start:
    scope = step.scope
    match scope:
        case DagScope():
            inputs = _values(scope, scope.graph.vertices[step.vertex].uses)
        case EachScope():
            inputs = _item_inputs(scope, step.item)
        case MachineScope():
            inputs = _machine_inputs(scope, next(iter(step.node.signature.params)))
    lineage = (scope.prefix or ".") if isinstance(scope, MachineScope) else None
    texts = {name: value.text for name, value in inputs.items()}
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
