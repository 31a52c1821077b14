"""What goes into a layout and what comes out of it. Lengths are in pixels; x grows to the right, y downwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Direction = Literal["down", "right"]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Item:
    """A box of a given size."""

    id: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """A box around others, as large as they need, with room for a title at its top."""

    id: str
    members: tuple[Item | Cluster, ...]
    title_width: float = 0
    title_height: float = 0


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow from one item or cluster to another, or to itself; neither end is inside the other."""

    source: str
    target: str
    label_width: float = 0
    label_height: float = 0


@dataclass(frozen=True, slots=True)
class Rect:
    """A box at a place: its top left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is. `routes` and `labels` are in the order of the links."""

    width: float
    height: float
    items: Mapping[str, Rect]
    clusters: Mapping[str, Rect]
    routes: tuple[tuple[Point, ...], ...]
    """Each a row of cubic Bézier curves: a point, then two control points and a point for every curve."""
    labels: tuple[Rect | None, ...]
    back: tuple[bool, ...]
    """Which links lead back to where a loop began: they go against the direction of the others."""
    crossings: int
    """How often links cross one another."""
