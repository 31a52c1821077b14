"""The small model that comes with the package; its README, beside it, says what it can do."""

from pathlib import Path


def tiny_model() -> Path:
    """Its path."""
    return Path(__file__).parents[1] / "tiny" / "tiny-agent-q8_0.gguf"
