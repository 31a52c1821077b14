"""`run` and `resume`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio
from pydantic_core import from_json

from graphrt.cli.exits import FAILED, INTERRUPTED, OK, TargetNotFound
from graphrt.cli.runs import find
from graphrt.cli.screen import Progress, note, print_json, print_value
from graphrt.cli.target import load
from graphrt.config import load_config
from graphrt.errors import RunError, UsageError
from graphrt.node import Node
from graphrt.ports import Port, type_name
from graphrt.runtime import Run, Runtime

T = TypeVar("T")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Start a run and wait for its result."""
    graph = load(arguments.target)
    if arguments.inputs:
        return _list_inputs(graph, as_json=arguments.json)
    given = read_inputs(graph, arguments.input, rest)

    async def start(runtime: Runtime) -> Run[Any]:
        return await runtime.start_target(arguments.target, graph, given, run=arguments.run_id)

    return _execute(arguments, start)


def resume(arguments: argparse.Namespace, rest: Sequence[str]) -> int:  # noqa: ARG001 - every command has this shape
    """Take up a run."""

    async def start(runtime: Runtime) -> Run[Any] | int:
        info = await find(runtime.journal, arguments.run)
        target = arguments.target or info.target
        if target is None:
            raise TargetNotFound(f"run {info.id} was not started from a file; say where its graph is: graphrt resume {info.id} file.py:{info.graph}")
        graph = load(target)
        prospect = await runtime.prospect(info.id, graph)
        note(f"run {info.id} of {info.graph}: re-executes {len(prospect.again)}, reuses {prospect.reused}", quiet=arguments.quiet)
        if arguments.dry_run:
            if arguments.json:
                print_json({"run": info.id, "reuses": prospect.reused, "re_executes": prospect.again})
            return OK
        return await runtime.resume(info.id, graph)

    return _execute(arguments, start)


def open_runtime(arguments: argparse.Namespace) -> Runtime:
    """Make a runtime of the options and the surroundings."""
    config = load_config()
    return Runtime(
        arguments.store or config.store.path,
        models=_pairs("--model", arguments.model, "ROLE=URI", str),
        limits=_pairs("--limit", arguments.limit, "NAME=N", int),
        durability=config.store.durability,
        concurrency=arguments.concurrency,
        config=config,
    )


def read_inputs(graph: Node[..., Any], document: str | None, options: Sequence[str]) -> dict[str, Any]:
    """Read a graph's inputs: a JSON object, then one option for each input. Raises UsageError."""
    given: dict[str, Any] = {}
    if document is not None:
        text = sys.stdin.read() if document == "-" else Path(document[1:]).read_text() if document.startswith("@") else document
        try:
            found = from_json(text)
        except ValueError as error:
            raise UsageError(f"--input is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise UsageError(f"--input must be a JSON object of the inputs {', '.join(graph.signature.params) or '(none)'}")
        given.update(found)
    words = list(options)
    while words:
        word = words.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if not word.startswith("--") or name not in graph.signature.params:
            options_there = ", ".join(f"--{each}" for each in graph.signature.params) or "none"
            raise UsageError(f"{word!r} is no option of `run` and no input of {graph.name!r}; its inputs are {options_there}")
        if not equals:
            if not words:
                raise UsageError(f"{word} needs a value")
            value = words.pop(0)
        given[name] = _read_option(graph.signature.params[name].port, value)
    ports = {name: param.port for name, param in graph.signature.params.items()}
    return {name: ports[name].read(json.dumps(value).encode()) if name in ports else value for name, value in given.items()}


def _read_option(port: Port, value: str) -> Any:
    """Take an option's words as the text it is where the input is text, else as JSON."""
    if port.annotation is str:
        return value
    try:
        return from_json(value)
    except ValueError:
        return value


def _list_inputs(graph: Node[..., Any], *, as_json: bool) -> int:
    rows = [
        {
            "name": name,
            "type": type_name(param.port.annotation),
            "default": None if param.default is None else from_json(param.default),
            "required": param.default is None,
        }
        for name, param in graph.signature.params.items()
    ]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            sys.stdout.write(f"--{row['name']}  {row['type']}" + ("" if row["required"] else f"  (default {json.dumps(row['default'])})") + "\n")
    return OK


def _pairs(option: str, words: Sequence[str], shape: str, read: Callable[[str], T]) -> Mapping[str, T]:
    pairs: dict[str, T] = {}
    for word in words:
        name, equals, value = word.partition("=")
        try:
            if not equals or not name:
                raise ValueError
            pairs[name] = read(value)
        except ValueError:
            raise UsageError(f"{option} {word!r}: write {shape}") from None
    return pairs


def _execute(arguments: argparse.Namespace, start: Any) -> int:
    state: dict[str, Any] = {}

    async def main() -> int:
        async with open_runtime(arguments) as runtime:
            begun = await start(runtime)
            if isinstance(begun, int):
                return begun
            state["run"] = begun.id
            note(f"run {begun.id}", quiet=arguments.quiet)
            progress = Progress(quiet=arguments.quiet)
            async for entry in begun.events():
                progress.show(entry)
            return await _report(begun, as_json=arguments.json)

    try:
        return anyio.run(main)
    except KeyboardInterrupt:
        if "run" not in state:
            raise
        note(f"interrupted; finished steps are kept, resume with: graphrt resume {state['run']}")
        return INTERRUPTED
    except BaseExceptionGroup as group:
        from graphrt.runtime import sole

        raise sole(group) from None


async def _report(begun: Run[Any], *, as_json: bool) -> int:
    try:
        value = await begun.result()
    except RunError as error:
        if not as_json:
            raise
        print_json({"run": begun.id, "status": await begun.status(), "error": str(error)})
        return FAILED
    if as_json:
        print_json({"run": begun.id, "status": "finished", "result": value})
    else:
        print_value(value)
    return OK
