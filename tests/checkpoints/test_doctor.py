"""What a doctor says of real files: healthy, damaged, foreign, newer, crowded; and that it leaves them as they are."""

# ruff: noqa: ASYNC240 - the tests look at real files; nothing else waits for the loop

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from graphrt.checkpoints import doctor, open_journal
from graphrt.checkpoints.doctor import Examined, examine, salvage
from graphrt.checkpoints.schema import APPLICATION, VERSION
from graphrt.errors import StoreDamaged, StoreError, StoreTooNew
from graphrt.facts import RunFinished
from graphrt.journal import Claim, Message
from graphrt.types import RunId
from tests.checkpoints.helpers import START, begin, finished, info, opened, rows, started

pytestmark = pytest.mark.anyio

SAFE = (3, 51, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture(autouse=True)
def _safe(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this Python's SQLite is is one test's matter alone."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", SAFE)


def look(path: Path, now: float = 10.0, dead: str = "") -> Examined:
    """Examine a file, and see that it stays as it is."""
    before = path.read_bytes()
    found = examine(str(path), now=now, dead=lambda driver: driver == dead)
    assert path.read_bytes() == before
    return found


def said(found: Examined) -> list[tuple[str, str]]:
    return [(each.level, each.about) for each in found.findings]


async def make(path: Path, *runs: str, size: int = 10) -> None:
    journal = await open_journal(path, durability="process")
    for run in runs:
        await begin(journal, run, [started("a"), finished("a", b'"' + run.encode() * size + b'"')])
    await journal.aclose()


async def test_a_healthy_store_has_nothing_to_be_said(path: Path) -> None:
    """Its format, its size and how its runs stand are told (D13)."""
    await make(path, "one", "two")
    found = look(path)
    assert (found.findings, found.runs, found.readable) == ([], {"running": 2}, True)
    assert (found.format, found.application) == (VERSION, APPLICATION)
    ((free,),) = rows(path, "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")
    assert (found.size, found.log, found.free) == (path.stat().st_size, 0, free)
    assert (found.sqlite, found.leases) == (sqlite3.sqlite_version, [])


@pytest.mark.parametrize(
    ("change", "level", "about", "says"),
    [
        ("PRAGMA user_version = 99", "problem", "newer", "its format is 99"),
        ("PRAGMA user_version = 2", "warning", "older", "its format is 2"),
        ("PRAGMA application_id = 7", "problem", "foreign", "another application"),
    ],
)
async def test_a_store_that_is_not_of_this_version_says_so(
    path: Path, change: str, level: str, about: str, says: str
) -> None:
    """Nothing more is asked of it: what would it mean there? (D13)"""
    await make(path, "one")
    with opened(path) as connection:
        connection.execute(change)
    found = look(path)
    assert (said(found), found.readable, found.runs) == ([(level, about)], False, None)
    assert says in found.findings[0].what


async def test_any_other_file_says_what_it_is(path: Path, tmp_path: Path) -> None:
    """A text, noise, nothing at all, somebody's database, and no file (D13)."""
    for content in (b"run: one\n" * 200, os.urandom(8192), b"SQLite format 3\0" + b"\xff" * 5000):
        path.write_bytes(content)
        assert [level for level, _ in said(look(path))] == ["problem"]
    path.write_bytes(b"")
    assert said(look(path)) == [("warning", "empty")]
    path.unlink()
    with opened(path) as connection:
        connection.execute("CREATE TABLE runs (id TEXT)")
    assert said(look(path)) == [("problem", "foreign")]
    with pytest.raises(StoreError, match="no store"):
        examine(str(tmp_path / "none.db"), now=0.0, dead=lambda _: False)
    with pytest.raises(StoreDamaged, match="another application"):
        salvage(str(path))


async def test_damaged_pages_are_found_and_whole_runs_are_got_out(path: Path, tmp_path: Path) -> None:
    """D3 of the faults: what is whole comes into a new store as it was; what is not is named, and left out."""
    names = [f"run {n}" for n in range(40)]
    await make(path, *names, size=400)
    content = bytearray(path.read_bytes())
    middle = content.index(b"run 20run 20") // 4096 * 4096
    content[middle : middle + 4096] = b"\xee" * 4096
    path.write_bytes(content)

    found = look(path)
    assert ("problem", "damaged") in said(found)
    before = path.read_bytes()
    saved = salvage(str(path))
    assert path.read_bytes() == before
    assert "run 20" in saved.lost
    assert not {*saved.lost} & {*saved.runs}
    assert {*saved.lost} | {*saved.runs} == {*names}
    assert len(saved.runs) > 30
    assert {lost["run"] for lost in json.loads(saved.text)["lost"]} == {*saved.lost}
    journal = await open_journal(tmp_path / "new.db", durability="process")
    await journal.import_runs(saved.text, name="saved.json")
    for run in saved.runs:
        value = b'"' + run.encode() * 400 + b'"'
        entries = await journal.read(run)
        assert [(entry.at, entry.fact) for entry in entries] == [
            (1_700_000_000.25, fact) for fact in (START, started("a"), finished("a", value))
        ]
    await journal.aclose()


async def test_a_file_that_was_cut_off_gives_the_runs_whose_pages_are_left(path: Path) -> None:
    """D3 of the faults: and what is missing beside their entries is named."""
    journal = await open_journal(path, durability="process")
    await begin(journal, "early", [started("a"), finished("a")])
    await journal.aclose()
    await make(path, *[f"run {n}" for n in range(60)], size=400)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"run 40run 40") // 4096 * 4096])

    assert ("problem", "damaged") in said(look(path))
    saved = salvage(str(path))
    assert "early" in saved.runs
    assert "run 59" in saved.lost
    assert "run 59" not in saved.runs


