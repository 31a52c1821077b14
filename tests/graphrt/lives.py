"""A world for runs to live in: a clock that is moved by hand, nodes that wait to be told how they end, processes that
die or fall silent, and a record of everything that was acknowledged or done.

All of it is in one event loop, on one journal; a process is a runtime with a line of its own to that journal. What the
nodes do is told apart from what the journal says of it, so that the two can be compared.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc
from pydantic_core import from_json

from graphrt import Machine, NotDone, Retry, Runtime, context, lease, node, step
from graphrt.config import Config
from graphrt.errors import StoreError
from graphrt.facts import Fact, StepStarted
from graphrt.journal import Claim, Journal, MemoryJournal, Renewal, RunInfo
from graphrt.nodes import person, signal, sleep
from graphrt.nodes.person import answered
from graphrt.testing import BreakingJournal
from graphrt.types import Json, RunId, StepKey
from tests.graphrt.small import WORLD, Checked, Count, Counted, Kit

NEVER = 10**9
LEASE = 30.0
"""Seconds."""
TIMER = 100.0
"""Seconds that every timer takes."""
TOLD = 7
"""What every signal says."""


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self._moved = anyio.Event()
        self._due: list[float] = []

    def now(self) -> float:
        """See Clock.now."""
        return self.time

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return self.time

    async def wait(self, event: anyio.Event, seconds: float | None) -> None:
        """See Clock.wait."""
        if seconds is None:
            await event.wait()
            return
        due = self.time + max(0.0, seconds)
        self._due.append(due)
        try:
            async with anyio.create_task_group() as tasks:

                async def watch() -> None:
                    await event.wait()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(watch)
                while self.time < due:
                    await self._moved.wait()
                tasks.cancel_scope.cancel()
        finally:
            self._due.remove(due)

    def move(self, to: float) -> None:
        """Let the time be another."""
        self.time = max(self.time, to)
        moved, self._moved = self._moved, anyio.Event()
        moved.set()

    def next(self) -> float | None:
        """Return the next instant that somebody waits for."""
        return min((due for due in self._due if due > self.time), default=None)


class Shared(MemoryJournal):
    """One that several processes see."""

    @property
    def private(self) -> bool:
        """See Journal.private."""
        return False


class Line(BreakingJournal):
    """A process's line to the journal: it can be cut, or be silent while leases are renewed, and its reads take their
    time."""

    def __init__(self, behind: Journal, world: World) -> None:
        super().__init__(behind, NEVER)
        self._world = world
        self.silent = False
        self._dice = random.Random(len(world.processes))
        for name in ("release", "send", "inbox", "due", "definition", "load", "read", "info", "runs"):
            setattr(self, name, self._counted(getattr(self, name)))

    async def _tarry(self) -> None:
        """Let others go first, as a file would: what was read may be old by the time it is heard."""
        for _ in range(self._dice.randrange(4)):
            await anyio.lowlevel.checkpoint()

    def _counted(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(*args: Any, **kwargs: Any) -> Any:
            async with self._world.busy():
                await self._tarry()
                found = await call(*args, **kwargs)
                await self._tarry()
                return found

        return counted

    async def create(self, info: RunInfo, facts: Sequence[Fact], *, at: float, **rest: Any) -> None:
        """See Journal.create."""
        async with self._world.busy():
            await super().create(info, facts, at=at, **rest)
        self._world.fences[info.id] = 1
        self._world.acknowledge(info.id, 0, facts)

    async def append(
        self, run: RunId, after: int, facts: Sequence[Fact], *, at: float, fence: int | None = None, **rest: Any
    ) -> None:
        """See Journal.append."""
        newest = self._world.fences[run]
        async with self._world.busy():
            await super().append(run, after, facts, at=at, fence=fence, **rest)
        # A claim that was made after it may be heard of before it.
        if fence not in {newest, self._world.fences[run]}:
            self._world.wrong.append(f"{run}: a commit under fence {fence} was taken, not {newest}")
        self._world.acknowledge(run, after, facts)

    async def claim(self, run: RunId, claim: Claim, *, at: float, dead: Callable[[str], bool] = lambda _: False) -> int:
        """See Journal.claim."""
        async with self._world.busy():
            fence = await super().claim(run, claim, at=at, dead=dead)
        if fence <= self._world.fences[run]:
            self._world.wrong.append(f"{run}: fence {fence} was given after {self._world.fences[run]}")
        self._world.fences[run] = fence
        return fence

    async def renew(self, driver: str, *, until: float) -> Renewal:
        """See Journal.renew. Fails while it is silent, as a process that hangs would not even try."""
        if self.silent:
            raise StoreError("silence")
        async with self._world.busy():
            return await super().renew(driver, until=until)


@dataclass
class Body:
    """A node's function that waits to be told how to end."""

    run: RunId
    step: StepKey
    key: str
    told: anyio.Event = field(default_factory=anyio.Event)
    how: str = "go on"
    done: bool = False
    """Its effect has happened."""

    def tell(self, how: str) -> None:
        """Let it end so: `go on`, `fail`, or, for an effect, `lose its answer`."""
        self.how = how
        self.told.set()


