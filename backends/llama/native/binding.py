"""llama.cpp's functions, as far as the engine calls them, bound to a shared library that brings no Python of its own.

llama-cpp-python brings its own, which always fits. Any other library may be of a version whose structures are laid out
differently, and whoever passes it a wrong one dies. So a library is bound only if the defaults that it gives make sense
in a layout that is known here; and `python binding.py LIBRARY MODEL`, in a process that may die, has the model that
comes along give an answer that is known. For that this module needs nothing but Python itself.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping, Sequence
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int8, c_int32, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from types import ModuleType
from typing import Any

KNOWN = "those of llama-cpp-python 0.3.36 and of xllamacpp 2026.10.11549"
"""The builds of llama.cpp whose layout was tried."""

Fields = tuple[tuple[Any, str], ...]
"""What a structure consists of: names that follow each other, by their type."""

MODEL: Fields = (
    (c_void_p, "devices tensor_buft_overrides"),
    (c_int32, "n_gpu_layers split_mode load_mode lazy_mode main_gpu"),
    (POINTER(c_float), "tensor_split"),
    (c_void_p, "progress_callback progress_callback_user_data kv_overrides"),
    (c_bool, "vocab_only check_tensors use_extra_bufts no_host no_alloc load_mtp"),
)
_BEFORE: Fields = (
    (c_uint32, "n_ctx n_batch n_ubatch n_seq_max n_rs_seq n_outputs_max n_outputs_max_per_seq"),
    (c_int32, "n_threads n_threads_batch ctx_type rope_scaling_type pooling_type attention_type flash_attn_type"),
    (c_float, "rope_freq_base rope_freq_scale yarn_ext_factor yarn_attn_factor yarn_beta_fast yarn_beta_slow"),
    (c_uint32, "yarn_orig_ctx"),
    (c_float, "defrag_thold"),
    (c_void_p, "cb_eval cb_eval_user_data"),
    (c_int32, "type_k type_v"),
    (c_void_p, "abort_callback abort_callback_data"),
)
_AFTER: Fields = (
    (c_bool, "embeddings offload_kqv no_perf op_offload swa_full kv_unified"),
    (c_void_p, "samplers"),
    (c_size_t, "n_samplers"),
    (c_void_p, "ctx_other"),
)
# 0.6 has another pointer between those. None of them is ever set here, so that their order does not matter.
CONTEXTS: tuple[Fields, ...] = ((*_BEFORE, *_AFTER), (*_BEFORE, (c_void_p, "another_pointer"), *_AFTER))

DEFAULTS: Mapping[str, int] = {
    "n_gpu_layers": -1, "split_mode": 1, "load_mode": -1, "lazy_mode": 1, "use_extra_bufts": 1,
    "n_ctx": 512, "n_batch": 2048, "n_ubatch": 512, "n_seq_max": 1, "n_outputs_max_per_seq": 1,
    "n_threads": 4, "n_threads_batch": 4,
    "rope_scaling_type": -1, "pooling_type": -1, "attention_type": -1, "flash_attn_type": -1,
    "yarn_ext_factor": -1, "yarn_attn_factor": -1, "yarn_beta_fast": -1, "yarn_beta_slow": -1, "defrag_thold": -1,
    "type_k": 1, "type_v": 1, "offload_kqv": 1, "no_perf": 1, "op_offload": 1, "swa_full": 1,
}  # fmt: skip
"""What llama.cpp says that fields are by default; the others are 0."""

_ROOM = 64
"""Bytes by which a structure is longer than it has to be: fields that a later version appends stay as they are."""


class Misfit(Exception):
    """The library is not one that can be bound."""


class llama_batch(ctypes.Structure):  # noqa: N801 - as llama.cpp calls it
    """Tokens to compute, as arrays."""

    _fields_ = (
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", POINTER(c_float)),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    )


CONSTANTS: Mapping[str, Any] = {
    "LLAMA_FLASH_ATTN_TYPE_AUTO": -1,
    "LLAMA_FLASH_ATTN_TYPE_DISABLED": 0,
    "LLAMA_SPLIT_MODE_NONE": 0,
    "LLAMA_POOLING_TYPE_UNSPECIFIED": -1,
    "LLAMA_POOLING_TYPE_NONE": 0,
    "LLAMA_POOLING_TYPE_MEAN": 1,
    "LLAMA_POOLING_TYPE_CLS": 2,
    "LLAMA_POOLING_TYPE_LAST": 3,
    "LLAMA_POOLING_TYPE_RANK": 4,
    "LLAMA_TOKEN_ATTR_USER_DEFINED": 16,
    "ggml_abort_callback": ctypes.CFUNCTYPE(c_bool, c_void_p),
    "llama_log_callback": ctypes.CFUNCTYPE(None, ctypes.c_int, c_char_p, c_void_p),
    "llama_batch": llama_batch,
}
FUNCTIONS: Mapping[str, tuple[Any, ...]] = {
    "llama_backend_init": (None,),
    "llama_decode": (c_int32, c_void_p, llama_batch),
    "llama_free": (None, c_void_p),
    "llama_get_causal_attn": (c_bool, c_void_p),
    "llama_get_embeddings_seq": (POINTER(c_float), c_void_p, c_int32),
    "llama_get_logits": (POINTER(c_float), c_void_p),
    "llama_get_memory": (c_void_p, c_void_p),
    "llama_log_set": (None, CONSTANTS["llama_log_callback"], c_void_p),
    "llama_max_devices": (c_size_t,),
    "llama_memory_seq_cp": (None, c_void_p, c_int32, c_int32, c_int32, c_int32),
    "llama_memory_seq_pos_min": (c_int32, c_void_p, c_int32),
    "llama_memory_seq_rm": (c_bool, c_void_p, c_int32, c_int32, c_int32),
    "llama_model_chat_template": (c_char_p, c_void_p, c_char_p),
    "llama_model_cls_label": (c_char_p, c_void_p, c_uint32),
    "llama_model_free": (None, c_void_p),
    "llama_model_get_vocab": (c_void_p, c_void_p),
    "llama_model_has_decoder": (c_bool, c_void_p),
    "llama_model_has_encoder": (c_bool, c_void_p),
    "llama_model_is_hybrid": (c_bool, c_void_p),
    "llama_model_is_recurrent": (c_bool, c_void_p),
    "llama_model_meta_val_str": (c_int32, c_void_p, c_char_p, c_char_p, c_size_t),
    "llama_model_n_cls_out": (c_uint32, c_void_p),
    "llama_model_n_ctx_train": (c_int32, c_void_p),
    "llama_model_n_embd": (c_int32, c_void_p),
    "llama_model_n_embd_out": (c_int32, c_void_p),
    "llama_model_n_head": (c_int32, c_void_p),
    "llama_model_n_head_kv": (c_int32, c_void_p),
    "llama_model_n_layer": (c_int32, c_void_p),
    "llama_model_n_params": (c_uint64, c_void_p),
    "llama_model_size": (c_uint64, c_void_p),
    "llama_n_ctx_seq": (c_uint32, c_void_p),
    "llama_pooling_type": (c_int32, c_void_p),
    "llama_print_system_info": (c_char_p,),
    "llama_set_abort_callback": (None, c_void_p, CONSTANTS["ggml_abort_callback"], c_void_p),
    "llama_state_seq_get_data": (c_size_t, c_void_p, POINTER(c_uint8), c_size_t, c_int32),
    "llama_state_seq_get_size": (c_size_t, c_void_p, c_int32),
    "llama_state_seq_set_data": (c_size_t, c_void_p, POINTER(c_uint8), c_size_t, c_int32),
    "llama_supports_gpu_offload": (c_bool,),
    "llama_token_to_piece": (c_int32, c_void_p, c_int32, c_char_p, c_int32, c_int32, c_bool),
    "llama_tokenize": (c_int32, c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool),
    "llama_version": (c_char_p,),
    "llama_vocab_bos": (c_int32, c_void_p),
    "llama_vocab_eos": (c_int32, c_void_p),
    "llama_vocab_get_add_bos": (c_bool, c_void_p),
    "llama_vocab_get_add_eos": (c_bool, c_void_p),
    "llama_vocab_get_add_sep": (c_bool, c_void_p),
    "llama_vocab_get_attr": (c_int32, c_void_p, c_int32),
    "llama_vocab_is_control": (c_bool, c_void_p, c_int32),
    "llama_vocab_is_eog": (c_bool, c_void_p, c_int32),
    "llama_vocab_n_tokens": (c_int32, c_void_p),
    "llama_vocab_sep": (c_int32, c_void_p),
}
"""What each gives and takes."""
PARAMS = (
    ("llama_model_default_params", "llama_model_load_from_file", c_char_p, (MODEL,)),
    ("llama_context_default_params", "llama_init_from_model", c_void_p, CONTEXTS),
)
"""What gives parameters, what takes them, after what, and how they may be laid out."""


def structure(fields: Fields) -> type[ctypes.Structure]:
    """Make the type of a structure, with room after it."""
    named = [(name, kind) for kind, names in fields for name in names.split()]
    return type("Params", (ctypes.Structure,), {"_fields_": [*named, ("room", c_uint8 * _ROOM)]})


def fitting(said: bytes, layouts: tuple[Fields, ...]) -> type[ctypes.Structure] | None:
    """The structure of those in which `said`, the bytes of its defaults, makes sense; None if there is none."""
    for fields in layouts:
        kind = structure(fields)
        found = kind.from_buffer_copy(said)
        names = [name for _, names in fields for name in names.split()]
        if all((getattr(found, name) or 0) == DEFAULTS.get(name, 0) for name in names):
            return kind
    return None


class _Said(ctypes.Structure):
    """More bytes than any structure of parameters has."""

    _fields_ = (("bytes", c_uint8 * 512),)


def bind(path: str) -> ModuleType:
    """Load the library at `path` as a module like llama-cpp-python's, with `_lib` for what it does not bind.

    Raises OSError where it cannot be loaded, and Misfit. It passes the library nothing: what this calls has no
    parameters, and there is room for whatever it returns.
    """
    lib = ctypes.CDLL(path)
    functions = dict(FUNCTIONS)
    for said, taker, first, layouts in PARAMS:
        ask = _function(lib, said)
        ask.restype = _Said
        params = fitting(bytes(ask()), layouts)
        if params is None:
            raise Misfit(f"what its {said} gives is laid out differently")
        functions |= {said: (params,), taker: (c_void_p, first, params)}
    module = ModuleType("llama")
    for name, (gives, *takes) in functions.items():
        function = _function(lib, name)
        function.restype, function.argtypes = gives, takes
        setattr(module, name, function)
    vars(module).update(CONSTANTS, _lib=lib)
    return module


def _function(lib: ctypes.CDLL, name: str) -> Any:
    try:
        return getattr(lib, name)
    except AttributeError as error:
        raise Misfit(f"it has no {name}") from error


PROMPT = (
    b"<|im_start|>system\nRoute the request to billing, technical, sales or other. Answer in JSON.<|im_end|>\n"
    b"<|im_start|>user\nHi, the app crashes<|im_end|>\n<|im_start|>assistant\n"
)
ANSWER = b'{"route": "technical"}'
"""What the model that comes along answers."""
_CELLS = 256


def main() -> None:
    """Exit with 0 if the library gives the answer that is known, else with 1 and what is the matter."""
    path, file = sys.argv[1:]
    try:
        lib = bind(path)
        lib.llama_backend_init()
        params = lib.llama_model_default_params()
        params.use_extra_bufts = False  # as `model` has it where there is AMX
        params.n_gpu_layers = 0
        none = c_void_p()
        params.devices = ctypes.addressof(none)  # as `model` has it, too: no GPU, however it was built
        model = lib.llama_model_load_from_file(os.fsencode(file), params)
        for unified in (False, True):
            _check(lib, model, unified=unified)
    except (Misfit, OSError) as error:
        sys.exit(str(error))


def _check(lib: ModuleType, model: Any, *, unified: bool) -> None:
    """Have the prompt read in one of two sequences, and answered in the other; raise Misfit if that goes wrong."""
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_seq_max, params.n_threads, params.n_threads_batch = 2 * _CELLS, 2, 1, 1
    params.kv_unified = unified  # off by default, as its neighbours may be: so it has to show
    context = lib.llama_init_from_model(model, params)
    if (cells := lib.llama_n_ctx_seq(context)) != _CELLS << unified:
        raise Misfit(f"a sequence has {cells} cells where it should have {_CELLS << unified}")
    vocab, memory = lib.llama_model_get_vocab(model), lib.llama_get_memory(context)
    tokens = (c_int32 * _CELLS)()
    count = lib.llama_tokenize(vocab, PROMPT, len(PROMPT), tokens, _CELLS, False, True)

    def likeliest(tokens: Sequence[int], sequence: int, start: int) -> int:
        if (code := lib.llama_decode(context, _batch(tokens, sequence, start))) != 0:
            raise Misfit(f"it cannot compute {len(tokens)} tokens (code {code})")
        logits = lib.llama_get_logits(context)[: lib.llama_vocab_n_tokens(vocab)]
        return int(logits.index(max(logits)))

    token = likeliest(tokens[:count], 0, 0)
    lib.llama_memory_seq_cp(memory, 0, 1, -1, -1)
    lib.llama_memory_seq_rm(memory, 0, -1, -1)
    said, piece = b"", ctypes.create_string_buffer(64)
    while not lib.llama_vocab_is_eog(vocab, token) and len(said) < len(ANSWER):
        length = lib.llama_token_to_piece(vocab, token, piece, 64, 0, True)
        said += piece.raw[: max(length, 0)]
        token = likeliest([token], 1, count)
        count += 1
    if said != ANSWER:
        raise Misfit(f"it answers {said!r} where {ANSWER!r} is right")
    lib.llama_free(context)


def _batch(tokens: Sequence[int], sequence: int, start: int) -> llama_batch:
    """Tokens of one sequence from position `start` on; what comes after the last of them is asked."""
    count, one = len(tokens), c_int32(sequence)
    integers = c_int32 * count
    return llama_batch(
        count,
        integers(*tokens),
        None,
        integers(*range(start, start + count)),
        integers(*[1] * count),
        (POINTER(c_int32) * count)(*[ctypes.pointer(one)] * count),
        (c_int8 * count)(*[0] * (count - 1), 1),
    )


if __name__ == "__main__":
    main()
