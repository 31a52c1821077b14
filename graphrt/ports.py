"""Ports: where a typed value enters or leaves a node, as JSON on the wire and as a Python object inside (G1, D13).

A value travels between steps as JSON text and nothing else, whether or not the process died in between. So a node can
never see another's object, a retry never sees what the attempt before it changed, and a resumed run sees what the first
one saw.
"""

from __future__ import annotations

import hashlib
import types
import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import PydanticSerializationError, from_json, to_json

from graphrt.errors import PortError, UsageError
from graphrt.types import Json

_PLAIN: dict[Any, tuple[type, ...]] = {int: (int,), str: (str,), bool: (bool,), type(None): (type(None),)}


class Port:
    """One typed opening of a node: validates, writes and reads the values of one annotation."""

    __slots__ = ("_adapter", "_floats", "annotation", "name", "node", "plain", "tag")

    def __init__(self, node: str, name: str, annotation: Any) -> None:
        self.node = node
        self.name = name
        self.annotation = annotation
        self.plain = _PLAIN.get(annotation)
        self._adapter = None if self.plain else adapter(annotation)
        self._floats: bool | None = None
        self.tag = type_tag(annotation)

    def write(self, value: Any) -> Json:
        """Validate `value` and write it as JSON. Raises PortError."""
        try:
            if self.plain is not None and type(value) in self.plain:
                return to_json(value)
            shape = self._adapter or adapter(self.annotation)
            checked = shape.validate_python(value)
            text = shape.dump_json(checked, warnings="error", by_alias=True)
            # A model writes infinities as null; as words they survive, where its fields read them.
            if self._may_hold_floats() and b"null" in text:
                text = to_json(shape.dump_python(checked, mode="json", by_alias=True), inf_nan_mode="strings")
                shape.validate_json(text)
        except ValidationError as error:
            raise self._misfit(error) from None
        except (PydanticSerializationError, ValueError) as error:
            raise PortError(self.node, self.name, [("", f"cannot be written as JSON: {error}")]) from None
        return text

    def read(self, text: Json) -> Any:
        """Read and validate a JSON value. Every call makes a fresh object. Raises PortError."""
        try:
            if self.plain is not None:
                value = from_json(text)
                if type(value) in self.plain:
                    return value
            return (self._adapter or adapter(self.annotation)).validate_json(text)
        except ValidationError as error:
            raise self._misfit(error) from None

    def _may_hold_floats(self) -> bool:
        if self._floats is None:
            self._floats = may_hold_floats(self.annotation)
        return self._floats

    def _misfit(self, error: ValidationError) -> PortError:
        problems = [
            (pointer(problem["loc"]), problem["msg"])
            for problem in error.errors(include_url=False, include_input=False)
        ]
        return PortError(self.node, self.name, problems)


