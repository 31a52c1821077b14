"""A layout by Graphviz: in the shape of ours, of the sizes that were asked for, and drawn as ours is."""

from __future__ import annotations

import math
import re
import sys
from itertools import combinations

import pytest
from hypothesis import given

from graphrt import draw
from graphrt.draw import graphviz
from graphrt.draw.layout import Cluster, Item, Link
from graphrt.errors import UsageError
from tests.graphrt.command import Cli
from tests.graphrt.test_draw import house, verbs
from tests.graphrt.test_draw_layout import Case, boxes, cases, overlap, walk, within

pytest.importorskip("pygraphviz", reason="the extra graphviz is not installed")


@given(cases())
def test_boxes_are_where_graphviz_puts_them_and_as_large_as_they_have_to_be(case: Case) -> None:
    drawn = graphviz.layout(case.members, case.links, case.direction)
    assert drawn == graphviz.layout(case.members, case.links, case.direction)
    around = dict(walk(case.members))
    found = boxes(drawn)
    assert set(found) == set(around)
    for (one, rect), (other, other_rect) in combinations(found.items(), 2):
        if other in around[one]:
            assert within(rect, other_rect)
        elif one in around[other]:
            assert within(other_rect, rect)
        else:
            assert not overlap(rect, other_rect, 0.02)
    sizes = {member.id: member for member in items(case.members)}
    for id_, rect in drawn.items.items():
        assert (rect.width, rect.height) == pytest.approx((sizes[id_].width, sizes[id_].height), abs=0.1)


def items(members: tuple[Item | Cluster, ...]) -> list[Item]:
    return [item for member in members for item in ([member] if isinstance(member, Item) else items(member.members))]


@given(cases())
def test_routes_lead_from_box_to_box_and_back_where_a_loop_began(case: Case) -> None:
    drawn = graphviz.layout(case.members, case.links, case.direction)
    assert drawn.back == case.draw().back
    for link, route in zip(case.links, drawn.routes, strict=True):
        assert len(route) % 3 == 1
        for (x, y), end in ((route[0], link.source), (route[-1], link.target)):
            rect = boxes(drawn)[end]
            assert math.isfinite(x + y)
            assert rect.x - 1 <= x <= rect.x + rect.width + 1
            assert rect.y - 1 <= y <= rect.y + rect.height + 1
    for link, label in zip(case.links, drawn.labels, strict=True):
        assert (label is not None) == bool(link.label_width)


def test_what_is_wrong_with_a_graph_is_said_as_by_our_layout() -> None:
    with pytest.raises(ValueError, match="there is no 'b'"):
        graphviz.layout([Item("a", 10, 10)], [Link("a", "b")])


def test_a_picture_by_graphviz_differs_only_in_where_things_are() -> None:
    """V1: the same boxes, words and tooltips."""
    for graph in (verbs, house):
        ours, other = draw.svg(graph), draw.svg(graph, engine="graphviz")
        assert ours != other
        assert sorted(re.findall(r">([^<>]+)<", ours)) == sorted(re.findall(r">([^<>]+)<", other))


def test_the_command_line_draws_by_graphviz(cli: Cli) -> None:
    drawn = cli("graph", "flows.py:greet", "-f", "svg", "--engine", "graphviz")
    assert drawn.out.startswith("<svg ")
    assert "--engine: only with --format svg or png" in cli("graph", "flows.py:greet", "--engine", "graphviz").err


def test_where_graphviz_is_not_installed_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    graphviz._pygraphviz.cache_clear()
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(UsageError, match=r"pip install 'graphrt\[graphviz\]'"):
        draw.svg(verbs, engine="graphviz")
    with pytest.raises(UsageError, match="engine 'elk' is neither"):
        draw.svg(verbs, engine="elk")  # type: ignore[arg-type]
    graphviz._pygraphviz.cache_clear()
