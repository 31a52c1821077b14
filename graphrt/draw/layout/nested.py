"""Levels within levels: the innermost is laid out first, and is then one box of the level around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from graphrt.draw.layout.cycles import back_edges
from graphrt.draw.layout.facts import Cluster, Direction, Item, Layout, Link, Point, Rect
from graphrt.draw.layout.level import Exit, Level, Placed, Tie, arrange

_PAD = 18.0
_PASSES = 2
"""How often clusters are laid out anew, so that fewer links cross between them."""
_SMALL = 500
_NEAR = 0.05
"""Pieces of a link on two levels meet up to rounding."""


@dataclass(slots=True)
class _Inside:
    """A cluster, or the whole: its members, what links them, and where its inside begins once it is laid out."""

    cluster: Cluster
    level: Level = field(default_factory=Level)
    placed: Placed = field(default_factory=Placed)
    left: float = 0.0
    top: float = 0.0


def layout(members: Sequence[Item | Cluster], links: Sequence[Link], direction: Direction = "down") -> Layout:
    """Lay out a graph: arrows lead down, or to the right, except those that lead back to where a loop began.

    What makes no difference is in the order in which it was given. Raises ValueError for an id that is there twice, a
    link whose end is not there, and a link between a cluster and what is inside it.
    """
    insides, pieces, back = _levels(members, links)
    turn = direction == "right"
    for inside in insides.values():
        _turn(inside.level, back, turn=turn)
    _lay_out(insides, turn=turn)
    for _ in range(_PASSES if sum(len(each.cluster.members) for each in insides.values()) <= _SMALL else 1):
        again = _follow(insides, back)
        if not any(inside.level.kept for inside in again.values()):
            break
        _lay_out(again, turn=turn)
        if _crossings(again) >= _crossings(insides):
            break
        insides = again
    return _assemble(insides, links, pieces, back, turn=turn)


def leading_back(members: Sequence[Item | Cluster], links: Sequence[Link]) -> list[bool]:
    """Return which links lead back to where a loop began. Raises as `layout` does."""
    return _levels(members, links)[2]


def _levels(
    members: Sequence[Item | Cluster], links: Sequence[Link]
) -> tuple[dict[str, _Inside], list[list[str]], list[bool]]:
    """Put each link into the levels that it is on: return these, which ones it is on, and which links lead back."""
    whole = _Inside(Cluster("", tuple(members)))
    parents: dict[str, str] = {}
    insides: dict[str, _Inside] = {"": whole}
    numbers: dict[str, int] = {}
    for parent, number, member in _walk(whole.cluster):
        if member.id in parents or not member.id:
            raise ValueError(f"two boxes have the id {member.id!r}" if member.id else "a box has no id")
        parents[member.id] = parent
        numbers[member.id] = number
        if isinstance(member, Cluster):
            insides[member.id] = _Inside(member)
    pieces = [_connect(number, link, parents, insides, numbers) for number, link in enumerate(links)]
    back = [False] * len(links)
    for inside in insides.values():
        ties = inside.level.ties
        turned = back_edges(len(inside.cluster.members), [(tie.source, tie.target) for tie in ties])
        for tie, up in zip(ties, turned, strict=True):
            back[tie.number] = up and tie.source != tie.target
    return insides, pieces, back


def _walk(cluster: Cluster) -> Iterator[tuple[str, int, Item | Cluster]]:
    for number, member in enumerate(cluster.members):
        yield cluster.id, number, member
        if isinstance(member, Cluster):
            yield from _walk(member)


def _connect(
    index: int, link: Link, parents: dict[str, str], insides: dict[str, _Inside], numbers: dict[str, int]
) -> list[str]:
    """Put a link into the level where its ends are apart, and its exits into those inside; return them in order."""
    for end in link.source, link.target:
        if end not in parents:
            raise ValueError(f"a link leads from {link.source!r} to {link.target!r}, and there is no {end!r}")
    above, below = _path(link.source, parents), _path(link.target, parents)
    if link.source != link.target and (link.source in below or link.target in above):
        raise ValueError(f"a link leads from {link.source!r} to {link.target!r}, and one of them is inside the other")
    shared = len([one for one, other in zip(above, below, strict=False) if one == other])
    if link.source == link.target:
        shared -= 1
    here = above[shared - 1]
    label = (link.label_width, link.label_height)
    tie = Tie(index, numbers[above[shared]], numbers[below[shared]], False, label)
    insides[here].level.ties.append(tie)
    for path, out in (above, True), (below, False):
        for parent, end in zip(path[shared:], path[shared + 1 :], strict=False):
            insides[parent].level.exits.append(Exit(index, numbers[end], "bottom", out))
    return [*reversed(above[shared:-1]), here, *below[shared:-1]]


def _path(id_: str, parents: dict[str, str]) -> list[str]:
    """Return what an id is inside of, from the whole down to itself."""
    path = [id_]
    while path[-1]:
        path.append(parents[path[-1]])
    return path[::-1]


def _turn(level: Level, back: Sequence[bool], *, turn: bool) -> None:
    """Say of each link whether it leads up here: what leads back leaves at the top and comes in from below.

    With `turn`, x and y change places from here on.
    """
    level.ties = [
        Tie(tie.number, tie.source, tie.target, back[tie.number], (tie.label[1], tie.label[0]) if turn else tie.label)
        for tie in level.ties
    ]
    level.exits = [
        Exit(exit_.number, exit_.box, "bottom" if exit_.out != back[exit_.number] else "top", exit_.out)
        for exit_ in level.exits
    ]


def _follow(insides: Mapping[str, _Inside], back: Sequence[bool]) -> dict[str, _Inside]:
    """Begin anew, so that links come into the top of a cluster in the order in which they leave what is above it."""
    origins = _origins(insides)
    leaves = {
        number: origins[id_][0] + knots[-1 if back[number] else 0][0]
        for id_, inside in insides.items()
        for number, knots in ((tie.number, inside.placed.knots.get(tie.number)) for tie in inside.level.ties)
        if knots
    }
    again = {}
    for id_, inside in insides.items():
        exits = sorted(inside.level.exits, key=lambda exit_: leaves[exit_.number])
        kept = sum(exit_.side == "top" for exit_ in exits) > 1
        again[id_] = _Inside(inside.cluster, Level(ties=inside.level.ties, exits=exits, kept=kept))
    return again


def _crossings(insides: Mapping[str, _Inside]) -> int:
    return sum(inside.placed.crossings for inside in insides.values())


def _origins(insides: Mapping[str, _Inside]) -> dict[str, Point]:
    """Return where the inside of each cluster begins."""
    origins = {"": (0.0, 0.0)}
    for id_, inside in insides.items():  # a cluster comes after the one it is in
        for (x, y), member in zip(inside.placed.corners, inside.cluster.members, strict=True):
            if isinstance(member, Cluster):
                within = insides[member.id]
                origins[member.id] = (origins[id_][0] + x + within.left, origins[id_][1] + y + within.top)
    return origins


def _lay_out(insides: Mapping[str, _Inside], *, turn: bool) -> None:
    """Lay out all levels, the innermost first."""
    for inside in [*insides.values()][::-1]:
        _size(inside, insides, turn=turn)
        inside.placed = arrange(inside.level)


def _size(inside: _Inside, insides: Mapping[str, _Inside], *, turn: bool) -> None:
    """Take the sizes of a level's boxes, whose insides have been laid out."""
    level = inside.level
    for number, member in enumerate(inside.cluster.members):
        if isinstance(member, Item):
            level.sizes.append((member.height, member.width) if turn else (member.width, member.height))
            continue
        within = insides[member.id]
        title = member.title_height + (_PAD / 2 if member.title_height else 0.0)
        within.left, within.top = (_PAD + title, _PAD) if turn else (_PAD, _PAD + title)
        width, height = within.placed.width + within.left + _PAD, within.placed.height + within.top + _PAD
        least = member.title_width + 2 * _PAD
        if turn:
            within.top += max(least - height, 0.0) / 2
            height = max(height, least)
        else:
            within.left += max(least - width, 0.0) / 2
            width = max(width, least)
        level.sizes.append((width, height))
        level.fixed.update(((number, link), within.left + x) for link, x in within.placed.exits.items())


