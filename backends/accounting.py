"""What a run spent on models: tokens and money, by step, role and model, and how much of it for nothing.

    spent = await read_spent(runtime.journal, run.id, Prices())
    spent.total.cost, spent.total.wasted, spent.by("role")["smart"].output

Counted is what the run itself did, whatever became of it: a journal only grows, and what was let go of later was paid
for all the same. What a fork shares with its parent is the parent's. Wasted is what brought no output that counts: a
failed attempt, a question that failed, what a policy tried besides (M8), and all that a retry did anew. What an answer
that was shown to the model again for repair had cost is not: it is a part of the conversation.

A count that nobody told is not 0: such calls are counted as `untold`, and those without a price as `unpriced`. A
process that is killed tells nothing of the calls it was in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic_core import from_json

from graphrt.backends.events import Usage
from graphrt.backends.prices import Prices
from graphrt.facts import (
    Entry,
    RunRewound,
    StepFact,
    StepFinished,
    StepUnknown,
    SubstepFinished,
)
from graphrt.history import entries_of
from graphrt.journal import Journal
from graphrt.types import RunId, StepKey

_REFUSED = frozenset({"rate_limit", "quota", "overloaded", "auth", "bad_request", "not_found", "context_length"})
"""Categories of errors by which a provider says that it did nothing: there is no usage to be missed."""

Part = Literal["step", "role", "backend"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one model."""

    step: StepKey
    attempt: int
    role: str
    backend: str
    """What answered, or failed to: where policies chose, the last that they chose."""
    usage: Usage
    answered_by: str | None = None
    """The model that says it answered, where that is not in the backend's name."""
    error: str | None = None
    """The category of what it ended in, or its type; None for an answer."""
    wasted: bool = False
    """It brought no output that counts."""
    cost: Decimal | None = None
    """In US dollars; None if it is not known."""
    priced_by: str | None = None
    """Whose price that is: `own`, or the package of prices and its version."""

    @property
    def told(self) -> bool:
        """Whether it is known how many tokens it was: those of a refusal are none."""
        return self.usage.input is not None or self.usage.output is not None or self.error in _REFUSED


@dataclass(frozen=True, slots=True)
class Total:
    """What several calls came to. Tokens of which nobody told are None, money is in US dollars."""

    calls: int
    input: int | None
    """Cache reads and writes included."""
    output: int | None
    """Reasoning included."""
    cache_read: int | None
    cache_write: int | None
    reasoning: int | None
    wasted: int
    """Tokens, of input and output, that brought no output that counts."""
    untold: int
    """Calls whose usage is not known: the tokens are at least what is told here."""
    cost: Decimal | None
    """None if no price is known."""
    wasted_cost: Decimal | None
    unpriced: int
    """Calls that used tokens of which no price is known: the cost is at least what is told here."""
    priced_by: tuple[str, ...]
    """Whose prices these are: `own`, the package of prices and its version."""

    def __add__(self, other: Total) -> Total:
        """Return what both came to."""
        return Total(
            calls=self.calls + other.calls,
            input=_sum((self.input, other.input)),
            output=_sum((self.output, other.output)),
            cache_read=_sum((self.cache_read, other.cache_read)),
            cache_write=_sum((self.cache_write, other.cache_write)),
            reasoning=_sum((self.reasoning, other.reasoning)),
            wasted=self.wasted + other.wasted,
            untold=self.untold + other.untold,
            cost=_money((self.cost, other.cost)),
            wasted_cost=_money((self.wasted_cost, other.wasted_cost)),
            unpriced=self.unpriced + other.unpriced,
            priced_by=tuple(dict.fromkeys((*self.priced_by, *other.priced_by))),
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run spent: every call, in the order in which they were recorded."""

    calls: tuple[Call, ...]

    @property
    def total(self) -> Total:
        """All of it."""
        return _total(self.calls)

    def by(self, part: Part) -> dict[str, Total]:
        """Return what was spent on each step, by each role, or on each model's backend."""
        found: dict[str, list[Call]] = defaultdict(list)
        for call in self.calls:
            found[getattr(call, part)].append(call)
        return {name: _total(calls) for name, calls in found.items()}

    def attempts(self, step: str) -> dict[int, Total]:
        """Return what was spent on each attempt of a step; done anew by a retry, it begins again with its first."""
        mine = [call for call in self.calls if call.step == step]
        numbers = dict.fromkeys(call.attempt for call in mine)
        return {number: _total([call for call in mine if call.attempt == number]) for number in numbers}


def spent_by(run: str, entries: Sequence[Entry], prices: Prices | None = None) -> Spent:
    """Add up what a run spent, by all entries of its own journal. Without `prices`, no cost is known."""
    counts = _counting(run, entries)
    done = {
        f"{entry.fact.step}/{entry.fact.name}"
        for entry in entries
        if isinstance(entry.fact, SubstepFinished) and entry.seq in counts
    }
    found: list[Call] = []
    for entry in entries:
        fact = entry.fact
        note = getattr(fact, "note", None)
        if note is None or not isinstance(fact, StepFact):
            continue
        useful = entry.seq in counts
        brought = isinstance(fact, (StepFinished, StepUnknown))
        for record in _records(note):
            # An attempt that failed has still done the parts of its work that are recorded as done.
            counted = useful and (brought or record.get("substep") in done)
            found += _calls(record, fact, entry.at, prices, wasted=not counted)
    return Spent(tuple(found))


async def read_spent(journal: Journal, run: str, prices: Prices | None = None) -> Spent:
    """Add up what a run spent, by its journal. Raises RunNotFound. Costs what is read; interrupted, it has read."""
    return spent_by(run, await entries_of(journal, RunId(run)), prices)


def _counting(run: str, entries: Sequence[Entry]) -> Collection[int]:
    """Return the entries that count: those since the last rewind, and those that it kept."""
    last = max((place for place, entry in enumerate(entries) if isinstance(entry.fact, RunRewound)), default=-1)
    counts = {entry.seq for entry in entries[last + 1 :]}
    if last >= 0:
        rewound = entries[last].fact
        assert isinstance(rewound, RunRewound)  # noqa: S101 - as selected
        counts.update(seq for span in rewound.spans if span.run == run for seq in range(span.first, span.last + 1))
    return counts


def _records(note: bytes) -> Iterator[Mapping[str, Any]]:
    """Yield what a note keeps of its step's questions. Notes are anybody's: what is no such record is passed over."""
    calls = from_json(note).get("model")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict) and isinstance(call.get("usage"), dict):
            yield call


