"""What a body draws: an immutable graph, or every mistake in it at once (G3, G4, G5, G6)."""

import inspect
from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest
from pydantic import BaseModel, Field

from graphrt import Runtime, dag, each, first, node, quorum, switch, when
from graphrt.errors import GraphError, RunFailed, UsageError
from graphrt.facts import StepFinished

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    id: int
    tags: list[str] = []
    hidden: int = Field(default=0, exclude=True)


class Rich(Order):
    owner: str = "me"


@node
def inc(x: int) -> int:
    return x + 1


@node
def add(x: int, y: int) -> int:
    return x + y


@node
def odd(x: int) -> bool:
    return x % 2 == 1


@node
def name(x: int) -> str:
    return f"n{x}"


@node
def load(x: int) -> Rich:
    return Rich(id=x, tags=["a", "b"])


@node
def size(values: list[int]) -> int:
    return len(values)


@node
def look(parts: dict[str, list[int]]) -> str:
    return str(sorted(parts.items()))


@node
def half(x: float) -> float:
    return x / 2


def here() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


MISUSES: list[tuple[Callable[[Any], Any], str]] = [
    (lambda p: 1 if p else 2, "when"),
    (lambda p: not p, "when"),
    (lambda p: p and 1, "when"),
    (len, "node that returns the length"),
    (list, "each"),
    (lambda p: p[0], "each"),
    (lambda p: 1 in p, "each"),
    (lambda p: [inc(x) for x in p], "each"),
    (lambda p: p == 1, "switch"),
    (lambda p: p < 1, "switch"),
    (lambda p: [p].index(1), "switch"),
    (lambda p: p + 1, "make it a node"),
    (lambda p: 1 - p, "make it a node"),
    (lambda p: -p, "make it a node"),
    (lambda p: p**2, "make it a node"),
    (int, "make it a node"),
    (range, "make it a node"),
    (str, "pass it to a node"),
    (lambda p: f"{p}", "pass it to a node"),
    (lambda p: p.upper(), "pass it to a node"),
]


@pytest.mark.parametrize(("misuse", "verb"), MISUSES, ids=lambda each: getattr(each, "__name__", each))
def test_a_placeholder_asked_for_what_it_cannot_know_names_the_verb_to_use(
    misuse: Callable[[Any], Any], verb: str
) -> None:
    """G3: with the line in the body."""
    with pytest.raises(GraphError) as caught:

        @dag
        def g(x: int) -> int:
            misuse(inc(x))
            return inc(x)

    (mistake,) = caught.value.mistakes
    assert verb in mistake.fix
    assert mistake.place.startswith("test_dag.py:")


def test_all_mistakes_are_told_at_once_each_with_its_line_and_its_fix() -> None:
    """G4: a body of mistakes, and not only the first of them."""
    with pytest.raises(GraphError) as caught:

        @dag
        def g(x: int) -> int:
            start = here()
            add(x, name(x))  # type: ignore[arg-type]
            add(x)  # type: ignore[call-arg]
            add(x, x, x)  # type: ignore[call-arg]
            add(x, z=x)  # type: ignore[call-arg]
            each(inc, name(x))  # type: ignore[arg-type]
            each(half, [name(x)])  # type: ignore[arg-type]
            when(x, 1, 2)  # type: ignore[call-overload]
            switch(x, {"a": 1})  # type: ignore[misc]
            switch(x, {})
            inc("one")  # type: ignore[arg-type]
            inc(inc)  # type: ignore[arg-type]
            quorum(3, x, x)
            first()
            lines.append(start)
            return name(x)  # type: ignore[return-value]

    text = str(caught.value)
    lines_told = {int(m.place.split(":")[1].split()[0]) - lines[0] for m in caught.value.mistakes}
    assert lines_told >= set(range(1, 14))
    assert all(mistake.fix for mistake in caught.value.mistakes)
    for words in [
        "add(...): the value is str and parameter 'y' takes int",
        "add(...) was not given 'y'",
        "add(...) got 3 arguments and takes 2",
        "add(...) got 'z', which it does not have",
        "each(inc, ...) got a str",
        "when(...) got a int as its condition",
        "the case 'a' can never equal a int",
        "switch(...) has no cases",
        "the constant 'one' does not fit",
        "node 'inc' itself was passed as a value",
        "waits for 3 of 2 options and can never fire",
        "the body returns str, the annotation says int",
    ]:
        assert words in text


lines: list[int] = []


def test_a_body_that_stumbles_over_a_mistake_still_tells_it() -> None:
    """G4: the error of the body is its cause."""
    with pytest.raises(GraphError, match="takes int") as caught:

        @dag
        def g(x: int) -> int:
            inc(name(x))  # type: ignore[arg-type]
            raise RuntimeError("and then")

    assert isinstance(caught.value.__cause__, RuntimeError)


def test_names_are_made_unique_and_a_chosen_name_stands_once() -> None:
    """G4: step keys are never ambiguous."""

    @dag
    def g(x: int) -> list[int]:
        return [inc(x), inc(x), inc.named("other")(x), inc(x)]

    assert [vertex.name for vertex in g.vertices] == ["inc", "inc-2", "other", "inc-3"]

    @dag
    def taken(x: int) -> list[int]:
        return [inc.named("inc-2")(x), inc(x), inc(x)]

    assert [vertex.name for vertex in taken.vertices] == ["inc-2", "inc", "inc-3"]
    with pytest.raises(GraphError, match="the name 'a' is used twice"):

        @dag
        def twice(x: int) -> int:
            return add(inc.named("a")(x), odd.named("a")(x))


