"""From the model's text to parts, while it is written.

`AnswerParser` emits nothing that it would have to take back: what may be the beginning of a tag waits until that is
settled, and a call is whole only when its JSON is. It reads `<think>…</think>` and
`<tool_call>{"name": …, "arguments": {…}}</tool_call>`, the syntax of Hermes, Qwen 2.5 and 3, Granite 4 and others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from graphrt.backends.events import PartDelta, PartEnded, PartStarted, StreamEvent
from graphrt.backends.llama.constrain import CALL, END_CALL
from graphrt.backends.llama.stops import overlap
from graphrt.backends.messages import Reasoning, Text, ToolCall

THINK, END_THINK = "<think>", "</think>"


class AnswerParser:
    """Cuts the model's text into parts. `ids` names the parts and the calls of this answer."""

    def __init__(
        self,
        emit: Callable[[StreamEvent], None],
        *,
        ids: str,
        tools: bool,
        thinking: bool = False,
    ) -> None:
        self._emit = emit
        self._ids = ids
        self._tools = tools
        self._count = 0
        self._waiting = ""
        """Text that is not settled yet."""
        self._part: tuple[str, str, list[str]] | None = None
        """The open text or reasoning part: id, kind, pieces."""
        self._call: _Call | None = None
        self._blank = True
        """Whether nothing but space has been written outside tags: only then does `<think>` open a thought."""
        self._mode = "reasoning" if thinking else "text"
        self.calls = 0
        """Complete calls so far."""

    @property
    def thinking(self) -> bool:
        """Whether the model is writing to itself."""
        return self._mode == "reasoning"

    def feed(self, text: str) -> None:
        """Take more of the model's text."""
        self._waiting += text
        while self._waiting and self._step():
            pass

    def end(self, *, cut: bool) -> None:
        """Close everything. `cut` says that the model did not come to its own end."""
        if self._call is not None:
            self._call.feed(self._waiting)
            self._close_call(closed=False, cut=cut)
        elif self._waiting and (self._part is not None or self._waiting.strip()):
            self._say(self._waiting)
        self._waiting = ""
        self._close_part()

    def _step(self) -> bool:
        """Settle some of what waits; False when more text is needed."""
        if self._mode == "call":
            return self._in_call()
        tags = [END_THINK] if self._mode == "reasoning" else [CALL] * self._tools + [THINK] * self._may_think()
        found = min(((at, tag) for tag in tags if (at := self._waiting.find(tag)) >= 0), default=None)
        if found is not None:
            at, tag = found
            before, self._waiting = self._waiting[:at].rstrip(), self._waiting[at + len(tag) :]
            self._say(before)
            self._close_part()
            self._mode = {END_THINK: "text", THINK: "reasoning", CALL: "call"}[tag]
            if tag == CALL:
                self._call = _Call(self._emit, f"{self._ids}_{self._next()}")
            return True
        # Space at the end waits too: it is dropped if a tag follows and kept if text does.
        settled = self._waiting[
            : len(self._waiting) - max((overlap(self._waiting, tag) for tag in tags), default=0)
        ].rstrip()
        self._waiting = self._waiting[len(settled) :]
        self._say(settled)
        return False

    def _may_think(self) -> bool:
        begun = self._waiting.lstrip()
        return self._blank and (begun.startswith(THINK) or THINK.startswith(begun))

    def _in_call(self) -> bool:
        call = self._call
        if call is None:
            return False
        # A closing tag inside a JSON string belongs to the string.
        at = call.outside(self._waiting, END_CALL)
        if at is None:
            settled = len(self._waiting) - overlap(self._waiting, END_CALL)
            call.feed(self._waiting[:settled])
            self._waiting = self._waiting[settled:]
            return False
        call.feed(self._waiting[:at])
        self._waiting = self._waiting[at + len(END_CALL) :].lstrip()
        self._close_call(closed=True)
        return True

    def _close_call(self, *, closed: bool, cut: bool = False) -> None:
        if self._call is not None:
            text = self._call.finish(closed=closed, cut=cut)
            self.calls += self._call.complete
            self._call, self._mode = None, "text"
            if text:
                self._say(text)

    def _next(self) -> int:
        self._count += 1
        return self._count - 1

    def _say(self, text: str) -> None:
        if self._part is None:
            text = text.lstrip()
        if not text:
            return
        if self._part is None:
            kind = "reasoning" if self.thinking else "text"
            self._part = (f"{self._ids}_{self._next()}", kind, [])
            self._emit(PartStarted(self._part[0], kind))
        if not self.thinking:
            self._blank = False
        self._part[2].append(text)
        self._emit(PartDelta(self._part[0], text))

    def _close_part(self) -> None:
        if self._part is not None:
            id_, kind, pieces = self._part
            text = "".join(pieces)
            self._emit(PartEnded(id_, Reasoning(id=id_, text=text) if kind == "reasoning" else Text(id=id_, text=text)))
            self._part = None


_HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)', re.DOTALL)


class _Call:
    """One `<tool_call>`: its arguments stream as soon as the name is known and an object has begun.

    A call written in another order is read when it is whole.
    """

    def __init__(self, emit: Callable[[StreamEvent], None], id_: str) -> None:
        self._emit = emit
        self._id = id_
        self._text = ""
        self._json = _Scan()
        self._name: str | None = None
        self._start = 0
        self._sent = 0
        self._end: int | None = None
        self._inner = _Scan()
        self._depth = 0
        self.complete = False

    def outside(self, text: str, mark: str) -> int | None:
        """Where `mark` stands in `text`, which goes on from what was fed, outside any JSON string."""
        at = text.find(mark)
        while at >= 0:
            scan = self._json.copy()
            scan.feed(text[:at])
            if not scan.quoted:
                return at
            at = text.find(mark, at + 1)
        return None

    def feed(self, text: str) -> None:
        """Take more of the call."""
        self._text += text
        self._json.feed(text)
        if self._name is None and (head := _HEAD.match(self._text)):
            name = _loads(head[1])
            if isinstance(name, str):
                self._name, self._start, self._sent = name, head.end(), head.end()
                self._emit(PartStarted(self._id, "tool_call", name=name, call_id=f"call_{self._id}"))
        if self._name is not None:
            self._send()

    def _send(self) -> None:
        """Hand out the arguments up to the brace that closes them."""
        if self._end is None:
            self._end = self._object_end()
        end = len(self._text) if self._end is None else self._end
        if end > self._sent:
            self._emit(PartDelta(self._id, self._text[self._sent : end]))
            self._sent = end

    def _object_end(self) -> int | None:
        """The index after the brace that closes the arguments, once it is there."""
        for at in range(self._sent, len(self._text)):
            char = self._text[at]
            self._inner.feed(char)
            if not self._inner.quoted:
                self._depth += (char in "{[") - (char in "}]")
                if self._depth == 0:
                    return at + 1
        return None

    def finish(self, *, closed: bool, cut: bool) -> str:
        """Close the call; return the text that turned out to be no call at all.

        A call that the model closed with its tag is whole even if its arguments are wrong: that is the model's
        mistake, and it is told so. One that was cut off, or that the model left open in the middle of its JSON, is
        not.
        """
        if self._name is not None:
            arguments = self._text[self._start : self._end]
            self.complete = closed or (self._end is not None and not cut)
            self._close(self._name, arguments)
            return ""
        whole = _loads(self._text)
        if isinstance(whole, dict) and isinstance(whole.get("name"), str):
            given = whole.get("arguments", whole.get("parameters"))
            arguments = (
                given if isinstance(given, str) else "" if given is None else json.dumps(given, ensure_ascii=False)
            )
            self.complete = not cut
        elif not closed:
            whole, arguments = {"name": ""}, self._text
        else:
            return f"{CALL}{self._text}{END_CALL}"
        self._emit(PartStarted(self._id, "tool_call", name=whole["name"], call_id=f"call_{self._id}"))
        if arguments:
            self._emit(PartDelta(self._id, arguments))
        self._close(whole["name"], arguments)
        return ""

    def _close(self, name: str, arguments: str) -> None:
        part = ToolCall(
            id=self._id,
            call_id=f"call_{self._id}",
            name=name,
            arguments=arguments,
            complete=self.complete,
            synthetic_id=True,
        )
        self._emit(PartEnded(self._id, part))


class _Scan:
    """Whether a place in JSON text is inside a string, read a piece at a time."""

    def __init__(self) -> None:
        self.quoted = False
        self._escaped = False

    def copy(self) -> _Scan:
        twin = _Scan()
        twin.quoted, twin._escaped = self.quoted, self._escaped
        return twin

    def feed(self, text: str) -> None:
        for char in text:
            if self._escaped:
                self._escaped = False
            elif self.quoted and char == "\\":
                self._escaped = True
            elif char == '"':
                self.quoted = not self.quoted


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
