"""Every snippet of the README runs, and prints what the README says."""

from pathlib import Path

import pytest

from tests import documents
from tests.documents import ROOT, run
from tests.graphrt.command import Child

README = documents.page("README.md")


def blocks(language: str) -> list[str]:
    return documents.blocks(README, language)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's files."""
    place = tmp_path_factory.mktemp("readme")
    documents.write_files(README, place)
    return place


def test_the_files_of_the_readme_are_there(folder: Path) -> None:
    """Every Python block is either a file of its own or a script that uses one."""
    assert {path.name for path in folder.glob("*.py")} == {"research.py", "editor.py", "refund.py"}


def test_the_example_is_about_25_lines(folder: Path) -> None:
    """The README's promise about its example's length."""
    lines = [line for line in (folder / "research.py").read_text().splitlines() if line.strip()]
    assert len(lines) <= 25


def test_every_script_runs(folder: Path) -> None:
    """A Python block that is no file is a script, and runs to its end."""
    scripts = documents.scripts(README)
    assert scripts
    for script in scripts:
        printed = run(folder, "-c", script)
        assert printed.splitlines()[-1] == "Tides follow the moon."
        assert printed.splitlines()[0] == "1 run started"


@pytest.mark.parametrize("target", ["research.py:research", "editor.py:editor"])
def test_the_pictures_are_what_graph_prints(folder: Path, target: str) -> None:
    """V1: the picture is the same every time, here too."""
    assert run(folder, "-m", "graphrt", "graph", target) in blocks("text")


def test_the_picture_beside_it_is_what_graph_draws(folder: Path) -> None:
    """V1: to the byte; `python docs/pictures.py` makes it anew."""
    picture = run(folder, "-m", "graphrt", "graph", "research.py:research", "-f", "svg", "--direction", "right")
    assert picture == (ROOT / "docs" / "research.svg").read_text(encoding="utf-8")


def test_the_commands_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """V3: every command of the console blocks ends as the README says, in order."""
    monkeypatch.chdir(folder)
    shown = documents.commands(README)
    assert len(shown) >= 10
    for argv, code in shown:
        said = Child(*argv).end()
        assert said.code == code, (argv, said)


def test_ci_runs_the_readmes_test_command() -> None:
    """What a reader runs and what guards `main` are one command."""
    demo, tests = (block.strip() for block in blocks("sh"))
    assert demo.endswith("graphrt demo")
    assert tests.endswith("pytest -n 2")
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_transcript_has_the_demos_words() -> None:
    """The kill-and-resume transcript quotes what `graphrt demo` prints."""
    source = (ROOT / "graphrt" / "cli" / "demo.py").read_text(encoding="utf-8")
    quoted = [
        "is killed with -9 after",
        "finished steps that ran again",
        "(by a table outside the store)",
        "done twice?",
    ]
    for phrase in quoted:
        assert phrase in source
        assert phrase in README
