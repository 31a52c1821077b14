"""A provider on a real loopback socket that speaks every dialect, and misbehaves as it is told.

It runs in threads of its own, so that one provider serves tests on every async engine. It writes its answers piece by
piece, each in a segment of its own; it can hold back, fall silent, cut and reset; it knows what it was asked, how much
of an answer the client has taken, and who hung up.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any, Literal

from graphrt.backends.dialects.anthropic import Anthropic, VertexAnthropic
from graphrt.backends.dialects.bedrock import Bedrock
from graphrt.backends.dialects.cohere import Cohere
from graphrt.backends.dialects.gemini import Gemini, VertexGemini
from graphrt.backends.dialects.ollama_native import Ollama
from graphrt.backends.dialects.openai_chat import OpenAIChat
from graphrt.backends.dialects.openai_responses import OpenAIResponses
from graphrt.backends.dialects.profiles import profile_named
from graphrt.backends.dialects.responses_request import Variant
from graphrt.backends.dialects.tgi_native import Tgi
from graphrt.backends.remote import Remote

PATIENCE = 20.0
"""Seconds after which a wait that should be over at once is given up."""
_FULL = 0.2
"""Seconds without room in the socket after which the client counts as one that does not read."""
_TLS = b"\x16"
"""The first byte of a handshake."""


class Gate:
    """Holds answers back until it is opened, or their client hangs up."""

    def __init__(self) -> None:
        self._waiting, self._opening = socket.socketpair()

    def open(self) -> None:
        """Let everybody pass, now and later."""
        self._opening.send(b"x")

    def close(self) -> None:
        """Give the sockets back."""
        self._waiting.close()
        self._opening.close()

    def passed(self, connection: socket.socket) -> bool:
        """Wait. False if the client hung up first."""
        ready, _, _ = select.select([connection, self._waiting], [], [], PATIENCE)
        return connection not in ready and self._waiting in ready


@dataclass(frozen=True)
class Reply:
    """An answer: `pieces` of its body, each sent by itself, with a `Gate` wherever it is to be held back.

    `framing`: whether the body's end is told (`chunked`) or is the connection's (`close`). `end`: in order, cut off
    without the end that was promised, reset, or silence until the client hangs up. `mute`: nothing comes, not even a
    status.
    """

    pieces: Sequence[bytes | Gate]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    framing: Literal["chunked", "close"] = "chunked"
    end: Literal["whole", "cut", "reset", "stall"] = "whole"
    mute: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    number: int
    path: str
    headers: Mapping[str, str]
    body: Any


class Provider:
    """What the provider is to answer, and what it has seen."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self._answer = answer
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()
        self.base_url = ""
        self.connected = 0
        """Connections that clients have made."""
        self.asked: list[Asked] = []
        self.written: dict[int, int] = {}
        """Bytes of each answer's body that the network has taken."""
        self.held: set[int] = set()
        """Answers that wait at a gate."""
        self.blocked: set[int] = set()
        """Answers that could not be written on because their client did not read."""
        self.hung_up: list[int] = []
        """Answers whose client left before their end."""

    def wait_for(self, what: Callable[[Provider], bool]) -> bool:
        """Block until the provider has seen that; False when patience is over."""
        with self._changed:
            return self._changed.wait_for(lambda: what(self), PATIENCE)

    def run(self, listener: socket.socket, stopping: socket.socket) -> None:
        """Serve until `stopping` becomes readable."""
        while True:
            ready, _, _ = select.select([listener, stopping], [], [])
            if stopping in ready:
                return
            connection, _ = listener.accept()
            self.connected += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Close what is still open, and wait for every thread."""
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._changed:
            self._connections.add(connection)
        reader = connection.makefile("rb")
        asked: Asked | None = None
        try:
            while (asked := self._read(reader)) is not None:
                if not self._send(connection, self._answer(asked), asked):
                    break
        except OSError:
            if asked is not None:
                self._see(self.hung_up.append, asked.number)
        finally:
            # before the close: a lingering reader would keep the socket open
            reader.close()
            with self._changed:
                self._connections.discard(connection)
            connection.close()

    def _read(self, reader: BufferedReader) -> Asked | None:
        try:
            if reader.peek(1)[:1] == _TLS:
                return None  # nobody speaks TLS here
            line = reader.readline()
        except OSError:
            return None  # between two requests a client may leave as it likes
        if not line:
            return None
        headers = {}
        while said := reader.readline().strip():
            name, _, value = said.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = json.loads(reader.read(int(headers["content-length"])))
        with self._changed:
            asked = Asked(len(self.asked), line.split()[1].decode(), headers, body)
            self.asked.append(asked)
            self.written[asked.number] = 0
            self._changed.notify_all()
        return asked

    def _send(self, connection: socket.socket, reply: Reply, asked: Asked) -> bool:
        """Whether the connection serves another request afterwards."""
        chunked = reply.framing == "chunked"
        if reply.mute:
            return self._await_hangup(connection, asked)
        told = {**reply.headers, **({"transfer-encoding": "chunked"} if chunked else {"connection": "close"})}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        connection.sendall(f"HTTP/1.1 {reply.status} Said\r\n{head}\r\n".encode())
        for piece in reply.pieces:
            if isinstance(piece, Gate):
                self._see(self.held.add, asked.number)
                if not piece.passed(connection):
                    self._see(self.hung_up.append, asked.number)
                    return False
            elif piece:
                self._write(connection, b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece, asked.number)
        if reply.end == "stall":
            return self._await_hangup(connection, asked)
        if reply.end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if reply.end != "whole":
            return False
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        return chunked

    def _write(self, connection: socket.socket, data: bytes, number: int) -> None:
        left = memoryview(data)
        while left:
            if not select.select([], [connection], [], _FULL)[1]:
                self._see(self.blocked.add, number)
                select.select([], [connection], [], PATIENCE)
            taken = connection.send(left)
            left = left[taken:]
            with self._changed:
                self.written[number] += taken

    def _await_hangup(self, connection: socket.socket, asked: Asked) -> bool:
        if select.select([connection], [], [], PATIENCE)[0]:
            self._see(self.hung_up.append, asked.number)
        return False

    def _see(self, note: Callable[[int], object], number: int) -> None:
        with self._changed:
            note(number)
            self._changed.notify_all()


@contextmanager
def provide(answer: Reply | Iterable[Reply] | Callable[[Asked], Reply]) -> Iterator[Provider]:
    """A provider that gives one answer always, answers in turn, or what a function of the request says."""
    if isinstance(answer, Reply):
        one = answer
        provider = Provider(lambda _: one)
    elif callable(answer):
        provider = Provider(answer)
    else:
        turns = iter(answer)
        provider = Provider(lambda _: next(turns))
    stopping, stop = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener, stopping, stop:
        provider.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # a daemon: a command that ends in this process does not wait for it
        thread = threading.Thread(target=provider.run, args=(listener, stopping), daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            stop.send(b"x")
            thread.join()
            provider.stop()


def open_at(api: str, base_url: str, *, provider: str = "", **options: Any) -> Remote:
    """The backend that speaks `api` as `provider` does, at another address."""
    options = {"base_url": base_url, "key": "sk-none", **options}
    match api:
        case "chat_completions":
            return OpenAIChat("m", profile=profile_named(provider or "openai"), **options)
        case "responses":
            return OpenAIResponses("m", variant=Variant(provider or "openai_responses"), **options)
        case "messages" if provider == "google_vertex":
            return VertexAnthropic("m", project="p", **options)
        case "messages":
            return Anthropic("m", **options)
        case "generate_content" if provider == "google_vertex":
            return VertexGemini("m", project="p", **options)
        case "generate_content":
            return Gemini("m", **options)
        case "chat_v2":
            return Cohere("m", **options)
        case "converse":
            return Bedrock("m", **options)
        case "ollama_chat" | "ollama_generate":
            return Ollama("m", **options)
        case "tgi_generate":
            return Tgi("m", **options)
        case _:
            raise ValueError(f"nobody opens {api!r}")


# What such a provider says: each dialect's words for the same things.


@dataclass(frozen=True)
class Speech:
    """One dialect as a provider speaks it: what an answer in words is made of, how a call begins (with half of its
    arguments), how an answer ends, ends for want of tokens, and breaks off with an error, and how a request is refused.
    """

    api: str
    content_type: str
    begin: bytes
    word: Callable[[str], bytes]
    call: bytes | None
    end: bytes
    end_of_tokens: bytes
    error: Callable[[str], bytes]
    refusal: Callable[[str], Any]
    end_of_call: bytes = b""

    def text(self, *words: str) -> list[bytes]:
        """The pieces of a whole answer."""
        return [self.begin, *(self.word(word) for word in words), self.end]

    def reply(self, pieces: Sequence[bytes | Gate], **more: Any) -> Reply:
        """An answer of these pieces."""
        return Reply(pieces, headers={"content-type": self.content_type}, **more)

    def refused(self, status: int, message: str, **headers: str) -> Reply:
        """A refusal; a header's `_` stands for `-`."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps(self.refusal(message)).encode()
        return Reply([body], status, {"content-type": "application/json", **told})


def sse(data: Any, name: str | None = None) -> bytes:
    """One server-sent event."""
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"


def typed(kind: str, **facts: Any) -> bytes:
    """One server-sent event that says what it is, twice."""
    return sse({"type": kind, **facts}, kind)


def frame(payload: Any, **headers: str) -> bytes:
    """One frame of AWS's event stream; a header's `_` stands for `-`."""
    body = json.dumps(payload).encode()
    head = b""
    for name, value in headers.items():
        told = f":{name.replace('_', '-')}".encode()
        head += bytes([len(told)]) + told + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    start = struct.pack(">II", 16 + len(head) + len(body), len(head))
    whole = start + struct.pack(">I", zlib.crc32(start)) + head + body
    return whole + struct.pack(">I", zlib.crc32(whole))


def _aws(kind: str, **said: Any) -> bytes:
    return frame(said, message_type="event", event_type=kind)


def _line(**said: Any) -> bytes:
    return json.dumps(said).encode() + b"\n"


def _chunk(said: Any, finish: str | None = None) -> bytes:
    return sse({"id": "c", "model": "x", "choices": [{"index": 0, "delta": said, "finish_reason": finish}]})


def _candidate(*parts: Any, **more: Any) -> bytes:
    return sse({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0, **more}]})


_HALF = '{"path": "/tmp'
_DONE = b"data: [DONE]\n\n"
_STATUS = {"id": "r", "model": "x", "output": []}

