"""Wrong edges are found while you type: both checkers find exactly the marked lines, and nothing in good code."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "typing"
ROOT = FOLDER.parents[1]
FILES = sorted(FOLDER.glob("*.py"))


def mypy(_: Path) -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", *map(str, FILES)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return {(Path(file).name, int(line)) for file, line in re.findall(r"^(\S+?):(\d+): error:", output, re.MULTILINE)}


def pyright(scratch: Path) -> set[tuple[str, int]]:
    for file in FILES:  # the project's own configuration leaves the wrong ones out
        shutil.copy(file, scratch)
    config = {"extraPaths": [str(ROOT)], "typeCheckingMode": "standard"}
    (scratch / "pyrightconfig.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "pyright", "--outputjson", "-p", str(scratch), "--pythonpath", sys.executable]
    output = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False).stdout
    found = json.loads(output[output.index("{") :])["generalDiagnostics"]
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in found if each["severity"] == "error"
    }


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_type_checker_finds_every_wrong_edge_while_you_type_and_nothing_else(
    checker: Callable[[Path], set[tuple[str, int]]], tmp_path: Path
) -> None:
    """G1, G4: every line marked `# error`, and no other."""
    marked = {
        (file.name, number)
        for file in FILES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if line.endswith("# error")
    }
    assert len(marked) > 20
    assert checker(tmp_path) == marked
