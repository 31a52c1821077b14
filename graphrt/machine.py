"""State machines: states are data, a transition is a return type.

A machine is in one state at a time; the state's handler returns the next one. A handler is any node that takes the
state: a function, a model call, a dag, another machine. A machine is a node: its parameters are the fields of its start
state, its result is the end state it reached.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from graphrt.assignable import members, plain, union
from graphrt.check import check_machine
from graphrt.errors import GraphError, Mistake, UsageError
from graphrt.graph import Graph
from graphrt.node import (
    FunctionNode,
    Node,
    Param,
    Signature,
    caller_names,
    check_name,
    place_here,
    place_of,
    read_signature,
)
from graphrt.ports import Port, json_problem, type_name

if TYPE_CHECKING:
    import networkx

P = ParamSpec("P")


class State(BaseModel):
    """A state of a machine: plain data. Its class is the state's name."""


class Final(State):
    """A state that ends its machine."""


S = TypeVar("S", bound=State)
N = TypeVar("N", bound=State)
E = TypeVar("E", bound=State)
E1 = TypeVar("E1", bound=State)
E2 = TypeVar("E2", bound=State)
E3 = TypeVar("E3", bound=State)


@dataclass(frozen=True, slots=True)
class Handler:
    """What runs in a state, and the states it may lead to."""

    state: type[State]
    node: Node[..., Any]
    whole: str | None
    """The parameter that takes the whole state; None if the parameters are the state's fields, as another machine's
    are."""
    returns: tuple[type[State], ...]


