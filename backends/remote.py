"""A model behind an address: a dialect, a key and a connection.

A cancelled or closed stream closes its connection and waits for that; nothing is ever retried.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from http import HTTPStatus
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
from graphrt.backends.keys import Held, Key, Quiet, header
from graphrt.backends.messages import Request
from graphrt.backends.wire.classify import classify
from graphrt.backends.wire.http import Http, drain, read
from graphrt.backends.wire.ratelimits import rate_limits
from graphrt.backends.wire.redaction import pieces

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
    the whole request, and `headers` go along with every one. `idle` is how many seconds may pass without a byte. `key`
    is one, or a function that gives one, called before each request (see `keys`); a 401 is then worth another try. It
    is kept where no `repr` and no error shows it (M9).
    """

    def __init__(
        self,
        dialect: Dialect,
        model: str,
        *,
        base_url: str,
        key: Key = None,
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
        self._key = Held(key)
        self._auth = auth
        self._sign = sign
        self._headers = {name: header(name, value) for name, value in (headers or {}).items()}
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
            key = await self._key.get(self.name)
            url, headers = self._base_url + asked.path, self._wire_headers(asked.headers, key)
            signed = await self._signed(url, headers, payload)
        except BackendError as error:
            yield Failed(error)
            return
        headers |= signed
        answer = Answering(provider, self.model, warnings=asked.warnings)
        reader = self.dialect.read(answer, secrets=self._secrets(key, signed))
        try:
            async with self._http.post(url, headers=headers, body=payload) as reply:
                answer.limits = rate_limits(reply.headers)
                if reply.status >= _REFUSED:
                    words, secrets = await read(reply.chunks, limit=_ERROR_LIMIT), self._secrets(key, signed)
                    refusal = classify(reply.status, reply.headers, words, provider=provider, secrets=secrets)
                    # a key that has expired meanwhile is another one the next time
                    refusal.retryable |= self._key.changes and reply.status == HTTPStatus.UNAUTHORIZED
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

    async def _signed(self, url: str, headers: Mapping[str, str], payload: bytes) -> Quiet:
        if self._sign is None:
            return Quiet()
        return Quiet(await anyio.to_thread.run_sync(self._sign, "POST", url, headers, payload))

    def _wire_headers(self, own: Mapping[str, str], key: SecretStr | None) -> Quiet:
        # a compressed stream would wait in the compressor for more
        headers = Quiet({"accept": "text/event-stream", "accept-encoding": "identity"})
        headers |= {"content-type": "application/json", **own}
        if key is not None:
            headers |= self._auth(key.get_secret_value())
        headers |= {name: value.get_secret_value() for name, value in self._headers.items()}
        return headers

    def _secrets(self, key: SecretStr | None, signed: Mapping[str, str]) -> tuple[str, ...]:
        """What to take out of a provider's words: one that finds a signature wrong quotes what it was made of."""
        sent = [*(value.get_secret_value() for value in self._headers.values()), *signed.values()]
        own = () if key is None else (key.get_secret_value(),)
        return (*own, *(piece for value in sent for piece in pieces(value)))


def _payload(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise BadRequest(f"the request is no JSON: {error}") from error
