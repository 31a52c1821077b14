"""An interrupted answer goes on from the tokens that were kept of it, and ends as if nothing had happened (M10)."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tests.llama")

from graphrt.backends.base import Backend
from graphrt.backends.events import Answer, Drafted, StreamEvent, fold
from graphrt.backends.llama import Isolated, LlamaCpp, tiny_model
from graphrt.backends.llama.engine import drafts
from graphrt.backends.llama.engine.drafts import Begun, Keeper
from graphrt.backends.messages import Request, Settings
from tests.backends.llama.conftest import LOOKUP, WEATHER, answer, ask, events, json_of, route, without_cost

pytestmark = pytest.mark.anyio

WILD = Settings(temperature=1.2, max_tokens=24)
SEEDED = WILD.model_copy(update={"seed": 11, "frequency_penalty": 0.5})
PLACE = json_of(
    "place",
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}, "sure": {"type": "boolean"}},
        "required": ["city", "sure"],
        "additionalProperties": False,
    },
)
REQUESTS = {
    "greedy": route("I was charged twice"),
    "seeded": ask("Tell me something", settings=SEEDED),
    "drawn": ask("Tell me something", settings=WILD),
    "schema": ask("Where are you?", output=PLACE, settings=SEEDED.model_copy(update={"max_tokens": None})),
    "tools": ask("Where is my order 48213?", tools=(LOOKUP, WEATHER)),
    "forced tool": ask("Where is my order 48213?", tools=(LOOKUP, WEATHER), tool_choice="required"),
    "cut off": ask("Tell me something", settings=Settings(max_tokens=3)),
    "stop string": ask("Hello", settings=Settings(stop=("e",))),
}


@pytest.fixture
def every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "EVERY", 0.0)


def pieces(stream: Sequence[StreamEvent]) -> list[str]:
    return [event.text for event in stream if isinstance(event, Drafted)]


def said(stream: Sequence[StreamEvent]) -> Answer:
    found = without_cost(fold(stream))
    seed = fold(stream).usage.raw.get("seed")
    return found.model_copy(update={"usage": found.usage.model_copy(update={"raw": {"seed": seed}})})


async def resumed(backend: Backend, request: Request, kept: Sequence[str]) -> list[StreamEvent]:
    return await events(backend, request.model_copy(update={"draft": tuple(kept)}))


@pytest.mark.usefixtures("every_token")
@pytest.mark.parametrize("kind", REQUESTS)
async def test_an_answer_that_was_interrupted_anywhere_ends_the_same(llama: LlamaCpp, kind: str) -> None:
    whole = await events(llama, REQUESTS[kind])
    kept = pieces(whole)
    for count in (*range(1, len(kept), 4), len(kept)):
        again = await resumed(llama, REQUESTS[kind], kept[:count])
        assert said(again) == said(whole)
        assert pieces(again) == kept[count:]


@pytest.mark.usefixtures("every_token")
async def test_it_says_how_much_was_there_already_and_chooses_none_of_it_again(own: LlamaCpp) -> None:
    whole = await events(own, REQUESTS["drawn"])
    kept = pieces(whole)
    half = len(kept) // 2
    usage = fold(await resumed(own, REQUESTS["drawn"], kept[:half])).usage
    assert usage.raw["resumed"] == half - 1
    assert usage.output == fold(whole).usage.output


@pytest.mark.usefixtures("every_token")
async def test_a_whole_answer_is_said_again_without_computing_anything(own: LlamaCpp) -> None:
    request = REQUESTS["cut off"]
    whole = await events(own, request)
    tokens = [*pieces(whole)]
    last = await answer(own, request.model_copy(update={"settings": Settings(max_tokens=4)}))
    assert last.usage.output == 4
    longer = await events(own, request.model_copy(update={"settings": Settings(max_tokens=4)}))
    third = pieces(longer)[-1]
    usage = fold(await resumed(own, request, [*tokens, third])).usage
    assert (usage.raw["computed"], usage.raw["resumed"], usage.output) == (0, 3, 3)


@pytest.mark.usefixtures("every_token")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_process_of_its_own_goes_on_from_what_this_one_kept(llama: LlamaCpp) -> None:
    whole = await events(llama, REQUESTS["drawn"])
    isolated = Isolated()
    again = await resumed(isolated, REQUESTS["drawn"], pieces(whole)[:9])
    await isolated.aclose()
    assert said(again).message == said(whole).message
    assert fold(again).usage.raw["resumed"] == 8


@pytest.mark.usefixtures("every_token")
@pytest.mark.parametrize(
    "change",
    [
        {"settings": SEEDED.model_copy(update={"seed": 12})},
        {"settings": SEEDED.model_copy(update={"max_tokens": 25})},
        {"messages": ask("Tell me another thing").messages},
        {"output": PLACE},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_another_request_begins_anew(llama: LlamaCpp, change: dict[str, object]) -> None:
    kept = pieces(await events(llama, REQUESTS["seeded"]))
    other = REQUESTS["seeded"].model_copy(update=change)
    fresh, again = await answer(llama, other), fold(await resumed(llama, other, kept))
    assert without_cost(again) == without_cost(fresh)
    assert "resumed" not in again.usage.raw


@pytest.mark.usefixtures("every_token")
@pytest.mark.parametrize("damage", ["{", "[", "[999999999]", "[-1]", "[true]", "[[]]", '["a"]', "null", "7", "[1.5]"])
async def test_a_draft_that_is_damaged_is_not_gone_on_from(llama: LlamaCpp, damage: str) -> None:
    whole = await events(llama, REQUESTS["seeded"])
    again = await resumed(llama, REQUESTS["seeded"], [*pieces(whole)[:3], damage])
    assert said(again).message == said(whole).message
    assert fold(again).usage.raw.get("resumed", 0) in {0, 2}


@pytest.mark.usefixtures("every_token")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("how", ["is gone", "is another"])
async def test_a_model_whose_file_changed_is_taken_for_no_other(tmp_path: Path, how: str) -> None:
    path = tmp_path / "model.gguf"
    shutil.copy(tiny_model(), path)
    backend = LlamaCpp(path)
    await answer(backend, ask("Hi", settings=Settings(max_tokens=1)))  # it is in memory now
    path.unlink()
    if how == "is another":
        shutil.copy(tiny_model(), path)
    whole = await events(backend, REQUESTS["seeded"])
    kept = pieces(whole)[:5]
    again = await resumed(backend, REQUESTS["seeded"], kept)
    await backend.aclose()
    assert said(again) == said(whole)
    assert fold(again).usage.raw["resumed"] == 4
    shutil.copy(tiny_model(), path)
    other = LlamaCpp(path)
    anew = fold(await resumed(other, REQUESTS["seeded"], kept))
    await other.aclose()
    assert "resumed" not in anew.usage.raw


async def test_an_answer_that_is_quick_keeps_nothing(own: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "EVERY", 3600.0)
    assert pieces(await events(own, REQUESTS["greedy"])) == []


GROUPS = st.lists(st.lists(st.integers(0, 999), min_size=1, max_size=5), max_size=20)


@pytest.mark.usefixtures("every_token")
@given(groups=GROUPS, seed=st.none() | st.integers(0, 2**63), cut=st.integers(0, 25))
def test_what_was_kept_is_read_as_it_was_written(groups: list[list[int]], seed: int | None, cut: int) -> None:
    told: list[Drafted] = []
    keeper = Keeper(told.append, lambda: "answer", seed, None)
    for group in groups:
        keeper.add(group)
    texts = [each.text for each in told]
    assert len(texts) == (len(groups) + 1 if groups else 0)
    begun = drafts.read(texts[:cut], "answer", 1000)
    expected = None if not texts[:cut] else Begun(seed, tuple(groups[: max(cut - 1, 0)]))
    assert begun == expected


def test_the_last_answer_that_was_begun_counts() -> None:
    texts = [json.dumps({"answer": "a"}), "[1, 2]", json.dumps({"answer": "b", "seed": 5}), "[3, [4, 5]]"]
    assert drafts.read(texts, "b", 10) == Begun(5, ([3], [4, 5]))
    assert drafts.read(texts, "a", 10) is None
    assert drafts.read([], "a", 10) is None
