"""A question that was interrupted is asked again with what its answer had come to (M10)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import anyio
import pytest

from graphrt import Retry, Runtime, dag, node, step
from graphrt.backends.base import Capabilities
from graphrt.backends.errors import ServerError
from graphrt.backends.events import Drafted, Failed, Finished, PartDelta, PartEnded, PartStarted, StreamEvent
from graphrt.backends.messages import Request, Text
from graphrt.backends.policies import fallback
from graphrt.checkpoints import SqliteJournal
from graphrt.config import Config
from graphrt.errors import RunFailed
from graphrt.journal import MemoryJournal
from graphrt.nodes import ask, generated, llm
from graphrt.types import RunId, StepKey

pytestmark = pytest.mark.anyio
NOWHERE = Config()
WORDS = ("one ", "two ", "three ", "four")
RUN = RunId("r")


class Speaker:
    """Says four words and keeps each; goes on after those of a draft. `breaks`: after how many words it breaks off, one
    number for each stream; beyond them it does not. `stuck` is set where it would break off by never going on."""

    capabilities = Capabilities()

    def __init__(self, *breaks: int, name: str = "speaker", hangs: bool = False) -> None:
        self.name = name
        self.breaks = list(breaks)
        self.hangs = hangs
        self.stuck = anyio.Event()
        self.drafts: list[tuple[str, ...]] = []

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        self.drafts.append(request.draft)
        until = self.breaks.pop(0) if self.breaks else None
        if until == 0:
            yield Failed(ServerError("is down", provider=self.name))
            return
        yield PartStarted("p", "text")
        for count, word in enumerate(WORDS):
            if count == until:
                if self.hangs:
                    self.stuck.set()
                    await anyio.sleep_forever()
                yield Failed(ServerError("broke off", provider=self.name))
                return
            yield PartDelta("p", word)
            if count >= len(request.draft):
                yield Drafted(word)
        yield PartEnded("p", Text(text="".join(WORDS)))
        yield Finished("stop")

    async def aclose(self) -> None:
        pass


@llm("Count.", model="m", retry=Retry(attempts=3, base=0))
def say() -> str:
    return generated()


@dag
def agent() -> str:
    return say()


class Counting(MemoryJournal):
    """Counts how often drafts are looked for."""

    looked = 0

    async def drafts(self, run: RunId, step: StepKey) -> dict[str, tuple[str, ...]]:
        self.looked += 1
        return await super().drafts(run, step)


async def test_an_attempt_after_one_that_broke_off_goes_on_from_its_words() -> None:
    speaker = Speaker(2, 3)
    async with Runtime(models={"m": speaker}, config=NOWHERE) as runtime:
        assert await runtime.run(agent) == "one two three four"
    assert speaker.drafts == [(), WORDS[:2], WORDS[:3]]


async def test_a_first_attempt_looks_for_nothing_and_a_finished_step_leaves_nothing() -> None:
    journal = Counting()
    async with Runtime(journal, models={"m": Speaker()}, config=NOWHERE) as runtime:
        await (await runtime.start_as(RUN, agent)).result()
    assert journal.looked == 0
    assert await journal.drafts(RUN, StepKey("say")) == {}


async def test_a_run_that_was_stopped_goes_on_from_the_words_of_its_last_life(tmp_path: Path) -> None:
    """The process that goes on is another one: what it knows is in the file."""
    first, second = Speaker(3, hangs=True), Speaker()
    journal = SqliteJournal(tmp_path / "runs.db")
    async with Runtime(journal, models={"m": first}, config=NOWHERE) as runtime:
        await runtime.start_as(RUN, agent)
        await first.stuck.wait()
        await runtime.drain(0)
    await journal.aclose()

    again = SqliteJournal(tmp_path / "runs.db")
    async with Runtime(again, models={"m": second}, config=NOWHERE) as runtime:
        assert await (await runtime.resume(RUN, agent)).result() == "one two three four"
        assert second.drafts == [WORDS[:3]]
        assert await again.drafts(RUN, StepKey("say")) == {}
    await again.aclose()


@node(retry=Retry(attempts=2, base=0))
async def picky() -> str:
    if "second" not in asked:
        asked.append("second")
        await ask("m", "Count.")
        raise ServerError("I do not like it", provider="me")
    return (await ask("m", "Count.")).text


asked: list[str] = []


@dag
def choosy() -> str:
    return picky()


async def test_a_whole_answer_that_a_failed_attempt_had_is_not_given_again() -> None:
    asked.clear()
    speaker = Speaker()
    async with Runtime(models={"m": speaker}, config=NOWHERE) as runtime:
        await runtime.run(choosy)
    assert speaker.drafts == [(), ()]


async def part() -> str:
    return (await ask("m", "Count.")).text


@node(retry=Retry(attempts=2, base=0))
async def several() -> list[str]:
    return [await step(part), await step(part), (await ask("m", "Count.")).text, (await ask("m", "Count.")).text]


@dag
def many() -> list[str]:
    return several()


@pytest.mark.parametrize("at", range(4))
async def test_each_of_the_same_questions_has_a_draft_of_its_own(at: int) -> None:
    """Also where the parts of the step that are done are not asked again."""
    speaker = Speaker(*[4] * at, 2)
    async with Runtime(models={"m": speaker}, config=NOWHERE) as runtime:
        await runtime.run(many)
    again = speaker.drafts[at + 1 :]
    expected: Sequence[tuple[str, ...]] = [WORDS[:2], *[()] * (3 - at)]
    if at == 3:  # the third, which was whole, is asked anew
        expected = [(), WORDS[:2]]
    assert again == expected


async def test_another_backend_is_given_the_draft_and_makes_of_it_what_it_can() -> None:
    one, two = Speaker(2, 2, 0, name="one"), Speaker(name="two")
    async with Runtime(models={"m": fallback(one, two)}, config=NOWHERE) as runtime:
        assert await runtime.run(agent) == "one two three four"
    assert one.drafts == [(), WORDS[:2], WORDS[:2]]
    assert two.drafts == [WORDS[:2]]


async def test_a_step_that_gives_up_keeps_what_was_not_whole_for_whoever_tries_again() -> None:
    speaker, journal = Speaker(1, 2, 3), MemoryJournal()
    async with Runtime(journal, models={"m": speaker}, config=NOWHERE) as runtime:
        with pytest.raises(RunFailed):
            await (await runtime.start_as(RUN, agent)).result()
        assert await (await runtime.resume(RUN, agent)).result() == "one two three four"
    assert speaker.drafts[-1] == WORDS[:3]
    assert await journal.drafts(RUN, StepKey("say")) == {}
