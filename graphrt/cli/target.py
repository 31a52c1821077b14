"""From `file.py:graph` or `pkg.mod:graph` to the graph."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from graphrt.cli.exits import TargetNotFound
from graphrt.graph import Graph
from graphrt.node import Node


def load(target: str) -> Node[..., Any]:
    """Import a target and return its node. Raises TargetNotFound; GraphError if the file's graphs are wrong."""
    place, colon, name = target.rpartition(":")
    if not colon or not place:
        raise TargetNotFound(f"{target!r} names no graph; write file.py:graph or pkg.mod:graph")
    module = load_module(place)
    found = getattr(module, name, None)
    if not isinstance(found, Node):
        graphs = ", ".join(names(module)) or "none"
        raise TargetNotFound(f"{place} has no graph or node {name!r}; it has {graphs}")
    return found


def load_module(place: str) -> ModuleType:
    """Import a file or a module, with the current folder on the path as `python -m` has it."""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    if not place.endswith(".py"):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is not None and (place == error.name or place.startswith(error.name + ".")):
                raise TargetNotFound(f"there is no module {place!r}; run from its project's folder, or give a file: file.py:graph") from None
            raise
    path = Path(place).resolve()
    if not path.is_file():
        raise TargetNotFound(f"there is no file {place}")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a .py file has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def names(module: ModuleType) -> list[str]:
    """Return the names a module's graphs and nodes go by, graphs first."""
    found = {name: value for name, value in vars(module).items() if isinstance(value, Node) and not name.startswith("_")}
    return sorted(found, key=lambda name: (not isinstance(found[name], Graph), name))
