"""`balance`: spread requests over backends that are as good as one another.

    balance({"openai:gpt-x": 2, "azure:gpt-x": 1}, by="least_outstanding")
    balance([one, other], by="sticky")

    least_outstanding   the fewest open requests for its weight, this one included
    weighted            drawn by lot, as often as its weight says
    sticky              requests of one key go to one backend, where the prompt's beginning is cached

Sticky is rendezvous hashing: nothing is remembered, processes agree, and when a backend comes or goes only its own keys
move.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from random import Random
from typing import Literal, get_args

from pydantic_core import to_json

from graphrt.backends.base import Backend
from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import Request
from graphrt.backends.policies.health import Watched
from graphrt.backends.policies.switching import SWITCHING, Choose, Switching, awake, different, opened, take_turns
from graphrt.clock import Clock, SystemClock

By = Literal["least_outstanding", "weighted", "sticky"]
Key = Callable[[Request], str]
Weights = Mapping[str, float] | Mapping[Backend, float] | Mapping[Backend | str, float]


def beginning(request: Request) -> str:
    """The key of a request that is given none: its tools and its messages up to the first of the user's. All turns of a
    conversation have the same."""
    first = next((i for i, message in enumerate(request.messages) if message.role == "user"), len(request.messages))
    return hashlib.sha256(to_json([request.tools, request.messages[: first + 1]])).hexdigest()


def balance(
    backends: Weights | Iterable[Backend | str],
    *,
    by: By = "least_outstanding",
    key: Key | None = None,
    rest: float = 10.0,
    on: Collection[str] = SWITCHING,
    rng: Random | None = None,
    clock: Clock | None = None,
) -> Balance:
    """Send each request to one of the backends, given with their weights or all alike.

    One that fails is left alone for `rest` seconds, or for as long as it asks, unless all of them are: else one that
    fails at once would always look the least busy. Before the first part of an answer began, an error whose category is
    in `on` leads to another backend without a trace but a `Chose`; after it the answer ends in the error. `key` makes
    the key of a request for "sticky" (default: `beginning`). `rng` draws the lots.

    Raises ValueError without a backend, for one that is given twice, a weight that is not above 0, and a category that
    no error has; BindingError for a name that leads nowhere.
    """
    if by not in get_args(By):
        raise ValueError(f"by={by!r}; it is one of {', '.join(get_args(By))}")
    if key is not None and by != "sticky":
        raise ValueError(f'a key is for by="sticky"; this is by={by!r}')
    weights = dict(backends) if isinstance(backends, Mapping) else None
    given = list(backends)
    different("balance", given)
    shares = [1.0] * len(given) if weights is None else [float(weight) for weight in weights.values()]
    if wrong := [share for share in shares if not (share > 0 and math.isfinite(share))]:
        raise ValueError(f"a weight is {wrong[0]:g}; it must be above 0")
    clock = clock or SystemClock()
    line = [Watched(each, clock, rest=rest) for each in opened(given)]
    return Balance(line, shares, by=by, key=key or beginning, on=on, rng=rng or Random())  # noqa: S311 - lots, not secrets


class Balance(Switching):
    """See `balance`."""

    policy = "balance"

    def __init__(
        self,
        line: Sequence[Watched],
        weights: Sequence[float],
        *,
        by: By,
        key: Key,
        on: Collection[str],
        rng: Random,
    ) -> None:
        super().__init__(line, on)
        self._weights = dict(zip(line, weights, strict=True))
        self._labels = dict(zip(line, labels([each.name for each in line]), strict=True))
        self._by = by
        self._key = key
        self._rng = rng

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer `request` by the backend whose turn it is. Closing it closes the one that is being asked."""
        return take_turns(self.policy, self._line, request, self._chooser(request), on=self._on)

    def _chooser(self, request: Request) -> Choose:
        key = self._key(request) if self._by == "sticky" else ""

        def choose(left: Sequence[Watched]) -> tuple[Watched, str]:
            ready = awake(left)
            weights = [self._weights[each] for each in ready]
            match self._by:
                case "least_outstanding":
                    open_ = [each.health().outstanding for each in ready]
                    index = least(open_, weights, self._rng)
                    why = f"fewest requests open for its weight ({open_[index]})"
                case "weighted":
                    index = self._rng.choices(range(len(ready)), weights)[0]
                    why = f"drawn by its weight ({weights[index]:g} of {sum(weights):g})"
                case _:
                    index = closest(key, [self._labels[each] for each in ready], weights)
                    why = "closest to the key"
            resting = [each.name for each in left if each not in ready]
            return ready[index], why + (f"; {', '.join(resting)} resting" if resting else "")

        return choose


def labels(names: Sequence[str]) -> list[str]:
    """Names that tell backends of the same name apart."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def least(outstanding: Sequence[int], weights: Sequence[float], rng: Random) -> int:
    """Who has the least to do for its weight once it has this request too; among equals by lot."""
    loads = [(count + 1) / weight for count, weight in zip(outstanding, weights, strict=True)]
    return rng.choice([index for index, load in enumerate(loads) if load == min(loads)])


def closest(key: str, names: Sequence[str], weights: Sequence[float]) -> int:
    """Whose hash with the key is the highest, weighted so that each gets its share of all keys."""

    def score(name: str, weight: float) -> float:
        digest = hashlib.sha256(f"{key}\0{name}".encode(errors="surrogatepass")).digest()
        share = ((int.from_bytes(digest[:8], "big") >> 12) + 0.5) / 2**52  # never 0 and never 1
        return -weight / math.log(share)

    scores = [score(name, weight) for name, weight in zip(names, weights, strict=True)]
    return scores.index(max(scores))
