"""From what training wrote to a GGUF file that llama.cpp loads, in Q8_0.

    pip install gguf numpy
    python -m graphrt.backends.llama.tiny.export out/model.npz tiny-agent-q8_0.gguf

The chat template and the tokenizer go into the file.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from graphrt.backends.llama.tiny.conversation import TEMPLATE
from graphrt.backends.llama.tiny.tokenizer import SPECIAL
from graphrt.backends.llama.tiny.words import TOKENIZER

CONTEXT = 1024
NAME = "tiny-agent"


def tensors(saved: Any) -> dict[str, Any]:
    """The parameters under llama.cpp's names."""
    width = saved["embedding"].shape[1]
    found = {"token_embd.weight": saved["embedding"], "output_norm.weight": saved["norms"][-1]}
    for i in range(saved["qkv"].shape[0]):
        query, key, value = saved["qkv"][i].reshape(3, width, width)
        gate, up = saved["up"][i].reshape(2, -1, width)
        parts = {
            "attn_norm": saved["norms"][2 * i],
            "attn_q": query,
            "attn_k": key,
            "attn_v": value,
            "attn_output": saved["out"][i],
            "ffn_norm": saved["norms"][2 * i + 1],
            "ffn_gate": gate,
            "ffn_up": up,
            "ffn_down": saved["down"][i],
        }
        found |= {f"blk.{i}.{name}.weight": part for name, part in parts.items()}
    return found


def write(source: Path, target: Path) -> None:
    """Write the GGUF file."""
    gguf: Any = import_module("gguf")
    numpy: Any = import_module("numpy")
    saved = numpy.load(source)
    vocabulary, width = saved["embedding"].shape
    model = json.loads(TOKENIZER.read_text(encoding="utf-8"))["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    # Tags are text that the model writes; the other marks are control.
    kinds = [
        gguf.TokenType.NORMAL
        if token not in SPECIAL
        else gguf.TokenType.USER_DEFINED
        if "tool_" in token
        else gguf.TokenType.CONTROL
        for token in tokens
    ]
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_name(NAME)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(width)
    writer.add_block_count(saved["qkv"].shape[0])
    writer.add_feed_forward_length(saved["down"].shape[2])
    writer.add_head_count(width // 32)
    writer.add_head_count_kv(width // 32)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(32)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_eos_token_id(SPECIAL.index("<|im_end|>"))
    writer.add_pad_token_id(SPECIAL.index("<pad>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE.read_text(encoding="utf-8"))
    for name, values in tensors(saved).items():
        whole = values.astype(numpy.float32)
        if whole.ndim == 1:
            writer.add_tensor(name, whole)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(whole, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
