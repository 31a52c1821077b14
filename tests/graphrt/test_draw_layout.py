"""The layout: nothing overlaps, nothing is crossed out, arrows lead one way, and the picture is always the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrt.draw.layout import Cluster, Direction, Item, Layout, Link, Point, Rect, layout
from graphrt.draw.layout.cycles import back_edges
from graphrt.draw.layout.grid import Grid
from graphrt.draw.layout.order import crossings, order
from graphrt.draw.layout.places import DUMMY_GAP, ITEM_GAP, places
from graphrt.draw.layout.ports import spread
from graphrt.draw.layout.ranks import ranks
from graphrt.draw.layout.stagger import staggered


@dataclass(frozen=True)
class Case:
    """A graph to lay out, and which way."""

    members: tuple[Item | Cluster, ...]
    links: tuple[Link, ...]
    direction: Direction

    def draw(self) -> Layout:
        return layout(self.members, self.links, self.direction)


def walk(members: Sequence[Item | Cluster], inside: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every box and the clusters around it."""
    for member in members:
        yield member.id, inside
        if isinstance(member, Cluster):
            yield from walk(member.members, (*inside, member.id))


def lengths(least: int, most: int) -> st.SearchStrategy[float]:
    """Whole pixels as often as hundredths, which is what lettering measures."""
    return st.integers(least, most) | st.integers(100 * least, 100 * most).map(lambda hundredths: hundredths / 100)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Up to 14 items in clusters up to three levels deep, linked at random, loops and labels and all."""
    count = 0

    def some(depth: int) -> tuple[Item | Cluster, ...]:
        nonlocal count
        members: list[Item | Cluster] = []
        for _ in range(draw(st.integers(0 if depth else 1, 5))):
            count += 1
            if depth < 3 and draw(st.integers(0, 3)) == 0:
                id_ = f"c{count}"
                members.append(Cluster(id_, some(depth + 1), draw(lengths(0, 200)), draw(st.sampled_from((0, 14)))))
            elif count < 15:
                members.append(Item(f"i{count}", draw(lengths(10, 180)), draw(lengths(10, 60))))
        return tuple(members)

    members = some(0)
    around = dict(walk(members))
    names = list(around)
    ends = st.sampled_from(names) if names else st.nothing()
    labels = st.sampled_from([(0, 0), (0, 0), (40.51, 12), (120, 12.35)])
    links = []
    for _ in range(draw(st.integers(0, 24)) if names else 0):
        source, target = draw(ends), draw(ends)
        if source not in around[target] and target not in around[source]:
            links.append(Link(source, target, *draw(labels)))
    return Case(members, tuple(links), draw(st.sampled_from(("down", "right"))))


def overlap(one: Rect, other: Rect, least: float = 0.0) -> bool:
    return (
        one.x < other.x + other.width - least
        and other.x < one.x + one.width - least
        and one.y < other.y + other.height - least
        and other.y < one.y + one.height - least
    )


def within(inner: Rect, outer: Rect) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width + 0.02
        and inner.y + inner.height <= outer.y + outer.height + 0.02
    )


def curves(route: Sequence[Point]) -> Iterator[tuple[Point, ...]]:
    """The cubic curves of a route."""
    for number in range(0, len(route) - 3, 3):
        yield tuple(route[number : number + 4])


def along(curve: Sequence[Point], steps: int = 16) -> Iterator[Point]:
    """Points on a curve."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = curve
    for step in range(steps + 1):
        t = step / steps
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        yield a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy


def hits(route: Sequence[Point], rect: Rect) -> bool:
    """Whether a route runs through a box, its border left out. Curves that are not near are not looked at."""
    left, top, right, bottom = rect.x + 0.1, rect.y + 0.1, rect.x + rect.width - 0.1, rect.y + rect.height - 0.1
    for curve in curves(route):
        xs, ys = [x for x, _ in curve], [y for _, y in curve]
        if max(xs) <= left or right <= min(xs) or max(ys) <= top or bottom <= min(ys):
            continue
        if min(xs) == max(xs) or min(ys) == max(ys):
            return True
        if any(left < x < right and top < y < bottom for x, y in along(curve)):
            return True
    return False


def boxes(drawn: Layout) -> Mapping[str, Rect]:
    return {**drawn.items, **drawn.clusters}


# What is where.