@dataclass(eq=False)
class Process:
    """A runtime, from its start to its death."""

    line: Line
    evict: bool
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ready: anyio.Event = field(default_factory=anyio.Event)
    leave: anyio.Event = field(default_factory=anyio.Event)
    gone: anyio.Event = field(default_factory=anyio.Event)
    runtime: Runtime | None = None

    @property
    def rt(self) -> Runtime:
        """The open runtime."""
        assert self.runtime is not None
        return self.runtime

    async def live(self, clock: HandClock) -> None:
        """Be there until told to leave, or until dead."""
        try:
            with self.scope:
                runtime = Runtime(
                    self.line, clock=clock, lease=LEASE, evict=self.evict, config=Config(), limits={"door": 1}, seed=1
                )
                async with runtime:
                    self.runtime = runtime
                    self.ready.set()
                    await self.leave.wait()
        finally:
            self.gone.set()

    async def die(self, *, seen: bool) -> None:
        """End without a word. `seen`: others can tell; else its leases have to expire."""
        name = self.rt.keeper.name
        self.line.at, self.line.broken = 0, True
        self.scope.cancel()
        await self.gone.wait()
        if not seen:
            lease._alive.add(name)


class World:
    """What is outside of the runs, and what was seen of them."""

    def __init__(self, journal: Journal, tasks: anyio.abc.TaskGroup) -> None:
        self.journal = journal
        self.tasks = tasks
        """Where processes live, and what else goes on by itself."""
        self.clock = HandClock()
        self.processes: list[Process] = []
        self.bodies: list[Body] = []
        self.open = False
        """Nothing waits to be told any more."""
        self.effects: Counter[str] = Counter()
        """How often each effect was done, by its key."""
        self.outcomes: dict[str, int] = {}
        """What it came to."""
        self.acknowledged: dict[RunId, list[Fact]] = defaultdict(list)
        self.started: dict[RunId, set[tuple[StepKey, int]]] = defaultdict(set)
        self.fences: Counter[RunId] = Counter()
        self.wrong: list[str] = []
        """What should never be."""
        self._under_way = 0
        self._idle = anyio.Event()

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Be waited for by `settle`: the journal is at work, perhaps in another thread."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if self._under_way == 0:
                idle, self._idle = self._idle, anyio.Event()
                idle.set()

    async def settle(self) -> None:
        """Return when nothing happens any more without being told to."""
        while True:
            await anyio.wait_all_tasks_blocked()
            if self._under_way == 0:
                return
            await self._idle.wait()

    def acknowledge(self, run: RunId, after: int, facts: Sequence[Fact]) -> None:
        """Hear that facts are durable; those that were appended before are still the ones before these."""
        known = self.acknowledged[run]
        if known[after : after + len(facts)] != list(facts):  # else it was made before, and its reply was lost
            if len(known) != after:
                self.wrong.append(f"{run}: a commit at {after}, though {len(known)} facts were acknowledged")
            known.extend(facts)
        self.started[run] |= {(fact.step, fact.attempt) for fact in facts if isinstance(fact, StepStarted)}

    async def body(self) -> Body:
        """Be a node's function: return when somebody said how to end."""
        here = context()
        if (here.step, here.attempt) not in self.started[here.run] and here.perform is not None:
            self.wrong.append(f"{here.run}: attempt {here.attempt} of {here.step} ran before its start was recorded")
        body = Body(here.run, here.step, here.idempotency_key)
        if not self.open:
            self.bodies.append(body)
            try:
                await body.told.wait()
            finally:
                self.bodies.remove(body)
        return body

    async def affect(self, value: int) -> int:
        """Be the function of a node with an effect: it may fail before it, die around it, or lose its answer."""
        body = await self.body()
        if body.how == "fail":
            raise NotDone("refused")
        self.effects[body.key] += 1
        self.outcomes[body.key] = value
        if body.how == "lose its answer":
            raise ConnectionResetError("the line was cut")
        await self.body()
        return value

    def flying(self, key: str) -> bool:
        """Say whether an effect may still happen."""
        return any(body.key == key for body in self.bodies) and key not in self.outcomes


