"""Embeddings and rankings by the models that llama.cpp runs, in this process and in one of their own."""

import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tests.llama")

from graphrt.backends import open_backend
from graphrt.backends.base import Backend
from graphrt.backends.embedding import Embedder, Embeddings, Reranker
from graphrt.backends.errors import BackendError, BadRequest, ContextLengthExceeded, NotFound, ServerError
from graphrt.backends.llama import Isolated, LlamaCpp, worker
from graphrt.backends.llama.engine.shelf import Shelf
from graphrt.backends.llama.engine.vectors import PIECE
from graphrt.backends.llama.native.library import library
from graphrt.backends.llama.retrieval import SLICE, read_result, write_result
from graphrt.backends.llama.worker import Job
from graphrt.backends.messages import Request, Settings
from tests.backends.llama.conftest import answer, ask, failure, route, same
from tests.backends.llama.gguf_files import CLS, LAST, MEAN, RANK, Tensors, bert, qwen3, texts

pytestmark = pytest.mark.anyio

PLAIN = "{{ messages[0].content }}"
"""The chat template of a model that has none: it says nothing that means anything."""
MANY = [f"{at} " + "b" * 900 for at in range(400)]
SOME = [*texts(12, longest=12), "Ünïcode 👍🏽 \x00", "", "a"]


class Files:
    """Models that were written here, and what is in them."""

    def __init__(self, folder: Path) -> None:
        self.tensors: dict[str, Tensors] = {}
        self.paths: dict[str, Path] = {}
        for name, make, pooling in (
            ("mean", bert, MEAN),
            ("cls", bert, CLS),
            ("last", qwen3, LAST),
            ("head", bert, RANK),
            ("judge", qwen3, RANK),
        ):
            self.paths[name], self.tensors[name] = make(folder / f"{name}.gguf", pooling)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("models"))


@pytest.fixture
async def model(files: Files, anyio_backend: str) -> AsyncIterator[Callable[..., LlamaCpp]]:
    made: list[LlamaCpp] = []

    def make(name: str, **options: Any) -> LlamaCpp:
        made.append(LlamaCpp(files.paths.get(name, name), **options))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


def peer(path: Path, **options: Any) -> Any:
    """The same file by llama-cpp-python's own class."""
    llama_cpp = pytest.importorskip("llama_cpp", reason="only the extra llama brings it")
    options |= {"n_threads": 1, "n_threads_batch": 1, "n_ctx": 1024, "n_batch": 1024, "n_ubatch": 1024}
    return llama_cpp.Llama(str(path), embedding=True, verbose=False, **options)


async def refused(work: Awaitable[Any], kind: type[BackendError] = BadRequest) -> str:
    with pytest.raises(kind) as caught:
        await work
    assert type(caught.value) is kind
    return str(caught.value)


# What a vector is


@pytest.mark.processor
@pytest.mark.parametrize("name", ["mean", "cls", "last"])
async def test_vectors_are_those_that_llama_cpp_python_makes_one_by_one(
    model: Callable[..., LlamaCpp], files: Files, name: str
) -> None:
    found = await model(name).embed(SOME)
    other = peer(files.paths[name])
    assert found.model == name
    assert len(found.vectors) == len(SOME)
    for text, vector in zip(SOME, found.vectors, strict=True):
        expected = other.embed(text, normalize=True, truncate=False)
        assert np.abs(np.array(vector) - expected).max() < 1e-6
        assert abs(sum(number * number for number in vector) - 1) < 1e-6
    assert found.usage.input == sum(len(other.tokenize(text.encode())) for text in SOME)
    assert found.usage.output is None


async def test_a_vector_is_the_same_beside_answers_and_in_any_company(model: Callable[..., LlamaCpp]) -> None:
    """The shipped model writes and reads at once, with weights in Q8_0."""
    both, alone = model("tiny", pooling="last"), model("tiny", pooling="last")
    some = texts(5, longest=4)
    expected = [(await alone.embed([text])).vectors[0] for text in some]
    said = await answer(alone, route("Hi, the app crashes"))
    found: list[Embeddings] = []

    async def embed() -> None:
        found.append(await both.embed(some))

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(embed)
        assert same(await answer(both, route("Hi, the app crashes")), said)
    assert [each.vectors for each in found] == [tuple(expected)] * 2


