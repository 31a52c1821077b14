"""The loss of power at any moment, torn and reordered writes included (D1, D12, fault D1).

pytest tests/torture/test_powerloss.py -m torture -s      1,500 images a durability; the default suite opens 60
"""

# ruff: noqa: ASYNC240 - the tests look at real files; nothing else waits for the loop

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import get_args

import pytest

from graphrt.journal import Message
from graphrt.types import Durability
from tests.torture.disk import (
    SECTOR,
    Content,
    Delete,
    Op,
    Platter,
    Sync,
    Truncate,
    Write,
    after_kill,
    applied,
    at_crashes,
)
from tests.torture.powerloss import Found, Life, Tally, Verdict, first_life, judge, live, look, lose_power

pytestmark = pytest.mark.anyio

DURABILITIES: tuple[Durability, ...] = get_args(Durability)
SEED = 20_260


def check(tally: Tally, durability: Durability) -> None:
    """Nothing is corrupt, nothing is there that was not written, and what was acknowledged for good is there."""
    assert tally.problems == []
    assert (tally.unopened, tally.corrupt, tally.lost_intents) == (0, 0, 0)
    if durability == "power":
        assert (tally.lost, tally.lost_messages, tally.lost_claims) == (0, 0, 0)


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_a_store_survives_the_loss_of_power(tmp_path: Path, durability: Durability, anyio_backend: str) -> None:
    """D1, D12; D1 of the faults: it opens, whole; each run is a prefix of what was written, and in `"power"` all that
    was acknowledged is there."""
    tally = await lose_power(tmp_path, durability, images=16, seed=SEED, lives=2)
    print(f"\n{durability}, {anyio_backend}: {tally}")
    check(tally, durability)
    assert tally.acknowledged > 500


@pytest.mark.torture
@pytest.mark.parametrize("durability", DURABILITIES)
async def test_no_image_of_many_lacks_what_was_acknowledged(
    tmp_path: Path, durability: Durability, anyio_backend: str
) -> None:
    """D1, D12; D1 of the faults: the same, 750 times an engine, in ten lives, of which five begin where the power
    failed."""
    tally = await lose_power(tmp_path, durability, images=750, seed=SEED + 1, lives=10)
    print(f"\n{durability}, {anyio_backend}: {tally}")
    check(tally, durability)
    assert (tally.images, tally.lives) == (750, 10)
    assert tally.checkpoints > 200, "the log hardly ever began anew"
    if durability == "process":
        assert tally.losing > 50, "the power failed where it did no harm"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the proof that the others prove something; once is enough
async def test_what_is_not_synced_at_each_commit_is_lost(tmp_path: Path, anyio_backend: str) -> None:
    """D12: with `synchronous=NORMAL` under `"power"`, this very test finds acknowledged commits missing."""
    tally = await lose_power(
        tmp_path, "power", images=24, seed=SEED, lives=1, autocheckpoints=[1000], synchronous="NORMAL"
    )
    print(f"\nNORMAL, {anyio_backend}: {tally}")
    assert tally.lost > 0
    assert tally.problems == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("images", [24, pytest.param(300, marks=pytest.mark.torture)])
async def test_what_is_never_synced_is_lost_or_destroyed(tmp_path: Path, images: int, anyio_backend: str) -> None:
    """D12: with `synchronous=OFF`, this very test finds commits missing, and stores that are no longer readable."""
    tally = await lose_power(tmp_path, "power", images=images, seed=SEED, lives=1, synchronous="OFF")
    print(f"\nOFF, {anyio_backend}: {tally}")
    assert tally.lost > 0
    if images >= 300:
        assert tally.unopened > 0


# The harness itself.


