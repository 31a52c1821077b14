"""Free pages are given back, nobody is held up unasked, and what is there stays (D1)."""

# ruff: noqa: ASYNC240 - the tests look at real files; nothing else waits for the loop

from __future__ import annotations

import time
from pathlib import Path

import pytest

from graphrt import lease
from graphrt.checkpoints import compaction, measure, open_journal, prune, vacuum
from graphrt.errors import StoreDamaged, StoreError
from graphrt.facts import RunFinished
from graphrt.journal import Claim
from graphrt.types import RunId
from tests.checkpoints.helpers import START, begin, facts, finished, info, rows

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


async def make(path: Path, count: int = 60) -> None:
    """A store of which most is free."""
    journal = await open_journal(path, durability="process")
    if not await journal.runs():
        await begin(journal, "stays", [finished("s", b'"' + b"k" * 9000 + b'"')])
    for n in range(count):
        run = await begin(journal, f"run {n}", [finished("s", b'"' + b"x" * 9000 + b'%d"' % n)])
        await journal.append(run, 2, [RunFinished(b"1")], at=1.0)
    await prune(journal, before=time.time())
    await journal.aclose()


async def whole(path: Path) -> None:
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    journal = await open_journal(path, read_only=True)
    assert [found.id for found in await journal.runs()] == ["stays"]
    assert await facts(journal, "stays") == [START, finished("s", b'"' + b"k" * 9000 + b'"')]
    assert (await measure(journal)).free == 0
    await journal.aclose()


async def test_a_store_becomes_as_small_as_what_is_in_it(path: Path) -> None:
    """Rewritten, it holds what it held and no free page."""
    await make(path)
    before = path.stat().st_size
    done = await vacuum(path)

    assert (done.before, done.after, done.rewritten) == (before, path.stat().st_size, True)
    assert done.after < before / 3
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]
    await whole(path)


async def test_once_prepared_a_store_is_cut_without_being_rewritten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is taken off in pieces, also while somebody drives a run: it is held up for a piece only."""
    monkeypatch.setattr(compaction, "PAGES", 7)
    await make(path)
    assert (await vacuum(path, incremental=True)).rewritten
    await make(path)
    before = path.stat().st_size
    journal = await open_journal(path)
    me = lease.begin()
    await journal.claim(RunId("stays"), Claim(me, time.time() + 60), at=time.time())
    done = await vacuum(path, incremental=True)
    lease.end(me)
    await journal.aclose()

    assert not done.rewritten
    assert path.stat().st_size < before / 3
    await whole(path)


async def test_a_store_that_is_in_use_is_not_rewritten(path: Path) -> None:
    """The driver is named, and nothing changes; one that is dead, or whose lease is over, is in nobody's way (D7)."""
    await make(path)
    journal = await open_journal(path)
    me, gone = lease.begin(), lease.begin()
    await journal.create(info("a"), [START], at=1.0, claim=Claim(me, time.time() + 60))
    await journal.create(info("b"), [START], at=1.0, claim=Claim(gone, time.time() + 60))
    await journal.create(info("c"), [START], at=1.0, claim=Claim("expired", time.time() - 1))
    lease.end(gone)
    await journal.aclose()
    size = path.stat().st_size

    for incremental in (False, True):
        with pytest.raises(StoreError, match=r"process \d+ on .* drives 1 of its runs"):
            await vacuum(path, incremental=incremental)
    assert path.stat().st_size == size
    lease.end(me)
    assert (await vacuum(path)).after < size


async def test_what_is_no_store_is_left_alone(path: Path) -> None:
    """Neither made nor changed (D13)."""
    with pytest.raises(StoreError, match="no store at"):
        await vacuum(path)
    assert not path.exists()
    path.write_bytes(b"a letter" * 1000)
    with pytest.raises(StoreDamaged):
        await vacuum(path)
    assert path.read_bytes() == b"a letter" * 1000