def pointer(location: tuple[int | str, ...]) -> str:
    """Write a pydantic location as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(word).replace("~", "~0").replace("/", "~1") for word in location)


@lru_cache(maxsize=4096)
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    # Infinity and NaN have no JSON; as strings they survive. A model's own configuration cannot be changed from here.
    try:
        return TypeAdapter(annotation, config=ConfigDict(ser_json_inf_nan="strings"))
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
    return TypeAdapter(annotation)


def adapter(annotation: Any) -> TypeAdapter[Any]:
    """Return the pydantic adapter of an annotation, made once."""
    try:
        return _adapter(annotation)
    except TypeError:  # an unhashable annotation, such as Annotated[int, []]
        return TypeAdapter(annotation)


def may_hold_floats(annotation: Any) -> bool:
    """Return whether a float can be anywhere in a value of `annotation`, for all that its JSON schema says."""
    schema = adapter(annotation).json_schema(mode="serialization")
    return not all(_without_floats(each) for each in (schema, *schema.get("$defs", {}).values()))


def _without_floats(schema: Any) -> bool:
    """Return whether a schema, but for those it refers to, lets nothing through that could be a float."""
    if not isinstance(schema, dict):
        return schema is False
    if "$ref" in schema:
        return True
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return all(map(_without_floats, schema[either]))
    if "const" in schema or "enum" in schema:
        return not any(isinstance(value, float) for value in (*schema.get("enum", ()), schema.get("const")))
    match schema.get("type"):
        case "string" | "integer" | "boolean" | "null":
            return True
        case "array":
            rest = schema.get("items", "prefixItems" not in schema)
            return all(map(_without_floats, (rest, *schema.get("prefixItems", ()))))
        case "object":
            rest = schema.get("additionalProperties", "properties" not in schema and "patternProperties" not in schema)
            named = {**schema.get("properties", {}), **schema.get("patternProperties", {})}
            return all(map(_without_floats, (rest, *named.values())))
        case _:
            return False


def json_problem(annotation: Any) -> str | None:
    """Return why values of `annotation` do not survive JSON, or None if they do (G4)."""
    try:
        try:
            hash(annotation)
        except TypeError:
            _write_schemas(annotation)
        else:
            _write_schemas_once(annotation)
    except PydanticSchemaGenerationError:
        return f"pydantic has no schema for {type_name(annotation)}"
    except PydanticInvalidForJsonSchema as error:
        return str(error).splitlines()[0]
    except (PydanticUndefinedAnnotation, PydanticUserError, NameError) as error:
        return f"{type_name(annotation)} cannot be resolved: {str(error).splitlines()[0]}"
    return None


def _write_schemas(annotation: Any) -> None:
    shape = adapter(annotation)
    shape.json_schema(mode="validation")
    shape.json_schema(mode="serialization")


# What raises is not remembered: a name that cannot be resolved yet may be resolved later.
_write_schemas_once = lru_cache(maxsize=4096)(_write_schemas)


def type_name(annotation: Any) -> str:
    """Return a type's name as a person would write it. It never holds a module path."""
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is Any:
        return "Any"
    if isinstance(annotation, (typing.TypeVar, typing.NewType)):
        return annotation.__name__
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_name(args[0])
    if origin in {typing.Union, types.UnionType}:
        return " | ".join(type_name(arg) for arg in args)
    if origin is typing.Literal:
        return f"Literal[{', '.join(repr(arg) for arg in args)}]"
    if origin is not None:
        inner = ", ".join("..." if arg is Ellipsis else _argument_name(arg) for arg in args)
        return f"{getattr(origin, '__name__', str(origin))}[{inner}]"
    return str(getattr(annotation, "__name__", annotation))


def _argument_name(arg: Any) -> str:
    return f"[{', '.join(type_name(inner) for inner in arg)}]" if isinstance(arg, list) else type_name(arg)


_BARE = {int, str, bool, float, bytes, type(None), None, Any, list, dict, tuple}


@lru_cache(maxsize=4096)
def _type_tag(annotation: Any, name: str) -> str:
    if annotation in _BARE or all(arg in _BARE for arg in typing.get_args(annotation) or (object,)):
        return name
    schema = adapter(annotation).json_schema(mode="serialization")
    return f"{name}#{hashlib.sha256(to_json(schema)).hexdigest()[:8]}"


def type_tag(annotation: Any) -> str:
    """Return the registered type name and, for a type with fields, its schema's fingerprint: `Finding#1f0c88aa`
    (D13)."""
    name = type_name(annotation)  # `int | str` equals `str | int`: the cache must not give one the other's name
    try:
        return _type_tag(annotation, name)
    except TypeError:
        return name


Upcaster = Callable[[Any], Any]
_upcasters: dict[str, tuple[Upcaster, str]] = {}


def upcaster(old: str, new: type[BaseModel] | str) -> Callable[[Upcaster], Upcaster]:
    """Register how a recorded value of type tag `old` becomes one of `new` (D13).

    The function takes and returns plain JSON data. Upcasters are applied one after the other, when a journal is read.
    """
    target = new if isinstance(new, str) else type_tag(new)
    if old == target:
        raise UsageError(f"upcaster from {old!r} to itself")

    def register(function: Upcaster) -> Upcaster:
        _upcasters[old] = (function, target)
        return function

    return register


def upcast(tag: str, text: Json) -> tuple[str, Json]:
    """Bring a recorded value to the newest tag that upcasters lead to."""
    seen = {tag}
    while tag in _upcasters:
        function, tag = _upcasters[tag]
        text = to_json(function(from_json(text)))
        if tag in seen:
            raise UsageError(f"upcasters lead in a circle: {' -> '.join(sorted(seen))}")
        seen.add(tag)
    return tag, text
