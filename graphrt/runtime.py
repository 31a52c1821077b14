"""Runtime and Run: where graphs are started, watched, cancelled and resumed.

    async with Runtime("runs.db") as rt:                in a script
        run = await rt.start(research, topic="tides")
        report = await run.result()

    rt = await Runtime("runs.db")                       in a notebook, on asyncio; `await rt.aclose()` at the end
    Runtime("runs.db").run_sync(research, topic="…")    without async, the one synchronous door

Leaving `async with` waits for the runs that are in motion, not for those that wait for the world; leaving it with an
exception, or cancelling it, stops them at their last commit, from which they can be resumed.

A run has one driver at a time (D7). A runtime holds a lease for each run it drives and renews them all in one commit,
which also tells it of cancellations and messages. When its process dies, another one takes the run over: at once where
it can see that the process is gone, else when the lease has expired.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, ParamSpec, Self, TypeVar, cast

import anyio
import anyio.abc
from pydantic_core import to_json

from graphrt import errors, lease, scheduler
from graphrt.clock import Clock, SystemClock
from graphrt.config import Config, load_config
from graphrt.context import Resources
from graphrt.dag import as_graph
from graphrt.decide import Pending, pending
from graphrt.definition import define, recall
from graphrt.facts import (
    Entry,
    RunCancelled,
    RunResumed,
    RunStarted,
    StepWaiting,
)
from graphrt.graph import Graph, join_object, limits_of
from graphrt.history import newest
from graphrt.host import Host
from graphrt.journal import Claim, Journal, MemoryJournal, Message, RunInfo
from graphrt.limits import Limits
from graphrt.node import Node
from graphrt.run import Run, Sleeper
from graphrt.scheduler import Driver, Shared
from graphrt.snapshot import load
from graphrt.state import apply
from graphrt.tree import AWAITING, UNKNOWN, State
from graphrt.types import ENDED, Durability, Json, RunId, Status

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("graphrt")

EVICTED_SNAPSHOT_FACTS = 50
"""With `evict`, snapshots are taken so often that they are tried, too."""

POLL = 2.0
"""Seconds after which a runtime looks again for what another process sent to the runs that wait here."""

_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a resume will do, before it acts (D10): how many finished steps it reuses, which steps it runs again, and
    which it does not touch because nobody knows whether their effect was done."""

    reused: int
    again: tuple[str, ...]
    unknown: tuple[str, ...] = ()


