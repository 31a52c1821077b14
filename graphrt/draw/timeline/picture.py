"""A run in time as SVG: a lane for each node, bars for its steps.

Presentation attributes only, as the pictures of graphs have, and the same colours, signs and icons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphrt.clock import lasted
from graphrt.draw.lettering import escape, shorten, width
from graphrt.draw.look import BADGES, ICON, ICONS, LOOKS, Look, Theme, icon, letters, n
from graphrt.draw.progress import TELLING
from graphrt.draw.timeline.lanes import Bar, Lane
from graphrt.draw.timeline.plan import (
    BOLD,
    CROWD,
    GROUP,
    HEAD,
    HIGH,
    LINE,
    MARGIN,
    NARROWEST,
    PAD,
    SMALL,
    STUB,
    Placed,
    Plan,
)
from graphrt.draw.timeline.spans import Moment, course_of
from graphrt.draw.timeline.words import WAITS, all_of, instant, of_bar, of_counts, of_course, of_lane, on_bar
from graphrt.errors import UsageError
from graphrt.history import Counted
from graphrt.types import StepKey

_TITLE, _NAME = 14.0, 12.0
_INDENT = 12.0
_DEEPEST = 6
"""What is deeper is not indented further."""
_NARROW = 56.0
"""Room that a name has at least."""
_SIGN = 10.0
_STATUSES = {"suspended": "waiting"}
"""What a status of a run looks like, where it is none of a step."""
_TONES = {"driver gone": "interrupted", "resumed": "running", "failed": "failed", "cancelled": "cancelled"}
_POINT = 8
"""Pixels: a bar that is narrower has no room for a point, or for teeth."""


def timeline(
    record: Sequence[Counted],
    *,
    now: float | None = None,
    spent: Mapping[tuple[StepKey, int], str] | None = None,
    theme: Theme = "light",
    width: float = 960.0,
) -> str:
    """Draw what happened in a run, and when, as SVG: `record` is its history, as `history.counted` reads it.

    `now`, in seconds since the epoch, ends what is still at work; without it, nobody drives the run, and what was at
    work is interrupted. `spent` has words for attempts that asked models. Times are in UTC: the same record gives the
    same picture everywhere. Raises UsageError for a theme that there is not or a width in pixels that is too small, and
    ValueError for a record without a beginning.
    """
    if theme not in LOOKS:
        raise UsageError(f"theme {theme!r} is neither 'light' nor 'dark'")
    if width < NARROWEST:
        raise UsageError(f"a timeline is at least {NARROWEST:.0f} pixels wide, not {width:g}")
    plan = Plan(course_of(record, now), width)
    return "\n".join(_Picture(plan, LOOKS[theme], spent or {}).lines()) + "\n"


class _Picture:
    def __init__(self, plan: Plan, look: Look, spent: Mapping[tuple[StepKey, int], str]) -> None:
        self.plan = plan
        self.course = plan.course
        self.scale = plan.scale
        self.look = look
        self.spent = spent

    def lines(self) -> Iterator[str]:
        """Write the picture."""
        legend = list(self._legend())
        high = self.plan.bottom + (22 if legend else 0) + MARGIN - 6
        name = f"timeline of run {self.course.run} of {self.course.graph}"
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{n(self.plan.wide)}" height="{n(high)}" '
            f'viewBox="0 0 {n(self.plan.wide)} {n(high)}" role="img" aria-label="{escape(name)}" '
            f'font-family="Helvetica, Arial, Liberation Sans, sans-serif" font-size="{n(_NAME)}" '
            f'stroke-linejoin="round" stroke-linecap="round">'
        )
        yield f'<rect width="{n(self.plan.wide)}" height="{n(high)}" fill="{self.look.ground}"/>'
        yield from self._head()
        yield from self._groups()
        yield from self._grid()
        for drawn in self.plan.lanes:
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
        took = "" if course.ended <= course.began else f" · {lasted(course.ended - course.began)}"
        said = f"{course.status}{took}"
        title = shorten(
            f"{course.graph} · run {course.run}", _TITLE, self.plan.wide - 2 * MARGIN - width(said, _NAME) - 60
        )
        x = MARGIN + width(title, _TITLE) * BOLD + 22
        yield letters(MARGIN, MARGIN + 12, title, _TITLE, look.text, bold=True)
        yield f'<circle cx="{n(x)}" cy="{n(MARGIN + 7)}" r="8" fill="{tone}"/>'
        yield _sign(status, x - 7, MARGIN, 14, look.statuses["badge"])
        yield letters(x + 14, MARGIN + 12, said, _NAME, tone)
        yield letters(MARGIN, MARGIN + 30, of_course(course), SMALL, look.quiet)

    def _groups(self) -> Iterator[str]:
        for place, drawn in enumerate(self.plan.lanes):
            if not drawn.lane.group:
                continue
            depth = drawn.lane.depth
            last = place
            while last + 1 < len(self.plan.lanes) and self.plan.lanes[last + 1].lane.depth > depth:
                last += 1
            end = self.plan.lanes[last].top + self.plan.lanes[last].height
            inset = min(depth, 3) * 3.0
            x = MARGIN + _indent(depth)
            yield (
                f'<rect x="{n(x)}" y="{n(drawn.top + 1)}" width="{n(self.plan.wide - MARGIN - inset - x)}" '
                f'height="{n(end - drawn.top - 2)}" rx="4" fill="{self.look.clusters[depth % 2]}" '
                f'stroke="{self.look.frame}" stroke-width="1"/>'
            )

    def _grid(self) -> Iterator[str]:
        look, y = self.look, self.plan.top - 8
        for cut in self.scale.cuts:
            words = lasted(cut.ended - cut.began)
            yield letters((cut.left + cut.right) / 2, y, words, SMALL, look.text, anchor="middle", bold=True)
        for x, words in self.plan.ticks:
            if words:
                yield letters(x, y, words, SMALL, look.quiet, anchor="middle")
            yield (
                f'<path d="M{n(x)} {n(self.plan.top - 3)}V{n(self.plan.bottom - 2)}" stroke="{look.frame}" '
                f'stroke-width="1" stroke-opacity="0.35"/>'
            )

    # Lanes.

    def _lane(self, drawn: Placed) -> Iterator[str]:
        lane, look = drawn.lane, self.look
        if not lane.group and (drawn.top > self.plan.top):
            yield (
                f'<path d="M{n(MARGIN + _indent(lane.depth) + 4)} {n(drawn.top)}H{n(self.plan.left - 8)}" '
                f'stroke="{look.frame}" stroke-width="1" stroke-opacity="0.35"/>'
            )
        y = drawn.below
        if lane.group:
            yield from self._bracket(lane, drawn.top)
        for row in drawn.rows:
            for place, bar in enumerate(row):
                following = row[place + 1].left if place + 1 < len(row) else self.plan.limit
                yield from self._bar(bar, y, drawn.row[0], following)
            y += sum(drawn.row)
        if drawn.crowd:
            yield from self._crowd(drawn, y)

    def _bracket(self, lane: Lane, top: float) -> Iterator[str]:
        left = self.scale.at(lane.began)
        right = max(left + 3, self.scale.at(lane.ended))
        y = top + GROUP / 2 - 2
        yield (
            f"<g><title>{escape(of_lane(lane))}</title>"
            f'<path d="M{n(left)} {n(y + 7)}V{n(y)}H{n(right)}V{n(y + 7)}" fill="none" '
            f'stroke="{self.look.statuses[lane.status]}" stroke-width="2.5"/></g>'
        )

    def _crowd(self, drawn: Placed, top: float) -> Iterator[str]:
        most = max(count for _, _, count in drawn.crowd)
        floor = top + CROWD - 4
        path = []
        for left, right, count in drawn.crowd:
            high = (CROWD - 10) * count / most
            begin, end = max(left, self.plan.left), min(right, self.plan.limit)
            path.append(f"M{n(begin)} {n(floor)}V{n(floor - high)}H{n(end)}V{n(floor)}Z")
        words = f"{drawn.beyond.total():,} more, up to {most:,} at once"
        tone = self.look.statuses[drawn.beyond.most_common(1)[0][0]]
        yield (
            f"<g><title>{escape(f'{words}: {all_of(drawn.beyond)}')}</title>"
            f'<path d="{"".join(path)}" fill="{tone}" fill-opacity="0.6"/></g>'
        )
        yield letters(self.plan.left - 10, floor - 3, words, SMALL, self.look.quiet, anchor="end")

    def _bar(self, bar: Bar, y: float, high: float, following: float) -> Iterator[str]:
        look, what = self.look, bar.what
        tone = look.statuses[bar.status]
        span = bar.spans[-1]
        spent = self.spent.get((span.step, span.attempt), "") if what == "work" else ""
        told = of_bar(bar, self.course, spent)
        yield f"<g><title>{escape(told)}</title>"
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
        if high >= HIGH[0] and what != "pause":
            yield from self._words(bar, y, high, following)
        elif what == "work" and bar.right - bar.left >= high + 3:
            yield _sign(bar.status, bar.left + 2, y, high, look.statuses["badge"])
        yield "</g>"

    def _words(self, bar: Bar, y: float, high: float, following: float) -> Iterator[str]:
        """Write on a bar what there is room for, or beside it."""
        look, work = self.look, bar.what == "work"
        tone = look.statuses[bar.status]
        on = look.statuses["badge"] if work else look.text
        left = bar.left + 4
        signed = self.plan.visible(bar.left, bar.right)[0][1] - bar.left >= _SIGN + 6
        if signed:
            sign_of_it = _sign(bar.status, left, y + (high - _SIGN) / 2, _SIGN, on if work else tone)
            if not work and bar.what in ICONS and bar.status in {"finished", "waiting"}:
                sign_of_it = icon(bar.what, left - 1, y + 3, look.kinds[bar.what], size=12)
            yield sign_of_it
            left += _SIGN + 4
        texts = list(on_bar(bar))
        room = max(self.plan.visible(left, bar.right - 4), key=lambda each: each[1] - each[0], default=(0.0, 0.0))
        found = next((text for text in texts if width(text, SMALL) <= room[1] - room[0]), None)
        if found is not None:
            yield letters(room[0], y + high / 2 + 3.7, found, SMALL, on)
            return
        beside, free = bar.right + 4, self.plan.room_beside(bar, following)
        sign = 0.0 if signed or bar.status == "finished" else _SIGN + 3
        found = next((text for text in texts if width(text, SMALL) + sign <= free), None)
        if found is None:
            return
        if sign:
            yield _sign(bar.status, beside, y + (high - _SIGN) / 2, _SIGN, tone)
        yield letters(beside + sign, y + high / 2 + 3.7, found, SMALL, look.text)

    def _labels(self) -> Iterator[str]:
        look = self.look
        for drawn in self.plan.lanes:
            lane = drawn.lane
            tone = look.statuses[lane.status]
            x = MARGIN + 8 + _indent(lane.depth)
            middle = drawn.top + (GROUP if lane.group else HIGH[0] + 2 * PAD) / 2
            end = self.plan.left - 10 - _SIGN - 8 - (x + 20)
            words = next((each for each in of_counts(lane.inside) if width(each, SMALL) <= end - _NARROW), "")
            wide = width(words, SMALL)
            size = _NAME * (BOLD if lane.group else 1)
            yield f"<g><title>{escape(of_lane(lane))}</title>"
            yield icon(lane.kind, x, middle - 7, look.kinds[lane.kind])
            yield letters(x + 20, middle + 4, shorten(lane.name, size, end - wide), _NAME, look.text, bold=lane.group)
            if words:
                yield letters(self.plan.left - 10, middle + 3.7, words, SMALL, tone, anchor="end")
            yield _sign(lane.status, self.plan.left - 10 - wide - _SIGN - 3, middle - _SIGN / 2, _SIGN, tone)
            yield "</g>"

    # What lies over the lanes.

    def _cuts(self) -> Iterator[str]:
        top, bottom = self.plan.top - 4, self.plan.bottom
        for cut in self.scale.cuts:
            words = f"{cut.why}: {lasted(cut.ended - cut.began)}, cut short\nfrom {instant(cut.began)}"
            left, right = cut.left + STUB, cut.right - STUB
            yield (
                f"<g><title>{escape(words)}\nto {instant(cut.ended)}</title>"
                f'<path d="{_torn(left, top, bottom)}{_torn(right, bottom, top, "L")}Z" fill="{self.look.ground}"/>'
                f'<path d="{_torn(left, top, bottom)}{_torn(right, top, bottom)}" fill="none" '
                f'stroke="{self.look.arrow}" stroke-width="1.2"/></g>'
            )

    def _moments(self) -> Iterator[str]:
        look = self.look
        drawn: set[int] = set()
        for each, middle, line in self.plan.said:
            if isinstance(each, Moment):
                x, words, low = self.scale.at(each.at), each.word, self.plan.bottom
                if round(x) in drawn and line < 0:
                    continue
                drawn.add(round(x))
                tone = look.statuses[_TONES[each.word]] if each.word in _TONES else look.text
                told = f"{each.word}, {instant(each.at)}" + (f"\n{each.details}" if each.details else "")
                yield (
                    f"<g><title>{escape(told)}</title>"
                    f'<path d="M{n(x)} {n(self.plan.top - 4)}V{n(low)}" stroke="{tone}" stroke-width="1.5" '
                    f'stroke-dasharray="5 3"/></g>'
                )
            else:
                words, tone = each.why, look.quiet
            if line >= 0:
                yield letters(middle, HEAD + 8 + line * LINE, words, SMALL, tone, anchor="middle")

    def _legend(self) -> Iterator[str]:
        """Say what the colours, signs and outlines mean, of those that are there."""
        look, x, y = self.look, MARGIN + 8, self.plan.bottom + 8
        spans = self.course.spans
        worked = {span.status for span in spans if span.what == "work"}
        for status in TELLING:
            if status in worked and x + 100 < self.plan.wide:
                yield (
                    f'<rect x="{n(x)}" y="{n(y)}" width="14" height="14" rx="2" fill="{look.statuses[status]}"/>'
                    f"{_sign(status, x, y, 14, look.statuses['badge'])}"
                    f"{letters(x + 20, y + 11, status, SMALL, look.quiet)}"
                )
                x += 20 + width(status, SMALL) + 16
        for what, words in WAITS.items():
            here = [span.status for span in spans if span.what == what]
            if not here or x + 20 + width(words, SMALL) > self.plan.wide - MARGIN:
                continue
            tone = look.statuses[{"pause": "retrying", "decision": "unknown"}.get(what, "waiting")]
            if what == "pause":
                yield f'<path d="M{n(x)} {n(y + 7)}h14" stroke="{tone}" stroke-width="1.5" stroke-dasharray="3 3"/>'
            else:
                yield (
                    f'<rect x="{n(x + 0.75)}" y="{n(y + 0.75)}" width="12.5" height="12.5" rx="2" fill="none" '
                    f'stroke="{tone}" stroke-width="1.5"/>'
                )
                if what in ICONS:
                    yield icon(what, x + 2, y + 2, look.kinds[what], size=10)
            yield letters(x + 20, y + 11, words, SMALL, look.quiet)
            x += 20 + width(words, SMALL) + 16


def _indent(depth: int) -> float:
    return min(depth, _DEEPEST) * _INDENT


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
    scale = "" if size == ICON else f" scale({n(size / ICON)})"
    return (
        f'<path transform="translate({n(x)} {n(y)}){scale}" d="{BADGES[status]}" fill="none" stroke="{colour}" '
        f'stroke-width="1.8"/>'
    )
