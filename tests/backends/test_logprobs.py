"""How likely tokens were, at every provider that tells: in recordings, and in the shapes that nobody recorded."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.dialects import logprobs
from graphrt.backends.events import Answer
from graphrt.backends.messages import Refusal, Text, TokenLogprob
from tests.backends.provider import open_at
from tests.backends.recordings import body_of, told
from tests.backends.replay import TRAFFIC, read


def heard(api: str, body: Any, provider: str = "") -> Answer:
    """The answer that these lines, events or this body are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = told(read([data], dialect=open_at(api, "http://localhost", provider=provider).dialect)).answer
    assert answer is not None
    return answer


def weighed(answer: Answer) -> list[tuple[str, float, int]]:
    """The tokens of an answer, and how many alternatives each has."""
    parts = [part for part in answer.message.parts if isinstance(part, (Text, Refusal))]
    return [(token.token, token.logprob, len(token.top)) for part in parts for token in part.logprobs or ()]


RECORDED = {
    "openai/chat_completions.stream.logprobs.d909393a": 7,
    "google_vertex/generate_content.full.logprobs.bb5adaa8": 7,
    "google_vertex/generate_content.full.logprobs.74c9c7ca": 7,
    "lmstudio/responses.stream.reasoning_tool_call.0e8e5076": 13,
}
"""Recordings that were asked for them, and the tokens of their text."""


@pytest.mark.usefixtures("shared_data")
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_tokens_make_up_the_text(name: str) -> None:
    exchange = json.loads((TRAFFIC / f"{name}.json").read_text("utf-8"))
    answer = heard(exchange["api"], body_of(exchange["response"]), exchange["provider"])
    tokens = weighed(answer)
    assert len(tokens) == RECORDED[name]
    assert "".join(token for token, _, _ in tokens) == answer.text
    assert all(logprob < 0.001 for _, logprob, _ in tokens)


@pytest.mark.usefixtures("shared_data")
def test_alternatives_stand_beside_the_token_that_was_chosen() -> None:
    exchange = json.loads((TRAFFIC / "google_vertex/generate_content.full.logprobs.74c9c7ca.json").read_text("utf-8"))
    (part,) = heard("generate_content", exchange["response"]["body"], "google_vertex").message.parts
    assert isinstance(part, Text)
    assert part.logprobs is not None
    assert [token.token for token in part.logprobs[0].top] == ["2", "4", "Four", "$", "**"]
    assert part.logprobs[0].top[0].logprob == part.logprobs[0].logprob


def chunk(delta: Any, **choice: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c", "model": "x", "choices": [{"delta": delta, **choice}]}).encode() + b"\n\n"


def token(text: str, logprob: float = -0.5, **more: Any) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, **more}


