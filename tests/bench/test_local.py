"""The bench of local models is right about what it counts. Nothing here is about time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp", reason="the llama extra is not installed")

from graphrt.backends.events import complete
from graphrt.backends.llama import LlamaCpp
from graphrt.backends.messages import Request, Settings, user
from tests.bench import random_model
from tests.bench.decodes import Decode, decoding, overhead
from tests.bench.local import Asking, floors
from tests.bench.random_model import Shape
from tests.bench.stream import ROOT


def test_the_bench_has_a_figure_for_every_way_that_is_there() -> None:
    options = ["--model=tiny", "--streams=1,2", "--rounds=1", "--prompt=40", "--tokens=6", "--ways=exact,fast,server"]
    command = [sys.executable, "-m", "tests.bench.local", *options, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert "left out: llama-server and llama-batched-bench" in done.stderr
    found = json.loads(done.stdout)
    assert set(found["ways"]) == {"exact 1", "exact 2", "fast 1", "fast 2"}
    for one in found["ways"].values():
        assert one["written"] == 4 * 6
        assert one["computed"] == 4 * (40 + 6 - 1)  # nothing is computed after the last token, nor had from elsewhere
        assert 0 < one["overhead"] < 1
        assert one["decode"] > 0
    assert [each["what"] for each in found["floors"]] == [
        f"{mode} {n}: overhead" for mode in ("exact", "fast") for n in (1, 2)
    ]


def test_agents_that_are_alike_have_all_but_their_own_tokens_in_common() -> None:
    asking = Asking(LlamaCpp().path, 1)
    alike, apart = asking.agents(alike=True), asking.agents(alike=False)
    asking.close()
    for agents, common in ((alike, 512), (apart, 0)):
        first, second = (each.prompt for each in agents[:2])
        same = next(i for i, (one, other) in enumerate(zip(first, second, strict=True)) if one != other)
        assert len(first) == len(second) == 512 + 16
        assert common <= same < 512 + 16
        assert (same >= 512) == (common == 512)


def test_time_between_the_calls_is_overhead_and_part_of_decoding() -> None:
    calls = [Decode(0, 2, 64, 1), Decode(3, 4, 2, 2), Decode(5, 6, 2, 2), Decode(6, 8, 2, 2), Decode(8, 10, 2, 1)]
    assert overhead(calls) == pytest.approx(0.2)
    assert decoding(calls, 2) == pytest.approx(2 * 2 / (6 - 3))
    assert decoding(calls, 3) is None


def test_what_is_under_a_floor_is_missed() -> None:
    one = {"seconds": 1.0, "written": 100.0, "overhead": 0.01, "decode": 94.0}
    ways = {"exact 8": one, "server 8": {"seconds": 1.0, "written": 80.0}, "batches": {"8": 100.0}}
    ways |= {"exact shared": {"seconds": 1.0, "written": 7.0}, "apart": {"seconds": 1.0, "written": 1.0}}
    assert [(each.met, each.found) for each in floors(ways)] == [(False, 1.25), (False, 0.94), (True, 1.0), (True, 7.0)]


def test_beside_a_floor_stands_what_computing_alone_would_reach() -> None:
    one = {"seconds": 1.0, "written": 100.0, "overhead": 0.01}
    ways = {"exact 8": one, "server 8": {"seconds": 1.0, "written": 80.0}, "batches": {"8": 100.0, "8 whole": 104.0}}
    ways |= {"exact shared": {"seconds": 1.0, "written": 5.0}, "apart": {"seconds": 1.0, "written": 1.0}}
    ways |= {"batches shared": {"seconds": 2.0, "written": 12.0}, "batches apart": {"seconds": 2.0, "written": 2.0}}
    faster, _, sharing = floors(ways)
    assert (faster.ceiling, sharing.ceiling) == (1.3, 6.0)
    assert str(faster).endswith("1.25 x, at least 1.3 x; who only computes has 1.30 x")


@pytest.mark.anyio
async def test_a_model_of_chance_is_loaded_and_ends_no_answer_by_itself(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="the group bench is not installed")
    shape = Shape(layers=2, width=64, heads=2, kv_heads=1, hidden=96, vocabulary=900, context=256)
    path = random_model.write(tmp_path / "random.gguf", shape)
    assert path.read_bytes() == random_model.write(tmp_path / "again.gguf", shape).read_bytes()
    backend = LlamaCpp(path)
    done = await complete(backend.stream(Request(messages=(user("0123"),), settings=Settings(max_tokens=100))))
    await backend.aclose()
    assert (done.usage.output, done.finish) == (100, "length")
