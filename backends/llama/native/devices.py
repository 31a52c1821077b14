"""What ggml finds to compute on, by its registry, which nobody binds."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from types import ModuleType
from typing import Any

_GPU_TYPES = (1, 2)
"""ggml's types of devices that are GPUs: with memory of their own, and with the processor's."""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU as ggml sees it, and the bytes of its memory that nobody uses now, in this process or another."""

    name: str
    free: int


def backends(lib: ModuleType) -> list[str]:
    """The kinds of devices that it was built for: CPU, CUDA …"""
    count = call(lib, "reg_count", gives=ctypes.c_size_t).value
    found = (call(lib, "reg_get", ctypes.c_size_t(i)) for i in range(count))
    names = [_text(lib, "reg_name", each) for each in found]
    return ["Metal" if name == "MTL" else name for name in names]


def gpus(lib: ModuleType) -> list[Device]:
    """The GPUs, in the order in which `main_gpu` and `tensor_split` count them."""
    count = call(lib, "dev_count", gives=ctypes.c_size_t).value
    found = (call(lib, "dev_get", ctypes.c_size_t(i)) for i in range(count))
    return [_device(lib, each) for each in found if call(lib, "dev_type", each, gives=ctypes.c_int).value in _GPU_TYPES]


def _device(lib: ModuleType, device: ctypes.c_void_p) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    call(lib, "dev_memory", device, ctypes.byref(free), ctypes.byref(total), gives=None)
    return Device(_text(lib, "dev_description", device), free.value)


def _text(lib: ModuleType, name: str, what: ctypes.c_void_p) -> str:
    said: bytes = call(lib, name, what, gives=ctypes.c_char_p).value
    return said.decode()


def call(lib: ModuleType, name: str, *args: Any, gives: Any = ctypes.c_void_p) -> Any:
    """A function of ggml's backends. Raises AttributeError where this llama.cpp has none of that name."""
    function = getattr(lib._lib, f"ggml_backend_{name}")
    function.restype = gives
    found = function(*args)
    return None if gives is None else gives(found)
