"""A process that resumes a run and does what it is told: one line on stdin, one line back.

python -m tests.faults.racer STORE      `ready`; then, for each line it gets, resume and say how that went
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from graphrt import Runtime, dag, node
from graphrt.errors import RunTaken, StaleFence

RUN = "r"


def say(words: str) -> None:
    """One line to whoever started this process."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def hold_on() -> None:
    """Say that the run is driven here, and go on when told to."""
    say("driving")
    sys.stdin.readline()


pausing = [hold_on]
"""What the step in the middle does. Whoever imports this module has its own."""


@node
async def before(x: int) -> int:
    return x + 1


@node
def hold(x: int) -> int:
    pausing[0]()
    return x * 2


@node
async def after(x: int) -> int:
    return x + 1


@dag
def held(x: int) -> int:
    return after(hold(before(x)))


async def main(store: str) -> None:
    async with Runtime(Path(store)) as rt:
        say("ready")
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            try:
                say(f"result {await (await rt.resume(RUN, held)).result()}")
            except (RunTaken, StaleFence) as error:
                say(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
