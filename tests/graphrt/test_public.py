"""The front door: what is there, what it says, and what it does not bring along."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import graphrt

CORE = [name for _, name, package in pkgutil.iter_modules(graphrt.__path__) if not package and name != "__main__"]


def test_all_is_what_is_there() -> None:
    """Sorted, and nothing else that has no underscore, is a module, or is the machinery of the door itself."""
    assert graphrt.__all__ == sorted(graphrt.__all__)
    for name in graphrt.__all__:
        assert getattr(graphrt, name) is not None
        assert name in dir(graphrt)
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(graphrt, "nonsense")  # noqa: B009 - type checkers know that it is not there


@pytest.mark.parametrize("module", ["graphrt", "graphrt.runtime"])
def test_the_core_brings_no_client_no_graph_library_and_no_database_along(module: str) -> None:
    """What a part needs is imported where it is used."""
    heavy = "{'httpx', 'networkx', 'sqlite3', 'sqlite_utils', 'llama_cpp', 'numpy', 'jinja2'}"
    code = f"import sys, {module}; found = {heavy} & set(sys.modules); sys.exit(str(found) if found else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", CORE)
def test_everything_public_says_what_it_is(name: str) -> None:
    """Every module, class, function and method that a user can reach."""
    module = importlib.import_module(f"graphrt.{name}")
    assert module.__doc__
    for label, thing in vars(module).items():
        if label.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__doc__, f"{name}.{label}"
        if inspect.isclass(thing):
            for inner, method in vars(thing).items():
                if not inner.startswith("_") and inspect.isfunction(method):
                    assert method.__doc__, f"{name}.{label}.{inner}"