world: World
"""The one there is."""


def enter(made: World) -> None:
    """Let the nodes live in another world."""
    global world
    world = made


async def _told_to(value: int) -> int:
    if (await world.body()).how == "fail":
        raise ValueError("told to fail")
    return value


@node(retry=Retry(2, base=40.0))
async def mix(a: int, b: int) -> int:
    return await _told_to((a * 3 + b + 1) % 97)


@node
async def odd(a: int) -> bool:
    return a % 2 == 1


@node
async def kind(a: int) -> int:
    return a % 3


@node
async def upto(a: int) -> list[int]:
    return list(range(a % 4))


@node
async def total(values: list[int]) -> int:
    return sum(values)


@node
async def zero(a: int) -> int:
    return a * 0


@node
async def broken(a: int) -> int:
    raise ValueError(str(a))


counter = Machine("counter", start=Count, end=Counted)


@counter.on
async def look(state: Count) -> Checked | Counted:
    return Counted(so_far=state.so_far) if state.left % 4 == 0 else Checked(left=state.left, so_far=state.so_far)


@counter.on
async def back(state: Checked) -> Count:
    return Count(left=await _told_to(state.left % 4 - 1), so_far=(state.so_far * 3 + state.left) % 97)


@person("What follows {{ a }}?")
def asked(a: int) -> int:
    return answered()


told = signal("told", int)


async def _find(a: int) -> int:
    key = context().idempotency_key
    if world.flying(key):
        raise ConnectionError("it may be on its way")
    if key not in world.outcomes:
        raise NotDone(f"nothing was paid for {a}")
    return world.outcomes[key]


@node(effect="once", retry=Retry(2, base=40.0), check=_find)
async def paid(a: int) -> int:
    return await world.affect(WORLD["paid"](a))


@node(effect="once")
async def wired(a: int) -> int:
    return await world.affect(WORLD["wired"](a))


@node(effect="once")
async def stuck(a: int) -> int:
    return await world.affect(a * 13)


@node(retry=Retry(2, base=40.0))
async def packed(a: int) -> int:
    label = await step(stuck, a)
    return await _told_to((label + await step(four)) % 97)


@node
async def four() -> int:
    return 4


@node(limit="door")
async def queued(a: int) -> int:
    return await _told_to(WORLD["queued"](a))


GATED = Kit(
    mix, odd, kind, upto, total, zero, broken, counter,
    {
        "asked": asked,
        "told": lambda a: mix(a, told()),
        "slept": lambda a: sleep(a, TIMER),
        "paid": paid,
        "wired": wired,
        "packed": packed,
        "queued": queued,
    },
)  # fmt: skip


def answer(question: Json) -> int:
    """Answer what a person is asked."""
    words: str = from_json(question)["question"]
    return WORLD["asked"](int(words.removeprefix("What follows ").removesuffix("?")))


def taken(notes: Sequence[Json | None]) -> list[str]:
    """Return the ids of the messages that these notes say were used up."""
    found = [from_json(note) for note in notes if note is not None]
    return [note["message"] for note in found if "message" in note]
