"""A graph as a mermaid flowchart: for Markdown, and for whoever has a renderer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphrt.draw.sketch import Box, Sketch, sketch
from graphrt.graph import Graph

_SHAPES = {
    "step": ('["', '"]'),
    "again": ('[["', '"]]'),
    "choice": ('{"', '"}'),
    "join": ('(("', '"))'),
    "start": ('(["', '"])'),
    "end": ('(["', '"])'),
    "state": ('("', '")'),
}


def mermaid(graph: Graph[..., Any]) -> str:
    """Write a graph as a mermaid flowchart."""
    return "\n".join(["flowchart TD", *_lines(sketch(graph), "    ")]) + "\n"


def _lines(drawn: Sketch, indent: str) -> Iterator[str]:
    for box in drawn.boxes:
        if box.inner is None:
            yield f"{indent}{_id(box.id)}{_shape(box)}"
        else:
            yield f'{indent}subgraph {_id(box.id)}["{_escape(_label(box))}"]'
            yield from _lines(box.inner, indent + "    ")
            yield f"{indent}end"
    for arrow in drawn.arrows:
        label = f'|"{_escape(arrow.label)}"|' if arrow.label else ""
        yield f"{indent}{_id(arrow.source)} -->{label} {_id(arrow.target)}"


def _shape(box: Box) -> str:
    before, after = _SHAPES[box.shape]
    return f"{before}{_escape(_label(box))}{after}"


def _label(box: Box) -> str:
    name = f"each {box.label}" if box.many else box.label
    return f"{name}<br/><small>{box.note}</small>" if box.note else name


def _id(name: str) -> str:
    return "n_" + "".join(letter if letter.isalnum() else "_" for letter in name)  # `end` alone would break the chart


def _escape(text: str) -> str:
    return text.replace('"', "#quot;").replace("`", "'")
