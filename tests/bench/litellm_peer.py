"""LiteLLM: a streamed answer of the chat API and one of Anthropic's, both told as chunks of the chat API."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tests.bench.spoken import MODEL, PROMPT
from tests.bench.ways import Ask

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for its prices as it is imported


def chat(address: str) -> AbstractAsyncContextManager[Ask]:
    """See tests.bench.ways.Way.open."""
    return _completion(f"openai/{MODEL}", address)


def messages(address: str) -> AbstractAsyncContextManager[Ask]:
    """See tests.bench.ways.Way.open."""
    return _completion("anthropic/claude-opus-4-5", address)


@asynccontextmanager
async def _completion(model: str, address: str) -> AsyncIterator[Ask]:
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False

    async def ask() -> int:
        told = 0
        async for chunk in await litellm.acompletion(
            model=model,
            messages=[{"role": "user", "content": PROMPT}],
            api_base=address,
            api_key="sk-none",
            stream=True,
        ):
            told += bool(chunk.choices and chunk.choices[0].delta.content)
        return told

    yield ask