async def test_no_texts_have_no_vectors_and_cost_nothing(model: Callable[..., LlamaCpp]) -> None:
    found = await model("mean").embed([])
    assert (found.vectors, found.usage.input) == ((), 0)
    ranking = await model("head").rerank("a", [])
    assert (ranking.scores, ranking.usage.input, ranking.best()) == ((), 0, ())


async def test_a_text_cannot_spell_a_control_token(model: Callable[..., LlamaCpp], files: Files) -> None:
    found = await model("last").embed(["<|im_end|>"])
    assert found.usage.input == len("<|im_end|>") + 1


# What is refused


@pytest.mark.parametrize("name", ["mean", "last"])
async def test_a_text_that_is_too_long_is_named_and_never_cut(model: Callable[..., LlamaCpp], name: str) -> None:
    backend = model(name, n_ctx=64)
    fits, over = "a" + " a" * (61 if name == "mean" else 31), "a " * 64
    whole = await backend.embed([fits])
    assert whole.usage.input == 64
    message = await refused(backend.embed(["a", "b", over, over]), ContextLengthExceeded)
    assert f"text 2 has {len(over) // 2 + 2 if name == 'mean' else len(over) + 1} tokens" in message
    assert "reads 64 at once" in message


async def test_a_pair_that_is_too_long_names_its_document(model: Callable[..., LlamaCpp]) -> None:
    message = await refused(model("head", n_ctx=32).rerank("a a", ["b", "c " * 31]), ContextLengthExceeded)
    assert "document 1 with the query has 35 tokens" in message


async def test_a_model_is_asked_for_what_it_was_made_for(
    model: Callable[..., LlamaCpp], files: Files, tmp_path: Path
) -> None:
    assert "is a reranker and makes no vectors: use rerank()" in await refused(model("head").embed(["a"]))
    assert "has no head that scores pairs" in await refused(model("mean").rerank("a", ["b"]))
    for work in (model("tiny").embed(["a"]), model("tiny").rerank("a", ["b"])):
        assert "its pooling is none" in await refused(work)
    classes, _ = bert(tmp_path / "classes.gguf", RANK, labels=("joy", "anger", "fear"))
    assert "sorts texts into 3 classes (joy, anger, fear)" in await refused(model(str(classes)).rerank("a", ["b"]))


async def test_a_model_that_only_reads_says_so_when_it_is_asked_to_write(model: Callable[..., LlamaCpp]) -> None:
    backend = model("mean")
    words = str((await failure(backend, ask("Hi"))).error)
    assert "cannot write; it may embed" in words
    assert len((await backend.embed(["a"])).vectors) == 1
    assert str((await failure(backend, ask("Hi"))).error) == words


async def test_one_text_in_place_of_a_list_is_refused(model: Callable[..., LlamaCpp]) -> None:
    assert "put it into a list" in await refused(model("mean").embed("a text"))
    assert "put it into a list" in await refused(model("head").rerank("a", "a text"))


async def test_an_empty_text_has_no_vector_where_the_model_adds_nothing_to_it(
    model: Callable[..., LlamaCpp],
) -> None:
    assert "text 1 is empty" in await refused(model("tiny", pooling="mean").embed(["a", ""]))


