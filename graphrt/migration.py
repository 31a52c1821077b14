"""Named migrations: how a run of an older graph becomes one of today's, said once, in code, by its author (D11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphrt.graph import Graph


@dataclass(frozen=True, slots=True)
class Migration:
    """What a graph of another structure is to its runs: the same, but for these names."""

    name: str
    graph: str
    old: str
    """The fingerprint of the graph it leads from."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """A place in the old graph, such as `editor/review`, and the name it has now, `check`."""


def migration(graph: Graph[..., Any], old: str, *, name: str, renamed: Mapping[str, str]) -> Migration:
    """Register how runs that began with `graph` under the fingerprint `old` go on with it as it is now."""
    raise NotImplementedError


def migration_from(graph: Graph[..., Any], old: str) -> Migration | None:
    """Return the migration that leads to a graph from the structure it had."""
    raise NotImplementedError
