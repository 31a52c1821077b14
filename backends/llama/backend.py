"""`LlamaCpp`: a GGUF model inside this process, as a backend.

One thread owns the model and computes many requests together. Each has a mailbox of its own, so that a slow reader
holds nobody up and no event loop is ever blocked. The same backend serves several event loops.

Cancelled or closed, `stream` waits until the engine has let go of the request: within about a millisecond if it is
computed alone, else, and always on a GPU, which cannot be interrupted, after the call that it is in. The other requests
go on; one that had not begun leaves the line at once.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import anyio

from graphrt.backends.base import Capabilities
from graphrt.backends.embedding import Embeddings, Ranking, several
from graphrt.backends.errors import BackendError
from graphrt.backends.events import Failed, StreamEvent
from graphrt.backends.llama.engine.engine import MOST, Engine, Options
from graphrt.backends.llama.engine.snapshots import MOST as MOST_SNAPSHOTS
from graphrt.backends.llama.engine.vectors import POOLINGS, Vectors
from graphrt.backends.llama.generate import Speaker
from graphrt.backends.llama.native.model import Model, Placement
from graphrt.backends.llama.native.shipped import tiny_model
from graphrt.backends.llama.owner import owner
from graphrt.backends.llama.retrieval import Pairs, Retriever, Texts, result
from graphrt.backends.llama.worker import Job, Worker
from graphrt.backends.messages import Request

TINY = "tiny"


class LlamaCpp:
    """A GGUF model run by llama.cpp in this process.

    The file is read at the first request, in a thread. `path` may be "tiny", the model that comes with the package.
    `n_ctx` is the context of one request in tokens: what the model was trained on, and at most 4,096, unless given.
    `parallel` is how many requests are computed at once: 8 unless given, or fewer where their contexts took more than
    2 GiB; `cache_tokens` bounds the sum of their contexts. `n_threads` is 1 for models under 50 million parameters and
    else the processors at hand. `chat_template` replaces the one in the file. Backends of the same file share its
    weights, and where models take more than half of the machine's memory, those that are idle are freed until they are
    asked again.

    `embed` and `rerank` are for models that were made for it; `pooling` ("mean", "cls" or "last") says how to make one
    vector of a text where the model does not. No text may be longer than `n_ctx` or than the model was trained on.

    `n_gpu_layers` is 0 unless given, and then no GPU is touched; -1 is all, an error where llama.cpp finds no GPU. All
    GPUs share them, `tensor_split` ("3,1") says in which proportion, or `main_gpu` (0 is the first) takes them alone.
    `offload_kqv` says whether the cache goes there, too.

    Without a temperature the likeliest token is always taken, so that the same request has the same answer. With one
    and no seed, a seed is drawn and reported in `usage.raw["seed"]`. `exact`: an answer does not depend on what was
    asked before or beside it. Unless told otherwise, that holds wherever the processor allows it without computing
    requests one by one (`capabilities.batch_invariant` says whether it does, once the model is loaded); `exact=True`
    computes them one by one if it must. On a GPU nothing is exact to the bit: `exact=True` computes there as here, and
    long prompts still come out a little otherwise. A vector or a score depends on nothing beside it, but on a GPU
    without `exact=True`.

    Asked inside a run, an answer that takes longer than a moment is kept as it grows: a resumed step goes on from its
    last words, computing again what the model had read and written. `snapshots` is a folder for what was computed, at
    most `snapshot_bytes` (1 GiB) of it, so that little need be: its files take about what the tokens take in memory,
    and are removed as the answers end.
    """

    def __init__(
        self,
        path: str | Path = TINY,
        *,
        n_ctx: int | None = None,
        n_threads: int | None = None,
        n_gpu_layers: int = 0,
        main_gpu: int | None = None,
        tensor_split: Sequence[float] | str = (),
        offload_kqv: bool = True,
        parallel: int | None = None,
        cache_tokens: int | None = None,
        exact: bool | None = None,
        chat_template: str | None = None,
        snapshots: str | Path | None = None,
        snapshot_bytes: int | None = None,
        pooling: str | None = None,
    ) -> None:
        for name, value, least, most in (
            ("n_ctx", n_ctx, 1, 2**31),
            ("n_threads", n_threads, 1, 2**31),
            ("n_gpu_layers", n_gpu_layers, -1, 2**31),
            ("main_gpu", main_gpu, 0, 2**31),
            ("parallel", parallel, 1, MOST + 1),
            ("cache_tokens", cache_tokens, 1, 2**31),
            ("snapshot_bytes", snapshot_bytes, 1, 2**63),
        ):
            if value is not None and not least <= value < most:
                limit = f" and at most {MOST}" if most <= MOST + 1 else ""
                raise ValueError(f"{name} is {value}; it must be at least {least}{limit}")
        if pooling is not None and pooling not in POOLINGS:
            raise ValueError(f"pooling is {pooling!r}; it must be one of {', '.join(POOLINGS)}")
        placement = Placement(n_gpu_layers, main_gpu, shares(tensor_split))
        if placement.split and main_gpu is not None:
            raise ValueError("main_gpu takes every layer alone, and tensor_split shares them out: give one of the two")
        options = Options(n_ctx, n_threads, parallel, cache_tokens, exact, offload_kqv)
        self.path = tiny_model() if path == TINY else Path(path)
        name = self.name

        known: dict[str, Any] = {"context_tokens": n_ctx}

        def load(model: Model) -> Speaker:
            engine = Engine(model, options)
            try:
                speaker = Speaker(
                    engine,
                    name=name,
                    model=resolved.stem,
                    chat_template=chat_template,
                    snapshots=None if snapshots is None else Path(snapshots),
                    snapshot_bytes=snapshot_bytes or MOST_SNAPSHOTS,
                )
            except BaseException:
                engine.close()
                raise
            known["context_tokens"] = engine.n_ctx
            known["tools"] = speaker.template.takes_tools
            known["batch_invariant"] = engine.batch_invariant
            return speaker

        def retrieve(model: Model) -> Retriever:
            return Retriever(Vectors(model, options, pooling=pooling), name=name, model=resolved.stem)

        resolved = self.path
        self._known = known
        self._worker = Worker(resolved, placement, load, retrieve, name)
        weakref.finalize(self, self._worker.stop)

    def __repr__(self) -> str:
        return f"LlamaCpp({str(self.path)!r})"

    @property
    def name(self) -> str:
        """What errors and records call it."""
        return f"llama_cpp:{self.path.stem}"

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; the context and the tools are known once the model is loaded."""
        return Capabilities(streaming=True, usage=True, json_schema=True, seed=True, **self._known)

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer `request`, beside others. Where there is no room for all, the runs that ask take turns."""
        return self._events(request)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Make a vector of each text, beside others. A model that writes needs a second context for that.

        Raises BackendError: BadRequest for a model that was not made for it, ContextLengthExceeded for a text that is
        too long, which it names. Cancelled, it waits until the engine has let go of the texts.
        """
        found: Embeddings = await result(self._events(Texts(several(texts, "texts"))))
        return found

    async def rerank(self, query: str, documents: Sequence[str]) -> Ranking:
        """Score documents against a query, by a model that was made for that. See `embed`."""
        found: Ranking = await result(self._events(Pairs(query, several(documents, "documents"))))
        return found

    async def _events(self, request: Request | Texts | Pairs) -> AsyncGenerator[Any]:
        job = Job(request, owner())
        if not self._worker.submit(job):
            yield Failed(BackendError(f"{self.name} is closed", provider=self.name))
            return
        try:
            while (event := await job.mailbox.take()) is not None:
                yield event
        finally:
            if self._worker.cancel(job):
                with anyio.CancelScope(shield=True):
                    while await job.mailbox.take() is not None:
                        pass

    async def aclose(self) -> None:
        """Answer what was asked so far, then free the model; later requests fail. Idempotent.

        Cancelled, it interrupts the answers instead of waiting for their end.
        """
        self._worker.close()
        try:
            await self._worker.wait()
        except BaseException:
            self._worker.stop(wait=False)
            with anyio.CancelScope(shield=True):
                await self._worker.wait()
            raise


def shares(split: Sequence[float] | str) -> tuple[float, ...]:
    """The proportions of a `tensor_split`, also as they are written in a URI: "3,1"."""
    try:
        found = tuple(float(part) for part in (split.split(",") if isinstance(split, str) and split else split))
    except ValueError:
        raise ValueError(f"tensor_split is {split!r}; it must be numbers with commas between them") from None
    if any(not 0 <= share < float("inf") for share in found):
        raise ValueError(f"tensor_split is {split!r}; no share may be less than nothing")
    return found
