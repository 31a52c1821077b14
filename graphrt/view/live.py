"""A run, shown while it goes on: what is recorded of it is followed, and a view draws where it stands.

A view is where pictures go: a terminal, a notebook, plain lines. It draws at most ten times a second, whatever happens,
and its last picture is of all that was recorded.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import anyio

from graphrt.draw.overlay import Spending
from graphrt.draw.progress import Progress
from graphrt.facts import Entry, RunForked, RunResumed, RunRewound
from graphrt.history import counted, entries_of
from graphrt.run import Events, Run
from graphrt.view.lines import Plain
from graphrt.view.spending import Meter
from graphrt.view.terminal import can_watch
from graphrt.view.watched import Watched

EVERY = 0.1
"""Seconds between two pictures."""
_BEGINNINGS = (RunResumed, RunForked, RunRewound)


class View(Protocol):
    """Draws where a run stands."""

    def opened(self) -> AbstractContextManager[object]:
        """Make room for pictures, for as long as the context lasts."""
        raise NotImplementedError

    def take(self, entry: Entry, *, news: bool) -> None:
        """Hear what was recorded, before it is drawn; it is no news if it was before the run was taken up here."""

    def draw(self, progress: Progress, spent: Mapping[str, Spending], now: float, *, last: bool) -> None:
        """Draw where a run stands, and what its places spent. It may be asked for what it has drawn already."""


class Live:
    """Follows a run, and has a view draw where it stands."""

    def __init__(self, run: Run[Any], view: View) -> None:
        self._run = run
        self._view = view
        self._seen = 0
        self._progress = Progress(run.graph)
        self._meter = Meter(run.id)

    async def begin(self) -> None:
        """Read what there is, and draw it."""
        self._draw()  # before anything is read: where there is a picture is seen at once
        own = await entries_of(self._run.home.journal, self._run.id)
        record = await counted(self._run.home.journal, self._run.id, own)
        taken_up = max((n for n, (_, entry) in enumerate(record) if isinstance(entry.fact, _BEGINNINGS)), default=0)
        for number, (_, entry) in enumerate(record):
            self._progress.take(entry)
            self._view.take(entry, news=number >= taken_up)
        self._meter.take(own)
        self._seen = max((entry.seq for entry in own), default=0)
        self._draw()

    async def follow(self) -> None:
        """Draw until the run ends or is suspended."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._repeatedly)
            async for entry in Events(self._run, self._seen):
                self._take(entry)
            tasks.cancel_scope.cancel()

    async def end(self) -> None:
        """Read what was recorded meanwhile, and draw the last picture."""
        with contextlib.suppress(Exception):  # what shows a run is no reason for it to fail: its store may be closed
            while page := await self._run.home.journal.read(self._run.id, self._seen):
                for entry in page:
                    self._take(entry)
        self._draw(last=True)

    def leave(self) -> None:
        """Draw the last picture of a run that nobody drives here any more."""
        self._progress.leave(self._run.home.clock.now())
        self._draw(last=True)

    def _take(self, entry: Entry) -> None:
        self._seen = entry.seq
        self._progress.take(entry)
        self._meter.take([entry])
        self._view.take(entry, news=True)

    def _draw(self, *, last: bool = False) -> None:
        self._view.draw(self._progress, self._meter.by_place(), self._run.home.clock.now(), last=last)

    async def _repeatedly(self) -> None:
        while True:
            self._draw()
            await anyio.sleep(EVERY)


@contextlib.asynccontextmanager
async def watch(run: Run[Any]) -> AsyncIterator[None]:
    """Show a run on stderr while the block runs: drawn in place on a terminal, as a line for each step elsewhere.

        async with watch(run):
            print(await run.result())

    Nothing that goes on in the block waits for it. Leaving the block, or an error in it, leaves the last picture.
    A notebook needs none of this: there, a run shows itself while it is awaited.
    """
    view: View = Watched(run, sys.stderr) if can_watch(sys.stderr) else Plain()
    live, failed = Live(run, view), None
    with view.opened():
        try:
            await live.begin()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(live.follow)
                try:
                    yield
                except Exception as error:  # raised below, without the group that the task group would put around it
                    failed = error
                tasks.cancel_scope.cancel()
        except BaseException:
            live.leave()
            raise
        await live.end()
    if failed is not None:
        raise failed
