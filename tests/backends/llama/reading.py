"""Answers read by the parser, and ways of writing calls of every kind."""

from collections.abc import Iterable, Sequence
from typing import Any

from graphrt.backends.events import Fold, PartDelta, PartEnded, StreamEvent
from graphrt.backends.llama.chat.families import FAMILIES
from graphrt.backends.llama.chat.notation import Python
from graphrt.backends.llama.chat.parsing import AnswerParser
from graphrt.backends.llama.chat.syntax import (
    ARGUMENTS,
    ID,
    INDEX,
    NAME,
    PLAIN,
    Dialect,
    Tagged,
    Thoughts,
    ToolSyntax,
)
from graphrt.backends.messages import Part, ToolCall, ToolSpec

OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "more": {"type": "object", "properties": {"deep": {"type": "boolean"}}},
    },
}
TOOLS = (ToolSpec(name="f", parameters=OBJECT), ToolSpec(name="g-2", parameters={"type": "object"}))


def parse(
    *pieces: str,
    dialect: Dialect = PLAIN,
    tools: Sequence[ToolSpec] = TOOLS,
    thinking: bool = False,
    cut: bool = False,
) -> tuple[Part, ...]:
    """The parts of an answer that came in `pieces`; checks the stream's own rules on the way."""
    fold, said = Fold(), dict[str, str]()

    def take(event: StreamEvent) -> None:
        fold.add(event)
        if isinstance(event, PartDelta):
            said[event.id] = said.get(event.id, "") + event.text
        if isinstance(event, PartEnded):
            part = event.part
            whole = part.arguments if isinstance(part, ToolCall) else getattr(part, "text", "")
            assert said.get(event.id, "") == whole

    parser = AnswerParser(take, ids="a", tools=tools, dialect=dialect, thinking=thinking)
    for piece in pieces:
        parser.feed(piece)
    parser.end(cut=cut)
    return fold.partial().parts


def plain(parts: Iterable[Part]) -> list[Any]:
    """Parts without their ids."""
    return [
        (part.name, part.arguments, part.complete)
        if isinstance(part, ToolCall)
        else (part.kind, getattr(part, "text", ""))
        for part in parts
    ]


def _of(mark: str) -> Dialect:
    kin = next(one for one in FAMILIES if mark in one.marks)
    assert kin.tools is not None
    return Dialect(kin.tools, kin.thoughts or Thoughts(), kin.channels, kin.dropped)


DIALECTS: dict[str, Dialect] = {
    "objects in tags": PLAIN,
    "a list in tags": Dialect(
        ToolSyntax(
            begin="<TOOLS>[",
            call=('{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}"),
            between=", ",
            end="]</TOOLS>",
        )
    ),
    "a list that ends with the answer": Dialect(
        ToolSyntax(
            begin="[TOOL_CALLS][",
            call=('{"name": "', NAME, '", "arguments": ', ARGUMENTS, ', "id": "', ID, '"}'),
            between=", ",
            end="]",
        ),
        Thoughts("[THINK]", "[/THINK]"),
    ),
    "a bare object": Dialect(
        ToolSyntax(call=('{"name": "', NAME, '", "parameters": ', ARGUMENTS, "}"), parallel=False),
        dropped=("<|python_tag|>",),
    ),
    "the name as key": Dialect(
        ToolSyntax(begin="<|pre|>[", call=('{"', NAME, '": ', ARGUMENTS, "}"), between=", ", end="]<|post|>")
    ),
    "name, id, arguments": Dialect(ToolSyntax(call=("[TOOL_CALLS]", NAME, "[CALL_ID]", ID, "[ARGS]", ARGUMENTS))),
    "sections": Dialect(
        ToolSyntax(
            begin="<|section|>",
            call=("<|call|>functions.", NAME, ":", INDEX, "<|args|>", ARGUMENTS, "<|end|>"),
            end="<|over|>",
            ends_thought=True,
        )
    ),
    "tagged arguments": Dialect(
        ToolSyntax(
            call=("<tool_call>\n<function=", NAME, ">\n", ARGUMENTS, "</function>\n</tool_call>"),
            between="\n",
            arguments=Tagged("<parameter=", ">\n", ">\n", "\n</parameter>\n"),
        )
    ),
    "keys and values": Dialect(
        ToolSyntax(
            call=("<tool_call>", NAME, "\n", ARGUMENTS, "</tool_call>"),
            between="\n",
            arguments=Tagged("<arg_key>", "</arg_key>\n<arg_value>", "</arg_key>\n<arg_value>", "</arg_value>\n"),
        )
    ),
    "typed attributes": Dialect(
        ToolSyntax(
            begin="<calls>\n",
            call=('<invoke name="', NAME, '">\n', ARGUMENTS, "</invoke>\n"),
            end="</calls>",
            arguments=Tagged('<p name="', '" string="true">', '" string="false">', "</p>\n", cdata=True),
        )
    ),
    "harmony": _of("<|channel|>"),
    "muse": _of("<atem:function_calls>"),
    "functionary": _of(">>>all"),
    "kimi": _of("<|open|>"),
    "gemma": _of('<|"|>'),
    "minimax": _of("]<]minimax[>["),
    "python": Dialect(
        ToolSyntax(
            begin="<|calls|>[", call=(NAME, "(", ARGUMENTS, ")"), between=", ", end="]<|over|>", arguments=Python()
        )
    ),
}
"""One dialect of each kind."""
