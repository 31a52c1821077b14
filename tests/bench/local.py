"""A model in the process: many streams at once beside llama-cpp-python's own `Llama`, one request after the other.

    python -m tests.bench.local [--json] [--model PATH] [--rounds 3] [--streams 1,4,8,16,32] [--tokens 32]

Each stream reads a prompt of its own and writes `--tokens` tokens, drawn with a seed; `shared` is sixteen agents with
one long beginning in common. `exact` is the default way, in which an answer does not depend on the others; `fast` is
`exact=False`. Tokens per second of all streams together, on the clock and per second of CPU: on a machine that does
other work, the second drifts less. The best of the rounds counts. The table goes to stderr, `--json` puts every number
on stdout. Nothing is asserted: these are not tests.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import anyio

from graphrt.backends.events import complete
from graphrt.backends.llama import LlamaCpp, tiny_model
from graphrt.backends.messages import Request, Settings, system, user
from tests.bench.timer import Timer

AGENTS = 16
RULES = "Be brief. Answer in one sentence. " * 12
"""What the agents of `shared` have in common: some two hundred tokens of the model that ships."""


def request(at: int, tokens: int, rules: str = "") -> Request:
    """One that nobody else makes, hot enough not to end before its time."""
    said = user(f"{at}: tell me a story about the sea and the sky")
    settings = Settings(temperature=9.0, seed=at, max_tokens=tokens)
    return Request(messages=(*([system(rules)] if rules else []), said), settings=settings)


async def ours(path: Path, streams: int, requests: list[Request], *, exact: bool | None) -> dict[str, float]:
    """All of `requests` through one backend, `streams` at once."""
    backend = LlamaCpp(path, parallel=streams, exact=exact)
    await complete(backend.stream(request(0, 1)))
    room, written, computed = anyio.Semaphore(streams), 0, 0

    async def one(asked: Request) -> None:
        nonlocal written, computed
        async with room:
            usage = (await complete(backend.stream(asked))).usage
        written += usage.output or 0
        computed += usage.raw["computed"]

    timer = Timer()
    async with anyio.create_task_group() as tasks:
        for asked in requests:
            tasks.start_soon(one, asked)
    took = timer.read()
    await backend.aclose()
    return {**took, "written": written, "computed": computed}


def theirs(path: Path, requests: list[Request]) -> dict[str, float]:
    """The same prompts through `Llama`, which has one sequence and reuses what the last request began with."""
    import llama_cpp
    from llama_cpp import Llama
    from llama_cpp import llama_cpp as llama_module

    probe = LlamaCpp(path)
    anyio.run(lambda: complete(probe.stream(request(0, 1))))
    speaker = probe._worker.speaker
    assert speaker is not None
    prompts = [speaker.tokens(speaker.template.render(asked.messages, (), {})) for asked in requests]
    n_ctx, threads = speaker.engine.n_ctx, speaker.engine.model.threads
    anyio.run(probe.aclose)
    # Its default kernels crash the process on some machines, see `Model`.
    defaults = llama_cpp.llama_model_default_params
    bare = b"AMX_INT8 = 1" in llama_cpp.llama_print_system_info()

    def safe() -> Any:
        params = defaults()
        params.use_extra_bufts = not bare
        return params

    with patch.object(llama_module, "llama_model_default_params", safe):
        llama = Llama(str(path), n_ctx=n_ctx, n_threads=threads, n_threads_batch=threads, verbose=False)
    timer, written = Timer(), 0
    for asked, prompt in zip(requests, prompts, strict=True):
        settings = asked.settings
        said = llama.create_completion(
            prompt, max_tokens=settings.max_tokens, temperature=9.0, seed=settings.seed, top_k=0, top_p=1.0, min_p=0.0
        )
        written += cast("Any", said)["usage"]["completion_tokens"]
    took = timer.read()
    llama.close()
    return {**took, "written": written}


def measure(path: Path, streams: list[int], tokens: int, rounds: int) -> list[dict[str, Any]]:
    """Every way, in turn, round by round; the best of each."""
    own = [request(at, tokens) for at in range(max(32, *streams))]
    shared = [request(at, tokens, RULES) for at in range(AGENTS)]
    ways: dict[str, Callable[[], dict[str, float]]] = {"llama": partial(theirs, path, own)}
    for name, exact in (("exact", None), ("fast", False)):
        for count in streams:
            ways[f"{name} {count}"] = lambda n=count, e=exact: anyio.run(partial(ours, path, n, own, exact=e))  # type: ignore[misc]
    ways["llama shared"] = partial(theirs, path, shared)
    ways["exact shared"] = lambda: anyio.run(partial(ours, path, AGENTS, shared, exact=None))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    best = {name: min(each, key=lambda one: one["cpu"]) for name, each in found.items()}
    return [
        {
            "way": name,
            **one,
            "per_second": one["written"] / one["seconds"],
            "per_cpu_second": one["written"] / one["cpu"],
            "ratio": best["llama shared" if "shared" in name else "llama"]["cpu"] / one["cpu"],
        }
        for name, one in best.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.local", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="put every number on stdout")
    parser.add_argument("--model", type=Path, default=tiny_model())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", default="1,4,8,16,32")
    parser.add_argument("--tokens", type=int, default=32)
    options = parser.parse_args()
    streams = [int(each) for each in options.streams.split(",")]
    found = measure(options.model, streams, options.tokens, options.rounds)
    lines = [f"{'':<14}{'tokens/s':>10}{'per CPU-s':>11}{'of Llama':>10}{'computed':>10}"]
    for one in found:
        speed = f"{one['per_second']:>10.0f}{one['per_cpu_second']:>11.0f}{one['ratio']:>9.2f}x"
        lines.append(f"{one['way']:<14}{speed}{one.get('computed', ''):>10}")
    print("\n".join(lines), file=sys.stderr)
    if options.json:
        where = {"python": platform.python_version(), "machine": platform.machine(), "model": options.model.name}
        print(json.dumps({"where": where, "rounds": options.rounds, "ways": found}, indent=1))


if __name__ == "__main__":
    main()
