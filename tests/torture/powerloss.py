"""Runs written to a disk that loses power, and what is held against the store that is found there afterwards.

A `Life` is what a process does with a store: several runs at once, each with values that grow and are kept as deltas,
large ones that are kept once, snapshots, leases, and messages that are sent and taken; then one run alone, with commits
that may take the writer's shortcut. It ends with an orderly close. At any moment of it the power may fail, and whatever
the disk then holds is opened by the standard library's SQLite through a SqliteJournal of its own. Another life begins
from there.

Time is counted in operations of the disk: what was acknowledged when `n` of them had happened must be in every image
of moment `n`, and what had not been submitted by then in none.
"""

# ruff: noqa: ASYNC240 - real files are read and written; nothing else waits for the loop

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

import anyio
from pydantic_core import to_json

from graphrt.checkpoints import SqliteJournal, sqlite
from graphrt.errors import StoreError
from graphrt.facts import Entry, Fact, Failure, RunFailed, RunFinished, RunResumed, RunStarted, StepFinished
from graphrt.facts import StepStarted as Started
from graphrt.journal import Claim, Message, RunInfo, ending
from graphrt.types import Durability, Json, RunId, Status, StepKey
from tests.torture.disk import Disk, Files, Op, Sync, after_kill, after_power_loss, at_crashes
from tests.torture.standin import Connection

STORE = "store.db"
AUTOCHECKPOINTS = (8, 40)
"""Pages of log after which SQLite checkpoints, in one life and in the next: few, so that the log often begins anew."""
ROOM = 128 * 1024
"""Bytes of log made before the first commit, instead of megabytes: an image is to be written quickly."""
WIDTH = 8
COMMITS = 24
ALONE = 30
AT = 1_800_000_000.0
CLAIM = Claim("driver", AT)
NEVER = 1 << 60


@dataclass
class Claiming:
    """A call of `claim`, or the claim of a `create`: which fence it got."""

    fence: int
    submitted: int
    acknowledged: int = NEVER


@dataclass
class Sending:
    """One call of `send`."""

    message: Message
    submitted: int = NEVER
    acknowledged: int = NEVER


@dataclass
class Append:
    """One call of `create` or `append`: what was to be written, and when it was submitted and acknowledged."""

    run: RunId
    after: int
    facts: list[Fact]
    snapshot: Json | None = None
    intent: bool = False
    claims: bool = False
    """Whether its run is claimed once more before it."""
    sends: list[Sending] = field(default_factory=list)
    """What is sent to its run before it."""
    taking: tuple[str, ...] = ()
    submitted: int = NEVER
    acknowledged: int = NEVER

    @property
    def end(self) -> int:
        """The journal's last entry after it."""
        return self.after + len(self.facts)


def script(run: str, chance: Random, commits: int) -> list[Append]:
    """Make up what one run writes."""
    name = RunId(run)
    appends = [Append(name, 0, [RunStarted("demo", "f" * 16, b'{"x":1}', 7)])]
    lines: list[str] = []
    state = b""
    for n in range(commits):
        lines.append(f"{run} {n} " + chance.choice("äbç") * chance.randrange(80))
        if chance.random() < 0.1:
            lines = lines[-3:]
        state = to_json({"n": n, "lines": lines})
        facts: list[Fact] = [StepFinished(StepKey(f"s{n}"), 1, state, "State", "state")]
        facts += [Started(StepKey(f"t{n}-{k}"), 1) for k in range(chance.randrange(3))]
        if chance.random() < 0.2:  # the same few large values in every run
            large = str(chance.randrange(4)) * chance.choice((5000, 9000))
            facts.append(StepFinished(StepKey(f"large{n}"), 1, f'"{large}"'.encode(), "str"))
        append = Append(name, appends[-1].end, facts, b'{"at":%b}' % state if n % 6 == 5 else None)
        append.intent, append.claims = chance.random() < 0.15, chance.random() < 0.1
        if chance.random() < 0.2:
            mail = [Message(f"{run}/{n}/{k}", name, "signal", "news", b'"%d"' % k, AT) for k in range(2)]
            append.sends = [Sending(message) for message in mail]
            append.taking = tuple(message.id for message in mail[: chance.randrange(3)])
        appends.append(append)
        if chance.random() < 0.05:
            failure = Failure("OSError", "a gale")
            appends.append(Append(name, appends[-1].end, [RunFailed(StepKey(f"s{n}"), 1, failure)]))
            appends.append(Append(name, appends[-1].end, [RunResumed()]))
    if chance.random() < 0.5:
        appends.append(Append(name, appends[-1].end, [RunFinished(state, "State")]))
    return appends


