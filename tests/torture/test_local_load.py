"""Models in the process under random load: asked, cancelled, asked too much, closed, reopened, put away (M10).

pytest tests/torture/test_local_load.py -m endurance -s

takes a minute on each event loop, or GRAPHRT_LOAD_MINUTES.

Nothing may be left behind: no slot in use, no event undelivered, no thread, no file, no memory. And nothing may have
changed: after each phase, who is exact answers as before it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import random
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.errors import BadRequest, ContextLengthExceeded
from graphrt.backends.events import Answer, Failed, Finished, Fold, StreamEvent, complete
from graphrt.backends.llama import LlamaCpp, tiny_model, worker
from graphrt.backends.llama.engine.shelf import Shelf
from graphrt.backends.llama.owner import ask_for
from graphrt.backends.llama.worker import Job
from graphrt.backends.messages import Request, Settings, system
from tests.backends.llama.conftest import ADD, LOOKUP, WEATHER, ask, check_protocol, json_of, without_cost

pytestmark = [
    pytest.mark.endurance,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux has /proc"),
]

SECONDS = 60 * float(os.environ.get("GRAPHRT_LOAD_MINUTES", "1"))
"""For each event loop."""
PHASE = 3.0
"""Seconds of load between two looks at what is left of it."""
PARTS = 4
WARM = 6
"""Phases after which everything has been used once: memory is looked at from there on."""
ACTORS = 12
GROWTH = 6 << 20
"""Bytes by which the process may have grown by the end.

What stands still varies by about two megabytes: the allocator keeps what lies between blocks that are in use. A closed
backend that left its context would leave tens of megabytes; half a kilobyte a request, some ten in half an hour.
"""
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""glibc's names for what is a large block, and how many heaps there may be."""
OBJECTS = 500
"""The same in Python's objects. They do not vary by more than a few dozen, whatever was asked."""
KINDS = ("fixed",) * 3 + ("cancel",) * 2 + ("any", "schema", "tools", "close", "slow", "bad", "long", "gone")
BAD = (Settings(temperature=-1.0), Settings(top_p=1.5), Settings(max_tokens=0), Settings(stop=("",)))
NUMBER = json_of(
    "number",
    {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False},
)
ROUTE = json_of("route", {"enum": ["billing", "technical", "sales", "other"]})


def any_request(draw: random.Random, **more: Any) -> Request:
    said = draw.choice(["Hello", "Where is my order 48213?", "word " * draw.randrange(1, 150)])
    rules = "Be brief. " * draw.choice([0, 0, 12, 40])
    settings = Settings(temperature=draw.choice([None, 2.0]), seed=draw.randrange(9), max_tokens=draw.randrange(1, 60))
    return ask(*([system(rules)] if rules else []), said, settings=settings, **more)


FIXED = tuple(any_request(random.Random(seed)) for seed in range(6))
"""What an exact backend answers the same every time."""


class Home:
    """A backend, and whether somebody closes it. One that `stays` is never closed: what a long life leaves is seen."""

    def __init__(self, make: Callable[[], LlamaCpp], *, exact: bool = True, stays: bool = False) -> None:
        self.make = make
        self.exact = exact
        self.stays = stays
        self.backend = make()
        self.closing = False


