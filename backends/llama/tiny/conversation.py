"""What the generator makes: conversations, with the tools that they offer and the words that are to be learnt.

`segments` writes a conversation as the chat template in the model's file does (`template.jinja`; a test holds the two
together), cut where learning begins and ends. Standard library only: it runs wherever training does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

TEMPLATE = Path(__file__).parent / "template.jinja"
Kind = Literal["string", "integer", "number", "boolean", "array", "enum"]
Role = Literal["user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Param:
    """One argument of a tool. `choices` are an enum's."""

    name: str
    kind: Kind = "string"
    choices: tuple[str, ...] = ()
    required: bool = True

    @property
    def shown(self) -> str:
        """How the prompt shows it: `size: small|large`, `tags?: string[]`."""
        kind = {"enum": "|".join(self.choices), "array": "string[]"}.get(self.kind, self.kind)
        return f"{self.name}{'' if self.required else '?'}: {kind}"

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        if self.kind == "enum":
            return {"type": "string", "enum": list(self.choices)}
        if self.kind == "array":
            return {"type": "array", "items": {"type": "string"}}
        return {"type": self.kind}


@dataclass(frozen=True, slots=True)
class Tool:
    """A function on offer."""

    name: str
    params: tuple[Param, ...]
    description: str = ""

    @property
    def shown(self) -> str:
        """Its line of the prompt."""
        params = ", ".join(param.shown for param in self.params)
        return f"{self.name}({params})" + (f": {self.description}" if self.description else "")

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments."""
        return {
            "type": "object",
            "properties": {param.name: param.schema for param in self.params},
            "required": [param.name for param in self.params if param.required],
        }


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    name: str
    arguments: dict[str, Any]

    @property
    def text(self) -> str:
        """The call as the model writes it."""
        arguments = json.dumps(self.arguments, ensure_ascii=False)
        return f'<tool_call>\n{{"name": "{self.name}", "arguments": {arguments}}}\n</tool_call>'


@dataclass(frozen=True, slots=True)
class Message:
    """What one side says. `learn` marks what the model is to say in that place."""

    role: Role
    text: str = ""
    calls: tuple[Call, ...] = ()
    learn: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """One text to learn from. The last message is the assistant's; `skill` says what it shows."""

    skill: str
    messages: tuple[Message, ...]
    system: str = ""
    tools: tuple[Tool, ...] = ()


def user(text: str) -> Message:
    """What a person says."""
    return Message("user", text)


def says(text: str) -> Message:
    """What the model is to say."""
    return Message("assistant", text, learn=True)


def answers(value: dict[str, Any]) -> Message:
    """What the model is to say, in JSON."""
    return says(json.dumps(value, ensure_ascii=False))


def calls(*made: Call, learn: bool = True) -> Message:
    """The calls that the model is to make, or one that went wrong (`learn=False`)."""
    return Message("assistant", calls=made, learn=learn)


def result(value: Any) -> Message:
    """What a tool gave back: text as it is, everything else in JSON."""
    return Message("tool", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def segments(conversation: Conversation) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it is to be learnt. The cuts are where control tokens stand."""
    head = ""
    if conversation.system or conversation.tools:
        lines = "".join(f"\n{tool.shown}" for tool in conversation.tools)
        offer = f"\n# Tools{lines}" if lines else ""
        head = f"<|im_start|>system\n{conversation.system}{offer}<|im_end|>\n"
    for message in conversation.messages:
        if message.role == "tool":
            head += f"<|im_start|>user\n<tool_response>\n{message.text}\n</tool_response><|im_end|>\n"
            continue
        head += f"<|im_start|>{message.role}\n"
        said = message.text + "\n".join(call.text for call in message.calls) + "<|im_end|>"
        if message.learn:
            yield head, False
            yield said, True
            head = "\n"
        else:
            head += said + "\n"
    if head != "\n":
        yield head, False


def text(conversation: Conversation) -> str:
    """The whole text."""
    return "".join(piece for piece, _ in segments(conversation))
