"""What tests of models in the process import first, by `pytest.importorskip`: without a llama.cpp it is not found."""

from graphrt.backends.llama import installed

if not installed():
    raise ModuleNotFoundError("neither the extra llama nor llama-prebuilt is installed")
