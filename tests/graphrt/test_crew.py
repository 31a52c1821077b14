"""Tasks that run one attempt after another, and keep them apart all the same (G1, E3)."""

import asyncio
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
import trio

from graphrt import Runtime, dag, node
from graphrt.crew import Crew

pytestmark = pytest.mark.anyio

spoken: ContextVar[str] = ContextVar("spoken", default="nothing")


def task_of_mine() -> Any:
    """Return the engine's own task object: as long as it is held, no other has its identity."""
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return asyncio.current_task()
    return trio.lowlevel.current_task()


async def test_a_node_does_not_hear_what_another_set_in_a_context_variable() -> None:
    """G1: nor does it see what a synchronous node set."""

    @node
    async def says(word: str) -> str:
        before = spoken.get()
        await anyio.lowlevel.checkpoint()
        spoken.set(word)
        await anyio.lowlevel.checkpoint()
        assert spoken.get() == word
        return before

    @node
    def says_aloud(word: str) -> str:
        before = spoken.get()
        spoken.set(word)
        return before

    @dag
    def g(word: str) -> str:
        for n in range(4):
            word = says.named(f"a{n}")(says_aloud.named(f"b{n}")(word))
        return word

    spoken.set("outside")
    async with Runtime() as rt:
        assert await rt.run(g, "inside") == "outside"


async def test_jobs_run_in_one_task_after_the_other_but_never_wait_for_one() -> None:
    """E3: a new task is made only for a job that would have to wait."""
    tasks: list[Any] = []
    held = anyio.Event()

    async def work(job: str) -> bool:
        tasks.append(task_of_mine())
        if job == "long":
            await held.wait()
        return True

    async with anyio.create_task_group() as group:
        crew = Crew(group, work)
        for job in ("short", "short", "long", "short", "short"):
            crew.start(job)
            await anyio.wait_all_tasks_blocked()
        assert tasks[0] is tasks[1] is tasks[2] is not tasks[3] is tasks[4]
        held.set()
        crew.close()


async def test_jobs_that_never_wait_are_done_by_one_task() -> None:
    """E3: to call somebody for each would cost more than most of them do."""
    tasks: list[Any] = []

    async def work(job: int) -> bool:
        tasks.append(task_of_mine())
        return True

    async with anyio.create_task_group() as group:
        crew = Crew(group, work)
        for job in range(100):
            crew.start(job)
        await anyio.wait_all_tasks_blocked()
        assert len(tasks) == 100
        assert all(task is tasks[0] for task in tasks)
        crew.close()


@pytest.mark.parametrize("waiting", [1, 2, 7])
async def test_when_a_job_waits_all_the_others_go_on(waiting: int) -> None:
    """E2: also where only some of them wait, and where more come while the first are called."""
    begun: list[int] = []
    ended: list[int] = []
    held = anyio.Event()

    async def work(job: int) -> bool:
        begun.append(job)
        if job % waiting == 0:
            await held.wait()
        ended.append(job)
        return job % 3 != 0

    async with anyio.create_task_group() as group:
        crew = Crew(group, work)
        for job in range(40):
            crew.start(job)
        await anyio.lowlevel.checkpoint()
        for job in range(40, 50):
            crew.start(job)
        await anyio.wait_all_tasks_blocked()
        assert sorted(begun) == list(range(50))
        assert sorted(ended) == [job for job in range(50) if job % waiting]
        held.set()
        crew.close()
    assert sorted(ended) == list(range(50))


async def test_a_task_whose_job_was_cancelled_takes_no_other() -> None:
    """E3: a cancellation that is still on its way meets nobody."""
    tasks: list[Any] = []

    async def work(job: bool) -> bool:
        tasks.append(task_of_mine())
        return job

    async with anyio.create_task_group() as group:
        crew = Crew(group, work)
        for whole in (True, False, True):
            crew.start(whole)
            await anyio.wait_all_tasks_blocked()
        assert tasks[0] is tasks[1] is not tasks[2]
        crew.close()


async def test_a_closed_crew_ends_with_its_last_job() -> None:
    """E3: its tasks outlive it only as long as what they do."""
    done: list[str] = []
    held = anyio.Event()

    async def work(job: str) -> bool:
        if job == "long":
            await held.wait()
        done.append(job)
        return True

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            crew = Crew(group, work)
            crew.start("long")
            crew.start("short")
            await anyio.wait_all_tasks_blocked()
            crew.close()
            held.set()
    assert done == ["short", "long"]


async def test_what_a_job_raises_and_what_cancels_it_go_through() -> None:
    """E8: the task group is told, and cleanup is waited for."""
    log: list[str] = []

    async def work(job: str) -> bool:
        if job == "raises":
            await anyio.lowlevel.checkpoint()
            raise RuntimeError("out of the job")
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            log.append("cleaned")
        return True

    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="out of the job")):
        async with anyio.create_task_group() as group:
            crew = Crew(group, work)
            crew.start("waits")
            crew.start("raises")
    assert log == ["cleaned"]
