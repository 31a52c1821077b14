"""kill -9 in the middle of everything: what was acknowledged is there, whole (D2, D12)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from graphrt.checkpoints import open_journal
from graphrt.facts import StepFinished, StepStarted
from graphrt.types import RunId
from tests.checkpoints.helpers import rows

pytestmark = pytest.mark.anyio

WIDTH = 8
CHILD = """
import sys
import anyio
from graphrt.checkpoints import open_journal
from tests.checkpoints.helpers import begin, finished, started

async def drive(journal, name, wide):
    run = await begin(journal, name)
    n = 0
    while True:
        value = b'{"n":%d,"log":[%s]}' % (n, b",".join(b'"' + b"m" * 60 + b'"' for _ in range(n % 90)))
        snapshot = b'{"at":' + value + b"}" if n % 20 == 19 else None
        await journal.append(run, 1 + 2 * n, [started(f"s{n}"), finished(f"s{n}", value, "state")], at=1.0, snapshot=snapshot)
        n += 1
        sys.stdout.write(f"{name} {1 + 2 * n}\\n")
        sys.stdout.flush()

async def main():
    journal = await open_journal(sys.argv[1], durability=sys.argv[2])
    async with anyio.create_task_group() as tasks:
        for n in range(int(sys.argv[3])):
            tasks.start_soon(drive, journal, f"run {n}", 1)

anyio.run(main, backend=sys.argv[4])
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the child has an engine of its own
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("durability", ["power", "process"])
@pytest.mark.parametrize(("width", "after"), [(1, 1), (1, 150), (WIDTH, 40), (WIDTH, 333)])
async def test_what_was_acknowledged_survives_a_kill(
    tmp_path: Path, backend: str, durability: str, width: int, after: int, anyio_backend: str
) -> None:
    """A killed process loses nothing that it was told is kept, and leaves no part of a commit (D1, D2)."""
    path = tmp_path / "runs.db"
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), durability, str(width), backend],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as child:
        assert child.stdout is not None
        acknowledged: Counter[str] = Counter()
        for count, line in enumerate(child.stdout, 1):
            name, seq = line.rsplit(" ", 1)
            acknowledged[name] = int(seq)
            if count == after:
                child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    journal = await open_journal(path)

    assert len(acknowledged) >= min(width, 1)
    for name, seq in acknowledged.items():
        entries = await journal.read(RunId(name), limit=100_000)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert len(entries) >= seq
        assert len(entries) % 2 == 1
        for n, (first, second) in enumerate(zip(entries[1::2], entries[2::2], strict=True)):
            assert isinstance(first.fact, StepStarted)
            assert isinstance(second.fact, StepFinished)
            assert second.fact.value.startswith(b'{"n":%d,' % n)
        history = await journal.load(RunId(name))
        assert history.entries == entries[history.snapshot_seq :]
        await journal.append(RunId(name), len(entries), [StepStarted(first.fact.step, 2)], at=2.0)
    await journal.aclose()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert [file.name for file in tmp_path.iterdir()] == ["runs.db"]
