"""The stream's grammar, and what there is of an answer when it breaks off."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from graphrt.backends.errors import RateLimited, StreamProtocolError, StreamTruncated
from graphrt.backends.events import (
    Chose,
    Failed,
    Finished,
    Fold,
    PartDelta,
    PartEnded,
    PartStarted,
    Restarted,
    Started,
    StreamEvent,
    Usage,
    Warned,
    complete,
    fold,
)
from graphrt.backends.messages import OutputSchema, Text

HELLO: list[StreamEvent] = [
    Started("m", "r"),
    Warned("top_k", "no top_k"),
    PartStarted("a", "text"),
    PartDelta("a", "Hel"),
    PartDelta("a", "lo"),
    PartEnded("a", Text(id="a", text="Hello")),
    Finished("stop", "end", Usage(input=1)),
]


def test_a_whole_stream_folds_to_its_answer() -> None:
    answer = fold(HELLO)
    assert (answer.text, answer.finish, answer.raw_finish) == ("Hello", "stop", "end")
    assert (answer.model, answer.response_id, answer.warnings, answer.usage.input) == ("m", "r", ("no top_k",), 1)


def test_a_stream_that_failed_raises_its_own_error() -> None:
    with pytest.raises(RateLimited):
        fold([*HELLO[:4], Failed(RateLimited("slow"))])


@pytest.mark.parametrize(
    "events",
    [
        HELLO[:-1],
        [*HELLO, HELLO[-1]],
        [*HELLO[:3], PartStarted("a", "text")],
        [*HELLO[:6], PartStarted("a", "text")],
        [PartDelta("b", "x")],
        [*HELLO[:6], PartDelta("a", "x")],
        [PartEnded("a", Text(id="a", text=""))],
    ],
)
def test_a_stream_that_breaks_the_grammar_is_refused(events: Any) -> None:
    with pytest.raises(StreamProtocolError):
        fold(events)


def test_what_there_is_of_open_parts_is_kept_in_order_and_open_calls_are_incomplete() -> None:
    state = Fold()
    for kind in ("reasoning", "text", "refusal", "tool_call", "server_tool", "media"):
        state.add(PartStarted(kind, kind, "f" if "tool" in kind else None))
        state.add(PartDelta(kind, f"half a {kind}"))
    parts = state.partial().parts
    assert [part.kind for part in parts] == ["reasoning", "text", "refusal", "tool_call", "server_tool", "text"]
    assert [part.id for part in parts] == ["reasoning", "text", "refusal", "tool_call", "server_tool", "media"]
    (call,) = state.partial().tool_calls
    assert (call.name, call.arguments, call.complete) == ("f", "half a tool_call", False)


@pytest.mark.anyio
async def test_a_stream_is_closed_when_its_answer_is_given_up() -> None:
    closed = False

    async def broken() -> AsyncGenerator[StreamEvent]:
        nonlocal closed
        try:
            for event in [*HELLO, *HELLO]:
                yield event
        finally:
            closed = True

    with pytest.raises(StreamProtocolError):
        await complete(broken())
    assert closed


def test_a_schema_survives_json_under_its_own_name() -> None:
    schema = OutputSchema(name="x", schema_={"type": "object"})
    assert OutputSchema.model_validate_json(schema.model_dump_json()) == schema
    assert schema.model_dump(by_alias=True)["schema"] == {"type": "object"}
    assert OutputSchema.model_validate({"name": "x", "schema": {"type": "object"}}) == schema


def test_what_was_said_before_a_restart_does_not_count() -> None:
    """M8: the choices are kept, and what the attempt before had spent."""
    spent = Usage(input=3, output=1)
    answer = fold(
        [
            Chose("fallback", "one", "first in line"),
            Started("one"),
            Warned("seed", "no seed here"),
            PartStarted("part-1", "text"),
            PartDelta("part-1", "He"),
            Restarted("the stream broke off"),
            Chose("fallback", "two", "the stream broke off", StreamTruncated("cut"), spent),
            Started("two"),
            PartStarted("part-1", "text"),
            PartDelta("part-1", "Hello"),
            PartEnded("part-1", Text(id="part-1", text="Hello")),
            Finished("stop"),
        ]
    )
    assert (answer.text, answer.model, answer.warnings) == ("Hello", "two", ())
    assert [(choice.backend, choice.error, choice.wasted) for choice in answer.choices] == [
        ("one", None, None),
        ("two", "truncated: cut", spent),
    ]
