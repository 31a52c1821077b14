"""The weights of a model, which any number of contexts may share."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphrt.backends.errors import BackendError, NotFound
from graphrt.backends.llama.native.devices import gpus
from graphrt.backends.llama.native.gguf import fault
from graphrt.backends.llama.native.kernels import may_lay_out_anew
from graphrt.backends.llama.native.library import errors, library
from graphrt.backends.llama.native.vocabulary import Vocabulary

SMALL = 50_000_000
"""Parameters under which one thread is faster than many."""
SAMPLES, SAMPLE = 256, 4096
"""How many bytes of a file, in how many places, tell it from another one."""
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the weights go. `gpu_layers` -1 is all. All GPUs share them, in the proportion that `split` says, or
    `main_gpu` takes them alone."""

    gpu_layers: int = 0
    main_gpu: int | None = None
    split: tuple[float, ...] = ()

    @property
    def on_gpus(self) -> bool:
        """Whether GPUs take any of them."""
        return self.gpu_layers != 0


def processors() -> int:
    """How many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_on_gpus(placement: Placement) -> int:
    """The bytes that are free on the GPUs of a placement."""
    found = [each.free for each in gpus(library())]
    return sum(found if placement.main_gpu is None else found[placement.main_gpu :][:1])


def _version(path: Path) -> tuple[int, ...] | None:
    """Which file it is, and as of when."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Model:
    """A GGUF file in memory. Every thread may read it; whoever opened it closes it after its last context."""

    def __init__(self, path: Path, placement: Placement | None = None) -> None:
        self._lib = lib = library()
        self.path = path
        self.placement = placement or Placement()
        self._version = _version(path)
        self.pointer: Any = self._load()
        self.trained: int = lib.llama_model_n_ctx_train(self.pointer)
        self.parameters: int = lib.llama_model_n_params(self.pointer)
        self.bytes: int = lib.llama_model_size(self.pointer)
        self.template = self._template(None)
        self.rerank_template = self._template(b"rerank")

    def is_of(self, path: Path, placement: Placement) -> bool:
        """Whether loading that file again would give the same."""
        return self.placement == placement and self._version == _version(path)

    def _load(self) -> Any:
        lib, path = self._lib, self.path
        try:
            with path.open("rb") as file:
                magic = file.read(4)
        except OSError as error:
            raise NotFound(f"cannot read the model {path}: {error.strerror}", provider="llama_cpp") from error
        if magic != b"GGUF":
            raise BackendError(f"{path} is not a GGUF file", provider="llama_cpp")
        if wrong := fault(path):
            raise BackendError(f"cannot load the model {path}: it is damaged ({wrong})", provider="llama_cpp")
        params = lib.llama_model_default_params()
        params.n_gpu_layers = layers = self.placement.gpu_layers
        none = ctypes.c_void_p()
        if not layers:
            # An empty list of devices: else a build for a GPU would have it multiply whatever is large enough, weights
            # that stay here too, and answers would be computed in two ways.
            params.devices = ctypes.addressof(none)
        elif not lib.llama_supports_gpu_offload():
            raise BackendError(
                f"n_gpu_layers is {layers}, and this llama.cpp finds no GPU: `graphrt doctor --llama` says why; "
                "without n_gpu_layers the processor computes",
                provider="llama_cpp",
            )
        if layers and self.placement.main_gpu is not None:
            if self.placement.main_gpu >= (count := len(gpus(lib))):
                raise BackendError(
                    f"main_gpu is {self.placement.main_gpu}, and this llama.cpp finds {count}, counted from 0",
                    provider="llama_cpp",
                )
            params.split_mode, params.main_gpu = lib.LLAMA_SPLIT_MODE_NONE, self.placement.main_gpu
        split, devices = self.placement.split, int(lib.llama_max_devices())
        if len(split) > devices:
            raise BackendError(
                f"tensor_split has {len(split)} shares; this llama.cpp knows no more than {devices} devices",
                provider="llama_cpp",
            )
        shares = (ctypes.c_float * devices)(*split)  # it reads one for each that it may have
        if split:
            params.tensor_split = shares
        with _loading:
            params.use_extra_bufts = may_lay_out_anew(lib)
            errors.clear()
            model = lib.llama_model_load_from_file(os.fsencode(path), params)
            if not model:
                why = "; ".join(errors) or "llama.cpp gives no reason"
                raise BackendError(
                    f"cannot load the model {path}: it is damaged or not supported ({why})", provider="llama_cpp"
                )
        if not lib.llama_model_has_decoder(model) or lib.llama_model_has_encoder(model):
            lib.llama_model_free(model)
            raise BackendError(f"{path} holds no decoder-only text model", provider="llama_cpp")
        return model

    @functools.cached_property
    def fingerprint(self) -> str:
        """What tells it from other models: a digest of its size and of samples from all over the file, which a change
        of weights does not leave alone. Where the file has gone or changed since it was loaded, like no other's."""
        whole = hashlib.blake2b(digest_size=16)
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            whole.update(str(size).encode())
            for at in range(0, size, max(SAMPLE, size // SAMPLES)):
                file.seek(at)
                whole.update(file.read(SAMPLE))
        return whole.hexdigest() if self.is_of(self.path, self.placement) else secrets.token_hex(16)

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """The model's tokens."""
        return Vocabulary(self._lib, self.pointer)

    @functools.cached_property
    def threads(self) -> int:
        """How many threads compute it best: never more than there are processors at hand, and one where a GPU computes
        every layer."""
        return 1 if self.parameters < SMALL or self.wholly_offloaded else processors()

    @property
    def offloaded(self) -> bool:
        """Whether something else than the processor computes a part of it."""
        return self.placement.on_gpus

    @property
    def wholly_offloaded(self) -> bool:
        """Whether the processor does no more than look up what tokens begin with; the output counts as a layer."""
        layers = self.placement.gpu_layers
        return layers < 0 or layers > int(self._lib.llama_model_n_layer(self.pointer))

    @functools.cached_property
    def recurrent(self) -> bool:
        """Whether a part of it keeps a state that cannot be taken back by a token."""
        lib = self._lib
        return bool(lib.llama_model_is_recurrent(self.pointer) or lib.llama_model_is_hybrid(self.pointer))

    @functools.cached_property
    def experts(self) -> int:
        """How many experts a layer has; 0 for a dense model."""
        count = self._meta(f"{self._meta('general.architecture')}.expert_count")
        return int(count) if count.isdecimal() else 0

    @property
    def width(self) -> int:
        """How many numbers a vector has that it makes of a text."""
        return int(self._lib.llama_model_n_embd_out(self.pointer))

    @property
    def labels(self) -> tuple[str, ...]:
        """What the numbers stand for that a classification head gives, as far as it says so."""
        lib, model = self._lib, self.pointer
        count = int(lib.llama_model_n_cls_out(model))
        return tuple((lib.llama_model_cls_label(model, i) or b"").decode("utf-8", "replace") for i in range(count))

    @property
    def heads(self) -> int:
        """Attention heads of a layer, one at least."""
        return max(1, int(self._lib.llama_model_n_head(self.pointer)))

    @property
    def cell_bytes(self) -> int:
        """What one computed token takes in a context, about."""
        lib, model = self._lib, self.pointer
        width = lib.llama_model_n_embd(model) // self.heads * max(1, lib.llama_model_n_head_kv(model))
        return 2 * 2 * int(lib.llama_model_n_layer(model)) * int(width)

    def _template(self, name: bytes | None) -> str | None:
        return (self._lib.llama_model_chat_template(self.pointer, name) or b"").decode() or None

    def _meta(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(128)
        length = self._lib.llama_model_meta_val_str(self.pointer, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if length >= 0 else ""

    def close(self) -> None:
        """Free the weights. Idempotent."""
        model, self.pointer = self.pointer, None
        if model:
            self._lib.llama_model_free(model)
