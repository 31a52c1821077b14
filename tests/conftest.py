"""What every test shares: both async engines, the way to the data sets kept beside the checkout, and evict mode.

pytest --graphrt-evict=always      no run keeps anything in memory from one commit to the next
"""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer evict mode."""
    parser.addoption(
        "--graphrt-evict",
        choices=["never", "always"],
        default="never",
        help="always: every run drops its state after every commit and folds it anew from its journal",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell the runtimes of this process, and of those that it starts."""
    if config.getoption("--graphrt-evict") == "always":
        os.environ["GRAPHRT_EVICT"] = "1"


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name what has no name but its address by its argument: two processes have to call a test the same."""
    return argname if " at 0x" in repr(val) else None


@pytest.fixture(params=["asyncio", "trio"])
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
