"""The command line for runs that wait for the world: asked, answered, signalled, resolved, cancelled and served."""

from __future__ import annotations

import json
import re
import signal
import sys
from io import StringIO
from pathlib import Path

import pytest

from tests.graphrt.command import Child, Cli, Terminal

REFUNDS = '''
"""Graphs that wait for people, signals, the passing of time, and for somebody to say what became of a payment."""
import os
import signal as signals
import sys
from pathlib import Path

import anyio
from pydantic import BaseModel

from graphrt import dag, each, first, node, step
from graphrt.nodes import answered, person, signal, sleep


class Payment(BaseModel):
    amount: float


@node
async def look_up(order: int) -> float:
    return order * 1.5


@person("Refund {{ amount }} for order {{ order }}?", to="ann")
def approve(order: int, amount: float) -> bool:
    return answered()


@node(effect="once")
async def pay(amount: float, approved: bool) -> str:
    if Path("crash").exists():
        os.kill(os.getpid(), signals.SIGKILL)
    return f"paid {amount}" if approved else "not paid"


@dag
def refund(order: int) -> str:
    amount = look_up(order)
    return pay(amount, approve(order, amount))


@dag
def charge(order: int) -> str:
    return pay(look_up(order), True)


@person("What is the matter?")
def describe() -> str:
    return answered()


@person("How much?")
def amount_of() -> Payment:
    return answered()


@dag
def ask_amount() -> Payment:
    return amount_of()


@node
def people(number: int) -> list[str]:
    return [f"person {n}" for n in range(number)]


@person("{{ who }}, what do you think?")
def opinion(who: str) -> str:
    return answered()


@dag
def survey(number: int) -> list[str]:
    return each(opinion, people(number))


@dag
def complain() -> str:
    return describe()


paid = signal("paid", Payment)


@dag
def order() -> Payment | None:
    return first(paid(), sleep(None, 3600))


@dag
def nap(seconds: float) -> str:
    return sleep("rested", seconds)


def count(text: str) -> int:
    return len(text)


@node(effect="once")
async def send(text: str) -> str:
    return f"sent {text}"


@node
async def letter(text: str) -> str:
    await step(count, text)
    return await step(send, text)


@dag
def post(text: str) -> str:
    return letter(text)


@node
async def hold(text: str) -> str:
    print("in the middle", file=sys.stderr, flush=True)
    while not await anyio.Path("permitted").exists():
        await anyio.sleep(0.01)
    return text + "."


@node
async def after(text: str) -> str:
    return text + "!"


@dag
def long(text: str) -> str:
    return after(hold(text))
'''


@pytest.fixture(autouse=True)
def refunds(folder: Path) -> Path:
    path = folder / "refunds.py"
    path.write_text(REFUNDS, encoding="utf-8")
    return path


def in_the_middle(running: Child) -> str:
    """Read what a process says on stderr until its node is at work."""
    return until(running, "in the middle\n")


def until(running: Child, words: str) -> str:
    """Read what a process says on stderr up to a line that holds these words."""
    said = ""
    for line in running.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it never said {words!r}, but: {said}")


def killed(folder: Path, *argv: str) -> None:
    """Run a command that dies of a -9 in the middle of its payment."""
    (folder / "crash").touch()
    said = Child(*argv).end()
    assert said.code == -signal.SIGKILL, said
    (folder / "crash").unlink()


# run and resume


def test_a_run_that_asks_a_person_exits_with_3_and_says_how_to_answer(cli: Cli) -> None:
    """Nothing is on stdout: there is no result yet (V3)."""
    said = cli("run", "refunds.py:refund", "--order", "8", "--run-id", "r")
    assert (said.code, said.out) == (3, "")
    assert "… approve  asks ann: Refund 12.0 for order 8?\n… suspended\n" in said.err
    assert said.err.endswith(
        "run r waits:\n  approve asks: Refund 12.0 for order 8?\n    graphrt answer r approve JSON\n"
        "then go on with: graphrt resume r\n"
    )
    assert cli("resume", "r").code == 3
    quiet = cli("resume", "r", "--quiet", "--store", "graphrt.db")
    assert quiet.err.startswith("run r waits:\n")
    assert "graphrt answer --store graphrt.db r approve JSON\n" in quiet.err


