"""What every journal promises: one body of tests, run against each."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import anyio
import anyio.lowlevel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from graphrt import failpoints
from graphrt.checkpoints import SqliteJournal, open_journal
from graphrt.errors import (
    JournalConflict,
    MessageConflict,
    MessageTaken,
    RunExists,
    RunNotFound,
    RunOver,
    RunTaken,
    StaleFence,
)
from graphrt.facts import (
    AttemptFailed,
    Emitted,
    Entry,
    Fact,
    Failure,
    MessageRefused,
    RunCancelled,
    RunFact,
    RunFailed,
    RunFinished,
    RunForked,
    RunResumed,
    RunRewound,
    RunStarted,
    RunSuspended,
    Span,
    StepCancelled,
    StepFact,
    StepFailed,
    StepFinished,
    StepStarted,
    StepUnknown,
    StepWaiting,
    SubstepFailed,
    SubstepFinished,
    SubstepStarted,
)
from graphrt.journal import Claim, DraftKey, Journal, MemoryJournal, Message, Renewal, RunInfo
from graphrt.types import RunId, StepKey

pytestmark = pytest.mark.anyio

RUN = RunId("one")
START = RunStarted("demo", "f" * 16, b'{"topic":"tides"}', 7)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store to copy: making one takes longer than most of what is asked of it."""
    path = tmp_path_factory.mktemp("empty") / "runs.db"

    async def make() -> None:
        await (await open_journal(path)).aclose()

    anyio.run(make)
    return path


@pytest.fixture(params=["memory", "sqlite power", "sqlite process"])
async def journal(
    request: pytest.FixtureRequest, tmp_path: Path, empty: Path, anyio_backend: str
) -> AsyncIterator[Journal]:
    kind: str = request.param
    if kind == "memory":
        yield MemoryJournal()
        return
    shutil.copy(empty, tmp_path)
    found = SqliteJournal(tmp_path / "runs.db", durability="power" if kind.endswith("power") else "process")
    yield found
    await found.aclose()


def info(run: str = "one", created: float = 100.5) -> RunInfo:
    return RunInfo(RunId(run), "demo", "f" * 16, created, created, target="demo.py:demo")


def started(step: str, attempt: int = 1) -> StepStarted:
    return StepStarted(StepKey(step), attempt)


def finished(step: str, value: bytes, lineage: str | None = None) -> StepFinished:
    return StepFinished(StepKey(step), 1, value, "int", lineage)


async def facts(journal: Journal, run: RunId = RUN) -> list[Fact]:
    return [entry.fact for entry in await journal.read(run, limit=100_000)]


async def test_what_is_created_is_there(journal: Journal) -> None:
    """A run begins with its facts in one commit (D1)."""
    await journal.create(info(), [START, started("a")], at=100.5)

    assert await journal.read(RUN) == [Entry(1, 100.5, START), Entry(2, 100.5, started("a"))]
    assert await journal.info(RUN) == replace(info(), seq=2)


async def test_entries_count_from_one_without_gaps_and_keep_their_times(journal: Journal) -> None:
    """An entry's place and time are those of its commit (E1: state is what folding them gives)."""
    await journal.create(info(), [START], at=100.5)
    await journal.append(RUN, 1, [started("a"), started("b")], at=101.25)
    await journal.append(RUN, 3, [finished("a", b"1")], at=102.125)

    assert [(entry.seq, entry.at) for entry in await journal.read(RUN)] == [
        (1, 100.5),
        (2, 101.25),
        (3, 101.25),
        (4, 102.125),
    ]
    assert await journal.info(RUN) == replace(info(), seq=4, updated=102.125)


async def test_reading_pages_through_a_journal(journal: Journal) -> None:
    """`after` and `limit` cut where they say."""
    await journal.create(info(), [START, *(started(f"s{i}") for i in range(9))], at=1.0)

    assert [entry.seq for entry in await journal.read(RUN, 3, 4)] == [4, 5, 6, 7]
    assert [entry.seq for entry in await journal.read(RUN, 8)] == [9, 10]
    assert await journal.read(RUN, 10) == []


async def test_a_name_is_given_once(journal: Journal) -> None:
    """A second run of one id is refused and changes nothing."""
    await journal.create(info(), [START], at=1.0)

    with pytest.raises(RunExists):
        await journal.create(info(), [START, started("a")], at=2.0)

    assert await facts(journal) == [START]


async def test_a_run_that_is_not_there_is_named(journal: Journal) -> None:
    """Every question about an unknown run has the same answer."""
    await journal.create(info(), [START], at=1.0)
    missing = RunId("another")

    for question in (
        journal.load(missing),
        journal.read(missing),
        journal.info(missing),
        journal.append(missing, 0, [RunResumed()], at=1.0),
    ):
        with pytest.raises(RunNotFound, match="another"):
            await question


@pytest.mark.parametrize("after", [0, 1, 3, 4])
async def test_a_driver_that_is_behind_or_ahead_is_refused(journal: Journal, after: int) -> None:
    """One run has one driver: a commit at the wrong place takes nothing (D7)."""
    await journal.create(info(), [START, started("a")], at=1.0)

    with pytest.raises(JournalConflict):
        await journal.append(RUN, after, [finished("a", b"1")], at=2.0, snapshot=b"{}")

    assert await facts(journal) == [START, started("a")]
    assert (await journal.load(RUN)).snapshot is None
    await journal.append(RUN, 2, [finished("a", b"1")], at=2.0)
    assert (await journal.info(RUN)).seq == 3


async def test_of_two_drivers_at_once_one_wins(journal: Journal) -> None:
    """Two commits for one place: one is taken whole, the other not at all (D7)."""
    await journal.create(info(), [START], at=1.0)
    outcomes: list[str] = []

    async def drive(name: str) -> None:
        try:
            await journal.append(RUN, 1, [started(f"{name}1"), started(f"{name}2")], at=2.0)
        except JournalConflict:
            outcomes.append("refused")
        else:
            outcomes.append(name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drive, "x")
        tasks.start_soon(drive, "y")

    winner = next(name for name in outcomes if name != "refused")
    assert sorted(outcomes) == sorted([winner, "refused"])
    assert await facts(journal) == [START, started(f"{winner}1"), started(f"{winner}2")]


async def test_a_snapshot_comes_back_with_what_happened_after_it(journal: Journal) -> None:
    """Loading costs what happened since the last snapshot (D6)."""
    await journal.create(info(), [START], at=1.0)
    await journal.append(RUN, 1, [started("a")], at=2.0, snapshot=b'{"v": 1}')
    await journal.append(RUN, 2, [started("b")], at=3.0, snapshot=b'{"v": 2}')
    await journal.append(RUN, 3, [started("c"), started("d")], at=4.0)

    history = await journal.load(RUN)

    assert (history.snapshot, history.snapshot_seq) == (b'{"v": 2}', 3)
    assert history.entries == [Entry(4, 4.0, started("c")), Entry(5, 4.0, started("d"))]
    assert history.info == await journal.info(RUN)


async def test_a_snapshot_alone_is_a_commit(journal: Journal) -> None:
    """A snapshot without new facts is checked as any other commit (D7)."""
    await journal.create(info(), [START], at=1.0)
    await journal.append(RUN, 1, [], at=2.0, snapshot=b"{}")

    with pytest.raises(JournalConflict):
        await journal.append(RUN, 0, [], at=2.0, snapshot=b'{"stale": 1}')

    history = await journal.load(RUN)
    assert (history.snapshot, history.snapshot_seq, history.entries) == (b"{}", 1, [])


async def test_without_a_snapshot_everything_is_loaded(journal: Journal) -> None:
    """A young run is its facts."""
    await journal.create(info(), [START, started("a")], at=1.0)

    history = await journal.load(RUN)

    assert (history.snapshot, history.snapshot_seq) == (None, 0)
    assert [entry.fact for entry in history.entries] == [START, started("a")]


@pytest.mark.parametrize(
    ("last", "status", "error"),
    [
        (RunFinished(b"1", "int"), "finished", None),
        (RunFailed(StepKey("a"), 2, Failure("ValueError", "no")), "failed", "ValueError: no"),
        (RunCancelled(), "cancelled", None),
        (RunResumed(), "running", None),
        (started("b"), "running", None),
    ],
)
async def test_the_last_fact_decides_the_status(journal: Journal, last: Fact, status: str, error: str | None) -> None:
    """A fact that ends or resumes a run sets its status in the same commit (D1)."""
    await journal.create(info(), [START, started("a")], at=1.0)
    await journal.append(RUN, 2, [last], at=2.0)

    found = await journal.info(RUN)

    assert (found.status, found.error) == (status, error)


async def test_a_failed_run_can_be_taken_up_again(journal: Journal) -> None:
    """Ended is a status, not a lock: resuming goes on where it stood (E9)."""
    failure = Failure("ValueError", "no")
    await journal.create(info(), [START], at=1.0)
    await journal.append(RUN, 1, [RunFailed(StepKey("a"), 1, failure)], at=2.0)
    await journal.append(RUN, 2, [RunResumed(), started("a", 2)], at=3.0)

    assert (await journal.info(RUN)).status == "running"
    assert (await journal.info(RUN)).seq == 4
    assert (await facts(journal))[1:] == [RunFailed(StepKey("a"), 1, failure), RunResumed(), started("a", 2)]


async def test_runs_are_listed_newest_first(journal: Journal) -> None:
    """A list is what a person looks at after a bad night."""
    for i, name in enumerate(["old", "new", "middle"]):
        await journal.create(info(name, created=[1.0, 3.0, 2.0][i]), [START], at=5.0 + i)
    await journal.append(RunId("middle"), 1, [RunCancelled()], at=9.0)

    assert [found.id for found in await journal.runs()] == ["new", "middle", "old"]
    assert [found.id for found in await journal.runs(limit=2)] == ["new", "middle"]
    assert [found.id for found in await journal.runs(status="cancelled")] == ["middle"]
    assert await journal.runs(status="running") == [await journal.info(RunId(name)) for name in ("new", "old")]


@pytest.mark.parametrize(
    "value",
    [
        b'{"a": 1,\n  "b" : [ ]}',
        '"\u00e9\u6f22\U0001f600\u2028\\u0000\\ud83d\\ude00\\ud83d"'.encode(),
        b"123456789012345678901234567890123456789",
        b"[0.1000000000000000055511151231257827, 1e400, -0.0, 1E+2]",
        b'"' + b"x" * 3_000_000 + b'"',
        json.dumps(["\u00fc" * 50] * 200, ensure_ascii=False).encode(),
        b"null",
    ],
    ids=["spaces", "unicode", "big int", "long floats", "3 MB", "large unicode", "null"],
)
async def test_json_comes_back_byte_for_byte(journal: Journal, value: bytes) -> None:
    """What a node gave is what the next one gets, large or small (D13)."""
    happened: list[Fact] = [
        replace(START, input=value),
        StepFinished(StepKey("a"), 1, value, "T", "line", value),
        StepFinished(StepKey("a"), 1, value, "T", "line"),
        Emitted(StepKey("a"), 1, "said", value),
        RunFinished(value, "T"),
    ]
    await journal.create(info(), happened[:2], at=1.0)
    await journal.append(RUN, 2, happened[2:4], at=1.0, snapshot=value)
    await journal.append(RUN, 4, happened[4:], at=1.0)

    assert await facts(journal) == happened
    assert (await journal.load(RUN)).snapshot == value


def growing(i: int) -> bytes:
    """A state of which a counter ticks and a list grows."""
    return json.dumps(
        {"i": i, "messages": [f"{n:03d} " + "m" * 196 for n in range(i)], "z": {"deep": ["d"] * i}}
    ).encode()


async def test_versions_of_one_state_come_back_whole(journal: Journal) -> None:
    """However a store keeps a lineage, readers see every version whole (D5)."""
    await journal.create(info(), [START], at=1.0)
    for i in range(60):
        await journal.append(
            RUN,
            1 + 2 * i,
            [finished(f"loop#{i}", growing(i), "state"), finished(f"side#{i}", growing(7 * i % 50), "other")],
            at=1.0,
        )
    expected = [growing(n) for i in range(60) for n in (i, 7 * i % 50)]

    assert [fact.value for fact in (await facts(journal))[1:] if isinstance(fact, StepFinished)] == expected
    for seq in (2, 61, 100, 121):
        (entry,) = await journal.read(RUN, seq - 1, 1)
        assert isinstance(entry.fact, StepFinished)
        assert entry.fact.value == expected[seq - 2]


@pytest.mark.parametrize("embedded", [True, False])
async def test_versions_after_a_snapshot_come_back_whole(journal: Journal, *, embedded: bool) -> None:
    """A tail whose first value builds on one from before the snapshot is whole too (D5, D6)."""
    await journal.create(info(), [START], at=1.0)
    for i in range(40):
        held = to_json({"at": growing(i).decode() if embedded else 0})
        snapshot = held if i % 15 == 14 else None
        await journal.append(RUN, 1 + i, [finished(f"loop#{i}", growing(i), "state")], at=1.0, snapshot=snapshot)

    history = await journal.load(RUN)

    assert history.snapshot_seq == 31
    assert [entry.fact for entry in history.entries] == [
        finished(f"loop#{i}", growing(i), "state") for i in range(30, 40)
    ]


async def test_two_versions_in_one_commit_come_back_whole(journal: Journal) -> None:
    """A commit may hold several versions of one state (D5)."""
    await journal.create(info(), [START], at=1.0)
    happened: list[Fact] = [finished(f"loop#{i}", growing(i), "state") for i in range(30)]
    await journal.append(RUN, 1, happened[:10], at=1.0)
    await journal.append(RUN, 11, happened[10:], at=1.0)

    assert (await facts(journal))[1:] == happened


async def test_fifty_runs_at_once_do_not_mix(journal: Journal) -> None:
    """Concurrent runs share a store and nothing else (D1)."""

    async def drive(run: RunId) -> None:
        await journal.create(info(run), [START], at=1.0)
        for i in range(10):
            await journal.append(run, 1 + i, [finished(f"{run}/{i}", b"%d" % i)], at=1.0)

    names = [RunId(f"run {n}") for n in range(50)]
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(drive, name)

    for name in names:
        assert await facts(journal, name) == [START, *(finished(f"{name}/{i}", b"%d" % i) for i in range(10))]


async def test_closing_twice_is_closing(journal: Journal) -> None:
    """aclose is idempotent."""
    await journal.create(info(), [START], at=1.0)
    await journal.aclose()
    await journal.aclose()


# Who drives a run: leases and their fences (D7).


def claim(driver: str = "here", until: float = 30.0) -> Claim:
    return Claim(driver, until)


async def test_each_claim_has_a_fence_of_its_own(journal: Journal) -> None:
    """Fences count up from 1, whoever claims, and never go down (D7)."""
    await journal.create(info(), [START], at=1.0)

    assert (await journal.info(RUN)).driver is None
    assert await journal.claim(RUN, claim(), at=1.0) == 1
    assert await journal.claim(RUN, claim(), at=2.0) == 2
    await journal.release(RUN, 2)
    assert await journal.claim(RUN, claim("there"), at=3.0) == 3
    found = await journal.info(RUN)
    assert (found.driver, found.lease) == ("there", 30.0)


async def test_a_run_may_begin_under_a_lease(journal: Journal) -> None:
    """Between creating a run and driving it nobody comes in (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim())

    found = await journal.info(RUN)
    assert (found.driver, found.lease, found.seq) == ("here", 30.0, 1)
    await journal.append(RUN, 1, [started("a")], at=2.0, fence=1)
    assert await journal.renew("here", until=40.0) == Renewal({RUN: 1}, frozenset())


async def test_a_run_that_is_driven_is_refused_with_its_drivers_name(journal: Journal) -> None:
    """Two processes resuming one run: one wins, the other says who has it (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim("worker 7 on tarn", 30.0))

    with pytest.raises(RunTaken, match=r"'one' is being driven by worker 7 on tarn.* 20\.0 s") as caught:
        await journal.claim(RUN, claim("there", 99.0), at=10.0)

    assert (caught.value.driver, caught.value.left) == ("worker 7 on tarn", 20.0)
    assert (await journal.info(RUN)).lease == 30.0
    await journal.append(RUN, 1, [started("a")], at=11.0, fence=1)


@pytest.mark.parametrize(("at", "fence"), [(29.999, None), (30.0, 2), (31.0, 2)])
async def test_an_expired_lease_is_taken_over_without_a_person(journal: Journal, at: float, fence: int | None) -> None:
    """A driver that does not renew has lost its run (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim("here", 30.0))

    if fence is None:
        with pytest.raises(RunTaken):
            await journal.claim(RUN, claim("there", 60.0), at=at)
    else:
        assert await journal.claim(RUN, claim("there", 60.0), at=at) == fence


async def test_the_run_of_a_dead_driver_is_free_at_once(journal: Journal) -> None:
    """Whoever knows that a driver is no more need not wait for its lease to run out (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim("here", 30.0))
    asked: list[str] = []

    def dead(driver: str) -> bool:
        asked.append(driver)
        return len(asked) > 1

    with pytest.raises(RunTaken):
        await journal.claim(RUN, claim("there"), at=2.0, dead=dead)
    assert await journal.claim(RUN, claim("there"), at=2.0, dead=dead) == 2
    assert asked == ["here", "here"]


async def test_nobody_asks_whether_the_driver_of_a_free_run_is_dead(journal: Journal) -> None:
    """`dead` is asked about somebody who is in the way."""
    await journal.create(info(), [START], at=1.0)
    asked: list[str] = []

    def ask(driver: str) -> bool:
        asked.append(driver)
        return True

    await journal.claim(RUN, claim("here", 5.0), at=1.0, dead=ask)
    await journal.claim(RUN, claim("here", 5.0), at=1.0, dead=ask)
    await journal.claim(RUN, claim("there", 9.0), at=5.0, dead=ask)
    assert asked == []


async def test_a_stale_drivers_commit_is_refused_and_takes_nothing(journal: Journal) -> None:
    """From a claim on, no commit under an older fence is taken, at the right place or not (D7, S7)."""
    await journal.create(info(), [START], at=1.0, claim=claim("here", 5.0), definition=b"{}")
    await journal.send(Message("m", RUN, "signal", at=2.0))
    assert await journal.claim(RUN, claim("there"), at=6.0) == 2

    for after in (0, 1, 2):
        with pytest.raises(StaleFence, match="taken over by there") as caught:
            await journal.append(
                RUN,
                after,
                [RunRewound("", "other", "g"), RunFinished(b"1")],
                at=7.0,
                snapshot=b"{}",
                fence=1,
                taking=["m"],
                intent=True,
                definition=b"[]",
            )
        assert caught.value.fence == 1

    assert await facts(journal) == [START]
    assert await journal.inbox(RUN) == [Message("m", RUN, "signal", at=2.0)]
    assert (await journal.load(RUN)).snapshot is None
    assert await journal.definition("g") is None
    found = await journal.info(RUN)
    assert (found.status, found.graph, found.driver) == ("running", "demo", "there")
    await journal.append(RUN, 1, [started("a")], at=7.0, fence=2)


async def test_a_fence_that_nobody_has_is_stale(journal: Journal) -> None:
    """A number from nowhere opens nothing (D7)."""
    await journal.create(info(), [START], at=1.0)

    for fence in (0, 1, -1):
        with pytest.raises(StaleFence):
            await journal.append(RUN, 1, [started("a")], at=1.0, fence=fence)
    await journal.claim(RUN, claim(), at=1.0)
    with pytest.raises(StaleFence):
        await journal.append(RUN, 1, [started("a")], at=1.0, fence=2)
    assert await facts(journal) == [START]


async def test_a_late_driver_may_go_on_while_nobody_took_its_run(journal: Journal) -> None:
    """It is not the clock that ends a lease but the next driver's claim (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim("here", 5.0))

    await journal.append(RUN, 1, [started("a")], at=50.0, fence=1)
    assert await journal.renew("here", until=60.0) == Renewal({RUN: 1}, frozenset())


async def test_neighbours_of_a_stale_driver_commit(journal: Journal) -> None:
    """One driver's lateness costs nobody else a commit (D1, D7)."""
    names = [RunId(f"run {n}") for n in range(20)]
    for name in names:
        await journal.create(info(name), [START], at=1.0, claim=claim("here", 5.0))
    for name in names[::3]:
        await journal.claim(name, claim("there"), at=6.0)
    refused: list[str] = []

    async def drive(name: RunId) -> None:
        try:
            await journal.append(name, 1, [started("a")], at=7.0, fence=1)
        except StaleFence:
            refused.append(name)

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(drive, name)

    assert sorted(refused) == sorted(names[::3])
    for name in names:
        assert (await journal.info(name)).seq == (1 if name in refused else 2)


async def test_of_many_claims_at_once_one_wins(journal: Journal) -> None:
    """A claim is atomic (D7, S7)."""
    await journal.create(info(), [START], at=1.0)
    won: list[tuple[str, int]] = []
    told: list[str] = []

    async def resume(driver: str) -> None:
        try:
            won.append((driver, await journal.claim(RUN, claim(driver), at=1.0)))
        except RunTaken as error:
            told.append(error.driver)

    async with anyio.create_task_group() as tasks:
        for n in range(8):
            tasks.start_soon(resume, f"driver {n}")

    ((winner, fence),) = won
    assert fence == 1
    assert told == [winner] * 7


@pytest.mark.parametrize(
    ("last", "wake"),
    [
        (RunFinished(b"1"), None),
        (RunFailed(StepKey("a"), 1, Failure("E", "no")), None),
        (RunCancelled(), None),
        (RunSuspended(), None),
        (RunSuspended(77.5), 77.5),
    ],
)
async def test_what_ends_or_suspends_a_run_gives_its_lease_back(
    journal: Journal, last: Fact, wake: float | None
) -> None:
    """In the same commit: a suspended run has no driver, and can be claimed at once (D1, D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim())
    await journal.append(RUN, 1, [last], at=2.0, fence=1)

    found = await journal.info(RUN)
    assert (found.driver, found.lease, found.wake) == (None, None, wake)
    assert await journal.renew("here", until=99.0) == Renewal({}, frozenset())
    assert await journal.claim(RUN, claim("there"), at=2.0) == 2
    await journal.append(RUN, 2, [RunResumed(2, "there")], at=3.0, fence=2)
    found = await journal.info(RUN)
    assert (found.status, found.driver, found.wake) == ("running", "there", None)


async def test_a_run_that_suspends_and_goes_on_in_one_commit_keeps_its_driver(journal: Journal) -> None:
    """What the last fact of a commit says is what holds (D1)."""
    await journal.create(info(), [START], at=1.0, claim=claim())
    await journal.append(RUN, 1, [RunSuspended(9.0), RunResumed(1, "here")], at=2.0, fence=1)

    found = await journal.info(RUN)
    assert (found.status, found.driver, found.wake) == ("running", "here", None)


async def test_renewing_says_what_is_still_held_and_who_has_mail(journal: Journal) -> None:
    """One commit for all leases of a driver; a lost one is missing, and a message is heard of (D7)."""
    for name in ("kept", "lost", "given back", "ended", "mail"):
        await journal.create(info(name), [START], at=1.0, claim=claim("here", 5.0))
    await journal.create(info("another's"), [START], at=1.0, claim=claim("there", 9.0))
    await journal.claim(RunId("lost"), claim("there", 9.0), at=6.0)
    await journal.release(RunId("given back"), 1)
    await journal.append(RunId("ended"), 1, [RunCancelled()], at=6.0, fence=1)
    for name in ("mail", "another's", "lost"):
        await journal.send(Message(f"to {name}", RunId(name), "cancel", at=6.0))

    assert await journal.renew("here", until=15.0) == Renewal(
        {RunId("kept"): 1, RunId("mail"): 1}, frozenset({RunId("mail")})
    )
    assert (await journal.info(RunId("kept"))).lease == 15.0
    assert (await journal.info(RunId("another's"))).lease == 9.0
    await journal.append(RunId("mail"), 1, [RunCancelled()], at=7.0, fence=1, taking=["to mail"])
    assert await journal.renew("here", until=16.0) == Renewal({RunId("kept"): 1}, frozenset())
    assert (await journal.renew("there", until=17.0)).mail == {"another's", "lost"}


async def test_a_lease_on_a_run_that_has_ended_is_not_renewed(journal: Journal) -> None:
    """Whoever takes it up again has until the lease expires for the first commit, which ends nothing (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim("here", 5.0))
    await journal.append(RUN, 1, [RunCancelled()], at=2.0, fence=1)
    assert await journal.claim(RUN, claim("here", 9.0), at=3.0) == 2

    assert await journal.renew("here", until=15.0) == Renewal({}, frozenset())
    assert (await journal.info(RUN)).lease == 9.0
    await journal.append(RUN, 2, [RunResumed(2, "here")], at=4.0, fence=2)
    assert await journal.renew("here", until=15.0) == Renewal({RUN: 2}, frozenset())


async def test_a_lease_is_given_back_by_whoever_has_it(journal: Journal) -> None:
    """Giving back what somebody else took over by now changes nothing (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim("here", 5.0))
    await journal.claim(RUN, claim("there"), at=6.0)

    await journal.release(RUN, 1)
    await journal.release(RunId("nowhere"), 1)
    assert (await journal.info(RUN)).driver == "there"
    await journal.release(RUN, 2)
    found = await journal.info(RUN)
    assert (found.driver, found.lease) == (None, None)
    await journal.append(RUN, 1, [started("a")], at=7.0, fence=2)


async def test_a_claim_of_nothing_is_refused(journal: Journal) -> None:
    """A run that is not there has no lease either."""
    with pytest.raises(RunNotFound, match="nowhere"):
        await journal.claim(RunId("nowhere"), claim(), at=1.0)
    with pytest.raises(RunNotFound, match="nowhere"):
        await journal.inbox(RunId("nowhere"))
    with pytest.raises(RunNotFound, match="nowhere"):
        await journal.send(Message("m", RunId("nowhere"), "cancel"))
    assert await journal.renew("here", until=1.0) == Renewal({}, frozenset())


# A commit whose reply was lost (D7).


async def test_a_commit_that_is_made_again_is_not_made_twice(journal: Journal) -> None:
    """A driver that did not hear of its commit makes it again, at once or later, and goes on (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim())
    await journal.send(Message("m", RUN, "signal", at=1.5))
    big = finished("a", b'"' + b"x" * 9000 + b'"', "state")
    happened: list[Fact] = [started("a", 1), big, RunSuspended(9.0)]
    for _ in range(2):
        await journal.append(RUN, 1, happened, at=2.0, fence=1, taking=["m"], snapshot=b"{}")
    later = finished("b", b'"' + b"x" * 9001 + b'"', "state")
    for _ in range(2):
        await journal.append(RUN, 4, [RunResumed(1, "here"), later], at=3.0, fence=1)
    await journal.append(RUN, 1, happened, at=2.0, fence=1, taking=["m"])
    await journal.append(RUN, 4, [RunResumed(1, "here"), later], at=3.0, fence=1)

    assert await facts(journal) == [START, *happened, RunResumed(1, "here"), later]
    assert (await journal.info(RUN)).status == "running"
    await journal.append(RUN, 6, [finished("c", b"1", "state")], at=4.0, fence=1)
    assert (await journal.info(RUN)).seq == 7


@pytest.mark.parametrize(
    ("happened", "at", "fence", "taking"),
    [
        ([started("a")], 2.5, 1, ["m"]),
        ([started("a", 2)], 2.0, 1, ["m"]),
        ([started("a"), started("b")], 2.0, 1, ["m"]),
        ([started("a")], 2.0, 1, ["another"]),
        ([started("a")], 2.0, None, ["m"]),
        ([], 2.0, 1, []),
    ],
    ids=["another time", "another fact", "more", "another message", "no fence", "nothing"],
)
async def test_a_commit_that_differs_from_the_one_that_is_there_is_a_conflict(
    journal: Journal, happened: list[Fact], at: float, fence: int | None, taking: list[str]
) -> None:
    """Only the very same commit of the very same driver is recognised (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim())
    for name in ("m", "another"):
        await journal.send(Message(name, RUN, "signal", at=1.5))
    await journal.append(RUN, 1, [started("a")], at=2.0, fence=1, taking=["m"])

    with pytest.raises(JournalConflict):
        await journal.append(RUN, 1, happened, at=at, fence=fence, taking=taking)
    assert await facts(journal) == [START, started("a")]
    assert [message.id for message in await journal.inbox()] == ["another"]


async def test_a_commit_is_not_recognised_under_a_fence_that_is_stale_by_now(journal: Journal) -> None:
    """Whoever lost its run is to leave it, whatever it had committed (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim("here", 5.0))
    await journal.append(RUN, 1, [started("a")], at=2.0, fence=1)
    await journal.claim(RUN, claim("there"), at=6.0)

    with pytest.raises(StaleFence):
        await journal.append(RUN, 1, [started("a")], at=2.0, fence=1)
    assert await facts(journal) == [START, started("a")]


async def test_the_same_commit_twice_at_once_is_made_once(journal: Journal) -> None:
    """Also where both wait for one disk (D7)."""
    await journal.create(info(), [START], at=1.0, claim=claim())
    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(partial(journal.append, RUN, 1, [started("a"), finished("a", b"1")], at=2.0, fence=1))

    assert await facts(journal) == [START, started("a"), finished("a", b"1")]


# What is sent to a run.


