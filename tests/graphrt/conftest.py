"""What the tests of the command line have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from graphrt.cli import main
from tests.graphrt.command import BROKEN, FLOWS, Cli, Said, Terminal


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with graphs in it, as the current one; what commands import is forgotten afterwards."""
    (tmp_path / "flows.py").write_text(FLOWS, encoding="utf-8")
    (tmp_path / "broken.py").write_text(BROKEN, encoding="utf-8")
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "inner.py").write_text(FLOWS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GRAPHRT_") and name != "GRAPHRT_EVICT"]:
        monkeypatch.delenv(name)
    paths, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command in this process."""

    def call(*argv: str) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(argv)
        said = capsys.readouterr()
        return Said(int(left.value.code or 0), said.out, said.err)

    return call


class _Screen(StringIO):
    """A terminal as far as a command can tell: it takes colours, and is as wide as COLUMNS says."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Runs a command in this process on a terminal that is so wide, and returns what is on it."""

    def call(width: int, *argv: str, colours: bool = False) -> str:
        screen = _Screen()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            patch.setattr(sys, "stderr", screen)
            patch.setenv("COLUMNS", str(width))
            patch.setenv("TERM", "xterm")
            patch.delenv("NO_COLOR", raising=False)
            if not colours:
                patch.setenv("NO_COLOR", "1")
            with pytest.raises(SystemExit):
                main(argv)
        return screen.getvalue()

    return call
