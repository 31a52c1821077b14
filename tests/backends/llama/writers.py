"""Requests without words: they read tokens, write tokens, and remember what they saw."""

from collections.abc import Generator, Hashable, Sequence
from typing import Any

from graphrt.backends.errors import BackendError
from graphrt.backends.llama.engine.engine import Engine
from graphrt.backends.llama.engine.sampling import Sampler
from graphrt.backends.llama.engine.task import Effort, Task


class Writer(Task):
    """Reads a prompt, writes `count` tokens and keeps the bits that it saw. Every `leap` tokens it writes three that
    nobody chose, as a grammar may force them."""

    def __init__(
        self,
        prompt: Sequence[int],
        count: int = 1,
        *,
        owner: Hashable = None,
        sampler: Sampler | None = None,
        leap: int = 0,
    ) -> None:
        super().__init__(self._write(prompt, count), Effort(), owner=owner, over=self._over)
        self._sampler = sampler or Sampler()
        self._leap = leap
        self.seen: list[Any] = []
        self.written: list[int] = []
        self.error: BackendError | None = None
        self.ended = False

    def _write(self, prompt: Sequence[int], count: int) -> Generator[Sequence[int], Any, None]:
        fresh = prompt
        try:
            for _ in range(count):
                logits = yield fresh
                self.seen.append(logits.copy())
                fresh = [self._sampler.pick(logits, len(self.written))]
                if self._leap and len(self.seen) % self._leap == 0:
                    fresh += [20, 21, 22]
                self.written += fresh
        except BackendError as error:
            self.error = error

    def _over(self) -> None:
        self.ended = True


def run(engine: Engine, *tasks: Writer) -> None:
    """Until all are over."""
    for task in tasks:
        engine.add(task)
    while engine.busy:
        engine.step()
    assert all(task.ended for task in tasks)


def alike(one: Writer, other: Writer) -> bool:
    """Whether both saw the same bits all along."""
    return one.written == other.written and all((a == b).all() for a, b in zip(one.seen, other.seen, strict=True))


def some(count: int, start: int = 10) -> list[int]:
    return [start + 7 * i % 900 for i in range(count)]
