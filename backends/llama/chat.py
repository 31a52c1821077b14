"""Messages as chat templates want them: dictionaries in the shape that Hugging Face made common."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from graphrt.backends.errors import BadRequest
from graphrt.backends.messages import Media, Message, Reasoning, Refusal, Text, ToolCall, ToolResult


def to_chat(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as chat templates want them. Leading system messages become one: most templates read only the first."""
    chat: list[dict[str, Any]] = []
    for message in messages:
        if media := next((part for part in message.parts if isinstance(part, Media)), None):
            raise BadRequest(f"this backend reads text, not {media.media_type}", provider="llama_cpp")
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        chat += [
            {"role": "tool", "tool_call_id": part.call_id, "name": part.name, "content": part.content}
            for part in results
        ]
        text = "".join(part.text for part in message.parts if isinstance(part, (Text, Refusal)))
        if results and not text:
            continue
        entry: dict[str, Any] = {"role": message.role, "content": text}
        if thoughts := "".join(part.text for part in message.parts if isinstance(part, Reasoning)):
            entry["reasoning_content"] = thoughts
        if message.tool_calls:
            entry["tool_calls"] = [_call(call) for call in message.tool_calls]
        if message.role == "system" and len(chat) == 1 and chat[0]["role"] == "system":
            chat[0]["content"] += "\n\n" + text
        else:
            chat.append(entry)
    return chat


def _call(call: ToolCall) -> dict[str, Any]:
    try:
        arguments: Any = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = call.arguments
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": arguments}}
