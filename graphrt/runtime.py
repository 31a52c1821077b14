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
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
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
from graphrt.definition import define
from graphrt.difference import Comparison
from graphrt.facts import (
    RunResumed,
    RunStarted,
    StepWaiting,
)
from graphrt.graph import join_object
from graphrt.host import Host
from graphrt.journal import Journal, MemoryJournal, Message, RunInfo
from graphrt.keeper import Keeper
from graphrt.limits import Limits
from graphrt.node import Node
from graphrt.ports import Port
from graphrt.replay import Replayed
from graphrt.run import Run, Sleeper
from graphrt.scheduler import Driver, Shared
from graphrt.state import apply
from graphrt.travel import UNCHANGED, compare_runs, plan_fork, plan_resume, plan_retry, replay_run
from graphrt.tree import AWAITING, UNKNOWN, State
from graphrt.types import ENDED, Durability, Json, RunId, Secrets, Status, StepKey

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
    `secrets`: gives the keys of models that are bound by URI, each by its name (`OPENAI_API_KEY`), before each request;
    by default they are in the environment.
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
        secrets: Secrets | None = None,
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
        self._secrets = secrets
        self.limits = Limits({**around.limits, **(limits or {})})
        self._store = store
        self._durability: Durability = durability
        self._concurrency = concurrency
        self._retry_budget = retry_budget
        self._seed = seed
        self._journal: Journal | None = None
        self._ttl = lease
        self._linger = linger
        self._evict = evict or os.environ.get("GRAPHRT_EVICT") == "1"
        self._stack: AsyncExitStack | None = None
        self._keeper: Keeper | None = None
        self._hosted: Host | None = None

    # Opening and closing.

    async def __aenter__(self) -> Self:
        if self._keeper is not None:
            raise errors.UsageError("this runtime is already open; use it, or make another one")
        stack = AsyncExitStack()
        try:
            self._journal = await self._open_journal(stack)
            name = lease.begin()
            stack.callback(lease.end, name)
            resources = Resources()
            stack.push_async_callback(_shielded, resources.aclose)
            shared = Shared(
                journal=self._journal,
                clock=self.clock,
                limits=self.limits,
                resources=resources,
                models=self.models,
                secrets=self._secrets,
                threads=anyio.CapacityLimiter(max(4, self._concurrency)),
                concurrency=self._concurrency,
                retry_budget=self._retry_budget,
                linger=0.0 if self._evict else self._linger,
                snapshot_facts=EVICTED_SNAPSHOT_FACTS if self._evict else scheduler.SNAPSHOT_FACTS,
            )
            tasks = await stack.enter_async_context(anyio.create_task_group())
        except BaseException:
            await stack.aclose()
            raise
        self._stack = stack
        self._keeper = Keeper(shared, tasks, name, ttl=self._ttl, evict=self._evict)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._stack = self._stack, None
        self.keeper.leave()
        assert stack is not None  # noqa: S101 - entered before
        try:
            await stack.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if error is None or errors.sole(group) is not error:
                raise  # else the body's own error goes on as it is, without the group that the task group put around it
        finally:
            self._keeper = None

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
        if self._journal is None or self._keeper is None:
            raise errors.UsageError("this runtime is not open; write `async with Runtime(...) as rt:`")
        return self._journal

    @property
    def keeper(self) -> Keeper:
        """What drives the runs."""
        if self._keeper is None:
            raise errors.UsageError("this runtime is not open; write `async with Runtime(...) as rt:`")
        return self._keeper

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

    async def resume(
        self, run: str | Run[Any], graph: Node[..., R], *, accept: bool = False, again: bool = False
    ) -> Run[R]:
        """Take up a run where its journal ends: finished steps are not run again (D2), what was in flight or had failed
        is.

        A run that has finished is only attached to. Where the graph's structure has changed, the run goes on if all
        that had finished still holds, or a `migration` says what became of it (D11); `accept` lets go of what does not
        hold, and does it again, but for effects that must not be repeated unless `again`. Raises, before anything is
        done: RunNotFound; RunTaken if another process drives it; GraphMismatch; EffectsRepeated.
        """
        found, target = as_graph(graph), _id_of(run)
        driver = await self.keeper.resume(target, found, accept=accept, again=again)
        return Run(self, target, found, driver)

    async def fork(
        self,
        run: str | Run[Any],
        graph: Node[..., R],
        *,
        at: str = "",
        output: Any = UNCHANGED,
        inputs: Mapping[str, Any] | None = None,
        models: Mapping[str, str] | None = None,
        again: bool = False,
        new: str | None = None,
    ) -> Run[R]:
        """Begin a new run that shares another one's history up to what differs (D9). That one is only read, and may
        still be running.

        `at`: the step that is done anew, or is given `output`; what does not depend on it is not run again. `inputs`:
        the run's inputs that are others. `models`: roles bound otherwise, to URIs; without `at`, what asked them is
        asked anew. `again`: effects that must not be repeated may be. `new`: the new run's id. Raises, before anything
        is done: RunNotFound; UsageError; PortError; EffectsRepeated; GraphMismatch; RunExists.
        """
        found, parent, now = as_graph(graph), _id_of(run), self.clock.now()
        self.keeper.check_limits(found)
        plan = await plan_fork(
            self.journal, parent, found, at=at, output=output, inputs=inputs, models=models, again=again, now=now
        )
        target = (await self.journal.info(parent)).target
        fork = self.new_id() if new is None else RunId(new)
        info = RunInfo(fork, found.name, found.fingerprint, created=now, updated=now, target=target, parent=parent)
        await self.journal.create(
            info, plan.facts, at=now, claim=self.keeper.claim(now), definition=define(found), snapshot=plan.snapshot
        )
        return Run(self, fork, found, self.keeper.drive(fork, found, plan.state, len(plan.facts), fence=1))

    async def retry(self, run: str | Run[Any], graph: Node[..., R], *, at: str, again: bool = False) -> Run[R]:
        """Do a step of a run anew in the run itself, finished or not, and all that depends on it; nothing else is run
        again.

        Its idempotency keys stay what they were. Raises as `fork` does, and RunTaken if the run is being driven.
        """
        target, found = _id_of(run), as_graph(graph)
        if self.keeper.driver_of(target) is not None:
            raise errors.UsageError(f"run {target} is being driven here; wait for its end or cancel it, then retry")
        plan = partial(plan_retry, self.journal, target, found, at=at, again=again)
        return Run(self, target, found, await self.keeper.rewind(target, found, plan))

    async def replay(self, run: str | Run[Any], graph: Node[..., Any]) -> Replayed:
        """Run today's code against a recorded run, with no effect leaving the process, and say what it does otherwise
        (D10). Raises RunNotFound; GraphMismatch if the graph has changed and the store does not say from what."""
        return await replay_run(self.journal, _id_of(run), as_graph(graph))

    async def diff(self, a: str | Run[Any], b: str | Run[Any]) -> Comparison:
        """Compare two runs step by step: where they part, and how (D10). Raises RunNotFound."""
        return await compare_runs(self.journal, _id_of(a), _id_of(b))

    async def prospect(
        self, run: str | Run[Any], graph: Node[..., Any], *, accept: bool = False, again: bool = False
    ) -> Prospect:
        """Say what resuming would do, without doing it: of what has begun, not of what follows from it. Raises as
        `resume` does."""
        found, target = as_graph(graph), _id_of(run)
        info = await self.journal.info(target)
        dropped: list[StepKey] = []
        if info.status != "finished" and info.fingerprint != found.fingerprint:
            plan = await plan_resume(self.journal, target, found, accept=accept, again=again)
            state, dropped = plan.state, list(plan.rewind.again)
        else:
            state, _, _ = await self.keeper.fold(target, found)
        if state.status == "finished":
            return Prospect(state.finished, ())
        apply(state, RunResumed())
        needed = [step for step in state.steps.values() if step.attempt > 0 and not step.parked]
        goes_on = [step.key for step in needed if step.phase not in {AWAITING, UNKNOWN}]
        doubts = [step.key for step in needed if step.phase == UNKNOWN]
        return Prospect(state.finished, tuple(dict.fromkeys([*dropped, *goes_on])), tuple(doubts))

    async def get(self, run: str) -> Run[Any]:
        """Return a handle to a run, driven here or only read. Raises RunNotFound."""
        info = await self.journal.info(RunId(run))
        driver = self.keeper.driver_of(info.id)
        return Run(self, info.id, driver.graph if driver else None, driver)

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
        turn = await self._turn(target, step)
        await self.send(Message(f"{target}/{step}@{turn}", target, "answer", step, text, self.clock.now()))

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
        turn = await self._turn(target, step)
        kind: Literal["done", "not done"] = "not done" if not_done else "done"
        await self.send(Message(f"{target}/{step}@{turn}", target, kind, step, text, self.clock.now()))

    async def send(self, message: Message) -> bool:
        """Put a message into a run's inbox and let the run see it, if it is driven here or waits here."""
        fresh = await self.journal.send(message)
        self.keeper.post(message.run)
        return fresh

    async def pending(self, run: str | Run[Any]) -> list[Pending]:
        """Return what a run waits for from outside, read from its journal; the graph's code is not needed."""
        state = await self.keeper.recorded(_id_of(run))
        return [] if state.status in ENDED else pending(state)

    async def port(self, run: str | Run[Any], step: str, graph: Node[..., Any]) -> Port | None:
        """Return what reads the value that a waiting step is given, by today's types of the run's graph; None if no
        such step is there, or it is a substep. Raises GraphMismatch if it is another graph."""
        state, _, _ = await self.keeper.fold(_id_of(run), as_graph(graph))
        found = state.steps.get(StepKey(step))
        return None if found is None else found.node.signature.returns

    async def inbox(self, *, limit: int = 1000) -> list[tuple[RunInfo, Pending]]:
        """List what people are asked, over all runs that have not ended: answers and decisions, newest run first. A run
        that still does other work asks, too."""
        found: list[tuple[RunInfo, Pending]] = []
        going_on = [
            *await self.journal.runs(status="suspended", limit=limit),
            *await self.journal.runs(status="running", limit=limit),
        ]
        for info in sorted(going_on, key=lambda info: info.created, reverse=True)[:limit]:
            waits = await self.pending(info.id)
            found.extend((info, each) for each in waits if each.what in {"person", "decision"})
        return found

    async def cancel(self, run: str | Run[Any]) -> None:
        """Cancel a run, wherever it is driven, and wait until that is recorded (E8). One that has ended stays as it is.

        The driver of another process hears of it with the next renewal of its leases.
        """
        await self.keeper.cancel(_id_of(run))

    async def serve(
        self,
        *graphs: Node[..., Any],
        find: Callable[[str], Node[..., Any] | None] | None = None,
        once: bool = False,
        attempts: int = 10,
    ) -> None:
        """Take up every run that nobody drives and that can go on, until cancelled: runs whose process died, whose
        timer is due, or that got what they waited for. With `once`, only those that can go on now, until they end or
        wait.

        `graphs`: whose runs; `find`: how to get a graph from the target a run was started with, or None for one that is
        nobody's here. Runs of other graphs are left alone. What stops one run does not stop the others: it is logged,
        as is what is taken up and how it ends. A run that was taken up `attempts` times in a row, by whomever, without
        any of its steps coming to an end is left alone, too: it may be what ends its processes. `resume` takes it up
        all the same.
        """
        if attempts < 1:
            raise errors.UsageError(f"attempts={attempts} must be at least 1")
        await self.keeper.serve(*graphs, find=find, once=once, attempts=attempts)

    async def drain(self, grace: float) -> None:
        """Stop the runs driven here, and take up no other: their steps in flight may finish for `grace` seconds, no
        further one is started, and then they stop at their last commit. Each can be resumed, here or elsewhere.

        Cancelling this stops them at once. Waiting for the result of one of them raises UsageError.
        """
        await self.keeper.drain(grace)

    async def _turn(self, run: RunId, step: str) -> int:
        """Return the place of the last entry about a step. It names the question that is open now: two answers to it
        are one message or a conflict, and one that comes too late is none to the next question."""
        found = after = 0
        while page := await self.journal.read(run, after):
            after = page[-1].seq
            for entry in page:
                about = getattr(entry.fact, "step", None)
                if about is not None and (about == step or step.startswith(f"{about}/")):
                    found = entry.seq
        return found

    async def _expect(self, run: RunId, step: str, kinds: set[str], words: str) -> None:
        waits = await self.pending(run)
        if any(each.step == step and each.what in kinds for each in waits):
            return
        info = await self.journal.info(run)
        there = ", ".join(each.step for each in waits if each.what in kinds) or "none"
        yet = " (yet: it can be given one once it is in the inbox)" if info.status == "running" else ""
        raise errors.UsageError(
            f"step {step!r} of run {run} ({info.status}) does not wait for {words}{yet}; those that do: {there}"
        )

    def _written(self, run: RunId, meant: Callable[[StepWaiting], bool], value: Any) -> Json:
        """Write a message's value, by the port of the step that waits for it where that is known here."""
        driver = self.keeper.driver_of(run)
        for step in driver.state.awaiting.values() if driver is not None else ():
            if step.wait is not None and meant(step.wait):
                return step.node.signature.returns.write(value)
        return to_json(value, inf_nan_mode="strings")

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
        self.keeper.check_limits(graph)
        given = join_object(graph.write_input(args, kwargs))
        seed = secrets.randbits(53) if self._seed is None else self._seed
        started = RunStarted(graph.name, graph.fingerprint, given, seed)
        now = self.clock.now()
        info = RunInfo(run, graph.name, graph.fingerprint, created=now, updated=now, target=target)
        try:
            await journal.create(info, [started], at=now, claim=self.keeper.claim(now), definition=define(graph))
        except errors.RunExists:
            if not attach or not await self._same(run, started):
                raise
            return Run(self, run, graph, await self.keeper.resume(run, graph))
        state = State(graph)
        apply(state, started, now)
        return Run(self, run, graph, self.keeper.drive(run, graph, state, 1, fence=1))

    async def _same(self, run: RunId, started: RunStarted) -> bool:
        first = (await self.journal.read(run, 0, 1))[0].fact
        return isinstance(first, RunStarted) and (first.fingerprint, first.input) == (
            started.fingerprint,
            started.input,
        )

    def driver_of(self, run: RunId) -> Driver | None:
        """Return what drives a run here."""
        return None if self._keeper is None else self._keeper.driver_of(run)

    def sleeper_of(self, run: RunId) -> Sleeper | None:
        """Return what is known here of a run that was suspended here."""
        return None if self._keeper is None else self._keeper.sleeper_of(run)


async def _shielded(close: Any) -> None:
    with anyio.CancelScope(shield=True):
        await close()


def _id_of(run: str | Run[Any]) -> RunId:
    return run.id if isinstance(run, Run) else RunId(run)
