"""Stopping: cleanup is waited for, the last commit stands, nothing outlives its run (E3, E8)."""

from typing import Any

import anyio
import pytest

from graphrt import Runtime, context, dag, node
from graphrt.errors import RunCancelled, UsageError
from graphrt.facts import StepStarted
from graphrt.journal import MemoryJournal
from graphrt.run import Run

pytestmark = pytest.mark.anyio


class Stage:
    """A two-step graph whose second step hangs until it is stopped or let through."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.open = False

        @node
        async def before(x: int) -> int:
            self.log.append("before")
            return x

        @node
        async def hangs(x: int) -> int:
            try:
                self.log.append("hangs")
                if not self.open:
                    await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    for _ in range(5):
                        await anyio.lowlevel.checkpoint()
                    self.log.append("cleaned")
            return x

        @dag
        def g(x: int) -> int:
            return hangs(before(x))

        self.graph = g

    async def hanging(self, run: Run[Any]) -> None:
        async for entry in run.events():
            if isinstance(entry.fact, StepStarted) and entry.fact.step == "hangs":
                return


async def test_cancel_returns_after_the_cleanup_and_is_final_until_resumed() -> None:
    """E8: and what had finished is not run again."""
    stage = Stage()
    async with Runtime() as rt:
        run = await rt.start_as("r", stage.graph, 1)
        await stage.hanging(run)
        await run.cancel()
        assert stage.log == ["before", "hangs", "cleaned"]
        with pytest.raises(RunCancelled, match="was cancelled"):
            await run.result()
        assert await run.status() == "cancelled"
        await run.cancel()
        stage.open = True
        assert await (await rt.resume("r", stage.graph)).result() == 1
        assert stage.log.count("before") == 1


async def test_cancelling_the_caller_of_run_stops_the_run_and_waits_for_it() -> None:
    """E8: at its last commit, with nothing recorded, to be resumed."""
    stage = Stage()
    async with Runtime() as rt:
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                await rt.run(stage.graph, 1)

            tasks.start_soon(call)
            while "hangs" not in stage.log:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        assert stage.log[-1] == "cleaned"
        (info,) = await rt.runs()
        assert info.status == "running"
        stage.open = True
        assert await (await rt.resume(info.id, stage.graph)).result() == 1


async def test_cancelling_who_waits_for_a_result_does_not_touch_the_run() -> None:
    """E8: the run belongs to its runtime."""
    stage = Stage()
    async with Runtime() as rt:
        run = await rt.start(stage.graph, 1)
        await stage.hanging(run)
        with anyio.move_on_after(0):
            await run.result()
        assert "cleaned" not in stage.log
        await run.cancel()


@pytest.mark.parametrize("how", ["error", "cancel"])
async def test_leaving_the_runtime_early_leaves_its_runs_resumable(how: str) -> None:
    """E3, E8, S2: the body's own error comes out as it is; the journal ends with the last commit; the cleanup is
    done."""
    stage, journal = Stage(), MemoryJournal()
    left_by, runs = "cancel", []
    with anyio.CancelScope() as scope:
        try:
            async with Runtime(journal) as rt:
                runs.append(await rt.start_as("r", stage.graph, 1))
                await stage.hanging(runs[0])
                if how == "error":
                    raise KeyError("mine")
                scope.cancel()
                await anyio.sleep_forever()
        except KeyError:
            left_by = "error"
    assert (left_by, stage.log) == (how, ["before", "hangs", "cleaned"])
    assert (await journal.info(runs[0].id)).status == "running"
    with pytest.raises(UsageError, match="resume it"):
        await runs[0].result()
    stage.open = True
    async with Runtime(journal) as rt:
        assert await (await rt.resume("r", stage.graph)).result() == 1
    assert stage.log == ["before", "hangs", "cleaned", "hangs", "cleaned"]


async def test_leaving_the_runtime_waits_for_its_runs() -> None:
    """E3: no task outlives its run, and no run its runtime."""
    stage = Stage()
    stage.open = True
    async with Runtime() as rt:
        run = await rt.start(stage.graph, 1)
    async with rt:
        assert await (await rt.get(run.id)).status() == "finished"


async def test_a_run_that_nobody_drives_here_is_cancelled_in_its_journal() -> None:
    """E8."""
    stage, journal = Stage(), MemoryJournal()
    with anyio.CancelScope() as scope:
        async with Runtime(journal) as rt:
            await stage.hanging(await rt.start_as("r", stage.graph, 1))
            scope.cancel()
            await anyio.sleep_forever()
    async with Runtime(journal) as rt:
        run = await rt.get("r")
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()


async def test_a_step_that_fails_in_its_cleanup_does_not_change_the_end() -> None:
    """E8: cancelled is cancelled."""

    @node
    async def messy(x: int) -> int:
        context().progress()
        try:
            await anyio.sleep_forever()
        finally:
            raise RuntimeError("in cleanup")

    async with Runtime() as rt:
        run = await rt.start(messy, 1)
        async for entry in run.events():
            if isinstance(entry.fact, StepStarted):
                break
        await anyio.wait_all_tasks_blocked()
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