def _assemble(
    insides: Mapping[str, _Inside],
    links: Sequence[Link],
    pieces: Sequence[Sequence[str]],
    back: Sequence[bool],
    *,
    turn: bool,
) -> Layout:
    """Put all levels where they belong."""
    origins = _origins(insides)
    items: dict[str, Rect] = {}
    clusters: dict[str, Rect] = {}
    labels: list[Rect | None] = [None] * len(links)
    loops: dict[int, list[Point]] = {}
    for id_, inside in insides.items():
        left, top = origins[id_]
        for number, member in enumerate(inside.cluster.members):
            (x, y), (width, height) = inside.placed.corners[number], inside.level.sizes[number]
            rect = _rect(left + x, top + y, width, height, turn=turn)
            if isinstance(member, Cluster):
                clusters[member.id] = rect
            else:
                items[member.id] = rect
        for link, label in inside.placed.labels.items():
            labels[link] = _rect(left + label.x, top + label.y, label.width, label.height, turn=turn)
        for link, loop in inside.placed.loops.items():
            loops[link] = [(left + x, top + y) for x, y in loop]
    routes = []
    for number, piece in enumerate(pieces):
        knots = [
            (origins[id_][0] + x, origins[id_][1] + y)
            for id_ in piece
            for x, y in insides[id_].placed.knots.get(number, ())
        ]
        points = loops[number] if number in loops else _curves(knots)
        routes.append(tuple((_round(y), _round(x)) if turn else (_round(x), _round(y)) for x, y in points))
    placed = insides[""].placed
    size = _rect(0.0, 0.0, placed.width, placed.height, turn=turn)
    return Layout(
        size.width, size.height, items, clusters, tuple(routes), tuple(labels), tuple(back), _crossings(insides)
    )


def _curves(knots: Sequence[Point]) -> list[Point]:
    """Join points by curves that stand upright in each of them."""
    kept: list[Point] = []
    for knot in knots:
        if len(kept) > 1 and max(abs(kept[-2][0] - knot[0]), abs(kept[-1][0] - knot[0])) < _NEAR:
            kept[-1] = knot
        else:
            kept.append(knot)
    points = kept[:1]
    for (x, y), (next_x, next_y) in pairwise(kept):
        middle = (y + next_y) / 2
        points += [(x, middle), (next_x, middle), (next_x, next_y)]
    return points


def _rect(x: float, y: float, width: float, height: float, *, turn: bool) -> Rect:
    """Round a box to hundredths and turn it back."""
    x, y, width, height = map(_round, (x, y, width, height))
    return Rect(y, x, height, width) if turn else Rect(x, y, width, height)


def _round(value: float) -> float:
    return round(value, 2)
