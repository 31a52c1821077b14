"""A model of any size that nobody trained: random weights in Q4_0, a made-up vocabulary, nothing fetched.

    python -m tests.bench.random_model OUT.gguf [large]

Its speed is that of a trained model of the same shape, which is all that a bench wants of it. What it writes is noise;
it never ends an answer by itself while it takes the likeliest token. Needs the package `gguf`, of the group `bench`.
"""

from __future__ import annotations

import string
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import chain, product
from pathlib import Path
from typing import Any

BLOCK = 32
"""Weights of Q4_0 that have a scale in common."""
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """How large a model is. `kv_heads` share what the `heads` look at, `hidden` is the width of the feed-forward."""

    layers: int = 24
    width: int = 896
    heads: int = 14
    kv_heads: int = 2
    hidden: int = 4864
    vocabulary: int = 151_936
    context: int = 8192

    def weights(self) -> dict[str, tuple[int, int]]:
        """The matrices by name: rows and columns."""
        width, head = self.width, self.width // self.heads
        each = {
            "attn_q": (self.heads * head, width),
            "attn_k": (self.kv_heads * head, width),
            "attn_v": (self.kv_heads * head, width),
            "attn_output": (width, self.heads * head),
            "ffn_gate": (self.hidden, width),
            "ffn_up": (self.hidden, width),
            "ffn_down": (width, self.hidden),
        }
        found = {"token_embd.weight": (self.vocabulary, width)}
        for layer, (name, size) in product(range(self.layers), each.items()):
            found[f"blk.{layer}.{name}.weight"] = size
        return found

    def norms(self) -> list[str]:
        """The vectors by name."""
        each = [f"blk.{i}.{name}.weight" for i in range(self.layers) for name in ("attn_norm", "ffn_norm")]
        return [*each, "output_norm.weight"]


LARGE = Shape(layers=32, width=4096, heads=32, kv_heads=8, hidden=14_336)
"""Seven and a half billion weights."""


def merges() -> Iterator[tuple[str, str]]:
    """What may be joined, in order: any two signs, then those with a letter after them. More than enough."""
    signs = ["\u0120", *(sign for sign in string.printable if sign.isprintable() and sign != " ")]  # \u0120 is a space
    pairs = list(product(signs, signs))
    return chain(pairs, ((one + other, letter) for (one, other), letter in product(pairs, string.ascii_lowercase)))


def vocabulary(size: int) -> tuple[list[str], list[str]]:
    """So many tokens of a byte-level BPE, and the merges that make those that are more than a byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    tokens = [*CONTROL, *map(chr, plain), *(chr(256 + i) for i in range(256 - len(plain)))]
    joined = [pair for _, pair in zip(range(size - len(tokens)), merges(), strict=False)]
    return tokens + ["".join(pair) for pair in joined], [" ".join(pair) for pair in joined]


def write(path: Path, shape: Shape | None = None, *, seed: int = 0) -> Path:
    """Write a model, the same one for the same shape and seed, and return its path."""
    gguf: Any = import_module("gguf")
    numpy: Any = import_module("numpy")
    shape = shape or Shape()
    tokens, merged = vocabulary(shape.vocabulary)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(1e6)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    kinds = gguf.TokenType
    writer.add_token_types([kinds.CONTROL if token in CONTROL else kinds.NORMAL for token in tokens])
    writer.add_token_merges(merged)
    writer.add_eos_token_id(CONTROL.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    draw = numpy.random.default_rng(seed)
    drawn: dict[tuple[int, int], Any] = {}  # of a large model, matrices of one size are the same: a minute less
    for name, (rows, columns) in shape.weights().items():
        if shape.width >= LARGE.width and (rows, columns) in drawn:
            writer.add_tensor(name, drawn[rows, columns], raw_dtype=gguf.GGMLQuantizationType.Q4_0)
            continue
        # A block is a scale and 32 numbers of four bits, from -7 to 7 here: about four scales wide.
        blocks = numpy.empty((rows, columns // BLOCK, 2 + BLOCK // 2), numpy.uint8)
        scale = 0.25 if name.startswith("token") else 0.25 / columns**0.5
        blocks[..., :2] = numpy.array([scale], numpy.float16).view(numpy.uint8)
        low, high = (draw.integers(1, 16, blocks[..., 2:].shape, numpy.uint8) for _ in range(2))
        blocks[..., 2:] = low | high << 4
        if name.startswith("token"):
            blocks[: len(CONTROL), :, :2] = 0  # as output it is always 0, and some other token is likelier
        drawn[rows, columns] = blocks.reshape(rows, -1)
        writer.add_tensor(name, drawn[rows, columns], raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    for name in shape.norms():
        writer.add_tensor(name, numpy.ones(shape.width, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]), LARGE if sys.argv[2:] == ["large"] else None)
