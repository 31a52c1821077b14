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


def named_in(path: Path) -> dict[str, str]:
    """The tests of a file and what they say of themselves, without running it."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    functions = [node for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {
        node.name: " ".join((ast.get_docstring(node) or "").split())
        for node in functions
        if node.name.startswith("test_")
    }


def test_every_fault_has_a_row_and_every_row_a_test() -> None:
    """S1-S10, T1-T6, D1-D8."""
    found = table()
    assert sorted(found) == sorted(CODES)
    assert [code for code, tests in found.items() if not tests] == []


def test_every_test_that_the_table_names_is_there_and_says_which_fault_it_is_about() -> None:
    """A renamed test takes its row along, and whoever reads it finds the table."""
    wrong = []
    files = {name.partition("::")[0] for tests in table().values() for name in tests}
    said = {file: named_in(ROOT / file) for file in files if (ROOT / file).is_file()}
    for code, tests in table().items():
        words = f"{code} of the faults" if code.startswith("D") else code
        for name in tests:
            file, _, test = name.partition("::")
            if not re.search(rf"\b{words}\b", said.get(file, {}).get(test, "")):
                wrong.append(f"{code}: {name}")
    assert wrong == []


def test_every_test_of_this_folder_is_in_the_row_of_its_code() -> None:
    """A test named `test_s7_…` is in the row S7, and no test here is in none."""
    found = table()
    for path in HERE.glob("test_*_faults.py"):
        for name in named_in(path):
            code = name.split("_")[1].upper()
            assert f"tests/faults/{path.name}::{name}" in found[code]
