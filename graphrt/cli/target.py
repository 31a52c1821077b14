"""From `file.py:graph` or `pkg.mod:graph` to the graph."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import traceback
import zlib
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from graphrt.cli.exits import TargetBroken, TargetNotFound
from graphrt.errors import GraphError, GraphrtError, UsageError
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
    """Import a file or a module, with the current folder on the path as `python -m` has it.

    Raises TargetNotFound; GraphError and UsageError as they come; TargetBroken for whatever else its code raises.
    """
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    except (TargetNotFound, GraphrtError):
        raise
    except Exception as error:
        raise TargetBroken(f"{place} cannot be imported:\n{_own_trace(error)}") from error


def _import_module(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(error.name + ".")):
            raise TargetNotFound(
                f"there is no module {place!r}; run from its project's folder, or give a file: file.py:graph"
            ) from None
        raise


def _import_file(place: Path) -> ModuleType:
    module, spec = _new_module(place)
    assert spec.loader is not None  # noqa: S101 - a .py file has a loader
    spec.loader.exec_module(module)
    return module


def _new_module(place: Path) -> tuple[ModuleType, ModuleSpec]:
    path = place.resolve()
    if not path.is_file():
        raise TargetNotFound(f"there is no file {place}")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    name = path.stem
    there = sys.modules.get(name)
    if there is not None and getattr(there, "__file__", None) != str(path):
        # Another module has that name (a json.py of one's own). Annotations are looked up by it, so it must be unique.
        name = f"{name}_{zlib.crc32(str(path).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # noqa: S101 - as above
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    return module, spec


def mistakes_of(place: str) -> tuple[ModuleType, list[GraphError]]:
    """Import a file statement by statement, going on after a graph that is wrong, and return every GraphError.

    What a later statement raises because a wrong graph has left no name behind is not told. A module that is not given
    as a file is imported as a whole, and shows the mistakes of its first wrong graph.
    """
    if not place.endswith(".py"):
        try:
            return load_module(place), []
        except GraphError as error:
            return ModuleType(place), [error]
    module, _ = _new_module(Path(place))
    found: list[GraphError] = []
    try:
        tree = ast.parse(Path(place).read_bytes(), place)
        future = [each for each in tree.body if isinstance(each, ast.ImportFrom) and each.module == "__future__"]
        for statement in tree.body:
            try:
                code = compile(
                    ast.Module([*future, statement], []), str(Path(place).resolve()), "exec", dont_inherit=True
                )
                exec(code, vars(module))  # noqa: S102 - importing a file is running it
            except GraphError as error:
                found.append(error)
            except NameError:
                if not found:
                    raise
    except UsageError:
        raise
    except Exception as error:
        raise TargetBroken(f"{place} cannot be imported:\n{_own_trace(error)}") from error
    return module, found


def _own_trace(error: Exception) -> str:
    """Write a traceback from the first line that is neither ours nor the import machinery's."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = (str(Path(__file__).parent), "<frozen importlib", importlib.__file__)
    own = [frame for frame in frames if not frame.filename.startswith(ours)]
    return "".join([*traceback.format_list(own), *traceback.format_exception_only(error)]).rstrip()


def names(module: ModuleType) -> list[str]:
    """Return the names a module's graphs and nodes go by, graphs first."""
    found = {
        name: value for name, value in vars(module).items() if isinstance(value, Node) and not name.startswith("_")
    }
    return sorted(found, key=lambda name: (not isinstance(found[name], Graph), name))
