"""The AWS event stream: whatever frames there are and however they are cut, the parser gives them back; whatever
happens to their bytes, it notices."""

import struct
import uuid
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.wire.eventstream import Frame, Malformed, Parser

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
INTEGERS = {2: (">b", 7), 3: (">h", 15), 4: (">i", 31), 5: (">q", 63), 8: (">q", 63)}


def _integer(kind: int) -> st.SearchStrategy[tuple[int, Any]]:
    edge = 1 << INTEGERS[kind][1]
    return st.tuples(st.just(kind), st.integers(-edge, edge - 1))


VALUES = st.one_of(
    st.tuples(st.just(0), st.just(True)),
    st.tuples(st.just(1), st.just(False)),
    *(_integer(kind) for kind in INTEGERS),
    st.tuples(st.just(6), st.binary(max_size=300)),
    st.tuples(st.just(7), TEXT),
    st.tuples(st.just(9), st.uuids()),
)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=6)
FRAMES = st.lists(st.tuples(HEADERS, st.binary(max_size=400)), min_size=1, max_size=6)


def value(kind: int, held: Any) -> bytes:
    if kind in {0, 1}:
        return b""
    if kind in INTEGERS:
        return struct.pack(INTEGERS[kind][0], held)
    if kind == 9:
        return bytes(held.bytes)
    data = held.encode() if isinstance(held, str) else held
    return struct.pack(">H", len(data)) + bytes(data)


def headers_of(headers: dict[str, tuple[int, Any]]) -> bytes:
    return b"".join(
        bytes([len(name.encode())]) + name.encode() + bytes([kind]) + value(kind, held)
        for name, (kind, held) in headers.items()
    )


def frame(head: bytes, payload: bytes) -> bytes:
    start = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    body = start + struct.pack(">I", zlib.crc32(start)) + head + payload
    return body + struct.pack(">I", zlib.crc32(body))


def wire(frames: list[tuple[dict[str, tuple[int, Any]], bytes]]) -> bytes:
    return b"".join(frame(headers_of(headers), payload) for headers, payload in frames)


@given(FRAMES, st.lists(st.integers(0, 2000), max_size=12))
def test_any_frames_come_back_whole_under_any_chunking(frames: Any, places: list[int]) -> None:
    body = wire(frames)
    edges = [0, *sorted(min(place, len(body)) for place in places), len(body)]
    parser = Parser()
    items = [item for a, b in pairwise(edges) for item in parser.feed(body[a:b])]
    assert items == [Frame({name: held for name, (_, held) in headers.items()}, data) for headers, data in frames]
    assert not parser.unfinished


@given(FRAMES)
def test_byte_by_byte_is_the_same_as_at_once(frames: Any) -> None:
    body = wire(frames)
    parser = Parser()
    assert [item for i in range(len(body)) for item in parser.feed(body[i : i + 1])] == Parser().feed(body)


@given(FRAMES, st.data())
def test_a_flipped_bit_anywhere_is_noticed(frames: Any, data: st.DataObject) -> None:
    body = bytearray(wire(frames))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= 1 << data.draw(st.integers(0, 7))
    items = Parser().feed(bytes(body))
    assert isinstance(items[-1], Malformed)
    # what came before the damage is as it was
    whole = Parser().feed(wire(frames))
    assert items[:-1] == whole[: len(items) - 1]


@given(FRAMES, st.data())
def test_a_frame_that_is_cut_off_is_noticed_and_says_nothing(frames: Any, data: st.DataObject) -> None:
    body = wire(frames)
    cut = data.draw(st.integers(0, len(body)))
    parser = Parser()
    items = parser.feed(body[:cut])
    assert items == Parser().feed(body)[: len(items)]
    lengths = [len(wire([each])) for each in frames]
    ends = {sum(lengths[:number]) for number in range(len(lengths) + 1)}
    assert parser.unfinished == (cut not in ends)


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    Parser().feed(data)
    Parser().feed(frame(data[:100], data))


def test_nothing_after_the_damage_is_believed() -> None:
    whole = frame(b"", b"x")
    parser = Parser()
    assert parser.feed(whole[:-1] + bytes([whole[-1] ^ 1]) + whole) == [Malformed("checksum")]
    assert parser.feed(whole) == []
    assert not parser.unfinished


def prelude(total: int, headers: int) -> bytes:
    start = struct.pack(">II", total, headers)
    return start + struct.pack(">I", zlib.crc32(start))


@pytest.mark.parametrize(
    ("total", "headers"), [(15, 0), (16, 1), (1 << 31, 0), ((24 << 20) + 17, 0), ((128 << 10) + 17, (128 << 10) + 1)]
)
def test_a_size_that_no_frame_has_is_refused_before_its_bytes_are_awaited(total: int, headers: int) -> None:
    assert Parser().feed(prelude(total, headers)) == [Malformed("size")]


def test_the_largest_frame_is_taken() -> None:
    payload = bytes(24 << 20)
    assert Parser().feed(frame(b"", payload)) == [Frame({}, payload)]


@pytest.mark.parametrize(
    "head",
    [
        b"\x01",  # a name that is not there
        b"\x01a",  # no type
        b"\x01a\x0a",  # a type that does not exist
        b"\x01a\x07\x00\x05abc",  # a text that is longer than the headers
        b"\x01a\x05\x00\x00",  # half a number
        b"\x01a\x09" + bytes(7),  # half a uuid
        b"\x01a\x00\x01a\x01",  # twice the same name
        b"\x01\xff\x00",  # a name that is no text
    ],
)
def test_headers_that_make_no_sense_are_damage(head: bytes) -> None:
    assert Parser().feed(frame(head, b"{}")) == [Malformed("headers")]


def test_every_type_of_header_is_read() -> None:
    id_ = uuid.UUID(int=7)
    held = {"a": (0, True), "b": (1, False), "c": (2, -1), "d": (5, 1 << 40), "e": (6, b"\xff"), "f": (9, id_)}
    (read,) = Parser().feed(frame(headers_of({**held, "g": (7, "é"), "h": (8, 1_700_000_000_000)}), b""))
    assert isinstance(read, Frame)
    assert read.headers == {
        "a": True,
        "b": False,
        "c": -1,
        "d": 1 << 40,
        "e": b"\xff",
        "f": id_,
        "g": "é",
        "h": 1_700_000_000_000,
    }
    assert (read.header("g"), read.header("a"), read.header("z")) == ("é", "", "")
