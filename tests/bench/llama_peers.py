"""llama.cpp's own programs on the same model: its server, asked over HTTP, and its bench of batches.

They are built from the source that comes with llama-cpp-python, so that all compute with the same code:

    pip download --no-deps --no-binary :all: llama-cpp-python==VERSION   # and unpack it
    cmake -S vendor/llama.cpp -B PEERS -DCMAKE_BUILD_TYPE=Release -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF \
        -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
    cmake --build PEERS --target llama-server llama-batched-bench        # `--peers PEERS/bin`

On a processor with AMX, add `-DCMAKE_C_FLAGS=-mno-amx-int8 -DCMAKE_CXX_FLAGS=-mno-amx-int8`. The kernels for it crash
on some machines, and we never use them (see `graphrt.backends.llama.native.kernels`): so all use the next best.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

SERVER, BATCHES = "llama-server", "llama-batched-bench"
STARTING = 120.0
"""Seconds that a server may take until it answers."""


def missing(folder: Path) -> list[str]:
    """Which of the programs are not in `folder`."""
    return [name for name in (SERVER, BATCHES) if not (folder / name).is_file()]


@dataclass(frozen=True)
class Server:
    """A server that answers at `port`, and its process."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of CPU that it has taken, where the system tells; else 0."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def complete(self, prompt: Sequence[int], tokens: int, *, cache: bool) -> int:
        """Have it write so many tokens after `prompt`, the likeliest each time, and return how many came.

        Nothing else is asked, so that the server's own order of samplers applies: one that held only the temperature
        would take the exponentials of the whole vocabulary. Here, nothing is done but reading lines.
        """
        asked = {
            "prompt": list(prompt),
            "n_predict": tokens,
            "stream": True,
            "cache_prompt": cache,
            "temperature": 0,
        }
        body = json.dumps(asked).encode()
        head = ("POST /completion HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", "Connection: close")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("".join(f"{line}\r\n" for line in (*head, "")).encode() + body)
        last = b""
        async for line in reader:
            if line.startswith(b"data: "):
                last = line
        writer.close()
        return int(json.loads(last[6:])["tokens_predicted"])


@contextmanager
def server(
    folder: Path, model: Path, *, streams: int, context: int, threads: int, more: Sequence[str] = ()
) -> Iterator[Server]:
    """Start a server with a slot for each of `streams`, each with a context of its own; stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {"-m": model, "-np": streams, "-c": streams * context, "-t": threads, "-tb": threads, "--port": port}
    # Every prompt is another: what the server keeps of those before, outside of its slots, would only take time.
    command = [str(folder / SERVER), *_words(options), "--cache-ram", "0", *more]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(process, port)
            yield Server(port, process.pid)
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + STARTING
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(_died(SERVER, process.returncode))
        try:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, ConnectionError, TimeoutError):  # it listens before the model is loaded
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{SERVER} did not answer within {STARTING:g} s")


def _words(options: Mapping[str, object]) -> list[str]:
    return [str(part) for pair in options.items() for part in pair]


def _died(program: str, code: int) -> str:
    name = signal.Signals(-code).name if code < 0 else f"exit {code}"
    return f"{program} ended with {name}; built with AMX it does that on some machines: see tests/bench/llama_peers.py"


@dataclass(frozen=True)
class Batches:
    """What a number of streams took, with nothing between the computations: `decode` in tokens written a second while
    nobody reads, `seconds` from the first token that is read to the last that is written."""

    decode: float
    seconds: float


def batches(
    folder: Path,
    model: Path,
    streams: Sequence[int],
    *,
    prompt: int,
    tokens: int,
    threads: int,
    more: Sequence[str] = (),
) -> dict[int, Batches]:
    """Read `prompt` tokens and write `tokens` for each number of streams."""
    cells = max(streams) * (prompt + tokens)
    options = {"-m": model, "-c": cells, "-npp": prompt, "-ntg": tokens, "-t": threads, "-tb": threads}
    options |= {"-npl": ",".join(map(str, streams)), "--output-format": "jsonl"}
    command = [str(folder / BATCHES), *_words(options), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(_died(BATCHES, done.returncode))
    lines = (done.stdout + done.stderr).splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines if line.startswith("{")]
    return {row["pl"]: Batches(row["speed_tg"], row["t"]) for row in rows}
