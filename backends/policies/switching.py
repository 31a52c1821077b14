"""From one backend to the next: which errors are worth it, and the one place that does it (M8).

    helps       may another backend do better with this error?                        pure
    weakest     what all of them can do                                               pure
    told        the last error, with what happened before it                          pure
    take_turns  ask one after the other, each at most once, as one stream             acts

Before the first part began nobody has heard anything, and a switch only shows as a `Chose`. After it, a switch is a
`Restarted`, and only where that is allowed. Nothing here asks the same backend twice: that is the node's own retry.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

from graphrt.backends.base import Backend, Capabilities
from graphrt.backends.errors import BackendError
from graphrt.backends.events import (
    Chose,
    Failed,
    PartStarted,
    Restarted,
    Started,
    StreamEvent,
    Usage,
    Warned,
)
from graphrt.backends.messages import Request
from graphrt.backends.policies.health import Health, Watched
from graphrt.backends.uri import open_backend

SWITCHING = frozenset(
    {
        "rate_limit", "quota", "overloaded", "server", "connection", "timeout", "truncated", "context_length", "auth",
        "not_found", "invalid_output",
    }
)  # fmt: skip
"""The categories of errors after which another backend is asked, unless `on` says otherwise."""

_ONLY_IF_ASKED = frozenset({"bad_request", "content_filter"})
"""A request that is wrong is wrong everywhere, and nobody's policy is to be got around unasked."""


class Switching:
    """What the policies that choose between backends have in common. They own those that they are given: closing the
    policy closes them."""

    policy: str

    def __init__(self, line: Sequence[Watched], on: Collection[str]) -> None:
        if not line:
            raise ValueError(f"{self.policy} needs a backend")
        if unknown := set(on) - SWITCHING - _ONLY_IF_ASKED:
            known = ", ".join(sorted(SWITCHING | _ONLY_IF_ASKED))
            raise ValueError(f"on holds {', '.join(sorted(unknown))}; errors have the categories {known}")
        self._line = tuple(line)
        self._on = frozenset(on)

    def __repr__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The policy and the backends it chooses from."""
        return f"{self.policy}({', '.join(each.name for each in self._line)})"

    @property
    def capabilities(self) -> Capabilities:
        """What all of them can do: nobody knows beforehand who answers."""
        return weakest([each.capabilities for each in self._line])

    def health(self) -> tuple[Health, ...]:
        """How each backend is doing, in the order in which they were given."""
        return tuple(each.health() for each in self._line)

    async def aclose(self) -> None:
        """Close every backend, whatever closing another one does. Idempotent."""
        async with AsyncExitStack() as stack:
            for each in self._line:
                stack.push_async_callback(each.backend.aclose)


def opened(backends: Iterable[Backend | str]) -> list[Backend]:
    """Open those that are given by name. Raises BindingError for a name that leads nowhere."""
    return [open_backend(each) if isinstance(each, str) else each for each in backends]


def different(policy: str, backends: Sequence[Backend | str]) -> None:
    """Refuse a backend that is given twice: asking it again is a retry."""
    for index, each in enumerate(backends):
        if any(each is other or (isinstance(each, str) and each == other) for other in backends[:index]):
            name = each if isinstance(each, str) else each.name
            raise ValueError(f"{policy} is given {name} twice; to ask a backend again is what a node's retry is for")


def weakest(all_of_them: Sequence[Capabilities]) -> Capabilities:
    """What every one can do: what one cannot do is False, what one is not sure of is None."""
    found: dict[str, Any] = {}
    for name in Capabilities.model_fields:
        values = [getattr(each, name) for each in all_of_them]
        unsure = None in values and False not in values
        found[name] = None if unsure else min(value for value in values if value is not None)
    return Capabilities(**found)


def helps(error: BackendError, asked: Capabilities, other: Capabilities, on: Collection[str]) -> bool:
    """Whether a request that ended in `error` may do better at the `other` backend. A request that is too long does
    not where the context is known to be no longer."""
    if error.category not in on:
        return False
    if error.category != "context_length" or asked.context_tokens is None or other.context_tokens is None:
        return True
    return other.context_tokens > asked.context_tokens


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt that is over without an answer."""

    backend: str
    error: BackendError

    def __str__(self) -> str:
        return f"{self.backend}: {self.error}"