@dataclass
class Life:
    """What one process does with a store, and all that happened to the disk meanwhile."""

    before: Files
    runs: dict[RunId, list[Append]]
    """Everything that was or will be submitted; what an earlier life left was submitted and acknowledged at moment 0.
    """
    autocheckpoint: int
    claims: dict[RunId, list[Claiming]] = field(default_factory=dict)
    log: list[Op] = field(default_factory=list)

    @property
    def appends(self) -> list[Append]:
        return [append for appends in self.runs.values() for append in appends]


async def live(life: Life, folder: Path, durability: Durability, *, synchronous: str | None = None) -> None:
    """Write what is not written yet, all runs at once, then the last one alone; close.

    `synchronous`: what SQLite's setting is kept at, whatever the store says.
    """
    store = folder / STORE
    for name, data in life.before.items():
        (folder / name).write_bytes(data)
    with Disk() as disk:

        def connect(path: str, **options: Any) -> Any:
            del options
            return Connection(path, disk.name, autocheckpoint=life.autocheckpoint, synchronous=synchronous)

        async def drive(journal: SqliteJournal, appends: Sequence[Append]) -> None:
            run = appends[0].run
            claims = life.claims.setdefault(run, [])
            begun = appends[0].acknowledged == 0
            for append in appends:
                if append.acknowledged == 0:
                    continue
                if append.claims or begun:  # `begun` by an earlier life: the first thing to do is to claim it
                    begun = False
                    claims.append(Claiming(claims[-1].fence + 1, disk.now))
                    assert await journal.claim(run, CLAIM, at=AT) == claims[-1].fence
                    claims[-1].acknowledged = disk.now
                for sending in append.sends:
                    if sending.acknowledged == 0:
                        assert not await journal.send(sending.message), "it was there"
                        continue
                    sending.submitted = disk.now
                    assert await journal.send(sending.message)
                    sending.acknowledged = disk.now
                append.submitted = disk.now
                if append.after == 0:
                    claims.append(Claiming(1, disk.now))
                    info = RunInfo(run, "demo", "f" * 16, AT, AT)
                    await journal.create(info, append.facts, at=AT, claim=CLAIM)
                    claims[-1].acknowledged = disk.now
                else:
                    await journal.append(
                        run,
                        append.after,
                        append.facts,
                        at=AT,
                        snapshot=append.snapshot,
                        fence=claims[-1].fence,
                        taking=append.taking,
                        intent=append.intent,
                    )
                append.acknowledged = disk.now

        with patch.object(sqlite3, "connect", connect), patch.object(sqlite, "ROOM", ROOM):
            journal = await SqliteJournal.open(store, durability=durability)
            *together, alone = life.runs.values()
            async with anyio.create_task_group() as tasks:
                for appends in together:
                    tasks.start_soon(drive, journal, appends)
            await drive(journal, alone)
            await journal.aclose()
        life.log = disk.log


def first_life(seed: int, autocheckpoint: int = AUTOCHECKPOINTS[0]) -> Life:
    """Return a life that begins with nothing."""
    chance = Random(seed)
    runs = {f"run {n}": COMMITS for n in range(WIDTH)} | {"alone": ALONE}
    return Life({}, {RunId(run): script(run, chance, commits) for run, commits in runs.items()}, autocheckpoint)


def next_life(life: Life, image: Files, found: Found, autocheckpoint: int) -> Life:
    """Return the life of whoever opens an image of an earlier one, and finds there what it does."""
    runs: dict[RunId, list[Append]] = {}
    for run, appends in life.runs.items():
        there = len(found.entries.get(run, ()))
        runs[run] = [_again(append, append.end <= there, found) for append in appends]
    claims = {run: [Claiming(fence, 0, 0)] for run, fence in found.fences.items()}
    return Life(image, runs, autocheckpoint, claims)


def _again(append: Append, there: bool, found: Found) -> Append:
    """Return an append as a later life sees it: written before its first moment, or yet to be written."""
    sends = [Sending(each.message, *((0, 0) if there else ())) for each in append.sends]
    for each in sends:
        if each.message.id in found.inbox:
            each.submitted = each.acknowledged = 0
    moment = 0 if there else NEVER
    return replace(append, sends=sends, submitted=moment, acknowledged=moment)


class Found(NamedTuple):
    """What a store says of its runs."""

    entries: dict[RunId, list[Entry]]
    status: dict[RunId, Status]
    snapshots: dict[RunId, tuple[int, Json | None]]
    inbox: dict[str, Message]
    fences: dict[RunId, int]