@given(cases())
def test_boxes_overlap_only_if_one_is_inside_the_other(case: Case) -> None:
    """Every box is in its clusters and outside all others (V1)."""
    found = boxes(case.draw())
    around = dict(walk(case.members))
    assert set(found) == set(around)
    for (one, rect), (other, other_rect) in combinations(found.items(), 2):
        if other in around[one]:
            assert within(rect, other_rect)
        elif one in around[other]:
            assert within(other_rect, rect)
        else:
            assert not overlap(rect, other_rect)


@given(cases())
def test_boxes_have_the_size_they_need(case: Case) -> None:
    """An item is as large as it was said to be; a cluster has room for its title above what is in it."""
    drawn = case.draw()

    def check(members: Sequence[Item | Cluster]) -> None:
        for member in members:
            rect = boxes(drawn)[member.id]
            if isinstance(member, Item):
                assert (rect.width, rect.height) == (member.width, member.height)
                continue
            assert rect.width >= member.title_width
            check(member.members)
            for inner in member.members:
                assert boxes(drawn)[inner.id].y >= rect.y + member.title_height

    check(case.members)


@given(cases())
def test_no_route_runs_through_a_box_that_is_not_around_its_ends(case: Case) -> None:
    """Routes keep clear of items, and of clusters that hold neither end (V1)."""
    drawn = case.draw()
    around = dict(walk(case.members))
    for link, route in zip(case.links, drawn.routes, strict=True):
        own = {link.source, link.target, *around[link.source], *around[link.target]}
        others = [rect for id_, rect in boxes(drawn).items() if id_ not in own]
        # a cluster that is an end is met at its border; items that are ends are not run through either
        others += [drawn.items[end] for end in {link.source, link.target} if end in drawn.items]
        others += [rect for id_, rect in drawn.items.items() if {link.source, link.target} & set(around[id_])]
        assert not any(hits(route, rect) for rect in others), link


@given(cases())
def test_a_route_begins_and_ends_at_its_boxes(case: Case) -> None:
    """Both ends of a route are on the borders of what it joins."""
    drawn = case.draw()
    for link, route in zip(case.links, drawn.routes, strict=True):
        for (x, y), end in ((route[0], link.source), (route[-1], link.target)):
            rect = boxes(drawn)[end]
            assert rect.x - 0.1 <= x <= rect.x + rect.width + 0.1
            assert rect.y - 0.1 <= y <= rect.y + rect.height + 0.1
            inside = rect.x + 0.1 < x < rect.x + rect.width - 0.1 and rect.y + 0.1 < y < rect.y + rect.height - 0.1
            assert not inside


@given(cases())
def test_no_label_is_covered(case: Case) -> None:
    """A label has a place that no item, label or route but its own is in (V1)."""
    drawn = case.draw()
    labels = [(number, rect) for number, rect in enumerate(drawn.labels) if rect is not None]
    assert [number for number, _ in labels] == [n for n, link in enumerate(case.links) if link.label_width]
    for number, rect in labels:
        link = case.links[number]
        assert (rect.width, rect.height) == pytest.approx((link.label_width, link.label_height), abs=0.02)
        assert not any(overlap(rect, other) for other in drawn.items.values())
        assert not any(overlap(rect, other) for n, other in labels if n != number)
        for other, route in enumerate(drawn.routes):
            crossed = hits(route, rect)
            assert not crossed or other == number
            assert crossed or other != number or link.source == link.target


@given(cases())
def test_everything_is_in_the_picture(case: Case) -> None:
    """Every coordinate is a number inside the whole."""
    drawn = case.draw()
    whole = Rect(0, 0, drawn.width, drawn.height)
    for rect in (*boxes(drawn).values(), *filter(None, drawn.labels)):
        assert within(rect, whole)
    for route in drawn.routes:
        for x, y in route:
            assert math.isfinite(x)
            assert math.isfinite(y)
        for x, y in (point for curve in curves(route) for point in along(curve)):
            assert -0.1 <= x <= drawn.width + 0.1
            assert -0.1 <= y <= drawn.height + 0.1


@pytest.mark.parametrize("direction", ["down", "right"])
def test_hundredths_of_a_pixel_put_nothing_outside_the_picture(direction: Direction) -> None:
    """A box whose half ends in thousandths begins and ends where the picture does (V1)."""
    for size in range(6000, 6100):
        across = size / 100
        drawn = layout([Item("a", across, across), Item("b", 40, 20)], chain("a", "b"), direction)
        assert (drawn.items["a"].x, drawn.items["a"].y) == (0, 0)
        widest = drawn.width if direction == "down" else drawn.height
        assert widest == pytest.approx(across, abs=1e-9)


