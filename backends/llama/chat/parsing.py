"""From the model's text to parts, while it is written.

`AnswerParser` emits nothing that it would have to take back: what may be the beginning of a mark waits until that is
settled, a call begins when it certainly is one, and it is whole only when all of it is there. Arguments that are JSON
are handed out as they come; others when they are whole, as JSON.

The parser is a recursive one, written down as generators: whoever needs more text yields. What it does depends only on
the text so far, never on the pieces in which it came, because every question it asks of the text (`Source`) waits until
the answer is certain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence

from graphrt.backends.events import StreamEvent
from graphrt.backends.llama.chat.calls import CallReader
from graphrt.backends.llama.chat.parts import Kind, Parts
from graphrt.backends.llama.chat.source import Source
from graphrt.backends.llama.chat.syntax import PLAIN, Channels, Dialect
from graphrt.backends.messages import ToolSpec


class AnswerParser:
    """Cuts the model's text into parts. `ids` names the parts and the calls of this answer.

    Without `tools` what looks like a call is text. With `thinking` the answer begins inside a thought.
    """

    def __init__(
        self,
        emit: Callable[[StreamEvent], None],
        *,
        ids: str,
        tools: Sequence[ToolSpec],
        dialect: Dialect = PLAIN,
        thinking: bool = False,
    ) -> None:
        self._parts = Parts(emit, ids)
        self._tools = {tool.name: tool for tool in tools}
        self._dialect = dialect
        self._syntax = dialect.calls
        self._source = Source()
        self.thinking = thinking
        """Whether the model is writing to itself."""
        self._calling = False
        self._triggers = tuple(mark for mark in dialect.calls.openers if not mark.startswith("{")) if tools else ()
        """The marks that begin calls in the middle of text."""
        self._reader = CallReader(self._source, self._parts, dialect.calls, self._tools, self._triggers)
        self._steps = self._messages(dialect.channels) if dialect.channels else self._answer()
        self._over = False

    @property
    def calls(self) -> int:
        """Complete calls so far."""
        return self._parts.calls

    @property
    def calling(self) -> str | None:
        """The text of the calls that are being written, from their first mark; None outside calls."""
        return self._source.taken + self._source.text if self._calling else None

    def feed(self, text: str) -> None:
        """Take more of the model's text."""
        if text:
            self._source.text += text
            self._run()

    def end(self, *, cut: bool) -> None:
        """Close everything. `cut` says that the model did not come to its own end."""
        self._source.final, self._source.cut = True, cut
        self._run()
        self._parts.close()

    def _run(self) -> None:
        if not self._over:
            try:
                next(self._steps)
            except StopIteration:
                self._over = True

    def _speak(self, kind: Kind, marks: Callable[[], Sequence[str]]) -> Generator[None, None, str | None]:
        """Hand text out up to the first of `marks`; return the mark, or None at the end of the text.

        Space before a mark is dropped; space at the end waits until it is known whether a mark follows.
        """
        self.thinking = kind == "reasoning"
        while True:
            live = marks()
            if found := self._source.first(live):
                at, mark = found
                self._parts.say(kind, self._source.text[:at].rstrip())
                self._parts.close()
                self._source.text = self._source.text[at + len(mark) :]
                self.thinking = False
                return mark
            settled = self._source.text[: self._source.settled(live)].rstrip()
            self._parts.say(kind, settled)
            self._source.text = self._source.text[len(settled) :]
            if not (yield from self._source.more()):
                if self._parts.speaking or self._source.text.strip():
                    self._parts.say(kind, self._source.text)
                self._source.text = ""
                self._parts.close()
                return None

    # Answers that are text with marks in it.

    def _answer(self) -> Generator[None, None, None]:
        thoughts = self._dialect.thoughts
        ends = [thoughts.close, *self._dialect.dropped, *(self._triggers if self._syntax.ends_thought else ())]
        mark: str | None = thoughts.open if self.thinking else ""
        if not mark and self._tools and self._syntax.keys and not self._triggers:
            yield from self._source.following(self._dialect.dropped)
            if (yield from self._bare()):
                yield from self._calls("")
        while mark is not None:
            if mark == thoughts.open:
                mark = yield from self._speak("reasoning", lambda: ends)
                continue
            if mark in self._triggers:
                yield from self._calls(mark)
            mark = yield from self._speak("text", self._marks)

    def _marks(self) -> Sequence[str]:
        """The marks that mean something in text, here and now."""
        thoughts = self._dialect.thoughts
        marks = [*self._dialect.dropped, *self._triggers]
        if thoughts.anywhere or self._begins(thoughts.open):
            marks.append(thoughts.open)
        if self._begins(thoughts.close):  # of a thought that the prompt began, or one that was left out
            marks.append(thoughts.close)
        return marks

    def _begins(self, mark: str) -> bool:
        begun = self._source.text.lstrip()
        return self._parts.blank and (begun.startswith(mark) or mark.startswith(begun))

    def _bare(self) -> Generator[None, None, bool]:
        """Whether the answer is a call without any mark: a JSON object that names an offered tool."""
        name = (self._syntax.keys or ("name",))[0]
        while True:
            begun = self._source.text.lstrip()
            if found := re.match(rf'\{{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"{name}"\s*:\s*"([^"\\]*)"\s*,', begun):
                return found[1] in self._tools
            squeezed = re.sub(r"\s+", "", begun)
            ways = (f'{{"{name}":"', f'{{"type":"function","{name}":"')
            plausible = any(
                way.startswith(squeezed) or re.fullmatch(re.escape(way) + r'[^"\\]*"?', squeezed) for way in ways
            )
            if not plausible or not (yield from self._source.more()):
                return False

    def _calls(self, mark: str) -> Generator[None, None, None]:
        """The calls that begin with `mark`, which has been taken."""
        self._calling = True
        yield from self._reader.read(mark)
        self._calling = False

    # Answers made of messages with headers.

    def _messages(self, channels: Channels) -> Generator[None, None, None]:
        mark: str | None = ""
        inside = not channels.begins
        if self.thinking:
            mark = yield from self._speak("reasoning", lambda: channels.ends)
            inside = mark in channels.begins
        while mark is not None:
            if not inside and not (yield from self._next_header(channels)):
                mark = yield from self._speak("text", lambda: channels.ends)
            else:
                header, found = yield from self._source.upto([channels.message])
                mark = (yield from self._body(channels, header, mark)) if found else None
            inside = mark in channels.begins or not channels.begins

    def _next_header(self, channels: Channels) -> Generator[None, None, bool]:
        """Whether a header comes next."""
        mark = yield from self._source.following(channels.begins)
        if mark:
            self._source.untake(mark)
        return mark is not None

    def _body(self, channels: Channels, header: str, before: str) -> Generator[None, None, str | None]:
        """What follows a header, which comes after the mark `before`. Return the mark that ends it."""
        ends = channels.ends
        called = re.search(channels.call, header) if self._tools else None
        if called and channels.offered and called[1] not in self._tools:
            called = None
        if called and not channels.inner:
            self._source.taken, self._calling = self._syntax.lead(called[1]), True
            mark = yield from self._reader.json(self._parts.call(called[1]), ends, ends)
            self._calling = False
            return mark
        if re.search(channels.thought, header):
            return (yield from self._speak("reasoning", lambda: ends))
        if channels.offered and header.strip() not in {"", "all"}:
            self._parts.say("text", before + header + channels.message)
        marks = [*ends, *(self._triggers if channels.inner else ())]
        while (mark := (yield from self._speak("text", lambda: marks))) in self._triggers and mark is not None:
            yield from self._calls(mark)
        return mark
