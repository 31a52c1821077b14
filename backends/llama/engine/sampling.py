"""Choosing the next token from the model's logits.

The order is that of most hosted models: forbidden tokens out, penalties, temperature, then `top_k`, `top_p` and
`min_p` on the distribution that this gives. Temperature 0 takes the likeliest token, the lowest id among equals.

The random number for a token is a hash of the seed and the token's position. It does not depend on how many numbers
were drawn before, so an answer can be taken up again in the middle.
"""

from __future__ import annotations

import functools
import hashlib
import math
import struct
import threading
from collections import Counter
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from graphrt.backends.llama.native.library import extra

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_NEVER = -3e38
"""A score that is never drawn beside a real one, and is still a number."""
_COLDEST = 1e-30
"""Temperatures below are none to numbers of 32 bits."""
_LEAST = -80.0
"""Scores below are as good as never drawn, and their exponentials take ten times longer."""
_BLOCK = 512
"""Weights that are summed at once: adding up a large vocabulary one by one would take longer than all else."""
_FEW = 256
"""Tokens that hold most of what there is, as a rule."""
_SLACK = 1e-6
"""More than numbers of 32 bits are rounded by."""
_ROUNDED = 1e-9
"""Far more than what rounding adds to a sum of probabilities."""


_here = threading.local()


@functools.cache
def _numpy() -> ModuleType:
    return extra("numpy")


def _room(size: int) -> NDArray[np.float32]:
    """Memory of this thread for so many numbers, which holds until it is asked for again."""
    found: NDArray[np.float32] | None = getattr(_here, "room", None)
    room: NDArray[np.float32] = found if found is not None and len(found) >= size else _numpy().empty(size, "f4")
    _here.room = room
    return room[:size]


def uniform(seed: int, position: int) -> float:
    """A number in [0, 1) that belongs to `position` of the sequence drawn with `seed`."""
    digest = hashlib.blake2b(struct.pack("<QQ", seed % 2**64, position), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) / 2**53


