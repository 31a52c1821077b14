"""What models can do, as data: by who serves them and by the family in their name (M6).

    capabilities_of("deepseek", "deepseek-reasoner", …)  -> tools, no schema, not to be made to call a tool

Written down is what a provider documents or was seen to do; everything else is None, which means "try it". A server of
one's own can do what it was started with, and routers what stands behind them: of those little is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphrt.backends.base import Capabilities
from graphrt.backends.dialects.anthropic_request import traits_of


def capabilities_of(provider: str, model: str, said: Capabilities) -> Capabilities:
    """Return what a model can do. `said` is what the dialect says of the server, and has the last word: it knows what
    it can put into a request."""
    known: dict[str, Any] = {}
    for row in _ROWS:
        if provider in row.providers and row.family.search(model.lower()):
            known |= _facts(row.can)
    if provider in _CLAUDE or (provider == "bedrock" and "claude" in model.lower()):
        known |= _facts(_claude(model))
    return said.model_copy(update=known | _facts(said))


def _facts(can: Capabilities) -> dict[str, Any]:
    return {name: value for name, value in can if value is not None}


@dataclass(frozen=True, slots=True)
class _Row:
    """What is known of one family, at some providers. Later rows have the last word."""

    providers: frozenset[str]
    family: re.Pattern[str]
    can: Capabilities


def _row(providers: str, family: str, **facts: Any) -> _Row:
    return _Row(frozenset(providers.split()), re.compile(family), Capabilities(**facts))


_OPENAI = "openai openai_responses"
_GOOGLE = "google google_vertex"
_CLAUDE = frozenset({"anthropic", "bedrock_anthropic", "vertex_anthropic"})

_COUNTING = (
    f"{_OPENAI} {_GOOGLE} anthropic bedrock_anthropic vertex_anthropic bedrock cohere openrouter groq deepseek mistral "
    "xai together cerebras ollama vllm llama_server tgi"
)

_ROWS: Sequence[_Row] = (
    _row(_COUNTING, r"", usage=True),
    _row(_OPENAI, r"\A(ft:)?gpt-", tools=True, parallel_tools=True, forced_tool=True),
    _row(_OPENAI, r"\A(ft:)?gpt-(3\.5|4(?![\d.o]))", json_schema=False, reasoning=False),
    _row(_OPENAI, r"\A(ft:)?gpt-4(o|\.1)", json_schema=True, images=True, reasoning=False),
    _row(_OPENAI, r"\Agpt-[5-9]", json_schema=True, images=True),
    _row(_OPENAI, r"\Agpt-[5-9](?!.*chat)", reasoning=True),
    _row(_OPENAI, r"\Ao(3|4-mini)", tools=True, json_schema=True, reasoning=True),
    _row("openai", r"\A(ft:)?gpt-(3\.5|4)", seed=True),
    _row("deepseek", r"", tools=True, parallel_tools=True, json_schema=False),
    _row("deepseek", r"\Adeepseek-chat", forced_tool=True, context_tokens=1_048_565),
    # what thinks there refuses to be made to call a tool
    _row("deepseek", r"\Adeepseek-(reasoner|v4)", forced_tool=False, reasoning=True),
    _row("mistral", r"", tools=True, parallel_tools=True, forced_tool=True, json_schema=True, seed=True),
    _row("mistral", r"\A(pixtral|mistral-(medium|large)-latest)", images=True),
    _row("mistral", r"\Amagistral", reasoning=True),
    _row("xai", r"\Agrok-", tools=True, parallel_tools=True, forced_tool=True),
    _row("xai", r"\Agrok-4", json_schema=True),
    _row("xai", r"\Agrok-(3-mini|4|code-fast)(?!.*non-reasoning)", reasoning=True),
    _row("groq", r"gpt-oss|llama-4|kimi", tools=True),
    _row("groq", r"llama-4", forced_tool=True),
    _row("groq", r"gpt-oss|deepseek-r1|qwen3", reasoning=True),
    _row("groq", r"llama-4", images=True),
    _row("perplexity", r"\Asonar", tools=False, json_schema=True),
    _row("perplexity", r"\Asonar-(reasoning|deep)", reasoning=True),
    _row("databricks", r"claude", tools=True),
    # other families refuse tools there, and take no notice of a schema
    _row("snowflake", r"\A(?!claude|openai-)", tools=False, json_schema=False),
    _row("snowflake", r"\A(claude|openai-)", tools=True, json_schema=True),
    _row("zai", r"\Aglm-", tools=True),
    _row("zai", r"\Aglm-(4\.[5-9]|5)(?!v)", reasoning=True),
    _row("moonshot", r"", tools=True),
    _row("moonshot", r"\A(?!kimi-k3)", forced_tool=False),
    _row("moonshot", r"\A(?!kimi-(k2\.[6-9]|k3))", json_schema=False),
    _row("moonshot", r"\Akimi-(k2-thinking|k2\.[5-9]|k3)", reasoning=True),
    _row("moonshot", r"\Akimi-(k2\.[6-9]|k3)", json_schema=True),
    _row("alibaba", r"\Aqwen", tools=True),
    _row("alibaba", r"\A(qwq|qvq|qwen3.*-thinking)", reasoning=True),
    _row("cohere", r"\Acommand-[ar]", tools=True, parallel_tools=True, forced_tool=True, json_schema=True, seed=True),
    _row("cohere", r"\Acommand-a-(reasoning|plus)", reasoning=True),
    _row("cohere", r"\Acommand-a-(vision|plus)", images=True),
    _row("cohere", r"\Acommand-a-03-2025", context_tokens=288_000),
    _row(_GOOGLE, r"gemini-", parallel_tools=True, forced_tool=True),
    _row(_GOOGLE, r"gemini-(2\.5|3)", images=True),
    _row(_GOOGLE, r"gemini-(2\.5|3)(?!.*-(image|tts|live))", reasoning=True),
    _row(_GOOGLE, r"gemini-2\.5-(flash|pro)(?!.*-(image|tts|live))", context_tokens=1_048_576),
    _row("bedrock", r"", open_schemas=False),
    _row("bedrock", r"nova|claude", tools=True, parallel_tools=True),
    # they keep to schemas by a grammar
    _row("vllm llama_server lmstudio tgi", r"", json_schema=True),
    # hosted, it accepts a schema and does not keep to it; `tool_choice` is nothing to it
    _row("ollama", r"", forced_tool=False, seed=True),
)


def _claude(model: str) -> Capabilities:
    """Return what the traits of a model of Anthropic's come to."""
    traits = traits_of(model)
    name = model.lower().replace(".", "-")
    return Capabilities(
        tools=True,
        parallel_tools=True,
        forced_tool=traits.forced_tools,
        json_schema=traits.schemas,
        open_schemas=False,
        images=True if re.search(r"claude-(3-(?!5-haiku)|\w+-[4-9])", name) else None,
        reasoning=None if traits.thinking is None else traits.thinking != "never",
        context_tokens=200_000 if "haiku-4-5" in name else None,
    )
