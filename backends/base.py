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
    usage: bool | None = None
    """Whether it tells how many tokens an answer was."""
    tools: bool | None = None
    parallel_tools: bool | None = None
    """Whether one answer may hold several calls."""
    forced_tool: bool | None = None
    """Whether it can be made to call one tool."""
    json_schema: bool | None = None
    """Whether it keeps an answer to a JSON Schema."""
    open_schemas: bool | None = None
    """Whether it takes every schema; False where `schemas.ANTHROPIC` say which ones, as of objects with free names."""
    json_object: bool | None = None
    """Whether it answers in JSON at least where it does not keep to the schema of a request."""
    seed: bool | None = None
    images: bool | None = None
    reasoning: bool | None = None
    """Whether it can think before it answers."""
    context_tokens: int | None = None
    batch_invariant: bool | None = None
    """Whether the same request and seed give the same tokens whatever is computed beside it."""


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