def _calls(
    record: Mapping[str, Any], fact: StepFact, at: float, prices: Prices | None, *, wasted: bool
) -> Iterator[Call]:
    """Yield the calls that one question took: what policies tried on the way, then the one that settled it."""

    def call(backend: str, told: Any, *, wasted: bool, error: str | None, answered_by: str | None = None) -> Call:
        usage = _usage(told)
        quote = None if prices is None else prices.quote(backend, usage, answered_by=answered_by, at=at)
        cost, source = (None, None) if quote is None else quote
        role = str(record.get("role", ""))
        return Call(fact.step, fact.attempt, role, backend, usage, answered_by, error, wasted, cost, source)

    policy = str(record.get("backend", ""))
    choices = record.get("choices", [])
    for place, choice in enumerate(choices):
        words = choice.get("error")
        if words is not None or "wasted" in choice:
            category = None if words is None else words.partition(":")[0]  # an error's words begin with it
            yield call(_before(choices, place) or policy, choice.get("wasted"), wasted=True, error=category)
    backend = str(choices[-1]["backend"]) if choices else policy
    failure = record.get("error")
    error = None if failure is None else failure.get("category", failure["type"])
    answered_by = record.get("answered_by")
    yield call(backend, record["usage"], wasted=wasted or error is not None, error=error, answered_by=answered_by)


def _usage(told: Any) -> Usage:
    counts = told if isinstance(told, dict) else {}
    return Usage(**{name: counts[name] for name in _COUNTS if isinstance(counts.get(name), int)})


_COUNTS = tuple(name for name in Usage.model_fields if name != "raw")


def _before(choices: Sequence[Mapping[str, Any]], place: int) -> str | None:
    """Return whom a choice was made instead of: the last that was chosen before and is another; None if the record does
    not say."""
    others = (str(each["backend"]) for each in reversed(choices[:place]))
    return next((name for name in others if name != choices[place]["backend"]), None)


def _total(calls: Sequence[Call]) -> Total:
    lost = [call for call in calls if call.wasted]
    return Total(
        calls=len(calls),
        input=_sum(call.usage.input for call in calls),
        output=_sum(call.usage.output for call in calls),
        cache_read=_sum(call.usage.cache_read for call in calls),
        cache_write=_sum(call.usage.cache_write for call in calls),
        reasoning=_sum(call.usage.reasoning for call in calls),
        wasted=sum((call.usage.input or 0) + (call.usage.output or 0) for call in lost),
        untold=sum(not call.told for call in calls),
        cost=_money(call.cost for call in calls),
        wasted_cost=_money(call.cost for call in lost),
        unpriced=sum(call.cost is None and bool(call.usage.input or call.usage.output) for call in calls),
        priced_by=tuple(dict.fromkeys(call.priced_by for call in calls if call.priced_by is not None)),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _money(costs: Iterable[Decimal | None]) -> Decimal | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal()) if known else None
