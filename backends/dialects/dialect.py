"""A dialect: how one wire format asks and answers, as two pure halves (M1).

    write:  Request -> Asked          path, body, and what will not be honoured
    read:   bytes   -> StreamEvent    a Reader, fed as the bytes come

A dialect knows no socket and no key; `remote.Remote` puts it on the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.answering import Answering
from graphrt.backends.errors import BackendError, UnsupportedSetting
from graphrt.backends.events import StreamEvent, Warned
from graphrt.backends.messages import Request


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it goes out. `path` follows the base URL; `headers` are the dialect's own, without the key."""

    path: str
    body: Mapping[str, Any]
    warnings: tuple[Warned, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """The bytes of a successful answer in, events out."""

    @property
    def closed(self) -> bool:
        """Whether the terminal event is out: there is nothing left to read for."""
        raise NotImplementedError

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes."""
        raise NotImplementedError

    def end(self) -> list[StreamEvent]:
        """The connection was closed in order."""
        raise NotImplementedError

    def broken(self, error: BackendError) -> list[StreamEvent]:
        """The connection broke, or the server refused."""
        raise NotImplementedError


class Dialect(Protocol):
    """One wire format, as one provider speaks it."""

    @property
    def provider(self) -> str:
        """What errors call it, and what its opaque payloads are tagged with."""
        raise NotImplementedError

    @property
    def capabilities(self) -> Capabilities:
        """What it can do natively, as far as that does not depend on the model."""
        raise NotImplementedError

    def write(self, request: Request, model: str) -> Asked:
        """Write a request. Raises BadRequest for one that contradicts itself; UnsupportedSetting where it is strict and
        something cannot be honoured (M6)."""
        raise NotImplementedError

    def read(self, answer: Answering, *, secrets: tuple[str, ...] = ()) -> Reader:
        """Return what reads an answer and tells it to `answer`. `secrets` are taken out of what the provider says."""
        raise NotImplementedError


def honest(warnings: list[Warned], request: Request, provider: str) -> tuple[Warned, ...]:
    """Return the warnings, or raise the first of them where the request is strict (M6)."""
    if warnings and request.settings.strict:
        raise UnsupportedSetting(f"{warnings[0].setting}: {warnings[0].message}", provider=provider)
    return tuple(warnings)


def extended(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with the caller's own fields, which have the last word. Tools are joined: who asks for a search of
    the provider's does not mean to lose the rest."""
    whole, own = {**body, **extra}, extra.get("tools")
    if "tools" in body and isinstance(own, (list, tuple)):
        whole["tools"] = [*body["tools"], *own]
    return whole


def merged(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with the caller's own fields as `extended` does, objects merged at every depth: where an API keeps
    its settings in objects, a thinking budget does not undo `top_k`."""
    whole = extended(body, extra)
    for name in body.keys() & extra.keys():
        there, value = body[name], extra[name]
        if isinstance(there, Mapping) and isinstance(value, Mapping):
            whole[name] = merged(there, value)
    return whole
