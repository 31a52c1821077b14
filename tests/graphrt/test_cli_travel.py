"""The command line's time travel: forks, retries, replays, comparisons, and runs whose graph has changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.graphrt.command import Cli, Terminal

DIGEST = '''
"""A digest of what two sources say of a topic."""
from pathlib import Path

from graphrt import dag, each, node
from graphrt.nodes import generated, llm


@node
async def read(topic: str) -> list[str]:
    return [f"{topic} one", f"{topic} two"]


@llm("Sum up in a word: {{ text }}", model="fast")
def sum_up(text: str) -> str:
    return generated()


@node(effect="none")
def join(parts: list[str]) -> str:
    return ", ".join(parts)


@node(effect="once")
async def publish(text: str) -> str:
    with Path("published").open("a") as out:
        out.write(text + "\\n")
    return f"published {text}"


@node
async def check(text: str) -> str:
    if not Path("mended").exists():
        raise ValueError("it is broken")
    return text


@dag
def digest(topic: str) -> str:
    return publish(join(each(sum_up, read(topic))))


@dag
def checked(topic: str) -> str:
    return check(join(read(topic)))
'''


@pytest.fixture(autouse=True)
def digest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = folder / "digest.py"
    path.write_text(DIGEST, encoding="utf-8")
    monkeypatch.setenv("GRAPHRT_MODEL_FAST", "scripted:short")
    return path


@pytest.fixture
def recorded(cli: Cli) -> str:
    assert cli("run", "digest.py:digest", "--topic", "tides", "--run-id", "d").out == "published short, short\n"
    return "d"


def published(folder: Path) -> list[str]:
    return (folder / "published").read_text().splitlines()


# fork


def test_a_fork_with_another_model_asks_anew_and_reuses_the_rest(cli: Cli, folder: Path, recorded: str) -> None:
    """D9, D10: what is run again is said before it is; the parent is untouched; the binding is the fork's own."""
    before = cli("show", recorded, "--json").data
    said = cli("fork", recorded, "--model", "fast=scripted:long", "--again", "--run-id", "e")
    assert (said.code, said.out) == (0, "published long, long\n")
    assert said.err.startswith("fork of run d of digest: re-executes 4, reuses 1\nrun e\n✓ each:sum_up[0]")
    assert cli("show", recorded, "--json").data == before
    shown = cli("show", "e").out
    assert "  forked from d\n" in shown
    assert "\n✓ read " in shown
    assert '["tides one","tides two"]  (shared with d)\n' in shown
    assert shown.count("shared with") == 1
    assert {run["id"]: run["parent"] for run in cli("ls", "--json").data} == {"e": "d", "d": None}
    assert published(folder) == ["short, short", "long, long"]


def test_a_fork_that_would_repeat_an_effect_is_refused_and_says_which(cli: Cli, folder: Path, recorded: str) -> None:
    """D3, D9: nothing is done, and no run is begun; what it would repeat can be looked at before."""
    refused = cli("fork", recorded, "--model", "fast=scripted:long")
    assert (refused.code, refused.out) == (2, "")
    assert "what must not be repeated: 'publish'" in refused.err
    assert "--again" in refused.err
    dry = cli("fork", recorded, "--model", "fast=scripted:long", "--dry-run")
    assert dry.out == (
        "fork of run d of digest: re-executes 4, reuses 1\n  each:sum_up[0]\n  each:sum_up[1]\n  join\n"
        "  publish   (its effect must not be repeated)\n"
    )
    assert cli("fork", recorded, "--at", "join", "--dry-run", "--json").data == {
        "run": "d",
        "reuses": 3,
        "re_executes": ["join", "publish"],
        "effects_done_again": ["publish"],
    }
    assert len(cli("ls", "--json").data) == 1
    assert published(folder) == ["short, short"]


def test_a_fork_may_be_given_a_step_s_output(cli: Cli, folder: Path, recorded: str) -> None:
    """D9: that step is not run, so its effect is not repeated; the value is read by the step's type."""
    said = cli("fork", recorded, "--at", "publish", "--output", "by hand", "--json")
    assert said.data["result"] == "by hand"
    assert "re-executes 0, reuses 4" in said.err
    assert published(folder) == ["short, short"]
    assert cli("fork", recorded, "--at", "join", "--output", '"by hand"', "--again", "-q").out == "published by hand\n"
    wrong = cli("fork", recorded, "--at", "read", "--output", "7", "--again")
    assert wrong.code == 2
    assert "node 'read', port 'return'" in wrong.err
    assert cli("fork", recorded, "--output", "7").err == (
        "graphrt: --output is the output of a step: say of which one with --at STEP\n"
    )
    unknown = cli("fork", recorded, "--at", "joint")
    assert unknown.code == 2
    assert "did you mean 'join'" in unknown.err


def test_a_fork_may_have_another_input(cli: Cli, recorded: str) -> None:
    """D9: what does not depend on it would be reused."""
    said = cli("fork", recorded, "--input", "topic=moons", "--again", "--run-id", "e")
    assert "re-executes 5, reuses 0" in said.err
    assert cli("show", "e@read", "--json").data["output"] == ["moons one", "moons two"]
    unknown = cli("fork", recorded, "--input", "tpoic=moons")
    assert unknown.code == 2
    assert "has no input 'tpoic'; it has topic" in unknown.err


# retry


