"""The model seam: a backend is one method, `stream` (M1).

Complete answers, structured output, tool loops, retries and fallbacks are built on it once, for all backends. A backend
raises nothing from `stream` for what goes wrong with the model: it ends the stream in `Failed`. It never retries.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import Frozen, Request


class Capabilities(Frozen):
    """What a backend can do natively. `None` means that nobody knows before trying."""

    streaming: bool = True
    tools: bool | None = None
    json_schema: bool | None = None
    seed: bool | None = None
    context_tokens: int | None = None


@runtime_checkable
class Backend(Protocol):
    """Where tokens come from."""

    @property
    def name(self) -> str:
        """What errors and records call it, such as `openai_chat:gpt-x`. Never a secret (M9)."""
        raise NotImplementedError

    @property
    def capabilities(self) -> Capabilities:
        """What it can do natively."""
        raise NotImplementedError

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer `request` as events that end in exactly one `Finished` or `Failed`.

        Closing the generator or cancelling its task stops the work at the source (the connection is closed, the
        sampling loop ends) and waits for that; other requests on the same backend are not disturbed.
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """Give back what the backend holds. Idempotent."""
