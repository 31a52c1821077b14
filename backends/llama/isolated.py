"""`Isolated`: a GGUF model in a process of its own, as a backend.

What kills native code (an assertion of llama.cpp, a bad address, the system when memory runs out) kills that process
and not this one: every answer it owed ends in a retryable error, and the next request starts another. Nothing is
asked twice by itself. The process ends with this one, however this one ends.

Cancelled or closed, `stream` waits until the model has let go of the request; a process that has not done so after
`PATIENCE` seconds is ended, and what else it owed with it.
"""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from graphrt.backends.base import Capabilities
from graphrt.backends.embedding import Embeddings, Ranking, several
from graphrt.backends.errors import BackendError, BadRequest, ServerError
from graphrt.backends.events import Failed, StreamEvent
from graphrt.backends.llama.backend import TINY, LlamaCpp
from graphrt.backends.llama.mailbox import Mailbox
from graphrt.backends.llama.owner import owner
from graphrt.backends.llama.process import Process
from graphrt.backends.llama.retrieval import Pairs, Texts, result
from graphrt.backends.messages import Request

PATIENCE = 30.0
"""Seconds that a process may take to let go of a request."""
STILLBORN = 3
"""Processes in a row that die of the same, before they have said anything, after which another try is no remedy."""


class Isolated:
    """A GGUF model run by llama.cpp in a child process.

    It takes what `LlamaCpp` takes and answers as that does. The process starts with the first request, serves many at
    once, and from several event loops. It has this process's environment without the variables that are named like
    secrets.
    """

    def __init__(self, path: str | Path = TINY, **options: Any) -> None:
        self._model = LlamaCpp(path, **options)  # never asked: it checks the options
        self._children = _Children(json.dumps({"path": str(path), **options}), self.name)
        weakref.finalize(self, self._children.forget)

    def __repr__(self) -> str:
        return f"Isolated({str(self._model.path)!r})"

    @property
    def name(self) -> str:
        """What errors and records call it."""
        return f"llama_cpp+worker:{self._model.path.stem}"

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; the context and the tools are known once the model has been loaded."""
        return self._children.known or self._model.capabilities

    @property
    def pid(self) -> int | None:
        """The id of the process that has the model, while there is one."""
        return self._children.pid

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer `request`, beside others; the runs that ask take turns, as in this process.

        Where there is no process, one is started, and never a second for the same request.
        """
        return self._events(request)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Make a vector of each text, as `LlamaCpp.embed`. Cancelled, it waits as `stream` does."""
        found: Embeddings = await result(self._events(Texts(several(texts, "texts"))))
        return found

    async def rerank(self, query: str, documents: Sequence[str]) -> Ranking:
        """Score documents against a query, as `LlamaCpp.rerank`. Cancelled, it waits as `stream` does."""
        found: Ranking = await result(self._events(Pairs(query, several(documents, "documents"))))
        return found

    async def _events(self, request: Request | Texts | Pairs) -> AsyncGenerator[Any]:
        mailbox = Mailbox()
        try:
            process, number = self._children.ask(_written(request, self.name), mailbox, owner())
        except BackendError as error:
            yield Failed(error)
            return
        try:
            while (event := await mailbox.take()) is not None:
                yield event
        finally:
            if process.cancel(number):
                with anyio.CancelScope(shield=True):
                    await _let_go(process, mailbox, self.name)

    async def aclose(self) -> None:
        """Answer what was asked so far, then end the process; later requests fail. Idempotent.

        Cancelled, it ends the process at once.
        """
        self._children.close()
        try:
            await self._children.wait()
        except BaseException:
            self._children.stop()
            with anyio.CancelScope(shield=True):
                await self._children.wait()
            raise


def _written(request: Request | Texts | Pairs, name: str) -> str:
    try:
        return json.dumps(request.model_dump(mode="json") if isinstance(request, Request) else asdict(request))
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the request is no JSON: {error}", provider=name) from error


async def _let_go(process: Process, mailbox: Mailbox, name: str) -> None:
    """Wait until nobody works on an answer any more."""
    with anyio.move_on_after(PATIENCE) as patience:
        while await mailbox.take() is not None:
            pass
    if patience.cancelled_caught:
        stuck = f"the model's process did not let go of a request within {PATIENCE:g} s and was ended"
        process.kill(ServerError(stuck, provider=name))
        while await mailbox.take() is not None:
            pass


class _Children:
    """The process that there is, and the memory of those before it. Holds no reference to the backend."""

    def __init__(self, opening: str, name: str) -> None:
        self._opening = opening
        self._name = name
        self._changed = threading.RLock()  # a backend may be forgotten in the middle of anything
        self._closed = False
        self._process: Process | None = None
        self._stillborn = 0
        self._cause = ""
        self.known: Capabilities | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def ask(self, request: str, mailbox: Mailbox, run: str | None = None) -> tuple[Process, int]:
        """Have a request of a run answered. Raises BackendError if it is too late for that."""
        with self._changed:
            if self._closed:
                raise BackendError(f"{self._name} is closed", provider=self._name)
            if self._process is not None and (number := self._process.ask(request, mailbox, run)) is not None:
                return self._process, number
            self._process = Process(self._opening, name=self._name, knows=self._learn, ended=self._ended)
            return self._process, self._process.start(request, mailbox, run)

    def close(self) -> None:
        """Take no more requests; the process ends after those it has."""
        with self._changed:
            self._closed = True
            if self._process is not None:
                self._process.close()

    def stop(self) -> None:
        """Take no more requests, and end the process in the middle of whatever it does."""
        with self._changed:
            self._closed = True
            if self._process is not None:
                self._process.kill(BackendError(f"{self._name} was closed", provider=self._name))

    def forget(self) -> None:
        """Stop; at the end of our process, and when the backend is forgotten: in any thread, which may be one that the
        process's own thread waits for."""
        self.stop()
        if self._process is not None and threading.current_thread() is threading.main_thread():
            self._process.thread.join()

    async def wait(self) -> None:
        """Wait until the process has ended."""
        if self._process is not None:
            own = anyio.CapacityLimiter(1)
            await anyio.to_thread.run_sync(self._process.thread.join, abandon_on_cancel=True, limiter=own)

    def _learn(self, known: Capabilities) -> None:
        self.known = known

    def _ended(self, process: Process, how: str) -> BackendError:
        """Why a process that nobody ended is no more: a retry helps, unless it never does."""
        with self._changed:
            if process.spoke:
                self._stillborn, self._cause = 0, ""
            else:
                self._stillborn = self._stillborn + 1 if how == self._cause else 1
                self._cause = how
            again = self._stillborn < STILLBORN
        words = f"the model's process {how}"
        if not again:
            words = f"{words} ({self._stillborn} times in a row before it could answer: another try is no remedy)"
        return ServerError(words, provider=self._name, code=process.code or None, retryable=again)
