"""Ask an endpoint all the questions, one after another.

    report = await examine(open_backend("openai:gpt-x"))
    report.findings[5].verdict                          # "agrees", "differs", "learned" or "not settled"

Cancelled, it gives up the question that it is at, and what it had found. It asks again only where the provider itself
asked for a pause, and never for longer than it was allowed to wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import anyio

from graphrt.backends.base import Backend
from graphrt.backends.errors import BackendError, TimedOut
from graphrt.backends.events import Answer, Fold, PartDelta, Started, Warned
from graphrt.backends.messages import Request
from graphrt.backends.probing.findings import Case, Finding
from graphrt.backends.probing.probes import findings, unusable
from graphrt.backends.probing.questions import QUESTIONS, Told
from graphrt.backends.wire.ratelimits import RateLimit
from graphrt.clock import Clock, SystemClock

_TRIES = 3
"""How often one question is asked, where the provider wants pauses."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, and everything that was asked for it: `asked` has one for each request."""

    findings: tuple[Finding, ...]
    asked: tuple[Told, ...]
    error: BackendError | None = None
    """Why the endpoint cannot be used at all: how the first question ended."""

    @property
    def agrees(self) -> bool:
        """Whether nothing differs from the profile."""
        return all(finding.verdict != "differs" for finding in self.findings)


async def examine(
    backend: Backend,
    *,
    timeout: float = 60.0,  # noqa: ASYNC109 - of each question, not of the whole
    patience: float = 30.0,
    secrets: Sequence[str] = (),
    clock: Clock | None = None,
    telling: Callable[[str], object] = lambda words: None,
) -> Report:
    """Find out what `backend` really does. It is not closed.

    `timeout` is how many seconds one question may take, `patience` how many one pause may take that the provider asks
    for. `secrets` are taken out of what findings quote: errors come without them, but a server that echoes may put its
    key into an answer (M9). `telling` hears what is being done.
    """
    asker = _Asker(
        backend=backend,
        timeout=timeout,
        patience=patience,
        clock=clock or SystemClock(),
        telling=telling,
    )
    before, told = backend.capabilities, dict[str, Told]()
    for number, question in enumerate(QUESTIONS, 1):
        if not question.only(backend.capabilities):
            continue
        telling(f"question {number} of {len(QUESTIONS)}: {question.name}")
        found = told[question.name] = await asker.ask(question.name, question.request)
        if number == 1 and found.error is not None:
            return Report((unusable(found.error),), tuple(asker.asked), found.error)
    case = Case(backend.name, before, backend.capabilities, told)
    return Report(findings(case, secrets), tuple(asker.asked))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asker:
    """Asks one backend, and keeps everything that came back in `asked`."""

    backend: Backend
    timeout: float
    patience: float
    clock: Clock
    telling: Callable[[str], object]
    asked: list[Told] = field(default_factory=list)

    async def ask(self, name: str, request: Request) -> Told:
        """Ask, and again after each pause that the provider wants."""
        left = _TRIES
        while True:
            told = await self._once(name, request)
            self.asked.append(told)
            left -= 1
            pause = told.error.retry_after if told.error is not None and told.error.retryable else None
            if not left or pause is None or pause > self.patience:
                return told
            self.telling(f"{self.backend.name} asks for a pause of {pause:g} s")
            await self.clock.wait(anyio.Event(), pause)

    async def _once(self, name: str, request: Request) -> Told:
        fold, begun = Fold(), self.clock.monotonic()
        deltas, first, limits, unsent = 0, None, tuple[RateLimit, ...](), dict[str, str]()
        answer: Answer | None = None
        error: BackendError | None = None
        try:
            with anyio.fail_after(self.timeout):
                async with aclosing(self.backend.stream(request)) as events:
                    async for event in events:
                        fold.add(event)
                        match event:
                            case Started(limits=limits):
                                pass
                            case Warned(setting=setting, message=message):
                                unsent[setting] = message
                            case PartDelta():
                                deltas += 1
                                first = self.clock.monotonic() - begun if first is None else first
            answer = fold.answer()
        except TimeoutError:
            error = TimedOut(f"no whole answer within {self.timeout:g} s", provider=self.backend.name)
        except BackendError as failed:
            error, limits = failed, failed.limits or limits
        seconds = self.clock.monotonic() - begun
        return Told(name, answer, error, deltas, first, seconds, limits, unsent)
