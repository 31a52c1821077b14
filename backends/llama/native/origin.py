"""Which llama.cpp is used: the one compiled here, one that a wheel brings, or one that somebody built himself.

llama-cpp-python brings its own binding. Another library is bound by `binding`, once a process that may die of it has
got a known answer from it: that takes a third of a second, once in a process.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from graphrt.backends.errors import BackendError
from graphrt.backends.llama.native import binding
from graphrt.backends.llama.native.ending import ending
from graphrt.backends.llama.native.shipped import tiny_model

OWN_BUILD = "GRAPHRT_LLAMA_LIBRARY"
"""The variable that holds the path of the shared library of somebody's own build. It goes before every package."""
COMPILED, PREBUILT = "llama-cpp-python", "xllamacpp"
"""Packages that bring a llama.cpp: where both are installed, the first is used."""
_PATIENCE = 60.0
"""Seconds that the smallest of models may take for an answer."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where llama.cpp comes from. `package` is empty for somebody's own build."""

    package: str
    library: str = ""
    """The path of the shared library that has to be bound here; empty for `COMPILED`, be it there or not."""


def origin() -> Origin:
    """Look where llama.cpp comes from here. Loads nothing."""
    if own := os.environ.get(OWN_BUILD):
        return Origin("", own)
    wheel = None if find_spec("llama_cpp") else find_spec(PREBUILT)
    for place in (wheel and wheel.submodule_search_locations) or ():
        for path in Path(place).glob(f"{PREBUILT}*.so"):
            return Origin(PREBUILT, str(path))
    return Origin(COMPILED)


def installed() -> bool:
    """Whether there is a llama.cpp; `graphrt doctor --llama` says whether it works."""
    return origin() != Origin(COMPILED) or find_spec("llama_cpp") is not None


def bound(found: Origin) -> ModuleType:
    """Bind the library of `found`, or raise BackendError if it is none that this process survives."""
    try:
        _try_out(found.library)
        return binding.bind(found.library)
    except (binding.Misfit, OSError) as error:
        mend = "install 'graphrt[llama-prebuilt]' or 'graphrt[llama]' as graphrt asks for them"
        raise BackendError(
            f"the llama.cpp in {found.library} cannot be used: {error}. Known are {binding.KNOWN}: "
            + (mend if found.package else f"unset {OWN_BUILD} to use one that is installed"),
            provider="llama_cpp",
        ) from error


@functools.cache
def _try_out(path: str) -> None:
    """Have another process get an answer from the library at `path`; raise Misfit if it does not, or not the right."""
    line = [sys.executable, "-I", "-S", str(binding.__file__), path, str(tiny_model())]
    try:
        ended = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise binding.Misfit(f"it gave no answer within {_PATIENCE:g} s") from None
    if ended.returncode == 1:
        raise binding.Misfit(ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
    if ended.returncode:
        raise binding.Misfit(f"a process that tried it ended with {ending(ended.returncode)}")