async def test_the_log_tells_all_that_happened_to_the_files(tmp_path: Path) -> None:
    """Replayed to its end, it gives the files that are really there: nothing goes past the disk."""
    life = first_life(1)
    await live(life, tmp_path, "power")
    ((_, platter),) = at_crashes(life.before, life.log, [len(life.log)])

    assert after_kill(platter) == {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert {"Write", "Sync", "Truncate", "Delete"} == {type(op).__name__ for op in life.log}


async def test_the_judge_sees_what_is_wrong(tmp_path: Path) -> None:
    """A lost commit, half of one, one never made, a wrong status, a message both taken and there: all are noticed."""
    life = first_life(1)
    (tmp_path / "life").mkdir()
    (tmp_path / "image").mkdir()
    await live(life, tmp_path / "life", "power")
    end = len(life.log)
    image = {file.name: file.read_bytes() for file in (tmp_path / "life").iterdir()}
    found = await look(tmp_path / "image", image)
    assert isinstance(found, Found)
    run = next(run for run, appends in life.runs.items() if len(appends[-1].facts) > 1)
    entries, last = found.entries[run], life.runs[run][-1]

    assert judge(life, end, found) == Verdict(acknowledged=len(life.appends))
    lost = judge(life, end, found._replace(entries={**found.entries, run: entries[: last.after]}))
    assert lost.lost == [last]
    assert judge(life, end, found._replace(entries={**found.entries, run: entries[:-1]})).corrupt
    assert judge(life, end, found._replace(entries={**found.entries, run: [*entries, entries[-1]]})).corrupt
    assert judge(life, last.submitted - 1, found).corrupt
    assert judge(life, end, found._replace(status={**found.status, run: "cancelled"})).corrupt
    assert judge(life, end, found._replace(snapshots={**found.snapshots, run: (1, b"{}")})).corrupt
    assert judge(life, end, found._replace(fences={**found.fences, run: 0})).lost_claims
    taken, waiting = _messages(life)
    assert judge(life, end, found._replace(inbox={**found.inbox, taken.id: taken})).corrupt
    assert judge(life, end, found._replace(inbox={**found.inbox, "x": replace(taken, id="x")})).corrupt
    without = {name: message for name, message in found.inbox.items() if name != waiting.id}
    assert [each.message for each in judge(life, end, found._replace(inbox=without)).lost_messages] == [waiting]


def _messages(life: Life) -> tuple[Message, Message]:
    """Return a message that was taken, and one that was not."""
    taken = {name for append in life.appends for name in append.taking}
    every = [each.message for append in life.appends for each in append.sends]
    one, other = ([each for each in every if (each.id in taken) is wanted] for wanted in (True, False))
    return one[0], other[0]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_a_disk_holds_what_was_synced_and_anything_of_the_rest(anyio_backend: str) -> None:
    """What a platter makes of a log: syncs, lengths, and names."""
    log: list[Op] = [
        Write("a", 0, b"1111"),
        Write("b", 2, b"2"),
        Sync("a", folder=False),
        Write("a", 1, b"33"),
        Truncate("a", 3),
    ]
    ((_, platter),) = at_crashes({"c": b"c"}, log, [len(log)])

    assert platter.files["a"] == Content(b"1111", [Write("a", 1, b"33"), Truncate("a", 3)])
    assert after_kill(platter) == {"a": b"133", "b": b"\0\0002", "c": b"c"}
    platter.take(Delete("c", folder=False))
    assert platter.files["c"].durable == b"c"
    platter.take(Sync("b", folder=True))
    assert platter.files["c"].durable is None


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_any_sector_of_an_unsynced_write_may_be_missing(anyio_backend: str) -> None:
    """Over many draws a write is there, is not, is there in part, and two of them are there without the one before."""
    from tests.torture.disk import after_power_loss

    platter = Platter({"a": bytes(4 * SECTOR)})
    for byte in (b"1", b"2"):
        platter.take(Write("a", SECTOR, byte * 2 * SECTOR))
    drawn = {after_power_loss(platter, Random(seed))["a"] for seed in range(500)}
    sectors = {tuple(data[n : n + SECTOR] for n in (SECTOR, 2 * SECTOR)) for data in drawn}

    assert {data[:SECTOR] for data in drawn} == {bytes(SECTOR)}
    assert len(sectors) == 9
    assert all(len(set(sector)) == 1 for pair in sectors for sector in pair)
    assert applied(b"x", []) == b"x"
