"""Makes the pictures of the README and the page about pictures: graphs of their files, and the demo's run, just after
it was resumed and in time.

python docs/pictures.py
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from runpy import run_path
from typing import Any

import anyio

from graphrt.checkpoints import SqliteJournal
from graphrt.demo.agent import inbox
from graphrt.draw import svg, timeline
from graphrt.draw.progress import Progress, progress_of
from graphrt.facts import RunResumed
from graphrt.graph import Graph
from graphrt.history import Counted, counted
from graphrt.types import RunId

HERE = Path(__file__).parent
SINCE = 12
"""Entries after the resumption: enough for something new to be at work."""


def graph_of(page: Path, name: str, graph: str, folder: Path) -> Graph[..., Any]:
    """Return a graph of a file that a page shows, which is written to `folder`."""
    code = re.search(rf"```python\n(# {name}\.py\n.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    path = folder / f"{name}.py"
    path.write_text(code[1], encoding="utf-8")
    found: Graph[..., Any] = run_path(str(path))[graph]
    return found


def play(folder: Path) -> None:
    """Play the demo in `folder`."""
    command = [sys.executable, "-m", "graphrt", "demo", "--quiet", "--folder", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


async def recorded(folder: Path) -> list[Counted]:
    """Return the record of the run of the demo in `folder`."""
    journal = await SqliteJournal.open(folder / "runs.db", read_only=True)
    try:
        return await counted(journal, RunId("demo"))
    finally:
        await journal.aclose()


def resumed(record: list[Counted]) -> Progress:
    """Return how far a run was when it had been taken up again."""
    taken_up = next(place for place, (_, entry) in enumerate(record) if isinstance(entry.fact, RunResumed))
    return progress_of(inbox, (entry for _, entry in record[: taken_up + SINCE]))


def main() -> None:
    """Make them all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        research = graph_of(HERE.parent / "README.md", "research", "research", folder)
        (HERE / "research.svg").write_text(svg(research, direction="right"), encoding="utf-8")
        moderation = graph_of(HERE / "pictures.md", "moderation", "queue", folder)
        (HERE / "moderation.svg").write_text(svg(moderation), encoding="utf-8")
        play(folder / "demo")
        record = anyio.run(recorded, folder / "demo")
        (HERE / "resumed.svg").write_text(svg(inbox, run=resumed(record)), encoding="utf-8")
        (HERE / "timeline.svg").write_text(timeline(record), encoding="utf-8")


if __name__ == "__main__":
    main()
