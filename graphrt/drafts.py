"""What the questions of an attempt come to, kept while they are answered: another attempt goes on from there (M10).

Kept is what a model's backend says that it needs to go on, which only that backend understands. A crash leaves all of
it. Of an attempt that failed only what was not whole is left: a whole answer had its chance. A step that is over, and
one that was cancelled, leaves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from graphrt.facts import AttemptFailed, Fact, StepFailed, StepUnknown
from graphrt.journal import DraftKey, Journal
from graphrt.types import RunId, StepKey


class AttemptDrafts:
    """The drafts of one attempt, and those that the attempts before it left."""

    def __init__(self, journal: Journal, run: RunId, fence: int, step: StepKey, *, first: bool) -> None:
        """`first`: no attempt came before it, so there is nothing to be found."""
        self._journal = journal
        self._run = run
        self._fence = fence
        self._step = step
        self._found: dict[str, tuple[str, ...]] | None = {} if first else None
        self._asked: Counter[str] = Counter()
        self._ended: list[DraftKey] = []
        self._kept = False

    async def open(self, question: str) -> QuestionDraft:
        """Begin a question. Asked again in the same attempt, it is another one."""
        self._asked[question] += 1
        name = f"{question}-{self._asked[question]}"
        if self._found is None:
            self._found = await self._journal.drafts(self._run, self._step)
            self._kept = bool(self._found)
        return QuestionDraft(self, name, self._found.get(name, ()))

    async def keep(self, question: str, text: str) -> None:
        """See QuestionDraft.keep."""
        self._kept = True
        await self._journal.keep_draft(self._run, DraftKey(self._step, question), text, fence=self._fence)

    def end(self, question: str) -> None:
        """See QuestionDraft.end."""
        self._ended.append(DraftKey(self._step, question))

    def useless(self, facts: Sequence[Fact]) -> Sequence[DraftKey]:
        """Say which drafts are of no use any more after the attempt's last facts."""
        if not self._kept:
            return ()
        again = any(isinstance(fact, (AttemptFailed, StepFailed, StepUnknown)) for fact in facts)
        return self._ended if again else (DraftKey(self._step),)


class QuestionDraft:
    """What one question had come to, `before`, and comes to."""

    def __init__(self, drafts: AttemptDrafts, name: str, before: tuple[str, ...]) -> None:
        self._drafts = drafts
        self._name = name
        self.before = before

    async def keep(self, text: str) -> None:
        """Add to it; it is as durable as a step when this returns. Raises StoreError."""
        await self._drafts.keep(self._name, text)

    def end(self) -> None:
        """Say that the answer is whole."""
        self._drafts.end(self._name)