@given(cases())
def test_links_lead_one_way_except_those_that_lead_back(case: Case) -> None:
    """Forward is down, or to the right; back is the other way, all along the route (V1)."""
    drawn = case.draw()
    for link, route, back in zip(case.links, drawn.routes, drawn.back, strict=True):
        if link.source == link.target:
            assert not back
            continue
        way = [y if case.direction == "down" else x for x, y in route]
        assert way == sorted(way, reverse=back)
        assert way[0] != way[-1]


@settings(max_examples=settings().max_examples // 2)
@given(cases())
def test_to_the_right_is_down_with_x_and_y_changed(case: Case) -> None:
    """Both directions are one layout: what is said of one holds for the other."""
    clusterless = tuple(member for member in case.members if isinstance(member, Item))
    ids = {item.id for item in clusterless}
    links = [link for link in case.links if {link.source, link.target} <= ids]
    down = layout(clusterless, links, "down")
    turned = [Item(item.id, item.height, item.width) for item in clusterless]
    labels = [Link(link.source, link.target, link.label_height, link.label_width) for link in links]
    right = layout(turned, labels, "right")
    assert (right.width, right.height) == (down.height, down.width)
    assert right.routes == tuple(tuple((y, x) for x, y in route) for route in down.routes)


# The same every time.


@settings(max_examples=settings().max_examples // 2)
@given(cases())
def test_the_same_graph_is_laid_out_the_same(case: Case) -> None:
    """To the bit (V1)."""
    assert repr(case.draw()) == repr(case.draw())


# How it looks.


def chain(*ids: str) -> list[Link]:
    return [Link(one, other) for one, other in pairwise(ids)]


def items(ids: str) -> list[Item]:
    return [Item(id_, 60, 30) for id_ in ids]


def test_a_long_link_is_straight() -> None:
    """It bends where it leaves the row of its start and where it comes to that of its end, and nowhere else."""
    drawn = layout(items("abcdef"), [*chain(*"abcdef"), Link("a", "f")])
    xs = [x for x, _ in drawn.routes[-1]]
    assert len(set(xs)) <= 3
    assert drawn.crossings == 0


def test_a_chain_is_straight() -> None:
    """Boxes of a chain are under one another, whatever their width."""
    drawn = layout([Item(id_, 40 + 20 * n, 30) for n, id_ in enumerate("abcd")], chain(*"abcd"))
    assert len({x for route in drawn.routes for x, _ in route}) == 1


def test_a_tree_has_no_crossings_and_its_root_is_in_the_middle() -> None:
    """The children of a box are side by side under it, in the order in which they were given."""
    drawn = layout(items("abcd"), [Link("a", id_) for id_ in "bcd"])
    assert drawn.crossings == 0
    assert drawn.items["b"].x < drawn.items["c"].x < drawn.items["d"].x
    assert drawn.items["a"].x == drawn.items["c"].x


def test_crossings_that_can_be_avoided_are() -> None:
    """Given in the wrong order, the lower row is turned around."""
    drawn = layout(items("abcxyz"), [Link("a", "z"), Link("b", "y"), Link("c", "x"), Link("a", "y")])
    assert drawn.crossings == 0


def test_links_between_clusters_keep_their_order() -> None:
    """The lower cluster is laid out so that links come in as they leave the upper one (V1)."""
    upper, lower = Cluster("upper", tuple(items("abc"))), Cluster("lower", tuple(items("zyx")))
    drawn = layout([upper, lower], [Link("a", "x", 40, 12), Link("b", "y"), Link("c", "z", 40, 12)])
    assert drawn.crossings == 0
    assert drawn.items["x"].x < drawn.items["y"].x < drawn.items["z"].x


def test_crossings_are_those_of_the_picture() -> None:
    """Two on two cross once, wherever the boxes are."""
    drawn = layout(items("abxy"), [Link(one, other) for one in "ab" for other in "xy"])
    assert drawn.crossings == 1


def test_a_loop_returns_to_where_it_was_entered() -> None:
    """Loops in loops: only the edges to a header lead back (V1)."""
    # 0 -> 1 -> 2 -> 3 -> 4, with 3 -> 2 in 4 -> 1
    edges = [(0, 1), (1, 2), (2, 3), (3, 2), (3, 4), (4, 1)]
    assert back_edges(5, edges) == [False, False, False, True, False, True]


def test_a_loop_is_entered_where_the_rest_leads_in_whatever_the_order() -> None:
    """The header is the node entered from outside, even if it is given last."""
    # the loop is 0 -> 1 -> 2 -> 0; 3 leads into 2
    assert back_edges(4, [(0, 1), (1, 2), (2, 0), (3, 2)]) == [False, True, False, False]


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_what_leads_back_is_as_little_as_can_be(graph: tuple[int, list[tuple[int, int]]]) -> None:
    """Without the edges that lead back there is no loop; with any one of them there is (V1)."""
    count, edges = graph
    back = back_edges(count, edges)
    forward = [edge for edge, turned in zip(edges, back, strict=True) if not turned]
    reach = {node: {node} for node in range(count)}
    for _ in range(count):
        for source, target in forward:
            reach[source] |= reach[target]
    assert not any(source in reach[target] for source, target in forward)
    assert all(source in reach[target] for (source, target), turned in zip(edges, back, strict=True) if turned)
    down = [(b, a) if turned else (a, b) for (a, b), turned in zip(edges, back, strict=True) if a != b]
    rank = ranks(count, down)
    assert all(rank[source] < rank[target] for source, target in down)
    assert set(rank) == set(range(max(rank) + 1))


@pytest.mark.parametrize(
    ("members", "links", "says"),
    [
        ([Item("a", 1, 1), Item("a", 1, 1)], [], "two boxes have the id 'a'"),
        ([Item("", 1, 1)], [], "a box has no id"),
        ([Item("a", 1, 1)], [Link("a", "b")], "there is no 'b'"),
        ([Cluster("c", (Item("a", 1, 1),))], [Link("a", "c")], "one of them is inside the other"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(members: list[Item | Cluster], links: list[Link], says: str) -> None:
    """The message names the boxes."""
    with pytest.raises(ValueError, match=says):
        layout(members, links)


# The parts.


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=6))
def test_crossings_are_counted_as_one_would_with_a_pencil(targets: list[list[int]]) -> None:
    """Every pair of edges is looked at; parallel ones and those that share an end do not cross."""
    upper = list(range(len(targets)))
    lower = list(range(10, 16))
    downs = [[10 + target for target in ends] for ends in targets] + [[]] * 16
    edges = [(source, target) for source, ends in enumerate(targets) for target in ends]
    wanted = sum(a < c and b > d for a, b in edges for c, d in edges)
    assert crossings([upper, lower], downs) == wanted


def rows(draw: st.DataObject) -> Grid:
    """A graph in rows, at random, with some dummies in chains."""
    counts = draw.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    grid = Grid(rows=[[] for _ in counts])
    for row, count in enumerate(counts):
        for _ in range(count):
            dummy = draw.draw(st.booleans())
            reach = 0.0 if dummy else float(draw.draw(st.integers(1, 80)))
            grid.add(row, reach, reach * 1.5, 10, dummy=dummy)
    for above, below in pairwise(grid.rows):
        for one in above:
            for other in below:
                single = (grid.dummy[one] and grid.downs[one]) or (grid.dummy[other] and grid.ups[other])
                if not single and draw.draw(st.booleans()):
                    grid.chain([one, other])
    return grid


@given(st.data())
def test_ordering_loses_nothing_and_does_not_make_it_worse(data: st.DataObject) -> None:
    """Every row holds the nodes it held, and there are as many crossings as it says, no more than at first."""
    grid = rows(data)
    before = [sorted(row) for row in grid.rows]
    first = crossings(grid.rows, grid.downs)
    left = order(grid)
    assert [sorted(row) for row in grid.rows] == before
    assert left == crossings(grid.rows, grid.downs) <= first


@given(st.data())
def test_nodes_of_a_row_keep_their_distance(data: st.DataObject) -> None:
    """In order, and at least a gap apart."""
    grid = rows(data)
    x = places(grid)
    for row in grid.rows:
        for one, other in pairwise(row):
            gap = DUMMY_GAP if grid.dummy[one] or grid.dummy[other] else ITEM_GAP
            assert x[other] - grid.left[other] - x[one] - grid.right[one] >= gap - 0.001


@given(st.integers(20, 600), st.lists(st.floats(-500, 500), min_size=1, max_size=20))
def test_links_meet_a_side_in_order_and_apart(width: int, wanted: list[float]) -> None:
    """On the side, not at its corners; one that is alone is where it wants to be, or as near as can be."""
    placed = spread(width, sorted(wanted))
    assert all(abs(x) <= width / 2 - 0.02 * width for x in placed)
    gaps = [other - one for one, other in pairwise(placed)]
    assert not gaps or min(gaps) >= min(12, 0.59 * width / len(gaps)) - 0.001
    if len(wanted) == 1:
        reach = width * (0.45 if width > 400 else 0.3)
        assert placed[0] == pytest.approx(min(max(wanted[0], -reach), reach))


# Rows that would be too wide.


@st.composite
def fans(draw: st.DrawFn) -> Case:
    """Many boxes between the same two others, some of them clusters, or linked otherwise as well."""
    count = draw(st.integers(16, 26))
    names = [f"i{number}" for number in range(count)]
    fan: list[Item | Cluster] = []
    for name in names:
        item = Item(name, draw(lengths(60, 180)), draw(lengths(20, 60)))
        fan.append(Cluster(f"c{name}", (item,), 40, 14) if draw(st.integers(0, 9)) == 0 else item)
    ends = [f"c{name}" if isinstance(box, Cluster) else name for name, box in zip(names, fan, strict=True)]
    label = draw(st.sampled_from([(0, 0), (40, 12), (40.51, 12.35)]))
    links = [Link("from", end, *label) for end in ends] + [Link(end, "to") for end in ends]
    links += [
        Link(draw(st.sampled_from(ends)), draw(st.sampled_from([*ends, "from", "to"])))
        for _ in range(draw(st.integers(0, 3)))
    ]
    members: tuple[Item | Cluster, ...] = (Item("from", 100, 40), *fan, Item("to", 60, 30))
    if draw(st.booleans()):
        members = (Cluster("around", members, 100, 14), Item("after", 80, 40))
        links.append(Link(draw(st.sampled_from(["around", "to", *ends[:3]])), "after"))
    return Case(members, tuple(links), draw(st.sampled_from(("down", "right"))))


@settings(max_examples=settings().max_examples // 2)
@given(fans())
def test_what_holds_of_every_layout_holds_where_rows_are_staggered(case: Case) -> None:
    for holds in (
        test_boxes_overlap_only_if_one_is_inside_the_other,
        test_boxes_have_the_size_they_need,
        test_no_route_runs_through_a_box_that_is_not_around_its_ends,
        test_a_route_begins_and_ends_at_its_boxes,
        test_no_label_is_covered,
        test_everything_is_in_the_picture,
        test_links_lead_one_way_except_those_that_lead_back,
    ):
        holds.hypothesis.inner_test(case)  # type: ignore[attr-defined]


def test_boxes_side_by_side_stand_in_two_rows_where_one_would_be_too_wide() -> None:
    """V1: half as wide, and nothing crosses."""
    boxes_ = [Item(f"i{number}", 100, 40) for number in range(24)]
    links = [link for box in boxes_ for link in (Link("from", box.id), Link(box.id, "to"))]
    drawn = layout((Item("from", 100, 40), *boxes_, Item("to", 100, 40)), links)
    assert drawn.crossings == 0
    assert drawn.width < 1700 < 24 * 100 + 23 * ITEM_GAP
    rows = [drawn.items[box.id].y for box in boxes_]
    assert rows == [rows[0], rows[1]] * 12
    assert rows[0] < rows[1]


def test_only_boxes_that_are_alike_change_their_row() -> None:
    """Those with other neighbours, and those that are bound otherwise, stay; so does a row that is narrow enough."""
    edges = [(0, node) for node in range(1, 9)] + [(node, 9) for node in range(1, 7)] + [(7, 10)]
    rank = [0, *[1] * 8, 2, 2]
    assert staggered(rank, [400.0] * 11, edges, {1}) == [0, 1, 1, 2, 1, 2, 1, 1, 1, 3, 3]
    assert staggered(rank, [100.0] * 11, edges, ()) == rank
    assert staggered(rank, [400.0] * 11, [*edges, (2, 10), (3, 10), (4, 10)], {1}) == rank, "two alike are too few"
