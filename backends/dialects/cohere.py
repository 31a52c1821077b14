"""Cohere's chat API, version 2: `/v2/chat`.

What goes out is in `cohere_request`, what comes back in `cohere_stream`.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.cohere_request import PROVIDER, request_body
from graphrt.backends.dialects.cohere_stream import CohereStream
from graphrt.backends.dialects.dialect import Asked, honest
from graphrt.backends.keys import Key
from graphrt.backends.messages import Request
from graphrt.backends.remote import Remote
from graphrt.backends.wire.reading import EventReader

BASE_URL = "https://api.cohere.com"


class CohereDialect:
    """A `Dialect`."""

    @property
    def provider(self) -> str:
        """See Dialect.provider."""
        return PROVIDER

    @property
    def capabilities(self) -> Capabilities:
        """See Dialect.capabilities. A schema is promised only where no tools are offered."""
        return Capabilities()

    def write(self, request: Request, model: str) -> Asked:
        """See Dialect.write."""
        body, warnings = request_body(request, model=model)
        return Asked("/v2/chat", body, honest(warnings, request, PROVIDER))

    def read(self, answer: Answering, *, secrets: tuple[str, ...] = ()) -> EventReader:
        """See Dialect.read."""
        return EventReader(CohereStream(answer, secrets=secrets), provider=PROVIDER, secrets=secrets)


class Cohere(Remote):
    """One model of Cohere's. See Remote."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str = BASE_URL,
        key: Key = None,
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        super().__init__(
            CohereDialect(), model, base_url=base_url, key=key, headers=headers, connect=connect, idle=idle
        )
