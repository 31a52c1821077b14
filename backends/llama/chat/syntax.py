"""How a model writes: its calls (`ToolSyntax`), its thoughts (`Thoughts`), its messages (`Channels`).

A syntax is data. It is found by trying the model's template (`probe.py`), or written down for a family (`families.py`);
`calls.py` reads by it, `grammar.py` constrains by it, and `ToolSyntax.write` writes by it.
"""

from __future__ import annotations

import enum
import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphrt.backends.llama.chat import notation
from graphrt.backends.llama.chat.notation import Notation

_MARK = re.compile(r"<[^<>\n]*>|\[[^\[\]\n]*\]")


class Slot(enum.Enum):
    """What differs from call to call."""

    NAME = "name"
    ID = "id"
    INDEX = "index"
    """The call's number in its turn, or in the conversation."""
    ARGUMENTS = "arguments"


NAME, ID, INDEX, ARGUMENTS = Slot.NAME, Slot.ID, Slot.INDEX, Slot.ARGUMENTS


@dataclass(frozen=True, slots=True)
class Tagged:
    """Arguments of which each has a tag of its own, with the value between: `<parameter=city>Oslo</parameter>`."""

    open: str
    string: str
    """Between the argument's name and a string."""
    other: str
    """Between the argument's name and any other value, which is JSON."""
    close: str
    typed: bool = False
    """Whether `other` names the value's type, which is "number" there and may be another."""
    cdata: bool = False
    """Whether a value may be wrapped in CDATA."""

    def write(self, arguments: Mapping[str, Any]) -> str:
        """The arguments as the model would write them."""
        return "".join(f"{self.open}{key}{self._value(value)}{self.close}" for key, value in arguments.items())

    def _value(self, value: Any) -> str:
        if isinstance(value, str):
            return self.string + value
        return self.attribute(notation.kind(value)) + json.dumps(value, ensure_ascii=False)

    def attribute(self, kind: str) -> str:
        """What stands between an argument's name and a value of the JSON type `kind`, which is not string."""
        return self.other.replace("number", kind) if self.typed else self.other


@dataclass(frozen=True)
class ToolSyntax:
    """How calls are written: `begin`, the calls with `between` in the middle, `end`. `call` is one call."""

    call: tuple[str | Slot, ...]
    begin: str = ""
    between: str = ""
    end: str = ""
    arguments: Tagged | Notation | None = None
    """How arguments are written; None is a JSON object."""
    parallel: bool = True
    """Whether one turn may hold several calls."""
    ends_thought: bool = False
    """Whether a call ends the thought it stands in. Otherwise what looks like a call there is thought."""
    first: int = 0
    """The number of a turn's first call, where calls are numbered."""

    @functools.cached_property
    def keys(self) -> tuple[str, str] | None:
        """The keys of name and arguments where a call is a JSON object; None where it is not."""
        at = self.call.index(ARGUMENTS)
        before, between = self._literal(self.call.index(NAME) - 1), self._literal(at - 1)
        name, arguments = re.search(r'"(\w+)":\s*"$', before), re.search(r'"(\w+)":\s*$', between)
        return (name[1], arguments[1]) if name and arguments else None

    def _literal(self, at: int) -> str:
        piece = self.call[at] if 0 <= at < len(self.call) else ""
        return piece if isinstance(piece, str) else ""

    @property
    def head(self) -> str:
        """The text of a call before its first slot."""
        return self._literal(0)

    @functools.cached_property
    def openers(self) -> tuple[str, ...]:
        """The marks of which each may be the beginning of calls, outermost first; the last begins every call.

        White space and JSON's own brackets are no part of them: models differ there from their templates.
        """
        if self.keys:
            marks = [re.split(r"[\[{]?\s*\{", self.begin + self.head, maxsplit=1)[0]]
            if marks[0] and not marks[0].strip().endswith((">", "]", "`")):
                marks[0] = (self.begin + self.head).rsplit("{", 1)[0]
        else:
            marks = [*self.begin.rstrip("[ \n").split("\n"), *self.head.split("\n")]
            if self.arguments is None and (mark := _MARK.match(marks[-1])):
                marks[-1] = mark[0]
        return tuple(mark.strip() for mark in marks if mark.strip())

    @functools.cached_property
    def closers(self) -> tuple[str, ...]:
        """The marks that come after a call's arguments, innermost first; the first ends the call."""
        after = [piece for piece in self.call[self.call.index(ARGUMENTS) + 1 :] if isinstance(piece, str)]
        lines = ["".join(after), self.end]
        if isinstance(self.arguments, notation.Python):
            return (self.end.lstrip("]"),)
        if self.arguments is None:  # the rest of the JSON is no mark
            lines = [re.sub(r'^[\s\]},:"\w]*', "", line) for line in lines]
        return tuple(mark.strip() for line in lines for mark in line.split("\n") if mark.strip())

    @functools.cached_property
    def header(self) -> tuple[re.Pattern[str], str]:
        """What stands between `openers[-1]` and the arguments: a pattern for it, and the mark that ends it."""
        at = self.call.index(ARGUMENTS)
        pieces = list(self.call[:at])
        end = pieces.pop() if pieces and isinstance(pieces[-1], str) else ""
        assert isinstance(end, str)  # noqa: S101 - so written
        stop = end.strip() or ("\n" if "\n" in end else "")
        if pieces and isinstance(pieces[0], str) and self.openers:
            pieces[0] = pieces[0][pieces[0].find(self.openers[-1]) + len(self.openers[-1]) :]
        patterns = {NAME: r"(?P<name>.+?)", ID: r"(?P<id>.*?)", INDEX: r"(?P<index>\d+)"}
        seen: set[Slot] = set()
        text = ""
        for piece in pieces:
            if isinstance(piece, str):
                text += r"\s*".join(map(re.escape, piece.split()))
            else:
                text += f"(?P={piece.value})" if piece in seen else patterns[piece]
                seen.add(piece)
        return re.compile(rf"\s*{text}\s*", re.DOTALL), stop

    def write(self, calls: Sequence[tuple[str, str, Mapping[str, Any]]]) -> str:
        """Calls of (name, id, arguments) as the model would write them."""
        written = [
            "".join(map(str, self.fill(name, id_, self.first + number, self._arguments(arguments))))
            for number, (name, id_, arguments) in enumerate(calls)
        ]
        return self.begin + self.between.join(written) + self.end

    def _arguments(self, arguments: Mapping[str, Any]) -> str:
        if self.arguments is None:
            return json.dumps(arguments, ensure_ascii=False)
        return self.arguments.write(arguments)

    def fill(self, name: str, id_: str, index: int, arguments: str) -> Iterator[str]:
        """The pieces of one call."""
        values = {NAME: self.name(name), ID: id_, INDEX: str(index), ARGUMENTS: arguments}
        for piece in self.call:
            yield piece if isinstance(piece, str) else values[piece]

    def lead(self, name: str) -> str:
        """The beginning of a call of `name`, up to its arguments."""
        return "".join(itertools.takewhile(lambda piece: piece != "\0", self.fill(name, "", self.first, "\0")))

    @property
    def quoted(self) -> bool:
        """Whether the name is a string in JSON."""
        return self.arguments is None and self._literal(self.call.index(NAME) - 1).endswith('"')

    def name(self, name: str) -> str:
        """A tool's name as it stands in a call."""
        return json.dumps(name, ensure_ascii=False)[1:-1] if self.quoted else name

    @property
    def texts(self) -> tuple[str, ...]:
        """All of the syntax that is the same in each call."""
        own = self.arguments
        inner = (own.open, own.string, own.other, own.close) if isinstance(own, Tagged) else own.texts if own else ()
        return (self.begin, *(p for p in self.call if isinstance(p, str)), self.between, self.end, *inner)


