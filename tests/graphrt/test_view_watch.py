"""`--watch`: a run's nodes drawn in place on a terminal, a line for each event as JSON (V2, V3)."""

from __future__ import annotations

import json
import re
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graphrt import Retry, Runtime, dag, each, node
from graphrt.draw.progress import Progress, place_of, places_of
from graphrt.errors import RunFailed
from graphrt.facts import (
    AttemptFailed,
    Entry,
    Fact,
    Failure,
    RunCancelled,
    RunFinished,
    RunResumed,
    RunStarted,
    RunSuspended,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
    StepUnknown,
    StepWaiting,
    SubstepFailed,
    SubstepFinished,
    SubstepStarted,
)
from graphrt.graph import Graph
from graphrt.history import Counted, counted
from graphrt.nodes import answered, person
from graphrt.steps import steps_of
from graphrt.types import RunId, StepKey
from graphrt.view.table import wide
from graphrt.view.terminal import Above, Canvas
from graphrt.view.watched import picture
from tests.graphrt.command import Cli, Terminal, on_a_terminal, screen_of

pytestmark = pytest.mark.anyio
_failed: set[str] = set()


@node
def split(text: str) -> list[str]:
    return text.split()


@node(retry=Retry(attempts=2, base=0))
def spell(word: str) -> str:
    if word == "odd" and word not in _failed:
        _failed.add(word)
        raise ValueError("not yet")
    if word == "bad":
        raise LookupError("no such word")
    return word.upper()


@node
def glue(words: list[str]) -> str:
    return " ".join(words)


@dag
def polish(text: str) -> str:
    return glue(split(text))


@dag
def write(text: str) -> str:
    return polish(glue(each(spell, split(text))))


@person("Is {{ text }} right?")
def right(text: str) -> bool:
    return answered()


@dag
def asks(text: str) -> bool:
    return right(glue(split(text)))


async def entries_of(graph: Graph[..., Any], text: str) -> list[Entry]:
    """Everything that is recorded of a run."""
    _failed.clear()
    async with Runtime() as runtime:
        run = await runtime.start(graph, text)
        try:
            await run.result()
        except Exception:
            assert (await run.info()).status in {"failed", "suspended"}
        return [entry for _, entry in await counted(runtime.journal, run.id)]


def drawn(graph: Graph[..., Any], entries: list[Entry], *, width: int = 80, height: int = 8) -> list[list[str]]:
    """Every picture there is of a run, one after each fact."""
    watched = Progress(graph)
    found = []
    for entry in entries:
        watched.take(entry)
        found.append(picture(watched, {}, graph.name, now=entry.at, width=width, height=height))
    return found


async def pictures(graph: Graph[..., Any], text: str) -> list[list[str]]:
    return drawn(graph, await entries_of(graph, text))


def told_of(lines: list[str]) -> dict[str, list[str]]:
    return {line.split()[1]: line.split()[:1] + line.split()[2:] for line in lines[2:] if line}


async def test_every_node_of_a_graph_has_its_line_from_the_beginning() -> None:
    """In the order of the graph, those of graphs inside it too; the same place is one line."""
    assert places_of(write) == ["split", "each:spell", "glue", "polish/split", "polish/glue"]
    assert place_of("editor/each:review[3]/check#2") == "editor/each:review/check"
    first = (await pictures(write, "a b"))[0]
    assert told_of(first) == {place: ["·", "not", "begun"] for place in places_of(write)}


async def test_a_node_says_how_many_of_its_steps_are_done_and_what_came_of_the_last() -> None:
    """Mark, word, steps, attempts beyond the first, and its words (V2)."""
    last = (await pictures(write, "an odd word"))[-1]
    assert re.match(r"✓ finished  write  [\d.]+ m?s  7 finished$", last[0])
    assert last[1].split() == ["NODE", "STATUS", "STEPS", "TIME", "TRIES", "LAST"]
    assert re.fullmatch(r'✓ each:spell +finished +3/3 +[\d.]+ m?s +\+1 +"[A-Z]+"', last[3])
    assert re.fullmatch(r'✓ polish/glue +finished +[\d.]+ m?s +"AN ODD WORD"', last[6])


async def test_a_node_is_said_to_be_what_is_worst_among_its_steps() -> None:
    """One that failed is seen among many that did not."""
    last = (await pictures(write, "a bad word"))[-1]
    assert last[0].startswith("✗ failed")
    assert told_of(last)["each:spell"][:2] == ["✗", "failed"]
    assert "LookupError: no such word" in last[3]
    assert told_of(last)["polish/glue"] == ["·", "not", "begun"]