def test_a_recursion_that_nothing_ends_and_a_body_that_waits_are_mistakes() -> None:
    """G4."""
    with pytest.raises(GraphError, match="'g' calls itself and nothing ends it"):

        @dag
        def g(x: int) -> int:
            return g(inc(x))

    with pytest.raises(GraphError, match="the body of a dag is async"):

        @dag
        async def h(x: int) -> int:
            return x


def test_a_placeholder_of_another_dag_is_a_mistake() -> None:
    """G3."""
    kept: list[int] = []

    @dag
    def outer(x: int) -> int:
        kept.append(x)
        return x

    with pytest.raises(GraphError, match="a placeholder of another dag"):

        @dag
        def other(x: int) -> int:
            return add(x, kept[0])


def test_verbs_are_for_bodies() -> None:
    """G3."""
    for call in (
        lambda: each(inc, [1]),
        lambda: when(True, 1),
        lambda: switch(1, {1: 1}),
        lambda: first(1),
        lambda: quorum(1, 1),
    ):
        with pytest.raises(UsageError, match="outside the body of a @dag"):
            call()


async def result(graph: Any, *args: Any) -> tuple[Any, set[str]]:
    async with Runtime() as rt:
        run = await rt.start(graph, *args)
        value = await run.result()
        return value, {entry.fact.step async for entry in run.events() if isinstance(entry.fact, StepFinished)}


async def test_constants_lists_dicts_and_fields_are_values_like_any_other() -> None:
    """G3."""

    @dag
    def g(x: int) -> list[str]:
        order = load(x)
        return [look({"a": [x, order.id, 3], "b": []}), name(order.id), name(7)]

    assert (await result(g, 5))[0] == ["[('a', [5, 5, 3]), ('b', [])]", "n5", "n7"]
    with pytest.raises(GraphError, match="has no field 'hidden'"):

        @dag
        def h(x: int) -> int:
            return load(x).hidden


async def test_only_what_is_needed_runs() -> None:
    """G5: exclusive choice, multiple choice; what both branches use runs once; a call nobody uses runs too."""

    @dag
    def g(x: int) -> int:
        shared = inc.named("shared")(x)
        name.named("aside")(x)
        return when(odd(x), add.named("yes")(shared, 1), add.named("no")(inc.named("only-no")(x), shared))

    assert await result(g, 1) == (3, {"shared", "aside", "odd", "yes"})
    assert await result(g, 2) == (6, {"shared", "aside", "odd", "no", "only-no"})


async def test_a_switch_compares_as_values_are_written() -> None:
    """G5: numbers by their worth; without a default an unknown value fails the run by name."""

    @dag
    def g(x: float) -> str:
        return switch(half(x), {1: "one", 2.5: "more"})

    assert [(await result(g, x))[0] for x in (2.0, 5.0)] == ["one", "more"]
    with pytest.raises(RunFailed, match=r"NoSuchCase: got 4.0, the cases are 1.0, 2.5"):
        await result(g, 8.0)


async def test_each_of_nothing_and_each_of_each() -> None:
    """G5."""

    @dag
    def row(xs: list[int], by: int) -> int:
        return size(each(add, xs, by))

    @dag
    def table(xs: list[list[int]]) -> list[int]:
        return each(row, xs, by=2)

    value, steps = await result(table, [[1, 2], [], [3]])
    assert value == [2, 0, 1]
    assert {"each:row[0]/each:add[1]", "each:row[2]/size"} <= steps
    assert (await result(table, []))[0] == []


async def test_a_quorum_takes_what_arrives_first_in_the_order_of_writing() -> None:
    """G5: k of N; what fails is borne as long as enough are left."""

    @node
    def fails(x: int) -> int:
        raise ValueError(x)

    @dag
    def g(x: int) -> list[int]:
        return quorum(2, inc(x), fails(x), add(x, 10))

    assert (await result(g, 1))[0] == [2, 11]


def test_the_graph_is_a_frozen_networkx_multidigraph() -> None:
    """G3: edges are keyed by what they are used as."""

    @dag
    def g(x: int) -> int:
        return add(inc(x), inc(x))

    graph = g.networkx
    assert isinstance(graph, nx.MultiDiGraph)
    assert sorted(graph.edges(keys=True)) == [("inc", "add", "x"), ("inc-2", "add", "y")]
    with pytest.raises(nx.NetworkXError, match=r"[Ff]rozen"):
        graph.add_node("more")


def test_the_fingerprint_is_of_the_structure_and_not_of_policy_or_code() -> None:
    """G6."""

    def drawn(inner: Any, other: Any = odd_one, constant: int = 1) -> str:
        @dag
        def g(x: int) -> int:
            return add(inner(x), other(constant))

        return g.fingerprint

    @node(name="inc")
    def otherwise(x: int) -> int:
        return x + 99

    assert drawn(inc) == drawn(inc.with_policy(retry=5, timeout=3)) == drawn(otherwise)
    assert len({drawn(inc), drawn(size_of), drawn(inc, odd_one.named("b")), drawn(inc, constant=2)}) == 4


odd_one = inc.named("other")


@node
def size_of(x: int) -> int:
    return x


async def test_a_dag_may_call_itself_under_another_name() -> None:
    """G2: the copy that the body names is the dag as it was drawn in the end, not as it stood."""

    @dag
    def stop(x: int) -> int:
        return when(odd(x), stop.named("further")(inc(x)), x)

    assert await result(stop, 3) == (4, {"odd", "inc", "further/odd"})
