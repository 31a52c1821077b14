"""Files that cannot be used, each a real one: a clear error, and nothing lost (D13)."""

# ruff: noqa: ASYNC240 - the tests look at real files and processes; nothing else waits for the loop

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from graphrt.checkpoints import SqliteJournal, open_journal
from graphrt.checkpoints.faults import translated
from graphrt.errors import StoreBusy, StoreDamaged, StoreError, StoreFull, StoreReadOnly, StoreTooNew, UsageError
from graphrt.types import RunId
from tests.checkpoints.helpers import START, begin, facts, finished, opened, rows, started

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


async def make(path: Path) -> None:
    journal = await open_journal(path)
    await begin(journal, more=[started("a"), finished("a")])
    await journal.aclose()


async def test_a_newer_file_is_left_alone(path: Path) -> None:
    """A store made by a newer version says so and is not touched (D13; D3 of the faults)."""
    await make(path)
    with opened(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()

    for read_only in (False, True):
        with pytest.raises(StoreTooNew, match="99"):
            await open_journal(path, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"run: one\nstatus: finished\n" * 50, os.urandom(8192), b"SQLite format 3\0" + b"\xff" * 5000]
)
async def test_what_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    """A text file, noise, and noise with the right first line (D13; D3 of the faults)."""
    path.write_bytes(content)

    with pytest.raises(StoreDamaged, match=str(path)):
        await open_journal(path)
    assert path.read_bytes() == content


async def test_another_applications_database_is_left_alone(path: Path) -> None:
    """Somebody's database is not made ours by naming it (D13; D3 of the faults)."""
    with opened(path) as connection:
        connection.execute("CREATE TABLE runs (id TEXT)")
    before = path.read_bytes()

    with pytest.raises(StoreDamaged, match="another application"):
        await open_journal(path)
    assert path.read_bytes() == before


async def test_a_truncated_file_is_damaged(path: Path) -> None:
    """Half a file is not half a journal (D13)."""
    await make(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(StoreDamaged):
        await open_journal(path)


async def test_a_damaged_page_is_found_when_it_is_read(path: Path) -> None:
    """Damage inside the file is an error, not a wrong answer (D13; D3 of the faults)."""
    journal = await open_journal(path)
    await begin(journal, more=[finished("s", b'"' + b"x" * 3000 + b'"') for _ in range(200)])
    await journal.aclose()
    content = bytearray(path.read_bytes())
    for page in range(12, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xee" * 64
    path.write_bytes(content)

    journal = SqliteJournal(path)
    with pytest.raises(StoreDamaged):
        await journal.read(RunId("one"))
    await journal.aclose()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE facts SET kind = 'os.system' WHERE n & 4294967295 = 2",
        "UPDATE facts SET base = 9 WHERE n & 4294967295 = 3",
        "UPDATE facts SET base = 3 WHERE n & 4294967295 = 3",
        "UPDATE facts SET base = 0 WHERE n & 4294967295 = 3",
        "UPDATE facts SET base = 1 WHERE n & 4294967295 = 3",
        "UPDATE facts SET detail = 'x' WHERE kind = 'run started'",
    ],
)
async def test_a_row_that_means_nothing_is_damage(path: Path, damage: str) -> None:
    """What a file says is not taken on trust, and no chain goes in circles (D13)."""
    await make(path)
    with opened(path) as connection:
        connection.execute(damage)
    journal = await open_journal(path)

    with pytest.raises(StoreDamaged):
        await journal.read(RunId("one"))
    with pytest.raises(StoreDamaged):
        await journal.load(RunId("one"))
    await journal.aclose()


async def test_a_full_disk_undoes_the_commit_and_loses_nothing(path: Path) -> None:
    """The commit that does not fit is undone whole, small ones go on, and room makes all well (D13; D2 of the
    faults)."""
    journal = await open_journal(path)
    run = await begin(journal)
    connection = journal._writer._connection  # type: ignore[union-attr]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}").fetchall()
    big = [finished(f"s{n}", b'"%d' % n + b"x" * 3500 + b'"') for n in range(50)]

    with pytest.raises(StoreFull, match="make room"):
        await journal.append(run, 1, big, at=1.0, snapshot=b'{"big":true}')

    assert await facts(journal) == [START]
    assert (await journal.load(run)).snapshot is None
    await journal.append(run, 1, [started("small")], at=1.0)
    connection.execute("PRAGMA max_page_count = 1000000").fetchall()
    await journal.append(run, 2, big, at=1.0)
    assert await facts(journal) == [START, started("small"), *big]
    await journal.aclose()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


FILL = """
import anyio, sys
from graphrt.checkpoints import open_journal
from graphrt.errors import StoreFull
from tests.checkpoints.helpers import begin, facts, finished, START
{before}
async def main():
    journal = await open_journal({path!r})
    run = await begin(journal)
    kept = [START]
    try:
        while True:
            new = [finished(f"s{{len(kept) + n}}", b'"' + b"x" * 3000 + b'"') for n in range(8)]
            await journal.append(run, len(kept), new, at=1.0)
            kept += new
    except StoreFull:
        pass
    assert await facts(journal) == kept
    {room}
    await journal.append(run, len(kept), new, at=1.0)
    assert await facts(journal) == kept + new
    await journal.aclose()
    print(len(kept))
anyio.run(main)
"""


