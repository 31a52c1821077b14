"""Which links lead back: turned around, the rest of the graph has no loops."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

Edge = tuple[int, int]


def back_edges(count: int, edges: Sequence[Edge]) -> list[bool]:
    """Tell which edges lead back to the header of a loop they are in.

    Those are the edges that a depth-first search from the entries finds to lead to where it came through. A loop that
    is entered at one node is searched from there, so all its edges to that node lead back and no others, and the same
    holds for the loops in it. A loop that nothing leads into begins at its first node. Every edge found closes a loop
    with edges that are not, so none of them was turned around in vain.
    """
    after: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for number, (source, target) in enumerate(edges):
        after[source].append((target, number))
    # no root is reached from one before it: from the last to the first, those that stay are where the graph is entered
    entries = _roots(reversed(_roots(range(count), after)), after)
    found = [False] * count
    back = [False] * len(edges)
    for node in sorted(entries):
        if not found[node]:
            for number in _search(node, after, found):
                back[number] = True
    return back


def _roots(nodes: Iterable[int], after: Sequence[Sequence[tuple[int, int]]]) -> list[int]:
    """Return those nodes that none before them leads to."""
    found = [False] * len(after)
    roots = []
    for node in nodes:
        if not found[node]:
            roots.append(node)
            deque(_search(node, after, found), maxlen=0)
    return roots


def _search(root: int, after: Sequence[Sequence[tuple[int, int]]], found: list[bool]) -> Iterator[int]:
    """Search depth first, mark what is found, and yield the edges that lead to a node still being searched."""
    open_ = {root}
    found[root] = True
    path = [(root, iter(after[root]))]
    while path:
        node, rest = path[-1]
        for target, number in rest:
            if target in open_:
                yield number
            elif not found[target]:
                found[target] = True
                open_.add(target)
                path.append((target, iter(after[target])))
                break
        else:
            open_.remove(node)
            path.pop()
