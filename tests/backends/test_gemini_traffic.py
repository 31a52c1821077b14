"""Every recorded answer of Google's generateContent means what its recording says, however its bytes are cut."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.gemini import GeminiDialect
from graphrt.backends.errors import ConnectionFailed, InvalidOutput, ServerError, StreamTruncated
from graphrt.backends.events import Failed, Finished, StreamEvent
from graphrt.backends.messages import Media, Message, ServerTool
from graphrt.backends.wire.classify import classify
from tests.backends.replay import (
    cuts,
    exchanges,
    name,
    outcome,
    read,
    reasoning,
    refusal,
    same_calls,
    same_error,
    same_usage,
    succeeded,
    wire,
)

EXCHANGES = exchanges("generate_content")
ANSWERS = [path for path in EXCHANGES if succeeded(path)]
REFUSALS = [path for path in EXCHANGES if not succeeded(path)]

# the recordings know these words as `other`; what they say is that a filter took the answer
FILTERS = {"MODEL_ARMOR", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"}


def heard(exchange: dict[str, Any], chunks: list[bytes]) -> list[StreamEvent]:
    return read(chunks, dialect=GeminiDialect(exchange["provider"]))


def finish(expected: dict[str, Any]) -> str:
    return "content_filter" if expected["finish_raw"] in FILTERS else str(expected["finish"])


def server_tools(message: Message) -> list[str]:
    """In the words of the recordings, which count parts, and of the facts beside them only a search's."""
    found = []
    for part in message.parts:
        if isinstance(part, Media):
            found.append("inlineData" if part.data else "fileData")
        elif isinstance(part, ServerTool) and part.name == "groundingMetadata":
            assert part.opaque is not None
            if any(fact.get("webSearchQueries") for fact in part.opaque.payload["facts"]):
                found.append("google_search")
        elif isinstance(part, ServerTool) and part.name not in {"urlContextMetadata", "citationMetadata"}:
            found.append(part.name)
    return found


def signatures(message: Message) -> int:
    payloads = [part.opaque.payload for part in message.parts if part.opaque]
    return sum(bool(payload.get("part", payload).get("thoughtSignature")) for payload in payloads)


def check(exchange: dict[str, Any], chunks: list[bytes]) -> None:
    expected = exchange["expected"]
    answer, message, error = outcome(heard(exchange, chunks))
    assert message.text == expected["text"]
    assert reasoning(message) == expected["reasoning"]
    assert refusal(message) == (expected["refusal"] or None)
    same_calls(message, expected["tool_calls"])
    usage = answer.usage if answer else error.usage if error else None
    same_usage(usage, expected)
    if expected["error"] is not None:
        assert error is not None
        same_error(error, expected["error"])
    elif expected["finish"] == "error":
        # M3: what the model did wrong is no answer, and its calls are nobody's to execute
        assert isinstance(error, InvalidOutput)
        assert error.code == expected["finish_raw"]
        assert not any(call.complete for call in message.tool_calls)
    elif expected["finish"] == "none":
        assert isinstance(error, StreamTruncated)
        assert not any(call.complete for call in message.tool_calls)
    else:
        assert answer is not None
        assert answer.finish == finish(expected)
        assert answer.raw_finish == str(expected["finish_raw"])
        assert answer.model == expected["model"]
        assert signatures(message) == expected["signatures"]
        assert server_tools(message) == expected["server_tools"]
        assert all(call.complete for call in message.tool_calls)


@pytest.mark.parametrize("path", ANSWERS, ids=name)
def test_a_recorded_answer_is_understood_under_every_chunking(path: Path) -> None:
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"])
    for chunks in cuts(body, path.name):
        check(exchange, chunks)


STREAMS = [path for path in ANSWERS if ".stream" in path.name]


