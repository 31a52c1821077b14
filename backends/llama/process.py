"""One child process with a model in it, from its start to its end, and the answers it owes.

Three threads talk to it: one hands it the lines it is told, one keeps the last words of its stderr, and one starts it,
delivers the events of its answers and, when it has ended, ends the answers that are left. So no event loop is ever
blocked, and a slow reader holds nobody up: what waits for a reader is at most the answer, which the context bounds.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, Any, cast

from graphrt.backends.base import Capabilities
from graphrt.backends.codec import read_event
from graphrt.backends.errors import BackendError
from graphrt.backends.events import Failed, Fold
from graphrt.backends.llama.mailbox import Mailbox, Post
from graphrt.backends.llama.native.ending import ending
from graphrt.backends.llama.retrieval import read_result

log = logging.getLogger("graphrt.llama")

_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from graphrt.backends.llama.child import main; main()"
"""The child's modules are found where ours are, however these were found."""
_PRIVATE = re.compile("KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
"""Variables that a model has no use for: what is not there cannot be printed when the process dies (M9)."""
_CHUNK = 1 << 16
_LONGEST_LINE = 300
_LAST_LINES = 4
_LINGERING = 10.0
"""Seconds that a process may take to end after it has closed its pipe."""


def command() -> list[str]:
    """What starts a child."""
    return [sys.executable, "-c", _BOOT, json.dumps(sys.path)]


class _Asked:
    """An answer that is owed: who reads it, and what was said of it."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.fold = Fold()


class Process:
    """A child that runs `LlamaCpp(**opening)`, which is JSON, as requests are.

    `knows` is called with what the model can do, and `ended` once with how the process ended, if nobody here ended it:
    what that returns is the error of the answers that were cut off. Both are called in its thread.
    """

    def __init__(
        self,
        opening: str,
        *,
        name: str,
        knows: Callable[[Capabilities], None],
        ended: Callable[[Process, str], BackendError],
    ) -> None:
        self.spoke = False
        """Whether it ever began an answer."""
        self.code = ""
        """The signal or exit code that ended it."""
        self._knows = knows
        self._ended = ended
        self._changed = threading.RLock()  # a backend may be forgotten in the middle of anything
        self._asked: dict[int, _Asked] = {}
        self._count = 0
        self._over = False
        self._fate: BackendError | None = None
        self._running: subprocess.Popen[bytes] | None = None
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._words: deque[str] = deque(maxlen=_LAST_LINES)
        self._post = Post()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._lines.put(f'{{"open": {opening}}}\n'.encode())

    @property
    def pid(self) -> int | None:
        """The id of the process, while there is one."""
        return None if self._running is None or self._over else self._running.pid

    def start(self, request: str, mailbox: Mailbox, run: str | None) -> int:
        """Start with a first request, to be answered into a mailbox, for a run. The number is for `cancel`."""
        number = self._add(request, mailbox, run)
        self.thread.start()
        return number

    def ask(self, request: str, mailbox: Mailbox, run: str | None) -> int | None:
        """Have another request answered; None if the process has ended."""
        with self._changed:
            return None if self._over else self._add(request, mailbox, run)

    def _add(self, request: str, mailbox: Mailbox, run: str | None) -> int:
        self._count += 1
        self._asked[self._count] = _Asked(mailbox)
        self._lines.put(f'{{"ask": {self._count}, "run": {json.dumps(run)}, "request": {request}}}\n'.encode())
        return self._count

    def cancel(self, number: int) -> bool:
        """Give an answer up; True if the mailbox will be told when the model has let go of it."""
        with self._changed:
            if number not in self._asked:
                return False
            self._tell(cancel=number)
            return True

    def close(self) -> None:
        """Let it end after what was asked."""
        self._tell(close=True)

    def kill(self, why: BackendError) -> None:
        """End it now; what it owes ends in `why`."""
        with self._changed:
            if self._fate is None:
                self._fate = why
            if self._running is not None:
                self._running.kill()

    def _tell(self, **message: Any) -> None:
        self._lines.put(json.dumps(message).encode() + b"\n")

    def _run(self) -> None:
        try:
            how = self._live()
        except Exception as error:
            log.exception("a model's process broke")
            how = f"cannot be talked to: {type(error).__name__}: {error}"
        with self._changed:
            self._over = True
            left, self._asked = list(self._asked.values()), {}
        why = self._fate or self._ended(self, how)
        for asked in left:
            if asked.fold.terminal is None:
                self._post.put(asked.mailbox, Failed(_of(why, asked.fold)))
            self._post.put(asked.mailbox, None)
        self._post.deliver()

    def _live(self) -> str:
        """Start the process and deliver what it says, until it has ended; return how that came."""
        environ = {name: value for name, value in os.environ.items() if not _PRIVATE.search(name)}
        with subprocess.Popen(  # noqa: S603 - ourselves
            command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
        ) as running:
            with self._changed:
                self._running = running
                if self._fate is not None:
                    running.kill()
            stdin, stdout, stderr = (
                cast("IO[bytes]", each) for each in (running.stdin, running.stdout, running.stderr)
            )
            threads = [
                threading.Thread(target=self._write, args=(stdin,), daemon=True),
                threading.Thread(target=self._overhear, args=(stderr,), daemon=True),
            ]
            for thread in threads:
                thread.start()
            try:
                self._listen(stdout)
                with suppress(subprocess.TimeoutExpired):
                    running.wait(_LINGERING)
            finally:
                running.kill()
                self._lines.put(None)
                for thread in threads:
                    thread.join()
            self.code, how = _told(running.wait())
        words = " / ".join(self._words)
        return f"{how}; its last words: {words}" if words else how

    def _write(self, pipe: IO[bytes]) -> None:
        with suppress(OSError), pipe:  # it has ended, which its other pipe says, too
            while (line := self._lines.get()) is not None:
                pipe.write(line)
                pipe.flush()

    def _overhear(self, pipe: IO[bytes]) -> None:
        while line := pipe.readline(_LONGEST_LINE):
            if words := line.decode("utf-8", "replace").strip():
                self._words.append(words)
                log.error("%s", words)

    def _listen(self, pipe: IO[bytes]) -> None:
        rest = b""
        while chunk := pipe.read1(_CHUNK):  # type: ignore[attr-defined]
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._hear(json.loads(line))
            for gone in self._post.deliver():
                self._forsake(gone)

    def _hear(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"id": number, "event": written}:
                event = read_event(written)
                self.spoke = True
                asked = self._asked[number]
                asked.fold.add(event)
                self._post.put(asked.mailbox, event)
            case {"id": number, "result": written}:
                self.spoke = True
                self._post.put(self._asked[number].mailbox, read_result(written))
            case {"id": number, "over": _}:
                with self._changed:
                    asked = self._asked.pop(number)
                self._post.put(asked.mailbox, None)
            case {"knows": known}:
                self._knows(Capabilities(**known))

    def _forsake(self, mailbox: Mailbox) -> None:
        """Nobody is left to read it: its event loop is gone."""
        number = next((number for number, asked in self._asked.items() if asked.mailbox is mailbox), None)
        if number is not None:
            self.cancel(number)


def _told(code: int) -> tuple[str, str]:
    """A return code as a name and in words."""
    if code >= 0:
        return f"exit {code}", f"ended by itself with exit code {code}"
    name = ending(code)
    return name, f"was killed by {name}" + (", as the system does when memory runs out" if name == "SIGKILL" else "")


def _of(why: BackendError, fold: Fold) -> BackendError:
    """The error that ended a process, for one of its answers."""
    partial = fold.partial()
    return type(why)(
        why.provider_message,
        provider=why.provider,
        code=why.code,
        retryable=why.retryable,
        partial=partial if partial.parts else None,
    )
