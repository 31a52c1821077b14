"""What an answer goes back to, from each provider's shape to `Citation`.

Pure functions over what `json.loads` gave. None of them raises, whatever shape a server sends. Offsets come out in
characters; where they are not known, or do not cut the words that the provider says they do, they are None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from graphrt.backends.dialects.values import dicts, text_of
from graphrt.backends.messages import Citation


def of_annotations(annotations: Any) -> list[Citation]:
    """Read OpenAI's: links and files. Chat puts a link one level deeper than Responses does; some clones give a link no
    place. Of a file only the place of its mark is told: there the cited words end."""
    return [cited for note in dicts(annotations) if (cited := _annotation(note))]


def _annotation(note: Mapping[str, Any]) -> Citation | None:
    match note.get("type"):
        case "url_citation":
            inner = note.get("url_citation")
            link = inner if isinstance(inner, dict) else note
            start, end = _range(link.get("start_index"), link.get("end_index"))
            title, quote = text_of(link.get("title")), text_of(link.get("content"))
            return Citation(url=text_of(link.get("url")), title=title, quote=quote, start=start, end=end)
        case "file_citation" | "container_file_citation":
            start, end = _range(note.get("start_index"), note.get("end_index"))
            end = _place(note.get("index")) if end is None else end
            title = text_of(note.get("filename"))
            return Citation(source=text_of(note.get("file_id")), title=title, start=start, end=end)
        case _:
            return None


def of_sources(citations: Any, results: Any) -> list[Citation]:
    """Read the lists of Perplexity and xAI: what was searched for the whole answer, in the order of the `[1]` in it."""
    found = {
        url: Citation(url=url, title=text_of(result.get("title")), quote=text_of(result.get("snippet")))
        for result in dicts(results)
        if (url := text_of(result.get("url")))
    }
    urls = [url for item in citations if (url := text_of(item))] if isinstance(citations, list) else []
    return [found.get(url) or Citation(url=url) for url in dict.fromkeys([*urls, *found])]


def of_anthropic(citations: Any, length: int) -> list[Citation]:
    """Read Anthropic's: the whole block, which has `length` characters, goes back to each of them."""
    return [_located(cited, length) for cited in dicts(citations)]


def _located(cited: Mapping[str, Any], length: int) -> Citation:
    title, quote = text_of(cited.get("title")), text_of(cited.get("cited_text"))
    url, source = text_of(cited.get("url")), text_of(cited.get("source"))
    if source and source.startswith(("http://", "https://")):
        url, source = url or source, None  # a search result of the caller's is known by any word
    return Citation(
        url=url,
        title=title or text_of(cited.get("document_title")),
        source=source or text_of(cited.get("file_id")) or _document(cited.get("document_index")),
        quote=quote,
        start=0 if length else None,
        end=length or None,
    )


def of_bedrock(citations: Any, length: int) -> list[Citation]:
    """Read Bedrock's: the whole block, which has `length` characters, goes back to each of them."""
    found = []
    for cited in dicts(citations):
        location = cited.get("location")
        kind, place = next(iter(location.items()), ("", {})) if isinstance(location, dict) else ("", {})
        place = place if isinstance(place, dict) else {}
        words = [text_of(piece.get("text")) or "" for piece in dicts(cited.get("sourceContent"))]
        found.append(
            Citation(
                url=text_of(place.get("url")),
                title=text_of(cited.get("title")) or text_of(place.get("domain")),
                source=_document(place.get("documentIndex")) if kind.startswith("document") else None,
                quote="".join(words) or None,
                start=0 if length else None,
                end=length or None,
            )
        )
    return found


def of_cohere(citations: Iterable[Mapping[str, Any]], before: int = 0) -> list[Citation]:
    """Read Cohere's: words of the answer, each with its sources. `before`: characters of text before the block in which
    the offsets count. A plan or a thought that is cited is none of the text."""
    found = []
    for cited in citations:
        if cited.get("type", "TEXT_CONTENT") != "TEXT_CONTENT":
            continue
        start, end = _range(cited.get("start"), cited.get("end"))
        if start is not None and end is not None:
            start, end = before + start, before + end
        for source in dicts(cited.get("sources")) or [{}]:
            document = source.get("document")
            document = document if isinstance(document, dict) else {}
            url, title = text_of(document.get("url")), text_of(document.get("title"))
            found.append(Citation(url=url, title=title, source=text_of(source.get("id")), start=start, end=end))
    return found