async def look(folder: Path, image: Files) -> Found | str:
    """Put an image on a real disk, open it as anyone would, and read everything; return why that cannot be done."""
    for file in folder.iterdir():
        file.unlink()
    for name, data in image.items():
        (folder / name).write_bytes(data)
    found = Found({}, {}, {}, {}, {})
    try:
        journal = await SqliteJournal.open(folder / STORE, durability="process")
        try:
            for info in await journal.runs(limit=1000):
                run = info.id
                found.entries[run] = await journal.read(run, limit=100_000)
                found.status[run] = info.status
                history = await journal.load(run)
                found.snapshots[run] = history.snapshot_seq, history.snapshot
                if info.seq != len(found.entries[run]):
                    return f"{run}: entry {info.seq} is its last, and there are {len(found.entries[run])}"
                if history.entries != found.entries[run][history.snapshot_seq :]:
                    return f"{run}: what follows its snapshot is not what was written"
            found.inbox.update((message.id, message) for message in await journal.inbox())
            for run, entries in [*found.entries.items()][:1]:  # life goes on
                fence = await journal.claim(run, Claim("heir", AT + 2), at=AT + 1)
                await journal.append(run, len(entries), [RunResumed(fence, "heir")], at=AT + 1, fence=fence)
        finally:
            await journal.aclose()
    except StoreError as error:
        return f"{type(error).__name__}: {error}"
    connection = sqlite3.connect(folder / STORE)
    try:
        whole = connection.execute("PRAGMA integrity_check").fetchall()
        loose = connection.execute("PRAGMA foreign_key_check").fetchall()
        fences = connection.execute(
            "SELECT id, fence - (driver IS 'heir') FROM leases JOIN runs ON runs.n = leases.run"
        )
        found.fences.update(fences.fetchall())
    except sqlite3.Error as error:
        return f"integrity_check: {error}"
    finally:
        connection.close()
    return found if (whole, loose) == ([("ok",)], []) else f"integrity_check: {whole} {loose}"


@dataclass
class Verdict:
    """What is wrong with an image. Lost is what was acknowledged and is not there."""

    corrupt: list[str] = field(default_factory=list)
    acknowledged: int = 0
    lost: list[Append] = field(default_factory=list)
    lost_messages: list[Sending] = field(default_factory=list)
    lost_claims: list[Claiming] = field(default_factory=list)


def judge(life: Life, moment: int, found: Found) -> Verdict:
    """Compare what an image says with what was written, acknowledged or not, before a moment."""
    verdict = Verdict([f"{run} was never begun" for run in found.entries if run not in life.runs])
    kept: list[Append | Sending | Claiming] = []
    for run, appends in life.runs.items():
        entries = found.entries.get(run, [])
        there = [append for append in appends if append.end <= len(entries)]
        verdict.corrupt += _differences(run, there, entries, found)
        verdict.acknowledged += sum(append.acknowledged <= moment for append in appends)
        verdict.lost += [append for append in appends[len(there) :] if append.acknowledged <= moment]
        kept += there
        taken = {name for append in there for name in append.taking}
        for sending in (each for append in appends for each in append.sends):
            name = sending.message.id
            if (name in taken) + (name in found.inbox) == 2:
                verdict.corrupt.append(f"{run}: message {name} was taken, and is still there")
            elif name in taken or found.inbox.get(name) == sending.message:
                kept.append(sending)
            elif sending.acknowledged <= moment:
                verdict.lost_messages.append(sending)
        for claim in life.claims.get(run, ()):
            if claim.fence <= found.fences.get(run, 0):
                kept.append(claim)
            elif claim.acknowledged <= moment:
                verdict.lost_claims.append(claim)
    sent = {each.message.id for append in life.appends for each in append.sends}
    verdict.corrupt += [f"message {name} was never sent" for name in found.inbox if name not in sent]
    verdict.corrupt += [f"{each} is there too early" for each in kept if each.submitted > moment]
    # Whoever was answered before another one asked is not lost while the other one is kept.
    lost: list[Append | Sending | Claiming] = [*verdict.lost, *verdict.lost_messages, *verdict.lost_claims]
    if lost and max((each.submitted for each in kept), default=0) > min(each.acknowledged for each in lost):
        verdict.corrupt.append("something is there, and what was acknowledged before it was submitted is not")
    return verdict


def _differences(run: RunId, there: list[Append], entries: list[Entry], found: Found) -> Iterator[str]:
    """Say how a run differs from the commits that seem to be there."""
    expected = [fact for append in there for fact in append.facts]
    if [entry.fact for entry in entries] != expected:
        yield f"{run}: its {len(entries)} entries are not the commits that were made, in their order"
    elif [(entry.seq, entry.at) for entry in entries] != [(n + 1, AT) for n in range(len(entries))]:
        yield f"{run}: its entries have other numbers or times"
    elif entries:
        ends = [end for fact in expected if (end := ending(fact)) is not None]
        if found.status[run] != (ends[-1][0] if ends else "running"):
            yield f"{run}: its entries say {ends[-1:]}, its row {found.status[run]}"
        snapshots = [(append.end, append.snapshot) for append in there if append.snapshot is not None]
        if found.snapshots[run] != (snapshots[-1] if snapshots else (0, None)):
            yield f"{run}: its snapshot is not that of its last entries"


