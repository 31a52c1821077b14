"""`sleep` and `sleep_until`: durable timers.

    @dag
    def remind(order: Order) -> Reminder:
        return write(sleep(order, seconds=86400))

When a timer is due is worked out once, when its step begins, and recorded as an absolute time: a crash, a redeployment
or a week without any process does not make it longer. A run that only sleeps is suspended: no process and no memory
wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeVar, cast

from graphrt.errors import UsageError
from graphrt.node import Param, Signature, Wait, WaitNode, drawing, place_here
from graphrt.ports import Port
from graphrt.types import Json

T = TypeVar("T")


def sleep(value: T, seconds: float) -> T:
    """Draw a step that passes `value` on once `seconds` have gone by since it was there.

    Both may be values that exist only when the graph runs. As a deadline: `first(answer(), sleep(None, 3600))`.
    """
    return cast("T", _draw("sleep", _after, value, seconds=seconds))


def sleep_until(value: T, at: datetime) -> T:
    """Draw a step that passes `value` on at a time; at once if that has gone by. A time without a zone is UTC."""
    return cast("T", _draw("sleep_until", _until, value, at=at))


def _draw(name: str, wait: Callable[[Mapping[str, Json], float], Wait], value: Any, **when: Any) -> Any:
    canvas = drawing.get()
    if canvas is None:
        raise UsageError(f"{name}(...) was called outside the body of a @dag; it draws a step of one")
    return canvas.call(_timer(name, wait, canvas.type_of(value), *_WHEN[name]), (value,), when)


_WHEN: Mapping[str, tuple[str, Any]] = {"sleep": ("seconds", float), "sleep_until": ("at", datetime)}
_SECONDS, _AT = Port("sleep", "seconds", float), Port("sleep_until", "at", datetime)


def _timer(
    name: str, wait: Callable[[Mapping[str, Json], float], Wait], passes: Any, word: str, kind: Any
) -> WaitNode[..., Any]:
    params = {"value": Param(Port(name, "value", passes), None), word: Param(Port(name, word, kind), None)}
    signature = Signature(MappingProxyType(params), Port(name, "return", passes))
    return WaitNode(name, signature, place=place_here(), kind="timer", wait=wait)


def _after(inputs: Mapping[str, Json], now: float) -> Wait:
    return Wait(until=now + max(0.0, _SECONDS.read(inputs["seconds"])))


def _until(inputs: Mapping[str, Json], now: float) -> Wait:
    del now
    at: datetime = _AT.read(inputs["at"])
    return Wait(until=(at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp())
