"""The formats of `graph -f`: a line each, and where what draws it is found. Nothing is imported before it is asked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

FORMATS = {
    "text": "graphrt.draw:text",
    "mermaid": "graphrt.draw:mermaid",
    "dot": "graphrt.draw:dot",
    "svg": "graphrt.draw:svg",
    "png": "graphrt.draw:png",
    "json": "graphrt.cli.formats:structure",
}
"""What takes a graph and returns its picture: text, or bytes that are none."""
PICTURES = ("svg", "png")
"""Those that have a theme and a direction, show where a run stands, and draw its timeline."""


def drawn(name: str, graph: Any, **options: Any) -> str | bytes:
    """Draw a graph in one of the formats; `options` are of pictures."""
    module, _, function = FORMATS[name].partition(":")
    picture: str | bytes = getattr(import_module(module), function)(graph, **options)
    return picture


def structure(graph: Any) -> str:
    """Write down a graph's structure as JSON: the same that a store keeps with its runs."""
    import json

    from graphrt.definition import define

    return json.dumps(json.loads(define(graph)), ensure_ascii=False, indent=2) + "\n"
