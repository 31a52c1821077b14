"""Where runs are started, watched and resumed, and what is said when they cannot be (D1, D2, D11, D13, G6)."""

import asyncio
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
from pydantic import BaseModel

from graphrt import Final, Machine, Runtime, State, context, dag, each, node, upcaster
from graphrt.errors import GraphMismatch, PortError, RunExists, RunFailed, RunNotFound, UsageError
from graphrt.facts import RunFinished, RunResumed, StepFinished
from graphrt.journal import MemoryJournal
from graphrt.testing import JumpingClock

pytestmark = pytest.mark.anyio


@node
async def inc(x: int) -> int:
    return x + 1


@dag
def twice(x: int) -> int:
    return inc(inc(x))


@dag
def thrice(x: int) -> int:
    return inc(inc(inc(x)))


async def test_a_run_has_a_typed_result_and_a_status() -> None:
    """G2: any node can be run, not only a graph."""
    async with Runtime() as rt:
        run = await rt.start(twice, x=1)
        assert (await run.result(), await run.status()) == (3, "finished")
        assert await rt.run(inc, 1) == 2
        assert [info.graph for info in await rt.runs(status="finished")] == ["inc", "twice"]
        assert repr(run) == f"<run {run.id} of twice, ended>"


def test_a_runtime_runs_on_trio_inside_a_loop_of_asyncio(tmp_path: Path) -> None:
    """A notebook's kernel does that for `%autoawait trio`: what is awaited there is trio's, a store's commits too."""

    async def main() -> int:
        async with Runtime(tmp_path / "runs.db") as rt:
            with pytest.raises(UsageError, match="is for notebooks on asyncio"):
                await Runtime()
            return await rt.run(twice, x=1)

    async def kernel() -> int:
        return trio.run(main)

    assert asyncio.run(kernel()) == 3


async def test_starting_under_the_same_id_attaches_to_the_same_run() -> None:
    """D2: once, however often it is asked; another graph or input is refused."""
    async with Runtime() as rt:
        one = await rt.start_as("r", twice, 1)
        two = await rt.start_as("r", twice, 1)
        assert (await one.result(), await two.result()) == (3, 3)
        assert await (await rt.start_as("r", twice, 1)).result() == 3
        for graph, x in ((twice, 2), (thrice, 1)):
            with pytest.raises(RunExists, match="'r' is already in memory"):
                await rt.start_as("r", graph, x)
        assert len(await rt.runs()) == 1


async def test_events_are_ordered_without_gaps_and_go_on_from_any_number() -> None:
    """D1: also for another runtime, after the one that made them is gone."""
    journal = MemoryJournal()
    async with Runtime(journal) as rt:
        run = await rt.start_as("r", twice, 1)
        live = [entry async for entry in run.events()]
    assert [entry.seq for entry in live] == list(range(1, 7))
    assert [entry.fact.kind for entry in live] == [
        "run started", "started", "finished", "started", "finished", "run finished",
    ]  # fmt: skip
    async with Runtime(journal) as rt:
        later = await rt.get("r")
        for after in range(7):
            assert [entry async for entry in later.events(after)] == live[after:]
        assert await later.result() == 3


async def test_many_watchers_see_the_same_events_while_it_runs() -> None:
    """D1: whoever asks and whenever."""

    @node
    async def slow(x: int) -> int:
        await context().sleep(1)
        return x

    @dag
    def g(xs: list[int]) -> list[int]:
        return each(slow, xs)

    seen: list[list[int]] = []
    async with Runtime(clock=JumpingClock(), concurrency=2) as rt, anyio.create_task_group() as tasks:
        run = await rt.start(g, [1, 2, 3, 4, 5])

        async def watch(after: int) -> None:
            seen.append([entry.seq async for entry in run.events(after)])

        for after in (0, 3, 9):
            tasks.start_soon(watch, after)
    assert sorted(seen, key=len) == [list(range(10, 13)), list(range(4, 13)), list(range(1, 13))]


async def test_what_is_shown_live_is_not_recorded() -> None:
    """D1: and whoever stops watching leaves nothing behind."""
    go = anyio.Event()

    @node
    async def talks(x: int) -> int:
        await go.wait()
        for word in ("a", "b", "c"):
            context().progress(word)
            await anyio.lowlevel.checkpoint()
        return x

    async with Runtime() as rt:
        run = await rt.start(talks, 1)
        words = run.live()
        go.set()
        assert [live.text async for live in words] == ["a", "b", "c"]
        assert [entry.fact.kind async for entry in run.events()] == [
            "run started",
            "started",
            "finished",
            "run finished",
        ]
        assert [live async for live in run.live()] == []


async def test_a_prospect_says_what_a_resume_will_do() -> None:
    """D10: and does nothing."""

    @node
    async def fails(x: int) -> int:
        raise ValueError(x)

    @dag
    def g(x: int) -> int:
        return fails(inc(x))

    async with Runtime() as rt:
        run = await rt.start_as("r", g, 1)
        with pytest.raises(RunFailed):
            await run.result()
        before = await run.info()
        prospect = await rt.prospect("r", g)
        assert (prospect.reused, prospect.again) == (1, ("fails",))
        assert await run.info() == before


async def test_a_finished_run_is_only_attached_to() -> None:
    """D2."""
    async with Runtime() as rt:
        await (await rt.start_as("r", twice, 1)).result()
        again = await rt.resume("r", twice)
        assert await again.result() == 3
        assert not [e async for e in again.events() if isinstance(e.fact, RunResumed)]
        assert (await rt.prospect("r", twice)).again == ()


