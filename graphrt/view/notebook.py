"""A run in a notebook, shown while it is waited for: its graph with its state on it, and a line on how far it is.

In IPython's kernels, both have a display of their own that is updated in place, so what is saved holds the last of
them. In marimo, they replace the output of the cell, as is its way. Nothing is fetched, and nothing runs in the page.

Pictures are drawn when something changed, at most ten a second, all of one size; the line goes on every second.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any, Protocol

import anyio
import anyio.to_thread

from graphrt.clock import lasted
from graphrt.draw.look import Theme
from graphrt.draw.overlay import Spending, tally
from graphrt.draw.progress import Progress
from graphrt.draw.svg import Drawing
from graphrt.facts import Entry, StepWaiting
from graphrt.host import asyncio_loop
from graphrt.run import Run
from graphrt.view.live import Live
from graphrt.view.watched import picture
from graphrt.view.words import MARKS, asked_by

log = logging.getLogger("graphrt")

AT_ONCE = 4
"""Runs that are drawn in one cell. Nothing is shown of those beyond: who starts a hundred does not look at each."""
BEAT = 1.0
"""Seconds after which the line is written anew though nothing happened."""
_WIDTH = 100
"""Letters of a line, where a notebook shows no pictures."""


@dataclass(slots=True)
class Settings:
    """How a notebook shows things: `graphrt.view.settings` is the one that there is."""

    live: bool = True
    """Whether runs show themselves while they are waited for."""
    theme: Theme = "light"


settings = Settings()


class Place(Protocol):
    """Where a cell shows a run."""

    def line(self, words: str) -> None:
        """Show a line instead of the one before."""

    def picture(self, svg: str, told: Callable[[], str]) -> None:
        """Show a picture instead of the one before; `told` says the same in letters."""


class IPythonPlace:
    """Two displays of a cell in IPython's kernel."""

    def __init__(self) -> None:
        self._line: Any = None
        self._picture: Any = None

    def line(self, words: str) -> None:
        """See Place.line."""
        self._line = self._shown(self._line, {"text/plain": words})

    def picture(self, svg: str, told: Callable[[], str]) -> None:
        """See Place.picture."""
        self._picture = self._shown(self._picture, {"image/svg+xml": svg, "text/plain": told()})

    @staticmethod
    def _shown(handle: Any, bundle: dict[str, str]) -> Any:
        if handle is not None:
            handle.update(bundle, raw=True)
            return handle
        from IPython.display import display

        return display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]


class MarimoPlace:
    """The output of a cell in marimo, which shows one thing: whatever is shown there is put together anew."""

    def __init__(self, cell: dict[MarimoPlace, str]) -> None:
        self._cell = cell
        self._words, self._svg = "", ""

    def line(self, words: str) -> None:
        """See Place.line."""
        self._words = words
        self._put()

    def picture(self, svg: str, told: Callable[[], str]) -> None:
        """See Place.picture."""
        self._svg = svg
        self._put()

    def _put(self) -> None:
        marimo = import_module("marimo")
        self._cell[self] = f"<pre>{escape(self._words)}</pre>{self._svg}"
        marimo.output.replace(marimo.Html("".join(self._cell.values())))


class Pictured:
    """A view of a run in a cell."""

    def __init__(self, run: Run[Any], drawing: Drawing | None, place: Place) -> None:
        self._run = run
        self._drawing = drawing
        self._place = place
        self._changed = True
        self._told = 0.0
        self._shown = ("", "")

    def opened(self) -> AbstractContextManager[object]:
        """See View.opened."""
        return nullcontext()

    def take(self, entry: Entry, *, news: bool) -> None:
        """See View.take."""
        self._changed = True

    def draw(self, progress: Progress, spent: Mapping[str, Spending], now: float, *, last: bool) -> None:
        """See View.draw."""
        if not (last or self._changed or now - self._told >= BEAT):
            return
        line = self._line(progress, now)
        svg = self._shown[1]
        if self._drawing is not None and (last or self._changed):
            svg = self._drawing.draw(progress, spent)
        before, self._shown = self._shown, (line, svg)
        self._told, self._changed = now, False
        if line != before[0]:
            self._place.line(line)
        if svg != before[1]:
            self._place.picture(svg, lambda: self._table(progress, spent, now))

    def _name(self) -> str:
        return "" if self._run.graph is None else self._run.graph.name

    def _line(self, progress: Progress, now: float) -> str:
        end = now if progress.ended is None else progress.ended
        took = lasted(max(0.0, end - (progress.began or end)))
        words = [f"{MARKS[progress.status]} {progress.status}", self._name(), took, tally(progress)]
        words += self._now(progress)
        return "  ".join([*filter(None, words), f"run {self._run.id}"])

    def _now(self, progress: Progress) -> list[str]:
        """Say what is at work, or what is waited for."""
        if progress.status == "suspended":
            facts = (place.last for place in progress.places.values() if place.counts["waiting"])
            return [f"{fact.step} {asked_by(fact)}" for fact in facts if isinstance(fact, StepWaiting)][:1]
        at_work = list(progress.since()) if progress.status == "running" else []
        more = f" and {len(at_work) - 3} more" if len(at_work) > 3 else ""  # noqa: PLR2004 - the line stays a line
        return [f"at work: {', '.join(at_work[:3])}{more}"] if at_work else []

    def _table(self, progress: Progress, spent: Mapping[str, Spending], now: float) -> str:
        lines = picture(progress, spent, self._name(), now=now, width=_WIDTH, height=len(progress.places) + 2)
        return "\n".join(lines)


class Followed:
    """A run that a cell shows, followed in a task of its own. What goes wrong with that is no affair of the run's."""

    def __init__(self, run: Run[Any], place: Place) -> None:
        self._run = run
        self._place = place
        self._begun = asyncio.Event()
        self._live: Live | None = None
        self._task = asyncio.create_task(self._follow(), name=f"graphrt shows {run.id}")

    async def _follow(self) -> None:
        try:
            graph = self._run.graph
            drawing = None
            if graph is not None:
                drawing = await anyio.to_thread.run_sync(lambda: Drawing(graph, watched=True, theme=settings.theme))
            self._live = Live(self._run, Pictured(self._run, drawing, self._place))
            await self._live.begin()
            self._begun.set()
            await self._live.follow()
        except Exception:
            log.debug("run %s is not shown any more", self._run.id, exc_info=True)
        finally:
            self._begun.set()

    async def end(self) -> None:
        """See Showing.end."""
        await self._begun.wait()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        if self._live is not None:
            with suppress(Exception):
                await self._live.end()


class _Cell:
    """What one cell shows."""

    def __init__(self, name: object) -> None:
        self.name = name
        self.places: dict[str, Place] = {}
        """By run: who is waited for twice in a cell is shown once."""
        self.marimo: dict[MarimoPlace, str] = {}


_cell = [_Cell(None)]
"""The cell that showed something last."""


def showing(run: Run[Any]) -> Followed | None:
    """Begin to show a run in the cell that waits for it; None where there is no cell, or enough is shown in it."""
    found = _place_maker()
    if not settings.live or found is None or asyncio_loop() is None:
        return None
    name, make = found
    if _cell[0].name != name:
        _cell[0] = _Cell(name)
    cell = _cell[0]
    if run.id not in cell.places:
        if len(cell.places) >= AT_ONCE:
            return None
        cell.places[run.id] = make(cell)
    return Followed(run, cell.places[run.id])


def _place_maker() -> tuple[object, Callable[[_Cell], Place]] | None:
    """Return which cell is being executed, and what makes a place in it."""
    if (marimo := sys.modules.get("marimo")) is not None and marimo.running_in_notebook():
        return ("marimo", _marimo_cell()), lambda cell: MarimoPlace(cell.marimo)
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        return ("IPython", shell.execution_count), lambda _: IPythonPlace()
    return None


def _marimo_cell() -> object:
    """Return the cell that marimo executes. It has no public name for that; without it, each run is a cell's first."""
    try:
        return import_module("marimo._runtime.context").get_context().execution_context.cell_id
    except Exception:
        return object()