def test_a_suspended_run_says_in_json_what_it_waits_for(cli: Cli) -> None:
    """V3: one document, with the question, who is meant, the schema of the answer, and the command."""
    data = cli("run", "refunds.py:refund", "--order", "8", "--run-id", "r", "--json").data
    [wait] = data.pop("waiting")
    assert data == {"run": "r", "status": "suspended", "until": None}
    assert (wait["step"], wait["waits_for"], wait["name"]) == ("approve", "person", "Refund 12.0 for order 8?")
    assert (wait["to"], wait["schema"], wait["command"]) == (
        "ann",
        {"type": "boolean"},
        "graphrt answer r approve JSON",
    )
    assert wait["since"] > 0


def test_a_run_that_only_sleeps_is_waited_for(cli: Cli) -> None:
    """V3: time passes by itself, so the command has a result."""
    said = cli("run", "refunds.py:nap", "--seconds", "0.01")
    assert (said.code, said.out) == (0, "rested\n")
    assert "… sleep  sleeps until " in said.err


def test_a_sleeping_run_is_interrupted_and_can_be_resumed(cli: Cli, folder: Path) -> None:
    """V3: 130, and the timer is due when it was due before."""
    running = Child("run", "refunds.py:nap", "--seconds", "3600", "--run-id", "r")
    until(running, "… suspended until")
    [listed] = cli("ls", "--json").data
    running.send(signal.SIGINT)
    ended = running.end()
    err = ended.err
    assert ended.code == 130
    assert "resume with: graphrt resume r\n" in err
    assert cli("ls", "--json").data == [listed]
    assert (listed["status"], listed["wake"]) == ("suspended", listed["waiting"][0]["until"])


def test_a_run_that_another_process_drives_exits_with_6_and_says_which(cli: Cli, folder: Path) -> None:
    """D7, V3: one wins, the other says who has it; then it is free at once."""
    running = Child("run", "refunds.py:long", "--text", "a", "--run-id", "r")
    in_the_middle(running)
    taken = cli("resume", "r")
    assert (taken.code, taken.out) == (6, "")
    assert f"run 'r' is being driven by process {running.pid} on " in taken.err
    assert f"driven by process {running.pid} on " in cli("ls").out
    assert f"driven by process {running.pid} on " in cli("show", "r").out
    running.kill()
    assert "nobody drives it: graphrt resume r" in cli("ls").out
    (folder / "permitted").touch()
    assert cli("resume", "r", "-q").out == "a.!\n"


def test_a_process_that_is_asked_to_end_finishes_what_is_in_flight_and_starts_nothing_more(
    cli: Cli, folder: Path
) -> None:
    """S3: the step's outcome is recorded, the next one is not begun, and the run can be resumed."""
    running = Child("run", "refunds.py:long", "--text", "a", "--run-id", "r")
    in_the_middle(running)
    running.send(signal.SIGTERM)
    until(running, "stopping: steps in flight may finish for 10 s")
    (folder / "permitted").touch()
    ended = running.end()
    err = ended.err
    assert ended.code == 130
    assert "✓ hold" in err
    assert "after" not in err
    assert err.endswith("interrupted; finished steps are kept, resume with: graphrt resume r\n")
    steps = {step["step"]: step["status"] for step in cli("show", "r", "--json").data["steps"]}
    assert steps == {"hold": "finished"}
    assert "re-executes 0, reuses 1" in cli("resume", "r").err


def test_a_process_that_is_asked_twice_ends_at_once(cli: Cli) -> None:
    """S3: what is in flight is abandoned at the last commit."""
    running = Child("run", "refunds.py:long", "--text", "a", "--run-id", "r")
    in_the_middle(running)
    running.send(signal.SIGTERM)
    until(running, "stopping")
    running.send(signal.SIGTERM)
    ended = running.end()
    err = ended.err
    assert ended.code == 130
    assert "Traceback" not in err
    assert cli("resume", "r", "--dry-run", "--json").data["re_executes"] == ["hold"]


# inbox and answer


def test_the_inbox_lists_what_people_are_asked_over_all_runs(cli: Cli, folder: Path) -> None:
    """Which run, which step, who is meant, since when, and the question; a run that waits for a signal asks nobody."""
    for name, graph in [("one", "refund"), ("two", "complain"), ("three", "order")]:
        cli("run", f"refunds.py:{graph}", *(["--order", "8"] if graph == "refund" else []), "--run-id", name)
    said = cli("inbox")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].split() == ["RUN", "STEP", "TO", "SINCE", "QUESTION"]
    assert re.fullmatch(r"… two  describe +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  What is the matter\?", lines[1])
    assert re.fullmatch(r"… one  approve   ann  .{19}  Refund 12\.0 for order 8\?", lines[2])
    assert len(lines) == 3
    assert [row["run"] for row in cli("inbox", "--json").data] == ["two", "one"]
    assert [row["graph"] for row in cli("inbox", "one", "--json").data] == ["refund"]
    assert cli("inbox", "three").err == "nobody is asked anything\n"


