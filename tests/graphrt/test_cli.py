"""The command line: what each command prints where, and the code it exits with (V3)."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from graphrt.cli import parser
from graphrt.cli.exits import code_of
from graphrt.cli.formats import FORMATS
from graphrt.errors import RunCancelled
from tests.graphrt.command import FLOWS, Cli, Terminal, on_a_terminal, process, run_id, start

# run


def test_run_prints_the_result_on_stdout_and_everything_else_on_stderr(cli: Cli) -> None:
    """stdout is data, stderr is progress (V3)."""
    said = cli("run", "flows.py:greet", "--text", "hi", "--times", "3")
    assert (said.code, said.out) == (0, "HIHIHI\n")
    assert re.search(r'^✓ shout  [\d.]+ m?s  "HIHIHI"$', said.err, re.MULTILINE)
    assert said.err.endswith("✓ finished\n")


def test_run_as_a_process_does_the_same() -> None:
    """`python -m graphrt` and the module's `main` are one; --help answers with 0."""
    said = process("--help")
    assert said.code == 0
    assert said.out.startswith("usage: graphrt")
    assert "130 interrupted" in " ".join(said.out.split())


def test_quiet_leaves_stderr_to_the_nodes(cli: Cli) -> None:
    """--quiet silences progress; what a node prints is its own."""
    said = cli("run", "flows.py:greet", "--text", "hi", "--quiet")
    assert (said.code, said.out, said.err) == (0, "HIHI\n", "a node's own words\n")


def test_run_json_is_one_document(cli: Cli) -> None:
    """--json holds the run, its status and its result, and nothing else is on stdout (V3)."""
    said = cli("run", "flows.py:weigh", "--topic", '{"name": "tides", "weight": 2}', "--json")
    assert said.data == {"run": run_id(said), "status": "finished", "result": {"tides": 3.0, "a": 0.0}}


def test_a_result_that_is_no_text_is_json_without_asking(cli: Cli) -> None:
    """Data that another program can read."""
    said = cli("run", "flows.py:lamp", "--count", "4")
    assert (said.code, said.data) == (0, {"count": 5})


def test_a_graph_in_a_package_of_the_current_folder_is_found(cli: Cli) -> None:
    """`pkg.mod:name` needs no installation; nor does `-m` from elsewhere need the folder to be on the path."""
    assert cli("run", "pkg.inner:greet", "--text", "a", "-q").out == "AA\n"


def test_any_node_can_be_run(cli: Cli) -> None:
    """A node is a graph of one step."""
    assert cli("run", "flows.py:shout", "--text", "a", "--times", "1", "-q").out == "A\n"


