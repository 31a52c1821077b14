"""llama.cpp inside the process: `LlamaCpp`, and a small model that comes with the package.

Importing this package loads no native code; the first request does.
"""

from graphrt.backends.llama.backend import LlamaCpp as LlamaCpp
from graphrt.backends.llama.backend import tiny_model as tiny_model

__all__ = ["LlamaCpp", "tiny_model"]
