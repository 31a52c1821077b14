"""Schemas fitted to what each provider takes (M7): never narrower, and the same where nothing is reported dropped."""

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest

from graphrt.backends.schemas import (
    _DEMANDS,
    ANTHROPIC,
    GEMINI,
    OPENAI_STRICT,
    Dropped,
    Fitted,
    Rules,
    closed,
    fitted,
)
from tests.backends.replay import TRAFFIC

RULES = {"openai_strict": OPENAI_STRICT, "anthropic": ANTHROPIC, "gemini": GEMINI}
SUITE = TRAFFIC.parent / "json-schema-test-suite"
EVERY = pytest.mark.parametrize("rules", RULES.values(), ids=RULES)


def obj(required: Iterable[str] | None = None, /, **properties: Any) -> dict[str, Any]:
    names = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def fit(schema: Any, rules: Rules, *lost: str) -> Any:
    """The fitted schema, which has lost exactly these."""
    found = fitted(schema, rules)
    assert [str(each) for each in found.dropped] == list(lost)
    assert found.schema is not None
    return found.schema


def inside(schema: Any, rules: Rules, *lost: str) -> Any:
    """The same for the schema of a property."""
    return fit(obj(x=schema), rules, *(f"{word} at /properties/x" for word in lost))["properties"]["x"]


def blocked(schema: Any, rules: Rules) -> list[str]:
    found = fitted(schema, rules)
    assert found.schema is None
    return [str(each) for each in found.dropped]


# Whether two schemas agree: on the official suite, and on schemas and values that dice make.


def agree(original: Any, found: Fitted, values: Iterable[Any], retriever: Any = None) -> None:
    """M7: what the original takes the fitted schema takes; where nothing is dropped the reverse is true as well."""
    assert found.schema is not None
    before = jsonschema_rs.validator_for(original, validate_formats=True, retriever=retriever)
    after = jsonschema_rs.validator_for(dict(found.schema), validate_formats=True, retriever=retriever)
    for value in values:
        if before.is_valid(value):
            assert after.is_valid(value), (original, found, value)
        elif not found.dropped:
            assert not after.is_valid(value), (original, found, value)


def remote(uri: str) -> Any:
    path = SUITE / "remotes" / uri.removeprefix("http://localhost:1234/")
    if not path.is_file():
        raise ValueError(uri)
    return json.loads(path.read_text("utf-8"))


def groups() -> Iterator[tuple[str, Any, list[Any]]]:
    for path in sorted(SUITE.glob("draft2020-12/**/*.json")):
        for group in json.loads(path.read_text("utf-8")):
            if isinstance(group["schema"], dict) and path.name != "cross-draft.json":
                yield f"{path.stem}: {group['description']}", group["schema"], [it["data"] for it in group["tests"]]


OBJECTS = {"properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties"}
ARRAYS = {"items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"}


