"""One level of a graph: boxes without regard to what is in them, in rows, with their links between the rows.

Rows do not overlap, nor do the nodes of a row; a link bends only between rows, and stands upright where it passes one,
at a place of its own. So no link runs through a box that is not its end, and no label is covered.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from graphrt.draw.layout.facts import Point, Rect
from graphrt.draw.layout.grid import Grid
from graphrt.draw.layout.order import order
from graphrt.draw.layout.places import places
from graphrt.draw.layout.ports import alone, spread
from graphrt.draw.layout.ranks import ranks
from graphrt.draw.layout.stagger import staggered

_GAP = 38.0
_LABEL_GAP = 25.0
_STEEP = 0.06
"""How much of the width of the widest bend is added between two rows, up to a limit."""
_MOST = 70.0
_HEAD = 7.0
"""How much of a link stands upright at both of its ends: an arrowhead, or so that two side by side stay apart."""
_LOOP = 24.0
"""How far a link from a box to itself reaches out."""
_LOOP_STEP = 5.0
_PORT = 4.0

Side = Literal["top", "bottom"]


@dataclass(frozen=True, slots=True)
class Tie:
    """A link within a level: between its boxes by number. `up`: it leads back, from below."""

    number: int
    source: int
    target: int
    up: bool
    label: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Exit:
    """Where a link leaves the level: from a box to a side of the level, or the other way."""

    number: int
    box: int
    side: Side
    out: bool


@dataclass(slots=True)
class Level:
    """What is to be laid out. `fixed`: where links meet boxes that were laid out before, from their left edge."""

    sizes: list[tuple[float, float]] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    fixed: dict[tuple[int, int], float] = field(default_factory=dict)
    """By box and link."""
    kept: bool = False
    """Whether links come in at the top in the order of `exits`."""


@dataclass(slots=True)
class Placed:
    """A level that was laid out: everything from its top left corner."""

    width: float = 0.0
    height: float = 0.0
    corners: list[Point] = field(default_factory=list)
    knots: dict[int, list[Point]] = field(default_factory=dict)
    """The links from source to target by the points where they stand upright."""
    loops: dict[int, tuple[Point, ...]] = field(default_factory=dict)
    labels: dict[int, Rect] = field(default_factory=dict)
    exits: dict[int, float] = field(default_factory=dict)
    crossings: int = 0


@dataclass(slots=True)
class _Run:
    """A link on its way down the rows: its upper end, its bends, its lower end. None is a side of the level."""

    number: int
    upper: int | None
    lower: int | None
    up: bool
    nodes: list[int]
    label: int | None = None


def arrange(level: Level) -> Placed:
    """Lay out one level."""
    loops = _loops(level)
    grid, runs, boxes = _rows(level, loops)
    order(grid)
    placed = Placed()
    middles = places(grid)
    low = min((middle - reach for middle, reach in zip(middles, grid.left, strict=True)), default=0.0)
    middles = [middle - low for middle in middles]
    placed.width = max((middle + reach for middle, reach in zip(middles, grid.right, strict=True)), default=0.0)
    x = [round(middle, 2) for middle in middles]
    ports = _ports(level, runs, x, boxes)
    row_of = {node: number for number, row in enumerate(grid.rows) for node in row}
    xs_of = [
        [upper, *(x[node] for node in run.nodes[1:-1]), lower] for run, (upper, lower) in zip(runs, ports, strict=True)
    ]
    bends: list[list[tuple[float, float]]] = [[] for _ in grid.rows]
    for run, xs in zip(runs, xs_of, strict=True):
        for row, bend in enumerate(pairwise(xs), row_of[run.nodes[0]]):
            bends[row].append(bend)
    placed.crossings = sum(map(_crossings, bends))
    tops, bottoms = _heights(grid, bends, {row_of[run.label] for run in runs if run.label is not None})
    placed.height = bottoms[-1] if bottoms else 0.0
    for node, size in zip(boxes, level.sizes, strict=True):
        placed.corners.append(_corner(node, size, middles[node], (tops[row_of[node]], bottoms[row_of[node]]), grid))
    for run, xs in zip(runs, xs_of, strict=True):
        rows = [(tops[row_of[node]], bottoms[row_of[node]]) for node in run.nodes]
        knots = _knots(run, xs, rows, level, placed)
        placed.knots[run.number] = knots[::-1] if run.up else knots
        if run.upper is None or run.lower is None:
            placed.exits[run.number] = xs[0 if run.upper is None else -1]
        if run.label is not None:
            row = row_of[run.label]
            width, height = 2 * grid.left[run.label], grid.height[run.label]
            middle = (tops[row] + bottoms[row]) / 2
            placed.labels[run.number] = Rect(middles[run.label] - width / 2, middle - height / 2, width, height)
    _place_loops(level, loops, placed)
    return placed


def _corner(node: int, size: tuple[float, float], middle: float, row: tuple[float, float], grid: Grid) -> Point:
    """Return where a box begins: in the middle of its row, or near its neighbours if they are all on one side.

    In hundredths, so that sums of such numbers round to the same ones wherever they are added. `middle` is exact: half
    of a width may need thousandths, and taken from a rounded middle it would put a box outside of what is around it.
    """
    space = row[1] - row[0] - grid.height[node]
    share = 0.5 if bool(grid.ups[node]) == bool(grid.downs[node]) else 0.0 if grid.ups[node] else 1.0
    return round(middle - size[0] / 2, 2), round(row[0] + space * share + (grid.height[node] - size[1]) / 2, 2)


def _knots(
    run: _Run, xs: Sequence[float], rows: Sequence[tuple[float, float]], level: Level, placed: Placed
) -> list[Point]:
    """Return the points from which to which a link stands upright, downwards: through its rows and at its ends."""
    # between two rows all begin and end at the same heights: curves that do not change sides then never meet
    spans = [(top - _HEAD, bottom + _HEAD) for top, bottom in rows]
    begin = rows[0][1] if run.upper is None else placed.corners[run.upper][1] + level.sizes[run.upper][1]
    end = rows[-1][0] if run.lower is None else placed.corners[run.lower][1]
    spans[0] = (begin, rows[0][1] + _HEAD)
    spans[-1] = (rows[-1][0] - _HEAD, end)
    return [(x, y) for x, span in zip(xs, spans, strict=True) for y in span]


def _loops(level: Level) -> dict[int, list[Tie]]:
    loops: dict[int, list[Tie]] = defaultdict(list)
    for tie in level.ties:
        if tie.source == tie.target:
            loops[tie.source].append(tie)
    return loops


def _loop_room(loops: Sequence[Tie]) -> tuple[float, float]:
    """Return how much room beside a box its loops and their labels need."""
    if not loops:
        return 0.0, 0.0
    widest = max(tie.label[0] for tie in loops)
    reach = _LOOP + _LOOP_STEP * (len(loops) - 1)
    return reach + (widest + 4 if widest else 0.0), sum(tie.label[1] + 2 for tie in loops)


def _place_loops(level: Level, loops: Mapping[int, Sequence[Tie]], placed: Placed) -> None:
    for box, ties in loops.items():
        (left, top), (width, height) = placed.corners[box], level.sizes[box]
        right, middle = left + width, top + height / 2
        y = middle - _loop_room(ties)[1] / 2
        for index, tie in enumerate(ties):
            apart = min(8 + _LOOP_STEP * index, height / 2 - 1)
            # a curve comes three quarters as far as its control points
            far = right + (_LOOP + _LOOP_STEP * index) / 0.75
            placed.loops[tie.number] = (
                (right, middle - apart),
                (far, middle - apart),
                (far, middle + apart),
                (right, middle + apart),
            )
            if tie.label[0]:
                reach = _LOOP + _LOOP_STEP * (len(ties) - 1) + 4
                placed.labels[tie.number] = Rect(right + reach, y + 1, *tie.label)
            y += tie.label[1] + 2


def _fixed(level: Level, tie: Tie) -> float:
    """Return where a link leaves its upper box, if that was laid out before: links from there begin in that order."""
    upper, lower = (tie.target, tie.source) if tie.up else (tie.source, tie.target)
    return level.fixed.get((upper, tie.number), level.fixed.get((lower, tie.number), 0.0))


def _rows(level: Level, loops: Mapping[int, Sequence[Tie]]) -> tuple[Grid, list[_Run], list[int]]:
    """Put boxes, bends, labels and the places where links leave into rows."""
    ties = sorted((tie for tie in level.ties if tie.source != tie.target), key=lambda tie: _fixed(level, tie))
    downs = [(tie.target, tie.source) if tie.up else (tie.source, tie.target) for tie in ties]
    bound = {exit_.box for exit_ in level.exits}
    rank = staggered(ranks(len(level.sizes), downs), [width for width, _ in level.sizes], downs, bound)
    last = max(rank, default=-1)
    # a row of labels below a rank where a link with a label begins
    labelled = {rank[tie.source] - 1 if tie.up else rank[tie.source] for tie in ties if tie.label[0] and tie.label[1]}
    top = 1 if any(exit_.side == "top" for exit_ in level.exits) else 0
    row_of_rank, rows = [], top
    for number in range(last + 1):
        row_of_rank.append(rows)
        rows += 2 if number in labelled else 1
    bottom = rows
    rows += 1 if any(exit_.side == "bottom" for exit_ in level.exits) else 0
    grid = Grid(rows=[[] for _ in range(rows)], kept=level.kept)
    boxes = []
    for box, (width, height) in enumerate(level.sizes):
        beside, tall = _loop_room(loops.get(box, ()))
        boxes.append(grid.add(row_of_rank[rank[box]], width / 2, width / 2 + beside, max(height, tall), dummy=False))
    runs = []
    for tie, (upper, lower) in zip(ties, downs, strict=True):
        first, end = row_of_rank[rank[upper]], row_of_rank[rank[lower]]
        label_row = -1
        if tie.label[0] and tie.label[1]:
            label_row = row_of_rank[rank[lower] - 1] + 1 if tie.up else first + 1
        nodes, label = [boxes[upper]], None
        for row in range(first + 1, end):
            wide, tall = tie.label if row == label_row else (0.0, 0.0)
            nodes.append(grid.add(row, wide / 2, wide / 2, tall, dummy=True))
            label = nodes[-1] if row == label_row else label
        runs.append(_Run(tie.number, upper, lower, tie.up, [*nodes, boxes[lower]], label))
    for exit_ in level.exits:
        here = row_of_rank[rank[exit_.box]]
        between = range(here + 1, bottom + 1) if exit_.side == "bottom" else range(here)
        bends = [grid.add(row, _PORT, _PORT, 0.0, dummy=True) for row in between]
        if exit_.side == "bottom":
            runs.append(_Run(exit_.number, exit_.box, None, not exit_.out, [boxes[exit_.box], *bends]))
        else:
            runs.append(_Run(exit_.number, None, exit_.box, exit_.out, [*bends, boxes[exit_.box]]))
    for run in runs:
        grid.chain(run.nodes)
    return grid, runs, boxes


def _ports(level: Level, runs: Sequence[_Run], x: Sequence[float], boxes: Sequence[int]) -> list[tuple[float, float]]:
    """Return where each link leaves its upper end and meets its lower one."""
    ends = [[x[run.nodes[0]], x[run.nodes[-1]]] for run in runs]
    sides: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        for which, box in enumerate((run.upper, run.lower)):
            if box is not None and (box, run.number) in level.fixed:
                ends[index][which] = x[boxes[box]] - level.sizes[box][0] / 2 + level.fixed[box, run.number]
            elif box is not None:
                sides[box, which].append(index)

    # narrow sides first: wide ones can follow; then sides with one link, which is straight if that is near the middle
    def freedom(side: tuple[tuple[int, int], list[int]]) -> tuple[bool, float]:
        (box, _), indices = side
        return len(indices) == 1, level.sizes[box][0]

    for (box, which), indices in sorted(sides.items(), key=freedom):
        middle, width = x[boxes[box]], level.sizes[box][0]
        wanted = {}
        for index in indices:
            nodes = runs[index].nodes
            bend = x[nodes[1 - 3 * which]]
            wanted[index] = (ends[index][1 - which] if len(nodes) == 2 else bend) - middle  # noqa: PLR2004 - both ends
        if len(indices) == 1:
            ends[indices[0]][which] = middle + alone(width, wanted[indices[0]])
            continue
        in_order = sorted(indices, key=wanted.__getitem__)
        for index, offset in zip(in_order, spread(width, [wanted[index] for index in in_order]), strict=True):
            ends[index][which] = middle + offset
    return [(round(upper, 2), round(lower, 2)) for upper, lower in ends]


def _crossings(bends: Sequence[tuple[float, float]]) -> int:
    """Count the pairs of links that change sides between two rows."""
    count = 0
    seen: list[float] = []
    for _, lower in sorted(bends):
        at = bisect_right(seen, lower)
        count += len(seen) - at
        seen.insert(at, lower)
    return count


def _heights(
    grid: Grid, bends: Sequence[Sequence[tuple[float, float]]], labels: Container[int]
) -> tuple[list[float], list[float]]:
    """Return the top and bottom of each row: further apart where a link has far to go to the side."""
    tops, bottoms, y = [], [], 0.0
    for number, nodes in enumerate(grid.rows):
        tops.append(y)
        y += max((grid.height[node] for node in nodes), default=0.0)
        bottoms.append(y)
        gap = _LABEL_GAP if number in labels or number + 1 in labels else _GAP
        widest = max((abs(upper - lower) for upper, lower in bends[number]), default=0.0)
        y = round(y + gap + min(widest * _STEEP, _MOST), 2)
    return tops, bottoms
