"""From the model's text to parts, while it is written.

`AnswerParser` emits nothing that it would have to take back: what may be the beginning of a mark waits until that is
settled, a call begins when it certainly is one, and it is whole only when all of it is there. Arguments that are JSON
are handed out as they come; others when they are whole, as JSON.

The parser is a recursive one, written down as generators: whoever needs more text yields. What it does depends only on
the text so far, never on the pieces in which it came, because every question it asks of the text ("does this mark come
next?", "which of these marks comes first?") waits until the answer is certain.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Callable, Generator, Sequence

from graphrt.backends.events import StreamEvent
from graphrt.backends.llama.affixes import common_end, common_start, overlap
from graphrt.backends.llama.json_text import JsonText, loads
from graphrt.backends.llama.notation import Python, Shape
from graphrt.backends.llama.object_call import ObjectCall
from graphrt.backends.llama.parts import CallPart, Kind, Parts
from graphrt.backends.llama.syntax import PLAIN, Channels, Dialect, Tagged
from graphrt.backends.messages import ToolSpec

_SPACE = " \t\r\n"
_CDATA = "<![CDATA[", "]]>"


def _places(text: str, mark: str) -> list[int]:
    return [found.start() for found in re.finditer(re.escape(mark), text)]


def _in_json(text: str) -> bool:
    """Whether JSON text ends inside a string."""
    reader = JsonText()
    reader.feed(text)
    return reader.quoted and text.lstrip()[:1] in tuple('[{"')


def _nowhere(_: str) -> bool:
    return False


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
        self._text = ""
        """What is not settled yet."""
        self._taken = ""
        """What the calls that are being read took of the text so far."""
        self._final = False
        self._cut = False
        self.thinking = thinking
        """Whether the model is writing to itself."""
        self._calling = False
        self._steps = self._messages(dialect.channels) if dialect.channels else self._answer()
        self._over = False

    @property
    def calls(self) -> int:
        """Complete calls so far."""
        return self._parts.calls

    @property
    def calling(self) -> str | None:
        """The text of the calls that are being written, from their first mark; None outside calls."""
        return self._taken + self._text if self._calling else None

    def feed(self, text: str) -> None:
        """Take more of the model's text."""
        if text:
            self._text += text
            self._run()

    def end(self, *, cut: bool) -> None:
        """Close everything. `cut` says that the model did not come to its own end."""
        self._final, self._cut = True, cut
        self._run()
        self._parts.close()

    def _run(self) -> None:
        if not self._over:
            try:
                next(self._steps)
            except StopIteration:
                self._over = True

    # Asking the text. Each of these waits until the answer is certain.

    def _more(self) -> Generator[None, None, bool]:
        """Wait for more text; False when there is none to come."""
        if self._final:
            return False
        yield
        return True

    def _take(self, size: int) -> str:
        text, self._text = self._text[:size], self._text[size:]
        self._taken += text
        return text

    def _first(self, marks: Sequence[str]) -> tuple[int, str] | None:
        """The first of `marks` in the text, the longest where several begin; None if that is not certain."""
        found = [(at, -len(mark), mark) for mark in marks if (at := self._text.find(mark)) >= 0]
        if not found:
            return None
        at, _, mark = min(found)
        rest = self._text[at:]
        longer = any(len(other) > len(rest) and other.startswith(rest) for other in marks)
        return None if longer and not self._final else (at, mark)

    def _held(self, marks: Sequence[str]) -> int:
        """How much of the end of the text may belong to one of `marks`."""
        found = self._first(marks)
        places = [at for mark in marks if (at := self._text.find(mark)) >= 0] if found is None else []
        return max([0, *(overlap(self._text, mark) for mark in marks), *(len(self._text) - at for at in places)])

    def _upto(self, marks: Sequence[str]) -> Generator[None, None, tuple[str, str | None]]:
        """The text up to the first of `marks`, and that mark; all of the text and None where none comes."""
        marks = [mark for mark in marks if mark]
        while (found := self._first(marks)) is None:
            if not (yield from self._more()):
                return self._take(len(self._text)), None
        at, mark = found
        before = self._take(at)
        self._take(len(mark))
        return before, mark

    def _outside(
        self, marks: Sequence[str], inside: Callable[[str], bool]
    ) -> Generator[None, None, tuple[str, str | None]]:
        """As `_upto`, but a mark `inside` a string is part of the string, unless the string never ends."""
        while True:
            places = sorted((at, mark) for mark in marks for at in _places(self._text, mark))
            found = next(((at, mark) for at, mark in places if not inside(self._text[:at])), None)
            if found is None and self._final and places:
                found = places[0]
            if found:
                before = self._take(found[0])
                return before, self._take(len(found[1]))
            if not (yield from self._more()):
                return self._take(len(self._text)), None

    def _next(self, marks: Sequence[str], skip: str = _SPACE) -> Generator[None, None, str | None]:
        """The one of `marks` that comes next, after what may be skipped; None, with nothing taken, where none does."""
        marks = sorted((mark for mark in marks if mark), key=len, reverse=True)
        while True:
            rest = self._text.lstrip(skip)
            pending = not rest or any(len(mark) > len(rest) and mark.startswith(rest) for mark in marks)
            hit = next((mark for mark in marks if rest.startswith(mark)), None)
            if (not pending or self._final) and hit:
                self._take(len(self._text) - len(rest) + len(hit))
                return hit
            if not pending or not (yield from self._more()):
                return None

    def _goes_on(self, marks: Sequence[str], skip: str) -> bool:
        """Whether there is more, and it is not the beginning of one of `marks`."""
        rest = self._text.lstrip(skip)
        return bool(rest) and not any(mark != rest and mark.startswith(rest) for mark in marks)

    def _speak(self, kind: Kind, marks: Callable[[], Sequence[str]]) -> Generator[None, None, str | None]:
        """Hand text out up to the first of `marks`; return the mark, or None at the end of the text.

        Space before a mark is dropped; space at the end waits until it is known whether a mark follows.
        """
        self.thinking = kind == "reasoning"
        while True:
            live = marks()
            if found := self._first(live):
                at, mark = found
                self._parts.say(kind, self._text[:at].rstrip())
                self._parts.close()
                self._text = self._text[at + len(mark) :]
                self.thinking = False
                return mark
            settled = self._text[: len(self._text) - self._held(live)].rstrip()
            self._parts.say(kind, settled)
            self._text = self._text[len(settled) :]
            if not (yield from self._more()):
                if self._parts.speaking or self._text.strip():
                    self._parts.say(kind, self._text)
                self._text = ""
                self._parts.close()
                return None

    # Answers that are text with marks in it.

    def _answer(self) -> Generator[None, None, None]:
        thoughts = self._dialect.thoughts
        mark: str | None = thoughts.open if self.thinking else ""
        if not mark and self._tools and self._syntax.keys and not self._triggers:
            yield from self._next(self._dialect.dropped)
            if (yield from self._bare()):
                yield from self._calls("")
        while mark is not None:
            if mark == thoughts.open:
                ends = [thoughts.close, *self._dialect.dropped, *(self._triggers if self._syntax.ends_thought else ())]
                mark = yield from self._speak("reasoning", lambda ends=ends: ends)  # type: ignore[misc]
                continue
            if mark in self._triggers:
                yield from self._calls(mark)
            mark = yield from self._speak("text", self._marks)

    @functools.cached_property
    def _triggers(self) -> tuple[str, ...]:
        """The marks that begin calls in the middle of text."""
        return tuple(mark for mark in self._syntax.openers if not mark.startswith("{")) if self._tools else ()

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
        begun = self._text.lstrip()
        return self._parts.blank and (begun.startswith(mark) or mark.startswith(begun))

    def _bare(self) -> Generator[None, None, bool]:
        """Whether the answer is a call without any mark: a JSON object that names an offered tool."""
        name = (self._syntax.keys or ("name",))[0]
        while True:
            begun = self._text.lstrip()
            if found := re.match(rf'\{{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"{name}"\s*:\s*"([^"\\]*)"\s*,', begun):
                return found[1] in self._tools
            squeezed = re.sub(r"\s+", "", begun)
            ways = (f'{{"{name}":"', f'{{"type":"function","{name}":"')
            plausible = any(
                way.startswith(squeezed) or re.fullmatch(re.escape(way) + r'[^"\\]*"?', squeezed) for way in ways
            )
            if not plausible or not (yield from self._more()):
                return False

    # Calls.

    def _calls(self, mark: str) -> Generator[None, None, None]:
        """The calls that begin with `mark`, which has been taken."""
        self._taken, self._calling = mark, True
        if self._syntax.keys:
            yield from self._objects()
        elif isinstance(self._syntax.arguments, Python):
            yield from self._listed()
        else:
            yield from self._named(mark)
        self._calling = False

    def _objects(self) -> Generator[None, None, None]:
        """Calls that are JSON objects: one, several, or a list of them."""
        closers, keys = self._syntax.closers, self._syntax.keys
        assert keys is not None  # noqa: S101 - see _calls
        last, start, skip = None, 0, _SPACE + "[,"
        mark = yield from self._next(["{", *closers], skip)
        while mark == "{":
            last = ObjectCall(self._parts, keys)
            last.feed("{")
            mark = yield from self._object(last)
            if mark is None:
                skip = _SPACE + "[,]}"
                mark = yield from self._next(["{", *closers], skip)
            over = mark is not None or self._goes_on(closers, skip)
            if not last.end(closed=over, cut=self._cut):
                self._parts.say("text", self._taken[start:].removesuffix("{"))
            start = len(self._taken) - 1
        if last is not None and mark is None:
            self._take(len(self._text) - len(self._text.lstrip(skip)))  # what is left of the JSON
        if last is None and mark is None and closers:
            yield from self._no_call()
        elif last is None:
            self._parts.say("text", self._taken)

    def _object(self, call: ObjectCall) -> Generator[None, None, str | None]:
        """One object. Return the closing mark if that came before the object's own end."""
        closers = self._syntax.closers
        while True:
            at = call.outer.outside(self._text, closers)
            end = len(self._text) - max([0, *(overlap(self._text, mark) for mark in closers)]) if at is None else at
            self._take(call.feed(self._text[:end]))
            if call.outer.ended:
                return None
            if at is not None:
                return (yield from self._next(closers))
            if not (yield from self._more()):
                self._take(call.feed(self._text))
                return None

    def _no_call(self) -> Generator[None, None, None]:
        """What began like calls and is none: text if the model closed it, else the beginning of a call."""
        opened = len(self._taken)
        _, mark = yield from self._upto(self._syntax.closers)
        if mark is None:
            self._nameless(self._taken[opened:])
        else:
            self._parts.say("text", self._taken)

    def _nameless(self, text: str) -> None:
        part = self._parts.call("")
        part.more(text)
        part.end(complete=False)

    def _listed(self) -> Generator[None, None, None]:
        """A list of calls in Python."""
        notation, ends = self._syntax.arguments, self._syntax.closers[-1:]
        assert isinstance(notation, Python)  # noqa: S101 - see _calls
        text, mark = yield from self._outside(ends, notation.inside)
        try:
            calls = notation.calls(text)
        except ValueError:
            if mark:
                self._parts.say("text", self._taken)
                return
            named = re.match(r"\s*\[?\s*([\w.]+)\(", text)
            part = self._parts.call(named[1] if named else "")
            part.more("" if named else text)
            part.end(complete=False)
            return
        for name, arguments in calls:
            part = self._parts.call(name)
            part.more(json.dumps(arguments, ensure_ascii=False))
            part.end(complete=mark is not None or not self._cut)

    def _named(self, mark: str) -> Generator[None, None, None]:
        """Calls that begin with a mark and a header that holds the name."""
        openers, after = self._syntax.openers, _SPACE if self._syntax.arguments else _SPACE + "[,]}"
        skip = after.rstrip("]}")
        while mark != openers[-1]:
            hit = yield from self._next(openers[openers.index(mark) + 1 :], skip)
            if hit is None:
                rest = self._text.lstrip(skip)
                if self._final and any(opener.startswith(rest) for opener in openers):
                    self._nameless(self._take(len(self._text)))
                else:
                    self._parts.say("text", self._taken)
                return
            mark = hit
        while True:
            yield from self._one()
            hit = yield from self._next([*openers, *self._syntax.closers], after)
            while hit and hit != openers[-1]:
                hit = yield from self._next([*openers, *self._syntax.closers], after)
            if hit is None:
                return

    def _one(self) -> Generator[None, None, None]:
        """One call, after its first mark."""
        syntax, style = self._syntax, self._syntax.arguments
        pattern, stop = syntax.header
        closers = syntax.closers
        inside = [style.open.strip()] if isinstance(style, Tagged) else []
        text, mark = yield from self._upto([stop, *inside, *closers])
        if mark is None:
            self._nameless(text)
            return
        found = pattern.fullmatch(text)
        groups = found.groupdict() if found else {}
        name = groups.get("name") or text.strip().strip('"')
        if syntax.quoted:
            with contextlib.suppress(ValueError):
                name = loads(f'"{name}"')
        id_ = text.strip() if "index" in groups and style is None else groups.get("id") or ""
        if mark in inside:
            self._text = mark + self._text
        if mark in closers and mark != stop:
            part = self._parts.call(name, id_)
            part.more("" if style is None else "{}")
            part.end(complete=True)
        elif isinstance(style, Tagged):
            yield from self._tagged(style, name)
        elif style is None:
            yield from self._json(self._parts.call(name, id_), closers)
        else:
            assert not isinstance(style, Python)  # noqa: S101 - see _calls
            text, mark = yield from self._outside(closers[:1], style.inside)
            part, whole = self._parts.call(name), mark is not None
            try:
                part.more(json.dumps(style.read(text, self._shape(name)), ensure_ascii=False))
                whole = whole or not self._cut
            except (ValueError, RecursionError):
                part.more(text)
            part.end(complete=whole)

    def _shape(self, name: str) -> Shape:
        return Shape(self._tools[name].parameters if name in self._tools else {})

    def _json(self, part: CallPart, ends: Sequence[str]) -> Generator[None, None, str | None]:
        """Arguments that are JSON, handed out as they come. Return the mark among `ends` that closed them."""
        reader = JsonText()
        marks = tuple(dict.fromkeys((*ends, *(self._triggers if not self._dialect.channels else ()))))
        if not (yield from self._next(["{"])):
            while (found := self._first(marks)) is None:
                held = self._held(marks)
                part.more(self._take(len(self._text) - held))
                if not (yield from self._more()):
                    part.more(self._take(len(self._text)))
                    part.end(complete=False)
                    return None
            part.more(self._take(found[0]))
        else:
            reader.feed("{")
            part.more("{")
            while not reader.ended:
                at = reader.outside(self._text, marks)
                end = len(self._text) - max([0, *(overlap(self._text, mark) for mark in marks)]) if at is None else at
                part.more(self._take(reader.feed(self._text[:end])))
                if reader.ended or at is not None:
                    break
                if not (yield from self._more()):
                    part.more(self._take(reader.feed(self._text)))
                    break
        mark = yield from self._next(ends, _SPACE + "]}")
        over = mark is not None or self._goes_on(marks, _SPACE + "]}")
        part.end(complete=over or (reader.ended and not self._cut))
        return mark

    def _tagged(self, style: Tagged, name: str) -> Generator[None, None, None]:
        """Arguments that have a tag each."""
        shape, openers, closers = self._shape(name), self._syntax.openers, self._syntax.closers
        fields: dict[str, str] = {}
        start, whole, spoilt = len(self._taken), True, False
        while True:
            before = len(self._taken)
            mark = yield from self._next([style.open.strip(), *closers, *openers])
            if mark == style.open.strip():
                field = yield from self._field(style, shape)
                if field is None:
                    whole = False
                    break
                fields[field[0]] = field[1]
            elif mark is None and self._goes_on([style.open.strip(), *closers, *openers], _SPACE):
                spoilt = True
                rest = [style.open.strip(), *closers, *openers]
                _, mark = yield from self._upto(rest)
                if mark is None:
                    break
                self._untake(mark)
            else:
                break
        if mark in openers:
            self._untake(mark)
        part = self._parts.call(name)
        inner = self._taken[start:before].strip()
        given = (
            "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {value}" for key, value in fields.items()) + "}"
        )
        part.more(inner if spoilt else given)
        part.end(complete=whole and (mark is not None or not self._cut))

    def _untake(self, mark: str) -> None:
        self._taken = self._taken[: -len(mark)]
        self._text = mark + self._text

    def _field(self, style: Tagged, shape: Shape) -> Generator[None, None, tuple[str, str] | None]:
        """One argument: its name and its JSON; None if it is cut off."""
        common = common_start(style.string, style.other)
        chunks = [chunk for chunk in common.split("\n") if chunk.strip()]
        key, mark = yield from self._upto([chunks[0].strip()])
        if mark is None:
            return None
        for chunk in chunks[1:]:
            yield from self._next([chunk.strip()])
        quoted = False
        if style.string != style.other:
            tail = common_end(style.string, style.other)
            kind, mark = yield from self._upto([tail])
            if mark is None:
                return None
            quoted = kind == style.string[len(common) : len(style.string) - len(tail)]
        if style.cdata and (yield from self._next(_CDATA[:1], "")):
            value, mark = yield from self._upto(_CDATA[1:])
            if mark is None:
                return None
            quoted = True
            yield from self._next([style.close.strip()], "")
        else:
            kinds = shape.of(key.strip()).kinds
            value, mark = yield from self._outside(
                [style.close.strip()], _in_json if "string" not in kinds and not quoted else _nowhere
            )
            if mark is None:
                return None
            if style.string.endswith("\n"):
                value = value.removeprefix("\n")
            if style.close.startswith("\n"):
                value = value.removesuffix("\n")
        return key.strip(), json.dumps(value, ensure_ascii=False) if quoted else shape.of(key.strip()).json(value)

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
                header, found = yield from self._upto([channels.message])
                mark = (yield from self._body(channels, header, mark)) if found else None
            inside = mark in channels.begins or not channels.begins

    def _next_header(self, channels: Channels) -> Generator[None, None, bool]:
        """Whether a header comes next."""
        before = self._text
        mark = yield from self._next(channels.begins)
        if mark:
            self._text = before[before.find(mark) :] if mark in before else mark + self._text
        return mark is not None

    def _body(self, channels: Channels, header: str, before: str) -> Generator[None, None, str | None]:
        """What follows a header, which comes after the mark `before`. Return the mark that ends it."""
        ends = channels.ends
        called = re.search(channels.call, header) if self._tools else None
        if called and channels.offered and called[1] not in self._tools:
            called = None
        if called and not channels.inner:
            self._taken, self._calling = self._syntax.lead(called[1]), True
            mark = yield from self._json(self._parts.call(called[1]), ends)
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