def said(schema: Any) -> Any:
    """A schema that says of which kind its values are, and lists the names of its objects: strict rules want that."""
    if isinstance(schema, bool):
        return {"type": "string"}
    if isinstance(schema, list):
        return [said(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    for word in ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas"):
        if isinstance(made.get(word), dict):
            made[word] = {name: said(inner) for name, inner in made[word].items()}
    for word in ("items", "prefixItems", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "contains"):
        if word in made:
            made[word] = said(made[word])
    if made.keys() & {"type", "$ref", "enum", "const", "anyOf", "oneOf", "allOf", "$dynamicRef"}:
        pass
    elif made.keys() & OBJECTS:
        made["type"] = "object"
    elif made.keys() & ARRAYS:
        made["type"] = "array"
    else:
        made["type"] = "number" if made.keys() & {"minimum", "maximum", "multipleOf"} else "string"
    if made.get("type") == "object":
        made.setdefault("properties", {})
        made["required"] = sorted(made["properties"])
        made["additionalProperties"] = False
    if made.get("type") == "array":
        made.setdefault("items", {"type": "string"})
    return made


def moved(schema: Any, where: str) -> Any:
    """The same schema at another place of its document."""
    if isinstance(schema, list):
        return [moved(each, where) for each in schema]
    if not isinstance(schema, dict):
        return schema
    ref = schema.get("$ref")
    at = {"$ref": where + ref[1:]} if isinstance(ref, str) and (ref == "#" or ref.startswith("#/")) else {}
    return {key: moved(value, where) for key, value in schema.items()} | at


def test_the_official_suite_as_it_is_agrees_for_google() -> None:
    """Google takes nearly every schema in some form (M7)."""
    seen = 0
    for name, schema, values in groups():
        found = fitted(schema, GEMINI)
        if found.schema is None:
            assert [str(each) for each in found.dropped] == ["$schema at /"], name
            continue
        agree(schema, found, values, remote)
        seen += 1
    assert seen > 400 or not SUITE.is_dir()


@EVERY
def test_the_official_suite_agrees_inside_an_object(rules: Rules) -> None:
    """Every group of the suite as the schema of a property, made to say its kinds where the rules want that (M7)."""
    seen = exact = 0
    for name, schema, values in groups():
        if any(word in json.dumps(schema) for word in ("$id", "$dynamicRef")):
            continue  # it cannot be moved into another document
        own = {key: value for key, value in schema.items() if key != "$schema"}
        boxed = obj(value=moved(said(own), "#/properties/value"))
        found = fitted(boxed, rules)
        if found.schema is None:
            continue
        seen += 1
        exact += not found.dropped
        try:
            agree(boxed, found, [{"value": value} for value in values], remote)
        except AssertionError as error:
            raise AssertionError(name) from error
        assert wrong(found.schema, rules) == []
    assert (seen > 100 and exact > 10) or not SUITE.is_dir(), (seen, exact)


JUNK: tuple[Any, ...] = (None, True, 3, "x", "#/x", [], [1], [[]], {}, {"a": 1}, {"a": []}, 1e999)
NAMES = ("a", "b", "c")
WORDS = ("", "x", "xy", "2024-01-01", "a@b.cd")


class Dice:
    """Schemas and values that fit each other often enough to tell schemas apart."""

    def __init__(self, seed: int) -> None:
        self.roll = random.Random(seed)
        self.definitions = [f"D{number}" for number in range(self.roll.randrange(3))]

    def document(self) -> dict[str, Any]:
        definitions = {name: self.schema(2) for name in self.definitions}
        root = self.of_objects(3) | {"type": "object"}
        return root | ({"$defs": definitions} if definitions else {})

    def schema(self, depth: int) -> dict[str, Any]:
        roll = self.roll
        kinds = ["number", "string", "words", "null"]
        if depth:
            kinds += ["object", "object", "array", "choice", "all"]
        if self.definitions:
            kinds.append("ref")
        made: dict[str, Any]
        match roll.choice(kinds):
            case "object":
                made = self.of_objects(depth) | {"type": roll.choice(["object", ["object", "null"]])}
            case "array":
                made = self.some(
                    items=lambda: roll.choice([False, self.schema(depth - 1), self.schema(depth - 1)]),
                    prefixItems=lambda: [self.schema(depth - 1) for _ in range(roll.randrange(1, 3))],
                    minItems=lambda: roll.randrange(3),
                    maxItems=lambda: roll.randrange(3),
                    uniqueItems=lambda: True,
                    contains=lambda: self.schema(depth - 1),
                ) | {"type": "array"}
            case "choice":
                made = {roll.choice(["anyOf", "oneOf"]): [self.schema(depth - 1) for _ in range(2)]}
            case "all":
                made = {"allOf": [self.schema(depth - 1) for _ in range(roll.randrange(1, 3))]}
            case "ref":
                made = {"$ref": f"#/$defs/{roll.choice(self.definitions)}"}
            case "words":
                made = roll.choice([{"const": self.plain()}, {"enum": [self.plain(), self.plain()]}])
            case "null":
                made = {"type": "null"}
            case "string":
                made = self.some(
                    minLength=lambda: roll.randrange(3),
                    maxLength=lambda: roll.randrange(3),
                    pattern=lambda: roll.choice(["^x", "(?=x)"]),
                    format=lambda: roll.choice(["date", "email", "uri"]),
                ) | {"type": "string"}
            case _:
                made = self.some(
                    minimum=lambda: roll.randrange(3),
                    maximum=lambda: roll.randrange(3),
                    exclusiveMinimum=lambda: roll.randrange(3),
                    exclusiveMaximum=lambda: roll.randrange(3),
                    multipleOf=lambda: 2,
                ) | {"type": roll.choice(["integer", "number"])}
        if depth and roll.random() < 0.1:
            made |= self.some(**{"not": lambda: self.schema(0), "if": lambda: self.schema(0), "else": lambda: False})
        if roll.random() < 0.1:
            made |= {"minimum": 1, "description": "Some."}
        return made

    def of_objects(self, depth: int) -> dict[str, Any]:
        roll = self.roll
        names = roll.sample(NAMES, roll.randrange(len(NAMES)))
        made: dict[str, Any] = {"properties": {name: self.schema(depth - 1) for name in names}}
        made["required"] = names if roll.random() < 0.8 else names[1:]
        if roll.random() < 0.9:
            made["additionalProperties"] = False if roll.random() < 0.9 else self.schema(0)
        if roll.random() < 0.1:
            made |= self.some(
                patternProperties=lambda: {"^[cd]": self.schema(0)},
                minProperties=lambda: 1,
                maxProperties=lambda: 1,
                propertyNames=lambda: {"maxLength": 1},
                dependentRequired=lambda: {"a": ["b"]},
                unevaluatedProperties=lambda: False,
            )
        return made

    def some(self, **of: Any) -> dict[str, Any]:
        return {key: make() for key, make in of.items() if self.roll.random() < 0.4}

    def plain(self) -> Any:
        return self.roll.choice([None, True, False, 0, 1, 2, 3, 1.5, *WORDS])

    def value(self, schema: Any, document: Mapping[str, Any], depth: int = 5) -> Any:
        """A value that a schema may take: it is followed most of the time."""
        roll = self.roll
        if not depth or not isinstance(schema, Mapping) or roll.random() < 0.05:
            return roll.choice([self.plain(), {}, [], {"a": self.plain()}, [self.plain()]])
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                return self.value(roll.choice(schema[word]), document, depth - 1)
        if "$ref" in schema:
            return self.value(document["$defs"][schema["$ref"].rpartition("/")[2]], document, depth - 1)
        if "const" in schema or "enum" in schema:
            return schema["const"] if "const" in schema else roll.choice(schema["enum"])
        if "object" in str(schema.get("type")):
            names = [name for name in schema["properties"] if roll.random() < 0.95]
            more = {"d": self.plain()} if roll.random() < 0.1 else {}
            return {name: self.value(schema["properties"][name], document, depth - 1) for name in names} | more
        if schema.get("type") == "array":
            first = [self.value(each, document, depth - 1) for each in schema.get("prefixItems", ())]
            return first + [self.value(schema.get("items"), document, depth - 1) for _ in range(roll.randrange(3))]
        kinds: dict[Any, Any] = {"null": [None], "integer": [0, 1, 2, 3], "number": [0, 0.5, 1, 2, 3], "string": WORDS}
        return roll.choice(kinds[schema["type"]])


@EVERY
def test_whatever_the_dice_make_is_never_narrower_and_is_the_same_where_nothing_is_dropped(rules: Rules) -> None:
    """M7, for thousands of schemas that combine every keyword."""
    seen = exact = taken = 0
    for seed in range(1500):
        dice = Dice(seed)
        document = dice.document()
        found = fitted(document, rules)
        if found.schema is None:
            assert found.dropped
            continue
        values = [dice.value(document, document) for _ in range(20)]
        agree(document, found, values)
        assert wrong(found.schema, rules) == [], (document, found)
        seen += 1
        exact += not found.dropped
        taken += sum(jsonschema_rs.is_valid(document, value) for value in values)
    assert min(seen, exact, taken) > 40, (seen, exact, taken)


# What the rules say, checked by other means.


def wrong(schema: Any, rules: Rules, *, at: str = "") -> list[str]:
    """What of a schema a provider of these rules would refuse."""
    if isinstance(schema, bool):
        return [] if not rules.typed else [f"{at}: untyped"]
    problems = []
    holds = {"type", "enum", "properties", "required", "items", "anyOf", "$ref", "$defs", "description", "format"}
    if rules.closed:
        holds.add("additionalProperties")
    problems += [f"{at}: {key}" for key in schema.keys() - holds - rules.keywords]
    if schema.get("format") not in {None, *rules.formats}:
        problems.append(f"{at}: format")
    kinds = schema.get("type", [])
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if rules.typed and not kinds and not schema.keys() & {"$ref", "anyOf", "allOf"}:
        problems.append(f"{at}: untyped")
    if rules.closed and "object" in kinds and schema.get("additionalProperties") is not False:
        problems.append(f"{at}: open")
    if rules.complete and "object" in kinds and set(schema.get("required", ())) != set(schema["properties"]):
        problems.append(f"{at}: incomplete")
    if rules.typed and "array" in kinds and "items" not in schema:
        problems.append(f"{at}: no items")
    if rules.bare_refs and "$ref" in schema and schema.keys() - {"$ref", "$defs"}:
        problems.append(f"{at}: not a bare $ref")
    if rules.few_items is not None and schema.get("minItems", 0) > rules.few_items:
        problems.append(f"{at}: minItems")
    if rules.object_root and not at and (schema.get("type") != "object" or "anyOf" in schema):
        problems.append("the root is no object")
    for word in ("properties", "$defs"):
        for name, inner in schema.get(word, {}).items():
            problems += wrong(inner, rules, at=f"{at}/{word}/{name}")
    for word in ("anyOf", "allOf", "prefixItems"):
        for number, inner in enumerate(schema.get(word, ())):
            problems += wrong(inner, rules, at=f"{at}/{word}/{number}")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), Mapping):
            problems += wrong(schema[word], rules, at=f"{at}/{word}")
    return problems


