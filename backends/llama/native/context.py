"""What has been computed of a model's sequences, and the one call that computes more: `llama_decode`.

What it makes of them are logits, or, `pooled`, one vector for each sequence.

A context belongs to one thread, apart from its `abort`. Interrupted (`Aborted`), it is as it was before the call.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphrt.backends.errors import BackendError, ServerError
from graphrt.backends.llama.native.library import Abort, Aborted, extra, library
from graphrt.backends.llama.native.model import Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NO_ROOM, ABORTED = 1, 2
"""What llama_decode says: no cells are left, and the abort flag was up."""


class CacheFull(Exception):
    """There are no cells for the tokens that were to be computed; nothing has changed."""


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens of one sequence that are computed together, the first of them at position `start`."""

    sequence: int
    start: int
    tokens: Sequence[int]
    logits: bool = True
    """Whether the logits after the last of them are wanted."""


class Context:
    """The cells of `sequences` sequences of one model.

    `cells` is the memory in tokens. Apart, each sequence has its own share of them and attends to nothing else, which
    is what makes its bits independent of the others; `unified`, they share all. `rows` is the most that one call
    computes. `gpu_cells` keeps the cells where the weights are. With a `pooling`, one of llama.cpp's, there are vectors
    and no logits.
    """

    def __init__(
        self,
        model: Model,
        *,
        cells: int,
        rows: int,
        threads: int,
        sequences: int = 1,
        unified: bool = False,
        gpu_cells: bool = True,
        pooling: int | None = None,
    ) -> None:
        self._lib = lib = library()
        self._np = numpy = extra("numpy")
        self.model = model
        self.rows = rows
        self.sequences = sequences
        self.cells = cells
        self.unified = unified
        self._gpu_cells = gpu_cells
        self.abort = Abort()
        self.meanwhile: Callable[[], None] | None = None
        """What is done after each call has begun: a GPU computes while it is."""
        self._width = model.vocabulary.size
        self._nothing: NDArray[np.float32] = numpy.empty((0, self._width), numpy.float32)
        params = lib.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = rows
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        # On a processor it reads the prompts of a crowd a quarter faster, where sequences share their cells, and writes
        # half as fast after long ones; where they do not share, it takes twice the time for long prompts.
        flash = lib.LLAMA_FLASH_ATTN_TYPE_AUTO if unified and model.offloaded else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.flash_attn_type = flash
        params.kv_unified = unified
        params.swa_full = True  # a window that slides drops what another request could have begun with
        params.offload_kqv = gpu_cells
        params.no_perf = True
        if pooling is not None:
            params.embeddings, params.pooling_type = True, pooling
        self.pooled = pooling is not None
        self._context: Any = lib.llama_init_from_model(model.pointer, params)
        if not self._context:
            raise BackendError(f"no memory for a context of {cells} tokens of {model.path}", provider="llama_cpp")
        self._memory = lib.llama_get_memory(self._context)
        if not (self._memory or self.pooled):
            self.close()
            raise BackendError(
                f"the model {model.path} keeps nothing of what it has read, so it cannot write; it may embed",
                provider="llama_cpp",
            )
        self.abort.attach(lib, self._context)
        # The arrays that llama.cpp reads a batch from are ours, so that a batch is filled by the slice.
        self._token, self._position, self._sequence, ones = (numpy.ones(rows, numpy.int32) for _ in range(4))
        self._wanted = numpy.zeros(rows, numpy.int8)
        self._pointers = self._sequence.ctypes.data + 4 * numpy.arange(rows, dtype=numpy.uintp)
        self._one_each = ones
        self._batch = lib.llama_batch()
        for name, array in (
            ("token", self._token),
            ("pos", self._position),
            ("n_seq_id", ones),
            ("seq_id", self._pointers),
            ("logits", self._wanted),
        ):
            kind = dict(lib.llama_batch._fields_)[name]
            setattr(self._batch, name, ctypes.cast(array.ctypes.data, kind))

    def compute(self, spans: Sequence[Span]) -> NDArray[np.float32]:
        """Compute `spans` in one call; return the logits of those that want them, in order, a row each.

        The logits are llama.cpp's own memory and last until the next call. Sequences are in ascending order. Raises
        Aborted and CacheFull, with everything as before; ServerError leaves the sequences of `spans` empty.
        """
        if self.abort:
            raise Aborted
        at = outputs = 0
        for span in spans:
            count = len(span.tokens)
            end = at + count
            self._token[at:end] = span.tokens
            self._position[at:end] = span.start if count == 1 else self._np.arange(span.start, span.start + count)
            self._sequence[at:end] = span.sequence
            self._wanted[at:end] = self.pooled
            self._wanted[end - 1] = span.logits or self.pooled
            outputs += span.logits
            at = end
        self._batch.n_tokens = at
        code: int = self._lib.llama_decode(self._context, self._batch)
        if code == 0:
            if self.meanwhile is not None:
                self.meanwhile()
            return self._logits(outputs)
        if code == NO_ROOM:
            raise CacheFull
        if code == ABORTED:
            for span in spans:
                self.trim(span.sequence, span.start)
            raise Aborted
        for span in spans:
            self.trim(span.sequence, 0)
        raise ServerError(f"llama.cpp could not compute {at} tokens (code {code})", provider="llama_cpp")

    def _logits(self, outputs: int) -> NDArray[np.float32]:
        pointer = self._lib.llama_get_logits(self._context) if outputs else None
        if not pointer:
            return self._nothing
        values = (ctypes.c_float * (outputs * self._width)).from_address(ctypes.addressof(pointer.contents))
        logits: NDArray[np.float32] = self._np.frombuffer(values, self._np.float32)
        return logits.reshape(outputs, self._width)

    @property
    def remembers(self) -> bool:
        """Whether what was computed stays, so that a text can be computed in pieces."""
        return bool(self._memory)

    @property
    def pooling(self) -> int:
        """How it makes one vector of a sequence, where the model had a say in it: one of llama.cpp's ways."""
        return int(self._lib.llama_pooling_type(self._context))

    @property
    def causal(self) -> bool:
        """Whether a token sees nothing of those after it."""
        return bool(self._lib.llama_get_causal_attn(self._context))

    def vector(self, sequence: int, width: int) -> NDArray[np.float32]:
        """What the last call made of `sequence`: of `width` numbers, a copy. Raises ServerError if that is nothing."""
        pointer = self._lib.llama_get_embeddings_seq(self._context, sequence)
        if not pointer:
            raise ServerError("llama.cpp made no vector of what it has read", provider="llama_cpp")
        values = (ctypes.c_float * width).from_address(ctypes.addressof(pointer.contents))
        vector: NDArray[np.float32] = self._np.array(values, self._np.float32)
        return vector

    def trim(self, sequence: int, count: int) -> int:
        """Drop what `sequence` has after its first `count` tokens; return how many are left.

        A model that cannot forget a part of a sequence forgets all of it.
        """
        lib, memory = self._lib, self._memory
        whole = count > 0 and lib.llama_memory_seq_pos_min(memory, sequence) == 0
        if whole and lib.llama_memory_seq_rm(memory, sequence, count, -1):
            return count
        lib.llama_memory_seq_rm(memory, sequence, -1, -1)
        return 0

    def copy(self, source: int, target: int, count: int) -> int:
        """Make `target` the first `count` tokens of `source`; return how many could be had."""
        lib, memory = self._lib, self._memory
        lib.llama_memory_seq_rm(memory, target, -1, -1)
        if self.unified:  # the cells themselves are shared
            if lib.llama_memory_seq_pos_min(memory, source) != 0:
                return 0
            lib.llama_memory_seq_cp(memory, source, target, 0, count)
            return count
        lib.llama_memory_seq_cp(memory, source, target, -1, -1)  # a part of it would abort the process
        return self.trim(target, count)

    @property
    def layout(self) -> str:
        """What `save` depends on beside the model and the library."""
        placed = f"{self.model.placement.gpu_layers} {self._gpu_cells}" if self.model.offloaded else ""
        return f"{self._lib.llama_print_system_info()!r} unified={self.unified}{placed and ' gpu=' + placed}"

    def save(self, sequence: int) -> bytes:
        """All that was computed of `sequence`, for `restore`."""
        lib = self._lib
        size: int = lib.llama_state_seq_get_size(self._context, sequence)
        buffer = (ctypes.c_uint8 * size)()
        lib.llama_state_seq_get_data(self._context, buffer, size, sequence)
        return bytes(buffer)

    def restore(self, sequence: int, data: bytes) -> bool:
        """Make `sequence` what `save` gave for this very model and layout; False if there are no cells for it."""
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        done: int = self._lib.llama_state_seq_set_data(self._context, buffer, len(data), sequence)
        return done > 0

    def close(self) -> None:
        """Free the cells. Idempotent."""
        context, self._context = self._context, None
        if context:
            self._lib.llama_free(context)
