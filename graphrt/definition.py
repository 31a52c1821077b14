"""A graph as data: what folding a journal needs of it, for whoever has not its code (D11, D13).

A definition holds names, expressions, type tags, limits and effects. It holds no code and no module path, and nothing
in it can make any run. Format 1, a JSON object:

    fingerprint   the graph's
    types         type tags; a number below stands for one of them
    nodes         each a list that begins with what it is:
        "f" name kind params returns {effect limit label check}     a function; no effect means `read`
        "w" name kind params returns {label}                        a wait for the world
        "d" name params returns vertices output {max_depth on_failure}
        "m" name params returns start ends handlers {max_transitions on_failure}
        "v" node name {effect limit}                                the same under another name, or other options if any
    root          the number of the graph's own node

A vertex is [name, kind or node number, uses, {each type wins}]. An expression is a vertex number, the name of an input,
a list of either and the fields on the way, or an object: {"=": JSON text, ":": type}, {"[]": items},
{"{}": [[name, item]]}.
"""

from __future__ import annotations

import copy
import re
import types
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NoReturn

from pydantic_core import from_json, to_json

from graphrt.dag import Dag
from graphrt.errors import GraphError, UsageError
from graphrt.graph import Arg, Const, Expr, Fields, Graph, Items, Ref, Vertex
from graphrt.machine import Handler, Machine, State
from graphrt.node import FunctionNode, Node, Param, Signature, WaitNode
from graphrt.policy import Policy
from graphrt.ports import Port, type_name
from graphrt.types import Json

FORMAT = 1
_PLACE = "a recorded graph"
_UNSAID = "read"
"""The effect of a node whose definition names none."""


@lru_cache(maxsize=1024)
def define(graph: Graph[..., Any]) -> Json:
    """Write down a graph's structure: vertices, expressions, ports, machines, limits and effects; no code, no module
    path.

    The same graph gives the same bytes in every process. Raises GraphError if the graph is wrong.
    """
    graph.ready()
    writer = _Writer()
    root = writer.node(graph)
    return to_json(
        {
            "format": FORMAT,
            "fingerprint": graph.fingerprint,
            "types": list(writer.types),
            "nodes": writer.nodes,
            "root": root,
        }
    )


class _Writer:
    """Numbers nodes and types as it meets them, so that what is shared is written once."""

    def __init__(self) -> None:
        self.types: dict[str, int] = {}
        self.nodes: list[Any] = []
        self._seen: dict[int, int] = {}
        self._same: dict[bytes, int] = {}
        self._kept: list[Node[..., Any]] = []
        """Nodes stay alive while their ids are keys."""

    def type(self, tag: str) -> int:
        return self.types.setdefault(tag, len(self.types))

    def node(self, node: Node[..., Any]) -> int:
        number = self._seen.get(id(node))
        if number is None:
            self._kept.append(node)
            number = self._seen[id(node)] = self._add(node)
        return number

    def _add(self, node: Node[..., Any]) -> int:
        if node.origin is not node:
            same = _policy(node.policy) == _policy(node.origin.policy)
            options = {} if same else {"effect": node.policy.effect, **_policy(node.policy)}
            return self._once(["v", self.node(node.origin), node.name, *_options(options)])
        params = {name: self.type(param.port.tag) for name, param in node.signature.params.items()}
        returns = self.type(node.signature.returns.tag)
        if isinstance(node, FunctionNode):
            options = {**_policy(node.policy), **_label(node.label), **({"check": True} if node.check else {})}
            return self._once(["f", node.name, node.kind, params, returns, *_options(options)])
        if isinstance(node, WaitNode):
            return self._once(["w", node.name, node.kind, params, returns, *_options(_label(node.label))])
        number = self._seen[id(node)] = len(self.nodes)  # before what is inside: a graph may be inside itself
        self.nodes.append(None)
        if isinstance(node, Dag):
            vertices = [self._vertex(vertex) for vertex in node.vertices]
            options = {"max_depth": node.max_depth, "on_failure": node.on_failure}
            self.nodes[number] = ["d", node.name, params, returns, vertices, self._expr(node.output), options]
        elif isinstance(node, Machine):
            handlers = [
                [
                    handler.state.__name__,
                    self.node(handler.node),
                    handler.whole,
                    [state.__name__ for state in handler.returns],
                ]
                for handler in node.handlers.values()
            ]
            ends = sorted(end.__name__ for end in node.ends)
            options = {"max_transitions": node.max_transitions, "on_failure": node.on_failure}
            self.nodes[number] = ["m", node.name, params, returns, node.start.__name__, ends, handlers, options]
        else:
            raise TypeError(f"{node!r} is neither a function nor a graph")
        return number

    def _once(self, written: list[Any]) -> int:
        text = to_json(written)
        if text not in self._same:
            self._same[text] = len(self.nodes)
            self.nodes.append(written)
        return self._same[text]

    def _vertex(self, vertex: Vertex) -> list[Any]:
        uses = {use: self._expr(expr) for use, expr in vertex.uses.items()}
        options: dict[str, Any]
        if vertex.node is None:
            options = {"type": self.type(type_name(vertex.type)), **({"wins": vertex.wins} if vertex.wins > 1 else {})}
            return [vertex.name, vertex.kind, uses, options]
        options = {"each": vertex.items_for} if vertex.kind == "each" else {}
        return [vertex.name, self.node(vertex.node), uses, *_options(options)]

    def _expr(self, expr: Expr) -> Any:
        match expr:
            case Ref(vertex=vertex, path=path):
                return [vertex, *path] if path else vertex
            case Arg(name=name, path=path):
                return [name, *path] if path else name
            case Const(text=text, tag=tag):
                return {"=": text.decode(), **({":": self.type(tag)} if tag else {})}
            case Items(items=items):
                return {"[]": [self._expr(item) for item in items]}
            case Fields(fields=fields):
                return {"{}": [[name, self._expr(item)] for name, item in fields]}


