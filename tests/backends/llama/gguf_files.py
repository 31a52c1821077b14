"""Small GGUF files with random weights, written here: models that read texts, of the three kinds that there are.

`bert` sees a text whole and takes the mean or the first token of it, or scores it by a head; `qwen3` sees what comes
before, and looks at the last token.
"""

import random
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, LAYERS, HEADS, INNER = 32, 2, 4, 64
MEAN, CLS, LAST, RANK = 1, 2, 3, 4
RERANK = "<|im_start|>judge: {query}\n<doc>{document}<|im_end|>"
_SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789.,?!"
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3

Tensors = dict[str, NDArray[np.float32]]
_ALIGNED = 32


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: Any) -> bytes:
    """A value after its type."""
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<Ii", 5, value) if value < 0 else struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _text(value)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
        case _:
            return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)


def write(path: Path, fields: Mapping[str, Any], tensors: Mapping[str, NDArray[np.floating[Any]]]) -> Path:
    """Write a GGUF file, version 3, with tensors in F16 where they are halves, else in F32."""
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(fields))
    head += b"".join(_text(key) + _value(value) for key, value in fields.items())
    at, numbers = 0, list[bytes]()
    for name, tensor in tensors.items():
        half, shape = tensor.dtype == np.float16, tensor.shape[::-1]
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, half, at)
        data = tensor.astype("<f2" if half else "<f4").tobytes()
        numbers.append(data + bytes(-len(data) % _ALIGNED))
        at += len(numbers[-1])
    path.write_bytes(b"".join((head, bytes(-len(head) % _ALIGNED), *numbers)))
    return path


class _Dice:
    def __init__(self, seed: int) -> None:
        self._draw = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> NDArray[np.float32]:
        return self._draw.normal(0, 0.3, shape).astype(np.float32)


def bert(
    path: Path, pooling: int, *, context: int = 1024, seed: int = 0, labels: Sequence[str] = ("",)
) -> tuple[Path, Tensors]:
    """A model like those of the BERT family, and its tensors. Its vocabulary has letters only."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"\u2581{sign}" for sign in _SIGNS), *_SIGNS]
    kinds = [_CONTROL, _UNKNOWN, _CONTROL, _CONTROL, _CONTROL] + [_NORMAL] * 2 * len(_SIGNS)
    fields = {
        "general.architecture": "bert",
        "bert.context_length": context,
        "bert.embedding_length": WIDTH,
        "bert.feed_forward_length": INNER,
        "bert.block_count": LAYERS,
        "bert.attention.head_count": HEADS,
        "bert.attention.layer_norm_epsilon": 1e-12,
        "bert.attention.causal": False,
        "bert.pooling_type": pooling,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.token_type_count": 2,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.unknown_token_id": 1,
        "tokenizer.ggml.cls_token_id": 2,
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.seperator_token_id": 3,
        "tokenizer.ggml.eos_token_id": 3,
        "tokenizer.ggml.mask_token_id": 4,
    }
    dice = _Dice(seed)
    tensors = {
        "token_embd.weight": dice(len(tokens), WIDTH),
        "token_types.weight": dice(2, WIDTH),
        "position_embd.weight": dice(context, WIDTH),
    }

    def norm(name: str) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = 1 + dice(WIDTH), dice(WIDTH)

    norm("token_embd_norm")
    for layer in range(LAYERS):
        for name, rows, columns in (
            ("attn_q", WIDTH, WIDTH),
            ("attn_k", WIDTH, WIDTH),
            ("attn_v", WIDTH, WIDTH),
            ("attn_output", WIDTH, WIDTH),
            ("ffn_up", INNER, WIDTH),
            ("ffn_down", WIDTH, INNER),
        ):
            tensors[f"blk.{layer}.{name}.weight"] = dice(rows, columns)
            tensors[f"blk.{layer}.{name}.bias"] = dice(rows)
        norm(f"blk.{layer}.attn_output_norm")
        norm(f"blk.{layer}.layer_output_norm")
    if pooling == RANK:
        tensors |= {"cls.weight": dice(WIDTH, WIDTH), "cls.bias": dice(WIDTH)}
        tensors |= {"cls.output.weight": dice(len(labels), WIDTH), "cls.output.bias": dice(len(labels))}
        if len(labels) > 1:
            fields["bert.classifier.output_labels"] = list(labels)
    return write(path, fields, tensors), tensors


def qwen3(path: Path, pooling: int, *, context: int = 1024, seed: int = 0) -> tuple[Path, Tensors]:
    """A model like those of the Qwen 3 family that embed or rerank, and its tensors. Its tokens are single bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    tokens = [*map(chr, plain), *(chr(256 + i) for i in range(len(others)))]
    tokens += ["ab", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    fields: dict[str, Any] = {
        "general.architecture": "qwen3",
        "qwen3.context_length": context,
        "qwen3.embedding_length": WIDTH,
        "qwen3.feed_forward_length": INNER,
        "qwen3.block_count": LAYERS,
        "qwen3.attention.head_count": HEADS,
        "qwen3.attention.head_count_kv": HEADS // 2,
        "qwen3.attention.layer_norm_rms_epsilon": 1e-6,
        "qwen3.rope.freq_base": 10000.0,
        "qwen3.pooling_type": pooling,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [_NORMAL] * (len(tokens) - 3) + [_CONTROL] * 3,
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.eos_token_id": len(tokens) - 3,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_eos_token": True,
    }
    dice = _Dice(seed)
    head = WIDTH // HEADS
    tensors = {"token_embd.weight": dice(len(tokens), WIDTH), "output_norm.weight": 1 + dice(WIDTH)}
    for layer in range(LAYERS):
        tensors |= {
            f"blk.{layer}.attn_norm.weight": 1 + dice(WIDTH),
            f"blk.{layer}.attn_q.weight": dice(WIDTH, WIDTH),
            f"blk.{layer}.attn_k.weight": dice(WIDTH // 2, WIDTH),
            f"blk.{layer}.attn_v.weight": dice(WIDTH // 2, WIDTH),
            f"blk.{layer}.attn_output.weight": dice(WIDTH, WIDTH),
            f"blk.{layer}.attn_q_norm.weight": 1 + dice(head),
            f"blk.{layer}.attn_k_norm.weight": 1 + dice(head),
            f"blk.{layer}.ffn_norm.weight": 1 + dice(WIDTH),
            f"blk.{layer}.ffn_gate.weight": dice(INNER, WIDTH),
            f"blk.{layer}.ffn_up.weight": dice(INNER, WIDTH),
            f"blk.{layer}.ffn_down.weight": dice(WIDTH, INNER),
        }
    if pooling == RANK:
        tensors["cls.output.weight"] = dice(2, WIDTH)
        fields["qwen3.classifier.output_labels"] = ["yes", "no"]
        fields["tokenizer.chat_template.rerank"] = RERANK
    return write(path, fields, tensors), tensors


def texts(count: int, seed: int = 0, longest: int = 60) -> list[str]:
    """Random ones of letters, among them a very short one."""
    draw = random.Random(seed)
    words = ["a"] + ["".join(draw.choices(_SIGNS, k=draw.randint(1, 9))) for _ in range(50)]
    return [" ".join(draw.choices(words, k=1 + draw.randrange(longest) if at else 1)) for at in range(count)]
