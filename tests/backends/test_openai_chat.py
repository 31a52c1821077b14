"""The chat backend against a server on a real socket: what it sends, what it survives, what it never shows."""

import json
import logging
import traceback
from typing import Any

import anyio
import anyio.to_thread
import pytest

from graphrt.backends.dialects.openai_chat import OpenAIChat
from graphrt.backends.dialects.profiles import PRESETS
from graphrt.backends.errors import (
    AuthFailed,
    BackendError,
    BadRequest,
    ConnectionFailed,
    ContentFiltered,
    NotFound,
    RateLimited,
    ServerError,
    StreamTruncated,
    TimedOut,
)
from graphrt.backends.events import Answer, Fold, PartDelta, complete
from graphrt.backends.messages import Message, Request, Settings, conversation
from tests.backends.loopback import DONE, Loopback, Reply, Stream, Whole, call, delta, event, serve, text

pytestmark = pytest.mark.anyio
KEY = "sk-very-secret-123456"
ASK = Request(messages=conversation("hello"))


def said_so_far(error: BackendError) -> Message:
    assert error.partial is not None
    return error.partial


async def ask(reply: Reply, request: Request = ASK, **options: Any) -> Answer:
    with serve(reply) as server:
        return await ask_at(server, request, **options)


async def ask_at(server: Loopback, request: Request = ASK, **options: Any) -> Answer:
    backend = OpenAIChat("m", base_url=server.base_url, key=KEY, **options)
    try:
        return await complete(backend.stream(request))
    finally:
        await backend.aclose()


async def test_an_answer_arrives_whole() -> None:
    answer = await ask(Stream(text("Hello", " there", ".")))
    assert (answer.text, answer.finish, answer.raw_finish) == ("Hello there.", "stop", "stop")
    assert (answer.model, answer.response_id) == ("echo-1", "chatcmpl-1")
    assert (answer.usage.input, answer.usage.output, answer.usage.reasoning) == (7, 3, None)


async def test_the_request_carries_the_key_and_asks_for_usage() -> None:
    with serve(Stream(text("ok"))) as server:
        await ask_at(
            server, Request(messages=conversation("hello", instructions="be brief"), settings=Settings(seed=3))
        )
    (got,) = server.received
    assert got.path == "/v1/chat/completions"
    assert got.headers["authorization"] == f"Bearer {KEY}"
    assert got.body["messages"][0] == {"role": "system", "content": "be brief"}
    assert got.body["stream"] is True
    assert got.body["stream_options"] == {"include_usage": True}
    assert got.body["seed"] == 3


@pytest.mark.parametrize("cut", [1, 150, 400])
async def test_a_stream_whose_connection_is_cut_is_truncated_with_what_was_said(cut: int) -> None:
    chunks = text("Hello", " there", ".")
    with pytest.raises(StreamTruncated if cut > 200 else ConnectionFailed) as caught:
        await ask(Stream(chunks, cut_after=cut))
    said = caught.value.partial.text if caught.value.partial else ""
    assert "Hello there.".startswith(said)
    assert said != "Hello there."
    assert caught.value.retryable
    assert caught.value.__cause__ is not None


async def test_a_stream_cut_before_its_finish_reason_is_truncated() -> None:
    with pytest.raises(StreamTruncated) as caught:
        await ask(Stream(text("Hello")[:2]))
    assert said_so_far(caught.value).text == "Hello"


async def test_a_done_without_a_finish_reason_is_truncated() -> None:
    with pytest.raises(StreamTruncated):
        await ask(Stream((*text("Hello")[:2], DONE)))


async def test_a_server_known_to_leave_the_finish_reason_out_is_believed() -> None:
    answer = await ask(Stream((*text("Hello")[:2], DONE)), profile=PRESETS["tgi"].profile)
    assert (answer.text, answer.finish, answer.raw_finish) == ("Hello", "other", None)


async def test_a_finish_reason_without_done_is_an_answer() -> None:
    assert (await ask(Stream(text("Hello")[:3]))).text == "Hello"


async def test_a_connection_lost_after_the_finish_reason_loses_nothing() -> None:
    chunks = text("Hello")
    answer = await ask(Stream(chunks, cut_after=sum(map(len, chunks[:3])) + 5))
    assert (answer.text, answer.finish) == ("Hello", "stop")


async def test_a_tool_call_cut_by_the_token_limit_is_incomplete() -> None:
    answer = await ask(Stream((*call("add", '{"a": 1, "b'), delta({}, "length"), DONE)))
    assert answer.finish == "length"
    assert [made.complete for made in answer.tool_calls] == [False]


