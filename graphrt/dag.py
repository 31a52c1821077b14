"""`@dag` and its verbs: a function's body, called once with placeholders, becomes an immutable graph (G3).

A step runs when something that is needed waits for it and its inputs are there. Needed are: what the dag returns, and
every call whose result nobody uses. `when` and `switch` need their condition first and then only the branch that was
chosen; so what only the other branch uses never runs. `first` and `quorum` need all options until enough have arrived;
what is then needed no longer is cancelled.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, Literal, NoReturn, ParamSpec, Protocol, TypeVar, overload

from pydantic import BaseModel
from pydantic_core import to_json

from graphrt.assignable import assignable, element, is_typed_dict, members, union
from graphrt.check import check_dag
from graphrt.errors import GraphError, Mistake, PortError, UsageError
from graphrt.graph import Arg, Const, Expr, Fields, Graph, Items, Ref, Vertex, VertexKind, nodes_of, refs
from graphrt.node import Node, Signature, caller_names, drawing, place_here, place_of, read_signature
from graphrt.ports import Port, type_name, type_tag
from graphrt.types import Json

if TYPE_CHECKING:
    import networkx

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
K = TypeVar("K")

_VERBS = {
    "truth": "use when(condition, then, otherwise)",
    "length": "make it a node that returns the length",
    "items": "use each(node, items) to run a node for every item, or make it a node that picks one",
    "comparison": "use switch(value, {case: ...}), or make it a node that returns a bool and use when(...)",
    "arithmetic": "make it a node",
    "text": "pass it to a node: a dag's body runs before there are any values",
}


class Placeholder:
    """What a call returns while a dag is being drawn: it stands for a value that will exist when the graph runs.

    It can be passed to nodes and verbs, put into lists, tuples and dicts, and asked for a field of its type. Asking it
    for its truth, length, items or text is a mistake that names the verb to use (G3).
    """

    __slots__ = ("_canvas", "_expr", "_type")

    def __init__(self, canvas: Canvas, expr: Expr, annotation: Any) -> None:
        self._canvas = canvas
        self._expr = expr
        self._type = annotation

    def __getattr__(self, name: str) -> Placeholder:
        if name.startswith("_"):
            raise AttributeError(name)
        fields = _fields(self._type)
        if name not in fields or not isinstance(self._expr, (Ref, Arg)):
            self._canvas.refuse(
                f"a {type_name(self._type)} that is not there yet has no field {name!r}",
                f"its fields are {', '.join(fields)}" if fields else "pass it to a node and take it apart there",
            )
        expr = dataclasses.replace(self._expr, path=(*self._expr.path, name))
        return Placeholder(self._canvas, expr, fields[name])

    def __repr__(self) -> str:
        return f"<placeholder of {type_name(self._type)}>"

    def _refused(self, what: str) -> NoReturn:
        self._canvas.refuse(
            f"the {what} of a {type_name(self._type)} was asked for before there is a value", _VERBS[what]
        )

    def __bool__(self) -> bool:  # noqa: PLE0304 - it raises
        self._refused("truth")

    def __len__(self) -> int:  # noqa: PLE0303 - it raises
        self._refused("length")

    def __iter__(self) -> Iterator[Any]:
        self._refused("items")

    def __getitem__(self, key: object) -> Any:
        self._refused("items")

    def __contains__(self, item: object) -> bool:
        self._refused("items")

    def __str__(self) -> str:  # noqa: PLE0307 - it raises
        self._refused("text")

    def __format__(self, spec: str) -> str:
        self._refused("text")

    def _compare(self, other: object) -> bool:
        self._refused("comparison")

    def _compute(self, other: object) -> Any:
        self._refused("arithmetic")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _compare
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _compute
    __mod__ = __rmod__ = __and__ = __rand__ = __or__ = __ror__ = __xor__ = __floordiv__ = __rfloordiv__ = _compute
    __pow__ = __rpow__ = __matmul__ = _compute

    def _number(self) -> Any:
        self._refused("arithmetic")

    __neg__ = __pos__ = __abs__ = __invert__ = __int__ = __float__ = __index__ = _number
    __hash__ = object.__hash__


def _fields(annotation: Any) -> dict[str, Any]:
    """Return the fields that can be asked of a type, by their name in JSON."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {
            name: field.annotation
            for name, field in annotation.model_fields.items()
            if field.serialization_alias is None and not field.exclude
        }
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return typing.get_type_hints(annotation)
    if is_typed_dict(annotation):
        required: frozenset[str] = annotation.__required_keys__
        return {name: hint for name, hint in typing.get_type_hints(annotation).items() if name in required}
    return {}


