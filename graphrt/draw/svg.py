"""A graph as SVG: for a notebook, a page, an e-mail, a review.

Presentation attributes only: no style, no script, no reference to anything outside, an opaque ground. So it survives
whoever takes those out, and looks the same on a light page and a dark one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from graphrt.draw.layout import Cluster, Direction, Item, Layout, Link, Point, Rect, layout
from graphrt.draw.lettering import escape, shorten, width
from graphrt.draw.look import BADGES, ICON, LOOKS, OUTLINES, Look, Theme, icon, letters, n, outline
from graphrt.draw.overlay import Mark, Spending, marks, standing
from graphrt.draw.progress import Progress
from graphrt.draw.sketch import Arrow, Box, Sketch, sketch
from graphrt.errors import UsageError
from graphrt.graph import Graph

Engine = Literal["graphrt", "graphviz"]
"""What lays a graph out: `graphrt.draw.layout`, or Graphviz."""

_NAME, _SMALL, _LABEL = 13.0, 10.5, 11.0
"""Sizes of letters, in pixels."""
_BOLD = 1.08
_WIDEST = 220.0
_LABEL_WIDEST = 140.0
_MARGIN = 20.0
_HEADER = 30.0
_ROOM = 10.0
"""How long the side of a box is for each arrow that meets it, up to a limit."""
_STACK = 6.0
"""How far a stack's back reaches beyond its front."""
_HEAD = 7.0
_MARKED = 206.0
"""How much room there is for the words of a run, and for how long a line of them."""
_LINE = 15.0
_LONGEST = "interrupted"
_DISC = 8.0
_BADGE, _STANDING = 24.0, 350.0
"""Room for the sign and the words of where a run stands as a whole."""

_TIMES = "\N{MULTIPLICATION SIGN} n"
_WORDS = {"node": "function", "llm": "model", "dag": "graph", "machine": "graph"}


def svg(
    graph: Graph[..., Any],
    *,
    run: Progress | None = None,
    spent: Mapping[str, Spending] | None = None,
    theme: Theme = "light",
    direction: Direction = "down",
    engine: Engine = "graphrt",
) -> str:
    """Draw a graph as SVG; with `run`, where a run of it stands, and with `spent`, what its places spent on models.

    Pictures of one graph have one size, however far a run is. `engine` says what lays it out: `graphviz` needs the
    extra of that name. Raises UsageError for a theme, a direction or an engine that there is not.
    """
    return Drawing(graph, watched=run is not None, theme=theme, direction=direction, engine=engine).draw(run, spent)


