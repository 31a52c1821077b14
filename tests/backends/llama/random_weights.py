"""Models of random weights: as large as wanted, with the tokens of the model that ships, in any format of llama.cpp."""

import ctypes
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphrt.backends.llama.native.library import library
from graphrt.backends.llama.tiny.tokenizer import SPECIAL
from graphrt.backends.llama.tiny.words import TOKENIZER
from tests.backends.llama import gguf_files


def write(
    path: Path,
    *,
    template: str,
    width: int = 256,
    layers: int = 6,
    heads: int = 4,
    groups: int = 2,
    forward: int = 768,
    context: int = 2048,
    seed: int = 0,
) -> None:
    """Write a llama of that shape, `heads` over `groups` of keys, in F16."""
    model = json.loads(TOKENIZER.read_text(encoding="utf-8"))["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    kinds = [1 if token not in SPECIAL else 4 if "tool_" in token else 3 for token in tokens]
    fields = {
        "general.architecture": "llama",
        "general.name": path.stem,
        "general.file_type": 1,  # F16
        "llama.context_length": context,
        "llama.embedding_length": width,
        "llama.block_count": layers,
        "llama.feed_forward_length": forward,
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": groups,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": width // heads,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": [" ".join(merge) for merge in model["merges"]],
        "tokenizer.ggml.eos_token_id": SPECIAL.index("<|im_end|>"),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": template,
    }
    draw = np.random.default_rng(seed)
    tensors: dict[str, NDArray[np.floating[Any]]] = {}
    for name, shape in _shapes(len(tokens), width, layers, width // heads * groups, forward):
        if len(shape) == 1:
            tensors[name] = np.ones(shape, np.float32)
        else:
            # Wide enough at the end for likely and unlikely tokens.
            scale = (3.0 if name == "output.weight" else 1.0) / shape[-1] ** 0.5
            tensors[name] = (draw.standard_normal(shape, np.float32) * scale).astype(np.float16)
    gguf_files.write(path, fields, tensors)


def _shapes(vocabulary: int, width: int, layers: int, keys: int, forward: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "token_embd.weight", (vocabulary, width)
    for layer in range(layers):
        for name, shape in (
            ("attn_norm", (width,)),
            ("attn_q", (width, width)),
            ("attn_k", (keys, width)),
            ("attn_v", (keys, width)),
            ("attn_output", (width, width)),
            ("ffn_norm", (width,)),
            ("ffn_gate", (forward, width)),
            ("ffn_up", (forward, width)),
            ("ffn_down", (width, forward)),
        ):
            yield f"blk.{layer}.{name}.weight", shape
    yield "output_norm.weight", (width,)
    yield "output.weight", (vocabulary, width)


def quantize(source: Path, target: Path, weights: str) -> None:
    """Write a model again in another format, some tensors in a finer one as llama.cpp chooses."""
    lib = library()
    params = lib.llama_model_quantize_default_params()
    params.ftype = getattr(lib, f"LLAMA_FTYPE_MOSTLY_{weights}")
    params.allow_requantize, params.nthread = True, 1
    assert lib.llama_model_quantize(bytes(source), bytes(target), ctypes.byref(params)) == 0
