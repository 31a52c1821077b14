"""What llama.cpp's own computations take of an engine's time: each call is timed, all else is overhead."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from graphrt.backends.llama.engine.engine import Engine


@dataclass(frozen=True, slots=True)
class Decode:
    """One call: when it began and ended, in seconds, and how many tokens of how many sequences it computed."""

    began: float
    ended: float
    tokens: int
    sequences: int


class Watched:
    """llama.cpp as `engine` sees it from now on, with a record of its computations."""

    def __init__(self, engine: Engine) -> None:
        self.calls: list[Decode] = []
        self._context = engine.context
        self._lib = self._context._lib
        self._context._lib = self  # type: ignore[assignment]  # whatever has llama.cpp's functions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lib, name)

    def llama_decode(self, context: Any, batch: Any) -> int:
        """As llama.cpp's."""
        tokens = int(batch.n_tokens)
        sequences = len(set(self._context._sequence[:tokens].tolist()))
        began = time.perf_counter()
        code: int = self._lib.llama_decode(context, batch)
        self.calls.append(Decode(began, time.perf_counter(), tokens, sequences))
        return code

    def llama_get_logits(self, context: Any) -> Any:
        """As llama.cpp's. On a GPU it is what waits: there, a computation ends when its logits are there."""
        found = self._lib.llama_get_logits(context)
        self.calls[-1] = replace(self.calls[-1], ended=time.perf_counter())
        return found


def overhead(calls: Sequence[Decode]) -> float:
    """The share of the time, from the first call to the end of the last, in which none of them ran."""
    whole = calls[-1].ended - calls[0].began
    return 1 - sum(call.ended - call.began for call in calls) / whole


def decoding(calls: Sequence[Decode], streams: int) -> float | None:
    """Tokens a second while all `streams` wrote and nothing was read, what is between the calls included; None if that
    never was for two calls on end."""
    steps = [
        later.began - call.began
        for call, later in pairwise(calls)
        if call.tokens == call.sequences == later.tokens == later.sequences == streams
    ]
    return streams * len(steps) / sum(steps) if steps else None
