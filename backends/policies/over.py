"""What every policy over one backend has in common: it is called what the backend is called, can what it can, and
closes it.

A policy does not change who answers, so records and prices go by the name of the backend behind it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing

from graphrt.backends.base import Backend, Capabilities
from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import Request
from graphrt.backends.uri import open_backend


class Over:
    """One backend behind a policy. A string is opened by `open_backend`, which may raise BindingError."""

    def __init__(self, backend: Backend | str) -> None:
        self.inner = open_backend(backend) if isinstance(backend, str) else backend

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"

    @property
    def name(self) -> str:
        """The name of the backend behind it."""
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        """What the backend behind it can do."""
        return self.inner.capabilities

    async def aclose(self) -> None:
        """Close the backend behind it. Idempotent."""
        await self.inner.aclose()

    def asking(self, request: Request) -> AbstractAsyncContextManager[AsyncGenerator[StreamEvent]]:
        """Ask the backend behind it, for as long as the block lasts: leaving it closes the stream, and waits for
        that."""
        return aclosing(self.inner.stream(request))
