"""Tables for people. Where a line would not fit, columns are shortened, then left out, the least important first.

Nothing here knows of runs or of a terminal: columns and a width go in, lines come out, none of them wider than that.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

GAP = "  "
ENOUGH = 40
"""Letters of a cell that can be cut. More of them are shown only when no other column needs the room."""
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, as it is with room enough; how it gets narrower, and when it goes."""

    head: str
    cells: Sequence[str]
    rank: int
    """0 stays; of the others, those with higher ranks go first, and get room last."""
    shorter: Sequence[str] | None = None
    """The same cells in fewer letters. Empty ones let a column of rank 0 go when nothing else can."""
    least: int | None = None
    """Letters to which its cells may be cut; None if what is cut would say nothing."""
    keep_end: bool = False
    """Whether the end of a cell says more than its beginning."""
    right: bool = False
    paint: Callable[[str], str] | None = None
    """Colours a cell that is cut and filled already."""


def lines_of(columns: Sequence[Column], width: int | None = None) -> list[str]:
    """Lay columns out as lines, the heads first. Columns without a word in them are left out. None is any width."""
    columns = [_plain(column) for column in columns if any(column.cells)]
    shown = [(column, _width(column)) for column in columns] if width is None else _fitted(columns, width)
    if not shown:
        return []
    count = max(len(column.cells) for column, _ in shown)
    heads = GAP.join(_fill(column.head if size >= wide(column.head) else "", size, column) for column, size in shown)
    return [heads.rstrip(), *(_line(shown, row) for row in range(count))]


def flowed(parts: Iterable[str], width: int | None = None) -> list[str]:
    """Set words that belong together one after the other, and begin a new line where they would not fit."""
    lines: list[str] = []
    for part in parts:
        if lines and (width is None or wide(lines[-1]) + len(GAP) + wide(part) <= width):
            lines[-1] += GAP + part
        else:
            lines.append(part)
    return lines


def wide(text: str) -> int:
    """Count the columns that a text takes up on a terminal; colours take none."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(_wide(letter) for letter in _STYLE.sub("", text))


def _wide(letter: str) -> int:
    if unicodedata.category(letter) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def cut(text: str, width: int, *, keep_end: bool = False) -> str:
    """Cut a text without colours to so many columns; what is left of it says that it was cut."""
    if wide(text) <= width:
        return text
    if width < 1:
        return ""
    kept: list[str] = []
    left = width - 1
    for letter in reversed(text) if keep_end else text:
        left -= _wide(letter)
        if left < 0:
            break
        kept.append(letter)
    return "…" + "".join(reversed(kept)) if keep_end else "".join(kept) + "…"


def plain(text: str) -> str:
    """Write what a terminal would obey, or a line would end at, as a space."""
    return _CONTROL.sub(" ", text)


def _plain(column: Column) -> Column:
    shorter = None if column.shorter is None else [plain(cell) for cell in column.shorter]
    return replace(column, cells=[plain(cell) for cell in column.cells], shorter=shorter)


def _width(column: Column) -> int:
    return max(wide(column.head), *(wide(cell) for cell in column.cells))


def _least(column: Column) -> int:
    if column.shorter is not None:
        head = wide(column.head) if column.rank else 0  # what may go as a whole is not worth having without its head
        return max(head, *(wide(cell) for cell in column.shorter))
    return _width(column) if column.least is None else min(_width(column), column.least)


def _content(column: Column) -> int:
    """The width with which a column need not go: what always stays is narrowed only when nothing else is left."""
    return _width(column) if column.rank == 0 else _least(column)


def _sum(widths: Iterable[int]) -> int:
    sizes = [size for size in widths if size]
    return sum(sizes) + len(GAP) * max(0, len(sizes) - 1)


def _fitted(columns: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    kept = list(columns)
    while _sum(map(_content, kept)) > width and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    start = _content if _sum(map(_content, kept)) <= width else _least
    sizes = {id(column): start(column) for column in kept}
    ranked = sorted(kept, key=lambda column: column.rank)
    for column, most in [*((column, ENOUGH) for column in ranked), *((column, width) for column in ranked)]:
        size = sizes[id(column)]
        spare = width - _sum(sizes.values()) - (0 if size else len(GAP))
        wanted = _width(column) if column.least is None else min(_width(column), max(size, most))
        if wanted - size <= spare:
            sizes[id(column)] = wanted
        elif column.shorter is None and spare > 0:
            sizes[id(column)] += spare
    shown = [(_in(column, sizes[id(column)]), sizes[id(column)]) for column in kept if sizes[id(column)]]
    return _squeezed(shown, width)


def _in(column: Column, size: int) -> Column:
    shorter = column.shorter if size < _width(column) else None
    return column if shorter is None else replace(column, cells=shorter)


def _squeezed(shown: list[tuple[Column, int]], width: int) -> list[tuple[Column, int]]:
    """Let go of what still does not fit: the widest is cut, and if that is not enough, the first stays alone."""
    over = _sum(size for _, size in shown) - width
    if over <= 0:
        return shown
    widest = max(shown, key=lambda each: each[1])
    if widest[1] > over:
        return [(column, size - over if column is widest[0] else size) for column, size in shown]
    return [(shown[0][0], max(1, min(shown[0][1], width)))]


def _line(shown: Sequence[tuple[Column, int]], row: int) -> str:
    cells = [_fill(column.cells[row], size, column) for column, size in shown]
    cells[-1] = cells[-1].rstrip()
    return GAP.join(
        cell if column.paint is None else column.paint(cell) for (column, _), cell in zip(shown, cells, strict=True)
    ).rstrip()


def _fill(text: str, size: int, column: Column) -> str:
    words = cut(text, size, keep_end=column.keep_end)
    room = " " * (size - wide(words))
    return room + words if column.right else words + room