class Canvas:
    """Where a body is drawn: collects vertices and mistakes."""

    def __init__(self, graph: Graph[..., Any]) -> None:
        self.graph = graph
        self.vertices: list[Vertex] = []
        self.mistakes: list[Mistake] = []
        self._names: dict[str, tuple[Node[..., Any] | None, int]] = {}

    def refuse(self, what: str, fix: str) -> NoReturn:
        """Give up at once: the body cannot go on without a value."""
        raise GraphError(self.graph.name, [*self.mistakes, Mistake(place_here(), what, fix)])

    def mistake(self, what: str, fix: str) -> None:
        """Note a mistake and go on drawing, so that all are reported at once (G4)."""
        self.mistakes.append(Mistake(place_here(), what, fix))

    def call(self, node: Node[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Draw a call."""
        uses = self._bind(node, args, kwargs)
        return self.add("call", node.name, uses, node.signature.returns.annotation, node=node)

    def type_of(self, value: Any) -> Any:
        """Return the type of a placeholder, or of a constant."""
        return self.lift(value)[1]

    def map(self, node: Node[Any, Any], items: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Draw a call for every item of a list."""
        params = list(node.signature.params)
        if not params:
            self.mistake(f"each({node.name}, ...): {node.name!r} takes nothing", "give it a parameter for the item")
            return Placeholder(self, Const(b"null"), Any)
        expr, annotation = self.lift(items)
        inner = element(annotation)
        if inner is None:
            self.mistake(f"each({node.name}, ...) got a {type_name(annotation)}", "give it a list")
            inner = Any
        wanted = node.signature.params[params[0]].port.annotation
        self._fit(inner, wanted, f"each({node.name}, ...): an item", f"parameter {params[0]!r}")
        uses = self._bind(node, args, kwargs, skip=params[0])
        result = list[node.signature.returns.annotation]  # type: ignore[name-defined] # the type is a run-time value
        return self.add("each", f"each:{node.name}", {params[0]: expr, **uses}, result, node=node, items_for=params[0])

    def add(
        self,
        kind: VertexKind,
        name: str,
        uses: Mapping[str, Expr],
        annotation: Any,
        *,
        node: Node[..., Any] | None = None,
        items_for: str = "",
        wins: int = 1,
    ) -> Placeholder:
        """Add a vertex and return the placeholder of its output."""
        vertex = Vertex(
            len(self.vertices),
            self._name(name, node),
            kind,
            dict(uses),
            annotation,
            place_here(),
            node,
            items_for,
            wins,
        )
        self.vertices.append(vertex)
        return Placeholder(self, Ref(vertex.index), annotation)

    def lift(self, value: Any, port: Port | None = None) -> tuple[Expr, Any]:
        """Turn what was passed into an expression and its type; constants are written as JSON here and now."""
        if isinstance(value, Placeholder):
            if value._canvas is not self:
                self.mistake(
                    "a placeholder of another dag was used",
                    "pass it in as a parameter: a dag sees only what was drawn in its own body",
                )
                return Const(b"null"), Any
            return value._expr, value._type
        if isinstance(value, (list, tuple)) and _holds_placeholder(value):
            lifted = [self.lift(item) for item in value]
            exprs = Items(tuple(expr for expr, _ in lifted))
            types = [annotation for _, annotation in lifted]
            return exprs, tuple[tuple(types)] if isinstance(value, tuple) else list[union(types)]  # type: ignore[misc]
        if isinstance(value, dict) and _holds_placeholder(value):
            pairs = [(str(name), self.lift(item)) for name, item in value.items()]
            annotation = dict[str, union(annotation for _, (_, annotation) in pairs)]  # type: ignore[misc,valid-type]
            return Fields(tuple((name, expr) for name, (expr, _) in pairs)), annotation
        if isinstance(value, Node):
            self.mistake(f"node {value.name!r} itself was passed as a value", f"call it: {value.name}(...)")
            return Const(b"null"), Any
        return self._constant(value, port)

    def fit_return(self, value: Any) -> Expr:
        """Turn what the body returned into the graph's output."""
        port = self.graph.signature.returns
        expr, annotation = self.lift(value, port)
        place = self.graph.place
        if not assignable(annotation, port.annotation):
            self.mistakes.append(
                Mistake(
                    place,
                    f"the body returns {type_name(annotation)}, the annotation says {type_name(port.annotation)}",
                    "change the annotation or what is returned",
                )
            )
        return expr

    def _constant(self, value: Any, port: Port | None) -> tuple[Expr, Any]:
        try:
            chosen = port or Port(self.graph.name, "constant", type(value))
            return Const(chosen.write(value), _tag(value, chosen)), chosen.annotation if port else type(value)
        except PortError as error:
            self.mistake(f"the constant {value!r} does not fit: {error}", "pass a value of the port's type")
        except Exception as error:
            self.mistake(f"{value!r} cannot be part of a graph: {error}", "pass plain data, or make it a node")
        return Const(b"null"), Any

    def _bind(
        self, node: Node[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any], skip: str = ""
    ) -> dict[str, Expr]:
        params = {name: param for name, param in node.signature.params.items() if name != skip}
        names, uses = list(params), {}
        if len(args) > len(names):
            self.mistake(
                f"{node.name}(...) got {len(args)} arguments and takes {len(names)}",
                f"it takes {', '.join(names) or 'none'}",
            )
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in params or name in given:
                why = "twice" if name in given else "which it does not have"
                self.mistake(f"{node.name}(...) got {name!r}, {why}", f"it takes {', '.join(names) or 'nothing'}")
            else:
                given[name] = value
        for name, param in params.items():
            if name in given:
                uses[name], annotation = self.lift(given[name], param.port)
                self._fit(annotation, param.port.annotation, f"{node.name}(...): the value", f"parameter {name!r}")
            elif param.default is not None:
                uses[name] = Const(param.default)
            else:
                self.mistake(
                    f"{node.name}(...) was not given {name!r}", f"pass {name}=<{type_name(param.port.annotation)}>"
                )
        return uses

    def _fit(self, source: Any, target: Any, what: str, where: str) -> None:
        if not assignable(source, target):
            self.mistake(
                f"{what} is {type_name(source)} and {where} takes {type_name(target)}",
                "change either type, or put a node between them",
            )

    def _name(self, name: str, node: Node[..., Any] | None) -> str:
        before = self._names.get(name)
        if before is None:
            self._names[name] = (node, 1)
            return name
        other, count = before
        same = (other.origin if other else None) is (node.origin if node else None)
        same = same or (other is not None and node is not None and other.kind == node.kind == "timer")
        if node is not None and (node.explicit_name or not same):
            self.mistake(
                f"the name {name!r} is used twice", f"give one of them another name: {node.origin.name}.named('...')"
            )
        while (label := f"{name}-{(count := count + 1)}") in self._names:
            pass
        self._names[name] = (other, count)
        self._names[label] = (node, 1)
        return label


def _tag(value: object, port: Port) -> str:
    return type_tag(type(value)) if type(value) in members(port.annotation) else port.tag


def _holds_placeholder(value: Any) -> bool:
    if isinstance(value, Placeholder):
        return True
    inner: Iterable[Any] = (
        value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    )
    return any(_holds_placeholder(item) for item in inner)


class Dag(Graph[P, R]):
    """An immutable graph of data dependencies. `vertices` and `output` are what was drawn; `networkx` is the same for
    others."""

    kind = "dag"

    def __init__(self, name: str, signature: Signature, *, place: str, doc: str = "", max_depth: int = 100) -> None:
        super().__init__(name, signature, place=place, doc=doc)
        self.vertices: tuple[Vertex, ...] = ()
        self.output: Expr = Const(b"null")
        self.max_depth = max_depth
        """How deep this dag may call itself before the run fails with BudgetExceeded."""

    def draw(self, body: Callable[..., Any]) -> None:
        """Call the body once with placeholders and keep what it draws. Raises GraphError with every mistake (G4)."""
        canvas = Canvas(self)
        holders = {
            name: Placeholder(canvas, Arg(name), param.port.annotation) for name, param in self.signature.params.items()
        }
        token = drawing.set(canvas)
        try:
            output = canvas.fit_return(body(**holders))
        except GraphError:
            raise
        except Exception as error:
            if canvas.mistakes:  # they may be the reason
                raise GraphError(self.name, canvas.mistakes) from error
            raise
        finally:
            drawing.reset(token)
        self.keep(canvas.vertices, output, canvas.mistakes)

    def keep(self, vertices: Sequence[Vertex], output: Expr, mistakes: Sequence[Mistake] = ()) -> None:
        """Take vertices that were drawn, and check them."""
        self.vertices, self.output = tuple(vertices), output
        if found := [*mistakes, *check_dag(self)]:
            raise GraphError(self.name, found)
        for node in nodes_of(self):  # copies that the body made of this dag before it was drawn
            if isinstance(node, Dag) and node.origin is self:
                node.vertices, node.output = self.vertices, self.output

    def inner(self) -> Iterator[Node[..., Any]]:
        """Yield the nodes this dag calls."""
        return (vertex.node for vertex in self.vertices if vertex.node is not None)

    def ready(self) -> None:
        """Check the machines inside; a dag itself was checked when it was drawn."""
        for inner in self.inner():
            if isinstance(inner, Graph) and inner.origin is not self.origin:
                inner.ready()

    def structure(self, seen: tuple[int, ...] = ()) -> list[Any]:
        """See Node.structure."""
        if id(self.origin) in seen:
            return ["again", self.origin.name]
        seen = (*seen, id(self.origin))
        vertices = [
            [
                vertex.name,
                vertex.kind,
                vertex.node.structure(seen) if vertex.node else None,
                [[name, repr(expr)] for name, expr in vertex.uses.items()],
                vertex.wins,
            ]
            for vertex in self.vertices
        ]
        return [*super().structure(seen), vertices, repr(self.output)]

    @cached_property
    def networkx(self) -> networkx.MultiDiGraph:
        """The dag as a frozen networkx.MultiDiGraph: vertex names, edges keyed by what they are used as (G3)."""
        import networkx as nx

        graph = nx.MultiDiGraph(name=self.name, kind=self.kind)
        for vertex in self.vertices:
            graph.add_node(vertex.name, kind=vertex.kind, type=type_name(vertex.type), node=vertex.node)
        for vertex in self.vertices:
            for use, expr in vertex.uses.items():
                for source in refs(expr):
                    graph.add_edge(self.vertices[source].name, vertex.name, key=use)
        return nx.freeze(graph)


class DagDecorator(Protocol):
    """What `dag(...)` returns when it is given options first."""

    def __call__(self, body: Callable[P, R], /) -> Dag[P, R]: ...  # noqa: D102 - as the class says


@overload
def dag(body: Callable[P, R], /) -> Dag[P, R]: ...
@overload
def dag(
    *, name: str | None = None, on_failure: Literal["cancel", "finish"] = "cancel", max_depth: int = 100
) -> DagDecorator: ...
def dag(
    body: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    on_failure: Literal["cancel", "finish"] = "cancel",
    max_depth: int = 100,
) -> Any:
    """Draw an immutable graph by calling `body` once with placeholders.

    The body may use Python freely around node calls: loops and helpers run while drawing. It may call the dag itself,
    inside a
    `when` or `switch` that ends the recursion; `max_depth` bounds it. `on_failure`: whether the other running steps of
    a run of this dag are stopped or finish when a step fails for good. Raises GraphError with every mistake at once.
    """
    scope = caller_names(2)

    def wrap(function: Callable[..., Any]) -> Dag[Any, Any]:
        label = function.__name__ if name is None else name
        if inspect.iscoroutinefunction(function):
            raise GraphError(
                label, [Mistake(place_of(function), "the body of a dag is async", "write `def`: it only draws")]
            )
        signature = read_signature(function, label, scope)
        graph: Dag[Any, Any] = Dag(
            label, signature, place=place_of(function), doc=inspect.getdoc(function) or "", max_depth=max_depth
        )
        graph.on_failure = on_failure
        release = _bind_own_name(function, graph)
        try:
            graph.draw(function)
        finally:
            release()
        return graph

    return wrap if body is None else wrap(body)


def _bind_own_name(function: Callable[..., Any], graph: Dag[Any, Any]) -> Callable[[], None]:
    """Let the body call the dag by its own name, which Python binds only after the decorator returns."""
    name = function.__name__
    if name in function.__code__.co_freevars:
        cell = (function.__closure__ or ())[function.__code__.co_freevars.index(name)]
        try:
            cell.cell_contents  # noqa: B018 - raises when the name is not bound yet
        except ValueError:
            cell.cell_contents = graph
            return lambda: None
        return lambda: None
    names = function.__globals__
    if name not in function.__code__.co_names:
        return lambda: None
    before, bound = names.get(name), name in names
    names[name] = graph

    def release() -> None:
        if bound:
            names[name] = before
        else:
            names.pop(name, None)

    return release


def _canvas(verb: str) -> Canvas:
    current = drawing.get()
    if not isinstance(current, Canvas):
        raise UsageError(f"{verb}(...) was called outside the body of a @dag")
    return current


def each(node: Node[Concatenate[T, Q], R], items: Iterable[T], /, *args: Q.args, **kwargs: Q.kwargs) -> list[R]:
    """Run `node` for every item of a list that exists at run time; the results come in the order of the items (E4).

    Further arguments are the same for every item. How many run at once is the node's `limit` and the runtime's.
    """
    return typing.cast("list[R]", _canvas("each").map(node, items, args, dict(kwargs)))


@overload
def when(condition: bool, then: A, otherwise: B) -> A | B: ...
@overload
def when(condition: bool, then: A) -> A | None: ...
def when(condition: Any, then: Any, otherwise: Any = None) -> Any:
    """Choose: the value of `then` if the condition holds, else that of `otherwise`. What only the other one uses never
    runs."""
    canvas = _canvas("when")
    test, test_type = canvas.lift(condition)
    if not assignable(test_type, bool):
        canvas.mistake(f"when(...) got a {type_name(test_type)} as its condition", "give it a bool")
    yes, yes_type = canvas.lift(then)
    no, no_type = canvas.lift(otherwise)
    return canvas.add("when", "when", {"if": test, "then": yes, "else": no}, union([yes_type, no_type]))


_NO_DEFAULT: Any = object()


@overload
def switch(value: K, cases: Mapping[K, A]) -> A: ...
@overload
def switch(value: K, cases: Mapping[K, A], default: B) -> A | B: ...
def switch(value: Any, cases: Mapping[Any, Any], default: Any = _NO_DEFAULT) -> Any:
    """Choose by value: the case that equals it, else `default`; without a default an unknown value fails the run.

    What only other cases use never runs.
    """
    canvas = _canvas("switch")
    on, on_type = canvas.lift(value)
    uses: dict[str, Expr] = {"on": on}
    types: list[Any] = []
    if not cases:
        canvas.mistake("switch(...) has no cases", "give it at least one")
    for key, case in cases.items():
        if not assignable(type(key), on_type) and typing.get_origin(on_type) is not Literal:
            canvas.mistake(
                f"switch(...): the case {key!r} can never equal a {type_name(on_type)}", "use keys of that type"
            )
        elif typing.get_origin(on_type) is Literal and key not in typing.get_args(on_type):
            canvas.mistake(f"switch(...): the case {key!r} is none of {type_name(on_type)}", "use one of its values")
        uses[f"={_case(key, on_type).decode()}"], case_type = canvas.lift(case)
        types.append(case_type)
    if default is not _NO_DEFAULT:
        uses["default"], default_type = canvas.lift(default)
        types.append(default_type)
    return canvas.add("switch", "switch", uses, union(types))


def _case(key: Any, on_type: Any) -> Json:
    """Write a case as a value of that type is written: 1 is `1.0` where floats are compared."""
    try:
        return Port("switch", "on", on_type).write(key)
    except PortError:
        return to_json(key)


def first(*options: A) -> A:
    """Take the option that arrives first and cancel what only the others need. Fails only if all of them fail.

    Which one won is the order of the journal, so a resumed run keeps its winner.
    """
    canvas = _canvas("first")
    uses, types = _options(canvas, options)
    return typing.cast("A", canvas.add("first", "first", uses, union(types)))


def quorum(count: int, *options: A) -> list[A]:
    """Take the first `count` options that arrive, in the order they were written, and cancel what only the others
    need."""
    canvas = _canvas("quorum")
    uses, types = _options(canvas, options)
    result = list[union(types)]  # type: ignore[misc,valid-type] # the type is a run-time value
    return typing.cast("list[A]", canvas.add("quorum", "quorum", uses, result, wins=count))


def _options(canvas: Canvas, options: Sequence[Any]) -> tuple[dict[str, Expr], list[Any]]:
    lifted = [canvas.lift(option) for option in options]
    return {str(n): expr for n, (expr, _) in enumerate(lifted)}, [annotation for _, annotation in lifted]


def as_graph(node: Node[..., Any]) -> Graph[..., Any]:
    """Return a graph as it is, and any other node as a dag of one step."""
    if isinstance(node, Graph):
        node.ready()
        return node
    if not isinstance(node, Node):
        raise UsageError(f"{node!r} is not a node; make it one with @node, @dag or Machine")
    graph: Dag[..., Any] = Dag(node.name, node.signature, place=node.place, doc=node.doc)
    uses = {name: Arg(name) for name in node.signature.params}
    graph.keep([Vertex(0, node.name, "call", uses, node.signature.returns.annotation, node.place, node)], Ref(0))
    return graph
