"""What answers go back to, at every provider that tells: in recordings, and in the shapes that nobody recorded."""

import base64
import json
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.dialects import citations
from graphrt.backends.dialects.answering import Answering
from graphrt.backends.events import Answer, fold
from graphrt.backends.messages import Citation, Media, Message, Request, Settings, Text
from tests.backends.provider import open_at
from tests.backends.recordings import body_of, told
from tests.backends.replay import TRAFFIC, cuts, read


def heard(api: str, chunks: list[bytes], provider: str = "") -> Answer:
    answer = told(read(chunks, dialect=open_at(api, "http://localhost", provider=provider).dialect)).answer
    assert answer is not None
    return answer


def cited(message: Message) -> list[tuple[str, Citation]]:
    """Every citation, and the words that it is about."""
    parts = [part for part in message.parts if isinstance(part, Text)]
    return [(part.text[each.start : each.end], each) for part in parts for each in part.citations]


# Recordings.

RECORDED: Mapping[str, tuple[int, int]] = {
    "anthropic/messages.full.server_tools.0275aafb": (2, 2),
    "anthropic/messages.stream.server_tools.1d362cdf": (5, 5),
    "azure_openai/responses.full.server_tools.cb3ee5ba": (1, 0),
    "azure_openai/responses.stream.server_tools.33446bd1": (1, 0),
    "azure_openai/responses.stream.server_tools.a35fb682": (2, 0),
    "bedrock/converse.full.multimodal_input.986bfc80": (3, 3),
    "bedrock/converse.full.server_tools_and_client_tool.1341e39a": (3, 0),
    "bedrock/converse.stream.multimodal_input.2613ca22": (1, 1),
    "cohere/chat_v2.full.cached_prompt.41eafd9c": (3, 3),
    "cohere/chat_v2.full.reasoning_cached_prompt.aa1ea847": (3, 3),
    "cohere/chat_v2.full.tool_result_turn.8f54d39b": (1, 1),
    "cohere/chat_v2.full.tool_result_turn.a04680e1": (3, 3),
    "cohere/chat_v2.stream.tool_result_turn.2e7c5c7e": (1, 1),
    "google/generate_content.full.server_tools.32be38e6": (14, 14),
    "google/generate_content.full.server_tools.e353ebc0": (10, 10),
    "google/generate_content.stream.server_tools.31585f3e": (4, 4),
    "google/generate_content.stream.server_tools.6de15867": (9, 9),
    # its recorder made dashes plain, and Google's bytes wrong behind the first of them
    "google_vertex/generate_content.full.server_tools.116db4e1": (11, 7),
    "openai/responses.full.server_tools.68bbcebd": (12, 12),
    "openai/responses.stream.server_tools.0b01d86d": (2, 0),
    "openai/responses.stream.server_tools.609c4b12": (2, 2),
    "openrouter/chat_completions.full.reasoning_text.0f2cd6e9": (1, 1),
    "perplexity/chat_completions.full.text.0cf8d8f0": (7, 0),
    "perplexity/chat_completions.full.text.58b8bf89": (7, 0),
    "perplexity/chat_completions.stream.text.6a7990da": (5, 0),
    "perplexity/chat_completions.stream.text.f35badbe": (8, 0),
    "xai/responses.full.server_tools.09f14a87": (1, 1),
    "xai/responses.stream.server_tools.68e94164": (5, 0),
}
"""Every recording with citations: how many it has, and of how many the place is told."""


def recorded(name: str) -> Any:
    return json.loads((TRAFFIC / f"{name}.json").read_text("utf-8"))


def telling() -> list[str]:
    """The recordings whose answers cite anything."""
    found = []
    for path in sorted(TRAFFIC.glob("[a-z]*/*.json")):
        exchange = json.loads(path.read_text("utf-8"))
        if exchange["response"]["status"] < 300 and exchange["api"] not in {"chat_v1", "invoke_anthropic"}:
            dialect = open_at(exchange["api"], "http://localhost", provider=exchange["provider"]).dialect
            if cited(told(read([body_of(exchange["response"])], dialect=dialect)).message):
                found.append(f"{path.parent.name}/{path.stem}")
    return found


