"""Which of its kernels llama.cpp may use: all but those for AMX, which kill the process on some machines.

The processor, the system and llama.cpp all say that AMX is there; the first instruction of it is then an illegal one
in some virtual machines, and others report crashes without that (ggml-org/llama.cpp#20824, #26954). llama.cpp lays
weights out anew for one kind of kernel, the first on a list that it hands out as its own memory. Its switch for the
list, `use_extra_bufts`, gives up the others on it, too, and those make Q4_0 twice as fast. So AMX is struck off.
"""

from __future__ import annotations

import ctypes
import itertools
from types import ModuleType
from typing import Any

from graphrt.backends.llama.native.devices import call

_PROCESSOR = 0
"""ggml's type of device for the processor itself."""
_AMX = "AMX"


def may_lay_out_anew(lib: ModuleType) -> bool:
    """Strike AMX off the list; whether what is left of it can be used. For the process, and as often as one likes."""
    if b"AMX_INT8 = 1" not in lib.llama_print_system_info():
        return True
    entries = _entries(lib)
    if entries is None:
        return False
    kept = [kind for kind in _kinds(entries) if _name(lib, kind) != _AMX]
    for at, kind in enumerate([*kept, None]):
        entries[at] = kind
    return True


def kinds(lib: ModuleType) -> list[str]:
    """The names on the list: for what, other than plainly, weights may be laid out."""
    return [_name(lib, kind) for kind in _kinds(_entries(lib))]


def _kinds(entries: Any) -> list[int]:
    return list(itertools.takewhile(bool, entries or ()))


def _entries(lib: ModuleType) -> Any:
    """The list itself, which ends in a null; None where this llama.cpp has none."""
    try:
        device = call(lib, "dev_by_type", ctypes.c_int(_PROCESSOR))
        registry = call(lib, "dev_backend_reg", device)
        found = call(lib, "reg_get_proc_address", registry, ctypes.c_char_p(b"ggml_backend_dev_get_extra_bufts"))
    except AttributeError:
        return None
    if not found:
        return None
    return ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)(found.value)(device) or None


def _name(lib: ModuleType, kind: int) -> str:
    name: bytes = call(lib, "buft_name", ctypes.c_void_p(kind), gives=ctypes.c_char_p).value
    return name.decode()
