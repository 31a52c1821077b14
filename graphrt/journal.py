"""Where facts are kept: the `Journal` protocol, and `MemoryJournal`, its verified fake.

A journal takes facts of a run in order and hands them back. One commit is one call of `append`: all of it or nothing
(D1). Whether and how large values are shared, deltas are taken or commits are grouped is a store's own business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from graphrt.errors import JournalConflict, RunExists, RunNotFound
from graphrt.facts import Entry, Fact, RunCancelled, RunFailed, RunFinished, RunResumed, RunRewound, RunSuspended
from graphrt.types import Json, RunId, Status


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run as a list shows it. Times are seconds since the epoch."""

    id: RunId
    graph: str
    fingerprint: str
    created: float
    updated: float
    status: Status = "running"
    target: str | None = None
    """Where the graph can be found again, such as `research.py:research`; None when it lives only in its process."""
    seq: int = 0
    error: str | None = None
    wake: float | None = None
    """When a suspended run has something to do without being asked."""
    driver: str | None = None
    """Who holds its lease, expired or not; None if it was given back."""
    lease: float | None = None
    """When the lease expires."""
    parent: RunId | None = None
    """The run it was forked from."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease as it is asked for: by whom, and until when unless it is renewed, in seconds since the epoch."""

    driver: str
    until: float


