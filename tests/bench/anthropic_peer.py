"""The Anthropic SDK: a streamed answer as plain events, and through the helper that builds the message meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.spoken import PROMPT
from tests.bench.ways import Ask

_MODEL = "claude-opus-4-5"


@asynccontextmanager
async def events(address: str) -> AsyncIterator[Ask]:
    """See tests.bench.ways.Way.open."""
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(base_url=address, api_key="sk-none", max_retries=0) as client:

        async def ask() -> int:
            told = 0
            async for event in await client.messages.create(
                model=_MODEL, max_tokens=1024, messages=[{"role": "user", "content": PROMPT}], stream=True
            ):
                told += event.type == "content_block_delta"
            return told

        yield ask


@asynccontextmanager
async def helper(address: str) -> AsyncIterator[Ask]:
    """See tests.bench.ways.Way.open."""
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(base_url=address, api_key="sk-none", max_retries=0) as client:

        async def ask() -> int:
            told = 0
            async with client.messages.stream(
                model=_MODEL, max_tokens=1024, messages=[{"role": "user", "content": PROMPT}]
            ) as stream:
                async for event in stream:
                    told += event.type == "text"
            return told

        yield ask
