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


def _later(default: Any, **more: Any) -> Any:
    """A field that older versions have not: as long as nobody sets it, what they recorded is what is recorded now."""
    return Field(default=default, exclude_if=lambda value: bool(value == default), **more)


class Opaque(Frozen):
    """A payload of one provider's, carried and not read."""

    provider: str
    model: str | None = None
    payload: Any


class TokenLogprob(Frozen):
    """How likely a token was: the natural logarithm of its probability, and what else could have stood there.

    A provider that counts several tokens as one piece of text has their sum here. `bytes` is told where a token may be
    half a character.
    """

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top: tuple[TokenLogprob, ...] = ()
    """The likeliest tokens at this place, as many as were asked for; the chosen one may be among them."""


class Citation(Frozen):
    """Where words of an answer come from. What the provider does not say is None.

    Attributes:
        url: The page that is cited.
        title: What the page or the document is called.
        source: What else is cited: the id of a file or of a tool's result, or `document 2`, the second of those sent.
        quote: The words of the source.
        start: Where the cited words begin in the text part that holds the citation, in characters.
        end: Where they end. Some providers mark the link that they wrote into the text, and not the words before it.
    """

    url: str | None = None
    title: str | None = None
    source: str | None = None
    quote: str | None = None
    start: int | None = None
    end: int | None = None


class Text(Frozen):
    """Words for the reader.

    A text of no words holds citations of the whole answer that no other part could take.
    """

    kind: Literal["text"] = "text"
    id: str = ""
    text: str
    citations: tuple[Citation, ...] = _later(())
    logprobs: tuple[TokenLogprob, ...] | None = _later(None)
    """How likely its tokens were, if `Settings.logprobs` asked for it and the provider said so."""
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
    logprobs: tuple[TokenLogprob, ...] | None = _later(None)
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


class Media(Frozen):
    """An image, a sound or a file: exactly one of base64 `data` and `url`.

    `name` is what a file is called. Where `cite` is set, the answer is to say what of this document it goes back to
    (`Text.citations`); a provider that cannot do so is a `Warned`.
    """

    kind: Literal["media"] = "media"
    id: str = ""
    media_type: str
    data: str | None = None
    url: str | None = None
    name: str | None = _later(None)
    cite: bool = _later(False)
    opaque: Opaque | None = None


class ToolResult(Frozen):
    """What a called tool answered: text, and what it has to show beside it, such as a screenshot.

    To a model that reads only text in a result, `media` is shown by the user right after the results.
    """

    kind: Literal["tool_result"] = "tool_result"
    id: str = ""
    call_id: str
    name: str
    content: str
    media: tuple[Media, ...] = _later(())
    is_error: bool = False
    opaque: Opaque | None = None


class ServerTool(Frozen):
    """Something the provider did on its own side (a web search, a code run), carried losslessly."""

    kind: Literal["server_tool"] = "server_tool"
    id: str = ""
    name: str
    opaque: Opaque | None = None


Part = Annotated[Text | Reasoning | Refusal | ToolCall | ToolResult | Media | ServerTool, Field(discriminator="kind")]


class Message(Frozen):
    """One turn: a role and its parts in order.

    `cache` marks a place up to which other requests will be the same: the provider may keep the prompt so far, for
    `Settings.cache` or else five minutes. Providers that keep prompts of their own accord need no mark.
    """

    role: Role
    parts: tuple[Part, ...]
    cache: bool = _later(False)

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls of this turn, in order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


def system(text: str, *, cache: bool = False) -> Message:
    """Make a system message."""
    return Message(role="system", parts=(Text(text=text),), cache=cache)


def user(text: str, *, cache: bool = False) -> Message:
    """Make a user message."""
    return Message(role="user", parts=(Text(text=text),), cache=cache)


def assistant(text: str) -> Message:
    """Make an assistant message."""
    return Message(role="assistant", parts=(Text(text=text),))


def tool_result(call: ToolCall, content: str, *, media: Sequence[Media] = (), is_error: bool = False) -> Message:
    """Answer `call` with `content`, and with what there is to show."""
    result = ToolResult(call_id=call.call_id, name=call.name, content=content, media=tuple(media), is_error=is_error)
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

Kept = Literal["5m", "1h"]
"""How long a provider is asked to keep a prompt."""


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
    logprobs: int | None = _later(None, ge=0)
    """Say how likely each token of the text was, and this many alternatives to it; 0 is only the chosen one. Thoughts
    and calls have none."""
    cache: Kept | None = _later(None)
    """The tools, the instructions and the conversation so far will come again: the provider may keep them for this
    long. `Message.cache` marks further places."""
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
    draft: tuple[str, ...] = ()
    """What the answer had come to when it was interrupted, as the backend told (`Drafted`). One that cannot go on from
    it answers from the beginning; either way, all of the answer is streamed."""


def conversation(prompt: str | Sequence[Message], *, instructions: str | None = None) -> tuple[Message, ...]:
    """Make messages of a prompt: a string becomes one user message; `instructions` go first as a system message."""
    messages = (user(prompt),) if isinstance(prompt, str) else tuple(prompt)
    return (system(instructions), *messages) if instructions else messages
