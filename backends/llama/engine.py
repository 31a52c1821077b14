"""One loaded model and its context: llama.cpp's C interface, and the only file that touches it.

Everything here belongs to one thread, apart from `Abort`. An interrupted computation (`Aborted`) leaves the context as
it was before the chunk that was cut off, so that the next request may go on from it.

An answer depends on nothing but its request, by construction. The bits of a token's state depend on how many tokens are
computed together with it: on some processors for every weight format, on others for some. So a prompt is computed in
chunks that begin at multiples of `CHUNK`, and only whole chunks of prompts are ever reused: every cell is always
computed in the same company, whatever was asked before. Flash attention is off and the sequence has cells of its own,
so that nothing else comes in.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphrt.backends.errors import BackendError, NotFound, ServerError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger("graphrt.llama")
log.addHandler(logging.NullHandler())  # llama.cpp's words go to whoever asks for them, never to stderr by themselves

CHUNK = 32
"""Tokens of a prompt computed in one go, and the unit in which equal beginnings are reused. More is hardly faster."""
CONTEXT = 4096
"""The context where nobody asked for another, unless the model was trained on less."""
SMALL = 50_000_000
"""Parameters under which one thread is faster than many."""
ABORTED = 2
"""llama_decode: the abort flag was up."""
ERROR_LEVEL = 4
"""ggml's level for errors in its log."""
_errors: deque[str] = deque(maxlen=8)
_callbacks: list[Any] = []
"""Kept for the life of the process: llama.cpp calls them whenever it likes."""
_loading = threading.Lock()
_here = threading.local()
"""The abort flag of the engine that runs in this thread."""


class Aborted(Exception):
    """The computation was interrupted because nobody wants its result any more."""


def extra(module: str) -> ModuleType:
    """Import a package of the `llama` extra, or say how to install it."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:  # the last two: its shared library does not load
        raise BackendError(
            f"{module} is not installed (or does not load: {error}); llama.cpp inside the process needs "
            "`pip install 'graphrt[llama]'`",
            provider="llama_cpp",
        ) from error


@functools.cache
def _library() -> ModuleType:
    """Load llama.cpp once in the process, quietly: its log goes to Python's, and an assertion starts no debugger."""
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    lib = extra("llama_cpp")
    _callbacks.append(lib.llama_log_callback(_on_log))
    lib.llama_log_set(_callbacks[-1], ctypes.c_void_p(0))
    lib.llama_backend_init()
    return lib


def _on_log(level: int, text: bytes | None, _data: object) -> None:
    if level == ERROR_LEVEL and text:
        line = text.decode("utf-8", "replace").strip()
        _errors.append(line)
        # An interruption is an error to llama.cpp and none to us.
        log.log(logging.DEBUG if getattr(_here, "abort", None) else logging.ERROR, "%s", line)


class Abort:
    """A flag that llama.cpp looks at hundreds of times in each computation. Any thread may raise it.

    The function it calls is C's own strlen over two bytes: 0 while the flag is down, 1 while it is up. A callback
    written in Python would wait for the interpreter's lock each time: measured ten times slower beside a busy event
    loop.
    """

    def __init__(self) -> None:
        self._bytes = ctypes.create_string_buffer(2)

    def set(self) -> None:
        """Raise the flag: the computation that runs ends within a millisecond or so."""
        self._bytes[0] = b"\x01"

    def clear(self) -> None:
        """Lower the flag."""
        self._bytes[0] = b"\x00"

    def __bool__(self) -> bool:
        return self._bytes.raw[0] != 0

    def attach(self, lib: ModuleType, context: Any) -> None:
        """Have `context` look at this flag."""
        libc = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
        callback = ctypes.cast(libc.strlen, lib.ggml_abort_callback)
        lib.llama_set_abort_callback(context, callback, ctypes.cast(self._bytes, ctypes.c_void_p))


