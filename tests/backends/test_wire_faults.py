"""What breaks between us and a model, on a real socket and in every dialect: L1 to L22 of the faults.

What another test shows already is named in `WIRE_FAULTS.md`, beside the tests of this file.
"""

import ast
import json
import random
import re
import socket
import time
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from graphrt import Retry, Runtime, dag, node
from graphrt.backends.errors import (
    AuthFailed,
    BackendError,
    BadRequest,
    ConnectionFailed,
    ContentFiltered,
    ContextLengthExceeded,
    InvalidOutput,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    StreamTruncated,
    TimedOut,
)
from graphrt.backends.events import Answer, Fold, complete
from graphrt.backends.messages import Request, conversation
from graphrt.backends.policies import Limiter, breaker, limited
from graphrt.config import Config
from graphrt.errors import RunFailed
from graphrt.node import Node
from graphrt.nodes import generated, llm
from graphrt.testing import JumpingClock
from tests.backends.provider import SPEECHES, Gate, Provider, Reply, Speech, open_at, provide

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ASK = Request(messages=conversation("hello"))
every_dialect = pytest.mark.parametrize("speech", SPEECHES.values(), ids=SPEECHES)


async def ask_at(there: Provider, speech: Speech, **options: Any) -> Answer:
    backend = open_at(speech.api, there.base_url, **options)
    try:
        return await complete(backend.stream(ASK))
    finally:
        await backend.aclose()


async def ask(speech: Speech, reply: Reply, **options: Any) -> Answer:
    with provide(reply) as there:
        return await ask_at(there, speech, **options)


async def failed(speech: Speech, reply: Reply, **options: Any) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await ask(speech, reply, **options)
    return caught.value


def partial(error: BackendError) -> str:
    return error.partial.text if error.partial else ""


def asking(retry: Retry) -> Node[[], str]:
    @llm("Hi.", model="fast", retry=retry)
    def hello() -> str:
        return generated()

    return hello


async def run(speech: Speech, provider: Provider, retry: Retry) -> str:
    """A run of one question, with the only retry loop there is."""
    backend = open_at(speech.api, provider.base_url)
    try:
        async with Runtime(models={"fast": backend}, config=Config()) as rt:
            return await rt.run(asking(retry))
    finally:
        await backend.aclose()


EAGER = Retry(attempts=6, base=0)


# L1


@every_dialect
async def test_l1_a_429_says_when_to_come_back_in_every_form_that_a_header_has(speech: Speech) -> None:
    """L1, M5: seconds, milliseconds, a date, an hour, and nothing."""
    date = formatdate(time.time() + 30, usegmt=True)
    forms: list[tuple[dict[str, str], float, float]] = [
        ({"retry_after": "2"}, 2, 2),
        ({"retry_after": "0.5"}, 0.5, 0.5),
        ({"retry_after_ms": "1500"}, 1.5, 1.5),
        ({"retry_after": date}, 25, 31),
        ({"retry_after": "3600"}, 3600, 3600),
    ]
    with provide([speech.refused(429, "slow down", **headers) for headers, _, _ in [*forms, ({}, 0, 0)]]) as provider:
        for _, low, high in forms:
            with pytest.raises(RateLimited) as caught:
                await ask_at(provider, speech)
            assert caught.value.retry_after is not None
            assert low <= caught.value.retry_after <= high
            assert caught.value.retryable
        with pytest.raises(RateLimited) as caught:
            await ask_at(provider, speech)
        assert caught.value.retry_after is None


