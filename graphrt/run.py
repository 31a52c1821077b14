"""One run, seen from outside: its result, its events, its end."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from pydantic_core import from_json

from graphrt import errors
from graphrt.assignable import members
from graphrt.clock import Clock
from graphrt.facts import Entry, Failure, RunCancelled, RunFailed, RunFinished
from graphrt.graph import Graph
from graphrt.history import newest
from graphrt.journal import Journal, RunInfo
from graphrt.ports import Port, type_name
from graphrt.scheduler import Driver, Live
from graphrt.types import ENDED, Json, RunId, Status

R_co = TypeVar("R_co", covariant=True)


class Home(Protocol):
    """Where a run lives: a runtime, or whatever else has its journal and a clock."""

    @property
    def journal(self) -> Journal:
        """The open journal."""
        raise NotImplementedError

    @property
    def clock(self) -> Clock:
        """The clock."""
        raise NotImplementedError


class Run(Generic[R_co]):
    """A handle to one durable execution. It may be driven here, or only be read."""

    def __init__(self, home: Home, run: RunId, graph: Graph[..., Any] | None, driver: Driver | None) -> None:
        self.id = run
        self.graph = graph
        self._home = home
        self._driver = driver

    def __repr__(self) -> str:
        name = self.graph.name if self.graph else "?"
        where = "read only" if self._driver is None else "ended" if self._driver.done.is_set() else "running"
        return f"<run {self.id} of {name}, {where}>"

    async def result(self) -> R_co:
        """Wait for the end and return the typed result.

        Raises RunFailed (Deadlock, BudgetExceeded), RunCancelled, or the StoreError that stopped its driver. Cancelling
        the wait does not touch the run.
        """
        if self._driver is not None:
            await self._driver.done.wait()
            if self._driver.error is not None:
                raise self._driver.error
        entry = await self._last()
        match newest(entry.fact):
            case RunFinished(value=text, type=tag):
                return cast("R_co", from_json(text) if self.graph is None else read_result(self.graph, text, tag))
            case RunFailed(step=step) as failed:
                cause = self._driver.causes.get(step) if self._driver else None
                raise failure_of(await self.info(), failed) from cause
            case RunCancelled():
                raise errors.RunCancelled(self.id, (await self.info()).graph)
            case _:
                info = await self.info()
                raise errors.UsageError(
                    f"run {self.id} of {info.graph!r} has not ended and is not driven here; resume it first"
                )

    def events(self, after: int = 0) -> Events:
        """Yield the recorded facts after `after`, in order, until the run ends; each has its sequence number.

        Events come from the journal: the same ones, whoever asks and whenever, also after the process that made them is
        gone. Where nobody drives the run here, they end with what is recorded. Leaving the loop early leaves nothing
        behind.
        """
        return Events(self._home.journal, self.id, self._driver, after)

    async def live(self) -> AsyncGenerator[Live]:
        """Yield what running attempts show, such as streamed tokens, from now until the run ends here. Nothing of it is
        kept; a reader that falls 10,000 texts behind loses the oldest."""
        driver = self._driver
        if driver is None:
            return
        heard: deque[Live] = deque(maxlen=10_000)
        driver.listeners.append(heard)
        try:
            while True:
                changed, over = driver.changed, driver.done.is_set()
                while heard:
                    yield heard.popleft()
                if over:
                    return
                await changed.wait()
        finally:
            driver.listeners.remove(heard)

    async def cancel(self) -> None:
        """Cancel the run, wait for the cleanup of its attempts, and record it (E8). A run that has ended stays as it
        is."""
        if self._driver is not None:
            self._driver.cancel()
            await self._driver.done.wait()
            return
        info = await self.info()
        if info.status not in ENDED:
            await self._home.journal.append(self.id, info.seq, [RunCancelled()], at=self._home.clock.now())

    async def info(self) -> RunInfo:
        """Read what a list shows of this run."""
        return await self._home.journal.info(self.id)

    async def status(self) -> Status:
        """Read where the run stands."""
        return (await self.info()).status

    async def _last(self) -> Entry:
        info = await self.info()
        return (await self._home.journal.read(self.id, info.seq - 1, 1))[0]


class Events:
    """The facts of a run, one after the other; an asynchronous iterator with nothing to close.

    Cancelling a wait for the next one loses none: ask again.
    """

    def __init__(self, journal: Journal, run: RunId, driver: Driver | None, after: int) -> None:
        self._journal = journal
        self._run = run
        self._driver = driver
        self._after = after
        self._page: deque[Entry] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        while not self._page:
            driver = self._driver
            changed = None if driver is None or driver.done.is_set() else driver.changed
            self._page.extend(await self._journal.read(self._run, self._after))
            if not self._page:
                if changed is None:
                    raise StopAsyncIteration
                await changed.wait()
        entry = self._page.popleft()
        self._after = entry.seq
        return entry


def read_result(graph: Graph[..., Any], text: Json, tag: str) -> Any:
    """Read a run's result as the type its graph returns."""
    port = graph.signature.returns
    name = tag.partition("#")[0]
    for option in members(port.annotation):
        if type_name(option) == name and option is not port.annotation:
            return Port(graph.name, "return", option).read(text)
    return port.read(text)


def failure_of(info: RunInfo, fact: RunFailed) -> errors.RunError:
    """Make the error that a failed run raises."""
    failure: Failure = fact.failure
    if failure.type == "Deadlock":
        return errors.Deadlock(info.id, info.graph, failure.message.splitlines())
    kind = errors.BudgetExceeded if failure.type == "BudgetExceeded" else errors.RunFailed
    return kind(
        info.id,
        info.graph,
        step=fact.step,
        node=fact.node or node_of(fact.step),
        attempt=fact.attempt,
        error_type=failure.type,
        message=failure.message,
        category=failure.category,
    )


def node_of(step: str) -> str:
    """Return the node's name in a step key."""
    last = step.rpartition("/")[2].partition("#")[0].partition("[")[0]
    return last.removeprefix("each:")
