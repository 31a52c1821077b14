"""How a model is asked for a value of a certain form, and how its answer is read (M7).

    way      where                                  what is asked
    schema   the model keeps to a JSON Schema       the request's `output`: a feature or a grammar of its own
    tool     it can be made to call a tool          one tool, whose arguments are the answer
    prompt   it can neither                         the schema in words, and JSON where the server promises that

The first way that the model can go is taken. What is known of it says so and nothing is tried out; any other than the
first is warned about, and is an `UnsupportedSetting` in strict mode (M6). Whatever the way, the answer is validated: by
pydantic where a type is wanted (`Typed`), by jsonschema-rs where a schema is (`Raw`).

Pure: asking and trying again is `nodes.llm`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NoReturn, Protocol

from pydantic import BaseModel, TypeAdapter, ValidationError, create_model
from pydantic_core import from_json

from graphrt.backends.base import Capabilities
from graphrt.backends.errors import UnsupportedSetting
from graphrt.backends.events import Answer
from graphrt.backends.messages import Message, OutputSchema, Settings, Text, ToolCall, ToolSpec, tool_result, user
from graphrt.backends.schemas import ANTHROPIC, closed, fitted
from graphrt.errors import UsageError
from graphrt.ports import adapter, pointer

Way = Literal["schema", "tool", "prompt"]
Problem = tuple[str, str]
"""Where an answer is wrong, as a JSON pointer into it, and what is wrong there."""

# The ways.


@dataclass(frozen=True, slots=True)
class Asking:
    """One way of asking for a schema. `why` says why it is not the first one, if it is not."""

    way: Way
    schema: OutputSchema
    why: str = ""
    json_mode: bool = False
    """Whether the server promises JSON, of whatever form."""

    @property
    def warning(self) -> str | None:
        """What to tell whoever relies on the schema."""
        how = {"tool": "a tool it has to call", "prompt": "words only"}
        return f"{self.why}: it was asked for with {how[self.way]}" if self.way in how else None

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools to offer."""
        if self.way != "tool":
            return ()
        about = "Gives the answer. Its arguments are the whole answer."
        return (ToolSpec(name=self._tool, description=about, parameters=self.schema.schema_),)

    @property
    def tool_choice(self) -> str:
        """The tool that has to be called."""
        return self._tool if self.way == "tool" else "auto"

    @property
    def output(self) -> OutputSchema | None:
        """The schema to request."""
        return self.schema if self.way == "schema" or (self.way == "prompt" and self.json_mode) else None

    def messages(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Say in words what cannot be said otherwise: at the end of what the user said."""
        if self.way != "prompt":
            return tuple(messages)
        schema = json.dumps(self.schema.schema_, ensure_ascii=False)
        words = (
            f"Answer with a JSON object only, and nothing before or after it. It satisfies this JSON Schema:\n{schema}"
        )
        if messages and messages[-1].role == "user":
            last = messages[-1]
            return (*messages[:-1], last.model_copy(update={"parts": (*last.parts, Text(text=f"\n\n{words}"))}))
        return (*messages, user(words))

    def text(self, answer: Answer) -> str:
        """Return what should be the JSON in an answer."""
        call = self._call(answer)
        return (call.arguments.strip() or "{}") if call is not None else json_in(answer.text)

    def again(self, answer: Answer, problems: Sequence[Problem]) -> tuple[Message, ...]:
        """Return what continues the conversation after an answer that does not fit: the answer, and what is wrong."""
        lines = "\n".join(f"- at {where or '/'}: {what}" for where, what in problems)
        call = self._call(answer)
        if call is None:
            words = f"That answer does not fit the JSON Schema:\n{lines}\nAnswer again with the corrected JSON only."
            unanswered = [tool_result(other, "This call was not executed.") for other in answer.tool_calls]
            return (answer.message, *unanswered, user(words))
        words = f"The arguments do not fit their JSON Schema:\n{lines}\nCall it again with the corrected arguments."
        results = [
            tool_result(other, words, is_error=True)
            if other is call
            else tool_result(other, "This call was not executed.")
            for other in answer.tool_calls
        ]
        return (answer.message, *results)

    def record(self, note: dict[str, Any]) -> None:
        """Write the way into the note of a call, and the warning beside those of the model."""
        note["way"] = self.way
        if self.warning is not None:
            note.setdefault("warnings", []).append(self.warning)

    @property
    def _tool(self) -> str:
        return re.sub(r"[^A-Za-z0-9_-]", "_", self.schema.name)[:64] or "answer"

    def _call(self, answer: Answer) -> ToolCall | None:
        """The call that answers. One that was cut off does not (M3)."""
        calls = (call for call in answer.tool_calls if call.name == self._tool and call.complete)
        return next(calls, None) if self.way == "tool" else None


def asking(can: Capabilities, schema: OutputSchema, settings: Settings, *, backend: str) -> Asking:
    """Choose how to ask a model that can do what `can` says. `backend` is its name, for errors.

    What nobody knows of a model is left to it: it is asked natively, and its dialect says what became of that. Raises
    UnsupportedSetting in strict mode where the model keeps to no such schema.
    """
    chosen = _chosen(can, schema)
    if chosen.way != "schema" and settings.strict:
        words = f"output: {chosen.why}; use a model that does, a simpler type, or settings without strict"
        raise UnsupportedSetting(words, provider=backend)
    return chosen


def _chosen(can: Capabilities, schema: OutputSchema) -> Asking:
    why = "this model is not known to keep to a JSON Schema"
    if can.json_schema is not False:
        fit = fitted(schema.schema_, ANTHROPIC) if can.open_schemas is False else None
        if fit is None or fit.schema is not None:
            return Asking("schema", schema)
        why = f"this model takes no such schema ({', '.join(map(str, fit.dropped))})"
    if can.tools and can.forced_tool is not False:
        return Asking("tool", schema, why)
    return Asking("prompt", schema, why, json_mode=bool(can.json_object))


# The reading.

_FENCE = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


def json_in(text: str) -> str:
    """Return the JSON in an answer: all of it, or what is fenced or stands among words.

    Nothing is guessed: where there are two different ones, or one that is broken, the whole text is returned, which is
    no JSON.
    """
    body = _THOUGHT.sub("", text).strip()
    if _is_json(body):
        return body
    fenced = [block.strip() for block in _FENCE.findall(body)]
    found = {block for block in fenced if _is_json(block)} or _objects(body)
    if len(found) == 1:
        return found.pop()
    return fenced[0] if len(fenced) == 1 and not found else body


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _objects(text: str) -> set[str]:
    """The JSON objects among words; none where one of them is broken: what it holds is not the answer."""
    decode = json.JSONDecoder().raw_decode
    found = set[str]()
    at = text.find("{")
    while at >= 0:
        try:
            end = decode(text, at)[1]
            found.add(text[at:end])
        except json.JSONDecodeError as error:
            end = at + 1
            if error.pos > end and text[end:].lstrip().startswith('"'):
                return set()
        except RecursionError:
            return set()
        at = text.find("{", end)
    return found


# The forms.


class Misfit(Exception):
    """An answer is not of the form that was asked for."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"at {where or '/'}: {what}" for where, what in problems))


class Form(Protocol):
    """What an answer has to be. Models want an object at the root: what is none travels as `{"result": …}`."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """What to ask for. Its pointers are those of the answer as given."""
        raise NotImplementedError

    def read(self, text: str) -> Any:
        """Read an answer. Raises Misfit."""
        raise NotImplementedError


class Typed:
    """A Python type."""

    def __init__(self, wanted: Any) -> None:
        self.wanted: TypeAdapter[Any] = adapter(wanted)
        found = _rooted(self.wanted.json_schema(mode="validation"))
        self.box: type[BaseModel] | None = None
        if found.get("type") != "object":
            found = _boxed(found)
            self.box = create_model("Box", result=(wanted, ...))
        self.schema: Mapping[str, Any] = closed(found)

    def read(self, text: str) -> Any:
        """See Form.read."""
        try:
            if self.box is None:
                return self.wanted.validate_json(text)
            return getattr(self.box.model_validate_json(text), _BOX)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            raise Misfit([(pointer(problem["loc"]), problem["msg"]) for problem in found]) from None


@cache
def typed(wanted: Any) -> Typed:
    """Return the form of a type, made once."""
    return Typed(wanted)


class Raw:
    """A JSON Schema. Formats are checked; what a `$ref` to another document means is not fetched.

    Raises UsageError for what is no schema, or without `jsonschema-rs`.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        try:
            import jsonschema_rs
        except ImportError:
            words = "answers of a JSON Schema are checked by jsonschema-rs: pip install 'graphrt[schema]'"
            raise UsageError(words) from None
        self.boxed = schema.get("type") != "object"
        self.schema: Mapping[str, Any] = _boxed(_moved(schema)) if self.boxed else schema
        try:
            self._validator = jsonschema_rs.validator_for(dict(schema), validate_formats=True, retriever=_nowhere)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise UsageError(f"the schema of the answer cannot be used: {str(error).splitlines()[0]}") from None

    def read(self, text: str) -> Any:
        """See Form.read."""
        try:
            value = from_json(text, allow_inf_nan=False)
        except ValueError as error:
            raise Misfit([("", f"Invalid JSON: {error}")]) from None
        if self.boxed and (not isinstance(value, dict) or value.keys() != {_BOX}):
            raise Misfit([("", f"Should be an object with the one member {_BOX!r}")])
        inside, where = (value[_BOX], (_BOX,)) if self.boxed else (value, ())
        problems = [
            (pointer((*where, *error.instance_path)), error.message) for error in self._validator.iter_errors(inside)
        ]
        if problems:
            raise Misfit(problems)
        return inside


def _nowhere(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is another document; put what it holds under $defs")


def _rooted(found: dict[str, Any]) -> dict[str, Any]:
    """Put the object that a recursive type's schema only points to at the root, where providers want it."""
    name = str(found.get("$ref", "")).removeprefix("#/$defs/")
    target = found.get("$defs", {}).get(name)
    return {**target, "$defs": found["$defs"]} if target is not None else found


_BOX = "result"


def _boxed(found: dict[str, Any]) -> dict[str, Any]:
    inner = dict(found)
    definitions = inner.pop("$defs", None)
    box: dict[str, Any] = {
        "type": "object",
        "properties": {_BOX: inner},
        "required": [_BOX],
        "additionalProperties": False,
    }
    return box | {"$defs": definitions} if definitions else box


_VALUES = frozenset({"const", "enum", "default", "examples"})


def _moved(schema: Any) -> Any:
    """Let what a schema refers to in itself be where its box puts it."""
    if isinstance(schema, (list, tuple)):
        return [_moved(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {key: value if key in _VALUES else _moved(value) for key, value in schema.items()}
    ref = made.get("$ref")
    if isinstance(ref, str) and (ref == "#" or ref.startswith("#/")) and not ref.startswith("#/$defs/"):
        made["$ref"] = f"#/properties/{_BOX}{ref[1:]}"
    return made
