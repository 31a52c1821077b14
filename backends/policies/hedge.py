"""`hedge`: ask a second backend if the first is slow to begin, and take whoever speaks first.

    hedge("openai:gpt-x", "groq:llama-x", after=2.0)

It buys a short tail of the time to the first content with a few requests too many: what they cost is in `Chose.wasted`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing

import anyio

from graphrt.backends.base import Backend
from graphrt.backends.errors import BackendError
from graphrt.backends.events import Chose, Failed, Finished, PartStarted, StreamEvent, Usage
from graphrt.backends.messages import Request
from graphrt.backends.policies.health import Attempt, Watched
from graphrt.backends.policies.switching import SWITCHING, Lost, Switching, helps, opened, told
from graphrt.clock import Clock, SystemClock


def hedge(
    first: Backend | str,
    second: Backend | str,
    *,
    after: float,
    on: Collection[str] = SWITCHING,
    clock: Clock | None = None,
) -> Hedge:
    """Ask `second` too if `first` has begun no part of its answer `after` seconds, or has failed before that with an
    error whose category is in `on`. The one that begins to speak first answers; the other is cancelled.

    An error of `second` never loses an answer of `first`. If both fail, the later error has the words of the other in
    `attempts`. Once an answer has begun, it ends in its own error.

    Raises ValueError for an `after` that is no time and for a category that no error has; BindingError for a name that
    leads nowhere.
    """
    if not 0 <= after < math.inf:
        raise ValueError(f"after={after}; it is a number of seconds, 0 or more")
    return Hedge(*opened([first, second]), after=after, on=on, clock=clock or SystemClock())


class Hedge(Switching):
    """See `hedge`."""

    policy = "hedge"

    def __init__(self, first: Backend, second: Backend, *, after: float, on: Collection[str], clock: Clock) -> None:
        super().__init__([Watched(first, clock), Watched(second, clock)], on)
        self._after = after
        self._clock = clock

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer `request` by whoever speaks first.

        The race runs in tasks of its own, which are all over before anything of an answer is handed on: a reader that
        stops reading leaves nothing running. Closed or cancelled, both backends are closed, and waited for.
        """
        one, two = (_Runner(each, request) for each in self._line)
        async with aclosing(one), aclosing(two):
            yield Chose(self.policy, one.name, "asked first")
            winner, loser = await self._race(one, two)
            await loser.aclose()
            if loser is two and two.attempt is not None:
                # named as asked, so that what it spent is known to be its own
                yield Chose(self.policy, two.name, f"asked too after {self._after:g} s")
            for event in loser.heard:
                if isinstance(event, Chose):  # what a policy behind it had spent
                    yield event
            if two.attempt is not None:
                why = self._why(one, two, winner)
                yield Chose(self.policy, winner.name, why, loser.error, loser.wasted)
            before = [Lost(loser.name, loser.error)] if loser.error is not None else []
            async with aclosing(winner.events()) as events:
                async for event in events:
                    yield Failed(told(event.error, before)) if isinstance(event, Failed) else event

    async def _race(self, one: _Runner, two: _Runner) -> tuple[_Runner, _Runner]:
        """Listen until it is known who answers, or that nobody does: then to the one who failed last. Whoever is still
        silent by then is cancelled."""
        failed: list[_Runner] = []
        async with anyio.create_task_group() as tasks:

            async def lead() -> None:
                await one.listen()
                if self._is_final(one, two):
                    tasks.cancel_scope.cancel()
                else:
                    failed.append(one)

            tasks.start_soon(lead)
            await self._clock.wait(one.first_word, self._after)
            if not self._is_final(one, two):
                await two.listen()
                if two.spoke:
                    tasks.cancel_scope.cancel()
                else:
                    failed.append(two)
        if self._is_final(one, two) or (not two.spoke and failed[-1] is one):
            return one, two
        return two, one

    def _is_final(self, one: _Runner, two: _Runner) -> bool:
        """Whether the first has said something that the second would not better."""
        error = one.error
        if error is None:
            return one.spoke
        return not helps(error, one.backend.capabilities, two.backend.capabilities, self._on)

    def _why(self, one: _Runner, two: _Runner, winner: _Runner) -> str:
        late = f"{two.name} was asked too after {self._after:g} s"
        match one.error, two.error:
            case None, None:
                return f"{late}, and {winner.name} spoke first"
            case None, BackendError(category=category):
                return f"{late}, and did not answer ({category})"
            case BackendError(category=category), None if winner is two:
                return f"{one.name} did not answer ({category})"
            case BackendError(category=category), None:
                return f"{late}, but is not expected to do better ({category})"
            case _:
                return "neither answered; this one failed last"


class _Runner:
    """One of the two, listened to until it says its first word: a part, or the end."""

    def __init__(self, backend: Watched, request: Request) -> None:
        self.backend = backend
        self.request = request
        self.attempt: Attempt | None = None
        self.heard: list[StreamEvent] = []
        self.first_word = anyio.Event()

    @property
    def name(self) -> str:
        return self.backend.name

    @property
    def spoke(self) -> bool:
        """Whether its first word is one of an answer."""
        return self.first_word.is_set() and self.error is None

    @property
    def error(self) -> BackendError | None:
        last = self.heard[-1] if self.heard else None
        return last.error if isinstance(last, Failed) else None

    @property
    def wasted(self) -> Usage | None:
        """What it spent for nothing, once another one answers: unknown, if it was cut short."""
        match self.heard[-1] if self.heard else None:
            case Failed(error=error):
                return error.usage
            case Finished(usage=usage):
                return usage
            case _:
                return None if self.attempt is None else Usage()

    async def listen(self) -> None:
        self.attempt = self.backend.ask(self.request)
        async for event in self.attempt:
            self.heard.append(event)
            if isinstance(event, (PartStarted, Finished, Failed)):
                break
        self.first_word.set()

    async def events(self) -> AsyncGenerator[StreamEvent]:
        for event in self.heard:
            yield event
        if self.attempt is not None:
            async for event in self.attempt:
                yield event

    async def aclose(self) -> None:
        if self.attempt is not None:
            await self.attempt.aclose()
