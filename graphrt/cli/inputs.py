"""From words on a command line to values: JSON as it stands, `@FILE`, `-` for stdin, and plain words where they fit."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import from_json, to_json

from graphrt.cli.exits import OK
from graphrt.cli.parser import OPTIONS
from graphrt.cli.screen import print_json
from graphrt.errors import PortError, UsageError
from graphrt.node import Node
from graphrt.ports import Port, type_name

T = TypeVar("T")


def read_inputs(graph: Node[..., Any], document: str | None, options: Sequence[str]) -> dict[str, Any]:
    """Read a graph's inputs: a JSON object, then one option for each input. Raises UsageError."""
    given: dict[str, Any] = {}
    if document is not None:
        text = read_document("--input", document)
        try:
            found = from_json(text)
        except ValueError as error:
            raise UsageError(f"--input is not JSON: {error}") from None
        if not isinstance(found, dict):
            names = ", ".join(graph.signature.params) or "(none)"
            raise UsageError(f"--input must be a JSON object of the inputs {names}")
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
        given[name] = read_option(graph.signature.params[name].port, value)
    ports = {name: param.port for name, param in graph.signature.params.items()}
    return {name: ports[name].read(to_json(value)) if name in ports else value for name, value in given.items()}


def read_document(what: str, word: str) -> str:
    """Return the text that a word stands for: of a file for `@FILE`, of stdin for `-`, else its own. Raises
    UsageError."""
    if word == "-":
        return sys.stdin.read()
    if not word.startswith("@"):
        return word
    try:
        return Path(word[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{what} {word}: {getattr(error, 'strerror', None) or error}") from None


def read_option(port: Port, value: str) -> Any:
    """Take an option's words as JSON where its input takes that, else as the text they are."""
    if port.annotation is str:
        return value
    try:
        found = from_json(value)
        port.read(to_json(found))
    except (ValueError, PortError):
        return value
    return found


def read_value(what: str, word: str, ports: Sequence[Port]) -> Any:
    """Read the value of a message: JSON that one of the ports takes, else the words as they are where one takes text.

    Without ports, nobody here knows the type, and only JSON is taken. Raises UsageError, and PortError if no port takes
    it.
    """
    text = read_document(what, word)
    options: list[Any] = []
    try:
        options.append(from_json(text))
    except ValueError as error:
        if not ports:
            raise UsageError(f"{what} {text!r} is not JSON ({error}); write text as '{json.dumps(text)}'") from None
    options.append(text if text is word else text.removesuffix("\n"))  # a file's last line ends with one
    misfit: PortError | None = None
    for value in options:
        for port in ports:
            try:
                port.read(to_json(value))
            except PortError as error:
                misfit = misfit or error
            else:
                return value
    if misfit is not None:
        raise misfit
    return options[0]


def list_inputs(graph: Node[..., Any], *, as_json: bool) -> int:
    """Print a graph's inputs."""
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


def pairs(option: str, words: Sequence[str], shape: str, read: Callable[[str], T]) -> Mapping[str, T]:
    """Read options of the form NAME=VALUE. Raises UsageError."""
    found: dict[str, T] = {}
    for word in words:
        name, equals, value = word.partition("=")
        wrong = UsageError(f"{option} {word!r}: write {shape}")
        if not equals or not name:
            raise wrong
        try:
            found[name] = read(value)
        except ValueError:
            raise wrong from None
    return found