def is_array(body: bytes) -> bool:
    return body.lstrip().startswith(b"[")


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_means_the_same_in_other_clothes(path: Path) -> None:
    # other line ends, a byte order mark, keep-alives, and JSON broken over several data lines; or as the array that
    # comes when no event stream was asked for, as a stream where an array came
    exchange = json.loads(path.read_text("utf-8"))
    body = wire(exchange["response"]).replace(b"\r\n", b"\n")
    if is_array(body):
        lines = [json.dumps(chunk, ensure_ascii=False).encode() for chunk in json.loads(body)]
        body = b"".join(b"data: " + line + b"\n\n" for line in lines)
    chunks = [event.removeprefix(b"data: ") for event in body.split(b"\n\n") if event]
    check(exchange, [body])
    check(exchange, [body.replace(b"\n", b"\r\n")])
    check(exchange, [body.replace(b"\n", b"\r")])
    check(exchange, [b"\xef\xbb\xbf" + body.replace(b"\n\ndata:", b"\n\n: alive\n\nid: 1\ndata:")])
    check(exchange, [body.replace(b'data: {"', b'event: message\ndata: {\ndata: "')])
    check(exchange, [b"[" + b"\n,\r\n".join(chunks) + b"]\n"])
    check(exchange, [b"\xef\xbb\xbf[", *[piece for chunk in chunks for piece in (chunk, b",")][:-1], b"\n]"])


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_recorded_stream_cut_anywhere_is_whole_or_truncated_and_never_in_between(path: Path) -> None:
    # M3: before the finish reason an error with a beginning of the answer, after it the answer
    exchange = json.loads(path.read_text("utf-8"))
    body, expected = wire(exchange["response"]), exchange["expected"]
    dice = random.Random(path.name)
    for cut in sorted(dice.randrange(len(body)) for _ in range(15)):
        answer, message, error = outcome(heard(exchange, [body[:cut]]))
        assert expected["text"].startswith(message.text)
        if answer is not None:
            check(exchange, [body[:cut]])
        else:
            assert error is not None
            assert isinstance(error, StreamTruncated) or expected["finish"] == "error"
            assert not any(call.complete for call in message.tool_calls)


@pytest.mark.parametrize("path", REFUSALS, ids=name)
def test_a_recorded_refusal_keeps_the_providers_words(path: Path) -> None:
    # M5; with and without the array that stands around it when no event stream was asked for
    exchange = json.loads(path.read_text("utf-8"))
    response, expected = exchange["response"], exchange["expected"]["error"]
    headers = {key: str(value) for key, value in response["headers"].items()}
    for body in (wire(response), b"[" + wire(response) + b"]"):
        error = classify(response["status"], headers, body, provider=exchange["provider"])
        same_error(error, expected)
        assert error.status == expected["status"]


# what no recording shows


def stream(*chunks: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)


def parts(*parts: Any, **candidate: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, **candidate}]}


def events_of(*chunks: Any) -> list[StreamEvent]:
    return read([stream(*chunks)], dialect=GeminiDialect())


STOP = parts(finishReason="STOP")


def test_a_thought_and_what_is_signed_are_parts_of_their_own() -> None:
    # M2: the signature stays on the part that carried it, be it empty
    _, message, _ = outcome(
        events_of(
            parts({"text": "hm ", "thought": True}, {"text": "so", "thought": True}),
            parts({"text": "a"}, {"text": "b"}, {"text": "c", "thoughtSignature": "s1"}, {"text": "d"}),
            parts({"text": "", "thoughtSignature": "s2"}, {"thoughtSignature": "s3"}),
            STOP,
        )
    )
    found = [(part.kind, getattr(part, "text", None), part.opaque and part.opaque.payload) for part in message.parts]
    assert found == [
        ("reasoning", "hm so", None),
        ("text", "ab", None),
        ("text", "c", {"thoughtSignature": "s1"}),
        ("text", "d", None),
        ("text", "", {"thoughtSignature": "s2"}),
        ("text", "", {"thoughtSignature": "s3"}),
    ]


