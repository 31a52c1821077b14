"""What changed between two versions of a value, as a short text, and the way back (D5).

A version is stored as a patch against an earlier one: a JSON list whose `[start, length]` pairs copy that range of
the base's bytes and whose strings are new text between them. `{"i":5,"log":["a"]}` to `{"i":6,"log":["a","b"]}` is

    [[0,5],"6",[6,10],"\\",\\"b",[16,3]]

The patch knows bytes, not JSON: it is right for any two texts, and short wherever something was added, dropped or
replaced, at any depth and in any order of members. All the comparing is done by memcmp and memmem on the two texts;
the Python loops here turn once for each change, never once for each byte. Whoever cannot be helped is stored whole:
`diff` gives up early.

Nothing here keeps state, so there is nothing to interrupt.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

ANCHOR = 24
"""Bytes of the old text that must reappear in the new one for the two to be taken as in step again. Long enough not
to match by chance in JSON's recurring punctuation, short enough to fit between two changes that are close
together."""

NEAR = 4096
"""How far ahead a match is looked for at first: most changes are small, and looking through everything costs."""

NEAR_SKIPS = (0, 8, 32, 128, 512)
FAR_SKIPS = (0, 64, 1024, 16384)
"""How far beyond the change an anchor is taken: what was replaced, dropped or put in is rarely longer."""

SURE = 4096
"""Two texts that agree for so long are in step: no better place is looked for. In a text that resembles itself, such as
a log whose lines are alike, the first place that fits is often the wrong line."""

CHANGES = 64
"""A value that changed in more places than this is another value: store it whole."""


class Copy(NamedTuple):
    """A range of the base's bytes."""

    start: int
    length: int


Op = Copy | bytes

_CONTINUATION = 0x80  # bytes from here to 0xBF go on with a character in UTF-8


class _Step(NamedTuple):
    """A parsed patch: its operations, where in the result each begins, and how long the result is."""

    ops: list[Op]
    starts: list[int]
    length: int


def diff(old: bytes, new: bytes) -> str | None:
    """Return a patch that makes `new` from `old`, or None if it would not be much smaller than `new` itself."""
    ops = _ops(old, new)
    if ops is None:
        return None
    try:
        text = to_json([op.decode() if isinstance(op, bytes) else op for op in ops]).decode()
    except UnicodeDecodeError:  # not UTF-8, hence not JSON: nobody's hot path
        return None
    made = b"".join(op if isinstance(op, bytes) else old[op.start : op.start + op.length] for op in ops)
    if 2 * len(text) > len(new) or made != new:
        return None
    return text


def patch(base: bytes, text: str) -> bytes:
    """Return what one patch makes of `base`. Raises ValueError if it is not a patch, or not one for this base."""
    return replay(base, [text])


def replay(base: bytes, texts: Sequence[str]) -> bytes:
    """Return what patches, oldest first, make of `base`. Raises ValueError if one does not fit.

    Costs as much as the result and the patches' own texts, not result x patches: a range that the newest patch copies
    is looked up in the patch before, and so on down, and only bytes that survive to the end are ever copied."""
    steps: list[_Step] = []
    length = len(base)
    for text in texts:
        steps.append(_parse(text, length))
        length = steps[-1].length
    pieces: list[bytes] = []
    todo: list[bytes | tuple[int, int, int]] = [(len(steps), 0, length)]
    while todo:
        item = todo.pop()
        if isinstance(item, bytes):
            pieces.append(item)
        elif item[0] == 0:
            pieces.append(base[item[1] : item[2]])
        else:
            level, start, stop = item
            todo.extend(reversed(_below(steps[level - 1], level - 1, start, stop)))
    return b"".join(pieces)


def _below(step: _Step, level: int, start: int, stop: int) -> list[bytes | tuple[int, int, int]]:
    """Say where the result's bytes `start:stop` come from: new text, or ranges one level down."""
    found: list[bytes | tuple[int, int, int]] = []
    at = bisect_right(step.starts, start) - 1
    while start < stop:
        op, begin = step.ops[at], step.starts[at]
        if isinstance(op, bytes):
            end = min(stop, begin + len(op))
            found.append(op[start - begin : end - begin])
        else:
            end = min(stop, begin + op.length)
            found.append((level, op.start + start - begin, op.start + end - begin))
        start, at = end, at + 1
    return found


def _parse(text: str, base: int) -> _Step:
    """Read a patch for a base of `base` bytes. It comes from a file, so nothing in it is taken on trust."""
    ops: list[Op] = []
    starts: list[int] = []
    length = 0
    items: Any = from_json(text)
    if not isinstance(items, list):
        raise ValueError("a patch is a list")  # noqa: TRY004 - a damaged file, not a caller's type
    for item in items:
        op: Op
        match item:
            case str():
                op = item.encode()
                size = len(op)
            case [int(start), int(size)] if start >= 0 and size >= 0 and start + size <= base:
                op = Copy(start, size)
            case _:
                raise ValueError(f"a patch does not fit its base of {base} bytes")
        if size:
            ops.append(op)
            starts.append(length)
            length += size
    return _Step(ops, starts, length)


