"""What the engine believes of its slots is what is in them, whatever comes: against a context that only keeps books.

Its logits are a function of everything before them, so that a token too many, too few or somebody else's would show.
"""

import itertools
from collections.abc import Generator, Sequence
from typing import Any, cast

import pytest

pytest.importorskip("numpy", reason="the llama extra is not installed")

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrt.backends.errors import BackendError, ServerError
from graphrt.backends.llama.engine import snapshots
from graphrt.backends.llama.engine.engine import CHUNK, Engine, Options
from graphrt.backends.llama.engine.prefixes import chunks
from graphrt.backends.llama.engine.snapshots import Cells, Snapshots
from graphrt.backends.llama.native.context import CacheFull, Context, Span
from graphrt.backends.llama.native.library import Aborted
from graphrt.backends.llama.native.model import Model
from tests.backends.llama.writers import Writer

VOCABULARY = 50
COMPANY = 2


class Flag:
    """An abort flag that nobody computes under."""

    def __init__(self) -> None:
        self.up = False

    def set(self) -> None:
        self.up = True

    def clear(self) -> None:
        self.up = False


class Books:
    """A context without a model: which cell holds which token of which sequence."""

    def __init__(self, *, unified: bool, sequences: int, share: int) -> None:
        self.unified = unified
        self.sequences = sequences
        self.share = share
        self.cells = share if unified else share * sequences
        self.rows = 64
        self.abort = Flag()
        self.held: list[list[tuple[int, int]]] = [[] for _ in range(sequences)]
        """Of each sequence, (cell, token)."""
        self._fresh = itertools.count()
        self.companies: dict[tuple[int, ...], tuple[int, int]] = {}
        """In which company a prompt was computed: exact, it is always the same."""
        self.trouble: list[type[Exception]] = []
        self.torn = 0
        """How many snapshots will find no cells as they want them."""

    def compute(self, spans: Sequence[Span]) -> Any:
        if self.abort.up:
            raise Aborted
        rows = sum(len(span.tokens) for span in spans)
        order = [span.sequence for span in spans]
        assert 0 < rows <= self.rows
        assert order == sorted(set(order))
        assert all(span.start == len(self.held[span.sequence]) for span in spans)
        if not self.unified:
            self._exact(spans, order)
        if self.trouble:
            trouble = self.trouble.pop()
            if trouble is ServerError:
                for span in spans:
                    self.held[span.sequence] = []
                raise ServerError("out of order", provider="llama_cpp")
            raise trouble
        used = {cell for sequence in self.held for cell, _ in sequence}
        if self.unified and len(used) + rows > self.cells:
            raise CacheFull
        for span in spans:
            self.held[span.sequence] += [(next(self._fresh), token) for token in span.tokens]
            assert self.unified or len(self.held[span.sequence]) <= self.share
        return np.array([likeliest(self.tokens(span.sequence)) for span in spans if span.logits])

    def _exact(self, spans: Sequence[Span], order: list[int]) -> None:
        if all(len(span.tokens) == 1 for span in spans) and len(spans) > 1:
            assert len(spans) >= COMPANY
            assert order == list(range(order[0], order[-1] + 1))
            assert all(span.logits for span in spans)
            return
        (span,) = spans
        assert len(span.tokens) <= CHUNK
        before = self.tokens(span.sequence)
        for i in range(len(span.tokens)):
            history = (*before, *span.tokens[: i + 1])
            assert self.companies.setdefault(history, (span.start, len(span.tokens)))[0] == span.start

    def tokens(self, sequence: int) -> tuple[int, ...]:
        return tuple(token for _, token in self.held[sequence])

    def trim(self, sequence: int, count: int) -> int:
        del self.held[sequence][count:]
        return count

    def copy(self, source: int, target: int, count: int) -> int:
        assert source != target
        assert count <= len(self.held[source])
        kept = self.held[source][:count]
        self.held[target] = kept if self.unified else [(next(self._fresh), token) for _, token in kept]
        return count

    def save(self, sequence: int) -> bytes:
        return bytes(self.tokens(sequence))

    def restore(self, sequence: int, data: bytes) -> bool:
        assert not self.held[sequence]
        if self.torn:
            self.torn -= 1
            return False
        self.held[sequence] = [(next(self._fresh), token) for token in data]
        return True


class NoModel:
    """The weights of nothing."""

    vocabulary = template = None
    trained = 4096
    offloaded = recurrent = False


def likeliest(tokens: tuple[int, ...]) -> Any:
    """Logits that depend on every token before them."""
    logits = np.zeros(VOCABULARY, np.float32)
    logits[hash(tokens) % VOCABULARY] = 1
    return logits


class Bare(Engine):
    """An engine over books."""

    def __init__(self, books: Books) -> None:
        self._books = books
        super().__init__(cast("Model", NoModel()), Options(n_ctx=books.share - 1))

    def _open(self, options: Options) -> tuple[Context, int]:
        return cast("Context", self._books), COMPANY


