"""Holding an async context open across notebook cells, each of which is a task of its own."""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop, get_running_loop
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio

from graphrt import errors


def asyncio_loop() -> AbstractEventLoop | None:
    """Return the loop that the caller runs on; None on trio, which a notebook's kernel runs inside its own loop."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return None
    try:
        return get_running_loop()
    except RuntimeError:
        return None


class Host:
    """Holds a runtime open in a task of its own, on asyncio, so that notebook cells can come and go."""

    def __init__(self) -> None:
        self.ready = anyio.Event()
        self.leave = anyio.Event()
        self.error: BaseException | None = None
        self.task: Any = None

    @classmethod
    async def start(cls, runtime: AbstractAsyncContextManager[Any]) -> Host:
        """Open `runtime` and return its host."""
        loop = asyncio_loop()
        if loop is None:
            raise errors.UsageError(
                "`await Runtime(...)` is for notebooks on asyncio; here, write `async with Runtime(...) as rt:`"
            )
        host = cls()
        host.task = loop.create_task(host._hold(runtime))
        await host.ready.wait()
        if host.error is not None:
            raise host.error
        return host

    async def _hold(self, runtime: AbstractAsyncContextManager[Any]) -> None:
        try:
            async with runtime:
                self.ready.set()
                await self.leave.wait()
        except BaseException as error:
            self.error = error
            if self.ready.is_set():
                raise
        finally:
            self.ready.set()

    async def stop(self) -> None:
        """Close the runtime and wait for it."""
        self.leave.set()
        await self.task