def recorded() -> Iterator[tuple[str, Rules, Any]]:
    """The schemas that providers accepted under their strictest rules."""
    for path in sorted(TRAFFIC.glob("*/*.json")):
        exchange = json.loads(path.read_text("utf-8"))
        body = (exchange.get("request") or {}).get("body")
        if path.parent.name == "_constructed" or not isinstance(body, dict) or exchange["response"]["status"] >= 400:
            continue
        chat = (body.get("response_format") or {}).get("json_schema") or {}
        text = (body.get("text") or {}).get("format") or {}
        config = body.get("generationConfig") or {}
        form = (body.get("output_config") or {}).get("format") or {}
        found: list[tuple[Rules, Any]] = [
            *((OPENAI_STRICT, each.get("schema")) for each in (chat, text) if each.get("strict")),
            (ANTHROPIC, form.get("schema")),
            (GEMINI, config.get("responseJsonSchema")),
        ]
        for rules, schema in found:
            if isinstance(schema, dict) and exchange["provider"] in {"openai", "azure_openai", "anthropic", "google"}:
                yield f"{path.parent.name}/{path.stem}", rules, schema


def test_what_a_provider_accepted_is_sent_as_it_is() -> None:
    """Nothing that a recording shows to be accepted in strict mode is refused or weakened by the rules (M7)."""
    seen = 0
    for name, rules, schema in recorded():
        found = fitted(schema, rules)
        assert found.schema is not None, (name, found, schema)
        assert found.dropped == (), (name, found, schema)
        seen += 1
    assert seen > 10 or not TRAFFIC.is_dir(), seen


