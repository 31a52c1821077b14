"""Every error of the core, and who acts on it.

    GraphrtError
    ├── GraphError            you, before anything runs: the graph's definition is wrong; lists every mistake at once
    ├── UsageError            you: a call that cannot mean anything here; says what to write instead
    │   └── EffectsRepeated       a fork or a retry would do again what must not be repeated
    ├── RunError              a run could not reach its result; names run, step and how to resume
    │   ├── RunFailed         a step failed for good
    │   │   └── BudgetExceeded    a loop or a recursion used up its step budget
    │   ├── RunCancelled      somebody cancelled the run
    │   ├── Suspended         it waits for a person, a message or a decision; says for what, and how to go on
    │   └── Deadlock          nothing runs, nothing waits for the world, and the run is not finished
    ├── PortError             a value does not fit its port: node, port and JSON pointer
    ├── StepTimeout           an attempt, or its first or next sign of life, took too long
    └── StoreError            the journal: what is wrong with it and what to do; nothing is lost
        ├── RunNotFound  RunExists  RunOver  GraphMismatch
        ├── RunTaken          another driver holds the run's lease
        ├── JournalConflict   another driver wrote to the run
        │   ├── StaleFence    another driver has taken the run over
        │   └── MessageTaken  a message that is to be used up is not there, or was used before
        ├── MessageConflict   a message's id was used for another message
        ├── StoreTooNew  StoreDamaged  StoreReadOnly  StoreFull
        ├── StoreBusy         another process held the lock for too long

Mistakes in a graph and failures of a run are never mixed: the first family is raised before any step has run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphrt.shown import rendered


class GraphrtError(Exception):
    """The root of every error that graphrt raises itself."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a graph: where, what, and what to do about it."""

    place: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}\n    fix: {self.fix}"


class GraphError(GraphrtError):
    """A graph cannot be built. `mistakes` holds all of them, each with its place and its fix (G4)."""

    def __init__(self, graph: str, mistakes: Sequence[Mistake]) -> None:
        self.graph = graph
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        super().__init__(f"graph {graph!r} has {count}\n" + "\n".join(f"  {mistake}" for mistake in self.mistakes))


class UsageError(GraphrtError):
    """A call that cannot mean anything where it stands; the message says what to write instead."""


class EffectsRepeated(UsageError):
    """What was asked for would do steps again whose effects must not be repeated, or whose outcome is unknown (D3, D9).

    Nothing was done. `steps`: their keys.
    """

    def __init__(self, run: str, steps: Sequence[str]) -> None:
        self.steps = tuple(steps)
        names = ", ".join(map(repr, self.steps))
        super().__init__(
            f"run {run!r}: this would do again what must not be repeated: {names}; "
            f"choose a later step, give them an output, or say again=True (--again) if doing them twice is right"
        )


class RunError(GraphrtError):
    """A run did not reach its result. What had finished is kept."""

    def __init__(self, run: str, graph: str, what: str, *, resumable: bool = True) -> None:
        self.run = run
        self.graph = graph
        hint = f"\n  finished steps are kept; resume with: graphrt resume {run}" if resumable else ""
        super().__init__(f"run {run} of graph {graph!r}: {what}{hint}")

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of all the frames between the user's code and this."""
        return rendered(self)


class RunFailed(RunError):
    """A step failed for good. `step` and `attempt` say which; `error_type` and `category` are the last error's own
    words."""

    def __init__(
        self,
        run: str,
        graph: str,
        *,
        step: str,
        node: str,
        attempt: int,
        error_type: str,
        message: str,
        category: str | None,
    ) -> None:
        self.step = step
        self.node = node
        self.attempt = attempt
        self.error_type = error_type
        self.category = category
        super().__init__(
            run, graph, f"step {step!r} (node {node!r}) failed in attempt {attempt}: {error_type}: {message}"
        )


class BudgetExceeded(RunFailed):
    """A machine took more transitions, or a recursion went deeper, than its budget allows (E10)."""


class RunCancelled(RunError):
    """The run was cancelled. Its state is that of the last commit."""

    def __init__(self, run: str, graph: str) -> None:
        super().__init__(run, graph, "was cancelled")


class Suspended(RunError):
    """The run waits for something that only the world can give; no process holds it meanwhile.

    `waiting`: a line for each step that waits, with the command that gives it what it waits for. `until`: when the run
    has something to do without being asked, in seconds since the epoch.
    """

    def __init__(self, run: str, graph: str, waiting: Sequence[str], until: float | None = None) -> None:
        self.waiting = tuple(waiting)
        self.until = until
        lines = "\n".join(f"    {line}" for line in waiting)
        super().__init__(run, graph, f"is suspended; these wait:\n{lines}")


class NotDone(GraphrtError):
    """Raised by a node whose effect is `once`, or by its `check`: the effect surely did not happen, and may be tried
    again. Anything else that such a node raises leaves its outcome unknown (D3)."""


class Deadlock(RunError):
    """Nothing is running, nothing waits for the world, and the run is not finished (E10)."""

    def __init__(self, run: str, graph: str, waiting: Sequence[str]) -> None:
        self.waiting = tuple(waiting)
        super().__init__(
            run, graph, "is deadlocked; these wait:\n" + "\n".join(f"    {line}" for line in waiting), resumable=False
        )


class PortError(GraphrtError):
    """A value does not fit its port (G1)."""

    def __init__(self, node: str, port: str, problems: Sequence[tuple[str, str]]) -> None:
        self.node = node
        self.port = port
        self.pointers = tuple(pointer for pointer, _ in problems)
        lines = "; ".join(f"at {pointer or '/'}: {message}" for pointer, message in problems)
        super().__init__(f"node {node!r}, port {port!r}: {lines}")


