"""Where the nodes of each row are from left to right, by the method of Brandes and Köpf.

Each node is put in line with the median of its neighbours, in four ways: looking up or down, from the left or from the
right. What is in line is a block, and the blocks are pushed together as far as their nodes allow. Long links win over
short ones that cross them, so they are straight. The result is the mean of the two middle ones of the four places: it
keeps every distance that all four keep. What is in line then moves as one towards the median of what it is linked to,
as far as its neighbours let it: the four together leave wide holes in large graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from graphrt.draw.layout.grid import Grid

ITEM_GAP = 30.0
DUMMY_GAP = 14.0
_ROUNDS = 5
_EQUAL = 0.01


def places(grid: Grid) -> list[float]:
    """Return the middle of each node; nodes of a row are at least a gap apart."""
    count = len(grid.left)
    if not count:
        return []
    crossed = _crossed(grid)
    found = []
    for up in True, False:
        for leftmost in True, False:
            rows = [row if leftmost else row[::-1] for row in (grid.rows if up else grid.rows[::-1])]
            near = grid.ups if up else grid.downs
            sign = 1.0 if leftmost else -1.0
            root = _align(rows, near, crossed, count)
            where = _compact(rows, root, grid, leftmost=leftmost)
            found.append([sign * x for x in where])
    x = _median(found, grid)
    for _ in range(_ROUNDS):
        if not _settle(x, grid):
            break
    return x


def _crossed(grid: Grid) -> set[tuple[int, int]]:
    """Return the edges that cross a piece of a long link: they do not get to be straight."""
    crossed: set[tuple[int, int]] = set()
    for upper, lower in pairwise(grid.rows):
        place = {node: index for index, node in enumerate(upper)}
        start, low = 0, 0
        for index, node in enumerate(lower):
            inner = _inner(node, grid)
            if inner is None and index < len(lower) - 1:
                continue
            high = len(upper) if inner is None else place[inner]
            for other in lower[start : index + 1]:
                for above in grid.ups[other]:
                    if not low <= place[above] <= high and not (grid.dummy[above] and grid.dummy[other]):
                        crossed.add((above, other))
            start, low = index + 1, high
    return crossed


def _inner(node: int, grid: Grid) -> int | None:
    """Return the dummy above a dummy."""
    ups = grid.ups[node]
    return ups[0] if grid.dummy[node] and ups and grid.dummy[ups[0]] else None


def _align(
    rows: Sequence[Sequence[int]], near: Sequence[Sequence[int]], crossed: set[tuple[int, int]], count: int
) -> list[int]:
    """Put each node in line with the median of its neighbours in the row before; return the first node of its line."""
    root = list(range(count))
    taken = [False] * count
    place = [0] * count
    for row in rows:
        for index, node in enumerate(row):
            place[node] = index
    for row in rows:
        last = -1
        for node in row:
            others = near[node]
            if not others:
                continue
            if len(others) > 1:
                others = sorted(others, key=place.__getitem__)
            middle = len(others) - 1
            for index in dict.fromkeys((middle // 2, (middle + 1) // 2)):
                other = others[index]
                if taken[other] or place[other] <= last:
                    continue
                if (other, node) not in crossed and (node, other) not in crossed:
                    root[node] = root[other]
                    taken[other] = True
                    last = place[other]
                    break
    return root


def _compact(rows: Sequence[Sequence[int]], root: Sequence[int], grid: Grid, *, leftmost: bool) -> list[float]:
    """Put the blocks side by side: first each as far to the left as it can be, then as far to the right as it can."""
    after: dict[int, dict[int, float]] = {}
    waits: dict[int, int] = {}
    left, right = (grid.left, grid.right) if leftmost else (grid.right, grid.left)
    dummy = grid.dummy
    for row in rows:
        before = -1
        for node in row:
            block = root[node]
            if block not in after:
                after[block] = {}
                waits[block] = 0
            if before >= 0:
                apart = right[before] + left[node] + (DUMMY_GAP if dummy[node] or dummy[before] else ITEM_GAP)
                ends = after[root[before]]
                known = ends.get(block)
                if known is None:
                    waits[block] += 1
                    ends[block] = apart
                elif apart > known:
                    ends[block] = apart
            before = node
    order = [block for block, count in waits.items() if not count]
    x = dict.fromkeys(after, 0.0)
    for block in order:
        here = x[block]
        for other, apart in after[block].items():
            x[other] = max(x[other], here + apart)
            waits[other] -= 1
            if not waits[other]:
                order.append(other)
    for block in reversed(order):
        if ends := after[block]:
            x[block] = max(x[block], min([x[other] - apart for other, apart in ends.items()]))
    return [x[block] for block in root]


def _median(found: Sequence[Sequence[float]], grid: Grid) -> list[float]:
    """Move the four to the narrowest one, on the side each leans to, and take the mean of the two middle ones."""
    spans = [
        (
            min(x - reach for x, reach in zip(xs, grid.left, strict=True)),
            max(x + reach for x, reach in zip(xs, grid.right, strict=True)),
        )
        for xs in found
    ]
    low, high = min(spans, key=lambda span: span[1] - span[0])
    shifts = [low - span[0] if number % 2 == 0 else high - span[1] for number, span in enumerate(spans)]
    a, b, c, d = ([x + shift for x in xs] for xs, shift in zip(found, shifts, strict=True))
    return [sum(sorted(four)[1:3]) / 2 for four in zip(a, b, c, d, strict=True)]


def _settle(x: list[float], grid: Grid) -> bool:
    """Move each set of nodes in line towards what it is linked to; tell whether any moved."""
    line = _lines(x, grid)
    members: dict[int, list[int]] = {}
    before, after = [-1] * len(x), [-1] * len(x)
    for row in grid.rows:
        for one, other in pairwise(row):
            after[one], before[other] = other, one
        for node in row:
            members.setdefault(line[node], []).append(node)
    moved = False
    for number, nodes in members.items():
        pulls = [
            x[other] - x[node]
            for node in nodes
            for near in (grid.ups[node], grid.downs[node])
            for other in near
            if line[other] != number
        ]
        if not pulls:
            continue
        pulls.sort()
        pull = (pulls[(len(pulls) - 1) // 2] + pulls[len(pulls) // 2]) / 2
        if pull > 0:
            rooms = [_room(node, after[node], x, grid) for node in nodes if after[node] >= 0]
            step = max(min([pull, *rooms]), 0.0)
        else:
            rooms = [_room(before[node], node, x, grid) for node in nodes if before[node] >= 0]
            step = -max(min([-pull, *rooms]), 0.0)
        if abs(step) > _EQUAL:
            moved = True
            for node in nodes:
                x[node] += step
    return moved


def _lines(x: Sequence[float], grid: Grid) -> list[int]:
    """Number what is linked and in line."""
    line = [-1] * len(x)
    for root in (node for row in grid.rows for node in row):
        if line[root] >= 0:
            continue
        line[root] = root
        todo = [root]
        for node in todo:
            for near in grid.ups[node], grid.downs[node]:
                for other in near:
                    if line[other] < 0 and abs(x[other] - x[node]) < _EQUAL:
                        line[other] = root
                        todo.append(other)
    return line


def _room(one: int, other: int, x: Sequence[float], grid: Grid) -> float:
    """Return how much nearer two neighbours in a row may come."""
    gap = DUMMY_GAP if grid.dummy[one] or grid.dummy[other] else ITEM_GAP
    return x[other] - x[one] - grid.right[one] - grid.left[other] - gap
