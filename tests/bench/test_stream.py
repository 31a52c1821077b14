"""The bench of streamed tokens is right about what it counts. Nothing here is about time."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from graphrt.backends.events import Finished, PartDelta
from graphrt.backends.messages import Request, conversation
from tests.backends.provider import open_at
from tests.bench.spoken import SPOKEN, words
from tests.bench.stream import ROOT, budgets, server
from tests.bench.ways import OURS, RAW, ways

TOKENS = 30


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with server(TOKENS) as address:
        yield address


@pytest.mark.anyio
@pytest.mark.parametrize("cut", ["each", "glued"])
@pytest.mark.parametrize("dialect", SPOKEN)
async def test_every_token_is_one_delta_however_the_answer_is_cut(served: str, dialect: str, cut: str) -> None:
    backend = open_at(dialect, f"{served}/{cut}")
    events = [event async for event in backend.stream(Request(messages=conversation("tides?")))]
    await backend.aclose()
    assert [event.text for event in events if isinstance(event, PartDelta)] == words(TOKENS)
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stop"


def test_the_bench_has_a_figure_for_every_way_that_is_installed() -> None:
    options = ["--tokens", str(TOKENS), "--rounds", "1", "--cases", "responses,converse", "--json"]
    command = [sys.executable, "-m", "tests.bench.stream", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=120)
    found = json.loads(done.stdout)["cases"]
    assert [(each["case"], each["cut"]) for each in found] == [
        (case, cut) for case in ("responses", "converse") for cut in ("each", "glued")
    ]
    for each in found:
        present = [way for way in ways(each["case"], TOKENS) if way.there]
        assert {OURS, RAW} <= set(each["cpu_median"]) == {way.name for way in present}
        assert all(took > 0 for took in each["wall_lowest"].values())
        assert len(each["budgets"]) == 2 * (1 + sum(way.package is not None for way in present))
    absent = {way.package for way in ways("responses", TOKENS) if not way.there}
    assert all(str(package) in done.stderr.decode().partition("\n")[0] for package in absent)


def test_a_token_that_costs_too_much_is_missed() -> None:
    took = {RAW: 10.0, OURS: 61.0, "openai": 60.0}
    held = budgets({"case": "chat_completions", "cut": "each", "wall_lowest": took, "cpu_median": {**took, OURS: 59.0}})
    assert [each.met for each in held] == [False, False, True, True]