# One keyword at a time.


def test_an_open_object_has_no_closed_form() -> None:
    """Closing it would refuse what it takes: that is for `closed`, and for whoever calls it."""
    open_ = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    for rules in (OPENAI_STRICT, ANTHROPIC):
        assert blocked(open_, rules) == ["additionalProperties at /"]
        assert fit(closed(open_), rules) == {**open_, "additionalProperties": False}
    assert fit(open_, GEMINI) == open_


def test_an_optional_name_is_strict_nowhere_but_only_openai_minds() -> None:
    """Making it required, or null, would change what is taken."""
    schema = obj(["a"], a={"type": "string"}, b={"type": "string"})
    assert blocked(schema, OPENAI_STRICT) == ["required at /"]
    assert fit(schema, ANTHROPIC) == schema


def test_what_a_provider_is_not_told_as_a_schema_it_is_told_in_words() -> None:
    """The words join the description, each with the value that is wanted."""
    schema = {"type": "string", "description": "A code.", "minLength": 2, "pattern": "^[A-Z]+$"}
    assert inside(schema, ANTHROPIC, "minLength", "pattern") == {
        "type": "string",
        "description": 'A code.\nminLength: 2\npattern: "^[A-Z]+$"',
    }
    assert inside(schema, OPENAI_STRICT, "minLength") == {
        "type": "string",
        "pattern": "^[A-Z]+$",
        "description": "A code.\nminLength: 2",
    }