class Machine(Graph[P, E]):
    """A state machine, built with `@machine.on` and closed by its first use.

    `start`: the state it begins in. `end`: the state, or states, that end it. `max_transitions`: how many handlers may
    run before the run fails with BudgetExceeded (E10).
    """

    kind = "machine"

    @overload
    def __init__(self, name: str, *, start: Callable[P, State], end: type[E], max_transitions: int = 1000) -> None: ...
    @overload
    def __init__(
        self: Machine[P, E1 | E2],  # pyright: ignore[reportInvalidTypeVarUse] - how an overload narrows its class
        name: str,
        *,
        start: Callable[P, State],
        end: tuple[type[E1], type[E2]],
        max_transitions: int = 1000,
    ) -> None: ...
    @overload
    def __init__(
        self: Machine[P, E1 | E2 | E3],  # pyright: ignore[reportInvalidTypeVarUse] - as above
        name: str,
        *,
        start: Callable[P, State],
        end: tuple[type[E1], type[E2], type[E3]],
        max_transitions: int = 1000,
    ) -> None: ...
    @overload
    def __init__(
        self: Machine[P, State],  # pyright: ignore[reportInvalidTypeVarUse] - as above
        name: str,
        *,
        start: Callable[P, State],
        end: tuple[type[State], type[State], type[State], type[State], *tuple[type[State], ...]],
        max_transitions: int = 1000,
    ) -> None: ...
    def __init__(self, name: str, *, start: Any, end: Any, max_transitions: int = 1000) -> None:
        check_name(name)
        ends = end if isinstance(end, tuple) else (end,)
        place = place_here()
        if wrong := [state for state in (start, *ends) if not (isinstance(state, type) and issubclass(state, State))]:
            names = ", ".join(repr(state) for state in wrong)
            raise GraphError(
                name, [Mistake(place, f"{names} is no State", "derive it from graphrt.State or graphrt.Final")]
            )
        if max_transitions < 1:
            raise UsageError(f"machine {name!r}: max_transitions={max_transitions} must be at least 1")
        super().__init__(name, _signature(name, place, start, ends), place=place)
        self.start: type[State] = start
        self.ends: frozenset[type[State]] = frozenset(ends)
        self.max_transitions = max_transitions
        self.handlers: dict[type[State], Handler] = {}
        self._mistakes: list[Mistake] = []
        self._closed = False

    @overload
    def on(self, handler: Node[[S], N]) -> Node[[S], N]: ...  # type: ignore[overload-overlap] # a node is callable, too
    @overload
    def on(self, handler: Callable[[S], Coroutine[Any, Any, N]]) -> FunctionNode[[S], N]: ...
    @overload
    def on(self, handler: Callable[[S], N]) -> FunctionNode[[S], N]: ...
    def on(self, handler: Any) -> Any:
        """Let `handler`, a function or any node, run in the state that its parameter is annotated with.

        Its return annotation says which states may follow. For another machine as a handler see `hand_over`.
        """
        if self._closed:
            raise UsageError(
                f"machine {self.name!r} is in use and can take no more handlers; add {handler!r} before its first use"
            )
        node = handler if isinstance(handler, Node) else _make_node(handler, caller_names(2))
        self._add(node, place_of(handler) if callable(handler) and not isinstance(handler, Node) else node.place)
        return node

    def hand_over(self, state: type[State], to: Machine[..., Any]) -> None:
        """Let another machine run in `state`, which must be the state that machine starts in; its ends are what may
        follow."""
        if self._closed:
            raise UsageError(f"machine {self.name!r} is in use and can take no more handlers")
        if to.start is not state:
            self._mistakes.append(
                Mistake(
                    place_here(),
                    f"machine {to.name!r} starts in {to.start.__name__}, not in {state.__name__}",
                    "hand over its start state",
                )
            )
            return
        self._register(Handler(state, to, None, tuple(to.ends)), place_here())

    def ready(self) -> None:
        """Close the machine and check it. Raises GraphError with every mistake (G4)."""
        if self._closed:
            return
        steps = {state: (handler.node, handler.returns) for state, handler in self.handlers.items()}
        found = [*self._mistakes, *check_machine(self.start, self.ends, steps, self.place), *self._names_twice()]
        if found:
            raise GraphError(self.name, found)
        self._closed = True
        for handler in self.handlers.values():
            if isinstance(handler.node, Graph):
                handler.node.ready()

    def inner(self) -> Iterator[Node[..., Any]]:
        """Yield the handlers."""
        return (handler.node for handler in self.handlers.values())

    @cached_property
    def by_name(self) -> dict[str, type[State]]:
        """The states by the name their values are recorded under."""
        states = {self.start, *self.ends, *self.handlers}
        return {state.__name__: state for state in states}

    def structure(self, seen: tuple[int, ...] = ()) -> list[Any]:
        """See Node.structure."""
        if id(self.origin) in seen:
            return ["again", self.origin.name]
        seen = (*seen, id(self.origin))
        handlers = [
            [
                handler.state.__name__,
                handler.node.name,
                handler.node.structure(seen),
                sorted(s.__name__ for s in handler.returns),
            ]
            for handler in sorted(self.handlers.values(), key=lambda handler: handler.state.__name__)
        ]
        return [*super().structure(seen), self.start.__name__, sorted(end.__name__ for end in self.ends), handlers]

    @cached_property
    def networkx(self) -> networkx.MultiDiGraph:
        """The machine as a frozen networkx.MultiDiGraph: states, and an edge for each transition, keyed by its handler
        (G3)."""
        import networkx as nx

        self.ready()
        graph = nx.MultiDiGraph(name=self.name, kind=self.kind)
        graph.add_node(self.start.__name__, kind="start")
        for handler in self.handlers.values():
            graph.add_node(handler.state.__name__, handler=handler.node.name, node=handler.node)
        for end in sorted(self.ends, key=lambda state: state.__name__):
            graph.add_node(end.__name__, kind="end")
        for handler in self.handlers.values():
            for state in handler.returns:
                graph.add_edge(handler.state.__name__, state.__name__, key=handler.node.name)
        return nx.freeze(graph)

    def _add(self, node: Node[..., Any], place: str) -> None:
        params = list(node.signature.params.values())
        taken = plain(params[0].port.annotation) if len(params) == 1 else None
        returns = tuple(members(node.signature.returns.annotation))
        if not (isinstance(taken, type) and issubclass(taken, State)):
            self._mistakes.append(
                Mistake(
                    place,
                    f"handler {node.name!r} does not take one state",
                    "give it one parameter annotated with a State",
                )
            )
        elif wrong := [state for state in returns if not (isinstance(state, type) and issubclass(state, State))]:
            names = ", ".join(type_name(state) for state in wrong)
            self._mistakes.append(
                Mistake(
                    place,
                    f"handler {node.name!r} returns {names}, which is no state",
                    "return State classes, or a union of them",
                )
            )
        else:
            self._register(Handler(taken, node, next(iter(node.signature.params)), returns), place)

    def _register(self, handler: Handler, place: str) -> None:
        before = self.handlers.get(handler.state)
        if before is not None:
            self._mistakes.append(
                Mistake(
                    place,
                    f"{handler.state.__name__} is handled by {before.node.name!r} and {handler.node.name!r}",
                    "keep one of them",
                )
            )
            return
        self.handlers[handler.state] = handler

    def _names_twice(self) -> Iterator[Mistake]:
        seen: dict[str, type[State]] = {}
        for handler in self.handlers.values():
            if handler.node.name in seen:
                yield Mistake(
                    handler.node.place, f"two handlers are named {handler.node.name!r}", "rename one: node.named('...')"
                )
            seen[handler.node.name] = handler.state
        states: dict[str, type] = {}
        for state in {self.start, *self.ends, *(s for h in self.handlers.values() for s in (h.state, *h.returns))}:
            if states.setdefault(state.__name__, state) is not state:
                yield Mistake(
                    self.place,
                    f"two states are named {state.__name__!r}",
                    "rename one: values are recorded under the name",
                )


def _make_node(function: Callable[..., Any], scope: Any) -> FunctionNode[Any, Any]:
    name = getattr(function, "__name__", "handler")
    return FunctionNode(
        function,
        name,
        read_signature(function, name, scope),
        place=place_of(function),
        doc=inspect.getdoc(function) or "",
    )


def _signature(name: str, place: str, start: type[State], ends: tuple[type[State], ...]) -> Signature:
    if problems := [
        Mistake(place, f"{state.__name__} does not survive JSON: {problem}", "use plain data in its fields")
        for state in dict.fromkeys((start, *ends))
        if (problem := json_problem(state))
    ]:
        raise GraphError(name, problems)
    params = {}
    for field_name, field in start.model_fields.items():
        port = Port(name, field_name, field.rebuild_annotation())
        default = field.get_default(call_default_factory=True, validated_data={})
        params[field_name] = Param(port, None if default is PydanticUndefined else port.write(default))
    return Signature(types.MappingProxyType(params), Port(name, "return", union(ends)))
