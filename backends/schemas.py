"""JSON Schemas as providers take them: each takes a part of draft 2020-12 and refuses or overlooks the rest (M7).

    fitted(schema, rules)  -> Fitted(schema, dropped)     what can be sent, and what it no longer demands
    closed(schema)         -> schema                      a schema to generate by: objects have no names of their own

Fitting never narrows: every value that the original takes, the fitted schema takes too. Where nothing is dropped they
take the same values. What a provider cannot be told as a schema, it is told in the words of a description. The rules
are data, one value for each provider that is known to refuse more than it takes; who takes every schema has none.

Pure; schemas are draft 2020-12, draft 7 being close enough. `format` is taken as a demand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote


@dataclass(frozen=True, slots=True)
class Rules:
    """What one provider takes of JSON Schema.

    Attributes:
        keywords: what it takes beside `type`, `enum`, `properties`, `required`, `items`, `anyOf` and local `$ref`s.
        formats: the words of `format` that it takes.
        closed: it wants every object to forbid names that are not listed.
        complete: it wants every listed name required.
        typed: it wants every schema to say what kind of value it means.
        object_root: it wants an object at the root, and no choice there.
        bare_refs: it wants nothing beside a `$ref`.
        recursive: it takes schemas that hold themselves.
        looking_around: it takes patterns that look ahead or behind.
        few_items: the largest `minItems` it takes; None for any.
        enum_of: the kinds of value that it takes in a list of them.
    """

    keywords: frozenset[str]
    formats: frozenset[str] = frozenset()
    closed: bool = False
    complete: bool = False
    typed: bool = False
    object_root: bool = False
    bare_refs: bool = False
    recursive: bool = True
    looking_around: bool = True
    few_items: int | None = None
    enum_of: frozenset[str] = frozenset({"string", "integer", "number", "boolean", "null"})


_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})

OPENAI_STRICT = Rules(
    keywords=frozenset({"const", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
    | {"multipleOf", "minItems", "maxItems", "title"},
    formats=_FORMATS,
    closed=True,
    complete=True,
    typed=True,
    object_root=True,
    bare_refs=True,
    looking_around=False,
)
"""OpenAI's strict mode, for answers and tools. What does not fit can be sent without it."""

ANTHROPIC = Rules(
    keywords=frozenset({"const", "allOf", "minItems", "title", "default"}),
    formats=_FORMATS | {"uri"},
    closed=True,
    typed=True,
    object_root=True,
    recursive=False,
    few_items=1,
)
"""Anthropic's `output_config.format`, and Bedrock's `outputConfig.textFormat` whoever made the model."""

