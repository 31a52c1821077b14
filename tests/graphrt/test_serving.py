"""A runtime that serves: it does what is due once, it says what it does, and it can be asked to stop (S3, D7)."""

from __future__ import annotations

import logging

import anyio
import pytest

from graphrt import Node, Runtime, Suspended, dag, node
from graphrt.errors import UsageError
from graphrt.facts import RunFinished, RunResumed, RunStarted, StepFinished, StepStarted
from graphrt.graph import Graph
from graphrt.journal import MemoryJournal, RunInfo
from graphrt.nodes import answered, person
from graphrt.types import RunId, StepKey

pytestmark = pytest.mark.anyio

RUN = RunId("r")


class Gate:
    """A node's way: it says that it is there, and waits to be let through."""

    def __init__(self) -> None:
        self.there, self.open = anyio.Event(), anyio.Event()

    async def pass_through(self) -> None:
        self.there.set()
        await self.open.wait()


def gated(gate: Gate) -> Node[[int], int]:
    @node
    async def hold(x: int) -> int:
        await gate.pass_through()
        return x + 1

    @node
    async def after(x: int) -> int:
        return x * 2

    @dag
    def g(x: int) -> int:
        return after(hold(x))

    return g


async def test_draining_records_what_is_in_flight_and_starts_nothing_more() -> None:
    """S3: the outcome is not lost, and the next step is somebody else's."""
    journal, gate = MemoryJournal(), Gate()
    graph = gated(gate)
    async with Runtime(journal) as rt, anyio.create_task_group() as tasks:
        run = await rt.start_as(RUN, graph, 1)
        await gate.there.wait()
        tasks.start_soon(rt.drain, 3600)
        await anyio.wait_all_tasks_blocked()
        gate.open.set()
        with pytest.raises(UsageError, match="run r was stopped at its last commit; resume it"), anyio.fail_after(60):
            await run.result()  # and not when the grace is over
    facts = [entry.fact for entry in await journal.read(RUN)]
    assert isinstance(facts[-1], StepFinished)
    assert sum(isinstance(fact, StepStarted) for fact in facts) == 1
    assert (await journal.info(RUN)).driver is None
    async with Runtime(journal) as rt:
        assert await (await rt.resume(RUN, graph)).result() == 4


async def test_what_is_in_flight_for_too_long_is_abandoned_at_the_last_commit() -> None:
    """S3: the grace is over; nothing is recorded of the step but that it began."""
    journal, gate = MemoryJournal(), Gate()
    graph = gated(gate)
    async with Runtime(journal) as rt:
        run = await rt.start_as(RUN, graph, 1)
        await gate.there.wait()
        await rt.drain(0)
        with pytest.raises(UsageError, match="stopped at its last commit"):
            await run.result()
    assert isinstance((await journal.read(RUN))[-1].fact, StepStarted)
    gate.open.set()
    async with Runtime(journal) as rt:
        assert await (await rt.resume(RUN, graph)).result() == 4


async def test_a_run_whose_last_step_was_in_flight_finishes_while_it_is_drained() -> None:
    """S3: nothing more is to be started for it."""
    journal, gate = MemoryJournal(), Gate()

    @node
    async def hold(x: int) -> int:
        await gate.pass_through()
        return x

    async with Runtime(journal) as rt, anyio.create_task_group() as tasks:
        run = await rt.start_as(RUN, hold, 1)
        await gate.there.wait()
        tasks.start_soon(rt.drain, 3600)
        await anyio.wait_all_tasks_blocked()
        gate.open.set()
        assert await run.result() == 1
    assert isinstance((await journal.read(RUN))[-1].fact, RunFinished)


@person("Well?")
def well() -> str:
    return answered()


@dag
def asking() -> str:
    return well()


async def test_serving_once_does_what_is_due_and_returns(caplog: pytest.LogCaptureFixture) -> None:
    """D7: what was sent is delivered, what waits is left; each is told, with its run's name."""
    journal = MemoryJournal()
    async with Runtime(journal) as rt:
        for name in ("answered", "asked"):
            with pytest.raises(Suspended):
                await (await rt.start_as(name, asking)).result()
    async with Runtime(journal) as rt:
        await rt.answer("answered", "well", "fine")
        caplog.set_level(logging.INFO, "graphrt")
        caplog.clear()
        await rt.serve(asking, once=True)
        assert [record.getMessage() for record in caplog.records if record.name == "graphrt"] == [
            "run answered of asking is taken up, with 0 finished steps",
            "run answered of asking finished",
        ]
        assert (await journal.info(RunId("asked"))).status == "suspended"
        assert await (await rt.get("answered")).result() == "fine"


