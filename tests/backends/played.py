"""A backend that plays what it is told to: events as they are, pauses, and bugs. It knows whether it was let go of."""

import re
from collections.abc import AsyncGenerator, Sequence
from typing import TypeAlias

import anyio
import anyio.lowlevel

from graphrt.backends.base import Backend, Capabilities
from graphrt.backends.errors import BackendError
from graphrt.backends.events import (
    Chose,
    Failed,
    Finished,
    Fold,
    PartDelta,
    PartEnded,
    PartStarted,
    Restarted,
    Started,
    StreamEvent,
    Usage,
    Warned,
)
from graphrt.backends.messages import Request, Text, conversation
from graphrt.clock import Clock
from graphrt.testing import JumpingClock

Step: TypeAlias = StreamEvent | float | Exception
"""An event, seconds to wait before what comes next, or something to raise."""


class Played:
    """Each request gets the next programme, and the last one for ever after. `active` streams are open; `opened` counts
    all of them, and `closed` how often the backend itself was closed."""

    def __init__(
        self,
        name: str,
        *programmes: Sequence[Step],
        clock: Clock | None = None,
        capabilities: Capabilities | None = None,
    ) -> None:
        self._name = name
        self._programmes = programmes
        self._clock = clock or JumpingClock()
        self._capabilities = capabilities or Capabilities()
        self.opened = 0
        self.active = 0
        self.closed = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        programme = self._programmes[min(self.opened, len(self._programmes) - 1)]
        self.opened += 1
        self.active += 1
        try:
            for step in programme:
                await anyio.lowlevel.checkpoint()
                if isinstance(step, (int, float)):
                    await self._clock.wait(anyio.Event(), step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            with anyio.CancelScope(shield=True):  # letting go takes a moment: who does not wait for it is found out
                await anyio.lowlevel.checkpoint()
            self.active -= 1

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed += 1


def says(text: str, usage: Usage | None = None) -> list[StreamEvent]:
    """A whole answer of one part."""
    begun, *pieces = opening(text)
    part = PartEnded("part-1", Text(id="part-1", text=text))
    return [begun, *pieces, part, Finished("stop", "stop", usage or Usage())]


def opening(text: str) -> list[StreamEvent]:
    """An answer that has begun."""
    words = re.findall(r"\s*\S+", text)
    return [Started("echo"), PartStarted("part-1", "text"), *(PartDelta("part-1", word) for word in words)]


ASK = Request(messages=conversation("hi"))


async def heard(backend: Backend, request: Request = ASK) -> list[StreamEvent]:
    """All events of an answer, which keep the grammar."""
    events = [event async for event in backend.stream(request)]
    check(events)
    return events


def chosen(events: Sequence[StreamEvent]) -> list[Chose]:
    return [event for event in events if isinstance(event, Chose)]


def failure(events: Sequence[StreamEvent]) -> BackendError:
    last = events[-1]
    assert isinstance(last, Failed)
    return last.error


def text_of(events: Sequence[StreamEvent]) -> str:
    """What counts of what was said."""
    state = Fold()
    for event in events:
        state.add(event)
    return state.partial().text


_LETTERS = {Chose: "C", Started: "S", Warned: "W", Restarted: "R", Finished: "F", Failed: "F"}
_GRAMMAR = re.compile(r"C*S?W*P*(RC*S?W*P*)*F")


def check(events: Sequence[StreamEvent]) -> None:
    """M3: the grammar at the top of `events`, in which a policy begins by saying whom it chose."""
    word = "".join(_LETTERS.get(type(event), "P") for event in events)
    assert _GRAMMAR.fullmatch(word), word
    text_of(events)
