"""What a notebook shows: a run while it is waited for, and everything else by media type (V1, V2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from graphrt import Runtime, dag, each, node
from graphrt.backends import Request, Scripted, complete
from graphrt.backends.events import Answer, Usage
from graphrt.backends.messages import assistant, user
from graphrt.draw.progress import progress_of
from graphrt.draw.svg import Drawing
from graphrt.errors import RunFailed
from graphrt.facts import Entry
from graphrt.history import counted
from graphrt.journal import MemoryJournal
from graphrt.nodes import answered, ask, generated, llm, person
from graphrt.run import Run
from graphrt.shown import Shown, showing
from graphrt.testing import BreakingJournal, BrokenOff
from graphrt.view import notebook, settings, timeline, watch
from graphrt.view.bundles import ROWS
from graphrt.view.notebook import AT_ONCE, BEAT, Pictured

pytestmark = pytest.mark.anyio


class Paper:
    """A place that keeps all that was ever shown in it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.pictures: list[str] = []
        self.told: list[str] = []

    def line(self, words: str) -> None:
        self.lines.append(words)

    def picture(self, svg: str, told: Callable[[], str]) -> None:
        self.pictures.append(svg)
        self.told.append(told())


@node
def split(text: str) -> list[str]:
    return text.split()


@node
def spell(word: str) -> str:
    if word == "bad":
        raise LookupError("no such word")
    return word.upper()


@node
def glue(words: list[str]) -> str:
    return " ".join(words)


@dag
def write(text: str) -> str:
    return glue(each(spell, split(text)))


@person("Is {{ text }} right?")
def right(text: str) -> bool:
    return answered()


@dag
def asks(text: str) -> bool:
    return right(text)


def bundle(thing: Any) -> dict[str, str]:
    """What a notebook shows of a thing."""
    assert isinstance(thing, Shown)
    return thing._repr_mimebundle_()


@pytest.fixture
def papers(monkeypatch: pytest.MonkeyPatch) -> list[Paper]:
    """Have this process be a notebook with one cell; gives the places in which that shows something."""
    made: list[Paper] = []

    def place(_: object) -> Paper:
        made.append(Paper())
        return made[-1]

    monkeypatch.setattr(notebook, "_place_maker", lambda: ("cell", place))
    monkeypatch.setattr(notebook, "_cell", [notebook._Cell(None)])
    monkeypatch.setattr("graphrt.shown._NOTEBOOKS", ("graphrt",))
    return made


only_on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""A notebook's kernel runs on asyncio."""


@only_on_asyncio
async def test_whoever_waits_for_a_run_sees_it(papers: list[Paper], anyio_backend: str) -> None:
    """By its handle, by its result, by `run`: a line and a picture each, the last of which are of all that happened."""
    async with Runtime() as rt:
        run = await rt.start(write, "a b")
        assert await run == "A B"
        assert await run.result() == "A B"
        assert await rt.run(write, "c") == "C"
    one, other = papers
    assert re.fullmatch(rf"✓ finished  write  [\d.]+ m?s  4 done  run {run.id}", one.lines[-1])
    assert "finished · 4 done" in one.pictures[-1]
    assert "finished · 3 done" in other.pictures[-1]
    assert re.search(r"✓ each:spell +finished +2/2", one.told[-1])


@only_on_asyncio
async def test_whoever_reads_its_events_sees_it(papers: list[Paper], anyio_backend: str) -> None:
    async with Runtime() as rt:
        run = await rt.start(write, "a b")
        kinds = [entry.fact.kind async for entry in run.events()]
    assert kinds[-1] == "run finished"
    assert papers[0].lines[-1].startswith("✓ finished")


@only_on_asyncio
async def test_a_run_that_fails_and_one_that_waits_say_so(papers: list[Paper], anyio_backend: str) -> None:
    async with Runtime() as rt:
        with pytest.raises(RunFailed):
            await rt.run(write, "a bad word")
        asking = await rt.start(asks, "this")
        with pytest.raises(Exception, match="graphrt answer"):
            await asking
        assert papers[1].lines[-1].split("  ")[:1] == ["… suspended"]
        assert "right asks: Is this right?" in papers[1].lines[-1]
        await rt.answer(asking, "right", True)
        assert await asking.result(wait=True)
    assert papers[0].lines[-1].startswith("✗ failed")
    assert "LookupError: no such word" in papers[0].pictures[-1]
    assert papers[1].lines[-1].startswith("✓ finished")
    assert len(papers) == 2


@only_on_asyncio
async def test_what_is_interrupted_has_its_last_picture(papers: list[Paper], anyio_backend: str) -> None:
    """Whoever stops waiting stops nothing but the waiting; the picture is of what was recorded by then."""

    @node
    async def wait(text: str) -> str:
        begun.set()
        await let_go.wait()
        return text

    @dag
    def slow(text: str) -> str:
        return wait(glue(split(text)))

    begun, let_go = anyio.Event(), anyio.Event()
    async with Runtime() as rt:
        run = await rt.start(slow, "a")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.result)
            await begun.wait()
            tasks.cancel_scope.cancel()
        assert "2 done, 1 running  at work: wait" in papers[0].lines[-1]
        assert await run.status() == "running"
        let_go.set()


