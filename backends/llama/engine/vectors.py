"""The half of a loaded model that reads texts whole and makes one vector, or one score, of each.

It has a context of its own over the same weights. Everything here belongs to the thread of the engine, apart from
`interrupt` and `stop`; the two take turns, so that neither waits for more than a little work of the other.

A text is computed by itself: a vector depends on nothing but its text, by construction, and a processor is no slower
for it. A GPU is: there, unless it has to be exact, short texts go `together` into one call. A causal model that looks
at the last token reads a long text in pieces, between which others go on; of any other model, llama.cpp wants the whole
text in one call. Whole pieces that a text begins with as the one before it did are not computed again: a ranking reads
its query once. The context grows with the longest text that was read, since what attention takes grows with its square.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphrt.backends.errors import BackendError, BadRequest, ServerError
from graphrt.backends.llama.engine.engine import BESIDE, CONTEXT, PADDED, TOGETHER, Options
from graphrt.backends.llama.engine.task import Effort, Task
from graphrt.backends.llama.native.context import CacheFull, Context, Span
from graphrt.backends.llama.native.library import Aborted, library
from graphrt.backends.llama.native.model import Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POOLINGS = ("mean", "cls", "last")
"""How a vector can be made of a text's tokens where the model does not say it: their mean, the first, or the last."""
PIECE = BESIDE
"""Tokens of a text that is computed in pieces: what those that write wait for, at most."""
SMALLEST = 512
"""Tokens that the first context holds."""
BESIDE_EACH_OTHER = 64
"""Texts in a call, where they go together."""

Work = Generator[Sequence[Sequence[int]], "list[NDArray[np.float32]]", None]
"""Yields the tokens of all its texts, or nothing to let others go on; is sent a row for each text, in order."""


class Reading(Task):
    """Texts on their way through. `over` is called once, when they are let go of."""

    def __init__(
        self, work: Generator[Any, Any, None], effort: Effort, *, owner: Hashable, over: Callable[[], None]
    ) -> None:
        super().__init__(work, effort, owner=owner, over=over)
        self.texts: Sequence[Sequence[int]] = ()
        self.rows: list[NDArray[np.float32]] = []

    @property
    def started(self) -> bool:
        """Whether anything was computed for it."""
        return bool(self.effort.computed)


@dataclass(frozen=True, slots=True)
class _Part:
    """Tokens of one text in a call, and whether they are its last."""

    reading: Reading
    span: Span
    last: bool