async def test_a_store_that_is_newer_is_not_salvaged(path: Path) -> None:
    """Whole runs of a newer format would come out as something else (D13)."""
    await make(path, "one")
    with opened(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreTooNew):
        salvage(str(path))
    with opened(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    with pytest.raises(StoreError, match="older format"):
        salvage(str(path))


async def test_rows_that_name_runs_that_are_not_there_are_damage(path: Path) -> None:
    """SQLite's own check of references is asked too (D13)."""
    await make(path, "one")
    with opened(path) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("INSERT INTO snapshots (run, seq, value) VALUES (77, 1, '{}')")
    (finding,) = look(path).findings
    assert (finding.level, finding.about) == ("problem", "damaged")
    assert "snapshots row 77" in finding.what


async def test_who_holds_a_run_is_said_and_who_does_no_more(path: Path) -> None:
    """D7: held, expired, or of a driver that is surely gone; one that was given back is nobody's."""
    journal = await open_journal(path, durability="process")
    for run, driver, until in (("a", "ann", 20.0), ("b", "ben", 5.0), ("c", "cat", 20.0), ("d", "dan", 20.0)):
        await journal.create(info(run), [START], at=1.0, claim=Claim(driver, until))
    await journal.release(RunId("d"), 1)
    await journal.aclose()
    found = look(path, now=10.0, dead="cat")
    assert [(each.run, each.driver, each.until, each.fence, each.state) for each in found.leases] == [
        ("a", "ann", 20.0, 1, "held"),
        ("b", "ben", 5.0, 1, "expired"),
        ("c", "cat", 20.0, 1, "dead"),
    ]
    assert said(found) == [("warning", "lease")] * 2
    assert [each.run for each in found.findings] == ["b", "c"]
    assert "graphrt resume b" in found.findings[0].fix


@pytest.mark.parametrize(
    ("version", "warned"),
    [((3, 6, 23), False), ((3, 7, 0), True), ((3, 40, 1), True), ((3, 51, 2), True), ((3, 51, 3), False)],
)
async def test_a_sqlite_whose_log_may_lose_pages_is_warned_of(
    path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], warned: bool
) -> None:
    """D4 of the faults: more so where a living process is at work in the store."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    journal = await open_journal(path, durability="process")
    await journal.create(info("a"), [START], at=1.0, claim=Claim("ann", 20.0))
    await journal.aclose()
    found = look(path)
    assert said(found) == ([("warning", "sqlite")] if warned else [])
    if warned:
        assert "now at work in it: ann" in found.findings[0].what
        assert "now at work" not in look(path, dead="ann").findings[-1].what


async def test_a_large_log_is_warned_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is told, and a store that is open elsewhere is read with what is in its log."""
    monkeypatch.setattr(doctor, "LARGE_LOG", 1 << 20)
    journal = await open_journal(path)
    await begin(journal, more=[started("a")])
    log = Path(f"{path}-wal").read_bytes()
    found = look(path)
    assert (found.log, found.runs) == (len(log), {"running": 1})
    assert said(found) == [("warning", "log")]
    assert Path(f"{path}-wal").read_bytes() == log
    left = path.with_name("left.db")  # as a process that was killed leaves it
    shutil.copy(path, left)
    shutil.copy(f"{path}-wal", f"{left}-wal")
    await journal.aclose()
    assert (look(left).log, look(left).runs) == (len(log), {"running": 1})
    assert Path(f"{left}-wal").read_bytes() == log


async def test_what_nobody_will_read_is_warned_of(path: Path) -> None:
    """Large values of no entry, messages to a run that has ended, and pages that hold nothing."""
    journal = await open_journal(path, durability="process")
    await begin(journal, more=[finished("a", b'"' + b"x" * 50_000 + b'"'), finished("b", b'"' + b"y" * 50_000 + b'"')])
    await journal.send(Message("m", RunId("one"), "signal", "paid", b"3", 1.0))
    await journal.append(RunId("one"), 3, [RunFinished(b"1")], at=2.0)
    await journal.aclose()
    with opened(path) as connection:
        connection.execute("DELETE FROM blobs WHERE hash IN (SELECT blob FROM facts WHERE step = 'b')")
        connection.execute("UPDATE facts SET blob = NULL, value = '1' WHERE blob IS NOT NULL")
    found = look(path)
    assert said(found) == [("warning", "orphans"), ("warning", "message")]
    assert found.findings[0].what == "large values that belong to no entry: 1, of 50002 bytes"
    assert "'m' (signal paid) waits for run 'one', which has ended" in found.findings[1].what
    assert (found.free or 0) > 40_000
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
