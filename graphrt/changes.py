"""What changed from one graph to another, in words: what a person is shown when a run does not fit any more (D11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphrt.dag import Dag
from graphrt.graph import Arg, Const, Expr, Fields, Graph, Items, Ref, Vertex
from graphrt.machine import Machine
from graphrt.node import FunctionNode, Node
from graphrt.ports import type_name


def differences(old: Graph[..., Any], new: Graph[..., Any]) -> list[str]:
    """Describe what changed from one graph to another, a line each: steps that are new, gone, rewired, or another
    node. Empty if the structures are the same, whatever the code."""
    return list(_graphs(old, new, "", ()))


def _graphs(old: Graph[..., Any], new: Graph[..., Any], path: str, seen: tuple[tuple[int, int], ...]) -> Iterator[str]:
    pair = (id(old.origin), id(new.origin))
    if pair in seen:
        return
    seen = (*seen, pair)
    where = path.removesuffix("/") or new.name
    yield from _ports(old, new, where)
    if isinstance(old, Dag) and isinstance(new, Dag):
        yield from _dags(old, new, path, seen)
    elif isinstance(old, Machine) and isinstance(new, Machine):
        yield from _machines(old, new, path, seen)
    else:
        yield f"{where!r} was a {old.kind} and is a {new.kind}"


def _ports(old: Node[..., Any], new: Node[..., Any], where: str) -> Iterator[str]:
    before = {name: type_name(param.port.annotation) for name, param in old.signature.params.items()}
    after = {name: type_name(param.port.annotation) for name, param in new.signature.params.items()}
    for name in before.keys() | after.keys():
        if name not in after:
            yield f"{where!r} takes no {name!r} any more"
        elif name not in before:
            yield f"{where!r} takes {name!r} ({after[name]}) now"
        elif before[name] != after[name]:
            yield f"{where!r} takes {name!r} as {after[name]}, not as {before[name]} any more"
    gave, gives = type_name(old.signature.returns.annotation), type_name(new.signature.returns.annotation)
    if gave != gives:
        yield f"{where!r} returns {gives}, not {gave} any more"


def _dags(old: Dag[..., Any], new: Dag[..., Any], path: str, seen: tuple[tuple[int, int], ...]) -> Iterator[str]:
    before = {vertex.name: vertex for vertex in old.vertices}
    after = {vertex.name: vertex for vertex in new.vertices}
    renamed = _renamed(old, new, before, after)
    for name, vertex in before.items():
        if name in renamed:
            yield f"{path + name!r} seems to be called {renamed[name]!r} now"
        elif name not in after:
            yield f"{path + name!r} is gone"
        else:
            yield from _vertices(old, new, vertex, after[name], path, renamed, seen)
    for name, vertex in after.items():
        if name not in before and name not in renamed.values():
            yield f"{path + name!r} is new: {_what(vertex)}"
    gave, gives = _words(old, old.output, renamed), _words(new, new.output, {})
    if gave != gives:
        yield f"{path.removesuffix('/') or new.name!r} returns {gives}, not {gave} any more"


def _vertices(  # noqa: PLR0917 - two of each
    old: Dag[..., Any],
    new: Dag[..., Any],
    before: Vertex,
    after: Vertex,
    path: str,
    renamed: Mapping[str, str],
    seen: tuple[tuple[int, int], ...],
) -> Iterator[str]:
    where = path + after.name
    if before.kind != after.kind:
        yield f"{where!r} is a {after.kind}, not a {before.kind} any more"
        return
    if before.node is not None and after.node is not None:
        yield from _nodes(before.node, after.node, where, seen)
    if before.wins != after.wins:
        yield f"{where!r} waits for {after.wins} options, not for {before.wins} any more"
    for use in dict.fromkeys((*before.uses, *after.uses)):
        took = _words(old, before.uses[use], renamed) if use in before.uses else None
        takes = _words(new, after.uses[use], {}) if use in after.uses else None
        if took != takes and before.node is None:
            yield f"{where!r}: {use.removeprefix('=')!r} is {takes or 'gone'}, not {took or 'left out'} any more"
        elif took != takes and took is not None and takes is not None:
            yield f"{where!r} takes {use!r} from {takes}, not from {took} any more"


def _nodes(old: Node[..., Any], new: Node[..., Any], where: str, seen: tuple[tuple[int, int], ...]) -> Iterator[str]:
    if isinstance(old, Graph) and isinstance(new, Graph) and old.kind == new.kind:
        yield from _graphs(old, new, where + "/", seen)
    elif (old.kind, old.origin.name) != (new.kind, new.origin.name):
        yield f"{where!r} is the {new.kind} {new.origin.name!r}, not the {old.kind} {old.origin.name!r} any more"
    else:
        yield from _ports(old, new, where)


def _machines(
    old: Machine[..., Any], new: Machine[..., Any], path: str, seen: tuple[tuple[int, int], ...]
) -> Iterator[str]:
    where = path.removesuffix("/") or new.name
    if old.start.__name__ != new.start.__name__:
        yield f"{where!r} starts in {new.start.__name__}, not in {old.start.__name__} any more"
    ended, ends = ({state.__name__ for state in graph.ends} for graph in (old, new))
    if ended != ends:
        yield f"{where!r} ends in {', '.join(sorted(ends))}, not in {', '.join(sorted(ended))} any more"
    before = {state.__name__: handler for state, handler in old.handlers.items()}
    after = {state.__name__: handler for state, handler in new.handlers.items()}
    for state in dict.fromkeys((*before, *after)):
        if state not in after:
            yield f"{where!r} handles no {state} any more"
        elif state not in before:
            yield f"{where!r} handles {state} now, by {after[state].node.name!r}"
        else:
            step = path + after[state].node.name
            if before[state].node.name != after[state].node.name:
                yield f"{step!r} handles {state}, not {path + before[state].node.name!r} any more"
            else:
                yield from _nodes(before[state].node, after[state].node, step, seen)
            led, leads = (sorted(s.__name__ for s in handler.returns) for handler in (before[state], after[state]))
            if led != leads:
                yield f"{step!r} leads to {' or '.join(leads)}, not to {' or '.join(led)} any more"


def _renamed(
    old: Dag[..., Any], new: Dag[..., Any], before: Mapping[str, Vertex], after: Mapping[str, Vertex]
) -> dict[str, str]:
    """Guess which step that is gone is which new one: the same signature in the same wiring, and no other like it."""
    found: dict[str, str] = {}
    fresh = [vertex for name, vertex in after.items() if name not in before]
    for name, vertex in before.items():
        if name in after or vertex.node is None:
            continue
        took = {use: _words(old, expr, found) for use, expr in vertex.uses.items()}
        alike = [
            other.name
            for other in fresh
            if other.name not in found.values()
            and other.node is not None
            and (other.kind, _shape(other.node)) == (vertex.kind, _shape(vertex.node))
            and {use: _words(new, expr, {}) for use, expr in other.uses.items()} == took
        ]
        if len(alike) == 1:
            found[name] = alike[0]
    return found


def _shape(node: Node[..., Any]) -> tuple[object, ...]:
    params = tuple((name, type_name(param.port.annotation)) for name, param in node.signature.params.items())
    return (node.kind, params, type_name(node.signature.returns.annotation))


def _words(graph: Dag[..., Any], expr: Expr, renamed: Mapping[str, str]) -> str:
    """Write an expression as its author would."""
    match expr:
        case Ref(vertex=index, path=path):
            name = graph.vertices[index].name
            return ".".join((renamed.get(name, name), *path))
        case Arg(name=name, path=path):
            return ".".join((f"input {name}", *path))
        case Const(text=text):
            words = text.decode()
            return words if len(words) <= _LONG else f"{words[:_LONG]}…"
        case Items(items=items):
            return f"[{', '.join(_words(graph, item, renamed) for item in items)}]"
        case Fields(fields=fields):
            return f"{{{', '.join(f'{name}: {_words(graph, item, renamed)}' for name, item in fields)}}}"


_LONG = 60


def _what(vertex: Vertex) -> str:
    if vertex.node is None:
        return vertex.kind
    params = ", ".join(f"{n}: {type_name(p.port.annotation)}" for n, p in vertex.node.signature.params.items())
    kind = vertex.node.kind if isinstance(vertex.node, (FunctionNode, Graph)) else "node"
    return f"{kind} {vertex.node.origin.name}({params}) -> {type_name(vertex.node.signature.returns.annotation)}"
