"""Grammars of calls: what a model may write so that every call is one of an offered tool, in the model's own syntax.

A grammar is text in the dialect of Lark that llguidance reads. Arguments in JSON follow the tool's schema wholly, but
for what `enforce` says; where arguments are written otherwise each value has a rule of its own, and what such a rule
cannot hold is said in a warning. The grammar never allows what the parser would not read back as that call.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from graphrt.backends.errors import BadRequest
from graphrt.backends.llama.chat.notation import Elements, Gemma, Notation, Python, Shape
from graphrt.backends.llama.chat.syntax import ID, INDEX, NAME, Slot, Tagged, ToolSyntax
from graphrt.backends.messages import ToolSpec

Enforce = Callable[[Mapping[str, Any], str], tuple[dict[str, Any], list[str]]]
"""What can be enforced of a schema, and a sentence for each thing that cannot."""
_OF_TEXT = ("pattern", "format", "minLength", "maxLength")
_OF_LISTS = ("minItems", "maxItems", "uniqueItems", "contains", "prefixItems")
_OPEN = ("additionalProperties", "patternProperties")
_DEEPEST = 6
"""How deep values nest where a schema lets them go on for ever: below, lists are empty and optional fields absent."""
_ANY = ("string", "number", "boolean", "null")
_PYTHON_STRING = r"""/'(?:[^'\\\n\r\x00-\x1f]|\\[nrt'\\])*'/"""
_PYTHON_WORDS = {"boolean": '"True" | "False"', "null": '"None"'}


class Calls:
    """Builds the rules of calls in one syntax. `literal` writes fixed text as terminals."""

    def __init__(
        self, syntax: ToolSyntax, *, literal: Callable[[str], str], special: Callable[[str], bool], enforce: Enforce
    ) -> None:
        self._syntax = syntax
        self._literal = literal
        self._special = special
        self._enforce = enforce
        self._numbers = itertools.count()
        self.rules: list[str] = []
        self.warnings: list[str] = []

    def start(self, tools: Sequence[ToolSpec], *, many: bool) -> str:
        """The name of the rule for one call of `tools`, or for several."""
        syntax = self._syntax
        calls = self.rule(" | ".join(self._call(tool) for tool in tools))
        more = f" ({self.terms(syntax.between)} {calls})*" if many and syntax.parallel else ""
        return self.rule(f"{self.terms(syntax.begin)} {calls}{more} {self.terms(syntax.end)}")

    def rule(self, body: str, options: str = "") -> str:
        """Add a rule; return its name."""
        name = f"r{next(self._numbers)}"
        self.rules.append(f"{name}{options}: {body}")
        return name

    def terms(self, text: str) -> str:
        """Fixed text as terminals."""
        return self._literal(text) if text else ""

    def _call(self, tool: ToolSpec) -> str:
        pieces = []
        for piece in self._syntax.call:
            if isinstance(piece, str):
                pieces.append(self.terms(piece))
            elif piece is NAME:
                pieces.append(self.terms(self._syntax.name(tool.name)))
            elif isinstance(piece, Slot) and piece in {ID, INDEX}:
                pieces.append("/[a-zA-Z0-9]{9}/" if piece is ID else "/[0-9]{1,2}/")
            else:
                pieces.append(self._arguments(tool))
        return self.rule(" ".join(filter(None, pieces)))

    def _arguments(self, tool: ToolSpec) -> str:
        where = f"tool {tool.name!r}"
        style = self._syntax.arguments
        schema = {"type": "object", **tool.parameters}
        if style is None:
            return self.json(schema, where)
        values = _Values(self, style, Shape(schema), where)
        return values.fields(Shape(schema), 0)

    def json(self, schema: Mapping[str, Any], where: str) -> str:
        """JSON that satisfies `schema`, as far as that can be enforced."""
        enforced, weak = self._enforce(schema, where)
        self.warnings += weak
        return self.rule(f"%json {json.dumps(enforced)}")

    def until(self, mark: str) -> str:
        """Any text, and then `mark`."""
        if self._special(mark):
            return f"/(?s:.*)/ {self.terms(mark)}"
        return self.rule("/(?s:.*)/", f"[suffix={json.dumps(mark, ensure_ascii=False)}]")


class _Values:
    """The rules of arguments that are not JSON as a whole."""

    def __init__(self, calls: Calls, style: Tagged | Notation, root: Shape, where: str) -> None:
        self._calls = calls
        self._style = style
        self._root = root
        self._where = where

    def fields(self, shape: Shape, depth: int, *, quoted: bool = False) -> str:
        """The properties of an object, the required ones first: each once, the others where the model likes.

        `quoted` ones are those of a dictionary in Python.
        """
        schemas = [one for one in shape.alternatives if isinstance(one.get("properties"), Mapping)]
        if len(schemas) > 1:
            self._warn("only the first of its alternatives is allowed")
        elif not schemas and any(one.get(word) for one in shape.alternatives for word in _OPEN):
            self._warn("it names no parameters, so that none can be given")
        schema: Mapping[str, Any] = schemas[0] if schemas else {}
        wanted = schema["required"] if isinstance(schema.get("required"), list) else []
        required = [key for key in schema.get("properties", {}) if key in wanted]
        free = [key for key in schema.get("properties", {}) if key not in wanted and depth < _DEEPEST]
        rules = {key: self._field(key, shape.of(key), depth, quoted=quoted) for key in (*required, *free)}
        comma = {Python: '", "', Gemma: '","'}.get(type(self._style), "")
        if required:
            needed = f" {comma} ".join(rules[key] for key in required)
            return self._calls.rule(" ".join([needed, *(f"({comma} {rules[key]})?" for key in free)]))
        ways = [
            " ".join([rules[key], *(f"({comma} {rules[later]})?" for later in free[i + 1 :])])
            for i, key in enumerate(free)
        ]
        return self._calls.rule(" | ".join([*ways, '""']))

    def _warn(self, what: str) -> None:
        said = f"{self._where} is not wholly enforced: {what}"
        if said not in self._calls.warnings:
            self._calls.warnings.append(said)

    def _field(self, key: str, shape: Shape, depth: int, *, quoted: bool) -> str:
        terms = self._calls.terms
        match self._style:
            case Tagged() as style:
                return self._tagged(style, key, shape)
            case Gemma():
                return self._calls.rule(f"{terms(key + ':')} {self._value(shape, depth + 1)}")
            case Python() as style:
                return self._calls.rule(
                    f"{terms(style.value(key) + ': ' if quoted else key + '=')} {self._value(shape, depth + 1)}"
                )
            case Elements(mark=mark):
                return self._element(mark, key, shape, depth)

    def _tagged(self, style: Tagged, key: str, shape: Shape) -> str:
        terms = self._calls.terms
        stop = style.close.strip()
        tail = terms(style.close[len(style.close.rstrip()) :])
        ways = []
        values = _strings(shape)
        if "string" in shape.kinds:
            self._held(shape, _OF_TEXT)
            start = terms(f"{style.open}{key}{style.string}")
            if values is not None:
                ways += [f"{start} {terms(value)} {terms(style.close)}" for value in values]
            else:
                ways.append(f"{start} {self._calls.until(stop)} {tail}")
        others = sorted(shape.kinds - {"string", "integer"})
        for kind in others:
            for schema in _of_kind(shape, kind):
                start = terms(f"{style.open}{key}{style.attribute(kind)}")
                ways.append(f"{start} {self._json(schema)} {terms(style.close)}")
        return self._calls.rule(" | ".join(ways))

    def _element(self, mark: str, key: str, shape: Shape, depth: int) -> str:
        terms = self._calls.terms
        close = f"{mark}</{key}>"
        ways = []
        values = _strings(shape)
        for kind in sorted(shape.kinds - {"integer", "null"}):
            if kind == "string":
                self._held(shape, _OF_TEXT)
                if values is None:  # text ends with any mark, so that none of a call's own can be part of it
                    ways.append(f"{self._calls.until(mark)} {terms(f'</{key}>')}")
                else:
                    ways.append(f"({' | '.join(map(terms, values))}) {terms(close)}")
            elif kind == "object" and depth < 2 * _DEEPEST:
                ways.append(f"{self.fields(shape, depth + 1)} {terms(close)}")
            elif kind == "array":
                self._held(shape, _OF_LISTS)
                item = f"{self._element(mark, 'item', shape.items, depth + 1)}*" if depth < _DEEPEST else ""
                ways.append(f"{item} {terms(close)}")
            else:
                ways += [f"{self._json(schema)} {terms(close)}" for schema in _of_kind(shape, kind)]
        return self._calls.rule(f"{terms(f'{mark}<{key}>')} ({' | '.join(ways)})")

    def _value(self, shape: Shape, depth: int) -> str:
        """A value in the notation of Gemma or Python."""
        python = isinstance(self._style, Python)
        if depth > 2 * _DEEPEST:  # what is required goes on for ever: there is no such value
            shape = Shape({"type": ["number", "boolean"]})
        ways: list[str] = []
        for kind in sorted(shape.kinds - {"integer"}):
            if kind == "string":
                self._held(shape, _OF_TEXT)
                ways += self._string(_strings(shape))
            elif kind == "array":
                self._held(shape, _OF_LISTS)
                comma = '", "' if python else '","'
                item = self._value(shape.items, depth + 1) if depth < _DEEPEST else ""
                ways.append(f'"[" ({item} ({comma} {item})*)? "]"' if item else '"[]"')
            elif kind == "object":
                ways.append(f'"{{" {self.fields(shape, depth + 1, quoted=python)} "}}"')
            elif python and kind in _PYTHON_WORDS:
                ways.append(_PYTHON_WORDS[kind])
            else:
                ways += [self._json(schema) for schema in _of_kind(shape, kind)]
        return self._calls.rule(" | ".join(ways))

    def _string(self, values: Iterable[str] | None) -> list[str]:
        terms = self._calls.terms
        if isinstance(self._style, Gemma):
            quote = self._style.quote
            if values is None:
                return [f"{terms(quote)} {self._calls.until(quote)}"]
            return [terms(f"{quote}{value}{quote}") for value in values]
        return [_PYTHON_STRING] if values is None else [terms(Python().value(value)) for value in values]

    def _held(self, shape: Shape, words: Sequence[str]) -> None:
        for word in words:
            if any(word in one for one in shape.alternatives):
                self._warn(word)

    def _json(self, schema: Mapping[str, Any]) -> str:
        root = {key: self._root.root[key] for key in ("$defs", "definitions") if key in self._root.root}
        try:
            return self._calls.json({**root, **schema}, self._where)
        except BadRequest:
            self._warn("a parameter's schema cannot be followed by itself")
            return self._calls.json({"type": schema.get("type", list(_ANY))}, self._where)


def _strings(shape: Shape) -> list[str] | None:
    """The strings that are allowed, where they are listed."""
    listed = []
    for schema in shape.alternatives or [{}]:
        if "const" in schema:
            listed += [schema["const"]]
        elif isinstance(schema.get("enum"), list):
            listed += schema["enum"]
        elif schema.get("type") == "string" or "string" in (schema.get("type") or ()) or not schema.get("type"):
            return None
    return [value for value in listed if isinstance(value, str)]


def _of_kind(shape: Shape, kind: str) -> list[Mapping[str, Any]]:
    """The alternatives that allow a JSON type, narrowed to it."""
    found: list[Mapping[str, Any]] = []
    for schema in shape.alternatives:
        if kind in (kinds := Shape(schema, shape.root).kinds):
            integer = kind == "number" and "integer" in kinds and "number" not in _named(schema)
            narrowed = {**schema, "type": "integer" if integer else kind}
            if isinstance(schema.get("enum"), list):
                narrowed["enum"] = [value for value in schema["enum"] if not isinstance(value, str)]
            found.append(narrowed)
    return found or [{"type": kind}]


def _named(schema: Mapping[str, Any]) -> Sequence[str]:
    named = schema.get("type") or ()
    return (named,) if isinstance(named, str) else named
