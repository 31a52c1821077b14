"""A node is a typed function: its ports come from its annotations, its work goes where it belongs (G1)."""

import threading
from contextvars import ContextVar
from typing import Any

import pytest
from pydantic import BaseModel

from graphrt import Runtime, context, dag, node
from graphrt.errors import GraphError, RunFailed, UsageError
from graphrt.facts import StepFinished

pytestmark = pytest.mark.anyio
mark: ContextVar[str] = ContextVar("mark", default="none")


class Order(BaseModel):
    id: int
    lines: list[dict[str, int]] = []


async def test_sync_functions_run_in_a_thread_of_their_own_and_see_the_callers_context() -> None:
    """G1: asynchronous ones stay on the loop's."""

    @node
    def sync(x: int) -> list[str]:
        return [str(threading.get_ident()), mark.get(), context().step]

    @node
    async def on_loop(x: int) -> list[str]:
        return [str(threading.get_ident()), mark.get(), context().step]

    mark.set("mine")
    async with Runtime() as rt:
        thread, *rest = await rt.run(sync, 1)
        assert (thread != str(threading.get_ident()), rest) == (True, ["mine", "sync"])
        assert await rt.run(on_loop, 1) == [str(threading.get_ident()), "mine", "on_loop"]


async def test_a_value_that_does_not_fit_names_node_port_and_pointer() -> None:
    """G1: on the way out; `test_runtime` shows the way in."""

    @node
    async def wrong(x: int) -> Order:
        return {"id": 1, "lines": [{"a": 1}, {"b/c": "many"}]}  # type: ignore[return-value] # on purpose

    async with Runtime() as rt:
        with pytest.raises(
            RunFailed, match=r"PortError: node 'wrong', port 'return': at /lines/1/b~1c: Input should be a valid int"
        ):
            await rt.run(wrong, 1)


async def test_what_a_node_changes_in_its_input_nobody_else_sees() -> None:
    """G1: values travel as JSON, also inside one process."""

    @node
    async def spoils(order: Order) -> int:
        order.lines.append({"x": 1})
        return len(order.lines)

    @dag
    def g(order: Order) -> list[int]:
        return [spoils(order), spoils(order)]

    async with Runtime() as rt:
        assert await rt.run(g, Order(id=1)) == [1, 1]


async def test_everything_a_context_gives_is_the_same_for_every_attempt() -> None:
    """D8: but the attempt's number."""

    @node(retry=2)
    async def draws(x: int) -> list[Any]:
        drawn = [context().random.random(), context().idempotency_key, context().run]
        context().emit("drawn", drawn)
        seen.append(drawn)
        if context().attempt == 1:
            raise ValueError(x)
        return drawn

    seen: list[list[Any]] = []
    async with Runtime(seed=1) as rt:
        run = await rt.start(draws, 1)
        assert await run.result() == seen[0] == seen[1]
        assert await rt.run(draws.with_policy(retry=3), 1) != seen[0]


async def test_defaults_are_part_of_the_node() -> None:
    """G1: written once, at definition."""

    @node
    async def adds(x: int, order: Order = Order(id=7), *, more: int = 2) -> int:  # noqa: B008 - a default is data here
        return x + order.id + more

    async with Runtime() as rt:
        assert [await rt.run(adds, 1), await rt.run(adds, 1, Order(id=1)), await rt.run(adds, 1, more=0)] == [10, 4, 8]


def test_all_mistakes_of_a_signature_are_told_at_once() -> None:
    """G1, G4: each with its place and its fix."""
    with pytest.raises(GraphError) as caught:

        @node
        def wrong(a, b: int = "x", *c: int, d: threading.Lock):  # type: ignore[no-untyped-def,assignment] # on purpose
            pass

    told = [mistake.what for mistake in caught.value.mistakes]
    assert [what.partition(":")[0] for what in told] == [
        "parameter 'a' has no annotation",
        "the default of 'b' does not fit",
        "parameter 'c' takes any number of values",
        "the type of parameter 'd' does not survive JSON",
        "the return has no annotation",
    ]
    assert {mistake.place for mistake in caught.value.mistakes} == {caught.value.mistakes[0].place}
    assert caught.value.mistakes[0].place.startswith("test_node.py:")
    assert "in wrong" in caught.value.mistakes[0].place


def test_an_annotation_that_cannot_be_resolved_is_a_mistake_of_the_graph() -> None:
    """G1."""
    with pytest.raises(GraphError, match="cannot be resolved: name 'Nowhere' is not defined"):

        @node
        def lost(x: "Nowhere") -> int:  # type: ignore[name-defined] # noqa: F821 - on purpose
            return 1


async def test_names_from_around_a_node_are_found_forward_references_too() -> None:
    """G1: a class inside a function, named by a string."""

    class Local(BaseModel):
        n: int

    @node
    async def makes(x: "int") -> "Local":
        return Local(n=x)

    async with Runtime() as rt:
        run = await rt.start(makes, 3)
        assert await run.result() == Local(n=3)
        (finished,) = [entry.fact async for entry in run.events() if isinstance(entry.fact, StepFinished)]
        assert finished.type.startswith("Local#")


@pytest.mark.parametrize("name", ["", "a/b", "a[0]", "a#1", " a", "a\nb"])
def test_a_name_that_would_be_ambiguous_in_a_key_is_refused(name: str) -> None:
    """G2."""
    with pytest.raises(UsageError, match="cannot name a node"):
        node(name=name)(lambda: None)


def test_a_variation_is_another_node_and_leaves_the_first_as_it_is() -> None:
    """G1: policies are told only to what can keep them."""

    @node(retry=2, timeout=5, effect="read")
    async def one(x: int) -> int:
        return x

    @dag
    def g(x: int) -> int:
        return one(x)

    two = one.with_policy(retry=4).named("two")
    assert (one.name, one.policy.retry.attempts, two.name, two.policy.retry.attempts) == ("one", 2, "two", 4)
    assert (two.policy.timeout.total, two.policy.effect, repr(two)) == (5, "read", "<node two(x: int) -> int>")
    with pytest.raises(UsageError, match="dag 'g' has no policy of its own"):
        g.with_policy(retry=2)
