"""What is found out about an endpoint: the words for it, and all that there is to judge by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from graphrt.backends.base import Capabilities
from graphrt.backends.events import Answer
from graphrt.backends.probing.questions import Told

Outcome = Literal["yes", "no", "refused", "not settled"]
Verdict = Literal["agrees", "differs", "learned", "not settled"]


class Found(NamedTuple):
    """What the answers show, the words for it, and what was said instead, if that is to follow them."""

    outcome: Outcome
    words: str = ""
    quote: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an endpoint does, or does not. `says` is what its profile says; None where it does not know."""

    name: str
    asked: str
    says: bool | None
    found: Outcome
    words: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the profile is right; `learned` where it said nothing."""
        if self.found == "not settled":
            return "not settled"
        if self.says is None:
            return "learned"
        return "agrees" if self.says is (self.found == "yes") else "differs"


@dataclass(frozen=True, slots=True)
class Case:
    """All that there is to judge by: the backend's name, what its profile said before it was asked and says now (a
    model in this process is known once it is loaded), and what came back for each question that was asked."""

    backend: str
    before: Capabilities
    can: Capabilities
    told: Mapping[str, Told]

    def answer(self, question: str) -> Answer:
        """Return the answer to a question that has one."""
        found = self.told[question].answer
        assert found is not None, question  # noqa: S101 - judges see only what was answered
        return found

    @property
    def answers(self) -> list[Answer]:
        """Every answer that came."""
        return [told.answer for told in self.told.values() if told.answer is not None]
