"""A graph as text: for a terminal, a log, a commit message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphrt.draw.sketch import Arrow, Box, Sketch, sketch
from graphrt.graph import Graph

_MARKS = {"step": "□", "again": "↺", "choice": "◇", "join": "○", "start": "▷", "end": "■", "state": "●"}


def text(graph: Graph[..., Any]) -> str:
    """Write a graph as indented text: what each step is made of, or where each state leads."""
    drawn = sketch(graph)
    return "\n".join([f"{drawn.kind} {drawn.signature}", *_lines(drawn, "")]) + "\n"


def _lines(drawn: Sketch, indent: str) -> Iterator[str]:
    names = {box.id: box.label for box in drawn.boxes}
    boxes = [box for box in drawn.boxes if box.shape != "start"]
    for number, box in enumerate(boxes):
        last = number == len(boxes) - 1
        yield f"{indent}{'└─' if last else '├─'} {_line(drawn, box, names)}"
        if box.inner is not None:
            inside = indent + ("   " if last else "│  ")
            yield f"{inside}{box.inner.kind} {box.inner.signature}"
            yield from _lines(box.inner, inside)


def _line(drawn: Sketch, box: Box, names: dict[str, str]) -> str:
    name = f"{_MARKS[box.shape]} {'each ' if box.many else ''}{box.label}"
    note = f"   ({box.note})" if box.note and box.shape != "end" else ""
    if drawn.kind == "machine":
        after = [arrow for arrow in drawn.arrows if arrow.source == box.id]
        by = f" ─ {after[0].label} →" if after else ""
        start = "   (start)" if Arrow(drawn.boxes[0].id, box.id) in drawn.arrows else ""
        return f"{name}{by} {' | '.join(names[arrow.target] for arrow in after)}".rstrip() + note + start
    entry = drawn.boxes[0].id
    before = [_from(arrow, names, entry) for arrow in drawn.arrows if arrow.target == box.id]
    return name + (f" ← {', '.join(before)}" if before else "") + note


def _from(arrow: Arrow, names: dict[str, str], entry: str) -> str:
    words = [] if arrow.source == entry else [names[arrow.source]]
    source = ".".join([*words, *arrow.path])
    return source if not arrow.label or source == arrow.label else f"{arrow.label}={source}"
