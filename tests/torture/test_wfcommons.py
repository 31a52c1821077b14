"""Recorded scientific workflows (WfCommons WfInstances, 5 to 1,397 tasks each) run as dags on SQLite, every fourth.

pytest tests/torture/test_wfcommons.py -m torture -s      all of them, and processes killed in the middle
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from graphrt import Runtime
from graphrt.checkpoints import SqliteJournal
from graphrt.facts import Fact, StepFinished, StepStarted
from graphrt.testing import BreakingJournal, BrokenOff
from graphrt.types import RunId
from tests.conftest import SHARED
from tests.torture.killing import torment, undisturbed
from tests.torture.workflows import Workflow, bodies, directly, draw, instances

SLOTS = 8
NEVER = 10**9
RECORDED = SHARED / "data" / "wfcommons" / "instances.jsonl.gz"
COUNT = len(instances(RECORDED)) if RECORDED.is_file() else 1
"""How many there are; without them, one test that says so."""
EACH = [pytest.param(number, marks=[pytest.mark.torture] if number % 4 else []) for number in range(COUNT)]
LARGEST = 4
"""How many of the larger workflows are killed with their process."""


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> Path:
    """The file of recorded workflows."""
    assert RECORDED.is_relative_to(shared_data)
    if not RECORDED.is_file():
        pytest.skip(f"the recorded workflows are not there ({RECORDED})")
    return RECORDED


class Watching(BreakingJournal):
    """Keeps the commits apart: the facts of each."""

    def __init__(self, behind: SqliteJournal, at: int = NEVER) -> None:
        super().__init__(behind, at)
        self.commits: list[Sequence[Fact]] = []

    async def append(self, run: RunId, after: int, facts: Sequence[Fact], **rest: Any) -> None:
        await super().append(run, after, facts, **rest)
        self.commits.append(tuple(facts))


async def run(workflow: Workflow, journal: Watching, *, resume: bool = False) -> list[int] | None:
    """Run a workflow, or go on with it; None if its journal broke off."""
    bodies.ran.clear()
    bodies.inside = bodies.most = 0
    async with Runtime(journal, limits={"slots": SLOTS}) as rt:
        graph = draw(workflow)
        started = await (rt.resume("run", graph) if resume else rt.start_as("run", graph, seed=1))
        try:
            return await started.result()
        except BrokenOff:
            return None


def results_of(workflow: Workflow) -> list[int]:
    """What a workflow must return."""
    used = {parent for _, parents in workflow.tasks for parent in parents}
    return [value for number, value in enumerate(directly(workflow, 1)) if number not in used]


def check_commits(workflow: Workflow, commits: Sequence[Sequence[Fact]]) -> int:
    """Check, commit by commit, that tasks start after their parents and as soon as a slot is free.

    Returns the most that ran at once.
    """
    number = {name: index for index, (name, _) in enumerate(workflow.tasks)}
    missing = [len(set(parents)) for _, parents in workflow.tasks]
    children: list[list[int]] = [[] for _ in workflow.tasks]
    for index, (_, parents) in enumerate(workflow.tasks):
        for parent in set(parents):
            children[parent].append(index)
    ready = {index for index, count in enumerate(missing) if count == 0}
    running: set[int] = set()
    most = 0
    for commit in commits:
        for fact in commit:
            match fact:
                case StepFinished(step=key):
                    running.remove(number[key])
                    for child in children[number[key]]:
                        missing[child] -= 1
                        if missing[child] == 0:
                            ready.add(child)
                case StepStarted(step=key):
                    assert number[key] in ready, f"{key} started before its parents had finished, or twice"
                    ready.remove(number[key])
                    running.add(number[key])
                case _:
                    pass
        most = max(most, len(running))
        assert len(running) == min(SLOTS, len(running) + len(ready)), "a slot was left free while a task was ready"
    assert (set(), set()) == (ready, running)
    return most


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
@pytest.mark.parametrize("number", EACH)
async def test_a_recorded_workflow_runs_in_order_within_its_slots(recorded: Path, tmp_path: Path, number: int) -> None:
    """E2, E5: order, width, and nothing idle while a task is ready; the result is that of a direct computation."""
    workflow = list(instances(recorded).values())[number]
    journal = Watching(await SqliteJournal.open(tmp_path / "store.db", durability="process"))
    try:
        assert results_of(workflow) == await run(workflow, journal)
    finally:
        await journal.behind.aclose()
    assert list(range(len(workflow.tasks))) == sorted(bodies.ran)
    most = check_commits(workflow, journal.commits)
    assert bodies.most <= most <= SLOTS
    if sum(not parents for _, parents in workflow.tasks) >= SLOTS:
        assert bodies.most == SLOTS, "eight tasks were ready at once and did not run at once"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
@pytest.mark.parametrize("number", EACH)
async def test_a_recorded_workflow_broken_off_anywhere_goes_on(recorded: Path, tmp_path: Path, number: int) -> None:
    """D2, S1: its store fails at a random commit; resumed, no finished task runs again and the result is the same."""
    workflow = list(instances(recorded).values())[number]
    drawn = random.Random(number)
    store = await SqliteJournal.open(tmp_path / "store.db", durability="process")
    try:
        # At least every eighth task takes a commit: there is no run with fewer.
        broken = Watching(store, drawn.randint(2, max(2, len(workflow.tasks) // SLOTS)))
        assert await run(workflow, broken) is None
        finished = {fact.step for commit in broken.commits for fact in commit if isinstance(fact, StepFinished)}
        whole = Watching(store)
        assert results_of(workflow) == await run(workflow, whole, resume=True)
    finally:
        await store.aclose()
    again = [name for index, (name, _) in enumerate(workflow.tasks) if index in bodies.ran and name in finished]
    assert again == []
    assert len(workflow.tasks) - len(finished) == len(bodies.ran)


@pytest.mark.anyio
async def test_a_recorded_workflow_has_the_same_result_on_both_engines(recorded: Path, tmp_path: Path) -> None:
    """E3, S10: one of each family."""
    families = {name.partition("/")[0]: workflow for name, workflow in instances(recorded).items()}
    assert len(families) > 3
    for n, workflow in enumerate(families.values()):
        journal = Watching(await SqliteJournal.open(tmp_path / f"{n}.db", durability="process"))
        try:
            assert results_of(workflow) == await run(workflow, journal)
        finally:
            await journal.behind.aclose()
        check_commits(workflow, journal.commits)


@pytest.mark.torture
@pytest.mark.parametrize("place", range(LARGEST))
def test_a_recorded_workflow_killed_with_its_process_goes_on(recorded: Path, tmp_path: Path, place: int) -> None:
    """D1, D2: real kills in the middle of the larger workflows."""
    largest = sorted(instances(recorded).values(), key=lambda workflow: len(workflow.tasks))
    workflow = largest[-1 - 9 * place]
    graph = f"{recorded}:{workflow.name}"
    calm = undisturbed(tmp_path / "calm", "power", graph)
    tally = torment(tmp_path, "power", graph, calm, kills=4, seed=place, most=4)
    print(f"\n{workflow.name}, {len(workflow.tasks)} tasks: {tally}")
    assert (tally.kills, tally.repeated) == (4, 0)
