"""What is run of a page of documentation: its Python files, its scripts, and the commands it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Shown(NamedTuple):
    """A command as a page shows it: `$ graphrt run …   # exits with 3`."""

    argv: list[str]
    code: int


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def write_files(text: str, folder: Path) -> set[str]:
    """Write the files of a page: a block that begins with `# name.py` or `# name.toml` is that file."""
    written = set()
    for block in [*blocks(text, "python"), *blocks(text, "toml")]:
        if named := re.match(r"# (\w+\.(?:py|toml))\n", block):
            (folder / named[1]).write_text(block, encoding="utf-8")
            written.add(named[1])
    return written


def scripts(text: str) -> list[str]:
    """Return the Python blocks that are no files."""
    return [block for block in blocks(text, "python") if not re.match(r"# \w+\.py\n", block)]


def commands(text: str) -> list[Shown]:
    """Return what the page types, in order, with the exit codes that it tells."""
    found = []
    for line in "".join(blocks(text, "console")).splitlines():
        assert line.startswith("$ graphrt "), line
        typed, _, code = line.removeprefix("$ graphrt ").partition("   # exits with ")
        found.append(Shown(shlex.split(typed), int(code or 0)))
    return found


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
