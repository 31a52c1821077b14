"""A layout by Graphviz (the extra `graphviz`), in the shape of ours: only where things are is Graphviz's, what they
look like is not.

It runs in this process. What leads back to where a loop began is found as in `graphrt.draw.layout`, so that the same
arrows lead upwards. That no arrow runs through a box is not promised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any

from graphrt.draw.layout import Cluster, Direction, Item, Layout, Link, Point, Rect, leading_back
from graphrt.errors import UsageError

_INCH = 72.0
"""Graphviz takes sizes in inches and gives places in points: a point is a pixel here."""
_APART, _RANKS, _PAD = 26.0, 34.0, 14.0
_LOOP = 16.0
"""How far a loop of a cluster reaches beyond it."""
_STEPS, _HALVES = 16, 12
"""How finely it is looked for where an arrow leaves a cluster."""


def layout(members: Sequence[Item | Cluster], links: Sequence[Link], direction: Direction = "down") -> Layout:
    """Lay out a graph by Graphviz's `dot`. The same input gives the same layout with one version of Graphviz.

    Raises UsageError where the extra `graphviz` is not installed, and ValueError as `graphrt.draw.layout.layout` does.
    """
    back = leading_back(members, links)
    drawing = _Drawing(links, direction)
    try:
        drawing.add(drawing.graph, members)
        for number, link in enumerate(links):
            drawing.link(number, link, back=back[number])
        drawing.graph.layout(prog="dot")
        return drawing.read(links, back)
    finally:
        drawing.graph.close()


class _Drawing:
    """A graph as Graphviz has it. Names are numbers: what people call things may mean something to Graphviz."""

    def __init__(self, links: Sequence[Link], direction: Direction) -> None:
        self.graph: Any = _pygraphviz().AGraph(directed=True, strict=False)
        self.graph.graph_attr.update(
            rankdir="LR" if direction == "right" else "TB",
            nodesep=_APART / _INCH,
            ranksep=_RANKS / _INCH,
            margin=0,
        )
        self.graph.edge_attr.update(arrowhead="none")
        self.items: dict[str, str] = {}
        self.clusters: dict[str, Any] = {}
        self.ends: dict[str, tuple[str, str]] = {}
        """The first and the last node of each box: where arrows that lead to it, or from it, are tied."""
        self.loops = {link.source: link for link in links if link.source == link.target}

    def add(self, graph: Any, members: Sequence[Item | Cluster]) -> tuple[str, str]:
        """Add boxes; return the first and the last node."""
        found = []
        for member in members:
            if isinstance(member, Item):
                name = self.items[member.id] = f"n{len(self.items)}"
                size = {"width": member.width / _INCH, "height": member.height / _INCH}
                graph.add_node(name, shape="box", fixedsize="true", label="", **size)
                self.ends[member.id] = (name, name)
            else:
                self.ends[member.id] = self._add_cluster(graph, member)
            found.append(self.ends[member.id])
        return (found[0][0], found[-1][1]) if found else ("", "")

    def _add_cluster(self, graph: Any, cluster: Cluster) -> tuple[str, str]:
        number = len(self.clusters)
        if cluster.id in self.loops:  # Graphviz draws none of these: here is the room for it
            beyond = _LOOP + self.loops[cluster.id].label_width
            graph = graph.add_subgraph(name=f"cluster_room{number}", peripheries=0, label="", margin=beyond)
        title = _table(max(cluster.title_width, 1), max(cluster.title_height, 1))
        inner = graph.add_subgraph(name=f"cluster{number}", label=title, labeljust="l", margin=_PAD)
        self.clusters[cluster.id] = inner
        first, last = self.add(inner, cluster.members)
        if not first:
            first = last = f"e{number}"
            inner.add_node(first, shape="point", width=0.01, height=0.01, style="invis")
        return first, last

    def link(self, number: int, link: Link, *, back: bool) -> None:
        """Add an arrow; one that leads back the other way round, so that it leads up."""
        if link.source == link.target and link.source in self.clusters:
            return
        source, target = (link.target, link.source) if back else (link.source, link.target)
        options: dict[str, Any] = {}
        if link.label_width:
            options["label"] = _table(link.label_width, link.label_height)
        self.graph.add_edge(self.ends[source][1], self.ends[target][0], key=str(number), **options)

    def read(self, links: Sequence[Link], back: Sequence[bool]) -> Layout:
        """Read where everything is."""
        left, low, right, self.top = _numbers(self.graph.graph_attr["bb"])
        self.left = left
        items = {id_: self._box(name) for id_, name in self.items.items()}
        clusters = {}
        for id_, graph in self.clusters.items():
            x, y, end, high = _numbers(graph.graph_attr["bb"])
            clusters[id_] = Rect(*map(_round, (x - left, self.top - high, end - x, high - y)))
        routes: list[tuple[Point, ...]] = []
        labels: list[Rect | None] = []
        for number, link in enumerate(links):
            if link.source == link.target and link.source in clusters:
                route, label = _around(clusters[link.source], link)
            else:
                route, label = self._arrow(number, link, back=back[number])
                # Graphviz would do this, and ends the process where it cannot
                route = _outside(route, clusters.get(link.source), clusters.get(link.target))
            routes.append(tuple((_round(x), _round(y)) for x, y in route))
            labels.append(label)
        size = (_round(right - left), _round(self.top - low))
        return Layout(*size, items, clusters, tuple(routes), tuple(labels), tuple(back), _crossings(routes))

    def _box(self, name: str) -> Rect:
        node = self.graph.get_node(name)
        x, y = self._point(node.attr["pos"])
        width, height = float(node.attr["width"]) * _INCH, float(node.attr["height"]) * _INCH
        return Rect(*map(_round, (x - width / 2, y - height / 2, width, height)))

    def _arrow(self, number: int, link: Link, *, back: bool) -> tuple[Sequence[Point], Rect | None]:
        source, target = (link.target, link.source) if back else (link.source, link.target)
        edge = self.graph.get_edge(self.ends[source][1], self.ends[target][0], key=str(number))
        spline = edge.attr["pos"].split(";")[0].split()
        route = [self._point(point) for point in spline if point[0] not in "se"]
        route = route[::-1] if back else route
        if not link.label_width:
            return route, None
        x, y = self._point(edge.attr["lp"])
        wide, high = link.label_width, link.label_height
        return route, Rect(_round(x - wide / 2), _round(y - high / 2), wide, high)

    def _point(self, written: str) -> Point:
        x, y = _numbers(written)
        return x - self.left, self.top - y


def _table(width: float, height: float) -> str:
    """A label of a size: Graphviz is told of no letters."""
    bare = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'
    return f'<<TABLE FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}" {bare}><TR><TD></TD></TR></TABLE>>'


def _around(box: Rect, link: Link) -> tuple[Sequence[Point], Rect | None]:
    """Lead an arrow from a cluster to itself, at its right side."""
    right, middle = box.x + box.width, box.y + box.height / 2
    out = right + _LOOP * 4 / 3 - 4
    route = ((right, middle + 10), (out, middle + 10), (out, middle - 10), (right, middle - 10))
    label = None
    if link.label_width:
        label = Rect(right + _LOOP, middle - link.label_height / 2, link.label_width, link.label_height)
    return route, label


def _crossings(routes: Sequence[Sequence[Point]]) -> int:
    """Count how often arrows cross, up to what a few points of each curve tell."""
    lines = [list(_points(route)) for route in routes]
    bounds = [(min(xs), max(xs), min(ys), max(ys)) for xs, ys in (zip(*line, strict=True) for line in lines)]
    count = 0
    for number, line in enumerate(lines):
        left, right, top, bottom = bounds[number]
        for other in range(number + 1, len(lines)):
            begin, end, high, low = bounds[other]
            if begin < right and left < end and high < bottom and top < low:
                count += sum(_cross(*one, *two) for one in pairwise(line) for two in pairwise(lines[other]))
    return count


def _points(route: Sequence[Point]) -> Iterator[Point]:
    yield route[0]
    for curve in _curves(route):
        for t in (0.25, 0.5, 0.75, 1.0):
            yield _split(curve, t)[0][3]


def _curves(route: Sequence[Point]) -> Iterator[Sequence[Point]]:
    return (route[number : number + 4] for number in range(0, len(route) - 3, 3))


def _split(curve: Sequence[Point], t: float) -> tuple[Sequence[Point], Sequence[Point]]:
    """Cut a curve in two, by de Casteljau."""
    a, b, c, d = curve
    ab, bc, cd = _between(a, b, t), _between(b, c, t), _between(c, d, t)
    abc, bcd = _between(ab, bc, t), _between(bc, cd, t)
    middle = _between(abc, bcd, t)
    return (a, ab, abc, middle), (middle, bcd, cd, d)


def _between(a: Point, b: Point, t: float) -> Point:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def _outside(route: Sequence[Point], source: Rect | None, target: Rect | None) -> Sequence[Point]:
    """Take away what of a route is inside the clusters that it joins."""
    if source is not None:
        route = _leaving(route, source)
    return route if target is None else _leaving(route[::-1], target)[::-1]


def _leaving(route: Sequence[Point], box: Rect) -> Sequence[Point]:
    """Let a route begin where it leaves a box for good."""
    curves = list(_curves(route))
    for number in range(len(curves) - 1, -1, -1):
        inside = [t / _STEPS for t in range(_STEPS + 1) if _is_in(_split(curves[number], t / _STEPS)[0][3], box)]
        if not inside:
            continue
        low, high = inside[-1], min(1.0, inside[-1] + 1 / _STEPS)
        for _ in range(_HALVES):
            middle = (low + high) / 2
            low, high = (middle, high) if _is_in(_split(curves[number], middle)[0][3], box) else (low, middle)
        rest = _split(curves[number], low)[1]
        return [*rest, *(point for curve in curves[number + 1 :] for point in curve[1:])]
    return route


def _is_in(point: Point, box: Rect) -> bool:
    return box.x <= point[0] <= box.x + box.width and box.y <= point[1] <= box.y + box.height


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _numbers(written: str) -> list[float]:
    return [float(each) for each in written.split(",")]


def _round(value: float) -> float:
    return round(value, 2)


@cache
def _pygraphviz() -> Any:
    try:
        return import_module("pygraphviz")
    except ModuleNotFoundError as error:
        raise UsageError(
            "engine 'graphviz' needs pygraphviz: pip install 'graphrt[graphviz]'; engine 'graphrt' needs nothing"
        ) from error
