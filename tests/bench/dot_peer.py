"""Graphviz' dot, by pygraphviz, on the graphs of `tests.bench.draw_peers`: JSON on stdin and stdout."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

ROUNDS = 3
POINTS = 72
"""An inch, in which dot measures boxes."""


def build(asked: dict[str, Any]) -> Any:
    """The graph as dot takes it. It knows no arrow to a cluster: that goes to a box in it, and ends at its rim."""
    graph = import_module("pygraphviz").AGraph(directed=True, strict=False)
    graph.graph_attr.update(rankdir="TB" if asked["direction"] == "down" else "LR", compound="true")
    inside: dict[str, tuple[str, str]] = {}

    def put(member: dict[str, Any], where: Any) -> list[str]:
        if "members" not in member:
            where.add_node(
                member["id"],
                label="",
                width=member["width"] / POINTS,
                height=member["height"] / POINTS,
                fixedsize=True,
                shape="box",
            )
            return [member["id"]]
        name = f"cluster {member['id']}"
        part = where.add_subgraph(name=name)
        boxes = [box for each in member["members"] for box in put(each, part)]
        inside[member["id"]] = (name, boxes[0])
        return boxes

    for member in asked["members"]:
        put(member, graph)
    for at, link in enumerate(asked["links"]):
        ends, more = [], {}
        for end, rim in (("source", "ltail"), ("target", "lhead")):
            cluster, box = inside.get(link[end], (None, link[end]))
            ends.append(box)
            if cluster is not None:
                more[rim] = cluster
        if link["label_width"]:
            more |= {"label": "x" * max(1, round(link["label_width"] / 6)), "fontsize": "11"}
        graph.add_edge(*ends, key=str(at), **more)
    return graph


def curve(*ends: tuple[float, float], steps: int = 10) -> Iterator[tuple[float, float]]:
    """The points of a cubic curve."""
    for step in range(steps + 1):
        t = step / steps
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        yield (
            sum(w * x for w, (x, _) in zip(weights, ends, strict=True)),
            sum(w * y for w, (_, y) in zip(weights, ends, strict=True)),
        )


def route(position: str) -> list[tuple[float, float]]:
    """The points of an edge's `pos`."""
    points: list[tuple[float, float]] = []
    tip: list[tuple[float, float]] = []
    for word in position.replace("\\\n", "").split():
        x, y = map(float, word.removeprefix("e,").removeprefix("s,").split(","))
        if word.startswith("e,"):
            tip = [(x, y)]
        elif not word.startswith("s,"):
            points.append((x, y))
    bent = [point for at in range(0, len(points) - 3, 3) for point in curve(*points[at : at + 4])]
    return bent + tip


def main() -> None:
    found = []
    for asked in json.load(sys.stdin):
        taken = []
        for _ in range(ROUNDS):
            graph = build(asked)
            begun = time.process_time()
            graph.layout(prog="dot")
            taken.append(time.process_time() - begun)
        _, _, width, height = map(float, graph.graph_attr["bb"].split(","))
        edges = sorted((graph.get_edge(*ends) for ends in graph.edges(keys=True)), key=lambda edge: int(edge.key))
        routes = [route(edge.attr["pos"]) for edge in edges]
        found.append({"seconds": statistics.median(taken), "width": width, "height": height, "routes": routes})
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
