"""A model in the process: many streams at once, beside llama-cpp-python's `Llama` and llama.cpp's own programs.

    uv run --group bench python -m tests.bench.local [--json] [--peers DIR] [--rounds 2] [--streams 1,4,8,16,32]
        [--model random|large|tiny|PATH] [--ways exact,fast,server,batches,llama,shared] [--gpu-layers 99]

The model is written when the bench begins: half a billion random weights in Q4_0 (`tests.bench.random_model`), or seven
and a half billion, `large`. Each stream reads `--prompt` tokens of its own and writes `--tokens`, the likeliest each
time.

- exact N: our default way, in which an answer does not depend on the others; fast N: `exact=False`. From the request to
  the last event, N at once. On a GPU, the default is the fast way, and the exact one computes request by request.
- llama: `Llama`, one request after the other.
- server N: `llama-server -np N` on the same prompts, streamed over HTTP; batches: `llama-batched-bench`, which only
  computes. Both from `--peers` (how to build them: `tests/bench/llama_peers.py`); without it they are left out.
- shared: sixteen agents with 512 tokens in common and 16 of their own; apart: sixteen that have nothing in common, the
  exact way. `llama-batched-bench` computes both, too; the agents' own tokens are not read by it where they share.

All use the same number of threads and the same kernels. The ways take turns, round by round, and the best round of each
counts. Tokens per second of all streams together are on the clock, and per second of CPU: on a machine that does other
work, the second drifts less. `decode` is tokens per second while all write and nobody reads, `overhead` what is not
llama.cpp's computation, `first` the median wait for the first token. The table goes to stderr, with each floor and
whether it is met. How far one can be above the server, and how much sharing can save, depends on the machine: beside
these floors stands what `llama-batched-bench`, which does nothing but compute, would reach in our place. `--json` puts
every number on stdout. Nothing is asserted but that every token was written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio

from graphrt.backends.events import complete
from graphrt.backends.llama import LlamaCpp, tiny_model
from graphrt.backends.llama.native.kernels import kinds
from graphrt.backends.llama.native.library import library
from graphrt.backends.messages import Request, Settings, system, user
from tests.bench import llama_peers, random_model
from tests.bench.budget import Budget
from tests.bench.decodes import Watched, decoding, overhead
from tests.bench.timer import Timer

AGENTS, COMMON, OWN = 16, 512, 16
"""The agents of `shared`, what they have in common and what each has for itself, in tokens."""
CONTEXT = 1024
"""Of each stream, in tokens: what an agent of `shared` needs, and more."""
WAYS = ("exact", "fast", "server", "batches", "llama", "shared")
PEERS = {"server", "batches"}
"""The ways that are programs."""
MODES = ("exact", "fast")
FASTER, AT = 1.3, (8, 16)
"""How many times the tokens of llama-server, at which numbers of streams."""
DECODE, OVERHEAD, SHARED = 0.95, 2.0, 7.0
"""The share of batched-bench's tokens while decoding; per cent of the time; how many times the tokens by sharing."""
Found = dict[str, float]


@dataclass(frozen=True)
class Asked:
    """A request, and the tokens of its prompt for those who take no messages."""

    request: Request
    prompt: list[int]


class Asking:
    """Makes requests of an exact length: of digits, each of which is a token."""

    def __init__(self, path: Path, tokens: int, gpu_layers: int = 0) -> None:
        self._tokens = tokens
        self._draw = random.Random(0)
        backend = LlamaCpp(path, n_ctx=CONTEXT, parallel=1, exact=False, n_gpu_layers=gpu_layers)
        anyio.run(lambda: complete(backend.stream(Request(messages=(user("0"),), settings=Settings(max_tokens=1)))))
        speaker = backend._worker.speaker
        assert speaker is not None
        self._speaker = speaker
        self.threads = speaker.engine.model.threads
        self._close = backend.aclose

    def close(self) -> None:
        anyio.run(self._close)

    def own(self, count: int) -> Asked:
        """A prompt of `count` tokens that begins as no other does."""
        empty = len(self._ask("").prompt)
        return self._ask(self._digits(count - empty))

    def agents(self, *, alike: bool) -> list[Asked]:
        """The agents, with the same beginning or each with another. The template's marks are part of their own."""
        header = len(self._ask("", "0").prompt) - len(self._ask("").prompt) - 1
        common = self._digits(COMMON - header)
        own = COMMON + OWN - len(self._ask("", common).prompt)
        return [self._ask(self._digits(own), common if alike else self._digits(len(common))) for _ in range(AGENTS)]

    def _digits(self, count: int) -> str:
        return "".join(str(self._draw.randrange(10)) for _ in range(count))

    def _ask(self, said: str, rules: str = "") -> Asked:
        messages = (*([system(rules)] if rules else []), user(said))
        prompt = self._speaker.tokens(self._speaker.template.render(messages, (), {}))
        return Asked(Request(messages=messages, settings=Settings(max_tokens=self._tokens)), prompt)


@dataclass(frozen=True)
class Bench:
    """What is the same for all ways: the model, the threads, and how llama.cpp's programs are started."""

    path: Path
    threads: int
    peers: Path | None = None
    more: tuple[str, ...] = ()
    gpu_layers: int = 0

    async def ours(self, streams: int, asked: Sequence[Asked], *, exact: bool) -> Found:
        """All through one backend, `streams` at once."""
        backend = LlamaCpp(
            self.path,
            parallel=streams,
            exact=(bool(self.gpu_layers) or None) if exact else False,
            n_ctx=CONTEXT,
            n_threads=self.threads,
            n_gpu_layers=self.gpu_layers,
        )
        await complete(backend.stream(Request(messages=(user("0"),), settings=Settings(max_tokens=2))))
        speaker = backend._worker.speaker
        assert speaker is not None
        watched, room, usages = Watched(speaker.engine), anyio.Semaphore(streams), []

        async def one(each: Asked) -> None:
            async with room:
                usages.append((await complete(backend.stream(each.request))).usage)

        timer = Timer()
        async with anyio.create_task_group() as tasks:
            for each in asked:
                tasks.start_soon(one, each)
        took = timer.read()
        await backend.aclose()
        decode = decoding(watched.calls, streams)
        return {
            **took,
            "written": sum(usage.output or 0 for usage in usages),
            "computed": sum(usage.raw["computed"] for usage in usages),
            "overhead": overhead(watched.calls),
            "first": statistics.median(usage.raw["queue_seconds"] + usage.raw["prefill_seconds"] for usage in usages),
            **({} if decode is None else {"decode": decode}),
        }

    def in_sequence(self, asked: Sequence[Asked]) -> Found:
        """The same prompts through `Llama`, which has one sequence and reuses what the last request began with.

        With the kernels that we allow it, since our own model was loaded before.
        """
        from llama_cpp import Llama

        threads = self.threads
        llama = Llama(
            str(self.path),
            n_ctx=CONTEXT,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=self.gpu_layers,
            verbose=False,
        )
        llama.create_completion([1], max_tokens=2)
        timer, written = Timer(), 0
        for each in asked:
            said = llama.create_completion(each.prompt, max_tokens=each.request.settings.max_tokens, temperature=0)
            written += cast("Any", said)["usage"]["completion_tokens"]
        took = timer.read()
        llama.close()
        return {**took, "written": written}

    def served(self, streams: int, asked: Sequence[Asked], *, cache: bool = False) -> Found:
        """The same prompts over HTTP, `streams` at once. The CPU is the server's alone."""

        async def run(server: llama_peers.Server) -> Found:
            await server.complete([1], 2, cache=False)
            room = asyncio.Semaphore(streams)

            async def one(each: Asked) -> int:
                async with room:
                    return await server.complete(each.prompt, each.request.settings.max_tokens or 0, cache=cache)

            cpu, timer = server.cpu(), Timer()
            written = await asyncio.gather(*map(one, asked))
            return {"seconds": timer.read()["seconds"], "cpu": server.cpu() - cpu, "written": sum(written)}

        assert self.peers is not None
        limits = {"streams": streams, "context": CONTEXT, "threads": self.threads}
        with llama_peers.server(self.peers, self.path, **limits, more=self.more) as found:
            return asyncio.run(run(found))

    def batched(self, streams: Sequence[int], prompt: int, tokens: int) -> Found:
        """What llama.cpp computes a second with nothing between, by the number of streams: `8` is tokens written while
        all write, `8 whole` with the time that reading takes."""
        found = self._batches(streams, prompt, tokens)
        whole = {f"{count} whole": count * tokens / each.seconds for count, each in found.items()}
        return {**{str(count): each.decode for count, each in found.items()}, **whole}

    def agents(self, tokens: int, *, alike: bool) -> Found:
        """The agents of `shared` without anything between. Alike, they have nothing of their own to read.

        As ours, without flash attention, which takes twice the time for long prompts on a processor; on a GPU, with it.
        """
        flash = [] if self.gpu_layers else ["-fa", "off"]
        found = self._batches([AGENTS], COMMON + OWN, tokens, *flash, *(["-pps"] if alike else []))[AGENTS]
        return {"seconds": found.seconds, "cpu": 0.0, "written": AGENTS * tokens, "decode": found.decode}

    def _batches(self, streams: Sequence[int], prompt: int, tokens: int, *more: str) -> dict[int, llama_peers.Batches]:
        assert self.peers is not None
        sizes = {"prompt": prompt, "tokens": tokens, "threads": self.threads}
        return llama_peers.batches(self.peers, self.path, streams, **sizes, more=(*self.more, *more))