async def test_l1_a_429_of_googles_says_when_to_come_back_in_its_body() -> None:
    """L1, M5."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}
    body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow down", "details": [info]}}
    error = await failed(SPEECHES["generate_content"], Reply([json.dumps(body).encode()], 429))
    assert (type(error), error.retry_after) == (RateLimited, 34.4)


async def test_l1_where_the_pause_is_longer_than_anybody_waits_the_step_fails_at_once() -> None:
    """L1, E6: nobody asks twice, and nobody sleeps an hour."""
    speech = SPEECHES["chat_completions"]
    with provide(speech.refused(429, "slow down", retry_after="3600")) as provider:
        with pytest.raises(RunFailed) as caught:
            await run(speech, provider, EAGER)
        assert isinstance(caught.value.__cause__, RateLimited)
        assert len(provider.asked) == 1


@every_dialect
async def test_l1_a_429_for_one_model_holds_back_the_other_of_the_same_key(speech: Speech) -> None:
    """L1, M8: for as long as the provider asked, and then nobody is refused."""
    clock = JumpingClock()
    replies = [speech.refused(429, "slow down", retry_after="7"), *[speech.reply(speech.text("ok"))] * 2]
    with provide(replies) as provider:
        key = Limiter(clock=clock)
        big, small = (limited(open_at(speech.api, provider.base_url), key) for _ in range(2))
        with pytest.raises(RateLimited):
            await complete(big.stream(ASK))
        begun = clock.time
        for each in (small, big):
            assert (await complete(each.stream(ASK))).text == "ok"
            assert clock.time - begun == pytest.approx(7)
            await each.aclose()
        assert len(provider.asked) == 3
        assert key.statistics().refused == 1


# L2


async def test_l2_a_429_for_want_of_money_is_asked_once() -> None:
    """L2, M5: waiting helps nobody."""
    speech = SPEECHES["chat_completions"]
    body = {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}
    with provide(Reply([json.dumps(body).encode()], 429, {"retry-after": "1"})) as provider:
        with pytest.raises(RunFailed) as caught:
            await run(speech, provider, EAGER)
        assert isinstance(caught.value.__cause__, QuotaExceeded)
        assert len(provider.asked) == 1


# L3


@every_dialect
async def test_l3_a_burst_of_failures_is_outlasted_by_the_one_retry_loop(speech: Speech) -> None:
    """L3, E6: 500, 502, 503, 504 and 529 in a row, and then an answer; six questions for six replies."""
    burst = [speech.refused(status, "broken") for status in (500, 502, 503, 504, 529)]
    with provide([*burst, speech.reply(speech.text("at", " last"))]) as provider:
        assert await run(speech, provider, EAGER) == "at last"
        assert len(provider.asked) == 6


@every_dialect
async def test_l3_nothing_below_the_retry_loop_tries_again(speech: Speech) -> None:
    """L3: one question for one attempt."""
    for status, kind in ((500, ServerError), (502, ServerError), (503, Overloaded), (504, TimedOut), (529, Overloaded)):
        with provide(speech.refused(status, "broken")) as provider:
            with pytest.raises(kind) as caught:
                await ask_at(provider, speech)
            assert (caught.value.retryable, caught.value.status) == (True, status)
            assert len(provider.asked) == 1


@every_dialect
async def test_l3_a_breaker_opens_after_its_failures_and_lets_one_probe_through(speech: Speech) -> None:
    """L3, M8: while it is open nobody is asked, and while it is probed nobody else is."""
    clock, gate = JumpingClock(), Gate()
    probed = speech.reply([speech.begin, gate, speech.word("ok"), speech.end])
    replies = [*[speech.refused(503, "broken")] * 3, probed, speech.reply(speech.text("ok"))]
    with provide(replies) as provider:
        backend = breaker(open_at(speech.api, provider.base_url), failures=3, rest=30.0, clock=clock)
        for _ in range(3):
            with pytest.raises(BackendError):
                await complete(backend.stream(ASK))
        with pytest.raises(Overloaded, match="after 3 failures") as caught:
            await complete(backend.stream(ASK))
        assert (caught.value.retry_after, len(provider.asked)) == (30.0, 3)
        clock.time += 30
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(complete, backend.stream(ASK))
            assert await anyio.to_thread.run_sync(provider.wait_for, lambda seen: seen.held == {3})
            with pytest.raises(Overloaded, match="a probe is under way"):
                await complete(backend.stream(ASK))
            gate.open()
        assert (await complete(backend.stream(ASK))).text == "ok"
        assert len(provider.asked) == 5
        await backend.aclose()
    gate.close()


# L4


@every_dialect
async def test_l4_where_nobody_listens_the_connection_failed_and_may_be_tried_again(speech: Speech) -> None:
    """L4: nothing was sent, so nothing can happen twice."""
    with provide(Reply([])) as provider:
        pass
    with pytest.raises(ConnectionFailed) as caught:
        await ask_at(provider, speech)
    assert (caught.value.retryable, caught.value.partial, caught.value.usage) == (True, None, None)


async def test_l4_a_name_that_nobody_knows_is_a_failed_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """L4: DNS."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    backend = open_at("chat_completions", "http://nobody.invalid/v1")
    with pytest.raises(ConnectionFailed) as caught:
        await complete(backend.stream(ASK))
    await backend.aclose()
    assert caught.value.retryable


