"""Google's generateContent dialect, as the Gemini API and Vertex AI speak it.

What goes out is in `gemini_request`, what comes back in `gemini_stream`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.dialect import Asked, honest
from graphrt.backends.dialects.gemini_request import request_body
from graphrt.backends.dialects.gemini_stream import GeminiStream
from graphrt.backends.keys import Key
from graphrt.backends.messages import Request
from graphrt.backends.remote import Auth, Remote, bearer
from graphrt.backends.wire.reading import EventReader

GEMINI_API = "https://generativelanguage.googleapis.com"


def google_key(key: str) -> Mapping[str, str]:
    """Carry a key as the Gemini API wants it."""
    return {"x-goog-api-key": key}


class GeminiDialect:
    """The dialect at one address: a `Dialect`. `root` is the path under which the models are."""

    def __init__(self, provider: str = "google", *, root: str = "/v1beta") -> None:
        self._provider = provider
        self._root = root.rstrip("/")

    @property
    def provider(self) -> str:
        """`google` or `google_vertex`: neither reads what the other one sealed."""
        return self._provider

    @property
    def capabilities(self) -> Capabilities:
        """What every model of the last generations can do."""
        return Capabilities(tools=True, json_schema=True, seed=True)

    def write(self, request: Request, model: str) -> Asked:
        """See Dialect.write. A model's name is `NAME`, or a path such as `tunedModels/NAME`."""
        body, warnings = request_body(request, model=model, provider=self.provider)
        named = model if "/" in model else f"models/{model}"
        path = f"{self._root}/{quote(named)}:streamGenerateContent?alt=sse"
        return Asked(path, body, honest(warnings, request, self.provider))

    def read(self, answer: Answering, *, secrets: tuple[str, ...] = ()) -> EventReader:
        """See Dialect.read."""
        return EventReader(GeminiStream(answer, secrets=secrets), provider=self.provider, secrets=secrets)


class Gemini(Remote):
    """One model of the Gemini API. See Remote; `base_url` is what stands before `/v1beta`."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str = GEMINI_API,
        key: Key = None,
        auth: Auth = google_key,
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        super().__init__(
            GeminiDialect(),
            model,
            base_url=base_url,
            key=key,
            auth=auth,
            headers=headers,
            connect=connect,
            idle=idle,
        )


class VertexGemini(Remote):
    """One of Google's models on Vertex AI. See Remote; `key` is an access token, which Google gives out for an hour."""

    def __init__(
        self,
        model: str,
        *,
        project: str,
        location: str = "global",
        base_url: str | None = None,
        key: Key = None,
        auth: Auth = bearer,
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        where = f"/v1beta1/projects/{quote(project, safe='')}/locations/{quote(location, safe='')}/publishers/google"
        super().__init__(
            GeminiDialect("google_vertex", root=where),
            model,
            base_url=base_url or vertex_address(location),
            key=key,
            auth=auth,
            headers=headers,
            connect=connect,
            idle=idle,
        )


def vertex_address(location: str) -> str:
    """Return where Vertex AI is for a location."""
    region = "" if location == "global" else f"{location}-"
    return f"https://{region}aiplatform.googleapis.com"
