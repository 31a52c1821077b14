"""The command line for stores, and for runs as files: doctor, export, import."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.graphrt.command import Child, Cli
from tests.graphrt.test_cli_waiting import REFUNDS

FRAGILE = ("run", "flows.py:fragile", "--text", "hi", "--run-id", "r")


@pytest.fixture(autouse=True)
def refunds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))  # what this Python's is, is another test's matter
    path = folder / "refunds.py"
    path.write_text(REFUNDS, encoding="utf-8")
    return path


# export and import


def test_a_run_goes_to_another_store_and_is_finished_there(cli: Cli, folder: Path) -> None:
    """D2, V3: stdout is the file; what had finished is not run again; the graph is named by whoever takes it in."""
    cli(*FRAGILE)
    (folder / "mended").touch()
    file = cli("export", "r")
    assert (file.code, file.data["runs"][0]["id"], file.err) == (0, "r", "")
    to_file = cli("export", "@last", "-o", "r.json")
    assert (to_file.code, to_file.out) == (0, "")
    assert "wrote run r of fragile to r.json" in to_file.err
    assert (folder / "r.json").read_text() == file.out
    assert cli("export", "r", "-o", "r.json", "--json").data == {
        "run": "r", "file": "r.json", "entries": 6, "bytes": len(file.out.encode())
    }  # fmt: skip

    taken = cli("import", "r.json", "--store", "other.db")
    assert (taken.code, taken.out) == (0, "r\n")
    assert "graphrt resume --store other.db r FILE.py:fragile" in taken.err
    lost = cli("resume", "r", "--store", "other.db")
    assert lost.code == 4
    assert "was not started from a file" in lost.err
    done = cli("resume", "r", "flows.py:fragile", "--store", "other.db")
    assert (done.code, done.out) == (0, "HI!\n")
    assert "re-executes 1, reuses 1" in done.err
    assert cli("show", "r", "--store", "other.db", "--json").data["status"] == "finished"


def test_a_taken_id_is_refused_and_another_may_be_given(cli: Cli, folder: Path) -> None:
    """The run that is there is untouched; under another id it stands beside it, with a target if one is named."""
    cli(*FRAGILE)
    cli("export", "r", "-o", "r.json")
    before = cli("show", "r", "--json").data
    refused = cli("import", "r.json")
    assert (refused.code, refused.out) == (6, "")
    assert "run 'r' is already in graphrt.db; choose another id" in refused.err
    (folder / "mended").touch()
    named = cli("import", "r.json", "--as", "again", "--target", "flows.py:fragile", "--json")
    assert named.data == [
        {"id": "again", "graph": "fragile", "status": "failed", "seq": 6, "parent": None, "target": "flows.py:fragile"}
    ]
    assert cli("show", "r", "--json").data == before
    assert cli("resume", "again").out == "HI!\n"


def test_a_file_can_make_no_code_run(cli: Cli, folder: Path) -> None:
    """D13: not even by naming the place of a graph, which a worker would import."""
    cli(*FRAGILE)
    file = cli("export", "r").data
    (folder / "evil.py").write_text("open('evil was here', 'w').close()")
    file["runs"][0]["target"] = "evil.py:fragile"
    file["runs"][0]["entries"] = file["runs"][0]["entries"][:2]
    (folder / "r.json").write_text(json.dumps(file))
    assert cli("import", "r.json", "--store", "other.db").code == 0
    assert cli("worker", "--once", "--store", "other.db").code == 0
    assert cli("resume", "r", "--store", "other.db").code == 4
    assert cli("doctor", "other.db").code == 0
    assert not (folder / "evil was here").exists()


def test_a_run_that_has_not_ended_is_exported_with_a_warning(cli: Cli) -> None:
    """D3: two places that go on with one run do its effects twice, and nobody but a person can know of both."""
    cli("run", "refunds.py:refund", "--order", "4", "--run-id", "r")
    said = cli("export", "r")
    assert said.data["runs"][0]["id"] == "r"
    assert "run r is suspended: this is how it stands now" in said.err
    assert cli("export", "r", "-q").err == ""


def test_files_that_are_not_there_or_cannot_be_written_are_named(cli: Cli, folder: Path) -> None:
    """V3: what was there is kept."""
    assert cli("export", "r").code == 4
    cli(*FRAGILE)
    assert cli("export", "nobody").code == 4
    gone = cli("import", "gone.json")
    assert (gone.code, gone.err) == (4, "graphrt: there is no file gone.json\n")
    cannot = cli("export", "r", "-o", "nowhere/r.json")
    assert cannot.code == 2
    assert "nowhere/r.json cannot be written" in cannot.err
    assert cli("import", ".").code == 2
    (folder / "wrong.json").write_text("{}")
    wrong = cli("import", "wrong.json")
    assert wrong.code == 2
    assert "nothing was imported" in wrong.err
    (folder / "newer.json").write_text('{"format": 2}')
    assert cli("import", "newer.json").code == 6
    assert len(cli("ls", "--json").data) == 1


# doctor


def test_a_healthy_store_is_said_to_be_so(cli: Cli, folder: Path) -> None:
    """V3: 0, whichever way it is named; the file stays as it is."""
    cli("run", "flows.py:greet", "--text", "hi")
    before = (folder / "graphrt.db").read_bytes()
    said = cli("doctor")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("graphrt.db: format 4, ")
    assert said.out.endswith("\nruns: 1 finished\n✓ healthy\n")
    found = cli("doctor", "graphrt.db", "--json").data
    assert (found["healthy"], found["findings"], found["runs"]) == (True, [], {"finished": 1})
    assert (folder / "graphrt.db").read_bytes() == before
    assert cli("doctor", "none.db").code == 4


def test_a_file_that_is_no_store_is_said_to_be_so(cli: Cli, folder: Path) -> None:
    """D13: that is an answer, and 6."""
    said = cli("doctor", "flows.py")
    assert said.code == 6
    assert "✗ problem: it is no database, or its beginning is gone\n" in said.out
    assert said.out.endswith("✗ 1 to be done\n")


def test_a_run_whose_graph_is_gone_or_has_changed_is_named_with_why(cli: Cli, folder: Path, refunds: Path) -> None:
    """D11: before anybody tries to resume it; --file-only imports nothing."""
    cli("run", "refunds.py:refund", "--order", "4", "--run-id", "r")
    assert cli("doctor").code == 0
    refunds.write_text(REFUNDS.replace("amount = look_up(order)\n    return pay", "amount = 7.5\n    return pay"))
    changed = cli("doctor")
    assert changed.code == 6
    assert (
        "✗ problem: run 'r' of 'refund' cannot be resumed: refunds.py:refund has another structure now" in changed.out
    )
    assert "'look_up' is gone" in changed.out
    refunds.write_text("raise RuntimeError('not today')")
    broken = cli("doctor", "--json")
    assert broken.code == 6
    (finding,) = broken.data["findings"]
    assert (finding["level"], finding["about"], finding["run"]) == ("problem", "graph", "r")
    assert "not today" in finding["what"]
    refunds.unlink()
    assert "there is no file refunds.py" in cli("doctor").out
    assert cli("doctor", "--file-only").code == 0


def test_an_effect_that_waits_for_a_decision_is_named_with_its_command(cli: Cli, folder: Path) -> None:
    """D3: a dead process's run is a warning, as a worker will take it up; a decision is a person's to make."""
    (folder / "crash").touch()
    assert Child("run", "refunds.py:charge", "--order", "4", "--run-id", "r").end().code == -9
    dead = cli("doctor")
    assert dead.code == 0
    assert "lease of r: dead, process " in dead.out
    assert "? warning: run 'r' is driven by nobody: process " in dead.out
    assert "? warning: run 'r': pay may or may not have been done" in dead.out
    (folder / "crash").unlink()
    assert cli("resume", "r").code == 3
    said = cli("doctor", "graphrt.db")
    assert said.code == 6
    assert "✗ problem: run 'r': pay may or may not have been done" in said.out
    assert "    graphrt resolve --store graphrt.db r pay --done JSON, or --not-done\n" in said.out
    cli("resolve", "r", "pay", "--not-done", "--resume")
    assert cli("doctor").code == 0


def test_a_message_that_no_step_waits_for_is_named(cli: Cli) -> None:
    """It is kept, and a later step may take it: a warning."""
    cli("run", "refunds.py:order", "--run-id", "r")
    with closing(sqlite3.connect("graphrt.db")) as connection:  # `graphrt signal` knows better, a program may not
        connection.execute("INSERT INTO messages (id, run, kind, name, at) VALUES ('m', 1, 'signal', 'piad', 1.0)")
        connection.commit()
    said = cli("doctor")
    assert said.code == 0
    assert "message 'm' (signal piad) is in the inbox of run 'r', where no step waits for it" in said.out


def test_the_runs_of_a_damaged_store_are_got_out(cli: Cli, folder: Path) -> None:
    """D3 of the faults: what is whole goes into a new store, and is the same there."""
    for name in ("a", "b"):
        cli("run", "flows.py:greet", "--text", name * 9000, "--run-id", name)
    before = cli("show", "a", "--json").data
    content = bytearray((folder / "graphrt.db").read_bytes())
    place = content.index(b"B" * 4000) // 4096 * 4096 + 4096  # a page that holds nothing else
    content[place : place + 4096] = b"\xee" * 4096
    (folder / "graphrt.db").write_bytes(content)

    said = cli("doctor", "--salvage", "out.json")
    assert said.code == 6
    assert "✗ problem: run 'b' cannot be read whole" in said.out
    assert "runs written to out.json: 1;" in said.err
    assert cli("doctor", "--salvage", "out.json", "--json").data["salvaged"]["runs"] == ["a"]
    assert cli("import", "out.json", "--store", "new.db").out == "a\n"
    assert cli("show", "a", "--store", "new.db", "--json").data == before | {"target": None}
    nothing = cli("doctor", "flows.py", "--salvage", "none.json")
    assert nothing.code == 6
    assert "nothing could be got out of it" in nothing.out
    assert not (folder / "none.json").exists()
