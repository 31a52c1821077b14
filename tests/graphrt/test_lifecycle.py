"""Random lives of random runs against plain Python: a rule is something that happens to a run, and after each of them
what must always hold is looked at (D1-D3, D7, D9, D11, E4, E10).

pytest tests/graphrt/test_lifecycle.py -m torture -s      many more lives, on SQLite too; prints what happened how often
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, TypeVar

import anyio
import pytest
import trio._core._run as trio_run
from anyio.abc import TaskStatus
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from graphrt import Dag, Runtime, keeper, lease
from graphrt.checkpoints import SqliteJournal
from graphrt.context import key_of
from graphrt.decide import Pending, pending, waiting
from graphrt.errors import EffectsRepeated, JournalConflict, RunOver, RunTaken, UsageError
from graphrt.facts import AttemptFailed, Entry, StepFinished
from graphrt.history import counted
from graphrt.journal import Journal
from graphrt.scheduler import Driver
from graphrt.testing import BrokenOff
from graphrt.types import RunId
from tests.graphrt.lives import GATED, LEASE, TOLD, Line, Process, Shared, World, answer, enter, taken
from tests.graphrt.small import Spec, build, meaning, specs

T = TypeVar("T")

ONCE = {"paid", "wired", "packed/stuck"}
ROUNDS = 200
"""How often the clock jumps at most until every run has ended that has all it waits for."""
BOUND = 20
"""Seconds after which what follows from one thing has gone on for too long."""
JUMP = LEASE / 3
"""Seconds of a jump, at least: what a lease is renewed after."""

pick = st.integers(0, 1000)
happened: Counter[str] = Counter()
"""What happened how often, over all lives."""


@dataclass
class Life:
    """A run, and what it must come to."""

    id: RunId
    spec: Spec
    x: int
    y: int
    graph: Dag[..., Any]

    @property
    def meaning(self) -> int:
        return meaning(self.spec, self.x, self.y)


class Lives(RuleBasedStateMachine):
    """Up to three processes drive up to four runs."""

    journal: ClassVar[Callable[[Path], Awaitable[Journal]]]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        patch = self.stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)  # so that a life can be lived again
        trio_run._r.seed(0)
        self.portal = self.stack.enter_context(start_blocking_portal("trio"))
        self.lives: list[Life] = []
        self.drivers: list[Driver] = []
        self.alive = set(lease._alive)
        machine = self

        class Watched(Driver):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                machine.drivers.append(self)

        patch.setattr(keeper, "Driver", Watched)
        folder = Path(self.stack.enter_context(TemporaryDirectory()))
        self.world: World = self.portal.start_task(self._hold, folder)[1]
        enter(self.world)
        happened["lives"] += 1

    async def _hold(self, folder: Path, *, task_status: TaskStatus[World]) -> None:
        async with anyio.create_task_group() as tasks:
            task_status.started(World(await type(self).journal(folder), tasks))
            await anyio.sleep_forever()

    def do(self, what: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Do something in the world, and wait until nothing follows from it any more."""

        async def work() -> T:
            with anyio.fail_after(BOUND):  # else something goes round and round
                try:
                    return await what(*args, **kwargs)
                finally:
                    await self.world.settle()

        return self.portal.call(work)

    def process(self, number: int) -> Process:
        return self.world.processes[number % len(self.world.processes)]

    def life(self, number: int) -> Life:
        return self.lives[number % len(self.lives)]

    # What can happen.

    @initialize(evict=st.booleans(), spec=specs(depth=1, world=True), x=st.integers(0, 8), y=st.integers(0, 8))
    def begin(self, evict: bool, spec: Spec, x: int, y: int) -> None:
        self.open_process(evict)
        self.start(0, spec, x, y)

    @precondition(lambda self: len(self.world.processes) < 3)
    @rule(evict=st.booleans())
    def open_process(self, evict: bool) -> None:
        self.do(self._open, evict)
        happened["process begun, evicting" if evict else "process begun"] += 1

    async def _open(self, evict: bool) -> None:
        process = Process(Line(self.world.journal, self.world), evict)
        self.world.tasks.start_soon(process.live, self.world.clock)
        await process.ready.wait()
        self.world.processes.append(process)

    @precondition(lambda self: len(self.lives) < 3)
    @rule(number=pick, spec=specs(depth=1, world=True), x=st.integers(0, 8), y=st.integers(0, 8))
    def start(self, number: int, spec: Spec, x: int, y: int) -> None:
        life = Life(RunId(f"r{len(self.lives)}"), spec, x, y, build(spec, kit=GATED))
        self.lives.append(life)
        self.do(self.process(number).rt.start_as, life.id, life.graph, x, y)
        happened["run started"] += 1

    @precondition(lambda self: self.world.bodies)
    @rule(number=pick, how=st.sampled_from(["go on", "go on", "fail", "lose its answer"]))
    def tell_one(self, number: int, how: str) -> None:
        body = self.world.bodies[number % len(self.world.bodies)]
        self.do(self._tell, [body], how)
        happened[f"a node told to {how}"] += 1

    @precondition(lambda self: self.world.bodies)
    @rule(times=st.integers(1, 6))
    def tell_all(self, times: int) -> None:
        for _ in range(times):
            self.do(self._tell, list(self.world.bodies), "go on")
        happened["all nodes told to go on"] += 1

    async def _tell(self, bodies: list[Any], how: str) -> None:
        for body in bodies:
            body.tell(how)

    @rule(seconds=st.sampled_from([1.0, 11.0, 45.0, 101.0, 4000.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.do(self._move, self.world.clock.time + seconds)
        happened["time passed"] += 1

    @precondition(lambda self: self.world.clock.next() is not None)
    @rule()
    def let_the_next_thing_come_due(self) -> None:
        self.do(self._move, self.world.clock.next())
        happened["the next thing came due"] += 1

    async def _move(self, to: float) -> None:
        self.world.clock.move(to)

    @precondition(lambda self: self.world.processes)
    @rule(number=pick, seen=st.booleans())
    def die(self, number: int, seen: bool) -> None:
        process = self.process(number)
        self.world.processes.remove(process)
        self.do(process.die, seen=seen)
        happened["process died" if seen else "process died unseen"] += 1
        if not self.world.processes:
            self.open_process(evict=False)

    @precondition(lambda self: any(process.rt.keeper._drivers for process in self.world.processes))
    @rule(number=pick)
    def fall_silent(self, number: int) -> None:
        process = self.process(number)
        process.line.silent = not process.line.silent
        happened["process fell silent" if process.line.silent else "process woke"] += 1

    @precondition(lambda self: self.lives and len(self.world.processes) > 1)
    @rule(number=pick, other=pick)
    def take_over(self, number: int, other: int) -> None:
        """The lease of a process that hangs expires; another one has the run, and the first still believes it has."""
        life = self.life(number)
        info = self.do(self.world.journal.info, life.id)
        zombie = next((each for each in self.world.processes if each.rt.keeper.driver_of(life.id) is not None), None)
        if zombie is None or info.lease is None:
            return
        heir = next(each for each in self.world.processes if each is not zombie)
        zombie.line.silent = True
        self.do(self._move, info.lease + 1)
        if self._resume(heir, life):
            happened["run taken over from a zombie"] += 1

    @precondition(lambda self: self.lives)
    @rule(number=pick, other=pick)
    def resume(self, number: int, other: int) -> None:
        if self._resume(self.process(other), self.life(number)):
            happened["run resumed"] += 1

    def _resume(self, process: Process, life: Life, **how: Any) -> bool:
        try:
            self.do(process.rt.resume, life.id, life.graph, **how)
        except RunTaken:
            happened["run was not to be had"] += 1
            return False
        return True

    @precondition(lambda self: self.lives)
    @rule(number=pick, other=pick, twice=st.booleans())
    def send_signal(self, number: int, other: int, twice: bool) -> None:
        life, rt = self.life(number), self.process(other).rt
        name = f"{life.id}/{sum(happened.values())}"
        try:
            assert self.do(rt.signal, life.id, "told", TOLD, id=name)
            if twice:
                assert not self.do(rt.signal, life.id, "told", TOLD, id=name)
        except RunOver:
            happened["signal came too late"] += 1
        else:
            happened["signal sent twice" if twice else "signal sent"] += 1

    @precondition(lambda self: self.lives)
    @rule(number=pick, other=pick, twice=st.booleans())
    def answer(self, number: int, other: int, twice: bool) -> None:
        life, rt = self.life(number), self.process(other).rt
        for asked in self._pending(life, rt):
            if asked.what == "person" and asked.note is not None:
                self._ask(rt.answer, life.id, asked.step, answer(asked.note))
                if twice:
                    self._ask(rt.answer, life.id, asked.step, answer(asked.note))
                happened["question answered"] += 1

    @precondition(lambda self: self.lives)
    @rule(number=pick, other=pick, twice=st.booleans())
    def resolve(self, number: int, other: int, twice: bool) -> None:
        life, rt = self.life(number), self.process(other).rt
        for doubt in self._pending(life, rt):
            self._resolve(life, rt, doubt)
            if twice:
                self._resolve(life, rt, doubt)

    def _resolve(self, life: Life, rt: Runtime, doubt: Pending) -> None:
        """Say what is true of an effect, if that is certain."""
        key = key_of(life.id, doubt.step)
        if doubt.what != "decision" or self.world.flying(key):
            return
        if key in self.world.outcomes:
            self._ask(rt.resolve, life.id, doubt.step, done=self.world.outcomes[key])
            happened["effect said to be done"] += 1
        else:
            self._ask(rt.resolve, life.id, doubt.step, not_done=True)
            happened["effect said not to be done"] += 1

    def _pending(self, life: Life, rt: Runtime) -> list[Pending]:
        return self.do(rt.pending, life.id)

    def _ask(self, what: Callable[..., Awaitable[object]], *args: Any, **kwargs: Any) -> None:
        try:
            self.do(what, *args, **kwargs)
        except (UsageError, RunOver):  # it no longer waits for that
            happened["said too late"] += 1

    @precondition(lambda self: self.lives)
    @rule(number=pick, other=pick)
    def cancel(self, number: int, other: int) -> None:
        life, process = self.life(number), self.process(other)
        self.do(self._cancel, process, life.id)
        happened["run cancelled"] += 1

    async def _cancel(self, process: Process, run: RunId) -> None:
        """Cancel in the background: it may have to wait for another process to hear of it."""

        async def cancel() -> None:
            with suppress(BrokenOff, JournalConflict, UsageError):  # the process died meanwhile
                await process.rt.cancel(run)

        self.world.tasks.start_soon(cancel)

    @precondition(lambda self: 0 < len(self.lives) < 4)
    @rule(number=pick, other=pick, place=pick)
    def fork(self, number: int, other: int, place: int) -> None:
        parent, rt = self.life(number), self.process(other).rt
        at = self._finished_step(parent, place)
        name = RunId(f"f{len(self.lives)}")
        try:
            self.do(rt.fork, parent.id, parent.graph, at=at, new=name)
        except (EffectsRepeated, UsageError):
            happened["fork was refused"] += 1
        else:
            self.lives.append(Life(name, parent.spec, parent.x, parent.y, parent.graph))
            happened["run forked"] += 1

    @precondition(lambda self: self.lives)
    @rule(number=pick, other=pick, place=pick)
    def retry(self, number: int, other: int, place: int) -> None:
        life, rt = self.life(number), self.process(other).rt
        at = self._finished_step(life, place)
        if not at:
            return
        try:
            self.do(rt.retry, life.id, life.graph, at=at)
        except (EffectsRepeated, UsageError, RunTaken):
            happened["retry was refused"] += 1
        else:
            happened["step done anew"] += 1

    def _finished_step(self, life: Life, place: int) -> str:
        record = self.do(counted, self.world.journal, life.id)
        keys = [entry.fact.step for _, entry in record if isinstance(entry.fact, StepFinished)]
        return keys[place % len(keys)] if keys else ""

    @precondition(lambda self: self.lives)
    @rule(number=pick, other=pick)
    def upgrade(self, number: int, other: int) -> None:
        """Take a run up with another graph, which has one more step at its end."""
        life = self.life(number)
        if self.do(self.world.journal.info, life.id).status == "finished":
            return
        last = len(life.spec) + 1
        spec: Spec = [*life.spec, ("mix", last, last, last, None)]
        upgraded = replace(life, spec=spec, graph=build(spec, kit=GATED))
        self._resume(self.process(other), upgraded, accept=True)
        if self.do(self.world.journal.info, life.id).fingerprint == upgraded.graph.fingerprint:
            life.spec, life.graph = upgraded.spec, upgraded.graph
            happened["run taken up with another graph"] += 1

    # What must always hold.

    @invariant()
    def nothing_acknowledged_is_lost_and_nothing_finishes_twice(self) -> None:
        assert self.world.wrong == []
        for life in self.lives:
            self.portal.call(self._check, life)
        for driver in self.drivers:
            fine = driver.error is None or isinstance(driver.error, (BrokenOff, JournalConflict, UsageError))
            assert fine, f"{driver.run}: {driver.error!r}"
        twice = [key for key, times in self.world.effects.items() if times > 1]
        assert twice == [], "an effect was done twice"

    async def _check(self, life: Life) -> None:
        entries: list[Entry] = []
        while page := await self.world.journal.read(life.id, len(entries)):
            entries.extend(page)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        known = self.world.acknowledged[life.id]
        assert [entry.fact for entry in entries[: len(known)]] == known, f"{life.id}: what was acknowledged is gone"
        facts = [entry.fact for _, entry in await counted(self.world.journal, life.id)]
        finished = Counter(fact.step for fact in facts if isinstance(fact, StepFinished))
        assert max(finished.values(), default=1) == 1, f"{life.id}: a step finished twice"
        used = taken([fact.note for fact in facts if isinstance(fact, (StepFinished, AttemptFailed))])
        assert len(set(used)) == len(used), f"{life.id}: a message was used twice"

    # The end.

    def teardown(self) -> None:
        """Let everything end that can: every run comes to what plain Python says."""
        try:
            if self.lives:
                self.conclude()
        finally:
            self.portal.call(self._leave)
            lease._alive.clear()
            lease._alive.update(self.alive)
            self.stack.close()

    async def _leave(self) -> None:
        for process in self.world.processes:
            process.scope.cancel()
            await process.gone.wait()
        self.world.tasks.cancel_scope.cancel()
        await self.world.journal.aclose()

    def conclude(self) -> None:
        self.world.open = True
        for process in self.world.processes:
            process.line.silent = False
        self.open_process(evict=False) if len(self.world.processes) < 3 else None
        rt = self.world.processes[-1].rt
        self.do(self._serve, rt)
        for _ in range(ROUNDS):
            self.do(self._tell, list(self.world.bodies), "go on")
            left = [life for life in self.lives if self.do(self.world.journal.info, life.id).status != "finished"]
            if not left:
                break
            for life in left:
                self._help(life, rt)
            self.do(self._move, max(self.world.clock.time + JUMP, self.world.clock.next() or 0.0))
        else:
            raise AssertionError("\n".join(line for life in self.lives for line in self.do(self._stuck, life, rt)))
        self.nothing_acknowledged_is_lost_and_nothing_finishes_twice()
        for life in self.lives:
            self.check_end(life, rt)

    async def _serve(self, rt: Runtime) -> None:
        self.world.tasks.start_soon(partial(rt.serve, *(life.graph for life in self.lives)))

    def _help(self, life: Life, rt: Runtime) -> None:
        """Give a run what it waits for from outside, once."""
        if self.do(self.world.journal.info, life.id).status in {"failed", "cancelled"}:
            self._resume(self.world.processes[-1], life)
        mail = self.do(self.world.journal.inbox, life.id)
        for waits in self._pending(life, rt):
            there = [message for message in mail if message.name in {waits.step, waits.name}]
            if there:
                continue
            if waits.what == "person" and waits.note is not None:
                self._ask(rt.answer, life.id, waits.step, answer(waits.note))
            elif waits.what == "signal":
                self._ask(rt.signal, life.id, waits.name, TOLD)
            else:
                self._resolve(life, rt, waits)

    async def _stuck(self, life: Life, rt: Runtime) -> list[str]:
        """Say what a run that does not get on is waiting for."""
        info = await self.world.journal.info(life.id)
        state, _, _ = await rt.keeper.fold(life.id, life.graph)
        lines = [f"run {life.id} does not get on: {info}", *(f"  {line}" for line in waiting(state))]
        lines += [f"  pending: {each}" for each in pending(state)]
        lines += [f"  inbox: {each}" for each in await self.world.journal.inbox(life.id)]
        return lines

    def check_end(self, life: Life, rt: Runtime) -> None:
        """Compare a finished run with plain Python, and what it did with what its journal says."""
        run = self.do(rt.get, life.id)
        assert self.do(run.result) == life.meaning, f"{life.id} of {life.spec}"
        record = self.do(counted, self.world.journal, life.id)
        for _, entry in record:
            fact = entry.fact
            if isinstance(fact, StepFinished) and fact.step.rpartition("/")[2].partition("-")[0] in {"paid", "wired"}:
                happened["effect done"] += 1
        happened["run finished as plain Python says"] += 1


async def in_memory(folder: Path) -> Journal:
    return Shared()


async def on_sqlite(folder: Path) -> Journal:
    return await SqliteJournal.open(folder / "store.db", durability="process")


def live(kind: Callable[[Path], Awaitable[Journal]], lives: int, steps: int) -> None:
    """Let so many lives be lived, and print what happened."""
    happened.clear()
    logging.getLogger("graphrt").setLevel(logging.ERROR)
    machine = type("Lives", (Lives,), {"journal": staticmethod(kind)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )
    print("\n" + "\n".join(f"{times:>8}  {what}" for what, times in sorted(happened.items())))


def test_whatever_happens_to_a_run_it_comes_to_what_plain_python_says() -> None:
    """D1, D2, D3, D7, E4, E10."""
    live(in_memory, 25, 30)
    assert happened["run finished as plain Python says"] > 20


@pytest.mark.torture
def test_many_lives_come_to_what_plain_python_says() -> None:
    """D1, D2, D3, D7, E4, E10."""
    live(in_memory, 400, 40)


@pytest.mark.torture
def test_many_lives_on_sqlite_come_to_what_plain_python_says() -> None:
    """D1, D2, D3, D7, E4, E10."""
    live(on_sqlite, 40, 30)
