"""The one seam to the network: a streaming POST, with httpx behind it and nothing of httpx in front of it.

    async with http.post(url, headers=…, body=…) as reply:
        async for chunk in reply.chunks: ...

Every failure of the client becomes one of ours, most specific first, with the cause kept. It never retries and never
follows a redirect (a key would go along). Leaving the block or being cancelled inside it closes the connection and
waits for that, unless the body has been read to its end: then the connection serves again. It runs on asyncio and on
trio.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import anyio
import anyio.lowlevel
import httpx

from graphrt.backends.errors import BackendError, BadRequest, ConnectionFailed, ServerError, TimedOut

_FAILURES: tuple[tuple[type[Exception], type[BackendError], str], ...] = (
    (httpx.ConnectTimeout, TimedOut, "no connection within {connect:g} s"),
    (httpx.ReadTimeout, TimedOut, "no data within {idle:g} s"),
    (httpx.WriteTimeout, TimedOut, "the request could not be sent within {idle:g} s"),
    (httpx.TimeoutException, TimedOut, "the connection pool was full for too long"),
    (httpx.ProxyError, ConnectionFailed, "the proxy refused"),
    (httpx.ConnectError, ConnectionFailed, "could not connect"),
    (httpx.UnsupportedProtocol, BadRequest, "not an address for http"),
    (httpx.LocalProtocolError, BadRequest, "the request is not valid http"),
    (httpx.RemoteProtocolError, ConnectionFailed, "the server broke off"),
    (httpx.DecodingError, ServerError, "the answer's compression is damaged"),
    (httpx.TransportError, ConnectionFailed, "the connection broke"),
    (httpx.InvalidURL, BadRequest, "not an address for http"),
    (httpx.RequestError, ConnectionFailed, "the request failed"),
    # httpx lets a socket that dies while it is being closed through as it is
    (anyio.ClosedResourceError, ConnectionFailed, "the connection broke"),
    (anyio.BrokenResourceError, ConnectionFailed, "the connection broke"),
)

_IDLE = 4.0
"""Seconds that a connection is kept without a request: less than the five after which many servers hang up."""
_LINGER = 0.05
"""Seconds to wait for the end of a body of which everything is known: less than a new connection takes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that has begun: its status, its headers (names in lower case) and its body, still arriving."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Http:
    """A lazily made connection pool.

    `connect` and `idle` are seconds: for a connection to stand, and between two arrivals of bytes. Deadlines for a
    whole answer are the runtime's. One pool serves one event loop; in a new loop a new one is made, since sockets can't
    move.
    """

    def __init__(self, *, connect: float = 10.0, idle: float = 300.0) -> None:
        self.connect = connect
        self.idle = idle
        self._clients: WeakKeyDictionary[object, httpx.AsyncClient] = WeakKeyDictionary()

    @asynccontextmanager
    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> AsyncGenerator[Reply]:
        """Send `body` and hand over the reply as soon as its headers are there. Raises only BackendError, there and in
        `chunks`."""
        with self._failures():
            request = self._open().build_request("POST", url, headers=dict(headers), content=body)
            response = await self._open().send(request, stream=True)
        chunks = self._chunks(response)
        try:
            yield Reply(response.status_code, dict(response.headers), chunks)
        finally:
            with suppress(BackendError):
                await response.aclose()
            # httpx reads through a tower of generators that closing the top one leaves hanging, for the collector to
            # find (trio warns of each). The connection is closed: one more step runs them all to their end.
            with suppress(BackendError, httpx.StreamError):
                async for _ in chunks:
                    pass

    async def aclose(self) -> None:
        """Close this event loop's pool. Idempotent; a later `post` opens a new one."""
        client = self._clients.pop(_loop(), None)
        if client is not None:
            await client.aclose()

    async def _chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        with self._failures():
            async for chunk in response.aiter_bytes():
                yield chunk

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except tuple(theirs for theirs, _, _ in _FAILURES) as error:
            kind, words = next((ours, words) for theirs, ours, words in _FAILURES if isinstance(error, theirs))
            # the library's complaint about a header quotes the header, and a header may be the key (M9)
            cause = None if isinstance(error, httpx.LocalProtocolError) else error
            raise kind(words.format(connect=self.connect, idle=self.idle)) from cause

    def _open(self) -> httpx.AsyncClient:
        client = self._clients.get(_loop())
        if client is None:
            client = self._clients[_loop()] = httpx.AsyncClient(
                verify=_tls(),
                timeout=httpx.Timeout(self.idle, connect=self.connect),
                # how many requests run at once is a policy, and policies live above this seam
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=_IDLE),
                # a proxy of the environment is for the world, not for a server on this machine
                mounts={"all://localhost": None, "all://127.0.0.1": None, "all://[::1]": None},
            )
        return client


def _loop() -> object:
    """The running event loop: sockets belong to it and die with it."""
    return anyio.lowlevel.current_token().native_token


@functools.cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates takes longer than a local answer: once is enough for all pools."""
    return httpx.create_ssl_context()


async def drain(chunks: AsyncIterator[bytes]) -> None:
    """Read on to the end of a body of which nothing more is wanted, so that its connection serves again.

    A body that does not end at once is given up, and its connection closed. Raises nothing.
    """
    with suppress(BackendError), anyio.move_on_after(_LINGER):
        async for _ in chunks:
            pass


async def read(chunks: AsyncIterator[bytes], *, limit: int) -> bytes:
    """The body, or its first `limit` bytes; of a body that breaks off, what had arrived."""
    got = bytearray()
    with suppress(BackendError):
        async for chunk in chunks:
            got += chunk
            if len(got) >= limit:
                break
    return bytes(got[:limit])