def _options(found: Mapping[str, Any]) -> list[Any]:
    return [found] if found else []


def _label(label: str) -> dict[str, Any]:
    return {"label": label} if label else {}


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        **({"effect": policy.effect} if policy.effect != _UNSAID else {}),
        **({"limit": policy.limit} if policy.limit is not None else {}),
    }


def recall(definition: Json) -> Graph[..., Any]:
    """Make a graph of a definition: it folds, decides and draws as the one it was made of.

    It cannot run: each of its nodes raises UsageError, naming itself. Raises ValueError if it is no definition, or one
    of a newer format.
    """
    found = from_json(definition)
    if not isinstance(found, dict) or "format" not in found:
        raise ValueError("not the definition of a graph")
    if found["format"] != FORMAT:
        raise ValueError(
            f"a definition of format {found['format']}, and this graphrt reads {FORMAT}: use the newer graphrt"
        )
    try:
        reader = _Reader(found["types"], found["nodes"])
        graph = reader.read(found["root"])
    except (KeyError, IndexError, TypeError, AttributeError, GraphError, UsageError) as error:
        raise ValueError(f"a definition that makes no graph: {type(error).__name__}: {error}") from error
    # As it was recorded: whoever reads a journal by it must not depend on how a later version counts a structure.
    graph.__dict__["fingerprint"] = found["fingerprint"]
    return graph


