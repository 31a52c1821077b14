"""Which sequences hold which beginnings of prompts: a tree whose edges are whole chunks of tokens. Pure data.

A sequence enters with its prompt (`begin`), then holds more and more of it (`reach`), and keeps what it holds until it
is cut (`cut`). So the tree knows two things about a new prompt: how much of it somebody holds, and how much somebody is
about to hold. Whoever waits for the second computes nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Chunk = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """What there is of a prompt, in chunks: `held` by each of `holders`, and `coming` once those at work are done."""

    held: int
    holders: tuple[int, ...]
    coming: int


@dataclass(slots=True, eq=False)
class _Node:
    chunk: Chunk
    parent: _Node | None
    children: dict[Chunk, _Node] = field(default_factory=dict)
    holders: set[int] = field(default_factory=set)
    builders: set[int] = field(default_factory=set)


def chunks(tokens: Sequence[int], size: int) -> list[Chunk]:
    """The whole chunks that `tokens` begin with."""
    return [tuple(tokens[at : at + size]) for at in range(0, len(tokens) - size + 1, size)]


class Prefixes:
    """The tree."""

    def __init__(self) -> None:
        self._root = _Node((), None)
        self._paths: dict[int, list[_Node]] = {}
        self._reached: dict[int, int] = {}
        self.held = 0
        """Different chunks that somebody holds."""

    def match(self, prompt: Sequence[Chunk]) -> Match:
        """What there is of `prompt`."""
        node, held, holders, coming = self._root, 0, set[int](), 0
        for depth, chunk in enumerate(prompt, start=1):
            found = node.children.get(chunk)
            if found is None:
                break
            node, coming = found, depth
            if node.holders:
                held, holders = depth, node.holders
        return Match(held, tuple(sorted(holders)), coming)

    def begin(self, sequence: int, prompt: Sequence[Chunk]) -> None:
        """`sequence`, which holds nothing, is going to hold `prompt`."""
        node, path = self._root, []
        for chunk in prompt:
            child = node.children.get(chunk)
            if child is None:
                child = node.children[chunk] = _Node(chunk, node)
            child.builders.add(sequence)
            path.append(child)
            node = child
        self._paths[sequence] = path
        self._reached[sequence] = 0

    def reach(self, sequence: int, count: int) -> None:
        """`sequence` holds the first `count` chunks of its prompt now, or all of it if that is less."""
        path = self._paths.get(sequence, [])
        before = self._reached.get(sequence, 0)
        for node in path[before:count]:
            node.builders.discard(sequence)
            self.held += not node.holders
            node.holders.add(sequence)
        self._reached[sequence] = max(before, min(count, len(path)))

    def cut(self, sequence: int, count: int = 0) -> None:
        """`sequence` holds no more than the first `count` chunks, and nothing more is coming."""
        path = self._paths.get(sequence, [])
        reached = self._reached.get(sequence, 0)
        count = min(count, reached)
        for node in reversed(path[count:]):
            if sequence in node.holders:
                node.holders.remove(sequence)
                self.held -= not node.holders
            node.builders.discard(sequence)
            if node.parent is not None and not (node.holders or node.builders or node.children):
                del node.parent.children[node.chunk]
        del path[count:]
        if count:
            self._reached[sequence] = count
        else:
            self._paths.pop(sequence, None)
            self._reached.pop(sequence, None)

    def reached(self, sequence: int) -> int:
        """How many chunks `sequence` holds."""
        return self._reached.get(sequence, 0)

    def shared(self, sequence: int) -> int:
        """How many of the chunks that `sequence` holds others hold, too."""
        return sum(len(node.holders) > 1 for node in self._paths.get(sequence, [])[: self.reached(sequence)])
