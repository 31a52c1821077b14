"""Texts on their way through the half of a model that reads: what is computed together, interrupted, and grown."""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("tests.llama")

from graphrt.backends.errors import BackendError, BadRequest, ServerError
from graphrt.backends.llama import tiny_model
from graphrt.backends.llama.engine.engine import Engine, Options
from graphrt.backends.llama.engine.task import Effort
from graphrt.backends.llama.engine.vectors import PIECE, SMALLEST, Reading, Vectors
from graphrt.backends.llama.native.context import CacheFull, Span
from graphrt.backends.llama.native.library import Aborted
from graphrt.backends.llama.native.model import Model
from tests.backends.llama.gguf_files import LAST, MEAN, WIDTH, bert, qwen3
from tests.backends.llama.writers import Writer

Rows = list[NDArray[np.float32]]


class Reader(Reading):
    """Reads texts of tokens and keeps what came of them."""

    def __init__(self, *texts: Sequence[int], slices: int = 0) -> None:
        super().__init__(self._read(texts, slices), Effort(), owner=None, over=self._over)
        self.found: Rows = []
        self.error: BackendError | None = None
        self.ended = False

    def _read(self, texts: Sequence[Sequence[int]], slices: int) -> Generator[Sequence[Sequence[int]], Rows, None]:
        for _ in range(slices):
            yield ()
        try:
            self.found = yield texts
        except BackendError as error:
            self.error = error

    def _over(self) -> None:
        self.ended = True


def run(vectors: Vectors, *readers: Reader) -> None:
    """Until all are over."""
    for reader in readers:
        vectors.add(reader)
    while vectors.busy:
        vectors.step()
    assert all(reader.ended for reader in readers)


def alone(vectors: Vectors, text: Sequence[int]) -> NDArray[np.float32]:
    run(vectors, reader := Reader(text))
    return reader.found[0]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One model that sees a text whole, one that sees what comes before, and the shipped one, with weights in Q8_0."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "whole": bert(folder / "whole.gguf", MEAN)[0],
        "before": qwen3(folder / "before.gguf", LAST)[0],
        "tiny": tiny_model(),
    }


@pytest.fixture
def make(files: dict[str, Path]) -> Iterator[Callable[..., Vectors]]:
    made: list[Vectors] = []

    def vectors(kind: str, pooling: str | None = None, together: bool | None = None, **options: Any) -> Vectors:
        model, pooling = Model(files[kind]), pooling or ("last" if kind == "tiny" else None)
        made.append(Vectors(model, Options(**options), pooling=pooling, together=together))
        return made[-1]

    yield vectors
    for each in made:
        each.close()
        each.model.close()


KINDS = pytest.mark.parametrize("kind", ["whole", "before", "tiny"])
TEXT = st.lists(st.integers(5, 80), min_size=1, max_size=40)


@KINDS
def test_many_together_have_the_same_bits_as_each_alone(make: Callable[..., Vectors], kind: str) -> None:
    """Also after longer ones, for which the context had to grow, and beside others who read."""
    vectors, other = make(kind), make(kind)
    texts = [[5 + (7 * i + j) % 70 for j in range(1 + 29 * i % 90)] for i in range(6)]
    expected = [alone(vectors, text) for text in texts]
    long = [5 + i % 70 for i in range(250 if kind == "tiny" else 530)]
    run(other, both := Reader(*texts, long, *texts), Reader(*texts[:3]))
    assert all((a == b).all() for a, b in zip(both.found, [*expected, alone(vectors, long), *expected], strict=True))


def test_the_order_and_the_company_of_texts_make_no_difference(make: Callable[..., Vectors]) -> None:
    one, other = make("whole"), make("whole")

    @settings(max_examples=25)
    @given(st.lists(TEXT, min_size=1, max_size=6), st.randoms(use_true_random=False))
    def check(texts: list[list[int]], draw: Any) -> None:
        order = list(range(len(texts)))
        draw.shuffle(order)
        run(one, straight := Reader(*texts))
        run(other, Reader(texts[0]), shuffled := Reader(*(texts[i] for i in order)))
        assert all((shuffled.found[at] == straight.found[i]).all() for at, i in enumerate(order))

    check()


