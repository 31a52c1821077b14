"""Text that comes in pieces, and questions about it that wait until their answers are certain.

What is asked is answered from the text alone, never from the pieces in which it came: a question yields until no
further text can change its answer. So whoever reads by these questions reads the same however the text is cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence

from graphrt.backends.llama.chat.affixes import overlap

SPACE = " \t\r\n"


class Source:
    """The text that is not read yet. `final` says that no more will come, `cut` that it did not end by itself."""

    def __init__(self) -> None:
        self.text = ""
        self.taken = ""
        """What was taken, until somebody empties it."""
        self.final = False
        self.cut = False

    def more(self) -> Generator[None, None, bool]:
        """Wait for more text; False when there is none to come."""
        if self.final:
            return False
        yield
        return True

    def take(self, size: int) -> str:
        """Take that many characters."""
        text, self.text = self.text[:size], self.text[size:]
        self.taken += text
        return text

    def untake(self, mark: str) -> None:
        """Put `mark`, which was taken last, back."""
        self.taken = self.taken[: -len(mark)]
        self.text = mark + self.text

    def first(self, marks: Sequence[str]) -> tuple[int, str] | None:
        """The first of `marks` in the text, the longest where several begin; None if that is not certain."""
        found = [(at, -len(mark), mark) for mark in marks if (at := self.text.find(mark)) >= 0]
        if not found:
            return None
        at, _, mark = min(found)
        rest = self.text[at:]
        longer = any(len(other) > len(rest) and other.startswith(rest) for other in marks)
        return None if longer and not self.final else (at, mark)

    def settled(self, marks: Sequence[str]) -> int:
        """How much of the text certainly comes before any of `marks` that is not wholly there yet."""
        places = [at for mark in marks if (at := self.text.find(mark)) >= 0] if self.first(marks) is None else []
        partial = (len(self.text) - overlap(self.text, mark) for mark in marks)
        return min([len(self.text), *partial, *places])

    def upto(self, marks: Sequence[str]) -> Generator[None, None, tuple[str, str | None]]:
        """The text up to the first of `marks`, and that mark; all of the text and None where none comes."""
        marks = [mark for mark in marks if mark]
        while (found := self.first(marks)) is None:
            if not (yield from self.more()):
                return self.take(len(self.text)), None
        at, mark = found
        before = self.take(at)
        self.take(len(mark))
        return before, mark

    def outside(
        self, marks: Sequence[str], inside: Callable[[str], bool]
    ) -> Generator[None, None, tuple[str, str | None]]:
        """As `upto`, but a mark `inside` a string is part of the string, unless the string never ends."""
        while True:
            places = sorted(
                (found.start(), mark) for mark in marks for found in re.finditer(re.escape(mark), self.text)
            )
            found = next(((at, mark) for at, mark in places if not inside(self.text[:at])), None)
            if found is None and self.final and places:
                found = places[0]
            if found:
                before = self.take(found[0])
                return before, self.take(len(found[1]))
            if not (yield from self.more()):
                return self.take(len(self.text)), None

    def following(self, marks: Sequence[str], skip: str = SPACE) -> Generator[None, None, str | None]:
        """The one of `marks` that comes next, after what may be skipped; None, with nothing taken, where none does."""
        marks = sorted((mark for mark in marks if mark), key=len, reverse=True)
        while True:
            rest = self.text.lstrip(skip)
            pending = not rest or any(len(mark) > len(rest) and mark.startswith(rest) for mark in marks)
            hit = next((mark for mark in marks if rest.startswith(mark)), None)
            if (not pending or self.final) and hit:
                self.take(len(self.text) - len(rest) + len(hit))
                return hit
            if not pending or not (yield from self.more()):
                return None

    def goes_on(self, marks: Sequence[str], skip: str) -> bool:
        """Whether there is more, and it is not the beginning of one of `marks`."""
        rest = self.text.lstrip(skip)
        return bool(rest) and not any(mark != rest and mark.startswith(rest) for mark in marks)
