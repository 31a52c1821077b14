"""A run in time on a terminal: fitted to its width, in its letters, by the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.draw.timeline.spans import course_of
from graphrt.facts import RunFinished, StepFailed
from graphrt.types import StepKey
from graphrt.view.bars import lines_of
from graphrt.view.table import wide
from tests.graphrt.command import Cli, Terminal
from tests.graphrt.test_draw_timeline import LIMITED, Tale, began, finished, record_of, started, tales, waits_two_days


@given(tales(), st.integers(1, 200), st.booleans())
def test_no_line_is_wider_than_the_terminal_nor_has_letters_that_it_does_not_know(
    tale: Tale, width: int, ascii_only: bool
) -> None:
    lines = lines_of(course_of(tale.record, tale.now), width, ascii_only=ascii_only)
    assert all(wide(line) <= width for line in lines)
    assert not ascii_only or all(line.isascii() and line.isprintable() for line in lines)


def bars(width: int = 72) -> list[str]:
    return lines_of(course_of(waits_two_days()), width)


def test_each_node_has_a_line_with_a_mark_and_bars_and_a_word() -> None:
    assert bars()[2:] == [
        "✓ draft    ██████████████████┆         ┆                        finished",
        "✓ approve                   ░░         ░░                       finished",
        "✓ publish                    ┆         ┆████✗········█████████  finished",
        "█ finished  ✗ failed  ░ waiting  · pause",
    ]


def test_what_is_cut_short_says_how_long_it_was() -> None:
    assert re.fullmatch(r" +0 +1 d 23 h +\+5 s", bars()[1])


def test_an_attempt_that_failed_was_at_work_until_then() -> None:
    facts = [began(), started(0.0, "a"), (9.0, StepFailed(StepKey("a"), 1, LIMITED)), started(0.0, "b")]
    lines = lines_of(course_of(record_of(*facts, finished(10.0, "b"), (10.0, RunFinished(b"1")))), 40)
    assert [line.split()[2] for line in lines if line.startswith("✗ a")] == ["█" * 22 + "✗"]


@pytest.mark.parametrize(("width", "shown"), [(200, True), (80, True), (44, True), (26, False), (12, False)])
def test_where_there_is_no_room_the_words_go_and_then_the_bars(width: int, shown: bool) -> None:
    lines = bars(width)
    assert any("✗·" in line for line in lines) == shown
    assert any(line.startswith("✓ approve") for line in lines)


def test_a_terminal_of_plain_letters_gets_plain_letters() -> None:
    assert "+ publish " in "\n".join(lines_of(course_of(waits_two_days()), 72, ascii_only=True))


def test_show_draws_the_timeline_of_a_run(cli: Cli, terminal: Terminal, folder: Path) -> None:
    """As lines, SVG, PNG or JSON; of a run, not of a step (V2, V3)."""
    cli("run", "flows.py:fragile", "--text", "a", "--run-id", "r")
    lines = cli("show", "r", "--timeline").out.splitlines()
    assert lines[0].startswith("✗ failed  run r of fragile  began ")
    assert [line.split()[:2] for line in lines[2:4]] == [["✓", "shout"], ["✗", "check_mended"]]
    assert cli("show", "r", "--timeline", "-f", "text").out.splitlines() == lines
    narrow = terminal(50, "show", "@last", "--timeline").splitlines()
    assert all(len(line) <= 50 for line in narrow)
    assert "\x1b[31m✗" in terminal(80, "show", "r", "--timeline", colours=True)
    svg = cli("show", "r", "--timeline", "-f", "svg", "--theme", "dark").out
    assert svg.startswith("<svg ")
    assert "ValueError: it is broken" in svg
    assert cli("show", "r", "--timeline", "-f", "png", "-o", "r.png", "--json").data["output"] == "r.png"
    assert (folder / "r.png").read_bytes().startswith(b"\x89PNG")
    told = cli("show", "r", "--timeline", "--json").data
    assert [(span["step"], span["status"]) for span in told["spans"]] == [
        ("shout", "finished"),
        ("check_mended", "failed"),
    ]


def test_the_timeline_says_what_an_attempt_spent(cli: Cli) -> None:
    cli("run", "flows.py:talk", "--text", "a", "--model", "fast=scripted:hello", "--run-id", "r")
    assert re.search("say\nfinished · attempt 1\n.*\ntokens ", cli("show", "r", "--timeline", "-f", "svg").out)


def test_what_does_not_go_together_is_refused(cli: Cli) -> None:
    cli("run", "flows.py:fragile", "--text", "a", "--run-id", "r")
    for line, words in [
        ("show r -f svg", "--format: only with --timeline"),
        ("show r --theme dark -o x", "--output, --theme: only with --timeline"),
        ("show r --timeline --theme dark", "--theme: only with --format svg or png"),
        ("show r@shout --timeline", "--timeline is of a run, and r@shout is a step"),
        ("show r --timeline -o nowhere/x", "--output nowhere/x: No such file or directory"),
        ("show r --timeline -f png --json", "png is no text; write it to a file with --output FILE"),
    ]:
        said = cli(*line.split())
        assert (said.code, words in said.err) == (2, True), line