class Vocabulary:
    """The model's tokens: text to ids, ids to bytes. What a token is never changes, so it is read once."""

    def __init__(self, lib: ModuleType, model: Any) -> None:
        self._lib = lib
        self.pointer: int = lib.llama_model_get_vocab(model)
        self.size: int = lib.llama_vocab_n_tokens(self.pointer)
        self.pieces = [self._piece(token) for token in range(self.size)]
        self.eog = tuple(token for token in range(self.size) if lib.llama_vocab_is_eog(self.pointer, token))
        self.eos: int = lib.llama_vocab_eos(self.pointer)
        self.control = frozenset(t for t in range(self.size) if lib.llama_vocab_is_control(self.pointer, t))
        user = lib.LLAMA_TOKEN_ATTR_USER_DEFINED
        self.marks = self.control | {
            token
            for token in range(self.size)
            if lib.llama_vocab_get_attr(self.pointer, token) & user
            and self.pieces[token].startswith(b"<")
            and self.pieces[token].endswith(b">")
        }
        bos: int = lib.llama_vocab_bos(self.pointer)
        self.bos_text = self.text(bos) if 0 <= bos < self.size else ""
        self.eos_text = self.text(self.eos) if 0 <= self.eos < self.size else ""

    def _piece(self, token: int) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length: int = self._lib.llama_token_to_piece(self.pointer, token, buffer, size, 0, True)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

    def text(self, token: int) -> str:
        """A token's own text, as far as its bytes are text."""
        return self.pieces[token].decode("utf-8", "replace")

    @functools.cached_property
    def control_texts(self) -> tuple[str, ...]:
        """How control tokens are spelt: text of others that looks like one must not become one."""
        return tuple(sorted({text for t in self.control if (text := self.text(t).strip())}, key=len, reverse=True))

    def tokenize(self, text: str, *, special: bool, beginning: bool = False) -> list[int]:
        """Split `text`; `special` lets it spell control tokens, `beginning` adds the model's first token."""
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        while True:
            tokens = (ctypes.c_int32 * size)()
            count: int = self._lib.llama_tokenize(self.pointer, data, len(data), tokens, size, beginning, special)
            if count >= 0:
                return tokens[:count]
            size = -count

    @property
    def tokenize_pointer(self) -> int | None:
        """The address of llama_tokenize, for a library that calls it itself."""
        return ctypes.cast(self._lib.llama_cpp._lib.llama_tokenize, ctypes.c_void_p).value


