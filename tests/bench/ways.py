"""The ways to read a streamed answer that are compared: ours, the bytes alone, and what others use."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from graphrt import Runtime
from graphrt.backends.events import PartDelta
from graphrt.backends.messages import Request, conversation
from graphrt.nodes import generated, llm
from tests.backends.provider import open_at
from tests.bench.spoken import PROMPT, SPOKEN, words

Ask = Callable[[], Coroutine[Any, Any, int]]
"""Asks once, reads the answer to its end, and returns how many tokens were in it."""


@dataclass(frozen=True)
class Way:
    """One way to read a dialect. `package` is what it needs, `open` makes what asks at an address."""

    name: str
    open: Callable[[str], AbstractAsyncContextManager[Ask]]
    package: str | None = None

    @property
    def there(self) -> bool:
        return self.package is None or importlib.util.find_spec(self.package) is not None


OURS = "graphrt"
RAW = "httpx, bytes alone"


def ways(dialect: str, tokens: int) -> list[Way]:
    """Return the ways to read a dialect, the fastest first."""
    found = [Way(RAW, partial(_raw, dialect, tokens))]
    if dialect in _WORD:
        found.append(Way("httpx, json.loads", partial(_parsed, dialect)))
    found.append(Way(OURS, partial(_ours, dialect)))
    if dialect == "chat_completions":
        found.append(Way("graphrt, an @llm node", partial(_node, dialect, tokens)))
    peers = (Way(name, partial(_peer, package, way), package) for name, package, way in PEERS.get(dialect, ()))
    return [*found, *peers]


PEERS = {
    "chat_completions": (("openai", "openai", "chat"), ("litellm", "litellm", "chat")),
    "responses": (("openai", "openai", "responses"),),
    "messages": (
        ("anthropic, events", "anthropic", "events"),
        ("anthropic, helper", "anthropic", "helper"),
        ("litellm", "litellm", "messages"),
    ),
}
"""Of each dialect, what others read it with: the name, the package, and what to call in its peer's module."""


def _peer(package: str, way: str, address: str) -> AbstractAsyncContextManager[Ask]:
    opened: AbstractAsyncContextManager[Ask] = getattr(importlib.import_module(f"tests.bench.{package}_peer"), way)(
        address
    )
    return opened


def _client() -> httpx.AsyncClient:
    """Make the client that ours is, too: a pool that keeps more connections looks through them all for each request."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    return httpx.AsyncClient(trust_env=False, limits=limits, timeout=60)


@asynccontextmanager
async def _raw(dialect: str, tokens: int, address: str) -> AsyncIterator[Ask]:
    """Read the bytes and look at none of them."""
    spoken = SPOKEN[dialect]
    size = sum(map(len, spoken.pieces(tokens)))
    async with _client() as client:

        async def ask() -> int:
            got = 0
            async with client.stream("POST", f"{address}/m{spoken.path}", json={"m": PROMPT}) as response:
                async for chunk in response.aiter_raw():
                    got += len(chunk)
            assert got == size
            return tokens

        yield ask


@asynccontextmanager
async def _parsed(dialect: str, address: str) -> AsyncIterator[Ask]:
    """Do what everybody must: find the events, parse them, take the word out. For a server that never errs."""
    word = _WORD[dialect]
    async with _client() as client:

        async def ask() -> int:
            told = 0
            rest = b""
            async with client.stream("POST", f"{address}/m{SPOKEN[dialect].path}", json={"m": PROMPT}) as response:
                async for chunk in response.aiter_raw():
                    *whole, rest = (rest + chunk).split(b"\n\n")
                    for event in whole:
                        data = event[event.index(b"data: ") + 6 :]
                        told += data != b"[DONE]" and bool(word(json.loads(data)))
            return told

        yield ask


_WORD: dict[str, Callable[[Any], str | None]] = {
    "chat_completions": lambda said: said["choices"][0]["delta"].get("content") if said["choices"] else None,
    "responses": lambda said: said["delta"] if said["type"] == "response.output_text.delta" else None,
    "messages": lambda said: said["delta"]["text"] if said["type"] == "content_block_delta" else None,
}


@asynccontextmanager
async def _ours(dialect: str, address: str) -> AsyncIterator[Ask]:
    """Read the events at the seam."""
    backend = open_at(dialect, address)

    async def ask() -> int:
        told = 0
        async for event in backend.stream(Request(messages=conversation(PROMPT))):
            told += isinstance(event, PartDelta)
        return told

    try:
        yield ask
    finally:
        await backend.aclose()


@llm(PROMPT)
def answer() -> str:
    return generated()


@asynccontextmanager
async def _node(dialect: str, tokens: int, address: str) -> AsyncIterator[Ask]:
    """Run a graph of one node, which is kept in memory."""
    said = "".join(words(tokens))
    async with Runtime(None, models={"default": open_at(dialect, address)}) as rt:

        async def ask() -> int:
            assert await rt.run(answer) == said
            return tokens

        yield ask
