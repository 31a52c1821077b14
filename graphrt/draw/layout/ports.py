"""Where links meet the sides of boxes: spread in the order of their other ends, straight where that is near."""

from __future__ import annotations

from collections.abc import Sequence

_STEP = 12.0
"""How far apart links are on a side that has room."""
_WIDE = 400.0
_REACH = {False: 0.3, True: 0.45}
"""How much of a side links may use on each side of its middle; more where the box is wide."""
_NEAR = 4.0
_STRAIGHT = 12.0
"""How far from the middle of a side a link may be to be straight."""


def spread(width: float, wanted: Sequence[float]) -> list[float]:
    """Place the links of a side, in order: as near as can be to what each wants, relative to the side's middle.

    The sum of distances is least under the condition that they are in order and apart: isotonic regression by medians,
    so that of two links that are in each other's way one is straight, rather than both nearly so.
    """
    reach = width * _REACH[width > _WIDE]
    count = len(wanted)
    step = min(_STEP, 2 * reach / max(count - 1, 1))
    blocks: list[list[float]] = []
    for index, want in enumerate(wanted):
        block = [min(max(want, -reach), reach) - index * step]
        while blocks and _middle(blocks[-1]) >= _middle(block):
            block = sorted(blocks.pop() + block)
        blocks.append(block)
    placed = [_middle(block) for block in blocks for _ in block]
    return [min(max(x, -reach), reach - (count - 1) * step) + index * step for index, x in enumerate(placed)]


def _middle(block: Sequence[float]) -> float:
    """Return the median; of two that are near each other the first."""
    low, high = block[(len(block) - 1) // 2], block[len(block) // 2]
    return low if high - low < _NEAR else (low + high) / 2


def alone(width: float, wanted: float) -> float:
    """Place the only link of a side: in its middle, unless a little off the middle it is straight."""
    return wanted if abs(wanted) <= min(_STRAIGHT, width * _REACH[False]) else 0.0