@pytest.mark.usefixtures("shared_data")
def test_every_recording_with_citations_is_known() -> None:
    assert telling() == sorted(RECORDED)


def texts(value: Any) -> Iterator[str]:
    """Every `text` in plain data: what Cohere and Google say that a citation is about is among them."""
    if isinstance(value, dict):
        yield from (item for name, item in value.items() if name == "text" and isinstance(item, str))
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from texts(item)


def wire_texts(response: Mapping[str, Any]) -> set[str]:
    lines = str(response.get("body_text") or "").splitlines()
    events = [json.loads(line[5:]) for line in lines if line.startswith("data: {")]
    return {*texts(response.get("body")), *texts(events)}


@pytest.mark.usefixtures("shared_data")
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_citations_cut_the_words_that_the_provider_says(name: str) -> None:
    """M2: under every chunking, and as characters, whatever the provider counts."""
    exchange = recorded(name)
    for chunks in cuts(body_of(exchange["response"]), name):
        answer = heard(exchange["api"], chunks, exchange["provider"])
        found = cited(answer.message)
        placed = [(words, each) for words, each in found if each.start is not None]
        assert (len(found), len(placed)) == RECORDED[name]
        assert all(each.url or each.source for _, each in found)
        for words, each in placed:
            match exchange["api"]:
                case "chat_completions" | "responses":  # the place is that of the link
                    assert f"]({each.url})" in words
                case "generate_content" | "chat_v2":
                    assert words in wire_texts(exchange["response"])
                case _:  # a part goes back to its source as a whole
                    assert words
                    assert words in {part.text for part in answer.message.parts if isinstance(part, Text)}


FIRST: Mapping[str, Citation] = {
    "anthropic/messages.full.server_tools.0275aafb": Citation(
        url="https://www.ruby-lang.org/en/downloads/",
        title="Download Ruby | Ruby",
        quote="The current stable version is 4.0.6. ",
        start=0,
        end=36,
    ),
    "bedrock/converse.full.multimodal_input.986bfc80": Citation(
        title="sample",
        source="document 1",
        quote="Sample PDF\r\nThis is a simple PDF file. ",
        start=0,
        end=33,
    ),
    "bedrock/converse.full.server_tools_and_client_tool.1341e39a": Citation(
        url="https://www.ruby-lang.org/en/downloads/releases/", title="ruby-lang.org"
    ),
    "cohere/chat_v2.full.cached_prompt.41eafd9c": Citation(title="benefits.txt", source="doc:0", start=52, end=71),
    "openai/responses.stream.server_tools.0b01d86d": Citation(
        title="ai.pdf", source="file-Ebzhf8H4DPGPr9pUhr7n7v", end=154
    ),
    "openrouter/chat_completions.full.reasoning_text.0f2cd6e9": Citation(
        url="https://www.ruby-lang.org/en/downloads/", title="Download Ruby | Ruby", start=50, end=108
    ),
    "perplexity/chat_completions.stream.text.6a7990da": Citation(
        url="https://www.modernchristmastrees.com/innovative-approaches-holiday-decor-modern-interior-design/"
    ),
}


@pytest.mark.usefixtures("shared_data")
@pytest.mark.parametrize("name", FIRST)
def test_a_citation_says_all_that_the_provider_says(name: str) -> None:
    exchange = recorded(name)
    found = cited(heard(exchange["api"], [body_of(exchange["response"])], exchange["provider"]).message)
    assert found[0][1] == FIRST[name]


# Shapes and orders.


def chunk(delta: Any, finish: str | None = None, **beside: Any) -> bytes:
    said = {"id": "c", "model": "x", "choices": [{"delta": delta, "finish_reason": finish}], **beside}
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def link(start: int, end: int, url: str = "https://a") -> dict[str, Any]:
    return {"type": "url_citation", "url_citation": {"url": url, "start_index": start, "end_index": end}}


CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}


def test_a_link_stays_on_its_text_when_a_call_follows() -> None:
    body = [
        chunk({"content": "Look here."}),
        chunk({"annotations": [link(5, 9)]}),
        chunk({"tool_calls": [CALL]}),
        chunk({}, "tool_calls"),
    ]
    answer = heard("chat_completions", body)
    assert [words for words, _ in cited(answer.message)] == ["here"]
    assert [part.kind for part in answer.message.parts] == ["text", "tool_call", "server_tool"]


def test_places_count_in_all_of_the_text_and_come_out_in_their_part() -> None:
    body = [
        chunk({"content": "Look "}),
        chunk({"reasoning_content": "hm"}),
        chunk({"content": "here."}),
        chunk({"annotations": [link(5, 9), link(0, 4, "https://b"), link(3, 7, "https://c")]}),
        chunk({}, "stop"),
    ]
    found = cited(heard("chat_completions", body).message)
    # the first part had ended: what is about it is known of the answer, but has no place
    assert [(each.url, each.start, each.end) for _, each in found] == [
        ("https://a", 0, 4),
        ("https://b", None, None),
        ("https://c", None, None),
    ]


def test_a_source_that_comes_after_the_last_word_is_not_lost() -> None:
    body = [
        chunk({"content": "Look."}),
        chunk({"tool_calls": [CALL]}),
        chunk({}, citations=["https://a"]),
        chunk({}, "tool_calls"),
    ]
    answer = heard("chat_completions", body)
    assert [(words, each.url) for words, each in cited(answer.message)] == [("", "https://a")]
    assert answer.text == "Look."


def test_sources_that_are_told_before_the_first_word_and_again_are_told_once() -> None:
    results = [{"url": "https://a", "title": "A", "snippet": "a b"}]
    more: dict[str, Any] = {"citations": ["https://a", "https://b"], "search_results": results}
    body = [chunk({"role": "assistant"}, **more), chunk({"content": "Look [1]."}, **more), chunk({}, "stop", **more)]
    found = [each for _, each in cited(heard("chat_completions", body).message)]
    assert found == [Citation(url="https://a", title="A", quote="a b"), Citation(url="https://b")]


