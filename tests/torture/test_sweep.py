"""A process ends at every named point on the way of a commit and of an effect, each time it passes it; another one goes
on (D1-D3, D7).

pytest tests/torture/test_sweep.py -m torture -s      every passing of every point; the default suite makes a few
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import NamedTuple

import anyio
import pytest

from graphrt.checkpoints import SqliteJournal
from graphrt.context import key_of
from graphrt.errors import RunNotFound, StoreError
from graphrt.facts import AttemptFailed, Entry, RunFinished, StepFinished, StepStarted
from graphrt.failpoints import POINTS
from graphrt.journal import Message
from graphrt.types import Durability, StepKey
from tests.torture.sweep_worker import RUN, Job, World

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="its children are forked")

ROOT = Path(__file__).resolve().parents[2]
KILLED = 137
ONCE = ("charge", "wire", "pack/stick")
"""The steps that have an effect that must not be repeated."""
FEW = 2
"""How many passings of each point the default suite tries."""
SOME = 5
ALL = 10_000


class Nursery:
    """Forkers of children, as many as there are to be at once."""

    def __init__(self, folder: Path, size: int = 2) -> None:
        self.folder = folder
        self.size = size
        self._numbers = count()
        self._free: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        for _ in range(size):
            command = [sys.executable, "-m", "tests.torture.sweep_worker"]
            forker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._free.put(forker)

    def fresh(self) -> Path:
        """Make a folder for a store and its world."""
        folder = self.folder / str(next(self._numbers))
        folder.mkdir()
        return folder

    def live(self, job: Job) -> int:
        """Let a child do a job; return how it ended."""
        forker = self._free.get()
        assert forker.stdin is not None
        assert forker.stdout is not None
        try:
            forker.stdin.write(json.dumps(job) + "\n")
            forker.stdin.flush()
            return int(forker.stdout.readline())
        finally:
            self._free.put(forker)

    def close(self) -> None:
        """Let the forkers end."""
        for _ in range(self.size):
            with self._free.get() as forker:  # closes its pipes, upon which it ends
                pass
            assert forker.returncode == 0


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Two at once; on a disk that is memory where there is one, since processes are lost here, not power."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        made = Nursery(Path(folder))
        yield made
        made.close()


class Found(NamedTuple):
    """What a store holds of the run."""

    entries: list[Entry]
    inbox: list[Message]


class Outcome(NamedTuple):
    """What a finished run amounts to, whatever happened on the way."""

    result: tuple[bytes, str]
    values: dict[StepKey, tuple[bytes, str]]
    effects: Counter[str]


@dataclass
class Tally:
    """What the sweep came to."""

    died: Counter[str] = field(default_factory=Counter)
    survived: Counter[str] = field(default_factory=Counter)
    """Of passings that happened only the first time: how many a run renews its lease is the clock's affair."""
    finished: int = 0
    """Steps that were finished when a child died, summed up: none of them ran again."""
    unknown: int = 0
    """Effects that had been announced and had no outcome then: each was done once in the end."""

    def __str__(self) -> str:
        points = ", ".join(f"{self.died[point]} at {point!r}" for point in POINTS)
        return (
            f"{self.died.total()} deaths ({points}); {self.survived.total()} points not passed again; "
            f"finished steps at the deaths: {self.finished}, of which ran again: 0; "
            f"effects without an outcome at the deaths: {self.unknown}, of which done twice or never: 0"
        )


def look(folder: Path) -> Found:
    """Read what is recorded; nothing, if the child died before the run was."""

    async def read() -> Found:
        journal = await SqliteJournal.open(folder / "store.db", read_only=True)
        try:
            return Found(await journal.read(RUN), await journal.inbox(RUN))
        finally:
            await journal.aclose()

    try:
        return anyio.run(read)
    except (StoreError, RunNotFound):
        return Found([], [])


def finished(entries: Sequence[Entry]) -> dict[StepKey, tuple[bytes, str]]:
    """Return the steps that have an output, and it."""
    facts = [entry.fact for entry in entries if isinstance(entry.fact, StepFinished)]
    assert len({fact.step for fact in facts}) == len(facts), "a step finished twice"
    return {fact.step: (fact.value, fact.type) for fact in facts}


def outcome(folder: Path) -> Outcome:
    """Check what holds of every finished run, and return what it came to."""
    found = look(folder)
    last = found.entries[-1].fact
    assert isinstance(last, RunFinished)
    notes = [entry.fact.note for entry in found.entries if isinstance(entry.fact, (StepFinished, AttemptFailed))]
    used = [note["message"] for text in notes if text is not None and "message" in (note := json.loads(text))]
    assert len(set(used)) == len(used), "a message was used twice"
    assert "go-1" in used
    assert found.inbox == [], "a message was left over"
    return Outcome((last.value, last.type), finished(found.entries), World(folder / "world").done())