def test_the_inbox_fits_the_terminal(cli: Cli, terminal: Terminal) -> None:
    """V3: run and step stay, which an answer needs; the question before whom and since when."""
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "one")
    for width in (200, 80, 40, 24):
        lines = terminal(width, "inbox").splitlines()
        assert all(len(line) <= width for line in lines)
        assert lines[1].startswith("… one  approve")
        assert ("QUESTION" in lines[0], "TO" in lines[0], "SINCE" in lines[0]) == (width > 24, width > 24, width > 40)


def test_the_inbox_needs_no_code(cli: Cli, refunds: Path) -> None:
    """What is asked is in the store; whoever answers need not have the graph."""
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "r")
    refunds.unlink()
    before = cli("inbox", "--json").data
    assert [row["name"] for row in before] == ["Refund 12.0 for order 8?"]
    said = cli("answer", "r", "approve", "true")
    assert (said.code, said.err) == (0, "run r: approve is answered; go on with: graphrt resume r\n")
    refunds.write_text(REFUNDS, encoding="utf-8")
    assert cli("resume", "r", "-q").out == "paid 12.0\n"


def test_an_answer_is_sent_and_the_run_goes_on_when_it_is_resumed(cli: Cli) -> None:
    """Two commands, or one with --resume: the same run, and nothing before the question runs again (D4)."""
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "one")
    said = cli("answer", "one", "approve", "true")
    assert (said.code, said.out) == (0, "")
    assert said.err == "run one: approve is answered; go on with: graphrt resume one\n"
    resumed = cli("resume", "one")
    assert (resumed.code, resumed.out) == (0, "paid 12.0\n")
    assert "re-executes 0, reuses 1" in resumed.err
    assert "look_up" not in resumed.err
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "two")
    at_once = cli("answer", "@last", "prove", "no", "--resume")
    assert (at_once.code, at_once.out) == (0, "not paid\n")
    assert at_once.err.startswith("run two: approve is answered\nrun two of refund: re-executes 0, reuses 1\n")
    assert cli("answer", "two", "approve", "true").code == 2


def test_an_answer_that_does_not_fit_is_refused_before_it_is_sent(cli: Cli) -> None:
    """G1: by the types of the graph's code, where that is there; else, for a plain type, by what the question says."""
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "r")
    said = cli("answer", "r", "approve", "maybe")
    assert (said.code, said.out) == (2, "")
    assert "node 'approve', port 'return'" in said.err
    assert cli("show", "r", "--json").data["messages"] == []
    refunds = Path("refunds.py")
    refunds.rename("away.py")
    without_code = cli("answer", "r", "approve", "maybe")
    assert without_code.code == 2
    assert "Input should be a valid boolean" in without_code.err
    Path("away.py").rename(refunds)
    wrong = cli("answer", "r", "look_up", "1")
    assert wrong.code == 2
    assert "'look_up' of run r (suspended) does not wait for a person's answer; those that do: approve" in wrong.err


def test_an_answer_that_does_not_fit_is_refused_when_it_is_taken_and_the_question_stands(
    cli: Cli, refunds: Path
) -> None:
    """Where the code was not there to say so; bad input loses nothing."""
    cli("run", "refunds.py:ask_amount", "--run-id", "r")
    refunds.unlink()
    unread = cli("answer", "r", "amount_of", "much")
    assert unread.code == 2
    assert "the answer 'much' is not JSON" in unread.err
    sent = cli("answer", "r", "amount_of", '{"amount": "much"}')
    assert sent.code == 0
    assert "the answer will be validated when the run takes it: its type is not known here" in sent.err
    assert "there is no file refunds.py" in sent.err
    [message] = cli("show", "r", "--json").data["messages"]
    assert (message["kind"], message["name"], message["value"]) == ("answer", "amount_of", {"amount": "much"})
    assert 'waits in the inbox: answer amount_of {"amount":"much"}' in cli("show", "r").out
    refunds.write_text(REFUNDS, encoding="utf-8")
    said = cli("resume", "r")
    assert said.code == 3
    assert "✗ amount_of  refused: " in said.err
    [row] = cli("show", "r", "--json").data["steps"]
    assert len(row["refused"]) == 1
    assert cli("answer", "r", "amount_of", '{"amount": 3}', "--resume", "-q").data == {"amount": 3.0}


