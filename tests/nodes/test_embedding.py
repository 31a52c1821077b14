"""`embed` and `rerank` inside a node: models bound by role, what they cost, and what a record keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json

pytest.importorskip("tests.llama")

from graphrt import Runtime, dag, errors, node, step
from graphrt.backends.accounting import read_spent
from graphrt.backends.embedding import Embeddings
from graphrt.backends.events import Usage
from graphrt.backends.messages import Settings
from graphrt.backends.scripted import Scripted
from graphrt.config import Config
from graphrt.facts import StepFailed, StepFinished
from graphrt.nodes import ask, embed, rerank
from graphrt.types import RunId
from tests.backends.llama.gguf_files import MEAN, RANK, bert

pytestmark = pytest.mark.anyio

TINY = "llama_cpp:tiny?pooling=last"
FEW = Settings(max_tokens=2)


@node
async def lengths(texts: list[str]) -> list[float]:
    found = await embed("smart", texts)
    return [sum(number * number for number in vector) for vector in found.vectors]


@node
async def best(query: str, texts: list[str]) -> int:
    return (await rerank("judge", query, texts)).best(1)[0].index


@node
async def part(text: str) -> int:
    return len((await embed("smart", [text])).vectors[0])


@node
async def mixed(text: str) -> str:
    """A model that writes and reads, with a part that is done for good."""
    first = await ask("smart", text, settings=FEW)
    width = await step(part, text)
    second = await ask("smart", text, settings=FEW)
    return f"{width} {first.text == second.text}"


@node(effect="none")
async def known(text: str) -> int:
    """Code that a replay would run, if it had what the models said."""
    return len((await embed("smart", [text])).vectors[0])


@dag
def find(texts: list[str]) -> int:
    return best("a", texts)


def runtime(**models: Any) -> Runtime:
    return Runtime(models=models, config=Config())


async def notes(rt: Runtime, run: str) -> list[dict[str, Any]]:
    facts = [entry.fact for entry in await rt.journal.read(RunId(run))]
    noted = [from_json(fact.note) for fact in facts if isinstance(fact, (StepFinished, StepFailed)) and fact.note]
    return [call for note in noted for call in note.get("model", [])]


async def test_texts_are_embedded_by_the_model_of_a_role_and_what_it_cost_is_recorded() -> None:
    async with runtime(smart=TINY) as rt:
        run = await rt.start(lengths, ["Hello", "Hi, the app crashes"])
        assert await run.result() == pytest.approx([1, 1], abs=1e-6)
        (call,) = await notes(rt, run.id)
        tokens = call["usage"].pop("input")
        assert tokens > 2
        assert call == {
            "role": "smart",
            "backend": "llama_cpp:tiny-agent-q8_0",
            "embedded": 2,
            "usage": {"cache_read": 0},
        }
        spent = await read_spent(rt.journal, run.id)
        assert (spent.total.calls, spent.total.input, spent.total.wasted, spent.total.untold) == (1, tokens, 0, 0)


async def test_documents_are_ranked_by_the_model_of_a_role(tmp_path: Path) -> None:
    path, _ = bert(tmp_path / "head.gguf", RANK)
    async with runtime(judge=f"llama_cpp:{path}") as rt:
        run = await rt.start(find, ["b c d", "a", "e f"])
        chosen = await run.result()
        assert chosen in {0, 1, 2}
        (call,) = await notes(rt, run.id)
        assert (call["role"], call["ranked"], call["backend"]) == ("judge", 3, "llama_cpp:head")
        assert (await read_spent(rt.journal, run.id)).by("role")["judge"].input == call["usage"]["input"] > 9


async def test_a_node_may_ask_embed_and_ask_again() -> None:
    """What a record leaves out of a question that goes on from another is not confused by what came between."""
    async with runtime(smart=TINY) as rt:
        run = await rt.start(mixed, "Hi, the app crashes")
        width, same = (await run.result()).split()
        assert (int(width) > 8, same) == (True, "True")
        calls = await notes(rt, run.id)
        kinds = ["asked" if "asked" in call else "embedded" for call in calls]
        assert sorted(kinds) == ["asked", "asked", "embedded"]
        assert next(call for call in calls if "embedded" in call)["substep"]
        assert (await read_spent(rt.journal, run.id)).total.calls == 3


async def test_a_replay_leaves_out_a_step_whose_vectors_are_not_kept() -> None:
    async with runtime(smart=TINY) as rt:
        run = await rt.start(known, "Hi")
        assert await run.result() > 8
        rt.models.clear()
        found = await rt.replay(run.id, known)
        assert (found.agree, found.ran, found.changes) == (1, 0, ())


async def test_a_text_that_is_too_long_is_the_node_s_failure_and_cost_nothing(tmp_path: Path) -> None:
    path, _ = bert(tmp_path / "mean.gguf", MEAN, context=64)
    async with runtime(smart=f"llama_cpp:{path}") as rt:
        run = await rt.start(lengths, ["a", "b " * 100])
        with pytest.raises(errors.RunFailed, match="text 1 has 102 tokens"):
            await run.result()
        spent = await read_spent(rt.journal, run.id)
        assert [(call.error, call.told) for call in spent.calls] == [("context_length", True)]


async def test_a_model_that_does_neither_is_named_with_its_role() -> None:
    async with runtime(smart=Scripted(["x"]), judge=Scripted(["x"])) as rt:
        for run, does in ((await rt.start(lengths, ["a"]), "embeds"), (await rt.start(find, ["a"]), "ranks")):
            with pytest.raises(errors.RunFailed, match=f"scripted is bound to it, which {does} nothing"):
                await run.result()


async def test_a_role_that_nothing_is_bound_to_says_how_to_bind_it() -> None:
    async with runtime() as rt:
        run = await rt.start(lengths, ["a"])
        with pytest.raises(errors.RunFailed, match="no model is bound to it"):
            await run.result()


class Hashing:
    """An embedder that is no chat model: one's own class is enough."""

    name = "hashing"

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        return Embeddings(tuple((float(len(text)), 0.0) for text in texts), Usage(input=len(texts)), self.name)

    async def aclose(self) -> None:
        """There is nothing to give back."""


@node
async def asks(text: str) -> str:
    return (await ask("smart", text)).text


async def test_an_embedder_of_one_s_own_is_bound_as_it_is_and_answers_no_question() -> None:
    async with runtime(smart=Hashing()) as rt:
        assert await (await rt.start(lengths, ["ab", "c"])).result() == [4.0, 1.0]
        run = await rt.start(asks, "Hi")
        with pytest.raises(errors.RunFailed, match="hashing is bound to it, which answers nothing"):
            await run.result()


async def test_another_model_for_a_role_lets_only_those_steps_go_that_embedded_by_it(tmp_path: Path) -> None:
    path, _ = bert(tmp_path / "head.gguf", RANK)
    other, _ = bert(tmp_path / "other.gguf", RANK, seed=1)
    async with runtime(judge=f"llama_cpp:{path}") as rt:
        run = await rt.start(find, ["b c d", "a", "e f"])
        await run.result()
        fork = await rt.fork(run, find, models={"judge": f"llama_cpp:{other}"})
        await fork.result()
        assert [call["backend"] for call in await notes(rt, fork.id)] == ["llama_cpp:other"]
