"""Recorded workflows as dags: each task is one call of `task`, which is given what its parents returned."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import anyio.lowlevel

from graphrt import Dag, dag, node
from tests.torture.effects import effect


@dataclass(frozen=True)
class Workflow:
    """A recorded workflow: for every task its name, made unique, and where its parents are, which come before it."""

    name: str
    tasks: tuple[tuple[str, tuple[int, ...]], ...]


@lru_cache(maxsize=1)
def instances(path: Path) -> dict[str, Workflow]:
    """Read the recorded workflows by their name."""
    found = {}
    with gzip.open(path, "rt") as lines:
        for line in lines:
            record = json.loads(line)
            found[record["instance"]] = Workflow(record["instance"], _ordered(record["tasks"]))
    return found


def _ordered(tasks: Sequence[Any]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Put parents before children: the records do not promise it."""
    place: dict[int, int] = {}
    ordered: list[tuple[str, tuple[int, ...]]] = []
    for start in range(len(tasks)):
        todo = [start]
        while todo:
            index = todo[-1]
            missing = [parent for parent in tasks[index][1] if parent not in place]
            if index in place or not missing:
                todo.pop()
                if index not in place:
                    place[index] = len(ordered)
                    name = "".join("-" if letter in "/[]#" else letter for letter in tasks[index][0])
                    ordered.append(
                        (f"{len(ordered)} {name}".strip(), tuple(place[parent] for parent in tasks[index][1]))
                    )
                continue
            todo.extend(missing)
    return tuple(ordered)


def compute(number: int, seed: int, parents: Sequence[int]) -> int:
    """What a task returns: depends on which it is and, in their order, on all that its parents returned."""
    return zlib.crc32(repr((number, seed, list(parents))).encode())


def directly(workflow: Workflow, seed: int) -> list[int]:
    """Compute what every task returns, without graphrt."""
    values: list[int] = []
    for number, (_, parents) in enumerate(workflow.tasks):
        values.append(compute(number, seed, [values[parent] for parent in parents]))
    return values


class Bodies:
    """What the bodies that run in this process show of themselves."""

    def __init__(self) -> None:
        self.ran: list[int] = []
        self.inside = 0
        self.most = 0


bodies = Bodies()


@node(limit="slots")
async def task(number: int, seed: int, parents: list[int]) -> int:
    effect(number, seed, parents)
    bodies.ran.append(number)
    bodies.inside += 1
    bodies.most = max(bodies.most, bodies.inside)
    try:
        await anyio.lowlevel.checkpoint()
    finally:
        bodies.inside -= 1
    return compute(number, seed, parents)


@cache
def draw(workflow: Workflow) -> Dag[..., list[int]]:
    """Draw a workflow; its result is what the tasks without children return."""
    used = {parent for _, parents in workflow.tasks for parent in parents}

    @dag(name="workflow")
    def drawn(seed: int) -> list[int]:
        values: list[int] = []
        for number, (name, parents) in enumerate(workflow.tasks):
            values.append(task.named(name)(number, seed, [values[parent] for parent in parents]))
        return [value for number, value in enumerate(values) if number not in used]

    return drawn
