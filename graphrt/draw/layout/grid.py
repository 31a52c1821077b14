"""A graph in rows: each node is in one row, and each link is a chain of nodes, one a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(slots=True)
class Grid:
    """Nodes are numbers. A dummy is a bend of a long link, the place of its label, or where it leaves a cluster."""

    left: list[float] = field(default_factory=list)
    """How far each node reaches to the left of its middle."""
    right: list[float] = field(default_factory=list)
    height: list[float] = field(default_factory=list)
    dummy: list[bool] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    chains: list[list[int]] = field(default_factory=list)
    kept: bool = False
    """Whether the first row is in order already."""
    ups: list[list[int]] = field(default_factory=list)
    """Each node's neighbours in the row above, once for each link."""
    downs: list[list[int]] = field(default_factory=list)

    def add(self, row: int, left: float, right: float, height: float, *, dummy: bool) -> int:
        """Add a node at the end of a row."""
        node = len(self.left)
        self.left.append(left)
        self.right.append(right)
        self.height.append(height)
        self.dummy.append(dummy)
        self.ups.append([])
        self.downs.append([])
        self.rows[row].append(node)
        return node

    def chain(self, nodes: list[int]) -> None:
        """Add a link through nodes of consecutive rows, from the top to the bottom."""
        for upper, lower in pairwise(nodes):
            self.downs[upper].append(lower)
            self.ups[lower].append(upper)
        self.chains.append(nodes)
