"""llama.cpp in this process, `LlamaCpp`, or in one of its own, `Isolated`; and a small model that comes along.

Importing this package loads no native code; the first request does.
"""

from graphrt.backends.llama.backend import LlamaCpp as LlamaCpp
from graphrt.backends.llama.isolated import Isolated as Isolated
from graphrt.backends.llama.native.origin import installed as installed
from graphrt.backends.llama.native.shipped import tiny_model as tiny_model

__all__ = ["Isolated", "LlamaCpp", "installed", "tiny_model"]
