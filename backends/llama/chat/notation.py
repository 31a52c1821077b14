"""Values as models write them where they do not write JSON.

Each notation writes and reads the arguments of a call. Reading is guided by the tool's schema, because the text alone
does not say whether `7` is a number or a string: a parameter that must be a string stays one, others are read as JSON.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphrt.backends.llama.chat.json_text import loads

Schema = Mapping[str, Any]
_PYTHON_NAMES = {"true": True, "false": False, "null": None}
_PYTHON_STRINGS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_PYTHON_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\x00"})
_KINDS = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null", list: "array"}


def kind(value: Any) -> str:
    """The JSON type of `value`; integers are numbers."""
    return _KINDS.get(type(value), "object")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


class Shape:
    """What a tool's schema says about its parameters, as far as the reading of values needs it."""

    def __init__(self, schema: Any, root: Schema | None = None) -> None:
        self.root: Schema = root if root is not None else schema
        self.alternatives = list(self._alternatives(schema, 8))

    def _alternatives(self, schema: Any, depth: int) -> Iterator[Schema]:
        """The schema, without the references and unions around it."""
        if not isinstance(schema, Mapping) or not depth:
            return
        target = schema.get("$ref")
        if isinstance(target, str) and target.startswith("#/"):
            found: Any = self.root
            for step in target[2:].split("/"):
                found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
            yield from self._alternatives(found, depth - 1)
            return
        union = [one for word in ("anyOf", "oneOf", "allOf") for one in _listed(schema.get(word))]
        for one in union:
            yield from self._alternatives(one, depth - 1)
        if not union or "properties" in schema:
            yield schema

    @property
    def kinds(self) -> frozenset[str]:
        """The JSON types that are allowed; all where the schema does not say."""
        found: set[str] = set()
        for schema in self.alternatives:
            named = schema.get("type")
            values = schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else None
            if isinstance(values, list) and named is None:
                found |= {kind(value) for value in values}
            elif isinstance(named, list):
                found |= {one for one in named if isinstance(one, str)}
            elif isinstance(named, str):
                found.add(named)
            elif "properties" in schema:
                found.add("object")
            elif "items" in schema:
                found.add("array")
        if "integer" in found:
            found.add("number")
        return frozenset(found) or frozenset(("string", "number", "boolean", "null", "array", "object"))

    def of(self, key: str) -> Shape:
        """The shape of a property."""
        for schema in self.alternatives:
            properties = schema.get("properties")
            if isinstance(properties, Mapping) and key in properties:
                return Shape(properties[key], self.root)
        for schema in self.alternatives:
            if isinstance(more := schema.get("additionalProperties"), Mapping):
                return Shape(more, self.root)
        return Shape({}, self.root)

    @property
    def items(self) -> Shape:
        """The shape of a list's items."""
        return Shape(next((one["items"] for one in self.alternatives if "items" in one), {}), self.root)

    def value(self, text: str) -> Any:
        """What `text` means: itself for a string, else JSON, else again itself."""
        return loads(self.json(text))

    def json(self, text: str) -> str:
        """What `text` means, as JSON; JSON is left as it was written."""
        kinds = self.kinds
        if kinds != {"string"}:
            try:
                found = kind(loads(text))
            except ValueError:
                found = ""
            if found in kinds and not (found == "string" and found in kinds):
                return text.strip()
        return json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Python:
    """Keyword arguments of Python: `city='Oslo', days=3`. Names may be what Python would not call a name."""

    texts: tuple[str, ...] = ()

    def write(self, arguments: Mapping[str, Any]) -> str:
        """The arguments as the model would write them."""
        return ", ".join(f"{key}={self.value(value)}" for key, value in arguments.items())

    def value(self, value: Any) -> str:
        """A value as the model would write it: as Python's `repr`, but every character as itself."""
        match value:
            case str():
                return "'" + value.translate(_PYTHON_ESCAPES) + "'"
            case list():
                return "[" + ", ".join(map(self.value, value)) + "]"
            case dict():
                return "{" + ", ".join(f"{self.value(key)}: {self.value(one)}" for key, one in value.items()) + "}"
        return repr(value)

    def calls(self, text: str) -> list[tuple[str, dict[str, Any]]]:
        """The calls in a list of calls. Raises ValueError for what is none."""
        text = text.strip()
        inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        return [self._call(call) for call in self._pieces(inner)]

    @staticmethod
    def inside(text: str) -> bool:
        """Whether `text` ends inside a string."""
        return re.search("['\"]", _PYTHON_STRINGS.sub("", text)) is not None

    def _call(self, text: str) -> tuple[str, dict[str, Any]]:
        name, bracket, rest = text.partition("(")
        if not bracket or not rest.endswith(")") or not name.strip():
            raise ValueError(f"{text[:20]!r} is no call")
        found = {}
        for piece in self._pieces(rest[:-1]):
            key, equals, value = piece.partition("=")
            if not equals or not key.strip():
                raise ValueError(f"{piece[:20]!r} has no name")
            found[key.strip()] = self._read(value)
        return name.strip(), found

    @staticmethod
    def _pieces(text: str) -> list[str]:
        """What is between the commas outside of brackets and strings."""
        depth, start, pieces = 0, 0, []
        for token in re.finditer(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[\[\](){},'"]""", text, re.DOTALL):
            mark = token[0]
            if mark in "'\"":
                raise ValueError("a string that does not end")
            depth += (mark in "[({") - (mark in "])}") if len(mark) == 1 else 0
            if mark == "," and depth == 0:
                pieces.append(text[start : token.start()].strip())
                start = token.end()
        if depth:
            raise ValueError("brackets that do not match")
        pieces.append(text[start:].strip())
        return [piece for piece in pieces if piece]

    def _read(self, text: str) -> Any:
        try:
            found = self._value(ast.parse(text.strip(), mode="eval").body)
            json.dumps(found, allow_nan=False)  # bytes, sets and endless numbers are no arguments
        except (SyntaxError, RecursionError, MemoryError, TypeError) as error:
            raise ValueError(str(error)) from error
        return found

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name) if name in _PYTHON_NAMES:
                return _PYTHON_NAMES[name]
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self._value(item) for item in items]
            case ast.Dict(keys=keys, values=values):
                return {
                    str(self._value(key)): self._value(value) for key, value in zip(keys, values, strict=True) if key
                }
        return ast.literal_eval(node)


