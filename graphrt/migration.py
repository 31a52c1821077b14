"""Named migrations: what became of the steps of an older graph, said once, in code, by its author (D11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphrt.errors import UsageError
from graphrt.graph import Graph
from graphrt.node import check_name


@dataclass(frozen=True, slots=True)
class Migration:
    """How runs of an older graph go on with the one it has become."""

    name: str
    """What a run records when it has been through it."""
    graph: str
    old: str
    """The fingerprint of the older graph."""
    renamed: Mapping[str, str]
    """A place in it, such as `editor/review`, and the name it has now, such as `check`."""


_migrations: dict[tuple[str, str], Migration] = {}


def migration(graph: Graph[..., Any], old: str, *, name: str, renamed: Mapping[str, str]) -> Migration:
    """Say that in `graph`, which once had the fingerprint `old`, some places have other names now.

        migration(research, "5b1f0c88aa2d", name="plan is outline", renamed={"plan": "outline"})

    A place is a step's key without ordinals; what is inside a renamed place moves with it. A run of the older graph is
    then resumed with its finished steps under their new names. What the steps are worth does not change here: values of
    an old type are brought up by `upcaster`. Raises UsageError for a migration that there is already.
    """
    for place, new in renamed.items():
        check_name(new.removeprefix("each:"))
        if not place or place.endswith("/"):
            raise UsageError(f"migration {name!r}: {place!r} is no place in a graph; write it as in a step's key")
    found = Migration(name, graph.name, old, dict(renamed))
    if (before := _migrations.setdefault((graph.name, old), found)) != found:
        raise UsageError(
            f"graph {graph.name!r} has a migration from {old} already, {before.name!r}; put all names into one"
        )
    return found


def migration_from(graph: Graph[..., Any], old: str) -> Migration | None:
    """Return the migration that leads to a graph from a structure it had."""
    return _migrations.get((graph.name, old))
