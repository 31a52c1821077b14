"""What a notebook shows of a run that failed: where in the user's code, and the error's own words, without the frames
of what ran it. Everything is in the exception still, for whoever asks: `%debug`, `traceback`, `raise`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
import traceback
from pathlib import Path

import anyio

import graphrt
from graphrt.errors import RunError

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"
_INNER = tuple(
    str(Path(module.__file__).resolve().parent)
    for module in (graphrt, anyio, asyncio, concurrent.futures, sys.modules.get("IPython"))
    if module is not None and module.__file__ is not None
)
_ALONE = {str(Path(threading.__file__).resolve())}


def rendered(error: BaseException) -> list[str]:
    """Return the lines of an error and of what caused it, the cause first."""
    lines: list[str] = []
    if error.__cause__ is not None:
        lines += [*rendered(error.__cause__), ""]
    name = type(error).__name__
    here = [f"  or here: await rt.resume({error.run!r}, {error.graph})"] if isinstance(error, RunError) else []
    return [*lines, *_frames(error), *f"{_RED}{name}{_PLAIN}: {error}".splitlines(), *here]


def _frames(error: BaseException) -> list[str]:
    stack = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in stack if not _is_inner(frame.filename)]
    return [line.rstrip() for line in traceback.StackSummary.from_list(outside or stack).format()]


def _is_inner(filename: str) -> bool:
    path = str(Path(filename).resolve())
    return path in _ALONE or path.startswith(_INNER)