@dataclass
class Tally:
    """What all the images came to."""

    images: int = 0
    unopened: int = 0
    """Images that could not be opened and read, or that fail `integrity_check`."""
    corrupt: int = 0
    """Images that opened, and do not say what was written."""
    acknowledged: int = 0
    """Acknowledged appends that an image had to hold, summed over the images."""
    lost: int = 0
    """Of these, not there."""
    losing: int = 0
    """Images that lack an acknowledged append."""
    most: int = 0
    """Appends that the worst image lacks."""
    intents: int = 0
    """Acknowledged appends of intents, as above."""
    lost_intents: int = 0
    messages: int = 0
    """Acknowledged messages, as above."""
    lost_messages: int = 0
    lost_claims: int = 0
    lives: int = 0
    commits: int = 0
    checkpoints: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.images} images of {self.lives} lives ({self.commits} appends, {self.checkpoints} checkpoints): "
            f"{self.unopened} cannot be read, {self.corrupt} say what was not written; "
            f"acknowledged appends: {self.acknowledged}, lost: {self.lost} in {self.losing} images, at most "
            f"{self.most} in one; intents: {self.intents}, lost: {self.lost_intents}; "
            f"messages: {self.messages}, lost: {self.lost_messages}; lost claims: {self.lost_claims}"
        )

    def begin(self, life: Life) -> None:
        self.lives += 1
        self.commits += sum(append.submitted > 0 for append in life.appends)
        self.checkpoints += sum(isinstance(op, Sync) and op.file == STORE for op in life.log)

    def take(self, life: Life, moment: int, found: Found | str) -> bool:
        """Count an image; return whether it is sound."""
        self.images += 1
        if isinstance(found, str):
            self.unopened += 1
            self.problems.append(f"moment {moment}: {found}")
            return False
        verdict = judge(life, moment, found)
        self.corrupt += bool(verdict.corrupt)
        self.acknowledged += verdict.acknowledged
        self.lost += len(verdict.lost)
        self.losing += bool(verdict.lost)
        self.most = max(self.most, len(verdict.lost))
        self.intents += sum(each.intent and each.acknowledged <= moment for each in life.appends)
        self.lost_intents += sum(each.intent for each in verdict.lost)
        sends = [each for append in life.appends for each in append.sends]
        self.messages += sum(each.acknowledged <= moment for each in sends)
        self.lost_messages += len(verdict.lost_messages)
        self.lost_claims += len(verdict.lost_claims)
        self.problems += [f"moment {moment}: {problem}" for problem in verdict.corrupt]
        return not verdict.corrupt


def moments_of(life: Life, count: int, chance: Random) -> list[int]:
    """Choose when the power fails: before and after syncs, right after acknowledgements, and anywhere; in order."""
    syncs = [moment for n, op in enumerate(life.log) if isinstance(op, Sync) for moment in (n, n + 1)]
    answers = [append.acknowledged for append in life.appends if append.acknowledged > 0]
    third = count // 3
    chosen = chance.sample(syncs, min(third, len(syncs))) + chance.sample(answers, min(third, len(answers)))
    return sorted(chosen + [chance.randrange(len(life.log) + 1) for _ in range(count - len(chosen))])


async def lose_power(
    folder: Path,
    durability: Durability,
    *,
    images: int,
    seed: int,
    lives: int,
    autocheckpoints: Sequence[int] = AUTOCHECKPOINTS,
    synchronous: str | None = None,
) -> Tally:
    """Live `lives` times, every second time from an image of the life before; open `images` images in all."""
    chance = Random(seed)
    tally = Tally()
    pages = cycle(autocheckpoints)
    life = first_life(seed, next(pages))
    scratch = folder / "image"
    scratch.mkdir()
    for number in range(lives):
        place = folder / f"life{number}"
        place.mkdir()
        await live(life, place, durability, synchronous=synchronous)
        tally.begin(life)
        heir: Life | None = None
        moments = moments_of(life, images // lives, chance)
        for moment, platter in at_crashes(life.before, life.log, moments):
            image = after_kill(platter) if chance.random() < 0.05 else after_power_loss(platter, chance)
            found = await look(scratch, image)
            sound = tally.take(life, moment, found)
            if sound and heir is None and moment > len(life.log) // 3 and not isinstance(found, str):
                heir = next_life(life, image, found, next(pages))
        life = heir if heir is not None and number % 2 == 0 else first_life(seed + number + 1, next(pages))
    return tally