def expected(prompt: list[int], count: int, leap: int) -> list[list[int]]:
    """What the answer must be, by itself, in its groups."""
    tokens, groups = list(prompt), list[list[int]]()
    for step in range(1, count + 1):
        fresh = [int(likeliest(tuple(tokens)).argmax())]
        if leap and step % leap == 0:
            fresh += [20, 21, 22]
        tokens += fresh
        groups.append(fresh)
    return groups


class Shelf:
    """Has one snapshot, and looks at those that are made."""

    def __init__(self, prompt: list[int], groups: list[list[int]]) -> None:
        self.prompt = prompt
        self.groups = groups

    def load(self, _: str) -> tuple[tuple[list[int], ...], bytes] | None:
        return (tuple(self.groups), self.cells(self.groups)) if self.groups else None

    def save(self, _: str, groups: list[list[int]], data: bytes) -> None:
        assert data == self.cells(groups)

    def drop(self, _: str) -> None:
        self.groups = []

    def cells(self, groups: list[list[int]]) -> bytes:
        return bytes(itertools.chain(self.prompt, *groups[:-1]))


class Saved(Writer):
    """Goes on from a snapshot, and has one made before every token."""

    def __init__(self, prompt: list[int], groups: list[list[int]], before: int, owner: int) -> None:
        self.left = groups[before:]
        self.cells = Cells(cast("Snapshots", Shelf(prompt, groups[:before])), "", prompt)
        super().__init__(prompt, len(groups), owner=owner)
        self.written = list(itertools.chain(*self.cells.recall([])))

    def _write(self, prompt: Sequence[int], count: int) -> Generator[Any, Any, None]:
        try:
            logits = yield from self.cells.read()
            for group in self.left:
                assert int(logits.argmax()) == group[0]
                self.written += group
                if group is self.left[-1]:
                    break
                logits = yield from self.cells.add(group)
        except BackendError as error:
            self.error = error


BEGINNINGS = [[at + i % 7 for i in range(length)] for at, length in enumerate((0, 32, 33, 64, 96))]
PATHS = [chunks(beginning, CHUNK) for beginning in BEGINNINGS]
ASKED = st.tuples(
    st.sampled_from(BEGINNINGS),
    st.lists(st.integers(0, 9), min_size=1, max_size=40),
    st.sampled_from([1, 5, 30, 60]),
    st.sampled_from([0, 0, 2]),
    st.integers(0, 3),
)
DEEDS = st.lists(
    st.sampled_from(["step"] * 8 + ["ask"] * 6 + ["give up", "full", "fail", "torn"]), min_size=20, max_size=80
)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "SOONEST", 0.0)
    monkeypatch.setattr(snapshots, "SHARE", 0)


@pytest.mark.usefixtures("always")
@settings(max_examples=60)
@given(st.booleans(), st.integers(1, 4), st.lists(ASKED, min_size=6, max_size=12), DEEDS, st.randoms())
def test_every_answer_is_its_own_whatever_comes(
    unified: bool, sequences: int, asked: list[Any], deeds: list[str], draw: Any
) -> None:
    books = Books(unified=unified, sequences=sequences, share=300)
    engine = Bare(books)
    line: list[tuple[Writer, list[int]]] = []
    for beginning, rest, count, leap, owner in asked:
        prompt = [*beginning, *rest]
        groups = expected(prompt, count, leap)
        before = draw.randrange(count)
        saved = draw.random() < 0.4
        writer = Saved(prompt, groups, before, owner) if saved else Writer(prompt, count, leap=leap, owner=owner)
        line.append((writer, list(itertools.chain(*groups))))
    waiting = list(line)
    failures = 0
    for deed in deeds:
        if deed == "ask" and waiting:
            engine.add(waiting.pop()[0])
        elif deed == "give up" and engine.tasks:
            engine.interrupt(draw.choice(engine.tasks))
        elif deed == "torn":
            books.torn += 1
        elif deed in {"full", "fail"}:
            books.trouble.append(CacheFull if deed == "full" else ServerError)
            failures += 1
        else:
            engine.step()
            check(engine, books)
    for task, _ in waiting:
        engine.add(task)
    steps = 0
    while engine.busy:
        engine.step()
        check(engine, books)
        steps += 1
        assert steps < 1500
    for task, written in line:
        assert task.ended
        if task.error is None and not task.given_up:
            assert task.written == written
            assert task.effort.cached is not None
        assert task.error is None or failures


def check(engine: Engine, books: Books) -> None:
    """The engine's beliefs are the facts."""
    for slot in engine._slots:
        assert slot.held == len(books.held[slot.number])
        reached = engine._prefixes.reached(slot.number) * CHUNK
        assert reached <= slot.held
        if slot.task is not None:
            assert tuple(slot.task.done) == books.tokens(slot.number)
            assert tuple((slot.task.prompt or [])[:reached]) == books.tokens(slot.number)[:reached]
    if not engine.busy:
        assert all(engine._prefixes.match(path).coming == engine._prefixes.match(path).held for path in PATHS)
