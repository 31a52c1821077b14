"""The vocabulary: the few names that every other module speaks in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NewType, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import SecretStr

RunId = NewType("RunId", str)
"""Names one durable execution. Chosen by the caller or made by the runtime; unique in its store."""

StepKey = NewType("StepKey", str)
"""Names one step inside its run: its path in the graph plus its ordinal: `plan`, `each:search[2]`,
`editor/review#3`."""

Json = bytes
"""A value as JSON text in UTF-8: what travels between steps and what a journal keeps."""

Status = Literal["running", "suspended", "finished", "failed", "cancelled"]
"""Where a run stands. `suspended`: everything in it waits for the world, and no process holds it. A run whose process
died is still `running`: nothing recorded says otherwise until it is resumed."""

Durability = Literal["power", "process"]
"""What an acknowledged commit survives: the loss of power, or only the death of the process (D12)."""

Secrets: TypeAlias = "Callable[[str], str | SecretStr | Awaitable[str | SecretStr | None] | None]"
"""Gives a secret by its name, such as `OPENAI_API_KEY`. An ordinary function runs in a worker thread."""

ENDED: frozenset[Status] = frozenset({"finished", "failed", "cancelled"})
