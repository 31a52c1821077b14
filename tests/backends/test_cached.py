"""The same question gets the same answer again, and costs once (M8)."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest

from graphrt.backends import Backend, errors
from graphrt.backends.codec import read_events, write_event
from graphrt.backends.errors import BackendError, BadRequest, InvalidOutput, RateLimited, ServerError
from graphrt.backends.events import (
    Answer,
    Chose,
    Failed,
    Finished,
    FinishReason,
    PartDelta,
    PartEnded,
    PartStarted,
    Restarted,
    Started,
    StreamEvent,
    Usage,
    Warned,
    complete,
)
from graphrt.backends.messages import (
    Media,
    Message,
    Opaque,
    OutputSchema,
    Part,
    Reasoning,
    Refusal,
    Request,
    ServerTool,
    Settings,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    assistant,
    conversation,
)
from graphrt.backends.policies.budget import budget
from graphrt.backends.policies.cached import CacheStatistics, DirectoryStore, Events, MemoryStore, Store, cached
from graphrt.backends.policies.fingerprint import key_of
from graphrt.backends.scripted import Scripted
from graphrt.backends.wire.ratelimits import RateLimit

pytestmark = pytest.mark.anyio
ASK = Request(messages=conversation("hi"))
HIT = Chose("cached", "scripted", "an equal request was answered before")


@pytest.fixture(params=["memory", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else DirectoryStore(tmp_path / "answers")


async def told(backend: Backend, request: Request = ASK) -> list[StreamEvent]:
    return [event async for event in backend.stream(request)]


async def test_the_same_request_gets_the_same_events_and_is_asked_once(store: Store) -> None:
    call = ToolCall(call_id="c", name="add", arguments='{"a": 1}')
    source = Scripted(
        [Answer(message=Message(role="assistant", parts=(Text(text="é\ud83d x"), call)), finish="tool_calls")]
    )
    backend = cached(source, store)
    first, second = await told(backend), await told(backend)
    assert first[0] == Started()
    assert second[:-1] == [HIT, *first[:-1]]
    assert first[-1] == Finished("tool_calls", "tool_calls")
    assert second[-1] == Finished("tool_calls", "tool_calls", Usage(input=0, output=0))
    assert len(source.requests) == 1
    assert backend.statistics() == CacheStatistics(hits=1, misses=1)


async def test_a_hit_costs_nothing() -> None:
    backend = budget(cached(Scripted("hello"), MemoryStore()))
    await complete(backend.stream(ASK))
    once = backend.statistics()
    await complete(backend.stream(ASK))
    assert once.tokens > 0
    assert (backend.statistics().tokens, backend.statistics().calls) == (once.tokens, 2)


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


async def test_a_directory_is_shared_and_a_damaged_file_is_an_answer_that_is_not_there(tmp_path: Path) -> None:
    source = Scripted(["one", "two"])
    await told(cached(source, DirectoryStore(tmp_path)))
    other = cached(source, DirectoryStore(tmp_path))
    assert (await complete(other.stream(ASK))).text == "one"
    (file,) = files(tmp_path)  # and nothing half-written beside it
    file.write_text(file.read_text("utf-8")[:-5], "utf-8")
    assert (await complete(other.stream(ASK))).text == "two"
    file.write_text('[{"event": "sung"}]', "utf-8")
    with pytest.raises(BadRequest, match="2 answers"):
        await complete(other.stream(ASK))


@pytest.mark.parametrize("finish", ["length", "content_filter", "refusal", "pause", "error", "other"])
async def test_an_answer_that_is_not_whole_is_not_kept(store: Store, finish: FinishReason) -> None:
    source = Scripted([Answer(message=assistant("half"), finish=finish), "whole"])
    backend = cached(source, store)
    await told(backend)
    assert (await complete(backend.stream(ASK))).text == "whole"


async def test_a_failure_is_not_kept(store: Store) -> None:
    backend = cached(Scripted([ServerError("x"), "fine"]), store)
    assert isinstance((await told(backend))[-1], Failed)
    assert (await complete(backend.stream(ASK))).text == "fine"


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_a_stream_that_is_given_up_keeps_nothing_and_is_closed(store: Store, way: str) -> None:
    source = Scripted("one two three four")
    backend = cached(source, store)
    stream = backend.stream(ASK)
    if way == "close":
        async for event in stream:
            if isinstance(event, PartDelta):
                break
        await stream.aclose()
    else:
        with anyio.CancelScope() as scope:
            async for event in stream:
                if isinstance(event, PartDelta):
                    scope.cancel()
    assert source.active == 0
    assert (await complete(backend.stream(ASK))).text == "one two three four"
    assert backend.statistics() == CacheStatistics(misses=2)


class Slow(Scripted):
    """Says its next line when it is let go."""

    def __init__(self, *lines: Any) -> None:
        super().__init__(lines)
        self.go = anyio.Event()

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        events = super().stream(request)
        try:
            async for event in events:
                await self.go.wait()
                yield event
        finally:
            await events.aclose()


async def ends_of_a_crowd(backend: Backend, source: Slow, count: int) -> list[StreamEvent]:
    ends: list[StreamEvent] = []

    async def one() -> None:
        ends.append((await told(backend))[-1])

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        assert len(source.requests) == 1
        source.go.set()
    return ends


async def test_equal_requests_at_once_ask_once() -> None:
    source = Slow("hello", "never")
    backend = cached(source, MemoryStore())
    ends = await ends_of_a_crowd(backend, source, 5)
    assert [type(end) for end in ends] == [Finished] * 5
    assert backend.statistics() == CacheStatistics(hits=4, misses=1, shared=4)


async def test_equal_requests_at_once_share_a_failure_each_with_an_error_of_its_own() -> None:
    source = Slow(RateLimited("slow down", retry_after=3.0, provider="p"), "never")
    backend = cached(source, MemoryStore())
    ends = await ends_of_a_crowd(backend, source, 3)
    errors_ = [end.error for end in ends if isinstance(end, Failed)]
    assert [(str(error), error.retry_after) for error in errors_] == [("rate_limit: slow down (p)", 3.0)] * 3
    assert len({id(error) for error in errors_}) == 3
    assert len(source.requests) == 1


async def test_one_that_waits_asks_itself_when_the_first_is_given_up() -> None:
    source = Slow("given up", "answered")
    backend = cached(source, MemoryStore())
    found: list[str] = []

    async def second() -> None:
        found.append((await complete(backend.stream(ASK))).text)

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as first:
                first.start_soon(told, backend)
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(second)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        source.go.set()
    assert found == ["answered"]


async def test_a_store_that_cannot_keep_an_answer_does_not_lose_it() -> None:
    class Full(MemoryStore):
        async def put(self, key: str, events: Events) -> None:
            raise OSError("no space left on device")

    backend = cached(Scripted("hello"), Full())
    assert (await complete(backend.stream(ASK))).text == "hello"
    assert backend.statistics().unkept == 1


async def test_memory_keeps_what_was_used_last() -> None:
    small = MemoryStore(entries=2)
    for key in "ab":
        await small.put(key, (Started(key),))
    assert await small.get("a") == (Started("a"),)
    await small.put("c", (Started("c"),))
    assert [await small.get(key) is not None for key in "abc"] == [True, False, True]


async def test_how_an_answer_came_about_is_not_kept_with_it() -> None:
    class Switching(Scripted):
        async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
            yield Chose("fallback", "a", "first")
            yield Started("a")
            yield PartStarted("1", "text")
            yield Restarted("broke off")
            yield Chose("fallback", "b", "second")
            yield Started("b", limits=(RateLimit("requests", 1, 1, 1.0),))
            yield PartStarted("1", "text")
            yield PartEnded("1", Text(id="1", text="b"))
            yield Finished("stop")

    backend = cached(Switching(""), MemoryStore())
    await told(backend)
    again = await told(backend)
    assert again[:2] == [HIT, Started("b")]
    assert [type(event) for event in again[2:]] == [PartStarted, PartEnded, Finished]


# the key

OTHERS = [
    Request(messages=conversation("ho")),
    Request(messages=(assistant("hi"),)),
    Request(messages=(Message(role="user", parts=(Reasoning(text="hi"),)),)),
    Request(messages=(Message(role="user", parts=(Text(text="hi", opaque=Opaque(provider="p", payload=1)),)),)),
    ASK.model_copy(update={"settings": Settings(seed=1)}),
    ASK.model_copy(update={"settings": Settings(strict=True)}),
    ASK.model_copy(update={"tools": (ToolSpec(name="t", parameters={}),)}),
    ASK.model_copy(update={"tool_choice": "none"}),
    ASK.model_copy(update={"output": OutputSchema(name="o", schema_={})}),
    ASK.model_copy(update={"extra": {"n": 1}}),
]


def test_requests_that_differ_in_anything_have_other_keys_and_equal_ones_the_same() -> None:
    keys = [key_of(request, "a") for request in [ASK, *OTHERS]]
    assert len(set(keys)) == len(keys)
    assert key_of(ASK, "b") not in keys
    extra = [ASK.model_copy(update={"extra": each}) for each in ({"a": 1, "b": 2}, {"b": 2, "a": 1})]
    assert key_of(extra[0], "a") == key_of(extra[1], "a")
    # keeps old answers findable: settings that are not given do not count
    assert keys[0] == "5eaece2a8f65d769b229f64630df4532e353f0a6aa69f7818a4101fc75f9757a"


async def test_a_request_that_is_no_json_is_told_so() -> None:
    backend = cached(Scripted("x"), MemoryStore())
    with pytest.raises(BadRequest, match="no JSON"):
        await complete(backend.stream(ASK.model_copy(update={"extra": {"f": object()}})))


# events as JSON

OPAQUE = Opaque(provider="p", model="m", payload={"signature": "s"})
PARTS: list[Part] = [
    Text(id="1", text="x\u2028y", opaque=OPAQUE),
    Reasoning(id="1"),
    Refusal(id="1", text="no"),
    ToolCall(id="1", call_id="c", name="n", arguments="{", complete=False, synthetic_id=True),
    ToolResult(id="1", call_id="c", name="n", content="r", is_error=True),
    Media(id="1", media_type="image/png", data="AA=="),
    ServerTool(id="1", name="search", opaque=OPAQUE),
]
EVENTS: list[StreamEvent] = [
    Started(),
    Started("m", "id"),
    Warned("seed", "not honoured"),
    PartStarted("1", "tool_call", "n", "c"),
    PartDelta("1", ""),
    *(PartEnded("1", part) for part in PARTS),
    Restarted("why"),
    Chose("p", "b", "r"),
    Chose("p", "b", "r", wasted=Usage(input=1)),
    Finished("stop"),
    Finished(
        "tool_calls", "tool_use", Usage(input=1, output=2, cache_read=3, cache_write=4, reasoning=5, raw={"a": [1]})
    ),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_comes_back_as_it_was(event: StreamEvent) -> None:
    assert read_events(json.loads(json.dumps([write_event(event)]))) == (event,)


ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BackendError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_comes_back_as_it_was_without_its_body(kind: type[BackendError]) -> None:
    facts: dict[str, Any] = {"provider": "p", "status": 418, "code": "c", "retry_after": 1.5, "retryable": True}
    facts["attempts"] = ("another one: gone",)
    error = kind("words", partial=assistant("half"), usage=Usage(input=1), body={"secret": 1}, **facts)
    for written in (write_event(Failed(error)), write_event(Chose("a", "b", "c", error))):
        (event,) = read_events([json.loads(json.dumps(written))])
        assert isinstance(event, (Failed, Chose))
        back = event.error
        assert back is not None
        assert type(back) is kind
        assert str(back) == str(error)
        assert {name: getattr(back, name) for name in facts} == facts
        assert (back.partial, back.usage, back.body) == (error.partial, error.usage, None)


def test_an_error_of_a_kind_of_your_own_comes_back_as_what_it_is_to_us() -> None:
    class Mine(InvalidOutput):
        pass

    (event,) = read_events([write_event(Failed(Mine("words", pointers=("/a",))))])
    assert isinstance(event, Failed)
    assert type(event.error) is InvalidOutput
    assert event.error.pointers == ("/a",)


@pytest.mark.parametrize(
    "text", ["3", "[3]", '[{"event": "part_ended", "id": "1", "part": {"kind": "x"}}]', '[{"a": 1}]']
)
def test_what_is_no_stream_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_events(json.loads(text))