async def test_l4_a_server_without_tls_where_some_was_asked_for_is_a_failed_connection() -> None:
    """L4: TLS."""
    with provide(Reply([])) as provider:
        backend = open_at("chat_completions", provider.base_url.replace("http:", "https:"))
        with pytest.raises(ConnectionFailed) as caught:
            await complete(backend.stream(ASK))
        await backend.aclose()
        assert provider.asked == []
    assert caught.value.retryable


# L5, L6


@every_dialect
async def test_l5_silence_before_the_headers_is_a_timeout_of_unknown_cost(speech: Speech) -> None:
    """L5: may be tried again, and what it cost is unknown and not nothing (M4)."""
    with provide(Reply([], mute=True)) as provider:
        with pytest.raises(TimedOut) as caught:
            await ask_at(provider, speech, idle=0.1)
        assert await anyio.to_thread.run_sync(provider.wait_for, lambda seen: seen.hung_up == [0])
    assert (caught.value.retryable, caught.value.partial, caught.value.usage) == (True, None, None)


@every_dialect
@pytest.mark.parametrize("words", [0, 2], ids=["before the first word", "between words"])
async def test_l6_silence_within_a_stream_is_a_timeout_that_hangs_up(speech: Speech, words: int) -> None:
    """L6, M3: what was said is kept, and the provider sees that nobody listens any more."""
    pieces = [speech.begin, *[speech.word("so ")] * words]
    with provide(speech.reply(pieces, end="stall")) as provider:
        with pytest.raises(TimedOut) as caught:
            await ask_at(provider, speech, idle=0.2)
        assert await anyio.to_thread.run_sync(provider.wait_for, lambda seen: seen.hung_up == [0])
    assert partial(caught.value) == "so " * words
    assert caught.value.retryable


# L7, L8: see also test_cut_anywhere.py


@every_dialect
async def test_l7_a_connection_reset_within_a_stream_truncates_the_answer(speech: Speech) -> None:
    """L7, M3: the partial text is the error's, and half a call is nobody's to execute."""
    pieces = [speech.begin, speech.word("so "), *([speech.call] if speech.call else [])]
    gate = Gate()
    with provide(speech.reply([*pieces, gate], end="reset")) as provider:
        backend = open_at(speech.api, provider.base_url)
        state = Fold()
        async for event in backend.stream(ASK):
            state.add(event)
            gate.open()  # a reset throws away what had not been read: once something is there
        await backend.aclose()
    gate.close()
    with pytest.raises(StreamTruncated) as caught:
        state.answer()
    assert partial(caught.value) == "so "
    assert caught.value.retryable
    assert caught.value.partial is not None
    assert not any(call.complete for call in caught.value.partial.tool_calls)


@every_dialect
@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_l8_a_stream_that_ends_in_order_without_its_terminal_signal_is_truncated(
    speech: Speech, framing: Any
) -> None:
    """L8, M3: with words, with half a call, and with nothing at all."""
    for pieces in ([], [speech.begin], [speech.begin, speech.word("so ")], [speech.begin, speech.call or b""]):
        error = await failed(speech, speech.reply(pieces, framing=framing))
        assert isinstance(error, StreamTruncated)
        assert error.retryable
        assert partial(error) == ("so " if len(pieces) == 2 and pieces[1] == speech.word("so ") else "")
        assert not any(call.complete for call in (error.partial.tool_calls if error.partial else ()))


# L9


@every_dialect
async def test_l9_an_error_inside_a_stream_is_typed_and_keeps_what_was_said(speech: Speech) -> None:
    """L9, M5: first, and after some words."""
    for words in ([], [speech.word("so ")]):
        error = await failed(speech, speech.reply([speech.begin, *words, speech.error("it broke")]))
        assert isinstance(error, ServerError)
        assert error.provider_message == "it broke"
        assert error.retryable
        assert partial(error) == "so " * len(words)


# L10


