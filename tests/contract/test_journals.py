"""What every journal promises: one body of tests, run against each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import anyio
import anyio.lowlevel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphrt.checkpoints import SqliteJournal
from graphrt.errors import JournalConflict, RunExists, RunNotFound
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
from graphrt.journal import Journal, MemoryJournal, RunInfo
from graphrt.types import RunId, StepKey

pytestmark = pytest.mark.anyio

RUN = RunId("one")
START = RunStarted("demo", "f" * 16, b'{"topic":"tides"}', 7)


@pytest.fixture(params=["memory", "sqlite power", "sqlite process"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Journal]:
    kind: str = request.param
    if kind == "memory":
        yield MemoryJournal()
        return
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
        snapshot = b'{"at":' + (growing(i) if embedded else b"0") + b"}" if i % 15 == 14 else None
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
        deadline=None,
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
