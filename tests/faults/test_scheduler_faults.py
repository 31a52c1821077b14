"""Faults of the scheduler that no other test has: cancelled at any await, blocked for ever, driven by two processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any, Literal

import anyio
import pytest
import trio

from graphrt import Runtime, context, dag, each, node
from graphrt.checkpoints import open_journal
from graphrt.clock import SystemClock
from graphrt.errors import RunFailed
from graphrt.facts import Fact, RunResumed, StepCancelled, StepFinished
from graphrt.journal import MemoryJournal
from graphrt.testing import BreakingJournal, BrokenOff, JumpingClock
from graphrt.types import RunId
from tests.faults import racer

pytestmark = pytest.mark.anyio

RUN = RunId("r")


class _Stepped:
    """A coroutine that tells of each time it lets others run."""

    def __init__(self, inner: Coroutine[Any, Any, Any], step: Callable[[], None]) -> None:
        self.inner = inner
        self.step = step

    def __await__(self) -> Generator[Any, Any, Any]:
        given: Any = None
        error: BaseException | None = None
        while True:
            try:
                waits = self.inner.send(given) if error is None else self.inner.throw(error)
            except StopIteration as end:
                return end.value
            self.step()
            given = error = None
            try:
                given = yield waits
            except BaseException as thrown:
                error = thrown


@contextmanager
def every_await(step: Callable[[], None]) -> Iterator[None]:
    """Call `step` whenever any task that is begun inside comes to an await at which it lets others run."""
    if _on_trio():

        class Steps(trio.abc.Instrument):
            def after_task_step(self, task: trio.lowlevel.Task) -> None:
                step()

        instrument = Steps()
        trio.lowlevel.add_instrument(instrument)
        try:
            yield
        finally:
            trio.lowlevel.remove_instrument(instrument)
        return

    async def stepped(inner: Any) -> Any:
        return await _Stepped(inner, step)

    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(lambda loop, inner, **options: asyncio.Task(stepped(inner), loop=loop, **options))
    try:
        yield
    finally:
        loop.set_task_factory(before)


def _on_trio() -> bool:
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class Rooms:
    """A small graph that knows which of its nodes are inside and how often each step was called."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.called: Counter[str] = Counter()

        async def busy(turns: int) -> None:
            here = context().step
            self.called[here] += 1
            self.inside.append(here)
            try:
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.lowlevel.checkpoint()
                self.inside.remove(here)

        @node
        async def inc(x: int) -> int:
            await busy(1)
            return x + 1

        @node
        async def item(x: int) -> int:
            await busy(x)
            return x * x

        @node
        async def total(a: int, items: list[int]) -> int:
            await busy(1)
            return a + sum(items)

        @dag
        def g(x: int, xs: list[int]) -> int:
            return total(inc(inc(x)), each(item, xs))

        self.graph = g


async def _facts(journal: MemoryJournal) -> list[Fact]:
    if not await journal.runs():
        return []
    return [entry.fact for entry in await journal.read(RUN)]


def _finished(facts: list[Fact]) -> set[str]:
    return {fact.step for fact in facts if isinstance(fact, StepFinished)}


async def test_s2_a_run_cancelled_at_any_await_leaves_its_last_commit_and_no_task() -> None:
    """S2: for every await of any task of the runtime there is."""
    whole = MemoryJournal()
    async with Runtime(whole, seed=1) as rt:
        result = await (await rt.start_as(RUN, Rooms().graph, 3, [4, 1])).result()
    expected = await _facts(whole)
    others = {task.id for task in anyio.get_running_tasks()}
    lengths = set()
    at, cancelled = 0, True
    while cancelled:
        at += 1
        rooms, journal, awaits, scope = Rooms(), MemoryJournal(), count(1), anyio.CancelScope()

        def step(awaits: Iterator[int] = awaits, scope: anyio.CancelScope = scope, at: int = at) -> None:
            if next(awaits) == at:
                scope.cancel()

        async def whole_run(rooms: Rooms = rooms, journal: MemoryJournal = journal) -> None:
            async with Runtime(journal, seed=1) as rt:
                assert await (await rt.start_as(RUN, rooms.graph, 3, [4, 1])).result() == result

        with scope, every_await(step):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(whole_run)
        cancelled = scope.cancel_called
        assert rooms.inside == []
        assert {task.id for task in anyio.get_running_tasks()} <= others
        left = await _facts(journal)
        lengths.add(len(left))
        assert not Counter(left) - Counter(expected)  # nothing is recorded of the cancellation
        resumed = Rooms()
        async with Runtime(journal, seed=1) as rt:
            run = await (rt.resume(RUN, resumed.graph) if left else rt.start_as(RUN, resumed.graph, 3, [4, 1]))
            assert await run.result() == result
        assert not _finished(left) & set(resumed.called)
        assert (await _facts(journal))[: len(left)] == left
    assert at > 20
    assert len(lengths) >= 4


