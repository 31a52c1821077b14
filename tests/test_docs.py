"""Every snippet of the documentation runs."""

import importlib.util
import os
import re
from pathlib import Path
from types import ModuleType

import pytest

from graphrt.backends import policies
from graphrt.backends.errors import BackendError, BindingError
from graphrt.backends.uri import open_backend
from tests import documents
from tests.documents import ROOT
from tests.graphrt.command import Child

DURABILITY = documents.page("docs/durability.md")
MODELS = documents.page("docs/models.md")
PICTURES = documents.page("docs/pictures.md")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the current one, and nothing in the surroundings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GRAPHRT_") and name != "GRAPHRT_EVICT"]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def folder(bare: Path) -> Path:
    """A folder with the files of the page about durability, as the current one."""
    documents.write_files(DURABILITY, bare)
    return bare


def test_every_page_is_tested() -> None:
    """A new page needs a test of its own."""
    assert {path.name for path in (ROOT / "docs").glob("*.md")} == {
        "durability.md",
        "models.md",
        "pictures.md",
        "transcript.md",
    }


def test_the_commands_of_the_page_about_durability_do_what_it_says(folder: Path) -> None:
    """V3, D4, D9: in order, each with the exit code that is told."""
    shown = documents.commands(DURABILITY)
    assert len(shown) >= 10
    for argv, code in shown:
        said = Child(*argv).end()
        assert said.code == code, (argv, said)


def test_the_files_of_the_page_about_durability_have_no_mistakes(folder: Path) -> None:
    """G4: those that no command of the page uses, too."""
    for path in sorted(folder.glob("*.py")):
        said = Child("check", path.name).end()
        assert said.code == 0, (path.name, said)
    assert Child("run", "payments.py:payout", "--customer", "Ann", "--amount", "12", "-q").end().out == "12.0 to Ann\n"
    assert Child("run", "mailing.py:mail", "--name", "Ann", "-q").end().out == "sent: Dear Ann\n"


def test_the_scripts_of_the_page_about_durability_run(folder: Path) -> None:
    """Suspended says what is waited for; the answers bring the result."""
    [script] = documents.scripts(DURABILITY)
    printed = documents.run(folder, "-c", script).splitlines()
    assert printed[-1] == "to Lisbon in row 12"
    assert any("asks: Fly to Lisbon?: graphrt answer" in line for line in printed)


def test_what_the_page_about_models_shows_runs(bare: Path) -> None:
    """M7, M8: its files, its commands with the exit codes that are told, and its scripts, twice: the second time a
    recording answers."""
    assert documents.write_files(MODELS, bare) == {"graphrt.toml", "triage.py", "letters.py"}
    said = [Child(*argv).end() for argv, code in documents.commands(MODELS)]
    assert [each.code for each in said] == [code for _, code in documents.commands(MODELS)]
    examined, triage, shown, summary = said
    assert "JSON schema" in examined.out, examined
    assert triage.out == summary.out == "We have returned your money.\n"
    assert "tokens unknown + 2 calls whose usage nobody told" in shown.out, shown.out
    [script] = documents.scripts(MODELS)
    for _ in range(2):
        assert documents.run(bare, "-c", script) == "A salesman will call.\n"
    assert len(list((bare / "cassettes" / "reply").iterdir())) == 1


def test_what_the_page_about_pictures_shows_is_drawn(bare: Path) -> None:
    """V1, V2: its commands with the exit codes that are told, its script; its graph is the picture beside it, to the
    byte."""
    documents.write_files(PICTURES, bare)
    for argv, code in documents.commands(PICTURES):
        said = Child(*argv).end()
        assert said.code == code, (argv, said)
    made = {path.name for path in bare.glob("*.svg")} | {path.name for path in bare.glob("*.png")}
    assert made == {"queue.svg", "queue.png", "dot.svg", "r.svg", "recorded.svg", "timeline.svg"}
    assert "waiting · " in (bare / "r.svg").read_text(encoding="utf-8")
    drawn = Child("graph", "moderation.py:queue", "-f", "svg").end().out
    assert drawn == (ROOT / "docs" / "moderation.svg").read_text(encoding="utf-8")
    settings, watching = documents.scripts(PICTURES)
    assert documents.run(bare, "-c", settings) == ""
    assert documents.run(bare, "-c", watching) == "True\n"


def test_the_page_about_models_names_every_category_and_every_policy() -> None:
    """M5, M8: nothing that there is goes untold, and nothing is told that is not there."""
    subclasses = {each.category for each in _below(BackendError)}
    told = set(re.findall(r"`(\w+)`", MODELS.partition("| category |")[2].partition("\n\n")[0]))
    assert told - {"fallback"} == subclasses
    for policy in (name for name in policies.__all__ if name.islower()):
        assert f"| `{policy}(" in MODELS


def test_the_page_about_models_names_every_scheme() -> None:
    """What the opener knows, and its own list of it, are what the page says."""
    with pytest.raises(BindingError) as told:
        open_backend("nobody:m")
    known = set(str(told.value).rpartition("there are ")[2].split(", "))
    assert known == set(re.findall(r"`([\w+]+):[A-Z]", MODELS.partition("| name |")[2].partition("\n\n")[0]))


def _below(kind: type[BackendError]) -> set[type[BackendError]]:
    return {found for each in kind.__subclasses__() for found in ({each} | _below(each))}


def transcript() -> ModuleType:
    spec = importlib.util.spec_from_file_location("transcript", ROOT / "docs" / "transcript.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_transcript_is_what_the_terminals_show(tmp_path: Path, folder: Path) -> None:
    """D3, D7, D9, D10: two processes, a kill -9, a person, a fork and a replay, word for word but for times and
    numbers of processes."""
    script = transcript()

    class Forked:
        def __init__(self, *argv: str) -> None:
            self.child = Child(*argv, joined=True)
            self.pid = self.child.pid

        def until(self, words: str) -> str:
            found: str = script.read_until(self.child.stderr, words)
            return found

        def end(self) -> tuple[int, str]:
            said = self.child.end()
            return said.code, said.err

    page = script.story(Forked, folder)
    assert script.shape(page) == script.shape(documents.page("docs/transcript.md"))
