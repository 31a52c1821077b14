"""Makes the pictures of the README: the graph of its first example, and the demo's run just after it was resumed.

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
from graphrt.draw import svg
from graphrt.draw.progress import Progress
from graphrt.facts import RunResumed
from graphrt.graph import Graph
from graphrt.history import counted
from graphrt.types import RunId

HERE = Path(__file__).parent
SINCE = 12
"""Entries after the resumption: enough for something new to be at work."""


def research(readme: Path, folder: Path) -> Graph[..., Any]:
    """Return the graph of the README's first example, which is written to `folder`."""
    code = re.search(r"```python\n(# research\.py\n.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    path = folder / "research.py"
    path.write_text(code[1], encoding="utf-8")
    graph: Graph[..., Any] = run_path(str(path))["research"]
    return graph


def play(folder: Path) -> None:
    """Play the demo in `folder`."""
    command = [sys.executable, "-m", "graphrt", "demo", "--quiet", "--folder", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


async def resumed(folder: Path) -> Progress:
    """Return how far the run of the demo in `folder` was when it had been taken up again."""
    journal = await SqliteJournal.open(folder / "runs.db", read_only=True)
    try:
        record = [entry for _, entry in await counted(journal, RunId("demo"))]
    finally:
        await journal.aclose()
    taken_up = next(place for place, entry in enumerate(record) if isinstance(entry.fact, RunResumed))
    progress = Progress(inbox)
    for entry in record[: taken_up + SINCE]:
        progress.take(entry)
    return progress


def main() -> None:
    """Make both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        graph = svg(research(HERE.parent / "README.md", folder), direction="right")
        (HERE / "research.svg").write_text(graph, encoding="utf-8")
        play(folder / "demo")
        picture = svg(inbox, run=anyio.run(resumed, folder / "demo"))
        (HERE / "resumed.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
