"""Commands of the command line, run in this process or in one of their own, and graphs to run by them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import graphrt.backends.uri
import graphrt.checkpoints
import graphrt.cli.answering
import graphrt.cli.travelling
import graphrt.cli.working
import graphrt.nodes  # noqa: F401 - these are here for a forked command: it would import them anew each time
from graphrt.cli import main

FLOWS = '''
"""Graphs to run from a command line."""
import sys
from pathlib import Path
from typing import Literal

import anyio
from pydantic import BaseModel

from graphrt import Final, Machine, State, dag, node
from graphrt.nodes import ask, generated, llm


class Topic(BaseModel):
    name: str
    weight: int = 1


@node
def shout(text: str, times: int) -> str:
    print("a node's own words", file=sys.stderr)
    return text.upper() * times


@dag
def greet(text: str, times: int = 2) -> str:
    return shout(text, times)


@node
def measure(topic: Topic, factor: float, mode: Literal["a", "1"], note: str | None) -> dict[str, float]:
    return {topic.name: topic.weight * factor, mode: len(note or "")}


@dag
def weigh(
    topic: Topic, factor: float = 1.5, mode: Literal["a", "1"] = "a", note: str | None = None
) -> dict[str, float]:
    return measure(topic, factor, mode, note)


@node
def check_mended(text: str) -> str:
    if not Path("mended").exists():
        raise ValueError("it is broken")
    return text + "!"


@dag
def fragile(text: str) -> str:
    return check_mended(shout(text, 1))


@node
async def wait_for_permission(text: str) -> str:
    if not Path("permitted").exists():
        print("in the middle", file=sys.stderr, flush=True)
        await anyio.sleep_forever()
    return text + "."


@dag
def patient(text: str) -> str:
    return wait_for_permission(shout(text, 1))


@llm("Say {{ text }}.", model="fast")
def say(text: str) -> str:
    return generated()


@dag
def talk(text: str) -> str:
    return say(text)


@node
async def ask_somebody(text: str) -> str:
    return (await ask("somebody", text)).text


@dag
def private(text: str) -> str:
    return ask_somebody(text)


@dag
def collide(limit: int) -> str:
    return shout("x", limit)


class On(State):
    count: int = 0


class Off(Final):
    count: int


lamp = Machine("lamp", start=On, end=Off)


@lamp.on
def switch_off(state: On) -> Off:
    return Off(count=state.count + 1)
'''

BROKEN = """
from __future__ import annotations

from graphrt import Final, Machine, State, dag, node


@node
def length(text: str) -> int:
    return len(text)


@dag
def first_wrong(text: str) -> str:
    return length(length(text))


@dag
def uses_what_is_not_there(text: str) -> str:
    return first_wrong(text)


class Begin(State):
    x: int = 0


class Lost(State):
    x: int = 0


class End(Final):
    x: int = 0


stuck = Machine("stuck", start=Begin, end=End)


@stuck.on
def go(state: Begin) -> Lost:
    return Lost()


@dag
def right(text: str) -> int:
    return length(text)
"""


@dataclass
class Said:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one JSON document on stdout: fails if there is anything beside it."""
        return json.loads(self.out)


Cli = Callable[..., Said]
Terminal = Callable[..., str]


def start(
    *argv: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE, env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a command as a process of its own."""
    line = [sys.executable, "-m", "graphrt", *argv]
    return subprocess.Popen(
        line,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=env,
        # A shell starts its background jobs with SIGINT ignored, and so would everything that a test run there starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads fork here
    )


def process(*argv: str, stdout: int = subprocess.PIPE, env: Mapping[str, str] | None = None) -> Said:
    """Run a command as a process of its own, to its end."""
    running = start(*argv, stdout=stdout, env=env)
    out, err = running.communicate(timeout=60)
    return Said(running.returncode, out or "", err or "")


class Child:
    """A command in a process of its own, forked from this one: starting Python takes longer than all it does here."""

    def __init__(self, *argv: str, joined: bool = False) -> None:
        """With `joined`, stdout is where stderr is, as on a terminal."""
        out, err = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _be_a_command(argv, err[1] if joined else out[1], err[1])
        for writer in (out[1], err[1]):
            os.close(writer)
        self.stdout = os.fdopen(out[0], encoding="utf-8")
        self.stderr = os.fdopen(err[0], encoding="utf-8")

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def end(self) -> Said:
        """Wait for its end; the code is negative where a signal ended it."""
        with self.stdout, self.stderr:
            err = self.stderr.read()
            out = self.stdout.read()
        _, status = os.waitpid(self.pid, 0)
        return Said(os.waitstatus_to_exitcode(status), out, err)

    def kill(self) -> None:
        """End it with -9."""
        self.send(signal.SIGKILL)
        self.end()


def _be_a_command(argv: Sequence[str], out: int, err: int) -> NoReturn:
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", encoding="utf-8"), os.fdopen(2, "w", encoding="utf-8")
        main(argv)
    except SystemExit as left:
        code = int(left.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run_id(said: Said) -> str:
    found = re.search(r"^run (\S+)$", said.err, re.MULTILINE)
    assert found is not None, said
    return found[1]


def on_a_terminal(argv: list[str], **environment: str) -> str:
    """Run a command whose stdout and stderr are a terminal, and return what is on its screen."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM"}}
    running = start(*argv, stdout=theirs, stderr=theirs, env=kept | environment)
    os.close(theirs)
    screen = b""
    try:
        while piece := os.read(ours, 4096):
            screen += piece
    except OSError:  # how a terminal says that its last writer has gone
        pass
    finally:
        os.close(ours)
    assert running.wait(timeout=60) == 0
    return screen.decode()


_CONTROL = re.compile(r"\x1b\[(\d*)([A-Za-z])|.", re.DOTALL)


def screen_of(written: str) -> list[str]:
    """Return the lines that a terminal shows after this was written to it, of what our commands make use of. Fails at
    anything else."""
    lines: list[str] = [""]
    row = column = 0
    for found in _CONTROL.finditer(written):
        match f"ESC {found[2]}" if found[2] else found[0]:
            case "\n":
                row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
            case "\r":
                column = 0
            case "ESC F":
                row, column = row - int(found[1]), 0
                assert row >= 0, "above the screen"
            case "ESC J":
                lines = [*lines[:row], lines[row][:column]]
            case "ESC K":
                lines[row] = lines[row][:column]
            case "ESC m":
                pass
            case letter:
                assert letter.isprintable(), letter
                lines[row] = lines[row][:column].ljust(column) + letter + lines[row][column + 1 :]
                column += 1
    return lines
