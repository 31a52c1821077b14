"""What a node's body can reach while it runs: `context()` gives the attempt it is part of."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ParamSpec, Protocol, TypeVar, overload
from uuid import UUID, uuid4

import anyio
from pydantic_core import to_json

from graphrt.clock import Clock
from graphrt.errors import UsageError
from graphrt.facts import Emitted
from graphrt.node import FunctionNode, node
from graphrt.types import Json, RunId, Secrets, StepKey

T = TypeVar("T")
P = ParamSpec("P")


class Draft(Protocol):
    """What a question to a model had come to when an earlier attempt was interrupted, and comes to now (M10)."""

    before: tuple[str, ...]

    async def keep(self, text: str) -> None:
        """Add to it. Raises StoreError."""

    def end(self) -> None:
        """Say that the answer is whole."""


class Closable(Protocol):
    """Something that holds a connection, a model or a file until it is closed."""

    async def aclose(self) -> None:
        """Let go."""


C = TypeVar("C", bound=Closable)


class Resources:
    """What the nodes of a runtime share and the runtime closes: opened once a key, closed in reverse order."""

    def __init__(self) -> None:
        self._open: dict[object, Closable] = {}
        self._locks: dict[object, anyio.Lock] = {}

    async def get(self, key: object, make: Callable[[], Awaitable[C]]) -> C:
        """Return what is open under `key`, or open it. Two callers at once get the same one."""
        async with self._locks.setdefault(key, anyio.Lock()):
            if key not in self._open:
                self._open[key] = await make()
            return self._open[key]  # type: ignore[return-value] # the key stands for the type

    async def aclose(self) -> None:
        """Close all. One that fails to close does not keep the others open."""
        errors: list[Exception] = []
        while self._open:
            _, resource = self._open.popitem()
            try:
                await resource.aclose()
            except Exception as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("resources failed to close", errors)


@dataclass
class Context:
    """One attempt of one step, seen from inside."""

    run: RunId
    step: StepKey
    attempt: int
    models: Mapping[str, Any]
    """The runtime's bindings: model role -> URI or backend."""
    resources: Resources
    clock: Clock
    seed: str
    live: Callable[[str], None]
    emitted: list[Emitted] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    """What is recorded beside the step's output: the model that answered, its usage."""
    secrets: Secrets | None = field(default=None, repr=False)
    """Gives the keys of models that are bound by URI; None leaves them to the environment."""
    perform: Callable[[Context, FunctionNode[..., Any], tuple[Any, ...], dict[str, Any]], Awaitable[Any]] | None = None
    """Does a substep of the context it is given, which is this one; None in a substep, which has none of its own."""
    draft: Callable[[str], Awaitable[Draft]] | None = None
    """Opens the draft of a question; None where nothing is kept."""
    replayed: Callable[[str], Any] | None = None
    """In a replay: hands back what the step took then, by kind, one after the other (D8)."""

    @cached_property
    def idempotency_key(self) -> str:
        """A key that is the same for every attempt of this step, also after a crash, and for no other step: send it
        with idempotent calls, as `Idempotency-Key` over HTTP (D3)."""
        return key_of(self.run, self.step)

    @cached_property
    def random(self) -> random.Random:
        """A generator seeded by run and step: another attempt, or a resumed run, draws the same numbers. Its seed is
        recorded beside the step's output, so a replay draws them, too (D8)."""
        return random.Random(self._take("random", lambda: self.seed))  # noqa: S311 - drawn again the same, not secret

    def now(self) -> float:
        """Seconds since the epoch, by the runtime's clock. Recorded beside the step's output, for a replay (D8)."""
        return float(self._take("now", self.clock.now))

    def uuid(self) -> UUID:
        """A new random id, version 4. Recorded beside the step's output, for a replay (D8)."""
        return UUID(self._take("uuid", lambda: str(uuid4())))

    def _take(self, kind: str, make: Callable[[], Any]) -> Any:
        value = make() if self.replayed is None else self.replayed(kind)
        self.notes.setdefault("taken", {}).setdefault(kind, []).append(value)
        return value

    def emit(self, name: str, value: Any) -> None:
        """Record something under `name`, in the same commit as this attempt's output; lost if the attempt fails
        (D1)."""
        text: Json = to_json(value)
        self.emitted.append(Emitted(self.step, self.attempt, name, text))

    def progress(self, text: str = "") -> None:
        """Give a sign of life: resets the idle timeout, and shows `text` to whoever watches the run live. Not
        recorded."""
        self.live(text)

    async def sleep(self, seconds: float) -> None:
        """Wait by the runtime's clock. Not durable: a resumed step waits again from the start."""
        await self.clock.wait(anyio.Event(), seconds)


current: ContextVar[Context | None] = ContextVar("graphrt context", default=None)


def context() -> Context:
    """Return the running attempt. Raises UsageError outside of one."""
    found = current.get()
    if found is None:
        raise UsageError("context() was called outside a running step; it is there only inside a node's function")
    return found


def key_of(run: RunId, step: StepKey) -> str:
    """Return the idempotency key of a step: H(run, step key), 32 hexadecimal digits (D3)."""
    return hashlib.sha256(f"{run}\n{step}".encode()).hexdigest()[:32]


@overload
async def step(fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
@overload
async def step(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
async def step(fn: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Do a part of a node's work durably: once it has returned, no later attempt of this node does it again (D4).

    `fn`: a typed function, or a node made of one, whose effect and check are then honoured: `await step(charge, 12)`.
    A part is known by its name and by how many parts of that name came before it in the node, so a node must ask for
    its parts in the same order every time; `fn.named("...")` tells them apart where it cannot. Interrupted before it
    was recorded, it is done again, unless its effect is `once`: then its check decides, or a person
    (`graphrt resolve`). What it raises goes through the node; the node's retry policy is the only one.
    """
    part = fn if isinstance(fn, FunctionNode) else _part(fn)
    here = context()
    if here.perform is None:
        raise UsageError(f"step({part.name}) was called inside another substep, {here.step!r}; call it from the node")
    return await here.perform(here, part, args, kwargs)


@lru_cache(maxsize=1024)
def _part(fn: Callable[..., Any]) -> FunctionNode[..., Any]:
    return node(fn)
