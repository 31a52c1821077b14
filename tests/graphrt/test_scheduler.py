"""The loop that acts: no barrier, one journal on both engines, joins by key, nothing undone (E2, E3, E4, E9, E10)."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from graphrt import Dag, Retry, Runtime, context, dag, each, first, node, when
from graphrt.errors import Deadlock, RunCancelled, RunFailed, UsageError
from graphrt.facts import Entry, RunFinished, StepCancelled, StepFinished, StepStarted
from graphrt.graph import Ref, Vertex
from graphrt.journal import MemoryJournal
from graphrt.run import Run
from graphrt.testing import JumpingClock

pytestmark = pytest.mark.anyio


@node
async def inc(x: int) -> int:
    return x + 1


@node
async def add(x: int, y: int) -> int:
    return x + y


async def facts(run: Run[Any], kind: type | None = None) -> list[Any]:
    return [entry.fact async for entry in run.events() if kind is None or isinstance(entry.fact, kind)]


async def test_a_slow_branch_holds_nobody_else_up() -> None:
    """E2: no barrier: the quick branch is three steps further before the slow one's first step ends."""

    @node
    async def slow(x: int) -> int:
        await context().sleep(60)
        return x

    @dag
    def g(x: int) -> int:
        return add(slow(x), inc.named("c")(inc.named("b")(inc.named("a")(x))))

    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start(g, 1)
        assert await run.result() == 5
        assert [fact.step for fact in await facts(run, StepFinished)] == ["a", "b", "c", "slow", "add"]


async def test_a_join_merges_by_key_whatever_finishes_first() -> None:
    """E4, S9: items end in a shuffled order and arrive in their own."""

    @node
    async def later(x: int) -> int:
        await context().sleep(x * 7 % 5)
        return x

    @dag
    def g(xs: list[int]) -> list[int]:
        return each(later, xs)

    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start(g, list(range(10)))
        assert await run.result() == list(range(10))
        order = [fact.step for fact in await facts(run, StepFinished)]
        assert order != sorted(order)
        assert len(set(order)) == 10


def test_asyncio_and_trio_write_the_same_journal() -> None:
    """E3, S10: facts and times are equal under a clock of our own."""

    @node(retry=3, timeout=5)
    async def shaky(x: int) -> int:
        await context().sleep(x * 3)
        if context().attempt == 1:
            raise ValueError("once")
        context().emit("seen", x)
        return x

    @dag
    def g(x: int) -> list[int]:
        return each(shaky, [first(add(x, 0), inc(x)), add(x, x)])

    async def journal() -> list[Entry]:
        async with Runtime(clock=JumpingClock(), seed=7) as rt:
            run = await rt.start_as("r", g, 1)
            with pytest.raises(RunFailed, match="failed in attempt 3: StepTimeout"):
                await run.result()
            return [entry async for entry in run.events()]

    one, other = (anyio.run(journal, backend=backend) for backend in ("asyncio", "trio"))
    assert _timeless(one) == _timeless(other)
    assert [entry.at for entry in one] == [entry.at for entry in other]


def _timeless(entries: list[Entry]) -> list[str]:
    """Without the traces, which name the engines' own files, and the names of drivers, which are unique."""
    return [repr(entry.fact).partition("trace=")[0].partition("driver=")[0] for entry in entries]


async def test_the_losers_of_a_first_are_cancelled_and_waited_for() -> None:
    """G5, E8: their cleanup is done before the run ends."""
    cleaned = []

    @node
    async def never(x: int) -> int:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
                cleaned.append(x)
        return x

    @dag
    def g(x: int) -> int:
        return first(never(x), inc(x))

    async with Runtime() as rt:
        run = await rt.start(g, 1)
        assert await run.result() == 2
        assert cleaned == [1]
        kinds = [type(fact) for fact in await facts(run)]
        assert kinds.index(StepCancelled) < kinds.index(RunFinished)


async def test_a_failing_step_stops_its_siblings_and_keeps_what_had_finished() -> None:
    """E9, S4: on resume the finished sibling is reused, the others run again; the error says who and where."""
    ran: list[str] = []
    good = False

    @node
    async def done(x: int) -> int:
        ran.append("done")
        return x

    @node
    async def waits(x: int) -> int:
        ran.append("waits")
        if not good:
            await anyio.sleep_forever()
        return x

    @node
    async def fails(x: int) -> int:
        ran.append("fails")
        if not good:
            raise ZeroDivisionError("why not")
        return x

    @dag
    def g(x: int) -> int:
        return add(add(done(x), waits(x)), fails(inc(x)))

    async with Runtime() as rt:
        run = await rt.start_as("r", g, 1)
        with pytest.raises(RunFailed) as caught:
            await run.result()
        error = caught.value
        assert (error.run, error.step, error.node, error.attempt) == ("r", "fails", "fails", 1)
        assert error.error_type == "ZeroDivisionError"
        assert "resume with: graphrt resume r" in str(error)
        assert isinstance(error.__cause__, ZeroDivisionError)
        good = True
        assert await (await rt.resume("r", g)).result() == 4
        assert sorted(ran) == ["done", "fails", "fails", "waits", "waits"]


