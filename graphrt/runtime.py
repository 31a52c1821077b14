"""Runtime and Run: where graphs are started, watched, cancelled and resumed.

    async with Runtime("runs.db") as rt:                in a script
        run = await rt.start(research, topic="tides")
        report = await run.result()

    rt = await Runtime("runs.db")                       in a notebook, on asyncio; `await rt.aclose()` at the end
    Runtime("runs.db").run_sync(research, topic="…")    without async, the one synchronous door

Leaving `async with` waits for the runs that were started; leaving it with an exception, or cancelling it, stops them at
their last commit, from which they can be resumed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

import anyio
import anyio.abc

from graphrt import errors
from graphrt.clock import Clock, SystemClock
from graphrt.config import Config, load_config
from graphrt.context import Resources
from graphrt.dag import as_graph
from graphrt.facts import (
    Entry,
    RunResumed,
    RunStarted,
)
from graphrt.graph import Graph, join_object, limits_of
from graphrt.history import newest
from graphrt.host import Host
from graphrt.journal import Journal, MemoryJournal, RunInfo
from graphrt.limits import Limits
from graphrt.node import Node
from graphrt.run import Run
from graphrt.scheduler import Driver, Shared
from graphrt.snapshot import load
from graphrt.state import apply
from graphrt.tree import State
from graphrt.types import Durability, RunId, Status

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a resume will do, before it acts: how many finished steps it reuses, and which steps it runs again."""

    reused: int
    again: tuple[str, ...]