@pytest.mark.parametrize(
    ("word", "taken"),
    [
        ("it is broken", "it is broken"),
        ('"it is broken"', "it is broken"),
        ("2024", "2024"),
        ('{"a": 1}', '{"a": 1}'),
        ("@said.txt", "from a file"),
        ("-", "from stdin"),
    ],
)
def test_text_needs_no_quotes_where_text_is_taken(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, word: str, taken: str
) -> None:
    """JSON where it fits, else the words as they are; @FILE and - as everywhere."""
    (folder / "said.txt").write_text("from a file\n", encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", StringIO("from stdin\n"))
    cli("run", "refunds.py:complain", "--run-id", "r")
    assert cli("answer", "r", "describe", word, "--resume", "--json").data["result"] == taken


def test_the_second_answer_to_one_question_is_told_that_there_is_one(cli: Cli) -> None:
    """The first one counts; the same once more changes nothing."""
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "r")
    assert cli("answer", "r", "approve", "true").code == 0
    assert cli("answer", "r", "approve", "true").code == 0
    other = cli("answer", "r", "approve", "false")
    assert other.code == 2
    assert "the first one counts" in other.err


# signal


def test_a_signal_is_sent_to_a_run_that_waits_for_it(cli: Cli) -> None:
    """The run says until when it waits; the message is typed; a deadline that is no longer needed is not waited for."""
    said = cli("run", "refunds.py:order", "--run-id", "r")
    assert said.code == 3
    assert "paid waits for the signal paid\n    graphrt signal r paid JSON\n" in said.err
    assert re.search(r"^… suspended until \d{4}-", said.err, re.MULTILINE)
    listed = cli("ls", "--status", "suspended").out
    assert re.search(
        r"^r    … suspended  order  .{19}  paid waits for the signal paid \(and 1 more\)  until .{19}\n$",
        listed,
        re.MULTILINE,
    )
    wrong = cli("signal", "r", "paid", '{"amount": "much"}')
    assert wrong.code == 2
    assert "/amount" in wrong.err
    unknown = cli("signal", "r", "payed", '{"amount": 3}')
    assert unknown.code == 2
    assert "nothing in 'order' waits for a signal 'payed'; its signals are: paid" in unknown.err
    sent = cli("signal", "r", "paid", '{"amount": 3}', "--resume", "-q")
    assert (sent.code, sent.out) == (0, '{\n  "amount": 3.0\n}\n')


def test_a_signal_under_one_id_is_one_signal(cli: Cli) -> None:
    """Whoever sends it may try again; another content under that id is refused."""
    cli("run", "refunds.py:order", "--run-id", "r")
    line = ("signal", "r", "paid", '{"amount": 3}', "--id", "p1")
    assert cli(*line, "--json").data == {"run": "r", "sent": True, "driver": None}
    assert "was sent before under this id" in cli(*line).err
    assert len(cli("show", "r", "--json").data["messages"]) == 1
    assert cli("signal", "r", "paid", '{"amount": 4}', "--id", "p1").code == 2


# resolve


def test_a_payment_that_was_killed_in_flight_is_unknown_until_somebody_says(cli: Cli, folder: Path) -> None:
    """D3, V3: it is not repeated; the person is shown what is unknown, before anything is done and after."""
    killed(folder, "run", "refunds.py:charge", "--order", "8", "--run-id", "r")
    assert "nobody drives it" in cli("ls").out
    dry = cli("resume", "r", "--dry-run")
    assert dry.out == (
        "run r of charge: re-executes 0, reuses 1, unknown 1\n  pay   (unknown: a check or a person decides)\n"
    )
    said = cli("resume", "r")
    assert said.code == 3
    assert "    graphrt resolve r pay --done JSON, or --not-done\n" in said.err
    assert "? pay      unknown" in cli("show", "r").out
    assert re.search(r"^\? r    pay   .{19}  was it done\? its process ended before", cli("inbox").out, re.MULTILINE)
    assert cli("resolve", "r", "look_up", "--not-done").code == 2
    assert cli("resolve", "r", "pay").code == 2
    assert cli("resolve", "r", "pay", "--done", "7").code == 0  # text, as it takes text
    done = cli("resume", "r")
    assert (done.code, done.out) == (0, "7\n")


