"""How far down each node is: every edge leads at least one rank down, and few lead further than they must."""

from __future__ import annotations

from collections.abc import Sequence

_ROUNDS = 4


def ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Give each node of a graph without loops its rank, from 0.

    The longest path says how far down a node must be. Then each node that has more edges on one side moves towards that
    side, which makes the edges shorter in sum.
    """
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        before[target].append(source)
        after[source].append(target)
    order = _topological(before, after)
    rank = [0] * count
    for node in order:
        rank[node] = max((rank[source] + 1 for source in before[node]), default=0)
    for _ in range(_ROUNDS):
        moved = False
        for node in reversed(order):
            if len(after[node]) > len(before[node]):
                low = min(rank[target] for target in after[node]) - 1
                moved = moved or low != rank[node]
                rank[node] = low
        for node in order:
            if len(before[node]) > len(after[node]):
                high = max(rank[source] for source in before[node]) + 1
                moved = moved or high != rank[node]
                rank[node] = high
        if not moved:
            break
    used = {value: number for number, value in enumerate(sorted(set(rank)))}
    return [used[value] for value in rank]


def _topological(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> list[int]:
    waits = [len(sources) for sources in before]
    order = [node for node, count in enumerate(waits) if not count]
    for node in order:
        for target in after[node]:
            waits[target] -= 1
            if not waits[target]:
                order.append(target)
    return order
