"""One run, seen from outside: its result, its events, its end."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Generator, Sequence
from datetime import UTC, datetime
from shlex import quote
from typing import Any, Generic, Protocol, Self, TypeVar, cast

import anyio
from pydantic_core import from_json

from graphrt import errors
from graphrt.assignable import members
from graphrt.clock import Clock
from graphrt.decide import Pending
from graphrt.facts import Entry, Failure, RunCancelled, RunFailed, RunFinished, RunSuspended
from graphrt.graph import Graph
from graphrt.history import counted, newest
from graphrt.journal import Journal, Message, RunInfo
from graphrt.lease import is_driven
from graphrt.ports import Port, type_name
from graphrt.scheduler import Driver, Live
from graphrt.shown import Showing, Shown, showing
from graphrt.steps import Steps, steps_of
from graphrt.types import Json, RunId, Status

R_co = TypeVar("R_co", covariant=True)


class Sleeper:
    """A run that waits for the world and costs next to nothing meanwhile."""

    def __init__(self, graph: Graph[..., Any], until: float | None, pending: Sequence[Pending]) -> None:
        self.graph = graph
        self.until = until
        self.pending = tuple(pending)
        self.moved = anyio.Event()
        """Set when it was taken up again, or could not be."""
        self.roused = False
        self.error: Exception | None = None

    @property
    def patient(self) -> bool:
        """Whether it waits for the passing of time alone."""
        return self.roused or all(each.what in {"timer", "pause"} for each in self.pending)

    def news(self, mail: Sequence[Message]) -> bool:
        """Say whether a message is one it waits for."""
        return any(
            message.kind == "cancel"
            or any(message.name in {each.step, each.name} for each in self.pending if each.what != "timer")
            for message in mail
        )


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

    def driver_of(self, run: RunId) -> Driver | None:
        """Return what drives a run here."""

    def sleeper_of(self, run: RunId) -> Sleeper | None:
        """Return what is known here of a run that was suspended here."""

    async def pending(self, run: str) -> list[Pending]:
        """Return what a run waits for from outside."""
        raise NotImplementedError

    async def cancel(self, run: str) -> None:
        """Cancel a run."""


class Run(Shown, Generic[R_co]):
    """A handle to one durable execution. It may be driven here, or only be read.

    `await run` is its result. In a notebook, a run is the picture of its graph with its state on it, and whoever waits
    for it, or reads its events, sees that picture change.
    """

    def __init__(self, home: Home, run: RunId, graph: Graph[..., Any] | None, driver: Driver | None) -> None:
        self.id = run
        self.graph = graph
        self.home = home
        """Where it lives."""
        self._driver = driver

    def __repr__(self) -> str:
        name = self.graph.name if self.graph else "?"
        where = "read only" if self._driver is None else "ended" if self._driver.done.is_set() else "running"
        return f"<run {self.id} of {name}, {where}>"

    async def result(self, *, wait: bool = False) -> R_co:
        """Wait for the end and return the typed result.

        A run that waits for time to pass is waited for. One that waits for a person, a signal or a decision raises
        Suspended, which says for what, unless `wait` is true: then its end is waited for however long that takes.

        Raises RunFailed (Deadlock, BudgetExceeded), RunCancelled, or the StoreError that stopped its driver. Cancelling
        the wait does not touch the run.
        """
        shown = showing(self)
        try:
            return await self._result(wait=wait)
        finally:
            if shown is not None:
                with anyio.CancelScope(shield=True):
                    await shown.end()

    def __await__(self) -> Generator[Any, Any, R_co]:
        """See `result`."""
        return self.result().__await__()

    async def _result(self, *, wait: bool) -> R_co:
        entry = await self._end(wait=wait)
        match newest(entry.fact):
            case RunFinished(value=text, type=tag):
                return cast("R_co", from_json(text) if self.graph is None else read_result(self.graph, text, tag))
            case RunFailed(step=step) as failed:
                cause = self._driver.causes.get(step) if self._driver else None
                raise failure_of(await self.info(), failed) from cause
            case RunCancelled():
                raise errors.RunCancelled(self.id, (await self.info()).graph)
            case RunSuspended(until=until):
                info = await self.info()
                raise errors.Suspended(self.id, info.graph, await self.waiting(), until)
            case _:
                info = await self.info()
                raise errors.UsageError(
                    f"run {self.id} of {info.graph!r} has not ended and is not driven here; resume it first"
                )

    async def waiting(self) -> list[str]:
        """Return a line for everything the run waits for from outside, with what gives it that."""
        return [hint(self.id, each) for each in await self.home.pending(self.id)]

    async def _end(self, *, wait: bool) -> Entry:
        """Return the last entry, once nobody here drives the run any more."""
        while True:
            while await self._settled(wait=wait):
                pass
            entry = await self._last()
            sleeper = self.home.sleeper_of(self.id)
            woken = self.home.driver_of(self.id) is not None or (sleeper is not None and sleeper.roused)
            if not woken or isinstance(entry.fact, (RunFinished, RunFailed, RunCancelled)):
                return entry  # else it was woken while its last entry was read, which is not its end

    async def _settled(self, *, wait: bool) -> bool:
        """Wait for the driver to stop; return whether another one is to be waited for."""
        driver = self._driver = self.home.driver_of(self.id) or self._driver
        if driver is not None:
            await driver.done.wait()
            if driver.error is not None:
                raise driver.error
        sleeper = self.home.sleeper_of(self.id)
        if sleeper is not None and (wait or sleeper.patient):
            await sleeper.moved.wait()
            if sleeper.error is not None:
                raise sleeper.error
            return True
        return self.home.driver_of(self.id) is not None

    def events(self, after: int = 0) -> Events:
        """Yield the recorded facts after `after`, in order, until the run ends; each has its sequence number.

        Events come from the journal: the same ones, whoever asks and whenever, also after the process that made them is
        gone. Where nobody drives the run here, or it waits for more than time to pass, they end with what is recorded.
        Leaving the loop early leaves nothing behind.
        """
        return Events(self, after, show=True)

    async def steps(self) -> Steps:
        """Read what became of each step by now, in the order in which they began, what a fork shares included."""
        info = await self.info()
        return steps_of(await counted(self.home.journal, self.id), driven=is_driven(info, self.home.clock.now()))

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
        await self.home.cancel(self.id)

    async def info(self) -> RunInfo:
        """Read what a list shows of this run."""
        return await self.home.journal.info(self.id)

    async def status(self) -> Status:
        """Read where the run stands."""
        return (await self.info()).status

    async def _last(self) -> Entry:
        info = await self.info()
        return (await self.home.journal.read(self.id, info.seq - 1, 1))[0]


class Events:
    """The facts of a run, one after the other; an asynchronous iterator with nothing to close.

    Cancelling a wait for the next one loses none: ask again.
    """

    def __init__(self, run: Run[Any], after: int, *, show: bool = False) -> None:
        self._shown: Showing | Run[Any] | None = run if show else None
        """What is to be shown, until the first event is asked for; then what shows it."""
        self._home = run.home
        self._journal = run.home.journal
        self._run = run.id
        self._after = after
        self._page: deque[Entry] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        if isinstance(self._shown, Run):  # of a run that is over, they are read, not watched
            self._shown = showing(self._shown) if self._home.driver_of(self._run) is not None else None
        while not self._page:
            driver, sleeper = self._home.driver_of(self._run), self._home.sleeper_of(self._run)
            changed = sleeper.moved if sleeper is not None and sleeper.patient else None
            if driver is not None and not driver.done.is_set():
                changed = driver.changed
            self._page.extend(await self._journal.read(self._run, self._after))
            if not self._page:
                if changed is None:
                    if self._shown is not None:
                        await self._shown.end()
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


def hint(run: str, pending: Pending) -> str:
    """Say in a line what a step waits for, and how to give it that."""
    command = remedy(run, pending)
    return f"{need(pending)}: {command}" if command else need(pending)


def need(pending: Pending) -> str:
    """Say what a step waits for."""
    match pending.what:
        case "signal":
            return f"{pending.step} waits for the signal {pending.name}"
        case "person":
            return f"{pending.step} asks: {pending.name}"
        case "decision":
            return f"{pending.step} may or may not have been done ({pending.name})"
        case "timer" | "pause":
            at = datetime.fromtimestamp(pending.until or 0, tz=UTC).isoformat(" ", "seconds")
            return f"{pending.step} goes on at {at}"


def remedy(run: str, pending: Pending) -> str:
    """Return the command that gives a step what it waits for; empty where only time can."""
    match pending.what:
        case "signal":
            return f"graphrt signal {run} {pending.name} JSON"
        case "person":
            return f"graphrt answer {run} {quote(pending.step)} JSON"
        case "decision":
            return f"graphrt resolve {run} {quote(pending.step)} --done JSON, or --not-done"
        case "timer" | "pause":
            return ""