def _ops(old: bytes, new: bytes) -> list[Op] | None:
    """Walk through both texts in step; at each difference find where they are in step again."""
    shorter = min(len(old), len(new))
    i = j = _cut_back(new, _same_ahead(old, 0, new, 0, shorter))
    tail = _same_behind(old, len(old), new, len(new), shorter - i)
    while tail and _inside_character(new, len(new) - tail):
        tail -= 1
    old_end, new_end = len(old) - tail, len(new) - tail
    ops: list[Op] = [Copy(0, i)]
    while j < new_end:
        if len(ops) > 2 * CHANGES:
            return None
        found = _in_step_again(old, i, old_end, new, j, new_end)
        if found is None:
            ops.append(new[j:new_end])
            break
        i, at = found
        ops.append(new[j:at])
        same = _same_ahead(old, i, new, at, min(old_end - i, new_end - at))
        same = _cut_back(new, at + same) - at
        ops.append(Copy(i, same))
        i, j = i + same, at + same
    ops.append(Copy(old_end, tail))
    return [op for op in ops if (op if isinstance(op, bytes) else op.length)]


def _in_step_again(  # noqa: PLR0917 - two texts, and where each is looked at
    old: bytes, i: int, old_end: int, new: bytes, j: int, new_end: int
) -> tuple[int, int] | None:
    """Return the next two places, at or after `i` and `j`, from which the texts agree for longest."""
    for skips, window in (NEAR_SKIPS, NEAR), (FAR_SKIPS, max(old_end - i, new_end - j)):
        best, length = None, 0
        for ahead, at in _places(old, i, old_end, new, j, new_end, skips, window):
            back = _same_behind(old, ahead, new, at, min(ahead - i, at - j))
            same = back + _same_ahead(old, ahead, new, at, min(old_end - ahead, new_end - at, SURE))
            if same > length:
                best, length = (ahead - back, at - back), same
            if same >= SURE or ahead - back + same == old_end or at - back + same == new_end:
                break
        if best is not None:
            ahead, at = best
            while _inside_character(new, at):
                ahead, at = ahead + 1, at + 1
            return ahead, at
    return None


def _places(  # noqa: PLR0917 - as above
    old: bytes, i: int, old_end: int, new: bytes, j: int, new_end: int, skips: Sequence[int], window: int
) -> Iterator[tuple[int, int]]:
    """Yield where a piece of one text that follows the change stands in the other: in the new one if something was put
    in or replaced, in the old one if something was dropped."""
    for skip in skips:
        ahead, at = i + skip, j + skip
        if ahead + ANCHOR <= old_end:
            found = new.find(old[ahead : ahead + ANCHOR], j, min(new_end, j + window))
            if found >= 0:
                yield ahead, found
        if at + ANCHOR <= new_end:
            found = old.find(new[at : at + ANCHOR], i, min(old_end, i + window))
            if found >= 0:
                yield found, at


def _same_ahead(a: bytes, i: int, b: bytes, j: int, limit: int) -> int:
    """Count equal bytes from `a[i]` and `b[j]` on: gallop by memcmp, then halve."""
    view = memoryview(a)
    same, size = 0, 64
    while same < limit:
        size = min(size, limit - same)
        if not b.startswith(view[i + same : i + same + size], j + same):
            break
        same, size = same + size, 2 * size
    else:
        return limit
    while size > 1:
        half = size // 2
        if b.startswith(view[i + same : i + same + half], j + same):
            same, size = same + half, size - half
        else:
            size = half
    return same


def _same_behind(a: bytes, i: int, b: bytes, j: int, limit: int) -> int:
    """Count equal bytes that end before `a[i]` and `b[j]`."""
    view = memoryview(a)
    same, size = 0, 64
    while same < limit:
        size = min(size, limit - same)
        if not b.endswith(view[i - same - size : i - same], 0, j - same):
            break
        same, size = same + size, 2 * size
    else:
        return limit
    while size > 1:
        half = size // 2
        if b.endswith(view[i - same - half : i - same], 0, j - same):
            same, size = same + half, size - half
        else:
            size = half
    return same


def _inside_character(text: bytes, at: int) -> bool:
    """Say whether a cut at `at` would split a character: new text is kept as text, so it cannot begin or end in one."""
    return at < len(text) and _CONTINUATION <= text[at] < _CONTINUATION + 0x40


def _cut_back(text: bytes, at: int) -> int:
    """Move a cut back to the beginning of its character."""
    while at and _inside_character(text, at):
        at -= 1
    return at
