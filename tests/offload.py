"""The same tests on a GPU: `pytest --graphrt-gpu-layers=-1`.

What a model promises to the bit it promises of a processor: the tests of that are marked `processor`, and left out.
"""

from pathlib import Path
from typing import Any

from graphrt.backends.llama import Isolated, LlamaCpp
from graphrt.backends.llama.native.model import Placement


def offload(layers: int) -> None:
    """Have every model of this process, and of those that it isolates, put `layers` on the GPU unless it is told
    otherwise."""
    defaults: Any = LlamaCpp.__init__
    defaults.__kwdefaults__["n_gpu_layers"] = layers
    placed: Any = Placement.__init__
    placed.__defaults__ = (layers, *placed.__defaults__[1:])
    begin: Any = Isolated.__init__

    def begin_there(self: Isolated, path: str | Path = "tiny", **options: Any) -> None:
        begin(self, path, **{"n_gpu_layers": layers, **options})

    Isolated.__init__ = begin_there  # type: ignore[method-assign]
