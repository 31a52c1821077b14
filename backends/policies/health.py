"""What is known of a backend from the requests that went through a policy: how busy, how well, how fast.

    watched = Watched(backend, clock)
    async with aclosing(watched.ask(request)) as attempt:    counted as outstanding from here on
        async for event in attempt: ...                      ends in exactly one Finished or Failed
    watched.health()

Nothing here decides anything. One backend may be watched in many tasks and threads at once.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from graphrt.backends.base import Backend, Capabilities
from graphrt.backends.errors import BackendError, StreamProtocolError
from graphrt.backends.events import Failed, Finished, PartStarted, StreamEvent
from graphrt.backends.messages import Request
from graphrt.clock import Clock

_NEWEST = 0.2
"""The weight of the newest measurement in a smoothed one."""

_OF_THE_REQUEST = frozenset({"bad_request", "content_filter", "context_length", "invalid_output"})
"""Failures that another request need not meet."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a backend is doing, as one policy saw it since it was made."""

    backend: str
    """The backend's name."""
    outstanding: int
    """Requests that are open now: asked, and not yet closed."""
    answers: int
    """Requests that ended in `Finished`."""
    failures: Mapping[str, int]
    """Requests that ended in `Failed`, by the error's category. A copy."""
    given_up: int
    """Requests that were closed before their end: by the reader, by a cancellation, or because another was faster."""
    first_content: float | None
    """Seconds from asking to the first part, smoothed: the newest counts for a fifth. None before there was one."""
    answer: float | None
    """Seconds from asking to `Finished`, smoothed likewise, as the reader saw it: a slow reader makes it longer."""
    rests: float
    """Seconds for which it should be left alone, because it asked for that or failed of late; 0 if it may be asked."""


class Watched:
    """A backend with its health. `rest`: seconds for which it should be left alone after a failure that is its own
    and not the request's, if it does not ask for longer itself."""

    def __init__(self, backend: Backend, clock: Clock, *, rest: float = 0.0) -> None:
        self.backend = backend
        self.clock = clock
        self._rest = rest
        self._lock = threading.Lock()
        self._outstanding = 0
        self._answers = 0
        self._failures: Counter[str] = Counter()
        self._given_up = 0
        self._first_content: float | None = None
        self._answer: float | None = None
        self._rests_until = 0.0

    def __repr__(self) -> str:
        return f"Watched({self.backend!r})"

    @property
    def name(self) -> str:
        """The backend's."""
        return self.backend.name

    @property
    def capabilities(self) -> Capabilities:
        """The backend's."""
        return self.backend.capabilities

    def health(self) -> Health:
        """Return what is known right now."""
        with self._lock:
            return Health(
                backend=self.name,
                outstanding=self._outstanding,
                answers=self._answers,
                failures=dict(self._failures),
                given_up=self._given_up,
                first_content=self._first_content,
                answer=self._answer,
                rests=max(0.0, self._rests_until - self.clock.monotonic()),
            )

    def ask(self, request: Request) -> Attempt:
        """Begin to ask. It counts as outstanding at once, before anything is awaited; close it, whatever happens."""
        attempt = Attempt(self, request)
        with self._lock:
            self._outstanding += 1
        return attempt

    def _spoke(self, seconds: float) -> None:
        with self._lock:
            self._first_content = _smoothed(self._first_content, seconds)

    def _closed(self, end: Finished | Failed | None, seconds: float) -> None:
        with self._lock:
            self._outstanding -= 1
            match end:
                case None:
                    self._given_up += 1
                case Finished():
                    self._answers += 1
                    self._answer = _smoothed(self._answer, seconds)
                case Failed(error=error):
                    self._failures[error.category] += 1
                    rest = 0.0 if error.category in _OF_THE_REQUEST else self._rest
                    until = self.clock.monotonic() + max(rest, error.retry_after or 0.0)
                    self._rests_until = max(self._rests_until, until)


class Attempt:
    """One request at one backend, as events. It ends in exactly one terminal event even where the backend forgets it or
    raises: a bug in one backend is no reason for a policy to lose the others. Closing it closes the backend's stream
    and waits for that."""

    def __init__(self, watched: Watched, request: Request) -> None:
        self._watched = watched
        self._events = watched.backend.stream(request)
        self._began = watched.clock.monotonic()
        self._spoke = False
        self._end: Finished | Failed | None = None
        self._took = 0.0
        self._open = True

    @property
    def error(self) -> BackendError | None:
        """What it ended in, if it did not end in an answer."""
        return self._end.error if isinstance(self._end, Failed) else None

    def __aiter__(self) -> Attempt:
        return self

    async def __anext__(self) -> StreamEvent:
        if self._end is not None or not self._open:
            raise StopAsyncIteration
        event = await self._next()
        match event:
            case PartStarted() if not self._spoke:
                self._spoke = True
                self._watched._spoke(self._seconds())
            case Finished() | Failed():
                self._end, self._took = event, self._seconds()
            case _:
                pass
        return event

    async def _next(self) -> StreamEvent:
        try:
            return await anext(self._events)
        except StopAsyncIteration:
            return Failed(self._broken("stopped without a terminal event"))
        except BackendError as error:
            return Failed(error)
        except Exception as error:
            found = self._broken(f"raised {type(error).__name__}: {error}")
            found.__cause__ = error
            return Failed(found)

    def _broken(self, what: str) -> StreamProtocolError:
        name = self._watched.name
        return StreamProtocolError(f"{name} {what}; a backend ends its stream in Finished or Failed", provider=name)

    def _seconds(self) -> float:
        return self._watched.clock.monotonic() - self._began

    async def aclose(self) -> None:
        """Close the backend's stream and count how it ended. Idempotent."""
        if not self._open:
            return
        self._open = False
        try:
            await self._events.aclose()
        finally:
            self._watched._closed(self._end, self._took)


def _smoothed(before: float | None, seconds: float) -> float:
    return seconds if before is None else before + _NEWEST * (seconds - before)
