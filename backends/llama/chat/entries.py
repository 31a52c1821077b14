"""Messages as chat templates want them: dictionaries in the shape that Hugging Face made common."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphrt.backends.errors import BadRequest
from graphrt.backends.llama.chat.syntax import ToolSyntax
from graphrt.backends.messages import Media, Message, Reasoning, Refusal, Text, ToolCall, ToolResult, ToolSpec

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Manner:
    """What a template does by itself, and the shape in which it wants things. `adapt` makes up for the rest."""

    system: bool = True
    tools: bool = True
    calls: bool = True
    results: bool = True
    thoughts: str = "reasoning_content"
    """The key under which it looks for an assistant's thoughts."""
    text_arguments: bool = False
    """Whether it wants arguments as JSON text."""
    mapped_arguments: bool = False
    """Whether it refuses arguments that are no object, as a model's mistakes may be."""
    no_content: bool = False
    """Whether it writes calls only where the content is None."""
    calls_with_content: bool = True
    """Whether it writes calls beside content."""
    one_voice: bool = False
    """Whether it refuses content beside thoughts and calls."""
    one_call: bool = False
    """Whether it takes one call a turn."""
    explicit: bool = False
    """Whether it refuses schemas that leave out what may be left out, or that name several types at once."""
    short_ids: bool = False
    """Whether a call's id must be nine letters or digits."""

    def adapt(
        self, chat: Sequence[Entry], tools: Sequence[Entry], syntax: ToolSyntax
    ) -> tuple[list[Entry], list[Entry]]:
        """Messages and tools that this template can take."""
        adapted = [self._entry(dict(entry), syntax) for entry in (_one_by_one(chat) if self.one_call else chat)]
        if tools and not self.tools:
            adapted, tools = _told(adapted, _briefing(tools, syntax)), ()
        if self.explicit:
            tools = [_explicit(tool) for tool in tools]
        if not self.results:
            adapted = _joined(adapted)
        if not self.system and adapted and adapted[0]["role"] == "system":
            adapted = _said_by_the_user(adapted)
        return adapted, list(tools)

    def _entry(self, entry: Entry, syntax: ToolSyntax) -> Entry:
        calls = [{**call, "function": dict(call["function"])} for call in entry.pop("tool_calls", ())]
        if (thoughts := entry.pop("reasoning_content", None)) is not None:
            entry[self.thoughts] = thoughts
        if self.short_ids:
            for owner, key in [(entry, "tool_call_id"), *((call, "id") for call in calls)]:
                if key in owner:
                    owner[key] = _short(owner[key])
        for call in calls:
            function = call["function"]
            if self.text_arguments:
                function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
            elif self.mapped_arguments:
                function["arguments"] = _mapping(function["arguments"])
        if calls and self.calls and (self.calls_with_content or not entry["content"]):
            entry["tool_calls"] = calls
            if self.one_voice and entry["content"] and thoughts:
                entry[self.thoughts], entry["content"] = f"{thoughts}\n\n{entry['content']}", ""
            entry["content"] = None if self.no_content and not entry["content"] else entry["content"]
        elif calls:
            said = [(c["function"]["name"], c["id"], _mapping(c["function"]["arguments"])) for c in calls]
            entry["content"] = "\n".join(filter(None, (entry["content"], syntax.write(said))))
        if entry["role"] == "tool" and not self.results:
            return {"role": "user", "content": f"<tool_response>\n{entry['content']}\n</tool_response>"}
        return entry


def _mapping(arguments: Any) -> Mapping[str, Any]:
    """Arguments as an object; a model that wrote none is shown what it wrote."""
    return arguments if isinstance(arguments, Mapping) else {"arguments": arguments}


def _one_by_one(chat: Sequence[Entry]) -> list[Entry]:
    """Calls of one turn as turns of their own, each with its result."""
    apart: list[Entry] = []
    waiting: list[Entry] = []
    for entry in chat:
        first, *rest = entry.get("tool_calls") or [None]
        if entry["role"] == "tool":
            ids = [turn["tool_calls"][0]["id"] for turn in waiting]
            at = ids.index(entry["tool_call_id"]) if entry["tool_call_id"] in ids else None
            apart += [entry] if at is None else [waiting.pop(at), entry]
            continue
        apart += waiting
        apart.append({**entry, "tool_calls": [first]} if rest else entry)
        waiting = [{"role": "assistant", "content": "", "tool_calls": [call]} for call in rest]
    return apart + waiting


