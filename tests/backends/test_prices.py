"""From usage to money: a table of one's own, the package of prices, and None for what nobody knows (M4)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from importlib.metadata import version
from typing import Any

import pytest

from graphrt.backends import prices as module
from graphrt.backends.events import Usage
from graphrt.backends.prices import OWN, Price, Prices, Quote

GPT = Price(input=2.5, output=10, cache_read=0.25, cache_write=3)
THOUSAND = Usage(input=1000, output=1000)
AT = datetime(2026, 11, 1, tzinfo=UTC).timestamp()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is not installed."""
    monkeypatch.setattr(module, "find_spec", lambda name: None)


@pytest.fixture
def package() -> Any:
    return pytest.importorskip("genai_prices", reason="the prices extra is not installed")


# A table of one's own.


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (Usage(input=1000, output=0), "0.0025"),
        (Usage(input=0, output=1000), "0.01"),
        (Usage(input=1000, output=100, cache_read=400), "0.0026"),
        (Usage(input=1000, output=100, cache_read=400, cache_write=100), "0.00265"),
        (Usage(input=1000, output=100, reasoning=60), "0.0035"),
        (Usage(input=0, output=0), "0"),
    ],
)
def test_input_holds_the_cache_s_tokens_and_output_the_reasoning_and_each_is_paid_once(
    usage: Usage, dollars: str
) -> None:
    """Exact, in dollars a million tokens: normalised usage counts what is a part of another once (M4)."""
    assert Prices({"openai:gpt-x": GPT}).cost("openai:gpt-x", usage) == Decimal(dollars)


def test_tokens_of_the_cache_cost_what_input_does_where_no_other_price_is_given() -> None:
    """Nobody gets a discount by leaving a price out."""
    bare = Prices({"openai:gpt-x": Price(input=2, output=10)})
    assert bare.cost("openai:gpt-x", Usage(input=1000, output=0, cache_read=900, cache_write=50)) == Decimal("0.002")


@pytest.mark.parametrize(
    "usage",
    [
        Usage(),
        Usage(input=10),
        Usage(output=10),
        Usage(cache_read=10, output=1),
        Usage(input=10, output=1, cache_read=20),
        Usage(input=10, output=1, cache_read=6, cache_write=6),
    ],
)
def test_usage_that_is_not_known_or_contradicts_itself_has_no_cost(usage: Usage) -> None:
    """Unknown is None, never 0, and never less than nothing (M4)."""
    assert Prices({"openai:gpt-x": GPT}).cost("openai:gpt-x", usage) is None
    assert GPT.of(usage) is None


@pytest.mark.usefixtures("alone")
def test_a_model_that_nobody_has_a_price_of_costs_none_and_one_that_costs_nothing_costs_0() -> None:
    """Unknown is not free (M4)."""
    prices = Prices({"vllm": Price(input=0, output=0)})
    assert prices.cost("openai:gpt-x", THOUSAND) is None
    assert prices.cost("vllm:any", THOUSAND) == 0
    assert prices.cost("vllm-2:any", THOUSAND) is None


def test_the_most_exact_name_wins() -> None:
    """The model that answered, then the backend as it is called, then its provider."""
    table = {"openai:gpt-x-2": Price(1, 1), "openai:gpt-x": Price(2, 2), "openai": Price(3, 3)}
    prices = Prices(table)

    def asked(backend: str, answered_by: str | None = None) -> Decimal | None:
        return prices.cost(backend, Usage(input=1_000_000, output=0), answered_by=answered_by)

    assert asked("openai:gpt-x", "gpt-x-2") == 1
    assert asked("openai:gpt-x", "gpt-x-3") == 2
    assert asked("openai:gpt-x") == 2
    assert asked("openai:gpt-y", "gpt-y-1") == 3
    assert Prices({"house": Price(4, 4)}).cost("house", Usage(input=1_000_000, output=0)) == 4


@pytest.mark.parametrize("wrong", [{"input": -1}, {"output": float("nan")}, {"cache_read": float("inf")}])
def test_a_price_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    """Said where it is written down, with its name."""
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}=.*dollars a million tokens"):
        Price(**{"input": 1.0, "output": 1.0, **wrong})


# The package. No price of its table stands here: prices change.


