"""Embeddings and rankings, from the request to the result: plain code that runs in the engine's thread.

`Retriever.answer` is a generator: it yields the tokens of all its texts and is sent a row for each. It emits one
result, `Embeddings`, `Ranking` or `Failed`, and raises nothing.

A pair of query and document is written as the model was trained on it: by its own template for that, if it came with
one, else with the tokens that its vocabulary puts around and between two texts.
"""

from __future__ import annotations

import re
from array import array
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from graphrt.backends.embedding import Embeddings, Ranking
from graphrt.backends.errors import BackendError, BadRequest, ContextLengthExceeded, ServerError
from graphrt.backends.events import Failed, Usage
from graphrt.backends.llama.chat.disguise import Disguise
from graphrt.backends.llama.engine.task import Effort
from graphrt.backends.llama.engine.vectors import Vectors, Work
from graphrt.backends.llama.native.library import extra, log

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SLICE = 64
"""Texts that are made tokens of before others go on."""
_SLOT = re.compile(r"\{(query|document)\}")


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts that are to be embedded."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Documents that are to be scored against a query."""

    query: str
    documents: tuple[str, ...]


Result = Embeddings | Ranking | Failed


class Retriever:
    """A loaded model that reads texts, with all that is made once for it. `name` is the backend's, for errors."""

    def __init__(self, engine: Vectors, *, name: str, model: str) -> None:
        self.engine = engine
        self.name = name
        self.model = model
        self._vocabulary = engine.vocabulary
        self._disguise = Disguise(self._vocabulary.control_texts)

    def answer(self, request: Texts | Pairs, emit: Callable[[Result], None], effort: Effort) -> Work:
        """Answer `request`. Closed, it emits nothing more; an error thrown into it ends the answer."""
        try:
            if isinstance(request, Texts):
                emit((yield from self._embed(request, effort)))
            else:
                emit((yield from self._rank(request, effort)))
        except BackendError as error:
            emit(Failed(error))
        except Exception as error:
            log.exception("reading failed")
            failure = ServerError(f"{type(error).__name__}: {error}", provider=self.name, retryable=False)
            failure.__cause__ = error
            emit(Failed(failure))

    def _embed(
        self, request: Texts, effort: Effort
    ) -> Generator[Sequence[Sequence[int]], list[NDArray[np.float32]], Embeddings]:
        if self.engine.ranks:
            raise BadRequest(f"{self.name} is a reranker and makes no vectors: use rerank()", provider=self.name)
        made = (self._vocabulary.tokenize(text, special=False, beginning=True) for text in request.texts)
        tokens = yield from self._tokens(made, "text")
        rows = (yield tokens) if tokens else []
        numpy = extra("numpy")
        vectors = []
        for at, row in enumerate(rows):
            length = numpy.sqrt(numpy.dot(row.astype(numpy.float64), row)).astype(numpy.float32)
            if not numpy.isfinite(length):
                raise self._broken("text", at)
            vectors.append(tuple((row / length if length else row).tolist()))
        return Embeddings(tuple(vectors), _usage(tokens, effort), self.model)

    def _rank(
        self, request: Pairs, effort: Effort
    ) -> Generator[Sequence[Sequence[int]], list[NDArray[np.float32]], Ranking]:
        if not self.engine.ranks:
            raise BadRequest(
                f"{self.name} has no head that scores pairs (its pooling is not rank): take a reranker, or compare "
                "what embed() makes of the texts",
                provider=self.name,
            )
        labels = self.engine.model.labels
        if len(labels) != 1 and labels[0] != "yes":
            raise BadRequest(
                f"{self.name} sorts texts into {len(labels)} classes ({', '.join(labels)}): a reranker has one score",
                provider=self.name,
            )
        made = (self._pair(request.query, document) for document in request.documents)
        tokens = yield from self._tokens(made, "document")
        rows = (yield tokens) if tokens else []
        scores = tuple(float(row[0]) for row in rows)
        for at, row in enumerate(rows):
            if not extra("numpy").isfinite(row[0]):
                raise self._broken("document", at)
        return Ranking(scores, _usage(tokens, effort), self.model)

    def _tokens(
        self, made: Iterable[list[int]], what: str
    ) -> Generator[Sequence[Sequence[int]], list[NDArray[np.float32]], list[list[int]]]:
        """Collect the tokens of all texts, a slice at a time. What is too long or nothing is refused before any of it
        is computed."""
        found: list[list[int]] = []
        for at, tokens in enumerate(made):
            if len(tokens) > self.engine.limit:
                whole = "with the query " if what == "document" else ""
                raise ContextLengthExceeded(
                    f"{what} {at} {whole}has {len(tokens)} tokens and the model reads {self.engine.limit} at once: cut "
                    "it into shorter ones",
                    provider=self.name,
                )
            if not tokens:
                raise BadRequest(f"{what} {at} is empty, and there is no vector of nothing", provider=self.name)
            found.append(tokens)
            if at % SLICE == SLICE - 1:
                yield ()
        return found

    def _pair(self, query: str, document: str) -> list[int]:
        """The tokens of one query and one document. None of theirs becomes a control token."""
        vocabulary, template = self._vocabulary, self.engine.model.rerank_template
        if template is None:
            return vocabulary.pair(query, document)
        said = {"query": self._disguise.hide(query), "document": self._disguise.hide(document)}
        prompt = _SLOT.sub(lambda slot: said[slot[1]], template)
        pieces = (vocabulary.tokenize(text, special=special) for text, special in self._disguise.split(prompt))
        return list(chain.from_iterable(pieces))

    def _broken(self, what: str, at: int) -> ServerError:
        words = f"the model makes no numbers of {what} {at}: its weights are damaged, or too large for their format"
        return ServerError(words, provider=self.name, retryable=False)


def _usage(tokens: Sequence[Sequence[int]], effort: Effort) -> Usage:
    facts = effort.facts()
    seconds = {"queue_seconds": facts["queue_seconds"], "compute_seconds": facts["prefill_seconds"]}
    return Usage(input=sum(map(len, tokens)), cache_read=effort.cached or 0, raw=seconds)


async def result(events: AsyncGenerator[Any]) -> Any:
    """The one result that comes; raises the error that comes instead."""
    found: Result | None = None
    async with aclosing(events):
        async for event in events:
            found = found or event
    if isinstance(found, Failed):
        raise found.error
    return found


def write_result(found: Embeddings | Ranking) -> dict[str, Any]:
    """A result as JSON, to the bit."""
    about = {"usage": found.usage.model_dump(), "model": found.model}
    if isinstance(found, Ranking):
        return {"scores": list(found.scores), **about}
    width = len(found.vectors[0]) if found.vectors else 0
    numbers = array("f", chain.from_iterable(found.vectors))
    return {"vectors": b64encode(numbers.tobytes()).decode(), "width": width, **about}


def read_result(written: Mapping[str, Any]) -> Embeddings | Ranking:
    """What `write_result` wrote, in the same machine."""
    usage, model = Usage(**written["usage"]), written["model"]
    if "scores" in written:
        return Ranking(tuple(written["scores"]), usage, model)
    numbers = array("f")
    numbers.frombytes(b64decode(written["vectors"]))
    width = written["width"]
    vectors = tuple(tuple(numbers[at : at + width]) for at in range(0, len(numbers), width or 1))
    return Embeddings(vectors, usage, model)
