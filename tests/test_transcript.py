"""The transcript in the docs is what the commands print today."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from tests.graphrt.command import Child

DOCS = Path(__file__).resolve().parents[1] / "docs"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("transcript", DOCS / "transcript.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_transcript_is_what_the_terminals_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D3, D7, D9, D10: two processes, a kill -9, a person, a fork and a replay, word for word but for times and
    numbers of processes."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GRAPHRT_")]:
        monkeypatch.delenv(name)
    transcript = script()

    class Forked:
        def __init__(self, *argv: str) -> None:
            self.child = Child(*argv, joined=True)
            self.pid = self.child.pid

        def until(self, words: str) -> str:
            found: str = transcript.read_until(self.child.stderr, words)
            return found

        def end(self) -> tuple[int, str]:
            said = self.child.end()
            return said.code, said.err

    page = transcript.story(Forked, tmp_path)
    assert transcript.shape(page) == transcript.shape((DOCS / "transcript.md").read_text(encoding="utf-8"))
