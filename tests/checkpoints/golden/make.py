"""Make the golden store of today's format: real runs of real graphs, kept as SQL text, and what must be read from it.

    python -m tests.checkpoints.golden.make

writes `vN.sql` and `vN.json` for the format N that the code at hand writes. A format that was released is made once and
kept; what a later version adds is exercised by adding recipes here, and graphs to `graphs.py`. What must be read is not
taken from the store: it is what the store was given.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast
from unittest.mock import patch

import anyio

from graphrt import Runtime, lease, scheduler
from graphrt.checkpoints import open_journal
from graphrt.checkpoints.schema import VERSION
from graphrt.errors import RunCancelled, RunFailed
from graphrt.facts import Entry, Fact, RunFinished, RunSuspended, StepFinished
from graphrt.graph import Graph
from graphrt.journal import Journal, Message, RunInfo, ending
from graphrt.testing import BreakingJournal, BrokenOff, JumpingClock
from graphrt.types import RunId
from tests.checkpoints.golden.graphs import Weather, becalmed, crossing, ledger, passage, report, stores, voyage

HERE = Path(__file__).parent
DRIVER = "a machine:1:1:0"
"""Who drives the runs, under a name that tells nothing of the machine that they are made on."""
BEGAN = 1_800_000_000.0
SEED = 7
SNAPSHOT_FACTS = 50
"""Facts from one snapshot to the next in a golden store: a small store is to have some."""

TEXT = "Ebbe und Flut kommen zweimal am Tag, und niemand hat sie bestellt"


class Recorded:
    """A journal in front of a store that remembers what the store was given.

    It says that nobody else can see it: no lease is renewed, and no clock jumps for that.
    """

    private = True

    def __init__(self, store: Journal) -> None:
        self._store = store
        self.given: dict[str, list[Entry]] = {}
        self.waiting: dict[str, Message] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def create(self, info: RunInfo, facts: Sequence[Fact], *, at: float, **more: Any) -> None:
        await self._store.create(info, facts, at=at, **more)
        self._keep(info.id, facts, at)

    async def append(self, run: RunId, after: int, facts: Sequence[Fact], *, at: float, **more: Any) -> None:
        await self._store.append(run, after, facts, at=at, **more)
        self._keep(run, facts, at)
        for name in more.get("taking", ()):
            del self.waiting[name]

    async def send(self, message: Message) -> bool:
        self.waiting[message.id] = message
        return await self._store.send(message)

    def _keep(self, run: RunId, facts: Sequence[Fact], at: float) -> None:
        kept = self.given.setdefault(run, [])
        kept += [Entry(seq, at, fact) for seq, fact in enumerate(facts, len(kept) + 1)]


class Recipe(NamedTuple):
    """A run, and what becomes of it."""

    run: str
    graph: Graph[..., Any]
    inputs: dict[str, Any]
    live: Callable[[Recipe, Journal], Awaitable[None]]
    breaks_at: int = 0
    """The first commit that is not made, as if the process had been killed before it."""
    ends_as: str = ""
    """The run that this one comes to the same as, once it is resumed; empty if it has come to its end."""


def runtime(journal: Journal, *, after: float = 0.0) -> Runtime:
    """A runtime that makes the same run whenever it is asked to, `after` seconds after the others began."""
    return Runtime(journal, clock=JumpingClock(BEGAN + after), seed=SEED, concurrency=6)


async def finish(recipe: Recipe, journal: Journal) -> None:
    async with runtime(journal) as rt:
        await (await rt.start_as(recipe.run, recipe.graph, **recipe.inputs)).result()


async def fail(recipe: Recipe, journal: Journal) -> None:
    Weather.fair = False
    try:
        await finish(recipe, journal)
    except RunFailed:
        return
    finally:
        Weather.fair = True
    raise AssertionError(f"{recipe.run} did not fail")


async def fail_and_mend(recipe: Recipe, journal: Journal) -> None:
    await fail(recipe, journal)
    async with runtime(journal, after=60) as rt:
        await (await rt.resume(recipe.run, recipe.graph)).result()


async def cancel(recipe: Recipe, journal: Journal) -> None:
    async with runtime(journal) as rt:
        run = await rt.start_as(recipe.run, recipe.graph, **recipe.inputs)
        async for entry in run.events():
            if isinstance(entry.fact, StepFinished):
                break
        await run.cancel()
        try:
            await run.result()
        except RunCancelled:
            return
    raise AssertionError(f"{recipe.run} was not cancelled")


async def break_off(recipe: Recipe, journal: Journal) -> None:
    try:
        await finish(recipe, BreakingJournal(journal, recipe.breaks_at))
    except BrokenOff:
        return
    raise AssertionError(f"{recipe.run} has fewer than {recipe.breaks_at} commits")


async def suspend(recipe: Recipe, journal: Journal) -> None:
    """Leave a run that waits for what has been sent meanwhile, and for a time that will have come."""
    async with runtime(journal) as rt:
        run = await rt.start_as(recipe.run, recipe.graph, **recipe.inputs)
        async for entry in run.events():
            if isinstance(entry.fact, RunSuspended):
                break
    run_id = RunId(recipe.run)
    await journal.send(Message(f"{run_id}/fee", run_id, "signal", "paid", b"12", BEGAN))
    await journal.send(Message(f"{run_id}/yes", run_id, "answer", "captain", b"true", BEGAN))


async def suspend_and_go_on(recipe: Recipe, journal: Journal) -> None:
    await suspend(recipe, journal)
    async with runtime(journal, after=24 * 3600) as rt:
        await (await rt.resume(recipe.run, recipe.graph)).result()


async def fork(recipe: Recipe, journal: Journal) -> None:
    """Give a step of the finished dag another output; what does not depend on it is shared."""
    async with runtime(journal) as rt:
        forked = await rt.fork("finished dag", recipe.graph, at="around/fetch", output=5, new=recipe.run)
        await forked.result()


async def break_off_fork(recipe: Recipe, journal: Journal) -> None:
    try:
        await fork(recipe, BreakingJournal(journal, recipe.breaks_at))
    except BrokenOff:
        return
    raise AssertionError(f"{recipe.run} has fewer than {recipe.breaks_at} commits")


async def retry(recipe: Recipe, journal: Journal) -> None:
    await finish(recipe, journal)
    async with runtime(journal, after=60) as rt:
        await (await rt.retry(recipe.run, recipe.graph, at="sail")).result()


RECIPES = (
    Recipe("finished dag", report, {"text": TEXT, "factor": 3}, finish),
    Recipe("finished machine", ledger, {"page": 0}, finish),
    Recipe("failed", crossing, {"crew": 4}, fail, ends_as="failed and mended"),
    Recipe("failed and mended", crossing, {"crew": 4}, fail_and_mend),
    Recipe("cancelled", becalmed, {"crew": 6}, cancel),
    Recipe("broken off dag", report, {"text": TEXT, "factor": 3}, break_off, breaks_at=8, ends_as="finished dag"),
    Recipe("broken off machine", ledger, {"page": 0}, break_off, breaks_at=105, ends_as="finished machine"),
    Recipe("suspended", voyage, {"crew": 7}, suspend, ends_as="suspended and gone on"),
    Recipe("suspended and gone on", voyage, {"crew": 7}, suspend_and_go_on),
    Recipe("broken off after an intent", passage, {"crew": 8}, break_off, breaks_at=4, ends_as="paid once"),
    Recipe("paid once", passage, {"crew": 8}, finish),
    Recipe("broken off in a node", stores, {"crew": 9}, break_off, breaks_at=4, ends_as="done in parts"),
    Recipe("done in parts", stores, {"crew": 9}, finish),
    Recipe("forked", report, {}, fork),
    Recipe("broken off fork", report, {}, break_off_fork, breaks_at=3, ends_as="forked"),
    Recipe("rewound", crossing, {"crew": 10}, retry),
)


async def live_all(journal: Journal) -> None:
    """Make every run, one after the other."""
    with patch.object(scheduler, "SNAPSHOT_FACTS", SNAPSHOT_FACTS), patch.object(lease, "begin", lambda: DRIVER):
        for recipe in RECIPES:
            await recipe.live(recipe, journal)


async def everything(journal: Journal, run: str) -> list[Entry]:
    """Read all entries of a run."""
    found: list[Entry] = []
    while page := await journal.read(RunId(run), len(found)):
        found += page
    return found


def account(entries: Iterable[Entry], inbox: Iterable[Message] = ()) -> dict[str, Any]:
    """Say what a run amounts to, in words that every later version still understands."""
    status, result, values, lines = "running", None, {}, []
    for entry in entries:
        fact = entry.fact
        known = [getattr(fact, name, None) for name in ("step", "attempt", "type")]
        value = getattr(fact, "value", None)
        lines.append(json.dumps([entry.seq, entry.at, fact.kind, *known, None if value is None else value.decode()]))
        end = ending(fact)
        status = end[0] if end is not None else status
        if isinstance(fact, StepFinished):
            values[fact.step] = _short(fact.value)
        elif isinstance(fact, RunFinished):
            result = _short(fact.value)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    found = {"status": status, "entries": len(lines), "sha256": digest, "result": result, "values": values}
    if mail := [[message.id, message.kind, message.name, _short(message.value or b"")] for message in inbox]:
        found["inbox"] = mail
    return found


def _short(value: bytes) -> str:
    text = value.decode()
    return text if len(text) <= 100 else f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()}"


def dump(store: Path) -> Iterator[str]:
    """Yield a store as SQL, a statement a line, with what `.dump` leaves out: the numbers in the file's header."""
    connection = sqlite3.connect(store)
    try:
        connection.execute("UPDATE _sqlite_migrations SET applied_at = '2027-01-15 08:00:00'")
        for pragma in ("application_id", "user_version"):
            yield f"PRAGMA {pragma} = {connection.execute(f'PRAGMA {pragma}').fetchone()[0]};"
        yield from connection.iterdump()
    finally:
        connection.close()


async def make(folder: Path) -> None:
    """Write the golden files of today's format into a folder."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch) / "runs.db"
        journal = Recorded(await open_journal(store))
        await live_all(cast("Journal", journal))
        await journal.aclose()
        # The traces of errors name files by where they lie on the machine that made them.
        sql = "".join(f"{statement}\n" for statement in dump(store)).replace(str(HERE), "tests/checkpoints/golden")
    (folder / f"v{VERSION}.sql").write_bytes(sql.encode())
    mail = journal.waiting.values()
    expected = {run: account(given, [each for each in mail if each.run == run]) for run, given in journal.given.items()}
    (folder / f"v{VERSION}.json").write_bytes(f"{json.dumps(expected, indent=1, ensure_ascii=False)}\n".encode())


if __name__ == "__main__":
    anyio.run(make, HERE)
