"""Tables of the command line: what goes and what stays as a terminal gets narrower (V2, V3)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrt.clock import lasted
from graphrt.view.table import Column, cut, flowed, lines_of, plain, wide
from graphrt.view.terminal import _COLOURS
from graphrt.view.words import MARKS, when_shortly
from tests.graphrt.command import Cli, Terminal

TEXT = st.text(st.characters(codec="utf-8", categories=["L", "M", "N", "P", "Z", "So", "Cc"]), max_size=30)


def columns_of(rows: list[tuple[str, str, str]]) -> list[Column]:
    names, counts, words = zip(*rows, strict=True)
    return [
        Column("NAME", names, 0, least=1),
        Column("N", counts, 2, shorter=[count[:1] for count in counts], right=True),
        Column("WORDS", words, 1, least=8),
    ]


ROWS = [("one", "1000", "a word or two"), ("two", "2", "three words")]


def test_a_table_is_aligned_under_its_heads() -> None:
    """Numbers to the right, words to the left, nothing at the ends of lines."""
    assert lines_of(columns_of(ROWS)) == [
        "NAME     N  WORDS",
        "one   1000  a word or two",
        "two      2  three words",
    ]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (25, ["NAME     N  WORDS", "one   1000  a word or two", "two      2  three words"]),
        (24, ["NAME  N  WORDS", "one   1  a word or two", "two   2  three words"]),
        (20, ["NAME  N  WORDS", "one   1  a word or …", "two   2  three words"]),
        (16, ["NAME  WORDS", "one   a word or…", "two   three wor…"]),
        (9, ["NAME", "one", "two"]),
        (2, ["", "o…", "t…"]),
    ],
)
def test_columns_are_shortened_then_left_out_the_least_important_first(width: int, lines: list[str]) -> None:
    """The first column is there at any width."""
    assert lines_of(columns_of(ROWS), width) == lines


def test_long_words_leave_room_for_what_is_shown_whole_or_not_at_all() -> None:
    """A date in full comes before the fiftieth letter of an error, not before the tenth."""
    columns = [
        Column("RUN", ["r"], 0),
        Column("BEGAN", ["2026-11-26 21:54:14"], 2, shorter=["21:54"]),
        Column("", ["x" * 300], 1, least=8),
    ]
    assert lines_of(columns, 50)[1].split()[1:] == ["21:54", "x" * 37 + "…"]
    assert lines_of(columns, 90)[1].split()[1:] == ["2026-11-26", "21:54:14", "x" * 63 + "…"]


@settings(max_examples=40)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=4), st.integers(2, 90))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], width: int) -> None:
    """Whatever is in the cells: wide letters, marks on letters, line ends, what a terminal would obey."""
    lines = lines_of(columns_of(rows), width)
    assert all(wide(line) <= width for line in lines)
    assert not any(re.search(r"[\x00-\x1f\x7f-\x9f]", line) for line in lines)
    if lines:
        assert len(lines) == len(rows) + 1


@given(TEXT.map(plain), st.integers(0, 20), st.booleans())
def test_what_is_cut_says_so(text: str, width: int, keep_end: bool) -> None:
    """It is never wider than asked for, and never longer than it was."""
    found = cut(text, width, keep_end=keep_end)
    assert wide(found) <= width
    assert found == text or not found or found[-1 if not keep_end else 0] == "…"


def test_wide_letters_take_two_columns_and_marks_on_letters_none() -> None:
    """As a terminal shows them."""
    assert [wide(text) for text in ("abc", "日本", "e\u0301", "\x1b[32m✓\x1b[0m")] == [3, 4, 1, 1]
    assert cut("日本語", 5) == "日本…"
    assert cut("editor/review#3", 8, keep_end=True) == "…eview#3"


def test_a_column_without_a_word_is_left_out_and_without_rows_there_is_no_table() -> None:
    """Heads over nothing tell nothing."""
    assert lines_of([Column("A", ["x"], 0), Column("B", [""], 1)]) == ["A", "x"]
    assert lines_of([Column("A", [], 0)]) == []


def test_words_that_belong_together_stay_on_one_line() -> None:
    """A new line begins where the next ones would not fit."""
    assert flowed(["run r", "✓ finished", "began then"], 18) == ["run r  ✓ finished", "began then"]
    assert flowed(["a", "b"]) == ["a  b"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0004, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (3.21, "3.21 s"),
        (12.34, "12.3 s"),
        (59.99, "1 m 0 s"),
        (61, "1 m 1 s"),
        (3_700, "1 h 1 m"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_says_it_best(seconds: float, words: str) -> None:
    assert lasted(seconds) == words


def test_a_moment_of_today_is_told_by_its_time_and_another_by_its_day() -> None:
    """Five letters each."""
    now = 1_700_000_000.0
    assert re.fullmatch(r"\d\d:\d\d", when_shortly(now, now))
    assert re.fullmatch(r"\d\d-\d\d", when_shortly(now - 90_000, now))


def test_ls_and_show_fit_the_terminal(cli: Cli, terminal: Terminal) -> None:
    """80 columns lose a part of the date, 40 all but run and status; 10 are no error."""
    cli("run", "flows.py:fragile", "--text", "a" * 300, "--run-id", "261126-120000-abcdef")
    cli("run", "flows.py:greet", "--text", "a", "--run-id", "261126-120001-abcdef")
    for width in (200, 80, 40, 10):
        listed = terminal(width, "ls").splitlines()
        assert max(map(wide, listed)) <= width
        assert [line[:3] for line in listed[1:]] == ["261", "261"]
        assert [mark for line in listed for mark in line if mark in "✓✗"] == ["✓", "✗"]
        steps = terminal(width, "show", "@last-failed").splitlines()
        table = [line for line in steps if line[:1] in "✓✗ "]
        assert max(map(wide, table)) <= width
    assert "A" * 150 in terminal(200, "show", "@last-failed")
    assert "ValueError" in terminal(80, "ls")
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", terminal(120, "ls"))


def test_a_line_of_progress_fits_the_terminal(terminal: Terminal) -> None:
    """As much of a value as there is room for."""
    for width in (30, 80, 200):
        shown = terminal(width, "run", "flows.py:greet", "--text", "a" * 300).splitlines()
        [line] = [line for line in shown if line.startswith("✓ shout")]
        assert wide(line) == width
        assert line.endswith("…")


def test_what_a_node_says_cannot_move_the_cursor(cli: Cli, terminal: Terminal) -> None:
    """Words that came from a model are no orders to the terminal."""
    cli("run", "flows.py:greet", "--text", "\x1b[2Jaway\x9b1A", "--run-id", "r")
    assert "\x9b" not in terminal(80, "ls")
    shown = terminal(80, "show", "r")
    assert "\x1b" not in shown
    assert "\x9b" not in shown


def test_colours_say_nothing_that_words_do_not(cli: Cli, terminal: Terminal) -> None:
    """NO_COLOR and colour show the same letters (V2)."""
    cli("run", "flows.py:fragile", "--text", "a", "--run-id", "r")
    for argv in (("ls",), ("show", "r")):
        coloured = terminal(80, *argv, colours=True)
        assert "\x1b[31m✗\x1b[0m" in coloured
        assert re.sub(r"\x1b\[\d+m", "", coloured) == terminal(80, *argv)


def test_every_status_has_a_mark_of_its_own_and_a_colour() -> None:
    """V3: what is at work and what was left at work are not the same."""
    marks = {status: mark for status, mark in MARKS.items() if status != "suspended"}  # a run that waits
    assert len(set(marks.values())) == len(marks)
    assert set(MARKS.values()) <= set(_COLOURS)
