"""Stop strings: an answer ends before the first one, and no part of one leaks."""

from __future__ import annotations

from collections.abc import Sequence

from graphrt.backends.llama.chat.affixes import overlap


class StopStrings:
    """Lets text through up to the first stop string. What may be the beginning of one waits."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.hit = False

    def feed(self, text: str) -> str:
        """Take more text; return what is certainly before any stop string. After a hit there is nothing more."""
        if self.hit:
            return ""
        if not self._stops:
            return text
        text = self._held + text
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.hit, self._held = True, ""
            return text[: min(found)]
        keep = max(overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def end(self) -> str:
        """What waited in vain."""
        held, self._held = self._held, ""
        return held