class Load:
    """The load, and what has been counted of it."""

    def __init__(self, homes: list[Home], seed: int, loop: str) -> None:
        self.homes = homes
        self.loop = loop
        self.draw = random.Random(seed)
        self.counts = Counter[str]()
        self.expected: dict[int, Answer] = {}
        self.alone = anyio.CapacityLimiter(1)
        """One thread at a time for the other event loops."""

    async def run(self, seconds: float) -> None:
        """Load of every kind on some of the backends, one of which is closed in the middle of it and opened again."""
        others = [home for home in self.homes if not home.stays]
        chosen = self.draw.sample(others, self.draw.randrange(1, len(others) + 1))
        busy = [home for home in self.homes if home.stays or home in chosen]
        async with anyio.create_task_group() as tasks:
            for actor in range(ACTORS):
                tasks.start_soon(self.act, actor, busy, time.monotonic() + seconds)
            for _ in range(int(2 ** self.draw.uniform(0, 10))):
                await anyio.lowlevel.checkpoint()
            await self.reopen(chosen[0])

    async def act(self, actor: int, homes: list[Home], stop: float) -> None:
        ask_for(f"run {actor % 4}")
        while time.monotonic() < stop:
            home = self.draw.choice([each for each in homes if not each.closing] or homes)
            kind = self.draw.choice(KINDS)
            self.counts[kind] += 1
            await getattr(self, f"do_{kind}")(home, home.backend)
            await anyio.lowlevel.checkpoint()

    async def whole(self, home: Home, backend: LlamaCpp, request: Request) -> Answer | Failed:
        """Read a stream to its end, which only a backend that is closed may spoil."""
        return self.ended(home, backend, [event async for event in backend.stream(request)])

    def ended(self, home: Home, backend: LlamaCpp, events: list[StreamEvent]) -> Answer | Failed:
        check_protocol(events)
        fold = Fold()
        for event in events:
            fold.add(event)
        last = events[-1]
        if isinstance(last, Failed):
            if "closed" in str(last.error):
                assert home.closing or home.backend is not backend
                self.counts["closed on"] += 1
            return last
        answer = fold.answer()
        self.counts["answers"] += 1
        self.counts["tokens"] += answer.usage.output or 0
        return answer

    def good(self, said: Answer | Failed) -> Answer | None:
        """The answer; None where its backend was closed."""
        if isinstance(said, Answer):
            return said
        assert "closed" in str(said.error), said.error
        return None

    async def do_fixed(self, home: Home, backend: LlamaCpp) -> None:
        at = self.draw.randrange(len(FIXED))
        said = self.good(await self.whole(home, backend, FIXED[at]))
        assert said is None or not home.exact or without_cost(said) == self.expected[at]

    async def do_any(self, home: Home, backend: LlamaCpp) -> None:
        self.good(await self.whole(home, backend, any_request(self.draw)))

    async def do_schema(self, home: Home, backend: LlamaCpp) -> None:
        asked = any_request(self.draw, output=self.draw.choice([NUMBER, ROUTE]))
        said = self.good(await self.whole(home, backend, asked))
        assert said is None or said.finish == "length" or json.loads(said.text)

    async def do_tools(self, home: Home, backend: LlamaCpp) -> None:
        tools, choice = (LOOKUP, WEATHER, ADD), self.draw.choice(["auto", "required"])
        said = self.good(await self.whole(home, backend, any_request(self.draw, tools=tools, tool_choice=choice)))
        assert said is None or all(json.loads(call.arguments) for call in said.tool_calls if call.complete)

    async def do_bad(self, home: Home, backend: LlamaCpp) -> None:
        said = await self.whole(home, backend, ask("Hi", settings=self.draw.choice(BAD)))
        assert isinstance(said, Failed)
        assert isinstance(said.error, BadRequest) or "closed" in str(said.error)

    async def do_long(self, home: Home, backend: LlamaCpp) -> None:
        said = await self.whole(home, backend, ask("word " * self.draw.randrange(1200, 3000)))
        assert isinstance(said, Failed)
        assert isinstance(said.error, ContextLengthExceeded) or "closed" in str(said.error)

    async def do_cancel(self, home: Home, backend: LlamaCpp) -> None:
        """At any moment: before it is submitted, in the line, in the middle of a call, at its end."""
        events: list[StreamEvent] = []

        async def cancel(turns: int) -> None:
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel, int(2 ** self.draw.uniform(0, 8)))
            async for event in backend.stream(any_request(self.draw)):
                events.append(event)
                self.counts["events before a cancel"] += 1
            tasks.cancel_scope.cancel()
        if events and isinstance(events[-1], (Finished, Failed)):
            self.ended(home, backend, events)
        else:
            self.counts["cut off"] += 1

    async def do_close(self, home: Home, backend: LlamaCpp) -> None:
        stream, most = backend.stream(any_request(self.draw)), self.draw.randrange(12)
        events: list[StreamEvent] = []
        async for event in stream:
            events.append(event)
            if len(events) > most:
                break
        await stream.aclose()
        self.counts["cut off"] += not isinstance(events[-1], (Finished, Failed))

    async def do_slow(self, home: Home, backend: LlamaCpp) -> None:
        """A reader that does something else between the events."""
        events: list[StreamEvent] = []
        async for event in backend.stream(any_request(self.draw)):
            events.append(event)
            if len(events) % 8 == 1:
                await self.do_any(home, home.backend)
        self.good(self.ended(home, backend, events))

    async def do_gone(self, home: Home, backend: LlamaCpp) -> None:
        """An event loop that ends in the middle: with a stream that it closes, or without a word."""
        asked, silent = any_request(self.draw), self.draw.random() < 0.5
        open_still = []

        async def leave() -> None:
            if silent:
                backend._worker.submit(Job(asked, "gone"))
            else:
                open_still.append(stream := backend.stream(asked))
                await anext(stream)

        await anyio.to_thread.run_sync(lambda: anyio.run(leave, backend=self.loop), limiter=self.alone)

    async def reopen(self, home: Home) -> None:
        """Close a backend in the middle of what it does, and open another in its place."""
        home.closing = True
        backend = home.backend
        with anyio.CancelScope() as scope:
            if self.draw.random() < 0.3:
                scope.cancel()
                self.counts["closed at once"] += 1
            await backend.aclose()
        self.counts["closed"] += 1
        thread = backend._worker._thread
        assert thread is None or not thread.is_alive()
        assert backend._worker.speaker is None
        assert not backend._worker._jobs
        assert not backend._worker._line
        home.backend, home.closing = home.make(), False

    async def settle(self) -> None:
        """Everybody is gone: look whether anything is left."""
        for home in self.homes:
            work = home.backend._worker
            if work.speaker is None:
                self.counts["put away"] += work._thread is not None
                continue
            with anyio.fail_after(60):  # what event loops that are gone have asked comes to its end, too
                while not work._idle or work._line:
                    await anyio.lowlevel.checkpoint()
            assert not work._jobs
            engine = work.speaker.engine
            assert not engine.busy
            assert engine.tasks == []
            assert not engine._computing
            assert len(engine._served) <= 2 * len(engine._slots)
            assert not work._post._loops
        for home in self.homes:
            for at, request in enumerate(FIXED):
                said = without_cost(await complete(home.backend.stream(request)))
                assert not home.exact or said == self.expected.setdefault(at, said)