END = chunk({}, finish_reason="stop")
TWO = [("Hi", -0.5, 1), ("!", -0.25, 0)]
TOLD: Mapping[str, tuple[str, Any]] = {
    "chat": (
        "chat_completions",
        chunk({"content": "Hi"}, logprobs={"content": [token("Hi", top_logprobs=[token("Ho")])]})
        + chunk({"content": "!"}, logprobs={"content": [token("!", -0.25, bytes=None)]})
        + END,
    ),
    "chat in columns": (
        "chat_completions",
        {
            "choices": [
                {
                    "message": {"content": "Hi!"},
                    "logprobs": {
                        "tokens": ["Hi", "!"],
                        "token_logprobs": [-0.5, -0.25],
                        "top_logprobs": [{"Ho": -2.0}],
                    },
                    "finish_reason": "stop",
                }
            ]
        },
    ),
    "cohere": (
        "chat_v2",
        {
            "message": {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi!"}]},
            "logprobs": [
                {"text": "Hi", "token_ids": [1, 2], "logprobs": [-0.25, -0.25]},
                {"text": "!", "token_ids": [3], "logprobs": [-0.25]},
            ],
            "finish_reason": "COMPLETE",
        },
    ),
    "ollama": (
        "ollama_chat",
        b'{"message": {"content": "Hi"}, "logprobs": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], '
        b'"top_logprobs": [{"token": "Ho", "logprob": -2}]}], "done": false}\n'
        b'{"message": {"content": "!"}, "logprobs": [{"token": "!", "logprob": -0.25}], "done": false}\n'
        b'{"message": {"content": ""}, "done": true, "done_reason": "stop"}\n',
    ),
    "tgi": (
        "tgi_generate",
        b'data: {"token": {"text": "Hi", "logprob": -0.5}, "top_tokens": [{"text": "Ho", "logprob": -2}]}\n\n'
        b'data: {"token": {"text": "!", "logprob": -0.25}, "top_tokens": []}\n\n'
        b'data: {"token": {"text": "</s>", "logprob": -1, "special": true}, "top_tokens": [], '
        b'"generated_text": "Hi!", "details": {"finish_reason": "eos_token"}}\n\n',
    ),
    "tgi, whole": (
        "tgi_generate",
        {
            "generated_text": "Hi!",
            "details": {
                "finish_reason": "eos_token",
                "tokens": [{"text": "Hi", "logprob": -0.5}, {"text": "!", "logprob": -0.25}],
                "top_tokens": [[{"text": "Ho", "logprob": -2}], []],
            },
        },
    ),
}
"""Two tokens as each server tells of them, of which nobody has a recording."""


@pytest.mark.parametrize("name", TOLD)
def test_every_shape_comes_to_the_same(name: str) -> None:
    answer = heard(*TOLD[name])
    assert answer.text == "Hi!"
    # a piece of Cohere's is as likely as its tokens together, and it tells of no others
    assert weighed(answer) == ([("Hi", -0.5, 0), TWO[1]] if name == "cohere" else TWO)


def test_a_token_that_is_half_a_character_has_its_bytes() -> None:
    halves = [token("\ufffd", bytes=[0xF0, 0x9F]), token("\ufffd", bytes=[0x99, 0x82])]
    answer = heard("chat_completions", chunk({"content": "🙂"}, logprobs={"content": halves}) + END)
    (part,) = answer.message.parts
    assert isinstance(part, Text)
    assert b"".join(bytes(each.bytes or ()) for each in part.logprobs or ()).decode() == answer.text


def test_a_refusal_has_its_own_and_a_thought_or_a_call_has_none() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    body = (
        chunk({"reasoning_content": "hm"}, logprobs={"content": [token("hm")]})
        + chunk({"refusal": "No"}, logprobs={"content": None, "refusal": [token("No")]})
        + chunk({"tool_calls": [call]}, logprobs={"content": [token("{}")]})
        + END
    )
    thought, refusal, made = heard("chat_completions", body).message.parts
    assert isinstance(refusal, Refusal)
    assert refusal.logprobs == (TokenLogprob(token="No", logprob=-0.5),)
    assert "logprobs" not in {**thought.model_dump(), **made.model_dump()}


def test_what_nobody_asked_for_is_not_there() -> None:
    """TGI numbers every token of its own accord."""
    body = b'data: {"token": {"text": "Hi", "logprob": -0.5}, "generated_text": "Hi", "details": {}}\n\n'
    (part,) = heard("tgi_generate", body).message.parts
    assert isinstance(part, Text)
    assert part.logprobs is None


def test_a_number_that_json_cannot_hold_is_the_one_that_stands_for_it() -> None:
    (never,) = logprobs.listed([token("x", -math.inf)])
    assert TokenLogprob.model_validate_json(never.model_dump_json()) == TokenLogprob(token="x", logprob=-9999.0)
    assert logprobs.listed([token("x", math.nan), {"token": "x"}, {"logprob": -1.0}]) == []


FIELDS = (
    *("token", "logprob", "bytes", "top_logprobs", "tokens", "token_logprobs", "text", "logprobs"),
    *("chosenCandidates", "topCandidates", "candidates", "logProbability"),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(ANYTHING)
def test_whatever_shape_arrives_nothing_breaks(found: Any) -> None:
    shape = found if isinstance(found, dict) else {}
    for tokens in (
        logprobs.listed(found),
        logprobs.in_columns(shape),
        logprobs.of_gemini(found),
        logprobs.of_cohere(found),
        logprobs.of_tgi(shape, found),
    ):
        assert all(isinstance(each, TokenLogprob) and each.logprob >= -9999.0 for each in tokens)
