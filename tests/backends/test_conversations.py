"""A conversation that one provider had goes on with any other: whatever was recorded of one dialect is written as the
next one takes it (M2)."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.dialect import Asked
from graphrt.backends.messages import (
    Media,
    Message,
    Opaque,
    Reasoning,
    Request,
    Settings,
    ToolCall,
    ToolSpec,
    system,
    tool_result,
    user,
)
from tests.backends.provider import open_at
from tests.backends.recordings import body_of, told
from tests.backends.replay import TRAFFIC

SPEAKERS = (
    *("chat_completions", "responses", "messages", "generate_content"),
    *("chat_v2", "converse", "ollama_chat", "tgi_generate"),
)
"""The dialects whose recordings tell how an assistant's turn came about."""

LISTENERS: Mapping[str, tuple[str, str]] = {
    "openai": ("chat_completions", "openai"),
    "mistral": ("chat_completions", "mistral"),
    "deepseek": ("chat_completions", "deepseek"),
    "openai_responses": ("responses", "openai_responses"),
    "anthropic": ("messages", "anthropic"),
    "google": ("generate_content", "google"),
    "cohere": ("chat_v2", "cohere"),
    "bedrock": ("converse", "bedrock"),
    "ollama": ("ollama_chat", "ollama"),
    "tgi": ("tgi_generate", "tgi"),
    "google's older models": ("generate_content", "google"),
    "bedrock's other makers": ("converse", "bedrock"),
    "bedrock's claude": ("converse", "bedrock"),
    "openrouter": ("chat_completions", "openrouter"),
}
"""Who the conversation goes on with: an API and who speaks it."""

MODEL = "next"
"""No model that any recording came from: nothing sealed may go to it, not even at the same provider."""
MODELS = {
    "google's older models": "gemini-2.5-next",
    "bedrock's other makers": "meta.next",
    "bedrock's claude": "anthropic.next",
}
"""Those whose names say that they take less than others, or more."""

PICTURE = Media(media_type="image/png", data="aGk=")

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@cache
def turns(api: str) -> tuple[tuple[str, Message], ...]:
    """Every recorded assistant's turn of an API that ended well."""
    found = []
    for path in sorted(TRAFFIC.glob(f"[a-z]*/{api}.*.json")):
        exchange = json.loads(path.read_text("utf-8"))
        if exchange["response"]["status"] < 300:
            message = _turn(exchange)
            if message is not None:
                found.append((_name(path), message))
    return tuple(found)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _turn(exchange: Mapping[str, Any]) -> Message | None:
    numbers = count()
    backend = open_at(exchange["api"], "http://localhost", provider=exchange["provider"])
    answer = Answering(backend.dialect.provider, "m", call_id=lambda: f"call_{next(numbers)}")
    reader = backend.dialect.read(answer)
    heard = told([*reader.feed(body_of(exchange["response"])), *reader.end()])
    return heard.answer.message if heard.answer else None


def conversations(api: str) -> Iterator[tuple[str, tuple[Message, ...]]]:
    """Conversations of three recorded turns, with a result for every call in them; every other one has a picture, and
    after each turn the prompt is to be kept."""
    recorded = turns(api)
    for at, (named, _) in enumerate(recorded):
        said: list[Message] = [system("Be brief."), user("Hello.")]
        for _, turn in (recorded * 3)[at : at + 3]:
            said.append(turn)
            said += [
                tool_result(call, f"result of {call.name}", media=[PICTURE] * (number % 2))
                for number, call in enumerate(turn.tool_calls, at)
            ]
            said.append(user("Go on.", cache=True))
        yield named, tuple(said)


def sealed(messages: Sequence[Message]) -> set[str]:
    """What only the provider of a turn can read in it: long texts of its payloads that nobody ever said, and its
    thoughts."""
    said = json.dumps([message.model_dump(exclude={"parts": {"__all__": {"opaque"}}}) for message in messages])
    found: set[str] = set()
    for message in messages:
        for part in message.parts:
            if isinstance(part.opaque, Opaque):
                found |= set(leaves(part.opaque.payload))
            if isinstance(part, Reasoning):
                found.add(part.text)
    return {text for text in found if len(text) > 40 and (json.dumps(text)[1:-1] not in said)}


