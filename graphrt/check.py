"""Every mistake of a graph, found before it runs, all at once, each with its place and its fix (G4).

What only the drawing of a dag can see (types of edges, names, arguments) is noted there; here are the mistakes of the
whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from graphrt.errors import Mistake
from graphrt.graph import Expr, Vertex, refs

if TYPE_CHECKING:
    from graphrt.node import Node


class DrawnDag(Protocol):
    """What the check needs of a dag."""

    vertices: tuple[Vertex, ...]
    output: Expr
    origin: Any
    name: str


def check_dag(dag: DrawnDag) -> Iterator[Mistake]:
    """Yield what is wrong with the whole: circles, joins that can never fire, a recursion that nothing ends."""
    if unknown := list(_unknown(dag)):
        yield from unknown
        return
    yield from _circles(dag)
    needed = asked_at_once(dag.vertices, dag.output)
    for vertex in dag.vertices:
        if vertex.kind in {"first", "quorum"} and not 1 <= vertex.wins <= len(vertex.uses):
            yield Mistake(
                vertex.place,
                f"{vertex.name!r} waits for {vertex.wins} of {len(vertex.uses)} options and can never fire",
                "ask for 1 up to as many as there are",
            )
        if vertex.node is not None and vertex.node.origin is dag.origin and vertex.index in needed:
            yield Mistake(
                vertex.place,
                f"{dag.name!r} calls itself and nothing ends it",
                "put the call into a branch of when(...) or switch(...)",
            )


def _unknown(dag: DrawnDag) -> Iterator[Mistake]:
    """Only a dag that was put together by hand can refer to what it does not have."""
    places = [("what it returns", "the dag", dag.output)]
    places += [
        (f"{use!r} of {vertex.name!r}", vertex.place, expr)
        for vertex in dag.vertices
        for use, expr in vertex.uses.items()
    ]
    for what, place, expr in places:
        for source in refs(expr):
            if not 0 <= source < len(dag.vertices):
                yield Mistake(
                    place, f"{what} refers to vertex {source}, which is not there", f"there are {len(dag.vertices)}"
                )


def sinks(vertices: Iterable[Vertex]) -> set[int]:
    """Return the vertices whose output nobody uses."""
    used = {source for vertex in vertices for expr in vertex.uses.values() for source in refs(expr)}
    return {vertex.index for vertex in vertices} - used


def asked_at_once(vertices: tuple[Vertex, ...], output: Expr) -> set[int]:
    """Return the vertices that run whatever is chosen: reached from the output and the sinks without taking a
    branch."""
    found: set[int] = set()
    todo = [*refs(output), *sinks(vertices)]
    while todo:
        index = todo.pop()
        if index in found or index >= len(vertices):
            continue
        found.add(index)
        vertex = vertices[index]
        for use, expr in vertex.uses.items():
            if not vertex.lazy or use in {"if", "on"}:
                todo.extend(refs(expr))
    return found


def _circles(dag: DrawnDag) -> Iterator[Mistake]:
    """Only a dag that was put together by hand can have one: a placeholder exists after what it is made of."""
    if all(source < vertex.index for vertex in dag.vertices for expr in vertex.uses.values() for source in refs(expr)):
        return
    import networkx as nx

    graph = nx.DiGraph(
        (source, vertex.index) for vertex in dag.vertices for expr in vertex.uses.values() for source in refs(expr)
    )
    for circle in nx.strongly_connected_components(graph):
        inside = sorted(circle)
        if len(inside) > 1 or graph.has_edge(inside[0], inside[0]):
            names = " -> ".join(dag.vertices[index].name for index in [*inside, inside[0]])
            yield Mistake(
                dag.vertices[inside[0]].place, f"these wait for each other: {names}", "a loop is a Machine, not a dag"
            )


def check_machine(
    start: type, ends: frozenset[type], handlers: Mapping[type, tuple[Node[..., Any], tuple[type, ...]]], place: str
) -> Iterator[Mistake]:
    """Yield what is wrong with a machine's transitions. `handlers` maps a state to its handler and the states it may
    return."""
    following = {state: returns for state, (_, returns) in handlers.items()}
    reached = _closure([start], following)
    for state in sorted(reached - ends - set(handlers), key=lambda each: each.__name__):
        by = [node.name for node, returns in handlers.values() if state in returns]
        where = f"returned by {', '.join(by)}" if by else "the start"
        yield Mistake(
            place, f"nobody handles the state {state.__name__} ({where})", "add a handler for it, or name it in end="
        )
    for state, (node, _) in handlers.items():
        if state in ends:
            yield Mistake(
                node.place,
                f"{state.__name__} ends the machine and has a handler",
                "take it out of end=, or drop the handler",
            )
        elif state not in reached:
            yield Mistake(
                node.place, f"the state {state.__name__} is never reached", "return it from a handler, or drop this one"
            )
    for end in sorted(ends - reached, key=lambda each: each.__name__):
        yield Mistake(
            place, f"the end {end.__name__} is never reached", "return it from a handler, or take it out of end="
        )
    backwards: dict[type, list[type]] = {}
    for state, returns in following.items():
        for after in returns:
            backwards.setdefault(after, []).append(state)
    finishing = _closure(ends, backwards)
    stuck = sorted(reached & set(handlers) - finishing - ends, key=lambda each: each.__name__)
    if stuck:
        names = ", ".join(state.__name__ for state in stuck)
        yield Mistake(place, f"from {names} the machine can never finish", "let a handler return an end")


def _closure(roots: Iterable[type], following: Mapping[type, Iterable[type]]) -> set[type]:
    found: set[type] = set()
    todo = list(roots)
    while todo:
        state = todo.pop()
        if state not in found:
            found.add(state)
            todo.extend(following.get(state, ()))
    return found
