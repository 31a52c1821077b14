"""What a notebook shows of a run that failed: where in the user's code, and the error's own words, without the frames
of what ran it. Everything is in the exception still, for whoever asks: `%debug`, `traceback`, `raise`.
"""

from __future__ import annotations

import sys
import sysconfig
import traceback
from pathlib import Path
from traceback import FrameSummary

import anyio

import graphrt
from graphrt.errors import RunError

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"
_PACKAGES = tuple(
    str(Path(module.__file__).resolve().parent)
    for module in (graphrt, anyio, sys.modules.get("IPython"))
    if module is not None and module.__file__ is not None
)
_LIBRARY = str(Path(sysconfig.get_path("stdlib")).resolve())


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
    return [line for frame in outside or stack for line in _lines(frame)]


def _lines(frame: FrameSummary) -> list[str]:
    place = f"  {_place(frame.filename)}, line {frame.lineno}, in {frame.name}"
    return [place, f"    {frame.line}"] if frame.line else [place]


def _place(filename: str) -> str:
    """Name a file, or the cell that a notebook's kernel keeps in it."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    found = None if shell is None else shell.compile.format_code_name(filename)
    return f'File "{filename}"' if found is None else " ".join(found)


def _is_inner(filename: str) -> bool:
    """Whether a file is of what runs a graph, or of Python's library: an error's words say what went wrong there."""
    path = str(Path(filename).resolve())
    library = path.startswith(_LIBRARY) and "site-packages" not in path
    return library or path.startswith(_PACKAGES)
