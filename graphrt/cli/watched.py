"""What became of each node of a graph in a run, as a picture of so many lines. Pure: a fold in, lines out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from graphrt.cli.screen import MARKS, asked, faint, lasted, paint, short
from graphrt.cli.table import Column, cut, flowed, lines_of
from graphrt.draw.progress import TELLING, Place, Progress
from graphrt.facts import AttemptFailed, Fact, StepFailed, StepFinished, StepUnknown, StepWaiting


def picture(watched: Progress, name: str, *, now: float, width: int, height: int) -> list[str]:
    """Draw what became of each node as exactly `height` lines, none wider than `width`.

    Where there are more nodes than lines, those that have least to tell are only counted.
    """
    totals = sum((place.counts for place in watched.places.values()), Counter[str]())
    end = now if watched.ended is None else watched.ended
    counts = [f"{totals[status]} {status}" for status in reversed(TELLING) if totals[status]]
    status = _painted(cut(f"{MARKS[watched.status]} {watched.status}", width))
    took = lasted(max(0.0, end - (watched.began or end)))
    lines = flowed([status, name, took, *([", ".join(counts)] if counts else [])], width)[:1]
    room = height - 2
    shown = _most_telling(watched.places, room)
    since = watched.since()
    table = lines_of(_columns([(place, watched.places[place], since.get(place)) for place in shown], now), width)
    lines += [faint(table[0]), *table[1:]] if table else []
    if hidden := len(watched.places) - len(shown):
        lines.append(cut(f"… and {hidden} more", width))
    return [*lines, *[""] * (height - len(lines))][:height]


def _painted(cell: str) -> str:
    return paint(cell[:1]) + cell[1:]


def _most_telling(places: dict[str, Place], room: int) -> list[str]:
    if len(places) <= room:
        return list(places)
    weight = {status: rank for rank, status in enumerate((*TELLING[:-1], "", TELLING[-1]))}
    chosen = sorted(places, key=lambda name: weight[places[name].status])[: max(0, room - 1)]
    return [name for name in places if name in set(chosen)]


def _columns(rows: Sequence[tuple[str, Place, float | None]], now: float) -> list[Column]:
    marks = {"": "·", **MARKS}
    return [
        Column(
            "  NODE",
            [f"{marks[place.status]} {name}" for name, place, _ in rows],
            0,
            least=1,
            paint=_painted,
        ),
        Column("STATUS", [place.status or "not begun" for _, place, _ in rows], 1),
        Column("STEPS", [_count(place) for _, place, _ in rows], 3, right=True),
        Column("TIME", [_time(place, since, now) for _, place, since in rows], 4, right=True),
        Column("TRIES", [f"+{place.tries}" if place.tries else "" for _, place, _ in rows], 5, right=True),
        Column("LAST", [_words(place.last) for _, place, _ in rows], 2, least=16),
    ]


def _words(fact: Fact | None) -> str:
    """Say what was last heard from a node."""
    match fact:
        case StepWaiting():
            return asked(fact)
        case StepFinished(value=value):
            return short(value, 400)
        case AttemptFailed(failure=failure) | StepFailed(failure=failure) | StepUnknown(failure=failure):
            return f"{failure.type}: {short(failure.message, 400)}"
        case _:
            return ""


def _count(place: Place) -> str:
    begun = sum(place.counts.values())
    return "" if begun < 2 else f"{place.counts['finished']}/{begun}"  # noqa: PLR2004 - one needs no counting


def _time(place: Place, since: float | None, now: float) -> str:
    if since is not None:
        return lasted(max(0.0, now - since))
    return lasted(place.spent) if place.counts["finished"] else ""
