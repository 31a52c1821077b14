"""The OpenAI Responses API, spoken without memory on the server: OpenAI itself and the servers that copied it.

What goes out is in `responses_request`, what comes back in `responses_stream`.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.dialect import Asked
from graphrt.backends.dialects.responses_request import OPENAI, Variant, request_body
from graphrt.backends.dialects.responses_stream import ResponsesStream
from graphrt.backends.keys import Key
from graphrt.backends.messages import Request
from graphrt.backends.remote import Auth, Remote, bearer
from graphrt.backends.wire.reading import EventReader


class ResponsesDialect:
    """The dialect as one server speaks it: a `Dialect`."""

    def __init__(self, variant: Variant = OPENAI) -> None:
        self.variant = variant

    @property
    def provider(self) -> str:
        """The variant's."""
        return self.variant.provider

    @property
    def capabilities(self) -> Capabilities:
        """The API has no seed; what depends on the model is unknown."""
        return Capabilities(seed=False)

    def write(self, request: Request, model: str) -> Asked:
        """See Dialect.write."""
        body, warnings = request_body(request, model=model, variant=self.variant)
        return Asked("/responses", body, warnings)

    def read(self, answer: Answering, *, secrets: tuple[str, ...] = ()) -> EventReader:
        """See Dialect.read."""
        return EventReader(ResponsesStream(answer, secrets=secrets), provider=self.provider, secrets=secrets)


class OpenAIResponses(Remote):
    """One model behind one server of the dialect. See Remote; `base_url` is what stands before `/responses`."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str = "https://api.openai.com/v1",
        key: Key = None,
        variant: Variant = OPENAI,
        auth: Auth = bearer,
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        super().__init__(
            ResponsesDialect(variant),
            model,
            base_url=base_url,
            key=key,
            auth=auth,
            headers=headers,
            connect=connect,
            idle=idle,
        )
