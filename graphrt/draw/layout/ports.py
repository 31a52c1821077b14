"""Where links meet the sides of boxes: spread in the order of their other ends, straight where that is near."""

from __future__ import annotations

from collections.abc import Sequence

_STEP = 14.0
"""How far apart links are on a side that has room."""
_WIDE = 400.0
_REACH = {False: 0.3, True: 0.45}
"""How much of a side links may use on each side of its middle; more where the box is wide."""
_STRAIGHT = 12.0
"""How far from the middle of a side a link may be to be straight."""


def spread(width: float, wanted: Sequence[float]) -> list[float]:
    """Place the links of a side, in order: as near as can be to what each wants, relative to the side's middle.

    The sum of squared distances is least under the condition that they are in order and apart (isotonic regression).
    """
    reach = width * _REACH[width > _WIDE]
    count = len(wanted)
    step = min(_STEP, 2 * reach / max(count - 1, 1))
    blocks: list[tuple[float, int]] = []
    for index, want in enumerate(wanted):
        total, size = min(max(want, -reach), reach) - index * step, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / size:
            before = blocks.pop()
            total, size = total + before[0], size + before[1]
        blocks.append((total, size))
    placed = [total / size for total, size in blocks for _ in range(size)]
    return [min(max(x, -reach), reach - (count - 1) * step) + index * step for index, x in enumerate(placed)]


def alone(width: float, wanted: float) -> float:
    """Place the only link of a side: in its middle, unless a little off the middle it is straight."""
    return wanted if abs(wanted) <= min(_STRAIGHT, width * _REACH[False]) else 0.0
