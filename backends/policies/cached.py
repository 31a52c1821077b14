"""`cached`: the same question gets the same answer again, and costs once.

    cached(backend, MemoryStore(entries=1000))
    cached(backend, DirectoryStore("answers"))

The same question is the same request to a backend of the same name. Only whole answers are kept: ended by the model
itself, or in calls of tools. What comes from the store says so in a `Chose`, and has used nothing. Equal requests at
the same time ask once: the others wait, and hear the answer, or the error, that the first one got. Keep in mind that an
answer to a request with a temperature is one sample: cached, it is always that one.
"""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import anyio
import anyio.lowlevel
import anyio.to_thread

from graphrt.backends.base import Backend
from graphrt.backends.codec import read_events, write_event
from graphrt.backends.errors import BackendError
from graphrt.backends.events import Chose, Drafted, Failed, Finished, Restarted, Started, StreamEvent, Usage
from graphrt.backends.messages import Request
from graphrt.backends.policies.fingerprint import key_of
from graphrt.backends.policies.over import Over

Events = tuple[StreamEvent, ...]
_WHOLE = frozenset({"stop", "tool_calls"})
_NOTHING = Usage(input=0, output=0)


class Store(Protocol):
    """Where answers are kept."""

    async def get(self, key: str) -> Events | None:
        """Return the events of an answer; None if it is not there."""
        raise NotImplementedError

    async def put(self, key: str, events: Events) -> None:
        """Keep an answer, whole or not at all. Raises OSError, or ValueError for what it cannot write."""
        raise NotImplementedError


class MemoryStore:
    """Keeps the `entries` answers that were used last, while the process lives."""

    def __init__(self, entries: int = 1000) -> None:
        self._entries = entries
        self._kept: OrderedDict[str, Events] = OrderedDict()

    async def get(self, key: str) -> Events | None:
        """See Store.get."""
        await anyio.lowlevel.checkpoint()
        events = self._kept.get(key)
        if events is not None:
            self._kept.move_to_end(key)
        return events

    async def put(self, key: str, events: Events) -> None:
        """See Store.put."""
        self._kept[key] = events
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)


class DirectoryStore:
    """Keeps each answer in a file of its own, which other processes may share. A file that cannot be read is an answer
    that is not there."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    async def get(self, key: str) -> Events | None:
        """See Store.get."""
        return await anyio.to_thread.run_sync(self._read, key)

    async def put(self, key: str, events: Events) -> None:
        """See Store.put. Interrupted or killed, it leaves the old answer or the new one."""
        text = json.dumps([write_event(event) for event in events], ensure_ascii=False, allow_nan=False)
        await anyio.to_thread.run_sync(write_whole, self._path / f"{key}.json", text)

    def _read(self, key: str) -> Events | None:
        try:
            return read_events(json.loads((self._path / f"{key}.json").read_bytes()))
        except (OSError, ValueError):
            return None


def write_whole(path: Path, text: str) -> None:
    """Put a file where others find it whole or not at all, and make its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="surrogatepass", newline="\n") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """How often a cache was of use."""

    hits: int = 0
    misses: int = 0
    shared: int = 0
    """How many of the hits waited for an equal request that was under way."""
    unkept: int = 0
    """How many whole answers the store could not keep."""


@dataclass(slots=True, eq=False)
class _UnderWay:
    """A request that equal ones wait for."""

    over: anyio.Event = field(default_factory=anyio.Event)
    error: BackendError | None = None


class Cached(Over):
    """A backend whose answers are kept. See `cached`."""

    def __init__(self, backend: Backend | str, store: Store) -> None:
        super().__init__(backend)
        self._store = store
        self._under_way: dict[str, _UnderWay] = {}
        self._statistics = CacheStatistics()

    def statistics(self) -> CacheStatistics:
        """How often it was of use."""
        return self._statistics

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer from the store, or ask and keep the answer. One that is closed or cancelled before its end keeps
        nothing, and the next that waited for it asks instead."""
        try:
            key = key_of(request, self.name)
        except BackendError as error:
            yield Failed(error)
            return
        waited = False
        while (first := self._under_way.get(key)) is not None:
            waited = True
            await first.over.wait()
            if first.error is not None:
                yield Chose("cached", self.name, "an equal request failed meanwhile")
                yield Failed(_again(first.error))
                return
        mine = self._under_way[key] = _UnderWay()
        try:
            kept = await self._store.get(key)
            if kept is None:
                async with aclosing(self._ask(request, key, mine)) as events:
                    async for event in events:
                        yield event
                return
        finally:
            del self._under_way[key]
            mine.over.set()
        self._count(hits=1, shared=int(waited))
        yield Chose("cached", self.name, "an equal request was answered before")
        for event in kept:
            yield replace(event, usage=_NOTHING) if isinstance(event, Finished) else event

    async def _ask(self, request: Request, key: str, mine: _UnderWay) -> AsyncGenerator[StreamEvent]:
        self._count(misses=1)
        heard: list[StreamEvent] = []
        async with self.asking(request) as events:
            async for event in events:
                heard.append(event)
                match event:
                    case Finished(reason=reason) if reason in _WHOLE:
                        await self._keep(key, answer_alone(heard))
                    case Failed(error=error):
                        mine.error = error
                    case _:
                        pass
                yield event

    async def _keep(self, key: str, events: Events) -> None:
        try:
            await self._store.put(key, events)
        except (OSError, ValueError):  # the answer is paid for: a full disk is no reason to lose it
            self._count(unkept=1)

    def _count(self, *, hits: int = 0, misses: int = 0, shared: int = 0, unkept: int = 0) -> None:
        now = self._statistics
        self._statistics = CacheStatistics(
            now.hits + hits, now.misses + misses, now.shared + shared, now.unkept + unkept
        )


def _again(error: BackendError) -> BackendError:
    """The same error for another reader: raised twice, one error would collect two tracebacks."""
    again = copy.copy(error)
    again.args = error.args
    again.__cause__ = error.__cause__
    return again


def answer_alone(events: Iterable[StreamEvent]) -> Events:
    """The events of an answer without how it came about: who was chosen, what does not count, and what was left of
    whose allowance."""
    kept: list[StreamEvent] = []
    for event in events:
        match event:
            case Chose() | Drafted():
                pass
            case Restarted():
                kept.clear()
            case Started():
                kept.append(replace(event, limits=()))
            case _:
                kept.append(event)
    return tuple(kept)


def cached(backend: Backend | str, store: Store) -> Cached:
    """Keep the answers of `backend` in `store`, and give them again for the same request."""
    return Cached(backend, store)
