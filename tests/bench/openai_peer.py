"""The OpenAI SDK: a streamed answer of the chat API and one of the Responses API, read as its users read them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.spoken import MODEL, PROMPT
from tests.bench.ways import Ask


@asynccontextmanager
async def chat(address: str) -> AsyncIterator[Ask]:
    """See tests.bench.ways.Way.open."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=address, api_key="sk-none", max_retries=0) as client:

        async def ask() -> int:
            told = 0
            async for chunk in await client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": PROMPT}], stream=True
            ):
                told += bool(chunk.choices and chunk.choices[0].delta.content)
            return told

        yield ask


@asynccontextmanager
async def responses(address: str) -> AsyncIterator[Ask]:
    """See tests.bench.ways.Way.open."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=address, api_key="sk-none", max_retries=0) as client:

        async def ask() -> int:
            told = 0
            async for event in await client.responses.create(model=MODEL, input=PROMPT, stream=True):
                told += event.type == "response.output_text.delta"
            return told

        yield ask