def told(error: BackendError, before: Sequence[Lost], *notes: str) -> BackendError:
    """Return the error that ends it all, with the words of the attempts `before` it, and other `notes`.

    A retry of the whole may help where it may help any of them, as soon as the first of those may be asked again.
    """
    if not before and not notes:
        return error
    # another error like it, and not itself changed: a script may end in the same one again
    found = type(error).__new__(type(error), *error.args)
    vars(found).update(vars(error))
    found.__cause__ = error.__cause__
    found.attempts = (*map(str, before), *notes, *error.attempts)
    again = [each for each in (*(lost.error for lost in before), error) if each.retryable]
    if again:
        waits = [each.retry_after for each in again]
        found.retryable = True
        found.retry_after = None if None in waits else min(wait for wait in waits if wait is not None)
    return found


def awake(line: Sequence[Watched]) -> list[Watched]:
    """Those that may be asked; if all of them should be left alone, the one whose rest is over first."""
    rests = [each.health().rests for each in line]
    return [each for each, rest in zip(line, rests, strict=True) if not rest] or [line[rests.index(min(rests))]]


Choose = Callable[[Sequence[Watched]], tuple[Watched, str]]
"""From those that were not asked yet to one of them, and why."""


async def take_turns(
    policy: str,
    line: Sequence[Watched],
    request: Request,
    choose: Choose,
    *,
    on: Collection[str],
    restart: bool = False,
) -> AsyncGenerator[StreamEvent]:
    """Answer `request` by one backend after the other until one does, each at most once.

    The events of an attempt before its first part are held back, so that a switch leaves no trace but `Chose`. Closed
    or cancelled, it closes the attempt that runs, and waits for that.
    """
    left, said = list(line), False
    lost: list[Lost] = []
    notes: list[str] = []
    while True:
        backend, why = choose(left)
        left.remove(backend)
        async with aclosing(backend.ask(request)) as attempt:
            if said:
                yield Restarted(f"{lost[-1].backend} broke off ({lost[-1].error.category})")
            yield _choice(policy, backend, why, lost, said=said)
            held: list[StreamEvent] = []
            said = False
            async for event in attempt:
                match event:
                    case Failed():
                        break
                    case Started() | Warned() if not said:
                        held.append(event)
                        continue
                    case PartStarted():
                        said = True
                    case Restarted():  # whoever reads was told that nothing counts
                        said = False
                    case _:
                        pass
                if not isinstance(event, Chose):
                    for early in held:
                        yield early
                    held = []
                yield event
        error = attempt.error
        if error is None:
            return
        useless = [each for each in left if not helps(error, backend.capabilities, each.capabilities, on)]
        left = [each for each in left if each not in useless]
        if error.category in on:
            notes += [f"{each.name}: not asked, its context is no longer" for each in useless]
        if not left or (said and not restart):
            for early in held:
                yield early
            yield Failed(told(error, lost, *notes))
            return
        lost.append(Lost(backend.name, error))


def _choice(policy: str, backend: Watched, why: str, lost: Sequence[Lost], *, said: bool) -> Chose:
    if not lost:
        return Chose(policy, backend.name, why or "first in line")
    last = lost[-1]
    after = f"{last.backend} {'broke off' if said else 'did not answer'} ({last.error.category})"
    # what was said cost something, even if nobody knows how much
    wasted = last.error.usage or (Usage() if said else None)
    return Chose(policy, backend.name, "; ".join(filter(None, (after, why))), last.error, wasted)