@dataclass(frozen=True, slots=True)
class Thoughts:
    """The marks around what the model writes to itself."""

    open: str = "<think>"
    close: str = "</think>"

    @property
    def anywhere(self) -> bool:
        """Whether `open` means a thought wherever it stands. Plain letters do only at an answer's beginning."""
        return self.open.startswith(("<|", "<\uff5c", "["))


@dataclass(frozen=True, slots=True)
class Channels:
    """A turn made of messages, each with a header that says whom it is for: header, `message`, body, one of `ends`."""

    begins: tuple[str, ...]
    """What a header may begin with. An answer that begins otherwise is text."""
    message: str
    ends: tuple[str, ...]
    thought: str
    """A pattern; the header of a thought matches it."""
    call: str
    """A pattern; the header of a call matches it, and its first group is the tool's name."""
    plain: str
    """The header of an answer, with `message`."""
    offered: bool = False
    """Whether a call is one only if the tool was offered."""
    inner: ToolSyntax | None = None
    """How the body of a call is written; None is its arguments' JSON."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """All of how a model writes."""

    tools: ToolSyntax
    thoughts: Thoughts = Thoughts()
    channels: Channels | None = None
    dropped: tuple[str, ...] = ()
    """Marks around plain answers that mean nothing to the reader."""

    @property
    def calls(self) -> ToolSyntax:
        """How calls stand in the text of a message."""
        return (self.channels and self.channels.inner) or self.tools

    def spells(self, mark: str) -> bool:
        """Whether a control token is part of the dialect, so that the parser must see it."""
        whole = [*self.tools.texts, self.thoughts.open, self.thoughts.close, *self.dropped]
        if self.channels:
            whole += [self.channels.message, *self.channels.begins, *self.channels.ends, "<|channel|>", "<|constrain|>"]
        return any(mark in text for text in whole)


HERMES = ToolSyntax(
    call=('<tool_call>\n{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}\n</tool_call>"), between="\n"
)
"""The syntax of Hermes, Qwen 2.5 and 3, Granite 4 and others, and of every model whose template has none."""
PLAIN = Dialect(HERMES)
"""The dialect of a model about which nothing else is known."""
