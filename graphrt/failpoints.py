"""Named points on the way of a commit and of an effect, at which a test can break a process off.

A point costs one comparison while nothing is armed. What is armed is called with the point's name, in the thread that
passed it, and may raise or end the process; nothing that is durable at that moment may get lost by it, and nothing done
twice. `graphrt.testing.crash_at` arms them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

Point = Literal[
    "driver: before commit",
    "store: transaction open",
    "store: rows written",
    "store: committed",
    "driver: commit acknowledged",
    "driver: published",
    "attempt: dispatched",
    "effect: before",
    "effect: after",
    "attempt: outcome known",
    "lease: claimed",
    "lease: renewed",
    "inbox: message taken",
]
"""`store: committed` lies between COMMIT and its caller hearing of it; `effect: before` and `after` around a node's own
function."""

POINTS: tuple[Point, ...] = get_args(Point)

armed: Callable[[Point], None] | None = None


def point(name: Point) -> None:
    """Pass a point."""
    if armed is not None:
        armed(name)
