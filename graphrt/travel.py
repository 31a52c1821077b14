"""Fork, retry, replay, compare, and take up a run whose graph has changed: what `Runtime` does about time, over a
journal and a graph (D8 - D11).

Each `plan_*` reads and decides, and changes nothing: whoever calls it shows "re-executes N, reuses M", then appends or
creates what the plan holds, in one commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphrt.difference import Comparison
from graphrt.facts import Fact
from graphrt.graph import Graph
from graphrt.journal import Journal
from graphrt.replay import Replayed
from graphrt.rewind import Rewind
from graphrt.tree import State
from graphrt.types import Json, RunId

UNCHANGED: Any = object()
"""Stands for an output that is not overridden."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be recorded, in one commit, and what it means."""

    facts: tuple[Fact, ...]
    """For a fork, the first facts of a new run; else, what is appended after `seq`."""
    seq: int
    state: State
    """The state after these facts."""
    snapshot: Json
    """It, written down: without it every resumption would fold the whole history."""
    definition: Json
    rewind: Rewind


async def plan_fork(
    journal: Journal,
    run: RunId,
    graph: Graph[..., Any],
    *,
    at: str = "",
    output: Any = UNCHANGED,
    inputs: Mapping[str, Any] | None = None,
    models: Mapping[str, str] | None = None,
    again: bool = False,
    now: float = 0.0,
) -> Plan:
    """Plan a new run that shares the history of `run` up to what differs (D9). The parent is only read.

    `at`: the step that is done anew, or is given `output`. `inputs`: those of the run that are others. `models`: roles
    bound otherwise; without `at`, every step that asked one of them is done anew. `again`: effects that must not be
    repeated may be. Raises UsageError; PortError; EffectsRepeated, which names these effects; GraphMismatch.
    """
    raise NotImplementedError


async def plan_retry(
    journal: Journal, run: RunId, graph: Graph[..., Any], *, at: str, again: bool = False, now: float = 0.0
) -> Plan:
    """Plan to do a step of a run anew, and all that depends on it, in the run itself. Raises as `plan_fork`."""
    raise NotImplementedError


async def plan_resume(
    journal: Journal, run: RunId, graph: Graph[..., Any], *, accept: bool = False, now: float = 0.0
) -> Plan:
    """Plan how a run whose graph has changed goes on (D11): only if every finished step still holds and the frontier
    can read its inputs, or a migration says how.

    `accept`: what no longer holds is done anew. Raises GraphMismatch with what changed; EffectsRepeated.
    """
    raise NotImplementedError


async def replay_run(journal: Journal, run: RunId, graph: Graph[..., Any]) -> Replayed:
    """Run today's code against a recorded run (D10): see `graphrt.replay`."""
    raise NotImplementedError


async def compare_runs(journal: Journal, a: RunId, b: RunId) -> Comparison:
    """Compare two runs step by step: see `graphrt.difference`."""
    raise NotImplementedError
