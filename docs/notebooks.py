"""Makes the notebooks of their texts: executes each from top to bottom, and keeps what it showed, with pictures as PNG.

python docs/notebooks.py [NAME …]
"""

from __future__ import annotations

import os
import sys
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbmake.nb_run import NotebookRun

from graphrt.draw.raster import rasterize

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def unexecuted(text: Path, *more: Path) -> nbformat.NotebookNode:
    """Return the notebook of a text, and of those that go on with it."""
    cells = [cell for each in (text, *more) for cell in jupytext.read(each, fmt="py:percent").cells]
    for number, cell in enumerate(cells):
        cell["id"], cell["metadata"] = f"cell-{number:02}", {}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)  # type: ignore[no-untyped-call]
    assert isinstance(notebook, nbformat.NotebookNode)
    return notebook


def executed(notebook: nbformat.NotebookNode, folder: Path, timeout: int = 60) -> nbformat.NotebookNode:
    """Execute a notebook in a folder. Raises RuntimeError with what went wrong in it."""
    place = folder / "notebook.ipynb"
    nbformat.write(notebook, place)  # type: ignore[no-untyped-call]
    around = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)  # a notebook makes a folder of its own for its files
    try:
        result = NotebookRun(place, timeout).execute()
    finally:
        if around is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = around
    place.unlink()
    if result.error is not None:
        raise RuntimeError(f"{result.error.summary}\n{result.error.trace}")
    found = result.nb
    assert isinstance(found, nbformat.NotebookNode)
    return found


def kept(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return what is kept of an executed notebook: what it showed, and nothing of when."""
    for cell in notebook.cells:
        cell["metadata"] = {}
        outputs = cell.get("outputs", [])
        for output in outputs:
            _as_png(output)
        if "outputs" in cell:
            cell["outputs"] = outputs
    return notebook


def _as_png(output: dict[str, Any]) -> None:
    """Keep a picture as PNG, which is shown wherever notebooks are read, and at the size it was drawn for."""
    data = output.get("data", {})
    output.get("metadata", {}).pop("image/svg+xml", None)
    output.pop("transient", None)
    if "image/svg+xml" in data:
        svg = data.pop("image/svg+xml")
        wide, high = (round(float(svg.split(f'{side}="', 1)[1].split('"', 1)[0])) for side in ("width", "height"))
        data["image/png"] = b64encode(rasterize(svg, zoom=2.0)).decode()
        output["metadata"] = {"image/png": {"width": wide, "height": high}}


def main(names: list[str]) -> None:
    """Make those that are named, or all."""
    for text in sorted(FOLDER.glob("*.py")):
        if names and text.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as name:
            notebook = kept(executed(unexecuted(text), Path(name)))
        path = text.with_suffix(".ipynb")
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
        sys.stdout.write(f"{path.name}: {path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
