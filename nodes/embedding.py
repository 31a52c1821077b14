"""Embeddings and rankings inside a node: texts as vectors, and which documents answer a query best.

    @node
    async def find(question: str, notes: list[str]) -> list[str]:
        ranking = await rerank("judge", question, notes)
        return [notes[best.index] for best in ranking.best(3)]

    Runtime(models={"embed": "llama_cpp:embedder.gguf", "judge": "llama_cpp:reranker.gguf"})

A model is bound to a role as for `ask`. What it cost is recorded beside the step's output, or beside its failure; the
vectors are not, so a replay leaves out steps that asked for any.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

from graphrt.backends.embedding import Embedder, Embeddings, Ranking, Reranker
from graphrt.context import Context, context
from graphrt.nodes.llm import bound, broken, counts, misfit

F = TypeVar("F", Embeddings, Ranking)


async def embed(role: str, texts: Sequence[str]) -> Embeddings:
    """Make a vector of each text by the model bound to `role`, from inside a node.

    The vectors are in the order of the texts and of length 1. Raises BindingError if the model makes none, and
    BackendError, ContextLengthExceeded for a text that is too long: never retried here, the node's own policy does
    that. Interrupted, the work ends at its source; a resumed step does all of it again.
    """
    here = context()
    model = await bound(here, role)
    if not isinstance(model, Embedder):
        raise misfit(role, model, "embeds")
    return await _noted(here, role, model.name, {"embedded": len(texts)}, model.embed(texts))


async def rerank(role: str, query: str, documents: Sequence[str]) -> Ranking:
    """Score each document against a query by the model bound to `role`, from inside a node.

    The scores are in the order of the documents; `Ranking.best(3)` are the three best. Raises and ends as `embed` does.
    """
    here = context()
    model = await bound(here, role)
    if not isinstance(model, Reranker):
        raise misfit(role, model, "ranks")
    return await _noted(here, role, model.name, {"ranked": len(documents)}, model.rerank(query, documents))


async def _noted(here: Context, role: str, backend: str, what: Mapping[str, Any], work: Awaitable[F]) -> F:
    """Do the work, and note what came of it and what it cost."""
    about = {"role": role, **({"substep": here.step} if here.perform is None else {}), "backend": backend, **what}
    outcome: dict[str, Any] = {}
    try:
        found = await work
        outcome = {"usage": counts(found.usage)}
    except BaseException as error:
        outcome = broken(error)
        raise
    finally:
        here.notes.setdefault("model", []).append({**about, **outcome})
    here.progress()
    return found