def test_googles_places_are_bytes_of_its_parts_and_hold_where_a_part_is_signed() -> None:
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://a", "title": "A"}},
            {"retrievedContext": {"uri": "gs://b", "title": "B", "text": "b b", "documentName": "docs/b"}},
            {"maps": {"uri": "https://c", "title": "C", "placeId": "places/c"}},
        ],
        "groundingSupports": [
            {"segment": {"endIndex": 6, "text": "„Ü"}, "groundingChunkIndices": [0, 9]},
            {"segment": {"startIndex": 3, "endIndex": 5, "text": "Ü"}, "groundingChunkIndices": [1]},
            {"segment": {"partIndex": 1, "startIndex": 0, "endIndex": 4, "text": "🙂"}, "groundingChunkIndices": [1]},
            {"segment": {"startIndex": 1, "endIndex": 5}, "groundingChunkIndices": [0]},
        ],
    }
    parts = [{"text": "„Ü“ "}, {"text": "🙂!", "thoughtSignature": "s"}]
    more = {
        "urlContextMetadata": {
            "urlMetadata": [
                {"retrievedUrl": "https://d", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"},
                {"retrievedUrl": "https://e", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_ERROR"},
            ]
        },
        "citationMetadata": {"citationSources": [{"startIndex": 0, "endIndex": 3, "uri": "https://f"}]},
    }
    candidate = {"content": {"parts": parts}, "finishReason": "STOP", "groundingMetadata": grounding, **more}
    found = cited(heard("generate_content", [json.dumps({"candidates": [candidate]}).encode()]).message)
    assert [(words, each.url, each.start) for words, each in found] == [
        ("Ü", "gs://b", 1),
        ("„", "https://f", 0),
        ("🙂", "gs://b", 0),
        ("🙂!", "https://a", None),
        ("🙂!", "https://c", None),
        ("🙂!", "https://d", None),
    ]
    assert found[0][1] == Citation(url="gs://b", title="B", source="docs/b", quote="b b", start=1, end=2)


def test_what_google_tells_again_and_more_of_it_is_told_once() -> None:
    def told_by(text: str, *spans: tuple[int, int], **more: Any) -> bytes:
        supports = [{"segment": {"startIndex": a, "endIndex": b}, "groundingChunkIndices": [0]} for a, b in spans]
        grounding = {"groundingChunks": [{"web": {"uri": "https://a"}}], "groundingSupports": supports}
        candidate = {"content": {"parts": [{"text": text}]}, "groundingMetadata": grounding, **more}
        return b"data: " + json.dumps({"candidates": [candidate]}).encode() + b"\n\n"

    body = [told_by("One."), told_by(" Two.", (0, 3)), told_by(" Three.", (0, 3), (5, 8), finishReason="STOP")]
    assert [words for words, _ in cited(heard("generate_content", body).message)] == ["One", "Two"]


def test_anthropics_documents_and_search_results_of_the_callers_are_told_apart() -> None:
    document = {"type": "char_location", "cited_text": "q", "document_index": 1, "document_title": "T"}
    search = {"type": "search_result_location", "cited_text": "q", "source": "https://a", "title": "A"}
    found = citations.of_anthropic(
        [document, {**document, "file_id": "file_1"}, search, {**search, "source": "mine"}], 3
    )
    placed: dict[str, Any] = {"quote": "q", "start": 0, "end": 3}
    assert found == [
        Citation(title="T", source="document 2", **placed),
        Citation(title="T", source="file_1", **placed),
        Citation(title="A", url="https://a", **placed),
        Citation(title="A", source="mine", **placed),
    ]


def test_what_cohere_cites_in_a_thought_is_none_of_the_text_and_late_citations_find_their_block() -> None:
    def event(kind: str, **message: Any) -> bytes:
        said = {"type": kind, "index": 0, "delta": {"message": message}}
        return f"event: {kind}\ndata: {json.dumps(said)}\n\n".encode()

    def start(first: int, last: int, **more: Any) -> bytes:
        return event("citation-start", citations={"start": first, "end": last, "sources": [{"id": "d"}], **more})

    body = [
        event("content-start", content={"type": "text", "text": "One. "}),
        event("content-end"),
        start(0, 3),
        event("content-start", content={"type": "text", "text": "Two."}),
        start(0, 3),
        start(0, 2, type="THINKING_CONTENT"),
        event("content-end"),
        b'event: message-end\ndata: {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}\n\n',
    ]
    assert [words for words, _ in cited(heard("chat_v2", body).message)] == ["One", "Two"]


# Any text, any place.

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(st.data())
def test_googles_bytes_are_our_characters(data: st.DataObject) -> None:
    text = data.draw(WORDS)
    places = [0, *accumulate(len(letter.encode()) for letter in text)]
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, len(text)))
    segment = {"startIndex": places[first], "endIndex": places[last], "text": text[first:last]}
    grounding = {
        "groundingChunks": [{"web": {}}],
        "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
    }
    (found,) = citations.of_gemini({"groundingMetadata": [grounding]}, text, [0])
    assert text[found.start : found.end] == text[first:last]


