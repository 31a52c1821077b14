"""Tasks that run one attempt after another: a task of its own for each would cost as much as all the rest of a step.

Whatever an attempt sets in a context variable is gone after it: each runs in a fresh copy of the context that its task
began with, as if it had a task of its own. A task whose attempt was cancelled, from whatever side, runs no other: some
of that may still be on its way.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from typing import Any, Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

J = TypeVar("J")


class Crew(Generic[J]):
    """Runs jobs, each at once and in a task that no other job is in. Close it, or its task group never ends.

    `work`: does one job, raises nothing but what is to end the task group, and returns whether its task may do another.

    Somebody is called for the first job. If it never waits, it is done before anybody else could have come, and the
    next one is taken, too; the others are called when a job does wait. So a hundred jobs that never wait cost one call.
    """

    def __init__(self, tasks: TaskGroup, work: Callable[[J], Coroutine[Any, Any, bool]]) -> None:
        self._tasks = tasks
        self._work = work
        self._jobs: deque[J] = deque()
        self._idle: list[anyio.Event] = []
        self._coming = 0
        """How many were called and have not come yet."""
        self._closed = False

    def start(self, job: J) -> None:
        """Begin a job. It first runs when the caller next waits."""
        self._jobs.append(job)
        if not self._coming:
            self._call()

    async def do(self, job: J) -> bool:
        """Do a job in the caller's own task; return whether that may do another."""
        return await _apart(self._work(job), lambda: None)

    def close(self) -> None:
        """Let the idle tasks end, and the others after their jobs."""
        self._closed = True
        while self._idle:
            self._coming += 1
            self._idle.pop().set()

    def _call(self) -> None:
        """See to it that somebody comes for every job."""
        while self._coming < len(self._jobs):
            self._coming += 1
            if self._idle:
                self._idle.pop().set()
            else:
                self._tasks.start_soon(self._run)

    async def _run(self) -> None:
        while True:
            self._coming -= 1
            while self._jobs:
                if not await _apart(self._work(self._jobs.popleft()), self._call):
                    self._call()
                    return
            if self._closed:
                return
            called = anyio.Event()
            self._idle.append(called)
            await called.wait()


@types.coroutine
def _apart(work: Coroutine[Any, Any, bool], waits: Callable[[], None]) -> Generator[Any, Any, bool]:
    """Await `work` in a copy of the current context; call `waits` when it first has to wait."""
    run = copy_context().run
    try:
        waited = run(work.send, None)
        waits()
        while True:
            try:
                heard = yield waited
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                waited = run(work.throw, error)
            else:
                waited = run(work.send, heard)
    except StopIteration as end:
        done: bool = end.value
        return done
