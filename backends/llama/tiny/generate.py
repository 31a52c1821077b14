"""The mix: conversation number `index` of a seed and a split, always the same one.

    python -m graphrt.backends.llama.tiny.generate 20

prints the first twenty. VERSION names the texts: whoever changes them changes it, and the digest in the tests with it.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable, Iterator

from graphrt.backends.llama.tiny import offers, tasks, world
from graphrt.backends.llama.tiny.conversation import Conversation, text
from graphrt.backends.llama.tiny.words import Split

VERSION = 3
Maker = Callable[[random.Random, Split], Conversation]
MIX: tuple[tuple[Maker, int], ...] = (
    (world.call, 4),
    (world.answer, 5),
    (world.parallel, 5),
    (world.plan, 4),
    (world.route, 2),
    (world.extract, 2),
    (world.check, 3),
    (world.chat, 2),
    (offers.call, 24),
    (offers.answer, 7),
    (offers.no_tool, 5),
    (offers.parallel, 9),
    (offers.turns, 8),
    (offers.correction, 9),
    (offers.plan, 5),
    (tasks.extract, 8),
    (tasks.label, 5),
    (tasks.check, 5),
    (tasks.mention, 1),
)
"""How often each maker has its turn."""
_MAKERS = [maker for maker, weight in MIX for _ in range(weight)]


def conversation(seed: int, index: int, split: Split = "train") -> Conversation:
    """The conversation of that number."""
    rng = random.Random(f"{VERSION}/{split}/{seed}/{index}")
    return rng.choice(_MAKERS)(rng, split)


def conversations(seed: int, count: int, split: Split = "train", *, start: int = 0) -> Iterator[Conversation]:
    """So many of them, in order."""
    for index in range(start, start + count):
        yield conversation(seed, index, split)


def digest(seed: int, count: int, split: Split = "train") -> str:
    """A checksum of the texts."""
    found = hashlib.sha256()
    for one in conversations(seed, count, split):
        found.update(text(one).encode())
    return found.hexdigest()


if __name__ == "__main__":
    for one in conversations(int(sys.argv[2]) if len(sys.argv) > 2 else 0, int(sys.argv[1])):
        print(f"--- {one.skill}\n{text(one)}")
