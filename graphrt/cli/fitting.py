"""`doctor --llama`: whether the llama.cpp that is installed fits this machine. It changes nothing.

Interrupted, it ends the process in which llama.cpp is tried, and ends with 130.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from graphrt.backends.llama.native.fitness import HERE, Finding, commands, judge, options
from graphrt.backends.llama.native.survey import look_around, try_out
from graphrt.cli.exits import CONFIGURATION, OK
from graphrt.cli.screen import print_json
from graphrt.view.terminal import note, paint
from graphrt.view.words import wrapped


def doctor_llama(arguments: argparse.Namespace) -> int:
    """Examine this machine's llama.cpp. 6 if local models cannot run; 0 if they do, be it slower than they could."""
    machine = look_around()
    note("llama.cpp is tried in a process of its own", quiet=arguments.quiet)
    trial = try_out(timeout=arguments.timeout)
    findings = judge(machine, trial)
    fits = all(each.level != "problem" for each in findings)
    again = commands(machine, trial.compiled)
    if arguments.json:
        found = [asdict(each) for each in findings]
        facts = {"machine": asdict(machine), "trial": asdict(trial)}
        print_json({"fits": fits, "findings": found, "commands": again, **facts})
    else:
        width = shutil.get_terminal_size().columns
        lines = [*_table(findings, width), *_building(again[HERE], options(machine), width)]
        sys.stdout.write("".join(f"{line}\n" for line in (*lines, _verdict(findings, fits))))
    return OK if fits else CONFIGURATION


_MARKS = {"ok": "✓", "warning": "?", "problem": "✗"}
_COLUMN = 18


def _table(findings: Sequence[Finding], width: int) -> Iterator[str]:
    for each in findings:
        lines = wrapped(each.what, width, indent=" " * (_COLUMN + 2), first=f"  {each.about:<{_COLUMN}}")
        yield paint(_MARKS[each.level], sys.stdout) + lines[0][1:]
        yield from lines[1:]
        yield from wrapped(each.fix, width, indent="    ")
        yield from _shell(each.command, width)


def _building(again: str, others: Mapping[str, str], width: int) -> Iterator[str]:
    yield "to build llama.cpp for this machine:"
    yield from _shell(again, width)
    yield "or, with these CMAKE_ARGS instead, for others:"
    for purpose, words in others.items():
        if purpose != HERE:
            yield from wrapped(f"{purpose}: {words}", width, indent="      ", first="    ")


def _shell(command: str, width: int) -> Iterator[str]:
    """Break a command so that a shell takes it as one."""
    lines = wrapped(command, width - 2, indent="      ", first="    ")
    yield from (f"{line} \\" if line is not lines[-1] else line for line in lines)


def _verdict(findings: Sequence[Finding], fits: bool) -> str:
    warnings = sum(each.level == "warning" for each in findings)
    words = "it fits this machine" if fits else "it does not fit this machine"
    return f"{paint('✓' if fits else '✗', sys.stdout)} {words}" + (f"; warnings: {warnings}" if warnings else "")