def _sums(weights: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The sums up to the end of each block: of a block in 32 bits, which takes a third of the time, and from there on
    in 64, where small ones would be lost."""
    numpy = _numpy()
    blocks = numpy.add.reduceat(weights, numpy.arange(0, len(weights), _BLOCK))
    return cast("NDArray[np.float64]", numpy.cumsum(blocks, dtype=numpy.float64))


def _place(weights: NDArray[np.float32], share: float) -> int:
    """Where `share` of the sum of all `weights` is reached."""
    numpy = _numpy()
    sums = _sums(weights)
    wanted = share * sums[-1]
    block = min(int(numpy.searchsorted(sums, wanted, side="right")), len(sums) - 1)
    first = block * _BLOCK
    inside = numpy.cumsum(weights[first : first + _BLOCK], dtype=numpy.float64)
    before = sums[block - 1] if block else 0.0
    return first + min(int(numpy.searchsorted(inside, wanted - before, side="right")), len(inside) - 1)


@dataclass(slots=True)
class Sampler:
    """One answer's choices. `temperature` 0 is greedy; `top_k` 0, `top_p` 1 and `min_p` 0 exclude nothing.

    The penalties follow the hosted models: they count the tokens of this answer, not those of the prompt.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int = 0
    counts: Counter[int] = field(default_factory=Counter)

    def accept(self, token: int) -> None:
        """Remember that `token` was written, for the penalties."""
        self.counts[token] += 1

    def pick(self, logits: NDArray[np.float32], position: int, allowed: NDArray[np.bool_] | None = None) -> int:
        """Choose the token for `position`. At least one token must be allowed."""
        numpy = _numpy()
        if self.counts and (self.presence_penalty or self.frequency_penalty):
            logits = logits.copy()
            times = numpy.fromiter(self.counts.values(), dtype=logits.dtype)
            ids = numpy.fromiter(self.counts, dtype=numpy.int64)
            logits[ids] -= self.presence_penalty + self.frequency_penalty * times
        tokens = None if allowed is None else numpy.flatnonzero(allowed)
        scores = logits if tokens is None else logits[tokens]
        at = self._draw(scores, position) if self.temperature else int(scores.argmax())
        if numpy.isnan(scores[at]):  # argmax prefers what is no number
            at = int(numpy.nan_to_num(scores, nan=-numpy.inf).argmax())
        return at if tokens is None else int(tokens[at])

    def _draw(self, scores: NDArray[np.float32], position: int) -> int:
        numpy = _numpy()
        best = scores.max()
        if not math.isfinite(best):
            scores = numpy.nan_to_num(scores, nan=_NEVER, neginf=_NEVER)
            best = scores.max()
        # In place, and where the last ones were: for an array of this size, fresh memory costs more than what is done.
        weights = numpy.subtract(scores, best, out=_room(len(scores)))
        with numpy.errstate(over="ignore"):  # a tiny temperature: all but the best become nothing
            if self.temperature != 1:
                weights *= 1 / max(self.temperature, _COLDEST)
        if weights.min() < _LEAST:
            numpy.maximum(weights, _LEAST, out=weights)
        numpy.exp(weights, out=weights)
        chosen = None
        if self.top_k or self.top_p < 1 or self.min_p:
            chosen = self.keep(weights)
            weights = weights[chosen]
        at = _place(weights, uniform(self.seed, position))
        return at if chosen is None else int(chosen[at])

    def keep(self, weights: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
        """The indices that `top_k`, `top_p` and `min_p` leave, likeliest first where they had to be sorted."""
        numpy = _numpy()
        total = 0.0 if self.min_p or self.top_k else float(weights.sum(dtype=numpy.float64))
        chosen = numpy.flatnonzero(weights >= self._least(weights, total))
        left = weights[chosen].astype(numpy.float64)
        if self.min_p:
            at = numpy.flatnonzero(left >= self.min_p * left.max())
            chosen, left = chosen[at], left[at]
        if 0 < self.top_k < len(left):
            # The k-th largest value first: a whole sort of a large vocabulary would take longer than the model.
            at = numpy.flatnonzero(left >= numpy.partition(left, -self.top_k)[-self.top_k])
            at = at[numpy.argsort(-left[at], kind="stable")][: self.top_k]
            chosen, left = chosen[at], left[at]
        if self.top_p < 1:
            chosen = chosen[_nucleus(left, max(self.top_p, 0) * (total or left.sum()))]
            if not len(chosen):
                chosen = numpy.array([int(weights.argmax())])
        return cast("NDArray[np.int64]", chosen)

    def _least(self, weights: NDArray[np.floating[Any]], total: float) -> float:
        """A weight below which none is kept: most of a large vocabulary need not be looked at twice."""
        best = float(weights.max())
        least = self.min_p * best
        if self.top_k > 0:
            # So many of the blocks have one that is at least this.
            highest = _numpy().maximum.reduceat(weights, _numpy().arange(0, len(weights), _BLOCK))
            if self.top_k <= len(highest):
                least = max(least, float(_numpy().partition(highest, -self.top_k)[-self.top_k]))
        elif not self.min_p:
            # Those rarer than this hold less than 1 - top_p together: the nucleus never reaches them.
            least = (1 - self.top_p) * total / len(weights)
        return min(least, best) * (1 - _SLACK)


def _nucleus(left: NDArray[np.float64], wanted: float) -> NDArray[np.int64]:
    """Where the largest of `left` are, in order, up to the one that brings their sum to `wanted`.

    Where a few suffice, as they mostly do, only those are sorted.
    """
    numpy = _numpy()
    few = _FEW
    while True:
        at = (
            numpy.flatnonzero(left >= numpy.partition(left, -few)[-few]) if few < len(left) else numpy.arange(len(left))
        )
        at = at[numpy.argsort(-left[at], kind="stable")]
        sums = numpy.cumsum(left[at])
        # More than enough: the sums are rounded, and whether all or a few are added up must make no difference.
        if len(at) == len(left) or sums[-1] > wanted * (1 + _ROUNDED):
            return cast("NDArray[np.int64]", at[sums - left[at] < wanted])
        few *= 8
