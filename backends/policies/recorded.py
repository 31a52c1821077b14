"""`recorded`: ask a model once, and answer from the record in tests and in CI.

    recorded("openai:gpt-x", "tests/cassettes/plan", mode="auto")

    record    ask always, and write down every exchange that comes to its end, failures too
    replay    never ask: no key and no network are needed; a request that was not recorded ends in a BadRequest that
              shows how the nearest recorded one differs
    auto      answer what is recorded; ask for the rest, and write down what is answered (no failure, it may pass)

The record is a directory, one JSON file an exchange, named by backend and request, made to be read in a review: the
question in words, the answer's text, and the events one a line. The same request asked again is a second exchange, and
is replayed in that order; the last one stays. Keys, headers and raw error bodies are not in it, of an address it has
neither query nor credentials, and fields for one provider are there by their hash (M9). What was said is there: it is
for you to say whether that may be committed.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import anyio.to_thread

from graphrt.backends.base import Backend
from graphrt.backends.codec import read_events, write_event
from graphrt.backends.errors import BackendError, BadRequest
from graphrt.backends.events import Drafted, Failed, Finished, PartEnded, StreamEvent
from graphrt.backends.messages import Request, Text
from graphrt.backends.policies.cached import answer_alone, write_whole
from graphrt.backends.policies.fingerprint import key_of
from graphrt.backends.policies.over import Over
from graphrt.backends.recorded import asked
from graphrt.backends.uri import open_backend
from graphrt.errors import UsageError

Mode = Literal["record", "replay", "auto"]
_DIGITS = 16
_LINES = 40
"""How many lines of a difference are shown."""


@dataclass(frozen=True, slots=True)
class CassetteStatistics:
    """What a cassette was used for."""

    replayed: int = 0
    recorded: int = 0
    unknown: int = 0
    """How many requests of a replay were not recorded."""


class Cassette(Over):
    """A backend whose exchanges are written down in a directory, or answered from it. See `recorded`."""

    def __init__(self, backend: Backend | str, directory: str | os.PathLike[str], mode: Mode) -> None:
        if mode not in get_args(Mode):
            raise UsageError(f"mode={mode!r}: must be one of {', '.join(get_args(Mode))}")
        if mode == "replay" and isinstance(backend, str):
            backend = open_backend(backend, environ=_AnyKey())
        super().__init__(backend)
        self._directory = Path(directory)
        self._mode = mode
        self._replayed: Counter[str] = Counter()
        self._written: Counter[str] = Counter()
        self._statistics = CassetteStatistics()

    def statistics(self) -> CassetteStatistics:
        """What it was used for."""
        return self._statistics

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer from the record, or ask and write down. Closed or cancelled before its end, nothing is written. Raises
        OSError where the directory cannot be written: a record with holes would only be noticed when it is needed."""
        try:
            key = key_of(request, self.name)
            events = None if self._mode == "record" else await anyio.to_thread.run_sync(self._next, key)
            if events is None and self._mode == "replay":
                self._count(unknown=1)
                raise await anyio.to_thread.run_sync(self._unknown, request)
        except BackendError as error:
            yield Failed(error)
            return
        if events is not None:
            self._count(replayed=1)
            for event in events:
                yield event
            return
        heard: list[StreamEvent] = []
        async with self.asking(request) as asking:
            async for event in asking:
                heard.append(event)
                if isinstance(event, Finished) or (isinstance(event, Failed) and self._mode == "record"):
                    text = _written(self.name, request, heard)
                    await anyio.to_thread.run_sync(self._keep, key, text)
                    self._count(recorded=1)
                yield event

    def _next(self, key: str) -> tuple[StreamEvent, ...] | None:
        """The recorded answer whose turn it is, or else the last one before it."""
        self._replayed[key] += 1
        for number in range(self._replayed[key], 0, -1):
            path = self._file(key, number)
            if path.exists():
                try:
                    return read_events(json.loads(path.read_bytes())["events"])
                except (ValueError, KeyError, TypeError) as error:
                    words = f"{path} is no exchange ({error}); restore it, or delete it and record it again"
                    raise BadRequest(words, provider=self.name) from error
        return None

    def _keep(self, key: str, text: str) -> None:
        self._written[key] += 1
        turn = self._written[key]
        write_whole(self._file(key, turn), text)
        while self._mode == "record" and (stale := self._file(key, turn := turn + 1)).exists():
            stale.unlink()  # of an older record that had more turns

    def _file(self, key: str, turn: int) -> Path:
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", self.name)[:60].strip("-.")
        number = "" if turn == 1 else f".{turn}"
        return self._directory / f"{slug}-{key[:_DIGITS]}{number}.json"

    def _unknown(self, request: Request) -> BadRequest:
        """Make the error for a request that was not recorded."""
        ours = _lines(_question(self.name, request))
        best: tuple[float, str, list[str]] | None = None
        for path, theirs in self._questions():
            lines = _lines(theirs)
            likeness = difflib.SequenceMatcher(None, lines, ours, autojunk=False).ratio()
            if best is None or likeness > best[0]:
                best = likeness, path.name, lines
        words = f"this request is not recorded in {self._directory}; record it with mode='record'"
        if best is None:
            return BadRequest(f"{words}: there is no exchange yet", provider=self.name, code="not_recorded")
        difference = list(difflib.unified_diff(best[2], ours, best[1], "this request", lineterm="", n=1))
        shown = difference[:_LINES] or ["(they differ only in what a record keeps no words of)"]
        more = [f"… and {len(difference) - _LINES} more lines"] if len(difference) > _LINES else []
        text = "\n".join([f"{words}. The nearest one:", *shown, *more])
        return BadRequest(text, provider=self.name, code="not_recorded")

    def _questions(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        for path in sorted(self._directory.glob("*.json")):
            try:
                found = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(found, dict) and isinstance(found.get("request"), dict):
                yield path, found["request"]

    def _count(self, *, replayed: int = 0, recorded: int = 0, unknown: int = 0) -> None:
        now = self._statistics
        self._statistics = replace(
            now, replayed=now.replayed + replayed, recorded=now.recorded + recorded, unknown=now.unknown + unknown
        )


class _AnyKey(Mapping[str, str]):
    """An environment in which every key is set, for a backend that is never asked."""

    def __getitem__(self, name: str) -> str:
        return "not-a-key"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _question(name: str, request: Request) -> dict[str, Any]:
    """A request in words, for a reader."""
    question: dict[str, Any] = {"backend": name, **asked(request)}
    if request.extra:
        dumped = request.model_dump(mode="json", include={"extra"})["extra"]
        question["extra"] = {field: f"#{_hash(value)}" for field, value in dumped.items()}
    return question


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _lines(question: Mapping[str, Any]) -> list[str]:
    return json.dumps(question, indent=1, ensure_ascii=False).splitlines()


def _written(name: str, request: Request, events: list[StreamEvent]) -> str:
    """The text of a file: the question, the answer's words, and the events one a line."""
    words = "\n".join(
        event.part.text
        for event in answer_alone(events)
        if isinstance(event, PartEnded) and isinstance(event.part, Text)
    )
    question = json.dumps(_question(name, request), indent=1, ensure_ascii=False)
    said = json.dumps(words.split("\n"), indent=1, ensure_ascii=False)
    lasting = (event for event in events if not isinstance(event, Drafted))
    lines = ",\n".join("  " + json.dumps(write_event(event), ensure_ascii=False) for event in lasting)
    return f'{{\n"request": {question},\n"said": {said},\n"events": [\n{lines}\n]\n}}\n'


def recorded(backend: Backend | str, directory: str | os.PathLike[str], *, mode: Mode = "auto") -> Cassette:
    """Write down the exchanges with `backend` in `directory`, or answer from there: see the module."""
    return Cassette(backend, directory, mode)
