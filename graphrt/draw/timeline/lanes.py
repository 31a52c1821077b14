"""Spans in lanes: one for each node of a graph, and in it as few rows as hold its steps side by side."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphrt.draw.progress import place_of, telling
from graphrt.draw.timeline.scale import Scale
from graphrt.draw.timeline.spans import Course, Span, What
from graphrt.types import StepKey

MOST_LANES = 120
"""Beyond so many, what is deep inside is drawn in the lane of the graph around it."""
REST = "\N{HORIZONTAL ELLIPSIS}"
"""The place of what there is no lane for."""


@dataclass(frozen=True, slots=True)
class Track:
    """One step: everything it did, in time."""

    step: StepKey
    spans: tuple[Span, ...]

    @property
    def began(self) -> float:
        """When it began."""
        return self.spans[0].began

    @property
    def ended(self) -> float:
        """When the last of it ended."""
        return max(span.ended for span in self.spans)

    @property
    def status(self) -> str:
        """What it came to."""
        return self.spans[-1].status


@dataclass(slots=True)
class Lane:
    """A node of the graph, or a graph in it, with the steps that are drawn beside its name."""

    place: str
    depth: int
    tracks: list[Track] = field(default_factory=list)
    group: bool = False
    """Whether there are lanes for what is inside it."""
    inside: Counter[str] = field(default_factory=Counter)
    """How many steps there are in it, and in the lanes inside it, in each status."""
    began: float = 0.0
    ended: float = 0.0

    @property
    def name(self) -> str:
        """What it is called."""
        if self.place == REST:
            return f"{len({place_of(track.step) for track in self.tracks})} nodes more"
        return self.place.rpartition("/")[2]

    @property
    def status(self) -> str:
        """The most telling status of its steps."""
        return telling(self.inside)

    @property
    def tries(self) -> int:
        """Attempts beyond the first of each step."""
        return sum(span.what == "work" and span.attempt > 1 for track in self.tracks for span in track.spans)

    @property
    def seconds(self) -> float:
        """How long its steps were at work in all."""
        return sum(span.ended - span.began for track in self.tracks for span in track.spans if span.what == "work")

    @property
    def kind(self) -> str:
        """What its node is, by what its steps did: a name of an icon."""
        if self.group:
            return "graph"
        whats: set[What] = {span.what for track in self.tracks for span in track.spans}
        found = next((what for what in ("person", "signal", "timer") if what in whats), None)
        asked = any(span.asked for track in self.tracks for span in track.spans)
        return found or ("model" if asked else "function")


def lanes_of(course: Course, most: int = MOST_LANES) -> list[Lane]:
    """Return the lanes of a run, a graph before what is inside it, each where its first step began."""
    spans: dict[StepKey, list[Span]] = {}
    for span in course.spans:
        spans.setdefault(span.step, []).append(span)
    tracks = [Track(step, tuple(found)) for step, found in spans.items()]
    places = {track.step: place_of(track.step) for track in tracks}
    kept = _kept(dict.fromkeys(places.values()), most)
    found: dict[str, Lane] = {}
    for track in tracks:
        place = kept[places[track.step]]
        parts = [] if place == REST else place.split("/")[:-1]
        above = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
        for depth, each in enumerate([*above, place]):
            lane = found.get(each)
            if lane is None:
                lane = found[each] = Lane(each, depth, began=track.began, ended=track.ended)
            lane.group = lane.group or each is not place
            lane.inside[track.status] += 1
            lane.began, lane.ended = min(lane.began, track.began), max(lane.ended, track.ended)
        found[place].tracks.append(track)
    return _in_order(found)


def _in_order(lanes: Mapping[str, Lane]) -> list[Lane]:
    inside: dict[str, list[str]] = {}
    for place in lanes:
        inside.setdefault(place.rpartition("/")[0], []).append(place)

    def below(place: str) -> Iterator[Lane]:
        for each in inside.get(place, ()):
            if each:
                yield lanes[each]
                yield from below(each)

    return list(below(""))


def _kept(places: Iterable[str], most: int) -> dict[str, str]:
    """Return the lane of each place, so that there are at most so many lanes."""
    parts = {place: place.split("/") for place in places}
    deepest = max((len(each) for each in parts.values()), default=1)
    for depth in range(deepest, 0, -1):
        lanes = {"/".join(each[:end]) for each in parts.values() for end in range(1, min(depth, len(each)) + 1)}
        if len(lanes) <= most:
            return {place: "/".join(each[:depth]) for place, each in parts.items()}
    first = list(dict.fromkeys(each[0] for each in parts.values()))[: most - 1]
    return {place: each[0] if each[0] in first else REST for place, each in parts.items()}


def rows_of(tracks: Sequence[Track]) -> list[list[Track]]:
    """Put steps into rows, as few as there can be if no two steps of a row are at once; each into the first that is
    free."""
    rows: list[list[Track]] = []
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    for track in sorted(tracks, key=lambda each: each.began):
        while busy and busy[0][0] <= track.began:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            row = heapq.heappop(free)
        else:
            row = len(rows)
            rows.append([])
        rows[row].append(track)
        heapq.heappush(busy, (track.ended, row))
    return rows


@dataclass(slots=True)
class Bar:
    """What is drawn in one piece: a span, or several where each would be too short to be seen."""

    left: float
    right: float
    spans: list[Span]

    @property
    def status(self) -> str:
        """What it came to; of several steps the most telling."""
        if len(self.spans) == 1:
            return self.spans[0].status
        return telling(Counter({span.step: span.status for span in self.spans}.values()))

    @property
    def what(self) -> What:
        """Work, if there is any."""
        return "work" if any(span.what == "work" for span in self.spans) else self.spans[0].what

    @property
    def ordinal(self) -> str:
        """Which item and which visit it is; empty if there are several steps, or only ever one."""
        steps = {span.step for span in self.spans}
        return "".join(_ORDINALS.findall(next(iter(steps)))) if len(steps) == 1 else ""


_ORDINALS = re.compile(r"\[\d+\]|#\d+")


def placed(row: Sequence[Track], scale: Scale) -> list[tuple[float, float, Span]]:
    """Return where each span of a row begins and ends, in time."""
    spans = sorted((span for track in row for span in track.spans), key=lambda each: each.began)
    return [(scale.at(span.began), scale.at(span.ended), span) for span in spans]


def bars_of(row: Sequence[tuple[float, float, Span]], *, least: float, gap: float, limit: float) -> list[Bar]:
    """Make bars of the spans of a row, none narrower than `least` nor beyond `limit`, a `gap` between two.

    What there is no room for is drawn in one piece with what is before it. A bar begins where its span does, or a
    little later where another one is in its way.
    """
    bars: list[Bar] = []
    reach = -gap
    for begin, end, span in row:
        if span.what == "pause" and end - begin < least:
            continue
        start = max(begin, reach + gap)
        if bars and start > begin:
            near = start - begin <= least + 2 * gap
            if start + least > limit or not (near or end - start >= max(least, (end - begin) / 2)):
                bars[-1].spans.append(span)
                reach = bars[-1].right = min(limit, max(reach, end))
                continue
        start = min(start, limit - least)
        reach = min(limit, max(end, start + least))
        bars.append(Bar(start, reach, [span]))
    return bars


def crowd_of(rows: Sequence[Sequence[Track]], scale: Scale, *, column: float) -> list[tuple[float, float, int]]:
    """Say how many steps of these rows there are at once, from where to where, in columns of one width."""
    turns: dict[int, int] = {}
    for track in (track for row in rows for track in row):
        first, last = int(scale.at(track.began) // column), int(scale.at(track.ended) // column)
        turns[first] = turns.get(first, 0) + 1
        turns[last + 1] = turns.get(last + 1, 0) - 1
    found: list[tuple[float, float, int]] = []
    count, since = 0, 0
    for place in sorted(turns):
        if count:
            found.append((since * column, place * column, count))
        count += turns[place]
        since = place
    return found
