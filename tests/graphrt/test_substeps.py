"""`await step(fn, ...)`: parts of a node's work that are done once, however often the node is (D4)."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import anyio
import pytest

from graphrt import Node, NotDone, Runtime, Suspended, context, dag, node, step
from graphrt.context import key_of
from graphrt.errors import RunFailed, UsageError
from graphrt.facts import SubstepFinished, SubstepStarted
from graphrt.journal import MemoryJournal
from graphrt.testing import BreakingJournal, BrokenOff, JumpingClock
from graphrt.types import RunId, StepKey

pytestmark = pytest.mark.anyio

RUN = RunId("r")


def booking(ran: Counter[str], **options: Any) -> Node[[int], str]:
    """A node that does three things, the second of which may be a `once` effect."""

    async def find(x: int) -> int:
        ran["find"] += 1
        return x + 1

    @node(**options)
    async def pay(x: int) -> str:
        ran[f"pay {context().idempotency_key}"] += 1
        return f"paid {x}"

    def stamp(paid: str) -> str:  # in a worker thread
        ran["stamp"] += 1
        return f"{paid}, stamped"

    @node(retry=3)
    async def book(x: int) -> str:
        ran["book"] += 1
        found = await step(find, x)
        paid = await step(pay, found)
        return await step(stamp, paid=paid)

    @dag
    def g(x: int) -> str:
        return book(x)

    return g


PAY = f"pay {key_of(RUN, StepKey('book/pay'))}"


async def test_a_part_that_was_done_is_not_done_again_by_the_next_attempt() -> None:
    """D4, E6: the node runs again from its beginning, its finished parts do not."""
    ran, failures = Counter[str](), [True, True]

    async def find(x: int) -> int:
        ran["find"] += 1
        return x + 1

    @node(retry=3)
    async def shaky(x: int) -> int:
        ran["shaky"] += 1
        found = await step(find, x)
        if failures and failures.pop():
            raise ConnectionError(str(found))
        return found

    async with Runtime(clock=JumpingClock()) as rt:
        assert await rt.run(shaky, 1) == 2
    assert ran == {"shaky": 3, "find": 1}


async def test_after_a_crash_at_any_commit_no_recorded_part_is_done_again() -> None:
    """D2, D4."""
    journal, ran = MemoryJournal(), Counter[str]()
    counting = BreakingJournal(journal, 1000)
    async with Runtime(counting, clock=JumpingClock()) as rt:
        assert await (await rt.start_as(RUN, booking(ran), 1)).result() == "paid 2, stamped"
    assert ran == {"book": 1, "find": 1, PAY: 1, "stamp": 1}
    for broken in range(2, counting.made + 1):
        journal, ran = MemoryJournal(), Counter[str]()
        async with Runtime(BreakingJournal(journal, broken), clock=JumpingClock()) as rt:
            with pytest.raises(BrokenOff):
                await (await rt.start_as(RUN, booking(ran), 1)).result()
        done = {e.fact.name for e in await journal.read(RUN) if isinstance(e.fact, SubstepFinished)}
        ran.clear()
        async with Runtime(journal, clock=JumpingClock()) as rt:
            assert await (await rt.resume(RUN, booking(ran))).result() == "paid 2, stamped"
        again = {name.split()[0] for name in ran}
        assert not again & done


async def test_parts_of_one_name_are_told_apart_by_their_order() -> None:
    """D4."""

    async def double(x: int) -> int:
        return x * 2

    @node
    async def many(x: int) -> list[int]:
        return [await step(double, n) for n in range(x)]

    journal = MemoryJournal()
    async with Runtime(journal) as rt:
        assert await (await rt.start_as(RUN, many, 3)).result() == [0, 2, 4]
    names = [e.fact.name for e in await journal.read(RUN) if isinstance(e.fact, SubstepFinished)]
    assert names == ["double", "double-2", "double-3"]


async def test_parts_may_be_done_side_by_side() -> None:
    """D4, E3."""

    async def double(x: int) -> int:
        await anyio.lowlevel.checkpoint()
        return x * 2

    @node
    async def many(x: int) -> int:
        results: list[int] = []

        async def one(n: int) -> None:
            results.append(await step(double, n))

        async with anyio.create_task_group() as tasks:
            for n in range(x):
                tasks.start_soon(one, n)
        return sum(results)

    async with Runtime() as rt:
        assert await rt.run(many, 9) == 72


async def _crash_in_flight(journal: MemoryJournal, graph: Node[[int], str]) -> None:
    """Lose the process between the intent of the part and its outcome."""
    commits = 0
    while True:
        async with Runtime(BreakingJournal(journal, commits + 2), clock=JumpingClock()) as rt:
            with pytest.raises(BrokenOff):
                await (await rt.start_as(RUN, graph, 1)).result()
        facts = [entry.fact for entry in await journal.read(RUN)]
        if isinstance(facts[-1], SubstepStarted):
            return
        journal._runs.clear()
        commits += 1
        assert commits < 20


async def test_a_once_part_that_was_in_flight_is_left_to_a_person() -> None:
    """D3, D4: known by its own key, `book/pay`; its intent was recorded before it was dispatched."""
    journal, ran = MemoryJournal(), Counter[str]()
    graph = booking(ran, effect="once")
    await _crash_in_flight(journal, graph)
    before = dict(ran)
    async with Runtime(journal, clock=JumpingClock()) as rt:
        run = await rt.resume(RUN, graph)
        with pytest.raises(Suspended, match="graphrt resolve r book/pay --done JSON"):
            await run.result()
        await rt.resolve(run, "book/pay", done="paid by hand")
        assert await run.result() == "paid by hand, stamped"
    assert (ran[PAY], ran["find"]) == (before[PAY], before["find"])


async def test_a_once_part_that_was_not_done_is_done_under_its_own_key() -> None:
    """D3, D4."""
    journal, ran = MemoryJournal(), Counter[str]()
    graph = booking(ran, effect="once")
    await _crash_in_flight(journal, graph)
    async with Runtime(journal, clock=JumpingClock()) as rt:
        run = await rt.resume(RUN, graph)
        with pytest.raises(Suspended):
            await run.result()
        await rt.resolve(run, "book/pay", not_done=True)
        assert await run.result() == "paid 2, stamped"
    assert ran[PAY] == 2


@pytest.mark.parametrize("happened", [True, False])
async def test_the_check_of_a_once_part_decides(*, happened: bool) -> None:
    """D3, D4."""
    journal, ran = MemoryJournal(), Counter[str]()

    async def look(x: int) -> str:
        if not happened:
            raise NotDone("no such payment")
        return f"found {x}"

    graph = booking(ran, effect="once", check=look)
    await _crash_in_flight(journal, graph)
    async with Runtime(journal, clock=JumpingClock()) as rt:
        result = await (await rt.resume(RUN, graph)).result()
    assert result == ("found 2, stamped" if happened else "paid 2, stamped")
    assert ran[PAY] == (1 if happened else 2)


async def test_a_once_part_that_raises_is_not_repeated_by_the_nodes_retries() -> None:
    """D3, D4, E6: nobody knows what became of it."""
    ran = Counter[str]()

    @node(effect="once")
    async def pay(x: int) -> str:
        ran["pay"] += 1
        raise ConnectionResetError("no reply")

    @node(retry=5)
    async def book(x: int) -> str:
        return await step(pay, x)

    async with Runtime(clock=JumpingClock()) as rt:
        with pytest.raises(Suspended, match="book/pay may or may not have been done"):
            await rt.run(book, 1)
    assert ran["pay"] == 1


async def test_a_part_in_a_thread_gives_signs_of_life_on_the_loop() -> None:
    """D4, E7: as a plain node does; what it shows is heard by whoever watches the run live."""
    heard_in: list[int] = []

    def show(x: int) -> int:
        assert threading.get_ident() != loop
        context().progress("half way")
        return x

    @node
    async def outer(x: int) -> int:
        here, live = context(), context().live

        def hear(text: str) -> None:
            heard_in.append(threading.get_ident())
            live(text)

        here.live = hear
        return await step(show, x)

    loop = threading.get_ident()
    async with Runtime() as rt:
        assert await rt.run(outer, 3) == 3
    assert heard_in == [loop]


async def test_a_part_has_no_parts_of_its_own() -> None:
    """D4."""

    async def inner(x: int) -> int:
        return x

    async def outer(x: int) -> int:
        return await step(inner, x)

    @node
    async def book(x: int) -> int:
        return await step(outer, x)

    async with Runtime() as rt:
        with pytest.raises(RunFailed, match="called inside another substep"):
            await rt.run(book, 1)
    with pytest.raises(UsageError, match="outside a running step"):
        await step(inner, 1)
