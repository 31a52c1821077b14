"""How a worker is run and killed, and what is held against it afterwards."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import anyio

from graphrt.checkpoints import SqliteJournal
from graphrt.errors import RunNotFound, StoreError
from graphrt.facts import Entry, RunFinished, RunResumed, StepFinished, StepStarted
from graphrt.types import Durability, RunId, StepKey
from tests.torture.worker import RUN

ROOT = Path(__file__).resolve().parents[2]
BOUND = 60
"""Seconds after which a worker that neither ends nor gets on is stuck."""


def killed(command: list[str], *, after: int | None = None, spin: float = 0.0) -> bool:
    """Run a worker; kill it `spin` seconds after its `after`-th sign of progress. False if it came to its end first."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        seen = 0
        while after is None or seen <= after:
            signs = os.read(process.stdout.fileno(), 1 if after is not None else 4096)
            if not signs:
                break
            seen += len(signs)
        else:
            moment = time.perf_counter() + spin
            while time.perf_counter() < moment:
                pass
            process.send_signal(signal.SIGKILL)
        errors = process.stderr.read().decode()
        code = process.wait(BOUND)
    assert code in {0, -signal.SIGKILL}, errors
    return code != 0


class Effect(NamedTuple):
    """One body that ran."""

    step: StepKey
    attempt: int
    given: str


class Outcome(NamedTuple):
    """What a finished run amounts to, whatever happened on the way."""

    result: tuple[bytes, str]
    values: dict[StepKey, tuple[bytes, str]]
    given: dict[StepKey, str]


@dataclass
class Tally:
    """What all the killing came to."""

    kills: int = 0
    early: int = 0
    """Of these, before the run was recorded."""
    finished: int = 0
    """Steps that were finished at a kill, summed over the kills."""
    unfinished: int = 0
    """Bodies that had run, but whose outcome was not recorded yet when the kill came: these run again."""
    repeated: int = 0
    """Finished steps that ran again: must stay 0."""
    runs: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills in {self.runs} runs ({self.early} before the run was recorded); "
            f"finished steps at the kills: {self.finished}, of which ran again: {self.repeated}; "
            f"bodies that had run without a recorded outcome, and ran again: {self.unfinished}"
        )


