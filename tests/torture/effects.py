"""What a body does to the world outside the store, so that it can be counted.

An effect is a line: the run, the step's key, its attempt, a hash of what the body was given; a line without a step says
what a run came to. It is on the disk before the body goes on; then a byte goes to stdout, which is how a killer knows
how far its victim is.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from graphrt import context

_file = -1


def record(path: Path) -> None:
    """From now on, append effects to a file. Without this, they have none."""
    global _file
    _file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def effect(*given: Any) -> None:
    """Append a line that names this attempt and what it was given; return once it is on the disk."""
    if _file < 0:
        return
    step = context()
    digest = hashlib.sha256(json.dumps(given).encode()).hexdigest()[:16]
    _line(step.run, step.step, str(step.attempt), digest)


def answer(run: str, result: Any) -> None:
    """Append a line that says what a run came to; return once it is on the disk."""
    _line(run, "", "0", json.dumps(result))


def _line(*cells: str) -> None:
    os.write(_file, ("\t".join(cells) + "\n").encode())
    os.fsync(_file)
    tell()


def tell() -> None:
    """Tell the killer that there was progress."""
    os.write(1, b".")
