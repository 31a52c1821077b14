"""`size`, `prune` and `vacuum` as people and cron type them (V3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.graphrt.command import Cli, Terminal


def make(cli: Cli, *names: str) -> None:
    for name in names:
        assert cli("run", "flows.py:greet", "--text", "a" * 4000, "--run-id", name, "--quiet").code == 0


def test_size_says_what_takes_the_room(cli: Cli) -> None:
    """By table and by run, for people and for programs."""
    make(cli, "one", "two")
    said = cli("size", "--limit", "1")
    data = cli("size", "--json").data

    assert said.code == 0
    assert "2 runs, the largest first:" in said.out
    assert "… and 1 more" in said.out
    assert "prune --older-than 30d would remove 0 runs and free about 0 B" in said.out
    assert [run["run"] for run in data["runs"]] == ["one", "two"]
    assert data["runs"][0]["shared"] > 4000
    assert data["tables"]["facts"] > 0
    assert (data["prune"]["removed"], data["unused"]) == ([], 0)
    assert "would remove 2 runs and free about" in cli("size", "--older-than", "0s").out


def test_sizes_fit_the_terminal(cli: Cli, terminal: Terminal) -> None:
    """V3: of what there is no room for, the parts of a run's size go first, the run and its size last."""
    make(cli, "one", "two")
    for width in (200, 80, 40, 24):
        lines = terminal(width, "size").splitlines()
        table = lines[lines.index("2 runs, the largest first:") + 1 : -1]
        assert all(len(line) <= width for line in table)
        assert table[0].split()[:1] == ["RUN"]
        assert ("SIZE" in table[0], "STATUS" in table[0], "FACTS" in table[0]) == (True, width > 24, width > 40)
        assert {line.split()[1] for line in table[1:]} == {"one", "two"}


def test_prune_removes_what_ended_long_ago(cli: Cli) -> None:
    """What goes and what stays is said, before it happens if that is asked for."""
    make(cli, "one", "two", "three")
    dry = cli("prune", "--older-than", "0s", "--keep", "1", "--dry-run")
    assert dry.code == 0
    assert "would remove one  finished" in dry.out
    assert "kept three: it is among the newest 1" in dry.out
    assert len(cli("ls", "--json").data) == 3

    assert cli("prune", "--older-than", "1d").out == "0 runs, about 0 B are free\n"
    done = cli("prune", "--older-than", "0s", "--keep", "1")
    assert done.code == 0
    assert "removed one  finished" in done.out
    assert "graphrt vacuum" in done.err
    assert [run["id"] for run in cli("ls", "--json").data] == ["three"]
    assert cli("show", "one").code == 4
    data = cli("prune", "--older-than", "0s", "--json").data
    assert [gone["run"] for gone in data["removed"]] == ["three"]


def test_prune_takes_only_the_statuses_it_is_given(cli: Cli) -> None:
    """A failed run may still be wanted."""
    make(cli, "fine")
    assert cli("run", "flows.py:fragile", "--text", "x", "--run-id", "broken").code == 1
    assert "removed broken  failed" in cli("prune", "--older-than", "0s", "--status", "failed,cancelled").out
    assert [run["id"] for run in cli("ls", "--json").data] == ["fine"]


def test_vacuum_makes_the_file_smaller(cli: Cli, folder: Path) -> None:
    """Before and after are said, for people and for programs."""
    make(cli, *(f"run {n}" for n in range(8)))
    assert cli("prune", "--older-than", "0s").code == 0
    before = (folder / "graphrt.db").stat().st_size
    said = cli("vacuum")

    assert said.code == 0
    assert "(rewritten)" in said.out
    assert (folder / "graphrt.db").stat().st_size < before
    assert cli("vacuum", "--incremental", "--json").data["rewritten"]
    assert not cli("vacuum", "--incremental", "--json").data["rewritten"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["prune"], "--older-than"),
        (["prune", "--older-than", "30"], "is no age; write 30d"),
        (["prune", "--older-than", "d"], "is no age"),
        (["prune", "--older-than", "1d", "--status", "running"], "'running' is no way to end"),
        (["prune", "--older-than", "1d", "--keep", "-1"], "less than 0"),
    ],
)
def test_what_cannot_be_meant_exits_with_2(cli: Cli, argv: list[str], words: str) -> None:
    """And says what to write."""
    said = cli(*argv)

    assert said.code == 2
    assert words in said.err


@pytest.mark.parametrize("argv", [["size"], ["prune", "--older-than", "1d"], ["vacuum"]])
def test_a_store_that_is_not_there_exits_with_4_and_is_not_made(cli: Cli, folder: Path, argv: list[str]) -> None:
    """Looking for old runs in the wrong place makes no new store there."""
    said = cli(*argv, "--store", "nowhere.db")

    assert said.code == 4
    assert "nowhere.db" in said.err
    assert not (folder / "nowhere.db").exists()