def test_inputs_come_as_options_as_a_document_from_a_file_or_from_stdin(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options win over the document, which may be words, @FILE or -."""
    document = '{"text": "é", "times": 3}'
    (folder / "in.json").write_text(document, encoding="utf-8")
    assert cli("run", "flows.py:greet", "--input", document, "-q").out == "ÉÉÉ\n"
    assert cli("run", "flows.py:greet", "--input", "@in.json", "-q").out == "ÉÉÉ\n"
    assert cli("run", "flows.py:greet", "--input=@in.json", "--times=1", "-q").out == "É\n"
    monkeypatch.setattr(sys, "stdin", StringIO(document))
    assert cli("run", "flows.py:greet", "--input", "-", "-q").out == "ÉÉÉ\n"


@pytest.mark.parametrize(
    ("options", "result"),
    [
        (["--note", "2024"], {"t": 1.5, "a": 4}),
        (["--note", "null"], {"t": 1.5, "a": 0}),
        (["--mode", "1"], {"t": 1.5, "1": 0}),
        (["--factor", "2"], {"t": 2.0, "a": 0}),
        (["--factor", "-2"], {"t": -2.0, "a": 0}),
    ],
)
def test_an_option_is_read_as_what_its_input_takes(cli: Cli, options: list[str], result: dict[str, float]) -> None:
    """JSON where it fits, else the words as they are: `--note 2024` is text, `--factor 2` is a number."""
    said = cli("run", "flows.py:weigh", "--topic", '{"name": "t"}', *options, "--json")
    assert said.data["result"] == result


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (
            ["--text", "a", "--tmes", "2"],
            "'--tmes' is no option of `run`, and the inputs of 'greet' are --text, --times",
        ),
        (["--text"], "--text needs a value"),
        (["stray"], "'stray' is no option"),
        ([], "needs 'text' (str)"),
        (["--text", "a", "--times", "many"], "node 'greet', port 'times'"),
        (["--input", "[1]"], "must be a JSON object of the inputs text, times"),
        (["--input", "{"], "--input is not JSON"),
        (["--input", "@nowhere.json"], "--input @nowhere.json: No such file or directory"),
        (["--input", '{"txt": "a"}'], "has no parameter 'txt'"),
        (["--text", "a", "--limit", "x=y"], "--limit 'x=y': write NAME=N"),
        (["--text", "a", "--limit", "x=0"], "a limit must let at least one step run"),
        (["--text", "a", "--model", "fast"], "--model 'fast': write ROLE=URI"),
        (["--text", "a", "--concurrency", "0"], "at least one step must be able to run"),
    ],
)
def test_wrong_usage_of_run_exits_with_2_and_says_what_to_write(cli: Cli, argv: list[str], words: str) -> None:
    """Usage: nothing is on stdout, one line is on stderr, and no run is recorded (V3)."""
    said = cli("run", "flows.py:greet", *argv)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert said.err.count("\n") == 1
    listed = cli("ls", "--json")
    assert listed.code == 4 or listed.data == []


def test_run_lists_a_graph_s_inputs(cli: Cli) -> None:
    """--inputs says each input's option, type and default; --json says the same."""
    assert cli("run", "flows.py:greet", "--inputs").out == "--text  str\n--times  int  (default 2)\n"
    assert cli("run", "flows.py:greet", "--inputs", "--json").data == [
        {"name": "text", "type": "str", "default": None, "required": True},
        {"name": "times", "type": "int", "default": 2, "required": False},
    ]


def test_an_input_with_the_name_of_an_option_is_given_by_input(cli: Cli) -> None:
    """`--limit` is an option of run, so the input `limit` says how else to give it."""
    assert cli("run", "flows.py:collide", "--inputs").out == "--limit  int  (with --input only)\n"
    assert cli("run", "flows.py:collide", "--input", '{"limit": 2}', "-q").out == "XX\n"


def test_the_options_of_run_are_those_that_its_inputs_are_compared_with() -> None:
    """OPTIONS is the parser's own list, written down once more so that it costs no parser."""
    [commands] = [action for action in parser.parser_of_all()._actions if hasattr(action, "choices") and action.choices]
    assert isinstance(commands.choices, dict)
    there = {word for action in commands.choices["run"]._actions for word in action.option_strings}
    assert {word for word in there if word.startswith("--")} == set(parser.OPTIONS)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("flows.py", "names no graph; write file.py:graph or pkg.mod:graph"),
        ("flows.py:nothing", "has no graph or node 'nothing'; it has collide, fragile, greet, lamp"),
        ("flows.py:Topic", "has no graph or node 'Topic'"),
        ("nowhere.py:greet", "there is no file nowhere.py"),
        ("nowhere.mod:greet", "there is no module 'nowhere.mod'"),
        ("pkg.nowhere:greet", "there is no module 'pkg.nowhere'"),
    ],
)
def test_a_target_that_is_not_there_exits_with_4(cli: Cli, target: str, words: str) -> None:
    """Not found: the message says what there is (V3)."""
    said = cli("run", target)
    assert (said.code, said.out) == (4, "")
    assert words in said.err


@pytest.mark.parametrize("command", ["run", "check", "graph"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
        ("def f(:\n", "SyntaxError"),
        ("x = 1\ny = 1 / 0\n", "line 2"),
    ],
)
def test_a_file_that_cannot_be_imported_exits_with_2_and_its_own_traceback(
    cli: Cli, folder: Path, command: str, text: str, words: str
) -> None:
    """The traceback begins in the user's file: ours and Python's import machinery are not in it."""
    (folder / "bad.py").write_text(text, encoding="utf-8")
    said = cli(command, "bad.py" if command == "check" else "bad.py:flow")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("graphrt: bad.py cannot be imported:\n")
    assert words in said.err
    assert "importlib" not in said.err
    assert "graphrt/cli" not in said.err