class _Reader:
    """Makes the graphs first and what is inside them second: a graph may be inside itself."""

    def __init__(self, tags: list[str], written: list[list[Any]]) -> None:
        self.tags = tags
        self.written = written
        self.nodes: dict[int, Node[..., Any]] = {}
        self.states: dict[int, dict[str, type[State]]] = {}

    def read(self, root: int) -> Graph[..., Any]:
        for number in range(len(self.written)):
            self.node(number)
        for number, (kind, *rest) in enumerate(self.written):
            if kind in {"d", "m"}:
                self._fill(number, *rest)
        for node in self.nodes.values():
            if isinstance(node, Dag) and isinstance(node.origin, Dag):
                node.vertices, node.output = node.origin.vertices, node.origin.output
        graph = self.nodes[root]
        if not isinstance(graph, Graph):
            raise TypeError(f"its root is the function {graph.name!r}")
        graph.ready()
        return graph

    def node(self, number: int) -> Node[..., Any]:
        if number not in self.nodes:
            self.nodes[number] = self._make(number, *self.written[number])
        return self.nodes[number]

    def _make(self, number: int, kind: str, *rest: Any) -> Node[..., Any]:
        if kind == "v":
            base, name, options = _padded(rest, 3)
            other = copy.copy(self.node(base))
            other.name = name
            if options:
                other.policy = _read_policy(options)
            return other
        if kind in {"f", "w"}:
            return self._leaf(kind, *_padded(rest, 5))
        name, params, returns, *inside, options = rest
        graph: Dag[..., Any] | Machine[..., Any]
        if kind == "d":
            graph = Dag(name, self._signature(name, params, returns), place=_PLACE, max_depth=options["max_depth"])
        else:
            start, ends, handlers = inside
            states = self.states[number] = {
                word: _state(word) for word in dict.fromkeys([start, *ends, *(state for state, *_ in handlers)])
            }
            graph = Machine(name, start=states[start], end=states[ends[0]], max_transitions=options["max_transitions"])
            graph.ends = frozenset(states[word] for word in ends)
            graph.signature, graph.place = self._signature(name, params, returns), _PLACE
        graph.on_failure = options["on_failure"]
        return graph

    def _leaf(  # noqa: PLR0917 - as it is written
        self, kind: str, name: str, word: Any, params: Mapping[str, int], returns: int, options: Mapping[str, Any]
    ) -> Node[..., Any]:
        signature, label = self._signature(name, params, returns), options.get("label", "")
        if kind == "w":
            return WaitNode(name, signature, place=_PLACE, kind=word, wait=_cannot_wait(name), label=label)
        fn = _cannot_run(name)
        check = fn if options.get("check") else None
        policy = _read_policy(options)
        return FunctionNode(fn, name, signature, place=_PLACE, policy=policy, kind=word, label=label, check=check)

    def _fill(self, number: int, name: str, params: Any, returns: int, *rest: Any) -> None:
        del name, params, returns
        graph = self.nodes[number]
        if isinstance(graph, Dag):
            vertices, output, _ = rest
            graph.keep(
                [self._vertex(index, *_padded(each, 4)) for index, each in enumerate(vertices)], self._expr(output)
            )
        elif isinstance(graph, Machine):
            _, _, handlers, _ = rest
            states = self.states[number]
            for state, handler, whole, following in handlers:
                after = tuple(states[word] for word in following)
                graph.handlers[states[state]] = Handler(states[state], self.node(handler), whole, after)

    def _vertex(self, index: int, name: str, what: Any, uses: Mapping[str, Any], options: Mapping[str, Any]) -> Vertex:
        exprs = {use: self._expr(expr) for use, expr in uses.items()}
        if isinstance(what, str):
            kind: Any = what
            stand_in = _stand_in(_name(self.tags[options["type"]]))
            return Vertex(index, name, kind, exprs, stand_in, _PLACE, wins=options.get("wins", 1))
        node = self.node(what)
        output = node.signature.returns.annotation
        if "each" not in options:
            return Vertex(index, name, "call", exprs, output, _PLACE, node)
        return Vertex(
            index, name, "each", exprs, _stand_in(f"list[{type_name(output)}]"), _PLACE, node, options["each"]
        )

    def _expr(self, written: Any) -> Expr:
        match written:
            case int():
                return Ref(written)
            case str():
                return Arg(written)
            case [int() as vertex, *path]:
                return Ref(vertex, tuple(path))
            case [str() as name, *path]:
                return Arg(name, tuple(path))
            case {"=": text, ":": int() as tag}:
                return Const(text.encode(), self.tags[tag])
            case {"=": text}:
                return Const(text.encode())
            case {"[]": items}:
                return Items(tuple(self._expr(item) for item in items))
            case {"{}": fields}:
                return Fields(tuple((name, self._expr(item)) for name, item in fields))
            case _:
                raise TypeError(f"{written!r} is no expression")

    def _signature(self, node: str, params: Mapping[str, int], returns: int) -> Signature:
        ports = {name: Param(_RecalledPort(node, name, self.tags[tag]), None) for name, tag in params.items()}
        return Signature(types.MappingProxyType(ports), _RecalledPort(node, "return", self.tags[returns]))


def _padded(found: Any, length: int) -> Any:
    """Options are left out where there are none."""
    return found if len(found) == length else [*found, {}]


def _read_policy(options: Mapping[str, Any]) -> Policy:
    return replace(Policy(), effect=options.get("effect", _UNSAID), limit=options.get("limit"))


class _RecalledPort(Port):
    """A port whose type is only a name."""

    __slots__ = ()

    def __init__(self, node: str, name: str, tag: str) -> None:
        self.node = node
        self.name = name
        self.annotation = _stand_in(_name(tag))
        self.plain = None
        self._adapter = None
        self.tag = tag

    def write(self, value: Any) -> NoReturn:
        del value
        raise _unreadable(self.node)

    def read(self, text: Json) -> NoReturn:
        del text
        raise _unreadable(self.node)


def _unreadable(node: str) -> UsageError:
    return UsageError(
        f"node {node!r} is known from the record only, where its code is not; "
        f"import the graph it is part of and use that one"
    )


def _cannot_run(node: str) -> Any:
    async def run(**values: Any) -> NoReturn:
        del values
        raise _unreadable(node)

    return run


def _cannot_wait(node: str) -> Any:
    def wait(inputs: object, now: float) -> NoReturn:
        del inputs, now
        raise _unreadable(node)

    return wait


def _name(tag: str) -> str:
    return re.sub("#[0-9a-f]{8}$", "", tag)


@lru_cache(maxsize=4096)
def _stand_in(name: str) -> type:
    """Return a type that has nothing but a name: what checks and pictures ask of an annotation."""
    return type(name, (), {})


def _state(name: str) -> type[State]:
    return types.new_class(name, (State,), exec_body=lambda body: body.update(__doc__="A recorded state."))