@pytest.mark.parametrize("on_failure", ["cancel", "finish"])
async def test_s4_a_node_that_never_returns_times_out_in_its_thread_and_its_siblings_do_as_the_graph_says(
    on_failure: Literal["cancel", "finish"],
) -> None:
    """S4: its failure has its type and its step; another run goes on beside it."""
    release = threading.Event()

    @node(timeout=5)
    def stuck(x: int) -> int:
        release.wait(30)
        return x

    @node
    async def sibling(x: int) -> int:
        await context().sleep(10)
        return x

    @node
    async def add(a: int, b: int) -> int:
        return a + b

    @dag(on_failure=on_failure)
    def g(x: int) -> int:
        return add(stuck(x), sibling(x))

    journal = MemoryJournal()
    try:
        async with Runtime(journal, clock=JumpingClock()) as rt:
            beside = await rt.start_as("beside", sibling, 7)
            with pytest.raises(RunFailed, match="StepTimeout") as failed:
                await (await rt.start_as(RUN, g, 1)).result()
            assert await beside.result() == 7
    finally:
        release.set()
    assert "'stuck'" in str(failed.value)
    ended = [type(fact) for fact in await _facts(journal) if getattr(fact, "step", None) == "sibling"]
    assert ended[-1] is (StepCancelled if on_failure == "cancel" else StepFinished)


async def _broken_off(store: Path) -> None:
    """Leave a run with its first step finished."""
    journal = await open_journal(store)
    async with Runtime(BreakingJournal(journal, 4)) as rt:
        racer.pausing[0] = lambda: None
        with pytest.raises(BrokenOff):
            await (await rt.start_as(RUN, racer.held, 1)).result()
    await journal.release(RUN, 1)  # the process that was to have crashed is this one, and seen to be alive
    await journal.aclose()


class Later(SystemClock):
    """The machine's clock, so far ahead that every lease has expired by it."""

    def now(self) -> float:
        return super().now() + 1000


class Racer:
    """Another process that can be asked to resume the run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout

    def tell(self) -> None:
        self._in.write("go\n")
        self._in.flush()

    def heard(self) -> str:
        return self._out.readline().strip()


@contextmanager
def racers(store: Path, number: int) -> Iterator[list[Racer]]:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.faults.racer", str(store)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
        for _ in range(number)
    ]
    try:
        found = [Racer(process) for process in processes]
        assert [each_.heard() for each_ in found] == ["ready"] * number
        yield found
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_s7_of_two_processes_that_resume_one_run_at_once_one_drives_it(tmp_path: Path) -> None:
    """S7: the other is told who does, and finds the result when it is there; the step ran once more, not twice."""
    store = tmp_path / "runs.db"
    await _broken_off(store)
    with racers(store, 2) as both:
        for one in both:
            one.tell()
        said = [one.heard() for one in both]
        assert sorted(words.partition(":")[0] for words in said) == ["RunTaken", "driving"]
        winner = both[said.index("driving")]
        loser = both[1 - said.index("driving")]
        assert f"driven by process {winner.process.pid} on " in said[1 - said.index("driving")]
        winner.tell()
        assert winner.heard() == "result 5"
        loser.tell()
        assert loser.heard() == "result 5"
    journal = await open_journal(store)
    facts = [entry.fact for entry in await journal.read(RUN)]
    await journal.aclose()
    assert sum(isinstance(fact, RunResumed) for fact in facts) == 1
    assert [fact.step for fact in facts if isinstance(fact, StepFinished)] == ["before", "hold", "after"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process is frozen with SIGSTOP")
async def test_s7_a_process_that_was_frozen_until_another_took_over_commits_nothing(tmp_path: Path) -> None:
    """S7: it wakes up inside its step, and learns at its commit that the run is somebody else's."""
    store = tmp_path / "runs.db"
    await _broken_off(store)
    with racers(store, 1) as (late,):
        late.tell()
        assert late.heard() == "driving"
        os.kill(late.process.pid, signal.SIGSTOP)
        racer.pausing[0] = lambda: None
        async with Runtime(store, clock=Later()) as rt:
            assert await (await rt.resume(RUN, racer.held)).result() == 5
        journal = await open_journal(store)
        before = await journal.read(RUN)
        os.kill(late.process.pid, signal.SIGCONT)
        late.tell()
        said = late.heard()
        assert said.startswith("StaleFence: run 'r' was taken over (fence 3, this driver has 2)")
        assert await journal.read(RUN) == before
        await journal.aclose()
