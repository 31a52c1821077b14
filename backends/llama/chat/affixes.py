"""Beginnings and ends of texts."""

from __future__ import annotations


def overlap(text: str, mark: str) -> int:
    """How many characters at the end of `text` may be the beginning of `mark`."""
    for size in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:size]):
            return size
    return 0


def common_start(one: str, other: str) -> str:
    """The longest text with which both begin."""
    size = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:size]


def common_end(one: str, other: str) -> str:
    """The longest text with which both end."""
    return common_start(one[::-1], other[::-1])[::-1]