@dataclass(frozen=True, slots=True)
class Gemma:
    """Gemma 4's own: `city:<|"|>Oslo<|"|>,days:3`."""

    quote: str = '<|"|>'

    @property
    def texts(self) -> tuple[str, ...]:
        """The notation's own marks."""
        return (self.quote,)

    def inside(self, text: str) -> bool:
        """Whether `text` ends inside a string."""
        return text.count(self.quote) % 2 == 1

    def write(self, arguments: Mapping[str, Any]) -> str:
        """The arguments as the model would write them."""
        return ",".join(f"{key}:{self._write(value)}" for key, value in arguments.items())

    def _write(self, value: Any) -> str:
        match value:
            case str():
                return f"{self.quote}{value}{self.quote}"
            case dict():
                return "{" + self.write(value) + "}"
            case list():
                return "[" + ",".join(map(self._write, value)) + "]"
        return json.dumps(value)

    def read(self, text: str, shape: Shape) -> dict[str, Any]:
        """The arguments. Raises ValueError where the text is none."""
        found, at = self._object(text, 0, shape)
        if text[at:].strip():
            raise ValueError(f"unexpected {text[at:][:20]!r}")
        return found

    def _object(self, text: str, at: int, shape: Shape) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while named := re.compile(r'\s*,?\s*(?:<\|"\|>(.*?)<\|"\|>|"([^"]*)"|([^\s:{}\[\],]+))\s*:\s*').match(text, at):
            key = next(group for group in named.groups() if group is not None)
            found[key], at = self._value(text, named.end(), shape.of(key))
        return found, at

    def _value(self, text: str, at: int, shape: Shape) -> tuple[Any, int]:
        if text.startswith(self.quote, at):
            end = text.find(self.quote, at + len(self.quote))
            if end < 0:
                raise ValueError("a string that does not end")
            return text[at + len(self.quote) : end], end + len(self.quote)
        if text.startswith("{", at):
            found, at = self._object(text, at + 1, shape)
            return found, self._closed(text, at, "}")
        if text.startswith("[", at):
            items = []
            at = self._space(text, at + 1)
            while not text.startswith("]", at) and at < len(text):
                item, at = self._value(text, at, shape.items)
                items.append(item)
                at = self._space(text, at)
                at = self._space(text, at + 1) if text.startswith(",", at) else at
            return items, self._closed(text, at, "]")
        bare = re.compile(r"[^,\]}]+").match(text, at)
        if not bare:
            raise ValueError("no value")
        return shape.value(bare[0].strip()), bare.end()

    def _space(self, text: str, at: int) -> int:
        return at + len(text[at:]) - len(text[at:].lstrip())

    def _closed(self, text: str, at: int, bracket: str) -> int:
        at = self._space(text, at)
        if not text.startswith(bracket, at):
            raise ValueError(f"no {bracket}")
        return at + 1


