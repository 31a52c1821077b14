"""A run in time: bars that never overlap, a scale that keeps the order, words that can be read, and real runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt import Retry, Runtime, Suspended, context, dag, draw, each, node
from graphrt.draw.lettering import width
from graphrt.draw.look import BADGES, LOOKS
from graphrt.draw.timeline.lanes import REST, bars_of, lanes_of, placed, rows_of
from graphrt.draw.timeline.plan import MOST_BARS, MOST_ROWS, STUB, Plan
from graphrt.draw.timeline.scale import MOST_CUT, round_step, told
from graphrt.draw.timeline.spans import course_of
from graphrt.errors import UsageError
from graphrt.facts import (
    AttemptFailed,
    Entry,
    Fact,
    Failure,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunForked,
    RunResumed,
    RunRewound,
    RunStarted,
    RunSuspended,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
    StepUnknown,
    StepWaiting,
    SubstepFinished,
    SubstepStarted,
)
from graphrt.history import Counted, counted
from graphrt.journal import MemoryJournal
from graphrt.nodes import answered, person, sleep
from graphrt.testing import BreakingJournal, BrokenOff, JumpingClock
from graphrt.types import RunId, StepKey

SVG = "{http://www.w3.org/2000/svg}"
BEGAN = 1_800_000_000.0
SHORT, DAYS = 1.0, 2 * 86400.0
LIMITED = Failure("RateLimited", "slow down")
STEPS = [*(f"each:c[{n}]" for n in range(4)), "a", "b#1", "b#2", "each:d[0]/x", "each:d[1]/x", "each:d[1]/deep/er#12"]


def record_of(*facts: tuple[float, Fact]) -> list[Counted]:
    """A record of facts, each so many seconds after the beginning."""
    return [Counted(RunId("run"), Entry(seq, BEGAN + at, fact)) for seq, (at, fact) in enumerate(facts, 1)]


def began(run: str = "flow") -> tuple[float, Fact]:
    return 0.0, RunStarted(run, "f", b"{}", 0)


def started(at: float, step: str, attempt: int = 1) -> tuple[float, Fact]:
    return at, StepStarted(StepKey(step), attempt)


def finished(at: float, step: str, attempt: int = 1, note: bytes | None = None) -> tuple[float, Fact]:
    return at, StepFinished(StepKey(step), attempt, b"1", note=note)


@dataclass
class Tale:
    """Something that could have happened."""

    record: list[Counted]
    now: float | None


@st.composite
def tales(draw: st.DrawFn) -> Tale:
    pauses = st.sampled_from([0.0, 0.0, 0.0002, 0.01, 0.3, 2.0, 2.0, 40.0, 5000.0, 300_000.0])
    facts, at = [began()], 0.0
    attempts, waiting, working = dict.fromkeys(STEPS, 0), set[str](), set[str]()
    over: set[str] = set()
    for _ in range(draw(st.integers(0, 60))):
        at += draw(pauses)
        word = draw(st.sampled_from([*STEPS, *STEPS, "resume", "suspend"]))
        key = StepKey(word)
        if word == "resume":
            facts.append((at, RunResumed(2, "d")))
            working.clear()
        elif word == "suspend":
            facts.append((at, RunSuspended()))
            working.clear()
        elif word in working or word in waiting:
            happens = draw(st.sampled_from(["finish", "finish", "try", "fail", "unknown", "cancel"]))
            ends: dict[str, Fact] = {
                "finish": StepFinished(key, attempts[word], b"1"),
                "try": AttemptFailed(key, attempts[word], LIMITED, BEGAN + at + draw(pauses)),
                "fail": StepFailed(key, attempts[word], LIMITED),
                "unknown": StepUnknown(key, attempts[word], LIMITED),
                "cancel": StepCancelled(key, attempts[word]),
            }
            facts.append((at, ends[happens]))
            working.discard(word)
            waiting.discard(word)
            (waiting if happens == "unknown" else over if happens != "try" else set()).add(word)
        elif word not in over:
            attempts[word] += 1
            begins: list[Fact] = [
                StepStarted(key, attempts[word]),
                StepWaiting(key, attempts[word], "person", note=b'{"question": "All right?"}'),
                StepWaiting(key, attempts[word], "timer"),
            ]
            fact = draw(st.sampled_from([begins[0], *begins]))
            facts.append((at, fact))
            (working if isinstance(fact, StepStarted) else waiting).add(word)
    end = draw(st.sampled_from([None, RunFinished(b"1"), RunFailed(StepKey(""), 1, LIMITED), RunCancelled()]))
    if end is not None:
        facts.append((at, end))
    return Tale(record_of(*facts), draw(st.sampled_from([None, BEGAN + at, BEGAN + at + 3.0, BEGAN + at + 1e6])))


@given(tales())
def test_bars_of_one_row_never_overlap_and_everything_is_inside_its_lane(tale: Tale) -> None:
    plan = Plan(course_of(tale.record, tale.now), 960.0)
    bottom = plan.top
    for lane in plan.lanes:
        assert lane.top == bottom
        assert lane.below + len(lane.rows) * sum(lane.row) <= lane.top + lane.height
        bottom = lane.top + lane.height
        for row in lane.rows:
            assert all(plan.left - 1e-6 <= bar.left < bar.right <= plan.limit + 1e-6 for bar in row)
            assert all(one.right + 1 <= other.left + 1e-6 for one, other in pairwise(row))
    assert bottom <= plan.bottom


@given(tales())
def test_every_span_is_drawn_once_but_for_pauses_too_short_to_be_seen(tale: Tale) -> None:
    course = course_of(tale.record, tale.now)
    drawn = [span for lane in Plan(course, 960.0).lanes for row in lane.rows for bar in row for span in bar.spans]
    assert len(drawn) == len({id(span) for span in drawn})
    missing = {id(span): span for span in course.spans}.keys() - {id(span) for span in drawn}
    assert {span.what for span in course.spans if id(span) in missing} <= {"pause"}


@given(tales())
def test_what_is_later_is_never_further_left(tale: Tale) -> None:
    course = course_of(tale.record, tale.now)
    plan = Plan(course, 960.0)
    instants = sorted({course.began, course.ended, *(at for span in course.spans for at in (span.began, span.ended))})
    places = [plan.scale.at(at) for at in instants]
    assert places == sorted(places)
    assert all(plan.left - 1e-6 <= place <= plan.right + 1e-6 for place in places)
    assert len(plan.scale.cuts) <= MOST_CUT


@given(tales())
def test_nobody_worked_in_what_is_cut_short(tale: Tale) -> None:
    course = course_of(tale.record, tale.now)
    for cut in Plan(course, 960.0).scale.cuts:
        assert not any(
            span.what == "work" and span.began < cut.ended and span.ended > cut.began for span in course.spans
        )


@given(tales())
def test_there_are_as_few_rows_as_hold_the_steps_side_by_side(tale: Tale) -> None:
    course = course_of(tale.record, tale.now)
    for lane in lanes_of(course):
        rows = rows_of(lane.tracks)
        for row in rows:
            assert all(one.ended <= other.began for one, other in pairwise(row))
        at_once = max(
            (sum(track.began <= at.began < track.ended for track in lane.tracks) for at in lane.tracks), default=0
        )
        assert len(rows) <= max(1, at_once) or any(track.began == track.ended for track in lane.tracks)


def texts(drawn: str) -> Iterator[tuple[str, float, float, float, float]]:
    """Every text of a picture, and the box that it is in."""
    for found in ElementTree.fromstring(drawn).iter(f"{SVG}text"):
        size = float(found.get("font-size") or 0)
        wide = width(found.text or "", size) * (1.08 if found.get("font-weight") else 1.0)
        x = float(found.get("x") or 0) - {"middle": wide / 2, "end": wide}.get(found.get("text-anchor") or "", 0.0)
        y = float(found.get("y") or 0)
        yield found.text or "", x, y - size * 0.8, x + wide, y + size * 0.2


@given(tales())
def test_no_text_lies_on_another_one_nor_outside_of_the_picture(tale: Tale) -> None:
    drawn = draw.timeline(tale.record, now=tale.now)
    assert drawn == draw.timeline(tale.record, now=tale.now)
    found = list(texts(drawn))
    for place, (words, left, top, right, bottom) in enumerate(found):
        assert left >= 0, words
        assert right <= 960, words
        for others, begin, high, end, low in found[place + 1 :]:
            assert right <= begin + 0.1 or end <= left + 0.1 or bottom <= high or low <= top, (words, others)


@given(tales())
def test_no_words_are_written_where_a_cut_is(tale: Tale) -> None:
    plan = Plan(course_of(tale.record, tale.now), 960.0)
    hidden = [(cut.left + STUB, cut.right - STUB) for cut in plan.scale.cuts]
    for words, left, top, right, bottom in texts(draw.timeline(tale.record, now=tale.now)):
        if left >= plan.left and top > plan.top and bottom < plan.bottom:
            assert not any(left < end and begin < right for begin, end in hidden), words


@given(st.floats(1e-6, 1e9))
def test_ticks_are_round_and_each_is_written_otherwise_than_the_one_before(least: float) -> None:
    step = round_step(least)
    assert least <= step * (1 + 1e-9)
    assert step <= max(least * 5, 1e-9)
    words = [told(step * number, step) for number in range(6)]
    assert len({*words}) == 6


def test_round_times_are_written_as_people_do() -> None:
    said = [(0.0, 1), (0.05, 0.05), (1.5, 0.5), (90.0, 30), (3600.0, 3600), (86400.0 * 2 + 3600, 3600)]
    assert [told(seconds, step) for seconds, step in said] == ["0", "50 ms", "1.5 s", "1 m 30 s", "1 h", "2 d 1 h"]


# What is seen of a run.


def waits_two_days() -> list[Counted]:
    return record_of(
        began(),
        started(0.0, "draft"),
        finished(4.0, "draft", note=b'{"model": []}'),
        (4.1, StepWaiting(StepKey("approve"), 1, "person", note=b'{"question": "Publish?", "to": "anna"}')),
        (4.2, RunSuspended()),
        (DAYS, RunResumed(2, "d")),
        finished(DAYS, "approve"),
        started(DAYS, "publish"),
        (DAYS + 1, AttemptFailed(StepKey("publish"), 1, LIMITED, BEGAN + DAYS + 3)),
        started(DAYS + 3, "publish", 2),
        finished(DAYS + 5, "publish", 2),
        (DAYS + 5, RunFinished(b"1")),
    )


def test_two_days_of_waiting_are_cut_short_and_their_length_is_said() -> None:
    drawn = draw.timeline(waits_two_days())
    (cut,) = Plan(course_of(waits_two_days()), 960.0).scale.cuts
    assert cut.right - cut.left < 80
    assert cut.ended - cut.began == pytest.approx(DAYS - 4.1)
    said = [words for words, *_ in texts(drawn)]
    assert {"1 d 23 h", "suspended", "waits for a person · 1 d 23 h"} <= {*said}


def test_attempts_are_bars_of_their_own_and_the_pause_between_them_is_none_of_them() -> None:
    course = course_of(waits_two_days())
    found = [(span.what, span.attempt, span.status) for span in course.spans if span.step == "publish"]
    assert found == [("work", 1, "failed"), ("pause", 1, "retrying"), ("work", 2, "finished")]
    (lane,) = (lane for lane in lanes_of(course) if lane.place == "publish")
    assert (lane.tries, lane.status, lane.seconds) == (1, "finished", 3.0)


def test_a_node_has_the_icon_of_what_its_steps_did() -> None:
    assert [(lane.place, lane.kind) for lane in lanes_of(course_of(waits_two_days()))] == [
        ("draft", "model"),
        ("approve", "person"),
        ("publish", "function"),
    ]


def test_a_status_is_a_colour_and_a_sign_and_a_word() -> None:
    for theme in LOOKS:
        drawn = draw.timeline(waits_two_days()[:-3], now=BEGAN + DAYS + 4, theme=theme)
        for status in ("finished", "failed", "retrying"):
            assert LOOKS[theme].statuses[status] in drawn
        for status in ("finished", "failed"):
            assert BADGES[status] in drawn
            assert f">{status}<" in drawn
        assert ">pauses before another try<" in drawn


def test_a_tooltip_has_the_numbers_and_the_error_and_what_was_spent() -> None:
    drawn = draw.timeline(waits_two_days(), spent={(StepKey("publish"), 1): "tokens 10 in / 2 out"})
    (told_of,) = (
        found.text
        for found in ElementTree.fromstring(drawn).iter(f"{SVG}title")
        if (found.text or "").startswith("publish\nfailed")
    )
    assert told_of == (
        "publish\nfailed · attempt 1\n1.00 s, from 2027-01-17 08:00:00 UTC (+2 d 0 h)\n"
        "tokens 10 in / 2 out\nRateLimited: slow down"
    )


def test_a_driver_that_is_gone_and_the_resumption_are_marked_and_what_was_at_work_ends_where_it_was_last_heard_of() -> (
    None
):
    course = course_of(
        record_of(
            began(),
            started(0.0, "a"),
            started(0.0, "b"),
            finished(2.0, "a"),
            (600.0, RunResumed(2, "d")),
            started(600.0, "b", 2),
            finished(601.0, "b", 2),
            (601.0, RunFinished(b"1")),
        )
    )
    assert [(moment.at - BEGAN, moment.word) for moment in course.moments] == [(2.0, "driver gone"), (600.0, "resumed")]
    assert course.moments[0].details == "the last that its driver recorded; at work was b"
    first = next(span for span in course.spans if span.step == "b")
    assert (first.status, first.ended - BEGAN) == ("interrupted", 2.0)
    assert [cut.why for cut in Plan(course, 960.0).scale.cuts] == ["nobody drove it"]


def test_an_effect_in_flight_when_its_driver_was_gone_is_unknown_until_somebody_says() -> None:
    key = StepKey("pay")
    course = course_of(
        record_of(
            began(),
            (0.0, StepStarted(key, 1)),
            (1.0, SubstepStarted(key, 1, "charge", "key")),
            (9.0, RunResumed(2, "d")),
            (9.0, StepUnknown(key, 1, LIMITED)),
            (20.0, StepFinished(key, 1, b"1")),
        ),
        BEGAN + 20,
    )
    assert [(span.what, span.status, span.details) for span in course.spans] == [
        ("work", "unknown", "charge: running"),
        ("decision", "finished", "RateLimited: slow down"),
    ]


def test_what_is_at_work_ends_now_or_is_interrupted_where_nobody_drives_the_run() -> None:
    record = record_of(began(), started(1.0, "a"))
    assert [(span.status, span.ended - BEGAN) for span in course_of(record, BEGAN + 7).spans] == [("running", 7.0)]
    assert [(span.status, span.ended - BEGAN) for span in course_of(record).spans] == [("interrupted", 1.0)]
    assert course_of(record).status == "interrupted"


def test_a_wait_ends_with_a_cancelled_run_and_goes_on_with_it() -> None:
    record = record_of(
        began(),
        (1.0, StepWaiting(StepKey("a"), 1, "signal", "go")),
        (2.0, RunCancelled()),
        (5.0, RunResumed(2, "d")),
        finished(6.0, "a"),
    )
    found = [(span.began - BEGAN, span.ended - BEGAN, span.status) for span in course_of(record, BEGAN + 6).spans]
    assert found == [(1.0, 2.0, "cancelled"), (5.0, 6.0, "finished")]


def test_parts_of_a_step_are_told_of_in_its_tooltip() -> None:
    key = StepKey("a")
    facts: list[tuple[float, Fact]] = [(0.0, StepStarted(key, 1))]
    facts += [(1.0, SubstepFinished(key, 1, f"part {number}", b"1")) for number in range(8)]
    (span,) = course_of(record_of(began(), *facts, finished(2.0, "a"))).spans
    assert span.details.splitlines()[-2:] == ["part 5: finished", "and 2 parts more"]


def test_what_a_fork_shares_lies_before_it() -> None:
    shared = [Counted(RunId("old"), Entry(2, BEGAN - 50, StepStarted(StepKey("a"), 1)))]
    shared += [Counted(RunId("old"), Entry(3, BEGAN - 48, StepFinished(StepKey("a"), 1, b"1")))]
    forked = RunForked("old", "b", "flow", "f", b"{}", 0)
    record = [*record_of((0.0, forked)), *shared, *record_of(began(), started(0.5, "b"), finished(1.5, "b"))[1:]]
    course = course_of(record)
    assert [(span.step, span.shared_with) for span in course.spans] == [("a", "old"), ("b", None)]
    assert (course.began, [moment.word for moment in course.moments]) == (BEGAN - 50, ["forked"])
    assert [cut.why for cut in Plan(course, 960.0).scale.cuts] == ["not forked yet"]
    assert "forked from old at b" in draw.timeline(record)


def test_who_drives_a_run_that_went_back_resumes_nothing() -> None:
    rewound = RunRewound("b", "flow", "f")
    facts = [began(), started(0.0, "a"), finished(1.0, "a"), (9.0, rewound), (9.0, RunResumed(2, "d"))]
    course = course_of(record_of(*facts, started(9.0, "b"), finished(10.0, "b"), (10.0, RunFinished(b"1"))))
    assert [(moment.word, moment.details) for moment in course.moments] == [("went back", "goes back to b")]


def crowd(count: int, *, failing: int = -1) -> list[Counted]:
    keys = [StepKey(f"each:work[{number}]") for number in range(count)]
    return record_of(
        began(),
        *((0.0, StepStarted(key, 1)) for key in keys),
        *((5.0, StepFinished(key, 1, b"1")) for number, key in enumerate(keys) if number != failing),
        *((5.0, StepFailed(key, 1, LIMITED)) for number, key in enumerate(keys) if number == failing),
    )


def test_of_too_many_at_once_the_failed_have_their_rows_and_the_others_are_counted() -> None:
    course = course_of(crowd(200, failing=190), BEGAN + 5)
    (lane,) = Plan(course, 960.0).lanes
    assert len(lane.rows) == MOST_ROWS - 1
    assert "failed" in {bar.status for row in lane.rows for bar in row}
    assert lane.beyond == {"finished": 200 - MOST_ROWS + 1}
    said = [words for words, *_ in texts(draw.timeline(crowd(200, failing=190), now=BEGAN + 5))]
    assert {"1 of 200 failed", "177 more, up to 177 at once"} <= {*said}


def test_ten_thousand_steps_are_a_picture_of_bounded_size() -> None:
    facts = [began()]
    for number in range(5_000):
        step = f"n{number % 300}/m#{number}"
        facts += [started(number / 10, step), finished(number / 10 + 0.09, step)]
    record = record_of(*facts)
    plan = Plan(course_of(record, BEGAN + 500), 960.0)
    assert sum(len(row) for lane in plan.lanes for row in lane.rows) <= MOST_BARS
    assert plan.lanes[-1].lane.place == REST
    assert plan.lanes[-1].lane.name == "181 nodes more"
    assert sum(lane.lane.inside.total() for lane in plan.lanes) == 5_000
    assert len(draw.timeline(record, now=BEGAN + 500)) < 1_600_000


def test_nodes_deep_inside_are_drawn_in_the_lane_of_the_graph_around_them_where_there_are_too_many() -> None:
    facts = [began()]
    for number in range(30):
        facts += [started(number, f"g{number % 3}/n{number}"), finished(number + 1, f"g{number % 3}/n{number}")]
    course = course_of(record_of(*facts))
    assert len(lanes_of(course, 40)) == 33
    folded = lanes_of(course, 20)
    assert [(lane.place, lane.group, len(lane.tracks)) for lane in folded] == [
        ("g0", False, 10),
        ("g1", False, 10),
        ("g2", False, 10),
    ]


def test_bars_nearer_than_a_pixel_are_one_and_its_tooltip_counts_them() -> None:
    facts = [began()]
    for number in range(2_000):
        facts += [started(number / 1000, f"a#{number}"), finished(number / 1000 + 0.0005, f"a#{number}")]
    course = course_of(record_of(*facts))
    plan = Plan(course, 960.0)
    (lane,) = lanes_of(course)
    (row,) = rows_of(lane.tracks)
    bars = bars_of(placed(row, plan.scale), least=3, gap=1, limit=plan.limit)
    assert len(bars) < 300
    assert sum(len(bar.spans) for bar in bars) == 2_000
    assert re.search(r"\d steps, a#\d+ to a#\d+", draw.timeline(record_of(*facts)))


def test_a_bar_at_the_end_begins_early_enough_to_be_seen() -> None:
    facts = [began(), started(0.0, "b"), started(9.999, "a"), finished(10.0, "a"), finished(10.0, "b")]
    course = course_of(record_of(*facts))
    scale = Plan(course, 960.0).scale
    (bar,) = bars_of(placed(lanes_of(course)[1].tracks, scale), least=50, gap=1, limit=scale.at(course.ended) + 10)
    assert (bar.left, bar.right) == (scale.at(course.ended) - 40, scale.at(course.ended) + 10)


@pytest.mark.parametrize("record", [record_of(began()), record_of(began(), started(0.0, "a"), finished(0.0, "a"))])
def test_a_run_in_which_no_time_passed_has_a_timeline(record: list[Counted]) -> None:
    ElementTree.fromstring(draw.timeline(record))


def test_names_and_errors_cannot_break_the_picture() -> None:
    bad = Failure("<b>", 'it said "&" \x00 ]]>')
    record = record_of(
        began("<&>"), started(0.0, 'each:a<"b">[0]'), (1.0, StepFailed(StepKey('each:a<"b">[0]'), 1, bad))
    )
    words = [words for words, *_ in texts(draw.timeline(record))]
    assert 'each:a<"b">' in words
    assert "<&> · run run" in words


def test_there_is_nothing_in_it_that_somebody_takes_out() -> None:
    names = {found.tag for found in ElementTree.fromstring(draw.timeline(waits_two_days())).iter()}
    assert names <= {f"{SVG}{name}" for name in ("svg", "g", "title", "rect", "path", "circle", "text")}


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UsageError, match="theme 'blue' is neither"):
        draw.timeline(waits_two_days(), theme="blue")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 560 pixels wide"):
        draw.timeline(waits_two_days(), width=100)
    with pytest.raises(ValueError, match="without a beginning"):
        draw.timeline([])


# Real runs.


@node
def split(text: str) -> list[str]:
    return text.split()


@node(retry=Retry(attempts=3))
async def spell(word: str) -> str:
    await anyio.lowlevel.checkpoint()
    if word == "odd" and context().attempt < 3:
        raise OSError("not yet")
    return word.upper()


@node
def glue(words: list[str]) -> str:
    return " ".join(words)


@person("Is {{ text }} right?")
def right(text: str) -> bool:
    return answered()


@dag
def spelled(text: str) -> str:
    return glue(sleep(each(spell, split(text)), 3600.0))


@dag
def checked(text: str) -> bool:
    return right(spelled(text))


@pytest.mark.anyio
async def test_a_run_that_is_killed_and_resumed_and_asks_has_all_of_it_in_its_timeline() -> None:
    journal, clock = MemoryJournal(), JumpingClock()
    with pytest.raises((BrokenOff, ExceptionGroup)):
        async with Runtime(BreakingJournal(journal, 4), clock=clock) as rt:  # whatever comes of the first item
            await (await rt.start_as("r", checked, text="an odd word")).result()
    clock.time += 300
    async with Runtime(journal, clock=clock) as rt:
        run = await rt.resume("r", checked)
        with pytest.raises(Suspended):
            await run.result()
        record = await counted(journal, run.id)
    course = course_of(record, clock.now())
    assert [moment.word for moment in course.moments] == ["driver gone", "resumed"]
    lanes = lanes_of(course)
    assert [(lane.place, lane.group, lane.status) for lane in lanes] == [
        ("spelled", True, "finished"),
        ("spelled/split", False, "finished"),
        ("spelled/each:spell", False, "finished"),
        ("spelled/sleep", False, "finished"),
        ("spelled/glue", False, "finished"),
        ("right", False, "waiting"),
    ]
    assert lanes[2].tries >= 2
    assert {span.what for span in course.spans} == {"work", "pause", "timer", "person"}
    said = [words for words, *_ in texts(draw.timeline(record, now=clock.now()))]
    assert {"driver gone", "resumed", "1 h 0 m", "waiting"} <= {*said}
