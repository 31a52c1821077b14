"""Completion: what a shell is told, and a real bash that is told it (V3)."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graphrt.cli.completion import SCRIPTS, split
from tests.graphrt.command import Cli

_recorded: list[bytes] = []


@pytest.fixture
def store(cli: Cli, folder: Path) -> Path:
    """A folder with three runs, made once."""
    if not _recorded:
        cli("run", "flows.py:greet", "--text", "a", "--run-id", "alpha-1")
        cli("run", "flows.py:fragile", "--text", "a", "--run-id", "alpha-2")
        cli("run", "flows.py:greet", "--text", "a", "--run-id", "beta")
        _recorded.append((folder / "graphrt.db").read_bytes())
    (folder / "graphrt.db").write_bytes(_recorded[0])
    return folder


def offered(cli: Cli, line: str, *, word: str | None = None, shell: str = "fish") -> list[str]:
    """Return the words that complete a line."""
    said = cli("completion", shell, f"--line={line}", *([] if word is None else [f"--word={word}"]))
    assert (said.code, said.err) == (0, "")
    return [each.partition("\t")[0] for each in said.out.splitlines()]


def test_commands_options_and_their_values_are_those_of_the_parser(cli: Cli, folder: Path) -> None:
    """Nothing is written down twice."""
    commands = offered(cli, "graphrt ")
    assert {"run", "resume", "ls", "show", "completion"} <= set(commands)
    assert offered(cli, "graphrt sh") == ["show"]
    assert offered(cli, "graphrt --v") == ["--version"]
    assert offered(cli, "graphrt ls --st") == ["--status", "--store"]
    assert offered(cli, "graphrt ls --status f") == ["finished", "failed"]
    assert offered(cli, "graphrt ls --status=fa") == ["--status=failed"]
    assert offered(cli, "graphrt graph flows.py:greet -f m") == ["mermaid"]
    assert offered(cli, "graphrt show beta --timeline -f ") == ["text", "svg", "png"]
    assert offered(cli, "graphrt graph --engine graphv") == ["graphviz"]
    assert offered(cli, "graphrt fly ") == []
    assert "--line" not in offered(cli, "graphrt completion bash --")


@pytest.mark.usefixtures("store")
def test_runs_are_offered_wherever_one_is_named(cli: Cli) -> None:
    """The newest first, and the words that stand for one."""
    everything = ["@last", "@last-failed", "beta", "alpha-2", "alpha-1"]
    for command in ("show", "retry --at shout", "diff beta", "export"):
        assert offered(cli, f"graphrt {command} ") == everything
    assert offered(cli, "graphrt show al") == ["alpha-2", "alpha-1"]
    assert offered(cli, "graphrt show --json @last-") == ["@last-failed"]
    assert offered(cli, "graphrt resume beta ") == []


@pytest.mark.usefixtures("store")
def test_steps_of_the_run_that_was_named_are_offered(cli: Cli) -> None:
    """By its id, the beginning of it, or what stands for it; nothing if several could be meant."""
    for run in ("alpha-2", "@last-failed"):
        assert offered(cli, f"graphrt show {run}@") == [f"{run}@shout", f"{run}@check_mended"]
        assert offered(cli, f"graphrt retry {run} --at ch") == ["check_mended"]
        assert offered(cli, f"graphrt resolve --done 1 {run} ") == ["shout", "check_mended"]
    assert offered(cli, "graphrt show be@") == ["be@shout"]
    assert offered(cli, "graphrt show alpha@") == []


def test_the_store_is_the_one_that_the_command_would_open(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option's, the environment's, that of graphrt.toml above, ./graphrt.db; none makes or breaks one."""
    below = store / "below"
    below.mkdir()
    (store / "graphrt.db").rename(store / "runs.db")
    assert offered(cli, "graphrt show b") == []
    assert offered(cli, "graphrt show --store runs.db b") == ["beta"]
    assert offered(cli, "graphrt show --store=runs.db b") == ["beta"]
    (store / "graphrt.toml").write_text('[store]\npath = "runs.db"\n', encoding="utf-8")
    monkeypatch.chdir(below)
    assert offered(cli, "graphrt show b") == ["beta"]
    (store / "graphrt.toml").write_text("[store\n", encoding="utf-8")
    assert offered(cli, "graphrt show b") == []
    monkeypatch.setenv("GRAPHRT_STORE", str(store / "runs.db"))
    assert offered(cli, "graphrt show b") == ["beta"]
    monkeypatch.setenv("GRAPHRT_STORE", str(store / "flows.py"))
    assert offered(cli, "graphrt show b") == []
    assert not list(below.iterdir())