@dataclass(frozen=True, slots=True)
class Elements:
    """MiniMax M3's: an element for each argument, for each field and for each item, each tag after `mark`."""

    mark: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The notation's own marks."""
        return (self.mark,)

    @staticmethod
    def inside(_: str) -> bool:
        """Whether the text ends inside a string: there are no marks around strings here."""
        return False

    def write(self, arguments: Mapping[str, Any]) -> str:
        """The arguments as the model would write them. The notation has no word for null: such a field is left out."""
        return "".join(self._element(key, value) for key, value in arguments.items() if value is not None)

    def _element(self, name: str, value: Any) -> str:
        match value:
            case dict():
                inner = self.write(value)
            case list():
                inner = "".join(self._element("item", item) for item in value)
            case _:
                inner = value if isinstance(value, str) else json.dumps(value)
        return f"{self.mark}<{name}>{inner}{self.mark}</{name}>"

    def read(self, text: str, shape: Shape) -> dict[str, Any]:
        """The arguments. Raises ValueError where the text is none."""
        found, at = self._fields(text, self._space(text, 0), shape)
        if text[at:].strip():
            raise ValueError(f"unexpected {text[at:][:20]!r}")
        return found

    def _space(self, text: str, at: int) -> int:
        return at + len(text[at:]) - len(text[at:].lstrip())

    def _opened(self, text: str, at: int) -> re.Match[str] | None:
        return re.compile(re.escape(self.mark) + r"<([^/<>]+)>").match(text, at)

    def _fields(self, text: str, at: int, shape: Shape) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while opened := self._opened(text, at):
            found[opened[1]], at = self._content(text, opened, shape.of(opened[1]))
            at = self._space(text, at)
        return found, at

    def _content(self, text: str, opened: re.Match[str], shape: Shape) -> tuple[Any, int]:
        close = f"{self.mark}</{opened[1]}>"
        at = opened.end()
        inner = self._opened(text, self._space(text, at))
        kinds = shape.kinds
        if inner and inner[1] == "item" and "array" in kinds:
            items = []
            while item := self._opened(text, self._space(text, at)):
                value, at = self._content(text, item, shape.items)
                items.append(value)
            return items, self._closed(text, at, close)
        if inner and "object" in kinds:
            fields, at = self._fields(text, inner.start(), shape)
            return fields, self._closed(text, at, close)
        end = text.find(close, at)
        if end < 0:
            raise ValueError(f"no {close}")
        if end == at and "string" not in kinds and kinds & {"array", "object"}:
            return [] if "array" in kinds else {}, end + len(close)
        return shape.value(text[at:end]), end + len(close)

    def _closed(self, text: str, at: int, close: str) -> int:
        at = self._space(text, at)
        if not text.startswith(close, at):
            raise ValueError(f"no {close}")
        return at + len(close)


Notation = Python | Gemma | Elements
