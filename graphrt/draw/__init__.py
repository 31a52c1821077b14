"""Graphs as pictures: SVG, PNG, dot, mermaid, text: pure functions of the graph, the same every time (V1)."""

from graphrt.draw.dot import dot as dot
from graphrt.draw.mermaid import mermaid as mermaid
from graphrt.draw.raster import png as png
from graphrt.draw.svg import svg as svg
from graphrt.draw.text import text as text

__all__ = ["dot", "mermaid", "png", "svg", "text"]