def leaves(value: Any) -> Iterator[str]:
    """Every text in plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)


# What each API refuses a history for.


def chat(body: Mapping[str, Any], *, ids: str = ".+", marks: int = 0) -> None:
    """OpenAI's chat and what copied it: every call answered once, right after it, and nothing else answered."""
    assert json.dumps(body).count("cache_control") <= marks
    waiting: list[str] = []
    for message in body["messages"]:
        assert message["role"] in {"system", "developer", "user", "assistant", "tool"}
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            assert isinstance(message["content"], str) or (marks and message["content"][0]["type"] == "text")
            continue
        assert waiting == []
        calls = message.get("tool_calls", [])
        assert calls or message["content"] is not None or message.get("refusal")
        waiting = [call["id"] for call in calls]
        assert len(set(waiting)) == len(waiting)
        for call in calls:
            assert re.fullmatch(ids, call["id"])
            assert NAME.fullmatch(call["function"]["name"])
            json.loads(call["function"]["arguments"])
    assert waiting == []
    assert body["messages"][-1]["role"] in {"user", "tool"}


def mistral(body: Mapping[str, Any]) -> None:
    """Mistral's: short ids, and the user does not speak right after results."""
    chat(body, ids="[A-Za-z0-9]{9}")
    roles = [message["role"] for message in body["messages"]]
    assert ("tool", "user") not in pairwise(roles)


def responses(body: Mapping[str, Any]) -> None:
    """OpenAI's Responses: calls and their outputs are items that pair, and no thought stands alone."""
    waiting: set[str] = set()
    before: Mapping[str, Any] = {}
    for item in body["input"]:
        match item.get("type", "message"):
            case "function_call":
                assert 1 <= len(item["call_id"]) <= 64
                assert NAME.fullmatch(item["name"])
                assert item["call_id"] not in waiting
                json.loads(item["arguments"])
                waiting.add(item["call_id"])
            case "function_call_output":
                waiting.remove(item["call_id"])
            case "message":
                assert item["role"] in {"user", "assistant", "system", "developer"}
                assert item["role"] != "assistant" or item["content"]
                assert item["role"] != "user" or not waiting
            case kind:
                pytest.fail(f"{kind} is nothing that another provider's conversation can hold")
        before = item
    assert not waiting
    assert before.get("role") == "user" or before["type"] == "function_call_output"


def messages(body: Mapping[str, Any]) -> None:
    """Anthropic's: the two sides take turns, results stand first and answer exactly the calls before them."""
    assert json.dumps(body).count("cache_control") <= 4
    waiting: list[str] = []
    for number, turn in enumerate(body["messages"]):
        assert turn["role"] == ("user", "assistant")[number % 2]
        assert turn["content"]
        kinds = [block["type"] for block in turn["content"]]
        assert set(kinds) <= {"text", "image", "document", "tool_use", "tool_result"}
        results = [block["tool_use_id"] for block in turn["content"] if block["type"] == "tool_result"]
        assert results == waiting
        assert kinds[: len(results)] == ["tool_result"] * len(results)
        calls = [block for block in turn["content"] if block["type"] == "tool_use"]
        waiting = [call["id"] for call in calls]
        assert len(set(waiting)) == len(waiting)
        for call in calls:
            assert turn["role"] == "assistant"
            assert ID.fullmatch(call["id"])
            assert NAME.fullmatch(call["name"])
            assert isinstance(call["input"], dict)
        assert all(block["text"].strip() for block in turn["content"] if block["type"] == "text")
    assert waiting == []
    assert body["messages"][-1]["role"] == "user"


def generate_content(body: Mapping[str, Any]) -> None:
    """Google's: the model does not speak twice, and a turn of calls is followed by one of as many results, by name."""
    waiting: list[str] = []
    before = ""
    for turn in body["contents"]:
        assert turn["role"] in {"user", "model"}
        assert turn["role"] == "user" or before == "user"
        before = turn["role"]
        assert turn["parts"]
        results = [part["functionResponse"]["name"] for part in turn["parts"] if "functionResponse" in part]
        assert results == waiting
        assert not results or len(results) == len(turn["parts"])
        calls = [part["functionCall"] for part in turn["parts"] if "functionCall" in part]
        assert not calls or turn["role"] == "model"
        assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}", call["name"]) for call in calls)
        assert all(isinstance(call["args"], dict) for call in calls)
        assert all(part["text"] for part in turn["parts"] if part.keys() == {"text"})
        waiting = [call["name"] for call in calls]
    assert waiting == []
    assert body["contents"][0]["role"] == body["contents"][-1]["role"] == "user"


