"""A run on its graph: for each box of a sketch, where the run stands there (V2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from graphrt.clock import lasted
from graphrt.draw.progress import TELLING, Place, Progress, telling
from graphrt.draw.sketch import Box, Sketch
from graphrt.facts import AttemptFailed, StepFailed, StepUnknown

AT_WORK = frozenset({"running", "retrying", "waiting"})


class Spending(NamedTuple):
    """What was spent on models, in words."""

    short: str
    """For a picture: tokens and money."""
    full: str
    """And what is to be said of them."""


WHOLE = ""
"""The place that stands for the whole run, where spendings are told by place."""
_NOTHING = Spending("", "")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a run says of a box: a status, and words for those who do not see its colour."""

    status: str
    words: str
    details: str = ""
    """What there is no room for: what went wrong last, tokens and money."""
    spent: str = ""
    """What was spent on models, where there is room for that."""


def marks(drawn: Sketch, progress: Progress, spent: Mapping[str, Spending] | None = None) -> dict[str, Mark]:
    """Return a mark for every box that the run has come to, by the box's id.

    `spent` has words for places that asked models. A graph in the graph has what its steps have together; it is
    finished once something after it has begun, or the run is over.
    """
    return {} if progress.began is None else dict(_marks(drawn, "", None, progress, spent or {}))


def tally(progress: Progress) -> str:
    """Say how many steps are done, and how many of those begun are not, by their status."""
    counts = sum((place.counts for place in progress.places.values()), Counter[str]())
    rest = (f"{counts[status]} {status}" for status in TELLING[:-1] if counts[status])
    return ", ".join([f"{counts['finished']} done", *rest])


def standing(progress: Progress, spent: Mapping[str, Spending] | None = None) -> Mark | None:
    """Return a mark for the run as a whole; None if it has not begun."""
    if progress.began is None:
        return None
    parts = [progress.status, tally(progress)]
    if progress.ended is not None and progress.status != "interrupted":  # when that was, nobody knows
        parts.append(lasted(progress.ended - progress.began))
    whole = (spent or {}).get(WHOLE, _NOTHING)
    parts += filter(None, [whole.short])
    return Mark("waiting" if progress.status == "suspended" else progress.status, " · ".join(parts), whole.full)


def _marks(
    drawn: Sketch, prefix: str, items: int | None, progress: Progress, spent: Mapping[str, Spending]
) -> Iterator[tuple[str, Mark]]:
    """Mark the boxes of a sketch that is there once for each of so many items, if that is known."""
    places = {box.id: f"{prefix}{_name(box, drawn)}" for box in drawn.boxes}
    for box in drawn.boxes:
        place = places[box.id]
        if box.inner is not None:
            # how often a machine comes by is nobody's to know
            inner = progress.expected.get(place) if box.many else items if drawn.kind == "dag" else None
            yield from _marks(box.inner, f"{place}/", inner, progress, spent)
            counts = _within(place, progress)
            status = telling(counts)
            if status == "finished" and progress.status == "running" and not _passed(box, drawn, places, progress):
                status = "running"
            if status:
                yield box.id, Mark(status, status, spent.get(place, _NOTHING).full)
        elif (found := progress.places.get(place)) is not None and found.status:
            each = items if drawn.kind == "dag" and progress.status == "running" else None
            expected = progress.expected.get(place) if box.many else each
            yield box.id, _mark(box, found, expected, spent.get(place, _NOTHING))


def _name(box: Box, drawn: Sketch) -> str:
    """What the steps of a box are called: those of a state by its handler."""
    if box.shape in {"state", "again"} and drawn.kind == "machine":
        return next((arrow.label for arrow in drawn.arrows if arrow.source == box.id), box.label)
    return f"each:{box.label}" if box.many else box.label


def _within(place: str, progress: Progress) -> Counter[str]:
    inside = (found.counts for name, found in progress.places.items() if name.startswith(f"{place}/"))
    return sum(inside, Counter[str]())


def _passed(box: Box, drawn: Sketch, places: Mapping[str, str], progress: Progress) -> bool:
    """Whether something has begun that takes what comes out of a box."""
    after = (places[arrow.target] for arrow in drawn.arrows if arrow.source == box.id)
    return any(
        _within(place, progress) or (place in progress.places and progress.places[place].begun) for place in after
    )


def _mark(box: Box, place: Place, expected: int | None, spent: Spending) -> Mark:
    finished, begun = place.counts["finished"], place.begun
    parts = [place.status]
    if box.many or expected is not None:
        parts.append(f"{finished} of {max(expected or 0, begun)}")
        if place.status == "finished" and expected is not None and begun < expected:
            parts[0] = "running"
    elif begun > 1:
        parts.append(f"{begun} visits" if box.shape == "state" else f"{begun} times")
    if place.tries:
        parts.append(f"+{place.tries} {'try' if place.tries == 1 else 'tries'}")
    if finished:
        parts.append(lasted(place.spent))
    wrong = place.last.failure if isinstance(place.last, (AttemptFailed, StepFailed, StepUnknown)) else None
    told = [] if wrong is None else [f"{wrong.type}: {wrong.message}"]
    return Mark(parts[0], " · ".join(parts), "\n".join([*told, *filter(None, [spent.full])]), spent.short)