async def test_a_tool_call_cut_by_the_connection_is_incomplete() -> None:
    with pytest.raises(StreamTruncated) as caught:
        await ask(Stream(call("add", '{"a": 1, "b": 2}')))
    assert [made.complete for made in said_so_far(caught.value).tool_calls] == [False]


async def test_calls_in_an_answer_that_says_stop_are_tool_calls() -> None:
    answer = await ask(Stream((*call("add", '{"a": 1}'), delta({}, "stop"), DONE)))
    assert (answer.finish, answer.raw_finish) == ("tool_calls", "stop")
    assert answer.tool_calls[0].arguments == '{"a": 1}'


@pytest.mark.parametrize(
    "broken",
    [
        event({"error": {"message": "upstream is gone", "type": "server_error"}}),
        "event: error\n" + event({"error": {"message": "upstream is gone", "code": 500}}),
        "event: error\ndata: upstream is gone\n\n",
        delta({"content": ""}, "error", error={"message": "upstream is gone", "code": 502}),
        event({"object": "error", "message": "upstream is gone", "code": 500}),
    ],
)
async def test_an_error_inside_a_stream_is_an_error_with_what_was_said(broken: str) -> None:
    with pytest.raises(ServerError) as caught:
        await ask(Stream((*text("Hello")[:2], broken)))
    assert caught.value.provider_message == "upstream is gone"
    assert said_so_far(caught.value).text == "Hello"


async def test_a_chunk_that_is_no_json_is_not_skipped() -> None:
    with pytest.raises(ServerError, match="not JSON"):
        await ask(Stream((*text("Hel")[:2], event("{oops"), *text("lo"))))


async def test_a_refusal_by_status_says_when_to_come_back() -> None:
    body = json.dumps({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}).encode()
    with pytest.raises(RateLimited) as caught:
        await ask(Whole(body, 429, {"retry-after": "7"}))
    assert (caught.value.retry_after, caught.value.status, caught.value.retryable) == (7.0, 429, True)


async def test_a_page_where_an_answer_was_expected_is_a_server_error() -> None:
    page = b"<html><head><title>Bad gateway</title></head></html>"
    for reply in (Whole(page), Whole(page, 502), Whole(b"bad gateway", 200, {"content-type": "text/plain"})):
        with pytest.raises(ServerError, match=r"(?i)bad gateway"):
            await ask(reply)


async def test_a_json_answer_is_accepted_where_a_stream_was_asked_for() -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    assert (await ask(Whole(b"\n\n" + json.dumps({"model": "x", "choices": [choice]}).encode()))).text == "ok"


async def test_an_error_body_under_status_200_is_an_error() -> None:
    body = {"error": {"message": "filtered", "code": "content_filter", "status": 400}}
    with pytest.raises(ContentFiltered, match="filtered"):
        await ask(Whole(json.dumps(body).encode()))
    with pytest.raises(StreamTruncated):
        await ask(Whole(b'{"choices": null}'))


async def test_a_redirect_is_not_followed() -> None:
    with pytest.raises(NotFound):
        await ask(Whole(b"", 307, {"location": "http://127.0.0.1:9/elsewhere"}))


async def test_nobody_listening_is_a_failed_connection() -> None:
    with serve(Stream(text("x"))) as server:
        pass
    with pytest.raises(ConnectionFailed) as caught:
        await ask_at(server)
    assert caught.value.__cause__ is not None


async def test_silence_is_a_timeout_with_what_was_said() -> None:
    with pytest.raises(TimedOut) as caught:
        await ask(Stream(text("Hello", "!"), stall_after=2), idle=0.05)
    assert said_so_far(caught.value).text == "Hello"


async def test_silence_after_the_finish_reason_is_the_end() -> None:
    assert (await ask(Stream(text("Hello"), stall_after=3), idle=0.05)).text == "Hello"


async def test_closing_a_stream_hangs_up_and_leaves_the_backend_usable() -> None:
    with serve([Stream(text("Hello", "!"), stall_after=2), Stream(text("again"))]) as server:
        backend = OpenAIChat("m", base_url=server.base_url)
        stream = backend.stream(ASK)
        async for happened in stream:
            if isinstance(happened, PartDelta):
                break
        await stream.aclose()
        assert await anyio.to_thread.run_sync(server.wait_for_hangups)
        assert (await complete(backend.stream(ASK))).text == "again"
        await backend.aclose()


