"""`run` and `resume`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio
from pydantic_core import from_json, to_json

from graphrt.cli.exits import FAILED, INTERRUPTED, OK, TargetNotFound, code_of
from graphrt.cli.parser import OPTIONS
from graphrt.cli.runs import existing, find
from graphrt.cli.screen import Progress, note, print_json, print_value
from graphrt.cli.target import load
from graphrt.config import load_config
from graphrt.errors import PortError, RunError, UsageError
from graphrt.graph import nodes_of
from graphrt.node import FunctionNode, Node
from graphrt.ports import Port, type_name
from graphrt.run import Run
from graphrt.runtime import Runtime

T = TypeVar("T")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Start a run and wait for its result."""
    graph = load(arguments.target)
    if arguments.inputs:
        return _list_inputs(graph, as_json=arguments.json)
    given = read_inputs(graph, arguments.input, rest)

    async def start(runtime: Runtime) -> Run[Any]:
        await check_models(graph, runtime.models)
        return await runtime.start_target(arguments.target, graph, given, run=arguments.run_id)

    return _execute(arguments, start)


def resume(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Take up a run."""
    existing(arguments)  # a runtime would make the store

    async def start(runtime: Runtime) -> Run[Any] | int:
        info = await find(runtime.journal, arguments.run)
        target = arguments.target or info.target
        if target is None:
            raise TargetNotFound(
                f"run {info.id} was not started from a file; say where its graph is: "
                f"graphrt resume {info.id} file.py:{info.graph}"
            )
        graph = load(target)
        prospect = await runtime.prospect(info.id, graph)
        words = f"run {info.id} of {info.graph}: re-executes {len(prospect.again)}, reuses {prospect.reused}"
        if arguments.dry_run:
            if arguments.json:
                print_json({"run": info.id, "reuses": prospect.reused, "re_executes": prospect.again})
            else:
                sys.stdout.write("\n".join([words, *(f"  {step}" for step in prospect.again)]) + "\n")
            return OK
        note(words, quiet=arguments.quiet)
        await check_models(graph, runtime.models)
        return await runtime.resume(info.id, graph)

    return _execute(arguments, start)


async def check_models(graph: Node[..., Any], models: Mapping[str, Any]) -> None:
    """Refuse a model that leads nowhere before anything is recorded. Raises BindingError.

    Only the roles of `@llm` nodes can be seen: what a node asks by itself is found out when it asks.
    """
    from graphrt.backends.uri import open_backend
    from graphrt.nodes.llm import unbound

    for role in sorted(roles_of(graph)):
        if role not in models:
            raise unbound(role, models)
        await open_backend(str(models[role])).aclose()


def roles_of(graph: Node[..., Any]) -> set[str]:
    """Return the model roles of a graph's `@llm` nodes, at any depth."""
    return {node.label for node in nodes_of(graph) if isinstance(node, FunctionNode) and node.kind == "llm"}


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
        text = _document(document)
        try:
            found = from_json(text)
        except ValueError as error:
            raise UsageError(f"--input is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise UsageError(
                f"--input must be a JSON object of the inputs {', '.join(graph.signature.params) or '(none)'}"
            )
        given.update(found)
    words = list(options)
    while words:
        word = words.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if not word.startswith("--") or name not in graph.signature.params:
            options_there = ", ".join(f"--{each}" for each in graph.signature.params) or "none"
            raise UsageError(f"{word!r} is no option of `run`, and the inputs of {graph.name!r} are {options_there}")
        if not equals:
            if not words:
                raise UsageError(f"{word} needs a value")
            value = words.pop(0)
        given[name] = _read_option(graph.signature.params[name].port, value)
    ports = {name: param.port for name, param in graph.signature.params.items()}
    return {name: ports[name].read(to_json(value)) if name in ports else value for name, value in given.items()}


def _document(word: str) -> str:
    if word == "-":
        return sys.stdin.read()
    if not word.startswith("@"):
        return word
    try:
        return Path(word[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--input {word}: {getattr(error, 'strerror', None) or error}") from None


def _read_option(port: Port, value: str) -> Any:
    """Take an option's words as JSON where its input takes that, else as the text they are."""
    if port.annotation is str:
        return value
    try:
        found = from_json(value)
        port.read(to_json(found))
    except (ValueError, PortError):
        return value
    return found


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
            default = "" if row["required"] else f"  (default {json.dumps(row['default'])})"
            # An option of `run` itself has this name: the words after it would not reach the graph.
            taken = "  (with --input only)" if f"--{row['name']}" in OPTIONS else ""
            sys.stdout.write(f"--{row['name']}  {row['type']}{default}{taken}\n")
    return OK


def _pairs(option: str, words: Sequence[str], shape: str, read: Callable[[str], T]) -> Mapping[str, T]:
    pairs: dict[str, T] = {}
    for word in words:
        name, equals, value = word.partition("=")
        wrong = UsageError(f"{option} {word!r}: write {shape}")
        if not equals or not name:
            raise wrong
        try:
            pairs[name] = read(value)
        except ValueError:
            raise wrong from None
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
        from graphrt.errors import sole

        raise sole(group) from None


async def _report(begun: Run[Any], *, as_json: bool) -> int:
    try:
        value = await begun.result()
    except RunError as error:
        if not as_json:
            raise
        print_json({"run": begun.id, "status": await begun.status(), "error": str(error)})
        return code_of(error) or FAILED
    if as_json:
        print_json({"run": begun.id, "status": "finished", "result": value})
    else:
        print_value(value)
    return OK
