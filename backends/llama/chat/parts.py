"""The parts of an answer as they come: events out, nothing taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from graphrt.backends.events import PartDelta, PartEnded, PartStarted, StreamEvent
from graphrt.backends.messages import Reasoning, Text, ToolCall

Kind = Literal["text", "reasoning"]


class Parts:
    """Names the parts of one answer by `ids` and emits them."""

    def __init__(self, emit: Callable[[StreamEvent], None], ids: str) -> None:
        self._emit = emit
        self._ids = ids
        self._count = 0
        self._open: tuple[str, Kind, list[str]] | None = None
        self._call_ids: set[str] = set()
        self.blank = True
        """Whether there is no text yet."""
        self.calls = 0
        """Complete calls so far."""

    @property
    def speaking(self) -> bool:
        """Whether a part of text or reasoning is open."""
        return self._open is not None

    def say(self, kind: Kind, text: str) -> None:
        """Go on with a part of `kind`, or begin one: no part begins with white space."""
        if self._open is not None and self._open[1] != kind:
            self.close()
        if self._open is None:
            text = text.lstrip()
        if not text:
            return
        if self._open is None:
            self._open = (self._next(), kind, [])
            self._emit(PartStarted(self._open[0], kind))
        if kind == "text":
            self.blank = False
        self._open[2].append(text)
        self._emit(PartDelta(self._open[0], text))

    def close(self) -> None:
        """End the open part, if there is one."""
        if self._open is not None:
            id_, kind, pieces = self._open
            text = "".join(pieces)
            self._emit(PartEnded(id_, Reasoning(id=id_, text=text) if kind == "reasoning" else Text(id=id_, text=text)))
            self._open = None

    def call(self, name: str, call_id: str = "") -> CallPart:
        """Begin a call. `call_id` is the model's own, if it wrote one; a second call of that id gets one of ours."""
        self.close()
        id_ = self._next()
        own = bool(call_id) and call_id not in self._call_ids
        self._call_ids.add(call_id)
        return CallPart(self, self._emit, id_, name, call_id if own else f"call_{id_}", synthetic=not own)

    def _next(self) -> str:
        self._count += 1
        return f"{self._ids}_{self._count - 1}"


class CallPart:
    """A call whose arguments come in pieces."""

    def __init__(
        self,
        parts: Parts,
        emit: Callable[[StreamEvent], None],
        id_: str,
        name: str,
        call_id: str,
        *,
        synthetic: bool,
    ) -> None:
        self._parts = parts
        self._emit = emit
        self._id = id_
        self._name = name
        self._call_id = call_id
        self._synthetic = synthetic
        self._pieces: list[str] = []
        emit(PartStarted(id_, "tool_call", name=name, call_id=call_id))

    def more(self, arguments: str) -> None:
        """Go on with the arguments."""
        if arguments:
            self._pieces.append(arguments)
            self._emit(PartDelta(self._id, arguments))

    def end(self, *, complete: bool) -> None:
        """End the call; one that is not complete is never executed."""
        self._parts.calls += complete
        part = ToolCall(
            id=self._id,
            call_id=self._call_id,
            name=self._name,
            arguments="".join(self._pieces),
            complete=complete,
            synthetic_id=self._synthetic,
        )
        self._emit(PartEnded(self._id, part))
