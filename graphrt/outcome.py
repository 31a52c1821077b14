"""What became of an attempt, as facts: how an error is recorded, whether another attempt follows, what an output is.

Pure functions of what was observed; the scheduler calls them and commits what they return.
"""

from __future__ import annotations

import traceback
from functools import lru_cache
from pathlib import Path
from types import TracebackType, UnionType
from typing import Any, Union, get_args, get_origin

from graphrt.assignable import members
from graphrt.errors import PortError
from graphrt.facts import AttemptFailed, Failure, StepFailed
from graphrt.node import Leaf
from graphrt.policy import Policy
from graphrt.ports import Port, type_tag
from graphrt.types import Json


def after_failure(
    failed: StepFailed, policy: Policy, now: float, *, tries: int, began: float | None, seed: str, spent: bool
) -> AttemptFailed | StepFailed:
    """Decide whether a failed attempt is made again, and when: the one retry loop (E6).

    `tries`: attempts since the run began or was resumed. `began`: when the first of them was. `spent`: the run has used
    up its retry budget.
    """
    pause = policy.retry.pause(tries, failed.failure, seed=seed)
    if pause is None or spent:
        return failed
    if policy.deadline is not None and now + pause >= (now if began is None else began) + policy.deadline:
        return failed
    return AttemptFailed(failed.step, failed.attempt, failed.failure, now + pause, failed.note)


def describe(error: BaseException, node: Leaf[..., Any]) -> Failure:
    """Write an error as a record. An error may say of itself: `category`, `retryable`, `retry_after` (seconds)."""
    own_input = isinstance(error, PortError) and error.port in node.signature.params
    trace = "".join(traceback.format_exception(type(error), error, _from_the_node(error.__traceback__)))[-4000:]
    return Failure(
        type=type(error).__name__,
        message=str(error)[:4000],
        category=getattr(error, "category", None),
        retryable=bool(getattr(error, "retryable", True)) and not own_input,
        retry_after=getattr(error, "retry_after", None),
        trace=trace,
    )


_ENGINES = frozenset({"anyio", "trio", "outcome"})
_OWN = frozenset(Path(__file__).with_name(name) for name in ("scheduler.py", "attempt.py", "crew.py"))


def _from_the_node(trace: TracebackType | None) -> TracebackType | None:
    """Leave out how the node came to be called: what a reader wants begins at its own function."""
    while trace is not None and trace.tb_next is not None:
        place = Path(trace.tb_frame.f_code.co_filename)
        if place not in _OWN and not _ENGINES & set(place.parts):
            break
        trace = trace.tb_next
    return trace


def written(node: Leaf[..., Any], result: object) -> tuple[Json, str]:
    """Write an output and return it with the tag it is recorded under. Raises PortError."""
    port, tag = port_of(node, result)
    return port.write(result), tag


def tag_of(node: Leaf[..., Any], result: object) -> str:
    """Return the type tag of an output: of its own class, where the node may return one of several."""
    return port_of(node, result)[1]


def port_of(node: Leaf[..., Any], result: object) -> tuple[Port, str]:
    """Return what writes an output, and the tag it is recorded under."""
    return _port_of(node.signature.returns, type(result))  # type: ignore[arg-type] # mypy: of its instances


@lru_cache(maxsize=4096)
def _port_of(port: Port, kind: type) -> tuple[Port, str]:
    """Return what writes an output of class `kind`, and its tag.

    A member of a union is written as what it is: pydantic's serializer for the union would try the members one by one.
    An instance of a subclass is written as the member it fits. Not so if the member stands there with more to it, as in
    `Annotated[int, Gt(0)] | None`.
    """
    options = members(port.annotation)
    member = next((base for base in kind.__mro__[:-1] if base in options), None)
    if len(options) == 1 or member is None:
        return port, port.tag
    kind = member
    alone = get_origin(port.annotation) in {Union, UnionType} and kind in get_args(port.annotation)
    return (Port(port.node, port.name, kind) if alone else port), type_tag(kind)
