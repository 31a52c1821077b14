"""`graphrt doctor --llama`: whether llama.cpp fits this machine, on the command line (V3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.graphrt.command import Cli


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_llama_cpp_of_this_machine_gives_a_token(cli: Cli, folder: Path) -> None:
    """A table on stdout, a word on stderr, and nothing written. Only a wheel of another processor may not fit here."""
    pytest.importorskip("tests.llama")
    said = cli("doctor", "--llama")
    assert "✓ trial             llama_cpp:tiny loads and gives a token in " in said.out
    assert said.out.splitlines()[-1].startswith("✓ it fits" if said.code == 0 else "✗ it does not fit")
    assert [line.split()[1] for line in said.out.splitlines() if line.startswith("✗")] in ([], ["processor", "it"])
    assert said.err == "llama.cpp is tried in a process of its own\n"
    assert not list(folder.glob("*.db"))


def deadly(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
    (folder / "llama_cpp.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)


def test_a_build_for_another_processor_is_told_with_the_command_that_mends_it(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6, in 80 columns; a shell takes the command as it is shown."""
    deadly(folder, monkeypatch)
    said = cli("doctor", "--llama", "--quiet")
    assert (said.code, said.err) == (6, "")
    assert "SIGILL (an instruction that this processor lacks)" in " ".join(said.out.split())
    assert '    CMAKE_ARGS="-DGGML_NATIVE=on" pip install --force-reinstall' in said.out
    assert said.out.splitlines()[-1].startswith("✗ it does not fit this machine")
    assert max(map(len, said.out.splitlines())) <= 80
    _, _, shown = said.out.partition("for this machine:\n")
    command = shown.partition("or, with")[0].replace("\\\n", "").split()
    assert command[:4] == ['CMAKE_ARGS="-DGGML_NATIVE=on"', "pip", "install", "--force-reinstall"]
    assert command[-1].startswith("llama-cpp-python")


def test_json_holds_the_verdict_the_facts_and_the_commands(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly(folder, monkeypatch)
    said = cli("doctor", "--llama", "--json", "-q")
    assert said.code == 6
    data = said.data
    assert (data["fits"], data["trial"]["died"], data["trial"]["how"]) == (False, "llama_cpp", "SIGILL")
    [found] = [each for each in data["findings"] if each["about"] == "llama-cpp-python"]
    assert (found["level"], found["command"]) == ("problem", data["commands"]["this machine"])
    assert data["machine"]["processors"] >= 1


@pytest.mark.parametrize("other", [("runs.db",), ("--file-only",), ("--salvage", "out.json"), ("--model", "fast")])
def test_one_thing_is_examined_at_a_time(cli: Cli, other: tuple[str, ...]) -> None:
    said = cli("doctor", "--llama", *other)
    assert (said.code, said.out) == (2, "")
    assert "doctor examines one thing: give a FILE and its options, or --model, or --llama" in said.err
