"""`worker`: serves a store. Takes over what dead processes left, wakes what is due, delivers what was sent."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

from graphrt.cli.exits import INTERRUPTED, OK, TargetNotFound
from graphrt.cli.running import check_models, open_runtime, roles_of
from graphrt.cli.stopping import until_stopped
from graphrt.cli.target import load, load_module, names
from graphrt.dag import as_graph
from graphrt.graph import Graph
from graphrt.runtime import Runtime
from graphrt.view.terminal import note
from graphrt.view.words import clock_time

log = logging.getLogger("graphrt")


def worker(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Serve a store until interrupted.

    A signal lets steps in flight finish for `--grace` seconds; what is not done by then stops at its last commit.
    """
    graphs = {place: _graphs_of(place) for place in arguments.places}
    telling = _Telling(as_json=arguments.json, quiet=arguments.quiet)

    async def main() -> signal.Signals | None:
        async with open_runtime(arguments) as runtime:
            for graph in (graph for found in graphs.values() for graph in found):
                await check_models(graph, runtime.models)
            note(f"serving {runtime.journal.name}", quiet=arguments.quiet)
            known = [graph for found in graphs.values() for graph in found]
            find = _finder(runtime, arguments.places)
            signals = [signal.SIGINT, signal.SIGTERM]

            async def work() -> None:
                await runtime.serve(*known, find=find, once=arguments.once, attempts=arguments.attempts)

            _, stopped = await until_stopped(runtime, work, signals, arguments.grace, quiet=arguments.quiet)
            return stopped

    log.addHandler(telling)
    level, below = log.level, log.propagate
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        return INTERRUPTED if anyio.run(main) == signal.SIGINT else OK
    finally:
        log.removeHandler(telling)
        log.setLevel(level)
        log.propagate = below


def _graphs_of(place: str) -> list[Graph[..., Any]]:
    module = load_module(place)
    found = [getattr(module, name) for name in names(module)]
    graphs = [each for each in found if isinstance(each, Graph)]
    if not graphs:
        raise TargetNotFound(f"{place} has no graph whose runs could be served")
    return graphs


def _finder(runtime: Runtime, places: Sequence[str]) -> Callable[[str], Graph[..., Any] | None]:
    """Return what finds a graph by its run's target: once for each, as a process runs the code it began with.

    With `places`, runs from elsewhere are nobody's here.
    """
    from graphrt.nodes.llm import unbound

    ours = {_place(place) for place in places}
    found: dict[str, Graph[..., Any]] = {}

    def find(target: str) -> Graph[..., Any] | None:
        if ours and _place(target.rpartition(":")[0]) not in ours:
            return None
        if target not in found:
            found[target] = as_graph(load(target))
        missing = sorted(roles_of(found[target]) - set(runtime.models))
        if missing:
            raise unbound(missing[0], runtime.models)
        return found[target]

    return find


def _place(word: str) -> str:
    return str(Path(word).resolve()) if word.endswith(".py") else word


class _Telling(logging.Handler):
    """Writes what happens to the runs: a line on stderr, or a JSON object on stdout."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._quiet = quiet

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        if self._as_json:
            told = {name: getattr(record, name) for name in ("run", "graph", "status") if hasattr(record, name)}
            line = {"at": record.created, "level": record.levelname.lower(), **told, "message": record.getMessage()}
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            note(f"{clock_time(record.created)} {record.getMessage()}", quiet=self._quiet)