@every_dialect
async def test_l10_frames_glued_split_and_halved_within_a_letter_say_the_same(speech: Speech) -> None:
    """L10: one segment for all of it, and one for each byte, within letters of three bytes too."""
    words = ["Grüße ", "日本 ", "\U0001f600"]
    whole = b"".join(speech.text(*words))
    if speech.api != "converse":  # whose frames have a checksum
        whole = whole.replace(b"\\u65e5", "日".encode())
        assert "日".encode() in whole
    ways: list[Sequence[bytes]] = [[whole], [whole[at : at + 1] for at in range(len(whole))]]
    for pieces in ways:
        assert (await ask(speech, speech.reply(pieces))).text == "".join(words)


@pytest.mark.parametrize("speech", [it for it in SPEECHES.values() if it.api != "converse"], ids=lambda it: it.api)
async def test_l10_a_byte_order_mark_and_other_line_ends_say_the_same(speech: Speech) -> None:
    """L10."""
    whole = b"".join(speech.text("so", " be it"))
    for other in (b"\xef\xbb\xbf" + whole, whole.replace(b"\n", b"\r\n")):
        assert (await ask(speech, speech.reply([other]))).text == "so be it"


@every_dialect
async def test_l10_a_line_of_ten_megabytes_is_one_word(speech: Speech) -> None:
    """L10: it is long, and it is well."""
    word = "x" * (10 << 20)
    answer = await ask(speech, speech.reply(speech.text(word)))
    assert answer.text == word


@every_dialect
async def test_l10_rubbish_ends_in_one_error_of_ours(speech: Speech) -> None:
    """L10, M3: random bytes alone, and after a beginning that was well."""
    dice = random.Random(speech.api)
    for _ in range(5):
        rubbish = dice.randbytes(2000)
        for pieces in ([rubbish], [speech.begin, speech.word("so "), rubbish, speech.word("what")]):
            error = await failed(speech, speech.reply(pieces))
            assert isinstance(error, (ServerError, StreamTruncated))
            assert error.retryable


# L11


@every_dialect
async def test_l11_a_page_where_an_answer_was_expected_is_an_error_that_shows_its_words(speech: Speech) -> None:
    """L11, M5: whatever it calls itself."""
    page = b"<html><head><title>Bad gateway</title></head><body>nginx</body></html>"
    for kind in ("text/html", speech.content_type, "application/json"):
        error = await failed(speech, Reply([page], headers={"content-type": kind}))
        assert isinstance(error, ServerError)
        assert "Bad gateway" in str(error)
        assert error.retryable


@every_dialect
async def test_l11_an_answer_of_nothing_is_truncated(speech: Speech) -> None:
    """L11, M3."""
    for body in ([], [b"\n\n"]):
        error = await failed(speech, speech.reply(body))
        assert isinstance(error, StreamTruncated)
        assert error.retryable


@every_dialect
async def test_l11_a_wrong_content_type_hides_no_answer(speech: Speech) -> None:
    """L11: the first bytes tell more than the header."""
    for kind in ("text/plain", "application/octet-stream", "application/json"):
        answer = await ask(speech, Reply(speech.text("so"), headers={"content-type": kind}))
        assert answer.text == "so"


# L12


@pytest.mark.parametrize("speech", [it for it in SPEECHES.values() if it.call], ids=lambda it: it.api)
async def test_l12_a_call_that_the_token_limit_cut_is_incomplete(speech: Speech) -> None:
    """L12, M3: the answer is whole, and its call must not be executed, even where the provider says that it ended."""
    assert speech.call is not None
    for end in (b"", speech.end_of_call):
        answer = await ask(speech, speech.reply([speech.begin, speech.call, end, speech.end_of_tokens]))
        assert answer.finish == "length"
        (call,) = answer.tool_calls
        assert (call.name, call.arguments, call.complete) == ("rm", '{"path": "/tmp', False)


# L14, L15, L16, L17


async def test_l14_a_filtered_request_is_asked_once() -> None:
    """L14, M5."""
    speech = SPEECHES["chat_completions"]
    body = {"error": {"message": "filtered", "code": "content_filter"}}
    with provide(Reply([json.dumps(body).encode()], 400)) as provider:
        with pytest.raises(RunFailed) as caught:
            await run(speech, provider, EAGER)
        assert isinstance(caught.value.__cause__, ContentFiltered)
        assert len(provider.asked) == 1


