"""Dot: read back, everything of a graph is in it."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from graphrt import draw
from graphrt.draw.sketch import sketch
from graphrt.graph import Graph
from tests.graphrt.test_draw import GRAPHS, door, house, sketches, unsafe

WORD = r'"((?:[^"\\]|\\.)*)"'
BOX = re.compile(rf"^ *{WORD} \[label={WORD}, shape=[a-z]+(?:, [a-z]+=\w+)?\]$")
CLUSTER = re.compile(rf"^ *subgraph {WORD} \{{$")
TITLE = re.compile(rf"^ *label={WORD}$")
ARROW = re.compile(rf"^ *{WORD} -> {WORD}(?: \[(.*)\])?$")
ATTRIBUTE = re.compile(rf"(label|ltail|lhead)={WORD}(?:, |$)")


def plain(word: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], word).replace("&amp;", "&")


@pytest.mark.parametrize("graph", GRAPHS, ids=[graph.name for graph in GRAPHS])
def test_every_box_and_arrow_of_the_sketch_is_in_the_dot(graph: Graph[..., Any]) -> None:
    """Every line is a box, a cluster, its title or an arrow between boxes that are there (V1)."""
    first, compound, *lines, last = draw.dot(graph).splitlines()
    assert (compound, last) == ("  compound=true", "}")
    assert first.startswith("digraph ")
    boxes: dict[str, str] = {}
    clusters: list[str] = []
    titles: list[str] = []
    arrows: list[tuple[str, str, dict[str, str]]] = []
    depth = 0
    for line in lines:
        if line.strip() == "}":
            depth -= 1
            assert depth >= 0
        elif found := BOX.match(line):
            assert plain(found[1]) not in boxes
            boxes[plain(found[1])] = plain(found[2])
        elif found := CLUSTER.match(line):
            clusters.append(plain(found[1]))
            depth += 1
        elif found := TITLE.match(line):
            titles.append(plain(found[1]))
        else:
            found = ARROW.match(line)
            assert found is not None, line
            attributes = {name: plain(value) for name, value in ATTRIBUTE.findall(found[3] or "")}
            arrows.append((plain(found[1]), plain(found[2]), attributes))
    assert depth == 0
    parts = list(sketches(sketch(graph)))
    wanted = Counter(f"each {box.label}" if box.many else box.label for part in parts for box in part.boxes)
    assert Counter(label.split("\n")[0] for label in (*boxes.values(), *titles)) == wanted
    assert len(arrows) == sum(len({(a.source, a.target, a.label) for a in part.arrows}) for part in parts)
    for source, target, attributes in arrows:
        assert {source, target} <= set(boxes)
        for name, end in ("ltail", source), ("lhead", target):
            assert name not in attributes or attributes[name] in clusters
            assert name not in attributes or end.startswith(attributes[name].removeprefix("cluster_") + ".")


def test_a_machine_as_dot() -> None:
    """The handler's name is on each arrow."""
    assert draw.dot(door) == (
        'digraph "door" {\n'
        "  compound=true\n"
        '  "in" [label="in\\nname", shape=box, style=rounded]\n'
        '  "Login" [label="Login", shape=box, style=rounded]\n'
        '  "Middle" [label="Middle", shape=box, style=rounded]\n'
        '  "Done" [label="Done", shape=box, style=rounded]\n'
        '  "in" -> "Login"\n'
        '  "Login" -> "Middle" [label="enter"]\n'
        '  "Middle" -> "Login" [label="turn"]\n'
        '  "Middle" -> "Middle" [label="turn"]\n'
        '  "Middle" -> "Done" [label="turn"]\n'
        "}\n"
    )


def test_arrows_to_a_graph_inside_end_at_its_border() -> None:
    """Dot draws from box to box and clips at the cluster."""
    assert '"in" -> "Outer.in" [lhead="cluster_Outer"]' in draw.dot(house)
    assert '"Outer.out" -> "Over" [label="everything", ltail="cluster_Outer"]' in draw.dot(house)


def test_no_name_can_break_dot() -> None:
    """Quotes and entities are read for themselves (V1)."""
    text = draw.dot(unsafe)
    assert 'label="graph \\"x\\"' in text
    assert 'label="<b>&amp;amp;\t<b>' in text