class Drawing:
    """A graph that is laid out once and drawn as often as one likes. `watched` leaves room for what a run says of it.

    Raises UsageError for a theme, a direction or an engine that there is not.
    """

    def __init__(
        self,
        graph: Graph[..., Any] | Sketch,
        *,
        watched: bool = False,
        theme: Theme = "light",
        direction: Direction = "down",
        engine: Engine = "graphrt",
    ) -> None:
        if theme not in LOOKS:
            raise UsageError(f"theme {theme!r} is neither 'light' nor 'dark'")
        if direction not in {"down", "right"}:
            raise UsageError(f"direction {direction!r} is neither 'down' nor 'right'")
        if engine not in {"graphrt", "graphviz"}:
            raise UsageError(f"engine {engine!r} is neither 'graphrt' nor 'graphviz'")
        self._sketch = graph if isinstance(graph, Sketch) else sketch(graph)
        self._look = LOOKS[theme]
        self._scene = Scene(direction, watched=watched)
        self._placed = arrange(self._sketch, self._scene, engine)

    def draw(self, run: Progress | None = None, spent: Mapping[str, Spending] | None = None) -> str:
        """Draw it as SVG; with `run`, where a run of it stands, and with `spent`, what its places spent on models."""
        drawn, placed, look, links = self._sketch, self._placed, self._look, self._scene.links
        faces = dict(self._scene.faces)
        for id_, mark in ({} if run is None else marks(drawn, run, spent)).items():
            faces[id_] = replace(faces[id_], mark=mark)
        title = shorten(f"{drawn.kind} {drawn.signature}", _LABEL, max(placed.width, 320.0))
        said = (_BADGE + _STANDING) if self._scene.watched else 0.0
        wide = max(placed.width, width(title, _LABEL) + said) + 2 * _MARGIN
        high = placed.height + 2 * _MARGIN + _HEADER
        shift = (wide - placed.width) / 2
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{n(wide)}" height="{n(high)}" '
            f'viewBox="0 0 {n(wide)} {n(high)}" role="img" aria-label="{escape(f"{drawn.kind} {drawn.name}")}" '
            f'font-family="Helvetica, Arial, Liberation Sans, sans-serif" font-size="{n(_NAME)}" '
            f'stroke-linejoin="round" stroke-linecap="round">',
            f'<rect width="{n(wide)}" height="{n(high)}" fill="{look.ground}"/>',
            f"<g><title>{escape(f'{drawn.kind} {drawn.signature}')}</title>"
            f"{letters(_MARGIN, _MARGIN + 8, title, _LABEL, look.quiet)}</g>",
        ]
        if run is not None and (whole := standing(run, spent)) is not None:
            lines += _whole(whole, wide - _MARGIN, _MARGIN + 8, look)
        lines.append(f'<g transform="translate({n(shift)} {n(_MARGIN + _HEADER)})">')
        for id_, rect in placed.clusters.items():
            lines += _cluster(faces[id_], rect, look)
        for bundle, route in zip(links, placed.routes, strict=True):
            lines.append(_arrow(bundle, route, look))
        for bundle, label in zip(links, placed.labels, strict=True):
            if label is not None:
                lines.append(_label(bundle, label, look))
        for id_, rect in placed.items.items():
            lines += _item(faces[id_], rect, look, turned=self._scene.direction == "right")
        return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


def arrange(drawn: Sketch, scene: Scene, engine: Engine = "graphrt") -> Layout:
    """Lay out a sketch; what there is to draw is in `scene` afterwards."""
    members = tuple(_members(drawn, 0, scene))
    links = [Link(bundle.source, bundle.target, *bundle.size) for bundle in scene.links]
    if engine == "graphviz":
        from graphrt.draw import graphviz

        return graphviz.layout(members, links, scene.direction)
    return layout(members, links, scene.direction)


# What is to be seen of a box and of an arrow.


@dataclass(frozen=True, slots=True)
class Face:
    """A box as it is drawn: `what` chooses its outline, its icon and its colour."""

    name: str
    note: str
    what: str
    tooltip: str
    many: bool
    depth: int
    watched: bool = False
    """Whether there is a run: then there is room for what it says."""
    mark: Mark | None = None

    @property
    def told(self) -> str:
        """All there is to say of it."""
        said = [] if self.mark is None else [self.mark.words, self.mark.details]
        return "\n".join([self.tooltip, *filter(None, said)])


