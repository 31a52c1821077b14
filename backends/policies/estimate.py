"""How many tokens a request will be, before anybody has counted: four characters to a token, in most languages and for
most tokenizers within a factor of two. What a provider counts afterwards is always believed instead."""

from __future__ import annotations

from pydantic_core import to_json

from graphrt.backends.messages import (
    Media,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    ServerTool,
    Text,
    ToolCall,
    ToolResult,
)

_CHARACTERS = 4
_PICTURE = 1_000
"""Tokens of a picture or a file: its size in bytes says nothing, and providers differ."""


def tokens_of(text: str) -> int:
    """About how many tokens a text is; at least one if it is not empty."""
    return -(-len(text) // _CHARACTERS)


def tokens_in(request: Request) -> int:
    """About how many tokens a request is, with its tools and its schema; at least one."""
    shapes = [[tool.name, tool.description, tool.parameters] for tool in request.tools]
    if request.output is not None:
        shapes.append([request.output.schema_])
    written = len(to_json(shapes, fallback=str)) if shapes else 0
    said = "".join(_words(message) for message in request.messages)
    pictures = sum(_pictures(part) for message in request.messages for part in message.parts)
    return max(1, -(-(written + len(said)) // _CHARACTERS) + pictures * _PICTURE)


def _pictures(part: Part) -> int:
    return len(part.media) if isinstance(part, ToolResult) else int(isinstance(part, Media))


def _words(message: Message) -> str:
    pieces = []
    for part in message.parts:
        match part:
            case Text(text=text) | Reasoning(text=text) | Refusal(text=text):
                pieces.append(text)
            case ToolCall(name=name, arguments=arguments):
                pieces.append(name + arguments)
            case ToolResult(content=content):
                pieces.append(content)
            case Media() | ServerTool():
                pass
    return "".join(pieces)