@given(st.lists(st.tuples(st.sampled_from(["text", "reasoning"]), WORDS), min_size=1, max_size=6), st.data())
def test_a_place_in_all_of_the_text_is_the_same_words_in_a_part_or_none(
    said: list[tuple[str, str]], data: st.DataObject
) -> None:
    answer = Answering("p", "m")
    for kind, words in said:
        answer.say(kind, words)
    whole = answer.text()
    first = data.draw(st.integers(0, len(whole)))
    last = data.draw(st.integers(first, len(whole)))
    answer.cite([Citation(url="https://a", start=first, end=last)])
    message = fold([*answer.flush(), *answer.finish("stop")]).message
    ((words, found),) = cited(message)
    assert message.text == whole
    assert found.start is None or words == whole[first:last]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 12) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(
        {"type", "url_citation", "url", "title", "start_index", "end_index", "index", "file_id", "location", "web"}
        | {"documentPage", "documentIndex", "sourceContent", "text", "sources", "document", "start", "end", "segment"}
        | {"groundingChunks", "groundingSupports", "groundingChunkIndices", "startIndex", "endIndex", "partIndex"}
        | {"urlMetadata", "retrievedUrl", "citationSources", "uri", "document_index", "source", "cited_text"}
    )), inner, max_size=5),
    max_leaves=15,
)  # fmt: skip


@given(ANYTHING, WORDS)
def test_whatever_shape_arrives_nothing_breaks_and_no_place_is_outside(found: Any, text: str) -> None:
    facts = {
        name: [found]
        for name in ("groundingMetadata", "urlContextMetadata", "citationMetadata")
        if isinstance(found, dict)
    }
    listed = [found] if isinstance(found, dict) else []
    for each in (
        *citations.of_annotations([found]),
        *citations.of_sources([found], [found]),
        *citations.of_anthropic([found], 3),
        *citations.of_bedrock([found], 3),
        *citations.of_cohere(listed),
        *citations.of_gemini(facts, text, [0, 1]),
    ):
        places = [place for place in (each.start, each.end) if place is not None]
        assert places == sorted(places)
        assert all(place >= 0 for place in places)


# Documents that are to be cited.

NOTES = Media(
    media_type="text/plain", data=base64.b64encode(b"Ada wrote it.").decode(), name="Notes (1).txt", cite=True
)


def asked(api: str, model: str = "m", *, media: Media = NOTES, strict: bool = False) -> Any:
    said = Message(role="user", parts=(media, Text(text="Who?")))
    request = Request(messages=(said,), settings=Settings(strict=strict))
    return open_at(api, "http://localhost").dialect.write(request, model)


def test_a_document_is_sent_to_be_cited_in_the_providers_own_words() -> None:
    anthropic, _ = asked("messages", strict=True).body["messages"][0]["content"]
    assert (anthropic["title"], anthropic["citations"]) == ("Notes (1).txt", {"enabled": True})
    bedrock, _ = asked("converse", "anthropic.claude-x", strict=True).body["messages"][0]["content"]
    assert (bedrock["document"]["name"], bedrock["document"]["citations"]) == ("Notes (1) txt", {"enabled": True})
    cohere = asked("chat_v2", strict=True).body
    assert cohere["documents"] == [{"id": "document 1", "data": {"text": "Ada wrote it.", "title": "Notes (1).txt"}}]
    assert cohere["messages"] == [{"role": "user", "content": "Who?"}]


@pytest.mark.parametrize(
    ("api", "model"),
    [
        ("chat_completions", "m"),
        ("responses", "m"),
        ("generate_content", "gemini-3-x"),
        ("converse", "amazon.nova-x"),
        ("ollama_chat", "m"),
        ("tgi_generate", "m"),
    ],
)
def test_who_cites_no_documents_says_so(api: str, model: str) -> None:
    # M6
    assert "cite" in [warning.setting for warning in asked(api, model).warnings]


@pytest.mark.parametrize(("api", "model"), [("messages", "m"), ("converse", "anthropic.claude-x"), ("chat_v2", "m")])
def test_who_cites_documents_cites_no_pictures_and_says_so(api: str, model: str) -> None:
    # M6
    picture = Media(media_type="image/png", data="aGk=", cite=True)
    assert [warning.setting for warning in asked(api, model, media=picture).warnings] == ["cite"]
