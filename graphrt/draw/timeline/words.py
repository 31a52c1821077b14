"""What a timeline says: on its bars, beside its lanes, in its tooltips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from graphrt.clock import lasted
from graphrt.draw.progress import TELLING, telling
from graphrt.draw.timeline.lanes import Bar, Lane
from graphrt.draw.timeline.spans import Course, Span

WAITS = {
    "person": "waits for a person",
    "signal": "waits for a signal",
    "timer": "sleeps",
    "pause": "pauses before another try",
    "decision": "waits for a decision",
}
_TOLD = 400
"""Letters of what went wrong that a tooltip has."""


def on_bar(bar: Bar) -> Iterator[str]:
    """Yield what can be written on a bar, the longest first."""
    steps = len({span.step for span in bar.spans})
    took = lasted(max(span.ended for span in bar.spans) - min(span.began for span in bar.spans))
    if steps > 1:
        yield f"{steps} steps · {took}"
        return
    if bar.what != "work":
        yield " · ".join(filter(None, [bar.ordinal, WAITS[bar.what], took]))
        yield took
        return
    attempt = bar.spans[-1].attempt
    parts = [bar.ordinal, bar.status if bar.status != "finished" else ""]
    parts += [f"try {attempt}" if attempt > 1 or bar.status == "failed" else "", took]
    for skipped in range(len(parts)):
        # the ordinal goes first, then the word, whose sign is there, then the attempt
        if skipped == 0 or parts[skipped - 1]:
            yield " · ".join(filter(None, parts[skipped:]))


def of_counts(counts: Counter[str]) -> Iterator[str]:
    """Say what became of several steps, and of those that differ, of the most telling: the longest way first."""
    total, status = counts.total(), telling(counts)
    if total > 1:
        yield f"{total:,} {status}" if counts[status] == total else f"{counts[status]:,} of {total:,} {status}"
    yield status


def all_of(counts: Counter[str]) -> str:
    """Say how many steps are in each status."""
    return ", ".join(f"{counts[status]:,} {status}" for status in TELLING if counts[status])


def of_bar(bar: Bar, course: Course, spent: str) -> str:
    """Say all there is to say of a bar."""
    began = min(span.began for span in bar.spans)
    ended = max(span.ended for span in bar.spans)
    when = f"{lasted(ended - began)}, from {instant(began)} (+{lasted(began - course.began)})"
    if len(bar.spans) > 1:
        first, *_, last = bar.spans
        steps = {span.step: span.status for span in bar.spans}
        named = first.step if len(steps) == 1 else f"{len(steps)} steps, {first.step} to {last.step}"
        return f"{named}\n{all_of(Counter(steps.values()))}, in {len(bar.spans)} attempts or waits\n{when}"
    span = bar.spans[0]
    details = span.details if len(span.details) <= _TOLD else span.details[: _TOLD - 1] + "…"
    shared = f"shared with run {span.shared_with}" if span.shared_with else ""
    return "\n".join(filter(None, [span.step, _status(span), when, spent, details, shared]))


def _status(span: Span) -> str:
    if span.what == "work":
        return f"{span.status} · attempt {span.attempt}"
    return f"{WAITS[span.what]} · {span.status}"


def of_lane(lane: Lane) -> str:
    """Say all there is to say of a lane."""
    said = [lane.place, all_of(lane.inside)]
    if lane.tries:
        said.append(f"+{lane.tries:,} {'try' if lane.tries == 1 else 'tries'}")
    if lane.seconds:
        said.append(f"{lasted(lane.seconds)} at work in all")
    return "\n".join(said)


def of_course(course: Course) -> str:
    """Say when a run began, and how much there was to do."""
    steps = len({span.step for span in course.spans})
    tries = sum(span.what == "work" and span.attempt > 1 for span in course.spans)
    said = [f"began {instant(course.began)}", f"{steps:,} step{'' if steps == 1 else 's'}"]
    if tries:
        said.append(f"+{tries:,} {'try' if tries == 1 else 'tries'}")
    return " · ".join(said)


def instant(at: float) -> str:
    """Write an instant, the same everywhere."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
