"""The shipped model with other weights: made by ggml's own functions, which every llama.cpp brings."""

from ctypes import Structure, c_bool, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from graphrt.backends.llama.library import library

TYPES = {"F16": 1, "BF16": 30, "Q4_0": 2, "Q5_0": 6}
"""ggml's numbers for them."""
Q8_0 = 8
ALIGNMENT = 32
BLOCK = np.dtype([("scale", "<f2"), ("values", "i1", 32)])


class _Reading(Structure):
    _fields_ = (("no_alloc", c_bool), ("ctx", c_void_p))


def rewrite(source: Path, target: Path, weights: str) -> None:
    """Write the GGUF file `source`, whose weights are Q8_0, with those of another type."""
    kind, file = TYPES[weights], source.read_bytes()

    def call(name: str, *args: Any, gives: Any = None) -> Any:
        function = getattr(library()._lib, name)
        function.restype = gives
        return function(*args)

    gguf = c_void_p(call("gguf_init_from_file", bytes(source), _Reading(True, None), gives=c_void_p))
    start = call("gguf_get_data_offset", gguf, gives=c_size_t)
    count = call("gguf_get_n_tensors", gguf, gives=c_int64)
    places = [start + call("gguf_get_tensor_offset", gguf, c_int64(each), gives=c_size_t) for each in range(count)]
    written = []
    for each, at, end in zip(map(c_int64, range(count)), places, [*places[1:], len(file)], strict=True):
        data = np.frombuffer(file[at:end], np.uint8)
        if call("gguf_get_tensor_type", gguf, each, gives=c_int) == Q8_0:
            blocks = data[: len(data) // BLOCK.itemsize * BLOCK.itemsize].view(BLOCK)
            values = (blocks["values"] * blocks["scale"].astype(np.float32)[:, None]).ravel()
            made = np.empty_like(values)
            pointers = c_void_p(values.ctypes.data), c_void_p(made.ctypes.data)
            rows = c_int64(0), c_int64(len(blocks)), c_int64(32)
            size = call("ggml_quantize_chunk", kind, *pointers, *rows, c_void_p(), gives=c_size_t)
            data = np.pad(made.view(np.uint8)[:size], (0, -size % ALIGNMENT))
            call("gguf_set_tensor_type", gguf, call("gguf_get_tensor_name", gguf, each, gives=c_char_p), kind)
        written.append(data.tobytes())
    assert call("gguf_write_to_file", gguf, bytes(target), c_bool(True), gives=c_bool)  # all but the weights
    call("gguf_free", gguf)
    with target.open("ab") as out:
        out.writelines(written)
