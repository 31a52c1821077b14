"""SVG as pixels, by resvg (the extra `png`). The letters come along, so it looks the same on every machine."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from graphrt.draw.svg import svg
from graphrt.errors import UsageError
from graphrt.graph import Graph

FONTS = Path(__file__).parent / "fonts"
FAMILY = "DejaVu Sans"
LETTERS = (
    *((0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF), (0x400, 0x45F)),
    *((0x2010, 0x2027), (0x2030, 0x203A), (0x2190, 0x2195), (0x2500, 0x257F), (0x25A0, 0x25FF)),
)
"""Ranges of the characters that the font has. For others, the system's fonts are asked."""
MARKS = frozenset(map(ord, "\n\t€№™↩↪↺↻∀∃∈∑\u2212∞≈≠≤≥⚠✓✗✘"))


def png(graph: Graph[..., Any], *, zoom: float = 2.0, **options: Any) -> bytes:
    """Draw a graph as PNG, with the options of `svg`. Raises what `svg` does, and as `rasterize` does."""
    return rasterize(svg(graph, **options), zoom=zoom)


def rasterize(svg: str, *, zoom: float = 2.0) -> bytes:
    """Return a PNG of an SVG, `zoom` pixels for each of its units.

    Raises UsageError where the extra `png` is not installed, and ValueError for what is no SVG.
    """
    found: bytes = _resvg().svg_to_bytes(
        svg_string=svg,
        zoom=zoom,
        skip_system_fonts=all(map(_is_there, svg)),
        font_files=[str(path) for path in sorted(FONTS.glob("*.ttf"))],
        font_family=FAMILY,
        sans_serif_family=FAMILY,
    )
    return bytes(found)


def _is_there(letter: str) -> bool:
    point = ord(letter)
    return point in MARKS or any(first <= point <= last for first, last in LETTERS)


@cache
def _resvg() -> Any:
    try:
        return import_module("resvg_py")
    except ModuleNotFoundError as error:
        raise UsageError("a PNG needs resvg-py: pip install 'graphrt[png]'; an SVG needs nothing") from error
