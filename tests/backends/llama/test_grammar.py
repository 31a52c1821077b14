"""Whatever a model would rather say, what a grammar lets through is a call of an offered tool.

The model here is chance: any token that the grammar allows, of the shipped model's vocabulary, with a liking for what
closes things, so that the walks end. It also says the syntax's own marks wherever it may, inside strings above all.
"""

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

pytest.importorskip("tests.llama")

from graphrt.backends.llama import tiny_model
from graphrt.backends.llama.chat.notation import Elements
from graphrt.backends.llama.chat.syntax import Dialect, Tagged
from graphrt.backends.llama.grammar.constrain import Grammars, LazyMatcher, Matcher
from graphrt.backends.llama.native.model import Model
from graphrt.backends.llama.native.vocabulary import Vocabulary
from graphrt.backends.messages import OutputSchema, ToolCall, ToolSpec
from tests.backends.llama.model_templates import NAMES, needed, template
from tests.backends.llama.reading import DIALECTS, parse

LONGEST = 700
"""Steps of a walk that is given up."""


def tool(name: str, required: Sequence[str] = (), **properties: Any) -> ToolSpec:
    """A tool of these parameters and no others."""
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return ToolSpec(name=name, parameters=schema)


TOOLS = (
    tool(
        "get_weather",
        ("city", "days"),
        city={"type": "string"},
        days={"type": "integer", "minimum": 0, "maximum": 9},
        unit={"enum": ["celsius", "fahrenheit"]},
        detail={"type": "boolean"},
        note={"type": ["string", "null"]},
    ),
    tool(
        "plan-trip",
        ("stops", "budget"),
        stops={"type": "array", "items": {"type": "string"}},
        budget={
            "type": "object",
            "properties": {"amount": {"type": "number"}, "currency": {"type": "string"}},
            "required": ["amount"],
            "additionalProperties": False,
        },
    ),
    tool("ping"),
)


@pytest.fixture(scope="module")
def vocabulary() -> Iterator[Vocabulary]:
    """The shipped model's tokens."""
    model = Model(tiny_model())
    yield model.vocabulary
    model.close()


@pytest.fixture(scope="module")
def grammars(vocabulary: Vocabulary) -> Grammars:
    """Grammars over them."""
    return Grammars(vocabulary)


class Chance:
    """A model that says anything it may."""

    def __init__(self, vocabulary: Vocabulary, dialect: Dialect, seed: int) -> None:
        self._vocabulary = vocabulary
        self._chance = random.Random(seed)
        texts = [line for text in dialect.tools.texts for line in (text, *text.split("\n")) if line.strip()]
        if isinstance(style := dialect.tools.arguments, Elements):
            keys = {key for one in TOOLS for key in one.parameters["properties"]} | {"item", "amount", "currency"}
            keys |= {"tree", "name", "next", "all"}
            texts += [f"{style.mark}</{key}>" for key in sorted(keys)]
        self._marks = [
            vocabulary.tokenize(text, special=True) for text in (*dict.fromkeys(texts), '"', "'", '"}', "}", "]")
        ]
        closing = {b'"', b"'", b"}", b"]", b'"}', b'"]'}
        self._closing = {token for token, piece in enumerate(vocabulary.pieces) if piece in closing}
        self._short = {token for token, piece in enumerate(vocabulary.pieces) if len(piece) < 3}

    def write(self, matcher: Matcher) -> str | None:
        """All of an answer; None where it finds no end."""
        said: list[int] = []
        for step in range(LONGEST):
            if matcher.done:
                break
            if (step % 6 == 5 or step > 40) and (mark := self._mark(matcher)):
                said += mark
                continue
            allowed = matcher.allowed().nonzero()[0].tolist()
            if any(token in self._vocabulary.eog for token in allowed):
                break
            closing = [token for token in allowed if token in self._closing]
            if not closing or self._chance.random() > (0.3 if step < 60 else 0.9):
                closing = [token for token in allowed if token in self._short] or allowed
            said.append(self._chance.choice(closing))
            matcher.accept(said[-1])
        else:
            return None
        return b"".join(self._vocabulary.pieces[token] for token in said).decode()

    def _mark(self, matcher: Matcher) -> list[int] | None:
        """One of the syntax's own marks, where the grammar allows it."""
        self._chance.shuffle(self._marks)
        return next((mark for mark in self._marks if self._chance.random() < 0.8 and matcher.follow(mark)), None)


def walk(grammars: Grammars, vocabulary: Vocabulary, dialect: Dialect, seed: int) -> str | None:
    """What chance says under the grammar of forced calls."""
    grammar, _ = grammars.answer(output=None, tools=TOOLS, calls=True, many=True, dialect=dialect)
    return Chance(vocabulary, dialect, seed).write(grammars.matcher(grammar))


def check(text: str, dialect: Dialect) -> None:
    """Nothing but complete calls of offered tools, whose arguments name their parameters."""
    parts = parse(text, dialect=dialect, tools=TOOLS)
    assert parts, text
    for part in parts:
        assert isinstance(part, ToolCall), (text, part)
        assert part.complete, (text, part)
        (spec,) = [one for one in TOOLS if one.name == part.name]
        given = json.loads(part.arguments or "{}")
        assert given.keys() >= set(spec.parameters["required"]), (text, part)
        assert given.keys() <= spec.parameters["properties"].keys(), (text, part)
        if part.name == "get_weather":
            assert isinstance(given["city"], str)
            assert isinstance(given["days"], int)
            assert given.get("unit", "celsius") in {"celsius", "fahrenheit"}
        if part.name == "plan-trip":
            assert all(isinstance(stop, str) for stop in given["stops"])
            assert isinstance(given["budget"]["amount"], int | float)


@pytest.mark.parametrize("kind", DIALECTS)
def test_a_forced_call_is_a_call_in_every_kind_of_syntax(grammars: Grammars, vocabulary: Vocabulary, kind: str) -> None:
    texts = [walk(grammars, vocabulary, DIALECTS[kind], seed) for seed in range(3)]
    assert any(texts)
    for text in filter(None, texts):
        check(text, DIALECTS[kind])


def forced(grammars: Grammars, vocabulary: Vocabulary, seeds: Sequence[int]) -> int:
    """How many models' templates had a walk that came to its end; all that did were calls."""
    ended = 0
    for name in NAMES:
        dialect = template(name).dialect
        texts = [text for seed in seeds if (text := walk(grammars, vocabulary, dialect, seed)) is not None]
        for text in texts:
            check(text, dialect)
        ended += bool(texts)
    return ended


@needed
def test_a_forced_call_is_a_call_in_the_syntax_of_every_model(grammars: Grammars, vocabulary: Vocabulary) -> None:
    assert forced(grammars, vocabulary, [1]) >= 60


@needed
@pytest.mark.torture
def test_forced_calls_are_calls_many_times_over(grammars: Grammars, vocabulary: Vocabulary) -> None:
    assert forced(grammars, vocabulary, range(2, 24)) == len(NAMES)


@pytest.mark.parametrize("kind", DIALECTS)
def test_a_call_that_began_by_itself_is_held_to_the_end(grammars: Grammars, vocabulary: Vocabulary, kind: str) -> None:
    dialect = DIALECTS[kind]
    syntax = dialect.calls
    lazy = LazyMatcher(grammars, TOOLS, many=False, syntax=syntax)
    assert lazy.allowed() is None
    assert lazy.forced() == []
    begun = syntax.openers[0] if syntax.openers and kind != "harmony" else syntax.lead("ping")
    lazy.watch(begun)
    mask = lazy.allowed()
    assert mask is not None
    assert not mask.all()
    lazy.watch(None)
    assert lazy.allowed() is None
    assert not lazy.done


def test_calls_that_begin_in_a_way_of_their_own_are_left_alone(grammars: Grammars) -> None:
    lazy = LazyMatcher(grammars, TOOLS, many=False, syntax=DIALECTS["tagged arguments"].tools)
    lazy.watch("<function=")
    assert lazy.allowed() is None


