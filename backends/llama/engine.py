"""One loaded model and its context.

Everything here belongs to one thread, apart from `Abort`. An interrupted computation (`Aborted`) leaves the context as
it was before the chunk that was cut off, so that the next request may go on from it.

An answer depends on nothing but its request, by construction. The bits of a token's state depend on how many tokens are
computed together with it: on some processors for every weight format, on others for some. So a prompt is computed in
chunks that begin at multiples of `CHUNK`, and only whole chunks of prompts are ever reused: every cell is always
computed in the same company, whatever was asked before. Flash attention is off and the sequence has cells of its own,
so that nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphrt.backends.errors import BackendError
from graphrt.backends.llama.context import Context, Span
from graphrt.backends.llama.library import Aborted
from graphrt.backends.llama.model import Model, Placement

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 32
"""Tokens of a prompt computed in one go, and the unit in which equal beginnings are reused. More is hardly faster."""
CONTEXT = 4096
"""The context where nobody asked for another, unless the model was trained on less."""


class Engine:
    """A model in memory with one sequence of tokens computed so far."""

    def __init__(self, path: Path, *, n_ctx: int | None, n_threads: int | None, n_gpu_layers: int) -> None:
        self._held: list[int] = []
        self._prompt = 0
        self.model = Model(path, Placement(n_gpu_layers))
        try:
            self.n_ctx = n_ctx or min(self.model.trained, CONTEXT)
            self.vocabulary = self.model.vocabulary
            self.template = self.model.template
            threads = n_threads or self.model.threads
            self.context = Context(self.model, cells=self.n_ctx, rows=CHUNK, threads=threads)
            self.abort = self.context.abort
        except BaseException:
            self.model.close()
            raise

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
            logits = self._compute(tokens[at:end])
            at = end
        if logits is None:
            raise BackendError("the prompt is empty", provider="llama_cpp")
        return logits, kept

    def extend(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Append `tokens`; return the logits after the last."""
        logits = None
        for at in range(0, len(tokens), CHUNK):
            logits = self._compute(tokens[at : at + CHUNK])
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
        if count < len(self._held):
            count = self.context.trim(0, count)
            del self._held[count:]
        return count

    def forget(self) -> None:
        """Drop the whole sequence."""
        self.context.trim(0, 0)
        self._held.clear()
        self._prompt = 0

    def _compute(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Compute one chunk; the logits are llama.cpp's own memory and last until the next call."""
        try:
            logits = self.context.compute([Span(0, len(self._held), tokens)])
        except Aborted:
            raise
        except BackendError:
            self.forget()
            raise
        self._held.extend(tokens)
        return logits[0]

    def close(self) -> None:
        """Free everything. Idempotent."""
        self.context.close()
        self.model.close()
