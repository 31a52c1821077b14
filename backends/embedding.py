"""Texts as vectors, and documents by how well they answer a query: two small seams beside `Backend`.

    found = await backend.embed(["a cat", "a dog"])            # found.vectors, one for each text, in order
    ranking = await backend.rerank("pets", ["a cat", "tax"])   # ranking.scores, one for each document, in order
    [(best.index, best.score) for best in ranking.best(3)]

Both raise BackendError. Nothing is shortened to fit: a text that is too long is a ContextLengthExceeded that names its
place. Cancelled, the work ends at its source, and nothing of it is handed out. A backend that streams answers may offer
these as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from graphrt.backends.errors import BadRequest
from graphrt.backends.events import Usage


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each text, in the order of the texts, of length 1 each: their dot product is their cosine."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage
    """Input tokens are those of all texts, with those that the model puts around each."""
    model: str | None = None
    """The model that says it answered."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document's place among those that were given, from 0, and its score."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """One score for each document, in the order of the documents: the higher, the better it answers the query.

    A score is the model's own measure, often without bounds: those of two models do not compare.
    """

    scores: tuple[float, ...]
    usage: Usage
    """Input tokens are those of all pairs: the query is read once for each document."""
    model: str | None = None
    """The model that says it answered."""

    def best(self, count: int | None = None) -> tuple[Ranked, ...]:
        """Return the `count` best documents, all unless given, the best first; equals in the order given."""
        ranked = [Ranked(index, score) for index, score in enumerate(self.scores)]
        return tuple(sorted(ranked, key=lambda each: -each.score)[:count])


@runtime_checkable
class Embedder(Protocol):
    """What makes vectors of texts."""

    @property
    def name(self) -> str:
        """What errors and records call it. Never a secret (M9)."""
        raise NotImplementedError

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Make a vector of each text. Raises BackendError. Cancelled, it waits until the work has ended."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Give back what it holds. Idempotent."""


@runtime_checkable
class Reranker(Protocol):
    """What says how well documents answer a query."""

    @property
    def name(self) -> str:
        """What errors and records call it. Never a secret (M9)."""
        raise NotImplementedError

    async def rerank(self, query: str, documents: Sequence[str]) -> Ranking:
        """Score each document against the query. Raises BackendError. Cancelled, it waits until the work has ended."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Give back what it holds. Idempotent."""


def several(texts: Sequence[str], what: str) -> tuple[str, ...]:
    """Return a sequence of texts as a tuple. Raises BadRequest for one text, whose letters would be taken for texts."""
    if isinstance(texts, str):
        raise BadRequest(f"{what} is one text; put it into a list")
    found = tuple(texts)
    for at, text in enumerate(found):
        if not isinstance(text, str):
            raise BadRequest(f"{what}[{at}] is no text but of type {type(text).__name__}")
    return found