async def test_siblings_finish_where_the_graph_says_so() -> None:
    """E9, S4: on_failure='finish'."""

    @node
    async def slow(x: int) -> int:
        await context().sleep(5)
        return x

    @node
    async def fails(x: int) -> int:
        raise ValueError(x)

    @dag(on_failure="finish")
    def g(x: int) -> int:
        return add(inc(slow(x)), fails(x))

    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start(g, 1)
        with pytest.raises(RunFailed, match="'fails'"):
            await run.result()
        assert [fact.step for fact in await facts(run, StepFinished)] == ["slow", "inc"]


async def test_a_failure_among_siblings_that_nobody_needs_still_ends_the_run() -> None:
    """E9, E10: a parked retry and a parked list are not waited for."""

    @node(retry=Retry(5, base=1000, cap=1000))
    async def shaky(x: int) -> int:
        raise ValueError(x)

    @node
    async def never(x: int) -> int:
        await anyio.sleep_forever()
        return x

    @node
    async def quick(x: int) -> int:
        await context().sleep(1)
        return x

    @node
    async def fails(x: int) -> int:
        await context().sleep(2)
        raise ValueError("for good")

    @node
    async def count(xs: list[int]) -> int:
        return len(xs)

    @dag(on_failure="finish")
    def g(x: int, xs: list[int]) -> int:
        won = first(shaky(x), count(each(never, xs)), quick(x))
        return add(won, fails(x))

    async with Runtime(clock=JumpingClock(), concurrency=5, seed=1) as rt:
        run = await rt.start(g, 1, list(range(20)))
        with anyio.fail_after(10), pytest.raises(RunFailed, match="for good"):
            await run.result()


