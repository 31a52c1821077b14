"""Where everything of a timeline is: the scale, the lanes and their bars, the words above them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from graphrt.clock import lasted
from graphrt.draw.lettering import width
from graphrt.draw.progress import TELLING
from graphrt.draw.timeline.lanes import Bar, Lane, Track, bars_of, crowd_of, lanes_of, placed, rows_of
from graphrt.draw.timeline.scale import Stretch, scale_of, tick, ticks
from graphrt.draw.timeline.spans import Course, Moment

NARROWEST = 560.0
"""Pixels: with less, there would be no room beside the names."""
MOST_ROWS = 24
"""Rows of a lane. The steps beyond are drawn as how many there are at once."""
MOST_BARS = 4000
"""With more, those that are near each other are drawn in one piece."""

MARGIN = 20.0
SMALL = 10.5
BOLD = 1.08
HEAD = 62.0
LINE = 14.0
STUB = 9.0
"""How much of what crosses a cut is seen at each of its sides."""
HIGH, LOW = (18.0, 3.0), (7.0, 2.0)
"""A row's height, and what is between two: of a few, and of many."""
PAD = 4.0
GROUP = 24.0
CROWD = 30.0
ENDS = ("driver gone", "failed", "cancelled")
"""Moments whose words stand before them."""

_NAMES = 250.0
"""How wide the names of the lanes are, with what is said beside them."""
_END = 14.0
"""Room at the end for bars that are wider than what they stand for."""
_TICK = 72.0
"""How far apart ticks are at least."""
_LEAST, _GAP = 3.0, 1.0
_FEW = 4
_COLUMN = 4.0
_QUIET = ("suspended", "waiting")
"""Why nobody worked, where no moment says it."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A lane in its place."""

    lane: Lane
    top: float
    row: tuple[float, float]
    """How high a row is, and what is between two."""
    rows: Sequence[Sequence[Bar]]
    crowd: Sequence[tuple[float, float, int]]
    beyond: Counter[str]
    """What became of the steps for which there is no row."""

    @property
    def below(self) -> float:
        """Where its first row begins."""
        return self.top + (GROUP if self.lane.group else PAD)

    @property
    def height(self) -> float:
        """How high it is."""
        if self.lane.group and not self.rows:
            return GROUP
        rows = len(self.rows) * sum(self.row) + (CROWD if self.crowd else 0.0)
        return max(HIGH[0] + 2 * PAD, self.below - self.top + rows + PAD)


@dataclass(slots=True)
class Line:
    """Where words are already on a line."""

    taken: list[tuple[float, float]] = field(default_factory=list)

    def put(self, middle: float, wide: float) -> bool:
        """Take a place and some room around it, unless something is there."""
        left, right = middle - wide / 2 - 4, middle + wide / 2 + 4
        if any(left < end and begin < right for begin, end in self.taken):
            return False
        self.taken.append((left, right))
        return True


