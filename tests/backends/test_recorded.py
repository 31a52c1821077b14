"""What a model was asked and what it said, on record (D10, M9)."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from graphrt.backends.errors import BadRequest
from graphrt.backends.events import Answer, complete
from graphrt.backends.messages import (
    Media,
    Message,
    Opaque,
    OutputSchema,
    Reasoning,
    Refusal,
    Request,
    ServerTool,
    Settings,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    assistant,
    conversation,
    user,
)
from graphrt.backends.recorded import RecordedModels, asked, said, shortened

pytestmark = pytest.mark.anyio

SECRET = Opaque(provider="p", payload={"signature": "hush"})
SAID = Message(
    role="assistant",
    parts=(
        Reasoning(id="1", text="hm", opaque=SECRET),
        Text(id="2", text="one"),
        Refusal(id="3", text="no"),
        ToolCall(id="4", call_id="c1", name="add", arguments='{"a":1}', opaque=SECRET),
        ToolCall(id="5", call_id="c2", name="add", arguments='{"a', complete=False),
        ServerTool(id="6", name="search"),
        Media(id="7", media_type="image/png", data="aGk="),
    ),
)
RESULT = Message(role="tool", parts=(ToolResult(call_id="c1", name="add", content="2", is_error=True),))


def call(role: str, question: Request, answer: Answer, before: list[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """A call as a step's note keeps it, written and read again."""
    note = {
        "role": role,
        "finish": answer.finish,
        "usage": {"output": 3},
        "asked": shortened(asked(question), before or []),
        "said": said(answer),
    }
    read: dict[str, Any] = from_json(to_json(note))
    return read


async def test_what_was_said_is_said_again_part_by_part() -> None:
    """D10: words, calls, refusals and media; no provider's payload."""
    question = Request(messages=conversation("go"))
    answer = Answer(message=SAID, finish="tool_calls")
    recorded = call("fast", question, answer)
    assert "hush" not in str(recorded)
    differs: list[Any] = []
    models = RecordedModels([recorded], "", lambda *both: differs.append(both))
    found = await complete(models["fast"].stream(question))
    bare = [part.model_copy(update={"opaque": None}) for part in SAID.parts]
    assert [part.model_copy(update={"id": ""}) for part in found.message.parts] == [
        part.model_copy(update={"id": ""}) for part in bare
    ]
    assert (found.finish, found.usage.output, differs) == ("tool_calls", 3, [])


async def test_limits_of_today_do_not_cut_what_was_said() -> None:
    """D10: the difference is told; the answer is whole."""
    recorded = call("fast", Request(messages=conversation("go")), Answer(message=assistant("a b c"), finish="stop"))
    differs: list[Any] = []
    models = RecordedModels([recorded], "", lambda *both: differs.append(both))
    short = Request(messages=conversation("go"), settings=Settings(max_tokens=1, stop=("b",)))
    assert (await complete(models["fast"].stream(short))).text == "a b c"
    [(then, now)] = differs
    assert ("settings" in then, now["settings"]) == (False, {"max_tokens": 1, "stop": ["b"]})


async def test_an_answer_that_is_the_step_s_output_is_kept_once() -> None:
    """D5."""
    recorded = call("fast", Request(messages=conversation("go")), Answer(message=assistant("long"), finish="stop"))
    del recorded["said"]
    models = RecordedModels([recorded], "long", lambda *both: None)
    assert (await complete(models["fast"].stream(Request(messages=conversation("go"))))).text == "long"


async def test_questions_that_come_in_another_order_find_their_own_answers_and_one_too_many_finds_none() -> None:
    """D10: two at once are no difference."""
    questions = [Request(messages=conversation(words)) for words in ("one", "two")]
    calls = [call("fast", each, Answer(message=assistant(each.messages[0].text), finish="stop")) for each in questions]
    differs: list[Any] = []
    models = RecordedModels(calls, "", lambda *both: differs.append(both))
    assert dict(models).keys() == {"fast"}
    for question in reversed(questions):
        assert (await complete(models["fast"].stream(question))).text == question.messages[0].text
    assert differs == []
    with pytest.raises(BadRequest, match="no further answer of the model 'fast'"):
        await complete(models["fast"].stream(questions[0]))
    assert [then for then, _ in differs] == [None]


async def test_a_conversation_that_goes_on_is_recorded_by_what_is_new_in_it() -> None:
    """D5: and compared by all of it."""
    first = Request(messages=conversation("go", instructions="Be kind."))
    second = Request(messages=(*first.messages, SAID, RESULT, user("so?")))
    answer = Answer(message=assistant("a"), finish="stop")
    calls: list[Any] = [call("fast", first, answer)]
    calls.append(call("fast", second, answer, calls))
    calls.append(call("fast", Request(messages=(*second.messages, user("and?"))), answer, calls))
    calls.append(call("fast", first, answer, calls))
    assert [each["asked"]["messages"][0] for each in calls] == [["system", "Be kind."], 2, 5, ["system", "Be kind."]]
    differs: list[Any] = []
    models = RecordedModels(calls, "", lambda *both: differs.append(both))
    await complete(models["fast"].stream(second))
    assert differs == []
    other = Request(messages=(*first.messages, SAID, user("so?")))
    await complete(models["fast"].stream(other))
    assert len(differs) == 1


def test_schemas_tools_and_media_are_kept_by_their_hashes_and_urls_without_what_lets_somebody_in() -> None:
    """M9, D5."""
    media = (
        Media(media_type="image/png", data="aGk=" * 1000),
        Media(media_type="image/png", url="https://me:hush@example.org/a.png?token=hush#x"),
    )
    question = Request(
        messages=(Message(role="user", parts=media),),
        tools=(ToolSpec(name="add", parameters={"type": "object"}),),
        tool_choice="required",
        output=OutputSchema(name="plan", schema_={"type": "object"}),
        extra={"key": "hush"},
    )
    found = asked(question)
    assert "hush" not in str(found)
    assert len(str(found)) < 300
    assert found["messages"][0][1][1] == {"media": "image/png", "url": "https://example.org/a.png"}
    assert found["tools"][0].startswith("add#")
    assert found["output"].startswith("plan#")
    other = question.model_copy(update={"output": OutputSchema(name="plan", schema_={"type": "array"})})
    assert asked(other) != found
