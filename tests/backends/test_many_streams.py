"""Many streams at once on one process: each is whole and its own, one can leave, and a slow reader holds its provider
back instead of filling the memory."""

import re
import time

import anyio
import anyio.to_thread
import pytest

from graphrt.backends.events import Fold, PartDelta, complete
from graphrt.backends.messages import Request, conversation
from graphrt.backends.remote import Remote
from tests.backends.provider import SPEECHES, Asked, Gate, Provider, Reply, open_at, provide

pytestmark = pytest.mark.anyio

STREAMS = 200
WORDS = 30


def ask(number: int) -> Request:
    return Request(messages=conversation(f"stream-{number}!"))


def number_of(asked: Asked) -> int:
    found = re.search(r"stream-(\d+)!", str(asked.body))
    assert found is not None
    return int(found[1])


def words_of(number: int) -> list[str]:
    return [f"{number}/{word} " for word in range(WORDS)]


def api_of(number: int) -> str:
    return list(SPEECHES)[number % len(SPEECHES)]


class Crowd:
    """A provider that holds every answer back in its middle, and one backend for each dialect of it."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.backends: dict[str, Remote] = {}

    def answer(self, asked: Asked) -> Reply:
        number = number_of(asked)
        speech = SPEECHES[api_of(number)]
        pieces = speech.text(*words_of(number))
        return speech.reply([*pieces[: 1 + WORDS // 2], self.gate, *pieces[1 + WORDS // 2 :]])

    def backend(self, number: int) -> Remote:
        return self.backends[api_of(number)]

    async def all_held(self, provider: Provider) -> None:
        """Wait until every answer is in its middle at once."""
        assert await anyio.to_thread.run_sync(provider.wait_for, lambda seen: len(seen.held) == STREAMS)

    async def aclose(self) -> None:
        for backend in self.backends.values():
            await backend.aclose()
        self.gate.close()


async def test_two_hundred_streams_at_once_are_all_whole_and_each_its_own() -> None:
    """M1, L19: all dialects in one process, every stream open while every other one is."""
    crowd = Crowd()
    said: dict[int, str] = {}
    events = 0
    with provide(crowd.answer) as provider:
        crowd.backends = {api: open_at(api, provider.base_url) for api in SPEECHES}

        async def read(number: int) -> None:
            nonlocal events
            state = Fold()
            async for event in crowd.backend(number).stream(ask(number)):
                events += 1
                state.add(event)
            said[number] = state.answer().text

        began = time.thread_time()
        async with anyio.create_task_group() as tasks:
            for number in range(STREAMS):
                tasks.start_soon(read, number)
            await crowd.all_held(provider)
            assert said == {}
            crowd.gate.open()
        spent = time.thread_time() - began
        await crowd.aclose()
    assert said == {number: "".join(words_of(number)) for number in range(STREAMS)}
    assert provider.hung_up == []
    print(f"{STREAMS} streams, {events} events: {spent / events * 1e6:.0f} µs of CPU for each")


async def test_a_cancelled_stream_hangs_up_before_another_event_and_disturbs_no_other() -> None:
    """M1: of two hundred open streams one is cancelled; its provider sees it while it is silent, and only it."""
    crowd = Crowd()
    said: dict[int, str] = {}
    given_up = STREAMS // 3
    heard: list[str] = []
    with provide(crowd.answer) as provider:
        crowd.backends = {api: open_at(api, provider.base_url) for api in SPEECHES}
        scope, half = anyio.CancelScope(), anyio.Event()

        async def read(number: int) -> None:
            said[number] = (await complete(crowd.backend(number).stream(ask(number)))).text

        async def leave() -> None:
            with scope:
                async for event in crowd.backend(given_up).stream(ask(given_up)):
                    if isinstance(event, PartDelta):
                        heard.append(event.text)
                        if heard == words_of(given_up)[: WORDS // 2]:
                            half.set()

        async with anyio.create_task_group() as tasks:
            for number in range(STREAMS):
                if number == given_up:
                    tasks.start_soon(leave)
                else:
                    tasks.start_soon(read, number)
            await crowd.all_held(provider)
            await half.wait()
            scope.cancel()
            assert await anyio.to_thread.run_sync(provider.wait_for, lambda seen: bool(seen.hung_up))
            left = [number_of(provider.asked[number]) for number in provider.hung_up]
            assert left == [given_up]
            crowd.gate.open()
        await crowd.aclose()
    assert heard == words_of(given_up)[: WORDS // 2]
    assert said == {number: "".join(words_of(number)) for number in range(STREAMS) if number != given_up}
    assert len(provider.hung_up) == 1


LONG = 1500
"""Words of the long answer, of 64 KiB each."""
IN_FLIGHT = 24 << 20
"""Bytes that the sockets of both sides may hold between them; the answer is four times as long."""


@pytest.mark.parametrize("api", SPEECHES)
async def test_a_slow_reader_holds_its_provider_back_and_nobody_else(api: str) -> None:
    """L19: what is not read is not sent; another stream of the same backend is whole meanwhile."""
    speech = SPEECHES[api]
    word = speech.word("x" * (64 << 10))

    def answer(asked: Asked) -> Reply:
        if number_of(asked) == 1:
            return speech.reply([speech.begin, *[word] * LONG, speech.end])
        return speech.reply(speech.text("quick"))

    with provide(answer) as provider:
        backend = open_at(api, provider.base_url)
        stream = backend.stream(ask(1))
        async for event in stream:
            if isinstance(event, PartDelta):
                break
        assert await anyio.to_thread.run_sync(provider.wait_for, lambda seen: 0 in seen.blocked)
        assert (await complete(backend.stream(ask(2)))).text == "quick"
        assert provider.written[0] < IN_FLIGHT
        await stream.aclose()
        assert await anyio.to_thread.run_sync(provider.wait_for, lambda seen: seen.hung_up == [0])
        await backend.aclose()
