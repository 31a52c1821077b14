"""What a tool has to show beside its words: in the result where a provider has a place for it, and else right after."""

from typing import Any

import pytest

from graphrt.backends.dialects.dialect import Asked
from graphrt.backends.dialects.history import repaired, shown
from graphrt.backends.errors import UnsupportedSetting
from graphrt.backends.events import Warned
from graphrt.backends.messages import Media, Message, Request, Settings, Text, ToolCall, ToolResult, tool_result, user
from tests.backends.provider import open_at

PICTURE = Media(media_type="image/png", data="aGk=")
PAPER = Media(media_type="application/pdf", data="JVBE", name="plan.pdf")
CALL = ToolCall(call_id="c1", name="shoot", arguments="{}")
TALK = (user("Show me."), Message(role="assistant", parts=(CALL,)))


def write(api: str, *media: Media, content: str = "done", model: str = "m", strict: bool = False) -> Asked:
    request = Request(messages=(*TALK, tool_result(CALL, content, media=media)), settings=Settings(strict=strict))
    return open_at(api, "http://localhost").dialect.write(request, model)


def test_anthropic_has_blocks_in_a_result() -> None:
    (result,) = write("messages", PICTURE, PAPER).body["messages"][-1]["content"]
    assert result["content"] == [
        {"type": "text", "text": "done"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "plan.pdf",
        },
    ]


def test_responses_have_a_list_for_an_output() -> None:
    result = write("responses", PICTURE, PAPER).body["input"][-1]
    assert result["output"] == [
        {"type": "input_text", "text": "done"},
        {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
        {"type": "input_file", "filename": "plan.pdf", "file_data": "data:application/pdf;base64,JVBE"},
    ]


def test_google_has_parts_in_a_response() -> None:
    (part,) = write("generate_content", PICTURE, model="gemini-3-flash").body["contents"][-1]["parts"]
    assert part["functionResponse"]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]
    assert part["functionResponse"]["response"] == {"output": "done"}


def test_bedrock_has_blocks_in_a_result() -> None:
    (block,) = write("converse", PICTURE, PAPER, model="anthropic.claude-x").body["messages"][-1]["content"]
    assert block["toolResult"]["content"] == [
        {"text": "done"},
        {"image": {"format": "png", "source": {"bytes": "aGk="}}},
        {"document": {"format": "pdf", "source": {"bytes": "JVBE"}, "name": "plan pdf"}},
    ]


@pytest.mark.parametrize("api", ["messages", "responses", "converse"])
def test_a_result_of_no_words_is_what_it_shows(api: str) -> None:
    text = str(write(api, PICTURE, content="").body)
    assert "aGk=" in text
    assert "'text': ''" not in text


def test_a_plain_result_stays_plain() -> None:
    assert write("messages").body["messages"][-1]["content"][0]["content"] == "done"
    assert write("responses").body["input"][-1]["output"] == "done"


@pytest.mark.parametrize(
    ("api", "model"),
    [("chat_completions", "m"), ("generate_content", "gemini-2.5-flash"), ("chat_v2", "m"), ("ollama_chat", "m")],
)
def test_where_a_result_is_text_the_user_shows_it_and_a_warning_says_so(api: str, model: str) -> None:
    # M6
    asked = write(api, PICTURE, model=model)
    last: Any = (asked.body.get("messages") or asked.body["contents"])[-1]
    assert last["role"] == "user"
    assert "Result 1, of shoot, also holds:" in str(last)
    assert "aGk=" in str(last)
    assert [warning.setting for warning in asked.warnings] == ["messages"]
    with pytest.raises(UnsupportedSetting, match="image/png in a tool's result"):
        write(api, PICTURE, model=model, strict=True)


def test_each_result_keeps_what_is_its_own_and_all_stand_before_what_is_shown() -> None:
    results = tuple(
        ToolResult(call_id=str(number), name="shoot", content=str(number), media=media)
        for number, media in enumerate(((PICTURE,), (), (PAPER, PICTURE)))
    )
    warnings: list[Warned] = []
    told, after = shown([Message(role="tool", parts=results)], "p", warnings)
    assert [part.model_copy(update={"media": ()}) for part in results] == list(told.parts)
    words = [part.text if isinstance(part, Text) else part for part in after.parts]
    assert words == ["Result 1, of shoot, also holds:", PICTURE, "Result 3, of shoot, also holds:", PAPER, PICTURE]
    assert len(warnings) == 2


def test_what_a_result_without_a_call_shows_is_shown_by_the_user() -> None:
    (told,) = repaired([tool_result(CALL, "done", media=[PICTURE])], [])
    assert (told.role, told.parts) == ("user", (Text(text="Result of shoot: done"), PICTURE))