def best(rounds: Sequence[Found]) -> Found:
    """Of each figure the best that any of the rounds has: the least time, the most tokens a second."""
    least = {"seconds", "cpu", "overhead", "first"}
    return {key: (min if key in least else max)(one[key] for one in rounds if key in one) for key in rounds[0]}


def measure(path: Path, options: argparse.Namespace, streams: Sequence[int]) -> dict[str, Any]:
    """Every way, in turn, round by round."""
    asking, chosen = Asking(path, options.tokens, options.gpu_layers), set(options.ways.split(","))
    more = ("-ngl", str(options.gpu_layers), *options.peer_options.split())
    bench = Bench(path, options.threads or asking.threads, options.peers, more, options.gpu_layers)
    if bench.peers is None:
        chosen -= PEERS
    modes = [mode for mode in MODES if mode in chosen]

    def our(mode: str, count: int, asked: list[Asked]) -> Callable[[], Found]:
        return partial(anyio.run, partial(bench.ours, count, asked, exact=mode == "exact"))

    own = [asking.own(options.prompt) for _ in range(max(32, *streams))]
    ways: dict[str, Callable[[], Found]] = {}
    for count in streams:
        some = own[: max(count, min(2 * count, 32), 4)]
        ways |= {f"{mode} {count}": our(mode, count, some) for mode in modes}
        if "server" in chosen:
            ways[f"server {count}"] = partial(bench.served, count, some)
    if "batches" in chosen:
        ways["batches"] = partial(bench.batched, streams, options.prompt, options.tokens)
    if "llama" in chosen:
        ways["llama"] = partial(bench.in_sequence, own[:8])
    if "shared" in chosen:
        alike, apart = asking.agents(alike=True), asking.agents(alike=False)
        ways |= {f"{mode} shared": our(mode, AGENTS, alike) for mode in modes}
        ways["apart"] = our("fast" if bench.gpu_layers else "exact", AGENTS, apart)
        if "server" in chosen:
            ways["server shared"] = partial(bench.served, AGENTS, alike, cache=True)
        if "batches" in chosen:
            ways["batches shared"] = partial(bench.agents, options.tokens, alike=True)
            ways["batches apart"] = partial(bench.agents, options.tokens, alike=False)
    asking.close()
    found: dict[str, list[Found]] = {name: [] for name in ways}
    for turn in range(options.rounds):
        for name, way in ways.items():
            print(f"\rround {turn + 1}: {name:<20}", end="", file=sys.stderr, flush=True)
            found[name].append(way())
    print("\r" + " " * 40, end="\r", file=sys.stderr)
    for name, each in found.items():
        assert len({one.get("written") for one in each}) == 1, f"{name}: {each}"
    return {"threads": bench.threads, "ways": {name: best(each) for name, each in found.items()}}


def per_second(one: Found, of: str = "seconds") -> float:
    """Tokens written a second."""
    return one["written"] / one[of] if one[of] else 0.0


