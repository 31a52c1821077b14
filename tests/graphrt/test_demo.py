"""`graphrt demo`: a real worker on the shipped model is killed with -9, and another process finishes its run (D2)."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from graphrt.backends.llama import installed

needs_model = pytest.mark.skipif(not installed(), reason="needs 'graphrt[llama]' or 'graphrt[llama-prebuilt]'")


def command(*argv: str, cwd: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the demo as a process of its own; `before` runs in it first."""
    program = f"import sys\n{before}\nfrom graphrt.cli import main\nmain(sys.argv[1:])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHRT_")}
    return subprocess.run(
        [sys.executable, "-c", program, "demo", *argv],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def lookups(folder: Path) -> list[tuple[str, int]]:
    """The rows that the agent's tool left outside the store: (step, how often)."""
    table = sqlite3.connect(folder / "graphrt-demo" / "orders.db")
    try:
        return table.execute("SELECT step, count(*) FROM lookups GROUP BY step").fetchall()
    finally:
        table.close()


WATCHED = """
import subprocess
wait = subprocess.Popen.wait
def watched(self, timeout=None):
    code = wait(self, timeout)
    with open("codes", "a") as file:
        print(code, file=file)
    return code
subprocess.Popen.wait = watched
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One demo, played once for all who look at it. `codes` has how its processes ended."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, command("--json", cwd=folder, before=WATCHED)


@needs_model
def test_the_demo_loses_nothing_and_repeats_nothing(played: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """At least 45 steps had finished at the kill, and none of them runs again; stdout is one document (D2, V3)."""
    folder, done = played
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["finished_before_kill"] >= 45
    assert said["finished_steps_run_again"] == []
    assert said["finished_lookups_made_twice"] == []
    assert len(said["report"].splitlines()) == 2 + 12
    assert (folder / "graphrt-demo" / "report.md").read_text(encoding="utf-8") == said["report"]


@needs_model
def test_the_tool_was_called_once_for_every_letter(played: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """By the table outside the store: 12 letters, 12 lookups, except where one was in flight at the kill (D2)."""
    folder, done = played
    flying = set(json.loads(done.stdout)["in_flight_at_kill"])
    rows = lookups(folder)
    assert len(rows) == 12
    assert {step for step, count in rows if count > 1} <= flying


@needs_model
def test_the_run_was_resumed_in_the_middle(played: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The journal says so: a resumption after the first steps and before the last ones, and one end."""
    folder, done = played
    shown = subprocess.run(
        [sys.executable, "-m", "graphrt", "show", "demo", "--json", "--store", "graphrt-demo/runs.db"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    run = json.loads(shown.stdout)
    assert run["status"] == "finished"
    attempts = {step["step"]: step["attempts"] for step in run["steps"]}
    flying = set(json.loads(done.stdout)["in_flight_at_kill"])
    assert {step for step, count in attempts.items() if count > 1} == flying
    assert len(attempts) > json.loads(done.stdout)["finished_before_kill"]


@needs_model
def test_the_demo_tells_its_story_on_stderr_and_can_be_played_again(
    played: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """The second time in the same folder replaces the first; without --json, stdout is the report (V3)."""
    folder, first = played
    assert "killed. The journal holds" in first.stderr
    assert "re-executes" in first.stderr
    kept = folder / "graphrt-demo" / "mine.txt"
    kept.write_text("not the demo's", encoding="utf-8")
    again = command("--quiet", cwd=folder)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == (folder / "graphrt-demo" / "report.md").read_text(encoding="utf-8")
    assert len(again.stdout.splitlines()) == 14
    assert kept.exists()


@needs_model
def test_the_worker_is_really_killed(played: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """It ends by signal 9, not by itself: what it holds open is not closed, and no cleanup runs (D2)."""
    codes = [int(code) for code in (played[0] / "codes").read_text().split()]
    # A llama.cpp that was not compiled here is tried first, in processes that end well.
    assert [code for code in codes if code != 0] == [-signal.SIGKILL]


@needs_model
def test_a_worker_that_is_through_before_the_signal_is_started_again(tmp_path: Path) -> None:
    """A slow poller and a fast worker are told, and tried again; then the demo gives up in one line."""
    done = command(cwd=tmp_path, before="from graphrt.cli import demo as d\nd.KILL_AFTER = 10**9\nd.TRIES = 2")
    assert done.returncode == 1
    assert done.stderr.count("it was through before the signal reached it; once more") == 1
    assert done.stderr.endswith("graphrt: the worker finished 2 times before it could be killed\n")
    assert done.stdout == ""


@needs_model
def test_a_worker_that_fails_is_quoted(tmp_path: Path) -> None:
    """No traceback of ours: the worker's last words and its code."""
    done = command(cwd=tmp_path, before="from graphrt.cli import demo as d\nd.TARGET = 'graphrt.demo.agent:nothing'")
    assert done.returncode == 1
    assert "graphrt: the worker failed with exit code 4:\n" in done.stderr
    assert "has no graph or node 'nothing'" in done.stderr
    assert "Traceback" not in done.stderr


@needs_model
def test_a_worker_that_never_begins_is_told(tmp_path: Path) -> None:
    """Patience has an end, and nothing was recorded by then."""
    done = command(cwd=tmp_path, before="from graphrt.cli import demo as d\nd.PATIENCE = 0")
    assert done.returncode == 1
    assert "the worker recorded nothing within 0 s" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["llama_cpp", "llguidance", "numpy"])
def test_without_its_extra_the_demo_says_what_to_install(tmp_path: Path, name: str) -> None:
    """Configuration: exit code 6, one paragraph, and no folder is left behind (V3)."""
    done = command(cwd=tmp_path, before=f"sys.modules[{name!r}] = sys.modules['xllamacpp'] = None")
    assert done.returncode == 6
    assert f"{name} cannot be imported" in done.stderr
    assert "pip install 'graphrt[llama]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@needs_model
def test_a_folder_that_cannot_be_worked_in_is_usage(tmp_path: Path) -> None:
    """A file where the folder should be: told, and left as it is."""
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    done = command("--folder", "taken", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be worked in" in done.stderr
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"