async def test_weights_that_make_no_numbers_are_an_error(
    model: Callable[..., LlamaCpp], files: Files, tmp_path: Path
) -> None:
    whole = files.paths["mean"].read_bytes()
    some = files.tensors["mean"]["token_embd_norm.bias"].tobytes()
    assert whole.count(some) == 1
    path = tmp_path / "broken.gguf"
    path.write_bytes(whole.replace(some, np.full(len(some) // 4, np.nan, np.float32).tobytes()))
    assert "no numbers of text 0" in await refused(model(str(path)).embed(["a", "b"]), ServerError)


async def test_a_missing_file_is_named_and_looked_for_again(
    model: Callable[..., LlamaCpp], files: Files, tmp_path: Path
) -> None:
    path = tmp_path / "late.gguf"
    backend = model(str(path))
    assert "late.gguf" in await refused(backend.embed(["a"]), NotFound)
    path.write_bytes(files.paths["mean"].read_bytes())
    assert len((await backend.embed(["a"])).vectors) == 1


def test_a_pooling_that_there_is_not_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="pooling is 'rank'; it must be one of mean, cls, last"):
        LlamaCpp(pooling="rank")


# What a score is


@pytest.mark.processor
async def test_a_score_is_what_the_head_makes_of_the_first_token(model: Callable[..., LlamaCpp], files: Files) -> None:
    """The head, computed by hand over the vector that llama-cpp-python makes of the pair."""
    documents = texts(6, longest=8)
    found = await model("head").rerank("what is it", documents)
    other, head = peer(files.paths["head"], pooling_type=CLS), files.tensors["head"]
    lengths = []
    for document, score in zip(documents, found.scores, strict=True):
        query, text = (other.tokenize(each.encode())[1:-1] for each in ("what is it", document))
        tokens = [2, *query, 3, *text]
        seen = pooled(other, tokens)
        inner = np.tanh(head["cls.weight"] @ seen + head["cls.bias"])
        assert abs(score - (head["cls.output.weight"] @ inner + head["cls.output.bias"])[0]) < 1e-5
        lengths.append(len(tokens))
    assert (found.usage.input, found.usage.cache_read) == (sum(lengths), 0)
    assert found.model == "head"


async def test_a_query_is_read_once_by_a_model_that_sees_what_comes_before(model: Callable[..., LlamaCpp]) -> None:
    found = await model("judge").rerank("a long question " * 10, ["b", "c", "d"])
    assert found.usage.input is not None
    assert found.usage.cache_read == 2 * PIECE * (found.usage.input // 3 // PIECE)


@pytest.mark.processor
async def test_a_score_is_how_likely_a_yes_is_after_the_model_s_own_template(
    model: Callable[..., LlamaCpp], files: Files
) -> None:
    documents = [*texts(4, longest=8), "{query}", "x" * 150]
    found = await model("judge").rerank("what is {document}?", documents)
    other, head = peer(files.paths["judge"], pooling_type=LAST), files.tensors["judge"]["cls.output.weight"]
    for document, score in zip(documents, found.scores, strict=True):
        prompt = f"<|im_start|>judge: what is {{document}}?\n<doc>{document}<|im_end|>"
        logits = head @ pooled(other, other.tokenize(prompt.encode(), add_bos=False, special=True))
        assert abs(score - 1 / (1 + np.exp(logits[1] - logits[0]))) < 1e-5
    assert [best.index for best in found.best(2)] == list(np.argsort(found.scores)[::-1][:2])


def pooled(other: Any, tokens: list[int]) -> NDArray[np.float32]:
    """The vector of these tokens by llama-cpp-python's own objects, not brought to any length."""
    other._batch.reset()
    other._batch.add_sequence(tokens, 0, True)
    other._ctx.kv_cache_clear()
    other._ctx.decode(other._batch)
    pointer = library().llama_get_embeddings_seq(other._ctx.ctx, 0)
    return np.array(pointer[: other.n_embd()], np.float32)


async def test_a_document_cannot_end_its_place_in_the_template(model: Callable[..., LlamaCpp]) -> None:
    backend = model("judge")
    usage = [(await backend.rerank("q", [text])).usage.input or 0 for text in ("", "<|im_end|>")]
    assert usage[1] - usage[0] == len("<|im_end|>")


async def test_scores_do_not_depend_on_the_documents_beside(model: Callable[..., LlamaCpp]) -> None:
    for name in ("head", "judge"):
        backend = model(name)
        documents = texts(5, longest=6)
        together = await backend.rerank("a question", documents)
        assert together.scores == tuple([(await backend.rerank("a question", [each])).scores[0] for each in documents])


# Who waits for whom


def held(backend: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Keep a loaded model from going on until the event is set: what it is asked stays in its hands."""
    retriever = backend._worker.retriever
    assert retriever is not None
    step, go_on = retriever.engine.step, threading.Event()
    monkeypatch.setattr(retriever.engine, "step", lambda: go_on.wait(20) and step())
    return go_on


async def until_asked(backend: LlamaCpp) -> None:
    """Let tasks run until a model that is held has something in its hands."""
    with anyio.fail_after(20):
        while not backend._worker._jobs:
            await anyio.lowlevel.checkpoint()


async def test_cancelled_it_lets_go_of_the_texts_and_the_next_ones_go_on(
    model: Callable[..., LlamaCpp], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = model("last")
    expected = await backend.embed(["a"])
    for many in (MANY, ["b"] * (100 * SLICE)):
        go_on = held(backend, monkeypatch)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(backend.embed, many)
            await until_asked(backend)
            tasks.cancel_scope.cancel()
            go_on.set()
        assert not backend._worker._jobs
        assert (await backend.embed(["a"])).vectors == expected.vectors


async def test_neither_writing_nor_reading_waits_for_all_of_the_other(
    model: Callable[..., LlamaCpp], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = model("last", chat_template=PLAIN)
    await backend.embed(["a"])
    await answer(backend, ask("Hi", settings=Settings(max_tokens=1)))
    speaker, retriever = backend._worker.speaker, backend._worker.retriever
    assert speaker is not None
    assert retriever is not None
    over: list[str] = []
    end = backend._worker._over

    def ended(job: Job, error: BackendError | None = None) -> None:
        over.append("an answer" if isinstance(job.request, Request) else "texts")
        end(job, error)

    monkeypatch.setattr(backend._worker, "_over", ended)

    def once_both_are_there(engine: Any) -> None:
        """Keep the one that was asked first from going on before the other half of the model has something to do."""
        step = engine.step

        def both(*args: Any) -> None:
            if len(backend._worker._jobs) == 2:
                monkeypatch.setattr(engine, "step", step)
                step(*args)

        monkeypatch.setattr(engine, "step", both)

    async def embed(many: int) -> None:
        await backend.embed(["Hello there"] * many)

    async def write(tokens: int) -> None:
        await answer(backend, ask("Hi", settings=Settings(temperature=9.0, seed=1, max_tokens=tokens)))

    once_both_are_there(retriever.engine)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(embed, 120)
        await until_asked(backend)
        tasks.start_soon(write, 3)
    assert over == ["an answer", "texts"]
    once_both_are_there(speaker.engine)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write, 600)
        await until_asked(backend)
        tasks.start_soon(embed, 2)
    assert over[2:] == ["texts", "an answer"]


async def test_closing_waits_for_what_was_asked_and_takes_nothing_more(
    model: Callable[..., LlamaCpp], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = model("mean")
    await backend.embed(["a"])
    go_on = held(backend, monkeypatch)
    found: list[Embeddings] = []

    async def embed() -> None:
        found.append(await backend.embed(["a b c"] * 50))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(embed)
        await until_asked(backend)
        tasks.start_soon(backend.aclose)
        await anyio.wait_all_tasks_blocked()
        assert not found
        go_on.set()
    assert len(found[0].vectors) == 50
    assert "is closed" in await refused(backend.embed(["a"]), BackendError)


async def test_a_stopped_worker_answers_nobody_with_silence(
    model: Callable[..., LlamaCpp], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = model("last")
    await backend.embed(["a"])
    go_on = held(backend, monkeypatch)

    async def embed() -> None:
        assert "was closed" in await refused(backend.embed(MANY), BackendError)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(embed)
        await until_asked(backend)
        backend._worker.stop(wait=False)
        go_on.set()


async def test_what_breaks_one_half_of_a_model_does_not_end_what_the_other_does(
    model: Callable[..., LlamaCpp], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = model("last", chat_template=PLAIN)
    expected = await backend.embed(["a"])
    retriever = backend._worker.retriever
    assert retriever is not None
    step = retriever.engine.step

    def broken() -> None:
        monkeypatch.setattr(retriever.engine, "step", step)
        raise RuntimeError("a bug")

    async def embed() -> None:
        monkeypatch.setattr(retriever.engine, "step", broken)
        assert "RuntimeError: a bug" in await refused(backend.embed(["a"]), BackendError)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(embed)
        written = await answer(backend, ask("Hi", settings=Settings(max_tokens=20)))
        assert written.usage.output == 20
    assert (await backend.embed(["a"])).vectors == expected.vectors


@pytest.mark.processor
async def test_both_halves_of_a_model_share_its_weights_and_are_counted(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(1 << 40)
    monkeypatch.setattr(worker, "SHELF", shelf)
    backend, other = LlamaCpp(files.paths["last"], chat_template=PLAIN), LlamaCpp(files.paths["mean"])
    await answer(backend, ask("Hi", settings=Settings(max_tokens=1)))
    writing = shelf.taken
    await backend.embed(["a"])
    reading = shelf.taken
    await backend.embed(["a" * 700])
    assert writing < reading < shelf.taken
    assert len(shelf._borrowed) == 1
    shelf.room = 0
    with anyio.fail_after(20):
        while not backend._worker._idle:
            await anyio.lowlevel.checkpoint()
    await other.embed(["a"])  # makes room
    assert not backend._worker._engines
    assert len((await backend.embed(["a"])).vectors) == 1
    for each in (backend, other):
        await each.aclose()
    assert shelf.taken == 0


# In a process of its own


@pytest.fixture(scope="module")
def isolated(files: Files) -> Iterator[Isolated]:
    backend = Isolated(files.paths["last"])
    yield backend
    anyio.run(backend.aclose)


async def test_another_process_gives_the_same_to_the_bit(model: Callable[..., LlamaCpp], isolated: Isolated) -> None:
    here, there = await model("last").embed(SOME), await isolated.embed(SOME)
    assert there.vectors == here.vectors
    assert (there.usage.input, there.model) == (here.usage.input, here.model)
    assert (await isolated.embed([])).vectors == ()


async def test_another_process_refuses_the_same(model: Callable[..., LlamaCpp], isolated: Isolated) -> None:
    for kind, text in ((ContextLengthExceeded, ["a" * 2000]), (BadRequest, "one")):
        messages = [await refused(each.embed(text), kind) for each in (model("last"), isolated)]
        assert messages[0] == messages[1]
    assert "has no head" in await refused(isolated.rerank("a", ["b"]))


async def test_cancelled_another_process_lets_go_of_the_texts(isolated: Isolated) -> None:
    backend = isolated
    await backend.embed(["a"])
    process = backend._children._process
    assert process is not None
    with anyio.move_on_after(0.05) as scope:
        await backend.embed(MANY)
    assert scope.cancelled_caught
    assert not process._asked
    assert len((await backend.embed(["a"])).vectors) == 1
    assert backend._children._process is process


@pytest.mark.parametrize("anyio_backend", ["trio"])  # the readers of both wait alike, and a process costs a second
async def test_a_process_that_dies_while_it_reads_is_a_retryable_error(
    model: Callable[..., LlamaCpp], files: Files
) -> None:
    backend = Isolated(files.paths["judge"])
    documents = texts(4, longest=4)
    here, there = [await each.rerank("a", documents) for each in (model("judge"), backend)]
    assert (there.scores, there.usage.input) == (here.scores, here.usage.input)
    pid = backend.pid
    assert pid is not None
    dying = threading.Timer(0.05, os.kill, [pid, signal.SIGKILL])
    dying.start()
    with pytest.raises(ServerError, match="SIGKILL") as caught:
        await backend.rerank("a", MANY)
    dying.join()
    assert caught.value.retryable
    await backend.aclose()


async def test_a_result_on_its_way_between_processes_loses_no_bit(model: Callable[..., LlamaCpp]) -> None:
    for found in (await model("mean").embed(["a", "b c"]), await model("head").rerank("a", ["b", "c"])):
        assert read_result(write_result(found)) == found


# Under its names


def test_a_uri_leads_to_what_embeds_and_ranks(files: Files) -> None:
    for scheme in ("llama_cpp", "llama_cpp+worker"):
        backend = open_backend(f"{scheme}:{files.paths['mean']}?pooling=cls&n_ctx=128")
        assert isinstance(backend, Backend)
        assert isinstance(backend, Embedder)
        assert isinstance(backend, Reranker)
