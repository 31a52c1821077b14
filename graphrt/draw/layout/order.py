"""The order of the nodes in each row: few crossings, and where it makes no difference, as the nodes were given."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from graphrt.draw.layout.grid import Grid

_SMALL = 2_000
"""Up to how many nodes the last crossing is worth looking for."""
_SWEEPS = 16
_PATIENCE = 4
"""How many sweeps may pass without a better order."""


def order(grid: Grid) -> int:
    """Bring every row into order and return how many crossings are left.

    Sweeps down and up sort each row by the mean place of a node's neighbours; then neighbours change places where
    that saves crossings. The best order of all sweeps is kept. A small graph is swept twice, from two first orders.
    """
    small = len(grid.left) <= _SMALL
    best, fewest = _improve(_depth_first(grid), grid, small=small)
    if fewest and small:
        other, count = _improve([list(row) for row in grid.rows], grid, small=small)
        if count < fewest:
            best, fewest = other, count
    grid.rows[:] = best
    return fewest


def _improve(rows: list[list[int]], grid: Grid, *, small: bool) -> tuple[list[list[int]], int]:
    best, fewest = rows, crossings(rows, grid.downs)
    since, sweep = 0, 0
    while fewest and since < _PATIENCE and sweep < (_SWEEPS if small else _SWEEPS // 2):
        down, turned = sweep % 2 == 0, sweep % 4 >= 2  # noqa: PLR2004 - two sweeps each way
        rows = _sweep(rows, grid, down=down, turned=turned)
        _swap(rows, grid)
        count = crossings(rows, grid.downs)
        since += 1
        if count < fewest:
            best, fewest, since = [list(row) for row in rows], count, 0
        sweep += 1
    return best, fewest


def _depth_first(grid: Grid) -> list[list[int]]:
    """Put the nodes into rows as a search from the top finds them: what hangs together is side by side."""
    row_of = {node: number for number, row in enumerate(grid.rows) for node in row}
    rows: list[list[int]] = [[] for _ in grid.rows]
    seen: set[int] = set()
    for root in (node for row in grid.rows for node in row):
        todo = [root]
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                rows[row_of[node]].append(node)
                todo.extend(reversed(grid.downs[node]))
    return rows


def _sweep(rows: list[list[int]], grid: Grid, *, down: bool, turned: bool) -> list[list[int]]:
    """Sort each row by the row before it. Nodes without neighbours there stay where they are."""
    sorted_ = [list(row) for row in rows]
    near = grid.ups if down else grid.downs
    numbers = range(1, len(rows)) if down else range(len(rows) - 2, 0 if grid.kept else -1, -1)
    place: dict[int, int] = {}
    for number in numbers:
        place.update((node, index) for index, node in enumerate(sorted_[number - 1 if down else number + 1]))
        row = sorted_[number]
        means = {node: sum([place[other] for other in near[node]]) / len(near[node]) for node in row if near[node]}
        # of equal nodes, the later first: what the other sweeps do not try
        moving = iter(sorted(reversed(means) if turned else means, key=means.__getitem__))
        sorted_[number] = [next(moving) if node in means else node for node in row]
    return sorted_


def _swap(rows: list[list[int]], grid: Grid) -> None:
    """Let neighbours in a row change places where that saves crossings."""
    place = {node: index for row in rows for index, node in enumerate(row)}
    for row in rows[grid.kept :]:
        above = {node: [place[other] for other in grid.ups[node]] for node in row}
        below = {node: [place[other] for other in grid.downs[node]] for node in row}
        for index in range(len(row) - 1):
            first, second = row[index], row[index + 1]
            saved = 0
            for near in above, below:
                one, other = near[first], near[second]
                if len(one) == len(other) == 1:  # most nodes are bends of long links
                    saved += (one[0] > other[0]) - (one[0] < other[0])
                elif one and other:
                    saved += _pairs(one, other) - _pairs(other, one)
            if saved > 0:
                row[index], row[index + 1] = second, first
                place[first], place[second] = index + 1, index


def _pairs(one: Sequence[int], other: Sequence[int]) -> int:
    """Count the crossings between the edges of two nodes, the first left of the second."""
    return sum(place > target for place in one for target in other)


def crossings(rows: Sequence[Sequence[int]], downs: Sequence[Sequence[int]]) -> int:
    """Count the pairs of edges between rows that are in one order above and in the other below."""
    count = 0
    for upper, lower in pairwise(rows):
        place = {node: index for index, node in enumerate(lower)}
        seen: list[int] = []
        for node in upper:
            ends = sorted([place[target] for target in downs[node]])
            if not seen or (ends and seen[-1] <= ends[0]):
                seen.extend(ends)
                continue
            for end in ends:
                count += len(seen) - bisect_right(seen, end)
            for end in ends:
                seen.insert(bisect_right(seen, end), end)
    return count