@dataclass(frozen=True, slots=True)
class Message:
    """Something from outside that a run is to hear: kept until a step of the run takes it, in that step's own commit.

    `id` is the sender's, unique in the store: sending the same message again changes nothing.
    """

    id: str
    run: RunId
    kind: Literal["signal", "answer", "done", "not done", "cancel"]
    name: str = ""
    """The signal's name, or the key of the step that is meant."""
    value: Json | None = None
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a driver learns when it renews its leases, all at once: those it still holds, by their fences, and which of
    these runs have a message waiting, cancellation being one."""

    held: Mapping[RunId, int]
    mail: frozenset[RunId]


@dataclass(frozen=True, slots=True)
class History:
    """What a driver needs to go on: a snapshot of the folded state, and what happened after it."""

    info: RunInfo
    snapshot: Json | None = None
    snapshot_seq: int = 0
    entries: list[Entry] = field(default_factory=list)


class Journal(Protocol):
    """Keeps the facts of runs, who drives them, and what was sent to them.

    `create` and `append` are atomic: when they return, all facts are as durable as the journal promises; when they
    raise, none was taken. A caller that is cancelled while it waits cannot know which; it reads `info().seq`, or
    shields the call.
    """

    @property
    def name(self) -> str:
        """What errors call it: a path, or `memory`."""
        raise NotImplementedError

    @property
    def private(self) -> bool:
        """Whether no other process can ever see it; its leases then need no renewal."""
        raise NotImplementedError

    async def create(
        self,
        info: RunInfo,
        facts: Sequence[Fact],
        *,
        at: float,
        claim: Claim | None = None,
        definition: Json | None = None,
        snapshot: Json | None = None,
    ) -> None:
        """Begin a run, under fence 1 if it is claimed. Raises RunExists if its id is taken.

        `definition` is kept once for each fingerprint: what the graph looked like, for whoever has not its code.
        """

    async def append(
        self,
        run: RunId,
        after: int,
        facts: Sequence[Fact],
        *,
        at: float,
        snapshot: Json | None = None,
        fence: int | None = None,
        taking: Sequence[str] = (),
        intent: bool = False,
        definition: Json | None = None,
    ) -> None:
        """Take `facts` as entries `after + 1` and on, in one commit.

        `snapshot` is the folded state after them. A fact that ends, suspends or resumes the run sets its status in the
        same commit; one that ends or suspends it gives its lease back. `taking`: ids of messages that are used up by
        this commit. `intent`: the commit is to survive the loss of power whatever the durability (D12).

        Raises JournalConflict, and takes nothing, if the journal is not at `after`, if a message was taken before, or,
        as StaleFence, if `fence` is given and the run's lease has another: somebody else drives it now. A commit that
        was made and whose reply was lost is recognised when it is made again, by its entries, and is not made twice
        (D7).
        """

    async def claim(self, run: RunId, claim: Claim, *, at: float, dead: Callable[[str], bool] = lambda _: False) -> int:
        """Take the lease of a run that is free, expired at `at`, the claimant's own, or of a driver that `dead` says is
        no more; return its fence, one more than the one before.

        From then on, no commit under an older fence is taken. Raises RunNotFound; RunTaken, naming the driver.
        """
        raise NotImplementedError

    async def renew(self, driver: str, *, until: float) -> Renewal:
        """Renew every lease of a driver in one commit."""
        raise NotImplementedError

    async def release(self, run: RunId, fence: int) -> None:
        """Give a lease back, unless somebody else has it by now."""

    async def send(self, message: Message) -> bool:
        """Put a message into a run's inbox; False if the same was there before.

        Raises RunNotFound; RunOver if the run has ended; MessageConflict if the id was used for something else.
        """
        raise NotImplementedError

    async def inbox(self, run: RunId | None = None) -> list[Message]:
        """Read the messages that nobody took yet, of one run or of all, in the order they came."""
        raise NotImplementedError

    async def due(self, now: float, limit: int = 100) -> list[RunInfo]:
        """List the runs that could go on and have no driver, longest waiting first: `running` without a lease or with
        an expired one; `suspended` with its `wake` come, or with a message waiting."""
        raise NotImplementedError

    async def definition(self, fingerprint: str) -> Json | None:
        """Read what a graph of this fingerprint looked like."""
        raise NotImplementedError

    async def load(self, run: RunId) -> History:
        """Read the newest snapshot and every entry after it, of the run's own journal. Raises RunNotFound."""
        raise NotImplementedError

    async def read(self, run: RunId, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Read at most `limit` entries after `after`, in order. Raises RunNotFound."""
        raise NotImplementedError

    async def info(self, run: RunId) -> RunInfo:
        """Read what a list shows of one run. Raises RunNotFound."""
        raise NotImplementedError

    async def runs(self, *, status: Status | None = None, limit: int = 100) -> list[RunInfo]:
        """List runs, newest first."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Finish what was handed over, then let go. Idempotent."""


def ending(fact: Fact) -> tuple[Status, str | None] | None:
    """Return the status that `fact` gives its run, with the error's words, or None if it gives none."""
    match fact:
        case RunFinished():
            return "finished", None
        case RunFailed(failure=failure):
            return "failed", f"{failure.type}: {failure.message}"
        case RunCancelled():
            return "cancelled", None
        case RunSuspended():
            return "suspended", None
        case RunResumed() | RunRewound():
            return "running", None
        case _:
            return None


@dataclass(slots=True)
class _Kept:
    info: RunInfo
    entries: list[Entry]
    snapshot: Json | None = None
    snapshot_seq: int = 0


class MemoryJournal:
    """A journal that dies with its process: for tests, and for runs that nobody will resume."""

    def __init__(self) -> None:
        self._runs: dict[RunId, _Kept] = {}

    @property
    def name(self) -> str:
        """What errors call it."""
        return "memory"

    async def create(self, info: RunInfo, facts: Sequence[Fact], *, at: float) -> None:
        """See Journal.create."""
        if info.id in self._runs:
            raise RunExists(info.id, self.name)
        self._runs[info.id] = _Kept(info, [])
        await self.append(info.id, 0, facts, at=at)

    async def append(
        self, run: RunId, after: int, facts: Sequence[Fact], *, at: float, snapshot: Json | None = None
    ) -> None:
        """See Journal.append."""
        kept = self._find(run)
        if kept.info.seq != after:
            raise JournalConflict(run, after, kept.info.seq)
        kept.entries.extend(Entry(after + n, at, fact) for n, fact in enumerate(facts, 1))
        status, error = kept.info.status, kept.info.error
        for fact in facts:
            status, error = ending(fact) or (status, error)
        kept.info = replace(kept.info, seq=after + len(facts), updated=at, status=status, error=error)
        if snapshot is not None:
            kept.snapshot, kept.snapshot_seq = snapshot, kept.info.seq

    async def load(self, run: RunId) -> History:
        """See Journal.load."""
        kept = self._find(run)
        return History(kept.info, kept.snapshot, kept.snapshot_seq, kept.entries[kept.snapshot_seq :])

    async def read(self, run: RunId, after: int = 0, limit: int = 1000) -> list[Entry]:
        """See Journal.read."""
        return self._find(run).entries[after : after + limit]

    async def info(self, run: RunId) -> RunInfo:
        """See Journal.info."""
        return self._find(run).info

    async def runs(self, *, status: Status | None = None, limit: int = 100) -> list[RunInfo]:
        """See Journal.runs."""
        infos = [kept.info for kept in self._runs.values() if status in {None, kept.info.status}]
        return sorted(infos, key=lambda info: info.created, reverse=True)[:limit]

    async def aclose(self) -> None:
        """See Journal.aclose: there is nothing to let go."""

    def _find(self, run: RunId) -> _Kept:
        try:
            return self._runs[run]
        except KeyError:
            raise RunNotFound(run, self.name) from None