class Runtime:
    """Runs graphs against one store.

    `store`: a path to a SQLite file, a Journal, or None to keep runs in memory. `models`: role -> URI or backend.
    `limits`: name -> how many steps may hold it at once, over all runs. `concurrency`: how many steps of one run may be
    in flight.
    `retry_budget`: how many retries one run may spend in all. `durability`: what an acknowledged step survives (D12).
    `config`: what the surroundings bind; by default the environment and the nearest `graphrt.toml`, which `models` and
    `limits` override.
    `seed`: fixes the seed of every run, which retry pauses and `context().random` are drawn from.
    """

    def __init__(
        self,
        store: str | Path | Journal | None = None,
        *,
        models: Mapping[str, Any] | None = None,
        limits: Mapping[str, int] | None = None,
        durability: Durability = "power",
        concurrency: int = 64,
        retry_budget: int = 1000,
        seed: int | None = None,
        clock: Clock | None = None,
        config: Config | None = None,
    ) -> None:
        if concurrency < 1:
            raise errors.UsageError(f"concurrency={concurrency}: at least one step must be able to run")
        self.clock: Clock = clock or SystemClock()
        around = load_config() if config is None else config
        self.models = {**around.models, **(models or {})}
        self.limits = Limits({**around.limits, **(limits or {})})
        self._store = store
        self._durability: Durability = durability
        self._concurrency = concurrency
        self._retry_budget = retry_budget
        self._seed = seed
        self._journal: Journal | None = None
        self._drivers: dict[RunId, Driver] = {}
        self._resuming = anyio.Lock()
        self._stack: AsyncExitStack | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._shared: Shared | None = None
        self._hosted: Host | None = None

    # Opening and closing.

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise errors.UsageError("this runtime is already open; use it, or make another one")
        stack = AsyncExitStack()
        try:
            self._journal = await self._open_journal(stack)
            resources = Resources()
            stack.push_async_callback(_shielded, resources.aclose)
            self._shared = Shared(
                journal=self._journal,
                clock=self.clock,
                limits=self.limits,
                resources=resources,
                models=self.models,
                threads=anyio.CapacityLimiter(max(4, self._concurrency)),
                concurrency=self._concurrency,
                retry_budget=self._retry_budget,
            )
            self._tasks = await stack.enter_async_context(anyio.create_task_group())
        except BaseException:
            await stack.aclose()
            raise
        self._stack = stack
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._stack = self._stack, None
        assert stack is not None  # noqa: S101 - entered before
        try:
            await stack.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if error is None or errors.sole(group) is not error:
                raise  # else the body's own error goes on as it is, without the group that the task group put around it
        finally:
            self._tasks = self._shared = None

    def __await__(self) -> Generator[Any, Any, Self]:
        """Open the runtime for a notebook, where no `async with` can span the cells. Close it with `await
        rt.aclose()`."""
        return self._host().__await__()

    async def _host(self) -> Self:
        self._hosted = await Host.start(self)
        return self

    async def aclose(self) -> None:
        """Close a runtime that was opened with `await`: waits for its runs, as leaving `async with` does."""
        if self._hosted is not None:
            hosted, self._hosted = self._hosted, None
            await hosted.stop()

    async def _open_journal(self, stack: AsyncExitStack) -> Journal:
        if self._store is None:
            # Runs in memory live as long as this object, also from one `async with` to the next.
            self._store = MemoryJournal()
        if isinstance(self._store, (str, Path)):
            from graphrt.checkpoints import open_journal

            journal = await open_journal(self._store, durability=self._durability)
            stack.push_async_callback(_shielded, journal.aclose)
            return journal
        return self._store

    @property
    def journal(self) -> Journal:
        """The open journal."""
        if self._journal is None or self._tasks is None:
            raise errors.UsageError("this runtime is not open; write `async with Runtime(...) as rt:`")
        return self._journal

    # Running.

    async def start(self, graph: Node[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """Begin a run of a graph, or of any node, on these inputs. Its first fact is durable when this returns.

        Raises GraphError, PortError or UsageError before anything is recorded.
        """
        return await self._start(self.new_id(), graph, args, dict(kwargs), target=None, attach=False)

    async def start_as(self, run: str, graph: Node[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """Begin a run under an id of your own, once: if the same run is already there, attach to it and go on with it.

        Raises RunExists if the id is taken by another graph or another input.
        """
        return await self._start(RunId(run), graph, args, dict(kwargs), target=None, attach=True)

    async def start_target(
        self, target: str, graph: Node[..., R], inputs: Mapping[str, Any], *, run: str | None = None
    ) -> Run[R]:
        """Begin a run and record where its graph can be found again, such as `research.py:research`."""
        return await self._start(
            RunId(run) if run else self.new_id(), graph, (), dict(inputs), target=target, attach=run is not None
        )

    async def run(self, graph: Node[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Begin a run and wait for its result. Cancelling this stops the run at its last commit, and waits for its
        cleanup."""
        run = await self.start(graph, *args, **kwargs)
        driver = run._driver
        try:
            return await run.result()
        except anyio.get_cancelled_exc_class():
            if driver is not None:
                driver.stop()
                with anyio.CancelScope(shield=True):
                    await driver.done.wait()
            raise

    def run_sync(self, graph: Node[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Open this runtime, run a graph to its result, and close it, without async: the one synchronous door.

        Inside a running event loop, a notebook's too, the work is done in a thread of its own.
        """

        async def main() -> R:
            async with self:
                return await self.run(graph, *args, **kwargs)

        try:
            anyio.get_current_task()
        except RuntimeError:  # no event loop here
            return anyio.run(main)
        import threading

        box: list[Any] = []

        def work() -> None:
            try:
                box.append((anyio.run(main), None))
            except BaseException as error:
                box.append((None, error))

        thread = threading.Thread(target=work, name="graphrt run_sync")
        thread.start()
        thread.join()
        result, error = box[0]
        if error is not None:
            raise error
        return cast("R", result)

    async def resume(self, run: str, graph: Node[..., R]) -> Run[R]:
        """Take up a run where its journal ends: finished steps are not run again (D2), what was in flight or had failed
        is.

        A run that has finished is only attached to. Raises RunNotFound; GraphMismatch, before anything is done, if the
        graph's structure is not the one the run began with; JournalConflict from the run if another process drives it.
        """
        found = as_graph(graph)
        return cast("Run[R]", await self._resume(RunId(run), found))

    async def prospect(self, run: str, graph: Node[..., Any]) -> Prospect:
        """Say what resuming would do, without doing it."""
        state, _, _ = await self._fold(RunId(run), as_graph(graph))
        if state.status == "finished":
            return Prospect(state.finished, ())
        apply(state, RunResumed())
        again = [step.key for step in state.steps.values() if step.attempt > 0 and not step.parked]
        return Prospect(state.finished, tuple(again))

    async def get(self, run: str) -> Run[Any]:
        """Return a handle to a run, driven here or only read. Raises RunNotFound."""
        info = await self.journal.info(RunId(run))
        driver = self._drivers.get(info.id)
        return Run(self, info.id, driver.state.graph if driver else None, driver)

    async def runs(self, *, status: Status | None = None, limit: int = 100) -> list[RunInfo]:
        """List runs, newest first."""
        return await self.journal.runs(status=status, limit=limit)

    def new_id(self) -> RunId:
        """Make a run id: sorts by time, is short enough to read out."""
        stamp = time.strftime("%y%m%d-%H%M%S", time.gmtime(self.clock.now()))
        return RunId(f"{stamp}-{secrets.token_hex(3)}")

    async def _start(
        self,
        run: RunId,
        node: Node[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        target: str | None,
        attach: bool,
    ) -> Run[Any]:
        journal = self.journal
        graph = as_graph(node)
        self._check_limits(graph)
        given = join_object(graph.write_input(args, kwargs))
        seed = secrets.randbits(53) if self._seed is None else self._seed
        started = RunStarted(graph.name, graph.fingerprint, given, seed)
        now = self.clock.now()
        info = RunInfo(run, graph.name, graph.fingerprint, created=now, updated=now, target=target)
        try:
            await journal.create(info, [started], at=now)
        except errors.RunExists:
            if not attach or not await self._same(run, started):
                raise
            return await self._resume(run, graph)
        state = State(graph)
        apply(state, started, now)
        return self._drive(run, graph, state, 1)

    async def _same(self, run: RunId, started: RunStarted) -> bool:
        first = (await self.journal.read(run, 0, 1))[0].fact
        return isinstance(first, RunStarted) and (first.fingerprint, first.input) == (
            started.fingerprint,
            started.input,
        )

    async def _resume(self, run: RunId, graph: Graph[..., Any]) -> Run[Any]:
        async with self._resuming:  # two callers who resume one run at once are to get the same driver
            return await self._take_up(run, graph)

    async def _take_up(self, run: RunId, graph: Graph[..., Any]) -> Run[Any]:
        driver = self._drivers.get(run)
        if driver is not None and not driver.done.is_set():
            return Run(self, run, graph, driver)
        self._check_limits(graph)
        state, seq, _ = await self._fold(run, graph)
        if state.status == "finished":
            return Run(self, run, graph, None)
        resumed = RunResumed()
        now = self.clock.now()
        await self.journal.append(run, seq, [resumed], at=now)
        apply(state, resumed, now)
        return self._drive(run, graph, state, seq + 1)

    async def _fold(self, run: RunId, graph: Graph[..., Any]) -> tuple[State, int, RunInfo]:
        """Fold a journal into a state: from its newest snapshot, or from the start where that does not fit."""
        history = await self.journal.load(run)
        info = history.info
        if info.fingerprint != graph.fingerprint:
            raise errors.GraphMismatch(run, info.graph, info.fingerprint, graph.fingerprint)
        state = load(graph, history.snapshot) if history.snapshot is not None else None
        entries = history.entries
        if state is None:
            state = State(graph)
            if history.snapshot is not None:
                entries = await self._everything(run)
        for entry in entries:
            apply(state, newest(entry.fact), entry.at)
        return state, info.seq, info

    async def _everything(self, run: RunId) -> list[Entry]:
        entries: list[Entry] = []
        while page := await self.journal.read(run, entries[-1].seq if entries else 0):
            entries.extend(page)
        return entries

    def _drive(self, run: RunId, graph: Graph[..., Any], state: State, seq: int) -> Run[Any]:
        assert self._shared is not None and self._tasks is not None  # noqa: S101, PT018 - journal was asked for before
        driver = Driver(run, state, seq, self._shared)
        self._drivers[run] = driver
        self._tasks.start_soon(self._supervise, driver)
        return Run(self, run, graph, driver)

    async def _supervise(self, driver: Driver) -> None:
        """Keep one run's trouble from the others: what stops a driver is raised by its own `result()`."""
        try:
            await driver.drive()
        except Exception as error:
            driver.error = errors.sole(error)
        except BaseException as error:
            driver.error = errors.UsageError(f"run {driver.run} was stopped at its last commit; resume it")
            driver.error.__cause__ = error
            raise
        finally:
            self._drivers.pop(driver.run, None)
            driver.done.set()
            driver.publish()

    def _check_limits(self, graph: Graph[..., Any]) -> None:
        graph.ready()
        missing = sorted({limit for limit in limits_of(graph) if limit not in self.limits.sizes})
        if missing:
            sizes = ", ".join(f"{name!r}: 8" for name in missing)
            raise errors.UsageError(
                f"graph {graph.name!r} needs the limits {', '.join(missing)}; give them: Runtime(limits={{{sizes}}})"
            )


async def _shielded(close: Any) -> None:
    with anyio.CancelScope(shield=True):
        await close()
