"""Imports point one way: author, graph, run, scheduler, node, backend, journal."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(cache_dir=None))"


def test_imports_point_one_way() -> None:
    """A new module fails until it is placed; the core sees no LLM, no HTTP and no SQL (design, section 5)."""
    # In a process of its own: the linter sets up the logging of the whole process to its own liking.
    linted = subprocess.run([sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr
