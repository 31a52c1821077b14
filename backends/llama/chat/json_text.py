"""JSON while it is written: where a value ends, and what is inside a string."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

_STRUCTURE = re.compile(r'["{}\[\]]')
_STRING = re.compile(r'[^"\\]*')


class JsonText:
    """Reads one object or array, a piece at a time."""

    def __init__(self) -> None:
        self.quoted = False
        """Whether the text so far ends inside a string."""
        self.ended = False
        """Whether the value is there to its last bracket."""
        self._escaped = False
        self._depth = 0

    def copy(self) -> JsonText:
        """Another reader at the same place."""
        twin = JsonText()
        twin.quoted, twin.ended, twin._escaped, twin._depth = self.quoted, self.ended, self._escaped, self._depth
        return twin

    def feed(self, text: str) -> int:
        """Take more; return how much of it belongs to the value."""
        at = 0
        while at < len(text) and not self.ended:
            if self._escaped:
                self._escaped = False
                at += 1
            elif self.quoted:
                match = _STRING.match(text, at)
                at = match.end() if match else at
                if at < len(text):
                    self._escaped, self.quoted = text[at] == "\\", text[at] != '"'
                    at += 1
            else:
                found = _STRUCTURE.search(text, at)
                if found is None:
                    return len(text)
                at = found.end()
                self.quoted = found[0] == '"'
                self._depth += (found[0] in "{[") - (found[0] in "}]")
                self.ended = self._depth <= 0 and found[0] in "}]"
        return at

    def outside(self, text: str, marks: Sequence[str]) -> int | None:
        """Where the first of `marks` stands in `text`, which goes on from what was fed, outside any string."""
        places = sorted({found.start() for mark in marks for found in re.finditer(re.escape(mark), text)})
        scan, done = self.copy(), 0
        for place in places:
            scan.feed(text[done:place])
            done = place
            if not scan.quoted:
                return place
        return None


def loads(text: str) -> Any:
    """The value of JSON text. Raises ValueError for anything else, numbers that are none or too large included."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _finite(text: str) -> float:
    if math.isinf(found := float(text)):
        raise ValueError(f"{text} is too large")
    return found


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
