"""A server on a real socket that speaks the OpenAI chat dialect, and misbehaves on request.

It runs in threads of its own, so that one server serves tests on every async engine. It remembers what it was asked,
and notices when a client hangs up.
"""

import json
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 10.0
"""Seconds after which a wait that should be over at once is given up."""


@dataclass(frozen=True)
class Stream:
    """A stream of chunks. `cut_after` drops the connection after so many bytes; `stall_after` goes silent after so many
    events, until the client hangs up."""

    chunks: tuple[str, ...]
    cut_after: int | None = None
    stall_after: int | None = None
    content_type: str = "text/event-stream"


@dataclass(frozen=True)
class Whole:
    """One body, whatever it is."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


Reply = Stream | Whole


@dataclass(frozen=True)
class Received:
    path: str
    headers: Mapping[str, str]
    body: Any


class Loopback:
    """What the server is to answer, and what it has seen."""

    def __init__(self, answer: Callable[[Any], Reply]) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self._changed = threading.Condition()
        self._hung_up = 0
        self.base_url = ""

    def hung_up(self) -> None:
        with self._changed:
            self._hung_up += 1
            self._changed.notify_all()

    def wait_for_hangups(self, count: int = 1) -> bool:
        """Block until so many clients have hung up on an unfinished answer."""
        with self._changed:
            return self._changed.wait_for(lambda: self._hung_up >= count, PATIENCE)


@contextmanager
def serve(answer: Reply | Iterable[Reply] | Callable[[Any], Reply]) -> Iterator[Loopback]:
    """A server that gives one answer always, answers in turn, or what a function of the request's body says."""
    if isinstance(answer, (Stream, Whole)):
        one = answer
        loopback = Loopback(lambda _: one)
    elif callable(answer):
        loopback = Loopback(answer)
    else:
        turns = iter(answer)
        loopback = Loopback(lambda _: next(turns))

    class Handler(_Handler):
        server_of = loopback

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # joined at the end: no thread outlives its test
    loopback.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield loopback
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_of: Loopback
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server_of.received.append(Received(self.path, dict(self.headers), json.loads(body)))
        reply = self.server_of.answer(json.loads(body))
        try:
            if isinstance(reply, Whole):
                self._send_whole(reply)
            else:
                self._send_stream(reply)
        except (BrokenPipeError, ConnectionResetError):
            self.server_of.hung_up()
            self.close_connection = True

    def _send_whole(self, reply: Whole) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def _send_stream(self, reply: Stream) -> None:
        self.send_response(200)
        self.send_header("content-type", reply.content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        left = reply.cut_after
        for number, chunk in enumerate(reply.chunks):
            if reply.stall_after == number:
                self._wait_for_hangup()
                return
            data = chunk.encode()
            if left is not None and left < len(data):
                self._chunk(data[:left])
                self._cut()
                return
            left = None if left is None else left - len(data)
            self._chunk(data)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _wait_for_hangup(self) -> None:
        self.close_connection = True
        readable, _, _ = select.select([self.connection], [], [], PATIENCE)
        if readable and not self.connection.recv(1):
            self.server_of.hung_up()


# what such a server says


def event(data: Any) -> str:
    """One server-sent event."""
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"


def delta(said: Mapping[str, Any], finish: str | None = None, **more: Any) -> str:
    """One chunk of a completion."""
    choice = {"index": 0, "delta": said, "finish_reason": finish}
    return event(
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "echo-1", "choices": [choice], **more}
    )


USAGE = event(
    {"id": "chatcmpl-1", "model": "echo-1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
)
DONE = event("[DONE]")


def text(*words: str, finish: str = "stop") -> tuple[str, ...]:
    """A whole answer in words."""
    return (
        delta({"role": "assistant", "content": ""}),
        *(delta({"content": word}) for word in words),
        delta({}, finish),
        USAGE,
        DONE,
    )


def call(name: str, arguments: str, *, id: str = "call_1", index: int = 0) -> tuple[str, ...]:
    """The fragments of a tool call, without an end."""
    head = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
    pieces = [arguments[i : i + 5] for i in range(0, len(arguments), 5)]
    return (
        delta({"role": "assistant", "content": None, "tool_calls": [head]}),
        *(delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in pieces),
    )
