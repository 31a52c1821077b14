"""A model that writes and reads under random load: embedded, ranked, given up, too long, closed and opened again."""

import os
import random
import time
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.errors import ContextLengthExceeded
from graphrt.backends.events import complete
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.messages import Request, Settings, user
from tests.backends.llama.gguf_files import RANK, bert, texts

pytestmark = [pytest.mark.torture, pytest.mark.anyio]

SECONDS = 12.0
"""For each kind of model and each event loop."""


def resident() -> int:
    """The bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Load:
    """One backend, what it said when it was asked alone, and what is asked of it now."""

    def __init__(self, make: Any, *, writes: bool, ranks: bool) -> None:
        self.make, self.writes, self.ranks = make, writes, ranks
        self.draw = random.Random(writes)
        self.texts = texts(12, longest=12)
        self.backend: LlamaCpp = make()
        self.counts = dict.fromkeys(("whole", "given up", "too long"), 0)
        self.expected: dict[str, Any] = {}

    async def ask(self, some: list[str]) -> tuple[Any, ...]:
        if self.ranks:
            return (await self.backend.rerank("what is it", some)).scores
        return (await self.backend.embed(some)).vectors

    async def learn(self) -> None:
        for text in self.texts:
            self.expected[text] = (await self.ask([text]))[0]

    async def one(self, stop: float) -> None:
        while time.monotonic() < stop:
            some = self.draw.choices(self.texts, k=self.draw.randrange(1, 20))
            match self.draw.choice(["whole", "whole", "cancel", "long", "write"]):
                case "whole":
                    assert await self.ask(some) == tuple(self.expected[text] for text in some)
                    self.counts["whole"] += 1
                case "cancel":
                    with anyio.move_on_after(self.draw.random() * 0.02):
                        await self.ask(some * 20)
                    self.counts["given up"] += 1
                case "long":
                    with pytest.raises(ContextLengthExceeded):
                        await self.ask([*some, "a1" * 5000])
                    self.counts["too long"] += 1
                case "write" if self.writes:
                    settings = Settings(temperature=2.0, seed=self.draw.randrange(9), max_tokens=20)
                    await complete(self.backend.stream(Request(messages=(user(some[0]),), settings=settings)))
            await anyio.lowlevel.checkpoint()

    async def run(self, seconds: float) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(self.one, time.monotonic() + seconds)


@pytest.mark.parametrize("kind", ["tiny", "head"])
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux has /proc")
async def test_readers_under_random_load_are_exact_and_leave_nothing_behind(kind: str, tmp_path: Path) -> None:
    path, _ = bert(tmp_path / "head.gguf", RANK)
    load = Load(
        (lambda: LlamaCpp("tiny", pooling="last")) if kind == "tiny" else (lambda: LlamaCpp(path)),
        writes=kind == "tiny",
        ranks=kind == "head",
    )
    await load.learn()
    await load.run(SECONDS / 4)
    context = sum(engine.bytes for engine in load.backend._worker._engines)
    before = resident()
    for _ in range(6):
        await load.run(SECONDS / 8)
        await load.backend.aclose()
        load.backend = load.make()
    assert resident() - before < 3 * context + (16 << 20)  # malloc may keep what one or two had; six would be a leak
    assert all(load.counts.values()), load.counts
    await load.backend.aclose()
