"""Being asked to end: what is in flight may finish, nothing further is started, and every run can be taken up again."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from graphrt.errors import GraphrtError
from graphrt.runtime import Runtime
from graphrt.view.terminal import note

T = TypeVar("T")


async def until_stopped(
    runtime: Runtime,
    work: Callable[[], Awaitable[T]],
    signals: Sequence[signal.Signals],
    grace: float,
    *,
    quiet: bool,
) -> tuple[T | None, signal.Signals | None]:
    """Do the work, or, when one of the signals comes, drain the runtime for at most `grace` seconds and stop.

    Returns what the work returned, or which signal stopped it. A second signal ends the grace. What a run that was
    stopped raises to those who wait for it is no error then.
    """
    result: T | None = None
    stopped: signal.Signals | None = None

    async def watch() -> None:
        nonlocal stopped
        with anyio.open_signal_receiver(*signals) as received:
            stopped = await anext(received)
            note(f"stopping: steps in flight may finish for {grace:g} s; a second signal stops at once", quiet=quiet)
            async with anyio.create_task_group() as draining:

                async def drain() -> None:
                    await runtime.drain(grace)
                    draining.cancel_scope.cancel()

                draining.start_soon(drain)
                await anext(received)
                draining.cancel_scope.cancel()
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        try:
            result = await work()
        except GraphrtError:
            if stopped is None:
                raise
            await anyio.sleep_forever()  # until what is still in flight elsewhere has been drained
        tasks.cancel_scope.cancel()
    return result, stopped
