"""A graph as a mermaid flowchart: for Markdown, and for whoever has a renderer."""

from __future__ import annotations

import re
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
            yield f'{indent}subgraph {_id(box.id)}["{_label(box)}"]'
            yield from _lines(box.inner, indent + "    ")
            yield f"{indent}end"
    for source, target, words in dict.fromkeys((arrow.source, arrow.target, arrow.label) for arrow in drawn.arrows):
        label = f'|"{_escape(words)}"|' if words else ""
        yield f"{indent}{_id(source)} -->{label} {_id(target)}"


def _shape(box: Box) -> str:
    before, after = _SHAPES[box.shape]
    return f"{before}{_label(box)}{after}"


def _label(box: Box) -> str:
    name = _escape(f"each {box.label}" if box.many else box.label)
    return f"{name}<br/><small>{_escape(box.note)}</small>" if box.note else name


def _id(name: str) -> str:
    """Write a box's id so that mermaid takes it for nothing else, and no two boxes share one.

    The first letters keep words such as `end` from breaking the chart. A dot becomes `_`, any other letter than ASCII
    ones and digits `_0<hex>_`: no part of a path begins with 0 unless it is 0.
    """
    return "n_" + re.sub(r"[^A-Za-z0-9]", lambda found: "_" if found[0] == "." else f"_0{ord(found[0]):x}_", name)


def _escape(text: str) -> str:
    """Write what a label would read as markup as entities."""
    return re.sub(r'[#"<>&`]|[^\S ]', lambda found: f"#{ord(found[0])};", text)