def offers(package: Any) -> Iterator[tuple[str, str, Any]]:
    """Every model that the package sells under one of our providers: provider, model, model as the package has it."""
    providers = import_module("genai_prices.data").providers
    known = {each.id: each for each in providers}
    for ours, theirs in module._SELLERS.items():
        for model in known[theirs].models:
            found = known[theirs].find_model(model.id, all_providers=providers)
            if found is model:
                yield ours, model.id, model


def test_every_provider_of_ours_is_one_of_the_package_s(package: Any) -> None:
    """A provider that the package calls otherwise by now would silently have no prices."""
    providers = import_module("genai_prices.data").providers
    assert {*module._SELLERS.values()} <= {each.id for each in providers}
    assert {ours for ours, _, _ in offers(package)} == {*module._SELLERS}


def test_what_the_package_says_is_what_is_said_and_by_which_version(package: Any) -> None:
    """Over all of its models: its total where it has a price for what was used, None where it has not, never its 0."""
    prices = Prices()
    seen = {True: 0, False: 0}
    for ours, name, model in offers(package):
        listed = model.get_prices(datetime.fromtimestamp(AT, UTC))
        known = listed.input_mtok is not None and listed.output_mtok is not None
        found = prices.quote(f"{ours}:{name}", THOUSAND, at=AT)
        seen[known] += 1
        if known:
            counts = package.Usage(input_tokens=1000, output_tokens=1000)
            said = listed.calc_price(counts)["total_price"]
            assert found == Quote(said, f"genai-prices {version('genai-prices')}"), (ours, name)
        else:
            assert found is None, (ours, name)
    assert min(seen.values()) > 10


def test_cache_reads_are_priced_as_such_by_the_package(package: Any) -> None:
    """What we call input holds them, as what the package calls input does: none is paid twice."""
    saved = 0
    for ours, name, model in offers(package):
        listed = model.get_prices(datetime.fromtimestamp(AT, UTC))
        rates = (listed.input_mtok, listed.output_mtok, listed.cache_read_mtok)
        if not all(isinstance(rate, Decimal) for rate in rates) or listed.requests_kcount is not None:
            continue
        cost = Prices().cost(f"{ours}:{name}", Usage(input=1000, output=10, cache_read=900), at=AT)
        wanted = (100 * listed.input_mtok + 10 * listed.output_mtok + 900 * listed.cache_read_mtok) / 1_000_000
        assert cost == wanted, (ours, name)
        saved += listed.cache_read_mtok < listed.input_mtok
    assert saved > 10


def test_a_price_of_one_s_own_wins_over_the_package_s(package: Any) -> None:
    """It is what was agreed upon with the provider."""
    ours, name, _ = next(offers(package))
    own = Prices({f"{ours}:{name}": GPT}).quote(f"{ours}:{name}", THOUSAND)
    assert own == Quote(Decimal("0.0125"), OWN)


def test_a_server_of_one_s_own_is_not_taken_for_a_seller(package: Any) -> None:
    """The package finds a seller by any name that looks like one; a model of the same name may run anywhere."""
    _, name, _ = next(offers(package))
    for provider in ("openai_chat", "vllm", "llama_cpp", "ollama", "scripted", "fallback(openai"):
        assert Prices().cost(f"{provider}:{name}", THOUSAND) is None
    assert Prices().cost("openai:there-is-no-such-model", THOUSAND) is None


def test_the_package_is_imported_only_when_a_price_is_looked_up_in_it() -> None:
    """It takes a second: who has a table of their own, or asks for nothing, does not wait for it."""
    code = """
import sys
from graphrt.backends.events import Usage
from graphrt.backends.prices import Price, Prices
prices = Prices({"openai:gpt-x": Price(1, 1)})
assert prices.cost("openai:gpt-x", Usage(input=1, output=1)) is not None
assert prices.cost("vllm:x", Usage(input=1, output=1)) is None
assert prices.package is None or prices.package.startswith("genai-prices ")
raise SystemExit("genai_prices" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.usefixtures("alone")
def test_without_the_package_own_prices_hold_and_others_are_unknown() -> None:
    """The extra is optional: nothing is raised for want of it."""
    prices = Prices({"openai:gpt-x": GPT})
    assert prices.package is None
    assert prices.cost("openai:gpt-x", THOUSAND) == Decimal("0.0125")
    assert prices.cost("openai:gpt-y", THOUSAND) is None
