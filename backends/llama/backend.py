"""`LlamaCpp`: a GGUF model inside this process, as a backend.

One thread owns the model. Requests wait in line for it and each writes its events into a mailbox of its own, so that
a slow reader holds nobody up and no event loop is ever blocked. The same backend serves several event loops.

Cancelled or closed, `stream` interrupts the computation within about a millisecond, waits until the thread has let go
of the context, and leaves the other requests alone; one that had not begun leaves the line at once.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Literal, Protocol, cast

import anyio
import anyio.lowlevel
import anyio.to_thread

from graphrt.backends.base import Capabilities
from graphrt.backends.errors import BackendError
from graphrt.backends.events import Failed, StreamEvent
from graphrt.backends.llama.engine import Aborted, Engine, log
from graphrt.backends.llama.generate import Speaker
from graphrt.backends.messages import Request

TINY = "tiny"


def tiny_model() -> Path:
    """The path of the small model that comes with the package (its README, beside it, says what it can do)."""
    return Path(__file__).parent / "tiny" / "tiny-agent-q8_0.gguf"


class LlamaCpp:
    """A GGUF model run by llama.cpp in this process.

    The file is read at the first request, in a thread. `path` may be "tiny", the model that comes with the package.
    `n_ctx` is the context in tokens: what the model was trained on, and at most 4,096, unless given. `n_threads` is 1
    for models under 50 million parameters and else the processors at hand. `n_gpu_layers` is 0 unless given, -1 is
    all. `chat_template` replaces the one in the file.

    Without a temperature the likeliest token is always taken, so that the same request has the same answer. With one
    and no seed, a seed is drawn and reported in `usage.raw["seed"]`. On a CPU, an answer does not depend on what was
    asked before or beside it.
    """

    def __init__(
        self,
        path: str | Path = TINY,
        *,
        n_ctx: int | None = None,
        n_threads: int | None = None,
        n_gpu_layers: int = 0,
        chat_template: str | None = None,
    ) -> None:
        for name, value, least in (
            ("n_ctx", n_ctx, 1),
            ("n_threads", n_threads, 1),
            ("n_gpu_layers", n_gpu_layers, -1),
        ):
            if value is not None and not least <= value < 2**31:
                raise ValueError(f"{name} is {value}; it must be at least {least}")
        self.path = tiny_model() if path == TINY else Path(path)
        name = self.name

        def load() -> Speaker:
            engine = Engine(resolved, n_ctx=n_ctx, n_threads=n_threads, n_gpu_layers=n_gpu_layers)
            try:
                return Speaker(engine, name=name, model=resolved.stem, chat_template=chat_template)
            except BaseException:
                engine.close()
                raise

        resolved = self.path
        self._worker = _Worker(load, name)
        self._context = n_ctx
        weakref.finalize(self, self._worker.stop)

    def __repr__(self) -> str:
        return f"LlamaCpp({str(self.path)!r})"

    @property
    def name(self) -> str:
        """What errors and records call it."""
        return f"llama_cpp:{self.path.stem}"

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; the context and the tools are known once the model is loaded."""
        speaker = self._worker.speaker
        return Capabilities(
            streaming=True,
            usage=True,
            tools=None if speaker is None else speaker.template.takes_tools,
            json_schema=True,
            seed=True,
            context_tokens=self._context if speaker is None else speaker.engine.n_ctx,
        )

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """Answer `request`. Requests are answered one at a time, in the order they were made."""
        job = _Job(request)
        if not self._worker.submit(job):
            yield Failed(BackendError(f"{self.name} is closed", provider=self.name))
            return
        try:
            while (event := await job.mailbox.take()) is not None:
                yield event
        finally:
            if self._worker.cancel(job):
                with anyio.CancelScope(shield=True):
                    while await job.mailbox.take() is not None:
                        pass

    async def aclose(self) -> None:
        """Answer what was asked so far, then free the model; later requests fail. Idempotent.

        Cancelled, it interrupts the answers instead of waiting for their end.
        """
        self._worker.close()
        try:
            await self._worker.wait()
        except BaseException:
            self._worker.stop(wait=False)
            with anyio.CancelScope(shield=True):
                await self._worker.wait()
            raise


