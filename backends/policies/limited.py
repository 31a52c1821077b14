"""`limited`: requests wait for their turn instead of being refused.

    limited(backend, requests=60, tokens=90_000, per=60.0, concurrency=8)

    key = Limiter(requests=60, concurrency=8)           one key behind two models: both wait in one line
    limited(big, key)    limited(small, key)

A `Limiter` is one line, first come first served. It knows what it was told, and learns what the provider says is left:
from the headers of answers, and from those of refusals. One refusal for the rate stops everybody for as long as the
provider asks; then one goes first, and each answer lets one more go along, so that nobody storms a server that has just
said no. Nothing is asked twice here: the refused request itself ends in its error, for the one retry loop.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

import anyio

from graphrt.backends.base import Backend
from graphrt.backends.errors import BackendError, Overloaded, RateLimited
from graphrt.backends.events import Chose, Failed, Finished, Started, StreamEvent, Usage
from graphrt.backends.messages import Request
from graphrt.backends.policies.breaker import OPEN as BREAKER_OPEN
from graphrt.backends.policies.estimate import tokens_in
from graphrt.backends.policies.over import Over
from graphrt.backends.wire.ratelimits import RateLimit
from graphrt.clock import Clock, SystemClock
from graphrt.errors import UsageError

_INSTANT = 1e-6
"""Seconds that are no wait: the clock is not finer at today's dates."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds to wait after a refusal that names no pause: doubled with each one that follows on a pause."""
_GUESSED = 3600.0
"""The longest window, in seconds, whose end stands for a reset that nobody named."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """An allowance that refills evenly: `capacity` in `per` seconds, and never more than that. `level` is what there
    was at the instant `at`; below nothing it is a debt, which is paid first."""

    capacity: float
    per: float
    level: float
    at: float

    def left(self, now: float) -> float:
        """What there is now."""
        return min(self.capacity, self.level + (now - self.at) * self.capacity / self.per)

    def delay(self, cost: float, now: float) -> float:
        """Seconds until `cost` is there."""
        return max(0.0, cost - self.left(now)) * self.per / self.capacity

    def less(self, cost: float, now: float) -> Bucket:
        """With `cost` taken out, or put back if it is below nothing."""
        return replace(self, level=self.left(now) - cost, at=now)


@dataclass(frozen=True, slots=True)
class Learned:
    """What the provider says is left, until the instant `until`; after it nobody knows."""

    left: float
    until: float

    def delay(self, cost: float, now: float) -> float:
        """Seconds until `cost` may be there."""
        return 0.0 if cost <= self.left else max(0.0, self.until - now)


@dataclass(frozen=True, slots=True)
class LimiterStatistics:
    """A limiter, seen from outside. Times are in seconds."""

    waiting: int
    """How many stand in line."""
    in_flight: int
    """How many streams are open."""
    granted: int
    """How many were let through so far."""
    waited: float
    """How long all of those waited, together."""
    refused: int
    """How often the provider said no for the rate."""
    paused: float
    """For how long nobody is let through because of that."""
    requests_left: float | None
    """Of what the limiter was told; None if it was not. Below nothing: a debt."""
    tokens_left: float | None
    learned: Mapping[tuple[str, float | None], float]
    """What is left by the provider's own words: of what, in which window."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A place in the line."""

    cost: int
    called: anyio.Event = field(default_factory=anyio.Event)


@dataclass(slots=True, eq=False)
class Grant:
    """Leave to ask once, from `Limiter.acquire` to `Limiter.release`."""

    number: int
    cost: int
    at: float
    waited: float
    reason: str
    """What it waited for; empty if it did not."""
    settled: bool = False


