"""How pictures look: colours, outlines by shape, and icons as paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from graphrt.draw.lettering import escape

ICON = 14.0
"""The side of an icon, in pixels, as it is drawn."""

Theme = Literal["light", "dark"]
Outline = Literal["box", "cut", "round", "pill", "flag", "hexagon", "head"]


@dataclass(frozen=True, slots=True)
class Look:
    """The colours of a theme."""

    ground: str
    clusters: tuple[str, str]
    """By depth, in turn."""
    frame: str
    box: str
    text: str
    quiet: str
    arrow: str
    pill: str
    pill_text: str
    kinds: Mapping[str, str]
    statuses: Mapping[str, str]
    """Where a run stands in a box; `badge` is drawn on them."""


LOOKS: Mapping[Theme, Look] = {
    "light": Look(
        ground="#ffffff",
        clusters=("#f5f7fa", "#eaeff5"),
        frame="#aab6c5",
        box="#ffffff",
        text="#0f172a",
        quiet="#526072",
        arrow="#728095",
        pill="#1e293b",
        pill_text="#ffffff",
        kinds={
            "function": "#3f5f8a",
            "model": "#6d28d9",
            "tool": "#0369a1",
            "person": "#b4235f",
            "timer": "#9a4d08",
            "signal": "#0b6e69",
            "graph": "#4b5563",
            "choice": "#9a4d08",
            "state": "#166534",
        },
        statuses={
            "finished": "#15803d",
            "failed": "#dc2626",
            "running": "#2563eb",
            "retrying": "#b45309",
            "waiting": "#a21caf",
            "unknown": "#c2410c",
            "interrupted": "#b45309",
            "cancelled": "#6b7280",
            "badge": "#ffffff",
        },
    ),
    "dark": Look(
        ground="#0b1220",
        clusters=("#121b2d", "#1a2540"),
        frame="#475774",
        box="#172136",
        text="#e7edf6",
        quiet="#a3b0c4",
        arrow="#8492a8",
        pill="#e2e8f0",
        pill_text="#0f172a",
        kinds={
            "function": "#93b4e0",
            "model": "#b79bf7",
            "tool": "#67c1f0",
            "person": "#f39abf",
            "timer": "#f0b35c",
            "signal": "#5fd0c5",
            "graph": "#b6c0cf",
            "choice": "#f0b35c",
            "state": "#7fd6a0",
        },
        statuses={
            "finished": "#4ade80",
            "failed": "#f87171",
            "running": "#60a5fa",
            "retrying": "#fbbf24",
            "waiting": "#e879f9",
            "unknown": "#fb923c",
            "interrupted": "#fbbf24",
            "cancelled": "#9ca3af",
            "badge": "#0b1220",
        },
    ),
}

OUTLINES: Mapping[str, Outline] = {
    "function": "box",
    "model": "cut",
    "tool": "box",
    "person": "head",
    "timer": "pill",
    "signal": "flag",
    "graph": "box",
    "choice": "hexagon",
    "state": "round",
}

ICONS: Mapping[str, str] = {
    "function": "M9.5 2.5C7 1.8 6.6 3.4 6.4 5L5.4 10.5C5.2 12 4.6 12.6 3.2 12M4 6.5H9",
    "model": "M7 1L8.5 5.5L13 7L8.5 8.5L7 13L5.5 8.5L1 7L5.5 5.5Z",
    "tool": "M3 11.5L8 6.5M12.5 3.5A3.2 3.2 0 1 1 9.5 1.5L9 4.5L11 5Z",
    "person": "M7 6.5A2.6 2.6 0 1 0 7 1.3A2.6 2.6 0 1 0 7 6.5M2 13C2 10 4 8.5 7 8.5C10 8.5 12 10 12 13",
    "timer": "M7 13A6 6 0 1 0 7 1A6 6 0 1 0 7 13M7 3.5V7L9.5 8.5",
    "signal": "M8 1L3 8H7L6 13L11 6H7Z",
    "graph": "M5 1.5H9V5H5ZM1 9.5H5V13H1ZM9 9.5H13V13H9ZM7 5V7.2M3 9.5V7.2H11V9.5",
    "choice": "M7 1V4.5M7 4.5L3 9V13M7 4.5L11 9V13",
    "join": "M7 13V9.5M7 9.5L3 5V1M7 9.5L11 5V1",
    "state": "M7 11.5A4.5 4.5 0 1 0 7 2.5A4.5 4.5 0 1 0 7 11.5M7 8.2A1.2 1.2 0 1 0 7 5.8A1.2 1.2 0 1 0 7 8.2",
}
"""Lines in a square of 14 pixels."""

BADGES: Mapping[str, str] = {
    "finished": "M3.5 7.3L6 9.8L10.5 4.6",
    "failed": "M4.2 4.2L9.8 9.8M9.8 4.2L4.2 9.8",
    "running": "M5.2 3.8L10 7L5.2 10.2Z",
    "retrying": "M10.4 7A3.4 3.4 0 1 1 9.2 4.4M9.4 2.6V4.7H7.3",
    "waiting": "M5.2 4V10M8.8 4V10",
    "unknown": "M5.2 5.4A1.9 1.9 0 1 1 7 7.2V8.2M7 10V10.2",
    "interrupted": "M8 3L4.6 7.6H6.8L6 11L9.4 6.4H7.2Z",
    "cancelled": "M4 7H10",
}
"""The same for where a run stands, to be drawn in a disc."""


def outline(shape: Outline, x: float, y: float, width: float, height: float, *, turned: bool = False) -> str:
    """Return the path of an outline. The sides that arrows meet are straight in their middle: the top and the bottom,
    or with `turned` the left and the right."""
    if shape in _CORNERS:
        across, along = (height, width) if turned else (width, height)
        # what is cut off a low side is less, so that there is room for arrows in between
        cut = min(1.0, across / _LOW)
        points = [(u * across + du * cut, v * along + dv * cut) for u, du, v, dv in _CORNERS[shape]]
        return "M" + "L".join(f"{n(x + (v if turned else u))} {n(y + (u if turned else v))}" for u, v in points) + "Z"
    right, bottom = x + width, y + height
    end = height * 0.2 if turned else min(height / 2, _ROUND)
    upper, lower = {"box": (4.0, 4.0), "round": (12.0, 12.0), "head": (16.0, 4.0)}.get(shape, (end, end))
    return (
        f"M{n(x + upper)} {n(y)}H{n(right - upper)}A{n(upper)} {n(upper)} 0 0 1 {n(right)} {n(y + upper)}"
        f"V{n(bottom - lower)}A{n(lower)} {n(lower)} 0 0 1 {n(right - lower)} {n(bottom)}"
        f"H{n(x + lower)}A{n(lower)} {n(lower)} 0 0 1 {n(x)} {n(bottom - lower)}"
        f"V{n(y + upper)}A{n(upper)} {n(upper)} 0 0 1 {n(x + upper)} {n(y)}Z"
    )


_LOW = 64.0
_ROUND = 16.0

_CORNERS: Mapping[Outline, tuple[tuple[float, float, float, float], ...]] = {
    "hexagon": ((0, 12, 0, 0), (1, -12, 0, 0), (1, 0, 0.5, 0), (1, -12, 1, 0), (0, 12, 1, 0), (0, 0, 0.5, 0)),
    "cut": (
        (0, 8, 0, 0),
        (1, -8, 0, 0),
        (1, 0, 0, 8),
        (1, 0, 1, -8),
        (1, -8, 1, 0),
        (0, 8, 1, 0),
        (0, 0, 1, -8),
        (0, 0, 0, 8),
    ),
    "flag": ((0, 0, 0, 0), (1, -10, 0, 0), (1, 0, 0.5, 0), (1, -10, 1, 0), (0, 0, 1, 0)),
}
"""Corners in turn: a share of the width and pixels more, a share of the height and pixels more."""


def n(value: float) -> str:
    """Write a number to hundredths, as short as can be."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def letters(
    x: float, y: float, text: str, size: float, colour: str, *, anchor: str = "start", bold: bool = False
) -> str:
    """Return a line of letters as an element."""
    return (
        f'<text x="{n(x)}" y="{n(y)}" font-size="{n(size)}" fill="{colour}"'
        + (f' text-anchor="{anchor}"' if anchor != "start" else "")
        + (' font-weight="600"' if bold else "")
        + f">{escape(text)}</text>"
    )


def icon(what: str, x: float, y: float, colour: str, *, size: float = ICON) -> str:
    """Return an icon as an element."""
    scale = "" if size == ICON else f" scale({n(size / ICON)})"
    return (
        f'<path transform="translate({n(x)} {n(y)}){scale}" d="{ICONS[what]}" fill="none" stroke="{colour}" '
        f'stroke-width="1.3"/>'
    )