@pytest.mark.parametrize("late", [False, True])
def test_what_went_wrong_is_heard_until_it_is_mended(late: bool) -> None:
    """Whichever of two items comes last."""
    one, other = StepKey("each:b[0]"), StepKey("each:b[1]")
    facts: list[Fact] = [StepStarted(one, 1), StepStarted(other, 1)]
    ends: list[Fact] = [AttemptFailed(one, 1, FAILURE, 0.0), StepFinished(other, 1, b"2")]
    facts += ends[::-1] if late else ends
    watched = Progress(None)
    for _, entry in recorded(facts):
        watched.take(entry)
    assert isinstance(watched.places["each:b"].last, AttemptFailed)
    for _, entry in recorded([StepStarted(one, 2), StepFinished(one, 2, b"1")]):
        watched.take(entry)
    assert isinstance(watched.places["each:b"].last, StepFinished)


async def test_a_node_that_waits_says_for_what() -> None:
    """The question is its words, and the run is suspended."""
    last = (await pictures(asks, "this"))[-1]
    assert last[0].startswith("… suspended  asks")
    assert re.fullmatch(r"… right +waiting +asks: Is this right\?", last[4])


async def test_a_picture_is_as_high_as_it_was_and_never_too_wide() -> None:
    """Where there are too many nodes, those that have most to tell are shown and the others counted."""
    entries = await entries_of(write, "a bad word")
    for height in (3, 4, 8):
        for width in (1, 9, 20, 40, 79, 200):
            found = drawn(write, entries, width=width, height=height)
            assert {len(lines) for lines in found} == {height}
            assert max(wide(line) for lines in found for line in lines) <= width
    low = drawn(write, entries, height=4)[-1]
    assert "each:spell" in low[2]
    assert low[3] == "… and 4 more"