class Engine:
    """A model in memory with one sequence of tokens computed so far."""

    def __init__(self, path: Path, *, n_ctx: int | None, n_threads: int | None, n_gpu_layers: int) -> None:
        self._lib = lib = _library()
        self._np = extra("numpy")
        self._model: Any = None
        self._context: Any = None
        self._batch: Any = None
        self.abort = _here.abort = Abort()
        self._held: list[int] = []
        self._prompt = 0
        try:
            self._model = self._load(path, n_gpu_layers)
            self.trained: int = lib.llama_model_n_ctx_train(self._model)
            self.n_ctx = n_ctx or min(self.trained, CONTEXT)
            self.vocabulary = Vocabulary(lib, self._model)
            self.template: str | None = (lib.llama_model_chat_template(self._model, None) or b"").decode() or None
            self._context = self._open(path, n_threads or self._threads())
            self._memory = lib.llama_get_memory(self._context)
            self._batch = lib.llama_batch_init(CHUNK, 0, 1)
            self.abort.attach(lib, self._context)
        except BaseException:
            self.close()
            raise

    def _load(self, path: Path, n_gpu_layers: int) -> Any:
        lib = self._lib
        try:
            with path.open("rb") as file:
                magic = file.read(4)
        except OSError as error:
            raise NotFound(f"cannot read the model {path}: {error.strerror}", provider="llama_cpp") from error
        if magic != b"GGUF":
            raise BackendError(f"{path} is not a GGUF file", provider="llama_cpp")
        params = lib.llama_model_default_params()
        params.n_gpu_layers = n_gpu_layers
        # The AMX kernels of this llama.cpp crash the process on some machines (ggml-org/llama.cpp#20824, #26954).
        params.use_extra_bufts = b"AMX_INT8 = 1" not in lib.llama_print_system_info()
        with _loading:
            _errors.clear()
            model = lib.llama_model_load_from_file(os.fsencode(path), params)
            if not model:
                why = "; ".join(_errors) or "llama.cpp gives no reason"
                raise BackendError(
                    f"cannot load the model {path}: it is damaged or not supported ({why})", provider="llama_cpp"
                )
        if not lib.llama_model_has_decoder(model) or lib.llama_model_has_encoder(model):
            lib.llama_model_free(model)
            raise BackendError(f"{path} holds no decoder-only text model", provider="llama_cpp")
        return model

    def _threads(self) -> int:
        if self._lib.llama_model_n_params(self._model) < SMALL:
            return 1
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def _open(self, path: Path, n_threads: int) -> Any:
        lib = self._lib
        params = lib.llama_context_default_params()
        params.n_ctx = self.n_ctx
        params.n_batch = params.n_ubatch = CHUNK
        params.n_seq_max = 1
        params.n_threads = params.n_threads_batch = n_threads
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.kv_unified = False
        params.no_perf = True
        context = lib.llama_init_from_model(self._model, params)
        if not context:
            raise BackendError(f"no memory for a context of {self.n_ctx} tokens of {path}", provider="llama_cpp")
        return context

    @property
    def length(self) -> int:
        """Tokens computed so far."""
        return len(self._held)

    def prefill(self, tokens: Sequence[int]) -> tuple[NDArray[np.float32], int]:
        """Make `tokens` the sequence; return the logits after the last and how many were there already.

        Raises Aborted with the whole chunks before the interruption kept.
        """
        kept = self._keep(self._reusable(tokens))
        self._prompt = len(tokens)
        logits = None
        at = kept
        while at < len(tokens):
            end = min(len(tokens), (at // CHUNK + 1) * CHUNK)
            logits = self._decode(tokens[at:end])
            at = end
        if logits is None:
            raise BackendError("the prompt is empty", provider="llama_cpp")
        return logits, kept

    def extend(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Append `tokens`; return the logits after the last."""
        logits = None
        for at in range(0, len(tokens), CHUNK):
            logits = self._decode(tokens[at : at + CHUNK])
        if logits is None:
            raise BackendError("nothing to append", provider="llama_cpp")
        return logits

    def _reusable(self, tokens: Sequence[int]) -> int:
        """How much of the last prompt `tokens` begins with, in whole chunks; a token at least is left to compute."""
        common = 0
        for ours, theirs in zip(self._held[: self._prompt], tokens[:-1], strict=False):
            if ours != theirs:
                break
            common += 1
        return common // CHUNK * CHUNK

    def _keep(self, count: int) -> int:
        """Drop everything after the first `count` tokens; a model that cannot forget a part forgets all."""
        lib = self._lib
        if count < len(self._held):
            whole = count > 0 and lib.llama_memory_seq_pos_min(self._memory, 0) == 0
            if not whole or not lib.llama_memory_seq_rm(self._memory, 0, count, -1):
                self.forget()
                return 0
            del self._held[count:]
        return count

    def forget(self) -> None:
        """Drop the whole sequence."""
        self._lib.llama_memory_clear(self._memory, True)
        self._held.clear()
        self._prompt = 0

    def _decode(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Compute one chunk; the logits are llama.cpp's own memory and last until the next call."""
        if self.abort:
            raise Aborted
        count, start, batch = len(tokens), len(self._held), self._batch
        batch.n_tokens = count
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = start + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i == count - 1
        code: int = self._lib.llama_decode(self._context, batch)
        if code == 0:
            self._held.extend(tokens)
            pointer = self._lib.llama_get_logits_ith(self._context, -1)
            logits: NDArray[np.float32] = self._np.ctypeslib.as_array(pointer, shape=(self.vocabulary.size,))
            return logits
        if code == ABORTED:
            if not self._lib.llama_memory_seq_rm(self._memory, 0, start, -1):
                self.forget()
            raise Aborted
        self.forget()
        raise ServerError(f"llama.cpp could not compute {count} tokens at {start} (code {code})", provider="llama_cpp")

    def close(self) -> None:
        """Free everything. Idempotent."""
        lib = self._lib
        batch, self._batch = self._batch, None
        context, self._context = self._context, None
        model, self._model = self._model, None
        if batch is not None:
            lib.llama_batch_free(batch)
        if context:
            lib.llama_free(context)
        if model:
            lib.llama_model_free(model)
