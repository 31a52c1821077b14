"""What a grammar can hold of a JSON Schema: all of it, or all but what is named.

What is made takes no less than the schema, but for odd spellings of a few formats. A keyword that cannot be held is
left out alone; others that mean something else without it go with it, and are named, too. Which keywords those are is
partly known and partly found by asking the grammar's compiler, in as few questions as may be.

Pure, apart from the compiler. Schemas are draft 2020-12; older ones are read as far as the compiler reads them.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from graphrt.backends.schemas import escaped, exclusive

_Site = tuple[str, str]
"""Where a schema stands, and a keyword in it."""
Refusal = Callable[[Mapping[str, Any]], str]
"""Why a schema cannot be compiled; empty where it can."""
UNSATISFIABLE = "Unsatisfiable schema"
"""How the refusal of a schema begins that nothing satisfies."""
_DEEPEST = 100
"""How deep a schema may nest: the compiler reads JSON up to 128 deep."""
_MULTIPLE = 50_000
"""The largest common multiple of all `multipleOf`s: automata of that many states are built in half a second."""
_WIDEST = 256
"""How many ways of being satisfied a schema may have side by side: the compiler writes down each combination."""
_PATIENCE = 10.0
"""Seconds for which the compiler is asked; what it has not taken by then is left out."""


class Unusable(ValueError):
    """No answer can be held to the schema; the words are to follow a name for it."""


@dataclass(frozen=True, slots=True)
class Weakness:
    """A keyword that is not held. `pointer` leads to the schema it stands in (RFC 6901)."""

    pointer: str
    keyword: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.keyword} at {self.pointer or '/'}{self.why and f' ({self.why})'}"


def weakened(text: str, refusal: Refusal) -> tuple[dict[str, Any], list[Weakness]]:
    """What can be held of a schema, given as JSON, and what cannot.

    Raises Unusable for one that is nested too deeply, for a keyword whose value JSON Schema does not allow, for a
    reference that leads nowhere, and for a schema that nothing satisfies.
    """
    root = _loaded(text)
    known = _Known(root)
    plain = known.read(root, "")
    found = _Search(plain, refusal, known.exclusive).weak()
    for one in found:
        if one.keyword == "$ref" and _leads_nowhere(root, _follow(plain, one.pointer)["$ref"]):
            raise Unusable(f"has a $ref at {one.pointer or '/'} that leads nowhere")
    gone = known.exclusive | {(one.pointer, one.keyword) for one in found}
    along = [
        Weakness(one.pointer, also, f"without {one.keyword} it would forbid more")
        for one in found
        for also in _TAKEN_ALONG.get(one.keyword, ())
        if also in _follow(plain, one.pointer) and (one.pointer, also) not in gone
    ]
    return _without(plain, gone), known.weak + found + along


def dumped(schema: Mapping[str, Any]) -> str:
    """A schema as text. Raises Unusable for what is no JSON."""
    try:
        return json.dumps(schema, allow_nan=False, default=dict)
    except RecursionError:
        raise Unusable(f"is nested more than {_DEEPEST} deep") from None
    except (TypeError, ValueError) as error:
        raise Unusable(f"is no JSON: {error}") from None


def _loaded(text: str) -> dict[str, Any]:
    try:
        made: dict[str, Any] = json.loads(text)
    except RecursionError:
        raise Unusable(f"is nested more than {_DEEPEST} deep") from None
    level: list[Any] = [made]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
        level = [each for each in level if isinstance(each, (dict, list))]
    if level:
        raise Unusable(f"is nested more than {_DEEPEST} deep")
    return made


# What JSON Schema allows in a schema.

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTED = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = (
    *("additionalProperties", "unevaluatedProperties", "propertyNames", "items", "additionalItems", "unevaluatedItems"),
    *("contains", "not", "if", "then", "else"),
)
_COUNTS = (
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"),
)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_schema(value: Any) -> bool:
    return isinstance(value, (dict, bool))


def _is_listed(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_schema, value))


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_schema, value.values()))


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_type(value: Any) -> bool:
    return value in _TYPES if isinstance(value, str) else _is_names(value) and bool(value) and set(value) <= _TYPES


_SHAPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(_NAMED, (_is_named, "schemas by name")),
    **dict.fromkeys(_LISTED, (_is_listed, "a list of schemas")),
    **dict.fromkeys(_SINGLE, (_is_schema, "a schema")),
    **dict.fromkeys(_COUNTS, (_is_count, "a whole number that is not negative")),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), (_is_number, "a number")),
    **dict.fromkeys(("pattern", "format", "$ref", "$dynamicRef"), (lambda value: isinstance(value, str), "a string")),
    "items": (lambda value: _is_schema(value) or _is_listed(value), "a schema"),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "type": (_is_type, f"one of {', '.join(sorted(_TYPES))}, or a list of them"),
    "enum": (lambda value: isinstance(value, list), "a list"),
    "required": (_is_names, "a list of names"),
    "uniqueItems": (lambda value: isinstance(value, bool), "true or false"),
}


def _check(schema: Mapping[str, Any], at: str) -> None:
    for keyword, value in schema.items():
        if keyword in _SHAPES and not _SHAPES[keyword][0](value):
            said = json.dumps(value, ensure_ascii=False)
            raise Unusable(f"is wrong: {keyword} at {at or '/'} is {said[:60]}; it must be {_SHAPES[keyword][1]}")


# What is known of the compiler.

_NOT_HELD = frozenset(
    {"not", "contains", "uniqueItems", "propertyNames", "dependentRequired", "dependentSchemas", "dependencies"}
) | {"unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef"}
_IN_PLACE = frozenset(
    {"$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "dependencies"}
) | {"contains"}
"""What may say of an object's members, or of a list's, that they were looked at."""
_LOOKED_AT = {"unevaluatedProperties": "additionalProperties", "unevaluatedItems": "items"}
"""What is the same as another keyword where nothing else looks."""
_ALONE = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}
"""What demands something only beside another keyword, which takes it along when it goes."""
_IDLE: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties", "propertyNames"), (True, {})),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "dependencies"), ({},)),
    "uniqueItems": (False,),
}
"""Values that demand nothing."""


_LEAP = "[0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00"
_CALENDAR = f"^([0-9]{{4}}-(0[13-9]|1[0-2]|02-[01]|02-2[0-8])|({_LEAP})-02-29)"
_NO_LEAP_SECOND = "^([^:]*|[^:]*:[0-5][0-9]:[0-5].*)$"
_FORMATS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "date": ({"pattern": _CALENDAR},),
    "time": ({"pattern": _NO_LEAP_SECOND},),
    "date-time": ({"pattern": _CALENDAR}, {"pattern": _NO_LEAP_SECOND}),
    "hostname": ({"pattern": "^[^-]*(-[^-]+)*$"}, {"maxLength": 253}),
    "email": (
        {"pattern": "^[^@]{1,64}@[^-]*(-[^-]+)*$"},
        {"pattern": r"^[^@]*@[^.]{1,63}(\.[^.]{1,63})*$"},
        {"pattern": "^[^@]*@.{1,253}$"},
    ),
}
"""What the compiler's formats lack: days that are in no calendar, seconds that are on no clock but once in years, names
that are too long, or that are written like encoded ones (two hyphens)."""


class _Known:
    """Leaves out what the compiler is known not to hold, and says the rest as it understands it."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._multiple = 1
        self.weak: list[Weakness] = []
        self.exclusive: set[_Site] = set()
        """Each `oneOf` that means the same as an `anyOf`."""

    def read(self, schema: Any, at: str) -> Any:
        if not isinstance(schema, dict):
            return schema
        _check(schema, at)
        made: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword in _ALONE or (keyword in _IDLE and value in _IDLE[keyword]):
                continue
            if keyword == "if":
                if "then" in schema or "else" in schema:
                    self._lose(at, keyword)
            elif keyword == "multipleOf":
                self._put_multiple(made, value, at)
            elif keyword == "$dynamicAnchor":
                made["$anchor"] = value
            elif keyword in _COUNTS:
                made[keyword] = int(value)
            elif keyword in _LOOKED_AT and not schema.keys() & _IN_PLACE:
                made.setdefault(_LOOKED_AT[keyword], self.read(value, f"{at}/{keyword}"))
            elif keyword in _NOT_HELD:
                self._lose(at, keyword)
            else:
                made[keyword] = _mapped(keyword, value, at, self.read)
        if more := _FORMATS.get(made.get("format", "")):
            made["allOf"] = [*made.get("allOf", ()), *more]
        self._combine(made, schema, at)
        return made

    def _combine(self, made: dict[str, Any], schema: Mapping[str, Any], at: str) -> None:
        if "oneOf" in made and exclusive(self._root, schema["oneOf"], at):
            self.exclusive.add((at, "oneOf"))
        while _ways(made) > _WIDEST:
            widest = max(_COMBINED & made.keys(), key=lambda keyword: _ways({keyword: made[keyword]}))
            self._lose(at, widest, "it has too many combinations")
            del made[widest]

    def _put_multiple(self, made: dict[str, Any], value: float, at: str) -> None:
        _, digits, exponent = Decimal(str(value)).as_tuple()
        whole = int("".join(map(str, digits))) * 10 ** max(0, int(exponent))
        multiple = math.lcm(self._multiple, whole) if whole <= _MULTIPLE else whole
        if multiple > _MULTIPLE:
            self._lose(at, "multipleOf", "it takes too large an automaton")
            return
        self._multiple, made["multipleOf"] = multiple, value

    def _lose(self, at: str, keyword: str, why: str = "") -> None:
        self.weak.append(Weakness(at, keyword, why))


