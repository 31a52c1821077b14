"""A run in time as SVG: a lane for each node, bars for its steps.

Presentation attributes only, as the pictures of graphs have, and the same colours, signs and icons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from graphrt.draw.lettering import escape, shorten, width
from graphrt.draw.look import BADGES, ICONS, LOOKS, Look, Theme, n
from graphrt.draw.overlay import lasting
from graphrt.draw.progress import TELLING
from graphrt.draw.timeline.lanes import Bar, Lane, Track, bars_of, crowd_of, lanes_of, rows_of
from graphrt.draw.timeline.scale import Scale, Stretch, scale_of, ticks, told
from graphrt.draw.timeline.spans import Course, Moment, Span, course_of
from graphrt.errors import UsageError
from graphrt.history import Counted
from graphrt.types import StepKey

NARROWEST = 560.0
"""Pixels: with less, there would be no room beside the names."""
MOST_ROWS = 24
"""Rows of a lane. The steps beyond are drawn as how many there are at once."""
MOST_BARS = 2000
"""With more, those that are near each other are drawn in one piece."""

_MARGIN = 20.0
_NAMES = 250.0
"""How wide the names of the lanes are, with what is said beside them."""
_END = 14.0
"""Room at the end for bars that are wider than what they stand for."""
_HEAD = 62.0
_TICK = 72.0
"""How far apart ticks are at least."""
_TITLE, _NAME, _SMALL = 14.0, 12.0, 10.5
_LINE = 14.0
_BOLD = 1.08
_LEAST, _GAP = 3.0, 1.0
_ROW, _LOW = (18.0, 3.0), (7.0, 2.0)
"""A row's height, and what is between two: of a few, and of many."""
_FEW = 4
_PAD = 4.0
_GROUP = 24.0
_CROWD = 30.0
_COLUMN = 4.0
_INDENT = 12.0
_SIGN = 10.0
_STUB = 9.0
"""How much of what crosses a cut is seen at each of its sides."""
_TOLD = 400
"""Letters of what went wrong that a tooltip has."""

_WAITS = {
    "person": "waits for a person",
    "signal": "waits for a signal",
    "timer": "sleeps",
    "pause": "pauses before another try",
    "decision": "waits for a decision",
}
_STATUSES = {"suspended": "waiting"}
"""What a status of a run looks like, where it is none of a step."""
_QUIET = ("suspended", "waiting")
"""Why nobody worked, where no moment says it."""
_ENDS = ("driver lost", "failed", "cancelled")
_TONES = {"driver lost": "interrupted", "resumed": "running", "failed": "failed", "cancelled": "cancelled"}


