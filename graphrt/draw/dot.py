"""A graph in the language of Graphviz: for whoever has it, or wants to go on from there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from graphrt.draw.sketch import Box, Sketch, sketch
from graphrt.graph import Graph

_SHAPES = {
    "step": "box",
    "again": "box, peripheries=2",
    "choice": "hexagon",
    "join": "ellipse",
    "start": "box, style=rounded",
    "end": "box, style=rounded",
    "state": "box, style=rounded",
}


def dot(graph: Graph[..., Any]) -> str:
    """Write a graph as dot. Graphs inside are clusters, and arrows to them end at their borders."""
    lines = _lines(sketch(graph), "  ")
    return "\n".join([f"digraph {_quote(graph.name)} {{", "  compound=true", *lines, "}"]) + "\n"


def _lines(drawn: Sketch, indent: str) -> Iterator[str]:
    boxes = {box.id: box for box in drawn.boxes}
    for box in drawn.boxes:
        if box.inner is None:
            yield f"{indent}{_quote(box.id)} [label={_label(box)}, shape={_SHAPES[box.shape]}]"
        else:
            yield f"{indent}subgraph {_quote(f'cluster_{box.id}')} {{"
            yield f"{indent}  label={_label(box)}"
            yield from _lines(box.inner, indent + "  ")
            yield f"{indent}}}"
    for source, target, words in dict.fromkeys((arrow.source, arrow.target, arrow.label) for arrow in drawn.arrows):
        attributes = [f"label={_quote(words)}"] if words else []
        attributes += [f"ltail={_quote(f'cluster_{source}')}"] if boxes[source].inner else []
        attributes += [f"lhead={_quote(f'cluster_{target}')}"] if boxes[target].inner else []
        ends = f"{_quote(_end(boxes[source], last=True))} -> {_quote(_end(boxes[target], last=False))}"
        yield f"{indent}{ends}" + (f" [{', '.join(attributes)}]" if attributes else "")


def _end(box: Box, *, last: bool) -> str:
    """Return the box that an arrow really leads to or from: dot knows none between clusters."""
    while box.inner is not None:
        box = box.inner.boxes[-1 if last else 0]
    return box.id


def _label(box: Box) -> str:
    name = f"each {box.label}" if box.many else box.label
    return _quote(f"{name}\n{box.note}" if box.note else name)


def _quote(text: str) -> str:
    r"""Write a text as a string of dot, which reads `\n` as a new line and every other letter after a `\` for itself.

    An entity would be read as one: its `&` is written as an entity.
    """
    escaped = re.sub(r'["\\]', lambda found: "\\" + found[0], text.replace("&", "&amp;").replace("\0", "\ufffd"))
    return '"' + escaped.replace("\n", "\\n") + '"'
