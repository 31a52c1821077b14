"""What every peer's module does around its measurement: read the command line, see that the peer did its work, report.

A peer is imported only inside its own functions: a process that measures another one pays nothing for it, and a type
checker that has none of them has nothing to say.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

Measure = Callable[..., Coroutine[Any, Any, tuple[dict[str, float], Any]]]
"""Runs a case once: `measure(case, size, path, *words)`, where `path` is None without persistence. Returns what it
took, without building the graph and opening the store, and the result: the number, or the messages of the loop."""


def check(case: str, size: int, result: Any) -> None:
    """See that the peer did what it was asked to."""
    if case == "loop":
        assert len(result) == size
    else:
        assert result == (size * (size - 1) if case == "fanout" else size)


def main(measure: Measure) -> None:
    """Measure the case that the command line names and print one JSON line."""
    case, size, path, *words = sys.argv[1:]
    store = None if path == "-" else Path(path)
    taken, result = asyncio.run(measure(case, int(size), store, *words))
    check(case, int(size), result)
    stored = 0 if store is None else sum(part.stat().st_size for part in store.parent.glob(f"{store.name}*"))
    print(json.dumps({**taken, "bytes": stored}), flush=True)
