"""Events reach their readers, in order, and each event loop is told once for many of them."""

import threading
from collections.abc import Callable

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.events import StreamEvent, Warned
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.llama.mailbox import Mailbox, Post
from tests.backends.llama.conftest import answer, route

pytestmark = pytest.mark.anyio


class Loop:
    """An event loop that only counts, or that is gone."""

    def __init__(self, *, gone: bool = False) -> None:
        self.gone = gone
        self.calls: list[Callable[[], object]] = []

    def call_soon_threadsafe(self, call: Callable[..., object], *args: object) -> None:
        if self.gone:
            raise RuntimeError("Event loop is closed")
        self.calls.append(lambda: call(*args))


def event(number: int) -> StreamEvent:
    return Warned("number", str(number))


async def test_all_that_is_left_for_a_loop_is_told_in_one_hop() -> None:
    here, there, gone = Loop(), Loop(), Loop(gone=True)
    boxes = [Mailbox() for _ in range(5)]
    for box, loop in zip(boxes, [here, here, here, there, gone], strict=True):
        box.loop = loop
    post = Post()
    for box in boxes:
        for number in range(4):
            post.put(box, event(number))
    assert post.deliver() == {boxes[4]}
    assert post.deliver() == set()
    assert (len(here.calls), len(there.calls)) == (1, 1)


async def test_a_reader_gets_everything_in_order_and_waits_for_the_rest() -> None:
    box, post = Mailbox(), Post()
    seen: list[StreamEvent] = []

    def send() -> None:
        for number in range(200):
            post.put(box, event(number))
            if number % 3 == 0:
                post.deliver()
        post.put(box, None)
        post.deliver()

    sender = threading.Thread(target=send)
    sender.start()
    while (got := await box.take()) is not None:
        seen.append(got)
    sender.join()
    assert seen == [event(number) for number in range(200)]


async def test_a_reader_that_is_cancelled_takes_nothing() -> None:
    box, post = Mailbox(), Post()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await box.take()
    post.put(box, event(1))
    post.deliver()
    assert await box.take() == event(1)


@pytest.mark.parametrize("other", ["asyncio", "trio"])
async def test_two_event_loops_ask_at_the_same_time(other: str) -> None:
    llama = LlamaCpp()
    texts = {"I was charged twice": "billing", "the app crashes": "technical"}

    async def ask_all() -> list[str]:
        said: list[str] = []

        async def one(text: str) -> None:
            said.append((await answer(llama, route(f"Hi, {text}"))).text)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                for text in texts:
                    tasks.start_soon(one, text)
        return sorted(said)

    here: list[str] = []
    there: list[list[str]] = []

    async def elsewhere() -> None:
        there.append(await anyio.to_thread.run_sync(lambda: anyio.run(ask_all, backend=other)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(elsewhere)
        here = await ask_all()
    expected = sorted(f'{{"route": "{place}"}}' for place in texts.values() for _ in range(3))
    assert here == there[0] == expected
    await llama.aclose()


async def test_a_loop_that_ends_gives_up_what_it_asked() -> None:
    llama = LlamaCpp(parallel=1)

    async def begin() -> None:
        stream = llama.stream(route("Hi, the app crashes"))
        await anext(stream)
        left.append(stream)

    left: list[object] = []
    await answer(llama, route("Hi"))
    await anyio.to_thread.run_sync(lambda: anyio.run(begin, backend="asyncio"))
    assert (await answer(llama, route("Hi, the app crashes"))).text == '{"route": "technical"}'
    await llama.aclose()
