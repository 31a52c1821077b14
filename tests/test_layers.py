"""Imports point one way: author, graph, run, scheduler, node, backend, journal."""

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[1]


def test_imports_point_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new module fails until it is placed; the core sees no LLM, no HTTP and no SQL (design, section 5)."""
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None) == 0