class Limiter:
    """What one key may do, shared by every backend that uses the key, in one event loop.

    `requests` and `tokens` may start in `per` seconds, `concurrency` streams are open at once; what is None is not
    limited, but for what the provider says. `max_wait`: seconds after which a request is refused with `RateLimited`
    instead of waiting on, or at once where it is known that it would have to; None waits as long as it takes.
    """

    def __init__(
        self,
        *,
        requests: float | None = None,
        tokens: float | None = None,
        per: float = 60.0,
        concurrency: int | None = None,
        max_wait: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        for name, value in (("requests", requests), ("tokens", tokens), ("per", per), ("concurrency", concurrency)):
            if value is not None and value <= 0:
                raise UsageError(f"{name}={value}: must be more than 0, or left out")
        self._clock = clock or SystemClock()
        now = self._clock.monotonic()
        self._requests = Bucket(requests, per, requests, now) if requests is not None else None
        self._tokens = Bucket(tokens, per, tokens, now) if tokens is not None else None
        self._learned: dict[tuple[str, float | None], Learned] = {}
        self._concurrency = math.inf if concurrency is None else concurrency
        self._max_wait = math.inf if max_wait is None else max_wait
        self._line: deque[_Waiting] = deque()
        self._open: set[Grant] = set()
        self._number = count(1)
        self._paused_until = -math.inf
        self._pauses = 0
        self._abreast: float = math.inf
        """How many may be open at once after a refusal: one, and one more with each answer."""
        self._granted = self._refused = 0
        self._waited = 0.0

    def statistics(self) -> LimiterStatistics:
        """How things stand."""
        now = self._clock.monotonic()
        return LimiterStatistics(
            waiting=len(self._line),
            in_flight=len(self._open),
            granted=self._granted,
            waited=self._waited,
            refused=self._refused,
            paused=max(0.0, self._paused_until - now),
            requests_left=self._requests.left(now) if self._requests else None,
            tokens_left=self._tokens.left(now) if self._tokens else None,
            learned={what: known.left for what, known in self._learned.items() if known.until > now},
        )

    async def acquire(self, cost: int) -> Grant:
        """Wait for leave to ask for about `cost` tokens, in order of arrival.

        Raises RateLimited for a request that can never fit, and after `max_wait`. Interrupted, the place in the line is
        given up and nothing was taken.
        """
        if self._tokens is not None and cost > self._tokens.capacity:
            words = (
                f"the request is about {cost} tokens, and {self._tokens.capacity:g} are allowed in "
                f"{self._tokens.per:g} s: it never fits; shorten it or raise tokens="
            )
            raise RateLimited(words, retryable=False)
        begun = self._clock.monotonic()
        reason = "its turn" if self._line else ""
        mine = _Waiting(cost)
        self._line.append(mine)
        try:
            while True:
                now = self._clock.monotonic()
                left = self._max_wait - (now - begun)
                delay = math.inf
                if self._line[0] is mine:
                    delay, because = self._delay(cost, now)
                    if delay <= _INSTANT:
                        return self._grant(cost, now, now - begun, reason)
                    reason = because
                if left <= _INSTANT or left < delay < math.inf:
                    raise self._too_long(now - begun, delay, reason)
                mine.called = anyio.Event()
                seconds = min(delay, left)
                await self._clock.wait(mine.called, None if seconds == math.inf else seconds)
        finally:
            self._line.remove(mine)
            self._call()

    def heard(self, grant: Grant, limits: Iterable[RateLimit], pause: float | None = None) -> None:
        """Learn what the provider says is left, on accepting what was granted, or on refusing it for a `pause`.

        What was let through after that and is still open may not be in the provider's numbers yet.
        """
        now = self._clock.monotonic()
        later = [other for other in self._open if other.number > grant.number]
        for limit in limits:
            reset = limit.reset
            if reset is None and limit.window is not None and limit.window <= _GUESSED:
                reset = limit.window
            if limit.remaining is None or reset is None or _share(limit.of, 1) is None:
                continue
            if pause is not None:  # when a request fits again is known better than when the allowance is whole again
                reset = min(reset, pause)
            uncounted = sum(_share(limit.of, other.cost) or 0 for other in later)
            self._learned[limit.of, limit.window] = Learned(limit.remaining - uncounted, now + reset)
        self._call()

    def settle(self, grant: Grant, usage: Usage | None) -> None:
        """Count what was really spent in place of the estimate, as far as it is known."""
        self._answered(grant)
        if self._tokens is not None and usage is not None and usage.input is not None and not grant.settled:
            spent = usage.input + (usage.output or 0)
            self._tokens = self._tokens.less(spent - grant.cost, self._clock.monotonic())
        grant.settled = True
        self._call()

    def refused(self, grant: Grant, error: BackendError) -> None:
        """Stop everybody, since the provider refused one: for as long as it asks, else for a pause that grows."""
        now = self._clock.monotonic()
        self._refused += 1
        if grant.at >= self._paused_until:  # not one of a crowd that the same pause is for already
            self._pauses += 1
        own = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._pauses - 1, 10))
        pause = own if error.retry_after is None else error.retry_after
        self._paused_until = max(self._paused_until, now + pause)
        self._abreast = 1
        grant.settled = True
        self._call()

    def release(self, grant: Grant) -> None:
        """The stream is closed. Idempotent."""
        self._open.discard(grant)
        self._call()

    def _delay(self, cost: int, now: float) -> tuple[float, str]:
        """Seconds until the first in line may go, and what for; infinite if another one must end first."""
        if len(self._open) >= min(self._concurrency, self._abreast):
            return math.inf, "a free place"
        waits = [(self._paused_until - now, "the pause after a refusal")]
        if self._requests is not None:
            waits.append((self._requests.delay(1, now), "its share of requests"))
        if self._tokens is not None:
            waits.append((self._tokens.delay(cost, now), "its share of tokens"))
        for (of, _), known in self._learned.items():
            waits.append((known.delay(_share(of, cost) or 0, now), f"the provider's {of.replace('_', ' ')}"))
        return max(waits)

    def _grant(self, cost: int, now: float, waited: float, reason: str) -> Grant:
        if self._requests is not None:
            self._requests = self._requests.less(1, now)
        if self._tokens is not None:
            self._tokens = self._tokens.less(cost, now)
        self._learned = {
            what: replace(known, left=known.left - (_share(what[0], cost) or 0))
            for what, known in self._learned.items()
        }
        self._granted += 1
        self._waited += waited
        grant = Grant(next(self._number), cost, now, waited, reason if waited > _INSTANT else "")
        self._open.add(grant)
        return grant

    def _answered(self, grant: Grant) -> None:
        if grant.at >= self._paused_until and not grant.settled:
            self._pauses = 0
            self._abreast += 1

    def _too_long(self, waited: float, delay: float, reason: str) -> RateLimited:
        known = delay if delay != math.inf else None
        words = f"after {waited:.1f} s in line for {reason}"
        words += f" another {delay:.1f} s are needed" if known is not None else " it is not free"
        words += f", and max_wait is {self._max_wait:g} s: raise it, or ask another model"
        return RateLimited(words, retry_after=known)

    def _call(self) -> None:
        if self._line:
            self._line[0].called.set()


