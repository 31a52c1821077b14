"""The tokens of a model."""

from __future__ import annotations

import ctypes
import functools
from types import ModuleType
from typing import Any


class Vocabulary:
    """The model's tokens: text to ids, ids to bytes. What a token is never changes, so it is read once."""

    def __init__(self, lib: ModuleType, model: Any) -> None:
        self._lib = lib
        self.pointer: int = lib.llama_model_get_vocab(model)
        self.size: int = lib.llama_vocab_n_tokens(self.pointer)
        self.pieces = [self._piece(token) for token in range(self.size)]
        self.eog = tuple(token for token in range(self.size) if lib.llama_vocab_is_eog(self.pointer, token))
        self.eos: int = lib.llama_vocab_eos(self.pointer)
        self.control = frozenset(t for t in range(self.size) if lib.llama_vocab_is_control(self.pointer, t))
        user = lib.LLAMA_TOKEN_ATTR_USER_DEFINED
        self.marks = self.control | {
            token
            for token in range(self.size)
            if lib.llama_vocab_get_attr(self.pointer, token) & user
            and self.pieces[token].startswith(b"<")
            and self.pieces[token].endswith(b">")
        }
        bos: int = lib.llama_vocab_bos(self.pointer)
        self.bos_text = self.text(bos) if 0 <= bos < self.size else ""
        self.eos_text = self.text(self.eos) if 0 <= self.eos < self.size else ""

    def _piece(self, token: int) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length: int = self._lib.llama_token_to_piece(self.pointer, token, buffer, size, 0, True)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

    def text(self, token: int) -> str:
        """A token's own text, as far as its bytes are text."""
        return self.pieces[token].decode("utf-8", "replace")

    @functools.cached_property
    def control_texts(self) -> tuple[str, ...]:
        """How control tokens are spelt: text of others that looks like one must not become one."""
        return tuple(sorted({text for t in self.control if (text := self.text(t).strip())}, key=len, reverse=True))

    def tokenize(self, text: str, *, special: bool, beginning: bool = False) -> list[int]:
        """Split `text`; `special` lets it spell control tokens, `beginning` adds the model's first token."""
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        while True:
            tokens = (ctypes.c_int32 * size)()
            count: int = self._lib.llama_tokenize(self.pointer, data, len(data), tokens, size, beginning, special)
            if count >= 0:
                return tokens[:count]
            size = -count

    def pair(self, one: str, other: str) -> list[int]:
        """The tokens of two texts in one, with the model's own around and between them, as far as it has any."""
        lib, pointer = self._lib, self.pointer
        sep: int = lib.llama_vocab_sep(pointer)
        begin = [lib.llama_vocab_bos(pointer)] if lib.llama_vocab_get_add_bos(pointer) else []
        end = [sep if self.eos < 0 else self.eos] if lib.llama_vocab_get_add_eos(pointer) else []
        between = [sep] if lib.llama_vocab_get_add_sep(pointer) else []
        first, second = (self.tokenize(text, special=False) for text in (one, other))
        tokens = [*begin, *first, *end, *between, *second, *end]
        return [token for token in tokens if token >= 0]

    @property
    def tokenize_pointer(self) -> int | None:
        """The address of llama_tokenize, for a library that calls it itself."""
        return ctypes.cast(self._lib.llama_tokenize, ctypes.c_void_p).value
