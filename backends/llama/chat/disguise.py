"""Others' text in a template's: what happens to spell one of the model's control tokens stays text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_OPEN, _CLOSE = "\ue000", "\ue001"
_HIDDEN = re.compile(f"{_OPEN}([0-9]{{1,9}}){_CLOSE}")


class Disguise:
    """Stand-ins for the spellings `control`, the longest first. They survive a template, and are taken off after it."""

    def __init__(self, control: Sequence[str]) -> None:
        self._control = tuple(control)
        self._spelt = re.compile("|".join(map(re.escape, control))) if control else None

    def hide(self, value: Any) -> Any:
        """Replace what is spelt like a control token by a stand-in, at any depth of `value`."""
        if self._spelt is None:
            return value
        if isinstance(value, str):
            return self._spelt.sub(lambda found: f"{_OPEN}{self._control.index(found[0])}{_CLOSE}", value)
        if isinstance(value, Mapping):
            return {self.hide(key): self.hide(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.hide(item) for item in value]
        return value

    def split(self, prompt: str) -> list[tuple[str, bool]]:
        """The prompt in pieces: the template's text, which may hold control tokens, and others' text that must not."""
        pieces = _HIDDEN.split(prompt)
        return [
            (self._control[int(piece)], False) if i % 2 and int(piece) < len(self._control) else (piece, not i % 2)
            for i, piece in enumerate(pieces)
            if piece
        ]