def _share(of: str, cost: int) -> int | None:
    """What a request of `cost` tokens takes of an allowance; None of one that a request need not touch."""
    match of:
        case "tokens" | "input_tokens":
            return cost
        case "requests" | "output_tokens" | "tokens_by_size":
            return 1  # how long an answer becomes is not known before: it waits only where nothing is left
        case _:
            return None


class Limited(Over):
    """A backend whose requests wait in a limiter's line. See `limited`."""

    def __init__(self, backend: Backend | str, limiter: Limiter) -> None:
        super().__init__(backend)
        self.limiter = limiter

    def statistics(self) -> LimiterStatistics:
        """How its limiter stands."""
        return self.limiter.statistics()

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Wait, then answer. Closed or cancelled while it waits, it gives up its place; later, it closes the stream
        behind it and then its place is free."""
        try:
            grant = await self.limiter.acquire(tokens_in(request))
        except RateLimited as error:
            error.provider = self.name
            yield Failed(error)
            return
        try:
            if grant.reason:
                yield Chose("limited", self.name, f"it waited {grant.waited:.1f} s for {grant.reason}")
            async with self.asking(request) as events:
                async for event in events:
                    self._hear(grant, event)
                    yield event
        finally:
            self.limiter.release(grant)

    def _hear(self, grant: Grant, event: StreamEvent) -> None:
        match event:
            case Started(limits=limits):
                self.limiter.heard(grant, limits)
            case Finished(usage=usage):
                self.limiter.settle(grant, usage)
            case Failed(error=error):
                self.limiter.heard(grant, error.limits, error.retry_after)
                if _slows(error):
                    self.limiter.refused(grant, error)
                else:
                    self.limiter.settle(grant, error.usage)
            case _:
                pass


def _slows(error: BackendError) -> bool:
    """Whether an error is about everybody who uses the key, and not about this one request."""
    if isinstance(error, RateLimited):
        return error.retryable  # else it is one request that is larger than the whole budget
    return isinstance(error, Overloaded) and error.retry_after is not None and error.code != BREAKER_OPEN


def limited(
    backend: Backend | str,
    limiter: Limiter | None = None,
    *,
    requests: float | None = None,
    tokens: float | None = None,
    per: float = 60.0,
    concurrency: int | None = None,
    max_wait: float | None = None,
    clock: Clock | None = None,
) -> Limited:
    """Let requests to `backend` wait for their turn: in a line of its own, or in that of `limiter`, which others may
    share. The rest is what a `Limiter` takes. Where something waited, a `Chose` says for what and how long."""
    if limiter is None:
        limiter = Limiter(
            requests=requests, tokens=tokens, per=per, concurrency=concurrency, max_wait=max_wait, clock=clock
        )
    elif (requests, tokens, concurrency, max_wait, clock) != (None,) * 5:
        raise UsageError("limited() takes a limiter or its numbers, not both: give the numbers to the Limiter")
    return Limited(backend, limiter)