@pytest.mark.processor
@pytest.mark.parametrize("kind", ["whole", "before"])
def test_texts_may_go_together_into_one_call(make: Callable[..., Vectors], kind: str) -> None:
    """As on a GPU, where they need not be exact."""
    apart, packed = make(kind, exact=False), make(kind, together=True)
    assert not apart.together
    texts = [[5 + (7 * i + j) % 70 for j in range(1 + i % 11)] for i in range(60)]
    texts.insert(40, [5 + i % 70 for i in range(520)])
    calls: list[int] = []
    compute = packed._context.compute

    def counted(spans: Sequence[Span]) -> Any:
        calls.append(len(spans))
        return compute(spans)

    packed._context.compute = counted  # type: ignore[method-assign]
    run(packed, one := Reader(*texts), other := Reader(*texts[:5]))
    run(apart, expected := Reader(*texts))
    assert max(calls) > 30
    for row, right in zip([*one.found, *other.found], [*expected.found, *expected.found[:5]], strict=True):
        assert row @ right / np.sqrt(row @ row * (right @ right)) > 0.9995


def test_what_was_computed_for_nobody_leaves_no_trace(make: Callable[..., Vectors]) -> None:
    """A text is given up after each of its pieces."""
    vectors = make("before")
    text, other = ([start + i % 70 for i in range(5 * PIECE - 3)] for start in (5, 9))
    expected = alone(vectors, other)
    for pieces in range(5):
        vectors.reset()
        vectors.add(reader := Reader(text, text))
        vectors.step()
        for _ in range(pieces):
            vectors.step()
        assert vectors._held == (pieces * PIECE)
        vectors.interrupt(reader)
        assert (alone(vectors, other) == expected).all()
        assert reader.ended
        assert not reader.found


def test_a_call_is_interrupted_for_whoever_it_is_alone_for(
    make: Callable[..., Vectors], monkeypatch: pytest.MonkeyPatch
) -> None:
    for together in (False, True):
        vectors = make("whole", together=together)
        compute, task, stays, calls = vectors._context.compute, Reader([5, 6]), Reader([5, 6]), 0

        def interrupting(spans: Sequence[Span]) -> Any:
            nonlocal calls
            calls += 1
            if calls == 1:
                vectors.interrupt(task)  # noqa: B023 - called in this turn of the loop
                assert bool(vectors._context.abort) is not together  # noqa: B023
            return compute(spans)  # noqa: B023

        monkeypatch.setattr(vectors._context, "compute", interrupting)
        run(vectors, task, stays)
        assert len(stays.found) == 1
        assert len(task.found) == together


def test_a_beginning_that_texts_share_is_computed_once_and_gives_the_same_bits(make: Callable[..., Vectors]) -> None:
    """Also where one text is the beginning of the other, and where one that was given up came between."""
    vectors = make("before")
    shared = [5 + i % 70 for i in range(3 * PIECE)]
    texts = [*([*shared, 70, i] for i in range(5, 9)), shared, [*shared, 9], shared[:PIECE], [9, *shared]]
    expected = []
    for text in texts:
        vectors.reset()
        expected.append(alone(vectors, text))
    vectors.reset()
    run(vectors, reader := Reader(*texts))
    assert all((a == b).all() for a, b in zip(reader.found, expected, strict=True))
    assert reader.effort.cached == PIECE * (3 * 3 + 2 + 3)
    assert reader.effort.computed + reader.effort.cached == sum(map(len, texts))
    vectors.add(given_up := Reader([*shared, *shared]))
    for _ in range(3):
        vectors.step()
    vectors.interrupt(given_up)
    assert (alone(vectors, texts[0]) == expected[0]).all()


@pytest.mark.parametrize("kind", ["whole", "before"])
def test_an_interrupted_call_ends_soon_and_the_others_go_on(make: Callable[..., Vectors], kind: str) -> None:
    vectors = make(kind)
    text = [5 + i % 70 for i in range(1000)]
    expected = alone(vectors, text)
    interrupted = False
    while not interrupted:
        # The flag goes up from another thread at some moment of a long computation.
        task, stays = Reader(*[text] * 8), Reader(text)
        going = threading.Timer(0.003, vectors.interrupt, [task])
        going.start()
        run(vectors, task, stays)
        going.join()
        interrupted = not task.found
        assert (stays.found[0] == expected).all()


def test_whoever_has_few_texts_does_not_wait_for_whoever_has_many(make: Callable[..., Vectors]) -> None:
    vectors = make("whole")
    many, few = Reader(*[[5, 6, 7]] * 500, slices=8), Reader([5, 6])
    vectors.add(many)
    for _ in range(9):
        vectors.step()
    vectors.add(few)
    while not few.ended:
        vectors.step()
    assert len(many.rows) < 60
    run(vectors)
    assert len(many.found) == 500