def test_patterns_that_look_around_are_dropped_where_they_are_not_taken() -> None:
    assert inside({"type": "string", "pattern": "^(?!x)"}, OPENAI_STRICT, "pattern")["type"] == "string"
    assert inside({"type": "string", "pattern": "^(?:x)"}, OPENAI_STRICT)["pattern"] == "^(?:x)"


def test_one_of_becomes_any_of_and_loses_nothing_where_the_branches_exclude_each_other() -> None:
    """Kinds, strings or a discriminating name tell them apart; otherwise it is reported."""
    cat = obj(kind={"type": "string", "const": "cat"}, lives={"type": "integer"})
    dog = obj(kind={"type": "string", "const": "dog"})
    union = {"oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}], "discriminator": {"propertyName": "kind"}}
    for rules in RULES.values():
        schema = fit({**obj(x=union), "$defs": {"Cat": cat, "Dog": dog}}, rules)
        assert schema["properties"]["x"] == {"anyOf": union["oneOf"]}
        assert inside({"oneOf": [{"type": "string"}, {"type": "null"}]}, rules).keys() == {"anyOf"}
        assert inside({"oneOf": [{"type": "integer"}, {"type": "number"}]}, rules, "oneOf").keys() == {"anyOf"}


def test_of_two_choices_one_is_kept() -> None:
    """One `anyOf` has no room for another; a `$ref` that cannot stand beside it has to go."""
    word = [{"type": "string"}, {"type": "null"}]
    assert inside({"anyOf": word, "oneOf": word[:1]}, ANTHROPIC, "oneOf")["anyOf"] == word
    schema = {**obj(x={"anyOf": word, "$ref": "#/$defs/A"}), "$defs": {"A": {"type": "string"}}}
    assert fit(schema, OPENAI_STRICT, "$ref at /properties/x")["properties"]["x"]["anyOf"] == word
    assert fit(schema, ANTHROPIC)["properties"]["x"] == schema["properties"]["x"]


def test_all_of_is_kept_where_it_is_taken_and_holds_no_reference() -> None:
    parts = [{"type": "string"}, {"type": ["string", "null"]}]
    assert inside({"allOf": parts}, ANTHROPIC) == {"allOf": parts}
    schema = {**obj(x={"type": "string", "allOf": [{"$ref": "#/$defs/A"}]}), "$defs": {"A": {"type": "string"}}}
    assert "$defs" not in fit(schema, ANTHROPIC, "allOf at /properties/x")
    assert inside({"type": "string", "allOf": parts}, OPENAI_STRICT, "allOf")["type"] == "string"


def test_references_keep_their_names_and_what_is_not_referred_to_is_left_out() -> None:
    """Definitions come under `$defs`, from wherever they were; recursion at the root stays `#`."""
    tree = obj(value={"type": "string"}, left={"anyOf": [{"$ref": "#"}, {"type": "null"}]})
    assert fit(tree, OPENAI_STRICT) == tree
    old = {**obj(x={"$ref": "#/definitions/A"}, y={"$ref": "#/properties/z"}, z={"type": "null"})}
    old |= {"definitions": {"A": {"type": "string"}, "B": {"type": "string"}}}
    schema = fit(old, ANTHROPIC)
    assert schema["$defs"] == {"A": {"type": "string"}, "schema": {"type": "null"}}
    assert [schema["properties"][name]["$ref"] for name in "xy"] == ["#/$defs/A", "#/$defs/schema"]
    twice = {**obj(x={"$ref": "#/definitions/A"}, y={"$ref": "#/$defs/A"}), "$defs": {"A": {"type": "null"}}}
    schema = fit(twice | {"definitions": {"A": {"type": "string"}}}, ANTHROPIC)
    assert schema["$defs"] == {"A": {"type": "string"}, "A_2": {"type": "null"}}
    assert [schema["properties"][name]["$ref"] for name in "xy"] == ["#/$defs/A", "#/$defs/A_2"]


def test_a_root_that_is_only_a_reference_becomes_what_it_refers_to() -> None:
    """pydantic writes recursive models so; strict rules want the object itself."""
    node = obj(next={"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]})
    root = {"$ref": "#/$defs/Node", "$defs": {"Node": node}}
    assert fit(root, OPENAI_STRICT) == {**node, "$defs": {"Node": node}}
    assert fit(root, GEMINI) == root
    assert blocked({"$ref": "#"}, OPENAI_STRICT) == ["type at /"]
    assert "type at /" in blocked({**root, "anyOf": [{"required": ["next"]}]}, ANTHROPIC)


def test_a_schema_that_holds_itself_is_refused_where_recursion_is() -> None:
    node = obj(next={"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]})
    assert blocked({**obj(x={"$ref": "#/$defs/Node"}), "$defs": {"Node": node}}, ANTHROPIC) == ["$ref at /"]


def test_nothing_stands_beside_a_reference_where_that_is_not_taken() -> None:
    schema = {**obj(x={"$ref": "#/$defs/A", "description": "Why."}), "$defs": {"A": {"type": "string"}}}
    assert fit(schema, OPENAI_STRICT)["properties"]["x"] == {"description": "Why.", "anyOf": [{"$ref": "#/$defs/A"}]}
    assert fit(schema, ANTHROPIC)["properties"]["x"] == {"$ref": "#/$defs/A", "description": "Why."}


def test_references_out_of_the_document_are_dropped() -> None:
    """Another document, an anchor, or what an `$id` makes a document of its own."""
    for ref in ("other.json", "#anchor", "#/$defs/nobody", "https://example.com/x"):
        assert inside({"type": "string", "$ref": ref}, GEMINI, "$ref")["type"] == "string"
    own = {"$id": "https://example.com/own", "type": "array", "items": {"type": "string", "$ref": "#/$defs/A"}}
    found = fitted({**obj(x=own), "$defs": {"A": {"maxLength": 1}}}, GEMINI)
    assert found.dropped == (Dropped("/properties/x/items", "$ref"),)
    into = {"type": "string", "$ref": "#/properties/x/items"}
    found = fitted({**obj(x={**own, "items": {"type": "string"}}, y=into)}, GEMINI)
    assert found.dropped == (Dropped("/properties/y", "$ref"),)


def test_names_that_a_pointer_has_to_escape_are_found_and_written() -> None:
    schema = {**obj(x={"$ref": "#/$defs/a~1b%20c"}), "$defs": {"a/b c": {"type": "null"}}}
    made = fit(schema, ANTHROPIC)
    assert made["properties"]["x"] == {"$ref": "#/$defs/a~1b%20c"}
    assert made["$defs"] == {"a/b c": {"type": "null"}}


def test_an_exclusive_bound_of_whole_numbers_is_the_next_inclusive_one() -> None:
    assert inside({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9}, GEMINI) == {
        "type": "integer",
        "minimum": 1,
        "maximum": 8,
    }
    both = {"type": "integer", "minimum": 5, "exclusiveMinimum": 0}
    assert inside(both, GEMINI, "exclusiveMinimum")["minimum"] == 5
    wider = inside({"type": "number", "exclusiveMinimum": 0}, GEMINI, "exclusiveMinimum")
    assert wider == {"type": "number", "minimum": 0, "description": "exclusiveMinimum: 0"}


def test_a_constant_is_a_choice_of_one_where_constants_are_not_taken() -> None:
    assert inside({"const": "x"}, GEMINI) == {"enum": ["x"]}
    assert inside({"const": "x"}, OPENAI_STRICT) == {"const": "x", "type": "string"}
    kinds = {"type": ["string", "integer", "null"]}
    assert inside({"enum": ["x", 1, None]}, ANTHROPIC) == {"enum": ["x", 1, None], **kinds}


def test_a_list_of_values_of_a_kind_that_is_not_taken_is_dropped() -> None:
    """Google takes strings and numbers there, nobody takes objects."""
    assert inside({"type": ["string", "null"], "enum": ["x", None]}, GEMINI, "enum")["type"] == ["string", "null"]
    assert inside({"type": "boolean", "const": True}, GEMINI, "const")["type"] == "boolean"
    assert inside({"type": "boolean", "const": True}, ANTHROPIC) == {"type": "boolean", "const": True}
    assert blocked(obj(x={"enum": [{}]}), ANTHROPIC) == ["enum at /properties/x", "type at /properties/x"]


def test_a_tuple_that_ends_with_its_first_items_says_so_by_number() -> None:
    pair = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "items": False}
    assert inside(pair, GEMINI) == {"type": "array", "prefixItems": pair["prefixItems"], "maxItems": 2}
    assert inside({**pair, "maxItems": 1}, GEMINI)["maxItems"] == 1
    assert "items at /properties/x" in blocked(obj(x=pair), OPENAI_STRICT)


def test_more_items_than_a_provider_can_be_told_become_as_many_as_it_can() -> None:
    many = {"type": "array", "items": {"type": "string"}, "minItems": 3}
    assert inside(many, ANTHROPIC, "minItems") == {**many, "minItems": 1, "description": "minItems: 3"}
    assert inside({**many, "minItems": 0}, ANTHROPIC) == {**many, "minItems": 0}


def test_names_that_only_patterns_allow_are_not_forbidden_when_the_patterns_go() -> None:
    """Kept alone, `additionalProperties` would refuse what the patterns took."""
    schema = {"type": "object", "patternProperties": {"^v": {}}, "additionalProperties": False}
    made = fit(schema, GEMINI, "patternProperties at /", "additionalProperties at /")
    assert made.keys() == {"type", "description"}
    assert "additionalProperties at /" in blocked(schema, ANTHROPIC)


def test_what_speaks_of_other_kinds_of_value_is_left_out_without_a_word() -> None:
    schema = {"type": "string", "minItems": 3, "required": ["a"], "x-mine": 1}
    assert inside(schema, OPENAI_STRICT) == {"type": "string"}


def test_what_is_no_type_says_nothing_of_what_it_takes() -> None:
    """Google's older schemas shout; what stands beside such a word still counts."""
    loud = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]}
    assert fit(loud, GEMINI) == loud
    assert "type at /" in blocked(loud, ANTHROPIC)


@pytest.mark.parametrize("any_", [{}, True, {"description": "Anything."}])
def test_a_schema_for_anything_has_no_form_where_kinds_are_wanted(any_: Any) -> None:
    assert blocked(obj(x=any_), OPENAI_STRICT) == ["type at /properties/x"]
    assert inside(any_, GEMINI).keys() <= {"description"}


def test_a_schema_that_takes_nothing_takes_anything_and_says_so() -> None:
    assert inside(False, GEMINI, "false") == {}


def test_draft_7_is_read_and_what_stands_beside_its_references_does_not_count() -> None:
    draft = {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"A": {"type": "string"}}}
    schema = fit({**obj(x={"$ref": "#/definitions/A", "minLength": 3}), **draft}, ANTHROPIC)
    assert schema["properties"]["x"] == {"$ref": "#/$defs/A"}
    assert blocked({**obj(), "$schema": "https://example.com/mine"}, GEMINI) == ["$schema at /"]


@EVERY
def test_what_is_no_schema_breaks_nothing(rules: Rules) -> None:
    """Schemas come from outside; a provider or a validator says what is wrong with one."""
    for word in (*_DEMANDS, "$schema", "$id", "$defs", "description", "title"):
        for junk in JUNK:
            for root in (
                {word: junk},
                {"type": "object", word: junk},
                {"type": "array", word: junk},
                obj(x={word: junk}),
            ):
                fitted(root, rules)
                closed(root)


def test_the_original_is_not_changed() -> None:
    schema = {**obj(x={"$ref": "#/$defs/A", "minLength": 1}), "$defs": {"A": {"type": "string", "maxLength": 2}}}
    before = json.dumps(schema)
    for rules in RULES.values():
        fitted(schema, rules)
    closed(schema)
    assert json.dumps(schema) == before
