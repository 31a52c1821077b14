"""Files that llama.cpp would end the process for are refused before."""

import struct
from pathlib import Path

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.errors import BackendError
from graphrt.backends.llama import tiny_model
from graphrt.backends.llama.native.gguf import fault
from graphrt.backends.llama.native.model import Model


def changed(tmp_path: Path, before: bytes, after: bytes) -> Path:
    whole = tiny_model().read_bytes()
    assert before in whole
    path = tmp_path / "changed.gguf"
    path.write_bytes(whole.replace(before, after, 1))
    return path


def token(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def test_the_shipped_model_is_sound() -> None:
    assert fault(tiny_model()) == ""


def test_a_token_that_occurs_twice_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, token(b"<|im_start|>"), token(b"<|im_end|>\0\0"))  # C reads up to the zero
    assert token(b"<|im_end|>") in path.read_bytes()
    assert fault(path) == "the token '<|im_end|>' occurs twice"
    with pytest.raises(BackendError, match="occurs twice"):
        Model(path)


def test_a_list_of_the_wrong_kind_is_named(tmp_path: Path) -> None:
    name = b"tokenizer.ggml.token_type"
    head = token(name) + struct.pack("<I", 9)
    path = changed(tmp_path, head + struct.pack("<I", 5), head + struct.pack("<I", 4))
    assert fault(path) == ""  # with and without a sign are as good
    path = changed(tmp_path, head + struct.pack("<I", 5), head + struct.pack("<I", 1))
    assert fault(path) == f"{name.decode()} is of the wrong kind"
    with pytest.raises(BackendError):
        Model(path)


def test_a_file_that_cannot_be_read_so_far_is_left_to_llama_cpp(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    for size in (4, 20, 24, 1000, 20_000):
        path.write_bytes(tiny_model().read_bytes()[:size])
        assert fault(path) == ""
