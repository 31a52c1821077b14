"""What drives the runs of one runtime: claims them, renews their leases, lets them sleep and wakes them (D7).

Every run has a driver of its own; the keeper decides which runs this process drives. One task renews all leases with
one commit, one watches the runs that wait for the world; each is there only while it has something to do.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import anyio.abc

from graphrt import errors, lease
from graphrt.dag import as_graph
from graphrt.definition import define
from graphrt.facts import Fact, RunCancelled, RunForked, RunResumed, RunRewound, StepStarted, SubstepStarted
from graphrt.graph import Graph, limits_of
from graphrt.history import counted, graph_recorded, newest
from graphrt.journal import Claim, Message, RunInfo
from graphrt.node import Node
from graphrt.run import Sleeper, need
from graphrt.scheduler import Driver, Shared, stopped
from graphrt.snapshot import load
from graphrt.state import apply
from graphrt.travel import Plan, plan_resume
from graphrt.tree import State
from graphrt.types import ENDED, RunId

log = logging.getLogger("graphrt")

POLL = 2.0
"""Seconds after which it is looked again for what another process sent, or left."""

TAIL = 1000
"""Entries that are looked at to see whether a run gets anywhere."""


class Keeper:
    """Drives runs for one runtime, inside that runtime's task group.

    `ttl`: seconds that a lease lasts unless it is renewed. `evict`: see Runtime. Once told to leave it takes up nothing
    more; what it drives goes on.
    """

    def __init__(self, shared: Shared, tasks: anyio.abc.TaskGroup, name: str, *, ttl: float, evict: bool) -> None:
        self.name = name
        self._shared = shared
        self._journal = shared.journal
        self._clock = shared.clock
        self._tasks = tasks
        self._ttl = ttl
        self._evict = evict
        self._drivers: dict[RunId, Driver] = {}
        self._asleep: dict[RunId, Sleeper] = {}
        self._stirred = anyio.Event()
        self._watching = self._renewing = self._leaving = False
        self._resuming = anyio.Lock()

    def leave(self) -> None:
        """Wait for nothing that sleeps."""
        self._leaving = True
        self._stir()

    def driver_of(self, run: RunId) -> Driver | None:
        """Return what drives a run here."""
        return self._drivers.get(run)

    def sleeper_of(self, run: RunId) -> Sleeper | None:
        """Return what is known here of a run that was suspended here."""
        return self._asleep.get(run)

    def post(self, run: RunId) -> None:
        """Let a run see that it has a message, if it is driven here or sleeps here."""
        driver = self._drivers.get(run)
        if driver is not None:
            driver.post()
        elif run in self._asleep:
            self._rouse(run)

    # Taking up.

    def claim(self, now: float) -> Claim:
        """Return what asks for a lease."""
        return Claim(self.name, now + self._ttl)

    async def resume(
        self, run: RunId, graph: Graph[..., Any], *, accept: bool = False, again: bool = False
    ) -> Driver | None:
        """Take a run up where its journal ends; None if it has finished. See Runtime.resume."""
        async with self._resuming:  # two callers who resume one run at once are to get the same driver
            driver = self._drivers.get(run)
            if driver is not None and not driver.done.is_set():
                return driver
            info = await self._journal.info(run)
            if info.status == "finished":
                self._check_fit(info, graph)
                return None
            changed = info.fingerprint != graph.fingerprint
            plan = partial(plan_resume, self._journal, run, graph, accept=accept, again=again) if changed else None
            return await self._take_up(run, graph, plan)

    async def rewind(self, run: RunId, graph: Graph[..., Any], plan: Callable[[], Awaitable[Plan]]) -> Driver | None:
        """Take a run up from where a plan takes it."""
        async with self._resuming:
            return await self._take_up(run, graph, plan)

    async def _take_up(
        self, run: RunId, graph: Graph[..., Any], plan: Callable[[], Awaitable[Plan]] | None = None
    ) -> Driver | None:
        """Claim a run and drive it from where it stands, or from where a plan takes it."""
        journal = self._journal
        self.check_limits(graph)
        now = self._clock.now()
        fence = await journal.claim(run, self.claim(now), at=now, dead=lease.is_dead)
        facts: list[Fact] = [RunResumed(fence, self.name)]
        try:
            if plan is None:
                state, seq, _ = await self.fold(run, graph)
                if state.status == "finished":
                    await journal.release(run, fence)
                    return None
                # An ended run hears nothing: what is still in its inbox wished for the end that it has had.
                void = await self._cancels(run) if state.status in ENDED else []
                apply(state, facts[0], now)
                await journal.append(run, seq, facts, at=now, fence=fence, taking=void)
            else:
                planned = await plan()
                state, seq, facts = planned.state, planned.seq, [*planned.facts, *facts]
                apply(state, facts[-1], now)
                await journal.append(
                    run, seq, facts, at=now, fence=fence, snapshot=planned.snapshot, definition=define(graph)
                )
        except BaseException:
            with anyio.CancelScope(shield=True), suppress(Exception):
                await journal.release(run, fence)
            raise
        words = {"run": run, "graph": graph.name, "status": "running"}
        log.info("run %s of %s is taken up, with %d finished steps", run, graph.name, state.finished, extra=words)
        return self.drive(run, graph, state, seq + len(facts), fence=fence)

    def drive(self, run: RunId, graph: Graph[..., Any], state: State, seq: int, *, fence: int) -> Driver:
        """Drive a run, whose lease was claimed under `fence`, from a state that stands at `seq`."""

        async def reload() -> State:
            return (await self.fold(run, graph))[0]

        driver = Driver(run, state, seq, fence, shared=self._shared, reload=reload if self._evict else None)
        self._drivers[run] = driver
        self._forget(run)
        self._tasks.start_soon(self._supervise, driver)
        if not self._renewing and not self._journal.private:
            self._renewing = True
            self._tasks.start_soon(self._renew)
        return driver

    async def _supervise(self, driver: Driver) -> None:
        """Keep one run's trouble from the others: what stops a driver is raised by its own `result()`."""
        try:
            await driver.drive()
        except Exception as error:
            driver.error = driver.error or errors.sole(error)
        except BaseException as error:
            driver.error = stopped(driver.run)
            driver.error.__cause__ = error
            raise
        finally:
            self._drivers.pop(driver.run, None)
            told = driver.error is None and (driver.suspended is not None or driver.state.status in ENDED)
            if not told:  # its last commit did not give the lease back, or nobody knows
                with anyio.CancelScope(shield=True), suppress(Exception):  # it expires by itself
                    await self._journal.release(driver.run, driver.fence)
            if told and driver.suspended is not None and not self._leaving:
                self._asleep[driver.run] = Sleeper(driver.graph, *driver.suspended)
                self._watch()
                if driver.again:
                    self._rouse(driver.run)
            if not self._drivers:
                self._stir()
            _tell(driver)
            driver.done.set()
            driver.publish()

    # Ending, and what others have left.

    async def cancel(self, target: RunId) -> None:
        """See Runtime.cancel."""
        driver = self._drivers.get(target)
        if driver is not None:
            driver.cancel()
            await driver.done.wait()
            return
        told = None
        while (info := await self._journal.info(target)).status not in ENDED:
            now = self._clock.now()
            try:
                fence = await self._journal.claim(target, self.claim(now), at=now, dead=lease.is_dead)
            except errors.RunTaken:
                if told != info.driver:  # once is enough: it is kept until it is heard
                    told = info.driver
                    with suppress(errors.RunOver):
                        await self._journal.send(Message(secrets.token_hex(8), target, "cancel", at=now))
                await self._clock.wait(anyio.Event(), self._ttl / 60)
                continue
            info = await self._journal.info(target)
            if info.status in ENDED:
                await self._journal.release(target, fence)
                return
            asked = await self._cancels(target)
            await self._journal.append(target, info.seq, [RunCancelled()], at=now, fence=fence, taking=asked)
        self._forget(target)

    async def _cancels(self, run: RunId) -> list[str]:
        """Return the ids of the wishes to cancel a run that nobody has heard yet."""
        return [message.id for message in await self._journal.inbox(run) if message.kind == "cancel"]

    async def serve(
        self,
        *graphs: Node[..., Any],
        find: Callable[[str], Node[..., Any] | None] | None = None,
        once: bool = False,
        attempts: int,
    ) -> None:
        """See Runtime.serve."""
        known = {graph.fingerprint: graph for graph in map(as_graph, graphs)}
        tried: dict[RunId, object] = {}
        taken: list[Driver] = []
        while True:
            for info in await self._orphans():
                mark = (info.seq, info.driver, tuple(message.id for message in await self._journal.inbox(info.id)))
                timely = info.wake is not None and info.wake <= self._clock.now()
                if info.id in self._drivers or (tried.get(info.id) == mark and not timely):
                    continue
                tried[info.id] = mark
                try:
                    graph = known.get(info.fingerprint)
                    if graph is None and find is not None and info.target is not None:
                        found = find(info.target)
                        graph = None if found is None else as_graph(found)
                    if graph is not None and await self._in_vain(info) >= attempts:
                        log.error(
                            "run %s of %s was taken up %d times without a step coming to an end, and is left alone: "
                            "it may be what ends its processes; resume it by hand",
                            *(info.id, info.graph, attempts),
                            extra={"run": info.id, "graph": info.graph, "status": info.status},
                        )
                        continue
                    driver = None if graph is None else await self.resume(info.id, graph)
                    if driver is not None:
                        taken.append(driver)
                except errors.RunTaken:
                    pass
                except Exception as error:
                    words = {"run": info.id, "graph": info.graph, "status": info.status}
                    log.warning("run %s of %s cannot be taken up: %s", info.id, info.graph, error, extra=words)
            if once:
                for driver in taken:
                    await driver.done.wait()
                return
            taken.clear()
            await self._clock.wait(anyio.Event(), POLL)

    async def _in_vain(self, info: RunInfo) -> int:
        """Count how often a run was taken up since something in it last came to an end."""
        count = 0
        for entry in reversed(await self._journal.read(info.id, max(0, info.seq - TAIL), TAIL)):
            if isinstance(entry.fact, RunResumed):
                count += 1
            elif not isinstance(entry.fact, (StepStarted, SubstepStarted)):
                break
        return count

    async def drain(self, grace: float) -> None:
        """See Runtime.drain."""
        self.leave()
        drivers = list(self._drivers.values())
        for driver in drivers:
            driver.drain()
        try:
            with anyio.move_on_after(grace):
                for driver in drivers:
                    await driver.done.wait()
        finally:
            for driver in drivers:
                if not driver.done.is_set():
                    driver.stop(stopped(driver.run))

    async def _orphans(self) -> list[RunInfo]:
        """List the runs that could go on and have no driver that lives."""
        found = {info.id: info for info in await self._journal.due(self._clock.now())}
        for info in await self._journal.runs(status="running", limit=1000):
            if info.driver is not None and lease.is_dead(info.driver):
                found.setdefault(info.id, info)
        return list(found.values())

    # Leases.

    async def _renew(self) -> None:
        """Renew the leases of all runs driven here, until there are none: one commit, which also brings the post."""
        try:
            while self._drivers:
                await self._clock.wait(self._stirred, self._ttl / 3)
                if not self._drivers:
                    return
                before = list(self._drivers.items())  # what is claimed from now on is in no list of what was renewed
                try:
                    renewal = await self._journal.renew(self.name, until=self._clock.now() + self._ttl)
                except errors.StoreError as error:
                    log.warning("leases could not be renewed: %s", error)
                    continue
                for run, driver in before:
                    if self._drivers.get(run) is not driver or driver.leaving:
                        continue  # it gave its lease back by itself, or is about to
                    if renewal.held.get(run) != driver.fence:
                        driver.stop(await self._lost(driver))
                    elif run in renewal.mail:
                        driver.post()
        finally:
            self._renewing = False

    async def _lost(self, driver: Driver) -> errors.StaleFence:
        info = await self._journal.info(driver.run)
        return errors.StaleFence(driver.run, driver.fence, driver.fence + 1, info.driver)

    # Runs that wait for the world.

    def _stir(self) -> None:
        stirred, self._stirred = self._stirred, anyio.Event()
        stirred.set()

    def _watch(self) -> None:
        self._stir()
        if not self._watching:
            self._watching = True
            self._tasks.start_soon(self._watch_sleepers)

    async def _watch_sleepers(self) -> None:
        """Take up the suspended runs of this runtime whose time has come, or to which another process sent what they
        wait for, while there are any."""
        try:
            while self._asleep and not self._leaving:
                now = self._clock.now()
                for run, sleeper in list(self._asleep.items()):
                    mail = not self._journal.private and await self._journal.inbox(run)
                    if self._asleep.get(run) is not sleeper:  # it was taken up while the inbox was read
                        continue
                    if (sleeper.until is not None and sleeper.until <= now) or (mail and sleeper.news(mail)):
                        self._rouse(run)
                untils = [each.until for each in self._asleep.values() if each.until is not None and not each.roused]
                waits = [max(0.0, until - now) for until in untils]
                if not self._journal.private:
                    waits.append(POLL)
                await self._clock.wait(self._stirred, min(waits, default=None))
        finally:
            self._watching = False

    def _rouse(self, run: RunId) -> None:
        sleeper = self._asleep[run]
        if not sleeper.roused:
            sleeper.roused = True
            self._tasks.start_soon(self._wake_up, run, sleeper)

    async def _wake_up(self, run: RunId, sleeper: Sleeper) -> None:
        try:
            info = await self._journal.info(run)
            self._check_fit(info, sleeper.graph)  # it may have been taken up with another graph meanwhile
            await self.resume(run, sleeper.graph)
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

    # Reading.

    async def fold(self, run: RunId, graph: Graph[..., Any]) -> tuple[State, int, RunInfo]:
        """Fold a journal into a state: from its newest snapshot, or from the start where that does not fit."""
        history = await self._journal.load(run)
        info = history.info
        self._check_fit(info, graph)
        state = load(graph, history.snapshot) if history.snapshot is not None else None
        entries = history.entries
        if state is None:
            state = State(graph)
            shares = any(isinstance(entry.fact, (RunForked, RunRewound)) for entry in entries)
            if shares or history.snapshot is not None:
                entries = [entry for _, entry in await counted(self._journal, run)]
        for entry in entries:
            apply(state, newest(entry.fact), entry.at)
        return state, info.seq, info

    async def recorded(self, run: RunId) -> State:
        """Fold a run's journal by what was recorded of its graph: its code is not needed."""
        driver = self._drivers.get(run)
        if driver is not None and driver.suspended is None:  # one that is letting go has let go of its state first
            return driver.state
        info = await self._journal.info(run)
        graph = await graph_recorded(self._journal, info.fingerprint)
        if graph is None:
            raise errors.UsageError(
                f"run {run} of {info.graph!r} was begun by a graphrt that did not record its graph; resume it first"
            )
        return (await self.fold(run, graph))[0]

    def _check_fit(self, info: RunInfo, graph: Graph[..., Any]) -> None:
        if info.fingerprint != graph.fingerprint:
            raise errors.GraphMismatch(info.id, info.graph, info.fingerprint, graph.fingerprint)

    def check_limits(self, graph: Graph[..., Any]) -> None:
        """Raise UsageError if a graph uses a limit that has no size."""
        graph.ready()
        missing = sorted({limit for limit in limits_of(graph) if limit not in self._shared.limits.sizes})
        if missing:
            sizes = ", ".join(f"{name!r}: 8" for name in missing)
            raise errors.UsageError(
                f"graph {graph.name!r} needs the limits {', '.join(missing)}; give them: Runtime(limits={{{sizes}}})"
            )


def _tell(driver: Driver) -> None:
    """Log how a driver let its run go."""
    state, status = driver.state, driver.state.status
    if driver.error is not None:
        words = f"is let go: {driver.error}"
    elif driver.suspended is not None:
        status = "suspended"
        words = "waits: " + "; ".join(need(each) for each in driver.suspended.pending)
    elif status == "failed" and state.blame is not None:
        failure = state.blame.failure
        words = f"failed: step {state.blame.step!r}: {failure.type}: {failure.message}"
    else:
        words = status
    run, graph = driver.run, driver.graph.name
    log.info("run %s of %s %s", run, graph, words, extra={"run": run, "graph": graph, "status": status})
