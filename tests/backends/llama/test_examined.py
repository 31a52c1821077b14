"""What the shipped model does, asked like any other endpoint."""

from __future__ import annotations

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.llama import LlamaCpp
from graphrt.backends.probing import examine

pytestmark = pytest.mark.anyio


async def test_the_shipped_model_does_what_it_says(own: LlamaCpp) -> None:
    """M10: tools and schemas are real, and its context is known once it is loaded. Nobody obeys, counts or hesitates
    between two words in its world: that is not settled."""
    report = await examine(own)
    verdicts = {each.name: each.verdict for each in report.findings}
    unsettled = {name for name, verdict in verdicts.items() if verdict == "not settled"}
    assert unsettled == {"system message", "seed", "stop strings", "max_tokens"}
    assert "differs" not in verdicts.values()
    agreed = {name for name, verdict in verdicts.items() if verdict == "agrees"}
    assert agreed >= {"streams", "usage", "tools", "JSON schema", "model"}
    words = {each.name: each.words for each in report.findings}
    assert (verdicts["context"], words["context"]) == ("learned", "1,024 tokens")