def message(
    number: str = "m",
    run: RunId = RUN,
    *,
    kind: Literal["signal", "answer", "cancel"] = "signal",
    name: str = "paid",
    value: bytes | None = b"1",
    at: float = 0.0,
) -> Message:
    return Message(number, run, kind, name, value, at)


async def test_a_message_waits_until_a_commit_takes_it(journal: Journal) -> None:
    """It is used up in the commit of the step that takes it, and in no other (D1)."""
    await journal.create(info(), [START], at=1.0)
    await journal.create(info("two"), [START], at=1.0)
    sent = [
        message("m1", value=b'{"n" : 1}', at=5.0),
        message("m3", RunId("two"), kind="answer", name="ask#1", value=None, at=6.0),
        message("m2", kind="cancel", name="", value=b'"' + b"x" * 9000 + b'"', at=4.0),
    ]
    for each in sent:
        assert await journal.send(each)

    assert await journal.inbox() == sent
    assert await journal.inbox(RUN) == [sent[0], sent[2]]
    await journal.append(RUN, 1, [finished("wait", b"1")], at=7.0, taking=["m2"])
    assert await journal.inbox(RUN) == [sent[0]]
    await journal.append(RUN, 2, [], at=8.0, taking=["m1"])
    assert await journal.inbox() == [sent[1]]
    assert await journal.inbox(RUN) == []


async def test_a_message_that_is_sent_again_is_one_message(journal: Journal) -> None:
    """Its id is the sender's: whoever is not sure whether it arrived sends it again, even when it is used up."""
    await journal.create(info(), [START], at=1.0)

    assert await journal.send(message(at=1.0))
    assert not await journal.send(message(at=2.0))
    assert await journal.inbox() == [message(at=1.0)]
    await journal.append(RUN, 1, [RunCancelled()], at=3.0, taking=["m"])
    assert not await journal.send(message(at=4.0))
    assert await journal.inbox() == []


@pytest.mark.parametrize(
    "other", [{"kind": "answer"}, {"name": "lost"}, {"value": b"2"}, {"value": None}, {"run": RunId("two")}]
)
async def test_an_id_means_one_message(journal: Journal, other: dict[str, Any]) -> None:
    """Another content under the same id is somebody's mistake; the first one counts."""
    await journal.create(info(), [START], at=1.0)
    await journal.create(info("two"), [START], at=1.0)
    await journal.send(message())

    with pytest.raises(MessageConflict, match="'m'"):
        await journal.send(message(**other))
    assert await journal.inbox() == [message()]


@pytest.mark.parametrize("last", [RunFinished(b"1"), RunFailed(StepKey("a"), 1, Failure("E", "no")), RunCancelled()])
async def test_a_run_that_is_over_hears_nothing(journal: Journal, last: Fact) -> None:
    """The sender is told, and how it ended."""
    await journal.create(info(), [START], at=1.0)
    await journal.append(RUN, 1, [last], at=2.0)

    with pytest.raises(RunOver, match=r"'one' has ended \((finished|failed|cancelled)\)"):
        await journal.send(message())
    assert await journal.inbox() == []


async def test_a_suspended_run_hears(journal: Journal) -> None:
    """That is what it waits for."""
    await journal.create(info(), [START], at=1.0)
    await journal.append(RUN, 1, [RunSuspended()], at=2.0)

    assert await journal.send(message())
    assert await journal.inbox(RUN) == [message()]


@pytest.mark.parametrize("taking", [["m", "taken"], ["m", "never sent"], ["m", "to another"]])
async def test_a_message_is_taken_once_and_with_its_commit(journal: Journal, taking: list[str]) -> None:
    """A commit that takes what it cannot have takes nothing else either (D1, D7)."""
    await journal.create(info(), [START], at=1.0)
    await journal.create(info("two"), [START], at=1.0)
    for name, run in (("m", RUN), ("taken", RUN), ("to another", RunId("two"))):
        await journal.send(message(name, run))
    await journal.append(RUN, 1, [started("a")], at=2.0, taking=["taken"])

    with pytest.raises(MessageTaken, match=repr(taking[1])):
        await journal.append(RUN, 2, [finished("a", b"1")], at=3.0, snapshot=b"{}", taking=taking)
    assert await facts(journal) == [START, started("a")]
    assert [each.id for each in await journal.inbox()] == ["m", "to another"]
    await journal.append(RUN, 2, [finished("a", b"1")], at=3.0, taking=["m", "m"])
    assert [each.id for each in await journal.inbox()] == ["to another"]


async def test_of_two_commits_that_take_one_message_one_is_made(journal: Journal) -> None:
    """Both may wait for the same disk (D1, D7)."""
    await journal.create(info(), [START], at=1.0)
    await journal.send(message())
    outcomes: list[str] = []

    async def take() -> None:
        try:
            await journal.append(RUN, 1, [], at=2.0, taking=["m"])
            outcomes.append("taken")
        except MessageTaken:
            outcomes.append("refused")

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(take)

    assert sorted(outcomes) == ["refused"] * 4 + ["taken"]
    assert await journal.inbox() == []


