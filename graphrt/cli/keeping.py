"""`size`, `prune` and `vacuum`: a store that is used for long stays as small as what is still wanted."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict

import anyio

from graphrt.checkpoints import Pruned, RunSize, Size, SqliteJournal, measure, prune, vacuum
from graphrt.cli.exits import OK
from graphrt.cli.listing import paint_mark, write_table
from graphrt.cli.runs import existing
from graphrt.cli.screen import print_json
from graphrt.view.table import Column
from graphrt.view.terminal import note
from graphrt.view.words import MARKS


def size(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Say what takes up the room."""

    async def work(journal: SqliteJournal) -> int:
        found = await measure(journal)
        plan = await prune(journal, before=time.time() - arguments.older_than, dry=True)
        if arguments.json:
            print_json(asdict(found) | {"prune": asdict(plan)})
            return OK
        _print_size(found, arguments.most)
        words = f"prune --older-than {arguments.older_than.word} would remove {_count(len(plan.removed), 'run')}"
        sys.stdout.write(f"{words} and free about {_bytes(plan.bytes)}\n")
        return OK

    return _with_journal(arguments, work, read_only=True)


def prune_command(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Remove runs that ended long ago."""

    async def work(journal: SqliteJournal) -> int:
        done = await prune(
            journal,
            before=time.time() - arguments.older_than,
            statuses=arguments.status,
            keep=arguments.keep,
            dry=arguments.dry_run,
            said=lambda entries: note(f"{_count(entries, 'entry', 'entries')} removed", quiet=arguments.quiet),
        )
        if arguments.json:
            print_json(asdict(done))
        else:
            _print_pruned(done)
            if done.removed and not done.dry:
                note("the next commits use the room; `graphrt vacuum` gives it back", quiet=arguments.quiet)
        return OK

    return _with_journal(arguments, work, read_only=arguments.dry_run)


def vacuum_command(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Give free pages back."""
    path = existing(arguments)
    done = anyio.run(lambda: vacuum(path, incremental=arguments.incremental))
    if arguments.json:
        print_json(asdict(done))
    else:
        how = "rewritten" if done.rewritten else "cut"
        sys.stdout.write(f"{path}: {_bytes(done.before)} before, {_bytes(done.after)} now ({how})\n")
    return OK


def _with_journal(
    arguments: argparse.Namespace, work: Callable[[SqliteJournal], Awaitable[int]], *, read_only: bool
) -> int:
    path = existing(arguments)

    async def main() -> int:
        # What is removed here may come back after the loss of power: nothing is lost by that, and much is gained.
        journal = await SqliteJournal.open(path, durability="process", read_only=read_only)
        try:
            return await work(journal)
        finally:
            await journal.aclose()

    return anyio.run(main)


def _print_size(found: Size, most: int) -> None:
    log = f" and {_bytes(found.log)} of log" if found.log else ""
    sys.stdout.write(f"{found.path}: {_bytes(found.file)}{log}, of which {_bytes(found.free)} are free\n")
    if found.unused:
        sys.stdout.write(f"nobody's: {_bytes(found.unused)}, left over where removing was interrupted\n")
    tables = found.tables
    write_table(
        [Column("TABLE", [*tables], 0), Column("SIZE", [_bytes(each) for each in tables.values()], 0, right=True)]
    )
    runs = sorted(found.runs, key=lambda run: -_whole(run))
    if runs:
        sys.stdout.write(f"{_count(len(runs), 'run')}, the largest first:\n")
        write_table(_columns(runs[:most]))
    if len(runs) > most:
        sys.stdout.write(f"… and {len(runs) - most} more\n")


def _whole(run: RunSize) -> int:
    return run.facts + run.snapshot + run.blobs


def _columns(runs: Sequence[RunSize]) -> list[Column]:
    def sizes(numbers: Iterable[int]) -> list[str]:
        return [_bytes(number) if number else "" for number in numbers]

    return [
        Column("  RUN", [f"{MARKS[run.status]} {run.run}" for run in runs], 0, least=1, paint=paint_mark),
        Column("STATUS", [run.status for run in runs], 3),
        Column("GRAPH", [run.graph for run in runs], 2, least=8),
        Column("SIZE", [_bytes(_whole(run)) for run in runs], 1, right=True),
        Column("ENTRIES", [f"{run.entries:,}" for run in runs], 4, right=True),
        Column("FACTS", sizes(run.facts for run in runs), 5, right=True),
        Column("SNAPSHOT", sizes(run.snapshot for run in runs), 6, right=True),
        Column("LARGE VALUES", sizes(run.blobs for run in runs), 7, right=True),
        Column("SHARED", sizes(run.shared for run in runs), 8, right=True),
    ]


def _print_pruned(done: Pruned) -> None:
    for run in done.removed:
        entries = _count(run.entries, "entry", "entries")
        sys.stdout.write(f"{'would remove' if done.dry else 'removed'} {run.run}  {run.status}  {entries}\n")
    for kept in done.kept:
        sys.stdout.write(f"kept {kept.run}: {kept.why}\n")
    if done.left_over:
        runs = _count(done.left_over, "run")
        what = "would be removed" if done.dry else "removed"
        sys.stdout.write(f"what was left of {runs} whose removal was interrupted {what}\n")
    verb = "would be" if done.dry else "are"
    sys.stdout.write(f"{_count(len(done.removed), 'run')}, about {_bytes(done.bytes)} {verb} free\n")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _bytes(number: float) -> str:
    """Write a number of bytes as people read it."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while number >= _THOUSAND and len(units) > 1:
        number /= _THOUSAND
        del units[0]
    return f"{number:.0f} B" if units[0] == "B" else f"{number:.1f} {units[0]}"


_THOUSAND = 1000