@dataclass(slots=True)
class Bundle:
    """All arrows from one box to another, as one."""

    source: str
    target: str
    depth: int
    labels: list[str] = field(default_factory=list)
    tooltip: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """What is written on it."""
        return shorten(", ".join(dict.fromkeys(self.labels)), _LABEL, _LABEL_WIDEST)

    @property
    def size(self) -> tuple[float, float]:
        """How much room its label needs."""
        return (width(self.label, _LABEL) + 8, _LABEL + 5) if self.label else (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is collected on the way through a sketch and the graphs inside it."""

    direction: Direction
    watched: bool = False
    """Whether there is room for what a run says of the boxes."""
    faces: dict[str, Face] = field(default_factory=dict)
    links: list[Bundle] = field(default_factory=list)


def _members(drawn: Sketch, depth: int, scene: Scene) -> Iterator[Item | Cluster]:
    bundles: dict[tuple[str, str], Bundle] = {}
    shapes = {box.id: box.shape for box in drawn.boxes}
    names = {box.id: box.label for box in drawn.boxes}
    for arrow in drawn.arrows:
        bundle = bundles.setdefault((arrow.source, arrow.target), Bundle(arrow.source, arrow.target, depth))
        if arrow.label and shapes[arrow.target] == "choice":
            bundle.labels.append(arrow.label)
        bundle.tooltip.append(_tooltip(arrow, names))
    scene.links.extend(bundles.values())
    leaving, coming = (
        Counter(bundle.source for bundle in bundles.values()),
        Counter(bundle.target for bundle in bundles.values()),
    )
    for box in drawn.boxes:
        face = _face(box, drawn, depth)
        if scene.watched and face.what != "end":
            face = replace(face, watched=True)
        scene.faces[box.id] = face
        stack = _STACK if face.many else 0.0
        if box.inner is not None:
            title = ICON + 6 + width(face.name, _NAME) * _BOLD + 8 + width(face.note, _SMALL)
            title += 16 + width(_LONGEST, _SMALL) if face.watched else 0
            members = tuple(_members(box.inner, depth + 1, scene))
            yield Cluster(box.id, members, title + stack, _NAME + stack)
        else:
            wide, high = _size(face)
            room = min(max(leaving[box.id], coming[box.id]) * _ROOM, _WIDEST)
            if scene.direction == "down":
                wide = max(wide, room)
            else:
                high = max(high, room)
            yield Item(box.id, wide + stack, high + stack)


def _tooltip(arrow: Arrow, names: Mapping[str, str]) -> str:
    """Say what travels along an arrow: from where, to where, of which type."""
    source = ".".join([names[arrow.source], *arrow.path])
    target = f"{names[arrow.target]} ({arrow.label})" if arrow.label else names[arrow.target]
    return f"{source} → {target}" + (f": {arrow.type}" if arrow.type else "")


def _face(box: Box, drawn: Sketch, depth: int) -> Face:
    name = shorten(box.label, _NAME, _WIDEST)
    if box.shape in {"start", "end"}:
        return Face(name, shorten(box.note, _SMALL, _WIDEST), "end", f"{box.label}: {box.ports or 'end'}", False, depth)
    if box.shape in {"choice", "join"}:
        tooltip = f"{box.label}: {box.ports}"
        return Face(name, shorten(box.note, _SMALL, _WIDEST), box.shape, tooltip, False, depth)
    word = _WORDS.get(box.kind, box.kind)
    # a note begins with the kind of what is no plain function: the word takes its place
    rest = box.note.removeprefix(box.kind).strip()
    said = [f"{word} {rest}".strip() if rest != box.note else f"{word}, {rest}".strip(", ")]
    if box.inner is not None:
        said = [box.kind]
    elif box.shape == "again":
        said = [f"{box.kind}, as above"]
    if box.shape == "state":
        said.insert(0, next((arrow.label for arrow in drawn.arrows if arrow.source == box.id), ""))
    if box.many:
        said.append(_TIMES)
    note = shorten(" · ".join(part for part in said if part), _SMALL, _WIDEST)
    what = "state" if box.shape == "state" else word if word in OUTLINES else "function"
    notes = f"\n{box.note}" if box.note else ""
    return Face(name, note, what, f"{box.label}\n{box.kind} {box.ports}{notes}", box.many, depth)


def _size(face: Face) -> tuple[float, float]:
    name, note = width(face.name, _NAME) * _BOLD, width(face.note, _SMALL)
    if face.what == "end":
        return max(name, note) + 32, 40.0 if face.note else 28.0
    if face.what == "join":
        return ICON + 6 + max(name, note) + 28, 40.0 if face.note else 28.0
    if face.what == "choice":
        return ICON + 6 + max(name, note) + 44, 38.0
    if face.watched:
        return max(ICON + 8 + max(name, note) + 28, _MARKED + 20), 42.0 + _lines(face) * _LINE
    return ICON + 8 + max(name, note) + 28, 42.0


def _lines(face: Face) -> int:
    """How many lines a run may say in a box: what a model took has one of its own."""
    return 2 if face.what == "model" else 1


# How it is drawn.


def _item(face: Face, rect: Rect, look: Look, *, turned: bool) -> Iterator[str]:
    yield f"<g><title>{escape(face.told)}</title>"
    x, y, wide, high = rect.x, rect.y, rect.width, rect.height
    middle, centre = y + high / 2, x + wide / 2
    if face.what == "end":
        yield f'<path d="{outline("pill", x, y, wide, high, turned=turned)}" fill="{look.pill}"/>'
        yield from _two_lines(face, centre, middle, look.pill_text, look.pill_text)
    else:
        colour = look.kinds["choice" if face.what == "join" else face.what]
        shape = "pill" if face.what == "join" else OUTLINES[face.what]
        if face.many:
            wide, high, y = wide - _STACK, high - _STACK, y + _STACK
            middle, centre = y + high / 2, x + wide / 2
            for back in (_STACK, _STACK / 2):
                behind = outline(shape, x + back, y - back, wide, high, turned=turned)
                yield f'<path d="{behind}" {_stroke(look.box, colour)}/>'
        edge = _stroke(look.box, colour) if face.mark is None else _marked_stroke(look.box, look, face.mark)
        yield f'<path d="{outline(shape, x, y, wide, high, turned=turned)}" {edge}/>'
        if shape == "box" and face.what == "graph":
            yield f'<path d="{outline(shape, x + 3, y + 3, wide - 6, high - 6)}" {_stroke("none", colour)}/>'
        left = x + (18 if shape == "hexagon" else 12)
        if face.watched and face.what not in {"choice", "join"}:
            middle -= _lines(face) * _LINE / 2
        yield icon(face.what, left, middle - ICON / 2, colour)
        yield from _two_lines(face, (left + ICON + x + wide - 6) / 2, middle, look.text, look.quiet)
        if face.mark is not None:
            line = y + high - 7 - (_lines(face) - 1) * _LINE
            for said in _said(face, face.mark, wide - 12):
                words = shorten(said, _SMALL, wide - 12)
                yield letters(centre, line, words, _SMALL, look.statuses[face.mark.status], anchor="middle")
                line += _LINE
            yield from _badge(face.mark, x + wide - 4, y + 2, look)
    yield "</g>"


def _said(face: Face, mark: Mark, room: float) -> list[str]:
    """Return what the lines of a box say of a run. What a plain node spent has none of its own, and often fits."""
    if _lines(face) > 1:
        return [mark.words, mark.spent]
    both = " · ".join(filter(None, [mark.words, mark.spent]))
    return [both if width(both, _SMALL) <= room else mark.words]


def _whole(mark: Mark, right: float, line: float, look: Look) -> Iterator[str]:
    """What is said of the run as a whole, up to a point on the right."""
    words = shorten(mark.words, _LABEL, _STANDING)
    left = right - width(words, _LABEL)
    yield from _badge(mark, left - _BADGE / 2, line - 4, look)
    yield letters(left, line, words, _LABEL, look.statuses[mark.status])


def _badge(mark: Mark, x: float, y: float, look: Look) -> Iterator[str]:
    """A disc with a sign, its middle at a point."""
    colour = look.statuses[mark.status]
    yield f'<circle cx="{n(x)}" cy="{n(y)}" r="{n(_DISC)}" fill="{colour}" stroke="{look.ground}" stroke-width="1.5"/>'
    yield (
        f'<path transform="translate({n(x - ICON / 2)} {n(y - ICON / 2)})" d="{BADGES[mark.status]}" fill="none" '
        f'stroke="{look.statuses["badge"]}" stroke-width="1.8"/>'
    )


def _marked_stroke(fill: str, look: Look, mark: Mark) -> str:
    return f'fill="{fill}" stroke="{look.statuses[mark.status]}" stroke-width="2"'


def _two_lines(face: Face, x: float, middle: float, colour: str, quiet: str) -> Iterator[str]:
    yield letters(x, middle - (2 if face.note else -4.5), face.name, _NAME, colour, anchor="middle", bold=True)
    if face.note:
        yield letters(x, middle + 12, face.note, _SMALL, quiet, anchor="middle")


def _cluster(face: Face, rect: Rect, look: Look) -> Iterator[str]:
    yield f"<g><title>{escape(face.told)}</title>"
    x, y, wide, high = rect.x, rect.y, rect.width, rect.height
    fill = look.clusters[face.depth % 2]
    colour = look.kinds["state" if face.what == "state" else "graph"]
    if face.many:
        wide, high, y = wide - _STACK, high - _STACK, y + _STACK
        for back in (_STACK, _STACK / 2):
            yield f'<path d="{outline("box", x + back, y - back, wide, high)}" {_stroke(fill, look.frame)}/>'
    edge = _stroke(fill, look.frame) if face.mark is None else _marked_stroke(fill, look, face.mark)
    yield f'<path d="{outline("box", x, y, wide, high)}" {edge}/>'
    yield icon("graph" if face.what != "state" else "state", x + 12, y + 10, colour)
    line = y + 10 + _NAME - 1
    words = ""
    if face.mark is not None:
        tone = look.statuses[face.mark.status]
        words = f'<tspan dx="8" font-size="{n(_SMALL)}" fill="{tone}">{escape(face.mark.words)}</tspan>'
    yield (
        f'<text x="{n(x + 12 + ICON + 6)}" y="{n(line)}" fill="{look.text}">'
        f'<tspan font-weight="600">{escape(face.name)}</tspan>'
        f'<tspan dx="8" font-size="{n(_SMALL)}" fill="{look.quiet}">{escape(face.note)}</tspan>{words}</text>'
    )
    if face.mark is not None:
        yield from _badge(face.mark, x + wide - 4, y + 2, look)
    yield "</g>"


def _arrow(bundle: Bundle, route: Sequence[Point], look: Look) -> str:
    (near_x, near_y), (x, y) = route[-2], route[-1]
    length = max(((x - near_x) ** 2 + (y - near_y) ** 2) ** 0.5, 0.01)
    along, across = (x - near_x) / length, (y - near_y) / length
    foot = (x - along * _HEAD, y - across * _HEAD)
    curve = _path([*route[:-1], foot])
    side = _HEAD * 0.5
    head = (
        f"M{n(x)} {n(y)}L{n(foot[0] - across * side)} {n(foot[1] + along * side)}"
        f"L{n(foot[0] + across * side)} {n(foot[1] - along * side)}Z"
    )
    return (
        f"<g><title>{escape(chr(10).join(dict.fromkeys(bundle.tooltip)))}</title>"
        f'<path d="{curve}" fill="none" stroke="{look.arrow}" stroke-width="1.5"/>'
        f'<path d="{head}" fill="{look.arrow}"/></g>'
    )


def _path(points: Sequence[Point]) -> str:
    """Write curves as a path; what is straight as lines."""
    parts = [f"M{n(points[0][0])} {n(points[0][1])}"]
    for number in range(0, len(points) - 3, 3):
        curve = points[number : number + 4]
        if len({x for x, _ in curve}) == 1:
            parts.append(f"V{n(curve[3][1])}")
        elif len({y for _, y in curve}) == 1:
            parts.append(f"H{n(curve[3][0])}")
        else:
            parts.append("C" + " ".join(f"{n(x)} {n(y)}" for x, y in curve[1:]))
    return "".join(parts)


def _label(bundle: Bundle, rect: Rect, look: Look) -> str:
    ground = look.ground if not bundle.depth else look.clusters[(bundle.depth - 1) % 2]
    words = letters(
        rect.x + rect.width / 2, rect.y + rect.height - 4.5, bundle.label, _LABEL, look.text, anchor="middle"
    )
    return (
        f"<g><title>{escape(', '.join(dict.fromkeys(bundle.labels)))}</title>"
        f'<rect x="{n(rect.x)}" y="{n(rect.y)}" width="{n(rect.width)}" height="{n(rect.height)}" fill="{ground}"/>'
        f"{words}</g>"
    )


def _stroke(fill: str, colour: str) -> str:
    return f'fill="{fill}" stroke="{colour}" stroke-width="1.3"'
