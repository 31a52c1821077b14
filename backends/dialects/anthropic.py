"""The Anthropic Messages dialect: the API itself, and the same API as Vertex and Bedrock offer it.

What goes out is in `anthropic_request`, with what differs between models and places; what comes back is in
`anthropic_stream`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.anthropic_request import DIRECT, Place, request_body, vertex
from graphrt.backends.dialects.anthropic_stream import AnthropicStream
from graphrt.backends.dialects.dialect import Asked
from graphrt.backends.keys import Key
from graphrt.backends.messages import Request
from graphrt.backends.remote import Remote
from graphrt.backends.wire.reading import EventReader


class AnthropicDialect:
    """The dialect as one place speaks it: a `Dialect`. It reads server-sent events; Bedrock frames them differently."""

    def __init__(self, place: Place = DIRECT) -> None:
        self.place = place

    @property
    def provider(self) -> str:
        """The place's."""
        return self.place.provider

    @property
    def capabilities(self) -> Capabilities:
        """Tools everywhere, seeds nowhere; what depends on the model is unknown."""
        return Capabilities(tools=True, seed=False)

    def write(self, request: Request, model: str) -> Asked:
        """See Dialect.write."""
        body, warnings = request_body(request, model=model, place=self.place)
        return Asked(self.place.path.format(model=quote(model, safe="@:")), body, warnings, self.place.headers)

    def read(self, answer: Answering, *, secrets: tuple[str, ...] = ()) -> EventReader:
        """See Dialect.read."""
        return EventReader(AnthropicStream(answer, secrets=secrets), provider=self.provider, secrets=secrets)


def x_api_key(key: str) -> Mapping[str, str]:
    """Carry a key as the API wants it."""
    return {"x-api-key": key}


class Anthropic(Remote):
    """One model of the API. See Remote; `betas` are what the API calls its features on trial."""

    def __init__(
        self,
        model: str,
        *,
        key: Key = None,
        base_url: str = "https://api.anthropic.com",
        betas: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        beta = {"anthropic-beta": ",".join(betas)} if betas else {}
        super().__init__(
            AnthropicDialect(),
            model,
            base_url=base_url,
            key=key,
            auth=x_api_key,
            headers={**beta, **(headers or {})},
            connect=connect,
            idle=idle,
        )


class VertexAnthropic(Remote):
    """One model of the API on Vertex. `key` is an access token of Google's; `location` is a region, `us`, `eu` or
    `global`."""

    def __init__(
        self,
        model: str,
        *,
        project: str,
        location: str = "global",
        key: Key = None,
        base_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        super().__init__(
            AnthropicDialect(vertex(project, location)),
            model,
            base_url=base_url or f"https://{_host(location)}",
            key=key,
            headers=headers,
            connect=connect,
            idle=idle,
        )


def _host(location: str) -> str:
    match location:
        case "global":
            return "aiplatform.googleapis.com"
        case "us" | "eu":
            return f"aiplatform.{location}.rep.googleapis.com"
        case _:
            return f"{location}-aiplatform.googleapis.com"
