"""A stream that is cut, at whatever byte, is never taken for an answer before its provider said that it was one."""

import random
from collections.abc import Sequence

import pytest

from graphrt.backends.errors import ConnectionFailed, StreamTruncated
from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import Request, conversation
from tests.backends.provider import Provider, open_at, provide
from tests.backends.recordings import Recording, Told, reply_of, signal, streams, told

pytestmark = pytest.mark.anyio

ASK = Request(messages=conversation("hello"))
QUOTAS = {
    "chat_completions": 6,
    "responses": 3,
    "messages": 3,
    "generate_content": 3,
    "chat_v2": 2,
    "converse": 2,
    "invoke_anthropic": 1,
    "ollama_generate": 1,
}
"""How many streams of each API are cut at every byte."""


def chosen() -> list[Recording]:
    """The shortest whole streams of each API: one with a call first, then one of each provider, then any."""
    picked: list[Recording] = []
    for api, quota in QUOTAS.items():
        left = [it for it in streams() if it.api == api and it.expected["finish"] not in {"none", "error"}]
        left = [it for it in left if signal(it, it.body) is not None]
        mine = [it for it in left if it.expected["tool_calls"]][:1]
        others = {it.provider: it for it in reversed(left) if it not in mine}
        mine += sorted(others.values(), key=left.index)
        mine += [it for it in left if it not in mine]
        picked += mine[:quota]
    return picked


STREAMS = chosen()
FINE, COARSE = 1000, 7
"""Bytes from the beginning and around the terminal signal at which every cut is tried, and every which elsewhere."""


def judge(recording: Recording, whole: Told, cut: int, events: Sequence[StreamEvent]) -> None:
    """M3: before the terminal signal an error with a beginning of the answer, and after it the answer."""
    found, end = told(events), signal(recording, recording.body)
    assert end is not None
    assert whole.answer is not None
    assert whole.message.text.startswith(found.message.text), cut
    if found.answer is None:
        assert isinstance(found.error, (StreamTruncated, ConnectionFailed)), cut
        assert found.error.retryable
        # a call that is called complete has arrived to its last letter: nothing half is executed
        calls = [(call.name, call.arguments) for call in whole.answer.tool_calls]
        done = [(call.name, call.arguments) for call in found.message.tool_calls if call.complete]
        assert all(call in calls for call in done), cut
    else:
        assert cut >= end, f"an answer {end - cut} bytes before its end"
        assert found.answer.text == whole.answer.text
        assert found.answer.finish == whole.answer.finish
        assert [it.arguments for it in found.answer.tool_calls] == [it.arguments for it in whole.answer.tool_calls]


@pytest.mark.usefixtures("shared_data")
def test_there_are_twenty_streams_of_every_dialect() -> None:
    """So that nobody takes an empty list for a proof."""
    assert len(STREAMS) == sum(QUOTAS.values()) >= 20
    assert {it.api for it in STREAMS} == set(QUOTAS)
    assert sum(bool(it.expected["tool_calls"]) for it in STREAMS) >= 6


@pytest.mark.parametrize("recording", STREAMS, ids=lambda it: it.name)
def test_a_stream_that_ends_at_any_byte_is_no_answer_before_its_terminal_signal(recording: Recording) -> None:
    """M3, L7, L8: whether the connection ends in order or not, by turns."""
    whole = told(recording.read([recording.body]))
    final = signal(recording, recording.body) or 0
    for cut in range(len(recording.body)):
        if FINE < cut < final - FINE and cut % COARSE:
            continue  # in the middle of a long one, there is nothing that was not before
        reader = recording.reader()
        events = reader.feed(recording.body[:cut])
        end = reader.broken(ConnectionFailed("reset")) if cut % 2 else reader.end()
        judge(recording, whole, cut, [*events, *end])


async def cut_at(recording: Recording, provider: Provider, count: int) -> list[list[StreamEvent]]:
    """All events of each of `count` answers."""
    backend = open_at(recording.api, provider.base_url, provider=recording.provider)
    heard = [[event async for event in backend.stream(ASK)] for _ in range(count)]
    await backend.aclose()
    return heard


OPENED = [it for it in STREAMS if it.api != "invoke_anthropic"]  # which is read, but opened by no backend yet


async def over_the_wire(recording: Recording, cuts: Sequence[int]) -> None:
    whole = told(recording.read([recording.body]))
    ways = [("cut", "chunked"), ("reset", "chunked"), ("whole", "chunked"), ("cut", "close"), ("reset", "close")]
    replies = [
        reply_of(recording.response, recording.body[:cut], end=end, framing=framing)
        for cut, (end, framing) in zip(cuts, ways * len(cuts), strict=False)
    ]
    with provide(replies) as provider:
        for cut, events in zip(cuts, await cut_at(recording, provider, len(cuts)), strict=True):
            judge(recording, whole, cut, events)


@pytest.mark.parametrize("recording", OPENED, ids=lambda it: it.name)
async def test_a_connection_that_is_cut_or_reset_in_a_stream_gives_no_answer_before_its_terminal_signal(
    recording: Recording,
) -> None:
    """M3, L7: on a real socket, cut or reset, with and without a promised end."""
    dice = random.Random(recording.name)
    end = signal(recording, recording.body) or 0
    cuts = [dice.randrange(len(recording.body)) for _ in range(10)]
    await over_the_wire(recording, [*cuts, *range(end - 3, end + 2)])


@pytest.mark.torture
@pytest.mark.parametrize("recording", {it.api: it for it in OPENED}.values(), ids=lambda it: it.name)
async def test_a_connection_that_is_cut_at_every_byte_gives_no_answer_before_its_terminal_signal(
    recording: Recording,
) -> None:
    """M3, L7: every byte of a stream of each dialect, on a real socket."""
    await over_the_wire(recording, range(len(recording.body)))