@only_on_asyncio
async def test_a_cell_shows_a_few_runs_and_lets_many_go_unseen(papers: list[Paper], anyio_backend: str) -> None:
    async def one(number: int) -> None:
        await rt.run(write, str(number))

    async with Runtime() as rt, anyio.create_task_group() as tasks:
        for number in range(AT_ONCE + 3):
            tasks.start_soon(one, number)
    assert len(papers) == AT_ONCE


@only_on_asyncio
async def test_nothing_is_shown_where_it_is_not_wanted(
    papers: list[Paper], monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    monkeypatch.setattr(settings, "live", False)
    async with Runtime() as rt:
        await rt.run(write, "a")
    assert papers == []


async def test_no_run_is_shown_where_there_is_no_notebook() -> None:
    async with Runtime() as rt:
        run = await rt.start(write, "a")
        assert showing(run) is None
        assert await run == "A"


async def record_of(run: Run[Any]) -> list[Entry]:
    return [entry for _, entry in await counted(run.home.journal, run.id)]


async def test_pictures_are_drawn_only_when_something_changed_and_the_line_with_every_beat() -> None:
    """All pictures of a run are of one size."""
    paper = Paper()
    async with Runtime() as rt:
        run = await rt.start(write, "a b c")
        await run
        view = Pictured(run, Drawing(write, watched=True), paper)
        entries = await record_of(run)
        progress = progress_of(write, [])
        at = entries[0].at
        for entry in entries:
            progress.take(entry)
            view.take(entry, news=True)
            view.draw(progress, {}, at, last=False)
            view.draw(progress, {}, at + BEAT / 10, last=False)  # nothing new, and no beat has passed
    drawn = len(paper.pictures)
    assert len({re.search(r'width="[\d.]+" height="[\d.]+"', svg)[0] for svg in paper.pictures}) == 1  # type: ignore[index]
    assert drawn <= len(entries)
    lines = len(paper.lines)
    progress.ended = None
    view.draw(progress, {}, at + 2 * BEAT, last=False)
    assert (len(paper.pictures), len(paper.lines)) == (drawn, lines + 1)


async def test_a_graph_is_its_picture_and_its_text() -> None:
    shown = bundle(write)
    assert shown["image/svg+xml"].startswith("<svg")
    assert shown["text/plain"].startswith("dag write(text: str) -> str")


async def test_a_run_is_the_picture_of_its_graph_with_its_state_on_it(tmp_path: Path) -> None:
    """Read from its store at once, from a file and from memory; of a closed one, what is known is told."""
    for store in (None, tmp_path / "runs.db"):
        async with Runtime(store) as rt:
            run = await rt.start(write, "a b")
            await run
            shown = bundle(run)
            assert "finished · 4 done" in shown["image/svg+xml"]
            assert shown["text/plain"].splitlines()[0] == f"run {run.id} of write: ✓ finished"
            assert "✓ each:spell[1]  finished" in shown["text/plain"]
    assert bundle(run) == {"text/plain": repr(run)}


async def test_a_runs_timeline_is_a_picture_with_a_lane_for_each_node() -> None:
    async with Runtime() as rt:
        run = await rt.start(write, "a b")
        await run
        shown = bundle(await timeline(run, theme="dark"))
    assert shown["image/svg+xml"].count(">each:spell<") == 1
    assert re.search(r"^✓ each:spell .* 2 finished$", shown["text/plain"], re.MULTILINE)


async def test_a_run_whose_process_was_killed_is_not_shown_at_work() -> None:
    """D3: what was in flight is done again."""
    journal = MemoryJournal()

    @dag
    def shout(text: str) -> str:
        return spell(glue(split(text)))

    async with Runtime(BreakingJournal(journal, at=5)) as rt:
        with pytest.raises(BrokenOff):
            await (await rt.start_as("r", shout, "a")).result()
    async with Runtime(journal) as rt:
        run = await rt.get("r")
        steps = await run.steps()
        assert [step["status"] for step in steps.values()] == ["finished", "finished", "interrupted"]
        assert ">interrupted · 2 done, 1 interrupted<" in bundle(run)["image/svg+xml"]
        assert bundle(run)["text/plain"].startswith("run r of shout: ! interrupted\n")
        assert str(steps) == bundle(steps)["text/plain"]
        assert (await rt.prospect(run, shout)).again == ("spell",)
        assert await (await rt.resume(run, shout)) == "A"


async def test_steps_are_a_table_and_a_step_is_all_that_is_known_of_it() -> None:
    async with Runtime() as rt:
        run = await rt.start(write, "a bad")
        with pytest.raises(RunFailed):
            await run
        steps = await run.steps()
    assert list(steps)[:2] == ["split", "each:spell[0]"]
    assert steps["each:spell[1]"]["error"]["message"] == "no such word"
    shown = bundle(steps)
    assert shown["text/html"].count("<tr>") == 4
    assert "LookupError: no such word" in shown["text/plain"]
    assert bundle(steps["split"])["text/plain"].splitlines()[0].startswith("✓ split  finished  ")
    assert "LookupError: no such word" in bundle(steps["each:spell[1]"])["text/plain"]


async def test_of_very_many_steps_some_are_told_and_the_others_counted() -> None:
    async with Runtime() as rt:
        run = await rt.start(write, "x " * (ROWS + 10))
        await run
        shown = bundle(await run.steps())
    assert shown["text/html"].count("<tr>") == ROWS + 1
    assert "and 12 more" in shown["text/html"]
    assert "and 12 more" in shown["text/plain"]


async def test_two_runs_side_by_side_are_a_table_and_where_they_part() -> None:
    async with Runtime() as rt:
        a, b = await rt.start(write, "a <b>"), await rt.start(write, "a c")
        await a
        await b
        found = await rt.diff(a, b)
        shown = bundle(found)
        replayed = bundle(await rt.replay(a, write))
    assert "&lt;b&gt;" in shown["text/html"]
    assert "<b>" not in shown["text/html"]
    assert '<span style="color:#dc2626">-  &quot;text&quot;: &quot;a &lt;b&gt;&quot;</span>' in shown["text/html"]
    assert re.search(r'^each:spell\[1\] +differs +"<B>" +"C"$', shown["text/plain"], re.MULTILINE)
    assert found.first is not None
    assert found.first.difference is not None
    assert bundle(found.first.difference)["text/plain"].startswith("/text\n--- a\n+++ b\n")
    assert bundle(found.first)["text/plain"].startswith("(input) /text\n")
    assert replayed["text/plain"] == "4 steps agree, 0 were run, 0 differ; the record is complete"


@llm("Say {{ text }}.", model="fast")
def say(text: str) -> str:
    return generated()


@dag
def talk(text: str) -> str:
    return say(glue(split(text)))


@only_on_asyncio
async def test_what_models_took_is_in_the_picture(papers: list[Paper], anyio_backend: str) -> None:
    """V2: in the box of what asked, and of the whole run beside its status; live, and of a run that is over."""
    model = Scripted(
        [Answer(message=assistant("hello"), finish="stop", usage=Usage(input=1_200, output=34))], name="big"
    )
    async with Runtime(models={"fast": model}) as rt:
        run = await rt.start(talk, "a b")
        assert await run == "hello"
        shown = bundle(run)["image/svg+xml"]
    for picture in (papers[0].pictures[-1], shown):
        assert ">1,234 tokens</text>" in picture
        assert " · 1,234 tokens</text>" in picture
        assert "tokens 1,200 in / 34 out · no price known</title>" in picture


@node
async def ponder(text: str) -> str:
    return (await ask("fast", text)).text


@dag
def muse(text: str) -> str:
    return ponder(glue(split(text)))


async def test_what_a_node_took_that_asked_by_itself_is_beside_its_status() -> None:
    """V2: it has no line of its own for that, and what fits is said."""
    model = Scripted([Answer(message=assistant("hello"), finish="stop", usage=Usage(input=1_200, output=34))])
    async with Runtime(models={"fast": model}) as rt:
        run = await rt.start(muse, "a b")
        assert await run == "hello"
        shown = bundle(run)["image/svg+xml"]
    assert re.search(r">finished · [\d.]+ m?s · 1,234 tokens</text>", shown)


async def test_an_answer_is_its_text_and_what_it_took() -> None:
    answer = await complete(Scripted(["Tides follow the moon."]).stream(Request(messages=(user("why"),))))
    text = bundle(answer)["text/plain"]
    assert text.startswith("Tides follow the moon.\n[")
    assert "stop" in text


async def test_a_script_watches_a_run_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """What is no terminal has a line for each step; an error in the block comes out as it is."""
    async with Runtime() as rt:
        run = await rt.start(write, "a b")
        async with watch(run):
            assert await run == "A B"
        with pytest.raises(RunFailed):
            async with watch(failing := await rt.start(write, "bad")):
                await failing
    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(r'^✓ each:spell\[1\]  [\d.]+ m?s  "B"$', said.err, re.MULTILINE)
    assert re.search(r"^✗ each:spell\[0\]  [\d.]+ m?s  LookupError: no such word$", said.err, re.MULTILINE)


async def test_a_failed_run_is_told_in_a_notebook_by_the_users_frames() -> None:
    """The cause first, then where it was waited for; nothing of what ran it."""
    async with Runtime() as rt:
        with pytest.raises(RunFailed) as caught:
            await rt.run(write, "bad")
    told = "\n".join(caught.value._render_traceback_())
    assert 'raise LookupError("no such word")' in told
    assert "in test_a_failed_run_is_told_in_a_notebook_by_the_users_frames" in told
    assert "scheduler.py" not in told
    assert told.index("LookupError") < told.index("RunFailed")
