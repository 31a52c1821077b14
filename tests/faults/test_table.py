"""The table of faults is the truth: every fault has a test, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

CODES = (
    [f"S{number}" for number in range(1, 11)]
    + [f"T{number}" for number in range(1, 7)]
    + [f"D{number}" for number in range(1, 9)]
)


def table() -> dict[str, list[str]]:
    """Read the README: code -> the tests that it names."""
    rows = re.findall(
        r"^\| ([A-Z]\d+) \|.*\|([^|]*)\|$", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) == len(dict(rows)), "a code has two rows"
    return {code: re.findall(r"`([^`]+)`", cell) for code, cell in rows}


def named_in(path: Path) -> set[str]:
    """The names of a file's tests, without running it."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    found = {node.name for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, functions)}
    return {name for name in found if name.startswith("test_")}


def test_every_fault_has_a_row_and_every_row_a_test() -> None:
    """S1-S10, T1-T6, D1-D8."""
    found = table()
    assert sorted(found) == sorted(CODES)
    assert [code for code, tests in found.items() if not tests] == []


def test_every_test_that_the_table_names_is_there() -> None:
    """A renamed test takes its row along."""
    named = {name for tests in table().values() for name in tests}
    files = {name.partition("::")[0] for name in named}
    there = {f"{file}::{test}" for file in files if (ROOT / file).is_file() for test in named_in(ROOT / file)}
    assert sorted(named - there) == []


def test_every_test_of_this_folder_is_in_the_row_of_its_code() -> None:
    """A test named `test_s7_…` is in the row S7, and no test here is in none."""
    found = table()
    for path in HERE.glob("test_*_faults.py"):
        for name in named_in(path):
            code = name.split("_")[1].upper()
            assert f"tests/faults/{path.name}::{name}" in found[code]