class Runtime:
    """Runs graphs against one store.

    `store`: a path to a SQLite file, a Journal, or None to keep runs in memory. `models`: role -> URI or backend.
    `limits`: name -> how many steps may hold it at once, over all runs. `concurrency`: how many steps of one run may be
    in flight.
    `retry_budget`: how many retries one run may spend in all. `durability`: what an acknowledged step survives (D12).
    `config`: what the surroundings bind; by default the environment and the nearest `graphrt.toml`, which `models` and
    `limits` override.
    `seed`: fixes the seed of every run, which retry pauses and `context().random` are drawn from.
    `lease`: seconds after which another process may take over the runs of one that gives no sign of life.
    `linger`: seconds that a run stays in memory when everything in it waits for a signal or a timer.
    `evict`: drop a run's state after every commit and fold it anew from the journal; for tests, and slow.
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
        lease: float = 15.0,
        linger: float = 1.0,
        evict: bool = False,
    ) -> None:
        if concurrency < 1:
            raise errors.UsageError(f"concurrency={concurrency}: at least one step must be able to run")
        if lease <= 0:
            raise errors.UsageError(f"lease={lease}: must be more than 0 seconds")
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
        self._lease = lease
        self._linger = linger
        self._evict = evict or os.environ.get("GRAPHRT_EVICT") == "1"
        self._driver_name = ""
        self._asleep: dict[RunId, Sleeper] = {}
        self._stirred = anyio.Event()
        self._watching = self._renewing = self._leaving = False
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
            self._driver_name = lease.begin()
            stack.callback(lease.end, self._driver_name)
            self._leaving = False
            self._stirred = anyio.Event()
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
                linger=0.0 if self._evict else self._linger,
                snapshot_facts=EVICTED_SNAPSHOT_FACTS if self._evict else scheduler.SNAPSHOT_FACTS,
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
        self._leaving = True
        self._stir()
        assert stack is not None  # noqa: S101 - entered before
        try:
            await stack.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if error is None or errors.sole(group) is not error:
                raise  # else the body's own error goes on as it is, without the group that the task group put around it
        finally:
            self._tasks = self._shared = None
            self._asleep.clear()

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

        A run that has finished is only attached to. Raises RunNotFound; RunTaken if another process drives it;
        GraphMismatch, before anything is done, if the graph's structure is not the one the run began with.
        """
        found = as_graph(graph)
        return cast("Run[R]", await self._resume(RunId(run), found))

    async def prospect(self, run: str, graph: Node[..., Any]) -> Prospect:
        """Say what resuming would do, without doing it."""
        state, _, _ = await self._fold(RunId(run), as_graph(graph))
        if state.status == "finished":
            return Prospect(state.finished, ())
        apply(state, RunResumed())
        needed = [step for step in state.steps.values() if step.attempt > 0 and not step.parked]
        again = [step.key for step in needed if step.phase not in {AWAITING, UNKNOWN}]
        return Prospect(state.finished, tuple(again), tuple(step.key for step in needed if step.phase == UNKNOWN))

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

    # What comes from outside.

    async def signal(self, run: str | Run[Any], name: str, value: Any = None, *, id: str | None = None) -> bool:  # noqa: A002 - what everybody calls it
        """Send a signal to a run; the first step that waits for this name takes it, now or later.

        `id`: names the message; sent again under the same id, it changes nothing, and False is returned. Durable when
        this returns. Raises RunNotFound, RunOver, MessageConflict; PortError if a step here waits for it and it does
        not fit.
        """
        target = _id_of(run)
        text = self._written(target, lambda wait: (wait.what, wait.name) == ("signal", name), value)
        return await self.send(Message(id or secrets.token_hex(8), target, "signal", name, text, self.clock.now()))

    async def answer(self, run: str | Run[Any], step: str, value: Any) -> None:
        """Give a person's answer to the step that waits for it.

        Raises UsageError if no such step waits for a person; PortError if the run's graph is known here and the answer
        does not fit.
        """
        target = _id_of(run)
        await self._expect(target, step, {"person"}, "a person's answer")
        text = self._written(target, lambda wait: wait.step == step, value)
        number = (await self.journal.info(target)).seq
        await self.send(Message(f"{target}/{step}@{number}", target, "answer", step, text, self.clock.now()))

    async def resolve(self, run: str | Run[Any], step: str, *, done: Any = _NOTHING, not_done: bool = False) -> None:
        """Say what became of a `once` effect of which nobody knows (D3): it was done, with this output, or it was not,
        and may be tried again under the same key.

        `step`: the step's key, or a substep's, `step/name`. Raises UsageError if nothing is unknown about it.
        """
        if (done is _NOTHING) is not not_done:
            raise errors.UsageError("say one of the two: resolve(run, step, done=VALUE) or resolve(..., not_done=True)")
        target = _id_of(run)
        await self._expect(target, step, {"decision"}, "a decision")
        text = None if not_done else to_json(done, inf_nan_mode="strings")
        number = (await self.journal.info(target)).seq
        kind: Literal["done", "not done"] = "not done" if not_done else "done"
        await self.send(Message(f"{target}/{step}@{number}", target, kind, step, text, self.clock.now()))

    async def send(self, message: Message) -> bool:
        """Put a message into a run's inbox and let the run see it, if it is driven here or waits here."""
        fresh = await self.journal.send(message)
        driver = self._drivers.get(message.run)
        if driver is not None:
            driver.post()
        elif message.run in self._asleep:
            self._rouse(message.run)
        return fresh

    async def pending(self, run: str | Run[Any]) -> list[Pending]:
        """Return what a run waits for from outside, read from its journal; the graph's code is not needed."""
        state = await self._recorded(_id_of(run))
        return [] if state.status in ENDED else pending(state)

    async def inbox(self, *, limit: int = 1000) -> list[tuple[RunInfo, Pending]]:
        """List what people are asked, over all suspended runs: answers and decisions, newest run first."""
        found: list[tuple[RunInfo, Pending]] = []
        for info in await self.journal.runs(status="suspended", limit=limit):
            waits = await self.pending(info.id)
            found.extend((info, each) for each in waits if each.what in {"person", "decision"})
        return found

    async def cancel(self, run: str | Run[Any]) -> None:
        """Cancel a run, wherever it is driven, and wait until that is recorded (E8). One that has ended stays as it is.

        The driver of another process hears of it with the next renewal of its leases.
        """
        target = _id_of(run)
        driver = self._drivers.get(target)
        if driver is not None:
            driver.cancel()
            await driver.done.wait()
            return
        while (info := await self.journal.info(target)).status not in ENDED:
            now = self.clock.now()
            try:
                fence = await self.journal.claim(target, self._claim(now), at=now, dead=lease.is_dead)
            except errors.RunTaken:
                with suppress(errors.RunOver):
                    await self.journal.send(Message(f"{target}/cancel@{info.lease}", target, "cancel", at=now))
                await self.clock.wait(anyio.Event(), self._lease / 60)
                continue
            info = await self.journal.info(target)
            if info.status in ENDED:
                await self.journal.release(target, fence)
                return
            await self.journal.append(target, info.seq, [RunCancelled()], at=now, fence=fence)
        self._forget(target)

    async def serve(self, *graphs: Node[..., Any], find: Callable[[str], Node[..., Any]] | None = None) -> None:
        """Take up every run that nobody drives and that can go on, until cancelled: runs whose process died, whose
        timer is due, or that got what they waited for.

        `graphs`: whose runs; `find`: how to get a graph from the target a run was started with. Runs of other graphs
        are left alone. What stops one run does not stop the others: it is logged.
        """
        known = {graph.fingerprint: graph for graph in map(as_graph, graphs)}
        tried: dict[RunId, object] = {}
        while True:
            for info in await self._orphans():
                mark = (info.seq, info.driver, tuple(message.id for message in await self.journal.inbox(info.id)))
                timely = info.wake is not None and info.wake <= self.clock.now()
                if info.id in self._drivers or (tried.get(info.id) == mark and not timely):
                    continue
                tried[info.id] = mark
                try:
                    graph = known.get(info.fingerprint)
                    if graph is None and find is not None and info.target is not None:
                        graph = as_graph(find(info.target))
                    if graph is not None:
                        await self._resume(info.id, graph)
                except errors.RunTaken:
                    pass
                except Exception as error:
                    log.warning("run %s of %r cannot be taken up: %s", info.id, info.graph, error)
            await self.clock.wait(anyio.Event(), POLL)

    async def _orphans(self) -> list[RunInfo]:
        """List the runs that could go on and have no driver that lives."""
        found = {info.id: info for info in await self.journal.due(self.clock.now())}
        for info in await self.journal.runs(status="running", limit=1000):
            if info.driver is not None and lease.is_dead(info.driver):
                found.setdefault(info.id, info)
        return list(found.values())

    async def _expect(self, run: RunId, step: str, kinds: set[str], words: str) -> None:
        waits = await self.pending(run)
        if any(each.step == step and each.what in kinds for each in waits):
            return
        info = await self.journal.info(run)
        there = ", ".join(each.step for each in waits if each.what in kinds) or "none"
        raise errors.UsageError(
            f"step {step!r} of run {run} ({info.status}) does not wait for {words}; those that do: {there}"
        )

    async def _recorded(self, run: RunId) -> State:
        """Fold a run's journal by what was recorded of its graph: its code is not needed."""
        driver = self._drivers.get(run)
        if driver is not None:
            return driver.state
        info = await self.journal.info(run)
        definition = await self.journal.definition(info.fingerprint)
        if definition is None:
            raise errors.UsageError(
                f"run {run} of {info.graph!r} was begun by a graphrt that did not record its graph; resume it first"
            )
        return (await self._fold(run, recall(definition)))[0]

    def _written(self, run: RunId, meant: Callable[[StepWaiting], bool], value: Any) -> Json:
        """Write a message's value, by the port of the step that waits for it where that is known here."""
        driver = self._drivers.get(run)
        for step in driver.state.awaiting.values() if driver is not None else ():
            if step.wait is not None and meant(step.wait):
                return step.node.signature.returns.write(value)
        return to_json(value, inf_nan_mode="strings")

    # Starting and taking up.

    def _claim(self, now: float) -> Claim:
        return Claim(self._driver_name, now + self._lease)

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
            await journal.create(info, [started], at=now, claim=self._claim(now), definition=define(graph))
        except errors.RunExists:
            if not attach or not await self._same(run, started):
                raise
            return await self._resume(run, graph)
        state = State(graph)
        apply(state, started, now)
        return self._drive(run, graph, state, 1, fence=1)

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
        journal = self.journal
        driver = self._drivers.get(run)
        if driver is not None and not driver.done.is_set():
            return Run(self, run, graph, driver)
        self._check_limits(graph)
        info = await journal.info(run)
        self._check_fit(info, graph)
        if info.status == "finished":
            return Run(self, run, graph, None)
        now = self.clock.now()
        fence = await journal.claim(run, self._claim(now), at=now, dead=lease.is_dead)
        try:
            state, seq, info = await self._fold(run, graph)
            if state.status == "finished":
                await journal.release(run, fence)
                return Run(self, run, graph, None)
            resumed = RunResumed(fence, self._driver_name)
            await journal.append(run, seq, [resumed], at=now, fence=fence)
        except BaseException:
            with anyio.CancelScope(shield=True), suppress(Exception):
                await journal.release(run, fence)
            raise
        apply(state, resumed, now)
        return self._drive(run, graph, state, seq + 1, fence=fence)

    def _check_fit(self, info: RunInfo, graph: Graph[..., Any]) -> None:
        if info.fingerprint != graph.fingerprint:
            raise errors.GraphMismatch(info.id, info.graph, info.fingerprint, graph.fingerprint)

    async def _fold(self, run: RunId, graph: Graph[..., Any]) -> tuple[State, int, RunInfo]:
        """Fold a journal into a state: from its newest snapshot, or from the start where that does not fit."""
        history = await self.journal.load(run)
        info = history.info
        self._check_fit(info, graph)
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

    def _drive(self, run: RunId, graph: Graph[..., Any], state: State, seq: int, *, fence: int) -> Run[Any]:
        assert self._shared is not None and self._tasks is not None  # noqa: S101, PT018 - journal was asked for before

        async def reload() -> State:
            return (await self._fold(run, graph))[0]

        driver = Driver(run, state, seq, fence, shared=self._shared, reload=reload if self._evict else None)
        self._drivers[run] = driver
        self._forget(run)
        self._tasks.start_soon(self._supervise, driver)
        if not self._renewing and not self.journal.private:
            self._renewing = True
            self._tasks.start_soon(self._renew)
        return Run(self, run, graph, driver)

    async def _supervise(self, driver: Driver) -> None:
        """Keep one run's trouble from the others: what stops a driver is raised by its own `result()`."""
        try:
            await driver.drive()
        except Exception as error:
            driver.error = driver.error or errors.sole(error)
        except BaseException as error:
            driver.error = errors.UsageError(f"run {driver.run} was stopped at its last commit; resume it")
            driver.error.__cause__ = error
            raise
        finally:
            self._drivers.pop(driver.run, None)
            if driver.suspended is None and driver.state.status not in ENDED:
                with anyio.CancelScope(shield=True), suppress(Exception):  # it expires by itself
                    await self.journal.release(driver.run, driver.fence)
            if driver.suspended is not None and not self._leaving:
                self._asleep[driver.run] = Sleeper(driver.graph, *driver.suspended)
                self._watch()
                if driver.again:
                    self._rouse(driver.run)
            if not self._drivers:
                self._stir()
            driver.done.set()
            driver.publish()

    # Leases.

    async def _renew(self) -> None:
        """Renew the leases of all runs driven here, until there are none: one commit, which also brings the post."""
        try:
            while self._drivers:
                await self.clock.wait(self._stirred, self._lease / 3)
                if not self._drivers:
                    return
                try:
                    renewal = await self.journal.renew(self._driver_name, until=self.clock.now() + self._lease)
                except errors.StoreError as error:
                    log.warning("leases could not be renewed: %s", error)
                    continue
                for run, driver in list(self._drivers.items()):
                    if renewal.held.get(run) != driver.fence:
                        driver.stop(await self._lost(driver))
                    elif run in renewal.mail:
                        driver.post()
        finally:
            self._renewing = False

    async def _lost(self, driver: Driver) -> errors.StaleFence:
        info = await self.journal.info(driver.run)
        return errors.StaleFence(driver.run, driver.fence, driver.fence + 1, info.driver)

    # Runs that wait for the world.

    def _stir(self) -> None:
        stirred, self._stirred = self._stirred, anyio.Event()
        stirred.set()

    def _watch(self) -> None:
        self._stir()
        if not self._watching and self._tasks is not None:
            self._watching = True
            self._tasks.start_soon(self._watch_sleepers)

    async def _watch_sleepers(self) -> None:
        """Take up the suspended runs of this runtime whose time has come, or to which another process sent what they
        wait for, while there are any."""
        try:
            while self._asleep and not self._leaving:
                now = self.clock.now()
                for run, sleeper in list(self._asleep.items()):
                    mail = not self.journal.private and await self.journal.inbox(run)
                    if (sleeper.until is not None and sleeper.until <= now) or (mail and sleeper.news(mail)):
                        self._rouse(run)
                untils = [each.until for each in self._asleep.values() if each.until is not None and not each.roused]
                waits = [max(0.0, until - now) for until in untils]
                if not self.journal.private:
                    waits.append(POLL)
                await self.clock.wait(self._stirred, min(waits, default=None))
        finally:
            self._watching = False

    def _rouse(self, run: RunId) -> None:
        sleeper = self._asleep[run]
        if not sleeper.roused and self._tasks is not None:
            sleeper.roused = True
            self._tasks.start_soon(self._wake_up, run, sleeper)

    async def _wake_up(self, run: RunId, sleeper: Sleeper) -> None:
        try:
            await self._resume(run, sleeper.graph)
        except Exception as error:
            sleeper.error = error
        finally:
            self._forget(run, sleeper)

    def _forget(self, run: RunId, sleeper: Sleeper | None = None) -> None:
        found = self._asleep.get(run)
        if found is not None and sleeper in {None, found}:
            del self._asleep[run]
            found.moved.set()
        elif sleeper is not None:
            sleeper.moved.set()

    def driver_of(self, run: RunId) -> Driver | None:
        """Return what drives a run here."""
        return self._drivers.get(run)

    def sleeper_of(self, run: RunId) -> Sleeper | None:
        """Return what is known here of a run that was suspended here."""
        return self._asleep.get(run)

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


def _id_of(run: str | Run[Any]) -> RunId:
    return run.id if isinstance(run, Run) else RunId(run)
