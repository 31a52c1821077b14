"""What the store costs beside a bare loop over the standard library: ratios and bytes, printed, never asserted.

    python -m tests.bench.store

Times on a shared machine drift; every case is therefore run in turn with the loop it is compared to, and the median of
the rounds counts. The bare loop writes the same rows with the same pragmas and commits each.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from graphrt.checkpoints import SqliteJournal, open_journal
from graphrt.facts import Fact, RunStarted, StepFinished, StepStarted
from graphrt.journal import RunInfo
from graphrt.types import Durability, RunId, StepKey

ROUNDS = 9
STEPS = 1000
WIDTH = 64
EACH = 64
PAYLOAD = b'"' + b"x" * 1022 + b'"'

BARE = """
CREATE TABLE facts (n INTEGER PRIMARY KEY, at REAL, base INTEGER, blob TEXT, kind TEXT, step TEXT, attempt INTEGER,
    value TEXT, type TEXT, lineage TEXT, note TEXT, error TEXT, detail TEXT)
"""


def info(run: str) -> RunInfo:
    return RunInfo(RunId(run), "bench", "f" * 16, time.time(), time.time())


def step(i: int, value: bytes = b"123") -> list[Fact]:
    """One step of a chain: it is finished, and the next one starts."""
    key, following = StepKey(f"inc_{i}"), StepKey(f"inc_{i + 1}")
    return [StepFinished(key, 1, value, "int"), StepStarted(following, 1)]


def bare(path: Path, steps: int, durability: Durability, value: str = "123") -> float:
    """Insert the rows of `steps` steps, two for each, and commit each pair."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
    connection.execute(BARE)
    cursor = connection.cursor()
    insert = f"INSERT INTO facts VALUES ({', '.join('?' * 13)})"
    empty = (None, None, None, None)
    before = time.perf_counter()
    for i in range(steps):
        at = time.time()
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(
            insert,
            [
                (2 * i, at, None, None, "finished", f"inc_{i}", 1, value, "int", *empty),
                (2 * i + 1, at, None, None, "started", f"inc_{i + 1}", 1, None, None, *empty),
            ],
        )
        cursor.execute("COMMIT")
    taken = time.perf_counter() - before
    connection.close()
    return taken


async def chain(journal: SqliteJournal, steps: int) -> float:
    run = RunId("chain")
    await journal.create(
        info(run), [RunStarted("bench", "f", b"{}", 0), StepStarted(StepKey("inc_0"), 1)], at=time.time()
    )
    before = time.perf_counter()
    for i in range(steps):
        await journal.append(run, 2 + 2 * i, step(i), at=time.time())
    return time.perf_counter() - before


async def crowd(journal: SqliteJournal) -> float:
    """Many runs that append one fact of 1 KiB at a time."""
    for w in range(WIDTH):
        await journal.create(info(f"run {w}"), [RunStarted("bench", "f", b"{}", 0)], at=time.time())

    async def one(run: RunId) -> None:
        for i in range(EACH):
            await journal.append(run, 1 + i, [StepFinished(StepKey(f"inc_{i}"), 1, PAYLOAD)], at=time.time())

    before = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for w in range(WIDTH):
            tasks.create_task(one(RunId(f"run {w}")))
    return time.perf_counter() - before


async def loading(journal: SqliteJournal) -> float:
    facts: list[Fact] = [RunStarted("bench", "f", b"{}", 0)]
    for i in range(5000):
        facts += step(i)
    await journal.create(info("long"), facts[:10_000], at=time.time())
    before = time.perf_counter()
    history = await journal.load(RunId("long"))
    taken = time.perf_counter() - before
    assert len(history.entries) == 10_000
    return taken


def with_journal(
    folder: Path, use: Callable[[SqliteJournal], Coroutine[None, None, float]], durability: Durability = "power"
) -> tuple[float, int]:
    """Run a case on a fresh file; return its seconds and the bytes of the closed file."""
    path = folder / "store.db"
    path.unlink(missing_ok=True)

    async def main() -> float:
        journal = await open_journal(path, durability=durability)
        try:
            return await use(journal)
        finally:
            await journal.aclose()

    taken = asyncio.run(main())
    return taken, path.stat().st_size


def fresh(folder: Path) -> Path:
    for old in folder.glob("bare.db*"):
        old.unlink()
    return folder / "bare.db"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        durabilities: list[Durability] = ["power", "process"]
        for durability in durabilities:
            ours, theirs, size = [], [], 0
            for _ in range(ROUNDS):
                theirs.append(bare(fresh(folder), STEPS, durability))
                taken, size = with_journal(folder, lambda journal: chain(journal, STEPS), durability)
                ours.append(taken)
            a, b = statistics.median(ours), statistics.median(theirs)
            print(
                f"chain of {STEPS}, {durability}: {a / STEPS * 1e6:.0f} us a step, bare loop {b / STEPS * 1e6:.0f} us: "
                f"{a / b:.2f} x; {size / STEPS:.0f} B a step"
            )
        ours, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(bare(fresh(folder), 500, "power", PAYLOAD.decode()) / 500)
            ours.append(with_journal(folder, crowd)[0] / (WIDTH * EACH))
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{WIDTH} appenders, 1 KiB: {1 / a:.0f} rows/s, bare loop {1 / b:.0f} commits/s: {b / a:.1f} x")
        taken = statistics.median(with_journal(folder, loading)[0] for _ in range(ROUNDS))
        print(f"load of 10,000 entries: {taken * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
