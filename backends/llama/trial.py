"""A process that loads llama.cpp and asks the model that comes along for a token, saying at each stage how far it came.

`survey` starts it, as a process of its own: what is compiled for another processor takes its process with it. Each line
on stdout is a JSON object: a stage alone as it begins, with what came of it at its end. The last stage that began and
did not end is the one that killed it.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import anyio

from graphrt.backends import Request, Settings, complete
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.llama.native.fitness import FEATURES, PACKAGES
from graphrt.backends.llama.native.library import load
from graphrt.backends.messages import user

_GPU_TYPES = (1, 2)
"""ggml's types of devices that are GPUs: with memory of their own, and with the processor's."""


def main() -> None:
    """Go through the stages; one that fails does not hold up the next."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what native code prints must not come between

    def stage(name: str, work: Callable[[], Any]) -> None:
        def tell(**said: Any) -> None:
            out.write(json.dumps({"stage": name, **said}) + "\n")
            out.flush()

        tell()
        try:
            tell(result=work())
        except Exception as error:
            tell(failed=f"{type(error).__name__}: {error}")

    for module in PACKAGES:
        stage(module, partial(_load, module))
    stage("features", _features)
    stage("build", _build)
    stage("tiny", lambda: anyio.run(_answer))


def _load(module: str) -> bool:
    if module == "llama_cpp":
        load()
    else:
        import_module(module)
    return True


def _features() -> list[str]:
    """What it was compiled with, asked before it computes anything: these functions hold no special instruction."""
    ggml = load()._lib
    asked = ((each, getattr(ggml, f"ggml_cpu_has_{each.lower()}", None)) for each in FEATURES)
    return [each for each, has in asked if has is not None and has()]


def _build() -> dict[str, Any]:
    lib = load()
    lib.llama_supports_gpu_offload()  # it finds out what there is; made for another processor, it dies of that
    said = re.search(r"\bCPU : ([^:]*\|)", lib.llama_print_system_info().decode())
    features = re.findall(r"(\w+) = 1\b", said[1]) if said else []
    return {"features": features, **_devices(lib._lib)}


def _devices(ggml: Any) -> dict[str, list[str]]:
    """What it can compute on, by ggml's registry, which nobody binds."""

    def call(name: str, *args: Any, gives: Any) -> Any:
        function = getattr(ggml, f"ggml_backend_{name}")
        function.restype = gives
        return function(*args)

    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    backends = [pointer(call("reg_get", size(i), gives=pointer)) for i in range(call("reg_count", gives=size))]
    devices = [pointer(call("dev_get", size(i), gives=pointer)) for i in range(call("dev_count", gives=size))]
    names = [call("reg_name", each, gives=text).decode() for each in backends]
    return {
        "backends": ["Metal" if name == "MTL" else name for name in names],
        "devices": [
            call("dev_description", each, gives=text).decode()
            for each in devices
            if call("dev_type", each, gives=ctypes.c_int) in _GPU_TYPES
        ],
    }


async def _answer() -> float:
    """Seconds from before the model is loaded until its first token."""
    backend = LlamaCpp()
    begun = time.monotonic()
    await complete(backend.stream(Request(messages=(user("Hello"),), settings=Settings(max_tokens=1))))
    seconds = time.monotonic() - begun
    await backend.aclose()
    return seconds


if __name__ == "__main__":
    main()
