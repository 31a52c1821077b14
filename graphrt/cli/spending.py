"""What a run spent on models, as `show` tells it."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from graphrt.backends.accounting import Call, Spent, Total, read_spent
from graphrt.backends.prices import OWN, Price, Prices
from graphrt.config import load_config
from graphrt.journal import Journal
from graphrt.types import RunId

_CENTS = Decimal("0.0001")
"""The least that is told of an amount below a dollar."""


async def of(journal: Journal, run: RunId) -> Spent:
    """Add up what a run spent, at the prices of `graphrt.toml` and those that are known here."""
    own = {name: Price(**price.model_dump()) for name, price in load_config().prices.items()}
    return await read_spent(journal, run, Prices(own))


def line_of(total: Total) -> str:
    """Say in one line what calls came to: tokens, how many of them for nothing, and money."""
    words = "tokens unknown"
    if total.input is not None or total.output is not None:
        wasted = f" ({total.wasted:,} wasted)" if total.wasted else ""
        words = f"tokens {_count(total.input)} in / {_count(total.output)} out{wasted}"
    if total.untold:
        words += f" + {_calls(total.untold)} whose usage nobody told"
    if total.cost is not None:
        sources = [source for source in total.priced_by if source != OWN]
        words += f" · {_dollars(total.cost)}" + (f" ({', '.join(sources)})" if sources else "")
        words += f" + {_calls(total.unpriced)} without a price" if total.unpriced else ""
    elif total.unpriced:
        words += " · no price known"
    return words


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens:,}"


def _calls(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'}"


def _dollars(amount: Decimal) -> str:
    if 0 < amount < _CENTS:
        return f"less than ${_CENTS}"
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def data_of(spent: Spent) -> dict[str, Any] | None:
    """Return what a run spent, as JSON shows it; None if it asked no model."""
    if not spent.calls:
        return None
    parts = {f"{part}s": {name: total_of(each) for name, each in spent.by(part).items()} for part in _PARTS}
    return total_of(spent.total) | parts | {"each": [_call(call) for call in spent.calls]}


_PARTS: tuple[Any, ...] = ("step", "role", "backend")


def total_of(total: Total) -> dict[str, Any]:
    """Return a sum, as JSON shows it."""
    money = {"cost": _number(total.cost), "wasted_cost": _number(total.wasted_cost)}
    return asdict(total) | money


def _call(call: Call) -> dict[str, Any]:
    return asdict(call) | {"usage": call.usage.model_dump(exclude={"raw"}), "cost": _number(call.cost)}


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
