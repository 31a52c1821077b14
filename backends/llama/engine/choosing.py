"""Tokens chosen for many at once, in threads beside the engine's.

Looking at every number of a large vocabulary takes longer than a GPU takes for the next ones. numpy lets go of the
interpreter's lock while it does, so that threads help; where the processor computes the model, they would be in its
way.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from graphrt.backends.llama.engine.task import Task
from graphrt.backends.llama.native.model import processors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENOUGH = 1 << 19
"""Numbers to look at from which on threads are worth their while."""
MOST = 4
"""Threads, the engine's own among them."""


class Choosers:
    """The threads of one engine, at most `most` with its own; there are none before they are needed."""

    def __init__(self, most: int) -> None:
        self._most = min(most, processors())
        self._threads: ThreadPoolExecutor | None = None

    def look(self, asked: Sequence[tuple[Task, NDArray[np.float32]]]) -> None:
        """Have every task look at its logits. Returns when all have."""
        count = min(self._most, len(asked))
        if count <= 1 or sum(logits.size for _, logits in asked) < ENOUGH:
            return _look(asked)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._most - 1, thread_name_prefix="choosing")
        try:
            others = [self._threads.submit(_look, asked[at::count]) for at in range(1, count)]
        except RuntimeError:  # the interpreter is ending
            return _look(asked)
        _look(asked[::count])
        wait(others)
        return None

    def close(self) -> None:
        """End the threads. Idempotent."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()


def _look(asked: Sequence[tuple[Task, NDArray[np.float32]]]) -> None:
    for task, logits in asked:
        task.look_at(logits)
