"""Where facts are kept: the `Journal` protocol, and `MemoryJournal`, its verified fake.

A journal takes facts of a run in order and hands them back. One commit is one call of `append`: all of it or nothing
(D1). Whether and how large values are shared, deltas are taken or commits are grouped is a store's own business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol

from graphrt import failpoints
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
    Entry,
    Fact,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunForked,
    RunResumed,
    RunRewound,
    RunSuspended,
)
from graphrt.types import Json, RunId, Status, StepKey

OVER: frozenset[Status] = frozenset({"finished", "failed", "cancelled"})
"""Where a run has ended."""
DONE_WITH: frozenset[Status] = frozenset({"finished", "cancelled"})
"""Where its steps will not be tried again."""


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


class DraftKey(NamedTuple):
    """What a question of a step has come to so far (M10), or, without a question, what all of its questions have."""

    step: StepKey
    question: str | None = None


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
        dropping: Sequence[DraftKey] = (),
        intent: bool = False,
        definition: Json | None = None,
    ) -> None:
        """Take `facts` as entries `after + 1` and on, in one commit.

        `snapshot` is the folded state after them. A fact that ends, suspends or resumes the run sets its status in the
        same commit; one that ends or suspends it gives its lease back. `taking`: ids of messages that are used up by
        this commit; `dropping`: drafts that are. `intent`: the commit is to survive the loss of power whatever the
        durability (D12).

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
        """Renew, in one commit, every lease that a driver has on a run that has not ended."""
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

    async def keep_draft(self, run: RunId, draft: DraftKey, text: str, *, fence: int) -> None:
        """Add to what a question of a step has come to so far.

        It is no fact: nothing follows from it, and it lasts until a commit drops it, or the run is finished, cancelled
        or removed. Raises RunNotFound, and StaleFence if the run's lease has another fence.
        """

    async def drafts(self, run: RunId, step: StepKey) -> dict[str, tuple[str, ...]]:
        """Read what the questions of a step have come to, in the order in which it was kept."""
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
    status = _GIVES.get(type(fact))
    if status is None:
        return None
    return status, f"{fact.failure.type}: {fact.failure.message}" if isinstance(fact, RunFailed) else None


_GIVES: dict[type[Fact], Status] = {
    RunFinished: "finished",
    RunFailed: "failed",
    RunCancelled: "cancelled",
    RunSuspended: "suspended",
    RunResumed: "running",
    RunRewound: "running",
}


def sources(facts: Sequence[Fact], run: RunId) -> list[RunId]:
    """Return the other runs whose entries these facts share, each once."""
    spans = (span for fact in facts if isinstance(fact, (RunForked, RunRewound)) for span in fact.spans)
    return [RunId(name) for name in dict.fromkeys(span.run for span in spans) if name != run]


def free(driver: str | None, until: float | None, claim: Claim, at: float, dead: Callable[[str], bool]) -> bool:
    """Say whether a lease may be claimed: nobody holds it, the claimant does, it has expired, or its driver is dead."""
    return driver is None or driver == claim.driver or until is None or until <= at or dead(driver)


def same(one: Message, other: Message) -> bool:
    """Say whether two messages of one id say the same; when they were sent doesn't matter."""
    return (one.run, one.kind, one.name, one.value) == (other.run, other.kind, other.name, other.value)


@dataclass(slots=True)
class _Kept:
    info: RunInfo
    entries: list[Entry]
    fence: int = 0
    snapshot: Json | None = None
    snapshot_seq: int = 0
    drafts: dict[DraftKey, list[str]] = field(default_factory=dict)

    def drop(self, dropping: Sequence[DraftKey]) -> None:
        for draft in [each for each in self.drafts if each in dropping or DraftKey(each.step) in dropping]:
            del self.drafts[draft]


@dataclass(slots=True)
class _Sent:
    message: Message
    taken: int | None = None
    """The last entry of the commit that took it."""


