"""A model behind an address: a dialect, a key and a connection.

A cancelled or closed stream closes its connection and waits for that; nothing is ever retried.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio.to_thread
from pydantic import SecretStr

from graphrt.backends.base import Capabilities
from graphrt.backends.capabilities import capabilities_of
from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.dialect import Dialect
from graphrt.backends.errors import BackendError, BadRequest
from graphrt.backends.events import Failed, Finished, StreamEvent
from graphrt.backends.messages import Request
from graphrt.backends.wire.classify import classify
from graphrt.backends.wire.http import Http, drain, read
from graphrt.backends.wire.ratelimits import rate_limits

_ERROR_LIMIT = 256 << 10
_REFUSED = 300
"""The lowest status that is not an answer."""

Auth = Callable[[str], Mapping[str, str]]
"""From a key to the headers that carry it."""
Sign = Callable[[str, str, Mapping[str, str], bytes], Mapping[str, str]]
"""From a request's method, address, headers and body to the headers that sign it, for servers that want more than a
key. It may wait for credentials: it runs in a thread. Raises only BackendError."""


def bearer(key: str) -> Mapping[str, str]:
    """Carry a key as most servers want it."""
    return {"authorization": f"Bearer {key}"}


class Remote:
    """One model behind one address.

    `base_url` is what stands before the dialect's own path. `auth` puts the key into headers, `sign` makes headers of
    the whole request, and `headers` go along with every one. `idle` is how many seconds may pass without a byte. The
    key is kept where no `repr` and no error shows it (M9).
    """

    def __init__(
        self,
        dialect: Dialect,
        model: str,
        *,
        base_url: str,
        key: str | SecretStr | None = None,
        auth: Auth = bearer,
        sign: Sign | None = None,
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        self.model = model
        self.dialect = dialect
        self._base_url = base_url.rstrip("/")
        if "@" in urlsplit(base_url).netloc:
            raise ValueError("base_url holds a password; give it as key or headers, where nobody shows it")
        key = key.get_secret_value() if isinstance(key, SecretStr) else key
        self._key = _header("the key", key) if key else None
        self._auth = auth
        self._sign = sign
        self._headers = {name: _header(name, value) for name, value in (headers or {}).items()}
        self._http = Http(connect=connect, idle=idle)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def name(self) -> str:
        """The provider and the model."""
        return f"{self.dialect.provider}:{self.model}"

    @property
    def capabilities(self) -> Capabilities:
        """What the dialect says of the server, and what is known of the model."""
        return capabilities_of(self.dialect.provider, self.model, self.dialect.capabilities)

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer `request`. Closing the generator closes the connection, which is how the server learns to stop."""
        provider = self.dialect.provider
        try:
            asked = self.dialect.write(request, self.model)
            payload = _payload(asked.body)
            url, headers = self._base_url + asked.path, self._wire_headers(asked.headers)
            signed = await self._signed(url, headers, payload)
        except BackendError as error:
            yield Failed(error)
            return
        # a server that finds a signature wrong quotes what it was made of
        secrets = (*self._secrets(), *signed.values())
        headers |= signed
        answer = Answering(provider, self.model, warnings=asked.warnings)
        reader = self.dialect.read(answer, secrets=secrets)
        try:
            async with self._http.post(url, headers=headers, body=payload) as reply:
                answer.limits = rate_limits(reply.headers)
                if reply.status >= _REFUSED:
                    words = await read(reply.chunks, limit=_ERROR_LIMIT)
                    refusal = classify(reply.status, reply.headers, words, provider=provider, secrets=secrets)
                    for event in reader.broken(refusal):
                        yield event
                    return
                async for chunk in reply.chunks:
                    for event in reader.feed(chunk):
                        if isinstance(event, Finished):
                            # before it is told: whoever hears it may leave at once
                            await drain(reply.chunks)
                        yield event
                    if reader.closed:
                        return
            for event in reader.end():
                yield event
        except BackendError as error:
            for event in reader.broken(error):
                yield event

    async def aclose(self) -> None:
        """Close the connections. Idempotent."""
        await self._http.aclose()

    async def _signed(self, url: str, headers: Mapping[str, str], payload: bytes) -> Mapping[str, str]:
        if self._sign is None:
            return {}
        return await anyio.to_thread.run_sync(self._sign, "POST", url, headers, payload)

    def _wire_headers(self, own: Mapping[str, str]) -> dict[str, str]:
        # a compressed stream would wait in the compressor for more
        headers = {"accept": "text/event-stream", "accept-encoding": "identity", "content-type": "application/json"}
        headers |= own
        if self._key is not None:
            headers |= self._auth(self._key.get_secret_value())
        return headers | {name: value.get_secret_value() for name, value in self._headers.items()}

    def _secrets(self) -> tuple[str, ...]:
        kept = [*self._headers.values(), *([self._key] if self._key is not None else [])]
        return tuple(secret.get_secret_value() for secret in kept)


def _header(name: str, value: str) -> SecretStr:
    """A value that a header can carry. A file's newline at the end of a key is common, and no part of it."""
    value = value.strip()
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{name} holds characters that no header can carry")
    return SecretStr(value)


def _payload(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise BadRequest(f"the request is no JSON: {error}") from error