def test_a_payment_that_was_not_done_is_done_when_somebody_says_so(cli: Cli, folder: Path) -> None:
    """D3: under the same key."""
    killed(folder, "run", "refunds.py:charge", "--order", "8", "--run-id", "r")
    cli("resume", "r")
    said = cli("resolve", "r", "pay", "--not-done", "--resume")
    assert (said.code, said.out) == (0, "paid 12.0\n")
    assert said.err.startswith("run r: pay was not done, and may be tried again\n")
    [row] = [step for step in cli("show", "r", "--json").data["steps"] if step["step"] == "pay"]
    assert (row["status"], row["attempts"]) == ("finished", 2)


# cancel


def test_a_waiting_run_is_cancelled(cli: Cli) -> None:
    """E8: recorded at once; a run that has ended otherwise is left as it is."""
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "r")
    said = cli("cancel", "r")
    assert (said.code, said.out, said.err) == (0, "", "run r is cancelled\n")
    assert cli("cancel", "r", "--json").data == {"run": "r", "status": "cancelled"}
    assert "approve  cancelled" in cli("show", "r").out
    assert cli("inbox").err == "nobody is asked anything\n"
    cli("run", "refunds.py:nap", "--seconds", "0", "--run-id", "done")
    over = cli("cancel", "done")
    assert over.code == 2
    assert "run 'done' has ended (finished)" in over.err


def test_a_run_that_another_process_drives_is_cancelled_there(cli: Cli) -> None:
    """E8, D7: its driver hears of it, stops its steps and records it."""
    running = Child("run", "refunds.py:long", "--text", "a", "--run-id", "r")
    in_the_middle(running)
    said = cli("cancel", "r")
    assert said.code == 0
    assert f"process {running.pid} on " in said.err
    ended = running.end()
    err = ended.err
    assert ended.code == 130
    assert "✗ cancelled" in err
    assert cli("show", "r", "--json").data["status"] == "cancelled"


def test_a_run_that_waits_for_many_tells_some_of_them(cli: Cli) -> None:
    """V3: the inbox has them all."""
    err = cli("run", "refunds.py:survey", "--number", "30", "--run-id", "r").err
    assert err.count("graphrt answer r ") == 10
    assert "    graphrt answer r 'each:opinion[9]' JSON\n  and 20 more: graphrt inbox r\n" in err
    assert len(cli("inbox").out.splitlines()) == 31
    many = cli("answer", "r", "]", "yes")
    assert many.code == 2
    assert "write more of it" in many.err


# show


def test_show_has_what_waits_what_was_asked_and_the_parts_of_a_step(cli: Cli) -> None:
    """V2, D4: every state has a mark and a word; parts of a step are beneath it."""
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "r")
    shown = cli("show", "r").out
    assert re.search(r"^… approve  waiting +asks ann: Refund 12\.0 for order 8\?$", shown, re.MULTILINE)
    assert shown.endswith("    graphrt answer r approve JSON\nthen go on with: graphrt resume r\n")
    step = cli("show", "r@approve", "--json").data
    assert step["waits_for"]["asked"]["question"] == "Refund 12.0 for order 8?"
    assert '"question": "Refund 12.0 for order 8?"' in cli("show", "r@approve").out
    cli("run", "refunds.py:post", "--text", "hi", "--run-id", "p")
    shown = cli("show", "p").out
    assert "✓ letter/count  finished" in shown
    assert re.search(r'^✓ letter/send   finished +"sent hi"$', shown, re.MULTILINE)
    assert cli("show", "p@letter", "--json").data["substeps"]["send"] == {"status": "finished", "output": "sent hi"}
    cli("run", "refunds.py:charge", "--order", "8", "--run-id", "c")
    assert len(cli("show", "c@pay", "--json").data["intent"]) >= 32


# worker


