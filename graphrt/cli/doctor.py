"""`doctor`: what is the matter with a store, and with the runs in it that have not ended. It changes nothing.

With `--model` it is a model that is examined: see `probing`; with `--llama`, the llama.cpp of this machine: `fitting`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import anyio

from graphrt.cli.exits import CONFIGURATION, OK, TargetBroken, TargetNotFound
from graphrt.cli.runs import existing
from graphrt.cli.screen import command, print_json
from graphrt.cli.target import load
from graphrt.cli.transfer import put
from graphrt.dag import as_graph
from graphrt.decide import Pending, pending
from graphrt.errors import EffectsRepeated, GraphMismatch, GraphrtError, StoreError, UsageError, who
from graphrt.facts import RunResumed
from graphrt.journal import Message, RunInfo
from graphrt.lease import is_dead
from graphrt.run import need, remedy
from graphrt.runtime import Runtime
from graphrt.state import apply
from graphrt.types import RunId
from graphrt.view.terminal import note, paint
from graphrt.view.words import when

if TYPE_CHECKING:
    from graphrt.checkpoints.doctor import Examined, Finding


def doctor(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Examine a store, or what is asked for instead. 6 if something has to be done; 0, warnings or not, if nothing."""
    of_a_store = bool(arguments.store or arguments.salvage or arguments.file_only)
    if of_a_store + (arguments.model is not None) + arguments.llama > 1:
        raise UsageError("doctor examines one thing: give a FILE and its options, or --model, or --llama")
    if arguments.model is not None:
        from graphrt.cli.probing import doctor_model

        return doctor_model(arguments)
    if arguments.llama:
        from graphrt.cli.fitting import doctor_llama

        return doctor_llama(arguments)
    from graphrt.checkpoints.doctor import examine

    path, named = existing(arguments), arguments.store
    found = examine(path, now=time.time(), dead=is_dead)
    if found.readable:
        found.findings += anyio.run(_examine_runs, path, named, not arguments.file_only)
    salvaged = None if arguments.salvage is None else _salvage(path, arguments.salvage, found)
    problems = sum(each.level == "problem" for each in found.findings)
    if arguments.json:
        print_json(asdict(found) | {"healthy": not problems} | ({"salvaged": salvaged} if salvaged else {}))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(found, problems)))
        if salvaged:
            words = f"runs written to {arguments.salvage}: {len(salvaged['runs'])}"
            note(f"{words}; `graphrt import {arguments.salvage}` takes them into a store", quiet=arguments.quiet)
    return CONFIGURATION if problems else OK


def _salvage(path: str, out: str, found: Examined) -> dict[str, Any] | None:
    from graphrt.checkpoints.doctor import Finding, salvage

    try:
        saved = salvage(path)
    except StoreError as error:
        found.find("problem", "salvage", f"nothing could be got out of it: {error}")
        return None
    put(out, saved.text)
    for run, why in saved.lost.items():
        what = f"run {run!r} cannot be read whole: {why}"
        fix = "it was written without" if run in saved.runs else "it was left out"
        found.findings.append(Finding("problem", "salvage", what, fix, RunId(run)))
    return {"file": out, "runs": list(saved.runs), "lost": dict(saved.lost)}


_ALL = 1_000_000


async def _examine_runs(path: str, named: str | None, imports: bool) -> list[Finding]:
    """Say which runs that have not ended cannot go on, or not without a person."""
    from graphrt.checkpoints import SqliteJournal
    from graphrt.checkpoints.doctor import Finding

    found: list[Finding] = []
    try:
        journal = await SqliteJournal.open(path, read_only=True)
    except StoreError:
        return found  # the file's own findings say why
    try:
        async with Runtime(journal) as runtime:
            now = runtime.clock.now()
            running = await journal.runs(status="running", limit=_ALL)
            suspended = await journal.runs(status="suspended", limit=_ALL)
            for info in (*running, *suspended):
                if info.driver is not None and (info.lease or 0) > now and not is_dead(info.driver):
                    continue  # it is being driven, so it can be
                try:
                    found += await _examine_run(runtime, info, named, imports=imports)
                except StoreError as error:
                    what = f"run {info.id!r} cannot be read: {error}"
                    found.append(
                        Finding("problem", "damaged", what, "get out what can be read with --salvage", info.id)
                    )
    except StoreError:
        pass  # as above: the list itself is damaged
    finally:
        await journal.aclose()
    return found