def of_gemini(facts: Mapping[str, Sequence[Mapping[str, Any]]], text: str, parts: Sequence[int]) -> list[Citation]:
    """Read Google's: pages that were searched or fetched, and which words go back to which of them.

    Args:
        facts: what was told beside the parts, by its name.
        text: all of the answer. Google counts its UTF-8 bytes.
        parts: the byte at which each part of the chunk begins that told them; what is about a part counts from there.
    """
    places = _Bytes(text)
    found: list[Citation] = []
    searched: list[Citation] = []
    for grounding in facts.get("groundingMetadata", ()):
        chunks = [_chunk(chunk) for chunk in dicts(grounding.get("groundingChunks"))]
        searched += chunks
        for support in dicts(grounding.get("groundingSupports")):
            segment = support.get("segment")
            start, end = places.of(segment if isinstance(segment, dict) else {}, parts)
            indices = support.get("groundingChunkIndices")
            cited = [index for index in indices if isinstance(index, int)] if isinstance(indices, list) else []
            found += [
                chunks[index].model_copy(update={"start": start, "end": end})
                for index in cited
                if 0 <= index < len(chunks)
            ]
    for fetched in facts.get("urlContextMetadata", ()):
        for page in dicts(fetched.get("urlMetadata")):
            url = text_of(page.get("retrievedUrl"))
            if url and str(page.get("urlRetrievalStatus")).endswith("SUCCESS"):
                searched.append(Citation(url=url))
    known = {citation.url for citation in found}
    found += [page for page in searched if page.url not in known]
    for recited in facts.get("citationMetadata", ()):
        for source in dicts(recited.get("citationSources") or recited.get("citations")):
            start, end = places.of(source, parts)
            url, title = text_of(source.get("uri")), text_of(source.get("title"))
            found.append(Citation(url=url, title=title, start=start, end=end))
    return list(dict.fromkeys(found))  # a stream may tell the same again, and more of it


def _chunk(chunk: Mapping[str, Any]) -> Citation:
    kind = next((kind for kind in ("web", "retrievedContext", "maps") if isinstance(chunk.get(kind), dict)), None)
    page = chunk[kind] if kind else {}
    source = text_of(page.get("documentName")) or text_of(page.get("placeId"))
    quote = text_of(page.get("text")) if kind == "retrievedContext" else None
    return Citation(url=text_of(page.get("uri")), title=text_of(page.get("title")), source=source, quote=quote)


class _Bytes:
    """Places in a text by its UTF-8 bytes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._characters: Mapping[int, int] = {}

    def of(self, segment: Mapping[str, Any], parts: Sequence[int]) -> tuple[int | None, int | None]:
        """The characters that a segment is about; none where it does not cut the words that it says."""
        if not self._characters:
            ends = accumulate((len(letter.encode("utf-8", "replace")) for letter in self._text), initial=0)
            self._characters = {byte: place for place, byte in enumerate(ends)}
        part, words = segment.get("partIndex"), segment.get("text")
        base = parts[part] if isinstance(part, int) and 0 < part < len(parts) else 0
        start, end = _range(segment.get("startIndex", 0), segment.get("endIndex"))
        if start is None or end is None:
            return None, None
        first, last = self._characters.get(base + start), self._characters.get(base + end)
        cuts = first is not None and last is not None and (words is None or words == self._text[first:last])
        return (first, last) if cuts else (None, None)


def _range(start: Any, end: Any) -> tuple[int | None, int | None]:
    first, last = _place(start), _place(end)
    return (first, last) if first is not None and last is not None and first <= last else (None, None)


def _place(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _document(index: Any) -> str | None:
    """The name of a document that was sent, by its place among all of them."""
    place = _place(index)
    return None if place is None else f"document {place + 1}"