GEMINI = Rules(
    keywords=frozenset({"additionalProperties", "prefixItems", "minItems", "maxItems", "minimum", "maximum"})
    | {"title", "default"},
    bare_refs=True,
    enum_of=frozenset({"string", "integer", "number"}),
)
"""Google's `responseJsonSchema` and `parametersJsonSchema`. Its formats are its own."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A keyword that is not, or not fully, demanded any more. `pointer` leads to the schema it stood in (RFC 6901)."""

    pointer: str
    keyword: str

    def __str__(self) -> str:
        return f"{self.keyword} at {self.pointer or '/'}"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A schema as a provider takes it.

    `schema` is None where the provider has no form for it that takes every value of the original; `dropped` then holds
    what stands in the way as well.
    """

    schema: Mapping[str, Any] | None
    dropped: tuple[Dropped, ...] = ()


def fitted(schema: Mapping[str, Any], rules: Rules) -> Fitted:
    """Fit a schema to what a provider takes. What is no schema in it is dropped, or sent as it is: it never raises."""
    return _Fitting(schema, rules).whole()


def exclusive(schema: Mapping[str, Any], branches: Sequence[Any], pointer: str) -> bool:
    """Whether it is plain that no value satisfies two of the `branches` that stand in `schema` at `pointer`."""
    return _Fitting(schema, Rules(frozenset())).one_at_most(branches, pointer)


_BY_NAME = ("properties", "$defs")
_INSIDE = ("items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties")


def closed(schema: Any) -> Any:
    """Close every object that lists its names and says nothing of others.

    A value of the closed schema is one of the original. For generating: a model that may add members of its own may
    never come to an end.
    """
    if isinstance(schema, (list, tuple)):
        return [closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = dict(schema)
    for word in _BY_NAME:
        if isinstance(schema.get(word), Mapping):
            made[word] = {name: closed(inner) for name, inner in schema[word].items()}
    for word in _INSIDE:
        if word in schema:
            made[word] = closed(schema[word])
    if "properties" in schema:
        made.setdefault("additionalProperties", False)
    return made


_DIALECTS: Mapping[str, bool] = {
    "https://json-schema.org/draft/2020-12/schema": True,
    "https://json-schema.org/draft/2019-09/schema": True,
    "http://json-schema.org/draft-07/schema": False,
    "http://json-schema.org/draft-06/schema": False,
}
"""The drafts that are read, and whether what stands beside a `$ref` counts in them."""
_SILENT = frozenset(
    {"$schema", "$id", "$anchor", "$comment", "$defs", "$vocabulary", "$dynamicAnchor", "definitions", "title"}
) | {"description", "default", "examples", "deprecated", "readOnly", "writeOnly", "discriminator"}
"""What demands nothing, and may stand beside a `$ref` that is all of a schema."""
_SHAPE = frozenset(
    {"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf", "properties", "required", "additionalProperties"}
) | {"patternProperties", "items", "prefixItems"}
"""Demands that hold schemas or decide over others: each has a place of its own in the code."""
_OF_OBJECTS = frozenset(
    {"properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties"}
) | {"maxProperties", "unevaluatedProperties", "dependentRequired", "dependentSchemas"}
_OF_ARRAYS = frozenset(
    {"items", "prefixItems", "additionalItems", "contains", "minContains", "maxContains", "minItems", "maxItems"}
) | {"uniqueItems", "unevaluatedItems"}
_DEMANDS = (
    _SHAPE
    | _OF_OBJECTS
    | _OF_ARRAYS
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"}
    | {"pattern", "format", "not", "if", "then", "else", "dependencies", "$dynamicRef", "$recursiveRef"}
)
"""Every keyword that can refuse a value; all others are for people."""
_LOOKING_AROUND = re.compile(r"\(\?<?[=!]")
_TYPES = frozenset({"string", "number", "integer", "boolean", "null", "object", "array"})
_KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_WORDS = 400
"""How many letters of a dropped keyword a description is told."""


class _Fitting:
    """Fits one schema: its root, then each definition that is referred to."""

    def __init__(self, root: Mapping[str, Any], rules: Rules) -> None:
        self._root = root
        self._rules = rules
        self._dropped: dict[Dropped, None] = {}
        self._impossible = False
        self._names: dict[str, str] = {}
        self._waiting: list[str] = []
        self._refers: dict[str, set[str]] = {}
        self._place = ""
        draft = root.get("$schema")
        self._draft = str(draft).rstrip("#") if draft is not None else next(iter(_DIALECTS))
        self._siblings = _DIALECTS.get(self._draft, True)

    def whole(self) -> Fitted:
        if self._draft not in _DIALECTS:
            self._block("", "$schema")
            return Fitted(None, tuple(self._dropped))
        root, at = self._at_root()
        made = self._fit(root, at, at_root=True)
        definitions: dict[str, Any] = {}
        while self._waiting:
            self._place = pointer = self._waiting.pop(0)
            found, _ = self._find(pointer)
            definitions[self._names[pointer]] = self._fit(found, pointer)
        if self._rules.object_root and made.get("type") != "object":
            self._block(at, "type")
        if not self._rules.recursive and self._holds_itself():
            self._block(at, "$ref")
        if self._impossible:
            return Fitted(None, tuple(self._dropped))
        return Fitted({**made, **({"$defs": definitions} if definitions else {})}, tuple(self._dropped))

    def _at_root(self) -> tuple[Any, str]:
        """What the root means: where an object is wanted there, a `$ref` that is all of it is followed."""
        root: Any = self._root
        at, seen = "", set[str]()
        while self._rules.object_root and isinstance(root, Mapping) and "$ref" in root:
            pointer = self._local(root, at)
            alone = not self._siblings or root.keys() - _SILENT == {"$ref"}
            if pointer is None or not alone or pointer in seen:
                break
            seen.add(pointer)
            at, root = pointer, self._find(pointer)[0]
        return root, at

    # One schema.

    def _fit(self, schema: Any, at: str, *, at_root: bool = False) -> dict[str, Any]:
        if schema is False:
            self._drop(at, "false")
        if not isinstance(schema, Mapping):
            schema = {}
        if "$schema" in schema and str(schema["$schema"]).rstrip("#") != self._draft:
            self._drop(at, "$schema")
            schema = {}
        if not self._siblings and "$ref" in schema:
            schema = {key: value for key, value in schema.items() if key in _SILENT or key == "$ref"}
        made: dict[str, Any] = {
            key: schema[key]
            for key in ("title", "description", "default")
            if key in schema and (key == "description" or key in self._rules.keywords)
        }
        told: list[str] = []
        kinds = _kinds(schema)
        self._put_kind(made, schema, at, told)
        self._put_ref(made, schema, at, told)
        self._put_plain(made, schema, at, kinds, told)
        self._put_choices(made, schema, at, told, at_root=at_root)
        if kinds is None or "object" in kinds:
            self._put_object(made, schema, at, kinds, told)
        if kinds is None or "array" in kinds:
            self._put_array(made, schema, at, kinds, told)
        if self._rules.typed and not made.keys() & {"type", "$ref", "anyOf", "allOf"}:
            self._block(at, "type")
        if told:
            made["description"] = "\n".join([*([str(made["description"])] if made.get("description") else []), *told])
        return self._bare(made) if self._rules.bare_refs and len(made) > 1 and "$ref" in made else made

    def _bare(self, made: dict[str, Any]) -> dict[str, Any]:
        """Give a `$ref` a schema of its own: whatever stood beside it stands beside a choice of one."""
        return {**{key: value for key, value in made.items() if key != "$ref"}, "anyOf": [{"$ref": made["$ref"]}]}

    def _put_kind(self, made: dict[str, Any], schema: Mapping[str, Any], at: str, told: list[str]) -> None:
        if "type" in schema:
            made["type"] = list(schema["type"]) if isinstance(schema["type"], tuple) else schema["type"]
        if isinstance(schema.get("enum"), (list, tuple)):
            word, values = "enum", list(schema["enum"])
            if "const" in schema:
                self._lose(schema, "const", at, told)
        elif "const" in schema:
            word, values = "const", [schema["const"]]
        else:
            return
        kinds = {_KINDS.get(type(value), "other"): None for value in values}
        if not kinds.keys() <= self._rules.enum_of:
            self._lose(schema, word, at, told)
            return
        if word == "const" and "const" in self._rules.keywords:
            made["const"] = schema["const"]
        else:
            made["enum"] = values
        if self._rules.typed and kinds and "type" not in made:
            made["type"] = list(kinds) if len(kinds) > 1 else next(iter(kinds))

    def _put_ref(self, made: dict[str, Any], schema: Mapping[str, Any], at: str, told: list[str]) -> None:
        if "$ref" not in schema:
            return
        pointer = self._local(schema, at)
        if pointer is None or (self._rules.bare_refs and schema.keys() & {"anyOf", "oneOf"}):
            self._lose(schema, "$ref", at, told)
            return
        self._refers.setdefault(self._place, set()).add(pointer)
        made["$ref"] = f"#/$defs/{quote(escaped(self._name(pointer)), safe='~/')}" if pointer else "#"

    def _put_plain(
        self, made: dict[str, Any], schema: Mapping[str, Any], at: str, kinds: set[str] | None, told: list[str]
    ) -> None:
        for key in schema:
            value = schema[key]
            if key in _SHAPE or key not in _DEMANDS or _moot(key, kinds):
                continue
            if self._takes(key, value):
                made[key] = value
            elif key in {"exclusiveMinimum", "exclusiveMaximum"}:
                self._put_bound(made, schema, key, at, told)
            else:
                if key == "minItems" and key in self._rules.keywords and isinstance(value, int):
                    made[key] = self._rules.few_items
                self._lose(schema, key, at, told)

    def _takes(self, key: str, value: Any) -> bool:
        if key == "format":
            return str(value) in self._rules.formats
        if key not in self._rules.keywords:
            return False
        if key == "pattern":
            return self._rules.looking_around or not _LOOKING_AROUND.search(str(value))
        most = self._rules.few_items
        return key != "minItems" or most is None or (isinstance(value, int) and value <= most)

    def _put_bound(self, made: dict[str, Any], schema: Mapping[str, Any], key: str, at: str, told: list[str]) -> None:
        """Say an exclusive bound as an inclusive one: for whole numbers it is the next, and nothing is lost."""
        inclusive, step = ("minimum", 1) if key == "exclusiveMinimum" else ("maximum", -1)
        value = schema[key]
        if inclusive not in self._rules.keywords or inclusive in schema or not _is_number(value):
            self._lose(schema, key, at, told)
        elif schema.get("type") == "integer" and isinstance(value, int):
            made[inclusive] = value + step
        else:
            made[inclusive] = value
            self._lose(schema, key, at, told)

    def _put_choices(
        self, made: dict[str, Any], schema: Mapping[str, Any], at: str, told: list[str], *, at_root: bool
    ) -> None:
        for key in ("anyOf", "oneOf"):
            branches = schema.get(key)
            if not isinstance(branches, (list, tuple)):
                continue
            if (at_root and self._rules.object_root) or "anyOf" in made:
                self._lose(schema, key, at, told)
                continue
            made["anyOf"] = [self._fit(branch, f"{at}/{key}/{number}") for number, branch in enumerate(branches)]
            if key == "oneOf" and not self.one_at_most(branches, at):
                self._drop(at, key)
        parts = schema.get("allOf")
        if not isinstance(parts, (list, tuple)):
            return
        # Anthropic takes no $ref right under it
        if "allOf" in self._rules.keywords and not any(isinstance(part, Mapping) and "$ref" in part for part in parts):
            made["allOf"] = [self._fit(part, f"{at}/allOf/{number}") for number, part in enumerate(parts)]
        else:
            self._lose(schema, "allOf", at, told)

    def _put_object(
        self, made: dict[str, Any], schema: Mapping[str, Any], at: str, kinds: set[str] | None, told: list[str]
    ) -> None:
        rules, properties = self._rules, schema.get("properties")
        if kinds is None and rules.typed and schema.keys() & {"properties", "required", "additionalProperties"}:
            self._block(at, "type")
        if isinstance(properties, Mapping):
            made["properties"] = {
                name: self._fit(inner, f"{at}/properties/{escaped(name)}") for name, inner in properties.items()
            }
        if isinstance(schema.get("required"), (list, tuple)):
            made["required"] = list(schema["required"])
        patterns = bool(schema.get("patternProperties"))
        if patterns:
            self._lose(schema, "patternProperties", at, told)
        if kinds is not None and rules.closed:
            if schema.get("additionalProperties") is not False or patterns:
                self._block(at, "additionalProperties")
            made.setdefault("properties", {})
            made["additionalProperties"] = False
            if rules.complete and _names(made, "required") != set(made["properties"]):
                self._block(at, "required")
        elif "additionalProperties" in schema:
            others = schema["additionalProperties"]
            if "additionalProperties" not in rules.keywords or patterns:
                # without the patterns it would forbid what they allow
                self._lose(schema, "additionalProperties", at, told)
            elif isinstance(others, bool):
                made["additionalProperties"] = others
            else:
                made["additionalProperties"] = self._fit(others, f"{at}/additionalProperties")

    def _put_array(
        self, made: dict[str, Any], schema: Mapping[str, Any], at: str, kinds: set[str] | None, told: list[str]
    ) -> None:
        first, rest = schema.get("prefixItems"), schema.get("items")
        count = 0
        if isinstance(first, (list, tuple)):
            if "prefixItems" not in self._rules.keywords:
                self._lose(schema, "prefixItems", at, told)
                if "items" in schema:
                    self._lose(schema, "items", at, told)
                rest = None
            else:
                count = len(first)
                made["prefixItems"] = [
                    self._fit(inner, f"{at}/prefixItems/{number}") for number, inner in enumerate(first)
                ]
        if rest is False and "maxItems" in self._rules.keywords:
            # no item beyond the first ones: a number says the same
            most = made.get("maxItems", count)
            made["maxItems"] = min(most, count) if _is_number(most) else count
        elif isinstance(rest, (Mapping, bool)):
            made["items"] = self._fit(rest, f"{at}/items")
        elif rest is not None:
            self._lose(schema, "items", at, told)
        if kinds is not None and self._rules.typed and "items" not in made:
            self._block(at, "items")

    # What it refers to.

    def _local(self, schema: Mapping[str, Any], at: str) -> str | None:
        """The pointer that a `$ref` means, if it leads to a schema in this document."""
        ref = schema["$ref"]
        if not isinstance(ref, str) or not ref.startswith("#") or (ref != "#" and not ref.startswith("#/")):
            return None
        if self._find(at)[1]:
            return None  # it is relative to a document of its own
        found, foreign = self._find(unquote(ref[1:]))
        return None if foreign or not isinstance(found, (Mapping, bool)) else unquote(ref[1:])

    def _find(self, pointer: str) -> tuple[Any, bool]:
        """What stands at a pointer, and whether an `$id` on the way there begins a document of its own."""
        found: Any = self._root
        foreign = False
        for word in pointer.split("/")[1:]:
            key = word.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping):
                found = found.get(key)
            elif isinstance(found, Sequence) and not isinstance(found, str) and key.isdecimal():
                found = found[int(key)] if int(key) < len(found) else None
            else:
                return None, foreign
            foreign |= isinstance(found, Mapping) and isinstance(found.get("$id"), str)
        return found, foreign

    def _name(self, pointer: str) -> str:
        """The name of a definition: its own where it has one that nobody else has."""
        if pointer not in self._names:
            parent, _, last = pointer.rpartition("/")
            own = last.replace("~1", "/").replace("~0", "~") if parent in {"/$defs", "/definitions"} else "schema"
            taken, name, number = set(self._names.values()), own, 2
            while name in taken:
                name, number = f"{own}_{number}", number + 1
            self._names[pointer] = name
            self._waiting.append(pointer)
        return self._names[pointer]

    def _holds_itself(self) -> bool:
        def reached(start: str) -> set[str]:
            seen, left = set[str](), list(self._refers.get(start, ()))
            while left:
                pointer = left.pop()
                if pointer not in seen:
                    seen.add(pointer)
                    left += self._refers.get(pointer, ())
            return seen

        return any(place in reached(place) for place in self._refers)

    # Whether no two branches of a choice take the same value.

    def one_at_most(self, branches: Sequence[Any], at: str) -> bool:
        """See `exclusive`."""
        if self._find(at)[1]:
            return False
        means = [self._meant(branch) for branch in branches]
        return all(self._apart(one, other) for number, one in enumerate(means) for other in means[:number])

    def _meant(self, schema: Any) -> Any:
        """A schema, or the one that it is only a reference to."""
        for _ in range(8):
            if not isinstance(schema, Mapping) or "$ref" not in schema:
                return schema
            pointer = self._local(schema, "")
            if pointer is None:
                return None
            schema = self._find(pointer)[0]
        return None

    def _apart(self, one: Any, other: Any) -> bool:
        if not isinstance(one, Mapping) or not isinstance(other, Mapping):
            return False
        kinds, others = _kinds(one), _kinds(other)
        if kinds is not None and others is not None and not kinds & others:
            return True
        words, more = _words(one), _words(other)
        if words is not None and more is not None and not words & more:
            return True
        if kinds != {"object"} or others != {"object"}:
            return False
        for name in _names(one, "required") & _names(other, "required"):
            words, more = (_words(self._meant(_property(side, name))) for side in (one, other))
            if words is not None and more is not None and not words & more:
                return True
        return False

    # What is lost.

    def _lose(self, schema: Mapping[str, Any], keyword: str, at: str, told: list[str]) -> None:
        """Drop a keyword, and tell the model of it in words."""
        self._drop(at, keyword)
        words = json.dumps(schema[keyword], ensure_ascii=False, default=str)
        if len(words) <= _WORDS:
            told.append(f"{keyword}: {words}")

    def _drop(self, at: str, keyword: str) -> None:
        self._dropped[Dropped(at, keyword)] = None

    def _block(self, at: str, keyword: str) -> None:
        self._drop(at, keyword)
        self._impossible = True


def _kinds(schema: Mapping[str, Any]) -> set[str] | None:
    """The kinds of value that a schema's `type` allows; None for any, and where it says what is no type."""
    said = schema.get("type")
    kinds = {str(word) for word in said} if isinstance(said, (list, tuple)) else {str(said)}
    if not kinds <= _TYPES:
        return None
    return kinds | {"integer"} if "number" in kinds else kinds


def _words(schema: Any) -> set[str] | None:
    """The only values that a schema takes, if they are all strings."""
    if not isinstance(schema, Mapping):
        return None
    values: Any = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        return None
    return set(values)


def _names(schema: Mapping[str, Any], key: str) -> set[str]:
    found = schema.get(key)
    return {str(name) for name in found} if isinstance(found, (list, tuple)) else set()


def _property(schema: Mapping[str, Any], name: str) -> Any:
    found = schema.get("properties")
    return found.get(name) if isinstance(found, Mapping) else None


def _moot(key: str, kinds: set[str] | None) -> bool:
    """Whether a keyword speaks of a kind of value that is not allowed anyway."""
    if kinds is None:
        return False
    return (key in _OF_OBJECTS and "object" not in kinds) or (key in _OF_ARRAYS and "array" not in kinds)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def escaped(name: str) -> str:
    """A name as a pointer writes it."""
    return name.replace("~", "~0").replace("/", "~1")
