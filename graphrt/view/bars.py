"""A run in time as lines of a terminal: a line for each node, with bars for what its steps did.

Pure: what happened and a width go in, lines come out. The picture of the same is `graphrt.draw.timeline`.
"""

from __future__ import annotations

from math import ceil

from graphrt.clock import lasted
from graphrt.draw.progress import TELLING
from graphrt.draw.timeline.lanes import Lane, lanes_of
from graphrt.draw.timeline.scale import Scale, scale_of, tick, ticks
from graphrt.draw.timeline.spans import Course, Span
from graphrt.draw.timeline.words import of_counts
from graphrt.view.table import GAP, cut, flowed, plain, wide
from graphrt.view.words import MARKS, when

USUAL = 100
"""Columns where there is no terminal."""
_LEAST = 16
"""Columns of bars. With less room than that, the words beside them go, and then they go themselves."""
_TICK = 12
_NAME = 32
_EDGE = "┆"
_WORK = {
    "failed": "✗",
    "unknown": "?",
    "running": "▓",
    "interrupted": "▒",
    "cancelled": "▒",
    "finished": "█",
}
"""What is drawn of an attempt: the first that is anywhere in a column."""
_WAITS = {"person": "░", "signal": "░", "timer": "░", "decision": "░", "pause": "·"}
_LETTERS = {
    "█": "#",
    "▓": ">",
    "▒": "~",
    "░": ".",
    "·": "-",
    "┆": ":",
    "✗": "x",
    "✓": "+",
    "▸": ">",
    "○": "o",
    "↻": "@",
    "…": "~",
    "─": "-",
}
_RANKS = {glyph: rank for rank, glyph in enumerate([*_WORK.values(), *_WAITS.values()])}


def lines_of(course: Course, width: int, *, ascii_only: bool = False) -> list[str]:
    """Draw what happened in a run, and when, as lines that are at most `width` columns wide."""
    lanes = lanes_of(course)
    names = [plain(f"{MARKS[lane.status]} {'  ' * lane.depth}{lane.name}") for lane in lanes]
    said = [next(of_counts(lane.inside)) for lane in lanes]
    beside = min(_NAME, max(map(wide, names), default=0))
    after = max(map(len, said), default=0)
    room = width - beside - after - 2 * len(GAP)
    if room < _LEAST:
        room, after = room + after + len(GAP), 0
    head = [f"{MARKS[course.status]} {course.status}", f"run {course.run} of {course.graph}"]
    head += [f"began {when(course.began)}", f"took {lasted(course.ended - course.began)}"]
    lines = flowed([plain(part) for part in head], width)
    if room < _LEAST:
        rows = [cut(name, width) for name in names]
    else:
        scale = scale_of(course, 0.0, float(room), lambda gone: len(lasted(gone)) + 4.0)
        lines.append(" " * (beside + len(GAP)) + _axis(scale, room))
        rows = []
        for lane, name, words in zip(lanes, names, said, strict=True):
            shown = cut(name, beside)
            bars = _bars(lane, scale, room)
            rows.append(f"{shown}{' ' * (beside - wide(shown))}{GAP}{bars}{GAP}{words if after else ''}".rstrip())
    lines += [*rows, *_moments(course, width), *_legend(course, width, drawn=room >= _LEAST)]
    lines = [cut(line, width) for line in lines]
    return [_in_ascii(line) for line in lines] if ascii_only else lines


def _axis(scale: Scale, room: int) -> str:
    cells = [" "] * room

    def put(words: str, at: int, *, around: int = 1) -> None:
        """Write words where there are none yet."""
        at = min(max(0, at), room - len(words))
        taken = "".join(cells[max(0, at - around) : at + len(words) + around]).strip()
        if words and at >= 0 and not taken:
            cells[at : at + len(words)] = words

    for gone in scale.cuts:
        words = lasted(gone.ended - gone.began)
        put(words, round((gone.left + gone.right - len(words)) / 2), around=0)
    for number, stretch in enumerate(scale.stretches):
        if not stretch.cut and stretch.ended > stretch.began:
            step, instants = ticks(stretch, scale.unit, _TICK)
            for seconds in instants:
                put(tick(seconds, step, first=not number), int(stretch.at(stretch.began + seconds)))
    return "".join(cells).rstrip()


def _bars(lane: Lane, scale: Scale, room: int) -> str:
    """Draw a lane in one line: what is most telling of what was done at once."""
    cells = [" "] * room
    if lane.group and not lane.tracks:
        first, last = _cells(scale, lane.began, lane.ended, room)
        cells[first : last + 1] = "─" * (last + 1 - first)
    for span in (span for track in lane.tracks for span in track.spans):
        first, last = _cells(scale, span.began, span.ended, room)
        for cell in range(first, last + 1):
            glyph = _glyph(span, last=cell == last)
            if cells[cell] == " " or _RANKS[glyph] < _RANKS[cells[cell]]:
                cells[cell] = glyph
    for gone in scale.cuts:
        left, right = ceil(gone.left), int(gone.right) - 1
        cells[left + 1 : right] = " " * max(0, right - left - 1)
        for edge in (left, right):
            if 0 <= edge < room and cells[edge] in " ─":
                cells[edge] = _EDGE
    return "".join(cells)


def _cells(scale: Scale, began: float, ended: float, room: int) -> tuple[int, int]:
    """Return the first and the last column of a stretch of time, at least one."""
    left, right = scale.at(began), scale.at(ended)
    first = min(int(left + 1e-9), room - 1)
    return first, min(max(first, ceil(right - 1e-9) - 1), room - 1)


def _glyph(span: Span, *, last: bool) -> str:
    """Return what is drawn of a span in a column: an attempt was at work until it failed."""
    if span.what != "work":
        return _WAITS[span.what]
    return _WORK["finished" if span.status in {"failed", "unknown"} and not last else span.status]


def _moments(course: Course, width: int) -> list[str]:
    return flowed([plain(f"{each.word} {when(each.at)}") for each in course.moments], width)


def _legend(course: Course, width: int, *, drawn: bool) -> list[str]:
    """Say what the bars mean, of those that are there."""
    worked = {span.status for span in course.spans if span.what == "work"}
    whats = {span.what for span in course.spans}
    said = [f"{_WORK[status]} {status}" for status in reversed(TELLING) if status in worked]
    said += [f"{_WAITS['person']} waiting"] if whats - {"work", "pause"} else []
    said += [f"{_WAITS['pause']} pause"] if "pause" in whats else []
    return flowed(said, width) if drawn else []


def _in_ascii(line: str) -> str:
    return (
        "".join(_LETTERS.get(letter, letter) for letter in line.replace("─", "-")).encode("ascii", "replace").decode()
    )
