"""What every picture shows: boxes, arrows and clusters, taken from a graph before anyone decides how to draw them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from graphrt.dag import Dag
from graphrt.graph import Arg, Expr, Fields, Graph, Items, Ref, Vertex
from graphrt.machine import Machine
from graphrt.node import FunctionNode, Node
from graphrt.ports import type_name

Shape = Literal["step", "choice", "join", "start", "end", "state", "again"]


@dataclass(frozen=True, slots=True)
class Box:
    """Something with a name. `inner` is the graph inside it, if it is one."""

    id: str
    """Its path in the picture: vertex numbers and state names, joined by dots, which neither contains."""
    label: str
    shape: Shape
    note: str = ""
    inner: Sketch | None = None
    many: bool = False
    """Whether it stands for one of each item of a list."""
    kind: str = ""
    """What kind of node it is, in the node's own word; empty for what is none: an end, a choice, a join."""
    ports: str = ""
    """What goes in and what comes out, with their types."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one box to another; `label` is a condition, a handler or a parameter."""

    source: str
    target: str
    label: str = ""
    path: tuple[str, ...] = ()
    """Which input of the graph, and which field of the value, travels along it."""
    type: str = field(default="", compare=False)
    """What it brings to its target: the port's type, or the state it leads to."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """One graph: its boxes in order, its arrows, and the graphs inside."""

    name: str
    kind: str
    signature: str
    boxes: tuple[Box, ...] = ()
    arrows: tuple[Arrow, ...] = field(default=())


def sketch(graph: Graph[..., Any], prefix: str = "", seen: tuple[int, ...] = ()) -> Sketch:
    """Take a graph's boxes and arrows. A graph inside itself is shown once, then named."""
    graph.ready()
    seen = (*seen, id(graph.origin))
    if isinstance(graph, Machine):
        boxes, arrows = _machine(graph, prefix, seen)
    elif isinstance(graph, Dag):
        boxes, arrows = _dag(graph, prefix, seen)
    else:
        raise TypeError(f"{graph!r} is neither a dag nor a machine")
    return Sketch(graph.name, graph.kind, _ports(graph), tuple(boxes), tuple(arrows))


def _ports(node: Node[..., Any]) -> str:
    return f"{node.name}({_params(node)}) -> {type_name(node.signature.returns.annotation)}"


def _params(node: Node[..., Any]) -> str:
    return ", ".join(f"{name}: {type_name(param.port.annotation)}" for name, param in node.signature.params.items())


def _dag(graph: Dag[..., Any], prefix: str, seen: tuple[int, ...]) -> tuple[list[Box], list[Arrow]]:
    boxes = [_entry(graph, prefix)]
    arrows: list[Arrow] = []
    for vertex in graph.vertices:
        here = prefix + str(vertex.index)
        boxes.append(_vertex_box(vertex, here, seen))
        for use, expr in vertex.uses.items():
            label, type_ = _use_label(vertex, use), _use_type(vertex, use)
            arrows.extend(Arrow(source, here, label, path, type_) for source, path in _sources(expr, prefix))
    returns = type_name(graph.signature.returns.annotation)
    boxes.append(Box(f"{prefix}out", "out", "end", returns, ports=returns))
    arrows.extend(Arrow(source, f"{prefix}out", "", path, returns) for source, path in _sources(graph.output, prefix))
    return boxes, list(dict.fromkeys(arrows))


def _entry(graph: Graph[..., Any], prefix: str) -> Box:
    return Box(f"{prefix}in", "in", "start", ", ".join(graph.signature.params), ports=_params(graph))


def _vertex_box(vertex: Vertex, here: str, seen: tuple[int, ...]) -> Box:
    if vertex.node is None:
        return Box(
            here,
            vertex.name,
            "choice" if vertex.lazy else "join",
            "" if vertex.kind != "quorum" else f"{vertex.wins} of {len(vertex.uses)}",
            ports=type_name(vertex.type),
        )
    again = isinstance(vertex.node, Graph) and id(vertex.node.origin) in seen
    inner = sketch(vertex.node, here + ".", seen) if isinstance(vertex.node, Graph) and not again else None
    shape: Shape = "again" if again else "step"
    return Box(
        here,
        vertex.name.removeprefix("each:"),
        shape,
        note_of(vertex.node),
        inner,
        vertex.kind == "each",
        vertex.node.kind,
        _ports(vertex.node),
    )


def note_of(node: Node[..., Any]) -> str:
    """Return what a person wants to know of a node at a glance: its model, its retries, its limit."""
    notes = []
    if isinstance(node, FunctionNode) and node.kind != "node":
        notes.append(f"{node.kind} {node.label}".strip())
    policy = node.policy
    if policy.retry.attempts > 1:
        notes.append(f"{policy.retry.attempts} tries")
    if policy.timeout.total is not None:
        notes.append(f"{policy.timeout.total:g} s")
    if policy.limit is not None:
        notes.append(f"limit {policy.limit}")
    return ", ".join(notes)


def _use_label(vertex: Vertex, use: str) -> str:
    if vertex.kind == "when":
        return {"if": "", "then": "yes", "else": "no"}[use]
    if vertex.kind == "switch":
        return "" if use == "on" else use.removeprefix("=")
    if vertex.kind in {"first", "quorum"}:
        return ""
    return use


def _use_type(vertex: Vertex, use: str) -> str:
    """Return the type of what a vertex uses: of a node's port, or of the value that a verb passes on."""
    if vertex.node is not None:
        type_ = type_name(vertex.node.signature.params[use].port.annotation)
        return f"each {type_}" if use == vertex.items_for else type_
    return "" if use in {"if", "on"} else type_name(vertex.type)


def _sources(expr: Expr, prefix: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the boxes an expression is made of, and what it takes from each."""
    match expr:
        case Ref(vertex=vertex, path=path):
            yield prefix + str(vertex), path
        case Arg(name=name, path=path):
            yield f"{prefix}in", (name, *path)
        case Items(items=items):
            for item in items:
                yield from _sources(item, prefix)
        case Fields(fields=fields):
            for _, item in fields:
                yield from _sources(item, prefix)
        case _:
            return


def _machine(graph: Machine[..., Any], prefix: str, seen: tuple[int, ...]) -> tuple[list[Box], list[Arrow]]:
    boxes = [_entry(graph, prefix)]
    arrows = [Arrow(f"{prefix}in", prefix + graph.start.__name__, type=graph.start.__name__)]
    for state, handler in graph.handlers.items():
        here, node = prefix + state.__name__, handler.node
        again = isinstance(node, Graph) and id(node.origin) in seen
        inner = sketch(node, here + ".", seen) if isinstance(node, Graph) and not again else None
        shape: Shape = "again" if again else "state"
        boxes.append(
            Box(here, state.__name__, shape, note_of(node), inner, kind=node.kind, ports=_ports(node)),
        )
        arrows.extend(Arrow(here, prefix + after.__name__, node.name, type=after.__name__) for after in handler.returns)
    ends = sorted(graph.ends, key=lambda state: state.__name__)
    boxes.extend(Box(prefix + end.__name__, end.__name__, "end") for end in ends)
    return boxes, arrows
