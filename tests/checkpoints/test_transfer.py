"""Runs as files: what a reader sees of them comes back, whatever is in them, and they go on (D2, D9, D13)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphrt import Runtime, dag, each, failpoints, node
from graphrt.checkpoints import SqliteJournal, open_journal
from graphrt.checkpoints.transfer import owned
from graphrt.config import Config
from graphrt.errors import (
    RunExists,
    RunFailed,
    RunNotFound,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreTooNew,
    Suspended,
    UsageError,
)
from graphrt.facts import Entry, Fact, RunFact, RunForked, RunRewound, RunSuspended, Span, StepFact
from graphrt.history import Counted, counted, is_step_fact, spans_of
from graphrt.journal import Claim, MemoryJournal, Message
from graphrt.nodes.signal import signal
from graphrt.types import RunId
from tests.checkpoints.helpers import START, begin, facts, finished, info, opened, started
from tests.checkpoints.test_lost_replies import Once
from tests.contract.test_journals import floats, happenings

pytestmark = pytest.mark.anyio
calls: list[str] = []
broken: set[str] = set()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    calls.clear()
    broken.clear()


@node
async def plan(topic: str) -> list[str]:
    calls.append("plan")
    return [f"{topic} {n} " + "word " * 900 for n in range(2)]


@node
async def shorten(text: str) -> str:
    calls.append(f"shorten {text[:5]}")
    return text[:5]


@node
async def write(parts: list[str]) -> str:
    calls.append("write")
    if "write" in broken:
        raise ValueError("no ink")
    return ", ".join(parts)


@dag
def essay(topic: str) -> str:
    return write(each(shorten, plan(topic)))


paid = signal("paid", int)


@node
async def thank(amount: int) -> str:
    return f"thanks for {amount}"


@dag
def order() -> str:
    return thank(paid())


def runtime(path: Path) -> Runtime:
    return Runtime(path, durability="process", config=Config(), seed=7, linger=0)


async def exported(path: Path, *runs: str) -> bytes:
    journal = await open_journal(path, read_only=True)
    try:
        return await journal.export_runs([RunId(run) for run in runs])
    finally:
        await journal.aclose()


async def imported(path: Path, text: bytes, **options: Any) -> list[str]:
    journal = await open_journal(path, durability="process")
    try:
        return [found.id for found in await journal.import_runs(text, name="run.json", **options)]
    finally:
        await journal.aclose()


async def test_whatever_is_in_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    """D13: every entry with its time, every value and note byte for byte, status, error, lease's fence and messages."""
    batches: list[list[tuple[Fact, float]]] = []

    @settings(max_examples=6, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(happenings.flatmap(st.permutations), st.lists(floats, min_size=20, max_size=20))
    def collect(some: list[Fact], times: list[float]) -> None:
        batches.append(list(zip(some, times, strict=True)))

    collect()
    here, there = await open_journal(tmp_path / "a.db"), await open_journal(tmp_path / "b.db")
    names = [RunId(f"run {n}") for n in range(len(batches))]
    for name, batch in zip(names, batches, strict=True):
        await here.create(replace(info(name), parent=RunId("gone")), [START], at=1.5, claim=Claim("me", 9.0))
        for seq, (fact, at) in enumerate(batch, 1):
            plain = replace(fact, spans=()) if isinstance(fact, (RunForked, RunRewound)) else fact
            await here.append(name, seq, [plain], at=at)
    await here.create(info("mail"), [START], at=1.0)
    await here.send(Message("m1", RunId("mail"), "signal", "paid", b' {"a": 1.0} ', 2.25))
    await here.send(Message("m2", RunId("mail"), "cancel", at=3.5))
    await here.append(RunId("mail"), 1, [started("s")], at=4.0, taking=["m1"])
    names.append(RunId("mail"))

    text = await here.export_runs(names)
    assert await here.export_runs(names) == text
    shown = await there.import_runs(text, name="run.json")

    seen: set[type[Fact]] = set()
    for name, there_info in zip(names, shown, strict=True):
        entries = await here.read(name, limit=1000)
        assert await there.read(name, limit=1000) == entries
        assert (await there.load(name)).entries == (await here.load(name)).entries
        known = replace(await here.info(name), driver=None, lease=None)
        assert there_info == await there.info(name) == known
        seen |= {type(entry.fact) for entry in entries}
    assert seen >= {*get_args(RunFact), *get_args(StepFact)}
    assert await there.inbox() == await here.inbox()
    assert await there.export_runs(names) == text
    assert await there.claim(names[0], Claim("you", 20.0), at=10.0) == 2
    for journal in (here, there):
        await journal.aclose()


async def test_an_imported_run_goes_on_after_its_last_finished_step(tmp_path: Path) -> None:
    """D2: what had finished elsewhere is not run again; the graph is found by whoever resumes it."""
    broken.add("write")
    async with runtime(tmp_path / "a.db") as rt:
        run = await rt.start_target("essays.py:essay", essay, {"topic": "sea"}, run="r")
        with pytest.raises(RunFailed):
            await run.result()
    broken.clear()
    calls.clear()

    assert await imported(tmp_path / "b.db", await exported(tmp_path / "a.db", "r")) == ["r"]

    async with runtime(tmp_path / "b.db") as rt:
        found = await rt.journal.info(RunId("r"))
        assert (found.status, found.error, found.target) == ("failed", "ValueError: no ink", None)
        assert await (await rt.resume("r", essay)).result() == "sea 0, sea 1"
    assert calls == ["write"]


async def test_what_was_sent_goes_along(tmp_path: Path) -> None:
    """A signal that nobody had taken yet is taken where the run goes on; one that was sent again is known."""
    async with runtime(tmp_path / "a.db") as rt:
        run = await rt.start_as("r", order)
        with pytest.raises(Suspended):
            await run.result()
    journal = await open_journal(tmp_path / "a.db")
    await journal.send(Message("m", RunId("r"), "signal", "paid", b"3", 1.0))  # no driver is left that would take it
    await journal.aclose()
    await imported(tmp_path / "b.db", await exported(tmp_path / "a.db", "r"))

    async with runtime(tmp_path / "b.db") as rt:
        assert await (await rt.resume("r", order)).result() == "thanks for 3"
        assert not await rt.journal.send(Message("m", RunId("r"), "signal", "paid", b"3", 1.0))


async def test_a_fork_takes_along_what_it_shares_and_nobody_else(tmp_path: Path) -> None:
    """D9: a fork of a fork that went back, too, is one run that owns its history, and goes on alone."""
    async with runtime(tmp_path / "a.db") as rt:
        await (await rt.start_as("one", essay, topic="sea")).result()
        two = await rt.fork("one", essay, at="each:shorten[1]", output="ocean", new="two")
        assert await two.result() == "sea 0, ocean"
        broken.add("write")
        three = await rt.fork("two", essay, at="write", new="three")
        with pytest.raises(RunFailed):
            await three.result()
        with pytest.raises(RunFailed):
            await (await rt.retry("three", essay, at="each:shorten[0]")).result()
        record = await counted(rt.journal, RunId("three"))
        assert {run for run, _ in record} == {"one", "two", "three"}
    text = await exported(tmp_path / "a.db", "three")
    calls.clear()
    broken.clear()

    assert await imported(tmp_path / "b.db", text) == ["three"]

    assert json.loads(await exported(tmp_path / "b.db", "three")) == json.loads(text)
    async with runtime(tmp_path / "b.db") as rt:
        assert bare(await counted(rt.journal, RunId("three"))) == bare(record)
        assert [found.id for found in await rt.runs()] == ["three"]
        assert await (await rt.resume("three", essay)).result() == "sea 0, ocean"
    assert calls == ["write"]


def bare(record: list[Counted]) -> list[tuple[float, Fact]]:
    """Return what counts, but for where it is kept."""
    facts = [(entry.at, entry.fact) for _, entry in record]
    return [(at, replace(fact, spans=()) if isinstance(fact, (RunForked, RunRewound)) else fact) for at, fact in facts]


@settings(max_examples=60, database=None)
@given(st.data())
def test_a_run_counts_the_same_once_it_owns_what_it_shared(data: st.DataObject) -> None:
    """D9: forks of forks that went back, any part of them kept: the same facts in the same order, none of them
    elsewhere."""

    def some(run: str) -> list[Fact]:
        kinds = data.draw(st.lists(st.booleans(), min_size=1, max_size=5))
        return [started(f"{run}{n}") if step else RunSuspended(n) for n, step in enumerate(kinds)]

    async def kept(journal: MemoryJournal, run: str) -> tuple[Span, ...]:
        record = await counted(journal, RunId(run))
        places = [place for place, (_, entry) in enumerate(record) if place and is_step_fact(entry.fact)]
        return spans_of(record, data.draw(st.sets(st.sampled_from(places))) if places else set())

    async def main() -> None:
        journal, alone = MemoryJournal(), MemoryJournal()
        await begin(journal, "a", some("a"))
        for run, parent in (("b", "a"), ("c", "b")):
            first = RunForked(parent, "", "demo", "f" * 16, b"{}", 7, await kept(journal, parent))
            await journal.create(info(run), [first, *some(run)], at=1.0)
            for turn in data.draw(st.permutations("xy")):
                seq = (await journal.info(RunId(run))).seq
                spans = await kept(journal, run)
                await journal.append(
                    RunId(run), seq, [RunRewound("", "demo", "f" * 16, spans), *some(run + turn)], at=1.0
                )

        def shared(span: Span) -> list[Entry]:
            return journal._runs[RunId(span.run)].entries[span.first - 1 : span.last]

        entries, moved = owned(RunId("c"), await journal.read(RunId("c")), shared)
        assert [entry.seq for entry in entries] == [*range(1, (await journal.info(RunId("c"))).seq + moved + 1)]
        await alone.create(info("c"), [entry.fact for entry in entries], at=1.0)
        here, there = [await counted(each_, RunId("c")) for each_ in (journal, alone)]
        assert [fact for _, fact in bare(there)][1:] == [fact for _, fact in bare(here)][1:]
        assert {run for run, _ in there} == {"c"}

    anyio.run(main)


async def test_a_run_may_come_under_another_id_even_beside_itself(tmp_path: Path) -> None:
    """What went back in it names the new id, and its messages are messages of their own."""
    async with runtime(tmp_path / "a.db") as rt:
        await (await rt.start_as("r", essay, topic="sea")).result()
        await (await rt.retry("r", essay, at="write")).result()
        run = await rt.start_as("waits", order)
        with pytest.raises(Suspended):
            await run.result()
    journal = await open_journal(tmp_path / "a.db")
    await journal.send(Message("m", RunId("waits"), "signal", "paid", b"3", 1.0))  # no driver is left
    for name in ("r", "waits"):
        text = await exported(tmp_path / "a.db", name)
        await imported(tmp_path / "a.db", text, new=RunId(f"{name} again"), target="essays.py:essay")

    was, now = [await counted(journal, RunId(name)) for name in ("r", "r again")]
    assert [entry.at for _, entry in was] == [entry.at for _, entry in now]
    assert {run for run, _ in now} == {"r again"}
    assert (await journal.info(RunId("r again"))).target == "essays.py:essay"
    assert [(m.run, m.id) for m in await journal.inbox()] == [("waits", "m"), ("waits again", "waits again/m")]
    await journal.aclose()


async def test_all_of_a_file_comes_in_or_nothing(tmp_path: Path) -> None:
    """An id, or a message's id, that is taken refuses the whole file; so does a full disk (D1, D13)."""
    here, there = await open_journal(tmp_path / "a.db"), await open_journal(tmp_path / "b.db")
    for name in ("one", "two", "three"):
        await begin(here, name, [started("a"), finished("a", b'"' + b"x" * 900_000 + b'"')])
    await here.send(Message("m", RunId("three"), "cancel", at=1.0))
    text = await here.export_runs([RunId("one"), RunId("two")])
    await begin(there, "two")
    with pytest.raises(RunExists, match="two"):
        await there.import_runs(text, name="run.json")
    with pytest.raises(UsageError, match="2 runs"):
        await there.import_runs(text, name="run.json", new=RunId("other"))
    await there.send(Message("m", RunId("two"), "cancel", at=1.0))
    with pytest.raises(StoreError, match=r"'m'.*--as"):
        await there.import_runs(await here.export_runs([RunId("one"), RunId("three")]), name="run.json")
    connection = there._writer._connection  # type: ignore[union-attr]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 100}").fetchall()
    one = await here.export_runs([RunId("one")])
    with pytest.raises(StoreFull):
        await there.import_runs(one, name="run.json")
    assert [found.id for found in await there.runs()] == ["two"]

    connection.execute("PRAGMA max_page_count = 1000000").fetchall()
    await there.import_runs(one, name="run.json")
    assert await facts(there) == await facts(here)
    with pytest.raises(RunNotFound):
        await here.export_runs([RunId("nobody")])
    for journal in (here, there):
        await journal.aclose()


@pytest.mark.parametrize("point", ["store: transaction open", "store: rows written", "store: committed"])
async def test_an_import_whose_reply_was_lost_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """D7: the writer tries again what may have been made, and finds it."""
    here, there = await open_journal(tmp_path / "a.db"), await open_journal(tmp_path / "b.db")
    await begin(here, "one", [started("a"), finished("a")])
    text = await here.export_runs([RunId("one")])
    once = Once(point)
    monkeypatch.setattr(failpoints, "armed", once)
    assert [found.seq for found in await there.import_runs(text, name="run.json")] == [3]
    assert once.raised
    assert await facts(there) == await facts(here)
    for journal in (here, there):
        await journal.aclose()


async def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    """Which graphrt reads it is said, whatever else is in it (D13)."""
    await begun(tmp_path)
    with pytest.raises(StoreTooNew, match=r"run.json.*its format is 2"):
        await imported(tmp_path / "b.db", b'{"format": 2, "runs": "zipped"}')


def at(*path: str | int, to: Any) -> Callable[[Any], None]:
    """Return what changes one place of a file."""

    def change(file: Any) -> None:
        for each_ in path[:-1]:
            file = file[each_]
        file[path[-1]] = to

    return change


ENTRY = ("runs", 0, "entries", 2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (at("format", to="one"), "no format number"),
        (at("definitions", to=[]), "/definitions"),
        (at("definitions", "f" * 16, to="{}"), "not the definition of a graph"),
        (at("runs", 0, "id", to=""), "/runs/0/id"),
        (at("runs", 0, "entries", to=[]), "/runs/0/entries"),
        (at("runs", 0, "entries", 0, "kind", to="run cancelled"), "beginning"),
        (at("runs", 0, "fence", to=-1), "/runs/0/fence"),
        (at("runs", 0, "created", to="now"), "/runs/0/created"),
        (at("runs", 0, "messages", to=[{"id": "m", "kind": "shell", "at": 1.0}]), "messages/0/kind"),
        (at("runs", 0, "messages", to=[{"id": "m", "kind": "answer", "at": 1.0, "value": "{"}]), "message 'm'.*JSON"),
        (at("runs", 0, "unheard of", to=1), "unheard of"),
        (at(*ENTRY, "kind", to="os.system"), "entry 3 of run 'one'.*os.system"),
        (at(*ENTRY, "value", to="{"), "entry 3 of run 'one'.*not JSON"),
        (at(*ENTRY, "value", to=None), "entry 3 of run 'one'.*value"),
        (at(*ENTRY, "step", to=None), "entry 3 of run 'one'.*step"),
        (at(*ENTRY, "at", to=float("inf")), "/runs/0/entries/2/at"),
        (at("runs", 0, "entries", 0, "detail", to='{"graph": ["g"], "fingerprint": "f", "seed": 1}'), "entry 1.*graph"),
        (at(*ENTRY, to={"at": 1.0, "kind": "run rewound", "detail": json.dumps(
            {"at": "", "graph": "g", "fingerprint": "f", "spans": [["other", 1, 2]]})}), "entry 3.*not in it"),
        (at(*ENTRY, to={"at": 1.0, "kind": "run rewound", "detail": json.dumps(
            {"at": "", "graph": "g", "fingerprint": "f", "spans": [["one", 1, 3]]})}), "entry 3.*not in it"),
    ],
)  # fmt: skip
async def test_a_file_that_is_wrong_is_refused_with_its_place(
    tmp_path: Path, change: Callable[[Any], None], says: str
) -> None:
    """D13: nothing that it says is taken on trust, and nothing of it is taken."""
    file = json.loads(await begun(tmp_path))
    change(file)

    with pytest.raises(UsageError, match=f"run.json is not what.*{says}.*nothing was imported"):
        await imported(tmp_path / "b.db", json.dumps(file).encode())
    assert await nobody(tmp_path / "b.db")


