"""`@person`: a step whose output is somebody's answer.

    @person("Refund {{ amount }} to {{ customer }}?")
    def approve(customer: str, amount: float) -> bool:
        return answered()

The signature is the node's; the template is the question; the body never runs. The run is suspended until the answer is
there: `graphrt inbox` lists who is asked what, `graphrt answer RUN STEP JSON` or `rt.answer(run, step, value)` answers.
An answer is validated by the return type; one that does not fit is refused, recorded, and the question stands. Asking
is a node of its own, so nothing that ran before it runs again because a person was asked (D4).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Never, ParamSpec, Protocol, TypeVar, cast, overload

from pydantic_core import to_json

from graphrt.errors import UsageError
from graphrt.node import Wait, WaitNode, caller_names, place_of, read_signature
from graphrt.nodes.template import compile_template
from graphrt.ports import adapter
from graphrt.types import Json

P = ParamSpec("P")
R = TypeVar("R")


def answered() -> Never:
    """Stand for the person's answer in the body of a `@person` function: type checkers take it for any type.

    It never runs.
    """
    raise UsageError("answered() is the body of a @person function and does not run; start the node with a runtime")


class PersonDecorator(Protocol):
    """What `person(...)` returns."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> WaitNode[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> WaitNode[P, R]: ...


def person(question: str, *, to: str = "", name: str | None = None) -> PersonDecorator:
    """Make a node that asks a person.

    `question` is a Jinja template over the parameters, rendered in a sandbox; a name that is no parameter is a
    GraphError at definition. `to`: who is meant, for whoever shows the inbox.
    """
    scope = caller_names(2)

    def wrap(function: Callable[..., Any]) -> WaitNode[..., Any]:
        label = name or function.__name__
        signature = read_signature(function, label, scope)
        place = place_of(function)
        render = compile_template(question, label, place, signature.params)

        def wait(inputs: Mapping[str, Json], now: float) -> Wait:
            del now
            values = {word: param.port.read(inputs[word]) for word, param in signature.params.items()}
            asked = {
                "question": render(values),
                **({"to": to} if to else {}),
                "schema": adapter(signature.returns.annotation).json_schema(mode="validation"),
            }
            return Wait(note=to_json(asked))

        return WaitNode(
            label,
            signature,
            place=place,
            kind="person",
            wait=wait,
            doc=inspect.getdoc(function) or "",
            label=to,
        )

    decorator: Any = wrap  # one function for both of the decorator's shapes
    return cast("PersonDecorator", decorator)
