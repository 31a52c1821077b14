"""kill -9 at any moment, then resume (D1, D2, D12), with real processes and real files.

pytest tests/torture/test_kill.py -m torture -s      50 kills a durability; the default suite makes a few
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from graphrt.types import Durability
from tests.torture.killing import Outcome, Victim, torment, undisturbed

DURABILITIES: tuple[Durability, ...] = get_args(Durability)
SEED = 20_260


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What the run comes to if nobody disturbs it."""
    return undisturbed(tmp_path_factory.mktemp("calm") / "run", "power", "long")


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_killed_run_goes_on_after_its_last_finished_step(
    tmp_path: Path, calm: Outcome, durability: Durability
) -> None:
    """D1, D2, D12, S1: nothing finished runs again, what ran was announced, the outcome is that of a calm run."""
    tally = torment(tmp_path, durability, "long", calm, kills=3, seed=SEED, most=2)
    print(f"\n{durability}: {tally}")
    assert (tally.kills, tally.repeated) == (3, 0)


@pytest.mark.torture
@pytest.mark.parametrize("durability", DURABILITIES)
def test_fifty_kills_repeat_no_finished_step(tmp_path: Path, calm: Outcome, durability: Durability) -> None:
    """D1, D2, D12: the same, fifty times, at moments drawn from a seeded generator."""
    tally = torment(tmp_path, durability, "long", calm, kills=50, seed=SEED + 1)
    print(f"\n{durability}: {tally}")
    assert (tally.kills, tally.repeated) == (50, 0)
    assert tally.finished > 1000, "the kills came too early to prove anything"


def test_a_run_whose_every_driver_is_killed_still_ends(tmp_path: Path, calm: Outcome) -> None:
    """D2: each driver is killed after sixty bodies; it takes the drivers that takes, and no finished step twice."""
    victim = Victim(tmp_path, "power", "long")
    while victim.live(kill_after=60):
        assert victim.tally.kills < 10, "the run does not get on"
    assert victim.tally.kills >= 2
    assert calm == victim.outcome()


def test_a_run_killed_before_it_was_recorded_begins(tmp_path: Path, calm: Outcome) -> None:
    """D2: nothing recorded, nothing run: the next process begins it."""
    victim = Victim(tmp_path, "power", "long")
    assert victim.live(kill_after=0)
    assert victim.journal == []
    assert not victim.live()
    assert calm == victim.outcome()
