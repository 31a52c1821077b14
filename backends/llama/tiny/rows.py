"""Rows of tokens: conversations as numbers, side by side with others of like length.

A text stands in the narrowest row that holds it, by itself: nothing that is learnt attends to another text, as nothing
will in llama.cpp. A step has rows of every width, as many as texts are that long, so that every step has every skill.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from graphrt.backends.llama.tiny.conversation import segments
from graphrt.backends.llama.tiny.generate import conversation
from graphrt.backends.llama.tiny.words import Split

Rows = tuple[tuple[int, int], ...]
"""Widths, and how many rows of each."""
PAD = 3
WIDTHS: tuple[int, ...] = (64, 96, 128, 192, 256, 384, 640, 1024)
"""Tokens in a row."""


def numbers(index: int, seed: int, split: Split, tokenizer: Any) -> tuple[list[int], list[int], str]:
    """One conversation's tokens, whether each is to be learnt, and its skill."""
    one = conversation(seed, index, split)
    tokens: list[int] = []
    learnt: list[int] = []
    for piece, learn in segments(one):
        ids = tokenizer.encode(piece, add_special_tokens=False).ids
        tokens += ids
        learnt += [int(learn)] * len(ids)
    return tokens, learnt, one.skill


def layout(budget: int, tokenizer: Any) -> Rows:
    """How many rows of each width make a step of about `budget` tokens, as often as texts are that long."""
    counts = dict.fromkeys(WIDTHS, 0)
    for index in range(4000):
        length = len(numbers(index, 10**6, "train", tokenizer)[0])
        if length <= WIDTHS[-1]:
            counts[min(width for width in WIDTHS if width >= length)] += 1
    area = sum(width * count for width, count in counts.items())
    return tuple((width, max(1, round(count * budget / area))) for width, count in counts.items() if count)


def steps(rows: Rows, seed: int, first: int, stride: int, tokenizer: Any) -> Iterator[Any]:
    """Full steps, without end: tokens and marks, flat, the widths in the order of `rows`."""
    np = import_module("numpy")
    waiting: dict[int, list[tuple[list[int], list[int]]]] = {width: [] for width, _ in rows}
    index = first
    while True:
        while any(len(waiting[width]) < count for width, count in rows):
            tokens, learnt, _ = numbers(index, seed, "train", tokenizer)
            index += stride
            fitting = [width for width, count in rows if width >= len(tokens) and len(waiting[width]) < 3 * count]
            if fitting:
                waiting[fitting[0]].append((tokens, learnt))
        flat, marks = [], []
        for width, count in rows:
            for tokens, learnt in waiting[width][:count]:
                flat += tokens + [PAD] * (width - len(tokens))
                marks += learnt + [2] * (width - len(tokens))
            del waiting[width][:count]
        yield np.array(flat, dtype=np.int16), np.array(marks, dtype=np.uint8)
