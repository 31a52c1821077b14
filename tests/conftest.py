"""What every test shares: both async engines, the way to the data sets kept beside the checkout, and evict mode.

pytest --graphrt-evict=always      no run keeps anything in memory from one commit to the next
pytest --hypothesis-profile=long    twenty times as many examples, and others every time
pytest --graphrt-engines=both      every case on asyncio and on trio; without it, a test's many cases take turns
pytest --graphrt-gpu-layers=-1     every local model that says nothing of it has so many layers on the GPU
"""

import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import settings
from xdist.scheduler import WorkStealingScheduling

SHARED = Path(__file__).resolve().parents[2] / "shared"
ENGINES = ("asyncio", "trio")
FEW = 5
"""Cases of a test that all run on both engines. Of more, every other one runs on the one and the rest on the other."""

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):  # a hundred processes would compile the same: once, elsewhere
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir(), "graphrt-tests-pycache"))

# the short one throws the same dice every time: what somebody changes is then all that can make a test fail
settings.register_profile("short", max_examples=16, deadline=None, derandomize=True)
settings.register_profile("long", max_examples=320, deadline=None)
settings.load_profile("short")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer evict mode."""
    parser.addoption(
        "--graphrt-evict",
        choices=["never", "always"],
        default="never",
        help="always: every run drops its state after every commit and folds it anew from its journal",
    )
    parser.addoption(
        "--graphrt-engines",
        choices=["turns", "both"],
        default="turns",
        help="both: every case of every async test on both engines",
    )
    parser.addoption(
        "--graphrt-gpu-layers",
        type=int,
        default=0,
        help="layers of every local model that are computed by a GPU; -1: all",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the cases of a test that has more than a few take turns on the two engines."""
    if config.getoption("--graphrt-gpu-layers"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("processor")])
        items[:] = [item for item in items if not item.get_closest_marker("processor")]
    if config.getoption("--graphrt-engines") == "both":
        return
    cases: dict[str, dict[str, list[pytest.Function]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        if isinstance(item, pytest.Function) and (engine := _engine(item)) and not item.get_closest_marker("torture"):
            others = [part for part in item.name.partition("[")[2][:-1].split("-") if part != engine]
            cases[item.nodeid.partition("[")[0]]["-".join(others)].append(item)
    left_out = {
        item.nodeid
        for case in cases.values()
        if len(case) > FEW
        for number, (_, both) in enumerate(sorted(case.items(), key=_shuffled))
        for item in both
        if len(both) == len(ENGINES) and _engine(item) != ENGINES[number % len(ENGINES)]
    }
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]


def _shuffled(case: tuple[str, list[pytest.Function]]) -> int:
    """An order in which a parameter of two values does not go with the engine."""
    return crc32(case[0].encode())


def _engine(item: pytest.Function) -> str | None:
    """The engine of an async test."""
    found = getattr(item, "callspec", None)
    return found and found.params.get("anyio_backend")


def pytest_configure(config: pytest.Config) -> None:
    """Tell the runtimes of this process, and of those that it starts."""
    if config.getoption("--graphrt-evict") == "always":
        os.environ["GRAPHRT_EVICT"] = "1"
    if layers := config.getoption("--graphrt-gpu-layers"):
        from tests.offload import offload

        offload(layers)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file together where that costs no time: what they share is then made once."""
    return WorkStealingScheduling(config, log)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name what has no name but its address by its argument: two processes have to call a test the same."""
    return argname if " at 0x" in repr(val) else None


@pytest.fixture(params=ENGINES)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every async test runs on asyncio and on trio."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recordings and suites beside the checkout; a test that needs it says so and skips without it."""
    data = SHARED / "data"
    if not data.is_dir():
        pytest.skip(f"the data sets are not beside this checkout ({data})")
    return data
