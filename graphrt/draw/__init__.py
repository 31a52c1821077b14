"""Graphs and runs as pictures: SVG, PNG, dot, mermaid, text: pure functions, the same every time (V1, V2)."""

from graphrt.draw.dot import dot as dot
from graphrt.draw.mermaid import mermaid as mermaid
from graphrt.draw.raster import png as png
from graphrt.draw.raster import rasterize as rasterize
from graphrt.draw.svg import svg as svg
from graphrt.draw.text import text as text
from graphrt.draw.timeline import timeline as timeline

__all__ = ["dot", "mermaid", "png", "rasterize", "svg", "text", "timeline"]
