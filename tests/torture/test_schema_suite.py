"""Every schema of the official suite, drawn from again and again (M6, M10)."""

from pathlib import Path

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.llama import LlamaCpp
from tests.backends.llama.schema_suite import cases, table

pytestmark = [pytest.mark.endurance, pytest.mark.anyio]


async def test_no_answer_breaks_its_schema_without_a_word_however_often_it_is_drawn(
    shared_data: Path, anyio_backend: str
) -> None:
    suite = cases(shared_data / "json-schema-test-suite")
    backend = LlamaCpp(parallel=8)
    first = 10 if anyio_backend == "trio" else 0
    for tokens, seeds in ((32, range(first, first + 3)), (200, range(first + 3, first + 5))):
        counts = await table(backend, suite, seeds=seeds, tokens=tokens)
        print(f"{len(suite)} schemas, at most {tokens} tokens: {dict(counts.most_common())}")
        assert sum(counts.values()) == len(seeds) * len(suite)
        assert counts["refused"] < len(suite)
    await backend.aclose()
