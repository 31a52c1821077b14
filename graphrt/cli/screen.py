"""What the command line writes on stdout: results and JSON; and the commands it tells people to type."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from shlex import quote
from typing import Any

from pydantic_core import from_json, to_jsonable_python

from graphrt.decide import Pending
from graphrt.facts import Entry
from graphrt.run import need, remedy

SHOWN = 10
"""How much of what a run waits for is told at once."""


def print_json(value: Any, *, one_line: bool = False) -> None:
    """Write one JSON document on stdout; in one line, it is there at once for whoever reads along."""
    plainly = to_jsonable_python(value, inf_nan_mode="strings")
    sys.stdout.write(json.dumps(plainly, ensure_ascii=False, indent=None if one_line else 2) + "\n")
    if one_line:
        sys.stdout.flush()


def print_value(value: Any) -> None:
    """Write a result on stdout: text as it is, anything else as JSON."""
    if isinstance(value, str):
        sys.stdout.write(value if value.endswith("\n") else value + "\n")
    else:
        print_json(value)


def event(run: str, entry: Entry) -> dict[str, Any]:
    """Return an entry, as a line of JSON shows it."""
    fact = entry.fact
    told = {each.name: getattr(fact, each.name) for each in fields(fact)}
    read = {name: from_json(value) if isinstance(value, bytes) else value for name, value in told.items()}
    return {"run": run, "seq": entry.seq, "at": entry.at, "kind": fact.kind, **read}


def row_of_wait(run: str, wait: Pending, store: str | None) -> dict[str, Any]:
    """Return one thing that a run waits for, as JSON shows it."""
    asked = {} if wait.note is None else from_json(wait.note)
    return {
        "run": run,
        "step": wait.step,
        "waits_for": wait.what,
        "name": wait.name,
        "to": asked.get("to"),
        "since": wait.since,
        "until": wait.until,
        "schema": asked.get("schema"),
        "command": command(remedy(run, wait), store) or None,
    }


def rows_of_waits(run: str, waits: Sequence[Pending], store: str | None) -> list[dict[str, Any]]:
    """Return what a run waits for, as JSON shows it."""
    return [row_of_wait(run, wait, store) for wait in waits]


def waits_text(run: str, waits: Sequence[Pending], store: str | None) -> str:
    """Say what a run waits for, which commands give it that, and how it goes on then."""
    lines = [f"run {run} waits:"]
    for wait in waits[:SHOWN]:
        lines.append(f"  {need(wait)}")
        if remedy(run, wait):
            lines.append(f"    {command(remedy(run, wait), store)}")
    if len(waits) > SHOWN:
        lines.append(f"  and {len(waits) - SHOWN} more: {command(f'graphrt inbox {run}', store)}")
    return "\n".join([*lines, f"then go on with: {command(f'graphrt resume {run}', store)}"]) + "\n"


def command(line: str, store: str | None) -> str:
    """Complete a command that somebody is told, by the store that was named here."""
    if store is None or not line:
        return line
    verb, _, rest = line.removeprefix("graphrt ").partition(" ")
    return f"graphrt {verb} --store {quote(store)} {rest}".rstrip()