class Plan:
    """A run in time, with everything in its place; in pixels."""

    def __init__(self, course: Course, wide: float) -> None:
        self.course = course
        self.wide = wide
        self.left = MARGIN + _NAMES
        self.right = wide - MARGIN - _END
        self.limit = wide - MARGIN - 4
        self.scale = scale_of(course, self.left, self.right, _room)
        self.said = self._said()
        moments = [self.scale.at(moment.at) for moment in course.moments]
        self.walls = sorted([*moments, *(cut.left + STUB - 2 for cut in self.scale.cuts)])
        """What no words are written across."""
        self.top = HEAD + LINE * (1 + max((line for _, _, line in self.said), default=-1)) + 18
        self.ticks = self._ticks()
        self.lanes = self._placed()
        self.bottom = self.lanes[-1].top + self.lanes[-1].height + 6 if self.lanes else self.top + 8

    def visible(self, left: float, right: float) -> list[tuple[float, float]]:
        """Return the parts of a stretch that no cut is in front of."""
        found, begin = [], left
        for cut in self.scale.cuts:
            if cut.right > begin and cut.left < right:
                found.append((begin, cut.left + STUB - 6))
                begin = cut.right - STUB + 6
        return [*found, (begin, right)]

    def room_beside(self, bar: Bar, following: float) -> float:
        """Return how much room for words there is between a bar and what follows."""
        if any(cut.left + STUB < bar.right + 4 < cut.right - STUB for cut in self.scale.cuts):
            return 0.0
        return min([following, self.limit + 8, *(wall for wall in self.walls if wall > bar.right)]) - 8 - bar.right

    def _placed(self) -> list[Placed]:
        lanes = lanes_of(self.course)
        rows = [_shown(rows_of(lane.tracks)) for lane in lanes]
        places = [[placed(row, self.scale) for row in shown] for shown, _ in rows]
        least = _LEAST
        while True:
            bars = [[bars_of(row, least=least, gap=_GAP, limit=self.limit) for row in each] for each in places]
            if sum(len(row) for each in bars for row in each) <= MOST_BARS or least > self.right - self.left:
                break
            least *= 1.5
        found: list[Placed] = []
        top = self.top
        for lane, (_, beyond), drawn in zip(lanes, rows, bars, strict=True):
            row = HIGH if len(drawn) <= _FEW else LOW
            crowd = crowd_of(beyond, self.scale, column=_COLUMN)
            statuses = Counter(track.status for each in beyond for track in each)
            found.append(Placed(lane, top, row, drawn, crowd, statuses))
            top += found[-1].height
        return found

    def _said(self) -> list[tuple[Stretch | Moment, float, int]]:
        """Place the words above the lanes: the middle of each, and its line; -1 where there is no room for it."""
        lines = [Line(), Line(), Line()]
        found: list[tuple[Stretch | Moment, float, int]] = []

        def put(what: Stretch | Moment, words: str, middle: float) -> None:
            half = width(words, SMALL) / 2
            middle = min(max(middle, self.left + half), self.wide - MARGIN - half)
            found.append((what, middle, next((n for n, line in enumerate(lines) if line.put(middle, 2 * half)), -1)))

        for moment in self.course.moments:
            half = width(moment.word, SMALL) / 2
            put(moment, moment.word, self.scale.at(moment.at) + (-half - 2 if moment.word in ENDS else half - 4))
        for cut in self.scale.cuts:
            if cut.why in _QUIET:
                put(cut, cut.why, (cut.left + cut.right) / 2)
        return found

    def _ticks(self) -> list[tuple[float, str]]:
        """Return where ticks are, and their words; empty where there is no room for them."""
        line = Line()
        for cut in self.scale.cuts:
            line.put((cut.left + cut.right) / 2, width(lasted(cut.ended - cut.began), SMALL) * BOLD)
        found: list[tuple[float, str]] = []
        for number, stretch in enumerate(self.scale.stretches):
            if stretch.cut or stretch.ended <= stretch.began:
                continue
            step, instants = ticks(stretch, self.scale.unit, _TICK)
            for seconds in instants:
                x = stretch.at(stretch.began + seconds)
                words = tick(seconds, step, first=not number)
                wide = width(words, SMALL)
                found.append((x, words if x + wide / 2 < self.wide - 2 and line.put(x, wide) else ""))
        return found


def _shown(rows: Sequence[Sequence[Track]]) -> tuple[Sequence[Sequence[Track]], Sequence[Sequence[Track]]]:
    """Choose the rows that are drawn, of too many those that tell the most, and return the others as well."""
    if len(rows) <= MOST_ROWS:
        return rows, ()
    weight = [min(TELLING.index(track.status) for track in row) for row in rows]
    chosen = set(sorted(range(len(rows)), key=lambda place: weight[place])[: MOST_ROWS - 1])
    others = [row for place, row in enumerate(rows) if place not in chosen]
    return [row for place, row in enumerate(rows) if place in chosen], others


def _room(gone: float) -> float:
    """How wide a cut of so many seconds is: its length is written over it, and what crosses it shows at its sides."""
    return max(40.0 + STUB, width(lasted(gone), SMALL) * BOLD + 12)