def test_graphs_of_a_file_are_offered_and_the_file_is_not_run(cli: Cli, folder: Path) -> None:
    """By its text."""
    (folder / "flows.py").write_text((folder / "flows.py").read_text(encoding="utf-8") + "\nraise SystemExit(9)\n")
    assert offered(cli, "graphrt run flows.py:g") == ["flows.py:greet"]
    assert "flows.py:lamp" in offered(cli, "graphrt graph flows.py:")
    assert offered(cli, "graphrt run nowhere.py:") == offered(cli, "graphrt run flow") == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("graphrt ", ["graphrt", ""]),
        ("graphrt show", ["graphrt", "show"]),
        ("graphrt show 'a b", ["graphrt", "show", "a b"]),
        ('graphrt show "a ', ["graphrt", "show", "a "]),
        ("", [""]),
    ],
)
def test_a_line_is_broken_as_a_shell_would(line: str, words: list[str]) -> None:
    """Up to the cursor, and in the middle of quotes."""
    assert split(line) == words


@pytest.mark.usefixtures("store")
def test_each_shell_is_told_in_its_own_way(cli: Cli) -> None:
    """zsh and fish show what a word is; bash gets what follows the last of its word breaks."""
    assert cli("completion", "zsh", "--line=graphrt show b").out == "beta:finished greet\n"
    assert cli("completion", "zsh", "--line=graphrt run flows.py:gr").out == "flows.py\\:greet:dag\n"
    assert cli("completion", "fish", "--line=graphrt show b").out == "beta\tfinished greet\n"
    assert offered(cli, "graphrt show beta@s", word="@s", shell="bash") == ["@shout"]
    assert offered(cli, "graphrt ls --status=fa", word="fa", shell="bash") == ["failed"]
    assert offered(cli, "graphrt run flows.py:", word="", shell="bash")[0].startswith("shout")


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_a_script_says_how_it_is_put_to_use(cli: Cli, shell: str) -> None:
    """It is data: on stdout, and nothing beside it."""
    said = cli("completion", shell)
    assert (said.code, said.err) == (0, "")
    assert f"graphrt completion {shell}" in said.out


def test_a_press_of_the_key_imports_nothing_heavy(store: Path) -> None:
    """It costs what Python costs, though it reads the store."""
    heavy = ["pydantic", "pydantic_core", "networkx", "anyio", "httpx", "jinja2", "asyncio", "graphrt.runtime"]
    program = (
        "import sys\nfrom graphrt.cli import main\n"
        "try:\n    main(['completion', 'bash', '--line=graphrt show b'])\nexcept SystemExit as left:\n"
        f"    assert not left.code\nprint([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("beta\n", "[]\n")


BASH = shutil.which("bash")


@pytest.mark.skipif(BASH is None, reason="there is no bash here")
def test_a_real_bash_completes_a_line(store: Path) -> None:
    """On a terminal, at the press of the key: command, run, step behind an @, value behind a =."""
    assert BASH is not None
    program = store / "graphrt"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m graphrt "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    ours, theirs = pty.openpty()
    environment = os.environ | {
        "PATH": f"{store}:{os.environ['PATH']}",
        "TERM": "dumb",
        "PS1": "$ ",
        "INPUTRC": os.devnull,
    }
    shell = subprocess.Popen(
        [BASH, "--norc", "--noprofile", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    lines = [
        'eval "$(graphrt completion bash)"',
        # What is typed after it is only shown, not run; completion asks the program itself.
        'graphrt() { if [ "$1" = completion ]; then command graphrt "$@"; else echo "said: $*."; fi; }',
        "graphrt sho\tbet\t",
        "graphrt show @last-f\t",
        "graphrt show alpha-2@ch\t",
        "graphrt ls --status=fa\t",
        "graphrt run flows.py:gre\t",
        "exit",
    ]
    os.write(ours, "".join(f"{line}\n" for line in lines).encode())
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how a terminal says that its last writer has gone
        pass
    finally:
        os.close(ours)
    assert shell.wait(timeout=60) == 0
    assert re.findall(r"^said: (.*)\.\r?$", shown.decode(), re.MULTILINE) == [
        "show beta",
        "show @last-failed",
        "show alpha-2@check_mended",
        "ls --status=failed",
        "run flows.py:greet",
    ]
