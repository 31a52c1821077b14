"""What a run looks like while it is under way: a tree of scopes, with steps as its leaves.

Data only, with the few questions that more than one module asks of it. `graphrt.state` folds facts into it,
`graphrt.decide` reads what to do next from it, `graphrt.snapshot` writes it down.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import to_json

from graphrt.check import sinks
from graphrt.dag import Dag
from graphrt.facts import Failure, StepWaiting
from graphrt.graph import Arg, Const, Expr, Graph, Ref, Vertex, assemble, project, refs, split_object
from graphrt.machine import Machine
from graphrt.node import Leaf
from graphrt.types import Json, Status, StepKey

IDLE, WAITING, ACTIVE, DONE, FAILED = range(5)
"""Where a vertex stands: not asked for; asked for, inputs missing; running; delivered; given up."""

READY, RUNNING, DELAYED, GIVEN_UP, UNKNOWN, AWAITING = range(6)
"""Where a step stands: may start; started; to be tried again later; failed for good; dispatched with an outcome that
nobody knows; waiting for the world."""


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


class Step:
    """A leaf: one execution of a function, or one wait."""

    __slots__ = (
        "attempt", "began", "checked", "doubt", "intent", "item", "key", "node", "parked", "phase", "scope", "subs",
        "tries", "vertex", "wait", "wake",
    )  # fmt: skip

    def __init__(self, key: StepKey, node: Leaf[..., Any], scope: Scope, vertex: int, item: int) -> None:
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
        self.intent: str | None = None
        """The key of a `once` effect that was dispatched and has no outcome."""
        self.doubt: Failure | None = None
        """Why the outcome is unknown, where an attempt has told; None after a crash."""
        self.checked = ""
        """Why its check could not say what became of it, where it could not."""
        self.wait: StepWaiting | None = None
        self.subs: dict[str, Value | str] | None = None
        """What its substeps came to, by name; for a `once` substep without an outcome, the key of its intent."""


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
        self.models: Mapping[str, str] = {}
        """Model bindings of this run's own, where a fork has others than its runtime: role to URI."""
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
        self.asking: dict[StepKey, Step] = {}
        """Steps that are to begin waiting for the world."""
        self.awaiting: dict[StepKey, Step] = {}
        """Steps that wait for the world, in the order in which they began to."""
        self.timers: list[tuple[float, StepKey]] = []
        """A heap of when awaited timers are due; entries of steps that no longer wait are passed over."""
        self.unknown: dict[StepKey, Step] = {}
        """Steps of which nobody knows whether their effect was done."""
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


def queue_of(state: State, limit: str | None) -> Queue:
    """Return the queue under a limit."""
    queue = state.queues.get(limit)
    if queue is None:
        queue = state.queues[limit] = Queue()
    return queue


def awaited(scope: DagScope, index: int) -> tuple[int, ...]:
    """Return what a vertex waits for, as far as its branch is chosen."""
    chosen = scope.choice.get(index)
    return scope.plan.needs[index] if chosen is None else scope.plan.branches[index][chosen]


def each_vertex(scope: EachScope) -> Vertex:
    """Return the vertex an `each` was drawn as."""
    assert isinstance(scope.parent, DagScope)  # noqa: S101 - an each is drawn in a dag
    return scope.parent.graph.vertices[scope.vertex]


def steps_under(child: Child | None) -> Iterator[Step]:
    """Yield the steps of a scope, at any depth."""
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


def under_parked(child: Step | EachScope) -> bool:
    """Return whether anything around a step or an `each` is parked."""
    scope: Scope | None = child.scope if isinstance(child, Step) else child.parent
    vertex = child.vertex
    while scope is not None:
        if isinstance(scope, DagScope) and vertex in scope.parked:
            return True
        vertex, scope = scope.vertex, scope.parent
    return False


def values_of(scope: DagScope, uses: Mapping[str, Expr]) -> dict[str, Value]:
    """Put together what a vertex is made of."""
    return {name: value_of(scope, expr) for name, expr in uses.items()}


def value_of(scope: DagScope, expr: Expr) -> Value:
    """Put together the value of an expression whose vertices have theirs."""
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


def input_values(step: Step) -> dict[str, Value]:
    """Return what an open step runs on."""
    match step.scope:
        case DagScope() as scope:
            return values_of(scope, scope.graph.vertices[step.vertex].uses)
        case EachScope() as scope:
            return item_inputs(scope, step.item)
        case MachineScope() as scope:
            return machine_inputs(scope, next(iter(step.node.signature.params)))


def item_inputs(scope: EachScope, index: int) -> dict[str, Value]:
    """Return what one item of an `each` runs on."""
    return {
        each_vertex(scope).items_for: Value(to_json(scope.items[index], inf_nan_mode="strings"), ""),
        **scope.shared,
    }


def machine_inputs(scope: MachineScope, whole: str | None) -> dict[str, Value]:
    """Return what the handler of the current state runs on: the state under one name, or its fields."""
    if whole is not None:
        return {whole: scope.current}
    return {name: Value(text, "") for name, text in split_object(scope.current.text).items()}
