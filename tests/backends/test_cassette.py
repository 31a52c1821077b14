"""A model is asked once, and tests are answered from the record (M8, M9)."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from graphrt.backends import Backend
from graphrt.backends.dialects.openai_chat import OpenAIChat
from graphrt.backends.dialects.profiles import PRESETS
from graphrt.backends.errors import BackendError, BadRequest, ServerError
from graphrt.backends.events import Chose, Failed, PartDelta, StreamEvent, complete
from graphrt.backends.messages import (
    Media,
    Message,
    OutputSchema,
    Request,
    Settings,
    Text,
    ToolCall,
    ToolSpec,
    conversation,
)
from graphrt.backends.policies.limited import limited
from graphrt.backends.policies.recorded import CassetteStatistics, Mode, recorded
from graphrt.backends.scripted import Scripted
from graphrt.errors import UsageError
from graphrt.testing import JumpingClock
from tests.backends.loopback import Reply, Stream, Whole, serve, text

pytestmark = pytest.mark.anyio


def ask(prompt: str = "Say hello.", **more: Any) -> Request:
    return Request(messages=conversation(prompt, instructions="Be brief."), **more)


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


async def told(backend: Backend, request: Request | None = None) -> list[StreamEvent]:
    return [event async for event in backend.stream(request or ask())]


async def test_what_was_recorded_is_replayed_event_by_event_and_nobody_is_asked(tmp_path: Path) -> None:
    call = ToolCall(call_id="c", name="add", arguments='{"a": 1}')
    first = await told(recorded(Scripted([[Text(text="Hello é \u2028"), call]]), tmp_path, mode="record"))
    source = Scripted([])
    backend = recorded(source, tmp_path, mode="replay")
    assert await told(backend) == first
    assert source.requests == []
    assert backend.statistics() == CassetteStatistics(replayed=1)


async def test_a_replay_needs_no_key_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serve(Stream(text("Hel", "lo."))) as server:
        live = OpenAIChat("gpt-x", base_url=server.base_url, key="sk-1", profile=PRESETS["openai"].profile)
        first = await told(recorded(live, tmp_path, mode="record"))
        await live.aclose()
    backend = recorded("openai:gpt-x", tmp_path, mode="replay")
    assert backend.name == live.name
    assert await told(backend) == first


async def test_a_file_is_made_to_be_read_in_a_review(tmp_path: Path) -> None:
    line = "Hello,\nwörld."
    await told(recorded(Scripted([line], name="openai:gpt/x"), tmp_path, mode="record"))
    (name,) = files(tmp_path)
    assert name.startswith("openai-gpt-x-")
    written = (tmp_path / name).read_text("utf-8")
    assert written == (
        "{\n"
        '"request": {\n'
        ' "backend": "openai:gpt/x",\n'
        ' "messages": [\n  [\n   "system",\n   "Be brief."\n  ],\n  [\n   "user",\n   "Say hello."\n  ]\n ]\n'
        "},\n"
        '"said": [\n "Hello,",\n "wörld."\n],\n'
        '"events": [\n'
        '  {"event": "started", "model": "scripted"},\n'
        '  {"event": "part_started", "id": "part-1", "kind": "text"},\n'
        '  {"event": "part_delta", "id": "part-1", "text": "Hello,"},\n'
        '  {"event": "part_delta", "id": "part-1", "text": "\\nwörld."},\n'
        '  {"event": "part_ended", "id": "part-1", '
        '"part": {"kind": "text", "id": "part-1", "text": "Hello,\\nwörld."}},\n'
        '  {"event": "finished", "reason": "stop", "raw_reason": "stop", "usage": {}}\n'
        "]\n}\n"
    )


async def test_the_same_request_again_is_an_exchange_of_its_own_and_the_last_one_stays(tmp_path: Path) -> None:
    source = Scripted([ServerError("boom"), "second", "third", "only"])
    taping = recorded(source, tmp_path, mode="record")
    for _ in range(3):
        await told(taping)
    assert len(files(tmp_path)) == 3
    backend = recorded(Scripted([]), tmp_path, mode="replay")
    with pytest.raises(ServerError, match="boom"):
        await complete(backend.stream(ask()))
    assert [(await complete(backend.stream(ask()))).text for _ in range(3)] == ["second", "third", "third"]
    await told(recorded(source, tmp_path, mode="record"))  # recorded anew, nothing of the old record is left
    assert len(files(tmp_path)) == 1


async def test_auto_asks_only_for_what_is_not_recorded_and_keeps_no_failure(tmp_path: Path) -> None:
    source = Scripted([ServerError("it may pass"), "one", "two"])
    backend = recorded(source, tmp_path)
    assert isinstance((await told(backend))[-1], Failed)
    assert files(tmp_path) == []
    for _ in range(2):
        assert (await complete(backend.stream(ask()))).text == "one"
    assert (await complete(backend.stream(ask("Other.")))).text == "two"
    assert (await complete(recorded(source, tmp_path).stream(ask()))).text == "one"
    assert len(source.requests) == 3
    assert backend.statistics() == CassetteStatistics(replayed=1, recorded=2)
    assert all(name.count(".") == 1 for name in files(tmp_path))  # the failure took no turn


async def test_a_request_that_was_not_recorded_shows_how_the_nearest_one_differs(tmp_path: Path) -> None:
    taping = recorded(Scripted("x"), tmp_path, mode="record")
    await told(taping, ask("Say hello.", settings=Settings(seed=1)))
    for number in range(8):
        await told(taping, Request(messages=conversation(f"Something else altogether, {number}")))
    backend = recorded(Scripted("x"), tmp_path, mode="replay")
    with pytest.raises(BadRequest) as caught:
        await complete(backend.stream(ask("Say goodbye.", settings=Settings(seed=1))))
    error = caught.value
    assert (error.provider, error.code, error.retryable) == ("scripted", "not_recorded", False)
    assert f"not recorded in {tmp_path}; record it with mode='record'" in str(error)
    assert '\n-   "Say hello."\n+   "Say goodbye."\n' in str(error)
    assert "seed" not in str(error)  # what is the same is not shown
    assert backend.statistics() == CassetteStatistics(unknown=1)


async def test_a_difference_that_has_no_words_is_said_to_be_one(tmp_path: Path) -> None:
    await told(recorded(Scripted("x"), tmp_path, mode="record"), ask("hi"))
    named = Message(role="user", parts=(Text(id="mine", text="hi"),))
    request = ask("hi").model_copy(update={"messages": (ask("hi").messages[0], named)})
    with pytest.raises(BadRequest, match="differ only in what a record keeps no words of"):
        await complete(recorded(Scripted("x"), tmp_path, mode="replay").stream(request))


async def test_a_long_difference_is_cut(tmp_path: Path) -> None:
    await told(recorded(Scripted("x"), tmp_path, mode="record"), Request(messages=conversation("short")))
    tools = tuple(ToolSpec(name=f"tool_{number}", parameters={}) for number in range(100))
    with pytest.raises(BadRequest, match=r"and \d+ more lines") as caught:
        await complete(recorded(Scripted("x"), tmp_path, mode="replay").stream(ask(tools=tools)))
    assert len(str(caught.value).splitlines()) < 50


@pytest.mark.parametrize("mode", ["replay", "auto"])
async def test_an_empty_and_a_damaged_record_are_told_apart(tmp_path: Path, mode: Mode) -> None:
    if mode == "replay":
        with pytest.raises(BadRequest, match="there is no exchange yet"):
            await complete(recorded(Scripted("x"), tmp_path / "none", mode=mode).stream(ask()))
    await told(recorded(Scripted("x"), tmp_path, mode="record"))
    (name,) = files(tmp_path)
    (tmp_path / name).write_text("<<<<<<< HEAD", "utf-8")
    with pytest.raises(BadRequest, match=f"{name} is no exchange.*delete it and record it again"):
        await complete(recorded(Scripted("x"), tmp_path, mode=mode).stream(ask()))


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_a_stream_that_is_given_up_is_not_written_and_is_closed(tmp_path: Path, way: str) -> None:
    source = Scripted("one two three")
    stream = recorded(source, tmp_path, mode="record").stream(ask())
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
    assert files(tmp_path) == []


async def test_choices_of_policies_behind_it_are_part_of_the_record(tmp_path: Path) -> None:
    clock = JumpingClock()
    backend = recorded(limited(Scripted("x"), requests=1, clock=clock), tmp_path, mode="record")
    await told(backend, ask("first"))
    second = await told(backend, ask("second"))
    assert isinstance(second[0], Chose)
    assert await told(recorded(Scripted([]), tmp_path, mode="replay"), ask("second")) == second


CANARY = "canary-7f3a9"


async def test_no_secret_is_in_a_record(tmp_path: Path) -> None:
    """M9: keys, headers of either side, raw error bodies, credentials in addresses, fields for one provider."""
    leaky = {"content-type": "application/json", "set-cookie": CANARY, "x-ratelimit-remaining-requests": CANARY}
    refusal = {"error": {"message": f"key {CANARY} is wrong", "code": "invalid_api_key", "hint": f"try {CANARY}"}}
    replies: list[Reply] = [Whole(json.dumps(refusal).encode(), 401, leaky), Stream(text("fine"))]
    picture = Media(media_type="image/png", url=f"https://me:{CANARY}@host.example/a.png?sig={CANARY}")
    request = Request(
        messages=(Message(role="user", parts=(Text(text="look"), picture)),),
        output=OutputSchema(name="o", schema_={"type": "object"}),
        extra={"user_token": CANARY},
    )
    with serve(replies) as server:
        live = OpenAIChat("m", base_url=server.base_url, key=CANARY, headers={"x-proxy-key": CANARY})
        backend = recorded(live, tmp_path, mode="record")
        assert isinstance((await told(backend, request))[-1], Failed)
        assert (await complete(backend.stream(request))).text == "fine"
        assert CANARY in str(server.received[0])  # it was there to be leaked
        await backend.aclose()
    assert len(files(tmp_path)) == 2
    for name in files(tmp_path):
        assert CANARY not in name
        written = (tmp_path / name).read_text("utf-8")
        assert CANARY not in written
        assert '"user_token": "#' in written
    replayed = recorded(Scripted([], name=live.name), tmp_path, mode="replay")
    with pytest.raises(BackendError) as caught:
        await complete(replayed.stream(request.model_copy(update={"extra": {"user_token": "other"}})))
    assert CANARY not in str(caught.value)


def test_a_mode_that_is_none_is_refused(tmp_path: Path) -> None:
    mode: Any = "reply"
    with pytest.raises(UsageError, match="mode='reply': must be one of record, replay, auto"):
        recorded(Scripted("x"), tmp_path, mode=mode)
