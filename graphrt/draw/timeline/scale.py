"""A scale of time on which long stretches without work are cut short, each where it is to be seen."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from graphrt.draw.timeline.spans import Course

MOST_CUT = 8
"""Stretches that are cut short."""
_SHARE = 1 / 3
"""Of the time that is left to draw: a stretch without work that takes more of it is cut short."""
_SHORT = 0.1
"""Seconds for which it is not worth it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the scale: in one that is `cut`, nobody worked, and lengths say nothing."""

    began: float
    ended: float
    left: float
    right: float
    cut: bool = False
    why: str = ""

    def at(self, time: float) -> float:
        """Return where an instant in it is."""
        if self.ended <= self.began:
            return self.left
        share = min(1.0, max(0.0, (time - self.began) / (self.ended - self.began)))
        return self.left + share * (self.right - self.left)


@dataclass(frozen=True, slots=True)
class Scale:
    """Stretches one after the other: what is later is never further left."""

    stretches: tuple[Stretch, ...]
    unit: float
    """How wide a second is where nothing is cut short; 0 where no time passed."""

    def at(self, time: float) -> float:
        """Return where an instant is; what is before the first or after the last is at its edge."""
        place = bisect_right(self.stretches, time, key=lambda each: each.began) - 1
        return self.stretches[max(0, place)].at(time)

    @property
    def cuts(self) -> list[Stretch]:
        """Those that are cut short."""
        return [each for each in self.stretches if each.cut]


def scale_of(course: Course, left: float, right: float, room: Callable[[float], float]) -> Scale:
    """Lay a run's time out from `left` to `right`; `room` says how wide a cut of so many seconds is to be."""
    pauses = _pauses(course)
    chosen: list[tuple[float, float]] = []
    time, width = course.ended - course.began, right - left
    for began, ended in sorted(pauses, key=lambda each: (each[0] - each[1], each[0]))[:MOST_CUT]:
        wide = room(ended - began)
        if ended - began <= max(_SHARE * time, _SHORT) or width - wide < (right - left) / 3:
            break
        chosen.append((began, ended))
        time, width = time - (ended - began), width - wide
    unit = width / time if time > 0 else 0.0
    stretches: list[Stretch] = []
    at, x = course.began, left
    for began, ended in [*sorted(chosen), (course.ended, course.ended)]:
        until = x + (began - at) * unit
        stretches.append(Stretch(at, began, x, until))
        if ended > began:
            at, x = ended, until + room(ended - began)
            stretches.append(Stretch(began, ended, until, x, cut=True, why=_why(course, began, ended)))
    return Scale(tuple(stretches), unit)


def _pauses(course: Course) -> list[tuple[float, float]]:
    """Return the stretches between two instants in which something began or ended and nobody worked."""
    turns: dict[float, int] = {course.began: 0, course.ended: 0}
    for span in course.spans:
        work = span.what == "work"
        turns[span.began] = turns.get(span.began, 0) + work
        turns[span.ended] = turns.get(span.ended, 0) - work
    found: list[tuple[float, float]] = []
    at_work, since = 0, course.began
    for at in sorted(turns):
        if not at_work and at > since:
            found.append((since, at))
        at_work += turns[at]
        since = at
    return found


def _why(course: Course, began: float, ended: float) -> str:
    """Say why nobody worked: what held for the longest part of it."""
    held: dict[str, float] = {}
    for since, until, why in course.idle:
        common = min(until, ended) - max(since, began)
        if common > 0:
            held[why] = held.get(why, 0.0) + common
    if not held or max(held.values()) < (ended - began) / 2:
        return "waiting"
    return max(held, key=lambda why: held[why])


_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
_DAY = 86400


def ticks(stretch: Stretch, unit: float, apart: float) -> tuple[float, list[float]]:
    """Return a round number of seconds that is at least `apart` wide, and its multiples inside a stretch, counted from
    where it began."""
    step = round_step(apart / unit) if unit > 0 else 0.0
    length = stretch.ended - stretch.began
    count = int(length / step) if step > 0 else 0
    return step, [step * number for number in range(count + 1)]


def round_step(least: float) -> float:
    """Return the first round length of time that is not below so many seconds."""
    if least <= 1:
        power = 1.0
        while power / 10 >= least and power > 1e-9:  # noqa: PLR2004 - a clock has no finer ticks
            power /= 10
        return next(each for each in (power / 5, power / 2, power) if each >= least)
    if least <= _DAY:
        return float(next(each for each in _STEPS if each >= least))
    days = 1
    while days * _DAY < least:
        days *= 10
    return float(next(each for each in (days // 5 or 1, days // 2 or 1, days) if each * _DAY >= least) * _DAY)


def tick(seconds: float, step: float, *, first: bool) -> str:
    """Write a tick of a stretch: of one after a cut, how long after it; its beginning is where the cut ends."""
    if first:
        return told(seconds, step)
    return f"+{told(seconds, step)}" if seconds else ""


def told(seconds: float, step: float) -> str:
    """Write a multiple of a round length of time, no finer than that."""
    if seconds == 0:
        return "0"
    if seconds < 1:
        return f"{_number(seconds * 1000, step * 1000)} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{_number(seconds, step)} s"
    words = []
    rest = round(seconds, 9)
    for size, letter in ((_DAY, "d"), (3600, "h"), (60, "m")):
        count = int(rest // size)
        if count:
            words.append(f"{count} {letter}")
        rest -= count * size
    if rest and step < 60:  # noqa: PLR2004 - a minute
        words.append(f"{_number(rest, step)} s")
    return " ".join(words)


def _number(value: float, step: float) -> str:
    digits = 0
    while digits < 6 and abs(round(step, digits) - step) > step * 1e-6:  # noqa: PLR2004 - a microsecond
        digits += 1
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
