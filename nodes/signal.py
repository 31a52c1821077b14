"""`signal`: a step that waits for a message from outside.

    paid = signal("paid", Payment)

    @dag
    def order(item: str) -> Payment | None:
        return first(paid(), sleep(None, seconds=3600))

The message is kept in the run's inbox from the moment it is sent, also before anybody waits for it, and is used up in
the commit that gives the step its output: a crash neither loses nor doubles it.
"""

from __future__ import annotations

from typing import Any, TypeVar

from graphrt.errors import GraphError, Mistake
from graphrt.node import Signature, Wait, WaitNode, check_name, place_here
from graphrt.ports import Port, json_problem, type_name

T = TypeVar("T")


def signal(name: str, of: type[T], /) -> WaitNode[[], T]:
    """Make a node that waits for the signal `name`, whose value is `of` this type.

    Send it with `rt.signal(run, name, value)` or `graphrt signal RUN NAME JSON`. Steps that wait for the same name get
    one message each, in the order in which they began to wait. Raises GraphError if the type does not survive JSON.
    """
    check_name(name)
    place = place_here()
    if problem := json_problem(of):
        raise GraphError(name, [Mistake(place, f"{type_name(of)} does not survive JSON: {problem}", "use plain data")])

    def wait(inputs: Any, now: float) -> Wait:
        del inputs, now
        return Wait(name=name)

    signature = Signature({}, Port(name, "return", of))
    return WaitNode(name, signature, place=place, kind="signal", wait=wait, label=name)
