"""kill -9 of a process that drives many runs at once in one store, again and again, then resume (D1, D2, D12).

pytest tests/torture/test_crowd.py -m torture -s      60 kills; the default suite makes two

A step was acknowledged if a body that was given its output is seen to have run, or if the worker printed what its run
came to: whoever acts on a step may rely on it. What is seen is what bodies leave outside the store, on the disk.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, get_args

import anyio
import pytest

from graphrt.checkpoints import SqliteJournal
from graphrt.errors import StoreError
from graphrt.facts import Entry, RunFinished, StepFinished, StepStarted
from graphrt.types import Durability, RunId
from tests.torture.crowd import RUNS, meaning
from tests.torture.killing import killed

STEPS = {(run, step) for run in RUNS for step in meaning(run).values}


class Body(NamedTuple):
    """A body that ran, or, without a step, a result that was printed."""

    run: str
    step: str
    attempt: int
    given: str


@dataclass
class Tally:
    """What all the killing came to."""

    stores: int = 0
    kills: int = 0
    acknowledged: int = 0
    """Steps that were acknowledged, each counted once."""
    at_kills: int = 0
    """Steps that were acknowledged at a kill, summed over the kills."""
    lost: int = 0
    """Acknowledged steps that a store did not have after a kill."""
    doubled: int = 0
    """Steps that ran again after they had been acknowledged, or recorded as finished."""
    corrupt: int = 0
    """Steps or results with another value than they must have."""
    unsure: int = 0
    """Bodies that had run without a recorded outcome at a kill: these run again."""

    def __str__(self) -> str:
        return (
            f"{self.kills} kills of {len(RUNS)} runs at once, in {self.stores} stores; acknowledged steps: "
            f"{self.acknowledged} ({self.at_kills} over all kills), lost: {self.lost}, doubled: {self.doubled}, "
            f"corrupt: {self.corrupt}; bodies that had run without a recorded outcome: {self.unsure}"
        )


@dataclass
class Crowd:
    """Many runs in one store, driven by one process after the other."""

    folder: Path
    durability: Durability
    tally: Tally
    journals: dict[str, list[Entry]] = field(default_factory=dict)
    """What was recorded at the last kill."""
    seen: int = 0
    """Bodies that had run at the last kill."""

    @property
    def store(self) -> Path:
        return self.folder / "store.db"

    def live(self, *, kill_after: int | None = None, spin: float = 0.0) -> bool:
        """Run a worker to its end, or to its death; look at what it has left. False if it came to its end first."""
        command = [
            sys.executable,
            "-m",
            "tests.torture.crowd",
            str(self.store),
            str(self.folder / "effects"),
            self.durability,
        ]
        died = killed(command, after=kill_after, spin=spin)
        self.tally.kills += died
        self.look()
        return died

    def look(self) -> None:
        """Hold what the store says against what was seen of the bodies, and against what it said before."""
        bodies, journals = self.bodies(), self.read()
        finished = {run: _finished(entries) for run, entries in journals.items()}
        acknowledged = acknowledged_by(bodies)
        self.tally.at_kills += len(acknowledged)
        self.tally.lost += sum(step not in finished.get(run, {}) for run, step in acknowledged)
        for run, entries in journals.items():
            before = self.journals.get(run, [])
            assert entries[: len(before)] == before, f"{run}: the journal of before a kill is no longer a prefix of it"
            assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
            values = meaning(run).values
            self.tally.corrupt += sum(json.loads(value) != values[step] for step, value in finished[run].items())
            results = [entry.fact for entry in entries if isinstance(entry.fact, RunFinished)]
            self.tally.corrupt += sum(json.loads(fact.value) != meaning(run).result for fact in results)
            counts = Counter(entry.fact.step for entry in entries if isinstance(entry.fact, StepFinished))
            self.tally.doubled += sum(count - 1 for count in counts.values())
        assert self.journals.keys() <= journals.keys(), "a run of before is gone"
        self.check_bodies(bodies, journals)
        self.check_printed(bodies, journals)
        self.check_integrity()
        ran = {(body.run, body.step) for body in bodies if body.step}
        self.tally.unsure += sum(step not in finished.get(run, {}) for run, step in ran)
        self.journals, self.seen = journals, len(bodies)

    def check_bodies(self, bodies: list[Body], journals: dict[str, list[Entry]]) -> None:
        """No body ran before its start was recorded, with another input the second time, or after it was done."""
        starts = {
            (run, entry.fact.step, entry.fact.attempt)
            for run, entries in journals.items()
            for entry in entries
            if isinstance(entry.fact, StepStarted)
        }
        assert {body[:3] for body in bodies if body.step} <= starts, "a body ran before its start was recorded"
        given: dict[tuple[str, str], str] = {}
        for body in bodies:
            assert given.setdefault(body[:2], body.given) == body.given, f"{body}: given something else this time"
        done = acknowledged_by(bodies[: self.seen])
        done |= {(run, step) for run, entries in self.journals.items() for step in _finished(entries)}
        self.tally.doubled += sum(body[:2] in done for body in bodies[self.seen :])

    def check_printed(self, bodies: list[Body], journals: dict[str, list[Entry]]) -> None:
        """A result that the worker printed is the right one, and recorded."""
        for body in bodies:
            if not body.step:
                self.tally.corrupt += json.loads(body.given) != meaning(body.run).result
                self.tally.lost += not any(isinstance(entry.fact, RunFinished) for entry in journals.get(body.run, []))

    def check_integrity(self) -> None:
        """Look at a copy: whoever opens a store that was left by a kill changes its files."""
        copy = self.folder / "copy"
        copy.mkdir()
        for file in self.folder.glob("store.db*"):
            if not file.name.endswith("-shm"):
                shutil.copyfile(file, copy / file.name)
        connection = sqlite3.connect(copy / "store.db")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        shutil.rmtree(copy)

    def bodies(self) -> list[Body]:
        """Read which bodies ran."""
        effects = self.folder / "effects"
        lines = [line.split("\t") for line in effects.read_text().splitlines()] if effects.exists() else []
        return [Body(run, step, int(attempt), given) for run, step, attempt, given in lines]

    def read(self) -> dict[str, list[Entry]]:
        """Read what is recorded of every run."""
        try:
            return anyio.run(self._read)
        except StoreError:
            assert (self.bodies(), self.journals) == ([], {}), "the store is gone"
            return {}

    async def _read(self) -> dict[str, list[Entry]]:
        journal = await SqliteJournal.open(self.store, read_only=True)
        try:
            return {info.id: await journal.read(RunId(info.id), limit=100_000) for info in await journal.runs()}
        finally:
            await journal.aclose()

    def check_end(self) -> None:
        """Nobody disturbed the last worker: every step is finished, and every result was printed."""
        assert {(run, step) for run, entries in self.journals.items() for step in _finished(entries)} == STEPS
        bodies = self.bodies()
        assert {body.run for body in bodies if not body.step} == set(RUNS)
        self.tally.acknowledged += len(acknowledged_by(bodies))
        self.tally.stores += 1


def _finished(entries: list[Entry]) -> dict[str, bytes]:
    facts = [entry.fact for entry in entries]
    return {fact.step: fact.value for fact in facts if isinstance(fact, StepFinished)}


def acknowledged_by(bodies: list[Body]) -> set[tuple[str, str]]:
    """Say which steps somebody has acted on: a body that was given their output, or whoever read a run's result."""
    found: set[tuple[str, str]] = set()
    for body in bodies:
        known = meaning(body.run)
        found |= {(body.run, step) for step in (known.needs[body.step] if body.step else known.values)}
    return found


