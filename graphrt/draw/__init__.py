"""Graphs as pictures: SVG, dot, mermaid and text. Each is a pure function of the graph, the same every time (V1)."""

from graphrt.draw.dot import dot as dot
from graphrt.draw.mermaid import mermaid as mermaid
from graphrt.draw.svg import svg as svg
from graphrt.draw.text import text as text

__all__ = ["dot", "mermaid", "svg", "text"]