def test_a_schema_that_cannot_be_used_does_not_end_an_answer_that_nobody_constrained(grammars: Grammars) -> None:
    wrong = ToolSpec(name="f", parameters={"type": "object", "properties": {"x": {"type": "nonsense"}}})
    lazy = LazyMatcher(grammars, [wrong], many=False, syntax=DIALECTS["objects in tags"].tools)
    lazy.watch("<tool_call>")
    assert lazy.allowed() is None


def test_what_a_syntax_cannot_hold_is_said(grammars: Grammars) -> None:
    odd = tool("f", ("x",), x={"type": "string", "pattern": "^a+$"}, y={"type": "array", "maxItems": 2})

    def warnings(kind: str) -> list[str]:
        return grammars.answer(output=None, tools=[odd], calls=True, many=False, dialect=DIALECTS[kind])[1]

    assert warnings("objects in tags") == []
    assert warnings("tagged arguments") == ["tool 'f' is not wholly enforced: pattern"]
    assert len(warnings("gemma")) == 2
    either: dict[str, Any] = {"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}
    table = {"type": "object", "additionalProperties": {"type": "string"}}
    for schema, said in ((either, "only the first of its alternatives is allowed"), (table, "none can be given")):
        loose = ToolSpec(name="g", parameters=schema)
        _, weak = grammars.answer(output=None, tools=[loose], calls=True, many=False, dialect=DIALECTS["kimi"])
        assert [said in warning for warning in weak] == [True]
    _, weak = grammars.answer(
        output=None,
        tools=[ToolSpec(name="g", parameters={"type": "object"})],
        calls=True,
        many=False,
        dialect=DIALECTS["kimi"],
    )
    assert weak == []


@pytest.mark.parametrize("kind", ["gemma", "python", "minimax", "kimi"])
def test_values_that_may_nest_for_ever_come_to_an_end(grammars: Grammars, vocabulary: Vocabulary, kind: str) -> None:
    node = {
        "type": "object",
        "properties": {
            "name": {"enum": ["a", "b"]},
            "next": {"$ref": "#/$defs/node"},
            "all": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        },
        "required": ["name", "all"],
    }
    spec = ToolSpec(
        name="f",
        parameters={
            "type": "object",
            "properties": {"tree": {"$ref": "#/$defs/node"}},
            "required": ["tree"],
            "$defs": {"node": node},
        },
    )

    def fits(tree: Any) -> bool:
        below = [*tree["all"], *([tree["next"]] if "next" in tree else [])]
        return tree["name"] in {"a", "b"} and tree.keys() <= {"name", "next", "all"} and all(map(fits, below))

    grammar, _ = grammars.answer(output=None, tools=[spec], calls=True, many=False, dialect=DIALECTS[kind])
    ended = [Chance(vocabulary, DIALECTS[kind], seed).write(grammars.matcher(grammar)) for seed in range(8)]
    assert any(ended)
    for text in filter(None, ended):
        (call,) = parse(text, dialect=DIALECTS[kind], tools=[spec])
        assert isinstance(call, ToolCall)
        assert call.complete
        assert fits(json.loads(call.arguments)["tree"]), text


def test_an_answer_of_a_model_with_channels_has_its_header(grammars: Grammars, vocabulary: Vocabulary) -> None:
    schema = OutputSchema.model_validate({"name": "s", "schema": {"const": 1}})
    dialect = DIALECTS["harmony"]
    grammar, _ = grammars.answer(output=schema, tools=(), calls=False, many=False, dialect=dialect)
    assert Chance(vocabulary, dialect, 0).write(grammars.matcher(grammar)) == "<|channel|>final<|message|>1"


def test_values_of_one_tagged_argument_keep_their_types() -> None:
    style = DIALECTS["kimi"].tools.arguments
    assert isinstance(style, Tagged)
    assert [style.attribute(kind) for kind in ("number", "array")] == [
        '" type="number"<|sep|>',
        '" type="array"<|sep|>',
    ]
