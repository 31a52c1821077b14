"""Lines of JSON are read as they come, and what is no such line is called what it is."""

import json
from typing import Any

import pytest

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.ollama_native import OllamaStream
from graphrt.backends.errors import BackendError, ConnectionFailed, ServerError, StreamTruncated
from graphrt.backends.events import StreamEvent
from graphrt.backends.wire.lines import LineReader
from tests.backends.replay import outcome

HELLO = [
    {"model": "x", "message": {"content": "Grüße, "}, "done": False},
    {"model": "x", "message": {"content": "Welt 😊\u2028\u0085."}, "done": False},
    {"model": "x", "message": {"content": ""}, "done": True, "done_reason": "stop"},
]
WORDS = "Grüße, Welt 😊\u2028\u0085."
LINES = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in HELLO).encode()


def reader(**more: Any) -> LineReader:
    stream = OllamaStream(Answering("ollama", "m"), secrets=more.get("secrets", ()))
    return LineReader(stream, provider="ollama", **more)


def read(*chunks: bytes, **more: Any) -> list[StreamEvent]:
    lines = reader(**more)
    return [event for chunk in chunks for event in lines.feed(chunk)] + lines.end()


def error_of(*chunks: bytes, **more: Any) -> BackendError:
    _, _, error = outcome(read(*chunks, **more))
    assert error is not None
    return error


@pytest.mark.parametrize(
    "body",
    [
        LINES,
        LINES.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + LINES,
        b"\n \r\n" + LINES.replace(b"\n", b"\n\n"),
        LINES[:-1],
    ],
    ids=["plain", "crlf", "bom", "blank lines", "no last end"],
)
@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_lines_mean_the_same_however_they_end_and_are_cut(body: bytes, size: int) -> None:
    answer, message, _ = outcome(read(*(body[i : i + size] for i in range(0, len(body), size))))
    assert answer is not None
    assert message.text == WORDS


def test_a_line_is_told_as_soon_as_it_is_whole() -> None:
    lines = reader()
    first, _, _ = LINES.partition(b"\n")
    assert lines.feed(first) == []
    assert lines.feed(b"\n") != []
    assert not lines.closed


def test_a_last_line_without_its_end_counts_only_if_it_is_whole() -> None:
    assert isinstance(error_of(LINES[:-2]), StreamTruncated)
    assert outcome(read(LINES[:-1]))[0] is not None


def test_what_comes_after_the_end_is_not_read() -> None:
    assert outcome(read(LINES + b"rubbish\n"))[0] is not None
    assert outcome(read(LINES, b"more\n", b"rubbish"))[0] is not None


def test_a_body_laid_out_on_several_lines_is_one_answer() -> None:
    whole = {"model": "x", "message": {"content": WORDS}, "done": True, "done_reason": "stop"}
    body = json.dumps(whole, indent=2, ensure_ascii=False).encode()
    assert outcome(read(body[:30], body[30:]))[1].text == WORDS
    assert outcome(read(json.dumps(HELLO, indent=1).encode()))[1].text == WORDS
    assert isinstance(error_of(body[:-3]), StreamTruncated)


@pytest.mark.parametrize(
    "page", [b"<html><title>Bad gateway</title>", b"\n<html><title>Bad gateway</title>\n</html>\n"]
)
def test_a_page_instead_of_lines_is_the_servers_error(page: bytes) -> None:
    error = error_of(page)
    assert isinstance(error, ServerError)
    assert "Bad gateway" in error.provider_message


def test_words_instead_of_lines_are_shown_without_secrets() -> None:
    error = error_of(b"upstream refused ", b"key-123\n" + b"x" * 5000, secrets=("key-123",))
    assert "upstream refused [secret]" in error.provider_message
    assert len(error.provider_message) < 1000


def test_rubbish_between_lines_is_the_servers_error() -> None:
    error = error_of(LINES.replace(b"\n", b"\nkey-123 rubbish\n", 1), secrets=("key-123",))
    assert isinstance(error, ServerError)
    assert "[secret] rubbish" in error.provider_message
    assert error.partial is not None


def test_a_line_that_never_ends_is_refused() -> None:
    error = error_of(b'{"a": "', *[b"x" * 100] * 20, limit=1000)
    assert isinstance(error, ServerError)
    assert "too large" in error.provider_message


def test_nothing_at_all_is_a_truncation() -> None:
    assert isinstance(error_of(), StreamTruncated)
    assert isinstance(error_of(b"\n\n"), StreamTruncated)


def test_a_broken_connection_after_some_words_truncates_the_answer() -> None:
    lines = reader()
    events = lines.feed(LINES.partition(b"\n")[0] + b"\n")
    _, message, error = outcome(events + lines.broken(ConnectionFailed("reset")))
    assert isinstance(error, StreamTruncated)
    assert message.text == "Grüße, "
