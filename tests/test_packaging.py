"""The wheel holds every room, the demo's letters and the model; nothing else of the tree."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("graphrt", "nodes", "backends", "checkpoints")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tree, without links: what a checkout that cannot have them builds."""
    copy = tmp_path_factory.mktemp("tree")
    ignore = shutil.ignore_patterns("__pycache__", *ROOMS[1:])
    shutil.copytree(ROOT / "graphrt", copy / "graphrt", ignore=ignore)
    for room in ROOMS[1:]:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    build = f"from setuptools.build_meta import build_wheel; print(build_wheel({str(copy)!r}))"
    done = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return copy / done.stdout.splitlines()[-1]


def packages() -> set[str]:
    """Every folder of Python files, by the name it is imported under."""
    found = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("__init__.py"):
            parts = path.parent.relative_to(ROOT).parts
            if not path.parent.is_symlink() and not any(
                (ROOT / Path(*parts[:n])).is_symlink() for n in range(1, len(parts) + 1)
            ):
                found.add(".".join(parts if room == "graphrt" else ("graphrt", *parts)))
    return found


def test_every_package_is_listed() -> None:
    """A package that is missing from the list would be left out of the wheel without a word."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert packages() == set(listed)


def test_the_wheel_holds_the_rooms_the_letters_and_the_model(wheel: Path) -> None:
    """What `graphrt demo` needs comes with the package."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "graphrt/py.typed",
        "graphrt/nodes/llm.py",
        "graphrt/checkpoints/sqlite.py",
        "graphrt/backends/dialects/openai_chat.py",
        "graphrt/backends/llama/tiny/tiny-agent-q8_0.gguf",
        "graphrt/demo/orders.csv",
        "graphrt/demo/inbox/01-emma.txt",
    } <= names
    assert len([name for name in names if name.startswith("graphrt/demo/inbox/")]) == 12
    assert not [
        name for name in names if name.split("/")[0] in {"tests", "nodes", "backends", "checkpoints", "notebooks"}
    ]


def test_the_installed_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    """The command answers and finds its model when nothing but the wheel is there."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import graphrt.nodes, graphrt.checkpoints; from graphrt.backends.llama import tiny_model;"
        f"assert str(tiny_model()).startswith({str(tmp_path)!r}); assert tiny_model().is_file();"
        "from graphrt.cli import main; main(['graph', 'graphrt.demo.agent:inbox'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("dag inbox(")


@pytest.mark.parametrize("room", ROOMS[1:])
def test_the_links_lead_to_the_rooms(room: str) -> None:
    """Type checkers and editors see the package as Python does."""
    link = ROOT / "graphrt" / room
    assert link.resolve() == (ROOT / room).resolve()
