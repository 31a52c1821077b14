"""Whatever drivers, senders and clocks do, a store and the journal in memory say the same (D1, D7)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
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

from graphrt.checkpoints import open_journal
from graphrt.errors import StoreError
from graphrt.facts import (
    Fact,
    Failure,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunForked,
    RunResumed,
    RunRewound,
    RunStarted,
    RunSuspended,
    Span,
    StepFinished,
    StepStarted,
)
from graphrt.journal import Claim, Journal, MemoryJournal, Message, RunInfo
from graphrt.types import Durability, RunId, StepKey

RUNS = [RunId(name) for name in ("a", "b")]
MESSAGES = ["m1", "m2", "m3"]
STEP = StepKey("s")
BIG = b'"' + b"x" * 5000 + b'"'


def growing(n: int) -> bytes:
    return b'{"n":%d,"log":[%s]}' % (n, b",".join(b'"' + b"m" * 60 + b'"' for _ in range(n)))


runs = st.sampled_from(RUNS)
drivers = st.sampled_from(["here", "there"])
times = st.integers(1, 6).map(float)
facts: st.SearchStrategy[Fact] = st.one_of(
    st.just(StepStarted(STEP, 1)),
    st.builds(StepStarted, st.just(STEP), st.integers(1, 3), st.sampled_from(["key", None])),
    st.builds(StepFinished, st.just(STEP), st.just(1), st.integers(0, 40).map(growing), st.just("T"), st.just("line")),
    st.just(StepFinished(STEP, 1, BIG, "T")),
    st.builds(RunSuspended, st.none() | times),
    st.just(RunResumed(1, "here")),
    st.builds(lambda run: RunRewound("s", "g2", "f2", (Span(run, 1, 1),)), runs),
    st.sampled_from([RunFinished(BIG, "T"), RunFailed(STEP, 1, Failure("E", "no")), RunCancelled()]),
)


class Journals(RuleBasedStateMachine):
    """Does the same to both, and compares what they answer and what they then show."""

    durability: Durability = "process"

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copy(empty_store(self.durability), folder / "runs.db")
        self.portal: BlockingPortal = self.stack.enter_context(start_blocking_portal())
        self.store = self.portal.call(partial(open_journal, folder / "runs.db", durability=self.durability))
        self.stack.callback(self.portal.call, self.store.aclose)
        self.memory = MemoryJournal()
        self.mail: dict[RunId, list[str]] = {}
        self.made: list[tuple[RunId, int, list[Fact], dict[str, Any]]] = []

    def teardown(self) -> None:
        self.stack.close()

    def both(self, ask: Callable[[Journal], Awaitable[Any]]) -> Any:
        """Ask both, and return the answer that they agree on."""
        expected, found = (self.portal.call(answer_of, ask, journal) for journal in (self.memory, self.store))
        assert found == expected
        return found

    @initialize(driver=st.none() | drivers)
    def begin(self, driver: str | None) -> None:
        self.create(RUNS[0], [], 1.0, driver, None)

    def info(self, run: RunId) -> RunInfo | None:
        found = self.both(lambda journal: journal.info(run))
        return found if isinstance(found, RunInfo) else None

    @rule(run=runs, happened=st.lists(facts, max_size=2), at=times, driver=st.none() | drivers, parent=st.none() | runs)
    def create(self, run: RunId, happened: list[Fact], at: float, driver: str | None, parent: RunId | None) -> None:
        began: Fact = RunStarted("g", "f", b"{}", 1)
        if parent is not None:
            began = RunForked(parent, "", "g", "f", b"{}", 1, (Span(parent, 1, 1),))
        info = RunInfo(run, "g", "f", at, at, target="t", parent=parent)
        claim = None if driver is None else Claim(driver, at + 2)
        definition, snapshot = (b'{"g":1}', b'{"s":1}') if len(happened) == 1 else (None, None)
        self.both(
            lambda journal: journal.create(
                info, [began, *happened], at=at, claim=claim, definition=definition, snapshot=snapshot
            )
        )

    @rule(
        run=runs,
        off=st.sampled_from([0] * 9 + [-1, 1]),
        happened=st.lists(facts, max_size=3),
        at=times,
        fence=st.sampled_from([None] * 2 + [0] * 9 + [-1, 1]),
        taking=st.sampled_from(["nothing"] * 6 + ["its own"] * 4 + MESSAGES),
        more=st.booleans(),
    )
    def append(
        self, *, run: RunId, off: int, happened: list[Fact], at: float, fence: int | None, taking: str, more: bool
    ) -> None:
        found = self.info(run)
        after = max(0, (found.seq if found else 0) + off)
        kept = self.memory._runs.get(run)
        rest: dict[str, Any] = {
            "at": at,
            "fence": None if fence is None else fence + (kept.fence if kept else 0),
            "taking": {"nothing": [], "its own": self.mail.get(run, [])}.get(taking, [taking]),
            "snapshot": b'{"s":2}' if more else None,
            "intent": more,
            "definition": b'{"g":2}' if more else None,
        }
        if self.both(lambda journal: journal.append(run, after, happened, **rest)) is None:
            self.made.append((run, after, happened, rest))

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def append_again(self, data: st.DataObject) -> None:
        run, after, happened, rest = data.draw(st.sampled_from(self.made))
        other: dict[str, Any] = data.draw(
            st.sampled_from([{}, {}, {}, {"fence": None}, {"at": 7.0}, {"taking": []}, {"taking": ["m1"]}])
        )
        self.both(lambda journal: journal.append(run, after, happened, **{**rest, **other}))

    @rule(run=runs, driver=drivers, at=times, seconds=st.integers(0, 3), dead=st.booleans())
    def claim(self, run: RunId, driver: str, at: float, seconds: int, dead: bool) -> None:
        self.both(lambda journal: journal.claim(run, Claim(driver, at + seconds), at=at, dead=lambda _: dead))

    @rule(driver=drivers, until=times)
    def renew(self, driver: str, until: float) -> None:
        self.both(lambda journal: journal.renew(driver, until=until))

    @rule(run=runs, fence=st.integers(0, 4))
    def release(self, run: RunId, fence: int) -> None:
        self.both(lambda journal: journal.release(run, fence))

    @rule(
        name=st.sampled_from(MESSAGES),
        run=runs,
        kind=st.sampled_from(["signal", "cancel"]),
        value=st.sampled_from([None, b"1"]),
        at=times,
    )
    def send(self, name: str, run: RunId, kind: Any, value: bytes | None, at: float) -> None:
        self.both(lambda journal: journal.send(Message(name, run, kind, "n", value, at)))

    @invariant()
    def they_show_the_same(self) -> None:
        inbox = self.both(show)[0]
        self.mail = {run: [message.id for message in inbox if message.run == run] for run in RUNS}


async def show(journal: Journal) -> list[Any]:
    """Everything that can be asked."""
    shown: list[Any] = [await journal.inbox(), await journal.runs()]
    shown += [await journal.due(float(now)) for now in range(1, 7)]
    shown += [await journal.due(6.0, 1), await journal.definition("f"), await journal.definition("f2")]
    for found in await journal.runs():
        shown += [await journal.load(found.id), await journal.read(found.id, 2, 3), await journal.inbox(found.id)]
    return shown


async def answer_of(ask: Callable[[Journal], Awaitable[Any]], journal: Journal) -> Any:
    """An answer, or what an error says, but for the journal's name."""
    try:
        return await ask(journal)
    except StoreError as error:
        return type(error).__name__, str(error).replace(journal.name, "the store")


@cache
def empty_store(durability: Durability) -> Path:
    """A store to copy: making one takes longer than what is tried with it."""
    path = Path(tempfile.mkdtemp()) / "empty.db"

    async def make() -> None:
        await (await open_journal(path, durability=durability)).aclose()

    anyio.run(make)
    return path


def machine(durability: Durability) -> type[Journals]:
    return type(f"Journals{durability}", (Journals,), {"durability": durability})


def test_a_store_and_the_journal_in_memory_agree() -> None:
    """The fake is verified: random drivers find no difference (D1, D7)."""
    run_state_machine_as_test(
        machine("process"),
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )


@pytest.mark.torture
@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_store_and_the_journal_in_memory_agree_for_long(durability: Durability) -> None:
    """The same, for as long as a test may take that nobody waits for."""
    run_state_machine_as_test(
        machine(durability),
        settings=settings(
            max_examples=120,
            stateful_step_count=60,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )
