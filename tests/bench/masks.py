"""What a grammar costs: to compile one, and for each token its mask, by kind of schema and size of vocabulary.

python -m tests.bench.masks [--vocab FILE.gguf ...] [--json]

A FILE may hold nothing but a vocabulary. Tokens are drawn evenly from what is allowed. The last column is for one
mask of `--streams` answers, computed one after the other and all at once by llguidance's own threads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from llguidance import LLExecutor

from graphrt.backends.llama import tiny_model
from graphrt.backends.llama.grammar.constrain import Grammars, Matcher
from graphrt.backends.llama.native.library import library
from graphrt.backends.llama.native.vocabulary import Vocabulary
from graphrt.backends.messages import OutputSchema, ToolSpec

WALKS = 4
LONGEST = 150


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
SCHEMAS: Mapping[str, dict[str, Any]] = {
    "pydantic": {
        **_object(
            name={"type": "string", "maxLength": 40},
            age={"type": "integer", "minimum": 0, "maximum": 120},
            mail={"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}]},
            tags={"type": "array", "items": {"enum": ["a", "b", "c"]}, "maxItems": 5},
            home={"$ref": "#/$defs/Home"},
        ),
        "$defs": {"Home": _object(zip={"type": "string", "pattern": "^[0-9]{5}$"}, city=TEXT)},
    },
    "3 deep": _object(a=_object(b=_object(c={"type": "array", "items": _object(d=TEXT, e={"type": "number"})}))),
    "maxLength 500": _object(text={"type": "string", "maxLength": 500}),
    "free text": _object(text=TEXT),
    "enum of 500": _object(word={"enum": [f"word {number}" for number in range(500)]}),
    "any JSON": {"type": "object"},
    "date and uuid": _object(at={"type": "string", "format": "date-time"}, id={"type": "string", "format": "uuid"}),
}
TOOLS = tuple(
    ToolSpec(name=f"tool_{number}", parameters=_object(city=TEXT, days={"type": "integer"}, **{f"only_{number}": TEXT}))
    for number in range(8)
)


def vocabulary(path: Path) -> Vocabulary:
    """The tokens of a file, without its weights."""
    lib = library()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise SystemExit(f"{path} cannot be loaded")
    return Vocabulary(lib, model)


def grammars_of(grammars: Grammars) -> dict[str, str]:
    """A grammar of each kind."""
    found = {"8 tools": grammars.answer(output=None, tools=TOOLS, calls=True, many=True)[0]}
    for name, schema in SCHEMAS.items():
        output = OutputSchema.model_validate({"name": name, "schema": schema})
        found[name] = grammars.answer(output=output, tools=(), calls=False, many=False)[0]
    return found


def walk(matcher: Matcher, dice: random.Random, note: Callable[[str, float], None]) -> None:
    """Write an answer at random and note what each thing took."""
    for _ in range(LONGEST):
        if matcher.done:
            return
        _timed("mask", matcher._matcher.compute_bitmask, note)
        allowed = _timed("mask, as booleans", matcher.allowed, note)
        token = dice.choice(np.flatnonzero(allowed).tolist())
        _timed("accept", partial(matcher.accept, token), note)
        for forced in _timed("forced", matcher.forced, note):
            matcher.accept(forced)


def _timed(what: str, do: Callable[[], Any], note: Callable[[str, float], None]) -> Any:
    began = time.perf_counter()
    made = do()
    note(what, time.perf_counter() - began)
    return made


def together(make: Callable[[], Matcher], size: int, streams: int) -> dict[str, float]:
    """Microseconds for a mask of each of `streams` answers: one after the other, and all at once. The best of 20."""
    dice = random.Random(1)
    matchers = [make() for _ in range(streams)]
    for matcher in matchers:
        for _ in range(dice.randrange(2, 12)):
            if not matcher.done:
                matcher.accept(dice.choice(np.flatnonzero(matcher.allowed()).tolist()))
    live = [matcher._matcher for matcher in matchers if not matcher.done]
    if not live:
        return {}
    masks = np.zeros((len(live), (size + 31) // 32), dtype=np.int32)
    executor = LLExecutor()
    numbered = [(matcher, place) for place, matcher in enumerate(live)]
    one, every = [], []
    for _ in range(20):
        _timed("", lambda: [matcher.compute_bitmask() for matcher in live], lambda _, took: one.append(took))
        _timed(
            "",
            lambda: executor.unsafe_compute_mask_ptr(numbered, masks.ctypes.data, masks.shape[1] * 4, len(live)),
            lambda _, took: every.append(took),
        )
    return {"streams": len(live), "in turn": min(one) * 1e6, "at once": min(every) * 1e6}


def _row(name: str, make: Callable[[], Matcher], size: int, streams: int) -> dict[str, Any]:
    took = defaultdict[str, list[float]](list)

    def note(what: str, seconds: float) -> None:
        took[what].append(seconds)

    _timed("compile", make, note)
    for seed in range(WALKS):
        walk(_timed("again", make, note), random.Random(seed), note)
    return {
        "schema": name,
        "compile_ms": took.pop("compile")[0] * 1e3,
        "mask, 99 of 100": sorted(took["mask"])[int(len(took["mask"]) * 0.99)] * 1e6,
        **{key: statistics.median(times) * 1e6 for key, times in took.items()},
        **together(make, size, streams),
    }


def measure(path: Path, streams: int) -> dict[str, Any]:
    """Everything about one vocabulary; times in microseconds, those of making in milliseconds."""
    words = vocabulary(path)
    began = time.perf_counter()
    grammars = Grammars(words)
    reading = time.perf_counter() - began
    rows = [
        _row(name, partial(grammars.matcher, grammar), words.size, streams)
        for name, grammar in grammars_of(grammars).items()
    ]
    return {"vocabulary": path.name, "tokens": words.size, "reading_ms": reading * 1e3, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.masks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--vocab", type=Path, nargs="*", default=[])
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--json", action="store_true", help="put every number on stdout")
    options = parser.parse_args()
    found = [measure(path, options.streams) for path in (tiny_model(), *options.vocab)]
    columns = {
        "compile ms": "compile_ms",
        "again": "again",
        "mask": "mask",
        "99/100": "mask, 99 of 100",
        "booleans": "mask, as booleans",
        "accept": "accept",
        "forced": "forced",
        "in turn": "in turn",
        "at once": "at once",
    }
    for one in found:
        print(f"{one['vocabulary']}: {one['tokens']} tokens, read in {one['reading_ms']:.0f} ms; µs", file=sys.stderr)
        print(f"{'':<16}" + "".join(f"{word:>11}" for word in columns), file=sys.stderr)
        for row in one["rows"]:
            print(
                f"{row['schema']:<16}" + "".join(f"{row.get(key, 0):>11.1f}" for key in columns.values()),
                file=sys.stderr,
            )
    if options.json:
        where = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
        print(json.dumps({"where": where, "vocabularies": found}, indent=1))


if __name__ == "__main__":
    main()