@dataclass
class Victim:
    """A run in one store, driven by one process after the other."""

    folder: Path
    durability: Durability
    graph: str
    tally: Tally = field(default_factory=Tally)
    journal: list[Entry] = field(default_factory=list)
    """What was recorded at the last kill."""
    _buried: int = 0

    @property
    def store(self) -> Path:
        return self.folder / "store.db"

    @property
    def effects(self) -> Path:
        return self.folder / "effects"

    def live(self, *, kill_after: int | None = None, spin: float = 0.0) -> bool:
        """Run a worker; kill it `spin` seconds after its `kill_after`-th sign of progress. False if it ended first."""
        command = [
            sys.executable,
            "-m",
            "tests.torture.worker",
            str(self.store),
            str(self.effects),
            self.durability,
            self.graph,
        ]
        if not killed(command, after=kill_after, spin=spin):
            return False
        self.bury()
        return True

    def bury(self) -> None:
        """Look at what a kill has left."""
        ran, found = self.ran(), self.entries()
        assert found[: len(self.journal)] == self.journal, "the journal of before a kill is no longer a prefix of it"
        started = {(entry.fact.step, entry.fact.attempt) for entry in found if isinstance(entry.fact, StepStarted)}
        unannounced = [effect for effect in ran if (effect.step, effect.attempt) not in started]
        assert unannounced == [], "a body ran before its start was recorded"
        self.check_not_again()
        done = _finished(found)
        self.tally.kills += 1
        self.tally.early += not found
        self.tally.finished += len(done)
        self.tally.unfinished += len({effect.step for effect in ran} - done.keys())
        self.journal, self._buried = found, len(ran)

    def check_not_again(self) -> None:
        """Count the finished steps of before the last kill that ran after it."""
        done = _finished(self.journal)
        again = [effect for effect in self.ran()[self._buried :] if effect.step in done]
        self.tally.repeated += len(again)
        assert again == [], "finished steps ran again"

    def ran(self) -> list[Effect]:
        """Read which bodies ran."""
        if not self.effects.exists():
            return []
        lines = [line.split("\t") for line in self.effects.read_text().splitlines()]
        return [Effect(StepKey(step), int(attempt), given) for _, step, attempt, given in lines]

    def entries(self) -> list[Entry]:
        """Read what is recorded, nothing being there if the kill came before the run was."""
        try:
            found = anyio.run(self._read)
        except (StoreError, RunNotFound):
            assert self.ran() == [], "a body ran in a store that cannot be read"
            assert self.journal == [], "the journal of before is gone"
            return []
        assert [entry.seq for entry in found] == list(range(1, len(found) + 1))
        return found

    async def _read(self) -> list[Entry]:
        journal = await SqliteJournal.open(self.store, read_only=True)
        try:
            found: list[Entry] = []
            while page := await journal.read(RunId(RUN), len(found)):
                found.extend(page)
            return found
        finally:
            await journal.aclose()

    def outcome(self) -> Outcome:
        """Check a run that has ended against what it was at its last kill, and return what it came to."""
        found = self.entries()
        self.check_not_again()
        self.tally.runs += 1
        if self.journal:
            before, after = found[: len(self.journal)], found[len(self.journal) :]
            assert before == self.journal
            if isinstance(before[-1].fact, RunFinished):  # the kill came between the last commit and the process's end
                assert after == [], "a finished run was taken up again"
            else:
                assert isinstance(after[0].fact, RunResumed), "what follows a kill does not say so"
        last = found[-1].fact
        assert isinstance(last, RunFinished)
        finishes = Counter(entry.fact.step for entry in found if isinstance(entry.fact, StepFinished))
        assert max(finishes.values()) == 1, "a step finished twice"
        given: dict[StepKey, set[str]] = {}
        for effect in self.ran():
            given.setdefault(effect.step, set()).add(effect.given)
        assert all(len(hashes) == 1 for hashes in given.values()), "a step was given something else the second time"
        connection = sqlite3.connect(self.store)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        return Outcome(
            (last.value, last.type), _finished(found), {step: hashes.pop() for step, hashes in given.items()}
        )


def _finished(entries: list[Entry]) -> dict[StepKey, tuple[bytes, str]]:
    facts = [entry.fact for entry in entries]
    return {fact.step: (fact.value, fact.type) for fact in facts if isinstance(fact, StepFinished)}


def undisturbed(folder: Path, durability: Durability, graph: str) -> Outcome:
    """Run a worker to its end and return what it came to; every body ran once."""
    folder.mkdir()
    calm = Victim(folder, durability, graph)
    assert not calm.live()
    assert max(Counter(effect.step for effect in calm.ran()).values()) == 1
    return calm.outcome()


def torment(
    folder: Path, durability: Durability, graph: str, expected: Outcome, *, kills: int, seed: int, most: int = 5
) -> Tally:
    """Kill workers `kills` times, up to `most` times in one run; each run is then let go on, to the `expected` end."""
    drawn = random.Random(seed)
    tally, number = Tally(), 0
    while tally.kills < kills:
        number += 1
        assert number <= 2 * kills, "most workers came to their end before they could be killed"
        run = folder / f"run{number}"
        run.mkdir()
        victim = Victim(run, durability, graph, tally)
        for _ in range(min(drawn.randint(1, most), kills - tally.kills)):
            left = len(expected.values) - len(_finished(victim.journal))
            if left == 0 or not victim.live(kill_after=drawn.randrange(left), spin=drawn.random() * 0.003):
                break
        victim.live()
        assert victim.outcome() == expected
    return tally