def chat_v2(body: Mapping[str, Any]) -> None:
    """Cohere's: as OpenAI's, and a turn that calls has no content."""
    waiting: list[str] = []
    for message in body["messages"]:
        assert message["role"] in {"system", "user", "assistant", "tool"}
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            continue
        assert waiting == []
        calls = message.get("tool_calls", [])
        assert calls or message["content"]
        waiting = [call["id"] for call in calls]
        assert len(set(waiting)) == len(waiting)
        assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    assert waiting == []
    assert body["messages"][-1]["role"] in {"user", "tool"}


def converse(body: Mapping[str, Any], *, marks: int = 0) -> None:
    """Bedrock's: as Anthropic's, and the tools of the history are declared."""
    assert bool(marks) <= json.dumps(body).count("cachePoint") <= marks
    waiting: list[str] = []
    for number, turn in enumerate(body["messages"]):
        assert turn["role"] == ("user", "assistant")[number % 2]
        assert turn["content"]
        results = [block["toolResult"]["toolUseId"] for block in turn["content"] if "toolResult" in block]
        assert results == waiting
        assert all("toolResult" in block for block in turn["content"][: len(results)])
        uses = [block["toolUse"] for block in turn["content"] if "toolUse" in block]
        waiting = [use["toolUseId"] for use in uses]
        assert len(set(waiting)) == len(waiting)
        for use in uses:
            assert turn["role"] == "assistant"
            assert ID.fullmatch(use["toolUseId"])
            assert NAME.fullmatch(use["name"])
            assert isinstance(use["input"], dict)
            assert body["toolConfig"]["tools"]
        assert all(block["text"].strip() for block in turn["content"] if "text" in block)
    assert waiting == []
    assert body["messages"][-1]["role"] == "user"


def ollama(body: Mapping[str, Any]) -> None:
    """Ollama's: results follow their calls in order, by name, and arguments are objects."""
    waiting: list[tuple[str, str]] = []
    for message in body["messages"]:
        assert message["role"] in {"system", "user", "assistant", "tool"}
        if message["role"] == "tool":
            waiting.remove((message["tool_call_id"], message["tool_name"]))
            continue
        assert waiting == []
        calls = message.get("tool_calls", [])
        assert calls or message["content"]
        assert all(isinstance(call["function"]["arguments"], dict) for call in calls)
        waiting = [(call["id"], call["function"]["name"]) for call in calls]
    assert waiting == []
    assert body["messages"][-1]["role"] in {"user", "tool"}


def tgi(body: Mapping[str, Any]) -> None:
    """TGI's own: a prompt, which ends where the assistant goes on."""
    assert body["inputs"].endswith("Assistant:")


VALID: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "openai": lambda body: chat(body, ids=".{1,40}"),
    "mistral": mistral,
    "deepseek": chat,
    "openai_responses": responses,
    "anthropic": messages,
    "google": generate_content,
    "cohere": chat_v2,
    "bedrock": converse,
    "ollama": ollama,
    "tgi": tgi,
    "google's older models": generate_content,
    "bedrock's other makers": converse,
    "bedrock's claude": lambda body: converse(body, marks=4),
    "openrouter": lambda body: chat(body, marks=4),
}


def written(listener: str, said: tuple[Message, ...]) -> Asked:
    """The conversation as the next provider is asked to go on with it."""
    api, provider = LISTENERS[listener]
    names = sorted({call.name for message in said for call in message.tool_calls})
    tools = tuple(ToolSpec(name=name, parameters={"type": "object"}) for name in names if NAME.fullmatch(name))
    dialect = open_at(api, "http://localhost", provider=provider).dialect
    request = Request(messages=said, tools=tools, settings=Settings(cache="5m"))
    return dialect.write(request, MODELS.get(listener, MODEL))


@pytest.mark.usefixtures("shared_data")
def test_there_are_turns_of_every_dialect_and_calls_where_it_has_any() -> None:
    """So that nobody takes an empty list for a proof."""
    counts = {api: len(turns(api)) for api in SPEAKERS}
    assert all(counts.values()), counts
    callers = {api for api in SPEAKERS if any(turn.tool_calls for _, turn in turns(api))}
    assert callers == set(SPEAKERS) - {"tgi_generate"}
    keepers = {api for api in SPEAKERS if any(sealed(said) for _, said in conversations(api))}
    assert keepers >= {"chat_completions", "responses", "messages", "generate_content", "converse"}


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("speaker", SPEAKERS)
def test_what_any_provider_said_is_a_history_that_any_other_takes(speaker: str, listener: str) -> None:
    """M2: roles, pairs of calls and results, ids and names, in every conversation of recorded turns."""
    for named, said in conversations(speaker):
        body = json.loads(json.dumps(written(listener, said).body))
        try:
            VALID[listener](body)
            assert listener != "anthropic" or "cache_control" in json.dumps(body)
        except (AssertionError, KeyError, ValueError) as error:
            raise AssertionError(f"{named} for {listener}: {error}") from error


