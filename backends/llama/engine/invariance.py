"""Whether a row's bits depend on how many rows are computed with it: found out by trying, once for a loaded model.

The kernels of llama.cpp are chosen by the number of rows: F16 and BF16 weights have another for one row than for more,
K-quants for fewer than eight. So single rows of different sequences may be computed together only in numbers that make
no difference, and a call with too few is filled up. Which numbers those are depends on the weights and the processor.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from graphrt.backends.llama.native.context import Context, Span
from graphrt.backends.llama.native.library import extra
from graphrt.backends.llama.native.model import SMALL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEW, QUICK = 9, 16 * SMALL
"""Up to `FEW` rows every number is tried, where parameters times sequences are fewer than `QUICK`."""
HISTORY = 7
"""Tokens before the rows that are compared: enough for attention to have something to look at."""


def fewest_rows(context: Context) -> int:
    """The least number of single rows from which on their number makes no difference; 0 if there is none.

    `context` is empty and its sequences are apart; it is empty again afterwards. A full call, a row for every sequence,
    is always a candidate: it is always the same number.
    """
    if context.model.recurrent:  # what it has computed it cannot take back, so nothing can be filled up
        return 1 if context.sequences == 1 else 0
    draw = random.Random(0)  # noqa: S311 - any tokens will do, and the same each time
    *history, one, other = (draw.randrange(context.model.vocabulary.size) for _ in range(HISTORY + 2))
    context.compute([Span(0, 0, history)])
    for sequence in range(1, context.sequences):
        context.copy(0, sequence, HISTORY)
    fewest, last = 0, None
    for count in sorted(_counts(context), reverse=True):
        bits = _bits(context, (one, other), count)
        if bits is None or (last is not None and not (bits == last).all()):
            break
        fewest, last = count, bits
    for sequence in range(context.sequences):
        context.trim(sequence, 0)
    # Experts see as many rows as were sent to them: there, only a number that never matters does not matter.
    return fewest if fewest == 1 or not context.model.experts else 0


def _counts(context: Context) -> set[int]:
    """The numbers of rows to try: powers of two and the most that there can be; where that is quick, all small ones."""
    every = range(1, context.sequences + 1)
    few = FEW if context.model.parameters * context.sequences < QUICK else 0
    return {count for count in every if count <= few or count & (count - 1) == 0} | {context.sequences}


def _bits(context: Context, tokens: tuple[int, int], count: int) -> NDArray[np.float32] | None:
    """The logits after two tokens that alternate in a call of `count` rows; None if the place makes a difference."""
    seen = [_computed(context, [tokens[i % 2] for i in range(count)])]
    if count == 1:
        seen.append(_computed(context, [tokens[1]]))
    rows = [seen[0][0::2], seen[-1] if count == 1 else seen[0][1::2]]
    if not all((each == each[0]).all() for each in rows):
        return None
    bits: NDArray[np.float32] = extra("numpy").stack([each[0] for each in rows])
    return bits


def _computed(context: Context, tokens: list[int]) -> NDArray[np.float32]:
    """The logits after a single row for each of the first sequences, which are then as before."""
    logits = context.compute([Span(i, HISTORY, [token]) for i, token in enumerate(tokens)]).copy()
    for sequence in range(len(tokens)):
        context.trim(sequence, HISTORY)
    return logits