def floors(ways: dict[str, Found]) -> list[Budget]:
    """Hold what was measured against what is promised."""
    held: list[Budget] = []
    alone = ways.get("batches", {})
    for mode in MODES:
        mine = {name: one for name, one in ways.items() if name.startswith(mode) and name[-1].isdigit()}
        counts = {name: name.rpartition(" ")[2] for name in mine}
        for name, one in mine.items():
            if int(counts[name]) in AT and (peer := ways.get(f"server {counts[name]}")):
                ratio = per_second(one) / per_second(peer)
                whole = alone.get(f"{counts[name]} whole")
                most = None if whole is None else whole / per_second(peer)
                what = f"{name}: tokens/s over {llama_peers.SERVER}'s"
                held.append(Budget(what, ratio, FASTER, "x", floor=True, ceiling=most))
        for name, one in mine.items():
            if (ceiling := alone.get(counts[name])) and "decode" in one:
                share = one["decode"] / ceiling
                held.append(Budget(f"{name}: decode over {llama_peers.BATCHES}'s", share, DECODE, "x", floor=True))
        held += [Budget(f"{name}: overhead", 100 * one["overhead"], OVERHEAD, "%") for name, one in mine.items()]
        if (shared := ways.get(f"{mode} shared")) and (apart := ways.get("apart")):
            what = f"{mode}: {AGENTS} agents by sharing {COMMON} tokens"
            most = _gain(ways["batches shared"], ways["batches apart"]) if "batches apart" in ways else None
            held.append(Budget(what, _gain(shared, apart), SHARED, "x", floor=True, ceiling=most))
    return held


def _gain(shared: Found, apart: Found) -> float:
    return per_second(shared) / per_second(apart)


def show(ways: dict[str, Found], held: Sequence[Budget]) -> None:
    """Write the table and the floors to stderr."""
    alone = ways.get("llama")
    lines = [f"{'':<14}{'tokens/s':>10}{'per CPU-s':>11}{'of Llama':>10}{'decode':>8}{'overhead':>10}{'first':>9}"]
    for name, one in ways.items():
        if name == "batches":
            lines += [
                f"{f'batches {count}':<14}{one[f'{count} whole']:>10.1f}{'':>21}{one[count]:>8.1f}"
                for count in filter(str.isdigit, one)
            ]
            continue
        ratio = f"{per_second(one) / per_second(alone):.2f}x" if alone and "shared" not in name else ""
        decode = f"{one['decode']:.1f}" if "decode" in one else ""
        share = f"{100 * one['overhead']:.2f} %" if "overhead" in one else ""
        first = f"{one['first']:.2f} s" if "first" in one else ""
        speed = f"{per_second(one):>10.1f}{per_second(one, 'cpu'):>11.1f}"
        lines.append(f"{name:<14}{speed}{ratio:>10}{decode:>8}{share:>10}{first:>9}")
    print("\n".join([*lines, *map(str, held)]), file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.local", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="put every number on stdout")
    parser.add_argument(
        "--model", default="random", help="random (half a billion weights), large, tiny, or a GGUF file"
    )
    parser.add_argument("--peers", type=Path, help=f"the folder of {llama_peers.SERVER} and {llama_peers.BATCHES}")
    parser.add_argument("--peer-options", default="", help="for both, such as --peer-options=--no-repack")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--streams", default="1,4,8,16,32")
    parser.add_argument("--prompt", type=int, default=64, help="tokens that each stream reads")
    parser.add_argument("--tokens", type=int, default=32, help="tokens that each stream writes")
    parser.add_argument("--threads", type=int, help="the engine's own choice unless given")
    parser.add_argument("--gpu-layers", type=int, default=0, help="layers that a GPU computes, for us and the peers")
    parser.add_argument("--ways", default=",".join(WAYS), help=f"of {', '.join(WAYS)}")
    options = parser.parse_args()
    if unknown := set(options.ways.split(",")) - set(WAYS):
        parser.error(f"there is no way {', '.join(sorted(unknown))}")
    if options.peers is None:
        print("left out: llama-server and llama-batched-bench; --peers says where they are", file=sys.stderr)
    elif gone := llama_peers.missing(options.peers):
        parser.error(f"there is no {' and no '.join(gone)} in {options.peers}")
    streams = [int(each) for each in options.streams.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        if options.model in {"random", "large"}:
            shape = random_model.LARGE if options.model == "large" else None
            path = random_model.write(Path(folder) / "random.gguf", shape)
        else:
            path = tiny_model() if options.model == "tiny" else Path(options.model)
        found = measure(path, options, streams)
    held = floors(found["ways"])
    show(found["ways"], held)
    if options.json:
        where = {"python": platform.python_version(), "machine": platform.machine(), "kernels": kinds(library())}
        told = {
            key: getattr(options, key) for key in ("model", "rounds", "prompt", "tokens", "peer_options", "gpu_layers")
        }
        judged = [{**asdict(each), "met": each.met} for each in held]
        print(json.dumps({"where": where, **told, **found, "floors": judged}, indent=1))


if __name__ == "__main__":
    main()
