"""The tokenizer: byte-level BPE that spells a word the same wherever it stands.

A small model copies: a city out of a request, a name out of an offer. `oslo` after a space, a quote or an underscore
should be the same tokens, so that copying is copying. The merges are therefore learnt on bare runs of letters; only for
the commonest words one more merge takes the space before them in. English words that name things are learnt in pieces:
else those of training would be one token and those of scoring several.

    pip install tokenizers
    python -m graphrt.backends.llama.tiny.tokenizer

writes `tokenizer.json`. llama.cpp reads the same merges under its pre-tokenizer "qwen2". The file is an input of the
generator (`words.fragments`), so it stays as it is while a model of it is shipped: it was learnt on version 2 of the
texts. Delete it first to learn another.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from graphrt.backends.llama.tiny.conversation import text
from graphrt.backends.llama.tiny.generate import conversations
from graphrt.backends.llama.tiny.words import LISTED, TOKENIZER

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<pad>",
    "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>",
)  # fmt: skip
SIZE = 1536
SPACED = 160
"""How many words have a token that takes the space before them in."""
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PIECES = re.compile(r"[A-Za-z]+|\d| ?[^\sA-Za-z\d]+\n*|\s+")


def _pieces(seed: int, count: int, spaced: Counter[str]) -> Iterator[str]:
    """What merges are learnt of, and in `spaced` which words stand after a space."""
    rng = random.Random(seed)
    special = re.compile("|".join(re.escape(mark) for mark in SPECIAL))
    for one in conversations(seed, count):
        for part in special.split(text(one)):
            for found in _PIECES.finditer(part):
                word = found[0]
                if word.lower() in LISTED:
                    while word:
                        cut = rng.randrange(2, 5)
                        yield word[:cut]
                        word = word[cut:]
                    continue
                yield word
                if word.isalpha() and part[: found.start()].endswith(" "):
                    spaced[word] += 1


def build(seed: int = 0, count: int = 20_000) -> Any:
    """Learn the merges on so many conversations."""
    made: Any = import_module("tokenizers")
    spaced: Counter[str] = Counter()
    learner = made.Tokenizer(made.models.BPE())
    learner.pre_tokenizer = made.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = made.trainers.BpeTrainer(
        vocab_size=SIZE - SPACED,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(made.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
        max_token_length=14,
    )
    learner.train_from_iterator(_pieces(seed, count, spaced), trainer)
    model = json.loads(learner.to_str())["model"]
    vocab = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    merges = [tuple(merge) for merge in model["merges"]]
    for word, _ in spaced.most_common():
        if len(vocab) == SIZE:
            break
        if word in vocab:
            merges.append(("Ġ", word))
            vocab[f"Ġ{word}"] = len(vocab)
    final = made.Tokenizer(made.models.BPE(vocab=vocab, merges=merges))
    split = made.pre_tokenizers.Split(made.Regex(QWEN2), "isolated")
    bytes_ = made.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    final.pre_tokenizer = made.pre_tokenizers.Sequence([split, bytes_])
    final.decoder = made.decoders.ByteLevel()
    final.add_special_tokens([made.AddedToken(mark, normalized=False, special=True) for mark in SPECIAL])
    return final


def load() -> Any:
    """The tokenizer of the file."""
    return import_module("tokenizers").Tokenizer.from_file(str(TOKENIZER))


if __name__ == "__main__":
    build().save(str(TOKENIZER))