def _explicit(tool: Entry) -> Entry:
    """The tool with nothing left out of its schema."""
    function = tool["function"]
    parameters = {"type": "object", "properties": {}, **function["parameters"]}
    properties = {
        name: {"description": "", **one} if isinstance(one, Mapping) else one
        for name, one in parameters["properties"].items()
    }
    return {**tool, "function": {**function, "parameters": _one_typed({**parameters, "properties": properties})}}


def _one_typed(schema: Any) -> Any:
    """The schema with a union in the place of several types."""
    if isinstance(schema, Mapping):
        inner = {key: _one_typed(value) for key, value in schema.items()}
        if isinstance(kinds := inner.get("type"), list):
            del inner["type"]
            return {"anyOf": [{"type": kind} for kind in kinds], **inner}
        return inner
    return [_one_typed(item) for item in schema] if isinstance(schema, list) else schema


def _short(id_: str) -> str:
    """An id of nine letters and digits: itself, or one that stands for it."""
    return id_ if re.fullmatch("[A-Za-z0-9]{9}", id_) else hashlib.blake2b(id_.encode(), digest_size=5).hexdigest()[:9]


def _briefing(tools: Sequence[Entry], syntax: ToolSyntax) -> str:
    """What the model is told of its tools."""
    example = syntax.write([("name of the tool", "call00001", {"argument": "value"})])
    listed = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    return (
        "You may call tools to help with the user's request. These are the tools:\n"
        f"<tools>\n{listed}\n</tools>\n\nTo call one, write the call like this and nothing after it:\n{example}\n"
        "The result will be given to you in <tool_response></tool_response>."
    )


def _told(chat: Sequence[Entry], briefing: str) -> list[Entry]:
    first = chat[0] if chat and chat[0]["role"] == "system" else None
    if first is None:
        return [{"role": "system", "content": briefing}, *chat]
    return [{**first, "content": f"{first['content']}\n\n{briefing}"}, *chat[1:]]


def _joined(chat: Sequence[Entry]) -> list[Entry]:
    """What the user says in a row becomes one message: such templates often want the roles to alternate."""
    joined: list[Entry] = []
    for entry in chat:
        if joined and joined[-1]["role"] == entry["role"] == "user":
            joined[-1] = {**entry, "content": f"{joined[-1]['content']}\n{entry['content']}"}
        else:
            joined.append(entry)
    return joined


def _said_by_the_user(chat: Sequence[Entry]) -> list[Entry]:
    """The system's words before the user's first ones, for a template that knows no system."""
    system, *rest = chat
    if rest and rest[0]["role"] == "user":
        return [{**rest[0], "content": f"{system['content']}\n\n{rest[0]['content']}"}, *rest[1:]]
    return [{**system, "role": "user"}, *rest]


def to_tools(tools: Sequence[ToolSpec]) -> list[Entry]:
    """Tools as chat templates want them."""
    return [
        {
            "type": "function",
            "function": {"name": t.name, "description": t.description, "parameters": dict(t.parameters)},
        }
        for t in tools
    ]


def to_chat(messages: Sequence[Message]) -> list[Entry]:
    """Messages as chat templates want them. Leading system messages become one: most templates read only the first."""
    chat: list[Entry] = []
    for message in messages:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        shown = (*message.parts, *(media for result in results for media in result.media))
        if media := next((part for part in shown if isinstance(part, Media)), None):
            raise BadRequest(f"this backend reads text, not {media.media_type}", provider="llama_cpp")
        chat += [
            {"role": "tool", "tool_call_id": part.call_id, "name": part.name, "content": part.content}
            for part in results
        ]
        text = "".join(part.text for part in message.parts if isinstance(part, (Text, Refusal)))
        if results and not text:
            continue
        entry: Entry = {"role": message.role, "content": text}
        if thoughts := "".join(part.text for part in message.parts if isinstance(part, Reasoning)):
            entry["reasoning_content"] = thoughts
        if message.tool_calls:
            entry["tool_calls"] = [_call(call) for call in message.tool_calls]
        if message.role == "system" and len(chat) == 1 and chat[0]["role"] == "system":
            chat[0]["content"] += "\n\n" + text
        else:
            chat.append(entry)
    return chat


def _call(call: ToolCall) -> Entry:
    try:
        arguments: Any = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = call.arguments
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": arguments}}
