"""The official suite's schemas hold whatever is drawn (M6, M10): a part of them here, all in `tests/torture`."""

from pathlib import Path

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.llama import LlamaCpp
from tests.backends.llama.schema_suite import cases, table


@pytest.mark.anyio
async def test_no_answer_breaks_its_schema_without_a_word(
    llama: LlamaCpp, shared_data: Path, anyio_backend: str
) -> None:
    suite = cases(shared_data / "json-schema-test-suite")
    part = suite[anyio_backend == "trio" :: 16]
    counts = await table(llama, part, seeds=[1], tokens=48)
    assert counts["whole"] > len(part) / 3, counts
    assert counts["weakened"] > len(part) / 5, counts
    assert counts["refused"] < len(part) / 10, counts
