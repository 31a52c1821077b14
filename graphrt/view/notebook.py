"""What a notebook shows of a graph: its picture, or its text where there are no pictures. Nothing is fetched."""

from __future__ import annotations

import sys
from typing import Any

from graphrt.dag import Dag
from graphrt.draw.svg import svg
from graphrt.draw.text import text
from graphrt.graph import Graph
from graphrt.machine import Machine


def bundle(graph: Graph[..., Any]) -> dict[str, str]:
    """Return a graph by media type."""
    return {"image/svg+xml": svg(graph), "text/plain": text(graph)}


def register() -> None:
    """Have IPython, where this is its process, show graphs as pictures."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is not None:
        for kind in (Dag, Machine):
            shell.display_formatter.mimebundle_formatter.for_type(kind, bundle)