class MemoryJournal:
    """A journal that dies with its process: for tests, and for runs that nobody will resume."""

    def __init__(self) -> None:
        self._runs: dict[RunId, _Kept] = {}
        self._messages: dict[str, _Sent] = {}
        self._definitions: dict[str, Json] = {}

    @property
    def name(self) -> str:
        """What errors call it."""
        return "memory"

    @property
    def private(self) -> bool:
        """See Journal.private."""
        return True

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
        """See Journal.create."""
        if info.id in self._runs:
            raise RunExists(info.id, self.name)
        for source in sources(facts, info.id):
            self._find(source)
        driver, until = (claim.driver, claim.until) if claim is not None else (None, None)
        begun = replace(info, seq=0, updated=info.created, wake=None, driver=driver, lease=until)
        self._runs[info.id] = _Kept(begun, [], 0 if claim is None else 1)
        await self.append(info.id, 0, facts, at=at, snapshot=snapshot, definition=definition)

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
        dropping: Sequence[DraftKey] = (),
        intent: bool = False,
        definition: Json | None = None,
    ) -> None:
        """See Journal.append."""
        kept = self._find(run)
        if fence is not None and (fence != kept.fence or fence < 1):
            raise StaleFence(run, fence, kept.fence, kept.info.driver)
        entries = [Entry(seq, at, fact) for seq, fact in enumerate(facts, after + 1)]
        if kept.info.seq != after:
            if fence is not None and self._made_before(kept, entries, taking):
                return
            raise JournalConflict(run, after, kept.info.seq)
        for name in taking:
            sent = self._messages.get(name)
            if sent is None or sent.message.run != run or sent.taken is not None:
                raise MessageTaken(run, name)
        for source in sources(facts, run):
            self._find(source)
        if taking and failpoints.armed is not None:
            failpoints.point("inbox: message taken")
        for name in taking:
            self._messages[name].taken = after + len(entries)
        kept.entries += entries
        kept.info = _told(kept.info, entries)
        kept.drop(dropping)
        if kept.info.status in DONE_WITH:
            kept.drafts.clear()
        if snapshot is not None:
            kept.snapshot, kept.snapshot_seq = snapshot, kept.info.seq
        if definition is not None:
            self._definitions.setdefault(kept.info.fingerprint, definition)

    async def claim(self, run: RunId, claim: Claim, *, at: float, dead: Callable[[str], bool] = lambda _: False) -> int:
        """See Journal.claim."""
        kept = self._find(run)
        driver, until = kept.info.driver, kept.info.lease
        if driver is not None and not free(driver, until, claim, at, dead):
            raise RunTaken(run, driver, (until or at) - at)
        kept.fence += 1
        kept.info = replace(kept.info, driver=claim.driver, lease=claim.until)
        if failpoints.armed is not None:
            failpoints.point("lease: claimed")
        return kept.fence

    async def renew(self, driver: str, *, until: float) -> Renewal:
        """See Journal.renew."""
        held = {
            run: kept.fence
            for run, kept in self._runs.items()
            if kept.info.driver == driver and kept.info.status not in OVER
        }
        for run in held:
            kept = self._runs[run]
            kept.info = replace(kept.info, lease=until)
        if failpoints.armed is not None:
            failpoints.point("lease: renewed")
        return Renewal(held, frozenset(run for run in self._mail() if run in held))

    async def release(self, run: RunId, fence: int) -> None:
        """See Journal.release."""
        kept = self._runs.get(run)
        if kept is not None and kept.fence == fence:
            kept.info = replace(kept.info, driver=None, lease=None)

    async def send(self, message: Message) -> bool:
        """See Journal.send."""
        kept = self._find(message.run)
        before = self._messages.get(message.id)
        if before is not None:
            if not same(before.message, message):
                raise MessageConflict(message.run, message.id)
            return False
        if kept.info.status in OVER:
            raise RunOver(message.run, kept.info.status)
        self._messages[message.id] = _Sent(message)
        return True

    async def inbox(self, run: RunId | None = None) -> list[Message]:
        """See Journal.inbox."""
        if run is not None:
            self._find(run)
        untaken = (sent.message for sent in self._messages.values() if sent.taken is None)
        return [message for message in untaken if run in {None, message.run}]

    async def due(self, now: float, limit: int = 100) -> list[RunInfo]:
        """See Journal.due."""
        mail = self._mail()
        waiting: list[tuple[float, RunInfo]] = []
        for kept in self._runs.values():
            info = kept.info
            if info.driver is not None and info.lease is not None and info.lease > now:
                continue
            if info.status == "running":
                waiting.append((info.updated if info.lease is None else info.lease, info))
            elif info.status == "suspended":
                since = [info.wake] if info.wake is not None and info.wake <= now else []
                since += [mail[info.id]] if info.id in mail else []
                if since:
                    waiting.append((min(since), info))
        waiting.sort(key=lambda pair: pair[0])
        return [info for _, info in waiting[:limit]]

    async def keep_draft(self, run: RunId, draft: DraftKey, text: str, *, fence: int) -> None:
        """See Journal.keep_draft."""
        kept = self._find(run)
        if fence != kept.fence or fence < 1:
            raise StaleFence(run, fence, kept.fence, kept.info.driver)
        kept.drafts.setdefault(draft, []).append(text)

    async def drafts(self, run: RunId, step: StepKey) -> dict[str, tuple[str, ...]]:
        """See Journal.drafts."""
        drafts = self._find(run).drafts.items()
        return {draft.question or "": tuple(texts) for draft, texts in drafts if draft.step == step}

    async def definition(self, fingerprint: str) -> Json | None:
        """See Journal.definition."""
        return self._definitions.get(fingerprint)

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
        infos = [kept.info for kept in reversed(self._runs.values()) if status in {None, kept.info.status}]
        return sorted(infos, key=lambda info: info.created, reverse=True)[:limit]

    async def aclose(self) -> None:
        """See Journal.aclose: there is nothing to let go."""

    def _find(self, run: RunId) -> _Kept:
        try:
            return self._runs[run]
        except KeyError:
            raise RunNotFound(run, self.name) from None

    def _made_before(self, kept: _Kept, entries: Sequence[Entry], taking: Sequence[str]) -> bool:
        """Say whether this very commit is in the journal already: its caller did not hear of it."""
        if not entries:
            return False
        after, last = entries[0].seq - 1, entries[-1].seq
        taken = {
            name for name, sent in self._messages.items() if sent.message.run == kept.info.id and sent.taken == last
        }
        return kept.entries[after:last] == entries and taken.issuperset(taking)

    def _mail(self) -> dict[RunId, float]:
        """Return the runs that have a message waiting, and since when."""
        mail: dict[RunId, float] = {}
        for sent in self._messages.values():
            if sent.taken is None:
                at = sent.message.at
                mail[sent.message.run] = min(at, mail.get(sent.message.run, at))
        return mail


def _told(info: RunInfo, entries: Sequence[Entry]) -> RunInfo:
    """Return what is shown of a run after these entries."""
    if not entries:
        return info
    changes: dict[str, Any] = {}
    for entry in entries:
        fact = entry.fact
        ended = ending(fact)
        if ended is not None:
            changes["status"], changes["error"] = ended
            changes["wake"] = fact.until if isinstance(fact, RunSuspended) else None
        if isinstance(fact, RunRewound):
            changes["graph"], changes["fingerprint"] = fact.graph, fact.fingerprint
    if changes.get("status", "running") != "running":
        changes["driver"] = changes["lease"] = None
    return replace(info, seq=entries[-1].seq, updated=entries[-1].at, **changes)