def test_a_file_may_have_the_name_of_a_module_that_is_there(cli: Cli, folder: Path) -> None:
    """A `json.py` of one's own is run, and the standard library's stays what it is."""
    (folder / "json.py").write_text(FLOWS, encoding="utf-8")
    assert cli("run", "json.py:weigh", "--topic", '{"name": "t"}', "-q").data == {"t": 1.5, "a": 0.0}
    assert sys.modules["json"] is json


def test_a_run_that_fails_exits_with_1_and_says_how_to_resume(cli: Cli) -> None:
    """The error names run, step and attempt, and the command that takes it up again (V3, E9)."""
    said = cli("run", "flows.py:fragile", "--text", "a")
    name = run_id(said)
    assert (said.code, said.out) == (1, "")
    assert "step 'check_mended' (node 'check_mended') failed in attempt 1: ValueError: it is broken" in said.err
    assert f"graphrt resume {name}" in said.err
    assert "Traceback" not in said.err


def test_how_to_go_on_names_the_store_that_was_named(cli: Cli) -> None:
    """The command that is told can be run as it stands."""
    said = cli("run", "flows.py:fragile", "--text", "a", "--store", "my runs.db", "--run-id", "r")
    assert said.code == 1
    assert said.err.endswith("resume with: graphrt resume --store 'my runs.db' r\n")
    assert "go on with: graphrt resume --store 'my runs.db' r\n" in cli("show", "r", "--store", "my runs.db").out


def test_a_run_that_was_taken_over_says_how_to_go_on(cli: Cli, folder: Path) -> None:
    """A store that refuses a commit ends the command, not the run (D7)."""
    (folder / "taken.py").write_text(
        "import sqlite3\nfrom contextlib import closing\nfrom graphrt import node\n\n@node\ndef take_over() -> str:\n"
        "    with closing(sqlite3.connect('graphrt.db')) as store, store:\n"
        "        store.execute('UPDATE leases SET fence = fence + 1')\n    return ''\n",
        encoding="utf-8",
    )
    said = cli("run", "taken.py:take_over", "--run-id", "r")
    assert said.code == 6
    assert "finished steps are kept; resume with: graphrt resume r\ngraphrt: run 'r' was taken over" in said.err


def test_a_run_that_fails_says_so_in_json(cli: Cli) -> None:
    """--json is one document on stdout, also for a run that failed; the code is 1 all the same."""
    said = cli("run", "flows.py:fragile", "--text", "a", "--json")
    assert said.code == 1
    assert said.data["status"] == "failed"
    assert "it is broken" in said.data["error"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no model is bound to it (bound: none)"),
        (["--model", "fast=nowhere:x"], "'nowhere' is not known"),
        (["--model", "fast=llama_cpp:nowhere.gguf"], "there is no file 'nowhere.gguf'"),
        (["--model", "fast=openai:x?base_url=nonsense"], "nonsense"),
    ],
)
def test_a_model_that_leads_nowhere_exits_with_6_before_anything_is_recorded(
    cli: Cli, options: list[str], words: str
) -> None:
    """Configuration: found before the run begins (V3)."""
    said = cli("run", "flows.py:talk", "--text", "a", *options)
    assert (said.code, said.out) == (6, "")
    assert words in said.err
    assert cli("ls", "--json").data == []


def test_a_role_that_only_a_node_asks_for_exits_with_6_too(cli: Cli) -> None:
    """What could not be seen before the run is still configuration, not the run's failure (V3)."""
    assert cli("run", "flows.py:private", "--text", "a").code == 6
    assert cli("run", "flows.py:private", "--text", "a", "--json").code == 6
    assert cli("run", "flows.py:private", "--text", "a", "-q", "--model", "somebody=scripted:yes").out == "yes\n"


def test_a_model_is_bound_by_an_option(cli: Cli) -> None:
    """--model wins over everything around."""
    assert cli("run", "flows.py:talk", "--text", "a", "-q", "--model", "fast=scripted:hello").out == "hello\n"


