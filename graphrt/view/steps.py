"""The steps of a run as the columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from graphrt.clock import lasted
from graphrt.view.table import Column
from graphrt.view.words import MARKS, asked, short


def lines(steps: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what has a line of its own: each step, and its parts beneath it."""
    for key, step in steps.items():
        yield key, step
        yield from ((f"{key}/{name}", part) for name, part in step["substeps"].items())


def columns(
    steps: Mapping[str, Mapping[str, Any]],
    more: Sequence[Column] = (),
    *,
    most: int = 400,
    paint: Callable[[str], str] | None = None,
) -> list[Column]:
    """Return steps as columns; `more` stand before what came of them, of which `most` letters are told."""
    rows = list(lines(steps))
    took = [row.get("seconds") for _, row in rows]
    return [
        Column("  STEP", [f"{MARKS[row['status']]} {key}" for key, row in rows], 0, least=1, paint=paint),
        Column("STATUS", [row["status"] for _, row in rows], 1),
        Column("TOOK", ["" if seconds is None else f"{lasted(seconds):>7}" for seconds in took], 4, right=True),
        Column("TRIES", [_tries(row) for _, row in rows], 3, right=True),
        *more,
        Column("OUTPUT", [words(row, most) for _, row in rows], 2, least=16),
    ]


def _tries(row: Mapping[str, Any]) -> str:
    return str(row["attempts"]) if row.get("attempts", 1) > 1 else ""


def words(row: Mapping[str, Any], most: int) -> str:
    """Say what a step, or a part of one, came to."""
    if row.get("error"):
        said = short(f"{row['error']['type']}: {row['error']['message']}", most)
    elif row["status"] == "unknown":
        said = "its process ended before the outcome was recorded"
    elif row.get("waits_for") and row["status"] in {"waiting", "cancelled"}:
        waits = row["waits_for"]
        said = asked(waits["what"], waits["name"], waits["until"], waits["asked"])
    else:
        said = "" if row.get("output") is None else short(to_json(row["output"], inf_nan_mode="constants"), most)
    return said + (f"  (shared with {row['shared_with']})" if row.get("shared_with") else "")