def test_a_picture_is_media_and_a_picture_of_a_thought_is_not() -> None:
    png = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
    file = {"fileData": {"fileUri": "gs://a/b", "mimeType": "video/mp4"}}
    sketch = {**png, "thought": True}
    _, message, _ = outcome(events_of(parts(sketch, {**png, "thoughtSignature": "s"}, file), STOP))
    seen, picture, video = message.parts
    assert isinstance(seen, ServerTool)
    assert seen.opaque is not None
    assert seen.opaque.payload == {"part": sketch}
    assert isinstance(picture, Media)
    assert (picture.media_type, picture.data) == ("image/png", "QUJD")
    assert picture.opaque is not None
    assert picture.opaque.payload == {"thoughtSignature": "s"}
    assert isinstance(video, Media)
    assert video.url == "gs://a/b"


def test_facts_beside_the_parts_are_kept_once() -> None:
    # M2
    grounding = {"groundingMetadata": {"webSearchQueries": ["x"]}}
    _, message, _ = outcome(
        events_of(
            parts({"text": "a"}, groundingMetadata={}, citationMetadata={"citationSources": [1]}),
            parts(**grounding),
            parts(finishReason="STOP", **grounding, urlContextMetadata={"urlMetadata": [2]}),
        )
    )
    kept = {part.name: part.opaque.payload for part in message.parts if isinstance(part, ServerTool) and part.opaque}
    assert kept == {
        "groundingMetadata": {"facts": [{"webSearchQueries": ["x"]}]},
        "citationMetadata": {"facts": [{"citationSources": [1]}]},
        "urlContextMetadata": {"facts": [{"urlMetadata": [2]}]},
    }


def piece(path: str, **value: Any) -> dict[str, Any]:
    return {"functionCall": {"partialArgs": [{"jsonPath": path, **value}], "willContinue": True}}


def test_streamed_arguments_are_put_together() -> None:
    answer, message, _ = outcome(
        events_of(
            parts({"functionCall": {"name": "f", "id": "i", "willContinue": True}, "thoughtSignature": "s"}),
            parts(piece("$.a[1].b", stringValue="x"), piece("$.a[1].b", stringValue="y")),
            parts(piece("$['a key'][\"it's\"]", numberValue=2), piece("$.n", nullValue=None)),
            parts(piece("$.t", boolValue=True), {"functionCall": {}}),
            parts({"functionCall": {"name": "f", "willContinue": True}}, piece("$.z", numberValue=1)),
            STOP,
        )
    )
    assert answer is not None
    assert answer.finish == "tool_calls"
    first, second = message.tool_calls
    assert json.loads(first.arguments) == {"a": [None, {"b": "xy"}], "a key": {"it's": 2}, "n": None, "t": True}
    assert (first.call_id, first.synthetic_id, first.complete) == ("i", False, True)
    # its last piece was left out, and the provider said that it had said all
    assert (json.loads(second.arguments), second.synthetic_id, second.complete) == ({"z": 1}, True, True)


def test_arguments_that_were_cut_are_kept_and_never_complete() -> None:
    # M3
    begun = [parts({"functionCall": {"name": "f", "willContinue": True}}, piece("$.a", stringValue="x"))]
    whole = parts({"functionCall": {"name": "g", "args": {"b": 1}}})
    answer, message, _ = outcome(events_of(whole, *begun, parts(finishReason="MAX_TOKENS")))
    assert answer is not None
    assert answer.finish == "length"
    assert [call.complete for call in message.tool_calls] == [True, False]
    _, message, error = outcome(events_of(whole, *begun))
    assert isinstance(error, StreamTruncated)
    assert [call.complete for call in message.tool_calls] == [False, False]
    assert json.loads(message.tool_calls[1].arguments) == {"a": "x"}