FAILURE = Failure("ValueError", "no")


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Facts of two steps in an order that a journal could have."""
    keys = [StepKey("a"), StepKey("each:b[1]")]
    status = dict.fromkeys(keys, "")
    facts: list[Fact] = [RunStarted("g", "f", b"{}", 1)]
    for _ in range(draw(st.integers(1, 12))):
        key = draw(st.sampled_from(keys))
        match status[key]:
            case "running":
                outcomes: list[Fact] = [
                    StepFinished(key, 1, b"1"),
                    AttemptFailed(key, 1, FAILURE, 0.0),
                    StepFailed(key, 1, FAILURE),
                    StepUnknown(key, 1, FAILURE),
                    StepCancelled(key, 1),
                    SubstepFinished(key, 1, "part", b"1"),
                    SubstepFailed(key, 1, "part", FAILURE),
                    RunResumed(),
                ]
                begun = [fact for fact in facts if isinstance(fact, SubstepStarted) and fact.step == key]
                parts = (SubstepStarted, SubstepFinished, SubstepFailed, RunResumed)
                outcomes = [fact for fact in outcomes if isinstance(fact, parts) == bool(begun)]
                if not begun:
                    outcomes += [SubstepStarted(key, 1, "part", "intent"), RunResumed()]
            case "waiting":
                outcomes = [StepFinished(key, 1, b"1"), RunSuspended(None), RunResumed(), RunCancelled()]
            case "finished" | "failed":
                outcomes = [RunFinished(b"1"), RunResumed()]
            case _:
                intent = draw(st.sampled_from([None, "intent"]))
                outcomes = [StepStarted(key, 1, intent), StepWaiting(key, 1, "signal", "s"), RunResumed()]
        facts.append(draw(st.sampled_from(outcomes)))
        status |= {StepKey(step): row["status"] for step, row in steps_of(recorded(facts)).items()}
    return [entry for _, entry in recorded(facts)]


def recorded(facts: list[Fact]) -> list[Counted]:
    """A record of these facts, a second apart."""
    return [Counted(RunId("r"), Entry(seq, float(seq), fact)) for seq, fact in enumerate(facts, 1)]


PART: list[Fact] = [
    RunStarted("g", "f", b"{}", 1),
    StepStarted(StepKey("a"), 1),
    SubstepStarted(StepKey("a"), 1, "part", "intent"),
    SubstepFinished(StepKey("a"), 1, "part", b"1"),
    RunResumed(),
]


@given(histories())
@example([entry for _, entry in recorded(PART)])
def test_watching_and_show_say_the_same_of_a_run(entries: list[Entry]) -> None:
    """Two folds of one history, one of them entry by entry."""
    watched = Progress(None)
    for entry in entries:
        watched.take(entry)
    rows = steps_of([Counted(RunId("r"), entry) for entry in entries])
    told = {
        place: {status for status, count in found.counts.items() if count} for place, found in watched.places.items()
    }
    assert told == {place_of(step): {row["status"]} for step, row in rows.items()}


async def test_what_was_in_flight_when_a_run_was_left_is_interrupted_until_it_is_done_again() -> None:
    """A resume shows what was done before it, too."""
    _failed.clear()
    async with Runtime() as runtime:
        run = await runtime.start(write, "a bad word")
        with pytest.raises(RunFailed):
            await run.result()
        await runtime.resume(run.id, write)
        with pytest.raises(RunFailed):
            await (await runtime.get(run.id)).result()
        watched, cut_short = Progress(write), Progress(write)
        for _, entry in await counted(runtime.journal, run.id):
            watched.take(entry)
            if isinstance(entry.fact, RunResumed):
                assert watched.status == "running"
            if isinstance(entry.fact, StepStarted) and entry.fact.step == "split":
                cut_short.take(entry)
                cut_short.leave(entry.at)
    assert watched.places["split"].counts["finished"] == 1
    assert watched.status == "failed"
    assert (cut_short.status, cut_short.places["split"].status) == ("interrupted", "interrupted")


def test_what_is_written_meanwhile_goes_above_the_picture() -> None:
    """Each line stays, and the picture is once on the screen, at its end."""
    stream = StringIO()
    canvas = Canvas(stream)
    canvas.draw(["one", "two"])
    canvas.write("a note that is longer\n")
    canvas.draw(["1", "2"])
    canvas.write("another\n")
    canvas.draw(["1", "2"])
    assert screen_of(stream.getvalue()) == ["a note that is longer", "another", "1", "2", ""]
    before = stream.getvalue()
    canvas.draw(["1", "2"])
    assert stream.getvalue() == before


def test_a_stream_that_is_stood_in_for_shows_whole_lines_and_keeps_its_bytes() -> None:
    """Half a line waits for its other half, or for the end; who writes bytes finds where."""
    screen = TextIOWrapper(BytesIO(), encoding="utf-8", newline="")
    canvas = Canvas(screen)
    canvas.draw(["picture"])
    above = Above(screen, canvas)
    print("half a", end="", file=above)
    print(" line\nand", end="", file=above)
    above.finish()
    above.buffer.flush()
    assert above.isatty()
    assert screen_of(screen.buffer.getvalue().decode()) == ["half a line", "and", "picture", ""]


def test_the_last_picture_stays_and_the_result_is_beneath_it(terminal: Terminal) -> None:
    """The run's id, a node's own words, its lines, the result."""
    shown = screen_of(terminal(60, "run", "flows.py:greet", "--text", "a", "--watch", "--run-id", "r"))
    assert shown[:2] == ["run r", "a node's own words"]
    assert shown[2].startswith("✓ finished  greet  ")
    assert shown[3].split()[:2] == ["NODE", "STATUS"]
    assert re.fullmatch(r'✓ shout  finished  [\d.]+ m?s  "AA"', shown[4])
    assert shown[5:] == ["AA", ""]


def test_a_watched_run_that_fails_says_how_it_goes_on(terminal: Terminal) -> None:
    """As without --watch."""
    shown = screen_of(terminal(200, "run", "flows.py:fragile", "--text", "a", "--watch", "--run-id", "r"))
    assert any(line.startswith("✗ check_mended  failed") for line in shown)
    assert "graphrt resume r" in shown[-2]
    resumed = screen_of(terminal(200, "resume", "r", "--watch"))
    assert any(re.match(r"✓ shout +finished", line) for line in resumed)


def test_a_watched_run_on_a_real_terminal_is_drawn_in_place(cli: Cli) -> None:
    """Escape codes of a process of its own, read as a terminal reads them."""
    written = on_a_terminal(["run", "flows.py:greet", "--text", "a", "--watch", "--run-id", "r"], TERM="xterm")
    shown = screen_of(written)
    assert "\x1b[3F" in written
    assert "\x1b[32m✓\x1b[0m" in written
    assert sum("shout" in line for line in shown) == 1
    assert shown[-2:] == ["AA", ""]


def test_off_a_terminal_and_on_a_dumb_one_watching_is_the_usual_lines(
    cli: Cli, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is drawn over what cannot be."""
    said = cli("run", "flows.py:greet", "--text", "a", "--watch", "--run-id", "r")
    assert said.out == "AA\n"
    assert re.search(r'^✓ shout  [\d.]+ m?s  "AA"$', said.err, re.MULTILINE)
    quiet = cli("run", "flows.py:greet", "--text", "a", "--watch", "-q")
    assert (quiet.out, quiet.err) == ("AA\n", "a node's own words\n")
    assert "\x1b" not in terminal(80, "run", "flows.py:greet", "--text", "a", "--watch", "-q")


def test_watching_as_json_is_a_line_for_each_event_and_the_result_as_the_last(cli: Cli) -> None:
    """Each line is a document; nothing else is on stdout (V3)."""
    said = cli("run", "flows.py:fragile", "--text", "a", "--watch", "--json", "--run-id", "r")
    *events, last = [json.loads(line) for line in said.out.splitlines()]
    assert said.code == 1
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["kind"] for event in events[:3]] == ["run started", "started", "finished"]
    assert (events[2]["step"], events[2]["value"], events[2]["attempt"]) == ("shout", "A", 1)
    assert events[-2]["failure"]["type"] == "ValueError"
    assert (last["run"], last["status"]) == ("r", "failed")
    assert "seq" not in last
