"""kill -9 in the middle of everything: what was acknowledged is there, whole (D2, D12)."""

# ruff: noqa: ASYNC220, ASYNC240 - the tests look at real files and processes; nothing else waits for the loop

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from graphrt.checkpoints import open_journal
from graphrt.facts import RunResumed, StepFinished, StepStarted
from graphrt.types import RunId
from tests.checkpoints.helpers import rows

pytestmark = pytest.mark.anyio

CHILD = """
import sys
import anyio
from pydantic_core import to_json
from graphrt.checkpoints import open_journal
from tests.checkpoints.helpers import begin, finished, started

async def drive(journal, name):
    run = await begin(journal, name)
    n = 0
    while True:
        value = b'{"n":%d,"log":[%s]}' % (n, b",".join(b'"' + b"m" * 60 + b'"' for _ in range(n % 90)))
        snapshot = to_json({"at": value.decode()}) if n % 20 == 19 else None
        facts = [started(f"s{n}"), finished(f"s{n}", value, "state")]
        await journal.append(run, 1 + 2 * n, facts, at=1.0, snapshot=snapshot)
        n += 1
        sys.stdout.write(f"{name} {1 + 2 * n}\\n")
        sys.stdout.flush()

async def main():
    journal = await open_journal(sys.argv[1], durability=sys.argv[2])
    async with anyio.create_task_group() as tasks:
        for n in range(int(sys.argv[3])):
            tasks.start_soon(drive, journal, f"run {n}")

anyio.run(main, backend=sys.argv[4])
"""


class Round(NamedTuple):
    """One child: how it runs, and after how many acknowledgements it is killed."""

    backend: str
    durability: str
    width: int
    after: int


ROUNDS = [
    Round("asyncio", "power", 1, 1),
    Round("asyncio", "power", 1, 150),
    Round("asyncio", "power", 8, 40),
    Round("asyncio", "process", 8, 333),
    Round("asyncio", "process", 1, 77),
    Round("trio", "power", 1, 33),
    Round("trio", "power", 8, 200),
    Round("trio", "process", 8, 9),
]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the child has an engine of its own
@pytest.mark.parametrize("child", ROUNDS, ids=lambda child: "-".join(map(str, child)))
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, child: Round, anyio_backend: str) -> None:
    """A killed process loses nothing that it was told is kept, and leaves no part of a commit (D1, D2)."""
    path = tmp_path / "runs.db"
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), child.durability, str(child.width), child.backend],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as process:
        assert process.stdout is not None
        acknowledged: Counter[str] = Counter()
        for count, line in enumerate(process.stdout, 1):
            name, seq = line.rsplit(" ", 1)
            acknowledged[name] = int(seq)
            if count == child.after:
                process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    journal = await open_journal(path)

    assert acknowledged
    for name, least in acknowledged.items():
        entries = await journal.read(RunId(name), limit=100_000)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert len(entries) >= least
        assert len(entries) % 2 == 1
        for n, (first, second) in enumerate(zip(entries[1::2], entries[2::2], strict=True)):
            assert isinstance(first.fact, StepStarted)
            assert isinstance(second.fact, StepFinished)
            assert second.fact.value.startswith(b'{"n":%d,' % n)
        history = await journal.load(RunId(name))
        assert history.entries == entries[history.snapshot_seq :]
        await journal.append(RunId(name), len(entries), [RunResumed()], at=2.0)
    await journal.aclose()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert [file.name for file in tmp_path.iterdir()] == ["runs.db"]