async def test_a_run_that_is_only_looked_at_is_waited_for_once_it_was_answered_here() -> None:
    """D4: a handle need not be the one that the run was started with."""
    async with Runtime() as rt:
        with pytest.raises(Suspended):
            await (await rt.start_as(RUN, asking)).result()
        await rt.answer(RUN, "well", "very")
        assert await (await rt.get(RUN)).result() == "very"


async def test_a_run_that_ends_its_processes_is_left_alone_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """D7: whoever serves must not die of it for ever. A step that ends, well or badly, shows that it goes on."""
    journal, gate = MemoryJournal(), Gate()
    gate.open.set()
    graph = gated(gate)
    await begin(journal, graph, RUN)
    for _ in range(3):  # processes that died in the middle of a step
        await take_up(journal, graph, RUN)
    caplog.set_level(logging.ERROR, "graphrt")
    async with Runtime(journal) as rt:
        await rt.serve(graph, once=True, attempts=3)
        assert (await journal.info(RUN)).status == "running"
        (record,) = caplog.records
        assert record.getMessage() == (
            "run r of g was taken up 3 times without a step coming to an end, and is left alone: "
            "it may be what ends its processes; resume it by hand"
        )
        await rt.serve(graph, once=True, attempts=4)
        assert (await journal.info(RUN)).status == "finished"
        with pytest.raises(UsageError, match="attempts=0 must be at least 1"):
            await rt.serve(graph, attempts=0)


async def test_a_run_that_gets_somewhere_may_be_taken_up_for_ever() -> None:
    """D7: what counts is how often it was taken up since a step last came to an end."""
    journal, gate = MemoryJournal(), Gate()
    gate.open.set()
    graph = gated(gate)
    await begin(journal, graph, RUN)
    for _ in range(3):
        await take_up(journal, graph, RUN)
    seq = (await journal.info(RUN)).seq
    await journal.append(RUN, seq, [StepFinished(StepKey("hold"), 1, b"2", "int")], at=2.0)
    for _ in range(2):
        await take_up(journal, graph, RUN)
    async with Runtime(journal) as rt:
        await rt.serve(graph, once=True, attempts=3)
        assert await (await rt.get(RUN)).result() == 4


async def begin(journal: MemoryJournal, graph: Node[[int], int], run: RunId) -> None:
    """Leave a run that was begun by a process that died."""
    assert isinstance(graph, Graph)
    info = RunInfo(run, "g", graph.fingerprint, 1.0, 1.0)
    await journal.create(info, [RunStarted("g", graph.fingerprint, b'{"x":1}', 7)], at=1.0)


async def take_up(journal: MemoryJournal, graph: Node[[int], int], run: RunId) -> None:
    """Leave a run as a process does that takes it up and dies with a step in flight."""
    info = await journal.info(run)
    steps = [entry.fact.step for entry in await journal.read(run) if isinstance(entry.fact, StepFinished)]
    started = StepStarted(StepKey("after" if steps else "hold"), 1)
    await journal.append(run, info.seq, [RunResumed(info.seq, "dead"), started], at=1.0)


async def test_a_target_that_is_nobody_s_here_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """D7: not even a word about it."""
    journal = MemoryJournal()
    async with Runtime(journal) as rt:
        run = await rt.start_target("elsewhere.py:asking", asking, {}, run=RUN)
        with pytest.raises(Suspended):
            await run.result()
    async with Runtime(journal) as rt:
        await rt.answer(RUN, "well", "very")
        caplog.set_level(logging.INFO, "graphrt")
        caplog.clear()
        await rt.serve(find=lambda target: None, once=True)
        assert not caplog.records
        await rt.serve(find=lambda target: asking, once=True)
        assert (await rt.get(RUN)).id == RUN
        assert (await journal.info(RUN)).status == "finished"


async def test_what_reads_an_answer_is_the_port_of_the_step_that_waits() -> None:
    """G1: whoever sends it can check it before."""
    async with Runtime() as rt:
        run = await rt.start_as(RUN, asking)
        with pytest.raises(Suspended):
            await run.result()
        port = await rt.port(run, "well", asking)
        assert port is not None
        assert port.annotation is str
        assert await rt.port(run, "unwell", asking) is None
        [pending] = await rt.pending(run)
        assert pending.since == (await rt.journal.read(RUN))[1].at
