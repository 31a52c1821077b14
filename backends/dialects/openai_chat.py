"""The OpenAI chat dialect: the API itself and the many servers that copied it.

What goes out is in `openai_request`, what comes back in `openai_stream`, the differences between servers in `profiles`.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.dialect import Asked
from graphrt.backends.dialects.openai_request import request_body
from graphrt.backends.dialects.openai_stream import ChatStream
from graphrt.backends.dialects.profiles import OPENAI_LIKE, Profile
from graphrt.backends.keys import Key
from graphrt.backends.messages import Request
from graphrt.backends.remote import Auth, Remote, bearer
from graphrt.backends.wire.reading import EventReader


class ChatDialect:
    """The dialect as one server speaks it: a `Dialect`. `query` goes after the path of every request."""

    def __init__(self, profile: Profile = OPENAI_LIKE, *, query: str = "") -> None:
        self.profile = profile
        self._path = "/chat/completions" + (f"?{query}" if query else "")

    @property
    def provider(self) -> str:
        """The profile's."""
        return self.profile.provider

    @property
    def capabilities(self) -> Capabilities:
        """What the profile says of the server; what depends on the model is unknown."""
        return Capabilities(
            json_schema=None if self.profile.output == "json_schema" else False,
            json_object=self.profile.output == "json_object",
            seed=None if "seed" in self.profile.settings else False,
        )

    def write(self, request: Request, model: str) -> Asked:
        """See Dialect.write."""
        body, warnings = request_body(request, model=model, profile=self.profile)
        return Asked(self._path, body, tuple(warnings))

    def read(self, answer: Answering, *, secrets: tuple[str, ...] = ()) -> EventReader:
        """See Dialect.read."""
        stream = ChatStream(self.profile, answer, secrets=secrets)
        return EventReader(stream, provider=self.provider, secrets=secrets)


class OpenAIChat(Remote):
    """One model behind one server of the dialect. See Remote; `base_url` is what stands before `/chat/completions`, and
    `query` what goes after it."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        key: Key = None,
        profile: Profile = OPENAI_LIKE,
        query: str = "",
        auth: Auth = bearer,
        headers: Mapping[str, str] | None = None,
        connect: float = 10.0,
        idle: float = 300.0,
    ) -> None:
        super().__init__(
            ChatDialect(profile, query=query),
            model,
            base_url=base_url,
            key=key,
            auth=auth,
            headers=headers,
            connect=connect,
            idle=idle,
        )
        self.profile = profile