@every_dialect
async def test_l15_a_prompt_that_is_too_long_is_told_apart_and_asked_once(speech: Speech) -> None:
    """L15, M5: waiting does not make it shorter."""
    with provide(speech.refused(400, "This model's maximum context length is 4096 tokens.")) as provider:
        with pytest.raises(RunFailed) as caught:
            await run(speech, provider, EAGER)
        assert isinstance(caught.value.__cause__, ContextLengthExceeded)
        assert len(provider.asked) == 1


@every_dialect
async def test_l16_what_is_wrong_with_a_request_is_said_in_the_providers_words_and_not_asked_again(
    speech: Speech,
) -> None:
    """L16, M5."""
    wrong: list[tuple[int, type[BackendError]]] = [
        (400, BadRequest),
        (401, AuthFailed),
        (403, AuthFailed),
        (404, NotFound),
        (422, BadRequest),
    ]
    for status, kind in wrong:
        error = await failed(speech, speech.refused(status, "`top_k` is not there"))
        assert type(error) is kind
        assert (error.retryable, error.status, error.provider_message) == (False, status, "`top_k` is not there")


@pytest.mark.parametrize("streamed", [False, True], ids=["refused", "in the stream"])
async def test_l17_a_call_that_the_server_could_not_read_is_invalid_output_with_its_text(streamed: bool) -> None:
    """L17: what the model wrote is kept, to be repaired."""
    speech = SPEECHES["chat_completions"]
    wrote = '<function=add>{"a": 1</function>'
    error = {"message": "Failed to call a function.", "code": "tool_use_failed", "failed_generation": wrote}
    body = json.dumps({"error": error}).encode()
    reply = speech.reply([b"event: error\ndata: " + body + b"\n\n"]) if streamed else Reply([body], 400)
    found = await failed(speech, reply, provider="groq")
    assert isinstance(found, InvalidOutput)
    assert found.retryable
    assert wrote in json.dumps(found.body).replace('\\"', '"')


# L20


async def test_l20_what_a_model_answered_once_is_what_a_resumed_run_knows() -> None:
    """L20, D2: the second answer would be another one, and nobody asks for it."""
    speech = SPEECHES["chat_completions"]
    broken = [True]

    @node
    async def shout(words: str) -> str:
        if broken:
            raise ValueError("not yet")
        return words.upper()

    @dag
    def both() -> Any:
        return shout(asking(Retry())())

    with provide([speech.reply(speech.text("first")), speech.reply(speech.text("second"))]) as provider:
        backend = open_at(speech.api, provider.base_url)
        async with Runtime(models={"fast": backend}, config=Config()) as rt:
            started = await rt.start(both)
            with pytest.raises(RunFailed):
                await started.result()
            broken.clear()
            assert await (await rt.resume(started.id, both)).result() == "FIRST"
        await backend.aclose()
        assert len(provider.asked) == 1


# The table.

CODES = [f"L{number}" for number in range(1, 23)]


def table() -> dict[str, list[str]]:
    """Read the table: code -> the tests that it names."""
    text = (HERE / "WIRE_FAULTS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (L\d+) \|.*\|([^|]*)\|$", text, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a code has two rows"
    return {code: re.findall(r"`([^`]+)`", cell) for code, cell in rows}


def named_in(path: Path) -> list[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    functions = [it for it in body if isinstance(it, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return [it.name for it in functions if it.name.startswith("test_")]


def test_every_fault_of_the_wire_has_a_row_and_every_row_a_test() -> None:
    """L1-L22."""
    found = table()
    assert list(found) == CODES
    assert [code for code, tests in found.items() if not tests] == []


def test_every_test_that_the_table_names_is_there() -> None:
    """A renamed test takes its row along."""
    names = {name for tests in table().values() for name in tests}
    files = {name.partition("::")[0] for name in names}
    there = {f"{file}::{test}" for file in files if (ROOT / file).is_file() for test in named_in(ROOT / file)}
    assert sorted(names - there) == []


def test_every_test_of_this_file_is_in_the_row_of_its_code() -> None:
    """A test named `test_l7_…` is in the row L7."""
    found = table()
    for name in named_in(Path(__file__)):
        if re.match(r"test_l\d+_", name):
            assert f"tests/backends/{Path(__file__).name}::{name}" in found[name.split("_")[1].upper()]
