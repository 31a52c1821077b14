"""A graph as data: what folding a journal needs of it, for whoever has not its code (D11, D13)."""

from __future__ import annotations

from typing import Any

from graphrt.graph import Graph
from graphrt.types import Json


def define(graph: Graph[..., Any]) -> Json:
    """Write down a graph's structure: vertices, expressions, ports, machines, limits and effects; no code, no module
    path.

    The same graph gives the same bytes in every process.
    """
    raise NotImplementedError


def recall(definition: Json) -> Graph[..., Any]:
    """Make a graph of a definition: it folds, decides and draws as the one it was made of.

    It cannot run: each of its nodes raises UsageError, naming itself. Raises ValueError if it is no definition, or one
    of a newer format.
    """
    raise NotImplementedError


def differences(old: Graph[..., Any], new: Graph[..., Any]) -> list[str]:
    """Describe what changed from one graph to another, a line each: steps that are new, gone, rewired, or another
    node."""
    raise NotImplementedError
