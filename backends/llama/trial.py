"""A process that loads llama.cpp and asks the model that comes along for a token, saying at each stage how far it came.

`survey` starts it, as a process of its own: what is compiled for another processor takes its process with it. Each line
on stdout is a JSON object: a stage alone as it begins, with what came of it at its end. The last stage that began and
did not end is the one that killed it.
"""

from __future__ import annotations

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
from graphrt.backends.llama.native.devices import backends, gpus
from graphrt.backends.llama.native.fitness import FEATURES, PACKAGES
from graphrt.backends.llama.native.library import load
from graphrt.backends.messages import user


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
    if _finds_a_gpu():
        stage("gpu", lambda: anyio.run(_answer, -1))


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
    return {"features": features, "backends": backends(lib), "devices": [each.name for each in gpus(lib)]}


def _finds_a_gpu() -> bool:
    try:
        return bool(load().llama_supports_gpu_offload())
    except Exception:  # one of the stages has told of it
        return False


async def _answer(n_gpu_layers: int = 0) -> float:
    """Seconds from before the model is loaded until its first token."""
    backend = LlamaCpp(n_gpu_layers=n_gpu_layers)
    begun = time.monotonic()
    await complete(backend.stream(Request(messages=(user("Hello"),), settings=Settings(max_tokens=1))))
    seconds = time.monotonic() - begun
    await backend.aclose()
    return seconds


if __name__ == "__main__":
    main()