def check_death(folder: Path, tally: Tally) -> tuple[list[Entry], int]:
    """Look at what a dead child has left; return its journal and how many bodies had run."""
    entries, bodies = look(folder).entries, World(folder / "world").bodies()
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    started = {(entry.fact.step, entry.fact.attempt) for entry in entries if isinstance(entry.fact, StepStarted)}
    assert set(bodies) <= started, "a body ran before its start was recorded"
    done = finished(entries)
    intents = {entry.fact.step for entry in entries if isinstance(entry.fact, StepStarted) and entry.fact.intent}
    tally.finished += len(done)
    tally.unknown += len(intents - done.keys())
    return entries, len(bodies)


def die_and_go_on(nursery: Nursery, calm: Outcome, tally: Tally, job: Job) -> None:
    """Let a child die where the job says, and another one go on to the calm end."""
    folder = nursery.fresh()
    place, job = f"{job.nth} x {job.point!r} on {job.backend}, {job.durability}", job._replace(folder=str(folder))
    code = nursery.live(job)
    assert code in {0, KILLED}, f"{place}: {_error(folder)}"
    if code == 0:
        tally.survived[job.point] += 1
        assert job.nth > 1, f"{place}: never passed"
    else:
        tally.died[job.point] += 1
    before, ran = check_death(folder, tally)
    assert nursery.live(job._replace(point="")) == 0, f"{place}, going on: {_error(folder)}"
    after = look(folder).entries
    assert after[: len(before)] == before, f"{place}: what was recorded is no longer a prefix"
    again = {step for step, _ in World(folder / "world").bodies()[ran:]} & finished(before).keys()
    assert again == set(), f"{place}: finished steps ran again"
    assert outcome(folder) == calm, place


def _error(folder: Path) -> str:
    file = folder / "error"
    return file.read_text() if file.exists() else "it was stuck"


def undisturbed(nursery: Nursery, durability: Durability, backend: str) -> tuple[Outcome, Counter[str]]:
    """Let one child do it all; return what it came to and how often it passed each point."""
    folder = nursery.fresh()
    assert nursery.live(Job(str(folder), durability, backend, "", 0)) == 0, _error(folder)
    passed: dict[str, int] = json.loads((folder / "passed").read_text())
    assert passed.keys() == set(POINTS), "a point that is never passed proves nothing"
    return outcome(folder), Counter(passed)


def spread(passed: int, most: int) -> list[int]:
    """Choose at most so many of the passings 1 to `passed`, evenly, from the first on."""
    return list(range(1, passed + 1)) if passed <= most else [1 + place * passed // most for place in range(most)]


def sweep(nursery: Nursery, durability: Durability, backend: str, most: int) -> Tally:
    """Die at each point, at most so many times, and go on."""
    calm, passed = undisturbed(nursery, durability, backend)
    assert calm.effects == Counter(key_of(RUN, StepKey(step)) for step in ONCE)
    tally = Tally()
    with ThreadPoolExecutor(nursery.size) as pool:
        jobs = [Job("", durability, backend, point, nth) for point in POINTS for nth in spread(passed[point], most)]
        for _ in pool.map(lambda job: die_and_go_on(nursery, calm, tally, job), jobs):
            pass
    return tally


@pytest.mark.parametrize(("durability", "backend"), [("power", "asyncio"), ("process", "asyncio")])
def test_a_run_that_dies_at_any_named_point_ends_as_if_it_had_not(
    nursery: Nursery, durability: Durability, backend: str
) -> None:
    """D1, D2, D3, D7, S1, T1-T4: the first passing of each point, and one in the middle."""
    tally = sweep(nursery, durability, backend, FEW)
    print(f"\n{durability}, {backend}: {tally}")
    assert all(tally.died[point] for point in POINTS)


@pytest.mark.torture
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("durability", ["power", "process"])
def test_a_run_that_dies_at_any_passing_of_any_point_ends_as_if_it_had_not(
    nursery: Nursery, durability: Durability, backend: str
) -> None:
    """D1, D2, D3, D7, T1-T4: every passing of every point; on trio, some of each."""
    tally = sweep(nursery, durability, backend, ALL if backend == "asyncio" else SOME)
    print(f"\n{durability}, {backend}: {tally}")
    assert tally.died.total() > (100 if backend == "asyncio" else 40)