def test_a_step_is_done_anew_in_the_run_itself(cli: Cli, folder: Path) -> None:
    """D9, D10: and all that needs it; the rest is reused."""
    (folder / "mended").touch()
    cli("run", "digest.py:checked", "--topic", "tides", "--run-id", "r")
    dry = cli("retry", "r", "--at", "join", "--dry-run")
    assert dry.out == "run r of checked: re-executes 2, reuses 1\n  join\n  check\n"
    said = cli("retry", "r", "--at", "join")
    assert (said.code, said.out) == (0, "tides one, tides two\n")
    assert said.err.startswith("run r of checked: re-executes 2, reuses 1\nrun r\ngoes back to join\nresumed\n✓ join")
    assert [step["step"] for step in cli("show", "r", "--json").data["steps"]] == ["read", "join", "check"]
    assert cli("retry", "r", "--at", "nothing").code == 2


def test_a_retry_that_would_repeat_an_effect_is_refused(cli: Cli, folder: Path, recorded: str) -> None:
    """D3: unless doing it twice is right."""
    assert cli("retry", recorded, "--at", "join").code == 2
    assert "(its effect must not be repeated)" in cli("retry", recorded, "--at", "join", "--dry-run").out
    assert cli("retry", recorded, "--at", "join", "--again").code == 0
    assert published(folder) == ["short, short"] * 2


# A graph that has changed.


def test_a_run_whose_graph_changed_is_refused_with_5_and_the_difference(cli: Cli, folder: Path, digest: Path) -> None:
    """D11: what is finished and no longer holds is named, and the run is untouched; --accept lets go of it."""
    cli("run", "digest.py:checked", "--topic", "tides", "--run-id", "r")
    (folder / "mended").touch()
    digest.write_text(DIGEST.replace("check(join(read(topic)))", "check(join(each(sum_up, read(topic))))"))
    before = cli("show", "r", "--json").data
    for options in ([], ["--dry-run"]):
        said = cli("resume", "r", *options)
        assert (said.code, said.out) == (5, "")
        assert "'join' takes 'parts' from each:sum_up, not from read any more" in said.err
        assert "step 'join' would be done again" in said.err
        assert "--accept" in said.err
    assert cli("show", "r", "--json").data == before
    dry = cli("resume", "r", "--accept", "--dry-run")
    assert dry.out == "run r of checked: re-executes 2, reuses 1\n  join\n  check\n"
    accepted = cli("resume", "r", "--accept")
    assert (accepted.code, accepted.out) == (0, "short, short\n")
    assert "goes on with a changed graph\n" in accepted.err


def test_a_run_goes_on_with_a_changed_graph_where_all_that_had_finished_still_holds(
    cli: Cli, folder: Path, digest: Path
) -> None:
    """D11: only what had not succeeded is in another place; nothing is to be accepted."""
    cli("run", "digest.py:checked", "--topic", "tides", "--run-id", "r")
    (folder / "mended").touch()
    changed = "check(sum_up(join(read(topic))))"
    digest.write_text(DIGEST.replace("check(join(read(topic)))", changed))
    said = cli("resume", "r")
    assert (said.code, said.out) == (0, "short\n")
    assert "re-executes 1, reuses 2" in said.err


# replay


def test_a_replay_finds_a_changed_prompt_and_does_nothing(cli: Cli, folder: Path, digest: Path, recorded: str) -> None:
    """D10: no effect leaves the process; the difference is data, and the code is 1."""
    same = cli("replay", recorded)
    assert (same.code, same.out) == (0, "")
    assert same.err == "✓ replayed d of digest: 5 steps agree, no difference\n"
    digest.write_text(DIGEST.replace("in a word", "in two words"))
    said = cli("replay", recorded)
    assert said.code == 1
    assert said.err == "✗ replayed d of digest: 3 steps agree, 2 differences\n"
    assert said.out.startswith("✗ each:sum_up[0]  request: ")
    assert '-      "Sum up in a word: tides one"\n+      "Sum up in two words: tides one"\n' in said.out
    data = cli("replay", recorded, "--json", "-q").data
    assert (data["agree"], data["complete"]) == (3, True)
    assert [change["step"] for change in data["changes"]] == ["each:sum_up[0]", "each:sum_up[1]"]
    assert published(folder) == ["short, short"]


# diff


def test_two_runs_are_compared_step_by_step(cli: Cli, recorded: str) -> None:
    """D10: a mark and a word for each, where they part, and how; 1 if they do."""
    cli("fork", recorded, "--model", "fast=scripted:long", "--again", "--run-id", "e")
    said = cli("diff", "d", "e")
    assert (said.code, said.err) == (1, "")
    lines = said.out.splitlines()
    assert lines[:2] == ["a: run d of digest", "b: run e of digest"]
    assert lines[2].split() == ["STEP", "A", "B"]
    assert lines[4] == '= read            shared   ["tides one","tides two"]'
    assert re.fullmatch(r'✗ each:sum_up\[0\]  differs  "short" +"long"', lines[5])
    assert said.out.endswith("they part at each:sum_up[0]:\n--- a\n+++ b\n@@ -1 +1 @@\n-short\n+long\n")
    data = cli("diff", "d", "e", "--json").data
    assert data["first"] == "each:sum_up[0]"
    assert {row["step"]: row["verdict"] for row in data["steps"]}["read"] == "shared"
    same = cli("diff", "d", "d")
    assert same.code == 0
    assert cli("diff", "d", "nothing").code == 4


def test_a_comparison_fits_the_terminal(cli: Cli, terminal: Terminal, recorded: str) -> None:
    """V3: the steps and their marks stay; what both have is shown once."""
    cli("fork", recorded, "--model", "fast=scripted:long", "--again", "--run-id", "e")
    for width in (200, 80, 40, 24):
        table = [line for line in terminal(width, "diff", "d", "e").splitlines() if line[:1] in "=✓✗"]
        assert all(len(line) <= width for line in table)
        assert [line[0] for line in table].count("✗") == 5
        assert ('"short"' in "".join(table), '"long"' in "".join(table)) == (width > 40, width > 24)
