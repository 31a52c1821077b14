"""What the bench of layouts counts is what is to be seen."""

import math

import pytest

from graphrt.draw.layout import layout
from tests.bench.draw_peers import asked, crossings, ours, seen, told, turns
from tests.bench.sheet import Sheet, sheets


def test_lines_cross_where_they_meet_away_from_the_boxes_they_share() -> None:
    across, down = [(0, 5), (10, 5)], [(5, 0), (5, 5), (5, 10)]
    assert crossings(across, down) == 1  # in a corner of one of them, which belongs to two pieces
    assert crossings([(0, 0), (9, 9)], [(0, 0), (9, 0)]) == 0
    assert crossings([(0, 0), (9, 9)], [(0, 1), (0, 9)]) == 0
    assert crossings([(0, 0), (10, 0), (10, 10), (5, 10), (5, -5)], [(0, -2), (20, -2)]) == 1


def test_a_curve_turns_as_far_as_the_corner_in_its_place() -> None:
    corner = [(0, 0), (0, 10), (10, 10)]
    arc = [(10 - 10 * math.cos(at / 20 * math.pi / 2), 10 * math.sin(at / 20 * math.pi / 2)) for at in range(21)]
    assert turns(corner) == pytest.approx(1)
    assert turns(arc) == pytest.approx(1, abs=0.06)
    assert turns([(0, 0), (3, 3), (9, 9)]) == pytest.approx(0)


def test_a_peer_is_asked_for_the_graph_that_we_lay_out() -> None:
    sheet = next(each for each in sheets() if each.name == "nested")
    given = asked(sheet)
    wanted, laid = told(*given), ours(given)
    assert len(wanted["links"]) == len(laid["routes"]) > 0
    assert {"id", "members", "title_height"} in map(set, wanted["members"])
    assert seen(laid).cross == 0
    assert seen(laid).length > 0


@pytest.mark.parametrize("sheet", sheets(), ids=lambda sheet: sheet.name)
def test_our_lines_cross_as_often_as_the_order_of_their_boxes_makes_them(sheet: Sheet) -> None:
    """V1: two curves that do not change sides do not meet, however far apart they begin and however flat they are."""
    given = asked(sheet)
    assert seen(ours(given)).cross == layout(*given).crossings
