"""Of an interrupted answer nothing is computed again that a snapshot has; a wrong one changes nothing (M10)."""

import os
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.events import Answer, Drafted, fold
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.llama.engine import drafts, snapshots
from graphrt.backends.llama.engine.snapshots import Snapshots
from graphrt.backends.messages import Request, Settings
from tests.backends.llama.conftest import answer, ask, events, without_cost

pytestmark = pytest.mark.anyio
LONG = ask("Tell me of the sea. " * 10, settings=Settings(temperature=9.0, seed=4, max_tokens=40))


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "EVERY", 0.0)
    monkeypatch.setattr(snapshots, "SOONEST", 0.0)
    monkeypatch.setattr(snapshots, "SHARE", 0)


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def cut(backend: LlamaCpp, request: Request, after: int) -> list[str]:
    """Stop an answer after so many pieces were kept of it."""
    kept: list[str] = []
    async with aclosing(backend.stream(request)) as stream:
        async for event in stream:
            if isinstance(event, Drafted):
                kept.append(event.text)
                if len(kept) == after:
                    break
    return kept


async def gone_on(backend: LlamaCpp, kept: list[str]) -> Answer:
    return fold(await events(backend, LONG.model_copy(update={"draft": tuple(kept)})))


async def test_what_a_snapshot_has_is_not_computed_again(tmp_path: Path) -> None:
    backend = LlamaCpp(snapshots=tmp_path)
    whole = await answer(backend, LONG)
    assert files(tmp_path) == [], "an answer that is whole leaves nothing"
    kept = await cut(backend, LONG, 20)
    await backend.aclose()
    assert len(files(tmp_path)) == 1

    another = LlamaCpp(snapshots=tmp_path)
    again = await gone_on(another, kept)
    await another.aclose()
    assert without_cost(again) == without_cost(whole)
    assert again.usage.raw["resumed"] >= 19
    assert again.usage.raw["computed"] < (whole.usage.output or 0)
    assert again.usage.cache_read == whole.usage.input
    assert files(tmp_path) == []


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "harm",
    [
        flip,
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"[]\n" + bytes(100)),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"groups": [[', b'"groups": [[1', 1)),
        lambda path: path.unlink(),
    ],
    ids=["a bit", "the end", "empty", "no header", "another token", "gone"],
)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_damaged_snapshot_is_not_used(tmp_path: Path, harm: Callable[[Path], object]) -> None:
    backend = LlamaCpp(snapshots=tmp_path)
    whole = await answer(backend, LONG)
    kept = await cut(backend, LONG, 9)
    (path,) = files(tmp_path)
    harm(path)
    again = await gone_on(backend, kept)
    await backend.aclose()
    assert without_cost(again) == without_cost(whole)
    assert again.usage.raw["computed"] >= 8


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_snapshot_of_another_kind_of_context_is_not_used(tmp_path: Path) -> None:
    exact, fast = LlamaCpp(snapshots=tmp_path), LlamaCpp(snapshots=tmp_path, exact=False)
    kept = await cut(exact, LONG, 12)
    again = await gone_on(fast, kept)
    assert again.usage.cache_read == 0
    assert again.usage.raw["resumed"] == 11
    await exact.aclose()
    await fast.aclose()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_folder_that_takes_nothing_ends_no_answer(tmp_path: Path) -> None:
    wall = tmp_path / "file"
    wall.write_text("")
    backend = LlamaCpp(snapshots=wall / "below")
    assert (await answer(backend, LONG)).usage.output
    await backend.aclose()


def test_the_oldest_give_way_and_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    kept = Snapshots(tmp_path, 3000, "made")
    for number, name in enumerate("abc"):
        kept.save(name, [[1]], bytes(1000))
        os.utime(tmp_path / f"{name}.cells", (number, number))
    assert {path.name for path in tmp_path.iterdir()} == {"b.cells", "c.cells"}
    kept.save("b", [[1], [2, 3]], bytes(1100))
    kept.save("d", [[1]], bytes(3001))
    assert {path.name for path in tmp_path.iterdir()} == {"b.cells", "c.cells"}
    assert kept.load("b") == (([1], [2, 3]), bytes(1100))
    assert kept.load("a") is None
    assert Snapshots(tmp_path, 3000, "another").load("b") is None
