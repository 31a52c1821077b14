"""What became of each step of a run: a fold of its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from graphrt.facts import (
    AttemptFailed,
    Entry,
    Failure,
    MessageRefused,
    RunCancelled,
    RunFinished,
    RunResumed,
    RunRewound,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
    StepUnknown,
    StepWaiting,
    SubstepFailed,
    SubstepFinished,
    SubstepStarted,
)
from graphrt.history import Counted
from graphrt.shown import ShownData

Row = dict[str, Any]


class Step(ShownData, dict[str, Any]):
    """What became of one step, as data.

    `step`: its key. `status`: running, waiting, retrying, finished, failed, cancelled, unknown, or interrupted.
    `attempts`: how many there were. `began`: seconds since the epoch. `seconds`: how long it took, once it has ended.
    `output`, `type`: what it came to. `error`: its last failure. `waits_for`: what it waits or waited for. `note`: what
    models noted. `intent`, `substeps`, `refused`: its effects, its parts, the messages that did not fit. `shared_with`:
    the run whose history holds it, if that is another.
    """


class Steps(ShownData, dict[str, Step]):
    """The steps of a run by their keys, in the order in which they began."""


def steps_of(record: Sequence[Counted], *, driven: bool = True) -> Steps:
    """Fold a run's history as it counts. If nobody drives it any more, nothing is at work in it."""
    rows = _folded(record)
    if not driven:
        for row in rows.values():
            _interrupt(row, taken_up=False)
    return rows


def _folded(record: Sequence[Counted]) -> Steps:
    rows = Steps()
    own = record[0].run
    for run, entry in record:
        match entry.fact:
            case StepStarted() | StepWaiting():
                _begin(rows, entry, entry.fact)
                rows[entry.fact.step]["shared_with"] = None if run == own else run
            case StepFinished(step=key) | StepFailed(step=key) | AttemptFailed(step=key) | StepUnknown(step=key):
                _settle(rows[key], entry.at, entry.fact)
            case StepCancelled(step=key):
                rows[key].update(status="cancelled")
            case MessageRefused(step=key, failure=failure):
                rows[key]["refused"].append(failure.message)
            case SubstepStarted(step=key, name=name, intent=intent):
                rows[key]["substeps"][name] = {"status": "running", "intent": intent}
            case SubstepFinished(step=key, name=name, value=value):
                rows[key]["substeps"][name] = {"status": "finished", "output": from_json(value)}
            case SubstepFailed(step=key, name=name, failure=failure):
                rows[key]["substeps"][name] = {"status": "failed", "error": _error(failure)}
            case RunResumed() | RunRewound():
                for row in rows.values():
                    _interrupt(row)
            case RunFinished() | RunCancelled():
                for row in rows.values():
                    if row["status"] == "waiting":
                        row.update(status="cancelled")  # nobody needs its output any more
            case _:
                pass
    return rows


def _begin(rows: Steps, entry: Entry, fact: StepStarted | StepWaiting) -> None:
    row = rows.setdefault(
        fact.step,
        Step(
            step=fact.step,
            began=entry.at,
            seconds=None,
            output=None,
            note=None,
            waits_for=None,
            intent=None,
            substeps={},
            refused=[],
        ),
    )
    row.update(attempts=fact.attempt, error=None)
    if isinstance(fact, StepStarted):
        row.update(status="running", intent=fact.intent)
        return
    question = None if fact.note is None else from_json(fact.note)
    waits = {"what": fact.what, "name": fact.name or None, "until": fact.until, "asked": question}
    row.update(status="waiting", waits_for=waits)


def _settle(row: Step, at: float, fact: StepFinished | StepFailed | AttemptFailed | StepUnknown) -> None:
    if fact.note is not None:
        row["note"] = from_json(fact.note)
    match fact:
        case StepFinished(value=value, type=tag):
            took = at - row["began"]
            row.update(status="finished", seconds=took, output=from_json(value), type=tag)
            row["error"] = None
        case StepFailed(failure=failure):
            row.update(status="failed", error=_error(failure), seconds=at - row["began"])
        case AttemptFailed(failure=failure):
            row.update(status="retrying", error=_error(failure), intent=None)
        case StepUnknown(failure=failure):
            row.update(status="unknown", error=_error(failure))


def _interrupt(row: Step, *, taken_up: bool = True) -> None:
    """What was in flight when a driver died is done again, or is unknown if it must not be."""
    if taken_up and row["status"] == "cancelled" and row["waits_for"] is not None:
        row["status"] = "waiting"  # a cancelled run was taken up again
    if row["status"] != "running":
        return
    doubtful = row["intent"] is not None
    for part in row["substeps"].values():
        if part["status"] == "running":
            part["status"] = "unknown"
            doubtful = True
    row["status"] = "unknown" if doubtful else "interrupted"


def _error(failure: Failure) -> Row:
    return {name: getattr(failure, name) for name in failure.__slots__}