async def test_a_graph_of_another_structure_is_refused_before_anything_is_done() -> None:
    """G6, D11."""
    async with Runtime() as rt:
        run = await rt.start_as("r", twice, 1)
        await run.result()
        before = await run.info()
        with pytest.raises(GraphMismatch, match=rf"{twice.fingerprint}.*{thrice.fingerprint}"):
            await rt.resume("r", thrice)
        assert await run.info() == before


async def test_mistakes_in_a_call_are_told_before_anything_is_recorded() -> None:
    """G1: each in the words of the graph."""
    async with Runtime() as rt:
        start: Any = rt.start
        for call, error, words in [
            (lambda: start(twice), UsageError, r"needs 'x' \(int\)"),
            (lambda: start(twice, 1, 2), UsageError, "takes 1 arguments"),
            (lambda: start(twice, y=1), UsageError, "no parameter 'y'"),
            (lambda: start(twice, 1, x=1), UsageError, "got 'x' twice"),
            (lambda: start(twice, "one"), PortError, "node 'twice', port 'x'"),
            (lambda: start(len, [1]), UsageError, "is not a node"),
            (lambda: rt.get("nobody"), RunNotFound, "no run 'nobody' in memory"),
        ]:
            with pytest.raises(error, match=words):
                await call()  # type: ignore[no-untyped-call] # mypy: the lambdas of a list
        assert await rt.runs() == []
    with pytest.raises(UsageError, match="not open; write `async with"):
        await rt.start(twice, 1)
    with pytest.raises(UsageError, match=r"run it with `await rt\.start"):
        twice(1)
    with pytest.raises(UsageError, match="outside a running step"):
        context()


async def test_a_runtime_is_open_once_at_a_time() -> None:
    """G1."""
    async with Runtime() as rt:
        with pytest.raises(UsageError, match="already open"):
            await rt.__aenter__()
    with pytest.raises(UsageError, match="at least one step"):
        Runtime(concurrency=0)


def test_without_async_there_is_one_door() -> None:
    """E3: and a failure comes through it as it is."""

    @node
    def fails(x: int) -> int:
        raise ValueError(x)

    rt = Runtime()
    assert (rt.run_sync(twice, 1), rt.run_sync(twice, x=2)) == (3, 4)
    with pytest.raises(RunFailed):
        rt.run_sync(fails, 1)


async def test_the_door_without_async_opens_inside_a_running_loop_too() -> None:
    """E3: as in a notebook."""
    assert Runtime().run_sync(twice, 1) == 3
    with pytest.raises(UsageError):
        Runtime().run_sync(twice, y=1)  # type: ignore[call-arg] # on purpose


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_notebook_holds_a_runtime_open_across_its_cells() -> None:
    """E3: cells are tasks of their own; the last one closes it."""
    rt = await Runtime()
    run = await asyncio.get_running_loop().create_task(rt.start(twice, 1))
    assert await asyncio.get_running_loop().create_task(run.result()) == 3
    await rt.aclose()
    await rt.aclose()
    with pytest.raises(UsageError, match="not open"):
        await rt.start(twice, 1)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_notebook_needs_asyncio() -> None:
    """E3: elsewhere it says what to write."""
    with pytest.raises(UsageError, match="async with Runtime"):
        await Runtime()


async def test_a_union_result_comes_back_as_the_class_it_was() -> None:
    """D13: also when it is read from the journal alone."""

    class Begin(State):
        n: int

    class Odd(Final):
        n: int

    class Even(Final):
        n: int

    machine = Machine("parity", start=Begin, end=(Odd, Even))

    @machine.on
    async def look(state: Begin) -> Odd | Even:
        return Odd(n=state.n) if state.n % 2 else Even(n=state.n)

    journal = MemoryJournal()
    async with Runtime(journal) as rt:
        for n, expected in ((1, Odd), (2, Even)):
            run = await rt.start_as(f"r{n}", machine, n=n)
            assert type(await run.result()) is expected
            assert type(await (await rt.resume(run.id, machine)).result()) is expected


async def test_a_recorded_value_of_an_old_shape_is_brought_up_when_it_is_read() -> None:
    """D13: in the middle of a run and as its result."""

    class Person(BaseModel):
        name: str

    @node
    async def find(x: int) -> Person:
        return Person(name=f"p{x}")

    @node
    async def keep(person: Person) -> Person:
        return person

    @dag
    def g(x: int) -> Person:
        return keep(find(x))

    journal = MemoryJournal()
    async with Runtime(journal) as rt:
        await (await rt.start_as("r", g, 1)).result()
    kept = journal._runs["r"]  # type: ignore[index] # a run id
    old = b'{"first":"Ann"}'
    facts = [entry.fact for entry in kept.entries]
    assert isinstance(facts[2], StepFinished)
    tag, aged = facts[2].type, "Person#00000000"
    upcaster(aged, Person)(lambda data: {"name": data["first"]})
    assert tag != aged
    other = MemoryJournal()
    changed = [*facts[:2], StepFinished(facts[2].step, 1, old, aged)]
    await other.create(kept.info.__class__(kept.info.id, "g", g.fingerprint, 0, 0), changed, at=0)
    async with Runtime(other) as rt:
        assert await (await rt.resume("r", g)).result() == Person(name="Ann")
    finished = MemoryJournal()
    done = [facts[0], RunFinished(old, aged)]
    await finished.create(kept.info.__class__(kept.info.id, "g", g.fingerprint, 0, 0), done, at=0)
    async with Runtime(finished) as rt:
        assert await (await rt.resume("r", g)).result() == Person(name="Ann")
