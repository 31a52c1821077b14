"""What is said to a model and by it: provider-neutral messages made of ordered, lossless parts (M2).

A part keeps what only its provider understands (a signature, encrypted reasoning, a native id) in `opaque`. It is sent
back to the same provider and model, and dropped for another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

Role = Literal["system", "user", "assistant", "tool"]


class Frozen(BaseModel):
    """A value that is made once and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Opaque(Frozen):
    """A payload of one provider's, carried and not read."""

    provider: str
    model: str | None = None
    payload: Any


class Text(Frozen):
    """Words for the reader."""

    kind: Literal["text"] = "text"
    id: str = ""
    text: str
    opaque: Opaque | None = None


class Reasoning(Frozen):
    """Words the model wrote to itself; may be empty when the provider only hands out a sealed payload."""

    kind: Literal["reasoning"] = "reasoning"
    id: str = ""
    text: str = ""
    opaque: Opaque | None = None


class Refusal(Frozen):
    """The model's own words for declining."""

    kind: Literal["refusal"] = "refusal"
    id: str = ""
    text: str
    opaque: Opaque | None = None


class ToolCall(Frozen):
    """A call the model asks for. `arguments` is the raw JSON text as it was written; blank means no arguments.

    `complete` is False when the stream or the token limit cut the call off: such a call must never be executed (M3).
    """

    kind: Literal["tool_call"] = "tool_call"
    id: str = ""
    call_id: str
    """Pairs the call with its result. Made by us where the provider sent none (`synthetic_id`)."""
    name: str
    arguments: str = ""
    complete: bool = True
    synthetic_id: bool = False
    opaque: Opaque | None = None


class ToolResult(Frozen):
    """What a called tool answered, as text."""

    kind: Literal["tool_result"] = "tool_result"
    id: str = ""
    call_id: str
    name: str
    content: str
    is_error: bool = False
    opaque: Opaque | None = None


class Media(Frozen):
    """An image, a sound or a file: exactly one of base64 `data` and `url`."""

    kind: Literal["media"] = "media"
    id: str = ""
    media_type: str
    data: str | None = None
    url: str | None = None
    opaque: Opaque | None = None


class ServerTool(Frozen):
    """Something the provider did on its own side (a web search, a code run), carried losslessly."""

    kind: Literal["server_tool"] = "server_tool"
    id: str = ""
    name: str
    opaque: Opaque | None = None


Part = Annotated[Text | Reasoning | Refusal | ToolCall | ToolResult | Media | ServerTool, Field(discriminator="kind")]


class Message(Frozen):
    """One turn: a role and its parts in order."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls of this turn, in order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


def system(text: str) -> Message:
    """Make a system message."""
    return Message(role="system", parts=(Text(text=text),))


def user(text: str) -> Message:
    """Make a user message."""
    return Message(role="user", parts=(Text(text=text),))


def assistant(text: str) -> Message:
    """Make an assistant message."""
    return Message(role="assistant", parts=(Text(text=text),))


def tool_result(call: ToolCall, content: str, *, is_error: bool = False) -> Message:
    """Answer `call` with `content`."""
    result = ToolResult(call_id=call.call_id, name=call.name, content=content, is_error=is_error)
    return Message(role="tool", parts=(result,))


class ToolSpec(Frozen):
    """A tool offered to the model: a name, a description and the JSON Schema of its arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any]


class OutputSchema(Frozen):
    """The JSON Schema the whole answer must satisfy."""

    name: str
    # pydantic keeps `schema` for itself; data may say either
    schema_: Mapping[str, Any] = Field(validation_alias=AliasChoices("schema", "schema_"), serialization_alias="schema")


ToolChoice = Literal["auto", "required", "none"]


class Settings(Frozen):
    """How to sample. `None` leaves the choice to the backend.

    A setting that a backend cannot honour becomes a `Warned` event, or `UnsupportedSetting` when `strict` (M6).
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    reasoning_effort: str | None = None
    parallel_tool_calls: bool | None = None
    strict: bool = False


class Request(Frozen):
    """One question to a model: everything a backend needs, and nothing of any provider's."""

    messages: tuple[Message, ...]
    settings: Settings = Settings()
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice | str = "auto"
    """`auto`, `required`, `none`, or the name of the one tool that must be called."""
    output: OutputSchema | None = None
    extra: Mapping[str, Any] = Field(default_factory=dict)
    """Fields for this one provider, merged into the request as they are. The way out of the abstraction, in plain
    sight."""


def conversation(prompt: str | Sequence[Message], *, instructions: str | None = None) -> tuple[Message, ...]:
    """Make messages of a prompt: a string becomes one user message; `instructions` go first as a system message."""
    messages = (user(prompt),) if isinstance(prompt, str) else tuple(prompt)
    return (system(instructions), *messages) if instructions else messages
