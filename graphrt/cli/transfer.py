"""`export` and `import`: a run as a JSON file, out of one store and into another."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from graphrt.cli.exits import OK, TargetNotFound
from graphrt.cli.runs import existing, find
from graphrt.cli.screen import command, print_json
from graphrt.config import load_config
from graphrt.errors import UsageError
from graphrt.journal import OVER
from graphrt.types import Json, RunId
from graphrt.view.terminal import note


def export(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Write a run as a file, or on stdout."""
    from graphrt.checkpoints import SqliteJournal

    path = existing(arguments)

    async def main() -> int:
        journal = await SqliteJournal.open(path, read_only=True)
        try:
            info = await find(journal, arguments.run)
            text = await journal.export_runs([info.id])
        finally:
            await journal.aclose()
        if info.status not in OVER:
            words = f"run {info.id} is {info.status}: this is how it stands now"
            note(f"{words}; if it goes on here and elsewhere, its effects happen twice", quiet=arguments.quiet)
        if arguments.output is None:
            sys.stdout.write(text.decode())
            return OK
        put(arguments.output, text)
        if arguments.json:
            print_json({"run": info.id, "file": arguments.output, "entries": info.seq, "bytes": len(text)})
        else:
            words = f"wrote run {info.id} of {info.graph} to {arguments.output}, {len(text)} bytes"
            note(f"{words}; `graphrt import {arguments.output}` takes it into a store", quiet=arguments.quiet)
        return OK

    return anyio.run(main)


def put(name: str, text: Json) -> None:
    """Write a file, or leave what was there before. Raises UsageError if it cannot be written."""
    beside = Path(f"{name}.{os.getpid()}.part")
    try:
        beside.write_bytes(text)
        beside.replace(name)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{name} cannot be written: {error.strerror}; name another file") from None


def import_(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Take in the runs of a file."""
    from graphrt.checkpoints import SqliteJournal

    text = _read(arguments.file)
    config = load_config()
    path = arguments.store or config.store.path
    new = None if arguments.new is None else RunId(arguments.new)

    async def main() -> int:
        journal = await SqliteJournal.open(path, durability=config.store.durability)
        try:
            found = await journal.import_runs(text, name=arguments.file, new=new, target=arguments.target)
        finally:
            await journal.aclose()
        if arguments.json:
            names = ("id", "graph", "status", "seq", "parent", "target")
            print_json([{name: getattr(info, name) for name in names} for info in found])
            return OK
        for info in found:
            sys.stdout.write(f"{info.id}\n")
            words = f"imported run {info.id} of {info.graph} ({info.status}) into {path}"
            where = "" if info.target else f" FILE.py:{info.graph}"
            line = command(f"graphrt resume {info.id}", arguments.store) + where
            goes_on = "" if info.status in {"finished", "cancelled"} else f"; go on with: {line}"
            note(words + goes_on, quiet=arguments.quiet)
        return OK

    return anyio.run(main)


def _read(name: str) -> Json:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        raise TargetNotFound(f"there is no file {name}") from None
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
