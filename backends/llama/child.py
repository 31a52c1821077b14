"""The process in which `Isolated` runs its model: what it is told on stdin, a line of JSON at a time, and answers.

    {"open": {"path": "tiny", "n_ctx": 512}}     once, first: what `LlamaCpp` takes
    {"ask": 1, "run": "…" or null, "request": {…}}   {"cancel": 1}   {"close": true}

    {"knows": {…}}   {"id": 1, "event": {…}}   {"id": 1, "over": true}

A request is one of `Backend.stream`, or what is to be embedded, {"texts": […]}, or ranked, {"query": "…", "documents":
[…]}: of these two there is one result, {"id": 1, "result": {…}}, or an event that says what went wrong.

Many requests are answered at once. After `close` the process answers what was asked and ends; when stdin is closed,
nobody is left to answer to, and it ends in the middle of whatever it does. Its answers go through a pipe of their own:
whatever else is printed, by native code too, goes to stderr.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import aclosing
from functools import partial
from typing import IO, Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from graphrt.backends.base import Capabilities
from graphrt.backends.codec import write_event
from graphrt.backends.errors import BackendError
from graphrt.backends.events import Failed, Started
from graphrt.backends.llama.backend import LlamaCpp
from graphrt.backends.llama.owner import ask_for
from graphrt.backends.llama.retrieval import write_result
from graphrt.backends.messages import Request


class _Answers:
    """The pipe on which answers go out. Written to from one thread, the event loop's."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._known: Capabilities | None = None

    def say(self, **message: Any) -> None:
        """Write a line; where nobody reads any more, the process ends."""
        try:
            self._pipe.write(json.dumps(message).encode() + b"\n")
            self._pipe.flush()
        except OSError:
            os._exit(0)

    def know(self, known: Capabilities) -> None:
        """Say what the model can do, where that is news."""
        if known != self._known:
            self._known = known
            self.say(knows=known.model_dump(exclude_defaults=True))


def main() -> None:
    """Be the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to deal with
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(message)s")
    commands, answers = _pipes()
    with start_blocking_portal() as portal:
        backend = LlamaCpp(**json.loads(next(commands))["open"])
        closing = threading.Event()
        told = (commands, backend, portal, _Answers(answers), closing)
        threading.Thread(target=_obey, args=told, daemon=True).start()
        closing.wait()
        portal.call(backend.aclose)


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take stdin and stdout away from everybody else: reads find nothing, prints go to stderr."""
    commands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return commands, answers


def _obey(
    commands: Iterable[bytes], backend: LlamaCpp, portal: BlockingPortal, answers: _Answers, closing: threading.Event
) -> None:
    """Do what is said, to the end of the process: answers may be given up while others are waited for."""
    asked: dict[int, Future[None]] = {}
    for line in commands:
        match json.loads(line):
            case {"ask": number, "run": run, "request": request}:
                asked[number] = portal.start_task_soon(_answer, backend, number, run, request, answers)
                asked[number].add_done_callback(partial(_forget, asked, number))
            case {"cancel": number} if (answering := asked.get(number)) is not None:
                answering.cancel()
            case {"close": _}:
                closing.set()
    os._exit(0)


def _forget(asked: dict[int, Future[None]], number: int, _: Future[None]) -> None:
    del asked[number]


async def _answer(backend: LlamaCpp, number: int, run: str | None, request: Any, answers: _Answers) -> None:
    """Answer one request; whatever happens to it, `over` says that the model has let go of it."""
    ask_for(run)
    try:
        match request:
            case {"texts": texts}:
                answers.say(id=number, result=write_result(await backend.embed(texts)))
            case {"query": query, "documents": documents}:
                answers.say(id=number, result=write_result(await backend.rerank(query, documents)))
            case _:
                await _stream(backend, number, Request.model_validate(request), answers)
    except BackendError as error:
        answers.say(id=number, event=write_event(Failed(error)))
    except Exception as error:
        logging.exception("an answer broke")
        broken = BackendError(f"{type(error).__name__}: {error}", provider=backend.name)
        answers.say(id=number, event=write_event(Failed(broken)))
    finally:
        answers.say(id=number, over=True)


async def _stream(backend: LlamaCpp, number: int, request: Request, answers: _Answers) -> None:
    async with aclosing(backend.stream(request)) as events:
        async for event in events:
            if isinstance(event, Started):
                answers.know(backend.capabilities)
            answers.say(id=number, event=write_event(event))
