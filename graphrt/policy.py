"""How a node is run: retries, timeouts, effect, limit. Frozen facts; seconds are floats."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

from graphrt.errors import UsageError
from graphrt.facts import Failure

Effect = Literal["none", "read", "idempotent", "once"]
"""What a node does to the world, and so what may be done after a crash (D3).

`none`: nothing, its output follows from its input alone; it may run again at any time, in a replay too. `read`, the
default: it may run again after a crash, but a replay takes its output from the record. `idempotent`: it is sent again
under the same key. `once`: it must not be repeated; after a crash its outcome is unknown, until its `check` or a person
says.
"""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how soon a failed attempt is made again (E6).

    The pause before attempt n + 1 is drawn between 0 and min(cap, base * factor ** (n - 1)): exponential backoff with
    full jitter, seeded by run and step, so that it is the same every time. A server's own wish is honoured up to
    `after_cap`: the pause is never shorter than it; where it asks for longer, no further attempt is made.
    Method: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    attempts: int = 1
    """How many attempts are made in all."""
    base: float = 0.5
    """Seconds."""
    factor: float = 2.0
    cap: float = 30.0
    """Seconds."""
    after_cap: float = 120.0
    """Seconds; the longest pause a server may ask for."""

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.base < 0 or self.cap < 0 or self.factor < 1 or self.after_cap < 0:
            raise UsageError(f"{self!r}: attempts must be at least 1, factor at least 1, and no time may be negative")

    def pause(self, attempt: int, failure: Failure, *, seed: str) -> float | None:
        """Return the seconds to wait after the failed `attempt`, or None if no other one may follow."""
        if attempt >= self.attempts or not failure.retryable:
            return None
        wish = failure.retry_after or 0.0
        if wish > self.after_cap:
            return None
        ceiling = min(self.cap, self.base * self.factor ** min(attempt - 1, 64))
        return max(wish, draw(f"{seed}#{attempt}") * ceiling)


@dataclass(frozen=True, slots=True)
class Timeout:
    """How long one attempt may take (E7), in seconds. `first` and `idle` watch the signs of life that a node gives
    with `context().progress()`: each streamed token is one."""

    total: float | None = None
    first: float | None = None
    idle: float | None = None

    def __post_init__(self) -> None:
        if any(limit is not None and limit <= 0 for limit in (self.total, self.first, self.idle)):
            raise UsageError(f"{self!r}: a timeout must be more than 0 seconds")

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return self.total is not None or self.first is not None or self.idle is not None


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything about how a node is run."""

    retry: Retry = Retry()
    timeout: Timeout = Timeout()
    deadline: float | None = None
    """Seconds for all attempts together, pauses included: no attempt begins or goes on after it. A resumed run counts
    anew."""
    effect: Effect = "read"
    limit: str | None = None
    """The named limit whose permit every attempt holds."""

    def __post_init__(self) -> None:
        if self.effect not in get_args(Effect):
            raise UsageError(f"effect={self.effect!r}: one of {', '.join(get_args(Effect))}")
        if self.deadline is not None and self.deadline <= 0:
            raise UsageError(f"deadline={self.deadline!r}: must be more than 0 seconds")


def policy(
    retry: int | Retry | None = None,
    timeout: float | Timeout | None = None,
    deadline: float | None = None,
    effect: Effect = "read",
    limit: str | None = None,
) -> Policy:
    """Make a Policy of the short forms: `retry=3` is three attempts, `timeout=20` is 20 seconds in all."""
    return Policy(
        retry=Retry(attempts=retry) if isinstance(retry, int) else retry or Retry(),
        timeout=Timeout(total=timeout) if isinstance(timeout, (int, float)) else timeout or Timeout(),
        deadline=deadline,
        effect=effect,
        limit=limit,
    )


def draw(seed: str) -> float:
    """Draw a number in [0, 1) that depends on `seed` alone: the same in every process and on every machine."""
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=7).digest(), "big") / 2**56
