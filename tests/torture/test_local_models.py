"""A model in the process under random load: asked, given up, asked too much, closed and opened again for a minute."""

import os
import random
import time
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.errors import ContextLengthExceeded
from graphrt.backends.events import Answer, Failed, Finished, StreamEvent, complete, fold
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.messages import Request, Settings, system, user

pytestmark = [pytest.mark.torture, pytest.mark.anyio]

SECONDS = 10.0
"""For each way of computing and each event loop: exact ones and others."""


def resident() -> int:
    """The bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def request(draw: random.Random) -> Request:
    said = draw.choice(["Hello", "Where is my order 48213?", "word " * draw.randrange(1, 150)])
    rules = "Be brief. " * draw.choice([0, 0, 12, 40])
    settings = Settings(temperature=draw.choice([None, 2.0]), seed=draw.randrange(9), max_tokens=draw.randrange(1, 60))
    return Request(messages=(*([system(rules)] if rules else []), user(said)), settings=settings)


TOO_LONG = Request(messages=(user("word " * 3000),))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_a_minute_of_everything_leaves_nothing_behind(exact: bool) -> None:
    draw = random.Random(exact)
    fixed = [request(draw) for _ in range(6)]
    backend = LlamaCpp(exact=exact, parallel=6, cache_tokens=None if exact else 2048)
    expected = [await complete(backend.stream(each)) for each in fixed]
    counts = dict.fromkeys(("whole", "given up", "too long"), 0)

    def whole(events: list[StreamEvent], at: int | None) -> None:
        assert isinstance(events[-1], Finished), events[-1]
        said: Answer = fold(events)
        counts["whole"] += 1
        if exact and at is not None:
            assert said.text == expected[at].text
            assert said.tool_calls == expected[at].tool_calls

    async def one(stop: float) -> None:
        while time.monotonic() < stop:
            kind = draw.choice(["fixed", "fixed", "any", "cancel", "close", "long"])
            at = draw.randrange(len(fixed)) if kind == "fixed" else None
            asked = TOO_LONG if kind == "long" else request(draw) if at is None else fixed[at]
            stream = backend.stream(asked)
            events: list[StreamEvent] = []
            if kind == "cancel":
                with anyio.move_on_after(draw.random() * 0.02):
                    events = [event async for event in stream]
                counts["given up"] += 1
            elif kind == "close":
                async for event in stream:
                    events.append(event)
                    if len(events) > draw.randrange(12):
                        break
                await stream.aclose()
                counts["given up"] += 1
            elif kind == "long":
                *_, last = [event async for event in stream]
                assert isinstance(last, Failed)
                assert isinstance(last.error, ContextLengthExceeded)
                counts["too long"] += 1
            else:
                whole([event async for event in stream], at)
            await anyio.lowlevel.checkpoint()

    async def load(seconds: float) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(one, time.monotonic() + seconds)

    await load(SECONDS / 4)
    speaker = backend._worker.speaker
    assert speaker is not None
    context = speaker.engine.bytes
    before = resident()
    for _ in range(6):
        await load(SECONDS / 8)
        await backend.aclose()
        backend = LlamaCpp(exact=exact, parallel=6, cache_tokens=None if exact else 2048)
    assert resident() - before < 3 * context  # malloc may keep what one or two had; six would be a leak
    assert all(counts.values()), counts
    await backend.aclose()