class StepTimeout(GraphrtError):
    """An attempt took too long. `kind` is `total`, `first`, `idle` or `deadline`; `seconds` the limit that passed
    (E7)."""

    category = "timeout"
    retryable = True

    def __init__(self, step: str, kind: str, seconds: float) -> None:
        self.kind = kind
        self.seconds = seconds
        what = {
            "total": "did not finish within",
            "first": "gave no first sign of life within",
            "idle": "was silent for",
        }
        words = what.get(kind, "was not done by its deadline, counted from its first attempt, of")
        super().__init__(f"step {step!r} {words} {seconds:g} s")


class StoreError(GraphrtError):
    """The journal cannot do what was asked. Nothing that was acknowledged is lost."""


class RunNotFound(StoreError):
    """No run under this id."""

    def __init__(self, run: str, store: str) -> None:
        super().__init__(f"no run {run!r} in {store}; `graphrt ls` lists the runs there are")


class RunExists(StoreError):
    """A run under this id is already there, with another graph or another input."""

    def __init__(self, run: str, store: str) -> None:
        super().__init__(f"run {run!r} is already in {store}; choose another id, or resume it")


class GraphMismatch(StoreError):
    """The run began with a graph of another structure, and what it recorded does not all fit the one given now (G6,
    D11). Nothing was done.

    `changes`: what is different, and what of the run does not fit any more, a line each.
    """

    def __init__(self, run: str, graph: str, began: str, now: str, changes: Sequence[str] = ()) -> None:
        self.changes = tuple(changes)
        lines = "".join(f"\n    {line}" for line in self.changes)
        super().__init__(
            f"run {run!r} began with graph {graph!r} of structure {began}, "
            f"and the graph given now has structure {now}"
            + (f":{lines}\n  " if lines else "; ")
            + "bring back the graph it began with, say what became of it with a migration, "
            "or let go of what does not fit with accept=True (--accept)"
        )


class JournalConflict(StoreError):
    """Another driver wrote to this run since it was read. This driver stops; the other one's work stands."""

    def __init__(self, run: str, expected: int, found: int) -> None:
        super().__init__(
            f"run {run!r} is being driven by somebody else: "
            f"its journal is at {found}, this driver expected {expected}; "
            f"wait for the other driver or stop it, then resume"
        )


class StaleFence(JournalConflict):
    """The run was taken over: this driver's lease had expired. What it committed before stands; what it tried to commit
    since was refused (D7)."""

    def __init__(self, run: str, fence: int, found: int, driver: str | None) -> None:
        self.fence = fence
        by = f"by {who(driver)} " if driver else ""
        StoreError.__init__(
            self,
            f"run {run!r} was taken over {by}(fence {found}, this driver has {fence}); "
            f"nothing of this commit was taken: leave the run to the other driver",
        )


class MessageTaken(JournalConflict):
    """A commit was to use up a message that is not in its run's inbox: another commit took it, or it was never sent."""

    def __init__(self, run: str, message: str) -> None:
        StoreError.__init__(
            self,
            f"message {message!r} is not in the inbox of run {run!r}: another commit took it, or it was never sent; "
            f"nothing of this commit was taken: read the inbox again",
        )


def who(driver: str) -> str:
    """Say a driver's name as people would: which process, on which machine. See `graphrt.lease`."""
    machine, *rest = driver.split(":")
    host = machine.partition("/")[0]
    return f"process {rest[0]} on {host}" if rest else driver


class RunTaken(StoreError):
    """Another driver holds the run's lease (D7)."""

    def __init__(self, run: str, driver: str, left: float) -> None:
        self.driver = driver
        self.left = left
        super().__init__(
            f"run {run!r} is being driven by {who(driver)}, whose lease runs for another {left:.1f} s; "
            f"wait for it, or end that process: its run is then free at once"
        )


class RunOver(StoreError):
    """The run has ended and hears nothing any more."""

    def __init__(self, run: str, status: str) -> None:
        super().__init__(f"run {run!r} has ended ({status}) and takes no message; `graphrt show {run}` says how")


class MessageConflict(StoreError):
    """The id of a message was used before, for a message that says something else."""

    def __init__(self, run: str, message: str) -> None:
        super().__init__(
            f"message {message!r} was sent to run {run!r} before, with another content; the first one counts: "
            f"give a new message a new id"
        )


class StoreTooNew(StoreError):
    """The file was written by a newer graphrt."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(
            f"{path} was written by a newer graphrt ({what}); upgrade graphrt, nothing in the file was touched"
        )


class StoreDamaged(StoreError):
    """The file is not a store, or no longer a whole one."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(
            f"{path} is not a readable graphrt store: {what}; keep the file, and restore a copy or choose another path"
        )


class StoreReadOnly(StoreError):
    """The file cannot be written to."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} cannot be written to; check its permissions and its folder's, then resume the run")


class StoreFull(StoreError):
    """No space is left. The commit was undone as a whole."""

    def __init__(self, path: str) -> None:
        super().__init__(f"no space left for {path}; what was acknowledged is kept: make room, then resume the run")


class StoreBusy(StoreError):
    """Another process held the store's lock for longer than a commit can take."""

    def __init__(self, path: str, waited: float) -> None:
        super().__init__(
            f"{path} has been locked by another process for {waited:g} s; nothing was written: "
            f"end that process's transaction, then resume the run"
        )


def sole(error: BaseException) -> BaseException:
    """Take an exception out of the groups that task groups wrap around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
