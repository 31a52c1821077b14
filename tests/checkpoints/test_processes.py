"""Two processes on one file: one drives a run, the other is told who does (D7, S7)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from graphrt.checkpoints import open_journal
from graphrt.errors import RunTaken
from graphrt.facts import RunResumed
from graphrt.journal import Claim, Message, Renewal
from graphrt.types import RunId
from tests.checkpoints.helpers import START, facts, rows, started

pytestmark = pytest.mark.anyio

RUN = RunId("one")

CHILD = """
import sys
import anyio
from graphrt.checkpoints import open_journal
from graphrt.errors import StoreError
from graphrt.journal import Claim
from tests.checkpoints.helpers import START, info, started

def say(words):
    sys.stdout.write(words + "\\n")
    sys.stdout.flush()

async def main():
    journal = await open_journal(sys.argv[1])
    await journal.create(info(), [START], at=1.0, claim=Claim("the child", 100.0))
    await journal.append("one", 1, [started("a")], at=2.0, fence=1)
    say("driving")
    after = 2
    for word in sys.stdin:
        try:
            if word == "append\\n":
                await journal.append("one", after, [started(f"s{after}")], at=3.0, fence=1)
                after += 1
                say("committed")
            else:
                found = await journal.renew("the child", until=200.0)
                say(f"{dict(found.held)} {sorted(found.mail)}")
        except StoreError as error:
            say(f"{type(error).__name__}: {error}")

anyio.run(main)
"""


@contextmanager
def driver(path: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str], IO[str]]]:
    """A process that drives a run, and does what it is told."""
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "driving\n"
            yield process, process.stdin, process.stdout
        finally:
            process.kill()


async def test_one_drives_and_the_other_is_told_who_does(tmp_path: Path) -> None:
    """The other process is refused by name, takes over when it may, and the late one's commit changes nothing (D7,
    S7)."""
    path = tmp_path / "runs.db"
    with driver(path) as (_, say, heard):

        def ask(word: str) -> str:
            say.write(f"{word}\n")
            say.flush()
            return heard.readline().strip()

        journal = await open_journal(path)
        with pytest.raises(RunTaken, match=r"driven by the child, .* 90\.0 s"):
            await journal.claim(RUN, Claim("the parent", 50.0), at=10.0)
        assert ask("append") == "committed"
        await journal.send(Message("m", RUN, "cancel"))
        assert ask("renew") == "{'one': 1} ['one']"

        assert await journal.claim(RUN, Claim("the parent", 300.0), at=201.0) == 2
        await journal.append(RUN, 3, [RunResumed(2, "the parent")], at=201.0, fence=2)
        late = ask("append")
        assert late.startswith("StaleFence: run 'one' was taken over by the parent (fence 2, this driver has 1)")
        assert ask("renew") == "{} []"
    assert await facts(journal) == [START, started("a"), started("s2"), RunResumed(2, "the parent")]
    await journal.aclose()


async def test_a_killed_driver_is_known_to_be_dead(tmp_path: Path) -> None:
    """Its run is free at once for whoever can tell, and the file is whole (D2, D7)."""
    path = tmp_path / "runs.db"
    with driver(path) as (process, _, _):
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

        journal = await open_journal(path)
        dead = {"the child": True}
        assert await journal.claim(RUN, Claim("the parent", 50.0), at=10.0, dead=lambda name: dead[name]) == 2
    assert await journal.renew("the child", until=60.0) == Renewal({}, frozenset())
    assert await facts(journal) == [START, started("a")]
    await journal.aclose()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
