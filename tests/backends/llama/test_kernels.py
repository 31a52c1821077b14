"""llama.cpp uses the fastest kernels that do not kill the process."""

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.llama import tiny_model
from graphrt.backends.llama.native.kernels import kinds, may_lay_out_anew
from graphrt.backends.llama.native.library import library
from graphrt.backends.llama.native.model import Model


def test_amx_is_struck_off_and_nothing_else() -> None:
    """In a process of its own: what is struck off stays so."""
    code = """
import json
from graphrt.backends.llama.native.kernels import kinds, may_lay_out_anew
from graphrt.backends.llama.native.library import library
lib = library()
print(json.dumps([kinds(lib), may_lay_out_anew(lib), kinds(lib), may_lay_out_anew(lib), kinds(lib)]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, can, after, still, later = json.loads(done.stdout)
    assert can
    assert still
    assert after == later == [kind for kind in before if kind != "AMX"]


def test_a_model_that_was_loaded_has_no_weights_for_amx() -> None:
    Model(tiny_model()).close()
    assert "AMX" not in kinds(library())


def test_where_amx_cannot_be_struck_off_weights_stay_as_they_are() -> None:
    lib: Any = SimpleNamespace(llama_print_system_info=lambda: b"AMX_INT8 = 1", _lib=object())
    assert not may_lay_out_anew(lib)
    assert kinds(lib) == []
