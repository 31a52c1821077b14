"""Nodes: a typed function becomes a frozen node; its ports come from its annotations (G1)."""

from __future__ import annotations

import copy
import inspect
import sys
import types
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, ParamSpec, Protocol, TypeVar, cast, get_type_hints, overload

from graphrt.errors import GraphError, Mistake, PortError, UsageError
from graphrt.policy import Effect, Policy, Retry, Timeout, policy
from graphrt.ports import Port, json_problem, type_name
from graphrt.types import Json

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Param:
    """An input port and its default, written as JSON; None means that a value must be given."""

    port: Port
    default: Json | None


@dataclass(frozen=True, slots=True)
class Signature:
    """What goes into a node and what comes out."""

    params: Mapping[str, Param]
    returns: Port


class Drawing(Protocol):
    """Where node calls go while the body of a `@dag` is being drawn."""

    def call(self, node: Node[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Draw one call and return the placeholder of its result."""

    def type_of(self, value: Any) -> Any:
        """Return the type of a placeholder, or of a constant."""


drawing: ContextVar[Drawing | None] = ContextVar("graphrt drawing", default=None)


class Node(Generic[P, R_co]):
    """A typed step of a graph: a function, a model call, or a whole graph. It is never changed; variations are new
    nodes.

    Inside the body of a `@dag` a call draws it. Anywhere else, give it to a runtime: `await rt.start(node, ...)`.
    """

    kind = "node"

    def __init__(
        self, name: str, signature: Signature, *, place: str, policy: Policy | None = None, doc: str = ""
    ) -> None:
        self.name = name
        self.signature = signature
        self.place = place
        self.policy = policy or Policy()
        self.doc = doc
        self.explicit_name = False
        self.origin: Node[Any, Any] = self

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Draw a call of this node into the graph whose body is being drawn."""
        current = drawing.get()
        if current is None:
            raise UsageError(
                f"node {self.name!r} was called outside the body of a @dag; "
                f"run it with `await rt.start({self.name}, ...)` or `rt.run_sync({self.name}, ...)`"
                + (f", or call the plain function as `{self.name}.fn(...)`" if isinstance(self, FunctionNode) else "")
            )
        return cast("R_co", current.call(self, args, kwargs))

    def named(self, name: str) -> Node[P, R_co]:
        """Return the same node under another name, which is then part of its steps' keys."""
        check_name(name)
        other = copy.copy(self)
        other.name = name
        other.explicit_name = True
        return other

    def with_policy(
        self,
        *,
        retry: int | Retry | None = None,
        timeout: float | Timeout | None = None,
        deadline: float | None = None,
        effect: Effect | None = None,
        limit: str | None = None,
    ) -> Node[P, R_co]:
        """Return the same node under a policy that differs in what is given here."""
        if not isinstance(self, FunctionNode):
            raise UsageError(f"{self.kind} {self.name!r} has no policy of its own; give it to the nodes inside")
        changed = policy(retry, timeout, deadline, effect or self.policy.effect, limit)
        other = copy.copy(self)
        other.policy = replace(
            changed,
            retry=self.policy.retry if retry is None else changed.retry,
            timeout=self.policy.timeout if timeout is None else changed.timeout,
            deadline=self.policy.deadline if deadline is None else deadline,
            limit=self.policy.limit if limit is None else limit,
        )
        return other

    def write_input(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Json]:
        """Bind a call's arguments to ports and write each as JSON. Raises UsageError and PortError."""
        given = self.bind(args, kwargs)
        written = {}
        for name, param in self.signature.params.items():
            if name in given:
                written[name] = param.port.write(given[name])
            elif param.default is not None:
                written[name] = param.default
            else:
                raise UsageError(f"{self.kind} {self.name!r} needs {name!r} ({type_name(param.port.annotation)})")
        return written

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Give each argument the name of its parameter. Raises UsageError for one too many or an unknown name."""
        names = list(self.signature.params)
        if len(args) > len(names):
            raise UsageError(
                f"{self.kind} {self.name!r} takes {len(names)} arguments ({', '.join(names)}), {len(args)} were given"
            )
        bound = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in self.signature.params:
                raise UsageError(
                    f"{self.kind} {self.name!r} has no parameter {name!r}; it has {', '.join(names) or 'none'}"
                )
            if name in bound:
                raise UsageError(f"{self.kind} {self.name!r} got {name!r} twice")
            bound[name] = value
        return bound

    def structure(self, seen: tuple[int, ...] = ()) -> list[Any]:
        """Return what counts towards a graph's fingerprint: the name and the types, not the policy or the code (G6).

        `seen` are the graphs it is inside of, so that a recursion ends.
        """
        ports = [[name, type_name(param.port.annotation)] for name, param in self.signature.params.items()]
        return [self.kind, self.origin.name, ports, type_name(self.signature.returns.annotation)]

    def __repr__(self) -> str:
        params = ", ".join(f"{name}: {type_name(p.port.annotation)}" for name, p in self.signature.params.items())
        return f"<{self.kind} {self.name}({params}) -> {type_name(self.signature.returns.annotation)}>"


class Leaf(Node[P, R_co]):
    """A node that is a step by itself: a function, or a wait for the world. Everything else is made of leaves."""


class FunctionNode(Leaf[P, R_co]):
    """A node whose work is one function. Sync functions run in a worker thread.

    `check`, for a node whose effect is `once`: a function of the same parameters that finds out, after a crash or a
    timeout, what became of the effect. It returns what the node would have returned, raises NotDone if the effect did
    not happen, and whatever else it raises means that it cannot tell.
    """

    kind = "node"

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str,
        signature: Signature,
        *,
        place: str,
        policy: Policy | None = None,
        doc: str = "",
        kind: str = "node",
        label: str = "",
        check: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(name, signature, place=place, policy=policy, doc=doc)
        if check is not None and self.policy.effect != "once":
            raise UsageError(
                f"node {name!r} has a check and effect={self.policy.effect!r}; "
                f"only effect='once' is ever checked, everything else may run again"
            )
        self.fn = fn
        self.check = check
        self.kind = kind
        self.label = label
        """A second line for pictures: what the node is about, such as its model role."""
        self.is_async = inspect.iscoroutinefunction(fn)

    def read(self, inputs: Mapping[str, Json]) -> dict[str, Any]:
        """Read a step's inputs into fresh objects. Raises PortError."""
        return {name: param.port.read(inputs[name]) for name, param in self.signature.params.items()}


@dataclass(frozen=True, slots=True)
class Wait:
    """What a step waits for, worked out from its inputs."""

    name: str = ""
    """A signal's name."""
    until: float | None = None
    """When a timer is due, in seconds since the epoch."""
    note: Json | None = None
    """What a person is asked, a JSON object."""


class WaitNode(Leaf[P, R_co]):
    """A node whose output comes from the world: a signal, a person's answer, the passing of time.

    It runs no code while it waits, holds no permit, and lets its run be suspended. `wait(inputs, now)` says what for,
    once, when the step begins. A timer's output is its input `value`; what a message brings is read by the `returns`
    port.
    """

    def __init__(
        self,
        name: str,
        signature: Signature,
        *,
        place: str,
        kind: Literal["signal", "person", "timer"],
        wait: Callable[[Mapping[str, Json], float], Wait],
        doc: str = "",
        label: str = "",
    ) -> None:
        super().__init__(name, signature, place=place, doc=doc, policy=Policy(effect="none"))
        self.kind: Literal["signal", "person", "timer"] = kind
        self.wait = wait
        self.label = label


class NodeDecorator(Protocol):
    """What `node(...)` returns when it is given a policy first."""

    @overload
    def __call__(self, fn: Callable[P, Coroutine[Any, Any, R]], /) -> FunctionNode[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> FunctionNode[P, R]: ...


@overload
def node(fn: Callable[P, Coroutine[Any, Any, R]], /) -> FunctionNode[P, R]: ...
@overload
def node(fn: Callable[P, R], /) -> FunctionNode[P, R]: ...
@overload
def node(
    *,
    name: str | None = None,
    retry: int | Retry | None = None,
    timeout: float | Timeout | None = None,
    deadline: float | None = None,
    effect: Effect = "read",
    limit: str | None = None,
    check: Callable[..., Any] | None = None,
) -> NodeDecorator: ...
def node(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    retry: int | Retry | None = None,
    timeout: float | Timeout | None = None,
    deadline: float | None = None,
    effect: Effect = "read",
    limit: str | None = None,
    check: Callable[..., Any] | None = None,
) -> Any:
    """Make a node of a function, bare (`@node`) or with a policy (`@node(retry=3, timeout=20)`).

    `retry`: attempts in all, or a Retry. `timeout`: seconds for one attempt, or a Timeout. `deadline`: seconds for all
    attempts together. `effect`: what the function does to the world; `check`: for `once`, what finds out whether it was
    done (see FunctionNode). `limit`: the named limit each attempt holds a permit of. Raises GraphError for a parameter
    or return without annotation, or of a type that does not survive JSON.
    """
    chosen = policy(retry, timeout, deadline, effect, limit)
    scope = caller_names(2)

    def wrap(function: Callable[..., Any]) -> FunctionNode[Any, Any]:
        label = function.__name__ if name is None else name
        signature = read_signature(function, label, scope)
        return FunctionNode(
            function,
            label,
            signature,
            place=place_of(function),
            policy=chosen,
            doc=inspect.getdoc(function) or "",
            check=_checker(check, label, signature, place_of(function)),
        )

    return wrap if fn is None else wrap(fn)


def _checker(
    check: Callable[..., Any] | None, name: str, signature: Signature, place: str
) -> Callable[..., Any] | None:
    """Return a check as a plain function, or raise GraphError if it does not take what its node takes."""
    if check is None:
        return None
    function = check.fn if isinstance(check, FunctionNode) else check
    try:
        inspect.signature(function).bind(**dict.fromkeys(signature.params))
    except TypeError as error:
        fix = f"give it the parameters {', '.join(signature.params) or '(none)'}"
        what = f"the check {getattr(function, '__name__', function)!r} of {name!r} cannot be called: {error}"
        raise GraphError(name, [Mistake(place, what, fix)]) from None
    except ValueError:  # a builtin that does not say what it takes
        pass
    return function


def caller_names(depth: int) -> Mapping[str, Any]:
    """Return the local names `depth` frames up, so that annotations may name a class defined inside a function."""
    frame = sys._getframe(depth)
    return {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)


def read_signature(function: Callable[..., Any], name: str, scope: Mapping[str, Any]) -> Signature:
    """Read ports from a function's annotations. Raises GraphError with every mistake."""
    check_name(name)
    place = place_of(function)
    mistakes: list[Mistake] = []
    try:
        hints = get_type_hints(function, localns=dict(scope), include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        raise GraphError(
            name,
            [Mistake(place, f"an annotation cannot be resolved: {error}", "import or define the name before the node")],
        ) from None
    params: dict[str, Param] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            mistakes.append(
                Mistake(place, f"parameter {parameter.name!r} takes any number of values", "name each parameter")
            )
        elif parameter.name not in hints:
            mistakes.append(
                Mistake(place, f"parameter {parameter.name!r} has no annotation", f"write `{parameter.name}: <type>`")
            )
        elif problem := json_problem(hints[parameter.name]):
            mistakes.append(_no_json(place, f"parameter {parameter.name!r}", problem))
        else:
            port = Port(name, parameter.name, hints[parameter.name])
            default = None
            if parameter.default is not parameter.empty:
                try:
                    default = port.write(parameter.default)
                except PortError as error:
                    mistakes.append(
                        Mistake(place, f"the default of {parameter.name!r} does not fit: {error}", "change either")
                    )
            params[parameter.name] = Param(port, default)
    if "return" not in hints:
        mistakes.append(
            Mistake(
                place, "the return has no annotation", "write `-> <type>`; `-> None` if there is nothing to hand on"
            )
        )
    elif problem := json_problem(hints["return"]):
        mistakes.append(_no_json(place, "the return", problem))
    if mistakes:
        raise GraphError(name, mistakes)
    return Signature(types.MappingProxyType(params), Port(name, "return", hints["return"]))


def _no_json(place: str, what: str, problem: str) -> Mistake:
    return Mistake(
        place,
        f"the type of {what} does not survive JSON: {problem}",
        "use plain data: builtins, pydantic models, dataclasses",
    )


def check_name(name: str) -> None:
    """Refuse a name that would be ambiguous in a step key."""
    if not name or any(letter in name for letter in "/[]#\n") or name != name.strip():
        raise UsageError(f"{name!r} cannot name a node: a name has no '/', '[', ']' or '#', and is not empty")


def place_of(function: Callable[..., Any]) -> str:
    """Return where a function is defined, as `file.py:12 in name`."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return getattr(function, "__qualname__", repr(function))
    return f"{Path(code.co_filename).name}:{code.co_firstlineno} in {function.__name__}"


_OWN = str(Path(__file__).parent)


def place_here() -> str:
    """Return the nearest place outside this package on the stack: the user's own line."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} in {frame.f_code.co_name}"
