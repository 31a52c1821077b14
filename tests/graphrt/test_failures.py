"""What is recorded of a failure is what whoever gets paged for it needs."""

import anyio
import pytest
from pydantic_core import from_json

from graphrt import Runtime, context, dag, errors, node
from graphrt.backends import Scripted
from graphrt.facts import AttemptFailed, RunFailed, StepFailed
from graphrt.journal import MemoryJournal
from graphrt.nodes import generated, llm

pytestmark = pytest.mark.anyio


def blow(where: str) -> None:
    raise ValueError(where)


@node(retry=2)
async def spends(x: int) -> int:
    context().notes["tokens"] = x
    raise ConnectionError("gone")


@node
def fails_in_a_thread(x: int) -> int:
    blow("here")
    return x


@node
async def add_one(x: int) -> int:
    return x + 1


blow_up: list[int] = []


@node
async def boom(x: int) -> int:
    blow_up.append(x)
    if len(blow_up) == 2:
        raise RuntimeError(str(x))
    return x


@dag
def twice(x: int) -> int:
    return add_one(boom(add_one(boom(x))))


async def test_a_recorded_trace_begins_at_the_nodes_own_function() -> None:
    """E9: how the scheduler and the engine came to call a node is nobody's news."""
    async with Runtime() as rt:
        run = await rt.start(fails_in_a_thread, 1)
        with pytest.raises(errors.RunFailed):
            await run.result()
        (failed,) = [entry.fact async for entry in run.events() if isinstance(entry.fact, StepFailed)]
    lines = failed.failure.trace.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[1].endswith("in fails_in_a_thread")
    assert "scheduler.py" not in failed.failure.trace
    assert lines[-1] == "ValueError: here"


async def test_what_a_failed_attempt_noted_is_recorded_with_its_failure() -> None:
    """M4: the tokens of an attempt that failed were paid for too."""
    from graphrt.testing import JumpingClock

    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start(spends, 7)
        with pytest.raises(errors.RunFailed):
            await run.result()
        facts = [e.fact async for e in run.events() if isinstance(e.fact, (AttemptFailed, StepFailed))]
    assert [type(fact).__name__ for fact in facts] == ["AttemptFailed", "StepFailed"]
    assert [from_json(fact.note or b"") for fact in facts] == [{"tokens": 7}, {"tokens": 7}]


async def test_a_failed_run_names_the_node_and_not_only_the_step() -> None:
    """E9: two steps of one node have keys of their own, and the node has its name."""
    blow_up.clear()
    async with Runtime() as rt:
        run = await rt.start(twice, 3)
        with pytest.raises(errors.RunFailed) as caught:
            await run.result()
        (failed,) = [entry.fact async for entry in run.events() if isinstance(entry.fact, RunFailed)]
    assert (failed.step, failed.node) == ("boom-2", "boom")
    assert (caught.value.step, caught.value.node) == ("boom-2", "boom")


async def test_two_who_resume_one_run_at_once_get_one_driver() -> None:
    """D7, inside one process: the second is not told that somebody else drives the run."""
    journal = MemoryJournal()
    broken = [True]

    @node
    async def once_broken(x: int) -> int:
        if broken[0]:
            raise RuntimeError("not yet")
        return x

    async with Runtime(journal) as rt:
        run = await rt.start(once_broken, 5)
        with pytest.raises(errors.RunFailed):
            await run.result()
        broken[0] = False
        results: list[int] = []

        async def resume() -> None:
            results.append(await (await rt.resume(run.id, once_broken)).result())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(resume)
            tasks.start_soon(resume)
    assert results == [5, 5]


async def test_a_prompt_shows_values_as_json() -> None:
    """A model should not have to read Python."""
    script = Scripted(["fine"])

    @llm("Use {{ rows }} and {{ text }}, {{ flag }}.", model="m")
    def use(rows: list[dict[str, bool]], text: str, flag: bool) -> str:
        return generated()

    async with Runtime(models={"m": script}) as rt:
        await rt.run(use, rows=[{"a": True}], text="plain words", flag=False)
    assert script.requests[0].messages[0].text == 'Use [{"a":true}] and plain words, false.'
