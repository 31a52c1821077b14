"""The processes of the sweep: one that has imported everything and holds nothing open, and the children it forks, each
of which drives the one run there is until that has ended, or until it passes the point at which it is to die.

    python -m tests.torture.sweep_worker      reads a Job a line, as JSON; answers with the child's exit status

What the nodes do to the world is a file beside the store. It says which bodies ran and which effects were done, and
nobody but the sweep compares it with the journal.
"""

from __future__ import annotations

import json
import os
import signal as signals
import sys
import threading
import traceback
from collections import Counter
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import anyio

from graphrt import Final, Machine, NotDone, Runtime, State, Suspended, context, dag, each, first, node, step
from graphrt.context import key_of
from graphrt.failpoints import Point
from graphrt.nodes import signal, sleep
from graphrt.run import Run
from graphrt.testing import crash_at
from graphrt.types import Durability, RunId, StepKey

RUN = RunId("swept")
LEASE = 0.06
"""Seconds; it is renewed three times as often."""
REST = 0.01
"""Seconds that the timer takes."""
BOUND = 60
"""Seconds after which a child that has not ended is stuck."""


class World:
    """What was done outside of any store, a line each, on the file before the body goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _write(self, *words: object) -> None:
        with self.path.open("a") as file:
            file.write("\t".join(map(str, words)) + "\n")

    def _lines(self, kind: str) -> list[list[str]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [rest for first, *rest in (line.split("\t") for line in lines) if first == kind]

    def ran(self) -> None:
        """Say that the body of the running step ran."""
        here = context()
        self._write("ran", here.step, here.attempt)

    def do(self, value: str) -> str:
        """Have an effect under the running step's key, with this outcome."""
        self._write("did", context().idempotency_key, value)
        return value

    def bodies(self) -> list[tuple[StepKey, int]]:
        """List the bodies that ran, with their attempts."""
        return [(StepKey(key), int(attempt)) for key, attempt in self._lines("ran")]

    def done(self) -> Counter[str]:
        """Count how often each effect was done."""
        return Counter(key for key, _ in self._lines("did"))

    def outcome(self, key: str) -> str | None:
        """Return what an effect came to; None if it was not done."""
        return next((value for found, value in self._lines("did") if found == key), None)


world = World(Path(os.devnull))
passed: Counter[Point] = Counter()
"""How often this child has passed each point."""


# A graph with one of everything.


@node
async def link(x: int) -> int:
    world.ran()
    return x + 1


@node
def upto(x: int) -> list[int]:  # in a worker thread, as every sync function
    world.ran()
    return list(range(x))


@node(limit="slots")
async def square(x: int, plus: int) -> int:
    world.ran()
    return x * x + plus


class Climb(State):
    height: int
    steps: int = 0


class Top(Final):
    steps: int


climbing = Machine("climbing", start=Climb, end=Top)


@climbing.on
async def climb(state: Climb) -> Climb | Top:
    world.ran()
    return Climb(height=state.height - 1, steps=state.steps + 1) if state.height else Top(steps=state.steps)


@node
async def never(x: int) -> int:
    await anyio.sleep_forever()
    return x


async def find_charge(amount: int) -> str:
    found = world.outcome(context().idempotency_key)
    if found is None:
        raise NotDone(f"no charge of {amount}")
    return found


@node(effect="once", check=find_charge)
async def charge(amount: int) -> str:
    return world.do(f"charged {amount}")


@node(effect="once")
async def wire(charged: str) -> str:
    """Its answer never comes: a person has to say that it was done."""
    world.do(f"wired after {charged}")
    raise ConnectionResetError("the line was cut")


@node(effect="once")
async def stick(x: int) -> str:
    return world.do(f"label {x}")


async def weigh(x: int) -> int:
    while passed["lease: renewed"] == 0:  # so that there is such a passing
        await context().sleep(LEASE / 10)
    return x * 10


@node
async def pack(x: int) -> str:
    world.ran()
    return f"{await step(stick, x)}, {await step(weigh, x)} g"


@node
async def report(squares: list[int], steps: int, fastest: int, wired: str, packed: str) -> str:
    world.ran()
    return f"{sum(squares)} {steps} {fastest} {wired}; {packed}"


@dag
def everything(x: int) -> str:
    n = link(link(x))
    squares = each(square, upto(n), n)
    fastest = first(never(n), link(n))
    wired = wire(charge(signal("go", int)()))
    return report(squares, climbing(height=n).steps, fastest, wired, pack(sleep(n, REST)))


# Driving it.


class Job(NamedTuple):
    """What a child is to do; `point` is empty if it is to live."""

    folder: str
    durability: Durability
    backend: str
    point: str
    nth: int


async def drive(job: Job) -> None:
    """Begin the run or take it up, and go on with it until it has ended."""
    async with Runtime(
        Path(job.folder) / "store.db", durability=job.durability, limits={"slots": 2}, lease=LEASE, linger=0.0
    ) as rt:
        run = await rt.start_as(RUN, everything, 2)
        await rt.signal(run, "go", 12, id="go-1")
        while True:
            try:
                await run.result()
            except Suspended:
                await decide(rt, run)
            else:
                return


async def decide(rt: Runtime, run: Run[str]) -> None:
    """Say, as a person would who has looked, what became of the effects that nobody knows about."""
    for waits in await rt.pending(run):
        if waits.what == "decision":
            value = world.outcome(key_of(RUN, waits.step))
            if value is None:
                await rt.resolve(run, waits.step, not_done=True)
            else:
                await rt.resolve(run, waits.step, done=value)


def live(job: Job) -> None:
    """Be a child."""
    global world, passed
    signals.alarm(BOUND)
    world = World(Path(job.folder) / "world")
    point: Point | None = job.point or None  # type: ignore[assignment] # one of the names
    with crash_at(point, job.nth) as passed:
        anyio.run(drive, job, backend=job.backend)
    (Path(job.folder) / "passed").write_text(json.dumps(passed))


def main() -> None:
    """Be the one that forks."""
    import_module("anyio._backends._trio")  # the other engine comes in with the rehearsal
    with TemporaryDirectory() as folder:
        live(Job(folder, "process", "asyncio", "", 0))  # a rehearsal: what is worked out once is, for all children
    signals.alarm(0)
    for thread in set(threading.enumerate()) - {threading.main_thread()}:
        thread.join(10)  # the engine told its threads to end, and does not wait for them
    assert threading.active_count() == 1, "a thread would be missing in a fork"
    for line in sys.stdin:
        job = Job(*json.loads(line))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                live(job)
                code = 0
            except BaseException:
                (Path(job.folder) / "error").write_text(traceback.format_exc())
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
