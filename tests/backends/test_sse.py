"""The event-stream parser against a public suite, however its bytes are cut."""

import json
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.wire.sse import Event, Item, KeepAlive, Malformed, Parser, Retry

CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "sse" / "cases.jsonl"


def load() -> list[Any]:
    rows = CASES.read_text("utf-8").split("\n") if CASES.exists() else []
    return [json.loads(row) for row in rows if row]


def parse(chunks: Iterable[bytes], max_buffer: int | None = None) -> list[Item]:
    parser = Parser(max_buffer=max_buffer)
    return [item for chunk in chunks for item in parser.feed(chunk)]


def halves(body: bytes) -> Iterable[list[bytes]]:
    # a body of many kilobytes is cut at every place near a line's edge and at some of the others
    edges = {i + d for i, byte in enumerate(body) if byte in b"\r\n:" for d in (0, 1, 2)}
    for cut in sorted(edges | set(range(min(len(body), 400)))):
        yield [body[:cut], body[cut:]]


def check(case: Any, items: list[Item]) -> None:
    events = [item for item in items if isinstance(item, Event)]
    assert [event.data for event in events] == [row["data"] for row in case["events"]]
    assert [event.event for event in events] == [row["event"] for row in case["events"]]
    for event, row in zip(events, case["events"], strict=True):
        # the browsers' tests tell the stream's last id; eventsource-parser tells the id of the event itself
        told = (event.own_id or "") if case["origin"].startswith("eventsource-parser") else event.id
        assert told == row.get("id", told)
    if case.get("retries") is not None:
        assert [item.milliseconds for item in items if isinstance(item, Retry)] == case["retries"]
    if case.get("errors") is not None:
        assert [item.fault for item in items if isinstance(item, Malformed)] == case["errors"]


@pytest.mark.parametrize("case", load(), ids=lambda case: case["name"])
def test_a_case_of_the_suite_gives_its_events_under_every_chunking(case: Any) -> None:
    chunks = [chunk.encode() for chunk in case["chunks"]]
    body, bound = b"".join(chunks), case.get("max_buffer")
    check(case, parse(chunks, bound))
    check(case, parse((bytes([byte]) for byte in body), bound))
    for two in halves(body):
        check(case, parse(two, bound))
    for seed in range(5):
        check(case, parse(random_cuts(body, seed), bound))


def random_cuts(body: bytes, seed: int) -> list[bytes]:
    dice = random.Random(seed)
    cuts = sorted(dice.randrange(len(body) + 1) for _ in range(dice.randrange(1, 12)))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


LINES = st.sampled_from(
    [
        "data: a",
        "data:é✔",
        "data",
        "data:\u2028",
        "event: x",
        "id: 7",
        "id: \0",
        "id",
        "retry: 10",
        "retry: x",
        ": c",
        "what",
        "",
    ]
)
BODIES = st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r", "\r\n"])), max_size=20).map(
    lambda rows: "".join(line + end for line, end in rows).encode()
)


@given(body=st.one_of(BODIES, st.binary(max_size=60)), bom=st.booleans(), data=st.data())
def test_no_chunking_changes_what_is_parsed(body: Any, bom: bool, data: Any) -> None:
    body = b"\xef\xbb\xbf" * bom + body
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    whole, cut = Parser(), Parser()
    assert whole.feed(body) == [item for chunk in chunks for item in cut.feed(chunk)]
    assert whole.unfinished == cut.unfinished


def test_a_comment_is_a_sign_of_life() -> None:
    assert parse([b": keep-", b"alive\r", b"\n\n"]) == [KeepAlive()]


def test_line_separators_of_unicode_are_data() -> None:
    assert parse(["data: a\u2028b\u0085c\x0bd\n\n".encode()]) == [Event("message", "a\u2028b\u0085c\x0bd")]


def test_a_character_split_between_chunks_stays_whole() -> None:
    assert parse([b"data: \xf0\x9f", b"\x98\x80\n\n"]) == [Event("message", "😀")]


def test_bytes_that_are_not_utf8_become_replacement_characters() -> None:
    assert parse([b"data: a\xffb\n\n"]) == [Event("message", "a�b")]


def test_the_event_that_the_end_cut_off_is_seen_but_not_dispatched() -> None:
    parser = Parser()
    assert parser.feed(b"data: whole\n\ndata: one\ndata: tw") == [Event("message", "whole")]
    assert parser.unfinished == "one\ntw"
    assert parser.feed(b"o\n\n") == [Event("message", "one\ntwo")]
    assert parser.unfinished is None


def test_past_its_bound_the_parser_says_so_once_and_dispatches_nothing_more() -> None:
    parser = Parser(max_buffer=8)
    assert parser.feed(b"data: 0123456789") == [Malformed("max-buffer-size-exceeded")]
    assert parser.feed(b"\n\ndata: x\n\n") == []
    assert parser.overflowed


def test_comments_and_unknown_fields_of_any_length_take_no_memory() -> None:
    parser = Parser(max_buffer=16)
    for opening in (b":", b"nonsense"):
        for piece in (opening, *[b"x" * 1000] * 100, b"\n"):
            assert not any(isinstance(item, Malformed) for item in parser.feed(piece))
            assert len(parser._line) < 100
    assert parser.feed(b"data: ok\n\n") == [Event("message", "ok")]


def test_a_stream_fed_byte_by_byte_costs_its_length() -> None:
    def cost(size: int) -> float:
        parser, body = Parser(), b"data: " + b"x" * size + b"\n\n"
        start = time.process_time()
        for index in range(len(body)):
            parser.feed(body[index : index + 1])
        return time.process_time() - start

    # sixteen times the bytes of one line: a parser that looked at its buffer again would cost 256 times as much
    small = min(cost(4_000) for _ in range(3))
    assert min(cost(64_000) for _ in range(2)) < 64 * small


def test_a_pause_that_no_number_can_hold_is_none() -> None:
    assert parse([b"retry: " + b"9" * 5000 + b"\n"]) == [Malformed("invalid-retry", "retry: " + "9" * 73)]
