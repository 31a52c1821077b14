"""kill -9 in the middle of an answer: the next process goes on from its last recorded token (M10).

pytest tests/torture/test_half_written.py -m torture -s      30 kills; the default suite makes one
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json

pytest.importorskip("tests.llama")

import anyio

from graphrt.checkpoints import SqliteJournal
from graphrt.types import StepKey
from tests.torture.author import RUN
from tests.torture.killing import BOUND, ROOT

MODELS = ("llama_cpp:tiny", "llama_cpp+worker:tiny")
KINDS = ("text", "schema", "drawn")


def live(store: Path, kind: str, model: str, *, kill_after: int | None = None) -> dict[str, Any] | None:
    """Run the author to its end, or until it has shown so many pieces of text; what it says at the end."""
    command = [sys.executable, "-m", "tests.torture.author", str(store), model, kind]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        seen = b""
        while part := os.read(process.stdout.fileno(), 1 if kill_after is not None else 4096):
            seen += part
            if kill_after is not None and seen.count(b".") >= kill_after:
                process.send_signal(signal.SIGKILL)
                break
        errors = process.stderr.read().decode()
        code = process.wait(BOUND)
    assert code in {0, -signal.SIGKILL}, errors
    found: dict[str, Any] | None = from_json(seen.split(b"\n")[-2]) if code == 0 else None
    return found


def recorded(store: Path) -> int:
    """How many tokens were kept of the answer."""

    async def read() -> int:
        journal = await SqliteJournal.open(store)
        kept = await journal.drafts(RUN, StepKey("write"))
        await journal.aclose()
        groups = [group for texts in kept.values() for text in texts[1:] for group in from_json(text)]
        return sum(len(group) if isinstance(group, list) else 1 for group in groups)

    return anyio.run(read)


def interrupted(folder: Path, kind: str, model: str, calm: dict[str, Any], at: int) -> int:
    """Kill an author after `at` pieces of text, let another one go on; return how many tokens were kept, 0 if the
    answer was quicker than the signal."""
    folder.mkdir()
    store = folder / "store.db"
    if live(store, kind, model, kill_after=at) is not None:
        return 0
    kept = recorded(store)
    found = live(store, kind, model)
    assert found is not None
    assert found["resumed"] == kept
    if kind != "drawn":
        assert found["text"] == calm["text"]
    assert recorded(store) == 0, "a step that is over leaves no draft"
    return kept


def test_a_killed_answer_goes_on_from_its_last_recorded_token(tmp_path: Path) -> None:
    calm = live(tmp_path / "calm.db", "schema", MODELS[0])
    assert calm is not None
    assert interrupted(tmp_path / "killed", "schema", MODELS[0], calm, calm["written"] // 4) > 0


@pytest.mark.torture
def test_thirty_kills_at_random_tokens_change_no_text(tmp_path: Path) -> None:
    draw = random.Random(20_260)
    calm = {kind: live(tmp_path / f"{kind}.db", kind, MODELS[0]) for kind in KINDS}
    kept: list[int] = []
    shown = 0
    for number in range(30):
        expected = calm[kind := KINDS[number % 3]]
        assert expected is not None
        at = draw.randrange(1, expected["written"] // (2 if kind == "schema" else 1))
        kept.append(interrupted(tmp_path / f"kill{number}", kind, MODELS[number % 2], expected, at))
        shown += at
    print(f"\n{len(kept)} kills after {shown} pieces of text; tokens kept and gone on from: {sum(kept)}")
    assert sum(map(bool, kept)) > 15, "the kills came too early to prove anything"
