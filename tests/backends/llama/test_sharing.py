"""Backends side by side: one file's weights are in memory once, and the idle make room."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.events import PartDelta
from graphrt.backends.llama import LlamaCpp, tiny_model, worker
from graphrt.backends.llama.engine.shelf import BESIDE_WEIGHTS, Shelf
from graphrt.backends.llama.native.model import Model, Placement
from graphrt.backends.messages import Settings
from tests.backends.llama.conftest import answer, ask, route

CRASH = route("Hi, the app crashes")


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A shelf of the test's own, with room for plenty."""
    found = Shelf(1 << 40)
    monkeypatch.setattr(worker, "SHELF", found)
    yield found
    assert found.taken == 0


def a_copy(folder: Path, name: str) -> Path:
    path = folder / f"{name}.gguf"
    path.write_bytes(tiny_model().read_bytes())
    return path


def loaded(backend: LlamaCpp) -> bool:
    return backend._worker.speaker is not None


@pytest.mark.processor
def test_a_file_is_loaded_once_and_freed_after_its_last_use() -> None:
    shelf = Shelf(1 << 40)
    one, other = (shelf.borrow(tiny_model(), Placement()) for _ in range(2))
    assert one is other
    shelf.give_back(one)
    assert shelf.taken == one.bytes > 0
    shelf.give_back(other)
    assert shelf.taken == 0
    assert not one.pointer


def test_a_file_that_was_replaced_is_another_model(tmp_path: Path) -> None:
    path = a_copy(tmp_path, "model")
    model = Model(path)
    assert model.is_of(path, Placement())
    assert not model.is_of(path, Placement(gpu_layers=1))
    path.unlink()
    assert not model.is_of(path, Placement())
    model.close()


@pytest.mark.anyio
async def test_backends_of_one_file_share_its_weights(shelf: Shelf) -> None:
    one, other = LlamaCpp(), LlamaCpp(n_ctx=256)
    for backend in (one, other):
        assert json.loads((await answer(backend, CRASH)).text) == {"route": "technical"}
    assert one._worker.speaker is not None
    assert other._worker.speaker is not None
    assert one._worker.speaker.engine.model is other._worker.speaker.engine.model
    await one.aclose()
    assert json.loads((await answer(other, CRASH)).text) == {"route": "technical"}
    await other.aclose()


@pytest.mark.processor
@pytest.mark.anyio
async def test_the_longest_idle_makes_room_and_comes_back_when_asked(shelf: Shelf, tmp_path: Path) -> None:
    backends = [LlamaCpp(a_copy(tmp_path, name)) for name in "abc"]
    for backend in backends[:2]:
        await answer(backend, CRASH)
    known = backends[0].capabilities
    shelf.room = shelf.taken
    await answer(backends[2], CRASH)
    assert [loaded(backend) for backend in backends] == [False, True, True]
    assert backends[0].capabilities == known
    assert json.loads((await answer(backends[0], CRASH)).text) == {"route": "technical"}
    assert [loaded(backend) for backend in backends] == [True, False, True]
    for backend in backends:
        await backend.aclose()


class Idle:
    """Somebody with a model of one byte, which it gives up on a GPU of four or elsewhere."""

    def __init__(self, used: float, placement: Placement) -> None:
        self.used = used
        self.placement = placement
        self.there = True

    def unload(self) -> bool:
        self.there = False
        return True


def test_a_gpu_has_room_of_its_own(tmp_path: Path) -> None:
    """Models on it give way to one there, the longest idle first, until its own memory has room; and the others too."""
    gpu, here = Placement(gpu_layers=-1), Placement(gpu_layers=0)
    tenants = [Idle(used, where) for used, where in ((3, gpu), (1, here), (2, gpu), (4, gpu), (5, here))]
    size = a_copy(tmp_path, "new").stat().st_size
    full = size + BESIDE_WEIGHTS
    shelf = Shelf(5, lambda placement: full - sum(each.there for each in tenants if each.placement == placement) + 2)
    for tenant in tenants:
        shelf.enter(tenant, 1)
    assert shelf.taken == 2
    shelf.make_room(tmp_path / "new.gguf", gpu)
    assert [each.there for each in tenants] == [True, True, False, True, True]
    shelf.make_room(tmp_path / "new.gguf", here)
    assert [each.there for each in tenants] == [True, False, False, True, False]


@pytest.mark.anyio
async def test_who_is_at_work_keeps_its_model(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy, other = LlamaCpp(), LlamaCpp(a_copy(tmp_path, "other"))
    await answer(busy, CRASH)
    speaker = busy._worker.speaker
    assert speaker is not None
    compute, go_on = speaker.engine.context.compute, threading.Event()
    monkeypatch.setattr(speaker.engine.context, "compute", lambda spans: go_on.wait(20) and compute(spans))
    stream = busy.stream(ask("Hi " * 100, settings=Settings(temperature=9.0, seed=1, max_tokens=20)))
    shelf.room = 0
    got = []

    async def read() -> None:
        got.extend([event async for event in stream])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        while not busy._worker._jobs:
            await anyio.lowlevel.checkpoint()
        assert json.loads((await answer(other, CRASH)).text) == {"route": "technical"}
        assert busy._worker.speaker is speaker
        go_on.set()
    assert any(isinstance(event, PartDelta) for event in got)
    for backend in (busy, other):
        await backend.aclose()
