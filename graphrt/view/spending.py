"""What a run spent on models, as `show` tells it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from graphrt.backends.accounting import Call, Spent, Total, spent_by
from graphrt.backends.prices import OWN, Price, Prices
from graphrt.config import load_config
from graphrt.draw.overlay import WHOLE, Spending
from graphrt.draw.progress import place_of
from graphrt.errors import UsageError
from graphrt.facts import Entry, StepFact, SubstepFinished
from graphrt.types import RunId

_CENTS = Decimal("0.0001")
"""The least that is told of an amount below a dollar."""


def of(run: RunId, own: Sequence[Entry]) -> Spent:
    """Add up what a run spent by its own journal, at the prices of `graphrt.toml` and those that are known here."""
    return spent_by(run, own, known_prices())


def known_prices() -> Prices:
    """Return the prices of `graphrt.toml`, and those that are known here for all else."""
    return Prices({name: Price(**price.model_dump()) for name, price in load_config().prices.items()})


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


def by_place(spent: Spent) -> dict[str, Spending]:
    """Return what each place of a graph spent, and what the whole run did."""
    return {place: _in_words(total) for place, total in _totals(spent).items()}


def _totals(spent: Spent) -> dict[str, Total]:
    calls: dict[str, list[Call]] = {WHOLE: list(spent.calls)} if spent.calls else {}
    for call in spent.calls:
        calls.setdefault(place_of(call.step), []).append(call)
    return {place: Spent(tuple(found)).total for place, found in calls.items()}


class Meter:
    """What a run that is watched spends on models, added up as it is recorded."""

    def __init__(self, run: RunId) -> None:
        self._run = run
        self._prices: Prices | None = None
        self._totals: dict[str, Total] = {}
        self._words: dict[str, Spending] = {}
        self._parts: dict[str, list[Entry]] = defaultdict(list)
        """By step, the parts of it that are done: what they took is not wasted, even if the rest of the step fails."""

    def take(self, entries: Sequence[Entry]) -> None:
        """Take entries of the run's own journal: what there is at first, then what comes."""
        asked = [entry for entry in entries if b'"model"' in (getattr(entry.fact, "note", None) or b"")]
        steps = dict.fromkeys(entry.fact.step for entry in asked if isinstance(entry.fact, StepFact))
        before = [part for step in steps for part in self._parts.get(step, ())]
        for entry in entries:
            if isinstance(entry.fact, SubstepFinished):
                self._parts[entry.fact.step].append(entry)
        if not asked:
            return
        if self._prices is None:
            try:
                self._prices = known_prices()
            except UsageError:  # the file was written meanwhile: tokens are told all the same
                self._prices = Prices()
        for place, total in _totals(spent_by(self._run, [*before, *entries], self._prices)).items():
            self._totals[place] = self._totals[place] + total if place in self._totals else total
            self._words[place] = _in_words(self._totals[place])

    def by_place(self) -> Mapping[str, Spending]:
        """Return what each place of the graph spent until now, and what the whole run did."""
        return self._words


def _in_words(total: Total) -> Spending:
    tokens, cost = tokens_cells(total)[0], cost_cell(total)
    parts = [f"{tokens} tokens" if tokens != "?" else "", cost if cost != "?" else ""]
    return Spending(" · ".join(filter(None, parts)), line_of(total))


def tokens_cells(total: Total | None) -> tuple[str, str]:
    """Write the tokens of a sum for a column of a table, in full and in short; a `+` says that there were more."""
    if total is None:
        return "", ""
    if total.input is None and total.output is None:
        return "?", "?"
    count, more = (total.input or 0) + (total.output or 0), "+" if total.untold else ""
    short = next((f"{count / size:.1f}{letter}" for size, letter in _SIZES if count >= size), str(count))
    return f"{count:,}{more}", short + more


def cost_cell(total: Total | None) -> str:
    """Write what a sum cost for a column of a table; a `+` says that more is not known."""
    if total is None:
        return ""
    if total.cost is None:
        return "?"
    words = f"<${_CENTS}" if 0 < total.cost < _CENTS else _dollars(total.cost)
    return words + ("+" if total.unpriced or total.untold else "")


_SIZES = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


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
