"""A backend that speaks the OpenAI chat dialect over HTTP: the API itself and the many servers that copied it.

The dialect is in `openai_request`, `openai_answer` and `openai_stream`, the differences between servers in `profiles`,
the network in `http`. What is left here is the order of things. A cancelled or closed stream closes its connection and
waits for that; nothing is ever retried.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from graphrt.backends.base import Capabilities
from graphrt.backends.classify import classify
from graphrt.backends.errors import BackendError, BadRequest
from graphrt.backends.events import Failed, StreamEvent
from graphrt.backends.http import Http, read
from graphrt.backends.messages import Request
from graphrt.backends.openai_answer import AnswerReader
from graphrt.backends.openai_request import request_body
from graphrt.backends.openai_stream import ChatStream
from graphrt.backends.profiles import OPENAI_LIKE, Profile

_ERROR_LIMIT = 256 << 10
_REFUSED = 300
"""The lowest status that is not an answer."""


class OpenAIChat:
    """One model behind one address.

    `base_url` is what stands before `/chat/completions`. `headers` go along with every request, for servers that want
    more than a key. `idle` is how many seconds may pass without a byte. The key is kept where no `repr` and no error
    shows it (M9).
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        key: str | SecretStr | None = None,
        profile: Profile = OPENAI_LIKE,
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        self.model = model
        self.profile = profile
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        if "@" in urlsplit(base_url).netloc:
            raise ValueError("base_url holds a password; give it as key or headers, where nobody shows it")
        key = key.get_secret_value() if isinstance(key, SecretStr) else key
        self._key = _header("the key", key) if key else None
        self._headers = {name: _header(name, value) for name, value in (headers or {}).items()}
        self._http = Http(connect=connect, idle=idle)

    def __repr__(self) -> str:
        return f"OpenAIChat({self.name!r})"

    @property
    def name(self) -> str:
        """The provider and the model."""
        return f"{self.profile.provider}:{self.model}"

    @property
    def capabilities(self) -> Capabilities:
        """What the profile says of the server; what depends on the model is unknown."""
        return Capabilities(
            json_schema=None if self.profile.output == "json_schema" else False,
            seed=None if "seed" in self.profile.settings else False,
        )

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer `request`. Closing the generator closes the connection, which is how the server learns to stop."""
        secrets = self._secrets()
        try:
            body, warnings = request_body(request, model=self.model, profile=self.profile)
            payload = _payload(body)
        except BackendError as error:
            yield Failed(error)
            return
        chat = ChatStream(self.profile, self.model, warnings=warnings, secrets=secrets)
        answer = AnswerReader(chat, provider=self.profile.provider, secrets=secrets)
        try:
            async with self._http.post(self._url, headers=self._wire_headers(), body=payload) as reply:
                if reply.status >= _REFUSED:
                    words = await read(reply.chunks, limit=_ERROR_LIMIT)
                    refusal = classify(
                        reply.status, reply.headers, words, provider=self.profile.provider, secrets=secrets
                    )
                    for event in answer.broken(refusal):
                        yield event
                    return
                async for chunk in reply.chunks:
                    for event in answer.feed(chunk):
                        yield event
                    if answer.closed:
                        return
            for event in answer.end():
                yield event
        except BackendError as error:
            for event in answer.broken(error):
                yield event

    async def aclose(self) -> None:
        """Close the connections. Idempotent."""
        await self._http.aclose()

    def _wire_headers(self) -> dict[str, str]:
        # a compressed stream would wait in the compressor for more
        headers = {"accept": "text/event-stream", "accept-encoding": "identity", "content-type": "application/json"}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key.get_secret_value()}"
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
