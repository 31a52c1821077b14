"""Makes `transcript.md`: plays its story in a folder of its own, and writes down what the terminals really showed.

python docs/transcript.py
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

REFUND = """\
# refund.py
import anyio
from graphrt import dag, node
from graphrt.nodes import answered, generated, llm, person

@node
async def look_up(order: int) -> float:
    return order * 1.5

@person("Refund {{ amount }} for order {{ order }}?", to="ann")
def approve(order: int, amount: float) -> bool:
    return answered()

@node(effect="once")
async def pay(amount: float, approved: bool) -> str:
    await anyio.sleep(60)  # the bank takes its time
    return "a receipt"

@llm("Write one sentence to a customer who gets {{ amount }} back. Receipt: {{ receipt }}", model="fast")
def letter(amount: float, receipt: str) -> str:
    return generated()

@dag
def refund(order: int) -> str:
    amount = look_up(order)
    return letter(amount, pay(amount, approve(order, amount)))
"""

CONFIG = """\
[models]
fast = "scripted:Dear customer, your money is on its way."
"""


class Command(Protocol):
    """A command of graphrt that runs in a process of its own; what it writes comes in one stream."""

    pid: int

    def until(self, words: str) -> str:
        """Read what it writes, up to a line with these words."""
        raise NotImplementedError

    def end(self) -> tuple[int, str]:
        """Wait for its end; return its code, negative for a signal, and what it wrote since it was last read."""
        raise NotImplementedError


Begin = Callable[..., Command]
"""Starts `graphrt` with these arguments in the current folder."""


class Process:
    """A command as a shell starts it."""

    def __init__(self, *argv: str) -> None:
        line = [sys.executable, "-m", "graphrt", *argv]
        self._process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.pid = self._process.pid

    def until(self, words: str) -> str:
        """See Command.until."""
        assert self._process.stdout is not None
        return read_until(self._process.stdout, words)

    def end(self) -> tuple[int, str]:
        """See Command.end."""
        out, _ = self._process.communicate()
        return self._process.returncode, out


def read_until(lines: Iterable[str], words: str) -> str:
    """Read lines up to one that holds these words. Raises RuntimeError if none does."""
    said = ""
    for line in lines:
        said += line
        if words in line:
            return said
    raise RuntimeError(f"it never said {words!r}, but: {said}")


class Page:
    """The transcript as it is written."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._parts: list[str] = []

    def text(self, words: str) -> None:
        """Tell something."""
        self._parts.append(words.strip())

    def block(self, language: str, text: str) -> None:
        """Show something."""
        self._parts.append(f"```{language}\n{text.rstrip()}\n```")

    def play(self, *lines: tuple[str, str]) -> None:
        """Type commands, each in a terminal, one after the other, and show what they print and how they end."""
        self.block("text", "\n".join(self._typed(terminal, line) for terminal, line in lines))

    def _typed(self, terminal: str, line: str) -> str:
        code, out = self._begin(*shlex.split(line)[1:]).end()
        return self.shown(terminal, line, out, code)

    def shown(self, terminal: str, line: str, out: str, code: int | None = 0) -> str:
        """Write down one command with what it printed."""
        ending = f"[exit code {code}]\n" if code else ""
        return f"{terminal}$ {line}\n{out}{ending}"

    def whole(self) -> str:
        """Return the page."""
        return "\n\n".join(self._parts) + "\n"


def story(begin: Begin, folder: Path) -> str:
    """Play the story in `folder`, which is the current one, and return its page."""
    (folder / "refund.py").write_text(REFUND, encoding="utf-8")
    (folder / "graphrt.toml").write_text(CONFIG, encoding="utf-8")
    page = Page(begin)
    page.text(OPENING)
    page.block("python", REFUND)
    page.block("toml", CONFIG)

    page.text("## A run asks a person, and no process waits for the answer")
    page.play(("A", "graphrt run refund.py:refund --order 8 --run-id r"))
    page.play(("B", "graphrt inbox"), ("B", "graphrt answer r approve yes"))

    page.text(TWO)
    paying = "graphrt resume r"
    first = begin(*shlex.split(paying)[1:])
    seen = first.until("✓ approve")
    page.play(("B", "graphrt resume r"), ("B", "graphrt ls"))
    os.kill(first.pid, signal.SIGKILL)
    code, rest = first.end()
    assert code == -signal.SIGKILL, (code, rest)
    page.text("Terminal A's process is killed with -9 while its payment is in flight:")
    page.block("text", page.shown("A", paying, seen + rest + "Killed\n"))

    page.text(UNKNOWN)
    page.play(("B", "graphrt resume r --dry-run"), ("B", "graphrt resume r"))
    page.text("The bank's statement says that it was paid:")
    page.play(("B", "graphrt resolve r pay --done 'receipt 17' --resume"), ("B", "graphrt show r"))

    page.text(FORK)
    page.play(
        ("B", "graphrt fork r --at letter --model 'fast=scripted:Good news: 12.0 are yours again.' --run-id s"),
        ("B", "graphrt diff r s"),
    )

    page.text(REPLAY)
    changed = REFUND.replace("one sentence", "two sentences")
    (folder / "refund.py").write_text(changed, encoding="utf-8")
    page.play(("B", "graphrt replay r"))
    return page.whole()


OPENING = """
# One run, two terminals

What two terminals really showed: `python docs/transcript.py` plays this story and writes this page, and a test plays it
again. `A$` and `B$` are two shells in one folder, which holds these two files:
"""

TWO = """
## Two terminals resume one run

Terminal A takes the run up, and its payment is on the way. Terminal B tries the same: a run has one driver.
"""

UNKNOWN = """
## A payment that was killed in flight is not repeated

The lease of a process that is seen to be gone is free at once. Whether the bank was paid, nobody here can know: the
step is `unknown`. It has no `check` that could ask the bank, so a person says what became of it.
"""

FORK = """
## Another model, from the letter on

A fork shares the history of its parent up to what differs. Nobody is asked or paid again.
"""

REPLAY = """
## A changed prompt is found

In `refund.py`, `one sentence` becomes `two sentences`. A replay runs today's code against the record, with no effect
leaving the process.
"""


_VARIES = (
    (r"\b\d+(\.\d+)? m?s\b", "0.00 s"),
    (r" {2,}0\.00 s", "  0.00 s"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-01-01 00:00:00"),
    (r"process \d+ on [\w.-]+", "process 1 on host"),
)


def shape(page: str) -> str:
    """Return a page without what is another each time: times, process numbers, the machine's name."""
    for pattern, same in _VARIES:
        page = re.sub(pattern, same, page)
    return page


def main() -> None:
    """Write the page."""
    place = Path(__file__).resolve().with_name("transcript.md")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        page = story(Process, Path(folder))
        os.chdir(place.parent)
    place.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