def tidy() -> None:
    """Have the allocator give back what is freed: large blocks lie alone, and a new thread begins no heap of its own.

    What it keeps otherwise comes and goes by tens of megabytes, and looks like growth.
    """
    with suppress(AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_ARENA_MAX, 1)
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 18)


def measured() -> dict[str, int]:
    """What this process holds, with all models loaded and nothing asked."""
    gc.collect()
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    return {
        "objects": len(gc.get_objects()),
        "bytes": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        "files": len(os.listdir("/proc/self/fd")),
        "threads": sum(each.name.startswith("llama_cpp:") for each in threading.enumerate()),
    }


def growth(values: Sequence[float]) -> float:
    """How much more there is at the end than at the beginning, on the line of least squares through the least value of
    each `PARTS` of them: a little in use on top of the heap keeps what was freed below it, until the next phase."""
    size = len(values) / PARTS
    floors = [min(values[int(part * size) : int((part + 1) * size)]) for part in range(PARTS)]
    middle, mean = (PARTS - 1) / 2, sum(floors) / PARTS
    rise = sum((at - middle) * (value - mean) for at, value in enumerate(floors))
    return rise / sum((at - middle) ** 2 for at in range(PARTS)) * (PARTS - 1)


def test_nothing_is_left_behind_and_nothing_has_changed(
    tmp_path: Path, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / tiny_model().name
    other.write_bytes(tiny_model().read_bytes())
    shelf = Shelf(1 << 40)
    monkeypatch.setattr(worker, "SHELF", shelf)
    homes = [
        Home(lambda: LlamaCpp(exact=True, parallel=6), stays=True),
        Home(lambda: LlamaCpp(exact=False, parallel=6, cache_tokens=2048), exact=False),
        Home(lambda: LlamaCpp(other, exact=True, parallel=4)),
    ]
    load = Load(homes, seed=len(anyio_backend), loop=anyio_backend)
    samples = {what: array("q") for what in measured()}  # numbers alone: these are no objects
    seconds = 0.0

    async def everything() -> None:
        nonlocal seconds
        await load.settle()
        begun = time.monotonic()
        while seconds < SECONDS or len(samples["bytes"]) < WARM + 12:
            shelf.room = shelf.taken // 2  # whoever is loaded again has those put away who are idle
            await load.run(PHASE)
            shelf.room = 1 << 40
            await load.settle()
            for what, value in measured().items():
                samples[what].append(value)
            seconds = time.monotonic() - begun

    async def whatever_happens() -> None:
        try:
            await everything()
        finally:
            with anyio.CancelScope(shield=True):
                for home in homes:
                    await home.backend.aclose()

    tidy()
    threads = set(threading.enumerate())
    anyio.run(whatever_happens, backend=anyio_backend)
    assert shelf.taken == 0
    assert not [each for each in set(threading.enumerate()) - threads if each.name.startswith("llama_cpp:")]
    memory, objects, files = (samples[what][WARM:] for what in ("bytes", "objects", "files"))
    grown, more = growth(memory), growth(objects)
    print(
        f"\n{anyio_backend}: {seconds:.0f} s, {dict(sorted(load.counts.items()))}; "
        f"memory {memory[0] / 2**20:.1f} -> {memory[-1] / 2**20:.1f} MB (from {min(memory) / 2**20:.1f} to "
        f"{max(memory) / 2**20:.1f}), on the line {grown / 2**20:+.2f} MB; "
        f"objects {objects[0]:,} -> {objects[-1]:,}, on the line {more:+.0f}; files {sorted(set(files))}"
    )
    assert grown < GROWTH
    assert more < OBJECTS
    assert len(set(files)) == 1
    assert max(samples["threads"]) <= len(homes) * (1 + worker.MAKERS)
    assert all(load.counts[kind] for kind in (*KINDS, "cut off", "closed", "closed at once", "put away")), load.counts