def called(*ids: str, name: str = "add") -> Message:
    calls = tuple(ToolCall(call_id=id_, name=f"{name}_{id_}", arguments='{"a": 1}') for id_ in ids)
    return Message(role="assistant", parts=calls)


def answered(message: Message, *ids: str) -> list[Message]:
    return [
        tool_result(call, f"result of {call.name}") for id_ in ids for call in message.tool_calls if call.call_id == id_
    ]


FIRST, AGAIN, BOTH = called("a"), called("a", name="mul"), called("a", "b")
LONG, MADE_UP = called("x" * 80, name=""), called("a", name="functions.add ü")
BROKEN: Mapping[str, Sequence[Message]] = {
    "a call without a result": [user("hi"), FIRST, user("go on")],
    "a call at the end": [user("hi"), FIRST],
    "a result without a call": [user("hi"), *answered(FIRST, "a"), user("go on")],
    "a result that comes late": [user("hi"), FIRST, user("wait"), *answered(FIRST, "a"), user("go on")],
    "a result that comes twice": [user("hi"), FIRST, *answered(FIRST, "a", "a"), user("go on")],
    "results in another order": [user("hi"), BOTH, *answered(BOTH, "b", "a"), user("go on")],
    "one result of two": [user("hi"), BOTH, *answered(BOTH, "b"), user("go on")],
    "an id that comes again": [user("hi"), FIRST, *answered(FIRST, "a"), AGAIN, *answered(AGAIN, "a"), user("go on")],
    "an id that comes again without a result": [user("hi"), FIRST, *answered(FIRST, "a"), AGAIN, user("go on")],
    "an id and a name that are too long": [user("hi"), LONG, *answered(LONG, "x" * 80), user("go on")],
    "a name that a model made up": [user("hi"), MADE_UP, *answered(MADE_UP, "a"), user("go on")],
}


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("broken", BROKEN)
def test_a_history_that_a_provider_would_refuse_is_mended(broken: str, listener: str) -> None:
    """M2: calls and results pair, whatever became of them on the way."""
    VALID[listener](json.loads(json.dumps(written(listener, tuple(BROKEN[broken])).body)))


SHOWN = [
    user("hi"),
    BOTH,
    tool_result(BOTH.tool_calls[0], "one", media=[PICTURE, Media(media_type="application/pdf", data="JVBE")]),
    tool_result(BOTH.tool_calls[1], ""),
    user("go on"),
]
"""A result that has something to show, and one that has nothing to say."""


@pytest.mark.parametrize("listener", LISTENERS)
def test_what_a_result_has_to_show_is_a_history_that_any_provider_takes(listener: str) -> None:
    """M2: beside the text where there is a place for it, and else right after the results."""
    body = json.loads(json.dumps(written(listener, tuple(SHOWN)).body))
    VALID[listener](body)
    assert "aGk=" in json.dumps(body)


@pytest.mark.parametrize("listener", ["openai", "openai_responses"])
def test_a_call_keeps_the_name_that_its_tool_is_offered_under(listener: str) -> None:
    """M2: there are servers that take other names than OpenAI does, and a call belongs to its tool."""
    api, provider = LISTENERS[listener]
    request = Request(
        messages=(user("hi"), MADE_UP, *answered(MADE_UP, "a")),
        tools=(ToolSpec(name=MADE_UP.tool_calls[0].name, parameters={"type": "object"}),),
    )
    body = open_at(api, "http://localhost", provider=provider).dialect.write(request, MODEL).body
    assert json.dumps(body).count(json.dumps(MADE_UP.tool_calls[0].name)) == 2


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("speaker", SPEAKERS)
def test_what_only_one_model_can_read_goes_to_no_other(speaker: str, listener: str) -> None:
    """M2: no signature, no sealed thought and no thought in words goes along, not even to the same provider's next
    model; what was said goes along whole."""
    for named, said in conversations(speaker):
        text = json.dumps(written(listener, said).body)
        leaked = [secret for secret in sealed(said) if json.dumps(secret)[1:-1] in text]
        assert leaked == [], named
        for message in said:
            for part in message.parts:
                if part.kind == "text" and message.role == "assistant":
                    assert json.dumps(part.text.strip())[1:-1] in text, named
