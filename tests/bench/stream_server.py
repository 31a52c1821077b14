"""A server that speaks every dialect as fast as a socket takes it, in a process of its own.

    python -m tests.bench.stream_server 2000       prints its address; serves until its standard input is closed

Every answer is made before anybody asks. The first step of a request's path is how the answer is cut:

    each      one event in a chunk of HTTP and a write of its own, as providers send them
    glued     several events in one, as a proxy or a slow network makes of it
    paced     as `each`, and a pause after every one: each arrives alone
"""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Literal, get_args

from tests.bench.spoken import SPOKEN

Cut = Literal["each", "glued", "paced"]

GLUED = 12
"""Events in one write: about four kilobytes."""
PAUSE = 0.04
"""Seconds between two events of an answer that is paced."""
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def answers(tokens: int) -> Mapping[tuple[str, Cut], tuple[bytes, ...]]:
    """Make what is written for each dialect and cut, head and all."""
    made: dict[tuple[str, Cut], tuple[bytes, ...]] = {}
    for dialect, spoken in SPOKEN.items():
        pieces = spoken.pieces(tokens)
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {spoken.content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        for cut in get_args(Cut):
            size = GLUED if cut == "glued" else 1
            joined = (b"".join(islice(pieces, n, n + size)) for n in range(0, len(pieces), size))
            made[dialect, cut] = (head, *(b"%x\r\n%s\r\n" % (len(each), each) for each in joined), b"0\r\n\r\n")
    return made


class Connection(asyncio.Protocol):
    """One client: answers its requests in turn."""

    def __init__(self, made: Mapping[tuple[str, Cut], tuple[bytes, ...]]) -> None:
        self._made = made
        self._asked = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._asked += data
        head, blank, body = self._asked.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if blank and len(body) >= int(length[1] if length else 0):
            self._asked = b""
            path = head.split(maxsplit=2)[1].decode().partition("?")[0]
            dialect = next(name for name, spoken in SPOKEN.items() if path.endswith(spoken.path))
            cut = next(cut for cut in get_args(Cut) if path.startswith(f"/{cut}/"))
            self._write(iter(self._made[dialect, cut]), paced=cut == "paced")

    def _write(self, pieces: Iterator[bytes], *, paced: bool) -> None:
        for piece in pieces:
            self._transport.write(piece)
            if paced:
                asyncio.get_running_loop().call_later(PAUSE, lambda: self._write(pieces, paced=True))
                return


async def main(tokens: int) -> None:
    made = answers(tokens)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(made), "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