async def test_a_commit_that_breaks_off_leaves_the_message(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that was marked is unmarked with the rest of its commit (D1)."""
    await journal.create(info(), [START], at=1.0)
    await journal.send(message())

    def break_off(point: str) -> None:
        if point == "inbox: message taken":
            raise Broken(point)

    with monkeypatch.context() as armed:
        armed.setattr(failpoints, "armed", break_off)
        with pytest.raises(Broken):
            await journal.append(RUN, 1, [started("a")], at=2.0, taking=["m"])
    assert await journal.inbox() == [message()]
    assert await facts(journal) == [START]
    await journal.append(RUN, 1, [started("a")], at=2.0, taking=["m"])
    assert await journal.inbox() == []


class Broken(Exception):
    """What an armed point raises."""


async def test_a_claim_passes_its_points(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between a claim and its driver's hearing of it leaves a lease that expires (D7)."""
    await journal.create(info(), [START], at=1.0)
    passed: list[str] = []
    with monkeypatch.context() as armed:
        armed.setattr(failpoints, "armed", passed.append)
        await journal.claim(RUN, claim("here", 5.0), at=1.0)
        await journal.renew("here", until=6.0)

    assert [point for point in passed if point.startswith("lease")] == ["lease: claimed", "lease: renewed"]


# Who could go on.


async def test_a_run_without_a_driver_is_due(journal: Journal) -> None:
    """What nobody drives and could go on is found by whoever looks, the longest waiting first (D7)."""
    names = ["no lease", "expired", "driven", "given back", "woken", "asleep", "for ever", "mail", "mail but driven"]
    names += ["finished", "mail before waking"]
    for n, name in enumerate(names):
        lease = {"expired": 30.0, "driven": 60.0}.get(name)
        await journal.create(
            info(name, created=1.0 + n), [START], at=1.0 + n, claim=None if lease is None else claim(name, lease)
        )
    fence = await journal.claim(RunId("given back"), claim(), at=10.0)
    await journal.append(RunId("given back"), 1, [started("a")], at=20.0, fence=fence)
    await journal.release(RunId("given back"), fence)
    for name, until in (
        ("woken", 25.0), ("asleep", 90.0), ("for ever", None), ("mail", None), ("mail but driven", None),
        ("mail before waking", 41.0),
    ):  # fmt: skip
        await journal.append(RunId(name), 1, [RunSuspended(until)], at=12.0)
    for name, at in (("mail", 22.0), ("mail but driven", 22.0), ("mail before waking", 35.0)):
        await journal.send(Message(f"to {name}", RunId(name), "signal", at=at))
    await journal.claim(RunId("mail but driven"), claim("there", 60.0), at=23.0)
    await journal.append(RunId("finished"), 1, [RunFinished(b"1")], at=24.0)

    due = ["no lease", "given back", "mail", "woken", "expired", "mail before waking"]
    assert [found.id for found in await journal.due(40.0)] == due
    assert [found.id for found in await journal.due(40.0, 3)] == due[:3]
    assert await journal.due(40.0, 1) == [await journal.info(RunId("no lease"))]
    assert [found.id for found in await journal.due(29.9)] == [
        "no lease",
        "given back",
        "mail",
        "woken",
        "mail before waking",
    ]
    late = await journal.due(1000.0)
    assert {found.id for found in late} == {*names} - {"for ever", "finished"}
    await journal.append(RunId("mail"), 2, [RunResumed(), RunSuspended()], at=50.0, taking=["to mail"])
    assert "mail" not in {found.id for found in await journal.due(1000.0)}


async def test_runs_that_wait_equally_long_are_due_in_their_order(journal: Journal) -> None:
    """The list is the same every time."""
    for name in ("c", "a", "b"):
        await journal.create(info(name), [START], at=1.0)

    assert [found.id for found in await journal.due(2.0)] == ["c", "a", "b"]


# Graphs, forks and intents.


async def test_a_definition_is_kept_once_for_its_fingerprint(journal: Journal) -> None:
    """What a graph looked like is there for whoever has not its code (D11)."""
    await journal.create(info(), [START], at=1.0, definition=b'{"a" : 1}')
    await journal.create(info("two"), [START], at=1.0, definition=b'{"another": 1}')
    await journal.create(info("three"), [START], at=1.0)

    assert await journal.definition("f" * 16) == b'{"a" : 1}'
    assert await journal.definition("g" * 16) is None


async def test_a_run_goes_on_with_the_graph_that_it_was_rewound_to(journal: Journal) -> None:
    """A run remembers which graph it goes on with (G6, D11)."""
    await journal.create(info(), [START], at=1.0, definition=b"1")
    await journal.append(
        RUN, 1, [RunRewound("", "new", "g" * 16, (Span("one", 1, 1),)), started("a")], at=2.0, definition=b"2"
    )

    found = await journal.info(RUN)
    assert (found.graph, found.fingerprint, found.status) == ("new", "g" * 16, "running")
    assert await journal.definition("f" * 16) == b"1"
    assert await journal.definition("g" * 16) == b"2"


async def test_a_fork_knows_its_parent_and_begins_with_a_state(journal: Journal) -> None:
    """A fork is a run like any other, which shares what its first fact says (D9)."""
    await journal.create(info(), [START, started("a")], at=1.0)
    forked = RunForked("one", "a", "demo", "f" * 16, b"{}", 7, (Span("one", 1, 2),), {"fast": "scripted:x"})
    await journal.create(
        replace(info("two"), parent=RUN), [forked, started("a")], at=2.0, snapshot=b'{"s":1}', claim=claim()
    )

    assert (await journal.info(RunId("two"))).parent == "one"
    assert (await journal.info(RUN)).parent is None
    history = await journal.load(RunId("two"))
    assert (history.snapshot, history.snapshot_seq, history.entries) == (b'{"s":1}', 2, [])
    assert await facts(journal, RunId("two")) == [forked, started("a")]


async def test_what_is_shared_must_be_there(journal: Journal) -> None:
    """A fork of a run that was removed meanwhile is no run (D9)."""
    await journal.create(info(), [START], at=1.0)
    spans = (Span("one", 1, 1), Span("gone", 1, 2))

    with pytest.raises(RunNotFound, match="gone"):
        await journal.create(info("two"), [RunForked("one", "", "demo", "f", b"{}", 7, spans)], at=2.0)
    with pytest.raises(RunNotFound, match="gone"):
        await journal.append(RUN, 1, [RunRewound("", "demo", "f", spans)], at=2.0)
    assert [found.id for found in await journal.runs()] == ["one"]
    assert await facts(journal) == [START]


async def test_an_intent_is_a_commit_like_any_other(journal: Journal) -> None:
    """It only survives more (D3, D12)."""
    await journal.create(info(), [START], at=1.0, claim=claim())
    await journal.append(RUN, 1, [StepStarted(StepKey("pay"), 1, "key")], at=2.0, fence=1, intent=True)

    with pytest.raises(JournalConflict):
        await journal.append(RUN, 1, [StepStarted(StepKey("pay"), 1, "other")], at=2.0, fence=1, intent=True)
    assert await facts(journal) == [START, StepStarted(StepKey("pay"), 1, "key")]


# Whatever is in a fact.

text = st.text(max_size=20)
whole = st.integers(0, 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
)
jsons = st.builds(lambda value, plain: json.dumps(value, ensure_ascii=plain).encode(), values, st.booleans())
objects = st.dictionaries(text, values, max_size=3).map(lambda value: json.dumps(value).encode())
failures = st.builds(Failure, text, text, st.none() | text, st.booleans(), st.none() | floats, text)
steps = text.map(StepKey)
whats = st.sampled_from(["signal", "person", "timer"])
spans = st.lists(st.builds(Span, st.just("one"), whole, whole), max_size=3).map(tuple)
happenings: st.SearchStrategy[tuple[Fact, ...]] = st.tuples(  # one of each kind
    st.builds(RunStarted, text, text, objects, st.integers()),
    st.builds(
        RunForked, text, text, text, text, objects, st.integers(), spans, st.dictionaries(text, text, max_size=3)
    ),
    st.builds(RunResumed, whole, text),
    st.builds(RunRewound, text, text, text, spans),
    st.builds(RunSuspended, st.none() | floats),
    st.builds(RunFinished, jsons, text),
    st.builds(RunFailed, steps, whole, failures, text),
    st.just(RunCancelled()),
    st.builds(StepStarted, steps, whole, st.none() | text),
    st.builds(StepFinished, steps, whole, jsons, text, st.none() | text, st.none() | objects),
    st.builds(AttemptFailed, steps, whole, failures, floats),
    st.builds(StepFailed, steps, whole, failures, st.none() | objects),
    st.builds(StepUnknown, steps, whole, failures, st.none() | objects),
    st.builds(StepWaiting, steps, whole, whats, text, st.none() | floats, st.none() | objects),
    st.builds(MessageRefused, steps, whole, text, failures),
    st.builds(SubstepStarted, steps, whole, text, text),
    st.builds(SubstepFinished, steps, whole, text, jsons, text),
    st.builds(SubstepFailed, steps, whole, text, failures),
    st.builds(StepCancelled, steps, whole),
    st.builds(Emitted, steps, whole, text, jsons),
)


async def test_every_fact_comes_back_as_it_went(journal: Journal) -> None:
    """All kinds of facts, whatever is in them, survive the store (D13)."""
    count = 0

    @settings(
        max_examples=15,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(happenings.flatmap(st.permutations), floats)
    def collect(some: list[Fact], at: float) -> None:
        batches.append((some, at))

    batches: list[tuple[list[Fact], float]] = []
    collect()
    await journal.create(info(), [], at=0.0)
    expected: list[Entry] = []
    for some, at in batches:
        await journal.append(RUN, count, some, at=at)
        expected += [Entry(count + n, at, fact) for n, fact in enumerate(some, 1)]
        count += len(some)

    assert {type(entry.fact) for entry in expected} == {*get_args(RunFact), *get_args(StepFact)}
    assert await journal.read(RUN, limit=100_000) == expected


# Drafts (M10).


async def begin(journal: Journal) -> None:
    await journal.create(info(), [START], at=1.0, claim=Claim("me", 100.0))


def draft(step: str, question: str | None = None) -> DraftKey:
    return DraftKey(StepKey(step), question)


async def test_what_is_kept_of_a_question_is_read_in_its_order(journal: Journal) -> None:
    await begin(journal)
    for text in ("a", "c", "b"):
        await journal.keep_draft(RUN, draft("one", "q"), text, fence=1)
    await journal.keep_draft(RUN, draft("one", "r"), "other", fence=1)
    await journal.keep_draft(RUN, draft("two", "q"), "another's", fence=1)

    assert await journal.drafts(RUN, StepKey("one")) == {"q": ("a", "c", "b"), "r": ("other",)}
    assert await journal.drafts(RUN, StepKey("three")) == {}
    assert await facts(journal) == [START]


async def test_a_commit_drops_the_drafts_that_it_makes_useless(journal: Journal) -> None:
    await begin(journal)
    for key in (draft("one", "q"), draft("one", "r"), draft("two", "q"), draft("two", "r")):
        await journal.keep_draft(RUN, key, "text", fence=1)
    await journal.append(RUN, 1, [started("a")], at=2.0, fence=1, dropping=[draft("one"), draft("two", "r")])

    assert await journal.drafts(RUN, StepKey("one")) == {}
    assert await journal.drafts(RUN, StepKey("two")) == {"q": ("text",)}


@pytest.mark.parametrize("how", ["another claim", "nobody's"])
async def test_who_does_not_drive_a_run_keeps_no_drafts_of_it(journal: Journal, how: str) -> None:
    """D7: what an old driver still says is not heard."""
    await begin(journal)
    fence = 0
    if how == "another claim":
        fence = 1
        await journal.claim(RUN, Claim("other", 300.0), at=200.0)
    with pytest.raises(StaleFence):
        await journal.keep_draft(RUN, draft("one", "q"), "text", fence=fence)
    assert await journal.drafts(RUN, StepKey("one")) == {}


@pytest.mark.parametrize(
    ("last", "left"),
    [
        (RunFinished(b"1"), False),
        (RunCancelled(), False),
        (RunFailed(StepKey("one"), 1, Failure("Error", "x")), True),
        (RunSuspended(None), True),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_drafts_last_as_long_as_a_step_may_be_tried_again(journal: Journal, last: Fact, left: bool) -> None:
    await begin(journal)
    await journal.keep_draft(RUN, draft("one", "q"), "text", fence=1)
    await journal.append(RUN, 1, [last], at=2.0, fence=1)
    assert bool(await journal.drafts(RUN, StepKey("one"))) == left


async def test_a_run_that_is_not_there_has_no_drafts(journal: Journal) -> None:
    with pytest.raises(RunNotFound):
        await journal.keep_draft(RUN, draft("one", "q"), "text", fence=1)
    with pytest.raises(RunNotFound):
        await journal.drafts(RUN, StepKey("one"))
