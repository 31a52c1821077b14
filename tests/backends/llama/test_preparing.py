"""Grammars are made beside the engine: who needs one waits for it, and nobody else does (M10)."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.events import Answer
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.llama.generate import Speaker
from graphrt.backends.llama.grammar import constrain
from graphrt.backends.messages import Request, Settings
from tests.backends.llama.conftest import LOOKUP, answer, ask, json_of, same

pytestmark = pytest.mark.anyio

HELD = ask("Hello", output=json_of("it", {"enum": ["yes", "no"]}))
FREE = ask("Hello", settings=Settings(max_tokens=5))


class Gate:
    """Where the making of grammars waits, so that a test can do something meanwhile."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    async def wait(self) -> None:
        """Until somebody is at the gate."""
        await anyio.to_thread.run_sync(self.reached.wait)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    found = Gate()
    prepare = Speaker.prepare

    def waiting(self: Speaker, request: Request) -> None:
        found.reached.set()
        found.open.wait()
        prepare(self, request)

    monkeypatch.setattr(Speaker, "prepare", waiting)
    yield found
    found.open.set()


async def test_others_are_answered_while_a_grammar_is_made(own: LlamaCpp, gate: Gate) -> None:
    said: list[Answer] = []

    async def held() -> None:
        said.append(await answer(own, HELD))

    async with anyio.create_task_group() as group:
        group.start_soon(held)
        await gate.wait()
        assert (await answer(own, FREE)).finish in {"stop", "length"}
        assert said == []
        gate.open.set()
    assert json.loads(said[0].text) in {"yes", "no"}


async def test_a_request_that_waits_for_its_grammar_is_given_up_at_once(own: LlamaCpp, gate: Gate) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(answer, own, HELD)
        await gate.wait()
        group.cancel_scope.cancel()
    assert not gate.open.is_set()
    gate.open.set()
    assert json.loads((await answer(own, HELD)).text) in {"yes", "no"}


async def test_closing_answers_those_who_wait_for_their_grammars(own: LlamaCpp, gate: Gate) -> None:
    said: list[Answer] = []

    async def held() -> None:
        said.append(await answer(own, HELD))

    async with anyio.create_task_group() as group:
        group.start_soon(held)
        await gate.wait()
        group.start_soon(own.aclose)
        gate.open.set()
    assert json.loads(said[0].text) in {"yes", "no"}


async def test_a_grammar_is_made_once_for_all_who_ask_for_it(own: LlamaCpp) -> None:
    for _ in range(3):
        await answer(own, HELD)
        await answer(own, ask("Hello", tools=(LOOKUP,)))
    speaker = own._worker.speaker
    assert speaker is not None
    made = speaker.grammars._compiled.cache_info()
    assert made.misses <= 3
    assert made.hits >= 4


async def test_masks_that_are_computed_ahead_change_no_answer(own: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
    schemas: list[dict[str, Any]] = [{"type": "object"}, {"type": "string", "format": "email"}, {"enum": ["a", "b"]}]
    asked = [
        ask("Hello", output=json_of("it", schema), settings=Settings(temperature=2.0, seed=seed, max_tokens=25))
        for seed, schema in enumerate(schemas)
    ]
    asked.append(ask("Order 48213?", tools=(LOOKUP,), tool_choice="lookup_order"))
    inline = [await answer(own, each) for each in asked]
    monkeypatch.setattr(constrain, "LARGE", 0)
    ahead: dict[int, Answer] = {}

    async def one(at: int) -> None:
        ahead[at] = await answer(own, asked[at])

    async with anyio.create_task_group() as group:
        for at in range(len(asked)):
            group.start_soon(one, at)
        with anyio.CancelScope() as given_up:
            async for _ in own.stream(asked[0]):
                given_up.cancel()
    assert all(same(ahead[at], each) for at, each in enumerate(inline))
