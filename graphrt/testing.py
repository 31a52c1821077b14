"""Tools to test graphs with: a clock that jumps, a journal that breaks off where it is told to, and a process that ends
there. Public, like the rest."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import anyio
import anyio.lowlevel

from graphrt import failpoints
from graphrt.errors import UsageError
from graphrt.facts import Entry, Fact
from graphrt.failpoints import Point
from graphrt.journal import Claim, DraftKey, History, Journal, Message, Renewal, RunInfo
from graphrt.types import Json, RunId, Status, StepKey

TURNS = 10
"""Turns of the event loop that are given to whoever can go on, before it is asked whether anybody can."""


class JumpingClock:
    """A clock that stands still while anything can run, and jumps to the next awaited instant once everything waits.

    So a test with minutes of pauses takes none. A step in a worker thread counts as waiting: don't mix threads and
    timeouts.
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self.time = start
        self._due: dict[int, float] = {}
        self._number = count()
        self._jumping = False
        self._jumped = anyio.Event()

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
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                await event.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            await self._until(self.time + max(0.0, seconds))
            tasks.cancel_scope.cancel()

    async def _until(self, due: float) -> None:
        number = next(self._number)
        self._due[number] = due
        try:
            while self.time < due:
                if self._jumping:
                    await self._jumped.wait()
                    continue
                self._jumping = True
                try:
                    # asyncio hears of a task's end a turn later: until then, whoever waits for it seems to be blocked.
                    # And it looks again only after a tenth of a second: it had better find everybody at rest.
                    for _ in range(2):
                        for _ in range(TURNS):
                            await anyio.lowlevel.checkpoint()
                        await anyio.wait_all_tasks_blocked()
                    self.time = max(self.time, min(self._due.values()))
                finally:
                    self._jumping = False
                    self._jumped.set()
                    self._jumped = anyio.Event()
            await anyio.lowlevel.checkpoint()
        finally:
            del self._due[number]


class BrokenOff(Exception):
    """The commit that a BreakingJournal was told not to make."""


class BreakingJournal:
    """A journal in front of another one that fails commit number `at` and all later ones, as a lost disk would.

    `made` counts the commits that were made. What the journal behind it holds is what a crash would have left.
    """

    def __init__(self, behind: Journal, at: int) -> None:
        self.behind = behind
        self.at = at
        self.made = 0
        self.broken = False

    @property
    def name(self) -> str:
        """See Journal.name."""
        return f"{self.behind.name}, breaking off at commit {self.at}"

    @property
    def private(self) -> bool:
        """See Journal.private."""
        return self.behind.private

    def _count(self) -> None:
        if self.made + 1 >= self.at:
            self.broken = True
        self._check()
        self.made += 1

    def _check(self) -> None:
        if self.broken:
            raise BrokenOff(self.name)

    async def create(
        self,
        info: RunInfo,
        facts: Sequence[Fact],
        *,
        at: float,
        claim: Claim | None = None,
        definition: Json | None = None,
        snapshot: Json | None = None,
    ) -> None:
        """See Journal.create. Raises BrokenOff from commit `at` on."""
        self._count()
        await self.behind.create(info, facts, at=at, claim=claim, definition=definition, snapshot=snapshot)

    async def append(
        self,
        run: RunId,
        after: int,
        facts: Sequence[Fact],
        *,
        at: float,
        snapshot: Json | None = None,
        fence: int | None = None,
        taking: Sequence[str] = (),
        dropping: Sequence[DraftKey] = (),
        intent: bool = False,
        definition: Json | None = None,
    ) -> None:
        """See Journal.append. Raises BrokenOff from commit `at` on."""
        self._count()
        await self.behind.append(
            run, after, facts, at=at, snapshot=snapshot, fence=fence, taking=taking, dropping=dropping,
            intent=intent, definition=definition,
        )  # fmt: skip

    async def claim(self, run: RunId, claim: Claim, *, at: float, dead: Callable[[str], bool] = lambda _: False) -> int:
        """See Journal.claim. Raises BrokenOff once a commit was refused."""
        self._check()
        return await self.behind.claim(run, claim, at=at, dead=dead)

    async def renew(self, driver: str, *, until: float) -> Renewal:
        """See Journal.renew. Raises BrokenOff once a commit was refused."""
        self._check()
        return await self.behind.renew(driver, until=until)

    async def release(self, run: RunId, fence: int) -> None:
        """See Journal.release. Raises BrokenOff once a commit was refused: a lost process gives nothing back."""
        self._check()
        await self.behind.release(run, fence)

    async def send(self, message: Message) -> bool:
        """See Journal.send. Raises BrokenOff once a commit was refused."""
        self._check()
        return await self.behind.send(message)

    async def inbox(self, run: RunId | None = None) -> list[Message]:
        """See Journal.inbox."""
        return await self.behind.inbox(run)

    async def due(self, now: float, limit: int = 100) -> list[RunInfo]:
        """See Journal.due."""
        return await self.behind.due(now, limit)

    async def keep_draft(self, run: RunId, draft: DraftKey, text: str, *, fence: int) -> None:
        """See Journal.keep_draft. Raises BrokenOff once a commit was refused."""
        self._check()
        await self.behind.keep_draft(run, draft, text, fence=fence)

    async def drafts(self, run: RunId, step: StepKey) -> dict[str, tuple[str, ...]]:
        """See Journal.drafts."""
        return await self.behind.drafts(run, step)

    async def definition(self, fingerprint: str) -> Json | None:
        """See Journal.definition."""
        return await self.behind.definition(fingerprint)

    async def load(self, run: RunId) -> History:
        """See Journal.load."""
        return await self.behind.load(run)

    async def read(self, run: RunId, after: int = 0, limit: int = 1000) -> list[Entry]:
        """See Journal.read."""
        return await self.behind.read(run, after, limit)

    async def info(self, run: RunId) -> RunInfo:
        """See Journal.info."""
        return await self.behind.info(run)

    async def runs(self, *, status: Status | None = None, limit: int = 100) -> list[RunInfo]:
        """See Journal.runs."""
        return await self.behind.runs(status=status, limit=limit)

    async def aclose(self) -> None:
        """See Journal.aclose: the journal behind belongs to whoever made it."""


def die() -> None:
    """End this process at once, with nothing flushed, closed or given back: what kill -9 does."""
    os._exit(137)


@contextmanager
def crash_at(point: Point | None, nth: int = 1, act: Callable[[], object] = die) -> Iterator[Counter[Point]]:
    """Call `act` when this process passes a named point of `graphrt.failpoints` for the `nth` time, in the thread that
    passes it. By default the process then ends, as if killed.

    Yields how often each point was passed; with None for a point, counting is all it does. An `act` that raises stands
    for a call that fails there, also after what it did. Raises UsageError if a point is armed already: there is one
    at a time in a process.
    """
    if failpoints.armed is not None:
        raise UsageError("a point is armed already; a process has one at a time")
    passed: Counter[Point] = Counter()
    counting = threading.Lock()

    def pass_by(name: Point) -> None:
        with counting:
            passed[name] += 1
            due = name == point and passed[name] == nth
        if due:
            act()

    failpoints.armed = pass_by
    try:
        yield passed
    finally:
        failpoints.armed = None