def test_a_worker_does_what_is_due_and_ends(cli: Cli, folder: Path) -> None:
    """Takes over what a dead process left, delivers what was sent, leaves alone what waits (D7)."""
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "answered")
    cli("answer", "answered", "approve", "true")
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "asked")
    killed(folder, "run", "refunds.py:charge", "--order", "8", "--run-id", "killed")
    said = cli("worker", "--once")
    assert (said.code, said.out) == (0, "")
    lines = {re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in said.err.splitlines()}
    assert lines == {
        "serving graphrt.db",
        "run answered of refund is taken up, with 1 finished steps",
        "run answered of refund finished",
        "run killed of charge is taken up, with 1 finished steps",
        "run killed of charge waits: pay may or may not have been done "
        "(its process ended before the outcome was recorded)",
    }
    assert {run["id"]: run["status"] for run in cli("ls", "--json").data} == {
        "answered": "finished",
        "asked": "suspended",
        "killed": "suspended",
    }
    assert cli("worker", "--once").err == "serving graphrt.db\n"


def test_a_worker_says_in_json_lines_what_it_does(cli: Cli) -> None:
    """V3: an object a line, as it happens."""
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "r")
    cli("answer", "r", "approve", "true")
    said = cli("worker", "--once", "--json", "-q")
    told = [json.loads(line) for line in said.out.splitlines()]
    assert [(line["run"], line["graph"], line["status"]) for line in told] == [
        ("r", "refund", "running"),
        ("r", "refund", "finished"),
    ]
    assert said.err == ""


def test_a_worker_serves_the_files_it_is_given_and_no_others(cli: Cli, folder: Path) -> None:
    """A run of a graph from elsewhere is somebody else's."""
    (folder / "other.py").write_text(REFUNDS.replace("paid {amount}", "also paid {amount}"), encoding="utf-8")
    for name, place in [("mine", "refunds.py"), ("theirs", "other.py")]:
        cli("run", f"{place}:complain", "--run-id", name)
        cli("answer", name, "describe", "all")
    cli("worker", "other.py", "--once")
    cli("run", "pkg.inner:greet", "--text", "a", "--run-id", "elsewhere")
    assert cli("worker", "nowhere.py", "--once").code == 4
    assert cli("worker", "pkg", "--once").code == 4
    # Both files' graphs have one structure: a worker that has the code of a run may do it, wherever it came from.
    assert {run["id"]: run["status"] for run in cli("ls", "--json").data if run["id"] in {"mine", "theirs"}} == {
        "mine": "finished",
        "theirs": "finished",
    }


def test_what_a_worker_cannot_take_up_does_not_stop_the_rest(cli: Cli, folder: Path, refunds: Path) -> None:
    """Code that is gone, or a model that is not bound: told, once, and left alone."""
    (folder / "gone.py").write_text(REFUNDS, encoding="utf-8")
    cli("run", "gone.py:refund", "--order", "1", "--run-id", "gone")
    cli("answer", "gone", "approve", "true")
    (folder / "gone.py").unlink()
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "here")
    cli("answer", "here", "approve", "true")
    said = cli("worker", "--once")
    assert said.code == 0
    assert "run gone of refund cannot be taken up: there is no file gone.py" in said.err
    assert "run here of refund finished" in said.err


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_worker_drains_when_it_is_asked_to_end(cli: Cli, folder: Path, sent: signal.Signals, code: int) -> None:
    """S3, V3: a supervisor's SIGTERM is no failure; an interrupt is 130. What was in flight is recorded."""
    first = Child("run", "refunds.py:long", "--text", "a", "--run-id", "r")
    in_the_middle(first)
    first.kill()
    worker = Child("worker")
    in_the_middle(worker)
    worker.send(sent)
    until(worker, "stopping")
    (folder / "permitted").touch()
    ended = worker.end()
    err = ended.err
    assert ended.code == code
    assert "run r of long is let go: run r was stopped at its last commit" in err
    assert "Traceback" not in err
    data = cli("show", "r", "--json").data
    assert (data["status"], data["driver"]) == ("running", None)
    assert [(step["step"], step["status"]) for step in data["steps"]] == [("hold", "finished")]


def test_a_worker_goes_on_with_a_run_when_its_answer_comes(cli: Cli, folder: Path) -> None:
    """Two terminals and a worker: one asks, one answers, the worker does the rest."""
    worker = Child("worker", "refunds.py")
    until(worker, "serving graphrt.db")
    cli("run", "refunds.py:refund", "--order", "8", "--run-id", "r")
    cli("answer", "r", "approve", "true")
    until(worker, "run r of refund finished")
    worker.send(signal.SIGTERM)
    assert worker.end().code == 0
    assert cli("show", "r@pay", "--json").data["output"] == "paid 12.0"
