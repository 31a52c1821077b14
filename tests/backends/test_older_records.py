"""What older versions recorded is what is recorded now, as long as nobody uses what they had not (D13)."""

import json
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.codec import read_event, write_event
from graphrt.backends.events import Answer, PartEnded, complete
from graphrt.backends.messages import (
    Citation,
    Media,
    Message,
    Opaque,
    Part,
    Refusal,
    Request,
    Settings,
    Text,
    TokenLogprob,
    ToolCall,
    ToolResult,
    ToolSpec,
    system,
    tool_result,
    user,
)
from graphrt.backends.policies.estimate import tokens_in
from graphrt.backends.policies.fingerprint import key_of
from graphrt.backends.policies.recorded import recorded
from graphrt.backends.recorded import RecordedModels, asked, said
from graphrt.backends.scripted import Scripted

pytestmark = pytest.mark.anyio

CALL = ToolCall(call_id="c", name="add", arguments='{"a": 1}', opaque=Opaque(provider="p", payload={"x": 1}))
PICTURE = Media(media_type="image/png", data="aGk=")
REQUEST = Request(
    messages=(
        system("Be brief."),
        user("hi"),
        Message(role="assistant", parts=(Text(text="a", id="1"), CALL)),
        tool_result(CALL, "2"),
        Message(role="user", parts=(PICTURE,)),
    ),
    settings=Settings(seed=1, stop=("x",)),
    tools=(ToolSpec(name="add", parameters={"type": "object"}),),
)
KEY = "dc61486b6df8dd386cd54e8a44c05ff967b4efb4ed011555bfd12c89dfdffa9a"
"""What `key_of` made of it before there were marks, logprobs, citations and results with pictures."""


def test_a_request_has_the_key_that_it_always_had() -> None:
    """So that old cassettes and caches answer."""
    assert key_of(REQUEST, "openai:m") == KEY


def test_a_message_is_the_json_that_it_always_was() -> None:
    """So that a recorded value of a node's is equal to the same value today (D10)."""
    result = ToolResult(call_id="c", name="add", content="2")
    parts: tuple[Part, ...] = (Text(text="a"), Refusal(text="no"), result, PICTURE)
    assert Message(role="user", parts=parts).model_dump(mode="json") == {
        "role": "user",
        "parts": [
            {"kind": "text", "id": "", "text": "a", "opaque": None},
            {"kind": "refusal", "id": "", "text": "no", "opaque": None},
            {
                "kind": "tool_result",
                "id": "",
                "call_id": "c",
                "name": "add",
                "content": "2",
                "is_error": False,
                "opaque": None,
            },
            {"kind": "media", "id": "", "media_type": "image/png", "data": "aGk=", "url": None, "opaque": None},
        ],
    }
    assert not {"logprobs", "cache"} & Settings().model_dump().keys()


def test_a_question_is_noted_as_it_always_was() -> None:
    assert json.dumps(asked(REQUEST)["messages"]) == (
        '[["system", "Be brief."], ["user", "hi"], ["assistant", [{"text": "a"}, {"tool_call": "add", "arguments": '
        '"{\\"a\\": 1}", "call_id": "c"}]], ["tool", [{"tool_result": "add", "content": "2", "call_id": "c"}]], '
        '["user", [{"media": "image/png", "data": "#35a1818d"}]]]'
    )


NEWER: list[dict[str, Any]] = [
    {"settings": Settings(logprobs=0)},
    {"settings": Settings(cache="5m")},
    {"messages": (user("hi", cache=True),)},
    {"messages": (tool_result(CALL, "2", media=[PICTURE]),)},
    {"messages": (Message(role="user", parts=(PICTURE.model_copy(update={"cite": True}),)),)},
]


def test_what_is_used_of_the_new_makes_another_request() -> None:
    plain = Request(messages=(user("hi"),))
    keys = [key_of(plain.model_copy(update=newer), "m") for newer in NEWER]
    assert len({*keys, key_of(plain, "m")}) == len(NEWER) + 1


CITED = Text(
    id="part-1",
    text="Look here.",
    citations=(Citation(url="https://a/?q=1", title="A", start=5, end=9),),
    logprobs=(TokenLogprob(token="Look", logprob=-0.5, bytes=(76,), top=(TokenLogprob(token="So", logprob=-2.0),)),),
)
NO = Refusal(id="part-2", text="No", logprobs=(TokenLogprob(token="No", logprob=-0.25),))
ANSWER = Answer(message=Message(role="assistant", parts=(CITED, NO)), finish="stop")


async def test_what_is_known_of_words_is_in_a_cassette(tmp_path: Path) -> None:
    await complete(recorded(Scripted([ANSWER]), tmp_path, mode="record").stream(REQUEST))
    again = await complete(recorded(Scripted([]), tmp_path, mode="replay").stream(REQUEST))
    assert again.message == ANSWER.message


async def test_what_is_known_of_words_is_in_a_steps_record() -> None:
    """D10: a step that made something of citations makes the same of them in a replay."""
    call = {"role": "fast", "finish": "stop", "usage": {}, "asked": asked(REQUEST), "said": said(ANSWER)}
    found = RecordedModels([json.loads(json.dumps(call))], "", lambda *_: None).answer("fast", REQUEST)
    assert isinstance(found, Answer)
    unnamed = [part.model_copy(update={"id": ""}) for part in ANSWER.message.parts]
    assert list(found.message.parts) == unnamed


def test_a_picture_in_a_result_is_noted_by_its_hash_and_counted() -> None:
    shown = Request(messages=(tool_result(CALL, "2", media=[PICTURE]),))
    assert asked(shown)["messages"] == [
        [
            "tool",
            [
                {
                    "tool_result": "add",
                    "content": "2",
                    "call_id": "c",
                    "media": [{"media": "image/png", "data": "#35a1818d"}],
                }
            ],
        ]
    ]
    assert tokens_in(shown) - tokens_in(Request(messages=(tool_result(CALL, "2"),))) == 1000


def test_the_end_of_a_cited_part_survives_json() -> None:
    event = PartEnded("part-1", CITED)
    assert read_event(json.loads(json.dumps(write_event(event)))) == event