def test_writing_and_reading_take_turns(files: dict[str, Path]) -> None:
    model = Model(files["before"])
    engine, vectors = Engine(model, Options()), Vectors(model, Options())
    engine.add(writer := Writer([5 + i % 70 for i in range(40)], 30))
    vectors.add(reader := Reader(*[[5 + i % 70 for i in range(2 * PIECE)]] * 40))
    steps = 0
    while engine.busy:
        engine.step()
        vectors.step()
        steps += 1
    assert steps < 40
    assert PIECE * (steps - 2) <= reader.effort.computed <= PIECE * steps
    assert len(writer.written) == 30
    run(vectors)
    for each in (engine, vectors, model):
        each.close()


def test_the_context_grows_with_the_longest_text_and_says_so(make: Callable[..., Vectors]) -> None:
    for kind in ("whole", "before"):
        vectors = make(kind)
        before = vectors.bytes
        run(vectors, Reader([5] * SMALLEST))
        assert vectors.bytes == before > 0
        run(vectors, Reader([5] * (SMALLEST + 1)))
        assert vectors.bytes > before
        assert vectors._context.cells == 1024


def test_what_it_cost_is_told(make: Callable[..., Vectors]) -> None:
    vectors = make("before")
    run(vectors, reader := Reader([5] * 200, [6] * 3))
    assert reader.effort.computed == 203
    assert reader.effort.reading > 0
    assert reader.effort.queued > 0


def test_a_call_that_fails_fails_those_who_are_in_it_and_nobody_else(
    make: Callable[..., Vectors], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = make("whole")
    expected = alone(vectors, [5, 6])
    compute = vectors._context.compute
    errors: list[Exception] = [ServerError("broken", provider="llama_cpp"), CacheFull()]

    def broken(spans: Sequence[Span]) -> Any:
        if list(spans[0].tokens) == [9]:
            raise errors.pop()
        return compute(spans)

    monkeypatch.setattr(vectors._context, "compute", broken)
    run(vectors, bad := Reader([5, 6], [9]), worse := Reader([9]), good := Reader([5, 6]))
    assert isinstance(bad.error, ServerError)
    assert isinstance(worse.error, ServerError)
    assert {str(bad.error), str(worse.error)} == {
        "server: broken (llama_cpp)",
        "server: llama.cpp has no cells for the text (llama_cpp)",
    }
    assert (good.found[0] == expected).all()


def test_a_text_for_which_there_is_no_memory_fails_alone(
    make: Callable[..., Vectors], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = make("whole")

    def no_memory(tokens: int) -> Any:
        raise BackendError(f"no memory for a context of {tokens} tokens", provider="llama_cpp")

    monkeypatch.setattr(vectors, "_open", no_memory)
    run(vectors, long := Reader([5] * 600), short := Reader([5, 6]))
    assert "no memory for a context of 1024 tokens" in str(long.error)
    assert len(short.found) == 1


def test_stopped_it_computes_nothing_more(make: Callable[..., Vectors]) -> None:
    vectors = make("whole")
    vectors.add(Reader([5, 6]))
    vectors.step()
    vectors.stop()
    with pytest.raises(Aborted):
        vectors.step()


def test_after_a_reset_nobody_is_there_and_it_goes_on(make: Callable[..., Vectors]) -> None:
    vectors = make("before")
    text = [5] * (3 * PIECE)
    expected = alone(vectors, text)
    vectors.add(Reader(text))
    vectors.step()
    vectors.step()
    vectors.reset()
    assert not vectors.busy
    assert (alone(vectors, text) == expected).all()


def test_a_model_that_does_not_say_how_is_refused_unless_told(make: Callable[..., Vectors]) -> None:
    vectors = make("tiny")
    model = vectors.model
    with pytest.raises(BadRequest, match=r"its pooling is none.*pooling=mean\|cls\|last"):
        Vectors(model, Options())
    ways = [alone(make("tiny", pooling=way), [5, 6, 7, 8]) for way in ("mean", "cls", "last")]
    assert not any((ways[i] == ways[i - 1]).all() for i in range(3))


def test_the_model_says_how_long_a_text_may_be(make: Callable[..., Vectors]) -> None:
    assert make("whole").limit == make("whole", n_ctx=9999).limit == 1024
    assert make("whole", n_ctx=100).limit == 100
    assert alone(make("whole"), [5] * 1024).shape == (WIDTH,)
