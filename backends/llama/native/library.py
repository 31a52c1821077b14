"""llama.cpp's shared library: loaded once, quietly, and how a computation of it is interrupted."""

from __future__ import annotations

import ctypes
import functools
import importlib
import logging
import os
import sys
import threading
import weakref
from collections import deque
from types import ModuleType
from typing import Any

from graphrt.backends.errors import BackendError
from graphrt.backends.llama.native.origin import bound, origin

log = logging.getLogger("graphrt.llama")
log.addHandler(logging.NullHandler())  # llama.cpp's words go to whoever asks for them, never to stderr by themselves

ERROR_LEVEL = 4
"""ggml's level for errors in its log."""
errors: deque[str] = deque(maxlen=8)
"""What llama.cpp said last about what went wrong."""
_callbacks: list[Any] = []
"""Kept for the life of the process: llama.cpp calls them whenever it likes."""
_here = threading.local()
"""The abort flags of the contexts that are computed in this thread."""


class Aborted(Exception):
    """The computation was interrupted because nobody wants its result any more."""


def extra(module: str) -> ModuleType:
    """Import a package of the `llama` extra, or say how to install it."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:  # the last two: its shared library does not load
        raise BackendError(
            f"{module} is not installed (or does not load: {error}); llama.cpp inside the process needs "
            "`pip install 'graphrt[llama]'`, or 'graphrt[llama-prebuilt]', which compiles nothing",
            provider="llama_cpp",
        ) from error


def load() -> ModuleType:
    """Load llama.cpp, and do nothing with it. Raises BackendError where there is none, or none that can be used."""
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    found = origin()
    lib: ModuleType = bound(found) if found.library else extra("llama_cpp").llama_cpp
    return lib


@functools.cache
def library() -> ModuleType:
    """Load llama.cpp once in the process, quietly: its log goes to Python's, and an assertion starts no debugger."""
    lib = load()
    _callbacks.append(lib.llama_log_callback(_on_log))
    lib.llama_log_set(_callbacks[-1], ctypes.c_void_p(0))
    lib.llama_backend_init()
    return lib


def _on_log(level: int, text: bytes | None, _data: object) -> None:
    if level == ERROR_LEVEL and text:
        line = text.decode("utf-8", "replace").strip()
        errors.append(line)
        # An interruption is an error to llama.cpp and none to us.
        log.log(logging.DEBUG if any(getattr(_here, "flags", ())) else logging.ERROR, "%s", line)


class Abort:
    """A flag that llama.cpp looks at hundreds of times in each computation. Any thread may raise it.

    The function it calls is C's own strlen over two bytes: 0 while the flag is down, 1 while it is up. A callback
    written in Python would wait for the interpreter's lock each time: measured ten times slower beside a busy event
    loop.
    """

    def __init__(self) -> None:
        self._bytes = ctypes.create_string_buffer(2)

    def set(self) -> None:
        """Raise the flag: the computation that runs ends within a millisecond or so."""
        self._bytes[0] = b"\x01"

    def clear(self) -> None:
        """Lower the flag."""
        self._bytes[0] = b"\x00"

    def __bool__(self) -> bool:
        return self._bytes.raw[0] != 0

    def attach(self, lib: ModuleType, context: Any) -> None:
        """Have `context`, which belongs to this thread, look at this flag."""
        if not hasattr(_here, "flags"):
            _here.flags = weakref.WeakSet()
        _here.flags.add(self)
        libc = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
        callback = ctypes.cast(libc.strlen, lib.ggml_abort_callback)
        lib.llama_set_abort_callback(context, callback, ctypes.cast(self._bytes, ctypes.c_void_p))