class _Loop(Protocol):
    """What an event loop offers other threads."""

    def __call__(self, call: Callable[[], object], /) -> object: ...


class _Mailbox:
    """Events from the engine's thread to one reader in an event loop; None ends them. `put` never waits."""

    def __init__(self) -> None:
        token = anyio.lowlevel.current_token().native_token
        soon = getattr(token, "call_soon_threadsafe", None) or getattr(token, "run_sync_soon", None)
        self._soon = cast("_Loop", soon)
        self._events: deque[StreamEvent | None] = deque()
        self._bell = anyio.Event()
        self._ringing = False

    def put(self, event: StreamEvent | None) -> bool:
        """Leave an event, from any thread; False if the reader's loop is gone."""
        self._events.append(event)
        if self._ringing:
            return True
        self._ringing = True
        try:
            self._soon(self._ring)
        except RuntimeError:
            return False
        return True

    def _ring(self) -> None:
        self._ringing = False
        self._bell.set()

    async def take(self) -> StreamEvent | None:
        """Take the next event. Cancelled, it takes none."""
        while not self._events:
            self._bell = anyio.Event()
            await self._bell.wait()
        return self._events.popleft()


class _Job:
    """One request on its way through the line."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.mailbox = _Mailbox()
        self.state: Literal["waiting", "running", "done"] = "waiting"


class _Worker:
    """The thread that owns the model, and the line before it. Holds no reference to the backend."""

    def __init__(self, load: Callable[[], Speaker], name: str) -> None:
        self._load = load
        self._name = name
        self._line: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._stopping = False
        self.speaker: Speaker | None = None

    def submit(self, job: _Job) -> bool:
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

    def cancel(self, job: _Job) -> bool:
        """Give a job up; True if the thread is at it and will say when it has let go."""
        with self._changed:
            if job.state == "running":
                if self.speaker is not None:
                    self.speaker.engine.abort.set()
                return True
            job.state = "done"
            return False

    def close(self) -> None:
        """Take no more jobs; the thread ends after those in the line."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def stop(self, *, wait: bool = True) -> None:
        """Interrupt everything and end; at the end of the process, and when the backend is forgotten."""
        with self._changed:
            self._closing = self._stopping = True
            if self.speaker is not None:
                self.speaker.engine.abort.set()
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
            while (job := self._next()) is not None:
                self._work(job)
        finally:
            speaker, self.speaker = self.speaker, None
            if speaker is not None:
                speaker.engine.close()

    def _next(self) -> _Job | None:
        with self._changed:
            while not self._line and not self._closing:
                self._changed.wait()
            return self._line.popleft() if self._line else None

    def _work(self, job: _Job) -> None:
        """Answer one job, whatever happens to it, and say that it is over."""
        last: StreamEvent | None = None
        try:
            speaker = self._loaded(job)
            if not self._begin(job):
                last = self._closed()
                return
            speaker.answer(job.request, lambda event: self._deliver(job, event))
        except Aborted:
            last = self._closed()
        except BackendError as error:
            last = Failed(error)
        except Exception as error:
            log.exception("loading failed")
            last = Failed(BackendError(f"{type(error).__name__}: {error}", provider=self._name))
        finally:
            with self._changed:
                job.state = "done"
            if last is not None:
                job.mailbox.put(last)
            job.mailbox.put(None)

    def _loaded(self, job: _Job) -> Speaker:
        if self.speaker is None:
            if job.state == "done" or self._stopping:
                raise Aborted
            self.speaker = self._load()
        return self.speaker

    def _begin(self, job: _Job) -> bool:
        with self._changed:
            if job.state == "done" or self._stopping or self.speaker is None:
                return False
            job.state = "running"
            self.speaker.engine.abort.clear()
            return True

    def _deliver(self, job: _Job, event: StreamEvent) -> None:
        if not job.mailbox.put(event):
            raise Aborted

    def _closed(self) -> Failed:
        return Failed(BackendError(f"{self._name} was closed", provider=self._name))
