"""The immutable definition: vertices, the expressions that join them, and what a dag and a machine have in common.

A graph is a node (G2). What is drawn in a `@dag` body becomes vertices; what stands between them becomes expressions,
which are assembled from JSON texts without reading them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import from_json, to_json

from graphrt.node import Node, P, R_co
from graphrt.shown import Shown
from graphrt.types import Json

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class Arg:
    """An input of the graph, or a field of it."""

    name: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ref:
    """The output of a vertex, or a field of it."""

    vertex: int
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Const:
    """A value known when the graph was drawn, and the registered name of its type."""

    text: Json
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list or tuple of expressions."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping from constant names to expressions."""

    fields: tuple[tuple[str, Expr], ...]


Expr = Arg | Ref | Const | Items | Fields

VertexKind = Literal["call", "each", "when", "switch", "first", "quorum"]


@dataclass(frozen=True, slots=True)
class Vertex:
    """One thing drawn in a dag. `uses` names what it is made of:

    `call`: parameter -> expression. `each`: the same, where `items_for` is the parameter that gets one item.
    `when`: `if`, `then`, `else`. `switch`: `on`, then one JSON text a case, and `default`. `first`, `quorum`: `0`, `1`,
    ...
    `when` and `switch` ask for a branch only once it is chosen; everything else asks for all it uses.
    """

    index: int
    name: str
    kind: VertexKind
    uses: Mapping[str, Expr]
    type: Any
    place: str
    node: Node[..., Any] | None = None
    items_for: str = ""
    wins: int = 1
    """How many options must arrive: 1 for `first`, k for `quorum`."""

    @property
    def lazy(self) -> bool:
        """Whether branches are asked for only once they are chosen."""
        return self.kind in {"when", "switch"}


def refs(expr: Expr) -> Iterator[int]:
    """Yield the vertices an expression is made of."""
    match expr:
        case Ref(vertex=vertex):
            yield vertex
        case Items(items=items):
            for item in items:
                yield from refs(item)
        case Fields(fields=fields):
            for _, item in fields:
                yield from refs(item)
        case _:
            return


def assemble(expr: Expr, inputs: Mapping[str, Json], value: Callable[[int], Json]) -> Json:
    """Write the JSON text of an expression."""
    match expr:
        case Ref(vertex=vertex, path=path):
            return project(value(vertex), path)
        case Arg(name=name, path=path):
            return project(inputs[name], path)
        case Const(text=text):
            return text
        case Items(items=items):
            return b"[" + b",".join(assemble(item, inputs, value) for item in items) + b"]"
        case Fields(fields=fields):
            return join_object({name: assemble(item, inputs, value) for name, item in fields})


def project(text: Json, path: tuple[str, ...]) -> Json:
    """Return the JSON text of a field."""
    if not path:
        return text
    value = from_json(text)
    for name in path:
        value = value[name]
    return to_json(value)


def join_object(members: Mapping[str, Json]) -> Json:
    """Write a JSON object whose members are already JSON texts."""
    return b"{" + b",".join(to_json(name) + b":" + text for name, text in members.items()) + b"}"


def split_object(text: Json) -> dict[str, Json]:
    """Take a JSON object apart into its members' texts."""
    return {name: to_json(value) for name, value in from_json(text).items()}


class Graph(Node[P, R_co], Shown):
    """A dag or a machine. Immutable once it is checked; a node like any other."""

    on_failure: Literal["cancel", "finish"] = "cancel"
    """What happens to the other running steps when one fails for good: stopped, or left to finish (E9)."""

    def ready(self) -> None:
        """Check the graph once and for all. Raises GraphError with every mistake."""

    @cached_property
    def fingerprint(self) -> str:
        """The structure as 12 hexadecimal digits: names, types and edges, not policies or code (G6)."""
        self.ready()
        return hashlib.sha256(to_json(self.structure())).hexdigest()[:12]

    def inner(self) -> Iterator[Node[..., Any]]:
        """Yield the nodes this graph is made of."""
        raise TypeError(f"{type(self).__name__} has no inner nodes")

    @cached_property
    def networkx(self) -> networkx.MultiDiGraph:
        """The graph as a frozen networkx.MultiDiGraph (G3)."""
        raise TypeError(f"{type(self).__name__} has no picture of itself")


def nodes_of(node: Node[..., Any]) -> Iterator[Node[..., Any]]:
    """Yield a node and all that it is made of, at any depth; what is inside a graph, once."""
    todo: list[Node[..., Any]] = [node]
    seen: set[int] = set()
    while todo:
        found = todo.pop()
        yield found
        if isinstance(found, Graph) and id(found.origin) not in seen:
            seen.add(id(found.origin))
            todo.extend(found.inner())


def limits_of(graph: Graph[..., Any]) -> set[str]:
    """Return the named limits that a graph's nodes use, at any depth."""
    return {node.policy.limit for node in nodes_of(graph) if node.policy.limit is not None}