class Vectors:
    """A context that reads texts. `ranks`: it scores pairs, else it embeds. `limit` is the longest text in tokens.

    `together` computes several texts in one call; None is for GPUs only, unless `options` ask for exactness. Raises
    BadRequest for a model that neither embeds nor ranks, unless `pooling` says how it is to embed.
    """

    def __init__(
        self, model: Model, options: Options, *, pooling: str | None = None, together: bool | None = None
    ) -> None:
        self.model = model
        self.vocabulary = model.vocabulary
        self.limit = min(options.n_ctx or CONTEXT, model.trained)
        self.together = model.offloaded and not options.exact if together is None else together
        self._options = options
        lib = library()
        self._pooling = int(getattr(lib, f"LLAMA_POOLING_TYPE_{(pooling or 'unspecified').upper()}"))
        self._line: deque[Reading] = deque()
        self._held = 0
        """Tokens that are computed of the first text in the line, where it is computed in pieces."""
        self._kept: Sequence[int] = ()
        """The text before it, which is still there."""
        self._guard = threading.Lock()
        self._computing: frozenset[Reading] = frozenset()
        self._stopped = False
        self._pieces = False
        self._context = self._open(SMALLEST)
        found = self._context.pooling
        self.ranks = found == lib.LLAMA_POOLING_TYPE_RANK
        self._width = len(model.labels) if self.ranks else model.width
        if found == lib.LLAMA_POOLING_TYPE_NONE:
            self.close()
            raise BadRequest(
                f"the model {model.path} does not say how to make one vector of a text (its pooling is none): take one "
                f"that was made to embed or to rerank, or have it embed with pooling={'|'.join(POOLINGS)}",
                provider="llama_cpp",
            )
        at_the_end = self._context.causal and (self.ranks or found == lib.LLAMA_POOLING_TYPE_LAST)
        if at_the_end and self._context.remembers:
            self._pieces = True
            self._context.close()
            self._context = self._open(SMALLEST)

    def _open(self, tokens: int) -> Context:
        rows = (TOGETHER if self.together else PIECE) if self._pieces else tokens
        return Context(
            self.model,
            cells=tokens,
            rows=rows,
            threads=self._options.n_threads or self.model.threads,
            sequences=BESIDE_EACH_OTHER if self.together else 1,
            unified=self.together,
            gpu_cells=self._options.offload_kqv,
            pooling=self._pooling,
        )

    # What other threads may call

    def interrupt(self, task: Task) -> None:
        """Give texts up. A call that is for them alone ends within about a millisecond."""
        with self._guard:
            task.given_up = True
            if self._computing == {task}:
                self._context.abort.set()

    def stop(self) -> None:
        """Give everything up, now and from now on."""
        with self._guard:
            self._stopped = True
            self._context.abort.set()

    # What its own thread calls

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._line)

    def add(self, task: Task) -> None:
        """Put texts in the line."""
        assert isinstance(task, Reading)  # noqa: S101 - whoever begins them makes one
        self._line.append(task)

    def step(self) -> None:
        """Let go of those who were given up, and compute a little of the texts, each reader's in turn.

        Raises Aborted once it was stopped.
        """
        left = PIECE
        while left > 0 and self._line:
            self._let_go()
            if not self._line:
                return
            if not self._line[0].texts:
                self._prepare(self._line[0])
                return
            try:
                call = self._next()
            except BackendError as error:  # no memory for so long a text
                self._lose(frozenset({self._line[0]}), error.provider_message)
                return
            left -= self._compute(call)

    def _let_go(self) -> None:
        with self._guard:
            if self._stopped:
                raise Aborted
        if self._held and self._line[0].given_up:
            self._forget()
        for reading in [each for each in self._line if each.given_up]:
            self._line.remove(reading)
            reading.work.close()
            reading.over()

    def _prepare(self, reading: Reading) -> None:
        """Let a reader make a part of its tokens; others go on before the next part."""
        try:
            reading.texts = next(reading.work)
        except StopIteration:
            self._line.popleft()
            reading.over()
        else:
            self._line.rotate(-1)

    def _next(self) -> list[_Part]:
        """The next call: a piece of a text, a whole one by itself, or as many whole ones as go together."""
        first = self._line[0]
        text = first.texts[len(first.rows)]
        if not self._held:
            self._fit(len(text))
            self._resume(first, text)
        rows = self._context.rows
        if not self.together or self._held or len(text) > min(rows, TOGETHER):
            piece = text[self._held : self._held + rows]
            return [_Part(first, Span(0, self._held, piece), self._held + len(piece) == len(text))]
        call: list[_Part] = []
        room, turn = TOGETHER, deque(self._line)
        at = {reading: len(reading.rows) for reading in turn}
        while turn and len(call) < self._context.sequences:
            reading = turn.popleft()
            if at[reading] == len(reading.texts):
                continue
            text = reading.texts[at[reading]]
            if len(text) > room:
                break
            call.append(_Part(reading, Span(len(call), 0, text), last=True))
            room -= len(text)
            at[reading] += 1
            turn.append(reading)
        return call

    def _resume(self, reading: Reading, text: Sequence[int]) -> None:
        """Keep as much of the text before as this one begins with, in whole pieces, as they were computed."""
        kept, self._kept = self._kept, ()
        if not kept:
            return
        most = min(len(kept), len(text) - 1) // PIECE * PIECE  # a token at least is left to compute
        pieces = range(0, most, PIECE)
        common = next((at for at in pieces if kept[at : at + PIECE] != text[at : at + PIECE]), most)
        self._held = self._context.trim(0, common)
        reading.effort.cached = (reading.effort.cached or 0) + self._held

    def _fit(self, tokens: int) -> None:
        """Have a context that holds so many tokens: a larger one in place of the one that is there."""
        if tokens <= self._context.cells:
            return
        most = -(-self.limit // PADDED) * PADDED
        larger = self._open(min(1 << (tokens - 1).bit_length(), most))
        with self._guard:
            smaller, self._context = self._context, larger
        self._kept = ()
        smaller.close()

    def _compute(self, call: list[_Part]) -> int:
        """Compute one call, and hand out what comes of it; return how many tokens that was."""
        readings = frozenset(part.reading for part in call)
        with self._guard:
            if self._stopped:
                raise Aborted
            if any(reading.given_up for reading in readings):
                return 0
            self._computing = readings
            self._context.abort.clear()
        begun = time.perf_counter()
        try:
            self._context.compute([part.span for part in call])
            rows = [self._context.vector(part.span.sequence, self._width) if part.last else None for part in call]
        except Aborted:
            return 0
        except (BackendError, CacheFull) as error:
            none = "llama.cpp has no cells for the text"
            self._lose(readings, none if isinstance(error, CacheFull) else error.provider_message)
            return 0
        finally:
            with self._guard:
                self._computing = frozenset()
        now = time.perf_counter()
        for part, row in zip(call, rows, strict=True):
            effort, count = part.reading.effort, len(part.span.tokens)
            if not part.reading.started:
                effort.queued = begun - part.reading.asked
            effort.computed += count
            effort.reading += (now - begun) * count / sum(len(each.span.tokens) for each in call)
            if row is None:
                self._held = part.span.start + count
            else:
                part.reading.rows.append(row)
        if call[0].last:
            first = call[0].reading
            if self._pieces and not self.together:
                self._kept, self._held = first.texts[len(first.rows) - 1], 0
            else:
                self._forget(len(call))
            self._line.rotate(-1)
        for reading in readings:
            if len(reading.rows) == len(reading.texts):
                self._finish(reading)
        return sum(len(part.span.tokens) for part in call)

    def _finish(self, reading: Reading) -> None:
        self._line.remove(reading)
        try:
            reading.work.send(reading.rows)
        except StopIteration:
            pass
        finally:
            reading.over()

    def _lose(self, readings: frozenset[Reading], why: str) -> None:
        self._forget(self._context.sequences)
        for reading in readings:
            self._line.remove(reading)
            try:
                reading.work.throw(ServerError(why, provider="llama_cpp"))
            except StopIteration:
                pass
            finally:
                reading.over()

    def _forget(self, sequences: int = 1) -> None:
        for sequence in range(sequences):
            self._context.trim(sequence, 0)
        self._held, self._kept = 0, ()

    def reset(self) -> None:
        """Forget everything and everybody, after a failure that left nothing certain."""
        self._line.clear()
        self._forget(self._context.sequences)

    @property
    def bytes(self) -> int:
        """What the cells, attention and what it gives out take, about."""
        context, model = self._context, self.model
        cells = context.cells * model.cell_bytes if context.remembers else 0
        return cells + 4 * context.rows * (context.cells * model.heads + self.vocabulary.size)

    def close(self) -> None:
        """Free the context; the weights are whoever's who loaded them. Idempotent."""
        self._context.close()
