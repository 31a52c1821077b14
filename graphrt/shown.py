"""What shows itself in a notebook. How it looks is for `graphrt.view` to say, which is asked there and only then."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Protocol

_NOTEBOOKS = ("IPython", "marimo")


class Shown:
    """Something that a notebook shows as more than its text: a graph, a run, its steps, two runs side by side."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """Return what a notebook shows, by media type. It is made here: nothing is fetched."""
        bundle: dict[str, Any] = import_module("graphrt.view.bundles").bundle(self)
        return bundle


class ShownData(Shown):
    """The same for what is a mapping, too. It stands before that among the bases: else IPython writes the mapping."""

    __slots__ = ()

    def __str__(self) -> str:
        return str(self._repr_mimebundle_()["text/plain"])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


class Showing(Protocol):
    """A run that is being shown."""

    async def end(self) -> None:
        """Show what was recorded last, and nothing from then on."""


def rendered(error: BaseException) -> list[str]:
    """Return the lines in which a notebook shows an error."""
    lines: list[str] = import_module("graphrt.view.trace").rendered(error)
    return lines


def showing(run: Any) -> Showing | None:
    """Begin to show a run where this process is a notebook's kernel; None elsewhere."""
    if not any(name in sys.modules for name in _NOTEBOOKS):
        return None
    shown: Showing | None = import_module("graphrt.view.notebook").showing(run)
    return shown