def test_two_calls_of_one_id_are_two_calls() -> None:
    call = {"functionCall": {"name": "f", "args": {}, "id": "i"}}
    _, message, _ = outcome(events_of(parts(call, call), STOP))
    assert [call.synthetic_id for call in message.tool_calls] == [False, True]
    assert len({call.call_id for call in message.tool_calls}) == 2
    assert [call.opaque and call.opaque.payload for call in message.tool_calls] == [{"id": "i"}, {"id": "i"}]


@pytest.mark.parametrize("raw", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"])
def test_a_call_that_went_wrong_is_an_error_in_googles_words(raw: str) -> None:
    # M5
    call = parts({"functionCall": {"name": "f", "args": {}}})
    _, message, error = outcome(events_of(call, parts(finishReason=raw, finishMessage="print(f(")))
    assert isinstance(error, InvalidOutput)
    assert error.retryable
    assert (error.code, error.provider_message) == (raw, "print(f(")
    assert [call.complete for call in message.tool_calls] == [False]


def test_numbers_that_come_once_are_kept() -> None:
    # M4
    first = {"promptTokenCount": 5, "cachedContentTokenCount": 2, "toolUsePromptTokenCount": 3}
    last = {"promptTokenCount": 5, "candidatesTokenCount": 4, "thoughtsTokenCount": 7}
    answer, _, _ = outcome(events_of({**parts({"text": "a"}), "usageMetadata": first}, {**STOP, "usageMetadata": last}))
    assert answer is not None
    usage = answer.usage
    assert (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning) == (8, 11, 2, None, 7)
    assert usage.raw == {**first, **last}


def test_of_several_answers_the_first_is_heard() -> None:
    other = {"index": 1, "content": {"parts": [{"text": "no"}]}, "finishReason": "SAFETY"}
    chunk = parts({"text": "yes"}, index=0, finishReason="STOP")
    answer, _, _ = outcome(events_of({"candidates": [other, *chunk["candidates"]]}))
    assert answer is not None
    assert (answer.text, answer.finish) == ("yes", "stop")


def test_a_connection_lost_after_the_finish_reason_loses_nothing() -> None:
    # M3
    for finish, kind in ((STOP, Finished), (parts({"text": "b"}), Failed)):
        reader = GeminiDialect().read(Answering("google", "m"))
        events = reader.feed(stream(parts({"text": "a"}), finish))
        events += reader.broken(ConnectionFailed("reset"))
        assert isinstance(events[-1], kind)
        assert reader.end() == []


@pytest.mark.parametrize("data", ["{", "[" * 100_000])
def test_a_chunk_that_is_no_json_breaks_an_answer_and_leaves_a_finished_one(data: str) -> None:
    frame = f"data: {data}\n\n".encode()
    _, message, error = outcome(read([stream(parts({"text": "a"})), frame], dialect=GeminiDialect()))
    assert isinstance(error, ServerError)
    assert message.text == "a"
    answer, _, _ = outcome(read([stream(parts({"text": "a"}), STOP), frame], dialect=GeminiDialect()))
    assert answer is not None


STRANGE: list[Any] = [None, True, -1, 1e300, "", "x", "\ud83d", [], [[]], [None], {}, {"a": {}}, {"parts": 1}]


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_whatever_shape_arrives_there_is_one_terminal_event(path: Path) -> None:
    # M3: any value of any chunk may be of a shape that nobody expects
    exchange = json.loads(path.read_text("utf-8"))
    text = wire(exchange["response"]).decode()
    lines = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")]
    chunks = json.loads(text) if is_array(text.encode()) else [json.loads(line) for line in lines]
    dice = random.Random(path.name)
    for _ in range(40):
        broken = [twisted(chunk, dice) for chunk in chunks]
        outcome(events_of(*broken))
        outcome(read([json.dumps(broken).encode()], dialect=GeminiDialect()))


def twisted(value: Any, dice: random.Random) -> Any:
    if dice.random() < 0.04:
        return dice.choice(STRANGE)
    if isinstance(value, dict):
        return {key: twisted(item, dice) for key, item in value.items()}
    return [twisted(item, dice) for item in value] if isinstance(value, list) else value