def torment(folder: Path, durability: Durability, *, kills: int, most: int, seed: int) -> Tally:
    """Kill workers `kills` times, up to `most` times in one store; each store is then let go on, to its end."""
    drawn = random.Random(seed)
    tally = Tally()
    while tally.kills < kills:
        assert tally.stores <= kills, "most workers came to their end before they could be killed"
        place = folder / f"store{tally.stores}"
        place.mkdir()
        crowd = Crowd(place, durability, tally)
        for quota in range(min(most, kills - tally.kills), 0, -1):
            left = len(STEPS) - sum(len(_finished(entries)) for entries in crowd.journals.values())
            if not crowd.live(kill_after=drawn.randrange(1 + 2 * left // (quota + 1)), spin=drawn.random() * 0.003):
                break
        crowd.live()
        crowd.check_end()
    return tally


def test_a_killed_crowd_of_runs_goes_on(tmp_path: Path) -> None:
    """D1, D2: no step that anybody acted on is lost, runs again, or comes to something else."""
    tally = torment(tmp_path, "power", kills=2, most=2, seed=1)
    print(f"\n{tally}")
    assert (tally.lost, tally.doubled, tally.corrupt) == (0, 0, 0)
    assert (tally.kills, tally.acknowledged) == (2, tally.stores * len(STEPS))


@pytest.mark.torture
@pytest.mark.parametrize("durability", get_args(Durability))
def test_thousands_of_acknowledged_steps_survive_thirty_kills(tmp_path: Path, durability: Durability) -> None:
    """D1, D2, D12: the same, thirty times a durability, at moments drawn from a seeded generator."""
    tally = torment(tmp_path, durability, kills=30, most=10, seed=2)
    print(f"\n{durability}: {tally}")
    assert (tally.lost, tally.doubled, tally.corrupt) == (0, 0, 0)
    assert tally.kills == 30
    assert tally.acknowledged == tally.stores * len(STEPS) > 1500
    assert tally.at_kills > 5000, "the kills came too early to prove anything"
