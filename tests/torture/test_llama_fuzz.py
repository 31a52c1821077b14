"""Requests and damaged files without end, for as long as there is patience: none may end the process."""

import time
from collections import Counter

import pytest

pytest.importorskip("tests.llama")

from tests.backends.llama.fuzz import survives

pytestmark = pytest.mark.endurance

SECONDS = 80.0
"""For each kind; what is under way then comes to its end."""


@pytest.mark.parametrize("kind", ["requests", "files"])
def test_nothing_ends_the_process(kind: str) -> None:
    ended = Counter[str]()
    until, seed = time.monotonic() + SECONDS, 1000
    while time.monotonic() < until:
        ended += survives(kind, seed, 100)
        seed += 1
    print(f"{kind}: {dict(ended.most_common())}")
    assert ended.total() >= 100
