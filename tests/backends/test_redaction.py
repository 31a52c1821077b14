"""A secret is taken out of what a provider says, however it is spelled, and nothing else is (M9)."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.wire.classify import classify
from graphrt.backends.wire.redaction import HIDDEN, pieces, redact, redacted

KEY = "sk-Kq7Hd/vN3+wZ8=Tm5Yc.Rb2Jx~Lf9Pg&Ws4Ek'Bn6"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda key: key,
    "after its scheme": lambda key: f"authorization: Bearer {key}",
    "in a query": lambda key: f"https://host.example/v1?key={quote(key, safe='')}&alt=sse",
    "in a query, the other way": lambda key: re.sub(
        "%..", lambda found: found[0].lower(), f"https://host.example/v1?key={quote_plus(key)}"
    ),
    "quoted twice": lambda key: quote(quote(key, safe=""), safe=""),
    "in JSON": json.dumps,
    "in JSON in JSON": lambda key: json.dumps(json.dumps({"key": key})),
    "in JSON of PHP's": lambda key: json.dumps(key).replace("/", "\\/"),
    "in JSON of .NET's": lambda key: json.dumps(key).replace("+", "\\u002B").replace("'", "\\u0027"),
    "in HTML": html.escape,
    "in HTML, by number": lambda key: key.replace("&", "&#38;").replace("'", "&#x27;"),
    "in base64": lambda key: b64encode(key.encode()).decode(),
    "in base64 for addresses": lambda key: urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "in base64 in an address": lambda key: quote(b64encode(key.encode()).decode(), safe=""),
    "as a user": lambda key: "Basic " + b64encode(f"{key}:".encode()).decode(),
    "as a password": lambda key: "Basic " + b64encode(f":{key}".encode()).decode(),
    "as somebody's password": lambda key: "Basic " + b64encode(f"me:{key}".encode()).decode(),
    "cut off": lambda key: key[:20],
    "cut off, and told": lambda key: f"{key[:9]}...",
    "masked": lambda key: f"{key[:7]}{'*' * 12}{key[-4:]}",
    "masked at its end": lambda key: f"{key[:5]}•••••",
    "masked at its beginning": lambda key: f"****{key[-4:]}",
    "in short": lambda key: f"{key[:6]}…{key[-4:]}",
}


def left_of(key: str, text: str) -> set[str]:
    """What of a key is still in a text, in letters or in base64."""
    data = key.encode()
    coded = {b64encode(data[at:]).decode() for at in range(3)}
    windows = {known[at : at + 8] for known in (key, *coded) for at in range(len(known) - 8)}
    return {window for window in {*windows, key[:5], key[-4:]} if window in text}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_a_secret_is_found_in_every_spelling(spell: Callable[[str], str]) -> None:
    quoted = f"invalid key <{spell(KEY)}>, ask for another"
    assert left_of(KEY, quoted) or "%" in quoted or "\\" in quoted or "&#" in quoted
    said = redact(quoted, [KEY])
    assert HIDDEN in said
    assert not left_of(KEY, said)
    assert said.startswith("invalid key <")
    assert said.endswith(">, ask for another")


@given(
    key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=80),
    spell=st.sampled_from([SPELLINGS[name] for name in SPELLINGS if not name.startswith(("cut", "mask", "in short"))]),
    around=st.text(st.sampled_from("ab =+/"), max_size=5),
)
def test_any_key_is_found_in_every_whole_spelling(key: str, spell: Callable[[str], str], around: str) -> None:
    said = redact(f"{around}{spell(key)}{around}", [key])
    assert HIDDEN in said
    assert key not in said
    assert b64encode(key.encode()).decode()[:16] not in said


def test_what_is_no_secret_stays() -> None:
    words = "HTTP 401: wait 10 s, then read https://docs.example/errors... or ask ****"
    assert redact(words, [KEY, "", "1", "s"]) == words


def test_numbers_and_structure_are_not_touched() -> None:
    """A header's short value must not make nonsense of a provider's answer."""
    body = b'{"error": {"message": "slow down 1", "code": "rate_limit_exceeded", "n": 1}}'
    error = classify(429, {"retry-after": "17"}, body, secrets=["1", "true"])
    assert (error.provider_message, error.retry_after, error.category) == ("slow down 1", 17.0, "rate_limit")
    assert error.body == json.loads(body)


def test_plain_data_is_searched_in_its_texts_and_its_names() -> None:
    said = redacted({KEY: [{"a": KEY, "b": 1, "c": None}], "d": True}, [KEY])
    assert said == {HIDDEN: [{"a": HIDDEN, "b": 1, "c": None}], "d": True}


def test_data_that_is_deeper_than_anybody_reads_is_hidden() -> None:
    deep: object = KEY
    for _ in range(5000):
        deep = [deep]
    assert KEY not in repr(redacted(deep, [KEY]))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("x-1", {"x-1"}),
        ("Bearer abcdefgh1", {"Bearer abcdefgh1", "abcdefgh1"}),
        ("Basic " + b64encode(b"me:hunter2").decode(), {"hunter2", b64encode(b"me:hunter2").decode()}),
        ("AWS4-HMAC-SHA256 Credential=AKIDAKID, Signature=0123456789", {"AKIDAKID", "0123456789"}),
        ("Basic no-base64!", {"Basic no-base64!"}),
    ],
)
def test_a_header_is_secret_as_a_whole_and_in_its_pieces(value: str, found: set[str]) -> None:
    assert set(pieces(value)) >= found


@pytest.mark.parametrize("piece", ["sk-...", f"{KEY[:3]}***", KEY[:12], "....", "%", "\\\\"])
def test_no_answer_keeps_it_busy(piece: str) -> None:
    """Whatever a provider says, in as many bytes as are read of a refusal: searching again from every place in them
    would outlast the patience of any test."""
    said = redact(piece * (256 * 1024 // len(piece)), [KEY, "x" * 2000])
    assert KEY[:5] not in said