def timeline(
    record: Sequence[Counted],
    *,
    now: float | None = None,
    spent: Mapping[tuple[StepKey, int], str] | None = None,
    theme: Theme = "light",
    wide: float = 960.0,
) -> str:
    """Draw what happened in a run, and when, as SVG: `record` is its history, as `history.counted` reads it.

    `now`, in seconds since the epoch, ends what is still at work; without it, nobody drives the run, and what was at
    work is interrupted. `spent` has words for attempts that asked models. Times are in UTC: the same record gives the
    same picture everywhere. Raises UsageError for a theme that there is not or a width in pixels that is too small, and
    ValueError for a record without a beginning.
    """
    if theme not in LOOKS:
        raise UsageError(f"theme {theme!r} is neither 'light' nor 'dark'")
    if wide < NARROWEST:
        raise UsageError(f"a timeline is at least {NARROWEST:.0f} pixels wide, not {wide}")
    course = course_of(record, now)
    return "\n".join(_Picture(course, LOOKS[theme], wide, spent or {}).lines()) + "\n"


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A lane in its place."""

    lane: Lane
    top: float
    row: float
    step: float
    rows: Sequence[Sequence[Bar]]
    crowd: Sequence[tuple[float, float, int]]
    beyond: Counter[str]
    """What became of the steps for which there is no row."""

    @property
    def height(self) -> float:
        """How high it is."""
        if self.lane.group and not self.rows:
            return _GROUP
        head = _GROUP if self.lane.group else 0.0
        crowd = _CROWD if self.crowd else 0.0
        return max(_ROW[0] + 2 * _PAD, head + len(self.rows) * self.step + crowd + 2 * _PAD)


@dataclass(slots=True)
class _Line:
    """Where words are already on a line."""

    taken: list[tuple[float, float]] = field(default_factory=list)

    def put(self, left: float, right: float) -> bool:
        """Take a place, unless something is there."""
        if any(left < end and begin < right for begin, end in self.taken):
            return False
        self.taken.append((left, right))
        return True


class _Picture:
    def __init__(self, course: Course, look: Look, wide: float, spent: Mapping[tuple[StepKey, int], str]) -> None:
        self.course = course
        self.look = look
        self.wide = wide
        self.spent = spent
        self.left = _MARGIN + _NAMES
        self.right = wide - _MARGIN - _END
        self.limit = wide - _MARGIN - 4
        self.scale = scale_of(course, self.left, self.right, _room)
        self.said = self._said()
        moments = [self.scale.at(moment.at) for moment in course.moments]
        self.walls = sorted([*moments, *(cut.left + _STUB - 2 for cut in self.scale.cuts)])
        """What no words are written across."""
        self.top = _HEAD + _LINE * (1 + max((line for _, _, line in self.said), default=-1)) + 18
        self.lanes = self._placed()
        last = self.lanes[-1] if self.lanes else None
        self.bottom = self.top + 8 if last is None else last.top + last.height + 6

    def _placed(self) -> list[_Drawn]:
        lanes = lanes_of(self.course)
        rows = [_shown(rows_of(lane.tracks)) for lane in lanes]
        least = _LEAST
        while True:
            bars = [
                [bars_of(row, self.scale, least=least, gap=_GAP, limit=self.limit) for row in shown] for shown, _ in rows
            ]
            if sum(len(row) for each in bars for row in each) <= MOST_BARS or least > self.right - self.left:
                break
            least *= 2
        placed, y = [], self.top
        for lane, (_, beyond), drawn in zip(lanes, rows, bars, strict=True):
            high, between = _ROW if len(drawn) <= _FEW and not beyond else _LOW
            crowd = crowd_of(beyond, self.scale, column=_COLUMN)
            statuses = Counter(track.status for row in beyond for track in row)
            found = _Drawn(lane, y, high, high + between, drawn, crowd, statuses)
            placed.append(found)
            y += found.height
        return placed

    def _said(self) -> list[tuple[Stretch | Moment, float, int]]:
        """Place the words above the lanes: where each is, and on which line; -1 where there is no room for it."""
        lines = [_Line(), _Line(), _Line()]
        found: list[tuple[Stretch | Moment, float, int]] = []
        cuts = [cut for cut in self.scale.cuts if cut.why in _QUIET]
        for each in [*self.course.moments, *cuts]:
            words = each.word if isinstance(each, Moment) else each.why
            half = width(words, _SMALL) / 2
            middle = (each.left + each.right) / 2 if isinstance(each, Stretch) else self.scale.at(each.at)
            if isinstance(each, Moment):  # what ends something stands before its line, what begins something after it
                middle += -half - 2 if each.word in _ENDS else half - 4
            middle = min(max(middle, self.left + half), self.wide - _MARGIN - half)
            free = (place for place, line in enumerate(lines) if line.put(middle - half - 4, middle + half + 4))
            found.append((each, middle, next(free, -1)))
        return found

    def lines(self) -> Iterator[str]:
        """Write the picture."""
        legend = list(self._legend())
        high = self.bottom + (22 if legend else 0) + _MARGIN - 6
        name = f"timeline of run {self.course.run} of {self.course.graph}"
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{n(self.wide)}" height="{n(high)}" '
            f'viewBox="0 0 {n(self.wide)} {n(high)}" role="img" aria-label="{escape(name)}" '
            f'font-family="Helvetica, Arial, Liberation Sans, sans-serif" font-size="{n(_NAME)}" '
            f'stroke-linejoin="round" stroke-linecap="round">'
        )
        yield f'<rect width="{n(self.wide)}" height="{n(high)}" fill="{self.look.ground}"/>'
        yield from self._head()
        yield from self._groups()
        yield from self._grid()
        for drawn in self.lanes:
            yield from self._lane(drawn)
        yield from self._cuts()
        yield from self._moments()
        yield from self._labels()
        yield from legend
        yield "</svg>"

    # What is above the lanes, and behind them.

    def _head(self) -> Iterator[str]:
        course, look = self.course, self.look
        status = _STATUSES.get(course.status, course.status)
        tone = look.statuses[status]
        took = "" if course.ended <= course.began else f" · {lasting(course.ended - course.began)}"
        said = f"{course.status}{took}"
        title = shorten(f"{course.graph} · run {course.run}", _TITLE, self.wide - 2 * _MARGIN - width(said, _NAME) - 60)
        x = _MARGIN + width(title, _TITLE) * _BOLD + 22
        yield _text(_MARGIN, _MARGIN + 12, title, _TITLE, look.text, bold=True)
        yield f'<circle cx="{n(x)}" cy="{n(_MARGIN + 7)}" r="8" fill="{tone}"/>'
        yield _sign(status, x - 7, _MARGIN, 14, look.statuses["badge"])
        yield _text(x + 14, _MARGIN + 12, said, _NAME, tone)
        steps = len({span.step for span in course.spans})
        tries = sum(span.what == "work" and span.attempt > 1 for span in course.spans)
        words = [f"began {_instant(course.began)}", f"{steps:,} step{'' if steps == 1 else 's'}"]
        if tries:
            words.append(f"+{tries:,} {'try' if tries == 1 else 'tries'}")
        yield _text(_MARGIN, _MARGIN + 30, " · ".join(words), _SMALL, look.quiet)

    def _groups(self) -> Iterator[str]:
        for place, drawn in enumerate(self.lanes):
            if not drawn.lane.group:
                continue
            depth = drawn.lane.depth
            last = place
            while last + 1 < len(self.lanes) and self.lanes[last + 1].lane.depth > depth:
                last += 1
            end = self.lanes[last].top + self.lanes[last].height
            inset = min(depth, 3) * 3.0
            x = _MARGIN + depth * _INDENT
            yield (
                f'<rect x="{n(x)}" y="{n(drawn.top + 1)}" width="{n(self.wide - _MARGIN - inset - x)}" '
                f'height="{n(end - drawn.top - 2)}" rx="4" fill="{self.look.clusters[depth % 2]}" '
                f'stroke="{self.look.frame}" stroke-width="1"/>'
            )

    def _grid(self) -> Iterator[str]:
        look, line = self.look, _Line()
        y = self.top - 8
        for cut in self.scale.cuts:
            middle, words = (cut.left + cut.right) / 2, lasting(cut.ended - cut.began)
            half = width(words, _SMALL) / 2
            line.put(middle - half - 4, middle + half + 4)
            yield _text(middle, y, words, _SMALL, look.text, anchor="middle", bold=True)
        for stretch in self.scale.stretches:
            if stretch.cut or stretch.ended <= stretch.began:
                continue
            first = stretch is self.scale.stretches[0]
            step, found = ticks(stretch, self.scale.unit, _TICK)
            for seconds in found:
                x = stretch.at(stretch.began + seconds)
                words = told(seconds, step) if first else f"+{told(seconds, step)}"
                half = width(words, _SMALL) / 2
                if line.put(x - half - 4, x + half + 4) and x + half <= self.wide - 2:
                    yield _text(x, y, words, _SMALL, look.quiet, anchor="middle")
                yield (
                    f'<path d="M{n(x)} {n(self.top - 3)}V{n(self.bottom - 2)}" stroke="{look.frame}" '
                    f'stroke-width="1" stroke-opacity="0.35"/>'
                )

    # Lanes.

    def _lane(self, drawn: _Drawn) -> Iterator[str]:
        lane, look = drawn.lane, self.look
        if not lane.group and (drawn.top > self.top):
            yield (
                f'<path d="M{n(_MARGIN + lane.depth * _INDENT + 4)} {n(drawn.top)}H{n(self.left - 8)}" '
                f'stroke="{look.frame}" stroke-width="1" stroke-opacity="0.35"/>'
            )
        y = drawn.top + _PAD
        if lane.group:
            yield from self._bracket(lane, drawn.top)
            y = drawn.top + _GROUP if drawn.rows else y
        for row in drawn.rows:
            for place, bar in enumerate(row):
                following = row[place + 1].left if place + 1 < len(row) else self.limit
                yield from self._bar(bar, y, drawn.row, following)
            y += drawn.step
        if drawn.crowd:
            yield from self._crowd(drawn, y)

    def _bracket(self, lane: Lane, top: float) -> Iterator[str]:
        left = self.scale.at(lane.began)
        right = max(left + _LEAST, self.scale.at(lane.ended))
        y = top + _GROUP / 2 - 2
        yield (
            f"<g><title>{escape(self._tooltip_of_lane(lane))}</title>"
            f'<path d="M{n(left)} {n(y + 7)}V{n(y)}H{n(right)}V{n(y + 7)}" fill="none" '
            f'stroke="{self.look.statuses[lane.status]}" stroke-width="2.5"/></g>'
        )

    def _crowd(self, drawn: _Drawn, top: float) -> Iterator[str]:
        most = max(count for _, _, count in drawn.crowd)
        floor = top + _CROWD - 4
        path = []
        for left, right, count in drawn.crowd:
            high = (_CROWD - 10) * count / most
            left, right = max(left, self.left), min(right, self.limit)
            path.append(f"M{n(left)} {n(floor)}V{n(floor - high)}H{n(right)}V{n(floor)}Z")
        words = f"{drawn.beyond.total():,} more, up to {most:,} at once"
        tone = self.look.statuses[drawn.beyond.most_common(1)[0][0]]
        yield (
            f"<g><title>{escape(f'{words}: {_all_of(drawn.beyond)}')}</title>"
            f'<path d="{"".join(path)}" fill="{tone}" fill-opacity="0.6"/></g>'
        )
        yield _text(self.left - 10, floor - 3, shorten(words, _SMALL, _NAMES - 30), _SMALL, self.look.quiet, anchor="end")

    def _bar(self, bar: Bar, y: float, high: float, following: float) -> Iterator[str]:
        look, what = self.look, bar.what
        tone = look.statuses[bar.status]
        yield f"<g><title>{escape(self._tooltip(bar))}</title>"
        if what == "pause":
            yield (
                f'<path d="M{n(bar.left)} {n(y + high / 2)}H{n(bar.right)}" stroke="{tone}" stroke-width="1.5" '
                f'stroke-dasharray="3 3"/>'
            )
        elif what == "work":
            yield f'<path d="{_shape(bar, y, high)}" fill="{tone}"/>'
        else:
            yield (
                f'<rect x="{n(bar.left + 0.75)}" y="{n(y + 0.75)}" width="{n(max(0.5, bar.right - bar.left - 1.5))}" '
                f'height="{n(high - 1.5)}" rx="2" fill="{look.ground}" stroke="{tone}" stroke-width="1.5"/>'
            )
        if high >= _ROW[0] and what != "pause":
            yield from self._words(bar, y, high, following)
        elif what == "work" and bar.right - bar.left >= high + 3:
            yield _sign(bar.status, bar.left + 2, y, high, look.statuses["badge"])
        yield "</g>"

    def _words(self, bar: Bar, y: float, high: float, following: float) -> Iterator[str]:
        """Write on a bar what there is room for, or beside it."""
        look, work = self.look, bar.what == "work"
        tone = look.statuses[bar.status]
        on = look.statuses["badge"] if work else look.text
        signed = bar.right - bar.left >= _SIGN + 6
        left = bar.left + 4
        if signed:
            icon = _sign(bar.status, left, y + (high - _SIGN) / 2, _SIGN, on if work else tone)
            if not work and bar.what in ICONS and bar.status in {"finished", "waiting"}:
                icon = _icon(bar.what, left - 1, y + 3, 12, look.kinds[bar.what])
            yield icon
            left += _SIGN + 4
        texts = list(_texts(bar))
        room = max(self._visible(left, bar.right - 4), key=lambda each: each[1] - each[0], default=(0.0, 0.0))
        found = next((text for text in texts if width(text, _SMALL) <= room[1] - room[0]), None)
        if found is not None:
            yield _text(room[0], y + high / 2 + 3.7, found, _SMALL, on)
            return
        beside = bar.right + 4
        free = min([following, self.limit + 8, *(each for each in self.walls if each > bar.right)]) - 4 - beside
        sign = 0.0 if signed or bar.status == "finished" else _SIGN + 3
        found = next((text for text in texts if width(text, _SMALL) + sign <= free), None)
        if found is None:
            return
        if sign:
            yield _sign(bar.status, beside, y + (high - _SIGN) / 2, _SIGN, tone)
        yield _text(beside + sign, y + high / 2 + 3.7, found, _SMALL, look.text)

    def _visible(self, left: float, right: float) -> list[tuple[float, float]]:
        """Return the parts of a stretch that no cut is in front of."""
        found, begin = [], left
        for cut in self.scale.cuts:
            if cut.right <= begin or cut.left >= right:
                continue
            found.append((begin, cut.left + _STUB - 6))
            begin = cut.right - _STUB + 6
        return [*found, (begin, right)]

    def _labels(self) -> Iterator[str]:
        look = self.look
        for drawn in self.lanes:
            lane = drawn.lane
            tone = look.statuses[lane.status]
            x = _MARGIN + 8 + lane.depth * _INDENT
            middle = drawn.top + (_GROUP if lane.group else _ROW[0] + 2 * _PAD) / 2
            words = _counted(lane.inside)
            wide = width(words, _SMALL)
            room = self.left - 10 - wide - _SIGN - 4 - 8 - (x + 18)
            yield f"<g><title>{escape(self._tooltip_of_lane(lane))}</title>"
            yield _icon(lane.kind, x, middle - 7, 14, look.kinds[lane.kind])
            yield _text(x + 20, middle + 4, shorten(lane.name, _NAME, room), _NAME, look.text, bold=lane.group)
            yield _text(self.left - 10, middle + 3.7, words, _SMALL, tone, anchor="end")
            yield _sign(lane.status, self.left - 10 - wide - _SIGN - 3, middle - _SIGN / 2, _SIGN, tone)
            yield "</g>"

    # What lies over the lanes.

    def _cuts(self) -> Iterator[str]:
        top, bottom = self.top - 4, self.bottom
        for cut in self.scale.cuts:
            words = f"{cut.why}: {lasting(cut.ended - cut.began)}, cut short\nfrom {_instant(cut.began)}"
            left, right = cut.left + _STUB, cut.right - _STUB
            yield (
                f"<g><title>{escape(words)}\nto {_instant(cut.ended)}</title>"
                f'<path d="{_torn(left, top, bottom)}{_torn(right, bottom, top, "L")}Z" fill="{self.look.ground}"/>'
                f'<path d="{_torn(left, top, bottom)}{_torn(right, top, bottom)}" fill="none" '
                f'stroke="{self.look.arrow}" stroke-width="1.2"/></g>'
            )

    def _moments(self) -> Iterator[str]:
        look = self.look
        for each, middle, line in self.said:
            if isinstance(each, Moment):
                x, words = self.scale.at(each.at), each.word
                tone = look.statuses[_TONES[each.word]] if each.word in _TONES else look.text
                told_ = f"{each.word}, {_instant(each.at)}" + (f"\n{each.details}" if each.details else "")
                yield (
                    f"<g><title>{escape(told_)}</title>"
                    f'<path d="M{n(x)} {n(self.top - 4)}V{n(self.bottom)}" stroke="{tone}" stroke-width="1.5" '
                    f'stroke-dasharray="5 3"/></g>'
                )
            else:
                words, tone = each.why, look.quiet
            if line >= 0:
                yield _text(middle, _HEAD + 8 + line * _LINE, words, _SMALL, tone, anchor="middle")

    def _legend(self) -> Iterator[str]:
        """Say what the colours, signs and outlines mean, of those that are there."""
        look, x, y = self.look, _MARGIN + 8, self.bottom + 8
        spans = self.course.spans
        worked = {span.status for span in spans if span.what == "work"}
        for status in TELLING:
            if status in worked and x + 100 < self.wide:
                yield (
                    f'<rect x="{n(x)}" y="{n(y)}" width="14" height="14" rx="2" fill="{look.statuses[status]}"/>'
                    f"{_sign(status, x, y, 14, look.statuses['badge'])}"
                    f"{_text(x + 20, y + 11, status, _SMALL, look.quiet)}"
                )
                x += 20 + width(status, _SMALL) + 16
        for what, words in _WAITS.items():
            here = [span.status for span in spans if span.what == what]
            if not here or x + 20 + width(words, _SMALL) > self.wide - _MARGIN:
                continue
            tone = look.statuses["waiting" if what != "pause" else "retrying"]
            if what == "pause":
                yield f'<path d="M{n(x)} {n(y + 7)}h14" stroke="{tone}" stroke-width="1.5" stroke-dasharray="3 3"/>'
            else:
                yield (
                    f'<rect x="{n(x + 0.75)}" y="{n(y + 0.75)}" width="12.5" height="12.5" rx="2" fill="none" '
                    f'stroke="{tone}" stroke-width="1.5"/>'
                )
                if what in ICONS:
                    yield _icon(what, x + 2, y + 2, 10, look.kinds[what])
            yield _text(x + 20, y + 11, words, _SMALL, look.quiet)
            x += 20 + width(words, _SMALL) + 16

    # Words.

    def _tooltip(self, bar: Bar) -> str:
        began = min(span.began for span in bar.spans)
        ended = max(span.ended for span in bar.spans)
        when = f"{_seconds(ended - began)}, from {_instant(began)} (+{_seconds(began - self.course.began)})"
        if len(bar.spans) > 1:
            steps = {span.step: span.status for span in bar.spans}
            first, *_, last = bar.spans
            named = first.step if len(steps) == 1 else f"{len(steps)} steps, {first.step} to {last.step}"
            return f"{named}\n{_all_of(Counter(steps.values()))}, in {len(bar.spans)} attempts or waits\n{when}"
        span = bar.spans[0]
        said = [span.step, _said_of(span), when]
        said += [self.spent.get((span.step, span.attempt), "")] if span.what == "work" else []
        said += [span.details if len(span.details) <= _TOLD else span.details[: _TOLD - 1] + "…"]
        said += [f"shared with run {span.shared_with}" if span.shared_with else ""]
        return "\n".join(filter(None, said))

    def _tooltip_of_lane(self, lane: Lane) -> str:
        said = [lane.place, _all_of(lane.inside)]
        if lane.tries:
            said.append(f"{lane.tries:,} attempts beyond the first")
        if lane.seconds:
            said.append(f"{lasting(lane.seconds)} at work in all")
        return "\n".join(said)


def _said_of(span: Span) -> str:
    if span.what == "work":
        return f"{span.status} · attempt {span.attempt}"
    return f"{_WAITS[span.what]} · {span.status}"


def _texts(bar: Bar) -> Iterator[str]:
    """Yield what can be written on a bar, the longest first."""
    took = lasting(max(span.ended for span in bar.spans) - min(span.began for span in bar.spans))
    if len({span.step for span in bar.spans}) > 1:
        yield f"{len({span.step for span in bar.spans})} steps · {took}"
        return
    span = bar.spans[-1]
    if bar.what != "work":
        yield f"{bar.ordinal} {_WAITS[bar.what]} · {took}".strip()
        yield took
        return
    parts = [bar.ordinal, bar.status if bar.status != "finished" else ""]
    parts += [f"try {span.attempt}" if span.attempt > 1 or bar.status == "failed" else "", took]
    for skipped in range(4):
        # the ordinal goes first, then the word, whose sign is there, then the attempt
        rest = [part for part in parts[skipped:] if part]
        if skipped == 0 or parts[skipped - 1]:
            yield " · ".join(rest)


def _shown(rows: Sequence[Sequence[Track]]) -> tuple[Sequence[Sequence[Track]], Sequence[Sequence[Track]]]:
    """Choose the rows that are drawn, of too many those that tell the most, and return the others as well."""
    if len(rows) <= MOST_ROWS:
        return rows, ()
    weight = [min(TELLING.index(track.status) for track in row) for row in rows]
    chosen = set(sorted(range(len(rows)), key=lambda place: weight[place])[: MOST_ROWS - 1])
    return [row for place, row in enumerate(rows) if place in chosen], [
        row for place, row in enumerate(rows) if place not in chosen
    ]


def _all_of(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[status]:,} {status}" for status in TELLING if counts[status])


def _counted(counts: Counter[str]) -> str:
    """Say what became of several steps: of those that differ, of the most telling."""
    total = counts.total()
    status = next(status for status in TELLING if counts[status])
    if total == 1:
        return status
    return f"{total:,} {status}" if counts[status] == total else f"{counts[status]:,} of {total:,} {status}"


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 60 else lasting(seconds)  # noqa: PLR2004 - a minute


def _room(gone: float) -> float:
    """How wide a cut of so many seconds is: its length is written over it, and what crosses it shows at its sides."""
    return max(40.0 + _STUB, width(lasting(gone), _SMALL) * _BOLD + 12)


# Shapes.


def _shape(bar: Bar, y: float, high: float) -> str:
    """The outline of an attempt: with a point where it is at work, torn off where it was interrupted."""
    left, right, low = bar.left, bar.right, y + high
    if right - left >= 8 and bar.status == "running":  # noqa: PLR2004 - else there is no room for a point
        return f"M{n(left)} {n(y)}H{n(right - 5)}L{n(right)} {n(y + high / 2)}L{n(right - 5)} {n(low)}H{n(left)}Z"
    if right - left >= 8 and bar.status == "interrupted":  # noqa: PLR2004 - nor for teeth
        teeth = "".join(f"L{n(right - (4 if turn % 2 else 0))} {n(y + high * turn / 4)}" for turn in range(1, 5))
        return f"M{n(left)} {n(y)}H{n(right)}{teeth}H{n(left)}Z"
    corner = min(2.0, (right - left) / 2)
    return (
        f"M{n(left + corner)} {n(y)}H{n(right - corner)}Q{n(right)} {n(y)} {n(right)} {n(y + corner)}"
        f"V{n(low - corner)}Q{n(right)} {n(low)} {n(right - corner)} {n(low)}H{n(left + corner)}"
        f"Q{n(left)} {n(low)} {n(left)} {n(low - corner)}V{n(y + corner)}Q{n(left)} {n(y)} {n(left + corner)} {n(y)}Z"
    )


def _torn(x: float, begin: float, end: float, first: str = "M") -> str:
    """A torn edge from top to bottom, or back."""
    count = max(2, int(abs(end - begin) // 6))
    ys = [begin + (end - begin) * turn / count for turn in range(count + 1)]
    turns = range(count + 1) if end > begin else range(count, -1, -1)
    points = [f"{n(x + (2.5 if turn % 2 else -2.5))} {n(y)}" for turn, y in zip(turns, ys, strict=True)]
    return first + "L".join(points)


def _sign(status: str, x: float, y: float, size: float, colour: str) -> str:
    scale = "" if size == 14 else f" scale({n(size / 14)})"  # noqa: PLR2004 - the size they are drawn in
    return (
        f'<path transform="translate({n(x)} {n(y)}){scale}" d="{BADGES[status]}" fill="none" stroke="{colour}" '
        f'stroke-width="1.8"/>'
    )


def _icon(what: str, x: float, y: float, size: float, colour: str) -> str:
    scale = "" if size == 14 else f" scale({n(size / 14)})"  # noqa: PLR2004 - the size they are drawn in
    return (
        f'<path transform="translate({n(x)} {n(y)}){scale}" d="{ICONS[what]}" fill="none" stroke="{colour}" '
        f'stroke-width="1.3"/>'
    )


def _text(x: float, y: float, text: str, size: float, colour: str, *, anchor: str = "start", bold: bool = False) -> str:
    return (
        f'<text x="{n(x)}" y="{n(y)}" font-size="{n(size)}" fill="{colour}"'
        + (f' text-anchor="{anchor}"' if anchor != "start" else "")
        + (' font-weight="600"' if bold else "")
        + f">{escape(text)}</text>"
    )