async def _examine_run(runtime: Runtime, info: RunInfo, named: str | None, *, imports: bool) -> list[Finding]:
    from graphrt.checkpoints.doctor import Finding

    found: list[Finding] = []
    try:
        waits = await _waits(runtime, info)
    except GraphrtError as error:
        what = f"run {info.id!r} of {info.graph!r}: what it waits for is not known: {error}"
        found.append(Finding("warning", "graph", what, f"graphrt resume {info.id} TARGET", info.id))
    else:
        found += _decisions(info, waits, named)
        found += _strays(info, waits, await runtime.journal.inbox(info.id))
    if imports and info.target is not None:
        why = await _hindrance(runtime, info, info.target)
        if why:
            what = f"run {info.id!r} of {info.graph!r} cannot be resumed: {why}"
            found.append(Finding("problem", "graph", what, _BRING_BACK, info.id))
    return found


_BRING_BACK = "bring back its graph, or say where it is now: graphrt resume RUN TARGET"


async def _waits(runtime: Runtime, info: RunInfo) -> list[Pending]:
    """Return what a run waits for; for one whose process died, what it will wait for once it is taken up."""
    state = await runtime.keeper.recorded(info.id)
    if info.status == "running":
        apply(state, RunResumed())
    return pending(state)


def _decisions(info: RunInfo, waits: Sequence[Pending], named: str | None) -> Iterator[Finding]:
    from graphrt.checkpoints.doctor import Finding

    for wait in waits:
        if wait.what != "decision":
            continue
        what = f"run {info.id!r}: {need(wait)}"
        if info.status == "suspended":
            yield Finding("problem", "decision", what, command(remedy(info.id, wait), named), info.id)
        else:
            fix = "resuming it asks the step's check, or else a person; it is not repeated"
            yield Finding("warning", "decision", what, fix, info.id)


def _strays(info: RunInfo, waits: Sequence[Pending], mail: Sequence[Message]) -> Iterator[Finding]:
    """Say which messages no step waits for, as the run stands."""
    from graphrt.checkpoints.doctor import Finding

    awaited = {wait.name if wait.what == "signal" else wait.step for wait in waits}
    for message in mail:
        if message.kind != "cancel" and message.name not in awaited:
            about = f"{message.kind} {message.name}".rstrip()
            what = f"message {message.id!r} ({about}) is in the inbox of run {info.id!r}, where no step waits for it"
            yield Finding("warning", "message", what, "a step that begins to wait for it later takes it", info.id)


async def _hindrance(runtime: Runtime, info: RunInfo, target: str) -> str:
    """Say why a run cannot be taken up with the graph that its target names now; empty if it can."""
    try:
        await runtime.prospect(info.id, as_graph(load(target)))
    except EffectsRepeated:
        return ""  # that is for whoever resumes it to say
    except GraphMismatch as error:
        return f"{target} has another structure now: {'; '.join(error.changes) or 'what changed is not known'}"
    except (GraphrtError, TargetNotFound, TargetBroken) as error:
        return str(error)
    return ""


def _lines(found: Examined, problems: int) -> Iterator[str]:
    log = f", log {_bytes(found.log)}" if found.log else ""
    free = f", {_bytes(found.free)} free" if found.free else ""
    yield f"{found.path}: format {_or(found.format)}, {_bytes(found.size)}{log}{free}; SQLite {found.sqlite}"
    if found.runs is not None:
        yield f"runs: {', '.join(f'{count} {status}' for status, count in found.runs.items()) or 'none'}"
    for lease in found.leases:
        until = "" if lease.state == "dead" else f", until {when(lease.until)}"
        yield f"lease of {lease.run}: {lease.state}, {who(lease.driver)}{until}"
    for each in sorted(found.findings, key=lambda each: each.level):
        mark = paint("✗" if each.level == "problem" else "?", sys.stdout)
        yield f"{mark} {each.level}: {each.what}"
        if each.fix:
            yield f"    {each.fix}"
    yield f"{paint('✗', sys.stdout)} {problems} to be done" if problems else f"{paint('✓', sys.stdout)} healthy"


def _or(number: int | None) -> str:
    return "unknown" if number is None else str(number)


def _bytes(size: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:  # noqa: PLR2004 - a kibibyte
            return f"{size} {unit}"
        size //= 1024
    return f"{size} GiB"
