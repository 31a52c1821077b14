"""`fallback`: ask the first; if it cannot answer, ask the next.

fallback(open_backend("openai:gpt-x"), "anthropic:claude", local, restart=False)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence

from graphrt.backends.base import Backend
from graphrt.backends.events import StreamEvent
from graphrt.backends.messages import Request
from graphrt.backends.policies.health import Watched
from graphrt.backends.policies.switching import SWITCHING, Switching, awake, different, opened, take_turns
from graphrt.clock import Clock, SystemClock


def fallback(
    *backends: Backend | str,
    restart: bool = False,
    on: Collection[str] = SWITCHING,
    clock: Clock | None = None,
) -> Fallback:
    """Ask the backends in this order until one answers, each at most once.

    Before the first part of an answer began, an error whose category is in `on` leads to the next backend without a
    trace but a `Chose`. After it, it does so only with `restart`, and `Restarted` tells; else the answer ends in the
    error, with what was said. A backend that asked for a pause goes to the end of the line for that long. The
    error of the last one has the words of the others in `attempts`, and is `retryable` if any of them was.

    Raises ValueError without a backend, for one that is given twice, and for a category that no error has; BindingError
    for a name that leads nowhere.
    """
    different("fallback", backends)
    return Fallback(opened(backends), restart=restart, on=on, clock=clock or SystemClock())


class Fallback(Switching):
    """See `fallback`."""

    policy = "fallback"

    def __init__(self, backends: Sequence[Backend], *, restart: bool, on: Collection[str], clock: Clock) -> None:
        super().__init__([Watched(each, clock) for each in backends], on)
        self._restart = restart

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer `request` by the first backend that can. Closing it closes the one that is being asked."""
        return take_turns(self.policy, self._line, request, first_in_line, on=self._on, restart=self._restart)


def first_in_line(left: Sequence[Watched]) -> tuple[Watched, str]:
    """The first that does not rest, and who was passed over for that."""
    chosen = awake(left)[0]
    passed = [each.health() for each in left[: left.index(chosen)]]
    return chosen, ", ".join(f"{each.backend} rests for {each.rests:.3g} s" for each in passed)
