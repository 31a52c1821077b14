"""Byte-level BPE as `tokenizer.json` describes it, a page of plain Python: what llama.cpp's tokens are held against.

The trainer reads the same file with the package `tokenizers`, which this package does not need.
"""

import functools
import json
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

_SPACES = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {chr(c) for c in range(0x2000, 0x200B)}
_SHORT = re.compile("'(?:s|t|re|ve|m|ll|d)", re.IGNORECASE | re.ASCII)


def _kind(char: str) -> str:
    """A letter, a number, white space, or any other sign."""
    if char in _SPACES:
        return "W"
    kind = unicodedata.category(char)[0]
    return kind if kind in "LN" else "P"


def pieces(text: str) -> Iterator[str]:
    """Cut text as the pre-tokenizer "qwen2" does: words with the sign before them, single digits, runs of signs."""
    kinds = "".join(map(_kind, text))
    at = 0
    while at < len(text):
        end = _end(text, kinds, at)
        yield text[at:end]
        at = end


def _end(text: str, kinds: str, at: int) -> int:
    if short := _SHORT.match(text, at):
        return short.end()
    start = at + (kinds[at] in "WP" and text[at] not in "\r\n")
    if kinds[start : start + 1] == "L":
        return len(kinds) - len(kinds[start:].lstrip("L"))
    if kinds[at] == "N":
        return at + 1
    start = at + (text[at] == " ")
    if kinds[start : start + 1] == "P":
        end = len(kinds) - len(kinds[start:].lstrip("P"))
        return len(text) - len(text[end:].lstrip("\r\n"))
    end = len(kinds) - len(kinds[at:].lstrip("W"))
    line = max(text.rfind("\n", at, end), text.rfind("\r", at, end))
    if line >= 0:
        return line + 1
    return end if end == len(text) or end == at + 1 else end - 1


class Tokenizer:
    """Text to numbers, by the file."""

    def __init__(self, path: Path) -> None:
        model = json.loads(path.read_text(encoding="utf-8"))
        self._vocab: dict[str, int] = model["model"]["vocab"]
        self._ranks = {tuple(merge): rank for rank, merge in enumerate(model["model"]["merges"])}
        marks = sorted((token["content"] for token in model["added_tokens"]), key=len, reverse=True)
        self._marks = re.compile("(" + "|".join(map(re.escape, marks)) + ")")
        plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
        shifted = [byte for byte in range(256) if byte not in plain]
        self._bytes = {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(shifted)}
        self._merged = functools.cache(self._merge)

    def encode(self, text: str) -> list[int]:
        """The tokens of `text`, marks such as `<|im_end|>` included."""
        found: list[int] = []
        for i, part in enumerate(self._marks.split(text)):
            if i % 2:
                found.append(self._vocab[part])
            else:
                for piece in pieces(part):
                    found += self._merged("".join(self._bytes[byte] for byte in piece.encode()))
        return found

    def _merge(self, word: str) -> tuple[int, ...]:
        parts = list(word)
        while len(parts) > 1:
            rank, at = min((self._ranks.get(pair, len(self._ranks)), i) for i, pair in enumerate(pairwise(parts)))
            if rank == len(self._ranks):
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return tuple(self._vocab[part] for part in parts)
