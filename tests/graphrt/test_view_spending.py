"""What a run that is watched spends on models, place by place, while it goes on (V2)."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from graphrt import Retry, Runtime, dag, each, node
from graphrt.backends.accounting import read_spent
from graphrt.backends.events import Answer, Usage
from graphrt.backends.messages import assistant
from graphrt.backends.scripted import Scripted
from graphrt.draw.overlay import WHOLE
from graphrt.draw.progress import Progress
from graphrt.history import counted, entries_of
from graphrt.nodes import ask, generated, llm
from graphrt.run import Run
from graphrt.view import watch
from graphrt.view.spending import Meter, by_place
from graphrt.view.table import wide
from graphrt.view.watched import picture

pytestmark = pytest.mark.anyio
_failed: set[str] = set()


@llm("Say {{ text }}.", model="fast")
def say(text: str) -> str:
    return generated()


@node(retry=Retry(attempts=2, base=0))
async def look(text: str) -> str:
    found = (await ask("fast", text)).text
    if not _failed:
        _failed.add(text)
        raise LookupError("not yet")
    return found


@node
def split(text: str) -> list[str]:
    return text.split()


@dag
def talk(text: str) -> tuple[list[str], str]:
    return each(say, split(text)), look(text)


def model() -> Scripted:
    answer = Answer(message=assistant("hello"), finish="stop", usage=Usage(input=1_200, output=34))
    return Scripted(lambda request: answer, name="big")


async def drawn(run: Run[object], width: int) -> list[str]:
    """The last picture of a run that was followed entry by entry."""
    progress, meter = Progress(talk), Meter(run.id)
    for _, entry in await counted(run.home.journal, run.id):
        progress.take(entry)
        meter.take([entry])
    return picture(progress, meter.by_place(), "talk", now=0.0, width=width, height=8)


async def test_a_watched_run_says_what_each_node_spent_and_what_all_of_it_did() -> None:
    """A node that asks by itself, too, and what an attempt that failed took."""
    _failed.clear()
    async with Runtime(models={"fast": model()}) as rt:
        run = await rt.start(talk, "a b")
        await run.result()
        whole, narrow = await drawn(run, 100), await drawn(run, 56)
    assert whole[0].endswith("4,936 tokens")
    assert {line.split()[1]: "2,468 tokens" in line for line in whole[2:5]} == {
        "split": False,
        "each:say": True,
        "look": True,
    }
    assert max(map(wide, narrow)) <= 56


async def test_what_is_added_up_as_it_comes_is_what_is_added_up_at_the_end() -> None:
    """From whatever entry on: what is there is taken at once, the rest one by one."""
    _failed.clear()
    async with Runtime(models={"fast": model()}) as rt:
        run = await rt.start(talk, "a b c")
        await run.result()
        entries = await entries_of(rt.journal, run.id)
        spent = by_place(await read_spent(rt.journal, run.id))
    assert spent[WHOLE].full == "tokens 6,000 in / 170 out (1,234 wasted) · no price known"
    for begun in range(len(entries)):
        meter = Meter(run.id)
        meter.take(entries[:begun])
        for entry in entries[begun:]:
            meter.take([entry])
        assert meter.by_place() == spent


async def test_what_a_fork_shares_with_its_parent_was_spent_by_the_parent() -> None:
    """A fork that is watched counts what it asks itself."""
    _failed.clear()
    async with Runtime(models={"fast": model()}) as rt:
        parent = await rt.start(talk, "a b")
        await parent.result()
        fork = await rt.fork(parent, at="each:say[1]", graph=talk)
        await fork.result()
        meter = Meter(fork.id)
        meter.take(await entries_of(rt.journal, fork.id))
    assert meter.by_place()[WHOLE].short == "1,234 tokens"


async def test_prices_that_cannot_be_read_are_no_reason_for_a_watched_run_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file may be written while the run goes on. Tokens are told all the same."""
    _failed.clear()
    monkeypatch.chdir(tmp_path)
    async with Runtime(models={"fast": model()}) as rt:
        await anyio.Path("graphrt.toml").write_text("[prices", encoding="utf-8")
        run = await rt.start(talk, "a b")
        async with watch(run):
            assert await run.result() == (["hello", "hello"], "hello")
        meter = Meter(run.id)
        meter.take(await entries_of(rt.journal, run.id))
    assert "✓ look" in capsys.readouterr().err
    assert meter.by_place()[WHOLE].full == "tokens 4,800 in / 136 out (1,234 wasted) · no price known"
