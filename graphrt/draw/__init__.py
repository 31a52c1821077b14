"""Graphs as pictures. Today mermaid and text; each is a pure function of the graph, the same every time (V1)."""

from graphrt.draw.mermaid import mermaid as mermaid
from graphrt.draw.text import text as text

__all__ = ["mermaid", "text"]
