"""The thread that owns a model: it takes requests from a line, lets the engine compute them, and delivers the events.

It starts with the first request and holds no reference to the backend, so that a forgotten backend is stopped. While
nothing is asked, it gives its model up to others who need the room; the next request loads it again.

A grammar may take seconds to make. Other threads make it, while those who have theirs are answered; the model stays
until they are done.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread

from graphrt.backends.errors import BackendError
from graphrt.backends.events import Failed
from graphrt.backends.llama.engine.engine import Engine
from graphrt.backends.llama.engine.shelf import SHELF
from graphrt.backends.llama.engine.task import Effort, Task
from graphrt.backends.llama.engine.vectors import Reading, Vectors
from graphrt.backends.llama.generate import Speaker
from graphrt.backends.llama.mailbox import Mailbox, Post
from graphrt.backends.llama.native.library import Aborted, log
from graphrt.backends.llama.native.model import Model, Placement
from graphrt.backends.llama.retrieval import Pairs, Retriever, Texts
from graphrt.backends.messages import Request

MAKERS = 2
"""Threads that make grammars: one that takes long holds no short one up."""


class Job:
    """One request, the mailbox of whoever asked, and `owner`: for whom, so that all get their turn."""

    def __init__(self, request: Request | Texts | Pairs, owner: Hashable = None) -> None:
        self.request = request
        self.owner = owner
        self.mailbox = Mailbox()
        self.state: Literal["waiting", "running", "done"] = "waiting"
        self.task: Task | None = None
        self.engine: Engine | Vectors | None = None
        self.prepared = not (isinstance(request, Request) and (request.output is not None or request.tools))
        """Whether there is nothing to make before it can be answered."""


class Worker:
    """The thread and its line. `speaker` and `retriever` are there while the model is loaded, once each was needed:
    `load` and `retrieve` make them of its weights."""

    def __init__(
        self,
        path: Path,
        placement: Placement,
        load: Callable[[Model], Speaker],
        retrieve: Callable[[Model], Retriever],
        name: str,
    ) -> None:
        self._path = path
        self.placement = placement
        self._load = load
        self._retrieve = retrieve
        self._name = name
        self._line: deque[Job] = deque()
        self._jobs: dict[Mailbox, Job] = {}
        self._makers: ThreadPoolExecutor | None = None
        self._preparing: set[Job] = set()
        self._post = Post()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._stopping = False
        self._idle = False
        self._unloaded: threading.Event | None = None
        self.used = 0.0
        self._model: Model | None = None
        self._size = 0
        self.speaker: Speaker | None = None
        self.retriever: Retriever | None = None

    @property
    def _engines(self) -> list[Engine | Vectors]:
        return [half.engine for half in (self.speaker, self.retriever) if half is not None]

    def submit(self, job: Job) -> bool:
        """Put a job in the line; False if the worker is closed."""
        with self._changed:
            if self._closing:
                return False
            self._line.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
            return True

    def cancel(self, job: Job) -> bool:
        """Give a job up; True if the engine has it and will say when it has let go."""
        with self._changed:
            if job.state == "running" and job.task is not None and job.engine is not None:
                job.engine.interrupt(job.task)
                self._changed.notify()
                return True
            job.state = "done"
            return False

    def unload(self) -> bool:
        """Free the model if nothing was asked, and return whether that was done; the next request loads it again."""
        with self._changed:
            if not self._idle or self._line or self._model is None:
                return False
            done = self._unloaded = threading.Event()
            self._changed.notify()
        done.wait()
        return True

    def close(self) -> None:
        """Take no more jobs; the thread ends after those it has."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def stop(self, *, wait: bool = True) -> None:
        """Interrupt everything and end; at the end of the process, and when the backend is forgotten."""
        with self._changed:
            self._closing = self._stopping = True
            for engine in self._engines:
                engine.stop()
            self._changed.notify()
        if wait and self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    async def wait(self) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            own = anyio.CapacityLimiter(1)
            await anyio.to_thread.run_sync(self._thread.join, abandon_on_cancel=True, limiter=own)

    def _run(self) -> None:
        try:
            while (jobs := self._take()) is not None:
                for job in jobs:
                    self._begin(job)
                for engine in self._engines:
                    if engine.busy:
                        self._step(engine)
                self._account()
                self._deliver()
        finally:
            if self._makers is not None:
                self._makers.shutdown(cancel_futures=True)
            with self._changed:
                self._closing = True
                left = [*self._line, *self._preparing]
                self._line.clear()
                self._preparing.clear()
            self._end(self._closed)
            for job in left:
                self._over(job, self._closed())
            self._deliver()
            self._free()

    def _take(self) -> list[Job] | None:
        """The jobs that have come; None at the end. Waits while there is nothing to do."""
        with self._changed:
            while not (self._line or self._jobs or self._stopping or (self._closing and not self._preparing)):
                self._idle = not self._preparing
                self._changed.wait()
                self._idle = False
                if self._unloaded is not None:
                    self._free()
            self.used = time.monotonic()
            jobs = list(self._line)
            self._line.clear()
            return jobs if jobs or self._jobs else None

    def _begin(self, job: Job) -> None:
        """Hand a job to the engine, once there is one."""
        try:
            half = self._loaded(job)
            if job.prepared:
                half.engine.add(self._started(job, half))
            else:
                self._prepare(job, half)
        except Aborted:
            self._over(job, self._closed())
        except BackendError as error:
            self._over(job, error)
        except Exception as error:
            log.exception("loading failed")
            self._over(job, BackendError(f"{type(error).__name__}: {error}", provider=self._name))

    def _prepare(self, job: Job, half: Speaker | Retriever) -> None:
        """Have others make what a job needs, and put it in the line again when that is there."""
        if self._makers is None:
            self._makers = ThreadPoolExecutor(MAKERS, thread_name_prefix=f"{self._name} grammars")

        def make() -> None:
            try:
                if job.state != "done" and isinstance(half, Speaker) and isinstance(job.request, Request):
                    half.prepare(job.request)
            finally:
                with self._changed:
                    job.prepared = True
                    self._preparing.discard(job)
                    self._line.append(job)
                    self._changed.notify()

        with self._changed:
            self._preparing.add(job)
        try:
            self._makers.submit(make)
        except RuntimeError:  # the interpreter is ending
            self._preparing.discard(job)
            raise

    def _started(self, job: Job, half: Speaker | Retriever) -> Task:
        with self._changed:
            if job.state == "done" or self._stopping:
                raise Aborted
            effort = Effort()
            kind: type[Task] = Task if isinstance(half, Speaker) else Reading
            request: Any = job.request  # as `_loaded` saw it
            work: Any = half.answer(request, lambda event: self._post.put(job.mailbox, event), effort)
            job.task = task = kind(work, effort, owner=job.owner, over=lambda: self._over(job))
            job.engine = half.engine
            job.state = "running"
            self._jobs[job.mailbox] = job
            return task

    def _loaded(self, job: Job) -> Speaker | Retriever:
        """The half of the model that a job needs."""
        speaks = isinstance(job.request, Request)
        half = self.speaker if speaks else self.retriever
        if half is not None:
            return half
        if job.state == "done" or self._stopping:
            raise Aborted
        if self._model is None:
            SHELF.make_room(self._path, self.placement)
            self._model = SHELF.borrow(self._path, self.placement)
        try:
            if speaks:
                half = self.speaker = self._load(self._model)
            else:
                half = self.retriever = self._retrieve(self._model)
        finally:
            if not self._engines:
                SHELF.give_back(self._model)
                self._model = None
        self._account()
        return half

    def _account(self) -> None:
        """Tell the shelf what the contexts take, where that is news."""
        size = sum(engine.bytes for engine in self._engines)
        if size != self._size:
            self._size = size
            SHELF.enter(self, size)

    def _free(self) -> None:
        with self._changed:
            for engine in self._engines:
                engine.close()
            self.speaker = self.retriever = None
            if self._model is not None:
                SHELF.leave(self)
                SHELF.give_back(self._model)
                self._model, self._size = None, 0
            if self._unloaded is not None:
                self._unloaded.set()
                self._unloaded = None

    def _step(self, engine: Engine | Vectors) -> None:
        try:
            if isinstance(engine, Engine):
                engine.step(self._deliver)
            else:
                engine.step()
        except Aborted:
            self._end(self._closed)
        except Exception as error:
            log.exception("a step failed")
            words = f"{type(error).__name__}: {error}"
            engine.reset()
            self._end(lambda: BackendError(words, provider=self._name), engine)

    def _end(self, error: Callable[[], BackendError], engine: Engine | Vectors | None = None) -> None:
        """Let go of everybody at once, or of those whom one engine has."""
        for job in list(self._jobs.values()):
            if job.task is not None and engine in {None, job.engine}:
                job.task.work.close()
                self._over(job, error())

    def _over(self, job: Job, error: BackendError | None = None) -> None:
        """A job is over: in the error, if there is one and its stream has not ended otherwise."""
        with self._changed:
            job.state = "done"
            self._jobs.pop(job.mailbox, None)
        if error is not None:
            self._post.put(job.mailbox, Failed(error))
        self._post.put(job.mailbox, None)

    def _deliver(self) -> None:
        for box in self._post.deliver():
            if (job := self._jobs.get(box)) is not None:
                self.cancel(job)

    def _closed(self) -> BackendError:
        return BackendError(f"{self._name} was closed", provider=self._name)