@pytest.mark.parametrize(
    "raised", [lambda: BaseException("odd"), lambda: ExceptionGroup("two", [ValueError(1), KeyError(2)])]
)
async def test_whatever_a_node_raises_is_its_own_failure(raised: Callable[[], BaseException]) -> None:
    """E9, S4: not the loop's: another run goes on beside it."""

    @node
    async def odd(x: int) -> int:
        raise raised()

    @node
    async def calm(x: int) -> int:
        await context().sleep(1)
        return x

    async with Runtime(clock=JumpingClock()) as rt:
        beside = await rt.start(calm, 1)
        with pytest.raises(RunFailed, match=type(raised()).__name__):
            await rt.run(odd, 1)
        assert await beside.result() == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_node_that_cancels_its_own_task_fails_alone() -> None:
    """E9: its sibling finishes, where the graph says so."""

    @node
    async def suicidal(x: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await anyio.lowlevel.checkpoint()
        return x

    @node
    async def slow(x: int) -> int:
        await context().sleep(1)
        return x

    @dag(on_failure="finish")
    def g(x: int) -> int:
        return add(suicidal(x), slow(x))

    async with Runtime(clock=JumpingClock()) as rt:
        run = await rt.start(g, 1)
        with pytest.raises(RunFailed, match="cancelled its own task"):
            await run.result()
        assert [fact.step for fact in await facts(run, StepFinished)] == ["slow"]


async def test_a_chain_of_steps_that_never_wait_lets_others_have_their_turn() -> None:
    """A lone step runs in the driver's own task; still no run may hold up the loop that it shares (E2)."""

    @dag
    def long(x: int) -> int:
        for n in range(200):
            x = inc.named(f"inc{n}")(x)
        return x

    turns = 0
    async with Runtime() as rt, anyio.create_task_group() as tasks:
        run = await rt.start(long, 0)

        async def count_turns() -> None:
            nonlocal turns
            while True:
                await anyio.lowlevel.checkpoint()
                turns += 1

        tasks.start_soon(count_turns)
        assert await run.result() == 200
        tasks.cancel_scope.cancel()
    assert turns >= 200 // 8


@pytest.mark.parametrize("away", ["cancelled", "drained", "stopped"])
async def test_a_driver_hears_what_it_is_told_while_its_only_step_runs(away: str) -> None:
    """The step runs in the driver's own task; another one takes over when something is to be decided (E8)."""
    begun, go = anyio.Event(), anyio.Event()
    ended: list[str] = []

    @node
    async def slow(x: int) -> int:
        begun.set()
        try:
            await go.wait()
        except anyio.get_cancelled_exc_class():
            ended.append("cancelled")
            raise
        ended.append("finished")
        return x

    @dag
    def g(x: int) -> int:
        return inc(slow(x))

    async with Runtime() as rt:
        run = await rt.start(g, 1)
        await begun.wait()
        if away == "cancelled":
            await run.cancel()
            assert await run.status() == "cancelled"
            assert ended == ["cancelled"]
        elif away == "drained":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(rt.drain, 60.0)
                await anyio.wait_all_tasks_blocked()
                go.set()
            assert ended == ["finished"]
            assert [fact.step for fact in await facts(run, StepFinished)] == ["slow"]
        else:
            await rt.drain(0.0)
            with pytest.raises(UsageError, match="stopped at its last commit"):
                await run.result()
            assert ended == ["cancelled"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_run_goes_on_in_another_task_after_its_only_step_was_cancelled() -> None:
    """What is left of a cancellation must not reach the next step: it is another's (E9). Trio leaves nothing."""
    tasks: list[Any] = []

    @node(retry=2)
    async def suicidal(x: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        if context().attempt == 1:
            task.cancel()
            await anyio.lowlevel.checkpoint()
        return x

    @dag
    def g(x: int) -> int:
        return inc(suicidal(x))

    async with Runtime(clock=JumpingClock()) as rt:
        assert await rt.run(g, 1) == 2
    assert tasks[0] is not tasks[1]


async def test_a_finished_step_leaves_nothing_for_the_garbage_collector() -> None:
    """Cycles would pile up until a collection stops the whole process for them."""
    run_of: list[Any] = []

    @node
    async def remembers(x: int) -> int:
        run_of.append(weakref.ref(context()))
        return x

    @dag
    def g(x: int) -> int:
        return remembers.named("b")(remembers.named("a")(x))

    gc.disable()
    try:
        async with Runtime() as rt:
            assert await rt.run(g, 1) == 1
        assert [found() for found in run_of] == [None, None]
    finally:
        gc.enable()


async def test_steps_that_wait_for_each_other_are_a_deadlock_that_names_them() -> None:
    """E10: seen, though the check was gone round."""
    graph: Dag[[int], int] = dag(_two)
    a, b = graph.vertices
    graph.vertices = (Vertex(0, a.name, "call", {"x": Ref(1)}, int, a.place, a.node), b)
    async with Runtime() as rt:
        run = await rt.start(graph, 1)
        with pytest.raises(Deadlock) as caught:
            await run.result()
        assert caught.value.waiting == ("inc waits for inc-2", "inc-2 waits for inc")


def _two(x: int) -> int:
    return inc(inc(x))


async def test_a_step_is_dispatched_only_after_the_commit_that_says_so() -> None:
    """D1: its own StepStarted, and what it depends on, are in the journal when it runs."""
    journal = MemoryJournal()
    seen: list[set[str]] = []

    @node
    async def looks(x: int) -> int:
        read = await journal.read(context().run)
        seen.append({entry.fact.step for entry in read if isinstance(entry.fact, StepStarted)})
        return x

    @dag
    def g(x: int) -> int:
        return looks(inc(looks(x)))

    async with Runtime(journal) as rt:
        await rt.run(g, 1)
    assert seen == [{"looks"}, {"looks", "inc", "looks-2"}]


async def test_a_recursion_ends_by_its_branch_or_by_its_budget() -> None:
    """G5, E10, S5."""

    @node
    async def positive(x: int) -> bool:
        return x > 0

    @dag(max_depth=5)
    def down(x: int) -> int:
        return when(positive(x), down(add(x, -1)), x)

    async with Runtime() as rt:
        assert await rt.run(down, 3) == 0
        with pytest.raises(RunFailed, match="called itself 5 deep"):
            await rt.run(down, 9)


async def test_cancelling_a_run_stops_it_between_two_commits_and_is_recorded() -> None:
    """E8."""

    @node
    async def forever(x: int) -> int:
        await anyio.sleep_forever()
        return x

    @dag
    def g(x: int) -> int:
        return forever(inc(x))

    async with Runtime() as rt:
        run = await rt.start(g, 1)
        async for entry in run.events():
            if entry.fact == StepStarted("forever", 1):  # type: ignore[arg-type] # a key is a string
                break
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
        assert [type(fact).__name__ for fact in await facts(run)][-2:] == ["StepCancelled", "RunCancelled"]
