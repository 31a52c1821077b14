"""The file: its migrations, its views, its size (D5, D13)."""

# ruff: noqa: ASYNC221, ASYNC240 - the tests look at real files and processes; nothing else waits for the loop

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlite_utils
from pydantic_core import to_json

from graphrt.checkpoints import SqliteJournal, open_journal, schema
from graphrt.checkpoints.schema import APPLICATION, NAMES, VERSION, migrations
from graphrt.facts import AttemptFailed, Fact, Failure, RunFinished, StepFailed
from graphrt.types import RunId, StepKey
from tests.checkpoints.helpers import START, begin, facts, finished, info, opened, rows, started

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
async def journal(path: Path, anyio_backend: str) -> AsyncIterator[SqliteJournal]:
    found = await open_journal(path)
    yield found
    await found.aclose()


async def test_a_new_file_has_seen_every_migration(journal: SqliteJournal, path: Path) -> None:
    """Migrations are named and recorded in the file (D13)."""
    await journal.aclose()

    assert [name for (name,) in rows(path, "SELECT name FROM _sqlite_migrations ORDER BY id")] == list(NAMES)
    assert rows(path, "PRAGMA application_id") == [(APPLICATION,)]
    assert rows(path, "PRAGMA user_version") == [(VERSION,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


async def test_opening_again_changes_nothing(journal: SqliteJournal, path: Path) -> None:
    """A migration is applied once (D13)."""
    await begin(journal)
    await journal.aclose()
    before = path.read_bytes()
    again = await open_journal(path)
    await again.aclose()

    assert path.read_bytes() == before


@pytest.mark.parametrize("seen", range(VERSION))
async def test_an_older_file_is_brought_up_to_date(path: Path, seen: int) -> None:
    """What is pending is applied, what was there stays (D13)."""
    with opened(path) as connection:
        db = sqlite_utils.Database(connection)
        migrations().apply(db, stop_before=NAMES[seen])
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {seen}")
        if seen:
            row = {"n": 1, "id": "old", "graph": "demo", "fingerprint": "f", "status": "running", "created": 1.5}
            db.table("runs").insert(row)
    journal = await open_journal(path)

    assert [found.id for found in await journal.runs()] == ["old"] * bool(seen)
    await begin(journal)
    await journal.aclose()
    assert [name for (name,) in rows(path, "SELECT name FROM _sqlite_migrations ORDER BY id")] == list(NAMES)


async def test_a_half_made_upgrade_has_not_happened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All pending migrations are one transaction: interrupted, nothing happened; the next opening does it all (D13; D5
    of the faults)."""
    with monkeypatch.context() as patched:
        patched.setattr(schema, "_VIEWS", schema._VIEWS + "CREATE TABLE runs (n);")
        with pytest.raises(Exception, match="runs already exists"):
            await open_journal(path)

    assert rows(path, "SELECT name FROM sqlite_schema") == []
    journal = await open_journal(path)
    await begin(journal)
    await journal.aclose()


async def test_steps_can_be_looked_at_with_sqlite_utils(journal: SqliteJournal, path: Path) -> None:
    """A person opens the file and sees what ran, how often, for how long, with what result (V3)."""
    failure = Failure("ValueError", "no")
    await begin(journal, more=[started("a"), started("b")])
    run = RunId("one")
    at = 1_700_000_000.25
    await journal.append(run, 3, [AttemptFailed(StepKey("a"), 1, failure, at + 2)], at=at + 1)
    await journal.append(run, 4, [started("a", 2), finished("b", b'"' + b"v" * 9000 + b'"')], at=at + 2)
    await journal.append(run, 6, [replace(finished("a"), attempt=2), started("c"), started("d")], at=at + 2.5)
    await journal.append(run, 9, [StepFailed(StepKey("c"), 1, failure)], at=at + 3)
    await journal.aclose()
    db = sqlite_utils.Database(path)
    steps = {row["step"]: row for row in db.query("SELECT * FROM steps WHERE run = 'one'")}

    assert list(steps) == ["a", "b", "c", "d"]
    assert steps["a"] == {
        "run": "one",
        "step": "a",
        "attempts": 2,
        "status": "finished",
        "started": "2023-11-14 22:13:20.250",
        "finished": "2023-11-14 22:13:22.750",
        "seconds": 2.5,
        "output": "123",
        "changes": None,
        "error": None,
    }
    assert len(steps["b"]["output"]) == 9002
    assert (steps["c"]["status"], json.loads(steps["c"]["error"])["message"]) == ("failed", "no")
    assert (steps["d"]["status"], steps["d"]["seconds"]) == ("running", None)
    journal_rows = list(db["journal"].rows)
    assert [row["seq"] for row in journal_rows] == list(range(1, 11))
    assert (journal_rows[0]["kind"], journal_rows[0]["at"]) == ("run started", "2023-11-14 22:13:20.250")
    (overview,) = db["overview"].rows
    assert (overview["seq"], overview["status"], overview["updated"]) == (10, "running", "2023-11-14 22:13:23.250")
    db.close()


async def test_a_large_value_is_stored_once(journal: SqliteJournal, path: Path) -> None:
    """Large values are kept by their content, whatever run they belong to (D5; D6 of the faults)."""
    value = json.dumps(["w" * 99] * 1000).encode()
    for n in range(10):
        run = await begin(journal, f"run {n}")
        await journal.append(run, 1, [finished("a", value), finished("b", value)], at=1.0)
    await journal.aclose()

    assert rows(path, "SELECT count(*), sum(length(text)) FROM blobs") == [(1, len(value))]
    assert path.stat().st_size < 2 * len(value)


async def test_a_small_value_stays_in_its_row(journal: SqliteJournal, path: Path) -> None:
    """Only what is large goes elsewhere, so that a person finds values where they look (D5)."""
    run = await begin(journal)
    await journal.append(run, 1, [finished("a", b'"' + b"s" * 4000 + b'"')], at=1.0)
    await journal.aclose()

    assert rows(path, "SELECT count(*) FROM blobs") == [(0,)]


@pytest.mark.parametrize(("name", "limit"), [("inc_{}", 200_000), ("each:work[{}]", 250_000)])
async def test_a_thousand_steps_cost_little(path: Path, name: str, limit: int) -> None:
    """Two facts a step, in a file that grows with the work and with nothing else (section 7 of the design)."""
    journal = await open_journal(path, durability="process")
    run = await begin(journal)
    for n in range(1000):
        key = name.format(n)
        await journal.append(run, 1 + 2 * n, [started(key), finished(key)], at=1_700_000_000.123 + n)
    await journal.aclose()

    assert path.stat().st_size <= limit
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_a_growing_state_costs_what_was_added(path: Path) -> None:
    """A list that grows 500 times by 200 bytes costs about its 100 kB, not 25 MB; its last state costs nothing (D5; D6
    of the faults)."""
    journal = await open_journal(path, durability="process")
    run = await begin(journal)
    messages: list[str] = []
    value = b""
    for n in range(500):
        messages.append(f"{n:04d}" + "m" * 194)
        value = json.dumps({"i": n, "messages": messages}).encode()
        happened: list[Fact] = [finished(f"loop#{n}", value, "loop"), started(f"loop#{n + 1}")]
        await journal.append(run, 1 + 2 * n, happened, at=1_700_000_000.123 + n)
    await journal.append(run, 1001, [RunFinished(value, "State")], at=1_700_000_999.0)
    assert (await facts(journal))[-1] == RunFinished(value, "State")
    assert (await facts(journal))[-3] == finished("loop#499", value, "loop")
    await journal.aclose()

    assert path.stat().st_size <= 300_000


async def test_deltas_go_on_after_reopening(journal: SqliteJournal, path: Path) -> None:
    """What a driver loads is the base of what it appends next, with a snapshot and without one (D5)."""
    run = await begin(journal)

    def state(n: int) -> bytes:
        return json.dumps({"i": n, "messages": ["m" * 198] * n}).encode()

    for n in range(100):
        await journal.append(run, 1 + n, [finished(f"loop#{n}", state(n), "loop")], at=1.0)
    for n, snapshot in ((100, None), (101, to_json({"s": state(101).decode()})), (102, b"{}"), (103, None)):
        await journal.aclose()
        journal = await open_journal(path)
        await journal.load(run)
        await journal.append(run, 1 + n, [finished(f"loop#{n}", state(n), "loop")], at=1.0, snapshot=snapshot)
    await journal.aclose()

    bases = rows(path, "SELECT n & 4294967295, base FROM facts WHERE (n & 4294967295) > 101 ORDER BY n")
    assert bases[:3] == [(102, 101), (103, 102), (104, 103)]


async def test_loading_a_tail_reads_no_history(journal: SqliteJournal, path: Path) -> None:
    """A machine resumes from its snapshot, not from its beginning (D6): the beginning may be gone."""
    run = await begin(journal)

    def state(n: int) -> bytes:
        return json.dumps({"i": n, "messages": ["m" * 98] * n}).encode()

    for n in range(200):
        snapshot = to_json({"s": state(n).decode()}) if n == 190 else None
        await journal.append(run, 1 + n, [finished(f"loop#{n}", state(n), "loop")], at=1.0, snapshot=snapshot)
    await journal.aclose()
    with opened(path) as connection:
        connection.execute("DELETE FROM facts WHERE n & 4294967295 BETWEEN 2 AND 192")
    journal = await open_journal(path)
    history = await journal.load(run)
    await journal.aclose()

    assert [entry.fact for entry in history.entries] == [
        finished(f"loop#{n}", state(n), "loop") for n in range(191, 200)
    ]


async def test_importing_the_store_imports_no_database_package() -> None:
    """sqlite-utils comes in with the first file that needs a migration (section 7 of the design)."""
    code = "import sys, graphrt.checkpoints; print(sorted({'sqlite_utils', 'httpx', 'networkx'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


async def test_an_up_to_date_file_opens_without_the_migrations(journal: SqliteJournal, path: Path) -> None:
    """Resuming does not pay for the tools that made the file (section 7 of the design: resume)."""
    await begin(journal)
    await journal.aclose()
    code = (
        "import anyio, sys, graphrt.checkpoints as c\n"
        "async def main():\n"
        f"    j = await c.open_journal({str(path)!r})\n"
        "    print(len(await j.runs()), 'sqlite_utils' in sys.modules)\n"
        "    await j.aclose()\n"
        "anyio.run(main)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["1", "False"]


async def test_a_run_begins_with_what_its_info_says(journal: SqliteJournal) -> None:
    """The list shows what was created, target included."""
    wanted = replace(info(), target="demo.py:demo")
    happened: list[Fact] = [START]
    await journal.create(wanted, happened, at=wanted.created)

    assert await journal.runs() == [replace(wanted, seq=1)]