async def test_cancelling_a_stream_hangs_up_and_leaves_the_others_alone() -> None:
    def answer(body: Any) -> Any:
        return (
            Stream(text("slow", "!"), stall_after=2)
            if "slow" in body["messages"][0]["content"]
            else Stream(text("quick"))
        )

    with serve(answer) as server:
        backend = OpenAIChat("m", base_url=server.base_url)
        begun = anyio.Event()

        async def read() -> None:
            stream = backend.stream(Request(messages=conversation("slow")))
            async for happened in stream:
                if isinstance(happened, PartDelta):
                    begun.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await begun.wait()
            assert (await complete(backend.stream(ASK))).text == "quick"
            tasks.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(server.wait_for_hangups)
        await backend.aclose()


async def test_a_key_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    # M9: the server itself quotes the key, in a refusal and in a stream
    caplog.set_level(logging.DEBUG)
    quoted = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}})
    shown = []
    replies: list[Reply] = [
        Whole(quoted.encode(), 401),
        Whole(quoted.encode()),
        Whole(f"<html>{KEY}</html>".encode()),
        Stream((event(quoted),)),
        Stream((event(f"oops {KEY}"),)),
        Stream((f"event: error\ndata: {KEY}\n\n",)),
    ]
    for reply in replies:
        with pytest.raises(BackendError) as caught:
            await ask(reply)
        error = caught.value
        shown += [str(error), repr(error), repr(error.__dict__), "".join(traceback.format_exception(error))]
    with serve(replies) as server:
        server_url = server.base_url
    backend = OpenAIChat("m", base_url=server_url, key=KEY, headers={"x-team": KEY})
    with pytest.raises(ConnectionFailed) as failed:
        await complete(backend.stream(ASK))
    await backend.aclose()
    shown += [
        repr(backend),
        backend.name,
        repr(vars(backend)),
        repr(failed.value),
        repr(failed.value.__cause__),
        caplog.text,
    ]
    assert all(KEY not in words for words in shown)
    assert any("[secret]" in words for words in shown)


@pytest.mark.parametrize("key", ["sk-ключ-secret", "sk-\x00-secret"])
async def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: Any) -> None:
    with pytest.raises(ValueError, match="no header can carry") as caught:
        OpenAIChat("m", base_url="http://127.0.0.1:1", key=key)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ValueError, match="holds a password"):
        OpenAIChat("m", base_url="http://me:hunter2@127.0.0.1:1")


async def test_the_newline_after_a_key_is_no_part_of_it() -> None:
    with serve(Stream(text("ok"))) as server:
        backend = OpenAIChat("m", base_url=server.base_url, key="sk-1\n")
        assert (await complete(backend.stream(ASK))).text == "ok"
        await backend.aclose()
    assert server.received[0].headers["authorization"] == "Bearer sk-1"


async def test_a_request_that_is_no_json_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="no JSON"):
        await ask(Stream(text("x")), ASK.model_copy(update={"extra": {"odd": float("nan")}}))


async def test_half_a_character_in_a_prompt_is_still_sent() -> None:
    assert (await ask(Stream(text("ok")), Request(messages=conversation("half \ud83d")))).text == "ok"


async def test_a_wrong_key_is_an_auth_failure() -> None:
    with pytest.raises(AuthFailed) as caught:
        await ask(Whole(b'{"error": {"message": "Unauthorized"}}', 401))
    assert not caught.value.retryable


def test_one_backend_serves_one_event_loop_after_another() -> None:
    with serve(Stream(text("ok"))) as server:
        backend = OpenAIChat("m", base_url=server.base_url)

        async def once() -> str:
            try:
                return (await complete(backend.stream(ASK))).text
            finally:
                await backend.aclose()  # a socket can't outlive its loop; the backend does

        assert [anyio.run(once, backend=engine) for engine in ("asyncio", "trio", "asyncio")] == ["ok"] * 3


async def test_every_stream_follows_the_grammar() -> None:
    # M3: whatever the server does, exactly one terminal event, and nothing after it
    for reply in (Stream(text("a", "b")), Stream(text("a")[:1]), Whole(b""), Whole(b"{"), Whole(b"", 500), Stream(())):
        with serve(reply) as server:
            backend, state = OpenAIChat("m", base_url=server.base_url), Fold()
            async for happened in backend.stream(ASK):
                state.add(happened)
            assert state.terminal is not None
            await backend.aclose()