_COMBINED = frozenset({"allOf", "anyOf", "oneOf"})


def _ways(schema: Any) -> int:
    """In how many ways a schema may be satisfied, without looking into objects, lists and references."""
    if not isinstance(schema, dict):
        return 1
    sums = [sum(map(_ways, schema[keyword])) for keyword in ("anyOf", "oneOf") if keyword in schema]
    return math.prod([*sums, *map(_ways, schema.get("allOf", ()))])


def _mapped(keyword: str, value: Any, at: str, each: Callable[[Any, str], Any]) -> Any:
    """The value of a keyword with something done to every schema in it."""
    if keyword in _NAMED:
        return {name: each(inner, f"{at}/{keyword}/{escaped(name)}") for name, inner in value.items()}
    if isinstance(value, list) and (keyword in _LISTED or keyword == "items"):
        return [each(inner, f"{at}/{keyword}/{number}") for number, inner in enumerate(value)]
    return each(value, f"{at}/{keyword}") if keyword in _SINGLE else value


def _coerced(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with its `oneOf` read as an `anyOf`."""
    made = {keyword: value for keyword, value in schema.items() if keyword != "oneOf"}
    if "anyOf" not in made:
        return {**made, "anyOf": schema["oneOf"]}
    return {**made, "allOf": [*made.get("allOf", ()), {"anyOf": schema["oneOf"]}]}


# What is left out because the compiler refuses it.

_TAKEN_ALONG = {
    "properties": ("additionalProperties",),
    "patternProperties": ("additionalProperties",),
    "prefixItems": ("items",),
    "items": ("additionalItems",),
}
"""What would forbid more where a keyword is gone."""
_ORDER = {
    keyword: place
    for place, keyword in enumerate(
        (
            # What holds schemas comes first: in there, too, only what is refused is to go.
            *("properties", "items", "prefixItems", "additionalProperties", "allOf", "anyOf", "patternProperties"),
            *("additionalItems", "type", "enum", "const", "required", "$ref", "minItems", "maxItems", "minLength"),
            *("maxLength", "minProperties", "maxProperties", "minimum", "maximum", "exclusiveMinimum"),
            *("exclusiveMaximum", "multipleOf", "format", "pattern"),
            "oneOf",  # last: whether its alternatives overlap depends on all that is in them
        )
    )
}
"""The keywords that may be left out. Where two cannot be held together, it is the later one."""


class _Search:
    """Asks the compiler until it is known which keywords it refuses: those that are not in a largest set it takes."""

    def __init__(self, schema: Mapping[str, Any], refusal: Refusal, gone: set[_Site]) -> None:
        self._schema = schema
        self._refusal = refusal
        self._gone = gone
        self._sites = sorted(set(_sites(schema, "")) - gone, key=lambda site: (_ORDER[site[1]], site[0]))
        self._until = time.monotonic() + _PATIENCE

    def weak(self) -> list[Weakness]:
        why = self._why(set(self._sites))
        if not why:
            return []
        self._found: list[Weakness] = []
        if unusable := self._why(set()):
            raise Unusable(f"cannot be used: {unusable}")
        self._taken(set(), self._sites, why)
        return self._found

    def _taken(self, base: set[_Site], sites: Sequence[_Site], why: str) -> set[_Site]:
        """As many of `sites` as can be taken beside `base`, given why they cannot all be."""
        if len(sites) == 1 or time.monotonic() > self._until:
            self._found += [Weakness(*site, self._told(site, why)) for site in sites]
            return set()
        half = len(sites) // 2
        taken = set[_Site]()
        for part in (sites[:half], sites[half:]):
            reason = self._why(base | taken | set(part))
            taken |= self._taken(base | taken, part, reason) if reason else set(part)
        return taken

    def _told(self, site: _Site, why: str) -> str:
        at, keyword = site
        if keyword == "oneOf":
            return "more than one of its schemas may be satisfied"
        ref = _follow(self._schema, at)["$ref"] if keyword == "$ref" else "#"
        return why if ref.startswith("#") else f"{ref!r} is another document"

    def _why(self, kept: set[_Site]) -> str:
        """Why the schema is refused with only these of its keywords. What nothing satisfies with them, nothing does."""
        why = self._refusal(_without(self._schema, self._gone | (set(self._sites) - kept)))
        if why.startswith(UNSATISFIABLE):
            raise Unusable(f"cannot be satisfied: {why.removeprefix(UNSATISFIABLE).lstrip(': ')}")
        return why


def _sites(schema: Any, at: str) -> Iterator[_Site]:
    """Every keyword that may be left out, with the pointer to where it stands."""
    if not isinstance(schema, dict):
        return
    inside: list[tuple[Any, str]] = []
    for keyword, value in schema.items():
        if keyword in _ORDER:
            yield at, keyword
        _mapped(keyword, value, at, lambda inner, there: inside.append((inner, there)))
    for inner, there in inside:
        yield from _sites(inner, there)


def _without(schema: Any, gone: set[_Site], at: str = "") -> Any:
    """The schema without some of its keywords, and without what would mean something else then."""
    if not isinstance(schema, dict):
        return schema
    along = {also for keyword in _TAKEN_ALONG if (at, keyword) in gone for also in _TAKEN_ALONG[keyword]}
    made = {
        keyword: _mapped(keyword, value, at, lambda inner, there: _without(inner, gone, there))
        for keyword, value in schema.items()
        if keyword == "oneOf" or ((at, keyword) not in gone and keyword not in along)
    }
    return _coerced(made) if (at, "oneOf") in gone and "oneOf" in made else made


# Where a reference leads.


def _follow(root: Any, pointer: str) -> Any:
    """What stands at a pointer. Raises LookupError where nothing does."""
    found = root
    for word in pointer.split("/")[1:]:
        key = word.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            if not key.isdecimal():
                raise LookupError(pointer)
            found = found[int(key)]
        elif isinstance(found, dict):
            found = found[key]
        else:
            raise LookupError(pointer)  # noqa: TRY004 - there is nothing, whatever it is
    return found


def _leads_nowhere(root: Any, ref: str) -> bool:
    """Whether a reference within this document has no end."""
    if not ref.startswith("#"):
        return False
    if ref != "#" and not ref.startswith("#/"):
        return not _anchored(root, ref[1:])
    try:
        _follow(root, unquote(ref[1:]))
    except LookupError:
        return True
    return False


def _anchored(value: Any, name: str) -> bool:
    if isinstance(value, list):
        return any(_anchored(each, name) for each in value)
    if not isinstance(value, dict):
        return False
    return name in (value.get("$anchor"), value.get("$dynamicAnchor")) or any(
        _anchored(each, name) for each in value.values()
    )
