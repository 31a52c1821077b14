"""The same tests on a GPU: `pytest --graphrt-gpu-layers=-1`.

The models of tests compute as on a processor, `exact`, where the tests do not say otherwise: the answers are so short
that they come out the same. What is promised of a processor alone is marked `processor`, and left out.
"""

import inspect
from pathlib import Path
from typing import Any

from graphrt.backends.llama import Isolated, LlamaCpp
from graphrt.backends.llama.engine.engine import Options
from graphrt.backends.llama.native.model import Placement


def offload(layers: int) -> None:
    """Have every model of this process, and of those that it isolates, put `layers` on the GPU unless it is told
    otherwise."""
    defaults: Any = LlamaCpp.__init__
    defaults.__kwdefaults__.update(n_gpu_layers=layers, exact=True)
    options: Any = Options.__init__
    names = [*inspect.signature(Options).parameters]
    options.__defaults__ = tuple(
        True if name == "exact" else default for name, default in zip(names, options.__defaults__, strict=True)
    )
    placed: Any = Placement.__init__
    placed.__defaults__ = (layers, *placed.__defaults__[1:])
    begin: Any = Isolated.__init__

    def begin_there(self: Isolated, path: str | Path = "tiny", **options: Any) -> None:
        begin(self, path, **{"n_gpu_layers": layers, "exact": True, **options})

    Isolated.__init__ = begin_there  # type: ignore[method-assign]