def run_child(code: str, *, prefix: tuple[str, ...] = ()) -> str:
    """Run code in a process of its own, where it may spoil what it likes; return what it printed."""
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run(
        [*prefix, sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


async def test_a_file_size_limit_is_a_full_disk(path: Path) -> None:
    """`ulimit -f`: the operating system refuses the write with another word for it, the driver hears the same (D13)."""
    code = FILL.format(
        path=str(path),
        before="import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))",
        room="resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))",
    )
    kept = int(run_child(code))

    journal = await open_journal(path)
    assert len(await facts(journal)) == kept + 8
    await journal.aclose()


def _can_mount() -> bool:
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    command = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


async def test_a_file_system_without_room_is_a_full_disk(tmp_path: Path) -> None:
    """A real, small disk is filled to the brim and room is made again (D13; D2 of the faults)."""
    if not _can_mount():
        pytest.skip("mounting a small disk takes root and `unshare`")
    code = FILL.format(
        path=str(tmp_path / "runs.db"),
        before="import subprocess\n"
        f"subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', {str(tmp_path)!r}], check=True)",
        room=f"subprocess.run(['mount', '-o', 'remount,size=8m', {str(tmp_path)!r}], check=True)",
    )

    assert int(run_child(code, prefix=("unshare", "-m"))) > 50


READ_ONLY = """
import os, sys
import anyio, anyio._backends._asyncio, resource, urllib.parse
from graphrt.checkpoints import open_journal
if os.geteuid() == 0:  # root may write anything: become nobody, now that everything is imported
    os.setuid(65534)
from graphrt.errors import StoreReadOnly
from graphrt.types import RunId
async def main():
    try:
        await open_journal({path!r})
    except StoreReadOnly as error:
        assert {path!r} in str(error)
    else:
        sys.exit("a file that cannot be written was opened for writing")
    journal = await open_journal({path!r}, read_only=True)
    print(len(await journal.read(RunId("one"))), (await journal.info(RunId("one"))).seq)
    await journal.aclose()
anyio.run(main)
"""


@pytest.mark.parametrize("what", ["the file", "the folder", "both"])
async def test_what_cannot_be_written_can_be_read(what: str) -> None:
    """A read-only file or folder is known about at opening, and can still be looked at (D13; D2 of the faults)."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders let nobody but their owner in
        folder, path = Path(name), Path(name) / "runs.db"
        await make(path)
        before = path.read_bytes()
        folder.chmod(0o777 if what == "the file" else 0o555)
        path.chmod(0o666 if what == "the folder" else 0o444)

        assert run_child(READ_ONLY.format(path=str(path))).split() == ["3", "3"]
        assert path.read_bytes() == before
        folder.chmod(0o755)


async def test_looking_at_a_store_does_not_change_it(path: Path) -> None:
    """`read_only` writes nothing, makes nothing and upgrades nothing (V3: ls, show)."""
    with pytest.raises(StoreError, match="no store"):
        await open_journal(path, read_only=True)
    assert not path.exists()
    await make(path)
    before = path.read_bytes()
    journal = await open_journal(path, read_only=True)

    assert len(await facts(journal)) == 3
    with pytest.raises(StoreReadOnly):
        await journal.append(RunId("one"), 3, [started("b")], at=1.0)
    with pytest.raises(StoreReadOnly):
        await begin(journal, "two")
    await journal.aclose()
    assert path.read_bytes() == before


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message says what to do."""
    with pytest.raises(StoreError, match=r"no folder .*missing"):
        await open_journal(tmp_path / "missing" / "runs.db")
    with pytest.raises(StoreError, match="is a folder"):
        await open_journal(tmp_path)


async def test_a_closed_journal_says_so(path: Path) -> None:
    """Nothing is opened again behind the caller's back."""
    journal = await open_journal(path)
    await begin(journal)
    await journal.aclose()

    with pytest.raises(UsageError, match="closed"):
        await journal.append(RunId("one"), 1, [started("a")], at=1.0)
    with pytest.raises(UsageError, match="closed"):
        await journal.runs()


def test_a_journal_that_cannot_be_meant_is_refused() -> None:
    """A store in memory would forget; a third durability has no meaning (D12)."""
    with pytest.raises(UsageError, match="MemoryJournal"):
        SqliteJournal(":memory:")
    with pytest.raises(UsageError, match="power"):
        SqliteJournal("runs.db", durability="maybe")  # type: ignore[arg-type]


def test_only_sqlites_errors_are_translated() -> None:
    """A bug stays a bug."""
    bug = KeyError("a bug")

    assert translated(bug, "runs.db") is bug
    assert type(translated(sqlite3.OperationalError("made by Python"), "runs.db")) is StoreError


async def test_a_lock_that_is_never_released_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process's endless transaction costs a bounded wait and a clear error; then everything goes on (D13; D2 of
    the faults)."""
    journal = await open_journal(path)
    run = await begin(journal)
    monkeypatch.setattr("graphrt.checkpoints.writer.PATIENCE", 0.05)
    with opened(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="another process"):
            await journal.append(run, 1, [started("a")], at=1.0)
        other.execute("ROLLBACK")
    await journal.append(run, 1, [started("a")], at=1.0)

    assert await facts(journal) == [START, started("a")]
    await journal.aclose()
