"""`breaker`: a backend that keeps failing is left alone for a while, and its callers hear so at once.

    breaker(backend, failures=5, within=60.0, rest=30.0)

    closed     requests go through; `failures` in a row, all of them within `within` seconds, open it
    open       nothing is asked for `rest` seconds, or longer if the provider asked for it: `Overloaded`, with the time
    half open  one request goes through as a probe: an answer closes it, another failure opens it again

What counts is that the backend is broken: it does not answer, breaks off, or says that it is overloaded. A refusal that
it took the trouble to give (a bad request, a wrong key, a rate limit) shows that it lives. A stream that its reader
gives up shows nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass, replace
from typing import Literal

from graphrt.backends.base import Backend
from graphrt.backends.errors import BackendError, Overloaded
from graphrt.backends.events import Chose, Failed, Finished, StreamEvent
from graphrt.backends.messages import Request
from graphrt.backends.policies.over import Over
from graphrt.clock import Clock, SystemClock
from graphrt.errors import UsageError

BROKEN = frozenset({"server", "overloaded", "connection", "timeout", "truncated"})
"""The categories of errors that count as failures, unless others are named."""
OPEN = "breaker_open"
"""The code of the error with which a breaker refuses: it says nothing of the key, and nobody else need wait for it."""
_PROBE_PAUSE = 1.0
"""Seconds until another try may help while a probe is under way: it ends when it ends."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """The state of a breaker. Instants are those of the clock's `monotonic`, in seconds."""

    state: Literal["closed", "open", "half_open"] = "closed"
    failures: tuple[float, ...] = ()
    """When each of the failures in a row happened, the last `within` seconds long."""
    until: float = 0.0
    """When an open one lets a probe through."""
    probing: bool = False
    """Whether the probe is under way."""
    opened: int = 0
    """How often it has opened so far. What was asked before the last time says nothing about now."""
    turned_away: int = 0
    """How many requests it has refused so far."""
    last: str | None = None
    """The words of the last failure."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When a breaker opens, and for how long: see `breaker`."""

    failures: int
    within: float
    rest: float


def admit(circuit: Circuit, now: float) -> tuple[Circuit, float | None]:
    """Decide on a request: the circuit after it, and None to let it through, or else the seconds until another try."""
    match circuit.state:
        case "closed":
            return circuit, None
        case "open" if now < circuit.until:
            return replace(circuit, turned_away=circuit.turned_away + 1), circuit.until - now
        case "half_open" if circuit.probing:
            return replace(circuit, turned_away=circuit.turned_away + 1), _PROBE_PAUSE
        case _:
            return replace(circuit, state="half_open", probing=True), None


def answered(circuit: Circuit) -> Circuit:
    """The backend answered: it is closed, and nothing is held against it."""
    return replace(circuit, state="closed", failures=(), probing=False)


def failed(circuit: Circuit, error: BackendError, rules: Rules, now: float) -> Circuit:
    """The backend failed: open it if that was a probe, or one failure too many."""
    recent = (*(at for at in circuit.failures if now - at <= rules.within), now)
    circuit = replace(circuit, failures=recent, last=str(error))
    if circuit.state == "closed" and len(recent) < rules.failures:
        return circuit
    until = now + max(rules.rest, error.retry_after or 0.0)
    return replace(circuit, state="open", until=until, probing=False, opened=circuit.opened + 1)


class Breaker(Over):
    """A backend behind a breaker. See `breaker`."""

    def __init__(self, backend: Backend | str, rules: Rules, on: Collection[str], clock: Clock) -> None:
        super().__init__(backend)
        self._rules = rules
        self._on = frozenset(on)
        self._clock = clock
        self._circuit = Circuit()

    def statistics(self) -> Circuit:
        """How it stands."""
        return self._circuit

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer, or refuse at once. A probe that is closed or cancelled before its end leaves its place to another
        one."""
        self._circuit, wait = admit(self._circuit, self._clock.monotonic())
        if wait is not None:
            yield Failed(self._refusal(wait))
            return
        era, probe, over = self._circuit.opened, self._circuit.probing, False
        try:
            if probe:
                yield Chose("breaker", self.name, "a probe, after a rest")
            async with self.asking(request) as events:
                async for event in events:
                    if isinstance(event, (Finished, Failed)):
                        over = True
                        self._judge(event, era)
                    yield event
        finally:
            if probe and not over:
                self._circuit = replace(self._circuit, probing=False)

    def _judge(self, end: Finished | Failed, era: int) -> None:
        if self._circuit.opened != era:
            return
        if isinstance(end, Failed) and end.error.category in self._on:
            self._circuit = failed(self._circuit, end.error, self._rules, self._clock.monotonic())
        else:
            self._circuit = answered(self._circuit)

    def _refusal(self, wait: float) -> Overloaded:
        state = self._circuit
        if state.state == "half_open":
            words = f"a probe is under way after {len(state.failures)} failures"
        else:
            words = f"it rests after {len(state.failures)} failures and is tried again in {wait:.1f} s"
        words += f" (the last: {state.last}); ask another model until then"
        return Overloaded(words, provider=self.name, code=OPEN, retry_after=wait)


def breaker(
    backend: Backend | str,
    *,
    failures: int = 5,
    within: float = 60.0,
    rest: float = 30.0,
    on: Collection[str] = BROKEN,
    clock: Clock | None = None,
) -> Breaker:
    """Leave `backend` alone for `rest` seconds after `failures` in a row within `within` seconds. `on`: the categories
    of errors that count. Where a probe is made, a `Chose` says so."""
    if failures < 1:
        raise UsageError(f"failures={failures}: must be 1 or more")
    return Breaker(backend, Rules(failures, within, rest), on, clock or SystemClock())