def test_a_configuration_that_is_wrong_is_told_with_its_file(cli: Cli, folder: Path) -> None:
    """No traceback for a typo in graphrt.toml."""
    (folder / "graphrt.toml").write_text("[models]\nfast = 3\n", encoding="utf-8")
    said = cli("run", "flows.py:talk", "--text", "a")
    assert said.code == 2
    assert "graphrt.toml: models.fast: " in said.err


def test_the_store_is_the_option_s_then_the_environment_s_then_the_file_s(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And ./graphrt.db where nothing says otherwise."""

    def stores() -> set[str]:
        return {path.name for path in folder.glob("*.db")}

    cli("run", "flows.py:greet", "--text", "a")
    assert stores() == {"graphrt.db"}
    (folder / "graphrt.toml").write_text('[store]\npath = "file.db"\n', encoding="utf-8")
    cli("run", "flows.py:greet", "--text", "a")
    assert stores() == {"graphrt.db", "file.db"}
    monkeypatch.setenv("GRAPHRT_STORE", "environment.db")
    cli("run", "flows.py:greet", "--text", "a")
    assert stores() == {"graphrt.db", "file.db", "environment.db"}
    cli("run", "flows.py:greet", "--text", "a", "--store", "option.db")
    assert stores() == {"graphrt.db", "file.db", "environment.db", "option.db"}


def test_a_file_that_is_no_store_exits_with_6(cli: Cli, folder: Path) -> None:
    """The store's own error, in one line, and the file is left alone (D13)."""
    (folder / "notes.db").write_text("This is not a database, and is longer than a header. " * 50, encoding="utf-8")
    before = (folder / "notes.db").read_bytes()
    for argv in (["ls"], ["show", "@last"], ["run", "flows.py:greet", "--text", "a"]):
        said = cli(*argv, "--store", "notes.db")
        assert (said.code, said.out) == (6, "")
        assert "notes.db" in said.err
        assert "Traceback" not in said.err
    assert (folder / "notes.db").read_bytes() == before


def test_a_run_may_be_named_and_is_then_the_same_run(cli: Cli) -> None:
    """The same command twice is one run; the same name with another input is refused."""
    first = cli("run", "flows.py:greet", "--text", "a", "--run-id", "mine")
    again = cli("run", "flows.py:greet", "--text", "a", "--run-id", "mine", "-q")
    assert (first.out, again.out, again.err) == ("AA\n", "AA\n", "")
    other = cli("run", "flows.py:greet", "--text", "b", "--run-id", "mine")
    assert other.code == 6
    assert "already" in other.err
    assert len(cli("ls", "--json").data) == 1


# resume


def test_a_failed_run_is_resumed_and_finished_steps_are_not_run_again(cli: Cli, folder: Path) -> None:
    """The user is told what is run again and what is reused, before it happens (D2, D10)."""
    name = run_id(cli("run", "flows.py:fragile", "--text", "a"))
    (folder / "mended").touch()
    said = cli("resume", "@last-failed")
    assert (said.code, said.out) == (0, "A!\n")
    assert said.err.startswith(f"run {name} of fragile: re-executes 1, reuses 1\n")
    assert "a node's own words" not in said.err
    assert cli("resume", name, "--json").data == {"run": name, "status": "finished", "result": "A!"}


def test_a_dry_run_says_what_would_be_done_and_does_nothing(cli: Cli) -> None:
    """What would be run again is the command's data, on stdout (D10)."""
    name = run_id(cli("run", "flows.py:fragile", "--text", "a"))
    before = cli("show", name, "--json").data
    said = cli("resume", "@last", "--dry-run")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"run {name} of fragile: re-executes 1, reuses 1\n  check_mended\n"
    assert cli("resume", "@last", "--dry-run", "--json").data == {
        "run": name,
        "reuses": 1,
        "re_executes": ["check_mended"],
        "unknown": [],
    }
    assert cli("show", name, "--json").data == before


def test_a_graph_may_be_named_for_a_run_whose_file_moved(cli: Cli, folder: Path) -> None:
    """resume RUN TARGET overrides where the run says its graph is."""
    name = run_id(cli("run", "flows.py:fragile", "--text", "a"))
    (folder / "flows.py").rename(folder / "moved.py")
    (folder / "mended").touch()
    assert cli("resume", name).code == 4
    assert cli("resume", name, "moved.py:fragile", "-q").out == "A!\n"


def test_commands_that_need_a_store_exit_with_4_without_one_and_make_none(cli: Cli, folder: Path) -> None:
    """Looking for a run never leaves an empty store behind (V3)."""
    for argv in (["ls"], ["show", "@last"], ["resume", "@last"]):
        said = cli(*argv, "--store", "none.db")
        assert (said.code, said.out) == (4, "")
        assert (
            said.err
            == "graphrt: there is no store none.db; name one with --store FILE, GRAPHRT_STORE or graphrt.toml\n"
        )
    assert not list(folder.glob("none*"))


# ls and show


def test_runs_are_listed_newest_first_with_mark_and_word(cli: Cli) -> None:
    """One line a run beneath the heads; the mark says nothing that a word does not say too (V2)."""
    cli("run", "flows.py:greet", "--text", "a", "--run-id", "one")
    cli("run", "flows.py:fragile", "--text", "a", "--run-id", "two")
    said = cli("ls")
    heads, *lines = said.out.splitlines()
    assert heads.split() == ["RUN", "STATUS", "GRAPH", "BEGAN", "TOOK"]
    assert [line.split()[:3] for line in lines] == [["two", "✗", "failed"], ["one", "✓", "finished"]]
    assert "ValueError: it is broken" in lines[0]
    assert said.err == ""
    assert [row["id"] for row in cli("ls", "--json").data] == ["two", "one"]
    assert [row["id"] for row in cli("ls", "--status", "finished", "--json").data] == ["one"]
    assert [row["id"] for row in cli("ls", "--limit", "1", "--json").data] == ["two"]
    assert cli("ls", "--status", "cancelled").err == "no runs\n"
    assert cli("ls", "--status", "cancelled", "--quiet").err == ""


def test_a_run_is_found_by_the_beginning_of_its_id(cli: Cli) -> None:
    """As far as it says which one; else the candidates are named (2), and what is not there is not found (4)."""
    for name in ("alpha-1", "alpha-2", "beta", "bet"):
        cli("run", "flows.py:greet", "--text", "a", "--run-id", name)
    assert cli("show", "alpha-2", "--json").data["id"] == "alpha-2"
    assert cli("show", "beta", "--json").data["id"] == "beta"
    assert cli("show", "bet", "--json").data["id"] == "bet"
    assert cli("show", "@last", "--json").data["id"] == "bet"
    many = cli("show", "alpha")
    assert (many.code, many.out) == (2, "")
    assert "'alpha' could be alpha-2, alpha-1; write more of it" in many.err
    none = cli("show", "gamma")
    assert none.code == 4
    assert "`graphrt ls` lists the runs there are" in none.err
    failed = cli("show", "@last-failed")
    assert failed.code == 4
    assert "has failed" in failed.err


def test_show_lists_every_step_with_its_outcome(cli: Cli) -> None:
    """Mark, key, status, time and value or error, then the run's error and how it goes on."""
    cli("run", "flows.py:fragile", "--text", "a", "--run-id", "r")
    lines = cli("show", "r").out.splitlines()
    assert re.fullmatch(r"run r of fragile  ✗ failed  began \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  took [\d.]+ m?s", lines[0])
    assert lines[1].split() == ["STEP", "STATUS", "TOOK", "OUTPUT"]
    assert re.fullmatch(r'✓ shout         finished +[\d.]+ m?s  "A"', lines[2])
    assert re.fullmatch(r"✗ check_mended  failed +[\d.]+ m?s  ValueError: it is broken", lines[3])
    assert lines[4].startswith("error: ")
    assert lines[5] == "go on with: graphrt resume r"
    data = cli("show", "r", "--json").data
    assert [(step["step"], step["status"], step["output"]) for step in data["steps"]] == [
        ("shout", "finished", "A"),
        ("check_mended", "failed", None),
    ]


def test_show_of_one_step_is_all_of_it(cli: Cli) -> None:
    """RUN@STEP, also with @last and with the end of the key; an error is shown with its traceback as text."""
    cli("run", "flows.py:fragile", "--text", "a", "--run-id", "r")
    said = cli("show", "@last@check_mended")
    assert said.code == 0
    assert "error: ValueError: it is broken\n" in said.out
    assert 'raise ValueError("it is broken")\n' in said.out
    assert cli("show", "r@mended", "--json").data["error"]["type"] == "ValueError"
    assert "output: A\n" in cli("show", "r@shout").out
    missing = cli("show", "r@nothing")
    assert missing.code == 4
    assert "has no step 'nothing'" in missing.err


def test_show_of_a_model_s_step_has_its_note(cli: Cli) -> None:
    """Which model answered is recorded beside the output (M4)."""
    cli("run", "flows.py:talk", "--text", "a", "--model", "fast=scripted:hello", "--run-id", "r")
    assert cli("show", "r@say", "--json").data["note"]["model"][0]["role"] == "fast"
    assert '"role": "fast"' in cli("show", "r@say").out


# graph and check


def test_graph_draws_on_stdout(cli: Cli) -> None:
    """Text by default, mermaid on request, both in JSON (V1)."""
    assert cli("graph", "flows.py:greet").out == (
        "dag greet(text: str, times: int) -> str\n├─ □ shout ← text, times\n└─ ■ out ← shout\n"
    )
    assert cli("graph", "flows.py:lamp", "-f", "mermaid").out.startswith("flowchart TD\n")
    data = cli("graph", "flows.py:lamp", "-f", "mermaid", "--json").data
    assert data["picture"] == cli("graph", "flows.py:lamp", "-f", "mermaid").out


def test_graph_writes_its_structure_as_a_store_keeps_it_and_to_a_file(cli: Cli, folder: Path) -> None:
    """-f json is data; -o puts a picture where it is wanted, and nothing on stdout."""
    structure = cli("graph", "flows.py:greet", "-f", "json")
    assert structure.data["format"] == 1
    said = cli("graph", "flows.py:greet", "-f", "json", "-o", "greet.json")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert (folder / "greet.json").read_text(encoding="utf-8") == structure.out
    assert cli("graph", "flows.py:greet", "-o", "greet.txt", "--json").data["output"] == "greet.txt"
    refused = cli("graph", "flows.py:greet", "-o", "nowhere/greet.txt")
    assert (refused.code, refused.err) == (2, "graphrt: --output nowhere/greet.txt: No such file or directory\n")


def test_a_format_is_a_line_and_bytes_go_to_a_file_or_a_pipe(
    cli: Cli, terminal: Terminal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no text is never written to a terminal, nor put into JSON."""
    (folder / "pixels.py").write_text("def draw(graph):\n    return b'\\x89' + graph.name.encode()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setitem(FORMATS, "pixels", "pixels:draw")
    assert cli("graph", "flows.py:greet", "-f", "pixels", "-o", "greet.bin").code == 0
    assert (folder / "greet.bin").read_bytes() == b"\x89greet"
    words = "pixels is no text; write it to a file with --output FILE\n"
    assert cli("graph", "flows.py:greet", "-f", "pixels", "--json").err.endswith(words)
    assert terminal(80, "graph", "flows.py:greet", "-f", "pixels").endswith(words)


def test_check_finds_every_mistake_of_every_graph_in_a_file(cli: Cli) -> None:
    """A dag that is wrong does not hide the machine after it; what merely uses it is no mistake of its own (G4)."""
    said = cli("check", "broken.py")
    assert said.code == 2
    assert said.err == ""
    assert "graph 'first_wrong' has" in said.out
    assert "graph 'stuck' has" in said.out
    assert "uses_what_is_not_there" not in said.out
    assert said.out.count("fix: ") >= 4
    data = cli("check", "broken.py", "--json").data
    assert {mistake["graph"] for mistake in data["mistakes"]} == {"first_wrong", "stuck"}
    assert all(mistake[word] for mistake in data["mistakes"] for word in ("place", "what", "fix"))
    assert "right" in data["checked"]


def test_check_of_a_right_file_names_its_graphs(cli: Cli) -> None:
    """Nothing is on stdout: there are no mistakes to report."""
    said = cli("check", "flows.py")
    assert (said.code, said.out) == (0, "")
    assert said.err == "✓ collide, fragile, greet, lamp, patient, private, talk, weigh\n"
    assert cli("check", "flows.py", "-q").err == ""
    assert cli("check", "pkg.inner:lamp").err == "✓ lamp\n"
    assert cli("check", "flows.py:lamp", "--json").data == {"checked": ["lamp"], "mistakes": []}
    assert cli("check", "flows.py:nothing").code == 4


def test_a_broken_graph_cannot_be_run_or_drawn(cli: Cli) -> None:
    """The mistakes are told, with the code for usage."""
    for argv in (["run", "broken.py:right", "--text", "a"], ["graph", "broken.py:right"]):
        said = cli(*argv)
        assert (said.code, said.out) == (2, "")
        assert "graph 'first_wrong' has" in said.err


# The line itself.


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["ls", "--stat"],
        ["show"],
        ["ls", "extra"],
        ["ls", "--limit", "0"],
        ["graph", "x.py:y", "-f", "gif"],
    ],
)
def test_a_line_that_means_nothing_exits_with_2(cli: Cli, argv: list[str]) -> None:
    """Usage on stderr; nothing on stdout (V3)."""
    said = cli(*argv)
    assert (said.code, said.out) == (2, "")
    assert "usage: graphrt" in said.err


def test_help_is_answered_before_anything_heavy_is_imported() -> None:
    """`graphrt --help` costs what Python costs: no pydantic, no networkx, no event loop, no database."""
    heavy = ["pydantic", "networkx", "anyio", "httpx", "sqlite3", "jinja2", "asyncio"]
    program = (
        "import sys\nfrom graphrt.cli import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit as left:\n    assert not left.code\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "--run-id" in done.stdout


def test_the_version_is_told(cli: Cli) -> None:
    """On stdout: it is what was asked for."""
    said = cli("--version")
    assert said.code == 0
    assert re.fullmatch(r"graphrt \d+\.\d+\.\d+\S*\n", said.out)


def test_a_cancelled_run_has_the_code_of_an_interruption() -> None:
    """Somebody stopped it; nothing failed (V3)."""
    assert code_of(RunCancelled("r", "g")) == 130
    assert code_of(ZeroDivisionError()) is None


def test_an_interrupt_exits_with_130_and_resume_finishes_the_run(folder: Path) -> None:
    """A real SIGINT in the middle of a step: what was finished is kept, and is not run again (V3, E8, D2)."""
    running = start("run", "flows.py:patient", "--text", "a", "--run-id", "r")
    assert running.stderr is not None
    for line in running.stderr:
        if line == "in the middle\n":
            break
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert err.endswith("interrupted; finished steps are kept, resume with: graphrt resume r\n")
    assert "Traceback" not in err
    (folder / "permitted").touch()
    resumed = process("resume", "r")
    assert (resumed.code, resumed.out) == (0, "A.\n")
    assert "re-executes 1, reuses 1" in resumed.err
    assert "a node's own words" not in resumed.err


def test_an_interrupt_does_not_wait_for_a_thread_that_nobody_waits_for(folder: Path) -> None:
    """A sync node that cannot be cancelled is left behind: it may be at work for hours."""
    (folder / "stuck.py").write_text(
        "import sys, threading\nfrom graphrt import node\n\n@node\ndef stuck() -> str:\n"
        "    print('in the middle', file=sys.stderr, flush=True)\n    threading.Event().wait()\n    return ''\n",
        encoding="utf-8",
    )
    running = start("run", "stuck.py:stuck")
    assert running.stderr is not None
    for line in running.stderr:
        if line == "in the middle\n":
            break
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "resume with" in err


def test_codes_of_real_processes(folder: Path) -> None:
    """What a shell sees is what `main` says (V3)."""
    assert process("run", "flows.py:fragile", "--text", "a").code == 1
    assert process("fly").code == 2
    assert process("run", "nowhere.py:x").code == 4
    assert process("run", "flows.py:talk", "--text", "a").code == 6


def test_a_reader_that_has_gone_is_no_traceback(cli: Cli) -> None:
    """`graphrt show RUN | head -0`: the pipe breaks, silently, as for other commands."""
    cli("run", "flows.py:greet", "--text", "a")
    for argv in (["ls"], ["show", "@last"], ["show", "@last", "--json"], ["graph", "flows.py:greet"]):
        reader, writer = os.pipe()
        os.close(reader)
        said = process(*argv, stdout=writer)
        os.close(writer)
        assert (said.code, said.err) == (141, "")


def test_there_is_colour_on_a_terminal_and_nowhere_else(cli: Cli) -> None:
    """NO_COLOR, a dumb terminal and a pipe get the same words without escape codes (V2)."""
    assert "\x1b[32m✓\x1b[0m" in on_a_terminal(["run", "flows.py:greet", "--text", "a"], TERM="xterm")
    assert "\x1b[32m✓\x1b[0m" in on_a_terminal(["ls"], TERM="xterm")
    for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
        screen = on_a_terminal(["ls"], **environment)
        assert "\x1b" not in screen
        assert "✓ finished" in screen
    assert "\x1b" not in cli("ls").out
    assert "\x1b" not in cli("show", "@last").out


def test_a_terminal_that_is_not_unicode_is_no_traceback(cli: Cli) -> None:
    """A tick that cannot be written is spelled out."""
    cli("run", "flows.py:greet", "--text", "é")
    said = process("show", "@last", env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert said.code == 0
    assert "\\u2713 shout" in said.out


def test_a_graph_is_drawn_as_a_picture_and_a_run_on_it(cli: Cli) -> None:
    """V1, V2: in a theme and a direction; what a run is not of, and what is no picture, is refused."""
    cli("run", "flows.py:greet", "--text", "a", "--run-id", "r")
    plain = cli("graph", "flows.py:greet", "-f", "svg").out
    assert plain.startswith("<svg ")
    assert "finished" not in plain
    marked = cli("graph", "flows.py:greet", "-f", "svg", "--run", "r", "--theme", "dark", "--direction", "right").out
    assert "finished · " in marked
    assert cli("graph", "flows.py:greet", "-f", "png", "--run", "r", "-o", "greet.png").code == 0
    assert cli("graph", "flows.py:greet", "-f", "dot").out.startswith("digraph")
    assert "--run: only with --format svg or png" in cli("graph", "flows.py:greet", "--run", "r").err
    other = cli("graph", "flows.py:lamp", "-f", "svg", "--run", "r")
    assert (other.code, "run r is of the graph greet, and flows.py:lamp is lamp" in other.err) == (2, True)
    assert cli("graph", "flows.py:greet", "-f", "svg", "--run", "nobody").code == 4


def test_a_run_is_drawn_in_the_graph_that_was_recorded_with_it(cli: Cli, folder: Path) -> None:
    """D13, V2: its code is not needed; where the record does not do, the way with the code is named."""
    cli("run", "flows.py:greet", "--text", "a", "--run-id", "r")
    with_code = [cli("graph", "flows.py:greet", "-f", "svg", "--run", "r").out, cli("graph", "flows.py:greet").out]
    (folder / "flows.py").unlink()
    drawn = cli("graph", "--run", "r", "-f", "svg")
    way = "graphrt graph flows.py:greet --run r -f svg"
    assert (drawn.out, drawn.err.endswith(f"without retries and timeouts; with them: {way}\n")) == (with_code[0], True)
    assert cli("graph", "--run", "@last", "-q").out == with_code[1]
    assert cli("graph", "--run", "r", "--json").data == {
        "target": None,
        "run": "r",
        "format": "text",
        "picture": with_code[1],
    }
    assert "name a graph, such as file.py:graph, or with --run RUN" in cli("graph").err
    assert "--theme: only with --format" in cli("graph", "--run", "r", "--theme", "dark").err
    with sqlite3.connect("graphrt.db") as store:
        store.execute("UPDATE definitions SET definition = json_set(definition, '$.format', 99)")
    newer = cli("graph", "--run", "r")
    assert (newer.code, "a definition of format 99" in newer.err, newer.err.endswith(f"name it: {way}\n")) == (
        2,
        True,
        True,
    )
    with sqlite3.connect("graphrt.db") as store:
        store.execute("DELETE FROM definitions")
    missing = cli("graph", "--run", "r")
    assert (missing.code, missing.err) == (2, f"graphrt: the graph of run r was not recorded; name it: {way}\n")
