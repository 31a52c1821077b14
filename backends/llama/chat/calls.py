"""The calls in an answer, read in the way in which the model's syntax writes them."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence

from graphrt.backends.llama.chat.affixes import common_end, common_start
from graphrt.backends.llama.chat.json_text import JsonText, loads
from graphrt.backends.llama.chat.notation import Python, Shape
from graphrt.backends.llama.chat.object_call import ObjectCall
from graphrt.backends.llama.chat.parts import CallPart, Parts
from graphrt.backends.llama.chat.source import SPACE, Source
from graphrt.backends.llama.chat.syntax import Tagged, ToolSyntax
from graphrt.backends.messages import ToolSpec

_CDATA = "<![CDATA[", "]]>"


class CallReader:
    """Reads calls from `source` and emits them as `parts`. `triggers` are the marks that begin calls in text."""

    def __init__(
        self,
        source: Source,
        parts: Parts,
        syntax: ToolSyntax,
        tools: Mapping[str, ToolSpec],
        triggers: Sequence[str],
    ) -> None:
        self._source = source
        self._parts = parts
        self._syntax = syntax
        self._tools = tools
        self._triggers = triggers

    def read(self, mark: str) -> Generator[None, None, None]:
        """The calls that begin with `mark`, which has been taken."""
        self._source.taken = mark
        if self._syntax.keys:
            yield from self._objects(self._syntax.keys)
        elif isinstance(self._syntax.arguments, Python):
            yield from self._listed(self._syntax.arguments)
        else:
            yield from self._named(mark)

    def _objects(self, keys: tuple[str, str]) -> Generator[None, None, None]:
        """Calls that are JSON objects: one, several, or a list of them."""
        closers = self._syntax.closers
        last, start, skip = None, 0, SPACE + "[,"
        mark = yield from self._source.following(["{", *closers], skip)
        while mark == "{":
            last = ObjectCall(self._parts, keys)
            last.feed("{")
            if not (yield from self._value(last.outer, last.feed, closers)):
                skip = SPACE + "[,]}"
            mark = yield from self._source.following(["{", *closers], skip)
            over = mark is not None or self._source.goes_on(closers, skip)
            if not last.end(closed=over, cut=self._source.cut):
                self._parts.say("text", self._source.taken[start:].removesuffix("{"))
            start = len(self._source.taken) - 1
        if last is not None and mark is None:
            self._source.take(len(self._source.text) - len(self._source.text.lstrip(skip)))  # what is left of the JSON
        if last is None and mark is None and closers:
            yield from self._no_call()
        elif last is None:
            self._parts.say("text", self._source.taken)

    def _value(self, reader: JsonText, feed: Callable[[str], int], marks: Sequence[str]) -> Generator[None, None, bool]:
        """Feed a JSON value up to its end. True if one of `marks` comes before that, outside of strings."""
        while True:
            at = reader.outside(self._source.text, marks)
            self._source.take(feed(self._source.text[: self._source.settled(marks) if at is None else at]))
            if reader.ended or at is not None:
                return not reader.ended
            if not (yield from self._source.more()):
                self._source.take(feed(self._source.text))
                return False

    def _no_call(self) -> Generator[None, None, None]:
        """What began like calls and is none: text if the model closed it, else the beginning of a call."""
        opened = len(self._source.taken)
        _, mark = yield from self._source.upto(self._syntax.closers)
        if mark is None:
            self._nameless(self._source.taken[opened:])
        else:
            self._parts.say("text", self._source.taken)

    def _nameless(self, text: str) -> None:
        part = self._parts.call("")
        part.more(text)
        part.end(complete=False)

    def _listed(self, notation: Python) -> Generator[None, None, None]:
        """A list of calls in Python."""
        text, mark = yield from self._source.outside(self._syntax.closers, notation.inside)
        try:
            calls = notation.calls(text)
        except ValueError:
            if mark:
                self._parts.say("text", self._source.taken)
                return
            named = re.match(r"\s*\[?\s*([\w.]+)\(", text)
            part = self._parts.call(named[1] if named else "")
            part.more("" if named else text)
            part.end(complete=False)
            return
        for name, arguments in calls:
            part = self._parts.call(name)
            part.more(json.dumps(arguments, ensure_ascii=False))
            part.end(complete=mark is not None or not self._source.cut)

    def _named(self, mark: str) -> Generator[None, None, None]:
        """Calls that begin with a mark and a header that holds the name."""
        openers, after = self._syntax.openers, SPACE if self._syntax.arguments else SPACE + "[,]}"
        skip = after.rstrip("]}")
        while mark != openers[-1]:
            hit = yield from self._source.following(openers[openers.index(mark) + 1 :], skip)
            if hit is None:
                rest = self._source.text.lstrip(skip)
                if self._source.final and any(opener.startswith(rest) for opener in openers):
                    self._nameless(self._source.take(len(self._source.text)))
                else:
                    self._parts.say("text", self._source.taken)
                return
            mark = hit
        while True:
            yield from self._one()
            hit = yield from self._source.following([*openers, *self._syntax.closers], after)
            while hit and hit != openers[-1]:
                hit = yield from self._source.following([*openers, *self._syntax.closers], after)
            if hit is None:
                return

    def _one(self) -> Generator[None, None, None]:
        """One call, after its first mark."""
        syntax, style = self._syntax, self._syntax.arguments
        pattern, stop = syntax.header
        closers = syntax.closers
        inside = [style.open.strip()] if isinstance(style, Tagged) else []
        text, mark = yield from self._source.upto([stop, *inside, *closers])
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
            self._source.untake(mark)
        if mark in closers and mark != stop:
            part = self._parts.call(name, id_)
            part.more("" if style is None else "{}")
            part.end(complete=True)
        elif isinstance(style, Tagged):
            yield from self._tagged(style, name)
        elif style is None:
            yield from self.json(self._parts.call(name, id_), (*closers, *self._triggers), closers)
        elif not isinstance(style, Python):
            text, mark = yield from self._source.outside(closers[:1], style.inside)
            part, whole = self._parts.call(name), mark is not None
            try:
                part.more(json.dumps(style.read(text, self._shape(name)), ensure_ascii=False))
                whole = whole or not self._source.cut
            except (ValueError, RecursionError):
                part.more(text)
            part.end(complete=whole)

    def _shape(self, name: str) -> Shape:
        return Shape(self._tools[name].parameters if name in self._tools else {})

    def json(self, part: CallPart, marks: Sequence[str], ends: Sequence[str]) -> Generator[None, None, str | None]:
        """Arguments that are JSON, handed out as they come, up to the first of `marks`.

        Return the mark among `ends` that closed them.
        """
        reader = JsonText()

        def feed(text: str) -> int:
            used = reader.feed(text)
            part.more(text[:used])
            return used

        if (yield from self._source.following(["{"])):
            feed("{")
            yield from self._value(reader, feed, marks)
        else:
            while (found := self._source.first(marks)) is None:
                part.more(self._source.take(self._source.settled(marks)))
                if not (yield from self._source.more()):
                    part.more(self._source.take(len(self._source.text)))
                    part.end(complete=False)
                    return None
            part.more(self._source.take(found[0]))
        mark = yield from self._source.following(ends, SPACE + "]}")
        over = mark is not None or self._source.goes_on(marks, SPACE + "]}")
        part.end(complete=over or (reader.ended and not self._source.cut))
        return mark

    def _tagged(self, style: Tagged, name: str) -> Generator[None, None, None]:
        """Arguments that have a tag each."""
        shape, opening = self._shape(name), style.open.strip()
        marks = [opening, *self._syntax.closers, *self._syntax.openers]
        fields: dict[str, str] = {}
        start, whole, spoilt = len(self._source.taken), True, False
        while True:
            before = len(self._source.taken)
            mark = yield from self._source.following(marks)
            if mark == opening:
                field = yield from self._field(style, shape)
                if field is None:
                    whole = False
                    break
                fields[field[0]] = field[1]
            elif mark is None and self._source.goes_on(marks, SPACE):
                spoilt = True
                _, mark = yield from self._source.upto(marks)
                if mark is None:
                    break
                self._source.untake(mark)
            else:
                break
        if mark in self._syntax.openers:
            self._source.untake(mark)
        part = self._parts.call(name)
        inner = self._source.taken[start:before].strip()
        given = (
            "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {value}" for key, value in fields.items()) + "}"
        )
        part.more(inner if spoilt else given)
        part.end(complete=whole and (mark is not None or not self._source.cut))

    def _field(self, style: Tagged, shape: Shape) -> Generator[None, None, tuple[str, str] | None]:
        """One argument: its name and its JSON; None if it is cut off."""
        common = common_start(style.string, style.other)
        chunks = [chunk for chunk in common.split("\n") if chunk.strip()]
        key, mark = yield from self._source.upto([chunks[0].strip()])
        if mark is None:
            return None
        for chunk in chunks[1:]:
            yield from self._source.following([chunk.strip()])
        quoted = False
        if style.string != style.other:
            tail = common_end(style.string, style.other)
            kind, mark = yield from self._source.upto([tail])
            if mark is None:
                return None
            quoted = kind == style.string[len(common) : len(style.string) - len(tail)]
        if style.cdata and (yield from self._source.following(_CDATA[:1], "")):
            value, mark = yield from self._source.upto(_CDATA[1:])
            if mark is None:
                return None
            quoted = True
            yield from self._source.following([style.close.strip()], "")
        else:
            kinds = shape.of(key.strip()).kinds
            value, mark = yield from self._source.outside(
                [style.close.strip()], _in_json if "string" not in kinds and not quoted else _nowhere
            )
            if mark is None:
                return None
            if style.string.endswith("\n"):
                value = value.removeprefix("\n")
            if style.close.startswith("\n"):
                value = value.removesuffix("\n")
        return key.strip(), json.dumps(value, ensure_ascii=False) if quoted else shape.of(key.strip()).json(value)


def _in_json(text: str) -> bool:
    """Whether JSON text ends inside a string."""
    reader = JsonText()
    reader.feed(text)
    return reader.quoted and text.lstrip()[:1] in tuple('[{"')


def _nowhere(_: str) -> bool:
    return False
