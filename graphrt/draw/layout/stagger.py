"""Ranks that would be too wide: boxes that have the same neighbours stand in two rows instead of one, as bricks do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

WIDEST = 1600.0
"""How wide a rank may be, in pixels. Two rows are a little more than half as wide: links pass between the boxes of
each, straight down."""
_GAP = 30.0
_FEW = 4
"""Boxes for which it is worth a row."""


def staggered(
    rank: Sequence[int], widths: Sequence[float], edges: Sequence[tuple[int, int]], bound: Collection[int]
) -> list[int]:
    """Return the ranks with a rank more below each that is too wide, for every other box of those that are alike there:
    they have the same neighbours, and are not `bound` to anything else."""
    wide: dict[int, float] = defaultdict(lambda: -_GAP)
    for node, width in enumerate(widths):
        wide[rank[node]] += width + _GAP
    if all(each <= WIDEST for each in wide.values()):
        return list(rank)
    near: list[tuple[set[int], set[int]]] = [(set(), set()) for _ in rank]
    for source, target in edges:
        near[source][1].add(target)
        near[target][0].add(source)
    alike: dict[tuple[int, frozenset[int], frozenset[int]], list[int]] = defaultdict(list)
    for node, (above, below) in enumerate(near):
        if wide[rank[node]] > WIDEST and node not in bound:
            alike[rank[node], frozenset(above), frozenset(below)].append(node)
    lower = {node for nodes in alike.values() if len(nodes) >= _FEW for node in nodes[1::2]}
    split = sorted({rank[node] for node in lower})
    return [each + sum(number < each for number in split) + (node in lower) for node, each in enumerate(rank)]
