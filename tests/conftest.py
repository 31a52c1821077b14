"""What every test shares: both async engines, and the way to the data sets kept beside the checkout."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


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
