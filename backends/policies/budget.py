"""`budget`: a backend that may cost so much and no more.

    budget(backend, tokens=1_000_000, money=5.0, price=Prices().cost, seconds=3600.0)

    ledger = Ledger(money=5.0, price=table.cost)         one budget for several models
    budget(big, ledger)    budget(small, ledger)

All calls count: answers, failures, attempts that a policy behind this one gave up, streams that nobody read to their
end. What a provider does not count is estimated, four characters to a token, and the ledger says how often. Once it is
spent, further calls end in `QuotaExceeded`. A call that is under way is not cut: what the last calls go over the budget
is as much as they cost. The ledger lives as long as the process.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from graphrt.backends.base import Backend
from graphrt.backends.errors import QuotaExceeded
from graphrt.backends.events import Chose, Failed, Finished, PartDelta, Started, StreamEvent, Usage
from graphrt.backends.messages import Request
from graphrt.backends.policies.estimate import tokens_in, tokens_of
from graphrt.backends.policies.over import Over
from graphrt.clock import Clock, SystemClock
from graphrt.errors import UsageError

Price = Callable[[str, Usage], float | Decimal | None]
"""From a backend's name and what it used to money, in the currency of the budget, such as `Prices().cost`; None where
nobody knows the price."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent so far."""

    calls: int = 0
    tokens: int = 0
    """In and out, cache and reasoning included."""
    money: float = 0.0
    seconds: float = 0.0
    """Waiting for the backend; what a reader does between two events is its own time."""
    estimated: int = 0
    """How many attempts had no count of their own."""
    unpriced: int = 0
    """How many attempts had no price: `money` is without them."""
    refused: int = 0
    """How many calls the budget has refused."""


class Ledger:
    """A budget, and what of it is spent; several backends may share one.

    `tokens`, `money` (with `price`) and `seconds` are totals; what is None is not limited. A budget of money holds only
    where prices are known: after an attempt without one, further calls are refused as well.
    """

    def __init__(
        self,
        *,
        tokens: int | None = None,
        money: float | None = None,
        seconds: float | None = None,
        price: Price | None = None,
    ) -> None:
        if money is not None and price is None:
            raise UsageError("a budget of money needs price=, a function from a backend's name and its usage to money")
        self._limits = {"tokens": tokens, "money": money, "seconds": seconds}
        self._price = price
        self._spent = Spent()

    def statistics(self) -> Spent:
        """What is spent."""
        return self._spent

    def call(self, name: str) -> None:
        """Begin a call to the backend `name`. Raises QuotaExceeded if the budget is spent."""
        problem = self._problem(name)
        if problem is not None:
            self._spent = replace(self._spent, refused=self._spent.refused + 1)
            raise QuotaExceeded(problem, provider=name, code="budget_spent")
        self._spent = replace(self._spent, calls=self._spent.calls + 1)

    def took(self, seconds: float) -> None:
        """Count time."""
        self._spent = replace(self._spent, seconds=self._spent.seconds + seconds)

    def used(self, name: str, usage: Usage, *, estimated: bool = False) -> None:
        """Count what the backend `name` used."""
        now, price = self._spent, self._price(name, usage) if self._price else 0.0
        self._spent = replace(
            now,
            tokens=now.tokens + (usage.input or 0) + (usage.output or 0),
            money=now.money + float(price or 0.0),
            estimated=now.estimated + estimated,
            unpriced=now.unpriced + (price is None),
        )

    def _problem(self, name: str) -> str | None:
        now = self._spent
        for what, limit in self._limits.items():
            if limit is not None and getattr(now, what) >= limit:
                return (
                    f"the budget of {limit:,g} {what} is spent: {now.calls} calls took {now.tokens:,} tokens, "
                    f"{now.money:.4f} in money and {now.seconds:.1f} s; raise {what}= to go on"
                )
        if self._limits["money"] is not None and now.unpriced:
            return (
                f"{now.unpriced} attempts had no known price, so a budget of money cannot hold; teach price= {name!r}"
            )
        return None


class Budgeted(Over):
    """A backend whose calls a ledger pays for. See `budget`."""

    def __init__(self, backend: Backend | str, ledger: Ledger, clock: Clock) -> None:
        super().__init__(backend)
        self.ledger = ledger
        self._clock = clock

    def statistics(self) -> Spent:
        """What its ledger has spent."""
        return self.ledger.statistics()

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer, as long as the budget lasts. Closed or cancelled, what had arrived is paid for."""
        try:
            self.ledger.call(self.name)
        except QuotaExceeded as error:
            yield Failed(error)
            return
        bill = _Bill(self.name, request, self.ledger)
        try:
            async with self.asking(request) as events:
                while True:
                    begun = self._clock.monotonic()
                    try:
                        event = await anext(events, None)
                    finally:
                        self.ledger.took(self._clock.monotonic() - begun)
                    if event is None:
                        return
                    bill.add(event)
                    yield event
        finally:
            bill.close()


class _Bill:
    """What one call costs, attempt by attempt."""

    def __init__(self, name: str, request: Request, ledger: Ledger) -> None:
        self._name = name
        self._request = request
        self._ledger = ledger
        self._begun = False
        self._said: list[str] = []

    def add(self, event: StreamEvent) -> None:
        match event:
            case Chose(backend=backend, wasted=wasted):
                self._pay(wasted)
                self._name = backend
            case Started():
                self._begun = True
            case PartDelta(text=text):
                self._said.append(text)
            case Finished(usage=usage):
                self._begun = True
                self._pay(usage)
            case Failed(error=error):
                self._pay(error.usage)
            case _:
                pass

    def close(self) -> None:
        """Pay for an attempt that did not come to its end."""
        self._pay(None)

    def _pay(self, usage: Usage | None) -> None:
        """Pay for an attempt. One that never began and says nothing of its cost had none."""
        if not self._begun and usage is None:
            return
        known = usage or Usage()
        guessed = known.input is None or known.output is None
        if known.input is None:
            known = known.model_copy(update={"input": tokens_in(self._request)})
        if known.output is None:
            known = known.model_copy(update={"output": tokens_of("".join(self._said))})
        self._ledger.used(self._name, known, estimated=guessed)
        self._begun, self._said = False, []


def budget(
    backend: Backend | str,
    ledger: Ledger | None = None,
    *,
    tokens: int | None = None,
    money: float | None = None,
    seconds: float | None = None,
    price: Price | None = None,
    clock: Clock | None = None,
) -> Budgeted:
    """Let all calls to `backend` together cost so much: out of a budget of its own, or out of `ledger`, which other
    backends may share. The rest is what a `Ledger` takes."""
    if ledger is None:
        ledger = Ledger(tokens=tokens, money=money, seconds=seconds, price=price)
    elif (tokens, money, seconds, price) != (None,) * 4:
        raise UsageError("budget() takes a ledger or its numbers, not both: give the numbers to the Ledger")
    return Budgeted(backend, ledger, clock or SystemClock())
