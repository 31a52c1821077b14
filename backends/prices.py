"""From a model's name and its usage to money.

    prices = Prices({"openai:gpt-x": Price(input=2.5, output=10, cache_read=0.25)})
    prices.cost("openai:gpt-x", Usage(input=1200, output=80))    # Decimal("0.0038")

A table of one's own wins. What it does not hold is looked up in the package `genai-prices`, if the extra
`graphrt[prices]` is installed: its table comes with it, nothing is fetched, and it is imported by the first look-up.
What nobody knows a price of costs None, never 0. Nothing here waits, and there is nothing to interrupt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, NamedTuple

from graphrt.backends.events import Usage

PACKAGE = "genai-prices"
"""Where prices are from that no table of one's own holds."""

_MILLION = 1_000_000

_SELLERS: Mapping[str, str] = MappingProxyType(
    {
        "openai": "openai",
        "openai_responses": "openai",
        "anthropic": "anthropic",
        "vertex_anthropic": "google",
        "bedrock_anthropic": "aws",
        "bedrock": "aws",
        "google": "google",
        "google_vertex": "google",
        "cohere": "cohere",
        "openrouter": "openrouter",
        "groq": "groq",
        "deepseek": "deepseek",
        "mistral": "mistral",
        "xai": "x-ai",
        "together": "together",
        "cerebras": "cerebras",
        "azure": "azure",
        "perplexity": "perplexity",
        "databricks": "databricks",
        "cloudflare": "cloudflare",
        "zai": "zai",
        "moonshot": "moonshotai",
    }
)
"""From our providers to the package's. Servers of one's own (vLLM, Ollama, llama.cpp) are nobody's there: the package
would find a seller by any name that looks like one."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in US dollars a million tokens. Where `cache_read` or `cache_write` is None, these tokens
    cost what other input does."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(f"{name}={value}: a price is a number of dollars a million tokens, 0 or more")

    def of(self, usage: Usage) -> Decimal | None:
        """Return what `usage` costs in US dollars; None if it does not say enough, or contradicts itself."""
        if usage.input is None or usage.output is None:
            return None
        read, write = usage.cache_read or 0, usage.cache_write or 0
        counts = (usage.input - read - write, usage.output, read, write)
        if min(counts) < 0:
            return None
        rates = (self.input, self.output, _or(self.cache_read, self.input), _or(self.cache_write, self.input))
        return (
            sum((count * Decimal(str(rate)) for count, rate in zip(counts, rates, strict=True)), Decimal()) / _MILLION
        )


def _or(rate: float | None, other: float) -> float:
    return other if rate is None else rate


class Quote(NamedTuple):
    """What an answer costs, in US dollars, and whose price that is: `own`, or the package and its version."""

    dollars: Decimal
    source: str


OWN = "own"


class Prices:
    """What models cost: `own` by name, then what the package knows.

    A name of `own` is what a backend is called, `provider:model`, or the provider alone for all of its models, as in
    `{"vllm": Price(input=0, output=0)}`. The name with the model that says it answered is tried first.
    """

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        self._own = dict(own or {})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._own!r})"

    @cached_property
    def package(self) -> str | None:
        """The package and its version, such as `genai-prices 1.2.3`: its prices are as of then. None without it."""
        return f"{PACKAGE} {version(PACKAGE)}" if find_spec("genai_prices") is not None else None

    def cost(
        self, backend: str, usage: Usage, *, answered_by: str | None = None, at: float | None = None
    ) -> Decimal | None:
        """Return what one answer costs in US dollars; None if that is not known. See `quote`."""
        found = self.quote(backend, usage, answered_by=answered_by, at=at)
        return None if found is None else found.dollars

    def quote(
        self, backend: str, usage: Usage, *, answered_by: str | None = None, at: float | None = None
    ) -> Quote | None:
        """Return what one answer costs, and by whose price; None if its price or its usage is not known.

        `backend` is the backend's name, `answered_by` the model that says it answered, where that differs, and `at`
        when it did, in seconds since the epoch: prices change. None is now.
        """
        if usage.input is None or usage.output is None:
            return None
        provider, _, model = backend.partition(":")
        models = [name for name in (answered_by, model) if name]
        mine = next((self._own[name] for name in _names(provider, models, backend) if name in self._own), None)
        if mine is not None:
            return _quote(mine.of(usage), OWN)
        seller = _SELLERS.get(provider)
        if seller is None or self.package is None:
            return None
        when = None if at is None else datetime.fromtimestamp(at, UTC)
        listed = (_listed(seller, each, usage, when) for each in models)
        return _quote(next((dollars for dollars in listed if dollars is not None), None), self.package)


def _names(provider: str, models: Sequence[str], backend: str) -> list[str]:
    """What a table of one's own may call a model, the most exact name first."""
    return [*(f"{provider}:{model}" for model in models), backend, provider]


def _quote(dollars: Decimal | None, source: str) -> Quote | None:
    return None if dollars is None else Quote(dollars, source)


def _listed(seller: str, model: str, usage: Usage, when: datetime | None) -> Decimal | None:
    """Look a price up in the package."""
    package: Any = import_module("genai_prices")
    counts = package.Usage(
        input_tokens=usage.input,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
    )
    try:
        found = package.calc_price(counts, model, provider_id=seller, genai_request_timestamp=when)
    except (LookupError, ValueError):  # no such model, or counts that contradict each other
        return None
    # The package knows models whose price it does not know, and takes what has no price for free.
    if found.model_price.input_mtok is None or (usage.output and found.model_price.output_mtok is None):
        return None
    return Decimal(found.total_price)
