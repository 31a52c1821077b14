"""A run on its graph: colour and sign and word, items, visits, tries, and one size all along (V2)."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest

from graphrt import Final, Machine, Runtime, State, Suspended, dag, each, node
from graphrt.draw.look import BADGES, LOOKS
from graphrt.draw.overlay import Mark, Spending, marks
from graphrt.draw.progress import TELLING, Progress
from graphrt.draw.sketch import Sketch, sketch
from graphrt.draw.svg import svg
from graphrt.errors import RunFailed
from graphrt.graph import Graph
from graphrt.history import Counted, counted
from graphrt.journal import MemoryJournal
from graphrt.nodes import answered, person
from graphrt.testing import JumpingClock

pytestmark = pytest.mark.anyio


class Draft(State):
    text: str
    rounds: int = 0


class Checked(State):
    text: str
    rounds: int


class Good(Final):
    text: str


editor = Machine("editor", start=Draft, end=Good)


@editor.on
def write(state: Draft) -> Checked:
    return Checked(text=state.text + "!", rounds=state.rounds + 1)


@editor.on
def review(state: Checked) -> Draft | Good:
    return Good(text=state.text) if state.rounds == 3 else Draft(text=state.text, rounds=state.rounds)


@node
def split(text: str) -> list[str]:
    return text.split()


@node(retry=2)
def shout(word: str, loud: bool) -> str:
    if not loud:
        raise OSError("too quiet")
    return word.upper()


@node
def glue(words: list[str]) -> str:
    return " ".join(words)


@node
def text_of(good: Good) -> str:
    return good.text


@person("Publish {{ text }}?")
def approve(text: str) -> bool:
    return answered()


@dag
def story(text: str, loud: bool) -> bool:
    return approve(text_of(editor(text=glue(each(shout, split(text), loud=loud)))))


@dag
def inner(word: str) -> str:
    return glue(split(word))


@dag
def outer(words: list[str]) -> str:
    return glue(each(inner, words))


async def record_of(graph: Graph[..., Any], **inputs: Any) -> list[Counted]:
    """Run a graph as far as it goes by itself."""
    async with Runtime(MemoryJournal(), clock=JumpingClock()) as rt:
        run = await rt.start_as("run", graph, **inputs)
        with contextlib.suppress(Suspended, RunFailed):
            await run.result()
        return await counted(rt.journal, run.id)


def labels(drawn: Sketch) -> dict[str, str]:
    found = {box.id: box.label for box in drawn.boxes}
    for box in drawn.boxes:
        found |= labels(box.inner) if box.inner else {}
    return found


def seen(graph: Graph[..., Any], record: list[Counted]) -> dict[str, Mark]:
    """The marks by what their boxes are called."""
    progress = Progress(graph)
    for _, entry in record:
        progress.take(entry)
    drawn = sketch(graph)
    names = labels(drawn)
    return {names[box]: mark for box, mark in marks(drawn, progress).items()}


async def test_each_box_says_where_the_run_stands() -> None:
    found = seen(story, await record_of(story, text="a b c d", loud=True))
    assert {name: mark.status for name, mark in found.items()} == {
        **dict.fromkeys(("split", "shout", "glue", "editor", "Draft", "Checked", "text_of"), "finished"),
        "approve": "waiting",
    }
    assert found["shout"].words.startswith("finished · 4 of 4 · ")
    assert found["Draft"].words.startswith("finished · 3 visits · ")
    assert found["editor"].words == "finished"


async def test_how_many_items_there_are_is_known_before_they_have_begun() -> None:
    record = await record_of(story, text="a b c d", loud=True)
    words = [seen(story, record[:count]).get("shout") for count in range(1, len(record) + 1)]
    assert {"running · 0 of 4", "finished · 4 of 4"} <= {
        " · ".join(mark.words.split(" · ")[:2]) for mark in words if mark
    }
    assert all(mark.status != "finished" for mark in words if mark and "4 of 4" not in mark.words)


async def test_items_that_come_from_the_input_are_counted_as_well() -> None:
    record = await record_of(outer, words=["a b", "c"])
    progress = Progress(outer)
    progress.take(record[0].entry)
    assert progress.expected == {"each:inner": 2}


async def test_a_failure_and_its_tries_are_seen_and_so_is_the_graph_around_it() -> None:
    found = seen(story, await record_of(story, text="a", loud=False))
    assert found["shout"].status == "failed"
    assert found["shout"].words == "failed · 0 of 1 · +1 try"
    assert found["shout"].details == "OSError: too quiet"
    assert "glue" not in found


async def test_a_graph_in_a_graph_is_at_work_until_what_follows_has_begun() -> None:
    record = await record_of(story, text="a", loud=True)
    seen_of_it = [seen(story, record[:count]).get("editor") for count in range(1, len(record) + 1)]
    states = [mark.status for mark in seen_of_it if mark]
    assert states == sorted(states, key=["running", "finished"].index)
    assert {*states} == {"running", "finished"}


@pytest.mark.parametrize("graph", [story, outer], ids=["story", "outer"])
async def test_the_picture_has_one_size_however_far_the_run_is(graph: Graph[..., Any]) -> None:
    inputs: dict[str, Any] = {"text": "a b", "loud": True} if graph is story else {"words": ["a b", "c"]}
    record = await record_of(graph, **inputs)
    progress, sizes = Progress(graph), set()
    for _, entry in record:
        sizes.add(re.search(r'<svg [^>]*viewBox="([^"]+)"', svg(graph, run=progress))[1])  # type: ignore[index]
        progress.take(entry)
    assert len(sizes) == 1


async def test_a_status_is_a_colour_and_a_sign_and_a_word() -> None:
    progress = Progress(story)
    for _, entry in await record_of(story, text="a b", loud=True):
        progress.take(entry)
    drawn = svg(story, run=progress, spent={"approve": Spending("12 tokens", "tokens 9 in / 3 out")}, theme="dark")
    look = LOOKS["dark"]
    for status, word in (("finished", "finished · 2 of 2"), ("waiting", "waiting · 12 tokens<")):
        assert look.statuses[status] in drawn
        assert BADGES[status] in drawn
        assert word in drawn
    assert "waiting\ntokens 9 in / 3 out</title>" in drawn
    assert "waiting" not in svg(story, theme="dark")


def test_every_status_has_a_look() -> None:
    for look in LOOKS.values():
        assert set(TELLING) <= look.statuses.keys()
    assert set(TELLING) == BADGES.keys()


async def test_inside_a_fan_out_steps_are_counted_against_its_items() -> None:
    record = await record_of(outer, words=["a b", "c"])
    words = [seen(outer, record[:count]).get("split") for count in range(1, len(record) + 1)]
    said = {" · ".join(mark.words.split(" · ")[:2]) for mark in words if mark}
    assert {"running · 0 of 2", "finished · 2 of 2", "finished · 2 times"} <= said
    assert all(mark.status != "finished" for mark in words if mark and "1 of 2" in mark.words)
