"""Graphs put together by hand are checked as a whole (G4)."""

import pytest

from graphrt.dag import as_graph
from graphrt.errors import GraphError
from graphrt.graph import Const, Expr, Ref, Vertex
from tests.graphrt.small import mix


def keep(*uses: dict[str, Expr], output: Expr | None = None) -> None:
    vertices = [Vertex(n, f"v{n}", "call", use, int, f"here:{n}", mix) for n, use in enumerate(uses)]
    as_graph(mix).keep(vertices, output or Ref(0))  # type: ignore[attr-defined] # a dag of one step


def test_vertices_that_wait_for_each_other_are_a_circle_with_names() -> None:
    """G4: and a vertex that waits for itself is one, too."""
    with pytest.raises(
        GraphError, match="here:0: these wait for each other: v0 -> v1 -> v0\n    fix: a loop is a Machine"
    ):
        keep({"a": Ref(1), "b": Const(b"1")}, {"a": Ref(0), "b": Const(b"1")})
    with pytest.raises(GraphError, match="these wait for each other: v0 -> v0"):
        keep({"a": Ref(0), "b": Const(b"1")})


def test_a_vertex_that_is_not_there_is_named_by_who_asks_for_it() -> None:
    """G4: every one of them."""
    with pytest.raises(GraphError) as caught:
        keep({"a": Ref(7), "b": Ref(-1)}, output=Ref(3))
    assert [mistake.what for mistake in caught.value.mistakes] == [
        "what it returns refers to vertex 3, which is not there",
        "'a' of 'v0' refers to vertex 7, which is not there",
        "'b' of 'v0' refers to vertex -1, which is not there",
    ]


def test_a_later_vertex_may_come_first_in_the_list() -> None:
    """G4: the order of writing is not an edge."""
    keep({"a": Ref(1), "b": Const(b"1")}, {"a": Const(b"1"), "b": Const(b"1")})
