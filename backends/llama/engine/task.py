"""A request as the engine sees it: work that asks for tokens to be computed, and what that has cost so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphrt.backends.llama.engine.prefixes import Chunk


@dataclass(frozen=True, slots=True)
class Restored:
    """A beginning in place of the prompt: `data` is what was once computed of `tokens`, whose first `prompt` were read.
    `then` is to be computed first."""

    tokens: Sequence[int]
    prompt: int
    data: bytes
    then: Sequence[int]


@dataclass(frozen=True, slots=True)
class Going:
    """Tokens to be appended. Before them, `save` wants all that was computed so far. `meanwhile` is called once before
    their logits are sent: while a GPU computes them, where there is one."""

    then: Sequence[int]
    save: Callable[[bytes], None] | None = None
    meanwhile: Callable[[], object] | None = None


Work = Generator[Sequence[int] | Restored | Going, "NDArray[np.float32] | None", None]
"""Yields the prompt, then whatever is to be appended; is sent the logits after the last token of each. It may yield
something restored instead of the prompt; is it sent None, that could not be used, and it yields the prompt. What goes
wrong in a `meanwhile` is thrown into it in place of the logits."""


@dataclass(slots=True)
class Effort:
    """What an answer has cost: tokens that were there already and that were computed, and seconds."""

    cached: int | None = None
    computed: int = 0
    queued: float = 0.0
    reading: float = 0.0
    writing: float = 0.0

    def facts(self) -> dict[str, Any]:
        """As they are reported beside the usage."""
        return {
            "computed": self.computed,
            "queue_seconds": round(self.queued, 6),
            "prefill_seconds": round(self.reading, 6),
            "decode_seconds": round(self.writing, 6),
        }


class Task:
    """One request on its way through the engine. `over` is called once, when the engine has let go of it."""

    def __init__(
        self, work: Generator[Any, Any, None], effort: Effort, *, owner: Hashable, over: Callable[[], None]
    ) -> None:
        self.work = work
        self.effort = effort
        self.owner = owner
        self.over = over
        self.asked = self.since = self.first = time.perf_counter()
        self.given_up = False
        self.number = -1
        self.prompt: list[int] | None = None
        self.chunks: list[Chunk] = []
        self.reusable = 0
        """How many of them may come from elsewhere."""
        self.todo: list[int] = []
        self.done: list[int] = []
        """All that was computed, in order."""
        self.reading = True
        self.saved: bytes | None = None
        """What was computed, while others have its place."""
        self.restored: Restored | None = None
        self.meanwhile: Callable[[], object] | None = None
        self.broken: Exception | None = None
        """What went wrong in it."""

    def settle(self) -> None:
        """Do what can be done while others compute, if that is not done yet."""
        meanwhile, self.meanwhile = self.meanwhile, None
        try:
            if meanwhile is not None:
                meanwhile()
        except Exception as error:
            self.broken = error

    def go_on(self, logits: NDArray[np.float32]) -> Any:
        """Have it say what it wants next; raises StopIteration at its end."""
        self.settle()
        if self.broken is None:
            return self.work.send(logits)
        broken, self.broken = self.broken, None
        return self.work.throw(broken)
