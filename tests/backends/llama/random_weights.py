"""Models of random weights: as large as wanted, with the tokens of the model that ships, in any format of llama.cpp."""

import ctypes
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphrt.backends.llama.library import extra, library
from graphrt.backends.llama.tiny.tokenizer import SPECIAL
from graphrt.backends.llama.tiny.words import TOKENIZER

_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
"""What a value of a GGUF file is."""
_F32, _F16 = 0, 1
"""What a tensor's numbers are."""
_ALIGNED = 32


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
    facts: dict[str, tuple[int, Any]] = {
        "general.architecture": (_STRING, "llama"),
        "general.name": (_STRING, path.stem),
        "general.file_type": (_UINT32, _F16),
        "llama.context_length": (_UINT32, context),
        "llama.embedding_length": (_UINT32, width),
        "llama.block_count": (_UINT32, layers),
        "llama.feed_forward_length": (_UINT32, forward),
        "llama.attention.head_count": (_UINT32, heads),
        "llama.attention.head_count_kv": (_UINT32, groups),
        "llama.attention.layer_norm_rms_epsilon": (_FLOAT32, 1e-5),
        "llama.rope.dimension_count": (_UINT32, width // heads),
        "llama.vocab_size": (_UINT32, len(tokens)),
        "tokenizer.ggml.model": (_STRING, "gpt2"),
        "tokenizer.ggml.pre": (_STRING, "qwen2"),
        "tokenizer.ggml.tokens": (_ARRAY, (_STRING, tokens)),
        "tokenizer.ggml.token_type": (_ARRAY, (_INT32, kinds)),
        "tokenizer.ggml.merges": (_ARRAY, (_STRING, [" ".join(merge) for merge in model["merges"]])),
        "tokenizer.ggml.eos_token_id": (_UINT32, SPECIAL.index("<|im_end|>")),
        "tokenizer.ggml.add_bos_token": (_BOOL, False),
        "tokenizer.chat_template": (_STRING, template),
    }
    shapes = dict(_shapes(len(tokens), width, layers, width // heads * groups, forward))
    numpy = extra("numpy")
    draw = numpy.random.default_rng(seed)
    at, infos, numbers = 0, b"", list[bytes]()
    for name, shape in shapes.items():
        flat = len(shape) == 1
        # Wide enough at the end for likely and unlikely tokens.
        scale = (3.0 if name == "output.weight" else 1.0) / shape[-1] ** 0.5
        drawn = numpy.ones(shape, numpy.float32) if flat else draw.standard_normal(shape, numpy.float32) * scale
        data = drawn.astype(numpy.float32 if flat else numpy.float16).tobytes()
        infos += _string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        infos += struct.pack("<IQ", _F32 if flat else _F16, at)
        numbers.append(data + bytes(-len(data) % _ALIGNED))
        at += len(numbers[-1])
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(facts))
    head += b"".join(_string(key) + struct.pack("<I", kind) + _value(kind, fact) for key, (kind, fact) in facts.items())
    head += infos
    path.write_bytes(b"".join((head, bytes(-len(head) % _ALIGNED), *numbers)))


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


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(kind: int, value: Any) -> bytes:
    if kind == _STRING:
        return _string(value)
    if kind == _ARRAY:
        each, values = value
        return struct.pack("<IQ", each, len(values)) + b"".join(_value(each, one) for one in values)
    return struct.pack({_UINT32: "<I", _INT32: "<i", _FLOAT32: "<f", _BOOL: "<?"}[kind], value)


def quantize(source: Path, target: Path, weights: str) -> None:
    """Write a model again in another format, some tensors in a finer one as llama.cpp chooses."""
    lib = library()
    params = lib.llama_model_quantize_default_params()
    params.ftype = getattr(lib, f"LLAMA_FTYPE_MOSTLY_{weights}")
    params.allow_requantize, params.nthread = True, 1
    assert lib.llama_model_quantize(bytes(source), bytes(target), ctypes.byref(params)) == 0