SPEECHES: Mapping[str, Speech] = {
    "chat_completions": Speech(
        api="chat_completions",
        content_type="text/event-stream",
        begin=_chunk({"role": "assistant", "content": ""}),
        word=lambda word: _chunk({"content": word}),
        call=_chunk(
            {
                "tool_calls": [
                    {"index": 0, "id": "c1", "type": "function", "function": {"name": "rm", "arguments": _HALF}}
                ]
            }
        ),
        end=_chunk({}, "stop") + _DONE,
        end_of_tokens=_chunk({}, "length") + _DONE,
        error=lambda said: sse({"error": {"message": said, "type": "server_error", "code": None}}),
        refusal=lambda said: {"error": {"message": said, "type": None, "code": None}},
    ),
    "responses": Speech(
        api="responses",
        content_type="text/event-stream",
        begin=typed("response.created", response=_STATUS | {"status": "in_progress"}),
        word=lambda word: typed("response.output_text.delta", output_index=0, content_index=0, delta=word),
        call=typed(
            "response.output_item.added",
            output_index=0,
            item={"type": "function_call", "id": "f", "call_id": "c1", "name": "rm", "arguments": ""},
        )
        + typed("response.function_call_arguments.delta", output_index=0, item_id="f", delta=_HALF),
        end=typed("response.completed", response=_STATUS | {"status": "completed"}),
        end_of_tokens=typed(
            "response.incomplete",
            response=_STATUS | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        ),
        error=lambda said: typed("error", message=said, code="server_error"),
        refusal=lambda said: {"error": {"message": said, "type": None, "code": None}},
    ),
    "messages": Speech(
        api="messages",
        content_type="text/event-stream",
        begin=typed("message_start", message={"id": "m", "model": "x", "content": []}),
        word=lambda word: (
            typed("content_block_start", index=0, content_block={"type": "text", "text": ""})
            + typed("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
            + typed("content_block_stop", index=0)
        ),
        call=typed(
            "content_block_start", index=0, content_block={"type": "tool_use", "id": "c1", "name": "rm", "input": {}}
        )
        + typed("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": _HALF}),
        end_of_call=typed("content_block_stop", index=0),
        end=typed("message_delta", delta={"stop_reason": "end_turn"}) + typed("message_stop"),
        end_of_tokens=typed("message_delta", delta={"stop_reason": "max_tokens"}) + typed("message_stop"),
        error=lambda said: typed("error", error={"type": "api_error", "message": said}),
        refusal=lambda said: {"type": "error", "error": {"type": "some_error", "message": said}},
    ),
    "generate_content": Speech(
        api="generate_content",
        content_type="text/event-stream",
        begin=_candidate({"text": ""}),
        word=lambda word: _candidate({"text": word}),
        call=None,  # a call comes whole, or it does not come
        end=_candidate({"text": ""}, finishReason="STOP"),
        end_of_tokens=_candidate({"text": ""}, finishReason="MAX_TOKENS"),
        error=lambda said: sse({"error": {"code": 500, "message": said, "status": "INTERNAL"}}),
        refusal=lambda said: {"error": {"message": said}},
    ),
    "chat_v2": Speech(
        api="chat_v2",
        content_type="text/event-stream",
        begin=typed("message-start", id="m", delta={"message": {"role": "assistant", "content": []}})
        + typed("content-start", index=0, delta={"message": {"content": {"type": "text", "text": ""}}}),
        word=lambda word: typed("content-delta", index=0, delta={"message": {"content": {"text": word}}}),
        call=typed(
            "tool-call-start",
            index=0,
            delta={
                "message": {"tool_calls": {"id": "c1", "type": "function", "function": {"name": "rm", "arguments": ""}}}
            },
        )
        + typed("tool-call-delta", index=0, delta={"message": {"tool_calls": {"function": {"arguments": _HALF}}}}),
        end_of_call=typed("tool-call-end", index=0),
        end=typed("message-end", delta={"finish_reason": "COMPLETE"}),
        end_of_tokens=typed("message-end", delta={"finish_reason": "MAX_TOKENS"}),
        error=lambda said: typed("message-end", delta={"finish_reason": "ERROR", "error": said}),
        refusal=lambda said: {"message": said},
    ),
    "converse": Speech(
        api="converse",
        content_type="application/vnd.amazon.eventstream",
        begin=_aws("messageStart", role="assistant"),
        word=lambda word: _aws("contentBlockDelta", contentBlockIndex=0, delta={"text": word}),
        call=_aws("contentBlockStart", contentBlockIndex=1, start={"toolUse": {"toolUseId": "c1", "name": "rm"}})
        + _aws("contentBlockDelta", contentBlockIndex=1, delta={"toolUse": {"input": _HALF}}),
        end_of_call=_aws("contentBlockStop", contentBlockIndex=1),
        end=_aws("messageStop", stopReason="end_turn") + _aws("metadata", metrics={"latencyMs": 1}),
        end_of_tokens=_aws("messageStop", stopReason="max_tokens"),
        error=lambda said: frame({"message": said}, message_type="exception", exception_type="internalServerException"),
        refusal=lambda said: {"message": said},
    ),
    "ollama_chat": Speech(
        api="ollama_chat",
        content_type="application/x-ndjson",
        begin=_line(model="x", message={"role": "assistant", "content": ""}, done=False),
        word=lambda word: _line(model="x", message={"role": "assistant", "content": word}, done=False),
        call=None,
        end=_line(model="x", message={"role": "assistant", "content": ""}, done=True, done_reason="stop"),
        end_of_tokens=_line(model="x", message={"role": "assistant", "content": ""}, done=True, done_reason="length"),
        error=lambda said: _line(error=said),
        refusal=lambda said: {"error": said},
    ),
    "tgi_generate": Speech(
        api="tgi_generate",
        content_type="text/event-stream",
        begin=sse({"index": 0, "token": {"text": "<s>", "special": True}, "generated_text": None}),
        word=lambda word: sse({"index": 1, "token": {"text": word, "special": False}, "generated_text": None}),
        call=None,
        end=sse(
            {
                "token": {"text": "</s>", "special": True},
                "generated_text": "all of it",
                "details": {"finish_reason": "eos_token"},
            }
        ),
        end_of_tokens=sse(
            {
                "token": {"text": "</s>", "special": True},
                "generated_text": "all of it",
                "details": {"finish_reason": "length"},
            }
        ),
        error=lambda said: sse({"error": said, "error_type": "generation"}),
        refusal=lambda said: {"error": said, "error_type": "validation"},
    ),
}
