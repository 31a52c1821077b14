"""What is looked at in a GGUF file before llama.cpp reads it: that which it would end the process for.

Everything else that may be wrong with a file llama.cpp reports by itself.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_STRING, _ARRAY = 8, 9
_SIZES: Mapping[int, int] = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""The bytes of each other kind of value."""
_WORDS = 4, 5, 6
"""Kinds of four bytes: whole numbers with and without a sign, and fractions."""
_KINDS: Mapping[bytes, tuple[int, ...]] = {
    b"tokenizer.ggml.tokens": (_STRING,),
    b"tokenizer.ggml.merges": (_STRING,),
    b"tokenizer.ggml.scores": _WORDS,
    b"tokenizer.ggml.token_type": _WORDS,
}
"""Lists that llama.cpp reads without asking what is in them."""


def fault(path: Path) -> str:
    """Why a file must not be loaded; empty where nothing is found, or where it is too damaged to be read so far."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _Reader(data).fault()
        except (struct.error, _Damaged):
            return ""


class _Damaged(Exception):
    """A length that leads beyond the end."""


class _List(NamedTuple):
    kind: int
    start: int
    length: int


class _Reader:
    """Goes through a file's facts."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 16
        """After the letters GGUF, the version and the number of tensors."""

    def fault(self) -> str:
        for _ in range(self._number("<Q")):
            name = self._text()
            found = self._value(self._number("<I"))
            if name not in _KINDS:
                continue
            if found is None or found.kind not in _KINDS[name]:
                return f"{name.decode()} is of the wrong kind"
            if name == b"tokenizer.ggml.tokens" and (twice := self._twice(found)) is not None:
                return f"the token {twice.decode('utf-8', 'replace')!r} occurs twice"
        return ""

    def _number(self, form: str) -> int:
        (found,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return int(found)

    def _text(self) -> bytes:
        size = self._number("<Q")
        return self._data[self._at : self._skip(size)]

    def _skip(self, size: int) -> int:
        self._at += size
        if self._at > len(self._data):
            raise _Damaged
        return self._at

    def _value(self, kind: int) -> _List | None:
        """Step over a value; say where it is if it is a list."""
        if kind == _STRING:
            self._text()
        elif kind != _ARRAY:
            self._skip(_size(kind))
        else:
            inner, count = self._number("<I"), self._number("<Q")
            found = _List(inner, self._at, count)
            if inner != _STRING:
                self._skip(_size(inner) * count)
                return found
            unpack, data, at = struct.Struct("<Q").unpack_from, self._data, self._at
            for _ in range(count):
                at += 8 + unpack(data, at)[0]
            self._at = at
            self._skip(0)
            return found
        return None

    def _twice(self, found: _List) -> bytes | None:
        """A text that occurs twice in a list of them, as C reads it: up to a zero. Empty ones are told apart."""
        end, self._at = self._at, found.start
        seen = set[bytes]()
        try:
            for place in range(found.length):
                text = self._text().partition(b"\0")[0] or f"[EMPTY_{place}]".encode()
                if text in seen:
                    return text
                seen.add(text)
        finally:
            self._at = end
        return None


def _size(kind: int) -> int:
    if kind not in _SIZES:
        raise _Damaged
    return _SIZES[kind]