@pytest.mark.parametrize("text", [b"", b"\x00\xff", b"[]", b"3", b'{"runs": []}', b"SQLite format 3\0", b"[" * 10_000])
async def test_what_is_no_export_is_refused(tmp_path: Path, text: bytes) -> None:
    """D13: any bytes at all."""
    with pytest.raises(UsageError, match="nothing was imported"):
        await imported(tmp_path / "b.db", text)
    assert await nobody(tmp_path / "b.db")


async def test_a_run_that_is_not_whole_is_not_exported(tmp_path: Path) -> None:
    """A gap, or a value that is gone, is damage and not a shorter run (D13)."""
    for damage in (
        "DELETE FROM facts WHERE n & 4294967295 = 2",
        "UPDATE facts SET value = NULL WHERE kind = 'finished'",
    ):
        path = tmp_path / f"{len(damage)}.db"
        journal = await open_journal(path)
        await begin(journal, more=[started("a"), finished("a")])
        await journal.aclose()
        with opened(path) as connection:
            connection.execute(damage)
        with pytest.raises(StoreDamaged):
            await exported(path, "one")


async def begun(folder: Path) -> bytes:
    """Export a small run."""
    journal = await open_journal(folder / "a.db")
    await begin(journal, more=[started("a"), finished("a")])
    await journal.aclose()
    return await exported(folder / "a.db", "one")


async def nobody(path: Path) -> bool:
    journal: SqliteJournal = await open_journal(path)
    try:
        return await journal.runs() == []
    finally:
        await journal.aclose()
